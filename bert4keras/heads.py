# -*- coding: utf-8 -*-
"""What a BertModel has on top of the last hidden states: the heads of pretraining, and one for a task of yours.

The head of a task is one of these, by the names of the layers:

    'classification'   Classifier on the pooled vector, after Classifier-Dropout: logits [B, N]
    'tokens'           Classifier on every token, after Classifier-Dropout: logits [B, T, N]
    'span'             Span on every token: the logits of where an answer starts and ends, [B, 2, T]

With `losses.CrossEntropy(from_logits=True)` and labels [B], [B, T] or [B, 2] these are the losses of
google-research/bert (run_classifier.py, run_squad.py) and of transformers. How a head lies in a release is
release/heads.py.

Shapes: B batch, T tokens, D hidden, N labels, V vocabulary.
"""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.errors import ConfigError
from bert4keras.layers import (
    BertClassifier, BertDense, BertFirstToken, BertLayerNorm, BertSpan, BertTokenProbability)
from bert4keras.release.heads import choose_head, classifier_dropout

__all__ = ['Heads', 'check_is_tied', 'check_values']


class Heads(object):
    """The part of `BertModel` that makes its heads; it needs `application`, `config`, `family`, `layer`, `dropout`."""

    def choose_heads(self, with_pool, with_nsp, with_mlm, head, num_labels, labels):
        """Sets the attributes of these names, and what the config says of a head for a task.

        Args:
            with_pool, with_nsp, with_mlm: see `BertModel`.
            head, num_labels, labels: see `release.heads.choose_head`.

        Raises:
            ValueError: an argument is none of those, or two contradict each other. ConfigError: the config's
                labels cannot be read, or its masked language model is not tied to the table of words.
        """
        check_values(with_pool=with_pool, with_nsp=with_nsp, with_mlm=with_mlm)
        self.with_pool, self.with_nsp = with_pool, with_nsp
        self.with_mlm = with_mlm or self.application != 'encoder'
        check_is_tied(self.config, self.with_mlm)
        if self.family.counts_tokens and (with_nsp or self.application != 'encoder'):
            raise ConfigError("the config is of %s, which is built here as an encoder, without with_nsp; not with "
                              "application=%r, with_nsp=%r" % (self.family.title, self.application, with_nsp))
        self.head, self.config = choose_head(self.config, head, num_labels, labels)
        self.labels = None if self.head in (None, 'span') else list(self.config['id2label'].values())
        self.num_labels = None if self.labels is None else len(self.labels)
        if self.head is not None and self.application != 'encoder':
            raise ValueError("a head for a task needs application='encoder', where each token sees the whole text; "
                             'not %r' % self.application)
        if self.head == 'classification' and self.with_pool == 'linear' and not self.with_nsp:
            raise ValueError("the head 'classification' takes the pooled vector after tanh; with_pool='linear' is "
                             'before it: leave one of the two out')

    def needs_pooler(self):
        """Whether the pooled vector is an output, or an output is made from it."""
        return bool(self.with_pool or self.with_nsp or self.head == 'classification')

    def pooled(self, x):
        """The pooled vector of the first token, after tanh unless `with_pool` is 'linear': [B, T, D] -> [B, D]."""
        activation = 'linear' if self.with_pool == 'linear' and not self.with_nsp else 'tanh'
        x = self.layer(BertFirstToken, 'Pooler')(x)
        if self.head == 'classification' and self.family.classifier:  # RoBERTa drops before its dense layer, too
            x = self.dropout(x, 'Pooler-Dropout', classifier_dropout(self.config))
        return self.layer(BertDense, 'Pooler-Dense', units=self.config['hidden_size'], activation=activation)(x)

    def next_sentence(self, pooled):
        """The next sentence's probabilities, or logits: [B, D] -> [B, 2]."""
        activation = 'linear' if self.with_nsp == 'linear' else 'softmax'
        return self.layer(BertDense, 'NSP-Proba', units=2, activation=activation)(pooled)

    def words(self, x, table):
        """The masked language model's probabilities, or logits: x [B, T, D], table [V, E] -> [B, T, V]."""
        # transformers has the exact GELU in RoBERTa's head whatever the config says, as all releases do
        exact = self.family.counts_tokens and self.config['hidden_act'] != 'gelu'
        y = self.layer(BertDense, 'MLM-Dense', units=int(table.shape[-1]),
                       activation='gelu_erf' if exact else self.activation)(x)
        y = self.layer(BertLayerNorm, 'MLM-Norm')(y)
        activation = 'linear' if self.with_mlm == 'linear' else 'softmax'
        return self.layer(BertTokenProbability, 'MLM-Proba', activation=activation)([y, table])

    def task(self, x):
        """The logits of the task: for 'classification' of [B, D] -> [B, N], else of [B, T, D], see above."""
        full = backend.full_precision_dtype()  # as what comes next is a loss
        if self.head == 'span':
            return self.layer(BertSpan, 'Span', units=2, dtype=full)(x)
        x = self.dropout(x, 'Classifier-Dropout', classifier_dropout(self.config))
        return self.layer(BertClassifier, 'Classifier', units=self.num_labels, labels=self.labels,
                          problem_type=self.config.get('problem_type'), dtype=full)(x)


def check_values(**heads):
    """ValueError unless each argument of a head, such as with_mlm, is True, False or 'linear'."""
    for name in sorted(heads):
        if not isinstance(heads[name], bool) and heads[name] != 'linear':
            raise ValueError("%s must be True, False or 'linear', not %r" % (name, heads[name]))


def check_is_tied(config, with_mlm):
    """ConfigError if the masked language model is asked for, and the config's has a table of words of its own."""
    if with_mlm and config.get('tie_word_embeddings') is False:
        raise ConfigError('the config has tie_word_embeddings = False, but the head of with_mlm=True is tied '
                          'to the word embeddings; build without it')
