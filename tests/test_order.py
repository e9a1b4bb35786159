# -*- coding: utf-8 -*-
"""Chance without a state: known answers, every number once, and no pattern that a count would show."""
from __future__ import absolute_import, division, print_function

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert4keras.pretraining.order import below, hashed, permuted, uniform
from tests.helpers.strategies import few

pytestmark = pytest.mark.engine_free


def test_the_known_answers_of_splitmix64():
    """The first two numbers that it gives for a seed of 0, as published with it."""
    gamma = 0x9e3779b97f4a7c15
    assert [int(value) for value in hashed(np.array([gamma, 0], 'uint64'))] == [0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4]


def test_every_part_and_their_order_matter():
    """No two of many tuples have the same hash; arrays are broadcast."""
    grid = hashed(np.arange(40)[:, None], 7, np.arange(50))
    assert grid.shape == (40, 50) and grid.dtype == np.uint64 and len(np.unique(grid)) == 2000
    assert hashed(3, 7, 5)[0] == grid[3, 5] != hashed(5, 7, 3)[0]
    assert len({int(hashed(*key)[0]) for key in [(1,), (1, 0), (0, 1), (1, 0, 0), (2 ** 63,)]}) == 5


def test_numbers_are_even():
    """Uniform and below: mean, variance and counts of 100,000, within 5 standard deviations."""
    values = hashed(5, np.arange(100000))
    drawn = uniform(values)
    assert 0 <= drawn.min() and drawn.max() < 1 and drawn.dtype == np.float64
    assert abs(drawn.mean() - 0.5) < 5 * (1 / 12. / 1e5) ** 0.5
    assert abs(drawn.var() - 1 / 12.) < 5 * (1 / 180. / 1e5) ** 0.5
    counts = np.bincount(below(values, 7), minlength=7)
    assert len(counts) == 7 and abs(counts - 1e5 / 7).max() < 5 * (1e5 * 6 / 49) ** 0.5


@few
@given(st.integers(1, 700), st.integers(0, 2 ** 40), st.integers(0, 100))
def test_an_order_has_every_number_once(count, seed, epoch):
    """Computed as a whole, or place by place."""
    whole = permuted(np.arange(count), count, seed, epoch)
    assert whole.dtype == np.int64 and sorted(whole.tolist()) == list(range(count))
    place = seed % count
    assert permuted(np.array([place]), count, seed, np.array([epoch])).tolist() == [whole[place]]


def test_orders_of_different_epochs_are_unrelated():
    """What comes first, and where what was first goes, are each number as often, within 5 standard deviations."""
    epochs, count = np.arange(7000), 7
    deviation = (7000 / 7. * 6 / 7) ** 0.5
    pairs = set()
    for place in (0, 5):
        numbers = permuted(np.full(7000, place), count, 3, epochs)
        assert abs(np.bincount(numbers, minlength=count) - 1000).max() < 5 * deviation
        pairs.add(tuple(numbers.tolist()))
    assert len(pairs) == 2
    both = permuted(np.zeros(7000, int), count, 3, epochs) * count + permuted(np.ones(7000, int), count, 3, epochs)
    counts = np.bincount(both, minlength=49)
    assert (counts > 0).sum() == 42 and abs(counts[counts > 0] - 7000 / 42.).max() < 5 * (7000 / 42.) ** 0.5
    large = permuted(np.arange(5), 10 ** 12, 3, 4)
    assert large.max() < 10 ** 12 and len(set(large.tolist())) == 5 and np.abs(np.diff(large)).min() > 10 ** 6
