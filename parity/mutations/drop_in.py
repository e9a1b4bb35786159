# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in the drop-in for keras-bert."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_keras_bert.py -k "equal or options or alone or masks or interchange"'
REFERENCE = 'tests/test_keras_bert.py -k equal'
LAYERS = 'tests/test_keras_bert.py -k "alone or task_embedding or masks"'

MUTATIONS = [
    ("blocks' outputs joined from the first", 'bert.py', 'for index in output_layer_num][::-1]',
     'for index in output_layer_num]',
     REFERENCE),
    ('the GELU of years ago', 'bert.py', "use_task_embed=False, task_num=10, gelu='tanh',",
     "use_task_embed=False, task_num=10, gelu='erf',", REFERENCE),
    ('the second token extracted', 'bert.py', "Extract(0, name='Extract')", "Extract(1, name='Extract')", REFERENCE),
    ('the table of NSP without tanh', 'bert.py', "units=self.config['hidden_size'], activation='tanh')(z)",
     "units=self.config['hidden_size'], activation='linear')(z)", REFERENCE),
    ("the norm's epsilon not squared", '__init__.py', 'keras.backend.epsilon() ** 2 if epsilon is None',
     'keras.backend.epsilon() * 1e4 if epsilon is None', REFERENCE),
    ('a task of 0 adds its embedding', '__init__.py',
     'added = added * kops.cast(kops.expand_dims(kops.not_equal(tasks, 0), -1), added.dtype)', 'pass', LAYERS),
    ('the loss sees padding', '__init__.py', 'wanted = kops.logical_and(wanted, mask[0])', 'pass', LAYERS),
    ('no Keras mask of the tokens', '__init__.py',
     'return [kops.not_equal(inputs, 0) if self.mask_zero else None, None]',
     'return [None, None]', LAYERS),
    ('an option of a layer is dropped', '__init__.py', 'return given and _MODULES[what].get(given)', 'return None',
     'tests/test_keras_bert.py -k heeds'),
    ('a changed model is BERT', 'bert.py', 'return graph.first_difference(self.model, plain(',
     'return None and graph.first_difference(self.model, plain(', 'tests/test_keras_bert.py -k changed_model'),
]
