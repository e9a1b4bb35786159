# -*- coding: utf-8 -*-
"""The index of a TensorFlow checkpoint, read and written without TensorFlow.

A TensorFlow checkpoint (V2, "tensor bundle") is two or more files:

    prefix.index                 a table, sorted by key, in LevelDB's format (SSTable):
                                 key ""    -> BundleHeaderProto {num_shards=1, endianness=2, version=3}
                                 key name  -> BundleEntryProto  {dtype=1, shape=2, shard_id=3,
                                              offset=4, size=5, crc32c=6 (fixed32), slices=7}
    prefix.data-0000I-of-0000N   the tensors' bytes, one after the other

A table is a row of blocks and a 48-byte footer (where the index block is, and a magic number). A block
is entries {shared, unshared, value size: varints; unshared key bytes; value}, the offsets of its restart
points (entries with shared = 0), their number, and a trailer {type byte, masked crc32c}.
Sources: tensorflow/core/util/tensor_bundle, tensorflow/core/lib/io/format.cc, tensorflow/core/protobuf/
tensor_bundle.proto, tensorflow/core/framework/{types,tensor_shape}.proto, leveldb's table_format.md.

A file is never trusted: every number read from it is checked before it is used.
"""
from __future__ import absolute_import, division, print_function

import os
import stat
import struct
from collections import namedtuple

import crc32c
import numpy as np

from bert4keras.compat import native
from bert4keras.errors import error
from bert4keras.files import open_regular_file

__all__ = ['MAX_DIMS', 'READABLE', 'WRITABLE', 'TensorEntry', 'encode_entry', 'encode_header', 'encode_table',
           'masked_crc', 'num_elements', 'open_file', 'read_index', 'require_file']

_MAGIC = struct.pack('<Q', 0xdb4775248b80fb57)
_FOOTER, _TRAILER, _BLOCK = 48, 5, 4096  # bytes
_RESTART = 16  # entries from one restart point to the next
_MAX_EXPANSION = 32  # bytes of keys for a byte of a block; restart points bound it to 16, 3 is usual
_MAX_INDEX = 1 << 28  # bytes of an index: room for millions of variables
MAX_DIMS = 32  # as many as every NumPy allows

# DataType of TensorFlow's types.proto
_DTYPES = {
    1: 'float32', 2: 'float64', 3: 'int32', 4: 'uint8', 5: 'int16', 6: 'int8', 7: 'string',
    8: 'complex64', 9: 'int64', 10: 'bool', 14: 'bfloat16', 17: 'uint16', 18: 'complex128',
    19: 'float16', 20: 'resource', 21: 'variant', 22: 'uint32', 23: 'uint64'}
WRITABLE = frozenset(['float16', 'float32', 'float64', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16',
                      'uint32', 'uint64', 'bool'])
READABLE = dict({name: np.dtype(name).itemsize for name in WRITABLE}, bfloat16=2)  # bytes of an element
_CODES = {name: code for code, name in _DTYPES.items() if name in WRITABLE}

TensorEntry = namedtuple('TensorEntry', 'dtype shape shard offset size crc sliced')


def _beside(path):
    """What to say about the files in the folder of `path`, which is missing."""
    try:
        names = [native(name) for name in os.listdir(os.path.dirname(path) or '.')]
    except EnvironmentError as problem:
        return 'its folder cannot be listed: %s' % problem.strerror
    stem = native(os.path.basename(path)).split('.')[0]
    names.sort(key=lambda name: (not name.startswith(stem), name))  # the likely ones first
    more = ' and %d more' % (len(names) - 12) if len(names) > 12 else ''
    return 'beside it: %s%s' % (', '.join(names[:12]) or 'nothing', more)


def require_file(path):
    """Raises unless `path` is a regular file: a directory cannot be read, a pipe would block."""
    try:
        mode = os.stat(path).st_mode
    except EnvironmentError as problem:
        raise _cannot_be_opened(path, problem)
    if stat.S_ISDIR(mode):
        raise error(path, 'is a directory; name the checkpoint file in it')
    if not stat.S_ISREG(mode):
        raise error(path, 'is not a regular file; name the checkpoint file itself')


def open_file(path):
    """Opens a regular file to read bytes from; CheckpointError if that cannot be done."""
    require_file(path)
    try:
        return open_regular_file(path)
    except EnvironmentError as problem:  # somebody may have removed it by now
        raise _cannot_be_opened(path, problem)


def _cannot_be_opened(path, problem):
    return error(path, 'cannot be opened: %s; %s' % (problem.strerror, _beside(path)))


def masked_crc(data):
    """crc32c as TensorFlow stores it: rotated, plus a constant (tensorflow/core/lib/hash/crc32c.h)."""
    crc = crc32c.crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def num_elements(shape):
    """The number of elements of a shape, in Python's ints, which cannot overflow; None if impossible.

    NumPy refuses a product too large for its index type even where another size is 0.
    """
    number = 1
    for size in shape:
        number *= size or 1
    possible = len(shape) <= MAX_DIMS and number < 1 << 59
    return (0 if 0 in shape else number) if possible else None


# Reading


class _Cursor(object):
    """A stretch of a file in memory, `data[pos:end]`, consumed from the front and never left."""

    __slots__ = 'path', 'data', 'pos', 'end', 'name'

    def __init__(self, path, data, pos, end, name=None):
        self.path, self.data, self.pos, self.end, self.name = path, data, pos, end, name

    def damaged(self, what):
        return error(self.path, what + '; the file is damaged, get it again', self.name, self.pos)

    def take(self, size):
        """The next `size` bytes, as a cursor of their own."""
        if size > self.end - self.pos:
            raise self.damaged('%d bytes are needed where %d are left' % (size, self.end - self.pos))
        self.pos += size
        return _Cursor(self.path, self.data, self.pos - size, self.pos, self.name)

    def content(self):
        return bytes(self.data[self.pos:self.end])

    def number(self, size):
        """A little-endian number of `size` bytes."""
        return sum(byte << 8 * i for i, byte in enumerate(bytearray(self.take(size).content())))

    def varint(self):
        """A number of up to 64 bits: seven bits a byte, the lowest first; a set high bit says go on."""
        value = 0
        for shift in range(0, 64, 7):
            byte = self.data[self.take(1).pos]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise self.damaged('a number is longer than 10 bytes')

    def fields(self, wires):
        """(field, value) of a protocol buffer message, of the fields in `wires` {field: wire type}.

        Types: 0 varint, 1 eight bytes, 2 a length and as many bytes (value: a cursor), 5 four bytes.
        None of the numbers of the messages read here may be negative.
        """
        while self.pos < self.end:
            field, wire = divmod(self.varint(), 8)
            if wire not in (0, 1, 2, 5) or wires.get(field, wire) != wire:
                raise self.damaged('field %d has type %d, unlike in a table of tensors' % (field, wire))
            value = self.varint() if wire in (0, 2) else self.number({1: 8, 5: 4}[wire])
            value = self.take(value) if wire == 2 else value
            if wire == 0 and field in wires and value >= 1 << 63:
                raise self.damaged('field %d is negative' % field)
            if field in wires:
                yield field, value


def read_index(path):
    """`prefix.index` -> ({name: TensorEntry}, number of shards, byte order '<' or '>')."""
    table = _read_table(path)
    key, value = next(table, (None, None))
    if key != b'':
        raise error(path, 'has no header; it is not the index of a TensorFlow checkpoint')
    if value.content()[:1] == b'\n':  # field 1 is a message, SavedTensorSliceMeta
        raise error(path, 'is in the V1 format; save it again with tf.train.Saver(write_version=2)')
    header = dict(value.fields({1: 0, 2: 0}))
    num_shards, byteorder = header.get(1, 0), header.get(2, 0)
    if not 1 <= num_shards <= 99999 or byteorder > 1:
        raise value.damaged('the header says %d shards, byte order %d' % (num_shards, byteorder))
    entries, stretches = {}, []
    for key, value in table:
        # The pieces of a partitioned variable have binary keys, from NUL on; the whole is listed.
        piece = key[:1] == b'\0'
        try:
            value.name = key.decode('utf-8', 'replace' if piece else 'strict')
        except UnicodeDecodeError:
            raise value.damaged('the name %r is not UTF-8' % key)
        entry = _parse_entry(value, num_shards)
        if entry.size:
            stretches.append((entry.shard, entry.offset, entry.offset + entry.size, value))
        if not piece:
            entries[value.name] = entry
    _check_overlap(stretches)
    return entries, num_shards, '<>'[byteorder]


def _check_overlap(stretches):
    """Raises if two of [(shard, start, stop, cursor)] share a byte of a data file."""
    used = sorted(stretches, key=lambda stretch: stretch[:3])
    for before, after in zip(used, used[1:]):
        if before[0] == after[0] and after[1] < before[2]:
            raise after[3].damaged('its data overlaps that of %s' % before[3].name)


def _parse_entry(cursor, num_shards):
    """A BundleEntryProto -> TensorEntry, its numbers found consistent."""
    values = {1: 0, 2: None, 3: 0, 4: 0, 5: 0, 6: 0, 7: None}
    values.update(cursor.fields({1: 0, 2: 2, 3: 0, 4: 0, 5: 0, 6: 5, 7: 2}))
    code, shape, shard, offset, size, crc, sliced = (values[field] for field in range(1, 8))
    shape = () if shape is None else _parse_shape(shape)
    dtype = _DTYPES.get(code, 'TensorFlow type %d' % code)
    if code == 0 or shard >= num_shards or offset + size >= 1 << 63:
        raise cursor.damaged('it has type %d, shard %d of %d, %d bytes at %d'
                             % (code, shard, num_shards, size, offset))
    if dtype in READABLE and sliced is None and size != num_elements(shape) * READABLE[dtype]:
        raise cursor.damaged('it has %d bytes, unlike a %s of shape %s' % (size, dtype, shape))
    return TensorEntry(dtype, shape, shard, offset, size, crc, sliced is not None)


def _parse_shape(cursor):
    """A TensorShapeProto {dim=2 {size=1}, unknown_rank=3} -> tuple of ints."""
    shape = ()
    for field, value in cursor.fields({2: 2, 3: 0}):
        if field == 2:
            shape += (dict(value.fields({1: 0})).get(1, 0),)
        if field == 3 or num_elements(shape) is None:
            raise cursor.damaged('its shape is unknown or impossible: %s' % (shape,))
    return shape


def _read_table(path):
    """(key, cursor over the value) of each entry of an SSTable, in order."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - len(_MAGIC)))
        if file.read() != _MAGIC or size < _FOOTER:  # before reading the rest: it may be any huge file
            raise error(path, 'does not end as a table does: it is truncated, or not the index of a '
                         'TensorFlow checkpoint; get it again', offset=max(0, size - _FOOTER))
        if size > _MAX_INDEX:
            raise error(path, 'has %d bytes, more than an index ever has; get it again' % size)
        file.seek(0)
        data = bytearray(file.read())
    footer = _Cursor(path, data, len(data) - _FOOTER, len(data) - len(_MAGIC))
    footer.varint(), footer.varint()  # the metaindex block, unused
    floor, previous = 0, None
    for _, handle in _read_block(path, data, footer.varint(), footer.varint()):
        start, size = handle.varint(), handle.varint()
        if start < floor:  # also what bounds the work: no byte is read twice
            raise handle.damaged('blocks are out of order')
        floor = start + size
        for key, value in _read_block(path, data, start, size):
            if previous is not None and key <= previous:
                raise value.damaged('keys are out of order')
            previous = key
            yield key, value


def _read_block(path, data, start, size):
    """(key, cursor over the value) of each entry of the block at `start`, its checksum verified first."""
    block = _Cursor(path, data, min(start, len(data) - _FOOTER), len(data) - _FOOTER)
    block = block.take(size + _TRAILER)
    block.end -= _TRAILER
    kind, crc = data[block.end], struct.unpack_from('<I', data, block.end + 1)[0]
    if crc != masked_crc(memoryview(data)[block.pos:block.end + 1]):
        raise block.damaged('a block fails its checksum')
    if kind > 1:
        raise block.damaged('a block is compressed in the unknown way %d' % kind)
    if kind == 1:
        block = _Cursor('%s: in the block at %d' % (native(path), start), _decompress(block), 0, None)
        block.end = len(block.data)
    tail = _Cursor(block.path, block.data, max(block.pos, block.end - 4), block.end)
    block.end -= 4 + 4 * tail.number(4)  # where the restart points begin
    if block.end < block.pos:
        raise block.damaged('a block has more restart points than fit')
    return _block_entries(block, _MAX_EXPANSION * size)


def _decompress(block):
    """A cursor over Snappy's raw format (google/snappy, format_description.txt) -> the bytes it stands for.

    A length, then pieces: a literal, or a copy of what stands `offset` bytes before the end, which may
    reach into itself. As 3 bytes give 64 at most, nothing here grows beyond 22 times the block. Real
    releases have such indexes (ALBERT tiny, Chinese), and TensorFlow reads them.
    """
    out, length = bytearray(), block.varint()
    while block.pos < block.end:
        tag = block.number(1)
        size, kind = (tag >> 2) + 1, tag & 3
        if kind == 0:
            out += block.take(size if size <= 60 else block.number(size - 60) + 1).content()
            continue
        if kind == 1:
            size, offset = (tag >> 2 & 7) + 4, (tag >> 5 << 8) + block.number(1)
        else:
            offset = block.number(2 if kind == 2 else 4)
        if not 0 < offset <= len(out):
            raise block.damaged('a compressed block refers to before its start')
        for _ in range(size):
            out.append(out[-offset])
    if len(out) != length:
        raise block.damaged('a compressed block should have %d bytes' % length)
    return out


def _block_entries(block, budget):
    """(key, cursor over the value) of each entry of a block, of at most `budget` bytes of keys.

    A key can repeat most of the one before for 4 bytes, so a small file could ask for terabytes.
    """
    key = b''
    while block.pos < block.end:
        shared, unshared, size = block.varint(), block.varint(), block.varint()
        if shared > len(key):
            raise block.damaged('%d bytes are repeated of a key of %d' % (shared, len(key)))
        key = key[:shared] + block.take(unshared).content()
        budget -= len(key)
        if budget < 0:
            raise block.damaged('the keys are implausibly long, %d bytes and more' % len(key))
        yield key, block.take(size)


# Writing


def _encode_varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytearray([value]))


def _encode_int(field, value):
    return _encode_varint(field << 3) + _encode_varint(value) if value else b''  # proto3 leaves out 0


def _encode_bytes(field, content):
    return _encode_varint(field << 3 | 2) + _encode_varint(len(content)) + content


def encode_header():
    """The BundleHeaderProto of a checkpoint with one data file: num_shards = 1, version = {producer = 1}."""
    return _encode_int(1, 1) + _encode_bytes(3, _encode_int(1, 1))


def encode_entry(array, offset, raw):
    """A BundleEntryProto for `array`, whose bytes `raw` begin at `offset` of the data file."""
    shape = b''.join(_encode_bytes(2, _encode_int(1, size)) for size in array.shape)
    return b''.join([
        _encode_int(1, _CODES[array.dtype.name]), _encode_bytes(2, shape), _encode_int(4, offset),
        _encode_int(5, raw.size), _encode_varint(6 << 3 | 5), struct.pack('<I', masked_crc(raw))])


def encode_table(items):
    """Sorted pairs (key, value) of bytes -> an SSTable."""
    blocks, size = [[]], 0
    for key, value in items:
        if size >= _BLOCK:
            blocks.append([])
            size = 0
        blocks[-1].append((key, value))
        size += len(key) + len(value)
    out, handles = bytearray(), []

    def append(block, interval=_RESTART):
        """Adds a block to `out`; returns its handle, the varints offset and size."""
        content = _encode_block(block, interval)
        out.extend(content)
        return _encode_varint(len(out) - len(content)) + _encode_varint(len(content) - _TRAILER)

    for block in blocks:
        handles.append((block[-1][0], append(block)))
    footer = append([]) + append(handles, interval=1)  # the metaindex is empty
    return bytes(out) + footer.ljust(_FOOTER - len(_MAGIC), b'\0') + _MAGIC


def _encode_block(items, interval):
    """A block with its trailer: each key without what it shares with the one before."""
    out, restarts, previous = bytearray(), [], b''
    for position, (key, value) in enumerate(items):
        shared = len(os.path.commonprefix([previous, key]))
        if position % interval == 0:
            shared = 0
            restarts.append(len(out))
        out += _encode_varint(shared) + _encode_varint(len(key) - shared) + _encode_varint(len(value))
        out += key[shared:] + value
        previous = key
    restarts = restarts or [0]
    out += struct.pack('<%dI' % (len(restarts) + 1), *(restarts + [len(restarts)])) + b'\0'
    return bytes(out) + struct.pack('<I', masked_crc(out))
