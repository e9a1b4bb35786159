# -*- coding: utf-8 -*-
"""The drop-in against keras-bert in one process: order, outputs, losses, steps, embeddings, files.

Needs keras-bert, so no row of Keras 3. Both models get the same weights by `set_weights`.
"""
from __future__ import absolute_import, division, print_function

import os

import numpy as np
import pytest

from bert4keras import keras_bert as ours
from bert4keras.backend import keras
from bert4keras.tokenizer import save_vocab
from parity.measure import check, real_positions
from parity.peers import require
from parity.peers.keras_bert import NOT_IMPORTABLE
from tests.helpers.releases import make_release

if hasattr(keras, 'ops'):
    pytest.skip('keras-bert does not run on Keras 3', allow_module_level=True)
require('keras-bert')
theirs = pytest.importorskip('keras_bert', reason=NOT_IMPORTABLE)

SIZES = {'token_num': 23, 'pos_num': 11, 'embed_dim': 12, 'transformer_num': 2, 'head_num': 3, 'feed_forward_dim': 17}
RANDOM = np.random.RandomState(0)
IDS = RANDOM.randint(1, 23, (5, 9)) * (np.arange(9) < np.array([[9], [6], [3], [1], [9]]))
SEGMENTS, MASKED = RANDOM.randint(0, 2, (5, 9)), RANDOM.randint(0, 2, (5, 9))
CASES = [
    pytest.param({'seq_len': 9}, marks=pytest.mark.slow),
    {'seq_len': None, 'attention_activation': 'gelu', 'trainable': False},
    pytest.param({'seq_len': 9, 'training': False}, marks=pytest.mark.slow),
    pytest.param({'seq_len': None, 'training': False, 'transformer_num': 3, 'output_layer_num': 2,
                  'use_task_embed': True, 'task_num': 3}, marks=pytest.mark.slow),
    {'seq_len': 9, 'training': False, 'transformer_num': 3, 'output_layer_num': [0, -1, 1], 'dropout_rate': 0.0,
     'feed_forward_activation': 'relu'},
]


@pytest.fixture(scope='module')
def release(tmp_path_factory):
    """(directory, config) of a BERT of three blocks: keras-bert takes a second or more to build and load each."""
    directory = tmp_path_factory.mktemp('release')
    return str(directory), make_release(directory, num_hidden_layers=3)[0]


def build(**arguments):
    """(keras-bert's model, ours) with the same weights, from get_model's arguments."""
    models = [package.get_model(**dict(SIZES, **arguments)) for package in (theirs, ours)]
    if not arguments.get('training', True):
        models = [keras.models.Model(*model) for model in models]
    models[1].set_weights([RANDOM.normal(0, 0.4, weight.shape) for weight in models[0].get_weights()])
    models[0].set_weights(models[1].get_weights())
    return models


@pytest.mark.parametrize('arguments', CASES, ids=str)
def test_models_are_interchangeable(arguments):
    """Names and order of layers, inputs and outputs, shapes of weights in order, what is trainable, outputs."""
    peer, model = build(**arguments)
    for of_model in (lambda m: [layer.name for layer in m.layers], lambda m: [layer.trainable for layer in m.layers],
                     lambda m: m.input_names, lambda m: m.output_names, lambda m: str(m.output_shape),
                     lambda m: [weight.shape for weight in m.get_weights()]):
        assert of_model(model) == of_model(peer)
    inputs = [IDS, SEGMENTS] + [np.arange(5)[:, None] % 3] * ('task_num' in arguments)
    inputs += [MASKED] * arguments.get('training', True)
    outputs = [m.predict(inputs) for m in (model, peer)]
    outputs = [output if isinstance(output, list) else [output] for output in outputs]
    for number, (one, other) in enumerate(zip(*outputs)):
        check('keras-bert output %d' % number, real_positions(one, IDS), real_positions(other, IDS), 1e-5)


def attention_of_keras_bert(model, layer):
    """What keras-bert left on the layer, [B, T, N, T]; from TensorFlow 2.4 it is of the layer's last call."""
    inputs = [IDS.astype('float32'), SEGMENTS.astype('float32')]
    if keras.__name__ == 'keras' or not hasattr(keras.layers.Layer, '_infer_output_signature'):
        return keras.backend.function(model.inputs, [layer.attention])(inputs)[0]
    x = keras.models.Model(model.inputs, layer.input).predict(inputs)
    layer(keras.backend.constant(x), mask=keras.backend.constant(IDS != 0, dtype='bool'))
    return keras.backend.get_value(layer.attention)


@pytest.mark.slow
def test_attention_layers_show_what_they_attend_to():
    """`layer.attention` is keras-bert's: the same axes and numbers, 0 at padding."""
    peer, model = build(seq_len=9, training=False)
    peer_layer, layer = [m.get_layer('Encoder-2-MultiHeadSelfAttention') for m in (peer, model)]
    look = keras.models.Model(model.inputs, layer.attention)
    found = look.predict([IDS.astype('float32'), SEGMENTS.astype('float32')])
    assert found.shape == (5, 9, 3, 9) and (found.transpose(0, 3, 1, 2)[IDS == 0] == 0).all()
    expected = attention_of_keras_bert(peer, peer_layer)
    check('keras-bert attention', real_positions(found, IDS), real_positions(expected, IDS), 1e-5)


@pytest.mark.slow
def test_a_fine_tune_is_reproduced_step_by_step():
    """The masked loss of MLM and NSP, 8 steps of plain SGD, no dropout: the same loss at each."""
    models = build(seq_len=9, dropout_rate=0.0)
    labels = [RANDOM.randint(0, 23, (5, 9, 1)), RANDOM.randint(0, 2, (5, 1))]
    losses = []
    for model in models:
        model.compile(keras.optimizers.SGD(0.05), 'sparse_categorical_crossentropy')
        losses.append([model.train_on_batch([IDS, SEGMENTS, MASKED], labels)[0] for _ in range(8)])
    check('keras-bert loss SGD', losses[1], losses[0], 1e-4)
    assert losses[0][-1] < losses[0][0]


def test_a_file_that_it_saves_opens(tmp_path):
    """load_model with our custom objects: the same outputs."""
    peer, _ = build(seq_len=9, attention_activation='gelu')
    path = os.path.join(str(tmp_path), 'theirs.h5')
    peer.save(path)
    model = keras.models.load_model(path, custom_objects=ours.get_custom_objects())
    for one, other in zip(model.predict([IDS, SEGMENTS, MASKED]), peer.predict([IDS, SEGMENTS, MASKED])):
        check('keras-bert h5', real_positions(one, IDS), real_positions(other, IDS), 1e-5)


@pytest.mark.slow
def test_a_transformer_that_it_saves_opens(tmp_path):
    """Encoder and decoder of keras-transformer: attention on queries, keys and values, without a future, sines."""
    keras_transformer = pytest.importorskip('keras_transformer')
    peer = keras_transformer.get_model(
        token_num=13, embed_dim=8, encoder_num=1, decoder_num=1, head_num=2, hidden_dim=12, attention_activation='relu',
        feed_forward_activation='relu', use_same_embed=True, embed_weights=RANDOM.normal(0, 1, (13, 8)))
    peer.set_weights([RANDOM.normal(0, 0.4, weight.shape) for weight in peer.get_weights()])
    path = os.path.join(str(tmp_path), 'transformer.h5')
    peer.save(path)
    model = keras.models.load_model(path, custom_objects=ours.get_custom_objects())
    decoded = IDS[:, :7] % 13
    one, other = [m.predict([IDS % 13, decoded]) for m in (model, peer)]
    check('keras-bert transformer h5', real_positions(one, decoded), real_positions(other, decoded), 1e-5)


@pytest.mark.slow
def test_our_weights_go_back_by_checkpoint(release, tmp_path):
    """Changed here, written as a TensorFlow checkpoint, read by keras-bert: the same outputs."""
    directory, config = release
    checkpoint = os.path.join(directory, 'bert_model.ckpt')
    config_path = os.path.join(directory, 'bert_config.json')
    model = ours.load_trained_model_from_checkpoint(config_path, checkpoint, training=True, seq_len=9)
    model.set_weights([weight + RANDOM.normal(0, 0.1, weight.shape) for weight in model.get_weights()])
    bert = ours.KerasBert(config, with_nsp=True, with_mlm=True)
    bert.model = model
    written = os.path.join(str(tmp_path), 'tuned.ckpt')
    bert.save_weights_as_checkpoint(written)
    peer = theirs.load_trained_model_from_checkpoint(config_path, written, training=True, seq_len=9)
    for one, other in zip(model.predict([IDS, SEGMENTS, MASKED]), peer.predict([IDS, SEGMENTS, MASKED])):
        check('keras-bert by checkpoint', real_positions(one, IDS), real_positions(other, IDS), 1e-5)


@pytest.mark.parametrize('arguments', [{}, {'min_lr': 0.01, 'learning_rate': 0.2, 'weight_decay': 0.02}], ids=str)
def test_adam_warmup_step_by_step(arguments):
    """12 steps over warm-up, decay and beyond: the same weights, where keras-bert's AdamWarmup can be built."""
    if not hasattr(keras.optimizers.Adam, '_resource_apply_dense') and hasattr(keras.optimizers.Adam, 'get_updates'):
        pytest.skip('the Adam of this Keras is not reproducible in a graph, nor keras-bert\'s')
    x, y = RANDOM.standard_normal((10, 5)), RANDOM.randint(0, 3, 10)
    weights, results = [RANDOM.standard_normal((5, 3)), RANDOM.standard_normal(3)], []
    for package in (ours, theirs):
        inputs = keras.layers.Input(shape=(5,))
        model = keras.models.Model(inputs, keras.layers.Dense(3, activation='softmax')(inputs))
        model.set_weights(weights)
        try:
            optimizer = package.AdamWarmup(9, 3, **arguments)
        except Exception as error:  # it is made for the optimizers before TensorFlow 2.11
            assert package is theirs and hasattr(keras.optimizers, 'legacy'), error
            return
        model.compile(optimizer, 'sparse_categorical_crossentropy')
        for _ in range(12):
            model.train_on_batch(x, y)
        results.append(model.get_weights())
    for one, other in zip(*results):
        check('keras-bert AdamWarmup', one, other, 1e-5)


WORDS = ['word%d' % number for number in range(90)]


@pytest.mark.slow
@pytest.mark.parametrize('layers, many', [
    (1, [{}, {'poolings': 'POOL_NSP', 'batch_size': 1}, {'cut_embed': False}]),
    (2, [{'poolings': ['POOL_MAX', 'POOL_NSP', 'POOL_AVE'], 'batch_size': 5}])])
def test_embeddings(release, layers, many):
    """Texts and pairs, too long ones and empty ones: the same arrays in the same order."""
    vocab_path = os.path.join(release[0], 'vocab.txt')
    save_vocab(vocab_path, {
        token: number for number, token in enumerate(['[PAD]', '[UNK]', '[CLS]', '[SEP]'] + WORDS)})
    paths = [os.path.join(release[0], name) for name in ('bert_config.json', 'bert_model.ckpt')]
    loaded = theirs.load_trained_model_from_checkpoint(*paths, output_layer_num=layers)  # once: it takes seconds
    texts = [u' '.join(RANDOM.choice(WORDS, size)) for size in RANDOM.randint(0, 20, 11)]
    texts += [(texts[0], texts[1]), (texts[2], u'')]
    for arguments in many:
        mine = ours.extract_embeddings(release[0], texts, output_layer_num=layers, **arguments)
        peer = theirs.extract_embeddings(loaded, texts, vocabs=theirs.load_vocabulary(vocab_path), **arguments)
        assert len(mine) == len(peer) == 13
        for one, other in zip(mine, peer):
            check('keras-bert embeddings', one, other, 2e-5)


def test_batches_for_pretraining():
    """The same seed of numpy.random, the same batch, of the same types."""
    tokens = ['', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + WORDS
    token_dict = {token: number for number, token in enumerate(tokens)}
    pairs = [[list(RANDOM.choice(WORDS, 5)), list(RANDOM.choice(WORDS, 4))] for _ in range(7)]
    for arguments in ({}, {'seq_len': 8, 'swap_sentence_rate': 0.0},
                      {'seq_len': 13, 'mask_rate': 0.5, 'force_mask': False}):
        batches = []
        for package in (ours, theirs):
            np.random.seed(11)
            batches.append(sum(package.gen_batch_inputs(pairs, token_dict, tokens, **arguments), []))
        for one, other in zip(*batches):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
