# -*- coding: utf-8 -*-
"""decoding and stepping: with the cache as without, and as the model itself says of the whole text."""
from __future__ import absolute_import, division, print_function

import logging
import os

import numpy as np
import pytest

from bert4keras import backend, decoding, stepping
from bert4keras.backend import keras, kops
from bert4keras.bert import BertModel, build_bert_model
from bert4keras.decoding import Found, IdGenerator, TextGenerator
from bert4keras.errors import TextError
from bert4keras.layers import BertSelfAttention
from bert4keras.losses import CrossEntropy, lm_labels
from bert4keras.tokenizer import Tokenizer
from tests.helpers.releases import ALBERT_CONFIG, ALBERT_ZH_CONFIG, CONFIG, make_release

ROUNDING = 1e-5
SMALL = dict(num_hidden_layers=2, max_position_embeddings=31, vocab_size=23)
# Texts of unequal length; what has a segment 1 is the beginning of a target, or a pair.
ROWS = [([2, 7, 9, 8, 3], [0] * 5), ([2, 5, 3], [0] * 3), ([2, 5, 4, 11, 3, 12, 13], [0] * 5 + [1] * 2)]
END = 3
# the end and the padding are in other places of a vocabulary that is cut
KEPT = [5, 2, 3, 17, 7, 8, 9, 11, 12, 13, 0, 4, 19, 22]
MODELS = {
    'bert-lm': (CONFIG, dict(application='lm', gelu='tanh')),
    'bert-seq2seq': (CONFIG, dict(application='seq2seq', with_mlm='linear', with_pool=True)),
    'bert-keep-words': (CONFIG, dict(application='seq2seq', keep_words=KEPT)),
    'albert': (ALBERT_CONFIG, dict(application='seq2seq')),
    'albert_zh': (ALBERT_ZH_CONFIG, dict(application='lm', with_mlm='linear')),
}


def build(tmp_path, name, **options):
    """A BertModel of MODELS with random weights whose activations are of order 1."""
    config, arguments = MODELS[name]
    make_release(tmp_path, config=dict(config, **SMALL))
    return build_bert_model(str(tmp_path), return_keras_model=False, **dict(arguments, **options))


def score_by_hand(bert, row, found, is_ended):
    """The sum of the log probabilities of what was found, by the model itself, from that text alone without padding."""
    token_ids = list(row[0]) + found.token_ids + [END] * is_ended
    new = len(token_ids) - len(row[0])
    segment_ids = list(row[1]) + [1 if bert.application == 'seq2seq' else row[1][-1]] * new
    outputs = bert.model.predict_on_batch([np.array([token_ids], 'int32'), np.array([segment_ids], 'int32')])
    outputs = np.asarray(outputs[1] if bert.with_pool else outputs)[0, -1 - new:-1].astype('float64')  # [new, V]
    if bert.with_mlm == 'linear':
        outputs = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        outputs /= outputs.sum(axis=-1, keepdims=True)
    return np.log(outputs[range(new), token_ids[-new:]]).sum()


@pytest.mark.parametrize('name', ['bert-seq2seq'] + [
    pytest.param(name, marks=pytest.mark.slow) for name in ('bert-lm', 'bert-keep-words', 'albert', 'albert_zh')])
def test_with_the_cache_as_without_and_as_the_model(tmp_path, name):
    """Texts of three lengths in one batch: the same tokens with and without, the probabilities those of each alone."""
    bert = build(tmp_path, name)
    found = []
    for cache in (None, False):
        generator = IdGenerator(bert, cache=cache)
        assert type(generator.steps).__name__ == ('WholeSteps' if cache is False else 'CachedSteps')
        beams = generator.beam_search(ROWS, beams=3, length_penalty=0, max_length=6, end_token_id=END)
        drawn = generator.sample(ROWS, 3, temperature=1.5, seed=8, max_length=6, end_token_id=END)
        found.append([one for ones in beams + drawn for one in ones])
    cached, whole = found
    assert [one.token_ids for one in cached] == [one.token_ids for one in whole]
    np.testing.assert_allclose([one.score for one in cached], [one.score for one in whole], atol=6 * ROUNDING)
    assert len({tuple(one.token_ids) for one in cached}) > 6
    for number in (3, 17):  # the best of the shortest text, and the last one that was drawn
        row = ROWS[number // 3 % 3]
        is_ended = len(cached[number].token_ids) < 6
        assert abs(score_by_hand(bert, row, cached[number], is_ended) - cached[number].score) < 6 * ROUNDING


@pytest.mark.slow
def test_each_step_step_by_step(tmp_path):
    """Rows that go on from one another, a padding token amid a text, the last of the positions: every probability."""
    bert = build(tmp_path, 'bert-seq2seq')
    generators = [IdGenerator(bert, cache=cache) for cache in (True, False)]
    rows = [([2, 7, 0, 8, 3], [0] * 5), ([2, 5, 4, 11, 3, 12, 13], [0] * 5 + [1] * 2)]
    token_ids, segment_ids = [np.array([rows[0][part] + [0] * 2, rows[1][part]]) for part in (0, 1)]
    steps = [one.steps.start(token_ids, segment_ids, [5, 7], 3, 24) for one in generators]
    random, following, parents = np.random.RandomState(4), None, None
    for _ in range(24):
        ours, expected = [step(parents, following) for step in steps]
        assert ours.shape == (6, 23) and np.abs(np.exp(ours) - np.exp(expected)).max() < ROUNDING
        np.testing.assert_allclose(np.exp(ours).sum(axis=1), 1, rtol=1e-5)
        parents, following = np.repeat([0, 3], 3) + random.randint(0, 3, 6), random.randint(1, 23, 6)
    assert len({int(row.argmax()) for row in ours}) > 1


@pytest.mark.slow
def test_a_step_computes_one_position(tmp_path):
    """The model of a step returns words of one position [B, 1, V]; its weights are the trained model's own."""
    bert = build(tmp_path, 'bert-lm')
    steps = IdGenerator(bert.model).steps
    steps.start(np.array([ROWS[0][0]]), np.array([ROWS[0][1]]), [5], 2, 9)(None, None)
    assert steps.cache[0].shape == (2, 4, 16, 8) and len(steps.cache) == 4
    stepping = steps.stepping.model
    outputs = steps.take_step([np.zeros((2, 1), 'int32')] * 4 + [np.ones((2, 1, 16), 'bool')] + steps.cache)
    assert [np.shape(output) for output in outputs] == [(2, 1, 23)] + [(2, 4, 16, 8)] * 4
    own = {id(weight) for weight in bert.model.weights}
    assert {id(weight) for layer in stepping.layers for weight in layer.weights} <= own


@pytest.mark.slow
def test_texts_of_many_lengths_have_one_shape(tmp_path):
    """Whatever is asked for, one or several texts, short or long: what compiles does so once for each model."""
    generator = IdGenerator(build(tmp_path, 'bert-lm', prefix='Second-'), batch_size=1)
    shapes = set()

    def recorded(compute):
        def wrapped(inputs):
            shapes.add(tuple(np.shape(one) for one in inputs))
            return compute(inputs)
        return wrapped

    generator.steps.read_texts, generator.steps.take_step = [
        recorded(compute) for compute in (generator.steps.read_texts, generator.steps.take_step)]
    for length in (1, 2, 7, 12):
        generator.beam_search([([5] * length, [0] * length)] * (1 + length % 2), beams=2, max_length=4)
    assert sorted(one[:2] for one in shapes) == [((1, 16), (1, 16)), ((2, 1), (2, 1))]


@pytest.mark.slow
def test_training_goes_on_and_the_generator_follows(tmp_path):
    """After `fit` a generator made before writes by the new weights; so does one of the saved and loaded model."""
    bert = build(tmp_path, 'bert-lm', with_mlm='linear')
    generator = IdGenerator(bert.model)
    row = ([2, 7, 9], [0] * 3)
    before = generator.beam_search([row], beams=1, length_penalty=0, max_length=5)[0][0]
    ids = [np.array([[2, 7, 9, 11, 12, 13, 14, 15]] * 4, 'int32'), np.zeros((4, 8), 'int32')]
    bert.model.compile(keras.optimizers.Adam(0.02), CrossEntropy(from_logits=True))
    bert.model.fit(ids, lm_labels(*ids), epochs=3, verbose=0)
    after = generator.beam_search([row], beams=1, length_penalty=0, max_length=5)[0][0]
    assert after.token_ids != before.token_ids
    assert abs(score_by_hand(bert, row, after, 0) - after.score) < 5 * ROUNDING
    path = os.path.join(str(tmp_path), 'model' + backend.MODEL_SUFFIX)
    bert.model.save(path)
    loaded = IdGenerator(keras.models.load_model(path, compile=False))
    assert loaded.steps.stepping.model is not generator.steps.stepping.model
    assert loaded.beam_search([row], beams=1, max_length=5)[0][0].token_ids == after.token_ids


# ------------------------------------------------------------------ changed models

class NoLonger(BertSelfAttention):
    """Attention that prefers what is near, by the number of a query among all: no single one could know it."""

    def scores(self, query, key, *more):
        places = kops.cast(kops.arange(kops.shape(key)[2]), 'float32')
        away = kops.abs(kops.expand_dims(places, 0) - kops.expand_dims(places, 1))
        return super(NoLonger, self).scores(query, key, *more) - away


@pytest.mark.slow
def test_a_changed_model_goes_without_a_cache(tmp_path, caplog):
    """It says so and is right; cache=True is an error that names the layer."""
    bert = build(tmp_path, 'bert-lm', layer_classes={BertSelfAttention: NoLonger})
    for model in (bert, bert.model):
        caplog.clear()
        found = IdGenerator(model).beam_search(ROWS, beams=2, length_penalty=0, max_length=4)
        assert ['is a NoLonger, not a BertSelfAttention' in record.getMessage() for record in caplog.records
                if record.levelno == logging.WARNING] == [True]
    assert abs(score_by_hand(bert, ROWS[1], found[1][0], 0) - found[1][0].score) < 4 * ROUNDING
    with pytest.raises(ValueError, match='this one was changed: layer Encoder-1-.* is a NoLonger.*Leave cache out'):
        IdGenerator(bert, cache=True)


# ------------------------------------------------------------------ texts

WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + ['w%d' % number for number in range(16)]


def tokenizer():
    """With two words less than the models have."""
    return Tokenizer({word: number for number, word in enumerate(WORDS)})


@pytest.mark.slow
def test_texts_in_and_texts_out(tmp_path):
    """One text or a list, in order, in batches that are filled up, with a count; nothing that is no word."""
    bert = build(tmp_path, 'bert-seq2seq')
    writer, words = TextGenerator(bert, tokenizer(), batch_size=2), set(WORDS[5:])
    assert writer.unwritten == {0, 1, 2, 4, 21, 22}
    texts = [u'w1 w2', u'w3', (u'w4 w5 w6', u'w7')]
    best = writer.beam_search(texts, beams=3, max_length=5)
    assert [writer.beam_search(text, beams=3, max_length=5) for text in texts] == best
    several = writer.beam_search(texts, beams=3, count=2, max_length=5)
    assert [len(ones) for ones in several] == [2, 2, 2] and [ones[0] for ones in several] == best
    assert writer.greedy(iter(texts), max_length=5) == writer.beam_search(texts, beams=1, max_length=5)
    drawn = writer.sample(texts, count=3, seed=2, max_length=5, temperature=3.0, min_length=4)
    assert [len(ones) for ones in drawn] == [3, 3, 3] and set(u' '.join(sum(drawn, [])).split()) <= words
    assert {len(text.split()) for text in sum(drawn, [])} <= {4, 5} and len(set(sum(drawn, []))) > 5
    assert writer.sample(texts[1], seed=2, max_length=5) == writer.sample([texts[1]], seed=2, max_length=5)[0]
    assert writer.sample(texts, seed=2, max_length=5, top_k=1) == writer.greedy(texts, max_length=5)
    assert writer.beam_search([]) == []
    # the ids that the model goes on from: the source with its end, a target's beginning without
    found = writer.ids.beam_search([([2, 6, 7, 3], [0] * 4), ([2, 9, 10, 11, 3, 12], [0] * 5 + [1])], beams=3,
                                   max_length=5, end_token_id=3, forbidden=writer.unwritten)
    assert [tokenizer().decode(ones[0].token_ids) for ones in found] == [best[0], best[2]]
    with pytest.raises(TextError, match='text 1 .*is empty'):
        writer.greedy([u'w1', u''])
    with pytest.raises(ValueError, match='count must be from 1 to beams 3, not 4'):
        writer.beam_search(texts, beams=3, count=4)


class FakeSteps(object):
    """What an IdGenerator asks of a language model of 23 words, which is never run."""

    bert = BertModel(dict(CONFIG, **SMALL), application='lm')
    vocab_size, pad_token_id, positions = 23, 10, 31

    def start(self, *_):
        return self


def test_every_argument_of_a_text_reaches_the_search(monkeypatch):
    """Through both generators, each with a value that it has not by default; the texts are known by their numbers."""
    calls = []

    def search(step, texts, *arguments):
        calls.append((texts,) + arguments)
        return [[Found([6, 7], 0.0)] * 5] * (texts if isinstance(texts, int) else len(texts))

    monkeypatch.setattr(stepping, 'steps_of', lambda model, cache: FakeSteps())
    for name in ('beam_search', 'sample'):
        monkeypatch.setattr(decoding, name, search)
    writer, texts = TextGenerator(None, tokenizer(), batch_size=2), [u'w1', u'w2 w3', u'w4']
    drawn = writer.sample(texts, temperature=2.5, top_k=7, top_p=0.75, seed=11, count=4, max_length=28, min_length=1,
                          no_repeat_ngram=3, forbidden=[9], end_token_id=8)
    beams = writer.beam_search(texts[:2], beams=5, length_penalty=0.25, count=2, max_length=6)
    assert [call[:1] + call[2:] for call in calls] == [
        ([1, 0], 4, 2.5, 7, 0.75, 11), ([2, 2], 4, 2.5, 7, 0.75, 11), (2, 5, 0.25)]
    assert vars(calls[0][1]) == {'end_token_id': 8, 'max_length': 28, 'min_length': 1, 'no_repeat_ngram': 3,
                                 'forbidden': [0, 1, 2, 4, 9, 10, 21, 22]}
    assert calls[2][1].end_token_id == 3 and beams == [[u'w1 w2'] * 2] * 2 and [len(ones) for ones in drawn] == [4] * 3


@pytest.mark.slow
def test_texts_that_a_language_model_goes_on_with(tmp_path):
    """They have no [SEP] at their end, and may be empty."""
    writer = TextGenerator(build(tmp_path, 'bert-lm').model, tokenizer())
    found = writer.ids.sample([([2, 6, 7], [0] * 3), ([2], [0])], seed=6, max_length=4, end_token_id=3,
                              forbidden=writer.unwritten)
    assert writer.sample([u'w1 w2', u''], seed=6, max_length=4) == [tokenizer().decode(one[0].token_ids)
                                                                    for one in found]


# ------------------------------------------------------------------ errors

@pytest.mark.slow
def test_what_cannot_be_generated_from(tmp_path, monkeypatch):
    """Each is found before anything is computed, and says what and where."""
    bert = build(tmp_path, 'bert-seq2seq')
    generator = IdGenerator(bert)
    for name in ('read_texts', 'take_step'):
        monkeypatch.setattr(generator.steps, name, None)
    for options, message in ((dict(max_length=0), 'max_length'), (dict(max_length=2, min_length=3), 'min_length'),
                             (dict(end_token_id=23), 'end_token_id and forbidden must be from 0 to 22, not 0 and 23'),
                             (dict(forbidden=[-1]), 'from 0 to 22, not -1')):
        for method in (generator.beam_search, generator.sample):
            with pytest.raises(ValueError, match=message):
                method(ROWS, **options)
    for options, message in ((dict(temperature=0), 'temperature'), (dict(top_p=1.5), 'top_p'),
                             (dict(samples=0), 'samples'), (dict(top_k=-1), 'top_k')):
        with pytest.raises(ValueError, match=message):
            generator.sample(ROWS, **options)
    with pytest.raises(ValueError, match='beams must be at least 1, not 0'):
        generator.beam_search(ROWS, beams=0)
    for row, message in ((([], []), 'has no token'), (([2, 23], [0, 0]), 'has token ids from 2 to 23'),
                         (([2, 5], [0]), 'needs a segment id, from 0 to 1, for each of its 2 tokens'),
                         (([2, 5], [0, 2]), 'needs a segment id'),
                         (([5] * 27, [0] * 27), 'has 27 tokens, with max_length=5 new ones 32, but the model has 31')):
        with pytest.raises(TextError, match='text 1 .*' + message):
            generator.beam_search([ROWS[0], row], max_length=5)


@pytest.mark.slow
def test_models_that_cannot_generate(tmp_path):
    """An encoder, a model that is not built, one segment only, batches of none."""
    bert = build(tmp_path, 'bert-seq2seq', application='encoder')
    with pytest.raises(ValueError, match="is an encoder.*application='lm' or 'seq2seq'"):
        IdGenerator(bert.model)
    config = dict(CONFIG, type_vocab_size=1, **SMALL)
    one = BertModel(config, application='seq2seq')
    with pytest.raises(ValueError, match='not built yet'):
        IdGenerator(one)
    one.build()
    hidden = keras.models.Model(one.model.inputs, one.layers['Encoder-2-FeedForward-Norm'].output)
    with pytest.raises(ValueError, match='one segment only'):
        IdGenerator(one).beam_search([([2, 3], [0, 0])])
    with pytest.raises(ValueError, match='batch_size must be at least 1, not 0'):
        IdGenerator(one, batch_size=0)
    with pytest.raises(ValueError, match='does not return the probabilities of the 23 words'):
        IdGenerator(BertModel.from_keras_model(hidden, changed=True), cache=False)
