# -*- coding: utf-8 -*-
"""The lines of scripts that Keras 3 took away, and what replaces them: the README's table, as rules for texts."""
from __future__ import absolute_import, division, print_function, unicode_literals

import re

IMPORT = 'from bert4keras.layers import add_loss\n'
# The two cells of a row of the README; a regular expression, and what it is replaced by.
REPLACEMENTS = [
    ('`Adam(lr=1e-5)`, `optimizer.lr`', '`Adam(learning_rate=1e-5)`, `optimizer.learning_rate`',
     r'\blr(?==[^=])|(?<=optimizer\.)lr\b', 'learning_rate'),
    ('`model.fit_generator(...)`, `evaluate_generator`, `predict_generator`',
     '`model.fit(...)`, `evaluate`, `predict`', r'\b(fit|evaluate|predict)_generator\(', r'\1('),
    ('`yield [x1, x2], y`', '`yield (x1, x2), y`', r'yield \[((?:[^][]|\[[^]]*\])*)\], ', r'yield (\1), '),
    ('`model.predict([[ids], [segments]])`', '`model.predict([np.array([ids]), np.array([segments])])`',
     r'predict\(\[(\[\w+\]|\w+), (\[\w+\]|\w+)\]\)', r'predict([np.array(\1), np.array(\2)])'),
    ('`model.add_loss(tensor)`', '`model = add_loss(model, tensor)`, of `bert4keras.layers`',
     r'(\w+)\.add_loss\(', r'\1 = add_loss(\1, '),
    ('`layer.get_output_at(-1)`', '`layer.output`', r'\.get_output_at\(-1\)', '.output'),
    ("`'best_model.weights'` of `save_weights` and `load_weights`", "`'best_model.weights.h5'`",
     r"\.weights'", ".weights.h5'"),
    ("`'test.model'` of `save` and `load_model`", "`'test.keras'`", r"\.model'", ".keras'"),
]


def for_keras_3(text):
    """A script with the lines replaced that Keras 3 does not know."""
    for _, _, pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text)
    place = text.index('\nimport ') + 1  # after the docstring and what comes from __future__
    return text[:place] + IMPORT + text[place:]
