# -*- coding: utf-8 -*-
"""Mistakes that somebody could make, for `python -m parity.mutate`: one table for each area of the package.

A table is a module here, with

    CHECK        arguments of pytest: the quick tests that are to catch its mistakes
    MUTATIONS    list of (name, file, old text, new text), or with a CHECK of its own as a fifth

The old text must be in the package's files of that name exactly once, in whatever folder.
"""
from __future__ import absolute_import, division, print_function

import collections
import importlib
import os

Mutation = collections.namedtuple('Mutation', 'area name filename old new check')
AREAS = sorted(name[:-3] for name in os.listdir(os.path.dirname(os.path.abspath(__file__)))
               if name.endswith('.py') and name != '__init__.py')


def read_table(area):
    """The Mutations of an area."""
    table = importlib.import_module('parity.mutations.' + area)
    return [Mutation(area, *(tuple(entry) + (table.CHECK,))[:5]) for entry in table.MUTATIONS]
