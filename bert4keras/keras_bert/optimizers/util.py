# -*- coding: utf-8 -*-
"""keras_bert.optimizers.util of keras-bert."""
from bert4keras.keras_bert.backend import TF_KERAS  # noqa: F401
from bert4keras.optimizers import AdamWarmup, calc_train_steps

__all__ = ['AdamWarmup', 'calc_train_steps']
