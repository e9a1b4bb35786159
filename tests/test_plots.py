# -*- coding: utf-8 -*-
"""Plots: what is near stays near, what is off is seen, and a Matplotlib that is missing is said before the work."""
from __future__ import absolute_import, division, print_function

import sys

import numpy as np
import pytest

from bert4keras import cli, plots
from bert4keras.embedding.pooling import normalize
from bert4keras.verify import Comparison

pytestmark = pytest.mark.engine_free

RANDOM = np.random.RandomState(0)
# three heaps of directions, the first vector of each being what the others are near
HEAPS = normalize(np.repeat(RANDOM.standard_normal((3, 24)), 7, axis=0) + 0.3 * RANDOM.standard_normal((21, 24)))
ROWS = [Comparison('Embedding-Norm', 0.0, 1e-7), Comparison('Encoder-1-FeedForward', 3e-3, 2e-6),
        Comparison('Pooler-Dense', float('nan'), 4e-6)]


def test_neighbours_stay_neighbours():
    """In the plane each of a heap is nearer to all of its own than to any other; each call gives the same."""
    places = plots.flatten_vectors(HEAPS)
    assert places.shape == (21, 2) and np.isfinite(places).all()
    distances = np.square(places[:, None] - places).sum(axis=-1)
    own = np.arange(21)[:, None] // 7 == np.arange(21) // 7
    assert (np.where(own, distances, 0).max(axis=1) < np.where(own, np.inf, distances).min(axis=1)).all()
    np.testing.assert_array_equal(places, plots.flatten_vectors(HEAPS))


@pytest.mark.parametrize('count', [1, 2, 3, 4])
def test_few_vectors_and_equal_ones(count):
    """Have places, too."""
    for vectors in (HEAPS[:count], HEAPS[[0] * count]):
        assert np.isfinite(plots.flatten_vectors(vectors)).all()


@pytest.mark.parametrize('argv', [['verify', 'nowhere'], ['demo', '--model', 'nowhere']])
def test_without_matplotlib_is_an_error_that_says_so(tmp_path, monkeypatch, capsys, argv):
    """Before anything is opened."""
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    with pytest.raises(ImportError, match='pip install "bert4keras'):
        plots.check_matplotlib()
    with pytest.raises(SystemExit):
        cli.main(argv + ['--plot', str(tmp_path / 'map.jpg')])
    assert 'map.jpg does not end in .png' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(argv + ['--plot', str(tmp_path / 'no' / 'map.png')])
    assert 'a directory that does not exist' in capsys.readouterr().err


@pytest.fixture
def matplotlib():
    """Matplotlib, where it is installed."""
    return pytest.importorskip('matplotlib', reason='matplotlib is not in this row')


def axes_of(monkeypatch):
    """The list that the axes of each figure are put into, as it is saved."""
    found, save = [], plots._save
    monkeypatch.setattr(plots, '_save', lambda figure, path: (found.append(figure.axes[0]), save(figure, path)))
    return found


def is_png(path):
    """Whether a file is a PNG."""
    return path.read_binary()[:8] == b'\x89PNG\r\n\x1a\n'


def test_differences(tmpdir, matplotlib, monkeypatch):
    """Each layer at its place, in red what is over its tolerance or no number; the title counts."""
    axes = axes_of(monkeypatch)
    plots.plot_differences(ROWS, 'Keras', str(tmpdir.join('d.png')))
    assert is_png(tmpdir.join('d.png')) and axes[0].get_title() == 'Keras: 1 of 3 within tolerance'
    assert [label.get_text() for label in axes[0].get_yticklabels()] == [row.name for row in ROWS]
    points = axes[0].collections[1]
    colors = [tuple(color) for color in points.get_facecolors()]
    assert colors[1] == colors[2] != colors[0]
    np.testing.assert_allclose(points.get_offsets(), [[1e-7 / 300, 0], [4e-6 * 30, 1], [4e-6 * 30, 2]])
    lines = [line for line in axes[0].lines if line.get_label() == 'tolerance']
    assert lines[0].get_xdata().tolist() == [1e-7, 2e-6, 4e-6]


def test_a_map(tmpdir, matplotlib, monkeypatch):
    """Every text has its point and its label, every query three lines, to the nearest."""
    axes = axes_of(monkeypatch)
    texts = ['text %d' % index for index in range(21)]
    plots.plot_map(HEAPS, texts, [('a query', HEAPS[8]), ('another', HEAPS[16])], str(tmpdir.join('m.png')), 'title')
    assert is_png(tmpdir.join('m.png')) and {text.get_text() for text in axes[0].texts} == set(texts) | {
        'a query', 'another'}
    assert len(axes[0].lines) == 6
    places = axes[0].collections[0].get_offsets()
    ends = {tuple(np.round([line.get_xdata()[1], line.get_ydata()[1]], 6)) for line in axes[0].lines[:3]}
    nearest = HEAPS.dot(HEAPS[8]).argsort()[::-1][:3]
    assert ends == {tuple(np.round(places[index], 6)) for index in nearest}
