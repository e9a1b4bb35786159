# -*- coding: utf-8 -*-
"""Chance without a state: every number is a function of what it is for, such as (seed, epoch, row).

So a run that is resumed, and any number of machines, see the same rows with the same masks, and nothing is stored. The
mixing function is that of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
"""
from __future__ import absolute_import, division, print_function

import numpy as np

__all__ = ['below', 'hashed', 'permuted', 'uniform']

_GAMMA, _FIRST, _SECOND = [np.array([value], 'uint64') for value in (
    0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb)]
_ROUNDS = 6


def _mixed(values):
    """uint64 array of the same shape (one axis at least), in which every bit depends on every bit."""
    values = (values ^ values >> _of(30)) * _FIRST
    values = (values ^ values >> _of(27)) * _SECOND
    return values ^ values >> _of(31)


def _of(values):
    """As uint64, with one axis at least: NumPy warns of scalars that overflow, which is what is meant here."""
    return np.atleast_1d(np.asarray(values).astype('uint64'))


def hashed(*parts):
    """A random uint64 for each tuple of whole numbers from 0 on.

    Args:
        parts: ints, or arrays of int that can be broadcast.

    Returns:
        uint64 array of the shape that they are broadcast to, [1] for ints only.
    """
    values = _GAMMA
    for part in parts:
        values = _mixed((values ^ _of(part)) + _GAMMA)
    return values


def uniform(values):
    """Hashes as float64 from 0 to below 1."""
    return (values >> _of(11)).astype('float64') * 2. ** -53


def below(values, bound):
    """Hashes as int64 from 0 to below a bound, which is far below 2 ** 63."""
    return (values % _of(bound)).astype('int64')


def permuted(places, count, *key):
    """What comes at some places of an order of 0 ... count - 1, which there is no need to compute as a whole.

    A Feistel network on as many bits as it takes, applied again where it leads to `count` or more.

    Args:
        places: array of int [B], from 0 to count - 1.
        count: int, at least 1.
        key: ints or arrays of int [B], such as a seed and an epoch, of which each tuple has an order of its own.

    Returns:
        int64 array [B], from 0 to count - 1.
    """
    half = max(1, (int(count - 1).bit_length() + 1) // 2)
    keys = hashed(*key)
    values, keys = np.broadcast_arrays(_of(places), keys)
    values, keys = _feistel(values, keys, half), keys
    while True:
        outside = values >= _of(count)
        if not outside.any():
            return values.astype('int64')
        values[outside] = _feistel(values[outside], keys[outside], half)


def _feistel(values, keys, half):
    """A permutation of the numbers of 2 * half bits, for each key."""
    mask = _of((1 << half) - 1)
    left, right = values >> _of(half), values & mask
    for number in range(_ROUNDS):
        left, right = right, left ^ (hashed(keys, right, number) & mask)
    return left << _of(half) | right
