# -*- coding: utf-8 -*-
"""Tests of release/heads.py: the head that a config and a checkpoint have, what it is called, what contradicts it."""
from __future__ import absolute_import, division, print_function

import io
import json
import os

import numpy as np
import pytest

from bert4keras.convert import convert
from bert4keras.errors import CheckpointError, ConfigError
from bert4keras.release.checkpoint import open_checkpoint, save_checkpoint
from bert4keras.release.config import read_config
from bert4keras.release.directory import find_release
from bert4keras.release.heads import choose_head, classifier_dropout, head_among
from bert4keras.release.variables import check_fits, open_variables
from bert4keras.verify import inspect
from tests.helpers.releases import ALBERT_CONFIG, ALBERT_ZH_CONFIG, CONFIG, HEADS, make_fine_tuned

pytestmark = pytest.mark.engine_free
SMALL = dict(num_hidden_layers=1, hidden_size=12, num_attention_heads=3, intermediate_size=11)
BERT, ALBERT = dict(CONFIG, **SMALL), dict(ALBERT_CONFIG, **SMALL)
NAMES = [u'good', u'\u597d', u'bad']


@pytest.fixture
def safetensors():
    pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')


def read_json(path):
    """What a JSON file holds."""
    with io.open(path, encoding='utf-8') as stream:
        return json.load(stream)


def write_json(path, value):
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps(value))


# ------------------------------------------------------------------ what is asked for

@pytest.mark.parametrize('asked, head, names', [
    (dict(), None, None),
    (dict(num_labels=3), 'classification', [u'LABEL_0', u'LABEL_1', u'LABEL_2']),
    (dict(num_labels=np.int64(2)), 'classification', [u'LABEL_0', u'LABEL_1']),
    (dict(labels=[u'no', u'yes']), 'classification', [u'no', u'yes']),
    (dict(head='tokens', labels=(u'O', u'B', u'I'), num_labels=3), 'tokens', [u'O', u'B', u'I']),
    (dict(head='tokens', labels={1: u'B', 0: u'O', '2': u'I'}), 'tokens', [u'O', u'B', u'I']),
    (dict(head='span'), 'span', None)])
def test_what_the_arguments_mean(asked, head, names):
    """num_labels or labels alone mean a classifier of texts; names are in the order of the ids."""
    found, config = choose_head(read_config(BERT), **asked)
    assert found == head
    assert ('id2label' in config) == (names is not None) == ('label2id' in config)
    if names is not None:
        assert list(config['id2label'].items()) == [(str(index), name) for index, name in enumerate(names)]
        assert config['label2id'] == {name: index for index, name in enumerate(names)}


def test_the_labels_of_the_config():
    """id2label, label2id or num_labels say how many there are; a number of the caller's own discards other names."""
    base = read_config(BERT)
    for fields, expected in ((dict(id2label={'1': u'b', '0': u'a', '2': u'c'}), [u'a', u'b', u'c']),
                             (dict(id2label={1: u'b', 0: u'a'}), [u'a', u'b']),
                             (dict(label2id={u'a': 1, u'b': 0}), [u'b', u'a']),
                             (dict(num_labels=3), [u'LABEL_0', u'LABEL_1', u'LABEL_2']),
                             (dict(architectures=['BertForTokenClassification']), [u'LABEL_0', u'LABEL_1'])):
        _, config = choose_head(dict(base, **fields), 'tokens')
        assert list(config['id2label'].values()) == expected
        assert 'num_labels' not in config
    _, config = choose_head(dict(base, id2label={'0': u'a', '1': u'b', '2': u'c'}), num_labels=2)
    assert list(config['id2label'].values()) == [u'LABEL_0', u'LABEL_1']
    _, config = choose_head(dict(base, id2label={'0': u'a', '1': u'b'}), num_labels=2)
    assert list(config['id2label'].values()) == [u'a', u'b']


@pytest.mark.parametrize('family, base, names', [
    ('Bert', BERT, ['ForSequenceClassification', 'ForTokenClassification', 'ForQuestionAnswering']),
    ('Albert', ALBERT, ['ForSequenceClassification', 'ForTokenClassification', 'ForQuestionAnswering']),
    (None, ALBERT_ZH_CONFIG, [None] * 3)])
def test_the_architecture_in_the_words_of_transformers(family, base, names):
    """The class that opens it, where transformers has one; a model without a head is of no class with one."""
    for head, name in zip(('classification', 'tokens', 'span'), names):
        config = choose_head(read_config(base), head, None if head == 'span' else 5)[1]
        assert config.get('architectures') == (None if name is None else [family + name])
    for architecture, stays in (('BertForMaskedLM', True), ('BertForTokenClassification', False)):
        config = choose_head(dict(read_config(BERT), architectures=[architecture]))[1]
        assert ('architectures' in config) == stays


def test_problem_types():
    """The config's stays with its labels; one label is regression; tokens and spans have none."""
    base = dict(read_config(BERT), id2label={'0': u'a', '1': u'b'}, problem_type='multi_label_classification')
    assert choose_head(base, 'classification')[1]['problem_type'] == 'multi_label_classification'
    assert 'problem_type' not in choose_head(base, num_labels=3)[1]
    assert 'problem_type' not in choose_head(base, 'tokens')[1]
    assert 'problem_type' not in choose_head(base, 'span')[1] and 'id2label' not in choose_head(base, 'span')[1]
    assert choose_head(read_config(BERT), num_labels=1)[1]['problem_type'] == 'regression'


@pytest.mark.parametrize('arguments, said', [
    (dict(num_labels=0), 'num_labels must be a whole number above 0, not 0'),
    (dict(num_labels=-2), 'above 0, not -2'),
    (dict(num_labels=2.0), 'above 0, not 2.0'),
    (dict(num_labels=True), 'above 0, not True'),
    (dict(num_labels='3'), "above 0, not '3'"),
    (dict(head='tags'), "head must be one of classification, tokens, span, or None; not 'tags'"),
    (dict(head=['span']), r"head must be one of .*not \['span'\]"),
    (dict(head='span', num_labels=2), "head='span' has the labels start and end.*leave num_labels and labels out"),
    (dict(head='span', labels=['a', 'b']), 'leave num_labels and labels out'),
    (dict(num_labels=3, labels=['a', 'b']), 'num_labels is 3, but there are 2 labels'),
    (dict(labels=['a', 'b', 'a']), 'labels has a more than once'),
    (dict(labels=[]), 'labels must be a list of strings'),
    (dict(labels='ab'), "labels must be a list of strings.*not '?u?'?ab'"),
    (dict(labels=[0, 1]), r'labels must be a list of strings.*not \[0, 1\]'),
    (dict(labels={1: 'a', 2: 'b'}), 'labels must name the ids 0 to N - 1, each once; it has 1, 2'),
    (dict(head='tokens'), "head='tokens' needs num_labels, or labels: the config has no id2label")])
def test_arguments_that_are_wrong(arguments, said):
    """Each is a ValueError that says what and why."""
    with pytest.raises(ValueError, match=said):
        choose_head(read_config(BERT), **arguments)


@pytest.mark.parametrize('fields, said', [
    (dict(id2label={'0': 'a', '2': 'b'}), 'id2label of the config must name the ids 0 to N - 1.*it has 0, 2'),
    (dict(id2label=[1, 2]), 'id2label of the config must be a list of strings'),
    (dict(id2label={'0': 'a', '1': 'a'}), 'id2label of the config has a more than once'),
    (dict(id2label={'0': 'a'}, problem_type='sorting'), "problem_type = 'sorting'; it must be one of regression, ")])
def test_configs_that_are_wrong(fields, said):
    """They matter only where a head is asked for."""
    config = read_config(dict(BERT, **fields))
    with pytest.raises(ConfigError, match=said):
        choose_head(config, 'classification')
    assert choose_head(config)[0] is None


def test_the_rate_of_dropout_before_the_classifier():
    """BERT's own field, else that of the hidden states; ALBERT's own, else 0.1, whatever the hidden states have."""
    bert, albert = [read_config(dict(base, hidden_dropout_prob=0.25)) for base in (BERT, ALBERT)]
    for config, fields, rate in ((bert, {}, 0.25), (bert, dict(classifier_dropout=None), 0.25),
                                 (bert, dict(classifier_dropout=0.4), 0.4), (bert, dict(classifier_dropout=0.0), 0.0),
                                 (bert, dict(classifier_dropout_prob=0.4), 0.25),
                                 (albert, {}, 0.1), (albert, dict(classifier_dropout_prob=None), 0.25),
                                 (albert, dict(classifier_dropout_prob=0.3), 0.3),
                                 (albert, dict(classifier_dropout=0.3), 0.1)):
        assert classifier_dropout(dict(config, **fields)) == rate, fields
    for rate in (1, -0.1, '0.1', True):
        with pytest.raises(ConfigError, match=r'has classifier_dropout = .*; it must be in \[0, 1\)'):
            classifier_dropout(dict(bert, classifier_dropout=rate))


# ------------------------------------------------------------------ what a checkpoint has

@pytest.mark.parametrize('head', sorted(HEADS))
@pytest.mark.parametrize('base', [BERT, ALBERT], ids=['bert', 'albert'])
@pytest.mark.parametrize('spelling', ['tensorflow', 'prefix', 'no prefix'])
def test_which_head_a_checkpoint_has(tmp_path, head, base, spelling):
    """Kernel, bias and kind, whatever the layout and the body's prefix; without architectures too."""
    if spelling != 'tensorflow':
        pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    num_labels = {'classification': 3, 'tokens': 5, 'span': 2}[head]
    config, expected = make_fine_tuned(tmp_path, head, num_labels, base,
                                       'tensorflow' if spelling == 'tensorflow' else 'hugging-face')
    path = find_release(str(tmp_path)).checkpoint_path
    if spelling == 'no prefix':
        checkpoint = open_checkpoint(path)
        path = os.path.join(str(tmp_path), 'bare.safetensors')
        save_checkpoint(path, {name.replace('albert.', '', 1) if name.startswith('albert.') else
                               name.replace('bert.', '', 1): checkpoint[name] for name in checkpoint})
    variables = open_variables(path, read_config(config))
    assert set(variables) == set(expected) and variables.unnamed == []
    for name in expected:
        np.testing.assert_array_equal(variables[name], expected[name], err_msg=name)
    for given in (config, {field: config[field] for field in config if field != 'architectures'}):
        assert head_among(given, variables) == (head, None if head == 'span' else num_labels)
        check_fits(read_config(given), variables)
    assert set(variables.unread(set(expected) - {'output_bias', 'cls/squad/output_bias'})[0]) < {
        'output_bias', 'cls/squad/output_bias', 'classifier.bias', 'qa_outputs.bias'}


def test_the_pooler_tells_and_architectures_tell_better(tmp_path):
    """A classifier of tokens that was saved with a pooler is one if the config says so."""
    config, variables = make_fine_tuned(tmp_path, 'classification', 3, BERT)
    assert head_among(dict(config, architectures=['BertForTokenClassification']), variables) == ('tokens', 3)
    assert head_among(dict(config, architectures=None), variables) == ('classification', 3)
    both = dict(variables, **{'cls/squad/output_weights': np.ones((2, 12))})
    assert head_among(config, both) == ('classification', 3)
    assert head_among(dict(config, architectures=['BertForQuestionAnswering']), both) == ('span', None)
    assert head_among(config, {}) == (None, None)


def test_a_head_that_contradicts_its_config(tmp_path):
    """Names for another number of labels, half a head, another width: errors with both numbers, or the name."""
    config, arrays = make_fine_tuned(tmp_path, 'tokens', 3, BERT, names=['a', 'b', 'c', 'd', 'e'])
    source, there = str(tmp_path), os.path.join(str(tmp_path), 'there')
    variables = open_variables(find_release(source).checkpoint_path, read_config(config))
    with pytest.raises(CheckpointError, match=r'output_weights has the shape \(12, 3\), where the config says \(12, 5\)'):
        check_fits(read_config(config), variables)
    with pytest.raises(ConfigError, match='the config has 5 labels, but the head in .* has 3: correct id2label'):
        convert(source, there, layout='tensorflow')
    assert not os.path.exists(there)
    half = os.path.join(source, 'half.ckpt')
    save_checkpoint(half, {name: arrays[name] for name in arrays if name != 'output_bias'})
    with pytest.raises(CheckpointError, match='output_bias is missing'):
        check_fits(read_config(BERT), open_variables(half, read_config(BERT)))


@pytest.mark.parametrize('head, layer', [('classification', 'Classifier'), ('tokens', 'Classifier'), ('span', 'Span')])
def test_inspect_says_where_a_head_goes(tmp_path, head, layer):
    """`bert4keras info` shows the layer of each of its variables."""
    make_fine_tuned(tmp_path, head, 2, BERT)
    places = {row.name: row.place for row in inspect(str(tmp_path)).rows}
    assert '' not in places.values()
    assert [places[HEADS[head][0] + ending] for ending in ('weights', 'bias')] == [layer + ' 0', layer + ' 1']


# ------------------------------------------------------------------ convert

@pytest.mark.parametrize('head, base', [('classification', BERT), ('tokens', ALBERT), ('span', BERT)])
def test_convert_keeps_a_head_and_its_labels(tmp_path, safetensors, head, base):
    """To Hugging Face's layout and back: the same tensors by either's names, the same labels and architecture."""
    source, there, back = [os.path.join(str(tmp_path), name) for name in ('source', 'there', 'back')]
    os.mkdir(source)
    names = None if head == 'span' else NAMES
    config, variables = make_fine_tuned(source, head, 3 if names else 2, base, names=names, classifier_dropout=0.3)
    convert(source, there)
    convert(there, back)
    google, own, _ = HEADS[head]
    theirs = open_checkpoint(find_release(there).checkpoint_path)
    for ending, pytorch in (('weights', 'weight'), ('bias', 'bias')):
        assert theirs[own + pytorch].tobytes() == variables[google + ending].tobytes()
    again = open_checkpoint(find_release(back).checkpoint_path)
    assert set(again) == set(variables)
    assert all(again[name].tobytes() == variables[name].tobytes() for name in variables)
    for path in (os.path.join(there, 'config.json'), find_release(back).config_path):
        written = read_json(path)
        for field in ('architectures', 'classifier_dropout', 'id2label'):
            assert written.get(field) == config.get(field), field
        assert written.get('label2id') == (None if names is None else {name: names.index(name) for name in names})


def test_convert_describes_the_head_of_a_release_of_google(tmp_path, safetensors):
    """Their configs say nothing of heads; transformers needs the number of labels and the class."""
    source, there = [os.path.join(str(tmp_path), name) for name in ('source', 'there')]
    os.mkdir(source)
    make_fine_tuned(source, 'classification', 3, BERT)
    write_json(os.path.join(source, 'config.json'), BERT)
    convert(source, there)
    config = read_json(os.path.join(there, 'config.json'))
    assert config['architectures'] == ['BertForSequenceClassification']
    assert config['id2label'] == {'0': 'LABEL_0', '1': 'LABEL_1', '2': 'LABEL_2'}
    assert {field: config[field] for field in BERT} == BERT
