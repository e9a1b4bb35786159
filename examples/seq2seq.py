# -*- coding: utf-8 -*-
"""Sequence to sequence with one BERT: it learns to write dates as numbers, the third of May 1987 as 1987-05-03.

With UniLM's mask (https://arxiv.org/abs/1905.03197) the tokens of the source see each other, those of the target see
the source and what precedes them. The loss is over the target alone, and beam search writes it.

    python examples/seq2seq.py                             trains, measures, saves and loads again
    python examples/seq2seq.py --model DIR --data FILE     a BERT of yours; lines of "source TAB target"
"""
from __future__ import absolute_import, division, print_function

from bert4keras.bert import build_bert_model
from bert4keras.decoding import TextGenerator
from bert4keras.losses import CrossEntropy, seq2seq_labels
from bert4keras.optimizers import AdamW, WarmupLinear
from bert4keras.snippets import BucketedBatches
from common import arguments, check_reloading, open_start, say
from data import rewritten, split
from metrics import accuracy, majority


def main(argv=None):
    """Trains and measures; returns (share of exact matches, that of the most frequent target)."""
    args = arguments(__doc__, epochs=2, examples=2000).parse_args(argv)
    train, test = split(rewritten(args.data), args.examples, args.seed)
    test = test[:200]
    start = open_start(args, [text for pair in train for text in pair], needs_words=True)
    model = build_bert_model(start.model, application='seq2seq', with_mlm='linear')

    def batches_of(rows):
        return BucketedBatches(model, start.tokenizer, rows, seq2seq_labels, args.batch_size, args.max_length,
                               seed=args.seed)

    batches, test_batches = batches_of(train), batches_of(test)
    steps = start.epochs * len(batches)
    model.compile(AdamW(WarmupLinear(start.rate, steps // 10, steps)), CrossEntropy(from_logits=True))
    model.fit(batches, epochs=start.epochs, shuffle=False, verbose=2)

    writer = TextGenerator(model, start.tokenizer)
    decode = start.tokenizer.decode
    expected = [decode(start.tokenizer.encode(target)[0]) for _, target in test]  # spaced as what is written
    longest = max(len(start.tokenizer.encode(target)[0]) for _, target in train)
    written = writer.beam_search([source for source, _ in test], beams=4, max_length=longest)
    for (source, target), text in zip(test[:5], written):
        say('%s -> %s' % (source, text))
    most = majority([decode(start.tokenizer.encode(target)[0]) for _, target in train])
    result, baseline = accuracy(written, expected), accuracy([most] * len(test), expected)
    say('Exactly right of %d texts: %.3f; always writing "%s": %.3f' % (len(test), result, most, baseline))
    check_reloading(model, test_batches, args.save)
    return result, baseline


if __name__ == '__main__':
    main()
