# -*- coding: utf-8 -*-
"""Models as bert4keras 0.1 to 0.11 built them: the numbers of ours, with the names, masks and inputs of then."""
from __future__ import absolute_import, division, print_function

import os

import numpy as np
import pytest

from bert4keras import backend, models
from bert4keras.backend import IS_KERAS_3, K, keras
from bert4keras.bert import BertModel, build_bert_model, load_pretrained_model
from bert4keras.graph import first_difference
from bert4keras.layers import BertAttentionMask
from tests.helpers.releases import ALBERT_CONFIG, CONFIG, make_release

IDS = [np.array([[2, 7, 5, 9, 3, 0], [2, 5, 3, 8, 6, 3]]), np.array([[0, 0, 0, 1, 1, 0], [0, 0, 1, 1, 1, 1]])]


def paths(release):
    """(config path, checkpoint prefix)."""
    return [os.path.join(release[0], name) for name in ('bert_config.json', 'bert_model.ckpt')]


def is_close(first, second):
    """Whether outputs are equal where there is a token."""
    return np.abs((first - second)[IDS[0] > 0]).max() <= 1e-6


class MaskOf(keras.layers.Layer):
    """The Keras mask of its input [B, T, D], as numbers [B, T]."""

    def __init__(self):
        super(MaskOf, self).__init__()
        self.supports_masking = True

    def call(self, inputs, mask=None):
        return K.cast(mask, 'float32')

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return input_shape[:2]


def test_names_masks_and_numbers(release):
    """Transformer-0-... from zero, the mask of the ids on every output, the numbers of build_bert_model."""
    bert = models.build_transformer_model(*paths(release), return_keras_model=False)
    model, plain = bert.model, build_bert_model(release[0])
    assert is_close(model.predict_on_batch(IDS), plain.predict_on_batch(IDS))
    names = [layer.name for layer in model.layers]
    assert names[-2:] == ['Transformer-1-FeedForward-Add', 'Transformer-1-FeedForward-Norm']
    assert {'Input-Token', 'Input-Segment', 'Embedding-Token', 'Sequence-Mask',
            'Transformer-0-MultiHeadSelfAttention-Norm'} <= set(names)
    assert [backend.dtype_name(one) for one in model.inputs] == ['int32' if IS_KERAS_3 else 'float32'] * 2
    table = model.get_layer('Embedding-Token')
    assert backend.search_layer(model.output, 'Embedding-Token') is table and tuple(table.embeddings.shape) == (99, 32)
    assert backend.search_layer(model.output, 'no such layer') is None
    extra = keras.layers.Dense(2, kernel_initializer=bert.initializer)
    masked = keras.models.Model(model.inputs, [model.get_layer('Sequence-Mask').output, MaskOf()(model.output),
                                               extra(model.output)])
    for found in masked.predict_on_batch(IDS)[:2]:
        assert np.array_equal(found, IDS[0] > 0)
    assert abs(extra.get_weights()[0].std() - bert.config['initializer_range']) < bert.config['initializer_range']
    assert bert.first_difference() is None


@pytest.mark.slow
def test_the_first_name(release):
    """load_pretrained_model has Encoder-1-... and probabilities for seq2seq; UniLM has the same by its later name."""
    model = load_pretrained_model(*paths(release), seq2seq=True, keep_words=[0, 1, 2, 3, 9, 8, 7, 6, 5, 4])
    later = models.build_transformer_model(*paths(release), application='unilm',
                                           keep_tokens=[0, 1, 2, 3, 9, 8, 7, 6, 5, 4])
    expected = build_bert_model(release[0], application='seq2seq', keep_words=[0, 1, 2, 3, 9, 8, 7, 6, 5, 4])
    assert 'Encoder-2-FeedForward-Norm' in [layer.name for layer in model.layers]
    told = expected.predict_on_batch(IDS)
    assert told.shape[2] == 10
    for one in (model, later):
        assert is_close(one.predict_on_batch(IDS), told)


@pytest.mark.slow
def test_a_shared_block_has_no_number(tmp_path):
    """An ALBERT's layers are Transformer-...; a config that says no family is one, if model='albert'."""
    config, _ = make_release(tmp_path, config=ALBERT_CONFIG, num_hidden_layers=2)
    config = {name: value for name, value in config.items() if name not in ('num_hidden_groups', 'inner_group_num')}
    path = str(tmp_path / 'albert_model.ckpt')
    model = models.build_transformer_model(config, path, model='albert', with_mlm='linear')
    expected = build_bert_model(str(tmp_path), with_mlm='linear')
    assert is_close(model.predict_on_batch(IDS), expected.predict_on_batch(IDS))
    names = [layer.name for layer in model.layers]
    assert 'Transformer-FeedForward-Norm' in names and 'Embedding-Mapping' in names


@pytest.mark.slow
def test_options_are_fields_of_the_config(release):
    """dropout_rate, fields by their names, a fixed length; None leaves one alone."""
    bert = models.build_transformer_model(
        paths(release)[0], dropout_rate=0.3, attention_dropout_rate=0.4, num_hidden_layers=1, sequence_length=6,
        with_pool='linear', layer_norm_cond=None, name='any', return_keras_model=False)
    assert bert.config['hidden_dropout_prob'] == 0.3 and bert.config['attention_probs_dropout_prob'] == 0.4
    assert bert.config['num_hidden_layers'] == 1 and int(bert.model.inputs[0].shape[1]) == 6
    assert bert.model.get_layer('Pooler-Dense').activation == 'linear'
    assert models.extend_with_language_model(models.BERT).application == 'lm'
    assert models.extend_with_unified_language_model(models.BERT).application == 'seq2seq'


@pytest.mark.parametrize('options, said', [
    ({'model': 'nezha'}, 'nezha.*Transformers'), ({'application': 'mlm'}, 'mlm'),
    ({'layer_norm_cond': 1}, 'layer_norm_cond.*add_and_norm'), ({'custom_position_ids': True}, 'add_positions')])
def test_what_is_refused_says_what_to_use(release, options, said):
    """Another model, or an argument that is not here, is an error that names it."""
    with pytest.raises(ValueError, match=said):
        models.build_transformer_model(paths(release)[0], **options)
    with pytest.raises(ValueError, match='MirroredStrategy'):
        models.data_parallel(None)
    with pytest.raises(ValueError, match='sparse.*multilabel_categorical_crossentropy the labels as 0 and 1'):
        backend.sparse_multilabel_categorical_crossentropy(None, None)


@pytest.mark.slow
def test_functions_of_the_early_backend():
    """Lines between points, entries of rows, masked sequences, and losses of then, by literal numbers."""
    values = [float(K.eval(backend.piecewise_linear(t, {4: 1, 8: 0.5}))) for t in (0, 2, 4, 6, 8, 20)]
    assert values == [0, 0.5, 1, 0.75, 0.5, 0.5]
    assert float(K.eval(backend.piecewise_linear(1, {4: 1, 8: 0.5}, from_zero=False))) == 1
    x = K.constant(np.arange(24).reshape(2, 4, 3))
    assert K.eval(backend.batch_gather(x, K.constant([[1, 3], [0, 0]]))).tolist() == [
        [[3, 4, 5], [9, 10, 11]], [[12, 13, 14], [12, 13, 14]]]
    assert K.eval(backend.batch_gather(x[:, :, 0], K.constant([[1], [3]], dtype='int32'))).tolist() == [[3], [21]]
    masked = K.eval(backend.sequence_masking(x, K.constant([[1, 1, 0, 0], [1, 0, 0, 0]]), -1))
    assert masked[:, :, 0].tolist() == [[0, 3, -1, -1], [12, -1, -1, -1]]
    assert K.eval(backend.sequence_masking(x, K.constant([[1, 0, 0], [1, 1, 0]]), '-inf', 2))[1, 0, 2] < -1e11
    assert abs(float(np.ravel(K.eval(K.logsumexp(K.constant([[1.0, 2.0]]), axis=-1)))[0]) - 2.3132617) < 1e-6
    loss = backend.multilabel_categorical_crossentropy(K.constant([[1, 0, 0]]), K.constant([[0.3, -0.2, 0.1]]))
    expected = np.log(1 + np.exp(-0.2) + np.exp(0.1)) + np.log(1 + np.exp(-0.3))
    assert abs(float(np.ravel(K.eval(loss))[0]) - expected) < 1e-6
    assert abs(float(K.eval(backend.root_mean_square(K.constant([3.0, 4.0])))) - 12.5 ** 0.5) < 1e-6
    for function, there in ((backend.gelu_erf, 0.8413447), (backend.gelu_tanh, 0.8411920)):
        assert abs(float(np.ravel(K.eval(function(K.constant([1.0]))))[0]) - there) < 2e-7
    assert backend.get_all_attributes(keras.layers.Dense(7))['units'] == 7


def test_what_keras_3_has_dropped_says_what_to_use():
    """K.gradients and others are errors there that name what replaces them; on Keras 2 they are Keras' own."""
    for name, instead in (('gradients', 'GradientTape'), ('placeholder', 'keras.Input'), ('no_such', 'no_such')):
        if IS_KERAS_3 or name == 'no_such':
            with pytest.raises(AttributeError, match=instead):
                getattr(K, name)
        else:
            assert getattr(K, name) == getattr(keras.backend, name)


def test_what_scripts_ask_of_a_plain_model(release):
    """Of a model by build_bert_model: the mask and table of Embedding-Token, Sequence-Mask, model='bert'."""
    model = build_bert_model(*paths(release), application='lm')
    table = model.get_layer('Embedding-Token')
    assert table.embeddings is table.table
    outputs = [table.output_mask, model.get_layer('Sequence-Mask').output]
    if IS_KERAS_3:
        found = keras.models.Model(model.inputs[0], outputs).predict_on_batch(IDS[0])
    else:
        found = K.function(model.inputs[:1], outputs)(IDS[:1])
    for one in found:
        assert np.array_equal(one, IDS[0] > 0)
    named = build_bert_model(*paths(release), model='bert', return_keras_model=False)
    assert type(named).__name__ == 'EarlyBert'
    with pytest.raises(ValueError, match='nezha'):
        build_bert_model(*paths(release), model='nezha')


@pytest.mark.slow
def test_a_model_in_its_parts(release):
    """0.11's embeddings, blocks and heads, called one by one, give the model's output; what it says of itself."""
    bert = models.build_transformer_model(*paths(release), with_mlm=True, return_keras_model=False)
    x = bert.apply_embeddings(bert.input)
    for index in range(bert.num_hidden_layers):
        x = bert.apply_main_layers(x, index)
    parts = keras.models.Model(bert.input, bert.apply_final_layers(x))
    assert bert.num_hidden_layers == 2 and bert.output is bert.model.output
    assert is_close(parts.predict_on_batch(IDS), bert.model.predict_on_batch(IDS))


class WithoutSequenceMask(BertModel):
    """As files of ours have it that are older than the layer."""

    def attention_mask(self, token_ids, segment_ids):
        return self.layer(BertAttentionMask, 'Attention-Mask', application=self.application,
                          pad_token_id=self.pad_token_id())([token_ids, segment_ids])


@pytest.mark.slow
def test_sequence_mask_knows_the_padding():
    """Its number is the config's; a model without it is still the BERT of its config, one with another mask is not."""
    config = dict(CONFIG, num_hidden_layers=2, pad_token_id=5)
    bert = BertModel(config)
    found = keras.models.Model(bert.build().inputs, bert.model.get_layer('Sequence-Mask').output)
    assert np.array_equal(found.predict_on_batch(IDS), IDS[0] != 5)
    without = WithoutSequenceMask(config)
    without.build()
    assert 'Sequence-Mask' not in without.layers and first_difference(without.model, BertModel(config)) is None
    assert first_difference(without.model, BertModel(dict(config, pad_token_id=6))) is not None
    assert bert.first_difference() is None
    bert.layers['Sequence-Mask'].pad_token_id = 6
    assert 'pad_token_id = 6, not 5' in bert.first_difference()
