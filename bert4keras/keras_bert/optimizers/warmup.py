# -*- coding: utf-8 -*-
"""keras_bert.optimizers.warmup of keras-bert."""
from bert4keras.optimizers import AdamWarmup

__all__ = ['AdamWarmup']
