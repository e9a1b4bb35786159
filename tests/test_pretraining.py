# -*- coding: utf-8 -*-
"""Training: the loss is the reference's, whatever the parts; dropout has no state; bad settings are errors."""
from __future__ import absolute_import, division, print_function

import numpy as np
import pytest

from bert4keras import reference
from bert4keras.backend import keras
from bert4keras.errors import CheckpointError
from bert4keras.pretraining import training
from bert4keras.pretraining.feeding import evaluation_batches
from bert4keras.pretraining.model import BertSeededAttention, BertSeededDropout, initial_variables
from bert4keras.pretraining.reader import Batches
from bert4keras.pretraining.training import Training
from tests.helpers.pretraining import BATCH, CHANGES, make_folder, settings, without_dropout
from tests.helpers.releases import CONFIG, random_variables


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """See `make_folder`."""
    folder = tmp_path_factory.mktemp('pretraining')
    make_folder(folder)
    return folder


@pytest.fixture
def model(folder):
    """A Training that takes each batch in three parts."""
    return Training(settings(folder, accumulate=3))


def reference_figures(variables, batch):
    """(loss of the words, of the pairs, share of the words guessed) of a batch of `Batches`, by NumPy in float64."""
    out = reference.forward(dict(CONFIG, **CHANGES), variables, batch['token_ids'], batch['segment_ids'])
    losses, guessed = [], []
    for row, (positions, ids, weights) in enumerate(
            zip(batch['masked_positions'], batch['masked_ids'], batch['masked_weights'])):
        for position, token_id, weight in zip(positions, ids, weights):
            if weight:
                probabilities = out['MLM-Proba'][row, position]
                losses.append(-np.log(probabilities[token_id]))
                guessed.append(probabilities.argmax() == token_id)
    pairs = -np.log(out['NSP-Proba'][np.arange(len(batch['labels'])), batch['labels']])
    return np.mean(losses), pairs.mean(), np.mean(guessed)


def test_the_loss_is_the_references(folder, model):
    """The mean over the masked tokens of a batch plus that over its pairs, though it comes in three parts.

    Then, as models take their time to build, that a state is all there is.
    """
    variables = random_variables(dict(CONFIG, **CHANGES))
    words, pairs, guessed = reference_figures(variables, Batches(str(folder / 'bert'), BATCH, seed=3).batch(0))
    fed = without_dropout(model.feed(0))
    assert len({int((weights[:, 1:] > 0).sum()) for _, weights in fed.parts}) == 3  # unequal numbers of masked tokens
    figures = model.step(fed)
    np.testing.assert_allclose(figures['loss'], words + pairs, rtol=2e-5)
    np.testing.assert_allclose(figures['pair_loss'], pairs, rtol=2e-5)
    np.testing.assert_allclose(figures['word_accuracy'], guessed, rtol=1e-5)


    check_that_a_state_is_all(model)


def check_that_a_state_is_all(model):
    """Set back to a state, with dropout on, the same step gives the same weights; another chance does not."""
    model.step(model.feed(2))
    state = model.state(3)
    model.step(model.feed(3))
    expected = model.bert.get_variables()
    model.step(model.feed(4))
    model.set_state(state, 'somewhere')
    model.step(model.feed(3))
    found = model.bert.get_variables()
    # Keras 2.3 and TensorFlow 1.13 may sum in another order each time
    assert max(np.abs(found[name] - expected[name]).max() for name in found) < 1e-6
    model.set_state(state, 'somewhere')
    model.step(model.feed(3)._replace(parts=[
        (inputs[:-1] + [inputs[-1] + np.array([7, 0, 0], 'int32')], weights)
        for inputs, weights in model.feed(3).parts]))
    found = model.bert.get_variables()
    assert max(np.abs(found[name] - expected[name]).max() for name in found) > 1e-3  # other chance
    state.optimizer[-1] = state.optimizer[-1][:-1]
    with pytest.raises(CheckpointError, match='somewhere.*optimizer'):
        model.set_state(state, 'somewhere')


@pytest.mark.slow
def test_evaluation_sees_each_row_once(folder, model):
    """Without dropout, with masks that are always the same, also where the last batch is not full."""
    corpus = Batches(str(folder / 'bert'), 1, seed=3).corpus
    assert len(corpus) % 4
    found = model.evaluate(evaluation_batches(str(folder / 'bert'), model.settings, 6))
    batch = Batches(corpus, len(corpus), seed=3).batch(0)
    words, pairs, guessed = reference_figures(model.bert.get_variables(), batch)
    np.testing.assert_allclose([found[name] for name in ('loss', 'pair_loss', 'word_accuracy')],
                               [words + pairs, pairs, guessed], rtol=3e-5)
    again = model.evaluate(evaluation_batches(str(folder / 'bert'), model.settings, 6))
    assert again == found and 0 < found['pair_accuracy'] < 1


def test_dropout_by_numbers_that_are_given():
    """The share of zeros is the rate, the mean stays; other numbers give other zeros, and 0 gives none."""
    x = keras.layers.Input(shape=(300,))
    chance = keras.layers.Input(shape=(3,), dtype='int32')
    model = keras.models.Model([x, chance], BertSeededDropout(0.3)([x, chance]))
    ones = np.ones((40, 300), 'float32')

    def dropped(*numbers):
        return np.asarray(model.predict_on_batch([ones, np.array([numbers] * 40, 'int32')]))

    first = dropped(11, 12, 1)
    assert set(np.unique(first.round(4))) == {0, np.float32(1 / 0.7).round(4)}
    assert abs((first == 0).mean() - 0.3) < 0.02 and abs(first.mean() - 1) < 0.03
    np.testing.assert_array_equal(dropped(11, 12, 1), first)
    np.testing.assert_array_equal(dropped(11, 12, 0), ones)
    for other in (dropped(12, 12, 1), dropped(11, 13, 1)):
        assert 0.3 < ((other == 0) != (first == 0)).mean() < 0.54  # 2 * 0.3 * 0.7 = 0.42


def test_first_weights():
    """Of the config's standard deviation, cut at two of it, by name and seed; the same numbers on every Keras."""
    config = dict(CONFIG, embedding_size=32, pad_token_id=0, layer_norm_eps=1e-12, model_type='bert')
    one, other = initial_variables(config, 3), initial_variables(config, 4)
    table = one['bert/embeddings/word_embeddings']
    assert np.abs(table).max() <= 0.04 and abs(table.std() - 0.02 * 0.8796) < 3e-4  # of the cut normal: 0.8796
    np.testing.assert_allclose(table[0, :3], [-0.003850457, 0.023724485, 0.016195774], atol=1e-9)
    assert not np.array_equal(table, other['bert/embeddings/word_embeddings'])
    assert one['cls/seq_relationship/output_weights'].shape == (2, 32)
    assert set(one['bert/encoder/layer_0/output/LayerNorm/gamma']) == {1}


# ------------------------------------------------------------------ settings

@pytest.mark.parametrize('options, words', [
    ({'batch_size': 10, 'accumulate': 3}, 'accumulate is 3.* divide batch_size, 10'), ({'steps': 0}, 'steps is 0'),
    ({'warmup': 6}, 'warmup is 6'), ({'mask_rate': 1.0}, 'mask_rate is 1.0'), ({'mask_rate': 0}, 'mask_rate is 0'),
    ({'optimizer': 'sgd'}, "optimizer is 'sgd'"),
    ({'precision': 'float64'}, "precision is 'float64'"), ({'seed': -1}, 'seed is -1'),
    ({'learning_rate': 0.0}, 'learning_rate is 0'), ({'lengths': [20]}, 'no corpus has rows of 20 tokens: .* 16'),
    ({'lengths': [10]}, 'pairs cannot be cut'), ({'start': 'nowhere'}, 'nowhere')])
def test_bad_settings(folder, options, words):
    """What cannot be is an error before anything is built."""
    with pytest.raises(ValueError, match=words):
        settings(folder, **options)


def test_the_learning_rate(folder):
    """It rises to the highest and falls to 0; the first step and the last have some."""
    points = training.schedule(settings(folder, steps=8, warmup=0.25))
    rates = np.interp(range(8), *zip(*points))
    np.testing.assert_allclose(rates, [1 / 3., 2 / 3., 1, 5 / 6., 4 / 6., 3 / 6., 2 / 6., 1 / 6.])
    assert training.schedule(settings(folder, steps=8, warmup=0))[0] == [0, 1.0]


def test_a_kernel_of_the_engine_has_no_dropout_of_ours():
    """Attention that drops probabilities is written out; without chance it may be the engine's."""
    attention = BertSeededAttention(2, dropout_rate=0.3)
    assert attention.is_plain((), True) and not attention.is_plain(('chance',), True)
