# -*- coding: utf-8 -*-
"""A drop-in for keras-bert: `import bert4keras.keras_bert as keras_bert`, on every Keras.

Names, signatures, defaults, layers, inputs, orders of weights and outputs are those of keras-bert 0.89
(PyPI; facts read off it and its companions keras-transformer, keras-multi-head, ...). Everything is
built on `bert4keras.bert` and `bert4keras.layers`; what keras-bert does differently from them is here
and nowhere else: dropout before the first norm, epsilon 1e-14, GELU by tanh (its releases before 0.83
had erf: `gelu='erf'`), activations inside attention, Keras masks, a tokenizer of its own.

The encoder masks padding by the ids themselves. The Keras masks that its layers hand on are for what
users put on top, and for files that keras-bert saved, whose graphs have nothing else.

Shapes: B batch, T tokens, D hidden, E embedding, V vocabulary.
"""
from __future__ import absolute_import, division, print_function

import collections
import itertools
import os
import shutil
import sys

import numpy as np

from bert4keras import backend
from bert4keras.backend import keras
from bert4keras.bert import BertModel
from bert4keras.release.checkpoint import open_checkpoint
from bert4keras.release.families import read_config
from bert4keras.keras_bert.layers import (
    STRINGS, KerasBertAdd, KerasBertAttention, KerasBertDense, KerasBertEmbeddingSimilarity as EmbeddingSimilarity,
    KerasBertExtract as Extract, KerasBertFeedForward, KerasBertGeluDense, KerasBertMasked as Masked,
    KerasBertMaskedConv1D as MaskedConv1D, KerasBertMaskedGlobalMaxPool1D as MaskedGlobalMaxPool1D, KerasBertNorm,
    KerasBertPositionEmbedding, KerasBertSegmentEmbedding, KerasBertTaskEmbedding as TaskEmbedding,
    KerasBertTokenEmbedding as TokenEmbedding, gelu, gelu_erf, gelu_tanh, to_activation)
from bert4keras.keras_bert.tokenizer import TOKEN_CLS, TOKEN_MASK, TOKEN_PAD, TOKEN_SEP, TOKEN_UNK, Tokenizer
from bert4keras.layers import BertDense, BertFeedForward, BertLayerNorm, BertSelfAttention
from bert4keras.optimizers import AdamWarmup, calc_train_steps
from bert4keras.snippets import check_token_ids, padded_length
from bert4keras.tokenizer import load_vocab

__all__ = [
    'TOKEN_PAD', 'TOKEN_UNK', 'TOKEN_CLS', 'TOKEN_SEP', 'TOKEN_MASK', 'gelu', 'get_model', 'compile_model',
    'get_base_dict', 'gen_batch_inputs', 'get_token_embedding', 'get_custom_objects', 'set_custom_objects',
    'build_model_from_config', 'load_model_weights_from_checkpoint', 'load_trained_model_from_checkpoint',
    'load_vocabulary', 'Tokenizer', 'AdamWarmup', 'calc_train_steps', 'POOL_NSP', 'POOL_MAX', 'POOL_AVE',
    'get_checkpoint_paths', 'extract_embeddings_generator', 'extract_embeddings', 'PretrainedInfo',
    'PretrainedList', 'get_pretrained', 'get_inputs', 'get_embedding', 'TokenEmbedding', 'EmbeddingSimilarity',
    'Masked', 'Extract', 'TaskEmbedding', 'MaskedConv1D', 'MaskedGlobalMaxPool1D']

POOL_NSP, POOL_MAX, POOL_AVE = 'POOL_NSP', 'POOL_MAX', 'POOL_AVE'


# ------------------------------------------------------------------ the model

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
    return KerasBertPositionEmbedding(input_dim=pos_num, trainable=trainable, name='Embedding-Position')(x), table


class KerasBert(BertModel):
    """The BertModel whose graph, layers and names are keras-bert's.

    Args:
        config, with_nsp, with_mlm: see `BertModel`.
        seq_len: int, T, or None for any.
        task_num: int, or None for no task embedding.
        activation, attention_activation: functions or names, of the feed-forward and attention layers.
    """

    LAYERS = {BertSelfAttention: KerasBertAttention, BertFeedForward: KerasBertFeedForward,
              BertLayerNorm: KerasBertNorm, BertDense: KerasBertDense, keras.layers.Add: KerasBertAdd}
    NAMES = {'Pooler-Dense': 'NSP-Dense', 'NSP-Proba': 'NSP', 'MLM-Proba': 'MLM-Sim'}  # ours: keras-bert's

    def __init__(self, config, seq_len=None, task_num=None, activation='gelu', attention_activation=None, **kwargs):
        super(KerasBert, self).__init__(dict(config, hidden_act='linear'), **kwargs)
        self.activation, self.attention_activation = to_activation(activation), to_activation(attention_activation)
        self.seq_len, self.task_num = seq_len, task_num
        self.blocks = []

    def build(self):
        """Builds `self.model`, and `self.inputs` and `self.blocks`, the outputs of the blocks."""
        token_ids, segment_ids, masked = get_inputs(self.seq_len)
        self.inputs = [token_ids, segment_ids]
        x, table = self.embed(token_ids, segment_ids)
        for index in range(self.config['num_hidden_layers']):
            x = self.transformer_block(x, token_ids, index)
            self.blocks.append(x)
        outputs = self.put_out(x, table, masked) if self.with_mlm else x
        self.model = keras.models.Model(self.inputs + [masked] * self.with_mlm, outputs)
        return self.model

    def layer(self, cls, name, **arguments):
        """As `BertModel.layer`, with the class of keras-bert's layer."""
        if cls is BertSelfAttention:
            arguments['activation'] = self.attention_activation
        return super(KerasBert, self).layer(self.LAYERS.get(cls, cls), name, **arguments)

    def embed(self, token_ids, segment_ids):
        """Ids [B, T] -> (embeddings [B, T, D], the table [V, E]); dropout comes before the norm."""
        config = self.config
        x, table = get_embedding([token_ids, segment_ids], config['vocab_size'], config['max_position_embeddings'],
                                 config['hidden_size'])
        if self.task_num is not None:
            self.inputs.append(keras.layers.Input(shape=(1,), name='Input-Task'))
            x = TaskEmbedding(self.task_num, config['hidden_size'], name='Embedding-Task')([x, self.inputs[-1]])
        x = self.dropout(x, 'Embedding-Dropout')
        return self.layer(BertLayerNorm, 'Embedding-Norm')(x), table

    def put_out(self, x, table, masked):
        """keras-bert's two heads, from x [B, T, D]: MLM [B, T, V] and NSP [B, 2], probabilities."""
        y = self.layer(BertDense, 'MLM-Dense', units=self.config['hidden_size'], activation=self.activation)(x)
        y = self.layer(BertLayerNorm, 'MLM-Norm')(y)
        y = Masked(name='MLM')([EmbeddingSimilarity(name='MLM-Sim')([y, table]), masked])
        z = Extract(0, name='Extract')(x)
        z = self.layer(BertDense, 'NSP-Dense', units=self.config['hidden_size'], activation='tanh')(z)
        return [y, self.layer(BertDense, 'NSP', units=2, activation='softmax')(z)]

    def variable_names(self):
        """As `BertModel.variable_names`, by keras-bert's names of layers, without blocks that were cut off."""
        names = super(KerasBert, self).variable_names()
        there = None if self.model is None else {layer.name for layer in self.model.layers}
        return collections.OrderedDict(
            (self.NAMES.get(layer, layer), names[layer]) for layer in names
            if there is None or not layer.startswith('Encoder-') or layer in there)

    def _check_variable(self, variables, name, weight):
        rows, size = [int(size) for size in weight.shape] if name == POSITIONS else (0, 0)
        found = variables.shape(name) if rows and name in variables else (0, 0)
        if not (rows and rows == self.config['max_position_embeddings'] < found[0] and found[1:] == (size,)):
            super(KerasBert, self)._check_variable(variables, name, weight)

    def _keep(self, array, name):
        """The first positions, where `seq_len` asks for fewer than the checkpoint has."""
        array = super(KerasBert, self)._keep(array, name)
        return array[:self.config['max_position_embeddings']] if name == POSITIONS else array


POSITIONS = 'bert/embeddings/position_embeddings'


def get_model(token_num, pos_num=512, seq_len=512, embed_dim=768, transformer_num=12, head_num=12,
              feed_forward_dim=3072, dropout_rate=0.1, attention_activation=None, feed_forward_activation='gelu',
              training=True, trainable=None, output_layer_num=1, use_task_embed=False, task_num=10, gelu='tanh'):
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
    return bert.inputs, keras.layers.Concatenate(name='Encoder-Output')(outputs) if outputs[1:] else outputs[0]


def compile_model(model, weight_decay=0.01, decay_steps=100000, warmup_steps=10000, learning_rate=1e-4):
    """Compiles a model of `get_model` for pretraining: AdamWarmup, and cross-entropy for each output.

    Args:
        model: Keras model.
        weight_decay, decay_steps, warmup_steps, learning_rate: see `AdamWarmup`; tables and kernels decay.
    """
    model.compile(optimizer=AdamWarmup(decay_steps, warmup_steps, learning_rate=learning_rate,
                                       weight_decay=weight_decay, weight_decay_pattern=['embeddings', 'kernel']),
                  loss=[keras.losses.sparse_categorical_crossentropy for _ in model.outputs])


def build_model_from_config(config_file, training=False, trainable=None, output_layer_num=1, seq_len=int(1e9),
                            **kwargs):
    """Builds the BERT that a config describes, with random weights.

    Args:
        config_file: path, see `families.read_config`.
        training, trainable, output_layer_num: see `get_model`.
        seq_len: int, T and the number of positions, at most the config's; or None for any T.
        **kwargs: other arguments of `get_model`.

    Returns:
        (model, dict of the config, with its `max_position_embeddings` set to the positions there are).

    Raises:
        ConfigError: see `families.read_config`.
    """
    config = read_config(config_file)
    if seq_len is not None:
        seq_len = config['max_position_embeddings'] = min(seq_len, config['max_position_embeddings'])
    model = get_model(config['vocab_size'], config['max_position_embeddings'], seq_len, config['hidden_size'],
                      config['num_hidden_layers'], config['num_attention_heads'], config['intermediate_size'],
                      feed_forward_activation=config['hidden_act'], training=training, trainable=trainable,
                      output_layer_num=output_layer_num, **kwargs)
    return model if training else keras.models.Model(*model), config


def load_model_weights_from_checkpoint(model, config, checkpoint_file, training=False):
    """Loads official weights, exactly as `BertModel.load_weights_from_checkpoint`.

    Args:
        model: Keras model with keras-bert's layers, maybe others and maybe not all of its blocks.
        config: dict, as `build_model_from_config` returns it.
        checkpoint_file: path, see `checkpoint.open_checkpoint`.
        training: whether to load the two heads.

    Raises:
        CheckpointError: a variable is missing, has another shape or is damaged.
    """
    bert = KerasBert(config, with_nsp=bool(training), with_mlm=bool(training))
    bert.model = model
    bert.load_weights_from_checkpoint(checkpoint_file)


def load_trained_model_from_checkpoint(config_file, checkpoint_file, training=False, trainable=None,
                                       output_layer_num=1, seq_len=int(1e9), **kwargs):
    """Builds the BERT that a config describes and loads its official weights; returns the model.

    Args and Raises: see `build_model_from_config` and `load_model_weights_from_checkpoint`. As in
    keras-bert no layer is trainable unless `training` or `trainable` says so.
    """
    checkpoint = open_checkpoint(checkpoint_file)
    names = KerasBert(read_config(config_file), with_nsp=True, with_mlm=True).variable_names()
    with backend.skip_initialization(names):
        model, config = build_model_from_config(config_file, training, trainable, output_layer_num, seq_len, **kwargs)
    load_model_weights_from_checkpoint(model, config, checkpoint, training)
    return model


def get_token_embedding(model):
    """The table of token embeddings [V, E], a tensor of the model."""
    return model.get_layer('Embedding-Token').output[1]


def get_custom_objects(gelu='tanh'):
    """What `load_model` needs as `custom_objects` to open a file that keras-bert saved.

    Args:
        gelu: 'tanh', or 'erf' for files of keras-bert up to 0.82; beyond keras-bert.

    Returns:
        dict from keras-bert's names to our classes. It also has Add, because that of Keras 3 would drop
        the mask of the tokens, and Dense, which some Kerases cannot reload with a GELU of ours.
    """
    return {'gelu': {'tanh': gelu_tanh, 'erf': gelu_erf}[gelu], 'LayerNormalization': KerasBertNorm,
            'MultiHeadAttention': KerasBertAttention, 'FeedForward': KerasBertFeedForward,
            'PositionEmbedding': KerasBertPositionEmbedding, 'TokenEmbedding': TokenEmbedding,
            'EmbeddingRet': TokenEmbedding, 'EmbeddingSimilarity': EmbeddingSimilarity,
            'EmbeddingSim': EmbeddingSimilarity, 'TaskEmbedding': TaskEmbedding, 'Masked': Masked,
            'Extract': Extract, 'AdamWarmup': AdamWarmup, 'MaskedConv1D': MaskedConv1D,
            'MaskedGlobalMaxPool1D': MaskedGlobalMaxPool1D, 'Add': KerasBertAdd, 'Dense': KerasBertGeluDense}


def set_custom_objects():
    """Makes `get_custom_objects()` known to the whole process, as keras-bert up to 0.88 does."""
    keras.utils.get_custom_objects().update(get_custom_objects())


# ------------------------------------------------------------------ text

def load_vocabulary(vocab_path):
    """Reads a vocabulary file: dict from token to id; see `tokenizer.load_vocab`, also for what it raises."""
    return dict(load_vocab(vocab_path))


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


# ------------------------------------------------------------------ embeddings of texts

CheckpointPaths = collections.namedtuple('CheckpointPaths', ['config', 'checkpoint', 'vocab'])


def get_checkpoint_paths(model_path):
    """The paths (config, checkpoint, vocab) of a release of Google's in a directory."""
    return CheckpointPaths(*[os.path.join(model_path, name)
                             for name in ('bert_config.json', 'bert_model.ckpt', 'vocab.txt')])


def extract_embeddings(model, texts, poolings=None, vocabs=None, cased=False, batch_size=4, cut_embed=True,
                       output_layer_num=1):
    """Turns texts into vectors; see `extract_embeddings_generator`. Returns a list."""
    return list(extract_embeddings_generator(model, texts, poolings, vocabs, cased, batch_size, cut_embed,
                                             output_layer_num))


def extract_embeddings_generator(model, texts, poolings=None, vocabs=None, cased=False, batch_size=4,
                                 cut_embed=True, output_layer_num=1):
    """Turns texts into vectors, one after the other in the order of the texts.

    Texts of similar length are computed together, within 32 batches, and no wider than they need to be
    where the model takes any length; so a path is faster than a model with a fixed `seq_len`.

    Args:
        model: directory of a release, or a Keras model [token ids, segment ids] -> [B, T, D].
        texts: iterable of texts or of pairs of texts.
        poolings: None for a vector a token, or POOL_NSP (the first token's), POOL_MAX or POOL_AVE, or a
            list of them, whose results are concatenated.
        vocabs: mapping from token to id, for a model.
        cased: bool, see `Tokenizer`.
        batch_size: int; as many tokens at a time as in a batch of so many texts.
        cut_embed: whether a vector a token ends with the text's last token; else with the longest
            text's of its batch, or at the fixed length.
        output_layer_num: see `get_model`, for a directory.

    Yields:
        float array [tokens, D], or with poolings [D * number of them].

    Raises:
        ValueError: an unknown pooling, a text of more tokens than the model has positions, or of token ids
            that it lacks.
    """
    if isinstance(model, STRINGS):
        paths = get_checkpoint_paths(model)
        model = load_trained_model_from_checkpoint(paths.config, paths.checkpoint, seq_len=None,
                                                   output_layer_num=output_layer_num)
        vocabs = load_vocabulary(paths.vocab)
        positions = seq_len = model.get_layer('Embedding-Position').max_position_embeddings
        fixed = False
    else:
        seq_len = model.output_shape[1]
        fixed = seq_len is not None
        positions = seq_len or layer_size(model, 'Embedding-Position', 'max_position_embeddings')
    vocab_size = layer_size(model, 'Embedding-Token', 'vocab_size')
    poolings = [poolings] if isinstance(poolings, STRINGS) else poolings
    for pooling in poolings or ():
        if pooling not in _POOLINGS:
            raise ValueError('Unknown pooling method: %s; known are %s' % (pooling, ', '.join(sorted(_POOLINGS))))
    encode, texts, seen = Tokenizer(vocabs, cased=cased).encode, iter(texts), 0
    while True:
        window = [encode(text, max_len=seq_len) if isinstance(text, STRINGS) else
                  encode(text[0], text[1], max_len=seq_len) for text in itertools.islice(texts, 32 * batch_size)]
        if not window:
            return
        for index, (token_ids, _) in enumerate(window, start=seen):
            check_token_ids(index, token_ids, positions, vocab_size)
        seen += len(window)
        rows = []
        for first in range(0, len(window), batch_size):
            batch = window[first:first + batch_size]
            width = max(len(token_ids) for token_ids, _ in batch)
            for token_ids, segment_ids in batch:
                length = max([0] + [at + 1 for at, number in enumerate(token_ids) if number != 0])
                wanted = length if cut_embed or poolings is not None else width
                rows.append((token_ids[:length], segment_ids[:length], wanted))
        for embedding in _embed_window(model, rows, poolings, batch_size, positions, seq_len if fixed else None):
            yield embedding


def layer_size(model, name, size):
    """A size that the model's layer `name` knows; None if it has no such layer, or the layer no such size."""
    return next((getattr(layer, size, None) for layer in model.layers if layer.name == name), None)


def _embed_window(model, rows, poolings, batch_size, positions, fixed):
    """Yields the embeddings of (token ids, segment ids, tokens wanted), computed by length, in order."""
    order = sorted(range(len(rows)), key=lambda index: -rows[index][2])
    results, start = {}, 0
    while start < len(rows):
        longest = max(1, rows[order[start]][2])
        width = fixed or padded_length(longest, max(longest, positions or longest))
        size = min(len(rows), max(batch_size, min(64, batch_size * (positions or longest) // width)))
        token_ids, segment_ids = np.zeros((2, batch_size if fixed else size, width), 'int32')  # [B, T] each
        batch = order[start:start + len(token_ids)]
        for row, index in enumerate(batch):
            length = len(rows[index][0])
            token_ids[row, :length], segment_ids[row, :length] = rows[index][:2]
        hidden = np.asarray(model.predict_on_batch([token_ids, segment_ids]))  # [B, T, D]
        for row, index in enumerate(batch):
            results[index] = hidden[row, :rows[index][2]]
            if poolings is not None:
                seen = hidden[row][token_ids[row] != 0]
                results[index] = np.concatenate([_POOLINGS[pooling](hidden[row], seen) for pooling in poolings])
        start += len(batch)
    for index in range(len(rows)):
        yield results[index]


# from the hidden states [T, D] of a text, and of its tokens
_POOLINGS = {POOL_NSP: lambda hidden, seen: hidden[0], POOL_MAX: lambda hidden, seen: seen.max(axis=0),
             POOL_AVE: lambda hidden, seen: seen.mean(axis=0)}


# ------------------------------------------------------------------ downloads

PretrainedInfo = collections.namedtuple('PretrainedInfo', ['url', 'extract_name', 'target_name'])
_GOOGLE = 'https://storage.googleapis.com/bert_models/'


class PretrainedList(object):
    """Where the releases are that keras-bert knows."""

    __test__ = PretrainedInfo('https://github.com/CyberZHG/keras-bert/archive/master.zip', 'keras-bert-master',
                              'keras-bert')
    multi_cased_base = _GOOGLE + '2018_11_23/multi_cased_L-12_H-768_A-12.zip'
    chinese_base = _GOOGLE + '2018_11_03/chinese_L-12_H-768_A-12.zip'
    wwm_uncased_large = _GOOGLE + '2019_05_30/wwm_uncased_L-24_H-1024_A-16.zip'
    wwm_cased_large = _GOOGLE + '2019_05_30/wwm_cased_L-24_H-1024_A-16.zip'
    chinese_wwm_base = PretrainedInfo(
        'https://storage.googleapis.com/hfl-rc/chinese-bert/chinese_wwm_L-12_H-768_A-12.zip', 'publish',
        'chinese_wwm_L-12_H-768_A-12')


def get_pretrained(info):
    """Downloads and unpacks a release into Keras' directory of data sets, unless it is there.

    Args:
        info: URL of an archive, or PretrainedInfo(url, the directory in it, the name it is to get).

    Returns:
        path of the unpacked directory.
    """
    url = info.url if isinstance(info, PretrainedInfo) else info
    name = url.rsplit('/', 1)[-1]
    path = keras.utils.get_file(name, origin=url, extract=True)
    directory = path if os.path.isdir(path) else os.path.dirname(path)  # Keras 3 unpacks into one of its own
    if not isinstance(info, PretrainedInfo):
        return os.path.join(directory, name.split('.')[0])
    target = os.path.join(directory, info.target_name)
    if not os.path.exists(target):
        shutil.move(os.path.join(directory, info.extract_name), target)
    return target


# keras-bert's modules: `keras_bert.layers.Extract` goes on working
layers = datasets = loader = optimizers = sys.modules[__name__]
