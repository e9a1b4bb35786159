# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in what only training uses: losses, labels, rules and schedules."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_losses.py -k "by_hand or texts_and_weights or no_target or labels_of"'
RULES = 'tests/test_optimizers.py -k "first_step or zeros or twelve_updates or layer_decay"'
OPTIONS = 'tests/test_optimizers.py -k "zeros or accumulation or window or averages or schedules or twelve"'

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
    ('losses in half precision', 'losses.py', 'at_least_float32(prediction)', 'prediction',
     'tests/test_losses.py -k half_precision'),
    ('spread over logits', 'losses.py', 'kops.mean(kops.log_softmax(logits), axis=-1)', 'kops.mean(logits, axis=-1)'),
    ('targets_per_row is 1', 'losses.py', 'kops.sum(loss, axis=-1) / self.targets_per_row',
     'kops.sum(loss, axis=-1)'),
    ('from_logits of a config', 'losses.py', "{'from_logits': self.from_logits", "{'from_logits': False",
     'tests/test_losses.py -k loaded'),
    ('label_smoothing of a config', 'losses.py', "'label_smoothing': self.label_smoothing", "'label_smoothing': 0.0",
     'tests/test_losses.py -k loaded'),
    ('targets_per_row of a config', 'losses.py', "'targets_per_row': self.targets_per_row}",
     "'targets_per_row': None}", 'tests/test_losses.py -k loaded'),
    ('short gradients made longer', 'rules.py', 'clipnorm / kops.maximum(norm(g), clipnorm)', 'clipnorm / norm(g)',
     RULES),
    ('all short gradients made longer', 'rules.py', 'global_clipnorm / kops.maximum(total, global_clipnorm)',
     'global_clipnorm / total', RULES),
    ('averages that begin at 0', 'rules.py', "momentum * kops.cast(t > 1, backend.dtype_name(w))", 'momentum * 1.0',
     OPTIONS),
    ('LAMB never moves what is 0', 'rules.py', 'kops.logical_and(length > 0, size > 0)', 'size > 0', RULES),
    ('a window keeps its sum', 'seam.py', '(sums[at], kops.zeros_like(mean))', '(sums[at], mean)', OPTIONS),
    ('the sum of a window', 'seam.py', '(total + gradient) / accumulate', '(total + gradient)', OPTIONS),
    ('lines that begin at their first point', 'schedules.py', 'else [[0.0, 0.0]] + self.points', 'else self.points',
     OPTIONS),
    ('averages stay in the model', '__init__.py',
     '    finally:\n        backend.set_values(list(zip(state.variables, weights)))', '    finally:\n        pass',
     OPTIONS),
]
