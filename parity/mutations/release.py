# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in releases: configs, names, checksums, what belongs together."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_families.py -k names_and_defaults'
MISFITS = 'tests/test_commands.py -k does_not_fit'

MUTATIONS = [
    ("Hugging Face's first norm for the second", 'families.py', "'attention.output.LayerNorm.weight'",
     "'output.LayerNorm.weight'"),
    ("Hugging Face's second bias for the first", 'families.py', "('output/LayerNorm/beta', 'output.LayerNorm.bias')",
     "('output/LayerNorm/beta', 'attention.output.LayerNorm.bias')"),
    ('the two norms of a block exchanged in both', 'families.py', 'block[:8], block[8:10]', 'block[:8], block[14:]'),
    ("Hugging Face's two affine maps exchanged", 'families.py', "('output/dense/bias', 'output.dense.bias')",
     "('output/dense/bias', 'attention.output.dense.bias')"),
    ('epsilon 1e-7 by default', 'config.py', "'layer_norm_eps': 1e-12", "'layer_norm_eps': 1e-7"),
    ('padding 1 by default', 'config.py', '1 if family.counts_tokens else 0', '1'),
    ('wide initial weights by default', 'config.py', "'initializer_range': 0.02", "'initializer_range': 0.2"),
    ('no dropout of attention by default', 'config.py', "'attention_probs_dropout_prob': 0.1",
     "'attention_probs_dropout_prob': 0.0"),
    ('checksums of the first million bytes', 'tensor_bundle.py', 'crc32c.crc32c(data)',
     'crc32c.crc32c(bytes(data)[:1 << 20])', 'tests/test_checkpoint.py -k anywhere_in_a_large'),
    ('a shape that does not fit is built', 'variables.py', 'elif variables.shape(name) != shape:', 'elif False:',
     MISFITS),
    ('fewer blocks than were published', 'config.py', 'MAX_BLOCKS = 4096', 'MAX_BLOCKS = 2048', MISFITS),
    ('half of a head passes', 'variables.py', 'if layer not in HEAD_LAYERS or HEAD_LAYERS[layer] in begun:',
     'if layer not in HEAD_LAYERS:', 'tests/test_commands.py -k not_whole'),
    ('keep_words on another vocabulary', 'weights.py', "expected = (self.config['vocab_size'],) + expected[1:]",
     'expected = variables.shape(name)[:1] + expected[1:]', 'tests/test_bert.py -k another_vocabulary'),
    ('the config is the last of a release', 'weights.py', 'last=index)', 'last=os.path.basename(release.config_path))',
     'tests/test_bert.py -k last_that_a_release'),
    ('keep_words twice the same', 'weights.py', 'if counts.max() > 1:', 'if False:',
     'tests/test_bert.py -k out_of_the_vocabulary'),
]
