# -*- coding: utf-8 -*-
"""Where the functions of the commands are imported from; they live in verify.py, convert.py and decoding.py."""
from __future__ import absolute_import, division, print_function

from bert4keras.convert import (
    LAYOUTS, MODEL_SUFFIXES, build_with_heads, check_destination, convert, read_keras_model, warn_of_widening,
    write_converted)
from bert4keras.decoding import fill_mask
from bert4keras.tokenizer_files import load_tokenizer
from bert4keras.verify import (
    Comparison, Inspection, Row, build_with_outputs, compare, fixed_batch, inspect, verify)

__all__ = ['Comparison', 'Inspection', 'LAYOUTS', 'MODEL_SUFFIXES', 'Row', 'build_with_heads', 'build_with_outputs',
           'check_destination', 'compare', 'convert', 'fill_mask', 'fixed_batch', 'inspect', 'load_tokenizer',
           'read_keras_model', 'verify', 'warn_of_widening', 'write_converted']
