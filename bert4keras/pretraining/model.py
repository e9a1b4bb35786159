# -*- coding: utf-8 -*-
"""The model that is trained: a BERT whose output is the loss of each target, and whether it was guessed.

The masked language model is computed at the masked positions only. Weights and chance are inputs: what a target
counts in the loss is decided where the whole batch is known, so that any accumulation and any number of devices gives
the gradient of the large batch; and dropout is a function of two numbers that come with a batch, so that it has no
state to save, and the same step is the same whenever it is made.

Shapes: B batch, T tokens, P masked positions, D hidden, C classes (V, the vocabulary, for words).
"""
from __future__ import absolute_import, division, print_function

import zlib

import numpy as np

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.bert import BertModel
from bert4keras.layers import BertLayer, BertSelfAttention, at_least_float32
from bert4keras.pretraining.seam import uniform
from bert4keras.pretraining.order import hashed
from bert4keras.release.variables import ArrayCheckpoint, Variables, expected_shapes, open_variables
from bert4keras.weights import warn_of_types

__all__ = ['BertOtherChance', 'BertPositions', 'BertSeededAttention', 'BertSeededDropout', 'BertTargets',
           'PretrainingBert', 'WeightedSum', 'initial_variables', 'pair_loss', 'word_accuracy']

HEAD_LAYERS = ('Pooler-Dense', 'NSP-Proba', 'MLM-Dense', 'MLM-Norm', 'MLM-Proba')


# ------------------------------------------------------------------ layers

@backend.register
class BertOtherChance(BertLayer):
    """Other random numbers for each place where they are used.

    Args:
        number: int from 0 on, of the place.

    Call: chance, int [B, 3] -> the same, the first number raised.
    """

    def __init__(self, number, **kwargs):
        super(BertOtherChance, self).__init__(**kwargs)
        self.number = number

    def call(self, chance):
        return kops.cast(chance, 'int32') + self.number * kops.cast(kops.equal(kops.arange(3), 0), 'int32')

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return dict(super(BertOtherChance, self).get_config(), number=self.number)


@backend.register
class BertSeededDropout(BertLayer):
    """Dropout (https://jmlr.org/papers/v15/srivastava14a.html) by random numbers that come with the batch.

    Args:
        rate: float in [0, 1).

    Call: [x [B, ...], chance int [B, 3]] -> like x; see `dropped`.
    """

    def __init__(self, rate, **kwargs):
        super(BertSeededDropout, self).__init__(**kwargs)
        self.rate = rate

    def call(self, inputs):
        return dropped(inputs[0], inputs[1], self.rate)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return dict(super(BertSeededDropout, self).get_config(), rate=self.rate)


def dropped(x, chance, rate):
    """x with a share of its numbers at 0 and the rest larger, so that the mean stays.

    Args:
        x: float tensor.
        chance: int [B, 3]; of its first row two numbers that say which, and 1, or 0 to drop none.
        rate: float in [0, 1).
    """
    rate = rate * kops.cast(chance[0, 2], 'float32')
    is_kept = uniform(kops.shape(x), chance[0, :2]) >= rate
    return kops.where(is_kept, x * kops.cast(1.0 / (1.0 - rate), x.dtype), 0.0)


@backend.register
class BertSeededAttention(BertSelfAttention):
    """Self-attention with such a dropout; it gets the chance as one more input."""

    def __init__(self, num_attention_heads, dropout_rate=0.0, **kwargs):
        super(BertSeededAttention, self).__init__(num_attention_heads, **kwargs)  # without Keras' own dropout
        self.dropout_rate = dropout_rate

    def is_plain(self, more, training):
        return not more

    def attention_probabilities(self, query, key, mask, *chance):
        probabilities = super(BertSeededAttention, self).attention_probabilities(query, key, mask)
        return dropped(probabilities, chance[0], self.dropout_rate) if chance else probabilities


@backend.register
class BertPositions(BertLayer):
    """The hidden states at some positions: [x [B, T, D], positions int [B, P]] -> [B, P, D]."""

    def call(self, inputs):
        x, positions = inputs
        order = kops.arange(kops.shape(x)[1])
        # a product, which any engine can split over devices, at 1 in 5,000 of a base model's work
        is_here = kops.equal(kops.expand_dims(kops.cast(positions, order.dtype), 2), order)  # [B, P, T]
        return kops.matmul(kops.cast(is_here, x.dtype), x)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[1]) + (input_shape[0][2],)


@backend.register
class BertTargets(BertLayer):
    """Logits and what is right -> the cross entropy, and 1 where the right one is the likeliest, or else 0.

    Call: [logits [B, P, C], ids int [B, P]] -> [B, P, 2], float32 or wider.
    """

    full_precision = True

    def call(self, inputs):
        scores = kops.log_softmax(at_least_float32(inputs[0]))
        classes = kops.arange(kops.shape(scores)[2])
        is_right = kops.equal(kops.expand_dims(kops.cast(inputs[1], classes.dtype), 2), classes)  # [B, P, C]
        found = kops.sum(kops.where(is_right, scores, 0.0), axis=-1)
        return kops.stack([-found, kops.cast(found >= kops.max(scores, axis=-1), found.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[1]) + (2,)


# ------------------------------------------------------------------ the loss

@backend.register
class WeightedSum(backend.CallableLoss):
    """The sum over a row of what `PretrainingBert` returns: weights [B, P, 1], results [B, P, 2] -> [B]."""

    def __init__(self):
        super(WeightedSum, self).__init__()
        self.__name__ = 'weighted_sum'

    def call(self, weights, results):
        return kops.sum(counted(weights, results, 0), axis=-1)

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def word_accuracy(weights, results):
    """The share of the masked words that was guessed, for `compile(metrics=...)`; without pairs."""
    return kops.sum(counted(weights, results, 1)[:, 1:], axis=-1)


def pair_loss(weights, results):
    """The part of the loss that is about pairs."""
    return counted(weights, results, 0)[:, 0]


def counted(weights, results, part):
    """A part of the results, by their weights: [B, P]."""
    return kops.cast(weights, results.dtype)[:, :, 0] * results[:, :, part]


# ------------------------------------------------------------------ the model

class PretrainingBert(BertModel):
    """A BERT, or an ALBERT, that returns what its loss is made of.

    Args:
        config: see `BertModel`.
        with_pairs: whether there are pairs of segments to judge: next sentence prediction, or the order.

    Inputs: token ids, segment ids int [B, T]; positions int [B, P]; ids int [B, 1 + P]: the label of the pair (of no
    meaning without pairs), then what stands at the positions; chance int [B, 3], see `dropped`.
    Output: [B, 1 + P, 2], see `BertTargets`; without pairs the first is 0.
    """

    layer_classes = {BertSelfAttention: BertSeededAttention}

    def __init__(self, config, with_pairs=False):
        super(PretrainingBert, self).__init__(config, with_mlm='linear', with_nsp='linear' if with_pairs else False)
        self.with_pairs, self.places = with_pairs, 0

    def inputs(self):
        ids = super(PretrainingBert, self).inputs()
        self.positions, self.target_ids = [keras.layers.Input(shape=(None,), dtype='int32', name=name)
                                           for name in ('Input-Positions', 'Input-Targets')]
        self.chance = keras.layers.Input(shape=(3,), dtype='int32', name='Input-Chance')
        return ids + [self.positions, self.target_ids, self.chance]

    def chance_here(self):
        """The chance of one more place."""
        self.places += 1
        return self.layer(BertOtherChance, 'Chance-%d' % self.places, number=self.places)(self.chance)

    def dropout(self, x, name, rate=None):
        rate = self.config['hidden_dropout_prob'] if rate is None else rate
        # of a name of its own where blocks are shared
        return self.layer(BertSeededDropout, '%s-%d' % (name, self.places), rate=rate)(
            [x, self.chance_here()]) if rate else x

    def attention_inputs(self, x, name, index):
        return [self.chance_here()] if self.config['attention_probs_dropout_prob'] else []

    def outputs(self, x, table):
        words = self.words(self.layer(BertPositions, 'MLM-Positions')([x, self.positions]), table)  # [B, P, V]
        parts = [self.layer(BertTargets, 'MLM-Targets')([words, self.layer(BertPart, 'MLM-Ids', start=1)(
            self.target_ids)])]
        pair = self.layer(BertPart, 'NSP-Ids', stop=1)(self.target_ids)  # [B, 1]
        if self.with_pairs:
            logits = self.layer(BertOnePosition, 'NSP-Position')(self.next_sentence(self.pooled(x)))  # [B, 1, 2]
            parts.insert(0, self.layer(BertTargets, 'NSP-Targets')([logits, pair]))
        else:
            parts.insert(0, self.layer(BertNothing, 'NSP-Targets')(pair))
        return self.layer(keras.layers.Concatenate, 'Targets', axis=1, dtype=backend.full_precision_dtype())(parts)

    def missing_layers(self, variables):
        names = self.variable_names()
        return frozenset(layer for layer in HEAD_LAYERS if layer in names
                         and not any(name.replace('.T', '') in variables for name in names[layer]))

    def start(self, seed, checkpoint=None):
        """Gives the built model its first weights: random ones, the same on every Keras, or those of a checkpoint.

        Args:
            seed: int from 0 on.
            checkpoint: path, see `release.checkpoint.open_checkpoint`, or None.

        Returns:
            list of the heads' layers that the checkpoint lacks, and that are random.

        Raises:
            CheckpointError: it lacks a variable of the model below its heads, or has it in another shape.
        """
        self.set_variables(Variables(ArrayCheckpoint('new', initial_variables(self.config, seed))))
        if checkpoint is None:
            return []
        variables = open_variables(checkpoint, self.config)
        warn_of_types(variables, self.set_variables(variables))
        return self.new_layers


@backend.register
class BertPart(BertLayer):
    """Some columns of ints: [B, N] -> [B, stop - start]."""

    def __init__(self, start=0, stop=None, **kwargs):
        super(BertPart, self).__init__(**kwargs)
        self.start, self.stop = start, stop

    def call(self, inputs):
        return kops.cast(inputs, 'int32')[:, self.start:self.stop]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], None if self.stop is None else self.stop - self.start)

    def get_config(self):
        return dict(super(BertPart, self).get_config(), start=self.start, stop=self.stop)


@backend.register
class BertOnePosition(BertLayer):
    """One more axis: [B, D] -> [B, 1, D]."""

    def call(self, inputs):
        return kops.expand_dims(inputs, 1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 1, input_shape[1])


@backend.register
class BertNothing(BertLayer):
    """What stands for targets that there are not: [B, P] -> zeros [B, P, 2]."""

    full_precision = True

    def call(self, inputs):
        zeros = kops.cast(inputs, backend.compute_dtype(self)) * 0.0
        return kops.stack([zeros, zeros], axis=-1)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape) + (2,)


def initial_variables(config, seed):
    """{Google's name: float32 array} of every variable, all heads included, as google-research/bert draws them.

    Kernels and tables are normal, of a standard deviation of the config's initializer_range, drawn again where they
    are beyond two of it; norms are 1 and 0, biases 0. Each is a function of the seed and its name.
    """
    variables = {}
    for _, name, shape in expected_shapes(config):
        name, shape = (name[:-2], shape[::-1]) if name.endswith('.T') else (name, shape)
        if name.endswith('gamma'):
            value = np.ones(shape)
        elif len(shape) == 1:
            value = np.zeros(shape)
        else:
            random = np.random.RandomState(hashed(seed, zlib.crc32(name.encode('ascii')) & 0xffffffff)
                                           .view('uint32'))
            value = random.standard_normal(shape)
            while (np.abs(value) > 2).any():
                value = np.where(np.abs(value) > 2, random.standard_normal(shape), value)
            value *= config['initializer_range']
        variables[name] = value.astype('float32')
    return variables
