# -*- coding: utf-8 -*-
"""A drop-in for keras-bert, on every Keras."""
from bert4keras.keras_bert.bert import *  # noqa: F401,F403
