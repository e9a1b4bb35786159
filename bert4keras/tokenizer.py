# -*- coding: utf-8 -*-
"""The tokenizers: text to token ids and back, in pure Python.

`Tokenizer` is the FullTokenizer of google-research/bert (tokenization.py; bert-tensorflow 1.0.4 on
PyPI), `SpTokenizer` is ALBERT's, on a SentencePiece model; what they share is `BaseTokenizer`. A
vocabulary is one token a line; the id is the number of the line, from 0. `tokenizer_files.load_tokenizer`
finds out which of them a directory needs, and with which settings.

Speed comes from one idea. Google's steps look no further than spaces, so the text is cut there, and
a bounded dictionary remembers the ids of each chunk, packed: four bytes an id, so that chunks are
joined and padded without touching an id. A chunk that is new is cut again at whitespace, ASCII
punctuation and Han characters (the steps look no further than those either, except for a sigma), and
what is still unknown takes Google's steps one by one. So does every text when a hook is overridden.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import itertools
import operator
import re
import unicodedata
from collections import OrderedDict

import numpy as np

from bert4keras.compat import TEXT, unichr
from bert4keras.errors import VocabularyError
from bert4keras.tokenizer_parts import (
    BLOCK_LENGTH, SPECIAL_TOKENS, ChunkMemo, Memo, cut_after, fit, flatten, least, pack_ids, read_bytes, save_vocab)
from bert4keras.tokenizer_parts import load_vocab as read_vocab

__all__ = ['BaseTokenizer', 'SpTokenizer', 'Tokenizer', 'VocabularyError', 'load_vocab', 'save_vocab']

# Brackets of both kinds: Google's uncased Chinese vocabulary has <S> and <T>.
_HAS_CAPITAL = re.compile(r'(?!\[.*\]\Z|<.*>\Z).*[A-Z]', re.DOTALL)
# ASCII punctuation, quotes and an ellipsis, Chinese punctuation; then Han: each is a word by itself.
PUNCTUATION = ('!-/:-@\\[-`{-~\u2018-\u201f\u2026\u3001\u3002\u3008-\u3011\uff01\uff08\uff09\uff0c\uff0e\uff1a'
               '\uff1b\uff1f')
HAN = '\u3400-\u4dbf\u4e00-\u9fff'
_ASCII_WORD = re.compile(r'[0-9A-Za-z]+\Z')
_SIGMAS = '\u03a3\u03c2\u03c3'  # the capital, the final form, the other
_WORD_HOOKS = ('_is_space', '_is_control', '_is_cjk_character', '_is_punctuation', '_word_piece_tokenize',
               '_tokenize_step_by_step')
_TEXT_HOOKS = ('_tokenize', 'token_to_id', 'tokens_to_ids')
NOWHERE = (0, 0)


def to_text(text):
    """Returns `text`, decoded where it is UTF-8 bytes."""
    if isinstance(text, bytes):
        try:
            return text.decode('utf-8')
        except UnicodeDecodeError as error:
            raise ValueError('the text is bytes, and byte %d is not UTF-8; decode it before'
                             % error.start)
    if not isinstance(text, TEXT):
        raise TypeError('a text must be a string, not %s' % type(text).__name__)
    return text


def check_encoding(encoding):
    """ValueError for an encoding of vocabularies other than UTF-8."""
    if encoding.lower().replace('-', '') != 'utf8':
        raise ValueError('a vocabulary is read and written in UTF-8, not in %r; convert the file' % (encoding,))


def load_vocab(path=None, keep=None, simplified=False, startswith=None, startwith=None, dict_path=None,
               encoding='utf-8'):
    """Reads a vocabulary file, or the part of it that is wanted.

    Args:
        path, keep: see `tokenizer_parts.load_vocab`; `dict_path` is another name of the first.
        simplified: as in bert4keras 0.3 to 0.11: True keeps `startswith`, in its order, then what is neither of
            several characters with a Chinese one or punctuation among them ("##" not counted).
        startswith: list of tokens; `startwith` is another name.
        encoding: 'utf-8', nothing else.

    Returns:
        OrderedDict from token to id; with `keep` or `simplified`, that of the kept tokens, renumbered in order, and
        the list of their original ids (the model's `keep_words`).

    Raises:
        VocabularyError: see `tokenizer_parts.load_vocab`; a token of `startswith` that the file lacks.
        ValueError: another encoding.
    """
    check_encoding(encoding)
    path = dict_path if path is None else path
    if not simplified:
        return read_vocab(path, keep)
    vocab, first = read_vocab(path), list(startswith or startwith or ())
    missing = [token for token in first if token not in vocab]
    if missing:
        raise VocabularyError('%r has no token %r to start with; leave it out' % (path, missing[0]))
    kept = first + [token for token in vocab if token not in first and not is_redundant(token)]
    return OrderedDict(zip(kept, range(len(kept)))), [vocab[token] for token in kept]


def is_redundant(token):
    """Whether `simplified` drops a token."""
    rest = token[2:] if token.startswith('##') else token
    return len(token) > 1 and any(Tokenizer._is_cjk_character(ch) or Tokenizer._is_punctuation(ch) for ch in rest)


class BaseTokenizer(object):
    """What is done with the tokens of a text: ids, pairs, lengths, padding, offsets, and the way back.

    A leaf sets `_token_dict` and has `_tokenize`, `_join_tokens` (for `decode`), `_spell` and `_token_letters`
    (for `rematch`).

    Attributes:
        token_pad, token_unk, token_cls, token_sep, token_mask: the special tokens; token_pad_id, ... their ids.
        vocab_size: int, how many rows a model's table of embeddings needs: the largest id + 1.
        model_max_length: None, or how many tokens the directory's tokenizer_config.json says the model takes.
    """

    token_pad, token_unk, token_cls, token_sep, token_mask = SPECIAL_TOKENS
    model_max_length = None
    _fit = staticmethod(fit)  # how many tokens of two texts stay
    _between = 0  # how many [SEP] the second text begins with
    _second_segment = 1
    _keep_special = False
    _path = None  # of the vocabulary, for messages
    # What is derived: not pickled, and made again when a setting is changed. Hooks are for subclasses.
    _derived = ('_packed', '_kept')
    _settings = ('token_pad', 'token_unk', 'token_cls', 'token_sep', 'token_mask', '_keep_special')
    _hooks = _TEXT_HOOKS

    @property
    def _token_dict(self):
        """Mapping from token to id."""
        return self._vocab

    @_token_dict.setter
    def _token_dict(self, vocab):
        self._vocab = OrderedDict((to_text(token), operator.index(vocab[token])) for token in vocab)
        self._token_dict_inv = {number: token for token, number in self._vocab.items()}
        for token, number in self._vocab.items():
            if not 0 <= number < 2 ** 31 or self._token_dict_inv[number] != token:
                raise self._wrong('token %r has id %d; give each an id of its own, from 0 to 2 ** 31 - 1'
                                  % (token, number))
        self._forget()

    def _wrong(self, what):
        """The VocabularyError about this vocabulary, with the file that it came from."""
        return VocabularyError(what if self._path is None else '%r: %s' % (self._path, what))

    @property
    def vocab_size(self):
        """How many rows a model's table of embeddings needs: the largest id + 1."""
        return max(self._token_dict_inv) + 1 if self._token_dict_inv else 0

    token_pad_id = property(lambda self: self._token_dict.get(self.token_pad, 0), doc='0 where there is no [PAD].')
    token_unk_id = property(lambda self: self.token_to_id(self.token_unk))
    token_cls_id = property(lambda self: self.token_to_id(self.token_cls))
    token_sep_id = property(lambda self: self.token_to_id(self.token_sep))
    token_mask_id = property(lambda self: self.token_to_id(self.token_mask))
    # the same, as scripts of bert4keras 0.2 to 0.11 read them
    _token_pad_id, _token_unk_id, _token_mask_id = token_pad_id, token_unk_id, token_mask_id
    _token_cls_id = _token_start_id = token_cls_id
    _token_sep_id = _token_end_id = token_sep_id
    _vocab_size = vocab_size

    def tokenize(self, text, second_text=None, max_length=None, add_cls=True, add_sep=True):
        """Returns the list of the tokens that `encode` gives the ids of.

        Args:
            text, second_text, max_length: see `encode`, also for what it raises.
            add_cls, add_sep: False leaves [CLS], or each [SEP], out.
        """
        pair = second_text is not None
        first = self._first_tokens(to_text(text), max_length)[0]
        second = self._first_tokens(to_text(second_text), max_length)[0] if pair else []
        first_size, second_size = self._fit(len(first), len(second), pair, max_length)
        tokens = [self.token_cls] * bool(add_cls) + first[:first_size] + [self.token_sep] * bool(add_sep)
        between, end = [[self.token_sep] * (number if pair and add_sep else 0) for number in (self._between, 1)]
        return tokens + between + second[:second_size] + end

    def encode(self, first_text, second_text=None, max_length=None, first_length=None,
               second_length=None, offsets=False):
        """Turns a text, or a pair, into the model's inputs.

        Args:
            first_text, second_text: strings, giving `[CLS] first [SEP]` or, for a pair,
                `[CLS] first [SEP] second [SEP]`.
            max_length: no more ids than that, special tokens included; tokens are dropped from the
                end of the longer text, of the second when they are equally long (as in Google's
                run_classifier.py). Of a very long text no more is tokenized than that takes.
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
        if offsets:
            first, second, spans = self._encode_with_spans(first_text, second_text, max_length, first_length,
                                                           second_length)
        else:
            first, second = self._encode_parts(first_text, second_text, max_length, first_length, second_length)
        token_ids = np.frombuffer(first + second, 'int32').tolist()
        first_size = len(first) // 4
        segment_ids = [0] * first_size + [self._second_segment] * (len(token_ids) - first_size)
        return (token_ids, segment_ids, spans) if offsets else (token_ids, segment_ids)

    def encode_batch(self, texts, second_texts=None, max_length=None, length=None):
        """Encodes texts, or pairs, and pads them at the end with `[PAD]`, segment 0.

        Args:
            texts, second_texts: lists of strings, equally long; second_texts may be None.
            max_length: see `encode`, also for what it raises.
            length: width of the result, which rows are also cut to; the longest row's by default.

        Returns:
            (token_ids, segment_ids), int32 arrays [B, T].
        """
        if any(isinstance(value, (bytes, TEXT)) for value in (texts, second_texts)):
            raise TypeError('texts must be a list of strings, not one string')
        texts = list(texts)
        second_texts = [None] * len(texts) if second_texts is None else list(second_texts)
        if len(texts) != len(second_texts):
            raise ValueError('%d texts, but %d second texts' % (len(texts), len(second_texts)))
        limit = least(max_length, length)
        parts = [self._encode_parts(first, second, limit) for first, second in zip(texts, second_texts)]
        rows = [first + second for first, second in parts]
        width = max([0] + [len(row) // 4 for row in rows]) if length is None else length
        padding = pack_ids([self.token_pad_id]) * width
        packed = bytearray(b''.join([row + padding[len(row):] for row in rows]))
        token_ids = np.frombuffer(packed, 'int32') if packed else np.zeros(0, 'int32')
        starts = np.array([len(first) // 4 for first, _ in parts], int)[:, None]  # [B, 1]
        ends = np.array([len(row) // 4 for row in rows], int)[:, None]  # [B, 1]
        is_second = (np.arange(width) >= starts) & (np.arange(width) < ends)  # [B, T]
        return token_ids.reshape(len(rows), width), is_second.astype('int32') * self._second_segment

    def encode_ragged(self, texts):
        """Encodes texts one after the other, without special tokens and without padding.

        Args:
            texts: list of strings.

        Returns:
            (token_ids, lengths): int32 array [N] of the ids of all texts, and a list of how many each text has; N is
            their sum.

        Raises:
            TypeError: not a list of strings. ValueError: bytes not UTF-8.
        """
        if isinstance(texts, (bytes, TEXT)):
            raise TypeError('texts must be a list of strings, not one string')
        packed = [self._encode_text(to_text(text)) for text in texts]
        joined = bytearray(b''.join(packed))
        return (np.frombuffer(joined, 'int32') if joined else np.zeros(0, 'int32')), [len(ids) // 4 for ids in packed]

    def _encode_parts(self, first_text, second_text, max_length, first_length=None, second_length=None):
        """Returns the packed ids of both parts, special tokens and padding included."""
        pair = second_text is not None
        first = self._encode_text(to_text(first_text), max_length, first_length)
        second = self._encode_text(to_text(second_text), max_length, second_length) if pair else b''
        return self._join_parts(first, second, pair, max_length, first_length, second_length)

    def _encode_with_spans(self, first_text, second_text, max_length, first_length, second_length):
        """The same, and the span of each id; the text is tokenized once for both."""
        pair = second_text is not None
        texts = [to_text(first_text)] + [to_text(text) for text in [second_text] * pair]
        found = [self._first_tokens(text, max_length, length)
                 for text, length in zip(texts, (first_length, second_length))]
        packed = [pack_ids(self.tokens_to_ids(tokens)) for tokens, _ in found] + [b'']
        first, second = self._join_parts(packed[0], packed[1], pair, max_length, first_length, second_length)
        matched = [self.rematch(text, tokens) for tokens, text in found] + [[]]
        first_size, second_size = self._fit(len(matched[0]), len(matched[1]), pair, max_length, first_length,
                                            second_length)
        spans = [NOWHERE] + matched[0][:first_size]
        spans += [NOWHERE] * (len(first) // 4 - len(spans) + self._between * pair) + matched[1][:second_size]
        return first, second, spans + [NOWHERE] * ((len(first) + len(second)) // 4 - len(spans))

    def _join_parts(self, first, second, pair, max_length, first_length, second_length):
        """Cuts the packed ids of both texts to size and adds special tokens and padding."""
        first_size, second_size = self._fit(len(first) // 4, len(second) // 4, pair, max_length, first_length,
                                            second_length)
        cls, sep = self._packed[self.token_cls], self._packed[self.token_sep]
        first = cls + first[:4 * first_size] + sep
        second = sep * (pair * self._between) + second[:4 * second_size] + sep * pair
        if first_length or second_length:
            pad = pack_ids([self.token_pad_id])
            first += pad * ((first_length or 0) - len(first) // 4)
            second += pad * ((second_length or 0) - len(second) // 4)
        return first, second

    def _encode_text(self, text, *limits):
        """Returns the packed ids of `text` (unicode) without special tokens; as many as a limit suffice."""
        if len(text) <= BLOCK_LENGTH:
            return self._encode_block(text)
        packed, limit = bytearray(), least(*limits)
        for block in self._blocks(text):
            packed += self._encode_block(block)
            if limit is not None and len(packed) >= 4 * limit:
                break
        return bytes(packed)

    def _encode_block(self, text):
        return pack_ids(self.tokens_to_ids(self._tokenize(text)))

    def _first_tokens(self, text, *limits):
        """Returns the tokens of `text`, of which as many as a limit suffice, and the text that they come from."""
        if len(text) <= BLOCK_LENGTH:
            return list(self._tokenize(text)), text
        tokens, end, limit = [], 0, least(*limits)
        for block in self._blocks(text):
            tokens.extend(self._tokenize(block))
            end += len(block)
            if limit is not None and len(tokens) >= limit:
                break
        return tokens, text[:end]

    def _blocks(self, text):
        """Cuts a long text into parts that may be tokenized one by one."""
        return [text]

    def _cut_at_special(self, text):
        """Returns an odd number of parts of the text, of which each second one is a special token."""
        return self._kept.split(text) if self._kept else [text]

    def _kept_pattern(self):
        """A regular expression of the tokens that are kept whole where a text has them; '' for none."""
        tokens = self._special_tokens() if self._keep_special else ()
        return '|'.join(re.escape(token) for token in sorted(tokens, key=len, reverse=True) if token)

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
        return rematch(self, to_text(text), tokens)

    def token_to_id(self, token):
        """Returns the id of a token, which is that of `[UNK]` for an unknown one.

        Raises:
            VocabularyError: a special token is needed and not in the vocabulary.
        """
        if token in self._token_dict:
            return self._token_dict[token]
        if token in (self.token_unk, self.token_cls, self.token_sep, self.token_mask):
            raise self._wrong('the vocabulary of %d tokens has no %r; add it, or set the name it has there in a '
                              'subclass of %s' % (len(self._token_dict), token, type(self).__name__))
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

    def decode(self, token_ids):
        """Turns ids (iterable of int) back into text; capitals and accents are not restored.

        Special tokens are dropped. `Tokenizer` joins `##` pieces and separates words by a space, except
        beside CJK characters and wide punctuation, before closing and after opening punctuation,
        and around `'`, `-` and U+2019; `SpTokenizer` has a space for U+2581. Raises ValueError for an id
        out of range.
        """
        special = self._special_tokens()
        return self._join_tokens([token for token in self.ids_to_tokens(token_ids) if token not in special])

    def _special_tokens(self):
        return self.token_pad, self.token_unk, self.token_cls, self.token_sep, self.token_mask

    def __setattr__(self, name, value):
        if name in self._hooks:
            raise AttributeError('%s of one object is never asked; override it in a subclass of %s'
                                 % (name, type(self).__name__))
        super(BaseTokenizer, self).__setattr__(name, value)
        if name in self._settings:
            self._forget()

    def _forget(self):
        """Starts the memories afresh, after the vocabulary or a setting changed."""
        self._packed = Memo(lambda token: pack_ids(self.tokens_to_ids([token])))
        pattern = self._kept_pattern()
        self._kept = re.compile('(%s)' % pattern) if pattern else None

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name not in self._derived}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._forget()


class Tokenizer(BaseTokenizer):
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
        strip_accents: whether accents are dropped; None for Google's way, which drops them unless
            `case_sensitive`.
        do_lower_case: of bert4keras 0.3 to 0.11: `case_sensitive=not do_lower_case`.

    A vocabulary without `[UNK]`, `[CLS]` or `[SEP]` is an error only when that token's id is
    needed, for which a subclass may set `token_unk`, ... to the names that its vocabulary has.

    Raises:
        VocabularyError: see `load_vocab`; ids that are not different integers.
    """

    _case_sensitive, _max_word_length, _strip_accents, _prefix = False, 200, None, '##'
    _alone = PUNCTUATION + HAN
    _answers_are_remembered = True  # of the methods that are in a class with this line: see `_is_remembered`
    _derived = BaseTokenizer._derived + ('_ids_of', '_tokens_of', '_cleaned', '_spelled', '_trie', '_whole',
                                        '_keeps')
    _settings = BaseTokenizer._settings + ('_case_sensitive', '_max_word_length', '_strip_accents')
    _hooks = _WORD_HOOKS + _TEXT_HOOKS

    def __init__(self, vocab, case_sensitive=None, max_word_length=200, keep_special=False, strip_accents=None,
                 do_lower_case=None):
        if case_sensitive is None and do_lower_case is not None:
            case_sensitive = not do_lower_case
        self._max_word_length, self._keep_special = max_word_length, keep_special
        self._strip_accents = strip_accents
        is_mapping = hasattr(vocab, 'items')
        self._path = self._path if is_mapping else vocab
        self._token_dict = vocab if is_mapping else load_vocab(vocab)
        if case_sensitive is None:
            case_sensitive = any(map(_HAS_CAPITAL.match, self._token_dict))
        self._case_sensitive = bool(case_sensitive)

    def _encode_block(self, text):
        if not self._remembers_ids:
            return super(Tokenizer, self)._encode_block(text)
        return b''.join(map(self._ids_of.__getitem__, text.replace('\n', ' ').split(' ')))

    def _tokenize(self, text):
        """Returns the tokens of `text` (unicode) without special tokens. Override me."""
        if not self._remembers_words:
            return self._tokenize_step_by_step(text)
        return flatten(map(self._tokens_of.__getitem__, text.replace('\n', ' ').split(' ')))

    def _tokenize_step_by_step(self, text):
        """Google's algorithm, except that texts are cut at special tokens first when they are kept."""
        tokens = []
        for index, part in enumerate(self._cut_at_special(text)):
            if index % 2:
                tokens.append(part)
                continue
            spelled = self._lower_sigmas(part).translate(self._spelled)
            for word in in_canonical_order(spelled).split(' '):
                if word:
                    tokens.extend(self._word_piece_tokenize(word))
        return tokens

    def _blocks(self, text):
        """Cuts a long text after a space or a Han character; after punctuation too, where no word goes on there."""
        if not self._remembers_ids:
            return [text]
        is_whole = self._whole is not None and self._whole.search(text)
        return cut_after('[ \n%s]' % (self._alone.replace(PUNCTUATION, '') if is_whole else self._alone), text)

    def _word_piece_tokenize(self, word):
        """Cuts a word into the longest pieces of the vocabulary, from the left. Override me."""
        if len(word) > self._max_word_length:
            return [self.token_unk]
        if word in self._pieces():
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

    def _pieces(self):
        """The tokens that words are cut into."""
        return self._vocab

    def _build_trie(self):
        """Two nodes, for pieces that begin a word and for others; a node maps letter to node, '' to token."""
        first, continued = {}, {}
        size = len(self._prefix)
        for token in self._pieces():
            rest = token[size:] if token.startswith(self._prefix) else ''
            for node, letters in ((first, token), (continued, rest)):
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

    @staticmethod
    def _is_accent(ch):
        """Whether `ch` is what stripping accents drops."""
        return unicodedata.category(ch) == 'Mn'

    def _clean_character(self, code):
        ch = unichr(code)
        if self._is_space(ch):
            return ' '
        if code in (0, 0xfffd) or self._is_control(ch):
            return None
        return ' %s ' % ch if self._is_cjk_character(ch) else ch

    def _spell_character(self, code):
        """All of Google's steps on one character: what stands for it among the words, and spaces."""
        folded = self._fold_character(code)
        return folded and ''.join(' %s ' % ch if self._is_punctuation(ch) else ch for ch in folded)

    def _fold_character(self, code):
        """The steps before punctuation.

        In NFD, marks that are not dropped may change places. `in_canonical_order` is told by a U+0000
        before each, and by U+FFFD for what they cannot pass: two characters that no text has left.
        """
        ch = self._clean_character(code)
        if ch and not self._case_sensitive:
            ch = ch.lower()
        strip_accents = not self._case_sensitive if self._strip_accents is None else self._strip_accents
        if not ch or not strip_accents:
            return ch
        folded = ''
        for letter in self._decompose(ch):
            if not self._is_accent(letter):
                folded += '\0' + letter if unicodedata.combining(letter) else letter
            elif not unicodedata.combining(letter):
                folded += '\ufffd'
        return folded

    @staticmethod
    def _decompose(ch):
        return unicodedata.normalize('NFD', ch)

    def _lower_sigmas(self, text):
        """Lower-cases Greek sigmas: the one letter whose lower case depends on others, once cleaned."""
        if self._case_sensitive or _SIGMAS[0] not in text:
            return text
        forms = iter(re.findall('[%s]' % _SIGMAS[1:], text.translate(self._cleaned).lower()))
        return re.sub('[%s]' % _SIGMAS, lambda _: next(forms, _SIGMAS[2]), text)

    def _spell(self, text):
        """Returns, for each character of the text, what `_spell_character` makes of it."""
        return [self._spelled[ord(ch)] for ch in self._lower_sigmas(text)]

    def _token_letters(self, token, inside_word):
        return token[len(self._prefix):] if inside_word and token.startswith(self._prefix) else token

    def _join_tokens(self, tokens):
        parts, last = [], ''
        for token in filter(None, tokens):
            if token.startswith(self._prefix) and len(token) > len(self._prefix):
                token = token[len(self._prefix):]
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

    def _is_remembered(self, hook):
        """Whether that method is the package's, so that what it said of a chunk holds for every text."""
        owner = next(cls for cls in type(self).__mro__ if hook in cls.__dict__)
        return owner is BaseTokenizer or '_answers_are_remembered' in owner.__dict__

    def _forget(self):
        super(Tokenizer, self)._forget()
        self._cleaned, self._spelled = Memo(self._clean_character), Memo(self._spell_character)
        self._trie = None
        self._whole = self._whole_pattern()
        self._keeps = self._whole is not None and self._whole.pattern != _SIGMAS[0]  # else no ASCII word has any
        runs = re.compile('([%s]+)|([^ \t\n\r%s]+)' % (self._alone, self._alone)).findall
        self._tokens_of = ChunkMemo(self._tokenize_chunk, flatten, runs, self._whole)
        self._ids_of = ChunkMemo(self._pack_chunk, b''.join, runs, self._whole)
        self._remembers_words = all(map(self._is_remembered, _WORD_HOOKS))
        self._remembers_ids = self._remembers_words and all(map(self._is_remembered, _TEXT_HOOKS))

    def _whole_pattern(self):
        """What a chunk that may be cut at spaces only has in it; None for nothing."""
        patterns = [] if self._case_sensitive else [_SIGMAS[0]]
        patterns += [self._kept.pattern] if self._kept else []
        return re.compile('|'.join(patterns)) if patterns else None

    def _tokenize_chunk(self, chunk):
        if _ASCII_WORD.match(chunk) and not (self._keeps and self._whole.search(chunk)):  # only to be lower-cased
            return self._word_piece_tokenize(chunk if self._case_sensitive else chunk.lower())
        return self._tokenize_step_by_step(chunk)

    def _pack_chunk(self, chunk):
        return b''.join(map(self._packed.__getitem__, self._tokenize_chunk(chunk)))


def in_canonical_order(text):
    """Sorts the marks that `_fold_character` pointed out."""
    if '\0' in text:
        text = text.replace('\0', '')
        text = ''.join([text[index] for index in canonical_order(text)])
    return text.replace('\ufffd', '')


class SpTokenizer(BaseTokenizer):
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
    _derived = BaseTokenizer._derived + ('_processor', '_plain', '_spelled')

    def __init__(self, model, case_sensitive=False, keep_accents=False, keep_special=False):
        self._case_sensitive, self._keep_accents, self._keep_special = case_sensitive, keep_accents, keep_special
        # A model begins with a line feed, the tag of its first piece; Python 2's paths are bytes.
        is_content = isinstance(model, bytes) and model.startswith(b'\n')
        self._path = self._path if is_content else model
        self._model = model if is_content else read_bytes(model, 'SentencePiece model')
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
            raise self._wrong('not a SentencePiece model; give the 30k-clean.model or spiece.model of the weights')

    def _tokenize(self, text):
        """Returns the tokens of `text` (unicode) without special tokens. Override me."""
        tokens = []
        for number, part in enumerate(self._cut_at_special(text)):
            tokens.extend([part] if number % 2 else self._tokenize_part(part))
        return tokens

    def _tokenize_part(self, text):
        return self._cut_commas(self._encode_pieces(self._prepare(text)))

    def _prepare(self, text):
        text = ' '.join(text.split()).replace('``', '"').replace("''", '"')
        if not self._keep_accents:
            text = text.translate(self._plain)
        return text if self._case_sensitive else text.lower()

    def _cut_commas(self, pieces):
        tokens = []
        for piece in pieces:
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
        return [to_text(piece) for piece in pieces]

    def _blocks(self, text):
        """Cuts a long text at spaces, unless the model has pieces that go on after one."""
        if any('\u2581' in piece[1:].strip('\u2581') for piece in self._vocab):
            return [text]
        return cut_after('[ \n]', text)

    def _join_tokens(self, tokens):
        return ''.join(tokens).replace('\u2581', ' ').strip()

    def _spell(self, text):
        text = text.replace('``', '"\u200b').replace("''", '"\u200b')
        return [self._spelled[ord(ch)] for ch in text]

    def _spell_character(self, code):
        """What the model makes of one character, compatibility forms taken apart."""
        return self._token_letters(''.join(self._tokenize_part(unichr(code))))

    def _token_letters(self, token, inside_word=False):
        letters = re.sub('[\u2581\0\ufffd]', '', token).replace(_SIGMAS[1], _SIGMAS[2])
        return ''.join(unicodedata.normalize('NFKD', ch) for ch in letters)  # the model sorts no marks

    def _forget(self):
        super(SpTokenizer, self)._forget()
        self._plain, self._spelled = Memo(_without_combining), Memo(self._spell_character)

    def __setstate__(self, state):
        super(SpTokenizer, self).__setstate__(state)
        self._load()


def _without_combining(code):
    """Returns NFKD of a character without its combining characters."""
    return ''.join(ch for ch in unicodedata.normalize('NFKD', unichr(code))
                   if not unicodedata.combining(ch))


# ------------------------------------------------------------------ where tokens stand in their text

def rematch(tokenizer, text, tokens):
    """The spans of `tokens` in `text` (unicode): see `BaseTokenizer.rematch`."""
    letters, sources = _letters(tokenizer, text)
    special = tokenizer._special_tokens()
    spans, place = [], 0
    for number, token in enumerate(tokens):
        while letters[place:place + 1] == ' ':
            place += 1
        wanted = tokenizer._token_letters(token, place > 0 and letters[place - 1] != ' ')
        end = place
        if letters.startswith(wanted, place):
            end += len(wanted)
        elif token == tokenizer.token_unk:
            end = max(place, letters.find(' ', place))
        elif token not in special:
            raise ValueError('token %d, %r, is not where the text goes on with %r; give the tokens of '
                             'this text, in order' % (number, token, letters[place:place + 20]))
        found = sources[place:end]
        spans.append((min(found), max(found) + 1) if found else NOWHERE)
        place = end
    return spans


def _letters(tokenizer, text):
    """Returns the letters of all words, with spaces between, and the index in `text` of each."""
    pairs, start = [], 0
    for number, part in enumerate(tokenizer._cut_at_special(text)):
        for index, letters in enumerate(part if number % 2 else tokenizer._spell(part), start):
            pairs += [(letter, index) for letter in letters or '']
        start += len(part)
        pairs.append((' ', start))
    if any(letter == '\0' for letter, _ in pairs):
        pairs = [pair for pair in pairs if pair[0] != '\0']
        pairs = [pairs[index] for index in canonical_order([letter for letter, _ in pairs])]
    pairs = [pair for pair in pairs if pair[0] != '\ufffd']
    return ''.join([letter for letter, _ in pairs]), [index for _, index in pairs]


def canonical_order(letters):
    """Returns the indices of characters in the order of NFD: each run of combining ones sorted by combining class.

    In n log n time; CPython's own takes n ** 2.
    """
    classes = [unicodedata.combining(ch) for ch in letters]
    order = []
    for _, run in itertools.groupby(range(len(classes)), lambda index: classes[index] > 0):
        order.extend(sorted(run, key=classes.__getitem__))
    return order
