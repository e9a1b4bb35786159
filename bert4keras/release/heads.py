# -*- coding: utf-8 -*-
"""The head of a fine-tuned model, as a release has it: its variables, and what the config says of its labels.

There are three, and a model has one of them at most: 'classification' of texts, 'tokens' (a class for each token)
and 'span' (where an answer starts and ends). The first two have the same variables, so which one a file holds is
said by the config's `architectures`; or by the pooler, which a classifier of tokens does not have.

Sources: google-research/bert, run_classifier.py and run_squad.py; transformers, modeling_bert.py, modeling_albert.py
and configuration_utils.py.
"""
from __future__ import absolute_import, division, print_function

import collections

import numpy as np

from bert4keras.compat import STRINGS, TEXT, Mapping, native
from bert4keras.errors import ConfigError
from bert4keras.release.families import family_of, layer_variables

__all__ = ['HEAD_VARIABLES', 'TASK_HEADS', 'choose_head', 'classifier_dropout', 'describe_head', 'dropout_field',
           'head_among', 'head_of', 'label_names', 'layer_variables_with', 'number_of_labels']

# layer: the name of its layer; variables: Google's names of that layer's weights; architecture: how transformers
# ends the name of its class.
TaskHead = collections.namedtuple('TaskHead', 'layer variables architecture')
_CLASSIFIER = ['output_weights.T', 'output_bias']
TASK_HEADS = collections.OrderedDict([
    ('classification', TaskHead('Classifier', _CLASSIFIER, 'ForSequenceClassification')),
    ('tokens', TaskHead('Classifier', _CLASSIFIER, 'ForTokenClassification')),
    ('span', TaskHead('Span', ['cls/squad/output_weights.T', 'cls/squad/output_bias'], 'ForQuestionAnswering')),
])
# Google's name: Hugging Face's, unless `Family.classifier` has another; the weights are [N, D] for both.
HEAD_VARIABLES = collections.OrderedDict([
    ('output_weights', 'classifier.weight'), ('output_bias', 'classifier.bias'),
    ('cls/squad/output_weights', 'qa_outputs.weight'), ('cls/squad/output_bias', 'qa_outputs.bias'),
])
PROBLEM_TYPES = ('regression', 'single_label_classification', 'multi_label_classification')
HEAD_FIELDS = ('architectures', 'id2label', 'label2id', 'num_labels', 'problem_type')


def layer_variables_with(config, head=None):
    """`layer_variables` of a model with all heads of pretraining, and with a head of TASK_HEADS."""
    names = layer_variables(config)
    if head is not None:
        names[TASK_HEADS[head].layer] = TASK_HEADS[head].variables
    return names


def choose_head(config, head=None, num_labels=None, labels=None):
    """The config of a model with a head.

    Args:
        config: dict, see `read_config`.
        head: 'classification', 'tokens' or 'span'; None for the first where there are labels, else for none.
        num_labels: int, N; None for as many as there are `labels`, or as the config has. None with 'span'.
        labels: their N names, strings in the order of the ids, or {id: name}; None for those that the config
            has, where it has N of them, else LABEL_0, LABEL_1 and so on.

    Returns:
        (head or None, the config with `architectures`, and `id2label`, `label2id` and `problem_type` of N labels,
        as transformers writes them).

    Raises:
        ValueError: an unknown head, numbers that contradict each other, or no number. ConfigError: the config's
            labels cannot be read.
    """
    if head is None and num_labels is None and labels is None:
        return None, dict(config) if head_of(config) is None else _without(config, ('architectures',))
    head = head or 'classification'
    if head not in list(TASK_HEADS):
        raise ValueError('head must be one of %s, or None; not %r' % (', '.join(TASK_HEADS), head))
    if head == 'span':
        if num_labels is not None or labels is not None:
            raise ValueError("head='span' has the labels start and end, whatever the text: leave num_labels and "
                             "labels out")
        return head, _with_architecture(_without(config, HEAD_FIELDS), head)
    names = _names(config, head, num_labels, None if labels is None else _checked_names(labels, 'labels', ValueError))
    problem = config.get('problem_type') if len(names) == number_of_labels(config) else None
    if problem not in PROBLEM_TYPES + (None,):
        raise ConfigError('the config has problem_type = %r; it must be one of %s'
                          % (problem, ', '.join(PROBLEM_TYPES)))
    if len(names) == 1 and problem != 'multi_label_classification':
        problem = 'regression'  # one number is no choice, and transformers takes it so
    config = _with_architecture(_without(config, HEAD_FIELDS), head)
    config['id2label'] = collections.OrderedDict((str(index), name) for index, name in enumerate(names))
    config['label2id'] = collections.OrderedDict((name, index) for index, name in enumerate(names))
    if problem is not None and head == 'classification':
        config['problem_type'] = problem
    return head, config


def _names(config, head, num_labels, labels):
    """The names of the labels, from what the caller says, else from the config."""
    if num_labels is not None:
        if isinstance(num_labels, bool) or not isinstance(num_labels, (int, np.integer)) or num_labels < 1:
            raise ValueError('num_labels must be a whole number above 0, not %r' % (num_labels,))
        if labels is not None and len(labels) != num_labels:
            raise ValueError('num_labels is %d, but there are %d labels' % (num_labels, len(labels)))
    if labels is not None:
        return labels
    known = label_names(config)
    if num_labels is None and known is None:
        if head_of(config) != head:
            raise ValueError('head=%r needs num_labels, or labels: the config has no id2label' % head)
        num_labels = 2  # which transformers does not write
    if known is not None and num_labels in (None, len(known)):
        return known
    return ['LABEL_%d' % index for index in range(num_labels)]


def label_names(config):
    """The names of the labels that a config has, a list, or None; ConfigError if they cannot be read."""
    names = config.get('id2label')
    if names is None and isinstance(config.get('label2id'), Mapping):
        names = {config['label2id'][name]: name for name in config['label2id']}
    if names is not None:
        return _checked_names(names, 'id2label of the config', ConfigError)
    count = number_of_labels(config)
    return None if count is None else ['LABEL_%d' % index for index in range(count)]


def _checked_names(labels, what, error):
    """`labels`, a sequence of strings or {id: name}, as a list of strings; an error unless each id has a name."""
    if isinstance(labels, Mapping):
        by_id = {TEXT(label): labels[label] for label in labels}
        if set(by_id) != {TEXT(index) for index in range(len(by_id))}:
            raise error('%s must name the ids 0 to N - 1, each once; it has %s'
                        % (what, native(u', '.join(sorted(by_id))) or 'none'))
        labels = [by_id[TEXT(index)] for index in range(len(by_id))]
    if not isinstance(labels, (list, tuple)) or not labels or not all(isinstance(name, STRINGS) for name in labels):
        raise error('%s must be a list of strings, or {id: string}; not %r' % (what, labels))
    labels = [name if isinstance(name, TEXT) else name.decode('utf-8') for name in labels]
    if len(set(labels)) != len(labels):
        raise error('%s has %s more than once; give each label a name of its own'
                    % (what, native(next(name for name in labels if labels.count(name) > 1))))
    return labels


def number_of_labels(config):
    """How many labels a config has names or a number for; None if it says nothing."""
    for field in ('id2label', 'label2id'):
        if isinstance(config.get(field), Mapping) and config[field]:
            return len(config[field])
    count = config.get('num_labels')
    return count if isinstance(count, int) and count > 0 else None


def head_of(config):
    """The head that a config's `architectures` name, or None."""
    names = config.get('architectures')
    name = names[0] if isinstance(names, (list, tuple)) and names and isinstance(names[0], STRINGS) else ''
    return next((head for head, facts in TASK_HEADS.items() if name.endswith(facts.architecture)), None)


def head_among(config, variables):
    """(the head that a checkpoint has, how many labels it has, None for 'span'), or (None, None).

    Args:
        config: dict, see `read_config`.
        variables: mapping from Google's name to array, such as Variables.
    """
    if 'cls/squad/output_weights' in variables and not ('output_weights' in variables and head_of(config) != 'span'):
        return 'span', None
    if 'output_weights' not in variables:
        return None, None
    shape = variables.shape('output_weights') if hasattr(variables, 'shape') else variables['output_weights'].shape
    head = head_of(config)
    if head not in ('classification', 'tokens'):
        head = 'classification' if 'bert/pooler/dense/kernel' in variables else 'tokens'
    return head, shape[0]


def describe_head(config, variables):
    """The config, or one that says which head a checkpoint has, in the words of transformers, if it has one.

    Args:
        config: dict, the fields of a config file.
        variables: Variables.

    Raises:
        ConfigError: the config has names for another number of labels than the checkpoint's.
    """
    head, num_labels = head_among(config, variables)
    if head is None:
        return config
    known = number_of_labels(config)
    if num_labels is not None and known not in (None, num_labels):
        raise ConfigError('the config has %d labels, but the head in %s has %d: correct id2label in the config'
                          % (known, variables.path, num_labels))
    return choose_head(config, head, num_labels)[1]


def _without(config, fields):
    """A copy of a config that lacks these fields."""
    return collections.OrderedDict((field, config[field]) for field in config if field not in fields)


def _with_architecture(config, head):
    """A config, which now says which class of transformers the model is, where there is one."""
    architecture = family_of(config).architecture
    if architecture is not None:
        config['architectures'] = [architecture + TASK_HEADS[head].architecture]
    return config


def dropout_field(config):
    """The name of the field of a config that has the rate of dropout before the classifier."""
    return 'classifier_dropout_prob' if family_of(config).name == 'albert' else 'classifier_dropout'


def classifier_dropout(config):
    """The rate of dropout before the classifier; ConfigError if the config's is none.

    That is the config's own field; where it is null, and in a BERT's where it is missing, the rate for hidden
    states. An ALBERT's config that lacks it means 0.1 (google-research/albert, classifier_utils.py, and
    transformers), though its rate for hidden states is mostly 0.
    """
    field = dropout_field(config)
    rate = config.get(field, 0.1 if field == 'classifier_dropout_prob' else None)
    rate = config['hidden_dropout_prob'] if rate is None else rate
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate < 1:
        raise ConfigError('the config has %s = %r; it must be in [0, 1)' % (field, rate))
    return rate
