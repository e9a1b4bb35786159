# -*- coding: utf-8 -*-
"""A language model, asked for one more token of many texts at a time: the `step` that `search` works with.

`CachedSteps` computes one token a step and keeps the keys and values of those before it, in two Keras models over
the layers of the model itself, whose weights are thus always the current ones: `Reading` takes the texts, once,
padded to the cache's width, and returns the keys and values of its blocks; `Stepping` takes one token of each
text, with the cache, and returns what the head makes of it, and the cache with the token in it. A token is kept in
the place of its position, so a row's padding is written over and never seen.

`WholeSteps` computes the whole texts again at each step: slow, but right for a model changed in whatever way.

Shapes: B batch, T tokens, D hidden, N heads, H head size, C places in the cache, V vocabulary.
"""
from __future__ import absolute_import, division, print_function

import logging

import numpy as np

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.batching import padded_length
from bert4keras.bert import BertModel
from bert4keras.layers import BertLayer, BertSelfAttention

__all__ = ['CachedSteps', 'WholeSteps', 'steps_of']

logger = logging.getLogger(__name__)


# ------------------------------------------------------------------ layers

class AddPositionsAt(BertLayer):
    """What a BertPositionEmbedding `of` adds at given positions: [x [B, T, E], positions int [B, T]] -> [B, T, E]."""

    full_precision = True

    def __init__(self, of, **kwargs):
        super(AddPositionsAt, self).__init__(**kwargs)
        self.of = of

    def call(self, inputs):
        x, positions = inputs
        table = kops.cast(self.of.table, x.dtype)
        return x + backend.gather(table, kops.cast(positions, 'int32'))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])


class KeepingAttention(BertLayer):
    """A BertSelfAttention `of` that also returns its keys and values.

    Call: [x [B, C, D], mask [B, C, C]] -> [y [B, C, D], keys, values [B, N, C, H]]. Or for one token of each row
    [x [B, 1, D], mask [B, 1, C], positions int [B, 1], rows int [B, 1], keys, values], which are those of the
    tokens before; `rows` says in which row of them.
    """

    def __init__(self, of, **kwargs):
        super(KeepingAttention, self).__init__(**kwargs)
        self.of = of

    def call(self, inputs):
        query, key, value, mask = self.of.queries_keys_values(inputs[0], inputs[1])
        if len(inputs) > 2:
            positions, rows, keys, values = inputs[2:]
            places = kops.arange(kops.shape(keys)[2])
            is_old = kops.not_equal(kops.expand_dims(places, 0), kops.cast(positions, places.dtype))  # [B, C]
            is_old = kops.expand_dims(kops.expand_dims(is_old, 1), 3)  # [B, 1, C, 1]
            rows = kops.reshape(kops.cast(rows, 'int32'), (-1,))
            key, value = [kops.where(is_old, kops.take(old, rows, axis=0), new)
                          for old, new in ((keys, key), (values, value))]  # [B, N, C, H]
        return [self.of.attend(query, key, value, mask)[0], key, value]

    def compute_output_shape(self, input_shape):
        x, mask = [tuple(shape) for shape in input_shape[:2]]
        kept = (x[0], self.of.num_attention_heads, mask[-1], x[-1] // self.of.num_attention_heads)
        return [x, kept, kept]


# ------------------------------------------------------------------ models

class Reading(BertModel):
    """[token ids, segment ids], int [B, C] -> keys and values [B, N, C, H] of each block, in turn."""

    def attention(self, x, mask, name, index):
        layer = self.layers[name]
        kept = self.layer(KeepingAttention, name + '-Keeping', of=layer, dtype=layer.get_config()['dtype'])(
            [x, mask] + self.kept_before(index))
        self.kept += kept[1:]
        return kept[0]

    def kept_before(self, index):
        """What block `index` needs of the tokens before."""
        return []

    def run(self, token_ids, segment_ids):
        self.kept = []
        return super(Reading, self).run(token_ids, segment_ids)

    def outputs(self, x, table):
        return self.kept


class Stepping(Reading):
    """[token ids, segment ids, positions, rows, each int [B, 1], mask [B, 1, C], keys and values of each block] ->
    [what the head returns [B, 1, V], keys and values]."""

    def inputs(self):
        ids = super(Stepping, self).inputs()
        attention = self.layers['Encoder-1-MultiHeadSelfAttention']
        size = self.config['hidden_size'] // self.config['num_attention_heads']
        self.positions, self.rows = [keras.layers.Input(shape=(None,), dtype='int32', name=self.prefix + name)
                                     for name in ('Positions', 'Rows')]
        self.mask = keras.layers.Input(shape=(1, None), dtype='bool', name=self.prefix + 'Mask')
        self.cache = [keras.layers.Input(shape=(self.config['num_attention_heads'], None, size),
                                         dtype=backend.compute_dtype(attention),
                                         name='%sKept-%d' % (self.prefix, number))
                      for number in range(2 * self.config['num_hidden_layers'])]
        return ids + [self.positions, self.rows, self.mask] + self.cache

    def add_positions(self, x):
        return self.layer(AddPositionsAt, 'Embedding-Position-At', of=self.layers['Embedding-Position'])(
            [x, self.positions])

    def attention_mask(self, token_ids, segment_ids):
        return self.mask

    def kept_before(self, index):
        return [self.positions, self.rows] + self.cache[2 * index:2 * index + 2]

    def outputs(self, x, table):
        return [BertModel.outputs(self, x, table)] + self.kept


# ------------------------------------------------------------------ steps

def steps_of(model, cache=None):
    """The `Steps` of a language model.

    Args:
        model: a BertModel, built, or its Keras model, of application 'lm' or 'seq2seq'; trained or not.
        cache: True, False, or None for True where it is possible.

    Raises:
        ValueError: an encoder; a model that takes or returns something else; or cache=True for one that was changed.
    """
    bert = model if isinstance(model, BertModel) else BertModel.from_keras_model(model, changed=True)
    if bert.model is None:
        raise ValueError('the model is not built yet: call build() first')
    if bert.application == 'encoder':
        raise ValueError("the model is an encoder, whose tokens see what follows them; build it with application='lm' "
                         "or 'seq2seq'")
    difference = 'cache=False' if cache is False else bert.first_difference()
    if not difference:
        return CachedSteps(bert)
    if cache:
        raise ValueError('keys and values can be kept of a plain BERT only, and this one was changed: %s. Leave cache '
                         'out: whole texts are then computed at each step' % difference)
    if cache is None:
        logger.warning('whole texts are computed at each step, which is slow: the model was changed (%s)', difference)
    return WholeSteps(bert)


class Steps(object):
    """Texts that grow, and the model that says how.

    Args:
        bert: BertModel, built, of application 'lm' or 'seq2seq'.
    """

    def __init__(self, bert):
        self.bert, self.is_linear = bert, bert.with_mlm == 'linear'
        self.positions, self.pad_token_id = bert.config['max_position_embeddings'], bert.pad_token_id()
        self.vocab_size = bert.config['vocab_size'] if bert.keep_words is None else len(bert.keep_words)

    def start(self, token_ids, segment_ids, lengths, copies, max_length):
        """Begins with texts.

        Args:
            token_ids, segment_ids: int arrays [B, T], padded at the end.
            lengths: the number of tokens of each.
            copies: int, how many rows each text is to have, next to each other.
            max_length: int, how many tokens are to come at the most.

        Returns:
            the `step` of B * copies rows, as `search` wants it.
        """
        width = padded_length(max(lengths) + max_length, self.positions)
        self.lengths, shape = np.array(lengths), (len(lengths), width)
        self.token_ids, self.segment_ids = np.full(shape, self.pad_token_id, 'int32'), np.zeros(shape, 'int32')
        longest = max(lengths)
        self.token_ids[:, :longest], self.segment_ids[:, :longest] = token_ids[:, :longest], segment_ids[:, :longest]
        self.read(copies)
        self.token_ids, self.segment_ids, self.lengths = [
            np.repeat(x, copies, axis=0) for x in (self.token_ids, self.segment_ids, self.lengths)]
        return self

    def __call__(self, parents, token_ids):
        """See `search`."""
        rows = np.arange(len(self.lengths))
        parents = rows if parents is None else parents
        self.token_ids, self.segment_ids, self.lengths = [
            x[parents] for x in (self.token_ids, self.segment_ids, self.lengths)]
        if token_ids is not None:
            last = self.segment_ids[rows, self.lengths - 1]
            self.token_ids[rows, self.lengths] = token_ids
            self.segment_ids[rows, self.lengths] = 1 if self.bert.application == 'seq2seq' else last
            self.lengths = self.lengths + 1
        return self.log_probabilities(self.compute(parents))

    def log_probabilities(self, outputs):
        """Log probabilities of what the head returns, [B, V]: logits or probabilities."""
        outputs = outputs.astype('float64')
        if self.is_linear:
            outputs = outputs - outputs.max(axis=-1, keepdims=True)
            return outputs - np.log(np.exp(outputs).sum(axis=-1, keepdims=True))
        with np.errstate(divide='ignore'):
            return np.log(outputs)

    def read(self, copies):
        """Prepares for texts that are new."""

    def compute(self, parents):
        """What the head returns at the last token of each row, [B, V]."""
        raise NotImplementedError


class WholeSteps(Steps):
    """Without a cache."""

    def __init__(self, bert):
        super(WholeSteps, self).__init__(bert)
        if len(bert.model.inputs) != 2:
            raise ValueError('the model takes %d inputs; generating needs one of token ids and segment ids alone'
                             % len(bert.model.inputs))
        words = [index for index, output in enumerate(bert.model.outputs)
                 if len(output.shape) == 3 and int(output.shape[-1]) == self.vocab_size]
        if not words:
            raise ValueError('the model does not return the probabilities of the %d words' % self.vocab_size)
        self.words = words[0]

    def compute(self, parents):
        rows, width = np.arange(len(self.lengths)), padded_length(self.lengths.max(), self.token_ids.shape[1])
        outputs = self.bert.model.predict_on_batch([self.token_ids[:, :width], self.segment_ids[:, :width]])
        if len(self.bert.model.outputs) > 1:
            outputs = outputs[self.words]
        return np.asarray(outputs)[rows, self.lengths - 1]  # of [B, T, V]


class CachedSteps(Steps):
    """With a cache, for a model that is plain: the one that its config says."""

    def __init__(self, bert):
        super(CachedSteps, self).__init__(bert)
        layers = bert.layers or {layer.name: layer for layer in bert.model.layers}
        self.reading, self.stepping = [cls(bert.config, with_mlm=bert.with_mlm, keep_words=bert.keep_words,
                                           application=bert.application, prefix=bert.prefix, shared=layers)
                                       for cls in (Reading, Stepping)]
        self.read_texts, self.take_step = [backend.compiled(part.build()) for part in (self.reading, self.stepping)]

    def read(self, copies):
        kept = self.read_texts([self.token_ids, self.segment_ids])
        self.cache = [np.repeat(np.asarray(part), copies, axis=0) for part in kept]

    def compute(self, parents):
        rows, last = np.arange(len(self.lengths)), self.lengths[:, None] - 1
        token_ids, segment_ids = [x[rows, self.lengths - 1][:, None] for x in (self.token_ids, self.segment_ids)]
        inputs = [token_ids, segment_ids, last.astype('int32'), np.asarray(parents, 'int32')[:, None],
                  self.visible(last)[:, None]]
        outputs = self.take_step(inputs + self.cache)
        self.cache = list(outputs[1:])
        return np.asarray(outputs[0])[:, 0]

    def visible(self, last):
        """Which places the last token of each row sees, [B, C]: the last row of `BertAttentionMask`."""
        visible = np.arange(self.token_ids.shape[1]) <= last
        if self.bert.application == 'seq2seq':
            from_target = np.take_along_axis(self.segment_ids, last, axis=1) != 0
            visible = (self.segment_ids == 0) | (from_target & visible)
        return visible & (self.token_ids != self.pad_token_id)
