# -*- coding: utf-8 -*-
"""Classifies texts as classify.py does, and trains with R-Drop: what dropout hides may not change the answer.

Each text is twice in a batch, and dropout differs from row to row, so the model gives two answers, p1 and p2. The loss
of a text (https://arxiv.org/abs/2106.14448) holds both to the label and to one another:

    - ln p1(label) - ln p2(label) + alpha / 2 * (KL(p1 || p2) + KL(p2 || p1))

    python examples/r_drop.py                               trains, measures, saves and loads again
    python examples/r_drop.py --model DIR --data FILE       a release of yours; lines of "text TAB class"
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras import backend
from bert4keras.backend import kops
from bert4keras.bert import build_bert_model
from bert4keras.generators import BucketedBatches
from bert4keras.losses import CrossEntropy
from bert4keras.optimizers import AdamW, WarmupLinear
from common import arguments, check_reloading, open_start, predict, say
from data import sentiment, split
from metrics import accuracy, majority


class TwiceEach(BucketedBatches):
    """Batches of classes in which each text is two rows, one after the other: 2 * batch_size rows."""

    def __getitem__(self, index):
        inputs, labels = super(TwiceEach, self).__getitem__(index)
        return backend.in_batch([np.repeat(ids, 2, axis=0) for ids in inputs]), np.repeat(labels, 2, axis=0)


class RDrop(CrossEntropy):
    """The loss of R-Drop, for the batches of `TwiceEach`.

    Args:
        alpha: float, at least 0: how much the two answers are held to one another.

    Call: labels [2 B], logits [2 B, C] -> [2 B]: the loss of each text, once for each of its rows.
    """

    def __init__(self, alpha=1.0):
        super(RDrop, self).__init__(from_logits=True)
        if not 0 <= alpha < float('inf'):
            raise ValueError('alpha must be a number of at least 0, not %r' % (alpha,))
        self.alpha = alpha

    def call(self, labels, logits):
        rows = super(RDrop, self).call(labels, logits)  # [2 B]: - ln p of the label
        logits = kops.cast(logits, 'float32')  # in half precision there are too few digits
        first, second = kops.log_softmax(logits[0::2]), kops.log_softmax(logits[1::2])  # [B, C]
        both_ways = kops.sum((kops.exp(first) - kops.exp(second)) * (first - second), axis=-1)  # the sum of both KL
        return kops.repeat(rows[0::2] + rows[1::2] + self.alpha / 2 * both_ways, 2, axis=0)

    def get_config(self):
        return {'alpha': self.alpha}


def main(argv=None):
    """Trains and measures; returns (accuracy, accuracy of the majority's class)."""
    parser = arguments(__doc__, epochs=2, examples=640)
    parser.add_argument('--alpha', type=float, default=1.0, help='how much the two answers to a text are held to one '
                        'another (%(default)s); the paper takes 0.1 to 1 to fine-tune, 5 to train a translator')
    args = parser.parse_args(argv)
    loss = RDrop(args.alpha)
    rows = sentiment(args.data)
    classes = sorted({label for _, label in rows})
    train, test = split(rows, args.examples, args.seed)
    start = open_start(args, [text for text, _ in train])
    model = build_bert_model(start.model, labels=classes)  # logits [B, classes]

    def batches_of(rows, kind):
        texts, labels = zip(*rows)
        return kind(model, start.tokenizer, texts, [classes.index(label) for label in labels], args.batch_size,
                    args.max_length, seed=args.seed)

    batches, test_batches = batches_of(train, TwiceEach), batches_of(test, BucketedBatches)
    steps = start.epochs * len(batches)
    optimizer = AdamW(WarmupLinear(start.rate, steps // 10, steps), weight_decay=0.01,
                      exclude_from_weight_decay=('bias', 'Norm'), global_clipnorm=1.0)
    model.compile(optimizer, loss)
    model.fit(batches, epochs=start.epochs, shuffle=False, verbose=2)

    answers = [classes[logits.argmax()] for logits in predict(model, test_batches)]
    expected = [label for _, label in test]
    most = majority([label for _, label in train])
    result, baseline = accuracy(answers, expected), accuracy([most] * len(test), expected)
    for (text, label), answer in list(zip(test, answers))[:4]:
        say(u'%s (%s)  %s' % (answer, label, text[:70]))
    say('Accuracy on %d texts: %.3f; always saying %s: %.3f' % (len(test), result, most, baseline))
    check_reloading(model, test_batches, args.save)
    return result, baseline


if __name__ == '__main__':
    main()
