# -*- coding: utf-8 -*-
"""bert4keras itself, with the interface of its peers."""
from __future__ import absolute_import, division, print_function

from bert4keras.backend import keras
from bert4keras.bert import BertModel, build_bert_model
from measure import layer_function
from questions import collect
from training import Trainer


def answer(question):
    """What our model says; see questions.py."""
    layers = question.layers()
    bert = build_bert_model(question.config, question.checkpoint, gelu=question.gelu,
                            with_pool='Pooler-Dense' in layers, with_nsp='NSP-Proba' in layers,
                            with_mlm='MLM-Proba' in layers, return_keras_model=False)
    answer = collect(layers, question.batches, layer_function(bert.model, layers))
    if question.trains:
        names = BertModel(question.config, with_mlm=True).variable_names()
        words = keras.models.Model(bert.model.inputs, bert.model.get_layer('MLM-Proba').output)
        answer.update(Trainer(keras, words, names, question.batches[-1], question.labels()).answer())
    return answer
