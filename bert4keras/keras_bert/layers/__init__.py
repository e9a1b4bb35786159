# -*- coding: utf-8 -*-
"""The layers of the drop-in for keras-bert: ours, with keras-bert's arguments and Keras masks.

Our classes have names that neither Keras nor keras-bert has; `keras_bert.get_custom_objects()` says
which stands for which of keras-bert's. The configs that keras-bert saved build them.

In `keras_bert.get_model` the attention masks padding by the ids themselves. The Keras masks that the
layers hand on are for what users put on top, and for the files that keras-bert saved, whose graphs
have nothing else.

Shapes: B batch, T tokens, D hidden, E embedding, V vocabulary.
"""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.keras_bert.layers.attention import KerasBertAttention, KerasBertAttentionMap  # noqa: F401
from bert4keras.keras_bert.layers.base import gelu, gelu_erf, gelu_tanh, to_activation  # noqa: F401
from bert4keras.keras_bert.layers.conv import MaskedConv1D
from bert4keras.keras_bert.layers.embedding import (  # noqa: F401
    EmbeddingSimilarity, KerasBertAdd, KerasBertNorm, KerasBertPositionEmbedding, KerasBertSegmentEmbedding,
    LayerNormalization, PositionEmbedding, TokenEmbedding, get_embedding)
from bert4keras.keras_bert.layers.extract import Extract
from bert4keras.keras_bert.layers.feed_forward import (  # noqa: F401
    KerasBertDense, KerasBertFeedForward, KerasBertGeluDense)
from bert4keras.keras_bert.layers.inputs import get_inputs
from bert4keras.keras_bert.layers.masked import Masked
from bert4keras.keras_bert.layers.pooling import MaskedGlobalMaxPool1D
from bert4keras.keras_bert.layers.task_embed import TaskEmbedding

__all__ = ['get_inputs', 'get_embedding', 'TokenEmbedding', 'EmbeddingSimilarity', 'Masked', 'Extract',
           'MaskedGlobalMaxPool1D', 'MaskedConv1D', 'TaskEmbedding']

backend.register_mask_operations()
