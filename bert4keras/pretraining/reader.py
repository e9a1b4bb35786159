# -*- coding: utf-8 -*-
"""A corpus, read as the batches that a model is trained on, any of them at any time.

    corpus = Corpus('corpus')
    batches = Batches(corpus, batch_size=256, seed=1)
    for step in range(start, steps):
        inputs = batches.batch(step)            # or batches.batch(step, 64, 128): these rows of it

Batch s has the rows at the places s * batch_size ... of all epochs' orders, one after the other; the order of an epoch
is a permutation by (seed, epoch), and a row's masks are a function of (seed, epoch, row). So there is nothing to save
or to seek when training goes on; every row comes once in an epoch, and several machines each take a part of a batch.
Shapes: B batch, T tokens, P masked positions.
"""
from __future__ import absolute_import, division, print_function

import collections
import mmap
import os

import numpy as np

from bert4keras.compat import fspath
from bert4keras.errors import CorpusError
from bert4keras.files import open_regular_file
from bert4keras.pretraining.corpus import INDEX, SHARD, VOCABULARIES, read_corpus_json, read_index
from bert4keras.pretraining.masks import Masker, most_predictions
from bert4keras.pretraining.order import below, hashed, permuted
from bert4keras.pretraining.packing import NO_LABEL
from bert4keras.pretraining.records import decode_example, read_record

__all__ = ['Batches', 'Corpus', 'Rows']

# token_ids int32 [B, T], word_starts bool [B, T]; lengths, boundaries, labels int32 [B]; see `Corpus.rows`
Rows = collections.namedtuple('Rows', 'token_ids word_starts lengths boundaries labels')
MAX_OPEN = 64  # shards that are mapped at a time
_ALBERT_NGRAMS = 3
_ORDER, _MASKS, _PLACES = range(3)  # what a random number is for


class Corpus(object):
    """The rows of a corpus, by their number. May be pickled, and used by several threads and processes.

    Args:
        directory: that `bert4keras corpus` made.

    Attributes:
        info: dict, the content of corpus.json.
        mode: 'roberta', 'bert' or 'albert'; without segments and labels for roberta.
        length: int, T.
        vocab_size: int.
        vocabularies: list of the paths of the vocabulary's files.

    Raises:
        CorpusError: the directory has no finished corpus.
    """

    def __init__(self, directory):
        self.directory = fspath(directory)
        self.info = read_corpus_json(self.directory)
        try:
            self.mode, self.length, self.vocab_size = [self.info[name] for name in ('mode', 'length', 'vocab_size')]
            self.special_ids = {name: self.info['special_ids'][name] for name in ('pad', 'cls', 'sep', 'mask')}
            self._ends = np.cumsum(self.info['shard_rows'])
            self._dtype = {2: '<u2', 4: '<u4'}[self.info['bytes_of_id']]
        except (KeyError, TypeError, ValueError) as error:
            raise CorpusError('%s: corpus.json is damaged or of another version (%s); build the corpus again'
                              % (self.directory, error))
        self._shards = collections.OrderedDict()

    def __len__(self):
        """The number of rows."""
        return int(self._ends[-1])

    def __getstate__(self):
        return dict(self.__dict__, _shards=collections.OrderedDict())

    @property
    def vocabularies(self):
        """The paths of the vocabulary's files."""
        paths = [os.path.join(self.directory, name) for name in VOCABULARIES]
        return [path for path in paths if os.path.exists(path)]

    def rows(self, indices):
        """Reads rows.

        Args:
            indices: ints [B], from 0 to len(self) - 1.

        Returns:
            Rows, padded with [PAD] to T; padding starts no words. Where there is no segment B, the boundary is the
            length and the label -1.

        Raises:
            IndexError: no such row. CorpusError: a file is missing, damaged or of another corpus.
        """
        indices = np.asarray(indices)
        if indices.size and not (0 <= indices.min() and indices.max() < len(self)):
            raise IndexError('there are rows 0 to %d, not %d to %d' % (len(self) - 1, indices.min(), indices.max()))
        batch = len(indices)
        token_ids = np.full((batch, self.length), self.special_ids['pad'], 'int32')
        word_starts = np.zeros((batch, self.length), bool)
        lengths, boundaries, labels = [np.zeros(batch, 'int32') for _ in range(3)]
        shards = np.searchsorted(self._ends, indices, side='right')
        for row, (shard, index) in enumerate(zip(shards.tolist(), indices.tolist())):
            ids, starts, boundary, label = self._row(shard, index - (int(self._ends[shard - 1]) if shard else 0))
            size = len(ids)
            token_ids[row, :size], word_starts[row, :size] = ids, starts
            lengths[row], boundaries[row], labels[row] = size, boundary, label
        return Rows(token_ids, word_starts, lengths, boundaries, labels)

    def _row(self, shard, index):
        """(token ids, word starts, boundary, label) of a row of a shard."""
        data, offsets, path = self._shard(shard)
        offset = int(offsets[index])
        try:
            row = decode_example(read_record(data, path, offset))
            ids = np.frombuffer(row['token_ids'], self._dtype)
            starts = np.unpackbits(np.frombuffer(row['word_starts'], 'uint8'))[:len(ids)]
            boundary, = row.get('boundary', [len(ids)])
            label, = row.get('label', [NO_LABEL])
            if 0 < len(starts) == len(ids) <= self.length and ids.max() < self.vocab_size and boundary <= len(ids):
                return ids, starts, boundary, label
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, CorpusError):
                raise
        raise CorpusError('%s: byte %d: the row is not one of this corpus; build it again' % (path, offset))

    def _shard(self, number):
        """(mapped bytes, offsets, path) of a shard; those used last stay open."""
        shards = self._shards
        found = shards.pop(number, None) or self._open(number)
        shards[number] = found
        if len(shards) > MAX_OPEN:
            shards.popitem(last=False)
        return found

    def _open(self, number):
        path = os.path.join(self.directory, SHARD % number)
        header, offsets = read_index(os.path.join(self.directory, INDEX % number))
        if any(header['options'].get(name) != self.info.get(name) for name in header['options']) \
                or header['rows'] != self.info['shard_rows'][number]:
            raise CorpusError('%s is of another corpus than corpus.json; build the corpus again' % path)
        with open_regular_file(path) as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), offsets, path


class Batches(object):
    """Masked batches of a corpus; see the module's docstring.

    Args:
        corpus: Corpus, or the path of one.
        batch_size: int, rows of a batch, of all machines together.
        seed: int from 0 on; another one for another order and other masks.
        rate: float above 0 and below 1, the share of tokens that are masked.
        predictions: int, P; by default as many as a full row needs.
        ngrams: int, the most words that are masked together; by default 3 for albert, else 1.
        whole_words: False to mask single tokens.
        length: int, T, at least 8: longer rows are cut to it, in each epoch from another place; only of mode roberta.
            None for the corpus' own.

    Attributes:
        corpus, batch_size, length: as given.
        predictions: int, P.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(self, corpus, batch_size, seed=0, rate=0.15, predictions=None, ngrams=None, whole_words=True,
                 length=None):
        self.corpus = corpus if isinstance(corpus, Corpus) else Corpus(corpus)
        if ngrams is None:
            ngrams = _ALBERT_NGRAMS if self.corpus.mode == 'albert' else 1
        for name, value, is_right in (('batch_size', batch_size, batch_size >= 1), ('seed', seed, 0 <= seed < 1 << 63),
                                      ('rate', rate, 0 < rate < 1), ('ngrams', ngrams, ngrams >= 1)):
            if not is_right:
                raise ValueError('%s is %r, which is out of range' % (name, value))
        self.length = self.corpus.length if length is None else length
        if not 8 <= self.length <= self.corpus.length or (
                self.length < self.corpus.length and self.corpus.mode != 'roberta'):
            raise ValueError('length is %r; the rows of %s have %d tokens, and can be cut, to 8 at least, in mode '
                             'roberta only' % (length, self.corpus.directory, self.corpus.length))
        self.predictions = most_predictions(self.length, rate) if predictions is None else predictions
        if not 1 <= self.predictions <= self.length:
            raise ValueError('predictions is %r; it must be from 1 to the length of a row, %d'
                             % (self.predictions, self.length))
        self.batch_size, self.seed = batch_size, seed
        special = self.corpus.special_ids
        self._mask = Masker(self.corpus.vocab_size, special['mask'], sorted(special.values()), self.predictions, rate,
                            ngrams, whole_words)

    def epoch(self, step):
        """The epoch, from 0, of the first row of a batch."""
        return step * self.batch_size // len(self.corpus)

    def indices(self, step, start=0, stop=None):
        """(the numbers of a batch's rows, the epoch of each): int64 [B] both; see `batch` for the arguments."""
        stop = self.batch_size if stop is None else stop
        if step < 0 or not 0 <= start < stop <= self.batch_size:
            raise ValueError('step %d, rows %d to %d: a batch has rows 0 to %d' % (step, start, stop, self.batch_size))
        places = step * self.batch_size + np.arange(start, stop, dtype='int64')
        epochs, places = places // len(self.corpus), places % len(self.corpus)
        return permuted(places, len(self.corpus), self.seed, _ORDER, epochs), epochs

    def batch(self, step, start=0, stop=None):
        """A batch, or some of its rows: the part of one machine, or a micro-batch.

        Args:
            step: int from 0 on, of all epochs.
            start, stop: int, the first row and the one after the last; by default all.

        Returns:
            dict of arrays, B = stop - start:
                token_ids int32 [B, T], masked, and segment_ids int32 [B, T], both 0 in the padding if [PAD] is 0;
                masked_positions, masked_ids int32 [B, P], masked_weights float32 [B, P]: where masks are, what stood
                there, and 1, or 0 for what is not used;
                lengths int32 [B], how many tokens are no padding;
                labels int32 [B], for bert and albert only.

        Raises:
            CorpusError: a file is missing or damaged. ValueError: no such rows.
        """
        indices, epochs = self.indices(step, start, stop)
        rows = self._cut(self.corpus.rows(indices), epochs, indices)
        masked = self._mask(rows.token_ids, rows.word_starts, rows.lengths, hashed(self.seed, _MASKS, epochs, indices))
        columns = np.arange(self.length)
        segments = (columns >= rows.boundaries[:, None]) & (columns < rows.lengths[:, None])
        batch = {'token_ids': masked.token_ids, 'segment_ids': segments.astype('int32'), 'lengths': rows.lengths,
                 'masked_positions': masked.positions, 'masked_ids': masked.ids, 'masked_weights': masked.weights}
        if self.corpus.mode != 'roberta':
            batch['labels'] = rows.labels
        return batch

    def _cut(self, rows, epochs, indices):
        """Rows of T tokens at most, from the beginning of a word on: [CLS], a part, [SEP]."""
        if self.length == self.corpus.length:
            return rows
        length, special = self.length, self.corpus.special_ids
        cut = Rows(rows.token_ids[:, :length].copy(), rows.word_starts[:, :length].copy(),
                   np.minimum(rows.lengths, length), np.minimum(rows.boundaries, length), rows.labels)
        drawn = hashed(self.seed, _PLACES, epochs, indices)
        for row in np.flatnonzero(rows.lengths > length):
            ids, starts = rows.token_ids[row], rows.word_starts[row]
            place = 1 + int(below(drawn[row], int(rows.lengths[row]) - length + 1)[0])
            place = 1 + int(np.flatnonzero(starts[1:place + 1])[-1])
            cut.token_ids[row, 1:-1] = ids[place:place + length - 2]
            cut.word_starts[row, 1:-1] = starts[place:place + length - 2]
            cut.token_ids[row, -1], cut.word_starts[row, -1] = special['sep'], True
        return cut
