# -*- coding: utf-8 -*-
"""A real text, and which of its masked tokens are guessed without a model, by counting words and their neighbours.

That is what a language model must be better than. text/README.md says what the text is.
Shapes: V tokens in the vocabulary, N guesses.
"""
from __future__ import absolute_import, division, print_function

import collections
import gzip
import os

import numpy as np

from bert4keras.pretraining.reader import Batches, Corpus

__all__ = ['Counts', 'chapters', 'counted']

TEXT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'text', 'kings.txt.gz')


def chapters():
    """The chapters of the text: str, a verse a line."""
    with gzip.open(TEXT, 'rb') as stream:
        return stream.read().decode('ascii').strip().split(u'\n\n')


class Counts(object):
    """Guesses at a masked token by how often tokens of a text stand beside each other.

    With V tokens in the vocabulary, n(a, b) how often b follows a, and p(b) the share of b: the likelihood of b after a
    is (n(a, b) + 10 p(b)) / (n(a) + 10), so that what was never seen after a, or after [MASK], is as likely as it is
    elsewhere; before c it is the same the other way round. Between a and c it is their product, divided by p(b), which
    is right if a and c have nothing to do with each other but b.

    Args:
        corpus: Corpus.
    """

    def __init__(self, corpus):
        rows = corpus.rows(np.arange(len(corpus)))
        size, inside = corpus.vocab_size, np.arange(corpus.length) < rows.lengths[:, None]
        first, second = rows.token_ids[:, :-1][inside[:, 1:]], rows.token_ids[:, 1:][inside[:, 1:]]
        pairs = np.bincount(first.astype('int64') * size + second, minlength=size * size).reshape(size, size)
        special = sorted(corpus.special_ids.values())
        share = pairs.sum(axis=0).astype('float64')
        share[special] = 0
        share /= share.sum()
        self.share = np.log(np.maximum(share, 1e-9))
        self.after, self.before = self._likelihoods(pairs, share, special), self._likelihoods(pairs.T, share, special)

    @staticmethod
    def _likelihoods(pairs, share, special):
        """The logarithms of what is likely beside each token, float32 [V, V]."""
        pairs = pairs.astype('float32')
        pairs[:, special] = 0
        pairs += 10 * share
        return np.log(np.maximum(pairs / pairs.sum(axis=1, keepdims=True), 1e-9))

    def guesses(self, before, after):
        """{by what: the ids that are guessed} between some ids and as many others, int [N]."""
        middle = [(self.after[left] + self.before[right] - self.share).argmax() for left, right in zip(before, after)]
        return collections.OrderedDict([
            ('the most frequent token', np.full(len(before), self.share.argmax())),
            ('the token that most often follows the one before', self.after.argmax(axis=1)[before]),
            ('the token that most often precedes the next', self.before.argmax(axis=1)[after]),
            ('the likeliest between both', np.array(middle))])


def counted(training, held_out, seed):
    """{by what: the share of the masked tokens of a corpus that is guessed} by counting another."""
    corpus = Corpus(held_out)
    batch = Batches(corpus, len(corpus), seed).batch(0)
    row, place = np.nonzero(batch['masked_weights'])
    ids, positions = batch['masked_ids'][row, place], batch['masked_positions'][row, place]
    tokens = batch['token_ids']
    guesses = Counts(Corpus(training)).guesses(tokens[row, positions - 1], tokens[row, positions + 1])
    return collections.OrderedDict((name, (guessed == ids).mean()) for name, guessed in guesses.items())
