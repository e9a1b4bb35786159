# -*- coding: utf-8 -*-
"""Tests of bert4keras.families: configs, the tables of names, the files of a release."""
from __future__ import absolute_import, division, print_function

import io
import os

import numpy as np
import pytest

from bert4keras.checkpoint import CheckpointError, open_checkpoint, save_checkpoint
from bert4keras.families import (ConfigError, activation_name, find_release, hugging_face_names,
                                 open_variables, read_config, strip_transposed)
from releases import CONFIG, random_variables, shapes


def touch(directory, *names):
    """Makes empty files; returns the directory as text."""
    for name in names:
        io.open(os.path.join(str(directory), name), 'w').close()
    return str(directory)


def test_the_table_has_every_variable_once():
    """Google's names of a whole BERT, each with a Hugging Face name of its own."""
    names = hugging_face_names(CONFIG)
    assert set(names) == set(shapes(CONFIG))
    assert len(set(strip_transposed(own) for own in names.values())) == len(names)


def test_variables_of_either_layout_are_the_same(tmp_path):
    """Hugging Face's file, seen through the table, has Google's names, shapes and values."""
    pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    variables = random_variables(CONFIG)
    names = hugging_face_names(CONFIG)
    path = os.path.join(str(tmp_path), 'model.safetensors')
    # PyTorch's linear layers hold [out, in], TensorFlow's dense ones [in, out]; nothing else is turned
    save_checkpoint(path, {strip_transposed(own): variables[google].T if google.endswith('/kernel')
                           else variables[google] for google, own in names.items()})
    seen = open_variables(path, read_config(CONFIG))
    assert set(seen) == set(variables) and not seen.unnamed
    for name, value in variables.items():
        assert seen.shape(name) == value.shape
        np.testing.assert_array_equal(seen[name], value)
        np.testing.assert_array_equal(seen[name + '.T'], value.T)


def test_every_official_bert_variable_has_a_place(official):
    """The genuine table of contents of Google's Chinese BERT: exactly the variables of its config."""
    path = os.path.join(official, 'google_bert_zh')
    config = read_config(os.path.join(path, 'bert_config.json'))
    checkpoint = open_checkpoint(os.path.join(path, 'bert_model.ckpt'))
    assert {name: checkpoint.shape(name) for name in checkpoint} == shapes(config)


def test_a_checkpoint_of_another_kind_is_refused(tmp_path):
    """Neither layout: the error says what was looked for and what is there; ALBERT is named."""
    path = os.path.join(str(tmp_path), 'model.ckpt')
    save_checkpoint(path, {'generator/dense/kernel': np.zeros((2, 3), 'float32')})
    with pytest.raises(CheckpointError, match='holds no model that is known here.*generator/dense/kernel'):
        open_variables(path, CONFIG)
    albert = {'bert/embeddings/word_embeddings': np.zeros((2, 3), 'float32'),
              'bert/encoder/transformer/group_0/inner_group_0/ffn_1/x': np.zeros(1, 'float32')}
    save_checkpoint(path, albert)
    with pytest.raises(CheckpointError, match='holds an ALBERT, but the config is of a BERT'):
        open_variables(path, CONFIG)


@pytest.mark.parametrize('files, expected', [
    (['bert_config.json', 'bert_model.ckpt.index', 'bert_model.ckpt.data-00000-of-00001', 'vocab.txt'],
     ('bert_config.json', 'bert_model.ckpt', 'vocab.txt')),
    (['config.json', 'model.safetensors', 'vocab.txt', 'tokenizer.json'],
     ('config.json', 'model.safetensors', 'vocab.txt')),
    (['config.json', 'model.safetensors.index.json', 'model-00001-of-00002.safetensors'],
     ('config.json', 'model.safetensors.index.json', None)),
    (['bert_config_tiny.json', 'model.ckpt-1000.index', 'vocab_chinese.txt'],
     ('bert_config_tiny.json', 'model.ckpt-1000', 'vocab_chinese.txt')),
])
def test_the_files_of_a_release(tmp_path, files, expected):
    """Config, weights and vocabulary are found by name, in the layouts that releases have."""
    directory = touch(tmp_path, *files)
    assert find_release(directory) == tuple(name and os.path.join(directory, name) for name in expected)


def test_a_prefix_with_its_config_beside_it(tmp_path):
    """A checkpoint's prefix names the weights; config and vocabulary are its neighbours."""
    directory = touch(tmp_path, 'bert_config.json', 'a.ckpt.index', 'b.ckpt.index', 'vocab.txt')
    release = find_release(os.path.join(directory, 'b.ckpt'))
    assert release.checkpoint_path == os.path.join(directory, 'b.ckpt')
    assert release.vocab_path == os.path.join(directory, 'vocab.txt')


@pytest.mark.parametrize('files, error, message', [
    ([], ConfigError, 'has no config, a file like bert_config'),
    (['bert_config.json'], CheckpointError, r'has no checkpoint, a file like .*; it has: bert_config.json'),
    (['bert_config.json', 'config.json', 'a.ckpt.index'], ConfigError,
     'more than one config: bert_config.json, config.json'),
    (['config.json', 'a.ckpt.index', 'model.safetensors'], CheckpointError,
     'more than one checkpoint: a.ckpt.index, model.safetensors'),
    (['config.json', 'a.ckpt.index', 'vocab.txt', 'vocab_chinese.txt'], ConfigError, 'more than one vocabulary'),
])
def test_nothing_or_too_much_to_choose_from(tmp_path, files, error, message):
    """What is missing or ambiguous is an error that lists what is there."""
    with pytest.raises(error, match=message):
        find_release(touch(tmp_path, *files))


def test_no_such_directory(tmp_path):
    """A path that does not exist is an error that shows it."""
    with pytest.raises(CheckpointError, match='no such directory or checkpoint: .*nowhere'):
        find_release(os.path.join(str(tmp_path), 'nowhere'))


@pytest.mark.parametrize('content, message', [
    (b'', 'is not JSON'), (b'\xff\xfe{}', 'is not JSON in UTF-8'), (b'[1, 2]', 'holds a JSON list'),
    (b'{"vocab_size": NaN}', 'lacks hidden_size'), (b'[' * 100000, 'is not JSON'),
])
def test_a_config_that_is_damaged(tmp_path, content, message):
    """Whatever the bytes, a ConfigError with the file's name."""
    path = os.path.join(str(tmp_path), 'config.json')
    with io.open(path, 'wb') as stream:
        stream.write(content)
    with pytest.raises(ConfigError, match='config.json ' + message):
        read_config(path)


def test_a_config_that_cannot_be_opened(tmp_path):
    """A directory in its place, or a link to itself."""
    loop = os.path.join(str(tmp_path), 'loop.json')
    os.symlink(loop, loop)
    for path in (str(tmp_path), loop):
        with pytest.raises(ConfigError, match='cannot read the config'):
            read_config(path)


@pytest.mark.parametrize('hidden_act, gelu, expected', [
    ('gelu', None, 'gelu_erf'), ('gelu', 'tanh', 'gelu_tanh'), ('gelu_new', None, 'gelu_tanh'),
    ('gelu_pytorch_tanh', 'tanh', 'gelu_tanh'), ('swish', None, 'silu'), ('silu', None, 'silu'),
    ('relu', None, 'relu'), ('tanh', None, 'tanh'), ('linear', None, 'linear'),
])
def test_what_an_activation_means(hidden_act, gelu, expected):
    """Each hidden_act by the function it stands for."""
    assert activation_name(hidden_act, gelu) == expected


@pytest.mark.parametrize('hidden_act, gelu', [('gelu_new', 'erf'), ('relu', 'erf'), ('gelu', 'exact')])
def test_a_gelu_that_contradicts(hidden_act, gelu):
    """A gelu= that the config rules out, or that there is not."""
    with pytest.raises(ValueError, match='gelu'):
        activation_name(hidden_act, gelu)
