# -*- coding: utf-8 -*-
"""The results as Markdown and as plots."""
from __future__ import absolute_import, division, print_function, unicode_literals

import collections
import glob
import io
import json
import os

__all__ = ['markdown', 'newest', 'read', 'write']

# What makes two lines comparable: all in one table, the newest of each contender and shape.
RUN = ('task', 'size', 'dtype', 'device', 'cores', 'padded', 'hardware')


def read(directory):
    """All lines of the results in a directory, the oldest first."""
    lines = []
    for path in sorted(glob.glob(os.path.join(directory, '*.jsonl'))):
        with io.open(path, encoding='utf-8') as stream:
            lines += [json.loads(line) for line in stream]
    return lines


def newest(lines):
    """OrderedDict {RUN: OrderedDict {(contender, shape): line}}; of what was measured twice, the last."""
    runs = collections.OrderedDict()
    for line in lines:
        key = tuple(line[name] for name in RUN)
        runs.setdefault(key, collections.OrderedDict())[line['contender'], line['shape']] = line
    return runs


def markdown(lines):
    """The tables of all runs, each with a heading."""
    return '\n'.join(text for key, found in newest(lines).items() for text in table(dict(zip(RUN, key)), found))


def table(run, found):
    """The lines of one table: a contender a row, a shape a column, then what is the same for every shape."""
    shapes = sorted({shape for _, shape in found}, key=lambda shape: [int(n) for n in shape.split('x') if n])
    names = list(collections.OrderedDict((name, None) for name, _ in found))
    yield '%s, %s%s, %s, %s; %s, %s' % (
        run['task'], 'BERT-' + run['size'], ', half padded' if run['padded'] else '', run['dtype'],
        {1: 'one core'}.get(run['cores'], '%s cores' % run['cores']) if run['device'] == 'cpu' else run['device'],
        run['hardware'], max(line['date'] for line in found.values()))
    yield ''
    unit = 'seconds' if run['task'] == 'load' else 'GFLOP/s' if run['device'] == 'cpu' else 'TFLOP/s (MFU)'
    yield '| | %s | first, CPU s | GB |' % ' | '.join('%s %s' % (shape, unit) for shape in shapes)
    yield '|---' * (len(shapes) + 3) + '|'
    for name in names:
        lines = [found[name, shape] for shape in shapes if (name, shape) in found]
        yield '| %s | %s | %.1f | %.2f |' % (
            lines[0]['title'], ' | '.join(cell(found.get((name, shape)), run) for shape in shapes),
            max(first_cpu(line) for line in lines),
            max(line.get('device_peak') or line['peak'] for line in lines) / 1e9)
    yield ''


def first_cpu(line):
    """The processor seconds until the work was done for the first time, making the model included."""
    return line['made_cpu_seconds'] + (line['first_cpu_seconds'] if line['task'] != 'load' else 0.0)


def cell(line, run):
    """A figure, how far it is apart between the quartiles, in per cent of it, and the share of a GPU's peak."""
    if line is None:
        return ''
    figure = '%.2f' % line['median'] if run['task'] == 'load' else '%.0f' % (
        line['gflops'] / (1 if run['device'] == 'cpu' else 1000))
    low, high = line['quartiles']
    share = ' (%.0f%%)' % (100 * line['mfu']) if line.get('mfu') else ''
    return '%s ± %.0f%%%s' % (figure, 50 * (high - low) / line['median'], share)


def draw(run, found, path):
    """Bars, a group for each shape."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    shapes = list(collections.OrderedDict((shape, None) for _, shape in found))
    names = list(collections.OrderedDict((name, None) for name, _ in found))
    figure, axes = pyplot.subplots(figsize=(2 + 0.35 * len(names) * len(shapes), 4.5))
    width, scale = 0.85 / len(names), 1000 if run['device'] == 'gpu' else 1
    for number, name in enumerate(names):
        lines = [found.get((name, shape)) for shape in shapes]
        heights = [0 if line is None else line['median'] if run['task'] == 'load' else line['gflops'] / scale
                   for line in lines]
        title = next(line['title'] for line in lines if line)
        axes.bar([place + (number + 0.5) * width for place in range(len(shapes))], heights, width, label=title,
                 color='#444444' if name.startswith('limit') else None)
    axes.set_xticks([place + 0.425 for place in range(len(shapes))])
    axes.set_xticklabels([shape.replace('x', ' texts x ') + ' tokens' if shape else '' for shape in shapes])
    axes.set_ylabel('seconds' if run['task'] == 'load' else 'TFLOP/s' if scale > 1 else 'GFLOP/s')
    axes.set_title('%s, BERT-%s, %s, %s' % (run['task'], run['size'], run['dtype'], run['hardware']), fontsize=9)
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def write(directory):
    """Writes results.md and a plot of each run into the directory of the results; returns the exit code."""
    lines = read(directory)
    if not lines:
        print('%s has no results yet: python -m benchmarks forward' % directory)
        return 1
    with io.open(os.path.join(directory, 'results.md'), 'w', encoding='utf-8') as stream:
        stream.write(u'%s\n' % markdown(lines))
    print(os.path.join(directory, 'results.md'))
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        print('without plots: matplotlib is not installed')
        return 0
    for key, found in newest(lines).items():
        run = dict(zip(RUN, key))
        device = 'gpu' if run['device'] == 'gpu' else '%s%s' % (run['device'], run['cores'])
        name = '-'.join((run['task'], run['size'], run['dtype'], device))
        draw(run, found, os.path.join(directory, name + '-padded' * run['padded'] + '.png'))
    return 0
