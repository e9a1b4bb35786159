# -*- coding: utf-8 -*-
"""Training in half precision: float32's losses within what half precision rounds; all state saved; float32 written.

A number has 8 bits in bfloat16 and 11 in float16, so it is rounded by up to 2 ** -9 and 2 ** -12 of itself. The
tolerances of a loss, 2e-2 and 2e-3 of it, leave room for some fifty roundings on the way and for six updates.
"""
from __future__ import absolute_import, division, print_function

import os

import numpy as np
import pytest

from bert4keras import backend
from bert4keras.backend import keras
from bert4keras.pretraining.checkpoints import load_state, save_state
from bert4keras.pretraining.seam import optimizer_variables
from bert4keras.pretraining.training import Training
from bert4keras.release.checkpoint import open_checkpoint
from tests.helpers.pretraining import make_folder, settings, without_dropout
from tests.test_precision import policy_functions  # skips where this Keras has no policies

pytestmark = pytest.mark.slow
TOLERANCE = {'mixed_bfloat16': 2e-2, 'mixed_float16': 2e-3}
STEPS = 6


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """See `make_folder`."""
    folder = tmp_path_factory.mktemp('pretraining')
    make_folder(folder)
    return folder


@pytest.fixture(scope='module')
def expected(folder):
    """The losses of float32."""
    return losses(Training(settings(folder, accumulate=2, steps=STEPS + 1)))


def losses(training):
    """Those of some steps."""
    return np.array([training.step(training.feed(step))['loss'] for step in range(STEPS)])


@pytest.mark.parametrize('precision', sorted(TOLERANCE))
def test_half_precision(folder, tmp_path, expected, precision):
    """It learns what float32 learns; what is saved is all; the release is of float32. Later models are as before."""
    training = Training(settings(folder, accumulate=2, steps=STEPS + 1, precision=precision))
    policy = policy_functions()[0]()
    assert getattr(policy, 'name', policy) == 'float32'
    block = next(layer for layer in training.model.layers if layer.name.endswith('FeedForward'))
    assert backend.compute_dtype(block) == precision.replace('mixed_', '')
    found = losses(training)
    assert expected[0] - expected[-1] > 10 * TOLERANCE[precision] * expected[0]  # it learns more than is forgiven
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[precision])
    assert np.abs(found - expected).max() > 1e-5  # it is another precision
    save_state(str(tmp_path), training.state(STEPS))
    training.step(training.feed(STEPS))
    after = training.bert.get_variables()
    keras.backend.clear_session()
    again = Training(settings(folder, accumulate=2, steps=STEPS + 1, precision=precision))
    again.set_state(load_state(str(tmp_path), STEPS), 'somewhere')
    again.step(again.feed(STEPS))
    for name, value in again.bert.get_variables().items():
        np.testing.assert_allclose(value, after[name], atol=1e-6, err_msg=name)
    check_release(again, str(tmp_path / 'release'))


def check_release(training, directory):
    """Writes a release of a training, which has its weights in float32."""
    training.write_release(directory)
    written = open_checkpoint(os.path.join(directory, 'bert_model.ckpt'))
    for name, value in training.bert.get_variables().items():
        assert written[name].dtype == value.dtype == np.float32
        np.testing.assert_array_equal(written[name], value)


def test_a_part_that_is_not_finite_is_dropped(folder):
    """In float16, where the loss is scaled: neither weights nor the optimizer change, and then it goes on."""
    training = Training(settings(folder, accumulate=2, precision='mixed_float16'))
    own = [variable for variable in optimizer_variables(training.model.optimizer.inner_optimizer)
           if 'iter' not in variable.name]  # Keras' own count, which nothing here goes by; tf.keras counts these, too
    before, values = training.bert.get_variables(), backend.get_values(own)
    fed = training.feed(0)
    too_much = fed._replace(parts=[(inputs, weights * np.float32(1e30)) for inputs, weights in fed.parts])
    training.step(too_much)  # a gradient of 1e30, by the scale of 2 ** 15, is beyond what float16 has: 65,504
    for name, value in training.bert.get_variables().items():
        np.testing.assert_array_equal(value, before[name])
    for old, new in zip(values, backend.get_values(own)):
        np.testing.assert_array_equal(new, old)
    state, scale = training.state(1), loss_scale(training.model.optimizer)
    assert scale < 2 ** 15  # where it begins
    training.step(too_much)
    assert loss_scale(training.model.optimizer) < scale
    training.set_state(state, 'somewhere')
    assert loss_scale(training.model.optimizer) == scale
    assert np.isfinite(training.step(fed)['loss'])
    assert any((value != before[name]).any() for name, value in training.bert.get_variables().items())


def test_a_window_ends_with_its_step(folder):
    """A part that is dropped takes its step with it, as without parts; halves of two steps are never joined."""
    found = []
    for accumulate in (1, 2):
        keras.backend.clear_session()
        training = Training(settings(folder, accumulate=accumulate, steps=STEPS + 1, precision='mixed_float16'))
        before = training.bert.get_variables()
        for step in range(STEPS):
            training.step(overflowing(without_dropout(training.feed(step)), {1: [0, 4], 3: [11]}.get(step, [])))
        assert loss_scale(training.model.optimizer) == 2 ** 13  # halved in two steps
        assert float(backend.get_values([training.model.optimizer.inner_optimizer.state.count])[0]) == 4 * accumulate
        found.append(training.bert.get_variables())
    for name in found[0]:
        if 'key/bias' not in name:  # its gradient is 0, as softmax knows no constant: what is left is rounding
            moved, difference = [np.abs(found[0][name] - other[name]).mean() for other in (before, found[1])]
            assert difference < 0.01 * moved, name  # with halves joined it is another update


def overflowing(fed, rows):
    """What a step is fed with, its gradients beyond float16 in some rows of the batch."""
    size = len(fed.parts[0][1])
    for row in rows:
        fed.parts[row // size][1][row % size] *= np.float32(1e30)
    return fed


def loss_scale(optimizer):
    """What losses are multiplied by in float16, so that gradients are within its range."""
    return float(backend.kops.convert_to_numpy(optimizer.dynamic_scale) if backend.IS_KERAS_3 else optimizer.loss_scale)
