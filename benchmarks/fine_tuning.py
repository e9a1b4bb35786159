# -*- coding: utf-8 -*-
"""A classifier fine-tuned here and in transformers: accuracies over some seeds, and losses step by step.

    python benchmarks/fine_tuning.py --reviews vaderSentiment-3.3.2.tar.gz [--seeds 3] [--examples 800] [--epochs 2]
    python benchmarks/fine_tuning.py --reviews vaderSentiment-3.3.2.tar.gz --engines tensorflow jax torch

The texts are sentences of film reviews which about twenty people rated from -4 to 4 (Hutto and Gilbert 2014, MIT
licence), good or bad; those rated less than --least either way are left out. They are in the source of a package:

    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2

The model is --model, by default the MiniLM of the demo. Both libraries get the same batches in the same order and the
same new head, and take the same steps: AdamW with an epsilon of 1e-8, decoupled decay of 0.01 but not of biases and
norms, a linear warm-up and decline, gradients clipped to a norm of 1. Dropout draws other numbers in each.

With --engines there is no dropout: the losses must be the same on each engine of Keras 3, and in transformers.
Each run has a process of its own; transformers needs torch, and each engine must be installed.
"""
from __future__ import absolute_import, division, print_function

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))
RATED = 'hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt'
DECAY, EPSILON, CLIPNORM = 0.01, 1e-8, 1.0


def read_reviews(path, least):
    """[(text, 1 good or 0 bad)] of the sdist of vaderSentiment."""
    with tarfile.open(path) as outer:
        inside = next(name for name in outer.getnames() if name.endswith('hutto_ICWSM_2014.tar.gz'))
        with tarfile.open(fileobj=io.BytesIO(outer.extractfile(inside).read())) as inner:
            lines = inner.extractfile(RATED).read().decode('utf-8').splitlines()
    rated = [(text, float(rating)) for _, rating, text in (line.split('\t') for line in lines)]
    return [(text, int(rating > 0)) for text, rating in rated if abs(rating) >= least]


def prepare(args):
    """(training batches, test batches, a new head's kernel [D, 2])."""
    from bert4keras.release.config import read_config
    from bert4keras.release.directory import find_release
    from bert4keras.snippets import BucketedBatches
    from bert4keras.tokenizer_files import load_tokenizer
    rows, draw = read_reviews(args.reviews, args.least), np.random.RandomState(args.seed)
    rows = [rows[index] for index in np.random.RandomState(0).permutation(len(rows))]
    test, rest = rows[:args.test], rows[args.test:]  # what is tested on does not depend on the seed
    train = [rest[index] for index in draw.permutation(len(rest))[:args.examples]]
    tokenizer = load_tokenizer(args.model)
    batches = [BucketedBatches(None, tokenizer, [text for text, _ in rows], [label for _, label in rows],
                               args.batch_size, args.max_length, seed=args.seed) for rows in (train, test)]
    width = read_config(find_release(args.model).config_path)['hidden_size']
    return batches[0], batches[1], (0.02 * draw.standard_normal((width, 2))).astype('float32')


def run(args):
    """Trains in this process: {'losses': of each step, 'accuracy', 'seconds'}."""
    batches, test_batches, kernel = prepare(args)
    steps = args.epochs * len(batches)
    train, logits_of = (keras_model if args.run == 'ours' else torch_model)(args, steps, kernel)
    losses, began = [], time.process_time()
    for batches.epoch in range(args.epochs):
        for index in range(len(batches)):
            inputs, labels = batches[index]
            losses.append(float(train(inputs, labels)))
    seconds = time.process_time() - began
    right = [logits_of(inputs).argmax(axis=-1) == labels
             for inputs, labels in (test_batches[index] for index in range(len(test_batches)))]
    return {'losses': losses, 'accuracy': float(np.mean(np.concatenate(right))), 'seconds': seconds}


def keras_model(args, steps, kernel):
    """(function that takes a step and returns its loss, function of inputs to logits), of this project."""
    from bert4keras.backend import keras
    from bert4keras.bert import build_bert_model
    from bert4keras.losses import CrossEntropy
    from bert4keras.optimizers import AdamW, WarmupLinear
    from bert4keras.release.config import read_config
    from bert4keras.release.directory import find_release
    if hasattr(keras.utils, 'set_random_seed'):
        keras.utils.set_random_seed(args.seed)
    config, checkpoint, _ = find_release(args.model)
    config = read_config(config)
    if args.no_dropout:
        config.update(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = build_bert_model(config, checkpoint, num_labels=2)
    model.get_layer('Classifier').set_weights([kernel, np.zeros(2, 'float32')])
    model.compile(AdamW(WarmupLinear(args.rate, steps // 10, steps), weight_decay=DECAY, epsilon=EPSILON,
                        exclude_from_weight_decay=('bias', 'Norm'), global_clipnorm=CLIPNORM),
                  CrossEntropy(from_logits=True))
    return model.train_on_batch, lambda inputs: np.asarray(model.predict_on_batch(inputs))


def torch_model(args, steps, kernel):
    """The same two functions, of transformers."""
    import torch
    from transformers import AutoModelForSequenceClassification
    torch.manual_seed(args.seed)
    dropout = {'hidden_dropout_prob': 0.0, 'attention_probs_dropout_prob': 0.0} if args.no_dropout else {}
    model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2, **dropout)
    model.classifier.weight.data = torch.tensor(kernel.T.copy())
    torch.nn.init.zeros_(model.classifier.bias)
    named = list(model.named_parameters())
    groups = [{'params': [one for name, one in named if ('bias' in name or 'LayerNorm' in name) == is_excluded],
               'weight_decay': 0.0 if is_excluded else DECAY} for is_excluded in (False, True)]
    optimizer = torch.optim.AdamW(groups, lr=args.rate, eps=EPSILON)
    warmup = steps // 10
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda t: t / warmup if t < warmup else (steps - t) / (steps - warmup))

    def logits_of(inputs):
        token_ids, segment_ids = [torch.tensor(np.asarray(ids), dtype=torch.long) for ids in inputs]
        return model(token_ids, attention_mask=(token_ids != 0).long(), token_type_ids=segment_ids).logits

    def train(inputs, labels):
        model.train()
        loss = torch.nn.functional.cross_entropy(logits_of(inputs), torch.tensor(np.asarray(labels)))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIPNORM)
        optimizer.step()
        schedule.step()
        return loss.item()

    def predict(inputs):
        model.eval()
        with torch.no_grad():
            return logits_of(inputs).numpy()

    return train, predict


def in_process(args, what, seed, engine=None):
    """What `run` returns in a process of its own, of 'ours' or 'transformers'."""
    command = [sys.executable, os.path.abspath(__file__), '--run', what, '--seed', str(seed)]
    for name in ('reviews', 'model', 'least', 'examples', 'test', 'epochs', 'batch_size', 'max_length', 'rate'):
        command += ['--' + name.replace('_', '-'), str(getattr(args, name))]
    environment = dict(os.environ, **({'KERAS_BACKEND': engine} if engine else {}))
    output = subprocess.check_output(command + ['--no-dropout'] * args.no_dropout, env=environment)
    return json.loads(output.decode('utf-8').splitlines()[-1])


def compare_engines(args):
    """Prints how far the losses are apart from those of transformers."""
    expected = np.array(in_process(args, 'transformers', 0)['losses'])
    print('transformers  %d steps, loss %.4f to %.4f' % (len(expected), expected[0], expected[-1]))
    for engine in args.engines:
        losses = np.array(in_process(args, 'ours', 0, engine)['losses'])
        print('%-12s  largest difference of a step %.2g' % (engine, np.abs(losses - expected).max()), flush=True)


def compare_accuracies(args):
    """Prints the accuracy for each seed, and the means."""
    results = []
    for seed in range(args.seeds):
        results.append([in_process(args, what, seed) for what in ('ours', 'transformers')])
        print('seed %d: ours %.4f in %.0f CPU s, transformers %.4f in %.0f CPU s' % (
            (seed,) + tuple(result[key] for result in results[-1] for key in ('accuracy', 'seconds'))), flush=True)
    accuracies = np.array([[result['accuracy'] for result in row] for row in results])
    print('mean: ours %.4f, transformers %.4f; standard deviations %.4f, %.4f'
          % (tuple(accuracies.mean(axis=0)) + tuple(accuracies.std(axis=0, ddof=1 if args.seeds > 1 else 0))))


def main():
    """Reads the arguments and prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--reviews', required=True, metavar='FILE', help='vaderSentiment-3.3.2.tar.gz')
    parser.add_argument('--model', metavar='DIR', help="a release in Hugging Face's layout")
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--engines', nargs='+', metavar='ENGINE', help='compare losses, without dropout')
    parser.add_argument('--least', type=float, default=1.0, help='least rating, either way (%(default)s)')
    for name, value in (('examples', 800), ('test', 1000), ('epochs', 2), ('batch-size', 16), ('max-length', 64)):
        parser.add_argument('--' + name, type=int, default=value, help='%(default)s')
    parser.add_argument('--rate', type=float, default=1e-4, help='%(default)s')
    parser.add_argument('--no-dropout', action='store_true')
    parser.add_argument('--run', choices=['ours', 'transformers'], help='one run in this process, printed as JSON')
    parser.add_argument('--seed', type=int, default=0, help='of --run')
    args = parser.parse_args()
    if args.model is None:
        from bert4keras.cli import find_demo_weights
        args.model = find_demo_weights()
    args.no_dropout = args.no_dropout or bool(args.engines)
    if args.run:
        print(json.dumps(run(args)))
    else:
        (compare_engines if args.engines else compare_accuracies)(args)


if __name__ == '__main__':
    main()
