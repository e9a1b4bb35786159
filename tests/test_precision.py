# -*- coding: utf-8 -*-
"""Half precision by Keras' dtype policies: finite everywhere, near float32, softmax and norms in float32.

Measured on the hidden states of MiniLM, four texts of 4 to 24 tokens, largest |difference| from float32:
float16 3.5e-3, bfloat16 2e-2 to 4.5e-2, by engine. The tolerances, 1e-2 and 5e-2, are those times a
margin; a state's size is of order 1, and a rounding to bfloat16 is up to 4e-3 of it. TensorFlow 2.10 and
2.15 add up products in float16 itself (0.6 off where rounding the result alone is 0.06): 1.5e-2 there.
"""
from __future__ import absolute_import, division, print_function

import contextlib
import math
import os
import sys

import numpy as np
import pytest

from bert4keras import backend, layers
from bert4keras.backend import keras
from bert4keras.bert import build_bert_model
from bert4keras.embedding import Embedder, normalize
from bert4keras.tokenizer import Tokenizer
from tests.helpers.releases import ALBERT_CONFIG, VOCABULARY, make_release, random_ids
from tests.helpers.saved_model import outputs_of

TOLERANCE = {'mixed_float16': 1e-2, 'float16': 1e-2, 'mixed_bfloat16': 5e-2, 'bfloat16': 5e-2}
MIXED = ['mixed_bfloat16', pytest.param('mixed_float16', marks=pytest.mark.slow)]
POLICIES = MIXED + [pytest.param(name, marks=pytest.mark.slow) for name in ('float16', 'bfloat16')]
HEADS = [dict(with_nsp=True, with_mlm=True, application='seq2seq'), dict(with_mlm=True, application='lm')]
TEXTS = [u'The rain had only just stopped.', u'A short one', u'Café, naïve; 北京 and 東京 are capitals!',
         u'She counted the coins twice, put eleven of them back into the drawer, and locked it without a word.']


def sums_in_half_precision(dtype):
    """Whether this engine adds up a matrix product in half precision, as TensorFlow to 2.15 does on CPUs."""
    from bert4keras.backend import kops
    ones = np.ones((1, 4096), dtype)
    product = kops.matmul(kops.cast(ones, dtype), kops.cast(ones.T, dtype))  # half precision stops at 2048
    return float(np.ravel(keras.backend.get_value(product) if hasattr(keras.backend, 'get_value') else
                          kops.convert_to_numpy(product))[0]) != 4096


def policy_functions():
    """(the policy in force, the function that sets it) of this Keras, or None where it has no policies."""
    if hasattr(getattr(keras, 'config', None), 'set_dtype_policy'):
        return keras.config.dtype_policy, keras.config.set_dtype_policy
    mixed_precision = getattr(keras, 'mixed_precision', None)
    if hasattr(mixed_precision, 'set_global_policy'):
        return mixed_precision.global_policy, mixed_precision.set_global_policy
    return None


if policy_functions() is None:
    pytest.skip('this Keras has no dtype policies: Keras 2.3 has none, tf.keras before 2.4 only experimental ones, '
                'which the layers do not follow', allow_module_level=True)


@contextlib.contextmanager
def policy(name):
    """The policy `name` for what is built inside; the one before it afterwards, whatever happens."""
    get_policy, set_policy = policy_functions()
    before = get_policy()
    set_policy(name)
    try:
        yield
    finally:
        set_policy(before)


@pytest.fixture(scope='module')
def minilm():
    """The directory of the real MiniLM weights, or a skip where they are not installed."""
    pytest.importorskip('safetensors', reason='reading MiniLM needs safetensors')
    from bert4keras.cli import find_demo_weights
    try:
        return find_demo_weights()
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture(scope='module')
def reference(minilm):
    """(ids, the hidden states of MiniLM in float32) of a padded batch of texts."""
    ids = Tokenizer(os.path.join(minilm, 'vocab.txt')).encode_batch(TEXTS)
    return ids, build_bert_model(minilm).predict_on_batch(list(ids))


@pytest.mark.parametrize('name', POLICIES)
def test_minilm_near_float32(minilm, reference, name):
    """Hidden states of real weights, on unpadded positions: within 1e-2 in float16, 5e-2 in bfloat16."""
    ids, expected = reference
    engine = 2 if 'bfloat' not in name and sums_in_half_precision('float16') else 1
    with policy(name):
        hidden = build_bert_model(minilm).predict_on_batch(list(ids))
    measured = np.abs(hidden - expected)[ids[0] != 0].max()
    print('%s: max |difference| %.1e' % (name, measured))  # pytest -rP shows it
    assert 1e-4 < measured < TOLERANCE[name] * engine


@pytest.mark.slow
@pytest.mark.parametrize('name', POLICIES)
def test_finite_with_every_head(release, name):
    """Every output is finite, for a row of padding too; probabilities are float32 and sum to 1."""
    token_ids, segment_ids = random_ids(release[1])
    token_ids[-1] = 0
    for arguments in HEADS:
        with policy(name):
            model = build_bert_model(release[0], **arguments)
        for output in outputs_of(model, [token_ids, segment_ids]):
            assert np.isfinite(np.asarray(output, 'float32')).all(), arguments
            if output.shape[-1] != release[1]['hidden_size']:
                assert output.dtype == np.float32 and np.abs(output.sum(-1) - 1).max() < 1e-5


@pytest.mark.parametrize('name', POLICIES)
def test_logits_of_a_task_are_float32(release, name):
    """The head of a fine-tuned model computes in float32, as a loss comes next."""
    with policy(name):
        for arguments in (dict(head='tokens', num_labels=3), dict(head='span')):
            logits, = outputs_of(build_bert_model(release[0], **arguments), random_ids(release[1]))
            assert logits.dtype == np.float32 and np.isfinite(logits).all(), arguments


@pytest.mark.parametrize('name', POLICIES)
def test_what_stays_in_float32(release, name):
    """The weights of norms and embeddings stay float32; the large products compute in half precision."""
    with policy(name):
        model = build_bert_model(release[0], with_nsp=True, with_mlm=True)
    dtypes = {}
    for layer in model.layers:
        if isinstance(layer, layers.BertLayer) and layer.weights:
            kind = 'full' if layer.full_precision else 'half'
            dtypes.setdefault(kind, set()).update(getattr(weight.dtype, 'name', weight.dtype)
                                                  for weight in layer.weights)
            dtypes.setdefault(kind + ' computes', set()).add(backend.compute_dtype(layer))
    half = name.replace('mixed_', '')
    assert dtypes == {'full': {'float32'}, 'full computes': {'float32'}, 'half computes': {half},
                      'half': {'float32' if name.startswith('mixed') else half}}


@pytest.mark.parametrize('name', POLICIES)
def test_finite_after_training(release, name):
    """Training steps lower the loss, and leave every weight and every output finite."""
    directory, config, _ = release
    token_ids, segment_ids = random_ids(config)
    token_ids[-1] = 0
    # weights in float16 alone, unlike mixed_float16's, are too coarse for Adam's tiny epsilon
    optimizer = keras.optimizers.SGD(0.01) if name == 'float16' else keras.optimizers.Adam(1e-3)
    # without dropout, whose noise is larger than what five steps change
    config = dict(config, num_hidden_layers=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    with policy(name):
        model = build_bert_model(config, os.path.join(directory, 'bert_model.ckpt'), with_nsp=True, with_mlm=True)
        model.compile(loss=['sparse_categorical_crossentropy'] * 2, optimizer=optimizer)
    labels = [token_ids[:, 0] % 2, token_ids]
    losses = [np.ravel(model.train_on_batch([token_ids, segment_ids], labels))[0] for _ in range(5)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0], losses
    for array in model.get_weights() + outputs_of(model, [token_ids, segment_ids]):
        assert np.isfinite(np.asarray(array, 'float32')).all()


@pytest.mark.parametrize('name', MIXED)
def test_a_model_keeps_its_policy(release, name):
    """A model built under a policy gives the same from its config, outside of the policy."""
    ids = random_ids(release[1])
    with policy(name):
        model = build_bert_model(release[0], with_pool=True, with_mlm=True)
        expected = outputs_of(model, ids)
    again = model.__class__.from_config(model.get_config())
    again.set_weights(model.get_weights())
    for one, other in zip(expected, outputs_of(again, ids)):
        np.testing.assert_array_equal(one, other)


def test_a_policy_leaves_no_trace(release):
    """What is built after a policy was in force is what was built before it, bit for bit."""
    ids = random_ids(release[1])
    before = outputs_of(build_bert_model(release[0], with_mlm=True), ids)
    with policy('mixed_bfloat16'):
        assert np.abs(outputs_of(build_bert_model(release[0], with_mlm=True), ids)[0] - before[0]).max() > 1e-5
    np.testing.assert_array_equal(outputs_of(build_bert_model(release[0], with_mlm=True), ids)[0], before[0])


@pytest.mark.parametrize('name', MIXED)
def test_sums_and_mappings_stay_in_float32(name):
    """The residual sums, and what an ALBERT makes of its embeddings, are computed in float32."""
    with policy(name):
        model = build_bert_model(dict(ALBERT_CONFIG, num_hidden_layers=1))
    found = {layer.name for layer in model.layers
             if isinstance(layer, keras.layers.Add) or layer.name == 'Embedding-Mapping'}
    assert len(found) == 4
    assert {backend.compute_dtype(model.get_layer(layer)) for layer in found} == {'float32'}


def test_scores_that_float16_cannot_hold_before_they_are_scaled():
    """64 products of 60 and 60 are more than 65504, their eighth is not: it is the factor that is scaled."""
    states, mask = np.full((1, 2, 64), 60.0, 'float32'), np.array([[[True, True]]])
    inputs = [keras.layers.Input(shape=(2, 64)), keras.layers.Input(shape=(1, 2), dtype='bool')]
    with policy('mixed_float16'):
        model = keras.models.Model(inputs, layers.BertSelfAttention(1)(inputs))
    model.set_weights([np.eye(64), np.zeros(64)] * 4)
    np.testing.assert_array_equal(np.asarray(model.predict([states, mask]), 'float32'), states)


@contextlib.contextmanager
def in_graphs():
    """A context in which TensorFlow makes graphs, as it does for users."""
    config = getattr(sys.modules.get('tensorflow'), 'config', None)
    is_eager = bool(config) and config.functions_run_eagerly()
    if is_eager:
        config.run_functions_eagerly(False)
    try:
        yield
    finally:
        if is_eager:
            config.run_functions_eagerly(True)


@pytest.mark.parametrize('name', ['gelu_erf', 'gelu_tanh'])
def test_a_gelu_is_rounded_once(name):
    """It is that of float32, rounded to bfloat16 at its end, not after each step: in training and in predict."""
    x = np.arange(-96, 160) / 32.0  # no more digits than bfloat16 has
    inner = [math.sqrt(2 / math.pi) * (one + 0.044715 * one ** 3) for one in x]
    expected = 0.5 * x * (1 + (np.tanh(inner) if name == 'gelu_tanh' else
                               np.array([math.erf(one * math.sqrt(0.5)) for one in x])))
    inputs = keras.layers.Input(shape=(1, 256))
    with policy('mixed_bfloat16'):
        model = keras.models.Model(inputs, layers.BertFeedForward(256, name)(inputs))
    model.set_weights([np.eye(256), np.zeros(256)] * 2)
    half = backend.kops.cast(backend.kops.reshape(x.astype('float32'), (1, 256)), 'bfloat16')
    to_numpy = getattr(backend.kops, 'convert_to_numpy', np.asarray)
    trained = to_numpy(backend.kops.cast(model.layers[-1].activate(half, training=True), 'float32'))[0]
    rows = x[None, None].astype('float32')
    called = to_numpy(backend.kops.cast(model(rows, training=False), 'float32'))[0, 0]
    with in_graphs():
        predicted = np.asarray(model.predict(rows), 'float32')[0, 0]
    for found in (trained, called, predicted):
        np.testing.assert_allclose(found, expected, rtol=2.0 ** -7)


@pytest.mark.parametrize('precision', ['bfloat16', pytest.param('float16', marks=pytest.mark.slow)])
def test_vectors_in_half_precision(precision, tmp_path):
    """Cosines are those of float32 within 5e-3, the vectors are others, and the policy of the process stays."""
    make_release(str(tmp_path), vocab=VOCABULARY)
    texts = [u'word%d word%d' % (number, number + 1) for number in range(1, 8)]
    before = policy_functions()[0]().name
    full, half = [Embedder(str(tmp_path), precision=name).encode(texts) for name in ('float32', precision)]
    assert policy_functions()[0]().name == before and half.dtype == 'float32' and not np.array_equal(full, half)
    cosines = [normalize(vectors).dot(normalize(vectors).T) for vectors in (full, half)]
    assert np.ptp(cosines[0]) > 0.02 and np.abs(cosines[0] - cosines[1]).max() < 5e-3
    with pytest.raises(ValueError, match="precision must be one of bfloat16, float16, float32, not 'half'"):
        Embedder(str(tmp_path), precision='half')
