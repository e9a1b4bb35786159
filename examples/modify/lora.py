# -*- coding: utf-8 -*-
"""LoRA (https://arxiv.org/abs/2106.09685): queries and values learn a product of thin matrices; the rest is frozen."""
from bert4keras.bert import BertModel
from bert4keras.layers import BertSelfAttention, affine


class LoraAttention(BertSelfAttention):
    def __init__(self, *args, **kwargs):
        kwargs.setdefault('frozen', True)
        super(LoraAttention, self).__init__(*args, **kwargs)

    def build(self, input_shape):
        super(LoraAttention, self).build(input_shape)
        size, rank = int(input_shape[0][-1]), 8
        self.query_down = self.add_parameter('query_down', (size, rank), own=True)
        self.query_up = self.add_parameter('query_up', (rank, size), 'zeros', own=True)
        self.value_down = self.add_parameter('value_down', (size, rank), own=True)
        self.value_up = self.add_parameter('value_up', (rank, size), 'zeros', own=True)

    def queries_keys_values(self, x, mask):
        query, key, value, mask = super(LoraAttention, self).queries_keys_values(x, mask)
        query = query + self.split_heads(affine(affine(x, self.query_down), self.query_up))
        value = value + self.split_heads(affine(affine(x, self.value_down), self.value_up))
        return query, key, value, mask


class BertWithLora(BertModel):
    layer_classes = {BertSelfAttention: LoraAttention}
