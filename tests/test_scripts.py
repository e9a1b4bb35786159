# -*- coding: utf-8 -*-
"""Scripts in the manner of bert4keras 0.1 to 0.11 run: of the first releases on Keras 2.3, of the last on any Keras."""
from __future__ import absolute_import, division, print_function

import os

import numpy as np
import pytest

from bert4keras.backend import IS_KERAS_3, keras
from tests.helpers.releases import ALBERT_CONFIG, VOCABULARY, make_release
from tests.scripts import first_releases, last_releases

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
             'weights': 'best_model.weights' + ('.h5' if IS_KERAS_3 else '')}
    return {name: os.path.join(str(folder), file_name) for name, file_name in names.items()}


def check(found):
    """Whether a script gave words, or numbers that are finite."""
    assert isinstance(found, (list, type(u''))) or np.isfinite(found).all()


if ROW in ROWS_OF_2019 or IS_KERAS_2_3 and not ROW:
    @pytest.mark.parametrize('script', first_releases.SCRIPTS)
    def test_scripts_of_the_first_releases(script, paths):
        """They run as they stand, and give numbers or words."""
        first_releases.PATHS.update(paths)
        check(script())


if ROW in ROWS_OF_2022 or not ROW:
    @pytest.mark.parametrize('script', last_releases.SCRIPTS)
    def test_scripts_of_the_last_releases(script, paths):
        """They run, on Keras 3 with the replacements of the README, and give numbers or words."""
        last_releases.PATHS.update(paths)
        check(script())
