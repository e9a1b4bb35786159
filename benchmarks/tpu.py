# -*- coding: utf-8 -*-
"""The training step of `bert4keras pretrain`, compiled for TPUs on a machine that has none; Keras 3 on JAX.

    pip install libtpu                           # the version that `pip install "jax[tpu]"` names
    python -m benchmarks.tpu --topology v5e:2x2 --rows 64 --length 24
    python -m benchmarks.tpu --config bert_config.json --rows 256 --length 128 --precision mixed_bfloat16

Libtpu has the compiler of TPUs, and JAX gives it the topology to compile for: the whole step, forward, backward and
update, with each batch split over the chips. Nothing is run. Prints how many sums over chips there are in the program,
and the memory that a chip needs. Without a config it is a toy of two blocks, and no other was tried.
"""
from __future__ import absolute_import, division, print_function

import argparse
import os
import shutil
import sys
import tempfile
import time

import numpy as np

from benchmarks.kills import CONFIG, WORDS, make

def state_of(model):
    """What the step of a Keras model on JAX takes and returns, as arrays."""
    return tuple([variable.value for variable in variables] for variables in (
        model.trainable_variables, model.non_trainable_variables, model.optimizer.variables, model.metrics_variables))


def traced(model, state, data, **options):
    """The step of a compiled model, traced for such arrays, or their shapes; options: of jax.jit."""
    import jax
    return jax.jit(model.train_step, donate_argnums=0, **options).trace(state, data)


def data_of(fed, rows, length):
    """Shapes and dtypes of a part of a batch, made that of so many rows and tokens.

    Args:
        fed: what `Training.feed` returned.
    """
    predictions = int(round(0.15 * length))
    sizes = [(rows, length), (rows, length), (rows, predictions), (rows, 1 + predictions), (rows, 3)]
    inputs, weights = fed.parts[0]
    return (tuple((size, array.dtype) for size, array in zip(sizes, inputs)),
            ((rows, 1 + predictions, 1), weights.dtype))


def compiled(training, topology, rows, length):
    """(devices, executable, seconds) of the step of a Training, for a topology such as v5e:2x2."""
    import jax
    from jax.experimental import topologies
    devices = topologies.get_topology_desc(platform='tpu', topology_name=topology).devices
    mesh = jax.sharding.Mesh(np.array(devices), ('batch',))
    whole, split = [jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes)) for axes in ((), ('batch',))]
    state = jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=whole),
                         state_of(training.model))
    inputs, weights = data_of(training.feed(0), rows, length)
    data = (tuple(jax.ShapeDtypeStruct(*each, sharding=split) for each in inputs),
            jax.ShapeDtypeStruct(*weights, sharding=split))
    began = time.time()
    executable = traced(training.model, state, data, out_shardings=(None, whole)).lower().compile()
    return devices, executable, time.time() - began


def main():
    from bert4keras.pretraining.training import Settings, Training
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--topology', default='v5e:2x2')
    parser.add_argument('--config')
    parser.add_argument('--rows', type=int, default=64)
    parser.add_argument('--length', type=int, default=24)
    parser.add_argument('--precision', default='float32')
    args = parser.parse_args()
    folder = tempfile.mkdtemp()
    try:
        make(folder, np.random.RandomState(0))
        config = args.config or dict(CONFIG, vocab_size=5 + WORDS)
        training = Training(Settings(config, [os.path.join(folder, 'corpus')], 9, batch_size=2,
                                     precision=args.precision))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    devices, executable, seconds = compiled(training, args.topology, args.rows, args.length)
    text, memory = executable.as_text(), executable.memory_analysis()
    config = training.bert.config
    print('%d blocks of %d, %d rows of %d tokens, %s: compiled for %d %s in %.0f s'
          % (config['num_hidden_layers'], config['hidden_size'], args.rows, args.length, args.precision, len(devices),
             devices[0].device_kind, seconds))
    print('%d sums over chips; a chip needs %.2f MB for weights, optimizer and batch, and %.2f MB in between'
          % (text.count(' all-reduce('), memory.argument_size_in_bytes / 1e6, memory.temp_size_in_bytes / 1e6))
    return 0


if __name__ == '__main__':
    sys.exit(main())
