# -*- coding: utf-8 -*-
"""How a text is chosen token by token: beam search and sampling, over whatever gives log probabilities.

Needs NumPy only. The model is a function `step(parents, token_ids)`. Its first call is `step(None, None)`, for
the next token of each of R rows; each later one says which row every row goes on from, int [R], and with which
token, int [R]. It returns log probabilities, float [R, V]. R never changes: rows that are done get any token.

Shapes: B texts, K rows a text (beams, or samples), R = B * K rows, V vocabulary.
"""
from __future__ import absolute_import, division, print_function

import collections

import numpy as np

__all__ = ['Found', 'Limits', 'beam_search', 'check_sampling', 'likeliest', 'sample']

class Found(collections.namedtuple('Found', 'token_ids score')):
    """What was generated: a list of int, without the end token, and a float; what it is says who returns it."""

    __slots__ = ()


class Limits(object):
    """What may be generated.

    Args:
        end_token_id: int, the token that ends a text; None for none.
        max_length: int, the most tokens, the end token not counted.
        min_length: int, the fewest.
        no_repeat_ngram: int n, that no n tokens in a row are generated twice; 0 for no limit.
        forbidden: ids of tokens that are never generated.

    Raises:
        ValueError: a number out of range, or min_length above max_length.
    """

    def __init__(self, end_token_id=None, max_length=64, min_length=0, no_repeat_ngram=0, forbidden=()):
        if max_length < 1:
            raise ValueError('max_length must be at least 1, not %r' % (max_length,))
        if not 0 <= min_length <= max_length:
            raise ValueError('min_length must be from 0 to max_length %r, not %r' % (max_length, min_length))
        if no_repeat_ngram < 0:
            raise ValueError('no_repeat_ngram must be at least 0, not %r' % (no_repeat_ngram,))
        self.end_token_id, self.max_length, self.min_length = end_token_id, max_length, min_length
        self.no_repeat_ngram, self.forbidden = no_repeat_ngram, sorted(set(forbidden))

    def apply(self, log_probabilities, token_ids):
        """Log probabilities [R, V] after the tokens [R, L] -> a copy, minus infinity for what may not follow.

        Raises:
            ValueError: numbers that are not probabilities, or nothing that may follow.
        """
        allowed = np.array(log_probabilities, 'float64')
        if np.isnan(allowed).any():
            raise ValueError('the model gives numbers that are not finite; check its weights')
        allowed[:, self.forbidden] = -np.inf
        if self.end_token_id is not None and token_ids.shape[1] < self.min_length:
            allowed[:, self.end_token_id] = -np.inf
        if self.no_repeat_ngram:
            for row, tokens in zip(allowed, token_ids.tolist()):
                row[_would_repeat(tokens, self.no_repeat_ngram)] = -np.inf
        if not np.isfinite(allowed.max(axis=1)).all():
            raise ValueError('after %d tokens no token is left that may follow: forbid fewer' % token_ids.shape[1])
        return allowed


def _would_repeat(tokens, size):
    """The tokens after which the last `size` ones would have been there before."""
    start = tokens[len(tokens) - size + 1:]
    return [tokens[place + size - 1] for place in range(len(tokens) - size + 1)
            if tokens[place:place + size - 1] == start]


def beam_search(step, texts, limits, beams=4, length_penalty=1.0):
    """Keeps the `beams` likeliest beginnings of each text; with one beam this is greedy search.

    An end token counts if it is among the `beams` likeliest continuations. A text is done when `beams` of them
    were found, or at max_length, where what has no end yet counts too.

    Args:
        step: see above, of R = texts * beams rows, those of one text next to each other.
        texts: int, B.
        limits: Limits.
        beams: int, K.
        length_penalty: float a: the score is the sum of the log probabilities, the end token's included, divided by
            (number of these tokens) ** a; 0 for the sum, 1 for the mean. It decides among what was found.

    Returns:
        list of B lists of at most K Found, the best first.
    """
    if beams < 1:
        raise ValueError('beams must be at least 1, not %r' % (beams,))
    found = [[] for _ in range(texts)]
    scores = np.full((texts, beams), -np.inf)
    scores[:, 0] = 0  # all rows of a text are the same at first
    token_ids, first_rows = np.zeros((texts * beams, 0), 'int64'), np.arange(texts)[:, None] * beams
    parents = following = None
    while token_ids.shape[1] < limits.max_length and not all(len(endings) >= beams for endings in found):
        allowed = limits.apply(step(parents, following), token_ids)  # [R, V]
        vocab_size = allowed.shape[1]
        totals = (scores.reshape(-1, 1) + allowed).reshape(texts, -1)  # [B, K * V]
        # twice as many as beams: at most one of each beam is an end
        best = np.array([likeliest(total, 2 * beams) for total in totals])
        rows, following = best // vocab_size, best % vocab_size
        scores = np.take_along_axis(totals, best, axis=1)
        is_end = np.equal(following, limits.end_token_id) if limits.end_token_id is not None else best < 0
        for text, rank in np.argwhere(is_end[:, :beams]):
            if len(found[text]) < beams and scores[text, rank] > -np.inf:
                ended = token_ids[first_rows[text, 0] + rows[text, rank]]
                found[text].append(_found(ended, scores[text, rank], len(ended) + 1, length_penalty))
        goes_on = np.argsort(is_end, axis=1, kind='mergesort')[:, :beams]  # the likeliest without an end
        rows, following, scores = [np.take_along_axis(x, goes_on, axis=1) for x in (rows, following, scores)]
        parents, following = (first_rows + rows).ravel(), following.ravel()
        token_ids = np.concatenate([token_ids[parents], following[:, None]], axis=1)
    for text, endings in enumerate(found):
        if len(endings) < beams:
            endings.extend(_found(token_ids[text * beams + beam], score, token_ids.shape[1], length_penalty)
                           for beam, score in enumerate(scores[text]) if score > -np.inf)
        endings.sort(key=lambda one: -one.score)
        del endings[beams:]
    return found


def _found(token_ids, total, length, length_penalty):
    return Found([int(token_id) for token_id in token_ids], float(total) / length ** length_penalty)


def likeliest(scores, count):
    """The indices of the `count` highest of scores [V], the highest first."""
    count = min(count, len(scores))
    best = np.sort(np.argpartition(-scores, count - 1)[:count])
    return best[np.argsort(-scores[best], kind='mergesort')]


def sample(step, numbers, limits, samples=1, temperature=1.0, top_k=None, top_p=None, seed=None):
    """Draws each token from the probabilities that temperature, top_k and top_p, in this order, leave.

    Args:
        step: see above, of R = texts * samples rows, those of one text next to each other.
        numbers: list of B ints, one for each text.
        limits: Limits.
        samples: int, K, how many of each text.
        temperature: float above 0, by which the log probabilities are divided; less than 1 for less surprise.
        top_k: int, how many of the likeliest tokens may be drawn; None for all.
        top_p: float in (0, 1]: the fewest likeliest tokens may be drawn whose probabilities, after top_k, add up to
            at least that (https://arxiv.org/abs/1904.09751); None for all.
        seed: int; the draws depend on it and the numbers of text and sample alone. None for one drawn from
            numpy.random.

    Returns:
        list of B lists of K Found. The score is the sum of the model's own log probabilities, the end's included.
    """
    check_sampling(samples, temperature, top_k, top_p)
    seed = np.random.randint(2 ** 31 - 1) if seed is None else seed
    random = [np.random.RandomState([seed, number, copy]) for number in numbers for copy in range(samples)]
    token_ids, scores, found = np.zeros((len(random), 0), 'int64'), np.zeros(len(random)), {}
    rows, following = np.arange(len(random)), None
    while token_ids.shape[1] < limits.max_length and len(found) < len(random):
        allowed = limits.apply(step(None if following is None else rows, following), token_ids)
        following = np.zeros(len(random), 'int64')
        for row in set(rows) - set(found):
            following[row] = _draw(allowed[row], random[row], temperature, top_k, top_p)
            scores[row] += allowed[row, following[row]]
            if following[row] == limits.end_token_id:
                found[row] = _found(token_ids[row], scores[row], 1, 0)
        token_ids = np.concatenate([token_ids, following[:, None]], axis=1)
    texts = [found.get(row) or _found(token_ids[row], scores[row], 1, 0) for row in rows]
    return [texts[start:start + samples] for start in range(0, len(texts), samples)]


def check_sampling(samples, temperature, top_k, top_p):
    """ValueError for an argument of `sample` that is out of range."""
    if samples < 1:
        raise ValueError('samples must be at least 1, not %r' % (samples,))
    if not 0 < temperature < np.inf:
        raise ValueError('temperature must be above 0, not %r; greedy search takes the likeliest' % (temperature,))
    if top_k is not None and top_k < 1:
        raise ValueError('top_k must be at least 1 or None, not %r' % (top_k,))
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError('top_p must be above 0 and at most 1, or None, not %r' % (top_p,))


def _draw(log_probabilities, random, temperature, top_k, top_p):
    """A token, drawn by `random`, a RandomState, as `sample` says."""
    ids, probabilities = _candidates(log_probabilities, temperature, top_k, top_p)
    sums = np.cumsum(probabilities)
    return ids[min(np.searchsorted(sums, random.random_sample() * sums[-1], side='right'), len(ids) - 1)]


def _candidates(log_probabilities, temperature, top_k, top_p):
    """What may be drawn: (ids, probabilities), with the sum 1."""
    ids = likeliest(log_probabilities, len(log_probabilities) if top_k is None else top_k)
    ids = ids[log_probabilities[ids] > -np.inf]
    probabilities = np.exp((log_probabilities[ids] - log_probabilities[ids[0]]) / temperature)
    probabilities /= probabilities.sum()
    if top_p is not None:
        # those before which the sum is not there yet: the one that reaches it is among them
        ids = ids[np.cumsum(probabilities) - probabilities < top_p]
        probabilities = probabilities[:len(ids)] / probabilities[:len(ids)].sum()
    # By id: which of two equally likely ones is the first would depend on rounding, and so would what is drawn.
    order = np.argsort(ids)
    return ids[order], probabilities[order]
