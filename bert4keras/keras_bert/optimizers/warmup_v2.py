# -*- coding: utf-8 -*-
"""keras_bert.optimizers.warmup_v2 of keras-bert."""
from bert4keras.optimizers import AdamWarmup

__all__ = ['AdamWarmup']
