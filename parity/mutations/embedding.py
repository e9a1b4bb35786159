# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in texts to vectors, and in the batches that they share with others."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_embedding.py tests/test_batching.py'

MUTATIONS = [
    ('padding is averaged too', 'embedding.py',
     'return np.sum(np.where(is_token, hidden, 0), axis=1) / np.reshape(lengths, (-1, 1))',
     'return np.mean(hidden, axis=1)'),
    ('the mean without its last token', 'embedding.py', '< np.reshape(lengths, (-1, 1, 1))',
     '< np.reshape(lengths, (-1, 1, 1)) - 1'),
    ('padding can be the maximum', 'embedding.py', 'np.max(np.where(is_token, hidden, -np.inf), axis=1)',
     'np.max(hidden, axis=1)'),
    ('the last token for the first', 'embedding.py', 'return hidden[:, 0]', 'return hidden[:, -1]'),
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
    ('unit length not square-rooted', 'embedding.py',
     'lengths = np.sqrt(np.sum(np.square(embeddings), axis=-1, keepdims=True))',
     'lengths = np.sum(np.square(embeddings), axis=-1, keepdims=True)'),
]
