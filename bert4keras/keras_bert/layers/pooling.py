# -*- coding: utf-8 -*-
"""keras_bert.layers.pooling of keras-bert."""
from bert4keras.keras_bert.layers import MaskedGlobalMaxPool1D

__all__ = ['MaskedGlobalMaxPool1D']
