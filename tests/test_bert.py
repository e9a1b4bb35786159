# -*- coding: utf-8 -*-
"""Tests of bert4keras.bert: masks, vocabularies, heads, weights in and out, and every error."""
from __future__ import absolute_import, division, print_function

import io
import json
import logging
import os

import numpy as np
import pytest

from bert4keras import backend, weights as weights_module
from bert4keras.backend import keras
from bert4keras.bert import Bert4LM, BertModel, build_bert_model, load_pretrained_model
from bert4keras.checkpoint import CheckpointError, open_checkpoint, save_checkpoint
from bert4keras.families import ConfigError, find_release
from bert4keras.layers import BertDense
from tests.helpers.releases import CONFIG, make_release, random_ids

ROUNDING = 1e-5  # of float32 on hidden states of order 1; parity/ measures it against its floor


def copy_of(release, directory, change_config=None, change_variables=None):
    """A copy of a release with its config or variables changed by the functions given."""
    _, config, variables = release
    config, variables = dict(config), dict(variables)
    if change_config:
        change_config(config)
    if change_variables:
        change_variables(variables)
    with io.open(os.path.join(str(directory), 'bert_config.json'), 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps(config))
    save_checkpoint(os.path.join(str(directory), 'bert_model.ckpt'), variables)
    return str(directory)


# ------------------------------------------------------------------ masks

def test_lm_never_looks_ahead(release):
    """application='lm': changing a later token changes earlier positions by exactly 0."""
    directory, config, _ = release
    model = build_bert_model(directory, application='lm')
    token_ids = np.random.RandomState(3).randint(1, config['vocab_size'], (1, 11)).astype('int32')
    segment_ids = np.zeros_like(token_ids)
    before = model.predict([token_ids, segment_ids])
    for position in range(1, 11):
        changed = token_ids.copy()
        changed[0, position] = 1 + changed[0, position] % (config['vocab_size'] - 1)
        after = model.predict([changed, segment_ids])
        np.testing.assert_array_equal(after[:, :position], before[:, :position])
        assert np.abs(after[:, position] - before[:, position]).max() > 1e-3


def test_seq2seq_sees_the_source_and_its_own_past(release):
    """UniLM: segment 0 sees all of segment 0 and nothing of segment 1; segment 1 segment 0 and its past."""
    directory, config, _ = release
    model = build_bert_model(directory, application='seq2seq')
    token_ids = np.random.RandomState(4).randint(1, config['vocab_size'], (1, 11)).astype('int32')
    segment_ids = np.array([[0] * 5 + [1] * 6], 'int32')
    before = model.predict([token_ids, segment_ids])
    for position in range(11):
        changed = token_ids.copy()
        changed[0, position] = 1 + changed[0, position] % (config['vocab_size'] - 1)
        moved = np.abs(model.predict([changed, segment_ids]) - before).max(axis=-1)[0]
        sees = np.arange(11) >= (0 if position < 5 else position)
        assert (moved[~sees] == 0).all() and (moved[sees] > 1e-4).all(), (position, moved)


@pytest.mark.parametrize('application', ['encoder'] + [
    pytest.param(name, marks=pytest.mark.slow) for name in ('lm', 'seq2seq')])
def test_padding_changes_nothing(release, application):
    """Appending [PAD] moves real positions by rounding only; a row of padding only is finite."""
    directory, config, _ = release
    model = build_bert_model(directory, application=application, with_pool=True, with_mlm=True)
    token_ids, segment_ids = random_ids(config)
    pooled, words = model.predict([token_ids, segment_ids])
    pad = np.zeros((len(token_ids), 6), 'int32')
    pooled_too, words_too = model.predict([np.hstack([token_ids, pad]), np.hstack([segment_ids, pad])])
    assert np.abs(pooled - pooled_too).max() < ROUNDING
    assert np.abs((words - words_too[:, :7])[token_ids != 0]).max() < ROUNDING
    for output in model.predict([np.zeros_like(token_ids), np.zeros_like(token_ids)]):
        assert np.isfinite(output).all()


def test_ids_given_as_floats_work(release):
    """Ids in a float array, as people have always passed them, give the same output."""
    directory, config, _ = release
    model = build_bert_model(directory)
    token_ids, segment_ids = random_ids(config)
    np.testing.assert_array_equal(model.predict([token_ids.astype('float32'), segment_ids.astype('float32')]),
                                  model.predict([token_ids, segment_ids]))


# ------------------------------------------------------------------ vocabulary

@pytest.mark.slow
def test_keep_words_is_the_full_model_on_those_words(release):
    """With keep_words the ids are positions in it, and hidden states equal the full model's."""
    directory, config, _ = release
    keep_words = [0, 2, 3, 71, 5, 98, 11]
    token_ids, segment_ids = random_ids(dict(config, vocab_size=7))
    ours = build_bert_model(directory, keep_words=keep_words).predict([token_ids, segment_ids])
    full = build_bert_model(directory).predict([np.array(keep_words)[token_ids], segment_ids])
    assert np.abs((ours - full)[token_ids != 0]).max() < ROUNDING
    words = build_bert_model(directory, keep_words=keep_words, with_mlm=True).predict([token_ids, segment_ids])
    assert words.shape == (13, 7, 7) and np.abs(words.sum(axis=-1) - 1).max() < ROUNDING
    all_words = build_bert_model(directory, with_mlm=True).predict([np.array(keep_words)[token_ids], segment_ids])
    kept = all_words[..., keep_words] / all_words[..., keep_words].sum(axis=-1, keepdims=True)
    assert np.abs((words - kept)[token_ids != 0]).max() < ROUNDING


@pytest.mark.slow
def test_keep_words_reordered_knows_its_padding(release):
    """Padding is found wherever keep_words puts it."""
    directory, _, _ = release
    model = build_bert_model(directory, keep_words=[7, 8, 0, 9])
    token_ids = np.array([[0, 1, 3]], 'int32')
    padded = np.array([[0, 1, 3, 2, 2]], 'int32')
    assert np.abs(model.predict([token_ids, 0 * token_ids])
                  - model.predict([padded, 0 * padded])[:, :3]).max() < ROUNDING


@pytest.mark.parametrize('keep_words, message', [
    ([0, 99], r'keep_words has ids from 0 to 99; the vocabulary of the checkpoint has 0 to 98'),
    ([0, -1], r'keep_words has ids from -1 to 0'),
    ([1, 2], r'keep_words lacks 0, the id of padding'),
    ([], r'keep_words must be a sequence of token ids'),
    ([0, 7, 3, 7], r'keep_words has 7 more than once'),
    ([0.5], r'keep_words must be a sequence of token ids'),
])
def test_keep_words_out_of_the_vocabulary(release, keep_words, message):
    """Ids that the vocabulary does not have, or no padding, are errors that say so."""
    with pytest.raises(ValueError, match=message):
        build_bert_model(release[0], keep_words=keep_words)


# ------------------------------------------------------------------ weights in and out

@pytest.mark.parametrize('name', ['saved.ckpt', pytest.param('model.safetensors', marks=pytest.mark.slow)])
def test_saved_weights_are_the_loaded_ones(release, tmp_path, name):
    """What save_weights_as_checkpoint writes is bit for bit what was loaded, in both layouts."""
    if name.endswith('.safetensors'):
        pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    directory, config, variables = release
    bert = build_bert_model(directory, with_nsp=True, with_mlm=True, return_keras_model=False)
    path = os.path.join(str(tmp_path), name)
    bert.save_weights_as_checkpoint(path)
    written = open_checkpoint(path)
    assert len(written) == len(variables) == 5 + 16 * 2 + 9
    again = build_bert_model(config, path, with_nsp=True, with_mlm=True, return_keras_model=False)
    for (one, name), (other, _) in zip(bert._weights(), again._weights()):
        one, other = backend.get_values([one, other])
        np.testing.assert_array_equal(one, other, err_msg=name)
    if not path.endswith('.safetensors'):
        for name in variables:
            np.testing.assert_array_equal(written[name], variables[name], err_msg=name)
    else:
        np.testing.assert_array_equal(written['bert.encoder.layer.1.attention.self.key.weight'],
                                      variables['bert/encoder/layer_1/attention/self/key/kernel'].T)


@pytest.mark.slow
def test_hugging_face_layout_in_its_older_spellings(release, tmp_path):
    """Without the prefix, with gamma and beta, with position_ids and a second decoder: the same model."""
    pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    directory, config, _ = release
    path = os.path.join(str(tmp_path), 'model.safetensors')
    bert = build_bert_model(directory, with_pool=True, return_keras_model=False)
    bert.save_weights_as_checkpoint(path)
    old = {}
    for name, value in open_checkpoint(path).items():
        name = name[len('bert.'):].replace('LayerNorm.weight', 'LayerNorm.gamma')
        old[name.replace('LayerNorm.bias', 'LayerNorm.beta')] = np.array(value)
    old['embeddings.position_ids'] = np.arange(17)[None]
    save_checkpoint(path, old)
    again = build_bert_model(config, path, with_pool=True, return_keras_model=False)
    ids = list(random_ids(config))
    np.testing.assert_array_equal(again.model.predict(ids), bert.model.predict(ids))
    assert again.load_weights_from_checkpoint(path) == ['embeddings.position_ids']


def test_nothing_random_is_computed_for_weights_about_to_be_loaded(release, monkeypatch):
    """Building with a checkpoint asks for no random initial weight."""
    asked = []
    initializer = keras.initializers.TruncatedNormal
    monkeypatch.setattr(initializer, '__call__', lambda self, *args, **kwargs: asked.append(args) or 1 / 0)
    build_bert_model(release[0], with_nsp=True, with_mlm=True)
    assert not asked
    with pytest.raises(ZeroDivisionError):
        build_bert_model(release[1])


@pytest.mark.slow
def test_layers_outside_the_table_keep_their_random_weights(release):
    """A subclass's own layer, which no checkpoint holds, is not left at zero."""
    class WithAdapter(BertModel):
        def after_block(self, x, index):
            return self.layer(BertDense, 'Adapter-%d' % index, units=32)(x)

    bert = build_bert_model(release[0], model=WithAdapter, return_keras_model=False)
    kernel = backend.get_values(bert.model.get_layer('Adapter-1').weights)[0]
    assert 0.01 < kernel.std() < 0.03


@pytest.mark.slow
def test_a_subclass_is_of_its_application(release):
    """A class that is for one application is refused for another, not taken instead; any other class is for all."""
    with pytest.raises(ValueError, match="Bert4LM is for application='lm', not 'seq2seq'"):
        build_bert_model(release[1], application='seq2seq', model=Bert4LM)
    with pytest.raises(ValueError, match="Bert4LM is for application='lm', not 'encoder'"):
        Bert4LM(release[1], application='encoder')
    assert type(build_bert_model(release[1], application='lm', model=Bert4LM, return_keras_model=False)) is Bert4LM
    assert build_bert_model(release[1], model=Bert4LM, return_keras_model=False).application == 'lm'
    for application in ('lm', 'seq2seq'):
        bert = build_bert_model(release[1], application=application, model=BertModel, return_keras_model=False)
        assert bert.model.get_layer('Attention-Mask').application == bert.application == application


@pytest.mark.slow
def test_random_weights_without_a_checkpoint(release):
    """Without weights to load: truncated normals of initializer_range, norms at 1 and 0."""
    bert = build_bert_model(dict(release[1], initializer_range=0.5), return_keras_model=False)
    weights = dict((name, backend.get_values([weight])[0]) for weight, name in bert._weights())
    assert 0.4 < weights['bert/encoder/layer_1/intermediate/dense/kernel'].std() < 0.5
    assert (weights['bert/encoder/layer_1/output/LayerNorm/gamma'] == 1).all()
    assert (weights['bert/encoder/layer_1/output/dense/bias'] == 0).all()


@pytest.mark.slow
def test_what_is_left_unread_is_reported(release, tmp_path, caplog):
    """Heads not asked for are told quietly; a block without a place is a warning that names it."""
    directory, config, variables = release
    bert = BertModel(config)
    bert.build()
    with caplog.at_level(logging.INFO, 'bert4keras.bert'):
        unread = bert.load_weights_from_checkpoint(os.path.join(directory, 'bert_model.ckpt'))
    assert len(unread) == 9 and 'cls/predictions/output_bias' in unread
    assert [record.levelname for record in caplog.records] == ['INFO']
    caplog.clear()
    smaller = copy_of(release, tmp_path, lambda config: config.update(num_hidden_layers=1),
                      lambda variables: variables.update({'bert/pooler/dense/bias/adam_m': np.zeros(32, 'f'),
                                                          'global_step': np.array(7)}))
    build_bert_model(smaller)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == 'WARNING']
    assert len(warnings) == 1 and '16 variables' in warnings[0] and 'layer_1/attention' in warnings[0]


@pytest.mark.slow
def test_a_checkpoint_named_beside_a_directory_is_the_one_that_is_loaded(release, tmp_path):
    """The directory gives the config, the second argument the weights."""
    _, variables = make_release(tmp_path, seed=7, num_hidden_layers=2)
    bert = build_bert_model(release[0], os.path.join(str(tmp_path), 'bert_model.ckpt'), return_keras_model=False)
    gamma = bert.get_variables()['bert/embeddings/LayerNorm/gamma']
    np.testing.assert_array_equal(gamma, variables['bert/embeddings/LayerNorm/gamma'])


@pytest.mark.slow
@pytest.mark.parametrize('layout, last', [('tensorflow', 'bert_model.ckpt.index'),
                                          ('hugging-face', 'model.safetensors')])
def test_the_checkpoint_is_the_last_that_a_release_gets(release, tmp_path, monkeypatch, layout, last):
    """Who opens it first finds all that belongs to it; and it is the file that is absent meanwhile."""
    if layout == 'hugging-face':
        pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    asked, move_files = [], weights_module.move_files
    monkeypatch.setattr(weights_module, 'move_files',
                        lambda *args, **options: asked.append(options) or move_files(*args, **options))
    bert = BertModel(dict(release[1], num_hidden_layers=1))
    bert.build()
    bert.save_release(str(tmp_path), layout=layout)
    assert asked == [{'last': last}] and last in os.listdir(str(tmp_path))


def test_keep_words_on_a_checkpoint_of_another_vocabulary(release):
    """The rows are taken from the vocabulary that the config speaks of, or from none."""
    path = os.path.join(release[0], 'bert_model.ckpt')
    with pytest.raises(CheckpointError, match=r'checkpoint has \(99, 32\), the layer expects \(98, 32\)'):
        build_bert_model(dict(release[1], vocab_size=98), path, keep_words=[0, 2, 3])


@pytest.mark.slow
def test_load_pretrained_model_is_the_early_name(release):
    """The early signature gives the encoder, or for seq2seq the words' probabilities under UniLM's mask."""
    directory, config, _ = release
    paths = [os.path.join(directory, name) for name in ('bert_config.json', 'bert_model.ckpt')]
    ids = list(random_ids(config))
    np.testing.assert_array_equal(load_pretrained_model(*paths).predict(ids),
                                  build_bert_model(directory).predict(ids))
    np.testing.assert_array_equal(
        load_pretrained_model(*paths, seq2seq=True, keep_words=list(range(99))).predict(ids),
        build_bert_model(directory, application='seq2seq', with_mlm=True).predict(ids))


# ------------------------------------------------------------------ the config is honoured

@pytest.mark.slow
@pytest.mark.parametrize('field, value', [('type_vocab_size', 5), ('layer_norm_eps', 0.1),
                                          ('hidden_act', 'relu'), ('hidden_act', 'gelu_new'),
                                          ('pad_token_id', 3)])
def test_the_config_is_honoured(tmp_path, field, value):
    """A field that changes the numbers changes ours and the reference alike."""
    from bert4keras.reference import forward
    config, variables = make_release(tmp_path, num_hidden_layers=2, **{field: value})
    token_ids, segment_ids = random_ids(config)
    if field == 'type_vocab_size':
        segment_ids = np.random.RandomState(5).randint(0, value, token_ids.shape).astype('int32')
    real = token_ids != config.get('pad_token_id', 0)
    exact = forward(config, variables, token_ids, segment_ids)['Encoder-2-FeedForward-Norm']
    ours = build_bert_model(str(tmp_path)).predict([token_ids, segment_ids])
    assert np.abs((ours - exact)[real]).max() < ROUNDING
    if field not in ('type_vocab_size', 'pad_token_id'):
        other = forward(dict(config, **{field: {'layer_norm_eps': 1e-12}.get(field, 'gelu')}),
                        variables, token_ids, segment_ids)['Encoder-2-FeedForward-Norm']
        assert np.abs((other - exact)[real]).max() > 10 * ROUNDING


@pytest.mark.parametrize('rates, moves', [((0.5, 0.0), True), ((0.0, 0.5), True), ((0.0, 0.0), False)])
def test_dropout_is_drawn_in_training_only(tmp_path, rates, moves):
    """Either dropout of the config makes training losses random; without, and in predict, none is."""
    config, _ = make_release(tmp_path, hidden_dropout_prob=rates[0], attention_probs_dropout_prob=rates[1],
                             num_hidden_layers=1)
    model = build_bert_model(str(tmp_path), with_pool=True)
    model.compile(keras.optimizers.SGD(0.0), 'mse')
    ids, target = list(random_ids(config)), np.zeros((13, 32), 'float32')
    losses = [float(model.train_on_batch(ids, target)) for _ in range(3)]
    assert (max(losses) - min(losses) > 1e-4) == moves, losses
    np.testing.assert_array_equal(model.predict(ids), model.predict(ids))


@pytest.mark.slow
def test_gelu_is_chosen_per_model_and_by_set_gelu(release):
    """gelu= decides for one model, set_gelu for those built later; the layers' config says which."""
    directory, _, _ = release

    def activation(model):
        return model.get_layer('Encoder-1-FeedForward').get_config()['activation']

    first = build_bert_model(directory)
    backend.set_gelu('tanh')
    try:
        assert activation(build_bert_model(directory)) == 'gelu_tanh'
        assert activation(build_bert_model(directory, gelu='erf')) == 'gelu_erf'
        assert activation(first) == 'gelu_erf'
    finally:
        backend.set_gelu('erf')
    with pytest.raises(ValueError, match="gelu must be 'erf' or 'tanh'"):
        backend.set_gelu('relu')
    with pytest.raises(ValueError, match='contradicts'):
        build_bert_model(dict(CONFIG, hidden_act='relu'), gelu='erf')


# ------------------------------------------------------------------ errors

def test_a_missing_variable_is_named(release, tmp_path):
    """A variable that is not there: its name, what is there instead, and what would do without it."""
    broken = copy_of(release, tmp_path, None,
                     lambda variables: variables.pop('bert/encoder/layer_1/attention/self/key/bias'))
    with pytest.raises(CheckpointError) as error:
        build_bert_model(broken)
    assert 'has no variable bert/encoder/layer_1/attention/self/key/bias' in str(error.value)
    assert 'it has bert/encoder/layer_1/attention/self/key/kernel' in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize('flag, prefix', [('with_pool', 'bert/pooler/'), ('with_nsp', 'cls/seq_relationship/'),
                                          ('with_mlm', 'cls/predictions/')])
def test_a_missing_head_names_the_argument(release, tmp_path, flag, prefix):
    """A checkpoint without a head: the error says which argument would do without it."""
    def without_head(variables):
        for name in [name for name in variables if name.startswith(prefix)]:
            del variables[name]

    broken = copy_of(release, tmp_path, None, without_head)
    assert build_bert_model(broken) is not None
    with pytest.raises(CheckpointError, match='Without %s=True it is not needed' % flag):
        build_bert_model(broken, **{flag: True})


def test_a_shape_that_disagrees_shows_both_sides(release, tmp_path):
    """The checkpoint's shape and the layer's, the variable, and what to do; nothing is loaded."""
    other = copy_of(release, tmp_path, lambda config: config.update(intermediate_size=41))
    with pytest.raises(CheckpointError, match=r'layer_0/intermediate/dense/kernel: checkpoint has \(32, 37\), '
                                              r'the layer expects \(32, 41\)\. Use the config'):
        build_bert_model(other)


@pytest.mark.slow
def test_a_bad_checkpoint_changes_no_weight(release, tmp_path):
    """What is missing or of another shape is found before the first weight is changed."""
    broken = copy_of(release, tmp_path, None,
                     lambda variables: variables.pop('bert/encoder/layer_1/output/LayerNorm/beta'))
    bert = BertModel(release[1])
    bert.build()
    before = backend.get_values([weight for weight, _ in bert._weights()])
    with pytest.raises(CheckpointError):
        bert.load_weights_from_checkpoint(os.path.join(broken, 'bert_model.ckpt'))
    for one, other in zip(before, backend.get_values([weight for weight, _ in bert._weights()])):
        np.testing.assert_array_equal(one, other)


def test_a_vocabulary_of_another_size_than_the_checkpoint(release, tmp_path):
    """vocab_size of the config against the table of the checkpoint."""
    other = copy_of(release, tmp_path, lambda config: config.update(vocab_size=98))
    with pytest.raises(CheckpointError, match=r'word_embeddings: checkpoint has \(99, 32\), .* \(98, 32\)'):
        build_bert_model(other)


@pytest.mark.parametrize('field', ['vocab_size', 'hidden_size', 'type_vocab_size', 'hidden_act'])
def test_a_config_without_a_field(release, tmp_path, field):
    """A field that is missing is named, with the file and what it has."""
    broken = copy_of(release, tmp_path, lambda config: config.pop(field))
    with pytest.raises(ConfigError, match=r'bert_config.json lacks %s; it has attention_probs' % field):
        build_bert_model(broken)


@pytest.mark.parametrize('changes, message', [
    ({'hidden_size': 33}, 'hidden_size 33, not a multiple of num_attention_heads 4'),
    ({'num_hidden_layers': -1}, 'num_hidden_layers = -1; it must be a whole number above 0'),
    ({'vocab_size': 2 ** 40}, 'vocab_size = 1099511627776; it must be'),
    ({'hidden_size': '32'}, "hidden_size = u?'32'; it must be a whole number"),
    ({'hidden_act': 'mish'}, "hidden_act = u?'mish'; supported are gelu"),
    ({'hidden_dropout_prob': 1.5}, 'hidden_dropout_prob = 1.5; it must be in'),
    ({'layer_norm_eps': 0}, 'layer_norm_eps = 0; it must be in'),
    ({'position_embedding_type': 'relative_key'}, "position_embedding_type = u?'relative_key'"),
    ({'model_type': 'bert', 'embedding_size': 128}, 'embedding_size 128 beside hidden_size 32'),
    ({'model_type': 'electra'}, "model_type = u?'electra'; supported are bert, albert"),
    ({'num_hidden_groups': 2}, 'num_hidden_groups = 2, which is not built here; only 1 is'),
    ({'inner_group_num': 2}, 'inner_group_num = 2'),
    ({'ln_type': 'preln'}, "ln_type = u?'preln', which is not built here; only 'postln' is"),
    ({'add_cross_attention': True}, 'add_cross_attention = True'), ({'is_decoder': True}, 'is_decoder = True'),
    ({'num_hidden_groups': 1}, 'lacks embedding_size'), ({'pad_token_id': 99}, 'pad_token_id = 99; it must be a'),
])
def test_a_config_that_cannot_be_built(release, tmp_path, changes, message):
    """A field with a value that no BERT here has is named with the value."""
    broken = copy_of(release, tmp_path, lambda config: config.update(changes))
    with pytest.raises(ConfigError, match='bert_config.json .*' + message):
        build_bert_model(broken)


def test_paths_that_are_not_there(release, tmp_path):
    """No such config, checkpoint or directory; an empty directory; each says what and where."""
    directory, config, _ = release
    with pytest.raises(ConfigError, match='cannot read the config .*nowhere.json'):
        build_bert_model(os.path.join(directory, 'nowhere.json'))
    with pytest.raises(CheckpointError, match='nowhere.ckpt'):
        build_bert_model(config, os.path.join(directory, 'nowhere.ckpt'))
    with pytest.raises(ConfigError, match='has no config, a file like bert_config'):
        build_bert_model(str(tmp_path))
    with io.open(os.path.join(str(tmp_path), 'config.json'), 'w') as stream:
        stream.write(u'{"vocab_size": ')
    with pytest.raises(ConfigError, match='config.json is not JSON'):
        build_bert_model(os.path.join(str(tmp_path), 'config.json'))


def test_more_than_one_checkpoint_is_listed(release, tmp_path):
    """Two checkpoints in a directory: the error lists both instead of taking one."""
    directory = copy_of(release, tmp_path)
    save_checkpoint(os.path.join(directory, 'bert_model.ckpt-7'), release[2])
    with pytest.raises(CheckpointError, match=r'more than one checkpoint: bert_model.ckpt-7.index, bert_model'):
        build_bert_model(directory)


@pytest.mark.slow
def test_too_long_for_the_positions(release):
    """An input longer than the position table is an error, not silently mis-sliced; the longest fits."""
    directory, config, _ = release
    ids = np.ones((2, config['max_position_embeddings'] + 1), 'int32')
    fitting = ids[:, 1:]
    assert build_bert_model(directory).predict([fitting, 0 * fitting]).shape == (2, 17, 32)
    with pytest.raises(Exception):  # the engine's own class, where only the engine knows the length
        build_bert_model(directory).predict([ids, 0 * ids])


def test_an_id_beyond_the_vocabulary_never_looks_right(release):
    """Whatever the engine does with such an id, it gives no finite numbers for it."""
    model = build_bert_model(release[0])
    token_ids = np.array([[5, 99, 7]], 'int32')
    try:
        output = model.predict([token_ids, 0 * token_ids])
    except Exception:  # the engine's own class
        return
    assert not np.isfinite(output).any()


def test_arguments_that_mean_nothing(release):
    """An unknown application, or albert=True on a BERT."""
    with pytest.raises(ValueError, match='application must be one of encoder, lm, seq2seq'):
        build_bert_model(release[0], application='unilm')
    with pytest.raises(ValueError, match='albert=True'):
        build_bert_model(release[0], albert=True)
    with pytest.raises(ValueError, match='call build'):
        BertModel(release[1]).save_weights_as_checkpoint('nowhere')


# ------------------------------------------------------------------ around a Keras model

@pytest.mark.slow
@pytest.mark.parametrize('application, heads', [('encoder', {}), ('seq2seq', {'with_mlm': True}),
                                                ('lm', {'with_nsp': True, 'with_mlm': True})])
def test_from_keras_model_knows_the_config(release, tmp_path, application, heads):
    """The config, heads and application are read off the layers; the checkpoint saved is the one loaded."""
    directory, config, variables = release
    model = build_bert_model(directory, application=application, **heads)
    bert = BertModel.from_keras_model(model)
    assert {name: bert.config[name] for name in config} == config
    assert bert.application == application and bert.with_mlm == heads.get('with_mlm', False)
    prefix = os.path.join(str(tmp_path), 'again.ckpt')
    bert.save_weights_as_checkpoint(prefix)
    written = open_checkpoint(prefix)
    assert len(written) == 5 + 16 * 2 + 4 * ('with_nsp' in heads) + 5 * ('with_mlm' in heads)
    for name in written:
        np.testing.assert_array_equal(written[name], variables[name], err_msg=name)


def test_from_keras_model_of_something_else():
    """A model without the layers of a BERT is an error that names the first one missing."""
    inputs = keras.layers.Input(shape=(3,))
    with pytest.raises(ValueError, match='it has no layer Embedding-Token'):
        BertModel.from_keras_model(keras.models.Model(inputs, keras.layers.Dense(2)(inputs)))


@pytest.mark.skipif(not hasattr(os, 'fspath'), reason='this Python takes no objects for paths')
@pytest.mark.slow
def test_paths_may_be_objects(release, tmp_path):
    """save_weights_as_checkpoint and save_release take what pathlib makes, and so does what loads them."""
    directory, _, _ = release
    bert = build_bert_model(directory, return_keras_model=False)
    bert.save_weights_as_checkpoint(tmp_path / 'a.ckpt')
    bert.save_release(tmp_path / 'release', vocab_path=type(tmp_path)(directory) / 'vocab.txt')
    assert build_bert_model(tmp_path / 'release', tmp_path / 'a.ckpt').output_shape == (None, None, 32)
    assert find_release(tmp_path / 'release' / 'bert_model.ckpt').vocab_path == str(tmp_path / 'release' / 'vocab.txt')


def test_what_is_compiled_computes_with_the_weights_of_now(release):
    """`backend.compiled` gives what predict_on_batch does, of batches of any shape, before and after training."""
    model = build_bert_model(release[0])
    run = backend.compiled(model)
    for factor in (1.0, 0.5):
        model.set_weights([factor * weight for weight in model.get_weights()])
        for shape in ((2, 5), (3, 9)):
            ids = [np.ones(shape, 'int32'), np.zeros(shape, 'int64')]
            expected = model.predict_on_batch(ids)
            np.testing.assert_allclose(np.asarray(run(ids)), expected, atol=ROUNDING)
    assert np.abs(expected).max() > 0.1
