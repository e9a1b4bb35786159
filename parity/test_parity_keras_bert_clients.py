# -*- coding: utf-8 -*-
"""Scripts of keras-bert's users on the drop-in: against keras-bert in the same process, or against what it said."""
from __future__ import absolute_import, division, print_function

import importlib

import numpy as np
import pytest

from bert4keras import keras_bert as ours
from bert4keras.backend import keras
from parity.keras_bert_clients import RECORDED, TEXTS, run
from parity.measure import check
from parity.peers import require
from parity.peers.keras_bert import NOT_IMPORTABLE


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """What the scripts give on the drop-in."""
    return run(ours, tmp_path_factory.mktemp('ours'))


def compare(found, expected):
    """Equal shapes, and numbers within the tolerance of four steps in float32."""
    assert sorted(found) == sorted(expected)
    for name in sorted(found):
        one, other = np.asarray(found[name], 'float64'), np.asarray(expected[name], 'float64')
        assert one.shape == other.shape
        check('keras-bert client ' + name, one, other, 2e-5)


@pytest.mark.slow
def test_against_what_keras_bert_said(found):
    """On Keras 3 too: keras-bert 0.89 on tf.keras 2.15, recorded."""
    with np.load(RECORDED) as recorded:
        compare(found, dict(recorded))
    assert len(found['classify before']) == len(TEXTS)


@pytest.mark.slow
@pytest.mark.skipif(hasattr(keras, 'ops'), reason='keras-bert does not run on Keras 3')
def test_against_keras_bert(found, tmp_path):
    """In the same process."""
    require('keras-bert')
    pytest.importorskip('keras_bert', reason=NOT_IMPORTABLE)
    compare(found, run(importlib.import_module('keras_bert'), tmp_path))
