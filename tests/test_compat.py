# -*- coding: utf-8 -*-
"""Tests of bert4keras.compat: what Python 2 and 3 have under different names; paths that are no strings."""
from __future__ import absolute_import, division, print_function

import os

import pytest

from bert4keras.checkpoint import CheckpointError, open_checkpoint, save_checkpoint
from bert4keras.compat import fspath, native
from bert4keras.convert import convert
from bert4keras.families import find_release, read_config
from bert4keras.tokenizer_files import load_tokenizer
from bert4keras.verify import inspect


class AnyPath(object):
    """What pathlib's paths are to others, on every Python: something with a string."""

    def __init__(self, *parts):
        self.path = os.path.join(*[str(part) for part in parts])

    def __fspath__(self):
        return self.path


def test_fspath_and_native():
    """A path gives its string, all else stays; text becomes this Python's own string."""
    assert fspath(AnyPath('a', 'b')) == os.path.join('a', 'b')
    assert fspath(u'a') == u'a' and fspath(None) is None and fspath(7) == 7
    assert type(native(u'\xe9')) is str and native(native(u'\xe9')) == native(u'\xe9')


def test_paths_that_are_no_strings(release, tmp_path):
    """Whatever takes the path of a file or a directory takes an object that stands for one."""
    directory, prefix = AnyPath(release[0]), AnyPath(release[0], 'bert_model.ckpt')
    assert find_release(directory) == find_release(release[0])
    assert read_config(AnyPath(release[0], 'bert_config.json'))['hidden_size'] == 32
    checkpoint = open_checkpoint(prefix)
    save_checkpoint(AnyPath(tmp_path, 'again.ckpt'), checkpoint)
    assert list(open_checkpoint(os.path.join(str(tmp_path), 'again.ckpt'))) == list(checkpoint)
    assert len(inspect(prefix).rows) == len(checkpoint)
    assert load_tokenizer(directory).token_to_id('[UNK]') == 1
    assert convert(directory, AnyPath(tmp_path, 'copy'), layout='tensorflow') == 'tensorflow'
    assert find_release(AnyPath(tmp_path, 'copy')).vocab_path is not None


@pytest.mark.parametrize('wrong', [None, 7, ['a']])
def test_what_is_no_path_is_an_error(wrong):
    """Something that is neither a string nor a path: CheckpointError, not the system's own."""
    with pytest.raises(CheckpointError, match='not a usable file name'):
        open_checkpoint(wrong)
