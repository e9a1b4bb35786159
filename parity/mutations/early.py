# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in what scripts of bert4keras 0.1 to 0.11 use."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_early.py'
OPTIMIZERS = 'tests/test_early_optimizers.py'
LAYERS = 'tests/test_task_layers.py'
MODELS = 'tests/test_early_models.py'

MUTATIONS = [
    # texts
    ('a part may be one too long', 'text.py', 'len(joined) + len(piece) + 1 > maxlen',
     'len(joined) + len(piece) > maxlen'),
    ('the last of the longest loses a token', 'text.py', 'longest = max(range(len(sequences))',
     'longest = max(reversed(range(len(sequences)))'),
    ('starts are not heeded', 'text.py', 'scores[0, self.non_starts] = -np.inf', 'scores[0, []] = -np.inf'),
    ('ends are not heeded', 'text.py', 'scores[-1, self.non_ends] = -np.inf', 'scores[-1, []] = -np.inf'),
    ('transitions the other way round', 'text.py', 'np.asarray(self.trans)', 'np.asarray(self.trans).T'),
    ('the other of two equal subsequences', 'text.py', 'elif lengths[i, j - 1] > lengths[i - 1, j]:',
     'elif lengths[i, j - 1] >= lengths[i - 1, j]:'),
    # tokenizers
    ('the end token is cut off', 'tokenizers.py', 'truncate_sequences(maxlen, -1 - ends, tokens)',
     'truncate_sequences(maxlen, -1, tokens)'),
    ('cased where lower case is asked for', 'tokenizers.py', 'case_sensitive=not do_lower_case',
     'case_sensitive=bool(do_lower_case)'),
    ('a second [CLS] unasked', 'tokenizers.py', "pattern == 'S*E*E')", "pattern != 'S*E*E')"),
    ('cut on the left takes [CLS]', 'tokenizers.py', "'left': len(start)", "'left': 0"),
    # optimizers
    ('decay without the rate', 'early.py', "step + rate * options['weight_decay_rate'] * variable",
     "step + options['weight_decay_rate'] * variable", OPTIMIZERS),
    ('lookahead begins at 0', 'early.py', 'start = is_first * variable +', 'start = is_first * 0.0 * variable +',
     OPTIMIZERS),
    ('lookahead a step late', 'early.py', "kops.equal(t % float(options['steps_per_slow_update']), 0.0)",
     "kops.equal(t % float(options['steps_per_slow_update']), 1.0)", OPTIMIZERS),
    ('lazy in every row', 'early.py', 'axis=-1, keepdims=True) > 0', 'axis=-1, keepdims=True) >= 0', OPTIMIZERS),
    ('epsilon of Keras as ours', 'early.py', 'arguments.update(epsilon_as_in_keras=True,',
     'arguments.update(epsilon_as_in_keras=False,', OPTIMIZERS),
    ('averages begin with the first weights', 'early.py', 'average_rule = staticmethod(unbiased_moving_average)', 'pass',
     OPTIMIZERS),
    ('no way back from the averages', 'early.py',
     'backend.set_values(list(zip(self.state.variables, self.state.before)))', 'pass', OPTIMIZERS),
    ('momentum of Nesterov is plain', 'early.py', "if self.state.options['nesterov'] else -velocity",
     'if False else -velocity', OPTIMIZERS),
    # layers for the top
    ('a transition into the first token', 'task_layers.py', "kops.cast(number > 0.5, 'float32')", '1.0', LAYERS),
    ('padding counts in the accuracy', 'task_layers.py',
     'kops.sum(kops.sum(is_best * truth, axis=2) * mask) / kops.maximum(kops.sum(mask), 1.0)',
     'kops.mean(kops.sum(is_best * truth, axis=2))', LAYERS),
    ('transitions learn no faster', 'task_layers.py', 'self._trans * self.lr_multiplier if', 'self._trans if', LAYERS),
    ('gamma is not conditioned', 'task_layers.py', 'gamma = gamma + kops.reshape(', 'gamma = gamma + 0.0 * kops.reshape(',
     LAYERS),
    ('the activation of the condition is left out', 'task_layers.py',
     'keras.activations.get(self.hidden_activation)(', '(', LAYERS),
    ('the loss is not added', 'task_layers.py', 'self.compute_loss(inputs, mask), inputs)',
     '0.0 * self.compute_loss(inputs, mask), inputs)', LAYERS),
    # models
    ('blocks are numbered from 1', 'model.py', "'%d-' % (int(found.group(1)) - 1)",
     "'%d-' % int(found.group(1))", MODELS),
    ('the mask stops at a norm', 'layers.py', 'class EarlyLayerNorm(Masked, BertLayerNorm)',
     'class EarlyLayerNorm(BertLayerNorm)', MODELS),
    ('UniLM is an encoder', 'models.py', "'unilm': 'seq2seq'", "'unilm': 'encoder'", MODELS),
    ('dropout of attention is that of hidden states', 'models.py',
     "'attention_dropout_rate': 'attention_probs_dropout_prob'", "'attention_dropout_rate': 'hidden_dropout_prob'",
     MODELS),
    ('a schedule begins at its first value', 'backend.py', 'points = [(0, 0.0)] + points', 'points = points',
     MODELS),
    ('the mask is turned round', 'backend.py', 'x * mask + value * (1.0 - mask)',
     'x * (1.0 - mask) + value * mask', MODELS),
    ('Sequence-Mask does not know the padding', 'layers.py', 'kops.not_equal(inputs, self.pad_token_id), backend',
     'kops.not_equal(inputs, 0), backend', MODELS),
]
