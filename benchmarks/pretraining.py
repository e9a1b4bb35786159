# -*- coding: utf-8 -*-
"""A tiny BERT trained from scratch on real text for some minutes: what it guesses, beside counting words.

    python -m benchmarks.pretraining --output DIR [--steps 4000]

The text is text/kings.txt.gz. A document is a chapter; every twentieth is held out. The vocabulary is the 2,000 most
frequent words and the characters. Printed is the share of the masked tokens of the held-out text that is guessed right,
by the model and by counting the text that it was trained on, see counting.py. DIR gets all that `bert4keras pretrain`
writes, and learning.png. The same command goes on with a training that was stopped.

Rows are of 16 tokens as each position learns by itself where its neighbours are: in rows of 32, of which a batch of as
many tokens has half, it takes much longer until more is guessed than a neighbour alone tells.
"""
from __future__ import absolute_import, division, print_function

import argparse
import collections
import csv
import io
import json
import os
import re
import sys

from benchmarks.counting import chapters, counted
from bert4keras.pretraining.corpus import build_corpus
from bert4keras.pretraining.training import Settings, pretrain

LENGTH, BATCH, WORDS, HELD_OUT, SEED = 16, 64, 2000, 20, 1
CONFIG = {'hidden_size': 128, 'num_hidden_layers': 2, 'num_attention_heads': 4, 'intermediate_size': 512,
          'max_position_embeddings': LENGTH, 'type_vocab_size': 2, 'hidden_act': 'gelu', 'hidden_dropout_prob': 0.0,
          'attention_probs_dropout_prob': 0.0, 'initializer_range': 0.08}  # about 128 ** -0.5: 0.02 is for 768 hidden


# ------------------------------------------------------------------ the text

def vocabulary(documents):
    """The special tokens, all characters, alone and inside words, and the most frequent words."""
    words = collections.Counter(re.findall(u'[a-z]+|[^a-z\\s]', u' '.join(documents).lower()))
    characters = sorted(set(u''.join(words)))
    longer = sorted((word for word in words if len(word) > 1), key=lambda word: (-words[word], word))
    return ([u'[PAD]', u'[UNK]', u'[CLS]', u'[SEP]', u'[MASK]'] + characters
            + [u'##' + character for character in characters] + longer[:WORDS])


def make(output):
    """Writes text, vocabulary, config and corpora; returns the paths of config and the two corpora."""
    if not os.path.isdir(output):
        os.makedirs(output)
    documents = chapters()
    parts = collections.OrderedDict([
        ('training', [document for number, document in enumerate(documents) if number % HELD_OUT]),
        ('held_out', documents[::HELD_OUT])])
    tokens = vocabulary(parts['training'])
    config, vocab = [os.path.join(output, name) for name in ('bert_config.json', 'vocab.txt')]
    for path, text in ((config, json.dumps(dict(CONFIG, vocab_size=len(tokens)))), (vocab, u'\n'.join(tokens) + u'\n')):
        with io.open(path, 'wb') as stream:
            stream.write(text.encode('ascii'))
    for name, part in parts.items():
        path = os.path.join(output, name + '.txt')
        with io.open(path, 'wb') as stream:
            stream.write(u'\n\n'.join(part).encode('ascii') + b'\n')
        made = build_corpus([path], vocab, os.path.join(output, name), length=LENGTH)
        print('%s: %d chapters, %d tokens, %d rows' % (name, len(part), made['text_tokens'], made['rows']))
    return [config] + [os.path.join(output, name) for name in parts]


# ------------------------------------------------------------------ training

def draw(directory, shares):
    """Draws the share that the model guesses, and those of counting, as learning.png; needs Matplotlib."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for name, label, style in (('metrics.csv', 'training text', {'linewidth': 0.8}),
                               ('evaluation.csv', 'held-out text', {'marker': 'o'})):
        with io.open(os.path.join(directory, name), **({} if str is not bytes else {'mode': 'rb'})) as stream:
            rows = list(csv.DictReader(stream))
        axes.plot([int(row['step']) for row in rows], [100 * float(row['word_accuracy']) for row in rows],
                  label='the model, on ' + label, **style)
    for (name, share), color in zip(shares.items(), ('0.7', '0.5', '0.3', 'black')):
        axes.axhline(100 * share, label=name, color=color, linestyle='--', linewidth=1)
    axes.set_xlabel('step')
    axes.set_ylabel('% of the masked tokens guessed')
    axes.set_ylim(bottom=0)
    axes.legend(fontsize='small', loc='lower right')
    figure.savefig(os.path.join(directory, 'learning.png'), dpi=100, bbox_inches='tight')


def main():
    """Trains, and prints what is guessed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--output', required=True)
    parser.add_argument('--steps', type=int, default=4000)
    parser.add_argument('--learning-rate', type=float, default=3e-3)
    args = parser.parse_args()
    config, training, held_out = make(args.output)
    shares = counted(training, held_out, SEED)
    for name, share in shares.items():
        print('%s: %.2f%%' % (name, 100 * share))
    sys.stdout.flush()
    settings = Settings(config, [training], args.steps, BATCH, learning_rate=args.learning_rate, seed=SEED)
    trained = os.path.join(args.output, 'trained')
    pretrain(settings, trained, save_every=max(1, args.steps // 10), log_every=50, evaluation=held_out,
             report=lambda line: (print(line), sys.stdout.flush()))
    draw(trained, shares)


if __name__ == '__main__':
    main()
