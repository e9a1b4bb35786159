# -*- coding: utf-8 -*-
"""keras_bert.layers.embedding of keras-bert."""
from bert4keras.keras_bert.layers import EmbeddingSimilarity, TokenEmbedding, get_embedding

__all__ = ['EmbeddingSimilarity', 'TokenEmbedding', 'get_embedding']
