# -*- coding: utf-8 -*-
"""Optimizers that take the same steps on every Keras: AdamW, LAMB, Google's Adam, keras-bert's AdamWarmup.

`from bert4keras.optimizers import *` is all that `load_model` needs to open a model compiled with one of them.
rules.py has the formulas, schedules.py the learning rates that change, seam.py what each Keras wants.
"""
from __future__ import absolute_import, division, print_function

import contextlib
import numbers
import warnings

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.compat import STRINGS
from bert4keras.optimizers import rules
from bert4keras.optimizers.early import (  # of releases up to 0.11; Adam is not in __all__, as Keras has one too
    extend_with_exponential_moving_average, extend_with_gradient_accumulation, extend_with_layer_adaptation,
    extend_with_lazy_optimization, extend_with_lookahead, extend_with_parameter_wise_lr,
    extend_with_piecewise_linear_lr, extend_with_weight_decay)
from bert4keras.optimizers.early import BertEarlyAdam as Adam  # noqa: F401
from bert4keras.optimizers.schedules import GoogleWarmup, PiecewiseLinear, WarmupLinear, not_negative
from bert4keras.optimizers.seam import Optimizer, OptimizerStateError, Schedule

__all__ = ['AdamW', 'LAMB', 'AdamWarmup', 'PiecewiseLinear', 'WarmupLinear', 'GoogleWarmup', 'averaged',
           'calc_train_steps', 'OptimizerStateError', 'extend_with_exponential_moving_average',
           'extend_with_gradient_accumulation', 'extend_with_layer_adaptation', 'extend_with_lazy_optimization',
           'extend_with_lookahead', 'extend_with_parameter_wise_lr', 'extend_with_piecewise_linear_lr',
           'extend_with_weight_decay']


class BertAdamW(Optimizer):
    """Adam with decoupled weight decay (https://arxiv.org/abs/1711.05101), as PyTorch has it.

    Every number of steps here counts updates. With `accumulate` k batches are one update, equal to that of
    one batch k times as large; a window that is not full when an epoch or `fit` ends goes on in the next.

    Args:
        learning_rate: float, or a schedule.
        weight_decay: float; each update takes rate * weight_decay * weight away from a weight that decays.
        exclude_from_weight_decay: list of str; a weight with one of them in its path, 'layer name/variable
            name', does not decay.
        beta_1, beta_2: floats in [0, 1).
        epsilon: float, added to the root of the *unbiased* v, as in the paper and PyTorch. Keras adds its
            own to that of the biased one: the same number means up to 31 times more there.
        bias_correction: bool; False is Google's Adam for BERT, which had epsilon=1e-6, global_clipnorm=1.0.
        amsgrad: bool (https://openreview.net/forum?id=ryQu7f-RZ).
        accumulate: int, the number of batches of an update.
        clipnorm, global_clipnorm: float, the greatest norm of each gradient, or of all of them together.
        ema_momentum: float in [0, 1); keeps a moving average of the weights, for `averaged`.
        layer_decay: float in (0, 1]; the rate of Encoder-N-... is multiplied by it once for each block from
            the last to N, that of embeddings once more, that of everything else not at all.
        name: str.
    """

    step = staticmethod(rules.adamw)

    def __init__(self, learning_rate=5e-5, weight_decay=0.01, exclude_from_weight_decay=('bias', 'Norm'), beta_1=0.9,
                 beta_2=0.999, epsilon=1e-8, bias_correction=True, amsgrad=False, accumulate=1, clipnorm=None,
                 global_clipnorm=None, ema_momentum=None, layer_decay=None, name='AdamW'):
        if isinstance(accumulate, bool) or not isinstance(accumulate, numbers.Integral) or accumulate < 1:
            raise ValueError('accumulate must be a whole number of batches, at least 1, not %r' % (accumulate,))
        if clipnorm is not None and global_clipnorm is not None:
            raise ValueError('give one of clipnorm=%r and global_clipnorm=%r' % (clipnorm, global_clipnorm))
        if not (isinstance(exclude_from_weight_decay, (list, tuple))
                and all(isinstance(one, STRINGS) for one in exclude_from_weight_decay)):
            raise ValueError('exclude_from_weight_decay must be a list of strings, not %r'
                             % (exclude_from_weight_decay,))
        if layer_decay is not None and positive('layer_decay', layer_decay) > 1:
            raise ValueError('layer_decay must be above 0 and at most 1, not %r' % (layer_decay,))
        is_schedule = isinstance(learning_rate, Schedule)
        super(BertAdamW, self).__init__(
            learning_rate if is_schedule else not_negative('learning_rate', learning_rate), name=name,
            weight_decay=not_negative('weight_decay', weight_decay),
            exclude_from_weight_decay=list(exclude_from_weight_decay), beta_1=below_1('beta_1', beta_1),
            beta_2=below_1('beta_2', beta_2), epsilon=not_negative('epsilon', epsilon),
            bias_correction=bool(bias_correction), amsgrad=bool(amsgrad), accumulate=int(accumulate),
            clipnorm=positive('clipnorm', clipnorm), global_clipnorm=positive('global_clipnorm', global_clipnorm),
            ema_momentum=None if ema_momentum is None else below_1('ema_momentum', ema_momentum),
            layer_decay=positive('layer_decay', layer_decay))

    def slot_names(self):
        return ('m', 'v', 'vhat') if self.state.options['amsgrad'] else ('m', 'v')

    def choose(self, paths):
        options = self.state.options
        decays, unused = rules.decays(paths, options['exclude_from_weight_decay'])
        if unused and options['weight_decay']:
            warnings.warn('exclude_from_weight_decay: no weight has %s in its path; the paths are %s, ...'
                          % (' or '.join(map(repr, unused)), ', '.join(paths[:4])))
        factors = rules.layer_factors(paths, options['layer_decay'] or 1.0)
        if options['layer_decay'] and set(factors) == {1.0}:
            warnings.warn('layer_decay=%r changes no rate: no weight is of a layer called Encoder-N-... or '
                          'Embedding-...; the paths are %s, ...' % (options['layer_decay'], ', '.join(paths[:4])))
        return decays, factors

    def rule(self, gradient, variable, slots, t, rate, decays):
        options = self.state.options
        betas = options['beta_1'], options['beta_2']
        slots = rules.moments(gradient, slots, *betas)
        step = rules.adam(slots, t, *betas, epsilon=options['epsilon'], bias_correction=options['bias_correction'])
        return self.step(variable, step, rate, options['weight_decay'] if decays else 0.0), slots


class BertLAMB(BertAdamW):
    """LAMB (https://arxiv.org/abs/1904.00962), for large batches: Adam's step, made as long as the weight.

    It is the paper's: the decay is part of what is scaled, and every weight is. Keras' `Lamb` is another.

    Args:
        learning_rate, weight_decay, epsilon, name, and all other arguments: see AdamW.
    """

    step = staticmethod(rules.lamb)

    def __init__(self, learning_rate=1e-3, weight_decay=0.01, epsilon=1e-6, name='LAMB', **options):
        super(BertLAMB, self).__init__(learning_rate, weight_decay, epsilon=epsilon, name=name, **options)


class BertAdamWarmup(Optimizer):
    """keras-bert's AdamWarmup: a learning rate that rises, then falls, and weight decay.

    rate(t) = learning_rate * t / warmup_steps up to t = warmup_steps, then min_lr + (learning_rate -
    min_lr) * (1 - min(t, decay_steps) / decay_steps). Adam (https://arxiv.org/abs/1412.6980) as Keras
    has it; the decay is weight_decay * weight, added to the step before it is scaled.

    Args:
        decay_steps, warmup_steps: numbers of steps, see above; t is 1 at the first.
        min_lr, learning_rate: floats; `lr` is another name of the second.
        beta_1, beta_2, epsilon: floats, Adam's; epsilon None is Keras'.
        weight_decay: float.
        weight_decay_pattern: list of strings, one of which is in the name of each weight that decays;
            None for all. keras-bert heeds it on Keras 2.3 only.
        amsgrad: bool (https://openreview.net/forum?id=ryQu7f-RZ).
        name: str.
        kwargs: what every optimizer of the Keras in use takes, as clipnorm.
    """

    def __init__(self, decay_steps, warmup_steps, min_lr=0.0, learning_rate=0.001, beta_1=0.9, beta_2=0.999,
                 epsilon=1e-7, weight_decay=0.0, weight_decay_pattern=None, amsgrad=False, name='AdamWarmup', **kwargs):
        learning_rate = kwargs.pop('lr', learning_rate)
        if kwargs.pop('decay', 0.0):
            raise ValueError('AdamWarmup decays by decay_steps; leave decay out')
        super(BertAdamWarmup, self).__init__(
            float(learning_rate), keras_arguments=kwargs, decay_steps=float(decay_steps), name=name,
            warmup_steps=float(warmup_steps), min_lr=min_lr, beta_1=beta_1, beta_2=beta_2, amsgrad=amsgrad,
            epsilon=keras.backend.epsilon() if epsilon is None else epsilon, weight_decay=weight_decay,
            weight_decay_pattern=None if weight_decay_pattern is None else list(weight_decay_pattern))

    def slot_names(self):
        return ('m', 'v', 'vhat') if self.state.options['amsgrad'] else ('m', 'v')

    def choose(self, paths):
        patterns = self.state.options['weight_decay_pattern']
        decays = [patterns is None or any(one in path for one in patterns) for path in paths]
        if self.state.options['weight_decay'] and patterns and paths and not any(decays):
            warnings.warn('weight_decay_pattern: no weight has %s in its path, so none decays; the paths are %s, ...'
                          % (' or '.join(map(repr, patterns)), ', '.join(paths[:4])))
        return decays, [1.0] * len(paths)

    def rate_at(self, updates):
        warmup, decay, least = [self.state.options[name] for name in ('warmup_steps', 'decay_steps', 'min_lr')]
        step, rate = kops.cast(updates, 'float32') + 1.0, kops.cast(self.given_rate(updates), 'float32')
        falling = least + (rate - least) * (1.0 - kops.minimum(step, decay) / max(decay, 1.0))
        is_rising = kops.cast(step <= warmup, 'float32')
        return is_rising * rate * step / max(warmup, 1.0) + (1.0 - is_rising) * falling

    def rule(self, gradient, variable, slots, t, rate, decays):
        options = self.state.options
        betas = options['beta_1'], options['beta_2']
        slots = rules.moments(gradient, slots, *betas)
        step = rules.adam(slots, t, *betas, epsilon=options['epsilon'], bias_correction=False)
        rate = rate * rules.keras_correction(t, *betas)
        return rules.adamw(variable, step, rate, options['weight_decay'] if decays else 0.0), slots


AdamW, LAMB, AdamWarmup = [backend.register(cls) for cls in (BertAdamW, BertLAMB, BertAdamWarmup)]


def below_1(name, value):
    """`value` as a float in [0, 1), or a ValueError."""
    if not_negative(name, value) >= 1:
        raise ValueError('%s must be at least 0 and below 1, not %r' % (name, value))
    return float(value)


def positive(name, value):
    """`value` as a float above 0, or None if it is None, or a ValueError."""
    if value is not None and not_negative(name, value) == 0:
        raise ValueError('%s must be above 0, not %r; None leaves it out' % (name, value))
    return value if value is None else float(value)


@contextlib.contextmanager
def averaged(model):
    """A context in which `model`, compiled with `ema_momentum`, has the averages of its weights: to evaluate or save.

    Args:
        model: a compiled model, trained for at least one update.

    Raises:
        ValueError: there are no averages.
    """
    state = getattr(model.optimizer, 'inner_optimizer', model.optimizer).state
    is_updated = state.count is not None and backend.get_values([state.count])[0] >= state.options['accumulate']
    if not (is_updated and state.slots.get('average')):
        raise ValueError('there are no averaged weights: compile with ema_momentum, and train, before averaged()')
    weights = backend.get_values(state.variables)
    backend.set_values(list(zip(state.variables, backend.get_values(state.slots['average']))))
    try:
        yield model
    finally:
        backend.set_values(list(zip(state.variables, weights)))


def calc_train_steps(num_example, batch_size, epochs, warmup_proportion=0.1):
    """The number of steps in a training, and how many of them are for warming up.

    Args:
        num_example, batch_size, epochs: int.
        warmup_proportion: float, the share of the second.

    Returns:
        (int, int).
    """
    steps = -(-num_example // batch_size) * epochs
    return steps, int(steps * warmup_proportion)
