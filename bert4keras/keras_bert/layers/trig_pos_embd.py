# -*- coding: utf-8 -*-
"""TrigPosEmbedding of keras-pos-embd, which no BERT has, for files of models that were built around one."""
from __future__ import absolute_import, division, print_function

import math

from bert4keras import backend
from bert4keras.backend import kops
from bert4keras.layers import BertLayer

__all__ = ['TrigPosEmbedding']


@backend.register
class KerasBertTrigPosEmbedding(BertLayer):
    """The sines and cosines of positions p (https://arxiv.org/abs/1706.03762): by turns, of p / 10000^(2i/E).

    Args:
        mode: 'add' (to the input [B, T, E]), 'concat' (after the input [B, T, D]: [B, T, D + E]), or 'expand' (the
            input are the positions [B, T], numbers: [B, T, E]).
        output_dim: int, E; not used in the mode 'add'.
    """

    full_precision = True

    def __init__(self, mode='add', output_dim=None, **kwargs):
        mode = getattr(mode, '__name__', mode)  # Keras 3, opening an h5 file, takes 'add' for its function
        if mode not in ('add', 'concat', 'expand'):
            raise ValueError("mode must be 'add', 'concat' or 'expand', not %r" % (mode,))
        if mode != 'add' and (not output_dim or output_dim % 2):
            raise ValueError('mode %r needs output_dim, an even number, not %r' % (mode, output_dim))
        super(KerasBertTrigPosEmbedding, self).__init__(**kwargs)
        self.mode, self.output_dim, self.supports_masking = mode, output_dim, True

    def compute_mask(self, inputs, mask=None):
        return mask

    def call(self, inputs):
        if self.mode == 'expand':
            return self.embed(kops.cast(inputs, 'float32'), self.output_dim)
        positions = kops.cast(kops.expand_dims(kops.arange(kops.shape(inputs)[1]), 0), 'float32')  # [1, T]
        if self.mode == 'add':
            return inputs + self.embed(positions, int(inputs.shape[-1]))
        added = self.embed(positions, self.output_dim) + kops.zeros_like(inputs[:, :, :1])  # [B, T, E]
        return kops.concatenate([inputs, added], -1)

    def embed(self, positions, size):
        """Positions [B, T] -> [B, T, size]."""
        rates = kops.exp(kops.cast(kops.arange(size // 2), 'float32') * (-2.0 * math.log(10000.0) / size))
        angles = kops.expand_dims(positions, -1) * rates
        pairs = kops.stack([kops.sin(angles), kops.cos(angles)], -1)  # [B, T, size / 2, 2]
        return kops.reshape(pairs, (-1, kops.shape(positions)[1], size))

    def compute_output_shape(self, input_shape):
        shape = tuple(input_shape)
        return {'add': shape, 'expand': shape + (self.output_dim,),
                'concat': shape[:-1] + ((shape[-1] or 0) + (self.output_dim or 0),)}[self.mode]

    def get_config(self):
        return dict(super(KerasBertTrigPosEmbedding, self).get_config(), mode=self.mode, output_dim=self.output_dim)


TrigPosEmbedding = KerasBertTrigPosEmbedding
