# -*- coding: utf-8 -*-
"""MultiHeadAttention of keras-multi-head. Shapes: B batch, F queries, T keys, N heads, D hidden."""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.keras_bert.layers.base import KerasBertLayer, known_as, to_activation
from bert4keras.layers import ACTIVATIONS, BertSelfAttention

__all__ = ['KerasBertAttention', 'KerasBertAttentionMap']


def _has_list(shapes):
    """Whether the shape, or mask, of a layer's inputs is that of a list of them."""
    return hasattr(shapes[0], '__len__')


def _three(given, many):
    """What an attention layer is given, one thing or `many`, or their shapes -> those of queries, keys and values."""
    if many and len(given) == 3:
        return list(given)
    return [given[0] if many else given] * 3


@backend.register
class KerasBertAttention(KerasBertLayer, BertSelfAttention):
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
    head_num = known_as('num_attention_heads')
    Wq, bq, Wk, bk = map(known_as, ('query_kernel', 'query_bias', 'key_kernel', 'key_bias'))
    Wv, bv, Wo, bo = map(known_as, ('value_kernel', 'value_bias', 'output_kernel', 'output_bias'))

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
