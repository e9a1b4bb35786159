# -*- coding: utf-8 -*-
"""The one seam: only this file, and the rooms of seam/ behind it, know how the versions of Keras differ.

It offers `keras`, the Keras in use; `IS_KERAS_3`; and `kops`, tensor operations with the names and meanings of
`keras.ops`. Every other difference is a function in two modules, seam/keras3.py and seam/keras2.py, of which one is
chosen here, once; its functions are this module's. which_keras.py says which Keras runs.
"""
from __future__ import absolute_import, division, print_function

import contextlib

from bert4keras.early.backend import (
    K, batch_gather, get_all_attributes, is_tf_keras, multilabel_categorical_crossentropy, piecewise_linear,
    root_mean_square, search_layer, sequence_masking, sparse_multilabel_categorical_crossentropy)
from bert4keras.seam import keras2, keras3
from bert4keras.seam.operations import IS_KERAS_3, keras, kops, tf
from bert4keras.which_keras import ENGINES, is_installed

__all__ = ['CallableLoss', 'EARLY_IDS_DTYPE', 'ENGINES', 'IDS_DTYPE', 'IS_KERAS_3', 'MODEL_SUFFIX', 'add_loss',
           'affine', 'after', 'check_export', 'compiled', 'compute_dtype', 'custom_object', 'default_dtype', 'dense',
           'describe', 'dtype_name', 'dtype_policy', 'export', 'fold', 'full_precision_dtype', 'fused_attention',
           'gather', 'gelu', 'gelu_rounds_once', 'get_gelu', 'get_values', 'group', 'in_batch', 'is_asked_by_fit',
           'is_installed', 'keras', 'kops', 'layer_norm', 'recomputed', 'register', 'register_mask_operations',
           'set_gelu', 'set_values', 'untouched_zeros', 'variable_dtype', 'with_loss',
           # of releases up to 0.11
           'K', 'batch_gather', 'gelu_erf', 'gelu_tanh', 'get_all_attributes', 'is_tf_keras',
           'multilabel_categorical_crossentropy', 'piecewise_linear', 'root_mean_square', 'search_layer',
           'sequence_masking', 'sparse_multilabel_categorical_crossentropy']

# of the files that `model.save` writes and every engine of that Keras opens
MODEL_SUFFIX = '.keras' if IS_KERAS_3 else '.h5'
# of the Inputs for ids. Scripts for Keras 2.3, whose own default is float, multiply losses by them, which TensorFlow
# does not do with ints; scripts for tf.keras are given floats by `EarlyBert` only
IDS_DTYPE = 'float32' if keras.__name__ == 'keras' and not IS_KERAS_3 else 'int32'
EARLY_IDS_DTYPE = 'int32' if IS_KERAS_3 else 'float32'


# ------------------------------------------------------------------ the differences

class CallableLoss(object):
    """The base of a loss with a method `call` (labels, prediction), [B, ...] -> [B], for `compile`."""

    def __call__(self, labels, prediction):
        return self.call(labels, prediction)


_seam = keras3 if IS_KERAS_3 else keras2
if not IS_KERAS_3 and keras.__name__ != 'keras' and tf.__version__.startswith('1.13.'):
    # of any other loss it divides by the sum of the rows' weights, not by their number; its base has no public name
    CallableLoss = keras.losses.MeanSquaredError.__base__
affine, gather, layer_norm = _seam.affine, _seam.gather, _seam.layer_norm
gelu, gelu_rounds_once = _seam.gelu, _seam.gelu_rounds_once
recomputed, describe = _seam.recomputed, _seam.describe
register_mask_operations = _seam.register_mask_operations
variable_dtype, untouched_zeros, dtype_name = _seam.variable_dtype, _seam.untouched_zeros, _seam.dtype_name
get_values, set_values, dense = _seam.get_values, _seam.set_values, _seam.dense
in_batch, is_asked_by_fit, compiled = _seam.in_batch, _seam.is_asked_by_fit, _seam.compiled
add_loss, fold, with_loss, fused_attention = _seam.add_loss, _seam.fold, _seam.with_loss, _seam.fused_attention
check_export, export = _seam.check_export, _seam.export


def group(operations):
    """One operation for several, on TensorFlow."""
    return tf.group(*operations)


def after(tensors):
    """A context: what is made in it runs when all the tensors are computed, in graphs of TensorFlow."""
    return tf.control_dependencies(tensors)


# ------------------------------------------------------------------ the same on every Keras

def register(cls):
    """Class decorator: makes `load_model` find a layer of ours, and only ever ours, by its name."""
    saving = getattr(keras, 'saving', keras.utils)
    package_qualified = getattr(saving, 'register_keras_serializable',
                                getattr(keras.utils, 'register_keras_serializable', None))
    # The bare name too: files of a Keras that cannot qualify hold it. It is one that Keras lacks.
    keras.utils.get_custom_objects()[cls.__name__] = cls
    return package_qualified(package='bert4keras')(cls) if package_qualified else cls


def custom_object(name):
    """The custom object registered as `name`, scopes included (`load_model` opens one), or None."""
    for module in (getattr(keras, 'saving', None), keras.utils):
        if hasattr(module, 'get_registered_object'):
            return module.get_registered_object(name)
    return keras.utils.get_custom_objects().get(name)


def default_dtype():
    """What a layer of ours passes as `dtype` when the user gave none.

    None lets Keras apply its policy. A Keras without policies infers the dtype from the first inputs,
    which are integer ids here, so there it is the default float.
    """
    return None if _seam.policy() else keras.backend.floatx()


def full_precision_dtype():
    """`default_dtype()`, but float32 where the policy computes in float16 or bfloat16."""
    low = _seam.policy() and _seam.policy().compute_dtype in ('float16', 'bfloat16')
    return 'float32' if low else default_dtype()


@contextlib.contextmanager
def dtype_policy(policy):
    """A context in which models are built and compiled by a dtype policy; the one before is in force again afterwards.

    Args:
        policy: the name of one of Keras', such as 'mixed_bfloat16' or 'bfloat16'; None for the one that is in force.

    Raises:
        ValueError: this Keras has no policies.
    """
    config, mixed = getattr(keras, 'config', None), getattr(keras, 'mixed_precision', None)
    if hasattr(config, 'set_dtype_policy'):
        before, set_policy = config.dtype_policy(), config.set_dtype_policy
    elif hasattr(mixed, 'set_global_policy'):
        before, set_policy = mixed.global_policy(), mixed.set_global_policy
    elif policy in (None, 'float32'):
        yield
        return
    else:
        raise ValueError('this Keras, %s, computes in float32 only; tf.keras of TensorFlow 2.4 or later and Keras 3 '
                         'can do %s' % (describe(), policy))
    set_policy(policy or before)
    try:
        yield
    finally:
        set_policy(before)


def compute_dtype(layer):
    """The dtype, a name, that `layer` computes in."""
    for attribute in ('compute_dtype', '_compute_dtype'):
        if getattr(layer, attribute, None):
            return getattr(layer, attribute)
    return variable_dtype(layer)


def gelu_erf(x):
    """The GELU of a float tensor, by the error function."""
    return gelu(x, approximate=False)


def gelu_tanh(x):
    """The GELU of a float tensor, by the tanh formula."""
    return gelu(x, approximate=True)


_gelu = 'erf'


def set_gelu(version):
    """Sets the GELU of models built from now on whose config says `hidden_act: gelu`.

    Args:
        version: 'erf', the exact one (the default), or 'tanh', its approximation (both from
            https://arxiv.org/abs/1606.08415).
    """
    global _gelu
    if version not in ('erf', 'tanh'):
        raise ValueError("gelu must be 'erf' or 'tanh', not %r" % (version,))
    _gelu = version


def get_gelu():
    """The GELU, 'erf' or 'tanh', of models built from now on; see `set_gelu`."""
    return _gelu
