# -*- coding: utf-8 -*-
"""The formulas of the optimizers: pure functions of tensors, the same on every Keras.

g gradient, w variable, m and v the moving averages of g and g^2, t the number of the update, from 1.
Tensors of one variable have one shape and dtype; t and rate are scalars, the other arguments are numbers.
"""
from __future__ import absolute_import, division, print_function

import math
import re

from bert4keras import backend
from bert4keras.backend import kops

__all__ = ['adam', 'adamw', 'clip', 'decays', 'keras_correction', 'lamb', 'layer_factors', 'moments', 'moving_average',
           'unbiased_moving_average']


def norm(tensor):
    """The square root of the sum of squares, a scalar."""
    return kops.sqrt(kops.sum(kops.square(tensor)))


def clip(gradients, clipnorm=None, global_clipnorm=None):
    """Gradients made shorter where they are longer than allowed.

    Args:
        gradients: list of tensors.
        clipnorm: number or None, the greatest norm of each.
        global_clipnorm: number or None, the greatest norm of all of them as one vector.

    Returns:
        list of tensors.
    """
    if clipnorm is not None:
        gradients = [g * (clipnorm / kops.maximum(norm(g), clipnorm)) for g in gradients]
    if global_clipnorm is not None:
        total = kops.sqrt(sum(kops.cast(kops.sum(kops.square(g)), 'float32') for g in gradients))
        scale = global_clipnorm / kops.maximum(total, global_clipnorm)
        gradients = [g * kops.cast(scale, backend.dtype_name(g)) for g in gradients]
    return gradients


def moments(g, slots, beta_1, beta_2):
    """The slots {'m', 'v'}, and 'vhat' (amsgrad's largest v so far) where there is one, after a gradient."""
    new = {'m': beta_1 * slots['m'] + (1.0 - beta_1) * g,
           'v': beta_2 * slots['v'] + (1.0 - beta_2) * kops.square(g)}
    if 'vhat' in slots:  # https://openreview.net/forum?id=ryQu7f-RZ
        new['vhat'] = kops.maximum(slots['vhat'], new['v'])
    return new


def weight_so_far(beta, t):
    """1 - beta^t, the sum of the weights in a moving average that began at 0."""
    # by expm1, because 1 - 0.999^t in float32 is wrong in the fifth digit
    return -kops.expm1(t * math.log(max(beta, 1e-30)))


def unbiased(average, beta, t):
    """A moving average that began at 0, as if it had not."""
    return average / kops.cast(weight_so_far(beta, t), backend.dtype_name(average))


def keras_correction(t, beta_1, beta_2):
    """What Keras multiplies the rate of a step without bias_correction by."""
    return kops.sqrt(weight_so_far(beta_2, t)) / weight_so_far(beta_1, t)


def adam(slots, t, beta_1, beta_2, epsilon, bias_correction=True):
    """Adam's step at a rate of 1 (https://arxiv.org/abs/1412.6980), from slots that know the gradient.

    mhat / (sqrt(vhat) + epsilon), as in the paper and PyTorch. Keras adds its epsilon to the root of the
    biased v, so that the same number means up to 31 times more there. Without bias_correction m and v stand
    for mhat and vhat: Google's Adam for BERT.
    """
    m, v = slots['m'], slots.get('vhat', slots['v'])
    if bias_correction:
        m, v = unbiased(m, beta_1, t), unbiased(v, beta_2, t)
    return m / (kops.sqrt(v) + epsilon)


def adamw(w, step, rate, weight_decay):
    """w after a step with decoupled decay (https://arxiv.org/abs/1711.05101)."""
    return w - kops.cast(rate, backend.dtype_name(w)) * decayed(w, step, weight_decay)


def lamb(w, step, rate, weight_decay):
    """w after a step of LAMB (https://arxiv.org/abs/1904.00962), as long as w itself at a rate of 1.

    The decay is part of what is scaled, as in the paper; where w or the step is 0 nothing is scaled.
    """
    step = decayed(w, step, weight_decay)
    length, size = norm(w), norm(step)
    ratio = kops.where(kops.logical_and(length > 0, size > 0), length / kops.maximum(size, 1e-30), 1.0)
    return w - kops.cast(rate, backend.dtype_name(w)) * ratio * step


def decayed(w, step, weight_decay):
    """The step with the decay added."""
    return step + weight_decay * w if weight_decay else step


def moving_average(average, w, momentum, t):
    """The average of w over updates; the first w is the first average."""
    momentum = momentum * kops.cast(t > 1, backend.dtype_name(w))
    return momentum * average + (1.0 - momentum) * w


def unbiased_moving_average(average, w, momentum, t):
    """The average of w over updates, each worth momentum times the next one: that of one that began at 0, unbiased."""
    share = (1.0 - momentum) / weight_so_far(momentum, t)
    return average + kops.cast(share, backend.dtype_name(w)) * (w - average)


def decays(paths, excluded):
    """Which weights decay: those with none of the strings `excluded` in their paths.

    Returns:
        (list of bool, one for each path; list of those of `excluded` that are in no path).
    """
    return ([not any(one in path for one in excluded) for path in paths],
            [one for one in excluded if not any(one in path for path in paths)])


def layer_factors(paths, layer_decay):
    """What each rate is multiplied by: 1 in heads, layer_decay in the last block, less and less down to embeddings."""
    numbers = [re.search(r'Encoder-(\d+)-', path) for path in paths]
    numbers = [int(found.group(1)) if found else 0 if 'Embedding-' in path else None
               for found, path in zip(numbers, paths)]
    last = max([number for number in numbers if number is not None] or [0])
    return [1.0 if number is None else layer_decay ** (last + 1 - number) for number in numbers]
