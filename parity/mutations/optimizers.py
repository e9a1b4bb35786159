# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in the optimizers."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_keras_bert.py -k "adam_warmup or train_steps"'

MUTATIONS = [
    ('steps counted from 0', '__init__.py', 'step = kops.cast(iterations, dtype) + 1.0',
     'step = kops.cast(iterations, dtype)'),
    ('moments not corrected', '__init__.py',
     'learning_rate * kops.sqrt(1.0 - kops.power(beta_2, step)) / (1.0 - kops.power(beta_1, step))',
     'learning_rate * 1.0'),
    ('every weight decays', '__init__.py', '(patterns is None or any(one in name for one in patterns))', 'True'),
    ('amsgrad forgets its maximum', '__init__.py', 'kops.maximum(vhat, v)', 'v'),
    ('warm-up one step longer', '__init__.py', 'kops.cast(step <= warmup, backend.dtype_name(step))',
     'kops.cast(step <= warmup + 1, backend.dtype_name(step))'),
    ('a batch that is not full is not counted', '__init__.py', 'steps = -(-num_example // batch_size) * epochs',
     'steps = num_example // batch_size * epochs'),
]
