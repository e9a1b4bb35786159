# -*- coding: utf-8 -*-
"""Variables on disk: TensorFlow checkpoints and safetensors, read and written without TensorFlow; tf_model.h5, read.

`open_checkpoint(path)` gives a read-only mapping *variable name -> NumPy array* over either layout;
`save_checkpoint(path, variables)` writes one. A file is never trusted: every number read from it is
checked before it is used, and whatever is wrong with it is a `CheckpointError`. The index of a
TensorFlow checkpoint is read and written by tensor_bundle.py; safetensors by the library of that name; tf_model.h5 by
tf_weights.py.
"""
from __future__ import absolute_import, division, print_function

import contextlib
import json
import mmap
import os
import re
import stat
import struct
import weakref
from collections import OrderedDict, namedtuple

import numpy as np

from bert4keras.compat import TEXT, Mapping, fspath
from bert4keras.errors import CheckpointError, error
from bert4keras.files import MAX_JSON, is_at, move_files, read_regular_file, replace, synced, temporary_directory
from bert4keras.release.tensor_bundle import (
    MAX_DIMS, READABLE, WRITABLE, encode_entry, encode_header, encode_table, masked_crc, num_elements, open_file,
    read_index, require_file)
from bert4keras.release.tf_weights import list_weights, read_weight

__all__ = ['Checkpoint', 'CheckpointError', 'open_checkpoint', 'save_checkpoint', 'truncated_files', 'usable_path']

_PATIENCE = 100  # times to look at a file that somebody else replaces
_DATA = '%s.data-%05d-of-%05d'
_PICKLED = ('.bin', '.pt', '.pth', '.pkl', '.pickle', '.joblib', '.npz', '.npy', '.keras', '.bin.index.json')
_HDF5 = ('.h5', '.hdf5')
_ST_DTYPES = {
    'F64': 'float64', 'F32': 'float32', 'F16': 'float16', 'BF16': 'bfloat16', 'BOOL': 'bool',
    'I64': 'int64', 'I32': 'int32', 'I16': 'int16', 'I8': 'int8',
    'U64': 'uint64', 'U32': 'uint32', 'U16': 'uint16', 'U8': 'uint8'}

_SafeEntry = namedtuple('_SafeEntry', 'dtype shape path handle map start stop')


@contextlib.contextmanager
def _reporting(path, name=None, errors=Exception):
    """Turns an error of the system, of a library, or one that no check foresaw, into a CheckpointError."""
    try:
        yield
    except CheckpointError:
        raise
    except errors as problem:
        raise error(path, '%s: %s; check that the file is whole, that you may access it and that there '
                     'is room' % (type(problem).__name__, problem), name)


def usable_path(path):
    """`path` (text, bytes or os.PathLike) as something that `os.stat` takes."""
    path = fspath(path)
    if not isinstance(path, (bytes, TEXT)):
        raise error(repr(path), 'is not a usable file name (it is of type %s)' % type(path).__name__)
    try:
        path = path if str is bytes or isinstance(path, str) else os.fsdecode(path)
        os.stat(path)
    except (TypeError, ValueError) as problem:  # a NUL or an unencodable character in it
        raise error(repr(path), 'is not a usable file name (%s)' % problem)
    except EnvironmentError:
        pass  # whether it is there is for the caller to say
    return path


_MAPS = weakref.WeakSet()  # all that are in use


def truncated_files():
    """The paths of the files that are mapped here, and have been truncated since."""
    return sorted({data.path for data in list(_MAPS) if data.is_truncated()})


class _Map(object):
    """The bytes of a file, mapped into memory: read where they are used, and never written.

    Where a mapped file is truncated the process ends with SIGBUS when it reads what is gone (a file that is
    replaced by a rename stays whole), so `bytes` looks at the size of the file first, each time. What is truncated
    between that and the reading is for bus_error.py.
    """

    def __init__(self, path):
        self._map, self.path = None, path
        _MAPS.add(self)
        with open_file(path) as file:
            if os.fstat(file.fileno()).st_size:  # nothing cannot be mapped
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def size(self):
        """The size of the file, as it is now."""
        return min(len(self._map), self._map.size()) if self._map else 0

    def is_truncated(self):
        """Whether the file is smaller than it was."""
        return self._map is not None and self.size() < len(self._map)

    def bytes(self, start, stop):
        """A stretch of the file, as a read-only uint8 array; less than that where the file ends before."""
        stop = min(stop, self.size())
        return np.frombuffer(self._map, np.uint8)[start:stop] if start < stop else np.zeros(0, np.uint8)


def _snapshot(path, look):
    """`look(path)`, of one and the same file, whoever replaces it meanwhile.

    The file is kept open: the system gives the number of a file that is gone to the next one, which may well be of
    the same moment.
    """
    for _ in range(_PATIENCE):
        with open_file(path) as file:
            found = look(path)
            if is_at(file.fileno(), path):
                return found
    raise error(path, 'is replaced all the time by somebody else; open it when that has ended')


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


class Checkpoint(Mapping):
    """A read-only mapping *variable name (text) -> array*, in the order of the names.

    `checkpoint[name]` raises KeyError for a name that is not there, CheckpointError for one that cannot
    be read. bfloat16 comes back as float32, which holds it exactly. The files must not be changed while
    arrays of them are in use (replacing them by a rename, as `save_checkpoint` does, is fine).

    Attributes:
        path: the prefix (TensorFlow) or the file (safetensors, HDF5) that was opened.
        layout: 'tensorflow', 'safetensors' or 'tf_model.h5'.
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
        if entry.dtype not in READABLE:
            raise error(self.path, 'is of type %s; only numbers can be read' % entry.dtype, name)
        with _reporting(self.path, name):
            return self._read(name, entry)


def open_checkpoint(path):
    """Opens a checkpoint; reads its table of contents, not its data.

    Args:
        path: a TensorFlow checkpoint's prefix (`.../bert_model.ckpt`), or that with `.index` or
            `.data-00000-of-00001`; a `.safetensors` file; a `.safetensors.index.json` (shards); an `.h5` file of
            a TensorFlow model of transformers, see tf_weights.py.

    Returns:
        A Checkpoint. Of a TensorFlow checkpoint the arrays are read-only views of the mapped file, each
        verified against its checksum when first read; its data files are not looked for before.

    Raises:
        CheckpointError: nothing is there, or it is malformed, damaged, or of a kind not read here.
    """
    path = usable_path(path)
    with _reporting(path):
        if path.endswith('.safetensors'):
            return _SafetensorsCheckpoint(path, _list_safetensors(path))
        if path.endswith('.safetensors.index.json'):
            return _SafetensorsCheckpoint(path, _list_shards(path))
        if path.lower().endswith(_HDF5):
            require_file(path)
            return _TFWeightsCheckpoint(path, _snapshot(path, list_weights))
        prefix = re.sub(r'\.(index|data-\d{5}-of-\d{5})$', '', path)
        if not os.path.isfile(prefix + '.index'):
            _refuse_known(path, prefix)
            require_file(prefix + '.index')
        # a data file gets its name while there is no index, so it belongs to the one there before and after
        return _snapshot(prefix + '.index', lambda index: _TensorflowCheckpoint(prefix, *read_index(index)))


def _refuse_known(path, prefix):
    """Raises for what is there in place of an index, when it is something people do give."""
    if os.path.isdir(path):
        raise error(path, 'is a directory; name the checkpoint file in it')
    if path.lower().endswith(_PICKLED):
        raise error(path, 'is not read here: such a file can hold a pickle, and a pickle can run any code '
                     'when it is loaded; convert it to .safetensors where you trust it')
    if path == prefix and os.path.isfile(path):
        raise error(path, 'has no .index file beside it, so it is no TensorFlow V2 checkpoint; if it is the '
                     'V1 format (a single file), save it again with tf.train.Saver(write_version=2)')


class _TensorflowCheckpoint(Checkpoint):
    """A tensor bundle: an index that was read, and data files that are mapped when first needed."""

    layout = 'tensorflow'

    def __init__(self, prefix, entries, num_shards, byteorder):
        super(_TensorflowCheckpoint, self).__init__(prefix, entries)
        self._num_shards, self._byteorder = num_shards, byteorder
        self._maps, self._verified = {}, set()
        for shard in {entry.shard for entry in entries.values()}:
            try:
                self._map(shard)
            except (CheckpointError, EnvironmentError):
                pass  # said when it is read: to list what is in a checkpoint takes no data

    def _map(self, shard):
        """(path, _Map) of a data file."""
        path = _DATA % (self.path, shard, self._num_shards)
        if path not in self._maps:
            self._maps[path] = _Map(path)
        return path, self._maps[path]

    def _read(self, name, entry):
        if entry.sliced:
            raise error(self.path, 'is a partitioned variable, stored in pieces, which are not joined here; '
                         'save it unpartitioned with TensorFlow', name)
        path, data = self._map(entry.shard)
        raw = data.bytes(entry.offset, entry.offset + entry.size)
        if raw.size != entry.size:
            raise error(path, 'the file ends at %d, the variable at %d; it is truncated, or of another checkpoint: '
                         'get it again' % (data.size(), entry.offset + entry.size), name, entry.offset)
        if name not in self._verified and masked_crc(raw) != entry.crc:
            raise error(path, 'fails its checksum; the file is damaged, or of another checkpoint: get it '
                         'again', name, entry.offset)
        self._verified.add(name)
        return _as_array(raw, entry.dtype, entry.shape, self._byteorder)


# Reading safetensors


def _import_safetensors(path):
    """The library, which needs a newer Python than this package does."""
    try:
        import safetensors.numpy
        return safetensors
    except ImportError as problem:
        raise error(path, 'needs the package safetensors (%s): Python 3.7 or later and `pip install '
                     'safetensors`; a TensorFlow checkpoint works everywhere' % problem)


def _list_safetensors(path):
    """One safetensors file -> {name: _SafeEntry}; the library checks its header."""
    require_file(path)
    library, entries = _import_safetensors(path), {}
    with _reporting(path):
        handle, data = _snapshot(path, lambda path: (library.safe_open(path, framework='np'), _Map(path)))
        stretches = _stretches(data)
        for name in handle.keys():
            view = handle.get_slice(name)
            code, shape = view.get_dtype(), tuple(view.get_shape())
            if num_elements(shape) is None:
                raise error(path, 'has an impossible shape: %s' % (shape[:MAX_DIMS],), name)
            entries[name] = _SafeEntry(_ST_DTYPES.get(code, code), shape, path, handle, data, *stretches[name])
    return entries


def _list_shards(path):
    """`*.safetensors.index.json` {"weight_map": {name: file}} -> {name: _SafeEntry} of all its files."""
    require_file(path)
    index = json.loads(read_regular_file(path, MAX_JSON).decode('utf-8'))
    weight_map = index.get('weight_map') if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise error(path, 'has no "weight_map" of variable names to files')
    promised, entries = {}, {}
    for name, shard in weight_map.items():
        if not isinstance(shard, TEXT) or not re.match(r'[^/\\:\0]+\.safetensors\Z', shard):
            raise error(path, 'is said to be in %r, which is not the plain name of a .safetensors file '
                         'in the same folder' % (shard,), name)
        promised.setdefault(shard, set()).add(name)
    for shard in sorted(promised):
        found = _list_safetensors(os.path.join(os.path.dirname(path), shard))
        for name in sorted(promised[shard].symmetric_difference(found)):
            raise error(path, 'is %s %s, unlike what this index says; get both again'
                         % ('in' if name in found else 'not in', shard), name)
        entries.update(found)
    return entries


class _SafetensorsCheckpoint(Checkpoint):
    """One or more safetensors files, read through the library."""

    layout = 'safetensors'

    def _read(self, name, entry):
        if entry.map.size() < entry.stop:
            raise error(entry.path, 'the file ends at %d, the variable at %d; it was truncated: get it again'
                         % (entry.map.size(), entry.stop), name, entry.start)
        if entry.dtype == 'bfloat16':  # NumPy has none, so the library raises
            return _as_array(entry.map.bytes(entry.start, entry.stop), entry.dtype, entry.shape)
        array = entry.handle.get_tensor(name)
        array.flags.writeable = False
        return array


class _TFWeightsCheckpoint(Checkpoint):
    """An HDF5 file of a TensorFlow model of transformers, by the names of Hugging Face's own layout."""

    layout = 'tf_model.h5'

    def _read(self, name, entry):
        return read_weight(self.path, name, entry)


def _stretches(data):
    """{name: (first byte, byte after the last)}: after a length (8 bytes) and a JSON header, at data_offsets."""
    start = 8 + struct.unpack('<Q', data.bytes(0, 8).tobytes())[0]
    header = json.loads(data.bytes(8, start).tobytes().decode('utf-8'))
    return {name: tuple(start + offset for offset in header[name]['data_offsets'])
            for name in header if name != '__metadata__'}


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
    path = usable_path(path)
    if os.path.isdir(path) or not os.path.basename(path):
        raise error(path, 'is a directory; name a file in it, such as bert_model.ckpt')
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
            raise error(path, 'this name is empty, reserved, or given twice', repr(name))
        if array.dtype.name not in WRITABLE or array.ndim > MAX_DIMS:
            raise error(path, 'is %s of %d dimensions; convert it to at most %d of one of %s' % (
                array.dtype, array.ndim, MAX_DIMS, ', '.join(sorted(WRITABLE))), name)
        seen.add(name)
        yield name, array


def _contiguous(array):
    """`array`, C-contiguous and little-endian, copied only where it is not (and scalars left scalars)."""
    return np.asarray(array, array.dtype.newbyteorder('<'), order='C')


def _saving(path):
    """What the system says while a file is written becomes a CheckpointError."""
    return _reporting(path, errors=(EnvironmentError, MemoryError))


def _save_safetensors(path, pairs):
    library = _import_safetensors(path)
    with _saving(path), temporary_directory(path) as directory:
        temporary = os.path.join(directory, os.path.basename(path))
        arrays = {name: _contiguous(array) for name, array in pairs}
        with synced(temporary) as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        with _reporting(path):
            library.numpy.save_file(arrays, temporary, metadata={'format': 'pt'})  # transformers wants it
        os.chmod(temporary, mode)  # the library may leave it readable by its owner alone
        with synced(temporary, 'rb+'):
            pass
        replace(temporary, path)


def _save_bundle(path, pairs):
    prefix = re.sub(r'\.index$', '', path)
    with _saving(path), temporary_directory(prefix + '.index') as directory:
        partial = os.path.join(directory, os.path.basename(prefix))
        items, offset = [(b'', encode_header())], 0
        with synced(_DATA % (partial, 0, 1)) as file:
            for name, array in pairs:
                raw = _contiguous(array).reshape(-1).view(np.uint8)
                items.append((name.encode('utf-8'), encode_entry(array, offset, raw)))
                file.write(memoryview(raw))
                offset += raw.size
        with synced(partial + '.index') as file:
            file.write(encode_table(sorted(items)))
        move_files(directory, os.path.dirname(prefix) or '.', last=os.path.basename(prefix) + '.index')
