# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in the batches of a training, and in what tokenizes them in processes."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_generators.py -k "not fit_takes and not micro_batches"'
PARALLEL = 'tests/test_parallel.py'

MUTATIONS = [
    ("the model's padding is lost", 'generators.py', "getattr(layers.get('Attention-Mask'), 'pad_token_id', 0)", '0'),
    ('the seed is lost', 'generators.py', 'RandomState([self.seed, epoch])', 'RandomState([epoch])'),
    ('one order for all epochs', 'generators.py', 'RandomState([self.seed, epoch])', 'RandomState([self.seed])'),
    ('the last batch is of the widest', 'generators.py', 'np.argsort(-widths', 'np.argsort(widths'),
    ('drop_last is lost', 'generators.py',
     'len(self.rows) // batch_size if drop_last else -(-len(self.rows) // batch_size)',
     '-(-len(self.rows) // batch_size)'),
    ('max_length is lost in processes', 'generators.py', 'encode_texts, tokenizer, max_length=max_length)',
     'encode_texts, tokenizer)'),
    ('updates begin again in each epoch', 'generators.py', '(self.epoch * len(self) + index) // self.accumulate',
     'self.epoch * len(self) + index // self.accumulate'),
    ('the smaller batch weighs as much', 'generators.py', 'len(inputs[0]) * share', 'self.batch_size * share'),
    ('padding is of the first class', 'generators.py', "np.full((len(labels), width, 1), NO_LABEL, 'int32')",
     "np.full((len(labels), width, 1), 0, 'int32')"),
    ('as many classes as there are is one of them', 'generators.py', '(length if count is None else count)',
     '(length if count is None else count + 1)'),
    ('a position after the text', 'generators.py', '(length if count is None else count)',
     '(np.inf if count is None else count)'),
    ('labels of no target count', 'generators.py', '>= 0).sum(axis=1)', '>= NO_LABEL).sum(axis=1)'),
    ('padding is counted by rows', 'generators.py', 'len(indices) * self._width(indices) for indices',
     'self.batch_size * self._width(indices) for indices'),
    ("Python's random numbers are the same in all", 'parallel.py', '        random.seed(seed)', '        pass',
     PARALLEL),
    ("NumPy's random numbers are the same in all", 'parallel.py', '        np.random.seed(seed)', '        pass',
     PARALLEL),
    ("a worker collects its parent's garbage", 'parallel.py', '        gc.freeze()', '        pass', PARALLEL),
    ('one item too many is taken', 'parallel.py', 'waiting >= workers + max_queue_size',
     'waiting > workers + max_queue_size', PARALLEL),
    ('a callback, and an empty list', 'parallel.py', 'return results if callback is None else None',
     'return results', PARALLEL),
    ('fewer seeds than workers', 'parallel.py', 'if len(seeds) != workers:', 'if False:', PARALLEL),
    ('what was early waits', 'parallel.py', 'while wanted in early:', 'if wanted in early:', PARALLEL),
    ('the number of another item', 'parallel.py', '% (index, text))', '% (index + 1, text))', PARALLEL),
]
