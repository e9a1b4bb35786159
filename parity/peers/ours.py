# -*- coding: utf-8 -*-
"""bert4keras itself, with the interface of its peers."""
from __future__ import absolute_import, division, print_function

from bert4keras.backend import keras
from bert4keras.bert import BertModel, build_bert_model
from bert4keras.verify import build_with_outputs
from parity.measure import function_to
from parity.peers import reference
from parity.questions import collect
from parity.training import Trainer


def answer(question):
    """What our model says; see questions.py."""
    names = reference.layers(question)
    arguments = dict(gelu=question.gelu, with_pool='Pooler-Dense' in names, with_nsp='NSP-Proba' in names,
                     with_mlm='MLM-Proba' in names)
    if not question.trains:  # a shared block has an output for each of its applications
        every = reference.every_layer(question)
        model, outputs = build_with_outputs(question.config, question.checkpoint, every, **arguments)
        outputs = [outputs[every.index(name)] for name in names]
    else:
        model = build_bert_model(question.config, question.checkpoint, **arguments)
        outputs = [model.get_layer(name).output for name in names]
    answer = collect(names, question, function_to(model, outputs))
    if question.trains:
        answer.update(trainer(question, model).answer())
    return answer


def trainer(question, model=None):
    """The Trainer of our model of a question, of the whole `model` or of one with the MLM head alone."""
    config, checkpoint = question.config, question.checkpoint
    model = model or build_bert_model(config, checkpoint, gelu=question.gelu, with_mlm=True)
    words = keras.models.Model(model.inputs, model.get_layer('MLM-Proba').output)
    names = BertModel(config, with_mlm=True).variable_names()
    return Trainer(keras, words, names, question.batches[-1], question.labels())
