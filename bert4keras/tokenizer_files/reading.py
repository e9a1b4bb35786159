# -*- coding: utf-8 -*-
"""Which tokenizer a directory has, and with which settings."""
from __future__ import absolute_import, division, print_function, unicode_literals

import base64
import binascii
import collections
import fnmatch
import json
import logging
import numbers
import os

from bert4keras.compat import TEXT, fspath
from bert4keras.errors import VocabularyError
from bert4keras.release.config import read_config
from bert4keras.release.directory import CONFIG_PATTERNS, VOCAB_PATTERNS, find_release
from bert4keras.tokenizer import SpTokenizer, Tokenizer
from bert4keras.tokenizer_files.hub import AddedToken, HubSpTokenizer, HubTokenizer, XlmTokenizer
from bert4keras.tokenizer_files.parts import (
    NAMES, TOKENIZER_CONFIG, TOKENIZER_JSON, template_parts, unigram_pre_tokenizer, unigram_steps, xlm_parts)
from bert4keras.tokenizer_files.sentencepiece_model import (
    CONTROL, NORMAL, UNKNOWN, USER_DEFINED, Piece, read_model, write_model)
from bert4keras.tokenizer_parts import load_vocab, read_bytes

__all__ = ['load_tokenizer', 'open_tokenizer']

logger = logging.getLogger(__name__)
# The settings of these classes of transformers come from tokenizer_config.json, whatever tokenizer.json says ...
WORD_PIECE_CLASSES = ('BertTokenizer', 'DistilBertTokenizer', 'ElectraTokenizer', 'MobileBertTokenizer')
SENTENCEPIECE_CLASSES = ('AlbertTokenizer',)
XLM_CLASSES, XLM_MODEL = ('XLMRobertaTokenizer',), 'sentencepiece.bpe.model'
PLAIN_CLASSES = ('PreTrainedTokenizer', 'TokenizersBackend')  # ... and of these, from tokenizer.json alone
NO_LIMIT = 10 ** 9  # transformers writes 10 ** 30 where it knows no model_max_length


def load_tokenizer(source, lowercase=False):
    """Returns the tokenizer that belongs to a model.

    Args:
        source: its directory, or the prefix of a checkpoint in it; or a `families.Release`.
        lowercase: True lower-cases texts, whatever the files say; accents are kept or dropped as they say.

    Returns:
        `Tokenizer` or `SpTokenizer`: Google's for a directory without tokenizer.json and tokenizer_config.json, with
        the settings of these files where they are.

    Raises:
        VocabularyError: there is no vocabulary, it does not fit the config, or the files want what is not built.
    """
    directory, config_path, vocab_path = _places(source)
    json_path = os.path.join(directory, TOKENIZER_JSON)
    if vocab_path is None and not os.path.exists(json_path):
        if os.path.exists(os.path.join(directory, 'merges.txt')):
            raise VocabularyError('%s has merges.txt, of byte-level BPE, the tokenizer of RoBERTa, which is not built; '
                                  'built are WordPiece, and the SentencePiece of XLM-R and ALBERT' % directory)
        raise VocabularyError('there is no vocabulary, a file like tokenizer.json or %s, beside %s'
                              % (' or '.join(VOCAB_PATTERNS), config_path or directory))
    tokenizer = open_tokenizer(directory, vocab_path)
    if config_path is not None:
        _check_size(tokenizer, json_path if os.path.exists(json_path) else vocab_path, config_path)
    if lowercase:
        _lower_case(tokenizer)
    return tokenizer


def _lower_case(tokenizer):
    """Makes a tokenizer lower-case texts; see `load_tokenizer`."""
    if tokenizer._case_sensitive and getattr(tokenizer, '_strip_accents', False) is None:
        tokenizer._strip_accents = False  # None would follow the other setting
    tokenizer._case_sensitive = False


def open_tokenizer(directory, vocab_path):
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
    if os.path.basename(path) == XLM_MODEL and settings.class_name() in ('',) + XLM_CLASSES:
        return _xlm_of_model(path, settings)
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


def _xlm_of_model(path, settings):
    """The XlmTokenizer of a SentencePiece model alone, whose first pieces are <unk>, <s> and </s>."""
    pieces, charsmap, _ = read_model(read_bytes(path, 'SentencePiece model'))
    settings.expect('order of the pieces in ' + path, [piece.text for piece in pieces[:3]], ['<unk>', '<s>', '</s>'])
    first = [Piece(text, 0.0, UNKNOWN if text == '<unk>' else NORMAL) for text in ('<s>', '<pad>', '</s>', '<unk>')]
    pieces = first + [Piece(piece.text, piece.score, NORMAL) for piece in pieces[3:]] + [Piece('<mask>', 0.0, NORMAL)]
    ids = collections.OrderedDict((piece.text, number) for number, piece in enumerate(pieces))
    special = [piece.text for piece in first] + ['<mask>']
    vocab, added, names = _with_added(ids, special, settings, settings, XlmTokenizer)
    return XlmTokenizer(write_model(pieces, b''), charsmap, added, names, path)


def _from_tokenizer_json(data, settings, vocab_path):
    """The tokenizer of a tokenizer.json; a vocabulary beside it must not contradict it."""
    model = data.get('model', dict)
    kind = data.get('type', TEXT, 'WordPiece' if 'continuing_subword_prefix' in model else '', within=model)
    if kind == 'BPE':
        raise VocabularyError('%s has a model "BPE": byte-level BPE, RoBERTa\'s tokenizer, is not built; built are '
                              'WordPiece, and the Unigram of XLM-R and ALBERT' % data.path)
    data.expect('model', kind, 'WordPiece', 'Unigram')
    ids = _word_piece_ids(data, model) if kind == 'WordPiece' else _unigram_ids(data, model)
    usual = Tokenizer if kind == 'WordPiece' else XlmTokenizer if _is_xlm(data) else SpTokenizer
    vocab, added, names = _with_added(ids, data.get('added_tokens', list, []), data, settings, usual)
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
        parts = xlm_parts(cls, sep) if _is_xlm(data) else template_parts(cls, sep)
        data.expect('post_processor for one text', single, parts[:3])
        data.expect('post_processor for pairs', processor.get('pair'), parts)
    return {'token_cls': cls, 'token_sep': sep}


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


# what XLM-R's normalizer does besides its table, and the split at white space does again
_SPACES = [{'type': 'Replace', 'pattern': {'Regex': ' {2,}'}, 'content': ' '}]


def _type_of(step):
    return step.get('type') if isinstance(step, dict) else None


def _steps_of(data):
    """The normalizers of a file in a list, whether they are in a Sequence there or not."""
    normalizer = data.get('normalizer', dict, {})
    if _type_of(normalizer) == 'Sequence':
        return list(data.get('normalizers', list, within=normalizer))
    return [normalizer] if normalizer else []


def _is_xlm(data):
    """Whether a file's normalizer is that of XLM-R: first, or only, the model's table."""
    is_unigram = _type_of(data.fields.get('model')) == 'Unigram'
    return is_unigram and [_type_of(step) for step in _steps_of(data)][:1] in ([], ['Precompiled'])


def _in_newer_words(pre_tokenizer):
    """A pre-tokenizer as tokenizers 0.23 writes it: `add_prefix_space` of before 0.15 is `prepend_scheme`."""
    if _type_of(pre_tokenizer) != 'Sequence' or not isinstance(pre_tokenizer.get('pretokenizers'), list):
        return pre_tokenizer
    steps = []
    for step in pre_tokenizer['pretokenizers']:
        if _type_of(step) == 'Metaspace':
            old = {name: step[name] for name in step if name not in ('add_prefix_space', 'str_rep')}
            scheme = 'always' if step.get('add_prefix_space', True) else 'never'
            step = dict({'prepend_scheme': scheme, 'split': True}, **old)
        steps.append(step)
    return dict(pre_tokenizer, pretokenizers=steps)


def _unigram(data, settings, vocab, added, names, ids):
    """The HubSpTokenizer of a tokenizer.json, on a SentencePiece model made of its pieces and scores."""
    model = data.fields['model']
    data.expect('model with byte_fallback', model.get('byte_fallback', False), False)
    data.expect('pre_tokenizer', _in_newer_words(data.fields.get('pre_tokenizer')), unigram_pre_tokenizer())
    data.expect('added token', sorted(set(vocab) - set(ids)), [])
    steps, charsmap = _steps_of(data), b''
    is_xlm, table = _is_xlm(data), [step for step in steps if _type_of(step) == 'Precompiled']
    if table:
        steps.remove(table[-1])
        try:
            charsmap = base64.b64decode(data.get('precompiled_charsmap', TEXT, within=table[-1]))
        except (TypeError, ValueError, binascii.Error) as error:
            raise VocabularyError('%s: the precompiled_charsmap is no base64: %s' % (data.path, error))
    fields = {'lowercase': {'type': 'Lowercase'} in steps, 'keep_accents': {'type': 'NFKD'} not in steps}
    data.expect('normalizer', steps, [] if is_xlm else unigram_steps(**fields), _SPACES if is_xlm else None)
    unknown = data.get('unk_id', numbers.Integral, within=model)
    data.expect('unk_id', 0 <= unknown < len(model['vocab']), True)
    pieces = [Piece(text, float(score), UNKNOWN if number == unknown else NORMAL)
              for number, (text, score) in enumerate(model['vocab'])]
    names['token_unk'] = pieces[unknown].text
    if is_xlm:
        return XlmTokenizer(write_model(pieces, b''), charsmap, added, names, data.path)
    return HubSpTokenizer(write_model(pieces, charsmap), added=added, names=names, path=data.path,
                          **_overridden(_STEPS, fields, data, settings))
