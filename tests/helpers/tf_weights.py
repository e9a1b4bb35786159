# -*- coding: utf-8 -*-
"""Writes tf_model.h5 as the TensorFlow models of transformers do: the same groups, names, shapes and orientation.

Checked against the files of transformers 4.40 for each of the models in LAYERS: names, shapes and tied weights.
"""
from __future__ import absolute_import, division, print_function

import h5py

# Google's name without "bert/", and what stands before it and in its place; the first that fits a name holds.
_BERT = [('encoder/layer_', 'encoder/layer_._'), ('', '')]
_ALBERT_BLOCK = 'encoder/albert_layer_groups_._0/albert_layers_._0/'
_ALBERT = [('encoder/transformer/group_0/inner_group_0/' + google, _ALBERT_BLOCK + own) for google, own in [
    ('attention_1/self/', 'attention/'), ('attention_1/output/', 'attention/'),
    ('LayerNorm_1/', 'full_layer_layer_norm/'), ('LayerNorm/', 'attention/LayerNorm/'),
    ('ffn_1/intermediate/output/dense/', 'ffn_output/'), ('ffn_1/intermediate/dense/', 'ffn/')]] + [('pooler/dense/', 'pooler/'), ('', '')]
_TABLES = {'embeddings/word_embeddings': 'embeddings/word_embeddings/weight',
           'embeddings/token_type_embeddings': 'embeddings/token_type_embeddings/embeddings',
           'embeddings/position_embeddings': 'embeddings/position_embeddings/embeddings'}
# Google's name of a head's variable: the layer it is stored with, its name there; of a BERT, of an ALBERT
_HEADS = {
    'bert': [('cls/predictions/output_bias', 'mlm___cls', 'mlm___cls/predictions/bias'),
             ('cls/predictions/', 'mlm___cls', 'mlm___cls/predictions/'),
             ('cls/seq_relationship/output_', 'nsp___cls', 'nsp___cls/seq_relationship/')],
    'albert': [('cls/predictions/output_bias', 'predictions', 'predictions/decoder/bias'),
               ('cls/predictions/transform/', 'predictions', 'predictions/'),
               ('cls/seq_relationship/output_', 'sop_classifier', 'sop_classifier/classifier/')]}
_TASKS = [('output_', 'classifier', 'classifier/'), ('cls/squad/output_', 'qa_outputs', 'qa_outputs/')]


def _place(google, model):
    """(layer, name in it) of the variable of Google's name."""
    for begin, layer, own in _HEADS[model] + _TASKS:
        if google.startswith(begin):
            rest = google[len(begin):].replace('weights', 'kernel')
            return layer, own + ('' if own.endswith('bias') else rest)
    name = google[len('bert/'):]
    begin, own = next(pair for pair in (_ALBERT if model == 'albert' else _BERT) if name.startswith(pair[0]))
    name = own + name[len(begin):]
    return model, '%s/%s' % (model, _TABLES.get(name, name))


def save_tf_weights(path, variables, name):
    """Writes variables, {Google's name: array}, as the model that transformers calls `name`, such as tf_bert_model."""
    model = 'albert' if name.startswith('tf_albert') else 'bert'
    layers = {}
    for google, array in variables.items():
        layer, own = _place(google, model)
        turned = array.T if google.endswith('output_weights') else array
        layers.setdefault(layer, []).append(('%s/%s:0' % (name, own), turned))
    tied = layers.get('mlm___cls' if model == 'bert' else 'predictions')
    if tied is not None:  # it stores the embeddings again
        tied += [(own, array) for own, array in layers[model] if '/embeddings/' in own]
        if model == 'albert':  # and has a bias that nothing reads
            tied.append(('%s/predictions/bias:0' % name, 0 * variables['cls/predictions/output_bias'] + 7))
    with h5py.File(str(path), 'w') as file:
        file.attrs['layer_names'] = [layer.encode('utf-8') for layer in sorted(layers)]
        file.attrs['backend'], file.attrs['keras_version'] = b'tensorflow', b'2.15.0'
        for layer, weights in layers.items():
            group = file.create_group(layer)
            group.attrs['weight_names'] = [own.encode('utf-8') for own, _ in weights]
            for own, array in weights:
                group[own] = array
