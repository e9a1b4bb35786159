# -*- coding: utf-8 -*-
"""Several devices and several processes train to the weights of one, with unequal numbers of masked tokens."""
from __future__ import absolute_import, division, print_function

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

import bert4keras
from bert4keras import backend
from bert4keras.pretraining.seam import OneDevice, devices
from tests.helpers.pretraining import make_folder

pytestmark = pytest.mark.slow
ENGINE = backend.keras.backend.backend()
IS_TF_KERAS = not backend.IS_KERAS_3 and backend.keras.__name__ != 'keras' and backend.tf.__version__ >= '2'
CASES = {'jax': [('local', 4, 1), ('machines', 1, 2)], 'torch': [('machines', 1, 2)],
         'tensorflow': [('local', 2, 1)] if backend.IS_KERAS_3 or IS_TF_KERAS else []}[ENGINE]

# What trains in a fresh process, and writes its weights: for two steps, each in two parts.
CODE = '''
import pathlib, sys
sys.path[:0] = sys.argv[1:3]
folder, output, distribute, count = pathlib.Path(sys.argv[3]), sys.argv[4], sys.argv[5], int(sys.argv[6])
if count > 1 and sys.argv[7] == 'tensorflow':
    import tensorflow as tf
    cpu = tf.config.list_physical_devices('CPU')[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
import numpy as np
from bert4keras.pretraining.training import Training
from tests.helpers.pretraining import settings, without_dropout
training = Training(settings(folder, accumulate=1, distribute=distribute))
assert training.devices.count() == (1 if distribute == 'none' else max(count, int(sys.argv[8])))
losses = [training.step(without_dropout(training.feed(step)))['loss'] for step in range(3)]
np.savez(output, losses=losses, **training.bert.get_variables())
'''


def free_port():
    """The number of a port that is free now."""
    with socket.socket() as each:
        each.bind(('localhost', 0))
        return each.getsockname()[1]


def train(folder, name, distribute, count, processes, code=CODE):
    """The weights, and the losses, of a training by so many processes with so many devices each; of each process."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(bert4keras.__file__)))
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    ports = [free_port(), free_port()]
    started, outputs = [], []
    for rank in range(processes):
        environment = dict(os.environ)
        if ENGINE == 'jax' and count > 1:
            environment['XLA_FLAGS'] = '--xla_force_host_platform_device_count=%d' % count
        if distribute == 'machines':
            environment.update(
                RANK=str(rank), WORLD_SIZE=str(processes), MASTER_ADDR='localhost', MASTER_PORT=str(ports[0]),
                KERAS_DISTRIBUTION_JOB_ADDRESSES='localhost:%d,localhost:%d' % tuple(ports),
                KERAS_DISTRIBUTION_NUM_PROCESSES=str(processes), KERAS_DISTRIBUTION_PROCESS_ID=str(rank))
        outputs.append(str(folder / ('%s-%d.npz' % (name, rank))))
        started.append(subprocess.Popen(
            [sys.executable, '-c', code, tests, package, str(folder), outputs[-1], distribute, str(count), ENGINE,
             str(processes)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    for process in started:
        text = process.communicate()[0]
        assert process.returncode == 0, text.decode('utf-8')
    found = []
    for output in outputs:
        with np.load(output) as arrays:
            found.append(dict(arrays))
    return found


@pytest.mark.skipif(not CASES, reason='this Keras trains on one device only')
def test_as_on_one_device(tmp_path):
    """Devices of one machine, and processes: weights within 1e-5, and the same losses, as on one device."""
    make_folder(tmp_path)
    expected, = train(tmp_path, 'one', 'none', 1, 1)
    assert len(set(np.round(expected['losses'], 3))) == 3
    for distribute, count, processes in CASES:
        for found in train(tmp_path, distribute, distribute, count, processes):
            np.testing.assert_allclose(found['losses'], expected['losses'], rtol=1e-5)
            for name in expected:
                if 'key/bias' not in name:  # its gradient is 0, as softmax knows no constant: what is left is rounding
                    np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)


CODE_OF_ALL = CODE[:CODE.index('training = ')] + '''
from bert4keras.pretraining import training
class Process(object):
    devices = training.devices('machines')
assert Process.devices.processes == 2
assert Process.devices.of_all(7 + Process.devices.rank) == [7, 8]
assert training.check_start(Process, 3) == 3
try:
    training.check_start(Process, 4 * Process.devices.rank)
except ValueError as error:
    np.savez(output, message=str(error))
'''


if ('machines', 1, 2) in CASES:
    def test_processes_that_would_go_on_after_different_steps(tmp_path):
        """Such as one that does not see the directory of the checkpoints: an error in all, and none of them waits."""
        for found in train(tmp_path, 'different', 'machines', 1, 2, CODE_OF_ALL):
            assert 'different steps, 0, 4: --output must be one directory' in str(found['message'])


def test_what_cannot_be_is_said(monkeypatch):
    """The error names the Keras in use, and those that can."""
    if ENGINE == 'torch':
        monkeypatch.delenv('RANK', raising=False)
        with pytest.raises(ValueError, match='torchrun'):
            devices('local')
    elif ENGINE == 'tensorflow':
        with pytest.raises(ValueError, match='ensorflow.* cannot train with --distribute machines: .*JAX'):
            devices('machines')
    if ENGINE == 'tensorflow' and not CASES:
        with pytest.raises(ValueError, match='cannot train with --distribute local: tf.keras of TensorFlow 2'):
            devices('local')
    assert devices('none').count() == 1
    assert [OneDevice().part(6), TwoProcesses().part(6)] == [slice(0, 6), slice(3, 6)]


class TwoProcesses(OneDevice):
    """As the second of two."""

    rank, processes = 1, 2
