# -*- coding: utf-8 -*-
"""Changes the inside of every block and still loads official weights: adapters.

An adapter (https://arxiv.org/abs/1902.00751) is a bottleneck of two small dense layers after each half
of a block, before the residual is added. The official weights stay as they are; only the adapters, the
norms and the new head are trained. Here they learn to tell questions from statements.

    python examples/adapters.py                             trains, measures, saves and loads again
    python examples/adapters.py --model DIR --data FILE     a BERT of yours; lines of "text TAB class"
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.backend import keras
from bert4keras.bert import BertModel, build_bert_model
from bert4keras.layers import BertDense, BertFirstToken
from bert4keras.losses import CrossEntropy
from bert4keras.optimizers import AdamW, WarmupLinear
from bert4keras.snippets import BucketedBatches
from common import arguments, check_reloading, open_start, predict, say
from data import questions, split
from metrics import accuracy, majority


class BertWithAdapters(BertModel):
    """BERT with an adapter in each half of each block."""

    adapter_size = 16

    def add_and_norm(self, x, y, name):
        """norm(x + y + adapter(y)) in place of norm(x + y); x and y are [B, T, D]."""
        z = self.layer(BertDense, name + '-Adapter-Down', units=self.adapter_size, activation=self.activation)(y)
        z = self.layer(BertDense, name + '-Adapter-Up', units=self.config['hidden_size'],
                       initializer_range=1e-4)(z)  # so small that BERT starts out unchanged
        y = self.add(y, z, name + '-Adapter-Add')
        return super(BertWithAdapters, self).add_and_norm(x, y, name)


def build(release, classes):
    """A classifier, logits [B, classes], that trains its adapters, norms and head alone."""
    encoder = build_bert_model(release, model=BertWithAdapters)
    for layer in encoder.layers:
        layer.trainable = 'Adapter' in layer.name or layer.name.endswith('-Norm')
    first = BertFirstToken(name='Classified')(encoder.output)
    return keras.models.Model(encoder.inputs, BertDense(classes, name='Classifier')(first))


def main(argv=None):
    """Trains and measures; returns (accuracy, accuracy of the majority's class)."""
    args = arguments(__doc__, epochs=2, examples=320).parse_args(argv)
    rows = questions(args.data)
    classes = sorted({label for _, label in rows})
    train, test = split(rows, args.examples, args.seed)
    start = open_start(args, [text for text, _ in train])
    model = build(start.model, len(classes))

    def batches_of(rows):
        texts, labels = zip(*rows)
        return BucketedBatches(model, start.tokenizer, texts, [classes.index(label) for label in labels],
                               args.batch_size, args.max_length, seed=args.seed)

    batches, test_batches = batches_of(train), batches_of(test)
    steps = start.epochs * len(batches)
    model.compile(AdamW(WarmupLinear(20 * start.rate, steps // 10, steps)),  # so few weights want a higher rate
                  CrossEntropy(from_logits=True))
    model.fit(batches, epochs=start.epochs, shuffle=False, verbose=2)

    answers = [classes[logits.argmax()] for logits in predict(model, test_batches)]
    expected = [label for _, label in test]
    most = majority([label for _, label in train])
    result, baseline = accuracy(answers, expected), accuracy([most] * len(test), expected)
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    say('Trained %d of %d weights' % (trained, model.count_params()))
    say('Accuracy on %d texts: %.3f; always saying "%s": %.3f' % (len(test), result, most, baseline))
    check_reloading(model, test_batches, args.save)
    return result, baseline


if __name__ == '__main__':
    main()
