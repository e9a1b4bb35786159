# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in what is checked of an HDF5 file before it is opened."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_hdf5_structure.py'
FILE = 'hdf5_structure.py'

MUTATIONS = [
    ('a value may be longer than its attribute', FILE, 'self.require(len(values) == length, what, address)', 'pass'),
    ('a text may be longer than its collection', FILE, 'items * base <=', 'items <='),
    ('a text of a number that is not there', FILE, '.get(index, 0)', '.get(index, 1 << 40)'),
    ('parts may be in each other', FILE, ' and self.unread >= 0', ''),
    ('a link is followed', FILE, 'if kind != LINK', ''),
    ('messages may leave a rest', FILE, 'self.require(start == size, what, place)', 'pass'),
    ('fewer messages than there should be', FILE, 'self.require(count == 0, what, address)', 'pass'),
    ('levels of a tree in any order', FILE, 'expected in (None, level)', 'True'),
    ('what is free may be of any size', FILE, 'self.require(start + length == len(data), what, address)', 'pass'),
    ('a shape of any version', FILE, 'if version not in (1, 2):', 'if False:'),
    ('a .keras file is opened unseen', 'model_file.py', 'check_structure(stream, place)', 'pass',
     'tests/test_commands.py -k structure_of'),
    ('tf_model.h5 is opened unseen', 'tf_weights.py', 'check_structure(stream, path)', 'pass',
     'tests/test_tf_weights.py -k damaged'),
]
