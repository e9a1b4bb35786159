# -*- coding: utf-8 -*-
"""keras_bert.activations of keras-bert 0.81 and before, where GELU was by the error function."""
from bert4keras.keras_bert.layers import gelu_erf as gelu

__all__ = ['gelu']
