# -*- coding: utf-8 -*-
"""A release, or a saved Keras model of ours, written in another layout.

Keras starts only where a Keras model is read or written.
"""
from __future__ import absolute_import, division, print_function

import logging
import os

from bert4keras.errors import CheckpointError, ReleaseError, some
from bert4keras.files import contains, copy_file, identity, replace_directory, temporary_directory
from bert4keras.model_file import check_model_file
from bert4keras.release.checkpoint import open_checkpoint, usable_path
from bert4keras.release.config import read_config, read_fields, write_config
from bert4keras.release.directory import find_release, vocabulary_name, write_release
from bert4keras.release.heads import describe_head, head_among
from bert4keras.release.variables import ArrayCheckpoint, Variables, check_fits, open_variables
from bert4keras.release.tf_weights import TF_WEIGHTS
from bert4keras.tokenizer_files import TOKENIZER_JSON, carry_tokenizer

__all__ = ['LAYOUTS', 'convert']

LAYOUTS = ('tensorflow', 'hugging-face', 'keras')
MODEL_SUFFIXES = ('.keras', '.h5', '.hdf5')
logger = logging.getLogger(__name__)


def convert(source, destination, layout=None, force=False, changed=False):
    """Writes a release in another layout: every tensor of it, its config and its vocabulary.

    Args:
        source: a release, see `release.directory.find_release`, or a Keras model of ours (.keras or .h5).
        destination: the directory to make. It gets its name when it is complete.
        layout: 'tensorflow', 'hugging-face' or 'keras'; None for Hugging Face's of a TensorFlow
            checkpoint, and TensorFlow's of anything else.
        force: whether to replace a destination that exists and is a release, or empty.
        changed: whether to take a Keras model that computes something else than the BERT it will be taken for.

    Returns:
        The layout written.

    Raises:
        ValueError: the destination exists, or the source is no release or was changed; nothing is written then.
    """
    if layout not in LAYOUTS + (None,):
        raise ValueError('the layout must be one of %s, not %r' % (', '.join(LAYOUTS), layout))
    source, destination = usable_path(source), os.path.abspath(usable_path(destination))
    known = check_destination(destination, source, force)
    application, gelu = 'encoder', None
    if is_model_file(source):
        config, variables, vocab_path, application = read_keras_model(source, changed)
        gelu = 'erf' if config['hidden_act'] == 'gelu' else None  # what it has, whatever `set_gelu` says
        layout = layout or 'tensorflow'
    else:
        release = find_release(source)
        checkpoint = open_checkpoint(release.checkpoint_path)
        checked = read_config(release.config_path)
        variables = open_variables(checkpoint, checked)
        check_fits(checked, variables, heads=False)
        config = describe_head(read_fields(release.config_path), variables)  # with every field it has
        vocab_path = release.vocab_path or find_vocabulary(release.config_path)
        layout = layout or ('hugging-face' if checkpoint.layout == 'tensorflow' else 'tensorflow')
        if layout != 'keras':
            warn_of_widening(checkpoint)
    with temporary_directory(destination) as partial:
        write_converted(partial, layout, config, variables, vocab_path, application, gelu)
        try:
            replace_directory(partial, destination, known)
        except EnvironmentError as problem:
            raise ReleaseError('%s %s' % (destination, problem.strerror))
    return layout


def is_model_file(path):
    """Whether `path` is a file that Keras saved a model to, by its name."""
    return os.path.isfile(path) and path.endswith(MODEL_SUFFIXES) and os.path.basename(path) != TF_WEIGHTS


def check_destination(destination, source, force):
    """ReleaseError unless the directory `destination` may be made, or replaced; the `identity` of what it replaces."""
    if not os.path.isdir(os.path.dirname(destination)):
        raise ReleaseError('%s is in no directory that exists; make it first' % destination)
    known = identity(destination)
    if known is None:
        return known
    if not force:
        raise ReleaseError('%s exists; give another destination, or --force to replace it' % destination)
    if any(contains(destination, path) for path in source_files(source)):
        raise ReleaseError('%s is the source as well, or contains it; give another destination' % destination)
    if os.path.islink(destination) or not os.path.isdir(destination):
        raise ReleaseError('%s is no directory; give another destination' % destination)
    if os.listdir(destination):
        find_release(destination)  # anything else that is in the way is not ours to delete
    return known


def source_files(source):
    """Paths of what a conversion of `source` reads, and of what stands for it."""
    if is_model_file(source):
        return [source]
    release = find_release(source)
    paths = [source, release.config_path, release.vocab_path, release.checkpoint_path]
    folder = os.path.dirname(release.checkpoint_path)
    paths += [os.path.join(folder, name) for name in os.listdir(folder or '.')
              if name.startswith(os.path.basename(release.checkpoint_path)) or name.endswith('.safetensors')]
    return [path for path in paths if path is not None]


def read_keras_model(path, changed=False):
    """A Keras model of ours -> (config, Variables, path of the vocabulary beside it or None, application)."""
    from bert4keras import layers  # noqa: F401 (registers them)
    from bert4keras.backend import keras
    from bert4keras.bert import BertModel
    try:
        check_model_file(path)
        bert = BertModel.from_keras_model(keras.models.load_model(path, compile=False), changed)
        variables = Variables(ArrayCheckpoint(path, bert.get_variables()))
    except ReleaseError as error:  # what is wrong with the model itself does not say which file it is from
        raise error if path in str(error) else ReleaseError('%s: %s' % (path, error))
    except Exception as error:  # what a damaged file makes of zipfile, HDF5 and Keras is of any type
        raise CheckpointError('%s cannot be opened as a Keras model: %s: %s; if it is damaged, get it again'
                              % (path, type(error).__name__, error))
    return bert.config, variables, find_vocabulary(path, 'vocab.txt'), bert.application


def find_vocabulary(path, *names):
    """The path of the first of these files that is beside `path`, of its tokenizer.json, or None."""
    paths = [os.path.join(os.path.dirname(path), name) for name in names + (TOKENIZER_JSON,)]
    return next(iter(filter(os.path.exists, paths)), None)


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
        vocab_path: of the vocabulary to copy, or of tokenizer.json, or None.
        application, gelu: of the Keras model to write, see `BertModel`.
    """
    if layout == 'keras':
        from bert4keras.backend import MODEL_SUFFIX
        build_with_heads(config, variables, application, gelu).save(os.path.join(directory, 'model' + MODEL_SUFFIX))
        write_config(os.path.join(directory, 'bert_config.json'), config)
    else:
        write_release(directory, layout, config, variables)
    if vocab_path is not None:
        if os.path.basename(vocab_path) != TOKENIZER_JSON:
            copy_file(vocab_path, os.path.join(directory, vocabulary_name(vocab_path, layout)))
        carry_tokenizer(vocab_path, directory, layout)


def build_with_heads(config, variables, application='encoder', gelu=None):
    """The Keras model of all heads that the variables have, with their weights."""
    from bert4keras.bert import APPLICATIONS
    head, num_labels = head_among(config, variables)
    bert = APPLICATIONS[application](
        config, gelu=gelu, head=head, num_labels=num_labels, with_pool='bert/pooler/dense/kernel' in variables,
        with_nsp='cls/seq_relationship/output_weights' in variables,
        with_mlm='cls/predictions/output_bias' in variables)
    bert.build()
    bert.set_variables(variables)
    return bert.model
