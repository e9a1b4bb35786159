# -*- coding: utf-8 -*-
"""Tokens equal those of Google's FullTokenizer (exactly), of Rust `tokenizers` and of transformers.

Google's comes with `bert-tensorflow==1.0.4`, which needs TensorFlow 1.14 or 1.15. The other two differ
from it in the ways that DIVERGENCES lists, each of them tested: that there is no other is tested over all
code points, on real lines and on Hypothesis's texts. The SentencePiece tokenizer equals transformers'
AlbertTokenizer on the genuine model. A directory with tokenizer files of its own has AutoTokenizer's ids.

Of the real lines each combination of vocabulary and case sees its share; `BERT4KERAS_LONG=1` gives all
100,000 to each.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import itertools
import json
import os
import re
import shutil
import unicodedata
from collections import OrderedDict

import pytest
from hypothesis import given

from bert4keras import tokenizer_files
from bert4keras.tokenizer import SpTokenizer, Tokenizer, load_vocab, save_vocab
from bert4keras.tokenizer_files import load_tokenizer, save_tokenizer_files
from parity.peers import require
from tests.helpers.real_text import LONG, mixed_lines
from tests.helpers.strategies import SPECIAL_TOKENS, quick, texts
from tests.helpers.train_sentencepiece import train

pytestmark = pytest.mark.engine_free
LINES = [
    "The lighthouse keeper's daughter counted 1,024 gulls before breakfast; nobody believed her!",
    'Caf\xe9s in Z\xfcrich na\xefvely charge \u20ac12.50 (or $13.75) for a "cr\xe8me br\xfbl\xe9e"...',
    'e-mail: someone_else@example.org \u2014 see https://example.org/a?b=c&d=%20#top',
    'unbelievably internationalisation antidisestablishmentarianism',
    '\u6628\u5929\u665a\u4e0a\u4e0b\u4e86\u4e00\u573a\u5927\u96e8\uff0c\u6cb3\u6c34\u6da8\u4e86'
    '3.5\u7c73\u3002\u6751\u91cc\u4eba\u90fd\u8bf4\uff1a\u201c\u591a\u5e74\u6ca1\u89c1\u8fc7\uff01\u201d',
    '\u8fd9\u53f0Laptop\u7684CPU\u662f8\u6838\u7684\uff0c\u4ef7\u683c\u4e3a\uffe56,999\uff08\u542b\u7a0e'
    '\uff09\u3001\u4fdd\u4fee2\u5e74\u2026\u2026',
    '\u6771\u4eac\u3067\u30ab\u30ec\u30fc\u3092\u98df\u3079\u305f\u3002 \ud55c\uad6d\uc5b4\ub3c4 '
    '\u0420\u0443\u0441\u0441\u043a\u0438\u0439 \u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac '
    '\u05e2\u05d1\u05e8\u05d9\u05ea \u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22',
    ' tabs\tand\u3000wide\xa0spaces\u2028and \u200bzero\xadwidth\u200d ones\ufffd\x00 \x07bell ',
    'H\u2082O, x\xb2 + y\xb2 < z\xb2, \xbd \u2160 \ufb01ne \u226e \u00b7 \u2022 \u2713 \U0001f600!',
]


class Words(Tokenizer):
    """Words are not cut into pieces."""

    def _word_piece_tokenize(self, word):
        return [word]


def write_own_vocabulary(path):
    """Writes a vocabulary of half of the words and characters of LINES, so that the rest is cut."""
    tokens = list(SPECIAL_TOKENS)
    probe = Words({})
    words = sorted({word for line in LINES for word in probe._tokenize(line)})
    letters = sorted({letter for word in words for letter in word})
    tokens += [word for word in words[::2] if len(word) > 1] + letters[1::2] + letters[::4]
    tokens += ['##' + word[1:3] for word in words if len(word) > 2]
    tokens += ['##' + letter for letter in letters[::3]]
    unique = [token for i, token in enumerate(tokens) if token not in tokens[:i]]
    save_vocab(path, {token: number for number, token in enumerate(unique)})


@pytest.fixture(scope='module', params=['own', 'Chinese', 'MiniLM'])
def vocab_path(request, tmpdir_factory):
    """Path of a vocabulary: one of our own always, genuine ones where they are."""
    if request.param == 'own':
        path = str(tmpdir_factory.mktemp('own').join('vocab.txt'))
        write_own_vocabulary(path)
    elif request.param == 'Chinese':
        path = os.path.join(request.getfixturevalue('official'), 'google_bert_zh', 'vocab.txt')
    else:
        path = os.path.join(request.getfixturevalue('minilm'), 'vocab.txt')
    return path


@pytest.fixture(scope='module')
def lines():
    """Lines of our own and 100,000 real ones, of as many languages as are at hand."""
    return LINES + mixed_lines(100000)


_SHARES = itertools.count()


def share(lines):
    """All lines in a long run; else our own, and the next hundredth of the real ones."""
    return lines if LONG else lines[:len(LINES)] + lines[len(LINES) + next(_SHARES)::100]


@pytest.fixture(scope='module')
def google():
    """Google's module `tokenization`."""
    require('bert-tensorflow')
    from bert import tokenization
    if not tokenization.FLAGS.is_parsed():
        tokenization.FLAGS(['parity'])
    return tokenization


@pytest.mark.parametrize('cased', [False, True], ids=['uncased', 'cased'])
def test_google_on_lines(google, vocab_path, lines, cased):
    """Every token and id of every line is Google's."""
    peer = google.FullTokenizer(vocab_path, do_lower_case=not cased)
    tokenizer = Tokenizer(vocab_path, case_sensitive=cased)
    for line in share(lines):
        tokens = peer.tokenize(line)
        assert tokenizer._tokenize(line) == tokens
        assert tokenizer.encode(line)[0][1:-1] == peer.convert_tokens_to_ids(tokens)


@quick
@given(text=texts)
def test_google_on_any_text(google, vocab_path, text):
    """Every text that Hypothesis makes, lone surrogates and unassigned characters included."""
    for cased in (False, True):
        peer, tokenizer = google_pair(google, vocab_path, cased)
        assert tokenizer._tokenize(text) == peer.tokenize(text)


_PAIRS = {}


def google_pair(google, path, cased):
    """Returns (Google's, ours), made once."""
    if (path, cased) not in _PAIRS:
        _PAIRS[path, cased] = (google.FullTokenizer(path, do_lower_case=not cased),
                               Tokenizer(path, case_sensitive=cased))
    return _PAIRS[path, cased]


# ---- Rust tokenizers -------------------------------------------------------------------------

# What differs: (name, text, Rust's words, Google's words and ours), for a lower-casing tokenizer. A
# SETTING of ours follows Rust in two of them; of the others, `as_rust` rids a text.
SETTINGS = {'max_word_length': 100, 'keep_special': True}
DIVERGENCES = [
    ('words of more than 100 characters are unknown', 'a' * 101, ['[UNK]'], ['a' * 101]),
    ('special tokens in a text are kept whole', 'b[MASK]', ['b', '[MASK]'], ['b', '[', 'mask', ']']),
    ('a final sigma is lower-cased like any other', '\u0391\u03a3', ['\u03b1\u03c3'], ['\u03b1\u03c2']),
    ('private use is dropped', 'a\ue000b', ['ab'], ['a\ue000b']),
    ('U+2B820 to U+2B91F are no CJK', 'a\U0002b820b', ['a\U0002b820b'], ['a', '\U0002b820', 'b']),
    ('an accent later than Unicode 8 is kept', 'a\u1dfbb', ['a\u1dfbb'], ['ab']),
    ('punctuation later than Unicode 8 is a letter', 'a\u2e43b', ['a\u2e43b'], ['a', '\u2e43', 'b']),
    ('a control later than Unicode 8 is kept', 'a\u08e2b', ['a\u08e2b'], ['ab']),
    ('what changed its category has the old one', 'a\u166db', ['a', '\u166d', 'b'], ['a\u166db']),
]
CHANGED = '\U000111c9\U00011938'  # later than Unicode 3.2: one had another category, one decomposes


class Rust(object):
    """Rust `tokenizers` on a vocabulary, and which characters it treats in another way than we do."""

    _others = {}

    def __init__(self, path, cased):
        require('tokenizers')
        import tokenizers
        self.peer = tokenizers.BertWordPieceTokenizer(load_vocab(path), lowercase=not cased)
        self.ours = Tokenizer(path, case_sensitive=cased, **SETTINGS)
        if cased not in self._others:  # whatever the vocabulary
            self._others[cased] = self._find_others(Words(path, case_sensitive=cased))
        self.other = self._others[cased]
        self._rid = {ord(ch): None for ch in self.other}
        self._rid[0x3a3] = '\u03c3'

    def _find_others(self, tokenizer):
        """The characters, of those assigned in this Python's Unicode, that make other words of a word."""
        return [ch for ch in map(chr, range(0x110000)) if unicodedata.category(ch) not in ('Cn', 'Co', 'Cs')
                and tokenizer._tokenize('a%sb' % ch) != self.words('a%sb' % ch)]

    def words(self, text):
        """The words of a text, before they are cut into pieces."""
        normalized = self.peer.normalizer.normalize_str(text)
        return [word for word, _ in self.peer.pre_tokenizer.pre_tokenize_str(normalized)]

    def encode(self, text, pair=None):
        """Its Encoding, with special tokens for pairs only."""
        return self.peer.encode(text, pair, add_special_tokens=pair is not None)

    def as_rust(self, text):
        """Drops what is private, unassigned or known to differ, and makes sigmas small."""
        return ''.join(ch for ch in text if unicodedata.category(ch) not in ('Cn', 'Co', 'Cs')).translate(self._rid)


_RUSTS = {}


def rust(path, cased):
    """Returns a `Rust`, made once."""
    if (path, cased) not in _RUSTS:
        _RUSTS[path, cased] = Rust(path, cased)
    return _RUSTS[path, cased]


@pytest.mark.parametrize('cased', [False, True], ids=['uncased', 'cased'])
def test_rust_on_lines(vocab_path, lines, cased):
    """Ids equal those of Rust `tokenizers`, and offsets, except for the list of divergences."""
    peer = rust(vocab_path, cased)
    for line in map(peer.as_rust, share(lines)):
        expected = peer.encode(line)
        token_ids, _, offsets = peer.ours.encode(line, offsets=True)
        assert token_ids[1:-1] == expected.ids
        assert offsets[1:-1] == list(map(tuple, expected.offsets))


@quick
@given(text=texts)
def test_rust_on_any_text(vocab_path, text):
    """Every text of Hypothesis, except for the list of divergences."""
    for cased in (False, True):
        peer = rust(vocab_path, cased)
        text = peer.as_rust(text)
        expected = peer.encode(text)
        assert peer.ours._tokenize(text) == expected.tokens
        if not any(unicodedata.combining(ch) and unicodedata.category(ch) != 'Mn'
                   for ch in unicodedata.normalize('NFD', text)):  # marks that change places: Rust's span is too wide
            assert peer.ours.rematch(text, expected.tokens) == list(map(tuple, expected.offsets))


@pytest.mark.parametrize('name, text, theirs, ours', DIVERGENCES, ids=[row[0] for row in DIVERGENCES])
def test_rust_differs_where_said(tmpdir, name, text, theirs, ours):
    """Each divergence is there, with a vocabulary that has the words of both sides; Google's way is ours."""
    path = str(tmpdir.join('vocab.txt'))
    tokens = list(SPECIAL_TOKENS) + sorted(set(theirs + ours) - set(SPECIAL_TOKENS))
    save_vocab(path, {token: number for number, token in enumerate(tokens)})
    require('tokenizers')
    import tokenizers
    peer = tokenizers.BertWordPieceTokenizer(load_vocab(path), lowercase=True)
    assert peer.encode(text, add_special_tokens=False).tokens == theirs
    assert Tokenizer(path, case_sensitive=False)._tokenize(text) == ours


def test_rust_differs_nowhere_else(minilm):
    """Of all characters assigned, what differs is CJK of one range, or younger than its tables."""
    for cased in (False, True):
        peer = rust(os.path.join(minilm, 'vocab.txt'), cased)
        for ch in peer.other:
            if not '\U0002b820' <= ch <= '\U0002b91f':
                old, new = unicodedata.ucd_3_2_0.category(ch), unicodedata.category(ch)  # the one old table here
                assert old != new, repr(ch)
                assert old != 'Cn' or ch in CHANGED or peer.words('a%sb' % ch) == ['a%sb' % ch], repr(ch)


def test_rust_on_pairs(vocab_path):
    """Special tokens and segments of pairs equal those of Rust `tokenizers`."""
    peer = rust(vocab_path, False)
    for first, second in zip(LINES, LINES[3:]):
        expected = peer.encode(first, second)
        assert peer.ours.encode(first, second) == (expected.ids, expected.type_ids)


# ---- transformers ----------------------------------------------------------------------------


def test_transformers_on_lines(vocab_path, lines):
    """Batches give the ids, segments and padding of transformers' BertTokenizer."""
    require('transformers')
    import transformers
    peer = transformers.BertTokenizer(vocab=load_vocab(vocab_path), do_lower_case=True)
    tokenizer = rust(vocab_path, False).ours
    chosen = list(map(rust(vocab_path, False).as_rust, share(lines)))
    for start in range(0, len(chosen), 100):
        batch = chosen[start:start + 100]
        expected = peer(batch, batch[::-1], padding=True, truncation=True, max_length=63,
                        return_tensors='np')  # an even room: no last token to take from either
        token_ids, segment_ids = tokenizer.encode_batch(batch, batch[::-1], max_length=63)
        assert token_ids.tolist() == expected['input_ids'].tolist()
        assert segment_ids.tolist() == expected['token_type_ids'].tolist()


def test_transformers_drops_from_the_first_of_equals(minilm):
    """The divergence in truncation: of equally long texts, Google and we cut the second one first."""
    require('transformers')
    import transformers
    path = os.path.join(minilm, 'vocab.txt')
    peer = transformers.BertTokenizer(vocab=load_vocab(path), do_lower_case=True)
    arguments = dict(max_length=6)
    assert peer('a b', 'c d', truncation=True, **arguments)['token_type_ids'] == [0, 0, 0, 1, 1, 1]
    assert Tokenizer(path).encode('a b', 'c d', **arguments)[1] == [0, 0, 0, 0, 1, 1]


@pytest.fixture(scope='module', params=[{}, {'do_lower_case': False}, {'keep_accents': True}],
                ids=['plain', 'cased', 'accents'])
def alberts(request, official, tmpdir_factory):
    """(transformers' AlbertTokenizer, ours), on the genuine model."""
    require('transformers')
    import transformers
    model = os.path.join(official, 'google_albert_en', '30k-clean.model')
    folder = str(tmpdir_factory.mktemp('albert'))
    shutil.copy(model, os.path.join(folder, 'spiece.model'))
    with open(os.path.join(folder, 'tokenizer_config.json'), 'w') as writer:
        json.dump(request.param, writer)
    return (transformers.AlbertTokenizer.from_pretrained(folder, **request.param), SpTokenizer(
        model, case_sensitive=request.param.get('do_lower_case') is False, **{
            key: value for key, value in request.param.items() if key == 'keep_accents'}))


# transformers 5 takes the model's own symbols out of a text first, and begins a word after each;
# SentencePiece, ALBERT's tokenizer and transformers 4 do not.
SYMBOLS = re.compile('[-().",\u2013\xa3\u20ac]+')


def test_albert_on_lines(alberts, lines):
    """Ids of every line are those of transformers' AlbertTokenizer, except for the model's own symbols."""
    peer, tokenizer = alberts
    for line in share(lines):
        if type(peer).__mro__[1].__name__ == 'TokenizersBackend':  # transformers 5
            line = SYMBOLS.sub(' ', line)
        found, expected = tokenizer.encode(line)[0][1:-1], peer(line, add_special_tokens=False)['input_ids']
        if found != expected:  # of two ways to cut with one score, float32 sums choose
            scores = [sum(map(tokenizer._processor.GetScore, ids)) for ids in (found, expected)]
            assert abs(scores[0] - scores[1]) < 1e-3, line


# ---- directories, as libraries save them -----------------------------------------------------

WORD_PIECES = OrderedDict([
    ('uncased', {}), ('cased', {'do_lower_case': False}), ('German uncased', {'strip_accents': False}),
    ('Chinese as words', {'tokenize_chinese_chars': False}),
    ('cased without accents', {'do_lower_case': False, 'strip_accents': True})])
ALBERTS = OrderedDict([('ALBERT', {}), ('ALBERT cased', {'do_lower_case': False}),
                       ('ALBERT with accents', {'keep_accents': True})])
DIRECTORIES = list(WORD_PIECES) + list(ALBERTS) + ['added tokens', 'a model as downloaded', 'a vocabulary and settings',
                                                   'ALBERT as downloaded']


def save_directory(kind, folder, vocab_path, official):
    """Writes the tokenizer's files of that kind, and nothing else, as transformers does."""
    import transformers
    if kind == 'a vocabulary and settings':
        shutil.copy(vocab_path, os.path.join(folder, 'vocab.txt'))
        write_json(folder, 'tokenizer_config.json', {'do_lower_case': False, 'tokenizer_class': 'BertTokenizer'})
    elif kind == 'a model as downloaded':
        for name in os.listdir(os.path.dirname(vocab_path)):
            if name.endswith(('.txt', '.json')):
                shutil.copy(os.path.join(os.path.dirname(vocab_path), name), folder)
    elif kind in WORD_PIECES or kind == 'added tokens':
        peer = transformers.BertTokenizer(vocab=load_vocab(vocab_path), **WORD_PIECES.get(kind, {}))
        if kind == 'added tokens':
            more = transformers.AddedToken
            peer.add_tokens(['NewWord', 'the', '\u4e2d\u56fd', 'of the', more('gulls', single_word=True),
                             more('Breakfast', normalized=False), more('\xe9-x', lstrip=True)])
        peer.save_pretrained(folder)
    else:
        shutil.copy(os.path.join(official, 'google_albert_en', '30k-clean.model'), os.path.join(folder, 'spiece.model'))
        settings = ALBERTS.get(kind, {})
        write_json(folder, 'tokenizer_config.json', dict(settings, tokenizer_class='AlbertTokenizer'))
        if kind in ALBERTS:
            transformers.AlbertTokenizer.from_pretrained(folder, **settings).save_pretrained(folder)
            os.remove(os.path.join(folder, 'spiece.model'))


def write_json(folder, name, value):
    """Writes a JSON file."""
    with open(os.path.join(folder, name), 'w') as writer:
        json.dump(value, writer)


@pytest.fixture(scope='module', params=DIRECTORIES)
def directory(request, tmpdir_factory):
    """(transformers' AutoTokenizer, ours, the directory of both) of each kind."""
    require('transformers')
    import transformers
    if not hasattr(transformers, 'TokenizersBackend'):
        pytest.skip('transformers 5 writes and reads other files than earlier ones')
    folder = str(tmpdir_factory.mktemp('saved'))
    official = request.getfixturevalue('official') if request.param.startswith('ALBERT') else None
    vocab_path = os.path.join(request.getfixturevalue('minilm'), 'vocab.txt')
    save_directory(request.param, folder, vocab_path, official)
    return transformers.AutoTokenizer.from_pretrained(folder), load_tokenizer(folder), folder


# What two ways of cutting with one score, whole words and words of one letter more than allowed look like.
NAMED = ['no <Uxxxx> or <Uxxxxxxxx> value', '0o666', '****,', '14:15+0000', 'goooooooood\u3002', 'risers in that locality',
         'x' * 100, 'x' * 101, 'x' * 201, '[MASK] x[SEP]y [mask]', '\u0391\u03a3 \u039f\u0394\u039f\u03a3.',
         'NEWWORD xNewWordy of  the OF THE gulls seagulls breakfast Breakfast \u4e2d\u56fdx \xc9-x e-x (a)']


def test_a_directory_has_the_ids_of_auto_tokenizer(directory, lines):
    """Of every line, whatever the directory's files say."""
    peer, tokenizer, _ = directory
    chosen = NAMED + share(lines)
    for start in range(0, len(chosen), 1000):
        part = chosen[start:start + 1000]
        for line, expected in zip(part, peer(part)['input_ids']):
            assert tokenizer.encode(line)[0] == expected, line


@quick
@given(text=texts)
def test_a_directory_has_the_ids_of_auto_tokenizer_for_any_text(directory, text):
    """Of texts of all assigned characters."""
    peer, tokenizer, _ = directory
    text = ''.join(ch for ch in text if unicodedata.category(ch) not in ('Cn', 'Cs'))
    if hasattr(tokenizer, '_words'):  # tokenizers' table is applied to clusters of characters
        text = ''.join(ch for ch in text if unicodedata.category(ch) not in ('Cf', 'Mc', 'Me', 'Mn'))
    assert tokenizer.encode(text)[0] == peer(text)['input_ids']


def test_transformers_opens_what_we_write(directory, lines, tmpdir):
    """The files that we write of a tokenizer give the same ids there, and here again."""
    import transformers
    peer, tokenizer, _ = directory
    save_tokenizer_files(str(tmpdir), tokenizer)
    again, read = transformers.AutoTokenizer.from_pretrained(str(tmpdir)), load_tokenizer(str(tmpdir))
    for line in NAMED + share(lines)[:200]:
        assert again(line)['input_ids'] == peer(line)['input_ids'] == read.encode(line)[0], line


@pytest.mark.parametrize('cased', [False, True])
def test_transformers_opens_what_we_write_of_googles(minilm, lines, tmpdir, cased):
    """Google's tokenizer, 200 characters a word; except for what BertNormalizer does otherwise."""
    require('transformers')
    import transformers
    path = os.path.join(minilm, 'vocab.txt')
    tokenizer = Tokenizer(path, case_sensitive=cased)
    save_tokenizer_files(str(tmpdir), tokenizer)
    write_json(str(tmpdir), 'config.json', {'model_type': 'bert'})
    peer = transformers.AutoTokenizer.from_pretrained(str(tmpdir))
    for line in map(rust(path, cased).as_rust, share(lines)[:300] + ['x' * 150, 'x' * 201]):
        assert peer(line)['input_ids'] == tokenizer.encode(line)[0], line
    assert peer('a', 'b')['token_type_ids'] == tokenizer.encode('a', 'b')[1]


@pytest.fixture(scope='module', params=['tokenizer.json', 'sentencepiece.bpe.model'])
def multilingual(request, tmpdir_factory):
    """(transformers' XLMRobertaTokenizer, ours) of a model trained here, of either file of it."""
    require('transformers', 'sentencepiece', 'protobuf')
    import transformers
    folder = str(tmpdir_factory.mktemp('multilingual'))
    corpus = os.path.join(os.path.dirname(os.path.abspath(tokenizer_files.__file__)), '..', 'demo_corpus.txt')
    train('--input=' + corpus, '--model_prefix=' + os.path.join(folder, 'sentencepiece.bpe'), '--vocab_size=400',
          '--model_type=unigram', '--unk_id=0', '--bos_id=1', '--eos_id=2', '--normalization_rule_name=nmt_nfkc')
    write_json(folder, 'tokenizer_config.json', {'tokenizer_class': 'XLMRobertaTokenizer'})
    peer = transformers.AutoTokenizer.from_pretrained(folder)
    if request.param == 'tokenizer.json':
        peer.save_pretrained(folder)
        os.remove(os.path.join(folder, 'sentencepiece.bpe.model'))
    return peer, load_tokenizer(folder)


def test_multilingual_ids_on_lines(multilingual, lines):
    """Ids of every line, fairseq's: those of the model, after four others, and <mask>."""
    peer, tokenizer = multilingual
    chosen = share(lines)
    for line, expected in zip(chosen, peer(chosen)['input_ids']):
        assert tokenizer.encode(line)[0] == expected, line


@quick
@given(text=texts)
def test_multilingual_ids_of_any_text(multilingual, text):
    """Of texts of all assigned characters, marks included."""
    peer, tokenizer = multilingual
    text = ''.join(ch for ch in text if unicodedata.category(ch) not in ('Cn', 'Cs'))
    assert tokenizer.encode(text)[0] == peer(text)['input_ids']
