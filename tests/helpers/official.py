# -*- coding: utf-8 -*-
"""Where the genuine files of the official releases are: indexes, configs, vocabularies and texts.

They are other people's and not in this repository, and everything passes without them.
"""
from __future__ import absolute_import, print_function

import os

MISSING = 'the files of the official releases are not here'  # why a test is skipped


def find_official():
    """The directory that the environment variable BERT4KERAS_OFFICIAL names, or None where it is not set.

    It holds, as they were downloaded (the weights themselves are not needed, except the toy's):

        google_bert_zh/                      bert_model.ckpt.index, bert_config.json, vocab.txt
        google_albert_base_zh/               model.ckpt-best.index, albert_config.json
        google_albert_en/                    30k-clean.model
        albert_tiny_zh_google/               albert_model.ckpt.index, albert_config_tiny_g.json
        brightmart_albert_tiny_zh_original/  albert_model.ckpt.index, albert_config_tiny.json
        keras_bert_toy/                      bert_model.ckpt.*, bert_config.json, vocab.txt, test_bert_fit.h5
        text/                                *.txt, sentiment.zip: Chinese reviews, questions and news

    Raises:
        ValueError: the variable names something that is not a directory.
    """
    directory = os.environ.get('BERT4KERAS_OFFICIAL')
    if not directory:
        return None
    if not os.path.isdir(directory):
        raise ValueError('BERT4KERAS_OFFICIAL=%s is not a directory; unset it to do without the official files'
                         % directory)
    return os.path.abspath(directory)
