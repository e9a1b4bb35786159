# -*- coding: utf-8 -*-
"""Gradients and training steps that are the same computation on every Keras.

One step of plain SGD with a huge learning rate gives the gradients: (before - after) / rate, where the
weight itself, rounded, no longer matters. The ten steps of SGD and of Adam are taken from such gradients
in NumPy, so that an optimizer's own order of updates (the Adam of Keras 2.3 is not reproducible in a
graph) is not what is compared.
"""
from __future__ import absolute_import, division, print_function

import collections

import numpy as np

from bert4keras.release.families import is_transposed, strip_transposed
from parity.measure import RELATIVE

RATE = 2.0 ** 20  # a power of two: dividing by it is exact
SGD_RATE = 0.25  # far enough that the weights' own rounding is small beside it
# epsilon is that of BERT's own optimizer: gradients below it, such as the mathematically zero one of a key's
# bias, move nothing, where Adam with a tiny epsilon would amplify their rounding to whole steps
ADAM_RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-6


def sgd(state, step, gradient):
    """The change of a weight by plain SGD."""
    return -SGD_RATE * gradient


def adam(state, step, gradient):
    """The change of a weight by Adam (https://arxiv.org/abs/1412.6980), both moments corrected."""
    first, second = state.get('moments', (0.0, 0.0))
    first = BETA_1 * first + (1 - BETA_1) * gradient
    second = BETA_2 * second + (1 - BETA_2) * gradient ** 2
    state['moments'] = first, second
    return -ADAM_RATE * (first / (1 - BETA_1 ** step)) / (np.sqrt(second / (1 - BETA_2 ** step)) + EPSILON)


def adam_of_keras(state, step, gradient):
    """The change of a weight by Keras' Adam, which adds epsilon before it corrects the moments."""
    corrected = np.sqrt(1 - BETA_2 ** step)
    adam(state, step, gradient)
    first, second = state['moments']
    return -ADAM_RATE * corrected / (1 - BETA_1 ** step) * first / (np.sqrt(second) + EPSILON)


class Trainer(object):
    """Trains a Keras model of the MLM probabilities on one batch.

    Args:
        keras: the Keras module that the model belongs to.
        model: Keras model of [token ids, segment ids] to probabilities [B, T, V], without dropout.
        names: {layer name: Google's names of its weights, in order, ".T" for transposed}.
        batch, labels: see `questions.Question`.
    """

    def __init__(self, keras, model, names, batch, labels):
        ops = getattr(keras, 'ops', keras.backend)
        self.keras, self.model, self.batch, self.labels = keras, model, list(batch), labels
        named = {id(weight): name for layer, layer_names in names.items()
                 for weight, name in zip(model.get_layer(layer).weights, layer_names)}
        self.names = [named[id(weight)] for weight in model.weights]
        self.loss = lambda y, p: -ops.sum(y * ops.log(p), axis=-1)
        model.compile(keras.optimizers.SGD(RATE), self.loss)

    def read(self):
        """OrderedDict {Google's name: float64 array} of the weights."""
        return collections.OrderedDict(
            (strip_transposed(name), np.asarray(value.T if is_transposed(name) else value, 'float64'))
            for name, value in zip(self.names, self.model.get_weights()))

    def write(self, values):
        """Sets the weights to what `read` returned, changed or not."""
        arrays = [values[strip_transposed(name)].astype('float32') for name in self.names]
        self.model.set_weights([array.T if is_transposed(name) else array
                                for name, array in zip(self.names, arrays)])

    def gradients(self, values):
        """{Google's name: float64 array}, the gradient of the loss at these weights."""
        self.write(values)
        self.model.train_on_batch(self.batch, self.labels)
        after = self.read()
        return {name: (values[name] - after[name]) / RATE for name in values}

    def train(self, start, rule, steps=10):
        """The weights after some steps of a rule, `sgd` or `adam`, from the weights `start`."""
        values, states = start, {name: {} for name in start}
        for step in range(1, steps + 1):
            gradients = self.gradients(values)
            values = collections.OrderedDict(
                (name, np.float64(np.float32(value + rule(states[name], step, gradients[name]))))
                for name, value in values.items())
        return values

    def train_by_keras(self, start, steps=10):
        """The weights after some steps of this Keras' own Adam; `gradients` is of no use afterwards."""
        self.write(start)
        optimizer = self.keras.optimizers.Adam(ADAM_RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)
        self.model.compile(optimizer, self.loss)
        for _ in range(steps):
            self.model.train_on_batch(self.batch, self.labels)
        return self.read()

    def answer(self):
        """The part of an answer that is about training; see questions.py."""
        start = self.read()
        answer = collections.OrderedDict()
        for what, values in (('gradient', self.gradients(start)), ('10 SGD steps', self.train(start, sgd)),
                             ('10 Adam steps', self.train(start, adam))):
            for name in start:
                answer['%s (%s)' % (name, what)] = values[name].astype('float32')
        self.write(start)
        return answer


def scale(values, name, what):
    """What an error is measured by: the largest element of the gradient, or of how far the weight went.

    The gradient of a key's bias is 0 except for rounding, because the softmax does not change when all scores
    of a row do; so it is at least a hundredth of the largest of all variables. Adam goes a step's length
    whatever the gradient's size.
    """
    if what == '10 Adam steps':
        return 10 * ADAM_RATE
    sizes = {other: np.abs(value).max() for other, value in values.items() if other.endswith('(%s)' % what)}
    return float(max(sizes['%s (%s)' % (name, what)], 0.01 * max(sizes.values())))


def moved(start, answer):
    """Of an answer, how far each trained weight went from `start`; gradients as they are."""
    return {key: value - (0 if key.endswith('(gradient)') else start[key.split(' (')[0]])
            for key, value in answer.items() if ' (' in key}


def allowed(name, what):
    """The tolerance, relative to `scale`.

    Adam divides a gradient by its size. Where that is hardly above its own rounding error (1e-7 beside an
    epsilon of 1e-6), two right gradients take different parts of a step, so 1e-2 is what can be asked,
    and less for the bias of a key, whose gradient is nothing but rounding error. What is wrong shows in
    the gradients and in the steps of SGD.
    """
    if what != '10 Adam steps':
        return RELATIVE
    return 0.1 if name.endswith('key/bias') else 0.01
