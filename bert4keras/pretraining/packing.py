# -*- coding: utf-8 -*-
"""The documents of a block as rows of tokens. No row is longer than `length`, no token of the text is lost.

    roberta   [CLS] tokens [SEP], each row filled from one document after the other, a [SEP] between two
              (FULL-SENTENCES of https://arxiv.org/abs/1907.11692); the label is NO_LABEL
    bert      [CLS] A [SEP] B [SEP], from one document; of half of the rows B is from another one, label 1, and
              what followed A comes in the next row (https://arxiv.org/abs/1810.04805)
    albert    [CLS] A [SEP] B [SEP], from one document; of half of the rows in the wrong order, label 1
              (https://arxiv.org/abs/1909.11942)

Half is half here. In Google's create_pretraining_data.py a chunk of one sentence always gets a B from elsewhere,
so 56 to 62% of BERT's are random, and 6 to 22% of ALBERT's come from other documents; and what is too long is
cut off and lost. `google_pairs` does exactly that. A row ends where a sentence ends, or else where a word does; here
as there a tenth of the rows of pairs (`short`) is made for a random length.
"""
from __future__ import absolute_import, division, print_function

import bisect
import collections
import re

import numpy as np

from bert4keras.errors import CorpusError
from bert4keras.tokenizer import HAN, SpTokenizer, to_text

__all__ = ['MODES', 'NO_LABEL', 'Encoder', 'Row', 'pack']

MODES = ('roberta', 'bert', 'albert')
NO_LABEL = -1
# token_ids int32 [T], word_starts bool [T], boundary: where B begins, 0 without one; label: 0, 1 or NO_LABEL
Row = collections.namedtuple('Row', 'token_ids word_starts boundary label')
# token_ids int32 [N], word_starts bool [N], ends: the list of where each line ends
Document = collections.namedtuple('Document', 'token_ids word_starts ends')
_HAN = re.compile(u'[%s]' % HAN)


# ------------------------------------------------------------------ tokens and where words start

class Encoder(object):
    """Tokens and word starts of lines.

    Args:
        tokenizer: of this package.
        segmenter: None, or 'jieba': Chinese words are then what it says, and else each Han character is a word.
    """

    def __init__(self, tokenizer, segmenter=None):
        self.tokenizer = tokenizer
        self.starts = word_start_table(tokenizer)
        self.cut = None if segmenter is None else find_segmenter(segmenter)

    def encode(self, lines):
        """The Document of a list of lines."""
        if self.cut is None:
            token_ids, sizes = self.tokenizer.encode_ragged(lines)
            starts = self.starts[token_ids]
        else:
            found = [self._encode_segmented(line) for line in lines]
            token_ids = np.array([token_id for ids, _ in found for token_id in ids], 'int32')
            starts = np.array([is_start for _, line_starts in found for is_start in line_starts], bool)
            sizes = [len(ids) for ids, _ in found]
        ends = [end for end, size in zip(np.cumsum(sizes).tolist(), sizes) if size]
        starts[[0] * bool(ends) + ends[:-1]] = True  # a line begins with a word
        return Document(token_ids, starts, ends)

    def _encode_segmented(self, line):
        """(token ids, word starts) of a line, by the segmenter: lists."""
        token_ids, _, spans = self.tokenizer.encode(line, offsets=True)
        edges = set(np.cumsum([0] + [len(word) for word in self.cut(line)]).tolist())
        starts, was_han = [], False
        for token_id, (start, end) in zip(token_ids[1:-1], spans[1:-1]):
            is_han = bool(_HAN.match(line[start:end]))
            starts.append(start in edges if is_han and was_han else bool(self.starts[token_id]))
            was_han = is_han
        return token_ids[1:-1], starts


def word_start_table(tokenizer):
    """Whether a word begins with the token of an id, bool [V].

    In WordPiece not where it begins with ##; in SentencePiece as ALBERT has it: not in what is all English letters
    and ASCII punctuation, unless it is one character of punctuation or begins with U+2581.
    """
    if isinstance(tokenizer, SpTokenizer):
        inside = re.compile(u'(?![!-/:-@\\[-`{-~]\\Z)(?!<)[!-/:-@A-Z\\[-`a-z{-~]+\\Z').match
    else:
        inside = re.compile(u'##.').match
    table = np.ones(tokenizer.vocab_size, bool)
    table[[number for token, number in tokenizer._token_dict.items() if inside(token)]] = False
    return table


def find_segmenter(name):
    """The function from a text to its words that a name stands for."""
    if name != 'jieba':
        raise ValueError("segmenter is %r; there is 'jieba'" % (name,))
    try:
        import jieba
    except ImportError:
        raise ImportError('the segmenter jieba is not installed: pip install jieba')
    jieba.setLogLevel(60)
    return lambda text: jieba.lcut(to_text(text))


# ------------------------------------------------------------------ rows

def pack(documents, mode, length, special, random, short=0.1, google_pairs=False):
    """Yields the Rows of a block.

    Args:
        documents: list of Documents, each with tokens.
        mode: one of MODES.
        length: int, at least 8.
        special: (id of [CLS], id of [SEP]).
        random: numpy.random.RandomState; not used for roberta.
        short: float, the share of rows made for a random length.
        google_pairs: whether Google's own rule makes the pairs.

    Raises:
        CorpusError: bert, and there is one document only.
    """
    if mode == 'roberta':
        return _pack_whole(documents, length, special)
    if mode == 'bert' and len(documents) < 2:
        raise CorpusError('mode bert takes half of its second segments from other documents, and here is one only; '
                          'put empty lines between documents, or use mode roberta or albert')
    chunks = _google_chunks if google_pairs else _chunks
    return _pack_pairs(chunks(documents, mode, length - 3, random, short), special)


def _pack_whole(documents, length, special):
    """Rows filled from one document after the other."""
    cls, sep = np.array(special, 'int32')[:, None]
    token_ids = np.concatenate([part for document in documents for part in (document.token_ids, sep)])
    starts = np.concatenate([part for document in documents for part in (document.word_starts, [True])])
    places = np.arange(len(starts), dtype='int32')
    latest = np.maximum.accumulate(np.where(starts, places, places[0]))  # where the word of a token begins
    separators = np.cumsum([len(document.token_ids) + 1 for document in documents]) - 1
    is_separator = np.zeros(len(token_ids), bool)
    is_separator[separators] = True
    place = 0
    while place < len(token_ids) - 1:
        end = min(place + length - 2, len(token_ids) - 1)  # the last separator is the row's own
        end = int(latest[end]) if latest[end] > place else end
        last = end - 1 if is_separator[end - 1] else end
        row_starts = np.concatenate([[True], starts[place:last], [True]])
        row_starts[1] = True
        yield Row(np.concatenate([cls, token_ids[place:last], sep]), row_starts, 0, NO_LABEL)
        place = end + 1 if is_separator[end] else end


def _pack_pairs(pairs, special):
    """Rows of ((token ids, word starts) of A, the same of B, label)."""
    cls, sep = np.array(special, 'int32')[:, None]
    for (first, first_starts), (second, second_starts), label in pairs:
        starts = np.concatenate([[True], first_starts, [True], second_starts, [True]])
        starts[1] = starts[len(first) + 2] = True
        yield Row(np.concatenate([cls, first, sep, second, sep]), starts, len(first) + 2, label)


def _part(document, start, end):
    return document.token_ids[start:end], document.word_starts[start:end]


def _chunks(documents, mode, room, random, short):
    """Yields (A, B, label), half and half; `room` is the most tokens of both."""
    for number, document in enumerate(documents):
        place, last = 0, document.ends[-1]
        while place < last:
            target = random.randint(2, room + 1) if random.random_sample() < short else room
            end = _end(document, place, target, room, 2)
            if last - end == 1:  # one token is no pair
                end += 1 if end - place < room else -1
            split = _split(document, place, end, random)
            is_odd = random.random_sample() < 0.5
            if mode == 'albert' and split < end:
                pair = _part(document, place, split), _part(document, split, end)
                yield (pair[1], pair[0], 1) if is_odd else pair + (0,)
            elif mode == 'bert' and split < end and not is_odd:
                yield _part(document, place, split), _part(document, split, end), 0
            elif mode == 'bert':
                if last - split == 1:
                    split = split - 1 if split - place > 1 else end
                other, size = random.randint(len(documents) - 1), split - place
                yield (_part(document, place, split),
                       _from(documents[other + (other >= number)], max(target - size, 1), room - size, random), 1)
                end = split  # what follows comes in the next row
            place = end


def _end(document, place, target, room, least):
    """Where what begins at a place ends: with the last line within `target` tokens, or the next, or a word.

    It has `least` to `room` tokens, if the document has as many left.
    """
    index = bisect.bisect_right(document.ends, place + target) - 1
    if index < 0 or document.ends[index] < place + least:
        index += 1
    if index == len(document.ends):
        return document.ends[-1]
    if place + least <= document.ends[index] <= place + room:
        return document.ends[index]
    end = place + room
    while end > place + least and not document.word_starts[end]:
        end -= 1
    return end if document.word_starts[end] else place + room


def _split(document, place, end, random):
    """A place between two: where a line ends, or a word, or a token; the end if there is none."""
    first, last = bisect.bisect_right(document.ends, place), bisect.bisect_left(document.ends, end)
    if first < last:
        return document.ends[random.randint(first, last)]
    words = np.flatnonzero(document.word_starts[place + 1:end])
    if len(words):
        return place + 1 + int(words[random.randint(len(words))])
    return place + random.randint(1, end - place) if end - place > 1 else end


def _from(document, target, room, random):
    """A part of a document, from some line on."""
    index = random.randint(len(document.ends))
    start = document.ends[index - 1] if index else 0
    return _part(document, start, _end(document, start, target, room, 1))


# ------------------------------------------------------------------ Google's rule

def _google_chunks(documents, mode, room, random, short):
    """The same as create_pretraining_data.py of google-research/bert and of google-research/albert have it."""
    for number, document in enumerate(documents):
        target = random.randint(2, room + 1) if random.random_sample() < short else room
        edges, line = [0] + document.ends, 0
        while line < len(document.ends):
            stop = line + 1
            while stop < len(document.ends) and edges[stop] - edges[line] < target:
                stop += 1
            split = line + (random.randint(1, stop - line) if stop - line > 1 else 1)
            first = _part(document, edges[line], edges[split])
            if stop - line == 1 or mode == 'bert' and random.random_sample() < 0.5:
                second, label, stop = _google_foreign(documents, number, target - len(first[0]), random), 1, split
            else:
                second, label = _part(document, edges[split], edges[stop]), 0
                if mode == 'albert' and random.random_sample() < 0.5:
                    first, second, label = second, first, 1
            yield _truncated(first, second, room, random) + (label,)
            line = stop


def _google_foreign(documents, number, target, random):
    """Lines of a document, another one if ten tries find any."""
    for _ in range(10):
        other = random.randint(len(documents))
        if other != number:
            break
    edges = [0] + documents[other].ends
    line = stop = random.randint(len(edges) - 1)
    while stop == line or stop < len(edges) - 1 and edges[stop] - edges[line] < target:
        stop += 1
    return _part(documents[other], edges[line], edges[stop])


def _truncated(first, second, room, random):
    """(A, B), tokens dropped from either end of the longer one until both fit."""
    left, right = [0, len(first[0])], [0, len(second[0])]
    while left[1] - left[0] + right[1] - right[0] > room:
        longer = left if left[1] - left[0] > right[1] - right[0] else right
        if random.random_sample() < 0.5:
            longer[0] += 1
        else:
            longer[1] -= 1
    return tuple(tuple(part[start:end] for part in segment)
                 for segment, (start, end) in ((first, left), (second, right)))
