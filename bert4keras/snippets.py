# -*- coding: utf-8 -*-
"""What people write again and again around the model, under one roof.

Needs NumPy only, until a `BucketedBatches` is made.
"""
from __future__ import absolute_import, division, print_function

from bert4keras.batching import TextError, check_token_ids, padded_length
from bert4keras.embedding import POOLINGS, embed, normalize

__all__ = ['POOLINGS', 'TextError', 'embed', 'normalize', 'padded_length', 'check_token_ids']
