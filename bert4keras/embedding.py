# -*- coding: utf-8 -*-
"""Texts to one vector each.

Needs NumPy only; the model that is handed in brings its engine.
Shapes: N texts, B batch, T tokens, D hidden.
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.batching import check_rows, compute_by_length, encode_texts, padded_length
from bert4keras.errors import TextError

__all__ = ['POOLINGS', 'TextError', 'embed', 'normalize']

POOLINGS = ('mean', 'cls', 'max')


def embed(model, tokenizer, texts, pooling='mean', batch_size=32, max_length=None, progress=None):
    """Turns texts into one vector each.

    Texts of similar length are computed together, to keep padding small, and batches come in few
    shapes, because JAX compiles once for each shape.

    Args:
        model: the encoder that `build_bert_model` returns: [token ids, segment ids], int [B, T], to the
            last hidden states [B, T, D].
        tokenizer: a `Tokenizer` or `SpTokenizer` with the vocabulary of the model.
        texts: iterable of strings.
        pooling: over a text's tokens, [CLS] and [SEP] included and padding excluded: 'mean' (what
            sentence-transformers' MiniLM was trained for), 'max', or 'cls' for the first one's vector.
        batch_size: int, B; with fewer texts than that, B is their number.
        max_length: None, or the number of tokens that longer texts are cut to, special ones included;
            how many were cut is logged as a warning.
        progress: None, or a function to call after each batch with the number of its texts, such as
            the `update` of a tqdm bar.

    Returns:
        float32 array [N, D], in the order of `texts`.

    Raises:
        TextError (a ValueError): a text is longer than the model's position table, or has token ids
            that the model's vocabulary lacks. Found before anything is computed.
        ValueError: an argument out of range, or a model that is no encoder. TypeError: no strings.
    """
    if pooling not in POOLINGS:
        raise ValueError('pooling must be one of %s, not %r' % (', '.join(POOLINGS), pooling))
    if batch_size < 1:
        raise ValueError('batch_size must be at least 1, not %r' % (batch_size,))
    layers = {layer.name: layer for layer in model.layers}
    if (not isinstance(model.output_shape, tuple) or len(model.output_shape) != 3
            or {'MLM-Proba', 'Classifier', 'Span'} & set(layers)):
        raise ValueError('embed needs the last hidden states: build the model without with_pool, with_nsp, with_mlm '
                         'and head')
    positions = layers['Embedding-Position'].max_position_embeddings
    rows = check_rows(encode_texts(tokenizer, texts, max_length), max_length, positions,
                      layers['Embedding-Token'].vocab_size)
    # a subclass may have a mask of its own; 0 is [PAD] in every official release
    pad_token_id = getattr(layers.get('Attention-Mask'), 'pad_token_id', 0)
    batch_size = min(batch_size, len(rows))

    def compute(inputs, lengths):
        hidden = np.asarray(model.predict_on_batch(inputs))  # [B, T, D]
        return _pool(hidden[:len(lengths)].astype('float32'), lengths, pooling)

    vectors = compute_by_length(rows, compute, lambda width: batch_size,
                                lambda length: padded_length(length, positions), pad_token_id, progress)
    return np.array(vectors, dtype='float32').reshape(len(rows), int(model.output_shape[-1]))  # [N, D]


def normalize(embeddings):
    """Scales each row of [N, D] to length 1, so that dot products are cosines; zeros stay zeros."""
    lengths = np.sqrt(np.sum(np.square(embeddings), axis=-1, keepdims=True))  # [N, 1]
    return embeddings / np.maximum(lengths, np.finfo('float32').tiny)


def _pool(hidden, lengths, pooling):
    """Hidden states [B, T, D] and the number of real tokens of each row -> [B, D]."""
    if pooling == 'cls':
        return hidden[:, 0]
    is_token = np.arange(hidden.shape[1])[None, :, None] < np.reshape(lengths, (-1, 1, 1))  # [B, T, 1]
    if pooling == 'max':
        return np.max(np.where(is_token, hidden, -np.inf), axis=1)
    return np.sum(np.where(is_token, hidden, 0), axis=1) / np.reshape(lengths, (-1, 1))
