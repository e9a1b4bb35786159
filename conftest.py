# -*- coding: utf-8 -*-
"""What tests/ and parity/ share: the marks, what a run leaves behind, the official files, Keras' graph."""
from __future__ import absolute_import, division, print_function

import os
import sys

import pytest

from parity import results
from tests.helpers import strategies  # noqa: F401 (sets the profile of Hypothesis)
from tests.helpers.official import MISSING, find_official


# of tests/, what another version of a Keras, of an engine or of Python has broken before
TELLING = ('bert', 'decoding', 'export', 'generators', 'heads', 'hooks', 'losses', 'optimizers', 'pretraining_devices',
           'pretraining_kills', 'pretraining_loop', 'saving', 'scripts')


def pytest_addoption(parser):
    """--slow: what is the same on every version of a Keras, too, and what takes long. --brief: what tells most."""
    parser.addoption('--slow', action='store_true', help='run the slow tests, too')
    parser.addoption('--brief', action='store_true', help='leave out what a row like another has hardly to say: run '
                     'parity/, what needs no Keras, and what is not slow of tests/ ' + ', '.join(TELLING))


def pytest_configure(config):
    """Names the marks."""
    config.addinivalue_line('markers', 'slow: runs with --slow only')
    config.addinivalue_line('markers', 'engine_free: for whole modules whose tests need no Keras, so that one run in '
                            'each environment is enough (tests/test_helpers.py keeps them to it)')
    results.register(config)


def pytest_collection_modifyitems(config, items):
    """Leaves out the slow tests, unless they are asked for, and with --brief what tells little.

    What needs no Keras comes first: it makes processes by fork, which may hang once TensorFlow has threads.
    """
    left_out = [item for item in items if item.get_closest_marker('slow') and not config.getoption('slow')
                or config.getoption('brief') and not is_telling(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = sorted((item for item in items if item not in left_out),
                      key=lambda item: not item.get_closest_marker('engine_free'))


def is_telling(item):
    """Whether a test runs with --brief: of those of tests/ no slow one does."""
    path = item.nodeid.split('::')[0]
    return (path.startswith('parity/') or item.get_closest_marker('engine_free')
            or not item.get_closest_marker('slow') and path in ['tests/test_%s.py' % name for name in TELLING])


@pytest.fixture(scope='session')
def official():
    """The directory of genuine files of the official releases, or a skip where there is none."""
    return find_official() or pytest.skip(MISSING)


@pytest.fixture(scope='session', autouse=True)
def no_waiting_for_the_disk():
    """Lets no write of this process wait until the disk has it: no test pulls the plug, and it took minutes."""
    fsync, os.fsync = os.fsync, lambda descriptor: None
    yield
    os.fsync = fsync


@pytest.fixture(autouse=True)
def no_keras(request, monkeypatch):
    """Keeps Keras, and our modules that use it, from being imported by a test that is marked engine_free."""
    if request.node.get_closest_marker('engine_free'):
        for name in ('keras', 'tf_keras', 'bert4keras.backend', 'bert4keras.layers', 'bert4keras.bert'):
            monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture(autouse=True)
def fresh_graph(no_keras):
    """Clears Keras' graph after each test that may use it: TensorFlow 1 has one, which grows with every model."""
    yield
    keras = getattr(sys.modules.get('bert4keras.backend'), 'keras', None)
    if keras is not None and not hasattr(keras, 'ops'):  # Keras 3 has none, and takes its time to clear it
        keras.backend.clear_session()
