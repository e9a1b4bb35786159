# -*- coding: utf-8 -*-
"""The config of a release: read, checked, and what its fields mean.

Sources: google-research/bert and google-research/albert (modeling.py); brightmart/albert_zh (modeling.py,
modeling_google.py); the configs of the releases themselves.
"""
from __future__ import absolute_import, division, print_function

import collections
import json

import numpy as np

from bert4keras.compat import Mapping, fspath
from bert4keras.errors import ConfigError, some
from bert4keras.files import MAX_JSON, read_regular_file, whole_file
from bert4keras.release.families import FAMILIES, family_of

__all__ = ['DEFAULTS', 'HIDDEN_ACTS', 'SIZES', 'activation_name', 'check_config', 'hidden_act_of', 'longest_row',
           'read_config', 'read_fields', 'write_config']

SIZES = ('vocab_size', 'hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size',
         'max_position_embeddings', 'type_vocab_size')
MAX_BLOCKS = 4096  # the deepest that was published has 2,500
# Google's defaults for what some releases leave out; what decides a shape has none.
DEFAULTS = {'hidden_dropout_prob': 0.1, 'attention_probs_dropout_prob': 0.1, 'initializer_range': 0.02,
            'layer_norm_eps': 1e-12}
# A config's `hidden_act`: our name of that activation, by which layers.py and reference.py have its function
# (both in a table called ACTIVATIONS). Of several spellings of one the first is what a config written here says.
HIDDEN_ACTS = collections.OrderedDict([
    ('gelu', 'gelu_erf'),  # unless the caller says `gelu='tanh'`
    ('gelu_new', 'gelu_tanh'),  # Hugging Face's, like the next, for models trained with the tanh approximation
    ('gelu_pytorch_tanh', 'gelu_tanh'),
    ('relu', 'relu'),
    ('tanh', 'tanh'),
    ('silu', 'silu'),
    ('swish', 'silu'),
    ('linear', 'linear'),
])


def read_config(path):
    """Reads and checks the config of a release.

    Args:
        path: str or path, of a JSON file with the fields of Google's `bert_config.json` or Hugging Face's
            `config.json`; or a mapping that holds them.

    Returns:
        dict: the file's fields, checked, and DEFAULTS where it leaves them out.

    Raises:
        ConfigError: names the file, the field and what to do.
    """
    if isinstance(path, Mapping):
        return check_config(path, 'the config')
    path = fspath(path)
    return check_config(read_fields(path), 'the config %s' % path)


def read_fields(path):
    """OrderedDict of the fields of a config file, as they stand there; ConfigError if it is no such file."""
    try:
        config = json.loads(read_regular_file(path, MAX_JSON).decode('utf-8'), object_pairs_hook=_without_repetitions)
    except (IOError, OSError, TypeError) as error:  # TypeError: of something that is no path
        raise ConfigError('cannot read the config %s: %s. Give the path of a bert_config.json or '
                          'config.json' % (path, getattr(error, 'strerror', None) or error))
    except (ValueError, RuntimeError) as error:  # not JSON, not UTF-8, a field twice, nested too deep
        raise ConfigError('the config %s is not JSON in UTF-8: %s. Download it again' % (path, error))
    if not isinstance(config, dict):
        raise ConfigError('the config %s holds a JSON %s, not an object with fields'
                          % (path, type(config).__name__))
    return config


def _without_repetitions(pairs):
    """OrderedDict of the fields of a JSON object; ValueError if one is there twice: which of them is meant?"""
    fields = collections.OrderedDict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError('it has %s twice' % some(sorted({name for name in names if names.count(name) > 1})))
    return fields


def check_config(config, where):
    """Returns `config` with DEFAULTS and `model_type` filled in; ConfigError about `where` if a field is wrong."""
    require_fields(config, SIZES + ('hidden_act',), where)
    config = dict(DEFAULTS, **{field: _plain(config[field]) for field in config})
    refuse_unsupported(config, where)
    family = family_of(config)
    config['model_type'] = family.name
    if config.get('pad_token_id') is None:
        config['pad_token_id'] = 1 if family.counts_tokens else 0  # of fairseq's vocabularies, and of Google's
    if family.embedding == 'plain':
        config.setdefault('embedding_size', config['hidden_size'])
    require_fields(config, ('embedding_size',), where)
    for field in SIZES + ('embedding_size',):
        # a table of 2**31 rows is no BERT, but a damaged file that would ask for terabytes
        if not _is_number(config[field], int) or not 0 < config[field] < 2 ** 31:
            raise ConfigError('%s has %s = %r; it must be a whole number above 0'
                              % (where, field, config[field]))
    if config['num_hidden_layers'] > MAX_BLOCKS:  # building is work for each, also where all share their weights
        raise ConfigError('%s has num_hidden_layers = %d; it must be at most %d'
                          % (where, config['num_hidden_layers'], MAX_BLOCKS))
    for field in ('hidden_dropout_prob', 'attention_probs_dropout_prob'):
        if not _is_number(config[field]) or not 0 <= config[field] < 1:
            raise ConfigError('%s has %s = %r; it must be in [0, 1)' % (where, field, config[field]))
    for field in ('initializer_range', 'layer_norm_eps'):
        if not _is_number(config[field]) or not 0 < config[field] < 1:
            raise ConfigError('%s has %s = %r; it must be in (0, 1)' % (where, field, config[field]))
    if config['hidden_act'] not in list(HIDDEN_ACTS):  # a list or an object cannot be looked up
        raise ConfigError('%s has hidden_act = %r; supported are %s'
                          % (where, config['hidden_act'], ', '.join(HIDDEN_ACTS)))
    check_together(config, where)
    return config


def require_fields(config, fields, where):
    """ConfigError about `where` unless the config has all the fields."""
    missing = [field for field in fields if field not in config]
    if missing:
        raise ConfigError('%s lacks %s; it has %s. Add what the release states, or use its own config file'
                          % (where, ', '.join(missing), ', '.join(sorted(config)) or 'nothing'))


def check_together(config, where):
    """ConfigError about `where` if fields that are right by themselves contradict each other."""
    if not _is_number(config['pad_token_id'], int) or not 0 <= config['pad_token_id'] < config['vocab_size']:
        raise ConfigError('%s has pad_token_id = %r; it must be a token id below vocab_size %d'
                          % (where, config['pad_token_id'], config['vocab_size']))
    if config['hidden_size'] % config['num_attention_heads']:
        raise ConfigError('%s has hidden_size %d, not a multiple of num_attention_heads %d'
                          % (where, config['hidden_size'], config['num_attention_heads']))
    family = family_of(config)
    if family.embedding == 'plain' and config['embedding_size'] != config['hidden_size']:
        raise ConfigError('%s is of %s (model_type) and has embedding_size %d beside hidden_size %d; such a model '
                          'has one size for both'
                          % (where, family.title, config['embedding_size'], config['hidden_size']))
    if longest_row(config) < 1:
        raise ConfigError('%s has max_position_embeddings = %d, of which %s leaves out the first %d '
                          '(pad_token_id + 1), so that there is none for a token'
                          % (where, config['max_position_embeddings'], family.title, config['pad_token_id'] + 1))


def longest_row(config):
    """How many tokens a text may have, special ones included, by a config that `read_config` returns."""
    left_out = config['pad_token_id'] + 1 if family_of(config).counts_tokens else 0
    return config['max_position_embeddings'] - left_out


# Fields that change the computation, with the one value that is built here.
REFUSED = (('position_embedding_type', 'absolute'), ('is_decoder', False), ('add_cross_attention', False),
           ('ln_type', 'postln'), ('num_hidden_groups', 1), ('inner_group_num', 1), ('net_structure_type', 0),
           ('gap_size', 0), ('num_memory_blocks', 0), ('down_scale_factor', 1))


def refuse_unsupported(config, where):
    """ConfigError about `where` if a field asks for a computation that is not built here."""
    for field, supported in REFUSED:
        if config.get(field, supported) not in (supported, None):
            raise ConfigError('%s has %s = %r, which is not built here; only %r is'
                              % (where, field, config[field], supported))
    if config.get('model_type') not in list(FAMILIES) + [None]:
        raise ConfigError('%s has model_type = %r; supported are %s'
                          % (where, config['model_type'], ', '.join(FAMILIES)))


def _plain(value):
    """A number of NumPy as Python's, anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _is_number(value, kind=(int, float)):
    return isinstance(value, kind) and not isinstance(value, bool)


def activation_name(hidden_act, gelu):
    """The activation's name in the layers: which GELU `hidden_act` means.

    Args:
        hidden_act: the config's field, one of HIDDEN_ACTS.
        gelu: 'erf' or 'tanh', what plain "gelu" means, or None for 'erf'.

    Returns:
        one of the values of HIDDEN_ACTS.
    """
    if gelu not in (None, 'erf', 'tanh'):
        raise ValueError("gelu must be 'erf', 'tanh' or None, not %r" % (gelu,))
    if hidden_act == 'gelu':
        return 'gelu_%s' % (gelu or 'erf')
    name = HIDDEN_ACTS.get(hidden_act, hidden_act)
    if gelu is not None and name != 'gelu_' + gelu:
        raise ValueError("gelu=%r contradicts the config's hidden_act %r; leave it out" % (gelu, hidden_act))
    return name


def hidden_act_of(activation, spelling=None):
    """What a config calls an activation of ours: `spelling` if it means that one, else the first that does.

    Args:
        activation: one of the values of HIDDEN_ACTS; anything else is returned as it is.
        spelling: None, or the `hidden_act` of the config that the model was built from.
    """
    if HIDDEN_ACTS.get(spelling) == activation:
        return spelling
    return next((name for name, ours in HIDDEN_ACTS.items() if ours == activation), activation)


def write_config(path, config):
    """Writes the fields of a config as JSON."""
    with whole_file(path) as stream:
        stream.write((json.dumps(config, indent=2) + '\n').encode('utf-8'))
