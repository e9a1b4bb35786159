# -*- coding: utf-8 -*-
"""Tests of heads.py: new heads and loaded ones, in every form in which a model is kept, and every error.

That the logits are the peers' is in parity/test_parity_heads.py.
"""
from __future__ import absolute_import, division, print_function

import logging
import os
import re

import numpy as np
import pytest

from bert4keras import backend
from bert4keras.backend import keras
from bert4keras.bert import BertModel, build_bert_model
from bert4keras.convert import convert
from bert4keras.embedding import embed
from bert4keras.errors import CheckpointError
from bert4keras.layers import BertClassifier, BertSpan
from bert4keras.release.checkpoint import open_checkpoint, save_checkpoint
from bert4keras.release.directory import find_release
from bert4keras.tokenizer import Tokenizer
from bert4keras.verify import verify
from tests.helpers.releases import ALBERT_CONFIG, CONFIG, HEADS, make_fine_tuned, make_release, random_ids

SMALL = dict(num_hidden_layers=1, hidden_size=12, num_attention_heads=3, intermediate_size=11, initializer_range=0.05,
             hidden_dropout_prob=0.25)
NAMES = [u'good', u'\u597d', u'bad']
KEEP_WORDS = [0, 2, 3, 71, 5, 98, 11]


@pytest.fixture(scope='module')
def body(tmp_path_factory):
    """(directory, config, variables) of a release without a head for a task."""
    directory = tmp_path_factory.mktemp('body')
    vocab = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'] + ['word%d' % number for number in range(95)]
    return (str(directory),) + make_release(directory, vocab=vocab, **SMALL)


@pytest.fixture(scope='module')
def fine_tuned(tmp_path_factory):
    """A function from a head to (directory, config, variables) of a release that has it."""
    made = {}

    def make(head):
        if head not in made:
            directory = tmp_path_factory.mktemp(head)
            names = None if head == 'span' else NAMES
            made[head] = (str(directory),) + make_fine_tuned(directory, head, 3 if names else 2, names=names,
                                                             classifier_dropout=0.4, **SMALL)
        return made[head]
    return make


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records
            if record.levelno >= logging.WARNING and record.name.startswith('bert4keras')]


# ------------------------------------------------------------------ new heads

@pytest.mark.slow
@pytest.mark.parametrize('arguments, layer, outputs', [
    (dict(num_labels=5), 'Classifier', (5,)), (dict(num_labels=5, head='tokens'), 'Classifier', (7, 5)),
    (dict(head='span'), 'Span', (2, 7))])
def test_a_new_head_is_random_and_says_so(body, caplog, arguments, layer, outputs):
    """Everything else is loaded; the kernel is a truncated normal of initializer_range, the bias 0."""
    directory, config, variables = body
    bert = build_bert_model(directory, return_keras_model=False, **arguments)
    assert bert.new_layers == [layer]
    warning, = warnings_of(caplog)
    assert re.search("has no weights for %s, of the head '%s': they are to be trained"
                     % (layer, arguments.get('head', 'classification')), warning)
    kernel, bias = bert.layers[layer].get_weights()
    assert kernel.shape == (12, outputs[0] if layer == 'Span' else 5)
    assert 0 < np.abs(kernel).max() <= 0.1 and np.abs(kernel).std() > 0.01 and not bias.any()
    assert bert.model.predict(list(random_ids(config, batch=3))).shape == (3,) + outputs
    for name, value in bert.get_variables().items():
        if name in variables:
            np.testing.assert_array_equal(value, variables[name], err_msg=name)


def test_a_pooler_that_a_checkpoint_lacks_is_new_as_well(body, caplog, tmp_path):
    """What a masked language model was saved as can be fine-tuned; with_pool still insists on it."""
    path = os.path.join(str(tmp_path), 'mlm.ckpt')
    save_checkpoint(path, {name: value for name, value in body[2].items() if 'pooler' not in name})
    bert = build_bert_model(body[1], path, num_labels=2, return_keras_model=False)
    assert bert.new_layers == ['Pooler-Dense', 'Classifier']
    assert 'no weights for Pooler-Dense and Classifier' in warnings_of(caplog)[0]
    assert bert.layers['Pooler-Dense'].get_weights()[0].std() > 0.01
    with pytest.raises(CheckpointError, match='no variable bert/pooler/dense/kernel'):
        build_bert_model(body[1], path, num_labels=2, with_pool=True)


@pytest.mark.slow
def test_heads_beside_each_other(body):
    """A task's head comes after those of pretraining, which the same pooled vector serves."""
    model = build_bert_model(body[0], with_nsp=True, with_mlm=True, num_labels=5)
    ids = list(random_ids(body[1], batch=3))
    together = model.predict(ids)
    assert [output.shape for output in together] == [(3, 2), (3, 7, 99), (3, 5)]
    alone = build_bert_model(body[0], with_nsp=True, with_mlm=True).predict(ids)
    for one, other in zip(together, alone):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_keep_words_and_a_head(body, tmp_path):
    """The vocabulary that is kept is written, and the head with it."""
    bert = build_bert_model(body[0], num_labels=3, keep_words=KEEP_WORDS, return_keras_model=False)
    bert.save_release(tmp_path, vocab_path=os.path.join(body[0], 'vocab.txt'))
    ids = list(random_ids(dict(body[1], vocab_size=len(KEEP_WORDS)), batch=3))
    again = build_bert_model(str(tmp_path), head='classification')
    np.testing.assert_array_equal(again.predict(ids), bert.model.predict(ids))


# ------------------------------------------------------------------ heads that are kept

@pytest.mark.parametrize('head', ['classification'] + [
    pytest.param(name, marks=pytest.mark.slow) for name in ('span', 'tokens')])
def test_a_model_keeps_its_head(fine_tuned, tmp_path, caplog, head):
    """Loaded, saved by Keras, opened, read back, written as a release: weights, names and dropout are the same."""
    directory, config, variables = fine_tuned(head)
    bert = build_bert_model(directory, head=head, return_keras_model=False)
    assert (bert.new_layers, bert.unread, warnings_of(caplog)) == ([], [], [])
    assert (bert.num_labels, bert.labels) == ((None, None) if head == 'span' else (3, NAMES))
    path, there = os.path.join(str(tmp_path), 'model' + backend.MODEL_SUFFIX), os.path.join(str(tmp_path), 'there')
    bert.model.save(path)
    convert(path, there)
    read = BertModel.from_keras_model(keras.models.load_model(path, compile=False))
    assert (read.head, read.labels, read.with_pool) == (head, bert.labels, False)
    for checkpoint in (open_checkpoint(find_release(there).checkpoint_path), read.get_variables()):
        assert set(checkpoint) == set(variables)
        for name in variables:
            np.testing.assert_array_equal(checkpoint[name], variables[name], err_msg=name)
    again = BertModel(there, head=head)
    for other in (read, again):
        for field in ('architectures', 'id2label', 'label2id') + ('classifier_dropout',) * (head != 'span'):
            assert other.config.get(field) == bert.config.get(field), field


def test_what_a_classifier_is_for_is_kept(fine_tuned, tmp_path):
    """The config's problem_type is read off a Keras model, where transformers' pipelines choose their loss by it."""
    directory, config, _ = fine_tuned('classification')
    config = dict(config, problem_type='multi_label_classification', classifier_dropout=0.0)
    model = build_bert_model(config, find_release(directory).checkpoint_path, head='classification')
    assert not [layer for layer in model.layers if layer.name == 'Classifier-Dropout']
    read = BertModel.from_keras_model(model).config
    assert (read['problem_type'], read['classifier_dropout']) == ('multi_label_classification', 0.0)


@pytest.mark.slow
@pytest.mark.parametrize('with_pool, with_nsp, activation', [
    (True, False, 'tanh'), ('linear', False, 'linear'), ('linear', True, 'tanh'), (False, 'linear', 'tanh')])
def test_the_next_sentence_is_told_after_tanh(with_pool, with_nsp, activation):
    """Only a pooled vector that nothing else is made from may come before it."""
    bert = BertModel(dict(CONFIG, **SMALL), with_pool=with_pool, with_nsp=with_nsp)
    bert.run(*bert.inputs())
    assert bert.layers['Pooler-Dense'].get_config()['activation'] == activation


@pytest.mark.slow
def test_dropout_before_a_classifier_and_nowhere_else():
    """At the config's rate, which is an ALBERT's own; a span has none."""
    for config, rate in ((CONFIG, 0.25), (dict(CONFIG, classifier_dropout=0.4), 0.4), (ALBERT_CONFIG, 0.1),
                         (dict(ALBERT_CONFIG, classifier_dropout_prob=0.3), 0.3)):
        for arguments in (dict(num_labels=2), dict(num_labels=2, head='tokens'), dict(head='span')):
            bert = BertModel(dict(config, **SMALL), **arguments)
            bert.run(*bert.inputs())
            rates = {name: layer.rate for name, layer in bert.layers.items() if isinstance(layer, keras.layers.Dropout)}
            assert rates.pop('Classifier-Dropout', None) == (None if bert.head == 'span' else rate)
            assert set(rates.values()) == {0.25}


@pytest.mark.slow
@pytest.mark.parametrize('head, layer, shape', [('classification', 'Classifier', (4, 3)),
                                                ('tokens', 'Classifier', (4, 17, 3)), ('span', 'Span', (4, 2, 17))])
def test_verify_runs_the_head(fine_tuned, monkeypatch, head, layer, shape):
    """The head that a release has is compared, on real positions, and comes last; a wrong one is noticed."""
    directory, config, variables = fine_tuned(head)
    found = verify(directory)
    assert found[-1].name == layer and all(one.difference <= one.tolerance for one in found)
    cls = {'Classifier': BertClassifier, 'Span': BertSpan}[layer]
    monkeypatch.setattr(cls, 'call', lambda self, inputs, call=cls.call: 1.001 * call(self, inputs))
    last = verify(directory)[-1]
    assert last.difference > last.tolerance


@pytest.mark.slow
def test_a_head_can_be_converted_to_keras(fine_tuned, tmp_path):
    """`convert --to keras` builds the head that the checkpoint has."""
    directory, config, _ = fine_tuned('tokens')
    there = os.path.join(str(tmp_path), 'there')
    convert(directory, there, layout='keras')
    model = keras.models.load_model(os.path.join(there, 'model' + backend.MODEL_SUFFIX), compile=False)
    ids = list(random_ids(config, batch=3))
    np.testing.assert_array_equal(model.predict(ids), build_bert_model(directory, head='tokens').predict(ids))
    assert model.get_layer('Classifier').labels == NAMES


class Twice(BertModel):
    """A classifier of twice the hidden states."""

    def task(self, x):
        return super(Twice, self).task(self.add(x, x, 'Twice'))


class Halved(BertClassifier):
    """A classifier that returns half."""

    def call(self, inputs):
        return 0.5 * super(Halved, self).call(inputs)


def test_a_classifier_of_ones_own(fine_tuned):
    """Swapped by `layer_classes` it is a head as before, of a model that was changed."""
    model = build_bert_model(fine_tuned('tokens')[0], head='tokens', layer_classes={BertClassifier: Halved})
    with pytest.raises(ValueError, match='layer Classifier is a Halved, not a BertClassifier'):
        BertModel.from_keras_model(model)
    assert BertModel.from_keras_model(model, changed=True).labels == NAMES


@pytest.mark.slow
def test_a_changed_head_is_not_written_unasked(fine_tuned, tmp_path):
    """Saving names the layer; another layer of the user's on top, called Classifier, is no head."""
    directory = fine_tuned('tokens')[0]
    bert = build_bert_model(directory, head='tokens', model=Twice, return_keras_model=False)
    with pytest.raises(ValueError, match='layer Classifier-Dropout takes its inputs from Twice, not from Encoder-1-'):
        bert.save_release(tmp_path)
    plain = build_bert_model(directory)
    own = keras.models.Model(plain.inputs, keras.layers.Dense(3, name='Classifier')(plain.outputs[0]))
    assert BertModel.from_keras_model(own).head is None


# ------------------------------------------------------------------ errors

@pytest.mark.parametrize('head', ['classification', 'tokens'])
def test_a_head_for_another_number_of_labels(fine_tuned, head):
    """Both numbers are said, before anything is built."""
    with pytest.raises(CheckpointError, match='has a head for 3 labels, the model one for 5: give num_labels=3'):
        build_bert_model(fine_tuned(head)[0], num_labels=5, head=head)


def test_half_a_head(fine_tuned, tmp_path):
    """A kernel without its bias is no new head."""
    _, config, variables = fine_tuned('span')
    path = os.path.join(str(tmp_path), 'half.ckpt')
    save_checkpoint(path, {name: value for name, value in variables.items() if name != 'cls/squad/output_bias'})
    with pytest.raises(CheckpointError, match='has no variable cls/squad/output_bias; it has cls/squad/output_weights'):
        build_bert_model(config, path, head='span')


@pytest.mark.parametrize('arguments, said', [
    (dict(num_labels=2, application='lm'), "a head for a task needs application='encoder'.*not 'lm'"),
    (dict(head='span', application='seq2seq'), "a head for a task needs application='encoder'.*not 'seq2seq'"),
    (dict(num_labels=2, with_pool='linear'), "with_pool='linear' is before it: leave one of the two out"),
    (dict(num_labels=0), 'num_labels must be a whole number above 0, not 0'),
    (dict(head='tags', num_labels=2), 'head must be one of classification, tokens, span'),
    (dict(head='span', num_labels=2), 'leave num_labels and labels out'),
    (dict(num_labels=2, labels=['a']), 'num_labels is 2, but there are 1 labels')])
def test_arguments_that_are_wrong(body, arguments, said):
    """Each is a ValueError that says what to do."""
    with pytest.raises(ValueError, match=said):
        build_bert_model(body[0], **arguments)


@pytest.mark.parametrize('arguments', [dict(head='span'), dict(head='tokens', num_labels=12)])
@pytest.mark.slow
def test_logits_are_no_embeddings(body, arguments):
    """`embed` takes hidden states only, and the logits of tokens have their shape."""
    tokenizer = Tokenizer(os.path.join(body[0], 'vocab.txt'))
    with pytest.raises(ValueError, match='embed needs the last hidden states.*without .*head'):
        embed(build_bert_model(body[0], **arguments), tokenizer, ['word7'])


def test_an_encoder_reads_no_head(fine_tuned):
    """A fine-tuned checkpoint loads without its head, which is listed as unread, and is saved without its class."""
    bert = build_bert_model(fine_tuned('tokens')[0], return_keras_model=False)
    assert sorted(bert.unread) == ['output_bias', 'output_weights']
    assert 'architectures' not in bert.config and bert.model.output_shape == (None, None, 12)
    assert set(HEADS) == {'classification', 'tokens', 'span'}
