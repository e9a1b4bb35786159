# -*- coding: utf-8 -*-
"""Scripts in the manner of keras-bert's best-known users, run on keras-bert and on the drop-in.

    python -m parity.keras_bert_clients     records what keras-bert says, for Keras versions that it does not run on

Each is a function of the package, the directory of a release and its vocabulary, and returns arrays by name.
"""
from __future__ import absolute_import, division, print_function

import importlib
import os
import sys

import numpy as np

from bert4keras.backend import keras
from tests.helpers.releases import VOCABULARY, make_release

RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'recorded', 'keras-bert-clients.npz')
TEXTS = [u'word1 word2 word3', u'word4 zz', u'word5 word6 word7 word8 word9', u'']
LENGTH = 8


class WithoutMask(keras.layers.Layer):
    """What labelling toolkits put on top, because layers of theirs take no mask."""

    def __init__(self, **kwargs):
        super(WithoutMask, self).__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, inputs, mask=None):
        return inputs * 1.0  # the tensor itself would keep its mask on some Keras versions

    def compute_output_shape(self, input_shape):
        return input_shape


def load(package, directory, **options):
    """(the model, [token ids, segment ids] of the texts), loaded as everybody does."""
    loader, util = [importlib.import_module('%s.%s' % (package.__name__, name)) for name in ('loader', 'util')]
    paths = util.get_checkpoint_paths(directory)
    tokenizer = package.Tokenizer(loader.load_vocabulary(paths.vocab))
    rows = [tokenizer.encode(text, max_len=LENGTH) for text in TEXTS]
    model = loader.load_trained_model_from_checkpoint(paths.config, paths.checkpoint, seq_len=LENGTH, dropout_rate=0.0,
                                                      **options)
    return model, [np.array(column) for column in zip(*rows)]


def give_weights(layers):
    """Weights that do not depend on a Keras' random numbers."""
    random = np.random.RandomState(3)
    for layer in layers:
        layer.set_weights([random.normal(0, 0.3, weight.shape) for weight in layer.get_weights()])


def train(model, inputs, labels):
    """The losses of four steps of SGD, and what the model says before and afterwards."""
    before = model.predict(inputs)
    model.compile(keras.optimizers.SGD(0.002), 'sparse_categorical_crossentropy')
    losses = [float(model.train_on_batch(inputs, labels)) for _ in range(4)]
    return before, np.array(losses), model.predict(inputs)


def label_words(package, directory):
    """Named entities: two blocks joined, the mask taken off, a bidirectional LSTM, a softmax for each token."""
    bert, inputs = load(package, directory, output_layer_num=2, training=False, trainable=True)
    lstm = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True, recurrent_activation='sigmoid'))
    dense = keras.layers.Dense(3, activation='softmax')
    model = keras.models.Model(bert.inputs, dense(lstm(WithoutMask()(bert.output))))
    give_weights([lstm, dense])
    before, losses, after = train(model, inputs, (inputs[0] % 3)[..., None])
    return {'before': before, 'losses': losses, 'after': after}


def classify(package, directory):
    """A class for each text: NSP-Dense and layers by their index, their attributes, and a table that is moved."""
    bert, inputs = load(package, directory, training=True, trainable=True)
    extract = importlib.import_module(package.__name__ + '.layers.extract').Extract
    blocks = [bert.layers[7 + 8 * block - 1].output for block in range(1, 3)]
    x = keras.layers.Concatenate()([extract(index=0, name='First-%d' % number)(block)
                                    for number, block in enumerate(blocks)] + [bert.get_layer('NSP-Dense').output])
    dense = keras.layers.Dense(2, activation='softmax')
    model = keras.models.Model(bert.inputs[:2], dense(x))
    give_weights([dense])
    before, losses, after = train(model, inputs, np.array([[0], [1], [1], [0]]))
    token = model.get_layer('Embedding-Token')
    sizes = [token.input_dim, token.output_dim, model.get_layer('Encoder-2-MultiHeadSelfAttention').head_num,
             model.get_layer('Encoder-1-FeedForward').units, len(model.trainable_weights)]
    table, = token.get_weights()
    assert tuple(token.embeddings.shape) == table.shape
    token.set_weights([table + 0.1 * np.sign(table)])
    return {'before': before, 'losses': losses, 'after': after, 'sizes': np.array(sizes),
            'disturbed': model.predict(inputs)}


CLIENTS = {'label_words': label_words, 'classify': classify}


def run(package, directory):
    """{'client name': array} of all clients, on a release made in the directory."""
    make_release(directory, num_hidden_layers=2, vocab=VOCABULARY)
    return {'%s %s' % (client, name): array for client in sorted(CLIENTS)
            for name, array in CLIENTS[client](package, str(directory)).items()}


if __name__ == '__main__':
    np.savez_compressed(RECORDED, **run(importlib.import_module('keras_bert'), sys.argv[1]))
