# -*- coding: utf-8 -*-
"""keras_bert.layers.embedding of keras-bert."""
from bert4keras.keras_bert.layers import (  # noqa: F401 (the second and third are handed on, not exported)
    EmbeddingSimilarity, LayerNormalization, PositionEmbedding, TokenEmbedding, get_embedding)

__all__ = ['EmbeddingSimilarity', 'TokenEmbedding', 'get_embedding']
