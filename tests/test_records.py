# -*- coding: utf-8 -*-
"""TFRecord files: the bytes that TensorFlow writes, literally; and whatever is damaged is an error that says where."""
from __future__ import absolute_import, division, print_function

import binascii
import io
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert4keras.errors import CorpusError
from bert4keras.pretraining.records import (
    decode_example, encode_example, encode_record, pack_numbers, read_record, read_records)
from tests.helpers.strategies import quick

pytestmark = pytest.mark.engine_free
FEATURES = [('boundary', [300]), ('label', [0, 1, 2 ** 40]), ('token_ids', b'\x01\x00\xff\xee'),
            ('weights', np.array([1, 0, -2.5], 'float32'))]
# what tf.train.Example(...).SerializeToString(deterministic=True) and tf.io.TFRecordWriter of TensorFlow 2.15 write
EXAMPLE = ('0a5f0a120a08626f756e6461727912061a040a02ac020a150a056c6162656c120c1a0a0a0800018080808080200a150a09746f6b65'
           '6e5f69647312080a060a040100ffee0a1b0a07776569676874731210120e0a0c0000803f00000000000020c0')
FILE = '0b000000000000008615f504707265747261696e696e67cd42a586000000000000000029039807d8ea82a2'


def same(found, expected):
    """Whether two features are equal."""
    return np.array_equal(found, expected) if isinstance(expected, np.ndarray) else found == expected


def test_an_example_is_what_tensorflow_writes():
    """Byte by byte, and it reads back."""
    assert binascii.hexlify(encode_example(FEATURES)).decode() == EXAMPLE
    found = decode_example(binascii.unhexlify(EXAMPLE))
    assert sorted(found) == [name for name, _ in FEATURES]
    assert all(same(found[name], value) for name, value in FEATURES)


@quick
@given(st.lists(st.integers(0, 2 ** 62), min_size=1, max_size=9), st.binary(min_size=1, max_size=300))
def test_examples_read_back(numbers, data):
    """Numbers and bytes of any length."""
    assert decode_example(encode_example([('a', data), ('b', numbers)])) == {'a': data, 'b': numbers}


def test_rows_of_numbers_are_packed_at_once():
    """As one by one, at every number of bytes."""
    for rows in ([[0, 1, 127], [128, 300, 16383], [16384, 30521, 2 ** 21 - 1]], [[0, 128, 5]], [[0, 127, 5]]):
        for row, packed in zip(rows, pack_numbers(np.array(rows))):
            assert encode_example([('a', packed)]) == encode_example([('a', row)])


def test_records_are_what_tensorflow_writes(tmp_path):
    """An empty one included; read from the first to the last, or at a byte."""
    data = encode_record(b'pretraining') + encode_record(b'')
    assert binascii.hexlify(data).decode() == FILE
    path = os.path.join(str(tmp_path), 'file')
    with io.open(path, 'wb') as stream:
        stream.write(data)
    assert list(read_records(path)) == [b'pretraining', b'']
    assert [read_record(data, path, offset) for offset in (0, 27)] == [b'pretraining', b'']


@pytest.mark.parametrize('place', range(27))
def test_a_damaged_record_is_an_error(tmp_path, place):
    """A bit flipped anywhere, or the file cut anywhere: the file and the byte where the record begins."""
    good, path = encode_record(b'first') + encode_record(b'pretraining'), os.path.join(str(tmp_path), 'file')
    flipped = bytearray(good)
    flipped[21 + place] ^= 4
    for data in (bytes(flipped), good[:21 + place] if place else good[:22]):
        with io.open(path, 'wb') as stream:
            stream.write(data)
        with pytest.raises(CorpusError) as caught:
            list(read_records(path))
        assert '%s: byte 21: ' % path in str(caught.value)
        with pytest.raises(CorpusError):
            read_record(data, path, 21)


@quick
@given(st.integers(0, len(EXAMPLE) // 2 - 1), st.integers(0, 255), st.booleans())
def test_a_damaged_example_is_an_error_or_another_value(place, byte, cut):
    """Nothing but a ValueError comes out, whatever the bytes."""
    data = bytearray(binascii.unhexlify(EXAMPLE))
    data[place] = byte
    try:
        decode_example(bytes(data[:place] if cut else data))
    except ValueError:
        pass


def test_an_example_that_is_cut_is_an_error_or_has_whole_features():
    """Wherever it is cut; so is a number that goes on after the end."""
    data, features = binascii.unhexlify(EXAMPLE), dict(FEATURES)
    for place in range(len(data)):
        try:
            found = decode_example(data[:place])
        except ValueError:
            continue
        assert len(found) < len(features) and all(same(found[name], features[name]) for name in found)
    data = encode_example([('a', [300])])
    with pytest.raises(ValueError) as caught:
        decode_example(data[:-1] + b'\x82')
    assert 'a number without an end' in str(caught.value)
