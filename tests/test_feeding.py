# -*- coding: utf-8 -*-
"""What a training is fed with, its checkpoints and its figures: all of it without a Keras."""
from __future__ import absolute_import, division, print_function

import collections
import io
import os

import numpy as np
import pytest

from bert4keras.errors import CheckpointError, CorpusError
from bert4keras.pretraining.checkpoints import (
    State, check_settings, checkpoints, load_state, remove_old, save_state)
from bert4keras.pretraining.corpus import build_corpus
from bert4keras.pretraining.feeding import Feed, check_evaluation, evaluation_batches, plan
from bert4keras.pretraining.metrics import EVALUATION, TRAINING, Metrics, draw_curve, flops_per_token
from bert4keras.pretraining.reader import Batches
from tests.helpers.pretraining import write_text
from tests.helpers.releases import CONFIG

pytestmark = pytest.mark.engine_free
VOCAB = ['[UNK]', '[CLS]', '[SEP]', '[PAD]', '[MASK]'] + ['w%d' % number for number in range(60)] + ['##s', '##ed']
CLS, SEP, PAD, MASK = 1, 2, 3, 4


@pytest.fixture(scope='module')
def corpora(tmp_path_factory):
    """{(mode, length): directory} of corpora of one text."""
    folder = tmp_path_factory.mktemp('corpora')
    write_text(folder, VOCAB, documents=40, lines=(2, 6))
    made = {}
    for mode, length in (('roberta', 40), ('bert', 19), ('bert', 40), ('albert', 19)):
        made[mode, length] = str(folder / ('%s-%d' % (mode, length)))
        build_corpus([str(folder / 'text.txt')], str(folder / 'vocab.txt'), made[mode, length], mode=mode,
                     length=length, workers=0)
    return made


def test_each_target_weighs_the_same(corpora):
    """Summed over a batch, by rows, the weights of words and of pairs are 1, in whatever parts it comes."""
    whole = Feed(plan([corpora['bert', 19]], None, 9, 15, 1), 15, 1, 1)(4)
    parts = Feed(plan([corpora['bert', 19]], None, 9, 15, 1), 15, 5, 1)(4)
    (inputs, weights), = whole.parts
    np.testing.assert_allclose(weights[:, 0].sum() / 15, 1, rtol=1e-6)
    np.testing.assert_allclose(weights[:, 1:].sum() / 15, 1, rtol=1e-6)
    assert len(set(weights[:, 1:][weights[:, 1:] > 0])) == 1 and len({(part[1] > 0).sum() for part in parts.parts}) > 1
    for index, array in enumerate(inputs):
        np.testing.assert_array_equal(np.concatenate([part[0][index] for part in parts.parts]), array)
    np.testing.assert_array_equal(np.concatenate([part[1] for part in parts.parts]), weights)
    batch = Batches(corpora['bert', 19], 15, 1).batch(4)
    np.testing.assert_array_equal(inputs[3], np.concatenate([batch['labels'][:, None], batch['masked_ids']], axis=1))
    assert whole.tokens == 15 * 19 and whole.real == batch['lengths'].sum() and whole.length == 19


def test_chance_is_a_function_of_seed_and_step(corpora):
    """Two numbers for each row, below 2 ** 29, and 1; others for another step, row or seed."""
    phases = plan([corpora['roberta', 40]], None, 9, 6, 1)
    one, again, step, seed = [Feed(phases, 6, 1, seed)(step).parts[0][0][-1]
                              for seed, step in ((1, 2), (1, 2), (1, 3), (2, 2))]
    np.testing.assert_array_equal(one, again)
    assert one.dtype == 'int32' and (one[:, 2] == 1).all() and one.min() >= 0 and 2 ** 25 < one.max() < 2 ** 29
    assert len(set(np.concatenate([part[:, :2].ravel() for part in (one, step, seed)]))) == 36


@pytest.mark.parametrize('mode, length, rate, predictions', [
    ('roberta', 40, 0.15, 6), ('roberta', 40, 0.4, 16), ('bert', 19, 0.3, 6), ('albert', 19, 0.4, 8),
    ('bert', 19, 0.001, 1)])
def test_the_rate_is_what_is_masked(corpora, mode, length, rate, predictions):
    """Of all tokens but padding, 8 in 10 of them by [MASK], in as many places as a full row needs."""
    feed = Feed(plan([corpora[mode, length]], None, 40, 15, 1, rate), 15, 1, 1)
    masked = real = by_mask = 0
    for step in range(40):
        fed = feed(step)
        (inputs, weights), = fed.parts
        assert weights.shape == (15, 1 + predictions) and inputs[2].shape == (15, predictions)
        masked, real = masked + (weights[:, 1:] > 0).sum(), real + fed.real
        by_mask += (inputs[0] == MASK).sum()
    assert abs(by_mask / masked - 0.8) < 4 * (0.8 * 0.2 / masked) ** 0.5
    if rate < 0.01:  # one of each row, but where all words are of two tokens
        assert 500 < masked <= 600
    else:  # a row masks a whole number of tokens: half of one is the most that rounding takes or adds
        assert abs(masked - rate * real) < 0.5 * 600


def test_the_rate_of_evaluation_is_always_the_same(corpora):
    """Trainings at several rates are compared by it."""
    settings = collections.namedtuple('Settings', 'phases batch_size accumulate seed')
    found = [list(evaluation_batches(corpora['bert', 19], settings(
        plan([corpora['bert', 19]], None, 5, 12, 1, rate), 12, 2, 1), 5)) for rate in (0.15, 0.4)]
    for (inputs, weights), (others, other_weights) in zip(*found):
        assert all(map(np.array_equal, inputs + [weights], others + [other_weights])) and weights.shape[1] == 1 + 3


def test_phases(corpora):
    """The last of several phases has a tenth of the steps; each has the corpus with rows of its length."""
    both = [corpora['bert', 40], corpora['bert', 19]]
    short, long_ = plan(both, [19, 40], 30, 4, 1)
    assert [(phase.stop, phase.corpus.length, phase.batches.predictions) for phase in (short, long_)] == [
        (27, 19, 3), (30, 40, 6)]
    feed = Feed([short, long_], 4, 2, 1)
    assert [feed(step).length for step in (0, 26, 27, 29)] == [19, 19, 40, 40]
    assert [phase.stop for phase in plan([corpora['roberta', 40]], [10, 20, 40], 3, 4, 1)] == [1, 2, 3]
    assert [phase.batches.length for phase in plan(both, None, 10, 4, 1)] == [40, 19]
    with pytest.raises(ValueError, match='rows of 41 tokens: there are those of 40 and 19; make'):
        plan(both, [41], 30, 4, 1)
    with pytest.raises(CorpusError, match='bert-40 has mode bert|roberta-40 has mode roberta, and .*bert-40 has bert'):
        plan([corpora['bert', 40], corpora['roberta', 40]], None, 30, 4, 1)
    with pytest.raises(CorpusError, match='text.txt|corpus.json'):
        plan([os.path.dirname(corpora['bert', 40])], None, 30, 4, 1)


def test_rows_that_are_cut(corpora):
    """A row of mode roberta, cut: a part from a word on, between [CLS] and [SEP], elsewhere in each epoch."""
    whole, cut = Batches(corpora['roberta', 40], 5, seed=2), Batches(corpora['roberta', 40], 5, seed=2, length=12)
    epoch, places = -(-len(whole.corpus) // 5), set()
    for step in (0, 1, epoch, epoch + 1, 2 * epoch):
        indices, epochs = whole.indices(step)
        rows = whole.corpus.rows(indices)
        short = cut._cut(rows, epochs, indices)
        assert short.token_ids.shape == (5, 12) and cut.batch(step)['masked_positions'].shape == (5, 2)
        for number in range(5):
            ids, part, length = rows.token_ids[number], short.token_ids[number], short.lengths[number]
            if rows.lengths[number] <= 12:
                np.testing.assert_array_equal(part, ids[:12])
                continue
            assert length == 12 and part[0] == CLS and part[-1] == SEP
            found = [place for place in range(1, 30) if (ids[place:place + 10] == part[1:-1]).all()]
            assert any(place == 1 or rows.word_starts[number, place] for place in found)
            np.testing.assert_array_equal(short.word_starts[number, 1:-1],
                                          rows.word_starts[number, found[0]:found[0] + 10])
            places.update((int(indices[number]), place) for place in found)
    assert len(places) > 15
    for length in (7, 41):
        with pytest.raises(ValueError, match='length is %d' % length):
            Batches(corpora['roberta', 40], 5, length=length)
    with pytest.raises(ValueError, match='length is 12.*roberta'):
        Batches(corpora['bert', 40], 5, length=12)


def test_evaluation_batches(corpora):
    """Each row has weight once, and nothing is dropped."""
    class Settings(object):
        batch_size, accumulate, seed = 12, 2, 1
        phases = plan([corpora['bert', 19]], None, 5, 12, 1)
    rows = 0
    for inputs, weights in evaluation_batches(corpora['bert', 19], Settings, 5):
        assert inputs[0].shape == (6, 19) and not inputs[-1].any() and set(np.unique(weights)) <= {0, 1}
        rows += int(weights[:, 0].sum())
    assert rows == len(Settings.phases[0].corpus) and rows % 6


def test_what_cannot_be_evaluated(corpora, tmp_path):
    """A corpus of another vocabulary or mode, or of rows that the model cannot take, or none."""
    class Settings(object):
        phases = plan([corpora['bert', 19]], None, 5, 12, 1)
    config = dict(CONFIG, pad_token_id=PAD, max_position_embeddings=39)
    check_evaluation(corpora['bert', 19], Settings, config)
    check_evaluation(corpora['bert', 40], Settings, dict(config, max_position_embeddings=40))
    with pytest.raises(ValueError, match='bert-40 have 40 tokens.*takes 39.*--length 39'):
        check_evaluation(corpora['bert', 40], Settings, config)
    with pytest.raises(CorpusError, match='has mode albert, and .* has bert'):
        check_evaluation(corpora['albert', 19], Settings, config)
    with pytest.raises(CorpusError, match='corpus.json'):
        check_evaluation(str(tmp_path), Settings, config)
    write_text(tmp_path, VOCAB[::-1], documents=4, lines=(2, 6))
    build_corpus([str(tmp_path / 'text.txt')], str(tmp_path / 'vocab.txt'), str(tmp_path / 'other'), mode='bert',
                 length=19, workers=0)
    with pytest.raises(CorpusError, match='other has vocabulary_sha256'):
        check_evaluation(str(tmp_path / 'other'), Settings, config)
    Settings.phases = plan([corpora['roberta', 40]], [19], 5, 12, 1)
    check_evaluation(corpora['roberta', 40], Settings, dict(config, max_position_embeddings=19))  # they are cut


# ------------------------------------------------------------------ files

def test_checkpoints(tmp_path):
    """What is saved is what is loaded; old ones go; a damaged one is an error that says what to do."""
    folder = str(tmp_path)
    for step in (2, 10, 300):
        save_state(folder, State(step, {'a/b': np.arange(3.) + step, 'c': np.zeros((2, 0), 'float32')},
                                 [np.array(step, 'int64')] + [np.full(2, index, 'float32') for index in range(12)]))
    assert checkpoints(folder) == [2, 10, 300]
    state = load_state(folder, 10)
    assert state.step == 10 and set(state.weights) == {'a/b', 'c'} and state.weights['c'].shape == (2, 0)
    np.testing.assert_array_equal(state.weights['a/b'], [10, 11, 12])
    assert state.optimizer[0] == 10 and state.optimizer[0].dtype == 'int64'
    assert [int(value[0]) for value in state.optimizer[1:]] == list(range(12))
    remove_old(folder, 2)
    assert sorted(os.listdir(folder)) == ['checkpoint-00000010.npz', 'checkpoint-00000300.npz']
    with io.open(os.path.join(folder, 'checkpoint-00000300.npz'), 'r+b') as stream:
        data = bytearray(stream.read())
        data[data.index(np.array([301.]).tobytes())] ^= 1
        stream.seek(0)
        stream.write(data)
    with pytest.raises(CheckpointError, match='checkpoint-00000300.npz is damaged.*remove it'):
        load_state(folder, 300)
    os.rename(os.path.join(folder, 'checkpoint-00000010.npz'), os.path.join(folder, 'checkpoint-00000011.npz'))
    with pytest.raises(CheckpointError, match='another step'):
        load_state(folder, 11)


def test_settings(tmp_path):
    """The first call writes them down; another with other settings is refused, with both values."""
    folder = str(tmp_path)
    check_settings(folder, {'steps': 5, 'phases': [{'stop': 5}]})
    check_settings(folder, {'steps': 5, 'phases': [{'stop': 5}]})
    with pytest.raises(ValueError, match='begun with phases 1 stop 5, not 6, steps 5, not 6; go on .*--from'):
        check_settings(folder, {'steps': 6, 'phases': [{'stop': 6}]})
    with pytest.raises(ValueError, match='begun with phases 2 stop None, not 7;'):
        check_settings(folder, {'steps': 5, 'phases': [{'stop': 5}, {'stop': 7}]})
    with io.open(os.path.join(folder, 'settings.json'), 'wb') as stream:
        stream.write(b'{')
    with pytest.raises(ValueError, match='settings.json is damaged'):
        check_settings(folder, {'steps': 5})
    os.remove(os.path.join(folder, 'settings.json'))
    save_state(folder, State(1, {}, []))
    with pytest.raises(ValueError, match='has checkpoint-00000001.npz, but no settings.json'):
        check_settings(folder, {'steps': 5})
    for name in ('release', 'metrics.csv'):  # of somebody else
        other = tmp_path / ('with-' + name)
        (other / name).mkdir(parents=True) if name == 'release' else (other.mkdir(), (other / name).write_bytes(b'x'))
        with pytest.raises(ValueError, match='has %s, but no settings.json' % name):
            check_settings(str(other), {'steps': 5}, ['release', 'metrics.csv'])


def test_metrics(tmp_path, caplog):
    """Lines after the checkpoint that training goes on from are dropped, and one that was cut off; others stay."""
    path = os.path.join(str(tmp_path), TRAINING)
    metrics = Metrics(str(tmp_path), 0)
    for step in (2, 4, 6):
        metrics.write(TRAINING, {'step': step, 'loss': 1.5 / step, 'pair_loss': 0.25, 'word_accuracy': 0.5,
                                 'learning_rate': 1e-4, 'padding_share': 0.1})
    metrics.write(EVALUATION, {'step': 4, 'loss': 2.0, 'pair_loss': 0.5, 'word_accuracy': 0.25,
                               'pair_accuracy': float('nan')})
    with io.open(path, 'ab') as stream:
        stream.write(b'3,0.')
    Metrics(str(tmp_path), 4)
    with io.open(path, 'rb') as stream:
        assert stream.read().decode('ascii').split('\n') == [
            'step,loss,pair_loss,word_accuracy,learning_rate,tokens_per_second,padding_share',
            '2,0.75,0.25,0.5,0.0001,,0.1', '4,0.375,0.25,0.5,0.0001,,0.1', '']
    with io.open(os.path.join(str(tmp_path), EVALUATION), 'rb') as stream:
        assert stream.read().endswith(b'4,2,0.5,0.25,nan\n')
    drawn = draw_curve(str(tmp_path))
    if drawn is None:
        assert 'pip install "bert4keras[plot]"' in caplog.text and path in caplog.text
    else:
        with io.open(drawn, 'rb') as stream:
            assert stream.read(8) == b'\x89PNG\r\n\x1a\n'


def test_operations():
    """Of BERT base and large with 20 predictions of 128 tokens and 80 of 512, by hand: 6 N + 12 L D T + the words."""
    base = {'hidden_size': 768, 'embedding_size': 768, 'num_hidden_layers': 12, 'intermediate_size': 3072,
            'vocab_size': 30522}
    large = dict(base, hidden_size=1024, embedding_size=1024, num_hidden_layers=24, intermediate_size=4096)
    found = [flops_per_token(config, *shape) / 1e9 for config in (base, large) for shape in ((128, 20), (512, 80))]
    np.testing.assert_allclose(found, [0.546, 0.589, 1.880, 1.993], atol=0.001)
