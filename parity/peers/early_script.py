# -*- coding: utf-8 -*-
"""A script of bert4keras 0.11, which runs on 0.11.5 and on ours: the calls that early.py has done and compared.

    python parity/peers/early_script.py EARLY TASKS.json OUTPUT.npz      with the `bert4keras` of the directory EARLY

A task is a dict, with the name of a function here as `do`, of that function's arguments.
"""
from __future__ import absolute_import, division, print_function

import io
import json
import sys

import numpy as np


def outputs(layers, batches, gelu, **arguments):
    """{"LAYER BATCH": array} of a model of `build_transformer_model`.

    `layers` are [[name, which call of it]...]; the name None is for what the model returns.
    """
    from bert4keras.backend import K, keras, set_gelu
    from bert4keras.models import build_transformer_model
    K.clear_session()
    set_gelu(gelu)
    model = build_transformer_model(**arguments)
    model = keras.models.Model(model.inputs, [
        model.get_layer(name).get_output_at(call) if name else model.output for name, call in layers])
    return {'%d %d' % (layer, number): array for number, batch in enumerate(batches)
            for layer, array in enumerate(model.predict_on_batch([np.array(ids) for ids in batch]))}


def ids(vocabulary, lower, lines, **arguments):
    """{"LINE token" and "LINE segment": ids} of lines, each a text or two; `arguments` are those of `encode`."""
    from bert4keras.tokenizers import Tokenizer
    tokenizer = Tokenizer(vocabulary, do_lower_case=lower)
    return {'%d %s' % (number, what): np.array(row) for number, line in enumerate(lines)
            for what, row in zip(('token', 'segment'), tokenizer.encode(*line, **arguments))}


def steps(base, extensions, start, gradients, **settings):
    """{'weights': those after each batch, [batches, weights]} of two kernels whose gradient is what is fed.

    The averages are in a last row, where there are any.
    """
    from bert4keras import optimizers
    from bert4keras.backend import K, keras
    K.clear_session()
    x = keras.layers.Input((len(start[0]),))
    y = [keras.layers.Dense(1, use_bias=False, name=name)(x) for name in ('Plain', 'Norm')]
    model = keras.models.Model(x, keras.layers.Add()(y))
    model.set_weights([np.array(kernel)[:, None] for kernel in start])
    optimizer = getattr(optimizers if base == 'Adam' else keras.optimizers, base)
    for extension in extensions:
        optimizer = getattr(optimizers, 'extend_with_' + extension)(optimizer)
    optimizer = optimizer(**readable(settings))
    model.compile(optimizer, loss=lambda _, y: y)
    weights = []

    def remember():
        weights.append(np.concatenate([kernel.ravel() for kernel in model.get_weights()]))
    for gradient in gradients:
        model.train_on_batch(np.array([gradient]), np.zeros((1, 1)))
        remember()
    if 'ema_momentum' in settings:
        optimizer.apply_ema_weights()
        remember()
        optimizer.reset_old_weights()
        assert np.array_equal(np.concatenate([kernel.ravel() for kernel in model.get_weights()]), weights[-2])
    return {'weights': np.array(weights)}


def readable(settings):
    """The arguments of an optimizer: JSON has no other keys than str."""
    if 'lr_schedule' in settings:
        settings['lr_schedule'] = {int(step): factor for step, factor in settings['lr_schedule'].items()}
    return settings


def run(task):
    """The arrays of a task."""
    task = dict(task)
    return globals()[task.pop('do')](**task)


def main(tasks, output):
    """Runs the tasks of a JSON file into one npz: "NUMBER KEY" -> array, and "version"."""
    import bert4keras
    with io.open(tasks, encoding='ascii') as stream:
        results = [run(task) for task in json.load(stream)]
    np.savez(output, version=bert4keras.__version__, **{'%d %s' % (number, key): array for number, arrays
                                                        in enumerate(results) for key, array in arrays.items()})


if __name__ == '__main__':
    sys.path[0] = sys.argv[1]  # in place of this file's directory, where a module is called google
    main(*sys.argv[2:])
