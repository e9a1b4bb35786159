# -*- coding: utf-8 -*-
"""What a directory of sentence-transformers says about its vectors. Needs NumPy only.

    modules.json                       the modules, in the order in which they compute, and the folder of each
    sentence_bert_config.json          how many tokens a text may have, and whether it is lower-cased first
    1_Pooling/config.json              how the vectors of the tokens become one
    2_Dense/config.json, weights       a layer on top
    3_Normalize                        length 1
    config_sentence_transformers.json  prompts, and how vectors are compared

What is not built is refused by its name: vectors that are nearly right would be worse than none.
Source: sentence-transformers 6.2, base/model.py and the classes of the modules; older names of fields as it reads them.
"""
from __future__ import absolute_import, division, print_function

import collections
import fnmatch
import hashlib
import json
import os

from bert4keras.compat import STRINGS, fspath
from bert4keras.embedding.dense import Dense, find_activation
from bert4keras.embedding.fields import expect, get, read_module
from bert4keras.embedding.pooling import POOLINGS, SIMILARITIES, normalize
from bert4keras.errors import CheckpointError, ConfigError, some
from bert4keras.files import MAX_JSON, open_regular_file, read_regular_file
from bert4keras.release.config import read_config, read_fields
from bert4keras.release.directory import CONFIG_PATTERNS, find_release

__all__ = ['PairModel', 'SentenceModel', 'fingerprint', 'read_pair_model', 'read_sentence_model', 'width_of']

MODULES = 'modules.json'
ENDS = 1 << 20  # bytes at each end of a file, which its fingerprint is taken of
OPTIONS = 'config_sentence_transformers.json'
# What older versions called the settings of a Transformer; the first that is there counts.
TRANSFORMER_CONFIGS = tuple('sentence_%s_config.json' % name for name in (
    'bert', 'roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'))
# The fields of older versions, in the order in which their vectors are put end to end.
OLD_POOLINGS = (('pooling_mode_cls_token', 'cls'), ('pooling_mode_max_tokens', 'max'),
                ('pooling_mode_mean_tokens', 'mean'), ('pooling_mode_mean_sqrt_len_tokens', 'mean_sqrt_len_tokens'),
                ('pooling_mode_weightedmean_tokens', 'weightedmean'), ('pooling_mode_lasttoken', 'lasttoken'))
THEIR_POOLINGS = {{'mean_sqrt_len': 'mean_sqrt_len_tokens'}.get(name, name): name for name in POOLINGS}
SentenceModel = collections.namedtuple('SentenceModel', [
    'path',             # of the directory, as it was given
    'release',          # Release, the files of the encoder and its vocabulary
    'hidden_size',      # int, D of the encoder
    'says',             # whether there is a modules.json; without one, what follows is the default
    'poolings',         # tuple of names in POOLINGS
    'include_prompt',   # whether the tokens of a prompt are pooled, too
    'modules',          # tuple of functions that follow, each of [N, D] to [N, D']
    'max_length',       # int, the number of tokens that texts are cut to; None for the tokenizer's
    'lowercase',        # whether texts are lower-cased, whatever the tokenizer does
    'prompts',          # {name: text to put before each text}
    'default_prompt',   # name of the one that is used unasked, or None
    'similarity',       # name in SIMILARITIES
    'dimensions',       # int, how many numbers of a vector are kept unasked; None for all
])


def read_sentence_model(path):
    """Reads what a directory says about its vectors.

    Args:
        path: of a directory with modules.json; or a release, see `release.directory.find_release`, of which a mean
            over the tokens is made, as sentence-transformers does without a modules.json.

    Returns:
        SentenceModel.

    Raises:
        ConfigError, CheckpointError: a file is missing or wrong, or asks for what is not built; names the file.
    """
    path = fspath(path)
    directory = path if os.path.isdir(path) else os.path.dirname(path)
    modules = os.path.join(directory, MODULES)
    if not os.path.exists(modules):
        release = _find_release(path)
        return SentenceModel(path, release, read_config(release.config_path)['hidden_size'], False, ('mean',), True, (),
                             None, False, {}, None, 'cosine', None)
    entries = _read_modules(modules)
    options = _read_options(os.path.join(directory, OPTIONS))
    _check_order([entry.name for entry in entries], modules)
    transformer = os.path.join(directory, entries[0].path)
    release = _find_release(transformer if os.path.isdir(path) else path)
    settings = _read_transformer(transformer, 'feature-extraction', 'last_hidden_state', 'token_embeddings')
    _refuse_code(release.config_path)
    poolings, include_prompt, width = _read_pooling(os.path.join(directory, entries[1].path))
    hidden_size = read_config(release.config_path)['hidden_size']
    if width not in (None, hidden_size):
        raise ConfigError('%s is for vectors of %d numbers, and %s has hidden_size %d: they are of two models'
                          % (os.path.join(directory, entries[1].path, 'config.json'), width, release.config_path,
                             hidden_size))
    following = tuple(_read_following(os.path.join(directory, entry.path), entry.name) for entry in entries[2:])
    return SentenceModel(path, release, hidden_size, True, poolings, include_prompt, following, *(settings + options))


def fingerprint(model):
    """A SHA-256, in hexadecimal, of a SentenceModel: its small files, and both ends of its weights."""
    config, checkpoint, vocabulary = model.release
    folders = [os.path.dirname(config)] + [module.path for module in model.modules if isinstance(module, Dense)]
    paths = [config, checkpoint, checkpoint + '.index', vocabulary]
    paths += [os.path.join(folder, name) for folder in folders
              for name in ('tokenizer.json', 'tokenizer_config.json', 'config.json', 'model.safetensors')]
    digest = hashlib.sha256(json.dumps([model.poolings, model.include_prompt, model.max_length, model.lowercase,
                                        len(model.modules), model.dimensions]).encode('ascii'))
    for path in paths:
        if path is not None and os.path.isfile(path):
            with open_regular_file(path) as stream:
                digest.update(stream.read(ENDS))
                size = stream.seek(0, os.SEEK_END) or stream.tell()
                stream.seek(max(0, size - ENDS))
                digest.update(stream.read(ENDS) + ('%d' % size).encode('ascii'))
    return digest.hexdigest()


PairModel = collections.namedtuple('PairModel', [
    'path',         # of the directory, as it was given
    'release',      # Release, the files of the classifier and its vocabulary
    'max_length',   # int, the number of tokens that pairs are cut to; None for the tokenizer's
    'lowercase',    # whether texts are lower-cased, whatever the tokenizer does
    'activation',   # function of logits to scores, or None where the directory says none
])


def read_pair_model(path):
    """Reads what the directory of a cross-encoder says, besides its config.

    Args:
        path: of a directory with or without modules.json, or a release; see `read_sentence_model`.

    Returns:
        PairModel.

    Raises:
        ConfigError, CheckpointError: as `read_sentence_model`.
    """
    path = fspath(path)
    directory = path if os.path.isdir(path) else os.path.dirname(path)
    modules, options = [os.path.join(directory, name) for name in (MODULES, OPTIONS)]
    fields = read_fields(options) if os.path.exists(options) else {}
    _check_kind(fields, options, 'CrossEncoder')
    expect(fields, 'default_prompt_name', None, options)
    entries = _read_modules(modules) if os.path.exists(modules) else [Entry('Transformer', '')]
    if [entry.name for entry in entries] != ['Transformer']:
        raise ConfigError('%s has the modules %s; a cross-encoder that is built here is a Transformer alone'
                          % (modules, ', '.join(entry.name for entry in entries) or '(none)'))
    transformer = os.path.join(directory, entries[0].path)
    release = _find_release(transformer if os.path.isdir(path) else path)
    settings = _read_transformer(transformer, 'sequence-classification', 'logits', 'scores')
    _refuse_code(release.config_path)
    config = read_fields(release.config_path)
    older = get(config, 'sentence_transformers', dict, release.config_path, {})
    # the newest first: of version 6, of 4 and 5, and of before
    places = [(fields, 'activation_fn', options), (older, 'activation_fn', release.config_path),
              (config, 'sbert_ce_default_activation_function', release.config_path)]
    said = next((place for place in places if place[0].get(place[1]) is not None), None)
    return PairModel(path, release, *(settings + (None if said is None else find_activation(*(said + (None,))),)))


def width_of(model, poolings):
    """How many numbers the vectors of a SentenceModel have, with these poolings.

    Raises:
        ConfigError: a Dense is of another width than what comes before it.
    """
    width = len(poolings) * model.hidden_size
    for module in model.modules:
        if isinstance(module, Dense):
            if module.in_features != width:
                raise ConfigError('%s takes vectors of %d numbers, but what comes before it (pooling by %s) gives %d; '
                                  'use the pooling that it was trained with'
                                  % (module.path, module.in_features, '+'.join(poolings), width))
            width = module.out_features
    return width


# ------------------------------------------------------------------ the files

Entry = collections.namedtuple('Entry', 'name path')  # the name of the class, and the folder of its files


def _read_modules(path):
    """The entries of modules.json, each of a class that is known."""
    try:
        entries = json.loads(read_regular_file(path, MAX_JSON).decode('utf-8'))
    except (EnvironmentError, ValueError, RuntimeError) as error:
        raise ConfigError('cannot read %s: %s. Download it again' % (path, getattr(error, 'strerror', None) or error))
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError('%s must hold a list of modules, each an object with a type and a path' % path)
    found = []
    for entry in entries:
        kind, folder = [get(entry, name, STRINGS, path) for name in ('type', 'path')]
        if os.path.isabs(folder) or '..' in folder.replace('\\', '/').split('/'):
            raise ConfigError('%s has a module in %r, which is outside of its directory' % (path, folder))
        found.append(Entry(_class_name(kind, path), folder))
    return found


def _check_order(names, path):
    """ConfigError unless the modules are a Transformer, a Pooling, then any number of Dense and Normalize."""
    if names[:2] != ['Transformer', 'Pooling'] or not set(names[2:]) <= {'Dense', 'Normalize'}:
        raise ConfigError('%s has the modules %s; built is a Transformer, then a Pooling, then any of Dense and '
                          'Normalize' % (path, ', '.join(names) or '(none)'))


def _class_name(kind, path):
    """The name of a module's class; ConfigError if it is code of the model's own, or not built here."""
    parts = kind.split('.')
    if parts[0] != 'sentence_transformers':
        raise ConfigError('%s has a module of the type %s, which is code of its own; such code is not run here'
                          % (path, kind))
    if parts[-1] not in ('Transformer', 'Pooling', 'Dense', 'Normalize') or set(parts) & {
            'sparse_encoder', 'multi_vector_encoder', 'cross_encoder'}:
        raise ConfigError('%s has a module of the type %s, which is not built here; built are Transformer, Pooling, '
                          'Dense and Normalize' % (path, kind))
    return parts[-1]


def _read_transformer(directory, task, output, name):
    """(max_length, lowercase) of a Transformer's settings, which must be those of this task and its output."""
    path = next((path for path in (os.path.join(directory, name) for name in TRANSFORMER_CONFIGS)
                 if os.path.exists(path)), None)
    if path is None:
        return None, False
    fields = read_fields(path)
    expect(fields, 'transformer_task', task, path)
    expect(fields, 'module_output_name', name, path)
    text = get(get(fields, 'modality_config', dict, path, {}), 'text', dict, path, {})
    expect(text, 'method', 'forward', path)
    expect(text, 'method_output_name', output, path)
    for name in ('model_args', 'model_kwargs', 'tokenizer_args', 'processor_kwargs', 'config_args', 'config_kwargs',
                 'processing_kwargs'):
        more = [key for key in get(fields, name, dict, path, {}) if key not in HARMLESS]
        if more:
            raise ConfigError('%s has %s in %s, which is not built here' % (path, some(sorted(more)), name))
    length = get(fields, 'max_seq_length', int, path, None)
    if length is not None and length < 3:
        raise ConfigError('%s has max_seq_length = %d; it must be at least 3' % (path, length))
    return length, get(fields, 'do_lower_case', bool, path, False)


# arguments that decide how the weights are loaded and computed there, and not what comes out
HARMLESS = ('trust_remote_code', 'torch_dtype', 'dtype', 'attn_implementation', 'device_map', 'low_cpu_mem_usage',
            'add_pooling_layer', 'use_safetensors', 'revision', 'cache_dir', 'local_files_only', 'token', 'use_fast')


def _refuse_code(config_path):
    """ConfigError if a config says that its model is code of its own."""
    classes = read_fields(config_path).get('auto_map')
    if isinstance(classes, dict) and any(name.startswith('AutoModel') for name in classes):
        raise ConfigError('%s has auto_map: its model is %s, code of its own; such code is not run here'
                          % (config_path, ', '.join(sorted('%s' % classes[name] for name in classes))))


def _read_pooling(directory):
    """(tuple of names in POOLINGS, whether a prompt is pooled, too, how many numbers a token's vector has)."""
    path, fields = os.path.join(directory, 'config.json'), read_module(directory)
    for name in sorted(fields):
        if name.startswith('pooling_mode_') and fields[name] and name not in dict(OLD_POOLINGS):
            raise ConfigError('%s has %s, a pooling that is not built here; built are %s'
                              % (path, name, ', '.join(POOLINGS)))
    if 'pooling_mode' in fields:
        names = fields['pooling_mode']
        names = [names] if isinstance(names, STRINGS) else names
    else:
        names = [name for field, name in OLD_POOLINGS if get(fields, field, bool, path, False)] or ['mean']
    if not isinstance(names, list) or not names or not all(isinstance(name, STRINGS) and name in THEIR_POOLINGS
                                                           for name in names):
        raise ConfigError('%s has pooling_mode = %s, which is not built here; built are %s'
                          % (path, json.dumps(names), ', '.join(sorted(THEIR_POOLINGS))))
    widths = [get(fields, name, int, path, None) for name in ('embedding_dimension', 'word_embedding_dimension')]
    return (tuple(THEIR_POOLINGS[name] for name in names), get(fields, 'include_prompt', bool, path, True),
            next((width for width in widths if width is not None), None))


def _read_following(directory, name):
    """The function of a module after the Pooling."""
    if name == 'Dense':
        return Dense(directory)
    path = os.path.join(directory, 'config.json')  # which older versions do not write
    fields = read_fields(path) if os.path.exists(path) else {}
    expect(fields, 'module_input_name', 'sentence_embedding', path)
    expect(fields, 'module_output_name', 'sentence_embedding', path)
    return normalize


def _read_options(path):
    """(prompts, name of the default one, similarity, dimensions) of config_sentence_transformers.json."""
    fields = read_fields(path) if os.path.exists(path) else {}
    _check_kind(fields, path, 'SentenceTransformer')
    prompts = get(fields, 'prompts', dict, path, {})
    prompts = {name: get(prompts, name, STRINGS, path, '') for name in prompts}
    default = get(fields, 'default_prompt_name', STRINGS, path, None)
    if default is not None and default not in prompts:
        raise ConfigError('%s has default_prompt_name = %r, but prompts has %s'
                          % (path, default, some(sorted(prompts)) or 'none'))
    similarity = get(fields, 'similarity_fn_name', STRINGS, path, 'cosine')
    if similarity not in SIMILARITIES:
        raise ConfigError('%s has similarity_fn_name = %r; built are %s'
                          % (path, similarity, ', '.join(sorted(SIMILARITIES))))
    return prompts, default, similarity, get(fields, 'truncate_dim', int, path, None)


def _check_kind(fields, path, wanted):
    """ConfigError if the directory is of another kind of model."""
    kind = get(fields, 'model_type', STRINGS, path, wanted)
    remedy = {'CrossEncoder': 'embedding.CrossEncoder and `bert4keras rank` are for it',
              'SentenceTransformer': 'embedding.Embedder and `bert4keras embed` are for it'}
    if kind != wanted:
        raise ConfigError('%s has model_type = %r, and not %s; %s'
                          % (path, kind, wanted, remedy.get(kind, 'nothing here is built for it')))


# ------------------------------------------------------------------ which directory

def _find_release(path):
    """`find_release`, which names the models in the folders of a directory that has none itself."""
    try:
        return find_release(path)
    except (ConfigError, CheckpointError):
        models = _models_below(path) if os.path.isdir(path) and not _is_model(os.listdir(path)) else []
        if not models:
            raise
        raise ConfigError('%s has no model itself, but its folders have: %s. Give the directory of the one you mean'
                          % (path, some(models)))


def _is_model(files):
    return MODULES in files or any(fnmatch.fnmatchcase(name, pattern) for name in files for pattern in CONFIG_PATTERNS)


def _models_below(path, depth=3):
    """The directories at most `depth` below that have a model; one inside another is not listed."""
    models = []
    for name in sorted(os.listdir(path)):
        folder = os.path.join(path, name)
        if os.path.isdir(folder) and not name.startswith('.'):
            if _is_model(os.listdir(folder)):
                models.append(folder)
            elif depth > 1:
                models += _models_below(folder, depth - 1)
    return models
