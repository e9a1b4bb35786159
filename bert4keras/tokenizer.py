# -*- coding: utf-8 -*-
"""The tokenizers: text to token ids and back, in pure Python.

`Tokenizer` is the FullTokenizer of google-research/bert (tokenization.py; bert-tensorflow 1.0.4 on
PyPI), `SpTokenizer` is ALBERT's on a SentencePiece model. A vocabulary is one token a line; the id
is the number of the line, from 0.

Speed comes from one idea. Google's steps look no further than spaces, so the text is cut there, and
a bounded dictionary remembers the ids of each chunk, packed: four bytes an id, so that chunks are
joined and padded without touching an id. A chunk not seen yet is cut again at whitespace, ASCII
punctuation and Han characters (the steps look no further than those either, but for a sigma), and what
is not known even so takes Google's steps one by one. So does every text when a hook is overridden.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import io
import itertools
import operator
import re
import struct
import unicodedata
from collections import OrderedDict

import numpy as np

from bert4keras.errors import VocabularyError
from bert4keras.files import whole_file
from bert4keras.release.config import read_config
from bert4keras.release.directory import VOCAB_PATTERNS, Release, find_release

_text_type = type('')
_unichr = chr if str is _text_type else unichr  # noqa: F821 (Python 2)
_SPECIAL_TOKENS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')
# Brackets of both kinds: Google's uncased Chinese vocabulary has <S> and <T>.
_HAS_CAPITAL = re.compile(r'(?!\[.*\]\Z|<.*>\Z).*[A-Z]', re.DOTALL)
# ASCII punctuation, quotes and an ellipsis, Chinese punctuation, Han: each is a word by itself.
_ALONE = ('!-/:-@\\[-`{-~\u2018-\u201f\u2026\u3001\u3002\u3008-\u3011\uff01\uff08\uff09\uff0c\uff0e\uff1a\uff1b\uff1f'
          '\u3400-\u4dbf\u4e00-\u9fff')
_RUNS = re.compile('([%s]+)|([^ \t\n\r%s]+)' % (_ALONE, _ALONE))
_ASCII_WORD = re.compile(r'[0-9A-Za-z]+\Z')
_SIGMAS = '\u03a3\u03c2\u03c3'  # the capital, the final form, the other
# 2 ** 16 chunks take 15 MB, or 50 MB of the most wasteful kind; a tokenizer has one such memory for
# ids, one for tokens, and two of characters (6 MB each).
_MEMO_ENTRIES, _MEMO_KEY_LENGTH, _MEMO_KEY_PARTS = 2 ** 16, 32, 3
_WORD_HOOKS = ('_is_space', '_is_control', '_is_cjk_character', '_is_punctuation', '_word_piece_tokenize',
               '_tokenize_step_by_step')
_TEXT_HOOKS = ('_tokenize', 'token_to_id', 'tokens_to_ids')
_NOWHERE = (0, 0)


class _Memo(dict):
    """`memo[key]` is `compute(key)`, remembered; holds a bounded number of keys."""

    def __init__(self, compute):
        super(_Memo, self).__init__()
        self._compute = compute

    def __missing__(self, key):
        return self._remember(key, self._compute(key))

    def _remember(self, key, value):
        if len(self) >= _MEMO_ENTRIES:
            self.clear()
        self[key] = value
        return value


class _ChunkMemo(_Memo):
    """Remembers short chunks of text; `join` puts together the values of a chunk that can be cut."""

    def __init__(self, compute, join, whole):
        super(_ChunkMemo, self).__init__(compute)
        self._join, self._whole = join, whole

    def __missing__(self, chunk):
        parts = []
        for alone, word in _RUNS.findall(chunk):
            parts.extend(alone or [word])
        if len(parts) < 2 or self._whole and self._whole.search(chunk):
            value = self._compute(chunk)
        else:
            value = self._join(map(self.__getitem__, parts))
        if len(chunk) <= _MEMO_KEY_LENGTH and len(parts) <= _MEMO_KEY_PARTS:
            self._remember(chunk, value)
        return value


def load_vocab(path, keep=None):
    """Reads a vocabulary file, or the part of it that is wanted.

    Args:
        path: file of UTF-8 text, a token a line. Lines end at `\\n` only (a `\\r` before it is
            dropped): U+2028 is a token of Google's Chinese vocabulary.
        keep: function from token to bool, or collection of tokens. `[PAD]`, `[UNK]`, `[CLS]`,
            `[SEP]` and `[MASK]` are kept in any case. If no capital is left of a cased vocabulary,
            `Tokenizer` must be told by `case_sensitive=True`.

    Returns:
        OrderedDict from token to id; with `keep`, that of the kept tokens, renumbered in order, and
        the list of their original ids (the model's `keep_words`).

    Raises:
        VocabularyError: unreadable file, not UTF-8, no token, or a token twice.
    """
    data = _read(path)
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
    if isinstance(keep, (bytes, _text_type)):
        raise TypeError('keep must be a function or a collection of tokens, not one string')
    is_kept = keep if callable(keep) else frozenset(keep).__contains__
    kept = [token for token in vocab if token in _SPECIAL_TOKENS or is_kept(token)]
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


def _read(path):
    try:
        with io.open(path, 'rb') as reader:
            return reader.read()
    except (IOError, OSError, ValueError) as error:  # ValueError: a U+0000 in the path
        raise VocabularyError('%r, line 1: the file cannot be read (%s); give the path of a '
                              'vocabulary, or of a SentencePiece model' % (path, error))


def _to_text(text):
    """Returns `text`, decoded where it is UTF-8 bytes."""
    if isinstance(text, bytes):
        try:
            return text.decode('utf-8')
        except UnicodeDecodeError as error:
            raise ValueError('the text is bytes, and byte %d is not UTF-8; decode it before'
                             % error.start)
    if not isinstance(text, _text_type):
        raise TypeError('a text must be a string, not %s' % type(text).__name__)
    return text


class Tokenizer(object):
    """Google's BERT tokenizer (WordPiece).

    To change it, subclass it and override `_tokenize` (everything goes through it),
    `_word_piece_tokenize`, or what the four questions `_is_space`, `_is_punctuation`,
    `_is_cjk_character`, `_is_control` answer about one character: they are asked once a character,
    so the answer may depend on nothing else. Assign a new mapping to `_token_dict` to change the
    vocabulary; changing it in place is not seen.

    Texts are strings, or bytes in UTF-8 on every Python. A tokenizer may be pickled, copied and
    used from several threads.

    Args:
        vocab: path of a vocabulary file, or mapping from token to id (0 to 2 ** 31 - 1, all different).
        case_sensitive: whether capitals and accents are kept; None tells from the vocabulary:
            cased when a token not in brackets, `[...]` or `<...>`, has an ASCII capital.
        max_word_length: a word of more characters is `[UNK]`.
        keep_special: whether `[MASK]` and the other special tokens, spelled out in a text, are kept
            whole, as in Hugging Face's tokenizers; Google's cuts them like any word.

    A vocabulary without `[UNK]`, `[CLS]` or `[SEP]` is an error only when that token's id is
    needed, for which a subclass may set `token_unk`, ... to the names that its vocabulary has.

    Raises:
        VocabularyError: see `load_vocab`; ids that are not different integers.
    """

    token_pad, token_unk, token_cls, token_sep, token_mask = _SPECIAL_TOKENS
    _case_sensitive, _max_word_length, _keep_special = False, 200, False
    # What is derived, so not pickled, and derived anew when one of the second list is set.
    _derived = ('_ids_of', '_tokens_of', '_packed', '_cleaned', '_spelled', '_trie')
    _settings = _WORD_HOOKS + _TEXT_HOOKS + ('token_unk', '_case_sensitive', '_max_word_length', '_keep_special')

    def __init__(self, vocab, case_sensitive=None, max_word_length=200, keep_special=False):
        self._max_word_length, self._keep_special = max_word_length, keep_special
        self._token_dict = vocab if hasattr(vocab, 'items') else load_vocab(vocab)
        if case_sensitive is None:
            case_sensitive = any(map(_HAS_CAPITAL.match, self._token_dict))
        self._case_sensitive = bool(case_sensitive)

    @property
    def _token_dict(self):
        """Mapping from token to id."""
        return self._vocab

    @_token_dict.setter
    def _token_dict(self, vocab):
        self._vocab = OrderedDict((_to_text(token), operator.index(vocab[token])) for token in vocab)
        self._token_dict_inv = {number: token for token, number in self._vocab.items()}
        for token, number in self._vocab.items():
            if not 0 <= number < 2 ** 31 or self._token_dict_inv[number] != token:
                raise VocabularyError('token %r has id %d; give each an id of its own, from 0 to 2 ** 31 - 1'
                                      % (token, number))
        self._forget()

    def tokenize(self, text, second_text=None, max_length=None):
        """Returns the list of the tokens that `encode` gives the ids of.

        Args:
            text, second_text, max_length: see `encode`, also for what it raises.
        """
        pair = second_text is not None
        first = list(self._tokenize(_to_text(text)))
        second = list(self._tokenize(_to_text(second_text))) if pair else []
        first_size, second_size = _fit(len(first), len(second), pair, max_length)
        tokens = [self.token_cls] + first[:first_size] + [self.token_sep]
        return tokens + second[:second_size] + [self.token_sep] * pair

    def encode(self, first_text, second_text=None, max_length=None, first_length=None,
               second_length=None, offsets=False):
        """Turns a text, or a pair, into the model's inputs.

        Args:
            first_text, second_text: strings, giving `[CLS] first [SEP]` or, for a pair,
                `[CLS] first [SEP] second [SEP]`.
            max_length: no more ids than that, special tokens included; tokens are dropped from the
                end of the longer text, of the second when they are equally long (as in Google's
                run_classifier.py).
            first_length: pad with `[PAD]`, or cut, the first part (`[CLS]` to `[SEP]`) to exactly
                so many ids. It counts in full towards `max_length`.
            second_length: the same for the second part (text and `[SEP]`).
            offsets: whether to return, too, where each token stands in its text: see `rematch`.

        Returns:
            (token_ids, segment_ids), lists of int of equal length; the segment is 0 for the first
            part and 1 for the second, their padding included. With `offsets`, a third list of
            (start, end); padding has (0, 0), like every special token.

        Raises:
            TypeError: not a string. ValueError: bytes not UTF-8, lengths that cannot hold the
            special tokens. VocabularyError: a special token is needed and not in the vocabulary.
        """
        first, second = self._encode_parts(first_text, second_text, max_length, first_length, second_length)
        token_ids = np.frombuffer(first + second, 'int32').tolist()
        first_size = len(first) // 4
        segment_ids = [0] * first_size + [1] * (len(token_ids) - first_size)
        if not offsets:
            return token_ids, segment_ids
        pair, spans = second_text is not None, []
        texts = [_to_text(text) for text in (first_text, second_text) if text is not None]
        matched = [self.rematch(text, list(self._tokenize(text))) for text in texts] + [[]]
        sizes = _fit(len(matched[0]), len(matched[1]), pair, max_length, first_length, second_length)
        spans = [_NOWHERE] + matched[0][:sizes[0]]
        spans += [_NOWHERE] * (first_size - len(spans)) + matched[1][:sizes[1]]
        return token_ids, segment_ids, spans + [_NOWHERE] * (len(token_ids) - len(spans))

    def encode_batch(self, texts, second_texts=None, max_length=None, length=None):
        """Encodes texts, or pairs, and pads them at the end with `[PAD]`, segment 0.

        Args:
            texts, second_texts: lists of strings, equally long; second_texts may be None.
            max_length: see `encode`, also for what it raises.
            length: width of the result, which rows are also cut to; the longest row's by default.

        Returns:
            (token_ids, segment_ids), int32 arrays [B, T].
        """
        if any(isinstance(value, (bytes, _text_type)) for value in (texts, second_texts)):
            raise TypeError('texts must be a list of strings, not one string')
        texts = list(texts)
        second_texts = [None] * len(texts) if second_texts is None else list(second_texts)
        if len(texts) != len(second_texts):
            raise ValueError('%d texts, but %d second texts' % (len(texts), len(second_texts)))
        limits = [limit for limit in (max_length, length) if limit is not None]
        limit = min(limits) if limits else None
        parts = [self._encode_parts(first, second, limit) for first, second in zip(texts, second_texts)]
        rows = [first + second for first, second in parts]
        width = max([0] + [len(row) // 4 for row in rows]) if length is None else length
        padding = _pack_ids([self._pad_id()]) * width
        packed = bytearray(b''.join([row + padding[len(row):] for row in rows]))
        token_ids = np.frombuffer(packed, 'int32') if packed else np.zeros(0, 'int32')
        starts = np.array([len(first) // 4 for first, _ in parts], int)[:, None]  # [B, 1]
        ends = np.array([len(row) // 4 for row in rows], int)[:, None]  # [B, 1]
        segment_ids = (np.arange(width) >= starts) & (np.arange(width) < ends)  # [B, T]
        return token_ids.reshape(len(rows), width), segment_ids.astype('int32')

    def _encode_parts(self, first_text, second_text, max_length, first_length=None, second_length=None):
        """Returns the packed ids of both parts, special tokens and padding included."""
        pair = second_text is not None
        first = self._encode_text(_to_text(first_text))
        second = self._encode_text(_to_text(second_text)) if pair else b''
        first_size, second_size = _fit(len(first) // 4, len(second) // 4, pair, max_length, first_length,
                                       second_length)
        cls, sep = self._packed[self.token_cls], self._packed[self.token_sep]
        first = cls + first[:4 * first_size] + sep
        second = second[:4 * second_size] + sep * pair
        if first_length or second_length:
            pad = _pack_ids([self._pad_id()])
            first += pad * ((first_length or 0) - len(first) // 4)
            second += pad * ((second_length or 0) - len(second) // 4)
        return first, second

    def _encode_text(self, text):
        """Returns the packed ids of `text` (unicode) without special tokens."""
        if not self._remembers_ids:
            return _pack_ids(self.tokens_to_ids(self._tokenize(text)))
        return b''.join(map(self._ids_of.__getitem__, _cut_at_spaces(text)))

    def _tokenize(self, text):
        """Returns the tokens of `text` (unicode) without special tokens. Override me."""
        if not self._remembers_words:
            return self._tokenize_step_by_step(text)
        return _flatten(map(self._tokens_of.__getitem__, _cut_at_spaces(text)))

    def _tokenize_step_by_step(self, text):
        """Google's algorithm, except that texts are cut at special tokens first when they are kept."""
        tokens = []
        for index, part in enumerate(self._cut_at_special(text)):
            if index % 2:
                tokens.append(part)
                continue
            spelled = self._lower_sigmas(part).translate(self._spelled)
            for word in _in_canonical_order(spelled).split(' '):
                if word:
                    tokens.extend(self._word_piece_tokenize(word))
        return tokens

    def _cut_at_special(self, text):
        """Returns an odd number of parts of the text, of which each second one is a special token."""
        if not self._keep_special:
            return [text]
        return re.split('(%s)' % '|'.join(map(re.escape, self._special_tokens())), text)

    def _word_piece_tokenize(self, word):
        """Cuts a word into the longest pieces of the vocabulary, from the left. Override me."""
        if len(word) > self._max_word_length:
            return [self.token_unk]
        if word in self._vocab:
            return [word]
        first, continued = self._trie or self._build_trie()
        tokens, start, node = [], 0, first
        while start < len(word):
            token = None
            for end in range(start, len(word)):
                node = node.get(word[end])
                if node is None:
                    break
                if '' in node:
                    token, after = node[''], end + 1
            if token is None:
                return [self.token_unk]
            tokens.append(token)
            start, node = after, continued
        return tokens

    def _build_trie(self):
        """Two nodes, for pieces that begin a word and for others; a node maps letter to node, '' to token."""
        first, continued = {}, {}
        for token in self._vocab:
            for node, letters in ((first, token), (continued, token[2:] if token[:2] == '##' else '')):
                for letter in letters:
                    node = node.setdefault(letter, {})
                if letters:
                    node[''] = token
        self._trie = first, continued
        return self._trie

    @staticmethod
    def _is_space(ch):
        """Whether `ch` separates words."""
        return ch in ' \t\n\r' or unicodedata.category(ch) in ('Zs', 'Zl', 'Zp')

    @staticmethod
    def _is_control(ch):
        """Whether `ch` is dropped, unless it is a space (U+0000 and U+FFFD always are)."""
        return ch not in '\t\n\r' and unicodedata.category(ch) in ('Cc', 'Cf')

    @staticmethod
    def _is_cjk_character(ch):
        """Whether `ch` is a word by itself in the original text: Google's eight ranges."""
        code = ord(ch)
        return (0x4e00 <= code <= 0x9fff or 0x3400 <= code <= 0x4dbf or 0xf900 <= code <= 0xfaff
                or 0x20000 <= code <= 0x2a6df or 0x2a700 <= code <= 0x2ceaf
                or 0x2f800 <= code <= 0x2fa1f)

    @staticmethod
    def _is_punctuation(ch):
        """Whether `ch` is a word by itself: ASCII neither letter, digit nor space, and P*."""
        return ('!' <= ch <= '~' and not ch.isalnum()) or unicodedata.category(ch)[0] == 'P'

    def _clean_character(self, code):
        ch = _unichr(code)
        if self._is_space(ch):
            return ' '
        if code in (0, 0xfffd) or self._is_control(ch):
            return None
        return ' %s ' % ch if self._is_cjk_character(ch) else ch

    def _spell_character(self, code):
        """All of Google's steps on one character: what stands for it among the words, and spaces.

        In NFD, marks that are not dropped may change places. `_in_canonical_order` is told by a U+0000
        before each, and by U+FFFD for what they cannot pass: two characters that no text has left.
        """
        ch = self._clean_character(code)
        if ch is None or ch == ' ' or self._case_sensitive:
            return ch and self._space_punctuation(ch)
        spelled = ''
        for letter in unicodedata.normalize('NFD', ch.lower()):
            if unicodedata.category(letter) != 'Mn':
                mark = '\0' if unicodedata.combining(letter) else ''
                spelled += mark + self._space_punctuation(letter)
            elif not unicodedata.combining(letter):
                spelled += '\ufffd'
        return spelled

    def _space_punctuation(self, letters):
        return ''.join(' %s ' % ch if self._is_punctuation(ch) else ch for ch in letters)

    def _lower_sigmas(self, text):
        """Lower-cases Greek sigmas: the one letter whose lower case depends on others, once cleaned."""
        if self._case_sensitive or _SIGMAS[0] not in text:
            return text
        forms = iter(re.findall('[%s]' % _SIGMAS[1:], text.translate(self._cleaned).lower()))
        return re.sub('[%s]' % _SIGMAS, lambda _: next(forms, _SIGMAS[2]), text)

    def rematch(self, text, tokens):
        """Finds where tokens stand in the text that they came from.

        Args:
            text: the string that was tokenized.
            tokens: list of its tokens in order, from `tokenize` or `_tokenize`, whole or cut.

        Returns:
            List of half-open (start, end), so that `text[start:end]` is what became the token:
            characters, or UTF-16 units where Python has those. An `[UNK]` has its whole word, special
            tokens that are not in the text have (0, 0). Characters without a token are in no span;
            one that became several tokens, such as a Hangul syllable, is in several.

        Raises:
            ValueError: a token that does not follow in the text, its number and where it was sought.
        """
        letters, sources = self._letters(_to_text(text))
        spans, place = [], 0
        for number, token in enumerate(tokens):
            while letters[place:place + 1] == ' ':
                place += 1
            wanted = self._token_letters(token, place > 0 and letters[place - 1] != ' ')
            end = place
            if letters.startswith(wanted, place):
                end += len(wanted)
            elif token == self.token_unk:
                end = max(place, letters.find(' ', place))
            elif token not in self._special_tokens():
                raise ValueError('token %d, %r, is not where the text goes on with %r; give the tokens of '
                                 'this text, in order' % (number, token, letters[place:place + 20]))
            found = sources[place:end]
            spans.append((min(found), max(found) + 1) if found else _NOWHERE)
            place = end
        return spans

    def _letters(self, text):
        """Returns the letters of all words, with spaces between, and the index in `text` of each."""
        pairs, start = [], 0
        for number, part in enumerate(self._cut_at_special(text)):
            for index, letters in enumerate(part if number % 2 else self._spell(part), start):
                pairs += [(letter, index) for letter in letters or '']
            start += len(part)
            pairs.append((' ', start))
        if any(letter == '\0' for letter, _ in pairs):
            runs = itertools.groupby([pair for pair in pairs if pair[0] != '\0'],
                                     lambda pair: unicodedata.combining(pair[0]) > 0)
            pairs = [pair for _, run in runs for pair in sorted(
                run, key=lambda pair: unicodedata.combining(pair[0]))]
        pairs = [pair for pair in pairs if pair[0] != '\ufffd']
        return ''.join([letter for letter, _ in pairs]), [index for _, index in pairs]

    def _spell(self, text):
        """Returns, for each character of the text, what `_spell_character` makes of it."""
        return [self._spelled[ord(ch)] for ch in self._lower_sigmas(text)]

    def _token_letters(self, token, inside_word):
        return token[2:] if inside_word and token.startswith('##') else token

    def token_to_id(self, token):
        """Returns the id of a token, which is that of `[UNK]` for an unknown one.

        Raises:
            VocabularyError: a special token is needed and not in the vocabulary.
        """
        if token in self._token_dict:
            return self._token_dict[token]
        if token in (self.token_unk, self.token_cls, self.token_sep, self.token_mask):
            raise VocabularyError('the vocabulary of %d tokens has no %s; add it, or set the name '
                                  'it has there in a subclass of %s'
                                  % (len(self._token_dict), token, type(self).__name__))
        return self.token_to_id(self.token_unk)

    def tokens_to_ids(self, tokens):
        """Returns the list of the ids of `tokens`: see `token_to_id`."""
        tokens = list(tokens)
        try:
            return list(map(self._token_dict.__getitem__, tokens))
        except KeyError:
            return [self.token_to_id(token) for token in tokens]

    def id_to_token(self, token_id):
        """Returns the token of an id. Raises ValueError when no token has it."""
        try:
            return self._token_dict_inv[token_id]
        except KeyError:
            raise ValueError('token id %r is not in the vocabulary of %d tokens'
                             % (token_id, len(self._token_dict)))

    def ids_to_tokens(self, token_ids):
        """Returns the list of the tokens of `token_ids`: see `id_to_token`."""
        return [self.id_to_token(token_id) for token_id in token_ids]

    def _pad_id(self):
        return self._token_dict.get(self.token_pad, 0)

    def decode(self, token_ids):
        """Turns ids (iterable of int) back into text; capitals and accents are not restored.

        Special tokens are dropped and `##` pieces joined. Words are separated by a space, except
        beside CJK characters and wide punctuation, before closing and after opening punctuation,
        and around `'`, `-` and U+2019. Raises ValueError for an id out of range.
        """
        parts, last = [], ''
        for token in self.ids_to_tokens(token_ids):
            if not token or token in self._special_tokens():
                continue
            if token.startswith('##') and len(token) > 2:
                token = token[2:]
            elif last and not self._is_joined(last, token[0]):
                parts.append(' ')
            parts.append(token)
            last = token[-1]
        return ''.join(parts)

    def _is_joined(self, left, right):
        """Whether `decode` puts no space between two characters."""
        wide = any(self._is_cjk_character(ch) or self._is_punctuation(ch) and
                   unicodedata.east_asian_width(ch) in 'WF' for ch in (left, right))
        return (wide or left in "'-\u2019" or right in "'-\u2019.,!?;:%"
                or unicodedata.category(left) in ('Ps', 'Pi')
                or unicodedata.category(right) in ('Pe', 'Pf'))

    def _special_tokens(self):
        return self.token_pad, self.token_unk, self.token_cls, self.token_sep, self.token_mask

    def __setattr__(self, name, value):
        super(Tokenizer, self).__setattr__(name, value)
        if name in self._settings:
            self._forget()

    def __delattr__(self, name):
        super(Tokenizer, self).__delattr__(name)
        if name in self._settings:
            self._forget()

    def _is_googles(self, hook):
        """Whether that method is this class's own: neither a subclass nor the object has another."""
        method, own = getattr(self, hook), Tokenizer.__dict__[hook]
        return getattr(method, '__func__', method) is getattr(own, '__func__', own)

    def _forget(self):
        """Starts the memories afresh, after the vocabulary or a setting changed."""
        self._cleaned, self._spelled = _Memo(self._clean_character), _Memo(self._spell_character)
        self._packed = _Memo(lambda token: _pack_ids(self.tokens_to_ids([token])))
        self._trie = None
        whole = [] if self._case_sensitive else [_SIGMAS[0]]
        whole += map(re.escape, self._special_tokens()) if self._keep_special else []
        whole = re.compile('|'.join(whole)) if whole else None
        self._tokens_of = _ChunkMemo(self._tokenize_chunk, _flatten, whole)
        self._ids_of = _ChunkMemo(self._pack_chunk, b''.join, whole)
        self._remembers_words = all(map(self._is_googles, _WORD_HOOKS))
        self._remembers_ids = self._remembers_words and all(map(self._is_googles, _TEXT_HOOKS))

    def _tokenize_chunk(self, chunk):
        if _ASCII_WORD.match(chunk) and not self._keep_special:  # nothing to do but to lower-case it
            return self._word_piece_tokenize(chunk if self._case_sensitive else chunk.lower())
        return self._tokenize_step_by_step(chunk)

    def _pack_chunk(self, chunk):
        return b''.join(map(self._packed.__getitem__, self._tokenize_chunk(chunk)))

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name not in self._derived}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._forget()


def _pack_ids(token_ids):
    """Returns the bytes of ids, four each."""
    return struct.pack(str('=%di') % len(token_ids), *token_ids)


def _flatten(lists):
    return list(itertools.chain.from_iterable(lists))


def _cut_at_spaces(text):
    return text.replace('\n', ' ').split(' ')


def _fit(first_size, second_size, pair, max_length, first_length=None, second_length=None):
    """Returns how many tokens of both texts stay when special ones are added: see `encode`."""
    first_least = 2 if first_length is None else first_length
    second_least = int(pair) if second_length is None else second_length
    if (first_least < 2 or (second_least < 1 if pair else second_least)
            or max_length is not None and max_length < first_least + second_least):
        raise ValueError(
            'max_length=%r, first_length=%r, second_length=%r do not fit %s' % (
                max_length, first_length, second_length, 'two texts, which have 2 and 1 special '
                'tokens' if pair else 'one text, which has 2 special tokens and no second part'))
    if max_length is not None:
        first_length = first_length or max_length - second_least
        second_length = second_length or max_length - first_least
    if first_length:
        first_size = min(first_size, first_length - 2)
    if second_length:
        second_size = min(second_size, second_length - 1)
    if max_length is not None:
        # The sizes that popping from the longer one, else the second, would come to.
        room = max_length - 2 - pair
        second_size = min(second_size, max(room // 2, room - first_size))
        first_size = min(first_size, room - second_size)
    return first_size, second_size


def _in_canonical_order(text):
    """Sorts the marks that `_spell_character` pointed out as NFD does, in n log n time (CPython's: n ** 2)."""
    if '\0' in text:
        text = text.replace('\0', '')
        marks = ''.join(ch for ch in set(text) if unicodedata.combining(ch))
        text = re.sub('[%s]+' % marks, lambda run: ''.join(sorted(run.group(), key=unicodedata.combining)), text)
    return text.replace('\ufffd', '')


class SpTokenizer(Tokenizer):
    """ALBERT's tokenizer, on a SentencePiece model; needs the package sentencepiece.

    The text is prepared as for ALBERT's pretraining (google-research/albert, tokenization.py):
    whitespace collapsed, doubled backquotes or apostrophes made a double quote, NFKD without
    combining characters, lower case; then the model applies its NFKC. A piece that ends in a digit
    and a comma is cut again without the comma. Only the hook `_tokenize` has a meaning here.
    SentencePiece up to 0.2.0 takes quadratic time for a long run of characters that its model has not.

    Args:
        model: path of a SentencePiece model (30k-clean.model, spiece.model), or its bytes.
        case_sensitive: whether capitals are kept.
        keep_accents: whether the NFKD step is left out.
        keep_special: see `Tokenizer`.

    Raises:
        ImportError: sentencepiece is not installed. VocabularyError: not a SentencePiece model.
    """

    token_pad, token_unk = '<pad>', '<unk>'
    _derived = Tokenizer._derived + ('_processor', '_plain')

    def __init__(self, model, case_sensitive=False, keep_accents=False, keep_special=False):
        self._case_sensitive, self._keep_accents, self._keep_special = case_sensitive, keep_accents, keep_special
        # A model begins with a line feed, the tag of its first piece; Python 2's paths are bytes.
        is_content = isinstance(model, bytes) and model.startswith(b'\n')
        self._name = '%d bytes' % len(model) if is_content else model
        self._model = model if is_content else _read(model)
        self._load()
        pieces = map(self._processor.IdToPiece, range(self._processor.GetPieceSize()))
        self._token_dict = OrderedDict((piece, number) for number, piece in enumerate(pieces))

    def _load(self):
        try:
            import sentencepiece
        except ImportError:
            raise ImportError('SpTokenizer needs sentencepiece: pip install sentencepiece')
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            loaded = self._processor.LoadFromSerializedProto(self._model)
        except RuntimeError:
            loaded = False
        if loaded is False or not self._model:
            raise VocabularyError('%r: not a SentencePiece model; give the 30k-clean.model or '
                                  'spiece.model of the weights' % self._name)

    def _tokenize(self, text):
        tokens = []
        for number, part in enumerate(self._cut_at_special(text)):
            tokens.extend([part] if number % 2 else self._tokenize_part(part))
        return tokens

    def _tokenize_part(self, text):
        text = ' '.join(text.split()).replace('``', '"').replace("''", '"')
        if not self._keep_accents:
            text = text.translate(self._plain)
        if not self._case_sensitive:
            text = text.lower()
        tokens = []
        for piece in self._encode_pieces(text):
            if piece[-1] != ',' or not piece[-2:-1].isdigit():
                tokens.append(piece)
                continue
            again = self._encode_pieces(piece[:-1].replace('\u2581', ''))
            if piece[0] != '\u2581' and again[0][0] == '\u2581':
                again = again[1:] if again[0] == '\u2581' else [again[0][1:]] + again[1:]
            tokens.extend(again + [','])
        return tokens

    def _encode_pieces(self, text):
        data = text.encode('utf-8', 'replace')  # a lone surrogate becomes a question mark
        pieces = self._processor.EncodeAsPieces(data if str is bytes else data.decode('utf-8'))
        return [_to_text(piece) for piece in pieces]

    def decode(self, token_ids):
        """Turns ids back into text: special tokens dropped, pieces joined at U+2581."""
        special = self._special_tokens()
        return ''.join(token for token in self.ids_to_tokens(token_ids)
                       if token not in special).replace('\u2581', ' ').strip()

    def _spell(self, text):
        text = text.replace('``', '"\u200b').replace("''", '"\u200b')
        return [self._spelled[ord(ch)] for ch in text]

    def _spell_character(self, code):
        """What the model makes of one character, compatibility forms taken apart."""
        return self._token_letters(''.join(self._tokenize_part(_unichr(code))))

    def _token_letters(self, token, inside_word=False):
        letters = re.sub('[\u2581\0\ufffd]', '', token).replace(_SIGMAS[1], _SIGMAS[2])
        return ''.join(unicodedata.normalize('NFKD', ch) for ch in letters)  # the model sorts no marks

    def _forget(self):
        super(SpTokenizer, self)._forget()
        self._plain = _Memo(_without_combining)

    def __setstate__(self, state):
        super(SpTokenizer, self).__setstate__(state)
        self._load()


def _without_combining(code):
    """Returns NFKD of a character without its combining characters."""
    return ''.join(ch for ch in unicodedata.normalize('NFKD', _unichr(code))
                   if not unicodedata.combining(ch))


def load_tokenizer(release):
    """The tokenizer of a release; VocabularyError unless its vocabulary fits the config.

    Args:
        release: a `Release`, or the path that `find_release` takes.
    """
    release = release if isinstance(release, Release) else find_release(release)
    vocab_size = read_config(release.config_path)['vocab_size']
    if release.vocab_path is None:
        raise VocabularyError('there is no vocabulary, a file like %s, beside %s'
                              % (' or '.join(VOCAB_PATTERNS), release.config_path))
    tokenizer = (SpTokenizer if release.vocab_path.endswith('.model') else Tokenizer)(release.vocab_path)
    found = len(tokenizer._token_dict)
    if found != vocab_size:
        raise VocabularyError('%s has %d tokens, but %s has vocab_size %d: they are of two different models'
                              % (release.vocab_path, found, release.config_path, vocab_size))
    return tokenizer
