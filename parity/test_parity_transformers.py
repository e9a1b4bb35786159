# -*- coding: utf-8 -*-
"""The real MiniLM weights: ours against transformers on PyTorch, from both kinds of files."""
from __future__ import absolute_import, division, print_function

import os
import shutil

import numpy as np
import pytest

from bert4keras.bert import build_bert_model
from bert4keras.checkpoint import open_checkpoint
from bert4keras.families import find_release, open_variables, read_config
from bert4keras.tokenizer import Tokenizer
from measure import check, layer_outputs, real_positions
from peers import hugging_face

TEXTS = [
    u'The rain had only just stopped.',
    u'A short one',
    u'She counted the coins twice, put eleven of them back into the drawer, and locked it without a word '
    u'to anybody in the shop, because the sum was wrong again and it was the third time in a week.',
    u'Café, naïve; 北京 and 東京 are capitals!',
    u'x',
]


@pytest.fixture(scope='module')
def ids(minilm):
    """Token ids and segment ids [B, T] of a batch of mixed lengths; one row has two segments."""
    tokenizer = Tokenizer(os.path.join(minilm, 'vocab.txt'))
    rows = [tokenizer.encode(text) for text in TEXTS]
    rows[1] = tokenizer.encode(TEXTS[1], TEXTS[0])
    length = max(len(tokens) for tokens, _ in rows)
    token_ids, segment_ids = np.zeros((2, len(rows), length), 'int32')
    for index, (tokens, segments) in enumerate(rows):
        token_ids[index, :len(tokens)], segment_ids[index, :len(tokens)] = tokens, segments
    return token_ids, segment_ids


@pytest.fixture(scope='module')
def peer(minilm, ids):
    """What transformers gives for them, by layer name."""
    pytest.importorskip('torch', reason='transformers needs PyTorch, which is not in this row')
    pytest.importorskip('transformers', reason='transformers is not in this row')
    return hugging_face.outputs(minilm, *ids)


@pytest.fixture(scope='module')
def as_tensorflow(minilm, tmp_path_factory):
    """The same weights, written by our model as a TensorFlow checkpoint with the config beside it."""
    directory = str(tmp_path_factory.mktemp('minilm'))
    bert = build_bert_model(minilm, with_pool=True, return_keras_model=False)
    bert.save_weights_as_checkpoint(os.path.join(directory, 'bert_model.ckpt'))
    shutil.copy(os.path.join(minilm, 'config.json'), directory)
    return directory


@pytest.mark.parametrize('layout', ['safetensors', 'tensorflow'])
def test_minilm_equals_transformers(minilm, as_tensorflow, ids, peer, layout):
    """Embeddings, every block and the pooler within 2e-5 on unpadded positions, mixed lengths."""
    directory = minilm if layout == 'safetensors' else as_tensorflow
    model = build_bert_model(directory, with_pool=True)
    for name, ours in zip(peer, layer_outputs(model, list(peer), list(ids))):
        check('minilm %s %s' % (layout, name), real_positions(ours, ids[0]),
              real_positions(peer[name], ids[0]), 2e-5)


def test_the_checkpoint_written_has_identical_tensors(minilm, as_tensorflow):
    """Every tensor of the safetensors file comes back bit for bit from the TensorFlow checkpoint."""
    config = read_config(os.path.join(minilm, 'config.json'))
    official = open_variables(find_release(minilm).checkpoint_path, config)
    written = open_variables(os.path.join(as_tensorflow, 'bert_model.ckpt'), config)
    assert set(written) == set(official) and len(written) == 5 + 16 * 6 + 2
    for name in official:
        np.testing.assert_array_equal(written[name], official[name], err_msg=name)


def test_tensorflow_reads_identical_tensors(as_tensorflow):
    """TensorFlow's own reader gives the same tensors as ours for the checkpoint written."""
    tensorflow = pytest.importorskip('tensorflow', reason='TensorFlow is not in this row')
    prefix = os.path.join(as_tensorflow, 'bert_model.ckpt')
    reader, ours = tensorflow.train.load_checkpoint(prefix), open_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    assert set(shapes) == set(ours)
    for name in ours:
        np.testing.assert_array_equal(reader.get_tensor(name), ours[name], err_msg=name)
