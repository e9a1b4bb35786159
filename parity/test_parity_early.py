# -*- coding: utf-8 -*-
"""One script on bert4keras 0.11.5 and on ours: models that write, kept tokens, tokens, optimizers.

That the hidden states and heads of BERT and ALBERT are equal is in test_parity_peers.py.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import io
import os

import numpy as np
import pytest

from bert4keras.backend import keras
from parity import measure
from parity.peers import early, early_script, require
from tests.helpers.releases import random_ids

require('bert4keras')
tensorflow = pytest.importorskip('tensorflow')
IS_TF_KERAS = keras.__name__ != 'keras'
KEPT = [0, 1, 2, 3, 98, 5, 41, 42, 43, 7]
MODELS = {'language model': {'application': 'lm'}, 'unilm, kept tokens': {'application': 'unilm', 'keep_tokens': KEPT}}

TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', '##b', 'c', '中', '中国', '##中', ',', '##,', '...', '国',
          'abc', '##1', '1', '12', 'cafe', 'Abc', 'A']
LINES = [['ab 中国xq c'], ['a c', 'c, 12'], ['abc ABC Abc', 'A'], ['Café CAFÉ, a,b'], ['中国中abb1'], ['...,.'], [' '],
         ['a\tc\u3000c\xa0a\x00b\ufffdc'], ['a c c c c c c', 'a a a a'], ['c [MASK] a'], ['x' * 120, 'ab1' * 40]]
TOKENIZERS = {'lower': {'lower': True}, 'cased': {'lower': False}, 'at most 8': {'lower': True, 'maxlen': 8}}

RANDOM = np.random.RandomState(4)
START, GRADIENTS = [RANDOM.uniform(-1, 1, (rows, 3)).astype('float32') for rows in (2, 10)]
SPARSE = np.arange(30).reshape(10, 3) % 4 > 1  # which rows of the kernels have a gradient
DECAY = {'weight_decay_rate': 0.3, 'exclude_from_weight_decay': ['Norm']}
LAZY = (['lazy_optimization'], {'include_in_lazy_optimization': ['Plain']})
AVERAGES = (['exponential_moving_average'], {'ema_momentum': 0.7})
LOOKAHEAD = {'steps_per_slow_update': 3, 'slow_step_size': 0.25}
OF_ADAM = {  # with tf.keras; the Adam of Keras 2.3 is not reproducible, see training.py
    'decay, schedule': (['weight_decay', 'piecewise_linear_lr'], dict(DECAY, lr_schedule={'4': 1, '8': 0.1})),
    'LAMB': (['weight_decay', 'layer_adaptation'], dict(DECAY, exclude_from_layer_adaptation=['Norm'])),
    'accumulation': (['gradient_accumulation'], {'grad_accum_steps': 2, 'bias_correction': False}),
    'lazy': LAZY, 'averages': AVERAGES, 'lookahead': (['lookahead'], LOOKAHEAD)}
# With Keras 2.3, where 0.11.5 counts batches before or after it reads the count, as it happens: no schedule and no
# accumulation. Its extensions do not see the steps of tf.keras' SGD.
OF_SGD = {
    'decay': (['weight_decay'], dict(DECAY, momentum=0.9, nesterov=True)),
    'LAMB': (['weight_decay', 'layer_adaptation'], dict(DECAY, exclude_from_layer_adaptation=['Norm'])),
    'lazy': (LAZY[0], dict(LAZY[1], momentum=0.9)), 'averages': AVERAGES}
if not hasattr(tensorflow, 'Session'):  # TensorFlow 2: its lazy steps keep variables in a dict, which raises, and with
    del OF_SGD['lazy'], OF_SGD['averages']  # averages its SGD of Keras 2.3 takes no step
OPTIMIZERS = OF_ADAM if IS_TF_KERAS else OF_SGD


@pytest.fixture(scope='module')
def tasks(release, tmp_path_factory):
    """{name: task} of early_script.py."""
    directory, config, _ = release
    vocabulary = str(tmp_path_factory.mktemp('early') / 'vocab.txt')
    with io.open(vocabulary, 'w', encoding='utf-8') as stream:
        stream.write('\n'.join(TOKENS))
    layers = [['Transformer-%d-FeedForward-Norm' % index, 0] for index in range(config['num_hidden_layers'])]
    paths = dict(config_path=os.path.join(directory, 'bert_config.json'),
                 checkpoint_path=os.path.join(directory, 'bert_model.ckpt'))
    found = {}
    for name, arguments in MODELS.items():
        found[name] = dict(paths, do='outputs', layers=layers + [[None, 0]], batches=[batch(name)],
                           gelu='erf', dropout_rate=0.0, attention_dropout_rate=0.0, **arguments)
    for name, arguments in TOKENIZERS.items():
        found[name + ' ids'] = dict(arguments, do='ids', vocabulary=vocabulary, lines=LINES)
    for name, (extensions, settings) in OPTIMIZERS.items():
        found[name + ' steps'] = dict(settings, do='steps', base='Adam' if IS_TF_KERAS else 'SGD',
                                      extensions=extensions, start=START.tolist(), learning_rate=0.05,
                                      gradients=(GRADIENTS * (SPARSE if name == 'lazy' else 1)).tolist())
    return found


def batch(name):
    """[token ids, segment ids] of a model, lists of lists."""
    size = len(KEPT) if 'keep_tokens' in MODELS[name] else 99
    return [ids.tolist() for ids in random_ids({'vocab_size': size})]


@pytest.fixture(scope='module')
def theirs(tasks):
    """{name of a task: arrays} of bert4keras 0.11.5, all in one process."""
    return dict(zip(tasks, early.in_another_process(list(tasks.values()))))


@pytest.mark.parametrize('name', sorted(MODELS))
def test_hidden_states_and_probabilities(tasks, theirs, name):
    """Every block within 1e-5, probabilities within 1e-4 of their size, where there is a token."""
    mine, token_ids = early_script.run(tasks[name]), batch(name)[0]
    assert set(mine) == set(theirs[name]) and len(mine) == 6
    for number, (layer, _) in enumerate(tasks[name]['layers']):
        pair = [measure.real_positions(arrays['%d 0' % number], token_ids) for arrays in (mine, theirs[name])]
        allowed, distance = (1e-5, measure.difference) if layer else (measure.RELATIVE, measure.relative_difference)
        measure.check('%s, bert4keras 0.11.5: %s' % (name, layer or 'MLM-Proba'), pair[0], pair[1], allowed,
                      measured=distance(*pair))


@pytest.mark.parametrize('name', sorted(TOKENIZERS))
def test_tokens(tasks, theirs, name):
    """The same ids and segments of every line."""
    mine = early_script.run(tasks[name + ' ids'])
    assert {key: ids.tolist() for key, ids in mine.items()} == {
        key: ids.tolist() for key, ids in theirs[name + ' ids'].items()}


@pytest.mark.parametrize('name', sorted(set(OPTIMIZERS) - {'lookahead'}))
def test_ten_steps(tasks, theirs, name):
    """The weights after each of ten batches, and their averages; an accumulated update of theirs comes with the next
    window's first."""
    start = np.concatenate(START)
    mine, others = [arrays['weights'] - start for arrays in (
        early_script.run(tasks[name + ' steps']), theirs[name + ' steps'])]
    if name == 'accumulation':
        assert np.abs(mine[1:] - mine[:-1])[::2].min() > 1e-3 and np.abs(others[1]).max() == 0
        mine, others = mine[:-1], others[1:]
    assert np.isfinite(others).all() and np.abs(others).max(axis=0).min() > 0.01
    measure.check('ten steps, bert4keras 0.11.5: %s' % name, mine, others, 1e-5 * np.abs(others).max())


if IS_TF_KERAS:  # with Keras 2.3 0.11.5 counts batches as it happens
    def test_lookahead_of_theirs_begins_at_zero(tasks, theirs):
        """Ours is at the weights and looks back after three batches; theirs is at 0 and goes there with the first one,
        so that a quarter of the weights is left."""
        plain = dict(tasks['lookahead steps'], extensions=[], gradients=GRADIENTS[:2].tolist())
        for name in LOOKAHEAD:
            del plain[name]
        first, second = early_script.run(plain)['weights']
        mine, others = [arrays['weights'] for arrays in (
            early_script.run(tasks['lookahead steps']), theirs['lookahead steps'])]
        measure.check('lookahead: ours before it looks', mine[:2], np.array([first, second]), 1e-6)
        # TensorFlow 1 reads the weights before Adam's step, TensorFlow 2 after it
        nearest = min((np.concatenate(START), first), key=lambda weights: np.abs(others[0] - 0.25 * weights).max())
        measure.check('lookahead, bert4keras 0.11.5: its first batch', others[0], 0.25 * nearest, 1e-6)
