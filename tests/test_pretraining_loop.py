# -*- coding: utf-8 -*-
"""Whole trainings: the command from config to release, stopped and gone on with, an ALBERT, a dry run."""
from __future__ import absolute_import, division, print_function

import csv
import io
import os

import numpy as np
import pytest

from bert4keras import backend, cli, verify
from bert4keras.backend import keras
from bert4keras.bert import build_bert_model
from bert4keras.optimizers import LAMB
from bert4keras.pretraining.checkpoints import checkpoints, load_state
from bert4keras.pretraining.training import Settings, Training, dry_run, pretrain
from bert4keras.release.checkpoint import open_checkpoint
from tests.helpers.pretraining import BATCH, CHANGES, make_folder, settings, without_dropout
from tests.helpers.releases import CONFIG, random_variables

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """See `make_folder`."""
    folder = tmp_path_factory.mktemp('pretraining')
    make_folder(folder)
    return folder


def run(folder, output, *more, **options):
    """`bert4keras pretrain` from the release, in the folder; what it returns."""
    mode = options.pop('mode', 'bert')
    return cli.main(['pretrain', str(folder / 'release'), '--corpus', str(folder / mode), '--output',
                     str(folder / output), '--steps', '7', '--batch-size', '12', '--accumulate', '2', '--learning-rate',
                     '0.01', '--save-every', '2', '--log-every', '3', '--keep', '2'] + list(more))


def lines(path):
    with io.open(str(path), **({} if str is not bytes else {'mode': 'rb'})) as stream:
        return list(csv.DictReader(stream))


def test_from_config_to_release(folder, capsys):
    """It trains, evaluates, keeps the newest checkpoints, and ends with a release that `verify` finds right."""
    assert run(folder, 'whole', '--eval', str(folder / 'bert')) == 0
    out = capsys.readouterr().out
    assert 'step 6 of 7: loss' in out and 'wrote ' in out and 'held-out text' in out
    whole = folder / 'whole'
    assert checkpoints(str(whole)) == [6, 7]
    assert [row['step'] for row in lines(whole / 'metrics.csv')] == ['3', '6', '7']
    assert [row['step'] for row in lines(whole / 'evaluation.csv')] == ['2', '4', '6', '7']
    losses = [float(row['loss']) for row in lines(whole / 'evaluation.csv')]
    assert losses[-1] < losses[0]
    release = str(whole / 'release')
    assert {'bert_config.json', 'vocab.txt', 'bert_model.ckpt.index'} <= set(os.listdir(release))
    state, written = load_state(str(whole), 7), open_checkpoint(os.path.join(release, 'bert_model.ckpt'))
    assert set(written) == set(state.weights) == set(random_variables(dict(CONFIG, **CHANGES)))
    for name in written:
        np.testing.assert_array_equal(written[name], state.weights[name])
    rows = verify.verify(release)
    assert len(rows) > 8 and all(row.difference <= row.tolerance for row in rows)


def test_stopped_and_gone_on_with(folder, capsys):
    """Stopped after three steps, which saves; the same call goes on, and another training is refused there."""
    asked = []
    first = settings(folder, 'roberta', accumulate=2)
    output = str(folder / 'stopped')
    arguments = dict(save_every=100, log_every=2, report=lambda line: None)
    assert pretrain(first, output, is_stopped=lambda: asked.append(1) or len(asked) >= 3, **arguments) == 3
    assert checkpoints(output) == [3] and not os.path.exists(os.path.join(output, 'release'))
    keras.backend.clear_session()
    with pytest.raises(ValueError, match='seed 3, not 4'):
        pretrain(settings(folder, 'roberta', accumulate=2, seed=4), output, **arguments)
    keras.backend.clear_session()
    with pytest.raises(ValueError, match='mask rate 0.15, not 0.4'):
        pretrain(settings(folder, 'roberta', accumulate=2, mask_rate=0.4), output, **arguments)
    said = []
    keras.backend.clear_session()
    assert pretrain(first, output, **dict(arguments, report=said.append)) == 6
    assert said[0] == 'going on after step 3 of 6'
    keras.backend.clear_session()
    assert pretrain(settings(folder, 'roberta', accumulate=2), str(folder / 'straight'), **arguments) == 6
    one, other = load_state(output, 6), load_state(str(folder / 'straight'), 6)
    for name in one.weights:
        if 'key/bias' not in name:  # see below; TensorFlow 1.13 adds in another order each time
            np.testing.assert_allclose(one.weights[name], other.weights[name], atol=1e-5, err_msg=name)
    assert [row['step'] for row in lines(folder / 'stopped' / 'metrics.csv')] == ['2', '3', '4', '6']
    # heads that this mode does not train are those of the checkpoint that it started from
    assert 'bert/pooler/dense/kernel' not in one.weights
    given, written = [open_checkpoint(os.path.join(folder_, 'bert_model.ckpt')) for folder_ in (
        str(folder / 'release'), os.path.join(output, 'release'))]
    for name in ('bert/pooler/dense/kernel', 'cls/seq_relationship/output_weights'):
        np.testing.assert_array_equal(written[name], given[name])
    assert build_bert_model(os.path.join(output, 'release'), with_nsp=True, with_mlm=True)


def test_what_is_wrong_is_said_before_a_step(folder, tmp_path, monkeypatch):
    """Of what is looked at or replaced only later: the held-out text, the peak, a release that is somebody's."""
    monkeypatch.setattr(Training, 'step', None)
    for options, words in (({'evaluation': str(folder / 'roberta')}, 'has mode roberta, and .* has bert'),
                           ({'peak': -1.0}, 'peak is -1.0'), ({'peak': 0.0}, 'peak is 0.0')):
        keras.backend.clear_session()
        with pytest.raises(ValueError, match=words):
            pretrain(settings(folder), str(tmp_path), **options)
        assert os.listdir(str(tmp_path)) == []
    keras.backend.clear_session()
    with pytest.raises(ValueError, match='has release, but no settings.json'):
        pretrain(settings(folder), str(folder))
    keras.backend.clear_session()
    with pytest.raises(ValueError, match='has mode roberta'):
        dry_run(settings(folder), str(tmp_path), evaluation=str(folder / 'roberta'))


def test_an_albert_and_lamb(folder):
    """Each use of a shared block has a dropout of its own; from a config alone, by LAMB, the loss falls."""
    config = dict(CONFIG, **dict(CHANGES, embedding_size=9, num_hidden_groups=1, num_hidden_layers=3))
    model = Training(Settings(config, [str(folder / 'albert')], 40, BATCH, optimizer='lamb', seed=2,
                              learning_rate=0.05))
    assert isinstance(model.model.optimizer, LAMB)
    names = [layer.name for layer in model.model.layers if 'Chance' in layer.name]
    assert len(names) == 1 + 1 + 3 * 3  # the input; embeddings; attention and two halves of each block
    first = [model.step(model.feed(step))['loss'] for step in range(40)]
    assert np.mean(first[-5:]) < np.mean(first[:5]) - 0.1


def test_a_dry_run(folder, tmp_path):
    """Three steps, a save and a load, and nothing left of it."""
    said = []
    dry_run(settings(folder), str(tmp_path), said.append)
    assert 'a step takes' in said[1] and '.weights' not in ''.join(said)
    assert 'the next step is the same' in said[3]
    assert run(folder, 'dry', '--dry-run') == 0 and not os.path.exists(str(folder / 'dry'))


def test_parts_of_a_batch_are_the_batch(folder):
    """Three parts with unequal numbers of masked tokens make the update of the whole batch."""
    before = random_variables(dict(CONFIG, **CHANGES))
    found = []
    for accumulate in (1, 3):
        keras.backend.clear_session()
        training = Training(settings(folder, accumulate=accumulate))
        training.step(without_dropout(training.feed(0)))
        found.append((training.bert.get_variables(),
                      backend.get_values(training.model.optimizer.state.slots['m'])))  # in proportion to the gradient
    (ours, means), (others, other_means) = found
    for mean, other in zip(means, other_means):
        np.testing.assert_allclose(mean, other, atol=1e-7)
    for name in others:
        if 'key/bias' in name:  # its gradient is 0, as softmax knows no constant: what is left is rounding
            continue
        np.testing.assert_allclose(ours[name], others[name], atol=1e-5, err_msg=name)
        assert np.abs(ours[name] - before[name]).max() > 0.001, name


def test_a_corpus_that_does_not_fit(folder, tmp_path):
    """Of more words, longer rows or another padding than the model has: an error that names both."""
    for field, value, words in (('vocab_size', 98, 'vocab_size = 98.* needs 99'), ('pad_token_id', 5, 'pad_token_id'),
                                ('max_position_embeddings', 15, 'max_position_embeddings = 15.* needs 16'),
                                ('type_vocab_size', 1, 'type_vocab_size = 1.* needs 2')):
        with pytest.raises(ValueError, match=words):
            Training(Settings(dict(CONFIG, **{field: value}), [str(folder / 'bert')], 3, BATCH))
