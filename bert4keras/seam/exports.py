# -*- coding: utf-8 -*-
"""What `model.export` of Keras 3 writes, and on which engine."""
from __future__ import absolute_import, division, print_function

from bert4keras.seam.operations import ENGINE
from bert4keras.which_keras import is_installed

__all__ = ['check_export', 'engines_for', 'export']

# (kind, engine): the packages that it needs
EXPORTERS = {('onnx', 'torch'): ('onnx', 'onnxscript'), ('onnx', 'tensorflow'): ('tf2onnx',),
             ('saved-model', 'tensorflow'): (), ('saved-model', 'jax'): ('tensorflow',)}


def engines_for(kind):
    """The engines that export 'onnx' or 'saved-model', for people: 'jax or tensorflow'."""
    return ' or '.join(sorted(engine for name, engine in EXPORTERS if name == kind))


def check_export(kind):
    """An error that says what to do, unless this engine exports 'onnx' or 'saved-model'."""
    if (kind, ENGINE) not in EXPORTERS:
        raise ValueError('Keras 3 on %s does not export %s here; set KERAS_BACKEND=%s'
                         % (ENGINE, kind, engines_for(kind)))
    missing = [name for name in EXPORTERS[kind, ENGINE] if not is_installed(name)]
    if missing:
        raise ImportError('on %s an export to %s needs %s: pip install %s'
                          % (ENGINE, kind, ' and '.join(missing), ' '.join(missing)))


def export(model, path, kind, positions):
    """Writes a model of one input, int [B, T], that has run once: of any B, and any T up to `positions`."""
    more = {} if ENGINE != 'jax' else {'jax2tf_kwargs': {
        'polymorphic_shapes': ['(batch, length)'], 'with_gradient': False,
        'polymorphic_constraints': ['length <= %d' % positions]}}
    model.export(path, format={'onnx': 'onnx', 'saved-model': 'tf_saved_model'}[kind], verbose=False, **more)
