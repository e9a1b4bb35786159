# -*- coding: utf-8 -*-
"""`bert4keras.utils` of releases 0.1 and 0.2: the tokenizers, the vocabulary, and work in parallel."""
from __future__ import absolute_import, division, print_function

from bert4keras import tokenizer, tokenizers
from bert4keras.early.text import is_string
from bert4keras.parallel import parallel_apply
from bert4keras.tokenizer import load_vocab
from bert4keras.tokenizers import SpTokenizer

__all__ = ['SimpleTokenizer', 'SpTokenizer', 'Tokenizer', 'is_string', 'load_vocab', 'parallel_apply']


class Tokenizer(tokenizers.TokenizerBase, tokenizer.Tokenizer):
    """The tokenizer of then: `Tokenizer(path or dict)`.

    Args:
        token_dict: path of a vocabulary, or mapping from token to id.
        case_sensitive: whether capitals and accents are kept. None tells by the vocabulary; then it was True,
            which made [UNK] of capitals where the vocabulary has none.

    Other methods are those of `tokenizers.Tokenizer`.
    """

    def __init__(self, token_dict, case_sensitive=None):
        super(Tokenizer, self).__init__(token_dict, case_sensitive=case_sensitive)
        self._take()

    def encode(self, first_text=None, second_text=None, max_length=None, first_length=None, second_length=None,
               first=None, second=None):
        """See `bert4keras.tokenizer.Tokenizer.encode`; `first` and `second` are other names of the texts."""
        return tokenizer.Tokenizer.encode(self, first if first_text is None else first_text,
                                          second if second_text is None else second_text, max_length, first_length,
                                          second_length)


SimpleTokenizer = Tokenizer
