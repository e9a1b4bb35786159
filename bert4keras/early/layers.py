# -*- coding: utf-8 -*-
"""Our layers as scripts of bert4keras 0.1 to 0.11 expect them: with Keras masks, handed on from the token ids.

Attention masks padding by the ids themselves, as always. The Keras masks are for what scripts put on top: a `Loss`,
a `ConditionalRandomField`, `get_layer('Embedding-Token').output_mask`.
"""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.layers import (
    BertDense, BertFeedForward, BertFirstToken, BertLayerNorm, BertPositionEmbedding, BertSegmentEmbedding,
    BertSelfAttention, BertTokenEmbedding, BertTokenProbability)

__all__ = ['EARLY_LAYERS']


class Masked(object):
    """Hands the mask of the first input on, for each position of the output."""

    def __init__(self, *args, **kwargs):
        super(Masked, self).__init__(*args, **kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return mask[0] if isinstance(mask, (list, tuple)) else mask


@backend.register
class EarlyTokenEmbedding(Masked, BertTokenEmbedding):
    """BertTokenEmbedding, with a Keras mask where the ids are not 0."""

    def compute_mask(self, inputs, mask=None):
        return [kops.not_equal(inputs, 0), None]


@backend.register
class EarlySegmentEmbedding(Masked, BertSegmentEmbedding):
    """BertSegmentEmbedding with Keras masks."""


@backend.register
class EarlyPositionEmbedding(Masked, BertPositionEmbedding):
    """BertPositionEmbedding with Keras masks."""


@backend.register
class EarlyLayerNorm(Masked, BertLayerNorm):
    """BertLayerNorm with Keras masks."""


@backend.register
class EarlySelfAttention(Masked, BertSelfAttention):
    """BertSelfAttention with Keras masks."""


@backend.register
class EarlyFeedForward(Masked, BertFeedForward):
    """BertFeedForward with Keras masks."""


@backend.register
class EarlyDense(Masked, BertDense):
    """BertDense with Keras masks."""


@backend.register
class EarlyTokenProbability(Masked, BertTokenProbability):
    """BertTokenProbability with Keras masks."""


@backend.register
class EarlyAdd(Masked, keras.layers.Add):
    """The sum, with the mask of the first input; Keras 3 has none where one input has none."""


@backend.register
class EarlyFirstToken(Masked, BertFirstToken):
    """BertFirstToken, after which there is no mask."""

    def compute_mask(self, inputs, mask=None):
        return None


# BertModel.layer_classes
EARLY_LAYERS = {
    BertTokenEmbedding: EarlyTokenEmbedding, BertSegmentEmbedding: EarlySegmentEmbedding,
    BertPositionEmbedding: EarlyPositionEmbedding, BertLayerNorm: EarlyLayerNorm,
    BertSelfAttention: EarlySelfAttention, BertFeedForward: EarlyFeedForward, BertDense: EarlyDense,
    BertTokenProbability: EarlyTokenProbability, BertFirstToken: EarlyFirstToken,
    keras.layers.Add: EarlyAdd}
