# -*- coding: utf-8 -*-
"""What a training is fed with: the phases, and for each step the arrays that `model.PretrainingBert` takes.

Each target has its weight here, where the whole batch is known: the rows of the batch, by the number of its masked
tokens. The mean over rows, over parts that are accumulated and over devices is then the sum of the losses of the
batch by their number, however unequal the parts are. The same goes for pairs.
Shapes: B rows of a part of a batch, T tokens, P masked positions.
"""
from __future__ import absolute_import, division, print_function

import collections
import contextlib

import numpy as np

from bert4keras.errors import CorpusError
from bert4keras.parallel import parallel_apply_generator
from bert4keras.pretraining.order import hashed
from bert4keras.pretraining.reader import Batches, Corpus
from bert4keras.release.config import longest_row

__all__ = ['Fed', 'Feed', 'Phase', 'check_evaluation', 'evaluation_batches', 'plan', 'prefetched']

# parts: list of (inputs, weights [B, 1 + P]), see `arrays`; tokens, real: how many positions there are, and how many of
# them are no padding; length: T; predictions: P
Fed = collections.namedtuple('Fed', 'parts tokens real length predictions')
_DROPOUT = 1000  # what a random number is for, beside those of the reader
LAST_SHARE = 0.1  # of the steps, in the last of several phases: 10% as in https://arxiv.org/abs/1810.04805


class Phase(object):
    """Some of the steps, of batches of one shape.

    Attributes:
        corpus: Corpus. batches: Batches. stop: int, the step that it ends before. has_pairs: bool.
    """

    def __init__(self, corpus, length, batch_size, seed, rate, stop):
        self.corpus, self.stop = corpus, stop
        self.batches = Batches(corpus, batch_size, seed, rate, length=length)
        self.has_pairs = corpus.mode != 'roberta'

    def described(self):
        """What it is, as a dict that can be compared."""
        names = 'mode', 'length', 'seed', 'rows', 'tokens', 'vocabulary_sha256'
        return dict({name: self.corpus.info.get(name) for name in names}, stop=self.stop,
                    cut_to=self.batches.length)

    def check_config(self, config):
        """ValueError unless a model of this config takes the rows."""
        for name, has, needs in (('vocab_size', config['vocab_size'], self.corpus.vocab_size),
                                 ('max_position_embeddings', longest_row(config), self.batches.length),
                                 ('type_vocab_size', config['type_vocab_size'], 1 + self.has_pairs)):
            if has < needs:
                raise ValueError('the config has %s = %d, and the corpus %s needs %d'
                                 % (name, has, self.corpus.directory, needs))
        if config['pad_token_id'] != self.corpus.special_ids['pad']:
            raise ValueError('the config has pad_token_id = %d, but [PAD] is %d in the vocabulary of %s'
                             % (config['pad_token_id'], self.corpus.special_ids['pad'], self.corpus.directory))


def plan(corpora, lengths, steps, batch_size, seed, rate=0.15):
    """The Phases of a training.

    Args:
        corpora: list of directories that `bert4keras corpus` made: of one vocabulary and mode.
        lengths: list of ints, the tokens of each phase; None for the corpora's own. A phase has the corpus of the
            least length that is enough. Of mode roberta longer rows are cut, in each epoch elsewhere.
        steps: int; the last of several phases has a tenth of them, the others are equal.
        batch_size, seed: ints.
        rate: float above 0 and below 1, the share of tokens that are masked.

    Raises:
        CorpusError: a corpus that is none, or of another vocabulary or mode. ValueError: no corpus has a length.
    """
    found = [Corpus(directory) for directory in corpora]
    if not found:
        raise ValueError('no corpus is given')
    for corpus in found:
        _check_alike(corpus, found[0])
    pairs = [(corpus, corpus.length) for corpus in found] if lengths is None else [
        (_of_length(found, length), length) for length in lengths]
    if len(pairs) > steps:
        raise ValueError('there are %d phases, and only %d steps' % (len(pairs), steps))
    before = len(pairs) - 1
    last = steps - max(1, int(round(LAST_SHARE * steps))) if before else 0
    stops = [max(number, last * number // before) for number in range(1, before + 1)] + [steps]
    return [Phase(corpus, length, batch_size, seed, rate, stop) for (corpus, length), stop in zip(pairs, stops)]


def _check_alike(corpus, other):
    """CorpusError unless two Corpora are of one mode and vocabulary."""
    for name in ('mode', 'vocabulary_sha256'):
        if corpus.info.get(name) != other.info.get(name):
            raise CorpusError('%s has %s %s, and %s has %s; all must have the same' % (
                corpus.directory, name, corpus.info.get(name), other.directory, other.info.get(name)))


def _of_length(corpora, length):
    """The corpus with the shortest rows of at least `length` tokens, if it can be had in that length."""
    fits = sorted((corpus for corpus in corpora if corpus.length >= length), key=lambda corpus: corpus.length)
    if fits and (fits[0].length == length or fits[0].mode == 'roberta'):
        return fits[0]
    raise ValueError('no corpus has rows of %d tokens: there are those of %s%s; make one with --length %d'
                     % (length, ' and '.join(str(corpus.length) for corpus in corpora),
                        ', and pairs cannot be cut' if fits else '', length))


class Feed(object):
    """From a step to its arrays: a function without a state. Called by threads, too.

    Args:
        phases: list of Phases.
        batch_size, accumulate: ints; the parts are of batch_size / accumulate rows.
        seed: int, of dropout.
    """

    def __init__(self, phases, batch_size, accumulate, seed):
        self.phases, self.batch_size, self.accumulate, self.seed = phases, batch_size, accumulate, seed

    def __call__(self, step):
        """The Fed of a step, from 0 on."""
        batches = next(phase.batches for phase in self.phases if step < phase.stop)
        batch = batches.batch(step)
        inputs, weights = arrays(batch)
        inputs.append(chance(self.seed, step, self.batch_size))
        counts = np.concatenate([weights[:, :1].sum(axis=1).sum(keepdims=True),
                                 [weights[:, 1:].sum()] * batches.predictions])
        weights = (weights * (self.batch_size / np.maximum(counts, 1))).astype('float32')
        edges = np.arange(self.accumulate + 1) * (self.batch_size // self.accumulate)
        parts = [([array[start:stop] for array in inputs], weights[start:stop])
                 for start, stop in zip(edges, edges[1:])]
        return Fed(parts, batch['token_ids'].size, int(batch['lengths'].sum()), batches.length, batches.predictions)


def arrays(batch):
    """What `Batches.batch` gives -> ([token ids, segment ids, positions, targets], weights float32 [B, 1 + P]).

    The first target is the label of the pair; without one its weight is 0.
    """
    labels = batch.get('labels', np.full(len(batch['token_ids']), -1))[:, None]
    targets = np.concatenate([np.maximum(labels, 0), batch['masked_ids']], axis=1).astype('int32')
    weights = np.concatenate([labels >= 0, batch['masked_weights']], axis=1).astype('float32')
    return [batch['token_ids'], batch['segment_ids'], batch['masked_positions'], targets], weights


def chance(seed, step, rows):
    """int32 [B, 3] for each row of a step: two random numbers below 2 ** 29, and 1: see `model.dropped`."""
    drawn = hashed(seed, _DROPOUT, step, np.arange(rows))
    return np.stack([drawn >> np.uint64(35), drawn << np.uint64(29) >> np.uint64(35), np.ones(rows)],
                    axis=1).astype('int32')


def prefetched(feed, start, stop):
    """Yields (step, feed(step)) for the steps from `start` to `stop`, which a thread reads in advance."""
    pairs = parallel_apply_generator(feed, range(start, stop), 1, 2, dummy=True)
    with contextlib.closing(pairs):
        for index, fed in pairs:
            yield start + index, fed


def check_evaluation(directory, settings, config):
    """Checks that a model in training, and its config, can be asked about the rows of a corpus.

    Raises:
        CorpusError: it is none, or of another vocabulary or mode. ValueError: its rows are too long.
    """
    corpus = Corpus(directory)
    _check_alike(corpus, settings.phases[0].corpus)
    if corpus.mode != 'roberta' and corpus.length > longest_row(config):
        raise ValueError('the rows of %s have %d tokens, and the model takes %d: make it with --length %d'
                         % (directory, corpus.length, longest_row(config), longest_row(config)))


def evaluation_batches(directory, settings, step):
    """Yields (inputs, weights of 0 and 1) of each row of a corpus once, in the shape of the step's phase.

    15% are masked whatever the rate of the training is, so that trainings can be compared.
    """
    phase = next(phase for phase in settings.phases if step <= phase.stop)
    corpus = Corpus(directory)
    rows = settings.batch_size // settings.accumulate
    length = min(corpus.length, phase.batches.length) if corpus.mode == 'roberta' else None
    batches = Batches(corpus, rows, settings.seed, length=length)
    for number in range(-(-len(corpus) // rows)):
        inputs, weights = arrays(batches.batch(number))
        weights[len(corpus) - number * rows:] = 0  # of the second epoch
        yield inputs + [np.zeros((rows, 3), 'int32')], weights
