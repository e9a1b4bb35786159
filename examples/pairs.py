# -*- coding: utf-8 -*-
"""Compares texts: do two questions ask the same?

The two are one input, [CLS] first [SEP] second [SEP], so that every word of one sees every word of the other.
A model with random weights learns the pairs by heart and no more: what means the same it would have to know before.

    python examples/pairs.py                                trains, measures, saves and loads again
    python examples/pairs.py --model DIR --data FILE        a release of yours; lines of "text TAB text TAB class"
"""
from __future__ import absolute_import, division, print_function

from bert4keras.bert import build_bert_model
from bert4keras.losses import CrossEntropy
from bert4keras.optimizers import AdamW, WarmupLinear
from bert4keras.snippets import BucketedBatches
from common import arguments, check_reloading, open_start, predict, say
from data import similar_pairs, split
from metrics import accuracy, majority


def main(argv=None):
    """Trains and measures; returns (accuracy, accuracy of the majority's class)."""
    args = arguments(__doc__, epochs=3, examples=640).parse_args(argv)
    rows = similar_pairs(args.data)
    classes = sorted({label for _, _, label in rows})
    train, test = split(rows, args.examples, args.seed)
    start = open_start(args, [text for first, second, _ in train for text in (first, second)])
    model = build_bert_model(start.model, labels=classes)  # logits [B, classes]

    def batches_of(rows):
        pairs = [(first, second) for first, second, _ in rows]
        return BucketedBatches(model, start.tokenizer, pairs, [classes.index(label) for _, _, label in rows],
                               args.batch_size, args.max_length, seed=args.seed)

    batches, test_batches = batches_of(train), batches_of(test)
    steps = start.epochs * len(batches)
    optimizer = AdamW(WarmupLinear(start.rate, steps // 10, steps), weight_decay=0.01,
                      exclude_from_weight_decay=('bias', 'Norm'), global_clipnorm=1.0)
    model.compile(optimizer, CrossEntropy(from_logits=True))
    model.fit(batches, epochs=start.epochs, shuffle=False, verbose=2)

    answers = [classes[logits.argmax()] for logits in predict(model, test_batches)]
    expected = [label for _, _, label in test]
    most = majority([label for _, _, label in train])
    result, baseline = accuracy(answers, expected), accuracy([most] * len(test), expected)
    for (first, second, label), answer in list(zip(test, answers))[:4]:
        say(u'%s (%s)  %s | %s' % (answer, label, first[:40], second[:40]))
    say('Accuracy on %d pairs: %.3f; always saying %s: %.3f' % (len(test), result, most, baseline))
    check_reloading(model, test_batches, args.save)
    return result, baseline


if __name__ == '__main__':
    main()
