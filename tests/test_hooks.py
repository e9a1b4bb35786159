# -*- coding: utf-8 -*-
"""Tests of BertModel's hooks, by small changes of a BERT whose effect is known, and of what saving makes of them."""
from __future__ import absolute_import, division, print_function

import logging
import os
import re
import threading

import numpy as np
import pytest

from bert4keras import backend, bert as bert_module
from bert4keras.backend import keras, kops
from bert4keras.bert import BertModel, build_bert_model
from bert4keras.convert import convert
from bert4keras.errors import CheckpointError, ConfigError, ReleaseError
from bert4keras.layers import BertDense, BertFeedForward, BertLayer, BertLayerNorm, BertSelfAttention
from bert4keras.release.checkpoint import open_checkpoint
from tests.helpers.releases import make_release, random_ids

ROUNDING = 1e-5
HEADS = dict(with_nsp=True, with_mlm=True)


@pytest.fixture(scope='module')
def plain(release):
    """(ids, hidden states) of the unchanged model."""
    ids = list(random_ids(release[1], batch=3))
    return ids, build_bert_model(release[0]).predict(ids)


def difference(one, other):
    return np.abs(np.asarray(one) - np.asarray(other)).max()


# ------------------------------------------------------------------ the list of hooks

def test_the_hooks_listed_are_the_ones_there_are():
    """The signatures at the top of bert.py are those of methods of BertModel, in the order of the class."""
    import inspect
    signature = getattr(inspect, 'getfullargspec', None) or inspect.getargspec
    listed = re.findall(r'^    (\w+)\(([\w, ]*)\)  ', bert_module.__doc__, re.M)
    assert [name for name, _ in listed] == [
        'inputs', 'run', 'embed', 'add_positions', 'more_embeddings', 'attention_mask', 'transformer_block', 'half',
        'attention', 'attention_inputs', 'feed_forward', 'add_and_norm', 'after_block', 'outputs', 'variable_names']
    for name, arguments in listed:
        assert ', '.join(signature(getattr(BertModel, name)).args[1:]) == arguments, name


# ------------------------------------------------------------------ layers

@pytest.mark.parametrize('cls, arguments, said', [
    (BertDense, dict(units=7, activation='tanh'), r"activation='relu'.*and now as BertDense\(activation='tanh'"),
    (BertDense, dict(units=8, activation='relu'), r'units=7\).*and now as .*units=8'),
    (BertFeedForward, dict(intermediate_size=7), r'BertDense\(.*and now as BertFeedForward\(')])
def test_a_layer_asked_for_in_two_ways(release, cls, arguments, said):
    """Another class or another argument for one name is an error with both; the same ones give the same layer."""
    bert = BertModel(release[1])
    first = bert.layer(BertDense, 'Extra', units=7, activation='relu')
    assert bert.layer(BertDense, 'Extra', activation='relu', units=7) is first
    with pytest.raises(ValueError, match=said):
        bert.layer(cls, 'Extra', **arguments)
    ones = [bert.layer(keras.layers.Dense, 'Ones', units=2, kernel_initializer=keras.initializers.Constant(value))
            for value in (3.0, 3.0)]
    assert ones[0] is ones[1]
    with pytest.raises(ValueError, match='Ones'):
        bert.layer(keras.layers.Dense, 'Ones', units=2, kernel_initializer=keras.initializers.Constant(4.0))


class Halved(BertLayerNorm):
    """A norm of which half is returned."""

    def call(self, inputs):
        return 0.5 * super(Halved, self).call(inputs)


@pytest.mark.slow
def test_layer_classes_by_attribute_and_by_argument(release, plain):
    """A class is swapped wherever it is used; the config's epsilon and initializer range reach the new one."""
    class WithHalves(BertModel):
        layer_classes = {BertLayerNorm: Halved}

    config = dict(release[1], layer_norm_eps=0.25, initializer_range=0.125)
    for bert in (WithHalves(config), BertModel(config, layer_classes={BertLayerNorm: Halved})):
        model = bert.build()
        norms = [layer for layer in model.layers if layer.name.endswith('-Norm')]
        assert len(norms) == 5
        for norm in norms:
            assert (type(norm), norm.epsilon, norm.initializer_range) == (Halved, 0.25, 0.125)
    model = build_bert_model(release[0], layer_classes={BertLayerNorm: Halved})
    assert difference(model.predict(plain[0]), plain[1]) > 0.1


# ------------------------------------------------------------------ hooks of the graph

@pytest.mark.slow
def test_hooks_are_called_where_they_say(release, plain):
    """Each hook of a block sees every block once, and the halves by their names."""
    seen = []

    class Watching(BertModel):
        def half(self, x, name, index, function):
            seen.append(('half', name, index))
            return super(Watching, self).half(x, name, index, function)

        def attention(self, x, mask, name, index):
            seen.append(('attention', name, index))
            return super(Watching, self).attention(x, mask, name, index)

        def feed_forward(self, x, name, index):
            seen.append(('feed_forward', name, index))
            return super(Watching, self).feed_forward(x, name, index)

        def after_block(self, x, index):
            seen.append(('after_block', index))
            return x

    model = build_bert_model(release[0], model=Watching)
    names = [['Encoder-%d-%s' % (index + 1, part) for part in ('MultiHeadSelfAttention', 'FeedForward')]
             for index in (0, 1)]
    assert seen == [call for index in (0, 1) for call in [
        ('half', names[index][0], index), ('attention', names[index][0], index),
        ('half', names[index][1], index), ('feed_forward', names[index][1], index), ('after_block', index)]]
    np.testing.assert_array_equal(model.predict(plain[0]), plain[1])


@backend.register
class BertTestScale(BertLayer):
    """x times a weight that starts at `scale`."""

    def __init__(self, scale, **kwargs):
        super(BertTestScale, self).__init__(**kwargs)
        self.scale = scale

    def build(self, input_shape):
        self.weight = self.add_parameter('weight', (1,), keras.initializers.Constant(self.scale))
        super(BertTestScale, self).build(input_shape)

    def call(self, inputs):
        return inputs * self.weight

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return dict(super(BertTestScale, self).get_config(), scale=self.scale)


def test_the_old_name_of_outputs(release):
    """A class that overrides put_out, as `outputs` was called, is told so instead of being ignored."""
    class Old(BertModel):
        def put_out(self, x, table):
            return x

    with pytest.raises(ValueError, match='Old has a method put_out, which is called outputs now'):
        build_bert_model(release[0], model=Old)


@pytest.mark.slow
def test_a_build_of_ones_own_still_loads(release, plain):
    """A class that makes the Keras model itself gets its weights from build_bert_model."""
    class Built(BertModel):
        def build(self):
            inputs = self.inputs()
            x, table = self.embed(*inputs)
            for index in range(self.config['num_hidden_layers']):
                x = self.transformer_block(x, self.attention_mask(*inputs), index)
            self.model = keras.models.Model(inputs, self.outputs(x, table))
            return self.model

    for arguments in ((release[0],), (release[1], os.path.join(release[0], 'bert_model.ckpt'))):
        np.testing.assert_array_equal(build_bert_model(*arguments, model=Built).predict(plain[0]), plain[1])


@pytest.mark.slow
def test_a_config_that_does_not_fit_is_found_before_building(release):
    """A size that no machine has room for is an error about the checkpoint's shape, not of memory."""
    checkpoint = os.path.join(release[0], 'bert_model.ckpt')
    with pytest.raises(CheckpointError, match=r'intermediate/dense/kernel: .* expects \(32, 2147483647\)'):
        build_bert_model(dict(release[1], intermediate_size=2 ** 31 - 1), checkpoint)
    with pytest.raises(ConfigError, match='num_hidden_layers = 1000000000'):
        build_bert_model(dict(release[1], num_hidden_layers=10 ** 9), checkpoint)
    with pytest.raises(CheckpointError, match='has no variable bert/encoder/layer_2/attention/self/query/kernel'):
        build_bert_model(dict(release[1], num_hidden_layers=4096), checkpoint)


@pytest.mark.slow
def test_more_embeddings_come_before_the_norm(release, plain):
    """Doubling the sum before the norm changes nothing but the epsilon's share; after it, it would."""
    class Doubled(BertModel):
        def more_embeddings(self, x):
            return self.layer(BertTestScale, 'Twice', scale=2.0)(x)

    assert difference(build_bert_model(release[0], model=Doubled).predict(plain[0]), plain[1]) < ROUNDING


@pytest.mark.slow
def test_a_third_input(release, plain):
    """What `inputs` returns beyond the ids is an input of the model, for the hooks to use."""
    class Conditioned(BertModel):
        def inputs(self):
            ids = super(Conditioned, self).inputs()
            self.condition = keras.layers.Input(shape=(7, 32), name='Input-Condition')
            return ids + [self.condition]

        def more_embeddings(self, x):
            return self.add(x, self.condition, 'Conditioned')

    model = build_bert_model(release[0], model=Conditioned)
    nothing = np.zeros(plain[0][0].shape + (32,), 'float32')
    assert difference(model.predict(plain[0] + [nothing]), plain[1]) < ROUNDING
    assert difference(model.predict(plain[0] + [nothing + np.arange(32)]), plain[1]) > 0.1


@pytest.mark.slow
def test_run_in_a_graph_of_ones_own(release, plain):
    """`run` on inputs of one's own gives the same graph, and its layers load by the same names."""
    bert = BertModel(release[0])
    inputs = [keras.layers.Input(shape=(7,), dtype='int32', name=name) for name in ('ids', 'parts')]
    model = keras.models.Model(inputs, bert.run(*inputs))
    assert len(bert.load_weights_from_checkpoint()) == 9
    np.testing.assert_array_equal(model.predict(plain[0]), plain[1])


@pytest.mark.slow
def test_two_stacks_in_one_model(release, plain):
    """A prefix keeps two stacks apart, `shared` joins layers of theirs, and both load."""
    first = BertModel(release[0])
    inputs = first.inputs()
    one = first.run(*inputs)
    shared = {'Embedding-Token': first.layers['Embedding-Token']}
    second = BertModel(release[0], prefix='Second-', shared=shared)
    two = second.run(*inputs)
    model = keras.models.Model(inputs, [one, two])
    names = [layer.name for layer in model.layers]
    assert 'Second-Encoder-1-FeedForward' in names and 'Second-Embedding-Token' not in names
    for bert in (first, second):
        bert.load_weights_from_checkpoint()
    for output in model.predict(plain[0]):
        np.testing.assert_array_equal(output, plain[1])
    with pytest.raises(ValueError, match='Embedding-Norm'):
        BertModel(release[1], shared={'Embedding-Norm': shared['Embedding-Token']}).build()


class Shifted(BertSelfAttention):
    """Attention whose scores are moved by what `attention_inputs` gives for each key."""

    def scores(self, query, key, shift):
        return super(Shifted, self).scores(query, key) + kops.expand_dims(shift, 1)

    def attention_probabilities(self, query, key, mask, shift):
        return super(Shifted, self).attention_probabilities(query, key, mask, shift)


@pytest.mark.slow
def test_attention_inputs_reach_the_layer(release, plain):
    """The layer's hooks get them as `more`: a shift of all keys alike is none, one of a key is seen."""
    class WithShift(BertModel):
        layer_classes = {BertSelfAttention: Shifted}

        def inputs(self):
            self.shift = keras.layers.Input(shape=(1, 7), name='Shift')
            return super(WithShift, self).inputs() + [self.shift]

        def attention_inputs(self, x, name, index):
            return [self.shift]

    model = build_bert_model(release[0], model=WithShift)
    shift = np.full((3, 1, 7), 3.0, 'float32')
    assert difference(model.predict(plain[0] + [shift]), plain[1]) < ROUNDING
    shift[..., 0] = 7.0
    assert difference(model.predict(plain[0] + [shift]), plain[1]) > 0.1


# ------------------------------------------------------------------ attention maps

def test_attention_maps(release, plain):
    """`return_attention` gives each block's probabilities: rows of sum 1, 0 at padding, and they make the context."""
    bert = build_bert_model(release[0], return_attention=True, return_keras_model=False)
    hidden, first, second = bert.model.predict(plain[0])
    np.testing.assert_array_equal(hidden, plain[1])
    assert first.shape == second.shape == (3, 4, 7, 7) and len(bert.attentions) == 2
    real = plain[0][0] != 0
    for maps in (first, second):
        assert difference(maps.sum(axis=-1), 1) < ROUNDING
        assert (maps.transpose(0, 3, 1, 2)[~real] == 0).all() and (maps.transpose(0, 3, 1, 2)[real] > 0).all()
    x = build_bert_model(release[0])
    x = keras.models.Model(x.inputs, x.get_layer('Encoder-1-FeedForward-Norm').output).predict(plain[0])
    query, key = [(np.dot(x, release[2]['bert/encoder/layer_1/attention/self/%s/kernel' % name])
                   + release[2]['bert/encoder/layer_1/attention/self/%s/bias' % name]).reshape(3, 7, 4, 8)
                  for name in ('query', 'key')]
    scores = np.exp(np.einsum('bfnh,btnh->bnft', query, key) / np.sqrt(8.0)) * real[:, None, None]
    assert difference(second, scores / scores.sum(axis=-1, keepdims=True)) < ROUNDING
    # with a head, they come after it
    assert [len(output.shape) for output in build_bert_model(release[1], with_pool=True, return_attention=True).outputs
            ] == [2, 4, 4]


@pytest.mark.slow
def test_attention_of_an_albert(tmp_path):
    """One shared block gives a map for each time that it is applied."""
    from tests.helpers.releases import ALBERT_CONFIG
    config, _ = make_release(tmp_path, config=ALBERT_CONFIG)
    outputs = build_bert_model(str(tmp_path), return_attention=True).predict(list(random_ids(config, batch=2)))
    assert len(outputs) == 1 + 3 and difference(outputs[1], outputs[3]) > 1e-3


# ------------------------------------------------------------------ applications and heads

class WithAdapters(BertModel):
    """The README's."""

    def add_and_norm(self, x, y, name):
        z = self.layer(BertDense, name + '-Adapter-Down', units=16, activation='relu')(y)
        z = self.layer(BertDense, name + '-Adapter-Up', units=self.config['hidden_size'], initializer_range=1e-4)(z)
        y = self.add(y, z, name + '-Adapter-Add')
        return super(WithAdapters, self).add_and_norm(x, y, name)


@pytest.mark.slow
@pytest.mark.parametrize('application', ['lm', 'encoder', 'seq2seq'])
def test_one_adapter_for_every_application(release, plain, application):
    """The README's adapter with each application: so small that the outputs are those of the plain model."""
    expected = build_bert_model(release[0], application=application).predict(plain[0])
    adapted = build_bert_model(release[0], application=application, model=WithAdapters)
    assert expected.shape == (3, 7, 32 if application == 'encoder' else 99)
    assert difference(adapted.predict(plain[0]), expected) < 1e-2


@pytest.mark.slow
@pytest.mark.parametrize('application', ['lm', 'seq2seq'])
def test_generation_implies_the_words(release, tmp_path, application):
    """'lm' and 'seq2seq' return probabilities of words; 'linear' stays; a checkpoint without the head says why."""
    bert = BertModel(release[1], application=application)
    linear = BertModel(release[1], with_mlm='linear', application=application)
    assert bert.with_mlm is True and linear.with_mlm == 'linear'
    plain = build_bert_model(release[0], return_keras_model=False)
    plain.save_weights_as_checkpoint(os.path.join(str(tmp_path), 'encoder.ckpt'))
    with pytest.raises(CheckpointError, match="application='%s' needs it" % application):
        build_bert_model(release[1], os.path.join(str(tmp_path), 'encoder.ckpt'), application=application)


@pytest.mark.slow
def test_linear_heads_give_logits(release, plain, tmp_path):
    """tanh and softmax of the linear heads are the heads; saved, reloaded and read back they stay linear."""
    def softmax(x):
        return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)

    ids = plain[0]
    pooled, words = build_bert_model(release[0], with_pool=True, with_mlm=True).predict(ids)
    linear = build_bert_model(release[0], with_pool='linear', with_mlm='linear', return_keras_model=False)
    path = os.path.join(str(tmp_path), 'linear' + backend.MODEL_SUFFIX)
    linear.model.save(path)
    again = keras.models.load_model(path)
    for ours, theirs in zip(again.predict(ids), linear.model.predict(ids)):
        np.testing.assert_array_equal(ours, theirs)
    assert difference(np.tanh(again.predict(ids)[0]), pooled) < ROUNDING
    assert difference(softmax(again.predict(ids)[1]), words) < ROUNDING
    assert again.predict(ids)[1].max() > 1
    read = BertModel.from_keras_model(again)
    assert (read.with_pool, read.with_nsp, read.with_mlm) == ('linear', False, 'linear')
    logits = build_bert_model(release[0], with_nsp='linear', with_pool='linear').predict(ids)
    assert difference(softmax(logits), build_bert_model(release[0], with_nsp=True).predict(ids)) < ROUNDING


@pytest.mark.parametrize('name', ['with_pool', 'with_nsp', 'with_mlm'])
@pytest.mark.parametrize('value', ['logits', None, 1, 'tanh'])
def test_any_other_value_of_a_head(release, name, value):
    """Anything but True, False and 'linear' is an error that says so."""
    with pytest.raises(ValueError, match="%s must be True, False or 'linear', not" % name):
        BertModel(release[1], **{name: value})


@pytest.mark.slow
def test_a_directory_as_the_config(release, plain):
    """BertModel('directory') builds with the directory's weights, as build_bert_model('directory') does."""
    bert = BertModel(release[0])
    np.testing.assert_array_equal(bert.build().predict(plain[0]), plain[1])
    assert len(bert.unread) == 9
    with pytest.raises(ValueError, match='say which checkpoint to load'):
        BertModel(release[1]).load_weights_from_checkpoint()


# ------------------------------------------------------------------ weights of one's own

class WithOwn(BertSelfAttention):
    """Attention with a weight of its own, drawn, and one that is zero."""

    def build(self, input_shape):
        super(WithOwn, self).build(input_shape)
        self.drawn = self.add_parameter('drawn', (32, 3), own=True)
        self.zero = self.add_parameter('zero', (3, 32), 'zeros', own=True)


def test_own_weights_are_neither_zeroed_nor_loaded_nor_saved(release, tmp_path, caplog):
    """They keep their initial values, the others load and are saved, and saving names their layers."""
    bert = build_bert_model(release[0], layer_classes={BertSelfAttention: WithOwn}, return_keras_model=False)
    layer = bert.layers['Encoder-2-MultiHeadSelfAttention']
    assert 0.01 < backend.get_values([layer.drawn])[0].std() < 0.03
    np.testing.assert_array_equal(backend.get_values(layer.loaded_weights)[0],
                                  release[2]['bert/encoder/layer_1/attention/self/query/kernel'])
    path = os.path.join(str(tmp_path), 'own.ckpt')
    bert.save_weights_as_checkpoint(path, changed=True)
    assert len(open_checkpoint(path)) == 5 + 2 * 16
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1 and '2 layers' in warnings[0]
    assert 'Encoder-1-MultiHeadSelfAttention, Encoder-2-MultiHeadSelfAttention' in warnings[0]


def test_frozen_layers_train_their_own_weights_only(release):
    """With frozen=True the weights of the checkpoint are not trainable, the own ones are; the config keeps it."""
    layer = WithOwn(4, frozen=True, name='some')
    layer([keras.layers.Input(shape=(5, 32)), keras.layers.Input(shape=(1, 5), dtype='bool')])
    assert [tuple(weight.shape) for weight in layer.trainable_weights] == [(32, 3), (3, 32)]
    assert [tuple(weight.shape) for weight in layer.loaded_weights] == [(32, 32), (32,)] * 4
    assert WithOwn.from_config(layer.get_config()).frozen is True


@pytest.mark.slow
def test_a_weight_too_many_says_how_to_make_it(release):
    """A weight that is not own has no name in a checkpoint: the error says own=True."""
    class Extra(BertSelfAttention):
        def build(self, input_shape):
            super(Extra, self).build(input_shape)
            self.extra = self.add_parameter('extra', (2,))

    with pytest.raises(ValueError, match='has 9 weights, variable_names.* gives it 8 names.*own=True'):
        build_bert_model(release[0], layer_classes={BertSelfAttention: Extra})


@pytest.mark.slow
def test_loading_is_no_state_of_the_process(release, plain):
    """A model with random weights, built while another is being loaded, is not left at zero; nor is a later one."""
    drawn = []

    class Pair(BertModel):
        def embed(self, token_ids, segment_ids):
            other = BertModel(release[1], with_pool=True)
            other.build()
            drawn.extend(backend.get_values(other.layers['Pooler-Dense'].weights[:1]))
            return super(Pair, self).embed(token_ids, segment_ids)

    np.testing.assert_array_equal(build_bert_model(release[0], model=Pair).predict(plain[0]), plain[1])
    later = BertModel(release[1])
    later.build()
    drawn.extend(backend.get_values(later.layers['Embedding-Token'].weights))
    assert len(drawn) == 2 and all(0.01 < values.std() < 0.03 for values in drawn)


@pytest.mark.slow
def test_two_threads_that_load(release, plain):
    """Both get their weights, and a model that is built afterwards or in between gets random ones."""
    models, errors = [], []

    def load():
        try:
            models.append(build_bert_model(release[0]))
        except Exception as error:  # shown below, where pytest sees it
            errors.append(error)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.run() if not backend.IS_KERAS_3 else thread.start()  # Keras 2 has a graph for each thread
    random = BertModel(release[1])
    random.build()
    for thread in threads if backend.IS_KERAS_3 else ():
        thread.join()
    assert errors == [] and len(models) == 2
    table = release[2]['bert/embeddings/word_embeddings']
    for model in models:
        np.testing.assert_array_equal(model.get_layer('Embedding-Token').get_weights()[0], table)
    for bert in (random, BertModel(release[1])):
        bert.model or bert.build()
        assert 0.01 < bert.layers['Embedding-Token'].get_weights()[0].std() < 0.03


# ------------------------------------------------------------------ saving what was changed

class PreNorm(BertModel):
    def half(self, x, name, index, function):
        y = function(self.layer(BertLayerNorm, name + '-Norm')(x))
        return self.add(x, self.dropout(y, name + '-Dropout'), name + '-Add')


class Experts(BertModel):
    """A second block without a feed-forward layer of the official name."""

    def feed_forward(self, x, name, index):
        return super(Experts, self).feed_forward(x, name + '-Expert' * index, index)

    def variable_names(self):
        names = super(Experts, self).variable_names()
        return type(names)((name.replace('Encoder-2-FeedForward', 'Encoder-2-FeedForward-Expert')
                            if name == 'Encoder-2-FeedForward' else name, names[name]) for name in names)


class ReluInBlock2(BertModel):
    def feed_forward(self, x, name, index):
        if not index:
            return super(ReluInBlock2, self).feed_forward(x, name, index)
        return self.layer(BertFeedForward, name, intermediate_size=self.config['intermediate_size'],
                          activation='relu')(x)


@pytest.mark.slow
@pytest.mark.parametrize('model, said', [
    (WithAdapters, 'layer Encoder-1-MultiHeadSelfAttention-Dropout takes its inputs from '
                   'Encoder-1-MultiHeadSelfAttention-Adapter-Add, not from Encoder-1-MultiHeadSelfAttention'),
    (PreNorm, 'layer Encoder-1-MultiHeadSelfAttention takes its inputs from '
              'Encoder-1-MultiHeadSelfAttention-Norm and Attention-Mask, not from Embedding-Dropout'),
    (Experts, 'layer Encoder-2-FeedForward is not there'),
    (ReluInBlock2, "layer Encoder-2-FeedForward has activation = 'relu', not 'gelu_erf'"),
    (None, 'layer Encoder-1-MultiHeadSelfAttention is a WithOwn, not a BertSelfAttention')])
def test_a_changed_model_is_not_written_as_bert(release, tmp_path, model, said):
    """Saving, save_release and from_keras_model name the first layer that differs; changed=True overrides."""
    options = {'model': model} if model else {'layer_classes': {BertSelfAttention: WithOwn}}
    bert = build_bert_model(release[0], return_keras_model=False, **options)
    prefix, directory = os.path.join(str(tmp_path), 'changed.ckpt'), os.path.join(str(tmp_path), 'changed')
    for write in (lambda **flag: bert.save_weights_as_checkpoint(prefix, **flag),
                  lambda **flag: bert.save_release(directory, **flag)):
        with pytest.raises(ValueError, match=re.escape(said)):
            write()
        assert not os.listdir(str(tmp_path)) or not os.path.exists(directory)
        write(changed=True)
    with pytest.raises(ValueError, match=re.escape(said)):
        BertModel.from_keras_model(bert.model)
    assert BertModel.from_keras_model(bert.model, changed=True).config['num_hidden_layers'] == 2


@pytest.mark.slow
def test_heads_and_siamese_uses_are_no_change(release, tmp_path, caplog):
    """Layers on top of a BERT do not make it another; saving says that it leaves them out."""
    bert = build_bert_model(release[0], with_nsp=True, with_mlm=True, return_keras_model=False)
    assert bert.first_difference() is None
    output = keras.layers.Dense(3, name='Head')(bert.model.outputs[0])
    read = BertModel.from_keras_model(keras.models.Model(bert.model.inputs, [output, bert.model.outputs[1]]))
    read.save_weights_as_checkpoint(os.path.join(str(tmp_path), 'head.ckpt'))
    assert ['Head' in record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [True]


@pytest.mark.slow
def test_a_changed_model_is_converted_if_asked(release, tmp_path):
    """`convert` refuses a Keras model that computes something else, and says how to have it all the same."""
    from bert4keras.cli import main
    path, there = os.path.join(str(tmp_path), 'changed' + backend.MODEL_SUFFIX), os.path.join(str(tmp_path), 'there')
    build_bert_model(release[0], model=ReluInBlock2).save(path)
    with pytest.raises(ReleaseError, match=r"changed\.\w+: .* has activation = 'relu'.*--changed"):
        convert(path, there)
    assert not os.path.exists(there)
    assert main(['convert', path, there, '--changed']) == 0
    assert len(open_checkpoint(os.path.join(there, 'bert_model.ckpt'))) == 5 + 2 * 16


@pytest.mark.slow
def test_two_layers_of_one_name(release, tmp_path):
    """Two layers that hold one variable are an error that names both, unless they hold the same values."""
    class Twice(BertModel):
        def outputs(self, x, table):
            return self.layer(BertLayerNorm, 'Other-Norm')(x)

        def variable_names(self):
            names = super(Twice, self).variable_names()
            names['Other-Norm'] = names['Embedding-Norm']
            return names

    bert = build_bert_model(release[0], model=Twice, return_keras_model=False)
    assert len(bert.get_variables()) == 5 + 2 * 16
    backend.set_values([(bert.layers['Other-Norm'].gamma, np.full(32, 7.0, 'float32'))])
    with pytest.raises(ValueError, match='Embedding-Norm and Other-Norm both hold bert/embeddings/LayerNorm/gamma'):
        bert.get_variables()


@pytest.mark.slow
def test_from_keras_model_loses_nothing(tmp_path):
    """Every field of the config that is not the default, read off the layers; both GELUs."""
    odd = dict(layer_norm_eps=3e-5, pad_token_id=5, initializer_range=0.03, hidden_dropout_prob=0.2,
               attention_probs_dropout_prob=0.3, type_vocab_size=3, num_hidden_layers=2)
    config, _ = make_release(tmp_path, **odd)
    for gelu, hidden_act in (('erf', 'gelu'), ('tanh', 'gelu_new')):
        bert = BertModel.from_keras_model(build_bert_model(config, gelu=gelu))
        assert {name: bert.config[name] for name in config} == dict(config, hidden_act=hidden_act)
        assert bert.activation == 'gelu_' + gelu
    assert BertModel.from_keras_model(build_bert_model(config, application='lm')).application == 'lm'
