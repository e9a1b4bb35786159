# -*- coding: utf-8 -*-
"""Releases made at test time: a config, random weights in Google's layout, odd ids.

Every size is odd and differs from every other, so that a swapped axis cannot pass. Weights are large
enough that activations are of order 1 and the two GELUs differ far beyond any tolerance.
"""
from __future__ import absolute_import, division, print_function

import collections
import io
import json
import os

import numpy as np

from bert4keras.checkpoint import save_checkpoint
from bert4keras.families import BLOCK

CONFIG = {'vocab_size': 99, 'hidden_size': 32, 'num_hidden_layers': 5, 'num_attention_heads': 4,
          'intermediate_size': 37, 'max_position_embeddings': 17, 'type_vocab_size': 2, 'hidden_act': 'gelu',
          'hidden_dropout_prob': 0.1, 'attention_probs_dropout_prob': 0.1, 'initializer_range': 0.02}
BATCH, LENGTH = 13, 7


def shapes(config):
    """OrderedDict {Google's name: shape} of every variable of a BERT with all heads."""
    hidden, inner = config['hidden_size'], config['intermediate_size']
    kernels = {'intermediate/dense/kernel': (hidden, inner), 'intermediate/dense/bias': (inner,),
               'output/dense/kernel': (inner, hidden)}
    result = collections.OrderedDict([
        ('bert/embeddings/word_embeddings', (config['vocab_size'], hidden)),
        ('bert/embeddings/token_type_embeddings', (config['type_vocab_size'], hidden)),
        ('bert/embeddings/position_embeddings', (config['max_position_embeddings'], hidden)),
        ('bert/embeddings/LayerNorm/gamma', (hidden,)), ('bert/embeddings/LayerNorm/beta', (hidden,)),
    ])
    for layer in range(config['num_hidden_layers']):
        for part in BLOCK:
            default = (hidden, hidden) if part.endswith('kernel') else (hidden,)
            result['bert/encoder/layer_%d/%s' % (layer, part)] = kernels.get(part, default)
    result.update([
        ('bert/pooler/dense/kernel', (hidden, hidden)), ('bert/pooler/dense/bias', (hidden,)),
        ('cls/predictions/transform/dense/kernel', (hidden, hidden)),
        ('cls/predictions/transform/dense/bias', (hidden,)),
        ('cls/predictions/transform/LayerNorm/gamma', (hidden,)),
        ('cls/predictions/transform/LayerNorm/beta', (hidden,)),
        ('cls/predictions/output_bias', (config['vocab_size'],)),
        ('cls/seq_relationship/output_weights', (2, hidden)), ('cls/seq_relationship/output_bias', (2,)),
    ])
    return result


def random_variables(config, seed=0):
    """OrderedDict {Google's name: float32 array} of every variable of a BERT with all heads."""
    random = np.random.RandomState(seed)
    variables = collections.OrderedDict()
    for name, shape in shapes(config).items():
        scale = 1.5 / np.sqrt(config['hidden_size']) if len(shape) == 2 else 0.3
        value = random.standard_normal(shape) * scale + (1.0 if name.endswith('gamma') else 0.0)
        variables[name] = value.astype('float32')
    return variables


def random_ids(config, batch=BATCH, length=LENGTH, seed=1):
    """(token ids, segment ids), int32 [batch, length]: every length from 1 on, two segments, padding."""
    random = np.random.RandomState(seed)
    token_ids = random.randint(1, config['vocab_size'], (batch, length)).astype('int32')
    segment_ids = np.zeros_like(token_ids)
    for row in range(batch):
        real = 1 + row % length
        token_ids[row, real:] = 0
        segment_ids[row, random.randint(0, real + 1):real] = 1
    return token_ids, segment_ids


def make_release(directory, seed=0, vocab=None, **changes):
    """Writes config, checkpoint (and vocabulary) in Google's layout; returns (config, variables)."""
    config = dict(CONFIG, **changes)
    variables = random_variables(config, seed)
    directory = str(directory)
    with io.open(os.path.join(directory, 'bert_config.json'), 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps(config))
    save_checkpoint(os.path.join(directory, 'bert_model.ckpt'), variables)
    if vocab is not None:
        with io.open(os.path.join(directory, 'vocab.txt'), 'w', encoding='utf-8') as stream:
            stream.write(u'\n'.join(vocab) + u'\n')
    return config, variables
