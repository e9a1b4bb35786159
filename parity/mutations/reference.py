# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in the reference, the oracle of all the others."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_reference.py'

MUTATIONS = [
    ('silu of another slope', 'reference.py', 'x / (1.0 + np.exp(-x))', 'x / (1.0 + np.exp(-1.702 * x))'),
    ('epsilon outside the root', 'reference.py', '/ np.sqrt(variance + epsilon)', '/ (np.sqrt(variance) + epsilon)'),
    ('epsilon 1e-7 by default', 'reference.py', "config.get('layer_norm_eps', 1e-12)",
     "config.get('layer_norm_eps', 1e-7)"),
    ('a constant of the GELU wrong by 1e-6', 'reference.py', '0.044715', '0.044716'),
    ('lm sees padding on its left', 'reference.py', 'visible[application] and token_ids[b, j] != pad_token_id',
     "visible[application] and (application == 'lm' or token_ids[b, j] != pad_token_id)"),
    ('the two norms of a block exchanged', 'reference.py',
     "norm(x + out[name], 'attention/output/LayerNorm', block)", "norm(x + out[name], 'output/LayerNorm', block)"),
    ('one norm for both', 'reference.py', "norm(x + out[name], 'output/LayerNorm', block)",
     "norm(x + out[name], 'attention/output/LayerNorm', block)"),
]
