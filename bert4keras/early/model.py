# -*- coding: utf-8 -*-
"""What scripts of bert4keras 0.1 to 0.11 look for in a model: its layers' names, Keras masks, `initializer`.

Two mixins: `EarlyNames` is in every BertModel, `EarlyModel` is what makes `bert.EarlyBert` of one. Shapes: B batch,
T tokens.
"""
from __future__ import absolute_import, division, print_function

import re

from bert4keras import backend
from bert4keras.backend import keras
from bert4keras.early.layers import EARLY_LAYERS
from bert4keras.errors import ConfigError

__all__ = ['EarlyModel', 'EarlyNames', 'is_albert']


def is_albert(model, albert=None):
    """What `build_bert_model(model='bert' or 'albert')` of 0.3 to 0.6 says of `albert`, which wins."""
    if model not in ('bert', 'albert'):
        raise ConfigError("model must be a class, 'bert' or 'albert', not %r" % (model,))
    return model == 'albert' if albert is None else albert


class EarlyNames(object):
    """The part of `BertModel` that scripts ask for; it needs `config`, `prefix`, `layer`, `layers` and `model`."""

    @property
    def initializer(self):
        """What the config says that kernels start from, for layers of yours on top."""
        return keras.initializers.TruncatedNormal(stddev=self.config['initializer_range'])

    def layer_name(self, name):
        """The name in the Keras model of the layer that is called `name` here."""
        return self.prefix + name


class EarlyModel(object):
    """The part of `bert.EarlyBert` that is before BertModel.

    Keras masks from the token ids, see layers.py, and ids as floats where that Keras wants them in products with
    a loss.

    Args:
        from_zero: whether blocks are called Transformer-0-..., ..., an ALBERT's Transformer-..., as from 0.3 on.
        sequence_length: int, T, or None for any.
        config and others: see BertModel.
    """

    layer_classes = EARLY_LAYERS

    def __init__(self, config, from_zero=True, sequence_length=None, **options):
        super(EarlyModel, self).__init__(config, **options)
        self.from_zero, self.sequence_length = from_zero, sequence_length

    def layer_name(self, name):
        found = re.match(r'Encoder-(\d+)-(.*)', name) if self.from_zero else None
        if found is None:
            return self.prefix + name
        number = '' if self.family.shares_blocks else '%d-' % (int(found.group(1)) - 1)
        return '%sTransformer-%s%s' % (self.prefix, number, found.group(2))

    def inputs(self):
        return [keras.layers.Input(shape=(self.sequence_length,), dtype=backend.EARLY_IDS_DTYPE,
                                   name=self.layer_name(name)) for name in ('Input-Token', 'Input-Segment')]

    @property
    def input(self):
        """The model's symbolic inputs, a list; 0.11's `inputs` is a hook here."""
        return self.model.input

    @property
    def output(self):
        """The model's symbolic output, or a list; 0.11's `outputs` is a hook here."""
        return self.model.output

    @property
    def num_hidden_layers(self):
        """The number of blocks."""
        return self.config['num_hidden_layers']

    def apply_embeddings(self, inputs):
        """[token ids, segment ids], int [B, T] -> their embeddings [B, T, D], and the mask of the following calls."""
        x, self.table = self.embed(*inputs[:2])
        self.mask = self.attention_mask(*inputs[:2])
        return x

    def apply_main_layers(self, inputs, index):
        """Block `index`, from 0, after `apply_embeddings`: [B, T, D] -> [B, T, D]."""
        return self.after_block(self.transformer_block(inputs, self.mask, index), index)

    def apply_final_layers(self, inputs):
        """The heads, after the last block: [B, T, D] -> what `outputs` returns."""
        return self.outputs(inputs, self.table)

    def plain_options(self):
        return dict(super(EarlyModel, self).plain_options(), from_zero=self.from_zero)
