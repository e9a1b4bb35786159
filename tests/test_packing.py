# -*- coding: utf-8 -*-
"""How documents become rows: lengths, documents that do not mix, no token lost; and Google's own rule."""
from __future__ import absolute_import, division, print_function

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert4keras.errors import CorpusError
from bert4keras.pretraining import packing
from bert4keras.pretraining.packing import MODES, Document, Encoder, pack
from bert4keras.tokenizer import Tokenizer
from tests.helpers.strategies import few

pytestmark = pytest.mark.engine_free
CLS, SEP = 3, 4
FIRST = 10  # the ids of text begin here, each used once
# a document: for each line, whether each of its tokens begins a word
documents = st.lists(st.lists(st.lists(st.booleans(), min_size=1, max_size=25), min_size=1, max_size=6), min_size=2,
                     max_size=7)


def numbered(shapes):
    """Documents of these shapes, whose tokens are FIRST, FIRST + 1, ..."""
    made, number = [], FIRST
    for lines in shapes:
        starts = np.concatenate([[True] + line[1:] for line in lines])
        made.append(Document(np.arange(number, number + len(starts), dtype='int32'), starts,
                             np.cumsum([len(line) for line in lines]).tolist()))
        number += len(starts)
    return made


def owners(made):
    """{token: the number of its document}."""
    return {token: number for number, document in enumerate(made) for token in document.token_ids.tolist()}


def halves(row):
    """The tokens of A and of B."""
    tokens = row.token_ids.tolist()
    return tokens[1:row.boundary - 1], tokens[row.boundary:-1]


@few
@given(documents, st.integers(8, 30), st.sampled_from(MODES), st.booleans(), st.integers(0, 9))
def test_rows_are_whole_and_no_longer_than_asked(shapes, length, mode, google_pairs, seed):
    """[CLS] first, [SEP] last, no empty segment, a word at each beginning, tokens next to each other as in the text."""
    made = numbered(shapes)
    starts = {token: start for document in made for token, start in zip(document.token_ids.tolist(),
                                                                        document.word_starts.tolist())}
    for row in pack(made, mode, length, (CLS, SEP), np.random.RandomState(seed), 0.3, google_pairs):
        tokens = row.token_ids.tolist()
        assert row.token_ids.dtype == np.int32 and row.word_starts.dtype == bool
        assert 3 <= len(tokens) == len(row.word_starts) <= length
        assert tokens[0] == CLS and tokens[-1] == SEP and CLS not in tokens[1:]
        assert SEP not in (tokens[1], tokens[-2])
        for place in range(1, len(tokens)):
            after_special = tokens[place - 1] in (CLS, SEP)
            assert row.word_starts[place] == (tokens[place] == SEP or after_special or starts[tokens[place]])
            assert tokens[place] == SEP or after_special or tokens[place] == tokens[place - 1] + 1
        if mode == 'roberta':
            assert (row.boundary, row.label) == (0, packing.NO_LABEL)
        else:
            assert tokens.count(SEP) == 2 and tokens[row.boundary - 1] == SEP and row.label in (0, 1)


@few
@given(documents, st.integers(8, 30), st.integers(0, 9))
def test_roberta_has_every_token_once_and_in_order(shapes, length, seed):
    """A [SEP] between documents; only the last row, and ones that end before a long word, are not full."""
    made = numbered(shapes)
    rows = list(pack(made, 'roberta', length, (CLS, SEP), None))
    text = [token for row in rows for token in row.token_ids.tolist() if token >= FIRST]
    assert text == list(range(FIRST, FIRST + len(text))) and len(text) == len(owners(made))
    owner = owners(made)
    for row in rows:
        tokens = row.token_ids.tolist()
        for place in range(2, len(tokens) - 1):
            if tokens[place] != SEP and tokens[place - 1] != SEP:
                assert owner[tokens[place]] == owner[tokens[place - 1]]


def test_roberta_fills_rows_and_cuts_between_words():
    """Literally: a word that would be cut goes to the next row; one longer than a row is cut all the same."""
    made = numbered([[[True] * 4, [True, True]], [[True, True, False, False]], [[True] + [False] * 7]])
    rows = [row.token_ids.tolist() for row in pack(made, 'roberta', 8, (CLS, SEP), None)]
    assert rows == [[CLS, 10, 11, 12, 13, 14, 15, SEP], [CLS, 16, 17, 18, 19, SEP],
                    [CLS, 20, 21, 22, 23, 24, 25, SEP], [CLS, 26, 27, SEP]]
    short = numbered([[[True] * 2], [[True] * 2]])
    assert [row.token_ids.tolist() for row in pack(short, 'roberta', 9, (CLS, SEP), None)] == [
        [CLS, 10, 11, SEP, 12, 13, SEP]]


@few
@given(documents, st.integers(8, 30), st.sampled_from(['bert', 'albert']), st.integers(0, 9))
def test_pairs_are_honest_and_lose_nothing(shapes, length, mode, seed):
    """A is of one document; B follows (0), is of another one (bert, 1) or comes before (albert, 1); all text is there.

    A document of one token has no order: albert leaves it out.
    """
    made = numbered(shapes)
    owner, seen = owners(made), set()
    for row in pack(made, mode, length, (CLS, SEP), np.random.RandomState(seed), 0.3):
        first, second = halves(row)
        places = [owner[token] for token in first], [owner[token] for token in second]
        assert len(set(places[0])) == len(set(places[1])) == 1
        seen.update(first + (second if mode == 'albert' or not row.label else []))
        if not row.label:
            assert second[0] == first[-1] + 1 and places[0][0] == places[1][0]
        elif mode == 'albert':
            assert first[0] == second[-1] + 1 and places[0][0] == places[1][0]
        else:
            other = made[places[1][0]]
            assert places[0][0] != places[1][0]
            assert second[0] - other.token_ids[0] in [0] + other.ends[:-1]  # where a line begins
    lost = set(owner) - seen
    assert not lost if mode == 'bert' else all(made[owner[token]].ends == [1] for token in lost)


@pytest.mark.parametrize('mode', ['bert', 'albert'])
def test_labels_are_half_and_half(mode):
    """Within 4 standard deviations, for documents of which many have a single line."""
    random = np.random.RandomState(1)
    made = numbered([[[True] * random.randint(2, 20) for _ in range(random.randint(1, 5))] for _ in range(3000)])
    labels = [row.label for row in pack(made, mode, 24, (CLS, SEP), random)]
    assert abs(np.mean(labels) - 0.5) < 4 * 0.5 / len(labels) ** 0.5


def test_google_pairs_have_googles_bias():
    """Chunks of one line always get a B from elsewhere: for documents of one line all labels are 1, even in albert."""
    made = numbered([[[True] * 9] for _ in range(40)])
    for mode in ('bert', 'albert'):
        rows = list(pack(made, mode, 15, (CLS, SEP), np.random.RandomState(2), 0.1, google_pairs=True))
        assert len(rows) == 40 and {row.label for row in rows} == {1}
        assert all(len(row.token_ids) == 15 for row in rows)  # 18 tokens of text, cut to 12
        owner = owners(made)
        assert all(owner[halves(row)[0][0]] != owner[halves(row)[1][0]] for row in rows)
        for half in range(2):  # at either end
            assert len({(halves(row)[half][0] - FIRST) % 9 for row in rows}) > 2
            assert len({(halves(row)[half][-1] - FIRST) % 9 for row in rows}) > 2


@pytest.mark.parametrize('mode', ['bert', 'albert'])
def test_a_share_of_the_rows_is_short(mode):
    """Of 1,000 and more, within 5 standard deviations; without it only the ends of documents, and of A in bert, are."""
    made = numbered([[[True]] * 4000 for _ in range(8)])
    short = {}
    for share in (0., 0.3):
        rows = list(pack(made, mode, 23, (CLS, SEP), np.random.RandomState(3), share))
        short[share] = np.mean([len(row.token_ids) < 23 for row in rows])
    assert short[0.] < 0.01 and abs(short[0.3] - 0.3 * 18 / 19) < 5 * (0.21 / 1000) ** 0.5


def test_a_lone_document_has_no_foreign_one():
    """bert says so, the others do with one."""
    made = numbered([[[True] * 9, [True] * 5]])
    with pytest.raises(CorpusError) as caught:
        list(pack(made, 'bert', 12, (CLS, SEP), np.random.RandomState(0)))
    assert 'empty lines between documents' in str(caught.value)
    assert list(pack(made, 'albert', 12, (CLS, SEP), np.random.RandomState(0)))


VOCAB = {token: number for number, token in enumerate(
    [u'[PAD]', u'[UNK]', u'[CLS]', u'[SEP]', u'[MASK]', u'ab', u'##c', u'##', u'\u5317', u'\u4eac', u'\u5927',
     u'\u5b66', u'.'])}


def test_word_starts_of_wordpiece():
    """Not where a token goes on with ##; ## by itself is a word; lines without a token have no end."""
    document = Encoder(Tokenizer(VOCAB)).encode([u'abc ab \u5317\u4eac', u'', u'zz ## .'])
    assert document.token_ids.tolist() == [5, 6, 5, 8, 9, 1, 1, 1, 12]
    assert document.word_starts.tolist() == [True, False] + [True] * 7
    assert document.ends == [5, 9]
    assert Encoder(Tokenizer(VOCAB)).starts.tolist() == [True] * 6 + [False] + [True] * 6


def test_a_line_begins_with_a_word():
    """Also with a token that goes on elsewhere, as those of SentencePiece can."""
    encoder = Encoder(Tokenizer(VOCAB))
    encoder.starts[5] = False
    assert encoder.encode([u'ab ab', u'ab']).word_starts.tolist() == [True, False, True]


def test_word_starts_of_a_segmenter(monkeypatch):
    """Han characters of one Chinese word are one word; what else there is stays as it is."""
    class Jieba(object):
        setLogLevel = staticmethod(lambda level: None)
        lcut = staticmethod(lambda text: [text[:2], text[2:7], text[7:]])

    monkeypatch.setitem(sys.modules, 'jieba', Jieba)
    document = Encoder(Tokenizer(VOCAB), 'jieba').encode([u'\u5317\u4eac\u5927\u5b66abc.'])
    assert document.token_ids.tolist() == [8, 9, 10, 11, 5, 6, 12]
    assert document.word_starts.tolist() == [True, False, True, False, True, False, True]
    Jieba.lcut = staticmethod(lambda text: [text])  # a Han character after another letter is not the segmenter's
    document = Encoder(Tokenizer(VOCAB), 'jieba').encode([u'ab\u5317\u4eac'])
    assert document.word_starts.tolist() == [True, True, False]
    monkeypatch.setitem(sys.modules, 'jieba', None)
    with pytest.raises(ImportError) as caught:
        Encoder(Tokenizer(VOCAB), 'jieba')
    assert 'pip install jieba' in str(caught.value)


def test_word_starts_of_sentencepiece(monkeypatch):
    """As in ALBERT: letters and punctuation without U+2581 go on, punctuation alone and other scripts begin a word."""
    pieces = [u'<unk>', u'\u2581the', u'ing', u'.', u"'s", u'\u4e2d', u'e\u0301', u'\u2581', u'7']
    monkeypatch.setattr(packing, 'SpTokenizer', Tokenizer)
    table = packing.word_start_table(Tokenizer({piece: number for number, piece in enumerate(pieces)}))
    assert table.tolist() == [True, True, False, True, False, True, True, True, True]
