# -*- coding: utf-8 -*-
"""The rows of tox.ini, and whether all of them reported.

    python -m parity.rows DIRECTORY      the table of what BERT4KERAS_RESULTS=DIRECTORY holds after `tox`
    python -m parity.rows --readme       writes the table of the README
    python -m parity.rows --environments names a row of each environment, for `tox run-parallel --notest`

The first exits with 1 if a row did not report or failed, if a test was skipped that .ci/skips.txt does not name, and
if a line there names nothing any more. The row `newest` reports and cannot fail.
"""
from __future__ import absolute_import, division, print_function

import collections
import glob
import io
import json
import os
import re
import sys

try:
    import configparser
except ImportError:  # Python 2
    import ConfigParser as configparser

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNPINNED = 'newest'
RUNS = ('tests', 'parity')


def applies(condition, row):
    """Whether tox's condition of factors, such as "tf113,keras3-!py313", holds for a row."""
    factors = row.split('-')
    return any(all((part[1:] not in factors) if part.startswith('!') else part in factors
                   for part in alternative.strip().split('-')) for alternative in condition.split(','))


def values(parser, key, row):
    """The lines of a setting of [testenv], or of the row's own section, that hold for the row."""
    own = 'testenv:' + row
    section = own if parser.has_section(own) and parser.has_option(own, key) else 'testenv'
    for line in parser.get(section, key).splitlines():
        condition = re.match(r'([!\w,-]+): (.*)', line)
        if not condition:
            yield line
        elif applies(condition.group(1), row):
            yield condition.group(2)


def read_tox(root=ROOT):
    """tox.ini, parsed."""
    parser = configparser.RawConfigParser()
    with io.open(os.path.join(root, 'tox.ini'), encoding='utf-8') as stream:
        (parser.read_file if hasattr(parser, 'read_file') else parser.readfp)(stream)
    return parser


def read_rows(parser=None):
    """OrderedDict {row: list of its pins, such as "tensorflow==1.15.5"} of tox.ini, in its order."""
    parser = parser or read_tox()
    rows = collections.OrderedDict()
    for row in parser.get('tox', 'env_list').split():
        if parser.has_section('testenv:' + row) and parser.has_option('testenv:' + row, 'package'):
            continue  # no environment of people's, such as `report`
        text = '\n'.join(list(values(parser, 'deps', row)) + list(values(parser, 'commands_pre', row)))
        for section in set(re.findall(r'{\[([\w-]+)\]\w+}', text)):
            for key in parser.options(section):
                text = text.replace('{[%s]%s}' % (section, key), parser.get(section, key))
        pins = collections.OrderedDict(pin.split('==') for pin in re.findall(r'[\w.-]+==[\w.]+', text))
        rows[row] = ['%s==%s' % pin for pin in pins.items()]
    return rows


def environments():
    """The first row of each environment that tox makes; the other rows share it."""
    parser = read_tox()
    firsts = collections.OrderedDict()
    for row in read_rows(parser):
        firsts.setdefault(tuple(values(parser, 'env_dir', row)), row)
    return list(firsts.values())


PEERS = (('keras-bert', 'keras-bert'), ('bert-tensorflow', "Google's BERT"), ('transformers', 'transformers'),
         ('keras-hub', 'KerasHub'))


def support_table():
    """The lines of the README's table: what each row is made of and compared with, from tox.ini alone."""
    parser = read_tox()
    yield u'| row | Python | Keras | compared with |'
    yield u'|---|---|---|---|'
    for row, pins in read_rows(parser).items():
        versions = dict(pin.lower().split('==') for pin in pins)
        python = [line for line in values(parser, 'base_python', row) if line][-1]
        peers = [u'%s %s' % (name, versions[package]) for package, name in PEERS if package in versions]
        yield u'| `%s` | %s | %s | %s |' % (row, python.replace('python', ''), keras_of(row, versions),
                                            u', '.join(peers) or u'what keras-bert said')


def keras_of(row, versions):
    """Which Keras a row runs, on which engine, for people."""
    if row == UNPINNED:
        return u'the newest of everything, unpinned; it reports and cannot fail'
    engine = row.split('-')[1] if row.startswith('keras3-') else 'tensorflow'
    version = versions.get(engine) or versions['tensorflow-cpu']
    engine = u'%s %s' % ({'tensorflow': u'TensorFlow', 'jax': u'JAX', 'torch': u'PyTorch'}[engine], version)
    if row == 'tfkeras-tf221':
        return u'tf_keras %s on %s' % (versions['tf_keras'], engine)
    return u'tf.keras of %s' % engine if row.startswith('tfkeras') else u'Keras %s on %s' % (versions['keras'], engine)


def in_readme(text, table):
    """The README's text with the table between its two marks replaced."""
    begin, end = u'<!-- rows: python -m parity.rows --readme -->\n', u'\n<!-- end of rows -->'
    return text[:text.index(begin) + len(begin)] + table + text[text.index(end):]


def write_readme(path=os.path.join(ROOT, 'README.md')):
    """Puts the table of the rows into the README."""
    with io.open(path, encoding='utf-8') as stream:
        text = stream.read()
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(in_readme(text, u'\n'.join(support_table())))


def read_results(directory):
    """{row: {'tests' or 'parity': contents of its JSON file}} of a directory of results."""
    found = collections.defaultdict(dict)
    for path in sorted(glob.glob(os.path.join(directory, '*.json'))):
        with io.open(path, encoding='utf-8') as stream:
            contents = json.load(stream)
        found[contents['row']][contents['what']] = contents
    return found


def read_skips(path):
    """[(row pattern, test pattern, reason pattern)] of the allow-list, see there."""
    with io.open(path, encoding='utf-8') as stream:
        lines = [line.strip() for line in stream]
    return [tuple(part.strip() for part in line.split('|')) for line in lines if line and line[0] != '#']


def fits(line, values):
    """Whether a line of the allow-list is about (row, test, reason); commas separate alternatives of rows."""
    def like(pattern, value):
        return re.match('.*'.join(map(re.escape, pattern.strip().split('*'))) + '$', value, re.S)
    return (any(like(row, values[0]) for row in line[0].split(','))
            and all(like(pattern, value) for pattern, value in zip(line[1:], values[1:])))


def complaints(rows, found, allowed):
    """What is wrong: rows that did not report, failures, skips that are not allowed, dead lines."""
    used = set()
    for row in rows:
        if row == UNPINNED:
            if not found.get(row):
                yield '%s did not report' % row
            continue
        for run in RUNS:
            if run not in found.get(row, {}):
                yield '%s did not report %s' % (row, run)
                continue
            for test in found[row][run]['failed']:
                yield '%s: %s failed' % (row, test)
            for skip in found[row][run]['skipped']:
                lines = [line for line in allowed if fits(line, (row, skip['test'], skip['reason']))]
                used.update(lines)
                if not lines:
                    yield '%s: %s was skipped: %s' % (row, skip['test'], skip['reason'])
    for line in allowed:
        # what depends on the machine, not on the row, may be there
        if line not in used and line[0] != '*':
            yield 'this line of .ci/skips.txt names nothing any more: %s' % ' | '.join(line)


def table(rows, found):
    """The table of all rows: row, versions, passed, skipped, failed, seconds."""
    form = '%-18s %-8s %-36s %7s %8s %7s %8s'
    yield form % ('row', 'Python', 'Keras', 'passed', 'skipped', 'failed', 'seconds')
    for row in rows:
        runs = [found.get(row, {}).get(run) for run in RUNS]
        runs = [run for run in runs if run]
        keras = [run['versions']['keras'] for run in runs if run['versions']['keras']]
        yield form % (row, runs[0]['versions']['python'] if runs else '', keras[-1] if keras else 'no report',
                      sum(run['passed'] for run in runs), sum(len(run['skipped']) for run in runs),
                      sum(len(run['failed']) for run in runs), '%.0f' % sum(run['seconds'] for run in runs))


def main(directory):
    """Prints the table and the complaints; returns the exit code."""
    rows, found = read_rows(), read_results(directory)
    print('\n'.join(table(rows, found)))
    wrong = list(complaints(rows, found, read_skips(os.path.join(ROOT, '.ci', 'skips.txt'))))
    print('\n'.join(wrong))
    return 1 if wrong else 0


if __name__ == '__main__':
    if sys.argv[1:] == ['--environments']:
        sys.exit(print(','.join(environments())))
    sys.exit(write_readme() if sys.argv[1:] == ['--readme'] else main(*sys.argv[1:]))
