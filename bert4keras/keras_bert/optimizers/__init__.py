# -*- coding: utf-8 -*-
"""keras_bert.optimizers of keras-bert."""
from bert4keras.keras_bert.optimizers.util import AdamWarmup, calc_train_steps

__all__ = ['AdamWarmup', 'calc_train_steps']
