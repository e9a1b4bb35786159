# -*- coding: utf-8 -*-
"""Pairs of texts to scores: a model that reads both at once, to rank passages for a query.

Keras starts where a CrossEncoder is made. Shapes: N pairs, L labels.
Source of what a directory says: sentence-transformers 6.2, cross_encoder/model.py.
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.embedding.dense import sigmoid
from bert4keras.embedding.directory import read_pair_model
from bert4keras.embedding.encoder import Forward, compute_texts, length_limit, load_model
from bert4keras.errors import CheckpointError, TextError
from bert4keras.release.config import read_config
from bert4keras.release.heads import describe_head, head_among
from bert4keras.release.variables import open_variables

__all__ = ['CrossEncoder']


class CrossEncoder(object):
    """A classifier of pairs, as the directory of a cross-encoder says: rerankers of BGE and ms-marco in BERT's layout.

    Args:
        path: of the directory of a BertForSequenceClassification, with or without what sentence-transformers adds; or a
            release, see `release.directory.find_release`.

    Attributes:
        model, tokenizer: of [token ids, segment ids] to logits [B, L], a Keras model, and its tokenizer.
        labels: list of the L names of the labels.
        activation: the function of logits to scores: the one that the directory names; where it names none, the sigmoid
            for one label, and none for several.
        max_length: int, the number of tokens that a pair is cut to, from the end of the longer text.

    Raises:
        ConfigError, CheckpointError, VocabularyError (ValueErrors): a file is missing or wrong, there is no such
            classifier, or something is asked for that is not built.
    """

    def __init__(self, path):
        says = read_pair_model(path)
        config = read_config(says.release.config_path)
        variables = open_variables(says.release.checkpoint_path, config)
        head, count = head_among(config, variables)
        describe_head(config, variables)  # an error, if the config has other labels
        if head != 'classification':
            raise CheckpointError('%s has no classifier of texts (classifier.weight) in %s, but %s; give the directory '
                                  'of a cross-encoder' % (path, says.release.checkpoint_path,
                                                          'a head for %s' % head if head else 'no head for a task'))
        self.path = says.path
        self.model, self.tokenizer = load_model(says.release, says.lowercase, head=head, num_labels=count)
        self.labels = list(self.model.get_layer('Classifier').labels)
        self.activation = says.activation or (sigmoid if count == 1 else lambda logits: logits)
        self.max_length = length_limit(says, self)
        self._forward = Forward()

    def logits(self, pairs, batch_size=32, max_length=None, progress=None):
        """The logits of pairs of texts, float32 [N, L]; see `predict`."""
        return compute_texts(self.model, self.tokenizer, _checked(pairs), len(self.labels), batch_size,
                             max_length or self.max_length, progress, lambda logits, lengths: logits,
                             forward=self._forward.of(self.model))

    def predict(self, pairs, batch_size=32, max_length=None, progress=None):
        """Scores pairs of texts; those of similar length are computed together.

        Args:
            pairs: iterable of (text, text).
            batch_size: int, how many are computed at a time.
            max_length: None for `self.max_length`, or the number of tokens that longer pairs are cut to; how many were
                cut is logged as a warning.
            progress: None, or a function to call after each batch with the number of its pairs.

        Returns:
            float32 array [N] for a model with one label, else [N, L]; in the order of the pairs.

        Raises:
            TextError (a ValueError): something else than a pair of strings. ValueError: an argument out of range.
        """
        scores = np.asarray(self.activation(self.logits(pairs, batch_size, max_length, progress)), 'float32')
        return scores[:, 0] if len(self.labels) == 1 else scores

    def rank(self, query, passages, top=None, batch_size=32, max_length=None, progress=None):
        """Sorts passages by how well they answer a query.

        Args:
            query: string. passages: iterable of strings.
            top: None, or how many are returned.
            batch_size, max_length, progress: see `predict`, also for what is raised.

        Returns:
            list of (index of the passage, score), the best first; of equals the one that came first.
        """
        if len(self.labels) != 1:
            raise ValueError('%s has %d labels (%s), so that there is no one score to rank by; use predict'
                             % (self.path, len(self.labels), ', '.join(self.labels)))
        logits = self.logits([(query, passage) for passage in passages], batch_size, max_length, progress)
        scores = np.asarray(self.activation(logits), 'float32')[:, 0]
        order = np.lexsort((-logits[:, 0], -scores))[:top]  # scores that are rounded to 1 may still differ
        return [(int(index), float(scores[index])) for index in order]


def _checked(pairs):
    """The pairs as tuples; TextError for what is none."""
    pairs = [tuple(pair) if isinstance(pair, (list, tuple)) else pair for pair in pairs]
    for index, pair in enumerate(pairs):
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TextError(index, 'is no pair of two texts')
    return pairs
