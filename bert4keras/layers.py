# -*- coding: utf-8 -*-
"""The layers of BERT, written once against `keras.layers.Layer` and `keras.ops`.

`from bert4keras.layers import *` is all that `load_model` needs to open a saved model. The names of
the classes are ones that no Keras has, so a file of ours never opens as something else.

Shapes: B batch, T tokens, D hidden, E embedding, I intermediate, N heads, H head size, V vocabulary,
P positions, S segments. Masks are boolean, True = attend, and are passed as ordinary tensors.
The model: https://arxiv.org/abs/1810.04805; the numerics: google-research/bert, modeling.py.
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras import backend
from bert4keras.backend import keras, kops
# of releases up to 0.11; what is not in __all__ is refused, or, as LayerNormalization, one of Keras' own names
from bert4keras.early.task_layers import (  # noqa: F401
    ConditionalRandomField, EfficientGlobalPointer, FeedForward, GatedAttentionUnit, GlobalPointer, LayerNormalization,
    Loss, MaximumEntropyMarkovModel, MultiHeadAttention, PositionEmbedding, SinusoidalPositionEmbedding, add_loss)

__all__ = ['affine', 'BertLayer', 'BertTokenEmbedding', 'BertSegmentEmbedding', 'BertPositionEmbedding',
           'BertCountedPositionEmbedding', 'BertLayerNorm', 'BertSequenceMask', 'BertAttentionMask',
           'BertSelfAttention', 'BertFeedForward', 'BertDense', 'BertClassifier', 'BertSpan', 'BertFirstToken',
           'BertTokenProbability', 'ConditionalRandomField', 'Loss', 'add_loss']

LOWEST = float(np.finfo('float32').min)

# Activations by the name that a layer's config holds: unlike `hidden_act: gelu` it says which GELU.
ACTIVATIONS = {
    'linear': lambda x: x,
    'gelu_erf': lambda x: backend.gelu(x, approximate=False),
    'gelu_tanh': lambda x: backend.gelu(x, approximate=True),
    'relu': kops.relu,
    'silu': lambda x: x * kops.sigmoid(x),
    'softmax': lambda x: softmax(x),
    'tanh': kops.tanh,
}


def get_activation(name):
    """The function of an activation's name, a key of ACTIVATIONS; a function is returned as it is."""
    if callable(name):
        return name
    if name not in ACTIVATIONS:
        raise ValueError('unknown activation %r; known are %s' % (name, ', '.join(sorted(ACTIVATIONS))))
    return ACTIVATIONS[name]


def at_least_float32(x):
    """`x`, cast to float32 if it is in half precision."""
    return x if 'float64' in str(x.dtype) else kops.cast(x, 'float32')


def softmax(scores):
    """Softmax over the last axis, computed and returned in float32 or wider."""
    # half precision has neither the range nor the digits for a sum over a row
    return kops.softmax(at_least_float32(scores), axis=-1)


def affine(x, kernel, bias=None):
    """x @ kernel (+ bias) over the last axis, for x of two or three dimensions."""
    def product(rows):
        return kops.matmul(rows, kernel) if bias is None else backend.affine(rows, kernel, bias)
    return by_rows(product, x, int(kernel.shape[1]))


def by_rows(function, x, size):
    """What `function` makes of the last axis, [R, D] -> [R, size], for x of two or three dimensions."""
    # A product of two matrices is what every engine is fastest at, JAX's CPU engine by far.
    if len(x.shape) == 2:
        return function(x)
    return kops.reshape(function(kops.reshape(x, (-1, int(x.shape[-1])))), (-1, kops.shape(x)[1], size))


class BertLayer(keras.layers.Layer):
    """Base of the layers here, and of yours: weights with an explicit dtype, names and initializers.

    Under a policy of half precision only the large products compute in it. Embeddings and norms, where
    `full_precision` says so, compute and give float32.

    Args:
        initializer_range: float, standard deviation of the truncated normal that kernels and tables
            start from (the config's field of that name).
        frozen: whether the weights that a checkpoint holds are not to be trained; the layer's own are.

    Attributes:
        loading: whether a checkpoint is about to be loaded, so that nothing random is drawn for it.
    """

    full_precision = False
    loading = False

    def __init__(self, initializer_range=0.02, frozen=False, **kwargs):
        kwargs.setdefault('dtype', backend.full_precision_dtype() if self.full_precision
                          else backend.default_dtype())
        super(BertLayer, self).__init__(**kwargs)
        self.initializer_range = initializer_range
        self.frozen = frozen
        self._own = set()  # the ids of the own weights

    def add_parameter(self, name, shape, initial='normal', own=False):
        """Creates and returns a weight.

        Args:
            name: str.
            shape: ints.
            initial: 'normal', 'zeros', 'ones' or an initializer of Keras.
            own: whether it is the layer's own, which no checkpoint holds: it keeps its initial value when
                one is loaded, is left out when one is saved, and is trained where `frozen` stops the others.
        """
        if self.loading and not own:
            initial = backend.untouched_zeros
        elif initial == 'normal':
            initial = keras.initializers.TruncatedNormal(stddev=self.initializer_range)
        weight = self.add_weight(name=name, shape=tuple(int(size) for size in shape), initializer=initial,
                                 dtype=backend.variable_dtype(self), trainable=own or not self.frozen)
        if own:
            self._own.add(id(weight))
        return weight

    @property
    def loaded_weights(self):
        """The weights that a checkpoint holds, in order: all except for the layer's own."""
        return [weight for weight in self.weights if id(weight) not in self._own]

    def add_affine(self, name, size_in, size_out):
        """Creates and returns a kernel [size_in, size_out] and its bias [size_out]."""
        return (self.add_parameter(name + '_kernel', (size_in, size_out)),
                self.add_parameter(name + '_bias', (size_out,), 'zeros'))

    def get_config(self):
        config = super(BertLayer, self).get_config()
        config.update(initializer_range=self.initializer_range, frozen=self.frozen)
        return config


@backend.register
class BertTokenEmbedding(BertLayer):
    """Looks token ids up in the table of word embeddings.

    Args:
        vocab_size: int, V. Ids must lie in [0, V).
        embedding_size: int, E.

    Call: int ids [B, T] -> [embeddings [B, T, E], the table itself [V, E] for the tied MLM head].
    """

    full_precision = True

    def __init__(self, vocab_size, embedding_size, **kwargs):
        super(BertTokenEmbedding, self).__init__(**kwargs)
        self.vocab_size = vocab_size
        self.embedding_size = embedding_size

    def build(self, input_shape):
        self.table = self.add_parameter('embeddings', (self.vocab_size, self.embedding_size))
        super(BertTokenEmbedding, self).build(input_shape)

    def call(self, token_ids):
        table = kops.cast(self.table, backend.compute_dtype(self))  # [V, E]
        return [backend.gather(table, kops.cast(token_ids, 'int32')), table]  # [B, T, E]

    def compute_output_shape(self, input_shape):
        return [tuple(input_shape) + (self.embedding_size,), (self.vocab_size, self.embedding_size)]

    # what scripts of bert4keras up to 0.11 read of this layer
    embeddings = property(lambda self: self.table)
    output_mask = property(lambda self: kops.not_equal(self.input, 0), doc='Where its ids are not 0, [B, T].')

    def get_config(self):
        config = super(BertTokenEmbedding, self).get_config()
        config.update(vocab_size=self.vocab_size, embedding_size=self.embedding_size)
        return config


@backend.register
class BertSegmentEmbedding(BertLayer):
    """Looks segment ids up in the table of segment ("token type") embeddings.

    Args:
        type_vocab_size: int, S. Ids must lie in [0, S).
        embedding_size: int, E.

    Call: int ids [B, T] -> [B, T, E].
    """

    full_precision = True

    def __init__(self, type_vocab_size, embedding_size, **kwargs):
        super(BertSegmentEmbedding, self).__init__(**kwargs)
        self.type_vocab_size = type_vocab_size
        self.embedding_size = embedding_size

    def build(self, input_shape):
        self.table = self.add_parameter('embeddings', (self.type_vocab_size, self.embedding_size))
        super(BertSegmentEmbedding, self).build(input_shape)

    def call(self, segment_ids):
        table = kops.cast(self.table, backend.compute_dtype(self))  # [S, E]
        return backend.gather(table, kops.cast(segment_ids, 'int32'))  # [B, T, E]

    def compute_output_shape(self, input_shape):
        return tuple(input_shape) + (self.embedding_size,)

    def get_config(self):
        config = super(BertSegmentEmbedding, self).get_config()
        config.update(type_vocab_size=self.type_vocab_size, embedding_size=self.embedding_size)
        return config


@backend.register
class BertPositionEmbedding(BertLayer):
    """Adds the learned embedding of each position 0, 1, ... T-1.

    Args:
        max_position_embeddings: int, P. A longer input is an error: a ValueError of ours where the
            engine knows the length when it builds its graph, the engine's own otherwise.

    Call: [B, T, E] -> [B, T, E].
    """

    full_precision = True

    def __init__(self, max_position_embeddings, **kwargs):
        super(BertPositionEmbedding, self).__init__(**kwargs)
        self.max_position_embeddings = max_position_embeddings

    def build(self, input_shape):
        self.table = self.add_parameter('embeddings', (self.max_position_embeddings, input_shape[-1]))
        super(BertPositionEmbedding, self).build(input_shape)

    @property
    def longest(self):
        """How many tokens a row may have."""
        return self.max_position_embeddings

    def check_length(self, length):
        """ValueError if an input is too long, where its length is known."""
        if isinstance(length, int) and length > self.longest:
            raise ValueError('the input has %d tokens but %s has %d positions: truncate the text to '
                             'max_length=%d' % (length, self.name, self.longest, self.longest))

    def call(self, inputs):
        length = kops.shape(inputs)[1]
        self.check_length(length)
        return inputs + kops.cast(self.table[:length], inputs.dtype)  # [B, T, E]

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        config = super(BertPositionEmbedding, self).get_config()
        config['max_position_embeddings'] = self.max_position_embeddings
        return config


@backend.register
class BertCountedPositionEmbedding(BertPositionEmbedding):
    """Adds the learned embedding of each token's position, as RoBERTa and XLM-R count them from the token ids.

    Padding has the position `pad_token_id`, and the tokens of a row those that follow, wherever padding stands
    (facebookresearch/fairseq, utils.make_positions).

    Args:
        max_position_embeddings: int, P, of which the first pad_token_id + 1 are of no token.
        pad_token_id: int, the token id that marks padding.
        model_type: str or None, which of the two it is, in the words of a config. It changes nothing here, and is kept
            with the model.

    Call: [x [B, T, E], token ids [B, T]] -> [B, T, E].
    """

    def __init__(self, max_position_embeddings, pad_token_id=1, model_type=None, **kwargs):
        super(BertCountedPositionEmbedding, self).__init__(max_position_embeddings, **kwargs)
        self.pad_token_id = pad_token_id
        self.model_type = model_type

    @property
    def longest(self):
        return self.max_position_embeddings - self.pad_token_id - 1

    def build(self, input_shape):
        super(BertCountedPositionEmbedding, self).build(tuple(input_shape[0]))

    def call(self, inputs):
        x, ids = inputs
        self.check_length(kops.shape(x)[1])
        is_token = kops.cast(kops.not_equal(ids, self.pad_token_id), 'int32')  # [B, T]
        positions = kops.cast(kops.cumsum(is_token, axis=1), 'int32') * is_token + self.pad_token_id
        return x + backend.gather(kops.cast(self.table, x.dtype), positions)  # [B, T, E]

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        config = super(BertCountedPositionEmbedding, self).get_config()
        config.update(pad_token_id=self.pad_token_id, model_type=self.model_type)
        return config


@backend.register
class BertLayerNorm(BertLayer):
    """Layer normalisation over the last axis (https://arxiv.org/abs/1607.06450).

    Biased variance, epsilon inside the square root, float32 even where the policy computes in half
    precision.

    Args:
        epsilon: float, 1e-12 in the official BERT.

    Call: [..., D] -> [..., D].
    """

    full_precision = True

    def __init__(self, epsilon=1e-12, **kwargs):
        super(BertLayerNorm, self).__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.gamma = self.add_parameter('gamma', (input_shape[-1],), 'ones')
        self.beta = self.add_parameter('beta', (input_shape[-1],), 'zeros')
        super(BertLayerNorm, self).build(input_shape)

    def call(self, inputs):
        return backend.layer_norm(inputs, self.gamma, self.beta, self.epsilon)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        config = super(BertLayerNorm, self).get_config()
        config['epsilon'] = self.epsilon
        return config


@backend.register
class BertSequenceMask(BertLayer):
    """Where there is a token, as a number.

    Args:
        pad_token_id: int, the token id that marks padding.

    Call: token ids [B, T] -> [B, T], 1.0 for a token and 0.0 for padding.
    """

    def __init__(self, pad_token_id=0, **kwargs):
        super(BertSequenceMask, self).__init__(**kwargs)
        self.pad_token_id = pad_token_id

    def call(self, inputs):
        return kops.cast(kops.not_equal(inputs, self.pad_token_id), backend.compute_dtype(self))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        config = super(BertSequenceMask, self).get_config()
        config['pad_token_id'] = self.pad_token_id
        return config


@backend.register
class BertAttentionMask(BertLayer):
    """Which position may attend to which.

    Args:
        application: 'encoder': every token sees every token that is not padding. 'lm': a token sees
            itself and what precedes it. 'seq2seq' (UniLM, https://arxiv.org/abs/1905.03197): segment
            0 sees segment 0, the other segment sees segment 0, itself and what precedes it.
        pad_token_id: int, the token id that marks padding, which nobody sees.

    Call: [token ids [B, T], segment ids [B, T], and what is not 0 for a token [B, T]] -> boolean [B, F, T], True =
    attend; F is T or 1. Without the third the token ids say what padding is, as in files from before there was a
    BertSequenceMask.
    """

    def __init__(self, application='encoder', pad_token_id=0, **kwargs):
        super(BertAttentionMask, self).__init__(**kwargs)
        if application not in ('encoder', 'lm', 'seq2seq'):
            raise ValueError("application must be 'encoder', 'lm' or 'seq2seq', not %r" % (application,))
        self.application = application
        self.pad_token_id = pad_token_id

    def call(self, inputs):
        token_ids, segment_ids = [kops.cast(ids, 'int32') for ids in inputs[:2]]
        is_token = kops.not_equal(inputs[2], 0) if len(inputs) > 2 else kops.not_equal(token_ids, self.pad_token_id)
        is_token = kops.expand_dims(is_token, 1)  # [B, 1, T]
        if self.application == 'encoder':
            return is_token
        order = kops.arange(kops.shape(token_ids)[1])
        not_later = kops.expand_dims(order, 0) <= kops.expand_dims(order, 1)  # [T, T]
        if self.application == 'seq2seq':
            is_source = kops.equal(segment_ids, 0)
            from_target = kops.logical_not(kops.expand_dims(is_source, 2))  # [B, T, 1]
            not_later = kops.logical_or(kops.expand_dims(is_source, 1),
                                        kops.logical_and(from_target, not_later))  # [B, T, T]
        return kops.logical_and(is_token, not_later)  # [B, T, T]

    def compute_output_shape(self, input_shape):
        batch, length = input_shape[0]
        return (batch, 1 if self.application == 'encoder' else length, length)

    def get_config(self):
        config = super(BertAttentionMask, self).get_config()
        config.update(application=self.application, pad_token_id=self.pad_token_id)
        return config


@backend.register
class BertSelfAttention(BertLayer):
    """Multi-head self-attention with its output projection.

    Args:
        num_attention_heads: int, N; D must be a multiple of it.
        dropout_rate: float in [0, 1), of the attention probabilities, in training.
        return_attention: whether to return the probabilities [B, N, F, T] too, as they are before dropout.

    Call: [x [B, F, D], mask boolean [B, F or 1, T], *more] -> [B, F, D], or with `return_attention` a list
    of two; here F is T, and there is no more. A key that is masked gets weight exactly 0; a query that sees
    nothing gets the mean of all values, a finite number that nobody reads.

    Subclasses override `queries_keys_values`, `scores`, `attention_probabilities` or `mix`. What they need more than x
    and the mask is given to the first three as `more`: the tensors that `BertModel.attention_inputs` returns.
    """

    def __init__(self, num_attention_heads, dropout_rate=0.0, return_attention=False, **kwargs):
        super(BertSelfAttention, self).__init__(**kwargs)
        self.num_attention_heads = num_attention_heads
        self.dropout_rate = dropout_rate
        self.return_attention = return_attention
        self.dropout = keras.layers.Dropout(dropout_rate) if dropout_rate else None
        self.uses_learning_phase = bool(dropout_rate)  # an old Keras asks the outermost layer only

    def build(self, input_shape):
        self.add_maps(*[int(input_shape[0][-1])] * 3)
        super(BertSelfAttention, self).build(input_shape)

    def add_maps(self, query_size, key_size, size):
        """Creates the affine maps of queries, keys and values, from these sizes to the last, and that of the output."""
        if size % self.num_attention_heads:
            raise ValueError('hidden_size %d is not a multiple of num_attention_heads %d'
                             % (size, self.num_attention_heads))
        self.query_kernel, self.query_bias = self.add_affine('query', query_size, size)
        self.key_kernel, self.key_bias = self.add_affine('key', key_size, size)
        self.value_kernel, self.value_bias = self.add_affine('value', size, size)
        self.output_kernel, self.output_bias = self.add_affine('output', size, size)

    def call(self, inputs, training=None):
        x, mask, more = inputs[0], inputs[1], tuple(inputs[2:])
        query, key, value, mask = self.queries_keys_values(x, mask, *more)
        y, attention = self.attend(query, key, value, mask, more, training)
        return [y, attention] if self.return_attention else y

    def attend(self, query, key, value, mask, more=(), training=None):
        """What `queries_keys_values` returns -> (the layer's output [B, F, D], the probabilities [B, N, F, T]).

        The probabilities are None where a kernel of the engine computes the output without them.
        """
        context = attention = None
        if self.is_plain(more, training):
            context = backend.fused_attention(query, key, value, mask, self.plain if training is False else None)
        if context is None:
            probabilities = attention = self.attention_probabilities(query, key, mask, *more)  # [B, N, F, T]
            if self.dropout is not None:
                probabilities = self.dropout(probabilities, training=training)
            context = self.mix(probabilities, value)
        context = kops.reshape(context, (-1, kops.shape(context)[1], int(self.output_kernel.shape[0])))
        return self.project(context, self.output_kernel, self.output_bias), attention

    def plain(self, query, key, value, mask):
        """softmax(query key^T / sqrt(H)) value: [B, N, F, H], twice [B, N, T, H], [B, F or 1, T] -> [B, F, N, H]."""
        return self.mix(self.attention_probabilities(query, key, mask), value)

    def mix(self, probabilities, value):
        """The means of the values by probabilities: [B, N, F, T], [B, N, T, H] -> [B, F, N, H]."""
        context = kops.matmul(kops.cast(probabilities, value.dtype), value)  # [B, N, F, H]
        return kops.transpose(context, (0, 2, 1, 3))

    def is_plain(self, more, training):
        """Whether it is softmax(query key^T / sqrt(H)) value and no more, whose probabilities nobody looks at."""
        inherited = all(getattr(type(self), name) == getattr(BertSelfAttention, name)
                        for name in ('scores', 'attention_probabilities', 'mix', 'plain'))
        return inherited and not self.return_attention and (self.dropout is None or training is False)

    def queries_keys_values(self, x, mask, *more):
        """x [B, F, D] -> (queries [B, N, F, H], keys and values [B, N, T, H], the mask [B, F or 1, T] of the keys)."""
        query = self.split_heads(self.project(x, self.query_kernel, self.query_bias))
        key = self.split_heads(self.project(x, self.key_kernel, self.key_bias))
        value = self.split_heads(self.project(x, self.value_kernel, self.value_bias))
        return query, key, value, mask

    def project(self, x, kernel, bias):
        """The affine map of queries, keys, values and the output: [B, F, D] -> [B, F, D]."""
        return affine(x, kernel, bias)

    def split_heads(self, x):
        """[B, F, D] -> [B, N, F, H]."""
        size = int(self.query_kernel.shape[1]) // self.num_attention_heads
        x = kops.reshape(x, (-1, kops.shape(x)[1], self.num_attention_heads, size))
        return kops.transpose(x, (0, 2, 1, 3))

    def scores(self, query, key, *more):
        """query key^T / sqrt(H), in float32 or wider: [B, N, F, H] and [B, N, T, H] -> [B, N, F, T]."""
        # scaled before the product, whose sum would leave the range of float16
        query = query * (float(int(query.shape[-1])) ** -0.5)
        return at_least_float32(kops.matmul(query, kops.transpose(key, (0, 1, 3, 2))))

    def attention_probabilities(self, query, key, mask, *more):
        """The softmax of the scores over the visible keys: -> [B, N, F, T]."""
        scores = self.scores(query, key, *more)
        # Finite, so that a row of padding gives numbers; any real score is lost in the sum, whose exponential is 0.
        # Added, as TensorFlow then does it within the product.
        hidden = (1.0 - kops.cast(kops.expand_dims(mask, 1), scores.dtype)) * LOWEST
        return softmax(scores + hidden)

    def compute_output_shape(self, input_shape):
        x, mask = tuple(input_shape[0]), tuple(input_shape[1])
        # what more there is may add keys
        attention = (x[0], self.num_attention_heads, x[1], mask[-1] if len(input_shape) == 2 else None)
        return [x, attention] if self.return_attention else x

    def get_config(self):
        config = super(BertSelfAttention, self).get_config()
        config.update(num_attention_heads=self.num_attention_heads, dropout_rate=self.dropout_rate,
                      return_attention=self.return_attention)
        return config


@backend.register
class BertFeedForward(BertLayer):
    """Two affine maps with an activation between them.

    Args:
        intermediate_size: int, I.
        activation: a key of ACTIVATIONS.

    Call: [B, T, D] -> [B, T, D].
    """

    def __init__(self, intermediate_size, activation='gelu_erf', **kwargs):
        super(BertFeedForward, self).__init__(**kwargs)
        self.intermediate_size = intermediate_size
        self.activation = activation
        get_activation(activation)

    def build(self, input_shape):
        size = int(input_shape[-1])
        self.intermediate_kernel, self.intermediate_bias = self.add_affine(
            'intermediate', size, self.intermediate_size)
        self.output_kernel, self.output_bias = self.add_affine('output', self.intermediate_size, size)
        super(BertFeedForward, self).build(input_shape)

    def call(self, inputs, training=None):
        def feed_forward(rows):  # of two dimensions, or TensorFlow would not take the GELU within the product
            x = affine(rows, self.intermediate_kernel, self.intermediate_bias)  # [R, I]
            return affine(self.activate(x, training), self.output_kernel, self.output_bias)
        return by_rows(feed_forward, inputs, int(self.output_kernel.shape[1]))

    def activate(self, x, training):
        """The activation, computed in float32 or wider: [R, I] -> [R, I] of the same dtype."""
        activation = get_activation(self.activation)
        if self.activation in ('gelu_erf', 'gelu_tanh') and backend.gelu_rounds_once(x, training):
            return activation(x)
        return kops.cast(activation(at_least_float32(x)), x.dtype)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        config = super(BertFeedForward, self).get_config()
        config.update(intermediate_size=self.intermediate_size, activation=self.activation)
        return config


@backend.register
class BertDense(BertLayer):
    """An affine map of the last axis with an activation.

    Args:
        units: int, size of the output's last axis.
        activation: a key of ACTIVATIONS.
        use_bias: bool, False for a product alone.

    Call: [..., D] of two or three dimensions -> [..., units].
    """

    def __init__(self, units, activation='linear', use_bias=True, **kwargs):
        super(BertDense, self).__init__(**kwargs)
        self.units = units
        self.activation = activation
        self.use_bias = use_bias
        get_activation(activation)

    def build(self, input_shape):
        self.kernel = self.add_parameter('dense_kernel', (input_shape[-1], self.units))
        self.bias = self.add_parameter('dense_bias', (self.units,), 'zeros') if self.use_bias else None
        super(BertDense, self).build(input_shape)

    def call(self, inputs):
        return get_activation(self.activation)(affine(inputs, self.kernel, self.bias))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[:-1]) + (self.units,)

    def get_config(self):
        config = super(BertDense, self).get_config()
        config.update(units=self.units, activation=self.activation, use_bias=self.use_bias)
        return config


@backend.register
class BertClassifier(BertDense):
    """The logits of classes, by an affine map, and what the classes are.

    Args:
        units: int, N, the number of labels.
        labels: list of their N names, or None.
        problem_type: what the logits are for, in the words of a config of transformers, or None. Like the
            names it changes nothing here, and is kept with the model.

    Call: [B, D] or [B, T, D] -> logits [B, N] or [B, T, N].
    """

    def __init__(self, units, labels=None, problem_type=None, **kwargs):
        super(BertClassifier, self).__init__(units, **kwargs)
        self.labels = None if labels is None else list(labels)
        self.problem_type = problem_type

    def get_config(self):
        config = super(BertClassifier, self).get_config()
        config.update(labels=self.labels, problem_type=self.problem_type)
        return config


@backend.register
class BertSpan(BertDense):
    """Where an answer starts and where it ends, as logits of the positions: `units` is 2.

    Call: [B, T, D] -> [B, 2, T]; padding has logits too.
    """

    def call(self, inputs):
        return kops.transpose(super(BertSpan, self).call(inputs), (0, 2, 1))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units, input_shape[1])


@backend.register
class BertFirstToken(BertLayer):
    """The hidden state of the first token, [CLS]: [B, T, D] -> [B, D]."""

    def call(self, inputs):
        return inputs[:, 0]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[2])


@backend.register
class BertTokenProbability(BertLayer):
    """The masked language model's probabilities, tied to the table of word embeddings.

    Args:
        activation: a key of ACTIVATIONS; 'linear' gives the logits.

    Call: [x [B, T, E], table [V, E]] -> probabilities [B, T, V], float32 or wider.
    """

    def __init__(self, activation='softmax', **kwargs):
        super(BertTokenProbability, self).__init__(**kwargs)
        self.activation = activation
        get_activation(activation)

    def build(self, input_shape):
        self.bias = self.add_parameter('bias', (input_shape[1][0],), 'zeros')
        super(BertTokenProbability, self).build(input_shape)

    def call(self, inputs):
        x, table = inputs
        table = kops.cast(table, x.dtype)  # a table that is a variable is not cast by Keras 2's policy
        logits = affine(x, kops.transpose(table), self.bias)  # [B, T, V]
        return at_least_float32(get_activation(self.activation)(logits))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0][:-1]) + (input_shape[1][0],)

    def get_config(self):
        config = super(BertTokenProbability, self).get_config()
        config['activation'] = self.activation
        return config
