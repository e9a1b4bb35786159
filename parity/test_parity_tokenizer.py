# -*- coding: utf-8 -*-
"""Tokens equal those of Google's FullTokenizer (exactly), of Rust `tokenizers` and of transformers.

Google's comes with `bert-tensorflow==1.0.4`, which needs TensorFlow 1.14 or 1.15. The other two
differ from it on purpose: they drop private-use and unassigned characters, make a word of more than
100 characters unknown (Google's limit is 200), keep `[MASK]` in a text whole, and truncate a pair of
equally long texts at the first one.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import io
import os
import unicodedata
import zipfile

import pytest
from hypothesis import given

from bert4keras.tokenizer import Tokenizer, load_vocab, save_vocab
from strategies import SPECIAL_TOKENS, quick, texts

HERE = os.path.dirname(os.path.abspath(__file__))
OFFICIAL = os.path.join(HERE, '..', '..', 'shared', 'official')
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


def write_own_vocabulary(path):
    """Writes a vocabulary of half of the words and characters of LINES, so that the rest is cut."""
    tokens = list(SPECIAL_TOKENS)
    probe = Tokenizer({})
    probe._word_piece_tokenize = lambda word: [word]
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
        path = os.path.join(OFFICIAL, 'google_bert_zh', 'vocab.txt')
        if not os.path.exists(path):
            pytest.skip('no official files beside the checkout')
    else:
        path = os.path.join(request.getfixturevalue('minilm'), 'vocab.txt')
    return path


@pytest.fixture(scope='module')
def lines():
    """Lines of our own and, where they are, some thousands of real ones."""
    found = list(LINES)
    folder = os.path.join(OFFICIAL, 'text')
    if os.path.isdir(folder):
        contents = []
        for name in sorted(os.listdir(folder)):
            if name.endswith('.txt'):
                with io.open(os.path.join(folder, name), 'rb') as reader:
                    contents.append(reader.read())
        with zipfile.ZipFile(os.path.join(folder, 'sentiment.zip')) as archive:
            contents.append(archive.read('sentiment/sentiment.valid.data'))
        for content in contents:
            found += content.decode('utf-8').split('\n')
    return found


@pytest.fixture(scope='module')
def google():
    """Google's module `tokenization`."""
    tokenization = pytest.importorskip('bert.tokenization', reason='bert-tensorflow is not in this '
                                       'row; it needs TensorFlow 1.14 or 1.15')
    if not tokenization.FLAGS.is_parsed():
        tokenization.FLAGS(['parity'])
    return tokenization


def without_private_use(text):
    """Drops what Rust drops beside Google's control characters, by this Python's Unicode."""
    return ''.join(ch for ch in text if unicodedata.category(ch) not in ('Co', 'Cn', 'Cs'))


@pytest.mark.parametrize('cased', [False, True], ids=['uncased', 'cased'])
def test_google_on_lines(google, vocab_path, lines, cased):
    """Every token and id of every line is Google's."""
    peer = google.FullTokenizer(vocab_path, do_lower_case=not cased)
    tokenizer = Tokenizer(vocab_path, case_sensitive=cased)
    for line in lines:
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


def rust_encoder(path, cased):
    """Returns a function from text to ids without special tokens, by Rust `tokenizers`."""
    tokenizers = pytest.importorskip('tokenizers', reason='Rust tokenizers is not in this row')
    peer = tokenizers.BertWordPieceTokenizer(load_vocab(path), lowercase=not cased)
    return lambda text, pair=None: peer.encode(text, pair, add_special_tokens=pair is not None)


@pytest.mark.parametrize('cased', [False, True], ids=['uncased', 'cased'])
def test_rust_on_lines(vocab_path, lines, cased):
    """Ids equal those of Rust `tokenizers`, which drops private-use characters."""
    encode = rust_encoder(vocab_path, cased)
    tokenizer = Tokenizer(vocab_path, case_sensitive=cased)
    for line in lines:
        expected = encode(line).ids
        assert tokenizer.encode(without_private_use(line))[0][1:-1] == expected


def test_rust_on_pairs(vocab_path):
    """Special tokens and segments of pairs equal those of Rust `tokenizers`."""
    encode = rust_encoder(vocab_path, False)
    tokenizer = Tokenizer(vocab_path, case_sensitive=False)
    for first, second in zip(LINES, LINES[3:]):
        expected = encode(first, second)
        assert tokenizer.encode(first, second) == (expected.ids, expected.type_ids)


def test_rust_differs_where_said(vocab_path):
    """The differences that the docstring of this module lists are there, and Google's way is ours."""
    encode = rust_encoder(vocab_path, False)
    tokenizer = Tokenizer(vocab_path, case_sensitive=False)
    unknown, mask = tokenizer.tokens_to_ids(['[UNK]', '[MASK]'])
    assert encode('\ue000').ids == [] and tokenizer.encode('\ue000')[0][1:-1] == [unknown]
    assert encode('[MASK]').ids == [mask] and mask not in tokenizer.encode('[MASK]')[0]
    if {'a', '##a'} <= set(tokenizer._token_dict):
        assert encode('a' * 101).ids == [unknown]
        assert unknown not in tokenizer.encode('a' * 101)[0]


def test_transformers_on_lines(vocab_path, lines):
    """A batch of lines gives the ids, segments and padding of transformers' BertTokenizer."""
    transformers = pytest.importorskip('transformers', reason='transformers is not in this row')
    peer = transformers.BertTokenizer(vocab=load_vocab(vocab_path), do_lower_case=True)
    tokenizer = Tokenizer(vocab_path, case_sensitive=False)
    batch = [without_private_use(line) for line in lines[:200]]
    expected = peer(batch, batch[::-1], padding=True, truncation=True, max_length=63,
                    return_tensors='np')  # an even room: no last token to take from either
    token_ids, segment_ids = tokenizer.encode_batch(batch, batch[::-1], max_length=63)
    assert token_ids.tolist() == expected['input_ids'].tolist()
    assert segment_ids.tolist() == expected['token_type_ids'].tolist()
