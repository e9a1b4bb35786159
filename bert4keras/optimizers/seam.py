# -*- coding: utf-8 -*-
"""The second seam: Keras has had four kinds of optimizers, and only this file knows them.

What an update is, and when one is due, is written once, in `Updates`. Each kind is a class below with the
same few methods; `Optimizer` is that of the Keras in use:

    Keras3Optimizer    Keras 3
    NewOptimizer       tf.keras of TensorFlow 2.11 to 2.15, and tf_keras: told by `update_step`
    OptimizerV2        tf.keras of TensorFlow 1.14 to 2.10: told by `_resource_apply_dense`
    OldOptimizer       Keras 2.3, and tf.keras of TensorFlow 1.13: `get_updates`
"""
from __future__ import absolute_import, division, print_function

import collections

import numpy as np

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.optimizers.rules import clip, moving_average

__all__ = ['Optimizer', 'OptimizerStateError', 'Schedule']

_Base = keras.optimizers.Optimizer
_schedules = getattr(keras.optimizers, 'schedules', None)
_ENGINE = keras.backend.backend()


class _PlainSchedule(object):
    """The base of schedules where Keras has none."""

    @classmethod
    def from_config(cls, config):
        return cls(**config)


Schedule = _schedules.LearningRateSchedule if _schedules else _PlainSchedule


class OptimizerStateError(RuntimeError):
    """The saved state of an optimizer is that of another model or of other options.

    It is no ValueError: while Keras loads, it makes a warning of that, and goes on without the state.
    """


class State(object):
    """What an optimizer knows of its variables. A plain object: what is in it no Keras tracks or wraps.

    Attributes:
        options: dict, the arguments of the optimizer except for the learning rate.
        keras_arguments: dict, those that Keras' own base class handles.
        saved_paths: list of str, the paths of the optimizer that this one was made from.
        variables: list of the model's trainable variables, empty before the optimizer is built.
        paths: list of str, 'layer name/variable name' of each.
        decays, factors: lists: whether each decays, and what its learning rate is multiplied by.
        count: the variable that counts the batches whose gradients were taken, None before it is built.
        slots: dict from names to lists of variables, one for each of the model's.
    """

    def __init__(self, options, keras_arguments):
        self.options, self.keras_arguments, self.saved_paths, self.count = options, keras_arguments, [], None
        self.variables, self.paths, self.decays, self.factors = [], [], [], []
        self.slots = collections.OrderedDict()


class Updates(object):
    """What all kinds share: `accumulate` batches are an update.

    A subclass has `slot_names()`, `rule(gradient, variable, slots, t, rate, decays)`, which returns the
    new variable and slots as tensors, and `choose(paths)`, which returns `decays` and `factors` of State.
    """

    def __init__(self, learning_rate, keras_arguments=None, **options):
        self._begin(learning_rate, options, keras_arguments or {})

    average_rule = staticmethod(moving_average)

    @property
    def update_count(self):
        """The number of updates so far, a scalar; Keras' `iterations` is that of batches."""
        return 0 if self.state.count is None else self.state.count // self.state.options.get('accumulate', 1)

    def given_rate(self, updates):
        """The learning rate, a scalar: that of the schedule after so many updates, or the one that was set."""
        given = self._given_rate()
        return given(updates) if callable(given) else given

    rate_at = given_rate

    def end_window(self):
        """Forgets the batches since the last update: where a batch was dropped, the others have no update of their own.

        Keras does not call an optimizer for a batch whose gradients are not finite in float16, so without this what
        is left of its window would become part of the next.
        """
        if self.state.count is None:
            return
        count = backend.get_values([self.state.count])[0]
        left = count % self.state.options.get('accumulate', 1)
        if left:
            sums = self.state.slots['sum']
            backend.set_values([(self.state.count, count - left)]
                               + [(total, np.zeros_like(value)) for total, value in
                                  zip(sums, backend.get_values(sums))])

    def _remember(self, variables):
        """Makes the slots, and decides by their paths what happens to the variables."""
        state, options = self.state, self.state.options
        state.variables = list(variables)
        paths = [getattr(variable, 'path', variable.name) for variable in variables]
        # tf.keras builds the layers of a `.keras` file outside of their name scopes
        state.paths = [saved if saved.endswith('/' + path) else path for path, saved in
                       zip(paths, (state.saved_paths + paths)[:len(paths)])]
        state.decays, state.factors = self.choose(state.paths)
        names = self.slot_names() + (('sum',) if options.get('accumulate', 1) > 1 else ())
        names += () if options.get('ema_momentum') is None else ('average',)
        state.slots.update((name, []) for name in names)
        state.count = self._new_count()
        for index, variable in enumerate(variables):
            for name in names:
                state.slots[name].append(self._new_slot(variable, name, index))

    def _take(self, gradients, variables):
        """Takes the gradients of one batch: adds them up, or updates the variables.

        Returns:
            the operation that does it, in graphs of TensorFlow.
        """
        state, accumulate = self.state, self.state.options.get('accumulate', 1)
        places = [self._place(variable) for variable in variables]
        gradients = [backend.dense(gradient, state.variables[place]) for gradient, place in zip(gradients, places)]
        gradients = [kops.cast(gradient, backend.dtype_name(state.variables[place]))
                     for gradient, place in zip(gradients, places)]
        if accumulate == 1:
            return self._assign(self._updated(gradients, places))
        sums = [state.slots['sum'][place] for place in places]

        def update():
            means = [(total + gradient) / accumulate for total, gradient in zip(sums, gradients)]
            return self._updated(means, places) + [(sums[at], kops.zeros_like(mean)) for at, mean in enumerate(means)]

        def add():
            return [(total, total + gradient) for total, gradient in zip(sums, gradients)]

        return self._assign_either(kops.equal((state.count + 1) % accumulate, 0), update, add)

    def _updated(self, gradients, places):
        """The (variable, new value) pairs of an update, from the gradients of the variables at `places`."""
        state, options = self.state, self.state.options
        updates = self.update_count
        t, rate = kops.cast(updates, 'float32') + 1.0, kops.cast(self.rate_at(updates), 'float32')
        gradients = clip(gradients, options.get('clipnorm'), options.get('global_clipnorm'))
        pairs, weights = [], list(state.variables)
        for gradient, place in zip(gradients, places):
            variable = state.variables[place]
            slots = {name: state.slots[name][place] for name in self.slot_names()}
            new, new_slots = self.rule(gradient, variable, slots, t, rate * state.factors[place], state.decays[place])
            if getattr(variable, 'constraint', None) is not None:
                new = variable.constraint(new)
            weights[place] = new
            pairs += [(variable, new)] + [(slots[name], new_slots[name]) for name in self.slot_names()]
        for average, weight in zip(state.slots.get('average', []), weights):
            pairs.append((average, self.average_rule(average, weight, options['ema_momentum'], t)))
        return pairs

    def _place(self, variable):
        """The place of a variable among those that the optimizer was built for."""
        for place, known in enumerate(self.state.variables):
            if known is variable:
                return place
        raise ValueError('the optimizer was built for other variables than %s: compile the model again with a new '
                         'optimizer' % variable.name)

    def set_weights(self, weights):
        if self._fits([np.shape(weight) for weight in weights]):
            super(Updates, self).set_weights(weights)

    def load_own_variables(self, store):
        if self._fits([tuple(store[str(index)].shape) for index in range(len(store.keys()))]):
            super(Updates, self).load_own_variables(store)

    def _fits(self, shapes):
        """Whether there is a state to load; an OptimizerStateError if it is not of this model and options."""
        own = [tuple(int(size) for size in variable.shape) for variable in self._own_variables()]
        if len(shapes) <= 2 < len(own):  # a count and a rate: that of an optimizer that never saw a gradient
            return False
        if self.state.variables and list(map(tuple, shapes)) != own:
            raise OptimizerStateError(
                'the saved state of %s has %d arrays, of %d numbers, and this model with these options needs %d, of '
                '%d: freeze the layers that were frozen then, use the options and the dtype policy of then, or load '
                'the weights before you compile, with compile=False'
                % (type(self).__name__, len(shapes), count(shapes), len(own), count(own)))
        return True

    def get_config(self):
        given = self._given_rate()
        if not callable(given):
            given = given if isinstance(given, float) else float(backend.get_values([given])[0])
        elif _schedules:
            given = _schedules.serialize(given)
        else:
            given = {'class_name': type(given).__name__, 'config': given.get_config()}
        state = self.state
        return dict(state.options, learning_rate=given, paths=state.paths or state.saved_paths, **state.keras_arguments)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        paths, given = config.pop('paths', []), config['learning_rate']
        if isinstance(given, dict) and _schedules:
            config['learning_rate'] = _schedules.deserialize(given, custom_objects=custom_objects)
        elif isinstance(given, dict):
            config['learning_rate'] = backend.custom_object(given['class_name'])(**given['config'])
        optimizer = cls(**config)
        optimizer.state.saved_paths = list(paths)
        return optimizer


def count(shapes):
    """How many numbers arrays of these shapes hold."""
    return sum(int(np.prod(shape, dtype='int64')) for shape in shapes)


class Keras3Optimizer(Updates, _Base):
    """Of Keras 3. Its JAX has no state: what a branch assigns is lost, so both return all values."""

    def _begin(self, learning_rate, options, keras_arguments):
        _Base.__init__(self, learning_rate, name=options['name'], **keras_arguments)
        self.state = State(options, keras_arguments)

    def _new_count(self):
        return self._iterations

    def _given_rate(self):
        return self._learning_rate

    def _get_current_learning_rate(self):
        return self.given_rate(self.update_count)

    def _own_variables(self):
        return self.variables

    def _new_slot(self, variable, name, index):
        return self.add_variable_from_reference(variable, name)

    def _place(self, variable):
        return self._get_variable_index(variable)

    def build(self, variables):
        if not self.built:
            super(Keras3Optimizer, self).build(variables)
            self._remember(variables)

    def _backend_update_step(self, gradients, variables, learning_rate):
        if _ENGINE == 'tensorflow':  # it sums over the replicas, and calls the method below
            super(Keras3Optimizer, self)._backend_update_step(gradients, variables, learning_rate)
        else:
            self._take(gradients, variables)

    def _distributed_tf_update_step(self, distribution, pairs, learning_rate):
        self._take(*local(distribution, pairs))

    def _assign(self, pairs):
        for variable, value in pairs:
            variable.assign(value)

    def _assign_either(self, condition, first, second):
        if _ENGINE != 'jax':
            return kops.cond(condition, lambda: self._assign(first()), lambda: self._assign(second()))
        targets = self.state.variables + sum(self.state.slots.values(), [])

        def values(pairs):
            new = {id(target): value for target, value in pairs}
            return [kops.cast(new.get(id(target), target), backend.dtype_name(target)) for target in targets]

        self._assign(zip(targets, kops.cond(condition, lambda: values(first()), lambda: values(second()))))


class TensorFlowUpdates(Updates):
    """What the kinds over TensorFlow share."""

    def _assign(self, pairs):
        # or in a graph one weight's new value could be seen by another's gradient
        with backend.after([value for _, value in pairs]):
            return backend.group([keras.backend.update(variable, value) for variable, value in pairs])

    def _assign_either(self, condition, first, second):
        return kops.cond(condition, lambda: self._assign(first()), lambda: self._assign(second()))


class NewOptimizer(TensorFlowUpdates, _Base):
    """Of tf.keras from TensorFlow 2.11, and tf_keras."""

    def _begin(self, learning_rate, options, keras_arguments):
        _Base.__init__(self, options['name'], **dict({'weight_decay': None, 'jit_compile': False}, **keras_arguments))
        self.state = State(options, keras_arguments)
        self._learning_rate = self._build_learning_rate(learning_rate)

    def _new_count(self):
        # `iterations` counts batches of gradients that were not finite, too
        return self.add_variable((), dtype='int64', name='count')

    def _given_rate(self):
        return self._learning_rate

    def _compute_current_learning_rate(self):
        if callable(self._learning_rate):
            self._current_learning_rate.assign(self._learning_rate(self.update_count))

    def _own_variables(self):
        return self.variables

    def _new_slot(self, variable, name, index):
        return self.add_variable_from_reference(variable, name)

    def _place(self, variable):
        return self._index_dict[self._var_key(variable)]

    def build(self, variables):
        super(NewOptimizer, self).build(variables)
        if not getattr(self, '_built', False):
            self._remember(variables)
            self._built = True

    def _distributed_apply_gradients_fn(self, distribution, pairs, **_):
        self._take(*local(distribution, pairs))
        self.state.count.assign_add(1)
        return self._iterations.assign_add(1)


class OptimizerV2(TensorFlowUpdates, _Base):
    """Of tf.keras from TensorFlow 1.14 to 2.10."""

    def _begin(self, learning_rate, options, keras_arguments):
        _Base.__init__(self, options['name'], **keras_arguments)
        self.state = State(options, keras_arguments)
        self._set_hyper('learning_rate', learning_rate)

    def _new_count(self):
        # `iterations` counts batches of gradients that were not finite, too
        count = self.add_weight('count', shape=[], dtype=self.iterations.dtype, trainable=False)
        self._weights.append(count)
        return count

    def _given_rate(self):
        return self._hyper['learning_rate']

    def _own_variables(self):
        return self.weights

    def _new_slot(self, variable, name, index):
        return self.add_slot(variable, name)

    def _create_slots(self, variables):
        if not self.state.variables:
            self._remember(variables)

    def _distributed_apply(self, distribution, pairs, name=None, apply_state=None):
        if not hasattr(_Base, '_aggregate_gradients'):  # up to TensorFlow 2.1 this is where replicas are summed
            import tensorflow as tf
            gradients = distribution.extended.batch_reduce_to(tf.distribute.ReduceOp.SUM, pairs)
            pairs = list(zip(gradients, [variable for _, variable in pairs]))
        with backend.after([self._take(*local(distribution, pairs))]):
            return backend.group([self.iterations.assign_add(1), self.state.count.assign_add(1)])


class OldOptimizer(TensorFlowUpdates, _Base):
    """Of Keras 2.3, and of tf.keras in TensorFlow 1.13."""

    def _begin(self, learning_rate, options, keras_arguments):
        _Base.__init__(self, **keras_arguments)
        self.state = State(options, keras_arguments)
        self.iterations = keras.backend.variable(0, dtype='int64', name='iterations')
        if not callable(learning_rate):
            learning_rate = keras.backend.variable(learning_rate, name='learning_rate')
        self.__dict__.update(learning_rate=learning_rate, lr=learning_rate)  # in some `lr` is a property

    def _new_count(self):
        return self.iterations

    def _given_rate(self):
        return self.learning_rate

    def _own_variables(self):
        return self.weights

    def _new_slot(self, variable, name, index):
        # each of a name of its own: Keras 2.3 cannot read what it saved of two of one name
        return keras.backend.zeros(keras.backend.int_shape(variable), dtype=keras.backend.dtype(variable),
                                   name='%s_%d' % (name, index))

    def get_updates(self, loss, params):
        gradients = self.get_gradients(loss, params)
        if not self.state.variables:
            self._remember(params)
            self.weights = [self.iterations] + [slot for slots in zip(*self.state.slots.values()) for slot in slots]
        with backend.after([self._take(gradients, params)]):
            self.updates = [keras.backend.update_add(self.iterations, 1)]
        return self.updates

    get_updates = getattr(keras.backend, 'symbolic', lambda function: function)(get_updates)


def local(distribution, pairs):
    """(gradients, variables) of pairs; of gradients already summed over the replicas, that of the first here."""
    return ([distribution.experimental_local_results(gradient)[0] for gradient, _ in pairs],
            [variable for _, variable in pairs])


if hasattr(keras, 'ops'):
    Optimizer = Keras3Optimizer
elif hasattr(_Base, 'update_step'):
    Optimizer = NewOptimizer
elif hasattr(_Base, '_resource_apply_dense'):
    Optimizer = OptimizerV2
else:
    Optimizer = OldOptimizer
