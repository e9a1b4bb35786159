# -*- coding: utf-8 -*-
"""Reads: finds the answer to a question in a passage, as in SQuAD (https://arxiv.org/abs/1606.05250).

The model says of each token how likely it begins the answer, and how likely it ends it. The best pair of the two is
the answer, and the tokens' places in the passage lead back to its text.

    python examples/read.py                                 trains, measures, saves and loads again
    python examples/read.py --model DIR --data FILE         a release of yours; lines of "question TAB passage TAB
                                                            answer", which is in the passage
"""
from __future__ import absolute_import, division, print_function

import collections

from bert4keras.bert import build_bert_model
from bert4keras.losses import CrossEntropy
from bert4keras.optimizers import AdamW, WarmupLinear
from bert4keras.snippets import BucketedBatches
from common import arguments, check_reloading, open_start, predict, say
from data import passages, split
from metrics import answer_scores, best_span, majority

Encoded = collections.namedtuple('Encoded', 'token_ids segment_ids spans is_passage')


def encode(tokenizer, question, passage, max_length):
    """The two as ids, and of each token its place in the passage, if it is of the passage."""
    token_ids, segment_ids, spans = tokenizer.encode(question, passage, max_length=max_length, offsets=True)
    is_passage = [segment == 1 and end > 0 for segment, (_, end) in zip(segment_ids, spans)]
    return Encoded(token_ids, segment_ids, spans, is_passage)


def label_of(text, passage, answer):
    """The first and the last token of the answer's first place in the passage; None if it was cut off."""
    start = passage.index(answer)
    tokens = [token for token, (begin, end) in enumerate(text.spans)
              if text.is_passage[token] and begin < start + len(answer) and end > start]
    is_whole = tokens and text.spans[tokens[-1]][1] >= start + len(answer)
    return [tokens[0], tokens[-1]] if is_whole else None


def answer_of(text, passage, scores):
    """The part of the passage with the best scores [2, T]; nothing if all of the passage was cut off."""
    if not any(text.is_passage):
        return u''
    first, last = best_span(scores[:, :len(text.token_ids)], text.is_passage)
    return passage[text.spans[first][0]:text.spans[last][1]]


def main(argv=None):
    """Trains and measures; returns (F1, F1 of the most frequent answer)."""
    args = arguments(__doc__, epochs=4, examples=640, max_length=96).parse_args(argv)
    train, test = split(passages(args.data), args.examples, args.seed)
    start = open_start(args, [text for question, passage, _ in train for text in (question, passage)])
    model = build_bert_model(start.model, head='span')  # logits [B, 2, T]

    def encoded(rows):
        return [encode(start.tokenizer, question, passage, args.max_length) for question, passage, _ in rows]

    def batches_of(texts, labels):
        return BucketedBatches(model, None, [text[:2] for text in texts], labels, args.batch_size, seed=args.seed)

    texts, test_texts = encoded(train), encoded(test)
    labels = [label_of(text, passage, answer) for text, (_, passage, answer) in zip(texts, train)]
    whole = [index for index, label in enumerate(labels) if label]
    say('%d of %d answers are within the first %d tokens' % (len(whole), len(labels), args.max_length))
    batches = batches_of([texts[index] for index in whole], [labels[index] for index in whole])
    test_batches = batches_of(test_texts, [[0, 0]] * len(test))  # to predict takes no labels
    steps = start.epochs * len(batches)
    optimizer = AdamW(WarmupLinear(start.rate, steps // 10, steps), weight_decay=0.01,
                      exclude_from_weight_decay=('bias', 'Norm'), global_clipnorm=1.0)
    model.compile(optimizer, CrossEntropy(from_logits=True))
    model.fit(batches, epochs=start.epochs, shuffle=False, verbose=2)

    answers = [answer_of(text, passage, scores)
               for text, (_, passage, _), scores in zip(test_texts, test, predict(model, test_batches))]
    expected = [answer for _, _, answer in test]
    most = majority([answer for _, _, answer in train])
    (exact, result), (base_exact, baseline) = [answer_scores(these, expected)
                                               for these in (answers, [most] * len(test))]
    for (question, _, _), answer in list(zip(test, answers))[:4]:
        say(u'%s %s' % (question, answer))
    say(u'Answers to %d questions: %.3f exact, F1 %.3f; always answering "%s": %.3f exact, F1 %.3f'
        % (len(test), exact, result, most, base_exact, baseline))
    check_reloading(model, test_batches, args.save)
    return result, baseline


if __name__ == '__main__':
    main()
