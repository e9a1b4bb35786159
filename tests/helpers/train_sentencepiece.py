# -*- coding: utf-8 -*-
"""Trains a SentencePiece model in a process of its own: beside TensorFlow 1.15 its trainer crashes.

    python tests/helpers/train_sentencepiece.py --input=corpus.txt --model_prefix=spiece --vocab_size=70 ...
"""
from __future__ import absolute_import, print_function

import subprocess
import sys


def train(*options):
    """Runs this script with SentencePiece's options, as text."""
    subprocess.check_call([sys.executable, __file__.replace('.pyc', '.py')] + [str(option) for option in options])


if __name__ == '__main__':
    import sentencepiece
    sentencepiece.SentencePieceTrainer.Train(' '.join(sys.argv[1:]))
