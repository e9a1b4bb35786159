# -*- coding: utf-8 -*-
"""keras_bert.layers.inputs of keras-bert."""
from __future__ import absolute_import, division, print_function

from bert4keras.backend import keras

__all__ = ['get_inputs']


def get_inputs(seq_len):
    """The three input tensors [B, seq_len]: Input-Token, Input-Segment and Input-Masked, floats as ever."""
    return [keras.layers.Input(shape=(seq_len,), name='Input-' + name) for name in ('Token', 'Segment', 'Masked')]
