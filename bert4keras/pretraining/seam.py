# -*- coding: utf-8 -*-
"""The third seam: what training needs of an engine, beside its tensors and its optimizers.

Random numbers that are a function of a seed in the graph, so that dropout has no state; all that an optimizer
remembers; the precision of a process; and several devices, by each engine's own means.
"""
from __future__ import absolute_import, division, print_function

import contextlib
import os

import numpy as np

from bert4keras import backend
from bert4keras.backend import keras, kops

__all__ = ['OneDevice', 'devices', 'optimizer_variables', 'set_precision', 'uniform']

_IS_JAX = keras.backend.backend() == 'jax'

if backend.IS_KERAS_3:
    class _Given(keras.random.SeedGenerator):
        """What Keras takes a seed from; it has no state, and gives the one that it was made with."""

        def __init__(self, seed):
            self.seed = kops.cast(seed, 'uint32' if _IS_JAX else 'int32')

        def next(self, ordered=True):
            return self.seed

    def uniform(shape, seed):
        """float32 numbers in [0, 1): a function of the seed, two ints in a tensor [2], and of the engine."""
        return keras.random.uniform(shape, dtype='float32', seed=_Given(seed))
else:
    import tensorflow as tf

    def uniform(shape, seed):
        return tf.random.stateless_uniform(shape, seed)


def optimizer_variables(optimizer):
    """All variables of an optimizer of ours that took a step, those of what Keras put around it for float16 too."""
    inner = getattr(optimizer, 'inner_optimizer', optimizer)
    found = list(inner._own_variables())
    if inner is not optimizer:
        around = getattr(optimizer, 'variables', None) or optimizer.weights
        around = around() if callable(around) else around
        known = {id(variable) for variable in found}
        found += [variable for variable in around if id(variable) not in known]
    return found


def set_precision(policy):
    """Sets the dtype policy of the process.

    Args:
        policy: 'float32', 'mixed_bfloat16' or 'mixed_float16'.

    Raises:
        ValueError: this Keras has no policies.
    """
    for module, name in ((getattr(keras, 'config', None), 'set_dtype_policy'),
                         (getattr(keras, 'mixed_precision', None), 'set_global_policy')):
        if hasattr(module, name):
            return getattr(module, name)(policy)
    if policy != 'float32':
        raise ValueError('this Keras, %s, computes in float32 only; tf.keras of TensorFlow 2.4 or later and Keras 3 '
                         'can do %s' % (backend.describe(), policy))


# ------------------------------------------------------------------ several devices

class OneDevice(object):
    """Training on one device, which is what the others below are compared with.

    Attributes:
        rank, processes: ints: the number of this process, from 0, and how many there are. Each is given the part of
            the rows that `part` says.
        engine: the one that it needs, or None.
    """

    rank, processes, engine = 0, 1, None

    @contextlib.contextmanager
    def scope(self):
        """A context to build and compile a model in."""
        yield

    def optimizer_class(self, cls):
        """The class to use for an optimizer of ours."""
        return cls

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

    def count(self):
        """How many devices each batch is split over."""
        return 1


class _Mirrored(OneDevice):
    """The devices of this machine, by TensorFlow; Keras splits the rows."""

    def __init__(self):
        import tensorflow
        names = [each.name for kind in ('GPU', 'CPU') for each in tensorflow.config.list_logical_devices(kind)]
        first = [name for name in names if 'GPU' in name] or names
        self.strategy = tensorflow.distribute.MirroredStrategy(first)
        self.scope = self.strategy.scope

    def count(self):
        return self.strategy.num_replicas_in_sync


class _Parallel(OneDevice):
    """The devices of this machine, or with machines those of all, by JAX; Keras splits the rows."""

    def __init__(self, machines=False):
        if machines:  # KERAS_DISTRIBUTION_JOB_ADDRESSES and so on; on a TPU pod JAX finds them by itself
            keras.distribution.initialize()
        import jax
        self.rank, self.processes, self.devices = jax.process_index(), jax.process_count(), len(jax.devices())
        keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))

    def of_all(self, number):
        from jax.experimental import multihost_utils
        return np.ravel(multihost_utils.process_allgather(np.int32(number))).tolist()

    def count(self):
        return self.devices


class _Reduced(OneDevice):
    """The processes that torchrun started, one for each device; gradients are summed before they are taken."""

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

    def optimizer_class(self, cls):
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


def devices(distribute):
    """What trains on several devices.

    Args:
        distribute: 'none', 'local' for all devices of this machine, or 'machines' for those of several processes.

    Raises:
        ValueError: the Keras in use cannot do that; the message says which can.
    """
    if distribute == 'none':
        return OneDevice()
    engine = keras.backend.backend()
    if engine == 'jax':
        return _Parallel(distribute == 'machines')
    if engine == 'torch':
        return _Reduced()
    if distribute == 'local' and (backend.IS_KERAS_3 or keras.__name__ != 'keras' and _is_eager()):
        return _Mirrored()
    raise ValueError('%s cannot train with --distribute %s: %s' % (backend.describe(), distribute, {
        'local': 'tf.keras of TensorFlow 2 and Keras 3 can, on any engine',
        'machines': 'Keras 3 on JAX and on PyTorch can'}[distribute]))


def _is_eager():
    """Whether this is a TensorFlow 2, whose `train_on_batch` splits batches."""
    return tf.executing_eagerly()
