# -*- coding: utf-8 -*-
"""Scripts in the manner of bert4keras 0.1 to 0.11 run: on Keras 2.3 as they are, on Keras 3 by the README's table."""
from __future__ import absolute_import, division, print_function

import io
import os
import re
import types

import numpy as np
import pytest

from bert4keras.backend import IS_KERAS_3, keras
from tests.helpers.releases import ALBERT_CONFIG, VOCABULARY, make_release
from tests.scripts import first_releases, last_releases, replacements

ROW = os.environ.get('BERT4KERAS_ROW')
# what differs between the other rows is tested elsewhere
ROWS_OF_2019 = ('keras231-tf113', 'keras231-tf115')
ROWS_OF_2022 = ('keras231-tf115', 'tfkeras-tf22', 'keras3-torch')
IS_KERAS_2_3 = keras.__name__ == 'keras' and not IS_KERAS_3


@pytest.fixture(scope='module')
def paths(tmp_path_factory):
    """Paths of a BERT and an ALBERT of one block or two, and of files to write."""
    folder = tmp_path_factory.mktemp('scripts')
    make_release(folder, num_hidden_layers=1, vocab=VOCABULARY)
    make_release(folder, config=ALBERT_CONFIG, num_hidden_layers=2)
    names = {'config': 'bert_config.json', 'checkpoint': 'bert_model.ckpt', 'albert_config': 'albert_config.json',
             'albert_checkpoint': 'albert_model.ckpt', 'vocab': 'vocab.txt', 'data': 'data.txt',
             'folder': '', 'weights': 'best_model.weights' + ('.h5' if IS_KERAS_3 else '')}
    return {name: os.path.join(str(folder), file_name) for name, file_name in names.items()}


def check(found):
    """Whether a script gave words, or numbers that are finite."""
    assert isinstance(found, (list, type(u''))) or np.isfinite(found).all()


def module_of(text):
    """A module made of the text of a script."""
    module = types.ModuleType(str('replaced'))
    exec(compile(text, 'replaced', 'exec', dont_inherit=True), module.__dict__)
    return module


if ROW in ROWS_OF_2019 or IS_KERAS_2_3 and not ROW:
    @pytest.mark.parametrize('script', first_releases.SCRIPTS)
    def test_scripts_of_the_first_releases(script, paths):
        """They run as they stand, and give numbers or words."""
        first_releases.PATHS.update(paths)
        check(script())


if IS_KERAS_3:
    with io.open(os.path.splitext(first_releases.__file__)[0] + '.py', encoding='utf-8') as stream:
        REPLACED = module_of(replacements.for_keras_3(stream.read()))

    @pytest.mark.slow
    @pytest.mark.parametrize('script', REPLACED.SCRIPTS)
    def test_scripts_of_the_first_releases_after_the_replacements(script, paths):
        """On Keras 3 the README's lines are all that is replaced."""
        REPLACED.PATHS.update(paths)
        check(script())


@pytest.mark.slow
def test_the_readme_lists_what_is_replaced():
    """Its table has the rows of replacements.py, and one of what has no such line; in Chinese it has their code."""
    expected = [tuple(row[:2]) for row in replacements.REPLACEMENTS]
    for name, cells in (('README.md', lambda row: row), ('README.zh-CN.md', code)):
        with io.open(os.path.join(os.path.dirname(__file__), '..', name), encoding='utf-8') as stream:
            table = re.search(r'^\| `Adam\(lr=.*?\n\n', stream.read(), re.S | re.M).group()
        rows = re.findall(r'^\| (.*) \| (.*) \|$', table, re.M)
        assert [cells(row) for row in rows[:-1]] == [cells(row) for row in expected] and 'K.tf' in rows[-1][0]


def code(row):
    """What stands between backticks in a row of a table, in any order."""
    return sorted(re.findall('`.*?`', ' '.join(row)))


@pytest.mark.slow
def test_each_replacement_is_needed():
    """Every rule changes the scripts, or else a line of its own cell."""
    with io.open(os.path.splitext(first_releases.__file__)[0] + '.py', encoding='utf-8') as stream:
        text = stream.read()
    for gone, _, pattern, replacement in replacements.REPLACEMENTS:
        assert re.sub(pattern, replacement, text) != text or re.sub(pattern, replacement, gone) != gone, gone


if ROW in ROWS_OF_2022 or not ROW:
    @pytest.mark.parametrize('script', last_releases.SCRIPTS)
    def test_scripts_of_the_last_releases(script, paths):
        """They run, on Keras 3 with the replacements of the README, and give numbers or words."""
        last_releases.PATHS.update(paths)
        check(script())
