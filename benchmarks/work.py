# -*- coding: utf-8 -*-
"""What is measured: sizes of models, shapes of batches, and the floating point operations in them.

Shapes: B texts of T tokens, L blocks of D hidden units, F of the feed-forward, V tokens in the vocabulary.
"""
from __future__ import absolute_import, division, print_function

import collections

import numpy as np

__all__ = ['DOES', 'FRESH', 'KEPT', 'SHAPES', 'SIZES', 'TASKS', 'WITH_TEXTS', 'batch', 'config_of',
           'forward_operations', 'operations', 'parse_shape', 'peak_of', 'products', 'weight_bytes']

TASKS = collections.OrderedDict([
    ('forward', 'the hidden states of a batch'),
    ('train', 'a step of Adam of a classifier of two classes on the pooled vector'),
    ('pretrain', 'a step of Adam of the masked language model, with 15% of the tokens masked'),
    ('load', 'a checkpoint on disk into a model, of which each weight is then read once'),
    ('embed', 'paragraphs into vectors by all-MiniLM-L6-v2, tokenizing and compiling included'),
    ('tokenize', 'lines of text into token ids, and worst cases'),
    ('corpus', 'text into rows to pretrain on, of 128 tokens'),
    ('memory', 'how time and memory of `forward` grow with texts and tokens'),
    ('first-step', 'a process until its first step of `train`: imports, model, step'),
])
# what the function of a contender does; those with texts, and those of which each time wants a new process
DOES = {'memory': 'forward', 'first-step': 'train'}
KEPT = ', memory kept'  # what results of --keep-memory add to the name of the machine
WITH_TEXTS, FRESH = ('embed', 'tokenize', 'corpus'), ('embed', 'first-step')
# blocks and hidden units of google-research/bert's releases
SIZES = collections.OrderedDict([('tiny', (2, 128)), ('mini', (4, 256)), ('base', (12, 768)), ('large', (24, 1024))])
GROWTH = ('8x64', '8x128', '8x256', '8x512', '1x128', '4x128', '16x128', '64x128')
SHAPES = {'cpu': {'forward': ('8x128', '32x128', '4x512', '8x512', '1x128', '1x32'), 'train': ('8x128',),
                  'pretrain': ('8x128',), 'memory': GROWTH, 'first-step': ('8x128',)},
          'gpu': {'forward': ('64x128', '32x512', '8x512'), 'train': ('64x128', '16x512'),
                  'pretrain': ('64x128', '16x512'), 'memory': GROWTH, 'first-step': ('64x128',)}}
# operations a second of bfloat16 products, without sparsity, by NVIDIA's data sheets; the first name that fits
PEAKS = (('H100 PCIe', 756e12), ('H100 NVL', 835e12), ('H100', 989.4e12), ('H200', 989.4e12), ('A100', 312e12))


def config_of(size):
    """The config of a BERT of a size, with GELU by tanh, which every peer has, and without dropout."""
    blocks, hidden = SIZES[size]
    return {'vocab_size': 30522, 'hidden_size': hidden, 'num_hidden_layers': blocks,
            'num_attention_heads': hidden // 64, 'intermediate_size': 4 * hidden, 'max_position_embeddings': 512,
            'type_vocab_size': 2, 'hidden_act': 'gelu_new', 'hidden_dropout_prob': 0.0,
            'attention_probs_dropout_prob': 0.0, 'initializer_range': 0.02}


def peak_of(hardware):
    """What the GPU that a line names can do, operations a second in bfloat16; None if it is not known here."""
    return next((peak for name, peak in PEAKS if name in hardware), None)


def parse_shape(text):
    """(B, T) of "BxT"; ValueError for anything else."""
    try:
        size, length = [int(number) for number in text.split('x')]
    except ValueError:
        raise ValueError('%r is no shape such as 8x128: texts in a batch, tokens of each' % text)
    if not (size >= 1 and 1 <= length <= 512):
        raise ValueError('%s is out of range: at least 1 text, 1 to 512 tokens' % text)
    return size, length


def batch(shape, padded=False, seed=0):
    """Token ids and segment ids, int32 [B, T]; if `padded`, rows of B lengths from half of T to T, else no padding."""
    random = np.random.RandomState(seed)
    token_ids = random.randint(1000, 30000, shape).astype('int32')
    segment_ids = np.zeros(shape, 'int32')
    if padded:
        lengths = np.linspace(shape[1] - shape[1] // 2, shape[1], shape[0]).astype(int)
        token_ids[np.arange(shape[1]) >= lengths[:, None]] = 0
    return token_ids, segment_ids


def products(config, shape):
    """[(how often in a block, rows, inner, columns), ...] of the products with weights, the limit of an engine."""
    rows, hidden, inner = shape[0] * shape[1], config['hidden_size'], config['intermediate_size']
    return [(4, rows, hidden, hidden), (1, rows, hidden, inner), (1, rows, inner, hidden)]


def forward_operations(config, shape):
    """The floating point operations of the products of a forward pass: with weights, and of attention, 4 B T T D."""
    with_weights = sum(2 * times * rows * inner * columns for times, rows, inner, columns in products(config, shape))
    return config['num_hidden_layers'] * (with_weights + 4 * shape[0] * shape[1] ** 2 * config['hidden_size'])


def operations(task, config, shape):
    """Those of a task, or None where that says nothing; backward is twice as much as forward."""
    times = {'forward': 1, 'memory': 1, 'train': 3}.get(task)
    return times and times * forward_operations(config, shape)


def weight_bytes(config):
    """The bytes of the weights in float32."""
    hidden, blocks = config['hidden_size'], config['num_hidden_layers']
    block = 4 * hidden * hidden + 2 * hidden * config['intermediate_size']
    return 4 * (blocks * block + (config['vocab_size'] + config['max_position_embeddings']) * hidden)
