# -*- coding: utf-8 -*-
"""What the layers of the drop-in have in common: keras-bert's GELUs, arguments, names of weights and masks."""
from __future__ import absolute_import, division, print_function

import re

from bert4keras import backend
from bert4keras.backend import keras
from bert4keras.compat import STRINGS
from bert4keras.layers import ACTIVATIONS

__all__ = ['KerasBertLayer', 'gelu', 'gelu_erf', 'gelu_tanh', 'known_as', 'to_activation']

_MODULES = {'initializer': keras.initializers, 'regularizer': keras.regularizers, 'constraint': keras.constraints}
_OPTION = re.compile(r'(?!activity_)(\w+_)?(%s)$' % '|'.join(_MODULES))


def gelu_tanh(x):
    """The GELU of keras-bert 0.83 and later: by tanh (https://arxiv.org/abs/1606.08415)."""
    return backend.gelu(x, approximate=True)


def gelu_erf(x):
    """The GELU of keras-bert up to 0.82: exact, by the error function."""
    return backend.gelu(x, approximate=False)


gelu = gelu_tanh


def to_activation(given):
    """What our layers take for an activation as keras-bert's take it: a key of ACTIVATIONS, or a function."""
    if isinstance(given, STRINGS) and given == 'gelu':
        given = backend.custom_object('gelu') or gelu  # Keras' own gelu is the exact one
    if given is None or given is gelu or given is gelu_erf:
        return {None: 'linear', gelu: 'gelu_tanh', gelu_erf: 'gelu_erf'}[given]
    return given if isinstance(given, STRINGS) and given in ACTIVATIONS else keras.activations.get(given)


def known_as(name):
    """A property that reads the attribute of ours called `name`; None before the layer is built, as in keras-bert."""
    return property(lambda self: getattr(self, name, None))


class KerasBertLayer(object):
    """keras-bert's arguments for a layer of ours, and Keras masks, handed on as they come.

    Args: ours, or those of keras-bert's layer: see `renamed` and `fixed`, and also `X_initializer`,
    `X_regularizer` and `X_constraint` of the weights whose names end in X.
    """

    arguments = ()  # what may be given by position
    renamed = {}  # keras-bert's name of an argument: ours
    fixed = {}  # keras-bert's arguments that can have one value only here
    weight_names = {}  # our name of a weight: keras-bert's, where %s is the layer's
    initial = 'glorot_normal'  # of tables and kernels

    def __init__(self, *args, **kwargs):
        kwargs.update(zip(self.arguments, args))
        for name, only in dict(self.fixed, activity_regularizer=None, input_length=None).items():
            if kwargs.pop(name, only) != only:
                raise ValueError('%s can only have %s=%r here' % (type(self).__name__, name, only))
        options = {name: kwargs.pop(name) for name in list(kwargs) if _OPTION.match(name)}
        if 'activation' in kwargs:
            kwargs['activation'] = to_activation(kwargs['activation'])
        super(KerasBertLayer, self).__init__(**{self.renamed.get(name, name): value
                                                for name, value in kwargs.items()})
        self.options = {name: value for name, value in options.items() if value is not None}
        self.supports_masking = True

    def option(self, weight, what):
        """The initializer, regularizer or constraint that was given for a weight, or None."""
        own = '%s_%s' % (weight.rsplit('_', 1)[-1], what)
        given = self.options.get(own, self.options.get(what))
        return given and _MODULES[what].get(given)

    def add_parameter(self, name, shape, initial='normal', own=False):
        given = self.option(name, 'initializer')
        if initial == 'normal' and given is None:
            given = keras.initializers.get(self.initial)
        return super(KerasBertLayer, self).add_parameter(name, shape, given or initial, own)

    def add_weight(self, **kwargs):
        for what in ('regularizer', 'constraint'):
            kwargs[what] = self.option(kwargs['name'], what)
        theirs = self.weight_names.get(kwargs['name'], kwargs['name'])
        kwargs['name'] = theirs % self.name if '%s' in theirs else theirs
        return super(KerasBertLayer, self).add_weight(**kwargs)

    def compute_mask(self, inputs, mask=None):
        return mask[0] if isinstance(mask, (list, tuple)) else mask

    def get_config(self):
        config = super(KerasBertLayer, self).get_config()
        for name, given in self.options.items():
            module = _MODULES[_OPTION.match(name).group(2)]
            config[name] = module.serialize(module.get(given))
        if callable(config.get('activation')):
            config['activation'] = keras.activations.serialize(config['activation'])
        return config
