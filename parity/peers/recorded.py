# -*- coding: utf-8 -*-
"""What keras-bert said once, in ../recorded: for rows where no TensorFlow exists, and against time.

`python -m parity.record` writes the files; they hold the fingerprint of the question and the versions.
"""
from __future__ import absolute_import, division, print_function

import collections
import os

import numpy as np

from parity.questions import HEADS

NAME = 'keras-bert, recorded'
GELUS = ('erf', 'tanh')
TRAINS = True
DIRECTORY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'recorded')


def path(question):
    """The file of a question's answer."""
    return os.path.join(DIRECTORY, question.name.replace(' ', '-') + '.npz')


def missing():
    """Why the peer is not here: it always is."""
    return None


def heads(layers):
    """The heads it has of these: all."""
    return [name for name in HEADS if name in layers]


def answers(asked):
    """The recorded answer for each question, None where none was recorded."""
    return [answer(question) if os.path.exists(path(question)) else None for question in asked]


def answer(question):
    """One recorded answer; ValueError if it is of another question."""
    with np.load(path(question)) as arrays:
        if arrays['fingerprint'].item() != question.fingerprint():
            raise ValueError('%s answers another question: python -m parity.record' % path(question))
        return collections.OrderedDict((key, arrays[key]) for key in arrays.files
                                       if key not in ('fingerprint', 'versions'))
