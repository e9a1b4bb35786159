# -*- coding: utf-8 -*-
"""Plots of what the commands print, as PNG.

    differences     each layer's difference from the reference, for `bert4keras verify --plot`
    map             sentences in the plane, for `bert4keras demo --plot`
    curve           the losses of a training, for `bert4keras pretrain`
    figure          what they share: a figure of its own, and a file that is whole or absent

Needs the packages of "bert4keras[plot]", which are imported when something is drawn.
"""
from __future__ import absolute_import, division, print_function

from bert4keras.plots.curve import plot_curve
from bert4keras.plots.differences import plot_differences
from bert4keras.plots.figure import check_packages
from bert4keras.plots.map import MAP_PACKAGES, plot_map

__all__ = ['MAP_PACKAGES', 'check_packages', 'plot_curve', 'plot_differences', 'plot_map']
