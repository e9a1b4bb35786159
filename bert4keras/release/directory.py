# -*- coding: utf-8 -*-
"""The files of a release in a directory: which is the config, the checkpoint, the vocabulary.
"""
from __future__ import absolute_import, division, print_function

import collections
import fnmatch
import os
import re

from bert4keras.errors import CheckpointError, ConfigError, some
from bert4keras.release.checkpoint import save_checkpoint, usable_path
from bert4keras.release.config import write_config
from bert4keras.release.families import family_of
from bert4keras.release.tf_weights import TF_WEIGHTS
from bert4keras.release.variables import to_layout

__all__ = ['CHECKPOINT_PATTERNS', 'CONFIG_PATTERNS', 'FILE_NAMES', 'VOCAB_PATTERNS', 'Release', 'find_release',
           'release_among', 'vocabulary_name', 'write_release']

CONFIG_PATTERNS = ('bert_config*.json', 'albert_config*.json', 'config.json')
CHECKPOINT_PATTERNS = ('*.ckpt*.index', 'model.safetensors', 'model.safetensors.index.json')
VOCAB_PATTERNS = ('vocab*.txt', '*.model')
Release = collections.namedtuple('Release', 'config_path checkpoint_path vocab_path')
# What a release written here calls its files, by layout; in TensorFlow's, "bert" or "albert" goes before.
FILE_NAMES = {'tensorflow': ('{}_config.json', '{}_model.ckpt'), 'hugging-face': ('config.json', 'model.safetensors')}


def find_release(path):
    """Finds config, weights and vocabulary of a release.

    Args:
        path: its directory; or, where that has several of a kind, one of its configs, checkpoints (by
            prefix or file) or vocabularies, with the others beside it.

    Returns:
        Release(config_path, checkpoint_path, vocab_path); vocab_path is None where there is none.

    Raises:
        ConfigError, CheckpointError: nothing found, or more than one candidate; both are listed.
    """
    path = usable_path(path)
    directory, chosen = (path, None) if os.path.isdir(path) else (os.path.dirname(path) or '.', path)
    if not any(os.path.exists(path + ending) for ending in ('', '.index')):
        raise CheckpointError('there is no directory and no checkpoint called %s; check the path' % path)
    try:
        files = os.listdir(directory)
    except OSError as error:
        raise CheckpointError('cannot list the directory %s: %s' % (directory, error.strerror or error))
    return release_among(files, directory, chosen)


def release_among(files, directory, chosen=None):
    """The Release that a directory with the names `files` holds, one path of them chosen; see `find_release`."""
    files = sorted(name for name in files if not name.startswith('.'))  # such as macOS' "._..." beside each file
    name = os.path.basename(chosen or '')
    config, vocab = [chosen if _matches(name, patterns) else None for patterns in (CONFIG_PATTERNS, VOCAB_PATTERNS)]
    checkpoint = None if config or vocab else chosen
    config = config or _only(files, CONFIG_PATTERNS, directory, 'config', ConfigError)
    if checkpoint is None:
        note = ('. A .bin file is a pickle, which can run any code when it is opened: convert it to '
                '.safetensors where you trust it' if any(name.endswith('.bin') for name in files) else '')
        # what TensorFlow saved often lies beside the same weights in another layout
        found = any(_matches(name, CHECKPOINT_PATTERNS) for name in files)
        patterns = CHECKPOINT_PATTERNS if found else CHECKPOINT_PATTERNS + (TF_WEIGHTS,)
        checkpoint = _only(files, patterns, directory, 'checkpoint', CheckpointError, note=note)
    checkpoint = re.sub(r'\.ckpt([^/]*)\.index$', r'.ckpt\1', checkpoint)
    vocab = vocab or _only(files, VOCAB_PATTERNS, directory, 'vocabulary', ConfigError, required=False)
    return Release(config, checkpoint, vocab)


def _only(files, patterns, directory, what, error, required=True, note=''):
    """The path of the one file that matches any of the patterns."""
    found = [name for name in files if _matches(name, patterns)]
    if len(found) > 1:
        raise error('%s has more than one %s: %s. Give the path of the one you mean; or, where several of another '
                    'kind are there too, a directory that has one of each' % (directory, what, ', '.join(found)))
    if not found:
        if not required:
            return None
        raise error('%s has no %s, a file like %s; it has: %s%s'
                    % (directory, what, ' or '.join(patterns), some(files) or 'nothing', note))
    return os.path.join(directory, found[0])


def _matches(name, patterns):
    """Whether the name of a file is of a kind."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def vocabulary_name(path, layout):
    """What a release written here calls a vocabulary: `path`'s own name, unless nobody would find it by that."""
    name = os.path.basename(path)
    if layout != 'hugging-face' and _matches(name, VOCAB_PATTERNS):
        return name
    if name == 'sentencepiece.bpe.model':  # XLM-R's, whose ids are others than its lines
        return name
    return 'spiece.model' if name.endswith('.model') else 'vocab.txt'


def write_release(directory, layout, config, variables):
    """Writes config and weights into a directory, under the names that releases have.

    Args:
        directory: that exists.
        layout: 'tensorflow' or 'hugging-face'.
        config: mapping, the fields of the config file.
        variables: mapping from Google's name to array; Variables, or a dict.

    Raises:
        CheckpointError: the layout has no such model, or the files cannot be written.
    """
    family = family_of(config)
    config_name, checkpoint_name = [name.format('albert' if family.shares_blocks else 'bert')
                                    for name in FILE_NAMES[layout]]
    save_checkpoint(os.path.join(directory, checkpoint_name), to_layout(variables, layout, config))
    if layout == 'hugging-face':  # what transformers tells the architecture by
        config = dict(config, model_type=family.name)
    write_config(os.path.join(directory, config_name), config)
