# -*- coding: utf-8 -*-
"""A language model from BERT: no token sees what follows it, each predicts the next one, and new texts are drawn.

    python examples/language_model.py                             trains, measures, writes, saves and loads again
    python examples/language_model.py --model DIR --data FILE     a BERT of yours; a text on each line
"""
from __future__ import absolute_import, division, print_function

from bert4keras.bert import build_bert_model
from bert4keras.decoding import TextGenerator
from bert4keras.losses import CrossEntropy, lm_labels
from bert4keras.optimizers import AdamW, WarmupLinear
from bert4keras.snippets import BucketedBatches
from common import arguments, check_reloading, open_start, predict, say
from data import sentences, split
from metrics import accuracy, majority


def next_tokens(model, batches):
    """(the likeliest tokens, those that are there), one for each token of a BucketedBatches but the first ones."""
    answers, expected = [], []
    for (token_ids, _), logits in zip(batches.rows, predict(model, batches)):
        answers.extend(logits[:len(token_ids) - 1].argmax(axis=-1).tolist())
        expected.extend(token_ids[1:].tolist())
    return answers, expected


def main(argv=None):
    """Trains and measures; returns (accuracy of the next token, that of the most frequent one)."""
    args = arguments(__doc__, epochs=6, examples=1000).parse_args(argv)
    train, test = split(sentences(args.data), args.examples, args.seed)
    start = open_start(args, train, needs_words=True)
    model = build_bert_model(start.model, application='lm', with_mlm='linear')

    def batches_of(texts):
        return BucketedBatches(model, start.tokenizer, texts, lm_labels, args.batch_size, args.max_length,
                               seed=args.seed)

    batches, test_batches = batches_of(train), batches_of(test)
    steps = start.epochs * len(batches)
    model.compile(AdamW(WarmupLinear(start.rate, steps // 10, steps)), CrossEntropy(from_logits=True))
    model.fit(batches, epochs=start.epochs, shuffle=False, verbose=2)

    writer = TextGenerator(model, start.tokenizer)
    beginning = test[0][:len(test[0]) // 2]
    beginning = beginning.rpartition(' ')[0] or beginning  # not within a word
    for text in writer.sample(['', '', beginning], top_p=0.9, seed=args.seed, max_length=args.max_length // 2):
        say('Drawn: %s' % text)
    say('The last one goes on with: %s' % beginning)
    answers, expected = next_tokens(model, test_batches)
    most = majority([token_id for token_ids, _ in batches.rows for token_id in token_ids[1:].tolist()])
    result, baseline = accuracy(answers, expected), accuracy([most] * len(expected), expected)
    say('Accuracy of the next of %d tokens: %.3f; always saying "%s": %.3f'
        % (len(expected), result, start.tokenizer.id_to_token(most), baseline))
    check_reloading(model, test_batches, args.save)
    return result, baseline


if __name__ == '__main__':
    main()
