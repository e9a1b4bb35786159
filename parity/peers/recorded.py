# -*- coding: utf-8 -*-
"""What keras-bert said once, in ../recorded: for rows where no TensorFlow exists, and against time.

`python -m parity.record` writes the files; they hold the fingerprint of the question and the versions.
"""
from __future__ import absolute_import, division, print_function

import collections
import os

import numpy as np


GELUS = ('erf', 'tanh')
FAMILIES = ('bert',)
LAYOUTS = ('tensorflow',)
TRAINS = True
EXACT = False
DIRECTORY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'recorded')


def path(question):
    """The file of a question's answer."""
    return os.path.join(DIRECTORY, question.name.replace(' ', '-') + '.npz')


def layers(question):
    """What it has of a question's layers: all."""
    return question.layers()


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
