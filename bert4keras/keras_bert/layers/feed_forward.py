# -*- coding: utf-8 -*-
"""FeedForward of keras-position-wise-feed-forward, and the dense layers of keras-bert's heads."""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.backend import keras
from bert4keras.compat import STRINGS
from bert4keras.keras_bert.layers.base import KerasBertLayer, gelu_erf, gelu_tanh, known_as
from bert4keras.layers import BertDense, BertFeedForward

__all__ = ['KerasBertDense', 'KerasBertFeedForward', 'KerasBertGeluDense']


@backend.register
class KerasBertFeedForward(KerasBertLayer, BertFeedForward):
    """FeedForward of keras-position-wise-feed-forward."""

    arguments = ('units', 'activation')
    renamed = {'units': 'intermediate_size'}
    fixed = {'use_bias': True, 'dropout_rate': 0.0}
    weight_names = {'intermediate_kernel': '%s_W1', 'intermediate_bias': '%s_b1',
                    'output_kernel': '%s_W2', 'output_bias': '%s_b2'}
    units, use_bias = known_as('intermediate_size'), True
    W1, b1 = known_as('intermediate_kernel'), known_as('intermediate_bias')
    W2, b2 = known_as('output_kernel'), known_as('output_bias')


@backend.register
class KerasBertDense(KerasBertLayer, BertDense):
    """The dense layers of keras-bert's heads."""

    initial = 'glorot_uniform'
    weight_names = {'dense_kernel': 'kernel', 'dense_bias': 'bias'}


@backend.register
class KerasBertGeluDense(keras.layers.Dense):
    """Keras' Dense, saved with the name of its GELU: tf.keras 2.15 and tf_keras cannot reload functions."""

    def __init__(self, units, activation=None, **kwargs):
        ours = {'gelu': backend.custom_object('gelu'), 'gelu_tanh': gelu_tanh, 'gelu_erf': gelu_erf}
        if isinstance(activation, STRINGS):
            activation = ours.get(activation) or activation
        super(KerasBertGeluDense, self).__init__(units, activation=activation, **kwargs)

    def get_config(self):
        name = {gelu_tanh: 'gelu_tanh', gelu_erf: 'gelu_erf'}.get(self.activation)
        config = super(KerasBertGeluDense, self).get_config()
        return dict(config, activation=name) if name else config
