# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in the families: names, orientation, which release is which."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_families.py'

MUTATIONS = [
    ("ALBERT's two norms exchanged", 'families.py', "('LayerNorm/gamma', 'attention.LayerNorm.weight'),\n",
     "('LayerNorm_1/gamma', 'attention.LayerNorm.weight'),\n",
     'tests/test_families.py -k "norm_of_albert or table_has"'),
    ("the query's variable for the key's in Hugging Face's layout", 'families.py',
     "('attention/self/key/bias', 'attention.self.key.bias'),",
     "('attention/self/key/bias', 'attention.self.query.bias'),",
     'tests/test_families.py -k "table_has or either_layout"'),
    ('a kernel of Hugging Face not transposed', 'families.py',
     "('attention/self/value/kernel', 'attention.self.value.weight.T'),",
     "('attention/self/value/kernel', 'attention.self.value.weight'),", 'tests/test_families.py -k either_layout'),
    ('the transposed shape for the shape', 'variables.py',
     'return shape[::-1] if is_transposed(own) != is_transposed(name) else shape', 'return shape',
     'tests/test_families.py -k either_layout'),
    ('what is left unread is expected', 'variables.py',
     '[own for (_, own), known in zip(left, expected) if not known])',
     '[])', 'tests/test_families.py tests/test_commands.py tests/test_bert.py -k unread'),
    ('variables without a place are dropped', 'variables.py',
     "for own in getattr(variables, 'unnamed', ()):", 'for own in ():', 'tests/test_commands.py -k unused'),
    ('a checkpoint of another family passes', 'variables.py', 'if family is not family_of(config):', 'if False:',
     'tests/test_families.py -k another_family'),
    ('two models in one checkpoint pass', 'variables.py', 'if len(found) > 1:', 'if False:',
     'tests/test_families.py -k two_models'),
    ('a norm with epsilon and no default', 'config.py', "'layer_norm_eps': 1e-12", "'layer_norm_eps': 1e-5",
     'parity/test_parity_reference.py -k encoder-erf'),
]
