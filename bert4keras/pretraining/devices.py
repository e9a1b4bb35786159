# -*- coding: utf-8 -*-
"""Several devices, by each engine's own means: one half of the third seam, of which seam.py is the other.

`devices` gives what a training asks; each class is one of the ways.
"""
from __future__ import absolute_import, division, print_function

import atexit
import contextlib
import json
import os
import signal
import sys
import threading

import numpy as np

from bert4keras import backend
from bert4keras.backend import keras

if keras.backend.backend() == 'tensorflow':
    import tensorflow as tf

__all__ = ['LostProcess', 'OneDevice', 'devices', 'exit_code', 'kept_signals', 'place_in', 'strategy_name']


class LostProcess(EnvironmentError):
    """What several processes do together failed in this one, mostly as another one has ended."""


class OneDevice(object):
    """Training on one device, which is what the others below are compared with.

    Attributes:
        rank, processes: ints: the number of this process, from 0, and how many there are. Each is given the part of
            the rows that `part` says.
        failures: the errors that an engine raises where another process has ended.
    """

    rank, processes, failures = 0, 1, ()

    @contextlib.contextmanager
    def scope(self):
        """A context to build and compile a model in."""
        yield

    def optimizer(self, cls, is_scaled, *args, **options):
        """An optimizer of ours, cls(*args, **options); `is_scaled` says that in float16 Keras scales the loss."""
        return cls(*args, **options)

    def part(self, rows):
        """The slice of so many rows that this process is given."""
        size = rows // self.processes
        return slice(self.rank * size, (self.rank + 1) * size)

    def mean(self, figures):
        """The mean over processes of a NumPy array; of what Keras returns where that is of this process' rows."""
        return figures

    def of_all(self, number):
        """The ints that the processes have, a list, by their numbers."""
        return [number]

    @contextlib.contextmanager
    def together(self):
        """A context for what the processes do together.

        Raises:
            LostProcess: in place of `failures`.
        """
        try:
            yield
        except self.failures as error:
            raise LostProcess('process %d of %d could not go on with the others: %s. If one of them has ended, start '
                              'all again: they go on from the last checkpoint' % (
                                  self.rank + 1, self.processes, str(error).strip().split('\n')[0].rstrip('.')))

    def train_on_batch(self, model, inputs, weights):
        """Trains a compiled model on this process' rows; returns what Keras says of them."""
        return model.train_on_batch(inputs, weights)

    def count(self):
        """How many devices each batch is split over."""
        return 1


class _Strategy(OneDevice):
    """Devices by a strategy of TensorFlow. Keras splits the rows: each process is given all, and trains on its own.

    Args:
        strategy: a tf.distribute.Strategy.
    """

    def __init__(self, strategy):
        self.strategy, self.scope = strategy, strategy.scope

    def part(self, rows):
        return slice(0, rows)

    def count(self):
        return self.strategy.num_replicas_in_sync


class _Dealt(_Strategy):
    """The same, but each device is given its rows here, in tensors of fixed shapes.

    Keras' train_on_batch makes a data set of each batch, which took MultiWorkerMirroredStrategy 0.9 s, where a step of
    the model took 0.04; and TPUs want fixed shapes.
    """

    def __init__(self, strategy):
        super(_Dealt, self).__init__(strategy)
        self._step = None

    def train_on_batch(self, model, inputs, weights):
        def train(data):
            model.reset_metrics()
            return model.train_step(data)

        if self._step is None:
            self._step = tf.function(lambda data: self.strategy.run(train, args=(data,)))
        size = len(weights) // self.count()

        def rows(context):
            first = context.replica_id_in_sync_group * size
            own = [tf.constant(array[first:first + size]) for array in inputs + [weights]]
            return tuple(own[:-1]), own[-1]
        figures = self._step(self.strategy.experimental_distribute_values_from_function(rows))
        return [float(self.strategy.experimental_local_results(figures[name])[0]) for name in model.metrics_names]


class _Workers(_Dealt):
    """The processes that TF_CONFIG names."""

    def __init__(self):
        self.failures = (tf.errors.OpError, RuntimeError)
        self.rank, self.processes = place_in(os.environ.get('TF_CONFIG'))
        super(_Workers, self).__init__(tf.distribute.MultiWorkerMirroredStrategy())
        self._sum = tf.function(self._sum_over_devices)

    def _sum_over_devices(self, array):
        def summed(own):
            own = tf.identity(own)  # which has a device, as all_reduce needs
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, own)
        return self.strategy.run(summed, args=(array,))

    def of_all(self, number):
        own = number * np.eye(self.processes, dtype='int64')[self.rank]
        found = self.strategy.experimental_local_results(self._sum(tf.constant(own)))[0]
        return (found.numpy() // (self.count() // self.processes)).tolist()


class _Parallel(OneDevice):
    """The devices of this machine, or with machines those of all, by JAX; Keras splits the rows."""

    def __init__(self, machines=False):
        if machines:  # KERAS_DISTRIBUTION_JOB_ADDRESSES and so on; on a TPU pod JAX finds them by itself
            keras.distribution.initialize()
        import jax
        self.rank, self.processes, self.devices = jax.process_index(), jax.process_count(), len(jax.devices())
        self.failures = (RuntimeError,) * machines
        keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))

    @contextlib.contextmanager
    def together(self):
        try:
            with super(_Parallel, self).together():
                yield
        except BaseException as error:
            if self.failures:  # or JAX would wait for the others at the exit, and they for this one
                atexit.register(end_at_once, exit_code(error))
            raise

    def train_on_batch(self, model, inputs, weights):
        with self._failing():
            return super(_Parallel, self).train_on_batch(model, inputs, weights)

    def of_all(self, number):
        from jax.experimental import multihost_utils
        with self._failing():
            return np.ravel(multihost_utils.process_allgather(np.int32(number))).tolist()

    @contextlib.contextmanager
    def _failing(self):
        """A context for what JAX does: of a lost process it raises a RuntimeError, but at times a ValueError."""
        try:
            yield
        except ValueError as error:
            raise RuntimeError(str(error)) if self.failures else error

    def count(self):
        return self.devices


class _Reduced(OneDevice):
    """The processes that torchrun started, one for each device; gradients are summed before they are taken."""

    failures = (RuntimeError,)

    def __init__(self):
        import torch
        self.torch = torch
        if 'RANK' not in os.environ:
            raise ValueError('on PyTorch each device has a process: start it by torchrun --nproc-per-node N -m '
                             'bert4keras.cli pretrain ... --distribute machines')
        self.device = 'cpu'
        if torch.cuda.is_available():  # NCCL sums what is on the GPU of each process
            torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', 0)))
            self.device = 'cuda'
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group('nccl' if self.device == 'cuda' else 'gloo')
        self.rank, self.processes = torch.distributed.get_rank(), torch.distributed.get_world_size()

    def optimizer(self, cls, is_scaled, *args, **options):
        if is_scaled:  # all take or drop the sum together: a process alone would leave the others waiting for its part
            return self._reduced(keras.optimizers.LossScaleOptimizer)(cls(*args, **options))
        return self._reduced(cls)(*args, **options)

    def _reduced(self, cls):
        """The class of an optimizer that takes the mean of the gradients of all processes."""
        reduce_all, processes = self.torch.distributed.all_reduce, self.processes

        class Reduced(cls):
            def apply(self, grads, trainable_variables=None):
                for gradient in grads:
                    reduce_all(gradient)
                    gradient /= processes
                super(Reduced, self).apply(grads, trainable_variables)
        return Reduced

    def mean(self, figures):
        figures = self.torch.tensor(figures, dtype=self.torch.float64, device=self.device)
        self.torch.distributed.all_reduce(figures)
        return figures.cpu().numpy() / self.processes

    def of_all(self, number):
        found = [self.torch.zeros(1, dtype=self.torch.int64, device=self.device) for _ in range(self.processes)]
        self.torch.distributed.all_gather(found, self.torch.tensor([number], device=self.device))
        return [int(each) for each in found]

    def count(self):
        return self.processes


def exit_code(error):
    """That of a process which such an error ends."""
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return 130 if isinstance(error, KeyboardInterrupt) else 2


def end_at_once(code):
    """Ends the process, and does nothing more than to let go of what was printed."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)


@contextlib.contextmanager
def kept_signals():
    """A context after which SIGTERM does what it did: engines that start several processes take it, and do nothing."""
    yield
    if threading.current_thread().name == 'MainThread' and signal.getsignal(signal.SIGTERM) is not None:
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # Python's handler takes the place of theirs


def devices(distribute):
    """What trains on several devices.

    Args:
        distribute: 'none', 'local' for all devices of this machine, or 'machines' for those of several processes.

    Raises:
        ValueError: the Keras in use cannot do that; the message says which can.
    """
    if distribute == 'none':
        return OneDevice()
    with kept_signals():
        found = _devices(distribute)
        found.of_all(found.rank)  # the first thing that the processes do together
    return found


def _devices(distribute):
    """See `devices`."""
    engine = keras.backend.backend()
    if engine == 'jax':
        return _Parallel(distribute == 'machines')
    if engine == 'torch':
        return _Reduced()
    is_tf_keras = not backend.IS_KERAS_3 and keras.__name__ != 'keras'
    if distribute == 'local' and (backend.IS_KERAS_3 or is_tf_keras and _is_eager()):
        kinds = {device.device_type for device in tf.config.experimental.list_physical_devices()}
        is_dealt = is_tf_keras and hasattr(tf.distribute, 'MultiWorkerMirroredStrategy')  # TensorFlow 2.4 or later
        if strategy_name(kinds, is_dealt) == 'TPUStrategy':
            return _Dealt(tf.distribute.TPUStrategy(_tpus()))
        return (_Dealt if is_dealt else _Strategy)(tf.distribute.MirroredStrategy(_local_devices()))
    if distribute == 'machines' and is_tf_keras and hasattr(tf.distribute, 'MultiWorkerMirroredStrategy'):
        return _Workers()
    raise ValueError('%s cannot train with --distribute %s: %s' % (backend.describe(), distribute, {
        'local': 'tf.keras of TensorFlow 2 and Keras 3 can, on any engine',
        'machines': 'tf.keras of TensorFlow 2.4 or later, and Keras 3 on JAX and on PyTorch can'}[distribute]))


def strategy_name(kinds, is_dealt):
    """The name in tf.distribute of what trains on the devices of a machine.

    Args:
        kinds: the kinds that there are, such as {'CPU', 'TPU'}.
        is_dealt: whether devices are given their rows in tensors, see `_Dealt`.

    Raises:
        ValueError: there are TPUs, which need that.
    """
    if 'TPU' not in kinds:
        return 'MirroredStrategy'
    if not is_dealt:
        raise ValueError('%s cannot train on TPUs: tf.keras of TensorFlow 2.4 or later, and Keras 3 on JAX can'
                         % backend.describe())
    return 'TPUStrategy'


def _tpus():
    """The TPUs, made ready: those that TPU_NAME names, or those of this machine."""
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(os.environ.get('TPU_NAME', 'local'))
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return resolver


def _local_devices():
    """The names of the GPUs of this machine; of the CPUs if it has none."""
    logical = getattr(tf.config, 'list_logical_devices', None) or tf.config.experimental.list_logical_devices
    names = [[each.name for each in logical(kind)] for kind in ('GPU', 'CPU')]
    return names[0] or names[1]


def place_in(text):
    """(number of this process, how many there are), of what TF_CONFIG has: the chief is the first, if there is one.

    Raises:
        ValueError: it has no such thing.
    """
    try:
        config = json.loads(text or '{}')
        places = [(kind, number) for kind in ('chief', 'worker')
                  for number in range(len(config['cluster'].get(kind, [])))]
        return places.index((config['task']['type'], config['task']['index'])), len(places)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError('TF_CONFIG is %s; on tf.keras each process needs one such as {"cluster": {"worker": ["host1:'
                         '2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}' % (text or 'not set'))


def _is_eager():
    """Whether this is a TensorFlow 2, whose `train_on_batch` splits batches."""
    return tf.executing_eagerly()
