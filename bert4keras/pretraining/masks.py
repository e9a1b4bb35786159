# -*- coding: utf-8 -*-
"""Masks, made when rows are read: which tokens a model must guess, and what stands in their place.

As in google-research/bert, create_pretraining_data.py: of a row of n tokens, [CLS] and [SEP] counted, round(rate * n)
are chosen, one at least. Whole words are taken in random order; one that would be too many is skipped, not cut. Of the
tokens chosen, each for itself, 80% become [MASK], 10% stay, and 10% become any token of the vocabulary. With `ngrams`,
as in google-research/albert, runs of up to that many words are taken, of n words with a probability in proportion
to 1 / n.
Shapes: B batch, T tokens, P masked positions, W words.
"""
from __future__ import absolute_import, division, print_function

import collections

import numpy as np

from bert4keras.pretraining.order import below, hashed, uniform

__all__ = ['Masked', 'Masker', 'most_predictions']

# token_ids int32 [B, T], positions int32 [B, P] in ascending order, ids int32 [B, P]: what stood there,
# weights float32 [B, P]: 1, or 0 where a row has fewer; position and id are 0 there
Masked = collections.namedtuple('Masked', 'token_ids positions ids weights')
_ORDER, _LENGTH, _KIND, _TOKEN = range(4)  # what a random number is for


def most_predictions(length, rate):
    """How many positions of a row of `length` tokens are masked at most: 20 of 128, 77 of 512 at a rate of 0.15."""
    return max(1, int(np.ceil(round(length * rate, 6))))


class Masker(object):
    """Masks rows.

    Args:
        vocab_size: int, tokens to replace others by have ids below it.
        mask_id: int, of [MASK].
        never: ids of the tokens that are never masked: [PAD], [CLS], [SEP], [MASK].
        predictions: int, P.
        rate: float, share of the tokens of a row.
        ngrams: int, the most words that are masked together.
        whole_words: False for single tokens, as in Google's first releases.
    """

    def __init__(self, vocab_size, mask_id, never, predictions, rate=0.15, ngrams=1, whole_words=True):
        self.vocab_size, self.mask_id, self.predictions = vocab_size, mask_id, predictions
        self.rate, self.ngrams, self.whole_words = rate, ngrams, whole_words
        self.maskable = np.ones(vocab_size, bool)
        self.maskable[list(never)] = False

    def __call__(self, token_ids, word_starts, lengths, keys):
        """Masks a batch; a row's masks depend on the row and its key alone.

        Args:
            token_ids: int32 [B, T].
            word_starts: bool [B, T], whether a word begins with the token.
            lengths: int [B], how many tokens of each row are no padding.
            keys: uint64 [B], random numbers, such as `hashed(seed, epoch, row)`.

        Returns:
            Masked.
        """
        maskable = self.maskable[token_ids] & (np.arange(token_ids.shape[1]) < lengths[:, None])  # [B, T]
        before = np.concatenate([np.zeros((len(maskable), 1), bool), maskable[:, :-1]], axis=1)
        starts = maskable & (word_starts | ~before) if self.whole_words else maskable
        words = np.cumsum(starts, axis=1) - 1  # [B, T], the number of each token's word
        wanted = np.minimum(self.predictions, np.maximum(1, np.rint(lengths * self.rate))).astype('int64')
        covered = self._choose(words, maskable, wanted, keys)  # [B, W]
        chosen = maskable & np.take_along_axis(covered, np.maximum(words, 0), axis=1)  # [B, T]
        return self._replace(token_ids, chosen, keys)

    def _choose(self, words, maskable, wanted, keys):
        """Which words are masked, bool [B, W]."""
        batch, count = len(words), int(words.max()) + 1
        rows = np.arange(batch)
        flat = (rows[:, None] * count + words)[maskable]
        sizes = np.bincount(flat, minlength=batch * count).reshape(batch, count)  # [B, W]
        ends = np.concatenate([np.zeros((batch, 1), int), np.cumsum(sizes, axis=1)], axis=1)  # [B, W + 1]
        counts = (sizes > 0).sum(axis=1)
        order = hashed(keys[:, None], _ORDER, np.arange(count))
        order[sizes == 0] = np.iinfo('uint64').max
        order = np.argsort(order, axis=1, kind='mergesort')  # [B, W]
        spans = self._spans(counts, keys, count)  # [B, W]
        covered, taken = np.zeros((batch, count + self.ngrams), bool), np.zeros(batch, 'int64')
        for turn in range(count):
            word, open_ = order[:, turn], (turn < counts) & (taken < wanted)
            if not open_.any():
                break
            span = spans[rows, word]
            for _ in range(self.ngrams):
                span = span - (ends[rows, word + span] - ends[rows, word] > wanted - taken)
                span = np.maximum(span, 0)
            for offset in range(self.ngrams):
                open_ &= ~(covered[rows, word + offset] & (offset < span))
            for offset in range(self.ngrams):
                covered[rows, word + offset] |= open_ & (offset < span)
            taken += np.where(open_, ends[rows, word + span] - ends[rows, word], 0)
        return covered[:, :count]

    def _spans(self, counts, keys, count):
        """How many words would be masked from each on, int64 [B, W]: no more than there are."""
        if self.ngrams == 1:
            return np.ones((len(counts), count), 'int64')
        shares = np.cumsum(1. / np.arange(1, self.ngrams + 1))  # 1, 1 + 1/2, ...
        left = np.clip(counts[:, None] - np.arange(count), 1, self.ngrams)  # [B, W]
        drawn = uniform(hashed(keys[:, None], _LENGTH, np.arange(count))) * shares[left - 1]
        return 1 + (drawn[:, :, None] >= shares).sum(axis=2)

    def _replace(self, token_ids, chosen, keys):
        """The Masked of the tokens that were chosen."""
        positions = np.argsort(~chosen, axis=1, kind='mergesort')[:, :self.predictions]  # [B, P]
        weights = np.arange(positions.shape[1]) < chosen.sum(axis=1)[:, None]
        positions = np.where(weights, positions, 0)
        ids = np.take_along_axis(token_ids, positions, axis=1)
        kind = uniform(hashed(keys[:, None], _KIND, positions))
        tokens = below(hashed(keys[:, None], _TOKEN, positions), self.vocab_size)
        new = np.where(kind < 0.8, self.mask_id, np.where(kind < 0.9, ids, tokens))
        masked = token_ids.copy()
        rows = np.nonzero(weights)[0]
        masked[rows, positions[weights]] = new[weights]
        return Masked(masked, positions.astype('int32'), np.where(weights, ids, 0).astype('int32'),
                      weights.astype('float32'))
