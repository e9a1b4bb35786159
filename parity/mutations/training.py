# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in what only training uses: losses, labels, rules and schedules."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_losses.py -k "by_hand or texts_and_weights or no_target or labels_of"'
RULES = 'tests/test_optimizers.py -k "first_step or twelve_updates or layer_decay"'

MUTATIONS = [
    ('the first class is never a target', 'losses.py', 'is_target = labels >= 0', 'is_target = labels > 0'),
    ('the mean over all positions', 'losses.py', 'kops.sum(kops.cast(is_target, loss.dtype))',
     'kops.sum(kops.ones_like(loss))'),
    ('what is smoothed is kept', 'losses.py', '(1 - self.label_smoothing) * loss', 'loss'),
    ('no least probability', 'losses.py', 'kops.log(kops.maximum(logits, _LEAST_PROBABILITY))', 'kops.log(logits)'),
    ('the token itself is predicted', 'losses.py', 'labels[:, :-1] = np.where(is_target, token_ids, NO_LABEL)[:, 1:]',
     'labels[:, :-1] = np.where(is_target, token_ids, NO_LABEL)[:, :-1]'),
    ('padding is predicted', 'losses.py', 'np.asarray(token_ids) != pad_token_id', 'np.asarray(token_ids) >= 0'),
    ('the source is predicted', 'losses.py', 'np.asarray(segment_ids) == 1', 'np.asarray(segment_ids) >= 0'),
    ('the decay is added', 'rules.py', 'return step + weight_decay * w if weight_decay else step',
     'return step - weight_decay * w if weight_decay else step', RULES),
    ('no layer decay of embeddings', 'rules.py', "else 0 if 'Embedding-' in path else None", 'else None', RULES),
    ('epsilon inside the root', 'rules.py', 'm / (kops.sqrt(v) + epsilon)', 'm / kops.sqrt(v + epsilon)', RULES),
    ('LAMB scales nothing', 'rules.py', '* ratio * step', '* step', RULES),
    ('the rate falls below 0', 'schedules.py', 'kops.maximum(self.falling(step), 0.0)', 'self.falling(step)',
     'tests/test_optimizers.py -k schedules'),
]
