# -*- coding: utf-8 -*-
"""BucketedBatches: which text is in which batch, how wide it is, what is an error, and that `fit` takes it."""
from __future__ import absolute_import, division, print_function

import logging

import numpy as np
import pytest

from bert4keras.backend import keras
from bert4keras.batching import encode_texts
from bert4keras.generators import BucketedBatches
from bert4keras.losses import NO_LABEL, CrossEntropy, lm_labels, seq2seq_labels
from bert4keras.snippets import BucketedBatches as from_snippets
from bert4keras.tokenizer import Tokenizer

LENGTHS = np.random.RandomState(0).randint(2, 60, 47)


class FakeLayer(object):
    def __init__(self, name, **attributes):
        self.name = name
        self.__dict__.update(attributes)


class FakeModel(object):
    """What is asked of a model: 29 positions, ids below 97, [PAD] is 3, five classes."""

    output_shape = (None, 5)
    layers = [FakeLayer('Embedding-Token', vocab_size=97), FakeLayer('Embedding-Attention'),
              FakeLayer('Embedding-Position', max_position_embeddings=29), FakeLayer('Attention-Mask', pad_token_id=3)]


def rows_of(lengths):
    """A row of each length; its ids are 10 + its number."""
    return [([10 + number] * length, [0] * (length - 1) + [1]) for number, length in enumerate(lengths)]


def batches_of(lengths=LENGTHS, labels=None, model=None, **arguments):
    """BucketedBatches of such rows, the labels by default the number of the row."""
    return BucketedBatches(model, None, rows_of(lengths), list(range(len(lengths))) if labels is None else labels,
                           **arguments)


def as_lists(batches):
    """All the batches of an epoch, to be compared."""
    return [[np.asarray(part).tolist() for part in batches[index][0]] for index in range(len(batches))]


def test_an_epoch_has_every_text_once_with_its_label():
    """Rows are the ids, padded; segments and labels belong to the same text; `order` says which."""
    batches = batches_of(batch_size=6)
    seen = []
    for index in range(len(batches)):
        (token_ids, segment_ids), labels = batches[index]
        assert token_ids.dtype == segment_ids.dtype == np.int32 and len(labels) == len(token_ids)
        for tokens, segments, label in zip(token_ids, segment_ids, labels):
            length, width = LENGTHS[label], len(tokens)
            assert tokens.tolist() == [10 + label] * length + [0] * (width - length)
            assert segments.tolist() == [0] * (length - 1) + [1] + [0] * (width - length)
            seen.append(label)
    assert sorted(seen) == list(range(47)) and seen == batches.order.tolist()
    assert len(batches) == 8 and sum(len(labels) == 6 for _, labels in (batches[i] for i in range(8))) == 7


def test_batches_come_in_few_widths_and_say_their_padding(caplog):
    """Steps of 16 up to the longest row; texts of one width meet in any combination, in another one each epoch."""
    with caplog.at_level(logging.INFO):
        batches = batches_of([3, 40, 5, 36, 2, 20], batch_size=2)
    shapes = sorted(batches[index][0][0].shape for index in range(3))
    assert shapes == [(2, 16), (2, 32), (2, 40)]
    # 106 tokens of 32 + 64 + 80
    assert batches.padding_share == pytest.approx(1 - 106 / 176.0)
    # 48 tokens of 80 and, in the batch that has the rest, 16
    assert batches_of([3, 40, 5], batch_size=2).padding_share == pytest.approx(0.5)
    assert '6 texts in 3 batches of 16, 32, 40 tokens: 39.8% is padding' in caplog.text
    batches, meetings = batches_of([7] * 40, batch_size=2), set()
    for batches.epoch in range(2):
        meetings.update(tuple(sorted(batches[index][1])) for index in range(20))
    assert len(meetings) > 30
    random = batches_of(batch_size=6, seed=3)
    assert random.padding_share < 0.3 < 1 - LENGTHS.sum() / (47 * 64.0)


def test_the_order_is_a_function_of_seed_and_epoch():
    """Asked twice, or by another process that goes on at epoch 2, the same; another seed or epoch, another."""
    batches = batches_of(batch_size=6, seed=5)
    epochs = []
    for batches.epoch in range(3):
        epochs.append(as_lists(batches))
        assert as_lists(batches) == epochs[-1] and len(batches) == 8
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    resumed = batches_of(batch_size=6, seed=5)
    resumed.epoch = 2
    assert as_lists(resumed) == epochs[2]
    assert as_lists(batches_of(batch_size=6, seed=6)) != epochs[0]


def test_without_shuffling_the_order_says_whose_row_is_whose():
    """From the longest to the shortest, every epoch the same: results are put back by `order`."""
    batches = batches_of(batch_size=6, shuffle=False)
    before = as_lists(batches)
    labels = np.concatenate([batches[index][1] for index in range(len(batches))])
    assert labels[np.argsort(batches.order)].tolist() == list(range(47))
    batches.epoch = 1
    assert as_lists(batches) == before


@pytest.mark.parametrize('shuffle', [True, False])
def test_the_first_two_batches_differ_in_width(shuffle):
    """Where any do: Keras 3 on TensorFlow takes the axes in which two batches agree for fixed."""
    batches = batches_of(batch_size=4, shuffle=shuffle)
    for batches.epoch in range(9):
        assert batches[0][0][0].shape[1] != batches[1][0][0].shape[1]


def test_the_last_batch_has_the_rest_or_is_dropped():
    """The rest are the narrowest texts; of texts that are dropped each epoch drops others."""
    sizes = [len(batches_of([50] * 9 + [4] * 2, batch_size=3, shuffle=False)[index][1]) for index in range(4)]
    assert sorted(sizes) == [2, 3, 3, 3]
    assert batches_of([50] * 9 + [4] * 2, batch_size=3, shuffle=False)[1][0][0].shape == (2, 16)
    batches = batches_of([7] * 11, batch_size=3, drop_last=True)
    dropped = set()
    for batches.epoch in range(9):
        assert len(batches) == 3 and all(len(batches[index][1]) == 3 for index in range(3))
        dropped |= set(range(11)) - set(batches.order)
    assert len(dropped) > 2
    with pytest.raises(IndexError):
        batches[3]


def test_labels_of_tokens_of_several_outputs_and_of_functions():
    """[B, T, 1] padded with NO_LABEL; a tuple is a list of arrays; a function gets the padded ids."""
    batches = batches_of([2, 3], [[4, 5], [6, NO_LABEL, 7]], shuffle=False)
    assert batches[0][1].tolist() == [[[4], [5], [-1]], [[6], [-1], [7]]] or \
        batches[0][1].tolist() == [[[6], [-1], [7]], [[4], [5], [-1]]]
    batches = batches_of([3, 3], ([1, 2], [0.5, 1.5]), shuffle=False)
    assert [part.tolist() for part in batches[0][1]] == [[1, 2], [0.5, 1.5]]
    (token_ids, segment_ids), labels = batches_of([3, 3], seq2seq_labels)[0]
    assert np.array_equal(labels, seq2seq_labels(token_ids, segment_ids))
    assert sorted(batches_of([3, 2, 4], (5, 7, 6))[0][1]) == [5, 6, 7]  # as zip(*pairs) gives them
    assert sorted(batches_of([2, 2], [[0.5, 0.5], [1, 0]])[0][1].tolist()) == [[0.5, 0.5], [1, 0]]
    assert batches_of([3, 2], [np.array([0.5, 0.25]), np.array([1.5, 2.5])], shuffle=False)[0][1].shape == (2, 2)
    assert batches_of([2, 3], model=FakeModel())[0][0][0].tolist() in ([[10, 10, 3], [11] * 3], [[11] * 3, [10, 10, 3]])


class FakeReader(FakeModel):
    output_shape = (None, 2, None)


def test_labels_of_an_output_of_positions():
    """A start and an end for each text, [B, 2, 1], whatever its length; neither counts where there is no answer."""
    batches = batches_of([3, 2, 4], [[1, 2], [NO_LABEL, NO_LABEL], [0, 3]], FakeReader(), accumulate=1, shuffle=False)
    _, labels, weights = batches[0]
    order = np.argsort(batches.order)
    assert labels[order].tolist() == [[[1], [2]], [[-1], [-1]], [[0], [3]]]
    assert weights[order].tolist() == [3 / 4] * 3


def test_weights_of_an_update_count_its_targets_across_epochs():
    """B k / targets: windows of 2 batches, of which there are 3 an epoch, so that every second one spans two."""
    lengths = [3, 5, 9, 4, 6]  # a language model of them has 2, 4, 8, 3, 5 targets
    targets = np.array(lengths) - 1
    batches, seen = batches_of(lengths, lm_labels, batch_size=2, accumulate=2), []
    for batches.epoch in range(2):
        weights = [batches[index][2] for index in range(3)]
        seen += zip(np.split(batches.order, np.cumsum([len(some) for some in weights])[:2]), weights)
    for first in (0, 2, 4):
        total = sum(targets[texts].sum() for texts, _ in seen[first:first + 2])
        for texts, weights in seen[first:first + 2]:
            assert weights.shape == (len(texts),)
            np.testing.assert_allclose(weights, len(texts) * 2.0 / total, rtol=1e-6)
    classes = batches_of([5] * 5, [0, 1, 2, 3, 4], batch_size=2, accumulate=3)  # 2, 2 and 1 rows
    assert sorted(round(float(classes[index][2][0]), 6) for index in range(3)) == [0.6, 1.2, 1.2]
    spans = batches_of([5] * 4, ([0, 1, 2, 3], [4, 4, 4, 4]), batch_size=3, accumulate=2)
    assert sorted([part.tolist() for part in spans[index][2]] for index in range(2)) == [[[0.5]] * 2, [[1.5] * 3] * 2]


def language_model(loss):
    """A bigram model [B, T] -> logits [B, T, 13], of zeros."""
    inputs = [keras.layers.Input(shape=(None,), dtype='int32') for _ in range(2)]
    outputs = [keras.layers.Embedding(13, 13, embeddings_initializer=start)(x)
               for start, x in zip((keras.initializers.Constant(0.25), 'zeros'), inputs)]
    model = keras.models.Model(inputs, keras.layers.add(outputs))
    model.compile(keras.optimizers.SGD(1.0), loss)
    return model


@pytest.mark.slow
def test_micro_batches_with_the_weights_of_their_update_are_the_large_batch():
    """The mean of their gradients is the gradient of the mean over all targets, unequal as they are."""
    random = np.random.RandomState(1)
    rows = [(random.randint(1, 13, length).tolist(), [0] * length) for length in (3, 17, 5, 2, 30, 4, 9)]
    steps = []
    batches = BucketedBatches(None, None, rows, lm_labels, batch_size=2, accumulate=4)
    for index in range(4):
        model = language_model(CrossEntropy(from_logits=True, targets_per_row=1))
        before = model.get_weights()
        model.train_on_batch(batches[index][0], batches[index][1], sample_weight=batches[index][2])
        steps.append([old - new for old, new in zip(before, model.get_weights())])
    large = language_model(CrossEntropy(from_logits=True))
    (inputs, labels), before = BucketedBatches(None, None, rows, lm_labels, batch_size=7)[0], large.get_weights()
    large.train_on_batch(inputs, labels)
    for old, new, micro in zip(before, large.get_weights(), zip(*steps)):
        assert np.abs(old - new).max() > 0.01
        np.testing.assert_allclose(np.mean(micro, axis=0), old - new, atol=1e-6)


@pytest.mark.parametrize('accumulate', [None, 3])
def test_fit_takes_what_train_on_batch_takes_epoch_after_epoch(accumulate):
    """Three epochs of `fit` give the weights that the batches one by one give: order, epochs and widths arrive."""
    lengths = [3, 40, 5, 36, 2, 20, 7]
    rows = [([number % 12 + 1] * length, [0] * length) for number, length in enumerate(lengths)]
    loss = CrossEntropy(from_logits=True, targets_per_row=1 if accumulate else None)
    model = language_model(loss)
    batches = from_snippets(model, None, rows, lm_labels, batch_size=2, seed=4, accumulate=accumulate)
    assert isinstance(batches, keras.utils.Sequence)
    start = model.get_weights()
    model.fit(batches, epochs=3, shuffle=False, verbose=0)
    fitted = model.get_weights()
    model.set_weights(start)
    for batches.epoch in range(3):
        for index in range(len(batches)):
            batch = batches[index]
            model.train_on_batch(batch[0], batch[1], **({'sample_weight': batch[2]} if accumulate else {}))
    for one, other in zip(fitted, model.get_weights()):
        np.testing.assert_allclose(one, other, atol=2e-6)
    assert any(np.abs(one - before).max() > 0.01 for one, before in zip(fitted, start))


@pytest.mark.parametrize('accumulate', [None, 1])
def test_fit_takes_labels_of_several_outputs(accumulate):
    """Two outputs, whose weights move as in one step by hand; with weights of rows, one array for each."""
    inputs = [keras.layers.Input(shape=(None,), dtype='int32') for _ in range(2)]
    vectors = keras.layers.GlobalAveragePooling1D()(keras.layers.add(
        [keras.layers.Embedding(97, 4)(x) for x in inputs]))
    outputs = [keras.layers.Dense(units, kernel_initializer='zeros')(vectors) for units in (5, 3)]
    model = keras.models.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(1.0), CrossEntropy(from_logits=True, targets_per_row=accumulate))
    rows, labels = rows_of([4, 4, 2, 30]), ([4, 4, 4, 4], [0, 2, 2, 2])
    batches = BucketedBatches(model, None, rows, labels, batch_size=4, accumulate=accumulate)
    model.fit(batches, shuffle=False, verbose=0)
    biases = [weights for weights in model.get_weights() if weights.ndim == 1]
    np.testing.assert_allclose(biases[0], [-0.2] * 4 + [0.8], atol=1e-6)
    np.testing.assert_allclose(biases[1], [0.25 - 1 / 3.0, -1 / 3.0, 0.75 - 1 / 3.0], atol=1e-6)


def test_texts_and_pairs_are_tokenized_here_or_in_processes(release, caplog):
    """The tokenizer's ids in either case, cut to max_length, which is logged."""
    tokenizer = Tokenizer(release[0] + '/vocab.txt')
    texts = [u'word1 word2', (u'word3', u'word4 word5'), u'word6 ' * 9] * 100  # more than one task
    with caplog.at_level(logging.WARNING):
        batches = [BucketedBatches(None, tokenizer, iter(texts), [0] * 300, max_length=7, processes=processes)
                   for processes in (0, 2)]
    assert '100 of 300 texts had more than 7 tokens and were cut' in caplog.text
    for made in batches:
        for row, expected in zip(made.rows, encode_texts(tokenizer, texts, 7)):
            assert [ids.tolist() for ids in row] == list(expected[:2])
    assert as_lists(batches[0]) == as_lists(batches[1])


@pytest.mark.parametrize('rows, labels, arguments, part', [
    ([], [], {}, 'there is no batch: 0 texts'),
    (rows_of([4, 4]), [0], {}, 'there are 1 labels for 2 texts'),
    (rows_of([4, 4]), ([0, 1], [0]), {}, 'there are 1 labels for output 1 for 2 texts'),
    (rows_of([4, 4]), [4, 5], {}, 'text 1 (counted from 0) has the label 5, but labels are 0 to 4'),
    (rows_of([4, 4]), [4, -1], {}, 'text 1 (counted from 0) has the label -1, but labels are 0 to 4'),
    (rows_of([2, 2]), [[4, -1], [5, 0]], {}, 'text 1 (counted from 0) has the label 5, but labels are -1 to 4'),
    (rows_of([2, 3]), [[4, -1], [1, 0]], {}, 'text 1 (counted from 0) has 2 labels, but 3 tokens'),
    (rows_of([4, 4]), ['good', 'bad'], {}, "text 0 (counted from 0) has the label 'good', which is no number"),
    (rows_of([4, 4]), [0, None], {}, 'text 1 (counted from 0) has the label None, which is no number'),
    (rows_of([4, 4]), [0.5, np.nan], {}, 'text 1 (counted from 0) has the label nan, which is not finite'),
    (rows_of([2, 2]), [[4, -1], []], {}, 'text 1 (counted from 0) has a label of shape (0,), but text 0 of (2,)'),
    (rows_of([2, 2]), [0, [1, 1]], {}, 'text 1 (counted from 0) has a label of shape (2,), but text 0 of ()'),
    (rows_of([2, 2]), [[0.5, 1], [0.5]], {}, 'text 1 (counted from 0) has a label of shape (1,), but text 0 of (2,)'),
    (rows_of([4, 4]), seq2seq_labels, {}, 'text 0 (counted from 0) has the label 10, but labels are -1 to 4'),
    (rows_of([4, 4]), lambda token_ids, _: token_ids[:1, :1] * 0, {}, 'the labels of 2 texts are an array [1, 1]'),
    (rows_of([2, 3]), ([0, 1], [[0, -1], [1, 1, 1]]), {'accumulate': 2}, 'outputs 0 and 1 have 1 and 3 targets'),
    (rows_of([29, 30]), [0, 0], {}, 'text 1 (counted from 0) has 30 tokens, but the model has 29 positions'),
    ([([5, 97], [0, 0])], [0], {}, 'token ids from 5 to 97, but the model has 0 to 96'),
    ([([5, 9], [0])], [0], {}, 'has 2 token ids, but 1 segment ids'),
    ([([], [])], [0], {}, 'has no token'),
    (rows_of([4, 4]), [0, 0], {'batch_size': 0}, 'batch_size must be at least 1, not 0'),
    (rows_of([4, 4]), [0, 0], {'accumulate': 0}, 'accumulate must be at least 1, not 0'),
    (rows_of([4, 4]), [0, 0], {'max_length': 30}, 'max_length is 30, but the model has 29 positions'),
    (rows_of([4, 4]), [0, 0], {'drop_last': True, 'batch_size': 3}, 'there is no batch: 2 texts, batch_size 3')])
def test_what_does_not_fit_is_an_error_before_anything_trains(rows, labels, arguments, part):
    """Each says which text and what it may be."""
    with pytest.raises(ValueError) as caught:
        BucketedBatches(FakeModel(), None, rows, labels, **arguments)
    assert part in str(caught.value)


@pytest.mark.parametrize('label, part', [
    ([1, 3], 'text 1 (counted from 0) has the label 3, but labels are -1 to 2'), ([-2, 1], 'the label -2'),
    ([1], 'a label of shape (1,), but the output has 2 positions'), (1, 'a label of shape (), but'),
    ([0.5, 1.0], 'but positions are whole numbers')])
def test_positions_that_do_not_fit_are_an_error(label, part):
    """They are two, whole and in the text, which here has three tokens."""
    with pytest.raises(ValueError) as caught:
        batches_of([3, 3], [[0, 2], label], FakeReader())
    assert part in str(caught.value)


def test_what_just_fits_is_none():
    """The last position, class and id; numbers and outputs of one unit are not classes; spans end at the text's."""
    BucketedBatches(FakeModel(), None, [([96] * 29, [0] * 29)], [4])
    model = FakeModel()
    model.output_shape = (None, 1)
    BucketedBatches(model, None, rows_of([4, 4]), [7, 0.5])
    BucketedBatches(model, None, rows_of([4, 4]), [-7, 2])
    model.output_shape = [(None, None), (None, None)]
    BucketedBatches(model, None, rows_of([4, 5]), ([0, 1], [3, 4]))
    with pytest.raises(ValueError) as caught:
        BucketedBatches(model, None, rows_of([4, 5]), ([0, 1], [4, 4]))
    assert 'text 0 (counted from 0) has the label 4 for output 1, but labels are 0 to 3' in str(caught.value)
