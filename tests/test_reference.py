# -*- coding: utf-8 -*-
"""Tests of bert4keras.reference: the oracle itself, against values worked out by hand or elsewhere."""
from __future__ import absolute_import, division, print_function

import numpy as np
import pytest

from bert4keras import reference
from bert4keras.release.config import read_config
from bert4keras.release.directory import find_release
from bert4keras.release.variables import open_variables
from tests.helpers.releases import CONFIG, random_ids, random_variables

pytestmark = pytest.mark.engine_free


def test_gelu_at_known_points():
    """x * P(X <= x): the normal distribution's tabulated values, and the tanh formula's distance."""
    x = np.array([-1.0, 0.0, 1.0, 1.96])
    np.testing.assert_allclose(reference.gelu_erf(x), x * np.array([0.15865525, 0.5, 0.84134475, 0.97500210]),
                               rtol=1e-7)
    x = np.linspace(-5, 5, 1001)
    assert 4e-4 < np.abs(reference.gelu_erf(x) - reference.gelu_tanh(x)).max() < 5e-4


def test_layer_norm_of_three_numbers():
    """Mean 2, biased variance 2/3."""
    ours = reference.layer_norm(np.array([1.0, 2.0, 3.0]), np.ones(3), np.zeros(3), 0.0)
    np.testing.assert_allclose(ours, [-np.sqrt(1.5), 0, np.sqrt(1.5)], rtol=1e-12)


def test_masks_by_hand():
    """The three masks of one short row, written out: rows look, columns are seen."""
    token_ids, segment_ids = np.array([[5, 6, 7, 8, 0]]), np.array([[0, 0, 1, 1, 0]])
    expected = {
        'encoder': ['11110', '11110', '11110', '11110', '11110'],
        'lm': ['10000', '11000', '11100', '11110', '11110'],
        'seq2seq': ['11000', '11000', '11100', '11110', '11000'],
    }
    for application, rows in expected.items():
        ours = reference.attention_mask(token_ids, segment_ids, application)[0]
        assert [''.join(str(int(seen)) for seen in row) for row in ours] == rows, application


def test_attention_of_one_visible_key_is_its_value():
    """Where a position sees one key only, what comes out is that key's value, projected."""
    random = np.random.RandomState(0)
    weights = {}

    def block(name):
        return weights.setdefault(name, random.standard_normal((6, 6) if name.endswith('kernel') else (6,)))

    x, mask = random.standard_normal((1, 3, 6)), np.zeros((1, 3, 3), bool)
    mask[0, :, 1] = True
    ours = reference.self_attention(x, mask, block, heads=2)
    value = x[0, 1].dot(block('attention/self/value/kernel')) + block('attention/self/value/bias')
    expected = value.dot(block('attention/output/dense/kernel')) + block('attention/output/dense/bias')
    np.testing.assert_allclose(ours[0], np.tile(expected, (3, 1)), rtol=1e-12)


@pytest.mark.parametrize('missing, outputs', [
    ('cls/seq_relationship/', {'Pooler-Dense', 'MLM-Dense', 'MLM-Norm', 'MLM-Proba'}),
    ('cls/', {'Pooler-Dense'}), ('bert/pooler/', {'MLM-Dense', 'MLM-Norm', 'MLM-Proba'}),
])
def test_only_the_heads_that_are_there(missing, outputs):
    """A head without variables has no output; the others do not change."""
    ids = random_ids(CONFIG)
    variables = random_variables(CONFIG)
    everything = reference.forward(CONFIG, variables, *ids)
    some = {name: value for name, value in variables.items() if not name.startswith(missing)}
    ours = reference.forward(CONFIG, some, *ids)
    assert {name for name in ours if not name.startswith('E')} == outputs
    for name in ours:
        np.testing.assert_array_equal(ours[name], everything[name])


def test_float32_is_float32_throughout():
    """The run that measures the floor never computes in float64, or the floor would be too low."""
    ours = reference.forward(CONFIG, random_variables(CONFIG), *random_ids(CONFIG), dtype='float32')
    assert {array.dtype for array in ours.values()} == {np.dtype('float32')}


@pytest.mark.parametrize('name, expected', [
    ('gelu_erf', [-0.04550026389635842, 0.8413447460685429]), ('gelu_tanh', [-0.04540230591222494, 0.8411919906082768]),
    ('silu', [-0.2384058440442351, 0.7310585786300049]), ('relu', [0.0, 1.0]),
    ('tanh', [-0.9640275800758169, 0.7615941559557649])])
def test_activations_are_numbers_that_are_known(name, expected):
    """At -2 and 1, in figures: the layers may have the same mistake as the reference."""
    np.testing.assert_allclose(reference.ACTIVATIONS[name](np.array([-2.0, 1.0])), expected, rtol=1e-10, atol=0)


def test_epsilon_is_added_inside_the_root():
    """Of 1, 2, 3 the variance is 2/3; with an epsilon of 1/3 the root is 1, and the result a round number."""
    ours = reference.layer_norm(np.array([1.0, 2.0, 3.0]), np.ones(3), np.zeros(3), 1.0 / 3.0)
    np.testing.assert_allclose(ours, [-1, 0, 1], rtol=1e-12)


def test_epsilon_of_a_config_that_says_none():
    """Google's 1e-12: embeddings as small as 1e-5 come out as 1 / sqrt(1.01), not smaller."""
    variables = {name: np.zeros_like(value) for name, value in random_variables(CONFIG).items()}
    variables['bert/embeddings/LayerNorm/gamma'] += 1
    variables['bert/embeddings/word_embeddings'][7] = [1e-5, -1e-5] * 16
    ours = reference.forward(CONFIG, variables, [[7]])['Embedding-Norm'][0, 0]
    np.testing.assert_allclose(ours, [0.9950371902099893, -0.9950371902099893] * 16, rtol=1e-6)


def test_each_norm_of_a_block_has_its_own_scale_and_shift():
    """With scales of zero a norm gives its shift, whatever it is given."""
    variables = {name: np.zeros_like(value) for name, value in random_variables(CONFIG).items()}
    variables['bert/encoder/layer_1/attention/output/LayerNorm/beta'] += 5
    variables['bert/encoder/layer_1/output/LayerNorm/beta'] += 7
    ours = reference.forward(CONFIG, variables, [[1, 2]])
    assert (ours['Encoder-2-MultiHeadSelfAttention-Norm'] == 5).all()
    assert (ours['Encoder-2-FeedForward-Norm'] == 7).all()


def test_padding_on_the_left_is_seen_by_nobody():
    """Also where every token sees what is left of it."""
    token_ids, segment_ids = np.array([[0, 0, 5, 6, 7]]), np.array([[0, 0, 0, 0, 1]])
    for application, rows in (('lm', ['00100', '00110', '00111']), ('seq2seq', ['00110', '00110', '00111'])):
        ours = reference.attention_mask(token_ids, segment_ids, application)[0, 2:]
        assert [''.join(str(int(seen)) for seen in row) for row in ours] == rows, application


def test_minilm_gives_the_numbers_that_are_known():
    """The first three of the published embeddings of two sentences, of the real weights, mean over tokens."""
    pytest.importorskip('safetensors', reason='reading MiniLM needs safetensors')
    from bert4keras.cli import find_demo_weights
    try:
        directory = find_demo_weights()
    except ImportError as error:
        pytest.skip(str(error))
    release = find_release(directory)
    config = read_config(release.config_path)
    variables = open_variables(release.checkpoint_path, config)
    for token_ids, expected in (
            # "This is an example sentence", "Each sentence is converted"
            ([101, 2023, 2003, 2019, 2742, 6251, 102], [0.0676569, 0.0634959, 0.0487131]),
            ([101, 2169, 6251, 2003, 4991, 102], [0.0864386, 0.1027626, 0.0053946])):
        hidden = reference.forward(config, variables, [token_ids])['Encoder-6-FeedForward-Norm'][0]
        mean = hidden.mean(axis=0)
        np.testing.assert_allclose((mean / np.sqrt(mean.dot(mean)))[:3], expected, atol=2e-7)


def test_heads_for_a_task_by_hand():
    """Kernels [N, D]: the pooled vector or each token times each row, plus the bias; a span has start and end first."""
    x = np.array([[[1.0, 2.0], [3.0, -1.0], [0.0, 0.5]]])
    pooled = np.array([[0.5, -0.25]])
    arrays = {'output_weights': [[1, 2], [0, 4], [-2, 1]], 'output_bias': [10, 20, 30],
              'cls/squad/output_weights': [[1, 1], [2, -4]], 'cls/squad/output_bias': [0.5, 100]}

    def get(name):
        return np.asarray(arrays[name], 'float64')

    np.testing.assert_array_equal(reference.task_head(x, pooled, get, 'classification')['Classifier'],
                                  [[10, 19, 28.75]])
    np.testing.assert_array_equal(reference.task_head(x, None, get, 'tokens')['Classifier'],
                                  [[[15, 28, 30], [11, 16, 23], [11, 22, 30.5]]])
    np.testing.assert_array_equal(reference.task_head(x, None, get, 'span')['Span'],
                                  [[[3.5, 2.5, 1.0], [94, 110, 98]]])
    assert reference.task_head(x, pooled, get, None) == {}
