# -*- coding: utf-8 -*-
"""The peer KerasHub (https://pypi.org/project/keras-hub/), on Keras 3: its BertBackbone, tanh GELU.

It holds heads as an axis of their own, [D, N, H], and has no head but the pooler.
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from parity.questions import HEADS, collect

GELUS = ('tanh',)
FAMILIES = ('bert',)
LAYOUTS = ('tensorflow',)
TRAINS = False
EXACT = False
# its sublayer of a block -> Google's names of its weights, behind bert/encoder/layer_N/
BLOCK = (
    ('_self_attention_layer._query_dense', 'attention/self/query/kernel', 'attention/self/query/bias'),
    ('_self_attention_layer._key_dense', 'attention/self/key/kernel', 'attention/self/key/bias'),
    ('_self_attention_layer._value_dense', 'attention/self/value/kernel', 'attention/self/value/bias'),
    ('_self_attention_layer._output_dense', 'attention/output/dense/kernel', 'attention/output/dense/bias'),
    ('_self_attention_layer_norm', 'attention/output/LayerNorm/gamma', 'attention/output/LayerNorm/beta'),
    ('_feedforward_intermediate_dense', 'intermediate/dense/kernel', 'intermediate/dense/bias'),
    ('_feedforward_output_dense', 'output/dense/kernel', 'output/dense/bias'),
    ('_feedforward_layer_norm', 'output/LayerNorm/gamma', 'output/LayerNorm/beta'),
)
EMBEDDINGS = (
    ('token_embedding', 'bert/embeddings/word_embeddings'),
    ('segment_embedding', 'bert/embeddings/token_type_embeddings'),
    ('position_embedding', 'bert/embeddings/position_embeddings'),
    ('embeddings_layer_norm', 'bert/embeddings/LayerNorm/gamma', 'bert/embeddings/LayerNorm/beta'),
    ('pooled_dense', 'bert/pooler/dense/kernel', 'bert/pooler/dense/bias'),
)


def layers(question):
    """What it has of a question's layers: no head but the pooler."""
    return [name for name in question.layers() if name not in tuple(HEADS)[1:]]


def answers(asked):
    """One answer for each question; see questions.py."""
    return [answer(question) for question in asked]


def answer(question):
    """One answer."""
    import keras
    import keras_hub

    config, named = question.config, layers(question)
    model = keras_hub.models.BertBackbone(
        vocabulary_size=config['vocab_size'], num_layers=config['num_hidden_layers'],
        num_heads=config['num_attention_heads'], hidden_dim=config['hidden_size'],
        intermediate_dim=config['intermediate_size'], dropout=0.0,
        max_sequence_length=config['max_position_embeddings'], num_segments=config['type_vocab_size'])
    load(model, question.variables(), config['num_hidden_layers'])
    names = ['embeddings_layer_norm'] + ['transformer_layer_%d' % index
                                         for index in range(config['num_hidden_layers'])]
    outputs = [model.get_layer(name).output for name in names]
    outputs += [model.output['pooled_output']] if 'Pooler-Dense' in named else []
    inner = keras.Model(model.input, outputs)

    def run(batch):
        token_ids, segment_ids = batch
        return [np.asarray(array) for array in inner.predict_on_batch(
            {'token_ids': token_ids, 'segment_ids': segment_ids, 'padding_mask': (token_ids != 0).astype('int32')})]
    return collect(named, question, run)


def load(model, variables, num_hidden_layers):
    """Sets every weight of its model; an array only changes its shape where heads are an axis."""
    for entry in EMBEDDINGS:
        if entry[1] in variables:
            set_weights(model.get_layer(entry[0]), [variables[name] for name in entry[1:]])
    for index in range(num_hidden_layers):
        for entry in BLOCK:
            layer = model.get_layer('transformer_layer_%d' % index)
            for attribute in entry[0].split('.'):
                layer = getattr(layer, attribute)
            set_weights(layer, [variables['bert/encoder/layer_%d/%s' % (index, name)] for name in entry[1:]])


def set_weights(layer, arrays):
    """Sets a layer's weights to arrays of the same sizes, reshaped to the layer's shapes."""
    layer.set_weights([np.reshape(array, weight.shape) for array, weight in zip(arrays, layer.weights)])
