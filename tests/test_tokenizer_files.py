# -*- coding: utf-8 -*-
"""A directory's own tokenizer files decide where they speak, and what is not built is refused by name.

The expected ids are written out: transformers 5.23 gave them for these files.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import copy
import io
import json
import logging
import os
import pickle

import pytest

from bert4keras.errors import VocabularyError
from bert4keras.release.directory import vocabulary_name
from bert4keras.tokenizer import SpTokenizer, Tokenizer, load_vocab, save_vocab
from bert4keras.tokenizer_files import (
    AddedToken, HubSpTokenizer, HubTokenizer, carry_tokenizer, load_tokenizer, save_tokenizer_files)
from bert4keras.tokenizer_files.sentencepiece_model import CONTROL, NORMAL, UNKNOWN, Piece, read_model, write_model
from bert4keras.tokenizer_parts import fit, fit_longest_first
from tests.helpers.train_sentencepiece import train

pytestmark = pytest.mark.engine_free
TOKENS = ('[PAD] [UNK] [CLS] [SEP] [MASK] stra \xdf stra\xdfe \xe4 a \u4e2d \u56fd \u4e2d\u56fd A x ##x ##\u56fd ##a '
          '. \u03c3 ##\u03c3 ##\u03c2 b ##b').split()
IDS = {token: number for number, token in enumerate(TOKENS)}
CONFIG = {'vocab_size': 29, 'hidden_size': 8, 'num_hidden_layers': 1, 'num_attention_heads': 2, 'intermediate_size': 9,
          'max_position_embeddings': 17, 'type_vocab_size': 2, 'hidden_act': 'gelu'}
SPECIAL = TOKENS[:5]


def added(content, number, **flags):
    """An entry of `added_tokens`."""
    return dict({'id': number, 'content': content, 'single_word': False, 'lstrip': False, 'rstrip': False,
                 'normalized': False, 'special': True}, **flags)


def template(cls='[CLS]', sep='[SEP]', second=1):
    """BERT's post-processor."""
    parts = [{'SpecialToken': {'id': cls, 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}},
             {'SpecialToken': {'id': sep, 'type_id': 0}}, {'Sequence': {'id': 'B', 'type_id': second}},
             {'SpecialToken': {'id': sep, 'type_id': second}}]
    return {'type': 'TemplateProcessing', 'single': parts[:3], 'pair': parts, 'special_tokens': {}}


def word_piece(normalizer=(), model=(), **fields):
    """A tokenizer.json of BERT's kind, with changes."""
    data = {'version': '1.0', 'truncation': None, 'padding': None,
            'added_tokens': [added(token, number) for number, token in enumerate(SPECIAL)],
            'normalizer': dict({'type': 'BertNormalizer', 'clean_text': True, 'handle_chinese_chars': True,
                                'strip_accents': None, 'lowercase': True}, **dict(normalizer)),
            'pre_tokenizer': {'type': 'BertPreTokenizer'}, 'post_processor': template(),
            'decoder': {'type': 'WordPiece', 'prefix': '##', 'cleanup': True},
            'model': dict({'type': 'WordPiece', 'unk_token': '[UNK]', 'continuing_subword_prefix': '##',
                           'max_input_chars_per_word': 100, 'vocab': IDS}, **dict(model))}
    data.update(fields)
    return data


def unigram(**fields):
    """A tokenizer.json of ALBERT's kind, with changes."""
    scores = [('<pad>', 0.), ('<unk>', 0.), ('[CLS]', 0.), ('[SEP]', 0.), ('[MASK]', 0.), ('(', 0.), ('\u2581', -2.),
              ('a', -3.), ('b', -3.5), ('\u2581ab', -4.), ('ba', -4.25), ('aa', -5.5), ('A', -6.), ('\xe4', -6.5)]
    data = {'added_tokens': [added(token, number) for number, (token, _) in enumerate(scores[:6])],
            'normalizer': {'type': 'Sequence', 'normalizers': [
                {'type': 'Replace', 'pattern': {'String': '``'}, 'content': '"'},
                {'type': 'Replace', 'pattern': {'String': "''"}, 'content': '"'},
                {'type': 'NFKD'}, {'type': 'StripAccents'}, {'type': 'Lowercase'}]},
            'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': [
                {'type': 'WhitespaceSplit'}, {'type': 'Metaspace', 'replacement': '\u2581', 'prepend_scheme': 'always',
                                              'split': True}]},
            'post_processor': template(),
            'model': {'type': 'Unigram', 'unk_id': 1, 'byte_fallback': False,
                      'vocab': [list(entry) for entry in scores]}}
    data.update(fields)
    return data


def write(folder, **files):
    """Writes JSON files, without their ending as names, and returns the folder's path."""
    for name, value in files.items():
        with io.open(os.path.join(str(folder), name + '.json'), 'wb') as stream:
            stream.write(value if isinstance(value, bytes) else json.dumps(value).encode('utf-8'))
    return str(folder)


def tokens_of(tokenizer, text):
    """The tokens between [CLS] and [SEP]."""
    token_ids = tokenizer.encode(text)[0]
    assert tokenizer.ids_to_tokens(token_ids) == tokenizer.tokenize(text)
    return ' '.join(tokenizer.tokenize(text)[1:-1])


# ------------------------------------------------------------------ WordPiece

@pytest.mark.parametrize('normalizer, tokens', [
    ({}, 'a a stra\xdfe \u4e2d \u56fd'),
    ({'strip_accents': False}, '\xe4 a stra\xdfe \u4e2d \u56fd'),
    ({'lowercase': False}, '[UNK] A stra\xdfe \u4e2d \u56fd'),
    ({'lowercase': False, 'strip_accents': True}, 'A A stra\xdfe \u4e2d \u56fd'),
    ({'handle_chinese_chars': False}, 'a a stra\xdfe \u4e2d\u56fd')],
    ids=['uncased', 'accents stay', 'cased', 'cased without accents', 'Chinese words'])
def test_the_normalizer_decides(tmpdir, normalizer, tokens):
    """Each field of tokenizer.json's normalizer."""
    tokenizer = load_tokenizer(write(tmpdir, tokenizer=word_piece(normalizer)))
    assert tokens_of(tokenizer, '\xc4 A stra\xdfe \u4e2d\u56fd') == tokens


@pytest.mark.parametrize('normalizer, tokens', [
    ({'lowercase': False}, '\xe4 a'), ({'lowercase': True}, 'a a'),
    ({'lowercase': False, 'strip_accents': True}, 'a a')])
def test_lower_casing_may_come_first(tmpdir, normalizer, tokens):
    """A Lowercase before the rest, which sentence-transformers' do_lower_case writes, leaves accents to the rest."""
    data = word_piece(normalizer)
    assert tokens_of(load_tokenizer(write(tmpdir, tokenizer=data), lowercase=True), '\xc4 A') == tokens
    data['normalizer'] = {'type': 'Sequence', 'normalizers': [{'type': 'Lowercase'}, data['normalizer']]}
    assert tokens_of(load_tokenizer(write(tmpdir, tokenizer=data)), '\xc4 A') == tokens
    for steps in ([{'type': 'Lowercase'}, 5], [{'type': 'NFC'}, data['normalizer']['normalizers'][1]]):
        data['normalizer']['normalizers'] = steps
        with pytest.raises(VocabularyError):
            load_tokenizer(write(tmpdir, tokenizer=data))


def test_a_vocabulary_or_a_unigram_is_lower_cased_when_asked(tmpdir):
    """A cased vocabulary alone, and the model of ALBERT's kind; accents stay as they were."""
    save_vocab(str(tmpdir.mkdir('words').join('vocab.txt')), IDS)
    words = [load_tokenizer(str(tmpdir.join('words')), lowercase=lowercase) for lowercase in (False, True)]
    assert [tokens_of(tokenizer, '\xc4 A') for tokenizer in words] == ['[UNK] A', '\xe4 a']
    pytest.importorskip('sentencepiece', reason='sentencepiece is not in this row')
    steps = [step for step in unigram()['normalizer']['normalizers'][:2]]
    write(tmpdir.mkdir('pieces'), tokenizer=unigram(normalizer={'type': 'Sequence', 'normalizers': steps}))
    pieces = [load_tokenizer(str(tmpdir.join('pieces')), lowercase=lowercase) for lowercase in (False, True)]
    assert [tokens_of(tokenizer, '\xe4A') for tokenizer in pieces] == ['\u2581 \xe4 A', '\u2581 \xe4 a']


@pytest.mark.parametrize('settings, text, tokens', [
    ({}, '\xe4 A stra\xdfe', 'a a stra\xdfe'), ({'do_lower_case': False}, '\xe4 A', '\xe4 A'),
    ({'strip_accents': False}, '\xc4 A', '\xe4 a'), ({'tokenize_chinese_chars': False}, '\u4e2d\u56fd', '\u4e2d\u56fd'),
    ({'tokenize_chinese_chars': True}, '\u4e2d\u56fd', '\u4e2d \u56fd')])
def test_the_settings_decide_where_there_is_no_other_file(tmpdir, settings, text, tokens):
    """vocab.txt and tokenizer_config.json: each setting, and transformers' default where one is not there."""
    save_vocab(str(tmpdir.join('vocab.txt')), IDS)
    folder = write(tmpdir, tokenizer_config=dict(settings, tokenizer_class='BertTokenizerFast', model_max_length=512))
    tokenizer = load_tokenizer(folder)
    assert tokens_of(tokenizer, text) == tokens and tokenizer.model_max_length == 512


def test_a_setting_overrides_the_normalizer_as_in_transformers(tmpdir, caplog):
    """It is logged; for classes that take tokenizer.json as it is, the setting is ignored."""
    write(tmpdir, tokenizer=word_piece({'lowercase': True}))
    for name, tokens in (('BertTokenizer', 'A'), ('PreTrainedTokenizerFast', 'a'), ('TokenizersBackend', 'a')):
        caplog.clear()
        folder = write(tmpdir, tokenizer_config={'do_lower_case': False, 'tokenizer_class': name})
        with caplog.at_level(logging.WARNING):
            assert tokens_of(load_tokenizer(folder), 'A') == tokens
        assert ('lowercase = True' in caplog.text and 'do_lower_case = False' in caplog.text) == (tokens == 'A')


def test_google_s_releases_keep_google_s_rules(tmpdir):
    """Without these files: special tokens are cut, words may have 200 characters, a final sigma is one."""
    vocab = {'y' if token == 'A' else token: number for token, number in IDS.items()}
    save_vocab(str(tmpdir.join('vocab.txt')), vocab)  # without a capital
    google = load_tokenizer(str(tmpdir))
    assert type(google) is Tokenizer and google.model_max_length is None
    hub = load_tokenizer(write(tmpdir, tokenizer=word_piece(model={'vocab': vocab})))
    assert type(hub) is HubTokenizer
    for text, ours, theirs in (
            ('[MASK]', '[UNK] [UNK] [UNK]', '[MASK]'), ('x' * 101, 'x' + ' ##x' * 100, '[UNK]'),
            ('x\u03a3', 'x ##%s' % 'x\u03a3'.lower()[1], 'x ##\u03c3'), ('a\ue000x', '[UNK]', 'a ##x')):
        assert (tokens_of(google, text), tokens_of(hub, text)) == (ours, theirs)
    assert tokens_of(hub, 'x' * 100) == 'x' + ' ##x' * 99
    assert hub.encode('x\u03a3', offsets=True)[2][1:-1] == [(0, 1), (1, 2)]


@pytest.mark.skipif(len('\U00020000') > 1, reason='a narrow build has no characters beyond U+FFFF')
@pytest.mark.parametrize('ch, is_word', [('\U0002b81f', True), ('\U0002b820', False), ('\U0002b91f', False),
                                         ('\U0002b920', True), ('\u2e31', True), ('\u2e43', False),
                                         ('\u166d', True), ('\U000111c9', True)])
def test_characters_that_are_words_by_themselves(ch, is_word):
    """CJK except for one range, and punctuation of Unicode 8, whatever it is called today."""
    tokenizer = HubTokenizer({'[UNK]': 0, 'a': 1, ch: 2, '##' + ch: 3, 'b': 4, '##b': 5})
    assert tokenizer._tokenize('a%sb' % ch) == (['a', ch, 'b'] if is_word else ['a', '##' + ch, '##b'])


@pytest.mark.parametrize('ch, is_accent', [('\u0301', True), ('\u1de6', True), ('\u1df6', False), ('\u1734', True)])
def test_accents_are_those_of_unicode_8(ch, is_accent):
    """A later one is a letter."""
    assert HubTokenizer({'[UNK]': 0, 'ab': 1})._tokenize('a%sb' % ch) == ['ab' if is_accent else '[UNK]']


def test_word_length_prefix_and_unknown_token_are_the_file_s(tmpdir):
    """Three fields of the model, none at its default."""
    vocab = dict(IDS, **{'@@x': 24, '[NO]': 25})
    tokenizer = load_tokenizer(write(tmpdir, tokenizer=word_piece(model={
        'max_input_chars_per_word': 3, 'continuing_subword_prefix': '@@', 'unk_token': '[NO]', 'vocab': vocab})))
    assert tokens_of(tokenizer, 'xxx xxxx') == 'x @@x @@x [NO]'
    assert tokenizer.decode(tokenizer.encode('xxx a')[0]) == 'xxx a'
    assert tokenizer.encode('xx', offsets=True)[2] == [(0, 0), (0, 1), (1, 2), (0, 0)]


@pytest.mark.parametrize('flags, text, tokens', [
    ({}, 'aQaa Qa qa', 'a Qa a Qa [UNK]'), ({'normalized': True}, 'aQaa QA qa', 'a Qa a Qa Qa'),
    ({'single_word': True}, 'aQaa Qa,Qa', '[UNK] Qa [UNK] Qa'), ({'lstrip': True, 'rstrip': True}, 'a Qa a', 'a Qa a')])
def test_added_tokens_are_kept_whole(tmpdir, flags, text, tokens):
    """In the text as it is, or as it is normalized; as words only; and they are no pieces of other words."""
    data = word_piece(added_tokens=[added(token, number) for number, token in enumerate(SPECIAL)]
                      + [added('Qa', 24, special=False, **flags)])
    tokenizer = load_tokenizer(write(tmpdir, tokenizer=data))
    assert tokens_of(tokenizer, text) == tokens and tokenizer.vocab_size == 25
    for copied in (pickle.loads(pickle.dumps(tokenizer, 2)), copy.deepcopy(tokenizer)):
        assert tokens_of(copied, text) == tokens
    spans = tokenizer.encode(text, offsets=True)[2]
    assert ''.join(text[start:end] for start, end in spans).replace(' ', '') == text.replace(' ', '')


def test_an_added_token_with_a_space(tmpdir):
    """It is found across what would be cut at the space, in long texts too; the longest of two at one place wins."""
    more = [added('a b', 24), added('a', 9), added('\u4e2d\u56fd', 12)]
    data = word_piece(added_tokens=[added(token, number) for number, token in enumerate(SPECIAL)] + more)
    tokenizer = load_tokenizer(write(tmpdir, tokenizer=data))
    assert tokens_of(tokenizer, 'xa bx \u4e2d\u56fd') == 'x a b x \u4e2d\u56fd'
    text = 'x ' * 32767 + 'xa b' + ' \u4e2d\u56fd'
    assert tokenizer._tokenize(text)[-2:] == ['a b', '\u4e2d\u56fd']
    assert tokenizer.ids_to_tokens(tokenizer.encode(text)[0][-3:-1]) == ['a b', '\u4e2d\u56fd']


def test_special_tokens_have_the_names_of_the_settings(tmpdir):
    """Names as strings or as mappings; the post-processor's [CLS] and [SEP] come first."""
    vocab = dict(IDS, **{'<c>': 24, '<s>': 25, '<m>': 26, '<p>': 27})
    folder = write(tmpdir, tokenizer=word_piece(model={'vocab': vocab}, post_processor=template('<c>', '<s>')),
                   tokenizer_config={'mask_token': {'content': '<m>'}, 'pad_token': '<p>', 'cls_token': 'a'})
    tokenizer = load_tokenizer(folder)
    assert (tokenizer.token_cls_id, tokenizer.token_sep_id, tokenizer.token_mask_id, tokenizer.token_pad_id,
            tokenizer.token_unk_id) == (24, 25, 26, 27, 1)
    assert tokenizer.encode('<m>x', first_length=6)[0] == [24, 26, 14, 25, 27, 27]
    bert = word_piece(model={'vocab': vocab}, post_processor={'type': 'BertProcessing', 'sep': ['<s>', 25],
                                                              'cls': ['<c>', 24]})
    assert load_tokenizer(write(tmpdir, tokenizer=bert)).encode('x')[0] == [24, 14, 25]


REFUSED = [
    ('"BPE"', word_piece(model={'type': 'BPE'})), ('"ByteLevel"', word_piece(pre_tokenizer={'type': 'ByteLevel'})),
    ('normalizer "NFC"', word_piece(normalizer={'type': 'NFC'})),
    ('clean_text', word_piece(normalizer={'clean_text': False})),
    ('"RobertaProcessing"', word_piece(post_processor={'type': 'RobertaProcessing'})),
    ('for pairs', word_piece(post_processor=template(second=0))),
    ('byte_fallback', unigram(model=dict(unigram()['model'], byte_fallback=True))),
    ('normalizer', unigram(normalizer={'type': 'Sequence', 'normalizers': [{'type': 'NFC'}]})),
    ('added token', unigram(added_tokens=[added('more', 14)]))]


@pytest.mark.parametrize('name, data', REFUSED, ids=[name for name, _ in REFUSED])
def test_what_is_not_built_is_refused_by_name(tmpdir, name, data):
    """The error names the file and what is in it."""
    with pytest.raises(VocabularyError) as caught:
        load_tokenizer(write(tmpdir, tokenizer=data))
    assert name in str(caught.value) and 'tokenizer.json' in str(caught.value) and 'not built' in str(caught.value)


BROKEN = [b'', b'[]', b'{"model": {}, "model": {}}', b'\xff', b'{"model": 3}', b'[' * 100000, b'{"model": null}',
          word_piece(model={'vocab': {'a': 1.5}}), word_piece(model={'vocab': {'a': True}}),
          word_piece(model={'vocab': []}),
          word_piece(model={'vocab': {'a': 2, 'b': 2}}), word_piece(model={'vocab': {'a': -1}}),
          word_piece(model={'max_input_chars_per_word': '100'}), word_piece(normalizer={'lowercase': 'yes'}),
          word_piece(added_tokens=[3]), word_piece(added_tokens=[{'content': 'a'}, {'id': 3}]),
          word_piece(added_tokens=[added('a', 77)]),
          word_piece(post_processor={'type': 'TemplateProcessing', 'single': [1]}),
          unigram(model={'type': 'Unigram', 'unk_id': 1, 'vocab': [['a']]}),
          unigram(model={'type': 'Unigram', 'unk_id': 14, 'vocab': unigram()['model']['vocab']}),
          unigram(normalizer={'type': 'Sequence', 'normalizers': [
              {'type': 'Precompiled', 'precompiled_charsmap': '\u4e2d'}]})]


@pytest.mark.parametrize('data', BROKEN, ids=[str(number) for number in range(len(BROKEN))])
def test_a_broken_file_is_a_vocabulary_error(tmpdir, data):
    """Not JSON, a field twice, fields of other kinds, ids twice or out of range: the file is named."""
    with pytest.raises(VocabularyError) as caught:
        load_tokenizer(write(tmpdir, tokenizer=data))
    assert 'tokenizer.json' in str(caught.value)


def test_classes_of_other_rules_are_refused(tmpdir):
    """A vocabulary that Japanese words are cut with before is no BERT vocabulary for us."""
    save_vocab(str(tmpdir.join('vocab.txt')), IDS)
    folder = write(tmpdir, tokenizer_config={'tokenizer_class': 'BertJapaneseTokenizer'})
    with pytest.raises(VocabularyError) as caught:
        load_tokenizer(folder)
    assert 'BertJapaneseTokenizer' in str(caught.value) and 'tokenizer_config.json' in str(caught.value)


def test_two_vocabularies_that_differ_are_an_error(tmpdir):
    """vocab.txt beside tokenizer.json must have the ids that it has."""
    save_vocab(str(tmpdir.join('vocab.txt')), IDS)
    folder = write(tmpdir, tokenizer=word_piece())
    assert tokens_of(load_tokenizer(folder), 'x') == 'x'
    save_vocab(str(tmpdir.join('vocab.txt')), {token: number for number, token in enumerate(reversed(TOKENS))})
    with pytest.raises(VocabularyError) as caught:
        load_tokenizer(folder)
    assert 'vocab.txt' in str(caught.value) and 'tokenizer.json' in str(caught.value)


def test_the_vocabulary_must_fit_the_config(tmpdir, caplog):
    """Fewer tokens are a padded table, which is logged; more are an error; none at all is one, too."""
    folder = write(tmpdir, tokenizer=word_piece(), config=CONFIG)
    with caplog.at_level(logging.WARNING):
        assert load_tokenizer(folder).vocab_size == 24
    assert '24 tokens' in caplog.text and '29' in caplog.text
    caplog.clear()
    load_tokenizer(write(tmpdir, config=dict(CONFIG, vocab_size=24)))
    assert caplog.text == ''
    with pytest.raises(VocabularyError) as caught:
        load_tokenizer(write(tmpdir, config=dict(CONFIG, vocab_size=23)))
    assert '24' in str(caught.value) and '23' in str(caught.value)
    os.remove(os.path.join(folder, 'tokenizer.json'))
    with pytest.raises(VocabularyError) as caught:
        load_tokenizer(folder)
    assert 'there is no vocabulary' in str(caught.value)


@pytest.mark.parametrize('limit, expected', [(512, 512), (10 ** 30, None), (1e30, None), (None, None)])
def test_the_models_length_is_known(tmpdir, limit, expected):
    """`model_max_length`, unless it is what transformers writes for "no limit"."""
    folder = write(tmpdir, tokenizer=word_piece(), tokenizer_config={'model_max_length': limit})
    assert load_tokenizer(folder).model_max_length == expected


# ------------------------------------------------------------------ Unigram

def test_a_unigram_model_is_read_from_its_json(tmpdir):
    """Pieces by their scores; added tokens are taken out first, and a word begins after each."""
    pytest.importorskip('sentencepiece')
    tokenizer = load_tokenizer(write(tmpdir, tokenizer=unigram()))
    assert type(tokenizer) is HubSpTokenizer
    for text, tokens in (('ab', '\u2581ab'), ('(ab', '( \u2581ab'), ('\xe4B', '\u2581ab'),
                         ('[MASK]a', '[MASK] \u2581 a'), ('zz a', '\u2581 <unk> \u2581 a'), ('baa', '\u2581 ba a')):
        assert tokenizer.ids_to_tokens(tokenizer.encode(text)[0])[1:-1] == tokens.split(' '), text
        assert pickle.loads(pickle.dumps(tokenizer, 2)).encode(text) == tokenizer.encode(text)
    cased = load_tokenizer(write(tmpdir, tokenizer_config={'do_lower_case': False, 'keep_accents': True}))
    assert cased._tokenize('A\xe4') == ['\u2581', 'A', '\xe4']


def test_of_equal_scores_the_longer_last_piece_wins(tmpdir):
    """As in tokenizers: SentencePiece, which adds in float32, may choose the other way."""
    pytest.importorskip('sentencepiece')
    tokenizer = load_tokenizer(write(tmpdir, tokenizer=unigram()))
    for text in ('a' * 3, 'a' * 5):
        pieces = tokenizer._tokenize(text)
        assert pieces == ['\u2581', 'a'] + ['aa'] * (len(text) // 2)


def test_a_model_file_reads_back():
    """Pieces, scores, kinds and the normalizer's table; a damaged one is a VocabularyError, whatever is cut off."""
    pieces = [Piece('<unk>', 0.0, UNKNOWN), Piece('[CLS]', 0.0, CONTROL), Piece('\u2581a', -2.5, NORMAL)]
    data = write_model(pieces, b'table' * 99)
    assert read_model(data) == (pieces, b'table' * 99, 1)
    for end in range(1, len(data)):
        try:
            assert len(read_model(data[:end])[0]) <= 3
        except VocabularyError as error:
            assert 'SentencePiece' in str(error)


# ------------------------------------------------------------------ writing

SAVED = [Tokenizer(IDS, True, 77), Tokenizer(IDS, False, strip_accents=False), HubTokenizer(IDS, True, False, False),
         HubTokenizer(
    dict(IDS, Qa=24), False, True, False, 41, added=[AddedToken(token, False, False) for token in SPECIAL]
    + [AddedToken('Qa', True, True)], outside=['Qa'])]


@pytest.mark.parametrize('tokenizer', SAVED, ids=['cased', 'accents', 'BertTokenizer', 'hub'])
def test_what_is_written_reads_back(tmpdir, tokenizer):
    """Every setting, none of which is the default."""
    tokenizer = copy.copy(tokenizer)
    tokenizer.model_max_length = 123
    save_tokenizer_files(str(tmpdir), tokenizer)
    assert sorted(os.listdir(str(tmpdir))) == ['tokenizer.json', 'tokenizer_config.json', 'vocab.txt']
    read = load_tokenizer(str(tmpdir))
    for name in ('_case_sensitive', '_max_word_length', 'model_max_length', '_prefix'):
        assert getattr(read, name) == getattr(tokenizer, name), name
    assert dict(read._token_dict) == dict(tokenizer._token_dict)
    assert dict(load_vocab(str(tmpdir.join('vocab.txt')))) == dict(tokenizer._token_dict)
    for text in ('\xc4 A stra\xdfe \u4e2d\u56fd xQa Qa qa', 'x' * 42, 'x' * 78):
        assert read.encode(text) == tokenizer.encode(text)


def test_a_sentencepiece_tokenizer_is_written(tmpdir):
    """The model as it is, and as tokenizer.json."""
    pytest.importorskip('sentencepiece')
    pieces = [Piece(text, score, NORMAL) for text, score in unigram()['model']['vocab']]
    pieces[1] = pieces[1]._replace(type=UNKNOWN)
    tokenizer = SpTokenizer(write_model(pieces, b''), case_sensitive=True, keep_accents=True)
    save_tokenizer_files(str(tmpdir), tokenizer)
    assert sorted(os.listdir(str(tmpdir))) == ['spiece.model', 'tokenizer.json', 'tokenizer_config.json']
    assert load_tokenizer(str(tmpdir)).encode('\xe4A ab (a') == tokenizer.encode('\xe4A ab (a')
    os.remove(str(tmpdir.join('tokenizer.json')))
    assert load_tokenizer(str(tmpdir)).encode('\xe4A ab a') == tokenizer.encode('\xe4A ab a')


def test_rules_of_a_subclass_are_not_written(tmpdir):
    """No file could hold them, so transformers would give other ids."""
    class Mine(Tokenizer):
        def _tokenize(self, text):
            return text.split()

    with pytest.raises(VocabularyError) as caught:
        save_tokenizer_files(str(tmpdir), Mine(IDS))
    assert 'Mine' in str(caught.value) and os.listdir(str(tmpdir)) == []


@pytest.mark.parametrize('layout', ['tensorflow', 'hugging-face'])
def test_files_go_along_with_a_release(tmpdir, layout):
    """The files of a directory are copied as they are, whatever the layout; one layout always has some."""
    source, target, google = [str(tmpdir.mkdir(name)) for name in ('source', 'target', 'google')]
    write(source, tokenizer=word_piece({'strip_accents': False}), tokenizer_config={'model_max_length': 77})
    carry_tokenizer(os.path.join(source, 'tokenizer.json'), target, layout)
    assert sorted(os.listdir(target)) == ['tokenizer.json', 'tokenizer_config.json']
    assert tokens_of(load_tokenizer(target), '\xc4 A') == '\xe4 a' and load_tokenizer(target).model_max_length == 77
    save_vocab(os.path.join(google, 'vocab.txt'), {'y' if token == 'A' else token: IDS[token] for token in IDS})
    carry_tokenizer(os.path.join(google, 'vocab.txt'), google, layout)
    assert len(os.listdir(google)) == (3 if layout == 'hugging-face' else 1)
    assert tokens_of(load_tokenizer(google), 'x' * 150 + ' \xc4') == 'x' + ' ##x' * 149 + ' a'


def test_a_cut_vocabulary_keeps_the_rules(tmpdir, caplog):
    """keep_words: the new ids, the old settings; without [CLS] nothing can be made of a vocabulary, which is logged."""
    source, target = str(tmpdir.mkdir('source')), str(tmpdir.mkdir('target'))
    write(source, tokenizer=word_piece({'strip_accents': False}))
    carry_tokenizer(os.path.join(source, 'tokenizer.json'), target, 'tensorflow', [0, 8, 1, 2, 3, 4])
    cut = load_tokenizer(target)
    assert cut.encode('\xc4 a')[0] == [3, 1, 2, 4] and cut.vocab_size == 6
    bare = str(tmpdir.join('vocab.txt'))
    save_vocab(bare, {'a': 0, 'b': 1})
    with caplog.at_level(logging.WARNING):
        carry_tokenizer(bare, str(tmpdir), 'hugging-face')
    assert '[CLS]' in caplog.text and not os.path.exists(str(tmpdir.join('tokenizer.json')))


def test_a_vocabulary_gets_a_name_that_is_found():
    """v.txt is called vocab.txt; Hugging Face's layout has two names only."""
    assert [vocabulary_name(path, layout) for layout in ('tensorflow', 'hugging-face')
            for path in ('d/v.txt', 'd/vocab_chinese.txt', 'd/30k-clean.model')] == [
        'vocab.txt', 'vocab_chinese.txt', '30k-clean.model', 'vocab.txt', 'vocab.txt', 'spiece.model']
    assert vocabulary_name('d/sentencepiece.bpe.model', 'hugging-face') == 'sentencepiece.bpe.model'


def test_two_texts_are_cut_as_tokenizers_does_it():
    """All sizes: its truncation (tokenizers 0.23, utils/truncation.rs), written down step by step."""
    for first in range(9):
        for second in range(9):
            for room in range(12):
                small, large = min(first, second), max(first, second)
                if small + large > room:
                    large = small if small > room else max(small, room - small)
                    if small + large > room:
                        small, large = room // 2, room - room // 2
                expected = (large, small) if first > second else (small, large)
                assert fit_longest_first(first, second, True, room + 3) == expected
                assert fit_longest_first(first, second, True, room + 4, separators=2) == expected
    assert fit_longest_first(7, 8, True, 10, 5, None) == fit(7, 8, True, 10, 5, None)


# ------------------------------------------------------------------ XLM-R

def xlm(**fields):
    """A tokenizer.json of XLM-R's kind, without a table, with changes."""
    scores = [('<s>', 0.), ('<pad>', 0.), ('</s>', 0.), ('<unk>', 0.), ('\u2581', -2.), ('a', -3.), ('\u2581ab', -4.),
              ('B', -3.5), ('<mask>', 0.)]
    parts = [{'SpecialToken': {'id': '<s>', 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}},
             {'SpecialToken': {'id': '</s>', 'type_id': 0}}, {'SpecialToken': {'id': '</s>', 'type_id': 0}},
             {'Sequence': {'id': 'B', 'type_id': 0}}, {'SpecialToken': {'id': '</s>', 'type_id': 0}}]
    data = unigram(
        added_tokens=[added(token, number) for number, (token, _) in enumerate(scores) if token[0] == '<'],
        normalizer=None, post_processor={'type': 'TemplateProcessing', 'single': parts[:3], 'pair': parts},
        model={'type': 'Unigram', 'unk_id': 3, 'vocab': [list(entry) for entry in scores]})
    data.update(fields)
    return data


OLD_STEPS = {'type': 'Sequence', 'pretokenizers': [
    {'type': 'WhitespaceSplit'}, {'type': 'Metaspace', 'replacement': '\u2581', 'add_prefix_space': True}]}


@pytest.mark.parametrize('fields', [{}, {'pre_tokenizer': OLD_STEPS}], ids=['as now', 'as before tokenizers 0.15'])
def test_the_tokenizer_of_xlm_r(tmpdir, fields):
    """Special tokens and their ids, capitals kept, white space; an unknown run is one token; it can be pickled."""
    pytest.importorskip('sentencepiece')
    tokenizer = load_tokenizer(write(tmpdir, tokenizer=xlm(**fields)))
    for each in (tokenizer, pickle.loads(pickle.dumps(tokenizer, 2))):
        assert each.encode('ab\u3000 aBxy<mask>')[0] == [0, 6, 4, 5, 7, 3, 8, 2]
    assert (tokenizer.token_pad_id, tokenizer.token_unk_id, tokenizer.vocab_size) == (1, 3, 9)


def test_two_texts_of_xlm_r(tmpdir):
    """`<s> A </s></s> B </s>`, all of one segment, with lengths, spans and without special tokens."""
    pytest.importorskip('sentencepiece')
    tokenizer = load_tokenizer(write(tmpdir, tokenizer=xlm()))
    assert tokenizer.encode('ab', 'B ab', offsets=True) == (
        [0, 6, 2, 2, 4, 7, 6, 2], [0] * 8, [(0, 0), (0, 2), (0, 0), (0, 0), (0, 0), (0, 1), (2, 4), (0, 0)])
    assert tokenizer.tokenize('ab', 'ab') == ['<s>', '\u2581ab', '</s>', '</s>', '\u2581ab', '</s>']
    assert tokenizer.tokenize('ab', 'ab', add_cls=False, add_sep=False) == ['\u2581ab'] * 2
    assert tokenizer.encode('ab ab ab', 'ab ab', max_length=7)[0] == [0, 6, 6, 2, 2, 6, 2]
    assert tokenizer.encode('ab', 'ab ab', 8, 4, 4)[0] == [0, 6, 2, 1, 2, 6, 6, 2]
    assert tokenizer.encode('ab', 'ab ab ab', second_length=4)[0] == [0, 6, 2, 2, 6, 6, 2]
    token_ids, segment_ids = tokenizer.encode_batch(['ab', 'ab'], ['ab', 'ab ab'])
    assert token_ids.tolist() == [[0, 6, 2, 2, 6, 2, 1], [0, 6, 2, 2, 6, 6, 2]] and not segment_ids.any()
    with pytest.raises(ValueError) as caught:
        tokenizer.encode('a', 'b', max_length=3)
    assert '2 and 2 special tokens' in str(caught.value)


@pytest.mark.parametrize('names', [('merges.txt', 'vocab.json'), ('tokenizer.json',)])
def test_byte_level_bpe_is_refused_by_name(tmpdir, names):
    """RoBERTa's own tokenizer, in the files of either age."""
    for name in names:
        tmpdir.join(name).write('{"model": {"type": "BPE"}}')
    with pytest.raises(VocabularyError) as caught:
        load_tokenizer(str(tmpdir))
    assert 'byte-level BPE' in str(caught.value) and names[0] in str(caught.value)


@pytest.mark.parametrize('part, fields', [
    ('post_processor', {'post_processor': template()}), ('not built', {'normalizer': {'type': 'NFKC'}}),
    ('charsmap', {'normalizer': {'type': 'Precompiled', 'precompiled_charsmap': 'AAAAAQ=='}}),
    ('pre_tokenizer', {'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': [
        {'type': 'WhitespaceSplit'}, {'type': 'Metaspace', 'replacement': '\u2581', 'add_prefix_space': False}]}})])
def test_what_is_not_xlm_r_s_is_refused(tmpdir, part, fields):
    """Another template, other steps, a damaged table."""
    pytest.importorskip('sentencepiece')
    with pytest.raises(VocabularyError) as caught:
        load_tokenizer(write(tmpdir, tokenizer=xlm(**fields)))
    assert part in str(caught.value)


def test_the_table_is_applied_to_clusters(tmpdir):
    """SentencePiece's own rules (nmt_nfkc): one of less than 6 bytes becomes its shortest entry, larger ones stay."""
    pytest.importorskip('sentencepiece')
    write_corpus = tmpdir.join('corpus.txt')
    write_corpus.write_binary(b'\n'.join(b'the quick brown fox %d jumps' % number for number in range(99)))
    train('--input=%s' % write_corpus, '--model_prefix=%s' % tmpdir.join('sentencepiece.bpe'), '--vocab_size=40',
          '--unk_id=0', '--bos_id=1', '--eos_id=2', '--normalization_rule_name=nmt_nfkc')
    tokenizer = load_tokenizer(str(tmpdir))
    normalize = tokenizer._precompiled
    for text, expected in (('\ufb01\u2460\uff21', 'fi1A'), ('e\u0301', '\xe9'), ('\xa0\uff9f', ' '),
                           ('\u304b\u3099', '\u304b\u3099'), ('\t\u0301x', ' \u0301x'), ('x\u0301', 'x\u0301'), ('', '')):
        assert normalize(text) == expected
    assert tokenizer.tokenize('the')[0] == '<s>' and tokenizer.token_to_id('<mask>') == tokenizer.vocab_size - 1
    assert tokenizer.encode('the ' * 3, max_length=4)[0][::3] == [0, 2]
