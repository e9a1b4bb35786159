# -*- coding: utf-8 -*-
"""ALiBi (https://arxiv.org/abs/2108.12409): a head attends the less, the farther a token; no head like the next."""
import numpy as np

from bert4keras.backend import kops
from bert4keras.bert import BertModel
from bert4keras.layers import BertSelfAttention


class AlibiAttention(BertSelfAttention):
    def scores(self, query, key):
        heads = np.arange(1, self.num_attention_heads + 1)
        slopes = np.reshape(2.0 ** (-8.0 * heads / self.num_attention_heads), (-1, 1, 1))  # [N, 1, 1]
        places = kops.cast(kops.arange(kops.shape(key)[2]), 'float32')
        distances = kops.abs(kops.expand_dims(places, 0) - kops.expand_dims(places, 1))  # [T, T]
        return super(AlibiAttention, self).scores(query, key) - kops.cast(slopes, 'float32') * distances


class BertWithAlibi(BertModel):
    layer_classes = {BertSelfAttention: AlibiAttention}
