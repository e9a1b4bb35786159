# -*- coding: utf-8 -*-
"""What the masked language model makes of a text.

Keras starts only where a model is built.
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.errors import CheckpointError
from bert4keras.release.config import read_config
from bert4keras.release.directory import find_release
from bert4keras.tokenizer_files import load_tokenizer

__all__ = ['fill_mask']


def fill_mask(path, text, top=5, gelu=None):
    """What the masked language model puts in the place of each [MASK].

    Args:
        path: a release that has the head, see `release.directory.find_release`.
        text: string with one [MASK] or more.
        top: int, how many tokens to give for each.
        gelu: 'erf', 'tanh' or None; see `BertModel`.

    Returns:
        list, one item for each [MASK] in order: a list of (token, probability), the likeliest first.

    Raises:
        ValueError: no [MASK] in the text, a text longer than the model's positions, or a checkpoint
            without the head.
    """
    release = find_release(path)
    config = read_config(release.config_path)
    tokenizer = load_tokenizer(release)
    parts = text.split(tokenizer.token_mask)
    if len(parts) == 1:
        raise ValueError('the text has no %s, the place to fill' % tokenizer.token_mask)
    tokens = [tokenizer.token_cls]
    for index, part in enumerate(parts):
        tokens += ([tokenizer.token_mask] if index else []) + tokenizer.tokenize(part)[1:-1]
    tokens.append(tokenizer.token_sep)
    if len(tokens) > config['max_position_embeddings']:
        raise ValueError('the text has %d tokens, but the model has %d positions; shorten it'
                         % (len(tokens), config['max_position_embeddings']))
    from bert4keras.bert import build_bert_model
    model = build_bert_model(release.config_path, release.checkpoint_path, with_mlm=True, gelu=gelu)
    token_ids = np.array([tokenizer.tokens_to_ids(tokens)], 'int32')  # [1, T]
    probabilities = np.asarray(model.predict_on_batch([token_ids, np.zeros_like(token_ids)]))[0]  # [T, V]
    if not np.isfinite(probabilities).all():
        raise CheckpointError('the model of %s gives numbers that are not finite; check its weights' % path)
    filled = []
    for row in probabilities[token_ids[0] == tokenizer.token_to_id(tokenizer.token_mask)]:
        best = row.argsort()[::-1][:top]
        filled.append([(tokenizer.id_to_token(int(index)), float(row[index])) for index in best])
    return filled
