# -*- coding: utf-8 -*-
"""Files of text, read line by line: plain or .jsonl, either of them compressed (.gz); or stdin.

What a line means is for those who read: pretraining/documents.py and embedding/texts.py. Errors name file and line.
"""
from __future__ import absolute_import, division, print_function

import glob
import gzip
import io
import json
import os
import struct
import sys
import zlib

from bert4keras.compat import TEXT
from bert4keras.errors import CorpusError
from bert4keras.files import open_regular_file

__all__ = ['STDIN', 'TextFile', 'decode_line', 'find_inputs', 'has_json', 'open_text_file', 'parse_line', 'text_in']

MAX_LINE = 1 << 24  # bytes; a longer one is no text
STDIN = '-'
UNREADABLE = EOFError, zlib.error, struct.error, IOError


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


def open_text_file(path, name=None):
    """The TextFile of a path, or of STDIN; `name` is what errors call it, by default the path.

    Raises:
        EnvironmentError: it cannot be opened. CorpusError: stdin is closed.
    """
    if path == STDIN:
        if sys.stdin is None:
            raise CorpusError('stdin is closed, from which - reads')
        return TextFile(STDIN, None, getattr(sys.stdin, 'buffer', sys.stdin))
    raw = open_regular_file(path)
    stream = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if path.endswith('.gz') else raw
    return TextFile(path if name is None else name, raw, stream)


class TextFile(object):
    """An open file, or stdin; a context, which closes it.

    Args:
        name: str, what errors call it.
        raw: the open file as it lies on the disk, or None.
        stream: what it holds, decompressed. Places in it are counted in bytes, from 0.
    """

    def __init__(self, name, raw, stream):
        self.name, self.raw, self.stream = name, raw, stream

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.raw is not None:
            self.raw.close()

    def consumed(self):
        """How many bytes of the file have been read, as it lies on the disk; 0 for stdin."""
        return self.raw.tell() if self.raw is not None else 0

    def read(self, start, size, line):
        """`size` bytes from the place `start` on, where the line of this number begins; raises as `lines`."""
        try:
            self.stream.seek(start)
            return self.stream.read(size)
        except UNREADABLE as problem:
            raise self._error(line, problem)

    def lines(self, start=0, first=1):
        """Yields (number, line in bytes, with its end) from the place `start` on, where line `first` begins.

        Raises:
            CorpusError: the file cannot be decompressed, or a line is longer than MAX_LINE.
            EnvironmentError: it cannot be read.
        """
        number = first
        try:
            if start:
                self.stream.seek(start)
            line = self.stream.readline(MAX_LINE + 1)
            while line:
                if len(line) > MAX_LINE:
                    raise CorpusError('%s, line %d has more than %d bytes; is it text? Give a line for each sentence '
                                      'or paragraph' % (self.name, number, MAX_LINE))
                yield number, line
                number += 1
                line = self.stream.readline(MAX_LINE + 1)
        except UNREADABLE as problem:
            raise self._error(number, problem)

    def _error(self, number, problem):
        """What to raise where the file cannot be read near a line: a CorpusError, or the system's error."""
        if getattr(problem, 'errno', None) is None:
            return CorpusError('%s, line %d: cannot be decompressed (%s); get it again' % (self.name, number, problem))
        problem.filename = problem.filename or self.name
        return problem


# ------------------------------------------------------------------ a line

def has_json(path):
    """Whether each line of a file is a JSON object."""
    return (path[:-3] if path.endswith('.gz') else path).endswith('.jsonl')


def decode_line(line, name, number):
    """A line as text; CorpusError if it is not UTF-8."""
    try:
        return line.decode('utf-8')
    except UnicodeDecodeError as error:
        raise CorpusError('%s, line %d is not UTF-8 from its byte %d on; convert it to UTF-8'
                          % (name, number, error.start))


def parse_line(line, name, number):
    """What a line of JSON holds; CorpusError if it is not JSON."""
    try:
        return json.loads(decode_line(line, name, number))
    except (ValueError, RuntimeError) as error:  # not JSON, nested without end
        if isinstance(error, CorpusError):
            raise
        raise CorpusError('%s, line %d is not JSON: %s' % (name, number, error))


def text_in(found, field, name, number):
    """The text in a field of what `parse_line` returns; CorpusError if there is none."""
    if isinstance(found, dict) and field in found and not isinstance(found[field], TEXT):
        raise CorpusError('%s, line %d has "%s": %s, and no text; correct the line, or leave it out'
                          % (name, number, field, json.dumps(found[field])[:60]))
    if not isinstance(found, dict) or field not in found:
        raise CorpusError('%s, line %d has no text called "%s"; name the field that has it' % (name, number, field))
    return found[field]
