# -*- coding: utf-8 -*-
"""BERT for every Keras: one model module, one tokenizer module, official weights, equal numbers.

Importing the package imports nothing else: `from bert4keras.bert import build_bert_model` starts
Keras, `from bert4keras.tokenizer import Tokenizer` needs only Python.
"""

__version__ = '1.0.0'
