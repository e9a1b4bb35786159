# -*- coding: utf-8 -*-
"""The directories and numbers of sentence-transformers that parity/record_sentences.py recorded."""
from __future__ import absolute_import, division, print_function

import io
import json
import os
import shutil

import numpy as np

RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'parity', 'recorded',
                        'sentence-transformers.npz')
CASES = ['cls', 'dense', 'lasttoken', 'max', 'mean', 'mean_sqrt_len_tokens', 'multilingual', 'prompts',
         'prompts-pooled', 'residual', 'truncated', 'weightedmean', 'xlm-roberta']
CROSS_CASES = ['cross-identity', 'cross-one', 'cross-three', 'cross-xlm']
WITH_WEIGHTS = ['xlm-roberta'] + CROSS_CASES


def read_recorded():
    """{name: array} of the file."""
    with np.load(RECORDED) as arrays:
        return {name: arrays[name] for name in arrays.files}


def write_directories(recorded, root, cases):
    """Writes the recorded directories of these cases, each with its weights, into `root`."""
    for case in cases:
        weights = {'cross-identity': 'cross-one'}.get(case, case if case in WITH_WEIGHTS else 'mean')
        for name in recorded:
            for source, start in ((weights, weights + '/files/model.safetensors'), (case, case + '/files/')):
                if name.startswith(start):
                    path = os.path.join(root, case, name[len(source) + len('/files/'):])
                    if not os.path.isdir(os.path.dirname(path)):
                        os.makedirs(os.path.dirname(path))
                    with io.open(path, 'wb') as stream:
                        stream.write(recorded[name].tobytes())
    return root


def write_json(path, value):
    """Writes JSON."""
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps(value))


def read_json(path):
    """Reads JSON."""
    with io.open(path, encoding='utf-8') as stream:
        return json.load(stream)


def copy_changed(source, target, name, **fields):
    """Copies a directory, with other fields in one of its JSON files, and returns its path."""
    shutil.copytree(source, target)
    path = os.path.join(target, name)
    write_json(path, dict(read_json(path) if os.path.exists(path) else {}, **fields))
    return target
