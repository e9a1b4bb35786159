# -*- coding: utf-8 -*-
"""Prefix tuning (https://arxiv.org/abs/2101.00190): each block attends to a few keys and values that are learned."""
from bert4keras.backend import kops
from bert4keras.bert import BertModel
from bert4keras.layers import BertSelfAttention


class PrefixAttention(BertSelfAttention):
    length = 5

    def build(self, input_shape):
        super(PrefixAttention, self).build(input_shape)
        self.prefix = self.add_parameter('prefix', (2, self.length, int(input_shape[0][-1])), own=True)

    def queries_keys_values(self, x, mask):
        query, key, value, mask = super(PrefixAttention, self).queries_keys_values(x, mask)
        more = [self.split_heads(self.prefix[i:i + 1]) + kops.zeros_like(key[:, :, :1]) for i in (0, 1)]
        key, value = kops.concatenate([more[0], key], axis=2), kops.concatenate([more[1], value], axis=2)
        seen = kops.repeat(kops.ones_like(mask[..., :1]), self.length, axis=2)
        return query, key, value, kops.concatenate([seen, mask], axis=2)


class BertWithPrefix(BertModel):
    layer_classes = {BertSelfAttention: PrefixAttention}
