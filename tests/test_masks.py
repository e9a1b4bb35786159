# -*- coding: utf-8 -*-
"""Masks: Google's counting and shares, whole words, no special token, and a row's masks depend on that row alone."""
from __future__ import absolute_import, division, print_function

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert4keras.pretraining.masks import Masker, most_predictions
from bert4keras.pretraining.order import hashed
from tests.helpers.strategies import few

pytestmark = pytest.mark.engine_free
PAD, CLS, SEP, MASK, VOCAB = 2, 3, 4, 5, 97
SPECIAL = [PAD, CLS, SEP, MASK]
rows_of_words = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=12), min_size=1, max_size=4)


def batch_of(rows, width=None):
    """(token ids, word starts, lengths) of rows of words of these sizes: [CLS] words [SEP], padded."""
    lengths = np.array([sum(sizes) + 2 for sizes in rows])
    width = width or lengths.max() + 3
    token_ids, starts = np.full((len(rows), width), PAD, 'int32'), np.zeros((len(rows), width), bool)
    for row, sizes in enumerate(rows):
        token_ids[row, :lengths[row]] = [CLS] + [6 + (row * 31 + place) % 91 for place in range(sum(sizes))] + [SEP]
        starts[row, np.cumsum([1] + sizes)] = starts[row, 0] = True
    return token_ids, starts, lengths


def keys_of(count, seed=1):
    """Keys of so many rows."""
    return hashed(seed, np.arange(count))


@few
@given(rows_of_words, st.integers(1, 9), st.sampled_from([0.15, 0.3, 0.6]), st.sampled_from([1, 3]), st.booleans(),
       st.integers(0, 99))
def test_what_is_masked(rows, predictions, rate, ngrams, whole_words, seed):
    """Whole words, no special token or padding; as many as fit; what is not chosen stays, what stood there is given."""
    token_ids, starts, lengths = batch_of(rows)
    masker = Masker(VOCAB, MASK, SPECIAL, predictions, rate, ngrams, whole_words)
    masked = masker(token_ids, starts, lengths, keys_of(len(rows), seed))
    assert masked.positions.shape == masked.ids.shape == masked.weights.shape == (len(rows), min(
        predictions, token_ids.shape[1]))
    assert [part.dtype.name for part in masked] == ['int32', 'int32', 'int32', 'float32']
    for row, sizes in enumerate(rows):
        count = int(masked.weights[row].sum())
        assert masked.weights[row].tolist() == [1.] * count + [0.] * (masked.weights.shape[1] - count)
        positions = masked.positions[row, :count].tolist()
        assert positions == sorted(set(positions)) and not masked.positions[row, count:].any()
        assert masked.ids[row].tolist() == token_ids[row, positions].tolist() + [0] * (masked.weights.shape[1] - count)
        assert not set(token_ids[row, positions]) & set(SPECIAL)
        others = np.setdiff1d(np.arange(token_ids.shape[1]), positions)
        assert (masked.token_ids[row, others] == token_ids[row, others]).all()
        wanted = min(predictions, max(1, int(np.rint(lengths[row] * rate))))
        ends = np.cumsum([1] + (sizes if whole_words else [1] * sum(sizes))).tolist()
        spans = [set(range(start, end)) for start, end in zip(ends, ends[1:])]
        assert all(not span & set(positions) or span <= set(positions) for span in spans)
        assert count <= wanted
        if ngrams == 1:  # a word that would still have fitted was not left out
            assert all(len(span) > wanted - count for span in spans if not span & set(positions))


def test_literally_as_many_as_google():
    """round(length * 0.15), to the even number at a half, one at least, never more than asked for."""
    lengths = [3, 4, 10, 11, 30, 50, 70, 128]
    token_ids, starts, _ = batch_of([[1] * (length - 2) for length in lengths])
    for predictions, expected in ((20, [1, 1, 2, 2, 4, 8, 10, 19]), (7, [1, 1, 2, 2, 4, 7, 7, 7])):
        masked = Masker(VOCAB, MASK, SPECIAL, predictions)(token_ids, starts, np.array(lengths), keys_of(8))
        assert masked.weights.sum(axis=1).tolist() == expected
    assert [most_predictions(*pair) for pair in ((128, 0.15), (512, 0.15), (100, 0.15), (20, 0.3), (100, 0.07))] == [
        20, 77, 15, 6, 7]


@few
@given(rows_of_words, st.integers(0, 99), st.sampled_from([1, 3]))
def test_a_row_is_masked_alike_in_every_batch(rows, seed, ngrams):
    """Alone, with others, and with more padding."""
    keys = keys_of(len(rows), seed)
    masker = Masker(VOCAB, MASK, SPECIAL, 3, 0.3, ngrams)
    whole = masker(*batch_of(rows) + (keys,))
    token_ids, starts, lengths = batch_of(rows, width=70)
    for row in range(len(rows)):
        alone = masker(*[part[row:row + 1] for part in (token_ids, starts, lengths, keys)])
        for name in ('positions', 'ids', 'weights'):
            assert getattr(alone, name)[0].tolist() == getattr(whole, name)[row].tolist()
        assert (alone.token_ids[0, :lengths[row]] == whole.token_ids[row, :lengths[row]]).all()


def test_shares():
    """80% [MASK], 10% as they were, 10% from the whole vocabulary, special tokens too; every position alike.

    Each count of 60,000 within 5 standard deviations.
    """
    rows = 3000
    token_ids, starts, lengths = batch_of([[1] * 40] * rows)
    masked = Masker(VOCAB, MASK, SPECIAL, 20, 0.5)(token_ids, starts, lengths, keys_of(rows))
    new = np.take_along_axis(masked.token_ids, masked.positions, axis=1)
    total = float(new.size)
    assert masked.weights.all() and total == 60000
    stays = (0.1 + 0.1 / VOCAB) * total
    for count, expected in (((new == MASK).sum(), (0.8 + 0.1 / VOCAB) * total), ((new == masked.ids).sum(), stays)):
        assert abs(count - expected) < 5 * expected ** 0.5
    others = np.bincount(new[(new != MASK) & (new != masked.ids)], minlength=VOCAB)
    others = np.delete(others, MASK)
    assert abs(others - total * 0.1 / VOCAB).max() < 5 * (total * 0.1 / VOCAB) ** 0.5 and others[:5].min() > 0
    places = np.bincount(masked.positions.ravel())[1:]
    assert abs(places - total / 40).max() < 5 * (total / 40 * 0.5) ** 0.5


def test_ngrams_have_alberts_lengths():
    """One, two, three words in the ratio of 6 to 3 to 2, of those left at the end of a row; runs are of whole words."""
    keys = keys_of(11000)
    spans = Masker(VOCAB, MASK, SPECIAL, 9, ngrams=3)._spans(np.full(11000, 5), keys, 5)
    for word, expected in ((0, [6000, 3000, 2000]), (3, [22000 / 3., 11000 / 3., 0]), (4, [11000, 0, 0])):
        counts = np.bincount(spans[:, word], minlength=4)[1:]
        assert abs(counts - np.array(expected)).max() < 5 * 2500 ** 0.5 and counts[np.array(expected) == 0].sum() == 0
    token_ids, starts, lengths = batch_of([[1] * 60] * 200)
    runs = {}
    for ngrams in (1, 3):
        masked = Masker(VOCAB, MASK, SPECIAL, 9, ngrams=ngrams)(token_ids, starts, lengths, keys[:200])
        assert masked.weights.all()
        runs[ngrams] = (np.diff(masked.positions, axis=1) == 1).mean()
    assert runs[1] < 0.2 < 0.3 < runs[3]


def test_padding_is_known_by_the_lengths():
    """Whatever id it has."""
    token_ids, starts, lengths = batch_of([[1] * 5, [1] * 30])
    token_ids[token_ids == PAD] = 50
    masked = Masker(VOCAB, MASK, SPECIAL, 9, 0.9, whole_words=False)(token_ids, starts, lengths, keys_of(2))
    assert masked.weights.sum(axis=1).tolist() == [5, 9] and masked.positions[0].max() == 5


def test_a_row_with_nothing_to_mask_has_no_weight():
    """Special tokens only, or one word longer than may be masked."""
    token_ids, starts, lengths = batch_of([[4], [4]])
    token_ids[0, 1:5] = SEP
    masked = Masker(VOCAB, MASK, SPECIAL, 3)(token_ids, starts, lengths, keys_of(2))
    assert not masked.weights.any() and (masked.token_ids == token_ids).all()
