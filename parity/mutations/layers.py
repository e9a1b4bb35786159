# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in the layers that the reference could share, or that only odd inputs show."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_layers.py -k "known or drops_what or on_the_left or exactly or counted"'

MUTATIONS = [
    ('a changed mix is not asked', 'layers.py', "'attention_probabilities', 'mix', 'plain')",
     "'attention_probabilities')", 'tests/test_layers.py -k kernel'),
    ('silu of another slope', 'layers.py', 'x * kops.sigmoid(x)', 'x * kops.sigmoid(1.702 * x)'),
    ('epsilon outside the root', 'operations.py', 'centered * kops.rsqrt(variance + epsilon)',
     'centered / (kops.sqrt(variance) + epsilon)'),
    ('epsilon 1e-7 by default', 'layers.py', 'epsilon=1e-12', 'epsilon=1e-7'),
    ('a constant of the GELU wrong by 1e-6', 'operations.py', '0.044715', '0.044716'),
    ('what is left is dropped', 'layers.py', 'keras.layers.Dropout(dropout_rate)',
     'keras.layers.Dropout(1 - dropout_rate)'),
    ('lm sees padding on its left', 'layers.py', 'return kops.logical_and(is_token, not_later)',
     "return kops.logical_and(kops.equal(is_token, is_token) if self.application == 'lm' else is_token, not_later)"),
    ('as many tokens as positions are refused', 'layers.py', 'length > self.longest:',
     'length >= self.longest:'),
    ('RoBERTa counts padding', 'layers.py', "axis=1), 'int32') * is_token + self.pad_token_id",
     "axis=1), 'int32') + self.pad_token_id"),
    ("RoBERTa's positions start at the id of padding", 'layers.py', "* is_token + self.pad_token_id",
     "* is_token + self.pad_token_id - 1"),
]
