# -*- coding: utf-8 -*-
"""What can be asked of a release: what is in it, whether it computes right, and in another layout.

The functions behind the command's `inspect`, `verify`, `convert` and `fill-mask`: they return values and
raise the package's errors; cli.py prints. Keras starts only where a model is built.
"""
from __future__ import absolute_import, division, print_function

import collections
import io
import json
import logging
import os

import numpy as np

from bert4keras.release.checkpoint import CheckpointError, open_checkpoint
from bert4keras.release.families import (VOCAB_PATTERNS, family_of, find_release, layer_variables,
                                 open_variables, read_config, some, strip_transposed, write_config, write_release)
from bert4keras.files import copy_file, replace_directory, temporary_directory
from bert4keras.tokenizer import SpTokenizer, Tokenizer, VocabularyError

LAYOUTS = ('tensorflow', 'hugging-face', 'keras')
MODEL_SUFFIXES = ('.keras', '.h5', '.hdf5')
logger = logging.getLogger(__name__)


def load_tokenizer(release):
    """The tokenizer of a `families.Release`; VocabularyError unless its vocabulary fits the config."""
    vocab_size = read_config(release.config_path)['vocab_size']
    if release.vocab_path is None:
        raise VocabularyError('there is no vocabulary, a file like %s, beside %s'
                              % (' or '.join(VOCAB_PATTERNS), release.config_path))
    tokenizer = (SpTokenizer if release.vocab_path.endswith('.model') else Tokenizer)(release.vocab_path)
    found = len(tokenizer._token_dict)
    if found != vocab_size:
        raise VocabularyError('%s has %d tokens, but %s has vocab_size %d: they are of two different models'
                              % (release.vocab_path, found, release.config_path, vocab_size))
    return tokenizer


# ------------------------------------------------------------------ inspect

Inspection = collections.namedtuple('Inspection', 'release family layout config rows')
Row = collections.namedtuple('Row', 'name shape dtype place')


def inspect(path):
    """Says what is in a release, without reading its weights or starting Keras.

    Args:
        path: see `families.find_release`.

    Returns:
        Inspection(release, family, layout, config, rows); family is a `families.Family`, layout
        'tensorflow' or 'safetensors'; a Row(name, shape, dtype, place) for each variable of the
        checkpoint, in its own names; place is the layer and the number of the weight that it becomes,
        such as 'Pooler-Dense 0', or '' if it is not read.
    """
    release = find_release(path)
    config = read_config(release.config_path)
    checkpoint = open_checkpoint(release.checkpoint_path)
    variables = open_variables(checkpoint, config)
    places = {}
    for layer, names in layer_variables(config).items():
        for index, name in enumerate(names):
            if name in variables:
                places[variables.sources[strip_transposed(name)]] = '%s %d' % (layer, index)
    rows = [Row(name, checkpoint.shape(name), checkpoint.dtype(name), places.get(name, ''))
            for name in checkpoint]
    return Inspection(release, family_of(config), checkpoint.layout, config, rows)


# ------------------------------------------------------------------ verify

Comparison = collections.namedtuple('Comparison', 'name difference tolerance')


def verify(path, gelu=None, batch=4, length=32):
    """Runs a fixed batch through every layer, on the installed Keras and in the float64 reference.

    The tolerance is 4 times what float32 rounding does to the reference itself, and at most 2e-5 of the
    largest activation of that layer (of 1, where none is larger).

    Args:
        path: see `families.find_release`.
        gelu: 'erf', 'tanh' or None; see `BertModel`.
        batch, length: ints, the batch's shape; the length is cut to the model's positions.

    Returns:
        list of Comparison(layer name, max |difference| on real positions, tolerance), in order; the
        heads are those whose variables the checkpoint has.
    """
    from bert4keras.backend import get_gelu, keras
    from bert4keras.reference import forward
    release = find_release(path)
    config = read_config(release.config_path)
    variables = open_variables(release.checkpoint_path, config)
    if gelu is None and config['hidden_act'] == 'gelu':
        gelu = get_gelu()
    ids = fixed_batch(config, batch, min(length, config['max_position_embeddings']))
    exact = forward(config, variables, *ids, gelu=gelu)
    rounded = forward(config, variables, *ids, gelu=gelu, dtype='float32')
    flags = {'with_pool': 'Pooler-Dense' in exact, 'with_nsp': 'NSP-Proba' in exact,
             'with_mlm': 'MLM-Proba' in exact}
    model, outputs = build_with_outputs(config, release.checkpoint_path, list(exact), gelu=gelu, **flags)
    ours = keras.models.Model(model.inputs, outputs).predict_on_batch(list(ids))
    real = ids[0] != config['pad_token_id']
    return [compare(name, *[array[real] if np.ndim(array) == 3 else array
                            for array in (np.asarray(mine), exact[name], rounded[name])])
            for name, mine in zip(exact, ours)]


def build_with_outputs(config, checkpoint_path, names, application='encoder', **arguments):
    """(Keras model, [output of each name]), the names those that `reference.forward` gives.

    A layer that all blocks share has an output for each block, so these are kept as they are made.
    """
    from bert4keras.bert import APPLICATIONS, build_bert_model
    halves = []

    class Recording(APPLICATIONS[application]):
        def add_and_norm(self, x, y, name):
            normed = super(Recording, self).add_and_norm(x, y, name)
            halves.extend([y, normed])
            return normed

    model = build_bert_model(config, checkpoint_path, model=Recording, **arguments)
    outputs = [halves.pop(0) if name.startswith('Encoder-') else model.get_layer(name).output for name in names]
    return model, [output[0] if isinstance(output, (list, tuple)) else output for output in outputs]


def fixed_batch(config, batch, length):
    """(token ids, segment ids), int32 [batch, length]: always the same, rows of mixed lengths."""
    random = np.random.RandomState(0)
    token_ids = random.randint(0, config['vocab_size'], (batch, length)).astype('int32')
    token_ids[token_ids == config['pad_token_id']] = (config['pad_token_id'] + 1) % config['vocab_size']
    segment_ids = np.zeros_like(token_ids)
    for row in range(batch):
        real = max(1, length * (batch - row) // batch)
        token_ids[row, real:] = config['pad_token_id']
        segment_ids[row, real // 2:real] = min(1, config['type_vocab_size'] - 1)
    return token_ids, segment_ids


def compare(name, ours, exact, rounded):
    """The Comparison of a layer's output with the reference's, exact and rounded to float32."""
    difference = np.abs(ours - exact).max() if np.isfinite(ours).all() else np.inf
    largest = max(1.0, np.abs(exact).max())
    floor = max(4 * np.abs(rounded - exact).max(), np.finfo('float32').eps)
    return Comparison(name, float(difference), float(min(floor, 2e-5 * largest)))


# ------------------------------------------------------------------ convert

def convert(source, destination, layout=None, force=False):
    """Writes a release in another layout: every tensor of it, its config and its vocabulary.

    Args:
        source: a release, see `families.find_release`, or a Keras model of ours (.keras or .h5).
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
    destination = os.path.abspath(destination)
    check_destination(destination, source, force)
    if os.path.isfile(source) and source.endswith(MODEL_SUFFIXES):
        config, variables, vocab_path = read_keras_model(source)
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
        write_converted(partial, layout, config, variables, vocab_path)
        replace_directory(partial, destination)
    return layout


def check_destination(destination, source, force):
    """ValueError unless the directory `destination` may be made, or replaced."""
    if not os.path.isdir(os.path.dirname(destination)):
        raise ValueError('%s is in no directory that exists; make it first' % destination)
    if not os.path.lexists(destination):
        return
    if not force:
        raise ValueError('%s exists; give another destination, or --force to replace it' % destination)
    if os.path.realpath(destination) == os.path.realpath(source):
        raise ValueError('%s is the source as well; give another destination' % destination)
    if os.path.islink(destination) or not os.path.isdir(destination):
        raise ValueError('%s is no directory; give another destination' % destination)
    if os.listdir(destination):
        find_release(destination)  # anything else that is in the way is not ours to delete


def read_keras_model(path):
    """A Keras model of ours -> (config, {Google's name: array}, path of the vocabulary beside it or None)."""
    from bert4keras import layers  # noqa: F401 (registers them)
    from bert4keras.backend import keras
    from bert4keras.bert import BertModel
    try:
        model = keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, IOError, OSError) as error:
        raise CheckpointError('%s cannot be opened as a Keras model: %s' % (path, error))
    bert = BertModel.from_keras_model(model)
    vocab_path = os.path.join(os.path.dirname(path), 'vocab.txt')
    return bert.config, bert.get_variables(), vocab_path if os.path.exists(vocab_path) else None


def warn_of_widening(checkpoint):
    """Says which variables are about to be stored in another type than they had."""
    wide = [name for name in checkpoint if checkpoint.dtype(name) == 'bfloat16']
    if wide:
        logger.warning('%s: %d variables in bfloat16 are written as float32, which holds them exactly: %s',
                       checkpoint.path, len(wide), some(wide))


def write_converted(directory, layout, config, variables, vocab_path):
    """Writes config, weights and vocabulary into a directory.

    Args:
        config: dict, the fields of the config file.
        variables: mapping from Google's name to array; `families.Variables` or a dict.
        vocab_path: of the vocabulary to copy, or None.
    """
    if layout == 'keras':
        from bert4keras.backend import MODEL_SUFFIX
        build_with_heads(config, variables).save(os.path.join(directory, 'model' + MODEL_SUFFIX))
        write_config(os.path.join(directory, 'bert_config.json'), config)
    else:
        write_release(directory, layout, config, variables)
    if vocab_path is not None:
        copy_file(vocab_path, os.path.join(directory, os.path.basename(vocab_path)))


def build_with_heads(config, variables):
    """The Keras model of all heads that the variables have, with their weights."""
    from bert4keras.bert import BertModel
    bert = BertModel(config, with_pool='bert/pooler/dense/kernel' in variables,
                     with_nsp='cls/seq_relationship/output_weights' in variables,
                     with_mlm='cls/predictions/output_bias' in variables)
    bert.build()
    bert.set_variables(variables)
    return bert.model


# ------------------------------------------------------------------ fill-mask

def fill_mask(path, text, top=5, gelu=None):
    """What the masked language model puts in the place of each [MASK].

    Args:
        path: a release that has the head, see `families.find_release`.
        text: string with one [MASK] or more.
        top: int, how many tokens to give for each.
        gelu: 'erf', 'tanh' or None; see `BertModel`.

    Returns:
        list, one item for each [MASK] in order: a list of (token, probability), the likeliest first.

    Raises:
        ValueError: no [MASK] in the text, a text longer than the model's positions, or a checkpoint
            without the head.
    """
    release = find_release(path)
    config = read_config(release.config_path)
    tokenizer = load_tokenizer(release)
    parts = text.split(tokenizer.token_mask)
    if len(parts) == 1:
        raise ValueError('the text has no %s, the place to fill' % tokenizer.token_mask)
    tokens = [tokenizer.token_cls]
    for index, part in enumerate(parts):
        tokens += ([tokenizer.token_mask] if index else []) + tokenizer.tokenize(part)[1:-1]
    tokens.append(tokenizer.token_sep)
    if len(tokens) > config['max_position_embeddings']:
        raise ValueError('the text has %d tokens, but the model has %d positions; shorten it'
                         % (len(tokens), config['max_position_embeddings']))
    from bert4keras.bert import build_bert_model
    model = build_bert_model(release.config_path, release.checkpoint_path, with_mlm=True, gelu=gelu)
    token_ids = np.array([tokenizer.tokens_to_ids(tokens)], 'int32')  # [1, T]
    probabilities = np.asarray(model.predict_on_batch([token_ids, np.zeros_like(token_ids)]))[0]  # [T, V]
    filled = []
    for row in probabilities[token_ids[0] == tokenizer.token_to_id(tokenizer.token_mask)]:
        best = row.argsort()[::-1][:top]
        filled.append([(tokenizer.id_to_token(int(index)), float(row[index])) for index in best])
    return filled
