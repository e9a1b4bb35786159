# -*- coding: utf-8 -*-
"""The peer keras-bert (https://pypi.org/project/keras-bert/), the project's oracle.

It runs on the Keras of this row where that is Keras 2, and on Keras 3 in a process of its own, with
tf_keras. Its model is built by its own `get_model` and loaded by its own loader. What it calls by another
name than we do is in LAYERS and VARIABLES.

    python -m parity.peers.keras_bert OUTPUT.npz QUESTION...      answers questions in JSON files
"""
from __future__ import absolute_import, division, print_function

import collections
import io
import os
import subprocess
import sys
import tempfile

import numpy as np

from parity import questions
from parity.training import Trainer

GELUS = ('erf', 'tanh', None)
FAMILIES = ('bert',)
LAYOUTS = ('tensorflow',)
TRAINS = True
EXACT = False
LAYERS = {'Pooler-Dense': 'NSP-Dense', 'NSP-Proba': 'NSP', 'MLM-Proba': 'MLM-Sim'}
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOT_IMPORTABLE = 'keras-bert cannot be imported with the tf.keras of TensorFlow 1.13'  # but by `import_it`
OTHER_PROCESS = {'TF_KERAS': '1', 'TF_USE_LEGACY_KERAS': '1'}


def layers(question):
    """What it has of a question's layers: all of the heads or, for a checkpoint that lacks one, none."""
    names = question.layers()
    return [name for name in names if name not in questions.HEADS or set(questions.HEADS) <= set(names)]


def answers(asked):
    """One answer for each question; see questions.py."""
    from bert4keras.backend import MODEL_SUFFIX
    if MODEL_SUFFIX == '.h5':
        return [answer(question) for question in asked]
    return in_another_process(asked)


def in_another_process(asked):
    """`answers`, by this file as a program with tf.keras for its Keras."""
    directory = tempfile.mkdtemp()
    paths = []
    for number, question in enumerate(asked):
        paths.append(os.path.join(directory, '%d.json' % number))
        with io.open(paths[-1], 'wb') as stream:
            stream.write(question.to_json().encode('ascii'))
    output = os.path.join(directory, 'answers.npz')
    environment = {key: value for key, value in os.environ.items() if key != 'KERAS_BACKEND'}
    subprocess.check_call([sys.executable, '-m', 'parity.peers.keras_bert', output] + paths, cwd=ROOT,
                          env=dict(environment, **OTHER_PROCESS))
    with np.load(output) as arrays:
        return [collections.OrderedDict((key.split(' ', 1)[1], arrays[key]) for key in arrays.files
                                        if key.startswith('%d ' % number)) for number in range(len(asked))]


def answer(question):
    """One answer, in this process."""
    keras_bert, keras = import_it()
    names = layers(question)
    model = build(keras_bert, keras, question, training='MLM-Proba' in names)
    outputs = [model.get_layer(LAYERS.get(name, name)).output for name in names]
    inner = keras.models.Model(model.inputs[:2], outputs)
    answer = questions.collect(names, question, lambda batch: [
        np.asarray(output) for output in inner.predict_on_batch(list(batch))])
    if question.trains:
        answer.update(Trainer(keras, without_mask(keras, model), variable_names(question),
                              question.batches[-1], question.labels()).answer())
    keras.backend.clear_session()
    return answer


def import_it():
    """(keras_bert, the Keras that it runs on)."""
    if os.environ.get('TF_KERAS', '0') != '0':
        try:
            import tensorflow.python.keras.backend_config  # noqa: F401
        except ImportError:  # TensorFlow 1.13 has in `backend` what keras-bert looks for there
            from tensorflow.python import keras as private
            sys.modules['tensorflow.python.keras.backend_config'] = private.backend_config = private.backend
        from tensorflow import keras
    else:
        import keras
    import keras_bert
    return keras_bert, keras


def build(keras_bert, keras, question, training):
    """Its model of a question, with the checkpoint's weights; all of it, or (training=False) no heads."""
    import tensorflow as tf
    config, activation = dict(question.config), question.config['hidden_act']
    if question.gelu == 'tanh':
        activation = 'gelu'  # of this release, as of every one since 0.83
    elif question.gelu == 'erf':
        def activation(x):
            return 0.5 * x * (1.0 + tf.math.erf(x * np.sqrt(0.5)))
    model = keras_bert.get_model(
        token_num=config['vocab_size'], pos_num=config['max_position_embeddings'], seq_len=None,
        embed_dim=config['hidden_size'], transformer_num=config['num_hidden_layers'],
        head_num=config['num_attention_heads'], feed_forward_dim=config['intermediate_size'],
        dropout_rate=0.0, feed_forward_activation=activation, training=training, trainable=True)
    if not training:
        model = keras.models.Model(*model)
    keras_bert.load_model_weights_from_checkpoint(model, config, question.checkpoint, training=training)
    return model


def without_mask(keras, model):
    """Its model of the MLM probabilities, less the Keras mask that would change the loss by version."""
    class WithoutMask(keras.layers.Layer):
        def __init__(self, **kwargs):
            super(WithoutMask, self).__init__(**kwargs)
            self.supports_masking = True

        def call(self, inputs):
            return inputs * 1.0

        def compute_mask(self, inputs, mask=None):
            return None

        def compute_output_shape(self, input_shape):
            return input_shape

    output = WithoutMask(name='MLM-Without-Mask')(model.get_layer('MLM-Sim').output)
    return keras.models.Model(model.inputs[:2], output)


def variable_names(question):
    """{its layer: Google's names of that layer's weights} of what the MLM loss depends on."""
    from bert4keras.bert import BertModel
    names = BertModel(question.config, with_mlm=True).variable_names()
    return collections.OrderedDict((LAYERS.get(layer, layer), names[layer]) for layer in names)


def main(output, *paths):
    """Answers the questions of some JSON files into one npz: "NUMBER KEY" -> array."""
    arrays = {}
    for number, path in enumerate(paths):
        with io.open(path, encoding='ascii') as stream:
            for key, array in answer(questions.from_json(stream.read())).items():
                arrays['%d %s' % (number, key)] = array
    np.savez(output, **arrays)


if __name__ == '__main__':
    main(*sys.argv[1:])
