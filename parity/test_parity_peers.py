# -*- coding: utf-8 -*-
"""Ours against every peer of this row: every family, outputs at every length, gradients, weights after training."""
from __future__ import absolute_import, division, print_function

import collections
import os

import numpy as np
import pytest

from bert4keras.backend import keras
from bert4keras.release.config import read_config
from bert4keras.release.directory import find_release
from bert4keras.release.families import family_of
from parity import measure, results, training
from parity.peers import PEERS, missing, ours, reference
from parity.questions import FAMILIES, STEPS, Question, common_questions, family_question, release_question
from tests.helpers.official import MISSING, find_official

COMMON = ('odd sizes erf', 'odd sizes tanh')
GENUINE = ('keras_bert_toy erf', 'keras_bert_toy tanh', 'minilm erf')
EXACTLY = 1e-11  # how far two implementations in float64 may be apart


def questions_given(config):
    """The names of the questions about --checkpoint and BERT4KERAS_CHECKPOINTS: "DIRECTORY GELU"."""
    directories = os.environ.get('BERT4KERAS_CHECKPOINTS', '').split(os.pathsep)
    directories = config.getoption('checkpoint', []) + [directory for directory in directories if directory]
    return tuple('%s %s' % (directory, gelu) for directory in directories for gelu in ('erf', 'tanh'))


def questions_asked(config):
    """The names of all questions."""
    return COMMON + GENUINE + tuple(FAMILIES) + questions_given(config)


def can_answer(peer, name):
    """Whether a peer can be asked the question of a name."""
    if peer.name == 'recorded':
        return name in COMMON
    if name in FAMILIES:
        gelu, family, layout = FAMILIES[name].gelu, family_of(FAMILIES[name].config).name, FAMILIES[name].layout
    else:
        directory, gelu = name.rsplit(' ', 1)
        family, layout = 'bert', 'tensorflow'
        if name not in COMMON + GENUINE:
            release = find_release(directory)
            family = read_config(release.config_path)['model_type']
            layout = 'hugging-face' if '.safetensors' in release.checkpoint_path else 'tensorflow'
    return gelu in peer.module.GELUS and family in peer.module.FAMILIES and layout in peer.module.LAYOUTS


def pytest_generate_tests(metafunc):
    """What compares outputs runs for every question, and for every peer that can be asked it."""
    questions = questions_asked(metafunc.config)
    if {'peer', 'question'} <= set(metafunc.fixturenames):
        pairs = [(name, question) for name, peer in PEERS.items() for question in questions
                 if can_answer(peer, question)]
        metafunc.parametrize('peer, question', pairs, indirect=True)
    elif 'question' in metafunc.fixturenames:
        metafunc.parametrize('question', questions, indirect=True)
    elif 'peer' in metafunc.fixturenames:
        metafunc.parametrize('peer', [name for name, peer in PEERS.items() if peer.module.TRAINS], indirect=True)


@pytest.fixture(scope='session')
def minilm_question(minilm_as_tensorflow, minilm_ids):
    """The question for the real MiniLM weights as a TensorFlow checkpoint, on real texts."""
    return Question('minilm erf', minilm_as_tensorflow, 'erf', [minilm_ids], real=True)


@pytest.fixture(scope='session')
def asked(request, tmp_path_factory):
    """A function from the name of a question to it, or to the reason why it is not here."""
    found = {question.name: question for question in common_questions(tmp_path_factory.mktemp('odd'))}

    def ask(name):
        if name in FAMILIES and name not in found:
            reason = missing(['safetensors'] * (FAMILIES[name].layout == 'hugging-face'))
            found[name] = reason or family_question(FAMILIES[name], tmp_path_factory.mktemp('family'))
        elif name not in found:
            directory, gelu = name.rsplit(' ', 1)
            try:
                if directory == 'minilm':
                    found[name] = request.getfixturevalue('minilm_question')
                elif name not in GENUINE:
                    found[name] = release_question(directory, gelu)
                elif find_official():
                    found[name] = release_question(os.path.join(find_official(), directory), gelu)
                else:
                    found[name] = MISSING
            except pytest.skip.Exception as reason:
                found[name] = str(reason)
        return found[name]
    return ask


@pytest.fixture  # not of the session: the old pytest takes parameters of equal numbers for equal
def question(request, asked):
    """One checkpoint to be asked about, or a skip where it is not on this machine."""
    found = asked(request.param)
    if not hasattr(found, 'batches'):
        pytest.skip(found)
    return found


@pytest.fixture(scope='session')
def trained(asked):
    """The question that trains."""
    return asked(COMMON[0])


@pytest.fixture  # not of the session: the old pytest takes parameters of equal numbers for equal
def peer(request):
    """One peer, or a skip where this row does not have it."""
    found = PEERS[request.param]
    if missing(found.packages):
        pytest.skip(missing(found.packages))
    return found


@pytest.fixture(scope='session')
def answer_of(request, asked):
    """A function from (module or Peer, question) to the answer, each asked once."""
    cache = {}

    def ask(asked_one, question):
        if (asked_one, question.name) not in cache and hasattr(asked_one, 'answer'):
            cache[asked_one, question.name] = asked_one.answer(question)
        elif (asked_one, question.name) not in cache:
            # all at once: a peer may have to start a process
            everything = [asked(name) for name in questions_asked(request.config) if can_answer(asked_one, name)]
            everything = [one for one in everything if isinstance(one, Question)]
            for one, answer in zip(everything, asked_one.module.answers(everything)):
                cache[asked_one, one.name] = answer
        return cache[asked_one, question.name]
    return ask


@pytest.fixture(scope='session')
def exact(answer_of):
    """A function from a question to {layer: (float64 array, floor)}."""
    cache = {}

    def ask(question):
        if question.name not in cache:
            cache[question.name] = collections.OrderedDict()
            rounded, floor = reference.answer(question, 'float32'), 0.0
            for name, array in answer_of(reference, question).items():
                here = measure.difference(rounded[name], array)
                # what a layer is given is already off by this much, even where few positions show it
                floor = here if question.strict else max(floor, 0.0 if name.endswith('-Proba') else here)
                cache[question.name][name] = array, floor
        return cache[question.name]
    return ask


def compare(question, peer_name, name, mine, theirs, exact, floor):
    """Checks one layer's outputs, probabilities by their size, and says who is off when they differ."""
    relative = name.endswith('-Proba') and not question.strict
    distance = measure.relative_difference if relative else measure.difference
    allowed = measure.RELATIVE if relative else measure.tolerance(floor, 2e-5 if question.real else 1e-5)
    off = [distance(array, exact) for array in (mine, theirs)]
    verdict = 'From float64 ours is off by %.2e, %s by %.2e' % (off[0], peer_name, off[1])
    measure.check('%s, %s: %s' % (question.name, peer_name, name), mine, theirs, allowed,
                  measured=distance(mine, theirs), verdict=verdict, checkpoint=question.name, peer=peer_name,
                  kind='heads' if name == 'Pooler-Dense' or name.endswith('-Proba') else 'hidden',
                  ours_off=off[0], peer_off=off[1])


def test_ours_equals_float64(question, answer_of, exact):
    """Every output of ours, at every length, is within rounding of the float64 reference."""
    answer = answer_of(ours, question)
    for name, (array, floor) in exact(question).items():
        compare(question, 'float64', name, answer[name], array, array, floor)


def test_ours_equals_the_peer(question, peer, answer_of, exact):
    """Embeddings, every block and the heads that the peer has, at every length, within the tolerance."""
    theirs, mine = answer_of(peer, question), answer_of(ours, question)
    names = peer.module.layers(question)
    assert [name for name in theirs if name in question.layers()] == names
    assert {name for name in question.layers() if name.startswith('Encoder-')} < set(names)
    for name in names:
        array, floor = exact(question)[name]
        # in a strict one the floor is that layer's alone, and what computes in float32 is off by it as ours is
        floor = floor * (2 if question.strict and not peer.module.EXACT else 1)
        compare(question, peer.title, name, mine[name], theirs[name], array, floor)
        if peer.module.EXACT:  # the oracles themselves
            assert measure.difference(theirs[name], array) < EXACTLY, name


def whose_gradient_is_off(question, name, mine, theirs):
    """The verdict of the float64 loss, along the direction in which two gradients differ most."""
    direction = np.asarray(mine, 'float64') - theirs
    direction /= np.linalg.norm(direction)
    slope = reference.slope(question, name, direction)
    return 'Along their difference the loss falls by %.3e in float64, by %.3e in ours, by %.3e in theirs' % (
        slope, (mine * direction).sum(), (theirs * direction).sum())


@pytest.mark.parametrize('what', STEPS)
def test_training_equals_the_peer(trained, peer, answer_of, what):
    """Gradients of the MLM loss, and the weights after ten steps of SGD and of Adam, of every variable."""
    mine, theirs = [training.moved(trained.variables(), answer_of(module, trained)) for module in (ours, peer)]
    names = [key[:-len(' (%s)' % what)] for key in theirs if key.endswith('(%s)' % what)]
    assert set(mine) == set(theirs) and len(names) == len(trained.variables()) - 4
    for name in names:
        key = '%s (%s)' % (name, what)
        size, allowed = training.scale(theirs, name, what), training.allowed(name, what)
        measured = measure.difference(mine[key], theirs[key]) / size
        verdict = ''
        if measured > allowed and what == 'gradient':
            verdict = whose_gradient_is_off(trained, name, mine[key], theirs[key])
        measure.check('%s, %s, %s: %s' % (trained.name, peer.title, what, name), mine[key], theirs[key], allowed,
                      measured=measured, verdict=verdict, checkpoint=trained.name, peer=peer.title, kind=what)


def test_gradients_equal_the_slope_of_the_float64_loss(trained, answer_of):
    """Along its own direction and along a random one, every variable's gradient is the loss's slope."""
    answer = answer_of(ours, trained)
    random = np.random.RandomState(5)
    for key in [key for key in answer if key.endswith('(gradient)')]:
        name, gradient = key.split(' ')[0], np.asarray(answer[key], 'float64')
        for direction in (gradient, random.choice([-1.0, 1.0], gradient.shape)):
            direction = direction / np.linalg.norm(direction)
            mine, theirs = (gradient * direction).sum(), reference.slope(trained, name, direction)
            size = training.scale(answer, name, 'gradient')
            measure.check('%s, float64, gradient: %s' % (trained.name, name), mine, theirs, measure.RELATIVE,
                          measured=abs(mine - theirs) / size, checkpoint=trained.name, peer='float64',
                          kind='gradient')


def test_the_adam_of_this_keras_takes_the_steps_of_our_gradients(trained):
    """Ten steps of its own Adam end where Adam in NumPy does: repeated ids in a batch add up, in both tables."""
    if not any(hasattr(keras.optimizers.Adam, name) for name in ('update_step', '_resource_apply_dense')):
        pytest.skip('the Adam of this Keras is not reproducible in a graph')
    trainer = ours.trainer(trained)
    start = trainer.read()
    expected = trainer.train(start, training.adam_of_keras)
    for name, mine in trainer.train_by_keras(start).items():
        measured = measure.difference(mine, expected[name]) / (10 * training.ADAM_RATE)
        measure.check('%s, own Adam: %s' % (trained.name, name), mine, expected[name],
                      training.allowed(name, '10 Adam steps'), measured=measured)


def test_the_answer_is_kept_for_the_other_rows(trained, answer_of):
    """With BERT4KERAS_RESULTS this row's answer lies there as ROW.npz, for parity.report to compare."""
    answer = answer_of(ours, trained)
    assert len(answer) == len(trained.layers()) + 3 * (len(trained.variables()) - 4)
    if results.directory() is not None:
        np.savez(os.path.join(results.directory(), results.row_name() + '.npz'),
                 fingerprint=trained.fingerprint(), **answer)
