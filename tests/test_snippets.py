# -*- coding: utf-8 -*-
"""snippets: padding and generators as users of earlier bert4keras know them; all of it without an engine."""
from __future__ import absolute_import, division, print_function

import itertools

import numpy as np
import pytest

from bert4keras import embedding, errors, parallel, snippets
from bert4keras.snippets import DataGenerator, sequence_padding

pytestmark = pytest.mark.engine_free


def test_snippets_offers_what_lives_elsewhere():
    """The old import paths are the same objects."""
    assert snippets.embed is embedding.embed and snippets.POOLINGS is embedding.POOLINGS
    assert snippets.TextError is errors.TextError and snippets.normalize is embedding.normalize
    assert snippets.parallel_apply is parallel.parallel_apply


@pytest.mark.parametrize('arguments, expected', [
    ({}, [[7, 8, 9], [5, 0, 0]]),
    ({'value': 3, 'mode': 'pre'}, [[7, 8, 9], [3, 3, 5]]),
    ({'length': 2}, [[7, 8], [5, 0]]),
    ({'length': 2, 'mode': 'pre'}, [[7, 8], [0, 5]]),
    ({'length': 4, 'value': -1}, [[7, 8, 9, -1], [5, -1, -1, -1]]),
    ({'length': [2]}, [[7, 8], [5, 0]])])
def test_sequence_padding(arguments, expected):
    """Lists and arrays alike; the type stays that of integers, an empty sequence included."""
    for make in (list, np.array):
        result = sequence_padding([make([7, 8, 9]), make([5])], **arguments)
        assert result.tolist() == expected and result.dtype.kind == 'i'
    assert sequence_padding([[], [5]]).dtype.kind == 'i'


def test_sequence_padding_of_several_axes():
    """seq_dims axes are padded, the last one is equal; lengths for each."""
    first, second = np.arange(12).reshape(2, 3, 2), 100 + np.arange(8).reshape(4, 1, 2)
    assert sequence_padding([first, second], seq_dims=2).shape == (2, 4, 3, 2)
    result = sequence_padding([first, second], length=(3, 2), value=9, seq_dims=2)
    assert result[0].tolist() == [[[0, 1], [2, 3]], [[6, 7], [8, 9]], [[9, 9], [9, 9]]]
    assert result[1].tolist() == [[[100, 101], [9, 9]], [[102, 103], [9, 9]], [[104, 105], [9, 9]]]
    assert sequence_padding([np.zeros((1, 5)), np.ones((3, 5))])[0].tolist() == [[0.0] * 5] * 3
    assert sequence_padding([[], [[1.5, 2.5]]]).tolist() == [[[0, 0]], [[1.5, 2.5]]]


@pytest.mark.parametrize('arguments, part', [
    ({'inputs': []}, 'empty batch'), ({'inputs': [[1]], 'mode': 'left'}, "not 'left'"),
    ({'inputs': [[[1]], [1]], 'seq_dims': 2}, 'sequence 1 has 1 axes, fewer than seq_dims=2'),
    ({'inputs': [[1]], 'length': (1, 2)}, 'length has 2 numbers')])
def test_sequence_padding_of_what_does_not_fit(arguments, part):
    """Errors that say which sequence and what is wrong with it."""
    with pytest.raises(ValueError) as caught:
        sequence_padding(**arguments)
    assert part in str(caught.value)


class Batches(DataGenerator):
    """As users of bert4keras write them."""

    def __iter__(self, random=False):
        batch = []
        for is_end, item in self.sample(random):
            batch.append(item)
            if len(batch) == self.batch_size or is_end:
                yield np.array(batch), -np.array(batch)
                batch = []


def numbers(batches):
    """The items in the batches."""
    return [number for inputs, _ in batches for number in inputs.tolist()]


def test_a_subclass_of_data_generator_goes_through_the_data():
    """In order, in batches, the last one smaller; `len` counts it."""
    generator = Batches(list(range(7)), batch_size=3)
    assert [inputs.tolist() for inputs, _ in generator] == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(generator) == generator.steps == 3
    assert list(Batches([], 3)) == [] and len(Batches([], 3)) == 0


def test_forfit_never_ends_and_shuffles_each_pass_in_another_way():
    """Each pass has every item once; numpy.random's seed or one's own decides the order."""
    generator = Batches(list(range(29)), batch_size=3, seed=5)
    passes = [numbers(itertools.islice(generator.forfit(), 20))]
    first, second = passes[0][:29], passes[0][29:]
    assert sorted(first) == sorted(second) == list(range(29)) and first != second
    assert numbers(itertools.islice(Batches(list(range(29)), 3, seed=5).forfit(), 20)) == passes[0]
    np.random.seed(4)
    drawn = numbers(Batches(list(range(29)), 3).__iter__(True))
    np.random.seed(4)
    assert numbers(Batches(list(range(29)), 3).__iter__(True)) == drawn != first
    assert numbers(itertools.islice(generator.forfit(random=False), 10)) == list(range(29))
    assert [inputs.tolist() for inputs in itertools.islice(generator.fortest(), 2)] == [[0, 1, 2], [3, 4, 5]]


def test_data_of_unknown_length_is_shuffled_in_a_buffer():
    """No item is lost, none moves to before its buffer could hold it, and there is no `len`."""
    class Stream(object):
        def __iter__(self):
            return iter(range(50))

    generator = Batches(Stream(), batch_size=4, buffer_size=7, seed=1)
    for _ in range(2):
        order = numbers(generator.__iter__(random=True))
        assert sorted(order) == list(range(50)) != order
        assert all(number <= place + 7 for place, number in enumerate(order))
    assert generator.steps is None
    with pytest.raises(TypeError):
        len(generator)


def test_a_generator_without_batches_is_an_error():
    """`model.fit` would wait for ever for the first one of empty data."""
    with pytest.raises(ValueError) as caught:
        next(Batches([]).forfit())
    assert 'no batch' in str(caught.value)
    with pytest.raises(ValueError):
        Batches([1], batch_size=0)
    with pytest.raises(NotImplementedError):
        next(DataGenerator([1]).forfit())


# ------------------------------------------------------------------ AutoRegressiveDecoder

class Counting(snippets.AutoRegressiveDecoder):
    """After the sum of all so far modulo 5; token 4 is the end. Each row tells what it was given."""

    def predict(self, inputs, output_ids, states):
        assert inputs[0].shape == (len(output_ids), 2) and (inputs[0] == [1, 2]).all()
        last = (inputs[0].sum(axis=1) + output_ids.sum(axis=1)) % 5
        return np.where(np.arange(5) == last[:, None], 0.6, 0.1)


class CountingByLogits(Counting):
    @snippets.AutoRegressiveDecoder.wraps('logits')
    def predict(self, inputs, output_ids, states):
        return np.log(Counting.predict(self, inputs, output_ids, states)) + 7.0


@pytest.mark.parametrize('cls', [Counting, CountingByLogits])
def test_scripts_for_the_early_decoder(cls):
    """1 + 2 = 3, then 6 modulo 5 = 1, 7 modulo 5 = 2, then 4, the end; a start token counts; limits hold."""
    assert cls(None, 4, 9).beam_search([[1, 2]], 1).tolist() == [3, 1, 2, 4]
    assert cls(2, 4, 9).beam_search([[1, 2]], 1).tolist() == [0] * 9
    assert cls(None, 4, 9).beam_search([[1, 2]], 5).tolist() == [3, 1, 2, 4]  # 0.6 ** 4 is likelier than an end, 0.1
    assert cls(1, 4, 9).beam_search([[1, 2]], 5).tolist() == [4]
    assert cls(None, 4, 3).beam_search([[1, 2]], 1).tolist() == [3, 1, 2]
    assert 4 not in cls(None, 4, 9, minlen=5).beam_search([[1, 2]], 1)[:4].tolist()
    np.random.seed(3)
    drawn = cls(None, 4, 6).random_sample([[1, 2]], 20, topp=0.95)
    assert len({tuple(one) for one in drawn}) > 5 and {len(one) for one in drawn} <= set(range(1, 7))
    assert all(one[-1] == 4 or len(one) == 6 for one in drawn) and all(4 not in one[:-1] for one in drawn)
    assert [one.tolist() for one in cls(None, 4, 9).random_sample([[1, 2]], 2, topk=1)] == [[3, 1, 2, 4]] * 2
    with pytest.raises(ValueError, match="'probas' or 'logits'"):
        snippets.AutoRegressiveDecoder.wraps('scores')
    assert cls(None, 4, 9).first_output_ids.shape == (1, 0) and cls(3, 4, 9).first_output_ids.tolist() == [[3]]
    for call in (lambda: cls(None, 4, 9).beam_search([[1, 2]], 1, min_ends=2),
                 lambda: cls(None, 4, 9).random_sample([[1, 2]], 1, min_ends=2)):
        with pytest.raises(ValueError, match='min_ends must be 1, not 2: .*add that to the inputs'):
            call()


def test_padding_by_its_first_name():
    """`padding` of 0.2 is `value`."""
    assert snippets.sequence_padding([[1], [2, 3]], padding=7).tolist() == [[1, 7], [2, 3]]


def test_what_predict_is_told_about_the_past():
    """Without `wraps`, and with `set_rtype` of 0.7, the number of tokens so far; with it None, or states handed on."""
    told = []

    class Plain(Counting):
        def predict(self, inputs, output_ids, states):
            told.append(states)
            return Counting.predict(self, inputs, output_ids, states)

    class ByLogits(Plain):
        @snippets.AutoRegressiveDecoder.set_rtype('logits')
        def predict(self, inputs, output_ids, step):
            return np.log(Plain.predict(self, inputs, output_ids, step))

    class Wrapped(Plain):
        predict = snippets.AutoRegressiveDecoder.wraps('probas')(Plain.predict)

    class WithStates(Plain):
        @snippets.AutoRegressiveDecoder.wraps('probas', use_states=True)
        def predict(self, inputs, output_ids, states):
            return Plain.predict(self, inputs, output_ids, states), states + 10

    for cls, states, expected in ((Plain, None, [0, 1, 2, 3]), (ByLogits, None, [0, 1, 2, 3]),
                                  (Wrapped, None, [None] * 4), (WithStates, 7, [7, 17, 27, 37])):
        del told[:]
        assert cls(None, 4, 9).beam_search([[1, 2]], 1, states=states).tolist() == [3, 1, 2, 4]
        assert told == expected
    hot = Plain(None, 4, 9)._step([[1, 2]], 1, temperature=2)(None, None)
    assert np.allclose(hot, np.log(np.sqrt([0.1, 0.1, 0.1, 0.6, 0.1]) / (4 * 0.1 ** 0.5 + 0.6 ** 0.5)), atol=1e-12)


def test_the_last_token_of_a_model():
    """`last_token(model).predict` gives the row of the last position."""
    class Model(object):
        def predict_on_batch(self, inputs):
            return np.arange(24.0).reshape(2, 3, 4) + inputs[0][0]
    found = Counting(None, 4, 9).last_token(Model()).predict([np.array([5])])
    assert found.tolist() == [[13, 14, 15, 16], [25, 26, 27, 28]]
