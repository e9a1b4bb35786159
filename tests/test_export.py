# -*- coding: utf-8 -*-
"""`model.export` on Keras 3: a SavedModel run by TensorFlow, an ONNX file run by onnxruntime.

| engine     | SavedModel                        | ONNX                                                |
|------------|-----------------------------------|-----------------------------------------------------|
| TensorFlow | any length                        | any length, by tf2onnx                              |
| JAX        | any length, with `jax_any_length` | not tried here: Keras wants jax2onnx, with flax     |
| PyTorch    | Keras wants torch_xla for it      | any length, by onnxscript                           |
"""
from __future__ import absolute_import, division, print_function

import os

import numpy as np
import pytest

from bert4keras.backend import keras
from bert4keras.bert import build_bert_model
from tests.helpers.releases import random_ids

if not hasattr(keras, 'ops'):
    pytest.skip('model.export came with Keras 3', allow_module_level=True)

ENGINE = keras.backend.backend()
ROUNDING = 1e-5


def jax_any_length(positions):
    """What `model.export` needs on JAX to know that the two inputs are of one length."""
    return {'jax2tf_kwargs': {'polymorphic_shapes': [['(batch, length)', '(batch, length)']],
                              'polymorphic_constraints': ['length <= %d' % positions], 'with_gradient': False}}


@pytest.fixture(scope='module')
def model(release):
    """A BERT with two heads and its official weights; it has run once, as Keras requires before an export."""
    directory, config, _ = release
    model = build_bert_model(dict(config, num_hidden_layers=1), os.path.join(directory, 'bert_model.ckpt'),
                             with_nsp=True, with_mlm=True)
    model.predict_on_batch([ids[:1] for ids in random_ids(release[1])])
    return model


def check(model, config, run):
    """Compares the model with `run` on the smallest batch and on the largest."""
    ids = random_ids(config)
    for batch, length in ((1, 1), (13, ids[0].shape[1])):
        inputs = [np.ascontiguousarray(array[:batch, :length]) for array in ids]
        for ours, theirs in zip(model.predict_on_batch(inputs), run(inputs)):
            assert ours.shape == np.shape(theirs)
            assert np.abs(ours - np.asarray(theirs)).max() < ROUNDING


@pytest.mark.skipif(ENGINE == 'torch', reason='Keras 3 exports a SavedModel from PyTorch by torch_xla only')
def test_saved_model(model, release, tmp_path):
    """TensorFlow alone gives the same outputs, for every batch size and length."""
    tf = pytest.importorskip('tensorflow', reason='a SavedModel is written and read by TensorFlow')
    more = jax_any_length(release[1]['max_position_embeddings']) if ENGINE == 'jax' else {}
    model.export(str(tmp_path / 'saved'), format='tf_saved_model', verbose=False, **more)
    loaded = tf.saved_model.load(str(tmp_path / 'saved'))
    check(model, release[1], lambda inputs: loaded.serve([tf.constant(array) for array in inputs]))


@pytest.mark.skipif(ENGINE == 'jax', reason='Keras 3 exports ONNX from JAX by jax2onnx, which needs flax; save a '
                                            '.keras file and export it under another engine')
def test_onnx(model, release, tmp_path):
    """onnxruntime gives the same outputs, for every batch size and length."""
    onnxruntime = pytest.importorskip('onnxruntime', reason='ONNX files need onnx, onnxruntime and a converter')
    path = str(tmp_path / 'model.onnx')
    model.export(path, format='onnx', verbose=False)
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    names = [node.name for node in session.get_inputs()]
    check(model, release[1], lambda inputs: session.run(None, dict(zip(names, inputs))))
