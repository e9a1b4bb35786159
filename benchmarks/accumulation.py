# -*- coding: utf-8 -*-
"""What a micro-batch of AdamW(accumulate=k) costs on JAX, against the forward and backward pass alone.

    KERAS_BACKEND=jax python benchmarks/accumulation.py [--rounds 9] [--layers 6] [--hidden 384]

A classifier on a random BERT, batches of 8 texts of 64 tokens. In turn, with medians: the loss and its gradients,
compiled by themselves; a step of `train_on_batch` that fills the window, one that does not, and a step of plain AdamW.
All of them update or return what has the size of the weights. The table has seconds, and the ratio to the first.
"""
from __future__ import absolute_import, division, print_function

import argparse
import os
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

WINDOW = 4


def build(arguments, accumulate):
    """A compiled classifier; the weights are those of every other one."""
    from bert4keras.backend import keras
    from bert4keras.bert import build_bert_model
    from bert4keras.losses import CrossEntropy
    from bert4keras.optimizers import AdamW
    keras.utils.set_random_seed(1)
    model = build_bert_model(
        dict(vocab_size=3000, hidden_size=arguments.hidden, num_hidden_layers=arguments.layers, num_attention_heads=12,
             intermediate_size=4 * arguments.hidden, max_position_embeddings=128, type_vocab_size=2, hidden_act='gelu',
             hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, initializer_range=0.02), num_labels=2)
    model.compile(AdamW(1e-5, weight_decay=0.01, accumulate=accumulate, global_clipnorm=1.0),
                  CrossEntropy(from_logits=True))
    return model


def forward_and_backward(model, x, y):
    """A function that computes the loss and its gradients, compiled, with dropout."""
    import jax
    from bert4keras.losses import CrossEntropy
    loss = CrossEntropy(from_logits=True)
    trainable = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]

    @jax.jit
    def compute(trainable, others, x, y):
        def value(trainable):
            logits, others_after = model.stateless_call(trainable, others, x, training=True)
            return loss(y, logits).mean(), others_after
        return jax.value_and_grad(value, has_aux=True)(trainable)

    return lambda: jax.block_until_ready(compute(trainable, others, x, y))


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--layers', type=int, default=6)
    parser.add_argument('--hidden', type=int, default=384)
    arguments = parser.parse_args()
    random = np.random.RandomState(0)
    x = [random.randint(5, 3000, (8, 64)).astype('int32'), np.zeros((8, 64), 'int32')]
    y = random.randint(0, 2, 8)
    accumulating, plain = build(arguments, WINDOW), build(arguments, 1)
    alone = forward_and_backward(build(arguments, 1), x, y)  # of a model of its own, as a step gives its arrays away
    for _ in range(WINDOW):  # compile, and leave the window empty
        accumulating.train_on_batch(x, y)
    plain.train_on_batch(x, y)
    alone()
    names = ['forward and backward'] + ['micro-batch %d of %d' % (index, WINDOW) for index in range(1, WINDOW + 1)]
    names.append('AdamW')
    seconds = {name: [] for name in names}
    steps = [alone] + [lambda: accumulating.train_on_batch(x, y)] * WINDOW + [lambda: plain.train_on_batch(x, y)]
    for _ in range(arguments.rounds):
        for name, step in zip(names, steps):
            started = time.time()
            step()
            seconds[name].append(time.time() - started)
    for name in names:
        print('%-22s %8.4f s %6.2f' % (name, np.median(seconds[name]),
                                       np.median(seconds[name]) / np.median(seconds[names[0]])))


if __name__ == '__main__':
    main()
