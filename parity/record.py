# -*- coding: utf-8 -*-
"""Records what keras-bert says, for the rows where it cannot run: parity/recorded/*.npz.

    tox exec -e tfkeras-tf215 -- python -m parity.record        or TF_KERAS=1, where keras-bert is installed
"""
from __future__ import absolute_import, division, print_function

import os
import shutil
import tempfile

import numpy as np

from parity import results
from parity.peers import keras_bert, recorded
from parity.questions import common_questions


def main():
    """Asks keras-bert the questions that every row is asked, and writes its answers."""
    directory = tempfile.mkdtemp()
    try:
        questions = common_questions(directory)
        for question, answer in zip(questions, keras_bert.answers(questions)):
            path = recorded.path(question)
            np.savez_compressed(path, fingerprint=question.fingerprint(),
                                versions=repr(dict(results.versions())), **answer)
            print('%s: %d arrays, %d bytes' % (path, len(answer), os.path.getsize(path)))
    finally:
        shutil.rmtree(directory)


if __name__ == '__main__':
    main()
