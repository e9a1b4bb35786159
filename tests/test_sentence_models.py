# -*- coding: utf-8 -*-
"""Directories of sentence-transformers: the vectors are that library's, and what is wrong with one is said.

parity/record_sentences.py made the directories, by sentence-transformers' own `save`, and recorded its vectors.
"""
from __future__ import absolute_import, division, print_function

import ast
import io
import logging
import os
import shutil

import numpy as np
import pytest

from bert4keras import embedding
from bert4keras.embedding import Embedder, encoder
from bert4keras.errors import CheckpointError, ConfigError, TextError
from tests.helpers.sentences import CASES, copy_changed, read_recorded, write_directories, write_json

pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
TOLERANCE = 2e-6  # float32, on vectors of O(1) from two layers


@pytest.fixture(scope='module')
def recorded():
    """{name: array} of what was recorded."""
    return read_recorded()


@pytest.fixture(scope='module')
def directories(recorded, tmp_path_factory):
    """The directory that has the recorded ones, as they were saved."""
    return write_directories(recorded, str(tmp_path_factory.mktemp('sentences')), CASES)


@pytest.fixture(scope='module')
def models():
    """The encoder, by the id that it pads with, each built once: its weights are those of every directory but one."""
    return {}


@pytest.fixture
def fresh_graph():
    """Takes the place of the one in conftest.py: here a model outlives a test."""


@pytest.fixture(autouse=True)
def built_once(models, monkeypatch):
    """Lets `load_model` build the encoder once; the tokenizer is read each time."""
    from bert4keras import bert
    build = bert.build_bert_model

    def once(config_path, checkpoint_path):
        pad = config_path['pad_token_id'] if isinstance(config_path, dict) else 0
        pad = 'xlm-roberta' if 'xlm-roberta' in str(config_path) else pad
        if pad not in models:
            models[pad] = build(config_path, checkpoint_path)
        return models[pad]
    monkeypatch.setattr(bert, 'build_bert_model', once)


@pytest.fixture
def changed(directories, tmp_path):
    """A function (case, file, fields) that copies a directory with other fields in a file, and returns its path."""
    def change(case, name, **fields):
        return copy_changed(os.path.join(directories, case), str(tmp_path / case), name, **fields)
    return change


def arguments(recorded, case, number):
    """Our arguments for those that were recorded."""
    asked = dict(ast.literal_eval(str(recorded['%s/asked/%d' % (case, number)])))
    names = {'truncate_dim': 'dimensions', 'normalize_embeddings': 'normalized'}
    return {names.get(name, name): asked[name] for name in asked}


@pytest.mark.parametrize('case', CASES)
def test_the_vectors_are_those_of_sentence_transformers(recorded, directories, case):
    """Of each directory, with each prompt and each number of dimensions that was asked."""
    embedder = Embedder(os.path.join(directories, case))
    texts = list(recorded['texts'])
    number = 0
    while '%s/vectors/%d' % (case, number) in recorded:
        expected = recorded['%s/vectors/%d' % (case, number)]
        found = embedder.encode(texts, **arguments(recorded, case, number))
        assert found.shape == expected.shape and found.dtype == np.float32
        assert np.abs(expected).max() > 0.3 and np.abs(found - expected).max() < TOLERANCE
        number += 1
    assert number
    first = recorded[case + '/vectors/0']
    similarity = embedder.similarity(first[:2], first)
    expected = recorded[case + '/similarity']
    assert np.abs(similarity - expected).max() < TOLERANCE * max(1, np.abs(expected).max())


def test_a_model_that_pads_with_another_id_than_its_tokenizer_is_an_error(directories):
    """The config of a multilingual one says 0, which is <s> to its tokenizer: every first token would be masked."""
    embedder = Embedder(os.path.join(directories, 'multilingual'))
    assert embedder.tokenizer.encode(u'word1 Word')[0] == [0, 21, 4, 8, 9, 3, 2]
    with pytest.raises(ValueError) as caught:
        embedding.embed(Embedder(os.path.join(directories, 'mean')).model, embedder.tokenizer, [u'word1'])
    assert 'pad_token_id=1' in str(caught.value)


def test_the_padding_of_an_xlm_r_must_be_its_tokenizer_s(changed):
    """Its positions are counted from there, so that another one is not taken as it is for a BERT."""
    with pytest.raises(ConfigError, match='has pad_token_id = 0, and the tokenizer beside it pads with 1'):
        Embedder(changed('xlm-roberta', 'config.json', pad_token_id=0))


def test_dimensions_alone_give_length_1_again(recorded, directories):
    """Where the directory normalizes; of one that does not, the numbers are only cut."""
    texts = list(recorded['texts'])
    cut = Embedder(os.path.join(directories, 'dense')).encode(texts, dimensions=3)
    assert np.abs(cut - recorded['dense/vectors/1']).max() < TOLERANCE
    cut = Embedder(os.path.join(directories, 'max')).encode(texts, dimensions=3)
    assert np.abs(cut - recorded['max/vectors/0'][:, :3]).max() < TOLERANCE


def test_another_model_in_an_embedder(recorded, directories):
    """What is computed is by the model that it has then, as that model gives it by itself; it is compiled once."""
    embedder, texts = Embedder(os.path.join(directories, 'cls')), list(recorded['texts'])
    before = embedder.encode(texts, max_length=9)
    forward = embedder._forward.of(embedder.model)
    assert embedder.encode(texts, max_length=9).tolist() == before.tolist()
    assert embedder._forward.of(embedder.model) is forward
    other = embedder.model.__class__.from_config(embedder.model.get_config())
    other.set_weights([0.5 * weight for weight in embedder.model.get_weights()])
    embedder.model = other
    after = embedder.encode(texts, max_length=9)
    expected = embedding.embed(embedder.model, embedder.tokenizer, texts, pooling='cls', max_length=9)
    assert np.abs(after - expected).max() < TOLERANCE and np.abs(after - before).max() > 0.01


def test_embed_takes_a_directory(recorded, directories):
    """By its path or as an Embedder; not beside what it brings itself."""
    path, texts = os.path.join(directories, 'cls'), list(recorded['texts'])
    embedder = Embedder(path)
    for found in (embedding.embed(path, texts), embedding.embed(embedder, texts=texts)):
        assert np.abs(found - recorded['cls/vectors/0']).max() < TOLERANCE
    assert np.abs(embedding.embed(path, texts, pooling='max', max_length=9)
                  - Embedder(os.path.join(directories, 'max')).encode(texts, max_length=9)).max() < TOLERANCE
    for arguments in ((path, embedder.tokenizer, texts), (embedder, texts, None, 'cls')):
        with pytest.raises(ValueError) as caught:
            embedding.embed(*arguments)
        assert 'leave them out' in str(caught.value)


def test_another_pooling_is_taken_and_said(recorded, directories, caplog):
    """`pooling` overrides with a word; without a need for one there is none."""
    with caplog.at_level(logging.WARNING):
        Embedder(os.path.join(directories, 'mean'), pooling='mean')
        assert not caplog.records
        embedder = Embedder(os.path.join(directories, 'mean'), pooling='cls+max')
    message, = [record.getMessage() for record in caplog.records]
    assert 'pooling by cls+max, as asked' in message and 'says mean' in message
    expected = np.concatenate([recorded[name + '/vectors/0'] for name in ('cls', 'max')], axis=1)
    short = [0, 1, 4]  # 'cls' was cut to 9 tokens
    assert np.abs(embedder.encode(list(recorded['texts'])) - expected)[short].max() < TOLERANCE


def test_a_mean_of_another_directory_is_said(directories, models, caplog):
    """embed(model, tokenizer, texts) does not know the directory; where that says otherwise there is a warning."""
    embedder = Embedder(os.path.join(directories, 'cls'))
    with caplog.at_level(logging.WARNING):
        embedding.embed(embedder.model, embedder.tokenizer, [u'word1'], 'mean')
        assert not caplog.records
        embedding.embed(embedder.model, embedder.tokenizer, [u'word1'])
    message, = [record.getMessage() for record in caplog.records]
    assert 'pooling by mean' in message and os.path.join(directories, 'cls') in message and 'otherwise (cls)' in message


def test_texts_are_cut_as_the_directory_says(directories, caplog, changed):
    """max_seq_length counts before the tokenizer's model_max_length; the number of texts that were cut is logged."""
    assert Embedder(os.path.join(directories, 'mean')).max_length == 21  # the positions
    assert Embedder(os.path.join(directories, 'cls')).max_length == 9  # of tokenizer_config.json
    directory = changed('cls', 'sentence_bert_config.json', max_seq_length=4)
    with caplog.at_level(logging.WARNING):
        vectors = Embedder(directory).encode([u'word1 word2 word3', u'word1 word2 word4', u'word1 word2'])
    assert '2 of 3 texts had more than 4 tokens' in caplog.text
    assert np.abs(vectors[0] - vectors[2]).max() < TOLERANCE


def test_texts_are_lower_cased_as_the_directory_says(changed):
    """do_lower_case of an older sentence_bert_config.json, whatever the tokenizer's files say; accents stay."""
    directory = changed('mean', 'tokenizer_config.json', do_lower_case=False)
    assert Embedder(directory).tokenizer.tokenize(u'Word5')[1] == '[UNK]'
    write_json(os.path.join(directory, 'sentence_bert_config.json'), {'do_lower_case': True, 'max_seq_length': 11})
    embedder = Embedder(directory)
    assert embedder.tokenizer.tokenize(u'Word5 w\xf6rd5')[1:-1] == ['word5', '[UNK]'] and embedder.max_length == 11


OLD = {'word_embedding_dimension': 8, 'pooling_mode_cls_token': False, 'pooling_mode_mean_tokens': True,
       'pooling_mode_max_tokens': False, 'pooling_mode_mean_sqrt_len_tokens': False}


@pytest.mark.parametrize('flags, expected', [
    ({}, ('mean',)), ({'pooling_mode_mean_tokens': False}, ('mean',)),
    ({'pooling_mode_cls_token': True, 'pooling_mode_lasttoken': True, 'pooling_mode_max_tokens': True},
     ('cls', 'max', 'mean', 'lasttoken'))])
def test_older_pooling_configs(changed, flags, expected):
    """Fields of before version 6, one for each pooling; several are put end to end in a fixed order."""
    directory = changed('mean', 'modules.json.old')
    write_json(os.path.join(directory, '1_Pooling', 'config.json'), dict(OLD, **flags))
    assert embedding.read_sentence_model(directory).poolings == expected


def old_style(directory):
    """Makes a directory what sentence-transformers 0.3 wrote: the Transformer in a folder, older types and fields."""
    folder = os.path.join(directory, '0_Transformer')
    os.mkdir(folder)
    for name in os.listdir(directory):
        if os.path.isfile(os.path.join(directory, name)) and not name.startswith('modules'):
            os.rename(os.path.join(directory, name), os.path.join(folder, name))
    os.remove(os.path.join(folder, 'config_sentence_transformers.json'))
    write_json(os.path.join(directory, '1_Pooling', 'config.json'),
               dict(OLD, pooling_mode_mean_tokens=False, pooling_mode_max_tokens=True))
    write_json(os.path.join(directory, 'modules.json'), [
        {'idx': 0, 'name': '0', 'path': '0_Transformer', 'type': 'sentence_transformers.models.Transformer'},
        {'idx': 1, 'name': '1', 'path': '1_Pooling', 'type': 'sentence_transformers.models.Pooling'},
        {'idx': 2, 'name': '2', 'path': '2_Normalize', 'type': 'sentence_transformers.models.Normalize'}])


def test_a_nested_transformer_and_a_normalize_without_a_folder(recorded, changed):
    """As older versions wrote them; Git keeps no empty folder for a Normalize."""
    directory = changed('mean', 'modules.json.old')
    old_style(directory)
    found = Embedder(directory).encode(list(recorded['texts']))
    assert np.abs(found - embedding.normalize(recorded['max/vectors/0'])).max() < TOLERANCE


@pytest.mark.skipif(os.name == 'nt', reason='needs POSIX links')
@pytest.mark.parametrize('case', ['dense', 'xlm-roberta'])
def test_the_hub_s_cache(recorded, directories, tmp_path, case):
    """Every file is a link to a blob; the repository's directory names its snapshots."""
    repository = tmp_path / ('models--org--' + case)
    snapshot, blobs = repository / 'snapshots' / '0123abc', repository / 'blobs'
    shutil.copytree(os.path.join(directories, case), str(snapshot))
    blobs.mkdir()
    for number, (folder, _, names) in enumerate(list(os.walk(str(snapshot)))):
        for name in names:
            path, blob = os.path.join(folder, name), str(blobs / ('%d-%s' % (number, name)))
            os.rename(path, blob)
            os.symlink(os.path.relpath(blob, folder), path)
    found = Embedder(str(snapshot)).encode(list(recorded['texts']))
    assert np.abs(found - recorded[case + '/vectors/0']).max() < TOLERANCE
    with pytest.raises(ConfigError) as caught:
        Embedder(str(repository))
    assert str(snapshot) in str(caught.value) and 'the one you mean' in str(caught.value)


def test_a_directory_of_several_models_names_them(directories):
    """None of them is taken by chance."""
    with pytest.raises(ConfigError) as caught:
        embedding.read_sentence_model(directories)
    assert os.path.join(directories, 'cls') in str(caught.value) and 'the one you mean' in str(caught.value)


@pytest.mark.parametrize('index, text', [(2, None), (1, 5)])
def test_a_text_that_is_no_string_is_named(directories, index, text):
    """Such as a null of a table; also with a prompt, which is put before each."""
    texts = [u'word1', u'word2', u'word3']
    texts[index] = text
    for case in ('mean', 'prompts', 'xlm-roberta'):
        with pytest.raises(TextError) as caught:
            Embedder(os.path.join(directories, case)).encode(texts)
        assert caught.value.index == index and 'no string' in str(caught.value)


def test_a_text_that_is_all_prompt_is_an_error(changed):
    """Of pieces that become one with the text nothing is left to pool."""
    embedder = Embedder(changed('prompts', 'modules.json.old'))
    with pytest.raises(TextError) as caught:
        embedder.encode([u' word1', u'5'], prompt=u': word')  # "word" is two tokens, "word5" is one
    assert caught.value.index == 1 and 'besides those of the prompt' in str(caught.value)


@pytest.mark.parametrize('arguments, part', [
    ({'dimensions': 9}, 'from 1 to 7'), ({'dimensions': 0}, 'from 1 to 7'), ({'prompt_name': 'question'}, 'passage'),
    ({'prompt_name': 'query', 'prompt': 'x'}, 'one of the two')])
def test_arguments_out_of_range(directories, changed, arguments, part):
    """Each says what there is."""
    directory = changed('dense', 'config_sentence_transformers.json', prompts={'passage': u'x', 'query': None})
    with pytest.raises(ValueError) as caught:
        Embedder(directory).encode([u'word1'], **arguments)
    assert part in str(caught.value)


# file, fields, what the message must hold besides the file's name
WRONG = [
    ('1_Pooling/config.json', {'pooling_mode': 'attention'}, 'attention', 'built are'),
    ('1_Pooling/config.json', {'pooling_mode_topk_tokens': True}, 'pooling_mode_topk_tokens'),
    ('1_Pooling/config.json', {'pooling_mode': []}, 'pooling_mode = []'),
    ('1_Pooling/config.json', {'include_prompt': 1}, 'include_prompt'),
    ('1_Pooling/config.json', {'embedding_dimension': 9}, '9 numbers', 'hidden_size 8'),
    ('2_Dense/config.json', {'activation_function': 'torch.nn.modules.activation.Softmax'}, 'Softmax'),
    ('2_Dense/config.json', {'activation_function': 'my_code.Tanh'}, 'my_code.Tanh', 'not run'),
    ('2_Dense/config.json', {'module_input_name': 'token_embeddings'}, 'token_embeddings'),
    ('2_Dense/config.json', {'out_features': 6}, '(7, 24)', '(6, 24)'),
    ('2_Dense/config.json', {'use_residual': True}, 'residual.weight'),
    ('3_Normalize/config.json', {'module_input_name': 'token_embeddings'}, 'token_embeddings'),
    ('sentence_bert_config.json', {'max_seq_length': 2}, 'max_seq_length'),
    ('sentence_bert_config.json', {'max_seq_length': '256'}, 'max_seq_length'),
    ('sentence_bert_config.json', {'transformer_task': 'fill-mask'}, 'fill-mask'),
    ('sentence_bert_config.json', {'config_args': {'is_causal': True}}, 'is_causal'),
    ('sentence_bert_config.json', {'modality_config': {'text': {'method_output_name': 'pooler_output'}}},
     'pooler_output'),
    ('config_sentence_transformers.json', {'similarity_fn_name': 'maxsim'}, 'maxsim', 'cosine'),
    ('config_sentence_transformers.json', {'default_prompt_name': 'query', 'prompts': {}}, 'query'),
    ('config_sentence_transformers.json', {'prompts': {'query': 5}}, 'query'),
    ('config_sentence_transformers.json', {'model_type': 'SparseEncoder'}, 'SparseEncoder'),
    ('config.json', {'auto_map': {'AutoModel': 'modeling_x.XModel'}}, 'modeling_x.XModel', 'not run'),
    ('config.json', {'model_type': 'nomic_bert'}, 'nomic_bert'),
]


@pytest.mark.parametrize('case', WRONG, ids=lambda case: '%s %s' % (case[0], sorted(case[1])[0]))
def test_what_is_not_built_is_refused_by_name(changed, case):
    """The message names the file and what is in it; nothing is taken for something else."""
    name, fields, parts = case[0], case[1], case[2:]
    directory = changed('dense', name, **fields)
    with pytest.raises((ConfigError, CheckpointError)) as caught:
        Embedder(directory)
    message = str(caught.value)
    assert os.path.join(directory, os.path.dirname(name)) in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize('types, part', [
    (['models.Transformer', 'models.Pooling', 'models.WordWeights'], 'WordWeights'),
    (['models.CLIPModel'], 'CLIPModel'), (['models.Transformer'], 'a Pooling'), ([], '(none)'),
    (['models.Transformer', 'models.Normalize', 'models.Pooling'], 'then a Pooling'),
    (['models.Transformer', 'models.Pooling', 'models.Pooling'], 'then any of Dense'),
    (['models.Transformer', 'sparse_encoder.models.Pooling'], 'sparse_encoder.models.Pooling'),
    (['my_module.Transformer'], 'my_module.Transformer'), (['models.Transformer', 'models.Pooling', '..'], 'outside')])
def test_other_modules_are_refused_by_name(changed, types, part):
    """Another class, code of the model's own, another order, or a folder elsewhere."""
    directory = changed('dense', 'modules.json.old')
    entries = [{'idx': 0, 'name': 'x', 'path': '1_Pooling' if 'Pooling' in kind else '',
                'type': kind if kind.startswith('my_') else 'sentence_transformers.' + kind} for kind in types]
    if types[-1:] == ['..']:
        entries[-1].update(type='sentence_transformers.models.Dense', path='../other')
    write_json(os.path.join(directory, 'modules.json'), entries)
    with pytest.raises(ConfigError) as caught:
        Embedder(directory)
    assert part in str(caught.value) and os.path.join(directory, 'modules.json') in str(caught.value)


@pytest.mark.parametrize('case', ['dense', 'xlm-roberta'])
def test_a_missing_module_is_named(changed, case):
    """A folder that was not downloaded, or weights in a pickle; or a pooling that nobody knows."""
    directory = changed(case, 'modules.json.old')
    weights = os.path.join(directory, '2_Dense', 'model.safetensors')
    os.rename(weights, os.path.join(directory, '2_Dense', 'pytorch_model.bin'))
    with pytest.raises(CheckpointError) as caught:
        Embedder(directory)
    assert 'pickle' in str(caught.value) and '2_Dense' in str(caught.value)
    shutil.rmtree(os.path.join(directory, '2_Dense'))
    with pytest.raises(ConfigError) as caught:
        Embedder(directory)
    assert os.path.join(directory, '2_Dense', 'config.json') in str(caught.value) and 'missing' in str(caught.value)
    write_json(os.path.join(directory, '1_Pooling', 'config.json'), {'pooling_mode': ['cls', 'attention']})
    with pytest.raises(ConfigError) as caught:
        Embedder(directory)
    assert '"attention"' in str(caught.value) and 'not built' in str(caught.value)


@pytest.mark.parametrize('case, width', [('dense', 24), ('xlm-roberta', 16)])
def test_a_pooling_that_does_not_fit_the_dense_is_an_error(directories, case, width):
    """Which was trained on vectors of another width."""
    with pytest.raises(ConfigError) as caught:
        Embedder(os.path.join(directories, case), pooling='cls')
    assert '%d numbers' % width in str(caught.value) and 'pooling by cls' in str(caught.value)


def test_a_second_segment_of_a_model_with_one_is_an_error(directories, monkeypatch):
    """A tokenizer of BERT's with an XLM-R: engines would take any row of the table for it, or none."""
    embedder = Embedder(os.path.join(directories, 'xlm-roberta'))
    monkeypatch.setattr(type(embedder.tokenizer), '_second_segment', 1)
    with pytest.raises(TextError) as caught:
        encoder.compute_texts(embedder.model, embedder.tokenizer, [(u'word1', u'word2')], 8, 1, None, None, None)
    assert 'type_vocab_size 1' in str(caught.value)


def test_a_modules_json_that_is_none(changed):
    """Not JSON, or no list."""
    directory = changed('mean', 'modules.json.old')
    for text in (u'[', u'{}', u'[1]', u'[{"type": 3, "path": ""}]'):
        with io.open(os.path.join(directory, 'modules.json'), 'w') as stream:
            stream.write(text)
        with pytest.raises(ConfigError) as caught:
            Embedder(directory)
        assert 'modules.json' in str(caught.value)


def test_the_real_minilm(minilm_directory):
    """Its modules.json says mean, then length 1; sentence_bert_config.json 256 tokens."""
    says = embedding.read_sentence_model(minilm_directory)
    assert says.poolings == ('mean',) and says.modules == (embedding.normalize,) and says.max_length == 256
    assert (says.hidden_size, says.similarity, says.prompts, says.lowercase) == (384, 'cosine', {}, False)


@pytest.fixture
def minilm_directory():
    """The directory of the real MiniLM, or a skip where it is not installed."""
    from bert4keras.embedding_commands import find_demo_weights
    try:
        return find_demo_weights()
    except ImportError as error:
        pytest.skip(str(error))
