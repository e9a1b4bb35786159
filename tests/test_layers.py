# -*- coding: utf-8 -*-
"""Tests of bert4keras.layers: configs, shapes, names, and the numbers that only one layer decides."""
from __future__ import absolute_import, division, print_function

import numpy as np
import pytest

from bert4keras import layers, reference
from bert4keras.backend import get_values, keras

BATCH, LENGTH, HIDDEN = 3, 5, 12
IDS = np.array([[4, 9, 2, 7, 1], [3, 3, 8, 0, 0], [6, 0, 0, 0, 0]], 'int32')
STATES = np.random.RandomState(0).standard_normal((BATCH, LENGTH, HIDDEN)).astype('float32')
MASK = (IDS != 0)[:, None]

# class: (arguments that are not the defaults, inputs, shape of the (first) output)
CASES = {
    'BertTokenEmbedding': (dict(vocab_size=11, embedding_size=7), [IDS], (BATCH, LENGTH, 7)),
    'BertSegmentEmbedding': (dict(type_vocab_size=13, embedding_size=7), [IDS], (BATCH, LENGTH, 7)),
    'BertPositionEmbedding': (dict(max_position_embeddings=9), [STATES], (BATCH, LENGTH, HIDDEN)),
    'BertLayerNorm': (dict(epsilon=0.125), [STATES], (BATCH, LENGTH, HIDDEN)),
    'BertAttentionMask': (dict(application='seq2seq', pad_token_id=3), [IDS, IDS], (BATCH, LENGTH, LENGTH)),
    'BertSelfAttention': (dict(num_attention_heads=4, dropout_rate=0.25), [STATES, MASK], (BATCH, LENGTH, HIDDEN)),
    'BertFeedForward': (dict(intermediate_size=17, activation='relu'), [STATES], (BATCH, LENGTH, HIDDEN)),
    'BertDense': (dict(units=8, activation='tanh', use_bias=False), [STATES], (BATCH, LENGTH, 8)),
    'BertFirstToken': ({}, [STATES], (BATCH, HIDDEN)),
    'BertTokenProbability': ({}, None, None),  # needs the table; parity/ runs it in a whole model
}


NAMES = [name for name in layers.__all__ if name not in ('BertLayer', 'affine')]  # what layers are made of


def test_every_layer_has_a_case():
    """No layer of the module goes without the checks below."""
    assert sorted(CASES) == sorted(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_config_round_trip(name):
    """from_config(get_config()) has every argument, the base's included."""
    arguments, _, _ = CASES[name]
    layer = getattr(layers, name)(name='some', initializer_range=0.5, **arguments)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    for field, value in dict(arguments, initializer_range=0.5, name='some').items():
        assert layer.get_config()[field] == value and getattr(again, field) == value


@pytest.mark.parametrize('name', [name for name in NAMES if CASES[name][1]])
def test_shapes(name):
    """compute_output_shape says what call gives."""
    arguments, values, expected = CASES[name]
    layer = getattr(layers, name)(**arguments)
    inputs = [keras.layers.Input(shape=value.shape[1:], dtype=str(value.dtype)) for value in values]
    output = layer(inputs if len(inputs) > 1 else inputs[0])
    output = output[0] if isinstance(output, (list, tuple)) else output
    if name == 'BertAttentionMask':  # a boolean output; predict of some engines wants floats
        output = layers.BertSelfAttention(2)([keras.layers.Embedding(20, HIDDEN)(inputs[0]), output])
        expected = (BATCH, LENGTH, HIDDEN)
    else:
        shape = layer.compute_output_shape([v.shape for v in values] if len(values) > 1 else values[0].shape)
        assert tuple(shape[0] if isinstance(shape, list) else shape) == expected
    assert keras.models.Model(inputs, output).predict(values).shape == expected


@pytest.mark.parametrize('name', NAMES)
def test_no_name_is_one_of_keras(name):
    """A class of ours never shares its name with a layer of Keras, and its name finds only it."""
    assert not hasattr(keras.layers, name)
    found = keras.utils.get_custom_objects()
    assert found[name] is getattr(layers, name)


def test_layer_norm_has_biased_variance_and_epsilon_inside_the_root():
    """Against NumPy, with an epsilon large enough to matter."""
    inputs = keras.layers.Input(shape=(LENGTH, HIDDEN))
    model = keras.models.Model(inputs, layers.BertLayerNorm(epsilon=0.125)(inputs))
    gamma, beta = np.linspace(1, 2, HIDDEN), np.linspace(-1, 1, HIDDEN)
    model.set_weights([gamma, beta])
    expected = reference.layer_norm(STATES.astype('float64'), gamma, beta, 0.125)
    assert np.abs(model.predict(STATES) - expected).max() < 2e-6


def test_a_masked_key_gets_exactly_nothing():
    """Whatever stands at a padded position, real positions do not change by a single bit."""
    inputs = [keras.layers.Input(shape=(LENGTH, HIDDEN)), keras.layers.Input(shape=(1, LENGTH), dtype='bool')]
    model = keras.models.Model(inputs, layers.BertSelfAttention(num_attention_heads=3)(inputs))
    model.set_weights([np.random.RandomState(1).standard_normal(w.shape) for w in model.get_weights()])
    other = np.where(MASK[:, 0, :, None], STATES, 1e4).astype('float32')
    real = MASK[:, 0]
    np.testing.assert_array_equal(model.predict([STATES, MASK])[real], model.predict([other, MASK])[real])


def test_heads_that_do_not_divide_the_width():
    """A hidden size that is no multiple of the heads is an error with both numbers."""
    with pytest.raises(ValueError, match='hidden_size 12 is not a multiple of num_attention_heads 5'):
        layers.BertSelfAttention(5)([keras.layers.Input(shape=(LENGTH, HIDDEN)),
                                     keras.layers.Input(shape=(1, LENGTH), dtype='bool')])


@pytest.mark.parametrize('make', [lambda: layers.BertDense(3, activation='mish'),
                                  lambda: layers.BertFeedForward(3, activation='gelu')])
def test_an_unknown_activation(make):
    """An activation that is not in the table is an error that lists it; plain 'gelu' is ambiguous."""
    with pytest.raises(ValueError, match='known are gelu_erf, gelu_tanh'):
        make()


def test_an_unknown_application():
    """A mask that nobody defined is an error that lists the three."""
    with pytest.raises(ValueError, match="must be 'encoder', 'lm' or 'seq2seq', not 'prefix'"):
        layers.BertAttentionMask('prefix')


def test_weights_have_their_order():
    """The weights of a block's layers come in the order that the table of variables relies on."""
    inputs = [keras.layers.Input(shape=(LENGTH, HIDDEN)), keras.layers.Input(shape=(1, LENGTH), dtype='bool')]
    attention = layers.BertSelfAttention(num_attention_heads=3)
    attention(inputs)
    assert [value.shape for value in get_values(attention.weights)] == [(12, 12), (12,)] * 4
    feed_forward = layers.BertFeedForward(17)
    feed_forward(inputs[0])
    assert [value.shape for value in get_values(feed_forward.weights)] == [(12, 17), (17,), (17, 12), (12,)]
