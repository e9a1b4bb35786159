# -*- coding: utf-8 -*-
"""The implementations that ours is compared with, one module each, with one interface.

    NAME              what people call it
    GELUS             the values of `Question.gelu` that it can compute
    TRAINS            whether it answers questions that train
    missing()         why it is not in this row, or None
    heads(layers)     which of the heads among these layers it gives
    answers(asked)    one answer for each of a list of questions; see questions.py

`ours` and `reference` are not in PEERS: they are what is compared, and what breaks a tie.
"""
from __future__ import absolute_import, division, print_function

PEERS = ('keras_bert', 'google', 'hugging_face', 'keras_hub', 'recorded')
