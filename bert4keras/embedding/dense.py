# -*- coding: utf-8 -*-
"""A dense layer on top of pooled vectors, as sentence-transformers has it, in NumPy.
"""
from __future__ import absolute_import, division, print_function

import os

import numpy as np

from bert4keras.compat import STRINGS
from bert4keras.embedding.fields import expect, get, read_module
from bert4keras.errors import CheckpointError, ConfigError, some
from bert4keras.reference import gelu_erf
from bert4keras.release.checkpoint import open_checkpoint

__all__ = ['ACTIVATIONS', 'Dense', 'find_activation', 'sigmoid']


def sigmoid(x):
    """1 / (1 + e ** -x), in float64: float32 has no e ** 89."""
    return 1 / (1 + np.exp(-np.maximum(np.asarray(x, 'float64'), -700)))


# A class after "torch.nn.": its formula.
ACTIVATIONS = {'Identity': lambda x: x, 'Tanh': np.tanh, 'ReLU': lambda x: np.maximum(x, 0), 'GELU': gelu_erf,
               'Sigmoid': sigmoid, 'SiLU': lambda x: x * sigmoid(x)}


class Dense(object):
    """A dense layer on top of pooled vectors.

    Args:
        path: of its directory, which has config.json and model.safetensors.
    """

    def __init__(self, path):
        self.path = path
        where = os.path.join(path, 'config.json')
        fields = read_module(path)
        self.in_features, self.out_features = [
            get(fields, name, int, where) for name in ('in_features', 'out_features')]
        expect(fields, 'module_input_name', 'sentence_embedding', where)
        expect(fields, 'module_output_name', 'sentence_embedding', where)
        self.activation = find_activation(fields, 'activation_function', where, 'torch.nn.modules.activation.Tanh')
        self.residual = get(fields, 'use_residual', bool, where, False)
        self._read_weights(get(fields, 'bias', bool, where, True))

    def _read_weights(self, has_bias):
        path = os.path.join(self.path, 'model.safetensors')
        if not os.path.exists(path) and os.path.exists(os.path.join(self.path, 'pytorch_model.bin')):
            raise CheckpointError('%s has a pytorch_model.bin and no model.safetensors: a .bin file is a pickle, which '
                                  'can run any code when it is opened; save the model again with safetensors, where '
                                  'you trust it' % self.path)
        variables = open_checkpoint(path)
        shape = (self.out_features, self.in_features)
        self.kernel = _array(variables, 'linear.weight', shape).T  # [in, out]
        self.bias = _array(variables, 'linear.bias', shape[:1]) if has_bias else np.float32(0)
        self.residual_kernel = None
        if self.residual and self.in_features != self.out_features:
            self.residual_kernel = _array(variables, 'residual.weight', shape).T

    def __call__(self, x):
        """x [N, in] -> [N, out], float32."""
        y = self.activation(np.dot(x, self.kernel) + self.bias)
        if self.residual:
            y = y + (x if self.residual_kernel is None else np.dot(x, self.residual_kernel))
        return y.astype('float32')


def find_activation(fields, field, where, default):
    """The function in ACTIVATIONS that a field names."""
    name = get(fields, field, STRINGS, where, default)
    if not name.startswith('torch.nn.') or name.split('.')[-1] not in ACTIVATIONS:
        raise ConfigError('%s has %s = %r, which is not built here, and not run as code; built are %s of torch.nn'
                          % (where, field, name, ', '.join(sorted(ACTIVATIONS))))
    return ACTIVATIONS[name.split('.')[-1]]


def _array(variables, name, shape):
    """A float32 array of a checkpoint; CheckpointError if it is not there, or of another shape."""
    if name not in variables:
        raise CheckpointError('%s lacks %s; it has %s' % (variables.path, name, some(variables) or 'nothing'))
    if variables.shape(name) != shape:
        raise CheckpointError('%s: %s has the shape %s, but config.json beside it asks for %s'
                              % (variables.path, name, variables.shape(name), shape))
    return np.asarray(variables[name], 'float32')
