# -*- coding: utf-8 -*-
"""Pictures of what the commands print, as PNG. Needs Matplotlib, which is imported when something is drawn."""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.files import whole_file

__all__ = ['check_matplotlib', 'flatten_vectors', 'plot_differences', 'plot_map']

BLUE, RED, GREY = '#2a6fb0', '#c03030', '#8a8a8a'
SIZE = np.array([1000, 760])  # of a map, in points


def check_matplotlib():
    """ImportError that says what to install, where there is no Matplotlib: before the work, not after it."""
    try:
        import matplotlib.figure
        return matplotlib.figure
    except ImportError:
        raise ImportError('a plot needs Matplotlib: pip install "bert4keras[plot]"')


def plot_differences(rows, title, path):
    """Draws the difference of each layer from the reference, against its tolerance.

    Args:
        rows: list of `verify.Comparison`.
        title: str.
        path: of the PNG to write, whole or not at all.
    """
    figure, axes = _figure(8.5, 1.6 + 0.16 * len(rows))
    places = np.arange(len(rows))
    tolerances = np.array([row.tolerance for row in rows])
    # NaN and infinity have no place on a scale: at its end, in red
    least, most = tolerances.min() / 300, tolerances.max() * 30
    found = np.array([row.difference for row in rows])
    shown = np.clip(np.where(np.isfinite(found), found, most), least, most)
    is_off = ~(found <= tolerances)
    axes.hlines(places, least, shown, color=[RED if off else BLUE for off in is_off], linewidth=1, alpha=0.5)
    axes.scatter(shown, places, color=[RED if off else BLUE for off in is_off], s=14, label='max |difference|')
    axes.plot(tolerances, places, color=GREY, marker='|', linestyle='none', markersize=8, label='tolerance')
    axes.set_xscale('log')
    axes.set_xlim(least, most * 1.3)
    axes.set_yticks(places)
    axes.set_yticklabels([row.name for row in rows], fontsize=7)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel('difference from the float64 reference')
    axes.set_title('%s: %d of %d within tolerance' % (title, (~is_off).sum(), len(rows)), fontsize=10)
    axes.grid(axis='x', alpha=0.3)
    axes.legend(loc='upper center', bbox_to_anchor=(0.5, -0.55 / (0.16 * len(rows))), ncol=2, fontsize=8)
    _save(figure, path)


def plot_map(vectors, texts, queries, path, title):
    """Draws texts as points that are near where their vectors are, and queries with lines to their nearest three.

    Args:
        vectors: float array [N, D], of length 1. texts: their N texts.
        queries: list of (text, vector [D]).
        path: of the PNG to write, whole or not at all.
        title: str.
    """
    everything = np.concatenate([vectors] + [np.asarray(vector)[None] for _, vector in queries])
    points = flatten_vectors(everything)  # [N + Q, 2]
    figure, axes = _figure(SIZE[0] / 72, SIZE[1] / 72, (0, 0, 1, 1))
    points = (points - points.min(axis=0)) / np.maximum(np.ptp(points, axis=0), 1e-9)
    points = points * (SIZE - [220, 90]) + [30, 45]  # so that a unit is a point, 1/72 of an inch, as of letters
    texts_at, queries_at = points[:len(texts)], points[len(texts):]
    for point, (_, vector) in zip(queries_at, queries):
        for near in texts_at[vectors.dot(vector).argsort()[::-1][:3]]:
            axes.plot([point[0], near[0]], [point[1], near[1]], color=RED, linewidth=0.8, alpha=0.5)
    axes.scatter(*texts_at.T, s=16, color=BLUE, label='%d sentences' % len(texts))
    if queries:
        axes.scatter(*queries_at.T, s=70, color=RED, marker='*', label='queries, and the three nearest of each')
    labels = _Labels(axes, points)
    for point, (query, _) in zip(queries_at, queries):
        labels.add(point, query, RED, 9, 'bold')
    for point, text in zip(texts_at, texts):
        labels.add(point, text, '#333333', 7, 'normal')
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlim(0, SIZE[0])
    axes.set_ylim(0, SIZE[1])
    axes.legend(loc='lower right', fontsize=9)
    axes.set_title(title, fontsize=11)
    _save(figure, path)


class _Labels(object):
    """Puts each label beside its point, where it hides least of the points and of the labels that are there."""

    # to the right, the left, above and below; further off if need be
    PLACES = [(0, 0, 5, -3), (-1, 0, -5, -3), (-0.5, 0, 0, 6), (-0.5, -1, 0, -6)]
    PLACES += [(x, 0, 5 + 11 * x, y) for y in (9, -15, 20, -26, 31, -37) for x in (0, -1)]

    def __init__(self, axes, points):
        self.axes, self.boxes = axes, [np.concatenate([point - 3, point + 3]) for point in points]

    def add(self, point, text, color, size, weight):
        """Writes the beginning of a text, as long as a line of the picture takes."""
        text = text if len(text) <= 40 else text[:38].rsplit(' ', 1)[0] + ' ...'
        extent = np.array([0.5 * size * len(text), 1.1 * size])
        boxes = []
        for x, y, right, up in self.PLACES:
            corner = point + extent * [x, y] + [right, up]
            boxes.append(np.concatenate([corner, corner + extent]))
        best = boxes[int(np.argmin([self._hidden(box) for box in boxes]))]
        self.boxes.append(best)
        self.axes.text(best[0], best[1], text, fontsize=size, color=color, fontweight=weight)

    def _hidden(self, box):
        """How much of what is there a box hides, and how much of it is outside of the picture."""
        others = np.array(self.boxes)  # [boxes, left, bottom, right, top]
        shared = np.minimum(others[:, 2:], box[2:]) - np.maximum(others[:, :2], box[:2])
        outside = np.maximum(0, -box[:2]).sum() + np.maximum(0, box[2:] - SIZE).sum()
        return np.prod(np.maximum(shared, 0), axis=1).sum() + 1000 * outside


def flatten_vectors(vectors, steps=500):
    """Vectors of length 1 to places in the plane where neighbours stay neighbours: t-SNE, the same at each call.

    Args:
        vectors: float array [N, D].
        steps: int, how often the places are moved.

    Returns:
        float array [N, 2].

    Source: https://jmlr.org/papers/v9/vandermaaten08a.html; with one width for all, 1 / 20 of the mean squared
    distance.
    """
    vectors = np.asarray(vectors, 'float64')
    centered = vectors - vectors.mean(axis=0)
    places = centered.dot(np.linalg.svd(centered, full_matrices=False)[2][:2].T) * 0.01  # [N, 2]
    if len(vectors) < 4:
        return places
    wanted = _affinities(_squares(vectors), vectors)
    moved = np.zeros_like(places)
    for step in range(steps):
        kernel = 1 / (1 + _squares(places))
        np.fill_diagonal(kernel, 0)
        pull = (wanted * (8 if step < steps // 5 else 1) - kernel / kernel.sum()) * kernel  # [N, N]
        gradient = 4 * (pull.sum(axis=1)[:, None] * places - pull.dot(places))
        moved = (0.5 if step < steps // 5 else 0.8) * moved - 0.5 * len(vectors) * gradient
        places = places + moved
    return places


def _squares(points):
    """The squared distances [N, N] of points [N, D]."""
    lengths = np.square(points).sum(axis=1)
    return np.maximum(lengths[:, None] + lengths - 2 * points.dot(points.T), 0)


def _affinities(squares, vectors):
    """How near each two vectors are, as shares [N, N] of one."""
    width = max(squares.mean() / 20, 1e-12)
    shares = np.exp(-squares / width)
    np.fill_diagonal(shares, 0)
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
    shares = shares + shares.T
    return shares / shares.sum()


def _figure(width, height, place=None):
    """(figure, axes) of a size in inches, that nothing but this module knows."""
    figure = check_matplotlib().Figure(figsize=(width, height))
    return figure, figure.add_subplot(1, 1, 1) if place is None else figure.add_axes(place)


def _save(figure, path):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    FigureCanvasAgg(figure)
    with whole_file(path) as stream:
        figure.savefig(stream, format='png', dpi=130, bbox_inches='tight')
