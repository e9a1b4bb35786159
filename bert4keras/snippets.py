# -*- coding: utf-8 -*-
"""What people write again and again around the model, under one roof.

Needs NumPy only, until a `BucketedBatches` is made. Shapes: B batch, T tokens.
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.batching import check_token_ids, padded_length
from bert4keras.early.text import (  # of releases up to 0.11; `open` is not in __all__, as it is Python's own name
    ViterbiDecoder, WebServing, convert_to_str, convert_to_unicode, delete_arguments, insert_arguments, is_one_of,
    is_py2, is_string, longest_common_subsequence, longest_common_substring, lowercase_and_normalize,
    orthogonally_resize, refused, softmax, string_matching, strQ2B, text_segmentate, to_array, truncate_sequences)
from bert4keras.early.text import open_text as open  # noqa: F401
from bert4keras.embedding import POOLINGS, embed, normalize
from bert4keras.errors import TextError
from bert4keras.parallel import WorkerError, parallel_apply, parallel_apply_generator
from bert4keras.search import Limits, beam_search, sample

__all__ = ['POOLINGS', 'TextError', 'embed', 'normalize', 'padded_length', 'check_token_ids', 'sequence_padding',
           'DataGenerator', 'AutoRegressiveDecoder', 'BucketedBatches', 'WorkerError', 'parallel_apply',
           'parallel_apply_generator', 'ViterbiDecoder', 'WebServing', 'convert_to_str', 'convert_to_unicode',
           'delete_arguments', 'insert_arguments', 'is_one_of', 'is_py2', 'is_string', 'longest_common_subsequence',
           'longest_common_substring', 'lowercase_and_normalize', 'orthogonally_resize', 'softmax', 'string_matching',
           'strQ2B', 'text_segmentate', 'to_array', 'truncate_sequences']


def sequence_padding(inputs, length=None, value=0, seq_dims=1, mode='post', padding=None):
    """Makes one array of sequences of several lengths; as in bert4keras 0.11.

    Args:
        inputs: list of B lists or arrays, with the same number of axes.
        length: None for the longest's, or an int, or one int for each of the first `seq_dims` axes.
            Longer sequences lose their end, in either mode.
        value: number to pad with.
        seq_dims: int, how many axes differ in length and are padded; the others are equal.
        mode: 'post' pads at the end, 'pre' at the start.
        padding: another name of `value`, as in 0.2.

    Returns:
        array [B, length, ...], of the type of the inputs.

    Raises:
        ValueError: no inputs, another mode, or axes that do not fit.
    """
    value = value if padding is None else padding
    if mode not in ('post', 'pre'):
        raise ValueError("mode must be 'post' or 'pre', not %r" % (mode,))
    arrays = [np.asarray(sequence) for sequence in inputs]
    if not arrays:
        raise ValueError('an empty batch: there is no sequence to pad')
    for index, array in enumerate(arrays):
        if array.ndim < seq_dims:
            raise ValueError('sequence %d has %d axes, fewer than seq_dims=%d' % (index, array.ndim, seq_dims))
    longest = np.max([array.shape[:seq_dims] for array in arrays], axis=0)
    lengths = longest if length is None else np.ravel(length)
    if len(lengths) != seq_dims:
        raise ValueError('length has %d numbers, but seq_dims is %d' % (len(lengths), seq_dims))
    # an empty list has floats and one axis for NumPy: it decides neither type nor shape
    filled = [array for array in arrays if array.size] or arrays
    result = np.full((len(arrays),) + tuple(lengths) + filled[0].shape[seq_dims:], value,
                     dtype=np.result_type(*filled))
    for row, array in zip(result, arrays):
        cut = array[tuple(slice(size) for size in lengths)]
        if cut.size:
            row[tuple(slice(size) if mode == 'post' else slice(total - size, None)
                      for size, total in zip(cut.shape, lengths))] = cut
    return result


class DataGenerator(object):
    """The base of bert4keras 0.11 for generators of batches of one's own; `BucketedBatches` is a ready one.

    A subclass defines `__iter__(self, random=False)`, which yields (inputs, labels) for one pass, from
    the items that `self.sample(random)` gives. `model.fit(generator.forfit(), steps_per_epoch=len(generator))`.

    Args:
        data: the items: a sequence, or an iterable that can be gone through again and again.
        batch_size: int, B.
        buffer_size: int, for an iterable of unknown length: how many items are shuffled among each
            other; 1000 batches by default.
        seed: None to draw from `numpy.random`, or an int: the order is then that of (seed, number of the pass).

    Attributes:
        steps: number of batches in a pass, the last smaller one included; None for unknown length.
    """

    def __init__(self, data, batch_size=32, buffer_size=None, seed=None):
        if batch_size < 1:
            raise ValueError('batch_size must be at least 1, not %r' % (batch_size,))
        self.data, self.batch_size = data, batch_size
        self.steps = -(-len(data) // batch_size) if hasattr(data, '__len__') else None
        self.buffer_size = buffer_size or batch_size * 1000
        self.seed, self._passes = seed, 0

    def __len__(self):
        if self.steps is None:
            raise TypeError('the number of batches is not known: the data has no length')
        return self.steps

    def __iter__(self, random=False):
        raise NotImplementedError('a subclass yields batches here, from self.sample(random)')

    def sample(self, random=False):
        """Yields (whether it is the last, item) for one pass, in random order if asked."""
        items = self._shuffled() if random else iter(self.data)
        for item in items:
            break
        else:
            return
        for following in items:
            yield False, item
            item = following
        yield True, item

    def _shuffled(self):
        """Yields the items of one pass in random order."""
        draw = np.random if self.seed is None else np.random.RandomState([self.seed, self._passes])
        self._passes += 1
        if self.steps is not None:
            for index in draw.permutation(len(self.data)):
                yield self.data[index]
            return
        buffered = []
        for item in self.data:
            if len(buffered) == self.buffer_size:
                place = draw.randint(len(buffered))
                item, buffered[place] = buffered[place], item
                yield item
            else:
                buffered.append(item)
        for index in draw.permutation(len(buffered)):
            yield buffered[index]

    def forfit(self, random=True):
        """Yields batches without end, pass after pass: what `model.fit` wants, with `steps_per_epoch`."""
        while True:
            empty = True
            for batch in self.__iter__(random):
                empty = False
                yield batch
            if empty:
                raise ValueError('the data has no batch; is it empty, or used up?')

    def fortest(self, random=False):
        """Yields the inputs of `forfit` alone: what `model.predict` wants, with `steps`."""
        for batch in self.forfit(random):
            yield batch[0]

    to_dataset = refused('DataGenerator.to_dataset', 'give `forfit()` to fit, or to tf.data.Dataset.from_generator')


class AutoRegressiveDecoder(object):
    """The base of bert4keras 0.11 for generating by a `predict` of one's own; `decoding.TextGenerator` is a ready one.

    A subclass defines `predict(self, inputs, output_ids, states)`, which gets the inputs, arrays with a row for each
    beam or sample, and what was generated so far, int [rows, tokens]; it returns the probabilities of the next token,
    [rows, V], or logits under `@AutoRegressiveDecoder.wraps('logits')`. Without `wraps`, as before 0.8, the third
    argument is the number of tokens generated so far. Differences from 0.11: beam search follows `search.beam_search`
    with the sum as the score, goes on until there are as many ends as beams, and no end comes before minlen; `min_ends`
    must be 1.

    Args:
        start_id: int, the token that `output_ids` begins with; None for none.
        end_id: int, the token that ends a text.
        maxlen: int, the most tokens that are generated, the end counted.
        minlen: int, the fewest.
    """

    def __init__(self, start_id, end_id, maxlen, minlen=1):
        self.start_id, self.end_id, self.maxlen, self.minlen = start_id, end_id, maxlen, minlen
        self.limits = Limits(end_id, maxlen, max(minlen - 1, 0))
        self.first_output_ids = np.full((1, int(start_id is not None)), start_id or 0, 'int64')

    def predict(self, inputs, output_ids, states):
        raise NotImplementedError('a subclass returns the probabilities of the next token here')

    @staticmethod
    def wraps(default_rtype='probas', use_states=False):
        """A decorator of `predict`, which returns 'probas' or 'logits'; with `use_states` (these, the next states)."""
        if default_rtype not in ('probas', 'logits'):
            raise ValueError("predict must return 'probas' or 'logits', not %r" % (default_rtype,))

        def decorate(predict):
            def wrapped(self, inputs, output_ids, states=None):
                outputs = predict(self, inputs, output_ids, states)
                outputs, states = outputs if use_states else (outputs, None)
                outputs = np.asarray(outputs, 'float64')
                return softmax(outputs) if default_rtype == 'logits' else outputs, states
            wrapped.gives_states = True
            return wrapped
        return decorate

    @staticmethod
    def set_rtype(default='probas'):
        """The decorator of 0.7: as `wraps`, but the third argument of `predict` is the number of tokens so far."""
        def decorate(predict):
            wrapped = AutoRegressiveDecoder.wraps(default)(predict)
            return lambda self, inputs, output_ids, step: wrapped(self, inputs, output_ids, step)[0]
        return decorate

    def last_token(self, model):
        """An object whose `predict` gives what a model of ids, [rows, T, V], says of the last position, [rows, V]."""
        return _LastToken(model)

    def beam_search(self, inputs, topk, states=None, temperature=1, min_ends=1):
        """The best of `topk` beams: int array of token ids, with the end if there is one. `inputs`: a list of rows."""
        self._check(min_ends)
        step = self._step(inputs, topk, states, temperature)
        return self._with_end(beam_search(step, 1, self.limits, topk, 0)[0][0])

    def random_sample(self, inputs, n, topk=None, topp=None, states=None, temperature=1, min_ends=1):
        """Draws n texts: a list of n arrays such as `beam_search` returns. The seed is numpy.random's."""
        self._check(min_ends)
        found = sample(self._step(inputs, n, states), [0], self.limits, n, temperature, topk, topp)[0]
        return [self._with_end(one) for one in found]

    @staticmethod
    def _check(min_ends):
        if min_ends != 1:
            raise ValueError('min_ends must be 1, not %r: generate up to the first end, add that to the inputs, and '
                             'generate again' % (min_ends,))

    def _step(self, inputs, rows, states=None, temperature=1):
        """The `step` of so many rows of one text, as `search` wants it."""
        inputs = [np.repeat(np.asarray(one)[None], rows, axis=0) for one in inputs]
        output_ids = [np.repeat(self.first_output_ids, rows, axis=0)]
        given = [states]

        def step(parents, token_ids):
            if parents is not None:
                output_ids[0] = np.concatenate([output_ids[0][parents], token_ids[:, None]], axis=1)
            if getattr(self.predict, 'gives_states', False):
                probabilities, given[0] = self.predict(inputs, output_ids[0], given[0])
            else:
                probabilities = self.predict(inputs, output_ids[0], output_ids[0].shape[1])
            with np.errstate(divide='ignore'):
                scores = np.log(np.asarray(probabilities, 'float64')) / temperature
            return scores if temperature == 1 else np.log(softmax(scores))
        return step

    def _with_end(self, found):
        return np.array(found.token_ids + [self.end_id] * (len(found.token_ids) < self.maxlen), 'int64')


class _LastToken(object):
    """What `AutoRegressiveDecoder.last_token` returns."""

    def __init__(self, model):
        self.model = model

    def predict(self, inputs):
        return np.asarray(self.model.predict_on_batch(inputs))[:, -1]


def BucketedBatches(*args, **kwargs):
    """Makes a `generators.BucketedBatches`, the class to subclass; its base is one of Keras, which starts here."""
    from bert4keras import generators
    return generators.BucketedBatches(*args, **kwargs)
