# -*- coding: utf-8 -*-
"""The original albert_zh as the BERT that it computes: its two token tables multiplied, its one block repeated.

The multiplying is done here, not by `reference.forward`, which is then given a plain BERT, in float64.
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.reference import forward
from parity.questions import collect

GELUS = ('erf', 'tanh', None)
FAMILIES = ('albert_zh',)
LAYOUTS = ('tensorflow',)
TRAINS = False
EXACT = True


def layers(question):
    """What it has of a question's layers: all."""
    return question.layers()


def answers(asked):
    """One answer for each question; see questions.py."""
    return [answer(question) for question in asked]


def answer(question):
    """One answer."""
    config, variables = as_bert(question.config, question.variables())

    def run(batch):
        outputs = forward(config, variables, *batch, gelu=question.gelu)
        return [outputs[name] for name in layers(question)]
    return collect(layers(question), question, run)


def as_bert(config, variables):
    """(config, {Google's name: array}) of the BERT that an original albert_zh computes."""
    unrolled, own = {}, {'embedding_size', 'ln_type', 'model_type'}
    for name, value in variables.items():
        for index in range(config['num_hidden_layers']) if '/layer_shared/' in name else [0]:
            unrolled[name.replace('/layer_shared/', '/layer_%d/' % index)] = value
    one, two = [np.asarray(unrolled.pop('bert/embeddings/word_embeddings' + end), 'float64') for end in ('', '_2')]
    unrolled['bert/embeddings/word_embeddings'] = np.einsum('ve,ed->vd', one, two)
    return {field: value for field, value in config.items() if field not in own}, unrolled
