# -*- coding: utf-8 -*-
"""A file that Keras saved a model to, looked at before Keras opens it: it may run no code, read no other file,
ask for no more memory than it has, and wait for nothing. Keras is not started.
"""
from __future__ import absolute_import, division, print_function

import collections
import io
import json
import os
import zipfile

from bert4keras.compat import STRINGS, native
from bert4keras.errors import CheckpointError, some
from bert4keras.files import MAX_JSON, open_regular_file
from bert4keras.hdf5 import allowed_size, check_hdf5
from bert4keras.hdf5_structure import check_structure

__all__ = ['check_connected', 'check_model_file', 'inputs_in', 'read_model_configs', 'refuse_code']

WEIGHTS_MEMBER = 'model.weights.h5'
MEMBERS = frozenset(['config.json', 'metadata.json', WEIGHTS_MEMBER])  # of a .keras file; others may hold a pickle
# What the configs of Keras' models name that holds numbers and names, and runs no code of the file's.
HARMLESS = frozenset('''
    Model Functional Sequential InputLayer Dropout Add Dense Activation Concatenate Flatten Reshape Permute RepeatVector
    Multiply Average Maximum Minimum Subtract Dot Softmax ReLU LeakyReLU ELU PReLU Masking Embedding SpatialDropout1D
    GaussianNoise GaussianDropout LayerNormalization BatchNormalization Conv1D MaxPooling1D AveragePooling1D
    GlobalAveragePooling1D GlobalMaxPooling1D LSTM GRU SimpleRNN LSTMCell GRUCell SimpleRNNCell RNN StackedRNNCells
    Bidirectional TimeDistributed ActivityRegularization MultiHeadAttention
    Zeros Ones Constant Identity Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling GlorotNormal
    GlorotUniform HeNormal HeUniform LecunNormal LecunUniform
    L1 L2 L1L2 MaxNorm NonNeg UnitNorm MinMaxNorm DTypePolicy Policy
    __keras_tensor__ __tuple__ __tensor__ __numpy__ __bytes__ __complex__ __ellipsis__ __slice__ __typespec__
'''.split())


def check_model_file(path):
    """An error for a file that Keras should not open.

    Raises:
        CheckpointError: it is damaged, or could do harm. Other errors: what a damaged file makes of zipfile and HDF5.
    """
    configs = read_model_configs(path)
    refuse_code(configs, path)
    check_connected(configs)


# ------------------------------------------------------------------ reading

def read_model_configs(path):
    """The configs in a file that Keras saved a model to, without Keras: of a zip, of HDF5, of a file that is both."""
    import h5py
    configs = []
    with open_regular_file(path) as stream:
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as archive:
                configs.append(read_archive(archive, path))
    if h5py.is_hdf5(path):
        with open_regular_file(path) as stream:
            check_structure(stream, path)
        with h5py.File(path, 'r') as file:
            check_hdf5(file, path, os.path.getsize(path))
            if 'model_config' not in file.attrs:
                raise CheckpointError('%s holds weights at most, and no model; save with model.save(...)' % path)
            text = file.attrs['model_config']
        configs.append(json.loads(text.decode('utf-8') if isinstance(text, bytes) else text))
    if not configs:
        raise CheckpointError('%s cannot be opened as a Keras model: it is neither a zip nor HDF5' % path)
    return configs


def read_archive(archive, path):
    """The config in an open .keras file, whose other members are found to be what Keras writes there."""
    import h5py
    names, size = archive.namelist(), os.path.getsize(path)
    if sum(info.file_size for info in archive.infolist()) > allowed_size(size):
        raise CheckpointError('%s unpacks to far more than its own size, unlike what Keras writes' % path)
    if set(names) - MEMBERS or len(set(names)) != len(names):
        raise CheckpointError('%s is not opened: it holds %s, where Keras writes %s, each once'
                              % (path, some(names), ', '.join(sorted(MEMBERS))))
    if WEIGHTS_MEMBER in names:
        stream, place = io.BytesIO(archive.read(WEIGHTS_MEMBER)), '%s: %s' % (path, WEIGHTS_MEMBER)
        check_structure(stream, place)
        with h5py.File(stream, 'r') as file:
            check_hdf5(file, place, size)
    with archive.open('config.json') as member:
        config = json.loads(member.read(MAX_JSON).decode('utf-8'))
    return {field: config[field] for field in config if field != 'compile_config'}  # left unread


# ------------------------------------------------------------------ what its config may say

def refuse_code(config, path):
    """CheckpointError for a class in a model's config that could run code when Keras makes it, such as Lambda.

    Taken are HARMLESS, our layers, and layers and models that are registered with Keras in this process.
    """
    if isinstance(config, dict):
        if 'class_name' in config:
            name, module = config['class_name'], str(config.get('module') or 'keras')
            harmless = isinstance(name, STRINGS) and name in HARMLESS
            harmless = harmless and (module + '.').startswith(('keras.', 'builtins.'))
            if not harmless and not _is_registered(config.get('registered_name') or name):
                raise CheckpointError(
                    '%s is not opened: it has a %s (of %s), and only our layers and those of Keras that run no code '
                    'from a file are taken. If you trust the file, load it with Keras yourself and call '
                    'BertModel.from_keras_model(model).save_release(...)' % (path, name, module))
        config = list(config.values())
    for part in config if isinstance(config, list) else ():
        refuse_code(part, path)


def _is_registered(name):
    """Whether a layer or model is registered with Keras under this name."""
    from bert4keras.backend import custom_object, keras
    found = custom_object(name) if isinstance(name, STRINGS) else None
    return isinstance(found, type) and issubclass(found, keras.layers.Layer)


def inputs_in(call):
    """(layer, number of its call) of each input of a call, which is [layer, call, tensor, ...], however nested."""
    if isinstance(call, dict):
        return [found for key in sorted(call) for found in inputs_in(call[key])]
    if not isinstance(call, (list, tuple)):
        return []
    if len(call) > 2 and hasattr(call[0], 'lower') and [type(part) for part in call[1:3]] == [int, int]:
        return [(str(native(call[0])), call[1])]
    return [found for part in call for found in inputs_in(part)]


def check_connected(config):
    """ValueError for a model, anywhere in a config, that some Keras versions would build without an end.

    They go on as long as there is a call of a layer without its inputs, which may never come.
    """
    if isinstance(config, dict):
        if isinstance(config.get('layers'), list):
            _check_calls(config['layers'])
        config = list(config.values())
    for part in config if isinstance(config, list) else ():
        check_connected(part)


def _check_calls(layers):
    """ValueError unless the calls of these layers can be made one after the other."""
    waiting, users = {}, collections.defaultdict(list)
    for layer in layers:
        name = str(native(layer.get('name', layer['config'].get('name'))))
        for number, call in enumerate(layer.get('inbound_nodes') or [[]]):
            inputs = set(inputs_in(call))
            waiting[name, number] = len(inputs)
            for one in inputs:
                users[one].append((name, number))
    ready = [call for call in waiting if not waiting[call]]
    while ready:
        for user in users[ready.pop()]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    for name, number in sorted(call for call in waiting if waiting[call]):
        raise ValueError('layer %s is called with what no layer gives' % name)
