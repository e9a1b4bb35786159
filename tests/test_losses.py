# -*- coding: utf-8 -*-
"""losses: numbers worked out by hand, and the same training step whatever the engine and the micro-batches."""
from __future__ import absolute_import, division, print_function

import json

import numpy as np
import pytest

from bert4keras.backend import describe, keras, kops
from bert4keras.layers import BertSpan
from bert4keras.losses import NO_LABEL, CrossEntropy, lm_labels, seq2seq_labels

KNOWS_ITS_OWN_ONLY = describe().startswith(('tf.keras on tensorflow 1.13', 'tf.keras on tensorflow 1.14'))
# ln 2, ln 4, ln 5, ln 10 to the digits of float64
LN2, LN4, LN5, LN10 = 0.6931471805599453, 1.3862943611198906, 1.6094379124341003, 2.302585092994046
PROBABILITIES = np.array([[[0.5, 0.25, 0.25], [0.1, 0.7, 0.2], [0.3, 0.3, 0.4]],
                          [[0.2, 0.2, 0.6], [0.4, 0.5, 0.1], [0.25, 0.25, 0.5]]], 'float32')  # [2, 3, 3]
LABELS = np.array([[0, 2, NO_LABEL], [NO_LABEL, NO_LABEL, 1]])  # ln 2, ln 5; ln 4


class Given(keras.layers.Layer):
    """A prediction that is its only weight, so that a model returns what the test wants."""

    def build(self, input_shape):
        self.table = self.add_weight(name='table', shape=PROBABILITIES.shape[1:], initializer='zeros', trainable=True)
        super(Given, self).build(input_shape)

    def call(self, inputs):
        return kops.expand_dims(self.table, 0) + kops.cast(inputs, 'float32') * 1.0

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)


def model_of(loss, rate=1.0):
    """A model whose output is its input plus a weight [T, C] of zeros."""
    inputs = keras.layers.Input(shape=PROBABILITIES.shape[1:], dtype='float32')
    model = keras.models.Model(inputs, Given()(inputs))
    model.compile(keras.optimizers.SGD(rate), loss)
    return model


def loss_of(loss, labels, prediction, **arguments):
    """What `test_on_batch` of a compiled model says, and the same from logits that lack a constant."""
    result = float(np.ravel(model_of(loss).test_on_batch(prediction, labels, **arguments))[0])
    config = dict(loss.get_config(), from_logits=True)
    from_logits = model_of(CrossEntropy(**config)).test_on_batch(np.log(prediction) + 3, labels, **arguments)
    assert abs(float(np.ravel(from_logits)[0]) - result) < 1e-6
    return result


@pytest.mark.parametrize('loss, expected', [
    (CrossEntropy(), (LN2 + LN5 + LN4) / 3),
    (CrossEntropy(targets_per_row=1), ((LN2 + LN5) + LN4) / 2),
    (CrossEntropy(targets_per_row=2.5), ((LN2 + LN5) + LN4) / 5),
    # smoothed: 0.7 of the label's and 0.3 of the mean of all three:
    # ln 2 + 2 ln 4, ln 10 + ln 10/7 + ln 5, 2 ln 4 + ln 2
    (CrossEntropy(label_smoothing=0.3), 0.7 * (LN2 + LN5 + LN4) / 3 + 0.1 * (
        (LN2 + 2 * LN4) + (LN10 + 0.35667494393873245 + LN5) + (2 * LN4 + LN2)) / 3)])
def test_cross_entropy_is_what_one_gets_by_hand(loss, expected):
    """Compiled into a model; labels with a last axis of 1, which Keras 2.3 wants; positions without label left out."""
    assert abs(loss_of(loss, LABELS[:, :, None], PROBABILITIES) - expected) < 1e-6


def test_classes_of_texts_and_weights_of_rows():
    """[B] labels of [B, C], by the function itself; Keras multiplies rows by their weights."""
    loss = kops.convert_to_numpy if hasattr(kops, 'convert_to_numpy') else keras.backend.eval
    rows = loss(CrossEntropy().call(kops.cast(np.array([1, 2, NO_LABEL]), 'int32'),
                               kops.cast(np.concatenate([PROBABILITIES[0, :2], PROBABILITIES[1, :1]]), 'float32')))
    np.testing.assert_allclose(rows, [1.5 * LN4, 1.5 * LN5, 0], rtol=1e-6)
    weights = np.array([3.0, 0.5], 'float32')
    wanted = (3 * (LN2 + LN5) + 0.5 * LN4) / 2
    assert abs(loss_of(CrossEntropy(targets_per_row=1), LABELS[:, :, None], PROBABILITIES,
                       sample_weight=weights) - wanted) < 1e-6


def test_half_precision_is_computed_in_float32():
    """In float16 a probability of 0 has no logarithm, and the least one is 0 as well: - ln 1e-30 is 69.0776."""
    loss = kops.convert_to_numpy if hasattr(kops, 'convert_to_numpy') else keras.backend.eval
    rows = loss(CrossEntropy().call(kops.cast(np.array([0, 1]), 'int32'),
                                    kops.cast(np.array([[0.5, 0.5], [1, 0]]), 'float16')))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [LN2, 69.07755], rtol=1e-6)


def test_positions_of_a_text_are_classes_too():
    """Start and end [B, 2, T], whose T no graph knows: the mean of - ln softmax over the positions, by NumPy."""
    inputs = keras.layers.Input(shape=(None, 3))
    model = keras.models.Model(inputs, BertSpan(2)(inputs))
    model.compile(keras.optimizers.SGD(0.1), CrossEntropy(from_logits=True))
    labels = np.array([[0, 1], [4, NO_LABEL], [2, 2]])
    for length in (5, 7):
        x = np.random.RandomState(length).standard_normal((3, length, 3)).astype('float32')
        chances = np.exp(model.predict(x).astype('float64'))
        chances /= chances.sum(axis=-1, keepdims=True)
        wanted = -np.log([chances[0, 0, 0], chances[0, 1, 1], chances[1, 0, 4], chances[2, 0, 2], chances[2, 1, 2]])
        assert abs(float(np.ravel(model.test_on_batch(x, labels[:, :, None]))[0]) - wanted.mean()) < 1e-6


def test_no_target_and_no_probability_give_finite_numbers():
    """A batch without a target has loss 0 and no gradient; a word of probability 0 a large loss."""
    model = model_of(CrossEntropy())
    assert float(np.ravel(model.train_on_batch(PROBABILITIES, np.full((2, 3, 1), NO_LABEL)))[0]) == 0
    assert not np.any(model.get_weights()[0])
    prediction = np.array([[[0, 1, 0]] * 3], 'float32')
    assert 60 < float(np.ravel(model.test_on_batch(prediction, np.array([[[0], [0], [0]]])))[0]) < 80


def test_the_gradient_is_that_of_the_mean_over_targets():
    """d loss / d logits = (softmax - one-hot) / targets; one step of gradient descent at rate 1 subtracts it."""
    model = model_of(CrossEntropy(from_logits=True))
    model.train_on_batch(np.log(PROBABILITIES), LABELS[:, :, None])
    wanted = np.array([[-0.5, 0.25, 0.25], [0.1, 0.7, -0.8], [0.25, -0.75, 0.5]]) / 3
    np.testing.assert_allclose(model.get_weights()[0], -wanted, atol=1e-6)


@pytest.mark.slow
def test_weights_of_the_update_make_micro_batches_equal_to_the_large_batch():
    """Unequal targets: 2 and 1. With weights B k / targets the mean of gradients is the large batch's; not without."""
    def mean_step(loss, weights):
        steps = []
        for row in (0, 1):
            model = model_of(loss)
            arguments = {} if weights is None else {'sample_weight': np.array([weights])}
            model.train_on_batch(np.log(PROBABILITIES[row:row + 1]), LABELS[row:row + 1, :, None], **arguments)
            steps.append(model.get_weights()[0])
        return np.mean(steps, axis=0)

    large = model_of(CrossEntropy(from_logits=True))
    large.train_on_batch(np.log(PROBABILITIES), LABELS[:, :, None])
    wanted = large.get_weights()[0]
    by_row = CrossEntropy(from_logits=True, targets_per_row=1)
    np.testing.assert_allclose(mean_step(by_row, 1 * 2 / 3.0), wanted, atol=1e-6)
    assert np.abs(mean_step(CrossEntropy(from_logits=True), None) - wanted).max() > 0.02


def test_a_compiled_model_is_saved_and_loaded_with_its_loss(tmp_path):
    """Custom objects are found by their registered name, arguments included."""
    loss = CrossEntropy(from_logits=True, label_smoothing=0.25, targets_per_row=3)
    again = CrossEntropy.from_config(json.loads(json.dumps(loss.get_config())))
    assert again.get_config() == {'from_logits': True, 'label_smoothing': 0.25, 'targets_per_row': 3}
    from bert4keras.backend import MODEL_SUFFIX
    inputs = keras.layers.Input(shape=(3,))
    model = keras.models.Model(inputs, keras.layers.Dense(4)(inputs))
    model.compile('sgd', loss)
    x, y = np.arange(6.0).reshape(2, 3), np.array([[3], [1]])
    model.fit(x, y, verbose=0)
    wanted = [np.ravel(model.test_on_batch(x, y))[0] for _ in range(2)][1]  # TensorFlow 2.2 adds the fit to the first
    path = str(tmp_path / ('model' + MODEL_SUFFIX))
    model.save(path)
    loaded = keras.models.load_model(path, compile=not KNOWS_ITS_OWN_ONLY)
    if KNOWS_ITS_OWN_ONLY:  # it takes no other loss from a file; README says so
        loaded.compile('sgd', again.from_config(loss.get_config()))
    assert abs(np.ravel(loaded.test_on_batch(x, y))[0] - wanted) < 1e-6


@pytest.mark.parametrize('arguments', [{'label_smoothing': 1.0}, {'label_smoothing': -0.1}, {'targets_per_row': 0}])
def test_arguments_out_of_range_are_errors(arguments):
    """Before a model is compiled with them."""
    with pytest.raises(ValueError):
        CrossEntropy(**arguments)


def test_labels_of_a_language_model_are_the_next_tokens():
    """The last position has none, nor has one before padding."""
    token_ids = np.array([[2, 7, 8, 3], [2, 9, 3, 5]], 'int32')
    assert lm_labels(token_ids, pad_token_id=5)[:, :, 0].tolist() == [[7, 8, 3, -1], [9, 3, -1, -1]]
    assert lm_labels(np.array([[2, 7, 0]]))[:, :, 0].tolist() == [[7, -1, -1]]


def test_labels_of_sequence_to_sequence_are_the_tokens_of_segment_1():
    """The first of them is predicted from the [SEP] before it; the source and padding are no targets."""
    token_ids = np.array([[2, 7, 3, 8, 9, 3, 0]], 'int32')
    segment_ids = np.array([[0, 0, 0, 1, 1, 1, 0]], 'int32')
    labels = seq2seq_labels(token_ids, segment_ids)
    assert labels.shape == (1, 7, 1) and labels.dtype == np.int32
    assert labels[0, :, 0].tolist() == [-1, -1, 8, 9, 3, -1, -1]
