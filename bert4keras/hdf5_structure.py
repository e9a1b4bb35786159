# -*- coding: utf-8 -*-
"""The structure of an HDF5 file, looked at before libhdf5 reads it. Older ones, such as that of h5py 2.10, believe the
sizes and types in a damaged file: they take all memory, or end the process without a word.

Followed is what h5py writes by default, and so what Keras writes: a superblock of version 0, object headers of version
1, groups with a symbol table. Newer structures have checksums, which libhdf5 verifies.

Source: HDF5 File Format Specification 3.0, https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html.
"""
from __future__ import absolute_import, division, print_function

import functools
import operator
import os
import struct

from bert4keras.errors import CheckpointError

__all__ = ['check_structure']

DATATYPE, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE = 0x03, 0x0c, 0x10, 0x11  # messages
INTEGER, FLOAT, STRING, OPAQUE, ENUM, VARIABLE_LENGTH = 0, 1, 3, 5, 8, 9  # classes of types; bools are an ENUM
LINK = 2  # an entry of a group that is a name only
SHARED = 2  # a flag of a message that is kept elsewhere
REFERENCE = struct.Struct('<IQI')  # of a value of variable length: items, address of its collection, number there


def check_structure(stream, path):
    """CheckpointError unless all parts of an open HDF5 file are within it and hold what they should.

    Args:
        stream: the open file, binary.
        path: what to call it in an error.
    """
    File(stream, path).check()


class File(object):
    """An HDF5 file. Its parts do not overlap: no more is read than it has, whatever it says."""

    def __init__(self, stream, path):
        self.stream, self.path = stream, path
        stream.seek(0, os.SEEK_END)
        self.size = self.unread = stream.tell()
        self.headers, self.collections = set(), {}

    def require(self, is_sound, what, address):
        """CheckpointError unless the part at an address is sound."""
        if not is_sound:
            raise CheckpointError('%s is damaged: there is no sound %s at byte %d; get it again'
                                  % (self.path, what, address))

    def read(self, address, count, what):
        """So many bytes from an address, once."""
        self.unread -= count
        self.require(address + count <= self.size and self.unread >= 0, what, address)
        self.stream.seek(address)
        return self.stream.read(count)

    def unpack(self, layout, address, what, signature=b''):
        """The fields at an address, the first of which is to be a signature where one is given."""
        layout = struct.Struct('<' + layout)
        fields = layout.unpack(self.read(address, layout.size, what))
        self.require(not signature or fields[0] == signature, what, address)
        return fields

    def check(self):
        """Follows the file from its superblock."""
        _, version, offsets, lengths = self.unpack('8sB4xBB', 0, 'superblock', b'\x89HDF\r\n\x1a\n')
        if version >= 2:
            return
        self.require(offsets == lengths == 8, 'superblock', 0)
        base, _, end, _, _, root = self.unpack('6Q', 24 + 4 * version, 'superblock')
        self.require(base == 0 and end <= self.size, 'superblock', 0)
        pending = [root]
        while pending:
            address = pending.pop()
            if address not in self.headers:
                self.headers.add(address)
                pending += self.check_object(address)

    def check_object(self, address):
        """Checks a group or an array; returns the addresses of what is in a group."""
        what, found = 'object', []
        if self.read(address, 4, what) == b'OHDR':  # version 2, with a checksum
            return found
        self.unread += 4
        version, count, _, size = self.unpack('BxHII', address, what)
        self.require(version == 1, what, address)
        pieces = [(address + 16, size)]
        while pieces:
            place, size = pieces.pop(0)
            data, start = self.read(place, size, what), 0
            while start + 8 <= size:
                kind, length, flags = struct.unpack_from('<HHB', data, start)
                message, start, count = data[start + 8:start + 8 + length], start + 8 + length, count - 1
                try:
                    if kind == CONTINUATION:
                        pieces.append(struct.unpack_from('<QQ', message))
                    elif kind == SYMBOL_TABLE:
                        found += self.list_group(*struct.unpack_from('<QQ', message))
                    elif kind == ATTRIBUTE:
                        self.check_attribute(message, place)
                    elif kind == DATATYPE and not flags & SHARED:
                        self.read_type(message, place)
                except struct.error:  # it is shorter than what it should hold
                    self.require(False, what, place)
            self.require(start == size, what, place)
        self.require(count == 0, what, address)
        return found

    def list_group(self, tree, heap):
        """The addresses of what is in a group, whose names are in a heap, and its entries in a tree of tables."""
        what = 'group'
        _, size, _, place = self.unpack('4s4xQQQ', heap, what, b'HEAP')
        names = self.read(place, size, what)
        found, nodes = [], [(tree, None)]
        while nodes:
            address, expected = nodes.pop()
            _, kind, level, count = self.unpack('4sBBH16x', address, what, b'TREE')
            self.require(kind == 0 and expected in (None, level), what, address)
            children = self.unpack('8x' + 'Q8x' * count, address + 24, what)
            if level:
                nodes += [(child, level - 1) for child in children]
                continue
            for table in children:
                _, version, count = self.unpack('4sBxH', table, what, b'SNOD')
                entries = self.unpack('QQI20x' * count, table + 8, what)
                self.require(version == 1 and all(names.find(b'\0', name) >= 0 for name in entries[::3]), what, table)
                found += [place for place, kind in zip(entries[1::3], entries[2::3]) if kind != LINK]
        return found

    def check_attribute(self, message, address):
        """Checks that an attribute's value is as long as its type and shape say."""
        what = 'attribute'
        version, flags, name, kind, shape = struct.unpack_from('<BBHHH', message)
        self.require(version in (1, 2, 3) and (version == 1 or not flags), what, address)
        parts, start = [], 9 if version == 3 else 8
        for size in (name, kind, shape):
            parts.append(message[start:start + size])
            start += size + (-size % 8 if version == 1 else 0)
        kind, size, base = self.read_type(parts[1], address)
        length = count_items(parts[2]) * size
        values = message[start:start + length]
        self.require(len(values) == length, what, address)
        if kind == VARIABLE_LENGTH:
            for place in range(0, len(values), size):
                items, collection, index = REFERENCE.unpack_from(values, place)
                self.require(not items or items * base <= self.read_collection(collection).get(index, 0), what, address)

    def read_type(self, message, address):
        """(class, bytes of a value, bytes of an item if it is of variable length) of a type."""
        what = 'type of numbers or text'
        kind, members, size = struct.unpack_from('<BHxI', message)
        kind, base = kind % 16, 0
        if kind in (INTEGER, FLOAT):
            offset, precision = struct.unpack_from('<HH', message, 8)
            self.require(size <= 16 and 0 < precision <= 8 * size - offset, what, address)
        elif kind == VARIABLE_LENGTH:
            inner, base, _ = self.read_type(message[8:], address)
            self.require(size == REFERENCE.size and inner in (INTEGER, FLOAT, STRING), what, address)
        elif kind == ENUM:
            inner, base, _ = self.read_type(message[8:], address)
            names = message[20:]
            self.require(inner == INTEGER and base == size, what, address)
            self.require(names.count(b'\0') >= members and len(names) >= members * (size + 2), what, address)
        self.require(size and kind in (INTEGER, FLOAT, STRING, OPAQUE, ENUM, VARIABLE_LENGTH), what, address)
        return kind, size, base

    def read_collection(self, address):
        """{number: bytes} of the values in a collection of those of variable length."""
        if address not in self.collections:
            what, sizes = 'collection of values', {}
            _, version, size = self.unpack('4sB3xQ', address, what, b'GCOL')
            self.require(version == 1 and size >= 16, what, address)
            data, start = self.read(address + 16, size - 16, what), 0
            while start + 16 <= len(data):
                number, length = struct.unpack_from('<H6xQ', data, start)
                if not number:  # the rest is free
                    self.require(start + length == len(data), what, address)
                    break
                sizes[number], start = length, start + 16 + length + -length % 8
                self.require(start <= len(data), what, address)
            self.collections[address] = sizes
        return self.collections[address]


def count_items(dataspace):
    """How many values there are in an array of a shape."""
    version, rank, flags, kind = struct.unpack_from('<4B', dataspace)
    if version not in (1, 2):
        raise struct.error('no shape is of version %d' % version)
    shape = struct.unpack_from('<%dQ' % rank, dataspace, 8 if version == 1 else 4)
    return 0 if version == 2 and kind == 2 else functools.reduce(operator.mul, shape, 1)
