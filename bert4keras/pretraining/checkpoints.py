# -*- coding: utf-8 -*-
"""The state of a training, in files that are whole or absent: checkpoint-00000100.npz is that after 100 steps.

It is an .npz file of NumPy with the model's weights by Google's names, under `weights/`, what the optimizer remembers
under `optimizer/`, in its own order, and the step. There is nothing else to a state: batches, masks and dropout are
functions of the seed and the step. `settings.json` beside it says what the training was begun with.
"""
from __future__ import absolute_import, division, print_function

import json
import os
import re
import struct
import zipfile
import zlib

import numpy as np

from bert4keras.errors import CheckpointError, some
from bert4keras.files import MAX_JSON, read_regular_file, whole_file

__all__ = ['SETTINGS', 'State', 'check_settings', 'checkpoints', 'load_state', 'remove_old', 'save_state']

SETTINGS, NAME = 'settings.json', 'checkpoint-%08d.npz'
_OURS = re.compile(r'checkpoint-(\d{8,})\.npz\Z')
_DAMAGE = (ValueError, KeyError, EOFError, zipfile.BadZipfile, zlib.error, struct.error)


class State(object):
    """What there is to a training after some steps.

    Attributes:
        step: int, the number of updates so far.
        weights: dict {Google's name: array}.
        optimizer: list of arrays.
    """

    def __init__(self, step, weights, optimizer):
        self.step, self.weights, self.optimizer = step, weights, optimizer


def checkpoints(directory):
    """The steps of which there is a checkpoint, in ascending order."""
    found = [_OURS.match(name) for name in os.listdir(directory)]
    return sorted(int(match.group(1)) for match in found if match)


def save_state(directory, state):
    """Writes a State; returns its path."""
    path = os.path.join(directory, NAME % state.step)
    arrays = {'weights/' + name: value for name, value in state.weights.items()}
    arrays.update(('optimizer/%06d' % index, value) for index, value in enumerate(state.optimizer))
    with whole_file(path) as stream:
        np.savez(stream, step=np.array(state.step), **arrays)
    return path


def load_state(directory, step):
    """The State after `step` steps.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = os.path.join(directory, NAME % step)
    try:
        with open(path, 'rb') as stream:
            arrays = dict(np.load(stream, allow_pickle=False).items())
        if int(arrays.pop('step')) != step:
            raise ValueError('it says another step')
    except _DAMAGE as problem:
        raise CheckpointError('%s is damaged (%s): remove it to go on from the checkpoint before it' % (path, problem))
    parts = {part: {name[len(part):]: arrays[name] for name in arrays if name.startswith(part)}
             for part in ('weights/', 'optimizer/')}
    return State(step, parts['weights/'], [parts['optimizer/'][name] for name in sorted(parts['optimizer/'])])


def remove_old(directory, keep):
    """Removes all checkpoints but the newest `keep`."""
    for step in checkpoints(directory)[:-keep]:
        os.remove(os.path.join(directory, NAME % step))


def check_settings(directory, settings, replaced=()):
    """Writes down what a training is begun with; for one that goes on, checks that it is the same.

    Args:
        directory: of the training.
        settings: dict that JSON can hold.
        replaced: names of what a training replaces in its directory, and which may be there only if it is one's.

    Raises:
        ValueError: it is not; the message has both values. Or what is there is of no training.
    """
    path = os.path.join(directory, SETTINGS)
    settings = json.loads(json.dumps(settings))
    if not os.path.exists(path):
        names = [NAME % step for step in checkpoints(directory)] + sorted(set(replaced) & set(os.listdir(directory)))
        if names:
            raise ValueError('%s has %s, but no %s that says of what training; give another --output'
                             % (directory, some(names), SETTINGS))
        with whole_file(path) as stream:
            stream.write((json.dumps(settings, indent=1, sort_keys=True) + '\n').encode('utf-8'))
        return
    try:
        known = json.loads(read_regular_file(path, MAX_JSON).decode('utf-8'))
    except ValueError as problem:
        raise ValueError('%s is damaged (%s); give another --output' % (path, problem))
    known, settings = dict(_leaves(known)), dict(_leaves(settings))
    other = ['%s %r, not %r' % (name, known.get(name), settings.get(name))
             for name in sorted(set(known) | set(settings)) if known.get(name) != settings.get(name)]
    if other:
        raise ValueError('the training in %s was begun with %s; go on as it was, or give another --output, and the '
                         'release of this one as --from to start from its weights' % (directory, some(other)))


def _leaves(value, name=''):
    """Yields (name, value) of what JSON holds; the parts of a name are keys, and places from 1 on in lists."""
    if not isinstance(value, (dict, list)):
        yield name, value
        return
    for key, part in (value.items() if isinstance(value, dict) else enumerate(value, 1)):
        for leaf in _leaves(part, ('%s %s' % (name, key)).strip()):
            yield leaf
