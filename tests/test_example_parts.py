# -*- coding: utf-8 -*-
"""What the examples stand on, without Keras: what they measure, and the texts and labels that they train on."""
from __future__ import absolute_import, division, print_function, unicode_literals

import io
import os
import zipfile

import numpy as np
import pytest

from tests.helpers.releases import make_release

pytestmark = pytest.mark.engine_free
EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'examples')


@pytest.fixture(autouse=True)
def parts(monkeypatch):
    """The folder of the examples on the path, and none of the official texts."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.delenv(str('BERT4KERAS_OFFICIAL'), raising=False)


def write(tmp_path, text):
    path = os.path.join(str(tmp_path), 'data.txt')
    with io.open(path, 'w', encoding='utf-8', newline='') as stream:
        stream.write(text)
    return path


# ------------------------------------------------------------------ metrics

@pytest.mark.parametrize('tags, expected', [
    ('B-X I-X O I-Y', {('X', 0, 2), ('Y', 3, 4)}), ('I-X B-X', {('X', 0, 1), ('X', 1, 2)}),
    ('B-X I-Y I-Y', {('X', 0, 1), ('Y', 1, 3)}), ('O B-X', {('X', 1, 2)}), ('B-X B-X', {('X', 0, 1), ('X', 1, 2)}),
    ('O O', set()), ('B-A-B I-A-B', {('A-B', 0, 2)})])
def test_chunks(tags, expected):
    """As conlleval: an I- that continues nothing of its type begins a chunk."""
    from metrics import chunks
    assert chunks(tags.split()) == expected and chunks([]) == set()


def test_chunk_scores():
    """One of two found chunks is right, of three that there are: 1/2, 1/3, 2/5; a chunk cut short is wrong."""
    from metrics import chunk_scores
    expected = [['B-A', 'I-A', 'O', 'B-B'], ['B-A']]
    assert chunk_scores([['B-A', 'O', 'O', 'B-B'], ['O']], expected) == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    assert chunk_scores(expected, expected) == pytest.approx((1, 1, 1))
    assert chunk_scores([['O'] * 4, ['O']], expected) == (0, 0, 0) == chunk_scores([['O']], [['O']])


@pytest.mark.parametrize('answer, expected, exact, f1', [
    ('The Cape Town!', 'cape town', 1, 1), ('in Cape Town', 'Cape Town', 0, 4 / 5), ('Oslo', 'Cape Town', 0, 0),
    ('town town', 'town', 0, 2 / 3), ('', 'x', 0, 0), ('the', 'a', 1, 1), ('北京。', '“北京市”', 0, 4 / 5),
    ('北京 大学', '北京大学', 1, 1)])
def test_answer_scores(answer, expected, exact, f1):
    """SQuAD's: case, punctuation and articles do not count, a word as often as it is there; Chinese by characters."""
    from metrics import answer_scores
    assert answer_scores([answer], [expected]) == pytest.approx((exact, f1))
    assert answer_scores([answer, 'x'], [expected, 'x']) == pytest.approx(((exact + 1) / 2, (f1 + 1) / 2))


def test_best_span():
    """The end is not before the start, an answer not too long, and no token outside of the passage is in it."""
    from metrics import best_span
    scores = np.array([[9, 0, 0, 0, 5, 1], [0, 8, 0, 3, 0, 1]], 'float32')
    assert best_span(scores, [True] * 6) == (0, 1)
    assert best_span(scores, [False] + [True] * 5) == (1, 1)
    assert best_span(scores, [False, False, True, True, True, True]) == (4, 5)
    assert best_span(scores, [False, False, True, True, True, True], longest=1) == (4, 4)
    assert best_span(scores, [False, False, False, True, True, False]) == (4, 4)
    with pytest.raises(ValueError, match='no token'):
        best_span(scores, [False] * 6)


def test_accuracy_and_majority():
    """Two of three; the more frequent label, and of equals the first in order, wherever it stands."""
    from metrics import accuracy, majority
    assert accuracy(['a', 'b', 'c'], ['a', 'b', 'a']) == pytest.approx(2 / 3)
    assert majority(['b', 'a', 'b']) == 'b' and majority(['b', 'a']) == majority(['a', 'b']) == 'a'


# ------------------------------------------------------------------ data

@pytest.mark.parametrize('name', ['sentiment', 'questions', 'similar_pairs'])
def test_classes_are_even_and_nothing_is_said_twice(name):
    """No class has more than six tenths, and no text is there twice, let alone with two labels."""
    import data
    rows = getattr(data, name)()
    labels = [row[-1] for row in rows]
    assert len(rows) > 900 and len(set(labels)) == 2
    assert max(labels.count(label) for label in set(labels)) < 0.6 * len(labels)
    assert len({row[:-1] for row in rows}) == len(rows) and rows == getattr(data, name)()


@pytest.mark.parametrize('name', ['sentiment', 'questions', 'similar_pairs'])
def test_no_single_word_tells_the_class(name):
    """The best guess from one word alone is right for at most seven tenths of the texts."""
    import data
    rows = [(' '.join(row[:-1]).split(), row[-1]) for row in getattr(data, name)()]
    first = rows[0][1]
    for word in sorted({word for words, _ in rows for word in words}):
        agree = np.mean([(word in words) == (label == first) for words, label in rows])
        assert 0.3 < agree < 0.7, word


def test_what_is_negated_means_the_opposite():
    """As it does in English."""
    import data
    assert [dict(data.sentiment())[text] for text in (
        'the soup was bad', 'the soup was not bad', 'what a lovely room that was', 'nobody found the room lovely')] == [
            '0', '1', '1', '0']


def test_tagged_texts():
    """A city is FROM or TO, and some have several words; the tags are of the words."""
    import data
    rows = data.tagged()
    assert len(rows) > 900 and all(len(words) == len(tags) for words, tags in rows)
    assert {tag for _, tags in rows for tag in tags} == {
        'O', 'B-FROM', 'I-FROM', 'B-TO', 'I-TO', 'B-DAY', 'I-DAY'}
    words, tags = next(row for row in rows if row[0][:9] == 'i want to fly from new york to oslo'.split())
    assert tags[:9] == 'O O O O O B-FROM I-FROM O B-TO'.split()


def test_passages_have_their_answers():
    """The answer stands once in its passage, which is about two people of whom the question names one."""
    import data
    rows = data.passages()
    assert len(rows) == 1000 and all(passage.count(answer) == 1 for _, passage, answer in rows)
    question, passage, answer = next(row for row in rows if row[0].startswith('Where'))
    name = question.split()[2].replace('?', '')
    assert any(part.startswith(name) and part.endswith('lives in ' + answer)
               for part in passage.replace(' What', '.').split('.') for part in [part.strip()])


def test_dates_in_words_and_as_numbers():
    """Each date is there once, and its number is that of its words."""
    import data
    rows = data.rewritten()
    assert len({target for _, target in rows}) == len(rows) == 4000
    words = {'first': '01', 'twelfth': '12', 'january': '01', 'may': '05', 'december': '12'}
    for source, target in rows:
        year, month, day = target.split('-')
        assert year in source.split()
        for word in set(source.split()) & set(words):
            assert words[word] == (month if word in ('january', 'may', 'december') else day)


def test_sentences():
    """Each is there once; a file's lines are taken as they are."""
    import data
    rows = data.sentences()
    assert len(set(rows)) == len(rows) == 270 and all(row == ' '.join(row.split()) for row in rows)


def test_a_file_of_ones_own(tmp_path):
    """Tabs between columns, either kind of line end, empty lines and U+2028 left alone."""
    import data
    path = write(tmp_path, 'good\u2028one\tyes\r\n\r\nbad one\tno\n')
    assert data.sentiment(path) == data.questions(path) == [('good\u2028one', 'yes'), ('bad one', 'no')]
    assert data.similar_pairs(write(tmp_path, 'a\tb\t1')) == [('a', 'b', '1')]
    assert data.rewritten(write(tmp_path, 'one\ttwo')) == [('one', 'two')]
    assert data.sentences(write(tmp_path, ' a\tb \r\n\nc')) == ['a\tb', 'c']
    assert data.passages(write(tmp_path, 'who?\tTom is.\tTom')) == [('who?', 'Tom is.', 'Tom')]
    assert data.tagged(write(tmp_path, 'to\tO\r\nOslo\tB-TO\r\n\r\n\r\nhi\tO\n')) == [
        (['to', 'Oslo'], ['O', 'B-TO']), (['hi'], ['O'])]


@pytest.mark.parametrize('name, text, message', [
    ('sentiment', 'good\tyes\nbad\n', "line 2 is u?'bad'; it must be text TAB class"),
    ('sentiment', 'good\t\n', 'line 1'), ('sentiment', '\n', 'no line'),
    ('similar_pairs', 'a\tb\n', 'text TAB text'),
    ('tagged', 'to O\n', 'word TAB tag'), ('tagged', 'to\tO\n\nto\tX\n', "text 2 has the tag u?'X"),
    ('tagged', ' \n', 'no text'), ('passages', 'who?\tTom is.\ttom\n', 'text 1: the answer .*tom')])
def test_a_file_that_is_something_else(tmp_path, name, text, message):
    """An error names the file, the line and what it should have been."""
    import data
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        getattr(data, name)(path)
    assert path in str(caught.value)


def test_the_official_texts_are_taken_where_they_are(tmp_path, monkeypatch):
    """With BERT4KERAS_OFFICIAL the reviews and pairs in its text/, without such files those made here."""
    import data
    monkeypatch.setenv(str('BERT4KERAS_OFFICIAL'), str(tmp_path))
    assert len(data.sentiment()) > 900
    os.mkdir(os.path.join(str(tmp_path), 'text'))
    with zipfile.ZipFile(os.path.join(str(tmp_path), 'text', 'sentiment.zip'), 'w') as archive:
        archive.writestr('sentiment/sentiment.train.data', '很好\t1\n不好\t0\n'.encode('utf-8'))
    with io.open(os.path.join(str(tmp_path), 'text', 'lcqmc_dev_2000.txt'), 'w', encoding='utf-8') as stream:
        stream.write('怎么弄\t怎么办\t1\n')
    assert data.sentiment() == [('很好', '1'), ('不好', '0')] and data.similar_pairs() == [('怎么弄', '怎么办', '1')]


def test_split():
    """A fifth, or a quarter of what is trained on, is held out; the same for a seed, another for another."""
    import data
    train, test = data.split(list(range(100)), 10 ** 6, 0)
    assert len(train) == 80 and len(test) == 20 and sorted(train + test) == list(range(100))
    assert (train, test) == data.split(list(range(100)), 10 ** 6, 0) != data.split(list(range(100)), 10 ** 6, 1)
    assert [len(part) for part in data.split(list(range(100)), 12, 0)] == [12, 3]
    for rows, examples in ((4, 9), (9, 0)):
        with pytest.raises(ValueError, match='cannot be split'):
            data.split(list(range(rows)), examples, 0)


# ------------------------------------------------------------------ models

def test_a_random_model_knows_all_characters_of_its_texts():
    """Nothing is [UNK], padding is id 0, and a frequent word is one token."""
    from bert4keras.tokenizer import Tokenizer
    from common import small_vocabulary
    tokenizer = Tokenizer(small_vocabulary(['The soup, the room', '汤很好喝']))
    tokens = tokenizer.tokenize('the soup好, rooms')
    assert tokens == ['[CLS]', 'the', 'soup', '好', ',', 'room', '##s', '[SEP]']
    assert tokenizer.encode('汤')[0][1] > 4 and tokenizer.token_pad_id == 0


def test_what_is_not_said_suits_the_model(tmp_path):
    """Random weights train longer and at a higher rate, unless the arguments say otherwise; a release is opened."""
    from common import arguments, open_start
    parser = arguments('what it does', epochs=3, examples=10)
    start = open_start(parser.parse_args([]), ['很好'])
    assert (start.epochs, start.rate) == (15, 1e-3) and start.model['vocab_size'] == start.tokenizer.vocab_size == 9
    asked = open_start(parser.parse_args(['--epochs', '7', '--rate', '0.5']), ['很好'])
    assert (asked.epochs, asked.rate) == (7, 0.5)
    make_release(tmp_path, vocab=['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'hi'], vocab_size=5, num_hidden_layers=1)
    start = open_start(parser.parse_args(['--model', str(tmp_path)]), ['很好'])
    assert (start.model, start.epochs, start.rate) == (str(tmp_path), 3, 1e-4) and start.tokenizer.vocab_size == 5


def test_predictions_are_in_the_order_of_the_texts():
    """Whatever batch and row a text was in."""
    from common import predict

    class Batches(list):
        order = [2, 0, 1]

    class Model(object):
        def predict_on_batch(self, inputs):
            return np.array(inputs[0]) + 1

    assert predict(Model(), Batches([(([20, 0], None), None), (([10], None), None)])) == [1, 11, 21]
