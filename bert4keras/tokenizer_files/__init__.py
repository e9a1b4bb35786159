# -*- coding: utf-8 -*-
"""The tokenizer of a directory: which one it is, and with which settings. Neither Keras nor an engine.

Google's releases have a vocabulary and no more, and Google's rules hold. A directory of Hugging Face's also has
tokenizer.json and tokenizer_config.json (transformers 5 writes nothing else). Where these speak they decide: the ids
are those of transformers' AutoTokenizer, or an error names what is not built.

Facts: tokenizers 0.23 (BertNormalizer, BertPreTokenizer, WordPiece, Unigram, added tokens), transformers 5.23.
"""
from __future__ import absolute_import, division, print_function

from bert4keras.tokenizer_files.hub import AddedToken, HubSpTokenizer, HubTokenizer
from bert4keras.tokenizer_files.parts import TOKENIZER_JSON
from bert4keras.tokenizer_files.reading import load_tokenizer
from bert4keras.tokenizer_files.writing import carry_tokenizer, save_tokenizer_files

__all__ = ['TOKENIZER_JSON', 'AddedToken', 'HubSpTokenizer', 'HubTokenizer', 'carry_tokenizer', 'load_tokenizer',
           'save_tokenizer_files']
