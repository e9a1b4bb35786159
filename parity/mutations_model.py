# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in the model: (name, file, old text, new text), each on its own.

`python -m parity.mutate model` makes each in a copy of the package and sees whether TESTS notice.
"""
from __future__ import absolute_import, division, print_function

TESTS = ['parity/test_parity_reference.py', '-m', 'not slow']

MUTATIONS = [
    ('GELU by tanh for erf', 'layers.py',
     "'gelu_erf': lambda x: backend.gelu(x, approximate=False)",
     "'gelu_erf': lambda x: backend.gelu(x, approximate=True)"),
    ("LayerNorm's epsilon 1e-3", 'bert.py',
     "arguments.setdefault('epsilon', self.config['layer_norm_eps'])", "arguments.setdefault('epsilon', 1e-3)"),
    ("LayerNorm's epsilon 1e-5", 'bert.py',
     "arguments.setdefault('epsilon', self.config['layer_norm_eps'])", "arguments.setdefault('epsilon', 1e-5)"),
    ('LayerNorm of the unbiased variance', 'layers.py',
     'variance = kops.mean(kops.square(centered), axis=-1, keepdims=True)',
     'variance = kops.mean(kops.square(centered), axis=-1, keepdims=True) * (32.0 / 31.0)'),
    ("LayerNorm's mean not taken off", 'layers.py',
     'return centered * kops.rsqrt(variance', 'return inputs * kops.rsqrt(variance'),
    ("LayerNorm's beta dropped", 'layers.py', '* self.gamma + self.beta', '* self.gamma'),
    ('mask off', 'layers.py', 'scores = kops.where(kops.expand_dims(mask, 1), scores, LOWEST)', 'pass'),
    ('mask inverted', 'layers.py', 'kops.not_equal(token_ids, self.pad_token_id)',
     'kops.equal(token_ids, self.pad_token_id)'),
    ('mask of -10 for the lowest number', 'layers.py', "LOWEST = float(np.finfo('float32').min)", 'LOWEST = -10.0'),
    ('mask along the queries', 'layers.py', 'kops.not_equal(token_ids, self.pad_token_id), 1)',
     'kops.not_equal(token_ids, self.pad_token_id), 2)'),
    ('a target does not see itself', 'layers.py', 'kops.expand_dims(order, 0) <= ', 'kops.expand_dims(order, 0) < '),
    ('attention not scaled', 'layers.py', 'query = query * (float(int(query.shape[-1])) ** -0.5)', 'pass'),
    ('attention scaled by all heads', 'layers.py', '(float(int(query.shape[-1])) ** -0.5)',
     '(float(int(self.query_kernel.shape[0])) ** -0.5)'),
    ('softmax over the queries', 'layers.py', 'kops.softmax(at_least_float32(scores), axis=-1)',
     'kops.softmax(at_least_float32(scores), axis=-2)'),
    ('values by the kernel of the keys', 'layers.py', 'self.project(x, self.value_kernel, self.value_bias)',
     'self.project(x, self.key_kernel, self.value_bias)'),
    ('heads transposed when split', 'layers.py',
     'x = kops.reshape(x, (-1, kops.shape(x)[1], self.num_attention_heads, size))\n'
     '        return kops.transpose(x, (0, 2, 1, 3))',
     'x = kops.reshape(x, (-1, kops.shape(x)[1], size, self.num_attention_heads))\n'
     '        return kops.transpose(x, (0, 3, 1, 2))'),
    ('heads transposed when joined', 'layers.py', 'kops.transpose(context, (0, 2, 1, 3))',
     'kops.transpose(context, (0, 2, 3, 1))'),
    ('dropout while predicting', 'layers.py', 'self.dropout(probabilities, training=training)',
     'self.dropout(probabilities, training=True)'),
    ('norm before the residual', 'bert.py',
     "return self.layer(BertLayerNorm, name + '-Norm')(self.add(x, y, name + '-Add'))",
     "return self.add(x, self.layer(BertLayerNorm, name + '-Norm')(y), name + '-Add')"),
    ('no residual', 'bert.py', "(self.add(x, y, name + '-Add'))", "(self.add(y, y, name + '-Add'))"),
    ('segment embedding dropped', 'layers.py', "backend.gather(table, kops.cast(segment_ids, 'int32'))",
     "backend.gather(table, 0 * kops.cast(segment_ids, 'int32'))"),
    ('positions off by one', 'layers.py', 'self.table[:length]', 'self.table[1:length + 1]'),
    ('pooler from the last token', 'layers.py', 'return inputs[:, 0]', 'return inputs[:, -1]'),
    ('pooler without tanh', 'bert.py', "activation='tanh'", "activation='linear'"),
    ('MLM head without its bias', 'layers.py', 'kops.transpose(table), self.bias)',
     'kops.transpose(table), 0.0 * self.bias)'),
    ('kernels of one shape transposed on load', 'bert.py', 'self._keep(variables[name], name)) for weight',
     "self._keep(variables[name].T if '/query/' in name else variables[name], name)) for weight"),
    ("the key's kernel for the query's on load", 'bert.py', 'self._keep(variables[name], name)) for weight',
     "self._keep(variables[name.replace('/query/k', '/key/k')], name)) for weight"),
]
