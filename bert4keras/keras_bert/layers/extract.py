# -*- coding: utf-8 -*-
"""keras_bert.layers.extract of keras-bert."""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.keras_bert.layers.base import KerasBertLayer
from bert4keras.layers import BertFirstToken

__all__ = ['Extract']


@backend.register
class KerasBertExtract(KerasBertLayer, BertFirstToken):
    """keras-bert's Extract: the hidden state at a position, [B, T, D] -> [B, D]."""

    arguments = ('index',)

    def __init__(self, *args, **kwargs):
        kwargs.update(zip(self.arguments, args))
        index = kwargs.pop('index')
        super(KerasBertExtract, self).__init__(**kwargs)
        self.index = index

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, inputs):
        return inputs[:, self.index]

    def get_config(self):
        return dict(super(KerasBertExtract, self).get_config(), index=self.index)


Extract = KerasBertExtract
