# -*- coding: utf-8 -*-
"""Tests of bert4keras.reference: the oracle itself, against values worked out by hand or elsewhere."""
from __future__ import absolute_import, division, print_function

import numpy as np
import pytest

from bert4keras import reference
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
