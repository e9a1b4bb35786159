# -*- coding: utf-8 -*-
"""What the tokenizers are built from: vocabulary files, bounded memories, packed ids and their lengths.

A vocabulary is a token a line; the id is the number of the line, from 0. A file that is none, such as a device, a pipe
or gigabytes of anything, is an error before it is read.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import itertools
import re
import struct
from collections import OrderedDict

from bert4keras.compat import TEXT
from bert4keras.errors import VocabularyError
from bert4keras.files import MAX_JSON, read_regular_file, whole_file

__all__ = ['BLOCK_LENGTH', 'SPECIAL_TOKENS', 'ChunkMemo', 'Memo', 'cut_after', 'fit', 'fit_longest_first', 'flatten',
           'least', 'load_vocab', 'pack_ids', 'read_bytes', 'save_vocab']

SPECIAL_TOKENS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')
# LaBSE's half a million tokens take 5 MB, and its tokenizer.json 10 MB.
MAX_BYTES, MAX_TOKENS = MAX_JSON, 2 ** 20
# A memory of 2 ** 16 chunks takes 15 MB, or 50 MB of the most wasteful kind. A tokenizer has one for ids, one for
# tokens, and a few for characters (6 MB each).
ENTRIES, KEY_LENGTH, KEY_PARTS = 2 ** 16, 32, 3
BLOCK_LENGTH = 2 ** 16  # longer texts are cut into blocks, so that what is computed on the way stays small


def load_vocab(path, keep=None):
    """Reads a vocabulary file, or the part of it that is wanted.

    Args:
        path: file of UTF-8 text, a token a line. Lines end at `\\n` only (a `\\r` before it is
            dropped): U+2028 is a token of Google's Chinese vocabulary.
        keep: function from token to bool, or collection of tokens. `[PAD]`, `[UNK]`, `[CLS]`,
            `[SEP]` and `[MASK]` are always kept. If no capital is left of a cased vocabulary,
            `Tokenizer` must be told by `case_sensitive=True`.

    Returns:
        OrderedDict from token to id; with `keep`, that of the kept tokens, renumbered in order, and
        the list of their original ids (the model's `keep_words`).

    Raises:
        VocabularyError: unreadable or too large, not UTF-8, no token, or a token twice.
    """
    data = read_bytes(path, 'vocabulary, or of a SentencePiece model')
    if data.count(b'\n') > MAX_TOKENS:
        raise VocabularyError('%r has more than %d lines; give the path of a vocabulary, a token a line'
                              % (path, MAX_TOKENS))
    try:
        lines = data.decode('utf-8').split('\n')
    except UnicodeDecodeError as error:
        raise VocabularyError('%r, line %d: byte %d of the file is not UTF-8; convert it to UTF-8'
                              % (path, data.count(b'\n', 0, error.start) + 1, error.start))
    if not lines[-1]:
        lines.pop()
    if not lines or lines[0].startswith('\ufeff'):
        raise VocabularyError('%r, line 1: %s; save it as UTF-8, a token a line' % (
            path, 'a byte order mark' if lines else 'the file is empty'))
    vocab = OrderedDict()
    for number, line in enumerate(lines):
        token = line[:-1] if line.endswith('\r') else line
        if vocab.setdefault(token, number) != number:
            raise VocabularyError(
                '%r, line %d: %r is on line %d already; rename the one that the weights were not '
                'trained with' % (path, number + 1, token, vocab[token] + 1))
    if keep is None:
        return vocab
    if isinstance(keep, (bytes, TEXT)):
        raise TypeError('keep must be a function or a collection of tokens, not one string')
    is_kept = keep if callable(keep) else frozenset(keep).__contains__
    kept = [token for token in vocab if token in SPECIAL_TOKENS or is_kept(token)]
    return OrderedDict(zip(kept, range(len(kept)))), [vocab[token] for token in kept]


def save_vocab(path, vocab):
    """Writes a vocabulary that `load_vocab` reads back; under a temporary name, then renamed.

    Args:
        path: file to write.
        vocab: mapping from token to id, the ids being 0, 1, 2, ... without a gap.

    Raises:
        VocabularyError: no token, a gap in the ids, or a token that a line of UTF-8 cannot hold.
        IOError, OSError: the file cannot be written.
    """
    tokens = sorted(vocab, key=vocab.get)
    if not tokens or [vocab[token] for token in tokens] != list(range(len(tokens))):
        raise VocabularyError('%r: the ids must be 0, 1, 2, ..., as the line is the id; renumber '
                              'the %d tokens' % (path, len(tokens)))
    for number, token in enumerate(tokens):
        if '\n' in token or token.endswith('\r') or token.startswith('\ufeff') and not number:
            raise VocabularyError('%r, line %d: a line cannot hold %r; remove that token'
                                  % (path, number + 1, token))
    try:
        content = ''.join(token + '\n' for token in tokens).encode('utf-8')
    except UnicodeEncodeError as error:
        raise VocabularyError('%r: a token has the lone surrogate %r, which UTF-8 cannot hold; '
                              'remove that token' % (path, error.object[error.start]))
    with whole_file(path) as writer:
        writer.write(content)


def read_bytes(path, what):
    """Returns the bytes of a file.

    Args:
        path: of a regular file of at most MAX_BYTES.
        what: what the path should be of, for the message.

    Raises:
        VocabularyError: it cannot be read, is no regular file (a device or a pipe may never end), or is too large.
    """
    try:
        return read_regular_file(path, MAX_BYTES)
    except (IOError, OSError, ValueError, TypeError) as error:  # the last two: U+0000 in the path
        raise VocabularyError('%r, line 1: the file cannot be read (%s); give the path of a %s'
                              % (path, getattr(error, 'strerror', None) or error, what))


class Memo(dict):
    """`memo[key]` is `compute(key)`, remembered; holds a bounded number of keys."""

    def __init__(self, compute):
        super(Memo, self).__init__()
        self._compute = compute

    def __missing__(self, key):
        return self._remember(key, self._compute(key))

    def _remember(self, key, value):
        if len(self) >= ENTRIES:
            self.clear()
        self[key] = value
        return value


class ChunkMemo(Memo):
    """Remembers short chunks of text.

    Args:
        compute: function from a chunk to its value.
        join: function from the values of a chunk's parts to that of the chunk.
        runs: function from a chunk to pairs of strings, one of them empty: characters that are parts, or a part.
        whole: None, or the pattern of what a chunk that is not cut has in it.
    """

    def __init__(self, compute, join, runs, whole):
        super(ChunkMemo, self).__init__(compute)
        self._join, self._runs, self._whole = join, runs, whole

    def __missing__(self, chunk):
        parts = []
        for alone, word in self._runs(chunk):
            parts.extend(alone or [word])
        if len(parts) < 2 or self._whole and self._whole.search(chunk):
            value = self._compute(chunk)
        else:
            value = self._join(map(self.__getitem__, parts))
        if len(chunk) <= KEY_LENGTH and len(parts) <= KEY_PARTS:
            self._remember(chunk, value)
        return value


def pack_ids(token_ids):
    """Returns the bytes of ids, four each."""
    return struct.pack(str('=%di') % len(token_ids), *token_ids)


def flatten(lists):
    """Returns the items of the lists, in one list."""
    return list(itertools.chain.from_iterable(lists))


def cut_after(edge, text):
    """Yields the parts of a text, each of BLOCK_LENGTH characters and what follows up to an `edge`."""
    edge, start = re.compile(edge), 0
    while start < len(text):
        found = edge.search(text, start + BLOCK_LENGTH)
        end = found.end() if found else len(text)
        yield text[start:end]
        start = end


def least(*limits):
    """The smallest of limits that may be None, which is no limit."""
    limits = [limit for limit in limits if limit is not None]
    return min(limits) if limits else None


def fit(first_size, second_size, pair, max_length, first_length=None, second_length=None, separators=1):
    """Returns how many tokens of both texts stay when special ones are added: see `encode`.

    The second text has so many `separators`, before and after it.
    """
    special = separators if pair else 0
    first_least = 2 if first_length is None else first_length
    second_least = special if second_length is None else second_length
    if (first_least < 2 or (second_least < special if pair else second_least)
            or max_length is not None and max_length < first_least + second_least):
        raise ValueError(
            'max_length=%r, first_length=%r, second_length=%r do not fit %s' % (
                max_length, first_length, second_length, 'two texts, which have 2 and %d special '
                'tokens' % special if pair else 'one text, which has 2 special tokens and no second part'))
    if max_length is not None:
        first_length = first_length or max_length - second_least
        second_length = second_length or max_length - first_least
    if first_length:
        first_size = min(first_size, first_length - 2)
    if second_length:
        second_size = min(second_size, second_length - special)
    if max_length is not None:
        # The sizes that popping from the longer one, else the second, would come to.
        room = max_length - 2 - special
        second_size = min(second_size, max(room // 2, room - first_size))
        first_size = min(first_size, room - second_size)
    return first_size, second_size


def fit_longest_first(first_size, second_size, pair, max_length, first_length=None, second_length=None, separators=1):
    """`fit` as Hugging Face's tokenizers do it: of two halves the one that is larger by 1 is the longer text's."""
    first, second = fit(first_size, second_size, pair, max_length, first_length, second_length, separators)
    if pair and not (first_length or second_length) and first > second and first_size <= second_size:
        return second, first
    return first, second
