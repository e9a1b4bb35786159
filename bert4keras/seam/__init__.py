# -*- coding: utf-8 -*-
"""The rooms of the seam, which backend.py alone opens: what differs between Keras versions and between engines.

    operations      which Keras runs, and `kops`, the operations of `keras.ops`
    keras3          each difference as a function, on Keras 3
    keras2          functions of the same names, on Keras 2.3 and tf.keras
    attention       the engines' own kernels
    exports         ONNX and SavedModels
"""
from __future__ import absolute_import, division, print_function

__all__ = []
