# -*- coding: utf-8 -*-
"""The tokenizer of the drop-in for keras-bert. Imports neither Keras nor an engine.

Facts: keras-bert 0.89, tokenizer.py.
"""
from __future__ import absolute_import, division, print_function

import itertools
import unicodedata

from bert4keras import tokenizer
from bert4keras.compat import unichr
from bert4keras.tokenizer import canonical_order
from bert4keras.tokenizer_parts import Memo

__all__ = ['TOKEN_CLS', 'TOKEN_MASK', 'TOKEN_PAD', 'TOKEN_SEP', 'TOKEN_UNK', 'Tokenizer']

TOKEN_PAD, TOKEN_UNK, TOKEN_CLS, TOKEN_SEP, TOKEN_MASK = '', '[UNK]', '[CLS]', '[SEP]', '[MASK]'


class Tokenizer(tokenizer.Tokenizer):
    """keras-bert's tokenizer.

    Unlike Google's it takes an unknown character inside a word as a token of its own, has no limit on a
    word's length and decomposes characters before it looks at them.

    Args:
        token_dict: mapping from token to id, kept as it is: a change in place is seen.
        token_cls, token_sep, token_unk: the names of these tokens.
        pad_index: int, the id that `encode` pads with.
        cased: whether capitals and accents are kept.
    """

    _token_dict = None  # any mapping, unlike the base's
    _derived = tokenizer.Tokenizer._derived + ('_decomposed',)

    def __init__(self, token_dict, token_cls=TOKEN_CLS, token_sep=TOKEN_SEP, token_unk=TOKEN_UNK, pad_index=0,
                 cased=False):
        super(Tokenizer, self).__init__(token_dict, case_sensitive=bool(cased))
        self.token_cls, self.token_sep, self.token_unk = token_cls, token_sep, token_unk
        self._token_cls, self._token_sep, self._token_unk = token_cls, token_sep, token_unk
        self._token_dict_inv = {number: token for token, number in self._token_dict.items()}
        self._pad_index, self._cased = pad_index, cased
        self._measured, self._lengths = None, ({}, {})
        self._forget()

    def tokenize(self, first, second=None):
        """Returns the tokens of a text or a pair, with those that `encode` adds."""
        return self._pack(self._tokenize(first), None if second is None else self._tokenize(second))[0]

    def encode(self, first, second=None, max_len=None):
        """Returns (token ids, segment ids), lists, cut and padded to `max_len` if it is given."""
        first, second = self._tokenize(first), None if second is None else self._tokenize(second)
        self._truncate(first, second, max_len)
        tokens, first_length, second_length = self._pack(first, second)
        token_ids = self._convert_tokens_to_ids(tokens)
        segment_ids = [0] * first_length + [1] * second_length
        missing = 0 if max_len is None else max_len - first_length - second_length
        return token_ids + [self._pad_index] * missing, segment_ids + [0] * missing

    def encode_batch(self, *args, **kwargs):
        """Not of keras-bert: `bert4keras.tokenizer.Tokenizer` has it."""
        raise NotImplementedError(self.encode_batch.__doc__)

    def decode(self, ids):
        """Returns the tokens between `[CLS]` and `[SEP]` of a list of ids; of a pair, two lists."""
        end = ids.index(self._token_dict[self._token_sep])
        stop = ids.index(self._pad_index) if self._pad_index in ids else len(ids)
        tokens = [self._token_dict_inv[number] for number in ids]
        return (tokens[1:end], tokens[end + 1:stop - 1]) if end < stop - 1 else tokens[1:end]

    # The parts of `encode`, which scripts call and override; the names of their arguments are keras-bert's.

    @staticmethod
    def _truncate(first_tokens, second_tokens=None, max_len=None):
        """Shortens the lists in place so that with [CLS] and [SEP] they have `max_len` tokens, if that is given."""
        if max_len is None:
            return
        if second_tokens is None:
            del first_tokens[max_len - 2:]
            return
        while len(first_tokens) + len(second_tokens) > max_len - 3:
            (first_tokens if len(first_tokens) > len(second_tokens) else second_tokens).pop()

    def _pack(self, first_tokens, second_tokens=None):
        """All tokens, special ones included, and how many of them are of the first text and of the second."""
        first = [self._token_cls] + first_tokens + [self._token_sep]
        second = [] if second_tokens is None else second_tokens + [self._token_sep]
        return first + second, len(first), len(second)

    def _convert_tokens_to_ids(self, tokens):
        """The ids of tokens, that of the unknown one for those that the vocabulary lacks."""
        unknown = self._token_dict.get(self._token_unk)
        return [self._token_dict.get(token, unknown) for token in tokens]

    def _tokenize(self, text):
        if isinstance(text, bytes):
            raise TypeError('a text must be unicode, not bytes')
        if not self._cased:
            text = text.translate(self._decomposed)  # NFD without the accents
            if any(map(unicodedata.combining, text)):
                text = u''.join([text[index] for index in canonical_order(text)])
            text = text.lower()
        tokens = []
        for word in text.translate(self._cleaned).split():
            tokens += self._word_piece_tokenize(word)
        return tokens

    def _forget(self):
        super(Tokenizer, self)._forget()
        self._decomposed = Memo(_decompose_character)

    def _clean_character(self, code):
        """What `str.translate` asks about each character; keras-bert asks in this order."""
        ch = unichr(code)
        if self._is_punctuation(ch) or self._is_cjk_character(ch):
            return u' %s ' % ch
        if self._is_space(ch):
            return u' '
        unwanted = code in (0, 0xfffd) or self._is_control(ch)
        return None if unwanted or not self._cased and unicodedata.category(ch) == 'Mn' else ch

    def _word_piece_tokenize(self, word):
        """Cuts a word into the longest pieces of the vocabulary from the left, else into characters."""
        if self._measured != len(self._token_dict):
            self._measure()
        if word in self._token_dict:
            return [word]
        tokens, start = [], 0
        while start < len(word):
            prefix = u'##' if start else u''
            for length in self._lengths[start > 0].get(word[start], ()):
                piece = prefix + word[start:start + length]
                if piece in self._token_dict and start + length <= len(word):
                    break
            else:
                length, piece = 1, prefix + word[start]
            tokens.append(piece)
            start += length
        return tokens

    def _measure(self):
        """The lengths, longest first, of the pieces that begin with a character: only those are tried."""
        self._measured, self._lengths = len(self._token_dict), ({}, {})
        for token in self._token_dict:
            for lengths, piece in zip(self._lengths, (token, token[2:] if token.startswith('##') else '')):
                lengths.setdefault(piece[:1], set()).add(len(piece))
        for lengths in self._lengths:
            lengths.update({ch: sorted(found, reverse=True) for ch, found in lengths.items()})

    @staticmethod
    def _is_space(ch):
        """Whether `ch` separates words."""
        return ch in ' \n\r\t' or unicodedata.category(ch) == 'Zs'

    @staticmethod
    def rematch(text, tokens, cased=False, unknown_token=TOKEN_UNK):
        """Finds where tokens come from.

        Args:
            text: the text that was tokenized.
            tokens: its tokens, without [CLS] and [SEP].
            cased: whether case matters.
            unknown_token: the token that stands for any word.

        Returns:
            list of (start, end) for each token, positions in the text.
        """
        def fold(string):
            return string if cased else string.lower()

        def bare(token):
            return token[2:] if len(token) > 2 and token.startswith('##') else token

        decoded, spans = u'', []
        for token in tokens:
            token = u'#' if token == unknown_token else fold(token)
            is_word = bool(decoded) and bare(token) == token
            spans.append((len(decoded) + is_word, len(decoded) + is_word + len(bare(token))))
            decoded += u' ' * is_word + bare(token)
        text = text.rstrip()
        heading = sum(1 for _ in itertools.takewhile(Tokenizer._is_space, text))
        text = text[heading:]
        aligned = _align([fold(ch) for ch in text], decoded)
        found, border = [], 0
        for index, (token, span) in enumerate(zip(tokens, spans)):
            start, end = aligned[span[0]], aligned[span[1]]
            if fold(text[start:end]) != fold(bare(token)):  # to the edges of the word, between its neighbours
                while start > border and not Tokenizer._is_space(text[start - 1]):
                    start -= 1
                limit = aligned[spans[index + 1][0]] if index + 1 < len(spans) else len(text)
                while end < limit and not Tokenizer._is_space(text[end]):
                    end += 1
            found.append((start + heading, end + heading))
            border = end
        return found


def _decompose_character(code):
    """NFD of a character, without the accents that `canonical_order` would move."""
    return u''.join(ch for ch in unicodedata.normalize('NFD', unichr(code))
                    if not (unicodedata.combining(ch) and unicodedata.category(ch) == 'Mn'))


def _align(source, target):
    """For each length j of target, how much of source is aligned with target[:j] by edit distance.

    Of equally good alignments it takes keras-bert's: read from the end, first both step, then source.
    """
    i, j = len(source), len(target)
    aligned, distance = [0] * j + [i], None
    while i and j:
        if source[i - 1] == target[j - 1]:
            i, j = i - 1, j - 1
        else:
            distance = distance or _edit_distances(source[:i], target[:j])
            both, first, second = distance(i - 1, j - 1), distance(i - 1, j), distance(i, j - 1)
            if both <= min(first, second):
                i, j = i - 1, j - 1
            else:
                i, j = (i - 1, j) if first <= second else (i, j - 1)
        aligned[j] = i
    return aligned


def _edit_distances(source, target):
    """The function from (i, j) to the edit distance of source[:i] and target[:j], where it is of use.

    Computed in a band around the diagonal (Ukkonen 1985, doi:10.1016/S0019-9958(85)80046-2), twice as
    wide until the whole distance fits in: all that is as small is exact, all else larger than that.
    """
    rows, columns = len(source), len(target)
    never, reach = rows + columns + 1, abs(rows - columns) + 4
    while True:
        width = 2 * reach + 3  # band[i][j - i + reach + 1], with a border on each side
        row = [never] * width
        row[reach + 1:width - 1] = range(reach + 1)
        band = [row]
        for i in range(1, rows + 1):
            above, row, ch = row, [never] * width, source[i - 1]
            if i <= reach:
                row[reach + 1 - i] = i
            for k in range(max(1, reach + 2 - i), min(width - 1, columns - i + reach + 2)):
                if ch == target[i + k - reach - 2]:
                    row[k] = above[k]
                else:
                    row[k] = 1 + min(above[k], above[k + 1], row[k - 1])
            band.append(row)
        if row[columns - rows + reach + 1] <= reach:
            return lambda i, j: band[i][j - i + reach + 1] if abs(j - i) <= reach else never
        reach *= 2
