# -*- coding: utf-8 -*-
"""What do I give up by using this? Ours beside its peers, and beside what the engine can do at best.

    python -m benchmarks forward                         hidden states of BERT-base on one core
    python -m benchmarks train --size mini --cores all
    python -m benchmarks forward --peers ours-jax transformers limit-jax --shapes 8x128 32x128 --dtype bfloat16
    python -m benchmarks load
    python -m benchmarks tokenize | corpus | decode      by the scripts of these names
    python -m benchmarks table                           benchmarks/results/*.jsonl as Markdown and plots

All contenders load the same checkpoint with random weights, and what they compute is compared before it is timed. Each
has a process of its own; they take turns, A B C A B C, so that what else the machine does strikes all of them. The
table has medians over the rounds, and how far the quartiles are apart. What is not installed is left out with a word.

On a machine with a GPU: --device gpu --dtype bfloat16 --together. Nothing is downloaded: what must be there is this
checkout and the packages numpy, crc32c, tqdm, keras 3, safetensors, jax, torch, transformers, as far as they are to be
measured; of the GPU's operations a second the table has the share that is used (MFU). There bfloat16 is the policy
mixed_bfloat16 of ours and KerasHub, and of transformers bfloat16 weights, or autocast to train; float32 is without
TF32. transformers uses PyTorch's scaled_dot_product_attention, which picks its flash kernel by itself.
"""
from __future__ import absolute_import, division, print_function

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks import tables
from benchmarks.contenders import CONTENDERS, missing
from benchmarks.process import Failed, Process
from benchmarks.work import SHAPES, SIZES, TASKS, batch, config_of, operations, parse_shape, peak_of, weight_bytes

SCRIPTS = {'tokenize': 'tokenizing', 'corpus': 'corpus', 'decode': 'decoding'}
RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'results')
# how far from the first contender another may compute: float32 through twelve blocks, and bfloat16
ALIKE = {'float32': 1e-3, 'bfloat16': 0.5}
# of the memory of the weights: what they, gradients, moments and copies take; and what an engine takes by itself
COPIES, ENGINE = {'forward': 2.5, 'train': 8, 'load': 3}, 1.2e9


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
    parser.add_argument('--device', choices=['cpu', 'gpu'], default='cpu')
    parser.add_argument('--cores', default='1', help='how many cores each may use, or "all"; 1')
    parser.add_argument('--rounds', type=int, default=5, help='5')
    parser.add_argument('--seconds', type=float, default=1.0, help='at least so long is a round; 1')
    parser.add_argument('--python', action='append', default=[], metavar='NAME=PATH',
                        help='the interpreter of a contender, if it is not this one')
    parser.add_argument('--together', action='store_true', help='start them at the same time, which is over sooner; '
                        'what is said of the first step is then of little meaning')
    parser.add_argument('--output', default=RESULTS, metavar='DIRECTORY', help='of the results; benchmarks/results')
    parser.add_argument('--quick', action='store_true', help='the smallest of everything, to see whether it runs')
    args = parser.parse_args(words)
    if args.quick:
        args.size, args.shapes, args.rounds, args.seconds = 'tiny', args.shapes or ['2x16'], 1, 0.0
    try:
        args.shapes = [parse_shape(shape) if shape else None for shape in (
            ('',) if args.task == 'load' else args.shapes or SHAPES[args.device].get(args.task, ()))]
        args.cores = None if args.cores == 'all' or args.device == 'gpu' else first_cores(int(args.cores))
        args.python = dict(pair.split('=', 1) for pair in args.python)
        if args.rounds < 1:
            raise ValueError('--rounds %d: at least one' % args.rounds)
    except ValueError as error:
        parser.error(str(error))
    return args


def first_cores(count):
    """The last so many of the cores of this process; ValueError if it has fewer."""
    cores = sorted(os.sched_getaffinity(0))
    if not 1 <= count <= len(cores):
        raise ValueError('--cores %d: there are %d' % (count, len(cores)))
    return set(cores[-count:])


def available_memory():
    """The bytes that the machine can give to new processes."""
    with open('/proc/meminfo') as stream:
        return next(int(line.split()[1]) * 1024 for line in stream if line.startswith('MemAvailable'))


def check_memory(args, contenders):
    """SystemExit if the contenders need more memory than there is."""
    each = COPIES[args.task] * weight_bytes(config_of(args.size)) + ENGINE
    need, there = each * len(contenders), available_memory()
    if need > there:
        raise SystemExit('%d contenders need about %.1f GB, and there are %.1f GB: name at most %d with --peers, or a '
                         'smaller --size' % (len(contenders), need / 1e9, there / 1e9, there // each))


def chosen(args):
    """The contenders of a task that are installed; says of the others why they are left out."""
    found = []
    for contender in CONTENDERS.values():
        named = args.peers and contender.name in args.peers
        if args.peers and not named:
            continue
        if args.task not in contender.tasks or args.dtype not in contender.dtypes:
            if named:
                print('%s has no %s in %s: left out' % (contender.name, args.task, args.dtype))
        elif contender.name not in args.python and missing(contender):
            print('%s is left out: %s is not installed' % (contender.name, missing(contender)))
        else:
            found.append(contender)
    if not found:
        raise SystemExit('nobody is left to be measured')
    return found


def make_releases(directory, config):
    """The same random weights in Google's layout and in Hugging Face's."""
    from bert4keras.convert import convert
    from tests.helpers.releases import make_release
    source = os.path.join(directory, 'tensorflow')
    os.mkdir(source)
    make_release(source, config=config)
    convert(source, os.path.join(directory, 'hugging-face'))


def start(args, contenders, directory, config, shape):
    """The processes of the contenders that work; says of the others why they do not."""
    job = {'task': args.task, 'config': config, 'directory': directory, 'shape': shape, 'padded': args.padded,
           'dtype': args.dtype, 'device': args.device}
    running = []
    processes = (Process(contender, job, args.cores, args.python.get(contender.name, sys.executable))
                 for contender in contenders)  # one is started when that before it is ready
    for process in list(processes) if args.together else processes:
        try:
            process.ready()
            running.append(process)
        except Failed as error:
            print('%s is left out: %s' % (process.contender.name, error))
            process.end()
    compare(args, running, shape)
    return running


def compare(args, running, shape):
    """Puts into each process' `first` how far its output is from the first one's; SystemExit if that is too far."""
    reference = None
    for process in running:
        output = process.output()
        if output is None:
            continue
        there = batch(shape, args.padded)[0] != 0
        reference = output if reference is None else reference
        process.first['difference'] = float(np.abs(output - reference)[there].max())
        if not process.first['difference'] < ALIKE[args.dtype]:
            raise SystemExit('%s computes something else than %s: they are %.2g apart'
                             % (process.contender.name, running[0].contender.name, process.first['difference']))
        os.remove(os.path.join(process.job['directory'], process.contender.name + '.npy'))


def measure(args, running):
    """Lets all work in turn: one time, which is not counted, then in rounds of at least `args.seconds`.

    Who ends meanwhile, for lack of memory say, is taken out of `running`.
    """
    times = {process: 1 for process in running}
    for number in range(1 + args.rounds):
        for process in list(running):
            try:
                process.run(times[process])
            except Failed as error:
                print('%s is left out: %s' % (process.contender.name, error))
                running.remove(process)
                process.end()
        if number == 0 and args.task != 'load':
            times.update((process, max(1, int(np.ceil(args.seconds / max(process.rounds[0]['seconds'], 1e-6)))))
                         for process in running)
    for process in running:
        del process.rounds[0]


def hardware(device):
    """One line of what this machine is, or what its GPU is."""
    if device == 'gpu':
        names = subprocess.check_output(['nvidia-smi', '--query-gpu=name', '--format=csv,noheader'])
        return names.decode('ascii').splitlines()[0]
    with open('/proc/cpuinfo') as stream:
        names = [line.split(':', 1)[1].strip() for line in stream if line.startswith('model name')]
    return '%s, %d cores' % (names[0] if names else platform.machine(), len(names) or os.cpu_count())


def result_of(args, process, config, shape):
    """A line of the results: a dict of what was measured of one contender."""
    seconds = [one['seconds'] for one in process.rounds]
    median = float(np.median(seconds))
    count = operations(args.task, config, shape) if shape else None
    machine = hardware(args.device)
    peak = peak_of(machine) if args.dtype == 'bfloat16' else None
    return dict(process.first, task=args.task, contender=process.contender.name, title=process.contender.title,
                size=args.size, shape='%dx%d' % tuple(shape) if shape else '', padded=args.padded, dtype=args.dtype,
                device=args.device, cores=len(args.cores) if args.cores else 'all', rounds=seconds, median=median,
                first_seconds=process.first['seconds'], first_cpu_seconds=process.first['cpu_seconds'],
                cpu_median=float(np.median([one['cpu_seconds'] for one in process.rounds])),
                quartiles=np.percentile(seconds, [25, 75]).tolist(),
                gflops=count / median / 1e9 if count else None,
                mfu=count / median / peak if count and peak else None,
                hardware=machine, date=time.strftime('%Y-%m-%d'))


def run(args):
    """Measures a task, prints its table and appends to its results; returns the exit code."""
    contenders, config = chosen(args), config_of(args.size)
    check_memory(args, contenders)
    directory, lines = tempfile.mkdtemp(), []
    try:
        make_releases(directory, config)
        for shape in args.shapes:
            running = start(args, contenders, directory, config, shape)
            try:
                measure(args, running)
            finally:
                for process in running:
                    process.end()
            lines += [result_of(args, process, config, shape) for process in running]
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
    return run(args)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
