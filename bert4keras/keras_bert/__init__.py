# -*- coding: utf-8 -*-
"""A drop-in for keras-bert: `import bert4keras.keras_bert as keras_bert`, on every Keras.

Names, signatures, defaults, layers, inputs, orders of weights and outputs are those of keras-bert 0.89
(PyPI; facts read off it and its companions keras-transformer, keras-multi-head, ...), and so are the modules
here. Everything is built on `bert4keras.bert` and `bert4keras.layers`; what keras-bert does differently from
them is here and nowhere else: dropout before the first norm, epsilon 1e-14, GELU by tanh (its releases before
0.83 had erf: `gelu='erf'`), activations inside attention, Keras masks, a tokenizer of its own.

The encoder masks padding by the ids themselves. The Keras masks that its layers hand on are for what
users put on top, and for files that keras-bert saved, whose graphs have nothing else.
"""
from __future__ import absolute_import, division, print_function

# all modules, so that they are there as attributes: `keras_bert.layers.extract.Extract`
from bert4keras.keras_bert import activations, backend, datasets, layers, loader, optimizers  # noqa: F401
from bert4keras.keras_bert.bert import (  # noqa: F401 (KerasBert is ours)
    TOKEN_CLS, TOKEN_MASK, TOKEN_PAD, TOKEN_SEP, TOKEN_UNK, KerasBert, compile_model, gelu, gen_batch_inputs,
    get_base_dict, get_custom_objects, get_model, get_token_embedding, set_custom_objects)
from bert4keras.keras_bert.datasets import PretrainedInfo, PretrainedList, get_pretrained
from bert4keras.keras_bert.layers import (
    EmbeddingSimilarity, Extract, Masked, MaskedConv1D, MaskedGlobalMaxPool1D, TaskEmbedding, TokenEmbedding,
    get_embedding, get_inputs)
from bert4keras.keras_bert.layers import (  # noqa: F401
    conv, embedding, extract, inputs, masked, pooling, task_embed)
from bert4keras.keras_bert.loader import (
    build_model_from_config, load_model_weights_from_checkpoint, load_trained_model_from_checkpoint, load_vocabulary)
from bert4keras.keras_bert.optimizers import AdamWarmup, calc_train_steps, warmup, warmup_v2  # noqa: F401
from bert4keras.keras_bert.tokenizer import Tokenizer
from bert4keras.keras_bert.util import (
    POOL_AVE, POOL_MAX, POOL_NSP, extract_embeddings, extract_embeddings_generator, get_checkpoint_paths)

__version__ = '0.89.0'  # of the keras-bert that this stands in for

__all__ = [
    'TOKEN_PAD', 'TOKEN_UNK', 'TOKEN_CLS', 'TOKEN_SEP', 'TOKEN_MASK', 'gelu', 'get_model', 'compile_model',
    'get_base_dict', 'gen_batch_inputs', 'get_token_embedding', 'get_custom_objects', 'set_custom_objects',
    'build_model_from_config', 'load_model_weights_from_checkpoint', 'load_trained_model_from_checkpoint',
    'load_vocabulary', 'Tokenizer', 'AdamWarmup', 'calc_train_steps', 'POOL_NSP', 'POOL_MAX', 'POOL_AVE',
    'get_checkpoint_paths', 'extract_embeddings_generator', 'extract_embeddings', 'PretrainedInfo',
    'PretrainedList', 'get_pretrained', 'get_inputs', 'get_embedding', 'TokenEmbedding', 'EmbeddingSimilarity',
    'Masked', 'Extract', 'TaskEmbedding', 'MaskedConv1D', 'MaskedGlobalMaxPool1D']
