# -*- coding: utf-8 -*-
"""Peers with all heads, BERT and ALBERT: transformers on PyTorch, and Google's own modeling.py on TF 1."""
from __future__ import absolute_import, division, print_function

import collections
import importlib

import numpy as np


def open_in_transformers(directory, architecture):
    """Opens a directory as a class of transformers; fails unless its keys are exactly the class's.

    Args:
        directory: of a release in Hugging Face's layout.
        architecture: the class's name, such as 'AlbertForPreTraining'.
    """
    import transformers
    model, info = getattr(transformers, architecture).from_pretrained(
        directory, output_loading_info=True, attn_implementation='eager')
    off = {what: sorted(keys) for what, keys in info.items() if keys}
    assert not off, '%s of %s: %s' % (architecture, directory, off)
    return model.eval()


def transformers_outputs(directory, architecture, token_ids, segment_ids, pad_token_id=0):
    """Runs a model ForPreTraining in float64.

    Returns:
        OrderedDict {layer name: float64 array}: the input of the first block, every block, all heads.
    """
    import torch
    model = open_in_transformers(directory, architecture).double()
    token_ids, segment_ids = [torch.tensor(ids, dtype=torch.long) for ids in (token_ids, segment_ids)]
    inputs = dict(input_ids=token_ids, token_type_ids=segment_ids, attention_mask=(token_ids != pad_token_id).long())
    with torch.no_grad():
        base = model.base_model(output_hidden_states=True, **inputs)
        heads = model(**inputs)
    first = 'Embedding-Mapping' if architecture.startswith('Albert') else 'Embedding-Norm'
    named = collections.OrderedDict()
    for index, hidden in enumerate(base.hidden_states):
        named['Encoder-%d-FeedForward-Norm' % index if index else first] = hidden
    named['Pooler-Dense'] = base.pooler_output
    sentence = heads.sop_logits if architecture.startswith('Albert') else heads.seq_relationship_logits
    named['NSP-Proba'] = sentence.softmax(-1)
    named['MLM-Proba'] = heads.prediction_logits.softmax(-1)
    return collections.OrderedDict((name, value.numpy()) for name, value in named.items())


def google_outputs(package, config, prefix, token_ids, segment_ids):
    """Runs Google's modeling.py, restored by tf.train.Saver.

    Args:
        package: 'bert' (PyPI: bert-tensorflow) or 'albert' (PyPI: albert-tensorflow).
        config: dict, the fields that Google's config class has.
        prefix: of the checkpoint; what the model has and the checkpoint lacks is an error.
        token_ids, segment_ids: int arrays [B, T]; id 0 is padding.

    Returns:
        OrderedDict {layer name: float32 array}: every block and the pooler. "gelu" is tanh's in both.
    """
    import tensorflow as tf
    modeling = importlib.import_module(package + '.modeling')
    name = {'bert': 'Bert', 'albert': 'Albert'}[package]
    with tf.Graph().as_default():
        model = getattr(modeling, name + 'Model')(
            config=getattr(modeling, name + 'Config').from_dict(config), is_training=False,
            input_ids=tf.constant(token_ids), input_mask=tf.constant(np.int32(token_ids != 0)),
            token_type_ids=tf.constant(segment_ids))
        with tf.Session() as session:
            tf.train.Saver().restore(session, prefix)
            blocks, pooled = session.run([model.all_encoder_layers, model.get_pooled_output()])
    named = collections.OrderedDict(('Encoder-%d-FeedForward-Norm' % (index + 1), hidden)
                                    for index, hidden in enumerate(blocks))
    named['Pooler-Dense'] = pooled
    return named
