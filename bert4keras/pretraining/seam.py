# -*- coding: utf-8 -*-
"""The third seam: what training needs of an engine, beside its tensors and its optimizers.

Random numbers that are a function of a seed in the graph, so that dropout has no state; and all that an optimizer
remembers. devices.py, its other half, has several devices.
"""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.backend import keras, kops

__all__ = ['optimizer_variables', 'uniform']

_IS_JAX = keras.backend.backend() == 'jax'

if backend.IS_KERAS_3:
    class _Given(keras.random.SeedGenerator):
        """What Keras takes a seed from; it has no state, and gives the one that it was made with."""

        def __init__(self, seed):
            self.seed = kops.cast(seed, 'uint32' if _IS_JAX else 'int32')

        def next(self, ordered=True):
            return self.seed

    def uniform(shape, seed):
        """float32 numbers in [0, 1): a function of the seed, two ints in a tensor [2], and of the engine."""
        return keras.random.uniform(shape, dtype='float32', seed=_Given(seed))
else:
    import tensorflow as tf

    def uniform(shape, seed):
        return tf.random.stateless_uniform(shape, seed)


def optimizer_variables(optimizer):
    """All variables of an optimizer of ours that took a step, those of what Keras put around it for float16 too."""
    inner = getattr(optimizer, 'inner_optimizer', optimizer)
    found = list(inner._own_variables())
    if inner is not optimizer:
        around = getattr(optimizer, 'variables', None) or optimizer.weights
        around = list(around() if callable(around) else around)
        scale = getattr(optimizer, '_loss_scale', None)  # of tf.keras, which has it among no variables
        around += [] if scale is None else [scale.current_loss_scale, scale.counter]
        known = {id(variable) for variable in found}
        found += [variable for variable in around if id(variable) not in known]
    return found
