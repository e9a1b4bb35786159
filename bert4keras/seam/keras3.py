# -*- coding: utf-8 -*-
"""What differs on Keras 3, on any engine. keras2.py has functions of the same names, for older ones."""
from __future__ import absolute_import, division, print_function

import sys

import numpy as np

from bert4keras.seam import operations
from bert4keras.seam.attention import fused_attention
from bert4keras.seam.exports import check_export, export
from bert4keras.seam.operations import ENGINE, keras, kops

__all__ = ['add_loss', 'affine', 'check_export', 'compiled', 'dense', 'describe', 'dtype_name', 'export', 'fold',
           'fused_attention', 'gather', 'gelu', 'gelu_rounds_once', 'get_values', 'in_batch',
           'is_asked_by_fit', 'layer_norm', 'policy', 'recomputed', 'register_mask_operations',
           'set_values', 'untouched_zeros', 'variable_dtype', 'with_loss']

_ON_TENSORFLOW = ENGINE == 'tensorflow'


def gather(table, ids):
    """Rows of a table by id.

    Args:
        table: float tensor or variable, [V, E].
        ids: integer tensor of any shape, values in [0, V).

    Returns:
        float tensor, shape of ids + [E].
    """
    # On TensorFlow the gradient of a gather stays a sparse update, and the optimizers of Keras 3 apply
    # duplicate ids of it one by one: training then differs from every other engine.
    return kops.take(table * 1.0 if _ON_TENSORFLOW else table, ids, axis=0)


def gelu(x, approximate):
    """The Gaussian error linear unit (https://arxiv.org/abs/1606.08415) of a float tensor.

    By the error function, or (approximate=True) by the tanh formula of the paper.
    """
    if _ON_TENSORFLOW and not approximate:  # its own is by erfc: twice as slow, and tf2onnx does not know it
        return operations.gelu(x, approximate)
    return kops.gelu(x, approximate=approximate)  # on PyTorch one kernel, in a quarter of the time


def gelu_rounds_once(x, training):
    """Whether `gelu` of `x`, if in half precision, is rounded to it at its end only, not after each of its steps."""
    if _ON_TENSORFLOW and training is False and dtype_name(x) == 'bfloat16':
        import tensorflow as tf
        return not tf.executing_eagerly()  # a graph takes it within the product before, in float32
    return ENGINE == 'torch'


def affine(rows, kernel, bias):
    """rows @ kernel + bias: [R, I], [I, O], [O] -> [R, O]."""
    if _ON_TENSORFLOW:
        import tensorflow as tf  # of no other sum does it know that it is a bias
        return tf.nn.bias_add(kops.matmul(rows, kernel), kops.convert_to_tensor(bias))
    if ENGINE != 'torch':
        return operations.affine(rows, kernel, bias)
    import torch
    return torch.addmm(*[kops.convert_to_tensor(x) for x in (bias, rows, kernel)])  # one kernel, not two


def layer_norm(x, gamma, beta, epsilon):
    """Layer normalisation over the last axis: [..., D], [D], [D] -> [..., D]; see operations.py for the formula."""
    if ENGINE != 'torch':
        return operations.layer_norm(x, gamma, beta, epsilon)
    import torch  # one kernel, where the formula reads and writes x in each of seven
    gamma, beta = kops.convert_to_tensor(gamma), kops.convert_to_tensor(beta)
    return torch.nn.functional.layer_norm(x, gamma.shape, gamma, beta, epsilon)


def policy():
    """The dtype policy of the process, or None on a Keras that has none."""
    return keras.config.dtype_policy()


def variable_dtype(layer):
    """The dtype, a name, of the weights that `layer` is to create."""
    return layer.variable_dtype


def untouched_zeros(shape, dtype=None):
    """An initializer of weights about to be loaded: on JAX it takes no time, and no memory until they are read."""
    return kops.convert_to_tensor(_aligned_zeros(shape, dtype), dtype=dtype)


def get_values(variables):
    """The values of Keras variables, as a list of NumPy arrays."""
    return [kops.convert_to_numpy(variable) for variable in variables]


def set_values(pairs):
    """Assigns (variable, array) pairs, read one at a time where that Keras can."""
    for variable, value in pairs:
        # a copy: JAX would go on using the mapped file, whatever becomes of it
        copy = _aligned_zeros(value.shape, value.dtype)
        copy[...] = value
        variable.assign(copy)


def dtype_name(tensor):
    """The dtype of a tensor or variable, a name."""
    return keras.backend.standardize_dtype(tensor.dtype)


def recomputed(make):
    """The layer that `make()` returns, which keeps no activations for the gradient but computes them again."""
    if _ON_TENSORFLOW:  # its recompute_grad takes no keywords in a graph, and Keras passes `training`
        raise ValueError('Keras 3 on TensorFlow cannot compute activations again for the gradient; on JAX and '
                         'PyTorch it can. Use smaller batches here')
    with keras.RematScope(mode='full'):
        return make()


def dense(gradient, like, indices=None):
    """A gradient as a tensor, where TensorFlow gives that of a gather as rows of the variable `like`."""
    # adding is what sums rows that are there twice
    return kops.add(kops.zeros_like(like), gradient) if _ON_TENSORFLOW else gradient


def compiled(model):
    """A function from a list of arrays to the outputs of a model, by its current weights, as quick as there is one.

    What it returns may be arrays of the engine, which stay on its device when they are given to it again.
    """
    if _ON_TENSORFLOW:
        import tensorflow as tf
        # of open shapes from the start: predict_on_batch makes a graph of the first batch's, then another one
        specs = [tf.TensorSpec(one.shape, one.dtype) for one in model.inputs]
        run = tf.function(lambda *inputs: model(list(inputs), training=False), specs, autograph=False)
        return lambda inputs: run(*[tf.convert_to_tensor(x, spec.dtype) for x, spec in zip(inputs, specs)])
    if ENGINE != 'jax' or keras.distribution.distribution():
        return model.predict_on_batch
    import jax
    variables = list(model.variables)

    @jax.jit
    def compute(values, inputs):
        with keras.StatelessScope(state_mapping=list(zip(variables, values))):
            return model(inputs, training=False)
    return lambda inputs: compute([variable.value for variable in variables], inputs)


def add_loss(layer, loss, inputs):
    """Adds a loss, a scalar, in the call of a layer with these inputs."""
    layer.add_loss(loss)


def with_loss(model, loss, by_a_layer):
    """A model with a symbolic tensor as its loss: `model`, or what `by_a_layer()` returns, where one is needed."""
    return by_a_layer()


def fold(step, first, rows):
    """step(... step(step(first, rows at 0), rows at 1) ..., the last rows): tensors of equal first axis."""
    def both(carry, row):  # TensorFlow's wants both to be of one shape
        return (step(carry, row),) * 2
    return kops.scan(both, first, rows)[0]


def in_batch(arrays):
    """Several arrays as one part of a generator's batch."""
    return tuple(arrays)


def is_asked_by_fit():
    """Whether `fit`, from a thread of its own, runs this, in the one Keras whose fit calls no `on_epoch_end`."""
    return False


def register_mask_operations():
    """Makes `load_model` find the operations of Keras that make Keras masks, which an h5 file names without Keras.

    Without it a layer on top that takes the mask, such as LSTM, keeps a model from being opened again.
    """
    mask = kops.not_equal(keras.KerasTensor((1, 2), 'int32'), 0)
    for tensor in (mask, kops.logical_and(mask, mask), mask[:, 1:]):
        operation = type(tensor._keras_history.operation)
        keras.utils.get_custom_objects()[operation.__name__] = operation


def describe():
    """One line for people: which Keras runs on which engine, with their versions."""
    version = sys.modules[ENGINE].__version__ if ENGINE in sys.modules else ''
    return 'Keras %s on %s %s' % (keras.__version__, ENGINE, version)


def _aligned_zeros(shape, dtype):
    """NumPy's zeros, untouched, at an address that JAX's CPU engine uses without making a copy."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype='int64')) * dtype.itemsize
    space = np.zeros(size + 64, 'uint8')
    start = -space.ctypes.data % 64
    return space[start:start + size].view(dtype).reshape(shape)
