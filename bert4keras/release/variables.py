# -*- coding: utf-8 -*-
"""The variables of a checkpoint by the names of its TensorFlow release, whatever its layout is.
"""
from __future__ import absolute_import, division, print_function

import collections
import re

from bert4keras.compat import Mapping
from bert4keras.errors import CheckpointError, some
from bert4keras.release.checkpoint import open_checkpoint
from bert4keras.release.families import (FAMILIES, HEADS, IGNORABLE, UNSUPPORTED, family_of, hugging_face_names,
                                         is_transposed, strip_transposed)
from bert4keras.release.heads import HEAD_VARIABLES, head_among, layer_variables_with, number_of_labels

__all__ = ['ArrayCheckpoint', 'Variables', 'check_fits', 'expected_shapes', 'identify', 'open_variables', 'to_layout']


class ArrayCheckpoint(collections.OrderedDict):
    """Arrays in memory, such as a model's weights, as what `open_checkpoint` returns.

    Args:
        path: where they come from, for messages.
        arrays: mapping, or pairs, of names and arrays.
    """

    def __init__(self, path, arrays):
        super(ArrayCheckpoint, self).__init__(arrays)
        self.path = path

    def shape(self, name):
        """The shape of a variable, a tuple of ints."""
        return self[name].shape

    def dtype(self, name):
        """The type of a variable, such as 'float32'."""
        return self[name].dtype.name


class Variables(Mapping):
    """A checkpoint's variables by the names, and in the orientation, of Google's release.

    Args:
        checkpoint: what `open_checkpoint` returns.
        names: {Google's name: the checkpoint's own, ".T" for transposed}; what the checkpoint lacks
            is left out. Without it the checkpoint has Google's own names.

    Attributes:
        checkpoint, path: what was given, and its path, for messages.
        sources: {Google's name: the checkpoint's own name} of all that is here.
        unnamed: list of the checkpoint's names that have no place here.
    """

    def __init__(self, checkpoint, names=None):
        self.path = checkpoint.path
        self.checkpoint = checkpoint
        names = names if names is not None else {name: name for name in checkpoint}
        self._names = collections.OrderedDict((google, own) for google, own in names.items()
                                              if strip_transposed(own) in checkpoint)
        self.sources = {google: strip_transposed(own) for google, own in self._names.items()}
        taken = set(self.sources.values())
        self.unnamed = [name for name in checkpoint if name not in taken]

    def __getitem__(self, name):
        """The variable of Google's name `name`, transposed if that ends in ".T"."""
        own = self._names[strip_transposed(name)]
        array = self.checkpoint[strip_transposed(own)]
        return array.T if is_transposed(own) != is_transposed(name) else array

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self._names)

    def shape(self, name):
        """The shape, a tuple of ints, of what `self[name]` returns, without reading it."""
        own = self._names[strip_transposed(name)]
        shape = tuple(self.checkpoint.shape(strip_transposed(own)))
        return shape[::-1] if is_transposed(own) != is_transposed(name) else shape

    def dtype(self, name):
        """The type, such as 'float32' or 'bfloat16', that the variable is stored in."""
        return self.checkpoint.dtype(self.sources[strip_transposed(name)])

    def __contains__(self, name):
        return strip_transposed(name) in self._names

    def unread(self, names):
        """What stays unread when the variables `names` are read.

        Args:
            names: Google's names, with or without ".T".

        Returns:
            (list of heads and training state, list of anything else), in the checkpoint's own names.
        """
        names = {strip_transposed(name) for name in names}
        left = [(google, own) for google, own in self.sources.items() if google not in names]
        left += [('', own) for own in self.unnamed]
        expected = [google in HEADS or google in HEAD_VARIABLES or bool(IGNORABLE.search(own)) for google, own in left]
        return ([own for (_, own), known in zip(left, expected) if known],
                [own for (_, own), known in zip(left, expected) if not known])


def to_layout(variables, layout, config):
    """Pairs (name, array), named and turned as a layout wants them; what has no name there keeps its own.

    Args:
        variables: mapping from Google's name to array; Variables, or a dict.
        layout: 'tensorflow' (Google's) or 'hugging-face'.
        config: dict, see `read_config`.

    Raises:
        CheckpointError: the layout has no such model.
    """
    names = {}
    if layout == 'hugging-face':
        names = dict(hugging_face_names(config), **HEAD_VARIABLES)
        if head_among(config, variables)[0] == 'classification':
            names.update(family_of(config).classifier)
    for google in variables:
        own = names.get(google, google)
        yield strip_transposed(own), variables[google].T if is_transposed(own) else variables[google]
    for own in getattr(variables, 'unnamed', ()):
        yield own, variables.checkpoint[own]


def open_variables(path, config):
    """Opens a checkpoint of any supported family and layout as Variables.

    Args:
        path: see `open_checkpoint`; or an open checkpoint; or Variables, which are returned as they are.
        config: what `read_config` returns.

    Raises:
        CheckpointError: unreadable, of no family known here, or of another than the config's.
    """
    if isinstance(path, Variables):
        return path
    checkpoint = path if isinstance(path, Mapping) else open_checkpoint(path)
    family, prefix = identify(checkpoint, config)
    if family is not family_of(config):
        raise CheckpointError('%s holds %s, but the config is of %s. Use the config that belongs to this checkpoint'
                              % (checkpoint.path, family.title, family_of(config).title))
    for what, pattern in UNSUPPORTED:
        names = [name for name in checkpoint if re.search(pattern, name)]
        if names:
            raise CheckpointError('%s is of a model with %s, which is not built here: it has %s'
                                  % (checkpoint.path, what, some(names)))
    if prefix is None:
        return Variables(checkpoint)
    names = hugging_face_names(config, prefix)
    names.update(HEAD_VARIABLES)
    if any(strip_transposed(own) in checkpoint for own in family.classifier.values()):
        names.update(family.classifier)
    return Variables(checkpoint, _in_older_spelling(checkpoint, names))


# The shapes of each layer's weights: V vocabulary, E embedding, D hidden, I intermediate, S segments, P positions,
# W the embeddings' width when they are added, 2 the two answers to "is it the next sentence?", or start and end,
# N labels.
LAYER_SHAPES = (
    ('Embedding-Token', 'VE'), ('Embedding-Segment', 'SW'), ('Embedding-Position', 'PW'), ('Embedding-Norm', 'W W'),
    ('Embedding-Mapping', 'ED D'), ('Embedding-Projection', 'ED'),
    ('MultiHeadSelfAttention', 'DD D DD D DD D DD D'), ('MultiHeadSelfAttention-Norm', 'D D'),
    ('FeedForward', 'DI I ID D'), ('FeedForward-Norm', 'D D'), ('Pooler-Dense', 'DD D'), ('NSP-Proba', 'D2 2'),
    ('MLM-Dense', 'DW W'), ('MLM-Norm', 'W W'), ('MLM-Proba', 'V'), ('Classifier', 'DN N'), ('Span', 'D2 2'))
HEAD_LAYERS = {'Pooler-Dense': 'Pooler', 'NSP-Proba': 'NSP', 'MLM-Dense': 'MLM', 'MLM-Norm': 'MLM', 'MLM-Proba': 'MLM',
               'Classifier': 'Classifier', 'Span': 'Span'}


def expected_shapes(config, head=None, num_labels=None):
    """(layer name, Google's name of a variable, ".T" as the layer has it, its shape) of all that a model has."""
    sizes = {'V': config['vocab_size'], 'E': config['embedding_size'], 'D': config['hidden_size'], '2': 2,
             'I': config['intermediate_size'], 'S': config['type_vocab_size'], 'P': config['max_position_embeddings'],
             'N': num_labels}
    sizes['W'] = sizes['D' if 'Embedding-Projection' in family_of(config).mapping else 'E']
    table = dict(LAYER_SHAPES)
    for layer, names in layer_variables_with(config, head).items():
        for name, axes in zip(names, table[re.sub(r'^Encoder-\d+-', '', layer)].split()):
            yield layer, name, tuple(sizes[axis] for axis in axes)


def check_fits(config, variables, heads=True):
    """CheckpointError unless a checkpoint has what the config says; found without reading or building anything.

    Args:
        config: what `read_config` returns.
        variables: Variables.
        heads: whether to look at the heads too; one of which some variables are there must have all.
    """
    head, num_labels = head_among(config, variables)
    num_labels = number_of_labels(config) or num_labels
    expected = [item for item in expected_shapes(config, head, num_labels) if heads or item[0] not in HEAD_LAYERS]
    begun = {HEAD_LAYERS[layer] for layer, name, _ in expected if layer in HEAD_LAYERS and name in variables}
    problems = []
    for layer, name, shape in expected:
        if name not in variables:
            if layer not in HEAD_LAYERS or HEAD_LAYERS[layer] in begun:
                problems.append('%s is missing' % strip_transposed(name))
        elif variables.shape(name) != shape:
            problems.append('%s has the shape %s, where the config says %s'
                            % (strip_transposed(name), variables.shape(name), shape))
        elif 'float' not in variables.dtype(name):
            problems.append('%s is of type %s, and no float' % (strip_transposed(name), variables.dtype(name)))
    if problems:
        raise CheckpointError('%s does not fit its config: %s. Use the config that belongs to this checkpoint'
                              % (variables.path, some(problems, 4)))


def identify(checkpoint, config=None):
    """(Family, prefix of its names in Hugging Face's layout, or None for Google's) of an open checkpoint.

    A family is known by how the names of a block's variables begin; where that is alike in several, by the config.

    Raises:
        CheckpointError: it is none of FAMILIES, or could be more than one; these are listed.
    """
    signs = collections.OrderedDict()
    for family in ([family_of(config)] if config else []) + list(FAMILIES.values()):
        signs.setdefault(family.google_block.format(0), (family, None))
        for prefix in (family.prefix, '') if family.prefix else ():
            signs.setdefault(family.hugging_face_block.format(prefix, 0), (family, prefix))
    found = [sign for sign in signs if any(name.startswith(sign) for name in checkpoint)]
    if len(found) > 1:
        raise CheckpointError('%s holds more than one model: %s. Save the one you mean by itself'
                              % (checkpoint.path, ' and '.join('%s (%s...)' % (signs[sign][0].title, sign)
                                                               for sign in found)))
    if not found:
        raise CheckpointError('%s holds no model that is known here, whose names begin with %s. It has: %s'
                              % (checkpoint.path, ' or '.join(signs),
                                 some(sorted(checkpoint)) or 'nothing'))
    return signs[found[0]]


def _in_older_spelling(checkpoint, names):
    """{Google's name: own}, a norm's own as gamma or beta where the checkpoint has it so."""
    spelled = collections.OrderedDict()
    for google, own in names.items():
        if own not in checkpoint:  # the oldest conversions kept TensorFlow's words for the norms
            kept = own.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta')
            own = kept if kept in checkpoint else own
        spelled[google] = own
    return spelled
