# -*- coding: utf-8 -*-
"""`bert4keras.tokenizers` of releases 0.7 to 0.11: our tokenizers, with the arguments and return values of then.

What differs, on purpose: a word that cannot be cut into pieces is the token '[UNK]' here, and was itself there, with
the same id; `decode` spaces English as `bert4keras.tokenizer` says; SpTokenizer prepares texts as ALBERT's
pretraining did, where the old one left them as they were.
"""
from __future__ import absolute_import, division, print_function

from bert4keras import tokenizer
from bert4keras.early.text import is_string, truncate_sequences

__all__ = ['SpTokenizer', 'Tokenizer', 'TokenizerBase', 'load_vocab', 'save_vocab']


def load_vocab(dict_path, encoding='utf-8', simplified=False, startswith=None, startwith=None):
    """The vocabulary of a file; see `tokenizer.load_vocab` for the arguments, and what is returned."""
    return tokenizer.load_vocab(dict_path, encoding=encoding, simplified=simplified, startswith=startswith,
                                startwith=startwith)


def save_vocab(dict_path, token_dict, encoding='utf-8'):
    """Writes a vocabulary, in UTF-8, that `load_vocab` reads back."""
    tokenizer.check_encoding(encoding)
    tokenizer.save_vocab(dict_path, token_dict)


class TokenizerBase(object):
    """What both tokenizers of then have, over a tokenizer of ours.

    Args:
        token_start, token_end: the tokens around a text, or None for none.
        pre_tokenize: None, or a function that cuts a text into words; a word of the vocabulary is a token.
        token_translate: None, or a mapping from tokens to those that they become.
    """

    _token_start, _token_end, _pre_tokenize, _token_translate = '[CLS]', '[SEP]', None, None

    def _take(self, token_start='[CLS]', token_end='[SEP]', pre_tokenize=None, token_translate=None):
        self._token_start, self._token_end = token_start, token_end
        self._pre_tokenize, self._token_translate = pre_tokenize, token_translate or {}
        if token_start is not None:
            self.token_cls = token_start
        if token_end is not None:
            self.token_sep = token_end

    def tokenize(self, text, maxlen=None, add_cls=True, add_sep=True, max_length=None):
        """Returns the tokens of a text, with [CLS] and [SEP] unless told otherwise, no more than `maxlen`."""
        text = tokenizer.to_text(text)
        words = self._tokenize(text) if self._pre_tokenize is None else [
            token for word in self._pre_tokenize(text)
            for token in ([word] if word in self._token_dict else self._tokenize(word))]
        tokens = [self._token_translate.get(token, token) for token in words]
        ends = bool(add_sep and self._token_end)
        tokens = ([self._token_start] if add_cls and self._token_start else []) + tokens + [self._token_end] * ends
        maxlen = max_length if maxlen is None else maxlen
        if maxlen is not None:
            truncate_sequences(maxlen, -1 - ends, tokens)
        return tokens

    def encode(self, first_text=None, second_text=None, maxlen=None, pattern='S*E*E', truncate_from='right',
               max_length=None, first_length=None, second_length=None, first=None, second=None):
        """Turns a text, or a pair, into token ids and segment ids.

        Args:
            first_text, second_text: strings, or lists of tokens, which are taken as they are; `first` and `second`
                are other names.
            maxlen: no more ids than that; they are taken from the longer part, special tokens counted, or the first.
            pattern: 'S*E*E', or 'S*ES*E' for a [CLS] before the second part too.
            truncate_from: 'right', 'left', or the index of the token that goes.
            max_length, first_length, second_length: of 0.2 to 0.6: see `tokenizer.Tokenizer.encode`.

        Returns:
            (list of int, list of int).

        Raises:
            ValueError: arguments of both kinds, or out of range.
        """
        first_text = first if first_text is None else first_text
        second_text = second if second_text is None else second_text
        if not (max_length is first_length is second_length is None):
            if maxlen is not None or not is_string(first_text):
                raise ValueError('max_length, first_length and second_length go with strings, and without maxlen')
            return super(TokenizerBase, self).encode(first_text, second_text, max_length, first_length, second_length)
        if pattern not in ('S*E*E', 'S*ES*E'):
            raise ValueError("pattern must be 'S*E*E' or 'S*ES*E', not %r" % (pattern,))
        start = [self._token_start] if self._token_start else []
        parts = [self.tokenize(first_text) if is_string(first_text) else list(first_text)]
        if second_text is not None:
            parts.append(start + (self.tokenize(second_text, add_cls=False) if is_string(second_text)
                                  else list(second_text)))
        left_out = len(start) * (len(parts) > 1 and pattern == 'S*E*E')  # it counts while tokens are taken away
        if maxlen is not None:
            places = {'right': -1 - bool(self._token_end), 'left': len(start)}
            truncate_sequences(maxlen + left_out, places.get(truncate_from, truncate_from), *parts)
        parts[1:] = [part[left_out:] for part in parts[1:]]
        return (self.tokens_to_ids([token for part in parts for token in part]),
                [number for number, part in enumerate(parts) for _ in part])

    def rematch(self, text, tokens):
        """Returns, for each token, the list of the indices of its characters in the text."""
        return [list(range(start, end)) for start, end in super(TokenizerBase, self).rematch(text, tokens)]

    def decode(self, ids, tokens=None):
        """Returns the text of ids, or of tokens, without special ones."""
        return super(TokenizerBase, self).decode(ids if tokens is None else self.tokens_to_ids(tokens))


class Tokenizer(TokenizerBase, tokenizer.Tokenizer):
    """The WordPiece tokenizer.

    Args:
        token_dict: path of a vocabulary, or mapping from token to id.
        do_lower_case: bool; it must be True for an uncased vocabulary.
        word_maxlen: a longer word is [UNK].
        **options: see TokenizerBase.
    """

    def __init__(self, token_dict, do_lower_case=False, word_maxlen=200, **options):
        super(Tokenizer, self).__init__(token_dict, case_sensitive=not do_lower_case, max_word_length=word_maxlen)
        self._take(**options)

    @staticmethod
    def stem(token):
        """A token without the '##' before it."""
        return token[2:] if token[:2] == '##' else token

    @staticmethod
    def _is_special(token):
        return token[:1] == '[' and token[-1:] == ']'


class SpTokenizer(TokenizerBase, tokenizer.SpTokenizer):
    """The tokenizer of a SentencePiece model.

    Args:
        sp_model_path: its path.
        **options: see TokenizerBase.
    """

    def __init__(self, sp_model_path, **options):
        super(SpTokenizer, self).__init__(sp_model_path)
        self._take(**options)
