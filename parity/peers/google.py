# -*- coding: utf-8 -*-
"""Google's own code, modeling.py of google-research/bert (https://pypi.org/project/bert-tensorflow/).

It runs on TensorFlow 1 and its GELU is the tanh approximation. It has no heads but the pooler.
"""
from __future__ import absolute_import, division, print_function

from questions import HEADS, collect
from results import version

NAME = "Google's BERT"
GELUS = ('tanh',)
TRAINS = False


def missing():
    """Why the peer is not here, or None."""
    return None if version('bert-tensorflow') else "Google's bert-tensorflow is not in this row"


def heads(layers):
    """The heads it has of these."""
    return [name for name in list(HEADS)[:1] if name in layers]


def answers(asked):
    """One answer for each question; see questions.py."""
    return [answer(question) for question in asked]


def answer(question):
    """One answer, in a graph and session of its own, the weights by TensorFlow's own reader."""
    import tensorflow as tf
    from bert import modeling

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        token_ids, segment_ids = [tf.compat.v1.placeholder(tf.int32, (None, None)) for _ in range(2)]
        model = modeling.BertModel(modeling.BertConfig.from_dict(question.config), is_training=False,
                                   input_ids=token_ids, token_type_ids=segment_ids,
                                   input_mask=tf.cast(tf.not_equal(token_ids, 0), tf.int32), scope='bert')
        tf.compat.v1.train.Saver().restore(session, question.checkpoint)
        layers = question.layers()
        fetches = [model.get_embedding_output()] + model.get_all_encoder_layers()
        if heads(layers):
            fetches.append(model.get_pooled_output())

        def run(batch):
            return session.run(fetches, dict(zip((token_ids, segment_ids), batch)))
        return collect([name for name in layers if name not in HEADS] + heads(layers), question.batches, run)
