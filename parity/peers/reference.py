# -*- coding: utf-8 -*-
"""The formulas in float64, with the interface of a peer: the tie-breaker when two implementations differ."""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.reference import forward
from parity.questions import collect


def answer(question, dtype='float64'):
    """The outputs in float64, or in float32 to learn what rounding alone does; see questions.py."""
    names, variables = layers(question), question.variables()

    def run(batch):
        outputs = forward(question.config, variables, *batch, gelu=question.gelu, dtype=dtype)
        return [outputs[name] for name in names]
    return collect(names, question, run)


def layers(question):
    """The layers that are compared with float64: for a strict question, each that the formulas have."""
    return every_layer(question) if question.strict else question.layers()


def every_layer(question):
    """The layers that the formulas have of a question, in their order."""
    return list(forward(question.config, question.variables(), *question.batches[-1], gelu=question.gelu))


def loss(question, variables):
    """The MLM loss of a question's last batch, float64, with the weights {Google's name: array}."""
    outputs = forward(question.config, variables, *question.batches[-1], gelu=question.gelu)
    labels = question.labels()
    return float(-(labels * np.log(outputs['MLM-Proba'])).sum(axis=-1).mean())


def slope(question, name, direction, step=1e-5):
    """The derivative of the MLM loss along a direction of one variable, by central differences."""
    variables = dict(question.variables())
    start = np.asarray(variables[name], 'float64')
    losses = [loss(question, dict(variables, **{name: start + sign * step * direction})) for sign in (1, -1)]
    return (losses[0] - losses[1]) / (2 * step)
