# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in texts to vectors, and in the batches that they share with others."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_embedding.py tests/test_batching.py'
VECTORS = 'tests/test_sentence_models.py'

MUTATIONS = [
    ('padding is pooled, too', 'pooling.py', '& (positions < lengths)', '& (positions < 10 ** 6)'),
    ('pooled without its last token', 'pooling.py', '& (positions < lengths)', '& (positions < lengths - 1)'),
    ('padding can be the maximum', 'pooling.py', 'np.max(np.where(is_token, hidden, -np.inf), axis=1)',
     'np.max(hidden, axis=1)'),
    ('the last token for the first', 'pooling.py', 'hidden[:, skipped]', 'hidden[:, -1]'),
    ('weights of a mean from 0', 'pooling.py', 'positions + 1, 0', 'positions, 0', VECTORS),
    ('the number of tokens for its root', 'pooling.py', 'np.sqrt(counts)', 'counts', VECTORS),
    ('the prompt is pooled, too', 'encoder.py', "if prompt and not self._says.include_prompt:", 'if False:', VECTORS),
    ('the prompt is never pooled', 'encoder.py', "if prompt and not self._says.include_prompt:", 'if prompt:', VECTORS),
    ("the prompt's last token is pooled, too", 'encoder.py', '[0]) - 1  # [SEP]', '[0]) - 2  # [SEP]', VECTORS),
    ('no default prompt', 'encoder.py', 'name = self.default_prompt if name is None else name', 'pass', VECTORS),
    ('cut, and not of length 1 again', 'encoder.py', 'if normalized or again', 'if normalized', VECTORS),
    ('truncate_dim ignored', 'encoder.py', 'min(says.dimensions or self._width, self._width)', 'self._width', VECTORS),
    ('nothing after the pooling', 'encoder.py', 'vectors = module(vectors)', 'pass', VECTORS),
    ('max_seq_length ignored', 'encoder.py', 'self._says.max_length or self.tokenizer', 'self.tokenizer', VECTORS),
    ('do_lower_case ignored', 'encoder.py', 'if lowercase and tokenizer._case_sensitive:', 'if False:', VECTORS),
    ('a Dense without its activation', 'directory.py', 'self.activation(np.dot(x, self.kernel) + self.bias)',
     'np.dot(x, self.kernel) + self.bias', VECTORS),
    ('a Dense without what it is added to', 'directory.py', '        if self.residual:\n            y =',
     '        if False:\n            y =', VECTORS),
    ('an older name for another pooling', 'directory.py', "('pooling_mode_lasttoken', 'lasttoken')",
     "('pooling_mode_lasttoken', 'cls')", VECTORS),
    ('another module is skipped', 'directory.py', "or not set(names[2:]) <= {'Dense', 'Normalize'}", '', VECTORS),
    ("a module of one's own is taken", 'directory.py', "if parts[0] != 'sentence_transformers':", 'if False:', VECTORS),
    ('a model of its own code is taken for a BERT', 'directory.py', "and 'AutoModel' in classes", "and 'x' in classes",
     VECTORS),
    ('vectors in the order of their lengths', 'batching.py', 'results[index] = result',
     'results[order.index(index)] = result'),
    ('segments dropped', 'batching.py', 'segment_ids[row, :len(tokens)] = tokens, segments',
     'segment_ids[row, :len(tokens)] = tokens, 0'),
    ('padded with 0 whatever the padding is', 'batching.py', "np.full((size, width), pad_token_id, dtype='int32')",
     "np.full((size, width), 0, dtype='int32')"),
    ('the longest text loses its end', 'batching.py', 'step = 16 if length <= 64 else 32',
     'step, length = 16 if length <= 64 else 32, length - 1'),
    ('a text of as many tokens as positions is refused', 'batching.py', 'len(token_ids) > positions:',
     'len(token_ids) >= positions:'),
    ('unit length not square-rooted', 'pooling.py',
     'lengths = np.sqrt(np.sum(np.square(embeddings), axis=-1, keepdims=True))',
     'lengths = np.sum(np.square(embeddings), axis=-1, keepdims=True)'),
]
