# -*- coding: utf-8 -*-
"""Save and reload: the same outputs in a fresh process and under another engine; training goes on."""
from __future__ import absolute_import, division, print_function

import collections
import json
import os
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

import bert4keras
from bert4keras import backend, layers
from bert4keras.backend import ENGINES, keras
from bert4keras.bert import build_bert_model
from tests.helpers.releases import random_ids
from tests.helpers.saved_model import outputs_of

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDING = 1e-5  # of float32 on hidden states of order 1, between two engines
KERAS_3 = hasattr(keras, 'ops')
ENGINE = keras.backend.backend()
# Keras 2 has one engine; a file saved under one engine of Keras 3 opens under every one that is installed
ENGINES_HERE = [engine for engine in ENGINES if backend.is_installed(engine)] if KERAS_3 else [ENGINE]
# the format of Keras 3, which opens it with safe_mode on unless told otherwise; late tf.keras has it too
FORMATS = ['h5'] + (['keras'] if hasattr(getattr(keras, 'saving', None), 'load_model') else [])
KEEP_WORDS = [0, 2, 3, 71, 5, 98, 11]
VARIANTS = collections.OrderedDict([
    ('encoder', {}),
    ('pooler_tokens', dict(with_pool=True, head='tokens', labels=['O', 'B', 'I'])),
    ('nsp_mlm_span', dict(with_nsp=True, with_mlm=True, head='span')),
    ('seq2seq', dict(with_mlm=True, application='seq2seq')),
    ('lm', dict(application='lm')),
    ('keep_words', dict(with_mlm=True, keep_words=KEEP_WORDS)),
    ('roberta', dict(with_mlm=True)),
])
ROBERTA = {'model_type': 'roberta', 'pad_token_id': 1}  # no official weights have this layout: random ones
# Keras 3 reloads a compiled model from h5 but does not fit it again
COMPILED = 'compiled.keras' if KERAS_3 else 'compiled.h5'
FILES = ['%s.%s' % (variant, form) for variant in VARIANTS for form in FORMATS] + [COMPILED]
FEW = ('nsp_mlm_span', 'seq2seq')  # they have most of what can be saved; the other variants are for the slow rows
LABELS = np.array([0, 1, 2, 1, 0, 2, 2, 0], 'int32')


def opens_under(engine, name):
    """Whether a file is to be opened under an engine: under another one than saved it, `.keras` uncompiled.

    What Keras keeps of compile() is its engine's: PyTorch's own Adam, or a jit_compile that PyTorch takes
    minutes to obey. Such a file opens elsewhere too, and must then be compiled again.
    """
    return engine == ENGINE or (name.endswith('.keras') and name != COMPILED)


def seed(number):
    """Makes what is random from now on repeatable, as far as that Keras can."""
    if hasattr(keras.utils, 'set_random_seed'):
        keras.utils.set_random_seed(number)
    else:
        np.random.seed(number)
        import tensorflow as tf
        (tf.set_random_seed if hasattr(tf, 'set_random_seed') else tf.random.set_seed)(number)


def marked(name):
    """The marks of a test of a file."""
    return [] if name == COMPILED or name.startswith(FEW) else [pytest.mark.slow]


def build_variant(release, variant):
    """A model, mostly with its official weights: the encoder of two blocks, every other, for its heads, of one."""
    directory, config, _ = release
    if variant == 'encoder':
        return build_bert_model(directory)
    if variant == 'roberta':
        return build_bert_model(dict(config, num_hidden_layers=1, **ROBERTA), **VARIANTS[variant])
    return build_bert_model(dict(config, num_hidden_layers=1), os.path.join(directory, 'bert_model.ckpt'),
                            **VARIANTS[variant])


def examples(config):
    """[token ids, segment ids] of eight texts that every variant knows: of the smaller vocabulary."""
    return [ids[5:] for ids in random_ids(dict(config, vocab_size=len(KEEP_WORDS)))]


def classifier(release, **changes):
    """A BERT with its official weights, the pooled vector and a head; `changes` of its config."""
    directory, config, _ = release
    bert = build_bert_model(dict(config, **changes), os.path.join(directory, 'bert_model.ckpt'), with_pool=True)
    output = keras.layers.Dense(3, activation='softmax', name='Head')(bert.output)
    return keras.models.Model(bert.inputs, output)


def compile_with_adam(model):
    """Compiles a classifier."""
    model.compile(loss='sparse_categorical_crossentropy', optimizer=keras.optimizers.Adam(4e-3))


@pytest.fixture(scope='module', autouse=True)
def no_tracing():
    """Functions are graphs here as in a fresh process, so that the outputs are the same to the last bit."""


@pytest.fixture(scope='module')
def saved(request, release, tmp_path_factory):
    """(directory of the saved models, {variant: its outputs}, the losses of the compiled one so far)."""
    directory, ids = str(tmp_path_factory.mktemp('saved')), examples(release[1])
    np.savez(os.path.join(directory, 'arrays.npz'), token_ids=ids[0], segment_ids=ids[1], labels=LABELS)
    outputs = {}
    for variant in VARIANTS if request.config.getoption('slow') else FEW:
        model = build_variant(release, variant)
        outputs[variant] = outputs_of(model, ids)
        for form in FORMATS:
            model.save(os.path.join(directory, '%s.%s' % (variant, form)))
        keras.backend.clear_session()
    seed(5)
    model = classifier(release, num_hidden_layers=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    compile_with_adam(model)
    losses = [model.train_on_batch(ids, LABELS) for _ in range(2)]
    outputs['compiled'] = outputs_of(model, ids)
    losses.append(-np.log(outputs['compiled'][0][np.arange(len(LABELS)), LABELS]).mean())
    model.save(os.path.join(directory, COMPILED))
    keras.backend.clear_session()
    return directory, outputs, losses


@pytest.fixture(scope='module')
def opened(saved):
    """A function: what a fresh process under an engine makes of the saved models; each is run once."""
    results = {}

    def opened(engine, *flags):
        if (engine, flags) not in results:
            results[engine, flags] = run(saved[0], engine, flags)
        log, arrays = results[engine, flags]
        assert arrays is not None, log
        return arrays
    return opened


def run(directory, engine, flags):
    """Runs saved_model.py under an engine: (what it printed, its arrays by name or None where it failed)."""
    path = os.path.join(directory, 'opened-%s%s.npz' % (engine, ''.join(flags)))
    files = [os.path.join(directory, name) for name in sorted(os.listdir(directory))
             if name in FILES and opens_under(engine, name)]
    packages = os.path.dirname(os.path.dirname(os.path.abspath(bert4keras.__file__)))
    env = dict(os.environ, PYTHONPATH=packages)
    if KERAS_3:
        env['KERAS_BACKEND'] = engine
    process = subprocess.Popen([sys.executable, os.path.join(HERE, 'helpers', 'saved_model.py'), path] + files + list(flags),
                               env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    log = process.communicate()[0].decode('utf-8', 'replace')
    if process.returncode:
        return log, None
    with np.load(path) as arrays:
        return log, {name: arrays[name] for name in arrays.files}


# ------------------------------------------------------------------ a fresh process

@pytest.mark.parametrize('engine, name', [pytest.param(engine, name, marks=marked(name)) for engine in ENGINES_HERE
                                          for name in FILES if opens_under(engine, name)])
def test_a_fresh_process_opens_it(saved, opened, engine, name):
    """After importing the layers only: exactly the same outputs, under another engine within rounding."""
    results = opened(engine)
    assert name + '/error' not in results, results[name + '/error']
    expected = saved[1][name.split('.')[0]]
    assert len([key for key in results if key.startswith(name + '/outputs/')]) == len(expected)
    for index, output in enumerate(expected):
        theirs = results['%s/outputs/%d' % (name, index)]
        assert theirs.shape == output.shape and theirs.dtype == output.dtype
        assert np.abs(theirs - output).max() <= (0 if engine == ENGINE else ROUNDING)


def test_a_compiled_model_trains_on(saved, opened):
    """A compiled model goes on in a fresh process where it was: the first loss there is that at saving."""
    before, after = saved[2], opened(ENGINE)[COMPILED + '/losses']
    assert abs(after[0] - before[-1]) < 1e-5 and after[1] < after[0] < before[0]


def test_fit_memorises_eight_examples(saved, opened):
    """Fine-tuning, begun in one process and ended in another, brings the loss below a tenth of the first."""
    before, after = saved[2], opened(ENGINE)[COMPILED + '/losses']
    assert len(LABELS) == 8 and after[-1] < before[0] / 10, (before, after)


@pytest.mark.parametrize('name', [pytest.param(name, marks=marked(name)) for name in FILES])
def test_keras_alone_does_not_open_it(opened, name):
    """Without our layers the file fails to open, instead of opening with layers of Keras in their place."""
    results = opened(ENGINE, '--bare')
    assert name + '/error' in results
    if KERAS_3 or name.endswith('.h5'):  # tf_keras fails inside on a class that it does not know
        assert 'Bert' in str(results[name + '/error'])


def class_names(path):
    """The class names of the layers in a saved model's file."""
    if path.endswith('.h5'):
        with h5py.File(path, 'r') as stream:
            config = stream.attrs['model_config']
    else:
        with zipfile.ZipFile(path) as archive:
            config = archive.read('config.json')
    config = json.loads(config.decode('utf-8') if isinstance(config, bytes) else config)
    return set(layer['class_name'].split('>')[-1] for layer in config['config']['layers'])


@pytest.mark.slow
def test_the_classes_in_the_files(saved):
    """A saved model has layers of ours, by names that no Keras has, and plain ones of Keras, no Lambda."""
    found = set()
    for name in FILES:
        found |= class_names(os.path.join(saved[0], name))
    ours = {name for name in layers.__all__ if name.startswith('Bert') and name != 'BertLayer'}
    assert found == ours | set(['InputLayer', 'Add', 'Dropout', 'Dense'])
    assert not [name for name in ours if hasattr(keras.layers, name)]


# ------------------------------------------------------------------ in this process

@pytest.mark.parametrize('variant', ['nsp_mlm_span'] + [
    pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS if name != 'nsp_mlm_span'])
def test_model_from_its_config(release, variant):
    """from_config(get_config()), and JSON too, with the weights of the model: exactly its outputs."""
    model = build_variant(release, variant)
    ids = examples(release[1])
    expected, weights = outputs_of(model, ids), model.get_weights()
    for again in (model.__class__.from_config(model.get_config()), keras.models.model_from_json(model.to_json())):
        assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
        again.set_weights(weights)
        for one, other in zip(expected, outputs_of(again, ids)):
            np.testing.assert_array_equal(one, other)


def test_frozen_by_name(release):
    """Layers frozen by their names keep every bit in training; every other weight moves."""
    model = classifier(release, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    for layer in model.layers:
        layer.trainable = not layer.name.startswith(('Embedding', 'Encoder-1-'))
    compile_with_adam(model)
    before = {layer.name: backend.get_values(layer.weights) for layer in model.layers}
    model.train_on_batch(examples(release[1]), LABELS)
    kept, moved = 0, 0
    for layer in model.layers:
        for index, (old, new) in enumerate(zip(before[layer.name], backend.get_values(layer.weights))):
            if not layer.trainable:
                np.testing.assert_array_equal(old, new, err_msg=layer.name)
                kept += 1
            elif layer.name != 'Encoder-2-MultiHeadSelfAttention' or index != 3:
                assert np.abs(old - new).max() > 1e-3, (layer.name, index)
                moved += 1
    # but the bias of the keys: it cancels in the softmax, so its gradient is nothing but rounding
    assert (kept, moved) == (5 + 16, 16 - 1 + 2 + 2)
