# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in how texts are written: the search, and the step with its cache."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_search.py'
CACHE = 'tests/test_decoding.py -k "step_by_step"'
MODEL = 'tests/test_decoding.py -k "as_the_model and bert-seq2seq"'
WRITER = 'tests/test_decoding.py -k "every_argument or what_cannot"'
IDS = 'tests/test_decoding.py -k "every_argument or as_the_model or many_lengths"'

MUTATIONS = [
    ('the length penalty is lost', 'search.py', 'float(total) / length ** length_penalty', 'float(total)'),
    ('the end is no token', 'search.py', 'len(ended) + 1, length_penalty', 'max(len(ended), 1), length_penalty'),
    ('an unlikely end counts', 'search.py', 'np.argwhere(is_end[:, :beams])', 'np.argwhere(is_end)'),
    ('beams that have ended go on', 'search.py', "np.argsort(is_end, axis=1, kind='mergesort')[:, :beams]",
     'np.tile(np.arange(beams), (texts, 1))'),
    ('a step too many', 'search.py', 'not all(len(endings) >= beams for endings in found)', 'True'),
    ('min_length is one more', 'search.py', 'token_ids.shape[1] < self.min_length',
     'token_ids.shape[1] <= self.min_length'),
    ('the last n-gram may come again', 'search.py', 'for place in range(len(tokens) - size + 1)',
     'for place in range(len(tokens) - size)'),
    ('top_p leaves out what reaches it', 'search.py', 'np.cumsum(probabilities) - probabilities < top_p',
     'np.cumsum(probabilities) < top_p'),
    ('top_p of all, not of top_k', 'search.py', '    probabilities /= probabilities.sum()\n',
     '    probabilities *= np.exp(log_probabilities[ids[0]])\n'),
    ('a higher temperature is colder', 'search.py', '/ temperature)', '* temperature)'),
    ('all texts draw the same', 'search.py', 'RandomState([seed, number, copy])', 'RandomState([seed, copy])'),
    ('rounding decides what is drawn', 'search.py', 'order = np.argsort(ids)', 'order = np.arange(len(ids))'),
    ('a token does not see itself', 'stepping.py', 'np.arange(self.token_ids.shape[1]) <= last',
     'np.arange(self.token_ids.shape[1]) < last', CACHE),
    ('positions off by one', 'stepping.py', "last.astype('int32'), np.asarray(parents", "(last - 1).astype('int32'), "
     'np.asarray(parents', CACHE),
    ("another beam's cache", 'stepping.py', 'kops.take(old, rows, axis=0)', 'old', CACHE),
    ('padding in the cache is seen', 'stepping.py', 'return visible & (self.token_ids != self.pad_token_id)',
     'return visible', CACHE),
    ('the target is in the segment of the source', 'stepping.py', "1 if self.bert.application == 'seq2seq' else last",
     'last', MODEL),
    ('logits are taken for probabilities', 'stepping.py', 'if self.is_linear:', 'if False:', MODEL),
    ('what is forbidden is lost', 'decoding.py', "self.unwritten.union(limits.get('forbidden', ()))", 'self.unwritten',
     WRITER),
    ('[SEP] is the end whatever is said', 'decoding.py',
     "dict({'end_token_id': self.tokenizer.token_sep_id}, **limits)",
     'dict(limits, end_token_id=self.tokenizer.token_sep_id)', WRITER),
    ('the temperature is lost', 'decoding.py', 'rows, samples, temperature, top_k, top_p, seed, **limits',
     'rows, samples, 1.0, top_k, top_p, seed, **limits', WRITER),
    ('the seed is lost', 'decoding.py', 'rows, samples, temperature, top_k, top_p, seed, **limits',
     'rows, samples, temperature, top_k, top_p, None, **limits', WRITER),
    ('the length penalty of a text is lost', 'decoding.py', 'rows, beams, length_penalty, **limits',
     'rows, beams, **limits', WRITER),
    ('more than were asked for', 'decoding.py', 'ones[:count]', 'ones', WRITER),
    ('top_k is lost on the way', 'decoding.py', 'step, numbers, limits, samples, temperature, top_k, top_p, seed)',
     'step, numbers, limits, samples, temperature, None, top_p, seed)', IDS),
    ('draws depend on the batch', 'decoding.py', 'step, numbers, limits, samples,',
     'step, range(len(numbers)), limits, samples,', IDS),
    ('padding is written', 'decoding.py', "{self.steps.pad_token_id}.union(limits.get('forbidden', ()))",
     "limits.get('forbidden', ())", IDS),
    ('a text and its end of as many tokens as positions', 'decoding.py',
     'len(token_ids) + limits.max_length > self.steps.positions',
     'len(token_ids) + limits.max_length >= self.steps.positions', IDS),
    ('keep_words is lost', 'stepping.py', "if bert.keep_words is None else len(bert.keep_words)", '', IDS),
]
