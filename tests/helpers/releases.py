# -*- coding: utf-8 -*-
"""Releases made at test time, of every family: a config, random weights, odd ids.

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
from bert4keras.families import BLOCK, to_layout

CONFIG = {'vocab_size': 99, 'hidden_size': 32, 'num_hidden_layers': 5, 'num_attention_heads': 4,
          'intermediate_size': 37, 'max_position_embeddings': 17, 'type_vocab_size': 2, 'hidden_act': 'gelu',
          'hidden_dropout_prob': 0.1, 'attention_probs_dropout_prob': 0.1, 'initializer_range': 0.02}
# As their releases state them: ALBERT by its groups, the original albert_zh by its two sizes alone.
ALBERT_CONFIG = dict(CONFIG, embedding_size=24, num_hidden_layers=3, num_hidden_groups=1, inner_group_num=1,
                     net_structure_type=0, gap_size=0, num_memory_blocks=0, down_scale_factor=1)
ALBERT_ZH_CONFIG = dict(CONFIG, embedding_size=24, num_hidden_layers=3, ln_type='postln')
ROBERTA_CONFIG = dict(CONFIG, model_type='roberta', num_hidden_layers=2, type_vocab_size=1, pad_token_id=2,
                      layer_norm_eps=1e-5)
BATCH, LENGTH = 13, 7
VOCABULARY = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
VOCABULARY += ['word%d' % number for number in range(CONFIG['vocab_size'] - len(VOCABULARY))]

# Every variable of Google's ALBERT and of the original albert_zh, written out: E embedding, D hidden,
# I intermediate, V vocabulary, S segments, P positions.
_GROUP = 'bert/encoder/transformer/group_0/inner_group_0/'
_SHARED = 'bert/encoder/layer_shared/'
ALBERT_SHAPES = [
    ('bert/embeddings/word_embeddings', 'VE'), ('bert/embeddings/token_type_embeddings', 'SE'),
    ('bert/embeddings/position_embeddings', 'PE'),
    ('bert/embeddings/LayerNorm/gamma', 'E'), ('bert/embeddings/LayerNorm/beta', 'E'),
    ('bert/encoder/embedding_hidden_mapping_in/kernel', 'ED'), ('bert/encoder/embedding_hidden_mapping_in/bias', 'D'),
    (_GROUP + 'attention_1/self/query/kernel', 'DD'), (_GROUP + 'attention_1/self/query/bias', 'D'),
    (_GROUP + 'attention_1/self/key/kernel', 'DD'), (_GROUP + 'attention_1/self/key/bias', 'D'),
    (_GROUP + 'attention_1/self/value/kernel', 'DD'), (_GROUP + 'attention_1/self/value/bias', 'D'),
    (_GROUP + 'attention_1/output/dense/kernel', 'DD'), (_GROUP + 'attention_1/output/dense/bias', 'D'),
    (_GROUP + 'LayerNorm/gamma', 'D'), (_GROUP + 'LayerNorm/beta', 'D'),
    (_GROUP + 'ffn_1/intermediate/dense/kernel', 'DI'), (_GROUP + 'ffn_1/intermediate/dense/bias', 'I'),
    (_GROUP + 'ffn_1/intermediate/output/dense/kernel', 'ID'), (_GROUP + 'ffn_1/intermediate/output/dense/bias', 'D'),
    (_GROUP + 'LayerNorm_1/gamma', 'D'), (_GROUP + 'LayerNorm_1/beta', 'D'),
    ('bert/pooler/dense/kernel', 'DD'), ('bert/pooler/dense/bias', 'D'),
    ('cls/predictions/transform/dense/kernel', 'DE'), ('cls/predictions/transform/dense/bias', 'E'),
    ('cls/predictions/transform/LayerNorm/gamma', 'E'), ('cls/predictions/transform/LayerNorm/beta', 'E'),
    ('cls/predictions/output_bias', 'V'),
    ('cls/seq_relationship/output_weights', '2D'), ('cls/seq_relationship/output_bias', '2'),
]
ALBERT_ZH_SHAPES = [
    ('bert/embeddings/word_embeddings', 'VE'), ('bert/embeddings/word_embeddings_2', 'ED'),
    ('bert/embeddings/token_type_embeddings', 'SD'), ('bert/embeddings/position_embeddings', 'PD'),
    ('bert/embeddings/LayerNorm/gamma', 'D'), ('bert/embeddings/LayerNorm/beta', 'D'),
    (_SHARED + 'attention/self/query/kernel', 'DD'), (_SHARED + 'attention/self/query/bias', 'D'),
    (_SHARED + 'attention/self/key/kernel', 'DD'), (_SHARED + 'attention/self/key/bias', 'D'),
    (_SHARED + 'attention/self/value/kernel', 'DD'), (_SHARED + 'attention/self/value/bias', 'D'),
    (_SHARED + 'attention/output/dense/kernel', 'DD'), (_SHARED + 'attention/output/dense/bias', 'D'),
    (_SHARED + 'attention/output/LayerNorm/gamma', 'D'), (_SHARED + 'attention/output/LayerNorm/beta', 'D'),
    (_SHARED + 'intermediate/dense/kernel', 'DI'), (_SHARED + 'intermediate/dense/bias', 'I'),
    (_SHARED + 'output/dense/kernel', 'ID'), (_SHARED + 'output/dense/bias', 'D'),
    (_SHARED + 'output/LayerNorm/gamma', 'D'), (_SHARED + 'output/LayerNorm/beta', 'D'),
    ('bert/pooler/dense/kernel', 'DD'), ('bert/pooler/dense/bias', 'D'),
    ('cls/predictions/transform/dense/kernel', 'DD'), ('cls/predictions/transform/dense/bias', 'D'),
    ('cls/predictions/transform/LayerNorm/gamma', 'D'), ('cls/predictions/transform/LayerNorm/beta', 'D'),
    ('cls/predictions/output_bias', 'V'),
    ('cls/seq_relationship/output_weights', '2D'), ('cls/seq_relationship/output_bias', '2'),
]


def shapes(config):
    """OrderedDict {Google's name: shape} of every variable of the config's family, with all heads."""
    if config.get('embedding_size', config['hidden_size']) != config['hidden_size']:
        sizes = {'E': config['embedding_size'], 'D': config['hidden_size'], 'I': config['intermediate_size'], '2': 2,
                 'V': config['vocab_size'], 'S': config['type_vocab_size'], 'P': config['max_position_embeddings']}
        rows = ALBERT_SHAPES if 'num_hidden_groups' in config else ALBERT_ZH_SHAPES
        return collections.OrderedDict((name, tuple(sizes[axis] for axis in axes)) for name, axes in rows)
    hidden, inner = config['hidden_size'], config['intermediate_size']
    stem = 'roberta' if is_roberta(config) else 'bert'
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
            result['%s/encoder/layer_%d/%s' % (stem, layer, part)] = kernels.get(part, default)
    result.update([
        ('bert/pooler/dense/kernel', (hidden, hidden)), ('bert/pooler/dense/bias', (hidden,)),
        ('cls/predictions/transform/dense/kernel', (hidden, hidden)),
        ('cls/predictions/transform/dense/bias', (hidden,)),
        ('cls/predictions/transform/LayerNorm/gamma', (hidden,)),
        ('cls/predictions/transform/LayerNorm/beta', (hidden,)),
        ('cls/predictions/output_bias', (config['vocab_size'],)),
    ])
    if stem == 'bert':
        result.update([('cls/seq_relationship/output_weights', (2, hidden)),
                       ('cls/seq_relationship/output_bias', (2,))])
    return result


def is_roberta(config):
    """Whether a config is of a RoBERTa or an XLM-R."""
    return 'roberta' in config.get('model_type', '')


def random_variables(config, seed=0):
    """OrderedDict {Google's name: float32 array} of every variable of the config's family, with all heads."""
    random = np.random.RandomState(seed)
    variables = collections.OrderedDict()
    for name, shape in shapes(config).items():
        scale = 1.5 / np.sqrt(config['hidden_size']) if len(shape) == 2 else 0.3
        value = random.standard_normal(shape) * scale + (1.0 if name.endswith('gamma') else 0.0)
        variables[name] = value.astype('float32')
    return variables


def random_ids(config, batch=BATCH, length=LENGTH, seed=1):
    """(token ids, segment ids), int32 [batch, length]: every length from 1 on, two segments, padding.

    A RoBERTa has one segment and its own id of padding, of which one stands inside a text.
    """
    random = np.random.RandomState(seed)
    token_ids = random.randint(1, config['vocab_size'], (batch, length)).astype('int32')
    segment_ids = np.zeros_like(token_ids)
    for row in range(batch):
        real = 1 + row % length
        token_ids[row, real:] = 0
        segment_ids[row, random.randint(0, real + 1):real] = 1
    if is_roberta(config):
        is_pad, pad = token_ids == 0, config['pad_token_id']
        token_ids[token_ids == pad] = 0
        token_ids[is_pad] = pad
        token_ids[length - 1:, 1:2] = pad
        segment_ids[:] = 0
    return token_ids, segment_ids


def make_release(directory, seed=0, vocab=None, config=CONFIG, layout='tensorflow', **changes):
    """Writes config, checkpoint (and vocabulary) of the config's family; returns (config, variables)."""
    config = dict(config, **changes)
    variables = random_variables(config, seed)
    directory, albert = str(directory), 'embedding_size' in config
    with io.open(os.path.join(directory, 'albert_config.json' if albert else 'bert_config.json'), 'w',
                 encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps(config))
    name = 'model.safetensors' if layout == 'hugging-face' else 'albert_model.ckpt' if albert else 'bert_model.ckpt'
    save_checkpoint(os.path.join(directory, name), to_layout(variables, layout, config))
    if vocab is not None:
        with io.open(os.path.join(directory, 'vocab.txt'), 'w', encoding='utf-8') as stream:
            stream.write(u'\n'.join(vocab) + u'\n')
    return config, variables


# Google's and Hugging Face's names of a head's kernel [N, D] and its bias [N], and how transformers calls the model.
HEADS = {'classification': ('output_', 'classifier.', 'ForSequenceClassification'),
         'tokens': ('output_', 'classifier.', 'ForTokenClassification'),
         'span': ('cls/squad/output_', 'qa_outputs.', 'ForQuestionAnswering')}


def make_fine_tuned(directory, head, num_labels=2, config=CONFIG, layout='tensorflow', names=None, **changes):
    """Writes a release with a head and without what it does not need, `names` in the config; (config, variables)."""
    google, own, architecture = HEADS[head]
    family = 'XLMRoberta' if is_roberta(config) else 'Albert' if 'embedding_size' in config else 'Bert'
    config = dict(config, architectures=[family + architecture], **changes)
    if names is not None:
        config['id2label'] = {str(index): name for index, name in enumerate(names)}
    variables = collections.OrderedDict(
        (name, value) for name, value in random_variables(config).items()
        if not name.startswith('cls/') and (head == 'classification' or 'pooler' not in name))
    written = collections.OrderedDict(to_layout(variables, layout, config))
    random = np.random.RandomState(7)
    for ending, pytorch, shape in (('weights', 'weight', (num_labels, config['hidden_size'])),
                                   ('bias', 'bias', (num_labels,))):
        value = (random.standard_normal(shape) * 1.5 / np.sqrt(config['hidden_size'])).astype('float32')
        variables[google + ending] = value
        written[own + pytorch if layout == 'hugging-face' else google + ending] = value
    directory = str(directory)
    with io.open(os.path.join(directory, 'config.json'), 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps(config))
    save_checkpoint(os.path.join(directory, 'model.safetensors' if layout == 'hugging-face' else 'model.ckpt'), written)
    return config, variables
