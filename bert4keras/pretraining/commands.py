# -*- coding: utf-8 -*-
"""The commands of pretraining: `bert4keras corpus` and `bert4keras pretrain`; see cli.py for what a command is."""
from __future__ import absolute_import, division, print_function

import contextlib
import os
import shutil
import signal
import tempfile

from bert4keras.compat import native
from bert4keras.terminal import positive, progress_bar, quiet_engines, say, stop_request

__all__ = ['add_commands', 'corpus', 'pretrain']


def corpus(args):
    """`bert4keras corpus`: makes files of text into shards of rows to pretrain on."""
    from bert4keras.pretraining.corpus import build_corpus
    runner_options = args.after if args.runner else []  # they are the last texts
    inputs = [native(text) for text in args.texts[:len(args.texts) - len(runner_options)]]
    if not inputs:
        raise ValueError('give the files of text: bert4keras corpus INPUT... --vocab VOCAB --output DIR')
    total = sum(os.path.getsize(path) for path in inputs if os.path.isfile(path)) or None
    with progress_bar(total, unit='B', unit_scale=True) as progress:
        made = build_corpus(inputs, args.vocab, args.output, args.mode, args.length, args.workers, args.seed,
                            args.segmenter, args.field, args.short, args.google_pairs, progress, runner=args.runner,
                            runner_options=runner_options)
    if args.export:
        export(args, made['rows'])
    shards = 'a shard' if made['shards'] == 1 else '%d shards' % made['shards']
    say('%s has %d rows in %s: %d tokens of %d documents'
        % (args.output, made['rows'], shards, made['text_tokens'], made['documents']))
    say('%.1f%% of the tokens are padding, %.1f%% of the lines repeat an earlier one'
        % (100 * made['padding_share'], 100 * made['repeated_lines_share']))


def export(args, rows):
    """Writes what `--export` asks for into the corpus."""
    from bert4keras.pretraining.corpus import EXPORT, cores
    from bert4keras.pretraining.export import export_google
    output = os.path.join(args.output, EXPORT)
    with progress_bar(rows * args.copies, unit=' rows') as progress:
        written = export_google(args.output, output, args.workers or cores(), args.seed, args.copies, progress)
    say("%s has %d rows, masked, for Google's run_pretraining.py" % (output, written))


def pretrain(args):
    """`bert4keras pretrain`: trains a model on a corpus, from the last checkpoint on if there is one."""
    quiet_engines()
    from bert4keras.pretraining import training
    settings = training.Settings(
        native(args.config), [native(path) for path in args.corpus], args.steps, args.batch_size, args.accumulate,
        args.length, args.learning_rate, args.warmup, args.optimizer, args.start, args.precision, args.seed,
        args.distribute, args.mask_rate)
    if args.dry_run:
        with scratch_directory() as directory:
            return training.dry_run(settings, directory, say, args.eval)
    with stop_request() as request:
        steps = training.pretrain(settings, args.output, args.save_every, args.keep, args.log_every, args.eval,
                                  None if args.peak is None else 1e12 * args.peak, say, request)
    if steps < args.steps:
        say('stopped after step %d of %d and saved: the same command goes on from there' % (steps, args.steps))
        request.obey()
        return 128 + signal.SIGTERM  # another process was asked
    say('wrote %s' % os.path.join(args.output, training.RELEASE))


@contextlib.contextmanager
def scratch_directory():
    """A directory that is removed in the end."""
    path = tempfile.mkdtemp()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def lengths(text):
    """An argument of whole numbers above 0, with commas between."""
    return [positive(part) for part in text.split(',')]


def add_commands(add):
    """Adds the parsers of the commands here; `add` is that of cli.build_parser."""
    argument = add(corpus, 'make text into rows to pretrain on',
                   'bert4keras corpus books/*.txt --vocab vocab.txt --output my_corpus',
                   'bert4keras corpus dump.jsonl.gz --vocab my_model --output made --mode bert',
                   'bert4keras corpus *.txt --vocab v --output d --runner flink -- --parallelism=2')
    argument('texts', metavar='INPUT', nargs='*', help='file or glob: text with a sentence or paragraph a line and an '
             'empty line between documents, or .jsonl with a document a line; .gz of either; - is stdin')
    argument('--vocab', metavar='VOCAB', required=True, help="vocab.txt, a SentencePiece model, or a model's directory")
    argument('--output', metavar='DIR', required=True, help='directory to make, or to go on with')
    argument('--mode', choices=['roberta', 'bert', 'albert'], default='roberta', help='what a row is: text without '
             'gaps; two segments, half of the second ones from elsewhere; or two, half in the wrong order '
             '(default: %(default)s)')
    argument('--length', metavar='N', type=positive, default=512, help='most tokens of a row (default: %(default)s)')
    argument('--workers', metavar='N', type=positive, help='processes (default: one a core)')
    argument('--seed', metavar='N', type=int, default=0, help='what bert and albert decide by (default: %(default)s)')
    argument('--segmenter', choices=['jieba'], help='what finds Chinese words, to be masked as a whole')
    argument('--field', metavar='NAME', default='text', help='where .jsonl has the text (default: %(default)s)')
    argument('--short', metavar='SHARE', type=float, default=0.1, help='share of the rows of bert and albert that '
             'are made for a random length (default: %(default)s)')
    argument('--google-pairs', action='store_true', help="make pairs by Google's rule, not half and half")
    argument('--export', choices=['google'], help="also write DIR/google: masked rows for Google's run_pretraining.py")
    argument('--copies', metavar='N', type=positive, default=1, help='how many times --export writes each row, masked '
             "otherwise each time: Google's dupe_factor (default: %(default)s)")
    argument('--runner', metavar='NAME', help='make the shards by an Apache Beam pipeline on this runner, such as '
             'direct or flink, in place of --workers; its options after --; all machines must have INPUT and DIR')
    argument = add(pretrain, 'train a model on rows of text, from scratch or from a checkpoint',
                   'bert4keras pretrain bert_config.json --corpus my_corpus --output trained --steps 100000',
                   'bert4keras pretrain my_model --from my_model --corpus my_corpus --output trained --steps 20000',
                   'the same command again goes on where it was stopped')
    argument('config', metavar='CONFIG', help="config of the model to train, or a model's directory")
    argument('--corpus', metavar='DIR', nargs='+', required=True, help='what `bert4keras corpus` made; several for '
             'phases of several lengths')
    argument('--output', metavar='DIR', required=True, help='directory to make, or to go on with: checkpoints, '
             'metrics, and at the end the trained model in DIR/release')
    argument('--steps', metavar='N', type=positive, required=True, help='updates in all')
    argument('--batch-size', metavar='N', type=positive, default=256, help='rows of an update (default: %(default)s)')
    argument('--accumulate', metavar='K', type=positive, default=1, help='take each batch in K parts, which need less '
             'memory and give the same update (default: %(default)s)')
    argument('--length', metavar='N,...', type=lengths, help="tokens of a row in each phase, such as 128,512; the last "
             "of several has a tenth of the steps (default: the corpora's own)")
    argument('--mask-rate', metavar='SHARE', type=float, default=0.15, help='share of the tokens that are masked '
             '(default: %(default)s)')
    argument('--learning-rate', metavar='RATE', type=float, help='the highest (default: 1e-4, of lamb 2e-3)')
    argument('--warmup', metavar='SHARE', type=float, default=0.1, help='share of the steps, or their number, until it '
             'is reached; then it falls to 0 (default: %(default)s)')
    argument('--optimizer', choices=['adamw', 'lamb'], default='adamw', help='(default: %(default)s)')
    argument('--from', dest='start', metavar='CHECKPOINT', help='weights to start from: a directory or the prefix of a '
             'checkpoint; by default random ones')
    argument('--precision', choices=['float32', 'mixed_bfloat16', 'mixed_float16'], default='float32',
             help='what large products are computed in (default: %(default)s)')
    argument('--save-every', metavar='N', type=positive, default=1000, help='steps between checkpoints (default: '
             '%(default)s)')
    argument('--keep', metavar='K', type=positive, default=3, help='checkpoints to keep (default: %(default)s)')
    argument('--log-every', metavar='N', type=positive, default=10, help='steps between lines of metrics (default: '
             '%(default)s)')
    argument('--seed', metavar='N', type=int, default=0, help='what chance decides by (default: %(default)s)')
    argument('--eval', metavar='DIR', help='a corpus that is not trained on, to be guessed at each checkpoint')
    argument('--peak', metavar='TFLOPS', type=float, help='what the device can do, to have the share of it reported')
    argument('--distribute', choices=['none', 'local', 'machines'], default='none', help='split each batch over the '
             'devices of this machine, or over those of several processes (default: %(default)s)')
    argument('--dry-run', action='store_true', help='three steps, one save and one load, with time and memory; nothing '
             'is written to DIR')
