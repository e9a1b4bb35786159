# -*- coding: utf-8 -*-
"""keras_bert.layers.embedding of keras-bert. Shapes: B batch, T tokens, E embedding, V vocabulary."""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.keras_bert.layers.base import KerasBertLayer, known_as
from bert4keras.layers import (
    BertLayerNorm, BertPositionEmbedding, BertSegmentEmbedding, BertTokenEmbedding, BertTokenProbability)

__all__ = ['EmbeddingSimilarity', 'TokenEmbedding', 'get_embedding']


@backend.register
class KerasBertTokenEmbedding(KerasBertLayer, BertTokenEmbedding):
    """keras-bert's TokenEmbedding; with `mask_zero` the Keras mask is where the ids are not 0."""

    arguments, initial = ('input_dim', 'output_dim'), 'uniform'
    renamed = {'input_dim': 'vocab_size', 'output_dim': 'embedding_size'}
    input_dim, output_dim, embeddings = known_as('vocab_size'), known_as('embedding_size'), known_as('table')

    def __init__(self, *args, **kwargs):
        mask_zero = kwargs.pop('mask_zero', False)
        super(KerasBertTokenEmbedding, self).__init__(*args, **kwargs)
        self.mask_zero = mask_zero

    def compute_mask(self, inputs, mask=None):
        return [kops.not_equal(inputs, 0) if self.mask_zero else None, None]

    def get_config(self):
        return dict(super(KerasBertTokenEmbedding, self).get_config(), mask_zero=self.mask_zero)


@backend.register
class KerasBertSegmentEmbedding(KerasBertLayer, BertSegmentEmbedding):
    """The segment embedding, drawn as keras-bert draws it."""

    initial = 'uniform'
    input_dim, output_dim, embeddings = known_as('type_vocab_size'), known_as('embedding_size'), known_as('table')


@backend.register
class KerasBertPositionEmbedding(KerasBertLayer, BertPositionEmbedding):
    """PositionEmbedding of keras-pos-embd, in the one mode that BERT uses, 'add'."""

    initial = 'uniform'
    arguments = ('input_dim', 'output_dim', 'mode')
    renamed = {'input_dim': 'max_position_embeddings'}
    fixed = {'mode': 'add', 'mask_zero': False}
    input_dim, embeddings = known_as('max_position_embeddings'), known_as('table')

    def __init__(self, *args, **kwargs):
        kwargs.update(zip(self.arguments, args))
        kwargs.pop('output_dim', None)  # the input's last axis
        if 'input_dim' in kwargs:  # Keras 3, opening an h5 file, takes the string for the function keras.layers.add
            mode = kwargs.get('mode', 'expand')
            kwargs['mode'] = getattr(mode, '__name__', mode)
        super(KerasBertPositionEmbedding, self).__init__(**kwargs)

    @property
    def output_dim(self):
        return None if self.embeddings is None else int(self.embeddings.shape[-1])


@backend.register
class KerasBertNorm(KerasBertLayer, BertLayerNorm):
    """LayerNormalization of keras-layer-normalization, whose epsilon is the square of Keras'."""

    fixed = {'center': True, 'scale': True}

    def __init__(self, epsilon=None, **kwargs):
        epsilon = keras.backend.epsilon() ** 2 if epsilon is None else epsilon
        super(KerasBertNorm, self).__init__(epsilon=epsilon, **kwargs)


@backend.register
class KerasBertEmbeddingSimilarity(KerasBertLayer, BertTokenProbability):
    """keras-bert's EmbeddingSimilarity, and EmbeddingSim of keras-embed-sim: see `BertTokenProbability`."""

    fixed = {'use_bias': True, 'stop_gradient': False}
    arguments = ('initializer', 'regularizer', 'constraint')


@backend.register
class KerasBertAdd(keras.layers.Add):
    """Keras' Add, with Keras 2's mask: those inputs that have one decide. Keras 3 wants one of each."""

    def compute_mask(self, inputs, mask=None):
        known = [one for one in mask or () if one is not None]
        merged = known[0] if known else None
        for one in known[1:]:
            merged = kops.logical_and(merged, one)
        return merged


# keras-bert's names; those of the classes are our own, see the package
TokenEmbedding = KerasBertTokenEmbedding
EmbeddingSimilarity = KerasBertEmbeddingSimilarity
PositionEmbedding = KerasBertPositionEmbedding
LayerNormalization = KerasBertNorm


def get_embedding(inputs, token_num, pos_num, embed_dim, dropout_rate=0.1, trainable=True):
    """Token, segment and position embeddings.

    Args:
        inputs: see `get_inputs`.
        token_num, pos_num, embed_dim: int, V, number of positions and E.
        dropout_rate: not used here, nor in keras-bert.
        trainable: bool, of the layers.

    Returns:
        the sum of the three [B, T, E], and the table of the tokens [V, E].
    """
    x, table = TokenEmbedding(token_num, embed_dim, mask_zero=True, trainable=trainable,
                              name='Embedding-Token')(inputs[0])
    segments = KerasBertSegmentEmbedding(type_vocab_size=2, embedding_size=embed_dim, trainable=trainable,
                                         name='Embedding-Segment')(inputs[1])
    x = KerasBertAdd(name='Embedding-Token-Segment')([x, segments])
    x = KerasBertPositionEmbedding(max_position_embeddings=pos_num, trainable=trainable, name='Embedding-Position')(x)
    return x, table
