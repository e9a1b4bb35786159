# -*- coding: utf-8 -*-
"""The rules of Hugging Face's library where they are not Google's: WordPiece and SentencePiece's Unigram.

Facts: tokenizers 0.23 (BertNormalizer, BertPreTokenizer, WordPiece, Unigram, added tokens).
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import collections
import re
import unicodedata

from bert4keras.compat import unichr
from bert4keras.tokenizer import HAN, PUNCTUATION, SpTokenizer, Tokenizer, in_canonical_order
from bert4keras.tokenizer_files.precompiled import Precompiled
from bert4keras.tokenizer_parts import Memo, fit_longest_first, flatten

__all__ = ['AddedToken', 'HubSpTokenizer', 'HubTokenizer', 'XlmTokenizer']


def _ranges(text):
    return [[int(code, 16) for code in (part + '-' + part).split('-')[:2]] for part in text.split()]


# BertNormalizer and BertPreTokenizer have the categories of Unicode 8: what came later is a letter to it ...
_LATER = _ranges('''
    61d 7fd 890-8e2 9fd-9fe a76 afa-aff b55 c04-c3c c77 c84 d00 d3b-d3c d81 eba ece 180f-1886 1abf-1ace 1b7d-1b7e
    1df6-1dfb 2e43-2e5d a82c a8c5 a8ff a9bd 10d24-10f89 11070-11074 110c2-110cd 111cf 1123e-11241 1133b 11438-1145e
    11660-1166c 116b9 1182f-11fff 12ff1-13455 16e97-16f4f 16fe2-16fe4 1cf00-1cf46 1e000-1e4ef 1e944-1e95f''')
_WERE_PUNCTUATION, _WERE_ACCENTS = (0x166d, 0x111c9), (0x1734,)  # ... and these have changed since
# Its NFKD and StripAccents have those of Unicode 9.
_LATER_MARKS = _ranges('''
    7fd 898-8d3 9fe afa-aff b55 c04-c3c cf3-d00 d3b-d3c d81 eba ece 1715 180f 1abf-1ace 1cf7 1df6-1dfa 32ff a7f2-a7f4
    a82c a8ff ab69 10781-107ba 10d24-10f85 11070-11074 110c2 11145-11146 111c9 111ce-111cf 11241 1133b 1145e
    1182c-11a99 11d31-13455 16f4f 16f7f-16f87 16fe4-16ff1 1cf00-1cf46 1e030-1e4ef 1f16c 1fbf0-1fbf9''')
_WERE_MARKS = (0x1cf2, 0x1cf3)
_WHITE_SPACE = '[\t\n\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+'

AddedToken = collections.namedtuple('AddedToken', 'content single_word normalized')


class HubTokenizer(Tokenizer):
    """The WordPiece tokenizer of Hugging Face's library: `AutoTokenizer`'s ids.

    It differs from Google's in few ways: special and added tokens are kept whole, a final sigma is a sigma like any
    other, private use is dropped, a range of rare CJK characters is not CJK, and categories are those of Unicode 8. Of
    two texts that are cut to an odd number of tokens the longer one keeps one more, the second if they are equal.

    Args:
        vocab: mapping from token to id, added tokens included.
        lowercase: whether the text is lower-cased.
        strip_accents: whether accents are dropped; None for as `lowercase`.
        chinese_characters: whether each of them is a word by itself.
        max_word_length: a word of more characters is unknown.
        prefix: what pieces that continue a word begin with.
        added: iterable of AddedToken, kept whole in a text.
        outside: collection of the tokens that words are not cut into: added ones that the model has not.
        names: mapping from 'token_pad', 'token_unk', ... to the special token of that name.
        path: of the file that all this is from, for messages.
    """

    _answers_are_remembered = True
    _fit = staticmethod(fit_longest_first)
    _derived = Tokenizer._derived + ('_folded', '_normalized', '_inside')

    def __init__(self, vocab, lowercase=True, strip_accents=None, chinese_characters=True, max_word_length=100,
                 prefix='##', added=(), outside=(), names=None, path=None):
        self._path = path
        self._added, self._outside, self._prefix = tuple(added), frozenset(outside), prefix
        self._chinese_characters = chinese_characters
        self._alone = PUNCTUATION + HAN if chinese_characters else PUNCTUATION
        for name, token in (names or {}).items():
            setattr(self, name, token)
        super(HubTokenizer, self).__init__(vocab, not lowercase, max_word_length, True, strip_accents)

    @staticmethod
    def _is_control(ch):
        return ch not in '\t\n\r' and unicodedata.category(ch) in ('Cc', 'Cf', 'Co') and not _is_later(ch)

    def _is_cjk_character(self, ch):
        return self._chinese_characters and Tokenizer._is_cjk_character(ch) and not 0x2b820 <= ord(ch) < 0x2b920

    @staticmethod
    def _is_punctuation(ch):
        return Tokenizer._is_punctuation(ch) and not _is_later(ch) or ord(ch) in _WERE_PUNCTUATION

    @staticmethod
    def _is_accent(ch):
        return _is_old_accent(ch)

    @staticmethod
    def _decompose(ch):
        return ch if ord(ch[:1]) == 0x11938 else unicodedata.normalize('NFD', ch)

    def _lower_sigmas(self, text):
        return text

    def _pieces(self):
        return self._inside

    def _tokenize_step_by_step(self, text):
        """Special tokens are found in the text, then `normalized` ones in what is left, once it is normalized."""
        tokens = []
        for index, part in enumerate(self._cut_at_special(text)):
            if index % 2 or not self._normalized:
                tokens.extend([part] if index % 2 else self._tokenize_words(part))
                continue
            parts = _compile(self._normalized).split(self._fold(part))
            for number, inner in enumerate(parts):
                tokens.extend([self._normalized[inner].content] if number % 2 else self._tokenize_words(inner))
        return tokens

    def _tokenize_words(self, text):
        return [token for word in in_canonical_order(text.translate(self._spelled)).split(' ') if word
                for token in self._word_piece_tokenize(word)]

    def _fold(self, text):
        """Returns the normalized text."""
        return in_canonical_order(text.translate(self._folded))

    def _blocks(self, text):
        return [text] if self._spans_words else super(HubTokenizer, self)._blocks(text)

    def _token_letters(self, token, inside_word):
        if any(token == added.content for added in self._normalized.values()):
            return in_canonical_order(token.translate(self._spelled)).strip()
        return super(HubTokenizer, self)._token_letters(token, inside_word)

    def _kept_pattern(self):
        return _pattern_of({token.content: token for token in self._added if not token.normalized})

    def _whole_pattern(self):
        if self._normalized:  # may be anywhere in a chunk
            return re.compile('')
        return re.compile(self._kept.pattern) if self._kept else None

    def _forget(self):
        self._folded = Memo(self._fold_character)
        self._normalized = {self._fold(token.content): token for token in self._added if token.normalized}
        self._normalized.pop('', None)
        self._inside = {token for token in getattr(self, '_vocab', ()) if token not in self._outside}
        super(HubTokenizer, self)._forget()
        self._spans_words = any(re.search(r'[\s%s]' % HAN, token.content) for token in self._added)
        if any(re.search(r'\s', token.content) for token in self._added):
            self._remembers_words = self._remembers_ids = False


class HubSpTokenizer(SpTokenizer):
    """The SentencePiece tokenizer of Hugging Face's library, for ALBERT: `AutoTokenizer`'s ids.

    It differs from ALBERT's own in few ways: added tokens, among which transformers counts the model's own symbols
    such as `(`, are taken out first, and a word begins after each; no comma is cut off a digit.

    Args:
        model: bytes of a SentencePiece model, see `write_model`.
        lowercase, keep_accents: whether the text is lower-cased, and keeps its accents.
        added: iterable of AddedToken, kept whole in a text.
        names: mapping from 'token_pad', 'token_unk', ... to the special token of that name.
        path: of the file that all this is from, for messages.
    """

    _derived = SpTokenizer._derived + ('_scores', '_words')
    _fit = staticmethod(fit_longest_first)

    def __init__(self, model, lowercase=True, keep_accents=False, added=(), names=None, path=None):
        self._added, self._path = tuple(added), path
        for name, token in (names or {}).items():
            setattr(self, name, token)
        super(HubSpTokenizer, self).__init__(model, not lowercase, keep_accents, True)

    def _prepare(self, text):
        text = text.replace('``', '"').replace("''", '"').translate(self._plain)
        return re.sub(_WHITE_SPACE, ' ', text)

    def _encode_pieces(self, text):
        return flatten(map(self._words.__getitem__, text.split(' ')))

    def _encode_word(self, word):
        """Cuts a word in the best way, in float64; SentencePiece, which normalizes it, adds scores in float32.

        Of ways with one score the one with the longer last piece wins. What no piece begins with is unknown, and
        unknown characters beside one another are one piece.
        """
        text = self._normalize_word(word)
        scores, longest, unknown = self._scores or self._read_scores()
        best = [(0.0, 0)] + [None] * len(text)  # the score of the text up to a place, and where its last piece begins
        for start in range(len(text)):
            for end in range(start + 1, min(start + longest, len(text)) + 1):
                score = scores.get(text[start:end], unknown if end == start + 1 else None)
                if score is not None and (best[end] is None or best[start][0] + score > best[end][0]):
                    best[end] = best[start][0] + score, start
        pieces, end = [], len(text)
        while end:
            start = best[end][1]
            if pieces and text[start:end] not in scores and pieces[-1] not in scores:
                pieces[-1] = text[start:end] + pieces[-1]
            else:
                pieces.append(text[start:end])
            end = start
        return pieces[::-1]

    def _normalize_word(self, word):
        return ''.join(super(HubSpTokenizer, self)._encode_pieces(word))

    def _read_scores(self):
        """({piece: its score}, the most characters of a piece, the score of a character that is unknown)."""
        scores = {piece: self._processor.GetScore(number) for piece, number in self._vocab.items()}
        self._scores = scores, max(map(len, scores)), min(scores.values()) - 10
        return self._scores

    def _cut_commas(self, pieces):
        return pieces

    def _kept_pattern(self):
        return _pattern_of({token.content: token for token in self._added})

    def _forget(self):
        super(HubSpTokenizer, self)._forget()
        self._plain, self._words = Memo(self._fold_character), Memo(self._encode_word)
        self._scores = None

    def _fold_character(self, code):
        letters = unichr(code) if self._keep_accents else _without_marks(code)
        return letters if self._case_sensitive else ''.join(ch.lower() for ch in letters)


class XlmTokenizer(HubSpTokenizer):
    """The SentencePiece tokenizer of XLM-R in Hugging Face's library, which multilingual models of BERT's layout have.

    The model's own table normalizes the text, and nothing else does. Ids are fairseq's: `<s>`, `<pad>`, `</s>`,
    `<unk>`, the pieces, `<mask>`. Two texts are `<s> A </s> </s> B </s>`, all of segment 0; of them the second part,
    which `encode` may be given a length for, is `</s> B </s>`.

    Args:
        model: bytes of a SentencePiece model with the pieces in that order; charsmap: its table, see precompiled.py.
        added, names, path: see HubSpTokenizer.
    """

    token_pad, token_unk, token_cls, token_sep, token_mask = '<pad>', '<unk>', '<s>', '</s>', '<mask>'

    _derived = HubSpTokenizer._derived + ('_precompiled',)
    _between, _second_segment = 1, 0

    def __init__(self, model, charsmap, added=(), names=None, path=None):
        self._charsmap = charsmap
        super(XlmTokenizer, self).__init__(model, False, True, added, names, path)

    def _forget(self):
        super(XlmTokenizer, self)._forget()
        self._precompiled = Precompiled(self._charsmap)

    def _prepare(self, text):
        return re.sub(_WHITE_SPACE, ' ', self._precompiled(text))

    def _normalize_word(self, word):
        return '\u2581' + word if word else ''

    @staticmethod
    def _fit(*sizes):
        return fit_longest_first(*sizes, separators=2)


def _pattern_of(added):
    """The pattern of a mapping from what is sought to its AddedToken: the longest of those at one place wins."""
    return '|'.join(r'(?<!\w)%s(?!\w)' % re.escape(text) if added[text].single_word else re.escape(text)
                    for text in sorted(added, key=len, reverse=True) if text)


def _compile(added):
    return re.compile('(%s)' % _pattern_of(added), re.UNICODE)


def _is_later(ch):
    """Whether a character came after Unicode 8, so that it has no category for Hugging Face's library."""
    return ch >= '\u061d' and _is_in(_LATER, ord(ch))


def _is_in(ranges, code):
    return any(first <= code <= last for first, last in ranges)


def _is_old_accent(ch):
    return unicodedata.category(ch) == 'Mn' and not _is_later(ch) and ord(ch) not in _WERE_PUNCTUATION or (
        ord(ch) in _WERE_ACCENTS)


def _without_marks(code):
    """NFKD and StripAccents of a character."""
    if code in _WERE_MARKS or _is_in(_LATER_MARKS, code):
        return '' if code in _WERE_MARKS else unichr(code)
    return ''.join(ch for ch in unicodedata.normalize('NFKD', unichr(code)) if unicodedata.category(ch)[0] != 'M')
