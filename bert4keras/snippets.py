# -*- coding: utf-8 -*-
"""What people write again and again around the model: here, texts to one vector each.

Needs NumPy only; the model that is handed in brings its engine.
Shapes: N texts, B batch, T tokens, D hidden.
"""
from __future__ import absolute_import, division, print_function

import logging

import numpy as np

POOLINGS = ('mean', 'cls', 'max')
logger = logging.getLogger(__name__)


class TextError(ValueError):
    """A text that the model cannot take.

    Attributes:
        index: its position among the texts, from 0.
        what: what is wrong with it and what to do, to follow the text's name in a message.
    """

    def __init__(self, index, what):
        super(TextError, self).__init__(index, what)
        self.index, self.what = index, what

    def __str__(self):
        return 'text %d (counted from 0) %s' % (self.index, self.what)


def embed(model, tokenizer, texts, pooling='mean', batch_size=32, max_length=None, progress=None):
    """Turns texts into one vector each.

    Texts of similar length are computed together, so that little padding is, and batches come in few
    shapes, because JAX compiles for each shape anew.

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
        progress: None, or a function to call behind each batch with the number of its texts, such as
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
    if not isinstance(model.output_shape, tuple) or len(model.output_shape) != 3 or 'MLM-Proba' in layers:
        raise ValueError('embed needs the last hidden states: build the model without with_pool, with_nsp and '
                         'with_mlm')
    positions = layers['Embedding-Position'].max_position_embeddings
    rows = _encode(tokenizer, texts, max_length, positions, layers['Embedding-Token'].vocab_size)
    # a subclass may have a mask of its own; 0 is [PAD] in every official release
    pad_token_id = getattr(layers.get('Attention-Mask'), 'pad_token_id', 0)
    # From the longest to the shortest: the batch that is filled up with empty rows is the cheapest.
    order = sorted(range(len(rows)), key=lambda index: -len(rows[index][0]))
    batch_size = min(batch_size, len(rows))
    result = np.zeros((len(rows), int(model.output_shape[-1])), dtype='float32')  # [N, D]
    for start in range(0, len(rows), batch_size or 1):
        indices = order[start:start + batch_size]
        lengths = [len(rows[index][0]) for index in indices]
        token_ids = np.full((batch_size, padded_length(lengths[0], positions)), pad_token_id, dtype='int32')
        segment_ids = np.zeros_like(token_ids)  # [B, T]
        for row, (index, length) in enumerate(zip(indices, lengths)):
            token_ids[row, :length], segment_ids[row, :length] = rows[index]
        hidden = np.asarray(model.predict_on_batch([token_ids, segment_ids]))  # [B, T, D]
        result[indices] = _pool(hidden[:len(indices)].astype('float32'), lengths, pooling)
        if progress is not None:
            progress(len(indices))
    return result


def padded_length(length, positions):
    """The length that a batch is padded to: one of few, because JAX compiles for each.

    On two cores compiling once takes as long as computing some 3000 tokens of a MiniLM, so steps must
    not be small; padding must not be much, so they must not be large. Up to thousands of texts these
    came out best; for many more, steps of 8 would save a tenth.

    Args:
        length: int, of the batch's longest text, at most `positions`.
        positions: int, what the model has; never exceeded.

    Returns:
        int, at least `length`.
    """
    step = 16 if length <= 64 else 32
    return min(-(-length // step) * step, positions)


def normalize(embeddings):
    """Scales each row of [N, D] to length 1, so that dot products are cosines; zeros stay zeros."""
    lengths = np.sqrt(np.sum(np.square(embeddings), axis=-1, keepdims=True))  # [N, 1]
    return embeddings / np.maximum(lengths, np.finfo('float32').tiny)


def _encode(tokenizer, texts, max_length, positions, vocab_size):
    """Texts -> list of (token ids, segment ids), each found to fit the model."""
    if isinstance(texts, (bytes, type(u''))):
        raise TypeError('texts must be a list of strings, not one string')
    if max_length is not None and max_length > positions:
        raise ValueError('max_length is %d, but the model has %d positions' % (max_length, positions))
    rows, cut = [], 0
    for index, text in enumerate(texts):
        token_ids, segment_ids = tokenizer.encode(text)
        if max_length is not None and len(token_ids) > max_length:
            token_ids, segment_ids = tokenizer.encode(text, max_length=max_length)
            cut += 1
        check_token_ids(index, token_ids, positions, vocab_size)
        rows.append((token_ids, segment_ids))
    if cut:
        logger.warning('%d of %d texts had more than %d tokens and were cut', cut, len(rows), max_length)
    return rows


def check_token_ids(index, token_ids, positions, vocab_size):
    """TextError unless text `index` fits the positions and the vocabulary of a model, where these are not None."""
    if positions is not None and not 0 < len(token_ids) <= positions:
        raise TextError(index, 'has %d tokens, but the model has %d positions; max_length=%d would cut it'
                        % (len(token_ids), positions, positions))
    if vocab_size is not None and (min(token_ids) < 0 or max(token_ids) >= vocab_size):
        raise TextError(index, 'has token ids from %d to %d, but the model has 0 to %d; use the vocabulary '
                        'of the model' % (min(token_ids), max(token_ids), vocab_size - 1))


def _pool(hidden, lengths, pooling):
    """Hidden states [B, T, D] and the number of real tokens of each row -> [B, D]."""
    if pooling == 'cls':
        return hidden[:, 0]
    is_token = np.arange(hidden.shape[1])[None, :, None] < np.reshape(lengths, (-1, 1, 1))  # [B, T, 1]
    if pooling == 'max':
        return np.max(np.where(is_token, hidden, -np.inf), axis=1)
    return np.sum(np.where(is_token, hidden, 0), axis=1) / np.reshape(lengths, (-1, 1))
