# -*- coding: utf-8 -*-
"""The HDF5 files that transformers' TensorFlow models saved, tf_model.h5: read without TensorFlow and transformers.

Keras stored a model's weights as datasets, by layer. Here they get the names and the orientation of Hugging Face's
own layout, that of model.safetensors, so that all else is the same from there on:

    /bert/tf_bert_model/bert/encoder/layer_._0/output/dense/kernel:0    [I, D]
    bert.encoder.layer.0.output.dense.weight                            [D, I]

So it is in transformers 2 to 4, and in files of `model.save_weights` around such a model. Nothing in them is run.

Source: transformers, modeling_tf_utils.py, modeling_tf_pytorch_utils.py, modeling_tf_albert.py and the files that
4.40 writes.
"""
from __future__ import absolute_import, division, print_function

import collections
import os

import numpy as np

from bert4keras.compat import native
from bert4keras.errors import error
from bert4keras.files import open_regular_file
from bert4keras.hdf5 import check_hdf5
from bert4keras.hdf5_structure import check_structure

__all__ = ['TF_WEIGHTS', 'Stored', 'hugging_face_name', 'list_weights', 'open_hdf5', 'read_weight']

TF_WEIGHTS = 'tf_model.h5'
MODELS = ('bert', 'albert')  # how transformers calls the part of a model that is in all of them
# TensorFlow's word for a weight: that of Hugging Face's own layout
WEIGHTS = {'kernel': 'weight', 'gamma': 'weight', 'embeddings': 'weight', 'weight': 'weight', 'beta': 'bias',
           'bias': 'bias'}
# In an ALBERT's head the bias that counts is the decoder's; that of Hugging Face's own layout has the other name.
RENAMED = {'predictions.decoder.bias': 'predictions.bias', 'predictions.bias': 'predictions.decoder.bias'}
# The stored places of one weight (a tied one has several), each an h5py.Dataset; whether it is transposed.
Stored = collections.namedtuple('Stored', 'dtype shape places is_transposed')


def open_hdf5(path):
    """An h5py.File to read, its structure checked before.

    Raises:
        CheckpointError: it is no HDF5 file; EnvironmentError where it is damaged.
    """
    try:
        import h5py
    except ImportError as problem:
        raise error(path, 'needs the package h5py (%s): pip install h5py' % problem)
    with open_regular_file(path) as stream:
        if not h5py.is_hdf5(path):
            raise error(path, 'is not read here: it is no HDF5 file, as transformers saves TensorFlow models; if it is '
                        'damaged, get it again')
        check_structure(stream, path)
    file = h5py.File(path, 'r')
    check_hdf5(file, path, os.path.getsize(path))
    return file


def list_weights(path):
    """{Hugging Face's name: Stored} of an HDF5 file, which stays open.

    Raises:
        CheckpointError: it is no HDF5 file of such a model; EnvironmentError where it is damaged.
    """
    file = open_hdf5(path)
    places = collections.OrderedDict()

    def visit(name, found):
        if hasattr(found, 'dtype'):
            places.setdefault(hugging_face_name(native(name)), []).append(found)

    file.visititems(visit)
    if not any(name.startswith(tuple(model + '.' for model in MODELS)) for name in places):
        what = 'an HDF5 file without the weights of a TFBertModel or TFAlbertModel'
        if 'model_config' in file.attrs:
            what = 'a whole Keras model, which load_model or `bert4keras convert` opens'
        raise error(path, 'is not read here: it is ' + what)
    return collections.OrderedDict((name, _stored(path, name, found)) for name, found in places.items())


def _stored(path, name, places):
    """The Stored of datasets that have one name."""
    shapes = sorted({place.shape for place in places})
    if len(shapes) > 1:
        raise error(path, 'is there with the shapes %s; save the model you mean by itself'
                    % ' and '.join(map(str, shapes)), name)
    is_transposed = len(shapes[0]) == 2 and places[0].name.rsplit('/', 1)[-1].startswith('kernel')
    return Stored(places[0].dtype.name, shapes[0][::-1] if is_transposed else shapes[0], places, is_transposed)


def read_weight(path, name, stored):
    """The array of a Stored, in the orientation of Hugging Face's layout."""
    arrays = [place[()] for place in stored.places]
    if not all(np.array_equal(arrays[0], other) for other in arrays[1:]):
        raise error(path, 'is there with different values (%s); save the model you mean by itself'
                    % ' and '.join(native(place.name) for place in stored.places), name)
    array = arrays[0].T if stored.is_transposed else arrays[0]
    array.flags.writeable = False
    return array


def hugging_face_name(place):
    """The name in Hugging Face's own layout of what is stored at a place in the file."""
    parts = place.split('/')
    models = [at for at, part in enumerate(parts[:-1]) if part in MODELS]
    if models:
        parts = parts[models[-1]:]
    else:  # the layer, and maybe the model
        parts = parts[1:] if len(parts) > 2 else parts
        parts = parts[1:] if parts[0].startswith('tf_') and len(parts) > 2 else parts
    word = parts.pop().split(':')[0]
    parts = [part.rsplit('___', 1)[-1].replace('_._', '.') for part in parts]  # mlm___cls, layer_._0
    name = '.'.join(parts + [WEIGHTS.get(word, word)])
    return RENAMED.get(name, name)
