# -*- coding: utf-8 -*-
"""Which Keras runs, on which engine, and `kops`: operations with the names and meanings of `keras.ops`.

On Keras 3 `kops` IS `keras.ops`; on Keras 2 it is a table of the same names over TensorFlow.
"""
from __future__ import absolute_import, division, print_function

import math

from bert4keras.which_keras import import_keras

__all__ = ['ENGINE', 'IS_KERAS_3', 'affine', 'gelu', 'keras', 'kops', 'layer_norm', 'tf']

keras = import_keras()
IS_KERAS_3 = hasattr(keras, 'ops')
ENGINE = keras.backend.backend()
if IS_KERAS_3:
    tf = None
else:
    import tensorflow as tf


class TensorFlowOps(object):
    """On Keras 2: operations of `keras.ops`, for BERT and for people who change it, over TensorFlow 1.13 to 2.21."""

    def concatenate(self, xs, axis=0):
        return tf.concat(xs, axis)

    def repeat(self, x, repeats, axis):
        """Each entry of the axis, from 0, `repeats` (an int) times in a row."""
        shape = list(self.shape(x))
        copies = tf.tile(tf.expand_dims(x, axis + 1), [1] * (axis + 1) + [repeats] + [1] * (len(shape) - axis - 1))
        return tf.reshape(copies, shape[:axis] + [shape[axis] * repeats] + shape[axis + 1:])

    def sparse_categorical_crossentropy(self, target, output, from_logits=False):
        """As Keras 3 has it; that of `keras.backend` wants the number of classes to be known, until TensorFlow 1.15."""
        if not from_logits:  # probabilities, which are the softmax of their logarithms; 0 has none
            output = tf.math.log(tf.clip_by_value(output, keras.backend.epsilon(), 1 - keras.backend.epsilon()))
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=output)

    def shape(self, x):
        """The shape as a tuple: an int where it is known, else a scalar tensor."""
        static = x.shape.as_list()
        if None not in static:
            return tuple(static)
        dynamic = tf.unstack(tf.shape(x), len(static))  # one operation, where a slice for each axis takes four
        return tuple(dynamic[axis] if size is None else size for axis, size in enumerate(static))

    def where(self, condition, x, y):
        """`x` where the condition holds, else `y`, a number or a tensor; both are broadcast to `x`."""
        # tf.where of TensorFlow 1 wants three equal shapes
        condition = tf.logical_and(condition, tf.ones_like(x, dtype=tf.bool))
        y = tf.cast(y, x.dtype)
        return tf.where(condition, x, y + tf.zeros_like(x) if y.shape.ndims else tf.fill(tf.shape(x), y))


if IS_KERAS_3:
    kops = keras.ops
else:
    kops = TensorFlowOps()
    for _module, _names in (
            (tf, 'abs cast cond cos cumsum einsum equal exp expand_dims logical_and logical_not logical_or matmul '
                 'maximum minimum not_equal ones_like reshape sin sqrt square stack tile transpose zeros_like'),
            (tf.math, 'erf expm1 log rsqrt sigmoid tanh'), (tf.nn, 'log_softmax relu softmax'),
            (keras.backend, 'max mean sum')):
        for _name in _names.split():
            setattr(kops, _name, getattr(_module, _name))
    kops.arange, kops.power, kops.take = tf.range, tf.pow, tf.gather


def gelu(x, approximate):
    """The Gaussian error linear unit (https://arxiv.org/abs/1606.08415) of a float tensor, by operations of `kops`.

    By the error function, or (approximate=True) by the tanh formula of the paper.
    """
    if approximate:
        return 0.5 * x * (1.0 + kops.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1.0 + kops.erf(x * math.sqrt(0.5)))


def affine(rows, kernel, bias):
    """rows @ kernel + bias: [R, I], [I, O], [O] -> [R, O]."""
    return kops.matmul(rows, kernel) + bias


def layer_norm(x, gamma, beta, epsilon):
    """Layer normalisation over the last axis (https://arxiv.org/abs/1607.06450), by operations of `kops`.

    Biased variance, epsilon inside the square root: [..., D], [D], [D] -> [..., D].
    """
    centered = x - kops.mean(x, axis=-1, keepdims=True)
    variance = kops.mean(kops.square(centered), axis=-1, keepdims=True)
    return centered * kops.rsqrt(variance + epsilon) * gamma + beta
