# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in the optimizers."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_keras_bert.py -k "adam_warmup or train_steps"'

MUTATIONS = [
    ('steps counted from 0', '__init__.py', "kops.cast(updates, 'float32') + 1.0", "kops.cast(updates, 'float32')"),
    ('moments not corrected', '__init__.py', 'rate = rate * rules.keras_correction(t, *betas)', 'rate = rate * 1.0'),
    ('every weight decays', '__init__.py', 'patterns is None or any(one in path for one in patterns)', 'True'),
    ('warm-up one step longer', '__init__.py', "kops.cast(step <= warmup, 'float32')",
     "kops.cast(step <= warmup + 1, 'float32')"),
    ('a batch that is not full is not counted', '__init__.py', 'steps = -(-num_example // batch_size) * epochs',
     'steps = num_example // batch_size * epochs'),
    ('amsgrad forgets its maximum', 'rules.py', "kops.maximum(slots['vhat'], new['v'])", "new['v']"),
    ('the rate falls to 0, not to min_lr', '__init__.py', 'least + (rate - least) * (', 'rate * ('),
]
