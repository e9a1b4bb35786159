# -*- coding: utf-8 -*-
"""A mixture of experts (https://arxiv.org/abs/1701.06538): BERT's feed-forward and new ones, weighed for each token."""
from bert4keras import backend
from bert4keras.bert import BertModel
from bert4keras.layers import BertDense, BertFeedForward, BertLayer


@backend.register
class WeightedSum(BertLayer):
    def call(self, inputs):  # gates [B, T, experts], then an output [B, T, D] of each expert
        return sum(inputs[0][..., i:i + 1] * y for i, y in enumerate(inputs[1:]))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[1])


class BertWithExperts(BertModel):
    experts = 3

    def feed_forward(self, x, name, index):
        ys = [super(BertWithExperts, self).feed_forward(x, name, index)]
        ys += [self.layer(BertFeedForward, '%s-Expert-%d' % (name, i), activation=self.activation,
                          intermediate_size=self.config['intermediate_size'])(x) for i in range(1, self.experts)]
        gates = self.layer(BertDense, name + '-Gates', units=self.experts, activation='softmax')(x)
        return self.layer(WeightedSum, name + '-Mixture')([gates] + ys)
