# -*- coding: utf-8 -*-
"""keras_bert.layers.inputs of keras-bert."""
from bert4keras.keras_bert.layers import get_inputs

__all__ = ['get_inputs']
