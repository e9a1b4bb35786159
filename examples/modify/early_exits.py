# -*- coding: utf-8 -*-
"""Early exits (https://arxiv.org/abs/2006.04152): a classifier after each block, all of them outputs of one model."""
from bert4keras.bert import BertModel
from bert4keras.layers import BertDense, BertFirstToken


class BertWithExits(BertModel):
    classes = 3

    def run(self, token_ids, segment_ids):
        self.exits = []
        return super(BertWithExits, self).run(token_ids, segment_ids)

    def after_block(self, x, index):
        first = self.layer(BertFirstToken, 'Exit-%d-First' % index)(x)
        self.exits.append(self.layer(BertDense, 'Exit-%d' % index, units=self.classes, activation='softmax')(first))
        return x

    def outputs(self, x, table):
        return self.exits
