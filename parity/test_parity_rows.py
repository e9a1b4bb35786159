# -*- coding: utf-8 -*-
"""The harness itself: PARITY.md and the README's table are of tox.ini's rows, and what is missing is noticed."""
from __future__ import absolute_import, division, print_function

import collections
import io
import os

import numpy as np
import pytest

from parity import mutate, mutations_model, mutations_tokenizer, report, rows, training
from parity.copy_checkout import copy_checkout

pytestmark = pytest.mark.engine_free
SKIP = {'test': 'parity/test_a.py::test_b[c]', 'reason': 'not in this row'}


def read(name):
    """The text of a file of the checkout."""
    with io.open(os.path.join(rows.ROOT, name), encoding='utf-8') as stream:
        return stream.read()


def reported(**changes):
    """What a row that ran everything leaves behind."""
    run = dict({'failed': [], 'skipped': [], 'passed': 3, 'seconds': 1.0,
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
    tables = [mutations_model.MUTATIONS, mutations_tokenizer.MUTATIONS]
    model, tokenizer = map(len, tables)
    assert model >= 15 and tokenizer >= 10
    whole = model + tokenizer
    for text in ('%d in the' % model, '%d in the tokenizers' % tokenizer, '%d of %d are caught' % (whole, whole)):
        assert text in read('README.md')
    assert len({(name, old, new) for table in tables for name, _, old, new in table}) == whole


@pytest.mark.parametrize('condition, row, expected', [
    ('tf113,tf114', 'keras231-tf113', True), ('tf113,tf114', 'tfkeras-tf115', False),
    ('keras3-!py313', 'keras3-jax', True), ('keras3-!py313', 'keras3-jax-py313', False), ('!tf113', 'newest', True)])
def test_conditions_of_factors(condition, row, expected):
    """A line of tox.ini holds for the rows that tox takes it for."""
    assert rows.applies(condition, row) is expected


def test_a_row_that_does_not_report_is_noticed():
    """No results at all, and one of the two runs missing; the unpinned row only has to report."""
    found = {'a-b': reported(), rows.UNPINNED: reported(failed=['x'], skipped=[SKIP])}
    assert list(rows.complaints(['a-b', rows.UNPINNED], found, [])) == []
    del found['a-b']['parity'], found[rows.UNPINNED]
    assert len(list(rows.complaints(['a-b', rows.UNPINNED], found, []))) == 2


def test_failures_and_skips_are_noticed():
    """A failure always; a skip unless the list names row, test and reason; a line that names nothing."""
    rows_, line = ['keras3-jax', 'tfkeras-tf20'], ('keras3-*', 'parity/*test_b[[]*', 'not in this row')
    found = {'keras3-jax': reported(skipped=[SKIP]), 'tfkeras-tf20': reported()}
    assert list(rows.complaints(rows_, found, [('keras3-*', 'parity/*test_b[*', 'not in this row')])) == []
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
            mutate.mutate(str(tmp_path), 'name', 'module.py', old, u'x')
    mutate.mutate(str(tmp_path), 'name', 'module.py', 'one', u'x')
    with io.open(path, encoding='utf-8') as stream:
        assert stream.read() == u'x two two'


def test_a_copy_has_all_but_the_package(tmp_path):
    """What a row runs is a copy in which only the installed wheel can be imported as bert4keras."""
    copy = os.path.join(str(tmp_path), 'copy')
    copy_checkout(rows.ROOT, copy)
    found = set(os.listdir(copy))
    assert {'tests', 'parity', 'conftest.py', 'tox.ini', '.ci', 'README.md'} <= found and 'bert4keras' not in found
