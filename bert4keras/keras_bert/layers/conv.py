# -*- coding: utf-8 -*-
"""keras_bert.layers.conv of keras-bert."""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.backend import keras, kops

__all__ = ['MaskedConv1D']


@backend.register
class KerasBertMaskedConv1D(keras.layers.Conv1D):
    """keras-bert's MaskedConv1D: sees zeros at masked positions, and hands the mask on, as it shrinks."""

    def __init__(self, **kwargs):
        super(KerasBertMaskedConv1D, self).__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        if mask is not None and self.padding == 'valid':
            mask = mask[:, self.kernel_size[0] // 2 * self.dilation_rate[0] * 2:]
        return mask

    def call(self, inputs, mask=None):
        if mask is not None:
            inputs = inputs * kops.cast(kops.expand_dims(mask, -1), inputs.dtype)
        return super(KerasBertMaskedConv1D, self).call(inputs)


MaskedConv1D = KerasBertMaskedConv1D
