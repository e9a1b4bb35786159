# -*- coding: utf-8 -*-
"""Texts and labels as padded batches for `model.fit`, on every Keras.

Shapes: N texts, B batch, T tokens, C classes.
"""
from __future__ import absolute_import, division, print_function

import functools
import logging

import numpy as np

from bert4keras import backend
from bert4keras.backend import keras
from bert4keras.batching import check_rows, encode_texts, pad_rows, padded_length, positions_of
from bert4keras.losses import NO_LABEL
from bert4keras.parallel import parallel_apply

__all__ = ['BucketedBatches']

NOT_BEGUN = -1
logger = logging.getLogger(__name__)


class BucketedBatches(keras.utils.Sequence):
    """Batches of texts of similar length, padded to few widths, each epoch in another order.

    What is in which batch is a pure function of (seed, epoch), whoever asks and how often. All texts are
    tokenized, and everything is checked, here, before anything trains. Call `model.fit(batches,
    shuffle=False)`: Keras' own shuffling would reorder the batches with an unseeded generator.

    Args:
        model: the model that will be trained: its positions, its vocabulary and its number of classes are
            what texts and labels are checked against. None checks neither.
        tokenizer: with the model's vocabulary; or None, and `texts` holds (token ids, segment ids).
        texts: list of N strings, or of pairs of strings.
        labels: list of N classes (int), or numbers or vectors (float), or lists of a class (int) for each
            token, [CLS] and [SEP] included, `losses.NO_LABEL` for none; or, for a model [B, K, T] such as that of
            `head='span'`, lists of K positions (int), NO_LABEL for none; a tuple of several such lists for a model
            of several outputs; or a function from a batch's (token ids, segment ids) to labels, such as
            `losses.seq2seq_labels`. A function is called for all texts once before training, to be checked.
        batch_size: int, B. The last batch, which is the one of the shortest texts, has what is left.
        max_length: None, or the number of tokens that longer texts are cut to; how many is logged.
        shuffle: False for the same order in each epoch: by length, see `order`.
        seed: int.
        drop_last: True to leave out the batch that is smaller than B: other texts in each epoch.
        accumulate: None, or the number of batches that the optimizer accumulates into one update. Batches
            then have weights, for `losses.CrossEntropy(targets_per_row=1)`, that make the update's loss
            the mean over all its targets. A window that is not full at the end of an epoch goes on in the next.
            A function must then give a text as many labels each time.
        processes: int, how many tokenize; 0 for this one. What is left to be done while training is to pad:
            Keras' own workers are not needed, though those of Keras 2 (`fit(workers=...)`) work.

    Attributes:
        epoch: int, number of the epoch whose batches there are. `fit` counts it up, a whole pass each time,
            so no `steps_per_epoch`; set it to resume, or in a loop of your own.
        order: int array, the index of the text of each row, batch after batch.
        padding_share: float, share of padding among the epoch's tokens.

    Raises:
        TextError: a text without a token, with more tokens than the model has positions, or with token ids
            that it lacks. ValueError: no texts, labels that do not fit, an argument out of range.
    """

    def __init__(self, model, tokenizer, texts, labels, batch_size=32, max_length=None, shuffle=True, seed=0,
                 drop_last=False, accumulate=None, processes=0):
        super(BucketedBatches, self).__init__()
        for name, value in (('batch_size', batch_size), ('accumulate', 1 if accumulate is None else accumulate)):
            if value < 1:
                raise ValueError('%s must be at least 1, not %r' % (name, value))
        layers = {layer.name: layer for layer in model.layers} if model is not None else {}
        rows = check_rows(_tokenize(tokenizer, texts, max_length, processes), max_length, positions_of(layers),
                          getattr(layers.get('Embedding-Token'), 'vocab_size', None))
        self.rows = [tuple(np.array(ids, 'int32') for ids in row) for row in rows]
        self.lengths = np.array([len(token_ids) for token_ids, _ in self.rows], 'int64')
        count = len(self.rows) // batch_size if drop_last else -(-len(self.rows) // batch_size)
        if not count:
            raise ValueError('there is no batch: %d texts, batch_size %d' % (len(self.rows), batch_size))
        self.labels = labels if callable(labels) else _columns(labels, self.lengths, _shapes(model))
        self.pad_token_id = getattr(layers.get('Attention-Mask'), 'pad_token_id', 0)
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        self.accumulate, self._count, self.epoch = accumulate, count, 0
        if callable(labels) or accumulate is not None:
            self._targets = self._count_targets(_classes(model))
        # The batches that Keras has yet to ask for before an epoch can end: see `on_epoch_end`.
        self._says_begin = hasattr(super(BucketedBatches, self), 'on_epoch_begin')
        self._unasked = {NOT_BEGUN} if self._says_begin else set()
        logger.info('%d texts in %d batches of %s tokens: %.1f%% is padding', len(self.rows), count,
                    ', '.join(map(str, sorted(set(map(self._width, self._plan))))), 100 * self.padding_share)

    def __len__(self):
        """The number of batches in an epoch, the same in each."""
        return self._count

    def __getitem__(self, index):
        """Batch `index`, from 0: ((token ids, segment ids), labels), with `accumulate` also weights [B]."""
        if not 0 <= index < len(self):
            raise IndexError('there are batches 0 to %d, not %d' % (len(self) - 1, index))
        self._unasked.discard(index)
        batch = self._batch(index)
        if index == len(self) - 1 and backend.is_asked_by_fit():
            self.epoch += 1
        return batch

    def _batch(self, index):
        """What `__getitem__` returns."""
        inputs, labels = self._inputs_and_labels(self._plan[index])
        if self.accumulate is None:
            return inputs, labels
        share = self.accumulate / self._targets_of_update(index)
        weights = np.full(len(inputs[0]), len(inputs[0]) * share, 'float32')
        return inputs, labels, backend.in_batch([weights] * len(labels)) if _is_several(labels) else weights

    def on_epoch_begin(self):
        """Keras 3 calls it."""
        self._unasked = set(range(len(self)))

    def on_epoch_end(self):
        """Goes on to the next epoch. Keras calls it; Keras 3 also when it has only looked at the first batches."""
        if not self._unasked:
            self.epoch += 1
            self._unasked = {NOT_BEGUN} if self._says_begin else set()

    @property
    def epoch(self):
        return self._epoch

    @epoch.setter
    def epoch(self, epoch):
        self._epoch, self._plan = epoch, self._batches(epoch)

    @property
    def order(self):
        return np.concatenate(self._plan)

    @property
    def padding_share(self):
        computed = sum(len(indices) * self._width(indices) for indices in self._plan)
        return 1 - self.lengths[self.order].sum() / computed

    def _batches(self, epoch):
        """The epoch's batches: list of arrays of at most B indices of texts."""
        draw = np.random.RandomState([self.seed, epoch])
        order = draw.permutation(len(self.rows)) if self.shuffle else np.arange(len(self.rows))
        # By width, not by length, and stable: among texts of one width it is chance who meets whom. The
        # smaller last batch is the one of the narrowest, so that it comes in one shape more at the most.
        widths = np.array([padded_length(length, self.lengths.max()) for length in self.lengths[order]])
        order = order[np.argsort(-widths, kind='mergesort')]
        batches = [order[start:start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        batches = batches[:len(self)]
        if self.shuffle:
            batches = [batches[place] for place in draw.permutation(len(batches))]
            # Keras 3 on TensorFlow takes what the first two batches have in common for what all have.
            other = [place for place, batch in enumerate(batches) if self._width(batch) != self._width(batches[0])]
        else:
            other = [len(batches) - 1]  # the narrowest, while the first one is the widest
        for place in other[:1]:
            batches.insert(1, batches.pop(place))
        return batches

    def _width(self, indices):
        """T of a batch of these texts."""
        return int(padded_length(self.lengths[indices].max(), self.lengths.max()))

    def _inputs_and_labels(self, indices):
        """What is in a batch of these texts."""
        width = self._width(indices)
        inputs = backend.in_batch(pad_rows([self.rows[index] for index in indices], len(indices), width,
                                           self.pad_token_id))
        if callable(self.labels):
            return inputs, self.labels(*inputs)
        labels = [_pad_labels([column[index] for index in indices], width) for column in self.labels]
        return inputs, backend.in_batch(labels) if len(labels) > 1 else labels[0]

    def _targets_of_update(self, index):
        """The number of targets of the update that batch `index` is part of, which may span epochs."""
        first = (self.epoch * len(self) + index) // self.accumulate * self.accumulate
        plans, total = {self.epoch: self._plan}, 0
        for batch in range(first, first + self.accumulate):
            epoch = batch // len(self)
            plans[epoch] = plans.get(epoch) or self._batches(epoch)
            total += self._targets[plans[epoch][batch % len(self)]].sum()
        return max(total, 1)

    def _count_targets(self, classes):
        """The number of targets of each text, [N]: its labels, except for NO_LABEL. Checks what a function makes."""
        targets = np.ones(len(self.rows), 'int64')
        for start in range(0, len(self.rows), self.batch_size):
            indices = np.arange(start, min(start + self.batch_size, len(self.rows)))
            labels = self._inputs_and_labels(indices)[1]
            labels = labels if _is_several(labels) else [labels]
            if callable(self.labels):
                _check_made(labels, indices, classes)
            counts = [_targets_of_rows(part) for part in labels]
            for number, other in enumerate(counts):
                if self.accumulate is not None and not np.array_equal(other, counts[0]):
                    row = np.argmax(other != counts[0])
                    raise ValueError('accumulate: of text %d (counted from 0) outputs 0 and %d have %d and %d targets, '
                                     'which one weight for each text cannot serve'
                                     % (indices[row], number, counts[0][row], other[row]))
            targets[indices] = counts[0]
        return targets


def _tokenize(tokenizer, texts, max_length, processes):
    """Texts or pairs -> list of (token ids, segment ids, whether they were cut)."""
    if tokenizer is None:
        return [(token_ids, segment_ids, False) for token_ids, segment_ids in texts]
    if not processes:
        return encode_texts(tokenizer, texts, max_length)
    texts = list(texts)
    chunks = [texts[start:start + 256] for start in range(0, len(texts), 256)]
    encode = functools.partial(encode_texts, tokenizer, max_length=max_length)
    return sum(parallel_apply(encode, chunks, processes, 2 * processes, unordered=False), [])


def _shapes(model):
    """The shapes of a model's outputs, a list of tuples; [] of no model."""
    shapes = getattr(model, 'output_shape', None) or []
    if not isinstance(shapes, list) and shapes and not isinstance(shapes[0], tuple):
        shapes = [shapes]
    return [shape for shape in shapes if shape]


def _classes(model):
    """How many classes each output of a model has: an int, or None for as many as there are tokens; [] of no model."""
    return [shape[-1] for shape in _shapes(model)]


def _positions(shape):
    """How many positions in a text an output [B, K, T] chooses, K, such as start and end; None of another output."""
    return shape[1] if len(shape) == 3 and shape[1] is not None and shape[2] is None else None


def _bounds(classes, number, is_text, length):
    """The least label and the first that is too large, of an output and of a text (or of a token) of this length."""
    count = classes[number] if number < len(classes) else 1
    if count == 1:  # nobody knows, or one number that may mean anything
        return (-np.inf if is_text else NO_LABEL), np.inf
    return (0 if is_text else NO_LABEL), (length if count is None else count)  # of an output [B, T]: positions


def _columns(labels, lengths, shapes):
    """Labels -> list of one list of N arrays for each output, each label found to fit; see `BucketedBatches`."""
    is_several = isinstance(labels, tuple) and labels and isinstance(labels[0], (list, tuple, np.ndarray))
    columns = [_arrays(column) for column in (labels if is_several else (labels,))]
    for number, column in enumerate(columns):
        where = '' if len(columns) == 1 else ' for output %d' % number
        if len(column) != len(lengths):
            raise ValueError('there are %d labels%s for %d texts' % (len(column), where, len(lengths)))
        positions = _positions(shapes[number]) if number < len(shapes) else None
        for index, (values, length) in enumerate(zip(column, lengths)):
            bounds = _bounds([shape[-1] for shape in shapes], number, not values.ndim, length)
            problem = (_problem(values, column[0], length, bounds, where) if positions is None
                       else _problem_of_positions(values, positions, bounds, where))
            if problem:
                raise ValueError('text %d (counted from 0) has %s' % (index, problem))
        if positions is not None:
            columns[number] = [values[:, None] for values in column]  # not [T]: what each Keras takes for [B, K, T]
    return columns


def _arrays(column):
    """The labels of one output as arrays, all of floats if one is: [[0.5, 0.5], [1, 0]] are two vectors."""
    arrays = [np.asarray(label) for label in column]
    kinds = {array.dtype.kind for array in arrays if array.size}
    return [array.astype('float32') for array in arrays] if 'f' in kinds and kinds <= set('biuf') else arrays


def _problem(values, first, length, bounds, where):
    """What is wrong with a text's label, an array, beside that of the first text; None if nothing is."""
    if values.dtype.kind not in 'biuf':
        return 'the label %s%s, which is no number' % (repr(values.tolist()).lstrip('u'), where)
    if values.dtype.kind == 'f' and not np.isfinite(values).all():
        return 'the label %s%s, which is not finite' % (values, where)
    if values.ndim > 1 or _is_of_tokens(values) != _is_of_tokens(first) or (
            values.shape != first.shape and not _is_of_tokens(values)):
        return 'a label of shape %s%s, but text 0 of %s' % (values.shape, where, first.shape)
    if _is_of_tokens(values) and len(values) != length:
        return '%d labels%s, but %d tokens; a vector that is one label holds floats' % (len(values), where, length)
    return _out_of_bounds(values, bounds, where)


def _problem_of_positions(values, count, bounds, where):
    """As `_problem`, for an output that chooses `count` positions in a text."""
    if values.shape != (count,):
        return 'a label of shape %s%s, but the output has %d positions' % (values.shape, where, count)
    if values.dtype.kind not in 'iu':
        return 'the label %s%s, but positions are whole numbers' % (values.tolist(), where)
    return _out_of_bounds(values, bounds, where)


def _out_of_bounds(values, bounds, where=''):
    """Which of the labels of one text is out of bounds, in words; None if none is."""
    for value in (values.min(), values.max()) if values.dtype.kind in 'iu' else ():
        if not bounds[0] <= value < bounds[1]:
            return 'the label %d%s, but labels are %s to %s' % (value, where, bounds[0], bounds[1] - 1)


def _check_made(labels, indices, classes):
    """Checks the labels, one array [B, ...] for each output, that a function made for these texts."""
    for number, part in enumerate(map(np.asarray, labels)):
        if part.shape[:1] != indices.shape:
            raise ValueError('the labels of %d texts are an array %s' % (len(indices), list(part.shape)))
        for index, values in zip(indices, part):
            problem = _out_of_bounds(values, _bounds(classes, number, False, part.shape[-1]))
            if problem:
                raise ValueError('text %d (counted from 0) has %s' % (index, problem))


def _targets_of_rows(labels):
    """The number of targets in each row of labels [B, ...], [B]: one where they are numbers, not classes."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in 'iu':
        return np.ones(len(labels), 'int64')
    return (labels.reshape(len(labels), -1) >= 0).sum(axis=1)


def _is_several(labels):
    """Whether a batch's labels are those of several outputs."""
    return isinstance(labels, (list, tuple))


def _is_of_tokens(label):
    """Whether a text's label, an array, is a class for each of its tokens."""
    return label.ndim == 1 and label.dtype.kind in 'biu'


def _pad_labels(labels, width):
    """Labels of a batch: [B], vectors or positions [B, K, 1]; or, of tokens, [B, T, 1], which every Keras takes."""
    if not _is_of_tokens(labels[0]):
        return np.array(labels)
    result = np.full((len(labels), width, 1), NO_LABEL, 'int32')
    for row, values in zip(result, labels):
        row[:len(values), 0] = values
    return result
