# -*- coding: utf-8 -*-
"""The real MiniLM weights: ours against transformers from its own files, and what we write of them.

As a TensorFlow checkpoint they are among the questions of test_parity_peers.py.
"""
from __future__ import absolute_import, division, print_function

import os

import numpy as np
import pytest

from bert4keras.bert import build_bert_model
from bert4keras.release.checkpoint import open_checkpoint
from bert4keras.release.config import read_config
from bert4keras.release.directory import find_release
from bert4keras.release.variables import open_variables
from parity.measure import check, layer_outputs, real_positions
from parity.peers import hugging_face, require


def test_minilm_equals_transformers_each_loading_the_release(minilm, minilm_ids):
    """Embeddings, every block and the pooler within 2e-5, where both read the safetensors file themselves."""
    require('transformers', 'torch')
    theirs = hugging_face.outputs(hugging_face.open_release(minilm, 'BertModel'), *minilm_ids)
    mine = layer_outputs(build_bert_model(minilm, with_pool=True), list(theirs), list(minilm_ids))
    for name, ours in zip(theirs, mine):
        check('minilm safetensors %s' % name, real_positions(ours, minilm_ids[0]),
              real_positions(theirs[name], minilm_ids[0]), 2e-5)


def test_the_checkpoint_written_has_identical_tensors(minilm, minilm_as_tensorflow):
    """Every tensor of the safetensors file comes back bit for bit from the TensorFlow checkpoint."""
    config = read_config(os.path.join(minilm, 'config.json'))
    official = open_variables(find_release(minilm).checkpoint_path, config)
    written = open_variables(os.path.join(minilm_as_tensorflow, 'bert_model.ckpt'), config)
    assert set(written) == set(official) and len(written) == 5 + 16 * 6 + 2
    for name in official:
        np.testing.assert_array_equal(written[name], official[name], err_msg=name)


def test_tensorflow_reads_identical_tensors(minilm_as_tensorflow):
    """TensorFlow's own reader gives the same tensors as ours for the checkpoint written."""
    tensorflow = pytest.importorskip('tensorflow', reason='tensorflow is not in this row')
    prefix = os.path.join(minilm_as_tensorflow, 'bert_model.ckpt')
    reader, ours = tensorflow.train.load_checkpoint(prefix), open_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    assert set(shapes) == set(ours)
    for name in ours:
        np.testing.assert_array_equal(reader.get_tensor(name), ours[name], err_msg=name)
