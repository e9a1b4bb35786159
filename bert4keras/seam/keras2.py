# -*- coding: utf-8 -*-
"""What differs on Keras 2.3 and tf.keras, on TensorFlow: what each function is for, keras3.py says."""
from __future__ import absolute_import, division, print_function

import threading

import numpy as np

from bert4keras.seam.exports import engines_for
from bert4keras.seam.operations import gelu, keras, kops, layer_norm, tf

__all__ = ['add_loss', 'affine', 'check_export', 'compiled', 'dense', 'describe', 'dtype_name', 'export', 'fold',
           'fused_attention', 'gather', 'gelu', 'gelu_rounds_once', 'get_values', 'in_batch', 'is_asked_by_fit',
           'layer_norm', 'policy', 'recomputed', 'register_mask_operations', 'set_values', 'untouched_zeros',
           'variable_dtype', 'with_loss']

untouched_zeros = 'zeros'  # in a graph of TensorFlow 1 arrays would be constants


def gather(table, ids):
    return kops.take(table, ids, axis=0)


def gelu_rounds_once(x, training):
    return False


def affine(rows, kernel, bias):
    return tf.nn.bias_add(tf.matmul(rows, kernel), bias)


def policy():
    global_policy = getattr(getattr(keras, 'mixed_precision', None), 'global_policy', None)
    return global_policy() if global_policy else None


def variable_dtype(layer):
    return layer.dtype or keras.backend.floatx()


def get_values(variables):
    return keras.backend.batch_get_value(list(variables))


def set_values(pairs):
    keras.backend.batch_set_value([(variable, np.asarray(value)) for variable, value in pairs])


def dtype_name(tensor):
    return tensor.dtype.base_dtype.name


def recomputed(make):
    raise ValueError('this Keras, %s, cannot compute activations again for the gradient; Keras 3 can. '
                     'Use smaller batches here' % describe())


def dense(gradient, like, indices=None):
    if indices is not None:
        gradient = tf.IndexedSlices(gradient, indices, tf.shape(like))
    return tf.convert_to_tensor(gradient)


def fused_attention(query, key, value, mask, formula=None):
    return None


def compiled(model):
    return model.predict_on_batch


def add_loss(layer, loss, inputs):
    layer.add_loss(loss, inputs=inputs)


def with_loss(model, loss, by_a_layer):
    model.add_loss(loss)
    return model


def fold(step, first, rows):
    return tf.scan(step, rows, initializer=first)[-1]


def in_batch(arrays):  # Keras 2.3 and TensorFlow 1 take lists only, TensorFlow 2.0 tuples only
    return list(arrays) if keras.__name__ == 'keras' or tf.__version__ < '2' else tuple(arrays)


def is_asked_by_fit():  # threads of TensorFlow are dummies for Python
    return (keras.__name__ != 'keras' and tf.__version__.startswith('2.0.')
            and isinstance(threading.current_thread(), threading._DummyThread))


def register_mask_operations():
    pass


def check_export(kind):
    raise ValueError('an export to %s needs Keras 3, on %s; this is %s' % (kind, engines_for(kind), describe()))


def export(model, path, kind, positions):
    check_export(kind)


def describe():
    name = 'Keras %s' % keras.__version__ if keras.__name__ == 'keras' else 'tf.keras'
    return '%s on tensorflow %s' % (name, tf.__version__)
