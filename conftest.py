# -*- coding: utf-8 -*-
"""What tests/ and parity/ share: the marks, what a run leaves behind, the official files, Keras' graph."""
from __future__ import absolute_import, division, print_function

import sys

import pytest

from parity import results
from tests.helpers import strategies  # noqa: F401 (sets the profile of Hypothesis)
from tests.helpers.official import MISSING, find_official


def pytest_configure(config):
    """Names the mark of what the rows of tox.ini run and the README's five minutes leave out."""
    config.addinivalue_line('markers', 'slow: only in the rows of tox.ini')
    results.register(config)


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
