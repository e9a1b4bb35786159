# -*- coding: utf-8 -*-
"""Plots: what is near stays near, what is off is seen, and a package that is missing is said before the work."""
from __future__ import absolute_import, division, print_function

import sys

import numpy as np
import pytest

from bert4keras import cli, plots
from bert4keras.embedding.pooling import normalize
from bert4keras.plots import curve, differences, map as map_module
from bert4keras.verify import Comparison

pytestmark = pytest.mark.engine_free

RANDOM = np.random.RandomState(0)
# three heaps of directions, the first vector of each being what the others are near
HEAPS = normalize(np.repeat(RANDOM.standard_normal((3, 24)), 7, axis=0) + 0.3 * RANDOM.standard_normal((21, 24)))
ROWS = [Comparison('Embedding-Norm', 0.0, 1e-7), Comparison('Encoder-1-FeedForward', 3e-3, 2e-6),
        Comparison('Pooler-Dense', float('nan'), 4e-6)]


@pytest.mark.parametrize('argv', [['verify', 'nowhere'], ['demo', '--model', 'nowhere']])
def test_without_matplotlib_is_an_error_that_says_so(tmp_path, monkeypatch, capsys, argv):
    """Before anything is opened."""
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    with pytest.raises(ImportError, match=r'needs Matplotlib: pip install "bert4keras\[plot\]"'):
        plots.check_packages('matplotlib')
    with pytest.raises(SystemExit):
        cli.main(argv + ['--plot', str(tmp_path / 'map.jpg')])
    assert 'map.jpg does not end in .png' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(argv + ['--plot', str(tmp_path / 'no' / 'map.png')])
    assert 'a directory that does not exist' in capsys.readouterr().err


@pytest.mark.parametrize('missing, name', [('sklearn', 'scikit-learn'), ('adjustText', 'adjustText')])
def test_without_the_packages_of_a_map_the_demo_does_not_begin(tmp_path, monkeypatch, capsys, missing, name):
    """It says which one to install, by the name that pip knows."""
    for package in plots.MAP_PACKAGES:
        monkeypatch.setitem(sys.modules, package, None if package == missing else sys)
    assert cli.main(['demo', '--model', 'nowhere', '--plot', str(tmp_path / 'map.png')]) == 2
    assert 'needs %s' % name in capsys.readouterr().err


@pytest.fixture
def matplotlib():
    """Matplotlib, where it is installed."""
    return pytest.importorskip('matplotlib', reason='matplotlib is not in this row')


def axes_of(monkeypatch, module):
    """The list that the axes of each figure of a module are put into, as it is saved."""
    found, save = [], module.save
    monkeypatch.setattr(module, 'save', lambda axes, path: (found.append(axes), save(axes, path)))
    return found


def is_png(path):
    """Whether a file is a PNG."""
    return path.read_binary()[:8] == b'\x89PNG\r\n\x1a\n'


def test_differences(tmpdir, matplotlib, monkeypatch):
    """Each layer at its place, in red what is over its tolerance or no number; the title counts."""
    axes = axes_of(monkeypatch, differences)
    plots.plot_differences(ROWS, 'Keras', str(tmpdir.join('d.png')))
    assert is_png(tmpdir.join('d.png')) and axes[0].get_title() == 'Keras: 1 of 3 within tolerance'
    assert [label.get_text() for label in axes[0].get_yticklabels()] == [row.name for row in ROWS]
    points = axes[0].collections[1]
    colors = [tuple(color) for color in points.get_facecolors()]
    assert colors[1] == colors[2] != colors[0]
    np.testing.assert_allclose(points.get_offsets(), [[1e-7 / 300, 0], [4e-6 * 30, 1], [4e-6 * 30, 2]])
    lines = [line for line in axes[0].lines if line.get_label() == 'tolerance']
    assert lines[0].get_xdata().tolist() == [1e-7, 2e-6, 4e-6]


def test_a_curve(tmpdir, matplotlib, monkeypatch):
    """Each loss at its step, with a name; a training that was never evaluated has one line."""
    axes = axes_of(monkeypatch, curve)
    plots.plot_curve([(2, 7.5), (4, 6.25), (9, 3.0)], [(4, 6.5)], str(tmpdir.join('c.png')))
    plots.plot_curve([(2, 7.5)], [], str(tmpdir.join('d.png')))
    assert is_png(tmpdir.join('c.png')) and is_png(tmpdir.join('d.png'))
    assert [(line.get_label(), line.get_xydata().tolist()) for line in axes[0].lines] == [
        ('training', [[2, 7.5], [4, 6.25], [9, 3.0]]), ('held-out text', [[4, 6.5]])]
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ['training', 'held-out text']


@pytest.mark.slow
def test_a_map(tmpdir, matplotlib, monkeypatch):
    """Every text has its point and the beginning of it as a label, every query three lines, to the nearest.

    In the plane each of a heap is nearer to all of its own than to any other; drawing it again gives the same.
    """
    pytest.importorskip('sklearn', reason='scikit-learn is not in this row')
    pytest.importorskip('adjustText', reason='adjustText is not in this row')
    axes = axes_of(monkeypatch, map_module)
    texts = ['text %d' % index for index in range(20)] + ['a text that is longer than a label, which ends with a word']
    queries = [('a query', HEAPS[8]), ('', HEAPS[16])]
    for name in ('m.png', 'again.png'):
        plots.plot_map(HEAPS, texts, queries, str(tmpdir.join(name)), 'title')
    assert is_png(tmpdir.join('m.png')) and tmpdir.join('m.png').read_binary() == tmpdir.join('again.png').read_binary()
    assert {text.get_text() for text in axes[0].texts} == set(texts[:20]) | {
        'a text that is longer than a label, ...', 'a query', ''}
    assert len(axes[0].lines) == 6
    places = np.asarray(axes[0].collections[0].get_offsets(), 'float32')
    ends = [[line.get_xdata()[1], line.get_ydata()[1]] for line in axes[0].lines[:3]]
    np.testing.assert_array_equal(ends, places[HEAPS.dot(HEAPS[8]).argsort()[::-1][:3]])
    distances = np.square(places[:, None] - places).sum(axis=-1)
    own = np.arange(21)[:, None] // 7 == np.arange(21) // 7
    assert (np.where(own, distances, 0).max(axis=1) < np.where(own, np.inf, distances).min(axis=1)).all()
