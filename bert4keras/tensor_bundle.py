# -*- coding: utf-8 -*-
"""Another name of release/tensor_bundle.py."""
from __future__ import absolute_import, division, print_function

from bert4keras.errors import CheckpointError, ReleaseError, error
from bert4keras.release.tensor_bundle import (
    MAX_DIMS, READABLE, WRITABLE, TensorEntry, encode_entry, encode_header, encode_table, masked_crc, num_elements,
    read_index, require_file)

__all__ = ['CheckpointError', 'MAX_DIMS', 'READABLE', 'ReleaseError', 'TensorEntry', 'WRITABLE', 'encode_entry',
           'encode_header', 'encode_table', 'error', 'masked_crc', 'num_elements', 'read_index', 'require_file']
