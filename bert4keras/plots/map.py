# -*- coding: utf-8 -*-
"""Sentences as points in the plane, near where their vectors are near."""
from __future__ import absolute_import, division, print_function

import textwrap

import numpy as np

from bert4keras.plots.figure import BLUE, GREY, RED, new_axes, save

__all__ = ['MAP_PACKAGES', 'plot_map']

MAP_PACKAGES = ('matplotlib', 'sklearn', 'adjustText')
NEIGHBOURS = 10  # how many each vector is to keep near (t-SNE's perplexity)


def plot_map(vectors, texts, queries, path, title):
    """Draws texts as points that are near where their vectors are, and queries with lines to their nearest three.

    Args:
        vectors: float array [N, D], of length 1. texts: their N texts, more than NEIGHBOURS.
        queries: list of (text, vector [D]).
        path: of the PNG to write, whole or not at all.
        title: str.

    Raises:
        ValueError: too few vectors.
    """
    from sklearn.manifold import TSNE
    everything = np.concatenate([vectors] + [np.asarray(vector)[None] for _, vector in queries])
    points = TSNE(perplexity=NEIGHBOURS, random_state=0).fit_transform(everything)  # [N + Q, 2]
    texts_at, queries_at = points[:len(texts)], points[len(texts):]
    axes = new_axes(14, 10.5)
    for point, (_, vector) in zip(queries_at, queries):
        for near in texts_at[vectors.dot(vector).argsort()[::-1][:3]]:
            axes.plot([point[0], near[0]], [point[1], near[1]], color=RED, linewidth=0.8, alpha=0.5)
    axes.scatter(*texts_at.T, s=16, color=BLUE, label='%d sentences' % len(texts))
    axes.scatter(*queries_at.T, s=70, color=RED, marker='*', label='queries, and the three nearest of each')
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(x=0.15, y=0.05)
    axes.set_title(title, fontsize=11)
    axes.legend(loc='lower right', fontsize=9)
    labels = [_label(axes, point, text, fontsize=7, color='#333333') for point, text in zip(texts_at, texts)]
    labels += [_label(axes, point, query, fontsize=9, color=RED, fontweight='bold')
               for point, (query, _) in zip(queries_at, queries)]
    _move_apart(axes, labels)
    save(axes, path)


def _label(axes, point, text, **style):
    """Writes the beginning of a text, as long as a line of the picture takes."""
    lines = textwrap.wrap(text, 38) or ['']
    return axes.text(point[0], point[1], lines[0] + ' ...' * (len(lines) > 1), **style)


def _move_apart(axes, labels):
    """Moves labels until they hide each other and the points as little as possible; a line leads to its point."""
    from adjustText import adjust_text
    adjust_text(labels, ax=axes, objects=[axes.get_legend()], iter_lim=50,
                arrowprops={'arrowstyle': '-', 'color': GREY, 'linewidth': 0.5})
