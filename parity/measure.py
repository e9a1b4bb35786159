# -*- coding: utf-8 -*-
"""How two implementations are compared: max |difference| against what rounding alone explains.

The floor of a tensor is the distance of a float32 NumPy run from the float64 one, for the same weights
and ids, or that of a layer before it if that is larger. A float32 implementation may be off by 4 times
that and never by more than 1e-5 (2e-5 on the hidden states of real weights), because two right ones sum
in different orders. Probabilities and gradients may differ by 1e-4 of their size.
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from parity import results

RELATIVE = 1e-4


def difference(ours, theirs):
    """max |ours - theirs|, computed in float64; infinite if anything is not finite."""
    ours, theirs = np.asarray(ours, 'float64'), np.asarray(theirs, 'float64')
    if ours.shape != theirs.shape:
        raise AssertionError('shapes differ: %s and %s' % (ours.shape, theirs.shape))
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return float('inf')
    return float(np.abs(ours - theirs).max()) if ours.size else 0.0


def relative_difference(ours, theirs):
    """max |ours - theirs| / |theirs| over the elements, for what is never 0, such as probabilities."""
    theirs = np.asarray(theirs, 'float64')
    return difference(np.asarray(ours, 'float64') / theirs, np.ones_like(theirs))


def real_positions(array, token_ids):
    """The rows of an array [B, T, ...] that are no padding; other arrays as they are."""
    return array[np.asarray(token_ids) != 0] if np.ndim(array) == 3 else array


def check(what, ours, theirs, allowed, measured=None, verdict='', **details):
    """Records max |difference| and fails if it is over the tolerance.

    Args:
        what: what is compared, the tensor's name as the last word.
        ours, theirs: arrays of the same shape.
        allowed: the tolerance.
        measured: the difference, where it is another than max |ours - theirs|.
        verdict: for the failure, whose distance from the exact numbers is over.
        details: kept beside the comparison, such as peer and checkpoint.
    """
    measured = difference(ours, theirs) if measured is None else measured
    results.record(what=what, measured=float(measured), allowed=float(allowed), **details)
    assert measured <= allowed < np.inf, '%s: max |difference| %.2e, allowed %.2e. %s' % (what, measured, allowed, verdict)


def layer_outputs(model, names, ids):
    """[the first output of each named layer] of a Keras model for ids [token ids, segment ids]."""
    return layer_function(model, names)(ids)


def layer_function(model, names):
    """A function from ids to [the first output of each named layer], built once for any length."""
    return function_to(model, [model.get_layer(name).output for name in names])


def function_to(model, outputs):
    """A function from ids to [the array of each of a model's symbolic outputs, the first of a list]."""
    from bert4keras.backend import keras
    outputs = [output[0] if isinstance(output, (list, tuple)) else output for output in outputs]
    inner = keras.models.Model(model.inputs, outputs)
    return lambda ids: [np.asarray(output) for output in inner.predict_on_batch(list(ids))]


def tolerance(floor, cap=1e-5):
    """4 times the floor, at least one rounding of a number near 1, never more than `cap`."""
    return min(max(4 * floor, np.finfo('float32').eps), cap)
