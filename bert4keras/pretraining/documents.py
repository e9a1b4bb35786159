# -*- coding: utf-8 -*-
"""Files of text, cut into blocks at the ends of documents: what one worker makes one shard of.

Which text is in which block depends on nothing but the text, so the shards do not either. A text file has a line
for each sentence or paragraph and an empty line between documents; a .jsonl file a JSON object for each document;
either may be compressed (.gz). A file's end ends a document. Memory: that of one block.
"""
from __future__ import absolute_import, division, print_function

import collections
import hashlib
import logging
import zlib

from bert4keras.text_files import decode_line, has_json, open_text_file, parse_line, text_in

__all__ = ['BLOCK', 'Block', 'Lines', 'read_again', 'read_blocks', 'read_documents']

BLOCK = 1 << 23  # bytes of text in a block, and then up to the end of the document
logger = logging.getLogger(__name__)
# Whole lines of one file; `line` is the number of the first, from 1, and `start` how many bytes are before it (of what
# was decompressed).
Part = collections.namedtuple('Part', 'name line start is_json data')


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

def read_blocks(paths, lines, size=BLOCK):
    """Yields the Blocks of files.

    Args:
        paths: list of str, see `text_files.find_inputs`.
        lines: Lines, which counts them.
        size: int, bytes that fill a block; the document in work still goes in, up to as many bytes again. The
            last block takes what is left, if that is less than a quarter of it or a single document.

    Raises:
        CorpusError, EnvironmentError: see `TextFile.lines`.
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
    with open_text_file(part.name) as stream:
        return part._replace(data=stream.read(part.start, size, part.line))


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
        is_json = has_json(path)
        with open_text_file(path) as stream:
            content, first, start, documents, is_within = [], 1, 0, 0, False
            for number, line in stream.lines():
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
                    yield part, documents, stream.consumed(), True
                    start += len(part.data)
                    content, first, documents, is_within = [], number + 1, 0, False
            if documents:
                yield Part(path, first, start, is_json, b''.join(content)), documents, stream.consumed(), False
            elif first == 1:
                logger.warning('%s has no text', path)


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
                found = parse_line(line, part.name, number)
                yield text_in(found, field, part.name, number).split(u'\n')
            elif line:
                document.append(decode_line(line, part.name, number))
            elif document:
                yield document
                document = []
        if document:
            yield document
