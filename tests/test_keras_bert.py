# -*- coding: utf-8 -*-
"""Tests of the drop-in for keras-bert, on every Keras and without keras-bert.

What keras-bert itself answers is compared in parity/keras_bert_own_tests.py, where it can run.
"""
from __future__ import absolute_import, division, print_function

import collections
import importlib
import io
import json
import os
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from bert4keras import keras_bert, reference
from bert4keras.backend import MODEL_SUFFIX, keras, kops
from bert4keras.bert import load_pretrained_model
from bert4keras.checkpoint import CheckpointError, open_checkpoint
from bert4keras.keras_bert import (Tokenizer, extract_embeddings, get_custom_objects, get_model,
                                   load_trained_model_from_checkpoint)
from tests.helpers.linear import is_linear
from tests.helpers.official import find_official
from tests.helpers.releases import make_release, random_ids

ROUNDING = 2e-5  # of float32 on hidden states of order 1
BLOCK = ['MultiHeadSelfAttention', 'MultiHeadSelfAttention-Dropout', 'MultiHeadSelfAttention-Add',
         'MultiHeadSelfAttention-Norm', 'FeedForward', 'FeedForward-Dropout', 'FeedForward-Add', 'FeedForward-Norm']
ENCODER = (['Input-Token', 'Input-Segment', 'Embedding-Token', 'Embedding-Segment', 'Embedding-Token-Segment',
            'Embedding-Position', 'Embedding-Dropout', 'Embedding-Norm']
           + ['Encoder-%d-%s' % (number, part) for number in (1, 2) for part in BLOCK])
HEADS = ['MLM-Dense', 'MLM-Norm', 'Extract', 'MLM-Sim', 'Input-Masked', 'NSP-Dense', 'MLM', 'NSP']


def paths(release):
    """The paths of a release's config and checkpoint."""
    return keras_bert.get_checkpoint_paths(release[0])[:2]


def expected(release, token_ids, segment_ids, gelu='tanh'):
    """What the float64 reference gives, by our layers' names."""
    _, config, variables = release
    return reference.forward(dict(config, layer_norm_eps=1e-14), variables, token_ids, segment_ids, gelu=gelu)


@pytest.fixture(scope='module')
def pretraining(release):
    """(weights, ids and masked, outputs) of the release with both heads, as keras-bert would have them."""
    model = load_trained_model_from_checkpoint(*paths(release), training=True, seq_len=7)
    token_ids, segment_ids = random_ids(release[1])
    masked = np.random.RandomState(3).randint(0, 2, token_ids.shape)
    names = [layer.name for layer in model.layers]
    inputs = [token_ids, segment_ids, masked]
    return names, model.get_weights(), inputs, model.predict(inputs)


# ------------------------------------------------------------------ the model

@pytest.mark.slow
def test_layers_and_weights_stand_in_keras_berts_order(pretraining):
    """Names of layers, and shapes of weights, in the order that keras-bert 0.89 has them in."""
    names, weights, _, _ = pretraining
    assert names == ENCODER + HEADS
    norm, attention = [(32,), (32,)], [(32, 32), (32,)] * 4
    block = attention + norm + [(32, 37), (37,), (37, 32), (32,)] + norm
    assert [weight.shape for weight in weights] == (
        [(99, 32), (2, 32), (7, 32)] + norm + 2 * block + [(32, 32), (32,)] + norm
        + [(99,), (32, 32), (32,), (32, 2), (2,)])


@pytest.mark.slow
def test_the_heads_equal_the_reference(release, pretraining):
    """MLM and NSP probabilities of real tokens are the float64 reference's, with GELU by tanh."""
    _, _, (token_ids, segment_ids, _), (words, following) = pretraining
    exact = expected(release, token_ids, segment_ids)
    assert np.abs(words - exact['MLM-Proba'])[token_ids != 0].max() < ROUNDING
    assert np.abs(following - exact['NSP-Proba']).max() < ROUNDING


@pytest.mark.parametrize('output_layer_num, blocks, gelu', [
    (5, [1, 2], 'tanh'), pytest.param(1, [2], 'erf', marks=pytest.mark.slow),
    pytest.param([0, -1], [2, 1], 'tanh', marks=pytest.mark.slow)])
def test_the_encoder_equals_the_reference(release, output_layer_num, blocks, gelu):
    """Any length, the blocks asked for, in keras-bert's order; `gelu='erf'` is the exact one."""
    model = load_trained_model_from_checkpoint(*paths(release), output_layer_num=output_layer_num, seq_len=None,
                                               gelu=gelu)
    token_ids, segment_ids = random_ids(release[1])
    exact = expected(release, token_ids, segment_ids, gelu)
    exact = np.concatenate([exact['Encoder-%d-FeedForward-Norm' % number] for number in blocks], -1)
    assert np.abs(model.predict([token_ids, segment_ids]) - exact)[token_ids != 0].max() < ROUNDING
    assert [layer.name for layer in model.layers] == ENCODER + ['Encoder-Output'] * (len(blocks) > 1)
    assert not model.trainable_weights


@pytest.mark.slow
def test_all_the_options_of_get_model():
    """A task input, activations inside attention, prefixes of what to train, no dropout."""
    inputs, output = get_model(token_num=19, pos_num=11, seq_len=9, embed_dim=12, transformer_num=2, head_num=3,
                               feed_forward_dim=17, dropout_rate=0.0, attention_activation='gelu',
                               feed_forward_activation='relu', training=False, use_task_embed=True, task_num=5,
                               trainable=['Encoder-2', 'Embedding-Task'])
    model = keras.models.Model(inputs, output)
    names = [name for name in ENCODER if not name.endswith('Dropout')]
    names[6:6] = ['Input-Task', 'Embedding-Task']
    assert [layer.name for layer in model.layers] == names
    assert [layer.name for layer in model.layers if layer.trainable] == names[7:8] + names[-6:]
    assert tuple(output.shape[1:]) == (9, 12) and len(model.trainable_weights) == 1 + 16
    ids = np.arange(9)[None]
    one, other = [model.predict([ids, 0 * ids, np.array([[task]])]) for task in (1, 4)]
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.slow
def test_a_shorter_model_takes_the_first_positions(release, pretraining):
    """seq_len cuts the table of positions; a config of another width is refused by the variable's name."""
    np.testing.assert_array_equal(pretraining[1][2], release[2]['bert/embeddings/position_embeddings'][:7])
    model, config = keras_bert.build_model_from_config(paths(release)[0], seq_len=7)
    assert config['max_position_embeddings'] == 7 and model.output_shape == (None, 7, 32)
    with pytest.raises(CheckpointError, match='position_embeddings'):
        keras_bert.load_model_weights_from_checkpoint(model, dict(config, max_position_embeddings=6), paths(release)[1])


@pytest.mark.slow
def test_a_model_whose_last_blocks_were_cut_off_loads(release):
    """What lies behind the blocks that are there is left out, as people shorten BERTs."""
    inputs, output = get_model(99, 17, 9, 32, 1, 4, 37, training=False)
    model = keras.models.Model(inputs, output)
    keras_bert.load_model_weights_from_checkpoint(model, release[1], paths(release)[1])
    weights = model.get_layer('Encoder-1-FeedForward').get_weights()
    np.testing.assert_array_equal(weights[0], release[2]['bert/encoder/layer_0/intermediate/dense/kernel'])


@pytest.mark.slow
def test_weights_go_back_into_a_checkpoint(release, pretraining, tmp_path):
    """KerasBert around a model writes bit for bit the checkpoint that was loaded."""
    model = load_trained_model_from_checkpoint(*paths(release), training=True, seq_len=None)
    bert = keras_bert.KerasBert(release[1], with_nsp=True, with_mlm=True)
    bert.model = model
    prefix = os.path.join(str(tmp_path), 'back.ckpt')
    bert.save_weights_as_checkpoint(prefix)
    written = open_checkpoint(prefix)
    assert sorted(written) == sorted(release[2])
    for name in written:
        np.testing.assert_array_equal(written[name], release[2][name], err_msg=name)


def small(blocks=1, positions=7, dropout_rate=0.0, **options):
    """A KerasBert around a model of `get_model` without heads."""
    config = {'vocab_size': 11, 'hidden_size': 4, 'num_hidden_layers': 1, 'num_attention_heads': 2, 'hidden_act': 'gelu',
              'intermediate_size': 6, 'type_vocab_size': 2, 'max_position_embeddings': 7, 'hidden_dropout_prob': 0.3}
    bert = keras_bert.KerasBert(dict(config, num_hidden_layers=blocks))
    bert.model = keras.models.Model(*get_model(11, positions, None, 4, 1, 2, 6, dropout_rate, training=False, **options))
    return bert


@pytest.mark.slow
@pytest.mark.parametrize('options, said', [
    ({'attention_activation': 'relu'}, 'layer Encoder-1-MultiHeadSelfAttention has activation = '),
    ({'feed_forward_activation': 'relu'}, "layer Encoder-1-FeedForward has activation = 'relu', not 'gelu_tanh'"),
    ({'use_task_embed': True}, 'layer Embedding-Norm takes its inputs from Embedding-Task, not from Embedding-Position'),
    ({'blocks': 2}, 'layer Encoder-2-MultiHeadSelfAttention is not there')])
def test_a_changed_model_is_not_written_as_bert(tmp_path, options, said):
    """A checkpoint says nothing of what is changed; the error names the first layer; changed=True overrides."""
    bert, prefix = small(**options), os.path.join(str(tmp_path), 'changed.ckpt')
    with pytest.raises(ValueError) as caught:
        bert.save_weights_as_checkpoint(prefix)
    assert said in str(caught.value) and not os.listdir(str(tmp_path))
    bert.save_weights_as_checkpoint(prefix, changed=True)
    assert len(open_checkpoint(prefix)) == 5 + 16


@pytest.mark.slow
@pytest.mark.parametrize('options', [{}, {'dropout_rate': 0.2}, {'positions': 5}])
def test_what_keras_bert_builds_and_layers_on_top_are_no_change(options):
    """Whatever dropout, and however many positions, the config speaks of."""
    bert = small(**options)
    assert bert.first_difference() is None
    bert.model = keras.models.Model(bert.model.inputs, keras.layers.Dense(3)(bert.model.output))
    assert bert.first_difference() is None


@pytest.mark.slow
def test_a_saved_model_needs_no_custom_objects(release, pretraining, tmp_path):
    """What `model.save` writes opens as it is, compiled with AdamWarmup, and gives the same outputs."""
    _, weights, inputs, outputs = pretraining
    model = get_model(99, 7, 7, 32, 2, 4, 37, attention_activation=None)
    model.set_weights(weights)
    path = os.path.join(str(tmp_path), 'saved' + MODEL_SUFFIX)
    keras_bert.compile_model(model)
    model.save(path)
    again = keras.models.load_model(path)
    assert type(again.optimizer) is keras_bert.AdamWarmup
    for ours, theirs in zip(again.predict(inputs), outputs):
        assert np.abs(ours - theirs).max() < 1e-6
    assert keras.models.model_from_json(model.to_json()).count_params() == model.count_params()


# ------------------------------------------------------------------ masks, for what users put on top

@pytest.mark.slow
def test_masks_reach_the_users_layers_and_losses(release, pretraining):
    """A mean over the output is one over real tokens; only masked positions count in the loss."""
    model = load_trained_model_from_checkpoint(*paths(release), seq_len=7)
    token_ids, segment_ids = random_ids(release[1])
    masked_mean = kops_mean(model, token_ids, segment_ids)
    hidden = model.predict([token_ids, segment_ids])
    for row, ids in enumerate(token_ids):
        assert np.abs(masked_mean[row] - hidden[row][ids != 0].mean(axis=0)).max() < ROUNDING
    _, weights, inputs, outputs = pretraining
    model = get_model(99, 7, 7, 32, 2, 4, 37)
    model.set_weights(weights)
    model.compile('sgd', ['sparse_categorical_crossentropy'] * 2)
    labels = np.random.RandomState(5).randint(0, 99, inputs[0].shape + (1,))
    counted = (inputs[2] != 0) & (inputs[0] != 0)
    wrong = np.where(counted[..., None], labels, (labels + 1) % 99)  # differ where they must not count
    losses = [model.evaluate(inputs, [y, np.zeros((13, 1))], batch_size=13, verbose=0)[0] for y in (labels, wrong)]
    assert abs(losses[0] - losses[1]) < 1e-5 and losses[0] > 1


@pytest.mark.slow
def test_a_model_with_layers_that_take_the_mask_opens_again(tmp_path):
    """From an h5 file, on Keras 3 too, where the file has an operation of Keras for each step of a mask."""
    inputs, x = get_model(11, 7, 6, 4, 1, 2, 6, dropout_rate=0.0, training=False)
    convolved = keras_bert.MaskedConv1D(filters=3, kernel_size=3)(x)
    y = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling1D()(x), keras.layers.LSTM(2)(x),
                                    keras_bert.MaskedGlobalMaxPool1D()(convolved)])
    model = keras.models.Model(inputs, y)
    path = os.path.join(str(tmp_path), 'model.h5')
    model.save(path)
    ids = np.array([[1, 2, 3, 4, 0, 0], [5, 6, 7, 0, 0, 0]])
    again = keras.models.load_model(path, compile=False)
    assert np.abs(again.predict([ids, 0 * ids]) - model.predict([ids, 0 * ids])).max() < 1e-6


def kops_mean(model, token_ids, segment_ids):
    """The output of GlobalAveragePooling1D, which heeds masks, on top of a model."""
    pooled = keras.layers.GlobalAveragePooling1D()(model.output)
    return keras.models.Model(model.inputs, pooled).predict([token_ids, segment_ids])


def test_the_layers_alone():
    """Masked, MaskedConv1D, MaskedGlobalMaxPool1D, TaskEmbedding and Extract, against NumPy."""
    ids = np.array([[1, 2, 3, 4, 0, 0], [3, 1, 0, 0, 0, 0]])
    inputs = keras.layers.Input(shape=(6,))
    wanted = keras.layers.Input(shape=(6,))
    x, _ = keras_bert.TokenEmbedding(input_dim=5, output_dim=3, mask_zero=True, name='Table')(inputs)
    same, mask = keras_bert.Masked(return_masked=True)([x, wanted])
    pooled = keras_bert.MaskedGlobalMaxPool1D()(x)
    convolved = keras_bert.MaskedGlobalMaxPool1D()(keras_bert.MaskedConv1D(filters=2, kernel_size=3, name='Conv')(x))
    second = keras_bert.Extract(index=1)(x)
    model = keras.models.Model([inputs, wanted], [same, mask, pooled, convolved, second])
    marks = np.array([[0, 1, 1, 0, 1, 0], [1, 0, 0, 1, 0, 0]])
    outputs = model.predict([ids, marks])
    table = model.get_layer('Table').get_weights()[0]
    np.testing.assert_array_equal(outputs[0], table[ids])
    np.testing.assert_array_equal(outputs[1], marks * (ids != 0))
    np.testing.assert_allclose(outputs[2], [table[1:5].max(axis=0), table[[3, 1]].max(axis=0)], rtol=1e-6)
    kernel, bias = model.get_layer('Conv').get_weights()
    seen = table[ids] * (ids != 0)[..., None]
    windows = np.stack([np.tensordot(seen[:, at:at + 3], kernel, 2) + bias for at in range(4)], 1)
    np.testing.assert_allclose(outputs[3][0], windows[0, :2].max(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(outputs[4], table[ids[:, 1]])


def attention_of_three(states, weights, heads, visible, activation=lambda x: x):
    """keras-multi-head's attention in float64, of queries, keys and values; weights without biases are four."""
    weights = weights if len(weights) == 8 else [part for weight in weights for part in (weight, 0.0)]
    query, key, value = [activation(x.dot(kernel) + bias)
                         for x, kernel, bias in zip(states, weights[:6:2], weights[1:6:2])]
    size, outputs = query.shape[-1] // heads, []
    for head in range(heads):
        one = slice(head * size, (head + 1) * size)
        scores = np.einsum('bfh,bth->bft', query[..., one], key[..., one]) / np.sqrt(size)
        outputs.append(np.einsum('bft,bth->bfh', reference.softmax(np.where(visible, scores, -1e9)), value[..., one]))
    return activation(np.concatenate(outputs, -1).dot(weights[6]) + weights[7])


@pytest.mark.slow
@pytest.mark.parametrize('history_only', [False, True])
def test_attention_on_queries_keys_and_values(history_only):
    """Of several lengths and sizes; the Keras mask of the keys counts; `history_only` hides what follows."""
    random = np.random.RandomState(0)
    sizes = [(5, 3), (7, 6), (7, 4)]
    inputs = [keras.layers.Input(shape=size) for size in sizes]
    states = [random.standard_normal((2,) + size) for size in sizes]
    states[1][0, 5:] = 0.0
    attention = get_custom_objects()['MultiHeadAttention'](
        head_num=2, activation='relu', use_bias=True, kernel_initializer='glorot_normal', bias_initializer='zeros',
        kernel_regularizer=None, history_only=history_only, name='Attention')
    masked = keras.layers.Masking(mask_value=0.0)(inputs[1])
    y = attention([inputs[0], masked, inputs[2]])
    model = keras.models.Model(inputs, y)
    weights = [random.normal(0, 0.7, weight.shape) for weight in model.get_weights()]
    model.set_weights(weights)
    assert [weight.shape for weight in weights] == [(3, 4), (4,), (6, 4), (4,), (4, 4), (4,), (4, 4), (4,)]
    visible = np.ones((2, 5, 7), bool)
    visible[0, :, 5:] = False
    visible &= (np.arange(7) <= np.arange(5)[:, None]) | (not history_only)
    exact = attention_of_three(states, weights, 2, visible, lambda x: np.maximum(x, 0))
    assert np.abs(model.predict(states) - exact).max() < ROUNDING and tuple(y.shape[1:]) == (5, 4)
    again = type(attention).from_config(attention.get_config())
    assert again.history_only is history_only and again.activation == attention.activation


@pytest.mark.slow
def test_attention_without_biases():
    """Four kernels, and nothing added."""
    x = keras.layers.Input(shape=(3, 4))
    layer = get_custom_objects()['MultiHeadAttention'](2, activation=None, use_bias=False)
    model = keras.models.Model(x, layer(x))
    weights = [np.random.RandomState(0).standard_normal(weight.shape) for weight in model.get_weights()]
    assert [weight.shape for weight in weights] == [(4, 4)] * 4
    model.set_weights(weights)
    values = np.random.RandomState(1).standard_normal((1, 3, 4))
    exact = attention_of_three([values] * 3, weights, 2, np.ones((1, 3, 3), bool))
    assert np.abs(model.predict(values) - exact).max() < ROUNDING
    assert not type(layer).from_config(layer.get_config()).use_bias


@pytest.mark.slow
def test_trigonometric_positions():
    """sin and cos of p / 10000 ** (2i / E) by turns: added, after the input, and of given positions."""
    TrigPosEmbedding = get_custom_objects()['TrigPosEmbedding']
    x, positions = keras.layers.Input(shape=(None, 4)), keras.layers.Input(shape=(3,))
    layers = [TrigPosEmbedding(), TrigPosEmbedding('concat', output_dim=2), TrigPosEmbedding('expand', output_dim=4)]
    layers = [type(layer).from_config(layer.get_config()) for layer in layers]
    model = keras.models.Model([x, positions], [layers[0](x), layers[1](x), layers[2](positions)])
    values = np.random.RandomState(0).standard_normal((2, 3, 4)).astype('float32')
    added, after, given = model.predict([values, np.array([[0, 1, 2], [7, 0, 2]])])
    rows = {0: [0, 1, 0, 1], 1: [0.84147098, 0.54030231, 0.00999983, 0.99995000],
            2: [0.90929743, -0.41614684, 0.01999867, 0.99980001], 7: [0.65698660, 0.75390225, 0.06994285, 0.99755100]}
    expected = np.array([rows[0], rows[1], rows[2]])
    assert np.abs(added - values - expected).max() < 1e-6
    assert np.abs(after - np.concatenate([values, np.tile(expected[:, :2], (2, 1, 1))], -1)).max() < 1e-6
    assert np.abs(given - [expected, [rows[7], rows[0], rows[2]]]).max() < 1e-6
    for options in ({'mode': 'expand'}, {'mode': 'concat', 'output_dim': 3}, {'mode': 'other'}):
        with pytest.raises(ValueError, match='mode'):
            TrigPosEmbedding(**options)


@pytest.mark.slow
def test_a_layer_heeds_its_initializer_and_regularizer():
    """Those of keras-bert's arguments that no model of its own gives, by the weight's name."""
    inputs = keras.layers.Input(shape=(6,))
    x, _ = keras_bert.TokenEmbedding(input_dim=5, output_dim=3, embeddings_initializer='ones',
                                     embeddings_regularizer='l2', name='Table')(inputs)
    model = keras.models.Model(inputs, x)
    assert (model.get_layer('Table').get_weights()[0] == 1).all() and len(model.losses) == 1


def test_layers_have_keras_berts_attributes():
    """Sizes and weights by the names that scripts read: adversarial training takes `embeddings`, for instance."""
    model = get_model(13, 5, 5, 4, 1, 2, 6, use_task_embed=True, task_num=3)
    for name, sizes in (('Token', (13, 4)), ('Segment', (2, 4)), ('Position', (5, 4)), ('Task', (3, 4))):
        layer = model.get_layer('Embedding-' + name)
        assert (layer.input_dim, layer.output_dim) == sizes and layer.embeddings is layer.weights[0]
    attention, inner = [model.get_layer('Encoder-1-' + name) for name in ('MultiHeadSelfAttention', 'FeedForward')]
    assert attention.head_num == 2 and not attention.history_only and attention.use_bias and inner.units == 6
    assert [getattr(attention, name) is weight for name, weight in
            zip('Wq bq Wk bk Wv bv Wo bo'.split(), attention.weights)] == [True] * 8
    assert [getattr(inner, name) is weight for name, weight in zip('W1 b1 W2 b2'.split(), inner.weights)] == [True] * 4
    unbuilt = keras_bert.TokenEmbedding(input_dim=5, output_dim=3, mask_zero=True)
    assert unbuilt.embeddings is None and unbuilt.mask_zero


@pytest.mark.slow
def test_layers_are_found_by_name_not_by_keras_class():
    """As the README says: none is an Embedding or a Dense of Keras, and the names find the tables and kernels."""
    model = small().model
    assert not [layer.name for layer in model.layers if isinstance(layer, (keras.layers.Embedding, keras.layers.Dense))]
    table = [layer for layer in model.layers if layer.name == 'Embedding-Token'][0].embeddings
    assert tuple(table.shape)[1] == model.get_layer('Embedding-Token').output_dim


def test_weights_have_keras_berts_names():
    """So that patterns such as `weight_decay_pattern` find what they find in keras-bert, and nothing else."""
    model = get_model(13, 5, 5, 4, 1, 2, 6)
    names = [(layer.name, weight.name.split('/')[-1].split(':')[0])
             for layer in model.layers for weight in layer.weights]
    attention, inner = 'Encoder-1-MultiHeadSelfAttention', 'Encoder-1-FeedForward'
    norm = lambda name: [(name, 'gamma'), (name, 'beta')]  # noqa: E731
    assert names == (
        [('Embedding-' + name, 'embeddings') for name in ('Token', 'Segment', 'Position')] + norm('Embedding-Norm')
        + [(attention, '%s_%s' % (attention, weight)) for weight in 'Wq bq Wk bk Wv bv Wo bo'.split()]
        + norm(attention + '-Norm') + [(inner, '%s_%s' % (inner, weight)) for weight in 'W1 b1 W2 b2'.split()]
        + norm(inner + '-Norm') + [('MLM-Dense', 'kernel'), ('MLM-Dense', 'bias')] + norm('MLM-Norm')
        + [('MLM-Sim', 'bias')] + [(name, weight) for name in ('NSP-Dense', 'NSP') for weight in ('kernel', 'bias')])


@pytest.mark.slow
def test_get_encoders():
    """Blocks on any tensor and its Keras mask are those of a model with the same weights."""
    inputs, output = get_model(13, 5, 5, 4, 2, 2, 6, training=False, dropout_rate=0.1, attention_activation='relu')
    model = keras.models.Model(inputs, output)
    x = keras.layers.Input(shape=(5, 4))
    y = keras_bert.bert.get_encoders(encoder_num=2, input_layer=keras.layers.Masking(mask_value=0.0)(x), head_num=2,
                                     hidden_dim=6, attention_activation='relu', dropout_rate=0.1, trainable=False)
    blocks = keras.models.Model(x, y)
    assert [layer.name for layer in blocks.layers[2:]] == [layer.name for layer in model.layers[8:]]
    assert not blocks.trainable_weights
    weights = [np.random.RandomState(0).normal(0, 0.5, weight.shape) for weight in model.get_weights()]
    model.set_weights(weights)
    blocks.set_weights(weights[5:])
    ids = np.array([[1, 2, 3, 4, 5], [6, 7, 8, 0, 0]])
    hidden = keras.models.Model(inputs, model.get_layer('Embedding-Norm').output).predict([ids, 0 * ids])
    hidden[ids == 0] = 0
    expected = model.predict([ids, 0 * ids])
    assert np.abs(blocks.predict(hidden) - expected)[ids != 0].max() < 1e-6


@pytest.mark.slow
def test_task_embedding():
    """The task's vector is added to every position; task 0 adds nothing with mask_zero."""
    x, task = keras.layers.Input(shape=(5, 4)), keras.layers.Input(shape=(1,))
    output = keras_bert.TaskEmbedding(input_dim=3, output_dim=4, mask_zero=True)([x, task])
    model = keras.models.Model([x, task], output)
    values = np.random.RandomState(0).rand(2, 5, 4).astype('float32')
    output = model.predict([values, np.array([[0], [2]])])
    np.testing.assert_array_equal(output[0], values[0])
    np.testing.assert_allclose(output[1], values[1] + model.get_weights()[0][2], rtol=1e-6)


# ------------------------------------------------------------------ files that keras-bert saved

def save_as_keras_bert(path, weights):
    """Writes the h5 file, of Keras 2.3's format, in which keras-bert saved a model of our release's shapes."""
    def layer(class_name, name, *inputs, **config):
        nodes = [[[one, 0, 0, {}] if isinstance(one, str) else [one[0], 0, one[1], {}] for one in inputs]]
        return {'class_name': class_name, 'name': name, 'inbound_nodes': nodes if inputs else [],
                'config': dict(config, name=name, **({} if class_name == 'InputLayer' else {'trainable': True}))}

    def embedding(class_name, name, source, size, **config):
        uniform = {'class_name': 'RandomUniform', 'config': {'minval': -0.05, 'maxval': 0.05, 'seed': None}}
        return layer(class_name, name, source, input_dim=size, output_dim=32, embeddings_initializer=uniform,
                     embeddings_regularizer=None, activity_regularizer=None, embeddings_constraint=None, **config)

    def norm(name, source):
        options = {'%s_%s' % (weight, what): None
                   for weight in ('gamma', 'beta') for what in ('regularizer', 'constraint')}
        return layer('LayerNormalization', name, source, center=True, scale=True, epsilon=1e-14,
                     gamma_initializer={'class_name': 'Ones', 'config': {}},
                     beta_initializer={'class_name': 'Zeros', 'config': {}}, **options)

    def affine(class_name, name, source, **config):
        glorot = {'class_name': 'VarianceScaling',
                  'config': {'scale': 1.0, 'mode': 'fan_avg', 'distribution': 'normal', 'seed': None}}
        return layer(class_name, name, source, use_bias=True, kernel_initializer=glorot, kernel_regularizer=None,
                     kernel_constraint=None, bias_initializer={'class_name': 'Zeros', 'config': {}},
                     bias_regularizer=None, bias_constraint=None, **config)

    layers = [layer('InputLayer', name, batch_input_shape=[None, 7], dtype='float32', sparse=False)
              for name in ('Input-Token', 'Input-Segment')]
    layers += [embedding('TokenEmbedding', 'Embedding-Token', 'Input-Token', 99, mask_zero=True, input_length=None,
                         batch_input_shape=[None, None], dtype='float32'),
               embedding('Embedding', 'Embedding-Segment', 'Input-Segment', 2, mask_zero=False, input_length=None,
                         batch_input_shape=[None, None], dtype='float32'),
               layer('Add', 'Embedding-Token-Segment', 'Embedding-Token', 'Embedding-Segment'),
               embedding('PositionEmbedding', 'Embedding-Position', 'Embedding-Token-Segment', 7, mode='add',
                         mask_zero=False),
               layer('Dropout', 'Embedding-Dropout', 'Embedding-Position', rate=0.1, noise_shape=None, seed=None),
               norm('Embedding-Norm', 'Embedding-Dropout')]
    x = 'Embedding-Norm'
    for number in (1, 2):
        for class_name, part, config in (
                ('MultiHeadAttention', 'MultiHeadSelfAttention', {'head_num': 4, 'activation': 'linear',
                                                                  'history_only': False}),
                ('FeedForward', 'FeedForward', {'units': 37, 'activation': 'gelu'})):
            name = 'Encoder-%d-%s' % (number, part)
            layers += [affine(class_name, name, x, **config),
                       layer('Dropout', name + '-Dropout', name, rate=0.1, noise_shape=None, seed=None),
                       layer('Add', name + '-Add', x, name + '-Dropout'), norm(name + '-Norm', name + '-Add')]
            x = name + '-Norm'
    layers += [affine('Dense', 'MLM-Dense', x, units=32, activation='gelu'), norm('MLM-Norm', 'MLM-Dense'),
               layer('Extract', 'Extract', x, index=0),
               layer('EmbeddingSimilarity', 'MLM-Sim', 'MLM-Norm', ('Embedding-Token', 1),
                     initializer={'class_name': 'Zeros', 'config': {}}, regularizer=None, constraint=None),
               layer('InputLayer', 'Input-Masked', batch_input_shape=[None, 7], dtype='float32', sparse=False),
               affine('Dense', 'NSP-Dense', 'Extract', units=32, activation='tanh'),
               layer('Masked', 'MLM', 'MLM-Sim', 'Input-Masked', return_masked=False),
               affine('Dense', 'NSP', 'NSP-Dense', units=2, activation='softmax')]
    config = {'name': 'model_1', 'layers': layers, 'output_layers': [['MLM', 0, 0], ['NSP', 0, 0]],
              'input_layers': [[name, 0, 0] for name in ('Input-Token', 'Input-Segment', 'Input-Masked')]}
    counts = {'TokenEmbedding': 1, 'Embedding': 1, 'PositionEmbedding': 1, 'LayerNormalization': 2, 'FeedForward': 4,
              'MultiHeadAttention': 8, 'Dense': 2, 'EmbeddingSimilarity': 1}
    left = list(weights)
    with h5py.File(path, 'w') as file:
        file.attrs['model_config'] = json.dumps({'class_name': 'Model', 'config': config}).encode('utf-8')
        file.attrs['keras_version'], file.attrs['backend'] = b'2.3.1', b'tensorflow'
        root = file.create_group('model_weights')
        root.attrs['keras_version'], root.attrs['backend'] = b'2.3.1', b'tensorflow'
        root.attrs['layer_names'] = [entry['name'].encode('utf-8') for entry in layers]
        for entry in layers:
            group = root.create_group(entry['name'])
            names = ['%s/w%d:0' % (entry['name'], at) for at in range(counts.get(entry['class_name'], 0))]
            group.attrs['weight_names'] = [name.encode('utf-8') for name in names]
            for name in names:
                group[name] = left.pop(0)
    assert not left


@pytest.mark.slow
@pytest.mark.parametrize('change, said', [
    (('"mask_zero": true', '"mask_zero": false'), 'layer Embedding-Token has mask_zero = False, not True'),
    (('"activation": "linear"', '"activation": "relu"'), "layer Encoder-1-MultiHeadSelfAttention has activation = '"),
    (('"history_only": false', '"history_only": true'), 'layer Encoder-1-MultiHeadSelfAttention has history_only = '),
    (('"head_num": 4', '"head_num": 2'), 'layer Encoder-1-MultiHeadSelfAttention has num_attention_heads = 2, not 4')])
def test_a_changed_model_of_a_file_of_keras_bert_is_known(release, pretraining, tmp_path, change, said):
    """What is written of it would be taken for another BERT: the first layer that differs is named."""
    path = os.path.join(str(tmp_path), 'theirs.h5')
    save_as_keras_bert(path, pretraining[1])
    with h5py.File(path, 'r+') as file:
        text = file.attrs['model_config']
        text = text if isinstance(text, bytes) else text.encode('utf-8')
        file.attrs['model_config'] = text.replace(*[part.encode('utf-8') for part in change])
    bert = keras_bert.KerasBert(release[1])
    bert.model = keras.models.load_model(path, custom_objects=get_custom_objects())
    assert bert.first_difference().startswith(said)


@pytest.mark.slow
def test_a_file_that_keras_bert_saved_opens(release, pretraining, tmp_path):
    """load_model with get_custom_objects(): the same outputs, so masks, GELU and epsilon are keras-bert's."""
    _, weights, inputs, outputs = pretraining
    path = os.path.join(str(tmp_path), 'theirs.h5')
    save_as_keras_bert(path, weights)
    model = keras.models.load_model(path, custom_objects=get_custom_objects())
    real = inputs[0] != 0
    words, following = model.predict(inputs)
    assert np.abs(words - outputs[0])[real].max() < 1e-6 and np.abs(following - outputs[1]).max() < 1e-6
    exact = expected(release, inputs[0], inputs[1], 'erf')
    model = keras.models.load_model(path, custom_objects=get_custom_objects(gelu='erf'))
    assert np.abs(model.predict(inputs)[0] - exact['MLM-Proba'])[real].max() < ROUNDING
    bert = keras_bert.KerasBert(release[1], with_nsp=True, with_mlm=True)
    bert.model = model
    assert bert.first_difference() is None  # with either GELU
    bert.save_weights_as_checkpoint(os.path.join(str(tmp_path), 'back.ckpt'))
    written = open_checkpoint(os.path.join(str(tmp_path), 'back.ckpt'))
    for name in set(release[2]) - {'bert/embeddings/position_embeddings'}:
        np.testing.assert_array_equal(written[name], release[2][name], err_msg=name)
    path = os.path.join(str(tmp_path), 'again' + MODEL_SUFFIX)
    model.save(path)
    assert np.abs(keras.models.load_model(path).predict(inputs)[0] - exact['MLM-Proba'])[real].max() < ROUNDING


@pytest.mark.slow
def test_the_file_of_years_ago_opens(official):
    """keras-bert's own saved model (Keras 2.2.4) knows the sentences that it was fitted to."""
    path = os.path.join(official, 'keras_bert_toy', 'test_bert_fit.h5')
    model = keras.models.load_model(path, custom_objects=get_custom_objects(), compile=False)
    ours = get_model(28, 20, 20, 25, 12, 5, 100, attention_activation='gelu')
    ours.set_weights(model.get_weights())
    inputs, labels = gen_batch(seq_len=20)
    words, following = model.predict(inputs)
    assert np.abs(words - ours.predict(inputs)[0])[inputs[0] != 0].max() < ROUNDING
    assert (words.argmax(axis=-1) == labels[0][..., 0])[inputs[2] != 0].mean() > 0.95


# ------------------------------------------------------------------ text

PAIRS = [[['all', 'work', 'and', 'no', 'play'], ['makes', 'jack', 'a', 'dull', 'boy']],
         [['from', 'the', 'day', 'forth'], ['my', 'arm', 'changed']],
         [['and', 'a', 'voice', 'echoed'], ['power', 'give', 'me', 'more', 'power']]]


def gen_batch(**arguments):
    """keras-bert's toy batch, of the seed 7."""
    token_dict = collections.OrderedDict(sorted(keras_bert.get_base_dict().items(), key=lambda item: item[1]))
    for first, second in PAIRS:
        for token in first + second:
            token_dict.setdefault(token, len(token_dict))
    np.random.seed(7)
    return keras_bert.gen_batch_inputs(PAIRS, token_dict, list(token_dict), **arguments)


def test_gen_batch_inputs():
    """Shapes, specials never masked, a token forced, pairs exchanged as labelled."""
    (token_ids, segment_ids, masked), (labels, exchanged) = gen_batch(seq_len=17, mask_rate=0.4, swap_sentence_rate=1.0)
    assert token_ids.shape == segment_ids.shape == masked.shape == (3, 17)
    assert labels.shape == (3, 17, 1) and exchanged.shape == (3, 1)
    assert (labels[..., 0] == token_ids)[masked == 0].all() and (labels[..., 0][masked == 1] > 4).all()
    assert (segment_ids[0] == [0] * 7 + [1] * 10).all()
    assert (token_ids[:, 0] == 2).all() and masked.any(axis=1).all()
    starts = [labels[row, len(first) + 2, 0] for row, (first, _) in enumerate(PAIRS)]  # of the second sentences
    own = np.array([10, 19, 24])
    assert ((starts != own) == exchanged[:, 0]).all() and exchanged.any()
    _, _, masked = gen_batch(seq_len=9, mask_rate=0.0)[0]
    assert (masked == [0, 1] + [0] * 7).all()
    assert not gen_batch(seq_len=9, mask_rate=0.0, force_mask=False)[0][2].any()


VOCAB = {token: number for number, token in enumerate(
    [u'[PAD]', u'[UNK]', u'[CLS]', u'[SEP]', u'want', u'##want', u'##ed', u'wa', u'un', u'runn', u'##ing', u','])}


def test_tokenizer():
    """Unknown characters inside a word are tokens, ids [UNK]; pairs, padding, decoding."""
    tokenizer = Tokenizer(VOCAB)
    assert tokenizer.tokenize(u'UNwant\xe9d, running\nah\u535azz\xad') == [
        u'[CLS]', u'un', u'##want', u'##ed', u',', u'runn', u'##ing', u'a', u'##h', u'\u535a', u'z', u'##z', u'[SEP]']
    token_ids, segment_ids = tokenizer.encode(u'unwanted', second=u'\u94a2', max_len=9)
    assert token_ids == [2, 8, 5, 6, 3, 1, 3, 0, 0] and segment_ids == [0, 0, 0, 0, 0, 1, 1, 0, 0]
    assert tokenizer.decode(token_ids) == ([u'un', u'##want', u'##ed'], [u'[UNK]'])
    assert tokenizer.encode(u'want want', u'want want', max_len=5)[0] == [2, 4, 3, 4, 3]
    assert Tokenizer(VOCAB, cased=True).tokenize(u'UN')[1:-1] == [u'U', u'##N']
    with pytest.raises(IndexError):
        tokenizer.encode(u'want', u'want', max_len=2)
    with pytest.raises(NotImplementedError):
        tokenizer.encode_batch([u'want'])


class OwnParts(Tokenizer):
    """Overrides each part of `encode` as scripts do: no [SEP] in the middle, a window's end kept, ids of their own."""

    @staticmethod
    def _truncate(first_tokens, second_tokens=None, max_len=None):
        if max_len is not None:
            del first_tokens[:-max_len + 3], second_tokens[1:]

    def _pack(self, first_tokens, second_tokens=None):
        tokens = [self._token_cls] + first_tokens + second_tokens + [self._token_sep]
        return tokens, len(first_tokens) + 1, len(second_tokens) + 1

    def _convert_tokens_to_ids(self, tokens):
        return [100 + number for number in super(OwnParts, self)._convert_tokens_to_ids(tokens)]


def test_the_parts_of_encode_can_be_called_and_overridden():
    """`_truncate`, `_pack` and `_convert_tokens_to_ids` answer as keras-bert's do, and `encode` goes by them."""
    tokenizer, first, second = Tokenizer(VOCAB), [u'un', u'want', u','], [u'want', u'un']
    assert tokenizer._pack(first) == ([u'[CLS]', u'un', u'want', u',', u'[SEP]'], 5, 0)
    assert tokenizer._pack([u'un'], second) == ([u'[CLS]', u'un', u'[SEP]', u'want', u'un', u'[SEP]'], 3, 3)
    assert tokenizer._convert_tokens_to_ids([u'un', u'?']) == [8, 1]
    tokenizer._truncate(first, second, 6)
    assert (first, second) == ([u'un', u'want'], [u'want'])
    tokenizer._truncate(first, max_len=3)
    assert first == [u'un']
    own = OwnParts(VOCAB)
    assert own.encode(u'un want', u'want') == ([102, 108, 104, 104, 103], [0, 0, 0, 1, 1])
    assert own.encode(u'un un want ,', u'want un', max_len=5) == ([102, 104, 111, 104, 103], [0, 0, 0, 1, 1])
    assert own.tokenize(u'un', u'want') == [u'[CLS]', u'un', u'want', u'[SEP]']


def test_rematch():
    """Tokens find their places: case, [UNK], spaces, and what the two have in common."""
    assert Tokenizer.rematch(u'All rights reserved.', [u'all', u'rights', u're', u'##ser', u'[UNK]', u'.']) == [
        (0, 3), (4, 10), (11, 13), (13, 16), (16, 19), (19, 20)]
    assert Tokenizer.rematch(u'#hash tag ##', [u'#', u'hash', u'tag', u'##']) == [(0, 1), (1, 5), (6, 9), (10, 12)]
    assert Tokenizer.rematch(u'  \u5403\u4e86? ', [u'\u5403', u'[UNK]', u'?']) == [(2, 3), (3, 4), (4, 5)]


@pytest.mark.slow
def test_a_word_of_100000_characters_takes_no_time():
    """Tokenizing and rematching are linear, so that it takes milliseconds; keras-bert's are not."""
    tokenizer = Tokenizer(VOCAB)

    def use(letters):
        word = u'un' + letters + u'\xe9'
        tokens = tokenizer.tokenize(word)[1:-1]
        assert len(tokens) == len(letters) + 2 and Tokenizer.rematch(word, tokens)[-1] == (len(word) - 1, len(word))

    assert is_linear(use, u'z', 5000)
    use(u'z' * 100000)


def test_the_vocabulary_may_change_in_place():
    """As keras-bert's, the tokenizer sees tokens that are added to the mapping it was given."""
    vocab = dict(VOCAB)
    tokenizer = Tokenizer(vocab)
    assert tokenizer.tokenize(u'zz')[1:-1] == [u'z', u'##z']
    vocab[u'zz'] = 99
    assert tokenizer.encode(u'zz')[0] == [2, 99, 3]


def test_load_vocabulary(tmp_path):
    """A dict of the lines; what `splitlines` would split does not shift the ids."""
    path = os.path.join(str(tmp_path), 'vocab.txt')
    with io.open(path, 'w', encoding='utf-8', newline='') as file:
        file.write(u'[PAD]\r\n\u2028\nwant')
    assert keras_bert.load_vocabulary(path) == {u'[PAD]': 0, u'\u2028': 1, u'want': 2}


# ------------------------------------------------------------------ embeddings of texts

TEXTS = [u'word1 word2', u'', u'word%d ' % 3 * 11, (u'word4 word5', u'word6'), u'word7 zz', u'word8 word9 word1'] * 3


@pytest.mark.slow
@pytest.mark.parametrize('poolings', [[keras_bert.POOL_MAX, keras_bert.POOL_NSP, keras_bert.POOL_AVE],
                                      None, keras_bert.POOL_NSP])
def test_extract_embeddings(release, poolings):
    """Each text's vectors, in the caller's order, are those that it gets alone; in a few batches."""
    model = load_trained_model_from_checkpoint(*paths(release), seq_len=None)
    tokenizer = Tokenizer(keras_bert.load_vocabulary(keras_bert.get_checkpoint_paths(release[0]).vocab))
    results = extract_embeddings(release[0], TEXTS, poolings=poolings, batch_size=5)
    assert len(results) == len(TEXTS)
    for text, result in list(zip(TEXTS, results))[:7]:
        token_ids, segment_ids = tokenizer.encode(*(text if isinstance(text, tuple) else (text,)))
        token_ids, segment_ids = token_ids[:17], segment_ids[:17]
        hidden = model.predict_on_batch([np.array([token_ids]), np.array([segment_ids])])
        hidden = np.asarray(hidden)[0]
        wanted = {None: hidden, keras_bert.POOL_NSP: hidden[0]}.get(
            poolings if not isinstance(poolings, list) else 0,
            np.concatenate([hidden.max(axis=0), hidden[0], hidden.mean(axis=0)]))
        assert result.shape == wanted.shape and np.abs(result - wanted).max() < ROUNDING


@pytest.mark.slow
def test_extract_embeddings_of_a_model_without_cutting(release):
    """A model with a fixed length pads to it; a free one to the longest text of the caller's batch."""
    vocab = keras_bert.load_vocabulary(keras_bert.get_checkpoint_paths(release[0]).vocab)
    for seq_len, lengths in ((9, [9, 9, 9]), (None, [4, 4, 5])):
        model = load_trained_model_from_checkpoint(*paths(release), seq_len=seq_len)
        results = extract_embeddings(model, [u'word1', u'word2 word3', u'word1 word2 word3'], vocabs=vocab,
                                     batch_size=2, cut_embed=False)
        assert [len(result) for result in results] == lengths
    generator = keras_bert.extract_embeddings_generator(model, iter([u'word1'] * 3), vocabs=vocab)
    assert next(generator).shape == (3, 32)
    with pytest.raises(ValueError, match='Unknown pooling method: invalid'):
        extract_embeddings(model, [u'word1'], poolings=['invalid'], vocabs=vocab)


@pytest.mark.slow
def test_extract_embeddings_of_a_text_with_exactly_as_many_tokens_as_positions(release):
    """It is taken whole, the last position included: 17 vectors, those that the model gives."""
    vocab = keras_bert.load_vocabulary(keras_bert.get_checkpoint_paths(release[0]).vocab)
    model = load_trained_model_from_checkpoint(*paths(release), seq_len=None)
    text = u' '.join(u'word%d' % number for number in range(1, 16))
    result, = extract_embeddings(model, [text], vocabs=vocab)
    token_ids = np.array([[vocab['[CLS]']] + [vocab[word] for word in text.split()] + [vocab['[SEP]']]])
    wanted = np.asarray(model.predict_on_batch([token_ids, np.zeros_like(token_ids)]))[0]
    assert result.shape == (17, 32) and np.abs(result - wanted).max() < ROUNDING


@pytest.mark.slow
def test_extract_embeddings_of_texts_that_the_model_cannot_take(release):
    """Ids that its vocabulary lacks, which some engines give NaN for, and too many tokens: the text is named."""
    vocab = keras_bert.load_vocabulary(keras_bert.get_checkpoint_paths(release[0]).vocab)
    model = load_trained_model_from_checkpoint(*paths(release), seq_len=None)
    with pytest.raises(ValueError, match=r'text 7 .* has token ids from 2 to 99, but the model has 0 to 98'):
        extract_embeddings(model, [u'word1'] * 7 + [u'word2'], vocabs=dict(vocab, word2=99), batch_size=3)
    with pytest.raises(ValueError, match=r'text 1 .* has 18 tokens, but the model has 17 positions; '
                       'a model built with seq_len=17 cuts it'):
        extract_embeddings(model, [u'word1', u'word1 ' * 16], vocabs=vocab)


class Echo(object):
    """A model whose hidden states are the token ids."""

    layers, output_shape = (), (None, None, 1)

    def predict_on_batch(self, inputs):
        return np.asarray(inputs[0], 'float32')[:, :, None]


def test_extract_embeddings_heeds_capitals_if_asked():
    """With cased=True the word is the one with its capital, else the one without."""
    vocab = {u'': 0, u'[UNK]': 1, u'[CLS]': 2, u'[SEP]': 3, u'Word': 4, u'word': 5}
    for cased, expected in ((True, [2, 4, 3]), (False, [2, 5, 3])):
        result, = extract_embeddings(Echo(), [u'Word'], vocabs=vocab, cased=cased)
        assert result[:, 0].tolist() == expected


class Compiled(object):
    """What compile_model is given, to see what it asks for."""

    outputs = ['MLM', 'NSP']

    def compile(self, optimizer, loss):
        self.optimizer, self.loss = optimizer, loss


def test_compile_model_and_the_config_of_its_optimizer():
    """Each number in its place, the pattern of what decays, and all of it in the config, of which another is made."""
    model = Compiled()
    keras_bert.compile_model(model, weight_decay=0.02, decay_steps=70, warmup_steps=30, learning_rate=0.5)
    assert len(model.loss) == 2
    config = model.optimizer.get_config()
    assert {name: config[name] for name in ('weight_decay', 'decay_steps', 'warmup_steps', 'learning_rate')} == {
        'weight_decay': 0.02, 'decay_steps': 70.0, 'warmup_steps': 30.0, 'learning_rate': 0.5}
    assert config['weight_decay_pattern'] == ['embeddings', 'kernel', 'W1', 'W2', 'Wk', 'Wq', 'Wv', 'Wo']
    options = dict(decay_steps=70.0, warmup_steps=30.0, min_lr=0.25, learning_rate=0.5, beta_1=0.75, beta_2=0.875,
                   epsilon=0.125, weight_decay=0.0625, weight_decay_pattern=['gamma'], amsgrad=True)
    config = keras_bert.AdamWarmup.from_config(keras_bert.AdamWarmup(**options).get_config()).get_config()
    assert {name: config[name] for name in options} == options


def test_attention_of_the_drop_in_has_no_dropout():
    """keras-bert's has none: dropout_rate is that of hidden states."""
    model = get_model(13, 5, 5, 4, 1, 2, 6, dropout_rate=0.3)
    assert model.get_layer('Encoder-1-MultiHeadSelfAttention').dropout_rate == 0
    assert model.get_layer('Encoder-1-FeedForward-Dropout').rate == 0.3


# ------------------------------------------------------------------ optimizer, downloads

def adam_warmup(weights, x, y, steps, decay, warmup, rate, least, weight_decay, decayed, amsgrad):
    """AdamWarmup's formula on a softmax regression, in float64."""
    weights = [weight.astype('float64') for weight in weights]
    m, v, vhat = [[0.0 * weight for weight in weights] for _ in range(3)]
    for t in range(1, steps + 1):
        error = reference.softmax(x.dot(weights[0]) + weights[1])
        error[np.arange(len(y)), y] -= 1
        now = rate * t / warmup if t <= warmup else least + (rate - least) * (1 - min(t, decay) / decay)
        now *= np.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t)
        for at, gradient in enumerate([x.T.dot(error) / len(y), error.mean(axis=0)]):
            m[at] = 0.9 * m[at] + 0.1 * gradient
            v[at] = 0.999 * v[at] + 0.001 * gradient ** 2
            vhat[at] = np.maximum(vhat[at], v[at])
            update = m[at] / (np.sqrt((vhat if amsgrad else v)[at]) + 1e-7) + weight_decay * decayed[at] * weights[at]
            weights[at] = weights[at] - now * update
    return weights


def train_with_adam_warmup(steps, weight_decay, decayed=(1, 1), amsgrad=False, **options):
    """(model, the largest difference of its weights from the formula's) of a softmax regression."""
    random = np.random.RandomState(0)
    x, y = random.standard_normal((10, 5)).astype('float32'), random.randint(0, 3, 10)
    inputs = keras.layers.Input(shape=(5,))
    model = keras.models.Model(inputs, keras.layers.Dense(3, activation='softmax')(inputs))
    weights = [random.standard_normal((5, 3)), random.standard_normal(3)]
    model.set_weights(weights)
    model.compile(keras_bert.AdamWarmup(20, 4, lr=0.1, min_lr=0.01, weight_decay=weight_decay, amsgrad=amsgrad,
                                        **options), 'sparse_categorical_crossentropy')
    for _ in range(steps):
        model.train_on_batch(x, y)
    exact = adam_warmup(weights, x, y, steps, 20.0, 4.0, 0.1, 0.01, weight_decay, decayed, amsgrad)
    return model, max(np.abs(ours - theirs).max() for ours, theirs in zip(model.get_weights(), exact))


def test_adam_warmup_without_decay():
    """Five steps of two weights are the formula's; on Keras 2.3 those of keras-bert are up to 0.035 away from it."""
    assert train_with_adam_warmup(5, 0.0)[1] < 1e-6


@pytest.mark.parametrize('pattern, amsgrad, decayed', [(None, False, [1, 1]), (['kernel'], True, [1, 0])])
def test_adam_warmup(tmp_path, pattern, amsgrad, decayed):
    """23 steps, over warm-up, decay and beyond, are those of the formula; it is saved with the model."""
    model, difference = train_with_adam_warmup(23, 0.02, decayed, amsgrad, weight_decay_pattern=pattern)
    assert difference < 1e-5
    path = os.path.join(str(tmp_path), 'saved.h5')
    model.save(path)
    config = keras.models.load_model(path, custom_objects=get_custom_objects()).optimizer.get_config()
    assert config['warmup_steps'] == 4 and config['weight_decay_pattern'] == pattern and config['amsgrad'] == amsgrad


def test_the_old_names_of_weights_decay():
    """Without a gradient only what a pattern names becomes less; patterns of no weight warn."""
    x = keras.layers.Input(shape=(5, 4))
    model = keras.models.Model(x, keras_bert.bert.get_encoders(1, x, head_num=2, hidden_dim=6))
    before = [np.ones(weight.shape) for weight in model.get_weights()]
    model.set_weights(before)
    patterns = ['Encoder-1-FeedForward_W1', 'Wq', 'Wo', 'b2']
    model.compile(keras_bert.AdamWarmup(20, 2, learning_rate=0.4, weight_decay=0.5, weight_decay_pattern=patterns),
                  lambda y_true, y_pred: 0.0 * kops.mean(y_pred, axis=-1))
    model.train_on_batch(np.ones((3, 5, 4)), np.ones((3, 5, 4)))
    decayed = [np.ravel(weight)[0] for weight in model.get_weights()]
    less = 1 - 0.4 * 1 / 2 * 0.5 * np.sqrt(1 - 0.999) / (1 - 0.9)
    expected = [less, 1, 1, 1, 1, 1, less, 1] + [1, 1] + [less, 1, 1, less] + [1, 1]
    assert np.abs(np.array(decayed) - expected).max() < 1e-6
    optimizer = keras_bert.AdamWarmup(20, 2, weight_decay=0.5, weight_decay_pattern=['query_kernel', 'W3'])
    with pytest.warns(UserWarning, match="weight_decay_pattern: no weight has 'query_kernel' or 'W3' in its path"):
        optimizer.choose(['NSP/kernel', 'NSP/bias'])


@pytest.mark.slow
def test_adam_warmup_of_an_embedding():
    """A gradient of rows, some of them twice, is one of the whole table; other rows stay."""
    inputs = keras.layers.Input(shape=(3,))
    x = keras.layers.Embedding(5, 2)(inputs)
    model = keras.models.Model(inputs, keras.layers.GlobalAveragePooling1D()(x))
    model.compile(keras_bert.AdamWarmup(20, 2, learning_rate=0.1), 'mse')
    before = model.get_weights()[0]
    for _ in range(2):
        model.train_on_batch(np.array([[1, 1, 2]]), np.ones((1, 2)))
    moved = np.abs(model.get_weights()[0] - before).max(axis=1)
    assert (moved[[0, 3, 4]] == 0).all() and np.abs(moved[1:3] - 0.15).max() < 1e-3
    with pytest.raises(ValueError, match='leave decay out'):
        keras_bert.AdamWarmup(20, 2, decay=0.1)


# What keras-bert 0.84.0 and 0.89.0 define, module by module, and what else of theirs each module hands on.
KERAS_BERT_NAMES = {
    '': '__version__ AdamWarmup POOL_AVE POOL_MAX POOL_NSP PretrainedInfo PretrainedList TOKEN_CLS TOKEN_MASK '
        'TOKEN_PAD TOKEN_SEP TOKEN_UNK Tokenizer build_model_from_config calc_train_steps compile_model extract_embeddings '
        'extract_embeddings_generator gelu gen_batch_inputs get_base_dict get_checkpoint_paths get_custom_objects '
        'get_model get_pretrained get_token_embedding load_model_weights_from_checkpoint '
        'load_trained_model_from_checkpoint load_vocabulary set_custom_objects',
    '.backend': 'TF_KERAS activations backend callbacks constraints datasets initializers keras layers losses metrics '
                'models optimizers preprocessing regularizers utils',
    '.bert': 'AdamWarmup EmbeddingSimilarity Extract LayerNormalization Masked PositionEmbedding TOKEN_CLS TOKEN_MASK '
             'TOKEN_PAD TOKEN_SEP TOKEN_UNK TaskEmbedding TokenEmbedding compile_model gelu gen_batch_inputs '
             'get_base_dict get_custom_objects get_embedding get_encoder_custom_objects get_encoders get_inputs get_model '
             'get_token_embedding set_custom_objects',
    '.datasets': 'PretrainedInfo PretrainedList get_pretrained',
    '.datasets.pretrained': 'PretrainedInfo PretrainedList get_pretrained',
    '.layers': 'EmbeddingSimilarity Extract Masked MaskedConv1D MaskedGlobalMaxPool1D TaskEmbedding TokenEmbedding '
               'get_embedding get_inputs',
    '.layers.conv': 'MaskedConv1D',
    '.layers.embedding': 'EmbeddingSimilarity LayerNormalization PositionEmbedding TokenEmbedding get_embedding',
    '.layers.extract': 'Extract',
    '.layers.inputs': 'get_inputs',
    '.layers.masked': 'Masked',
    '.layers.pooling': 'MaskedGlobalMaxPool1D',
    '.layers.task_embed': 'TaskEmbedding',
    '.loader': 'build_model_from_config checkpoint_loader get_model load_model_weights_from_checkpoint '
               'load_trained_model_from_checkpoint load_vocabulary',
    '.optimizers': 'AdamWarmup calc_train_steps',
    '.optimizers.util': 'AdamWarmup TF_KERAS calc_train_steps',
    '.optimizers.warmup': 'AdamWarmup',
    '.optimizers.warmup_v2': 'AdamWarmup',
    '.tokenizer': 'TOKEN_CLS TOKEN_SEP TOKEN_UNK Tokenizer',
    '.util': 'Extract MaskedGlobalMaxPool1D POOL_AVE POOL_MAX POOL_NSP Tokenizer extract_embeddings '
             'extract_embeddings_generator get_checkpoint_paths load_trained_model_from_checkpoint load_vocabulary',
}


@pytest.mark.parametrize('name', sorted(KERAS_BERT_NAMES))
def test_every_module_of_keras_bert_imports(name):
    """`from bert4keras.keras_bert.layers import Extract` and the like give what keras-bert gives, one class a name."""
    module = importlib.import_module('bert4keras.keras_bert' + name)
    names = KERAS_BERT_NAMES[name].split()
    assert [missing for missing in names if not hasattr(module, missing)] == []
    for shared in set(names) & set(KERAS_BERT_NAMES[''].split()):
        assert getattr(module, shared) is getattr(keras_bert, shared)
    found = keras_bert
    for part in name.split('.')[1:]:  # as an attribute too: `keras_bert.layers.extract.Extract`
        found = getattr(found, part)
    assert found is module


@pytest.mark.slow
def test_submodules_are_there_without_being_imported():
    """`import keras_bert` is enough for `keras_bert.layers.extract.Extract`, as it is with keras-bert."""
    code = ['from bert4keras import keras_bert as start'] + ['start' + name for name in sorted(KERAS_BERT_NAMES)]
    subprocess.check_call([sys.executable, '-c', '\n'.join(code)])


def test_activations_of_0_81():
    """The GELU that scripts for keras-bert 0.81 import is by the error function, as it was then."""
    from bert4keras.keras_bert.activations import gelu
    model = keras.models.Sequential([keras.layers.Activation(gelu, input_shape=(1,))])
    assert abs(model.predict(np.ones((1, 1)))[0, 0] - 0.8413447) < 1e-6  # by tanh it is 0.8411920


def test_checkpoint_loader(release):
    """loader.checkpoint_loader: the function from a variable's name to its array."""
    load = keras_bert.loader.checkpoint_loader(paths(release)[1])
    assert (load('bert/pooler/dense/bias') == release[2]['bert/pooler/dense/bias']).all()


def test_backend_is_the_keras_in_use():
    """backend.keras, backend.layers, ... are those of the Keras that everything here runs on."""
    from bert4keras.keras_bert import backend
    assert backend.keras is keras and backend.layers.Layer is keras.layers.Layer
    assert backend.TF_KERAS == (keras.__name__ != 'keras')


def test_calc_train_steps():
    """Steps of all epochs, the last batch of each not full, and the share for warming up."""
    assert keras_bert.calc_train_steps(num_example=1024, batch_size=32, epochs=10, warmup_proportion=0.1) == (320, 32)
    assert keras_bert.calc_train_steps(1025, 32, 3) == (99, 9)


def test_get_pretrained(tmp_path, monkeypatch):
    """An archive is fetched and unpacked, and found by its name, or by the name that the list gives it."""
    archive = os.path.join(str(tmp_path), 'toy_L-1.zip')
    with zipfile.ZipFile(archive, 'w') as file:
        file.writestr('toy_L-1/vocab.txt', '[PAD]')
        file.writestr('publish/vocab.txt', '[UNK]')
    get_file = keras.utils.get_file
    monkeypatch.setattr(keras.utils, 'get_file',
                        lambda *args, **kwargs: get_file(*args, cache_dir=str(tmp_path), **kwargs))
    url = 'file://' + archive
    info = keras_bert.PretrainedInfo(url, 'publish', 'renamed')
    for given, text in ((url, '[PAD]'), (info, '[UNK]'), (info, '[UNK]')):
        with io.open(keras_bert.get_checkpoint_paths(keras_bert.get_pretrained(given)).vocab) as file:
            assert file.read() == text


# ------------------------------------------------------------------ scripts of the older style

GOOD = [u'what a lovely book', u'a wonderful story and fine print', u'i like it very much', u'my child loves it',
        u'fast delivery thank you', u'the best one so far', u'lovely and fine', u'i love this story']
BAD = [u'what a waste of money', u'torn pages and bad print', u'i do not like it at all', u'my child hates it',
       u'slow delivery no thanks', u'the worst one so far', u'torn and bad', u'i hate this story']


def labelled_texts(limit=16):
    """(texts, labels): of the real reviews among the official files, or our own where there are none."""
    if not find_official():
        return GOOD + BAD, [1] * len(GOOD) + [0] * len(BAD)
    with zipfile.ZipFile(os.path.join(find_official(), 'text', 'sentiment.zip')) as file:
        lines = file.read('sentiment/sentiment.valid.data').decode('utf-8').split(u'\n')[:limit]
    return [line[:-2] for line in lines], [int(line[-1]) for line in lines]


@pytest.fixture(scope='module')
def letters(tmp_path_factory):
    """(directory, vocabulary) of a release, without dropout, whose tokens are the characters of the texts."""
    tokens = [u'[PAD]', u'[UNK]', u'[CLS]', u'[SEP]', u'[unused1]']
    tokens += sorted(set(u''.join(labelled_texts()[0])) - {u' '})
    directory = tmp_path_factory.mktemp('letters')
    make_release(directory, num_hidden_layers=1, vocab=tokens, vocab_size=len(tokens), max_position_embeddings=48,
                 hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    return str(directory), {token: number for number, token in enumerate(tokens)}


class CharacterTokenizer(Tokenizer):
    """What half of the scripts of those years did: characters, a space is [unused1]."""

    def _tokenize(self, text):
        tokens = []
        for ch in text.lower():
            if ch in self._token_dict:
                tokens.append(ch)
            else:
                tokens.append(u'[unused1]' if self._is_space(ch) else u'[UNK]')
        return tokens


@pytest.mark.slow
def test_a_script_of_sentiment_with_only_the_import_changed(letters):
    """Tokenizer subclass, load, unfreeze, Lambda and Dense on top, fit: it learns the labels."""
    directory, token_dict = letters
    tokenizer = CharacterTokenizer(token_dict)
    texts, labels = labelled_texts()
    rows = [tokenizer.encode(text, max_len=48) for text in texts]
    token_ids, segment_ids = [np.array(column) for column in zip(*rows)]
    bert_model = load_trained_model_from_checkpoint(*keras_bert.get_checkpoint_paths(directory)[:2], seq_len=None)
    for layer in bert_model.layers:
        layer.trainable = True
    x1_in, x2_in = keras.layers.Input(shape=(None,)), keras.layers.Input(shape=(None,))
    x = bert_model([x1_in, x2_in])
    x = keras.layers.Lambda(lambda x: x[:, 0], output_shape=lambda shape: (shape[0], shape[2]))(x)
    model = keras.models.Model([x1_in, x2_in], keras.layers.Dense(1, activation='sigmoid')(x))
    model.compile(loss='binary_crossentropy', optimizer=keras.optimizers.Adam(5e-3), metrics=['accuracy'])
    history = model.fit([token_ids, segment_ids], np.array(labels), batch_size=16, epochs=50, verbose=0).history
    assert history['loss'][-1] < 0.3 * history['loss'][0]


class SpanLoss(keras.layers.Layer):
    """The loss of a span's start, over real tokens only, from [scores [B, T], token ids, starts [B, T]]."""

    def call(self, inputs):
        scores, token_ids, starts = inputs
        scores = scores - 1e10 * (1.0 - kops.cast(kops.not_equal(token_ids, 0), 'float32'))
        return -kops.mean(kops.softmax(scores) * starts, axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0],)


@pytest.mark.slow
def test_a_script_of_span_extraction_with_only_the_import_changed(letters):
    """get_model(training=False), everything trainable, a loss masked by the ids: it finds the spans."""
    _, token_dict = letters
    inputs, output = get_model(token_num=len(token_dict), pos_num=48, seq_len=48, embed_dim=24, transformer_num=1,
                               head_num=3, feed_forward_dim=36, dropout_rate=0.0, training=False, trainable=True)
    scores = keras.layers.Dense(1)(output)
    scores = keras.layers.Lambda(lambda x: x[:, :, 0], output_shape=lambda shape: shape[:2])(scores)
    starts = keras.layers.Input(shape=(48,))
    model = keras.models.Model(inputs + [starts], SpanLoss()([scores, inputs[0], starts]))
    tokenizer = CharacterTokenizer(token_dict)
    rows = [tokenizer.encode(text, max_len=48) for text in labelled_texts()[0]]
    token_ids, segment_ids = [np.array(column) for column in zip(*rows)]
    token_ids[:, 5] = token_dict[u'[unused1]']  # what is to be found
    wanted = np.eye(48)[np.array([(row == token_dict[u'[unused1]']).argmax() for row in token_ids])]
    model.compile(loss=lambda _, loss: loss, optimizer=keras.optimizers.Adam(1e-2))
    model.fit([token_ids, segment_ids, wanted], np.zeros(len(wanted)), batch_size=16, epochs=30, verbose=0)
    found = keras.models.Model(inputs, scores).predict([token_ids, segment_ids])
    assert (np.where(token_ids != 0, found, -np.inf).argmax(axis=1) == wanted.argmax(axis=1)).mean() > 0.9


@pytest.mark.slow
def test_a_script_with_only_the_loading_changed(letters):
    """keras-bert's Tokenizer, load_pretrained_model(config, checkpoint), the user's Lambda and Dense on top."""
    directory, token_dict = letters
    tokenizer = Tokenizer(token_dict)
    texts, labels = labelled_texts()
    model = load_pretrained_model(*keras_bert.get_checkpoint_paths(directory)[:2])
    output = keras.layers.Lambda(lambda x: x[:, 0], output_shape=lambda shape: (shape[0], shape[2]))(model.output)
    output = keras.layers.Dense(2, activation='softmax')(output)
    model = keras.models.Model(model.inputs, output)
    model.compile(loss='sparse_categorical_crossentropy', optimizer=keras.optimizers.Adam(5e-3))
    rows = [tokenizer.encode(text, max_len=48) for text in texts]
    token_ids, segment_ids = [np.array(column) for column in zip(*rows)]
    history = model.fit([token_ids, segment_ids], np.array(labels), batch_size=16, epochs=50, verbose=0).history
    assert history['loss'][-1] < 0.3 * history['loss'][0]
