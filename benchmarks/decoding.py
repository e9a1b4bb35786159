# -*- coding: utf-8 -*-
"""How much faster texts are written when keys and values are kept, on the Keras and the engine that run.

    python benchmarks/decoding.py [--rounds 5] [--new 64] [--layers 4] [--hidden 512] [--vocabulary 21128]

A language model with random weights goes on with prompts of 16 tokens: greedy search for one text, four beams for
one text, greedy search for four. With the cache and without take turns; both have run once before, so nothing is
compiled in what is measured, and that first run is shown apart. Without the cache whole texts are computed at each
step, padded to the few widths of `batching.padded_length`. Seconds are wall time, medians of the rounds; the ratio
is the median of each round's.
"""
from __future__ import absolute_import, division, print_function

import argparse
import os
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

PROMPT = 16


def seconds(generator, rows, beams, new):
    """How long it takes to write so many tokens; nothing ends a text earlier."""
    start = time.time()
    found = generator.beam_search(rows, beams=beams, max_length=new)
    assert all(len(one.token_ids) == new for ones in found for one in ones)
    return time.time() - start


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (('rounds', 5), ('new', 64), ('layers', 4), ('hidden', 512), ('vocabulary', 21128)):
        parser.add_argument('--' + name, type=int, default=value)
    args = parser.parse_args()
    from bert4keras.backend import describe
    from bert4keras.bert import build_bert_model
    from bert4keras.decoding import IdGenerator
    model = build_bert_model({
        'vocab_size': args.vocabulary, 'hidden_size': args.hidden, 'num_hidden_layers': args.layers,
        'num_attention_heads': args.hidden // 64, 'intermediate_size': 4 * args.hidden,
        'max_position_embeddings': 512, 'type_vocab_size': 2, 'hidden_act': 'gelu', 'hidden_dropout_prob': 0.1,
        'attention_probs_dropout_prob': 0.1, 'initializer_range': 0.02}, application='lm')
    generators = [IdGenerator(model, cache=cache) for cache in (True, False)]
    random = np.random.RandomState(0)
    print('%s: %d new tokens after %d, %d layers of %d, %d words' % (describe(), args.new, PROMPT, args.layers,
                                                                    args.hidden, args.vocabulary))
    print('%-20s%12s%12s%12s%24s' % ('', 'cache s', 'without s', 'ratio', 'first runs s'))
    for texts, beams in ((1, 1), (1, 4), (4, 1)):
        rows = [(random.randint(1, args.vocabulary, PROMPT).tolist(), [0] * PROMPT) for _ in range(texts)]
        first = [seconds(generator, rows, beams, args.new) for generator in generators]
        times = np.array([[seconds(generator, rows, beams, args.new) for generator in generators]
                          for _ in range(args.rounds)])
        print('%d texts, %d beams    %12.2f%12.2f%12.1f%15.1f, %7.1f' % (
            (texts, beams) + tuple(np.median(times, axis=0)) + (np.median(times[:, 1] / times[:, 0]),) + tuple(first)))


if __name__ == '__main__':
    main()
