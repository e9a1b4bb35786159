# -*- coding: utf-8 -*-
"""Variables on disk: TensorFlow checkpoints and safetensors, read and written without TensorFlow.

`open_checkpoint(path)` gives a read-only mapping *variable name -> NumPy array* over either layout;
`save_checkpoint(path, variables)` writes one. A file is never trusted: every number read from it is
checked before it is used, and whatever is wrong with it is a `CheckpointError`.

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
"""
from __future__ import absolute_import, division, print_function

import contextlib
import io
import json
import os
import re
import stat
import struct
from collections import OrderedDict, namedtuple

import crc32c
import numpy as np

try:
    from collections.abc import Mapping
except ImportError:  # Python 2.7
    from collections import Mapping

_TEXT = type(u'')
_MAGIC = struct.pack('<Q', 0xdb4775248b80fb57)
_FOOTER, _TRAILER, _BLOCK = 48, 5, 4096  # bytes
_RESTART = 16  # entries from one restart point to the next
_MAX_EXPANSION = 32  # bytes of keys for a byte of a block; restart points bound it to 16, 3 is usual
_MAX_DIMS = 32  # as many as every NumPy allows
_DATA = '%s.data-%05d-of-%05d'
_PICKLED = ('.bin', '.pt', '.pth', '.pkl', '.pickle', '.joblib', '.npz', '.npy', '.h5', '.hdf5', '.keras',
            '.bin.index.json')

# DataType of TensorFlow's types.proto
_TF_DTYPES = {
    1: 'float32', 2: 'float64', 3: 'int32', 4: 'uint8', 5: 'int16', 6: 'int8', 7: 'string',
    8: 'complex64', 9: 'int64', 10: 'bool', 14: 'bfloat16', 17: 'uint16', 18: 'complex128',
    19: 'float16', 20: 'resource', 21: 'variant', 22: 'uint32', 23: 'uint64'}
_ST_DTYPES = {
    'F64': 'float64', 'F32': 'float32', 'F16': 'float16', 'BF16': 'bfloat16', 'BOOL': 'bool',
    'I64': 'int64', 'I32': 'int32', 'I16': 'int16', 'I8': 'int8',
    'U64': 'uint64', 'U32': 'uint32', 'U16': 'uint16', 'U8': 'uint8'}
_WRITABLE = frozenset(_ST_DTYPES.values()) - {'bfloat16'}
_TF_CODES = {name: code for code, name in _TF_DTYPES.items() if name in _WRITABLE}
_ITEMSIZE = dict({name: np.dtype(name).itemsize for name in _WRITABLE}, bfloat16=2)  # what can be read

_TensorEntry = namedtuple('_TensorEntry', 'dtype shape shard offset size crc sliced')
_SafeEntry = namedtuple('_SafeEntry', 'dtype shape path handle')


class CheckpointError(ValueError):
    """A checkpoint cannot be read or written; says which file, which variable, which byte, and why."""


def _native(text):
    """`text` as the `str` of this Python: only so do messages survive non-ASCII names on 2.7."""
    return text.encode('utf-8') if str is bytes and isinstance(text, _TEXT) else text


def _error(path, what, name=None, offset=None):
    """The CheckpointError about the file `path`, its variable `name` and its byte `offset`."""
    where = [path] + ([] if name is None else [u'variable %s' % name])
    where += [] if offset is None else ['byte %d' % offset]
    return CheckpointError(': '.join(_native(part) for part in where + [what]))


@contextlib.contextmanager
def _reporting(path, name=None, errors=Exception):
    """Turns an error of the system, of a library, or one that no check foresaw, into a CheckpointError."""
    try:
        yield
    except CheckpointError:
        raise
    except errors as error:
        raise _error(path, '%s: %s; check that the file is whole, that you may access it and that there '
                     'is room' % (type(error).__name__, error), name)


def _usable_path(path):
    """`path` (text, bytes or os.PathLike) as something that `os.stat` takes."""
    try:
        path = os.fspath(path) if hasattr(os, 'fspath') else path + ''
        path = path if str is bytes or isinstance(path, str) else os.fsdecode(path)
        os.stat(path)
    except (TypeError, ValueError) as error:  # not a path, or a NUL or an unencodable character in it
        raise _error(repr(path), 'is not a usable file name (%s)' % error)
    except EnvironmentError:
        pass  # whether it is there is for the caller to say
    return path


def _beside(path):
    """What to say about the files in the folder of `path`, which is missing."""
    try:
        names = [_native(name) for name in os.listdir(os.path.dirname(path) or '.')]
    except EnvironmentError as error:
        return 'its folder cannot be listed: %s' % error.strerror
    stem = _native(os.path.basename(path)).split('.')[0]
    names.sort(key=lambda name: (not name.startswith(stem), name))  # the likely ones first
    more = ' and %d more' % (len(names) - 12) if len(names) > 12 else ''
    return 'beside it: %s%s' % (', '.join(names[:12]) or 'nothing', more)


def _require_file(path):
    """Raises unless `path` is a regular file: a directory cannot be read, a pipe would block."""
    try:
        mode = os.stat(path).st_mode
    except EnvironmentError as error:
        raise _error(path, 'cannot be opened: %s; %s' % (error.strerror, _beside(path)))
    if stat.S_ISDIR(mode):
        raise _error(path, 'is a directory; name the checkpoint file in it')
    if not stat.S_ISREG(mode):
        raise _error(path, 'is not a regular file; name the checkpoint file itself')


def _map_file(path):
    """The bytes of a file, as a read-only uint8 array over its memory map."""
    _require_file(path)
    if not os.path.getsize(path):
        return np.zeros(0, np.uint8)  # nothing cannot be mapped
    return np.memmap(path, np.uint8, 'r').view(np.ndarray)


def _as_array(raw, dtype, shape, byteorder='<'):
    """A read-only array over `raw` (uint8), copied only where misaligned, foreign-endian or bfloat16."""
    if dtype == 'bfloat16':  # the upper half of a float32
        wide = raw.view(byteorder + 'u2').astype(np.uint32)
        array = np.left_shift(wide, 16, out=wide).view(np.float32)
    else:
        array = raw.view(np.dtype(dtype).newbyteorder(byteorder))
    if not (array.flags.aligned and array.dtype.isnative):
        array = array.astype(array.dtype.newbyteorder('='))
    array = array.reshape(shape)
    array.flags.writeable = False
    return array


def _masked_crc(data):
    """crc32c as TensorFlow stores it: rotated, plus a constant (tensorflow/core/lib/hash/crc32c.h)."""
    crc = crc32c.crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def _num_elements(shape):
    """The number of elements of a shape, in Python's ints, which cannot overflow; None if impossible.

    NumPy refuses a product too large for its index type even where another size is 0.
    """
    number = 1
    for size in shape:
        number *= size or 1
    possible = len(shape) <= _MAX_DIMS and number < 1 << 59
    return (0 if 0 in shape else number) if possible else None


class Checkpoint(Mapping):
    """A read-only mapping *variable name (text) -> array*, in the order of the names.

    `checkpoint[name]` raises KeyError for a name that is not there, CheckpointError for one that cannot
    be read. bfloat16 comes back as float32, which holds it exactly. The files must not be changed while
    arrays of them are in use (replacing them by a rename, as `save_checkpoint` does, is fine).

    Attributes:
        path: the prefix (TensorFlow) or the file (safetensors) that was opened.
        layout: 'tensorflow' or 'safetensors'.
    """

    layout = None

    def __init__(self, path, entries):
        self.path = path
        self._entries = OrderedDict(sorted(entries.items()))

    def __iter__(self):
        return iter(self._entries)

    def __len__(self):
        return len(self._entries)

    def __contains__(self, name):
        return name in self._entries

    def shape(self, name):
        """The shape of a variable, a tuple of ints, without reading its data."""
        return self._entries[name].shape

    def dtype(self, name):
        """The stored type of a variable, such as 'float32', 'bfloat16' or 'string', without its data."""
        return self._entries[name].dtype

    def __getitem__(self, name):
        entry = self._entries[name]
        if entry.dtype not in _ITEMSIZE:
            raise _error(self.path, 'is of type %s; only numbers can be read' % entry.dtype, name)
        with _reporting(self.path, name):
            return self._read(name, entry)


def open_checkpoint(path):
    """Opens a checkpoint; reads its table of contents, not its data.

    Args:
        path: a TensorFlow checkpoint's prefix (`.../bert_model.ckpt`), or that with `.index` or
            `.data-00000-of-00001`; a `.safetensors` file; a `.safetensors.index.json` (shards).

    Returns:
        A Checkpoint. Of a TensorFlow checkpoint the arrays are read-only views of the mapped file, each
        verified against its checksum when first read; its data files are not looked for before.

    Raises:
        CheckpointError: nothing is there, or it is malformed, damaged, or of a kind not read here.
    """
    path = _usable_path(path)
    with _reporting(path):
        if path.endswith('.safetensors'):
            return _SafetensorsCheckpoint(path, _list_safetensors(path))
        if path.endswith('.safetensors.index.json'):
            return _SafetensorsCheckpoint(path, _list_shards(path))
        prefix = re.sub(r'\.(index|data-\d{5}-of-\d{5})$', '', path)
        if not os.path.isfile(prefix + '.index'):
            _refuse_known(path, prefix)
            _require_file(prefix + '.index')
        return _TensorflowCheckpoint(prefix, *_read_index(prefix + '.index'))


def _refuse_known(path, prefix):
    """Raises for what is there in place of an index, when it is something people do give."""
    if os.path.isdir(path):
        raise _error(path, 'is a directory; name the checkpoint file in it')
    if path.lower().endswith(_PICKLED):
        raise _error(path, 'is not read here: such a file can hold a pickle, and a pickle can run any code '
                     'when it is loaded; convert it to .safetensors where you trust it')
    if path == prefix and os.path.isfile(path):
        raise _error(path, 'has no .index file beside it, so it is no TensorFlow V2 checkpoint; if it is the '
                     'V1 format (a single file), save it again with tf.train.Saver(write_version=2)')


# Reading TensorFlow's layout


class _Cursor(object):
    """A stretch of a file in memory, `data[pos:end]`, consumed from the front and never left."""

    __slots__ = 'path', 'data', 'pos', 'end', 'name'

    def __init__(self, path, data, pos, end, name=None):
        self.path, self.data, self.pos, self.end, self.name = path, data, pos, end, name

    def damaged(self, what):
        return _error(self.path, what + '; the file is damaged, get it again', self.name, self.pos)

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


def _read_index(path):
    """`prefix.index` -> ({name: _TensorEntry}, number of shards, byte order '<' or '>')."""
    table = _read_table(path)
    key, value = next(table, (None, None))
    if key != b'':
        raise _error(path, 'has no header; it is not the index of a TensorFlow checkpoint')
    if value.content()[:1] == b'\n':  # field 1 is a message, SavedTensorSliceMeta
        raise _error(path, 'is in the V1 format; save it again with tf.train.Saver(write_version=2)')
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
    """A BundleEntryProto -> _TensorEntry, its numbers found consistent."""
    values = {1: 0, 2: None, 3: 0, 4: 0, 5: 0, 6: 0, 7: None}
    values.update(cursor.fields({1: 0, 2: 2, 3: 0, 4: 0, 5: 0, 6: 5, 7: 2}))
    code, shape, shard, offset, size, crc, sliced = (values[field] for field in range(1, 8))
    shape = () if shape is None else _parse_shape(shape)
    dtype = _TF_DTYPES.get(code, 'TensorFlow type %d' % code)
    if code == 0 or shard >= num_shards or offset + size >= 1 << 63:
        raise cursor.damaged('it has type %d, shard %d of %d, %d bytes at %d'
                             % (code, shard, num_shards, size, offset))
    if dtype in _ITEMSIZE and sliced is None and size != _num_elements(shape) * _ITEMSIZE[dtype]:
        raise cursor.damaged('it has %d bytes, unlike a %s of shape %s' % (size, dtype, shape))
    return _TensorEntry(dtype, shape, shard, offset, size, crc, sliced is not None)


def _parse_shape(cursor):
    """A TensorShapeProto {dim=2 {size=1}, unknown_rank=3} -> tuple of ints."""
    shape = ()
    for field, value in cursor.fields({2: 2, 3: 0}):
        if field == 2:
            shape += (dict(value.fields({1: 0})).get(1, 0),)
        if field == 3 or _num_elements(shape) is None:
            raise cursor.damaged('its shape is unknown or impossible: %s' % (shape,))
    return shape


def _read_table(path):
    """(key, cursor over the value) of each entry of an SSTable, in order."""
    _require_file(path)
    with io.open(path, 'rb') as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - len(_MAGIC)))
        if file.read() != _MAGIC or size < _FOOTER:  # before reading the rest: it may be any huge file
            raise _error(path, 'does not end as a table does: it is truncated, or not the index of a '
                         'TensorFlow checkpoint; get it again', offset=max(0, size - _FOOTER))
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
    if crc != _masked_crc(memoryview(data)[block.pos:block.end + 1]):
        raise block.damaged('a block fails its checksum')
    if kind > 1:
        raise block.damaged('a block is compressed in the unknown way %d' % kind)
    if kind == 1:
        block = _Cursor('%s: in the block at %d' % (_native(path), start), _decompress(block), 0, None)
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


class _TensorflowCheckpoint(Checkpoint):
    """A tensor bundle: an index that was read, and data files that are mapped when first needed."""

    layout = 'tensorflow'

    def __init__(self, prefix, entries, num_shards, byteorder):
        super(_TensorflowCheckpoint, self).__init__(prefix, entries)
        self._num_shards, self._byteorder = num_shards, byteorder
        self._maps, self._verified = {}, set()

    def _read(self, name, entry):
        if entry.sliced:
            raise _error(self.path, 'is a partitioned variable, stored in pieces, which are not joined here; '
                         'save it unpartitioned with TensorFlow', name)
        path = _DATA % (self.path, entry.shard, self._num_shards)
        if path not in self._maps:
            self._maps[path] = _map_file(path)
        data, stop = self._maps[path], entry.offset + entry.size
        if stop > len(data):
            raise _error(path, 'the file ends at %d, the variable at %d; it is truncated, or of another '
                         'checkpoint: get it again' % (len(data), stop), name, entry.offset)
        raw = data[entry.offset:stop]
        if name not in self._verified and _masked_crc(raw) != entry.crc:
            raise _error(path, 'fails its checksum; the file is damaged, or of another checkpoint: get it '
                         'again', name, entry.offset)
        self._verified.add(name)
        return _as_array(raw, entry.dtype, entry.shape, self._byteorder)


# Reading safetensors


def _import_safetensors(path):
    """The library, which needs a newer Python than this package does."""
    try:
        import safetensors.numpy
        return safetensors
    except ImportError as error:
        raise _error(path, 'needs the package safetensors (%s): Python 3.7 or later and `pip install '
                     'safetensors`; a TensorFlow checkpoint works everywhere' % error)


def _list_safetensors(path):
    """One safetensors file -> {name: _SafeEntry}; the library checks its header."""
    _require_file(path)
    library, entries = _import_safetensors(path), {}
    with _reporting(path):
        handle = library.safe_open(path, framework='np')
        for name in handle.keys():
            view = handle.get_slice(name)
            code, shape = view.get_dtype(), tuple(view.get_shape())
            if _num_elements(shape) is None:
                raise _error(path, 'has an impossible shape: %s' % (shape[:_MAX_DIMS],), name)
            entries[name] = _SafeEntry(_ST_DTYPES.get(code, code), shape, path, handle)
    return entries


def _list_shards(path):
    """`*.safetensors.index.json` {"weight_map": {name: file}} -> {name: _SafeEntry} of all its files."""
    _require_file(path)
    with io.open(path, encoding='utf-8') as file:
        index = json.load(file)
    weight_map = index.get('weight_map') if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise _error(path, 'has no "weight_map" of variable names to files')
    promised, entries = {}, {}
    for name, shard in weight_map.items():
        if not isinstance(shard, _TEXT) or not re.match(r'[^/\\:\0]+\.safetensors\Z', shard):
            raise _error(path, 'is said to be in %r, which is not the plain name of a .safetensors file '
                         'in the same folder' % (shard,), name)
        promised.setdefault(shard, set()).add(name)
    for shard in sorted(promised):
        found = _list_safetensors(os.path.join(os.path.dirname(path), shard))
        for name in sorted(promised[shard].symmetric_difference(found)):
            raise _error(path, 'is %s %s, unlike what this index says; get both again'
                         % ('in' if name in found else 'not in', shard), name)
        entries.update(found)
    return entries


class _SafetensorsCheckpoint(Checkpoint):
    """One or more safetensors files, read through the library."""

    layout = 'safetensors'

    def _read(self, name, entry):
        if entry.dtype == 'bfloat16':  # NumPy has none, so the library raises
            return _as_array(_safetensors_bytes(entry.path, name), entry.dtype, entry.shape)
        array = entry.handle.get_tensor(name)
        array.flags.writeable = False
        return array


def _safetensors_bytes(path, name):
    """The bytes of a tensor: after a length (8 bytes) and a JSON header of that length, at data_offsets."""
    data = _map_file(path)
    start = 8 + struct.unpack('<Q', data[:8].tobytes())[0]
    first, last = json.loads(data[8:start].tobytes().decode('utf-8'))[name]['data_offsets']
    return data[start + first:start + last]


# Writing


def save_checkpoint(path, variables):
    """Writes variables as a TensorFlow checkpoint, or as one safetensors file.

    At every moment, even if the process is killed, the destination is whole (old or new) or absent.

    Args:
        path: ends in `.safetensors`, or else is the prefix of a TensorFlow checkpoint (TF 1.13 to 2.21
            read it): `path.index` and `path.data-00000-of-00001` are written.
        variables: a mapping, or an iterable of pairs, variable name (text) -> array of float16/32/64,
            int8/16/32/64, uint8/16/32/64 or bool, of at most 32 dimensions. A generator is consumed one
            array at a time (for safetensors all are held in memory).

    Raises:
        CheckpointError: a name is empty or occurs twice, an array is of another type (the destination is
            then as it was), or the file system refuses.
    """
    path = _usable_path(path)
    if os.path.isdir(path) or not os.path.basename(path):
        raise _error(path, 'is a directory; name a file in it, such as bert_model.ckpt')
    if isinstance(variables, (dict, list, tuple)):  # costs nothing to look at twice
        for _ in _checked(path, variables):
            pass
    save = _save_safetensors if path.endswith('.safetensors') else _save_bundle
    save(path, _checked(path, variables))


def _checked(path, variables):
    """Pairs (name, array) of `variables`, each found fit to be written."""
    seen, mapping = set(), isinstance(variables, Mapping)
    refused = (u'', u'__metadata__') if path.endswith('.safetensors') else (u'',)
    for name, value in ((name, variables[name]) for name in variables) if mapping else variables:
        with _reporting(path, repr(name), (AttributeError, TypeError, ValueError)):
            name = name.decode('utf-8') if str is bytes and isinstance(name, bytes) else name
            name.encode('utf-8')
            array = np.asarray(value)
        if name in refused or name in seen or name[0] == u'\0':
            raise _error(path, 'this name is empty, reserved, or given twice', repr(name))
        if array.dtype.name not in _WRITABLE or array.ndim > _MAX_DIMS:
            raise _error(path, 'is %s of %d dimensions; convert it to at most %d of one of %s' % (
                array.dtype, array.ndim, _MAX_DIMS, ', '.join(sorted(_WRITABLE))), name)
        seen.add(name)
        yield name, array


def _contiguous(array):
    """`array`, C-contiguous and little-endian, copied only where it is not (and scalars left scalars)."""
    return np.asarray(array, array.dtype.newbyteorder('<'), order='C')


@contextlib.contextmanager
def _temporaries(targets):
    """Names to write to, beside `targets`; what is still there at the end is removed."""
    names = ['%s.%d.tmp' % (target, os.getpid()) for target in targets]
    try:
        with _reporting(targets[0], errors=(EnvironmentError, MemoryError)):
            yield names
    finally:
        for name in names:
            if os.path.exists(name):
                os.remove(name)


@contextlib.contextmanager
def _synced(path, mode='wb'):
    """An open file that is on the disk when it is closed, so that no rename can overtake it."""
    with io.open(path, mode) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _replace(source, target):
    """Renames over `target`; Python 2.7 on Windows cannot in one step, so there it is absent between."""
    if hasattr(os, 'replace'):
        return os.replace(source, target)
    if os.name == 'nt' and os.path.exists(target):
        os.remove(target)
    return os.rename(source, target)


def _save_safetensors(path, pairs):
    library = _import_safetensors(path)
    with _temporaries([path]) as (temporary,):
        arrays = {name: _contiguous(array) for name, array in pairs}
        with _synced(temporary) as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        with _reporting(path):
            library.numpy.save_file(arrays, temporary, metadata={'format': 'pt'})  # transformers wants it
        os.chmod(temporary, mode)  # the library may leave it readable by its owner alone
        with _synced(temporary, 'rb+'):
            pass
        _replace(temporary, path)


def _save_bundle(path, pairs):
    prefix = re.sub(r'\.index$', '', path)
    data, index = _DATA % (prefix, 0, 1), prefix + '.index'
    with _temporaries([data, index]) as (new_data, new_index):
        # num_shards = 1, version = {producer = 1}
        items, offset = [(b'', _encode_int(1, 1) + _encode_bytes(3, _encode_int(1, 1)))], 0
        with _synced(new_data) as file:
            for name, array in pairs:
                raw = _contiguous(array).reshape(-1).view(np.uint8)
                items.append((name.encode('utf-8'), _encode_entry(array, offset, raw)))
                file.write(memoryview(raw))
                offset += raw.size
        with _synced(new_index) as file:
            file.write(_encode_table(sorted(items)))
        if os.path.exists(index):
            os.remove(index)  # the old index must never be found beside the new data
        _replace(new_data, data)
        _replace(new_index, index)


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


def _encode_entry(array, offset, raw):
    """A BundleEntryProto for `array`, whose bytes `raw` begin at `offset` of the data file."""
    shape = b''.join(_encode_bytes(2, _encode_int(1, size)) for size in array.shape)
    return b''.join([
        _encode_int(1, _TF_CODES[array.dtype.name]), _encode_bytes(2, shape), _encode_int(4, offset),
        _encode_int(5, raw.size), _encode_varint(6 << 3 | 5), struct.pack('<I', _masked_crc(raw))])


def _encode_table(items):
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
    return bytes(out) + struct.pack('<I', _masked_crc(out))
