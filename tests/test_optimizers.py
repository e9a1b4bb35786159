# -*- coding: utf-8 -*-
"""The optimizers: against literal numbers and NumPy of the formulas, accumulation against the large batch, saving.

Most models here are one Dense layer whose loss is its output, so that the gradient of the kernel is the input
and that of the bias 1. ROUNDING is what float32 differs by after 12 updates, relative to the largest weight.
"""
from __future__ import absolute_import, division, print_function

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import bert4keras
from bert4keras import backend
from bert4keras.backend import MODEL_SUFFIX, keras, kops
from bert4keras.layers import BertLayerNorm
from bert4keras.optimizers import (LAMB, AdamW, AdamWarmup, GoogleWarmup, OptimizerStateError, PiecewiseLinear,
                                   WarmupLinear, averaged, rules)

ROUNDING = 1e-6 if hasattr(keras, 'ops') else 1e-5
EVERYTHING = dict(weight_decay=0.3, clipnorm=0.02, ema_momentum=0.7, layer_decay=0.6, amsgrad=True, beta_1=0.8)
# what the decay spares in `blocks()`, by the default patterns
DECAYS = [True, True, False, False, False, True, False, True, False]


def values(tensors):
    """NumPy arrays of tensors or variables."""
    return [np.asarray(value) for value in backend.get_values(tensors)]


def output_loss(_, y):
    """A loss that is the output itself."""
    return y


def dense(weights, optimizer, name='Head', **arguments):
    """A compiled Dense layer of one output with these weights, [kernel] or [kernel, bias]."""
    inputs = keras.layers.Input(shape=(len(weights[0]),))
    model = keras.models.Model(inputs, keras.layers.Dense(1, use_bias=len(weights) > 1, name=name,
                                                              **arguments)(inputs))
    model.set_weights([np.reshape(weights[0], (-1, 1))] + [np.reshape(bias, (1,)) for bias in weights[1:]])
    model.compile(optimizer, output_loss)
    return model


def train(model, gradients):
    """Trains a model of `dense` on batches of one row; the weights, as flat arrays."""
    for gradient in gradients:
        model.train_on_batch(np.array([gradient]), np.zeros((1, 1)))
    return [weight.ravel() for weight in model.get_weights()]


def blocks(optimizer, **compile_arguments):
    """A compiled classifier of ids with the names of a BERT of two blocks."""
    ids = keras.layers.Input(shape=(3,), dtype='int32')
    x = keras.layers.Embedding(11, 4, name='Embedding-Token')(ids)
    x = keras.layers.GlobalAveragePooling1D()(x)
    x = keras.layers.Dense(5, activation='tanh', name='Encoder-1-FeedForward')(x)
    x = BertLayerNorm(name='Encoder-1-FeedForward-Norm')(x)
    x = keras.layers.Dense(4, activation='tanh', name='Encoder-2-FeedForward')(x)
    model = keras.models.Model(ids, keras.layers.Dense(3, activation='softmax', name='Head')(x))
    random = np.random.RandomState(7)
    model.set_weights([random.uniform(-1, 1, weight.shape) for weight in model.get_weights()])
    model.compile(optimizer, 'sparse_categorical_crossentropy', **compile_arguments)
    return model


RANDOM = np.random.RandomState(3)
IDS, LABELS = RANDOM.randint(0, 11, (96, 3)), RANDOM.randint(0, 3, 96)


def train_blocks(model, start, stop, size):
    """Trains a model of `blocks` on rows from `start` to `stop`, `size` at a time."""
    for at in range(start, stop, size):
        model.train_on_batch(IDS[at:at + size], LABELS[at:at + size])
    return model.get_weights()


def check_equal(ours, expected, tolerance=ROUNDING):
    """All arrays within `tolerance`, relative to the largest number of each."""
    assert len(ours) == len(expected)
    for one, other in zip(ours, expected):
        assert np.abs(one - other).max() <= tolerance * np.abs(other).max()


def inner(model):
    """The optimizer of a model, without the one that scales losses."""
    return getattr(model.optimizer, 'inner_optimizer', model.optimizer)


# ------------------------------------------------------------------ the formulas

@pytest.mark.parametrize('make, expected', [
    (lambda: LAMB(0.1, weight_decay=0.5), [2.53576, 3.81430]),
    (lambda: LAMB(0.1, weight_decay=0.0), [2.64645, 4.35355]),
    (lambda: AdamW(0.1, weight_decay=0.5), [2.75, 3.9]),
    (lambda: AdamW(0.1, weight_decay=0.5, exclude_from_weight_decay=['Head/kernel']), [2.9, 4.1]),
    (lambda: AdamW(0.1, weight_decay=0.0, epsilon=0.1), [2.95, 4.066667]),
    (lambda: AdamW(0.1, weight_decay=0.5, bias_correction=False), [2.533772, 4.116228]),
    (lambda: AdamW(0.1, weight_decay=0.0, epsilon=0.1, global_clipnorm=0.1), [2.969098, 4.047214]),
    (lambda: AdamW(0.1, weight_decay=0.0, epsilon=0.1, clipnorm=0.1), [2.969098, 4.047214]),
    (lambda: AdamW(0.1, weight_decay=0.0, epsilon=0.1, clipnorm=0.5), [2.95, 4.066667]),
    (lambda: AdamW(0.1, weight_decay=0.0, epsilon=0.1, global_clipnorm=0.5), [2.95, 4.066667]),
    (lambda: AdamW(0.1, weight_decay=0.0, epsilon=0.1, layer_decay=0.5), [2.95, 4.066667]),
    (lambda: AdamW(PiecewiseLinear(0.4, [(0, 0.25), (3, 1)]), weight_decay=0.5), [2.75, 3.9])])
@pytest.mark.filterwarnings('ignore:layer_decay', 'ignore:exclude_from')
def test_the_first_step(make, expected):
    """From [3, 4] with the gradient [.1, -.2], worked out by hand; the first is the paper's LAMB."""
    check_equal(train(dense([[3, 4]], make()), [[0.1, -0.2]]), [np.array(expected)], 2e-6)


@pytest.mark.filterwarnings('ignore:exclude_from')
def test_zeros_and_constraints():
    """LAMB moves a weight of zeros, whose length is no measure; a weight that may not be negative is not."""
    check_equal(train(dense([[0, 0]], LAMB(0.1)), [[0.1, -0.2]]), [np.array([-0.1, 0.1])], 2e-5)
    model = dense([[0.03, 4]], AdamW(0.1, weight_decay=0.0, epsilon=0.1), kernel_constraint='non_neg')
    check_equal(train(model, [[0.1, -0.2]]), [np.array([0, 4.066667])], 2e-6)


def numpy_steps(kernel, bias, gradients, amsgrad=False, lamb=False, google=False):
    """12 updates of the kernel, which decays, and the bias, which does not, in float64; also their averages."""
    weights, count = [np.array(kernel, 'float64'), np.array(bias, 'float64')], 0
    m, v, vhat, average = [[0.0 * weight for weight in weights] for _ in range(4)]
    for gradient in gradients:
        pair = [np.array(gradient, 'float64'), np.array([1.0])]
        length = np.sqrt(sum((g ** 2).sum() for g in pair))
        rate = 0.05 * (count / 4 if count < 4 else (10 - count) / 6 if count < 10 else 0)
        count += 1
        for at in range(2):
            g = pair[at] * min(1, 0.9 / length)
            m[at], v[at] = 0.8 * m[at] + 0.2 * g, 0.99 * v[at] + 0.01 * g * g
            vhat[at] = np.maximum(vhat[at], v[at])
            first, second = m[at], (vhat if amsgrad else v)[at]
            if not google:
                first, second = first / (1 - 0.8 ** count), second / (1 - 0.99 ** count)
            step = first / (np.sqrt(second) + 1e-3) + (0.3 * weights[at] if at == 0 else 0)
            if lamb:
                step = step * np.sqrt((weights[at] ** 2).sum()) / np.sqrt((step ** 2).sum())
            weights[at] = weights[at] - rate * step
            average[at] = weights[at] if count == 1 else 0.7 * average[at] + 0.3 * weights[at]
    return weights, average


@pytest.mark.parametrize('cls, changes, flags', [
    (AdamW, {'amsgrad': True}, {'amsgrad': True}), (AdamW, {'bias_correction': False}, {'google': True}),
    (LAMB, {}, {'lamb': True})])
@pytest.mark.filterwarnings('ignore:exclude_from')
def test_twelve_updates(cls, changes, flags):
    """Warm-up, decay but of the bias, clipping by the global norm and averaging together are those of NumPy."""
    gradients = np.random.RandomState(1).uniform(-1, 1, (12, 3))
    model = dense([[3, -2, 1], [0.5]], cls(WarmupLinear(0.05, 4, 10), weight_decay=0.3, beta_1=0.8, beta_2=0.99,
                                           epsilon=1e-3, global_clipnorm=0.9, ema_momentum=0.7, **changes))
    weights = train(model, gradients)
    expected, average = numpy_steps([3, -2, 1], [0.5], gradients, **flags)
    check_equal(weights, expected, 2e-6)
    with averaged(model) as same:
        check_equal([weight.ravel() for weight in same.get_weights()], average, 2e-6)
    check_equal([weight.ravel() for weight in model.get_weights()], weights, 0)


def test_layer_decay():
    """A first step of Adam is as long as its rate: .6^3 of it in embeddings, .36, .6, and all of it in the head."""
    model = blocks(AdamW(0.01, weight_decay=0.0, layer_decay=0.6))
    before = model.get_weights()
    moved = [np.abs(new - old).max() for new, old in zip(train_blocks(model, 0, 8, 8), before)]
    factors = [0.216] + [0.36] * 4 + [0.6] * 2 + [1.0] * 2
    np.testing.assert_allclose(moved, 0.01 * np.array(factors), rtol=1e-3)
    assert rules.layer_factors(['Embedding-Norm/gamma', 'Encoder-12-X/k', 'Encoder-2-X/k', 'Pooler-Dense/k'], 0.5) == [
        0.5 ** 13, 0.5, 0.5 ** 11, 1.0]


# ------------------------------------------------------------------ schedules

@pytest.mark.parametrize('schedule, expected', [
    (PiecewiseLinear(2.0, {0: 0, 10: 1, 20: 0.1}), {0: 0, 1: 0.2, 9: 1.8, 10: 2, 11: 1.82, 20: 0.2, 21: 0.2, 999: 0.2}),
    (PiecewiseLinear(2.0, [(4, 1)]), {0: 0, 1: 0.5, 4: 2, 5: 2}),
    (PiecewiseLinear(2.0, {0: 0.5}), {0: 1, 7: 1}),
    (WarmupLinear(2.0, 4, 20), {0: 0, 3: 1.5, 4: 2, 5: 1.875, 19: 0.125, 20: 0, 21: 0}),
    (WarmupLinear(2.0, 0, 4), {0: 2, 3: 0.5}),
    (GoogleWarmup(2.0, 4, 20), {0: 0, 3: 1.5, 4: 1.6, 5: 1.5, 19: 0.1, 20: 0, 21: 0})])
def test_schedules(schedule, expected):
    """Rates at the boundaries; Google's jumps where it stops rising. The same from its config."""
    again = type(schedule).from_config(schedule.get_config())
    for step, rate in sorted(expected.items()):
        ours = values([schedule(kops.cast(step, 'int64')), again(step)])
        np.testing.assert_allclose(ours, rate, rtol=1e-6, atol=1e-9)


def test_schedules_in_optimizers_of_keras():
    """Keras' own SGD takes them, where that Keras has schedules: -.1 (0 + .5 + 1) for a gradient of 1."""
    if not hasattr(keras.optimizers, 'schedules'):
        assert type(PiecewiseLinear).__mro__[-1] is object
        return
    model = dense([[3.0]], keras.optimizers.SGD(PiecewiseLinear(0.1, {0: 0, 2: 1})))
    check_equal(train(model, [[1.0]] * 3), [np.array([2.85])])


# ------------------------------------------------------------------ accumulation

@pytest.mark.parametrize('cls, arguments', [
    pytest.param(AdamW, {'learning_rate': 0.01}, marks=pytest.mark.slow),
    pytest.param(LAMB, {'learning_rate': 0.01}, marks=pytest.mark.slow),
    (AdamW, dict(EVERYTHING, learning_rate=WarmupLinear(0.03, 4, 14))),
    (AdamW, dict(learning_rate=GoogleWarmup(0.01, 4, 14), bias_correction=False, global_clipnorm=0.05))])
def test_accumulation_is_the_large_batch(cls, arguments):
    """12 updates of 4 batches of 2 are those of a batch of 8: the weights, and the averages."""
    large, small = blocks(cls(**arguments)), blocks(cls(accumulate=4, **arguments))
    start = large.get_weights()
    expected = train_blocks(large, 0, 96, 8)
    assert min(np.abs(new - old).max() for new, old in zip(expected, start)) > 1e-3
    check_equal(train_blocks(small, 0, 96, 2), expected)
    assert [int(values([model.optimizer.update_count])[0]) for model in (large, small)] == [12, 12]
    if 'ema_momentum' in arguments:
        with averaged(large), averaged(small):
            assert np.abs(large.get_weights()[0] - expected[0]).max() > 1e-3
            check_equal(small.get_weights(), large.get_weights())


@pytest.mark.slow
def test_a_window_goes_on():
    """With 3 batches an epoch, the second window of 2 is the last of one epoch and the first of the next `fit`."""
    model = blocks(AdamW(0.01, accumulate=2))
    for _ in range(2):
        model.fit(IDS[:6], LABELS[:6], batch_size=2, epochs=1, shuffle=False, verbose=0)
    whole = blocks(AdamW(0.01))
    for rows in ([0, 1, 2, 3], [4, 5, 0, 1], [2, 3, 4, 5]):
        whole.train_on_batch(IDS[rows], LABELS[rows])
    check_equal(model.get_weights(), whole.get_weights())


CALLS = []


def counted(tensor):
    """`tensor`, which counts in CALLS how often it is computed."""
    def count(value):
        CALLS.append(1)
        return value
    if hasattr(keras, 'ops') and keras.backend.backend() == 'torch':
        return count(tensor)
    if hasattr(keras, 'ops') and keras.backend.backend() == 'jax':
        import jax
        jax.debug.callback(count, tensor)
        return tensor
    import tensorflow as tf
    function = getattr(tf, 'numpy_function', None) or tf.py_func
    result = function(count, [tensor], tensor.dtype)
    result.set_shape(tensor.shape)
    return result


class CountedAdamW(type(AdamW(0.1))):
    """AdamW that counts how often a weight is updated."""

    def rule(self, gradient, *arguments):
        return super(CountedAdamW, self).rule(counted(gradient), *arguments)


def test_only_the_last_batch_of_a_window_computes_the_update():
    """7 batches with accumulate=3 compute the new value of a weight twice; weights and moments stand still between."""
    model = dense([[3.0, 4.0]], CountedAdamW(0.1, accumulate=3, exclude_from_weight_decay=()))
    del CALLS[:]
    for batch in range(7):
        weights = train(model, [[0.1, -0.2]])
        assert len(CALLS) == (batch + 1) // 3 and (weights[0][0] < 3) == (batch > 1)


# ------------------------------------------------------------------ saving and going on

LATEST = '.keras' if hasattr(keras.optimizers.Adam, 'update_step') else MODEL_SUFFIX


def save_and_load(model, directory, suffix=MODEL_SUFFIX):
    """The model that is loaded from what was saved."""
    path = os.path.join(str(directory), 'saved' + suffix)
    model.save(path)
    return keras.models.load_model(path)


@pytest.mark.parametrize('suffix', sorted({MODEL_SUFFIX, LATEST}))
def test_decay_after_loading(tmp_path, suffix):
    """Before and after loading, and after loading what was loaded, the same weights decay and learn as fast."""
    model = blocks(AdamW(0.01, layer_decay=0.6))
    train_blocks(model, 0, 8, 8)
    for _ in range(3):
        assert inner(model).state.decays == DECAYS
        assert [round(factor, 3) for factor in inner(model).state.factors[:6]] == [0.216] + [0.36] * 4 + [0.6]
        model = save_and_load(model, tmp_path, suffix)
        train_blocks(model, 0, 8, 8)


@pytest.mark.parametrize('cls, arguments', [(AdamW, EVERYTHING), (LAMB, {})])
def test_configs(cls, arguments):
    """An optimizer from its config has the same options, its schedule too."""
    optimizer = cls(PiecewiseLinear(0.02, {0: 0, 500: 1, 2000: 0.1}), accumulate=3, **arguments)
    again = type(optimizer).from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config() and again.state.options == optimizer.state.options
    assert [again.get_config()[name] for name in arguments] == list(arguments.values())
    np.testing.assert_allclose(values([again.given_rate(kops.cast(step, 'int64')) for step in (250, 2000)]),
                               [0.01, 0.002], rtol=1e-6)
    again = type(optimizer).from_config(cls(0.25).get_config())
    assert again.get_config()['learning_rate'] == 0.25


def everything():
    """An optimizer of all options, with windows of 3 batches."""
    return AdamW(PiecewiseLinear(0.03, {0: 0.1, 3: 1, 8: 0.2}), accumulate=3, **EVERYTHING)


RESUME = '''
import sys
sys.path[:0] = sys.argv[1:3]
import bert4keras.optimizers, bert4keras.layers
import numpy as np
from bert4keras.backend import keras
model = keras.models.load_model(sys.argv[3])
ids, labels = np.load(sys.argv[4])['ids'], np.load(sys.argv[4])['labels']
for at in range(28, 48, 2):
    model.train_on_batch(ids[at:at + 2], labels[at:at + 2])
np.savez(sys.argv[5], *model.get_weights())
'''


def test_resumed_in_a_fresh_process(tmp_path):
    """Saved after 14 batches, inside the fifth window of 3, and gone on with in a fresh process: as if not stopped."""
    whole, stopped = blocks(everything()), blocks(everything())
    expected = train_blocks(whole, 0, 48, 2)
    train_blocks(stopped, 0, 28, 2)
    paths = [os.path.join(str(tmp_path), name) for name in ('saved' + MODEL_SUFFIX, 'data.npz', 'result.npz')]
    stopped.save(paths[0])
    np.savez(paths[1], ids=IDS, labels=LABELS)
    package = os.path.dirname(os.path.dirname(os.path.abspath(bert4keras.__file__)))
    subprocess.check_output([sys.executable, '-c', RESUME, package, os.path.dirname(os.path.abspath(__file__))] + paths,
                            stderr=subprocess.STDOUT)
    with np.load(paths[2]) as result:
        check_equal([result['arr_%d' % index] for index in range(len(expected))], expected)


@pytest.mark.slow
def test_a_state_that_does_not_fit(tmp_path, monkeypatch):
    """The state of another model or other options is an error that says both sizes, and changes nothing."""
    model = blocks(AdamW(0.01))
    train_blocks(model, 0, 8, 8)
    state = values(inner(model)._own_variables())
    before = values(inner(model).state.slots['m'])
    for wrong in (state[:-1], state[:-1] + [state[-1][:-1]], state + state[-1:]):
        with pytest.raises(OptimizerStateError, match='AdamW has %d arrays.* needs %d' % (len(wrong), len(state))):
            inner(model).set_weights(wrong)
    if hasattr(inner(model), 'load_own_variables'):
        with pytest.raises(OptimizerStateError, match='needs %d' % len(state)):
            inner(model).load_own_variables({str(index): value for index, value in enumerate(state[:-1])})
    check_equal(values(inner(model).state.slots['m']), before, 0)
    inner(model).set_weights([2 * value for value in state])
    check_equal(values(inner(model).state.slots['m']), [2 * value for value in before], 0)
    monkeypatch.setattr(type(inner(model)), 'slot_names', lambda self: ('m', 'v', 'vhat'))
    with pytest.raises(Exception, match='AdamW has %d arrays.* needs %d' % (len(state), len(state) + len(before))):
        save_and_load(model, tmp_path)


@pytest.mark.slow
def test_a_model_saved_before_training(tmp_path):
    """What was compiled and saved, and never trained, trains after loading as it would have."""
    model = blocks(everything())
    expected = train_blocks(blocks(everything()), 0, 8, 2)
    check_equal(train_blocks(save_and_load(model, tmp_path), 0, 8, 2), expected)


# ------------------------------------------------------------------ precision, bad input

SET_POLICY = getattr(getattr(keras, 'config', keras), 'set_dtype_policy', None) or getattr(
    getattr(keras, 'mixed_precision', None), 'set_global_policy', None)


@pytest.mark.skipif(SET_POLICY is None, reason='this Keras has no dtype policies')
def test_mixed_precision(tmp_path):
    """In mixed_float16 Keras scales the loss around it: 4 finite batches are an update, and it is saved."""
    SET_POLICY('mixed_float16')
    try:
        model = blocks(AdamW(0.01, accumulate=4))
        assert type(model.optimizer).__name__.startswith('LossScaleOptimizer')
        start, seen = model.get_weights(), 0
        for at in range(0, 96, 2):
            before = model.get_weights()
            train_blocks(model, at, at + 2, 2)
            seen += any((new != old).any() for new, old in zip(model.get_weights(), before))
            assert not seen or int(values([inner(model).update_count])[0]) == seen
            if at == 40:  # tf.keras keeps the state of such an optimizer in this format only
                model = save_and_load(model, tmp_path, LATEST)
                assert seen > 1
    finally:
        SET_POLICY('float32')
    assert 9 <= seen <= 12 and inner(model).state.decays == DECAYS
    for new, old in zip(model.get_weights(), start):
        assert np.isfinite(new).all() and 0.01 < np.abs(new - old).max() < 0.2


@pytest.mark.parametrize('arguments, words', [
    ({'accumulate': 0}, 'accumulate.* 0'), ({'accumulate': 2.5}, 'accumulate.* 2.5'),
    ({'accumulate': True}, 'accumulate'),
    ({'learning_rate': len}, 'learning_rate.*len'), ({'exclude_from_weight_decay': ['bias', 1]}, "strings.*'bias', 1"),
    ({'layer_decay': 'x'}, "layer_decay.* 'x'"), ({'learning_rate': -0.1}, 'learning_rate.* -0.1'),
    ({'learning_rate': 'fast'}, "learning_rate.* 'fast'"),
    ({'beta_1': 1.0}, 'beta_1.* 1.0'), ({'beta_2': -0.5}, 'beta_2.* -0.5'), ({'epsilon': -1}, 'epsilon.* -1'),
    ({'weight_decay': -0.01}, 'weight_decay.* -0.01'), ({'ema_momentum': 1}, 'ema_momentum.* 1'),
    ({'clipnorm': 1.0, 'global_clipnorm': 2.0}, 'one of clipnorm=1.0 and global_clipnorm=2.0'),
    ({'clipnorm': -1.0}, 'clipnorm.* -1.0'), ({'global_clipnorm': 0.0}, 'global_clipnorm.* 0'),
    ({'layer_decay': 0.0}, 'layer_decay.* 0'), ({'layer_decay': 1.5}, 'layer_decay.* 1.5'),
    ({'exclude_from_weight_decay': 'bias'}, "list of strings, not 'bias'")])
@pytest.mark.parametrize('cls', [AdamW, LAMB])
def test_bad_options(cls, arguments, words):
    """What cannot be is an error where it is written, which says the argument and its value."""
    with pytest.raises(ValueError, match=words):
        cls(**arguments)


def test_unknown_options():
    """An argument that there is not is named."""
    for cls in (AdamW, LAMB):
        with pytest.raises(TypeError, match='gradient_accumulation_steps'):
            cls(gradient_accumulation_steps=2)


@pytest.mark.parametrize('make, words', [
    (lambda: PiecewiseLinear(0.1, {}), 'increasing t, not {}'),
    (lambda: PiecewiseLinear(0.1, [(5, 1), (5, 0)]), r'increasing t, not \[\(5, 1\), \(5, 0\)\]'),
    (lambda: PiecewiseLinear(0.1, [(5, 1), (3, 0)]), 'increasing t'),
    (lambda: PiecewiseLinear(0.1, {-1: 0, 5: 1}), 'at least 0, not -1'),
    (lambda: PiecewiseLinear(-0.1, {0: 0, 5: 1}), 'rate.* -0.1'),
    (lambda: PiecewiseLinear(0.1, {0: 0, 5: -1}), 'value.* -1'),
    (lambda: WarmupLinear(0.1, 5, 5), '5 of 5'), (lambda: GoogleWarmup(0.1, 6, 5), '6 of 5'),
    (lambda: WarmupLinear(0.1, -1, 5), 'warmup_steps.* -1'), (lambda: GoogleWarmup('0.1', 1, 5), "rate.* '0.1'")])
def test_bad_schedules(make, words):
    """A schedule that does not go on in time, or goes below 0, is an error where it is written."""
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.slow
@pytest.mark.parametrize('arguments, words', [
    ({'exclude_from_weight_decay': ['bias', 'LayerNorm', 'nrom']},
     "'LayerNorm' or 'nrom' in its path.*Embedding-Token/"),
    ({'exclude_from_weight_decay': ['kernel'], 'layer_decay': 0.9}, None), ({'weight_decay': 0.0}, None)])
def test_patterns_that_match_nothing_warn(arguments, words):
    """They are named, with some of the paths; nothing is said of those that match, or where nothing decays."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        train_blocks(blocks(AdamW(0.01, **arguments)), 0, 8, 8)
    ours = [str(one.message) for one in caught]
    ours = [message for message in ours if 'in its path' in message or 'layer_decay' in message]
    assert len(ours) == (words is not None)
    if words:
        import re
        assert re.search(words, ours[0])


@pytest.mark.slow
def test_averages_that_are_not_there():
    """Without ema_momentum, and before the first update, `averaged` says what to do."""
    for optimizer, batches in ((AdamW(0.01), 0), (AdamW(0.01, exclude_from_weight_decay=()), 1),
                               (AdamW(0.01, ema_momentum=0.5), 0),
                               (AdamW(0.01, weight_decay=0.0, ema_momentum=0.5, accumulate=2), 1)):
        model = dense([[3.0]], optimizer)
        train(model, [[1.0]] * batches)
        with pytest.raises(ValueError, match='compile with ema_momentum'):
            with averaged(model):
                pass


def test_frozen_layers():
    """Layers that are frozen keep every bit, and have no slots."""
    model = blocks(AdamW(0.1))
    for layer in model.layers[:3]:
        layer.trainable = False
    model.compile(AdamW(0.1), 'sparse_categorical_crossentropy')
    before = model.get_weights()
    after = train_blocks(model, 0, 8, 8)
    trained = len(model.trainable_weights)
    assert len(inner(model).state.slots['m']) == trained < len(before)
    assert [bool((old == new).all()) for old, new in zip(before, after)].count(True) == len(before) - trained


def test_on_the_same_rules_and_seam():
    """AdamWarmup keeps its state, and takes Keras' own arguments."""
    model = dense([[3.0, 4.0]], AdamWarmup(9, 3, clipnorm=0.1))
    assert np.isfinite(train(model, [[0.1, -0.2]] * 2)).all()
    assert type(model.optimizer).from_config(model.optimizer.get_config()).get_config()['clipnorm'] == 0.1
