# -*- coding: utf-8 -*-
"""`bert4keras.train` of releases 0.1 and 0.2: wrappers of a Keras optimizer, which become an optimizer of ours.

    PiecewiseLinearLearningRate(Adam(1e-5), {1000: 1, 2000: 0.1})
    GradientAccumulation(PiecewiseLinearLearningRate(Adam(1e-5), {1000: 1, 2000: 0.1}), steps_per_update=4)

Steps are updates here, as in all our optimizers. Then they were batches: with `steps_per_update=4` write {250: 1,
500: 0.1} for what was {1000: 1, 2000: 0.1}. Then, too, the gradients of a window changed the weights a window late.
"""
from __future__ import absolute_import, division, print_function

from bert4keras.early.text import refused
from bert4keras.optimizers.early import BertEarlyAdam, extend_with_layer_adaptation, with_settings

__all__ = ['GradientAccumulation', 'LAMB', 'OptimizerWrapper', 'PiecewiseLinearLearningRate', 'add_weight_decay_into']


def OptimizerWrapper(optimizer, **options):
    """The optimizer of ours with the settings of Keras' Adam, AdamW or SGD, and more; see `optimizers.early`.

    Raises:
        ValueError: another optimizer, or a setting that ours do not have; it is named.
    """
    return with_settings(optimizer, **options)


def PiecewiseLinearLearningRate(optimizer, schedule=None, **options):
    """`optimizer`, its rate multiplied by what straight lines between the points {updates: value} say."""
    return with_settings(optimizer, lr_schedule=schedule, **options)


def GradientAccumulation(optimizer, steps_per_update=1, **options):
    """`optimizer`, with `steps_per_update` batches for an update."""
    return with_settings(optimizer, grad_accum_steps=steps_per_update, accumulate=None, **options)


def LAMB(learning_rate=0.001, weight_decay_rate=0.01, exclude_from_weight_decay=('Norm', 'bias'), **options):
    """Adam with weight decay and layer adaptation; see `optimizers.early.BertEarlyAdam` for the arguments."""
    options.setdefault('exclude_from_layer_adaptation', exclude_from_weight_decay)
    return extend_with_layer_adaptation(BertEarlyAdam, 'LAMB')(
        learning_rate=learning_rate, weight_decay_rate=weight_decay_rate,
        exclude_from_weight_decay=exclude_from_weight_decay, **options)


add_weight_decay_into = refused(
    'add_weight_decay_into', 'give the optimizer the decay: extend_with_weight_decay(Adam)(weight_decay_rate=...), of '
    'bert4keras.optimizers, which multiplies it by the learning rate')
