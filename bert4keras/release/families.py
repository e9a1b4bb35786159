# -*- coding: utf-8 -*-
"""What the releases look like on disk: their configs, their files, the names of their variables.

The rest of the package speaks one language for the variables of a family, that of its TensorFlow
release: its names, its shapes, its orientation. Hugging Face's layout is a table from those names to
its own. A name that ends in ".T" stands for that variable transposed.

Sources: google-research/bert and google-research/albert (modeling.py, run_pretraining.py);
brightmart/albert_zh (modeling.py, modeling_google.py); the state dicts of the Hugging Face releases
(config.json, model.safetensors); the tables of contents of the releases themselves.
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

from bert4keras.release.checkpoint import CheckpointError, open_checkpoint, save_checkpoint
from bert4keras.files import whole_file
from bert4keras.release.tensor_bundle import ReleaseError


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
    """Returns `config` with DEFAULTS and `model_type` filled in; ConfigError about `where` if a field is off."""
    require_fields(config, SIZES + ('hidden_act',), where)
    config = dict(DEFAULTS, **config)
    refuse_unsupported(config, where)
    config['model_type'] = family_of(config).name
    if config['model_type'] == 'bert':
        config.setdefault('embedding_size', config['hidden_size'])
    require_fields(config, ('embedding_size',), where)
    for field in SIZES + ('embedding_size',):
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
    if config['hidden_act'] not in ACTIVATION_NAMES:
        raise ConfigError('%s has hidden_act = %r; supported are %s'
                          % (where, config['hidden_act'], ', '.join(ACTIVATION_NAMES)))
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
    if config['pad_token_id'] is None:
        config['pad_token_id'] = DEFAULTS['pad_token_id']
    if not _is_number(config['pad_token_id'], int) or not 0 <= config['pad_token_id'] < config['vocab_size']:
        raise ConfigError('%s has pad_token_id = %r; it must be a token id below vocab_size %d'
                          % (where, config['pad_token_id'], config['vocab_size']))
    if config['hidden_size'] % config['num_attention_heads']:
        raise ConfigError('%s has hidden_size %d, not a multiple of num_attention_heads %d'
                          % (where, config['hidden_size'], config['num_attention_heads']))
    if config['model_type'] == 'bert' and config['embedding_size'] != config['hidden_size']:
        raise ConfigError('%s is of a BERT (model_type) and has embedding_size %d beside hidden_size %d; a BERT '
                          'has one size for both' % (where, config['embedding_size'], config['hidden_size']))


# Fields whose other values mean another computation than the one built here.
REFUSED = (('position_embedding_type', 'absolute'), ('is_decoder', False), ('add_cross_attention', False),
           ('ln_type', 'postln'), ('num_hidden_groups', 1), ('inner_group_num', 1), ('net_structure_type', 0),
           ('gap_size', 0), ('num_memory_blocks', 0), ('down_scale_factor', 1))


def refuse_unsupported(config, where):
    """ConfigError for each field whose value means another computation than the one built here."""
    for field, supported in REFUSED:
        if config.get(field, supported) not in (supported, None):
            raise ConfigError('%s has %s = %r, another model than the one built here, which has %r'
                              % (where, field, config[field], supported))
    if config.get('model_type') not in list(FAMILIES) + [None]:
        raise ConfigError('%s has model_type = %r; supported are %s'
                          % (where, config['model_type'], ', '.join(FAMILIES)))


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

# Google's name: Hugging Face's. "{}" is the name of the model, such as "bert.", which heads lack and
# without which some files are saved.
EMBEDDINGS = collections.OrderedDict([
    ('bert/embeddings/word_embeddings', '{}embeddings.word_embeddings.weight'),
    ('bert/embeddings/token_type_embeddings', '{}embeddings.token_type_embeddings.weight'),
    ('bert/embeddings/position_embeddings', '{}embeddings.position_embeddings.weight'),
    ('bert/embeddings/LayerNorm/gamma', '{}embeddings.LayerNorm.weight'),
    ('bert/embeddings/LayerNorm/beta', '{}embeddings.LayerNorm.bias'),
])
# The two of a block's tables are in the same order: attention, its norm, feed-forward, its norm.
BLOCK = collections.OrderedDict([
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
ALBERT_BLOCK = collections.OrderedDict([
    ('attention_1/self/query/kernel', 'attention.query.weight.T'),
    ('attention_1/self/query/bias', 'attention.query.bias'),
    ('attention_1/self/key/kernel', 'attention.key.weight.T'),
    ('attention_1/self/key/bias', 'attention.key.bias'),
    ('attention_1/self/value/kernel', 'attention.value.weight.T'),
    ('attention_1/self/value/bias', 'attention.value.bias'),
    ('attention_1/output/dense/kernel', 'attention.dense.weight.T'),
    ('attention_1/output/dense/bias', 'attention.dense.bias'),
    ('LayerNorm/gamma', 'attention.LayerNorm.weight'),
    ('LayerNorm/beta', 'attention.LayerNorm.bias'),
    ('ffn_1/intermediate/dense/kernel', 'ffn.weight.T'),
    ('ffn_1/intermediate/dense/bias', 'ffn.bias'),
    ('ffn_1/intermediate/output/dense/kernel', 'ffn_output.weight.T'),
    ('ffn_1/intermediate/output/dense/bias', 'ffn_output.bias'),
    ('LayerNorm_1/gamma', 'full_layer_layer_norm.weight'),
    ('LayerNorm_1/beta', 'full_layer_layer_norm.bias'),
])
HEADS = collections.OrderedDict([
    ('bert/pooler/dense/kernel', '{}pooler.dense.weight.T'),
    ('bert/pooler/dense/bias', '{}pooler.dense.bias'),
    ('cls/predictions/transform/dense/kernel', 'cls.predictions.transform.dense.weight.T'),
    ('cls/predictions/transform/dense/bias', 'cls.predictions.transform.dense.bias'),
    ('cls/predictions/transform/LayerNorm/gamma', 'cls.predictions.transform.LayerNorm.weight'),
    ('cls/predictions/transform/LayerNorm/beta', 'cls.predictions.transform.LayerNorm.bias'),
    ('cls/predictions/output_bias', 'cls.predictions.bias'),
    ('cls/seq_relationship/output_weights', 'cls.seq_relationship.weight'),
    ('cls/seq_relationship/output_bias', 'cls.seq_relationship.bias'),
])
ALBERT_HEADS = collections.OrderedDict([
    ('bert/pooler/dense/kernel', '{}pooler.weight.T'),
    ('bert/pooler/dense/bias', '{}pooler.bias'),
    ('cls/predictions/transform/dense/kernel', 'predictions.dense.weight.T'),
    ('cls/predictions/transform/dense/bias', 'predictions.dense.bias'),
    ('cls/predictions/transform/LayerNorm/gamma', 'predictions.LayerNorm.weight'),
    ('cls/predictions/transform/LayerNorm/beta', 'predictions.LayerNorm.bias'),
    ('cls/predictions/output_bias', 'predictions.bias'),
    ('cls/seq_relationship/output_weights', 'sop_classifier.classifier.weight'),
    ('cls/seq_relationship/output_bias', 'sop_classifier.classifier.bias'),
])
ALBERT_MAPPING = collections.OrderedDict([
    ('bert/encoder/embedding_hidden_mapping_in/kernel', '{}encoder.embedding_hidden_mapping_in.weight.T'),
    ('bert/encoder/embedding_hidden_mapping_in/bias', '{}encoder.embedding_hidden_mapping_in.bias'),
])

# name: the config's model_type; title: for messages; shares_blocks: whether all blocks are one.
# google_block, block: what stands before, and the table of, a block's names.
# prefix, hugging_face_block, heads: Hugging Face's words for them; None where it has no such model.
# mapping: {layer name: its table}, what the embeddings have beside those of BERT.
Family = collections.namedtuple('Family', 'name title shares_blocks google_block block prefix hugging_face_block '
                                          'heads mapping')
FAMILIES = collections.OrderedDict((family.name, family) for family in [
    Family('bert', 'a BERT', False, 'bert/encoder/layer_{}/', BLOCK, 'bert.', '{}encoder.layer.{}.', HEADS, {}),
    Family('albert', 'an ALBERT', True, 'bert/encoder/transformer/group_0/inner_group_0/', ALBERT_BLOCK, 'albert.',
           '{}encoder.albert_layer_groups.0.albert_layers.0.', ALBERT_HEADS, {'Embedding-Mapping': ALBERT_MAPPING}),
    # brightmart/albert_zh as it first was, before builds in the layout of Google's ALBERT: a BERT whose
    # blocks are one, and whose table of word embeddings is the product of two
    Family('albert_zh', 'an original albert_zh', True, 'bert/encoder/layer_shared/', BLOCK, None, None, HEADS,
           {'Embedding-Projection': {'bert/embeddings/word_embeddings_2': None}}),
])

# Training state, and what Hugging Face stores twice or can derive.
IGNORABLE = re.compile(r'/adam_[mv]$|/Adam(_1)?$|(^|/)(global_step|beta[12]_power|learning_rate)$'
                       r'|embeddings\.position_ids$|^(cls\.)?predictions\.decoder\.(weight|bias)$')
# Variables of models that compute something else than what is built here, and what that is.
UNSUPPORTED = (('several hidden or inner groups', r'/(inner_)?group_[1-9]|\.albert_layer(_group)?s\.[1-9]'),
               ('relative positions', r'\.distance_embedding\.'), ('cross-attention', r'\.crossattention\.'))
# Which argument of build_bert_model a missing variable of a head can do without.
HEAD_ARGUMENTS = (('bert/pooler/', 'with_pool'), ('cls/seq_relationship/', 'with_nsp'),
                  ('cls/predictions/', 'with_mlm'))


def family_of(config):
    """The Family of a config's model, one of FAMILIES."""
    name = config.get('model_type')
    if name is None and ('num_hidden_groups' in config or 'inner_group_num' in config):
        name = 'albert'
    elif name is None:
        factorised = config.get('embedding_size', config['hidden_size']) != config['hidden_size']
        name = 'albert_zh' if factorised else 'bert'
    return FAMILIES[name]


def hugging_face_names(config, prefix=None):
    """{Google's name: Hugging Face's name, ".T" where it is stored transposed} of a whole model.

    Args:
        config: dict, see `read_config`.
        prefix: what stands before the names of all but the heads; None for the family's own.

    Raises:
        CheckpointError: Hugging Face has no such model.
    """
    family = family_of(config)
    if family.prefix is None:
        raise CheckpointError('%s has no place in Hugging Face\'s layout: its token table is a product of two, '
                              'and transformers has no model that computes so. Use the layout tensorflow'
                              % family.title)
    prefix = family.prefix if prefix is None else prefix
    names = collections.OrderedDict(EMBEDDINGS)
    for table in family.mapping.values():
        names.update(table)
    for index in range(number_of_blocks(config)):
        for google, own in family.block.items():
            names[family.google_block.format(index) + google] = family.hugging_face_block.format('{}', index) + own
    names.update(family.heads)
    return collections.OrderedDict((google, own.format(prefix)) for google, own in names.items())


def number_of_blocks(config):
    """How many blocks have weights of their own: one, where all share it."""
    return 1 if family_of(config).shares_blocks else config['num_hidden_layers']


def layer_variables(config):
    """OrderedDict {layer name: Google's names of its weights, in order} of a model with all heads."""
    family = family_of(config)
    names = collections.OrderedDict([
        ('Embedding-Token', ['bert/embeddings/word_embeddings']),
        ('Embedding-Segment', ['bert/embeddings/token_type_embeddings']),
        ('Embedding-Position', ['bert/embeddings/position_embeddings']),
        ('Embedding-Norm', ['bert/embeddings/LayerNorm/gamma', 'bert/embeddings/LayerNorm/beta']),
    ])
    for layer, table in family.mapping.items():
        names[layer] = list(table)
    for index in range(number_of_blocks(config)):
        block = [family.google_block.format(index) + part for part in family.block]
        attention = 'Encoder-%d-MultiHeadSelfAttention' % (index + 1)
        feed_forward = 'Encoder-%d-FeedForward' % (index + 1)
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

    def dtype(self, name):
        """The type, such as 'float32' or 'bfloat16', that the variable is stored in."""
        return self.checkpoint.dtype(self.sources[strip_transposed(name)])

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


def to_layout(variables, layout, config):
    """Pairs (name, array), named and turned as a layout wants them; what has no name there keeps its own.

    Args:
        variables: mapping from Google's name to array; Variables, or a dict.
        layout: 'tensorflow' (Google's) or 'hugging-face'.
        config: dict, see `read_config`.

    Raises:
        CheckpointError: the layout has no such model.
    """
    names = hugging_face_names(config) if layout == 'hugging-face' else {}
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
    """Opens a checkpoint of any supported family and layout as Variables.

    Args:
        path: see `open_checkpoint`, or an open checkpoint.
        config: what `read_config` returns.

    Raises:
        CheckpointError: unreadable, of no family known here, or of another than the config's.
    """
    checkpoint = path if isinstance(path, Mapping) else open_checkpoint(path)
    family, prefix = identify(checkpoint)
    if family is not family_of(config):
        raise CheckpointError('%s holds %s, but the config is of %s. Use the config that belongs to this checkpoint'
                              % (checkpoint.path, family.title, family_of(config).title))
    for what, pattern in UNSUPPORTED:
        names = [name for name in checkpoint if re.search(pattern, name)]
        if names:
            raise CheckpointError('%s is of a model with %s, which is not built here: it has %s'
                                  % (checkpoint.path, what, some(names)))
    if prefix is None:
        return Variables(checkpoint)
    return Variables(checkpoint, _in_older_spelling(checkpoint, hugging_face_names(config, prefix)))


def identify(checkpoint):
    """(Family, prefix of its names in Hugging Face's layout, or None for Google's) of an open checkpoint.

    A family is known by how the names of a block's variables begin.

    Raises:
        CheckpointError: it is none of FAMILIES, or could be more than one; these are listed.
    """
    signs = []
    for family in FAMILIES.values():
        signs.append((family.google_block.format(0), family, None))
        for prefix in (family.prefix, '') if family.prefix else ():
            signs.append((family.hugging_face_block.format(prefix, 0), family, prefix))
    found = [sign for sign in signs if any(name.startswith(sign[0]) for name in checkpoint)]
    if len(found) > 1:
        raise CheckpointError('%s holds more than one model: %s. Save the one you mean by itself'
                              % (checkpoint.path, ' and '.join('%s (%s...)' % (family.title, sign)
                                                               for sign, family, _ in found)))
    if not found:
        raise CheckpointError('%s holds no model that is known here, whose names begin with %s. It has: %s'
                              % (checkpoint.path, ' or '.join(sign for sign, _, _ in signs),
                                 some(sorted(checkpoint)) or 'nothing'))
    return found[0][1:]


def _in_older_spelling(checkpoint, names):
    """{Google's name: own}, a norm's own as gamma or beta where the checkpoint has it so."""
    spelled = collections.OrderedDict()
    for google, own in names.items():
        if own not in checkpoint:  # the oldest conversions kept TensorFlow's words for the norms
            kept = own.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta')
            own = kept if kept in checkpoint else own
        spelled[google] = own
    return spelled


def some(items, most=8):
    """The first few of a list, as text for a message, with the count of the rest."""
    items = [str(item) for item in items]
    return ', '.join(items[:most]) + (', ... (%d in all)' % len(items) if len(items) > most else '')


# ------------------------------------------------------------------ files of a release

CONFIG_PATTERNS = ('bert_config*.json', 'albert_config*.json', 'config.json')
CHECKPOINT_PATTERNS = ('*.ckpt*.index', 'model.safetensors', 'model.safetensors.index.json')
VOCAB_PATTERNS = ('vocab*.txt', '*.model')
Release = collections.namedtuple('Release', 'config_path checkpoint_path vocab_path')
# What a release written here calls its files, by layout; in TensorFlow's, "bert" or "albert" goes before.
FILE_NAMES = {'tensorflow': ('{}_config.json', '{}_model.ckpt'), 'hugging-face': ('config.json', 'model.safetensors')}


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
        files = os.listdir(directory)
    except OSError as error:
        raise CheckpointError('cannot list the directory %s: %s' % (directory, error.strerror or error))
    return release_among(files, directory, checkpoint)


def release_among(files, directory, checkpoint=None):
    """The Release that a directory with the names `files` holds; see `find_release`."""
    files = sorted(files)
    config = _only(files, CONFIG_PATTERNS, directory, 'config', ConfigError)
    if checkpoint is None:
        note = ('. A .bin file is a pickle, which can run any code when it is opened: convert it to '
                '.safetensors where you trust it' if any(name.endswith('.bin') for name in files) else '')
        checkpoint = _only(files, CHECKPOINT_PATTERNS, directory, 'checkpoint', CheckpointError, note=note)
        checkpoint = re.sub(r'\.index$', '', checkpoint)
    vocab = _only(files, VOCAB_PATTERNS, directory, 'vocabulary', ConfigError, required=False)
    return Release(config, checkpoint, vocab)


def _only(files, patterns, directory, what, error, required=True, note=''):
    """The path of the one file that matches any of the patterns."""
    found = [name for name in files if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    if len(found) > 1:
        raise error('%s has more than one %s: %s. Give the path of the one you mean'
                    % (directory, what, ', '.join(found)))
    if not found:
        if not required:
            return None
        raise error('%s has no %s, a file like %s; it has: %s%s'
                    % (directory, what, ' or '.join(patterns), some(files) or 'nothing', note))
    return os.path.join(directory, found[0])


def write_release(directory, layout, config, variables):
    """Writes config and weights into a directory, under the names that releases have.

    Args:
        directory: that exists.
        layout: 'tensorflow' or 'hugging-face'.
        config: mapping, the fields of the config file.
        variables: mapping from Google's name to array; Variables, or a dict.

    Raises:
        CheckpointError: the layout has no such model, or the files cannot be written.
    """
    family = family_of(config)
    config_name, checkpoint_name = [name.format('albert' if family.shares_blocks else 'bert')
                                    for name in FILE_NAMES[layout]]
    save_checkpoint(os.path.join(directory, checkpoint_name), to_layout(variables, layout, config))
    if layout == 'hugging-face':  # what transformers tells the architecture by
        config = dict(config, model_type=family.name)
    write_config(os.path.join(directory, config_name), config)


def write_config(path, config):
    """Writes the fields of a config as JSON."""
    with whole_file(path) as stream:
        stream.write((json.dumps(config, indent=2) + '\n').encode('utf-8'))
