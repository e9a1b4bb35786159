# -*- coding: utf-8 -*-
"""The one seam: only this file knows which Keras runs and where the Kerases differ.

It offers `keras`, the Keras in use, and `kops`, tensor operations with the names and meanings of
`keras.ops`. On Keras 3 `kops` IS `keras.ops`; on Keras 2 it is a table of the same names over
TensorFlow, no larger than what the package uses. Every other divergence is one function below.

Which Keras: with `TF_KERAS=1` it is `tensorflow.keras`, else the package `keras` (2.3 or 3).
Which engine, for Keras 3: `KERAS_BACKEND`, else the one that keras.json names if it is installed
(Keras itself writes "tensorflow" into that file at its first import, installed or not), else the
first installed of tensorflow, jax and torch.
"""
from __future__ import absolute_import, division, print_function

import contextlib
import io
import json
import logging
import math
import os
import sys

import numpy as np

ENGINES = ('tensorflow', 'jax', 'torch')
INSTALL_HINT = ('install one of: pip install "keras>=3" jax | pip install "keras>=3" tensorflow-cpu | '
                'pip install "keras>=3" torch')
logger = logging.getLogger(__name__)


def _is_installed(name):
    """Whether the top-level module `name` can be found, without importing it."""
    try:
        from importlib.util import find_spec
    except ImportError:  # Python 2
        from pkgutil import find_loader as find_spec
    return name in sys.modules or find_spec(name) is not None


def _configured_engine():
    """The engine named by keras.json, or None where there is no such file."""
    home = os.environ.get('KERAS_HOME', os.path.join(os.path.expanduser('~'), '.keras'))
    try:
        with io.open(os.path.join(home, 'keras.json'), encoding='utf-8') as stream:
            settings = json.load(stream)
    except (IOError, OSError, ValueError):
        return None  # missing, unreadable or not JSON: Keras ignores it or says so itself
    if not isinstance(settings, dict):
        raise ImportError('%s holds a JSON %s, not an object with fields, and Keras cannot start: mend or remove it'
                          % (stream.name, type(settings).__name__))
    return settings.get('backend')


def _choose_engine():
    """Sets KERAS_BACKEND before Keras is imported, where nobody has chosen an engine."""
    if 'keras' in sys.modules or os.environ.get('KERAS_BACKEND'):
        return
    configured = _configured_engine()
    if configured is not None and (configured not in ENGINES or _is_installed(configured)):
        return
    for engine in ENGINES:
        if _is_installed(engine):
            if configured is not None:
                logger.info('keras.json names %s, which is not installed: using %s', configured, engine)
            os.environ['KERAS_BACKEND'] = engine
            return
    raise ImportError('Keras needs an engine and none of %s is installed; %s'
                      % (', '.join(ENGINES), INSTALL_HINT))


def _import_keras():
    """Returns the Keras module to use; see the module's docstring for the rule."""
    _configured_engine()  # raises where no Keras could start
    if os.environ.get('TF_KERAS', '0') not in ('', '0'):
        if not _is_installed('tensorflow'):
            raise ImportError('TF_KERAS=1 asks for the Keras inside TensorFlow, which is not installed: pip install '
                              'tensorflow-cpu, or unset TF_KERAS')
        from tensorflow import keras
        return keras
    if not _is_installed('keras'):
        raise ImportError('no Keras is installed; %s. To use the Keras inside TensorFlow, set TF_KERAS=1'
                          % INSTALL_HINT)
    _choose_engine()
    import keras
    if not hasattr(keras, 'ops') and keras.backend.backend() != 'tensorflow':
        raise ImportError('Keras 2 runs on %s here; bert4keras needs it on TensorFlow: set KERAS_BACKEND='
                          'tensorflow' % keras.backend.backend())
    return keras


keras = _import_keras()
_KERAS_3 = hasattr(keras, 'ops')
# of the files that `model.save` writes and every engine of that Keras opens
MODEL_SUFFIX = '.keras' if _KERAS_3 else '.h5'


# ------------------------------------------------------------------ operations

if _KERAS_3:
    kops = keras.ops
else:
    import tensorflow as tf

    class kops(object):
        """The operations of `keras.ops` that the package uses, over TensorFlow 1.13 to 2.21."""

        arange = staticmethod(tf.range)
        cast = staticmethod(tf.cast)
        equal = staticmethod(tf.equal)
        erf = staticmethod(tf.math.erf)
        expand_dims = staticmethod(tf.expand_dims)
        logical_and = staticmethod(tf.logical_and)
        logical_not = staticmethod(tf.logical_not)
        logical_or = staticmethod(tf.logical_or)
        matmul = staticmethod(tf.matmul)
        max = staticmethod(keras.backend.max)
        maximum = staticmethod(tf.maximum)
        mean = staticmethod(keras.backend.mean)
        minimum = staticmethod(tf.minimum)
        not_equal = staticmethod(tf.not_equal)
        power = staticmethod(tf.pow)
        relu = staticmethod(tf.nn.relu)
        reshape = staticmethod(tf.reshape)
        rsqrt = staticmethod(tf.math.rsqrt)
        sigmoid = staticmethod(tf.math.sigmoid)
        softmax = staticmethod(tf.nn.softmax)
        sqrt = staticmethod(tf.sqrt)
        square = staticmethod(tf.square)
        take = staticmethod(tf.gather)
        tanh = staticmethod(tf.math.tanh)
        transpose = staticmethod(tf.transpose)

        @staticmethod
        def shape(x):
            """The shape as a tuple: an int where it is known, else a scalar tensor."""
            dynamic = tf.shape(x)
            return tuple(dynamic[axis] if size is None else size
                         for axis, size in enumerate(x.shape.as_list()))

        @staticmethod
        def where(condition, x, y):
            """`x` where the condition holds, else the number `y`; the condition is broadcast to `x`."""
            # tf.where of TensorFlow 1 wants three equal shapes
            condition = tf.logical_and(condition, tf.ones_like(x, dtype=tf.bool))
            return tf.where(condition, x, tf.fill(tf.shape(x), tf.cast(y, x.dtype)))


def gather(table, ids):
    """Rows of a table by id.

    Args:
        table: float tensor or variable, [V, E].
        ids: integer tensor of any shape, values in [0, V).

    Returns:
        float tensor, shape of ids + [E].
    """
    if _KERAS_3 and keras.backend.backend() == 'tensorflow':
        # There the gradient of a gather stays a sparse update, and the optimizers of Keras 3 apply
        # duplicate ids of it one by one: training then differs from every other engine.
        table = table * 1.0
    return kops.take(table, ids, axis=0)


def gelu(x, approximate):
    """The Gaussian error linear unit (https://arxiv.org/abs/1606.08415) of a float tensor.

    By the error function, or (approximate=True) by the tanh formula of the paper.
    """
    if _KERAS_3 and keras.backend.backend() != 'tensorflow':
        return kops.gelu(x, approximate=approximate)  # on PyTorch one kernel, in a quarter of the time
    if approximate:
        return 0.5 * x * (1.0 + kops.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
    # On TensorFlow that of Keras 3 is by erfc: twice as slow, and tf2onnx does not know it.
    return 0.5 * x * (1.0 + kops.erf(x * math.sqrt(0.5)))


# ------------------------------------------------------------------ layers

def register(cls):
    """Class decorator: makes `load_model` find a layer of ours, and only ever ours, by its name."""
    saving = getattr(keras, 'saving', keras.utils)
    package_qualified = getattr(saving, 'register_keras_serializable',
                                getattr(keras.utils, 'register_keras_serializable', None))
    # The bare name too: files of the Kerases that cannot qualify hold it. It is one that Keras lacks.
    keras.utils.get_custom_objects()[cls.__name__] = cls
    return package_qualified(package='bert4keras')(cls) if package_qualified else cls


def custom_object(name):
    """The custom object registered as `name`, scopes included (`load_model` opens one), or None."""
    for module in (getattr(keras, 'saving', None), keras.utils):
        if hasattr(module, 'get_registered_object'):
            return module.get_registered_object(name)
    return keras.utils.get_custom_objects().get(name)


def _policy():
    """The process-wide dtype policy, or None on a Keras that has none."""
    if _KERAS_3:
        return keras.config.dtype_policy()
    global_policy = getattr(getattr(keras, 'mixed_precision', None), 'global_policy', None)
    return global_policy() if global_policy else None


def default_dtype():
    """What a layer of ours passes as `dtype` when the user gave none.

    None lets Keras apply its policy. Kerases without policies infer the dtype from the first inputs,
    which are integer ids here, so there it is the default float.
    """
    return None if _policy() else keras.backend.floatx()


def full_precision_dtype():
    """`default_dtype()`, but float32 where the policy computes in float16 or bfloat16."""
    low = _policy() and _policy().compute_dtype in ('float16', 'bfloat16')
    return 'float32' if low else default_dtype()


def variable_dtype(layer):
    """The dtype, a name, of the weights that `layer` is to create."""
    return layer.variable_dtype if _KERAS_3 else (layer.dtype or keras.backend.floatx())


def compute_dtype(layer):
    """The dtype, a name, that `layer` computes in."""
    for attribute in ('compute_dtype', '_compute_dtype'):
        if getattr(layer, attribute, None):
            return getattr(layer, attribute)
    return variable_dtype(layer)


_skipped_layers = frozenset()


@contextlib.contextmanager
def skip_initialization(layer_names):
    """Layers of these names get zeros for initial weights: they are about to be loaded."""
    global _skipped_layers
    before, _skipped_layers = _skipped_layers, frozenset(layer_names)
    try:
        yield
    finally:
        _skipped_layers = before


def initializer(layer, wanted):
    """The initializer `wanted`, or zeros for a layer that `skip_initialization` names."""
    if layer.name not in _skipped_layers:
        return wanted
    # in a graph of TensorFlow 1 arrays would be constants
    return _untouched_zeros if _KERAS_3 else 'zeros'


def _untouched_zeros(shape, dtype=None):
    """Zeros as a tensor; on JAX they take neither time nor memory before they are looked at."""
    return kops.convert_to_tensor(_aligned_zeros(shape, dtype), dtype=dtype)


def _aligned_zeros(shape, dtype):
    """NumPy's zeros, untouched, at an address that JAX's CPU engine uses without making a copy."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype='int64')) * dtype.itemsize
    space = np.zeros(size + 64, 'uint8')
    start = -space.ctypes.data % 64
    return space[start:start + size].view(dtype).reshape(shape)


# ------------------------------------------------------------------ variables

def get_values(variables):
    """The values of Keras variables, as a list of NumPy arrays."""
    if _KERAS_3:
        return [kops.convert_to_numpy(variable) for variable in variables]
    return keras.backend.batch_get_value(list(variables))


def set_values(pairs):
    """Assigns (variable, array) pairs, read one at a time where that Keras can."""
    if _KERAS_3:
        for variable, value in pairs:
            # a copy: JAX would go on using the mapped file, whatever becomes of it
            copy = _aligned_zeros(value.shape, value.dtype)
            copy[...] = value
            variable.assign(copy)
    else:
        keras.backend.batch_set_value([(variable, np.asarray(value)) for variable, value in pairs])


def dtype_name(tensor):
    """The dtype of a tensor or variable, a name."""
    return keras.backend.standardize_dtype(tensor.dtype) if _KERAS_3 else tensor.dtype.base_dtype.name


# ------------------------------------------------------------------ what optimizers need

def dense(gradient, like, indices=None):
    """A gradient as a tensor, where TensorFlow gives that of a gather as rows of the variable `like`."""
    if _KERAS_3:  # adding is what sums rows that are there twice
        return kops.add(kops.zeros_like(like), gradient) if keras.backend.backend() == 'tensorflow' else gradient
    if indices is not None:
        gradient = tf.IndexedSlices(gradient, indices, tf.shape(like))
    return tf.convert_to_tensor(gradient)


def group(operations):
    """One operation for several, on TensorFlow."""
    return tf.group(*operations)


def after(tensors):
    """A context: what is made in it runs when all the tensors are computed, in graphs of TensorFlow."""
    return tf.control_dependencies(tensors)


# ------------------------------------------------------------------ defaults of this process

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


def describe():
    """One line for people: which Keras runs on which engine, with their versions."""
    if _KERAS_3:
        engine = keras.backend.backend()
        version = sys.modules[engine].__version__ if engine in sys.modules else ''
        return 'Keras %s on %s %s' % (keras.__version__, engine, version)
    name = 'Keras %s' % keras.__version__ if keras.__name__ == 'keras' else 'tf.keras'
    return '%s on tensorflow %s' % (name, tf.__version__)
