# -*- coding: utf-8 -*-
"""Tests of tf_model.h5, the weights of TensorFlow models of transformers, and of the README's way from there."""
from __future__ import absolute_import, division, print_function

import io
import json
import os
import re

import numpy as np
import pytest

from bert4keras.convert import convert
from bert4keras.errors import CheckpointError
from bert4keras.release.checkpoint import open_checkpoint, save_checkpoint
from bert4keras.release.config import read_config
from bert4keras.release.directory import find_release
from bert4keras.release.tf_weights import hugging_face_name
from bert4keras.release.variables import open_variables, to_layout
from bert4keras.verify import inspect
from tests.helpers.releases import ALBERT_CONFIG, CONFIG, VOCABULARY, make_fine_tuned, random_ids, random_variables
from tests.test_readme import readme

h5py = pytest.importorskip('h5py')
from tests.helpers.tf_weights import save_tf_weights  # noqa: E402

BLOCK = '/bert/tf_bert_model/bert/encoder/layer_._11/'
ALBERT_BLOCK = '/albert/tf_albert_model_1/albert/encoder/albert_layer_groups_._0/albert_layers_._0/'


def write_release(directory, config=CONFIG, name='tf_bert_for_pre_training', **changes):
    """Writes a directory as `save_pretrained` of transformers' TensorFlow models does; (config, variables)."""
    config = dict(config, **changes)
    variables = random_variables(config)
    with io.open(str(directory / 'config.json'), 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps(dict(config, model_type='albert' if 'albert' in name else 'bert')))
    save_tf_weights(directory / 'tf_model.h5', variables, name)
    return config, variables


@pytest.mark.engine_free
@pytest.mark.parametrize('place, name', [
    (BLOCK + 'attention/self/query/kernel:0', 'bert.encoder.layer.11.attention.self.query.weight'),
    (BLOCK + 'output/LayerNorm/gamma:0', 'bert.encoder.layer.11.output.LayerNorm.weight'),
    (BLOCK + 'output/LayerNorm/beta:0', 'bert.encoder.layer.11.output.LayerNorm.bias'),
    (ALBERT_BLOCK + 'attention/LayerNorm/beta:0',
     'albert.encoder.albert_layer_groups.0.albert_layers.0.attention.LayerNorm.bias'),
    ('/bert/tf_bert_model/bert/embeddings/word_embeddings/weight:0', 'bert.embeddings.word_embeddings.weight'),
    ('/bert/x/bert/embeddings/token_type_embeddings/embeddings:0', 'bert.embeddings.token_type_embeddings.weight'),
    ('/mlm___cls/tf_bert_for_masked_lm/mlm___cls/predictions/bias:0', 'cls.predictions.bias'),
    ('/nsp___cls/tf_bert_for_pre_training/nsp___cls/seq_relationship/kernel:0', 'cls.seq_relationship.weight'),
    ('/classifier/tf_bert_for_sequence_classification/classifier/bias:0', 'classifier.bias'),
    ('/predictions/tf_albert_for_pre_training/predictions/decoder/bias:0', 'predictions.bias'),
    # of save_weights and save around a TFBertModel, with a layer of the user's on top
    ('/tf_bert_model/tf_bert_model/bert/pooler/dense/kernel:0', 'bert.pooler.dense.weight'),
    ('/model_weights/tf_bert_model/tf_bert_model/bert/pooler/dense/bias:0', 'bert.pooler.dense.bias'),
    ('/dense_3/dense_3/kernel:0', 'dense_3.weight')])
def test_names(place, name):
    """Where transformers stores a weight, and what that is called in its other layout."""
    assert hugging_face_name(place.lstrip('/')) == name


@pytest.mark.engine_free
@pytest.mark.parametrize('config, name', [(CONFIG, 'tf_bert_for_pre_training'),
                                          (ALBERT_CONFIG, 'tf_albert_for_pre_training')], ids=['BERT', 'ALBERT'])
def test_every_variable_is_read(tmp_path, config, name):
    """By the names of model.safetensors and, through them, by Google's: bit for bit, shapes and types known before."""
    config, variables = write_release(tmp_path, config, name, num_hidden_layers=2)
    checkpoint = open_checkpoint(str(tmp_path / 'tf_model.h5'))
    expected = dict(to_layout(variables, 'hugging-face', read_config(str(tmp_path / 'config.json'))))
    assert set(checkpoint) - set(expected) == ({'predictions.decoder.bias'} if 'albert' in name else set())
    for own in expected:
        assert checkpoint.shape(own) == expected[own].shape and checkpoint.dtype(own) == 'float32'
        np.testing.assert_array_equal(checkpoint[own], expected[own], err_msg=own)
    found = open_variables(checkpoint, read_config(str(tmp_path / 'config.json')))
    for google in variables:
        np.testing.assert_array_equal(found[google], variables[google], err_msg=google)
    assert found.unread(variables)[1] == []


@pytest.mark.engine_free
def test_the_release_is_found_and_converted(tmp_path):
    """A directory with nothing else is one; what lies beside it is preferred; both ways to name it convert alike."""
    source = tmp_path / 'tf'
    source.mkdir()
    config, variables = write_release(source, num_hidden_layers=1)
    assert find_release(str(source)).checkpoint_path == str(source / 'tf_model.h5')
    assert inspect(str(source)).layout == 'tf_model.h5'
    for number, given in enumerate((source, source / 'tf_model.h5')):
        there = tmp_path / ('there%d' % number)
        assert convert(str(given), str(there)) == 'tensorflow'
        written = open_checkpoint(str(there / 'bert_model.ckpt'))
        assert set(written) == set(variables)
        for name in written:
            np.testing.assert_array_equal(written[name], variables[name])
    save_checkpoint(str(source / 'model.ckpt'), {'x': np.zeros(3)})
    assert find_release(str(source)).checkpoint_path == str(source / 'model.ckpt')


def broken(path, kind):
    """Damages a file that was written well; a pattern of what the error says."""
    with h5py.File(path, 'r+') as file:
        tables = [name for name in ('bert', 'mlm___cls')]
        place = '%s/tf_bert_for_pre_training/bert/embeddings/word_embeddings/weight:0'
        if kind == 'different':
            file[place % tables[1]][3, 5] += 1
            return r'variable bert\.embeddings\.word_embeddings\.weight.* different values \(.*bert/.* and .*mlm___cls/'
        if kind == 'shapes':
            del file[place % tables[1]]
            file[place % tables[1]] = np.zeros((3, 2), 'float32')
            return r'with the shapes \(3, 2\) and \(99, 32\)'
        if kind == 'link':
            file['x'] = h5py.ExternalLink('/etc/passwd', '/x')
            return 'not opened: .*x is a link'
        if kind == 'huge':
            file.create_dataset('bert/huge:0', (1 << 20, 1 << 20), 'float32', chunks=(64, 64))
            return 'says that it holds far more than its own size'
        for name in list(file):
            del file[name]
        if kind == 'model':
            file.attrs['model_config'] = b'{}'
            return 'a whole Keras model, which load_model or `bert4keras convert` opens'
        return 'without the weights of a TFBertModel or TFAlbertModel'


@pytest.mark.engine_free
@pytest.mark.parametrize('kind', ['different', 'shapes', 'link', 'huge', 'model', 'empty'])
def test_what_is_wrong_is_named(tmp_path, kind):
    """Tied weights that differ, links to other files, a bomb, other HDF5 files: an error that names file and thing."""
    write_release(tmp_path, num_hidden_layers=1)
    path = str(tmp_path / 'tf_model.h5')
    words = broken(path, kind)
    with pytest.raises(CheckpointError, match='tf_model.h5.*' + words):
        dict(open_checkpoint(path))


@pytest.mark.engine_free
@pytest.mark.parametrize('content', [b'', b'x' * 99, None])
def test_a_damaged_file_is_an_error(tmp_path, content):
    """What is no HDF5, and what ends too early."""
    write_release(tmp_path, num_hidden_layers=1)
    path = tmp_path / 'tf_model.h5'
    path.write_bytes(path.read_bytes()[:9000] if content is None else content)
    with pytest.raises(CheckpointError, match='tf_model.h5'):
        dict(open_checkpoint(str(path)))


@pytest.mark.engine_free
def test_a_damaged_structure_is_found_before_it_is_opened(tmp_path):
    """Where the first group has its names, which an older HDF5 believes."""
    write_release(tmp_path, num_hidden_layers=1)
    path = tmp_path / 'tf_model.h5'
    path.write_bytes(path.read_bytes().replace(b'HEAP', b'HEAX', 1))
    with pytest.raises(CheckpointError, match='tf_model.h5 is damaged: there is no sound group at byte'):
        dict(open_checkpoint(str(path)))


@pytest.mark.engine_free
def test_it_must_fit_its_config(tmp_path):
    """A block that the file lacks is missing by name, before anything is computed."""
    write_release(tmp_path, num_hidden_layers=1)
    config = dict(CONFIG, num_hidden_layers=2)
    with io.open(str(tmp_path / 'config.json'), 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps(config))
    with pytest.raises(CheckpointError, match='bert/encoder/layer_1/attention/self/query/kernel is missing'):
        convert(str(tmp_path), str(tmp_path / 'there'), 'keras')


# ------------------------------------------------------------------ "Coming from TFBertModel"

def lines_of_the_readme():
    """[(the TensorFlow line, ours)] of the README's table, in order."""
    section = readme().split(u'## Coming from TFBertModel')[1].split(u'\n## ')[0]
    rows = re.findall(r'^\| `(.*)` \| `(.*)` \|$', section, re.M)
    assert len(rows) >= 12 and len(rows) == len(re.findall(r'^\| ', section, re.M)) - 1  # the line of titles
    return rows


@pytest.mark.slow
def test_each_line_of_a_fine_tune_in_tensorflow_has_one_that_runs(tmp_path, monkeypatch):
    """The README's right column, from top to bottom: it loads the classifier as it was, trains it and saves it."""
    pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    variables = make_fine_tuned(tmp_path, 'classification', num_labels=3, names=['bad', 'fair', 'good'],
                                num_hidden_layers=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)[1]
    os.rename(str(tmp_path / 'model.ckpt.index'), str(tmp_path / 'reference.ckpt.index'))
    os.rename(str(tmp_path / 'model.ckpt.data-00000-of-00001'), str(tmp_path / 'reference.ckpt.data-00000-of-00001'))
    directory = tmp_path / 'my-model'
    directory.mkdir()
    os.rename(str(tmp_path / 'config.json'), str(directory / 'config.json'))
    save_tf_weights(directory / 'tf_model.h5', variables, 'tf_bert_for_sequence_classification')
    (directory / 'vocab.txt').write_bytes(u'\n'.join(VOCABULARY).encode('utf-8'))
    monkeypatch.chdir(tmp_path)
    names = {'texts': [u'word1 word2', u'word3', u'word4 word5 word6', u'word7'] * 2,
             'labels': np.array([0, 1, 2, 1] * 2)}
    exec('from bert4keras.tokenizer_files import load_tokenizer\n'
         'from bert4keras.bert import BertModel, build_bert_model\n'
         'from bert4keras.losses import CrossEntropy\nfrom bert4keras.optimizers import AdamW, WarmupLinear', names)
    for _, line in lines_of_the_readme():
        exec(line, names)
        if 'num_labels' in line:
            token_ids, segment_ids = random_ids(CONFIG)
            before = names['model'].predict([token_ids, segment_ids])
    from bert4keras.bert import build_bert_model
    expected = build_bert_model(str(directory / 'config.json'), str(tmp_path / 'reference.ckpt'), num_labels=3)
    assert np.abs(before - expected.predict([token_ids, segment_ids])).max() < 1e-6
    assert names['logits'].shape == (8, 3)
    written = open_variables(find_release('tuned').checkpoint_path, read_config(find_release('tuned').config_path))
    assert np.abs(written['output_weights'] - variables['output_weights']).max() > 1e-6
    assert json.loads((tmp_path / 'tuned' / 'config.json').read_bytes().decode('utf-8'))['id2label']['1'] == 'fair'
