# -*- coding: utf-8 -*-
"""Tests of bert4keras.layers: configs, shapes, names, and the numbers that only one layer decides."""
from __future__ import absolute_import, division, print_function

import numpy as np
import pytest

from bert4keras import backend, layers, reference
from bert4keras.backend import get_values, keras
from bert4keras.seam import attention, operations

BATCH, LENGTH, HIDDEN = 3, 5, 12
IDS = np.array([[4, 9, 2, 7, 1], [3, 3, 8, 0, 0], [6, 0, 0, 0, 0]], 'int32')
STATES = np.random.RandomState(0).standard_normal((BATCH, LENGTH, HIDDEN)).astype('float32')
MASK = (IDS != 0)[:, None]

# class: (arguments that are not the defaults, inputs, shape of the (first) output)
CASES = {
    'BertTokenEmbedding': (dict(vocab_size=11, embedding_size=7), [IDS], (BATCH, LENGTH, 7)),
    'BertSegmentEmbedding': (dict(type_vocab_size=13, embedding_size=7), [IDS], (BATCH, LENGTH, 7)),
    'BertPositionEmbedding': (dict(max_position_embeddings=9), [STATES], (BATCH, LENGTH, HIDDEN)),
    'BertCountedPositionEmbedding': (dict(max_position_embeddings=9, pad_token_id=3, model_type='roberta'),
                                     [STATES, IDS], (BATCH, LENGTH, HIDDEN)),
    'BertLayerNorm': (dict(epsilon=0.125), [STATES], (BATCH, LENGTH, HIDDEN)),
    'BertSequenceMask': (dict(pad_token_id=3), [IDS], (BATCH, LENGTH)),
    'BertAttentionMask': (dict(application='seq2seq', pad_token_id=3), [IDS, IDS], (BATCH, LENGTH, LENGTH)),
    'BertSelfAttention': (dict(num_attention_heads=4, dropout_rate=0.25), [STATES, MASK], (BATCH, LENGTH, HIDDEN)),
    'BertFeedForward': (dict(intermediate_size=17, activation='relu'), [STATES], (BATCH, LENGTH, HIDDEN)),
    'BertDense': (dict(units=8, activation='tanh', use_bias=False), [STATES], (BATCH, LENGTH, 8)),
    'BertClassifier': (dict(units=3, labels=['a', 'b', 'c'], problem_type='single_label_classification'), [STATES],
                       (BATCH, LENGTH, 3)),
    'BertSpan': (dict(units=2), [STATES], (BATCH, 2, LENGTH)),
    'BertFirstToken': ({}, [STATES], (BATCH, HIDDEN)),
    'BertTokenProbability': ({}, None, None),  # needs the table; parity/ runs it in a whole model
}


# without what layers are made of, and what test_task_layers.py has
NAMES = [name for name in layers.__all__ if name not in (
    'BertLayer', 'affine', 'add_loss', 'ConditionalRandomField', 'Loss')]


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


class OwnScores(layers.BertSelfAttention):
    """Attention that somebody changed."""

    def scores(self, query, key, *more):
        return -super(OwnScores, self).scores(query, key, *more)


class OwnMix(layers.BertSelfAttention):
    """Another that somebody changed."""

    def mix(self, probabilities, value):
        return -super(OwnMix, self).mix(probabilities, value)


@pytest.mark.parametrize('cls, arguments, training, expected', [
    (layers.BertSelfAttention, {}, True, True),
    (layers.BertSelfAttention, {'dropout_rate': 0.5}, False, True),
    (layers.BertSelfAttention, {'dropout_rate': 0.5}, True, False),
    (layers.BertSelfAttention, {'return_attention': True}, False, False),
    (OwnScores, {}, False, False), (OwnMix, {}, False, False)])
def test_when_a_kernel_of_the_engine_may_do(cls, arguments, training, expected):
    """Not where somebody sees the probabilities or changes them."""
    assert cls(num_attention_heads=3, **arguments).is_plain((), training) == expected


def test_what_a_kernel_computes_is_used(monkeypatch):
    """A kernel by which every token sees itself alone: what is left are the maps of values and of the output."""
    monkeypatch.setattr(backend, 'fused_attention',
                        lambda query, key, value, mask, formula: backend.kops.transpose(value, (0, 2, 1, 3)))
    inputs = [keras.layers.Input(shape=(LENGTH, HIDDEN)), keras.layers.Input(shape=(1, LENGTH), dtype='bool')]
    model = keras.models.Model(inputs, layers.BertSelfAttention(num_attention_heads=3)(inputs))
    weights = [np.random.RandomState(1).standard_normal(w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    expected = np.dot(np.dot(STATES, weights[4]) + weights[5], weights[6]) + weights[7]
    assert np.abs(model.predict([STATES, MASK]) - expected).max() < 1e-4 * np.abs(expected).max()


if keras.backend.backend() in ('jax', 'torch'):
    @pytest.mark.parametrize('name', ['padding', 'any'])
    def test_the_kernel_of_the_engine(name):
        """It is the formula, on a CPU by the engine's own code; and it gives numbers where a query sees nothing."""
        random = np.random.RandomState(2)
        query, key, value = [random.standard_normal((3, 2, LENGTH, 8)).astype('float32') for _ in range(3)]
        mask = MASK.copy() if name == 'padding' else random.uniform(size=(3, LENGTH, LENGTH)) < 0.5
        mask[2, 0] = False
        scores = np.where(mask[:, None], np.matmul(query, key.transpose(0, 1, 3, 2)) / np.sqrt(8), -1e30)
        expected = np.matmul(reference.softmax(scores.astype('float64')), value).transpose(0, 2, 1, 3)
        tensors = [backend.kops.convert_to_tensor(array) for array in (query, key, value, mask)]
        if keras.backend.backend() == 'jax':
            found = attention.jax_attention(*tensors, implementation='xla')
        else:
            found = attention.torch_attention(*tensors)
        assert np.abs(backend.kops.convert_to_numpy(found) - expected).max() < 1e-5
        assert backend.fused_attention(*tensors) is None  # on a CPU, in float32, and few

    def test_scores_that_fill_no_cache_are_not_kept(monkeypatch):
        """Of 2^22 scores and more no probabilities are kept, and the result is the formula's: the kernel on PyTorch,
        on JAX one text after another, except for training."""
        random = np.random.RandomState(3)
        batch, heads, queries, keys = 4, 3, 2740, 256
        query, key, value = [random.standard_normal((batch, heads, length, 4)).astype('float32')
                             for length in (queries, keys, keys)]
        mask = np.arange(keys) < np.array([keys, 100, 1, 17])[:, None, None]  # [B, 1, T]
        scores = np.where(mask[:, None], np.matmul(query, key.transpose(0, 1, 3, 2)) / 2, -1e30)
        expected = np.matmul(reference.softmax(scores.astype('float64')), value).transpose(0, 2, 1, 3)
        tensors = [backend.kops.convert_to_tensor(array) for array in (query, key, value, mask)]
        layer, calls = layers.BertSelfAttention(num_attention_heads=heads), []

        def formula(*row):
            calls.append(row[0].shape)
            return layer.plain(*row)
        found = backend.fused_attention(*tensors, formula=formula)
        assert np.abs(backend.kops.convert_to_numpy(found) - expected).max() < 1e-5
        if keras.backend.backend() == 'jax':
            assert calls == [(1, heads, queries, 4)]
            assert backend.fused_attention(*tensors) is None
        else:
            assert not calls and backend.fused_attention(*[tensor[:1] for tensor in tensors]) is None
            fewer = [tensors[0]] + [tensor[:, :, :128] for tensor in tensors[1:]]
            assert backend.fused_attention(*fewer) is None

if keras.backend.backend() == 'jax':
    @pytest.mark.parametrize('queries', [1, LENGTH])
    def test_cudnn_is_given_a_mask_of_each_query(queries, monkeypatch):
        """Its kernel takes no shape [B, 1, 1, T], which the code for CPUs does; it was seen to fail on a GPU."""
        import jax
        given = []
        monkeypatch.setattr(jax.nn, 'dot_product_attention', lambda *args, **options: given.append(options))
        tensors = [np.zeros((3, 2, LENGTH, 8), 'float32')] * 3 + [np.ones((3, queries, LENGTH), bool)]
        attention.jax_attention(*map(backend.kops.convert_to_tensor, tensors))
        assert given[0]['mask'].shape == (3, 1, LENGTH, LENGTH) and given[0]['implementation'] == 'cudnn'

    @pytest.mark.parametrize('shape, expected', [((1, 2, 6, 64), True), ((1, 2, 7, 64), False),
                                                 ((1, 2, 6, 12), False), ((1, 2, 6, 136), False)])
    def test_what_cudnn_takes(shape, expected, monkeypatch):
        """Heads of a multiple of 8 up to 128, even lengths; and only on a GPU."""
        import jax
        assert not attention.jax_has_kernel(np.zeros(shape), np.zeros(shape))
        monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
        assert attention.jax_has_kernel(np.zeros(shape), np.zeros(shape)) == expected


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


def test_activations_are_numbers_that_are_known():
    """In figures, so that the reference shares no mistake; a constant of the tanh formula wrong by 1e-6 shows."""
    x = np.linspace(-2.2, -1.4, 801)[:, None]
    inputs = keras.layers.Input(shape=(1,))
    functions = ['silu', 'gelu_erf', 'gelu_tanh', lambda x: operations.gelu(x, True)]
    outputs = [layers.BertDense(1, activation=function, use_bias=False)(inputs) for function in functions]
    model = keras.models.Model(inputs, outputs)
    model.set_weights([np.ones((1, 1))] * 4)
    silu, erf, tanh, seam = [np.asarray(output, 'float64') for output in model.predict(x, batch_size=801)]
    # at -2.2, -1.8 and -1.4
    np.testing.assert_allclose(silu[[0, 400, 800], 0], [-0.21945111, -0.25533192, -0.27694256], rtol=1e-5)
    np.testing.assert_allclose(erf[[0, 400, 800], 0], [-0.03058766, -0.06467458, -0.11305932], rtol=1e-5)
    exact = 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x ** 3)))
    for ours in (tanh, seam):  # rounding is in both directions, the mistake in one
        assert abs(np.mean(ours - exact)) < 2e-7


def test_layer_norm_is_a_number_that_is_known():
    """Of 1, 2, 3 with an epsilon of 1/3: -1, 0, 1; of +-1e-5 with the epsilon of old, 1e-12: 1 / sqrt(1.01)."""
    inputs = [keras.layers.Input(shape=(3,)), keras.layers.Input(shape=(2,))]
    model = keras.models.Model(inputs, [layers.BertLayerNorm(epsilon=1.0 / 3.0)(inputs[0]),
                                        layers.BertLayerNorm()(inputs[1])])
    large, small = model.predict([np.array([[1.0, 2.0, 3.0]]), np.array([[1e-5, -1e-5]])])
    assert np.abs(large - [[-1, 0, 1]]).max() < 1e-6 and np.abs(small - [[0.9950372, -0.9950372]]).max() < 1e-5


def test_dropout_drops_what_the_rate_says():
    """And not what it leaves: the rate is not one half here."""
    assert layers.BertSelfAttention(2, dropout_rate=0.2).dropout.rate == 0.2


@pytest.mark.parametrize('application, expected', [('lm', [1, 3, 7]), ('seq2seq', [3, 3, 7])])
def test_padding_on_the_left_is_seen_by_nobody(application, expected):
    """Also where every token sees what is left of it: 1, 3 and 7 are the first, two and all of three tokens."""
    token_ids, segment_ids = np.array([[0, 0, 5, 6, 7]], 'int32'), np.array([[0, 0, 0, 0, 1]], 'int32')
    inputs = [keras.layers.Input(shape=(5,), dtype='int32') for _ in range(2)]
    mask = layers.BertAttentionMask(application)(inputs)
    states = keras.layers.Embedding(20, HIDDEN)(inputs[0])
    attention = layers.BertSelfAttention(2, return_attention=True)([states, mask])
    seen = keras.models.Model(inputs, attention[1]).predict([token_ids, segment_ids])[0, 0] > 0
    assert seen[2:].dot([32, 64, 1, 2, 4]).tolist() == expected


def test_an_input_of_exactly_as_many_tokens_as_positions():
    """It is taken whole; of one more the error says how many there are."""
    positions = layers.BertPositionEmbedding(LENGTH)
    inputs = keras.layers.Input(shape=(LENGTH, HIDDEN))
    model = keras.models.Model(inputs, positions(inputs))
    assert np.abs(model.predict(STATES) - STATES - get_values([positions.table])[0]).max() < 1e-6


def test_positions_are_counted_from_the_id_of_padding():
    """By hand: padding has that id itself, inside a text too, and tokens those that follow; nobody has those before."""
    positions = layers.BertCountedPositionEmbedding(9, pad_token_id=3)
    ids, states = [keras.layers.Input(shape=(LENGTH,), dtype='int32'), keras.layers.Input(shape=(LENGTH, HIDDEN))]
    model = keras.models.Model([states, ids], positions([states, ids]))
    rows = np.array([[4, 9, 2, 7, 1], [0, 3, 8, 0, 3], [3, 3, 3, 3, 3]], 'int32')
    expected = np.array([[4, 5, 6, 7, 8], [4, 3, 5, 6, 3], [3, 3, 3, 3, 3]])
    table = get_values([positions.table])[0]
    assert np.abs(model.predict([STATES, rows]) - STATES - table[expected]).max() < 1e-6
    assert positions.longest == 5
    assert reference.position_ids({'model_type': 'xlm-roberta', 'pad_token_id': 3}, rows).tolist() == expected.tolist()
    positions.check_length(5)
    with pytest.raises(ValueError) as caught:
        positions.check_length(6)
    assert 'has 5 positions' in str(caught.value)
