# -*- coding: utf-8 -*-
"""The rows of tox.ini, and whether all of them reported.

    python -m parity.rows DIRECTORY [N]  the table of what BERT4KERAS_RESULTS=DIRECTORY holds after `tox`; N is how many
                                         other steps failed, for the last line
    python -m parity.rows --readme       writes the table of the README
    python -m parity.rows --plan         what .ci/schedule.py runs, in JSON

The first exits with 1 if a row did not report or failed, if a test was skipped that .ci/skips.txt does not name, and
if a line there names nothing any more. A test that says "PACKAGE is not in this row" may be skipped where tox.ini pins
no such package. The row `newest` reports and cannot fail.
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

from parity.peers import PEERS

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNPINNED = 'newest'
RUNS = ['tests', 'parity']
WITHOUT_ENGINE = ['-m', 'not engine_free']
PYTHONS = ('2.7', '3.7', '3.13')  # the first, the last, and what lies between; the README's tests are on 3.11
# A row whose Keras and engine are those of another but for a patch or a Python: what it has to say is asked in brief.
LIKE = {'keras231-tf113': 'keras230-tf113', 'keras231-tf115': 'keras230-tf113', 'tfkeras-tf113': 'tfkeras-tf115',
        'tfkeras-tf114': 'tfkeras-tf115', 'tfkeras-tf20': 'tfkeras-tf22', 'tfkeras-tf221': 'tfkeras-tf215',
        'keras3-jax-py313': 'keras3-jax', 'keras3-jax': "the README's tests", UNPINNED: 'keras3-jax-py313'}


def read_tox(root=ROOT):
    """tox.ini, parsed."""
    parser = configparser.RawConfigParser()
    with io.open(os.path.join(root, 'tox.ini'), encoding='utf-8') as stream:
        (parser.read_file if hasattr(parser, 'read_file') else parser.readfp)(stream)
    return parser


def setting(parser, row, key):
    """A setting of a row as tox reads it: its own or that of its bases, other sections' values put in."""
    own = 'testenv:' + row
    bases = parser.get(own, 'base').split(',') if parser.has_option(own, 'base') else ['testenv']
    for section in [own] + [base.strip() for base in bases]:
        if parser.has_option(section, key):
            return expand(parser, parser.get(section, key))
    return ''


def expand(parser, text):
    """The text with every {[section]key} replaced by its value."""
    return re.sub(r'{\[([^]]+)\](\w+)}', lambda match: expand(parser, parser.get(*match.groups())), text)


def read_rows(parser=None):
    """OrderedDict {row: list of its pins, such as "tensorflow==1.15.5"} of tox.ini, in its order."""
    parser = parser or read_tox()
    rows = collections.OrderedDict()
    for row in parser.get('tox', 'env_list').split():
        if setting(parser, row, 'package') != 'wheel':
            continue  # no environment of people's, such as `report`
        text = setting(parser, row, 'deps') + '\n' + setting(parser, row, 'commands_pre')
        pins = collections.OrderedDict(pin.split('==') for pin in re.findall(r'[\w.-]+==[\w.]+', text))
        rows[row] = ['%s==%s' % pin for pin in pins.items()]
    return rows


def python_of(row, parser=None):
    """The Python of a row, such as "3.11"."""
    return setting(parser or read_tox(), row, 'base_python').replace('python', '')


def environments(parser=None):
    """[[row, row...]...]: the rows of each environment, the one that runs the slow tests first."""
    parser = parser or read_tox()
    found = collections.OrderedDict()
    for row in read_rows(parser):
        found.setdefault(setting(parser, row, 'env_dir'), []).append(row)
    return [sorted(rows, key=lambda row: not is_slow(parser, row)) for rows in found.values()]


def is_slow(parser, row):
    """Whether a row runs the slow tests."""
    return '--slow' in setting(parser, row, 'set_env')


def plan(parser=None):
    """What CI runs: the rows of each environment together, the longest first.

    Returns:
        list of lists of {'row', 'arguments': for pytest, 'official': whether the official files are there for it}. One
        row of each Python has them, and of each of PYTHONS runs what imports no Keras; what is LIKE another is brief.
    """
    parser = parser or read_tox()
    ordered = sorted(environments(parser), key=lambda rows: (-len(rows), not is_slow(parser, rows[0])))
    firsts = {}  # of each Python, rather one that is asked in full
    for row in sorted(sum(ordered, []), key=lambda row: (row == UNPINNED, row in LIKE)):
        firsts.setdefault(python_of(row, parser), row)
    jobs = []
    for rows in ordered:
        jobs.append([])
        for row in rows:
            python = python_of(row, parser)
            is_first = firsts[python] == row
            arguments = ['--brief'] * (row in LIKE) + WITHOUT_ENGINE * (not is_first or python not in PYTHONS)
            jobs[-1].append({'row': row, 'official': is_first, 'arguments': (RUNS + arguments) * bool(arguments)})
    return jobs + [[{'row': 'report', 'official': False, 'arguments': []}]]


def support_table():
    """The lines of the README's table: what each row is made of and compared with, from tox.ini alone."""
    parser = read_tox()
    yield u'| row | Python | Keras | compared with |'
    yield u'|---|---|---|---|'
    for row, pins in read_rows(parser).items():
        versions = dict(pin.lower().split('==') for pin in pins)
        peers = [u'%s %s' % (peer.title, versions[peer.packages[0]]) for peer in PEERS.values()
                 if peer.packages and peer.packages[0] in versions]
        yield u'| `%s` | %s | %s | %s |' % (row, python_of(row, parser), keras_of(row, versions),
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


def write_readme(paths=tuple(os.path.join(ROOT, name) for name in ('README.md', 'README.zh-CN.md'))):
    """Puts the table of the rows into the README of both languages."""
    for path in paths:
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


def is_missing_by_rule(reason, pins):
    """Whether a skip says that a package is not in the row which none of the row's pins brings."""
    def canonical(package):
        return re.sub('-cpu$', '', package.lower().replace('_', '-'))
    match = re.search(r'([\w.-]+) is not in this row$', reason)
    return bool(match) and canonical(match.group(1)) not in {canonical(pin.split('==')[0]) for pin in pins}


def complaints(rows, found, allowed):
    """What is wrong: rows that did not report, failures, skips that are not allowed, dead lines.

    Args:
        rows: {row: pins}.
        found: see `read_results`.
        allowed: see `read_skips`.
    """
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
                if not lines and not is_missing_by_rule(skip['reason'], rows[row]):
                    yield '%s: %s was skipped: %s' % (row, skip['test'], skip['reason'])
    for line in allowed:
        # what depends on the machine, not on the row, may be there
        if line not in used and line[0] != '*':
            yield 'this line of .ci/skips.txt names nothing any more: %s' % ' | '.join(line)


def table(rows, found):
    """The table of all rows: row, versions, passed, skipped, failed, seconds."""
    form = '%-18s %-8s %-36s %7s %8s %7s %8s %8s'
    yield form % ('row', 'Python', 'Keras', 'passed', 'skipped', 'failed', 'seconds', 'CPU')
    for row in rows:
        runs = list(found.get(row, {}).values())
        keras = [run['versions']['keras'] for run in runs if run['versions']['keras']]
        yield form % ((row, runs[0]['versions']['python'] if runs else '', keras[-1] if keras else 'no report')
                      + totals(runs) + tuple('%.0f' % sum(run[key] for run in runs) for key in ('seconds', 'cpu')))


def totals(runs):
    """How many tests of some runs passed, were skipped and failed."""
    return tuple(sum(count) for count in zip(*[(run['passed'], len(run['skipped']), len(run['failed']))
                                               for run in runs])) or (0, 0, 0)


def main(directory, others=0):
    """Prints the table, the complaints, and as its last line how many passed and failed; returns the exit code."""
    rows, found = read_rows(), read_results(directory)
    print('\n'.join(table(rows, found)))
    wrong = list(complaints(rows, found, read_skips(os.path.join(ROOT, '.ci', 'skips.txt'))))
    print('\n'.join(wrong))
    passed = totals([run for row in rows for run in found.get(row, {}).values()])[0]
    failed = len(wrong) + int(others)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    if sys.argv[1:] == ['--plan']:
        sys.exit(print(json.dumps(plan(), indent=1)))
    sys.exit(write_readme() if sys.argv[1:] == ['--readme'] else main(*sys.argv[1:]))
