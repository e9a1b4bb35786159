# -*- coding: utf-8 -*-
"""The texts of files, one a line, each with an id and the place where it is found again."""
from __future__ import absolute_import, division, print_function

import collections
import json
import numbers

from bert4keras.compat import TEXT
from bert4keras.errors import CorpusError
from bert4keras.text_files import decode_line, has_json, open_text_file, parse_line, text_in

__all__ = ['Text', 'read_texts', 'texts_from']

# A line of a file; `consumed` is how many bytes of the file, as it lies on the disk, were read for it; `start` is the
# place of its first byte, in a .gz that of what it holds.
Text = collections.namedtuple('Text', 'path line id text consumed start')


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
    with open_text_file(path, name) as stream:
        for number, content in stream.lines(start, line):
            found = _record_of(content, name, number, field, id_field)
            if found is not None:
                consumed = stream.consumed()
                yield Text(name, number, found[0], found[1], consumed - before, start)
                before = consumed
            start += len(content)


def _record_of(line, path, number, field, id_field):
    """(id, text) of a line of a file; None for an empty one of .jsonl."""
    text = decode_line(line[:-1] if line.endswith(b'\n') else line, path, number)
    name = u'%s:%d' % (path.decode('utf-8', 'replace') if isinstance(path, bytes) else path, number)
    if not has_json(path):
        return name, text[:-1] if text.endswith(u'\r') else text
    if not text.strip():
        return None
    found = parse_line(line, path, number)
    text = text_in(found, field, path, number)
    return name if id_field is None else _id_in(found, id_field, path, number), text


def _id_in(found, field, name, number):
    """The id of an object."""
    value = found.get(field)
    if isinstance(value, bool) or not isinstance(value, (TEXT, numbers.Integral)):
        raise CorpusError('%s, line %d has "%s": %s, and no id, which is a string or a whole number'
                          % (name, number, field, json.dumps(value)[:60]))
    return value
