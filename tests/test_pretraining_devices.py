# -*- coding: utf-8 -*-
"""Several devices and several processes train to the weights of one, with unequal numbers of masked tokens."""
from __future__ import absolute_import, division, print_function

import ctypes
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import bert4keras
from bert4keras import backend
from bert4keras.pretraining.devices import (
    LostProcess, OneDevice, devices, exit_code, kept_signals, place_in, strategy_name)
from tests.helpers.pretraining import free_port, make_folder, settings

pytestmark = pytest.mark.slow
ENGINE = backend.keras.backend.backend()
IS_TF_KERAS = not backend.IS_KERAS_3 and backend.keras.__name__ != 'keras' and backend.tf.__version__ >= '2'
HAS_WORKERS = IS_TF_KERAS and hasattr(backend.tf.distribute, 'MultiWorkerMirroredStrategy')
CASES = {'jax': [('local', 4, 1), ('machines', 1, 2)], 'torch': [('machines', 1, 2)], 'tensorflow':
         [('local', 2, 1)] * (backend.IS_KERAS_3 or IS_TF_KERAS) + [('machines', 1, 2)] * HAS_WORKERS}[ENGINE]

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
from bert4keras.pretraining import training as module
from bert4keras.pretraining.training import Training
from tests.helpers.pretraining import settings, without_dropout
training = Training(settings(folder, accumulate=1, distribute=distribute))
assert training.devices.count() == (1 if distribute == 'none' else max(count, int(sys.argv[8])))
losses = [training.step(without_dropout(training.feed(step)))['loss'] for step in range(3)]
if distribute == 'machines':
    rank = training.devices.rank
    assert training.devices.processes == 2 and training.devices.of_all(7 + rank) == [7, 8]
    assert module.check_start(training, 3) == 3
    try:
        module.check_start(training, 4 * rank)
    except ValueError as error:  # in all, and none of them waits
        assert 'different steps, 0, 4: --output must be one directory' in str(error)
    else:
        raise AssertionError('the processes would go on after different steps')
np.savez(output, losses=losses, **training.bert.get_variables())
'''


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
                TF_CONFIG=json.dumps({'cluster': {'worker': ['localhost:%d' % port for port in ports]},
                                      'task': {'type': 'worker', 'index': rank}}),
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



if ENGINE == 'torch':  # the others sum before they look whether all is finite
    def test_a_part_that_is_not_finite_in_one_process(tmp_path):
        """In float16 both drop the step, none waits for the other, and they end with the same weights."""
        make_folder(tmp_path)
        code = CODE.replace('accumulate=1', "accumulate=1, precision='mixed_float16'").replace(
            'without_dropout(training.feed(step))', 'too_much(without_dropout(training.feed(step)), step)').replace(
            'losses = ', TOO_MUCH + 'losses = ', 1)
        expected, = train(tmp_path, 'one', 'none', 1, 1, code)
        first, second = train(tmp_path, 'two', 'machines', 1, 2, code)
        assert expected['losses'][1] > 1e20
        for name in set(expected) - {'losses'}:
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)
            if 'key/bias' not in name:  # see above; float16 rounds each process' mean by 2e-4 of it
                np.testing.assert_allclose(first[name], expected[name], atol=2e-3, err_msg=name)


# What makes the gradients of the first row of step 1, which is that of the first process, be beyond float16.
TOO_MUCH = '''
def too_much(fed, step):
    if step == 1:
        fed.parts[0][1][0] *= np.float32(1e30)
    return fed
'''


def test_what_cannot_be_is_said(monkeypatch):
    """The error names the Keras in use, and those that can."""
    if ENGINE == 'torch':
        monkeypatch.delenv('RANK', raising=False)
        with pytest.raises(ValueError, match='torchrun'):
            devices('local')
    elif HAS_WORKERS:
        monkeypatch.delenv('TF_CONFIG', raising=False)
        with pytest.raises(ValueError, match='TF_CONFIG is not set'):
            devices('machines')
    elif ENGINE == 'tensorflow':
        with pytest.raises(ValueError, match='ensorflow.* cannot train with --distribute machines: .*2.4 .*JAX'):
            devices('machines')
    if ENGINE == 'tensorflow' and not CASES:
        with pytest.raises(ValueError, match='cannot train with --distribute local: tf.keras of TensorFlow 2'):
            devices('local')
    assert devices('none').count() == 1
    assert [OneDevice().part(6), TwoProcesses().part(6)] == [slice(0, 6), slice(3, 6)]


def test_a_lost_process_is_said():
    """Its number, the engine's words, what to do; where it would wait for the others at the exit, it does not."""
    process = TwoProcesses()
    with pytest.raises(LostProcess, match='process 2 of 2 could not .*: Gloo: reset. If .* start all again'):
        with process.together():
            raise RuntimeError('Gloo: reset\nat gloo.cc:547')
    with pytest.raises(KeyError):
        with process.together():
            raise KeyError('of ours')
    for error, code in ((LostProcess('x'), 2), (KeyboardInterrupt(), 130), (SystemExit(143), 143)):
        assert exit_code(error) == code


@pytest.mark.skipif(os.name == 'nt', reason='there are no such signals')
def test_sigterm_is_given_back():
    """An engine puts a handler of its own below Python's, as JAX does; afterwards Python's is asked again."""
    library, found = ctypes.CDLL(None), []
    library.signal.restype, library.signal.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    before = signal.signal(signal.SIGTERM, lambda number, frame: found.append(number))
    try:
        with kept_signals():
            library.signal(signal.SIGTERM, 1)  # SIG_IGN
            os.kill(os.getpid(), signal.SIGTERM)
        assert found == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert found == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_tpus_are_taken_where_there_are_some():
    """By TensorFlow's strategy for them, of a list of kinds; a Keras that cannot says which can."""
    assert strategy_name({'CPU', 'TPU', 'TPU_SYSTEM'}, True) == 'TPUStrategy'
    for kinds in ({'CPU'}, {'CPU', 'GPU'}):
        assert strategy_name(kinds, True) == strategy_name(kinds, False) == 'MirroredStrategy'
    with pytest.raises(ValueError, match='cannot train on TPUs: tf.keras of TensorFlow 2.4 .*JAX can'):
        strategy_name({'CPU', 'TPU'}, False)


if ENGINE == 'jax':
    def test_the_step_is_lowered_for_tpus(tmp_path):
        """JAX makes a program for TPUs of it, without one: all its shapes are fixed, and it calls nothing outside."""
        import jax
        from bert4keras.pretraining.training import Training
        make_folder(tmp_path)
        training = Training(settings(tmp_path))
        inputs, weights = training.feed(0).parts[0]
        lowered = jax.jit(training.model.train_step).trace(
            state_of(training.model), (tuple(inputs), weights[:, :, None])).lower(lowering_platforms=('tpu',))
        text = lowered.as_text()
        assert 'tensor<12x' in text and 'x?' not in text and '<?' not in text and 'callback' not in text


def state_of(model):
    """What the step of a Keras model on JAX takes, as arrays."""
    return tuple([variable.value for variable in variables] for variables in (
        model.trainable_variables, model.non_trainable_variables, model.optimizer.variables, model.metrics_variables))


def test_the_place_that_tf_config_gives():
    """The chief is the first; what is no such config is shown, with one that is."""
    cluster = {'worker': ['a:1', 'b:2', 'c:3'], 'ps': ['d:4']}
    for cluster, task, place in ((cluster, ('worker', 2), (2, 3)),
                                 (dict(cluster, chief=['e:5']), ('worker', 1), (2, 4)),
                                 (dict(cluster, chief=['e:5']), ('chief', 0), (0, 4))):
        text = json.dumps({'cluster': cluster, 'task': dict(zip(('type', 'index'), task))})
        assert place_in(text) == place
    for text in (None, '', '{', '[]', '{"cluster": []}', '{"cluster": {}, "task": {"type": "worker"}}',
                 json.dumps({'cluster': cluster, 'task': {'type': 'ps', 'index': 0}})):
        with pytest.raises(ValueError, match='TF_CONFIG is .*; on tf.keras each process needs one such as'):
            place_in(text)


class TwoProcesses(OneDevice):
    """As the second of two."""

    rank, processes, failures = 1, 2, (RuntimeError,)
