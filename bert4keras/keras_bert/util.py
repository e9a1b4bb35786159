# -*- coding: utf-8 -*-
"""Texts to vectors, as keras-bert's `extract_embeddings` gives them.

Shapes: B batch, T tokens, D hidden.
"""
from __future__ import absolute_import, division, print_function

import collections
import itertools
import os

import numpy as np

from bert4keras.batching import check_token_ids, compute_by_length, padded_length
from bert4keras.compat import STRINGS, fspath
from bert4keras.keras_bert.layers import Extract, MaskedGlobalMaxPool1D  # noqa: F401 (keras-bert has them here)
from bert4keras.keras_bert.loader import load_trained_model_from_checkpoint, load_vocabulary
from bert4keras.keras_bert.tokenizer import Tokenizer

__all__ = ['POOL_NSP', 'POOL_MAX', 'POOL_AVE', 'get_checkpoint_paths', 'extract_embeddings_generator',
           'extract_embeddings']

POOL_NSP, POOL_MAX, POOL_AVE = 'POOL_NSP', 'POOL_MAX', 'POOL_AVE'
CheckpointPaths = collections.namedtuple('CheckpointPaths', ['config', 'checkpoint', 'vocab'])


def get_checkpoint_paths(model_path):
    """The paths (config, checkpoint, vocab) of a release of Google's in a directory."""
    return CheckpointPaths(*[os.path.join(fspath(model_path), name)
                             for name in ('bert_config.json', 'bert_model.ckpt', 'vocab.txt')])


def extract_embeddings(model, texts, poolings=None, vocabs=None, cased=False, batch_size=4, cut_embed=True,
                       output_layer_num=1):
    """Turns texts into vectors; see `extract_embeddings_generator`. Returns a list."""
    return list(extract_embeddings_generator(model, texts, poolings, vocabs, cased, batch_size, cut_embed,
                                             output_layer_num))


def extract_embeddings_generator(model, texts, poolings=None, vocabs=None, cased=False, batch_size=4,
                                 cut_embed=True, output_layer_num=1):
    """Turns texts into vectors, one after the other in the order of the texts.

    Texts of similar length are computed together, within 32 batches, and no wider than they need to be
    where the model takes any length; so a path is faster than a model with a fixed `seq_len`.

    Args:
        model: directory of a release, or a Keras model [token ids, segment ids] -> [B, T, D].
        texts: iterable of texts or of pairs of texts.
        poolings: None for a vector a token, or POOL_NSP (the first token's), POOL_MAX or POOL_AVE, or a
            list of them, whose results are concatenated.
        vocabs: mapping from token to id, for a model.
        cased: bool, see `Tokenizer`.
        batch_size: int; as many tokens at a time as in a batch of so many texts.
        cut_embed: whether a vector a token ends with the text's last token; else with the longest
            text's of its batch, or at the fixed length.
        output_layer_num: see `get_model`, for a directory.

    Yields:
        float array [tokens, D], or with poolings [D * number of them].

    Raises:
        ValueError: an unknown pooling, a text of more tokens than the model has positions, or of token ids
            that it lacks.
    """
    model = fspath(model)
    if isinstance(model, STRINGS):
        paths = get_checkpoint_paths(model)
        model = load_trained_model_from_checkpoint(paths.config, paths.checkpoint, seq_len=None,
                                                   output_layer_num=output_layer_num)
        vocabs = load_vocabulary(paths.vocab)
        positions = seq_len = model.get_layer('Embedding-Position').max_position_embeddings
        fixed = False
    else:
        seq_len = model.output_shape[1]
        fixed = seq_len is not None
        positions = seq_len or layer_size(model, 'Embedding-Position', 'max_position_embeddings')
    vocab_size = layer_size(model, 'Embedding-Token', 'vocab_size')
    poolings = [poolings] if isinstance(poolings, STRINGS) else poolings
    for pooling in poolings or ():
        if pooling not in _POOLINGS:
            raise ValueError('Unknown pooling method: %s; known are %s' % (pooling, ', '.join(sorted(_POOLINGS))))
    encode, texts, seen = Tokenizer(vocabs, cased=cased).encode, iter(texts), 0
    while True:
        window = [encode(text, max_len=seq_len) if isinstance(text, STRINGS) else
                  encode(text[0], text[1], max_len=seq_len) for text in itertools.islice(texts, 32 * batch_size)]
        if not window:
            return
        for index, (token_ids, _) in enumerate(window, start=seen):
            check_token_ids(index, token_ids, positions, vocab_size,
                            remedy='a model built with seq_len=%d cuts it')
        seen += len(window)
        rows = []
        for first in range(0, len(window), batch_size):
            batch = window[first:first + batch_size]
            width = max(len(token_ids) for token_ids, _ in batch)
            for token_ids, segment_ids in batch:
                length = max([0] + [at + 1 for at, number in enumerate(token_ids) if number != 0])
                wanted = length if cut_embed or poolings is not None else width
                padding = [0] * (wanted - length)
                rows.append((token_ids[:length] + padding, segment_ids[:length] + padding))
        for embedding in _embed_window(model, rows, poolings, batch_size, positions, seq_len if fixed else None):
            yield embedding


def layer_size(model, name, size):
    """A size that the model's layer `name` knows; None if it has no such layer, or the layer no such size."""
    return next((getattr(layer, size, None) for layer in model.layers if layer.name == name), None)


def _embed_window(model, rows, poolings, batch_size, positions, fixed):
    """Returns the embeddings of rows (token ids, segment ids), a vector for each of their tokens or pooled."""
    limit = positions or max(1, max(len(token_ids) for token_ids, _ in rows))

    def size(width):  # as many tokens as batch_size of the longest rows have
        return batch_size if fixed else min(len(rows), max(batch_size, min(64, batch_size * limit // width)))

    def compute(inputs, lengths):
        hidden = np.asarray(model.predict_on_batch(inputs))  # [B, T, D]
        for row, length in enumerate(lengths):
            if poolings is None:
                yield hidden[row, :length]
            else:
                seen = hidden[row][inputs[0][row] != 0]
                yield np.concatenate([_POOLINGS[pooling](hidden[row], seen) for pooling in poolings])

    return compute_by_length(rows, compute, size, lambda length: fixed or padded_length(max(1, length), limit))


# from the hidden states [T, D] of a text, and of its tokens
_POOLINGS = {POOL_NSP: lambda hidden, seen: hidden[0], POOL_MAX: lambda hidden, seen: seen.max(axis=0),
             POOL_AVE: lambda hidden, seen: seen.mean(axis=0)}
