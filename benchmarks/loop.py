# -*- coding: utf-8 -*-
"""What the loop of `bert4keras pretrain` costs beside a plain step of Keras on the same model.

    KERAS_BACKEND=jax python -m benchmarks.loop [--layers 4] [--hidden 256] [--rows 16] [--rounds 7] [--steps 20]

Masked words of rows of 128 tokens of text/kings.txt.gz. In turn, --steps steps each, with medians over the rounds: a
plain step is `train_on_batch` of a Keras model that is given the positions, with Keras' own AdamW, on one batch that
is in memory; ours is that of `Training` on the same batch; the loop reads and masks other rows for each step, sums up
the figures and writes them down. The table has wall and processor seconds of a step, tokens a second, and by how much
the processor seconds are more than those of the plain step. On Keras 3.
"""
from __future__ import absolute_import, division, print_function

import argparse
import collections
import io
import os
import shutil
import tempfile
import time

import numpy as np

from benchmarks.counting import chapters
from bert4keras.backend import keras
from bert4keras.bert import BertModel
from bert4keras.pretraining.corpus import build_corpus
from bert4keras.pretraining.feeding import prefetched
from bert4keras.pretraining.training import Settings, Training, Writer

LENGTH, WORDS = 128, 8000


class Gather(keras.layers.Layer):
    """The hidden states at some positions: [x [B, T, D], positions int [B, P]] -> [B, P, D]."""

    def call(self, inputs):
        x, positions = inputs
        return keras.ops.take_along_axis(x, keras.ops.expand_dims(positions, 2), axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape[1] + input_shape[0][2:]


class PlainBert(BertModel):
    """A BERT that is given positions and returns the logits of the words there."""

    def inputs(self):
        ids = super(PlainBert, self).inputs()
        self.positions = keras.layers.Input(shape=(None,), dtype='int32', name='Input-Positions')
        return ids + [self.positions]

    def outputs(self, x, table):
        return self.words(self.layer(Gather, 'MLM-Positions')([x, self.positions]), table)


def plain(training):
    """A generator that makes a plain step of Keras each time."""
    model = PlainBert(training.settings.config, with_mlm='linear').build()
    model.compile(keras.optimizers.AdamW(1e-4, weight_decay=0.01, epsilon=1e-6, global_clipnorm=1.0),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    (inputs, weights), = training.feed(0).parts
    while True:
        model.train_on_batch(inputs[:3], inputs[3][:, 1:], weights[:, 1:])
        yield


def ours(training):
    """A generator that makes a step of ours on one batch each time."""
    fed = training.feed(0)
    while True:
        training.step(fed)
        yield


def loop(training, directory):
    """A generator that makes a step of the loop each time."""
    writer = Writer(training, directory, 0, training.settings.steps, 1, 10, None, None, lambda line: None)
    for step, fed in prefetched(training.feed, 0, training.settings.steps):
        writer.after(step + 1, training.step(fed), fed, False)
        yield


def make(args, folder):
    """The Training of a random model on the text."""
    documents = chapters()
    words = collections.Counter(u' '.join(documents).lower().split())
    tokens = [u'[PAD]', u'[UNK]', u'[CLS]', u'[SEP]', u'[MASK]'] + [word for word, _ in words.most_common(WORDS)]
    text, vocab = [os.path.join(folder, name) for name in ('text.txt', 'vocab.txt')]
    for path, content in ((text, u'\n\n'.join(documents)), (vocab, u'\n'.join(tokens))):
        with io.open(path, 'wb') as stream:
            stream.write(content.encode('ascii') + b'\n')
    build_corpus([text], vocab, os.path.join(folder, 'corpus'), length=LENGTH, workers=0)
    config = {'vocab_size': len(tokens), 'hidden_size': args.hidden, 'num_hidden_layers': args.layers,
              'num_attention_heads': args.hidden // 64, 'intermediate_size': 4 * args.hidden,
              'max_position_embeddings': LENGTH, 'type_vocab_size': 2, 'hidden_act': 'gelu',
              'hidden_dropout_prob': 0.0, 'attention_probs_dropout_prob': 0.0, 'initializer_range': 0.02}
    return Training(Settings(config, [os.path.join(folder, 'corpus')], 1 << 20, args.rows))


def measure(args, folder):
    """Prints the table."""
    training = make(args, folder)
    contenders = collections.OrderedDict([
        ('plain step of Keras', plain(training)), ('step of ours', ours(training)),
        ('the loop', loop(training, folder))])
    seconds = {name: [] for name in contenders}
    for number in range(args.rounds + 1):
        for name, steps in contenders.items():
            wall, cpu = time.time(), time.process_time()
            for _ in range(args.steps if number else 3):
                next(steps)
            if number:
                seconds[name].append([(time.time() - wall) / args.steps, (time.process_time() - cpu) / args.steps])
    print('| | wall s | CPU s | tokens a second | CPU s beside the plain step |\n|---|---|---|---|---|')
    medians = {name: np.median(found, axis=0) for name, found in seconds.items()}
    for name, (wall, cpu) in medians.items():
        more = 100 * (cpu / medians['plain step of Keras'][1] - 1)
        print('| %s | %.4f | %.4f | %.0f | %+.1f%% |' % (name, wall, cpu, args.rows * LENGTH / wall, more))


def main():
    """Measures, in a scratch directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (('layers', 4), ('hidden', 256), ('rows', 16), ('rounds', 7), ('steps', 20)):
        parser.add_argument('--' + name, type=int, default=default)
    folder = tempfile.mkdtemp()
    try:
        measure(parser.parse_args(), folder)
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    main()
