# -*- coding: utf-8 -*-
"""Tests of bert4keras.families: configs, the tables of names, the files of a release."""
from __future__ import absolute_import, division, print_function

import io
import json
import logging
import os
import shutil

import numpy as np
import pytest

from bert4keras import backend, tensor_bundle
from bert4keras.backend import keras
from bert4keras.bert import BertModel, build_bert_model
from bert4keras.checkpoint import CheckpointError, open_checkpoint, save_checkpoint
from bert4keras.commands import convert, inspect, verify
from bert4keras.families import (ConfigError, activation_name, find_release, hugging_face_names, layer_variables,
                                 open_variables, read_config, strip_transposed)
from bert4keras.layers import BertDense
from bert4keras.release.config import longest_row
from bert4keras.tokenizer import VocabularyError, load_vocab, save_vocab
from bert4keras.tokenizer_files import load_tokenizer
from tests.helpers.releases import (ALBERT_CONFIG, ALBERT_ZH_CONFIG, CONFIG, ROBERTA_CONFIG, make_release, random_ids,
                                    random_variables, shapes)

CONFIGS = {'bert': dict(CONFIG, num_hidden_layers=2), 'albert': ALBERT_CONFIG, 'albert_zh': ALBERT_ZH_CONFIG,
           'roberta': ROBERTA_CONFIG}
TITLES = {'bert': 'a BERT', 'albert': 'an ALBERT', 'albert_zh': 'an original albert_zh', 'roberta': 'a RoBERTa'}
VOCAB = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + ['word%d' % number for number in range(94)]
HEADS = {'with_nsp': True, 'with_mlm': True}


@pytest.fixture(scope='module')
def families(tmp_path_factory):
    """{family: (directory, config, variables)} of a release of each, in the layout that it was published in."""
    made = {}
    for name, config in CONFIGS.items():
        directory = str(tmp_path_factory.mktemp(name))
        made[name] = (directory,) + make_release(directory, config=config, vocab=VOCAB)
    return made


def checkpoint_of(directory):
    """The open checkpoint of a release."""
    return open_checkpoint(find_release(directory).checkpoint_path)


def touch(directory, *names):
    """Makes empty files; returns the directory as text."""
    for name in names:
        io.open(os.path.join(str(directory), name), 'w').close()
    return str(directory)


@pytest.mark.parametrize('family', ['bert', 'albert', 'roberta'])
def test_the_table_has_every_variable_once(family):
    """Google's names of a whole model, each with a Hugging Face name of its own."""
    names = hugging_face_names(CONFIGS[family])
    assert set(names) == set(shapes(CONFIGS[family]))
    assert len(set(strip_transposed(own) for own in names.values())) == len(names)


def test_names_and_defaults_that_are_known():
    """Of each kind of variable one, written out: a swap that loading and saving share is no rounding."""
    names = hugging_face_names(read_config(CONFIGS['bert']))
    block, own = 'bert/encoder/layer_1/', 'bert.encoder.layer.1.'
    assert names[block + 'attention/output/LayerNorm/gamma'] == own + 'attention.output.LayerNorm.weight'
    assert names[block + 'attention/output/LayerNorm/beta'] == own + 'attention.output.LayerNorm.bias'
    assert names[block + 'output/LayerNorm/gamma'] == own + 'output.LayerNorm.weight'
    assert names[block + 'output/LayerNorm/beta'] == own + 'output.LayerNorm.bias'
    assert names[block + 'attention/output/dense/kernel'] == own + 'attention.output.dense.weight.T'
    assert names[block + 'output/dense/bias'] == own + 'output.dense.bias'
    assert names['cls/predictions/output_bias'] == 'cls.predictions.bias'
    names = layer_variables(CONFIGS['bert'])
    assert names['Encoder-2-MultiHeadSelfAttention-Norm'] == [block + 'attention/output/LayerNorm/gamma',
                                                              block + 'attention/output/LayerNorm/beta']
    assert names['Encoder-2-FeedForward-Norm'] == [block + 'output/LayerNorm/gamma', block + 'output/LayerNorm/beta']
    names = hugging_face_names(read_config(CONFIGS['albert']))
    group = 'bert/encoder/transformer/group_0/inner_group_0/'
    own = 'albert.encoder.albert_layer_groups.0.albert_layers.0.'
    assert names[group + 'LayerNorm/gamma'] == own + 'attention.LayerNorm.weight'
    assert names[group + 'LayerNorm_1/gamma'] == own + 'full_layer_layer_norm.weight'
    names = hugging_face_names(read_config(CONFIGS['roberta']))
    assert names['roberta/encoder/layer_1/output/LayerNorm/gamma'] == 'roberta.encoder.layer.1.output.LayerNorm.weight'
    assert names['cls/predictions/transform/LayerNorm/gamma'] == 'lm_head.layer_norm.weight'
    assert names['cls/predictions/transform/dense/kernel'] == 'lm_head.dense.weight.T'
    assert names['cls/predictions/output_bias'] == 'lm_head.bias'
    sizes = {field: CONFIGS['bert'][field] for field in CONFIGS['bert'] if not field.endswith(('_prob', '_range'))}
    config = read_config(sizes)
    assert {field: config[field] for field in config if field not in sizes} == {
        'hidden_dropout_prob': 0.1, 'attention_probs_dropout_prob': 0.1, 'initializer_range': 0.02,
        'layer_norm_eps': 1e-12, 'pad_token_id': 0, 'model_type': 'bert', 'embedding_size': 32}


@pytest.mark.parametrize('family', sorted(CONFIGS))
def test_every_variable_is_a_weight_of_one_layer(family):
    """The layers' table has each variable of a release exactly once."""
    names = [strip_transposed(name) for own in layer_variables(CONFIGS[family]).values() for name in own]
    assert sorted(names) == sorted(shapes(CONFIGS[family]))


@pytest.mark.parametrize('family', ['bert', 'albert', 'roberta'])
@pytest.mark.parametrize('spelling', ['prefix', 'no prefix', 'gamma', 'sharded'])
def test_variables_of_either_layout_are_the_same(tmp_path, family, spelling):
    """Hugging Face's files, in every spelling, seen through the table, have Google's names and values."""
    pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    config, variables = read_config(CONFIGS[family]), random_variables(CONFIGS[family])
    own, names = {}, hugging_face_names(config, '' if spelling == 'no prefix' else None)
    for google, name in names.items():
        if spelling == 'gamma':
            name = name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta')
        # PyTorch's linear layers hold [out, in], TensorFlow's dense ones [in, out]; nothing else is turned
        value = variables[google]
        own[strip_transposed(name)] = np.ascontiguousarray(value.T) if google.endswith('/kernel') else value
    path = os.path.join(str(tmp_path), 'model.safetensors')
    save_checkpoint(path, own)
    if spelling == 'sharded':
        path = shard(str(tmp_path), own)
    seen = open_variables(path, config)
    assert set(seen) == set(variables) and not seen.unnamed
    for name, value in variables.items():
        assert seen.shape(name) == value.shape
        np.testing.assert_array_equal(seen[name], value)
        np.testing.assert_array_equal(seen[name + '.T'], value.T)


def shard(directory, variables):
    """Writes variables as two safetensors files; returns the path of their index."""
    os.remove(os.path.join(directory, 'model.safetensors'))
    names, weight_map = sorted(variables), {}
    for number, part in ((1, names[:7]), (2, names[7:])):
        name = 'model-0000%d-of-00002.safetensors' % number
        save_checkpoint(os.path.join(directory, name), {key: variables[key] for key in part})
        weight_map.update({key: name for key in part})
    path = os.path.join(directory, 'model.safetensors.index.json')
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps({'metadata': {}, 'weight_map': weight_map}))
    return path


def test_which_norm_of_albert_follows_what():
    """The one without a suffix follows attention, LayerNorm_1 the feed-forward (google-research/albert).

    A table that swaps them swaps them for transformers too, so only Google's code, and this, can tell.
    """
    group = 'bert/encoder/transformer/group_0/inner_group_0/'
    layers, names = layer_variables(ALBERT_CONFIG), hugging_face_names(ALBERT_CONFIG, '')
    for layer, norm, own in (('MultiHeadSelfAttention', 'LayerNorm', 'attention.LayerNorm'),
                             ('FeedForward', 'LayerNorm_1', 'full_layer_layer_norm')):
        assert layers['Encoder-1-%s-Norm' % layer] == [group + norm + '/gamma', group + norm + '/beta']
        assert names[group + norm + '/beta'] == 'encoder.albert_layer_groups.0.albert_layers.0.%s.bias' % own


# ------------------------------------------------------------------ the official releases

def test_every_official_bert_variable_has_a_place(official):
    """The genuine table of contents of Google's Chinese BERT: exactly the variables of its config."""
    path = os.path.join(official, 'google_bert_zh')
    config = read_config(os.path.join(path, 'bert_config.json'))
    checkpoint = open_checkpoint(os.path.join(path, 'bert_model.ckpt'))
    assert {name: checkpoint.shape(name) for name in checkpoint} == shapes(config)


@pytest.mark.parametrize('name, family, training_state', [
    ('google_albert_base_zh', 'albert', 1), ('albert_tiny_zh_google', 'albert', 65),
    ('brightmart_albert_tiny_zh_original', 'albert_zh', 0), ('keras_bert_toy', 'bert', 93),
    pytest.param('google_bert_zh', 'bert', 0, marks=pytest.mark.slow)])
def test_every_genuine_index_fits_the_model_of_its_config(official, name, family, training_state):
    """Each variable becomes a weight of its shape, or is training state; none is left over, none missing."""
    release = find_release(os.path.join(official, name))
    bert = BertModel(release.config_path, **HEADS)
    bert.loading = frozenset(bert.variable_names())
    bert.build()
    variables = open_variables(release.checkpoint_path, bert.config)
    assert bert.family.name == family
    for weight, variable in bert._weights():
        bert._check_variable(variables, variable, weight.shape)
    ignored, unexpected = variables.unread([variable for _, variable in bert._weights()])
    assert not unexpected and len(ignored) == training_state
    assert all('/adam_' in variable or variable == 'global_step' for variable in ignored)
    assert len(ignored) + len(list(bert._weights())) == len(variables.checkpoint)


def test_a_number_of_layers_can_be_given(official):
    """Some albert_zh configs say 1 layer; a mapping with another number overrides it, for the same weights."""
    release = find_release(os.path.join(official, 'albert_tiny_zh_google'))
    config = read_config(release.config_path)
    assert config['num_hidden_layers'] == 1
    bert = BertModel(dict(config, num_hidden_layers=4))
    bert.loading = frozenset(bert.variable_names())
    bert.build()
    blocks = [weight for weight, name in bert._weights() if '/inner_group_0/' in name]
    assert len(blocks) == 16 and len(open_variables(release.checkpoint_path, bert.config)) == 97


# ------------------------------------------------------------------ which family it is

@pytest.mark.parametrize('checkpoint', sorted(CONFIGS))
@pytest.mark.parametrize('config', sorted(CONFIGS))
def test_a_checkpoint_with_the_config_of_another_family_never_loads(families, checkpoint, config):
    """Every pair of two families: an error that names both, before anything is built."""
    path = find_release(families[checkpoint][0]).checkpoint_path
    if checkpoint == config:
        assert set(open_variables(path, read_config(CONFIGS[config]))) == set(families[checkpoint][2])
        return
    with pytest.raises(CheckpointError) as error:
        build_bert_model(CONFIGS[config], path)
    assert 'holds %s, but the config is of %s.' % (TITLES[checkpoint], TITLES[config]) in str(error.value)


@pytest.mark.parametrize('checkpoint, config, prefix', [
    ('bert', 'albert', None), ('bert', 'albert', ''), ('albert', 'bert', None), ('albert', 'bert', ''),
    ('albert', 'albert_zh', None), ('albert', 'albert_zh', ''), ('roberta', 'bert', None), ('bert', 'roberta', None)])
def test_so_in_the_layout_of_hugging_face(tmp_path, checkpoint, config, prefix):
    """The same of safetensors, with and without the prefix."""
    pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    path = os.path.join(str(tmp_path), 'model.safetensors')
    names = hugging_face_names(CONFIGS[checkpoint], prefix)
    save_checkpoint(path, {strip_transposed(name): np.zeros(1, 'float32') for name in names.values()})
    with pytest.raises(CheckpointError, match='holds %s, but' % TITLES[checkpoint]):
        build_bert_model(CONFIGS[config], path)


@pytest.mark.slow
@pytest.mark.parametrize('family', sorted(CONFIGS))
def test_albert_true_and_false_insist(families, family):
    """albert= that contradicts the files is an error that names the family; else it changes nothing."""
    directory, right = families[family][0], family.startswith('albert')
    with pytest.raises(ConfigError, match='albert=%r, but the config is of %s' % (not right, TITLES[family])):
        build_bert_model(directory, albert=not right)
    assert build_bert_model(directory, albert=right) is not None


def test_a_checkpoint_of_two_models_lists_them(tmp_path):
    """Which one is meant is not guessed."""
    path = os.path.join(str(tmp_path), 'model.ckpt')
    save_checkpoint(path, dict(random_variables(CONFIGS['bert']), **random_variables(ALBERT_CONFIG)))
    with pytest.raises(CheckpointError, match='holds more than one model: a BERT .* and an ALBERT '):
        open_variables(path, CONFIG)


@pytest.mark.parametrize('extra, message', [
    ('bert/encoder/transformer/group_1/inner_group_0/ffn_1/intermediate/dense/bias', 'several hidden or inner groups'),
    ('bert/encoder/transformer/group_0/inner_group_1/LayerNorm_2/beta', 'several hidden or inner groups'),
    ('albert.encoder.albert_layer_groups.0.albert_layers.1.ffn.bias', 'several hidden or inner groups'),
    ('encoder.layer.0.attention.self.distance_embedding.weight', 'relative positions'),
    ('encoder.layer.0.crossattention.self.key.bias', 'cross-attention')])
def test_what_computes_something_else_is_refused_by_name(tmp_path, extra, message):
    """Variables of a model that is not built here, whatever the config says."""
    path = os.path.join(str(tmp_path), 'model.ckpt')
    save_checkpoint(path, dict(random_variables(ALBERT_CONFIG), **{extra: np.zeros(3, 'float32')}))
    if extra.startswith('encoder.'):  # as PyTorch has it
        save_checkpoint(path, {extra: np.zeros(3, 'float32'), 'encoder.layer.0.output.dense.bias': np.zeros(3, 'f')})
    elif extra.startswith('albert.'):
        save_checkpoint(path, {extra: np.zeros(3, 'float32'), extra.replace('layers.1', 'layers.0'): np.zeros(3, 'f')})
    with pytest.raises(CheckpointError, match='of a model with %s, .* it has %s' % (message, extra)):
        open_variables(path, CONFIG if extra.startswith('encoder.') else ALBERT_CONFIG)


def test_an_untied_head_is_refused():
    """tie_word_embeddings: false means another MLM head than the one built; the encoder is the same."""
    config = dict(CONFIG, tie_word_embeddings=False)
    with pytest.raises(ConfigError, match='tie_word_embeddings'):
        BertModel(config, with_mlm=True)
    assert BertModel(config).family.name == 'bert'


def test_a_checkpoint_of_another_kind_is_refused(tmp_path):
    """No family known here: the error says what was looked for and what is there."""
    path = os.path.join(str(tmp_path), 'model.ckpt')
    save_checkpoint(path, {'generator/dense/kernel': np.zeros((2, 3), 'float32')})
    with pytest.raises(CheckpointError, match='no model that is known here.*layer_shared.*generator/dense/kernel'):
        open_variables(path, CONFIG)


# ------------------------------------------------------------------ both ways

@pytest.mark.parametrize('family', ['albert', pytest.param('albert_zh', marks=pytest.mark.slow), 'roberta'])
def test_the_weights_go_back_to_where_they_came_from(families, tmp_path, family):
    """Saved as a checkpoint and as a Keras model: the tensors, the config and the outputs of the original."""
    directory, config, variables = families[family]
    heads = dict(with_pool=True, with_mlm=True) if family == 'roberta' else HEADS
    bert = build_bert_model(directory, return_keras_model=False, **heads)
    prefix = os.path.join(str(tmp_path), 'saved.ckpt')
    bert.save_weights_as_checkpoint(prefix)
    written = open_checkpoint(prefix)
    assert {name: written[name].tobytes() for name in written} == {
        name: value.tobytes() for name, value in variables.items()}
    path = os.path.join(str(tmp_path), 'model' + backend.MODEL_SUFFIX)
    bert.model.save(path)
    again = BertModel.from_keras_model(keras.models.load_model(path, compile=False))
    assert again.config == {field: bert.config[field] for field in again.config}
    assert {name: value.tobytes() for name, value in again.get_variables().items()} == {
        name: value.tobytes() for name, value in variables.items()}
    ids = list(random_ids(config))
    for ours, theirs in zip(again.model.predict(ids), bert.model.predict(ids)):
        np.testing.assert_array_equal(ours, theirs)


def test_convert_albert_there_and_back(families, tmp_path):
    """ALBERT to Hugging Face's layout and back: every tensor, training state and unknown ones included."""
    pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    source, there, back = [os.path.join(str(tmp_path), name) for name in ('source', 'there', 'back')]
    os.mkdir(source)
    _, variables = make_release(source, config=ALBERT_CONFIG)
    variables = dict(variables, global_step=np.array(7), **{'bert/pooler/dense/bias/adam_v': np.ones(32, 'float16')})
    save_checkpoint(os.path.join(source, 'albert_model.ckpt'), variables)
    assert convert(source, there) == 'hugging-face' and convert(there, back) == 'tensorflow'
    assert sorted(os.listdir(back))[0] == 'albert_config.json'
    returned = checkpoint_of(back)
    assert {name: (returned[name].tobytes(), returned.dtype(name)) for name in returned} == {
        name: (value.tobytes(), value.dtype.name) for name, value in variables.items()}
    with io.open(os.path.join(there, 'config.json'), encoding='utf-8') as stream:
        assert json.load(stream) == dict(ALBERT_CONFIG, model_type='albert')


def test_an_xlm_r_goes_there_and_back(families, tmp_path):
    """Hugging Face's names without the model's, which are BERT's too, are read by the config; it keeps its own."""
    pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    source, there, back = [os.path.join(str(tmp_path), name) for name in ('source', 'there', 'back')]
    os.mkdir(source)
    config, variables = dict(ROBERTA_CONFIG, model_type='xlm-roberta', pad_token_id=None), families['roberta'][2]
    own = {strip_transposed(name): np.ascontiguousarray(
        variables[google].T if google.endswith('/kernel') else variables[google])
        for google, name in hugging_face_names(config, '').items()}
    own['lm_head.decoder.bias'] = own['lm_head.bias']
    save_checkpoint(os.path.join(source, 'model.safetensors'), own)
    with io.open(os.path.join(source, 'config.json'), 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps(config))
    assert read_config(config)['pad_token_id'] == 1  # that of fairseq, where the config does not say
    assert convert(source, there) == 'tensorflow' and convert(there, back) == 'hugging-face'
    written = checkpoint_of(there)
    assert set(written) == set(variables) | {'lm_head.decoder.bias'}
    assert all(written[name].tobytes() == variables[name].tobytes() for name in variables)
    assert {name.replace('roberta.', ''): value.tobytes() for name, value in checkpoint_of(back).items()} == {
        name: value.tobytes() for name, value in own.items()}
    with io.open(os.path.join(back, 'config.json'), encoding='utf-8') as stream:
        assert json.load(stream) == config


@pytest.mark.parametrize('options, part', [
    ({'with_nsp': True}, 'without with_nsp'), ({'application': 'lm'}, "application='lm'"),
    ({'keep_words': [2, 0, 1, 7]}, 'let keep_words begin with 0 to 2')])
def test_what_a_roberta_is_not_built_for(options, part):
    """It has no next sentence; and positions are counted from the id of padding, which keeps its place."""
    with pytest.raises(ValueError, match=part):
        build_bert_model(ROBERTA_CONFIG, **options)


def test_a_roberta_without_positions_is_an_error():
    """Those up to the id of padding are of no token."""
    with pytest.raises(ConfigError, match='leaves out the first 3'):
        read_config(dict(ROBERTA_CONFIG, max_position_embeddings=3))
    assert longest_row(read_config(ROBERTA_CONFIG)) == 14 and longest_row(read_config(CONFIG)) == 17


def test_original_albert_zh_has_no_hugging_face_layout(families, tmp_path):
    """Its two tables have no place there: the error says so, and nothing is written."""
    pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    with pytest.raises(CheckpointError, match='an original albert_zh has no place in Hugging Face'):
        convert(families['albert_zh'][0], os.path.join(str(tmp_path), 'there'), layout='hugging-face')
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize('family', ['albert', 'albert_zh'])
def test_tensorflow_reads_what_was_saved(families, tmp_path, family):
    """TensorFlow's own reader gives the tensors of a converted release."""
    tensorflow = pytest.importorskip('tensorflow', reason='TensorFlow is not in this row')
    there = os.path.join(str(tmp_path), 'there')
    convert(families[family][0], there, layout='tensorflow')
    reader = tensorflow.train.load_checkpoint(os.path.join(there, 'albert_model.ckpt'))
    assert set(reader.get_variable_to_shape_map()) == set(families[family][2])
    for name, value in families[family][2].items():
        assert reader.get_tensor(name).tobytes() == value.tobytes(), name


@pytest.mark.slow
@pytest.mark.parametrize('family, blocks', [('albert', '1'), ('albert_zh', '1'), ('roberta', '12')])
def test_inspect_and_verify_know_the_family(families, family, blocks):
    """inspect gives each variable one place, in the one block; verify compares every application of it."""
    directory, config, variables = families[family]
    found = inspect(directory)
    assert found.family.name == family and len({row.place for row in found.rows}) == len(variables)
    assert {row.place.split('-')[1] for row in found.rows if row.place.startswith('Encoder')} == set(blocks)
    rows = verify(directory, batch=2, length=50)
    assert [row.name for row in rows if row.name.endswith('FeedForward-Norm')] == [
        'Encoder-%d-FeedForward-Norm' % (index + 1) for index in range(config['num_hidden_layers'])]
    assert all(row.difference <= row.tolerance for row in rows), rows


@pytest.mark.slow
@pytest.mark.parametrize('family', ['bert', 'albert', 'albert_zh'])
def test_a_pruned_model_is_saved_with_its_vocabulary_and_loads_again(families, tmp_path, family):
    """keep_words: config, weights and vocabulary of the words that were kept, and the same outputs."""
    directory, config, variables = families[family]
    keep_words = [7, 2, 0, 3, 71, 5, 98]
    bert = build_bert_model(directory, keep_words=keep_words, with_mlm=True, return_keras_model=False, gelu='tanh')
    there = os.path.join(str(tmp_path), 'there')
    bert.save_release(there, vocab_path=os.path.join(directory, 'vocab.txt'))
    assert list(load_vocab(os.path.join(there, 'vocab.txt'))) == [VOCAB[word] for word in keep_words]
    again = build_bert_model(there, with_mlm=True, return_keras_model=False)
    assert again.config['vocab_size'] == 7 and again.config['pad_token_id'] == 2
    np.testing.assert_array_equal(checkpoint_of(there)['bert/embeddings/word_embeddings'],
                                  variables['bert/embeddings/word_embeddings'][keep_words])
    ids = list(random_ids(dict(config, vocab_size=7)))
    np.testing.assert_array_equal(again.model.predict(ids), bert.model.predict(ids))


@pytest.mark.slow
def test_what_cannot_be_saved_as_a_release(families, tmp_path):
    """A vocabulary of another model, one that cannot be cut, a directory with another config: errors."""
    there = os.path.join(str(tmp_path), 'there')
    bert = BertModel(CONFIGS['bert'], keep_words=[0, 5])
    bert.build()
    for name, content, message in (('short.txt', u'[PAD]\n[UNK]\n', 'has 2 tokens, but the model was built from 99'),
                                   ('30k-clean.model', u'', 'is a SentencePiece model')):
        path = os.path.join(str(tmp_path), name)
        with io.open(path, 'w') as stream:
            stream.write(content)
        with pytest.raises(VocabularyError, match=message):
            bert.save_release(there, vocab_path=path)
    assert os.listdir(there) == []
    io.open(os.path.join(there, 'config.json'), 'w').close()
    with pytest.raises(ConfigError, match='more than one config: bert_config.json, config.json'):
        bert.save_release(there)
    assert os.listdir(there) == ['config.json']


@pytest.mark.slow
def test_a_release_is_saved_over_itself(tmp_path):
    """Saved to where it came from: the new weights under the old names, and nothing else left there."""
    config, variables = make_release(tmp_path, vocab_size=7, vocab=VOCAB[:7])
    vocab_path = os.path.join(str(tmp_path), 'vocab.txt')
    names = os.listdir(str(tmp_path))
    bert = build_bert_model(str(tmp_path), with_mlm=True, with_pool=True, with_nsp=True, return_keras_model=False)
    bert.model.set_weights([weight + 1 for weight in bert.model.get_weights()])
    bert.save_release(str(tmp_path), vocab_path=vocab_path)
    assert sorted(os.listdir(str(tmp_path))) == sorted(names)
    found = checkpoint_of(str(tmp_path))
    for name, value in variables.items():
        np.testing.assert_array_equal(found[name], value + 1)
    too_many = os.path.join(str(tmp_path), 'vocabulary.txt')
    with io.open(too_many, 'w', encoding='utf-8') as stream:
        stream.write(u'\n'.join(VOCAB[:8]))
    with pytest.raises(VocabularyError, match='has 8 tokens, but the model has 7'):
        bert.save_release(str(tmp_path), vocab_path=too_many)


@pytest.mark.slow
def test_a_vocabulary_of_any_name_is_found_again(tmp_path):
    """v.txt is saved as vocab.txt, and the tokenizer's settings that are beside it go along."""
    there, path = os.path.join(str(tmp_path), 'there'), os.path.join(str(tmp_path), 'v.txt')
    save_vocab(path, {token: number for number, token in enumerate(VOCAB)})
    with io.open(os.path.join(str(tmp_path), 'tokenizer_config.json'), 'w') as stream:
        stream.write(u'{"model_max_length": 77, "tokenizer_class": "BertTokenizer"}')
    bert = BertModel(CONFIGS['bert'])
    bert.build()
    bert.save_release(there, vocab_path=path)
    tokenizer = load_tokenizer(there)
    assert tokenizer.model_max_length == 77 and tokenizer.ids_to_tokens(range(99)) == VOCAB
    assert os.path.exists(os.path.join(there, 'vocab.txt')) and not os.path.exists(os.path.join(there, 'v.txt'))


# ------------------------------------------------------------------ types of weights

def save_bfloat16(prefix, variables):
    """Writes a TensorFlow checkpoint whose float32 variables are cut to bfloat16, which NumPy lacks."""
    halves = {name: (value.view('uint32') >> 16).astype('uint16') for name, value in variables.items()}
    save_checkpoint(prefix, halves)
    items, offset = [(b'', tensor_bundle.encode_header())], 0
    for name in halves:  # the type of uint16, 17, stands first in an entry; that of bfloat16 is 14
        raw = np.ascontiguousarray(halves[name]).reshape(-1).view(np.uint8)
        entry = tensor_bundle.encode_entry(halves[name], offset, raw)
        assert entry[:2] == b'\x08\x11'
        items.append((name.encode('utf-8'), b'\x08\x0e' + entry[2:]))
        offset += raw.size
    with io.open(prefix + '.index', 'wb') as stream:
        stream.write(tensor_bundle.encode_table(sorted(items)))


@pytest.mark.slow
@pytest.mark.parametrize('dtype', ['float16', 'float64', 'bfloat16'])
def test_other_floats_load_with_a_warning(tmp_path, caplog, dtype):
    """The values that are stored arrive as float32, and a warning says what they were stored as."""
    config, variables = CONFIGS['bert'], random_variables(CONFIGS['bert'])
    prefix = os.path.join(str(tmp_path), 'bert_model.ckpt')
    if dtype == 'bfloat16':
        save_bfloat16(prefix, variables)
        stored = {name: (value.view('uint32') >> 16 << 16).view('float32') for name, value in variables.items()}
    else:
        stored = {name: value.astype(dtype) for name, value in variables.items()}
        save_checkpoint(prefix, stored)
    with caplog.at_level(logging.WARNING):
        bert = build_bert_model(config, prefix, return_keras_model=False, **HEADS)
    assert 'holds %d variables in %s' % (len(variables), dtype) in caplog.text
    for name, value in bert.get_variables().items():
        np.testing.assert_array_equal(value, stored[name].astype('float32'), err_msg=name)


def test_integers_are_no_weights(tmp_path):
    """A quantised kernel is refused with its type, not loaded as the numbers that it holds."""
    variables = random_variables(CONFIGS['bert'])
    name = 'bert/encoder/layer_0/output/dense/kernel'
    prefix = os.path.join(str(tmp_path), 'bert_model.ckpt')
    save_checkpoint(prefix, dict(variables, **{name: variables[name].astype('int8')}))
    with pytest.raises(CheckpointError, match='layer_0/output/dense/kernel is of type int8|%s: %s is' % (prefix, name)):
        build_bert_model(CONFIGS['bert'], prefix)


# ------------------------------------------------------------------ ALBERT's model

@pytest.mark.slow
def test_hooks_work_on_albert(families):
    """Blocks and what is behind them are overridden as on BERT; the weights are loaded."""
    seen = []

    class Changed(BertModel):
        def transformer_block(self, x, mask, index):
            seen.append(index)
            return super(Changed, self).transformer_block(x, mask, index)

        def add_and_norm(self, x, y, name):  # shared as the block is
            y = self.layer(BertDense, name + '-Adapter', units=32)(y)
            return super(Changed, self).add_and_norm(x, y, name)

        def after_block(self, x, index):  # one for each application
            return self.layer(BertDense, 'After-%d' % index, units=32)(x)

    for family in ('albert', 'albert_zh'):
        del seen[:]
        directory, config, variables = families[family]
        bert = build_bert_model(directory, model=Changed, return_keras_model=False)
        assert seen == [0, 1, 2]
        names = {layer.name for layer in bert.model.layers if isinstance(layer, BertDense)}
        assert names - set(layer_variables(bert.config)) == {
            'After-0', 'After-1', 'After-2', 'Encoder-1-FeedForward-Adapter',
            'Encoder-1-MultiHeadSelfAttention-Adapter'}
        for name, value in bert.get_variables().items():
            np.testing.assert_array_equal(value, variables[name], err_msg=name)


BASE = dict(vocab_size=30000, embedding_size=128, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
            intermediate_size=3072, max_position_embeddings=512, type_vocab_size=2, hidden_act='gelu',
            num_hidden_groups=1)


def build_with_zeros(config):
    """The Keras model of a config, without the time and memory that random weights take."""
    bert = BertModel(config)
    bert.loading = frozenset(bert.variable_names())
    return bert.build()


@pytest.mark.slow
def test_albert_base_has_the_weights_of_one_block():
    """Twelve blocks of ALBERT-base hold what one does."""
    block = 4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768
    expected = (30000 + 512 + 2) * 128 + 2 * 128 + 128 * 768 + 768 + block
    assert build_with_zeros(BASE).count_params() == expected


@pytest.mark.slow
@pytest.mark.parametrize('changes, millions', [
    ({}, 11), ({'hidden_size': 4096, 'num_attention_heads': 64, 'intermediate_size': 16384}, 205)])
def test_albert_base_and_xxlarge_compute(changes, millions):
    """From 768 wide to 4096 with 64 heads: the size that the paper states, and an output."""
    model = build_with_zeros(dict(BASE, **changes))
    assert model.count_params() // 1000000 == millions
    ids = np.ones((1, 3), 'int32')
    assert model.predict([ids, 0 * ids]).shape == (1, 3, dict(BASE, **changes)['hidden_size'])


@pytest.mark.slow
def test_bert_large_builds():
    """24 blocks, 1024 wide."""
    config = dict(BASE, hidden_size=1024, embedding_size=1024, num_attention_heads=16, intermediate_size=4096,
                  num_hidden_layers=24, model_type='bert')
    assert build_with_zeros(config).count_params() // 1000000 == 333


# ------------------------------------------------------------------ files

@pytest.mark.parametrize('files, expected', [
    (['bert_config.json', 'bert_model.ckpt.index', 'bert_model.ckpt.data-00000-of-00001', 'vocab.txt'],
     ('bert_config.json', 'bert_model.ckpt', 'vocab.txt')),
    (['config.json', 'model.safetensors', 'vocab.txt', 'tokenizer.json'],
     ('config.json', 'model.safetensors', 'vocab.txt')),
    (['config.json', 'model.safetensors.index.json', 'model-00001-of-00002.safetensors'],
     ('config.json', 'model.safetensors.index.json', None)),
    (['bert_config_tiny.json', 'model.ckpt-1000.index', 'vocab_chinese.txt'],
     ('bert_config_tiny.json', 'model.ckpt-1000', 'vocab_chinese.txt')),
    (['albert_config.json', 'model.ckpt-best.index', 'model.ckpt-best.meta', '30k-clean.model', '30k-clean.vocab'],
     ('albert_config.json', 'model.ckpt-best', '30k-clean.model')),
    (['albert_config_tiny_g.json', 'albert_model.ckpt.index', 'checkpoint', 'vocab.txt'],
     ('albert_config_tiny_g.json', 'albert_model.ckpt', 'vocab.txt')),
    (['config.json', 'model.safetensors', 'spiece.model', 'pytorch_model.bin'],
     ('config.json', 'model.safetensors', 'spiece.model')),
])
def test_the_files_of_a_release(tmp_path, files, expected):
    """Config, weights and vocabulary are found by name, in the layouts that releases have."""
    directory = touch(tmp_path, *files)
    assert find_release(directory) == tuple(name and os.path.join(directory, name) for name in expected)


def test_a_prefix_with_its_config_beside_it(tmp_path):
    """A checkpoint's prefix names the weights; config and vocabulary are its neighbours."""
    directory = touch(tmp_path, 'bert_config.json', 'a.ckpt.index', 'b.ckpt.index', 'vocab.txt')
    release = find_release(os.path.join(directory, 'b.ckpt'))
    assert release.checkpoint_path == os.path.join(directory, 'b.ckpt')
    assert release.vocab_path == os.path.join(directory, 'vocab.txt')


@pytest.mark.parametrize('files, error, message', [
    ([], ConfigError, 'has no config, a file like bert_config'),
    (['bert_config.json'], CheckpointError, r'has no checkpoint, a file like .*; it has: bert_config.json'),
    (['bert_config.json', 'config.json', 'a.ckpt.index'], ConfigError,
     'more than one config: bert_config.json, config.json'),
    (['config.json', 'a.ckpt.index', 'model.safetensors'], CheckpointError,
     'more than one checkpoint: a.ckpt.index, model.safetensors'),
    (['config.json', 'a.ckpt.index', 'vocab.txt', 'vocab_chinese.txt'], ConfigError, 'more than one vocabulary'),
    (['config.json', 'pytorch_model.bin'], CheckpointError, 'pytorch_model.bin. A .bin file is a pickle'),
])
def test_nothing_or_too_much_to_choose_from(tmp_path, files, error, message):
    """What is missing or ambiguous is an error that lists what is there."""
    with pytest.raises(error, match=message):
        find_release(touch(tmp_path, *files))


def test_no_such_directory(tmp_path):
    """A path that does not exist is an error that shows it."""
    with pytest.raises(CheckpointError, match='no checkpoint called .*nowhere'):
        find_release(os.path.join(str(tmp_path), 'nowhere'))


@pytest.mark.parametrize('content, message', [
    (b'', 'is not JSON'), (b'\xff\xfe{}', 'is not JSON in UTF-8'), (b'[1, 2]', 'holds a JSON list'),
    (b'{"vocab_size": NaN}', 'lacks hidden_size'), (b'[' * 100000, 'is not JSON'),
])
def test_a_config_that_is_damaged(tmp_path, content, message):
    """Whatever the bytes, a ConfigError with the file's name."""
    path = os.path.join(str(tmp_path), 'config.json')
    with io.open(path, 'wb') as stream:
        stream.write(content)
    with pytest.raises(ConfigError, match='config.json ' + message):
        read_config(path)


def test_a_config_that_cannot_be_opened(tmp_path):
    """A directory in its place, or a link to itself."""
    loop = os.path.join(str(tmp_path), 'loop.json')
    os.symlink(loop, loop)
    for path in (str(tmp_path), loop):
        with pytest.raises(ConfigError, match='cannot read the config'):
            read_config(path)


@pytest.mark.parametrize('hidden_act, gelu, expected', [
    ('gelu', None, 'gelu_erf'), ('gelu', 'tanh', 'gelu_tanh'), ('gelu_new', None, 'gelu_tanh'),
    ('gelu_pytorch_tanh', 'tanh', 'gelu_tanh'), ('swish', None, 'silu'), ('silu', None, 'silu'),
    ('relu', None, 'relu'), ('tanh', None, 'tanh'), ('linear', None, 'linear'),
])
def test_what_an_activation_means(hidden_act, gelu, expected):
    """Each hidden_act by the function it stands for."""
    assert activation_name(hidden_act, gelu) == expected


@pytest.mark.parametrize('hidden_act, gelu', [('gelu_new', 'erf'), ('relu', 'erf'), ('gelu', 'exact')])
def test_a_gelu_that_contradicts(hidden_act, gelu):
    """A gelu= that the config rules out, or that there is not."""
    with pytest.raises(ValueError, match='gelu'):
        activation_name(hidden_act, gelu)


# ------------------------------------------------------------------ hostile configs and directories

def test_a_field_that_is_there_twice_is_an_error(tmp_path):
    """Which of two is meant cannot be known: the field and the file are named."""
    path = os.path.join(str(tmp_path), 'bert_config.json')
    make_release(tmp_path, num_hidden_layers=1)
    with io.open(path, encoding='utf-8') as stream:
        text = stream.read()
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(text.replace(u'{', u'{"num_attention_heads": 8, ', 1))
    with pytest.raises(ConfigError, match='bert_config.json .*it has num_attention_heads twice'):
        read_config(path)


@pytest.mark.parametrize('value', [[1], {'a': 1}, None, 3])
def test_an_activation_that_is_no_text_is_an_error(value):
    """Lists and objects cannot be looked up in a table, which would be a TypeError."""
    with pytest.raises(ConfigError) as caught:
        read_config(dict(CONFIG, hidden_act=value))
    assert 'the config has hidden_act = ' in str(caught.value)


@pytest.mark.parametrize('path', [None, 1.5, b'\xff/nowhere', ['a'], 'a\0b'])
def test_something_that_is_no_path_is_an_error_of_ours(path):
    """A TypeError would say nothing about releases."""
    with pytest.raises(CheckpointError):
        find_release(path)
    with pytest.raises(CheckpointError):
        convert(path, 'nowhere')
    with pytest.raises(ConfigError):
        read_config(path)


def test_numbers_of_numpy_are_numbers():
    """A config whose sizes come from an array is taken, and can be written as JSON."""
    kinds = {int: np.int64, float: np.float32}
    sizes = {name: kinds.get(type(value), type(value))(value) for name, value in CONFIG.items()}
    config = read_config(sizes)
    assert config['hidden_size'] == 32 and json.loads(json.dumps(config))['vocab_size'] == 99
    with pytest.raises(ConfigError, match='vocab_size'):
        read_config(dict(sizes, vocab_size=np.bool_(True)))


@pytest.mark.skipif(os.name == 'nt', reason='needs pipes and devices')
def test_a_config_that_blocks_or_never_ends(tmp_path):
    """A pipe that nobody writes to, an endless device, a file of gigabytes: errors at once that name them."""
    pipe, sparse = [os.path.join(str(tmp_path), name) for name in ('pipe', 'sparse')]
    os.mkfifo(pipe)
    with io.open(sparse, 'wb') as stream:
        stream.truncate(1 << 33)
    for path, words in ((pipe, 'not a regular file'), ('/dev/zero', 'not a regular file'), (sparse, 'more than')):
        with pytest.raises(ConfigError, match=words) as caught:
            read_config(path)
        assert path in str(caught.value)


def test_hidden_files_are_of_no_release(tmp_path):
    """macOS puts a "._" file beside each file on a foreign disk."""
    make_release(tmp_path, num_hidden_layers=1)
    for name in ('bert_config.json', 'bert_model.ckpt.index', 'vocab.txt'):
        io.open(os.path.join(str(tmp_path), '._' + name), 'w').close()
    release = find_release(str(tmp_path))
    assert os.path.basename(release.config_path) == 'bert_config.json' and release.vocab_path is None
    assert os.path.basename(release.checkpoint_path) == 'bert_model.ckpt'


def test_one_of_several_files_may_be_given(tmp_path):
    """Of a directory with several configs, checkpoints or vocabularies the one that is meant, as text or as a Path."""
    make_release(tmp_path, num_hidden_layers=1, vocab=['a'])
    directory = str(tmp_path)
    whole = find_release(directory)
    for number, (name, other) in enumerate((('bert_config.json', 'bert_config_2.json'),
                                            ('bert_model.ckpt.index', 'bert_model.ckpt-2.index'),
                                            ('vocab.txt', 'vocab_2.txt'))):
        shutil.copy(os.path.join(directory, name), os.path.join(directory, other))
        for chosen in (name, other):
            for path in {os.path.join(directory, chosen), os.path.join(directory, chosen.replace('.index', ''))}:
                expected = list(whole)
                expected[number] = path.replace('.index', '')
                assert find_release(path) == tuple(expected)
                if hasattr(os, 'fspath'):
                    assert find_release(tmp_path / os.path.basename(path)) == tuple(expected)
        os.remove(os.path.join(directory, other))
