# -*- coding: utf-8 -*-
"""Texts to vectors, and pairs of texts to scores, as the directory of the model says.

    encoder         `embed`, for a model and a tokenizer, and `Embedder`, for a directory
    cross_encoder   `CrossEncoder`, which ranks passages for a query
    directory       what a directory of sentence-transformers says: pooling, Dense, Normalize, prompts
    pooling, dense  the vectors of a text's tokens to one vector, and a layer on top
    fields          the JSON files of a directory
    corpus          the vectors of any number of texts, in files; texts reads these texts from files
    cluster         the same by Ray Data, on one machine or several
    export          ONNX and SavedModels, to be served without bert4keras

Keras starts where an Embedder or a CrossEncoder is made, and with export; NumPy is enough for the rest.
"""
from __future__ import absolute_import, division, print_function

from bert4keras.embedding.cross_encoder import CrossEncoder
from bert4keras.embedding.directory import read_sentence_model
from bert4keras.embedding.encoder import Embedder, embed
from bert4keras.embedding.pooling import POOLINGS, normalize, pool
from bert4keras.errors import TextError

__all__ = ['CrossEncoder', 'Embedder', 'POOLINGS', 'TextError', 'embed', 'normalize', 'pool', 'read_sentence_model']
