# -*- coding: utf-8 -*-
"""A training that is killed at the worst moments ends with the weights of one that was not."""
from __future__ import absolute_import, division, print_function

import os
import subprocess
import sys

import numpy as np
import pytest

import bert4keras
from bert4keras import backend
from bert4keras.pretraining.checkpoints import checkpoints, load_state
from bert4keras.pretraining.reader import Corpus
from tests.helpers.pretraining import BATCH, free_port, make_folder

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == 'nt', reason='there are no such signals')]
STEPS = 9

# What trains in a fresh process, and does itself in: where, and in which of its steps.
CODE = '''
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from bert4keras import cli
from bert4keras.pretraining import checkpoints, training
where, steps = sys.argv[2], [int(sys.argv[3])]
step, savez = training.Training.step, np.savez

def counted_step(self, fed):
    steps[0] -= 1
    if where == 'window' and not steps[0]:  # after some of the parts of a batch
        for part in fed.parts[:2]:
            self._train_on(*part)
        os.kill(os.getpid(), signal.SIGKILL)
    if where == 'terminated' and not steps[0]:
        os.kill(os.getpid(), signal.SIGTERM)
    return step(self, fed)

def half_savez(stream, **arrays):
    if where == 'saving' and steps[0] <= 0:
        savez(stream, **{name: arrays[name] for name in sorted(arrays)[:9]})
        stream.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    savez(stream, **arrays)

training.Training.step, np.savez = counted_step, half_savez
sys.exit(cli.main(sys.argv[4:]))
'''


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """See `make_folder`."""
    folder = tmp_path_factory.mktemp('kills')
    make_folder(folder)
    return folder


def train(folder, output, where='nowhere', step=0):
    """(exit code, what was printed) of `bert4keras pretrain` in a fresh process."""
    return ended(start(folder, output, where, step))


def start(folder, output, where='nowhere', step=0, options=(), **environment):
    """`bert4keras pretrain` as a process, which does something to itself in that of its steps."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(bert4keras.__file__)))
    return subprocess.Popen(
        [sys.executable, '-c', CODE, package, where, str(step), 'pretrain', str(folder / 'release'), '--corpus',
         str(folder / 'bert'), '--output', str(folder / output), '--steps', str(STEPS), '--batch-size', str(BATCH),
         '--accumulate', '3', '--learning-rate', '0.02', '--save-every', '2', '--log-every', '1'] + list(options),
        env=dict(os.environ, **environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process):
    """(exit code, what was printed) of a process that ends by itself."""
    out, errors = process.communicate()
    return process.returncode, out.decode('utf-8') + errors.decode('utf-8')


def test_killed_at_the_worst_moments(folder):
    """Inside a window of parts, while saving, told to end: in the end the weights are as if it had never stopped."""
    assert len(Corpus(str(folder / 'bert'))) < 3 * BATCH  # all that happens is after the first epoch
    killed, output = str(folder / 'killed'), []
    for where, step, code, saved in (('window', 4, -9, 2), ('saving', 4, -9, 4), ('terminated', 2, 143, 6)):
        found, text = train(folder, 'killed', where, step)
        assert found == code, text
        assert checkpoints(killed)[-1] == saved, text
        output.append(text)
    assert 'going on after step 2' in output[1] and 'going on after step 4' in output[2]
    assert 'stopped after step 6 of 9 and saved: the same command goes on from there' in output[2]
    for name in ('killed', 'straight'):
        found, text = train(folder, name)
        assert found == 0, text
    assert [name for name in os.listdir(killed) if name.startswith('.')] == []  # what was half written is gone
    one, other = load_state(killed, STEPS), load_state(str(folder / 'straight'), STEPS)
    for name in other.weights:
        if adds_in_one_order():
            np.testing.assert_array_equal(one.weights[name], other.weights[name], err_msg=name)
        elif 'key/bias' not in name:  # its gradient is 0, as softmax knows no constant: what is left is rounding
            np.testing.assert_allclose(one.weights[name], other.weights[name], atol=1e-5, err_msg=name)
    if adds_in_one_order():
        assert all(map(np.array_equal, one.optimizer, other.optimizer))


if backend.keras.backend.backend() == 'torch':  # the one whose processes start the quickest
    def test_one_of_two_processes_is_killed(folder):
        """The other says so and ends. Where one is told to end, both save. The last weights are equal."""
        (code, text), (killed, _) = train_two(folder, 'one-killed', 'window', 4)
        assert (code, killed) == (2, -9), text
        assert 'process 1 of 2 could not go on with the others: ' in text and 'start all again' in text
        assert checkpoints(str(folder / 'one-killed'))[-1] == 2
        for code, text in train_two(folder, 'one-killed', 'terminated', 3):
            assert code == 143 and 'stopped after step 5 of 9 and saved' in text, text
        assert checkpoints(str(folder / 'one-killed'))[-1] == 5
        for name in ('one-killed', 'none-killed'):
            for code, text in train_two(folder, name):
                assert code == 0, text
        one, other = [load_state(str(folder / name), STEPS) for name in ('one-killed', 'none-killed')]
        for name in other.weights:
            np.testing.assert_array_equal(one.weights[name], other.weights[name], err_msg=name)
        assert all(map(np.array_equal, one.optimizer, other.optimizer))


def train_two(folder, output, where='nowhere', step=0):
    """(exit code, what was printed) of two processes that train together; the second does something to itself."""
    environment = {'WORLD_SIZE': '2', 'MASTER_ADDR': 'localhost', 'MASTER_PORT': str(free_port()),
                   'OMP_NUM_THREADS': '1'}
    processes = [start(folder, output, place, step, ['--distribute', 'machines'], RANK=str(rank), **environment)
                 for rank, place in enumerate(['nowhere', where])]
    return [ended(process) for process in processes]


def adds_in_one_order():
    """Whether an engine does the same twice: TensorFlow 1's graphs run in any order."""
    return not getattr(sys.modules.get('tensorflow'), '__version__', '2').startswith('1.')
