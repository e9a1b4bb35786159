# -*- coding: utf-8 -*-
"""Cross-encoders: ids, logits and scores are those of transformers and sentence-transformers, as they were recorded."""
from __future__ import absolute_import, division, print_function

import os

import numpy as np
import pytest

from bert4keras import cli
from bert4keras.embedding import CrossEncoder, Embedder
from bert4keras.embedding.dense import sigmoid
from bert4keras.errors import CheckpointError, ConfigError, TextError
from bert4keras.tokenizer_files import load_tokenizer
from tests.helpers.releases import make_fine_tuned
from tests.helpers.sentences import CROSS_CASES, copy_changed, read_recorded, write_directories

pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
TOLERANCE = 2e-6  # float32, on logits of O(1) from two layers


@pytest.fixture
def fresh_graph():
    """Takes the place of the one in conftest.py: here a model outlives a test."""


@pytest.fixture(scope='module')
def recorded():
    """{name: array} of what was recorded."""
    return read_recorded()


@pytest.fixture(scope='module')
def directories(recorded, tmp_path_factory):
    """The directory that has the recorded ones, as they were saved."""
    return write_directories(recorded, str(tmp_path_factory.mktemp('cross')), CROSS_CASES)


@pytest.fixture(scope='module')
def pairs(recorded):
    """The list of pairs, of which most are cut."""
    return [tuple(pair) for pair in recorded['pairs']]


@pytest.fixture(scope='module')
def one(directories):
    """The cross-encoder of one label."""
    return CrossEncoder(os.path.join(directories, 'cross-one'))


@pytest.fixture
def built_once(one, monkeypatch):
    """Lets `load_model` give the model of `one`, whose weights another directory has, too."""
    from bert4keras import bert
    monkeypatch.setattr(bert, 'build_bert_model', lambda *args, **kwargs: one.model)


def test_a_reranker_of_xlm_r(recorded, directories, pairs):
    """Its pairs, `<s> A </s></s> B </s>` of one segment, cut as transformers cuts them; its head; the scores."""
    encoder = CrossEncoder(os.path.join(directories, 'cross-xlm'))
    assert encoder.max_length == 21
    token_ids, segment_ids = encoder.tokenizer.encode_batch(*zip(*pairs), max_length=21)
    np.testing.assert_array_equal(token_ids, recorded['cross-xlm/ids'])
    assert not segment_ids.any()
    for pair, row in zip(pairs, token_ids):
        found = encoder.tokenizer.encode(*pair, max_length=21, offsets=True)
        assert found[0] == row[row != 1].tolist() and set(found[1]) == {0} and len(found[2]) == len(found[0])
        tokens = encoder.tokenizer.tokenize(*pair, max_length=21)
        assert encoder.tokenizer.tokens_to_ids(tokens) == found[0]
    assert np.abs(encoder.logits(pairs) - recorded['cross-xlm/logits']).max() < TOLERANCE
    assert np.abs(encoder.predict(pairs) - recorded['cross-xlm/scores']).max() < TOLERANCE


def test_pairs_are_cut_as_transformers_cuts_them(recorded, directories, pairs):
    """Ids and segments: halves where both are too long, the odd token for the longer one, or for the second."""
    tokenizer = load_tokenizer(os.path.join(directories, 'cross-one'))
    token_ids, segment_ids = tokenizer.encode_batch(*(list(zip(*pairs)) + [21]))
    assert token_ids.tolist() == recorded['cross-one/ids'].tolist()
    assert segment_ids.tolist() == recorded['cross-one/segments'].tolist()
    assert sum(recorded['cross-one/ids'][:, -1] != 0) == 7  # so many were cut, or just fit


def test_logits_and_scores(recorded, one, pairs):
    """Within 2e-6 of transformers' logits and of the scores of sentence-transformers, in small batches, too."""
    for size in (3, 32):
        logits = one.logits(pairs, batch_size=size)
        assert logits.shape == (10, 1) and np.abs(logits - recorded['cross-one/logits']).max() < TOLERANCE
    assert np.ptp(recorded['cross-one/logits']) > 0.3
    scores = one.predict(pairs)
    assert scores.shape == (10,) and np.abs(scores - recorded['cross-one/scores']).max() < TOLERANCE


def test_the_directory_names_the_activation(recorded, directories, pairs, built_once, tmp_path):
    """Here none: sentence-transformers 6 writes it beside the config; versions 4 and 5, and older ones, into that."""
    encoder = CrossEncoder(os.path.join(directories, 'cross-identity'))
    assert np.abs(encoder.predict(pairs) - recorded['cross-identity/scores']).max() < TOLERANCE
    assert recorded['cross-identity/scores'].min() < 0
    identity = 'torch.nn.modules.linear.Identity'
    for number, fields in enumerate([{'sentence_transformers': {'activation_fn': identity}},
                                     {'sbert_ce_default_activation_function': identity}, {}]):
        directory = copy_changed(os.path.join(directories, 'cross-one'), str(tmp_path / str(number)), 'config.json',
                                 **fields)
        assert CrossEncoder(directory).activation(-3.5) != -3.5  # the newer file says the sigmoid
        os.remove(os.path.join(directory, 'config_sentence_transformers.json'))
        assert (CrossEncoder(directory).activation(-3.5) == -3.5) == bool(fields)  # by default it is the sigmoid


def test_several_labels(recorded, directories, pairs):
    """A plain directory of transformers: logits of each label, and no one score to rank by."""
    encoder = CrossEncoder(os.path.join(directories, 'cross-three'))
    scores = encoder.predict(pairs)
    assert scores.shape == (10, 3) and np.abs(scores - recorded['cross-three/logits']).max() < TOLERANCE
    assert np.abs(scores - recorded['cross-three/scores']).max() < TOLERANCE
    with pytest.raises(ValueError) as caught:
        encoder.rank(u'word1', [u'word2'])
    assert '3 labels (LABEL_0, LABEL_1, LABEL_2)' in str(caught.value)


def test_rank_sorts_by_the_score(recorded, one, pairs):
    """In the order of sentence-transformers, with the scores of `predict`; equals stay in order."""
    passages = list(recorded['texts'])
    ranked = one.rank(pairs[2][0], passages)
    assert [index for index, _ in ranked] == recorded['cross-one/ranked'].tolist()
    scores = one.predict([(pairs[2][0], passage) for passage in passages])
    assert [score for _, score in ranked] == sorted(scores.tolist(), reverse=True)
    assert one.rank(pairs[2][0], passages, top=2) == ranked[:2]
    assert [index for index, _ in one.rank(u'word1', [u'word2', u'word3', u'word2', u'word2'])
            if index != 1] == [0, 2, 3]
    assert one.rank(u'word1', []) == []


def test_a_score_that_rounds_to_1_does_not_hide_the_better_logit():
    """The sigmoid of 88 and of 89, and one that would overflow in float32."""
    found = sigmoid(np.array([-800, -90, 0, 2.5, 90], 'float32'))
    np.testing.assert_allclose(found, [0, 8.194012623990515e-40, 0.5, 0.9241418199787566, 1], rtol=1e-7, atol=1e-300)


def test_the_better_logit_wins_where_scores_are_equal(one, monkeypatch):
    """Scores have 7 digits."""
    logits = np.array([[30], [31], [-1], [32]], 'float32')
    monkeypatch.setattr(one, 'logits', lambda *args: logits)
    assert [index for index, _ in one.rank(u'a', u'abcd')] == [3, 1, 0, 2]


@pytest.mark.parametrize('pairs, index, part', [
    ([(u'a', u'b'), (u'a', None)], 1, 'missing'), ([u'ab'], 0, 'no pair'),
    ([(u'a', u'b'), (u'a', u'b', u'c')], 1, 'no pair')])
def test_what_is_no_pair_of_strings_is_named(one, pairs, index, part):
    """Before anything is computed."""
    with pytest.raises(TextError) as caught:
        one.predict(pairs)
    assert caught.value.index == index and part in str(caught.value)


@pytest.mark.parametrize('name, fields, part', [
    ('config_sentence_transformers.json', {'activation_fn': 'torch.nn.modules.activation.Softmax'}, 'Softmax'),
    ('config_sentence_transformers.json', {'activation_fn': 'mine.Sigmoid'}, 'mine.Sigmoid'),
    ('config_sentence_transformers.json', {'default_prompt_name': 'query'}, 'default_prompt_name'),
    ('config_sentence_transformers.json', {'model_type': 'SentenceTransformer'}, 'embedding.Embedder'),
    ('sentence_bert_config.json', {'transformer_task': 'text-generation'}, 'text-generation'),
    ('config.json', {'auto_map': {'AutoModelForSequenceClassification': 'mine.Model'}}, 'mine.Model'),
    ('config.json', {'id2label': {'0': 'a', '1': 'b'}}, '2 labels')])
def test_what_is_not_built_is_refused_by_name(directories, tmp_path, name, fields, part):
    """Each message names the file, or what has the other number of labels."""
    directory = copy_changed(os.path.join(directories, 'cross-one'), str(tmp_path / 'changed'), name, **fields)
    with pytest.raises(ValueError) as caught:
        CrossEncoder(directory)
    assert part in str(caught.value)


def test_an_embedder_of_a_cross_encoder_is_refused(directories):
    """It has no vectors to compare; the message says what is for it."""
    with pytest.raises(ConfigError) as caught:
        Embedder(os.path.join(directories, 'cross-one'))
    assert 'bert4keras rank' in str(caught.value)


@pytest.mark.parametrize('head', ['tokens', None])
def test_a_model_without_such_a_head_is_refused(tmp_path, head, release):
    """With the head of another task, or with none."""
    directory = release[0]
    if head:
        directory = str(tmp_path)
        make_fine_tuned(directory, head, num_hidden_layers=1)
    with pytest.raises(CheckpointError) as caught:
        CrossEncoder(directory)
    assert 'no classifier of texts' in str(caught.value) and directory in str(caught.value)


def test_the_command(recorded, directories, one, built_once, pairs, tmp_path, capfd):
    """Score, number and text of the best passages; a line that is no UTF-8 is named."""
    directory, passages = os.path.join(directories, 'cross-one'), list(recorded['texts'])
    path = tmp_path / 'passages.txt'
    path.write_bytes(u'\n'.join(passages).encode('utf-8'))
    capfd.readouterr()
    assert cli.main(['rank', directory, pairs[2][0], '--input', str(path), '--top', '3', '--batch-size', '2']) == 0
    out, err = capfd.readouterr()
    lines = [line.split('\t') for line in out.splitlines()]
    ranked = one.rank(pairs[2][0], passages)[:3]
    assert [int(number) - 1 for _, number, _ in lines] == [index for index, _ in ranked]
    assert [text for _, _, text in lines] == [passages[index] for index, _ in ranked]
    for (score, _, _), (_, expected) in zip(lines, ranked):
        assert abs(float(score) - expected) < 1e-6 + TOLERANCE
    assert cli.main(['rank', directory, 'word1', 'word2', '--max-length', '2']) == 2
    assert 'max_length=2' in capfd.readouterr().err
    path.write_bytes(b'a\n\xff')
    assert cli.main(['rank', directory, 'word1', '--input', str(path)]) == 2
    assert 'passages.txt, line 2' in capfd.readouterr().err
