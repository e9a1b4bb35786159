# -*- coding: utf-8 -*-
"""The tokenizer of a directory as files that transformers reads."""
from __future__ import absolute_import, division, print_function, unicode_literals

import base64
import collections
import json
import logging
import os

from bert4keras.errors import VocabularyError
from bert4keras.files import copy_file, whole_file
from bert4keras.tokenizer import SpTokenizer, Tokenizer
from bert4keras.tokenizer_files.hub import AddedToken, HubSpTokenizer, HubTokenizer
from bert4keras.tokenizer_files.parts import (
    NAMES, TOKENIZER_CONFIG, TOKENIZER_JSON, template_parts, unigram_pre_tokenizer, unigram_steps)
from bert4keras.tokenizer_files.reading import open_tokenizer
from bert4keras.tokenizer_files.sentencepiece_model import UNIGRAM, read_model
from bert4keras.tokenizer_parts import save_vocab

__all__ = ['carry_tokenizer', 'save_tokenizer_files']

logger = logging.getLogger(__name__)


def save_tokenizer_files(directory, tokenizer):
    """Writes tokenizer.json, tokenizer_config.json and the vocabulary, so that transformers gives the same ids.

    Args:
        directory: that exists.
        tokenizer: a `Tokenizer` or `SpTokenizer` as it is; of a Google one, texts that spell out a special token, and
            a few characters (README), have other ids in transformers, whose rules know nothing else.

    Raises:
        VocabularyError: a tokenizer with hooks of its own, which these files cannot hold.
    """
    if type(tokenizer) not in (Tokenizer, SpTokenizer, HubTokenizer, HubSpTokenizer):
        raise VocabularyError('%s has rules of its own, which no tokenizer.json holds; save its vocabulary alone'
                              % type(tokenizer).__name__)
    names = {name: getattr(tokenizer, 'token_' + name) for name in NAMES}
    added = getattr(tokenizer, '_added', [AddedToken(token, False, False) for token in names.values()])
    added = sorted((token for token in added if token.content in tokenizer._token_dict),
                   key=lambda token: tokenizer._token_dict[token.content])
    data = collections.OrderedDict([
        ('version', '1.0'), ('truncation', None), ('padding', None),
        ('added_tokens', [_entry(token, tokenizer, names) for token in added])])
    settings = collections.OrderedDict(('%s_token' % name, token) for name, token in sorted(names.items())
                                       if token in tokenizer._token_dict)
    if tokenizer.model_max_length is not None:
        settings['model_max_length'] = tokenizer.model_max_length
    write = _write_word_piece if isinstance(tokenizer, Tokenizer) else _write_unigram
    write(directory, tokenizer, data, settings)


def carry_tokenizer(vocab_path, directory, layout, keep_words=None):
    """Writes the tokenizer files of a release into the directory of another, which has the vocabulary already.

    The files that are beside `vocab_path` go along. In Hugging Face's layout they are made where there are none; what
    cannot be made of the vocabulary, such as one without [CLS], is logged and left out.

    Args:
        vocab_path: of the vocabulary of the first release; of its tokenizer.json where it has nothing else.
        directory: that exists.
        layout: 'tensorflow', 'hugging-face' or 'keras'.
        keep_words: the ids that the vocabulary was cut to, in their new order; None for all.

    Raises:
        VocabularyError: the files of the first release are not to be read, and the vocabulary was cut.
    """
    folder, name = os.path.split(vocab_path)
    found = [each for each in (TOKENIZER_JSON, TOKENIZER_CONFIG) if os.path.exists(os.path.join(folder, each))]
    if keep_words is None:
        for each in found:
            copy_file(os.path.join(folder, each), os.path.join(directory, each))
    if layout != 'hugging-face' and not found or found and keep_words is None:
        return
    try:
        tokenizer = open_tokenizer(folder, None if name == TOKENIZER_JSON else vocab_path)
        if keep_words is not None:
            tokenizer._token_dict = collections.OrderedDict(
                (tokenizer.id_to_token(old), new) for new, old in enumerate(keep_words))
        save_tokenizer_files(directory, tokenizer)
    except (ImportError, VocabularyError) as problem:
        if found:
            raise
        logger.warning('%s without tokenizer.json: %s', directory, problem)


def _entry(token, tokenizer, names):
    return collections.OrderedDict([
        ('id', tokenizer._token_dict[token.content]), ('content', token.content), ('single_word', token.single_word),
        ('lstrip', False), ('rstrip', False), ('normalized', token.normalized),
        ('special', token.content in names.values())])


def _write_word_piece(directory, tokenizer, data, settings):
    outside = getattr(tokenizer, '_outside', ())
    lowercase, strip_accents = not tokenizer._case_sensitive, tokenizer._strip_accents
    chinese_characters = getattr(tokenizer, '_chinese_characters', True)
    # BertTokenizer would have 100 characters a word, whatever tokenizer.json says
    is_usual = tokenizer._max_word_length == 100 and tokenizer._prefix == '##'
    settings.update(tokenizer_class='BertTokenizer' if is_usual else 'PreTrainedTokenizerFast',
                    do_lower_case=lowercase, strip_accents=strip_accents, tokenize_chinese_chars=chinese_characters,
                    model_input_names=['input_ids', 'token_type_ids', 'attention_mask'])
    data['normalizer'] = {'type': 'BertNormalizer', 'clean_text': True, 'handle_chinese_chars': chinese_characters,
                          'strip_accents': strip_accents, 'lowercase': lowercase}
    data['pre_tokenizer'] = {'type': 'BertPreTokenizer'}
    data['post_processor'] = _post_processor(tokenizer)
    data['decoder'] = {'type': 'WordPiece', 'prefix': tokenizer._prefix, 'cleanup': True}
    data['model'] = collections.OrderedDict([
        ('type', 'WordPiece'), ('unk_token', tokenizer.token_unk),
        ('continuing_subword_prefix', tokenizer._prefix), ('max_input_chars_per_word', tokenizer._max_word_length),
        ('vocab', collections.OrderedDict(item for item in tokenizer._token_dict.items() if item[0] not in outside))])
    _write_json(directory, 'tokenizer.json', data)
    _write_json(directory, 'tokenizer_config.json', settings)
    if sorted(tokenizer._token_dict.values()) == list(range(len(tokenizer._token_dict))):
        save_vocab(os.path.join(directory, 'vocab.txt'), tokenizer._token_dict)


def _write_unigram(directory, tokenizer, data, settings):
    pieces, charsmap, kind = read_model(tokenizer._model)
    lowercase, keep_accents = not tokenizer._case_sensitive, tokenizer._keep_accents
    settings.update(tokenizer_class='AlbertTokenizer', do_lower_case=lowercase, keep_accents=keep_accents)
    steps = unigram_steps(lowercase, keep_accents)
    if charsmap:
        steps.append({'type': 'Precompiled', 'precompiled_charsmap': base64.b64encode(charsmap).decode('ascii')})
    data['normalizer'] = {'type': 'Sequence', 'normalizers': steps}
    data['pre_tokenizer'] = unigram_pre_tokenizer()
    data['post_processor'] = _post_processor(tokenizer)
    data['decoder'] = unigram_pre_tokenizer()['pretokenizers'][1]
    data['model'] = collections.OrderedDict([
        ('type', 'Unigram'), ('unk_id', tokenizer.token_unk_id), ('byte_fallback', False),
        ('vocab', [[piece.text, piece.score] for piece in pieces])])
    if kind == UNIGRAM:
        _write_json(directory, 'tokenizer.json', data)
    else:
        logger.warning('the SentencePiece model is no Unigram model, which tokenizer.json cannot hold: it is left out')
    _write_json(directory, 'tokenizer_config.json', settings)
    with whole_file(os.path.join(directory, 'spiece.model')) as writer:
        writer.write(tokenizer._model)


def _post_processor(tokenizer):
    cls, sep = tokenizer.token_cls, tokenizer.token_sep
    parts = template_parts(cls, sep)
    return {'type': 'TemplateProcessing', 'single': parts[:3], 'pair': parts, 'special_tokens': {
        token: {'id': token, 'ids': [tokenizer.token_to_id(token)], 'tokens': [token]} for token in (cls, sep)}}


def _write_json(directory, name, value):
    with whole_file(os.path.join(directory, name)) as writer:
        writer.write(json.dumps(value, indent=2, sort_keys=False, separators=(',', ': ')).encode('utf-8'))
