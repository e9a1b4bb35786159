# -*- coding: utf-8 -*-
"""Models of keras-bert's layers from a config file, and the official weights for them.
"""
from __future__ import absolute_import, division, print_function

from bert4keras.backend import keras
from bert4keras.keras_bert.bert import KerasBert, get_model
from bert4keras.release.checkpoint import open_checkpoint
from bert4keras.release.config import read_config
from bert4keras.tokenizer import load_vocab

__all__ = ['build_model_from_config', 'load_model_weights_from_checkpoint', 'load_trained_model_from_checkpoint',
           'load_vocabulary']


def checkpoint_loader(checkpoint_file):
    """The function from a variable's name to its array in a checkpoint."""
    return open_checkpoint(checkpoint_file).__getitem__


def build_model_from_config(config_file, training=False, trainable=None, output_layer_num=1, seq_len=int(1e9),
                            **kwargs):
    """Builds the BERT that a config describes, with random weights.

    Args:
        config_file: path, see `release.config.read_config`.
        training, trainable, output_layer_num: see `get_model`.
        seq_len: int, T and the number of positions, at most the config's; or None for any T.
        **kwargs: other arguments of `get_model`.

    Returns:
        (model, dict of the config, with its `max_position_embeddings` set to the positions there are).

    Raises:
        ConfigError: see `release.config.read_config`.
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
    model, config = build_model_from_config(config_file, training, trainable, output_layer_num, seq_len,
                                            loading=names, **kwargs)
    load_model_weights_from_checkpoint(model, config, checkpoint, training)
    return model


def load_vocabulary(vocab_path):
    """Reads a vocabulary file: dict from token to id; see `tokenizer.load_vocab`, also for what it raises."""
    return dict(load_vocab(vocab_path))
