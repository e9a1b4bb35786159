# -*- coding: utf-8 -*-
"""Trains parts of a model: which layers, at which rates, and a head on what inner layers return.

Four ways to fine-tune, on the same texts (examples/adapters.py is a fifth):

    all             every weight at one rate
    rates           every weight, but each block at 0.8 times the rate of the one above it (ULMFiT,
                    https://arxiv.org/abs/1801.06146, Section 3.2): AdamW's `layer_decay`
    upper-half      embeddings and the lower half of the blocks stay as they are
    inner-layers    all of BERT stays as it is; the new head sees [CLS] after every block, not after the last alone

    python examples/freeze.py                               trains, measures, saves and loads again
    python examples/freeze.py --model DIR --data FILE       a BERT of yours; lines of "text TAB class"
"""
from __future__ import absolute_import, division, print_function

import re
import time

import numpy as np

from bert4keras.backend import keras
from bert4keras.bert import build_bert_model
from bert4keras.layers import BertDense, BertFirstToken
from bert4keras.losses import CrossEntropy
from bert4keras.optimizers import AdamW, WarmupLinear
from bert4keras.snippets import BucketedBatches
from common import arguments, check_reloading, open_start, predict, say
from data import sentiment, split
from metrics import accuracy, majority


def block_of(layer):
    """The number of the block that a layer is in, from 1; 0 for the embeddings, None for a head."""
    match = re.match(r'Encoder-(\d+)-', layer.name)
    return int(match.group(1)) if match else 0 if layer.name.startswith('Embedding') else None


def freeze(model, blocks):
    """Leaves the embeddings and the first `blocks` blocks as they are; call it before `compile`."""
    for layer in model.layers:
        if block_of(layer) is not None and block_of(layer) <= blocks:
            layer.trainable = False
    return model


def number_of_blocks(model):
    return max(block_of(layer) or 0 for layer in model.layers)


def with_inner_layers(release, classes):
    """A head on [CLS] after each block of a BERT that stays as it is: logits [B, classes]."""
    encoder = build_bert_model(release)
    blocks = [encoder.get_layer('Encoder-%d-FeedForward-Norm' % (index + 1)).output  # [B, T, D]
              for index in range(number_of_blocks(encoder))]
    first = [BertFirstToken(name='First-%d' % index)(block) for index, block in enumerate(blocks, 1)]  # [B, D]
    x = keras.layers.Concatenate(name='All-Blocks')(first)
    model = keras.models.Model(encoder.inputs, BertDense(len(classes), name='Classifier')(x))
    return freeze(model, number_of_blocks(model))


def upper_half(release, classes):
    """The usual classifier, of which embeddings and the lower half of the blocks stay as they are."""
    model = build_bert_model(release, labels=classes)
    return freeze(model, number_of_blocks(model) // 2)


def whole(release, classes):
    """The usual classifier, all of which trains."""
    return build_bert_model(release, labels=classes)


# name, model, how many times the usual rate, arguments of the optimizer
WAYS = [('all', whole, 1, {}), ('rates', whole, 1, {'layer_decay': 0.8}), ('upper-half', upper_half, 1, {}),
        # a new head alone learns at a much higher rate, and has no norm to exclude
        ('inner-layers', with_inner_layers, 20, {'exclude_from_weight_decay': ('bias',)})]


def main(argv=None):
    """Trains in each way and measures; returns (best accuracy, accuracy of the majority's class)."""
    parser = arguments(__doc__, epochs=2, examples=320)
    parser.add_argument('--ways', nargs='+', metavar='WAY', choices=[way[0] for way in WAYS],
                        default=[way[0] for way in WAYS], help='which of the four, by default all')
    args = parser.parse_args(argv)
    rows = sentiment(args.data)
    classes = sorted({label for _, label in rows})
    train, test = split(rows, args.examples, args.seed)
    start = open_start(args, [text for text, _ in train])
    expected, results = [label for _, label in test], []
    for name, build, times, options in [way for way in WAYS if way[0] in args.ways]:
        model = build(start.model, classes)
        batches, test_batches = [
            BucketedBatches(model, start.tokenizer, [text for text, _ in part],
                            [classes.index(label) for _, label in part], args.batch_size, args.max_length,
                            seed=args.seed) for part in (train, test)]
        steps = start.epochs * len(batches)
        model.compile(AdamW(WarmupLinear(start.rate * times, steps // 10, steps), **options),
                      CrossEntropy(from_logits=True))
        began = time.time()
        model.fit(batches, epochs=start.epochs, shuffle=False, verbose=0)
        answers = [classes[logits.argmax()] for logits in predict(model, test_batches)]
        results.append(accuracy(answers, expected))
        trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        say('%-14s accuracy %.3f, %9d of %d weights trained in %.1f s'
            % (name, results[-1], trained, model.count_params(), time.time() - began))
    most = majority([label for _, label in train])
    baseline = accuracy([most] * len(test), expected)
    say('Always saying %s: %.3f, of %d texts' % (most, baseline, len(test)))
    check_reloading(model, test_batches, args.save)
    return max(results), baseline


if __name__ == '__main__':
    main()
