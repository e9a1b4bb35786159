# -*- coding: utf-8 -*-
"""What a Keras model of ours says about itself: its config, and whether it is still the BERT of that config.

The model is compared by the names, classes and arguments of its layers and by what each takes its inputs
from, never by weights. What it is compared with is traced, not built: no weight is made for it.
"""
from __future__ import absolute_import, division, print_function

import collections
import re

import numpy as np

from bert4keras.compat import native
from bert4keras.layers import BertClassifier, BertSpan
from bert4keras.model_file import inputs_in
from bert4keras.release.config import hidden_act_of
from bert4keras.release.heads import dropout_field

__all__ = ['as_call', 'first_difference', 'inbound_layers', 'read_model', 'same_request', 'trace']

NEEDED = ['Embedding-Token', 'Embedding-Segment', 'Embedding-Position', 'Embedding-Norm', 'Attention-Mask',
          'Encoder-1-MultiHeadSelfAttention', 'Encoder-1-FeedForward']
# What Keras 3 calls the operations that make Keras masks in our layers.
OF_COMPUTE_MASK = re.compile(r'(not_equal|logical_and)(_\d+)?$')
# The layer that files of ours from before it was there lack; see BertAttentionMask.
LATER = 'Sequence-Mask'
# Arguments of layers that do not change what a trained model computes, or that not every Keras gives back.
UNCOMPARED = ('dtype', 'initializer_range', 'frozen', 'rate', 'dropout_rate', 'return_attention')


def read_model(model):
    """The config of a Keras model of ours, and the other arguments of the BertModel that would build it.

    Args:
        model: Keras model with the layers of `BertModel.build`; others on top of them do not matter.

    Returns:
        (dict, dict of the arguments with_pool, with_nsp, with_mlm, gelu, application and head).

    Raises:
        ValueError: the model lacks a layer of a BERT.
    """
    layers = {layer.name: layer for layer in model.layers}
    missing = [name for name in NEEDED if name not in layers]
    if missing:
        raise ValueError('the model %s is no BERT of ours: it has no layer %s' % (model.name, missing[0]))
    token, segment, position, norm, mask, attention, inner = [layers[name] for name in NEEDED]
    hidden_act = hidden_act_of(inner.activation)
    mapping = layers.get('Embedding-Mapping', layers.get('Embedding-Projection'))
    config = {'vocab_size': token.vocab_size, 'embedding_size': token.embedding_size,
              'hidden_size': mapping.units if mapping else token.embedding_size,
              'type_vocab_size': segment.type_vocab_size, 'num_hidden_layers': count_blocks(model),
              'max_position_embeddings': position.max_position_embeddings,
              'num_attention_heads': attention.num_attention_heads,
              'intermediate_size': inner.intermediate_size, 'hidden_act': hidden_act,
              'hidden_dropout_prob': getattr(layers.get('Embedding-Dropout'), 'rate', 0.0),
              'attention_probs_dropout_prob': attention.dropout_rate, 'layer_norm_eps': norm.epsilon,
              'initializer_range': token.initializer_range, 'pad_token_id': mask.pad_token_id,
              'model_type': getattr(position, 'model_type', None) or {
                  'Embedding-Mapping': 'albert', 'Embedding-Projection': 'albert_zh'}.get(
                      mapping and mapping.name, 'bert')}
    arguments = {'gelu': 'erf' if hidden_act == 'gelu' else None, 'application': mask.application}
    for argument, name in (('with_pool', 'Pooler-Dense'), ('with_nsp', 'NSP-Proba'), ('with_mlm', 'MLM-Proba')):
        arguments[argument] = name in layers and (layers[name].activation != 'linear' or 'linear')
    arguments['head'] = read_head(model, layers, config)
    if arguments['head'] == 'classification':
        arguments['with_pool'] = False  # as far as one can tell
    return config, arguments


def read_head(model, layers, config):
    """The head for a task that a model has, or None; what its layers say goes into the config."""
    if isinstance(layers.get('Span'), BertSpan):
        return 'span'
    classifier = layers.get('Classifier')
    if not isinstance(classifier, BertClassifier):  # such as a Dense of the user's
        return None
    names = classifier.labels or ['LABEL_%d' % index for index in range(classifier.units)]
    config.update(id2label=dict(enumerate(names)), problem_type=classifier.problem_type)
    config[dropout_field(config)] = getattr(layers.get('Classifier-Dropout'), 'rate', 0.0)
    calls = inbound_layers(model)
    source = calls.get('Classifier-Dropout', calls['Classifier'])[0][0]
    return 'classification' if source == 'Pooler-Dense' else 'tokens'


def count_blocks(model):
    """How many blocks a Keras model has: the highest number of one, or how often one that is shared is applied."""
    calls = inbound_layers(model)
    numbers = [int(found.group(1)) for found in (re.match(r'Encoder-(\d+)-', name) for name in calls) if found]
    return max(numbers) if max(numbers) > 1 else len(calls['Encoder-1-MultiHeadSelfAttention'])


def inbound_layers(model):
    """{layer name: for each of its calls, the names of the layers that its inputs come from}."""
    return collections.OrderedDict(
        (layer['config'].get('name', layer.get('name')), [_names_in(call) for call in layer['inbound_nodes']])
        for layer in model.get_config()['layers'])


def _names_in(call):
    """The names of the layers that a call of one takes its inputs from, in a model's config.

    Keras 3 lists the Keras masks, too: those that a `compute_mask` made are left out, which every Keras hands on.
    """
    masks = call.get('kwargs', {}).get('mask') if isinstance(call, dict) else None
    made = {name for name, _ in inputs_in(masks) if OF_COMPUTE_MASK.match(name)}
    return [name for name, _ in inputs_in(call) if name not in made]


# ------------------------------------------------------------------ requests for layers

def same_request(one, other):
    """Whether two requests for a layer, (class, arguments), are for the same one."""
    (cls, arguments), (other_cls, others) = one, other
    return (cls is other_cls and set(arguments) == set(others)
            and all(_same(arguments[key], others[key]) for key in arguments))


def _same(one, other):
    """Whether two arguments mean the same: initializers and the like by their configs, functions by their code."""
    if type(one) is not type(other):
        return one == other
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if hasattr(one, '__code__'):
        return all(getattr(one, part) == getattr(other, part) for part in ('__code__', '__closure__', '__defaults__'))
    return one == other or (hasattr(one, 'get_config') and one.get_config() == other.get_config())


def as_call(cls, arguments):
    """A request for a layer as it is written: BertDense(units=16)."""
    return '%s(%s)' % (cls.__name__, ', '.join('%s=%r' % pair for pair in sorted(arguments.items())))


# ------------------------------------------------------------------ the graph as it should be

class _Tensor(object):
    """A tensor of a traced graph: the name of the layer it comes from, and its shape."""

    def __init__(self, layer_name, shape):
        self.layer_name, self.shape = layer_name, tuple(shape)


Traced = collections.namedtuple('Traced', 'layer arguments calls')


def trace(bert):
    """The graph that a BertModel would build, without a weight: OrderedDict {layer name: Traced}."""
    traced = collections.OrderedDict()
    make = bert.layer

    def layer(cls, name, **arguments):
        made = make(cls, name, **arguments)
        here = traced.setdefault(made.name, Traced(made, bert.requests[name][1], []))

        def call(inputs):
            many = isinstance(inputs, (list, tuple))
            here.calls.append([one.layer_name for one in (inputs if many else [inputs])])
            shape = made.compute_output_shape([one.shape for one in inputs] if many else inputs.shape)
            return ([_Tensor(made.name, one) for one in shape] if isinstance(shape, list)
                    else _Tensor(made.name, shape))
        return call

    bert.layer = layer
    bert.run(*[_Tensor('an input', (None, None)) for _ in ('token ids', 'segment ids')])
    return traced


def first_difference(model, bert):
    """Where a Keras model differs from the one that a BertModel would build, as words; None if nowhere.

    Args:
        model: Keras model; layers on top do not matter.
        bert: BertModel that was not built.
    """
    try:
        calls = inbound_layers(model)
    except NotImplementedError as error:
        return 'it has a layer without get_config, so it cannot be compared (%s)' % error
    layers = {layer.name: layer for layer in model.layers}
    traced = trace(bert)
    missing = [name for name in traced if name.endswith(LATER) and name not in calls]
    for name, expected in traced.items():
        if name in missing:
            continue
        if name not in calls:
            return 'layer %s is not there' % name
        layer = layers[name]
        if type(layer) is not type(expected.layer):
            return 'layer %s is a %s, not a %s' % (name, type(layer).__name__, type(expected.layer).__name__)
        own, other = layer.get_config(), expected.layer.get_config()
        for key in sorted(set(expected.arguments) - set(UNCOMPARED)):
            if not _equal(own[key], other[key]):
                return 'layer %s has %s = %r, not %r' % (name, key, native(own[key]), native(other[key]))
        found = [['an input' if 'Input' in type(layers[one]).__name__ else one for one in call] for call in calls[name]]
        wanted = [[one for one in call if one not in missing] for call in expected.calls]
        if found != wanted:
            return 'layer %s takes its inputs from %s, not from %s' % (name, _listed(found), _listed(wanted))
    return None


def _equal(one, other):
    """Whether two arguments in configs are equal; numbers as far as rounding goes, such as that of 1e-7 ** 2."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-9 * max(abs(one), abs(other))
    return one == other


def _listed(calls):
    """The inputs of a layer's calls, as words."""
    return ', then '.join(' and '.join(call) for call in calls)
