# -*- coding: utf-8 -*-
"""keras_bert.layers.pooling of keras-bert."""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.backend import kops
from bert4keras.keras_bert.layers.base import KerasBertLayer
from bert4keras.layers import BertLayer

__all__ = ['MaskedGlobalMaxPool1D']


@backend.register
class KerasBertMaskedGlobalMaxPool1D(KerasBertLayer, BertLayer):
    """keras-bert's MaskedGlobalMaxPool1D: the maximum over the positions of the mask, [B, T, D] -> [B, D]."""

    full_precision = True

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, inputs, mask=None):
        if mask is not None:
            inputs = inputs - (1.0 - kops.cast(kops.expand_dims(mask, -1), inputs.dtype)) * 1e6
        return kops.max(inputs, axis=-2)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[2])


MaskedGlobalMaxPool1D = KerasBertMaskedGlobalMaxPool1D
