# -*- coding: utf-8 -*-
"""Whether something takes time in proportion to its input, on a machine that may be busy."""
from __future__ import absolute_import, division, print_function

import time

PROCESS_TIME = getattr(time, 'process_time', None) or time.clock  # the latter until Python 3.3


def least_seconds(use, text, size):
    """The least time of three, as the machine may be busy, for so many characters of a text repeated."""
    times = []
    for _ in range(3):
        started = PROCESS_TIME()
        use(text * (size // len(text)))
        times.append(PROCESS_TIME() - started)
    return min(times)


def is_linear(use, text, size):
    """Whether four times as long a text takes no more than ten times as long; a quadratic one takes sixteen."""
    return least_seconds(use, text, 4 * size) < 10 * least_seconds(use, text, size) + 0.01
