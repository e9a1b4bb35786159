# -*- coding: utf-8 -*-
"""Values that somebody could lose on their way from where they are given to where they count."""
from __future__ import absolute_import, division, print_function

GRAPH = 'tests/test_hooks.py -k loses_nothing'
DROP_IN = 'tests/test_keras_bert.py -k "heeds_capitals or compile_model or drop_in_has_no"'
CHECK = GRAPH

MUTATIONS = [
    ('a saved model without its epsilon', 'graph.py', "'layer_norm_eps': norm.epsilon", "'layer_norm_eps': 1e-12"),
    ('a saved model without its padding', 'graph.py', "'pad_token_id': mask.pad_token_id", "'pad_token_id': 0"),
    ('a saved model without its initializer', 'graph.py', "'initializer_range': token.initializer_range",
     "'initializer_range': 0.02"),
    ('a saved model without dropout of attention', 'graph.py',
     "'attention_probs_dropout_prob': attention.dropout_rate", "'attention_probs_dropout_prob': 0.1"),
    ('a saved model without dropout', 'graph.py', "getattr(layers.get('Embedding-Dropout'), 'rate', 0.0)", '0.1'),
    ('a saved model with the other GELU', 'graph.py', 'hidden_act = hidden_act_of(inner.activation)',
     "hidden_act = 'gelu'"),
    ('a saved model with fewer segments', 'graph.py', "'type_vocab_size': segment.type_vocab_size",
     "'type_vocab_size': 2"),
    ('a saved language model is an encoder', 'graph.py', "'application': mask.application", "'application': 'encoder'"),
    ('what is left of hidden states is dropped', 'bert.py', 'name, rate=rate)(x)', 'name, rate=1 - rate)(x)'),
    ('the checkpoint beside a directory', 'bert.py', 'checkpoint_path or bert.checkpoint_path',
     'bert.checkpoint_path or checkpoint_path', 'tests/test_bert.py -k named_beside'),
    ('capitals of extract_embeddings', 'util.py', 'Tokenizer(vocabs, cased=cased)', 'Tokenizer(vocabs)', DROP_IN),
    ('warm-up for decay', 'bert.py', 'AdamWarmup(decay_steps, warmup_steps,', 'AdamWarmup(warmup_steps, decay_steps,',
     DROP_IN),
    ('the pattern of compile_model', 'bert.py', ', weight_decay_pattern=kernels', '', DROP_IN),
    ('weight_decay and min_lr of a config', 'seam.py', 'return dict(state.options, learning_rate=given',
     "return dict({name: state.options[name] for name in state.options if name not in ('weight_decay', 'min_lr')}, "
     'learning_rate=given', DROP_IN),
    ('the layer in the path of a weight', 'seam.py',
     "[getattr(variable, 'path', variable.name) for variable in variables]",
     "[variable.name.split('/')[-1] for variable in variables]",
     'tests/test_optimizers.py -k "layer_decay or patterns"'),
    ('dropout inside the attention of the drop-in', 'bert.py', "\n              'attention_probs_dropout_prob': 0.0}",
     "\n              'attention_probs_dropout_prob': dropout_rate}", DROP_IN),
    ('dropout of the drop-in', 'bert.py', "pos_num, 'hidden_dropout_prob': dropout_rate",
     "pos_num, 'hidden_dropout_prob': 0.1", DROP_IN),
    ('keep_special of a copy', 'tokenizer.py', 'if name not in self._derived}',
     "if name not in self._derived + ('_keep_special',)}", 'tests/test_tokenizer.py -k goes_along'),
    ('strip_accents of a copy', 'tokenizer.py', 'if name not in self._derived}',
     "if name not in self._derived + ('_strip_accents',)}", 'tests/test_tokenizer.py -k goes_along'),
]
