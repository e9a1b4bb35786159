# -*- coding: utf-8 -*-
"""Pretraining: from text to rows that a model learns from. Needs NumPy only; no Keras, no engine.

    documents   files of text, cut into blocks at the ends of documents
    packing     the documents of a block as rows of tokens, as RoBERTa, BERT or ALBERT have them
    records     TFRecord files, without TensorFlow
    corpus      all of it by several processes: `build_corpus`
    order       chance without a state: hashes and permutations
    masks       which tokens are masked
    reader      a corpus as masked batches, any of them at any time: `Corpus`, `Batches`
    export      a corpus as the files that Google's own code reads
"""
from __future__ import absolute_import, division, print_function

__all__ = []
