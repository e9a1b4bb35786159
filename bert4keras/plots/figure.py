# -*- coding: utf-8 -*-
"""Figures that touch nothing of pyplot's, whose settings are the user's, and the files that they are saved in."""
from __future__ import absolute_import, division, print_function

import importlib

from bert4keras.files import whole_file

__all__ = ['BLUE', 'GREY', 'RED', 'check_packages', 'new_axes', 'save']

BLUE, RED, GREY = '#2a6fb0', '#c03030', '#8a8a8a'
PACKAGES = {'matplotlib': 'Matplotlib', 'sklearn': 'scikit-learn', 'adjustText': 'adjustText (Python 3.8 or later)'}


def check_packages(*modules):
    """Imports what a plot needs: call it before the work whose result is to be drawn.

    Args:
        *modules: names in PACKAGES.

    Raises:
        ImportError: one is missing; says what to install.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ImportError('this plot needs %s: pip install "bert4keras[plot]" (%s)' % (PACKAGES[module], error))


def new_axes(width, height):
    """The axes of a new figure, whose size is in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure.add_subplot(1, 1, 1)


def save(axes, path):
    """Writes the figure of some axes to a PNG, whole or not at all."""
    with whole_file(path) as stream:
        axes.figure.savefig(stream, format='png', dpi=130, bbox_inches='tight')
