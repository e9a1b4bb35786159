# -*- coding: utf-8 -*-
"""Who is measured at which task, and by which function; each runs in a process of its own.

A `job` is a dict: task, config, directory, shape, padded, dtype, device; of tasks with texts also `data`, the path of
a JSON file, see texts.py. The task is that of its function: `memory` lets models do `forward`, `first-step` `train`.
"""
from __future__ import absolute_import, division, print_function

import collections
import json

from benchmarks import models, texts

__all__ = ['CONTENDERS', 'EARLY', 'Contender', 'describe', 'missing', 'read_job']


class Contender(collections.namedtuple('Contender', 'name title tasks dtypes packages environment')):
    """One that is measured.

    Args:
        name, title: for the command, for people.
        tasks: dict, {task: its function}, see models.py and texts.py.
        dtypes: tuple of names.
        packages: the modules that must be installed.
        environment: dict, what is set before its process starts; {directory} in it is one for the measurement.
    """


def missing(contender):
    """The first module of a contender's that is not installed, or None."""
    import importlib.util
    for package in contender.packages:
        if importlib.util.find_spec(package) is None:
            return package
    return None


def describe(contender):
    """{package: version} of what a contender runs on."""
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7
        return {}
    versions = {}
    for package in contender.packages:
        for name in (package, package.replace('_', '-'), package + '-cpu'):
            try:
                versions[package] = metadata.version(name)
                break
            except metadata.PackageNotFoundError:
                continue
    return versions


def read_job(path):
    """A job that a process was given."""
    with open(path) as stream:
        return json.load(stream)


EARLY = 'bert4keras-0.11.5'
BOTH, FLOAT32 = ('float32', 'bfloat16'), ('float32',)
MODELS = ('forward', 'train', 'memory', 'first-step')
TF_KERAS = {'TF_KERAS': '1', 'TF_USE_LEGACY_KERAS': '1'}
ENGINES = (('jax', 'JAX', 'jax'), ('tensorflow', 'TF', 'tensorflow'), ('torch', 'PyTorch', 'torch'))
# of XLA's programs for JAX, see the README on BERT4KERAS_COMPILE_CACHE
CACHE = {'KERAS_BACKEND': 'jax', 'BERT4KERAS_COMPILE_CACHE': '{directory}/compiled'}


def does(prepare, tasks=MODELS, **others):
    """{task: function}: `prepare` for all of `tasks`, and the others by name."""
    return dict({task: prepare for task in tasks}, **others)


def on_engine(engine, title, package):
    """Ours on an engine of Keras 3."""
    return Contender('ours-' + engine, 'bert4keras, ' + title, does(models.prepare_ours, load=models.prepare_ours,
                                                                    embed=texts.embed_ours,
                                                                    pretrain=models.prepare_masked_words),
                     BOTH, ('keras', package), {'KERAS_BACKEND': engine})


CONTENDERS = collections.OrderedDict((contender.name, contender) for contender in (
    [on_engine(*engine) for engine in ENGINES]
    + [Contender('ours-%s-all' % engine, 'bert4keras, %s, words at all positions' % title, dict(
        pretrain=models.prepare_all_words), BOTH, ('keras', package), {'KERAS_BACKEND': engine})
       for engine, title, package in ENGINES]
    + [Contender('ours-torch-medium', 'bert4keras, PyTorch "medium"', does(models.prepare_ours_medium,
                                                                          embed=texts.embed_ours_medium),
                 FLOAT32, ('keras', 'torch'), {'KERAS_BACKEND': 'torch'}),
       Contender('ours-torch-compiled', 'bert4keras, PyTorch compiled', does(models.prepare_ours_compiled), BOTH,
                 ('keras', 'torch'), {'KERAS_BACKEND': 'torch'}),
       Contender('ours-jax-cached', 'bert4keras, JAX, compiled before', does(models.prepare_ours, ['first-step']), BOTH,
                 ('keras', 'jax'), CACHE)]
    + [Contender('ours', 'bert4keras', dict(tokenize=texts.tokenize_ours, corpus=texts.corpus_ours), FLOAT32, (), {}),
       Contender('ours-encode', 'bert4keras, a text at a time', dict(tokenize=texts.tokenize_ours_one), FLOAT32, (),
                 {}),
       Contender('ours-sentencepiece', 'bert4keras, SentencePiece', dict(tokenize=texts.tokenize_ours_sentencepiece),
                 FLOAT32, ('sentencepiece',), {})]
    + [Contender('keras-hub-' + engine, 'KerasHub, ' + title, does(models.prepare_keras_hub, MODELS + ('pretrain',)),
                 BOTH, ('keras_hub', package), {'KERAS_BACKEND': engine}) for engine, title, package in ENGINES]
    + [Contender('keras-bert', 'keras-bert, TF', does(models.prepare_keras_bert, load=models.prepare_keras_bert,
                                                      tokenize=texts.tokenize_keras_bert),
                 FLOAT32, ('keras_bert', 'tf_keras'), TF_KERAS),
       Contender(EARLY, 'bert4keras 0.11.5, TF', does(models.prepare_early, load=models.prepare_early,
                                                                    tokenize=texts.tokenize_early),
                 FLOAT32, ('tf_keras',), TF_KERAS),
       Contender('transformers', 'transformers', does(models.prepare_transformers, load=models.prepare_transformers,
                                                      pretrain=models.prepare_transformers_words,
                                                      tokenize=texts.tokenize_transformers),
                 BOTH, ('transformers', 'torch'), {}),
       Contender('transformers-medium', 'transformers "medium"', does(models.prepare_medium), FLOAT32,
                 ('transformers', 'torch'), {}),
       Contender('transformers-compiled', 'transformers "medium", compiled', does(models.prepare_compiled), BOTH,
                 ('transformers', 'torch'), {}),
       Contender('onnx-runtime', 'ONNX Runtime, of our export', does(models.prepare_onnx_runtime,
                                                                     ['forward', 'memory']),
                 FLOAT32, ('keras', 'torch', 'onnxruntime', 'onnxscript'), {'KERAS_BACKEND': 'torch'}),
       Contender('sentence-transformers', 'sentence-transformers', dict(embed=texts.embed_sentence_transformers), BOTH,
                 ('sentence_transformers', 'torch'), {}),
       Contender('sentence-transformers-medium', 'sentence-transformers "medium"',
                 dict(embed=texts.embed_sentence_transformers_medium), FLOAT32, ('sentence_transformers', 'torch'), {}),
       Contender('tensorflow-text', 'tensorflow_text', dict(tokenize=texts.tokenize_tensorflow_text), FLOAT32,
                 ('tensorflow_text',), {}),
       Contender('rust', 'tokenizers (Rust)', dict(tokenize=texts.tokenize_rust), FLOAT32, ('tokenizers',), {}),
       Contender('rust-encode', 'tokenizers (Rust), a text at a time', dict(tokenize=texts.tokenize_rust_one), FLOAT32,
                 ('tokenizers',), {}),
       Contender('google', "Google's code", dict(tokenize=texts.tokenize_google, corpus=texts.corpus_google), FLOAT32,
                 ('bert',), {})]
    + [Contender('limit-' + engine, 'products alone, ' + title, dict(forward=models.prepare_limit), BOTH, (package,),
                 {'KERAS_BACKEND': engine}) for engine, title, package in ENGINES]))
