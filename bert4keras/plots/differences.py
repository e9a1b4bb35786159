# -*- coding: utf-8 -*-
"""Each layer's difference from the reference, against its tolerance."""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.plots.figure import BLUE, GREY, RED, new_axes, save

__all__ = ['plot_differences']


def plot_differences(rows, title, path):
    """Draws the difference of each layer from the reference, against its tolerance.

    Args:
        rows: list of `verify.Comparison`.
        title: str.
        path: of the PNG to write, whole or not at all.
    """
    axes = new_axes(8.5, 1.6 + 0.16 * len(rows))
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
    save(axes, path)
