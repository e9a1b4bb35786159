# -*- coding: utf-8 -*-
"""Real lines of text, read from what is at hand at run time: nothing of it is stored here.

English from the docstrings of the running Python's standard library, Chinese (reviews, questions, news)
from the official files where they are (official.py), twenty other languages from the messages and manual pages
that Linux distributions install. Each line is there once.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import glob
import gzip
import io
import itertools
import os
import re
import zipfile

from tests.helpers.official import find_official

LONG = bool(os.environ.get('BERT4KERAS_LONG'))  # whether tests take all 100,000 lines, not a share of them


def english_lines():
    """Paragraphs of prose from docstrings, each in one line."""
    lines = []
    for folder, _, names in sorted(os.walk(os.path.dirname(os.__file__))):
        for name in sorted(names if 'site-packages' not in folder else []):
            if name.endswith('.py'):
                source = _read(os.path.join(folder, name))
                for docstring in re.findall('"""(.*?)"""', source, re.DOTALL):
                    lines += [' '.join(part.split()) for part in re.split(r'\n\s*\n', docstring)]
    prose = re.compile(r'(?=.{40,2000}\Z)(?:\S+ ){6}')
    return _once(line for line in lines
                 if prose.match(line) and len(re.findall('[A-Za-z ]', line)) > 0.9 * len(line))


def chinese_lines():
    """Reviews, questions and news, a text a line; none where the official files are not."""
    texts = []
    if find_official():
        folder = os.path.join(find_official(), 'text')
        texts += [_read(path) for path in sorted(glob.glob(os.path.join(folder, '*.txt')))]
        with zipfile.ZipFile(os.path.join(folder, 'sentiment.zip')) as archive:
            texts += [archive.read(name).decode('utf-8') for name in sorted(archive.namelist())]
    lines = re.split('[\n\t]', '\n'.join(texts))
    return _once(line for line in lines if len(line) > 5)


def other_lines():
    """Messages of installed programs and lines of manual pages: of every twentieth file, it is plenty."""
    lines = []
    for path in sorted(glob.glob('/usr/share/*/*/LC_MESSAGES/*.mo'))[::20]:
        lines += re.split('[\0\n]', _read(path, ignore=True))
    for path in sorted(glob.glob('/usr/share/man/??/man*/*.gz') + glob.glob('/usr/share/man/zh_*/man*/*.gz'))[::20]:
        with gzip.open(path) as stream:
            lines += stream.read().decode('utf-8', 'ignore').split('\n')
    return _once(line for line in lines if len(line) > 20)


def mixed_lines(count):
    """The first `count` of all of these, English, Chinese and others by turns, cut into sentences."""
    parts = [sentences(lines) for lines in (english_lines(), chinese_lines(), other_lines())]
    turns = ((part[number] for part in parts if number < len(part)) for number in range(max(map(len, parts))))
    return list(itertools.islice(itertools.chain.from_iterable(turns), count))


def sentences(lines):
    """The lines, cut behind the full stops of Chinese and English."""
    return _once(part for line in lines for part in re.split('(?<=[\u3002\uff01\uff1f])|(?<=[.!?]) ', line)
                 if part and len(part) > 5)


def _read(path, ignore=False):
    with io.open(path, 'rb') as stream:
        return stream.read().decode('utf-8', 'ignore' if ignore else 'replace')


def _once(lines):
    seen = set()
    return [line for line in lines if not (line in seen or seen.add(line))]
