# -*- coding: utf-8 -*-
"""embedding.embed: which numbers come out, in which order, for how much computing."""
from __future__ import absolute_import, division, print_function

import logging
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert4keras.embedding import POOLINGS, embed, normalize
from bert4keras.errors import TextError
from bert4keras.tokenizer import Tokenizer

# float32 sums of the same numbers in another order, on hidden states of O(1)
TOLERANCE = 1e-5


class FakeLayer(object):
    """What `embed` asks of a layer."""

    def __init__(self, name, **attributes):
        self.name = name
        self.__dict__.update(attributes)


class FakeModel(object):
    """Hidden states that are the id, the position, the segment and -id: no engine, exact in float32."""

    output_shape = (None, None, 4)

    def __init__(self, vocab_size=97, positions=83, pad_token_id=3):
        self.layers = [FakeLayer('Embedding-Token', vocab_size=vocab_size),
                       FakeLayer('Embedding-Position', max_position_embeddings=positions),
                       FakeLayer('Attention-Mask', pad_token_id=pad_token_id)]
        self.batches = []

    def predict_on_batch(self, inputs):
        token_ids, segment_ids = inputs
        assert token_ids.dtype == segment_ids.dtype == np.int32
        self.batches.append(token_ids)
        positions = np.arange(token_ids.shape[1]) * np.ones_like(token_ids)
        return np.stack([token_ids, positions, segment_ids, -token_ids], axis=-1).astype('float32')


class FakeTokenizer(object):
    """A text is its ids: u'5 6 | 7' are 5, 6 in segment 0 and 7 in segment 1."""

    def encode(self, text, max_length=None):
        first, _, second = text.partition('|')
        first, second = [[int(number) for number in part.split()] for part in (first, second)]
        return (first + second)[:max_length], ([0] * len(first) + [1] * len(second))[:max_length]


def pooled_one_by_one(hidden, pooling):
    """What a pooling makes of the hidden states [T, D] of one text without padding."""
    weights = np.arange(1, len(hidden) + 1)
    return {'mean': hidden.mean(axis=0), 'cls': hidden[0], 'max': hidden.max(axis=0), 'lasttoken': hidden[-1],
            'mean_sqrt_len': hidden.sum(axis=0) / len(hidden) ** 0.5,
            'weightedmean': np.average(hidden, axis=0, weights=weights)}[pooling]


def to_text(ids):
    """The text that FakeTokenizer turns into these ids."""
    return ' '.join(str(number) for number in ids)


@given(st.lists(st.lists(st.integers(0, 96), min_size=1, max_size=83), max_size=23), st.integers(1, 9),
       st.sampled_from(POOLINGS))
@settings(max_examples=60, deadline=None)
def test_any_texts_in_any_order_are_pooled_as_numpy_does_one_by_one(rows, batch_size, pooling):
    """Order, padding and batches leave no trace in the result; [PAD] among the ids is a token."""
    result = embed(FakeModel(), FakeTokenizer(), [to_text(ids) for ids in rows], pooling, batch_size)
    assert result.shape == (len(rows), 4) and result.dtype == np.float32
    for ids, vector in zip(rows, result):
        ids = np.array(ids)
        hidden = np.stack([ids, np.arange(len(ids)), 0 * ids, -ids], axis=-1)
        expected = pooled_one_by_one(hidden, pooling)
        np.testing.assert_allclose(vector, expected, rtol=1e-6)


def test_batches_have_one_size_few_lengths_and_the_model_s_padding():
    """100 texts of 1 to 50 tokens in batches of 8: all 8 rows, 4 lengths, filled up with [PAD]."""
    model, random = FakeModel(), np.random.RandomState(0)
    lengths = random.randint(1, 51, 100)
    embed(model, FakeTokenizer(), [to_text([5] * length) for length in lengths], batch_size=8)
    assert {len(batch) for batch in model.batches} == {8} and len(model.batches) == 13
    assert {batch.shape[1] for batch in model.batches} == {16, 32, 48, 64}
    assert {number for batch in model.batches for number in batch.ravel()} == {3, 5}
    tokens = sum(batch.size for batch in model.batches)
    assert tokens < 1.5 * lengths.sum() < 0.8 * len(lengths) * 64


def test_fewer_texts_than_batch_size_make_a_batch_of_their_number():
    """One query is not computed 32 times."""
    model = FakeModel()
    embed(model, FakeTokenizer(), ['5 6 7'])
    assert [batch.shape for batch in model.batches] == [(1, 16)]


def test_no_texts_give_an_array_without_rows():
    """An empty list is no error, and computes nothing."""
    model = FakeModel()
    assert embed(model, FakeTokenizer(), iter([])).shape == (0, 4)
    assert not model.batches


def test_segment_ids_of_the_tokenizer_reach_the_model():
    """The mean of the third hidden unit is the share of segment 1."""
    assert embed(FakeModel(), FakeTokenizer(), ['5 6 7 | 8', '5'])[:, 2].tolist() == [0.25, 0]


def test_a_mask_of_a_subclass_without_padding_id_means_0():
    """A model whose attention mask is somebody's own layer can be used too."""
    model = FakeModel()
    model.layers.pop()
    embed(model, FakeTokenizer(), ['5'])
    assert model.batches[0].tolist() == [[5] + [0] * 15]


def test_progress_is_told_the_texts_of_each_batch():
    """They add up to all texts; the rows that fill up the last batch are none."""
    done = []
    embed(FakeModel(), FakeTokenizer(), ['5'] * 11, batch_size=4, progress=done.append)
    assert done == [4, 4, 3]


def test_a_text_longer_than_the_positions_is_an_error_that_says_which():
    """Nothing is cut in silence, and nothing is computed before it is found."""
    model = FakeModel(positions=19)
    with pytest.raises(TextError) as caught:
        embed(model, FakeTokenizer(), ['5', to_text([5] * 20), '6'])
    for part in ('text 1', '20 tokens', '19 positions', 'max_length=19'):
        assert part in str(caught.value)
    assert caught.value.index == 1 and not model.batches
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize('pooling', POOLINGS)
def test_a_text_of_exactly_as_many_tokens_as_positions_is_taken_whole(pooling):
    """The last position is used, by a text that just fits and by one that max_length cuts to it."""
    model = FakeModel(positions=19)
    texts = [to_text(range(1, 20)), '5', to_text(range(1, 21))]
    result = embed(model, FakeTokenizer(), texts, pooling, max_length=19)
    assert [batch.shape for batch in model.batches] == [(3, 19)]
    expected = {'mean': [10, 9], 'cls': [1, 0], 'max': [19, 18], 'lasttoken': [19, 18], 'weightedmean': [13, 12],
                'mean_sqrt_len': [190 / 19 ** 0.5, 171 / 19 ** 0.5]}[pooling]
    np.testing.assert_allclose(result[[0, 2], :2], [expected, expected], rtol=1e-6)
    assert np.array_equal(embed(model, FakeTokenizer(), texts[:1], pooling), result[:1])


def test_max_length_cuts_and_says_how_many(caplog):
    """A warning counts the texts that were cut; without such a text there is none."""
    with caplog.at_level(logging.WARNING):
        embed(FakeModel(), FakeTokenizer(), ['5 6 7', '5 6', '5 6 8 9'], 'max', max_length=3)
        assert [record.getMessage() for record in caplog.records] == [
            '1 of 3 texts had more than 3 tokens and were cut']
        caplog.clear()
        cut = embed(FakeModel(), FakeTokenizer(), ['5 6 7 8', '5 6 7'], 'max', max_length=4)
        assert not caplog.records
    assert cut[:, 0].tolist() == [8, 7]


@pytest.mark.parametrize('ids', ['5 97', '5 -1'])
def test_ids_that_the_vocabulary_lacks_are_an_error_before_anything_is_computed(ids):
    """A compiled graph cannot raise: JAX would give NaN."""
    model = FakeModel(vocab_size=97)
    with pytest.raises(TextError) as caught:
        embed(model, FakeTokenizer(), ['96', ids])
    assert 'text 1' in str(caught.value) and '0 to 96' in str(caught.value) and not model.batches


def test_a_text_without_any_token_is_an_error():
    """A tokenizer without [CLS] can do that, and the mean of nothing is no number."""
    with pytest.raises(TextError):
        embed(FakeModel(), FakeTokenizer(), ['5', ''])


@pytest.mark.parametrize('arguments, part', [
    ({'pooling': 'sum'}, "not 'sum'"), ({'batch_size': 0}, 'not 0'), ({'max_length': 84}, '83 positions')])
def test_arguments_out_of_range_are_errors(arguments, part):
    """Each says what was given or what the limit is."""
    with pytest.raises(ValueError) as caught:
        embed(FakeModel(), FakeTokenizer(), ['5'], **arguments)
    assert part in str(caught.value)


@pytest.mark.parametrize('texts', [b'5', u'5'])
def test_one_string_is_not_a_list_of_letters(texts):
    """The classic mistake is an error."""
    with pytest.raises(TypeError):
        embed(FakeModel(), FakeTokenizer(), texts)


def test_models_with_heads_are_refused():
    """Pooled vectors and probabilities are no hidden states."""
    for shape, name in (((None, 4), 'Pooler'), ([(None, 4), (None, None, 4)], 'Pooler'),
                        ((None, None, 97), 'MLM-Proba')):
        model = FakeModel()
        model.output_shape, model.layers = shape, model.layers + [FakeLayer(name)]
        with pytest.raises(ValueError) as caught:
            embed(model, FakeTokenizer(), ['5'])
        assert 'last hidden states' in str(caught.value)


def test_normalize_makes_unit_rows_and_leaves_zeros():
    """Each row is divided by its length; the type stays float32."""
    result = normalize(np.array([[3, 4], [0, 0], [0, -1e-3]], 'float32'))
    np.testing.assert_allclose(result, [[0.6, 0.8], [0, 0], [0, -1]], rtol=1e-6)
    assert result.dtype == np.float32


def test_a_real_model_gives_each_text_what_it_gives_that_text_alone(release):
    """Shuffled texts of 2 to 17 tokens, batches of 4: what NumPy pools of unpadded hidden states."""
    from bert4keras.bert import build_bert_model
    directory, _, _ = release
    model, tokenizer = build_bert_model(directory), Tokenizer(directory + '/vocab.txt')
    random = np.random.RandomState(0)
    texts = [u' '.join(u'word%d' % number for number in random.randint(0, 94, length))
             for length in random.permutation(16)[:5]]
    results = {pooling: embed(model, tokenizer, texts, pooling, batch_size=4) for pooling in POOLINGS}
    for index, text in enumerate(texts):
        token_ids, segment_ids = [np.array([ids], 'int32') for ids in tokenizer.encode(text)]
        hidden = np.asarray(model.predict_on_batch([token_ids, segment_ids]))[0]  # [T, D]
        for pooling in POOLINGS:
            expected = pooled_one_by_one(hidden, pooling)
            assert np.abs(results[pooling][index] - expected).max() < TOLERANCE * max(1, np.abs(expected).max())
            assert np.abs(results[pooling][index]
                          - embed(model, tokenizer, [text], pooling)[0]).max() < TOLERANCE
