# -*- coding: utf-8 -*-
"""The table by which SentencePiece normalizes text, used as Hugging Face's library uses it.

The bytes are the size of a trie, the trie, and what its values point into: texts that end in a NUL. The trie is a
double array of uint32 (Darts): source sentencepiece, builder.cc and third_party/darts_clone. Other than SentencePiece,
which takes the longest entry that the text goes on with, the library (spm_precompiled 0.1.4) looks at one cluster of
characters at a time: one of less than 6 bytes becomes its shortest entry, whatever follows in the cluster; else each
character becomes what it has an entry for.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import re
import struct
import unicodedata

from bert4keras.errors import VocabularyError
from bert4keras.tokenizer_parts import Memo

__all__ = ['Precompiled']

JOINERS = '\u200c\u200d\uff9e\uff9f'  # that are no marks, and belong to the character before them all the same
SMALL = 6  # bytes of UTF-8 from which on a cluster is taken apart


class Precompiled(object):
    """A table of normalization.

    Args:
        data: bytes, see above; b'' changes nothing.

    Call: text -> text.

    Raises:
        VocabularyError: it is no such table.
    """

    def __init__(self, data):
        self._units, self._texts = (), b''
        if data:
            size = struct.unpack(str('<I'), data[:4].ljust(4, b'\0'))[0]
            if len(data) < 4 or size % 4 or not 0 < size <= len(data) - 4:
                raise VocabularyError('the precompiled_charsmap is damaged; download the tokenizer again')
            self._units = struct.unpack(str('<%dI' % (size // 4)), data[4:4 + size])
            self._texts = data[4 + size:]
        self._clusters = Memo(self._normalize_cluster)

    def __call__(self, text):
        if not self._units:
            return text
        return ''.join(map(self._clusters.__getitem__, clusters(text)))

    def _normalize_cluster(self, cluster):
        if len(cluster) > 1 and len(cluster.encode('utf-8', 'replace')) < SMALL:
            found = self._find(cluster)
            if found is not None:
                return found
        return ''.join(ch if found is None else found for ch, found in ((ch, self._find(ch)) for ch in cluster))

    def _find(self, text):
        """What the shortest entry that the text begins with becomes; None where there is none."""
        place = _offset(self._units[0])
        for byte in bytearray(text.encode('utf-8', 'replace')):
            place ^= byte
            if not byte or place >= len(self._units):
                return None
            unit = self._units[place]
            if unit & 0x800000ff != byte:
                return None
            place ^= _offset(unit)
            if unit >> 8 & 1 and place < len(self._units):
                start = self._units[place] & 0x7fffffff
                return self._texts[start:self._texts.index(b'\0', start)].decode('utf-8')
        return None


def _offset(unit):
    return unit >> 10 << ((unit & 1 << 9) >> 6)


def clusters(text):
    """Cuts a text into characters, each with the marks after it; only where that matters, in clusters below SMALL."""
    found = []
    for ch in re.findall('.', text, re.DOTALL):
        if found and (ch in JOINERS or unicodedata.category(ch)[0] == 'M') and not _is_control(found[-1][-1]):
            found[-1] += ch
        else:
            found.append(ch)
    return found


def _is_control(ch):
    return unicodedata.category(ch) in ('Cc', 'Cf', 'Zl', 'Zp') and ch not in JOINERS
