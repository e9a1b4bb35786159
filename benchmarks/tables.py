# -*- coding: utf-8 -*-
"""The results as Markdown and as plots."""
from __future__ import absolute_import, division, print_function, unicode_literals

import collections
import glob
import io
import json
import math
import os
import re

from benchmarks.work import KEPT

__all__ = ['exponents', 'in_readme', 'markdown', 'newest', 'read', 'summary', 'write']

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
READMES = ('README.md', 'README.zh-CN.md')
# What makes two lines comparable: all in one table, the newest of each contender and shape.
RUN = ('task', 'size', 'dtype', 'device', 'cores', 'padded', 'hardware')
TABLE = RUN + ('unit',)  # what `newest` sorts by


def read(directory):
    """All lines of the results in a directory, the oldest first."""
    lines = []
    for path in sorted(glob.glob(os.path.join(directory, '*.jsonl'))):
        with io.open(path, encoding='utf-8') as stream:
            lines += [json.loads(line) for line in stream]
    return lines


def newest(lines):
    """OrderedDict {RUN and a unit: OrderedDict {(contender, shape): line}}; of what was measured twice, the last."""
    runs = collections.OrderedDict()
    for line in lines:
        key = tuple(line[name] for name in RUN) + (rate_of(line)[1],)
        runs.setdefault(key, collections.OrderedDict())[line['contender'], line['shape']] = line
    return runs


def rate_of(line):
    """(how much a second, in which unit) of a line, or (seconds, 's') where the work has no amount.

    More is better, except for seconds.
    """
    if line.get('gflops') and line['task'] != 'memory':
        return (line['gflops'], 'GFLOP/s') if line['device'] == 'cpu' else (line['gflops'] / 1000, 'TFLOP/s')
    if line.get('amount'):
        rate = line['amount'] / line['median']
        if line['task'] in ('embed', 'pretrain'):
            return rate, 'texts/s'
        return rate / 1e6, 'M tokens/s' if line['task'] == 'corpus' or line['shape'] in LANGUAGES else 'M characters/s'
    return line['median'], 'CPU s' if line['task'] == 'first-step' else 's'


LANGUAGES = ('english', 'chinese')


# ------------------------------------------------------------------ tables

def markdown(lines):
    """The tables of all runs, each with a heading."""
    return '\n'.join(text for key, found in newest(lines).items() for text in table(dict(zip(TABLE, key)), found))


def title_of(run):
    """What a run was, in words."""
    parts = [run['task']] + ['BERT-' + run['size'] if run['size'] not in ('', 'MiniLM') else run['size']]
    parts += ['half padded'] if run['padded'] else []
    parts += [run['dtype']] if run['size'] else []
    parts.append({1: 'one core'}.get(run['cores'], '%s cores' % run['cores']) if run['device'] == 'cpu'
                 else run['device'])
    return ', '.join(part for part in parts if part)


def order(shape):
    """What shapes are sorted by: numbers, then words as they come."""
    return [int(number) for number in shape.split('x')] if re.match('[0-9]+x[0-9]+$', shape) else []


def table(run, found):
    """The lines of one table: a contender a row, a shape a column, then what is the same for every shape."""
    shapes = sorted(collections.OrderedDict((shape, None) for _, shape in found), key=order)
    names = list(collections.OrderedDict((name, None) for name, _ in found))
    columns = COLUMNS.get(run['task'], COLUMNS[None]) if 'characters' not in run['unit'] else []
    yield '%s; %s, %s' % (title_of(run), run['hardware'], max(line['date'] for line in found.values()))
    yield ''
    heads = ['%s %s%s' % (shape, run['unit'], ' (MFU)' if run['device'] == 'gpu' else '') for shape in shapes]
    yield '| | %s |' % ' | '.join([head.strip() for head in heads] + [title for title, _ in columns])
    yield '|---' * (1 + len(heads) + len(columns)) + '|'
    for name in names:
        lines = [found[name, shape] for shape in shapes if (name, shape) in found]
        yield '| %s | %s |' % (lines[0]['title'], ' | '.join(
            [cell(found.get((name, shape))) for shape in shapes] + [column(lines) for _, column in columns]))
    yield ''


def cell(line):
    """A figure, how far it is apart between the quartiles, in per cent of it, and the share of a GPU's peak."""
    if line is None:
        return ''
    figure, _ = rate_of(line)
    low, high = line['quartiles']
    middle = (low + high) / 2 if line['task'] == 'tokenize' else line['median']
    share = ' (%.0f%%)' % (100 * line['mfu']) if line.get('mfu') else ''
    more = ', %.2f GB' % (line['work_peak'] / 1e9) if 'work_peak' in line else ''
    if line['task'] == 'embed':  # when nothing has to be compiled any more
        more = ', then %s' % number(line['amount'] / line['later_seconds'])
    return '%s ± %.0f%%%s%s' % (number(figure), 50 * (high - low) / middle, share, more)


def number(figure):
    """Three digits of it, or all of those before the point."""
    return '%.*f' % (max(0, 2 - int(math.floor(math.log10(figure)))) if figure > 0 else 0, figure)


def first_cpu(lines):
    """The processor seconds until the work was done for the first time, making the model included."""
    return '%.1f' % max(line['made_cpu_seconds'] + (line['first_cpu_seconds'] if line['task'] != 'load' else 0.0)
                        for line in lines)


def gigabytes(lines):
    """The most memory that the process took, or the arrays on the GPU."""
    return '%.2f' % (max(line.get('device_peak') or line['peak'] for line in lines) / 1e9)


def of_all(name, form='%.1f'):
    """A column: the largest value of a field."""
    return lambda lines: form % max(line[name] for line in lines)


def same_ids(lines):
    """How many texts have the ids of the first contender, by language."""
    return ', '.join('%.4g%%' % (100 * line['same']) for line in lines
                     if line['shape'] in LANGUAGES and line['same'] is not None)


def powers(lines):
    """The exponents of a row of the table of `memory`."""
    return ', '.join('%s %s: %.2f' % (what, axis, value) for (what, axis), value in exponents(lines).items())


COLUMNS = {
    None: [('first, CPU s', first_cpu), ('GB', gigabytes)],
    'load': [('CPU s', of_all('cpu_median', '%.2f')), ('GB', gigabytes)],
    'embed': [('apart', of_all('difference', '%.1e')), ('GB', gigabytes)],
    'tokenize': [('same ids', same_ids)],
    'corpus': [('CPU s', of_all('cpu_median')), ('GB of a process', gigabytes)],
    'first-step': [('imports', of_all('imported_cpu_seconds')), ('model', of_all('made_cpu_seconds')),
                   ('first step', of_all('first_cpu_seconds')), ('second step', of_all('later_cpu_seconds')),
                   ('GB', gigabytes)],
    'memory': [('grow with the power', powers)],
}


def exponents(lines):
    """OrderedDict {('time' or 'memory', 'texts' or 'tokens'): the power of them that it grows with}.

    Fitted by least squares of logarithms, to the lines of 128 tokens, and to those of as many texts as most lines have.
    """
    shapes = [tuple(order(line['shape'])) for line in lines]
    rows = collections.Counter(size for size, _ in shapes).most_common(1)[0][0]
    found = collections.OrderedDict()
    for what, field in (('time', 'median'), ('memory', 'work_peak')):
        for axis, place in (('texts', 0), ('tokens', 1)):
            points = [(math.log(shape[place]), math.log(max(line[field], 1e-9))) for shape, line in zip(shapes, lines)
                      if shape[1 - place] == (128, rows)[place]]
            if len(points) > 1:
                found[what, axis] = slope(points)
    return found


def slope(points):
    """That of the line through points (x, y), by least squares."""
    middle = [sum(values) / len(points) for values in zip(*points)]
    return sum((x - middle[0]) * (y - middle[1]) for x, y in points) / sum((x - middle[0]) ** 2 for x, _ in points)


# ------------------------------------------------------------------ the README's table

def summary(lines):
    """The Markdown table of ours beside the best peer and the limit: a row for each run and shape that has a peer."""
    rows = ['| | bert4keras | | best peer | | ratio | products alone |', '|---|---|---|---|---|---|---|']
    for key, found in newest(lines).items():
        run = dict(zip(TABLE, key))
        if run['task'] != 'memory' and 'characters' not in run['unit']:
            rows += summary_rows(run, found)
    return '\n'.join(rows) + '\n'


def summary_rows(run, found):
    """The rows of a run, one for each shape that a peer was measured at."""
    for shape in sorted(collections.OrderedDict((shape, None) for _, shape in found), key=order):
        lines = [line for (_, other), line in found.items() if other == shape]
        ours = best(line for line in lines if line['contender'].startswith('ours')
                    and line['contender'] != 'ours-sentencepiece')  # which does something else than the others
        peer = best(line for line in lines if not line['contender'].startswith(('ours', 'limit'))
                    and (line.get('same') is None or line['same'] > 0.99))
        limit = best(line for line in lines if line['contender'].startswith('limit'))
        if ours and peer:
            (mine, unit), (theirs, _) = rate_of(ours), rate_of(peer)
            ratio = theirs / mine if unit.endswith(' s') or unit == 's' else mine / theirs
            yield '| %s, %s | %s | %s | %s | %s | **%.2f** | %s |' % (
                title_of(run) + (' ' + shape if shape else ''), unit, number(mine), ours['title'].replace(
                    'bert4keras, ', '').replace('bert4keras', ''), number(theirs), peer['title'], ratio,
                number(rate_of(limit)[0]) if limit else '')


def best(lines):
    """The quickest of some lines; None of none."""
    return next(iter(sorted(lines, key=lambda line: line['median'] / (line.get('amount') or 1))), None)


def in_readme(text, lines):
    """The text of a README whose tables are of these lines; each has marks around it that name task and machines."""
    def table_of(match):
        what, hardware = match.group(2), match.group(3).split('; ')
        kept = [line for line in lines if line['hardware'] in hardware]
        made = summary(kept) if what == 'summary' else markdown([line for line in kept if line['task'] == what])
        return match.group(1) + made + match.group(4)
    return re.sub(r'(<!-- benchmarks: (\S+) of ([^\n]*) -->\n).*?(<!-- end of benchmarks -->)', table_of, text,
                  flags=re.DOTALL)


# ------------------------------------------------------------------ plots

def draw(run, found, path):
    """Bars, a group for each shape; of `memory` lines."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    figure = (draw_growth if run['task'] == 'memory' else draw_bars)(pyplot, run, found)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def draw_bars(pyplot, run, found):
    """A figure with a bar for each contender at each shape."""
    shapes = sorted(collections.OrderedDict((shape, None) for _, shape in found), key=order)
    names = list(collections.OrderedDict((name, None) for name, _ in found))
    figure, axes = pyplot.subplots(figsize=(3 + 0.3 * len(names) * len(shapes), 4.5))
    width = 0.85 / len(names)
    for place, name in enumerate(names):
        lines = [found.get((name, shape)) for shape in shapes]
        title = next(line['title'] for line in lines if line)
        axes.bar([start + (place + 0.5) * width for start in range(len(shapes))],
                 [0 if line is None else rate_of(line)[0] for line in lines], width, label=title,
                 color='#444444' if name.startswith('limit') else None)
    axes.set_xticks([start + 0.425 for start in range(len(shapes))])
    axes.set_xticklabels([shape.replace('x', ' texts x ') + ' tokens' if order(shape) else shape for shape in shapes])
    axes.set_ylabel(run['unit'])
    axes.legend(fontsize=7)
    axes.set_title('%s, %s' % (title_of(run), run['hardware']), fontsize=9)
    return figure


def draw_growth(pyplot, run, found):
    """Time and memory against texts and tokens, on logarithmic axes."""
    figure, all_axes = pyplot.subplots(2, 2, figsize=(11, 8))
    names = list(collections.OrderedDict((name, None) for name, _ in found))
    for name in names:
        lines = [line for (other, _), line in found.items() if other == name]
        fitted = exponents(lines)
        rows = collections.Counter(order(line['shape'])[0] for line in lines).most_common(1)[0][0]
        for row, (what, field) in enumerate((('time', 'median'), ('memory', 'work_peak'))):
            for place, axis in enumerate(('texts', 'tokens')):
                points = sorted((order(line['shape'])[place], line[field]) for line in lines
                                if order(line['shape'])[1 - place] == (128, rows)[place])
                axes = all_axes[row, place]
                axes.loglog(*zip(*points), marker='o', markersize=3, label='%s: power %.2f' % (
                    lines[0]['title'], fitted.get((what, axis), float('nan'))))
                axes.set_xlabel('%s, of 128 tokens' % axis if place == 0 else '%s, of %d texts' % (axis, rows))
                axes.set_ylabel('seconds' if what == 'time' else 'bytes, weights left out')
                axes.legend(fontsize=6)
    figure.suptitle('%s, %s' % (title_of(run), run['hardware']), fontsize=9)
    return figure


def write(directory):
    """Writes results.md and a plot of each run into the directory of the results; returns the exit code.

    If they are the results in benchmarks/results, both READMEs get their table of them, too.
    """
    lines = read(directory)
    if not lines:
        print('%s has no results yet: python -m benchmarks forward' % directory)
        return 1
    with io.open(os.path.join(directory, 'results.md'), 'w', encoding='utf-8') as stream:
        stream.write('%s\n' % markdown(lines))
    print(os.path.join(directory, 'results.md'))
    if os.path.abspath(directory) == os.path.join(ROOT, 'benchmarks', 'results'):
        for name in READMES:
            with io.open(os.path.join(ROOT, name), encoding='utf-8') as stream:
                text = in_readme(stream.read(), lines)
            with io.open(os.path.join(ROOT, name), 'w', encoding='utf-8') as stream:
                stream.write(text)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        print('without plots: matplotlib is not installed')
        return 0
    for key, found in newest(lines).items():
        run = dict(zip(TABLE, key))
        device = run['device'] if run['device'] != 'cpu' else 'cpu%s' % run['cores']
        task = 'worst' if 'characters' in run['unit'] else run['task']
        name = '-'.join(part for part in (task, run['size'], run['dtype'], device) if part)
        name += '-padded' * run['padded'] + '-kept' * run['hardware'].endswith(KEPT)
        draw(run, found, os.path.join(directory, name + '.png'))
    return 0
