# -*- coding: utf-8 -*-
"""batching: rows of ids in few shapes, each checked, and every result back in its place."""
from __future__ import absolute_import, division, print_function

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert4keras.batching import (
    MAX_TOKENS, check_rows, check_token_ids, compute_by_length, encode_texts, pad_rows, padded_length)
from bert4keras.errors import TextError
from bert4keras.tokenizer import Tokenizer

pytestmark = pytest.mark.engine_free


@given(st.integers(1, 512), st.integers(1, 512))
def test_padded_length_is_enough_little_and_one_of_few(length, positions):
    """Long enough, never beyond the positions, at most 31 too long, one of 18 for 512 positions."""
    if length <= positions:
        assert length <= padded_length(length, positions) <= min(length + 31, positions)
    assert len({padded_length(any_length, 512) for any_length in range(1, 513)}) == 18


def test_pad_rows_fills_up_with_the_padding_it_is_given():
    """Short rows at their end, missing rows whole; the segment of padding is 0."""
    token_ids, segment_ids = pad_rows([([7, 8], [0, 1]), ([9], [1])], 3, 4, pad_token_id=5)
    assert token_ids.tolist() == [[7, 8, 5, 5], [9, 5, 5, 5], [5, 5, 5, 5]] and token_ids.dtype == np.int32
    assert segment_ids.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]] and segment_ids.dtype == np.int32


@given(st.lists(st.integers(1, 29), max_size=31), st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_results_come_back_in_order_whatever_the_shapes(lengths, tokens):
    """Row i is i, as often as it is long; batches have no more rows than `size` allows for their width."""
    rows, shapes, done = [([index] * length, [0] * length) for index, length in enumerate(lengths)], [], []

    def compute(inputs, lengths):
        shapes.append(inputs[0].shape)
        return [(row[0], length, (row != 99).sum()) for row, length in zip(inputs[0], lengths)]

    results = compute_by_length(rows, compute, lambda width: max(1, 40 * tokens // width), lambda length: length + 3,
                                pad_token_id=99, progress=done.append)
    assert results == [(index, length, length) for index, length in enumerate(lengths)]
    assert all(size == max(1, 40 * tokens // width) for size, width in shapes)
    assert [width for _, width in shapes] == sorted((width for _, width in shapes), reverse=True)
    assert sum(done) == len(lengths) and len(done) == len(shapes)


def test_check_token_ids_takes_what_just_fits():
    """As many tokens as positions, the largest id of the vocabulary; None for what is not known."""
    check_token_ids(0, [0, 96, 5], 3, 97)
    check_token_ids(0, [0, 97, -1, 5], None, None)


def test_of_a_text_without_an_end_no_more_tokens_are_held_than_any_model_takes():
    """A line of gigabytes is too long at its first part; with a max_length beyond that it is cut there, and no sooner."""
    tokenizer = Tokenizer({'[CLS]': 0, '[SEP]': 1, '[UNK]': 2, '[PAD]': 3})
    rows = encode_texts(tokenizer, [u'x', u'\u5317' * 70000])
    assert [len(token_ids) for token_ids, _, _ in rows] == [3, MAX_TOKENS + 1] and not rows[1][2]
    for positions in (512, None):
        with pytest.raises(TextError, match='text 1 .* has more than 65536 tokens'):
            check_rows(rows, None, positions, 4)
    rows = encode_texts(tokenizer, [u'\u5317' * size for size in (69999, 70001)], max_length=70001)
    assert [(len(token_ids), is_cut) for token_ids, _, is_cut in rows] == [(70001, False), (70001, True)]


@pytest.mark.parametrize('ids, part', [
    ([], 'has no token'), ([5] * 4, 'has 4 tokens, but the model has 3 positions; cut it at 3'),
    ([5, 97], 'has token ids from 5 to 97, but the model has 0 to 96'), ([-1], 'has token ids from -1 to -1')])
def test_check_token_ids_names_the_text(ids, part):
    """The message says which text, what is wrong and what would help."""
    with pytest.raises(TextError) as caught:
        check_token_ids(7, ids, 3, 97, remedy='cut it at %d')
    assert 'text 7' in str(caught.value) and part in str(caught.value)
