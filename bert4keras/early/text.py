# -*- coding: utf-8 -*-
"""What `bert4keras.snippets` of releases up to 0.11 had for texts and labels, under the names of then.

Needs NumPy only. Facts: what bert4keras 0.11.5 (PyPI) returns.
"""
from __future__ import absolute_import, division, print_function

import codecs
import functools
import io
import unicodedata

import numpy as np

from bert4keras.compat import STRINGS, TEXT, unichr

__all__ = ['ViterbiDecoder', 'WebServing', 'convert_to_str', 'convert_to_unicode', 'delete_arguments',
           'insert_arguments', 'is_one_of', 'is_py2', 'is_string', 'longest_common_subsequence',
           'longest_common_substring', 'lowercase_and_normalize', 'open_text', 'orthogonally_resize', 'refused',
           'softmax', 'string_matching', 'strQ2B', 'text_segmentate', 'to_array', 'truncate_sequences']

is_py2 = str is bytes


def refused(name, instead):
    """A function called `name` that raises a ValueError: the name is not here, and what to use instead of it."""
    def refuse(*args, **kwargs):
        raise ValueError('%s of early bert4keras is not here; %s' % (name, instead))
    refuse.__name__ = str(name)
    refuse.__doc__ = 'Not here: %s.' % instead
    return refuse


WebServing = refused('WebServing', 'put your function behind a web framework, such as Flask or FastAPI')
orthogonally_resize = refused('orthogonally_resize', 'load weights of the size that the model has')


def is_string(x):
    """Whether `x` is a string."""
    return isinstance(x, STRINGS)


def convert_to_unicode(text, encoding='utf-8', errors='ignore'):
    """`text` as unicode; bytes are decoded."""
    return text.decode(encoding, errors) if isinstance(text, bytes) else text


def convert_to_str(text, encoding='utf-8', errors='ignore'):
    """`text` as the `str` of this Python."""
    if is_py2:
        return text.encode(encoding, errors) if isinstance(text, TEXT) else text
    return convert_to_unicode(text, encoding, errors)


def open_text(name, mode='r', encoding='utf-8', errors='strict', indexable=False):
    """`snippets.open`: a file of text in UTF-8 on every Python and platform, unless another encoding is given."""
    if indexable:
        raise ValueError('open(indexable=True) of early bert4keras is not here; read the lines into a list')
    if 'b' in mode:
        return io.open(name, mode)
    # on Python 2 that of codecs takes bytes to write, too, as scripts have them
    return (codecs.open if is_py2 else io.open)(name, mode, encoding=encoding or 'utf-8', errors=errors)


def strQ2B(text):
    """Full-width ASCII, U+FF01 to U+FF5E, and the ideographic space as their half-width forms."""
    return u''.join(u' ' if ch == u'\u3000' else unichr(ord(ch) - 0xfee0) if u'\uff01' <= ch <= u'\uff5e' else ch
                    for ch in text)


def lowercase_and_normalize(text):
    """Lower case without accents, as an uncased BERT reads it."""
    decomposed = unicodedata.normalize('NFD', convert_to_unicode(text).lower())
    return u''.join(ch for ch in decomposed if unicodedata.category(ch) != 'Mn')


def string_matching(text, keywords):
    """Whether one of the keywords is in the text."""
    return any(keyword in text for keyword in keywords)


def is_one_of(x, ys):
    """Whether `x` is, as an object, one of the `ys`."""
    return any(x is y for y in ys)


def to_array(*args):
    """Each argument as an array: one alone, several as a list."""
    arrays = [np.array(arg) for arg in args]
    return arrays if len(arrays) > 1 else arrays[0]


def truncate_sequences(maxlen, indices, *sequences):
    """Takes tokens away until all sequences together have no more than `maxlen`.

    Args:
        maxlen: int.
        indices: the place, or one place a sequence, that a token is taken from: -1 for the end.
        *sequences: lists, which are changed; empty ones are left out.

    Returns:
        list of the lists. A token is always taken from the longest, the first of several.
    """
    sequences = [sequence for sequence in sequences if sequence]
    places = list(indices) if isinstance(indices, (list, tuple)) else [indices] * len(sequences)
    while sum(map(len, sequences)) > maxlen:
        longest = max(range(len(sequences)), key=lambda number: len(sequences[number]))
        sequences[longest].pop(places[longest])
    return sequences


def text_segmentate(text, maxlen, seps='\n', strips=None):
    """Cuts a text after separators into parts of no more than `maxlen` characters, where separators allow that.

    Args:
        text: str.
        maxlen: int.
        seps: str, the separators, the first of which is tried first; others only where a part is still too long.
        strips: characters that are taken off both ends of each part, after whitespace.

    Returns:
        list of str, neighbours joined as long as they fit; together the text without what was taken off.
    """
    text = text.strip().strip(strips)
    if not seps or len(text) <= maxlen:
        return [text]
    parts, joined = [], ''
    for piece in text.split(seps[0]):
        if joined and piece and len(joined) + len(piece) + 1 > maxlen:
            parts.append(joined)
            joined = ''
        joined += piece + seps[0]
    parts.append(joined[:-1])
    return [short for part in parts for short in text_segmentate(part, maxlen, seps[1:], strips)]


def softmax(x, axis=-1):
    """The softmax of an array over an axis."""
    exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def longest_common_substring(source, target):
    """The longest stretch that two sequences share.

    Returns:
        (its length, (start, end in source, start, end in target)).
    """
    best, place, above = 0, (0, 0, 0, 0), [0] * (len(target) + 1)
    for i, x in enumerate(source, 1):
        row = [0]
        for j, y in enumerate(target, 1):
            row.append(above[j - 1] + 1 if x == y else 0)
            if row[j] > best:
                best, place = row[j], (i - row[j], i, j - row[j], j)
        above = row
    return best, place


def longest_common_subsequence(source, target):
    """The longest sequence that both have in this order, with gaps.

    Returns:
        (its length, list of (index in source, index in target)).
    """
    lengths = np.zeros((len(source) + 1, len(target) + 1), int)
    for i, x in enumerate(source, 1):
        for j, y in enumerate(target, 1):
            lengths[i, j] = lengths[i - 1, j - 1] + 1 if x == y else max(lengths[i - 1, j], lengths[i, j - 1])
    pairs, i, j = [], len(source), len(target)
    while i and j:
        if source[i - 1] == target[j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif lengths[i, j - 1] > lengths[i - 1, j]:
            j -= 1
        else:
            i -= 1
    return int(lengths[-1, -1]), pairs[::-1]


def insert_arguments(**defaults):
    """A decorator of a method: keyword arguments that it does not have become attributes of its object."""
    def decorate(method):
        @functools.wraps(method)
        def wrapped(self, *args, **kwargs):
            for name, default in defaults.items():
                setattr(self, name, kwargs.pop(name, default))
            return method(self, *args, **kwargs)
        return wrapped
    return decorate


def delete_arguments(*names):
    """A decorator of a method: keyword arguments of these names are an error."""
    def decorate(method):
        @functools.wraps(method)
        def wrapped(self, *args, **kwargs):
            for name in names:
                if name in kwargs:
                    raise TypeError('%s does not take %s' % (method.__name__, name))
            return method(self, *args, **kwargs)
        return wrapped
    return decorate


class ViterbiDecoder(object):
    """The best sequence of labels, by the scores of each and of each transition (doi:10.1109/TIT.1967.1054010).

    Args:
        trans: array [labels, labels], the score of a label (row) being followed by another (column).
        starts, ends: lists of the labels that may come first and last; None for all.

    Attributes:
        trans: may be assigned again, such as after each epoch.
    """

    def __init__(self, trans, starts=None, ends=None):
        self.trans, self.num_labels = trans, len(trans)
        everything = set(range(self.num_labels))
        self.non_starts = sorted(everything - set(everything if starts is None else starts))
        self.non_ends = sorted(everything - set(everything if ends is None else ends))

    def decode(self, nodes):
        """Scores [T, labels] -> labels, int array [T].

        Raises:
            ValueError: the scores are not of that shape.
        """
        scores = np.array(nodes, 'float64')
        if scores.ndim != 2 or not len(scores) or scores.shape[1] != self.num_labels:
            raise ValueError('the scores must be [tokens, %d], not %s' % (self.num_labels, list(scores.shape)))
        scores[0, self.non_starts] = -np.inf
        scores[-1, self.non_ends] = -np.inf
        total, origins = scores[0], []
        for row in scores[1:]:
            candidates = total[:, None] + np.asarray(self.trans)  # [labels, labels]
            origins.append(candidates.argmax(axis=0))
            total = candidates.max(axis=0) + row
        labels = [total.argmax()]
        for previous in reversed(origins):
            labels.append(previous[labels[-1]])
        return np.array(labels[::-1])
