# -*- coding: utf-8 -*-
"""The file of a SentencePiece model, a protocol buffer (sentencepiece_model.proto): its pieces and its table."""
from __future__ import absolute_import, division, print_function, unicode_literals

import collections
import struct

from bert4keras.errors import VocabularyError

__all__ = ['CONTROL', 'NORMAL', 'UNIGRAM', 'UNKNOWN', 'USER_DEFINED', 'Piece', 'read_model', 'write_model']

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNIGRAM = 1, 2, 3, 4, 1
VARINT, LENGTH, FIXED64, FIXED32 = 0, 2, 1, 5

Piece = collections.namedtuple('Piece', 'text score type')


def write_model(pieces, charsmap):
    """Returns the bytes of a Unigram model.

    Args:
        pieces: list of Piece, in the order of their ids.
        charsmap: bytes, the table of its normalizer; b'' for one that changes nothing.
    """
    unknown = [number for number, piece in enumerate(pieces) if piece.type == UNKNOWN]
    model = b''.join(_field(1, _field(1, piece.text.encode('utf-8')) + _field(2, piece.score) + _field(3, piece.type))
                     for piece in pieces)
    trainer = _field(3, UNIGRAM) + b''.join(_field(40 + index, number & (2 ** 64 - 1))
                                            for index, number in enumerate(unknown[:1] + [-1, -1, -1]))
    normalizer = _field(1, b'identity') + (_field(2, charsmap) if charsmap else b'')
    return model + _field(2, trainer) + _field(3, normalizer + _field(3, 1) + _field(4, 1) + _field(5, 1))


def read_model(data):
    """Reads what `write_model` writes: (list of Piece, charsmap, the number of the model's type).

    Raises:
        VocabularyError: it is no such file.
    """
    pieces, charsmap, kind = [], b'', UNIGRAM
    try:
        for number, value in _fields(data):
            inner = dict(_fields(value)) if number in (1, 2, 3) else {}
            if number == 1:
                score, = struct.unpack(str('<f'), inner.get(2, b'\0' * 4))
                pieces.append(Piece(inner[1].decode('utf-8'), score, inner.get(3, NORMAL)))
            elif number == 2:
                kind = inner.get(3, UNIGRAM)
            elif number == 3:
                charsmap = inner.get(2, b'')
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise VocabularyError('not a SentencePiece model (%s: %s); download it again' % (type(error).__name__, error))
    return pieces, charsmap, kind


def _field(number, value):
    """A field of a protocol buffer: an int, a float or bytes."""
    if isinstance(value, float):
        return _varint(number << 3 | FIXED32) + struct.pack(str('<f'), value)
    if isinstance(value, bytes):
        return _varint(number << 3 | LENGTH) + _varint(len(value)) + value
    return _varint(number << 3 | VARINT) + _varint(value)


def _varint(value):
    """Seven bits a byte, the lowest first; the eighth bit says that more follow."""
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes(data + bytearray([value]))


def _fields(data):
    """Yields (number, value) of each field: an int, or bytes."""
    data, place = bytearray(data), 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        if tag & 7 == VARINT:
            value, place = _read_varint(data, place)
        else:
            if tag & 7 == LENGTH:
                size, place = _read_varint(data, place)
            else:
                size = {FIXED32: 4, FIXED64: 8}[tag & 7]
            if place + size > len(data):
                raise ValueError('it ends at byte %d inside a field' % len(data))
            value, place = bytes(data[place:place + size]), place + size
        yield tag >> 3, value


def _read_varint(data, place):
    value = shift = 0
    while True:
        value |= (data[place] & 127) << shift
        place, shift = place + 1, shift + 7
        if data[place - 1] < 128:
            return value, place
