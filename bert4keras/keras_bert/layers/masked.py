# -*- coding: utf-8 -*-
"""keras_bert.layers.masked of keras-bert."""
from bert4keras.keras_bert.layers import Masked

__all__ = ['Masked']
