# -*- coding: utf-8 -*-
"""The files of examples/modify: each is the thing that it says, in numbers, and loads official weights."""
from __future__ import absolute_import, division, print_function

import io
import os
import sys

import numpy as np
import pytest

from bert4keras import backend
from bert4keras.backend import keras
from bert4keras.bert import build_bert_model
from tests.helpers.releases import random_ids

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'examples', 'modify')
FILES = sorted(name for name in os.listdir(EXAMPLES) if name.endswith('.py'))
ROUNDING = 1e-5


@pytest.fixture(scope='module')
def plain(release):
    """(ids, hidden states) of the unchanged model, of texts of 7 tokens."""
    ids = [np.random.RandomState(3).randint(1, 99, (3, 7)).astype('int32'), np.zeros((3, 7), 'int32')]
    return ids, build_bert_model(release[0]).predict(ids)


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)


def difference(one, other):
    return np.abs(np.asarray(one) - np.asarray(other)).max()


@pytest.mark.parametrize('name', FILES)
def test_each_is_short(name):
    """At most 25 lines of code, imports and all, beside the docstring and blank lines."""
    with io.open(os.path.join(EXAMPLES, name), encoding='utf-8') as stream:
        code = stream.read().split('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= 25 and len(FILES) >= 8


@pytest.mark.slow
def test_lora(release, plain):
    """With the second matrix at zero it is BERT; a step moves that one, and nothing that was loaded."""
    from lora import BertWithLora
    bert = build_bert_model(release[0], model=BertWithLora, return_keras_model=False)
    assert difference(bert.model.predict(plain[0]), plain[1]) < ROUNDING
    layer = bert.layers['Encoder-2-MultiHeadSelfAttention']
    bert.model.compile(keras.optimizers.SGD(0.1), 'mse')
    bert.model.train_on_batch(plain[0], np.zeros((3, 7, 32), 'float32'))
    np.testing.assert_array_equal(backend.get_values(layer.loaded_weights)[0],
                                  release[2]['bert/encoder/layer_1/attention/self/query/kernel'])
    assert np.abs(backend.get_values([layer.value_up])[0]).max() > 1e-6


def test_rotary():
    """Turned by 1 and 0.01 a position (H = 4): literal numbers, and scores that only distances change."""
    from rotary import RotaryAttention
    layer = RotaryAttention(1)
    x = np.ones((1, 1, 3, 4), 'float32')
    inputs = keras.layers.Input(shape=(3, 4))

    class Rotated(keras.layers.Layer):
        def call(self, x):
            return backend.kops.reshape(layer.rotate(backend.kops.expand_dims(x, 1)), (-1, 3, 4))

        def compute_output_shape(self, shape):
            return shape

    turned = keras.models.Model(inputs, Rotated(dtype='float32')(inputs)).predict(x[:, 0])[0]
    np.testing.assert_allclose(turned[0], 1, rtol=1e-6)
    np.testing.assert_allclose(turned[1], [0.5403023 - 0.8414710, 0.9999500 - 0.0099998,
                                           0.5403023 + 0.8414710, 0.9999500 + 0.0099998], rtol=1e-4)
    products = turned.dot(turned.T)
    assert abs(products[0, 1] - products[1, 2]) < 1e-5 and abs(products[0, 1] - products[0, 2]) > 0.1


@pytest.mark.slow
def test_alibi(release, plain):
    """Four heads: slopes 1/4, 1/16, 1/64, 1/256, taken from the scores for each token of distance."""
    from alibi import BertWithAlibi
    bert = build_bert_model(release[0], model=BertWithAlibi, return_attention=True, return_keras_model=False)
    ours = bert.model.predict(plain[0])[1]
    before = build_bert_model(release[0], return_attention=True).predict(plain[0])[1]
    biases = np.log(ours / before)
    biases = biases - np.einsum('bhqq->bhq', biases)[..., None]  # the diagonal's is 0; the sum's share is a row's
    for head, slope in enumerate([0.25, 0.0625, 0.015625, 0.00390625]):
        for distance in (1, 2):
            expected = -slope * distance
            found = [biases[0, head, row, row + distance] for row in range(5)]
            np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_prefix_tuning(release, plain):
    """Five more keys in each block; between the tokens, attention is BERT's up to a factor of each row."""
    from prefix_tuning import BertWithPrefix
    bert = build_bert_model(release[0], model=BertWithPrefix, return_attention=True, return_keras_model=False)
    hidden, maps, _ = bert.model.predict(plain[0])
    assert maps.shape == (3, 4, 7, 12) and difference(hidden, plain[1]) > 1e-3
    before = build_bert_model(release[0], return_attention=True).predict(plain[0])[1]
    kept = maps[..., 5:]
    assert difference(kept / kept.sum(axis=-1, keepdims=True), before) < ROUNDING
    assert [tuple(weight.shape) for weight in bert.layers['Encoder-1-MultiHeadSelfAttention'].weights][-1] == (2, 5, 32)


@pytest.mark.slow
def test_pre_norm(release, plain):
    """x + f(norm(x)): with the functions' outputs at zero, all that is left is one norm of the embeddings."""
    from pre_norm import PreNormBert
    bert = build_bert_model(release[0], model=PreNormBert, return_keras_model=False)
    for name, layer in bert.layers.items():
        if name.endswith(('Attention', 'FeedForward')):
            backend.set_values([(weight, np.zeros([int(size) for size in weight.shape], 'float32'))
                                for weight in (layer.output_kernel, layer.output_bias)])
    norm = bert.model.get_layer('Embedding-Norm').output
    x = keras.models.Model(bert.model.inputs, norm).predict(plain[0])
    x = x - x.mean(axis=-1, keepdims=True)
    assert difference(bert.model.predict(plain[0]), x / x.std(axis=-1, keepdims=True)) < ROUNDING
    assert difference(bert.model.predict(plain[0]), plain[1]) > 0.1


@pytest.mark.slow
def test_early_exits(release, plain):
    """An output of the classes after each block, of which the first knows nothing of the second block."""
    from early_exits import BertWithExits
    bert = build_bert_model(release[0], model=BertWithExits, return_keras_model=False)
    before = bert.model.predict(plain[0])
    assert [output.shape for output in before] == [(3, 3), (3, 3)] and difference(before[0].sum(axis=-1), 1) < ROUNDING
    weight = bert.layers['Encoder-2-FeedForward'].output_bias
    backend.set_values([(weight, np.arange(32).astype('float32'))])
    after = bert.model.predict(plain[0])
    np.testing.assert_array_equal(after[0], before[0])
    assert difference(after[1], before[1]) > 1e-4


@pytest.mark.slow
def test_mixture_of_experts(release, plain):
    """With the gates shut to all but the first expert it is BERT; open, it is not."""
    from mixture_of_experts import BertWithExperts
    bert = build_bert_model(release[0], model=BertWithExperts, return_keras_model=False)
    assert difference(bert.model.predict(plain[0]), plain[1]) > 0.1
    for index in (1, 2):
        bias = bert.layers['Encoder-%d-FeedForward-Gates' % index].bias
        backend.set_values([(bias, np.array([100, 0, 0], 'float32'))])
    assert difference(bert.model.predict(plain[0]), plain[1]) < ROUNDING


@pytest.mark.slow
def test_encoder_decoder(release, plain):
    """Both stacks load; the decoder sees the whole source, and of the target what precedes."""
    from encoder_decoder import encoder_decoder
    encoder, decoder, inputs, outputs = encoder_decoder(release[0])
    model = keras.models.Model(inputs, outputs)
    for stack in (encoder, decoder):
        stack.load_weights_from_checkpoint()
    ids, target = plain[0], random_ids(release[1], batch=7)[0][6:].repeat(3, axis=0)
    before = model.predict(ids + [target, 0 * target])
    assert before.shape == (3, 7, 99)
    changed = target.copy()
    changed[:, 4] = 1 + changed[:, 4] % 98
    after = model.predict(ids + [changed, 0 * target])
    np.testing.assert_array_equal(after[:, :4], before[:, :4])
    assert np.abs(after - before)[:, 4].max() > 1e-4
    source = ids[0].copy()
    source[:, 6] = 1 + source[:, 6] % 98
    assert np.abs(model.predict([source, ids[1], target, 0 * target]) - before).max(axis=(1, 2)).min() > 1e-6


@pytest.mark.slow
def test_recomputation(release, plain):
    """The same loss and the same step, where that Keras can; where it cannot, the error says so."""
    from recomputation import RecomputingBert
    if not backend.IS_KERAS_3 or keras.backend.backend() == 'tensorflow':
        with pytest.raises(ValueError, match='cannot compute activations'):
            build_bert_model(release[0], model=RecomputingBert)
        return
    config = dict(release[1], hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    results = []
    for options in ({}, {'model': RecomputingBert}):
        model = build_bert_model(config, os.path.join(release[0], 'bert_model.ckpt'), **options)
        model.compile(keras.optimizers.SGD(0.1), 'mse')
        model.train_on_batch(plain[0], np.zeros((3, 7, 32), 'float32'))
        results.append(model.predict(plain[0]))
    assert difference(*results) < ROUNDING and difference(results[0], plain[1]) > 1e-4
    layer = build_bert_model(config, model=RecomputingBert).get_layer('Encoder-1-FeedForward')
    assert layer._remat_mode is not None
