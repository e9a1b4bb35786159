# -*- coding: utf-8 -*-
"""Learning rates that change: functions of t, the number of updates made so far (0 at the first update).

They can be given to the optimizers here and, where that Keras has schedules, to Keras' own. With
`accumulate` k batches are one update, and t counts updates.
"""
from __future__ import absolute_import, division, print_function

import numbers

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.optimizers.seam import Schedule

__all__ = ['PiecewiseLinear', 'WarmupLinear', 'GoogleWarmup']


def not_negative(name, value):
    """`value` as a float, or a ValueError that says what it must be."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= value < float('inf'):
        raise ValueError('%s must be a number of at least 0, not %r' % (name, value))
    return float(value)


@backend.register
class PiecewiseLinear(Schedule):
    """Straight lines between given points: `PiecewiseLinear(5e-5, {0: 0, 1000: 1, 2000: 0.1})`.

    Args:
        rate: float, what the values of the points are multiplied by.
        points: dict {t: value}, or (t, value) pairs, in increasing t. Unless t = 0 is among them, the line
            begins at value 0 there. After the last point its value stays.
    """

    def __init__(self, rate, points):
        self.rate = not_negative('rate', rate)
        pairs = points.items() if hasattr(points, 'items') else points
        if str is bytes and type(points) is dict:  # it has no order in Python 2
            pairs = sorted(pairs)
        self.points = [[not_negative('a t of PiecewiseLinear', t), not_negative('a value of PiecewiseLinear', value)]
                       for t, value in pairs]
        steps = [t for t, _ in self.points]
        if not steps or any(late <= early for early, late in zip(steps, steps[1:])):
            raise ValueError('PiecewiseLinear wants points of increasing t, not %r' % (points,))

    def __call__(self, step):
        step = kops.cast(step, keras.backend.floatx())
        points = self.points if self.points[0][0] == 0 else [[0.0, 0.0]] + self.points
        total = 0.0 * step
        # The sum of one tent for each point, as high as its value, on the ground at both neighbours.
        for index, (t, value) in enumerate(points):
            height = kops.cast(1.0, keras.backend.floatx())
            if index > 0:
                before = points[index - 1][0]
                height = kops.minimum(height, (step - before) / (t - before))
            if index + 1 < len(points):
                after = points[index + 1][0]
                height = kops.minimum(height, (after - step) / (after - t))
            total = total + value * kops.maximum(height, 0.0)
        return self.rate * total

    def get_config(self):
        return {'rate': self.rate, 'points': [list(point) for point in self.points]}


class Warmup(Schedule):
    """What the two schedules below share: a rise to `rate`, then a fall to 0 at `total_steps`.

    Args:
        rate: float.
        warmup_steps, total_steps: int, numbers of updates, the first smaller than the second.
    """

    def __init__(self, rate, warmup_steps, total_steps):
        self.rate = not_negative('rate', rate)
        self.warmup_steps = not_negative('warmup_steps', warmup_steps)
        self.total_steps = not_negative('total_steps', total_steps)
        if self.warmup_steps >= self.total_steps:
            raise ValueError('warmup_steps must be smaller than total_steps, not %r of %r'
                             % (warmup_steps, total_steps))

    def __call__(self, step):
        step = kops.cast(step, keras.backend.floatx())
        rising = step / max(self.warmup_steps, 1.0)
        is_rising = kops.cast(step < self.warmup_steps, keras.backend.floatx())
        return self.rate * (is_rising * rising + (1.0 - is_rising) * kops.maximum(self.falling(step), 0.0))

    def get_config(self):
        return {'rate': self.rate, 'warmup_steps': self.warmup_steps, 'total_steps': self.total_steps}


@backend.register
class WarmupLinear(Warmup):
    __doc__ = """Hugging Face's linear schedule: up to `rate` at `warmup_steps`, from there down to 0.

    rate(t) = rate t / warmup_steps, from warmup_steps on rate (total_steps - t) / (total_steps - warmup_steps).
    """ + Warmup.__doc__.partition('\n')[2]

    def falling(self, step):
        return (self.total_steps - step) / (self.total_steps - self.warmup_steps)


@backend.register
class GoogleWarmup(Warmup):
    __doc__ = """The schedule of google-research/bert: as WarmupLinear, but it falls from t = 0, so it jumps.

    rate(t) = rate t / warmup_steps, from warmup_steps on rate (1 - t / total_steps).
    """ + Warmup.__doc__.partition('\n')[2]

    def falling(self, step):
        return (self.total_steps - step) / self.total_steps
