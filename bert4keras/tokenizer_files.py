# -*- coding: utf-8 -*-
"""The tokenizer of a directory: which one it is, and with which settings. Neither Keras nor an engine.

Google's releases have a vocabulary and no more, and Google's rules hold. A directory of Hugging Face's also has
tokenizer.json and tokenizer_config.json (transformers 5 writes nothing else). Where these speak they decide: the ids
are those of transformers' AutoTokenizer, or an error names what is not built.

Facts: tokenizers 0.23 (BertNormalizer, BertPreTokenizer, WordPiece, Unigram, added tokens), transformers 5.23.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import base64
import binascii
import collections
import fnmatch
import json
import logging
import numbers
import os
import re
import struct
import unicodedata

from bert4keras.compat import TEXT, fspath, unichr
from bert4keras.errors import VocabularyError
from bert4keras.files import copy_file, whole_file
from bert4keras.release.config import read_config
from bert4keras.release.directory import CONFIG_PATTERNS, VOCAB_PATTERNS, find_release
from bert4keras.tokenizer import HAN, PUNCTUATION, SpTokenizer, Tokenizer, in_canonical_order
from bert4keras.tokenizer_parts import Memo, fit_longest_first, flatten, load_vocab, read_bytes, save_vocab

__all__ = ['AddedToken', 'HubSpTokenizer', 'HubTokenizer', 'carry_tokenizer', 'load_tokenizer',
           'save_tokenizer_files']

logger = logging.getLogger(__name__)
# The settings of these classes of transformers come from tokenizer_config.json, whatever tokenizer.json says ...
WORD_PIECE_CLASSES = ('BertTokenizer', 'DistilBertTokenizer', 'ElectraTokenizer', 'MobileBertTokenizer')
SENTENCEPIECE_CLASSES = ('AlbertTokenizer',)
PLAIN_CLASSES = ('PreTrainedTokenizer', 'TokenizersBackend')  # ... and of these, from tokenizer.json alone
NAMES = ('pad', 'unk', 'cls', 'sep', 'mask')
TOKENIZER_JSON, TOKENIZER_CONFIG = 'tokenizer.json', 'tokenizer_config.json'
NO_LIMIT = 10 ** 9  # transformers writes 10 ** 30 where it knows no model_max_length


# ------------------------------------------------------------------ reading

def load_tokenizer(source):
    """Returns the tokenizer that belongs to a model.

    Args:
        source: its directory, or the prefix of a checkpoint in it; or a `families.Release`.

    Returns:
        `Tokenizer` or `SpTokenizer`: Google's for a directory without tokenizer.json and tokenizer_config.json, with
        the settings of these files where they are.

    Raises:
        VocabularyError: there is no vocabulary, it does not fit the config, or the files want what is not built.
    """
    directory, config_path, vocab_path = _places(source)
    json_path = os.path.join(directory, TOKENIZER_JSON)
    if vocab_path is None and not os.path.exists(json_path):
        raise VocabularyError('there is no vocabulary, a file like tokenizer.json or %s, beside %s'
                              % (' or '.join(VOCAB_PATTERNS), config_path or directory))
    tokenizer = _open(directory, vocab_path)
    if config_path is not None:
        _check_size(tokenizer, json_path if os.path.exists(json_path) else vocab_path, config_path)
    return tokenizer


def _open(directory, vocab_path):
    """The tokenizer of a directory's files, of which tokenizer.json or the vocabulary is there."""
    settings, data = [_Json(os.path.join(directory, name)) for name in (TOKENIZER_CONFIG, TOKENIZER_JSON)]
    if os.path.exists(data.path):
        tokenizer = _from_tokenizer_json(data, settings, vocab_path)
    else:
        tokenizer = _from_vocabulary(vocab_path, settings)
    limit = settings.get('model_max_length', numbers.Real, NO_LIMIT)
    tokenizer.model_max_length = int(limit) if 0 < limit < NO_LIMIT else None
    return tokenizer


def _places(source):
    """(directory, path of the config or None, path of the vocabulary or None)."""
    source = fspath(source)
    if hasattr(source, 'config_path'):
        return os.path.dirname(source.config_path), source.config_path, source.vocab_path
    if not os.path.isdir(source):
        return _places(find_release(source))
    files = [name for name in sorted(os.listdir(source)) if not name.startswith('.')]
    found = [[name for name in files if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
             for patterns in (CONFIG_PATTERNS, VOCAB_PATTERNS)]
    for names in found:
        if len(names) > 1:
            raise VocabularyError('%s has %s; remove what does not belong to the tokenizer'
                                  % (source, ' and '.join(names)))
    return (source,) + tuple(os.path.join(source, names[0]) if names else None for names in found)


def _check_size(tokenizer, path, config_path):
    """VocabularyError if a model of this config lacks ids that the tokenizer has; the contrary is logged."""
    vocab_size, found = read_config(config_path)['vocab_size'], tokenizer.vocab_size
    if found > vocab_size:
        raise VocabularyError('%s has %d tokens, but %s has vocab_size %d: they are of two different models'
                              % (path, found, config_path, vocab_size))
    if found < vocab_size:
        logger.warning('%s has %d tokens, and %s has vocab_size %d: a padded table, or two different models',
                       path, found, config_path, vocab_size)


class _Json(object):
    """The mapping in a JSON file, whose fields are looked at before they are used."""

    def __init__(self, path):
        self.path = path
        self.fields = self._read() if os.path.exists(path) else {}

    def _read(self):
        try:
            fields = json.loads(read_bytes(self.path, 'tokenizer.json').decode('utf-8'), object_pairs_hook=_once)
        except (ValueError, RuntimeError) as error:  # not UTF-8, not JSON, a field twice, nested without end
            if isinstance(error, VocabularyError):
                raise
            raise VocabularyError('%s is not JSON in UTF-8: %s. Download it again' % (self.path, error))
        if not isinstance(fields, dict):
            raise VocabularyError('%s holds %s, and no mapping; download it again' % (self.path, _short(fields)))
        return fields

    def get(self, name, kind, *default, **within):
        """The field `name`, of a type `kind`, of the file or of a mapping `within`; the default for none, or null."""
        value = within.get('within', self.fields).get(name)
        if value is None and default:
            return default[0]
        if not isinstance(value, kind) or isinstance(value, bool) and kind is not bool:
            raise VocabularyError('%s has %s = %s, of another kind than is written there; download it again'
                                  % (self.path, name, _short(value)))
        return value

    def expect(self, what, value, *built):
        """Refuses a value that is none of those that are built."""
        if value not in built:
            raise VocabularyError('%s: the %s %s is not built' % (self.path, what, _short(value)))

    def class_name(self):
        """The field tokenizer_class, without transformers 4's "Fast"."""
        name = self.get('tokenizer_class', TEXT, '')
        return name[:-len('Fast')] if name.endswith('Fast') else name


def _once(pairs):
    """The mapping of a JSON object; ValueError if it has a field twice."""
    fields = collections.OrderedDict(pairs)
    if len(fields) < len(pairs):
        counts = collections.Counter(name for name, _ in pairs)
        raise ValueError('%r is there twice' % counts.most_common(1)[0][0])
    return fields


def _short(value):
    text = json.dumps(value, sort_keys=True)
    return text if len(text) < 99 else text[:96] + '...'


def _from_vocabulary(path, settings):
    """The tokenizer of a vocabulary file: Google's without `settings`, else what transformers makes of both."""
    is_model = path.endswith('.model')
    if not settings.fields:
        return SpTokenizer(path) if is_model else Tokenizer(path)
    classes = SENTENCEPIECE_CLASSES if is_model else WORD_PIECE_CLASSES
    settings.expect('tokenizer_class without a tokenizer.json', settings.class_name(), '', *classes)
    if not is_model:
        ids = load_vocab(path)
        vocab, added, names = _with_added(ids, [], settings, settings, Tokenizer)
        return HubTokenizer(vocab, added=added, outside=set(vocab) - set(ids), names=names, path=path,
                            **_overridden(_NORMALIZER, {}, settings, settings))
    model = read_bytes(path, 'SentencePiece model')
    pieces = read_model(model)[0]
    symbols = [piece.text for piece in pieces if piece.type in (CONTROL, USER_DEFINED)]
    ids = collections.OrderedDict((piece.text, number) for number, piece in enumerate(pieces))
    vocab, added, names = _with_added(ids, symbols, settings, settings, SpTokenizer)
    return HubSpTokenizer(model, added=added, names=names, path=path, **_overridden(_STEPS, {}, settings, settings))


def _from_tokenizer_json(data, settings, vocab_path):
    """The tokenizer of a tokenizer.json; a vocabulary beside it must not contradict it."""
    model = data.get('model', dict)
    kind = data.get('type', TEXT, 'WordPiece' if 'continuing_subword_prefix' in model else '', within=model)
    data.expect('model', kind, 'WordPiece', 'Unigram')
    ids = _word_piece_ids(data, model) if kind == 'WordPiece' else _unigram_ids(data, model)
    vocab, added, names = _with_added(ids, data.get('added_tokens', list, []), data, settings,
                                      Tokenizer if kind == 'WordPiece' else SpTokenizer)
    names.update(_template(data, names))
    if vocab_path is not None and not vocab_path.endswith('.model'):
        for token, number in load_vocab(vocab_path).items():
            if vocab.get(token, number) != number:
                raise VocabularyError('%r has id %d in %s, but %d in %s; remove the file that is of another model'
                                      % (token, number, vocab_path, vocab[token], data.path))
    return (_word_piece if kind == 'WordPiece' else _unigram)(data, settings, vocab, added, names, ids)


def _word_piece_ids(data, model):
    ids = data.get('vocab', dict, within=model)
    return {token: data.get(token, numbers.Integral, within=ids) for token in ids}


def _unigram_ids(data, model):
    entries = data.get('vocab', list, within=model)
    for entry in entries:
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], TEXT)
                and isinstance(entry[1], numbers.Real)):
            raise VocabularyError('%s: %s is no piece with a score; download it again' % (data.path, _short(entry)))
    return collections.OrderedDict((entry[0], number) for number, entry in enumerate(entries))


def _with_added(ids, tokens, data, settings, usual):
    """Adds special and added tokens to a vocabulary.

    Args:
        ids: mapping from token to id, the model's own.
        tokens: list of strings, or of mappings as tokenizer.json and tokenizer_config.json have them.
        data: _Json that these are of; settings: _Json of tokenizer_config.json.
        usual: the class whose special tokens are taken where the settings name none.

    Returns:
        (mapping from token to id, list of AddedToken, {'token_cls': the special token of that name, ...})
    """
    names = {}
    for name in NAMES:
        token = settings.fields.get(name + '_token')
        token = token if isinstance(token, dict) else {'content': token or getattr(usual, 'token_' + name)}
        names['token_' + name] = settings.get('content', TEXT, within=token)
    tokens = list(tokens)
    for number, token in settings.get('added_tokens_decoder', dict, {}).items():
        tokens.append(dict(settings.get(number, dict, within=settings.fields['added_tokens_decoder']),
                           id=int(number) if number.isdigit() else number))
    for field in ('extra_special_tokens', 'additional_special_tokens'):
        more = settings.get(field, (list, dict), [])
        tokens += list(more.values() if isinstance(more, dict) else more)
    tokens += [token for name, token in sorted(names.items())
               if token in ids or settings.fields.get(name[len('token_'):] + '_token')]
    vocab, added = collections.OrderedDict(ids), collections.OrderedDict()
    for token in tokens:
        token = token if isinstance(token, dict) else {'content': token}
        content = data.get('content', TEXT, within=token)
        number = data.get('id', numbers.Integral, vocab.get(content), within=token)
        if number is None or vocab.setdefault(content, number) != number:
            raise VocabularyError('%s: the added token %r has id %s, but %s in the vocabulary'
                                  % (data.path, content, number, vocab.get(content, 'is not there')))
        added.setdefault(content, AddedToken(content, data.get('single_word', bool, False, within=token),
                                             data.get('normalized', bool, False, within=token)))
    return vocab, list(added.values()), names


def _template(data, names):
    """The special tokens that the post-processor adds, which must be those of BERT in BERT's places."""
    processor = data.get('post_processor', dict, {})
    cls, sep = names['token_cls'], names['token_sep']
    if processor.get('type') == 'BertProcessing':
        cls, sep = [data.get(name, list, within=processor)[:1] for name in ('cls', 'sep')]
        cls, sep = cls[0] if cls else None, sep[0] if sep else None
        data.expect('post_processor', isinstance(cls, TEXT) and isinstance(sep, TEXT), True)
    elif processor:
        data.expect('post_processor', processor.get('type'), 'TemplateProcessing')
        single = data.get('single', list, within=processor)
        found = [part['SpecialToken'].get('id') for part in single
                 if isinstance(part, dict) and isinstance(part.get('SpecialToken'), dict)]
        data.expect('post_processor', len(found), 2)
        cls, sep = found
        parts = _parts(cls, sep)
        data.expect('post_processor for one text', single, parts[:3])
        data.expect('post_processor for pairs', processor.get('pair'), parts)
    return {'token_cls': cls, 'token_sep': sep}


def _parts(cls, sep):
    """BERT's template for a pair; its first three parts are that for one text."""
    return [{'SpecialToken': {'id': cls, 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}},
            {'SpecialToken': {'id': sep, 'type_id': 0}}, {'Sequence': {'id': 'B', 'type_id': 1}},
            {'SpecialToken': {'id': sep, 'type_id': 1}}]


# argument, its name in a normalizer, in tokenizer_config.json, and what is usual
_NORMALIZER = (('lowercase', 'lowercase', 'do_lower_case', True),
               ('strip_accents', 'strip_accents', 'strip_accents', None),
               ('chinese_characters', 'handle_chinese_chars', 'tokenize_chinese_chars', True))
_STEPS = (('lowercase', 'lowercase', 'do_lower_case', True), ('keep_accents', 'keep_accents', 'keep_accents', False))


def _overridden(table, fields, data, settings):
    """The arguments in a table: those of `fields`, of the file `data`, unless tokenizer_config.json says otherwise."""
    arguments = {}
    for argument, name, setting, usual in table:
        found = data.get(name, bool, usual, within=fields)
        wanted = found
        if setting in settings.fields and settings.class_name() not in PLAIN_CLASSES:
            wanted = settings.get(setting, bool, usual)
        if fields and wanted != found:
            logger.warning('%s has %s = %s and %s has %s = %s, which is taken, as transformers does',
                           data.path, name, found, settings.path, setting, wanted)
        arguments[argument] = wanted
    return arguments


def _bert_normalizer(data):
    """The fields of the BertNormalizer, before which sentence-transformers' do_lower_case puts a Lowercase."""
    normalizer = data.get('normalizer', dict)
    steps = normalizer.get('normalizers')
    if normalizer.get('type') == 'Sequence' and isinstance(steps, list) and len(steps) == 2:
        data.expect('normalizer', steps[0], {'type': 'Lowercase'})
        normalizer = data.get(0, dict, within={0: steps[1]})
        if normalizer.get('strip_accents') is None:  # which follows its own setting
            normalizer = dict(normalizer, strip_accents=normalizer.get('lowercase', True))
        normalizer = dict(normalizer, lowercase=True)
    data.expect('normalizer', normalizer.get('type'), 'BertNormalizer')
    return normalizer


def _word_piece(data, settings, vocab, added, names, ids):
    """The HubTokenizer of a tokenizer.json."""
    model, normalizer = data.fields['model'], _bert_normalizer(data)
    data.expect('normalizer with clean_text', normalizer.get('clean_text', True), True)
    data.expect('pre_tokenizer', data.fields.get('pre_tokenizer'), {'type': 'BertPreTokenizer'})
    names['token_unk'] = data.get('unk_token', TEXT, within=model)
    return HubTokenizer(vocab, max_word_length=data.get('max_input_chars_per_word', numbers.Integral, within=model),
                        prefix=data.get('continuing_subword_prefix', TEXT, within=model), added=added,
                        outside=set(vocab) - set(ids), names=names, path=data.path,
                        **_overridden(_NORMALIZER, normalizer, data, settings))


def _unigram(data, settings, vocab, added, names, ids):
    """The HubSpTokenizer of a tokenizer.json, on a SentencePiece model made of its pieces and scores."""
    model = data.fields['model']
    data.expect('model with byte_fallback', model.get('byte_fallback', False), False)
    data.expect('pre_tokenizer', data.fields.get('pre_tokenizer'), _pre_tokenizer())
    data.expect('added token', sorted(set(vocab) - set(ids)), [])
    normalizer = data.get('normalizer', dict)
    data.expect('normalizer', normalizer.get('type'), 'Sequence')
    steps = list(data.get('normalizers', list, within=normalizer))
    charsmap = b''
    if steps and isinstance(steps[-1], dict) and steps[-1].get('type') == 'Precompiled':
        try:
            charsmap = base64.b64decode(data.get('precompiled_charsmap', TEXT, within=steps.pop()))
        except (TypeError, ValueError, binascii.Error) as error:
            raise VocabularyError('%s: the precompiled_charsmap is no base64: %s' % (data.path, error))
    fields = {'lowercase': {'type': 'Lowercase'} in steps, 'keep_accents': {'type': 'NFKD'} not in steps}
    data.expect('normalizer', steps, _steps(**fields))
    unknown = data.get('unk_id', numbers.Integral, within=model)
    data.expect('unk_id', 0 <= unknown < len(model['vocab']), True)
    pieces = [Piece(text, float(score), UNKNOWN if number == unknown else NORMAL)
              for number, (text, score) in enumerate(model['vocab'])]
    names['token_unk'] = pieces[unknown].text
    return HubSpTokenizer(write_model(pieces, charsmap), added=added, names=names, path=data.path,
                          **_overridden(_STEPS, fields, data, settings))


def _steps(lowercase, keep_accents):
    """The normalizer of ALBERT, without the table of the model."""
    steps = [{'type': 'Replace', 'pattern': {'String': quotes}, 'content': '"'} for quotes in ('``', "''")]
    steps += [] if keep_accents else [{'type': 'NFKD'}, {'type': 'StripAccents'}]
    return steps + [{'type': 'Lowercase'}] * bool(lowercase)


def _pre_tokenizer():
    return {'type': 'Sequence', 'pretokenizers': [
        {'type': 'WhitespaceSplit'},
        {'type': 'Metaspace', 'replacement': '\u2581', 'prepend_scheme': 'always', 'split': True}]}


# ------------------------------------------------------------------ writing

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
        tokenizer = _open(folder, None if name == TOKENIZER_JSON else vocab_path)
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
    steps = _steps(lowercase, keep_accents)
    if charsmap:
        steps.append({'type': 'Precompiled', 'precompiled_charsmap': base64.b64encode(charsmap).decode('ascii')})
    data['normalizer'] = {'type': 'Sequence', 'normalizers': steps}
    data['pre_tokenizer'] = _pre_tokenizer()
    data['post_processor'] = _post_processor(tokenizer)
    data['decoder'] = _pre_tokenizer()['pretokenizers'][1]
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
    parts = _parts(cls, sep)
    return {'type': 'TemplateProcessing', 'single': parts[:3], 'pair': parts, 'special_tokens': {
        token: {'id': token, 'ids': [tokenizer.token_to_id(token)], 'tokens': [token]} for token in (cls, sep)}}


def _write_json(directory, name, value):
    with whole_file(os.path.join(directory, name)) as writer:
        writer.write(json.dumps(value, indent=2, sort_keys=False, separators=(',', ': ')).encode('utf-8'))


# ------------------------------------------------------------------ Hugging Face's rules

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
        text = ''.join(super(HubSpTokenizer, self)._encode_pieces(word))
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


# ------------------------------------------------------------------ the file of a SentencePiece model

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNIGRAM = 1, 2, 3, 4, 1
VARINT, LENGTH, FIXED64, FIXED32 = 0, 2, 1, 5

Piece = collections.namedtuple('Piece', 'text score type')


def write_model(pieces, charsmap):
    """Returns the bytes of a Unigram model.

    Args:
        pieces: list of Piece, in the order of their ids.
        charsmap: bytes, the table of its normalizer; b'' for one that changes nothing.
    """
    unknown = [number for number, piece in enumerate(pieces) if piece.type == UNKNOWN]
    model = b''.join(_field(1, _field(1, piece.text.encode('utf-8')) + _field(2, piece.score) + _field(3, piece.type))
                     for piece in pieces)
    trainer = _field(3, UNIGRAM) + b''.join(_field(40 + index, number & (2 ** 64 - 1))
                                            for index, number in enumerate(unknown[:1] + [-1, -1, -1]))
    normalizer = _field(1, b'identity') + (_field(2, charsmap) if charsmap else b'')
    return model + _field(2, trainer) + _field(3, normalizer + _field(3, 1) + _field(4, 1) + _field(5, 1))


def read_model(data):
    """Reads what `write_model` writes: (list of Piece, charsmap, the number of the model's type).

    Raises:
        VocabularyError: it is no such file.
    """
    pieces, charsmap, kind = [], b'', UNIGRAM
    try:
        for number, value in _fields(data):
            inner = dict(_fields(value)) if number in (1, 2, 3) else {}
            if number == 1:
                score, = struct.unpack(str('<f'), inner.get(2, b'\0' * 4))
                pieces.append(Piece(inner[1].decode('utf-8'), score, inner.get(3, NORMAL)))
            elif number == 2:
                kind = inner.get(3, UNIGRAM)
            elif number == 3:
                charsmap = inner.get(2, b'')
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise VocabularyError('not a SentencePiece model (%s: %s); download it again' % (type(error).__name__, error))
    return pieces, charsmap, kind


def _field(number, value):
    """A field of a protocol buffer: an int, a float or bytes."""
    if isinstance(value, float):
        return _varint(number << 3 | FIXED32) + struct.pack(str('<f'), value)
    if isinstance(value, bytes):
        return _varint(number << 3 | LENGTH) + _varint(len(value)) + value
    return _varint(number << 3 | VARINT) + _varint(value)


def _varint(value):
    """Seven bits a byte, the lowest first; the eighth bit says that more follow."""
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes(data + bytearray([value]))


def _fields(data):
    """Yields (number, value) of each field: an int, or bytes."""
    data, place = bytearray(data), 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        if tag & 7 == VARINT:
            value, place = _read_varint(data, place)
        else:
            if tag & 7 == LENGTH:
                size, place = _read_varint(data, place)
            else:
                size = {FIXED32: 4, FIXED64: 8}[tag & 7]
            if place + size > len(data):
                raise ValueError('it ends at byte %d inside a field' % len(data))
            value, place = bytes(data[place:place + size]), place + size
        yield tag >> 3, value


def _read_varint(data, place):
    value = shift = 0
    while True:
        value |= (data[place] & 127) << shift
        place, shift = place + 1, shift + 7
        if data[place - 1] < 128:
            return value, place
