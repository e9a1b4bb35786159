# -*- coding: utf-8 -*-
"""Whether something takes time in proportion to its input, on a machine that may be busy."""
from __future__ import absolute_import, division, print_function

import time

PROCESS_TIME = getattr(time, 'process_time', None) or time.clock  # the latter until Python 3.3


def is_linear(use, text, size):
    """Whether four times as long a text takes no more than ten times as long; a quadratic one takes sixteen."""
    seconds = {}
    for length in (size, 4 * size):
        times = []
        for _ in range(3):  # of which the least: the machine may be busy
            started = PROCESS_TIME()
            use(text * (length // len(text)))
            times.append(PROCESS_TIME() - started)
        seconds[length] = min(times)
    return seconds[4 * size] < 10 * seconds[size] + 0.01
