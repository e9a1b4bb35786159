# -*- coding: utf-8 -*-
"""`bert4keras.models` of releases 0.7 to 0.11: `build_transformer_model`, for BERT, ALBERT and their layouts."""
from __future__ import absolute_import, division, print_function

import collections

from bert4keras import backend
from bert4keras.backend import keras
from bert4keras.bert import EarlyBert, build_bert_model
from bert4keras.early.text import refused
from bert4keras.release.config import read_config
from bert4keras.release.early_weights import match_weights, read_layers

__all__ = ['ALBERT', 'BERT', 'Model', 'build_transformer_model', 'data_parallel', 'extend_with_language_model',
           'extend_with_unified_language_model', 'load_early_weights']

Model = keras.models.Model
BERT = ALBERT = EarlyBert

MODELS = ('bert', 'roberta', 'albert')
APPLICATIONS = {'encoder': 'encoder', 'lm': 'lm', 'unilm': 'seq2seq', 'seq2seq': 'seq2seq'}
# argument of then: the field of the config
FIELDS = {'dropout_rate': 'hidden_dropout_prob', 'attention_dropout_rate': 'attention_probs_dropout_prob',
          'max_position': 'max_position_embeddings', 'segment_vocab_size': 'type_vocab_size'}
# argument of then: what to use instead
REFUSED = {
    'layer_norm_cond': 'override BertModel.add_and_norm', 'additional_input_layers': 'override BertModel.inputs',
    'layer_norm_cond_hidden_size': 'override BertModel.add_and_norm',
    'layer_norm_cond_hidden_act': 'override BertModel.add_and_norm',
    'compound_tokens': 'set the rows with set_weights', 'custom_position_ids': 'override BertModel.add_positions',
    'hierarchical_position': 'override BertModel.add_positions',
    'shared_segment_embeddings': 'override BertModel.embed',
    'residual_attention_scores': 'override BertSelfAttention.scores',
    'attention_head_size': 'override BertSelfAttention', 'attention_key_size': 'override BertSelfAttention',
    'ignore_invalid_weights': 'say what is missing: with_pool, with_mlm, and so on', 'layers': 'use shared=...',
    'autoresize_weights': 'use a config of the size of the weights'}


def build_transformer_model(config_path=None, checkpoint_path=None, model='bert', application='encoder',
                            return_keras_model=True, keep_tokens=None, **options):
    """Builds BERT or ALBERT and loads its weights; see `bert.build_bert_model`, also for what is returned.

    Args:
        config_path: path of the config, or mapping; fields of it may be among the options, which win.
        checkpoint_path: of the weights, or None for random ones.
        model: 'bert', 'roberta' (of Google's layout) or 'albert', or a class derived from EarlyBert.
        application: 'encoder', 'lm', or 'unilm', also called 'seq2seq'.
        return_keras_model: False for the EarlyBert, whose `model` is the Keras model.
        keep_tokens: ids of the tokens to keep, in their new order.
        **options: with_pool, with_nsp, with_mlm, sequence_length, prefix, dropout_rate, attention_dropout_rate, and
            fields of the config.

    Raises:
        ValueError: a model or an argument that is not here; it is named, with what to use instead.
    """
    cls = EarlyBert
    if isinstance(model, type):
        cls, model = model, 'bert'
    if str(model) not in MODELS:
        raise ValueError('build_transformer_model(model=%r) is not here, only %s. Transformers or KerasHub have the '
                         'others' % (model, ', '.join(MODELS)))
    if application not in APPLICATIONS:
        raise ValueError('application must be one of %s, not %r' % (', '.join(sorted(APPLICATIONS)), application))
    for name in sorted(set(options) & set(REFUSED)):
        if options.pop(name):
            raise ValueError('build_transformer_model(%s=...) is not here; %s' % (name, REFUSED[name]))
    config = dict(read_config(config_path))
    arguments = {name: options.pop(name) for name in ('with_pool', 'with_nsp', 'with_mlm', 'sequence_length', 'prefix')
                 if options.get(name) is not None}
    for name in ('with_pool', 'with_nsp', 'with_mlm', 'prefix', 'sequence_length', 'name'):
        options.pop(name, None)
    config.update({FIELDS.get(name, name): value for name, value in options.items() if value is not None})
    if model == 'albert' and config['model_type'] == 'albert_zh':  # what a config without the field is taken for
        config['model_type'] = 'albert'
    return build_bert_model(config, checkpoint_path, application=APPLICATIONS[application], keep_words=keep_tokens,
                            return_keras_model=return_keras_model, model=cls, **arguments)


def extend_with_language_model(BaseModel):
    """`BaseModel` as a left-to-right language model."""
    return type(str('LanguageModel'), (BaseModel,), {'application': 'lm'})


def extend_with_unified_language_model(BaseModel):
    """`BaseModel` with UniLM's mask."""
    return type(str('UnifiedLanguageModel'), (BaseModel,), {'application': 'seq2seq'})


def load_early_weights(model, path):
    """Loads the weights that bert4keras up to 0.11 saved of a model that was built by the same calls.

    Keras' own `load_weights` goes by the order in each layer, and would take beta for gamma.

    Args:
        model: Keras model of `build_transformer_model`, layers on top included.
        path: of the file that `model.save_weights` or `model.save` wrote on Keras 2; needs h5py.

    Raises:
        CheckpointError: it does not fit; found out before the first weight is changed.
    """
    layers = [layer for layer in model.layers if layer.weights]
    expected = collections.OrderedDict(
        (layer.name, [(weight.name, tuple(int(size) for size in weight.shape)) for weight in layer.weights])
        for layer in layers)
    arrays = match_weights(read_layers(path), expected, path)
    backend.set_values(list(zip([weight for layer in layers for weight in layer.weights], arrays)))


data_parallel = refused('data_parallel', 'use tf.distribute.MirroredStrategy, or keras.distribution on Keras 3')
