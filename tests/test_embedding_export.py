# -*- coding: utf-8 -*-
"""Exports of vectors: what ONNX Runtime and TensorFlow compute from token ids is what `Embedder` gives.

The directories are those that sentence-transformers saved; test_export.py has models without a pooling.
"""
from __future__ import absolute_import, division, print_function

import json
import os

import numpy as np
import pytest

from bert4keras import backend, cli
from bert4keras.backend import keras
from bert4keras.embedding import Embedder
from bert4keras.tokenizer_files import load_tokenizer
from tests.helpers.sentences import copy_changed, read_recorded, write_directories

pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
ROUNDING = 2e-6  # float32, on vectors of O(1) from two layers
ENGINE = keras.backend.backend() if backend.IS_KERAS_3 else None
CASES = ['mean', 'residual', 'dense', 'prompts', 'xlm-roberta']
# which directory, the options of the command, and the arguments of `encode` that mean the same
ASKED = [('prompts', ['--prompt-name', 'passage'], {'prompt_name': 'passage'}),
         ('mean', ['--pooling', 'max+lasttoken+mean_sqrt_len', '--normalize'], {'normalized': True}),
         ('residual', [], {}), ('dense', ['--dimensions', '3'], {'dimensions': 3}),
         ('xlm-roberta', ['--prompt', ''], {'prompt': ''})]
TEXTS = [u'word1', u'', u'Word5 WORD6 word7 unknown', u'word3 word9 ' * 7, u'word2 : word4']


@pytest.fixture(scope='module')
def directories(tmp_path_factory):
    """The directory that has the recorded ones, as they were saved."""
    return write_directories(read_recorded(), str(tmp_path_factory.mktemp('exported')), CASES)


def opened(kind, directory):
    """A function of token ids, int32 [B, T], to vectors, of what was exported."""
    if kind == 'saved-model':
        import tensorflow
        loaded = tensorflow.saved_model.load(directory)
        return lambda token_ids: np.asarray(loaded.serve(tensorflow.constant(token_ids)))
    import onnxruntime
    session = onnxruntime.InferenceSession(os.path.join(directory, 'model.onnx'), providers=['CPUExecutionProvider'])
    assert [(node.name, node.type) for node in session.get_inputs()] == [('token_ids', 'tensor(int32)')]
    return lambda token_ids: session.run(None, {'token_ids': token_ids})[0]


@pytest.mark.slow
@pytest.mark.skipif(not ENGINE, reason='model.export came with Keras 3')
@pytest.mark.parametrize('case, options, asked', ASKED if ENGINE == 'torch' else ASKED[:1])
def test_the_graph_gives_the_vectors(directories, tmp_path, case, options, asked):
    """Pooling, Dense, Normalize and the cut are in the graph, which takes any batch, length and amount of padding."""
    kind = 'saved-model' if ENGINE == 'jax' else 'onnx'
    if kind == 'saved-model':
        pytest.importorskip('tensorflow', reason='a SavedModel is written and read by TensorFlow')
    else:
        pytest.importorskip('onnxruntime', reason='ONNX files need onnx, onnxruntime and a converter')
    check(directories, str(tmp_path / 'there'), kind, case, options, asked)


def check(directories, there, kind, case, options, asked):
    """Exports a directory by the command, and compares what it gives, in other hands, with the vectors of ours."""
    source = os.path.join(directories, case)
    assert cli.main(['export', source, there, '--to', kind] + options) == 0
    with open(os.path.join(there, 'export.json')) as stream:
        says = json.load(stream)
    embedder = Embedder(source, says['pooling'])
    expected = embedder.encode(TEXTS, **asked)
    assert says['width'] == expected.shape[1] and says['kind'] == kind and says['input'] == 'token_ids'
    assert says['normalized'] == (np.abs(np.linalg.norm(expected, axis=1) - 1).max() < 1e-5)
    assert says['max_length'] == 21 and says['pad_token_id'] == (1 if case == 'xlm-roberta' else 0)
    tokenizer, run = load_tokenizer(there), opened(kind, there)
    token_ids, _ = tokenizer.encode_batch([says['prompt'] + text for text in TEXTS], max_length=says['max_length'])
    found = run(token_ids)
    assert found.dtype == np.float32 and np.abs(found - expected).max() < ROUNDING
    padded = np.full((1, 19), says['pad_token_id'], 'int32')
    padded[0, :8] = token_ids[4, :8]
    assert np.abs(run(padded)[0] - expected[4]).max() < ROUNDING
    assert np.isfinite(run(np.full((2, 7), says['pad_token_id'], 'int32'))).all()  # rows that fill a batch


def test_lower_casing_goes_along(directories, tmp_path):
    """`do_lower_case` of the directory, which the tokenizer's own files do not have."""
    from bert4keras.embedding.export import _write_tokenizer
    cased = copy_changed(os.path.join(directories, 'mean'), str(tmp_path / 'cased'), 'tokenizer_config.json',
                         do_lower_case=False, strip_accents=False)
    source = copy_changed(cased, str(tmp_path / 'lower'), 'sentence_bert_config.json', do_lower_case=True)
    there = str(tmp_path / 'there')
    os.mkdir(there)
    _write_tokenizer(Embedder(source), there)
    assert load_tokenizer(cased).encode(u'Word5')[0] != load_tokenizer(there).encode(u'Word5')[0] == [2, 15, 3]


def test_what_cannot_be_exported_here_says_where(directories, tmp_path, capsys, monkeypatch):
    """By a Keras or an engine that does not do it, or without a package: nothing is loaded, nothing made."""
    monkeypatch.setattr('bert4keras.seam.exports.is_installed', lambda name: False)
    monkeypatch.setattr('bert4keras.embedding.encoder.load_model', None)
    cases = {'jax': [('onnx', 'set KERAS_BACKEND=tensorflow or torch'), ('saved-model', 'pip install tensorflow')],
             'torch': [('saved-model', 'set KERAS_BACKEND=jax or tensorflow'), ('onnx', 'pip install onnx onnxscript')],
             'tensorflow': [('onnx', 'pip install tf2onnx')], None: [('onnx', 'needs Keras 3, on tensorflow or torch')]}
    for kind, part in cases[ENGINE]:
        assert cli.main(['export', directories, str(tmp_path / 'there'), '--to', kind]) == 2
        assert part in capsys.readouterr().err
    assert os.listdir(str(tmp_path)) == []


def test_a_destination_that_exists_is_left_alone(directories, tmp_path, capsys, monkeypatch):
    """Before anything is loaded."""
    monkeypatch.setattr(backend, 'check_export', lambda kind: None)
    monkeypatch.setattr('bert4keras.embedding.encoder.load_model', None)
    assert cli.main(['export', os.path.join(directories, 'mean'), str(tmp_path), '--to', 'onnx']) == 2
    assert 'exists' in capsys.readouterr().err and os.listdir(str(tmp_path)) == []
