# -*- coding: utf-8 -*-
"""The vectors of many texts, in files: read and written part by part, in the memory of one shard.

    vectors-00000.npy         float32 [rows, D]; or vectors-00000.parquet, with the columns id (string) and vector
    vectors-00000.ids.jsonl   beside .npy: the id of each row, a line of JSON each
    vectors-00000.json        what the shard was made of: options, number of rows, SHA-256 of ids and texts
    vectors.json              what is in the directory; written last: without it the directory is not finished

A shard is made of its own texts alone, so its bytes do not depend on the others, nor on where a run ended. It is whole
or absent: who starts again goes on where a killed run ended, after reading again what is there, to compare it.
"""
from __future__ import absolute_import, division, print_function

import hashlib
import io
import json
import os
import re

import numpy as np

from bert4keras.compat import fspath
from bert4keras.embedding import cluster
from bert4keras.embedding.texts import read_texts
from bert4keras.errors import CorpusError, TextError, some
from bert4keras.files import lock, move_files, synced, temporary_directory, whole_file
from bert4keras.text_files import STDIN, find_inputs

__all__ = ['DONE', 'FORMATS', 'embed_corpus', 'read_vectors']

DONE, HEADER = 'vectors.json', 'vectors-%05d.json'
FORMATS = {'npy': ('vectors-%05d.npy', 'vectors-%05d.ids.jsonl'), 'parquet': ('vectors-%05d.parquet',)}
ROWS = 1 << 13
_OURS = re.compile(r'vectors(-(\d{5,})\.(npy|ids\.jsonl|parquet|json)|\.json)\Z')


def embed_corpus(embedder, inputs, output, field='text', id_field=None, kind='npy', rows=ROWS, progress=None,
                 actors=None, **options):
    """Embeds the texts of files into a directory, or goes on where a killed run ended; see the module's docstring.

    Args:
        embedder: an `Embedder`.
        inputs: list of paths or globs: .jsonl with an object a line, or a text a line; either may be .gz.
        output: directory to make, or to go on with.
        field: where the text is in a line of .jsonl.
        id_field: where its id is, a string or a whole number; None for file and line, such as 'a.jsonl:17'.
        kind: 'npy' or 'parquet', which needs pyarrow.
        rows: int, texts of a shard.
        progress: None, or a function to call with the number of bytes of files that were done.
        actors: None for this process; or the number of actors of Ray Data that do it, 0 for as many as it has GPUs or
            CPUs; see cluster.py. Each makes an embedder of the same class, of `embedder.path`.
        **options: of `Embedder.encode`, such as prompt_name, dimensions and batch_size.

    Returns:
        dict, the content of vectors.json: settings, shards, rows, width, and how many texts were cut; and how many
        tokens were computed in this run.

    Raises:
        CorpusError: no text, a text that cannot be read or embedded (file and line), or other vectors in `output`.
        ValueError: an argument out of range. ImportError: no pyarrow. EnvironmentError: a file cannot be read or
        written. Shards that were finished before stay, for the next run.
    """
    if kind not in FORMATS:
        raise ValueError('kind is %r; there are %s' % (kind, ', '.join(sorted(FORMATS))))
    if rows < 1:
        raise ValueError('rows must be at least 1, not %r' % (rows,))
    if kind == 'parquet':
        _pyarrow()
    if actors is not None:
        cluster.check_ray()
        if STDIN in inputs:
            raise ValueError('stdin is read once, and by Ray again: give files')
    paths, output = find_inputs(inputs), os.path.abspath(fspath(output))
    settings = {'format': 1, 'kind': kind, 'rows_of_a_shard': rows, 'field': field, 'id_field': id_field,
                'model': embedder.fingerprint(), 'pooling': '+'.join(embedder.poolings),
                'precision': None if embedder.precision == 'float32' else embedder.precision,
                'prompt': embedder.find_prompt(options.get('prompt_name'), options.get('prompt')),
                'dimensions': options.get('dimensions'), 'normalized': bool(options.get('normalized')),
                'max_length': options.get('max_length') or embedder.max_length}
    if not os.path.isdir(output):
        os.mkdir(output)
    with lock(output):
        done = _look_at(output, settings)
        writer = _Shards(embedder, output, settings, options, progress or (lambda size: None))
        before, shards = embedder.tokens, _cut(read_texts(paths, field, id_field), rows)
        headers = make_shards(writer, shards, done) if actors is None else cluster.make_shards(
            writer, shards, done, actors)
        if not headers:
            raise CorpusError('there is no text in %s' % some(paths))
        if done and done['shards'] != len(headers):
            raise _other_texts(output)
        return _finish(output, settings, headers, embedder.tokens - before)


def make_shards(writer, shards, done):
    """The headers of shards, each made where it is not there; as cluster.py's, one after the other."""
    headers = []
    for index, (records, size) in enumerate(shards):
        digest, header = writer.look(index, records, size, done)
        headers.append(header or writer.make(index, records, size, digest))
    return headers


def _cut(records, rows):
    """Yields (list of at most `rows` records, how many bytes of files they took)."""
    found, size = [], 0
    for record in records:
        found.append(record)
        size += record.consumed
        if len(found) == rows:
            yield found, size
            found, size = [], 0
    if found:
        yield found, size


def _other_texts(output):
    return CorpusError('%s has the vectors of other texts; give another directory, or remove it' % output)


def _look_at(output, settings):
    """The content of vectors.json, or None; CorpusError if the directory has anything that is not of these vectors."""
    names = sorted(name for name in os.listdir(output) if not name.startswith('.'))
    others = [name for name in names if not _OURS.match(name)]
    if others:
        raise CorpusError('%s has other files than those of vectors: %s; give a new directory' % (output, some(others)))
    headers = [_header(os.path.join(output, name)) for name in names if name.endswith('.json')]
    known = next((header['settings'] for header in headers if header), settings)
    if known.get('model') != settings['model']:
        raise CorpusError('%s has vectors of another model; give another directory, or remove it' % output)
    for name in sorted(set(known) | set(settings)):
        if known.get(name) != settings.get(name):
            raise CorpusError('%s has vectors made with %s = %s, not %s; give another directory, or remove it'
                              % (output, name, json.dumps(known.get(name)), json.dumps(settings.get(name))))
    return _header(os.path.join(output, DONE))


def _header(path):
    """The content of a file of ours about a shard, or about all; None where it is absent or damaged."""
    try:
        with io.open(path, 'rb') as stream:
            content = json.loads(stream.read().decode('ascii'))
        return content if isinstance(content['settings'], dict) and isinstance(content['rows'], int) else None
    except (EnvironmentError, ValueError, KeyError, TypeError):
        return None


class _Shards(object):
    """Makes one shard after the other."""

    def __init__(self, embedder, output, settings, options, progress):
        self.embedder, self.output, self.settings = embedder, output, settings
        self.options, self.progress = options, progress

    def look(self, index, records, size, done):
        """(SHA-256 of the texts of a shard, its header if it is there, else None)."""
        digest, header = _digest(records), _header(os.path.join(self.output, HEADER % index))
        if header and header.get('texts') == digest and self._is_whole(index):
            self.progress(size)
            return digest, header
        if done:
            raise _other_texts(self.output)
        return digest, None

    def make(self, index, records, size, digest):
        """Makes a shard; returns its header."""
        cut = []
        vectors = self._embed(records, size, cut.append)
        header = {'settings': self.settings, 'rows': len(records), 'texts': digest, 'width': int(vectors.shape[1]),
                  'cut': sum(cut)}
        self._write(index, vectors, [record.id for record in records], header)
        return header

    def _is_whole(self, index):
        return all(os.path.exists(os.path.join(self.output, name % index)) for name in FORMATS[self.settings['kind']])

    def _embed(self, records, size, on_cut):
        """The vectors of records, which took `size` bytes of files; errors name file and line."""
        told = [0, 0]  # texts, bytes

        def progress(count):
            told[0] += count
            place = size * told[0] // len(records)
            self.progress(place - told[1])
            told[1] = place
        try:
            vectors = self.embedder.encode([record.text for record in records], progress=progress, on_cut=on_cut,
                                           **self.options)
        except TextError as error:
            record = records[error.index]
            raise CorpusError('%s, line %d: the text %s' % (record.path, record.line, error.what))
        for row in np.flatnonzero(~np.isfinite(vectors).all(axis=1)):
            raise CorpusError('%s, line %d: the model gives numbers that are not finite; check its weights'
                              % (records[row].path, records[row].line))
        return vectors

    def _write(self, index, vectors, ids, header):
        """Writes the files of a shard, its header last."""
        names = [name % index for name in FORMATS[self.settings['kind']]]
        with temporary_directory(os.path.join(self.output, DONE)) as directory:  # whoever writes that one tidies up
            if self.settings['kind'] == 'parquet':
                _write_parquet(os.path.join(directory, names[0]), vectors, ids)
            else:
                with synced(os.path.join(directory, names[0])) as stream:
                    np.save(stream, vectors)
                with synced(os.path.join(directory, names[1])) as stream:
                    stream.write(''.join(json.dumps(each) + '\n' for each in ids).encode('ascii'))
            with synced(os.path.join(directory, HEADER % index)) as stream:
                stream.write(_encode(header))
            move_files(directory, self.output, HEADER % index)


def _digest(records):
    """The SHA-256 of ids and texts, in hexadecimal."""
    digest = hashlib.sha256()
    for record in records:
        digest.update((json.dumps([record.id, record.text]) + '\n').encode('ascii'))
    return digest.hexdigest()


def _encode(content):
    return (json.dumps(content, indent=1, sort_keys=True, separators=(',', ': ')) + '\n').encode('ascii')


def _pyarrow():
    try:
        import pyarrow
        import pyarrow.parquet
        return pyarrow
    except ImportError:
        raise ImportError("Parquet needs pyarrow: pip install pyarrow; or leave it at .npy, which needs nothing")


def _write_parquet(path, vectors, ids):
    """Writes the columns id (string, so that all files have one type) and vector (a list of D float32)."""
    pyarrow = _pyarrow()
    flat = pyarrow.array(np.ascontiguousarray(vectors).reshape(-1))
    table = pyarrow.table({'id': pyarrow.array([u'%s' % each for each in ids]),
                           'vector': pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])})
    with synced(path) as stream:
        pyarrow.parquet.write_table(table, stream)


def _finish(output, settings, headers, tokens):
    """Writes vectors.json; removes shards of an earlier run on more text."""
    for name in os.listdir(output):
        found = _OURS.match(name)
        if found and found.group(2) and int(found.group(2)) >= len(headers):
            os.remove(os.path.join(output, name))
    content = {'settings': settings, 'shards': len(headers), 'rows': sum(header['rows'] for header in headers),
               'width': headers[0]['width'], 'cut': sum(header['cut'] for header in headers)}
    with whole_file(os.path.join(output, DONE)) as stream:
        stream.write(_encode(content))
    return dict(content, tokens=tokens)


def read_vectors(directory):
    """Yields (list of ids, float32 array [rows, D], mapped) of each shard that `embed_corpus` wrote as .npy, in order.

    Raises:
        CorpusError: there are none, they are not finished, or they are Parquet.
    """
    directory = fspath(directory)
    done = _header(os.path.join(directory, DONE))
    if done is None:
        raise CorpusError('%s has no %s: it has no vectors, or is not finished' % (directory, DONE))
    if done['settings']['kind'] != 'npy':
        raise CorpusError('%s has Parquet; read it with pyarrow.parquet.read_table' % directory)
    for index in range(done['shards']):
        array, ids = [os.path.join(directory, name % index) for name in FORMATS['npy']]
        with io.open(ids, 'rb') as stream:
            yield [json.loads(line.decode('ascii')) for line in stream], np.load(array, mmap_mode='r')
