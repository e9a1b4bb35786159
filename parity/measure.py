# -*- coding: utf-8 -*-
"""How two implementations are compared: max |difference| against what rounding alone explains.

The floor of a tensor is the distance of a float32 NumPy run from the float64 one, for the same weights
and ids. A float32 implementation may be off by 4 times that and never by more than 1e-5 (2e-5 on the
hidden states of real weights), because two right ones sum in different orders.
"""
from __future__ import absolute_import, division, print_function

import numpy as np

MEASURED = []  # (what, max |difference|, tolerance) of every comparison of this run


def difference(ours, theirs):
    """max |ours - theirs|, computed in float64; infinite if anything is not finite."""
    ours, theirs = np.asarray(ours, 'float64'), np.asarray(theirs, 'float64')
    if ours.shape != theirs.shape:
        raise AssertionError('shapes differ: %s and %s' % (ours.shape, theirs.shape))
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return float('inf')
    return float(np.abs(ours - theirs).max()) if ours.size else 0.0


def real_positions(array, token_ids):
    """The rows of an array [B, T, ...] that are no padding; other arrays as they are."""
    return array[np.asarray(token_ids) != 0] if np.ndim(array) == 3 else array


def check(what, ours, theirs, allowed):
    """Records max |difference| and fails if it is over the tolerance."""
    measured = difference(ours, theirs)
    MEASURED.append((what, measured, allowed))
    assert measured <= allowed, '%s: max |difference| %.2e, allowed %.2e' % (what, measured, allowed)


def layer_outputs(model, names, ids):
    """[the first output of each named layer] of a Keras model for ids [token ids, segment ids]."""
    from bert4keras.backend import keras
    outputs = [model.get_layer(name).output for name in names]
    outputs = [output[0] if isinstance(output, (list, tuple)) else output for output in outputs]
    return keras.models.Model(model.inputs, outputs).predict(ids)


def tolerance(floor, cap=1e-5):
    """4 times the floor, at least one rounding of a number near 1, never more than `cap`."""
    return min(max(4 * floor, np.finfo('float32').eps), cap)
