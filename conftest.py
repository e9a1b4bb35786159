# -*- coding: utf-8 -*-
"""What tests/ and parity/ share: the marks, what a run leaves behind, the official files, Keras' graph."""
from __future__ import absolute_import, division, print_function

import sys

import pytest

from parity import results
from tests.helpers import strategies  # noqa: F401 (sets the profile of Hypothesis)
from tests.helpers.official import MISSING, find_official


def pytest_addoption(parser):
    """--slow: what takes long, too."""
    parser.addoption('--slow', action='store_true', help='run the slow tests, too')


def pytest_configure(config):
    """Names the marks."""
    config.addinivalue_line('markers', 'slow: runs with --slow only')
    results.register(config)


def pytest_collection_modifyitems(config, items):
    """Leaves out the slow tests, unless they are asked for."""
    slow = [] if config.getoption('slow') else [item for item in items if item.get_closest_marker('slow')]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.fixture(scope='session')
def official():
    """The directory of genuine files of the official releases, or a skip where there is none."""
    return find_official() or pytest.skip(MISSING)


@pytest.fixture(autouse=True)
def fresh_graph():
    """Clears Keras' graph after each test: TensorFlow 1 has one, which grows with every model."""
    yield
    keras = getattr(sys.modules.get('bert4keras.backend'), 'keras', None)
    if keras is not None and not hasattr(keras, 'ops'):  # Keras 3 has none, and takes its time to clear it
        keras.backend.clear_session()
