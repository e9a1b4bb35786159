# -*- coding: utf-8 -*-
"""The model, whole, in one module: BERT, ALBERT and XLM-R, their variants, and the hooks to change them by.

Read `BertModel` top to bottom; to change its inside, subclass it, override one or more of these, and it
still loads official weights:

    inputs()                                    the Inputs; the first two are the ids
    run(token_ids, segment_ids)                 from the ids to the outputs, without Input and Model
    embed(token_ids, segment_ids)               ids to embeddings
    add_positions(x, token_ids)                 adds those of the positions; RoBERTa alone gives it token_ids
    more_embeddings(x)                          what to add to them, before their norm
    attention_mask(token_ids, segment_ids)      which position sees which
    transformer_block(x, mask, index)           the inside of block `index`
    half(x, name, index, function)              one half of a block: norm(x + function(x))
    attention(x, mask, name, index)             the first half's function
    attention_inputs(x, name, index)            what a BertSelfAttention of yours needs more than x and mask
    feed_forward(x, name, index)                the second half's function
    add_and_norm(x, y, name)                    what follows each function: norm(x + dropout(y))
    after_block(x, index)                       what happens after each block
    outputs(x, table)                           the heads, which are in heads.py
    variable_names()                            which layer holds which variable of the checkpoint

`layer_classes = {BertSelfAttention: Mine}` swaps a class of layers.py wherever it is used. The layers'
names are those of keras-bert where it has them.

An ALBERT is the same model with one block, applied again and again: its layers are called Encoder-1-...
whatever the index. What else it has of its own is in `embed`. How weights get in and out is weights.py.

Shapes: B batch, T tokens, D hidden, E embedding, N heads, V vocabulary.
"""
from __future__ import absolute_import, division, print_function

import collections
import os

from bert4keras import backend, graph
from bert4keras.backend import keras, set_gelu  # noqa: F401 (scripts of 2019 import it from here)
from bert4keras.early.model import EarlyModel, EarlyNames, is_albert
from bert4keras.errors import ConfigError
from bert4keras.heads import Heads
from bert4keras.layers import (
    BertAttentionMask, BertCountedPositionEmbedding, BertDense, BertFeedForward, BertLayer, BertLayerNorm,
    BertPositionEmbedding, BertSegmentEmbedding, BertSelfAttention, BertSequenceMask, BertTokenEmbedding)
from bert4keras.release.config import activation_name, read_config
from bert4keras.release.directory import find_release
from bert4keras.release.families import family_of
from bert4keras.weights import OfficialWeights, check_keep_words

__all__ = ['APPLICATIONS', 'Bert4LM', 'Bert4Seq2seq', 'BertModel', 'EarlyBert', 'build_bert_model',
           'load_pretrained_model']


class BertModel(Heads, OfficialWeights, EarlyNames):
    """BERT, or the ALBERT that the config is of, as a Keras model of token ids and segment ids.

    Args:
        config: path of the config file, or a mapping with its fields, see `release.config.read_config`;
            or the directory of a release, whose weights `build` loads.
        with_pool: whether to return the pooled vector of the first token, [B, D].
        with_nsp: whether to return the next sentence's probabilities [B, 2] instead of it.
        with_mlm: whether to return the masked language model's probabilities [B, T, V]; 'lm' and 'seq2seq'
            always do. Each of the three can be 'linear' too, for what comes before tanh or softmax.
        keep_words: sequence of token ids, or None for all: the vocabulary to keep, in its new order.
            V is then its length, and the model's token ids are positions in it.
        gelu: 'erf', 'tanh' or None (what `backend.set_gelu` says): what the config's `hidden_act: gelu` means.
        application: 'encoder', 'lm' (causal) or 'seq2seq' (UniLM), see `BertAttentionMask`.
        layer_classes: {class of layers.py: the class to use instead}. None for the class attribute, as above.
        prefix: str that the names of all layers and inputs begin with, for a second stack in one model.
        shared: {name without prefix: layer} to use as they are, such as some of another stack's `layers`.
        return_attention: whether to return, after the rest, each block's attention [B, N, T, T].
        num_labels, head, labels: the head of a task, returned after the others: 'classification' of texts, as it is
            where only num_labels is given, 'tokens' or 'span'; see heads.py and `release.heads.choose_head`.

    Attributes:
        config: dict, the checked config.
        family: the `release.families.Family` that the config is of.
        model: the Keras model, once `build` was called. Inputs [token ids, segment ids], int [B, T];
            output the last hidden states [B, T, D], or the heads that were asked for.
        layers: OrderedDict {name without prefix: layer} of what `layer` made.
        attentions: list of the attention [B, N, T, T] of each block, with `return_attention`.
        unread, new_layers: what the checkpoint had besides, and which layers of the task's head it lacked, once one
            was loaded; see `load_weights_from_checkpoint`.
    """

    application = 'encoder'
    layer_classes = {}

    def __init__(self, config, with_pool=False, with_nsp=False, with_mlm=False, keep_words=None, gelu=None,
                 application=None, layer_classes=None, prefix='', shared=None, return_attention=False,
                 num_labels=None, head=None, labels=None):
        if hasattr(self, 'put_out'):
            raise ValueError('%s has a method put_out, which is called outputs now: rename it' % type(self).__name__)
        self.checkpoint_path, self.unread, self.new_layers = None, None, []
        if not hasattr(config, 'keys') and os.path.isdir(config):
            config, self.checkpoint_path, _ = find_release(config)
        self.config = read_config(config)
        self.family = family_of(self.config)
        if application not in (None, self.application) and self.application != 'encoder':
            raise ValueError('%s is for application=%r, not %r' % (type(self).__name__, self.application, application))
        self.application = application or self.application
        if self.application not in ('encoder', 'lm', 'seq2seq'):
            raise ValueError('application must be one of encoder, lm, seq2seq, not %r' % (self.application,))
        self.choose_heads(with_pool, with_nsp, with_mlm, head, num_labels, labels)
        self.keep_words = check_keep_words(keep_words, self.config)
        if gelu is None and self.config['hidden_act'] == 'gelu':
            gelu = backend.get_gelu()
        self.activation = activation_name(self.config['hidden_act'], gelu)
        self.layer_classes = dict(self.layer_classes if layer_classes is None else layer_classes)
        self.prefix, self.return_attention = prefix, return_attention
        self.model, self.attentions, self.loading = None, [], frozenset()
        self.layers, self.requests = collections.OrderedDict(shared or {}), {}

    # -------------------------------------------------------------- the graph

    def build(self):
        """Builds `self.model`, with the weights of its directory or random ones, and returns it."""
        variables = self.begin_loading(check=type(self) in APPLICATIONS.values() and not self.layer_classes)
        inputs = self.inputs()
        self.model = keras.models.Model(inputs, self.run(*inputs[:2]))
        if variables is not None:
            self.load_weights_from_checkpoint(variables)
        return self.model

    def inputs(self):
        """The model's Input tensors: token ids and segment ids, int [B, T]; what `run` is not given may follow."""
        return [keras.layers.Input(shape=(None,), dtype=backend.IDS_DTYPE, name=self.prefix + name)
                for name in ('Input-Token', 'Input-Segment')]

    def run(self, token_ids, segment_ids):
        """The graph from the ids, int [B, T], to what `outputs` returns; for ids of a graph of your own, too."""
        self.attentions = []
        x, table = self.embed(token_ids, segment_ids)
        mask = self.attention_mask(token_ids, segment_ids)
        for index in range(self.config['num_hidden_layers']):
            x = self.transformer_block(x, mask, index)
            x = self.after_block(x, index)
        outputs = self.outputs(x, table)
        if not self.return_attention:
            return outputs
        return (list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]) + self.attentions

    def layer(self, cls, name, **arguments):
        """The layer called `name`, made at the first call, the same one afterwards (so it is shared).

        Args:
            cls: its class; `layer_classes` may say another. A BertLayer gets the config's initializer_range,
                a BertLayerNorm its epsilon too, unless they are among the arguments.
            name: str, without `prefix`.
            **arguments: of the class.

        Raises:
            ValueError: it was made with another class or other arguments; the message shows both.
        """
        cls = self.layer_classes.get(cls, cls)
        if issubclass(cls, BertLayer):
            arguments.setdefault('initializer_range', self.config['initializer_range'])
        if issubclass(cls, BertLayerNorm):
            arguments.setdefault('epsilon', self.config['layer_norm_eps'])
        if name not in self.layers:
            made = self.layers[name] = cls(name=self.layer_name(name), **arguments)
            if issubclass(cls, BertLayer):
                made.loading = made.name in self.loading
        before = self.requests.setdefault(name, (type(self.layers[name]), arguments))
        if not graph.same_request(before, (cls, arguments)):
            raise ValueError('layer %s was asked for as %s and now as %s: give one of the two another name'
                             % (name, graph.as_call(*before), graph.as_call(cls, arguments)))
        return self.layers[name]

    def dropout(self, x, name, rate=None):
        """Dropout, at the config's rate for hidden states unless another is given; no layer where it is 0."""
        rate = self.config['hidden_dropout_prob'] if rate is None else rate
        return self.layer(keras.layers.Dropout, name, rate=rate)(x) if rate else x

    def embed(self, token_ids, segment_ids):
        """Ids [B, T] -> (embeddings [B, T, D], the table that the MLM head is tied to [V, E])."""
        config = self.config
        vocab_size = config['vocab_size'] if self.keep_words is None else len(self.keep_words)
        x, table = self.layer(BertTokenEmbedding, 'Embedding-Token', vocab_size=vocab_size,
                              embedding_size=config['embedding_size'])(token_ids)
        if self.family.embedding == 'projected':  # the whole table is needed by the MLM head only
            project = self.map_embeddings('Embedding-Projection', use_bias=False)
            x, table = project(x), project(table)  # [B, T, D], [V, D]
        segments = self.layer(BertSegmentEmbedding, 'Embedding-Segment',
                              type_vocab_size=config['type_vocab_size'], embedding_size=int(x.shape[-1]))(segment_ids)
        x = self.add(x, segments, 'Embedding-Token-Segment')
        x = self.add_positions(x, token_ids) if self.family.counts_tokens else self.add_positions(x)
        x = self.layer(BertLayerNorm, 'Embedding-Norm')(self.more_embeddings(x))
        x = self.dropout(x, 'Embedding-Dropout')
        return self.map_embeddings('Embedding-Mapping')(x) if self.family.embedding == 'mapped' else x, table

    def map_embeddings(self, name, **arguments):
        """The layer [..., E] -> [..., D] of a family whose embeddings are narrower than its blocks."""
        return self.layer(BertDense, name, units=self.config['hidden_size'],
                          dtype=backend.full_precision_dtype(), **arguments)

    def add_positions(self, x, token_ids=None):
        """Adds the embeddings of the positions 0, 1, ... to x [B, T, E]; or of those counted from the ids [B, T]."""
        name, size = 'Embedding-Position', self.config['max_position_embeddings']
        if token_ids is None:
            return self.layer(BertPositionEmbedding, name, max_position_embeddings=size)(x)
        return self.layer(BertCountedPositionEmbedding, name, max_position_embeddings=size, model_type=self.family.name,
                          pad_token_id=self.pad_token_id())([x, token_ids])

    def more_embeddings(self, x):
        """A hook: the sum of the three embeddings [B, T, E], D where there is no E, before its norm."""
        return x

    def attention_mask(self, token_ids, segment_ids):
        """Which position sees which: ids [B, T] -> boolean [B, T or 1, T], True = attend."""
        is_token = self.layer(BertSequenceMask, 'Sequence-Mask', pad_token_id=self.pad_token_id())(token_ids)
        return self.layer(BertAttentionMask, 'Attention-Mask', application=self.application,
                          pad_token_id=self.pad_token_id())([token_ids, segment_ids, is_token])

    def transformer_block(self, x, mask, index):
        """Block `index`, from 0: x [B, T, D] under the mask -> [B, T, D]."""
        number = 1 if self.family.shares_blocks else index + 1
        first, second = 'Encoder-%d-MultiHeadSelfAttention' % number, 'Encoder-%d-FeedForward' % number
        x = self.half(x, first, index, lambda x: self.attention(x, mask, first, index))
        return self.half(x, second, index, lambda x: self.feed_forward(x, second, index))

    def half(self, x, name, index, function):
        """One half of block `index`, called `name`: norm(x + dropout(function(x))), [B, T, D] -> [B, T, D]."""
        return self.add_and_norm(x, function(x), name)

    def attention(self, x, mask, name, index):
        """The function of a block's first half: x [B, T, D] under the mask -> [B, T, D]."""
        arguments = {'return_attention': True} if self.return_attention else {}
        y = self.layer(BertSelfAttention, name, num_attention_heads=self.config['num_attention_heads'],
                       dropout_rate=self.config['attention_probs_dropout_prob'],
                       **arguments)([x, mask] + list(self.attention_inputs(x, name, index)))
        if self.return_attention:
            y, attention = y
            self.attentions.append(attention)
        return y

    def attention_inputs(self, x, name, index):
        """A hook: a list of tensors that a BertSelfAttention of yours gets as `more`, beside x and the mask."""
        return []

    def feed_forward(self, x, name, index):
        """The function of a block's second half: [B, T, D] -> [B, T, D]."""
        return self.layer(BertFeedForward, name, intermediate_size=self.config['intermediate_size'],
                          activation=self.activation)(x)

    def add_and_norm(self, x, y, name):
        """What follows the function of each half of a block: norm(x + dropout(y))."""
        y = self.dropout(y, name + '-Dropout')
        return self.layer(BertLayerNorm, name + '-Norm')(self.add(x, y, name + '-Add'))

    def add(self, x, y, name):
        """x + y, in float32 also where the policy computes in half precision."""
        return self.layer(keras.layers.Add, name, dtype=backend.full_precision_dtype())([x, y])

    def after_block(self, x, index):
        """A hook: the hidden states [B, T, D] after block `index`; it returns them, changed or not."""
        return x

    def outputs(self, x, table):
        """The model's output, from the last hidden states: the heads asked for, or `x` itself."""
        pooled = self.pooled(x) if self.needs_pooler() else None
        outputs = [self.next_sentence(pooled) if self.with_nsp else pooled] if self.with_pool or self.with_nsp else []
        if self.with_mlm:
            outputs.append(self.words(x, table))
        if self.head:
            outputs.append(self.task(pooled if self.head == 'classification' else x))
        return outputs if len(outputs) > 1 else (outputs + [x])[0]


class Bert4LM(BertModel):
    """BERT as a left-to-right language model: no position sees what comes after it."""

    application = 'lm'


class Bert4Seq2seq(BertModel):
    """BERT as an encoder and decoder in one, by UniLM's mask (https://arxiv.org/abs/1905.03197)."""

    application = 'seq2seq'


class EarlyBert(EarlyModel, BertModel):
    """What scripts of bert4keras 0.1 to 0.11 build: the same outputs, with what they look for in the model."""


BertModel.plain_class, EarlyBert.plain_class = BertModel, EarlyBert
APPLICATIONS = {cls.application: cls for cls in (BertModel, Bert4LM, Bert4Seq2seq)}


def build_bert_model(config_path, checkpoint_path=None, with_pool=False, with_nsp=False, with_mlm=False,
                     application='encoder', keep_words=None, albert=None, gelu=None,
                     return_keras_model=True, model=None, **options):
    """Builds BERT or ALBERT and loads its official weights.

    Args:
        config_path: path of the config, or of a release's directory, or a mapping with the config's fields.
        checkpoint_path: of the weights, see `open_checkpoint`; None for those of the directory, or random ones.
        with_pool, with_nsp, with_mlm, keep_words, gelu: see `BertModel`.
        application: 'encoder', 'lm' (causal) or 'seq2seq' (UniLM); see `BertAttentionMask`.
        albert: True to insist on an ALBERT, False on a BERT; None for what config and checkpoint say.
        return_keras_model: False to get the BertModel, whose `model` is the Keras model.
        model: a class to build, derived from BertModel; or, as in 0.3 to 0.6, 'bert' or 'albert', for an EarlyBert.
        **options: num_labels, head, labels and the other arguments of `BertModel`, or what your class takes.

    Returns:
        Keras model of [token ids, segment ids], int [B, T], to the last hidden states [B, T, D]; or to the
        heads asked for, pooled vector or NSP, MLM, and the task's: one alone, several as a list in this order.

    Raises:
        ConfigError, CheckpointError: both are ValueErrors; they name file, thing and remedy.
    """
    if not isinstance(model, (type, type(None))):
        model, albert = EarlyBert, is_albert(model, albert)
    if application != 'encoder':
        options['application'] = application
    bert = (model or APPLICATIONS.get(application, BertModel))(
        config_path, with_pool=with_pool, with_nsp=with_nsp, with_mlm=with_mlm, keep_words=keep_words, gelu=gelu,
        **options)
    if albert is not None and bool(albert) != bert.family.shares_blocks:
        raise ConfigError('albert=%r, but the config is of %s; leave it out' % (albert, bert.family.title))
    bert.checkpoint_path = checkpoint_path or bert.checkpoint_path
    bert.build()
    if bert.checkpoint_path is not None and bert.unread is None:  # a class that builds in its own way
        bert.load_weights_from_checkpoint()
    return bert.model if return_keras_model else bert


def load_pretrained_model(config_path, checkpoint_file, seq2seq=False, keep_words=None, albert=None):
    """The early name of `build_bert_model`: the encoder, or for `seq2seq` UniLM's MLM probabilities; see EarlyBert."""
    return build_bert_model(config_path, checkpoint_file, with_mlm=seq2seq, keep_words=keep_words, albert=albert,
                            application='seq2seq' if seq2seq else 'encoder', model=EarlyBert, from_zero=False)
