# -*- coding: utf-8 -*-
"""The one seam: only this file knows how the versions of Keras differ; which_keras.py says which of them runs.

It offers `keras`, the Keras in use; `IS_KERAS_3`; and `kops`, tensor operations with the names and
meanings of `keras.ops`. On Keras 3 `kops` IS `keras.ops`; on Keras 2 it is a table of the same names over
TensorFlow. Every other difference is a method of two classes, `Keras3` and `Keras2`, of which one is
chosen here, once; its methods are this module's functions.
"""
from __future__ import absolute_import, division, print_function

import math
import sys
import threading

import numpy as np

from bert4keras.early.backend import (
    K, batch_gather, get_all_attributes, is_tf_keras, multilabel_categorical_crossentropy, piecewise_linear,
    root_mean_square, search_layer, sequence_masking, sparse_multilabel_categorical_crossentropy)
from bert4keras.which_keras import ENGINES, import_keras, is_installed

__all__ = ['CallableLoss', 'EARLY_IDS_DTYPE', 'ENGINES', 'IDS_DTYPE', 'IS_KERAS_3', 'MODEL_SUFFIX', 'add_loss',
           'after', 'check_export', 'compiled', 'compute_dtype', 'custom_object', 'default_dtype', 'dense',
           'describe', 'dtype_name', 'export', 'fold', 'full_precision_dtype', 'fused_attention', 'gather',
           'gelu', 'get_gelu', 'get_values', 'group', 'in_batch', 'is_asked_by_fit', 'is_installed', 'keras',
           'kops', 'recomputed', 'register', 'register_mask_operations', 'set_gelu', 'set_values',
           'untouched_zeros', 'variable_dtype', 'with_loss',
           # of releases up to 0.11
           'K', 'batch_gather', 'gelu_erf', 'gelu_tanh', 'get_all_attributes', 'is_tf_keras',
           'multilabel_categorical_crossentropy', 'piecewise_linear', 'root_mean_square', 'search_layer',
           'sequence_masking', 'sparse_multilabel_categorical_crossentropy']

keras = import_keras()
IS_KERAS_3 = hasattr(keras, 'ops')
_ON_TENSORFLOW = keras.backend.backend() == 'tensorflow'
# of the files that `model.save` writes and every engine of that Keras opens
MODEL_SUFFIX = '.keras' if IS_KERAS_3 else '.h5'
# of the Inputs for ids. Scripts for Keras 2.3, whose own default is float, multiply losses by them, which TensorFlow
# does not do with ints; scripts for tf.keras are given floats by `EarlyBert` only
IDS_DTYPE = 'float32' if keras.__name__ == 'keras' and not IS_KERAS_3 else 'int32'
EARLY_IDS_DTYPE = 'int32' if IS_KERAS_3 else 'float32'


# ------------------------------------------------------------------ operations

class TensorFlowOps(object):
    """On Keras 2: operations of `keras.ops`, for BERT and for people who change it, over TensorFlow 1.13 to 2.21."""

    def concatenate(self, xs, axis=0):
        return tf.concat(xs, axis)

    def repeat(self, x, repeats, axis):
        """Each entry of the axis, from 0, `repeats` (an int) times in a row."""
        shape = list(kops.shape(x))
        copies = tf.tile(tf.expand_dims(x, axis + 1), [1] * (axis + 1) + [repeats] + [1] * (len(shape) - axis - 1))
        return tf.reshape(copies, shape[:axis] + [shape[axis] * repeats] + shape[axis + 1:])

    def sparse_categorical_crossentropy(self, target, output, from_logits=False):
        """As Keras 3 has it; that of `keras.backend` wants the number of classes to be known, until TensorFlow 1.15."""
        if not from_logits:  # probabilities, which are the softmax of their logarithms; 0 has none
            output = tf.math.log(tf.clip_by_value(output, keras.backend.epsilon(), 1 - keras.backend.epsilon()))
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=output)

    def shape(self, x):
        """The shape as a tuple: an int where it is known, else a scalar tensor."""
        static = x.shape.as_list()
        if None not in static:
            return tuple(static)
        dynamic = tf.unstack(tf.shape(x), len(static))  # one operation, where a slice for each axis takes four
        return tuple(dynamic[axis] if size is None else size for axis, size in enumerate(static))

    def where(self, condition, x, y):
        """`x` where the condition holds, else `y`, a number or a tensor; both are broadcast to `x`."""
        # tf.where of TensorFlow 1 wants three equal shapes
        condition = tf.logical_and(condition, tf.ones_like(x, dtype=tf.bool))
        y = tf.cast(y, x.dtype)
        return tf.where(condition, x, y + tf.zeros_like(x) if y.shape.ndims else tf.fill(tf.shape(x), y))


if IS_KERAS_3:
    kops = keras.ops
else:
    import tensorflow as tf
    kops = TensorFlowOps()
    for _module, _names in (
            (tf, 'abs cast cond cos cumsum einsum equal exp expand_dims logical_and logical_not logical_or matmul '
                 'maximum minimum not_equal ones_like reshape sin sqrt square stack tile transpose zeros_like'),
            (tf.math, 'erf expm1 log rsqrt sigmoid tanh'), (tf.nn, 'log_softmax relu softmax'),
            (keras.backend, 'max mean sum')):
        for _name in _names.split():
            setattr(kops, _name, getattr(_module, _name))
    kops.arange, kops.power, kops.take = tf.range, tf.pow, tf.gather


# ------------------------------------------------------------------ the differences

# (what `model.export` of Keras 3 writes, the engine): the packages that it needs for it
EXPORTERS = {('onnx', 'torch'): ('onnx', 'onnxscript'), ('onnx', 'tensorflow'): ('tf2onnx',),
             ('saved-model', 'tensorflow'): (), ('saved-model', 'jax'): ('tensorflow',)}


class Keras3(object):
    """Keras 3, on any engine. `Keras2` has the same methods."""

    def gather(self, table, ids):
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

    def gelu(self, x, approximate):
        """The Gaussian error linear unit (https://arxiv.org/abs/1606.08415) of a float tensor.

        By the error function, or (approximate=True) by the tanh formula of the paper.
        """
        if _ON_TENSORFLOW:  # its own is by erfc: twice as slow, and tf2onnx does not know it
            return Keras2().gelu(x, approximate)
        return kops.gelu(x, approximate=approximate)  # on PyTorch one kernel, in a quarter of the time

    def policy(self):
        """The dtype policy of the process, or None on a Keras that has none."""
        return keras.config.dtype_policy()

    def variable_dtype(self, layer):
        """The dtype, a name, of the weights that `layer` is to create."""
        return layer.variable_dtype

    def untouched_zeros(self, shape, dtype=None):
        """An initializer of weights about to be loaded: on JAX it takes no time, and no memory until they are read."""
        return kops.convert_to_tensor(_aligned_zeros(shape, dtype), dtype=dtype)

    def get_values(self, variables):
        """The values of Keras variables, as a list of NumPy arrays."""
        return [kops.convert_to_numpy(variable) for variable in variables]

    def set_values(self, pairs):
        """Assigns (variable, array) pairs, read one at a time where that Keras can."""
        for variable, value in pairs:
            # a copy: JAX would go on using the mapped file, whatever becomes of it
            copy = _aligned_zeros(value.shape, value.dtype)
            copy[...] = value
            variable.assign(copy)

    def dtype_name(self, tensor):
        """The dtype of a tensor or variable, a name."""
        return keras.backend.standardize_dtype(tensor.dtype)

    def recomputed(self, make):
        """The layer that `make()` returns, which keeps no activations for the gradient but computes them again."""
        if _ON_TENSORFLOW:  # its recompute_grad takes no keywords in a graph, and Keras passes `training`
            raise ValueError('Keras 3 on TensorFlow cannot compute activations again for the gradient; on JAX and '
                             'PyTorch it can. Use smaller batches here')
        with keras.RematScope(mode='full'):
            return make()

    def dense(self, gradient, like, indices=None):
        """A gradient as a tensor, where TensorFlow gives that of a gather as rows of the variable `like`."""
        # adding is what sums rows that are there twice
        return kops.add(kops.zeros_like(like), gradient) if _ON_TENSORFLOW else gradient

    def fused_attention(self, query, key, value, mask):
        """Attention by a kernel that keeps no probabilities, on GPUs and in half precision.

        Args:
            query: float tensor [B, N, F, H], not scaled yet. key, value: float tensors [B, N, T, H].
            mask: boolean tensor [B, F or 1, T].

        Returns:
            float tensor [B, F, N, H]; None where there is no such kernel, or it is not for these.
        """
        if self.dtype_name(query) not in ('float16', 'bfloat16'):  # cuDNN's is for these alone
            return None
        if keras.backend.backend() == 'torch' and query.device.type == 'cuda':
            return _torch_attention(query, key, value, mask)
        if keras.backend.backend() == 'jax' and _jax_has_kernel(query, key):
            return _jax_attention(query, key, value, mask)
        return None

    def compiled(self, model):
        """A function from a list of arrays to the outputs of a model, by its current weights, as quick as there is one.

        What it returns may be arrays of the engine, which stay on its device when they are given to it again.
        """
        if keras.backend.backend() != 'jax':
            return model.predict_on_batch
        import jax
        variables = list(model.variables)

        @jax.jit
        def compute(values, inputs):
            with keras.StatelessScope(state_mapping=list(zip(variables, values))):
                return model(inputs, training=False)
        return lambda inputs: compute([variable.value for variable in variables], inputs)

    def add_loss(self, layer, loss, inputs):
        """Adds a loss, a scalar, in the call of a layer with these inputs."""
        layer.add_loss(loss)

    def with_loss(self, model, loss, by_a_layer):
        """A model with a symbolic tensor as its loss: `model`, or what `by_a_layer()` returns, where one is needed."""
        return by_a_layer()

    def fold(self, step, first, rows):
        """step(... step(step(first, rows at 0), rows at 1) ..., the last rows): tensors of equal first axis."""
        def both(carry, row):  # TensorFlow's wants both to be of one shape
            return (step(carry, row),) * 2
        return kops.scan(both, first, rows)[0]

    def in_batch(self, arrays):
        """Several arrays as one part of a generator's batch."""
        return tuple(arrays)

    def is_asked_by_fit(self):
        """Whether `fit`, from a thread of its own, runs this, in the one Keras whose fit calls no `on_epoch_end`."""
        return False

    def register_mask_operations(self):
        """Makes `load_model` find the operations of Keras that make Keras masks, which an h5 file names without Keras.

        Without it a layer on top that takes the mask, such as LSTM, keeps a model from being opened again.
        """
        mask = kops.not_equal(keras.KerasTensor((1, 2), 'int32'), 0)
        for tensor in (mask, kops.logical_and(mask, mask), mask[:, 1:]):
            operation = type(tensor._keras_history.operation)
            keras.utils.get_custom_objects()[operation.__name__] = operation

    def check_export(self, kind):
        """An error that says what to do, unless this engine exports 'onnx' or 'saved-model'."""
        engine = keras.backend.backend()
        if (kind, engine) not in EXPORTERS:
            raise ValueError('Keras 3 on %s does not export %s here; set KERAS_BACKEND=%s' % (
                engine, kind, ' or '.join(sorted(other for name, other in EXPORTERS if name == kind))))
        missing = [name for name in EXPORTERS[kind, engine] if not is_installed(name)]
        if missing:
            raise ImportError('on %s an export to %s needs %s: pip install %s'
                              % (engine, kind, ' and '.join(missing), ' '.join(missing)))

    def export(self, model, path, kind, positions):
        """Writes a model of one input, int [B, T], that has run once: of any B, and any T up to `positions`."""
        more = {} if keras.backend.backend() != 'jax' else {'jax2tf_kwargs': {
            'polymorphic_shapes': ['(batch, length)'], 'with_gradient': False,
            'polymorphic_constraints': ['length <= %d' % positions]}}
        model.export(path, format={'onnx': 'onnx', 'saved-model': 'tf_saved_model'}[kind], verbose=False, **more)

    def describe(self):
        """One line for people: which Keras runs on which engine, with their versions."""
        engine = keras.backend.backend()
        version = sys.modules[engine].__version__ if engine in sys.modules else ''
        return 'Keras %s on %s %s' % (keras.__version__, engine, version)


class Keras2(object):
    """Keras 2.3 and tf.keras, on TensorFlow: what each method is for, `Keras3` says."""

    untouched_zeros = 'zeros'  # in a graph of TensorFlow 1 arrays would be constants

    def gather(self, table, ids):
        return kops.take(table, ids, axis=0)

    def gelu(self, x, approximate):
        if approximate:
            return 0.5 * x * (1.0 + kops.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
        return 0.5 * x * (1.0 + kops.erf(x * math.sqrt(0.5)))

    def policy(self):
        global_policy = getattr(getattr(keras, 'mixed_precision', None), 'global_policy', None)
        return global_policy() if global_policy else None

    def variable_dtype(self, layer):
        return layer.dtype or keras.backend.floatx()

    def get_values(self, variables):
        return keras.backend.batch_get_value(list(variables))

    def set_values(self, pairs):
        keras.backend.batch_set_value([(variable, np.asarray(value)) for variable, value in pairs])

    def dtype_name(self, tensor):
        return tensor.dtype.base_dtype.name

    def recomputed(self, make):
        raise ValueError('this Keras, %s, cannot compute activations again for the gradient; Keras 3 can. '
                         'Use smaller batches here' % describe())

    def dense(self, gradient, like, indices=None):
        if indices is not None:
            gradient = tf.IndexedSlices(gradient, indices, tf.shape(like))
        return tf.convert_to_tensor(gradient)

    def fused_attention(self, query, key, value, mask):
        return None

    def compiled(self, model):
        return model.predict_on_batch

    def add_loss(self, layer, loss, inputs):
        layer.add_loss(loss, inputs=inputs)

    def with_loss(self, model, loss, by_a_layer):
        model.add_loss(loss)
        return model

    def fold(self, step, first, rows):
        return tf.scan(step, rows, initializer=first)[-1]

    def in_batch(self, arrays):  # Keras 2.3 and TensorFlow 1 take lists only, TensorFlow 2.0 tuples only
        return list(arrays) if keras.__name__ == 'keras' or tf.__version__ < '2' else tuple(arrays)

    def is_asked_by_fit(self):  # threads of TensorFlow are dummies for Python
        return (keras.__name__ != 'keras' and tf.__version__.startswith('2.0.')
                and isinstance(threading.current_thread(), threading._DummyThread))

    def register_mask_operations(self):
        pass

    def check_export(self, kind):
        raise ValueError('an export to %s needs Keras 3, on %s; this is %s' % (
            kind, ' or '.join(sorted(engine for name, engine in EXPORTERS if name == kind)), self.describe()))

    def export(self, model, path, kind, positions):
        self.check_export(kind)

    def describe(self):
        name = 'Keras %s' % keras.__version__ if keras.__name__ == 'keras' else 'tf.keras'
        return '%s on tensorflow %s' % (name, tf.__version__)


class CallableLoss(object):
    """The base of a loss with a method `call` (labels, prediction), [B, ...] -> [B], for `compile`."""

    def __call__(self, labels, prediction):
        return self.call(labels, prediction)


_seam = Keras3() if IS_KERAS_3 else Keras2()
if not IS_KERAS_3 and keras.__name__ != 'keras' and tf.__version__.startswith('1.13.'):
    # of any other loss it divides by the sum of the rows' weights, not by their number; its base has no public name
    CallableLoss = keras.losses.MeanSquaredError.__base__
gather, gelu, recomputed, describe = _seam.gather, _seam.gelu, _seam.recomputed, _seam.describe
register_mask_operations = _seam.register_mask_operations
variable_dtype, untouched_zeros, dtype_name = _seam.variable_dtype, _seam.untouched_zeros, _seam.dtype_name
get_values, set_values, dense = _seam.get_values, _seam.set_values, _seam.dense
in_batch, is_asked_by_fit, compiled = _seam.in_batch, _seam.is_asked_by_fit, _seam.compiled
add_loss, fold, with_loss, fused_attention = _seam.add_loss, _seam.fold, _seam.with_loss, _seam.fused_attention
check_export, export = _seam.check_export, _seam.export


def _torch_attention(query, key, value, mask):
    """PyTorch's, by the kernel that it thinks best."""
    import torch
    # finite: of a row that sees nothing some kernels make NaN
    bias = torch.where(mask[:, None], 0.0, torch.finfo(query.dtype).min).to(query.dtype)
    shape = (query.shape[0], query.shape[1], query.shape[2], key.shape[2])
    context = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.expand(shape))
    return context.transpose(1, 2)


def _jax_attention(query, key, value, mask, implementation='cudnn'):
    """JAX's, which wants heads after tokens."""
    import jax
    query, key, value = [kops.transpose(x, (0, 2, 1, 3)) for x in (query, key, value)]
    # cuDNN's wants the mask of each query, though they are alike
    mask = kops.broadcast_to(mask[:, None], (mask.shape[0], 1, query.shape[1], key.shape[1]))
    return jax.nn.dot_product_attention(query, key, value, mask=mask, implementation=implementation)


def _jax_has_kernel(query, key):
    """Whether cuDNN takes these: heads of a multiple of 8, and with a mask, for the gradient, an even length."""
    import jax
    size, lengths = query.shape[3], (query.shape[2], key.shape[2])
    return jax.default_backend() == 'gpu' and size % 8 == 0 and size <= 128 and not any(n % 2 for n in lengths)


def _aligned_zeros(shape, dtype):
    """NumPy's zeros, untouched, at an address that JAX's CPU engine uses without making a copy."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype='int64')) * dtype.itemsize
    space = np.zeros(size + 64, 'uint8')
    start = -space.ctypes.data % 64
    return space[start:start + size].view(dtype).reshape(shape)


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
