# -*- coding: utf-8 -*-
"""Whether a long stream of sentences keeps its speed and its memory, with a small model on the Keras that runs.

    KERAS_BACKEND=jax python -m benchmarks stream [--sentences 1000000] [--parts 10] [--layers 2] [--hidden 64]

Sentences of random words, as many as their lengths say, which are drawn from a log-normal distribution: half of them
have fewer than 20 words, one in a hundred more than 100. `embed_corpus` of bert4keras.embedding makes files of vectors
of them; the drop-in's `extract_embeddings_generator`, of bert4keras.keras_bert, yields vectors. For each part of the
stream the table has tokens a second, of processor time, and the memory (RssAnon) at its end.
"""
from __future__ import absolute_import, division, print_function

import argparse
import io
import os
import shutil
import sys
import tempfile
import time

import numpy as np

from benchmarks.process import memory
from benchmarks.work import config_of
from tests.helpers.releases import make_release

WORDS, LONGEST = 8000, 120


def sentences(count, seed=0):
    """Yields so many sentences of random words."""
    draw = np.random.RandomState(seed)
    for start in range(0, count, 10000):
        lengths = np.clip(draw.lognormal(3.0, 0.7, min(10000, count - start)), 1, LONGEST).astype(int)
        words = iter(draw.randint(WORDS, size=lengths.sum()))
        for length in lengths:
            yield u' '.join(u'word%d' % next(words) for _ in range(length))


def make_model(args, directory):
    """Writes a small release whose vocabulary has the words."""
    vocab = [u'[PAD]', u'[UNK]', u'[CLS]', u'[SEP]', u'[MASK]']
    vocab += [u'word%d' % number for number in range(WORDS)]
    config = dict(config_of('tiny'), vocab_size=len(vocab), hidden_size=args.hidden, num_attention_heads=2,
                  num_hidden_layers=args.layers, intermediate_size=4 * args.hidden, max_position_embeddings=128,
                  hidden_act='gelu')
    make_release(directory, config=config, vocab=vocab)


class Parts(object):
    """Notes processor seconds and memory whenever another part of the sentences was computed."""

    def __init__(self, count, parts):
        self.each, self.done, self.parts = count / parts, 0, []
        self.began = time.process_time()

    def add(self, number):
        """So many more sentences were computed."""
        self.done += number
        if self.done > self.each * (1 + len(self.parts)) - 1:
            now = time.process_time()
            self.parts.append((now - self.began, memory() / 1e6))
            self.began = now


def embedding(args, directory):
    """[(CPU seconds, MB)] of the parts, by `embed_corpus`."""
    from bert4keras.embedding import Embedder
    from bert4keras.embedding.corpus import embed_corpus
    path, parts = os.path.join(directory, 'lines.txt'), Parts(args.sentences, args.parts)
    with io.open(path, 'w', encoding='ascii') as stream:
        stream.writelines(line + u'\n' for line in sentences(args.sentences))
    size = os.path.getsize(path)
    embed_corpus(Embedder(directory), [path], os.path.join(directory, 'vectors'),
                 progress=lambda taken: parts.add(taken / size * args.sentences))
    return parts.parts


def extracting(args, directory):
    """The same, by the drop-in."""
    from bert4keras.keras_bert import POOL_AVE, extract_embeddings_generator
    parts = Parts(args.sentences, args.parts)
    for _ in extract_embeddings_generator(directory, sentences(args.sentences), POOL_AVE, batch_size=32):
        parts.add(1)
    return parts.parts


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (('sentences', 10 ** 6), ('parts', 10), ('layers', 2), ('hidden', 64)):
        parser.add_argument('--' + name, type=int, default=value, help='%(default)s')
    args = parser.parse_args()
    from bert4keras.backend import describe
    tokens = [0] * args.parts
    for number, line in enumerate(sentences(args.sentences)):
        tokens[number * args.parts // args.sentences] += 2 + line.count(u' ') + 1
    print('%s: %d sentences, %d tokens; %d blocks of %d' % (describe(), args.sentences, sum(tokens), args.layers,
                                                           args.hidden))
    found = []
    for way in (embedding, extracting):
        directory = tempfile.mkdtemp()
        try:
            make_model(args, directory)
            found.append(way(args, directory))
        finally:
            shutil.rmtree(directory)
    print('| part | embed_corpus, tokens a CPU s | MB | extract_embeddings, tokens a CPU s | MB |')
    print('|---|---|---|---|---|')
    for number, (count, (first, second)) in enumerate(zip(tokens, zip(*found))):
        print('| %d | %.0f | %.0f | %.0f | %.0f |' % (number + 1, count / first[0], first[1], count / second[0],
                                                      second[1]))


if __name__ == '__main__':
    sys.exit(main())
