# -*- coding: utf-8 -*-
"""keras_bert.layers.extract of keras-bert."""
from bert4keras.keras_bert.layers import Extract

__all__ = ['Extract']
