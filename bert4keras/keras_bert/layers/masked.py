# -*- coding: utf-8 -*-
"""keras_bert.layers.masked of keras-bert."""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.backend import kops
from bert4keras.keras_bert.layers.base import KerasBertLayer
from bert4keras.layers import BertLayer

__all__ = ['Masked']


@backend.register
class KerasBertMasked(KerasBertLayer, BertLayer):
    """keras-bert's Masked: hands its first input on, with a Keras mask for the loss.

    Args:
        return_masked: whether to return the mask too.

    Call: [x [B, T, ...], wanted [B, T]] -> x, whose mask is where `wanted` is not 0 and x has a mask;
    with `return_masked` [x, that mask as floats].
    """

    full_precision = True
    arguments = ('return_masked',)

    def __init__(self, *args, **kwargs):
        kwargs.update(zip(self.arguments, args))
        return_masked = kwargs.pop('return_masked', False)
        super(KerasBertMasked, self).__init__(**kwargs)
        self.return_masked = return_masked

    def compute_mask(self, inputs, mask=None):
        wanted = kops.not_equal(inputs[1], 0)
        if mask is not None and mask[0] is not None:
            wanted = kops.logical_and(wanted, mask[0])
        return [wanted, None] if self.return_masked else wanted

    def call(self, inputs, mask=None):
        x = inputs[0] + 0  # a tensor of its own, that can have its own mask
        if not self.return_masked:
            return x
        return [x, kops.cast(self.compute_mask(inputs, mask)[0], backend.compute_dtype(self))]

    def compute_output_shape(self, input_shape):
        x, wanted = [tuple(shape) for shape in input_shape]
        return [x, wanted] if self.return_masked else x

    def get_config(self):
        return dict(super(KerasBertMasked, self).get_config(), return_masked=self.return_masked)


Masked = KerasBertMasked
