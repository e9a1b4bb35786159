# -*- coding: utf-8 -*-
"""Layers of early bert4keras for the top of a model: CRF, conditional norm, a loss as a layer; against NumPy."""
from __future__ import absolute_import, division, print_function

import itertools

import numpy as np
import pytest

from bert4keras import layers
from bert4keras.backend import K, keras

SCORES = np.random.RandomState(5).randn(2, 4, 3).astype('float32')
LABELS = np.array([[0, 2, 1, 1], [2, 0, 0, 0]])
LENGTHS = [4, 2]


class Maskable(keras.layers.Layer):
    """A Keras mask of the positions whose first number is not 9."""

    def call(self, inputs):
        return inputs * 1.0

    def compute_mask(self, inputs, mask=None):
        return K.not_equal(inputs[:, :, 0], 9.0)

    def compute_output_shape(self, input_shape):
        return input_shape


@pytest.mark.parametrize('multiplier', [3, pytest.param(1, marks=pytest.mark.slow)])
def test_crf_against_all_sequences(multiplier):
    """Loss = -log p by every sequence of labels there is, padding left out; accuracy by the highest score."""
    scores = SCORES.copy()
    scores[1, 2:] = 9
    inputs = keras.layers.Input((None, 3))
    crf = layers.ConditionalRandomField(lr_multiplier=multiplier)
    model = keras.models.Model(inputs, crf(Maskable()(inputs)))
    trans = np.array([[0.5, -1, 0.2], [0.1, 0.7, -0.4], [1.2, 0, -0.3]], 'float32')
    crf.set_weights([trans / multiplier])
    model.compile('sgd', crf.sparse_loss, metrics=[crf.sparse_accuracy])
    expected, right = [], 0
    for row, labels, length in zip(SCORES, LABELS, LENGTHS):
        def total(path):
            return sum(row[range(length), list(path)]) + sum(trans[list(path[:-1]), list(path[1:])])
        everything = [total(path) for path in itertools.product(range(3), repeat=length)]
        expected.append(np.log(np.sum(np.exp(everything))) - total(tuple(labels[:length])))
        right += (row[:length].argmax(1) == labels[:length]).sum()
    found = model.test_on_batch(scores, LABELS[:, :, None])
    assert abs(found[0] - np.mean(expected)) <= 2e-6 and abs(found[1] - right / 6) <= 1e-6
    assert np.abs(K.eval(crf.trans) - trans).max() <= 1e-6
    one_hot = np.eye(3)[LABELS]
    constants = [K.constant(array) for array in (one_hot, SCORES * (scores < 9) - 1e12 * (scores == 9))]
    assert np.abs(K.eval(crf.dense_loss(*constants)) - expected).max() <= 2e-6
    assert abs(K.eval(crf.dense_accuracy(*constants)) - right / 6) <= 1e-6


@pytest.mark.parametrize('hidden', [4, pytest.param(None, marks=pytest.mark.slow)])
def test_conditional_norm(hidden):
    """Scale and shift plus what the condition's maps give, which are 0 at first; its config makes it again."""
    x, condition = keras.layers.Input((None, 5)), keras.layers.Input((2,))
    norm = layers.LayerNormalization(conditional=True, hidden_units=hidden, hidden_activation='tanh', epsilon=0.1)
    model = keras.models.Model([x, condition], norm([x, condition]))
    draw = np.random.RandomState(1)
    values = [draw.randn(2, 3, 5).astype('float32'), draw.randn(2, 2).astype('float32')]
    centered = values[0] - values[0].mean(-1, keepdims=True)
    plain = centered / np.sqrt((centered ** 2).mean(-1, keepdims=True) + 0.1)
    assert np.abs(model.predict_on_batch(values) - plain).max() <= 1e-6
    weights = [draw.randn(*weight.shape).astype('float32') for weight in norm.get_weights()]
    norm.set_weights(weights)
    beta, gamma, maps = weights[0], weights[1], weights[2:]
    given = np.tanh(values[1].dot(maps.pop(0))) if hidden else values[1]
    told = plain * (gamma + given.dot(maps[1]))[:, None] + (beta + given.dot(maps[0]))[:, None]
    assert np.abs(model.predict_on_batch(values) - told).max() <= 5e-6
    again = layers.LayerNormalization.from_config(norm.get_config())
    assert again.epsilon == 0.1 and again.hidden_units == hidden and again.hidden_activation == 'tanh'


class Half(layers.Loss):
    """Half of the squared difference, where there is a mask."""

    def compute_loss(self, inputs, mask=None):
        truth, found = inputs
        weights = K.cast(mask[1], K.floatx())
        return 0.5 * K.sum(K.mean(K.square(truth - found), axis=-1) * weights) / K.sum(weights)


def test_loss_as_a_layer():
    """It is what is trained, with the Keras mask; the output is the input chosen."""
    x, truth = keras.layers.Input((None, 3)), keras.layers.Input((None, 3))
    masked = Maskable()(x)
    output = Half(output_axis=1)([truth, masked])
    model = keras.models.Model([x, truth], output)
    model.compile(optimizer='sgd')
    values = SCORES.copy()
    values[1, 2:] = 9
    truth = np.ones_like(SCORES)
    is_token = (values[:, :, 0] != 9)
    expected = 0.5 * (((values - 1) ** 2).mean(-1) * is_token).sum() / is_token.sum()
    assert abs(float(np.ravel(model.evaluate([values, truth], None, batch_size=2, verbose=0))[0]) - expected) <= 2e-6
    assert np.array_equal(model.predict_on_batch([values, truth]), values)


@pytest.mark.parametrize('name, instead', [
    ('GlobalPointer', 'tokens'), ('EfficientGlobalPointer', 'tokens'),
    ('MaximumEntropyMarkovModel', 'ConditionalRandomField'), ('FeedForward', 'BertFeedForward'),
    ('GatedAttentionUnit', 'transformer_block'), ('MultiHeadAttention', 'BertSelfAttention'),
    ('PositionEmbedding', 'BertPositionEmbedding'), ('SinusoidalPositionEmbedding', 'add_positions')])
def test_what_is_refused_says_what_to_use(name, instead):
    """A layer that is not here is an error that says what is."""
    with pytest.raises(ValueError, match=name + '.*' + instead):
        getattr(layers, name)(heads=1, head_size=2)


@pytest.mark.slow
@pytest.mark.parametrize('outputs', [1, 2])
def test_a_tensor_as_the_loss(outputs):
    """`add_loss` trains by it, by hand 0.1 of the gradient, and returns what the model returned, with its layers."""
    x, truth = keras.layers.Input((3,)), keras.layers.Input((1,))
    dense = keras.layers.Dense(1, use_bias=False)
    y = dense(x)
    plain = keras.models.Model([x, truth], y if outputs == 1 else [y, keras.layers.ReLU()(truth)])
    model = layers.add_loss(plain, K.mean(K.square(y - truth)))
    kernel = np.array([[0.5], [-1], [2]], 'float32')
    dense.set_weights([kernel])
    model.compile(optimizer=keras.optimizers.SGD(0.1))
    values, truths = SCORES[0], LABELS[0][:, None].astype('float32')
    found = model.predict_on_batch([values, truths])
    assert np.abs((found if outputs == 1 else found[0]) - values.dot(kernel)).max() <= 1e-6
    assert dense in model.layers and (outputs == 1 or np.array_equal(found[1], truths))
    error = values.dot(kernel) - truths
    loss = model.evaluate([values, truths], None, batch_size=4, verbose=0)
    assert abs(float(np.ravel(loss)[0]) - (error ** 2).mean()) <= 1e-5
    model.fit([values, truths], None, batch_size=4, epochs=1, verbose=0)
    assert np.abs(dense.get_weights()[0] - (kernel - 0.1 * values.T.dot(2 * error / 4))).max() <= 1e-6
