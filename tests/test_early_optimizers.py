# -*- coding: utf-8 -*-
"""`extend_with_...` of bert4keras.optimizers and the wrappers of bert4keras.train, against formulas in NumPy."""
from __future__ import absolute_import, division, print_function

import numpy as np
import pytest

from bert4keras import optimizers, train
from bert4keras.backend import MODEL_SUFFIX, keras
from bert4keras.optimizers import early

TABLE = np.arange(15, dtype='float32').reshape(5, 3) / 10 - 0.4
KERNEL = np.array([[0.3], [-0.7], [1.1]], 'float32')
IDS = np.array([[0], [1], [3], [0], [1], [2]])
BATCHES = [(IDS[[at, at + 1]], np.array([[0.5], [1.5]], 'float32')) for at in range(5)]


@pytest.fixture
def model():
    """An embedding and a dense layer called Norm: two weights, in paths that patterns tell apart."""
    ids = keras.layers.Input((1,), dtype='int32')
    x = keras.layers.Flatten()(keras.layers.Embedding(5, 3, name='Embedding-Token')(ids))
    return keras.models.Model(ids, keras.layers.Dense(1, use_bias=False, name='Norm')(x))


def train_on(model, optimizer, batches=BATCHES):
    """The weights after each batch of mean squared error, as arrays [batches, 18]."""
    model.set_weights([TABLE, KERNEL])
    model.compile(optimizer, 'mse')
    steps = []
    for ids, target in batches:
        model.train_on_batch(ids, target)
        steps.append(np.concatenate([weight.ravel() for weight in model.get_weights()]))
    return np.array(steps)


def gradients_of(table, kernel, ids, target):
    """Those of the mean squared error."""
    x = table[ids[:, 0]]
    error = 2 * (x.dot(kernel) - target) / len(ids)
    in_table = np.zeros_like(table)
    np.add.at(in_table, ids[:, 0], error.dot(kernel.T))
    return [in_table, x.T.dot(error)]


def adam(step, t, m, v, correct=True, in_keras=False, epsilon=1e-6):
    """(what is taken away at a rate of 1, m, v) for a gradient."""
    m, v = 0.9 * m + 0.1 * step, 0.999 * v + 0.001 * step ** 2
    m1, v1 = (1 - 0.9 ** t, 1 - 0.999 ** t) if correct else (1, 1)
    if in_keras:
        return v1 ** 0.5 / m1 * m / (v ** 0.5 + epsilon), m, v
    return m / m1 / ((v / v1) ** 0.5 + epsilon), m, v


def expected(change, correct=True, in_keras=False, epsilon=1e-6, rate=0.05, rates=(1,) * 5, window=1):
    """The weights after each batch; `change(index, t, rate, weight, step)` gives the new one of two."""
    weights, m, v = [TABLE.astype('float64'), KERNEL.astype('float64')], [0, 0], [0, 0]
    steps, sums, t = [], [0, 0], 0
    for number, (ids, target) in enumerate(BATCHES):
        sums = [a + b for a, b in zip(sums, gradients_of(*(weights + [ids, target])))]
        if (number + 1) % window == 0:
            t += 1
            for index in (0, 1):
                step, m[index], v[index] = adam(sums[index] / window, t, m[index], v[index], correct, in_keras, epsilon)
                weights[index] = change(index, t, rate * rates[t - 1], weights[index], rate * rates[t - 1] * step)
            sums = [0, 0]
        steps.append(np.concatenate([weight.ravel() for weight in weights]))
    return np.array(steps)


def plainly(index, t, rate, weight, step):
    return weight - step


def scaled(step, rate, weight):
    return step * rate * np.linalg.norm(weight) / np.linalg.norm(step)


def decayed(index, t, rate, weight, step):
    return weight - step - rate * 0.3 * weight * (index == 0)


def lamb(index, t, rate, weight, step):
    step = step + rate * 0.3 * weight
    return weight - (scaled(step, rate, weight) if index else step)


def lazily(index, t, rate, weight, step):
    ids = BATCHES[t - 1][0].ravel()
    return weight - step * (np.isin(np.arange(5), ids)[:, None] if index == 0 else 1)


class Lookahead(object):
    def __init__(self):
        self.slow = [TABLE.astype('float64'), KERNEL.astype('float64')]

    def __call__(self, index, t, rate, weight, step):
        if t % 2:
            return weight - step
        self.slow[index] = 0.75 * self.slow[index] + 0.25 * (weight - step)
        return self.slow[index]


Adam = optimizers.Adam
RATES = (0, 0.5, 1, 0.6, 0.2)
CASES = {
    'plain': (Adam, {}, plainly, {}),
    'Google': (Adam, {'bias_correction': False}, plainly, {'correct': False}),
    'decay': (optimizers.extend_with_weight_decay(Adam, 'AdamW'),
              {'weight_decay_rate': 0.3, 'exclude_from_weight_decay': ['Norm']}, decayed, {}),
    'LAMB': (optimizers.extend_with_layer_adaptation(optimizers.extend_with_weight_decay(Adam), 'LAMB'),
             {'weight_decay_rate': 0.3, 'exclude_from_layer_adaptation': ['Embedding']}, lamb, {}),
    'schedule': (optimizers.extend_with_piecewise_linear_lr(Adam, name='AdamLR'), {'lr_schedule': {2: 1, '4': 0.2}},
                 plainly, {'rates': RATES}),
    'accumulation': (optimizers.extend_with_gradient_accumulation(optimizers.extend_with_piecewise_linear_lr(Adam)),
                     {'lr_schedule': {0: 1, 2: 0.2}, 'grad_accum_steps': 2}, plainly, {'rates': (1, 0.6), 'window': 2}),
    'lookahead': (optimizers.extend_with_lookahead(Adam), {'steps_per_slow_update': 2, 'slow_step_size': 0.25},
                  Lookahead(), {}),
    'lazy': (optimizers.extend_with_lazy_optimization(Adam), {'include_in_lazy_optimization': ['Embedding']},
             lazily, {}),
    'by name': (optimizers.extend_with_parameter_wise_lr(Adam), {'paramwise_lr_schedule': {'Norm': 0.5}},
                lambda index, t, rate, weight, step: weight - step * (0.5 if index else 1), {}),
}


@pytest.mark.parametrize('name', [name if name in ('plain', 'accumulation', 'lookahead') else
                                  pytest.param(name, marks=pytest.mark.slow) for name in sorted(CASES)])
def test_extended_adam_follows_its_formula(model, name):
    """Five batches, of which each weight is within 2e-6 of NumPy's: an epsilon of 1e-4, which one would see."""
    optimizer, options, change, rest = CASES[name]
    if name == 'LAMB':
        options = dict(options, exclude_from_weight_decay=None)
    found = train_on(model, optimizer(learning_rate=0.05, epsilon=1e-4, **options))
    assert np.abs(found - expected(change, epsilon=1e-4, **rest)).max() <= 2e-6
    assert np.abs(found[-1] - found[0]).max() > 0.01


@pytest.mark.slow
def test_wrappers_of_the_first_releases(model):
    """Keras' Adam goes on with Keras' epsilon, in both orders of two wrappers; LAMB is Adam with both extensions."""
    first = train.GradientAccumulation(
        train.PiecewiseLinearLearningRate(keras.optimizers.Adam(0.05, epsilon=1e-4), {0: 1, 2: 0.2}), 2)
    second = train.PiecewiseLinearLearningRate(train.GradientAccumulation(
        keras.optimizers.Adam(0.05, epsilon=1e-4), steps_per_update=2), schedule={0: 1, 2: 0.2})
    told = expected(plainly, in_keras=True, epsilon=1e-4, rates=(1, 0.6), window=2)
    for optimizer in (first, second):
        assert optimizer.steps_per_update == 2
        assert np.abs(train_on(model, optimizer) - told).max() <= 2e-6
    wrapped = train_on(model, train.OptimizerWrapper(keras.optimizers.Adam(0.05)), BATCHES[:2])
    assert np.abs(wrapped - expected(plainly, in_keras=True, epsilon=1e-7)[:2]).max() <= 2e-6
    scaling = train_on(model, train.LAMB(0.05, 0.3, ['nothing'], exclude_from_layer_adaptation=['Embedding']),
                       BATCHES[:2])
    assert np.abs(scaling - expected(lamb)[:2]).max() <= 2e-6


@pytest.mark.slow
def test_sgd_of_keras_with_decay(model):
    """Momentum of Nesterov as Keras has it; the decay is no part of the velocity."""
    base = keras.optimizers.SGD
    found = train_on(model, optimizers.extend_with_weight_decay(base, 'SGDW')(
        learning_rate=0.05, momentum=0.8, nesterov=True, weight_decay_rate=0.3), BATCHES)
    weights, velocity = [TABLE.astype('float64'), KERNEL.astype('float64')], [0, 0]
    for ids, target in BATCHES:
        for index, gradient in enumerate(gradients_of(*(weights + [ids, target]))):
            velocity[index] = 0.8 * velocity[index] - 0.05 * gradient
            weights[index] = (weights[index] + 0.8 * velocity[index] - 0.05 * gradient
                              - 0.05 * 0.3 * weights[index])
    assert np.abs(found[-1] - np.concatenate([weight.ravel() for weight in weights])).max() <= 2e-6


@pytest.mark.slow
def test_averages_and_saving(model, tmp_path):
    """apply_ema_weights gives the averages, reset_old_weights the weights; a saved model goes on as if it had not."""
    optimizer = optimizers.extend_with_exponential_moving_average(
        optimizers.extend_with_lookahead(keras.optimizers.Adam), 'AdamEMA')(
            learning_rate=0.05, ema_momentum=0.5, steps_per_slow_update=2)
    with pytest.raises(ValueError, match='ema_momentum'):
        optimizer.apply_ema_weights()
    steps = train_on(model, optimizer)
    average = sum(0.5 ** (len(steps) - number) * step for number, step in enumerate(steps)) / (1 - 0.5 ** len(steps))
    with pytest.raises(ValueError, match='bias_correction=False'):
        optimizer.apply_ema_weights(bias_correction=False)
    optimizer.apply_ema_weights(bias_correction=True)
    assert np.abs(np.concatenate([weight.ravel() for weight in model.get_weights()]) - average).max() <= 2e-6
    optimizer.reset_old_weights()
    assert np.array_equal(np.concatenate([weight.ravel() for weight in model.get_weights()]), steps[-1])
    path = str(tmp_path / ('model' + MODEL_SUFFIX))
    model.save(path)
    again = keras.models.load_model(path)
    for one in (model, again):
        one.train_on_batch(*BATCHES[0])
    for left, right in zip(model.get_weights(), again.get_weights()):
        assert np.abs(left - right).max() <= 1e-7


@pytest.mark.parametrize('call, said', [
    (lambda: train.OptimizerWrapper(keras.optimizers.RMSprop(0.1)), 'RMSprop'),
    (lambda: train.GradientAccumulation(keras.optimizers.Adam(0.1, amsgrad=True), 2), 'amsgrad'),
    (lambda: optimizers.extend_with_weight_decay(keras.optimizers.Adagrad)(0.1), 'Adagrad'),
    (lambda: train.PiecewiseLinearLearningRate(Adam(0.1, lr_schedule={1: 1}), {1: 1}), 'already'),
    (lambda: train.GradientAccumulation(Adam(0.1), 2.5), 'grad_accum_steps'),
    (lambda: train.add_weight_decay_into(None, 0.01), 'extend_with_weight_decay')])
def test_what_is_refused_is_named(call, said):
    """Another optimizer, or a setting that ours lack, is an error that names it."""
    with pytest.raises(ValueError, match=said):
        call()


def test_settings_are_those_of_the_optimizer_given():
    """Rate, betas and epsilon of Keras' Adam, none of which is the default; `lr` is another name of the rate."""
    cls, settings = early.settings_of(keras.optimizers.Adam(0.003, beta_1=0.8, beta_2=0.95, epsilon=1e-3))
    assert cls is early.BertEarlyAdam and abs(settings.pop('learning_rate') - 0.003) < 1e-9
    for name, value in (('beta_1', 0.8), ('beta_2', 0.95), ('epsilon', 1e-3)):
        assert abs(settings[name] - value) < 1e-7
    assert abs(early.settings_of(Adam(lr=0.5))[1]['learning_rate'] - 0.5) < 1e-9
