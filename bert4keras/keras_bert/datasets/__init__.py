# -*- coding: utf-8 -*-
"""keras_bert.datasets of keras-bert."""
from bert4keras.keras_bert.datasets.pretrained import PretrainedInfo, PretrainedList, get_pretrained

__all__ = ['PretrainedInfo', 'PretrainedList', 'get_pretrained']
