# -*- coding: utf-8 -*-
"""keras_bert.backend of keras-bert up to 0.84: the Keras in use, and its modules by name.

A module that this Keras does not have, such as `wrappers`, is not here either.
"""
from __future__ import absolute_import, division, print_function

from bert4keras.backend import keras

TF_KERAS = keras.__name__ != 'keras'
_MODULES = ('utils', 'activations', 'applications', 'backend', 'datasets', 'layers', 'preprocessing', 'wrappers',
            'callbacks', 'constraints', 'initializers', 'metrics', 'models', 'losses', 'optimizers', 'regularizers')
globals().update({name: getattr(keras, name) for name in _MODULES if hasattr(keras, name)})

__all__ = ['keras', 'TF_KERAS'] + [name for name in _MODULES if name in globals()]
