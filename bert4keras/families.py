# -*- coding: utf-8 -*-
"""What the releases look like on disk: their configs, their files, the names of their variables.

The rest of the package speaks one language for variables, that of Google's BERT release: its names,
its shapes, its orientation. Other layouts are tables from those names to their own. A name that
ends in ".T" stands for that variable transposed.

Sources: google-research/bert (modeling.py, run_pretraining.py); the state dicts of the Hugging Face
releases (config.json, model.safetensors).
"""
from __future__ import absolute_import, division, print_function

import collections
import fnmatch
import io
import json
import os
import re

try:
    from collections.abc import Mapping
except ImportError:  # Python 2
    from collections import Mapping

from bert4keras.checkpoint import CheckpointError, open_checkpoint
from bert4keras.tensor_bundle import ReleaseError


class ConfigError(ReleaseError):
    """A config that is missing, unreadable, incomplete or of a model that is not supported."""


# ------------------------------------------------------------------ configs

SIZES = ('vocab_size', 'hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size',
         'max_position_embeddings', 'type_vocab_size')
# Google's defaults for what some releases leave out; what decides a shape has none.
DEFAULTS = {'hidden_dropout_prob': 0.1, 'attention_probs_dropout_prob': 0.1, 'initializer_range': 0.02,
            'layer_norm_eps': 1e-12, 'pad_token_id': 0}
ACTIVATION_NAMES = ('gelu', 'gelu_new', 'gelu_pytorch_tanh', 'relu', 'tanh', 'swish', 'silu', 'linear')


def read_config(path):
    """Reads and checks the config of a release.

    Args:
        path: of a JSON file with the fields of Google's `bert_config.json` or Hugging Face's
            `config.json`; or a mapping that holds them.

    Returns:
        dict: the file's fields, checked, and DEFAULTS where it leaves them out.

    Raises:
        ConfigError: names the file, the field and what to do.
    """
    if isinstance(path, Mapping):
        return check_config(path, 'the config')
    try:
        with io.open(path, encoding='utf-8') as stream:
            config = json.load(stream)
    except (IOError, OSError) as error:
        raise ConfigError('cannot read the config %s: %s. Give the path of a bert_config.json or '
                          'config.json' % (path, error.strerror or error))
    except (ValueError, RuntimeError) as error:  # not JSON, not UTF-8, nested without end
        raise ConfigError('the config %s is not JSON in UTF-8: %s. Download it again' % (path, error))
    if not isinstance(config, dict):
        raise ConfigError('the config %s holds a JSON %s, not an object with fields'
                          % (path, type(config).__name__))
    return check_config(config, 'the config %s' % path)


def check_config(config, where):
    """Returns `config` with DEFAULTS filled in; ConfigError about `where` if a field is off."""
    missing = [field for field in SIZES + ('hidden_act',) if field not in config]
    if missing:
        raise ConfigError('%s lacks %s; it has %s. Add what the release states, or use its own config file'
                          % (where, ', '.join(missing), ', '.join(sorted(config)) or 'nothing'))
    config = dict(DEFAULTS, **config)
    for field in SIZES:
        # a table of 2**31 rows is no BERT, but a damaged file that would ask for terabytes
        if not _is_number(config[field], int) or not 0 < config[field] < 2 ** 31:
            raise ConfigError('%s has %s = %r; it must be a whole number above 0'
                              % (where, field, config[field]))
    for field in ('hidden_dropout_prob', 'attention_probs_dropout_prob'):
        if not _is_number(config[field]) or not 0 <= config[field] < 1:
            raise ConfigError('%s has %s = %r; it must be in [0, 1)' % (where, field, config[field]))
    for field in ('initializer_range', 'layer_norm_eps'):
        if not _is_number(config[field]) or not 0 < config[field] < 1:
            raise ConfigError('%s has %s = %r; it must be in (0, 1)' % (where, field, config[field]))
    if config['pad_token_id'] is None:
        config['pad_token_id'] = DEFAULTS['pad_token_id']
    if not _is_number(config['pad_token_id'], int) or not 0 <= config['pad_token_id'] < config['vocab_size']:
        raise ConfigError('%s has pad_token_id = %r; it must be a token id below vocab_size %d'
                          % (where, config['pad_token_id'], config['vocab_size']))
    if config['hidden_size'] % config['num_attention_heads']:
        raise ConfigError('%s has hidden_size %d, not a multiple of num_attention_heads %d'
                          % (where, config['hidden_size'], config['num_attention_heads']))
    if config['hidden_act'] not in ACTIVATION_NAMES:
        raise ConfigError('%s has hidden_act = %r; supported are %s'
                          % (where, config['hidden_act'], ', '.join(ACTIVATION_NAMES)))
    refuse_unsupported(config, where)
    return config


def refuse_unsupported(config, where):
    """ConfigError for each field whose value means another computation than the one built here."""
    for field, supported in (('position_embedding_type', 'absolute'), ('is_decoder', False),
                             ('add_cross_attention', False), ('model_type', 'bert'),
                             ('ln_type', 'postln')):
        if config.get(field, supported) not in (supported, None):
            raise ConfigError('%s has %s = %r, another model than the one built here, which has %r'
                              % (where, field, config[field], supported))
    factorised = config.get('embedding_size', config['hidden_size']) != config['hidden_size']
    if factorised or 'num_hidden_groups' in config:
        raise ConfigError('%s is of an ALBERT, whose weights this release does not read' % where)


def _is_number(value, kind=(int, float)):
    return isinstance(value, kind) and not isinstance(value, bool)


def activation_name(hidden_act, gelu):
    """The activation's name in the layers: which GELU `hidden_act` means.

    Args:
        hidden_act: the config's field, one of ACTIVATION_NAMES.
        gelu: 'erf' or 'tanh', what plain "gelu" means, or None for 'erf'.

    Returns:
        'gelu_erf', 'gelu_tanh', 'relu', 'tanh', 'silu' or 'linear'.
    """
    if gelu not in (None, 'erf', 'tanh'):
        raise ValueError("gelu must be 'erf', 'tanh' or None, not %r" % (gelu,))
    if hidden_act == 'gelu':
        return 'gelu_%s' % (gelu or 'erf')
    # Hugging Face writes the first two for models trained with the tanh approximation
    aliases = {'gelu_new': 'gelu_tanh', 'gelu_pytorch_tanh': 'gelu_tanh', 'swish': 'silu'}
    name = aliases.get(hidden_act, hidden_act)
    if gelu is not None and name != 'gelu_' + gelu:
        raise ValueError("gelu=%r contradicts the config's hidden_act %r; leave it out" % (gelu, hidden_act))
    return name


# ------------------------------------------------------------------ names of variables

EMBEDDINGS = collections.OrderedDict([
    ('bert/embeddings/word_embeddings', 'bert.embeddings.word_embeddings.weight'),
    ('bert/embeddings/token_type_embeddings', 'bert.embeddings.token_type_embeddings.weight'),
    ('bert/embeddings/position_embeddings', 'bert.embeddings.position_embeddings.weight'),
    ('bert/embeddings/LayerNorm/gamma', 'bert.embeddings.LayerNorm.weight'),
    ('bert/embeddings/LayerNorm/beta', 'bert.embeddings.LayerNorm.bias'),
])
BLOCK = collections.OrderedDict([  # behind bert/encoder/layer_N/ and bert.encoder.layer.N.
    ('attention/self/query/kernel', 'attention.self.query.weight.T'),
    ('attention/self/query/bias', 'attention.self.query.bias'),
    ('attention/self/key/kernel', 'attention.self.key.weight.T'),
    ('attention/self/key/bias', 'attention.self.key.bias'),
    ('attention/self/value/kernel', 'attention.self.value.weight.T'),
    ('attention/self/value/bias', 'attention.self.value.bias'),
    ('attention/output/dense/kernel', 'attention.output.dense.weight.T'),
    ('attention/output/dense/bias', 'attention.output.dense.bias'),
    ('attention/output/LayerNorm/gamma', 'attention.output.LayerNorm.weight'),
    ('attention/output/LayerNorm/beta', 'attention.output.LayerNorm.bias'),
    ('intermediate/dense/kernel', 'intermediate.dense.weight.T'),
    ('intermediate/dense/bias', 'intermediate.dense.bias'),
    ('output/dense/kernel', 'output.dense.weight.T'),
    ('output/dense/bias', 'output.dense.bias'),
    ('output/LayerNorm/gamma', 'output.LayerNorm.weight'),
    ('output/LayerNorm/beta', 'output.LayerNorm.bias'),
])
HEADS = collections.OrderedDict([
    ('bert/pooler/dense/kernel', 'bert.pooler.dense.weight.T'),
    ('bert/pooler/dense/bias', 'bert.pooler.dense.bias'),
    ('cls/predictions/transform/dense/kernel', 'cls.predictions.transform.dense.weight.T'),
    ('cls/predictions/transform/dense/bias', 'cls.predictions.transform.dense.bias'),
    ('cls/predictions/transform/LayerNorm/gamma', 'cls.predictions.transform.LayerNorm.weight'),
    ('cls/predictions/transform/LayerNorm/beta', 'cls.predictions.transform.LayerNorm.bias'),
    ('cls/predictions/output_bias', 'cls.predictions.bias'),
    ('cls/seq_relationship/output_weights', 'cls.seq_relationship.weight'),
    ('cls/seq_relationship/output_bias', 'cls.seq_relationship.bias'),
])
# Training state, and what Hugging Face stores twice or can derive.
IGNORABLE = re.compile(r'/adam_[mv]$|/Adam(_1)?$|(^|/)(global_step|beta[12]_power|learning_rate)$'
                       r'|embeddings\.position_ids$|^cls\.predictions\.decoder\.(weight|bias)$')
# Which argument of build_bert_model a missing variable of a head can do without.
HEAD_ARGUMENTS = (('bert/pooler/', 'with_pool'), ('cls/seq_relationship/', 'with_nsp'),
                  ('cls/predictions/', 'with_mlm'))


def hugging_face_names(num_hidden_layers):
    """{Google's name: Hugging Face's name, ".T" where it is stored transposed} of a whole BERT."""
    names = collections.OrderedDict(EMBEDDINGS)
    for layer in range(num_hidden_layers):
        for google, hugging_face in BLOCK.items():
            names['bert/encoder/layer_%d/%s' % (layer, google)] = 'bert.encoder.layer.%d.%s' % (layer, hugging_face)
    names.update(HEADS)
    return names


def layer_variables(num_hidden_layers):
    """OrderedDict {layer name: Google's names of its weights, in order} of a BERT with all heads."""
    names = collections.OrderedDict([
        ('Embedding-Token', ['bert/embeddings/word_embeddings']),
        ('Embedding-Segment', ['bert/embeddings/token_type_embeddings']),
        ('Embedding-Position', ['bert/embeddings/position_embeddings']),
        ('Embedding-Norm', ['bert/embeddings/LayerNorm/gamma', 'bert/embeddings/LayerNorm/beta']),
    ])
    for layer in range(num_hidden_layers):
        block = ['bert/encoder/layer_%d/%s' % (layer, part) for part in BLOCK]
        attention = 'Encoder-%d-MultiHeadSelfAttention' % (layer + 1)
        feed_forward = 'Encoder-%d-FeedForward' % (layer + 1)
        names[attention], names[attention + '-Norm'] = block[:8], block[8:10]
        names[feed_forward], names[feed_forward + '-Norm'] = block[10:14], block[14:]
    transform = 'cls/predictions/transform/'
    names['Pooler-Dense'] = ['bert/pooler/dense/kernel', 'bert/pooler/dense/bias']
    names['NSP-Proba'] = ['cls/seq_relationship/output_weights.T', 'cls/seq_relationship/output_bias']
    names['MLM-Dense'] = [transform + 'dense/kernel', transform + 'dense/bias']
    names['MLM-Norm'] = [transform + 'LayerNorm/gamma', transform + 'LayerNorm/beta']
    names['MLM-Proba'] = ['cls/predictions/output_bias']
    return names


class Variables(Mapping):
    """A checkpoint's variables by the names, and in the orientation, of Google's release.

    Args:
        checkpoint: what `open_checkpoint` returns.
        names: {Google's name: the checkpoint's own, ".T" for transposed}; what the checkpoint lacks
            is left out. Without it the checkpoint has Google's own names.

    Attributes:
        checkpoint, path: what was given, and its path, for messages.
        sources: {Google's name: the checkpoint's own name} of all that is here.
        unnamed: list of the checkpoint's names that have no place here.
    """

    def __init__(self, checkpoint, names=None):
        self.path = checkpoint.path
        self.checkpoint = checkpoint
        names = names if names is not None else {name: name for name in checkpoint}
        self._names = collections.OrderedDict((google, own) for google, own in names.items()
                                              if strip_transposed(own) in checkpoint)
        self.sources = {google: strip_transposed(own) for google, own in self._names.items()}
        taken = set(self.sources.values())
        self.unnamed = [name for name in checkpoint if name not in taken]

    def __getitem__(self, name):
        """The variable of Google's name `name`, transposed if that ends in ".T"."""
        own = self._names[strip_transposed(name)]
        array = self.checkpoint[strip_transposed(own)]
        return array.T if is_transposed(own) != is_transposed(name) else array

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self._names)

    def shape(self, name):
        """The shape, a tuple of ints, of what `self[name]` returns, without reading it."""
        own = self._names[strip_transposed(name)]
        shape = tuple(self.checkpoint.shape(strip_transposed(own)))
        return shape[::-1] if is_transposed(own) != is_transposed(name) else shape

    def __contains__(self, name):
        return strip_transposed(name) in self._names

    def unread(self, names):
        """What stays unread when the variables `names` are read.

        Args:
            names: Google's names, with or without ".T".

        Returns:
            (list of heads and training state, list of anything else), in the checkpoint's own names.
        """
        names = {strip_transposed(name) for name in names}
        left = [(google, own) for google, own in self.sources.items() if google not in names]
        left += [('', own) for own in self.unnamed]
        expected = [google in HEADS or bool(IGNORABLE.search(own)) for google, own in left]
        return ([own for (_, own), known in zip(left, expected) if known],
                [own for (_, own), known in zip(left, expected) if not known])


def to_layout(variables, layout, num_hidden_layers):
    """Pairs (name, array), named and turned as a layout wants them; what has no name there keeps its own.

    Args:
        variables: mapping from Google's name to array; Variables, or a dict.
        layout: 'tensorflow' (Google's) or 'hugging-face'.
        num_hidden_layers: int.
    """
    names = hugging_face_names(num_hidden_layers) if layout == 'hugging-face' else {}
    for google in variables:
        own = names.get(google, google)
        yield strip_transposed(own), variables[google].T if is_transposed(own) else variables[google]
    for own in getattr(variables, 'unnamed', ()):
        yield own, variables.checkpoint[own]


def is_transposed(name):
    """Whether a name of the tables stands for a transposed variable."""
    return name.endswith('.T')


def strip_transposed(name):
    """A name of the tables without its ".T"."""
    return name[:-2] if is_transposed(name) else name


def open_variables(path, config):
    """Opens a checkpoint of any supported layout as Variables.

    Args:
        path: see `open_checkpoint`, or an open checkpoint.
        config: what `read_config` returns.

    Raises:
        CheckpointError: unreadable, or of no layout known here.
    """
    checkpoint = path if isinstance(path, Mapping) else open_checkpoint(path)
    if 'bert/embeddings/word_embeddings' in checkpoint:
        if any(name.startswith('bert/encoder/transformer/') or name.startswith('bert/encoder/layer_shared/')
               for name in checkpoint):
            raise CheckpointError('%s holds an ALBERT, whose weights this release does not read' % path)
        return Variables(checkpoint)
    for prefix in ('bert.', ''):
        if prefix + 'embeddings.word_embeddings.weight' in checkpoint:
            return Variables(checkpoint, _hugging_face_variant(checkpoint, prefix, config))
    raise CheckpointError(
        '%s holds no BERT that is known here: neither bert/embeddings/word_embeddings (Google) nor '
        'bert.embeddings.word_embeddings.weight (Hugging Face). It has: %s' % (path, some(sorted(checkpoint))))


def _hugging_face_variant(checkpoint, prefix, config):
    """The names as this checkpoint spells them: with or without prefix, norms as gamma or as weight."""
    names = collections.OrderedDict()
    for google, own in hugging_face_names(config['num_hidden_layers']).items():
        if own.startswith('bert.'):
            own = prefix + own[len('bert.'):]
        if own not in checkpoint:  # the oldest conversions kept TensorFlow's words for the norms
            kept = own.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta')
            own = kept if kept in checkpoint else own
        names[google] = own
    return names


def some(items, most=8):
    """The first few of a list, as text for a message, with the count of the rest."""
    items = [str(item) for item in items]
    return ', '.join(items[:most]) + (', ... (%d in all)' % len(items) if len(items) > most else '')


# ------------------------------------------------------------------ files of a release

CONFIG_PATTERNS = ('bert_config*.json', 'albert_config*.json', 'config.json')
CHECKPOINT_PATTERNS = ('*.ckpt*.index', 'model.safetensors', 'model.safetensors.index.json')
VOCAB_PATTERNS = ('vocab*.txt', '*.model')
Release = collections.namedtuple('Release', 'config_path checkpoint_path vocab_path')


def find_release(path):
    """Finds config, weights and vocabulary of a release.

    Args:
        path: its directory, or the prefix of one of its checkpoints with the config beside it.

    Returns:
        Release(config_path, checkpoint_path, vocab_path); vocab_path is None where there is none.

    Raises:
        ConfigError, CheckpointError: nothing found, or more than one candidate; both are listed.
    """
    if os.path.isdir(path):
        directory, checkpoint = path, None
    else:
        directory, checkpoint = os.path.dirname(path) or '.', path
        if not any(os.path.exists(path + ending) for ending in ('', '.index')):
            raise CheckpointError('no such directory or checkpoint: %s' % path)
    try:
        files = sorted(os.listdir(directory))
    except OSError as error:
        raise CheckpointError('cannot list the directory %s: %s' % (directory, error.strerror or error))
    config = _only(files, CONFIG_PATTERNS, directory, 'config', ConfigError)
    if checkpoint is None:
        checkpoint = _only(files, CHECKPOINT_PATTERNS, directory, 'checkpoint', CheckpointError)
        checkpoint = re.sub(r'\.index$', '', checkpoint)
    vocab = _only(files, VOCAB_PATTERNS, directory, 'vocabulary', ConfigError, required=False)
    return Release(config, checkpoint, vocab)


def _only(files, patterns, directory, what, error, required=True):
    """The path of the one file that matches any of the patterns."""
    found = [name for name in files if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    if len(found) > 1:
        raise error('%s has more than one %s: %s. Give the path of the one you mean'
                    % (directory, what, ', '.join(found)))
    if not found:
        if not required:
            return None
        raise error('%s has no %s, a file like %s; it has: %s'
                    % (directory, what, ' or '.join(patterns), some(files) or 'nothing'))
    return os.path.join(directory, found[0])
