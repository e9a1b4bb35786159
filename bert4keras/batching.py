# -*- coding: utf-8 -*-
"""Rows of token ids of many lengths, computed in padded batches of few shapes.

The one batching core: `embedding.embed`, keras-bert's `extract_embeddings` and the generators stand on
it. Needs NumPy only. Shapes: N rows, B batch, T tokens.
"""
from __future__ import absolute_import, division, print_function

import logging

import numpy as np

from bert4keras.compat import STRINGS
from bert4keras.errors import TextError

__all__ = ['encode_texts', 'check_rows', 'check_token_ids', 'padded_length', 'pad_rows', 'positions_of',
           'compute_by_length']

MAX_TOKENS = 1 << 16  # of a text that is not to be cut; no model has as many positions, and lists of more fill memory
logger = logging.getLogger(__name__)


def encode_texts(tokenizer, texts, max_length=None, prompt=''):
    """Tokenizes texts.

    Args:
        tokenizer: has `encode(text, second_text, max_length=...)`, which returns token ids and segment ids.
        texts: iterable of strings, or of pairs of strings.
        max_length: None, or the number of tokens that longer texts are cut to.
        prompt: string to put before each text.

    Returns:
        list of (token ids, segment ids, whether the text was cut). Of a text without a max_length there are at most
        MAX_TOKENS + 1, which `check_rows` refuses.

    Raises:
        TypeError: one string instead of many. TextError: something else than a string among them.
    """
    if isinstance(texts, (bytes,) + STRINGS):
        raise TypeError('texts must be a list of strings, not one string')
    rows = []
    for index, text in enumerate(texts):
        parts = tuple(text) if isinstance(text, (tuple, list)) else (text,)
        for part in parts:
            if not isinstance(part, (bytes,) + STRINGS):
                raise TextError(index, 'is %s, and no string; leave it out, or give an empty text'
                                % ('missing (None)' if part is None else 'of the type ' + type(part).__name__))
        if prompt:
            text = parts[0].decode('utf-8') if isinstance(parts[0], bytes) else parts[0]
            parts = (prompt + text,) + parts[1:]
        token_ids, segment_ids = tokenizer.encode(*parts, max_length=max(MAX_TOKENS, max_length or 0) + 1)
        is_cut = max_length is not None and len(token_ids) > max_length
        if is_cut:
            token_ids, segment_ids = tokenizer.encode(*parts, max_length=max_length)
        rows.append((token_ids, segment_ids, is_cut))
    return rows


def check_rows(rows, max_length, positions, vocab_size, on_cut=None):
    """Checks that tokenized texts fit a model, and logs how many were cut.

    Args:
        rows: list of (token ids, segment ids, whether they were cut).
        max_length: int they were cut to, or None.
        positions, vocab_size: see `check_token_ids`, also for what is raised.
        on_cut: None, or a function to call with the number that were cut, instead of logging it.

    Returns:
        list of (token ids, segment ids).

    Raises:
        ValueError: max_length is larger than `positions`.
    """
    if None not in (max_length, positions) and max_length > positions:
        raise ValueError('max_length is %d, but the model has %d positions' % (max_length, positions))
    for index, (token_ids, segment_ids, _) in enumerate(rows):
        check_token_ids(index, token_ids, positions if max_length or positions else MAX_TOKENS, vocab_size)
        if len(segment_ids) != len(token_ids):
            raise TextError(index, 'has %d token ids, but %d segment ids' % (len(token_ids), len(segment_ids)))
    cut = sum(is_cut for _, _, is_cut in rows)
    if on_cut is not None:
        on_cut(cut)
    elif cut:
        logger.warning('%d of %d texts had more than %d tokens and were cut', cut, len(rows), max_length)
    return [(token_ids, segment_ids) for token_ids, segment_ids, _ in rows]


def check_token_ids(index, token_ids, positions, vocab_size, remedy='max_length=%d would cut it'):
    """Checks that a text fits a model.

    Args:
        index: int, the text's position among the texts.
        token_ids: its ids, a sequence of int.
        positions, vocab_size: int, how many the model has, or None where nobody knows.
        remedy: str, what would help against too many tokens; its %d becomes `positions`.

    Raises:
        TextError: no token, more tokens than positions, or ids that the vocabulary lacks.
    """
    if not len(token_ids):
        raise TextError(index, 'has no token; a tokenizer with [CLS] and [SEP] gives even an empty text two')
    if positions is not None and len(token_ids) > positions:
        count = 'more than %d' % MAX_TOKENS if len(token_ids) > MAX_TOKENS else str(len(token_ids))
        raise TextError(index, 'has %s tokens, but the model has %d positions; %s'
                        % (count, positions, remedy % positions))
    if vocab_size is not None and (min(token_ids) < 0 or max(token_ids) >= vocab_size):
        raise TextError(index, 'has token ids from %d to %d, but the model has 0 to %d; use the vocabulary '
                        'of the model' % (min(token_ids), max(token_ids), vocab_size - 1))


def padded_length(length, positions):
    """The length that a batch is padded to: one of few, because JAX compiles for each.

    On two cores compiling once takes as long as computing some 3000 tokens of a MiniLM, so steps must
    not be small; padding must not be much, so they must not be large. Up to thousands of texts these
    came out best; for many more, steps of 8 would save a tenth.

    Args:
        length: int, of the batch's longest text, at most `positions`.
        positions: int, what the model has; never exceeded.

    Returns:
        int, at least `length`.
    """
    step = 16 if length <= 64 else 32
    return min(-(-length // step) * step, positions)


def positions_of(layers):
    """How many tokens a row may have, by a model's {name: layer}; None where no layer says."""
    layer = layers.get('Embedding-Position')
    return getattr(layer, 'longest', getattr(layer, 'max_position_embeddings', None))


def pad_rows(rows, size, width, pad_token_id=0):
    """Rows of ids as the model's two inputs.

    Args:
        rows: list of (token ids, segment ids), sequences of int of equal length, at most T each.
        size: int, B; missing rows are all padding.
        width: int, T.
        pad_token_id: int; the segment of padding is 0.

    Returns:
        [token ids, segment ids], int32 arrays [B, T].
    """
    token_ids = np.full((size, width), pad_token_id, dtype='int32')
    segment_ids = np.zeros_like(token_ids)
    for row, (tokens, segments) in enumerate(rows):
        token_ids[row, :len(tokens)], segment_ids[row, :len(tokens)] = tokens, segments
    return [token_ids, segment_ids]


def compute_by_length(rows, compute, size, width, pad_token_id=0, progress=None):
    """Computes rows of similar length together, and gives their results in the order of the rows.

    Args:
        rows: list of (token ids, segment ids), see `pad_rows`.
        compute: function from the inputs [B, T] and the lengths of the rows among them, at most B, to as
            many results.
        size: function from a width T to B.
        width: function from the length of the longest row of a batch to T.
        pad_token_id: int.
        progress: None, or a function to call after each batch with the number of its rows.

    Returns:
        list of N results.
    """
    # From the longest to the shortest: the batch that is filled up with empty rows is the cheapest.
    order = sorted(range(len(rows)), key=lambda index: -len(rows[index][0]))
    results, start = [None] * len(rows), 0
    while start < len(rows):
        longest = len(rows[order[start]][0])
        batch_size = size(width(longest))
        indices = order[start:start + batch_size]
        batch = [rows[index] for index in indices]
        inputs = pad_rows(batch, batch_size, width(longest), pad_token_id)
        lengths = [len(token_ids) for token_ids, _ in batch]
        for index, result in zip(indices, compute(inputs, lengths)):
            results[index] = result
        start += len(indices)
        if progress is not None:
            progress(len(indices))
    return results
