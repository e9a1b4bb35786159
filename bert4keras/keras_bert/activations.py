# -*- coding: utf-8 -*-
"""keras_bert.activations, which keras-bert had up to 2019."""
from bert4keras.keras_bert.layers import gelu

__all__ = ['gelu']
