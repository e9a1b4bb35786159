# -*- coding: utf-8 -*-
"""Whether something takes time in proportion to its input, on a machine that may be busy."""
from __future__ import absolute_import, division, print_function

import time

PROCESS_TIME = getattr(time, 'process_time', None) or time.clock  # the latter until Python 3.3


def seconds(use, text, size):
    """The time for so many characters of a text repeated."""
    text = text * (size // len(text))
    started = PROCESS_TIME()
    use(text)
    return PROCESS_TIME() - started


def least_seconds(use, text, size):
    """The least time of three, as the machine may be busy."""
    return min(seconds(use, text, size) for _ in range(3))


def is_linear(use, text, size):
    """Whether four times as long a text takes no more than ten times as long; a quadratic one takes sixteen.

    The longer text is tried again, up to three times, only where it took too long.
    """
    most = 10 * least_seconds(use, text, size) + 0.01
    return any(seconds(use, text, 4 * size) <= most for _ in range(3))
