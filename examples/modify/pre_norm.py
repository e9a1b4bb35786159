# -*- coding: utf-8 -*-
"""Pre-LN (https://arxiv.org/abs/2002.04745): x + function(norm(x)) instead of norm(x + function(x))."""
from bert4keras.bert import BertModel
from bert4keras.layers import BertLayerNorm


class PreNormBert(BertModel):
    def half(self, x, name, index, function):
        y = function(self.layer(BertLayerNorm, name + '-Norm')(x))
        return self.add(x, self.dropout(y, name + '-Dropout'), name + '-Add')

    def outputs(self, x, table):
        return super(PreNormBert, self).outputs(self.layer(BertLayerNorm, 'Final-Norm')(x), table)
