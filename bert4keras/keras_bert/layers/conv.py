# -*- coding: utf-8 -*-
"""keras_bert.layers.conv of keras-bert."""
from bert4keras.keras_bert.layers import MaskedConv1D

__all__ = ['MaskedConv1D']
