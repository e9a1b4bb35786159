# -*- coding: utf-8 -*-
"""Every family of weights, in the layouts of its releases, against transformers, Google's code and the reference."""
from __future__ import absolute_import, division, print_function

import os

import numpy as np
import pytest

from bert4keras.backend import keras
from bert4keras.bert import build_bert_model
from bert4keras.commands import build_with_outputs, convert
from bert4keras.families import find_release, open_variables, read_config
from bert4keras.reference import forward
from parity.measure import check, difference, tolerance
from parity.peers import google, hugging_face
from tests.helpers.releases import ALBERT_CONFIG, ALBERT_ZH_CONFIG, CONFIG, make_release, random_ids, random_variables

HEADS = {'with_nsp': True, 'with_mlm': True}
SHORT_BERT = dict(CONFIG, num_hidden_layers=2)


def compare(checkpoint, peer, names, ours, exact, rounded, real):
    """Checks every layer of {name: array} within rounding of the peer's exact one, on real positions."""
    for name in names:
        mine, theirs, other = [array[real] if array.ndim == 3 else array
                               for array in (ours[name], exact[name], rounded[name])]
        kind = 'heads' if name == 'Pooler-Dense' or name.endswith('-Proba') else 'hidden'
        check('%s %s %s' % (checkpoint, peer, name), mine, theirs, tolerance(difference(other, theirs)),
              checkpoint=checkpoint, peer=peer, kind=kind)


def computed(directory, names, ids, **arguments):
    """{name: array} of those of the reference's layers, by the model of a release with all heads."""
    release = find_release(directory)
    model, outputs = build_with_outputs(release.config_path, release.checkpoint_path, names,
                                        **dict(HEADS, **arguments))
    return dict(zip(names, keras.models.Model(model.inputs, outputs).predict(list(ids))))


class Case(object):
    """A release with what it gives: ids, the reference's outputs (exact, rounded) and ours."""

    def __init__(self, directory, config, seed=0, layout='tensorflow', **arguments):
        self.directory, self.layout = str(directory), layout
        self.config, self.variables = make_release(directory, seed, config=config, layout=layout)
        self.ids = random_ids(self.config)
        if self.config['type_vocab_size'] > 2:
            self.ids = self.ids[0], np.random.RandomState(5).randint(0, 5, self.ids[0].shape).astype('int32')
        self.pad = self.config.get('pad_token_id', 0)
        self.real = self.ids[0] != self.pad
        self.exact = forward(self.config, self.variables, *self.ids, **arguments)
        self.rounded = forward(self.config, self.variables, *self.ids, dtype='float32', **arguments)
        self.names = list(self.exact)
        self.ours = computed(self.directory, self.names, self.ids, **arguments)


# ------------------------------------------------------------------ ALBERT

# hidden_act: (seed, another field that changes the numbers). A block applied again and again can multiply
# rounding; these seeds keep 4 times the floor near the tolerance's cap, so that the cap is no lottery.
ACTIVATIONS = {'gelu': (18, {}), 'gelu_new': (18, {'layer_norm_eps': 0.01, 'pad_token_id': 3}),
               'relu': (19, {'type_vocab_size': 5})}


@pytest.fixture(scope='module', params=sorted(ACTIVATIONS))
def albert(request, tmp_path_factory):
    """An ALBERT in Google's layout, with an activation and one more field that changes the numbers."""
    seed, fields = ACTIVATIONS[request.param]
    return Case(tmp_path_factory.mktemp(request.param), dict(ALBERT_CONFIG, hidden_act=request.param, **fields), seed)


def test_albert_equals_the_reference(albert):
    """Google's layout: embeddings, mapping, every application of the block and every head."""
    compare('ALBERT %s' % albert.config['hidden_act'], 'float64', albert.names, albert.ours, albert.exact,
            albert.rounded, albert.real)


def test_albert_equals_transformers(albert, tmp_path):
    """AlbertForPreTraining opens our Hugging Face release without a key too many or too few; float64."""
    pytest.importorskip('torch', reason='transformers needs PyTorch, which is not in this row')
    pytest.importorskip('transformers', reason='transformers is not in this row')
    there = os.path.join(str(tmp_path), 'there')
    convert(albert.directory, there)
    model = hugging_face.open_release(there, 'AlbertForPreTraining').double()
    peer = hugging_face.outputs(model, *albert.ids, pad_token_id=albert.pad)
    compare('ALBERT %s' % albert.config['hidden_act'], 'transformers, float64', peer, albert.ours, peer, albert.rounded,
            albert.real)
    for name in peer:  # the oracle itself: two implementations in float64
        theirs, ours = [array[albert.real] if array.ndim == 3 else array for array in (peer[name], albert.exact[name])]
        assert difference(ours, theirs) < 1e-11, name


@pytest.mark.parametrize('package, config', [('bert', SHORT_BERT), ('albert', ALBERT_CONFIG)])
def test_google_restores_what_we_write(tmp_path, package, config):
    """Google's modeling.py, restored from a checkpoint of ours by TensorFlow's Saver, gives our numbers."""
    pytest.importorskip(package + '.modeling', reason="Google's code needs TensorFlow 1 and is not in this row")
    case = Case(tmp_path, config, gelu='tanh')
    there = os.path.join(str(tmp_path), 'there')
    build_bert_model(str(tmp_path), return_keras_model=False, **HEADS).save_release(there)
    with google.opened(package, case.config, find_release(there).checkpoint_path) as run:
        peer = run(*case.ids)
    for name in peer:  # both in float32, so each may be off by the floor
        ours, theirs, exact, rounded = [array[case.real] if array.ndim == 3 else array for array in
                                        (case.ours[name], peer[name], case.exact[name], case.rounded[name])]
        kind = 'heads' if name == 'Pooler-Dense' or name.endswith('-Proba') else 'hidden'
        check('google %s %s' % (package, name), ours, theirs, tolerance(2 * difference(rounded, exact)),
              checkpoint='%s written here' % package.upper(), peer="Google's %s" % package.upper(), kind=kind)


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
    case = Case(tmp_path, ALBERT_CONFIG, application=application)
    compare('ALBERT %s' % application, 'float64', case.names, case.ours, case.exact, case.rounded, case.real)


# ------------------------------------------------------------------ the original albert_zh

def as_bert(config, variables):
    """The original albert_zh as the BERT that it computes: the tables multiplied, the block repeated."""
    unrolled, own = {}, {'embedding_size', 'ln_type'}
    for name, value in variables.items():
        for index in range(config['num_hidden_layers']) if '/layer_shared/' in name else [0]:
            unrolled[name.replace('/layer_shared/', '/layer_%d/' % index)] = value
    one, two = [np.asarray(unrolled.pop('bert/embeddings/word_embeddings' + end), 'float64') for end in ('', '_2')]
    unrolled['bert/embeddings/word_embeddings'] = np.einsum('ve,ed->vd', one, two)
    return {field: value for field, value in config.items() if field not in own}, unrolled


def test_original_albert_zh_equals_the_reference(tmp_path):
    """A BERT with the product of the two tables, multiplied here, for lookup and tied head alike."""
    case = Case(tmp_path, ALBERT_ZH_CONFIG, seed=19)
    config, variables = as_bert(case.config, case.variables)
    exact = forward(config, variables, *case.ids)
    names = [name for name in case.names if name != 'Embedding-Token']  # half of the product, in our model
    compare('albert_zh original', 'float64, tables multiplied', names, case.ours, exact, case.rounded, case.real)
    for name in names:  # what `verify` compares with, which multiplies the tables itself
        assert difference(case.exact[name], exact[name]) < 1e-11, name


# ------------------------------------------------------------------ Hugging Face's layout

def test_bert_for_pretraining_equals_transformers(tmp_path):
    """BertForPreTraining opens a Hugging Face release of ours, heads included, and gives our numbers."""
    pytest.importorskip('torch', reason='transformers needs PyTorch, which is not in this row')
    pytest.importorskip('transformers', reason='transformers is not in this row')
    case = Case(tmp_path, dict(SHORT_BERT, model_type='bert'), layout='hugging-face')
    os.rename(os.path.join(case.directory, 'bert_config.json'), os.path.join(case.directory, 'config.json'))
    peer = hugging_face.outputs(hugging_face.open_release(case.directory, 'BertForPreTraining').double(), *case.ids)
    compare('BERT from Hugging Face', 'transformers, float64', peer, case.ours, peer, case.rounded, case.real)


@pytest.mark.parametrize('architecture, config', [('BertModel', SHORT_BERT), ('AlbertModel', ALBERT_CONFIG)])
def test_transformers_opens_what_was_saved_without_heads(tmp_path, architecture, config):
    """save_release of an encoder with its pooler: exactly the keys of BertModel and AlbertModel."""
    pytest.importorskip('torch', reason='transformers needs PyTorch, which is not in this row')
    pytest.importorskip('transformers', reason='transformers is not in this row')
    make_release(tmp_path, config=config)
    bert = build_bert_model(str(tmp_path), with_pool=True, return_keras_model=False)
    there = os.path.join(str(tmp_path), 'there')
    bert.save_release(there, layout='hugging-face')
    ids = random_ids(config)
    pooled = hugging_face.outputs(hugging_face.open_release(there, architecture), *ids)['Pooler-Dense']
    check('%s pooled' % architecture, bert.model.predict(list(ids)), pooled, 1e-5)


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
    pytest.importorskip('torch', reason='transformers needs PyTorch, which is not in this row')
    pytest.importorskip('transformers', reason='transformers is not in this row')
    first, third = [hugging_face.open_release(path, 'BertModel').state_dict() for path in both_ways[::2]]
    assert set(first) == set(third)
    for name in first:
        assert (first[name] == third[name]).all(), name


@pytest.mark.slow
def test_keras_bert_opens_minilm_in_tensorflow(both_ways):
    """The TensorFlow side, opened by keras-bert: our last hidden states, with its GELU."""
    if hasattr(keras, 'ops'):
        pytest.skip('keras-bert does not run on Keras 3')
    keras_bert = pytest.importorskip('keras_bert', reason='keras-bert is not in this row')
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
