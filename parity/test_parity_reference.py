# -*- coding: utf-8 -*-
"""Every layer and every head against the float64 reference, on this row's Keras."""
from __future__ import absolute_import, division, print_function

import os

import numpy as np
import pytest

from bert4keras.bert import build_bert_model
from bert4keras.reference import forward
from parity.measure import check, difference, layer_outputs, real_positions, tolerance
from tests.helpers.releases import random_ids


@pytest.mark.parametrize('application, gelu', [
    ('encoder', 'erf'), ('seq2seq', 'tanh'), pytest.param('encoder', 'tanh', marks=pytest.mark.slow),
    pytest.param('lm', 'erf', marks=pytest.mark.slow), pytest.param('lm', 'tanh', marks=pytest.mark.slow),
    pytest.param('seq2seq', 'erf', marks=pytest.mark.slow)])
def test_every_layer_equals_the_reference(release, application, gelu):
    """Embeddings, every block's two halves and every head are within rounding of float64."""
    directory, config, variables = release
    ids = random_ids(config)
    exact = forward(config, variables, *ids, application=application, gelu=gelu)
    rounded = forward(config, variables, *ids, application=application, gelu=gelu, dtype='float32')
    model = build_bert_model(directory, with_nsp=True, with_mlm=True, application=application, gelu=gelu)
    for name, ours in zip(exact, layer_outputs(model, list(exact), list(ids))):
        ours, theirs, other = [real_positions(array, ids[0]) for array in (ours, exact[name], rounded[name])]
        check('%s %s %s' % (application, gelu, name), ours, theirs, tolerance(difference(other, theirs)))


def test_the_outputs_are_the_heads_asked_for(release):
    """The model returns the hidden states, or the heads in the order pool or NSP, then MLM."""
    directory, config, variables = release
    config, ids = dict(config, num_hidden_layers=1), random_ids(config)
    exact = forward(config, variables, *ids)
    hidden = 'Encoder-1-FeedForward-Norm'
    for flags, names in (({}, [hidden]),
                         ({'with_pool': True, 'with_nsp': True}, ['NSP-Proba']),
                         ({'with_pool': True, 'with_mlm': True}, ['Pooler-Dense', 'MLM-Proba'])):
        outputs = build_bert_model(config, os.path.join(directory, 'bert_model.ckpt'), **flags).predict(list(ids))
        outputs = outputs if isinstance(outputs, list) else [outputs]
        assert len(outputs) == len(names)
        for name, ours in zip(names, outputs):
            check('%s %s' % (sorted(flags), name), real_positions(ours, ids[0]),
                  real_positions(exact[name], ids[0]), 1e-5)


def test_the_two_gelus_differ_far_beyond_the_tolerance(release):
    """Taking one GELU for the other cannot pass: at least ten times the tolerance, in every block."""
    directory, config, variables = release
    ids = random_ids(config)
    erf, tanh, rounded = [forward(config, variables, *ids, gelu=gelu, dtype=dtype)
                          for gelu, dtype in (('erf', 'float64'), ('tanh', 'float64'), ('erf', 'float32'))]
    for index in range(config['num_hidden_layers']):
        name = 'Encoder-%d-FeedForward-Norm' % (index + 1)
        one, other, floor = [real_positions(run[name], ids[0]) for run in (erf, tanh, rounded)]
        assert difference(one, other) >= 10 * tolerance(difference(one, floor)), name
    assert np.abs(erf['MLM-Dense'] - tanh['MLM-Dense']).max() > 1e-4
