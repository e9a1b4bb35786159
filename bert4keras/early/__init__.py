# -*- coding: utf-8 -*-
"""What scripts of bert4keras 0.1 to 0.11 use, but for the optimizers, which are in optimizers/early.py.

Scripts import it by the names of then: `bert4keras.backend`, `.layers`, `.models`, `.snippets`, `.tokenizers`, `.train`
and `.utils`.
"""
from __future__ import absolute_import, division, print_function

__all__ = []
