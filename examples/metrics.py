# -*- coding: utf-8 -*-
"""What the examples measure, in NumPy and plain Python: accuracy, F1 of chunks, exact match and F1 of answers."""
from __future__ import absolute_import, division, print_function, unicode_literals

import collections
import re
import unicodedata

import numpy as np

__all__ = ['accuracy', 'answer_scores', 'best_span', 'chunks', 'chunk_scores', 'f1', 'majority', 'normalized']


def accuracy(answers, expected):
    """The share of answers that are what was expected; two lists of the same length."""
    return float(np.mean([one == other for one, other in zip(answers, expected)]))


def majority(labels):
    """The most frequent label; of several the first in order, so that everybody finds the same."""
    counts = collections.Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def f1(correct, found, expected):
    """(precision, recall, F1), each from 0 to 1, from numbers: correct ones among those found and those expected."""
    precision, recall = correct / max(found, 1), correct / max(expected, 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-12)


def chunks(tags):
    """The chunks that BIO tags stand for, as CoNLL's conlleval counts them.

    B- begins a chunk; so does an I- that continues none of its own type.

    Args:
        tags: list of str, such as ['B-CITY', 'I-CITY', 'O'].

    Returns:
        set of (type, index of the first tag, index after the last), such as {('CITY', 0, 2)}.
    """
    found, kind, start = set(), None, 0
    for index, tag in enumerate(list(tags) + ['O']):
        prefix, _, this = tag.partition('-')
        if kind is not None and (prefix != 'I' or this != kind):
            found.add((kind, start, index))
            kind = None
        if prefix != 'O' and kind is None:
            kind, start = this, index
    return found


def chunk_scores(answers, expected):
    """(precision, recall, F1) over the chunks of all texts; two lists of lists of BIO tags."""
    pairs = [(chunks(one), chunks(other)) for one, other in zip(answers, expected)]
    return f1(*[sum(map(len, sets)) for sets in ([one & other for one, other in pairs], [one for one, _ in pairs],
                                                 [other for _, other in pairs])])


def normalized(answer):
    """The words of an answer as SQuAD compares them (https://arxiv.org/abs/1606.05250), and of Chinese the characters.

    Case, punctuation and English articles do not count.
    """
    letters = ''.join(ch for ch in answer.lower() if not unicodedata.category(ch).startswith('P'))
    words = re.findall('[\u3400-\u9fff]|[^\\s\u3400-\u9fff]+', letters)
    return [word for word in words if word not in ('a', 'an', 'the')]


def answer_scores(answers, expected):
    """(share of exact matches, mean F1 over the words) of answers to questions; two lists of strings."""
    exact, scores = [], []
    for one, other in zip(map(normalized, answers), map(normalized, expected)):
        exact.append(one == other)
        common = sum((collections.Counter(one) & collections.Counter(other)).values())
        scores.append(f1(common, len(one), len(other))[2] if one and other else float(one == other))
    return float(np.mean(exact)), float(np.mean(scores))


def best_span(scores, is_allowed, longest=30):
    """The span whose start and end have the largest sum of scores.

    Args:
        scores: array [2, T], of each token as the start and as the end.
        is_allowed: list of T bools, which tokens may be part of an answer, such as those of the passage.
        longest: int, the largest number of tokens in an answer.

    Returns:
        (start, end), indices of the first and of the last token, start <= end.

    Raises:
        ValueError: no token is allowed.
    """
    is_allowed = np.asarray(is_allowed, bool)
    if not is_allowed.any():
        raise ValueError('no token may be part of an answer: is there a passage?')
    sums = scores[0][:, None] + scores[1][None, :]  # [start, end]
    is_span = np.tri(len(is_allowed), dtype=bool).T & np.tri(len(is_allowed), k=longest - 1, dtype=bool)
    sums = np.where(is_span & is_allowed[:, None] & is_allowed[None, :], sums, -np.inf)
    start, end = np.unravel_index(np.argmax(sums), sums.shape)
    return int(start), int(end)
