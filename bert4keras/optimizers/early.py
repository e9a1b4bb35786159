# -*- coding: utf-8 -*-
"""The optimizers of bert4keras 0.1 to 0.11: `extend_with_...` of a class, and wrappers of a finished optimizer.

All of them become one optimizer of ours, with the same settings. What is different, because it was wrong then:
steps are updates (of schedules too, where they were batches); an accumulated update comes with the last batch of its
window, where tf.keras' came with the next; lookahead starts at the weights, where it started at 0 and went
there with the first batch. Facts: ten steps of bert4keras 0.11.5 (PyPI) on tf.keras 2.2 and Keras 2.3.1.
"""
from __future__ import absolute_import, division, print_function

import re

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.optimizers.rules import adam, keras_correction, lamb, moments, unbiased_moving_average
from bert4keras.optimizers.schedules import PiecewiseLinear, not_negative
from bert4keras.optimizers.seam import Optimizer, Schedule

__all__ = ['BertEarlyAdam', 'BertEarlySGD', 'Extended', 'extend_with_exponential_moving_average',
           'extend_with_gradient_accumulation', 'extend_with_layer_adaptation', 'extend_with_lazy_optimization',
           'extend_with_lookahead', 'extend_with_parameter_wise_lr', 'extend_with_piecewise_linear_lr',
           'extend_with_weight_decay', 'settings_of', 'with_settings']


class BertEarly(Optimizer):
    """What `extend_with_...` can add to Adam or SGD, all of it here; `plain` in a subclass is the step without.

    Args:
        learning_rate: float, or a schedule; `lr` is another name.
        lr_schedule: dict {number of updates: what the rate is multiplied by}, straight lines between; see
            `schedules.PiecewiseLinear`.
        weight_decay_rate, exclude_from_weight_decay: each update takes rate * weight_decay_rate * weight away from
            a weight with none of these strings in its path, 'layer name/variable name'.
        layer_adaptation, exclude_from_layer_adaptation: whether an update is made as long as rate * weight, but for
            weights with one of these strings in their paths (LAMB, https://arxiv.org/abs/1904.00962).
        grad_accum_steps: int, how many batches are an update.
        ema_momentum: float in [0, 1) or None: keeps a moving average of the weights, unbiased from the first update.
        steps_per_slow_update, slow_step_size: int or None, float: every so many updates the weights go back to this
            share of the way from where they were then (lookahead, https://arxiv.org/abs/1907.08610).
        include_in_lazy_optimization: list of strings; of weights with one of them in their paths, rows without a
            gradient stay as they are.
        paramwise_lr_schedule: dict {string: what the rate of weights with it in their paths is multiplied by}.
        clipnorm, global_clipnorm: float, the greatest norm of each gradient, or of all of them together.
        name: str.
        **options: of the subclass.
    """

    def __init__(self, learning_rate=0.001, lr_schedule=None, weight_decay_rate=0.0, exclude_from_weight_decay=None,
                 layer_adaptation=False, exclude_from_layer_adaptation=None, grad_accum_steps=1, ema_momentum=None,
                 steps_per_slow_update=None, slow_step_size=0.5, include_in_lazy_optimization=None,
                 paramwise_lr_schedule=None, clipnorm=None, global_clipnorm=None, accumulate=None, **options):
        learning_rate = options.pop('lr', learning_rate)
        if not isinstance(learning_rate, Schedule):
            learning_rate = not_negative('learning_rate', learning_rate)
        if lr_schedule:
            if isinstance(learning_rate, Schedule):
                raise ValueError('the learning rate has a schedule already, %r: give one of the two' % learning_rate)
            points = {int(step): value for step, value in lr_schedule.items()}
            learning_rate = PiecewiseLinear(learning_rate, sorted(points.items()))
        accumulate = grad_accum_steps if accumulate is None else accumulate
        for name, steps in (('grad_accum_steps', accumulate), ('steps_per_slow_update', steps_per_slow_update or 1)):
            if steps != int(steps) or steps < 1:
                raise ValueError('%s must be a whole number of at least 1, not %r' % (name, steps))
        super(BertEarly, self).__init__(
            learning_rate, weight_decay_rate=not_negative('weight_decay_rate', weight_decay_rate),
            exclude_from_weight_decay=list(exclude_from_weight_decay or []), layer_adaptation=bool(layer_adaptation),
            exclude_from_layer_adaptation=list(exclude_from_layer_adaptation or []), accumulate=int(accumulate),
            ema_momentum=ema_momentum, steps_per_slow_update=steps_per_slow_update, slow_step_size=slow_step_size,
            include_in_lazy_optimization=list(include_in_lazy_optimization or []),
            paramwise_lr_schedule=dict(paramwise_lr_schedule or {}), clipnorm=clipnorm,
            global_clipnorm=global_clipnorm, **options)

    def slot_names(self):
        return self.plain_slots + (('slow',) if self.state.options['steps_per_slow_update'] else ())

    def choose(self, paths):
        options = self.state.options

        def has(path, patterns):
            return any(re.search(pattern, path) for pattern in patterns)
        traits = [(not has(path, options['exclude_from_weight_decay']),
                   options['layer_adaptation'] and not has(path, options['exclude_from_layer_adaptation']),
                   has(path, options['include_in_lazy_optimization'])) for path in paths]
        factors = [1.0] * len(paths)
        for pattern, factor in options['paramwise_lr_schedule'].items():
            factors = [before * factor if has(path, [pattern]) else before for before, path in zip(factors, paths)]
        return traits, factors

    def rule(self, gradient, variable, slots, t, rate, traits):
        options, (decays, adapts, is_lazy) = self.state.options, traits
        dtype = backend.dtype_name(variable)
        rate = kops.cast(rate, dtype)
        step, new_slots = self.plain(gradient, slots, t, rate)
        if decays and options['weight_decay_rate']:
            step = step + rate * options['weight_decay_rate'] * variable
        if adapts:
            new = lamb(variable, step, rate, 0.0)
        else:
            new = variable - step
        if is_lazy:
            has_gradient = kops.cast(kops.max(kops.abs(gradient), axis=-1, keepdims=True) > 0, dtype)
            new = variable + has_gradient * (new - variable)
        if 'slow' in slots:
            is_first = kops.cast(t < 1.5, dtype)
            start = is_first * variable + (1.0 - is_first) * slots['slow']
            is_due = kops.cast(kops.equal(t % float(options['steps_per_slow_update']), 0.0), dtype)
            new_slots['slow'] = start + is_due * options['slow_step_size'] * (new - start)
            new = new + is_due * (new_slots['slow'] - new)
        return new, new_slots

    def given_schedule(self):
        """The learning rate as it was given: a schedule, or a number."""
        given = self._given_rate()
        return given if callable(given) or isinstance(given, float) else float(backend.get_values([given])[0])

    average_rule = staticmethod(unbiased_moving_average)

    def apply_ema_weights(self, bias_correction=True):
        """Gives the model the averages of its weights, until `reset_old_weights`.

        Raises:
            ValueError: there are none, or they are to be biased towards 0.
        """
        state = self.state
        if not bias_correction:
            raise ValueError('the averages are unbiased here: leave bias_correction=False out')
        if not state.slots.get('average'):
            raise ValueError('there are no averaged weights: give ema_momentum, and train, before')
        state.before = backend.get_values(state.variables)
        backend.set_values(list(zip(state.variables, backend.get_values(state.slots['average']))))

    def reset_old_weights(self):
        """Gives the model the weights back that it had before `apply_ema_weights`."""
        backend.set_values(list(zip(self.state.variables, self.state.before)))

    steps_per_update = property(lambda self: self.state.options['accumulate'], doc='As in 0.1 and 0.2.')


@backend.register
class BertEarlyAdam(BertEarly):
    """Adam (https://arxiv.org/abs/1412.6980), and all that `extend_with_...` can add to it.

    Args:
        beta_1, beta_2: floats in [0, 1).
        epsilon: float, added to the root of the unbiased v; with `epsilon_as_in_keras` to that of the biased one.
        bias_correction: bool; False is Google's Adam for BERT.
        learning_rate, name and others: see BertEarly.
    """

    plain_slots = ('m', 'v')

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-6, bias_correction=True, name='Adam',
                 epsilon_as_in_keras=False, **options):
        super(BertEarlyAdam, self).__init__(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, name=name,
                                            bias_correction=bool(bias_correction),
                                            epsilon_as_in_keras=bool(epsilon_as_in_keras), **options)

    def plain(self, gradient, slots, t, rate):
        options = self.state.options
        betas = options['beta_1'], options['beta_2']
        slots = moments(gradient, {name: slots[name] for name in self.plain_slots}, *betas)
        in_keras = options['epsilon_as_in_keras'] and options['bias_correction']
        step = adam(slots, t, *betas, epsilon=options['epsilon'],
                          bias_correction=options['bias_correction'] and not in_keras)
        if in_keras:
            rate = rate * kops.cast(keras_correction(t, *betas), backend.dtype_name(step))
        return rate * step, slots


@backend.register
class BertEarlySGD(BertEarly):
    """Gradient descent, and all that `extend_with_...` can add to it.

    Args:
        momentum: float in [0, 1).
        nesterov: bool.
        learning_rate, name and others: see BertEarly.
    """

    plain_slots = ('velocity',)

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, name='SGD', **options):
        super(BertEarlySGD, self).__init__(learning_rate, momentum=momentum, nesterov=bool(nesterov), name=name,
                                           **options)

    def plain(self, gradient, slots, t, rate):
        momentum = self.state.options['momentum']
        velocity = momentum * slots['velocity'] - rate * gradient
        step = rate * gradient - momentum * velocity if self.state.options['nesterov'] else -velocity
        return step, {'velocity': velocity}


# ------------------------------------------------------------------ Keras' optimizers as ours

_KNOWN = {'Adam': BertEarlyAdam, 'AdamW': BertEarlyAdam, 'SGD': BertEarlySGD}
# what a Keras says of an optimizer that changes nothing
_WITHOUT_EFFECT = ('name', 'ema_momentum', 'loss_scale_factor', 'ema_overwrite_frequency', 'jit_compile',
                   'is_legacy_optimizer')
_OFF = {'decay': 0.0, 'amsgrad': False, 'clipvalue': None, 'use_ema': False, 'gradient_accumulation_steps': None}


def settings_of(optimizer):
    """(class of ours, its arguments) that take the steps of an optimizer: Keras' Adam, AdamW, SGD, or one of these.

    Raises:
        ValueError: another optimizer, or a setting that ours do not have; it is named.
    """
    name, config = type(optimizer).__name__, dict(optimizer.get_config())
    if isinstance(optimizer, BertEarly):
        config.pop('paths')
        config['learning_rate'] = optimizer.given_schedule()
        return type(optimizer), config
    if name not in _KNOWN or not isinstance(optimizer, keras.optimizers.Optimizer):
        raise ValueError('%s cannot be extended here, only Adam, AdamW and SGD of Keras and what was made of them; '
                         'bert4keras.optimizers has AdamW and LAMB with accumulation and schedules' % name)
    for setting, off in _OFF.items():
        if config.pop(setting, off) not in (off, None, False):
            raise ValueError('%s has %s, which its extensions here do not have: leave it out' % (name, setting))
    if isinstance(config.get('learning_rate'), dict):
        raise ValueError('%s has a schedule of its own: give it a number, and lr_schedule beside' % name)
    arguments = {key: value for key, value in config.items() if key not in _WITHOUT_EFFECT and value is not None}
    arguments['learning_rate'] = float(arguments.pop('lr', arguments.get('learning_rate')))
    arguments['weight_decay_rate'] = arguments.pop('weight_decay', 0.0)
    if _KNOWN[name] is BertEarlyAdam:
        arguments.update(epsilon_as_in_keras=True, epsilon=arguments.get('epsilon', keras.backend.epsilon()))
    return _KNOWN[name], arguments


def with_settings(optimizer, **more):
    """The optimizer of ours that has the settings of `optimizer`, see `settings_of`, and more."""
    cls, arguments = settings_of(optimizer)
    return cls(**dict(arguments, **more))


class Extended(object):
    """What `extend_with_...` returns, to be called as the class that it stands for.

    Args:
        base: Adam, AdamW or SGD of Keras, `Adam` of bert4keras.optimizers, or another Extended.
        extension: dict {name of an argument: its default} that may be given beside the base's.
        always: dict of arguments that are always given.
        name: str.
    """

    def __init__(self, base, extension, always=None, name=None):
        self.is_extended = isinstance(base, Extended)
        self.base = base.base if self.is_extended else base
        self.extension = dict(base.extension if self.is_extended else {}, **extension)
        self.always = dict(base.always if self.is_extended else {}, **(always or {}))
        self.__name__ = name or 'Extended'

    def __call__(self, *args, **kwargs):
        more = {name: kwargs.pop(name, default) for name, default in self.extension.items()}
        more.update(self.always, name=str(self.__name__))
        if isinstance(self.base, type) and issubclass(self.base, BertEarly):
            return self.base(*args, **dict(kwargs, **more))
        corrected = kwargs.pop('bias_correction', True)  # Keras' own have it always
        rate = [kwargs.pop(name) for name in ('learning_rate', 'lr') if name in kwargs]  # its name differs
        made = self.base(*(list(args) or rate), **kwargs)
        return with_settings(made, **(more if corrected else dict(more, bias_correction=False)))


def extend_with_weight_decay(BaseOptimizer, name=None):
    """Adds `weight_decay_rate=0.01` and `exclude_from_weight_decay`."""
    return Extended(BaseOptimizer, {'weight_decay_rate': 0.01, 'exclude_from_weight_decay': None}, name=name)


def extend_with_layer_adaptation(BaseOptimizer, name=None):
    """Makes LAMB of Adam; adds `exclude_from_layer_adaptation`."""
    return Extended(BaseOptimizer, {'exclude_from_layer_adaptation': None}, {'layer_adaptation': True}, name)


def extend_with_piecewise_linear_lr(BaseOptimizer, name=None):
    """Adds `lr_schedule`."""
    return Extended(BaseOptimizer, {'lr_schedule': {0: 1}}, name=name)


def extend_with_gradient_accumulation(BaseOptimizer, name=None):
    """Adds `grad_accum_steps`."""
    return Extended(BaseOptimizer, {'grad_accum_steps': 1}, name=name)


def extend_with_lookahead(BaseOptimizer, name=None):
    """Adds `steps_per_slow_update=5` and `slow_step_size=0.5`."""
    return Extended(BaseOptimizer, {'steps_per_slow_update': 5, 'slow_step_size': 0.5}, name=name)


def extend_with_lazy_optimization(BaseOptimizer, name=None):
    """Adds `include_in_lazy_optimization`."""
    return Extended(BaseOptimizer, {'include_in_lazy_optimization': None}, name=name)


def extend_with_exponential_moving_average(BaseOptimizer, name=None):
    """Adds `ema_momentum=0.999`, and the methods `apply_ema_weights` and `reset_old_weights`."""
    return Extended(BaseOptimizer, {'ema_momentum': 0.999}, name=name)


def extend_with_parameter_wise_lr(BaseOptimizer, name=None):
    """Adds `paramwise_lr_schedule`."""
    return Extended(BaseOptimizer, {'paramwise_lr_schedule': None}, name=name)
