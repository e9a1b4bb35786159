# -*- coding: utf-8 -*-
"""Bad input of every kind that a hostile or an unlucky user has, and what becomes of it.

    python -m tests.helpers.hostile --cases 6800                  all classes, in proportion
    python -m tests.helpers.hostile --only keras h5 --cases 2000  some of them
    python -m tests.helpers.hostile --races 240                   writers of one path, and readers, at the same time

A case may be harmless, or end in an error of ours, or of the system, that names the file. What must not be:

    escape   another exception, an error that names no file, a process that dies, a control character in what is printed
    silent   it is taken, and gives something else than the original, where that can be known (see damage.py)
    hang     it takes longer than LIMIT seconds
    memory   it takes more than twice the release and 200 MB
    loss     a file that was there before, of the source or of the destination, is gone or changed after an error

The cases of a class run in a process of its own; where one ends it, the next goes on in a new one.
"""
from __future__ import absolute_import, division, print_function

import argparse
import collections
import functools
import io
import json
import logging
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import numpy as np

from bert4keras.checkpoint import open_checkpoint, save_checkpoint
from bert4keras.commands import inspect, load_tokenizer, verify
from bert4keras.convert import LAYOUTS, convert, read_keras_model
from bert4keras.errors import Bert4KerasError
from bert4keras.families import read_config
from bert4keras.tokenizer import SpTokenizer, Tokenizer
from tests.helpers import damage
from tests.helpers.releases import make_release

LIMIT = 60  # seconds for a case; a first one may have to start Keras
ALLOWED_MEMORY = 200 << 20
HARMLESS, BAD = ('error', 'same', 'undetectable'), ('escape', 'silent', 'hang', 'memory', 'loss')
HAS_SAFETENSORS = sys.version_info >= (3, 7)
WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', u'\u2028', u'\u5317'] + ['w%d' % i for i in range(92)]


class Case(object):
    """One bad input.

    Args:
        label: what is bad about it.
        use: function that gives it to the package, and returns what it gets.
        expected: what `use` returns if the input is harmless; None for anything.
        undetectable: whether another result than that cannot be known to be wrong.
        kept: directories, none of whose files may change.
        named: what an error's message must have in it; the directory of the case by default.
    """

    def __init__(self, label, use, expected=None, undetectable=False, kept=(), named=None):
        self.label, self.use, self.expected, self.undetectable = label, use, expected, undetectable
        self.kept, self.named = kept, named


# ------------------------------------------------------------------ what is used

def originals(folder):
    """{layout: directory} of small releases below `folder`, made once."""
    layouts = ('tensorflow',) + ('safetensors', 'sharded') * HAS_SAFETENSORS
    for layout in layouts:
        if not os.path.isdir(os.path.join(folder, layout)):
            damage.make_original(os.path.join(folder, layout), layout)
    return {layout: os.path.join(folder, layout) for layout in layouts}


def a_copy(rng, folder):
    """(directory of a release that may be damaged, what `load` gave of the original)."""
    original = rng.choice(sorted(originals(folder).values()))
    directory = os.path.join(folder, 'case')
    shutil.copytree(original, directory)
    return directory, load(original)


def load(directory):
    """What a release says, as something that can be compared."""
    config, tokens, variables = damage.use(directory)
    return config, tokens, {name: (array.dtype.name, array.shape, array.tobytes()) for name, array in variables.items()}


def look(directory):
    """What `inspect` says of a release."""
    found = inspect(directory)
    return found.config, [tuple(row) for row in found.rows]


def convert_over(folder, layout, directory):
    """Converts over another release, and reads the result."""
    convert(directory, os.path.join(folder, 'kept', 'destination'), layout, force=True)
    return load(os.path.join(folder, 'kept', 'destination'))


def prepare_destination(folder):
    """A release that a conversion is to replace."""
    os.mkdir(os.path.join(folder, 'kept'))
    shutil.copytree(originals(folder)['tensorflow'], os.path.join(folder, 'kept', 'destination'))


def read_all(path):
    """{name: array} of a checkpoint."""
    checkpoint = open_checkpoint(path)
    return {name: checkpoint[name].tobytes() for name in checkpoint}


def rewrite(path, data):
    with io.open(path, 'wb') as stream:
        stream.write(data)


def content(path):
    with io.open(path, 'rb') as stream:
        return stream.read()


def write_json(path, value):
    rewrite(path, json.dumps(value).encode('utf-8'))


def an_entry(rng, folder, directory):
    """(name, function) of one of the ways in which a directory is used."""
    name = rng.choice(['load', 'inspect', 'convert'])
    if name == 'convert':
        prepare_destination(folder)
        layout = rng.choice(LAYOUTS[:2] if HAS_SAFETENSORS else LAYOUTS[:1])
        return name, functools.partial(convert_over, folder, layout, directory)
    return name, functools.partial({'load': load, 'inspect': look}[name], directory)


# ------------------------------------------------------------------ the classes

def damaged_file(rng, folder):
    """A file of a release, damaged."""
    directory, expected = a_copy(rng, folder)
    name = rng.choice(sorted(os.listdir(directory)))
    way = rng.choice(damage.CONTENT)
    path = os.path.join(directory, name)
    rewrite(path, way(content(path), rng))
    entry, use = an_entry(rng, folder, directory)
    undetectable = name.endswith(('config.json', '.txt', '.safetensors'))
    expected = expected if entry != 'inspect' else None
    return Case('%s of %s, %s' % (way.__name__, name, entry), use, expected, undetectable)


VALUES = [None, True, False, 0, -1, 1, 3, 1.5, -0.0, 1e308, float('nan'), float('inf'), 2 ** 31 - 1, 2 ** 31, 2 ** 63,
          10 ** 30, '', '12', 'gelu', u'\x1b[2J', u'\ud800', [], [1], {}, {'a': 1}, [[[[]]]]]
FIELDS = ('vocab_size', 'hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size', 'hidden_act',
          'max_position_embeddings', 'type_vocab_size', 'hidden_dropout_prob', 'attention_probs_dropout_prob',
          'initializer_range', 'layer_norm_eps', 'pad_token_id', 'model_type', 'embedding_size', 'is_decoder',
          'position_embedding_type', 'num_hidden_groups', 'ln_type', 'architectures')


def config_path(directory):
    return os.path.join(directory, 'bert_config.json')


def wrong_type(rng, folder):
    """A field of a config with a value of any type, read by itself, as a mapping, or with its checkpoint."""
    directory, _ = a_copy(rng, folder)
    config = json.loads(content(config_path(directory)).decode('utf-8'))
    field, value = rng.choice(FIELDS), rng.choice(VALUES)
    config[field] = value
    write_json(config_path(directory), config)
    if rng.random() < 0.3:
        return Case('%s=%r in a mapping' % (field, value), lambda: is_sound(read_config(config)), True, named=field)
    if rng.random() < 0.3:
        return Case('%s=%r, read_config' % (field, value), lambda: is_sound(read_config(config_path(directory))), True)
    entry, use = an_entry(rng, folder, directory)
    return Case('%s=%r, %s' % (field, value, entry), use)


def is_sound(config):
    """Whether a config that was read has values of the types that it must have."""
    whole = [config[field] for field in FIELDS[:5] + FIELDS[6:8] + ('pad_token_id', 'embedding_size')]
    return all(type(value) in (int, type(2 ** 63)) for value in whole) and all(
        type(config[field]) in (int, float) and abs(config[field]) < 1 for field in FIELDS[8:12])


def wrong_json(rng, folder):
    """A JSON file of a release that holds something else than an object with fields."""
    directory, _ = a_copy(rng, folder)
    names = [name for name in os.listdir(directory) if name.endswith('.json')]
    name = rng.choice(sorted(names))
    value = rng.choice(VALUES + [{'weight_map': value} for value in VALUES] +
                       [{'weight_map': {'a': value}} for value in VALUES])
    text = rng.choice([json.dumps(value), json.dumps(value)[:-1], '[' * 100000, '{"a":' * 100000,
                       json.dumps([value] * 99)])
    rewrite(os.path.join(directory, name), text.encode('utf-8'))
    entry, use = an_entry(rng, folder, directory)
    return Case('%s is %.40s, %s' % (name, text, entry), use)


def repeated_field(rng, folder):
    """A config with a field twice, with one value or with two, at the top or inside another."""
    directory, _ = a_copy(rng, folder)
    text, field = content(config_path(directory)).decode('utf-8'), rng.choice(FIELDS)
    config = json.loads(text)
    again = '"%s": %s' % (field, json.dumps(rng.choice([config.get(field), 7])))
    inner = ', "x": {%s, %s}' % (again, again)
    inner = inner if field in config else ', "%s": 5' % field + inner
    extra = rng.choice([', %s, %s' % (again, again), inner])
    rewrite(config_path(directory), (text.rstrip()[:-1] + extra + '}').encode('utf-8'))
    entry, use = an_entry(rng, folder, directory)
    return Case('%s, %s' % (extra, entry), use, 'an error')


def absurd_size(rng, folder):
    """A config whose numbers do not fit its checkpoint; `verify` is to find that."""
    directory, _ = a_copy(rng, folder)
    config = json.loads(content(config_path(directory)).decode('utf-8'))
    for field in rng.sample(FIELDS[:5] + FIELDS[6:8], rng.choice([1, 1, 2, 3])):
        config[field] = rng.choice([2, 3, 5, 64, 4096, 4097, 3000000, 10 ** 9, 2 ** 31 - 1, 2 ** 40, config[field] + 1])
    config['num_attention_heads'] = 1 if rng.random() < 0.5 else config['num_attention_heads']
    config['num_hidden_layers'] += 1  # so that it never fits
    write_json(config_path(directory), config)
    use = rng.choice([verify, lambda path: convert(path, os.path.join(folder, 'new'))])
    return Case(repr(sorted(config.items())), lambda: use(directory), 'an error')


def special_file(rng, folder):
    """Something else than a file, or a file without an end, where one of a release should be."""
    directory, expected = a_copy(rng, folder)
    name = rng.choice(sorted(os.listdir(directory)))
    path, data = os.path.join(directory, name), content(os.path.join(directory, name))
    kind = rng.choice(['pipe', 'directory', 'nowhere', 'loop', '/dev/zero', '/dev/null', '/dev/urandom', 'socket',
                       'sparse', 'sparse with its end', 'absent', 'a link to itself elsewhere'])
    os.remove(path)
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'directory':
        os.mkdir(path)
    elif kind == 'socket':
        with_name = socket.socket(socket.AF_UNIX)
        with_name.bind(os.path.relpath(path))
        with_name.close()
    elif kind.startswith('sparse'):
        with io.open(path, 'wb') as stream:
            stream.write(data)
            stream.truncate(6 << 30)
            if kind != 'sparse':
                stream.seek(-48, os.SEEK_END)
                stream.write(data[-48:])
    elif kind.startswith('a link'):
        rewrite(os.path.join(folder, 'elsewhere'), data)
        os.symlink(os.path.join(folder, 'elsewhere'), path)
    elif kind != 'absent':
        os.symlink({'loop': path, 'nowhere': path + '.gone'}.get(kind, kind), path)
    entry, use = an_entry(rng, folder, directory)
    if entry == 'convert' and kind == 'sparse' and name == 'vocab.txt':  # copies 6 GB, as it should
        entry, use = 'load', functools.partial(load, directory)
    return Case('%s is %s, %s' % (name, kind, entry), use, None if entry == 'inspect' else expected,
                undetectable=kind == 'absent')


def strange_name(rng, folder):
    """A path that is none, or that few have."""
    directory, expected = a_copy(rng, folder)
    odd = rng.choice([b'\xff\xfe', b'a\nb', b'\x1b[2J', b' ', b'x' * 255, b'-', b'%s%d', b'{}', b'\xe5\x8c\x97', b"'"])
    moved = os.path.join(folder.encode('utf-8'), odd)
    os.rename(directory, moved)
    native = moved if str is bytes else os.fsdecode(moved)
    path = rng.choice([native, native, native, moved, native + '\0', native + '/' * 300, 7, None, b'', u'', 1.5,
                       [native], object(), native + '/nothing', native + 'y' * 5000])
    use = rng.choice([load, look, open_checkpoint, read_config, verify, Tokenizer, read_keras_model,
                      lambda path: convert(path, os.path.join(folder, 'new'))])
    return Case('%.60r, %s' % (path, use.__name__), lambda: use(path) and None, named='', undetectable=True)


def strange_variable(rng, folder):
    """Names of variables that are to act on a terminal."""
    from bert4keras import cli
    directory, _ = a_copy(rng, folder)
    alphabet = u'\x1b[2J\x07\x9b\r\n\x08\u202e\u2028\u200b\x7f\x85ab/\u5317\U0001f600'
    name = u''.join(rng.choice(alphabet) for _ in range(rng.randrange(1, 30)))
    config, variables = json.loads(content(config_path(directory)).decode('utf-8')), damage.use(directory)[2]
    if rng.random() < 0.3:
        variables[u'bert/' + name] = variables.pop('bert/embeddings/LayerNorm/beta')
    for old in [old for old in os.listdir(directory) if 'ckpt' in old or 'safetensors' in old]:
        os.remove(os.path.join(directory, old))
    save_checkpoint(os.path.join(directory, 'bert_model.ckpt'), dict(variables, **{native_key(name): np.zeros(2)}))
    del config
    command = rng.choice([['inspect', directory], ['convert', directory, os.path.join(folder, 'new')]])
    return Case('%r, %s' % (name, command[0]), lambda: printed(cli, command), named='')


def native_key(name):
    return name.encode('utf-8') if str is bytes else name


def printed(cli, command):
    """Runs a command in this process; ValueError if what it prints has control characters."""
    out, err, known = io.BytesIO(), io.BytesIO(), (sys.stdout, sys.stderr)
    try:
        if str is bytes:
            sys.stdout, sys.stderr = out, err
        else:
            sys.stdout, sys.stderr = io.TextIOWrapper(out, 'utf-8'), io.TextIOWrapper(err, 'utf-8')
        code = cli.main(command)
        sys.stdout.flush(), sys.stderr.flush()
        found = (out.getvalue() + err.getvalue()).decode('utf-8')
    finally:
        sys.stdout, sys.stderr = known
    if code not in (0, 2) or re.search(u'[\0-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028]', found) or 'Traceback' in found:
        raise AssertionError('exit code %s, printed %r' % (code, found[:300]))


def closed_streams(rng, folder):
    """A command without stdin, stdout or stderr, or with ones that cannot be used."""
    directory, _ = a_copy(rng, folder)
    ways = [rng.choice(ways) for ways in (['', '0<&-', '</dev/null', '0>/dev/null'],
                                          ['', '1>&-', '1>/dev/full', '1</dev/null'],
                                          ['', '2>&-', '2>/dev/full', '2</dev/null'])]
    command = rng.choice([['inspect', directory], ['inspect', 'nowhere'], ['convert', directory, directory],
                          ['tokenize', directory, 'w1'], ['tokenize', directory, '--input', '-'], ['--version'],
                          ['--help'], []])

    def use():
        start = ['sh', '-c', '"$@" ' + ' '.join(ways), 'sh', sys.executable, '-m', 'bert4keras.cli']
        process = subprocess.Popen(start + command,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE)
        out, err = process.communicate(b'w2\n')
        if process.returncode not in (0, 2, 141) or b'Traceback' in err or b'ignored' in err:
            raise AssertionError('exit code %d: %s' % (process.returncode, err[-300:].decode('utf-8', 'replace')))
    return Case('%s of %s' % (' '.join(ways), ' '.join(command[:1])), use)


def tokenizer_file(rng, folder):
    """A tokenizer.json or tokenizer_config.json that is damaged, beside a vocabulary or in its place."""
    directory, expected = a_copy(rng, folder)
    whole = {'version': '1.0', 'added_tokens': [{'id': index, 'content': token, 'special': True, 'normalized': False,
             'lstrip': False, 'rstrip': False, 'single_word': False} for index, token in enumerate(WORDS[:5])],
             'normalizer': {'type': 'BertNormalizer', 'clean_text': True, 'handle_chinese_chars': True,
                            'strip_accents': None, 'lowercase': True}, 'pre_tokenizer': {'type': 'BertPreTokenizer'},
             'post_processor': None,
             'decoder': None, 'truncation': None, 'padding': None,
             'model': {'type': 'WordPiece', 'unk_token': '[UNK]', 'continuing_subword_prefix': '##',
                       'max_input_chars_per_word': 100, 'vocab': {token: index for index, token in enumerate(WORDS)}}}
    settings = {'do_lower_case': True, 'tokenize_chinese_chars': True, 'strip_accents': None, 'model_max_length': 17,
                'tokenizer_class': 'BertTokenizer'}
    for name, value in (('tokenizer.json', whole), ('tokenizer_config.json', settings)):
        data = json.dumps(value, sort_keys=True).encode('utf-8')
        way = rng.choice(damage.CONTENT + [lambda data, rng: change_json(value, rng)] * 8)
        rewrite(os.path.join(directory, name), way(data, rng) if rng.random() < 0.6 else data)
    if rng.random() < 0.5:
        os.remove(os.path.join(directory, 'vocab.txt'))
    return Case('damaged tokenizer files', lambda: load_tokenizer(directory).encode(u'w1 \u5317') and None)


def change_json(value, rng):
    """The JSON of a value, with any part of it replaced by something of another type, or left out."""
    changed = json.loads(json.dumps(value))
    place = changed
    while True:
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = rng.choice(keys)
        if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.6:
            place = place[key]
            continue
        if rng.random() < 0.3:
            del place[key]
        else:
            place[key] = rng.choice(VALUES)
        return json.dumps(changed).encode('utf-8')


def vocabulary(rng, folder):
    """A vocabulary that is no list of tokens, or of too many, too few or the same."""
    directory, expected = a_copy(rng, folder)
    lines = [token.encode('utf-8') for token in WORDS]
    place = rng.randrange(len(lines))
    change = rng.choice(['twice', 'not utf-8', 'gone', 'one more', 'mark', 'empty', 'long', 'nul', 'utf-16', 'old mac'])
    if change == 'twice':
        lines[place] = lines[place - 1]
    elif change in ('not utf-8', 'long', 'nul'):
        lines[place] = {'not utf-8': b'\xff\x80', 'long': b'x' * (1 << 22), 'nul': b'\0'}[change]
    elif change == 'gone':
        del lines[place]
    elif change == 'one more':
        lines.insert(place, b'another')
    data = b'\n'.join(lines) + b'\n'
    data = {'mark': b'\xef\xbb\xbf' + data, 'empty': b'', 'old mac': data.replace(b'\n', b'\r'),
            'utf-16': data.decode('utf-8', 'replace').encode('utf-16')}.get(change, data)
    rewrite(os.path.join(directory, 'vocab.txt'), data)
    undetectable = change in ('long', 'nul', 'gone', 'old mac')  # a small one is warned of
    return Case(change, lambda: load(directory), expected, undetectable=undetectable)


def sentencepiece_model(rng, folder):
    """A damaged SentencePiece model."""
    model = os.path.join(folder, 'spiece.model')
    if not os.path.exists(model):
        from tests.helpers.train_sentencepiece import train
        rewrite(os.path.join(folder, 'corpus.txt'), b'the quick brown fox jumps over the lazy dog, 12,345 times\n' * 50)
        train('--input=' + os.path.join(folder, 'corpus.txt'), '--model_prefix=' + model[:-6], '--vocab_size=45',
              '--hard_vocab_limit=false', '--pad_id=0', '--unk_id=1', '--bos_id=-1', '--eos_id=-1',
              '--control_symbols=[CLS],[SEP],[MASK]')
    path = os.path.join(folder, 'case.model')
    way = rng.choice(damage.CONTENT)
    rewrite(path, way(content(model), rng))
    return Case(way.__name__, lambda: SpTokenizer(path).encode(u'the quick fox'), undetectable=True)


def keras_file(suffix, rng, folder):
    """A damaged file of a Keras model of ours."""
    model, path = os.path.join(folder, 'model' + suffix), os.path.join(folder, 'case' + suffix)
    if not os.path.exists(model):
        from bert4keras.bert import build_bert_model
        config = read_config(config_path(originals(folder)['tensorflow']))
        build_bert_model(dict(config, hidden_size=8, embedding_size=8, num_attention_heads=2,
                              intermediate_size=6)).save(model)
    if not ORIGINAL_MODELS.get(suffix):
        ORIGINAL_MODELS[suffix] = load_keras(model)
    damaged = rng.random() < 0.6
    if damaged:
        label = rng.choice(damage.CONTENT)
        rewrite(path, label(content(model), rng))
        label = label.__name__
    elif suffix == '.keras':
        label = change_zip(model, path, rng)
    else:
        shutil.copy(model, path)
        label = change_h5(path, rng)
    has_checksums = suffix == '.keras' and damaged
    return Case(label, lambda: load_keras(path), ORIGINAL_MODELS[suffix], undetectable=not has_checksums)


ORIGINAL_MODELS = {}  # {suffix: what `load_keras` gives of the file before it is damaged}


def load_keras(path):
    """What the package takes from a file of a Keras model, as something that can be compared."""
    config, variables, _, application = read_keras_model(path)
    return config, application, {name: variables[name].tobytes() for name in variables}


def change_zip(model, path, rng):
    """A .keras file of whole members, one of which is changed, gone, or there twice; returns what was done."""
    import zipfile
    with zipfile.ZipFile(model) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    index = rng.randrange(len(members))
    name, data = members[index]
    way = rng.choice(['damage', 'gone', 'twice', 'json', 'json', 'json', 'another name', 'hdf5', 'hdf5', 'hdf5'])
    if way == 'hdf5':
        stream = io.BytesIO(dict(members)['model.weights.h5'])
        way = 'hdf5, ' + change_h5(stream, rng)
        members = [(name, stream.getvalue() if name == 'model.weights.h5' else data) for name, data in members]
    elif way == 'another name':
        members[index] = rng.choice(['model.weights.npz', 'assets/a', '../a', '/a', 'config.json/', name + '\0']), data
    elif way == 'gone':
        del members[index]
    elif way == 'twice':
        members.append((name, rng.choice(damage.CONTENT)(data, rng)))
    elif way == 'json':
        members = [(name, change_json(json.loads(data.decode('utf-8')), rng) if name == 'config.json' else data)
                   for name, data in members]
    else:
        members[index] = name, rng.choice(damage.CONTENT)(data, rng)
    with zipfile.ZipFile(path, 'w', rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return way


def change_h5(path, rng):
    """Changes the config, or the groups and weights, of an HDF5 file that is whole; returns what was changed."""
    import h5py
    with h5py.File(path, 'r+') as file:
        kinds = ['gone', 'other', 'link', 'attribute', 'huge'] + ['config'] * 2 * ('model_config' in file.attrs)
        kind = rng.choice(kinds)
        names = []
        file.visit(names.append)
        name = rng.choice(sorted(names))
        if kind == 'config':
            text = file.attrs['model_config']
            text = text.decode('utf-8') if isinstance(text, bytes) else text
            file.attrs['model_config'] = np.bytes_(change_json(json.loads(text), rng))
        elif kind == 'attribute':
            place = file[name] if len(file[name].attrs) else file
            key = rng.choice(sorted(place.attrs) or ['name'])
            if key in place.attrs:
                del place.attrs[key]
            if rng.random() < 0.7:
                place.attrs[key] = rng.choice([7, 1.5, 'text', np.zeros(3), np.zeros((2, 2), 'S3')])
        else:
            del file[name]
            if kind == 'other':
                file[name] = rng.choice([np.zeros(0), np.zeros((2, 3)), np.float64(1), np.zeros(3, 'S2')])
            elif kind == 'link':
                file[name] = rng.choice([h5py.SoftLink('/nowhere'), h5py.ExternalLink('/dev/zero', '/'),
                                         h5py.SoftLink('/')])
            elif kind == 'huge':  # of which the file holds nothing
                file.create_dataset(name, (rng.choice([1 << 28, 1 << 40]),), 'float32', chunks=(1 << 16,))
        return '%s %s' % (kind, name)


def bad_destination(rng, folder):
    """A place where nothing can be written, or where something is that is not ours."""
    directory, expected = a_copy(rng, folder)
    prepare_destination(folder)
    kept = os.path.join(folder, 'kept')
    rewrite(os.path.join(kept, 'file'), b'mine')
    os.mkdir(os.path.join(kept, 'full'))
    rewrite(os.path.join(kept, 'full', 'letter.txt'), b'mine')
    os.symlink(os.path.join(kept, 'destination'), os.path.join(kept, 'link'))
    os.symlink('nowhere', os.path.join(kept, 'dangling'))
    place = rng.choice(['file', 'full', 'link', 'dangling', 'nothing/below', 'file/below', 'destination', '.', '..',
                        '/dev/null', '/dev/full', '/proc/x', '', 'x' * 256, 'destination/bert_config.json', '../case',
                        '../case/..'])
    destination, force = os.path.join(kept, place), rng.random() < 0.7
    if place == 'destination':
        force = False
    if place == 'dangling':
        return Case('dangling', lambda: convert(directory, destination, force=force), 'an error',
                    kept=(kept, directory), named='')
    save = rng.choice(['convert', 'checkpoint'])
    if save == 'checkpoint':
        if place in ('file', 'full', 'destination', 'link') or not os.path.isdir(os.path.dirname(destination)):
            destination = os.path.join(destination, 'm' + rng.choice(['', '.safetensors'] if HAS_SAFETENSORS else ['']))
        use = functools.partial(save_checkpoint, destination, {u'x': np.zeros(3)})
        return Case('%s, %s' % (place, save), lambda: use() and None, kept=(directory,), named='')
    return Case('%s, %s' % (place, save), lambda: convert(directory, destination, force=force) and None,
                kept=(kept, directory), named='')


CLASSES = collections.OrderedDict([  # name: (how many of 6,800, the function)
    ('file', (1100, damaged_file)), ('type', (700, wrong_type)), ('json', (350, wrong_json)),
    ('twice', (150, repeated_field)), ('size', (300, absurd_size)), ('special', (500, special_file)),
    ('name', (250, strange_name)),
    ('variable', (150, strange_variable)), ('streams', (60, closed_streams)), ('tokenizer', (500, tokenizer_file)),
    ('vocabulary', (240, vocabulary)), ('sentencepiece', (300, sentencepiece_model)),
    ('destination', (200, bad_destination)),
    ('keras', (1000, functools.partial(keras_file, '.keras'))), ('h5', (1000, functools.partial(keras_file, '.h5')))])


# ------------------------------------------------------------------ judging a case

def digest(directories):
    """{path: content} of the regular files below directories."""
    found = {}
    for directory in directories:
        for place, _, names in os.walk(directory):
            for path in (os.path.join(place, name) for name in names):
                if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) < 1 << 24:
                    found[path] = content(path)
    return found


def status(field):
    """A number of kB that the system keeps of this process, in bytes; 0 where it keeps none."""
    found = re.search(field + r':\s+(\d+) kB', content('/proc/self/status').decode('utf-8'))
    return int(found.group(1)) << 10 if found else 0


def forget_peak():
    try:
        with io.open('/proc/self/clear_refs', 'w') as stream:
            stream.write(u'5')
    except EnvironmentError:
        pass
    return status('VmRSS')


def judge(case, directory):
    """(outcome, what to say of it) of one case."""
    kept = tuple(case.kept) or tuple(os.path.join(directory, name) for name in ('case', 'kept'))
    before, said, outcome = digest(kept), '', 'same'
    memory, had_keras = forget_peak(), 'bert4keras.backend' in sys.modules
    try:
        found = case.use()
        if case.expected is not None and found != case.expected:
            outcome = 'undetectable' if case.undetectable else 'silent'
    except (Bert4KerasError, EnvironmentError, ImportError) as problem:
        outcome, said = 'error', '%s: %s' % (type(problem).__name__, problem)
        named = directory if case.named is None else case.named
        if 'MemoryError' in said:
            outcome = 'memory'
        elif isinstance(problem, EnvironmentError) and problem.filename is None:
            outcome = 'escape'
        elif named not in said:
            outcome = 'escape'
    except MemoryError:
        outcome, said = 'memory', traceback.format_exc()
    except BaseException as problem:
        outcome, said = 'escape', '%s: %s %s' % (type(problem).__name__, problem, traceback.format_exc()[-600:])
    is_first = 'bert4keras.backend' in sys.modules and not had_keras  # Keras itself takes more than any case
    if not is_first and status('VmHWM') - memory > ALLOWED_MEMORY:
        outcome, said = 'memory', 'took %d MB: %s' % ((status('VmHWM') - memory) >> 20, said)
    after = digest(kept)
    lost = [path for path in before if after.get(path) != before[path]]
    if lost and outcome != 'same' and outcome not in BAD and not (outcome == 'undetectable'):
        if not (case.kept == () and said and os.path.join(directory, 'kept', 'destination') in said):
            outcome, said = 'loss', '%s: %s' % (lost, said)
    return outcome, said


def work(name, seed, first, last, folder):
    """Runs cases of a class, and prints each one's number, and then what became of it, as lines of JSON."""
    logging.getLogger('bert4keras').addHandler(logging.NullHandler())
    logging.getLogger('bert4keras').propagate = False
    out = os.fdopen(os.dup(1), 'w')
    originals(folder)
    for number in range(first, last):
        for path in [os.path.join(folder, left) for left in os.listdir(folder)]:
            if os.path.basename(path).startswith(('case', 'kept', 'new', 'elsewhere', '.')) or not left_alone(path):
                is_directory = os.path.isdir(path) and not os.path.islink(path)
                shutil.rmtree(path, ignore_errors=True) if is_directory else os.remove(path)
        rng = random.Random('%s %d %d' % (name, seed, number))
        case = CLASSES[name][1](rng, folder)
        out.write(json.dumps([number, case.label]) + '\n')
        out.flush()
        signal.alarm(LIMIT)
        known = resource.getrlimit(resource.RLIMIT_DATA)
        if 'bert4keras.backend' not in sys.modules:
            resource.setrlimit(resource.RLIMIT_DATA, (status('VmData') + (2 << 30), known[1]))
        outcome, said = judge(case, folder)
        resource.setrlimit(resource.RLIMIT_DATA, known)
        signal.alarm(0)
        said = said.decode('utf-8', 'replace') if isinstance(said, bytes) else said
        out.write(json.dumps([number, outcome, said[-1500:]]) + '\n')
        out.flush()


def left_alone(path):
    """Whether something in the folder of a class is made once, for all its cases."""
    return os.path.basename(path) in ('tensorflow', 'safetensors', 'sharded', 'model.keras', 'model.h5', 'corpus.txt',
                                      'spiece.model', 'spiece.vocab')


def run(name, cases, seed=0):
    """({outcome: count}, [what went wrong]) of so many cases of a class."""
    counts, failures, first = collections.Counter(), [], 0
    folder = tempfile.mkdtemp()
    try:
        while first < cases:
            process = subprocess.Popen([sys.executable, '-m', 'tests.helpers.hostile', '--work', name, str(seed),
                                        str(first), str(cases), folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            out, err = process.communicate()
            label, started = '', None
            for line in out.decode('utf-8').splitlines():
                found = json.loads(line) if line.startswith('[') else []
                if len(found) == 2:
                    started, label = found
                elif found:
                    first, started = found[0] + 1, None
                    counts[found[1]] += 1
                    if found[1] in BAD:
                        failures.append('%s %d, %s: %s: %s' % (name, found[0], found[1], label, found[2]))
            if process.returncode and started is None:  # not a case's fault
                raise RuntimeError('%s: %s' % (name, err.decode('utf-8', 'replace')[-3000:]))
            if started is not None:
                outcome = 'hang' if process.returncode == -signal.SIGALRM else 'escape'
                counts[outcome] += 1
                failures.append('%s %d, %s: %s: the process ended with %d: %s' % (
                    name, started, outcome, label, process.returncode, err.decode('utf-8', 'replace')[-800:]))
                first = started + 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return counts, failures


# ------------------------------------------------------------------ writers and readers at the same time

def race(number, folder):
    """'' or what is broken after three processes, each of two threads, wrote to one path while this one reads it."""
    path = os.path.join(folder, 'm%d' % number) + ('.safetensors' if number % 2 and HAS_SAFETENSORS else '')
    children = []
    for child in range(3):
        children.append(os.fork())
        if not children[-1]:
            try:
                threads = [threading.Thread(target=save_checkpoint, args=(
                    path, {u'x%d' % index: np.full(5003 + index, 2 * child + thread, 'float32') for index in range(5)}))
                           for thread in range(2)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            finally:
                os._exit(0)
    killed = number % 3 == 0
    if killed:
        time.sleep(random.Random(number).uniform(0, 0.02))
        os.kill(children[0], signal.SIGKILL)
    while children:
        children = [child for child in children if os.waitpid(child, os.WNOHANG) == (0, 0)]
        try:
            found = open_checkpoint(path)
            values = {float(found[name][place]) for name in found for place in (0, -1)}
        except Bert4KerasError as problem:
            if not re.search('cannot be opened|replaced all the time', str(problem)):
                return 'a reader: %s' % problem
            continue
        if len(values) != 1 or len(found) != 5:
            return 'a reader: of %s' % values
    if killed:  # it may have been the last, between two files; whoever writes next is not hindered
        save_checkpoint(path, {u'x%d' % index: np.full(5003 + index, -1, 'float32') for index in range(5)})
        left = [name for name in os.listdir(folder) if name.startswith('.' + os.path.basename(path))]
        if left:
            return 'afterwards: %s is left' % left
    found = open_checkpoint(path)
    values = {float(array.max()) for array in found.values()}
    return '' if len(values) == 1 else 'afterwards: of %s' % values


def races(rounds):
    """What was broken in so many rounds."""
    folder = tempfile.mkdtemp()
    try:
        return [broken for broken in (race(number, folder) for number in range(rounds)) if broken]
    finally:
        shutil.rmtree(folder)


def main():
    """The script."""
    parser = argparse.ArgumentParser(description='Gives bad input to every entry, and looks at what becomes of it.')
    parser.add_argument('--cases', type=int, default=6800)
    parser.add_argument('--only', nargs='+', choices=list(CLASSES), default=list(CLASSES))
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--races', type=int, metavar='ROUNDS')
    parser.add_argument('--work', nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.races:
        broken = races(args.races)
        print('\n'.join(['%d rounds, %d broken' % (args.races, len(broken))] + broken))
        return 1 if broken else 0
    if args.work:
        name, seed, first, last, folder = args.work
        return work(name, int(seed), int(first), int(last), folder)
    whole, total, failures = sum(CLASSES[name][0] for name in args.only), collections.Counter(), []
    print('%-14s' % 'class' + ''.join('%13s' % outcome for outcome in HARMLESS + BAD))
    for name in args.only:
        counts, found = run(name, max(1, -(-args.cases * CLASSES[name][0] // whole)), args.seed)
        print('%-14s' % name + ''.join('%13d' % counts[outcome] for outcome in HARMLESS + BAD))
        sys.stdout.flush()
        total.update(counts)
        failures += found
    print('%-14s' % 'all' + ''.join('%13d' % total[outcome] for outcome in HARMLESS + BAD))
    print('%d cases, %d failed' % (sum(total.values()), len(failures)))
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
