# -*- coding: utf-8 -*-
"""Half of the seam: which Keras runs, and on which engine. backend.py, the other half, says how they differ.

With `TF_KERAS=1` it is `tensorflow.keras`, else the package `keras` (2.3 or 3).
Which engine, for Keras 3: `KERAS_BACKEND`, else the one that keras.json names if it is installed
(Keras itself writes "tensorflow" into that file at its first import, installed or not), else the
first installed of tensorflow, jax and torch.

`BERT4KERAS_COMPILE_CACHE` names a directory where JAX keeps what it compiled, for later processes. It is made for its
owner alone: what lies in it is run.
"""
from __future__ import absolute_import, division, print_function

import io
import json
import logging
import os
import stat
import sys

__all__ = ['ENGINES', 'ENVIRONMENT', 'INSTALL_HINT', 'import_keras', 'is_installed']

ENGINES = ('tensorflow', 'jax', 'torch')
# what decides it, for another process that is to run the same
ENVIRONMENT = ('KERAS_BACKEND', 'TF_KERAS', 'TF_USE_LEGACY_KERAS', 'KERAS_HOME', 'JAX_PLATFORMS',
               'BERT4KERAS_COMPILE_CACHE')
INSTALL_HINT = ('install one of: pip install "keras>=3" jax | pip install "keras>=3" tensorflow-cpu | '
                'pip install "keras>=3" torch')
logger = logging.getLogger(__name__)


def is_installed(name):
    """Whether the top-level module `name` can be found, without importing it."""
    try:
        from importlib.util import find_spec
    except ImportError:  # Python 2
        from pkgutil import find_loader as find_spec
    return name in sys.modules or find_spec(name) is not None


def _configured_engine():
    """The engine named by keras.json, or None where there is no such file."""
    home = os.environ.get('KERAS_HOME', os.path.join(os.path.expanduser('~'), '.keras'))
    try:
        with io.open(os.path.join(home, 'keras.json'), encoding='utf-8') as stream:
            settings = json.load(stream)
    except (IOError, OSError, ValueError):
        return None  # missing, unreadable or not JSON: Keras ignores it or says so itself
    if not isinstance(settings, dict):
        raise ImportError('%s holds a JSON %s, not an object with fields, and Keras cannot start: mend or remove it'
                          % (stream.name, type(settings).__name__))
    return settings.get('backend')


def _choose_engine():
    """Sets KERAS_BACKEND before Keras is imported, where nobody has chosen an engine."""
    if 'keras' in sys.modules or os.environ.get('KERAS_BACKEND'):
        return
    configured = _configured_engine()
    if configured is not None and (configured not in ENGINES or is_installed(configured)):
        return
    for engine in ENGINES:
        if is_installed(engine):
            if configured is not None:
                logger.info('keras.json names %s, which is not installed: using %s', configured, engine)
            os.environ['KERAS_BACKEND'] = engine
            return
    raise ImportError('Keras needs an engine and none of %s is installed; %s'
                      % (', '.join(ENGINES), INSTALL_HINT))


def _keep_compiled(engine):
    """Does what BERT4KERAS_COMPILE_CACHE asks for; ValueError if others might have put programs there."""
    directory = os.environ.get('BERT4KERAS_COMPILE_CACHE')
    if not directory:
        return
    if engine != 'jax':
        logger.info('BERT4KERAS_COMPILE_CACHE: this engine, %s, keeps nothing; JAX does', engine)
        return
    directory = os.path.abspath(os.path.expanduser(directory))
    if not os.path.isdir(directory):
        os.makedirs(directory, 0o700)
    found = os.stat(directory)
    if hasattr(os, 'getuid') and (found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise ValueError('BERT4KERAS_COMPILE_CACHE=%s: others can write to that directory, and what lies in it is run: '
                         'name one that is yours alone (chmod 700)' % directory)
    import jax
    jax.config.update('jax_compilation_cache_dir', directory)
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
    jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)


def import_keras():
    """Returns the Keras module to use; see the module's docstring for the rule."""
    _configured_engine()  # raises where no Keras could start
    if os.environ.get('TF_KERAS', '0') not in ('', '0'):
        if not is_installed('tensorflow'):
            raise ImportError('TF_KERAS=1 asks for the Keras inside TensorFlow, which is not installed: pip install '
                              'tensorflow-cpu, or unset TF_KERAS')
        from tensorflow import keras
        return keras
    if not is_installed('keras'):
        raise ImportError('no Keras is installed; %s. To use the Keras inside TensorFlow, set TF_KERAS=1'
                          % INSTALL_HINT)
    _choose_engine()
    import keras
    if not hasattr(keras, 'ops') and keras.backend.backend() != 'tensorflow':
        raise ImportError('Keras 2 runs on %s here; bert4keras needs it on TensorFlow: set KERAS_BACKEND='
                          'tensorflow' % keras.backend.backend())
    _keep_compiled(keras.backend.backend())
    return keras
