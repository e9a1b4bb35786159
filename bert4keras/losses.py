# -*- coding: utf-8 -*-
"""Cross entropy with targets left out, for `model.compile(loss=...)` on every Keras, and the labels for it.

One loss serves language models, UniLM's sequence to sequence, masked words, labels of tokens and classes of
texts, because what differs is data: which label each position has, and which positions have none
(`NO_LABEL`). `lm_labels` and `seq2seq_labels` make such labels with NumPy.

The mean is over targets, not over rows. Within one batch that is the default. Over the micro-batches of an
accumulated update, which have unequal numbers of targets, no loss can know the total: there
`generators.BucketedBatches(..., accumulate=k)` gives each batch the weight B * k / (targets of the update),
and the loss with `targets_per_row=1` sums over the targets of a row. The mean over the B rows and over the
k micro-batches is then (sum over all targets) / (targets of the update): the large batch's loss.

Shapes: B batch, T tokens, C classes (V, the vocabulary, for words).
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras import backend
from bert4keras.backend import kops
from bert4keras.layers import at_least_float32

__all__ = ['NO_LABEL', 'CrossEntropy', 'lm_labels', 'seq2seq_labels']

NO_LABEL = -1
_LEAST_PROBABILITY = 1e-30  # of which float32 knows the logarithm, and its gradient


@backend.register
class CrossEntropy(backend.CallableLoss):
    """The cross entropy of integer labels, for a model's probabilities or logits.

    Args:
        from_logits: whether the model returns logits (`with_mlm='linear'`), which is exact for the least
            probable words too; else it returns probabilities.
        label_smoothing: float in [0, 1): so much of each target is spread evenly over all classes.
        targets_per_row: None for the mean over the targets of the batch. A number divides the sum over
            each row's targets instead, and Keras takes the mean over rows: 1 with the weights of
            `BucketedBatches(accumulate=k)`; or the expected number of targets in a row, a constant under
            which accumulation is exact without weights.

    Call: labels [B, T], [B, T, 1] or [B], integers in whatever type Keras makes of them, negative for no
    target; prediction [B, T, C] or [B, C] -> [B], whose mean is the loss. A batch without a target has loss 0.
    For the start and the end of a span the labels are [B, 2], the prediction [B, 2, T].
    """

    def __init__(self, from_logits=False, label_smoothing=0.0, targets_per_row=None):
        super(CrossEntropy, self).__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError('label_smoothing must be at least 0 and less than 1, not %r' % (label_smoothing,))
        if targets_per_row is not None and not targets_per_row > 0:
            raise ValueError('targets_per_row must be positive or None, not %r' % (targets_per_row,))
        self.from_logits, self.label_smoothing = from_logits, label_smoothing
        self.targets_per_row = targets_per_row
        self.__name__ = 'cross_entropy'  # no subclass of Keras' Loss: 2.3 wants labels of the output's shape then

    def call(self, labels, prediction):
        size, classes = kops.shape(prediction)[0], kops.shape(prediction)[-1]
        logits = kops.reshape(at_least_float32(prediction), (-1, classes))  # [B * T, C]
        if not self.from_logits:
            logits = kops.log(kops.maximum(logits, _LEAST_PROBABILITY))
        labels = kops.cast(kops.reshape(labels, (-1,)), 'int32')  # [B * T]
        is_target = labels >= 0
        loss = kops.sparse_categorical_crossentropy(kops.maximum(labels, 0), logits, from_logits=True)
        if self.label_smoothing:
            even = -kops.mean(kops.log_softmax(logits), axis=-1)
            loss = (1 - self.label_smoothing) * loss + self.label_smoothing * even
        loss = kops.reshape(kops.where(is_target, loss, 0.0), (size, -1))
        if self.targets_per_row is not None:
            return kops.sum(loss, axis=-1) / self.targets_per_row
        targets = kops.sum(kops.cast(is_target, loss.dtype))
        return kops.sum(loss, axis=-1) * (kops.cast(size, loss.dtype) / kops.maximum(targets, 1.0))

    def get_config(self):
        return {'from_logits': self.from_logits, 'label_smoothing': self.label_smoothing,
                'targets_per_row': self.targets_per_row}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def lm_labels(token_ids, segment_ids=None, pad_token_id=0):
    """What a language model is to predict: at each position the next token, and nothing for padding.

    Args:
        token_ids, segment_ids: int arrays [B, T], a model's inputs; segments do not matter.
        pad_token_id: int, of padding.

    Returns:
        int32 array [B, T, 1], NO_LABEL where there is no target.
    """
    return _next(token_ids, np.asarray(token_ids) != pad_token_id)


def seq2seq_labels(token_ids, segment_ids):
    """What UniLM's sequence to sequence is to predict: the tokens of segment 1, each from those before it.

    Args and Returns: see `lm_labels`. Padding has segment 0.
    """
    return _next(token_ids, np.asarray(segment_ids) == 1)


def _next(token_ids, is_target):
    """Token ids [B, T], shifted one position to the left, where the token is a target -> [B, T, 1]."""
    labels = np.full_like(token_ids, NO_LABEL, dtype='int32')
    labels[:, :-1] = np.where(is_target, token_ids, NO_LABEL)[:, 1:]
    return labels[:, :, None]
