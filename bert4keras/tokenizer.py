# -*- coding: utf-8 -*-
"""The tokenizers: text to token ids and back, in pure Python.

`Tokenizer` is the FullTokenizer of google-research/bert (tokenization.py; bert-tensorflow 1.0.4 on
PyPI), `SpTokenizer` is ALBERT's on a SentencePiece model. A vocabulary is one token a line; the id
is the number of the line, from 0.

Speed comes from one idea. Google's steps look no further than whitespace, ASCII punctuation and Han
characters, so one expression cuts the text there, and a bounded dictionary remembers the tokens of
each chunk. A chunk not seen yet takes Google's steps one by one, and so does every text when a hook
is overridden.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import io
import itertools
import operator
import os
import re
import unicodedata
from collections import OrderedDict

import numpy as np

_text_type = type('')
_unichr = chr if str is _text_type else unichr  # noqa: F821 (Python 2)
_SPECIAL_TOKENS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')
# Brackets of both kinds: Google's uncased Chinese vocabulary has <S> and <T>.
_HAS_CAPITAL = re.compile(r'(?!\[.*\]\Z|<.*>\Z).*[A-Z]', re.DOTALL)
_ALONE = '!-/:-@\\[-`{-~\u3400-\u4dbf\u4e00-\u9fff'  # ASCII punctuation and Han
_CHUNKS = re.compile('[%s]|[^ \t\n\r%s]+' % (_ALONE, _ALONE))
_MEMO_ENTRIES, _MEMO_KEY_LENGTH = 2 ** 16, 32  # at most some 20 MB a tokenizer


class VocabularyError(ValueError):
    """A vocabulary that cannot be used: says which file and line, and what to do."""


class _Memo(dict):
    """`memo[key]` is `compute(key)`, remembered; holds a bounded number of short keys."""

    def __init__(self, compute):
        super(_Memo, self).__init__()
        self._compute = compute

    def __missing__(self, key):
        value = self._compute(key)
        if isinstance(key, int) or len(key) <= _MEMO_KEY_LENGTH:
            if len(self) >= _MEMO_ENTRIES:
                self.clear()
            self[key] = value
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
    folder, name = os.path.split(path)
    partial = os.path.join(folder, name + str('.%d.partial') % os.getpid())
    try:
        with io.open(partial, 'wb') as writer:
            writer.write(''.join(token + '\n' for token in tokens).encode('utf-8'))
        getattr(os, 'replace', os.rename)(partial, path)
    except UnicodeEncodeError as error:
        raise VocabularyError('%r: a token has the lone surrogate %r, which UTF-8 cannot hold; '
                              'remove that token' % (path, error.object[error.start]))
    finally:
        if os.path.exists(partial):
            os.remove(partial)


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
        vocab: path of a vocabulary file, or mapping from token to id (0 or more, all different).
        case_sensitive: whether capitals and accents are kept; None tells from the vocabulary:
            cased when a token not in brackets, `[...]` or `<...>`, has an ASCII capital.
        max_word_length: a word of more characters is `[UNK]`.

    A vocabulary without `[UNK]`, `[CLS]` or `[SEP]` is an error only when that token's id is
    needed, for which a subclass may set `token_unk`, ... to the names that its vocabulary has.

    Raises:
        VocabularyError: see `load_vocab`; ids that are not different integers.
    """

    token_pad, token_unk, token_cls, token_sep, token_mask = _SPECIAL_TOKENS
    _derived = ('_memo', '_cleaned', '_decomposed', '_spaced', '_hooks')  # not pickled

    def __init__(self, vocab, case_sensitive=None, max_word_length=200):
        self._max_word_length = max_word_length
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
            if number < 0 or self._token_dict_inv[number] != token:
                raise VocabularyError('token %r has id %d; give each an id from 0, and its own'
                                      % (token, number))
        self._longest = max([0] + [len(token) for token in self._vocab])
        self._forget()

    def tokenize(self, text, second_text=None, max_length=None):
        """Returns the list of the tokens that `encode` gives the ids of.

        Args:
            text, second_text, max_length: see `encode`, also for what it raises.
        """
        first, second = self._parts(text, second_text, max_length)
        return first + second

    def encode(self, first_text, second_text=None, max_length=None, first_length=None,
               second_length=None):
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

        Returns:
            (token_ids, segment_ids), lists of int of equal length; the segment is 0 for the first
            part and 1 for the second, their padding included.

        Raises:
            TypeError: not a string. ValueError: bytes not UTF-8, lengths that cannot hold the
            special tokens. VocabularyError: a special token is needed and not in the vocabulary.
        """
        first, second = self._parts(first_text, second_text, max_length, first_length,
                                    second_length)
        first_ids, second_ids = self.tokens_to_ids(first), self.tokens_to_ids(second)
        first_ids += [self._pad_id()] * ((first_length or 0) - len(first_ids))
        second_ids += [self._pad_id()] * ((second_length or 0) - len(second_ids))
        return first_ids + second_ids, [0] * len(first_ids) + [1] * len(second_ids)

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
        rows = [self.encode(first, second, max_length=min(limits) if limits else None)
                for first, second in zip(texts, second_texts)]
        width = max([0] + [len(ids) for ids, _ in rows]) if length is None else length
        token_ids = np.full((len(rows), width), self._pad_id(), dtype='int32')  # [B, T]
        segment_ids = np.zeros((len(rows), width), dtype='int32')  # [B, T]
        for row, (ids, segments) in enumerate(rows):
            token_ids[row, :len(ids)] = ids
            segment_ids[row, :len(ids)] = segments
        return token_ids, segment_ids

    def _parts(self, first_text, second_text, max_length, first_length=None, second_length=None):
        """Returns the tokens of both parts, special ones included, cut to the lengths allowed."""
        pair = second_text is not None
        first_least = 2 if first_length is None else first_length
        second_least = int(pair) if second_length is None else second_length
        if (first_least < 2 or (second_least < 1 if pair else second_least)
                or max_length is not None and max_length < first_least + second_least):
            raise ValueError(
                'max_length=%r, first_length=%r, second_length=%r do not fit %s' % (
                    max_length, first_length, second_length, 'two texts, which have 2 and 1 special '
                    'tokens' if pair else 'one text, which has 2 special tokens and no second part'))
        first = list(self._tokenize(_to_text(first_text)))
        second = list(self._tokenize(_to_text(second_text))) if pair else []
        if max_length is not None:
            first_length = first_length or max_length - second_least
            second_length = second_length or max_length - first_least
        if first_length:
            del first[first_length - 2:]
        if second_length:
            del second[second_length - 1:]
        if max_length is not None:
            # The sizes that popping from the longer one, else the second, would come to.
            room = max_length - 2 - pair
            del second[max(room // 2, room - len(first)):]
            del first[room - len(second):]
        return [self.token_cls] + first + [self.token_sep], second + [self.token_sep] * pair

    def _tokenize(self, text):
        """Returns the tokens of `text` (unicode) without special tokens. Override me."""
        hooks = self._current_hooks()
        if hooks != self._hooks:
            self._forget()
        # Only the lower-casing of a sigma looks beyond punctuation: whether a letter follows.
        if hooks != _GOOGLE_HOOKS or '\u03a3' in text:
            return self._tokenize_step_by_step(text)
        chunks = _CHUNKS.findall(text)
        return list(itertools.chain.from_iterable(map(self._memo.__getitem__, chunks)))

    def _tokenize_step_by_step(self, text):
        """Google's algorithm; the tables are what `str.translate` asks for each character."""
        text = text.translate(self._cleaned)
        if not self._case_sensitive:
            text = text.lower().translate(self._decomposed)
            if any(map(unicodedata.combining, text)):
                text = _in_canonical_order(text)
        tokens = []
        for word in text.translate(self._spaced).split(' '):
            if word:
                tokens.extend(self._word_piece_tokenize(word))
        return tokens

    def _word_piece_tokenize(self, word):
        """Cuts a word into the longest pieces of the vocabulary, from the left. Override me."""
        if len(word) > self._max_word_length:
            return [self.token_unk]
        vocab, longest, length = self._token_dict, self._longest, len(word)
        tokens, start, prefix = [], 0, ''
        while start < length:
            for end in range(min(length, start + longest), start, -1):
                piece = prefix + word[start:end]
                if piece in vocab:
                    break
            else:
                return [self.token_unk]
            tokens.append(piece)
            start, prefix = end, '##'
        return tokens

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

    def _space_character(self, code):
        ch = _unichr(code)
        if not self._case_sensitive and unicodedata.category(ch) == 'Mn':
            return None
        return ' %s ' % ch if self._is_punctuation(ch) else ch

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

    def _current_hooks(self):
        return (self._is_space, self._is_control, self._is_cjk_character, self._is_punctuation,
                getattr(self._word_piece_tokenize, '__func__', None))

    def _forget(self):
        """Starts the memories afresh, after the vocabulary or a hook changed."""
        self._hooks = self._current_hooks()
        self._memo = _Memo(self._tokenize_step_by_step)
        self._cleaned = _Memo(self._clean_character)
        self._decomposed = _Memo(_decompose_character)
        self._spaced = _Memo(self._space_character)

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name not in self._derived}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._forget()


_GOOGLE_HOOKS = (Tokenizer._is_space, Tokenizer._is_control, Tokenizer._is_cjk_character,
                 Tokenizer._is_punctuation, Tokenizer.__dict__['_word_piece_tokenize'])


def _decompose_character(code):
    """Returns NFD of a character, without the accents that `_in_canonical_order` would move."""
    return ''.join(ch for ch in unicodedata.normalize('NFD', _unichr(code))
                   if not (unicodedata.combining(ch) and unicodedata.category(ch) == 'Mn'))


def _in_canonical_order(text):
    """Sorts each run of combining characters, as NFD does, in n log n time (CPython's: n ** 2)."""
    runs = itertools.groupby(text, lambda ch: unicodedata.combining(ch) > 0)
    return ''.join(ch for _, run in runs for ch in sorted(run, key=unicodedata.combining))


class SpTokenizer(Tokenizer):
    """ALBERT's tokenizer, on a SentencePiece model; needs the package sentencepiece.

    The text is prepared as for ALBERT's pretraining (google-research/albert, tokenization.py):
    whitespace collapsed, doubled backquotes or apostrophes made a double quote, NFKD without
    combining characters, lower case; then the model applies its NFKC. A piece that ends in a digit
    and a comma is cut again without the comma. Only the hook `_tokenize` has a meaning here.

    Args:
        model: path of a SentencePiece model (30k-clean.model, spiece.model), or its bytes.
        case_sensitive: whether capitals are kept.
        keep_accents: whether the NFKD step is left out.

    Raises:
        ImportError: sentencepiece is not installed. VocabularyError: not a SentencePiece model.
    """

    token_pad, token_unk = '<pad>', '<unk>'
    _derived = Tokenizer._derived + ('_processor', '_plain')

    def __init__(self, model, case_sensitive=False, keep_accents=False):
        self._case_sensitive, self._keep_accents = case_sensitive, keep_accents
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
