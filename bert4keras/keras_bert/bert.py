# -*- coding: utf-8 -*-
"""The models of the drop-in for keras-bert, with random weights.

Shapes: B batch, T tokens, D hidden, E embedding, V vocabulary.
"""
from __future__ import absolute_import, division, print_function

import collections

import numpy as np

from bert4keras import graph
from bert4keras.backend import keras
from bert4keras.bert import BertModel
from bert4keras.compat import STRINGS
from bert4keras.keras_bert.layers import (
    EmbeddingSimilarity, Extract, KerasBertAdd, KerasBertAttention, KerasBertDense, KerasBertFeedForward,
    KerasBertGeluDense, KerasBertNorm, KerasBertPositionEmbedding, KerasBertSegmentEmbedding, LayerNormalization,
    Masked, MaskedConv1D, MaskedGlobalMaxPool1D, PositionEmbedding, TaskEmbedding, TokenEmbedding, gelu, gelu_erf,
    gelu_tanh, get_embedding, get_inputs, to_activation)
from bert4keras.keras_bert.layers.trig_pos_embd import TrigPosEmbedding
from bert4keras.keras_bert.optimizers import AdamWarmup
from bert4keras.keras_bert.tokenizer import TOKEN_CLS, TOKEN_MASK, TOKEN_PAD, TOKEN_SEP, TOKEN_UNK
from bert4keras.layers import BertDense, BertFeedForward, BertLayerNorm, BertSelfAttention

__all__ = ['TOKEN_PAD', 'TOKEN_UNK', 'TOKEN_CLS', 'TOKEN_SEP', 'TOKEN_MASK', 'gelu', 'get_model', 'compile_model',
           'get_base_dict', 'gen_batch_inputs', 'get_embedding', 'get_encoders', 'get_token_embedding',
           'get_custom_objects', 'set_custom_objects', 'LayerNormalization', 'PositionEmbedding']


class KerasBert(BertModel):
    """The BertModel whose graph, layers and names are keras-bert's.

    Args:
        config, with_nsp, with_mlm: see `BertModel`.
        seq_len: int, T, or None for any.
        task_num: int, or None for no task embedding.
        activation, attention_activation: functions or names, of the feed-forward and attention layers.
    """

    layer_classes = {BertSelfAttention: KerasBertAttention, BertFeedForward: KerasBertFeedForward,
                     BertLayerNorm: KerasBertNorm, BertDense: KerasBertDense, keras.layers.Add: KerasBertAdd}
    NAMES = {'Pooler-Dense': 'NSP-Dense', 'NSP-Proba': 'NSP', 'MLM-Proba': 'MLM-Sim'}  # ours: keras-bert's

    def __init__(self, config, seq_len=None, task_num=None, activation='gelu', attention_activation=None, **kwargs):
        super(KerasBert, self).__init__(dict(config, hidden_act='linear'), **kwargs)
        self.activation, self.attention_activation = to_activation(activation), to_activation(attention_activation)
        self.seq_len, self.task_num = seq_len, task_num
        self.blocks = []

    def build(self):
        """Builds `self.model`, and `self.given` and `self.blocks`, the tensors of its inputs and of its blocks."""
        token_ids, segment_ids, self.masked = get_inputs(self.seq_len)
        self.given = [token_ids, segment_ids]
        outputs = self.run(token_ids, segment_ids)
        self.model = keras.models.Model(self.given + [self.masked] * bool(self.with_mlm), outputs)
        return self.model

    def layer(self, cls, name, **arguments):
        """As `BertModel.layer`, with the arguments of keras-bert's layer."""
        if cls is BertSelfAttention:
            arguments.update(activation=self.attention_activation, use_bias=True, history_only=False)
        if cls is BertLayerNorm:
            arguments['epsilon'] = None  # keras-bert's, whatever the config says
        return super(KerasBert, self).layer(cls, name, **arguments)

    def embed(self, token_ids, segment_ids):
        """Ids [B, T] -> (embeddings [B, T, D], the table [V, E]); dropout comes before the norm."""
        config = self.config
        x, table = self.layer(TokenEmbedding, 'Embedding-Token', vocab_size=config['vocab_size'],
                              embedding_size=config['hidden_size'], mask_zero=True)(token_ids)
        segments = self.layer(KerasBertSegmentEmbedding, 'Embedding-Segment', type_vocab_size=2,
                              embedding_size=config['hidden_size'])(segment_ids)
        x = self.add(x, segments, 'Embedding-Token-Segment')
        x = self.layer(KerasBertPositionEmbedding, 'Embedding-Position',
                       max_position_embeddings=config['max_position_embeddings'])(x)
        if self.task_num is not None:
            self.given.append(keras.layers.Input(shape=(1,), name='Input-Task'))
            x = TaskEmbedding(self.task_num, config['hidden_size'], name='Embedding-Task')([x, self.given[-1]])
        x = self.dropout(x, 'Embedding-Dropout')
        return self.layer(BertLayerNorm, 'Embedding-Norm')(x), table

    def attention_mask(self, token_ids, segment_ids):
        """The token ids: keras-bert's attention layers take them, of which 0 is padding."""
        return token_ids

    def attention(self, x, mask, name, index):
        if mask is not None:
            return super(KerasBert, self).attention(x, mask, name, index)
        return self.layer(BertSelfAttention, name, num_attention_heads=self.config['num_attention_heads'],
                          dropout_rate=0.0)(x)

    def after_block(self, x, index):
        self.blocks.append(x)
        return x

    def outputs(self, x, table):
        """keras-bert's two heads, from x [B, T, D]: MLM [B, T, V] and NSP [B, 2], probabilities; or x itself."""
        if not self.with_mlm:
            return x
        y = self.layer(BertDense, 'MLM-Dense', units=self.config['hidden_size'], activation=self.activation)(x)
        y = self.layer(BertLayerNorm, 'MLM-Norm')(y)
        y = Masked(name='MLM')([EmbeddingSimilarity(name='MLM-Sim')([y, table]), self.masked])
        z = Extract(0, name='Extract')(x)
        z = self.layer(BertDense, 'NSP-Dense', units=self.config['hidden_size'], activation='tanh')(z)
        return [y, self.layer(BertDense, 'NSP', units=2, activation='softmax')(z)]

    def variable_names(self):
        """As `BertModel.variable_names`, by keras-bert's names of layers, without the blocks that the model lacks."""
        names = super(KerasBert, self).variable_names()
        there = None if self.model is None else {layer.name for layer in self.model.layers}
        return collections.OrderedDict(
            (self.NAMES.get(layer, layer), names[layer]) for layer in names
            if there is None or not layer.startswith('Encoder-') or layer in there)

    def first_difference(self):
        """As `BertModel.first_difference`: below the heads, and without task embeddings, which no BERT has.

        Dropout and the number of positions may be other than the config's, as keras-bert builds them, and GELU
        either of the two. Models of files that keras-bert itself saved are taken for what they are.
        """
        layers = {layer.name: layer for layer in self.model.layers}
        positions = getattr(layers.get('Embedding-Position'), 'max_position_embeddings', 0)
        config = dict(self.config, hidden_dropout_prob=0.1 * ('Embedding-Dropout' in layers),
                      max_position_embeddings=positions or self.config['max_position_embeddings'])
        gelus, activation = ('gelu_tanh', 'gelu_erf'), self.activation
        found = getattr(layers.get('Encoder-1-FeedForward'), 'activation', None)
        if activation in gelus and found in gelus:
            activation = found
        plain = _AsSaved if type(layers.get('Embedding-Segment')) is keras.layers.Embedding else KerasBert
        return graph.first_difference(self.model, plain(config, activation=activation))

    def _check_variable(self, variables, name, shape):
        rows, size = [int(size) for size in shape] if name == POSITIONS else (0, 0)
        found = variables.shape(name) if rows and name in variables else (0, 0)
        if not (rows and rows == self.config['max_position_embeddings'] < found[0] and found[1:] == (size,)):
            super(KerasBert, self)._check_variable(variables, name, shape)

    def _keep(self, array, name):
        """The first positions, where `seq_len` asks for fewer than the checkpoint has."""
        array = super(KerasBert, self)._keep(array, name)
        return array[:self.config['max_position_embeddings']] if name == POSITIONS else array


class _AsSaved(KerasBert):
    """The graph of keras-bert's own files: Keras masks alone say what is padding, segments have Keras' Embedding."""

    def layer(self, cls, name, **arguments):
        if cls is KerasBertSegmentEmbedding:
            cls, arguments = keras.layers.Embedding, {'input_dim': arguments['type_vocab_size'],
                                                      'output_dim': arguments['embedding_size']}
        return super(_AsSaved, self).layer(cls, name, **arguments)

    def attention_mask(self, token_ids, segment_ids):
        return None


POSITIONS = 'bert/embeddings/position_embeddings'


def get_model(token_num, pos_num=512, seq_len=512, embed_dim=768, transformer_num=12, head_num=12,
              feed_forward_dim=3072, dropout_rate=0.1, attention_activation=None, feed_forward_activation='gelu',
              training=True, trainable=None, output_layer_num=1, use_task_embed=False, task_num=10, gelu='tanh',
              loading=()):
    """Builds a BERT with random weights.

    Args:
        token_num, pos_num, embed_dim, transformer_num, head_num, feed_forward_dim: int, its sizes.
        seq_len: int, T, or None for any.
        dropout_rate: float in [0, 1).
        attention_activation, feed_forward_activation: names or functions, or None for none.
        training: whether to build the two heads.
        trainable: bool, or a list of prefixes of the layers' names; None means `training`.
        output_layer_num: without heads, how many of the last blocks' outputs to concatenate, or a list of
            their indices, from 0; a list is concatenated from its end.
        use_task_embed, task_num: whether there is a third input, Input-Task [B, 1], and its range.
        gelu: 'tanh' or 'erf', what an activation 'gelu' is; beyond keras-bert.
        loading: names of layers for which a checkpoint is about to be loaded, so that nothing random is drawn
            for them; beyond keras-bert.

    Returns:
        with heads, the model of Input-Token, Input-Segment (, Input-Task) and Input-Masked to MLM [B, T, V]
        and NSP [B, 2]; without, the list of input tensors and the output tensor [B, T, D * blocks].
    """
    config = {'vocab_size': token_num, 'hidden_size': embed_dim, 'num_hidden_layers': transformer_num,
              'num_attention_heads': head_num, 'intermediate_size': feed_forward_dim, 'type_vocab_size': 2,
              'max_position_embeddings': pos_num, 'hidden_dropout_prob': dropout_rate,
              'attention_probs_dropout_prob': 0.0}
    activation, attention_activation = ['gelu_' + gelu if isinstance(given, STRINGS) and given == 'gelu' else given
                                        for given in (feed_forward_activation, attention_activation)]
    bert = KerasBert(config, seq_len, task_num if use_task_embed else None, activation, attention_activation,
                     with_nsp=bool(training), with_mlm=bool(training))
    bert.loading = frozenset(loading)
    model = bert.build()
    trainable = training if trainable is None else trainable
    for layer in model.layers:
        layer.trainable = (any(layer.name.startswith(prefix) for prefix in trainable)
                           if isinstance(trainable, (list, tuple, set)) else bool(trainable))
    if training:
        return model
    if isinstance(output_layer_num, int):
        output_layer_num = range(-1, -1 - min(output_layer_num, transformer_num), -1)
    outputs = [bert.blocks[index] for index in output_layer_num][::-1]
    return bert.given, keras.layers.Concatenate(name='Encoder-Output')(outputs) if outputs[1:] else outputs[0]


def get_encoders(encoder_num, input_layer, head_num, hidden_dim, attention_activation=None,
                 feed_forward_activation=gelu, dropout_rate=0.0, trainable=True):
    """Blocks of a BERT on a tensor, whose Keras mask says what is padding.

    Args:
        encoder_num: int, number of blocks.
        input_layer: tensor [B, T, D].
        head_num, hidden_dim: int, of each block's attention and feed-forward layer.
        attention_activation, feed_forward_activation, dropout_rate: see `get_model`.
        trainable: bool, of the layers.

    Returns:
        tensor [B, T, D].
    """
    config = {'vocab_size': 1, 'hidden_size': int(input_layer.shape[-1]), 'num_hidden_layers': encoder_num,
              'num_attention_heads': head_num, 'intermediate_size': hidden_dim, 'max_position_embeddings': 1,
              'type_vocab_size': 1, 'hidden_dropout_prob': dropout_rate, 'attention_probs_dropout_prob': 0.0}
    bert = KerasBert(config, activation=feed_forward_activation, attention_activation=attention_activation)
    x = input_layer
    for index in range(encoder_num):
        x = bert.transformer_block(x, None, index)
    for layer in bert.layers.values():
        layer.trainable = trainable
    return x


def compile_model(model, weight_decay=0.01, decay_steps=100000, warmup_steps=10000, learning_rate=1e-4):
    """Compiles a model of `get_model` for pretraining: AdamWarmup, and cross-entropy for each output.

    Args:
        model: Keras model.
        weight_decay, decay_steps, warmup_steps, learning_rate: see `AdamWarmup`; tables and kernels decay.
    """
    kernels = ['embeddings', 'kernel', 'W1', 'W2', 'Wk', 'Wq', 'Wv', 'Wo']
    model.compile(optimizer=AdamWarmup(decay_steps, warmup_steps, learning_rate=learning_rate,
                                       weight_decay=weight_decay, weight_decay_pattern=kernels),
                  loss=[keras.losses.sparse_categorical_crossentropy for _ in model.outputs])


def get_token_embedding(model):
    """The table of token embeddings [V, E], a tensor of the model."""
    return model.get_layer('Embedding-Token').output[1]


def get_custom_objects(gelu='tanh'):
    """What `load_model` needs as `custom_objects` to open a file that keras-bert saved.

    Args:
        gelu: 'tanh', or 'erf' for files of keras-bert up to 0.82; beyond keras-bert.

    Returns:
        dict from keras-bert's names to our classes. It also has Add, because that of Keras 3 would drop
        the mask of the tokens, and Dense, which some Keras versions cannot reload with a GELU of ours.
    """
    return {'gelu': {'tanh': gelu_tanh, 'erf': gelu_erf}[gelu], 'LayerNormalization': KerasBertNorm,
            'MultiHeadAttention': KerasBertAttention, 'FeedForward': KerasBertFeedForward,
            'PositionEmbedding': KerasBertPositionEmbedding, 'TrigPosEmbedding': TrigPosEmbedding,
            'TokenEmbedding': TokenEmbedding,
            'EmbeddingRet': TokenEmbedding, 'EmbeddingSimilarity': EmbeddingSimilarity,
            'EmbeddingSim': EmbeddingSimilarity, 'TaskEmbedding': TaskEmbedding, 'Masked': Masked,
            'Extract': Extract, 'AdamWarmup': AdamWarmup, 'MaskedConv1D': MaskedConv1D,
            'MaskedGlobalMaxPool1D': MaskedGlobalMaxPool1D, 'Add': KerasBertAdd, 'Dense': KerasBertGeluDense}


get_encoder_custom_objects = get_custom_objects  # keras-transformer's, which know fewer


def set_custom_objects():
    """Makes `get_custom_objects()` known to the whole process, as keras-bert up to 0.88 does."""
    keras.utils.get_custom_objects().update(get_custom_objects())


def get_base_dict():
    """The special tokens of keras-bert's own vocabularies, with their ids."""
    return {token: number for number, token in enumerate([TOKEN_PAD, TOKEN_UNK, TOKEN_CLS, TOKEN_SEP, TOKEN_MASK])}


def gen_batch_inputs(sentence_pairs, token_dict, token_list, seq_len=512, mask_rate=0.15, mask_mask_rate=0.8,
                     mask_random_rate=0.1, swap_sentence_rate=0.5, force_mask=True):
    """A batch for pretraining: masked words, and second sentences some of which are exchanged.

    Random numbers are drawn from `numpy.random` in keras-bert's order: the same seed, the same batch.

    Args:
        sentence_pairs: list of pairs of lists of tokens.
        token_dict: mapping from token to id.
        token_list: list of tokens to draw random words from.
        seq_len: int, T.
        mask_rate: float, share of the tokens to predict; of those
        mask_mask_rate, mask_random_rate: become [MASK], or a random word; the rest stays.
        swap_sentence_rate: float, share of the pairs that take part in the exchange.
        force_mask: whether a row without a token to predict predicts its second one.

    Returns:
        ([token ids, segment ids, masked], [labels, exchanged]), int arrays [B, T], the labels [B, T, 1]
        and [B, 1].
    """
    draw, unknown, special = np.random.random, token_dict[TOKEN_UNK], get_base_dict()
    partners, exchanged = list(range(len(sentence_pairs))), np.zeros((len(sentence_pairs), 1))
    if swap_sentence_rate > 0.0:
        chosen = [index for index in partners if draw() < swap_sentence_rate]
        shuffled = list(chosen)
        np.random.shuffle(shuffled)
        for index, other in zip(chosen, shuffled):
            partners[index], exchanged[index] = other, index != other
    rows = []
    for index, (first, _) in enumerate(sentence_pairs):
        tokens = [TOKEN_CLS] + first + [TOKEN_SEP] + sentence_pairs[partners[index]][1] + [TOKEN_SEP]
        tokens = (tokens + [TOKEN_PAD] * seq_len)[:seq_len]
        labels = [token_dict.get(token, unknown) for token in tokens]
        segments = ([0] * (len(first) + 2) + [1] * seq_len)[:seq_len]
        inputs, masked = list(labels), [0] * len(tokens)
        for position, token in enumerate(tokens):
            if token in special or draw() >= mask_rate:
                continue
            masked[position], kind = 1, draw()
            if kind < mask_mask_rate:
                inputs[position] = token_dict[TOKEN_MASK]
            elif kind < mask_mask_rate + mask_random_rate:
                word = TOKEN_PAD
                while word in special:
                    word = token_list[np.random.randint(0, len(token_list))]
                inputs[position] = token_dict[word]
        if force_mask and not any(masked):
            masked[1] = 1
        rows.append((inputs, segments, masked, labels))
    token_ids, segment_ids, masked, labels = [np.asarray(column) for column in zip(*rows)]
    return [token_ids, segment_ids, masked], [labels[..., None], exchanged]
