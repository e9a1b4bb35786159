# -*- coding: utf-8 -*-
"""Changes the inside of every block and still loads official weights: adapters.

An adapter (https://arxiv.org/abs/1902.00751) is a bottleneck of two small dense layers after each half
of a block, before the residual is added. The official weights stay as they are; only the adapters, the
norms and the new head are trained. Here they learn to tell questions from statements.

    python examples/adapters.py DIRECTORY     of a BERT; without one, the demo's MiniLM weights
"""
from __future__ import absolute_import, division, print_function

import sys

import numpy as np

from bert4keras.backend import keras
from bert4keras.bert import BertModel, build_bert_model
from bert4keras.families import find_release
from bert4keras.layers import BertDense, BertFirstToken
from bert4keras.tokenizer import Tokenizer

QUESTIONS = [u'where did you put the keys', u'is it going to rain tomorrow', u'how long does the soup take',
             u'who left the window open', u'can we still catch the last train', u'why is the sky so red',
             u'what did the doctor say', u'are there any seats left']
STATEMENTS = [u'the keys are on the table', u'it is going to rain tomorrow', u'the soup takes an hour',
              u'she left the window open', u'we can still catch the last train', u'the sky is red tonight',
              u'the doctor said nothing', u'there are two seats left']


class BertWithAdapters(BertModel):
    """BERT with an adapter in each half of each block."""

    adapter_size = 16

    def add_and_norm(self, x, y, name):
        """norm(x + y + adapter(y)) in place of norm(x + y); x and y are [B, T, D]."""
        z = self.layer(BertDense, name + '-Adapter-Down', units=self.adapter_size, activation=self.activation)(y)
        z = self.layer(BertDense, name + '-Adapter-Up', units=self.config['hidden_size'],
                       initializer_range=1e-4)(z)  # so small that BERT starts out unchanged
        y = self.add(y, z, name + '-Adapter-Add')
        return super(BertWithAdapters, self).add_and_norm(x, y, name)


def main(directory):
    """Trains the adapters and prints the loss and the accuracy."""
    encoder = build_bert_model(directory, model=BertWithAdapters)
    for layer in encoder.layers:
        layer.trainable = 'Adapter' in layer.name or layer.name.endswith('-Norm')
    cls = BertFirstToken(name='Classified')(encoder.output)
    model = keras.models.Model(encoder.inputs, BertDense(2, activation='softmax', name='Question')(cls))
    model.compile(keras.optimizers.Adam(2e-3), 'sparse_categorical_crossentropy', metrics=['accuracy'])

    tokenizer = Tokenizer(find_release(directory).vocab_path)
    token_ids, segment_ids = tokenizer.encode_batch(QUESTIONS + STATEMENTS)
    labels = np.array([1] * len(QUESTIONS) + [0] * len(STATEMENTS))
    model.fit([token_ids, segment_ids], labels, batch_size=8, epochs=12, verbose=2)
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    print('trained %d of %d weights' % (trained, model.count_params()))
    return model


if __name__ == '__main__':
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        from bert4keras.cli import find_demo_weights
        main(find_demo_weights())
