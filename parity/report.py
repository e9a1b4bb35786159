# -*- coding: utf-8 -*-
"""Writes PARITY.md and its heat map from what all rows measured.

    BERT4KERAS_RESULTS=$PWD/results tox ; python -m parity.report results       (needs matplotlib)
    python -m parity.report --check        is PARITY.md of this source and of these rows? exit code 0 or 1

The second is `tox -e report`, the first `tox -e report -- results`.
"""
from __future__ import absolute_import, division, print_function

import collections
import hashlib
import io
import os
import re
import shutil
import sys
import tempfile

import numpy as np

from parity.peers import PEERS
from parity.rows import UNPINNED, read_results, read_rows

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
# What the numbers depend on: the package and parity/, except for what cannot change one. A new module counts at once.
SOURCES = ('bert4keras/**.py', 'parity/**.py', 'tests/helpers/releases.py')
WITHOUT = ('**/__init__.py', 'bert4keras/batching.py', 'bert4keras/cli.py', 'bert4keras/decoding.py',
           'bert4keras/early/text.py', 'bert4keras/embedding/**.py', 'bert4keras/embedding_commands.py',
           'bert4keras/errors.py', 'bert4keras/generators.py',
           'bert4keras/keras_bert/**.py', 'bert4keras/losses.py', 'bert4keras/models.py',
           'bert4keras/optimizers/**.py', 'bert4keras/parallel.py', 'bert4keras/plots/**.py',
           'bert4keras/pretraining/**.py',
           'bert4keras/search.py', 'bert4keras/snippets.py', 'bert4keras/stepping.py', 'bert4keras/terminal.py',
           'bert4keras/text_files.py',
           'bert4keras/tokenizer*.py',
           'bert4keras/train.py', 'bert4keras/utils.py', 'parity/copy_checkout.py', 'parity/keras_bert_clients.py',
           'parity/keras_bert_own_tests.py', 'parity/mutat**.py', 'parity/record_sentences.py', 'parity/report.py',
           'parity/rows.py', 'parity/test_parity_keras_bert_clients.py', 'parity/test_parity_keras_bert_dropin.py',
           'parity/test_parity_optimizers.py', 'parity/test_parity_rows.py', 'parity/*tokenizer.py')
KINDS = ('hidden', 'heads', 'gradient', '10 SGD steps', '10 Adam steps')
SHOWN = {'tensorflow', 'tensorflow-cpu', 'tf_keras', 'keras', 'jax', 'torch', 'numpy'}.union(
    *[peer.packages[:1] for peer in PEERS.values()])
INTRODUCTION = u"""# Parity

The same checkpoint through every Keras, and through the other implementations that people trust. Written by
`python -m parity.report` from what `tox` measured on every row; never edited by hand.

Each figure is a largest |difference|, and in brackets its share of the tolerance where it is nearest to it.
Hidden states: 4 times what float32 rounding alone does to the float64 reference, at most 1e-5 (2e-5 for real
weights). Probabilities and gradients: 1e-4 of their size; weights after ten steps: 1e-4 of how far they went,
with Adam 1e-2. `float64` is our own reference in NumPy, the tie-breaker: the last column has how far ours and the
peer are from it, and who is over the tolerance.

![share of the tolerance, by row and peer](parity.png)

Source: %s
"""


def sources(root=ROOT):
    """The files that the numbers depend on, by SOURCES less WITHOUT; `**` reaches into folders, `*` does not."""
    def fits(patterns, name):
        return any(re.match(re.escape(pattern).replace(r'\*\*', '.*').replace(r'\*', '[^/]*') + '$', name)
                   for pattern in patterns)
    names = [os.path.relpath(os.path.join(folder, name), root).replace(os.sep, '/')
             for top in ('bert4keras', 'parity', 'tests') for folder, _, files in os.walk(os.path.join(root, top))
             for name in files]
    return sorted(name for name in names if fits(SOURCES, name) and not fits(WITHOUT, name))


def source_hash():
    """How many files the numbers depend on, and the SHA-256 of these."""
    digest = hashlib.sha256()
    for name in sources():
        with io.open(os.path.join(ROOT, name), 'rb') as stream:
            digest.update(stream.read())
    return '%d files, SHA-256 %s' % (len(sources()), digest.hexdigest())


def cells(values):
    """One line of a table."""
    return u'| %s |' % u' | '.join(values)


def header(names):
    """The two lines that begin a table."""
    return [cells(names), u'|' + u'---|' * len(names)]


def shown_pins(pins):
    """Those of a row's pins that decide what runs."""
    shown = [pin.replace('==', ' ') for pin in pins if pin.split('==')[0].lower() in SHOWN]
    return u', '.join(shown) or u'the newest of everything'


def row_lines(rows, found):
    """The table of the rows, their versions and how their parity went."""
    lines = header(['row', 'Python', 'Keras and engine', 'pins', 'passed', 'skipped', 'failed'])
    for row, pins in rows.items():
        run = found.get(row, {}).get('parity')
        if run is None:
            lines.append(cells([u'`%s`' % row, u'', u'not run', shown_pins(pins), u'', u'', u'']))
            continue
        lines.append(cells([u'`%s`' % row, run['versions']['python'], run['versions']['keras'], shown_pins(pins)]
                           + [u'%d' % run['passed'], u'%d' % len(run['skipped']), u'%d' % len(run['failed'])]))
    return lines


def nearest(comparisons):
    """How near the comparisons come to their tolerances: 1.0 is at it."""
    return max(one['measured'] / one['allowed'] for one in comparisons)


def cell(comparisons):
    """The largest difference and the share of its tolerance, or nothing where nothing was compared."""
    if not comparisons:
        return u''
    return u'%.1e (%.0f%%)' % (max(one['measured'] for one in comparisons), 100 * nearest(comparisons))


def verdict(comparisons):
    """What the float64 reference says of both sides' hidden states."""
    judged = [one for one in comparisons if one['kind'] == 'hidden' and 'ours_off' in one]
    if not judged or judged[0]['peer'] == 'float64':
        return u''
    over = [side for side, key in (('ours', 'ours_off'), ('the peer', 'peer_off'))
            if any(one[key] > one['allowed'] for one in judged)]
    distances = u' / '.join(u'%.1e' % max(one[key] for one in judged) for key in ('ours_off', 'peer_off'))
    return u'%s: %s' % (distances, u'%s over' % u' and '.join(over) if over else u'both within')


def group(rows, found):
    """OrderedDict {checkpoint: {(row, peer): comparisons}} of what was compared with a peer."""
    groups = collections.OrderedDict()
    for row in rows:
        for one in found.get(row, {}).get('parity', {}).get('comparisons', ()):
            if 'peer' in one:
                groups.setdefault(one['checkpoint'], collections.OrderedDict()).setdefault(
                    (row, one['peer']), []).append(one)
    return groups


def checkpoint_lines(members):
    """The table of one checkpoint: a line for each row and peer."""
    kinds = [kind for kind in KINDS if any(one['kind'] == kind for many in members.values() for one in many)]
    lines = header(['row', 'peer'] + kinds + ['from float64: ours / the peer'])
    for (row, peer), comparisons in members.items():
        by_kind = [[one for one in comparisons if one['kind'] == kind] for kind in kinds]
        lines.append(cells([u'`%s`' % row, peer] + [cell(one) for one in by_kind] + [verdict(comparisons)]))
    return lines


# ------------------------------------------------------------------ between rows

def spreads(answers, start, tolerances):
    """How far any two rows are apart on the common checkpoint.

    Args:
        answers: {row: answer}, see questions.py.
        start: {Google's name: array}, the checkpoint.
        tolerances: {layer: tolerance} of the layers' outputs.

    Returns:
        {kind: list of comparisons} with the two rows and the tensor in each.
    """
    from parity import training
    from parity.measure import RELATIVE
    rows = list(answers)
    trained = {row: training.moved(start, answer) for row, answer in answers.items()}
    found = collections.OrderedDict((kind, []) for kind in KINDS)
    for key in answers[rows[0]]:
        arrays = np.array([trained[row].get(key, answers[row][key]) for row in rows], 'float64')
        kind, size, allowed = 'hidden', 1.0, tolerances.get(key)
        if ' (' in key:
            name, kind = key[:-1].split(' (')
            size, allowed = training.scale(trained[rows[0]], name, kind), training.allowed(name, kind)
        elif key.endswith('-Proba') or key == 'Pooler-Dense':
            kind = 'heads'
            size = np.abs(arrays[0]) if key.endswith('-Proba') else 1.0
            allowed = RELATIVE if key.endswith('-Proba') else allowed
        apart = (arrays.max(axis=0) - arrays.min(axis=0)) / size
        where = np.unravel_index(apart.argmax(), apart.shape)
        column = arrays[(slice(None),) + where]
        found[kind].append({'measured': float(apart.max()), 'allowed': allowed, 'tensor': key,
                            'rows': (rows[column.argmin()], rows[column.argmax()])})
    return found


def read_answers(directory, rows, question):
    """{row: answer} of the rows whose answer lies in a directory; ValueError if it is to another question."""
    answers = collections.OrderedDict()
    for row in rows:
        path = os.path.join(directory, row + '.npz')
        if os.path.exists(path):
            with np.load(path) as arrays:
                if str(arrays['fingerprint'].astype('U64')) != question.fingerprint():  # Python 2 wrote bytes
                    raise ValueError('%s answers another question: run that row again' % path)
                answers[row] = {key: arrays[key] for key in arrays.files if key != 'fingerprint'}
    return answers


def between_lines(directory, rows, groups):
    """The section about any two rows."""
    from parity.questions import common_questions
    release = tempfile.mkdtemp()
    try:
        question = common_questions(release)[0]
        answers = read_answers(directory, rows, question)
        tolerances = {one['what'].rsplit(' ', 1)[1]: one['allowed']
                      for (_, peer), many in groups[question.name].items() for one in many if peer == 'float64'}
        found = spreads(answers, question.variables(), tolerances)
        fingerprint = question.fingerprint()
    finally:
        shutil.rmtree(release)
    lines = [u'## Any two rows', u'',
             u'The answers of %d rows to one question, its checkpoint made from a seed (SHA-256 of weights and ids '
             u'%s...): the largest difference between any two.' % (len(answers), fingerprint[:16]), u'']
    lines += header(['', 'largest (share of the tolerance)', 'of', 'between'])
    for kind, comparisons in found.items():
        largest = max(comparisons, key=lambda one: one['measured'])
        lines.append(cells([kind, cell(comparisons), u'`%s`' % largest['tensor'],
                            u'`%s` and `%s`' % largest['rows']]))
    return lines, [u'any two rows, %s: %s' % (kind, cell(many)) for kind, many in found.items() if nearest(many) > 1]


# ------------------------------------------------------------------ the files

def heat_map(groups, rows, path):
    """Draws the share of the tolerance, by row and by checkpoint and peer."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot

    columns = sorted({(peer, checkpoint) for checkpoint, members in groups.items() for _, peer in members})
    rows = [row for row in rows if any(row == one for members in groups.values() for one, _ in members)]
    shares = np.full((len(rows), len(columns)), np.nan)
    figure, axes = pyplot.subplots(figsize=(1.5 + 0.62 * len(columns), 2.6 + 0.33 * len(rows)))
    for j, (peer, checkpoint) in enumerate(columns):
        for i, row in enumerate(rows):
            comparisons = groups[checkpoint].get((row, peer))
            if comparisons:
                shares[i, j] = nearest(comparisons)
                hidden = [one['measured'] for one in comparisons if one['kind'] == 'hidden']
                axes.text(j, i, '%.0e' % max(hidden) if hidden else '', ha='center', va='center', fontsize=6)
    image = axes.imshow(shares, cmap='RdYlGn_r', vmin=0, vmax=1.2, aspect='auto')
    axes.set_xticks(range(len(columns)))
    axes.set_xticklabels(['%s: %s' % column for column in columns], rotation=45, ha='right', fontsize=7)
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels(rows, fontsize=7)
    axes.set_title('Largest |difference| of hidden states; colour: largest share of a tolerance, of anything compared',
                   fontsize=8)
    figure.colorbar(image, ax=axes, fraction=0.03, pad=0.02)
    figure.savefig(path, dpi=130, bbox_inches='tight')
    pyplot.close(figure)


def write(directory):
    """Writes PARITY.md and parity.png; returns the exit code, 1 if a tolerance is exceeded or a row is missing."""
    rows, found = read_rows(), read_results(directory)
    groups = group(rows, found)
    between, wrong = between_lines(directory, rows, groups)
    lines = [INTRODUCTION % source_hash(), u'## Rows', u''] + row_lines(rows, found) + [u''] + between
    for checkpoint, members in groups.items():
        lines += [u'', u'## %s' % checkpoint, u''] + checkpoint_lines(members)
    with io.open(os.path.join(ROOT, 'PARITY.md'), 'w', encoding='utf-8') as stream:
        stream.write(u'\n'.join(lines) + u'\n')
    heat_map(groups, rows, os.path.join(ROOT, 'parity.png'))
    wrong += [u'%s, %s, %s: %s' % (checkpoint, row, peer, cell(many)) for checkpoint, members in groups.items()
              for (row, peer), many in members.items() if nearest(many) > 1]
    wrong += [u'%s did not report' % row for row in rows if 'parity' not in found.get(row, {})]
    print(u'\n'.join(wrong) or 'every row reported, and every difference is within its tolerance')
    return 1 if wrong else 0


def stale(text, rows):
    """What of PARITY.md is not of these rows: a list of complaints."""
    lines = {match.group(1): match.group(2) for match in re.finditer(
        r'^\| `([^`]+)` \| [^|]* \| [^|]* \| ([^|]*) \| \d* \| \d* \| \d* \|$', text, re.M)}
    complaints = ['PARITY.md has other rows than tox.ini: %s' % row for row in sorted(set(lines) ^ set(rows))]
    complaints += ['PARITY.md has nothing measured of %s' % row for row in re.findall(
        r'^\| `([^`]+)` \|  \| not run \|', text, re.M) if row != UNPINNED]
    return complaints + ['PARITY.md has other pins of %s than tox.ini' % row for row, pins in rows.items()
                         if lines.get(row, shown_pins(pins)) != shown_pins(pins)]


def check():
    """Prints what of PARITY.md is stale; returns the exit code."""
    with io.open(os.path.join(ROOT, 'PARITY.md'), encoding='utf-8') as stream:
        text = stream.read()
    complaints = stale(text, read_rows())
    if source_hash() not in text:
        complaints.append('PARITY.md is of another source than this one: run the rows again, then parity.report. The '
                          'numbers depend on %s' % ', '.join(sources()))
    print('\n'.join(complaints) or 'PARITY.md is of this source and of these rows')
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(check() if sys.argv[1:] in ([], ['--check']) else write(sys.argv[1]))
