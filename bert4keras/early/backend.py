# -*- coding: utf-8 -*-
"""What `bert4keras.backend` of releases up to 0.11 had beside Keras itself: `K`, and functions for models and losses.

`K` has the functions of Keras 2's backend by their names and signatures. On Keras 2 it is that backend; Keras 3 has
dropped most of them, so there they are over `keras.ops`. What Keras 3 cannot do (`K.gradients`, `K.function`,
`K.placeholder`, `K.tf`) is an error that says what to use.

This belongs to backend.py, which exports all of it. Tensors: B batch, T tokens.
"""
from __future__ import absolute_import, division, print_function

import warnings

import numpy as np

from bert4keras.early.text import refused
from bert4keras.which_keras import import_keras

__all__ = ['K', 'batch_gather', 'get_all_attributes', 'is_tf_keras', 'multilabel_categorical_crossentropy',
           'piecewise_linear', 'root_mean_square', 'search_layer', 'sequence_masking',
           'sparse_multilabel_categorical_crossentropy']

keras = import_keras()
is_tf_keras = keras.__name__ != 'keras'
_ops = getattr(keras, 'ops', None)

# On Keras 3: name in K, name in keras.ops, where they are not the same
_RENAMED = {'batch_dot': 'matmul', 'dot': 'matmul', 'pow': 'power', 'permute_dimensions': 'transpose',
            'reverse': 'flip'}
# ... and name in keras.random
_RANDOM = {'random_normal': 'normal', 'random_uniform': 'uniform', 'truncated_normal': 'truncated_normal',
           'dropout': 'dropout'}
_GONE = {'gradients': "use the engine's own: jax.grad, torch.autograd.grad or tf.GradientTape",
         'function': 'call the model, or make a Model of the inputs and outputs', 'placeholder': 'use keras.Input',
         'tf': 'use keras.ops', 'get_session': 'there are no sessions', 'set_session': 'there are no sessions',
         'learning_phase': 'a layer has the argument training', 'in_train_phase': 'a layer has the argument training',
         'foldl': 'use keras.ops.scan', 'map_fn': 'use keras.ops.map', 'rnn': 'use keras.layers.RNN',
         'switch': 'use keras.ops.where'}


class _Backend3(object):
    """Keras 2's backend, for Keras 3."""

    def __getattr__(self, name):
        if name in _GONE:
            raise AttributeError('Keras 3 has no K.%s; %s' % (name, _GONE[name]))
        for module, found in ((keras.backend, name), (_ops, _RENAMED.get(name, name)),
                              (keras.random, _RANDOM.get(name))):
            if found and hasattr(module, found):
                return getattr(module, found)
        raise AttributeError('Keras 3 has no K.%s; see keras.ops' % name)

    symbolic = staticmethod(lambda function: function)

    def sum(self, x, axis=None, keepdims=False):
        return _ops.sum(x, axis, keepdims)

    def mean(self, x, axis=None, keepdims=False):
        return _ops.mean(x, axis, keepdims)

    def concatenate(self, tensors, axis=-1):
        return _ops.concatenate(tensors, axis)

    def expand_dims(self, x, axis=-1):
        return _ops.expand_dims(x, axis)

    def squeeze(self, x, axis):
        return _ops.squeeze(x, axis)

    def gather(self, reference, indices):
        return _ops.take(reference, _ops.cast(indices, 'int32'), axis=0)

    def clip(self, x, min_value, max_value):
        return _ops.clip(x, min_value, max_value)

    def one_hot(self, indices, num_classes):
        return _ops.one_hot(_ops.cast(indices, 'int32'), num_classes)

    def repeat_elements(self, x, rep, axis):
        return _ops.repeat(x, rep, axis)

    def flatten(self, x):
        return _ops.reshape(x, (-1,))

    def int_shape(self, x):
        return tuple(x.shape)

    def ndim(self, x):
        return len(x.shape)

    def dtype(self, x):
        return keras.backend.standardize_dtype(x.dtype)

    def constant(self, value, dtype=None, shape=None):
        value = np.full(shape, value) if shape is not None else value
        return _ops.convert_to_tensor(value, dtype or keras.backend.floatx())

    def variable(self, value, dtype=None, name=None):
        return keras.Variable(value, dtype=dtype, name=name)

    def get_value(self, x):
        return _ops.convert_to_numpy(x)

    eval = get_value

    def set_value(self, x, value):
        x.assign(value)

    def batch_get_value(self, xs):
        return [_ops.convert_to_numpy(x) for x in xs]

    def batch_set_value(self, pairs):
        for x, value in pairs:
            x.assign(value)

    def update(self, x, new_x):
        return x.assign(new_x)

    def update_add(self, x, increment):
        return x.assign(x + increment)

    def update_sub(self, x, decrement):
        return x.assign(x - decrement)

    def l2_normalize(self, x, axis=None):
        return _ops.normalize(x, axis=-1 if axis is None else axis, epsilon=1e-12)

    def stop_gradient(self, x):
        return _ops.stop_gradient(x)

    def sparse_categorical_crossentropy(self, target, output, from_logits=False, axis=-1):
        return _ops.sparse_categorical_crossentropy(_ops.cast(target, 'int32'), output, from_logits, axis)

    def categorical_crossentropy(self, target, output, from_logits=False, axis=-1):
        return _ops.categorical_crossentropy(target, output, from_logits, axis)

    def binary_crossentropy(self, target, output, from_logits=False):
        return _ops.binary_crossentropy(_ops.cast(target, output.dtype), output, from_logits)


class _Backend2(object):
    """Keras 2's backend, with what only some of its versions have."""

    def __getattr__(self, name):
        return getattr(keras.backend, name)

    symbolic = staticmethod(getattr(keras.backend, 'symbolic', lambda function: function))

    @property
    def tf(self):
        import tensorflow
        return tensorflow

    def cumsum(self, x, axis=0):
        import tensorflow
        return tensorflow.cumsum(x, axis)

    def logsumexp(self, x, axis=None, keepdims=False):
        greatest = keras.backend.max(x, axis=axis, keepdims=True)
        total = keras.backend.sum(keras.backend.exp(x - greatest), axis=axis, keepdims=True)
        result = keras.backend.log(total) + greatest
        return result if keepdims else keras.backend.squeeze(result, axis)


K = _Backend2() if _ops is None else _Backend3()


def piecewise_linear(t, schedule, from_zero=True):
    """The value at `t` of straight lines between the points {step: value}, 0 at 0 unless told otherwise.

    Args:
        t: number, or scalar tensor.
        schedule: dict {step: value}; after the last step its value stays.
        from_zero: False for no point (0, 0) before the first.
    """
    points = sorted((int(step), float(value)) for step, value in schedule.items())
    if from_zero and points[0][0] != 0:
        points = [(0, 0.0)] + points
    t = K.cast(t, 'float32')
    total = points[0][1] + 0.0 * t
    for (before, low), (after, high) in zip(points, points[1:]):
        share = K.clip((t - before) / float(after - before), 0.0, 1.0)
        total = total + share * (high - low)
    return total


def get_all_attributes(something):
    """{name: value} of what an object or a module has under names that do not begin with '_'.

    `locals().update(get_all_attributes(keras.layers))` is `from keras.layers import *`, whichever Keras it is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of properties that Keras is going to drop
        return {name: getattr(something, name) for name in dir(something)
                if not name.startswith('_') and hasattr(something, name)}


def search_layer(inputs, name, exclude_from=None):
    """The layer called `name` among those that a symbolic tensor was computed by, or None."""
    tensors = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    seen = set() if exclude_from is None else exclude_from
    for tensor in tensors:
        layer, node = _origin(tensor)
        if layer is None or id(layer) in seen:
            continue
        if layer.name == name:
            return layer
        seen.add(id(layer))
        found = search_layer(node, name, seen)
        if found is not None:
            return found
    return None


def _origin(tensor):
    """(layer, list of its input tensors) that a symbolic tensor is the output of, or (None, [])."""
    history = getattr(tensor, '_keras_history', None)
    if history is None:
        return None, []
    layer, place = history[0], history[1]
    inputs = layer._inbound_nodes[place]
    inputs = getattr(inputs, 'input_tensors', [])
    return layer, list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]


def sequence_masking(x, mask=None, value=0.0, axis=None):
    """`x` [B, ..., T, ...] with `value` where the mask [B, T] is 0.

    Args:
        x: float tensor.
        mask: tensor [B, T], or None for `x` as it is.
        value: number, or '-inf' for -1e12 and 'inf' for 1e12.
        axis: int, that of T; 1 by default.
    """
    if mask is None:
        return x
    value = {'-inf': -1e12, 'inf': 1e12}.get(value, value)
    rank = K.ndim(x)
    axis = 1 if axis is None else axis % rank
    mask = K.cast(mask, K.dtype(x))
    for _ in range(axis - 1):
        mask = K.expand_dims(mask, 1)
    for _ in range(rank - K.ndim(mask)):
        mask = K.expand_dims(mask, K.ndim(mask))
    return x * mask + value * (1.0 - mask)


def batch_gather(params, indices):
    """Of each row of the batch the entries at its indices: [B, T, ...], int [B, N] -> [B, N, ...]."""
    places = K.cumsum(K.ones_like(params[:, :, 0] if K.ndim(params) > 2 else params), axis=1) - 1.0  # [B, T]
    found = K.equal(K.expand_dims(K.cast(indices, K.dtype(places))), K.expand_dims(places, 1))  # [B, N, T]
    chosen = K.cast(found, K.dtype(params))
    if K.ndim(params) == 2:
        return K.sum(chosen * K.expand_dims(params, 1), axis=-1)
    return K.batch_dot(chosen, params)


def root_mean_square(x, axis=None, keepdims=False):
    """The root of the mean of the squares over an axis."""
    return K.sqrt(K.mean(K.square(x), axis=axis, keepdims=keepdims))


def multilabel_categorical_crossentropy(y_true, y_pred):
    """The loss of any number of labels, log(1 + sum exp(s_negative)) + log(1 + sum exp(-s_positive)).

    Args:
        y_true: 0 or 1, [..., classes]. y_pred: logits of the same shape, where 0 is the threshold.

    Returns:
        [...]. Source: https://arxiv.org/abs/2208.02955.
    """
    y_true = K.cast(y_true, K.dtype(y_pred))
    y_pred = (1.0 - 2.0 * y_true) * y_pred
    negative = y_pred - y_true * 1e12
    positive = y_pred - (1.0 - y_true) * 1e12
    zeros = K.zeros_like(y_pred[..., :1])
    negative = K.logsumexp(K.concatenate([negative, zeros], axis=-1), axis=-1)
    positive = K.logsumexp(K.concatenate([positive, zeros], axis=-1), axis=-1)
    return negative + positive


sparse_multilabel_categorical_crossentropy = refused(
    'sparse_multilabel_categorical_crossentropy', 'give multilabel_categorical_crossentropy the labels as 0 and 1')
