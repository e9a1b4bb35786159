# -*- coding: utf-8 -*-
"""What every test may use: a release made once, and the tolerance of DESIGN's numerics."""
from __future__ import absolute_import, division, print_function

import os
import sys

import pytest

import results
import strategies  # noqa: F401 (sets the profile of Hypothesis)
from releases import CONFIG, make_release

if 'BERT4KERAS_ROW' not in os.environ:
    # Half of the time here is JAX's, compiling models of which each runs once. The rows of tox.ini, which
    # are the proof, compile with every optimisation.
    os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')


def pytest_configure(config):
    """Names the mark of what the rows of tox.ini run and the README's five minutes leave out."""
    config.addinivalue_line('markers', 'slow: only in the rows of tox.ini')
    results.register(config)


@pytest.fixture(scope='session')
def release(tmp_path_factory):
    """(directory, config, variables) of a whole BERT in Google's layout, of odd sizes."""
    directory = tmp_path_factory.mktemp('release')
    vocab = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
    vocab += ['word%d' % number for number in range(CONFIG['vocab_size'] - len(vocab))]
    config, variables = make_release(directory, num_hidden_layers=2, vocab=vocab)
    return str(directory), config, variables


@pytest.fixture(scope='session')
def official():
    """The directory of genuine files of the official releases, or a skip where there is none."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'shared', 'official')
    if not os.path.isdir(path):
        pytest.skip('the files of the official releases are not here')
    return path


@pytest.fixture(autouse=True)
def fresh_graph():
    """Clears Keras' graph behind every test: TensorFlow 1 has one, which grows with every model."""
    yield
    keras = getattr(sys.modules.get('bert4keras.backend'), 'keras', None)
    if keras is not None and not hasattr(keras, 'ops'):  # Keras 3 has none, and takes its time to clear it
        keras.backend.clear_session()
