# -*- coding: utf-8 -*-
"""The peer bert4keras 0.11.5 (https://pypi.org/project/bert4keras/), the last of the releases that ours is named after.

It has the name of our package, so it lies in a directory of its own, `results.EARLY`, and early_script.py runs on it in
a process of its own. That process cannot train by `training.Trainer`, which imports ours; what its optimizers do is
compared in test_parity_early.py. The norms of its ALBERT have an epsilon of 1e-7 where Google's have 1e-12.
"""
from __future__ import absolute_import, division, print_function

import io
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

from bert4keras.release.directory import find_release
from parity import questions, results

GELUS = ('erf', 'tanh')
FAMILIES = ('bert', 'albert')
LAYOUTS = ('tensorflow',)
TRAINS = False
EXACT = False


def layers(question):
    """All of a question's layers."""
    return question.layers()


def answers(asked):
    """One answer for each question; see questions.py."""
    found = in_another_process([task(question) for question in asked])
    return [answer(question, arrays) for question, arrays in zip(asked, found)]


def task(question):
    """What early_script.py is to do for a question."""
    names, family = layers(question), question.config['model_type']
    return {'do': 'outputs', 'layers': [place(name, family) for name in names], 'gelu': question.gelu,
            'batches': [[ids.tolist() for ids in batch] for batch in question.batches],
            'config_path': find_release(question.directory).config_path, 'checkpoint_path': question.checkpoint,
            'model': family, 'hidden_act': 'gelu', 'hidden_dropout_prob': 0.0, 'attention_probs_dropout_prob': 0.0,
            'with_pool': 'Pooler-Dense' in names, 'with_nsp': 'NSP-Proba' in names, 'with_mlm': 'MLM-Proba' in names}


def place(name, family):
    """[its layer, which call of it] of a layer of ours."""
    if not name.startswith('Encoder-'):
        return ['MLM-Activation' if name == 'MLM-Proba' else name, 0]
    index, part = int(name.split('-')[1]) - 1, name.split('-', 2)[2]
    return ['Transformer-' + part, index] if family == 'albert' else ['Transformer-%d-%s' % (index, part), 0]


def answer(question, arrays):
    """The answer of what `outputs` of early_script.py returned."""
    names, numbers = layers(question), iter(range(len(question.batches)))

    def run(batch):
        number = next(numbers)
        return [arrays['%d %d' % (layer, number)] for layer in range(len(names))]
    return questions.collect(names, question, run)


def in_another_process(tasks):
    """[arrays of each task], of early_script.py on bert4keras 0.11.5."""
    directory = tempfile.mkdtemp()
    paths = [os.path.join(directory, name) for name in ('tasks.json', 'arrays.npz')]
    with io.open(paths[0], 'wb') as stream:
        stream.write(json.dumps(tasks).encode('ascii'))
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'early_script.py')
    subprocess.check_call([sys.executable, script, results.EARLY] + paths)
    with np.load(paths[1]) as arrays:
        assert str(arrays['version']) == results.version('bert4keras'), 'this ran on another bert4keras'
        keys = [key.split(' ', 1) for key in arrays.files if key != 'version']
        found = [{} for _ in tasks]
        for number, key in keys:
            found[int(number)][key] = arrays['%s %s' % (number, key)]
    return found
