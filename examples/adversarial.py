# -*- coding: utf-8 -*-
"""Classifies texts as classify.py does, and trains on adversarial embeddings as well: the fast gradient method.

Each batch is read twice, the second time with a table of word embeddings that is moved by epsilon * g / ||g||, where
g is the gradient of the loss by that table. Both gradients together are one update, of weights that were not moved.

The method is that of https://arxiv.org/abs/1605.07725, which moves the embedded words of each text on their own, and
norms the table beforehand. Here the table itself is moved, the same for all texts of a batch, as is usual for BERT.

It needs nothing of any engine: an optimizer that accumulates two batches keeps the gradient of the first one.

    python examples/adversarial.py                          trains, measures, saves and loads again
    python examples/adversarial.py --model DIR --data FILE  a release of yours; lines of "text TAB class"
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras import backend
from bert4keras.bert import build_bert_model
from bert4keras.losses import CrossEntropy
from bert4keras.optimizers import AdamW, WarmupLinear
from bert4keras.snippets import BucketedBatches
from common import arguments, check_reloading, open_start, predict, say
from data import sentiment, split
from metrics import accuracy, majority


def step(model, inputs, labels, epsilon):
    """One update by the mean of two gradients, which Adam takes as it takes their sum.

    Args:
        model: compiled with an optimizer of `accumulate=2` that has used all gradients so far, and under which the
            word embeddings do not decay, or what they are moved by would decay with them.
        inputs, labels: a batch.
        epsilon: float, the length of the move.

    Returns:
        float, the loss before anything is moved.
    """
    table = model.get_layer('Embedding-Token').weights[0]  # [V, E]
    loss = model.train_on_batch(inputs, labels)  # no update yet
    gradient = waiting_gradient(model.optimizer, table)
    move = epsilon * gradient / max(np.linalg.norm(gradient), 1e-12)
    add(table, move)
    model.train_on_batch(inputs, labels)  # adds its gradients to those of before, and updates
    add(table, -move)
    return float(loss)


def waiting_gradient(optimizer, variable):
    """The sum of the gradients of a variable that an accumulating optimizer has taken, but not yet used: an array."""
    place = [known is variable for known in optimizer.state.variables].index(True)
    return backend.get_values([optimizer.state.slots['sum'][place]])[0]


def add(variable, move):
    """Adds an array to a variable."""
    backend.set_values([(variable, backend.get_values([variable])[0] + move)])


def main(argv=None):
    """Trains and measures; returns (accuracy, accuracy of the majority's class)."""
    parser = arguments(__doc__, epochs=2, examples=640)
    parser.add_argument('--epsilon', type=float, default=0.1,
                        help='how far the table of word embeddings is moved, as a Euclidean norm (%(default)s); '
                        'too far, and a small model with random weights learns nothing')
    args = parser.parse_args(argv)
    if not 0 <= args.epsilon < float('inf'):
        raise ValueError('epsilon must be a number of at least 0, not %r' % args.epsilon)
    rows = sentiment(args.data)
    classes = sorted({label for _, label in rows})
    train, test = split(rows, args.examples, args.seed)
    start = open_start(args, [text for text, _ in train])
    model = build_bert_model(start.model, labels=classes)  # logits [B, classes]

    def batches_of(rows):
        texts, labels = zip(*rows)
        return BucketedBatches(model, start.tokenizer, texts, [classes.index(label) for label in labels],
                               args.batch_size, args.max_length, seed=args.seed)

    batches, test_batches = batches_of(train), batches_of(test)
    updates = start.epochs * len(batches)
    optimizer = AdamW(WarmupLinear(start.rate, updates // 10, updates), weight_decay=0.01, accumulate=2,
                      exclude_from_weight_decay=('bias', 'Norm', 'Embedding-Token'), global_clipnorm=1.0)
    model.compile(optimizer, CrossEntropy(from_logits=True))
    for epoch in range(start.epochs):
        batches.epoch = epoch
        losses = [step(model, inputs, labels, args.epsilon)
                  for inputs, labels in (batches[index] for index in range(len(batches)))]
        say('Epoch %d of %d: loss %.4f' % (epoch + 1, start.epochs, np.mean(losses)))

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
