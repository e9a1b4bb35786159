# -*- coding: utf-8 -*-
"""Tests of how the package is built: which module may import which, what each one exports, the old import paths."""
from __future__ import absolute_import, division, print_function

import ast
import importlib
import io
import os
import subprocess
import sys

import pytest

import bert4keras

PACKAGE = os.path.dirname(os.path.abspath(bert4keras.__file__))
ENGINES = ('keras', 'tf_keras', 'tensorflow', 'jax', 'torch')
# From the lowest to the highest; a module may import those of its own line and of the lines above it.
ORDER = (
    ('bus_error', 'compat', 'early', 'early.text', 'errors', 'files', 'hdf5', 'hdf5_structure', 'terminal',
     'text_files'),
    ('which_keras', 'early.backend', 'backend', 'batching', 'early.task_layers', 'model_file', 'parallel', 'reference',
     'release', 'seam', 'search', 'tokenizer', 'tokenizer_files', 'tokenizer_parts'),
    ('layers', 'optimizers'),
    ('early.layers', 'early.model'),
    ('graph', 'heads', 'losses'),
    ('weights',),
    ('bert',),
    ('stepping',),
    ('convert', 'decoding', 'embedding', 'generators', 'keras_bert', 'plots', 'snippets', 'verify'),
    ('pretraining',),
    ('embedding_commands',),
    ('cli',),
)
# Import paths of earlier days: they re-export, and nothing in the package imports them.
OLD_PATHS = ('checkpoint', 'commands', 'families', 'models', 'tensor_bundle', 'tokenizers', 'train', 'utils')
ENGINE_FREE = ('batching', 'bus_error', 'checkpoint', 'compat', 'early.text', 'embedding.dense', 'embedding.directory',
               'embedding.fields', 'embedding.pooling', 'embedding.texts', 'errors', 'families', 'files', 'hdf5',
               'hdf5_structure', 'parallel', 'plots', 'pretraining', 'pretraining.checkpoints', 'pretraining.corpus',
               'pretraining.documents', 'pretraining.export', 'pretraining.feeding', 'pretraining.masks',
               'pretraining.metrics', 'pretraining.order', 'pretraining.packing', 'pretraining.reader',
               'pretraining.records', 'reference', 'release', 'search', 'tensor_bundle', 'terminal', 'text_files',
               'tokenizer', 'tokenizer_files', 'tokenizer_parts', 'tokenizers', 'utils')
# These start Keras when a function of theirs needs it.
LAZY = ('cli', 'commands', 'convert', 'decoding', 'embedding', 'embedding.cluster', 'embedding.corpus',
        'embedding.cross_encoder', 'embedding.encoder', 'embedding_commands', 'model_file', 'pretraining.commands',
        'snippets', 'verify')


def module_files():
    """{dotted name: path} of every module of the package, without "bert4keras."."""
    files = {}
    for directory, _, names in os.walk(PACKAGE):
        for name in names:
            if name.endswith('.py'):
                path = os.path.join(directory, name)
                dotted = os.path.relpath(path, PACKAGE)[:-3].replace(os.sep, '.')
                files[dotted[:-len('.__init__')] if dotted.endswith('.__init__') else dotted] = path
    return files


FILES = module_files()
MODULES = sorted(set(FILES) - {'__init__'})


def imports(path):
    """The absolute dotted names that a module imports, anywhere in it; of `from a import b` both a and a.b."""
    with io.open(path, 'rb') as stream:
        tree = ast.parse(stream.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, 'a relative import in %s' % path
            yield node.module
            for alias in node.names:
                yield '%s.%s' % (node.module, alias.name)


def ours(path):
    """The modules of the package that a module imports."""
    names = {name[len('bert4keras.'):] for name in imports(path) if name.startswith('bert4keras.')}
    return {name for name in names if name in FILES}


ARROWS = {name: ours(FILES[name]) - {name} for name in MODULES}


def rank(name):
    """The line of ORDER that a module stands in, or else its folder."""
    found = [line for one in (name, name.split('.')[0]) for line, names in enumerate(ORDER) if one in names]
    assert found, '%s has no place in ORDER: give it one' % name
    return found[0]


@pytest.mark.parametrize('name', [name for name in MODULES if name not in OLD_PATHS])
def test_no_arrow_points_up(name):
    """A module imports only what stands no higher than itself, and no old import path."""
    assert [other for other in sorted(ARROWS[name]) if other in OLD_PATHS or rank(other) > rank(name)] == []


def test_the_rooms_of_the_seam_are_the_backend_s():
    """Nothing else of the package opens them, so what a version of Keras changes is behind backend.py."""
    assert {name for name in MODULES if any(other.split('.')[0] == 'seam' for other in ARROWS[name])
            if name.split('.')[0] != 'seam'} == {'backend'}


def test_there_is_no_circle():
    """No module imports itself by way of others, functions' own imports included."""
    done, open_ = set(), []

    def visit(name):
        assert name not in open_, ' -> '.join(open_[open_.index(name):] + [name])
        if name not in done:
            open_.append(name)
            for other in sorted(ARROWS[name]):
                visit(other)
            done.add(open_.pop())

    for name in MODULES:
        visit(name)


def is_among(name, names):
    """Whether a module, or its folder, is named; of embedding and pretraining each module is."""
    return name in names or name.split('.')[0] in set(names) - {'embedding', 'pretraining'}


def test_what_needs_no_keras_imports_none():
    """Neither these modules nor what they import name Keras or an engine, in functions neither."""
    reached, left = set(), [name for name in MODULES if is_among(name, ENGINE_FREE)]
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            left.extend(ARROWS[name])
    assert 'release.checkpoint' in reached and 'backend' not in reached
    for name in sorted(reached):
        assert [other for other in imports(FILES[name]) if other.split('.')[0] in ENGINES] == [], name


def test_what_needs_no_keras_starts_none():
    """In a fresh process they are imported without Keras and without an engine."""
    names = ['bert4keras.' + name for name in MODULES if is_among(name, ENGINE_FREE + LAZY)]
    code = 'import sys, %s; print([name for name in %r if name in sys.modules])' % (', '.join(names), ENGINES)
    assert subprocess.check_output([sys.executable, '-c', code]).decode('ascii').strip() == '[]'


@pytest.mark.parametrize('name', MODULES)
def test_every_module_says_what_it_exports(name):
    """`__all__` is there, names nothing twice, and all that it names is there."""
    namespace = {}
    exec('from bert4keras.%s import *' % name, namespace)
    exported = importlib.import_module('bert4keras.' + name).__all__
    assert len(set(exported)) == len(exported) and set(exported) <= set(namespace)


def test_every_folder_is_a_package():
    """`find_packages` of setup.py finds all; in the rows of tox.ini PACKAGE is what the wheel brought."""
    folders = {os.path.relpath(directory, PACKAGE).replace(os.sep, '/') for directory, _, names in os.walk(PACKAGE)
               if any(name.endswith('.py') for name in names)}
    assert {'release', 'optimizers', 'keras_bert', 'keras_bert/layers', 'keras_bert/datasets',
            'keras_bert/optimizers'} <= folders
    for folder in folders:
        assert os.path.exists(os.path.join(PACKAGE, folder, '__init__.py')), folder


# What README, examples, tests and parity imported before the package had its wings.
OLD_NAMES = {
    'backend': 'ENGINES MODEL_SUFFIX compute_dtype describe gather get_gelu get_values gelu keras kops register '
               'set_gelu set_values',
    'bert': 'APPLICATIONS Bert4LM Bert4Seq2seq BertModel build_bert_model load_pretrained_model',
    'checkpoint': 'Checkpoint CheckpointError open_checkpoint save_checkpoint',
    'commands': 'build_with_outputs convert fill_mask inspect load_tokenizer verify',
    'families': 'BLOCK ConfigError IGNORABLE SIZES activation_name find_release hugging_face_names is_transposed '
                'layer_variables open_variables read_config strip_transposed to_layout write_release',
    'files': 'replace_directory whole_file',
    'keras_bert': 'AdamWarmup Extract KerasBert POOL_AVE POOL_MAX POOL_NSP Tokenizer datasets extract_embeddings '
                  'get_custom_objects get_model layers load_trained_model_from_checkpoint loader optimizers',
    'layers': 'ACTIVATIONS BertAttentionMask BertDense BertFeedForward BertFirstToken BertLayer BertLayerNorm '
              'BertPositionEmbedding BertSegmentEmbedding BertSelfAttention BertTokenEmbedding BertTokenProbability',
    'optimizers': 'AdamWarmup BertAdamWarmup calc_train_steps',
    'reference': 'forward gelu_erf gelu_tanh layer_norm',
    'snippets': 'POOLINGS TextError check_token_ids embed normalize padded_length',
    'tensor_bundle': 'CheckpointError ReleaseError encode_entry encode_header encode_table error read_index',
    'tokenizer': 'SpTokenizer Tokenizer VocabularyError load_vocab save_vocab',
}


@pytest.mark.parametrize('name', sorted(OLD_NAMES))
def test_old_import_paths_lead_somewhere(name):
    """`from bert4keras.NAME import ...` of every name that was ever documented or used."""
    module = importlib.import_module('bert4keras.' + name)
    assert [old for old in OLD_NAMES[name].split() if not hasattr(module, old)] == []


def test_one_error_has_one_class():
    """An error caught by its old import path is the one that is raised, and all of them are ValueErrors."""
    from bert4keras import checkpoint, errors, families, snippets, tensor_bundle, tokenizer
    assert checkpoint.CheckpointError is tensor_bundle.CheckpointError is errors.CheckpointError
    assert families.ConfigError is errors.ConfigError and tensor_bundle.ReleaseError is errors.ReleaseError
    assert tokenizer.VocabularyError is errors.VocabularyError and snippets.TextError is errors.TextError
    for error in (errors.CheckpointError, errors.ConfigError, errors.VocabularyError):
        assert issubclass(error, errors.ReleaseError) and issubclass(error, ValueError)
    assert issubclass(errors.TextError, errors.Bert4KerasError)
