# -*- coding: utf-8 -*-
"""Rotary positions (https://arxiv.org/abs/2104.09864): queries and keys turn by an angle that grows by position."""
from bert4keras.backend import kops
from bert4keras.bert import BertModel
from bert4keras.layers import BertSelfAttention


class RotaryAttention(BertSelfAttention):
    def rotate(self, x):
        half = int(x.shape[-1]) // 2
        positions = kops.expand_dims(kops.cast(kops.arange(kops.shape(x)[2]), x.dtype), 1)  # [T, 1]
        angles = positions * kops.power(1e-4, kops.cast(kops.arange(half), x.dtype) / half)  # [T, H / 2]
        first, second = x[..., :half], x[..., half:]
        return kops.concatenate([first * kops.cos(angles) - second * kops.sin(angles),
                                 first * kops.sin(angles) + second * kops.cos(angles)], axis=-1)

    def scores(self, query, key):
        return super(RotaryAttention, self).scores(self.rotate(query), self.rotate(key))


class BertWithRotaryPositions(BertModel):
    layer_classes = {BertSelfAttention: RotaryAttention}
