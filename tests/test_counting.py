# -*- coding: utf-8 -*-
"""What counting guesses, worked out by hand; and that the text that ships with the benchmarks is whole."""
from __future__ import absolute_import, division, print_function

import io

import numpy as np
import pytest

from benchmarks.counting import Counts, chapters, counted
from bert4keras.pretraining.corpus import build_corpus
from bert4keras.pretraining.reader import Batches, Corpus

pytestmark = [pytest.mark.engine_free, pytest.mark.slow]
A, B, C, D, MASK = 5, 6, 7, 8, 4


@pytest.fixture
def corpus(tmp_path):
    """A function from a name and lines, of a document each, to the directory of their corpus."""
    with io.open(str(tmp_path / 'vocab.txt'), 'wb') as stream:
        stream.write(b'[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n')

    def build(name, lines):
        with io.open(str(tmp_path / (name + '.txt')), 'wb') as stream:
            stream.write(b'\n\n'.join(lines) + b'\n')
        build_corpus([str(tmp_path / (name + '.txt'))], str(tmp_path / 'vocab.txt'), str(tmp_path / name), length=9,
                     workers=0)
        return str(tmp_path / name)
    return build


def test_guesses_by_the_neighbours(corpus):
    """Of the text "a b c ..., d b a": each guess by hand, beside a mask and beside what never stood together, too."""
    counts = Counts(Corpus(corpus('one', [b'a b c a b c a'] * 30 + [b'd b a d b a d'] * 20)))
    np.testing.assert_allclose(np.exp(counts.share[[A, B, C, D]]), [13 / 35., 10 / 35., 6 / 35., 6 / 35.], rtol=1e-6)
    # 60 times b and no other after a, before the end of a row: 40 times d
    expected = (60 + 10 * 10 / 35.) / (60 + 40 + 10)
    np.testing.assert_allclose(np.exp(counts.after[A, B]), expected, rtol=1e-5)
    assert np.exp(counts.after).sum(axis=1) == pytest.approx(1, abs=1e-4)
    before, after = [A, D, A, MASK, C], [C, A, MASK, D, B]
    found = list(counts.guesses(np.array(before), np.array(after)).values())
    assert found[0].tolist() == [A] * 5
    assert found[1].tolist() == [B, B, B, A, A]
    assert found[2].tolist() == [B, C, A, A, A]
    assert found[3].tolist() == [B, B, B, A, A]


def test_shares_of_what_was_masked(corpus):
    """Of a text in which the neighbours say all, all is guessed where they are not masked; of another, nothing."""
    training = corpus('training', [b'a b c d a b c'] * 40)
    seen, other = corpus('seen', [b'a b c d a b c'] * 9), corpus('other', [b'c b a d c b a'] * 9)
    masked = Batches(seen, 9, 1, rate=0.15).batch(0)['masked_weights'].sum()
    assert masked == 9
    assert list(counted(training, seen, 1).values())[1:] == [1, 1, 1]
    shares = counted(training, other, 1)
    assert list(shares)[0] == 'the most frequent token' and max(list(shares.values())[1:]) < 0.5


def test_the_text():
    """A verse a line, a chapter a document."""
    found = chapters()
    assert len(found) == 338 and sum(len(chapter.split(u'\n')) for chapter in found) == 7982
    assert found[0].startswith(u'In the beginning God created the heavens and the earth.\nAnd the earth was without')
    assert found[-1].endswith(u'a daily rate for every day, all the days of his life.')
