# -*- coding: utf-8 -*-
"""keras_bert.layers.task_embed of keras-bert."""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.backend import kops
from bert4keras.keras_bert.layers.base import KerasBertLayer, known_as
from bert4keras.keras_bert.layers.embedding import KerasBertTokenEmbedding
from bert4keras.layers import BertTokenEmbedding

__all__ = ['TaskEmbedding']


@backend.register
class KerasBertTaskEmbedding(KerasBertLayer, BertTokenEmbedding):
    """keras-bert's TaskEmbedding: adds the embedding of a task to every position.

    Args:
        input_dim: int, number of tasks. output_dim: int, E.
        mask_zero: whether task 0 adds nothing.

    Call: [x [B, T, E], tasks [B, 1]] -> [B, T, E].
    """

    arguments, initial = ('input_dim', 'output_dim'), 'uniform'
    renamed = KerasBertTokenEmbedding.renamed
    input_dim, output_dim, embeddings = known_as('vocab_size'), known_as('embedding_size'), known_as('table')

    def __init__(self, *args, **kwargs):
        mask_zero = kwargs.pop('mask_zero', False)
        super(KerasBertTaskEmbedding, self).__init__(*args, **kwargs)
        self.mask_zero = mask_zero

    def call(self, inputs):
        x, tasks = inputs
        added, _ = super(KerasBertTaskEmbedding, self).call(tasks)  # [B, 1, E]
        if self.mask_zero:
            added = added * kops.cast(kops.expand_dims(kops.not_equal(tasks, 0), -1), added.dtype)
        return x + added

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return dict(super(KerasBertTaskEmbedding, self).get_config(), mask_zero=self.mask_zero)


TaskEmbedding = KerasBertTaskEmbedding
