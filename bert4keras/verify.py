# -*- coding: utf-8 -*-
"""What is in a release, and whether it computes right on this Keras.

Keras starts only where a model is built: `inspect` needs NumPy only.
"""
from __future__ import absolute_import, division, print_function

import collections

import numpy as np

from bert4keras.release.checkpoint import open_checkpoint
from bert4keras.release.config import longest_row, read_config
from bert4keras.release.directory import find_release
from bert4keras.release.families import family_of, strip_transposed
from bert4keras.release.heads import head_among, layer_variables_with
from bert4keras.release.variables import check_fits, open_variables

__all__ = ['Comparison', 'Inspection', 'Row', 'build_with_outputs', 'inspect', 'real_positions', 'verify']


Inspection = collections.namedtuple('Inspection', 'release family layout config rows')
Row = collections.namedtuple('Row', 'name shape dtype place')


def inspect(path):
    """Says what is in a release, without reading its weights or starting Keras.

    Args:
        path: see `release.directory.find_release`.

    Returns:
        Inspection(release, family, layout, config, rows); family is a `release.families.Family`, layout
        'tensorflow', 'safetensors' or 'tf_model.h5'; a Row(name, shape, dtype, place) for each variable of the
        checkpoint, in its own names; place is the layer and the number of the weight that it becomes,
        such as 'Pooler-Dense 0', or '' if it is not read.
    """
    release = find_release(path)
    config = read_config(release.config_path)
    checkpoint = open_checkpoint(release.checkpoint_path)
    variables = open_variables(checkpoint, config)
    places = {}
    for layer, names in layer_variables_with(config, head_among(config, variables)[0]).items():
        for index, name in enumerate(names):
            if name in variables:
                places[variables.sources[strip_transposed(name)]] = '%s %d' % (layer, index)
    rows = [Row(name, checkpoint.shape(name), checkpoint.dtype(name), places.get(name, ''))
            for name in checkpoint]
    return Inspection(release, family_of(config), checkpoint.layout, config, rows)


Comparison = collections.namedtuple('Comparison', 'name difference tolerance')


def verify(path, gelu=None, batch=4, length=32):
    """Runs a fixed batch through every layer, on the installed Keras and in the float64 reference.

    The tolerance is 4 times what float32 rounding does to the reference itself, and at most 2e-5 of the
    largest activation of that layer (of 1, where none is larger).

    Args:
        path: see `release.directory.find_release`.
        gelu: 'erf', 'tanh' or None; see `BertModel`.
        batch, length: ints, the batch's shape; the length is cut to the model's positions.

    Returns:
        list of Comparison(layer name, max |difference| on real positions, tolerance), in order; the
        heads are those whose variables the checkpoint has.
    """
    release = find_release(path)
    config = read_config(release.config_path)
    variables = open_variables(release.checkpoint_path, config)
    check_fits(config, variables)
    from bert4keras.backend import get_gelu, keras  # it takes its time, so what can be wrong is found before
    from bert4keras.reference import forward
    if gelu is None and config['hidden_act'] == 'gelu':
        gelu = get_gelu()
    ids = fixed_batch(config, batch, min(length, longest_row(config)))
    exact = forward(config, variables, *ids, gelu=gelu)
    rounded = forward(config, variables, *ids, gelu=gelu, dtype='float32')
    head, num_labels = head_among(config, variables)
    flags = {'with_pool': 'Pooler-Dense' in exact, 'with_nsp': 'NSP-Proba' in exact,
             'with_mlm': 'MLM-Proba' in exact, 'head': head, 'num_labels': num_labels}
    model, outputs = build_with_outputs(config, release.checkpoint_path, list(exact), gelu=gelu, **flags)
    ours = keras.models.Model(model.inputs, outputs).predict_on_batch(list(ids))
    real = ids[0] != config['pad_token_id']
    return [compare(name, *[real_positions(name, np.asarray(array), real)
                            for array in (mine, exact[name], rounded[name])])
            for name, mine in zip(exact, ours)]


def real_positions(name, array, real):
    """What a layer's output has at the positions that are `real`, bool [B, T]; all of what is [B, ...]."""
    array = array.transpose(0, 2, 1) if name == 'Span' else array
    return array[real] if array.ndim == 3 else array


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
