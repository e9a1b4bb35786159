# -*- coding: utf-8 -*-
"""search: beam search against all sequences there are, sampling against its definition, the limits of both."""
from __future__ import absolute_import, division, print_function

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert4keras.search import Limits, beam_search, likeliest, sample

pytestmark = pytest.mark.engine_free

END, VOCAB = 2, 4


class Toy(object):
    """A `step`: each text has its own random distribution of the next token after each beginning."""

    def __init__(self, seeds, copies):
        self.rows = [(seed, ()) for seed in seeds for _ in range(copies)]
        self.calls = 0

    @staticmethod
    def next_token(seed, beginning):
        """Log probabilities [V] after a beginning."""
        random = np.random.RandomState([seed, len(beginning)] + list(beginning))
        logits = random.standard_normal(VOCAB) * 2
        return logits - np.log(np.exp(logits).sum())

    def __call__(self, parents, token_ids):
        assert (parents is None) == (token_ids is None) == (self.calls == 0)
        self.calls += 1
        if parents is not None:
            self.rows = [(self.rows[parent][0], self.rows[parent][1] + (int(token_id),))
                         for parent, token_id in zip(parents, token_ids)]
        return np.array([self.next_token(*row) for row in self.rows])


def all_sequences(seed, max_length, length_penalty):
    """Every (token ids without the end, score) that there is, the best first."""
    scored = []
    for length in range(max_length + 1):
        for tokens in itertools.product([one for one in range(VOCAB) if one != END], repeat=length):
            total = sum(Toy.next_token(seed, tokens[:place])[one] for place, one in enumerate(tokens))
            if length < max_length:
                total += Toy.next_token(seed, tokens)[END]
                scored.append((list(tokens), total / (length + 1) ** length_penalty))
            else:
                scored.append((list(tokens), total / length ** length_penalty))
    return sorted(scored, key=lambda pair: -pair[1])


@pytest.mark.parametrize('length_penalty', [0.0, 0.7, 1.5])
def test_with_enough_beams_it_finds_the_best_of_all(length_penalty):
    """As many beams as sequences: all of them, in order, with their scores, for two texts at once."""
    seeds, max_length = [3, 8], 3
    found = beam_search(Toy(seeds, 40), 2, Limits(END, max_length), beams=40, length_penalty=length_penalty)
    for seed, texts in zip(seeds, found):
        expected = all_sequences(seed, max_length, length_penalty)
        assert len(expected) == 40 and [text.token_ids for text in texts] == [tokens for tokens, _ in expected]
        np.testing.assert_allclose([text.score for text in texts], [score for _, score in expected], rtol=1e-12)


def greedy(seed, max_length):
    """The likeliest token, again and again: (token ids, sum of log probabilities)."""
    tokens, total = (), 0
    while len(tokens) < max_length:
        log_probabilities = Toy.next_token(seed, tokens)
        total += log_probabilities.max()
        if log_probabilities.argmax() == END:
            break
        tokens += (int(log_probabilities.argmax()),)
    return list(tokens), total


@settings(max_examples=30)
@given(st.lists(st.integers(0, 999), min_size=1, max_size=4), st.integers(1, 6))
def test_one_beam_is_greedy(seeds, max_length):
    """With one beam each text has the likeliest token at each place, whatever its neighbours do."""
    found = beam_search(Toy(seeds, 1), len(seeds), Limits(END, max_length), beams=1, length_penalty=0)
    for seed, texts in zip(seeds, found):
        tokens, total = greedy(seed, max_length)
        assert [text.token_ids for text in texts] == [tokens]
        assert abs(texts[0].score - total) < 1e-12


class Table(object):
    """A `step` of one text: the log probabilities depend on the last token alone, -1 at first."""

    def __init__(self, rows, copies):
        with np.errstate(divide='ignore'):
            self.rows = {last: np.log(row) for last, row in rows.items()}
        self.last = [-1] * copies
        self.parents = []

    def __call__(self, parents, token_ids):
        self.parents.append(None if parents is None else list(parents))
        self.last = self.last if token_ids is None else [int(token_id) for token_id in token_ids]
        return np.array([self.rows.get(last, self.rows[-1]) for last in self.last])  # after an end, anything


ROWS = {-1: [0.6, 0.4, 0.0], 0: [0.4, 0.3, 0.3], 1: [0.05, 0.05, 0.9]}  # token 2 is the end


def test_two_beams_by_hand():
    """The greedy 0 0 0 is beaten by 1 and its likely end: 0.4 * 0.9; the rows that go on are told."""
    step = Table(ROWS, 2)
    texts = beam_search(step, 1, Limits(2, 3), beams=2, length_penalty=0)[0]
    assert [text.token_ids for text in texts] == [[1], [0, 1]]
    np.testing.assert_allclose(np.exp([text.score for text in texts]), [0.36, 0.6 * 0.3 * 0.9], rtol=1e-12)
    assert step.parents == [None, [0, 0], [0, 0]]  # when 1 has ended, 0 0 and 0 1 go on, both from the first beam


@pytest.mark.parametrize('length_penalty, best, score', [(0, [], np.log(0.4)), (1, [1], np.log(0.3 * 0.8) / 2),
                                                         (2, [1], np.log(0.3 * 0.8) / 4)])
def test_the_length_penalty_by_hand(length_penalty, best, score):
    """No token (0.4) against token 1 and its end (0.3 * 0.8, two tokens): the sum prefers one, the mean the other."""
    rows = {-1: [0.3, 0.3, 0.4], 0: [0.9, 0.05, 0.05], 1: [0.1, 0.1, 0.8]}
    texts = beam_search(Table(rows, 2), 1, Limits(2, 3), beams=2, length_penalty=length_penalty)[0]
    assert sorted(text.token_ids for text in texts) == [[], [1]] and texts[0].token_ids == best
    assert abs(texts[0].score - score) < 1e-12


# ------------------------------------------------------------------ limits

def test_min_length_puts_the_end_off():
    """Before min_length there is no end, then there is."""
    rows = {last: [0.05, 0.05, 0.9] for last in (-1, 0, 1)}
    for least in (0, 1, 3):
        texts = beam_search(Table(rows, 1), 1, Limits(2, 5, least), beams=1)[0]
        assert len(texts[0].token_ids) == least
        drawn = sample(Table(rows, 6), [0], Limits(2, 5, least), samples=6, seed=1)[0]
        assert min(len(text.token_ids) for text in drawn) == least


def test_max_length_cuts_what_has_no_end():
    """Without an end there are max_length tokens; the end token itself would not count."""
    rows = {last: [0.5, 0.3, 0.2] for last in (-1, 0, 1, 2)}
    assert beam_search(Table(rows, 1), 1, Limits(None, 4), beams=1)[0][0].token_ids == [0] * 4
    assert len(sample(Table(rows, 1), [0], Limits(None, 4), seed=3)[0][0].token_ids) == 4
    ends_last = {-1: [1, 0, 0], 0: [0, 1, 0], 1: [0, 0, 1]}
    assert beam_search(Table(ends_last, 1), 1, Limits(2, 3), beams=1)[0][0] == ([0, 1], 0.0)


@pytest.mark.parametrize('size, expected', [(1, [3, 4, 5]), (2, [4, 5]), (3, [5]), (4, [])])
def test_ngrams_by_hand(size, expected):
    """After 4 3 5 3 4 3: what would be there a second time, as one word, as two, as three and as four."""
    tokens = {3: [4, 3, 5, 4, 3]}.get(size, [4, 3, 5, 3, 4, 3])
    allowed = Limits(no_repeat_ngram=size).apply(np.zeros((1, 7)), np.array([tokens]))
    assert np.flatnonzero(np.isneginf(allowed[0])).tolist() == expected


@settings(max_examples=50)
@given(st.integers(0, 10 ** 6), st.integers(1, 4))
def test_no_ngram_is_there_twice(seed, size):
    """Of what is sampled and searched, whatever the size: every n tokens in a row are different ones."""
    limits = Limits(None, 9, no_repeat_ngram=size)

    def step(parents, token_ids):
        return np.zeros((2, 11))

    for texts in (sample(step, [0], limits, samples=2, seed=seed), beam_search(step, 1, limits, beams=2)):
        for text in texts[0]:
            ngrams = [tuple(text.token_ids[place:place + size]) for place in range(9 - size + 1)]
            assert len(set(ngrams)) == len(ngrams)


def test_forbidden_tokens_and_nothing_left():
    """What is forbidden is not generated; if nothing is left, or NaN comes in, that is an error."""
    rows = {-1: [0.7, 0.2, 0.1], 1: [0.7, 0.2, 0.1]}
    assert beam_search(Table(rows, 1), 1, Limits(2, 2, forbidden=[0]), beams=1)[0][0].token_ids == [1, 1]
    with pytest.raises(ValueError, match='after 0 tokens no token is left'):
        beam_search(Table(rows, 1), 1, Limits(None, 2, forbidden=[0, 1, 2]), beams=1)
    with pytest.raises(ValueError, match='not finite'):
        beam_search(lambda *_: np.full((1, 3), np.nan), 1, Limits(), beams=1)


@pytest.mark.parametrize('options, message', [
    (dict(max_length=0), 'max_length must be at least 1, not 0'),
    (dict(min_length=-1), 'min_length must be from 0'),
    (dict(max_length=3, min_length=4), 'min_length must be from 0 to max_length 3, not 4'),
    (dict(no_repeat_ngram=-2), 'no_repeat_ngram must be at least 0, not -2')])
def test_limits_out_of_range(options, message):
    """Each names the argument and its value."""
    with pytest.raises(ValueError, match=message):
        Limits(**options)


# ------------------------------------------------------------------ sampling

PROBABILITIES = np.array([0.1, 0.4, 0.05, 0.3, 0.15])


def shares(options, draws=4000):
    """How often each token is drawn first."""
    drawn = sample(lambda *_: np.log(np.tile(PROBABILITIES, (draws, 1))), [7], Limits(max_length=1), samples=draws,
                   seed=5, **options)[0]
    return np.bincount([text.token_ids[0] for text in drawn], minlength=5) / draws


@pytest.mark.parametrize('options, expected', [
    ({}, PROBABILITIES),
    (dict(temperature=0.5), PROBABILITIES ** 2 / (PROBABILITIES ** 2).sum()),
    (dict(top_k=2), [0, 4 / 7, 0, 3 / 7, 0]),
    (dict(top_p=0.69), [0, 4 / 7, 0, 3 / 7, 0]),
    (dict(top_p=0.71), [0, 8 / 17, 0, 6 / 17, 3 / 17]),      # 0.4 + 0.3 is not 0.71 yet
    (dict(top_p=0.3), [0, 1, 0, 0, 0]),                      # never none
    (dict(top_p=1.0), PROBABILITIES),
    (dict(top_k=2, top_p=0.57), [0, 1, 0, 0, 0]),            # of 4 / 7 and 3 / 7
    (dict(top_k=3, temperature=0.5, top_p=0.9), [0, 16 / 25, 0, 9 / 25, 0])])
def test_draws_by_their_definition(options, expected):
    """Shares of 4000 draws against the probabilities by hand: within 4 standard deviations, and 0 is never."""
    expected, drawn = np.array(expected), shares(options)
    assert (np.abs(drawn - expected) <= 4 * np.sqrt(expected * (1 - expected) / 4000)).all(), drawn


def test_top_k_of_one_is_greedy_and_scores_are_the_models():
    """Whatever the temperature; the score is the sum of the unchanged log probabilities."""
    tokens, total = greedy(3, 5)
    text = sample(Toy([3], 1), [0], Limits(END, 5), temperature=9.0, top_k=1, seed=2)[0][0]
    assert text.token_ids == tokens and abs(text.score - total) < 1e-12


def test_the_seed_decides_and_the_neighbours_do_not():
    """A text draws the same alone and in a batch; another seed, number or sample draws otherwise."""
    limits = Limits(None, 12)
    both = sample(Toy([3, 8], 2), [0, 1], limits, samples=2, seed=4)
    assert sample(Toy([8], 2), [1], limits, samples=2, seed=4) == both[1:]
    assert sample(Toy([8], 2), [1], limits, samples=2, seed=5) != both[1:]
    assert sample(Toy([8], 2), [0], limits, samples=2, seed=4) != both[1:]
    assert both[1][0] != both[1][1]
    np.random.seed(1)
    one, other = [sample(Toy([8], 1), [0], limits) for _ in range(2)]
    np.random.seed(1)
    assert sample(Toy([8], 1), [0], limits) == one != other


def test_rounding_does_not_decide_what_is_drawn():
    """Of tokens that are equally likely, but for rounding, the same ones are drawn with and without rounding."""
    random = np.random.RandomState(3)
    rounded = [np.log(np.full((400, 50), 0.02)) + 1e-9 * random.standard_normal((400, 50)) for _ in range(2)]
    one, other = [sample(lambda *_: values, [7], Limits(max_length=1), samples=400, seed=5)[0] for values in rounded]
    assert [text.token_ids for text in one] == [text.token_ids for text in other]


@pytest.mark.parametrize('options, message', [
    (dict(samples=0), 'samples must be at least 1, not 0'),
    (dict(temperature=0), 'temperature must be above 0, not 0'),
    (dict(temperature=-1.0), 'temperature must be above 0'),
    (dict(temperature=np.nan), 'temperature must be above 0'),
    (dict(top_k=0), 'top_k must be at least 1'),
    (dict(top_p=0.0), 'top_p must be above 0 and at most 1'),
    (dict(top_p=1.1), 'top_p must be above 0 and at most 1, or None, not 1.1')])
def test_sampling_out_of_range(options, message):
    """Found before the model is asked."""
    def step(parents, token_ids):
        raise AssertionError('the model was asked')

    with pytest.raises(ValueError, match=message):
        sample(step, [0], Limits(), **options)
    with pytest.raises(ValueError, match='beams must be at least 1, not 0'):
        beam_search(step, 1, Limits(), beams=0)


def test_a_finished_batch_asks_the_model_no_more():
    """When all have ended, no further step is computed."""
    step = Table({-1: [1, 0, 0], 0: [0, 0, 1]}, 1)
    beam_search(step, 1, Limits(2, 50), beams=1)
    assert len(step.parents) == 2
    step = Table({-1: [1, 0, 0], 0: [0, 0, 1]}, 1)
    sample(step, [0], Limits(2, 50))
    assert len(step.parents) == 2


def test_likeliest_first_and_equals_by_index():
    """The highest first; of equal ones the first first."""
    assert likeliest(np.array([1.0, 3.0, 2.0, 3.0, -np.inf]), 3).tolist() == [1, 3, 2]
    assert likeliest(np.array([1.0, 3.0]), 9).tolist() == [1, 0]
