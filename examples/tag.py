# -*- coding: utf-8 -*-
"""Tags words: from where to where does somebody want to fly, and when?

A word may become several tokens. The first one has the word's tag, the others have none, and do not count in the loss.

    python examples/tag.py                                  trains, measures, saves and loads again
    python examples/tag.py --model DIR --data FILE          a release of yours; lines of "word TAB tag", BIO,
                                                            and an empty line after each text
"""
from __future__ import absolute_import, division, print_function

import collections

from bert4keras.bert import build_bert_model
from bert4keras.losses import NO_LABEL, CrossEntropy
from bert4keras.optimizers import AdamW, WarmupLinear
from bert4keras.snippets import BucketedBatches
from common import arguments, check_reloading, open_start, predict, say
from data import split, tagged
from metrics import chunk_scores, majority

Encoded = collections.namedtuple('Encoded', 'token_ids segment_ids first_tokens')


def encode(tokenizer, words, max_length):
    """Words as ids, and the index of each word's first token, None of a word that was cut off or has no token."""
    token_ids, segment_ids, spans = tokenizer.encode(u' '.join(words), max_length=max_length, offsets=True)
    first_tokens, word, end = [None] * len(words), -1, 0
    for token, span in enumerate(spans):
        while span[1] > end:  # the token is of a later word; `end` is where the word ends in the text
            word += 1
            end += len(words[word]) + (word > 0)
        if span[1] and first_tokens[word] is None:
            first_tokens[word] = token
    return Encoded(token_ids, segment_ids, first_tokens)


def labels_of(text, tags, kinds):
    """The label of each token: the number of its word's tag among `kinds`, or NO_LABEL."""
    labels = [NO_LABEL] * len(text.token_ids)
    for token, tag in zip(text.first_tokens, tags):
        if token is not None:
            labels[token] = kinds.index(tag)
    return labels


def most_frequent_tags(train, test):
    """The tags of the texts if each word had that which it had most often in training, and unknown words O."""
    seen = collections.defaultdict(list)
    for words, tags in train:
        for word, tag in zip(words, tags):
            seen[word].append(tag)
    return [[majority(seen[word]) if word in seen else 'O' for word in words] for words, _ in test]


def main(argv=None):
    """Trains and measures; returns (F1, F1 of the most frequent tags)."""
    args = arguments(__doc__, epochs=3, examples=320).parse_args(argv)
    rows = tagged(args.data)
    kinds = sorted({tag for _, tags in rows for tag in tags})
    train, test = split(rows, args.examples, args.seed)
    start = open_start(args, [u' '.join(words) for words, _ in train])
    model = build_bert_model(start.model, head='tokens', labels=kinds)  # logits [B, T, kinds]

    def batches_of(rows):
        texts = [encode(start.tokenizer, words, args.max_length) for words, _ in rows]
        labels = [labels_of(text, tags, kinds) for text, (_, tags) in zip(texts, rows)]
        return texts, BucketedBatches(model, None, [text[:2] for text in texts], labels, args.batch_size,
                                      seed=args.seed)

    _, batches = batches_of(train)
    test_texts, test_batches = batches_of(test)
    steps = start.epochs * len(batches)
    optimizer = AdamW(WarmupLinear(start.rate, steps // 10, steps), weight_decay=0.01,
                      exclude_from_weight_decay=('bias', 'Norm'), global_clipnorm=1.0)
    model.compile(optimizer, CrossEntropy(from_logits=True))
    model.fit(batches, epochs=start.epochs, shuffle=False, verbose=2)

    answers = [['O' if token is None else kinds[logits[token].argmax()] for token in text.first_tokens]
               for text, logits in zip(test_texts, predict(model, test_batches))]
    expected = [tags for _, tags in test]
    precision, recall, result = chunk_scores(answers, expected)
    baseline = chunk_scores(most_frequent_tags(train, test), expected)[2]
    for (words, _), answer in list(zip(test, answers))[:2]:
        say(u' '.join(word if tag == 'O' else u'%s/%s' % (word, tag) for word, tag in zip(words, answer)))
    say('Chunks of %d texts: precision %.3f, recall %.3f, F1 %.3f; with the most frequent tag of each word: F1 %.3f'
        % (len(test), precision, recall, result, baseline))
    check_reloading(model, test_batches, args.save)
    return result, baseline


if __name__ == '__main__':
    main()
