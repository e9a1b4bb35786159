# -*- coding: utf-8 -*-
"""Mistakes that somebody could make with the head of a fine-tuned model."""
from __future__ import absolute_import, division, print_function

LOGITS = 'parity/test_parity_heads.py -k equal_the_reference'
KEPT = 'tests/test_heads.py -k "keeps_its_head or is_kept"'
NEW = 'tests/test_heads.py -k "new or half"'
CHECK = 'tests/test_release_heads.py'

MUTATIONS = [
    ('texts classified by every token', 'bert.py', "self.task(pooled if self.head == 'classification' else x)",
     'self.task(x)', LOGITS),
    ('start and end swapped', 'layers.py', 'return kops.transpose(super(BertSpan, self).call(inputs), (0, 2, 1))',
     'y = super(BertSpan, self).call(inputs)\n        return kops.stack([y[:, :, 1], y[:, :, 0]], 1)', LOGITS),
    ('a classifier with an activation', 'heads.py', "problem_type=self.config.get('problem_type'), dtype=full)(x)",
     "problem_type=self.config.get('problem_type'), activation='tanh', dtype=full)(x)", LOGITS),
    ("the classifier's kernel not turned", 'heads.py', "_CLASSIFIER = ['output_weights.T', ",
     "_CLASSIFIER = ['output_weights', ", LOGITS),
    ("the span's kernel not turned", 'heads.py', "['cls/squad/output_weights.T', ", "['cls/squad/output_weights', ",
     LOGITS),
    ("the classifier's rate of dropout lost", 'heads.py',
     "self.dropout(x, 'Classifier-Dropout', classifier_dropout(self.config))",
     "self.dropout(x, 'Classifier-Dropout')", 'tests/test_heads.py -k dropout_before'),
    ("a saved model without its classifier's dropout", 'graph.py',
     "config[dropout_field(config)] = getattr(layers.get('Classifier-Dropout'), 'rate', 0.0)",
     "config[dropout_field(config)] = None", KEPT),
    ('a saved model without the names of its labels', 'graph.py',
     "names = classifier.labels or ['LABEL_%d' % index", "names = ['LABEL_%d' % index", KEPT),
    ('a saved model without its problem type', 'graph.py', 'problem_type=classifier.problem_type)',
     'problem_type=None)', KEPT),
    ('tokens saved as texts', 'graph.py', "return 'classification' if source == 'Pooler-Dense' else 'tokens'",
     "return 'classification'", KEPT),
    ('a new head of zeros', 'weights.py', 'frozenset(self.variable_names()) - self.missing_layers(variables)',
     'frozenset(self.variable_names())', NEW),
    ('half a head taken for none', 'weights.py', 'not any(name in variables for name in names))',
     'not all(name in variables for name in names))', NEW),
    ("ALBERT's rate of dropout that of its hidden states", 'heads.py',
     "config.get(field, 0.1 if field == 'classifier_dropout_prob' else None)", 'config.get(field)'),
    ('labels in the order of the alphabet', 'heads.py', 'labels = [by_id[TEXT(index)] for index in range(len(by_id))]',
     'labels = sorted(by_id.values())'),
    ('names for another number of labels kept', 'heads.py', 'num_labels in (None, len(known))', 'known'),
    ('the problem type of other labels kept', 'heads.py',
     "config.get('problem_type') if len(names) == number_of_labels(config) else None", "config.get('problem_type')"),
    ('the pooler heeded before the architecture', 'heads.py', "if head not in ('classification', 'tokens'):",
     'if head != 1:'),
    ('a release converted without its labels', 'convert.py',
     'describe_head(read_fields(release.config_path), variables)', 'read_fields(release.config_path)'),
]
