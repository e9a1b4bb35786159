# -*- coding: utf-8 -*-
"""keras_bert.layers.task_embed of keras-bert."""
from bert4keras.keras_bert.layers import TaskEmbedding

__all__ = ['TaskEmbedding']
