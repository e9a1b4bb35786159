# -*- coding: utf-8 -*-
"""What every test of the package may use: a release made once."""
from __future__ import absolute_import, division, print_function

import os
import sys

import pytest

from tests.helpers.releases import VOCABULARY, make_release

if 'BERT4KERAS_ROW' not in os.environ:  # for parity/ as well
    os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')


@pytest.fixture(scope='package', autouse=True)
def quick_compiler():
    """Compiles without most optimisations on JAX, as most time goes there, for models of which each runs once.

    In the rows of tox.ini parity/, which compares the numbers, compiles with all of them.
    """
    jax = sys.modules.get('jax')
    if jax is None or jax.config.values.get('jax_disable_most_optimizations'):
        yield
        return
    jax.config.update('jax_disable_most_optimizations', True)
    os.environ['JAX_DISABLE_MOST_OPTIMIZATIONS'] = '1'  # for fresh processes, too
    yield
    jax.config.update('jax_disable_most_optimizations', False)
    del os.environ['JAX_DISABLE_MOST_OPTIMIZATIONS']


@pytest.fixture(scope='module', autouse=True)
def no_tracing(request):
    """On TensorFlow 2 functions run as they are written, which takes half the time of making graphs of them.

    In the rows of the slow tests, in parity/ and in fresh processes they are graphs, as they are for users. (The
    tf.keras of TensorFlow 2.0 does not save a model that has trained without.)
    """
    tensorflow = sys.modules.get('tensorflow')
    config = getattr(tensorflow, 'config', None)
    if (request.config.getoption('slow') or not hasattr(config, 'experimental_run_functions_eagerly')
            or tensorflow.__version__.startswith(('1.', '2.0.'))):  # 1.15 knows it outside graphs only
        yield
        return
    run_eagerly = getattr(config, 'run_functions_eagerly', config.experimental_run_functions_eagerly)
    run_eagerly(True)
    yield
    run_eagerly(False)


@pytest.fixture(autouse=True)
def fresh_graph(fresh_graph):
    """On TensorFlow 1 each graph runs as it was built, without a search for a quicker one: a third of a test's time.

    As with JAX, parity/ compares the numbers with all optimisations.
    """
    backend, tensorflow = sys.modules.get('bert4keras.backend'), sys.modules.get('tensorflow')
    if backend is not None and tensorflow is not None and tensorflow.__version__.startswith('1.'):
        config = tensorflow.ConfigProto()
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        config.graph_options.optimizer_options.opt_level = -1  # L0
        backend.keras.backend.set_session(tensorflow.Session(config=config))
    yield


@pytest.fixture(scope='session')
def release(tmp_path_factory):
    """(directory, config, variables) of a whole BERT in Google's layout, of odd sizes."""
    directory = tmp_path_factory.mktemp('release')
    config, variables = make_release(directory, num_hidden_layers=2, vocab=VOCABULARY)
    return str(directory), config, variables
