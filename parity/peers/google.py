# -*- coding: utf-8 -*-
"""Google's own code: modeling.py of google-research/bert and of google-research/albert.

From PyPI as https://pypi.org/project/bert-tensorflow/ and https://pypi.org/project/albert-tensorflow/. It
runs on TensorFlow 1 and its GELU is the tanh approximation. It has no heads but the pooler.
"""
from __future__ import absolute_import, division, print_function

import collections
import contextlib
import importlib
import operator

from parity.questions import HEADS, collect

GELUS = ('tanh',)
FAMILIES = ('bert', 'albert')
LAYOUTS = ('tensorflow',)
TRAINS = False
EXACT = False


def layers(question):
    """What it has of a question's layers: no head but the pooler."""
    return [name for name in question.layers() if name not in ('Embedding-Mapping',) + tuple(HEADS)[1:]]


def answers(asked):
    """One answer for each question; see questions.py."""
    return [answer(question) for question in asked]


def answer(question):
    """One answer, in a graph and session of its own."""
    names = layers(question)
    with opened(question.config['model_type'], question.config, question.checkpoint, 'Pooler-Dense' in names) as run:
        return collect(names, question, lambda batch: operator.itemgetter(*names)(run(*batch)))


@contextlib.contextmanager
def opened(package, config, prefix, with_pool=True):
    """A model in a graph of its own, its weights restored by TensorFlow's own Saver.

    Args:
        package: 'bert' or 'albert'.
        config: dict, the fields that Google's config class has.
        prefix: of the checkpoint; what the model has and the checkpoint lacks is an error.
        with_pool: False for a checkpoint without a pooler, as the model always has one.

    Yields:
        function from int arrays [B, T], token ids of which 0 is padding and segment ids, to an OrderedDict
        {layer name: float32 array}: embeddings, every block, the pooler if asked for.
    """
    import tensorflow as tf
    modeling = importlib.import_module(package + '.modeling')
    name = {'bert': 'Bert', 'albert': 'Albert'}[package]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        token_ids, segment_ids = [tf.compat.v1.placeholder(tf.int32, (None, None)) for _ in range(2)]
        model = getattr(modeling, name + 'Model')(
            getattr(modeling, name + 'Config').from_dict(config), is_training=False, input_ids=token_ids,
            token_type_ids=segment_ids, input_mask=tf.cast(tf.not_equal(token_ids, 0), tf.int32))
        needed = [variable for variable in tf.compat.v1.global_variables()
                  if with_pool or '/pooler/' not in variable.name]
        tf.compat.v1.train.Saver(needed).restore(session, prefix)
        blocks = model.get_all_encoder_layers()
        names = ['Encoder-%d-FeedForward-Norm' % (index + 1) for index in range(len(blocks))]
        fetches = [model.get_embedding_output()] + blocks + [model.get_pooled_output()] * with_pool

        def run(*batch):
            arrays = session.run(fetches, dict(zip((token_ids, segment_ids), batch)))
            return collections.OrderedDict(zip(['Embedding-Norm'] + names + ['Pooler-Dense'], arrays))
        yield run
