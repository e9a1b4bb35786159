# -*- coding: utf-8 -*-
"""The drop-in's tokenizer against keras-bert's own, exactly, for any text and any vocabulary.

Needs keras-bert (any release has the same tokenizer) and what it needs itself, so no row of Keras 3.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert4keras.keras_bert.tokenizer import Tokenizer
from parity.peers import require
from parity.peers.keras_bert import NOT_IMPORTABLE
from tests.helpers.real_text import LONG, mixed_lines
from tests.helpers.strategies import characters, quick, texts

require('keras-bert')
theirs = pytest.importorskip('keras_bert.tokenizer', reason=NOT_IMPORTABLE).Tokenizer

_pieces = st.one_of(characters, st.lists(characters, max_size=4).map(''.join),
                    st.lists(st.sampled_from('ab#[]'), max_size=4).map(''.join),
                    st.sampled_from(['hello', 'un', '##aff', '##able', '[UNK]', '[CLS]', '[SEP]', '##a', 'a', '##']))
pieces = st.one_of(_pieces, _pieces.map(lambda piece: '##' + piece))
vocabularies = st.lists(st.tuples(pieces, st.integers(-1, 9)), max_size=25).map(dict)
words = st.lists(st.sampled_from('aAb\xe9 #\u0130\xdf\u4e2d\u2028\n'), max_size=14).map(''.join)


def outcome(function):
    """What a call gives: its value, or the class that it raises."""
    try:
        return function()
    except Exception as error:
        return type(error)


@quick
@given(vocabularies, texts, st.one_of(st.none(), texts), st.booleans(), st.one_of(st.none(), st.integers(0, 30)))
def test_tokenize_encode_and_decode(vocab, first, second, cased, max_len):
    """Tokens, ids, segments, padding, truncation, decoding, and the class of every error."""
    ours, peer = Tokenizer(vocab, cased=cased), theirs(vocab, cased=cased)
    assert outcome(lambda: ours.tokenize(first, second)) == outcome(lambda: peer.tokenize(first, second))
    encoded = outcome(lambda: peer.encode(first, second, max_len))
    assert outcome(lambda: ours.encode(first, second, max_len)) == encoded
    if isinstance(encoded, tuple):
        assert outcome(lambda: ours.decode(encoded[0])) == outcome(lambda: peer.decode(encoded[0]))


@pytest.mark.slow
@quick
@given(st.one_of(texts.map(lambda text: text[:100]), words), st.booleans(), st.one_of(
    st.none(), st.lists(st.one_of(words.map(lambda word: word[:5]), st.just('[UNK]'), pieces), max_size=8)))
def test_rematch(text, cased, tokens):
    """The places of the text's own tokens, and of any tokens at all, ties included."""
    tokens = theirs({}, cased=cased)._tokenize(text) if tokens is None else tokens
    assert (outcome(lambda: Tokenizer.rematch(text, tokens, cased=cased))
            == outcome(lambda: theirs.rematch(text, tokens, cased=cased)))


@pytest.mark.slow
def test_real_lines():
    """Ids and places of 100,000 real lines of many languages, or of a share of them; see BERT4KERAS_LONG."""
    lines = mixed_lines(100000)
    lines = lines if LONG else lines[::200]
    letters = sorted(set(''.join(lines)))
    pieces = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'] + sorted(set(' '.join(lines[::50]).split()))
    pieces += letters[::2] + ['##' + letter for letter in letters[1::2]]
    vocab = {piece: number for number, piece in enumerate(pieces)}
    for cased in (False, True):
        ours, peer = Tokenizer(vocab, cased=cased), theirs(vocab, cased=cased)
        for line in lines:
            assert ours.encode(line) == peer.encode(line), line
            tokens = peer._tokenize(line)
            assert ours.rematch(line, tokens, cased=cased) == peer.rematch(line, tokens, cased=cased), line
