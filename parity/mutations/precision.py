# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in half precision."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_precision.py -k "stay_in_float32 or cannot_hold"'

MUTATIONS = [
    ('residual sums in half precision', 'bert.py',
     'self.layer(keras.layers.Add, name, dtype=backend.full_precision_dtype())', 'self.layer(keras.layers.Add, name)'),
    ('an ALBERT widens its embeddings in half precision', 'bert.py',
     'dtype=backend.full_precision_dtype(), **arguments)', '**arguments)'),
    ('scores scaled after the product', 'layers.py',
     'query = query * (float(int(query.shape[-1])) ** -0.5)\n'
     '        return at_least_float32(kops.matmul(query, kops.transpose(key, (0, 1, 3, 2))))',
     'scores = kops.matmul(query, kops.transpose(key, (0, 1, 3, 2)))\n'
     '        return at_least_float32(scores * (float(int(query.shape[-1])) ** -0.5))'),
    ('softmax in half precision', 'layers.py', 'kops.softmax(at_least_float32(scores), axis=-1)',
     'kops.softmax(scores, axis=-1)', 'tests/test_precision.py -k finite_with_every_head'),
    ('a GELU in half precision', 'layers.py', ' and backend.gelu_rounds_once(x, training):', ':',
     'tests/test_precision.py -k rounded_once'),
]
