# -*- coding: utf-8 -*-
"""What do I give up by using this? Ours beside its peers, and beside what the engine can do at best.

    python -m benchmarks forward                         hidden states of BERT-base on one core
    python -m benchmarks train --size mini --cores all
    python -m benchmarks forward --peers ours-jax transformers limit-jax --shapes 8x128 32x128 --dtype bfloat16
    python -m benchmarks load | first-step | memory | pretrain
    python -m benchmarks embed | tokenize | corpus       of texts
    python -m benchmarks decode | stream                 by scripts, which have a --help of their own
    python -m benchmarks table                           benchmarks/results/*.jsonl as Markdown and plots

Models are of the same checkpoint with random weights (`embed`: the demo's MiniLM), and what contenders compute is
compared before it is timed. Each has a process of its own; they take turns, A B C A B C, so that what else the machine
does strikes all of them. The table has medians over the rounds, and how far the quartiles are apart. What is not
installed is left out with a word; where a peer wants another Python, or folders of modules, --python and --path name
them. `embed` and `first-step` start new processes for each round, as what happens once is part of them. Shapes of
`tokenize` are english, chinese and texts of a million characters, such as "one word"; of `corpus` roberta, bert and
albert; of `embed` paragraphs and verses.

On a machine with a GPU: --device gpu --dtype bfloat16 --together. Nothing is downloaded: what must be there is this
checkout and the packages numpy, crc32c, tqdm, keras 3, safetensors, jax, torch, transformers, as far as they are to be
measured; of the GPU's operations a second the table has the share that is used (MFU). There bfloat16 is the policy
mixed_bfloat16 of ours and KerasHub, and of transformers bfloat16 weights, or autocast to train; float32 is without
TF32. transformers uses PyTorch's scaled_dot_product_attention, which picks its flash kernel by itself. For TPUs, `train
--device tpu` compiles the step of `bert4keras pretrain` for four chips, and runs nothing (python -m benchmarks.tpu).
"""
from __future__ import absolute_import, division, print_function

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile

from benchmarks import tables
from benchmarks.contenders import CONTENDERS
from benchmarks.measuring import add_same, check_memory, chosen, make_releases, measured, result_of
from benchmarks.texts import WORST
from benchmarks.work import SHAPES, SIZES, TASKS, WITH_TEXTS, config_of, parse_shape

SCRIPTS = {'decode': 'decoding', 'stream': 'stream'}
WORDS = {'tokenize': ('english', 'chinese') + tuple(WORST), 'corpus': ('roberta', 'bert', 'albert'),
         'embed': ('paragraphs', 'verses')}
RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'results')


def parse(words):
    """The arguments of the command."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('task', choices=sorted(TASKS) + sorted(SCRIPTS) + ['table'])
    parser.add_argument('--peers', nargs='+', metavar='NAME', choices=list(CONTENDERS),
                        help='of %s; all that are installed' % ', '.join(CONTENDERS))
    parser.add_argument('--size', choices=list(SIZES), default='base', help='base')
    parser.add_argument('--shapes', nargs='+', metavar='BxT', help='texts in a batch x tokens of each')
    parser.add_argument('--padded', action='store_true', help='texts of half the tokens to all of them')
    parser.add_argument('--dtype', choices=['float32', 'bfloat16'], default='float32')
    parser.add_argument('--device', choices=['cpu', 'gpu', 'tpu'], default='cpu')
    parser.add_argument('--cores', default='1', help='how many cores each may use, or "all"; 1')
    parser.add_argument('--rounds', type=int, default=5, help='5')
    parser.add_argument('--seconds', type=float, default=1.0, help='at least so long is a round; 1')
    parser.add_argument('--python', action='append', default=[], metavar='NAME=PATH',
                        help='the interpreter of a contender, if it is not this one')
    parser.add_argument('--path', action='append', default=[], metavar='NAME=DIRECTORY', help='where a contender finds '
                        'modules before others, such as what pip install --no-deps --target DIRECTORY filled')
    parser.add_argument('--texts', type=int, default=2000, help='for embed, at most 2200; 2000')
    parser.add_argument('--megabytes', type=int, default=20, help='of text, for corpus; 20')
    parser.add_argument('--together', action='store_true', help='start them at the same time, which is over sooner; '
                        'what is said of the first step is then of little meaning')
    parser.add_argument('--keep-memory', action='store_true', help='let processes keep what is freed in them, by '
                        'settings of glibc (see the README), in results of their own')
    parser.add_argument('--output', default=RESULTS, metavar='DIRECTORY', help='of the results; benchmarks/results')
    parser.add_argument('--quick', action='store_true', help='the smallest of everything, to see whether it runs')
    args = parser.parse_args(words)
    if args.quick:
        args.size, args.rounds, args.seconds = 'tiny', 1, 0.0
    try:
        args.shapes = shapes_of(args)
        args.cores = None if args.cores == 'all' or args.device == 'gpu' else first_cores(int(args.cores))
        args.python, args.path = [dict(pair.split('=', 1) for pair in pairs) for pairs in (args.python, args.path)]
        if not 1 <= args.texts <= 2200:
            raise ValueError('--texts %d: from 1 to 2200' % args.texts)
        if args.rounds < 1:
            raise ValueError('--rounds %d: at least one' % args.rounds)
    except ValueError as error:
        parser.error(str(error))
    return args


def shapes_of(args):
    """What the contenders do one after another: (B, T), words, or [None] where that is always the same."""
    if args.task in WORDS:
        words = args.shapes or WORDS[args.task][:1 if args.quick else None]
        unknown = [word for word in words if word not in WORDS[args.task]]
        if unknown:
            raise ValueError('--shapes %s: %s has %s' % (unknown[0], args.task, ', '.join(WORDS[args.task])))
        return list(words)
    named = SHAPES['cpu' if args.device == 'tpu' else args.device].get(args.task)
    if not named:
        return [None]
    return [parse_shape(shape) for shape in args.shapes or (['2x16'] if args.quick else named)]


def first_cores(count):
    """The last so many of the cores of this process; ValueError if it has fewer."""
    cores = sorted(os.sched_getaffinity(0))
    if not 1 <= count <= len(cores):
        raise ValueError('--cores %d: there are %d' % (count, len(cores)))
    return set(cores[-count:])


def run(args):
    """Measures a task, prints its table and appends to its results; returns the exit code."""
    contenders, config = chosen(args), config_of(args.size)
    check_memory(args, contenders)
    directory, lines = tempfile.mkdtemp(), []
    try:
        if args.task not in WITH_TEXTS:
            make_releases(directory, config)
        for shape in args.shapes:
            running = measured(args, contenders, directory, config, shape)
            found = [result_of(args, process, config, shape) for process in running]
            if args.task == 'tokenize':
                add_same(running, found)
            lines += found
    finally:
        shutil.rmtree(directory)
    os.makedirs(args.output, exist_ok=True)
    with open(os.path.join(args.output, args.task + '.jsonl'), 'a') as stream:
        stream.writelines(json.dumps(line, sort_keys=True) + '\n' for line in lines)
    print(tables.markdown(lines))
    return 0


def main(words):
    """Runs the command; returns the exit code."""
    if words and words[0] in SCRIPTS:  # with options of their own
        return subprocess.call([sys.executable, '-m', 'benchmarks.' + SCRIPTS[words[0]]] + words[1:])
    args = parse(words)
    if args.task == 'table':
        return tables.write(args.output)
    if args.device == 'tpu':
        return compile_for_tpu(args)
    return run(args)


def compile_for_tpu(args):
    """Says what the compiler of TPUs makes of the step of `bert4keras pretrain`; returns its exit code."""
    if args.task != 'train':
        raise SystemExit('for a TPU there is `train` alone: the step is compiled, and nothing runs')
    if importlib.util.find_spec('libtpu') is None:
        raise SystemExit('libtpu, which has the compiler of TPUs, is not installed: pip install "jax[tpu]"')
    print('nothing runs: the step is compiled for the chips of a TPU')
    for rows, length in args.shapes:
        with tempfile.NamedTemporaryFile('w', suffix='.json') as stream:
            json.dump(config_of(args.size), stream)
            stream.flush()
            code = subprocess.call([sys.executable, '-m', 'benchmarks.tpu', '--config', stream.name, '--rows',
                                    str(rows), '--length', str(length), '--precision',
                                    {'float32': 'float32'}.get(args.dtype, 'mixed_' + args.dtype)])
        if code:
            return code
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
