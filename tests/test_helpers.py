# -*- coding: utf-8 -*-
"""Tests of what the tests rest on: where the official files are, what needs no Keras, what is slow."""
from __future__ import absolute_import, division, print_function

import glob
import io
import os
import subprocess
import sys

import pytest

import bert4keras
from tests.helpers import damage
from tests.helpers.official import find_official

pytestmark = pytest.mark.engine_free
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(bert4keras.__file__)))


def test_the_official_files_are_where_the_variable_says_and_nowhere_else(monkeypatch, tmp_path):
    """BERT4KERAS_OFFICIAL gives the directory, without it there is none, and a wrong one is an error."""
    monkeypatch.setenv('BERT4KERAS_OFFICIAL', str(tmp_path))
    assert find_official() == str(tmp_path)
    for unset in (True, False):
        monkeypatch.delenv('BERT4KERAS_OFFICIAL') if unset else monkeypatch.setenv('BERT4KERAS_OFFICIAL', '')
        assert find_official() is None
    monkeypatch.setenv('BERT4KERAS_OFFICIAL', os.path.join(str(tmp_path), 'missing'))
    with pytest.raises(ValueError) as caught:
        find_official()
    assert os.path.join(str(tmp_path), 'missing') in str(caught.value)


def test_engine_free_modules_import_no_engine():
    """In a fresh process they can all be imported without Keras or an engine; conftest.py watches the tests."""
    modules = []
    for path in sorted(glob.glob(os.path.join(ROOT, '*', 'test_*.py'))):
        with io.open(path, encoding='utf-8') as stream:
            if u'\npytestmark = pytest.mark.engine_free\n' in stream.read():
                modules.append(os.path.relpath(path, ROOT)[:-len('.py')].replace(os.sep, '.'))
    assert 'tests.test_tokenizer' in modules and 'parity.test_parity_tokenizer' in modules
    code = ('import sys; sys.path[:0] = %r; import %s; '
            'print([name for name in ("keras", "tf_keras", "tensorflow", "jax", "torch") if name in sys.modules])'
            % ([ROOT, PACKAGES], ', '.join(modules)))
    assert subprocess.check_output([sys.executable, '-c', code]).strip() == b'[]'


def test_engine_free_tests_meet_no_keras():
    """What an engine_free test imports late cannot be Keras, nor one of our modules that use it."""
    with pytest.raises(ImportError):
        import keras  # noqa: F401
    with pytest.raises(ImportError):
        from bert4keras.bert import BertModel  # noqa: F401


class Item(object):
    """A test as pytest shows it, with the marks given."""

    def __init__(self, nodeid, *marks):
        self.nodeid, self.marks = nodeid, marks

    def get_closest_marker(self, name):
        return name if name in self.marks else None


class Config(object):
    """pytest's config with the options given, and its hook."""
    hook = property(lambda self: self)

    def __init__(self, *options):
        self.options = options

    def getoption(self, name):
        return name in self.options

    def pytest_deselected(self, items):
        self.left_out = items


QUICK, SLOW = Item('tests/test_cli.py::test_a'), Item('tests/test_cli.py::test_b', 'slow')
FREE, TELLING = Item('tests/test_files.py::test_c', 'engine_free'), Item('tests/test_saving.py::test_d[x]')
PARITY, BRIEF = Item('parity/test_parity_peers.py::test_e', 'slow'), Item('tests/test_saving.py::test_f', 'slow')


@pytest.mark.parametrize('options, expected', [
    ((), [FREE, QUICK, TELLING]), (('slow',), [FREE, QUICK, SLOW, TELLING, PARITY, BRIEF]),
    (('brief',), [FREE, TELLING]), (('slow', 'brief'), [FREE, TELLING, PARITY])])
def test_slow_tests_are_asked_for_and_rows_can_be_brief(options, expected):
    """What is left out is named as left out; what needs no Keras comes first, the rest as it was."""
    import conftest
    everything = [QUICK, SLOW, FREE, TELLING, PARITY, BRIEF]
    config, items = Config(*options), list(everything)
    conftest.pytest_collection_modifyitems(config, items)
    assert items == expected
    assert config.left_out == [item for item in everything if item not in expected]


def test_the_modules_of_a_brief_row_are_there():
    """Each name is that of a module of tests/."""
    import conftest
    for name in conftest.TELLING:
        assert os.path.isfile(os.path.join(ROOT, 'tests', 'test_%s.py' % name)), name


def test_memory_is_measured_within_a_context_only():
    """Tracing that goes on makes every later test of the process several times as slow."""
    memory = damage.Memory()
    with pytest.raises(KeyError), memory:
        {}[len(bytearray(3 * 10 ** 6))]
    if damage.tracemalloc is None:  # Python 2.7
        assert memory.grown == 0
    else:
        assert 3 * 10 ** 6 <= memory.grown < 4 * 10 ** 6 and not damage.tracemalloc.is_tracing()
