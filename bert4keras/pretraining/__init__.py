# -*- coding: utf-8 -*-
"""Pretraining: from text to rows that a model learns from, and the training. What makes rows needs no Keras.

    documents   files of text, cut into blocks at the ends of documents
    packing     the documents of a block as rows of tokens, as RoBERTa, BERT or ALBERT have them
    records     TFRecord files, without TensorFlow
    corpus      all of it by several processes: `build_corpus`
    beam        the shards by an Apache Beam pipeline, on as many machines as it has
    order       chance without a state: hashes and permutations
    masks       which tokens are masked
    reader      a corpus as masked batches, any of them at any time: `Corpus`, `Batches`
    export      a corpus as the files that Google's own code reads
    feeding     batches as what the model is fed with: the weights of the targets, the phases
    checkpoints the state of a training, in files that are whole or absent
    metrics     CSV, TensorBoard, the curve
    seam        what training needs of an engine, beside its tensors and its optimizers
    devices     several devices, by each engine's own means
    model       the model that is trained, whose output is its loss
    training    the loop: `pretrain`
    commands    `bert4keras corpus` and `bert4keras pretrain`
"""
from __future__ import absolute_import, division, print_function

__all__ = []
