# -*- coding: utf-8 -*-
"""Layers that scripts of bert4keras up to 0.11 put on top of a model: conditional norms, a CRF, a loss as a layer.

`bert4keras.layers` exports them under their names of then. Shapes: B batch, T tokens, D hidden, L labels.
"""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.early.text import refused

__all__ = ['ConditionalRandomField', 'EfficientGlobalPointer', 'FeedForward', 'GatedAttentionUnit', 'GlobalPointer',
           'LayerNormalization', 'Loss', 'MaximumEntropyMarkovModel', 'MultiHeadAttention', 'PositionEmbedding',
           'SinusoidalPositionEmbedding', 'add_loss']

_MASKED = -1e12  # a score that says: this is padding


class _Layer(keras.layers.Layer):
    """A layer with an explicit dtype, which hands masks on."""

    def __init__(self, **kwargs):
        kwargs.setdefault('dtype', backend.full_precision_dtype())
        super(_Layer, self).__init__(**kwargs)
        self.supports_masking = True

    def weight(self, name, shape, initializer):
        return self.add_weight(name=name, shape=tuple(int(size) for size in shape), initializer=initializer,
                               dtype=backend.variable_dtype(self))


@backend.register
class EarlyConditionalNorm(_Layer):
    """Layer normalisation whose scale and shift may depend on a vector.

    Args:
        conditional: whether there is a second input, [B, C], from which two linear maps, 0 at first, give what is
            added to gamma and beta.
        hidden_units: int or None, the size of a dense layer before these two.
        hidden_activation: its activation, as Keras names it.
        hidden_initializer: that of its kernel.
        epsilon: float, inside the square root; 1e-14 by default, as then.
        center, scale: whether there are beta and gamma.

    Call: [..., D], or [[..., D], [B, C]] -> [..., D].
    """

    def __init__(self, conditional=False, hidden_units=None, hidden_activation='linear',
                 hidden_initializer='glorot_uniform', epsilon=1e-14, center=True, scale=True, **kwargs):
        super(EarlyConditionalNorm, self).__init__(**kwargs)
        self.conditional, self.hidden_units, self.epsilon = conditional, hidden_units, epsilon or 1e-14
        self.hidden_activation, self.hidden_initializer = hidden_activation, hidden_initializer
        self.center, self.scale = center, scale

    def build(self, input_shape):
        x, condition = input_shape if self.conditional else (input_shape, None)
        size = x[-1]
        self.beta = self.weight('beta', (size,), 'zeros') if self.center else None
        self.gamma = self.weight('gamma', (size,), 'ones') if self.scale else None
        if self.conditional:
            width = condition[-1]
            if self.hidden_units is not None:
                self.hidden_kernel = self.weight('hidden_kernel', (width, self.hidden_units), self.hidden_initializer)
                width = self.hidden_units
            self.beta_kernel = self.weight('beta_kernel', (width, size), 'zeros') if self.center else None
            self.gamma_kernel = self.weight('gamma_kernel', (width, size), 'zeros') if self.scale else None
        super(EarlyConditionalNorm, self).build(input_shape)

    def call(self, inputs):
        x, condition = inputs if self.conditional else (inputs, None)
        x = x - kops.mean(x, axis=-1, keepdims=True)
        x = x * kops.rsqrt(kops.mean(kops.square(x), axis=-1, keepdims=True) + self.epsilon)
        beta, gamma = self.beta, self.gamma
        if self.conditional:
            if self.hidden_units is not None:
                condition = keras.activations.get(self.hidden_activation)(kops.matmul(condition, self.hidden_kernel))
            shape = (-1,) + (1,) * (len(x.shape) - 2) + (int(x.shape[-1]),)
            if self.center:
                beta = beta + kops.reshape(kops.matmul(condition, self.beta_kernel), shape)
            if self.scale:
                gamma = gamma + kops.reshape(kops.matmul(condition, self.gamma_kernel), shape)
        x = x * gamma if self.scale else x
        return x + beta if self.center else x

    def compute_mask(self, inputs, mask=None):
        return mask[0] if self.conditional and isinstance(mask, (list, tuple)) else mask

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0] if self.conditional else input_shape)

    def get_config(self):
        config = super(EarlyConditionalNorm, self).get_config()
        config.update(conditional=self.conditional, hidden_units=self.hidden_units, epsilon=self.epsilon,
                      hidden_activation=self.hidden_activation, hidden_initializer=self.hidden_initializer,
                      center=self.center, scale=self.scale)
        return config


@backend.register
class EarlyLoss(_Layer):
    """A loss as a layer of the model: a subclass has `compute_loss(self, inputs, mask=None)`, which returns a scalar.

    Args:
        output_axis: which of the inputs is returned: an int, a list of them, or None for all.

    Call: list of tensors -> those of `output_axis`.
    """

    def __init__(self, output_axis=None, **kwargs):
        super(EarlyLoss, self).__init__(**kwargs)
        self.output_axis = output_axis

    def call(self, inputs, mask=None):
        backend.add_loss(self, self.compute_loss(inputs, mask), inputs)
        return self.chosen(inputs)

    def compute_loss(self, inputs, mask=None):
        raise NotImplementedError('a subclass of Loss returns the loss here, a scalar')

    def chosen(self, many):
        """Of a list for the inputs, what belongs to the outputs."""
        if self.output_axis is None:
            return many
        if isinstance(self.output_axis, (list, tuple)):
            return [many[place] for place in self.output_axis]
        return many[self.output_axis]

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else self.chosen(mask)

    def compute_output_shape(self, input_shape):
        return self.chosen(input_shape)

    def get_config(self):
        return dict(super(EarlyLoss, self).get_config(), output_axis=self.output_axis)


@backend.register
class EarlyGivenLoss(EarlyLoss):
    """The first of its inputs, a scalar, is the loss; the others are returned."""

    def compute_loss(self, inputs, mask=None):
        return inputs[0]


def add_loss(model, loss):
    """What `model.add_loss(loss)` is on Keras 2, for every Keras.

    Args:
        model: Keras model, not compiled yet.
        loss: symbolic tensor, a scalar, of the model's inputs.

    Returns:
        Keras model of the same inputs, outputs and layers, which has the loss: `compile(optimizer=...)` suffices. On
        Keras 2 it is `model` itself.
    """
    def by_a_layer():
        count = len(model.outputs)
        outputs = EarlyGivenLoss(list(range(1, count + 1)) if count > 1 else 1)([loss] + list(model.outputs))
        return keras.models.Model(model.inputs, outputs)
    return backend.with_loss(model, loss, by_a_layer)


@backend.register
class EarlyRandomField(_Layer):
    """A linear-chain conditional random field (https://dl.acm.org/doi/10.5555/645530.655813) on the scores of labels.

    `model.compile(loss=crf.sparse_loss, metrics=[crf.sparse_accuracy])`; the best labels are found by
    `snippets.ViterbiDecoder(K.eval(crf.trans))`.

    Args:
        lr_multiplier: float, how many times as fast the transitions learn.

    Call: scores [B, T, L] -> the same, where the Keras mask is not set -1e12.
    """

    def __init__(self, lr_multiplier=1, **kwargs):
        super(EarlyRandomField, self).__init__(**kwargs)
        self.lr_multiplier = lr_multiplier

    def build(self, input_shape):
        labels = int(input_shape[-1])
        # glorot_uniform, divided by the multiplier
        initial = keras.initializers.VarianceScaling(1.0 / self.lr_multiplier ** 2, 'fan_avg', 'uniform')
        self._trans = self.weight('trans', (labels, labels), initial)
        super(EarlyRandomField, self).build(input_shape)

    @property
    def trans(self):
        """The score of each label (row) being followed by each (column), [L, L]."""
        return self._trans * self.lr_multiplier if self.lr_multiplier != 1 else self._trans

    def call(self, inputs, mask=None):
        return backend.sequence_masking(inputs, mask, '-inf', 1)

    def compute_mask(self, inputs, mask=None):
        return None  # the scores say what is padding

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def parts(self, y_true, y_pred, is_sparse):
        """(labels one-hot [B, T, L], scores [B, T, L], mask [B, T]), 0 in padding."""
        length, labels = kops.shape(y_pred)[1], int(y_pred.shape[2])
        mask = kops.cast(kops.max(y_pred, axis=2) > _MASKED / 2, 'float32')  # [B, T]
        if is_sparse:
            ids = kops.cast(kops.reshape(y_true, (-1, length, 1)), 'int32')
            y_true = kops.equal(ids, kops.reshape(kops.arange(labels), (1, 1, labels)))
        weights = kops.expand_dims(mask, 2)
        return kops.cast(y_true, 'float32') * weights, kops.cast(y_pred, 'float32') * weights, mask

    def loss(self, y_true, y_pred, is_sparse):
        """- log p(labels), [B]."""
        truth, scores, mask = self.parts(y_true, y_pred, is_sparse)
        trans = kops.cast(self.trans * 1.0, 'float32')
        steps = kops.matmul(kops.reshape(truth[:, :-1], (-1, int(y_pred.shape[2]))), trans)
        steps = kops.reshape(steps, (-1, kops.shape(truth)[1] - 1, int(y_pred.shape[2])))
        target = kops.sum(truth * scores, axis=(1, 2)) + kops.sum(steps * truth[:, 1:], axis=(1, 2))
        return self.log_norm(scores, mask, trans) - target

    def log_norm(self, scores, mask, trans):
        """The logarithm of the sum over all sequences of labels of exp(their score), [B]."""
        labels = int(scores.shape[2])

        def step(before, inputs):
            score, is_token, number = inputs
            # before the first token there is no transition: all but one way in are impossible
            totals = kops.expand_dims(before, 2) + kops.expand_dims(trans, 0) * kops.cast(number > 0.5, 'float32')
            greatest = kops.max(totals, axis=1, keepdims=True)
            total = kops.log(kops.sum(kops.exp(totals - greatest), axis=1)) + greatest[:, 0] + score
            is_token = kops.expand_dims(is_token, 1)
            return is_token * total + (1.0 - is_token) * before
        first = kops.zeros_like(scores[:, 0]) + kops.reshape(
            kops.cast(kops.arange(labels) > 0, 'float32') * _MASKED, (1, labels))
        numbers = kops.cast(kops.arange(kops.shape(scores)[1]), 'float32')
        last = backend.fold(step, first, (kops.transpose(scores, (1, 0, 2)), kops.transpose(mask, (1, 0)), numbers))
        greatest = kops.max(last, axis=1, keepdims=True)
        return kops.log(kops.sum(kops.exp(last - greatest), axis=1)) + greatest[:, 0]

    def accuracy(self, y_true, y_pred, is_sparse):
        """The share of the tokens whose highest score is that of their label, a scalar; transitions left out."""
        truth, scores, mask = self.parts(y_true, y_pred, is_sparse)
        is_best = kops.cast(kops.equal(scores, kops.max(scores, axis=2, keepdims=True)), 'float32')
        return kops.sum(kops.sum(is_best * truth, axis=2) * mask) / kops.maximum(kops.sum(mask), 1.0)

    def sparse_loss(self, y_true, y_pred):
        """Labels as ids [B, T] or [B, T, 1], scores [B, T, L] -> [B]."""
        return self.loss(y_true, y_pred, True)

    def dense_loss(self, y_true, y_pred):
        """Labels one-hot [B, T, L], scores [B, T, L] -> [B]."""
        return self.loss(y_true, y_pred, False)

    def sparse_accuracy(self, y_true, y_pred):
        """See `accuracy`; labels as ids."""
        return self.accuracy(y_true, y_pred, True)

    def dense_accuracy(self, y_true, y_pred):
        """See `accuracy`; labels one-hot."""
        return self.accuracy(y_true, y_pred, False)

    def get_config(self):
        return dict(super(EarlyRandomField, self).get_config(), lr_multiplier=self.lr_multiplier)


ConditionalRandomField, LayerNormalization, Loss = EarlyRandomField, EarlyConditionalNorm, EarlyLoss
GlobalPointer = refused('GlobalPointer', 'build it of two BertDense and a loss, or tag with head="tokens"')
EfficientGlobalPointer = refused('EfficientGlobalPointer', 'build it of two BertDense and a loss, or tag with '
                                 'head="tokens"')
MaximumEntropyMarkovModel = refused('MaximumEntropyMarkovModel', 'use ConditionalRandomField')
FeedForward = refused('FeedForward', 'use BertFeedForward')
GatedAttentionUnit = refused('GatedAttentionUnit', 'override BertModel.transformer_block')
MultiHeadAttention = refused('MultiHeadAttention', 'use BertSelfAttention, or that of Keras')
PositionEmbedding = refused('PositionEmbedding', 'use BertPositionEmbedding')
SinusoidalPositionEmbedding = refused('SinusoidalPositionEmbedding', 'override BertModel.add_positions')
