# -*- coding: utf-8 -*-
"""Tests of bert4keras.hdf5_structure: what h5py writes is sound, and damage is found before libhdf5 reads it."""
from __future__ import absolute_import, division, print_function

import io
import random
import struct

import numpy as np
import pytest

from bert4keras.errors import CheckpointError
from bert4keras.hdf5_structure import File, check_structure
from tests.helpers import damage

h5py = pytest.importorskip('h5py')
pytestmark = pytest.mark.engine_free
LONG = u'\u5317' * 700  # of 2100 bytes


def write(**options):
    """The bytes of a file with every kind of part that a model's has, and a group of more than one table."""
    stream = io.BytesIO()
    with h5py.File(stream, 'w', **options) as file:
        file.attrs['backend'] = u'tensorflow'
        file.attrs['model_config'] = LONG
        file.attrs['layer_names'] = np.array([b'one', b'three'])
        file.attrs['none'] = np.zeros(0)
        file.attrs['nothing'] = h5py.Empty(np.dtype('float32'))
        file.attrs['some'] = np.array([[True, False]])
        file.attrs['number'] = 7
        group = file.create_group('layers')
        for index in range(600):
            group.create_group('layer_%d' % index)
        group['link'] = h5py.SoftLink('/nowhere')
        group['layer_7/kernel'] = np.arange(6, dtype='float16').reshape(2, 3)
        group['layer_7/opaque'] = np.zeros(3, 'V2')
        group.create_dataset('layer_7/table', (7, 5), 'int64', chunks=(2, 5), compression='gzip')
    return stream.getvalue()


@pytest.fixture(scope='module')
def whole():
    """What h5py writes by default."""
    return write()


@pytest.mark.parametrize('options', [{}, {'libver': 'latest'}])
def test_what_h5py_writes_is_sound(options):
    """By default, and with the newest structures, which have checksums."""
    check_structure(io.BytesIO(write(**options)), 'm.h5')


def changed(data, place, layout, *values):
    """Data with other values at a place."""
    new = struct.pack('<' + layout, *values)
    return data[:place] + new + data[place + len(new):]


def tree(data):
    """The place of the only tree of one level above its tables."""
    return data.index(b'TREE\0\1')


def free_space(data):
    """The place of what is free in the first collection of values."""
    place = data.index(b'GCOL') + 16
    while struct.unpack_from('<H', data, place)[0]:
        length = struct.unpack_from('<Q', data, place + 8)[0]
        place += 16 + length + -length % 8
    return place


DAMAGE = [  # (what is not sound, place of the change in the file, its layout, new values)
    ('superblock', lambda data: 0, 'B', [0]),
    ('superblock', lambda data: 13, 'B', [4]),
    ('superblock', lambda data: 14, 'B', [4]),
    ('superblock', lambda data: 24, 'Q', [8]),
    ('superblock', lambda data: 40, 'Q', [1 << 20]),
    ('object', lambda data: 64, 'Q', [1 << 62]),  # where the root is
    ('object', lambda data: 96, 'B', [3]),  # its version
    ('object', lambda data: 98, 'H', [40]),  # how many messages it has
    ('object', lambda data: 104, 'I', [32]),  # how long they are
    ('object', lambda data: 104, 'I', [28]),
    ('object', lambda data: 114, 'H', [4]),  # how long the first is
    ('object', lambda data: data.index(b'backend\0') - 4, 'H', [4]),  # the length of an attribute's type
    ('attribute', lambda data: data.index(b'backend\0') - 8, 'B', [4]),  # its version
    ('attribute', lambda data: data.index(b'layer_names\0') + 16 + 8 + 8, 'Q', [1 << 40]),
    ('attribute', lambda data: data.index(b'layer_names\0') + 16 + 8 + 8, 'Q', [4]),
    ('attribute', lambda data: data.index(b'model_config\0') + 16 + 24 + 8, 'I', [2101]),
    ('attribute', lambda data: data.index(b'model_config\0') + 16 + 24 + 8 + 12, 'I', [99]),
    ('attribute', lambda data: data.index(b'model_config\0') + 16 + 12, 'I', [2]),  # bytes of each item
    ('collection', lambda data: data.index(b'model_config\0') + 16 + 24 + 8 + 4, 'Q', [1 << 40]),
    ('type', lambda data: data.index(b'backend\0') + 8, 'B', [0x17]),  # a reference
    ('type', lambda data: data.index(b'backend\0') + 8 + 4, 'I', [8]),
    ('type', lambda data: data.index(b'backend\0') + 8 + 8, 'B', [0x15]),
    ('type', lambda data: data.index(b'none\0') + 8, 'B', [0x16]),
    ('type', lambda data: data.index(b'none\0') + 8 + 4, 'I', [7]),
    ('type', lambda data: data.index(b'none\0') + 8 + 10, 'H', [0]),
    ('type', lambda data: data.index(b'some\0') + 8 + 1, 'H', [300]),
    ('type', lambda data: data.index(b'some\0') + 8 + 4, 'I', [2]),
    ('object', lambda data: data.index(b'none\0') + 8 + 24, 'B', [3]),  # the shape's version
    ('object', lambda data: data.index(b'none\0') + 8 + 24 + 1, 'B', [32]),
    ('collection', lambda data: data.index(b'GCOL'), '4s', [b'GCOM']),
    ('collection', lambda data: data.index(b'GCOL') + 4, 'B', [0]),
    ('collection', lambda data: data.index(b'GCOL') + 8, 'Q', [1 << 30]),
    ('collection', lambda data: data.index(b'tensorflow') - 8, 'Q', [24]),
    ('collection', lambda data: data.index(b'tensorflow') - 8, 'Q', [1 << 40]),
    ('collection', lambda data: free_space(data) + 8, 'Q', [24]),
    ('group', lambda data: data.index(b'HEAP'), '4s', [b'HEAX']),
    ('group', lambda data: data.index(b'HEAP') + 8, 'Q', [1 << 40]),
    ('group', tree, '4s', [b'TREX']),
    ('group', lambda data: tree(data) + 4, 'B', [1]),
    ('group', lambda data: tree(data) + 5, 'B', [2]),
    ('group', lambda data: tree(data) + 6, 'H', [65535]),
    ('group', lambda data: tree(data) + 32, 'Q', [1 << 40]),
    ('group', lambda data: data.index(b'SNOD'), '4s', [b'SNOX']),
    ('group', lambda data: data.index(b'SNOD') + 4, 'B', [2]),
    ('group', lambda data: data.index(b'SNOD') + 6, 'H', [60000]),
    ('group', lambda data: data.index(b'SNOD') + 8, 'Q', [1 << 20])]


@pytest.mark.parametrize('words, find, layout, values', DAMAGE)
def test_damage_is_found(whole, words, find, layout, values):
    """A field of each structure with a value that cannot be: the error names the file and what is damaged."""
    data = changed(whole, find(whole), layout, *values)
    assert data != whole
    with pytest.raises(CheckpointError, match=r'm\.h5 is damaged: there is no sound %s\b.* at byte \d+; get' % words):
        check_structure(io.BytesIO(data), 'm.h5')


def test_no_byte_is_read_twice():
    """Parts of a file do not overlap: a file that says so has an end for all that."""
    file = File(io.BytesIO(b'0123456789'), 'm.h5')
    assert file.read(2, 8, 'part') == b'23456789' and file.read(0, 2, 'part') == b'01'
    with pytest.raises(CheckpointError, match='no sound part at byte 5'):
        file.read(5, 1, 'part')


class Counted(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size=-1):
        data = super(Counted, self).read(size)
        self.count += len(data)
        return data


def test_no_more_is_read_than_there_is(whole):
    """Whatever is damaged, also where parts are told to be in each other: an error of ours, or none."""
    rng, errors = random.Random(5), 0
    for case in range(300):
        data = whole
        for _ in range(rng.choice([1, 5])):
            data = rng.choice([damage.overwrite, damage.scramble, damage.flip_bit, damage.repeat_stretch])(data, rng)
        stream = Counted(data)
        try:
            check_structure(stream, 'm.h5')
        except CheckpointError:
            errors += 1
        assert stream.count <= len(data) + 8 * 700, case  # of an object's beginning, which is looked at twice
    assert 100 < errors < 300
