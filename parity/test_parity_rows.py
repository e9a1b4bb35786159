# -*- coding: utf-8 -*-
"""The harness itself: PARITY.md and the README's table are of tox.ini's rows, and what is missing is noticed."""
from __future__ import absolute_import, division, print_function

import collections
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import bert4keras
from parity import measure, mutate, mutations, peers, report, results, rows, training
from parity.copy_checkout import copy_checkout

pytestmark = pytest.mark.engine_free
SKIP = {'test': 'parity/test_a.py::test_b[c]', 'reason': 'not for this row'}


def read(name):
    """The text of a file of the checkout."""
    with io.open(os.path.join(rows.ROOT, name), encoding='utf-8') as stream:
        return stream.read()


def reported(**changes):
    """What a row that ran everything leaves behind."""
    run = dict({'failed': [], 'skipped': [], 'passed': 3, 'seconds': 1.0, 'cpu': 2.0,
                'versions': {'python': '3.11', 'keras': 'Keras'}}, **changes)
    return {'tests': run, 'parity': run}


def test_parity_md_has_the_rows_and_pins_of_tox_ini():
    """PARITY.md was written of the rows that tox.ini has, with these pins."""
    assert report.stale(read('PARITY.md'), rows.read_rows()) == []


def test_another_pin_or_row_makes_parity_md_stale():
    """A changed pin, a row too many and a row too few are each noticed."""
    text, pins = read('PARITY.md'), rows.read_rows()
    pins['keras3-jax'] = [pin.replace('jax==', 'jax==9') for pin in pins['keras3-jax']]
    assert len(report.stale(text, pins)) == 1
    assert len(report.stale(text, dict(rows.read_rows(), other=[]))) == 1
    assert len(report.stale(text.replace('| `newest` | ', '| newest | '), rows.read_rows())) == 1


def test_the_readme_has_the_rows_of_tox_ini():
    """The README's table of rows is what tox.ini gives."""
    text = read('README.md')
    assert rows.in_readme(text, '\n'.join(rows.support_table())) == text


def test_the_readme_has_the_score_of_the_mutations():
    """The README tells of as many mistakes as there are; `parity.mutate` fails if one survives."""
    tables = {area: mutations.read_table(area) for area in mutations.AREAS}
    assert set(tables) >= {'model', 'tokenizer', 'families', 'checkpoint', 'optimizers', 'embedding', 'drop_in'}
    assert all(len(table) >= 3 for table in tables.values())
    whole = sum(map(len, tables.values()))
    assert '%d of %d are caught' % (whole, whole) in ' '.join(read('README.md').split())
    assert len({mutation[2:5] for table in tables.values() for mutation in table}) == whole


@pytest.mark.parametrize('area', mutations.AREAS)
def test_every_mutation_is_of_the_source_as_it_is(area):
    """The text that each replaces is in the package, once; `parity.mutate` then sees whether the change is noticed."""
    for mutation in mutations.read_table(area):
        mutate.find(os.path.dirname(os.path.abspath(bert4keras.__file__)), mutation)
        assert mutation.old != mutation.new and mutation.check


TOX = u"""
[tox]
env_list =
    a-one
    b-one
    c
    report
[testenv]
package = wheel
set_env = ALL = 1
[pins]
more = x==1 y==2
[one]
base_python = python3.7
env_dir = one
deps =
    {[pins]more}
    Keras==2.3.1
commands_pre = pip {[pins]more}
[testenv:a-one]
base = one, testenv
[testenv:b-one]
base = one, testenv
set_env =
    {[testenv]set_env}
    PYTEST_ADDOPTS = --slow
commands_pre = pip Keras==2.3.0
[testenv:c]
base_python = python3.11
env_dir = c
deps = z==3
[testenv:report]
package = skip
"""


@pytest.fixture
def small_tox(tmp_path):
    """A small tox.ini, parsed: rows a-one and b-one share an environment, c has its own, report is no row."""
    with io.open(os.path.join(str(tmp_path), 'tox.ini'), 'w', encoding='utf-8') as stream:
        stream.write(TOX)
    return rows.read_tox(str(tmp_path))


def test_rows_are_read_as_tox_reads_them(small_tox):
    """A row's own setting, else that of its bases in their order; other sections' values; later pins override."""
    assert rows.read_rows(small_tox) == collections.OrderedDict([
        ('a-one', ['x==1', 'y==2', 'Keras==2.3.1']), ('b-one', ['x==1', 'y==2', 'Keras==2.3.0']), ('c', ['z==3'])])
    assert rows.setting(small_tox, 'b-one', 'set_env').split() == 'ALL = 1 PYTEST_ADDOPTS = --slow'.split()
    assert rows.setting(small_tox, 'a-one', 'set_env') == 'ALL = 1'
    assert [rows.python_of(row, small_tox) for row in ('a-one', 'c')] == ['3.7', '3.11']


def test_ci_runs_the_slow_row_first_and_the_rest_of_its_environment_without_what_needs_no_engine(small_tox,
                                                                                                 monkeypatch):
    """The largest environment first; one row of each Python has the official files; the report is the last job."""
    monkeypatch.setattr(rows, 'LIKE', {'a-one': 'b-one'})
    jobs = [[(row['row'], row['official'], row['arguments']) for row in job] for job in rows.plan(small_tox)]
    assert jobs == [[('b-one', True, []), ('a-one', False, ['tests', 'parity', '--brief', '-m', 'not engine_free'])],
                    [('c', True, ['tests', 'parity', '-m', 'not engine_free'])], [('report', False, [])]]


def test_all_rows_are_in_the_plan_of_ci_once():
    """No row of tox.ini is forgotten, and each Python has its row with the official files."""
    planned = [row for job in rows.plan() for row in job]
    assert sorted(row['row'] for row in planned) == sorted(list(rows.read_rows()) + ['report'])
    pythons = [rows.python_of(row['row']) for row in planned if row['official']]
    assert sorted(pythons) == sorted({rows.python_of(row) for row in rows.read_rows()})


def test_what_a_brief_row_is_like_is_asked_in_full():
    """Or is like another row which is, on the same engine."""
    for row, other in rows.LIKE.items():
        while other in rows.LIKE:
            other = rows.LIKE[other]
        assert other == "the README's tests" or other in rows.read_rows(), row


FAKE_TOX = u"""#!/bin/sh
while [ "$1" != -e ]; do shift; done
row=$2; shift 2
echo "$row ran with $* and ${BERT4KERAS_OFFICIAL-nothing}"
printf '{"passed": 7, "skipped": [], "failed": []}' > "$BERT4KERAS_RESULTS/$row.tests.json"
[ $row != tfkeras-tf20 ]
"""
if sys.version_info >= (3,):  # CI itself runs on a new Python
    def test_the_scheduler_runs_the_plan_and_shows_what_failed(tmp_path, monkeypatch):
        """A line for each row, the log of what failed, the official files where the plan has them, exit code 1."""
        tox = tmp_path / 'tox'
        tox.write_text(FAKE_TOX)
        tox.chmod(0o700)
        monkeypatch.setenv('BERT4KERAS_RESULTS', str(tmp_path))
        monkeypatch.setenv('BERT4KERAS_OFFICIAL', '/official')
        run = subprocess.run([sys.executable, os.path.join(rows.ROOT, '.ci', 'schedule.py'), str(tox), str(tmp_path),
                              'x.whl', 'keras231-tf115', 'tfkeras-tf115', 'tfkeras-tf20'], stdout=subprocess.PIPE)
        output = run.stdout.decode('utf-8')
        assert run.returncode == 1 and 'keras3' not in output
        lines = {line.split()[0]: line for line in output.splitlines() if ' passed ' in line}
        assert sorted(lines) == ['keras231-tf115', 'tfkeras-tf115', 'tfkeras-tf20']
        assert ' 7 passed    0 skipped   0 failed' in lines['tfkeras-tf115']
        assert [row for row, line in lines.items() if line.endswith('FAILED')] == ['tfkeras-tf20']
        assert 'tfkeras-tf20 ran with -- tests parity --brief -m not engine_free and nothing' in output
        assert 'keras231-tf115 ran with' not in output
        folder = tmp_path / 'keras231-tf115'
        assert (folder / 'keras231-tf115.log').read_text() == (
            'keras231-tf115 ran with -- tests parity --brief -m not engine_free and nothing\n')
        assert (folder / 'tfkeras-tf115.log').read_text() == 'tfkeras-tf115 ran with  and /official\n'


@pytest.mark.parametrize('reason, pins, expected', [
    ('transformers is not in this row', ['torch==2'], True),
    ('transformers is not in this row', ['transformers==5'], False),
    ('Skipped: keras-hub is not in this row', [], True),
    ('Skipped: keras-hub is not in this row', ['keras_hub==1'], False),
    ('TensorFlow is not in this row', ['tensorflow-cpu==2.21.0'], False), ('TensorFlow is not in this row', [], True),
    ('transformers is too old', [], False)])
def test_only_a_package_without_a_pin_may_be_missing(reason, pins, expected):
    """A peer that a row's pins bring must be there; one that they do not needs no line of skips.txt."""
    assert rows.is_missing_by_rule(reason, pins) is expected
    found = {'a-b': reported(skipped=[{'test': 'x', 'reason': reason}])}
    assert (list(rows.complaints({'a-b': pins}, found, [])) == []) is expected


def test_each_peer_says_which_package_is_missing(monkeypatch):
    """In the words that the rule looks for."""
    monkeypatch.setattr(results, 'version', lambda package: None if package == 'torch' else '1')
    assert peers.missing(['transformers', 'torch']) == 'torch is not in this row'
    assert peers.missing(['transformers']) is None
    with pytest.raises(pytest.skip.Exception):
        peers.require('torch')


def test_the_release_with_our_name_is_looked_for_beside_the_packages(monkeypatch, tmp_path):
    """The version of the peer bert4keras is never that of our own package."""
    monkeypatch.setattr(results, 'EARLY', str(tmp_path))
    assert results.version('bert4keras') is None
    (tmp_path / 'bert4keras-0.11.5.dist-info').mkdir()
    assert results.version('bert4keras') == '0.11.5'


def test_the_hash_of_the_source_covers_what_the_numbers_depend_on(tmp_path):
    """A module that is new counts by itself, in a folder as well; what cannot change a number does not."""
    for name in ('bert4keras/bert.py', 'bert4keras/release/variables.py', 'bert4keras/cli.py', 'bert4keras/demo.txt',
                 'bert4keras/optimizers/rules.py', 'parity/measure.py', 'parity/peers/a_new_one.py', 'parity/rows.py',
                 'parity/mutations/model.py', 'tests/helpers/releases.py', 'tests/test_bert.py'):
        path = os.path.join(str(tmp_path), name)
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        io.open(path, 'w').close()
    assert report.sources(str(tmp_path)) == [
        'bert4keras/bert.py', 'bert4keras/release/variables.py', 'parity/measure.py', 'parity/peers/a_new_one.py',
        'tests/helpers/releases.py']


def test_a_row_that_does_not_report_is_noticed():
    """No results at all, and one of the two runs missing; the unpinned row only has to report."""
    found = {'a-b': reported(), rows.UNPINNED: reported(failed=['x'], skipped=[SKIP])}
    two = {'a-b': [], rows.UNPINNED: []}
    assert list(rows.complaints(two, found, [])) == []
    del found['a-b']['parity'], found[rows.UNPINNED]
    assert len(list(rows.complaints(two, found, []))) == 2


def test_the_last_line_is_for_a_machine(tmp_path, capsys, monkeypatch):
    """ "N passed, N failed": every complaint and every other step that failed is counted."""
    contents = dict(reported()['tests'], row='a-b', what='tests', passed=5)
    with io.open(os.path.join(str(tmp_path), 'a.json'), 'wb') as stream:
        stream.write(json.dumps(contents).encode('ascii'))
    monkeypatch.setattr(rows, 'read_rows', lambda: {'a-b': []})
    monkeypatch.setattr(rows, 'read_skips', lambda path: [])
    assert rows.main(str(tmp_path), '2') == 1
    assert capsys.readouterr()[0].splitlines()[-1] == '5 passed, 3 failed'


def test_failures_and_skips_are_noticed():
    """A failure always; a skip unless the list names row, test and reason; a line that names nothing."""
    rows_, line = {'keras3-jax': [], 'tfkeras-tf20': []}, ('keras3-*', 'parity/*test_b[[]*', 'not for this row')
    found = {'keras3-jax': reported(skipped=[SKIP]), 'tfkeras-tf20': reported()}
    assert list(rows.complaints(rows_, found, [('keras3-*', 'parity/*test_b[*', 'not for this row')])) == []
    assert len(list(rows.complaints(rows_, found, []))) == 2  # in both of its runs
    assert len(list(rows.complaints(rows_, found, [line]))) == 3
    found['tfkeras-tf20'] = reported(failed=['x'])
    assert len(list(rows.complaints(rows_, found, [('keras3-*', '*', '*')]))) == 2


def test_any_two_rows_are_compared():
    """The report finds the two rows that are furthest apart, on the scale of each kind of tensor."""
    name = 'bert/pooler/dense/kernel'
    start = {name: np.ones((2, 3), 'float32')}
    answers = collections.OrderedDict()
    for number, row in enumerate(('a', 'b', 'c')):
        answers[row] = {'Embedding-Norm': np.array([[1.0, 2.0 + (number == 1)]]), 'MLM-Proba': np.full((1, 2), 0.5)}
        for what, value in (('gradient', 0.25), ('10 SGD steps', 1.5), ('10 Adam steps', 1.01)):
            answers[row]['%s (%s)' % (name, what)] = np.full((2, 3), value + (number == 2) * 1e-3)
    found = report.spreads(answers, start, {'Embedding-Norm': 1e-5})
    assert found['hidden'][0]['measured'] == 1.0 and 'b' in found['hidden'][0]['rows']
    assert found['heads'][0]['measured'] == 0.0
    assert abs(found['gradient'][0]['measured'] - 1e-3 / 0.25) < 1e-9
    assert abs(found['10 SGD steps'][0]['measured'] - 1e-3 / 0.5) < 1e-9 and 'c' in found['10 SGD steps'][0]['rows']
    assert abs(found['10 Adam steps'][0]['measured'] - 1e-3 / (10 * training.ADAM_RATE)) < 1e-9


def test_a_mutation_must_fit_exactly_once(tmp_path):
    """Text that is not there, or there twice, is an error, and what fits is replaced."""
    path = os.path.join(str(tmp_path), 'module.py')
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(u'one two two')
    for old in ('three', 'two'):
        with pytest.raises(SystemExit):
            mutate.mutate(str(tmp_path), mutations.Mutation('area', 'name', 'module.py', old, u'x', ''))
    mutate.mutate(str(tmp_path), mutations.Mutation('area', 'name', 'module.py', 'one', u'x', ''))
    with io.open(path, encoding='utf-8') as stream:
        assert stream.read() == u'x two two'


def test_a_copy_has_all_but_the_package(tmp_path):
    """What a row runs is a copy in which only the installed wheel can be imported as bert4keras."""
    copy = os.path.join(str(tmp_path), 'copy')
    copy_checkout(rows.ROOT, copy)
    found = set(os.listdir(copy))
    assert {'tests', 'parity', 'conftest.py', 'tox.ini', '.ci', 'README.md'} <= found and 'bert4keras' not in found


@pytest.mark.parametrize('ours, theirs, allowed, passes', [
    (1.0, 1.5, 0.5, True), (1.0, 1.5, 0.4, False), (np.inf, 1.0, np.inf, False), (np.nan, 1.0, 0.5, False),
    (1.0, 1.5, np.inf, False)])
def test_a_comparison_passes_within_a_finite_tolerance_only(monkeypatch, ours, theirs, allowed, passes):
    """What is not a number is never equal, and a tolerance without an end is none."""
    monkeypatch.setattr(results, 'record', lambda **comparison: None)
    try:
        measure.check('x', np.array([ours]), np.array([theirs]), allowed)
    except AssertionError:
        assert not passes
    else:
        assert passes
