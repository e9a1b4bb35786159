# -*- coding: utf-8 -*-
"""Tests of bert4keras.commands: what is in a release, whether it computes right, in another layout."""
from __future__ import absolute_import, division, print_function

import io
import json
import logging
import os
import random
import re
import signal
import struct
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest

from bert4keras import bert, convert as convert_module, layers, reference, verify as verify_module
from bert4keras.backend import MODEL_SUFFIX, keras, set_gelu
from bert4keras.bert import build_bert_model
from bert4keras.checkpoint import CheckpointError, open_checkpoint, save_checkpoint
from bert4keras.commands import convert, fill_mask, inspect, load_tokenizer, verify
from bert4keras.families import find_release, hugging_face_names
from bert4keras.model_file import check_connected, read_model_configs, refuse_code
from bert4keras.tokenizer import Tokenizer, VocabularyError
from bert4keras.tokenizer_files import save_tokenizer_files
from tests.helpers.releases import make_release, random_ids


def read(*path):
    """The bytes of a file."""
    with io.open(os.path.join(*path), 'rb') as stream:
        return stream.read()


def tensors(directory):
    """{name: array} of the checkpoint of a release."""
    checkpoint = open_checkpoint(find_release(directory).checkpoint_path)
    return {name: np.array(checkpoint[name]) for name in checkpoint}


def same_tensors(one, other):
    """Whether two {name: array} have the same names, dtypes and bits."""
    return set(one) == set(other) and all(
        one[name].dtype == other[name].dtype and one[name].tobytes() == other[name].tobytes() for name in one)


@pytest.fixture
def safetensors():
    """The library that Hugging Face's layout needs, or a skip."""
    return pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')


# ------------------------------------------------------------------ inspect

def test_inspect_says_where_each_variable_goes(release):
    """Every variable with its shape, dtype and place; the config; the files."""
    directory, config, variables = release
    found = inspect(directory)
    assert found.layout == 'tensorflow' and found.config['hidden_size'] == 32
    assert {row.name: row.shape for row in found.rows} == {name: v.shape for name, v in variables.items()}
    places = {row.name: row.place for row in found.rows}
    assert places['bert/encoder/layer_1/attention/self/value/bias'] == 'Encoder-2-MultiHeadSelfAttention 5'
    assert places['cls/seq_relationship/output_weights'] == 'NSP-Proba 0'
    assert len(set(places.values())) == len(places) and '' not in places.values()


def test_inspect_names_what_is_left_unread(release, tmp_path):
    """Training state and blocks beyond the config have no place."""
    _, variables = make_release(tmp_path, num_hidden_layers=1)
    extra = dict(variables, global_step=np.array(7), **{'bert/encoder/layer_1/output/dense/bias': np.zeros(3)})
    save_checkpoint(os.path.join(str(tmp_path), 'bert_model.ckpt'), extra)
    unread = [row.name for row in inspect(str(tmp_path)).rows if not row.place]
    assert unread == ['bert/encoder/layer_1/output/dense/bias', 'global_step']


# ------------------------------------------------------------------ verify

@pytest.mark.slow
def test_verify_compares_every_layer(release):
    """Every layer and head, each within its tolerance, in the order of the model."""
    rows = verify(release[0])
    assert [row.name for row in rows][:4] == ['Embedding-Token', 'Embedding-Segment', 'Embedding-Position',
                                              'Embedding-Norm']
    assert len(rows) == 4 + 4 * 2 + 5 and rows[-1].name == 'MLM-Proba'
    for row in rows:
        assert row.difference <= row.tolerance <= 2e-5 * 10, row


@pytest.mark.slow
def test_verify_finds_a_layer_that_computes_something_else(release, monkeypatch):
    """The tanh GELU in place of erf's is over the tolerance from the first feed-forward on."""
    monkeypatch.setitem(layers.ACTIVATIONS, 'gelu_erf', layers.ACTIVATIONS['gelu_tanh'])
    rows = verify(release[0])
    off = [row.name for row in rows if row.difference > row.tolerance]
    assert off[0] == 'Encoder-1-FeedForward' and 'MLM-Dense' in off


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    """The directory of a release of one block."""
    directory = tmp_path_factory.mktemp('small')
    make_release(directory, num_hidden_layers=1)
    return str(directory)


@pytest.mark.slow
@pytest.mark.parametrize('name, first', [('BertAttentionMask', 'Encoder-1-MultiHeadSelfAttention'),
                                         ('BertSegmentEmbedding', 'Embedding-Segment')])
def test_verify_finds_a_mask_or_a_segment_that_does_nothing(small, monkeypatch, name, first):
    """Its batch has padding, and both segments: without either there is a layer that is off."""
    call = getattr(layers, name).call
    replaced = {'BertAttentionMask': lambda self, inputs: call(self, [0 * inputs[0] + 1, inputs[1]]),
                'BertSegmentEmbedding': lambda self, inputs: call(self, 0 * inputs)}[name]
    monkeypatch.setattr(getattr(layers, name), 'call', replaced)
    assert next(row.name for row in verify(small) if row.difference > row.tolerance) == first


def test_the_tolerance_of_verify_in_figures():
    """4 times what rounding does, at least an epsilon of float32, at most 2e-5 of the largest number above 1."""
    exact = np.array([0.5, -3.0])
    rows = [verify_module.compare('x', exact + 2e-6, exact, exact + rounding) for rounding in (1e-6, 0.0, 1e-3)]
    np.testing.assert_allclose([row.difference for row in rows], 2e-6, rtol=1e-6)
    np.testing.assert_allclose([row.tolerance for row in rows], [4e-6, 2.0 ** -23, 6e-5], rtol=1e-6)
    assert verify_module.compare('x', np.array([np.nan]), np.zeros(1), np.zeros(1)).difference == np.inf
    assert verify_module.compare('x', np.zeros(1), np.zeros(1), np.ones(1)).tolerance == 2e-5


def test_verify_cuts_its_batch_to_the_positions_and_takes_the_gelu_it_is_told(small, monkeypatch):
    """17 tokens of 32; the reference and the model have the same GELU, the one of the argument."""
    asked = []

    def forward(config, variables, token_ids, segment_ids, gelu=None, dtype='float64'):
        asked.append((token_ids.shape, gelu))
        return {}

    def build(config, checkpoint_path, names, gelu=None, **flags):
        asked.append((tuple(sorted(flags)), gelu))
        raise KeyError('that is all')

    monkeypatch.setattr(reference, 'forward', forward)
    monkeypatch.setattr(verify_module, 'build_with_outputs', build)
    with pytest.raises(KeyError):
        verify(small, gelu='tanh')
    assert asked == [((4, 17), 'tanh')] * 2 + [(('head', 'num_labels', 'with_mlm', 'with_nsp', 'with_pool'), 'tanh')]


def test_fill_mask_takes_exactly_as_many_tokens_as_positions_and_the_gelu_it_is_told(release, monkeypatch):
    """17 of 17: it comes as far as building the model."""
    asked = []
    monkeypatch.setattr(bert, 'build_bert_model', lambda *args, **options: asked.append(options) or {}['that is all'])
    with pytest.raises(KeyError):
        fill_mask(release[0], u'[MASK]' + u' word1' * 14, gelu='tanh')
    assert asked == [{'with_mlm': True, 'gelu': 'tanh'}]


# ------------------------------------------------------------------ convert

@pytest.mark.slow
def test_convert_there_and_back_is_bit_identical(release, tmp_path, safetensors):
    """TensorFlow's layout to Hugging Face's and back: the same tensors, config fields and vocabulary."""
    there, back = os.path.join(str(tmp_path), 'there'), os.path.join(str(tmp_path), 'back')
    assert convert(release[0], there) == 'hugging-face' and convert(there, back) == 'tensorflow'
    assert same_tensors(tensors(release[0]), tensors(back))
    names = hugging_face_names(release[1])
    assert set(tensors(there)) == {own[:-2] if own.endswith('.T') else own for own in names.values()}
    assert read(there, 'vocab.txt') == read(back, 'vocab.txt') == read(release[0], 'vocab.txt')
    config = json.loads(read(back, 'bert_config.json').decode('utf-8'))
    assert config == dict(release[1], model_type='bert')
    ids = list(random_ids(release[1]))
    np.testing.assert_array_equal(build_bert_model(there).predict(ids), build_bert_model(release[0]).predict(ids))
    assert sorted(os.listdir(str(tmp_path))) == ['back', 'there']


def test_convert_takes_unused_tensors_along(release, tmp_path, safetensors):
    """Optimizer slots, position ids and what nobody knows arrive under their own names."""
    source, there, back = [os.path.join(str(tmp_path), name) for name in ('source', 'there', 'back')]
    os.mkdir(source)
    _, variables = make_release(source, num_hidden_layers=1)
    variables = dict(variables, global_step=np.array(7), some_head=np.arange(6.0).reshape(2, 3))
    variables['bert/pooler/dense/bias/adam_v'] = np.ones(32, 'float16')
    save_checkpoint(os.path.join(source, 'bert_model.ckpt'), variables)
    convert(source, there)
    convert(there, back)
    assert same_tensors(tensors(source), tensors(back))
    assert tensors(there)['bert/pooler/dense/bias/adam_v'].dtype == 'float16'


def test_convert_takes_the_tokenizer_along(tmp_path):
    """Of a directory that has tokenizer.json and no vocab.txt, whatever the layout."""
    source, there = [os.path.join(str(tmp_path), name) for name in ('source', 'there')]
    os.mkdir(source)
    make_release(source, num_hidden_layers=1)
    save_tokenizer_files(source, Tokenizer({'[PAD]': 0, '[UNK]': 1, '[CLS]': 2, '[SEP]': 3}, True, 77))
    os.remove(os.path.join(source, 'vocab.txt'))
    convert(source, there, layout='tensorflow')
    assert read(there, 'tokenizer.json') == read(source, 'tokenizer.json')
    assert load_tokenizer(there)._max_word_length == 77


@pytest.mark.slow
def test_convert_to_keras_and_back(release, tmp_path):
    """A Keras model of all heads, whose weights come back bit for bit as a checkpoint."""
    there, back = os.path.join(str(tmp_path), 'there'), os.path.join(str(tmp_path), 'back')
    convert(release[0], there, layout='keras')
    model = [name for name in os.listdir(there) if name.startswith('model.')]
    assert len(model) == 1 and sorted(os.listdir(there)) == sorted(model + ['bert_config.json', 'vocab.txt'])
    assert convert(os.path.join(there, model[0]), back) == 'tensorflow'
    assert same_tensors(tensors(release[0]), tensors(back))
    config = json.loads(read(back, 'bert_config.json').decode('utf-8'))
    assert {name: config[name] for name in release[1]} == release[1]
    assert read(back, 'vocab.txt') == read(release[0], 'vocab.txt')


@pytest.mark.slow
def test_convert_keras_to_keras(release, tmp_path):
    """A Keras model is written as a Keras model: same weights, GELU and application, whatever `set_gelu` says."""
    source, there, back = [os.path.join(str(tmp_path), name) for name in ('m' + MODEL_SUFFIX, 'there', 'back')]
    build_bert_model(release[0], application='lm', with_mlm=True, gelu='erf').save(source)
    set_gelu('tanh')
    try:
        assert convert(source, there, layout='keras') == 'keras'
    finally:
        set_gelu('erf')
    copy = keras.models.load_model(os.path.join(there, 'model' + MODEL_SUFFIX), compile=False)
    assert copy.get_layer('Attention-Mask').application == 'lm'
    assert copy.get_layer('Encoder-1-FeedForward').activation == 'gelu_erf'
    convert(os.path.join(there, 'model' + MODEL_SUFFIX), back)
    written, original = tensors(back), tensors(release[0])
    assert len(written) == 5 + 2 * 16 + 5
    assert same_tensors(written, {name: original[name] for name in written})


def test_convert_warns_of_bfloat16(release, tmp_path, safetensors, caplog):
    """A type that the destination does not have is widened, exactly, and with a warning that names it."""
    import struct
    there = os.path.join(str(tmp_path), 'there')
    convert(release[0], there)
    raw = read(there, 'model.safetensors')
    size = struct.unpack('<Q', raw[:8])[0]
    header = json.loads(raw[8:8 + size].decode('utf-8'))
    name = 'bert.pooler.dense.bias'  # 32 float32 become 64 bfloat16 of the same bytes
    header[name].update(dtype='BF16', shape=[64])
    text = json.dumps(header).encode('utf-8')
    with io.open(os.path.join(there, 'model.safetensors'), 'wb') as stream:
        stream.write(struct.pack('<Q', len(text)) + text + raw[8 + size:])
    with caplog.at_level(logging.WARNING):
        convert(there, os.path.join(str(tmp_path), 'back'))
    assert name in caplog.text and 'bfloat16' in caplog.text
    assert tensors(os.path.join(str(tmp_path), 'back'))['bert/pooler/dense/bias'].dtype == 'float32'


def test_convert_never_overwrites_unasked(release, tmp_path, safetensors):
    """What exists stays without force; with it a release or an empty directory is replaced, nothing else."""
    there = os.path.join(str(tmp_path), 'there')
    convert(release[0], there)
    before = read(there, 'model.safetensors')
    with pytest.raises(ValueError, match='there exists; give another destination, or --force'):
        convert(release[0], there, layout='tensorflow')
    assert read(there, 'model.safetensors') == before
    convert(release[0], there, layout='tensorflow', force=True)
    assert sorted(os.listdir(there))[0] == 'bert_config.json' and os.listdir(str(tmp_path)) == ['there']
    other = os.path.join(str(tmp_path), 'other')
    os.mkdir(other)
    io.open(os.path.join(other, 'thesis.tex'), 'w').close()
    with pytest.raises(ValueError, match='has no config'):
        convert(release[0], other, force=True)
    assert os.listdir(other) == ['thesis.tex']
    with pytest.raises(ValueError, match='is the source as well'):
        convert(there, there, force=True)
    with pytest.raises(ValueError, match='is in no directory that exists'):
        convert(release[0], os.path.join(other, 'no', 'such'))


def test_convert_of_a_damaged_release_leaves_nothing(release, tmp_path, safetensors):
    """A tensor that fails its checksum: the error, and neither destination nor remains."""
    source = os.path.join(str(tmp_path), 'source')
    os.mkdir(source)
    make_release(source, num_hidden_layers=1)
    path = os.path.join(source, 'bert_model.ckpt.data-00000-of-00001')
    raw = bytearray(read(path))
    raw[len(raw) // 2] ^= 1
    with io.open(path, 'wb') as stream:
        stream.write(bytes(raw))
    with pytest.raises(CheckpointError, match='checksum'):
        convert(source, os.path.join(str(tmp_path), 'there'))
    assert os.listdir(str(tmp_path)) == ['source']


@pytest.mark.slow
def test_convert_killed_at_any_moment_leaves_whole_or_absent(release, tmp_path):
    """SIGKILL at moments spread over a conversion: no destination, or one with every tensor."""
    code = ('import sys; from bert4keras.commands import convert; sys.stdout.write("go"); sys.stdout.flush(); '
            'convert(sys.argv[1], sys.argv[2], layout="tensorflow")')
    outcomes, whole = set(), tensors(release[0])
    for number in range(16):
        there = os.path.join(str(tmp_path), str(number))
        process = subprocess.Popen([sys.executable, '-c', code, release[0], there], stdout=subprocess.PIPE)
        process.stdout.read(2)
        time.sleep(number * 0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if os.path.lexists(there):
            assert same_tensors(tensors(there), whole)
            assert read(there, 'vocab.txt') == read(release[0], 'vocab.txt')
            assert json.loads(read(there, 'bert_config.json').decode('utf-8')) == release[1]
        outcomes.add(os.path.lexists(there))
    assert False in outcomes  # the earliest kills came in time


def test_convert_of_something_else(tmp_path):
    """A file that is no Keras model of ours, and a layout that there is not."""
    path = os.path.join(str(tmp_path), 'model.h5')
    io.open(path, 'w').close()
    with pytest.raises(CheckpointError, match='cannot be opened as a Keras model'):
        convert(path, os.path.join(str(tmp_path), 'there'))
    with pytest.raises(ValueError, match='the layout must be one of tensorflow, hugging-face, keras'):
        convert(path, os.path.join(str(tmp_path), 'there'), layout='onnx')
    assert os.listdir(str(tmp_path)) == ['model.h5']


# ------------------------------------------------------------------ fill-mask, vocabularies

@pytest.mark.slow
def test_fill_mask_gives_the_likeliest_tokens(release):
    """For each [MASK] the head's best tokens, as the reference has them."""
    from bert4keras.reference import forward
    filled = fill_mask(release[0], u'word3 [MASK] word7 [MASK]', top=3)
    tokenizer = load_tokenizer(find_release(release[0]))
    tokens = ['[CLS]', 'word3', '[MASK]', 'word7', '[MASK]', '[SEP]']
    exact = forward(release[1], release[2], [tokenizer.tokens_to_ids(tokens)])['MLM-Proba'][0]
    for position, best in zip((2, 4), filled):
        assert [tokenizer.token_to_id(token) for token, _ in best] == list(exact[position].argsort()[::-1][:3])
        np.testing.assert_allclose([p for _, p in best], np.sort(exact[position])[::-1][:3], rtol=1e-4)


@pytest.mark.parametrize('text, message', [(u'word3 word4', r'no \[MASK\]'),
                                           (u'[MASK]' + u' word1' * 15, 'has 18 tokens, .* 17 positions')])
def test_fill_mask_of_a_text_it_cannot_fill(release, text, message):
    """No [MASK], or too long: an error before the model is built."""
    with pytest.raises(ValueError, match=message):
        fill_mask(release[0], text)


def test_fill_mask_without_the_head(release, tmp_path):
    """A checkpoint without the masked language model's head says so."""
    directory, _, variables = release
    convert(directory, os.path.join(str(tmp_path), 'd'), layout='tensorflow')
    save_checkpoint(os.path.join(str(tmp_path), 'd', 'bert_model.ckpt'),
                    {name: value for name, value in variables.items() if not name.startswith('cls/')})
    with pytest.raises(CheckpointError, match='has no variable cls/predictions'):
        fill_mask(os.path.join(str(tmp_path), 'd'), u'[MASK]')


def test_a_vocabulary_of_another_size(tmp_path):
    """The vocabulary's size against the config's: an error with both numbers and files; none is one too."""
    make_release(tmp_path, num_hidden_layers=1, vocab=['[PAD]'] + ['word%d' % number for number in range(99)])
    with pytest.raises(VocabularyError, match='vocab.txt has 100 tokens, but .*bert_config.json has vocab_size 99'):
        load_tokenizer(find_release(str(tmp_path)))
    os.remove(os.path.join(str(tmp_path), 'vocab.txt'))
    with pytest.raises(VocabularyError, match='there is no vocabulary'):
        load_tokenizer(find_release(str(tmp_path)))


# ------------------------------------------------------------------ hostile sources, destinations that others take

def keras_model(*more):
    """A model of ours of one block, with layers `more` applied to what it returns."""
    from tests.helpers.releases import CONFIG
    model = build_bert_model(dict(CONFIG, num_hidden_layers=1))
    x = model.output
    for layer in more:
        x = layer(x)
    return keras.models.Model(model.inputs, x)


@pytest.mark.parametrize('suffix', sorted({'.h5', MODEL_SUFFIX}))
def test_convert_runs_no_code_of_a_model_file(tmp_path, suffix):
    """A Lambda, whose bytecode some Keras versions run when they open the file, is refused before that."""
    path, trace = [os.path.join(str(tmp_path), name) for name in ('evil' + suffix, 'trace')]
    keras_model(keras.layers.Lambda(lambda x, trace=trace: [x, open(trace, 'w').close()][0], name='evil')).save(path)
    if os.path.exists(trace):  # it ran when the model was built, which is no concern of the file's
        os.remove(trace)
    with pytest.raises(CheckpointError, match='evil%s is not opened: it has a Lambda' % re.escape(suffix)):
        convert(path, os.path.join(str(tmp_path), 'there'))
    assert os.listdir(str(tmp_path)) == ['evil' + suffix]


@pytest.mark.parametrize('use', [inspect, verify, build_bert_model, lambda path: fill_mask(path, u'[MASK]')],
                         ids=['inspect', 'verify', 'build', 'fill_mask'])
@pytest.mark.parametrize('suffix', ['.h5', '.keras'])
def test_nothing_but_convert_opens_a_model_file(tmp_path, monkeypatch, suffix, use):
    """Named in the place of a checkpoint it is refused, and Keras never sees it."""
    make_release(tmp_path, num_hidden_layers=1, vocab=['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] +
                 ['w%d' % number for number in range(94)])
    path = tmp_path / ('evil' + suffix)
    path.write_bytes(b'anything')
    monkeypatch.setattr(keras.models, 'load_model', None)
    use = use if use is not build_bert_model else lambda path: build_bert_model(str(tmp_path / 'bert_config.json'), path)
    with pytest.raises(CheckpointError, match='evil%s: is not read here' % re.escape(suffix)):
        use(str(path))


def test_convert_takes_plain_layers_on_top(tmp_path):
    """A classifier of Keras' own layers does not keep a model from being converted."""
    path = os.path.join(str(tmp_path), 'model' + MODEL_SUFFIX)
    top = [keras.layers.Dropout(0.3), keras.layers.Dense(3, activation='softmax', kernel_regularizer='l2')]
    keras_model(*top).save(path)
    assert convert(path, os.path.join(str(tmp_path), 'there')) == 'tensorflow'


@pytest.mark.parametrize('config', [
    {'class_name': 'Lambda', 'config': {}}, {'class_name': 'TFOpLambda', 'config': {}},
    {'class_name': 'TorchModuleWrapper', 'module': 'keras.layers'}, {'class_name': 'function', 'config': 'system'},
    {'class_name': 'Dense', 'module': 'os', 'config': {}}, {'class_name': '__lambda__', 'config': {'value': 'x'}},
    {'class_name': 'Dense', 'module': 'keras_evil.layers', 'config': {}}, {'class_name': ['Dense']},
    {'class_name': 'Dense', 'config': {'activation': {'class_name': 'function', 'config': 'system', 'module': 'os'}}},
    {'class_name': 'Dense', 'registered_name': 'os>system', 'module': 'os', 'config': {}},
    {'class_name': 'Model', 'config': {'layers': [{'class_name': 'TimeDistributed', 'config': {
        'layer': {'class_name': 'Lambda', 'config': {}}}}]}}])
def test_classes_that_could_run_code_are_refused(config):
    """By name, wherever in the config: Keras' own that do, functions, and classes of other modules."""
    with pytest.raises(CheckpointError, match='is not opened: it has a'):
        refuse_code([{'class_name': 'Dense', 'module': 'keras.layers', 'config': {}}, config], 'path')


def archive(path, members):
    """Writes pairs (name, bytes) as a zip; returns its path."""
    with zipfile.ZipFile(str(path), 'w') as stream:
        for name, data in members:
            stream.writestr(name, data)
    return str(path)


@pytest.mark.engine_free
@pytest.mark.parametrize('names, words', [
    (['config.json', 'model.weights.npz'], 'model.weights.npz'), (['config.json', 'assets/a.pkl'], 'assets/a.pkl'),
    (['config.json', '../config.json'], r'\.\./config.json'),
    (['config.json', 'metadata.json', 'config.json'], 'config.json, metadata.json, config.json')])
@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_a_model_file_with_more_than_keras_writes_is_refused(tmp_path, names, words):
    """Weights in .npz, which tf.keras 2.15 reads with pickles in it, and assets; and a member that is there twice."""
    path = archive(tmp_path / 'm.keras', [(name, b'{}') for name in names])
    with pytest.raises(CheckpointError, match=r'm\.keras is not opened: it holds .*' + words):
        read_model_configs(path)


@pytest.mark.engine_free
@pytest.mark.parametrize('zipped', [False, True])
@pytest.mark.parametrize('kind', ['link', 'outer link', 'external', 'virtual', 'circle'])
def test_a_model_file_that_reads_other_files_is_refused(tmp_path, kind, zipped):
    """HDF5 can have parts in any other file of the reader's: those are named, and not read; in a .keras file too."""
    h5py = pytest.importorskip('h5py')
    path, secret = str(tmp_path / 'm.h5'), str(tmp_path / 'secret.h5')
    with h5py.File(secret, 'w') as file:
        file['x'] = np.ones(3)
    with h5py.File(path, 'w') as file:
        file.attrs['model_config'] = b'{"class_name": "Model"}'
        group = file.create_group('layers')
        if kind == 'link':
            group['x'] = h5py.SoftLink('/nowhere')
        elif kind == 'outer link':
            group['x'] = h5py.ExternalLink(secret, '/x')
        elif kind == 'external':
            group.create_dataset('x', (3,), 'float32', external=[(secret, 0, 12)])
        elif kind == 'virtual':
            layout = h5py.VirtualLayout((3,), 'float64')
            layout[:] = h5py.VirtualSource(secret, 'x', (3,))
            group.create_virtual_dataset('x', layout)
        else:  # twice, which makes 2 ** n ways of n groups
            group['x'] = group['y'] = group
    if zipped:
        path = archive(tmp_path / 'm.keras', [('config.json', b'{}'), ('model.weights.h5', read(path))])
    with pytest.raises(CheckpointError) as caught:
        read_model_configs(path)
    assert path in str(caught.value) and ('more than one place' if kind == 'circle' else '/layers/x') in str(caught.value)


@pytest.mark.parametrize('nodes, words', [
    ({'b': [[['a', 0, 0, {}]]]}, None), ({'b': [[['a', 1, 0, {}]]]}, 'layer b'), ({'b': [[['d', 0, 0, {}]]]}, 'layer b'),
    ({'b': [[['a', 0, 0, {}], ['c', 0, 0, {}]]], 'c': [[['b', 0, 0, {}]]]}, 'layer b'),
    ({'b': [[['a', 0, 0, {}]], [['c', 0, 0, {}]]], 'c': [[['b', 0, 0, {}]]]}, None),
    ({'b': [{'args': [{'config': {'keras_history': ['e', 0, 0]}}]}]}, 'layer b')])
@pytest.mark.engine_free
def test_a_model_whose_layers_wait_for_each_other_is_refused(nodes, words):
    """Keras 2 builds such a model for ever: of a layer, or a call of one, that is not there, or in a circle."""
    layers = [{'name': name, 'config': {}, 'inbound_nodes': nodes.get(name, [])} for name in 'abc']
    config = [{'class_name': 'Model', 'config': {'layers': [{'class_name': 'Model', 'config': {'layers': layers}}]}}]
    if words is None:
        check_connected(config)
    else:
        with pytest.raises(ValueError, match=words):
            check_connected(config)


@pytest.mark.engine_free
@pytest.mark.parametrize('zipped', [False, True])
def test_a_model_file_that_says_it_holds_more_than_itself_is_refused(tmp_path, zipped):
    """Some hundred bytes can be a table of a terabyte of zeros, which Keras would read before it looks at the shape."""
    h5py = pytest.importorskip('h5py')
    path = str(tmp_path / 'm.h5')
    with h5py.File(path, 'w') as file:
        file.attrs['model_config'] = b'{"class_name": "Model"}'
        file.create_dataset('layers/small', (7, 5), 'float32')
    assert read_model_configs(path) == [{'class_name': 'Model'}]
    with h5py.File(path, 'r+') as file:
        file.create_dataset('layers/huge', (1 << 20, 1 << 20), 'float32', chunks=(64, 64))
    if zipped:
        path = archive(tmp_path / 'm.keras', [('config.json', b'{}'), ('model.weights.h5', read(path))])
    with pytest.raises(CheckpointError, match='m.(h5|keras: model.weights.h5) says that it holds far more'):
        read_model_configs(path)


@pytest.mark.engine_free
@pytest.mark.parametrize('zipped', [False, True])
def test_the_structure_of_a_model_file_is_checked_first(tmp_path, zipped):
    """An attribute that says it has 2 ** 40 numbers is an error before libhdf5 sees it; in a .keras file too."""
    h5py = pytest.importorskip('h5py')
    path = str(tmp_path / 'm.h5')
    with h5py.File(path, 'w') as file:
        file.attrs['numbers'] = np.arange(3.0)
    data = read(path).replace(b'\3' + b'\0' * 7, struct.pack('<Q', 1 << 40))
    archive(tmp_path / 'm.keras', [('config.json', b'{}'), ('model.weights.h5', data)])
    with io.open(path, 'wb') as stream:
        stream.write(data)
    with pytest.raises(CheckpointError, match='m.(h5|keras: model.weights.h5) is damaged: there is no sound attribute'):
        read_model_configs(path.replace('.h5', '.keras') if zipped else path)


@pytest.mark.slow
def test_convert_of_a_damaged_model_file(tmp_path):
    """Truncated, overwritten, flipped, another kind of file: a CheckpointError with its name, or it is converted."""
    rng, outcomes = random.Random(3), set()
    path, there = os.path.join(str(tmp_path), 'model' + MODEL_SUFFIX), os.path.join(str(tmp_path), 'there')
    keras_model().save(path)
    sound = read(path)
    for number in range(12):
        place = rng.randrange(len(sound))
        damaged = [sound[:place], sound[:place] + b'\xff' * 64 + sound[place + 64:], sound[place:], b'PK' + sound,
                   sound[:64] + b'\0' * 64 + sound[128:], sound[:-40] + b'\0' * 40][number % 6]
        with io.open(path, 'wb') as stream:
            stream.write(damaged)
        try:
            convert(path, there, force=os.path.exists(there))
        except CheckpointError as error:
            assert path in str(error)
            outcomes.add('error')
    assert outcomes == {'error'}


def test_what_appears_at_the_destination_meanwhile_stays(release, tmp_path, monkeypatch):
    """With --force or without, what was not there at the start is not replaced at the end."""
    there = os.path.join(str(tmp_path), 'there')

    def appearing(*args):
        if os.path.exists(there):
            os.rename(there, there + '-before')
        os.mkdir(there)
        io.open(os.path.join(there, 'theirs'), 'w').close()
        write(*args)

    write = convert_module.write_converted
    monkeypatch.setattr(convert_module, 'write_converted', appearing)
    for force in (False, True):
        if force:
            os.remove(os.path.join(there, 'theirs'))
        with pytest.raises(ValueError, match='there was made or changed by somebody else'):
            convert(release[0], there, layout='tensorflow', force=force)
        assert os.listdir(there) == ['theirs']
    assert sorted(os.listdir(str(tmp_path))) == ['there', 'there-before']


def test_two_conversions_to_one_destination(release, tmp_path):
    """Exactly one is told that it wrote; the other's error says why not."""
    there, wrote, errors = os.path.join(str(tmp_path), 'there'), [], []
    barrier = threading.Semaphore(0)

    def work():
        barrier.acquire()
        try:
            wrote.append(convert(release[0], there, layout='tensorflow'))
        except ValueError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in threads:
        barrier.release()
    for thread in threads:
        thread.join()
    assert wrote == ['tensorflow'] and len(errors) == 3 and all(there in error for error in errors)
    assert same_tensors(tensors(there), tensors(release[0])) and os.listdir(str(tmp_path)) == ['there']


def test_the_source_is_never_replaced(tmp_path):
    """By its directory, its checkpoint's prefix, a directory around it, or a link: it stays, whatever else is in it."""
    source = os.path.join(str(tmp_path), 'outer', 'inner')
    os.makedirs(source)
    make_release(source, num_hidden_layers=1)
    make_release(os.path.dirname(source), num_hidden_layers=1)
    os.symlink(source, os.path.join(str(tmp_path), 'link'))
    before = sorted(os.listdir(source))
    for path, there in ((os.path.join(source, 'bert_model.ckpt'), source), (source, os.path.dirname(source)),
                        (os.path.join(str(tmp_path), 'link'), source), (source, os.path.join(source, '..', 'inner'))):
        with pytest.raises(ValueError, match='is the source as well, or contains it'):
            convert(path, there, layout='tensorflow', force=True)
    with pytest.raises(ValueError, match='is no directory'):  # through a link it would replace the link
        convert(os.path.dirname(source), os.path.join(str(tmp_path), 'link'), layout='tensorflow', force=True)
    assert sorted(os.listdir(source)) == before


def misfits():
    """(changes of the config, what the error says) of configs that do not fit their checkpoint."""
    return [({'num_hidden_layers': 3}, 'bert/encoder/layer_1/attention/self/query/kernel is missing'),
            ({'num_hidden_layers': 10 ** 9}, 'at most 4096'),
            ({'num_hidden_layers': 4000}, r'is missing.* \(\d+ in all\)'),
            ({'intermediate_size': 2 ** 31 - 1}, r'shape \(32, 37\), where the config says \(32, 2147483647\)'),
            ({'vocab_size': 98}, r'\(99, 32\), where the config says \(98, 32\)'),
            ({'hidden_size': 64}, r'word_embeddings has the shape \(99, 32\)'),
            ({'max_position_embeddings': 1}, r'position_embeddings has the shape \(17, 32\)'),
            ({'type_vocab_size': 3}, r'token_type_embeddings has the shape \(2, 32\)')]


@pytest.mark.slow
@pytest.mark.parametrize('changes, words', misfits())
def test_a_config_that_does_not_fit_is_found_before_anything_is_computed(tmp_path, changes, words):
    """verify and convert name the variable, both shapes and the file; no memory is asked for."""
    config, _ = make_release(tmp_path, num_hidden_layers=1)
    with io.open(os.path.join(str(tmp_path), 'bert_config.json'), 'w') as stream:
        stream.write(u'%s' % json.dumps(dict(config, **changes)))
    for ask in (verify, lambda path: convert(path, path + '-there', layout='tensorflow')):
        with pytest.raises(ValueError, match=words) as caught:
            ask(str(tmp_path))
        assert str(tmp_path) in str(caught.value)
    assert not os.path.exists(str(tmp_path) + '-there')


def test_a_head_that_is_not_whole_is_found_by_verify(tmp_path):
    """Half of the masked language model's head: its missing variable is named, and nothing else is."""
    config, variables = make_release(tmp_path, num_hidden_layers=1)
    del variables['cls/predictions/transform/dense/bias']
    save_checkpoint(os.path.join(str(tmp_path), 'bert_model.ckpt'), variables)
    with pytest.raises(CheckpointError, match='fit its config: cls/predictions/transform/dense/bias is missing. Use'):
        verify(str(tmp_path))


@pytest.mark.slow
def test_fill_mask_of_weights_that_are_not_finite(tmp_path):
    """NaN in a weight is an error that names the model, not a row of "nan%"."""
    _, variables = make_release(tmp_path, num_hidden_layers=1,
                                vocab=['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + ['w%d' % i for i in range(94)])
    variables['cls/predictions/output_bias'] = variables['cls/predictions/output_bias'] * np.float32('nan')
    save_checkpoint(os.path.join(str(tmp_path), 'bert_model.ckpt'), variables)
    with pytest.raises(CheckpointError, match='not finite'):
        fill_mask(str(tmp_path), u'[MASK]')
