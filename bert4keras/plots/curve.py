# -*- coding: utf-8 -*-
"""The losses of a training, by step."""
from __future__ import absolute_import, division, print_function

from bert4keras.plots.figure import new_axes, save

__all__ = ['plot_curve']


def plot_curve(training, evaluation, path):
    """Draws the loss on the text that is trained on, and on the text that is held out.

    Args:
        training, evaluation: lists of (step, loss).
        path: of the PNG to write, whole or not at all.
    """
    axes = new_axes(8, 4.5)
    axes.plot(*zip(*training) if training else ([], []), linewidth=0.8, label='training')
    axes.plot(*zip(*evaluation) if evaluation else ([], []), marker='o', label='held-out text')
    axes.set_xlabel('step')
    axes.set_ylabel('loss')
    axes.legend()
    save(axes, path)
