# -*- coding: utf-8 -*-
"""The layers of the drop-in for keras-bert: ours, with keras-bert's arguments and Keras masks.

Our classes have names that neither Keras nor keras-bert has; `keras_bert.get_custom_objects()` says
which stands for which of keras-bert's. The configs that keras-bert saved build them.

In `keras_bert.get_model` the attention masks padding by the ids themselves. The Keras masks that the
layers hand on are for what users put on top, and for the files that keras-bert saved, whose graphs
have nothing else.

Shapes: B batch, T tokens, D hidden, E embedding, V vocabulary.
"""
from __future__ import absolute_import, division, print_function

import re

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.compat import STRINGS
from bert4keras.layers import (ACTIVATIONS, BertDense, BertFeedForward, BertFirstToken, BertLayer, BertLayerNorm,
                               BertPositionEmbedding, BertSegmentEmbedding, BertSelfAttention, BertTokenEmbedding,
                               BertTokenProbability)

__all__ = ['get_inputs', 'get_embedding', 'TokenEmbedding', 'EmbeddingSimilarity', 'Masked', 'Extract',
           'MaskedGlobalMaxPool1D', 'MaskedConv1D', 'TaskEmbedding']

backend.register_mask_operations()


def gelu_tanh(x):
    """The GELU of keras-bert 0.83 and later: by tanh (https://arxiv.org/abs/1606.08415)."""
    return backend.gelu(x, approximate=True)


def gelu_erf(x):
    """The GELU of keras-bert up to 0.82: exact, by the error function."""
    return backend.gelu(x, approximate=False)


gelu = gelu_tanh


def to_activation(given):
    """What our layers take for an activation as keras-bert's take it: a key of ACTIVATIONS, or a function."""
    if isinstance(given, STRINGS) and given == 'gelu':
        given = backend.custom_object('gelu') or gelu  # Keras' own gelu is the exact one
    if given is None or given is gelu or given is gelu_erf:
        return {None: 'linear', gelu: 'gelu_tanh', gelu_erf: 'gelu_erf'}[given]
    return given if isinstance(given, STRINGS) and given in ACTIVATIONS else keras.activations.get(given)


_MODULES = {'initializer': keras.initializers, 'regularizer': keras.regularizers, 'constraint': keras.constraints}
_OPTION = re.compile(r'(?!activity_)(\w+_)?(%s)$' % '|'.join(_MODULES))


def _known_as(name):
    """A property that reads the attribute of ours called `name`; None before the layer is built, as in keras-bert."""
    return property(lambda self: getattr(self, name, None))


def _has_list(shapes):
    """Whether the shape, or mask, of a layer's inputs is that of a list of them."""
    return hasattr(shapes[0], '__len__')


def _three(given, many):
    """What an attention layer is given, one thing or `many`, or their shapes -> those of queries, keys and values."""
    if many and len(given) == 3:
        return list(given)
    return [given[0] if many else given] * 3


class _KerasBertLayer(object):
    """keras-bert's arguments for a layer of ours, and Keras masks, handed on as they come.

    Args: ours, or those of keras-bert's layer: see `renamed` and `fixed`, and also `X_initializer`,
    `X_regularizer` and `X_constraint` of the weights whose names end in X.
    """

    arguments = ()  # what may be given by position
    renamed = {}  # keras-bert's name of an argument: ours
    fixed = {}  # keras-bert's arguments that can have one value only here
    weight_names = {}  # our name of a weight: keras-bert's, where %s is the layer's
    initial = 'glorot_normal'  # of tables and kernels

    def __init__(self, *args, **kwargs):
        kwargs.update(zip(self.arguments, args))
        for name, only in dict(self.fixed, activity_regularizer=None, input_length=None).items():
            if kwargs.pop(name, only) != only:
                raise ValueError('%s can only have %s=%r here' % (type(self).__name__, name, only))
        options = {name: kwargs.pop(name) for name in list(kwargs) if _OPTION.match(name)}
        if 'activation' in kwargs:
            kwargs['activation'] = to_activation(kwargs['activation'])
        super(_KerasBertLayer, self).__init__(**{self.renamed.get(name, name): value
                                                 for name, value in kwargs.items()})
        self.options = {name: value for name, value in options.items() if value is not None}
        self.supports_masking = True

    def option(self, weight, what):
        """The initializer, regularizer or constraint that was given for a weight, or None."""
        own = '%s_%s' % (weight.rsplit('_', 1)[-1], what)
        given = self.options.get(own, self.options.get(what))
        return given and _MODULES[what].get(given)

    def add_parameter(self, name, shape, initial='normal', own=False):
        given = self.option(name, 'initializer')
        if initial == 'normal' and given is None:
            given = keras.initializers.get(self.initial)
        return super(_KerasBertLayer, self).add_parameter(name, shape, given or initial, own)

    def add_weight(self, **kwargs):
        for what in ('regularizer', 'constraint'):
            kwargs[what] = self.option(kwargs['name'], what)
        theirs = self.weight_names.get(kwargs['name'], kwargs['name'])
        kwargs['name'] = theirs % self.name if '%s' in theirs else theirs
        return super(_KerasBertLayer, self).add_weight(**kwargs)

    def compute_mask(self, inputs, mask=None):
        return mask[0] if isinstance(mask, (list, tuple)) else mask

    def get_config(self):
        config = super(_KerasBertLayer, self).get_config()
        for name, given in self.options.items():
            module = _MODULES[_OPTION.match(name).group(2)]
            config[name] = module.serialize(module.get(given))
        if callable(config.get('activation')):
            config['activation'] = keras.activations.serialize(config['activation'])
        return config


@backend.register
class KerasBertTokenEmbedding(_KerasBertLayer, BertTokenEmbedding):
    """keras-bert's TokenEmbedding; with `mask_zero` the Keras mask is where the ids are not 0."""

    arguments, initial = ('input_dim', 'output_dim'), 'uniform'
    renamed = {'input_dim': 'vocab_size', 'output_dim': 'embedding_size'}
    input_dim, output_dim, embeddings = _known_as('vocab_size'), _known_as('embedding_size'), _known_as('table')

    def __init__(self, *args, **kwargs):
        mask_zero = kwargs.pop('mask_zero', False)
        super(KerasBertTokenEmbedding, self).__init__(*args, **kwargs)
        self.mask_zero = mask_zero

    def compute_mask(self, inputs, mask=None):
        return [kops.not_equal(inputs, 0) if self.mask_zero else None, None]

    def get_config(self):
        return dict(super(KerasBertTokenEmbedding, self).get_config(), mask_zero=self.mask_zero)


@backend.register
class KerasBertSegmentEmbedding(_KerasBertLayer, BertSegmentEmbedding):
    """The segment embedding, drawn as keras-bert draws it."""

    initial = 'uniform'
    input_dim, output_dim, embeddings = _known_as('type_vocab_size'), _known_as('embedding_size'), _known_as('table')


@backend.register
class KerasBertPositionEmbedding(_KerasBertLayer, BertPositionEmbedding):
    """PositionEmbedding of keras-pos-embd, in the one mode that BERT uses, 'add'."""

    initial = 'uniform'
    arguments = ('input_dim', 'output_dim', 'mode')
    renamed = {'input_dim': 'max_position_embeddings'}
    fixed = {'mode': 'add', 'mask_zero': False}
    input_dim, embeddings = _known_as('max_position_embeddings'), _known_as('table')

    def __init__(self, *args, **kwargs):
        kwargs.update(zip(self.arguments, args))
        kwargs.pop('output_dim', None)  # the input's last axis
        if 'input_dim' in kwargs:  # Keras 3, opening an h5 file, takes the string for the function keras.layers.add
            mode = kwargs.get('mode', 'expand')
            kwargs['mode'] = getattr(mode, '__name__', mode)
        super(KerasBertPositionEmbedding, self).__init__(**kwargs)

    @property
    def output_dim(self):
        return None if self.embeddings is None else int(self.embeddings.shape[-1])


@backend.register
class KerasBertNorm(_KerasBertLayer, BertLayerNorm):
    """LayerNormalization of keras-layer-normalization, whose epsilon is the square of Keras'."""

    fixed = {'center': True, 'scale': True}

    def __init__(self, epsilon=None, **kwargs):
        epsilon = keras.backend.epsilon() ** 2 if epsilon is None else epsilon
        super(KerasBertNorm, self).__init__(epsilon=epsilon, **kwargs)


@backend.register
class KerasBertAttention(_KerasBertLayer, BertSelfAttention):
    """MultiHeadAttention of keras-multi-head.

    Args:
        head_num: int, of heads.
        activation: after each of its affine maps; keras-bert's default in a BERT is None.
        use_bias: bool, of the maps.
        history_only: whether a position sees no later one.

    Call: [x [B, T, D], token ids [B, T]], 0 being padding, or x alone with its Keras mask -> [B, T, D]; or [queries
    [B, F, Q], keys [B, T, K], values [B, T, D]] with the Keras mask of the keys -> [B, F, D].
    """

    arguments = ('head_num', 'activation', 'use_bias')
    renamed = {'head_num': 'num_attention_heads'}
    weight_names = {'query_kernel': '%s_Wq', 'query_bias': '%s_bq', 'key_kernel': '%s_Wk', 'key_bias': '%s_bk',
                    'value_kernel': '%s_Wv', 'value_bias': '%s_bv', 'output_kernel': '%s_Wo', 'output_bias': '%s_bo'}
    head_num = _known_as('num_attention_heads')
    Wq, bq, Wk, bk = map(_known_as, ('query_kernel', 'query_bias', 'key_kernel', 'key_bias'))
    Wv, bv, Wo, bo = map(_known_as, ('value_kernel', 'value_bias', 'output_kernel', 'output_bias'))

    def __init__(self, *args, **kwargs):
        kwargs.update(zip(self.arguments, args))
        activation, use_bias = kwargs.pop('activation', 'linear'), kwargs.pop('use_bias', True)
        history_only = kwargs.pop('history_only', False)
        super(KerasBertAttention, self).__init__(**kwargs)
        self.activation, self.use_bias, self.history_only = to_activation(activation), use_bias, history_only

    def build(self, input_shape):
        self.add_maps(*[int(shape[-1]) for shape in _three(input_shape, _has_list(input_shape))])
        super(BertSelfAttention, self).build(input_shape)

    def add_affine(self, name, size_in, size_out):
        if self.use_bias:
            return super(KerasBertAttention, self).add_affine(name, size_in, size_out)
        return self.add_parameter(name + '_kernel', (size_in, size_out)), None

    def project(self, x, kernel, bias):
        """The affine map, then the activation."""
        y = super(KerasBertAttention, self).project(x, kernel, bias)
        return self.activation(y) if callable(self.activation) else ACTIVATIONS[self.activation](y)

    def queries_keys_values(self, states, mask, *more):
        """As `BertSelfAttention.queries_keys_values`, from the states of each."""
        maps = ((self.query_kernel, self.query_bias), (self.key_kernel, self.key_bias),
                (self.value_kernel, self.value_bias))
        query, key, value = [self.split_heads(self.project(x, *one)) for x, one in zip(states, maps)]
        return query, key, value, mask

    def call(self, inputs, mask=None, training=None):
        return super(KerasBertAttention, self).call(self.states_and_visible(inputs, mask), training=training)

    def states_and_visible(self, inputs, mask):
        """What `call` is given -> [states of queries, keys and values, which keys are visible, boolean [B, F or 1, T]].

        The first axis is 1 where there is no mask.
        """
        many = isinstance(inputs, (list, tuple))
        states = _three(inputs, many)
        if many:
            mask = kops.not_equal(inputs[1], 0) if len(inputs) == 2 else mask and mask[1]
        keys = kops.expand_dims(kops.arange(kops.shape(states[1])[1]), 0)  # [1, T]
        visible = kops.expand_dims(keys >= 0 if mask is None else mask, 1)
        if self.history_only:
            queries = kops.expand_dims(kops.arange(kops.shape(states[0])[1]), 1)  # [F, 1]
            visible = kops.logical_and(visible, kops.expand_dims(keys <= queries, 0))
        return [states, visible]

    @property
    def intensity(self):
        """The scores before the softmax, a tensor [B, F, N, T] of the layer's model; None before it is called."""
        return self._looked_at('intensity')

    @property
    def attention(self):
        """The probabilities, a tensor [B, F, N, T], in keras-multi-head's order: queries, heads, keys."""
        return self._looked_at('attention')

    def _looked_at(self, what):
        try:
            inputs = self.input
        except AttributeError:  # it was not called yet
            return None
        return KerasBertAttentionMap(self, what)(inputs)

    def compute_mask(self, inputs, mask=None):
        mask = super(KerasBertAttention, self).compute_mask(inputs, mask)
        return [mask, None] if self.return_attention else mask

    def compute_output_shape(self, input_shape):
        query, key, value = [tuple(shape) for shape in _three(input_shape, _has_list(input_shape))]
        y = query[:-1] + value[-1:]
        return [y, (y[0], self.num_attention_heads, y[1], key[1])] if self.return_attention else y

    def get_config(self):
        activation = self.activation
        if callable(activation):
            activation = keras.activations.serialize(activation)
        return dict(super(KerasBertAttention, self).get_config(), activation=activation, use_bias=self.use_bias,
                    history_only=self.history_only)


class KerasBertAttentionMap(keras.layers.Layer):
    """What a KerasBertAttention computes on the way, from the same inputs; it has no weights of its own.

    Args:
        layer: the KerasBertAttention.
        what: 'intensity' or 'attention'.
    """

    def __init__(self, layer, what, **kwargs):
        super(KerasBertAttentionMap, self).__init__(dtype=backend.default_dtype(), **kwargs)
        self.layer, self.what = layer, what

    def call(self, inputs, mask=None):
        query, key, _, visible = self.layer.queries_keys_values(*self.layer.states_and_visible(inputs, mask))
        if self.what == 'attention':
            y = self.layer.attention_probabilities(query, key, visible)  # [B, N, F, T]
        else:
            scores = self.layer.scores(query, key)
            y = scores - 1e4 * (1.0 - kops.cast(kops.expand_dims(visible, 1), scores.dtype))
        return kops.transpose(y, (0, 2, 1, 3))  # [B, F, N, T]

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        query, key, _ = _three(input_shape, _has_list(input_shape))
        return (query[0], query[1], self.layer.num_attention_heads, key[1])


@backend.register
class KerasBertFeedForward(_KerasBertLayer, BertFeedForward):
    """FeedForward of keras-position-wise-feed-forward."""

    arguments = ('units', 'activation')
    renamed = {'units': 'intermediate_size'}
    fixed = {'use_bias': True, 'dropout_rate': 0.0}
    weight_names = {'intermediate_kernel': '%s_W1', 'intermediate_bias': '%s_b1',
                    'output_kernel': '%s_W2', 'output_bias': '%s_b2'}
    units, use_bias = _known_as('intermediate_size'), True
    W1, b1 = _known_as('intermediate_kernel'), _known_as('intermediate_bias')
    W2, b2 = _known_as('output_kernel'), _known_as('output_bias')


@backend.register
class KerasBertDense(_KerasBertLayer, BertDense):
    """The dense layers of keras-bert's heads."""

    initial = 'glorot_uniform'
    weight_names = {'dense_kernel': 'kernel', 'dense_bias': 'bias'}


@backend.register
class KerasBertEmbeddingSimilarity(_KerasBertLayer, BertTokenProbability):
    """keras-bert's EmbeddingSimilarity, and EmbeddingSim of keras-embed-sim: see `BertTokenProbability`."""

    fixed = {'use_bias': True, 'stop_gradient': False}
    arguments = ('initializer', 'regularizer', 'constraint')


@backend.register
class KerasBertMasked(_KerasBertLayer, BertLayer):
    """keras-bert's Masked: hands its first input on, with a Keras mask for the loss.

    Args:
        return_masked: whether to return the mask too.

    Call: [x [B, T, ...], wanted [B, T]] -> x, whose mask is where `wanted` is not 0 and x has a mask;
    with `return_masked` [x, that mask as floats].
    """

    full_precision = True
    arguments = ('return_masked',)

    def __init__(self, *args, **kwargs):
        kwargs.update(zip(self.arguments, args))
        return_masked = kwargs.pop('return_masked', False)
        super(KerasBertMasked, self).__init__(**kwargs)
        self.return_masked = return_masked

    def compute_mask(self, inputs, mask=None):
        wanted = kops.not_equal(inputs[1], 0)
        if mask is not None and mask[0] is not None:
            wanted = kops.logical_and(wanted, mask[0])
        return [wanted, None] if self.return_masked else wanted

    def call(self, inputs, mask=None):
        x = inputs[0] + 0  # a tensor of its own, that can have its own mask
        if not self.return_masked:
            return x
        return [x, kops.cast(self.compute_mask(inputs, mask)[0], backend.compute_dtype(self))]

    def compute_output_shape(self, input_shape):
        x, wanted = [tuple(shape) for shape in input_shape]
        return [x, wanted] if self.return_masked else x

    def get_config(self):
        return dict(super(KerasBertMasked, self).get_config(), return_masked=self.return_masked)


@backend.register
class KerasBertExtract(_KerasBertLayer, BertFirstToken):
    """keras-bert's Extract: the hidden state at a position, [B, T, D] -> [B, D]."""

    arguments = ('index',)

    def __init__(self, *args, **kwargs):
        kwargs.update(zip(self.arguments, args))
        index = kwargs.pop('index')
        super(KerasBertExtract, self).__init__(**kwargs)
        self.index = index

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, inputs):
        return inputs[:, self.index]

    def get_config(self):
        return dict(super(KerasBertExtract, self).get_config(), index=self.index)


@backend.register
class KerasBertTaskEmbedding(_KerasBertLayer, BertTokenEmbedding):
    """keras-bert's TaskEmbedding: adds the embedding of a task to every position.

    Args:
        input_dim: int, number of tasks. output_dim: int, E.
        mask_zero: whether task 0 adds nothing.

    Call: [x [B, T, E], tasks [B, 1]] -> [B, T, E].
    """

    arguments, initial = ('input_dim', 'output_dim'), 'uniform'
    renamed = KerasBertTokenEmbedding.renamed
    input_dim, output_dim, embeddings = _known_as('vocab_size'), _known_as('embedding_size'), _known_as('table')

    def __init__(self, *args, **kwargs):
        mask_zero = kwargs.pop('mask_zero', False)
        super(KerasBertTaskEmbedding, self).__init__(*args, **kwargs)
        self.mask_zero = mask_zero

    def call(self, inputs):
        x, tasks = inputs
        added, _ = super(KerasBertTaskEmbedding, self).call(tasks)  # [B, 1, E]
        if self.mask_zero:
            added = added * kops.cast(kops.expand_dims(kops.not_equal(tasks, 0), -1), added.dtype)
        return x + added

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return dict(super(KerasBertTaskEmbedding, self).get_config(), mask_zero=self.mask_zero)


@backend.register
class KerasBertMaskedConv1D(keras.layers.Conv1D):
    """keras-bert's MaskedConv1D: sees zeros at masked positions, and hands the mask on, as it shrinks."""

    def __init__(self, **kwargs):
        super(KerasBertMaskedConv1D, self).__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        if mask is not None and self.padding == 'valid':
            mask = mask[:, self.kernel_size[0] // 2 * self.dilation_rate[0] * 2:]
        return mask

    def call(self, inputs, mask=None):
        if mask is not None:
            inputs = inputs * kops.cast(kops.expand_dims(mask, -1), inputs.dtype)
        return super(KerasBertMaskedConv1D, self).call(inputs)


@backend.register
class KerasBertMaskedGlobalMaxPool1D(_KerasBertLayer, BertLayer):
    """keras-bert's MaskedGlobalMaxPool1D: the maximum over the positions of the mask, [B, T, D] -> [B, D]."""

    full_precision = True

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, inputs, mask=None):
        if mask is not None:
            inputs = inputs - (1.0 - kops.cast(kops.expand_dims(mask, -1), inputs.dtype)) * 1e6
        return kops.max(inputs, axis=-2)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[2])


@backend.register
class KerasBertAdd(keras.layers.Add):
    """Keras' Add, with Keras 2's mask: those inputs that have one decide. Keras 3 wants one of each."""

    def compute_mask(self, inputs, mask=None):
        known = [one for one in mask or () if one is not None]
        merged = known[0] if known else None
        for one in known[1:]:
            merged = kops.logical_and(merged, one)
        return merged


@backend.register
class KerasBertGeluDense(keras.layers.Dense):
    """Keras' Dense, saved with the name of its GELU: tf.keras 2.15 and tf_keras cannot reload functions."""

    def __init__(self, units, activation=None, **kwargs):
        ours = {'gelu': backend.custom_object('gelu'), 'gelu_tanh': gelu_tanh, 'gelu_erf': gelu_erf}
        if isinstance(activation, STRINGS):
            activation = ours.get(activation) or activation
        super(KerasBertGeluDense, self).__init__(units, activation=activation, **kwargs)

    def get_config(self):
        name = {gelu_tanh: 'gelu_tanh', gelu_erf: 'gelu_erf'}.get(self.activation)
        config = super(KerasBertGeluDense, self).get_config()
        return dict(config, activation=name) if name else config


# keras-bert's names; those of the classes are our own, see above
TokenEmbedding = KerasBertTokenEmbedding
EmbeddingSimilarity = KerasBertEmbeddingSimilarity
Masked = KerasBertMasked
Extract = KerasBertExtract
MaskedGlobalMaxPool1D = KerasBertMaskedGlobalMaxPool1D
MaskedConv1D = KerasBertMaskedConv1D
TaskEmbedding = KerasBertTaskEmbedding
PositionEmbedding = KerasBertPositionEmbedding
LayerNormalization = KerasBertNorm


def get_inputs(seq_len):
    """The three input tensors [B, seq_len]: Input-Token, Input-Segment and Input-Masked, floats as ever."""
    return [keras.layers.Input(shape=(seq_len,), name='Input-' + name) for name in ('Token', 'Segment', 'Masked')]


def get_embedding(inputs, token_num, pos_num, embed_dim, dropout_rate=0.1, trainable=True):
    """Token, segment and position embeddings.

    Args:
        inputs: see `get_inputs`.
        token_num, pos_num, embed_dim: int, V, number of positions and E.
        dropout_rate: not used here, nor in keras-bert.
        trainable: bool, of the layers.

    Returns:
        the sum of the three [B, T, E], and the table of the tokens [V, E].
    """
    x, table = TokenEmbedding(token_num, embed_dim, mask_zero=True, trainable=trainable,
                              name='Embedding-Token')(inputs[0])
    segments = KerasBertSegmentEmbedding(type_vocab_size=2, embedding_size=embed_dim, trainable=trainable,
                                         name='Embedding-Segment')(inputs[1])
    x = KerasBertAdd(name='Embedding-Token-Segment')([x, segments])
    x = KerasBertPositionEmbedding(max_position_embeddings=pos_num, trainable=trainable, name='Embedding-Position')(x)
    return x, table
