# -*- coding: utf-8 -*-
"""A pretraining killed at random moments, again and again: its last weights against those of an undisturbed run.

    python benchmarks/kills.py --kills 20

A BERT of two blocks with dropout trains on made-up text, three parts a step, and saves after every second step. It is
killed (SIGKILL) after a random number of steps and a random time, and started again. Exit code 0 if the last checkpoints,
weights and optimizer, are equal bit by bit; set KERAS_BACKEND or TF_KERAS to choose what runs.
"""
from __future__ import absolute_import, division, print_function

import argparse
import io
import json
import os
import shutil
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
WORDS, BATCH, STEPS = 60, 24, 500


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


def start(folder, output):
    """The training as a process."""
    return subprocess.Popen(
        [sys.executable, '-m', 'bert4keras.cli', 'pretrain', os.path.join(folder, 'bert_config.json'), '--corpus',
         os.path.join(folder, 'corpus'), '--output', output, '--steps', str(STEPS), '--batch-size', str(BATCH),
         '--accumulate', '3', '--learning-rate', '0.005', '--save-every', '2', '--log-every', '1'],
        stdout=subprocess.PIPE, stderr=open(os.devnull, 'wb'))


def killed_run(folder, output, kills, random, rows):
    """Trains to the end with that many kills; prints what each of them met."""
    saving, epochs = 0, []
    for number in range(kills):
        process, lines = start(folder, output), random.randint(2, 30)
        for line in iter(process.stdout.readline, b''):
            lines -= 1
            if not lines:
                break
        time.sleep(random.uniform(0, 0.05))
        process.kill()
        process.communicate()
        steps = checkpoints(output)
        place = steps[-1] if steps else 0
        if place == STEPS:
            raise SystemExit('it was done before the last kill: more steps, or fewer kills')
        is_saving = any(name.endswith('.tmp') for name in os.listdir(output))
        saving, epochs = saving + is_saving, epochs + [place * BATCH // rows + 1]
        print('kill %d: after step %d, in epoch %d%s' % (number + 1, place, epochs[-1], ', saving' * is_saving))
        sys.stdout.flush()
    process = start(folder, output)
    process.communicate()
    print('%d kills, %d of them while saving, in epochs %d to %d' % (kills, saving, min(epochs), max(epochs)))
    return process.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    random, folder = np.random.RandomState(args.seed), tempfile.mkdtemp()
    try:
        rows = make(folder, random)
        outputs = [os.path.join(folder, name) for name in ('straight', 'killed')]
        process = start(folder, outputs[0])
        process.communicate()
        if process.returncode or killed_run(folder, outputs[1], args.kills, random, rows):
            raise SystemExit('a run without a kill failed')
        one, other = [load_state(output, STEPS) for output in outputs]
        pairs = [(one.weights[name], other.weights[name]) for name in one.weights]
        pairs += list(zip(one.optimizer, other.optimizer))
        largest = max(np.abs(mine.astype('float64') - its).max() for mine, its in pairs)
        print('%d arrays, largest difference %g' % (len(pairs), largest))
        return int(largest != 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
