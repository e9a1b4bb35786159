# -*- coding: utf-8 -*-
"""Files of text, cut into blocks at the ends of documents: what one worker makes one shard of.

Which text is in which block depends on nothing but the text, so the shards do not either. A text file has a line
for each sentence or paragraph and an empty line between documents; a .jsonl file a JSON object for each document;
either may be compressed (.gz). A file's end ends a document. Memory: that of one block.
"""
from __future__ import absolute_import, division, print_function

import collections
import glob
import gzip
import hashlib
import io
import json
import logging
import numbers
import os
import struct
import sys
import zlib

from bert4keras.compat import TEXT
from bert4keras.errors import CorpusError
from bert4keras.files import open_regular_file

__all__ = ['BLOCK', 'Block', 'Lines', 'Text', 'find_inputs', 'read_again', 'read_blocks', 'read_documents',
           'read_texts']

BLOCK = 1 << 23  # bytes of text in a block, and then up to the end of the document
MAX_LINE = 1 << 24  # bytes; a longer one is no text
STDIN = '-'
UNREADABLE = EOFError, zlib.error, struct.error, IOError
logger = logging.getLogger(__name__)
# Whole lines of one file; `line` is the number of the first, from 1, and `start` how many bytes are before it (of what
# was decompressed).
Part = collections.namedtuple('Part', 'name line start is_json data')
# A line of a file; `consumed` is how many bytes of the file, as it lies on the disk, were read for it; `start` is the
# place of its first byte, in a .gz that of what it holds.
Text = collections.namedtuple('Text', 'path line id text consumed start')


class Block(object):
    """Text for one worker.

    Attributes:
        index: int, its number, from 0.
        parts: list of Parts.
        documents: int, how many there are.
        consumed: int, how many bytes of files it took, as they lie on the disk.
        is_last: bool.
    """

    def __init__(self, index, parts, documents, consumed, is_last):
        self.index, self.parts, self.documents = index, parts, documents
        self.consumed, self.is_last = consumed, is_last

    def __repr__(self):
        return 'block %d (from %s, line %d)' % (self.index, self.parts[0].name, self.parts[0].line)

    def size(self):
        """Bytes of text."""
        return sum(len(part.data) for part in self.parts)

    def digest(self):
        """The SHA-256 of its text, in hexadecimal."""
        digest = hashlib.sha256()
        for part in self.parts:
            digest.update(b'%s%d\n' % (b'json' if part.is_json else b'text', len(part.data)))
            digest.update(part.data)
        return digest.hexdigest()


class Lines(object):
    """Counts lines and how many of them are repetitions, in bounded memory: exact up to CAPACITY different lines.

    Beyond that, different lines are counted among those only whose checksum ends in `bits` zeros.
    """

    CAPACITY = 1 << 18

    def __init__(self):
        self.count, self.bits, self.seen = 0, 0, set()

    def add(self, line):
        """Counts a line (bytes)."""
        self.count += 1
        checksum = zlib.crc32(line) & 0xffffffff
        if not checksum & (1 << self.bits) - 1:
            self.seen.add((checksum, hashlib.sha256(line).digest()[:8]))
            if len(self.seen) > self.CAPACITY:
                self.bits += 1
                self.seen = {item for item in self.seen if not item[0] & (1 << self.bits) - 1}

    def repeated_share(self):
        """The share of lines that were there before, within a percent."""
        return max(0., 1 - (len(self.seen) << self.bits) / self.count) if self.count else 0.


# ------------------------------------------------------------------ reading

def find_inputs(patterns):
    """The files that paths and globs name, in their order, those of a glob sorted.

    Raises:
        CorpusError: nothing is there.
    """
    paths = []
    for pattern in patterns:
        found = [pattern] if pattern == STDIN or os.path.exists(pattern) else sorted(glob.glob(pattern))
        if not found:
            raise CorpusError('%s: there is no such file; give files, globs, or - for stdin' % pattern)
        paths.extend(found)
    return paths


def read_blocks(paths, lines, size=BLOCK):
    """Yields the Blocks of files.

    Args:
        paths: what `find_inputs` returns.
        lines: Lines, which counts them.
        size: int, bytes that fill a block; the document in work still goes in, up to as many bytes again. The
            last block takes what is left, if that is less than a quarter of it or a single document.

    Raises:
        CorpusError: a file that cannot be decompressed, a line longer than MAX_LINE.
        EnvironmentError: a file that cannot be read.
    """
    held = None
    for block in _Cutter(lines, size).blocks(paths):
        if held is not None and block.is_last and (block.documents < 2 or block.size() < size // 4):
            held = Block(held.index, held.parts + block.parts, held.documents + block.documents,
                         held.consumed + block.consumed, True)
            continue
        if held is not None:
            yield held
        held = block
    if held is not None:
        yield held


def read_again(part, size):
    """A Part with its data, `size` bytes, given one without; raises as `read_blocks`.

    A compressed file is decompressed from its beginning.
    """
    with _opened(part.name) as stream:
        try:
            stream.stream.seek(part.start)
            return part._replace(data=stream.stream.read(size))
        except UNREADABLE as problem:
            raise _unreadable(part.name, part.line, problem)


class _Cutter(object):
    """Reads files line by line into Blocks."""

    def __init__(self, lines, size):
        self.lines, self.limit, self.index = lines, size, 0
        self._start_block()

    def _start_block(self):
        self.parts, self.size, self.documents, self.consumed = [], 0, 0, 0

    def blocks(self, paths):
        """Yields the Blocks, of which the last one says so."""
        for path in paths:
            before = 0
            for part, documents, place, is_full in self._parts_of(path):
                self.parts.append(part)
                self.documents += documents
                self.consumed, before = self.consumed + place - before, place
                if is_full:
                    yield self._end_block(False)
        if self.documents:
            yield self._end_block(True)

    def _end_block(self, is_last):
        block = Block(self.index, self.parts, self.documents, self.consumed, is_last)
        self.index += 1
        self._start_block()
        return block

    def _parts_of(self, path):
        """Yields (Part, documents begun in it, bytes of the file read so far, whether it fills the block)."""
        is_json = _has_json(path)
        with _opened(path) as stream:
            content, first, start, documents, is_within, number = [], 1, 0, 0, False, 0
            for number, line in enumerate(_lines_of(stream, path), 1):
                text = line.strip()
                if text:
                    self.lines.add(text)
                    documents += not is_within
                is_within = bool(text) and not is_json
                content.append(line)
                self.size += len(line)
                if self.size >= (2 * self.limit if is_within else self.limit):
                    if is_within:
                        logger.warning('%s, line %d: a document longer than %d MB is cut here; it goes on as another '
                                       'one', path, number, self.limit >> 20)
                    part = Part(path, first, start, is_json, b''.join(content))
                    yield part, documents, stream.place(), True
                    start += len(part.data)
                    content, first, documents, is_within = [], number + 1, 0, False
            if documents:
                yield Part(path, first, start, is_json, b''.join(content)), documents, stream.place(), False
            elif first == 1:
                logger.warning('%s has no text', path)


def _has_json(path):
    return (path[:-3] if path.endswith('.gz') else path).endswith('.jsonl')


class _Input(object):
    """An open file, or stdin, to read lines from."""

    def __init__(self, raw, stream):
        self.raw, self.stream, self.readline = raw, stream, stream.readline

    def place(self):
        """How many bytes of the file have been read, as it lies on the disk; 0 for stdin."""
        return self.raw.tell() if self.raw is not None else 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.raw is not None:
            self.raw.close()


def _opened(path):
    """The _Input of a path."""
    if path == STDIN:
        if sys.stdin is None:
            raise CorpusError('stdin is closed, from which - reads')
        return _Input(None, getattr(sys.stdin, 'buffer', sys.stdin))
    raw = open_regular_file(path)
    return _Input(raw, io.BufferedReader(gzip.GzipFile(fileobj=raw)) if path.endswith('.gz') else raw)


def _lines_of(stream, path):
    """The lines of an open file, as bytes."""
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(MAX_LINE + 1)
        except UNREADABLE as problem:
            raise _unreadable(path, number, problem)
        if not line:
            return
        if len(line) > MAX_LINE:
            raise CorpusError('%s, line %d has more than %d bytes; is it text? Give a line for each sentence or '
                              'paragraph' % (path, number, MAX_LINE))
        yield line


def _unreadable(path, number, problem):
    """What to raise where a file cannot be read near a line: a CorpusError, or the system's error."""
    if getattr(problem, 'errno', None) is None:
        return CorpusError('%s, line %d: cannot be decompressed (%s); get it again' % (path, number, problem))
    problem.filename = problem.filename or path
    return problem


# ------------------------------------------------------------------ documents of a block

def read_documents(block, field='text'):
    """Yields the documents of a Block, each a list of lines (text).

    Args:
        field: the name of the text in the objects of a .jsonl file.

    Raises:
        CorpusError: not UTF-8, not JSON, or no text in the field; says which file and line.
    """
    for part in block.parts:
        document = []
        for number, line in enumerate(part.data.split(b'\n'), part.line):
            line = line.strip()
            if line and part.is_json:
                yield _text_of(line, field, part.name, number).split(u'\n')
            elif line:
                document.append(_decoded(line, part.name, number))
            elif document:
                yield document
                document = []
        if document:
            yield document


def _decoded(line, name, number):
    """A line as text."""
    try:
        return line.decode('utf-8')
    except UnicodeDecodeError as error:
        raise CorpusError('%s, line %d is not UTF-8 from its byte %d on; convert it to UTF-8'
                          % (name, number, error.start))


def _text_of(line, field, name, number):
    """The text in a line of JSON."""
    return _field_of(_object_of(line, name, number), field, name, number)


def _object_of(line, name, number):
    """The mapping in a line of JSON, or whatever else it has."""
    try:
        return json.loads(_decoded(line, name, number))
    except (ValueError, RuntimeError) as error:  # not JSON, nested without end
        if isinstance(error, CorpusError):
            raise
        raise CorpusError('%s, line %d is not JSON: %s' % (name, number, error))


def _field_of(found, field, name, number):
    """The text in a field of an object."""
    if isinstance(found, dict) and field in found and not isinstance(found[field], TEXT):
        raise CorpusError('%s, line %d has "%s": %s, and no text; correct the line, or leave it out'
                          % (name, number, field, json.dumps(found[field])[:60]))
    if not isinstance(found, dict) or field not in found:
        raise CorpusError('%s, line %d has no text called "%s"; name the field that has it' % (name, number, field))
    return found[field]


# ------------------------------------------------------------------ a text a line

def read_texts(paths, field='text', id_field=None):
    """Yields a Text for each line of files: of .jsonl the text in a field of its object, else the line itself.

    Args:
        paths: what `find_inputs` returns.
        field: the name of the text in the objects of .jsonl.
        id_field: the name of its id there, a string or a whole number; None, as in other files, for 'path:line'.

    Raises:
        CorpusError: a line that is not UTF-8, not JSON, or lacks the text or the id; says which file and line.
        EnvironmentError: a file that cannot be read.
    """
    for path in paths:
        for text in texts_from(path, field, id_field):
            yield text


def texts_from(path, field='text', id_field=None, start=0, line=1, name=None):
    """Yields the Texts of a file from a place on; see `read_texts`.

    Args:
        start, line: byte (of what a .gz holds) and number of the first line.
        name: what ids and errors call the file; None for `path`.
    """
    name, before = path if name is None else name, 0
    with _opened(path) as stream:
        try:
            if start:
                stream.stream.seek(start)
        except UNREADABLE as problem:
            raise _unreadable(name, line, problem)
        for number, content in enumerate(_lines_of(stream, name), line):
            found = _record_of(content, name, number, field, id_field)
            if found is not None:
                place = stream.place()
                yield Text(name, number, found[0], found[1], place - before, start)
                before = place
            start += len(content)


def _record_of(line, path, number, field, id_field):
    """(id, text) of a line of a file; None for an empty one of .jsonl."""
    text = _decoded(line[:-1] if line.endswith(b'\n') else line, path, number)
    name = u'%s:%d' % (path.decode('utf-8', 'replace') if isinstance(path, bytes) else path, number)
    if not _has_json(path):
        return name, text[:-1] if text.endswith(u'\r') else text
    if not text.strip():
        return None
    found = _object_of(line, path, number)
    text = _field_of(found, field, path, number)
    return name if id_field is None else _id_of(found, id_field, path, number), text


def _id_of(found, field, name, number):
    """The id of an object."""
    value = found.get(field)
    if isinstance(value, bool) or not isinstance(value, (TEXT, numbers.Integral)):
        raise CorpusError('%s, line %d has "%s": %s, and no id, which is a string or a whole number'
                          % (name, number, field, json.dumps(value)[:60]))
    return value
