# -*- coding: utf-8 -*-
"""Lets contenders work in turn, and makes lines of results of what they took; `args` are those of the command."""
from __future__ import absolute_import, division, print_function

import os
import platform
import subprocess
import sys
import time

import numpy as np

from benchmarks.contenders import CONTENDERS, EARLY, missing
from benchmarks.process import Failed, Process
from benchmarks.texts import SAFE, WORST, make_data
from benchmarks.work import DOES, FRESH, KEPT, WITH_TEXTS, batch, config_of, operations, peak_of, weight_bytes

__all__ = ['add_same', 'available_memory', 'check_memory', 'chosen', 'compare', 'make_releases', 'measure', 'measured',
           'result_of']

# how far from the first contender another may compute: float32 through twelve blocks, and bfloat16
ALIKE = {'float32': 1e-3, 'bfloat16': 0.5}
# of the memory of the weights: what they, gradients, moments and copies take; and what an engine takes by itself
COPIES, ENGINE = {'forward': 2.0, 'train': 6, 'pretrain': 7, 'load': 3, 'first-step': 6, 'memory': 2.5}, 0.9e9


def available_memory():
    """The bytes that the machine can give to new processes."""
    with open('/proc/meminfo') as stream:
        return next(int(line.split()[1]) * 1024 for line in stream if line.startswith('MemAvailable'))


def check_memory(args, contenders):
    """SystemExit if the contenders, which run at the same time, need more memory than there is."""
    if args.task in WITH_TEXTS:
        return
    contenders = contenders[:1] if one_by_one(args) else contenders
    each = COPIES[args.task] * weight_bytes(config_of(args.size)) + ENGINE
    limits = sum(contender.name.startswith('limit') for contender in contenders)  # without weights
    need, there = each * (len(contenders) - limits) + ENGINE * limits, available_memory()
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
        elif contender.name == EARLY and contender.name not in args.path:
            print('%s is left out: it has our name, so name its folder by --path %s=DIRECTORY' % (EARLY, EARLY))
        elif not {contender.name} & (set(args.python) | set(args.path)) and missing(contender):
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


def one_by_one(args):
    """Whether a contender ends before the next begins: to have new ones each round, or the memory for itself."""
    return args.task in FRESH + ('memory',)


def job_of(args, directory, config, shape):
    """What the processes of a shape are told; the texts are written."""
    job = {'name': args.task, 'task': DOES.get(args.task, args.task), 'config': config, 'directory': directory,
           'shape': shape, 'padded': args.padded, 'dtype': args.dtype, 'device': args.device,
           'keep_memory': args.keep_memory}
    if args.task in WITH_TEXTS:
        job['data'] = os.path.join(directory, 'texts.json')
        make_data(args, shape, job['data'])
    return job


def begin(args, contender, job):
    """The process of a contender; it is not ready yet."""
    folders = [args.path[contender.name]] if contender.name in args.path else []
    return Process(contender, job, args.cores, args.python.get(contender.name, sys.executable), folders)


def start(args, contenders, job):
    """The processes of the contenders that work; says of the others why they do not."""
    running = []
    processes = (begin(args, contender, job) for contender in contenders)  # one is started when that before it is ready
    for process in list(processes) if args.together else processes:
        try:
            process.ready()
            running.append(process)
        except Failed as error:
            print('%s is left out: %s' % (process.contender.name, error))
            process.end()
    return running


def start_again(args, contenders, job):
    """The ended processes of the contenders, with the first time of as many as there are rounds in `rounds`.

    The first of each, which finds nothing in the machine's memory, is not counted. Each does its work a second time,
    which is noted as `later_seconds`.
    """
    found = {}
    for number in range(1 + args.rounds):
        for contender in list(contenders):
            began = start(args, [contender], job)
            for process in began:
                process.run(1)
                later = process.rounds.pop()
                process.first.update(later_seconds=later['seconds'], later_cpu_seconds=later['cpu_seconds'])
                process.end()
            if not began:
                contenders.remove(contender)
                found.pop(contender.name, None)
            elif number == 0:
                found[contender.name] = began[0]
            else:
                found[contender.name].first = began[0].first
                found[contender.name].rounds.append(began[0].first)
    return list(found.values())


def compare(args, running, shape):
    """Puts into each process' `first` how far its output is from the first one's; SystemExit if that is too far."""
    reference = None
    for process in running:
        output = process.output()
        if output is None:
            continue
        there = batch(shape, args.padded)[0] != 0 if args.task == 'forward' else np.ones(output.shape[:-1], bool)
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
        if number == 0 and args.task not in ('load',) + WITH_TEXTS:
            times.update((process, max(1, int(np.ceil(args.seconds / max(process.rounds[0]['seconds'], 1e-6)))))
                         for process in running)
    for process in running:
        del process.rounds[0]


def measured(args, contenders, directory, config, shape):
    """The ended processes of a shape, which know what they took."""
    job = job_of(args, directory, config, shape)
    if shape in WORST and not args.peers:  # some take minutes for one
        contenders = [one for one in contenders if one.name in SAFE]
    if args.task in FRESH:
        found = start_again(args, list(contenders), job)
        compare(args, found, shape)
        return found
    found = []
    for group in [[one] for one in contenders] if one_by_one(args) else [contenders]:
        running = start(args, group, job)
        try:
            if args.task == 'forward':
                compare(args, running, shape)
            measure(args, running)
        finally:
            for process in running:
                process.end()
        found += running
    return found


def hardware(device):
    """One line of what this machine is, or what its GPU is."""
    if device == 'gpu':
        names = subprocess.check_output(['nvidia-smi', '--query-gpu=name', '--format=csv,noheader'])
        return names.decode('ascii').splitlines()[0]
    with open('/proc/cpuinfo') as stream:
        names = [line.split(':', 1)[1].strip() for line in stream if line.startswith('model name')]
    return '%s, %d cores' % (names[0] if names else platform.machine(), len(names) or os.cpu_count())


def spent(args, one):
    """The seconds of a round; of `first-step` the processor seconds of all that comes before the step is done."""
    if args.task == 'first-step':
        return one['imported_cpu_seconds'] + one['made_cpu_seconds'] + one['cpu_seconds']
    return one['seconds']


def result_of(args, process, config, shape):
    """A line of the results: a dict of what was measured of one contender."""
    seconds = [spent(args, one) for one in process.rounds]
    median = float(np.median(seconds))
    amounts = [one['amount'] for one in process.rounds if one.get('amount')]
    if args.task == 'tokenize':  # parts are not equally long
        median = float(np.median([one['seconds'] / one['amount'] for one in process.rounds])) * np.mean(amounts)
    if args.task == 'pretrain':  # texts; how many operations depends on the head
        amounts = [shape[0]]
    count = operations(args.task, config, shape) if shape else None
    machine = hardware(args.device)
    peak = peak_of(machine) if args.dtype == 'bfloat16' else None
    found = dict(process.first, task=args.task, contender=process.contender.name, title=process.contender.title,
                 size='MiniLM' if args.task == 'embed' else args.size if args.task not in WITH_TEXTS else '',
                 shape=shape if isinstance(shape, str) else '%dx%d' % tuple(shape) if shape else '', padded=args.padded,
                 dtype=args.dtype, device=args.device, cores=len(args.cores) if args.cores else 'all', rounds=seconds,
                 median=median, first_seconds=process.first['seconds'],
                 first_cpu_seconds=process.first['cpu_seconds'],
                 cpu_median=float(np.median([one['cpu_seconds'] for one in process.rounds])),
                 quartiles=np.percentile(seconds, [25, 75]).tolist(),
                 amount=float(np.mean(amounts)) if amounts else None,
                 gflops=count / median / 1e9 if count else None,
                 mfu=count / median / peak if count and peak else None,
                 hardware=machine + KEPT * args.keep_memory, date=time.strftime('%Y-%m-%d'))
    if args.task in FRESH:  # all of them are first times
        for name in ('imported_cpu_seconds', 'made_cpu_seconds', 'cpu_seconds', 'later_seconds', 'later_cpu_seconds'):
            if name in found:
                found[name] = float(np.median([one[name] for one in process.rounds]))
        found['first_cpu_seconds'] = found['cpu_seconds']
    if args.task == 'memory':
        found['work_peak'] = float(np.median([one['peak'] for one in process.rounds]))
    return found


def add_same(running, lines):
    """Puts into each line of `tokenize` the share of texts whose ids are those of the first contender, ours."""
    for process, line in zip(running, lines):
        same = [one == other for mine, first in zip(process.rounds, running[0].rounds)
                for one, other in zip(mine['sums'], first['sums'])]
        line['same'] = float(np.mean(same)) if process.contender.name != 'ours-sentencepiece' else None
