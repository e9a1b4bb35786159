# -*- coding: utf-8 -*-
"""Optimizers, with a small seam of their own: Keras has had four kinds of them.

Told apart by the methods there are to override: `update_step`, of Keras 3 and of tf.keras from
TensorFlow 2.11; `_resource_apply_dense`, of tf.keras from 1.14 to 2.10; else `get_updates`, of Keras
2.3 and of tf.keras in 1.13.
"""
from __future__ import absolute_import, division, print_function

from bert4keras import backend
from bert4keras.backend import keras, kops

_Adam = keras.optimizers.Adam
_HAS_UPDATE_STEP = hasattr(_Adam, 'update_step')
_HAS_APPLY_DENSE = hasattr(_Adam, '_resource_apply_dense')


class _AdamWarmup(_Adam):
    """keras-bert's AdamWarmup: a learning rate that rises, then falls, and weight decay.

    rate(t) = learning_rate * t / warmup_steps up to t = warmup_steps, then min_lr + (learning_rate -
    min_lr) * (1 - min(t, decay_steps) / decay_steps). Adam (https://arxiv.org/abs/1412.6980) as Keras
    has it; the decay is weight_decay * weight, added to the step before it is scaled.

    Args:
        decay_steps, warmup_steps: numbers of steps, see above.
        min_lr, learning_rate: floats; `lr` is another name of the second.
        beta_1, beta_2, epsilon: floats, Adam's; epsilon None is Keras'.
        weight_decay: float.
        weight_decay_pattern: list of strings, one of which is in the name of each weight that decays;
            None for all. keras-bert heeds it on Keras 2.3 only.
        amsgrad: bool (https://openreview.net/forum?id=ryQu7f-RZ).
        name: str, of the optimizer, on those Kerases that name them.
    """

    # what the three kinds below share: arguments, config and the formula

    def __init__(self, decay_steps, warmup_steps, min_lr=0.0, learning_rate=0.001, beta_1=0.9, beta_2=0.999,
                 epsilon=1e-7, weight_decay=0.0, weight_decay_pattern=None, amsgrad=False, name='AdamWarmup', **kwargs):
        learning_rate = kwargs.pop('lr', learning_rate)
        if kwargs.pop('decay', 0.0):
            raise ValueError('AdamWarmup decays by decay_steps; leave decay out')
        if _HAS_UPDATE_STEP or _HAS_APPLY_DENSE:
            kwargs['name'] = name
        super(_AdamWarmup, self).__init__(learning_rate, beta_1=beta_1, beta_2=beta_2, amsgrad=amsgrad,
                                          epsilon=keras.backend.epsilon() if epsilon is None else epsilon, **kwargs)
        self.options = {'decay_steps': float(decay_steps), 'warmup_steps': float(warmup_steps), 'min_lr': min_lr,
                        'weight_decay': weight_decay, 'weight_decay_pattern': weight_decay_pattern}

    def formula(self, gradient, variable, m, v, vhat, iterations, learning_rate):
        """Returns the new (variable, m, v, vhat); vhat stays None without amsgrad. All are tensors."""
        dtype = backend.dtype_name(variable)
        beta_1, beta_2, learning_rate = [kops.cast(value, dtype)
                                         for value in (self.hyper('beta_1'), self.hyper('beta_2'), learning_rate)]
        step = kops.cast(iterations, dtype) + 1.0
        learning_rate = self.learning_rate_at(step, learning_rate)
        learning_rate = learning_rate * kops.sqrt(1.0 - kops.power(beta_2, step)) / (1.0 - kops.power(beta_1, step))
        gradient = backend.dense(gradient, variable)
        m = beta_1 * m + (1.0 - beta_1) * gradient
        v = beta_2 * v + (1.0 - beta_2) * kops.square(gradient)
        vhat = None if vhat is None else kops.maximum(vhat, v)
        update = m / (kops.sqrt(v if vhat is None else vhat) + self.epsilon)
        if self.is_decayed(getattr(variable, 'path', variable.name)):
            update = update + self.options['weight_decay'] * variable
        return variable - learning_rate * update, m, v, vhat

    def learning_rate_at(self, step, learning_rate):
        """The rate at `step`, from 1: up to `learning_rate`, then towards `min_lr`."""
        warmup, decay, least = [self.options[name] for name in ('warmup_steps', 'decay_steps', 'min_lr')]
        falling = least + (learning_rate - least) * (1.0 - kops.minimum(step, decay) / max(decay, 1.0))
        is_rising = kops.cast(step <= warmup, backend.dtype_name(step))
        return is_rising * learning_rate * step / max(warmup, 1.0) + (1.0 - is_rising) * falling

    def is_decayed(self, name):
        """Whether the weight called `name` decays."""
        patterns = self.options['weight_decay_pattern']
        return self.options['weight_decay'] > 0 and (patterns is None or any(one in name for one in patterns))

    def hyper(self, name):
        """The value of a hyperparameter, a number or a tensor."""
        return getattr(self, name)

    def get_config(self):
        config = super(_AdamWarmup, self).get_config()
        config.update(self.options)
        patterns = self.options['weight_decay_pattern']
        return dict(config, weight_decay_pattern=patterns and list(patterns))


if _HAS_UPDATE_STEP:
    class BertAdamWarmup(_AdamWarmup):
        __doc__ = _AdamWarmup.__doc__

        def update_step(self, gradient, variable, learning_rate=None):
            if learning_rate is None:  # tf.keras
                index, learning_rate = self._index_dict[self._var_key(variable)], self.learning_rate
            else:
                index = self._get_variable_index(variable)
            slots = [self._momentums[index], self._velocities[index],
                     self._velocity_hats[index] if self.amsgrad else None]
            new = self.formula(gradient, variable, *slots, iterations=self.iterations, learning_rate=learning_rate)
            for target, value in zip([variable] + slots, new):
                if target is not None:
                    target.assign(value)

elif _HAS_APPLY_DENSE:
    class BertAdamWarmup(_AdamWarmup):
        __doc__ = _AdamWarmup.__doc__

        def hyper(self, name):
            return self._get_hyper(name)

        def _resource_apply_dense(self, gradient, variable, **_):
            slots = [self.get_slot(variable, name) for name in ('m', 'v') + ('vhat',) * self.amsgrad]
            new = self.formula(gradient, variable, *(slots + [None])[:3], iterations=self.iterations,
                               learning_rate=self._decayed_lr(variable.dtype.base_dtype))
            return backend.group([target.assign(value) for target, value in zip([variable] + slots, new)])

        def _resource_apply_sparse(self, gradient, variable, indices, **_):
            return self._resource_apply_dense(backend.dense(gradient, variable, indices), variable)

else:
    class BertAdamWarmup(_AdamWarmup):
        __doc__ = _AdamWarmup.__doc__

        def get_updates(self, loss, params):
            gradients = self.get_gradients(loss, params)
            # each with a name of its own: Keras 2.3 cannot read what it saved of two of one name
            slots = [[keras.backend.zeros(keras.backend.int_shape(param), dtype=keras.backend.dtype(param),
                                          name='%s_%d' % (slot, index)) for index, param in enumerate(params)]
                     for slot in ('m', 'v') + ('vhat',) * self.amsgrad]
            self.weights = [self.iterations] + sum(slots, [])
            slots = slots + [[None] * len(params)] * (3 - len(slots))
            targets, values = [self.iterations], [self.iterations + 1]
            for gradient, param, m, v, vhat in zip(gradients, params, *slots):
                new = list(self.formula(gradient, param, m, v, vhat, self.iterations, self.lr))
                if getattr(param, 'constraint', None) is not None:
                    new[0] = param.constraint(new[0])
                for target, value in zip((param, m, v, vhat), new):
                    if target is not None:
                        targets.append(target)
                        values.append(value)
            with backend.after(values):  # or one weight's update could be seen by another's gradient
                self.updates = [keras.backend.update(target, value) for target, value in zip(targets, values)]
            return self.updates

        get_updates = getattr(keras.backend, 'symbolic', lambda function: function)(get_updates)

AdamWarmup = backend.register(BertAdamWarmup)


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
