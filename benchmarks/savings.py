# -*- coding: utf-8 -*-
"""What keep_words, bucketing, accumulation and half precision save, and what they cost in accuracy.

    BERT4KERAS_OFFICIAL=DIRECTORY python benchmarks/savings.py [--examples 2000] [--epochs 4] [--seeds 2]

A small BERT with random weights and the vocabulary of Google's Chinese one (21128 tokens) learns from Chinese reviews,
DIRECTORY/text/sentiment.zip, whether they are good or bad. Runs, each in a process of its own:

    plain           all tokens, every batch padded to --max-length, 32 texts in a batch, float32
    keep_words      only the tokens that the training texts have, and the special ones
    bucketing       `BucketedBatches`: texts of similar length together, few widths
    accumulation    4 batches of 8 texts are one update
    half            mixed_bfloat16; on a CPU it is there to be checked, not to be fast
    all             keep_words, bucketing and accumulation together

Of each: accuracy on 1000 other reviews, processor and wall seconds of training, weights, and the largest resident
memory of the process above what it had before the model was built. Means over the seeds; the noise is the standard
deviation between them.
"""
from __future__ import absolute_import, division, print_function

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..'), os.path.join(HERE, '..', 'examples')]
RUNS = {'plain': (), 'keep_words': ('keep_words',), 'bucketing': ('bucketing',), 'accumulation': ('accumulation',),
        'half': ('half',), 'all': ('keep_words', 'bucketing', 'accumulation')}


def config_of(args, vocab_size):
    """A small BERT's config."""
    return {'vocab_size': vocab_size, 'hidden_size': args.hidden, 'num_hidden_layers': args.layers,
            'num_attention_heads': 4, 'intermediate_size': 4 * args.hidden, 'max_position_embeddings': 512,
            'type_vocab_size': 2, 'hidden_act': 'gelu', 'hidden_dropout_prob': 0.1,
            'attention_probs_dropout_prob': 0.1, 'initializer_range': 0.05}


def tokenized(args, uses):
    """(rows and labels to train on, those to test on, the size of the vocabulary, `keep_words`)."""
    from bert4keras.tokenizer import Tokenizer
    from data import sentiment, split
    vocab = os.path.join(os.environ['BERT4KERAS_OFFICIAL'], 'google_bert_zh', 'vocab.txt')
    tokenizer, keep = Tokenizer(vocab), None
    train, test = [[(tokenizer.encode(text, max_length=args.max_length), int(label)) for text, label in rows]
                   for rows in split(sentiment(), max(args.examples, 4 * args.test), 0)]
    train = train[:args.examples]
    if 'keep_words' in uses:
        special = [tokenizer.token_to_id(token) for token in ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')]
        keep = special + sorted({number for (ids, _), _ in train for number in ids} - set(special))
        new = {number: place for place, number in enumerate(keep)}
        train, test = [[(([new.get(number, new[tokenizer.token_unk_id]) for number in ids], segments), label)
                        for (ids, segments), label in rows] for rows in (train, test)]
    return train, test, tokenizer.vocab_size, keep


def run(args):
    """Trains in this process, with what `--run` names; returns the figures."""
    uses = RUNS[args.run]
    from bert4keras.backend import keras
    from bert4keras.bert import build_bert_model
    from bert4keras.losses import CrossEntropy
    from bert4keras.optimizers import AdamW, WarmupLinear
    from bert4keras.snippets import BucketedBatches
    if hasattr(keras.utils, 'set_random_seed'):
        keras.utils.set_random_seed(args.seed)
    if 'half' in uses:
        keras.mixed_precision.set_global_policy('mixed_bfloat16')
    train, test, vocab_size, keep = tokenized(args, uses)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = build_bert_model(config_of(args, vocab_size), num_labels=2, keep_words=keep)
    accumulate = 4 if 'accumulation' in uses else 1

    def batches_of(rows):
        ids = [row for row, _ in rows]
        if 'bucketing' not in uses:
            ids = [[list(part) + [0] * (args.max_length - len(part)) for part in row] for row in ids]
        return BucketedBatches(model, None, ids, [label for _, label in rows], args.batch_size // accumulate,
                               seed=args.seed)

    batches, test_batches = batches_of(train), batches_of(test)
    steps = args.epochs * len(batches) // accumulate
    model.compile(AdamW(WarmupLinear(args.rate, steps // 10, steps), accumulate=accumulate, global_clipnorm=1.0),
                  CrossEntropy(from_logits=True))
    wall, cpu = time.time(), time.process_time()
    model.fit(batches, epochs=args.epochs, shuffle=False, verbose=0)
    figures = {'wall': time.time() - wall, 'cpu': time.process_time() - cpu, 'weights': model.count_params() / 1e6,
               'memory': (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}
    right = [np.asarray(model.predict_on_batch(inputs)).argmax(axis=-1) == labels
             for inputs, labels in (test_batches[index] for index in range(len(test_batches)))]
    return dict(figures, accuracy=float(np.mean(np.concatenate(right))))


def in_process(args, name, seed):
    """What `run` returns in a process of its own."""
    command = [sys.executable, os.path.abspath(__file__), '--run', name, '--seed', str(seed)]
    for option in ('examples', 'test', 'epochs', 'batch_size', 'max_length', 'rate', 'hidden', 'layers'):
        command += ['--' + option.replace('_', '-'), str(getattr(args, option))]
    return json.loads(subprocess.check_output(command).decode('utf-8').splitlines()[-1])


def main():
    """Reads the arguments and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (('examples', 2000), ('test', 1000), ('epochs', 4), ('batch-size', 32), ('max-length', 96),
                        ('hidden', 96), ('layers', 2), ('seeds', 2)):
        parser.add_argument('--' + name, type=int, default=value, help='%(default)s')
    parser.add_argument('--rate', type=float, default=1e-3, help='%(default)s')
    parser.add_argument('--runs', nargs='+', choices=list(RUNS), default=list(RUNS))
    parser.add_argument('--run', choices=list(RUNS), help='one run in this process, printed as JSON')
    parser.add_argument('--seed', type=int, default=0, help='of --run')
    args = parser.parse_args()
    if args.run:
        print(json.dumps(run(args)))
        return
    columns = ('accuracy', 'cpu', 'wall', 'weights', 'memory')
    print('%-14s%10s%10s%10s%12s%12s' % ('', 'accuracy', 'CPU s', 'wall s', 'M weights', 'MB peak'))
    for name in args.runs:
        results = np.array([[figures[column] for column in columns]
                            for figures in (in_process(args, name, seed) for seed in range(args.seeds))])
        print('%-14s%10.3f%10.0f%10.0f%12.1f%12.0f' % ((name,) + tuple(results.mean(axis=0)))
              + ('   noise %.3f' % results[:, 0].std(ddof=1) if args.seeds > 1 else ''), flush=True)


if __name__ == '__main__':
    main()
