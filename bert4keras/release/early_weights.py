# -*- coding: utf-8 -*-
"""The weights in a file that bert4keras up to 0.11 saved: `model.save_weights(path)` or `model.save(path)` of Keras 2.

Needs NumPy and h5py. Facts of the file: keras/engine/saving.py of Keras 2.3.1; of the weights: bert4keras 0.11.5.
"""
from __future__ import absolute_import, division, print_function

import collections

from bert4keras.compat import native
from bert4keras.errors import CheckpointError, some
from bert4keras.release.tf_weights import open_hdf5

__all__ = ['match_weights', 'read_layers']

ALIASES = {'MLM-Bias': 'MLM-Proba'}  # name of a layer of then: the one here that has its weights


def read_layers(path):
    """OrderedDict {layer: OrderedDict {weight: array}} of an HDF5 file, in its order, without layers that have none.

    Raises:
        CheckpointError: it is no HDF5 file of a model of Keras 2.
    """
    file = open_hdf5(path)
    group = file['model_weights'] if 'model_weights' in file else file
    layers = collections.OrderedDict()
    for layer in _names(group, 'layer_names', path):
        weights = collections.OrderedDict((weight, group[layer][weight][()])
                                          for weight in _names(group[layer], 'weight_names', path))
        if weights:
            layers[layer] = weights
    return layers


def _names(group, attribute, path):
    """The strings of an attribute, which Keras cuts into several where it is long."""
    parts = [attribute] if attribute in group.attrs else ['%s%d' % (attribute, number) for number in range(
        sum(name.startswith(attribute) for name in group.attrs))]
    if not parts:
        raise CheckpointError('%s: %s has no %s: it is not what save_weights or save of Keras 2 wrote'
                              % (path, group.name, attribute))
    return [native(name.decode('utf-8') if isinstance(name, bytes) else name)
            for part in parts for name in group.attrs[part]]


def match_weights(layers, expected, path):
    """The arrays of a file in the order that a model has its weights.

    Args:
        layers: see `read_layers`.
        expected: OrderedDict {layer: list of (weight, shape)} of the model, layers in order.
        path: for messages.

    Returns:
        list of arrays. A layer takes the weights of the one with its name; layers whose names are not in the other
        place go by their order. In a layer weights go by name, as beta and gamma do, else by their order.

    Raises:
        CheckpointError: another number of layers or weights, or another shape; nothing is guessed.
    """
    found = collections.OrderedDict((ALIASES.get(name, name), weights) for name, weights in layers.items())
    unknown = [name for name in found if name not in expected]
    missing = [name for name in expected if name not in found]
    if len(unknown) != len(missing):
        raise CheckpointError('%s has %d layers that the model lacks (%s), and the model %d that the file lacks (%s): '
                              'build the model as it was built then'
                              % (path, len(unknown), some(unknown) or 'none', len(missing), some(missing) or 'none'))
    source = dict(zip(missing, unknown))
    arrays = []
    for layer, weights in expected.items():
        there = found[source.get(layer, layer)]
        if len(there) != len(weights):
            raise CheckpointError('%s: layer %s has %d weights, the model\'s has %d'
                                  % (path, source.get(layer, layer), len(there), len(weights)))
        by_name = {_base(name): array for name, array in there.items()}
        is_named = len(by_name) == len(there) and set(by_name) == {_base(name) for name, _ in weights}
        for (name, shape), array in zip(weights, there.values()):
            array = by_name[_base(name)] if is_named else array
            if tuple(array.shape) != tuple(shape):
                raise CheckpointError('%s: %s of layer %s has %s, the model expects %s: build the model as it was '
                                      'built then' % (path, _base(name), layer, array.shape, tuple(shape)))
            arrays.append(array)
    return arrays


def _base(name):
    """'gamma' of 'Encoder-1-Norm_2/gamma:0'."""
    return name.rsplit('/', 1)[-1].split(':')[0]
