# -*- coding: utf-8 -*-
"""The optimizers against Google's own optimization.py, of `bert-tensorflow`, which needs TensorFlow 1."""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.backend import keras
from bert4keras.optimizers import AdamW, GoogleWarmup
from parity.peers import require

GRADIENTS = np.random.RandomState(1).uniform(-1, 1, (12, 3))
START = [np.array([[3.0], [-2.0], [1.0]]), np.array([0.5])]


def googles(rate, warmup_steps, total_steps):
    """Kernel and bias after twelve updates by Google's `create_optimizer`."""
    import tensorflow as tf
    from bert.optimization import create_optimizer
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder('float32', (1, 3))
        kernel, bias = [tf.compat.v1.get_variable(name, initializer=value.astype('float32'))
                        for name, value in zip(('kernel', 'bias'), START)]
        step = create_optimizer(tf.reduce_mean(tf.matmul(x, kernel) + bias), rate, total_steps, warmup_steps, False)
        session.run(tf.compat.v1.global_variables_initializer())
        for count, gradient in enumerate(GRADIENTS):
            # given, because in its graph one operation adds to the count while others read it for the rate
            session.run(step, {x: [gradient], 'global_step/read:0': count})
        return session.run([kernel, bias])


def test_googles_updates():
    """Its Adam without bias correction, its schedule, which jumps, its clipping, its decay but of biases."""
    require('bert-tensorflow')
    expected = googles(0.05, 4, 14)
    inputs = keras.layers.Input(shape=(3,))
    model = keras.models.Model(inputs, keras.layers.Dense(1)(inputs))
    model.set_weights(START)
    model.compile(AdamW(GoogleWarmup(0.05, 4, 14), 0.01, ['bias'], epsilon=1e-6, bias_correction=False,
                        global_clipnorm=1.0), lambda _, y: y)
    for gradient in GRADIENTS:
        model.train_on_batch(np.array([gradient]), np.zeros((1, 1)))
    for mine, theirs, start in zip(model.get_weights(), expected, START):
        assert np.abs(theirs - start).max() > 0.05
        assert np.abs(mine - theirs).max() <= 1e-6 * np.abs(theirs).max()
