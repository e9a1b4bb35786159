# -*- coding: utf-8 -*-
"""Recomputation (https://arxiv.org/abs/1604.06174): the inside of each half block is computed again for the gradient.

It saves memory in training and costs time. Keras 3 can, on JAX and PyTorch; elsewhere the error says so.
"""
from bert4keras.backend import recomputed
from bert4keras.bert import BertModel


class RecomputingBert(BertModel):
    def layer(self, cls, name, **arguments):
        layer = super(RecomputingBert, self).layer
        return recomputed(lambda: layer(cls, name, **arguments)) if name.startswith('Encoder-') else layer(
            cls, name, **arguments)
