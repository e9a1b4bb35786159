# -*- coding: utf-8 -*-
"""A release, or a saved Keras model of ours, written in another layout.

Keras starts only where a Keras model is read or written.
"""
from __future__ import absolute_import, division, print_function

import collections
import io
import json
import logging
import os

from bert4keras.compat import fspath
from bert4keras.errors import CheckpointError, some
from bert4keras.files import copy_file, identity, replace_directory, temporary_directory
from bert4keras.release.checkpoint import open_checkpoint
from bert4keras.release.config import read_config, write_config
from bert4keras.release.directory import find_release, write_release
from bert4keras.release.variables import ArrayCheckpoint, Variables, open_variables

__all__ = ['LAYOUTS', 'convert']

LAYOUTS = ('tensorflow', 'hugging-face', 'keras')
MODEL_SUFFIXES = ('.keras', '.h5', '.hdf5')
logger = logging.getLogger(__name__)


def convert(source, destination, layout=None, force=False):
    """Writes a release in another layout: every tensor of it, its config and its vocabulary.

    Args:
        source: a release, see `release.directory.find_release`, or a Keras model of ours (.keras or .h5).
        destination: the directory to make. It gets its name when it is complete.
        layout: 'tensorflow', 'hugging-face' or 'keras'; None for Hugging Face's of a TensorFlow
            checkpoint, and TensorFlow's of anything else.
        force: whether to replace a destination that exists and is a release, or empty.

    Returns:
        The layout written.

    Raises:
        ValueError: the destination exists, or the source is no release; nothing is written then.
    """
    if layout not in LAYOUTS + (None,):
        raise ValueError('the layout must be one of %s, not %r' % (', '.join(LAYOUTS), layout))
    source, destination = fspath(source), os.path.abspath(fspath(destination))
    known = check_destination(destination, source, force)
    application, gelu = 'encoder', None
    if os.path.isfile(source) and source.endswith(MODEL_SUFFIXES):
        config, variables, vocab_path, application = read_keras_model(source)
        gelu = 'erf' if config['hidden_act'] == 'gelu' else None  # what it has, whatever `set_gelu` says
        layout = layout or 'tensorflow'
    else:
        release = find_release(source)
        checkpoint = open_checkpoint(release.checkpoint_path)
        variables = open_variables(checkpoint, read_config(release.config_path))
        with io.open(release.config_path, encoding='utf-8') as stream:
            config = json.load(stream, object_pairs_hook=collections.OrderedDict)  # with every field it has
        vocab_path = release.vocab_path
        layout = layout or ('hugging-face' if checkpoint.layout == 'tensorflow' else 'tensorflow')
        if layout != 'keras':
            warn_of_widening(checkpoint)
    with temporary_directory(destination) as partial:
        write_converted(partial, layout, config, variables, vocab_path, application, gelu)
        replace_directory(partial, destination, known)
    return layout


def check_destination(destination, source, force):
    """ValueError unless the directory `destination` may be made, or replaced; the `identity` of what it replaces."""
    if not os.path.isdir(os.path.dirname(destination)):
        raise ValueError('%s is in no directory that exists; make it first' % destination)
    known = identity(destination)
    if known is None:
        return known
    if not force:
        raise ValueError('%s exists; give another destination, or --force to replace it' % destination)
    if os.path.realpath(destination) == os.path.realpath(source):
        raise ValueError('%s is the source as well; give another destination' % destination)
    if os.path.islink(destination) or not os.path.isdir(destination):
        raise ValueError('%s is no directory; give another destination' % destination)
    if os.listdir(destination):
        find_release(destination)  # anything else that is in the way is not ours to delete
    return known


def read_keras_model(path):
    """A Keras model of ours -> (config, Variables, path of the vocabulary beside it or None, application)."""
    from bert4keras import layers  # noqa: F401 (registers them)
    from bert4keras.backend import keras
    from bert4keras.bert import BertModel
    try:
        model = keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, IOError, OSError) as error:
        raise CheckpointError('%s cannot be opened as a Keras model: %s' % (path, error))
    bert = BertModel.from_keras_model(model)
    vocab_path = os.path.join(os.path.dirname(path), 'vocab.txt')
    variables = Variables(ArrayCheckpoint(path, bert.get_variables()))
    return bert.config, variables, vocab_path if os.path.exists(vocab_path) else None, bert.application


def warn_of_widening(checkpoint):
    """Says which variables are about to be stored in another type than they had."""
    wide = [name for name in checkpoint if checkpoint.dtype(name) == 'bfloat16']
    if wide:
        logger.warning('%s: %d variables in bfloat16 are written as float32, which holds them exactly: %s',
                       checkpoint.path, len(wide), some(wide))


def write_converted(directory, layout, config, variables, vocab_path, application='encoder', gelu=None):
    """Writes config, weights and vocabulary into a directory.

    Args:
        config: dict, the fields of the config file.
        variables: Variables.
        vocab_path: of the vocabulary to copy, or None.
        application, gelu: of the Keras model to write, see `BertModel`.
    """
    if layout == 'keras':
        from bert4keras.backend import MODEL_SUFFIX
        build_with_heads(config, variables, application, gelu).save(os.path.join(directory, 'model' + MODEL_SUFFIX))
        write_config(os.path.join(directory, 'bert_config.json'), config)
    else:
        write_release(directory, layout, config, variables)
    if vocab_path is not None:
        copy_file(vocab_path, os.path.join(directory, os.path.basename(vocab_path)))


def build_with_heads(config, variables, application='encoder', gelu=None):
    """The Keras model of all heads that the variables have, with their weights."""
    from bert4keras.bert import APPLICATIONS
    bert = APPLICATIONS[application](
        config, gelu=gelu, with_pool='bert/pooler/dense/kernel' in variables,
        with_nsp='cls/seq_relationship/output_weights' in variables,
        with_mlm='cls/predictions/output_bias' in variables)
    bert.build()
    bert.set_variables(variables)
    return bert.model
