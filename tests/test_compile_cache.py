# -*- coding: utf-8 -*-
"""BERT4KERAS_COMPILE_CACHE: JAX keeps what it compiled in a directory that is its owner's alone."""
from __future__ import absolute_import, division, print_function

import os
import subprocess
import sys

import pytest

from bert4keras import which_keras
from bert4keras.backend import keras

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STEP = '''
import logging
logging.basicConfig(level=logging.INFO)
import numpy as np
from bert4keras.backend import keras
model = keras.models.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
model.compile('adam', 'mse')
print(float(model.train_on_batch(np.ones((4, 3), 'float32'), np.ones((4, 2), 'float32'))) > 0)
'''


def run(directory, code=STEP):
    """What a process says with the cache in a directory."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith('JAX_')}
    environment.update(BERT4KERAS_COMPILE_CACHE=str(directory), PYTHONPATH=os.pathsep.join(
        [os.path.dirname(os.path.dirname(which_keras.__file__)), environment.get('PYTHONPATH', '')]))
    process = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=environment)
    return process.communicate()[0].decode('utf-8', 'replace')


if keras.backend.backend() == 'jax':
    @pytest.mark.slow
    def test_a_second_process_compiles_nothing(tmp_path):
        """The first fills the directory, which nobody else may read; the second adds nothing."""
        directory = tmp_path / 'made' / 'here'
        output = run(directory)
        made = sorted(os.listdir(str(directory)))
        programs = [name for name in made if name.endswith('-cache')]
        assert 'True' in output and programs and os.stat(str(directory)).st_mode & 0o777 == 0o700
        assert 'True' in run(directory)
        assert [name for name in sorted(os.listdir(str(directory))) if name.endswith('-cache')] == programs


def test_other_engines_leave_it(tmp_path, monkeypatch, caplog):
    """They say so, and make nothing."""
    caplog.set_level('INFO')
    monkeypatch.setenv('BERT4KERAS_COMPILE_CACHE', str(tmp_path / 'made'))
    which_keras._keep_compiled('torch')
    assert 'torch, keeps nothing; JAX does' in caplog.text and not (tmp_path / 'made').exists()


@pytest.mark.skipif(not hasattr(os, 'getuid'), reason='files have no owner here')
@pytest.mark.parametrize('mode', [0o770, 0o702])
def test_a_directory_of_others_is_refused(tmp_path, mode, monkeypatch):
    """Those who can write there could have their programs run."""
    os.chmod(str(tmp_path), mode)
    monkeypatch.setenv('BERT4KERAS_COMPILE_CACHE', str(tmp_path))
    with pytest.raises(ValueError, match='others can write to that directory.*chmod 700'):
        which_keras._keep_compiled('jax')
    which_keras._keep_compiled('torch')


@pytest.mark.skipif(not hasattr(os, 'getuid'), reason='files have no owner here')
def test_a_directory_of_somebody_else_is_refused(tmp_path, monkeypatch):
    """Whatever its mode."""
    os.chmod(str(tmp_path), 0o700)
    monkeypatch.setenv('BERT4KERAS_COMPILE_CACHE', str(tmp_path))
    monkeypatch.setattr(os, 'getuid', lambda: os.stat(str(tmp_path)).st_uid + 1)
    with pytest.raises(ValueError, match='others can write'):
        which_keras._keep_compiled('jax')
