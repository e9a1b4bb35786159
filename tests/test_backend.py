# -*- coding: utf-8 -*-
"""Tests of bert4keras.backend: the same operations on every Keras, and how a Keras is chosen."""
from __future__ import absolute_import, division, print_function

import os
import subprocess
import sys

import numpy as np
import pytest

from bert4keras import backend
from bert4keras.backend import ENGINES, compute_dtype, describe, gather, keras, kops
from bert4keras.layers import ACTIVATIONS, BertDense
from bert4keras.seam import keras2, keras3

RANDOM = np.random.RandomState(0)
X = RANDOM.standard_normal((5, 3, 7)).astype('float32')
Y = RANDOM.standard_normal((5, 7, 3)).astype('float32')
BOOLS = RANDOM.randint(0, 2, (5, 1, 7)).astype(bool)
OPERATIONS = {
    'arange': (lambda: kops.arange(5), np.arange(5)),
    'cast': (lambda: kops.cast(X, 'int32'), X.astype('int32')),
    'equal': (lambda: kops.equal(X, X[0]), X == X[0]),
    'expand_dims': (lambda: kops.expand_dims(X, 1), X[:, None]),
    'gather': (lambda: gather(kops.cast(X, 'float32'), np.array([[4, 0], [1, 1]])), X[np.array([[4, 0], [1, 1]])]),
    'logical_and': (lambda: kops.logical_and(BOOLS, BOOLS[0]), BOOLS & BOOLS[0]),
    'logical_not': (lambda: kops.logical_not(BOOLS), ~BOOLS),
    'logical_or': (lambda: kops.logical_or(BOOLS, BOOLS[0]), BOOLS | BOOLS[0]),
    'matmul': (lambda: kops.matmul(kops.cast(X, 'float32'), kops.cast(Y, 'float32')), np.matmul(X, Y)),
    'max': (lambda: kops.max(X, axis=-2), X.max(-2)),
    'maximum': (lambda: kops.maximum(X, 1), np.maximum(X, 1)),
    'mean': (lambda: kops.mean(kops.cast(X, 'float32'), axis=-1, keepdims=True), X.mean(-1, keepdims=True)),
    'minimum': (lambda: kops.minimum(X, 1), np.minimum(X, 1)),
    'not_equal': (lambda: kops.not_equal(X, X[0]), X != X[0]),
    'power': (lambda: kops.power(kops.cast(X, 'float32'), 2.0), X ** 2.0),
    'relu': (lambda: kops.relu(X), np.maximum(X, 0)),
    'reshape': (lambda: kops.reshape(X, (-1, 7)), X.reshape(-1, 7)),
    'rsqrt': (lambda: kops.rsqrt(X * X + 1), 1 / np.sqrt(X * X + 1)),
    'sigmoid': (lambda: kops.sigmoid(X), 1 / (1 + np.exp(-X))),
    'softmax': (lambda: kops.softmax(kops.cast(X, 'float32'), axis=-1),
                np.exp(X) / np.exp(X).sum(-1, keepdims=True)),
    'sparse_categorical_crossentropy': (
        lambda: kops.sparse_categorical_crossentropy(np.array([0, 2, 1]), kops.cast(np.array(
            [[.5, .5, 0], [.2, .7, .1], [1, 0, 0]]), 'float32')), np.array([0.6931472, 2.3025851, 16.118095])),
    'sparse_categorical_crossentropy of logits': (
        lambda: kops.sparse_categorical_crossentropy(np.array([0, 2]), kops.cast(np.array(
            [[0, 0, -99], [99, 0, 0]]), 'float32'), from_logits=True), np.array([0.6931472, 99])),
    'sqrt': (lambda: kops.sqrt(kops.cast(X * X, 'float32')), np.abs(X)),
    'square': (lambda: kops.square(X), X * X),
    'tanh': (lambda: kops.tanh(X), np.tanh(X)),
    'transpose': (lambda: kops.transpose(X, (0, 2, 1)), X.transpose(0, 2, 1)),
    'where': (lambda: kops.where(BOOLS, kops.cast(X, 'float32'), -2.0), np.where(BOOLS, X, -2.0)),
}


def evaluate(tensor):
    """A tensor of any Keras as a NumPy array."""
    if hasattr(kops, 'convert_to_numpy'):
        return kops.convert_to_numpy(tensor)
    return tensor.numpy() if hasattr(tensor, 'numpy') else keras.backend.get_session().run(tensor)


@pytest.mark.parametrize('name', sorted(OPERATIONS))
def test_operations_mean_the_same(name):
    """Each operation equals NumPy's, broadcasting included."""
    operation, expected = OPERATIONS[name]
    np.testing.assert_allclose(evaluate(operation()), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize('name', sorted(ACTIVATIONS))
def test_activations_mean_the_same(name):
    """Each activation, inside a layer, equals the reference's; softmax sums to 1."""
    from bert4keras import reference
    inputs = keras.layers.Input(shape=(7,))
    model = keras.models.Model(inputs, BertDense(7, activation=name)(inputs))
    kernel, bias = np.eye(7, dtype='float32') * 3, np.zeros(7, 'float32')
    model.set_weights([kernel, bias])
    expected = dict(reference.ACTIVATIONS, softmax=reference.softmax)[name](3.0 * X[0].astype('float64'))
    np.testing.assert_allclose(model.predict(X[0]), expected, rtol=1e-5, atol=1e-6)


def test_both_halves_of_the_seam_offer_the_same():
    """What keras3.py has keras2.py has, too, with the same arguments; it is what backend.py offers."""
    arguments = {module: {name: getattr(module, name).__code__.co_varnames[:getattr(module, name).__code__.co_argcount]
                          for name in module.__all__ if name != 'untouched_zeros'} for module in (keras2, keras3)}
    assert keras2.__all__ == keras3.__all__ and arguments[keras2] == arguments[keras3]
    running = keras3 if backend.IS_KERAS_3 else keras2
    assert [name for name in running.__all__ if name != 'policy'
            and getattr(backend, name) is not getattr(running, name)] == []


def test_describe_names_keras_and_engine():
    """The line that the command prints names the Keras and an engine."""
    assert any(engine in describe() for engine in ENGINES)


def test_layers_compute_in_the_default_float():
    """Without a policy, and whatever the inputs' dtype, a layer computes in float32."""
    layer = BertDense(3)
    layer(keras.layers.Input(shape=(7,)))
    assert compute_dtype(layer) == 'float32' and layer.get_config()['dtype'] is not None


# ------------------------------------------------------------------ which Keras

PROBE = 'import bert4keras.backend as b; print(b.keras.backend.backend())'


def import_backend(directory, modules, keras_json=None, **environment):
    """Imports the backend where only stand-ins for `modules` are installed: (exit code, output)."""
    for name in modules:
        with open(os.path.join(directory, name + '.py'), 'w') as stream:
            if name == 'keras':
                stream.write('import os, types\nops = object()\nbackend = types.ModuleType("backend")\n'
                             'backend.backend = lambda: os.environ.get("KERAS_BACKEND", "default")\n')
    home = os.path.join(directory, 'home')
    os.mkdir(home)
    if keras_json:
        with open(os.path.join(home, 'keras.json'), 'w') as stream:
            stream.write(keras_json)
    import bert4keras
    package = os.path.dirname(os.path.dirname(os.path.abspath(bert4keras.__file__)))
    # the installed packages are hidden, and NumPy, which the backend imports, is an empty module
    code = ('import sys; sys.path[:] = [p for p in sys.path if "site-packages" not in p];'
            'sys.path.insert(0, %r); import types; sys.modules["numpy"] = types.ModuleType("numpy");'
            'sys.path.append(%r); import bert4keras; sys.path.remove(%r);' % (directory, package, package)) + PROBE
    env = dict(os.environ, KERAS_HOME=home, PYTHONPATH='')
    for name in ('KERAS_BACKEND', 'TF_KERAS'):
        env.pop(name, None)
    env.update(environment)
    process = subprocess.Popen([sys.executable, '-c', code], env=env, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    output = process.communicate()[0].decode('utf-8')
    return process.returncode, output


@pytest.mark.parametrize('installed, keras_json, environment, expected', [
    (['tensorflow', 'jax', 'torch'], None, {}, 'tensorflow'),
    (['jax', 'torch'], None, {}, 'jax'),
    (['torch'], None, {}, 'torch'),
    (['jax', 'torch'], None, {'KERAS_BACKEND': 'torch'}, 'torch'),
    (['jax', 'torch'], '{"backend": "torch"}', {}, 'default'),  # left to Keras, which reads the file
    (['jax'], '{"backend": "tensorflow"}', {}, 'jax'),  # what Keras writes unasked at its first import
    (['jax'], '{"backend": ', {}, 'jax'),
])
def test_the_engine_chosen(tmp_path, installed, keras_json, environment, expected):
    """KERAS_BACKEND, else an installed engine of keras.json, else the first that is installed."""
    code, output = import_backend(str(tmp_path), ['keras'] + installed, keras_json, **environment)
    assert (code, output.strip().splitlines()[-1]) == (0, expected), output


@pytest.mark.parametrize('environment', [{}, {'KERAS_BACKEND': 'jax'}, {'TF_KERAS': '1'}])
def test_a_keras_json_that_is_no_object(tmp_path, environment):
    """Keras itself ends in an AttributeError; ours names the file and says what to do."""
    code, output = import_backend(str(tmp_path), ['keras', 'jax', 'tensorflow'], '[]', **environment)
    assert code != 0 and 'ImportError' in output and 'keras.json holds a JSON list' in output


def test_tf_keras_without_tensorflow(tmp_path):
    """TF_KERAS=1 where there is no TensorFlow: the variable and the remedy are named."""
    code, output = import_backend(str(tmp_path), ['keras', 'jax'], TF_KERAS='1')
    assert code != 0 and 'ImportError' in output and 'TF_KERAS=1 asks for' in output and 'unset TF_KERAS' in output


@pytest.mark.parametrize('installed', [[], ['keras']])
def test_nothing_installed_says_what_mends_it(tmp_path, installed):
    """Without a Keras, or without an engine, the ImportError shows a pip command."""
    code, output = import_backend(str(tmp_path), installed)
    assert code != 0 and 'ImportError' in output and 'pip install "keras>=3" jax' in output
