# -*- coding: utf-8 -*-
"""Tests of the package as a whole: what importing it costs, what its source may hold, its metadata."""
from __future__ import absolute_import, division, print_function

import io
import os
import re
import subprocess
import sys

import pytest

import bert4keras

pytestmark = pytest.mark.engine_free
PACKAGE = os.path.dirname(os.path.abspath(bert4keras.__file__))
ENGINES = ('keras', 'tf_keras', 'tensorflow', 'jax', 'torch')
OTHERS = ('adjustText', 'h5py', 'matplotlib', 'pyarrow', 'ray', 'safetensors', 'scipy', 'sentencepiece', 'sklearn', 'tqdm',
          'transformers')


def source(name):
    """The text of a module of the package."""
    with io.open(os.path.join(PACKAGE, name), encoding='utf-8') as stream:
        return stream.read()


MODULES = sorted(os.path.relpath(os.path.join(directory, name), PACKAGE).replace(os.sep, '/')
                 for directory, _, names in os.walk(PACKAGE) for name in names if name.endswith('.py'))


@pytest.mark.parametrize('module', ['bert4keras', 'bert4keras.tokenizer', 'bert4keras.checkpoint',
                                    'bert4keras.reference', 'bert4keras.families', 'bert4keras.cli',
                                    'bert4keras.snippets'])
def test_import_is_light(module):
    """In a fresh process it imports no engine, nor anything else from outside Python but NumPy and the checksum."""
    code = 'import sys, %s; print(" ".join(sorted({name.split(".")[0] for name in sys.modules})))' % module
    output = subprocess.check_output([sys.executable, '-c', 'from __future__ import print_function; ' + code])
    found = set(output.decode('ascii').split())
    assert 'bert4keras' in found and not found.intersection(ENGINES + OTHERS)


@pytest.mark.parametrize('name', [name for name in MODULES if not name.startswith('seam/') and name not in (
    'backend.py', 'early/backend.py', 'which_keras.py', 'keras_bert/backend.py', 'optimizers/seam.py',
    'pretraining/seam.py', 'pretraining/devices.py')])
def test_only_the_seam_knows_versions(name):
    """Outside backend.py, what belongs to it, and the smaller seams, no module asks which Keras runs."""
    text = re.sub(r'"""[\s\S]*?"""', '', source(name))
    for pattern in (r'hasattr\(\s*(keras|kops|tf)\b', r'(keras|tf|tensorflow|jax|torch)\.__version__',
                    r'^\s*(import|from) (keras|tf_keras|tensorflow|jax|torch)\b', r'version_info', r'_KERAS_3',
                    r'getattr\(\s*(keras|kops|tf)\b', r'keras\.backend\.backend\(', r'[\'"]TF_KERAS|TF_USE_LEGACY',
                    r'environ.*KERAS_BACKEND', r'Keras [23]\.\d|TensorFlow [12]\.\d'):
        assert not re.search(pattern, text, re.M), (name, pattern)


@pytest.mark.parametrize('name', MODULES)
def test_source_keeps_to_the_rules(name):
    """No Lambda layers, no private parts of TensorFlow, nothing that unpickles, no lines over 120."""
    text = source(name)
    for pattern in (r'\bLambda\(', r'tensorflow\.python', r'\bpickle\.loads?\b', r'allow_pickle=True', r'\bassert '):
        assert not re.search(pattern, text), (name, pattern)
    assert max(len(line) for line in text.splitlines()) <= 120


def test_source_is_valid_python_2_and_3():
    """Every module compiles under this row's Python; the rows are of both kinds."""
    for name in MODULES:
        compile(source(name).encode('utf-8'), name, 'exec', 0, True)


def test_metadata():
    """The wheel offers the extras, asks for no engine by itself, and serves Python 2 and 3."""
    metadata = pytest.importorskip('importlib.metadata', reason='needs Python 3.8')
    try:
        distribution = metadata.distribution('bert4keras')
    except metadata.PackageNotFoundError:
        distribution = None
    if distribution is None or distribution.read_text('WHEEL') is None:
        pytest.skip('the package is not installed, only on the path')
    fields = distribution.metadata
    assert fields['Version'] == bert4keras.__version__ and fields['License']
    assert sorted(fields.get_all('Provides-Extra')) == [
        'beam', 'demo', 'jax', 'plot', 'ray', 'sentencepiece', 'tensorflow', 'test', 'torch']
    always = [line for line in fields.get_all('Requires-Dist') if 'extra ==' not in line]
    assert sorted(re.split(r'[\s;<>=!]', line)[0] for line in always) == ['crc32c', 'numpy', 'tqdm']
    assert all('==' not in line.split(';')[0] for line in fields.get_all('Requires-Dist'))
    tags = re.findall(r'^Tag: (.*)$', distribution.read_text('WHEEL'), re.M)
    assert sorted(tags) == ['py2-none-any', 'py3-none-any']
