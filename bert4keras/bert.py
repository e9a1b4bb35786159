# -*- coding: utf-8 -*-
"""The model, whole, in one module: BERT and ALBERT, their variants, and how official weights get in and out.

Read `BertModel` top to bottom; to change its inside, subclass it and override one of

    attention_mask(token_ids, segment_ids)      which position sees which
    transformer_block(x, mask, index)           the inside of block `index`
    after_block(x, index)                       what happens behind each block
    variable_names()                            which layer holds which variable of the checkpoint

and it still loads official weights. The layers' names are those of keras-bert where it has them.

An ALBERT is the same model with one block, applied again and again: its layers are called Encoder-1-...
whatever the index. What else it has of its own stands in `embed`.

Shapes: B batch, T tokens, D hidden, E embedding, V vocabulary.
"""
from __future__ import absolute_import, division, print_function

import collections
import logging
import os
import re

import numpy as np

from bert4keras import backend
from bert4keras.backend import keras
from bert4keras.compat import fspath
from bert4keras.errors import CheckpointError, ConfigError, VocabularyError, some
from bert4keras.files import copy_file, move_files, temporary_directory
from bert4keras.layers import (BertAttentionMask, BertDense, BertFeedForward, BertFirstToken, BertLayer,
                               BertLayerNorm, BertPositionEmbedding, BertSegmentEmbedding,
                               BertSelfAttention, BertTokenEmbedding, BertTokenProbability)
from bert4keras.release.checkpoint import save_checkpoint
from bert4keras.release.config import activation_name, read_config
from bert4keras.release.directory import find_release, release_among, write_release
from bert4keras.release.families import (HEAD_ARGUMENTS, family_of, is_transposed, layer_variables,
                                         strip_transposed)
from bert4keras.release.variables import open_variables, to_layout
from bert4keras.tokenizer import load_vocab, save_vocab

logger = logging.getLogger(__name__)


class BertModel(object):
    """BERT, or the ALBERT that the config is of, as a Keras model of token ids and segment ids.

    Args:
        config: path of the config file, or a mapping with its fields; see `families.read_config`.
        with_pool: whether to put out the pooled vector of the first token, [B, D].
        with_nsp: whether to put out the next sentence's probabilities [B, 2] in its stead.
        with_mlm: whether to put out the masked language model's probabilities [B, T, V].
        keep_words: sequence of token ids, or None for all: the vocabulary to keep, in its new order.
            V is then its length, and the model's token ids are positions in it.
        gelu: 'erf', 'tanh' or None (what `backend.set_gelu` says): the GELU that the config's
            `hidden_act: gelu` means.

    Attributes:
        config: dict, the checked config.
        family: the `families.Family` that the config is of.
        model: the Keras model, once `build` was called. Inputs [token ids, segment ids], int [B, T];
            output the last hidden states [B, T, D], or the heads that were asked for.
    """

    application = 'encoder'

    def __init__(self, config, with_pool=False, with_nsp=False, with_mlm=False, keep_words=None, gelu=None):
        self.config = read_config(config)
        self.family = family_of(self.config)
        if with_mlm and self.config.get('tie_word_embeddings') is False:
            raise ConfigError('the config has tie_word_embeddings = False, but the head of with_mlm=True is tied '
                              'to the word embeddings; build without it')
        self.with_pool, self.with_nsp, self.with_mlm = with_pool, with_nsp, with_mlm
        self.keep_words = check_keep_words(keep_words, self.config)
        if gelu is None and self.config['hidden_act'] == 'gelu':
            gelu = backend.get_gelu()
        self.activation = activation_name(self.config['hidden_act'], gelu)
        self.model = None
        self._layers = {}

    @classmethod
    def from_keras_model(cls, model):
        """The BertModel around a Keras model that one built, such as a saved model that was loaded.

        Args:
            model: Keras model with the layers of `build`; others on top of them do not matter.

        Returns:
            BertModel with its config read off the layers, able to load and save checkpoints.

        Raises:
            ValueError: the model lacks a layer of a BERT.
        """
        layers = {layer.name: layer for layer in model.layers}
        needed = ['Embedding-Token', 'Embedding-Segment', 'Embedding-Position', 'Embedding-Norm',
                  'Attention-Mask', 'Encoder-1-MultiHeadSelfAttention', 'Encoder-1-FeedForward']
        missing = [name for name in needed if name not in layers]
        if missing:
            raise ValueError('the model %s is no BERT of ours: it has no layer %s' % (model.name, missing[0]))
        token, segment, position, norm, mask, attention, inner = [layers[name] for name in needed]
        hidden_act = HIDDEN_ACTS.get(inner.activation, inner.activation)
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
                  'model_type': {'Embedding-Mapping': 'albert', 'Embedding-Projection': 'albert_zh'}.get(
                      mapping and mapping.name, 'bert')}
        gelu = 'erf' if hidden_act == 'gelu' else None
        bert = cls(config, with_pool='Pooler-Dense' in layers, with_nsp='NSP-Proba' in layers,
                   with_mlm='MLM-Proba' in layers, gelu=gelu)
        bert.application, bert.model = mask.application, model
        return bert

    # -------------------------------------------------------------- the graph

    def build(self):
        """Builds `self.model`, with random weights, and returns it."""
        token_ids = keras.layers.Input(shape=(None,), dtype='int32', name='Input-Token')  # [B, T]
        segment_ids = keras.layers.Input(shape=(None,), dtype='int32', name='Input-Segment')  # [B, T]
        x, table = self.embed(token_ids, segment_ids)
        mask = self.attention_mask(token_ids, segment_ids)
        for index in range(self.config['num_hidden_layers']):
            x = self.transformer_block(x, mask, index)
            x = self.after_block(x, index)
        self.model = keras.models.Model([token_ids, segment_ids], self.put_out(x, table))
        return self.model

    def layer(self, cls, name, **arguments):
        """The layer called `name`, made at the first call, the same one afterwards (so it is shared)."""
        if name not in self._layers:
            if issubclass(cls, BertLayer):
                arguments.setdefault('initializer_range', self.config['initializer_range'])
            if cls is BertLayerNorm:
                arguments.setdefault('epsilon', self.config['layer_norm_eps'])
            self._layers[name] = cls(name=name, **arguments)
        return self._layers[name]

    def dropout(self, x, name):
        """Dropout at the config's rate for hidden states; no layer where the rate is 0."""
        rate = self.config['hidden_dropout_prob']
        return self.layer(keras.layers.Dropout, name, rate=rate)(x) if rate else x

    def embed(self, token_ids, segment_ids):
        """Ids [B, T] -> (embeddings [B, T, D], the table that the MLM head is tied to [V, E])."""
        config = self.config
        vocab_size = config['vocab_size'] if self.keep_words is None else len(self.keep_words)
        x, table = self.layer(BertTokenEmbedding, 'Embedding-Token', vocab_size=vocab_size,
                              embedding_size=config['embedding_size'])(token_ids)
        if 'Embedding-Projection' in self.family.mapping:  # the whole table is needed by the MLM head only
            project = self.map_embeddings('Embedding-Projection', use_bias=False)
            x, table = project(x), project(table)  # [B, T, D], [V, D]
        segments = self.layer(BertSegmentEmbedding, 'Embedding-Segment',
                              type_vocab_size=config['type_vocab_size'], embedding_size=int(x.shape[-1]))(segment_ids)
        x = self.add(x, segments, 'Embedding-Token-Segment')
        x = self.layer(BertPositionEmbedding, 'Embedding-Position',
                       max_position_embeddings=config['max_position_embeddings'])(x)
        x = self.layer(BertLayerNorm, 'Embedding-Norm')(x)
        x = self.dropout(x, 'Embedding-Dropout')
        if 'Embedding-Mapping' in self.family.mapping:
            x = self.map_embeddings('Embedding-Mapping')(x)
        return x, table

    def map_embeddings(self, name, **arguments):
        """The layer [..., E] -> [..., D] of a family whose embeddings are narrower than its blocks."""
        return self.layer(BertDense, name, units=self.config['hidden_size'],
                          dtype=backend.full_precision_dtype(), **arguments)

    def attention_mask(self, token_ids, segment_ids):
        """Which position sees which: ids [B, T] -> boolean [B, T or 1, T], True = attend."""
        return self.layer(BertAttentionMask, 'Attention-Mask', application=self.application,
                          pad_token_id=self.pad_token_id())([token_ids, segment_ids])

    def pad_token_id(self):
        """The id of padding in this model's vocabulary."""
        pad = self.config['pad_token_id']
        return pad if self.keep_words is None else self.keep_words.tolist().index(pad)

    def transformer_block(self, x, mask, index):
        """Block `index`, from 0: x [B, T, D] under the mask -> [B, T, D]."""
        number = 1 if self.family.shares_blocks else index + 1
        attention = 'Encoder-%d-MultiHeadSelfAttention' % number
        y = self.layer(BertSelfAttention, attention, num_attention_heads=self.config['num_attention_heads'],
                       dropout_rate=self.config['attention_probs_dropout_prob'])([x, mask])
        x = self.add_and_norm(x, y, attention)
        feed_forward = 'Encoder-%d-FeedForward' % number
        y = self.layer(BertFeedForward, feed_forward, intermediate_size=self.config['intermediate_size'],
                       activation=self.activation)(x)
        return self.add_and_norm(x, y, feed_forward)

    def add_and_norm(self, x, y, name):
        """What follows each half of a block: norm(x + dropout(y))."""
        y = self.dropout(y, name + '-Dropout')
        return self.layer(BertLayerNorm, name + '-Norm')(self.add(x, y, name + '-Add'))

    def add(self, x, y, name):
        """x + y, in float32 also where the policy computes in half precision."""
        return self.layer(keras.layers.Add, name, dtype=backend.full_precision_dtype())([x, y])

    def after_block(self, x, index):
        """A hook: the hidden states [B, T, D] behind block `index`, to be returned, changed or not."""
        return x

    def put_out(self, x, table):
        """The model's output, from the last hidden states: the heads asked for, or `x` itself."""
        outputs = []
        if self.with_pool or self.with_nsp:
            y = self.layer(BertFirstToken, 'Pooler')(x)
            y = self.layer(BertDense, 'Pooler-Dense', units=self.config['hidden_size'], activation='tanh')(y)
            if self.with_nsp:
                y = self.layer(BertDense, 'NSP-Proba', units=2, activation='softmax')(y)
            outputs.append(y)
        if self.with_mlm:
            y = self.layer(BertDense, 'MLM-Dense', units=int(table.shape[-1]), activation=self.activation)(x)
            y = self.layer(BertLayerNorm, 'MLM-Norm')(y)
            outputs.append(self.layer(BertTokenProbability, 'MLM-Proba')([y, table]))
        return outputs if len(outputs) > 1 else (outputs + [x])[0]

    # -------------------------------------------------------------- weights

    def variable_names(self):
        """OrderedDict: layer name -> Google's names of the variables that are its weights, in order.

        A name ends in ".T" where the layer holds the variable transposed.
        """
        names = layer_variables(self.config)
        for wanted, layers in ((self.with_pool or self.with_nsp, ['Pooler-Dense']),
                               (self.with_nsp, ['NSP-Proba']),
                               (self.with_mlm, ['MLM-Dense', 'MLM-Norm', 'MLM-Proba'])):
            for layer in layers if not wanted else ():
                del names[layer]
        return names

    def _weights(self):
        """Pairs (Keras variable, Google's name of it, ".T" for transposed) of the built model."""
        if self.model is None:
            raise ValueError('the model is not built yet: call build() first')
        for layer_name, names in self.variable_names().items():
            weights = self.model.get_layer(layer_name).weights
            if len(weights) != len(names):
                raise ValueError('layer %s has %d weights, variable_names() gives it %d names: %s'
                                 % (layer_name, len(weights), len(names), ', '.join(names)))
            for weight, name in zip(weights, names):
                yield weight, name

    def load_weights_from_checkpoint(self, checkpoint):
        """Loads every weight that `variable_names` lists, by its full name, its shape checked first.

        Args:
            checkpoint: path, see `checkpoint.open_checkpoint`, or what that returns.

        Returns:
            list of the checkpoint's variables that were not read, in its own names. It is logged; as
            a warning if there is more in it than heads that were not asked for and training state.

        Raises:
            CheckpointError: a variable is missing, has another shape or is damaged. What is missing or
                of another shape is found before the first weight is changed.
        """
        variables = open_variables(checkpoint, self.config)
        names = self.set_variables(variables)
        warn_of_types(variables, names)
        expected, unexpected = variables.unread(names)
        logger.info('%s: %d variables read; left: %s', variables.path, len(names), some(expected) or 'none')
        if unexpected:
            logger.warning('%s has %d variables that this model has no place for: %s', variables.path,
                           len(unexpected), some(unexpected))
        return expected + unexpected

    def set_variables(self, variables):
        """Sets every weight that `variable_names` lists from `families.Variables`; returns their names."""
        pairs = list(self._weights())
        for weight, name in pairs:
            self._check_variable(variables, name, weight)
        backend.set_values((weight, self._keep(variables[name], name)) for weight, name in pairs)
        return [name for _, name in pairs]

    def get_variables(self):
        """OrderedDict {Google's name: array} of every weight that `variable_names` lists."""
        pairs = list(self._weights())
        values = backend.get_values([weight for weight, _ in pairs])
        return collections.OrderedDict((strip_transposed(name), value.T if is_transposed(name) else value)
                                       for (_, name), value in zip(pairs, values))

    def _check_variable(self, variables, name, weight):
        """CheckpointError unless the checkpoint has the variable in the shape that the weight needs."""
        if name not in variables:
            raise CheckpointError(missing_message(variables, name))
        if 'float' not in variables.dtype(name):
            raise CheckpointError('%s: %s is of type %s, but weights are floats. Convert a quantised checkpoint '
                                  'back first' % (variables.path, name, variables.dtype(name)))
        expected = tuple(int(size) for size in weight.shape)
        if self.keep_words is not None and name in VOCABULARY_VARIABLES:
            expected = (self.config['vocab_size'],) + expected[1:]
        if variables.shape(name) != expected:
            raise CheckpointError('%s: %s: checkpoint has %s, the layer expects %s. Use the config that '
                                  'belongs to this checkpoint'
                                  % (variables.path, name, variables.shape(name), expected))

    def _keep(self, array, name):
        """The rows of the words that are kept, of a variable with one row a word; others as they are."""
        return array[self.keep_words] if self.keep_words is not None and name in VOCABULARY_VARIABLES else array

    def save_weights_as_checkpoint(self, path):
        """Writes the weights that `variable_names` lists as a checkpoint.

        Args:
            path: prefix of a TensorFlow checkpoint, in Google's layout; or a path ending in
                ".safetensors", in Hugging Face's. See `checkpoint.save_checkpoint`.
        """
        path = fspath(path)
        layout = 'hugging-face' if path.endswith('.safetensors') else 'tensorflow'
        save_checkpoint(path, to_layout(self.get_variables(), layout, self.config))

    def save_release(self, directory, vocab_path=None, layout='tensorflow'):
        """Writes config, weights and vocabulary, so that `build_bert_model(directory)` loads this model.

        Args:
            directory: it is made where it is missing; it must hold no other release.
            vocab_path: of the vocabulary that the model was loaded with; what keep_words left of it is
                written. None for no vocabulary.
            layout: 'tensorflow' (the family's own names) or 'hugging-face'.

        Raises:
            CheckpointError, ConfigError, VocabularyError: the layout has no such model, the vocabulary is
                of another size or cannot be cut (SentencePiece), or the directory holds another release.
                Nothing in the directory is changed then.
        """
        config = dict(self.config, hidden_act=HIDDEN_ACTS.get(self.activation, self.config['hidden_act']))
        if self.keep_words is not None:
            config.update(vocab_size=len(self.keep_words), pad_token_id=self.pad_token_id())
        directory, vocab_path = os.path.abspath(fspath(directory)), fspath(vocab_path)
        if not os.path.isdir(directory):
            os.makedirs(directory)
        with temporary_directory(os.path.join(directory, 'release')) as partial:
            if vocab_path is not None:
                self._write_vocab(vocab_path, os.path.join(partial, os.path.basename(vocab_path)))
            write_release(partial, layout, config, self.get_variables())
            release = release_among(set(os.listdir(partial) + os.listdir(directory)), directory)
            index = os.path.basename(release.checkpoint_path) + ('.index' if layout == 'tensorflow' else '')
            move_files(partial, directory, last=index)

    def _write_vocab(self, source, destination):
        """Writes the vocabulary of this model, which is what keep_words left of `source`."""
        if self.keep_words is None:
            size = 0 if source.endswith('.model') else len(load_vocab(source))
            if size > self.config['vocab_size']:
                raise VocabularyError('%s has %d tokens, but the model has %d: they are of two different models'
                                      % (source, size, self.config['vocab_size']))
            copy_file(source, destination)
            return
        if source.endswith('.model'):
            raise VocabularyError('%s is a SentencePiece model, from which no tokens can be taken; save without '
                                  'vocab_path, and keep keep_words beside it' % source)
        tokens = list(load_vocab(source))
        if len(tokens) != self.config['vocab_size']:
            raise VocabularyError('%s has %d tokens, but the model was built from %d: they are of two different '
                                  'models' % (source, len(tokens), self.config['vocab_size']))
        save_vocab(destination, {tokens[old]: new for new, old in enumerate(self.keep_words)})


# The variables with one row a word, which keep_words selects from.
VOCABULARY_VARIABLES = ('bert/embeddings/word_embeddings', 'cls/predictions/output_bias')


# What a config calls the layers' activations, where the names differ.
HIDDEN_ACTS = {'gelu_erf': 'gelu', 'gelu_tanh': 'gelu_new'}


def count_blocks(model):
    """How many blocks a Keras model has; one that is shared counts as often as it is applied."""
    layers = [layer for layer in model.get_config()['layers'] if re.match(r'Encoder-\d+-FeedForward$', layer['name'])]
    return sum(len(layer['inbound_nodes']) for layer in layers)


def warn_of_types(variables, names):
    """Says which of the variables that were loaded are stored in another type than float32."""
    for dtype in ('float16', 'bfloat16', 'float64'):
        found = [name for name in names if variables.dtype(name) == dtype]
        if found:
            logger.warning('%s holds %d variables in %s, which were loaded as the type of the layers: %s',
                           variables.path, len(found), dtype, some(found))


def missing_message(variables, name):
    """What to tell somebody whose checkpoint lacks the variable `name`."""
    name = strip_transposed(name)
    parent = name
    similar = []
    while not similar and '/' in parent:
        parent = parent.rsplit('/', 1)[0]
        similar = [other for other in variables if other.startswith(parent + '/')]
    message = '%s has no variable %s; it has %s' % (variables.path, name,
                                                   some(similar or sorted(variables)) or 'none that is known')
    for prefix, argument in HEAD_ARGUMENTS:
        if name.startswith(prefix):
            return '%s. Without %s=True it is not needed' % (message, argument)
    return '%s. Use the config that belongs to this checkpoint' % message


def check_keep_words(keep_words, config):
    """`keep_words` as an int array [V], or None; ValueError if it cannot be a vocabulary."""
    if keep_words is None:
        return None
    ids = np.asarray(keep_words)
    if ids.ndim != 1 or not ids.size or ids.dtype.kind not in 'iu':
        raise ValueError('keep_words must be a sequence of token ids, not %r' % (keep_words,))
    if ids.min() < 0 or ids.max() >= config['vocab_size']:
        raise ValueError('keep_words has ids from %d to %d; the vocabulary of the checkpoint has 0 to %d'
                         % (ids.min(), ids.max(), config['vocab_size'] - 1))
    if len(set(ids.tolist())) != ids.size:
        raise ValueError('keep_words has %s more than once; keep each word once'
                         % some(sorted(number for number, times in collections.Counter(ids.tolist()).items()
                                       if times > 1)))
    if config['pad_token_id'] not in ids:
        raise ValueError('keep_words lacks %d, the id of padding (pad_token_id); add it'
                         % config['pad_token_id'])
    return ids


class Bert4LM(BertModel):
    """BERT as a left-to-right language model: no position sees what comes after it."""

    application = 'lm'


class Bert4Seq2seq(BertModel):
    """BERT as an encoder and decoder in one, by UniLM's mask (https://arxiv.org/abs/1905.03197)."""

    application = 'seq2seq'


APPLICATIONS = {cls.application: cls for cls in (BertModel, Bert4LM, Bert4Seq2seq)}


def build_bert_model(config_path, checkpoint_path=None, with_pool=False, with_nsp=False, with_mlm=False,
                     application='encoder', keep_words=None, albert=None, gelu=None,
                     return_keras_model=True, model=None):
    """Builds BERT or ALBERT and loads its official weights.

    Args:
        config_path: path of the config; or of a release's directory, in which config and checkpoint
            are found; or a mapping with the config's fields.
        checkpoint_path: path of the weights, see `checkpoint.open_checkpoint`; None for those of the
            directory, or for random ones where `config_path` is no directory.
        with_pool, with_nsp, with_mlm, keep_words, gelu: see `BertModel`.
        application: 'encoder', 'lm' (causal) or 'seq2seq' (UniLM); see `BertAttentionMask`.
        albert: True to insist on an ALBERT, False on a BERT; None for what config and checkpoint say.
        return_keras_model: False to get the BertModel, whose `.model` is the Keras model and which
            loads and saves checkpoints.
        model: a class to build, derived from that of the application: BertModel, or for 'lm' and
            'seq2seq' the ones of APPLICATIONS.

    Returns:
        Keras model of [token ids, segment ids], int [B, T], to the last hidden states [B, T, D];
        or, of the heads asked for, the pooled vector [B, D] or NSP probabilities [B, 2], and the MLM
        probabilities [B, T, V]: one alone, two as a list in this order.

    Raises:
        ConfigError, CheckpointError: both are ValueErrors; they name file, thing and remedy.
    """
    if application not in APPLICATIONS:
        raise ValueError('application must be one of %s, not %r' % (', '.join(sorted(APPLICATIONS)), application))
    if not hasattr(config_path, 'keys') and os.path.isdir(config_path):
        release = find_release(config_path)
        config_path, checkpoint_path = release.config_path, checkpoint_path or release.checkpoint_path
    if model is not None and not issubclass(model, APPLICATIONS[application]):
        raise ValueError('application=%r, but the model to build, %s, is no %s; make it a subclass of that'
                         % (application, model.__name__, APPLICATIONS[application].__name__))
    bert = (model or APPLICATIONS[application])(config_path, with_pool=with_pool, with_nsp=with_nsp,
                                                with_mlm=with_mlm, keep_words=keep_words, gelu=gelu)
    if albert is not None and bool(albert) != bert.family.shares_blocks:
        raise ConfigError('albert=%r, but the config is of %s; leave it out' % (albert, bert.family.title))
    if checkpoint_path is None:
        bert.build()
    else:
        variables = open_variables(checkpoint_path, bert.config)  # before the work of building
        with backend.skip_initialization(bert.variable_names()):
            bert.build()
        bert.load_weights_from_checkpoint(variables.checkpoint)
    return bert.model if return_keras_model else bert


def load_pretrained_model(config_path, checkpoint_file, seq2seq=False, keep_words=None, albert=None):
    """The early name of `build_bert_model`: the encoder, or for `seq2seq` UniLM's MLM probabilities."""
    return build_bert_model(config_path, checkpoint_file, with_mlm=seq2seq, keep_words=keep_words, albert=albert,
                            application='seq2seq' if seq2seq else 'encoder')
