# -*- coding: utf-8 -*-
"""Damages the files of a release in every way the world does, and looks at what becomes of it.

    python -m tests.helpers.damage --cases 3000

Each case takes a small release in either layout, damages one of its files at random, and uses it as
`build_bert_model` does, short of the engine: config, vocabulary, names, shapes, every tensor. It may load
and equal the original, or end in one of our own errors that names the file. Anything else fails: another
exception, a message without the file, memory over twice the release, or a silent difference. What no
format can detect is counted apart: safetensors has no checksums, so a flipped bit of its tensors is a
number like any other; so is a changed number or word in a config or a vocabulary.
"""
from __future__ import absolute_import, division, print_function

import argparse
import collections
import io
import json
import logging
import os
import random
import shutil
import sys
import tempfile

import numpy as np

try:
    import tracemalloc
except ImportError:  # Python 2.7
    tracemalloc = None

from bert4keras.checkpoint import CheckpointError, open_checkpoint, save_checkpoint
from bert4keras.commands import load_tokenizer
from bert4keras.families import ConfigError, find_release, open_variables, read_config, to_layout
from bert4keras.tokenizer import VocabularyError
from tests.helpers.releases import make_release, shapes

OUR_ERRORS = (CheckpointError, ConfigError, VocabularyError)


# ------------------------------------------------------------------ ways to damage a file

def truncate(data, rng):
    return data[:rng.randrange(len(data))]


def flip_bit(data, rng):
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(data, rng):
    place, size = rng.randrange(len(data)), rng.choice([1, 4, 8, 512])
    filler = rng.choice([b'\0', b'\xff', b'\x7f', b'9'])
    return data[:place] + filler * min(size, len(data) - place) + data[place + size:]


def scramble(data, rng):
    place = rng.randrange(len(data))
    noise = bytes(bytearray(rng.randrange(256) for _ in range(min(16, len(data) - place))))
    return data[:place] + noise + data[place + len(noise):]


def cut_out(data, rng):
    place = rng.randrange(len(data))
    return data[:place] + data[place + rng.choice([1, 3, 100]):]


def insert(data, rng):
    place = rng.randrange(len(data))
    return data[:place] + rng.choice([b'\0', b'\xe2\x80\xa8', b'\n', b'\xff\xfe', b'0', b'[' * 5000]) + data[place:]


def repeat_stretch(data, rng):
    place = rng.randrange(len(data))
    return data[:place] + data[max(0, place - 64):]


def empty(data, rng):
    return b''


def change_number(data, rng):
    """Replaces a run of digits of a text file by an absurd number."""
    digits = [i for i, byte in enumerate(bytearray(data)) if 48 <= byte <= 57]
    if not digits:
        return flip_bit(data, rng)
    start = stop = rng.choice(digits)
    while data[stop:stop + 1].isdigit():
        stop += 1
    return data[:start] + rng.choice([b'-1', b'0', b'99999999999999999999', b'1e308', b'null', b'"x"']) + data[stop:]


def duplicate_line(data, rng):
    lines = data.split(b'\n')
    lines[rng.randrange(len(lines))] = lines[rng.randrange(len(lines))]
    return b'\n'.join(lines)


CONTENT = [truncate, flip_bit, overwrite, scramble, cut_out, insert, repeat_stretch, empty, change_number,
           duplicate_line]


def remove(path):
    os.remove(path)


def make_directory(path):
    os.remove(path)
    os.mkdir(path)


def make_loop(path):
    os.remove(path)
    os.symlink(path, path)


WHOLE = [remove, make_directory, make_loop]


# ------------------------------------------------------------------ one case

ALLOWED_MEMORY = 2 ** 19  # bytes: twice the largest release here, which has 0.1 MB, and Python's own


class Memory(object):
    """A context; `grown` is how much memory was taken at most within it, in bytes, 0 where Python cannot tell (2.7)."""

    def __enter__(self):
        if tracemalloc:
            tracemalloc.start()
        return self

    def __exit__(self, *_):
        self.grown = tracemalloc.get_traced_memory()[1] if tracemalloc else 0
        if tracemalloc:
            tracemalloc.stop()  # else all that this process does later takes several times as long


def make_original(directory, layout):
    """A release of one layer in a layout: 'tensorflow', 'safetensors' or 'sharded'."""
    os.mkdir(directory)
    vocab = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', u'\u2028', u'\u5317'] + ['w%d' % i for i in range(92)]
    config, variables = make_release(directory, vocab=vocab, num_hidden_layers=1)
    if layout == 'tensorflow':
        return
    for name in os.listdir(directory):
        if '.ckpt' in name:
            os.remove(os.path.join(directory, name))
    pairs = collections.OrderedDict(to_layout(variables, 'hugging-face', config))
    if layout == 'safetensors':
        save_checkpoint(os.path.join(directory, 'model.safetensors'), pairs)
        return
    names, weight_map = sorted(pairs), {}
    for number, part in ((1, names[:9]), (2, names[9:])):
        shard = 'model-0000%d-of-00002.safetensors' % number
        save_checkpoint(os.path.join(directory, shard), {name: pairs[name] for name in part})
        weight_map.update({name: shard for name in part})
    with io.open(os.path.join(directory, 'model.safetensors.index.json'), 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps({'metadata': {}, 'weight_map': weight_map}))


def use(directory):
    """All that a release says: (config, vocabulary, {name: array}), each found consistent."""
    release = find_release(directory)
    config = read_config(release.config_path)
    tokenizer = load_tokenizer(release)
    variables = open_variables(open_checkpoint(release.checkpoint_path), config)
    for name, shape in shapes(config).items():
        if name not in variables or variables.shape(name) != shape:
            raise CheckpointError('%s: %s is missing or of another shape' % (release.checkpoint_path, name))
    return config, list(tokenizer._token_dict), {name: np.array(variables[name]) for name in variables}


def what_differs(one, other):
    """'' or the first of 'config', 'vocabulary', 'tensors' in which two uses differ."""
    for what, mine, theirs in zip(('config', 'vocabulary'), one, other):
        if mine != theirs:
            return what
    same = set(one[2]) == set(other[2]) and all(one[2][name].tobytes() == other[2][name].tobytes() and
                                               one[2][name].dtype == other[2][name].dtype for name in one[2])
    return '' if same else 'tensors'


def run_case(original, expected, directory, rng, failures):
    """Damages a copy of a release and uses it; returns (the file's kind, the outcome)."""
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(original, directory)
    name = rng.choice(sorted(os.listdir(directory)))
    path = os.path.join(directory, name)
    way = rng.choice(CONTENT * 4 + WHOLE)
    if way in CONTENT:
        with io.open(path, 'rb') as stream:
            data = stream.read()
        damaged = way(data, rng)
        with io.open(path, 'wb') as stream:
            stream.write(damaged)
    else:
        way(path)
    label = '%s of %s' % (way.__name__, name)
    memory = Memory()
    try:
        with memory:
            found = use(directory)
    except OUR_ERRORS as error:
        if directory not in str(error):
            failures.append('%s: the message names no file: %s' % (label, error))
        return name, 'error'
    except Exception as error:
        failures.append('%s: %s: %s' % (label, type(error).__name__, error))
        return name, 'FAILED'
    finally:
        if memory.grown > ALLOWED_MEMORY:
            failures.append('%s: took %d bytes of memory' % (label, memory.grown))
    differs = what_differs(expected, found)
    if not differs:
        return name, 'equal'
    undetectable = {'config': name.endswith('config.json'), 'vocabulary': name == 'vocab.txt',
                    'tensors': name.endswith('.safetensors')}
    if not undetectable[differs]:
        failures.append('%s: loads, with other %s' % (label, differs))
        return name, 'FAILED'
    return name, 'undetectable'


def run(cases, seed=0):
    """Runs so many cases; returns ({(file, outcome): count}, list of failures)."""
    logger = logging.getLogger('bert4keras')
    level = logger.level
    logger.setLevel(logging.ERROR)  # warnings of unread variables are not what is looked at here
    rng, counts, failures = random.Random(seed), collections.Counter(), []
    folder = tempfile.mkdtemp()
    try:
        originals = []
        for layout in ('tensorflow',) if sys.version_info < (3, 7) else ('tensorflow', 'safetensors', 'sharded'):
            original = os.path.join(folder, layout)
            make_original(original, layout)
            originals.append((original, use(original)))
        for _ in range(cases):
            original, expected = rng.choice(originals)
            counts[run_case(original, expected, os.path.join(folder, 'case'), rng, failures)] += 1
    finally:
        logger.setLevel(level)
        shutil.rmtree(folder)
    return counts, failures


def main():
    """The script."""
    parser = argparse.ArgumentParser(description='Damages releases and looks at what becomes of them.')
    parser.add_argument('--cases', type=int, default=3000)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    counts, failures = run(args.cases, args.seed)
    outcomes = ('error', 'equal', 'undetectable', 'FAILED')
    print('%-40s' % 'damaged file' + ''.join('%14s' % outcome for outcome in outcomes))
    for name in sorted({name for name, _ in counts}):
        print('%-40s' % name + ''.join('%14d' % counts[name, outcome] for outcome in outcomes))
    print('%d cases, %d failed' % (sum(counts.values()), len(failures)))
    for failure in failures[:20]:
        print(failure)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
