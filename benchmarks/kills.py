# -*- coding: utf-8 -*-
"""A pretraining killed at random moments, again and again: its last weights against those of an undisturbed run.

    python benchmarks/kills.py --kills 20
    python benchmarks/kills.py --kills 20 --processes 2 --steps 150

A BERT of two blocks with dropout trains on made-up text, three parts a step, and saves after every second step. It is
killed (SIGKILL) after a random number of steps and a random time, and started again. Of several processes, which train
together, one is killed; the others must end by themselves, with an error, and all are started again. Exit code 0 if the
last checkpoints, weights and optimizer, are equal bit by bit; set KERAS_BACKEND or TF_KERAS to choose what runs.
"""
from __future__ import absolute_import, division, print_function

import argparse
import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np

from bert4keras.pretraining.checkpoints import checkpoints, load_state
from bert4keras.pretraining.corpus import build_corpus

CONFIG = {'hidden_size': 16, 'num_hidden_layers': 2, 'num_attention_heads': 4, 'intermediate_size': 24,
          'max_position_embeddings': 24, 'type_vocab_size': 2, 'hidden_act': 'gelu', 'hidden_dropout_prob': 0.1,
          'attention_probs_dropout_prob': 0.2}
WORDS, BATCH, PATIENCE = 60, 24, 120  # seconds


def make(folder, random):
    """A config, a vocabulary and a corpus of some 300 rows."""
    vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + ['w%d' % number for number in range(WORDS)]
    with io.open(os.path.join(folder, 'vocab.txt'), 'w', encoding='ascii') as stream:
        stream.write(u'\n'.join(vocabulary) + u'\n')
    with io.open(os.path.join(folder, 'bert_config.json'), 'wb') as stream:
        stream.write(json.dumps(dict(CONFIG, vocab_size=len(vocabulary))).encode('ascii'))
    with io.open(os.path.join(folder, 'text.txt'), 'w', encoding='ascii') as stream:
        for _ in range(120):
            for _ in range(random.randint(2, 6)):
                stream.write(u' '.join(random.choice(vocabulary[5:], random.randint(3, 9))) + u'\n')
            stream.write(u'\n')
    return build_corpus([os.path.join(folder, 'text.txt')], os.path.join(folder, 'vocab.txt'),
                        os.path.join(folder, 'corpus'), mode='bert', length=20, workers=0)['rows']


def start(folder, output, args):
    """The training as one or several processes; the first says what it does."""
    command = [sys.executable, '-m', 'bert4keras.cli', 'pretrain', os.path.join(folder, 'bert_config.json'), '--corpus',
               os.path.join(folder, 'corpus'), '--output', output, '--steps', str(args.steps), '--batch-size',
               str(BATCH), '--accumulate', '3', '--learning-rate', '0.005', '--save-every', '2', '--log-every', '1']
    nowhere, ports = open(os.devnull, 'wb'), [free_port() for _ in range(args.processes)]
    return [subprocess.Popen(command + ['--distribute', 'machines'] * (args.processes > 1), stderr=nowhere,
                             stdout=nowhere if rank else subprocess.PIPE, env=environment(rank, ports))
            for rank in range(args.processes)]


def environment(rank, ports):
    """The variables of a process, of all engines: that of torchrun, of Keras 3 on JAX, and of TensorFlow."""
    addresses = ['localhost:%d' % port for port in ports]
    return dict(os.environ, RANK=str(rank), WORLD_SIZE=str(len(ports)), MASTER_ADDR='localhost',
                MASTER_PORT=str(ports[0]), KERAS_DISTRIBUTION_JOB_ADDRESSES=','.join(addresses),
                KERAS_DISTRIBUTION_NUM_PROCESSES=str(len(ports)), KERAS_DISTRIBUTION_PROCESS_ID=str(rank),
                TF_CONFIG=json.dumps({'cluster': {'worker': addresses}, 'task': {'type': 'worker', 'index': rank}}))


def free_port():
    """The number of a port that is free now."""
    with contextlib.closing(socket.socket()) as each:
        each.bind(('localhost', 0))
        return each.getsockname()[1]


def finish(processes):
    """Waits for processes; the largest exit code."""
    for process in processes:
        process.communicate()
    return max(abs(process.returncode) for process in processes)


def kill_one(processes, random):
    """Kills one of the processes; the seconds until the others have ended, in error."""
    victim = processes[random.randint(len(processes))]
    victim.kill()
    began = time.time()
    while any(process.poll() is None for process in processes):
        if time.time() - began > PATIENCE:
            for process in processes:
                process.kill()
            raise SystemExit('process %d was killed, and %d s later another still waits'
                             % (processes.index(victim), PATIENCE))
        time.sleep(0.05)
    took = time.time() - began
    finish(processes)
    if not all(process.returncode for process in processes):
        raise SystemExit('a process that had lost another ended as if all were well')
    return took


def killed_run(folder, output, random, rows, args):
    """Trains to the end with that many kills; prints what each of them met. Returns the last exit code."""
    saving, epochs, times = 0, [], []
    for number in range(args.kills):
        processes, lines = start(folder, output, args), random.randint(2, max(3, args.steps * 3 // 50))
        for line in iter(processes[0].stdout.readline, b''):
            lines -= 1
            if not lines:
                break
        time.sleep(random.uniform(0, 0.05))
        times.append(kill_one(processes, random))
        steps = checkpoints(output)
        place = steps[-1] if steps else 0
        if place == args.steps:
            raise SystemExit('it was done before the last kill: more steps, or fewer kills')
        is_saving = any(name.endswith('.tmp') for name in os.listdir(output))
        saving, epochs = saving + is_saving, epochs + [place * BATCH // rows + 1]
        print('kill %d: after step %d, in epoch %d%s' % (number + 1, place, epochs[-1], ', saving' * is_saving))
        sys.stdout.flush()
    code = finish(start(folder, output, args))
    print('%d kills, %d of them while saving, in epochs %d to %d' % (args.kills, saving, min(epochs), max(epochs)))
    if args.processes > 1:
        print('the others had ended %.1f s after a kill at most' % max(times))
    return code


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--steps', type=int, default=500)
    parser.add_argument('--processes', type=int, default=1)
    args = parser.parse_args()
    random, folder = np.random.RandomState(args.seed), tempfile.mkdtemp()
    try:
        rows = make(folder, random)
        outputs = [os.path.join(folder, name) for name in ('straight', 'killed')]
        if finish(start(folder, outputs[0], args)) or killed_run(folder, outputs[1], random, rows, args):
            raise SystemExit('a run without a kill failed')
        one, other = [load_state(output, args.steps) for output in outputs]
        pairs = [(one.weights[name], other.weights[name]) for name in one.weights]
        pairs += list(zip(one.optimizer, other.optimizer))
        largest = max(np.abs(mine.astype('float64') - its).max() for mine, its in pairs)
        print('%d arrays, largest difference %g' % (len(pairs), largest))
        return int(largest != 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
