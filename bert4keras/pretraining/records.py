# -*- coding: utf-8 -*-
"""TFRecord files of tf.train.Example, written and read without TensorFlow; tf.data reads the same files.

A record is {length: uint64, masked crc32c of the length: uint32, data, masked crc32c of the data: uint32},
little-endian (tensorflow/core/lib/io/record_writer.h). An Example maps names to features (tensorflow/core/example):

    Example {1: Features {1: map entry {1: name, 2: Feature}, ...}}
    Feature {1: BytesList {1: bytes, ...}} or {2: FloatList {1: packed float32}} or {3: Int64List {1: packed varints}}
"""
from __future__ import absolute_import, division, print_function

import io
import re
import struct

import numpy as np

from bert4keras.errors import CorpusError
from bert4keras.release.tensor_bundle import masked_crc
from bert4keras.tokenizer_parts import Memo

__all__ = ['Packed', 'decode_example', 'encode_example', 'encode_record', 'pack_numbers', 'read_record', 'read_records']

_LENGTH, _CRC = struct.Struct('<Q'), struct.Struct('<I')
AROUND = 16  # bytes of a record that are not its data
MAX_RECORD = 1 << 28  # bytes; a row of 65,536 tokens takes 0.3 MB
_CUT = 'ends within a record; it was not written to its end: build it again'


# ------------------------------------------------------------------ records

def encode_record(data):
    """The bytes of a record, given its data."""
    length = _LENGTH.pack(len(data))
    return b''.join((length, _CRC.pack(masked_crc(length)), data, _CRC.pack(masked_crc(data))))


def read_record(buffer, path, offset):
    """The data of the record at a byte of a file.

    Args:
        buffer: the bytes of the file, or what gives bytes when it is sliced, such as an mmap.
        path: of the file, for messages.
        offset: int, where the record begins.

    Raises:
        CorpusError: no whole record is there, or a checksum is wrong.
    """
    size = _data_size(buffer[offset:offset + 12], path, offset)
    content = buffer[offset + 12:offset + AROUND + size]
    if len(content) != size + 4:
        raise _error(path, offset, _CUT)
    return _checked(content, path, offset)


def read_records(path):
    """Yields the data of each record of a file, from the first to the last; raises as `read_record`."""
    with io.open(path, 'rb') as stream:
        offset = 0
        for head in iter(lambda: stream.read(12), b''):
            size = _data_size(head, path, offset)
            content = stream.read(size + 4)
            if len(content) != size + 4:
                raise _error(path, offset, _CUT)
            yield _checked(content, path, offset)
            offset += AROUND + size


def _data_size(head, path, offset):
    """The length that the first 12 bytes of a record say."""
    if len(head) != 12:
        raise _error(path, offset, _CUT)
    if _CRC.unpack(head[8:])[0] != masked_crc(head[:8]):
        raise _error(path, offset, 'no record begins here, its length has a wrong checksum: build it again')
    size, = _LENGTH.unpack(head[:8])
    if size > MAX_RECORD:
        raise _error(path, offset, 'a record of %d bytes is implausible: build it again' % size)
    return size


def _checked(content, path, offset):
    """The data of a record, given what follows its head."""
    if _CRC.unpack(content[-4:])[0] != masked_crc(content[:-4]):
        raise _error(path, offset, 'the record has a wrong checksum: build it again')
    return content[:-4]


def _error(path, offset, what):
    return CorpusError('%s: byte %d: %s' % (path, offset, what))


# ------------------------------------------------------------------ examples

_BYTES, _FLOATS, _INTS = b'\n', b'\x12', b'\x1a'  # the tags of the three lists
_NUMBER = b'[\x80-\xff]*[\\x00-\x7f]'
_HEAD = re.compile(b'\n' + _NUMBER)
# up to a list's bytes: the lengths on the way follow from that of the last
_ENTRY = re.compile(b''.join([b'\n', _NUMBER, b'\n[\\x00-\x7f](\\w+)\x12', _NUMBER, b'([\n\x12\x1a])', _NUMBER,
                              b'\n(', _NUMBER, b')']))


def encode_example(features):
    """The bytes of a tf.train.Example, byte by byte what `SerializeToString(deterministic=True)` gives.

    Args:
        features: list of (name, value), sorted by name (ASCII); a value is bytes, a list of int from 0 on, the same
            as Packed, or an array of floats.
    """
    entries = []
    for name, value in features:
        if isinstance(value, Packed):
            entries.append(_encode_feature(name, _INTS, value))
        elif isinstance(value, bytes):
            entries.append(_encode_feature(name, _BYTES, value))
        elif isinstance(value, np.ndarray):
            entries.append(_encode_feature(name, _FLOATS, value.astype('<f4').tobytes()))
        else:
            entries.append(_encode_feature(name, _INTS, b''.join(map(_NUMBERS.__getitem__, value))))
    content = b''.join(entries)
    return b''.join((b'\n', _NUMBERS[len(content)], content))


def _encode_feature(name, kind, value):
    """A map entry with one feature; its lengths are counted from the inside out."""
    name = name.encode('ascii')
    size = _NUMBERS[len(value)]
    in_list = 1 + len(size) + len(value)
    list_size = _NUMBERS[in_list]
    feature = 1 + len(list_size) + in_list
    feature_size = _NUMBERS[feature]
    entry = 3 + len(name) + len(feature_size) + feature
    return b''.join((b'\n', _NUMBERS[entry], b'\n', _NUMBERS[len(name)], name, b'\x12', feature_size, kind, list_size,
                     b'\n', size, value))


class Packed(bytes):
    """A list of int as `pack_numbers` gives it."""


def pack_numbers(values):
    """Rows of numbers as varints, all at once.

    Args:
        values: int array [B, N], from 0 to 2 ** 21 - 1.

    Returns:
        list of B Packed.
    """
    values = np.asarray(values, 'int32')
    if values.size and values.max() < 128:  # a byte each
        return [Packed(row.tobytes()) for row in values.astype('uint8')]
    parts = values[:, :, None] >> np.array([0, 7, 14], 'int32')  # [B, N, 3], seven bits each, the lowest first
    goes_on = np.concatenate([parts[:, :, 1:] > 0, np.zeros_like(parts[:, :, :1], bool)], axis=2)
    is_there = np.concatenate([np.ones_like(goes_on[:, :, :1]), goes_on[:, :, :2]], axis=2)
    data = (parts & 127 | goes_on * 128)[is_there].astype('uint8').tobytes()
    ends = [0] + np.cumsum(is_there.sum(axis=(1, 2))).tolist()
    return [Packed(data[start:end]) for start, end in zip(ends, ends[1:])]


def _varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytearray([value]))


_NUMBERS = Memo(_varint)


def decode_example(data):
    """{name: value} of a tf.train.Example; a value is bytes, a list of int or a float32 array.

    Raises:
        ValueError: it is no such Example: a bytes feature must be one string, numbers packed, as `encode_example` and
            TensorFlow write them.
    """
    features, place = {}, _find(_HEAD, data, 0).end()
    while place < len(data):
        found = _find(_ENTRY, data, place)
        name, kind, size = found.groups()
        start = found.end()
        place = start + _numbers(size)[0]
        if place > len(data):
            raise ValueError('the example is damaged: it ends within the feature %r' % name)
        value = data[start:place]
        features[name.decode('ascii')] = (value if kind == _BYTES else np.frombuffer(value, '<f4') if kind == _FLOATS
                                          else _numbers(value))
    return features


def _find(pattern, data, place):
    """The match of a pattern at a place."""
    found = pattern.match(data, place)
    if found is None:
        raise ValueError('the example is damaged: no feature begins at byte %d' % place)
    return found


def _numbers(data):
    """The list of the varints in bytes."""
    if len(data) == 1 and data < b'\x80':
        return [ord(data)]
    values, value, shift = [], 0, 0
    for byte in bytearray(data):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(value)
            value = shift = 0
    if shift:
        raise ValueError('the example is damaged: a number without an end')
    return values
