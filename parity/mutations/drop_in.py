# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in the drop-in for keras-bert."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_keras_bert.py -k "equal or options or alone or masks or interchange"'
REFERENCE = 'tests/test_keras_bert.py -k equal'
LAYERS = 'tests/test_keras_bert.py -k "alone or task_embedding or masks"'
TEXTS = 'tests/test_keras_bert.py -k "tokenizer or parts_of_encode"'
NAMES = 'tests/test_keras_bert.py -k "attributes or berts_names"'

MUTATIONS = [
    ("blocks' outputs joined from the first", 'bert.py', 'for index in output_layer_num][::-1]',
     'for index in output_layer_num]',
     REFERENCE),
    ('the GELU of years ago', 'bert.py', "use_task_embed=False, task_num=10, gelu='tanh',",
     "use_task_embed=False, task_num=10, gelu='erf',", REFERENCE),
    ('the second token extracted', 'bert.py', "Extract(0, name='Extract')", "Extract(1, name='Extract')", REFERENCE),
    ('the table of NSP without tanh', 'bert.py', "units=self.config['hidden_size'], activation='tanh')(z)",
     "units=self.config['hidden_size'], activation='linear')(z)", REFERENCE),
    ("the norm's epsilon not squared", 'embedding.py', 'keras.backend.epsilon() ** 2 if epsilon is None',
     'keras.backend.epsilon() * 1e4 if epsilon is None', REFERENCE),
    ('a task of 0 adds its embedding', 'task_embed.py',
     'added = added * kops.cast(kops.expand_dims(kops.not_equal(tasks, 0), -1), added.dtype)', 'pass', LAYERS),
    ('the loss sees padding', 'masked.py', 'wanted = kops.logical_and(wanted, mask[0])', 'pass', LAYERS),
    ('no Keras mask of the tokens', 'embedding.py',
     'return [kops.not_equal(inputs, 0) if self.mask_zero else None, None]',
     'return [None, None]', LAYERS),
    ('an option of a layer is dropped', 'base.py', 'return given and _MODULES[what].get(given)', 'return None',
     'tests/test_keras_bert.py -k heeds'),
    ('a changed model is BERT', 'bert.py', 'return graph.first_difference(self.model, plain(',
     'return None and graph.first_difference(self.model, plain(', 'tests/test_keras_bert.py -k changed_model'),
    ('the shorter of a pair loses a token', 'tokenizer.py', 'if len(first_tokens) > len(second_tokens) else',
     'if len(first_tokens) < len(second_tokens) else', TEXTS),
    ('an unknown token is left out', 'tokenizer.py',
     'return [self._token_dict.get(token, unknown) for token in tokens]',
     'return [self._token_dict[token] for token in tokens if token in self._token_dict]', TEXTS),
    ('a pair ends without [SEP]', 'tokenizer.py', 'else second_tokens + [self._token_sep]', 'else second_tokens', TEXTS),
    ('the table of segments has another name', 'embedding.py',
     "known_as('type_vocab_size'), known_as('embedding_size'), known_as('table')",
     "known_as('type_vocab_size'), known_as('embedding_size'), known_as('no_table')", NAMES),
]
