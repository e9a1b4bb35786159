# -*- coding: utf-8 -*-
"""The vectors of a text's tokens, pooled to one. Needs NumPy only.

Source of the names and formulas: sentence-transformers 6.2, Pooling, Normalize and util/similarity.py.
Shapes: B batch, T tokens, D hidden, N and M vectors.
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.compat import STRINGS

__all__ = ['POOLINGS', 'SIMILARITIES', 'normalize', 'parse_pooling', 'pool']

POOLINGS = ('mean', 'cls', 'max', 'mean_sqrt_len', 'weightedmean', 'lasttoken')


def parse_pooling(pooling):
    """The names in POOLINGS that are asked for, a tuple.

    Args:
        pooling: one name; or several, whose vectors are put end to end: 'cls+mean', or a list of names.

    Raises:
        ValueError: another name, or none.
    """
    names = tuple(pooling.split('+') if isinstance(pooling, STRINGS) else pooling)
    for name in names or ('',):
        if name not in POOLINGS:
            raise ValueError('pooling must be one of %s, or several joined by +, not %r'
                             % (', '.join(POOLINGS), pooling))
    return names


def pool(hidden, lengths, poolings=('mean',), skipped=0):
    """Pools the hidden states of each text.

    Args:
        hidden: float array [B, T, D].
        lengths: [B], int, the number of each text's tokens; what follows is padding.
        poolings: names in POOLINGS: over the tokens, 'mean', 'max', 'mean_sqrt_len' (the sum, divided by the root of
            their number), 'weightedmean' (weighted by the position, from 1); 'cls', the first one's vector;
            'lasttoken', the last one's.
        skipped: int, how many tokens at the start, those of a prompt, are left out; less than each length.

    Returns:
        array [B, D * number of poolings].
    """
    lengths = np.reshape(lengths, (-1, 1, 1))  # [B, 1, 1]
    positions = np.arange(hidden.shape[1])[None, :, None]  # [1, T, 1]
    is_token = (positions >= skipped) & (positions < lengths)  # [B, T, 1]
    counts = (lengths - skipped)[:, 0]  # [B, 1]
    results = []
    for name in poolings:
        if name == 'cls':
            results.append(hidden[:, skipped])
        elif name == 'lasttoken':
            results.append(hidden[np.arange(len(hidden)), lengths[:, 0, 0] - 1])
        elif name == 'max':
            results.append(np.max(np.where(is_token, hidden, -np.inf), axis=1))
        elif name == 'weightedmean':
            weights = np.where(is_token, positions + 1, 0)  # [B, T, 1]
            results.append(np.sum(np.where(is_token, hidden, 0) * weights, axis=1) / np.sum(weights, axis=1))
        else:
            total = np.sum(np.where(is_token, hidden, 0), axis=1)
            results.append(total / (counts if name == 'mean' else np.sqrt(counts)))
    return np.concatenate(results, axis=-1)


def normalize(embeddings):
    """Scales each row of [N, D] to length 1, so that dot products are cosines; zeros stay zeros."""
    lengths = np.sqrt(np.sum(np.square(embeddings), axis=-1, keepdims=True))  # [N, 1]
    return embeddings / np.maximum(lengths, np.finfo('float32').tiny)


def _negative_distances(first, second, distance):
    """[N, D] and [M, D] -> [N, M], row by row, as all differences at once would be [N, M, D]."""
    return np.array([-distance(second - row) for row in first], first.dtype).reshape(len(first), len(second))


# What config_sentence_transformers.json calls a similarity: the function of [N, D] and [M, D] to [N, M].
SIMILARITIES = {
    'cosine': lambda first, second: np.dot(normalize(first), normalize(second).T),
    'dot': lambda first, second: np.dot(first, second.T),
    'euclidean': lambda first, second: _negative_distances(
        first, second, lambda differences: np.sqrt(np.sum(np.square(differences), axis=-1))),
    'manhattan': lambda first, second: _negative_distances(
        first, second, lambda differences: np.sum(np.abs(differences), axis=-1)),
}
