# -*- coding: utf-8 -*-
"""BERT's, ALBERT's and RoBERTa's formulas in NumPy, float64: the documentation of the numbers, the oracle of the tests.

Nothing here is fast, and nothing is shared with the Keras model but the names of the variables.
Sources: https://arxiv.org/abs/1810.04805 and google-research/bert, modeling.py;
https://arxiv.org/abs/1909.11942 and google-research/albert, modeling.py; brightmart/albert_zh, modeling.py.

Shapes: B batch, T tokens, D hidden, E embedding, I intermediate, N heads, H head size, V vocabulary.
"""
from __future__ import absolute_import, division, print_function

import collections
import math

import numpy as np

from bert4keras.release.config import activation_name
from bert4keras.release.families import BLOCK, family_of
from bert4keras.release.heads import head_among

__all__ = ['ACTIVATIONS', 'affine', 'attention_mask', 'feed_forward', 'forward', 'gelu_erf', 'gelu_tanh', 'heads',
           'layer_norm', 'position_ids', 'self_attention', 'softmax', 'task_head']

_erf = np.vectorize(math.erf, otypes=['float64'])


def gelu_erf(x):
    """x * P(X <= x) for a standard normal X."""
    return x * (0.5 * (1.0 + _erf(x / math.sqrt(2.0)))).astype(x.dtype)


def gelu_tanh(x):
    """The tanh approximation of `gelu_erf`; they differ by up to 5e-4."""
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x ** 3)))


ACTIVATIONS = {'gelu_erf': gelu_erf, 'gelu_tanh': gelu_tanh, 'tanh': np.tanh, 'linear': lambda x: x,
               'relu': lambda x: np.maximum(x, 0.0), 'silu': lambda x: x / (1.0 + np.exp(-x))}


def affine(x, kernel, bias):
    """x [..., D] times kernel [D, E] plus bias [E]."""
    return np.matmul(x, kernel) + bias


def layer_norm(x, gamma, beta, epsilon):
    """Normalises the last axis by its mean and biased variance."""
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def softmax(x):
    """exp(x) / sum(exp(x)) over the last axis."""
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def attention_mask(token_ids, segment_ids, application='encoder', pad_token_id=0):
    """Who sees whom, boolean [B, T, T]: [b, i, j] is True when position i attends to position j."""
    batch, length = token_ids.shape
    mask = np.zeros((batch, length, length), bool)
    for b in range(batch):
        for i in range(length):
            for j in range(length):
                visible = {'encoder': True,
                           'lm': j <= i,
                           'seq2seq': segment_ids[b, j] == 0 or (segment_ids[b, i] != 0 and j <= i)}
                mask[b, i, j] = visible[application] and token_ids[b, j] != pad_token_id
    return mask


def self_attention(x, mask, block, heads):
    """Multi-head attention of x [B, T, D] under mask [B, T, T]; `block` gives variables by BERT's names."""
    batch, length, size = x.shape

    def project(name):
        y = affine(x, block('attention/self/%s/kernel' % name), block('attention/self/%s/bias' % name))
        return y.reshape(batch, length, heads, size // heads).transpose(0, 2, 1, 3)  # [B, N, T, H]

    query, key, value = project('query'), project('key'), project('value')
    scores = np.matmul(query, key.transpose(0, 1, 3, 2)) / math.sqrt(size // heads)  # [B, N, T, T]
    scores = np.where(mask[:, None], scores, np.finfo(x.dtype).min)
    context = np.matmul(softmax(scores), value).transpose(0, 2, 1, 3).reshape(batch, length, size)
    return affine(context, block('attention/output/dense/kernel'), block('attention/output/dense/bias'))


def forward(config, variables, token_ids, segment_ids=None, application='encoder', gelu=None,
            dtype='float64'):
    """Runs the model and keeps what every layer gives.

    Args:
        config: dict, see `release.config.read_config`.
        variables: mapping from Google's variable name to array, see `release.variables.open_variables`. The
            heads that it has are computed.
        token_ids: ints [B, T] in [0, V); `pad_token_id` marks padding.
        segment_ids: ints [B, T] in [0, type_vocab_size), or None for zeros.
        application: 'encoder', 'lm' or 'seq2seq'.
        gelu: 'erf', 'tanh' or None, see `release.config.activation_name`.
        dtype: 'float64', or 'float32' to learn what rounding alone does.

    Returns:
        OrderedDict from layer name, as in the Keras model, to array: 'Embedding-Norm' [B, T, E], ...
        'Encoder-N-FeedForward-Norm' [B, T, D], and of the heads 'Pooler-Dense' [B, D], 'NSP-Proba'
        [B, 2], 'MLM-Dense' and 'MLM-Norm' [B, T, D or E], 'MLM-Proba' [B, T, V], 'Classifier' [B, labels] or
        [B, T, labels], 'Span' [B, 2, T]. N counts the blocks as they are applied, also where all share the
        weights, and the layer, of the first.
    """
    def get(name):
        return np.asarray(variables[name], dtype)

    def norm(x, name, get=get):
        return layer_norm(x, get(name + '/gamma'), get(name + '/beta'), config.get('layer_norm_eps', 1e-12))

    activation = ACTIVATIONS[activation_name(config['hidden_act'], gelu)]
    token_ids = np.asarray(token_ids)
    segment_ids = np.zeros_like(token_ids) if segment_ids is None else np.asarray(segment_ids)
    table = get('bert/embeddings/word_embeddings')  # [V, E]
    if 'bert/embeddings/word_embeddings_2' in variables:  # the original albert_zh
        table = np.matmul(table, get('bert/embeddings/word_embeddings_2'))  # [V, D]
    out = collections.OrderedDict()
    out['Embedding-Token'] = get('bert/embeddings/word_embeddings')[token_ids]
    out['Embedding-Segment'] = get('bert/embeddings/token_type_embeddings')[segment_ids]
    family = family_of(config)
    positions = get('bert/embeddings/position_embeddings')[position_ids(config, token_ids)]  # [B, T, E]
    out['Embedding-Position'] = table[token_ids] + out['Embedding-Segment'] + positions
    x = out['Embedding-Norm'] = norm(out['Embedding-Position'], 'bert/embeddings/LayerNorm')
    if 'bert/encoder/embedding_hidden_mapping_in/kernel' in variables:  # ALBERT
        x = out['Embedding-Mapping'] = affine(x, get('bert/encoder/embedding_hidden_mapping_in/kernel'),
                                              get('bert/encoder/embedding_hidden_mapping_in/bias'))
    mask = attention_mask(token_ids, segment_ids, application, config.get('pad_token_id', 0))
    own_names = dict(zip(BLOCK, family.block))
    for index in range(config['num_hidden_layers']):
        def block(name):  # by the name that BERT gives it
            return get(family.google_block.format(index) + own_names[name])

        name = 'Encoder-%d-MultiHeadSelfAttention' % (index + 1)
        out[name] = self_attention(x, mask, block, config['num_attention_heads'])
        x = out[name + '-Norm'] = norm(x + out[name], 'attention/output/LayerNorm', block)
        name = 'Encoder-%d-FeedForward' % (index + 1)
        out[name] = feed_forward(x, block, activation)
        x = out[name + '-Norm'] = norm(x + out[name], 'output/LayerNorm', block)
    if family.counts_tokens and config['hidden_act'] != 'gelu':  # RoBERTa's head has the exact one whatever that is
        activation = gelu_erf
    out.update(heads(x, table, get, norm, activation, variables))
    out.update(task_head(x, out.get('Pooler-Dense'), get, head_among(config, variables)[0]))
    return out


def position_ids(config, token_ids):
    """The positions of ids [B, T]: 0, 1, ... in each row; a RoBERTa's begin after pad_token_id, and skip padding."""
    positions = np.zeros_like(token_ids) + np.arange(token_ids.shape[1])
    if not family_of(config).counts_tokens:
        return positions
    pad = config['pad_token_id']
    for row, ids in enumerate(token_ids):
        number = pad
        for column, token_id in enumerate(ids):
            number += token_id != pad
            positions[row, column] = pad if token_id == pad else number
    return positions


def feed_forward(x, block, activation):
    """Two affine maps of x [B, T, D] with the activation between them."""
    inner = activation(affine(x, block('intermediate/dense/kernel'), block('intermediate/dense/bias')))
    return affine(inner, block('output/dense/kernel'), block('output/dense/bias'))


def heads(x, table, get, norm, activation, variables):
    """The outputs, by layer name, of those heads on x [B, T, D] whose variables are there; `table` is tied."""
    out = collections.OrderedDict()
    if 'bert/pooler/dense/kernel' in variables:
        out['Pooler-Dense'] = np.tanh(affine(x[:, 0], get('bert/pooler/dense/kernel'),
                                             get('bert/pooler/dense/bias')))
        if 'cls/seq_relationship/output_weights' in variables:
            out['NSP-Proba'] = softmax(affine(out['Pooler-Dense'], get('cls/seq_relationship/output_weights').T,
                                              get('cls/seq_relationship/output_bias')))
    if 'cls/predictions/output_bias' in variables:
        out['MLM-Dense'] = activation(affine(x, get('cls/predictions/transform/dense/kernel'),
                                             get('cls/predictions/transform/dense/bias')))
        out['MLM-Norm'] = norm(out['MLM-Dense'], 'cls/predictions/transform/LayerNorm')
        out['MLM-Proba'] = softmax(affine(out['MLM-Norm'], table.T,
                                          get('cls/predictions/output_bias')))
    return out


def task_head(x, pooled, get, head):
    """{layer name: logits} of the head of a fine-tuned model, on x [B, T, D] or the pooled vector [B, D]."""
    if head == 'span':
        start, end = [np.matmul(x, row) + bias for row, bias in  # [B, T]
                      zip(get('cls/squad/output_weights'), get('cls/squad/output_bias'))]
        return {'Span': np.stack([start, end], axis=1)}
    if head is None:
        return {}
    return {'Classifier': np.einsum('...d,nd->...n', pooled if head == 'classification' else x,
                                    get('output_weights')) + get('output_bias')}
