# -*- coding: utf-8 -*-
"""A small text, corpora of it in each mode, and a release to train, all of one vocabulary."""
from __future__ import absolute_import, division, print_function

import contextlib
import io
import socket

import numpy as np

from bert4keras.pretraining.corpus import build_corpus
from tests.helpers.releases import VOCABULARY, make_release

CHANGES = {'num_hidden_layers': 1, 'hidden_size': 12, 'num_attention_heads': 3, 'intermediate_size': 15,
           'hidden_dropout_prob': 0.15, 'attention_probs_dropout_prob': 0.25}
BATCH = 12


def write_text(folder, vocab, documents, lines):
    """Writes vocab.txt, and text.txt of words w0 to w59, some ending in "s" or "ed".

    Args:
        folder: pathlib path.
        vocab: list of tokens.
        documents: int.
        lines: the least number of lines of a document, and one more than the most.
    """
    with io.open(str(folder / 'vocab.txt'), 'wb') as stream:
        stream.write('\n'.join(vocab).encode('ascii'))
    random = np.random.RandomState(4)
    with io.open(str(folder / 'text.txt'), 'wb') as stream:
        for _ in range(documents):
            for _ in range(random.randint(*lines)):
                words = ['w%d%s' % (random.randint(60), random.choice(['', 's', 'ed']))
                         for _ in range(random.randint(3, 9))]
                stream.write((' '.join(words) + '\n').encode('ascii'))
            stream.write(b'\n')


def make_folder(folder):
    """Makes corpora called bert, roberta and albert in a directory, a pathlib path; and a release."""
    random = np.random.RandomState(5)
    with io.open(str(folder / 'text.txt'), 'w', encoding='ascii') as stream:
        for _ in range(14):
            for _ in range(random.randint(2, 6)):
                stream.write(u' '.join('word%d' % random.randint(90) for _ in range(random.randint(2, 8))) + u'\n')
            stream.write(u'\n')
    (folder / 'release').mkdir()
    make_release(folder / 'release', vocab=VOCABULARY, **CHANGES)
    for mode in ('bert', 'roberta', 'albert'):
        build_corpus([str(folder / 'text.txt')], str(folder / 'release'), str(folder / mode), mode=mode, length=16,
                     workers=0)


def settings(folder, mode='bert', **options):
    """Settings of a training from the release."""
    from bert4keras.pretraining.training import Settings  # which starts Keras
    options = dict({'steps': 6, 'batch_size': BATCH, 'learning_rate': 0.02, 'warmup': 0.5, 'seed': 3,
                    'start': str(folder / 'release')}, **options)
    return Settings(str(folder / 'release'), [str(folder / mode)], **options)


def without_dropout(fed):
    """What a step is fed with, and nothing dropped."""
    for inputs, _ in fed.parts:
        inputs[-1][:, 2] = 0
    return fed


def free_port():
    """The number of a port that is free now."""
    with contextlib.closing(socket.socket()) as each:
        each.bind(('localhost', 0))
        return each.getsockname()[1]
