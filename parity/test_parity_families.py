# -*- coding: utf-8 -*-
"""Families of weights: other masks, what is written and opened by others, real weights there and back.

That the numbers of every family are those of its peers is in test_parity_peers.py; see `questions.FAMILIES`.
"""
from __future__ import absolute_import, division, print_function

import os

import numpy as np
import pytest

from bert4keras.backend import keras
from bert4keras.bert import build_bert_model
from bert4keras.convert import convert
from bert4keras.reference import forward
from bert4keras.release.config import read_config
from bert4keras.release.directory import find_release
from bert4keras.release.variables import open_variables
from bert4keras.verify import build_with_outputs
from parity.measure import check, difference, function_to, real_positions, tolerance
from parity.peers import PEERS, hugging_face, keras_bert as peer_keras_bert, ours as peer_ours, reference, require
from parity.questions import SHORT_BERT, release_question
from tests.helpers.releases import ALBERT_CONFIG, ROBERTA_CONFIG, make_release, random_ids, random_variables

def test_one_gelu_for_the_other_cannot_pass():
    """On ALBERT too they differ by ten times the tolerance and more, behind every application of the block."""
    variables, ids = random_variables(ALBERT_CONFIG, 18), random_ids(ALBERT_CONFIG)
    erf, tanh = [forward(ALBERT_CONFIG, variables, *ids, gelu=gelu) for gelu in ('erf', 'tanh')]
    for index in range(3):
        name = 'Encoder-%d-FeedForward-Norm' % (index + 1)
        assert difference(erf[name][ids[0] != 0], tanh[name][ids[0] != 0]) > 1e-4, name


@pytest.mark.slow
@pytest.mark.parametrize('application', ['lm', 'seq2seq'])
def test_albert_under_the_other_masks(tmp_path, application):
    """The masks are the same in every application of the shared block."""
    config, variables = make_release(tmp_path, config=ALBERT_CONFIG)
    ids = random_ids(config)
    exact, rounded = [forward(config, variables, *ids, application=application, dtype=dtype)
                      for dtype in ('float64', 'float32')]
    model, outputs = build_with_outputs(config, find_release(str(tmp_path)).checkpoint_path, list(exact),
                                        application=application, with_nsp=True, with_mlm=True)
    for name, ours in zip(exact, function_to(model, outputs)(ids)):
        ours, theirs, other = [real_positions(array, ids[0]) for array in (ours, exact[name], rounded[name])]
        check('ALBERT %s %s' % (application, name), ours, theirs, tolerance(difference(other, theirs)),
              checkpoint='ALBERT %s' % application, peer='float64',
              kind='heads' if name == 'Pooler-Dense' or name.endswith('-Proba') else 'hidden')


@pytest.mark.parametrize('architecture, config', [('BertModel', SHORT_BERT), ('AlbertModel', ALBERT_CONFIG)])
def test_transformers_opens_what_was_saved_without_heads(tmp_path, architecture, config):
    """save_release of an encoder with its pooler: exactly the keys of BertModel and AlbertModel."""
    require('transformers', 'torch')
    make_release(tmp_path, config=config)
    bert = build_bert_model(str(tmp_path), with_pool=True, return_keras_model=False)
    there = os.path.join(str(tmp_path), 'there')
    bert.save_release(there, layout='hugging-face')
    ids = random_ids(config)
    pooled = hugging_face.outputs(hugging_face.open_release(there, architecture), *ids)['Pooler-Dense']
    check('%s pooled' % architecture, bert.model.predict(list(ids)), pooled, 1e-5)


@pytest.mark.parametrize('name, config, gelu', [
    ('google', SHORT_BERT, 'tanh'), ('google', ALBERT_CONFIG, 'tanh'), ('hugging_face', SHORT_BERT, 'erf'),
    ('hugging_face', ALBERT_CONFIG, 'tanh'), ('hugging_face', ROBERTA_CONFIG, 'erf'),
    ('hugging_face', ROBERTA_CONFIG, 'tanh')])
def test_a_peer_opens_a_release_without_a_pooler(tmp_path, name, config, gelu):
    """As pretraining without pairs writes it: hidden states and words are compared, and nobody complains."""
    require(*PEERS[name].packages)
    make_release(tmp_path, config=dict(config, max_position_embeddings=40))
    there = os.path.join(str(tmp_path), 'there')
    build_bert_model(str(tmp_path), with_mlm=True, return_keras_model=False).save_release(there)
    question, peer = release_question(there, gelu), PEERS[name].module
    assert not [variable for variable in question.variables() if 'pooler' in variable]
    assert question.batches[0][0].shape == (5, 37 if config is ROBERTA_CONFIG else 40)  # the longest that there is
    layers = peer.layers(question)
    assert ('MLM-Proba' in layers) == (name == 'hugging_face' and (config, gelu) != (ROBERTA_CONFIG, 'tanh'))
    (theirs,), mine, exact = peer.answers([question]), peer_ours.answer(question), reference.answer(question)
    assert list(theirs) == layers and 'Encoder-2-FeedForward-Norm' in layers
    for layer in mine:
        check('no pooler, ours: %s' % layer, mine[layer], exact[layer], 2e-5)
        if layer in theirs:
            check('no pooler, %s: %s' % (name, layer), theirs[layer], exact[layer], 1e-11 if peer.EXACT else 2e-5)


@pytest.fixture(scope='module')
def both_ways(minilm, tmp_path_factory):
    """(the real MiniLM, it as a TensorFlow checkpoint, that in Hugging Face's layout): directories."""
    directory = str(tmp_path_factory.mktemp('both'))
    there, back = [os.path.join(directory, name) for name in ('there', 'back')]
    convert(minilm, there, layout='tensorflow')
    convert(there, back, layout='hugging-face')
    return minilm, there, back


def test_minilm_to_tensorflow_and_back(both_ways):
    """Real weights through both layouts: the same tensors under the same names, unused ones included."""
    config = read_config(os.path.join(both_ways[0], 'config.json'))
    first, second, third = [open_variables(find_release(path).checkpoint_path, config) for path in both_ways]
    assert len(first.checkpoint) == len(second.checkpoint) == len(third.checkpoint) == 5 + 16 * 6 + 2 + 1
    assert first.unnamed == third.unnamed == ['embeddings.position_ids']
    for name in first:
        assert first[name].tobytes() == second[name].tobytes() == third[name].tobytes(), name
    ids = [variables.checkpoint['embeddings.position_ids'] for variables in (first, second, third)]
    assert ids[0].dtype == ids[1].dtype == ids[2].dtype and ids[0].tobytes() == ids[1].tobytes() == ids[2].tobytes()


def test_transformers_opens_minilm_that_was_in_tensorflow(both_ways):
    """The Hugging Face side, opened by transformers: every tensor is the original's."""
    require('transformers', 'torch')
    first, third = [hugging_face.open_release(path, 'BertModel').state_dict() for path in both_ways[::2]]
    assert set(first) == set(third)
    for name in first:
        assert (first[name] == third[name]).all(), name


@pytest.mark.slow
def test_keras_bert_opens_minilm_in_tensorflow(both_ways):
    """The TensorFlow side, opened by keras-bert: our last hidden states, with its GELU."""
    if hasattr(keras, 'ops'):
        pytest.skip('keras-bert does not run on Keras 3')
    require('keras-bert')
    keras_bert, _ = peer_keras_bert.import_it()
    directory = both_ways[1]
    peer = keras_bert.load_trained_model_from_checkpoint(os.path.join(directory, 'bert_config.json'),
                                                         os.path.join(directory, 'bert_model.ckpt'), seq_len=None)
    token_ids = np.random.RandomState(0).randint(1000, 30000, (3, 11)).astype('int32')
    token_ids[1, 7:] = 0
    segment_ids = np.zeros_like(token_ids)
    ours = build_bert_model(directory, gelu='tanh').predict([token_ids, segment_ids])
    theirs = peer.predict([token_ids, segment_ids])
    check('MiniLM keras-bert hidden', ours[token_ids != 0], theirs[token_ids != 0], 2e-5,
          checkpoint='MiniLM written here', peer='keras-bert', kind='hidden')
