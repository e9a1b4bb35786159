# -*- coding: utf-8 -*-
"""Every file of examples/ runs, learns or at least trains, and saves a model that says the same once it is loaded.

That is done on one row of Keras 2, the oldest Python, and on one engine of Keras 3: what differs between the others
is tested elsewhere. test_example_parts.py has what the examples stand on.
"""
from __future__ import absolute_import, division, print_function

import importlib
import os

import numpy as np
import pytest

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.bert import build_bert_model
from bert4keras.layers import BertDense, BertTokenEmbedding
from bert4keras.losses import CrossEntropy
from bert4keras.optimizers import AdamW
from bert4keras.snippets import BucketedBatches
from bert4keras.tokenizer import Tokenizer

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'examples')
ROWS = ('tfkeras-tf210', 'keras3-torch')
# The name of the file, its smallest arguments, the number of blocks, and whether it then does better than the baseline.
SMALLEST = [
    ('adapters', '--epochs 1 --examples 16', 1, False),
    ('adversarial', '--epochs 1 --examples 16', 1, False),
    ('classify', '--epochs 1 --examples 16', 1, False),
    ('freeze', '--epochs 1 --examples 16 --ways rates inner-layers', 2, False),
    ('language_model', '--epochs 1 --examples 32', 1, False),
    ('pairs', '--epochs 1 --examples 16', 1, False),
    ('r_drop', '--epochs 1 --examples 16', 1, False),
    ('read', '--epochs 1 --examples 16', 1, False),
    ('seq2seq', '--epochs 1 --examples 32', 1, False),
    ('tag', '--epochs 5 --examples 160 --rate 0.003', 2, True),
]


@pytest.fixture(autouse=True)
def examples(monkeypatch):
    """The folder of the examples on the path, and none of the official texts."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.delenv(str('BERT4KERAS_OFFICIAL'), raising=False)


def tokenizer_of(*tokens):
    """A tokenizer of special tokens and these, whose ids begin at 4."""
    tokens = ('[PAD]', '[UNK]', '[CLS]', '[SEP]') + tokens
    return Tokenizer({token: number for number, token in enumerate(tokens)})


def values_of(tensor):
    """A tensor as an array."""
    return kops.convert_to_numpy(tensor) if backend.IS_KERAS_3 else keras.backend.eval(tensor)


def softmax(logits):
    """Over the last axis, in float64."""
    exps = np.exp(np.asarray(logits, 'float64'))
    return exps / exps.sum(axis=-1, keepdims=True)


def gradients_by_hand(weights, ids, labels):
    """The gradients of the mean cross entropy of softmax(mean(table[ids]) @ kernel + bias)."""
    table, kernel, bias = weights
    means = table[ids].mean(axis=1)  # [B, E]
    errors = (softmax(means.dot(kernel) + bias) - np.eye(len(bias))[labels]) / len(ids)  # [B, C]
    of_table = np.zeros_like(table)
    np.add.at(of_table, ids, (errors.dot(kernel.T) / ids.shape[1])[:, None, :])
    return [of_table, means.T.dot(errors), errors.sum(axis=0)]


def moved_layers(model, ids):
    """The names of the layers that a step moves any weight of."""
    model.compile(keras.optimizers.SGD(0.1), 'mse')
    before = {layer.name: backend.get_values(layer.weights) for layer in model.layers}
    model.train_on_batch(ids, np.ones((4, 2), 'float32'))
    return {layer.name for layer in model.layers for one, other in zip(before[layer.name],
                                                                        backend.get_values(layer.weights))
            if not np.array_equal(one, other)}


if os.environ.get('BERT4KERAS_ROW', ROWS[-1]) in ROWS:
    @pytest.mark.parametrize('name, arguments, blocks, learns', SMALLEST, ids=[line[0] for line in SMALLEST])
    def test_it_runs(name, arguments, blocks, learns, tmp_path, capsys, monkeypatch):
        """From random weights; it prints its result and the baseline, and keeps the model where it was told."""
        monkeypatch.setattr('common.find_demo_weights', lambda: None)
        monkeypatch.setitem(importlib.import_module('common').SMALL, 'num_hidden_layers', blocks)
        path = os.path.join(str(tmp_path), 'model' + backend.MODEL_SUFFIX)
        result, baseline = importlib.import_module(name).main(arguments.split() + ['--save', path])
        printed = capsys.readouterr().out
        assert '%.3f' % result in printed and '%.3f' % baseline in printed
        assert 'loaded again it gives the same answers' in printed and os.path.exists(path)
        assert 0 <= baseline < result <= 1 if learns else 0 <= min(result, baseline) <= max(result, baseline) <= 1

    @pytest.fixture
    def ids():
        return [np.random.RandomState(3).randint(1, 99, (4, 7)).astype('int32'), np.zeros((4, 7), 'int32')]

    def test_adapters_train_and_the_official_weights_do_not(release, ids):
        """All but adapters, norms and the new head stays as it was in the release."""
        import adapters
        model = adapters.build(release[0], 2)
        kernel = backend.get_values(model.get_layer('Encoder-2-FeedForward').weights)[0]
        assert np.array_equal(kernel, release[2]['bert/encoder/layer_1/intermediate/dense/kernel'])
        names = [layer.name for layer in model.layers if layer.weights]
        bottlenecks = {name for name in names if '-Adapter-' in name}
        norms = {name for name in names if name.endswith('-Norm')}
        assert len(bottlenecks) == 8 and len(norms) == 5
        assert moved_layers(model, ids) == bottlenecks | norms | {'Classifier'}

    def test_what_is_frozen_stays(release, ids):
        """Of two blocks the upper one, or none; a head on inner layers has the width of both."""
        import freeze
        upper = {'Encoder-2-' + name for name in ('MultiHeadSelfAttention', 'MultiHeadSelfAttention-Norm',
                                                  'FeedForward', 'FeedForward-Norm')}
        assert moved_layers(freeze.upper_half(release[0], ['no', 'yes']), ids) == upper | {'Pooler-Dense', 'Classifier'}
        model = freeze.with_inner_layers(release[0], ['no', 'yes'])
        assert moved_layers(model, ids) == {'Classifier'}
        assert [tuple(weight.shape) for weight in model.get_layer('Classifier').weights] == [(64, 2), (2,)]

    def test_a_word_has_its_tag_on_its_first_token():
        """The rest of it, words that were cut off and words without a token have none."""
        import tag
        tokenizer = tokenizer_of('fly', 'to', 'os', '##lo', u'\u597d')
        words = ['fly', u'\u200b', 'to', 'oslo', 'oslo', u'\u597d']
        text = tag.encode(tokenizer, words, 99)
        assert text.token_ids == [2, 4, 5, 6, 7, 6, 7, 8, 3] and text.first_tokens == [1, None, 2, 3, 5, 7]
        tags = ['O', 'O', 'O', 'B-TO', 'I-TO', 'O']
        assert tag.labels_of(text, tags, ['B-TO', 'I-TO', 'O']) == [-1, 2, 2, 0, -1, 1, -1, 2, -1]
        assert tag.encode(tokenizer, words, 6).first_tokens == [1, None, 2, 3, None, None]
        train = [(['to', 'oslo'], ['O', 'B-TO']), (['oslo', 'oslo'], ['B-FROM', 'B-FROM'])]
        assert tag.most_frequent_tags(train, [(['oslo', 'to', 'lima'], None)]) == [['B-FROM', 'O', 'O']]

    def test_an_answer_is_found_in_the_text_of_its_passage():
        """From letters to tokens and back; what was cut off has no label, and a question is no answer."""
        import read
        tokenizer = tokenizer_of('who', '?', 'tom', 'is', 'in', 'os', '##lo', '.')
        passage = 'Tom is in Oslo.'
        text = read.encode(tokenizer, 'Who is?', passage, 99)
        assert text.token_ids == [2, 4, 7, 5, 3, 6, 7, 8, 9, 10, 11, 3]
        assert read.label_of(text, passage, 'Tom') == [5, 5] and read.label_of(text, passage, 'in Oslo') == [7, 9]
        assert read.label_of(text, passage, '.') == [10, 10]
        assert read.label_of(text, passage, 's') == [6, 6]  # a part of a token is in the token
        cut = read.encode(tokenizer, 'Who is?', passage, 10)
        assert read.label_of(cut, passage, 'Oslo') is None and read.label_of(cut, passage, 'in') == [7, 7]
        scores = np.zeros((2, 16))
        scores[0, [2, 8]], scores[1, [3, 9, 13]] = [9, 4], [9, 4, 9]  # of the question, Oslo, padding
        assert read.answer_of(text, passage, scores) == 'Oslo'
        assert read.answer_of(read.encode(tokenizer, 'Who is?', '', 99), '', scores) == ''

    def test_r_drop_is_the_formula_of_its_paper():
        """Of both readings of a text: - ln p1 - ln p2 + alpha / 2 (KL(p1 || p2) + KL(p2 || p1)), at both rows."""
        import r_drop
        logits = np.array([[1.5, -0.5, 0.25], [0.5, 1.0, -1.25], [-2.0, 0.75, 0.5], [-2.0, 0.75, 0.5]], 'float32')
        labels = np.array([0, 0, 2, 2])
        rows = values_of(r_drop.RDrop(alpha=0.7).call(kops.cast(labels, 'int32'), kops.cast(logits, 'float32')))
        p1, p2 = softmax(logits)[0::2], softmax(logits)[1::2]
        divergence = (p1 * np.log(p1 / p2)).sum(axis=-1) + (p2 * np.log(p2 / p1)).sum(axis=-1)
        expected = [-np.log(p1[row, label] * p2[row, label]) + 0.7 / 2 * divergence[row]
                    for row, label in enumerate(labels[::2])]
        np.testing.assert_allclose(rows, np.repeat(expected, 2), rtol=1e-6)
        assert divergence[0] > 1 and divergence[1] == 0
        for alpha in (-0.1, float('nan')):
            with pytest.raises(ValueError, match='alpha must be'):
                r_drop.RDrop(alpha)

    def test_each_text_is_twice_in_a_batch_of_r_drop():
        """Next to itself, with its label, in the order of the batches that it doubles."""
        import r_drop
        texts, labels = [([2, number, 3], [0, 0, 0]) for number in (4, 5, 6)], [0, 2, 1]
        plain, twice = [kind(None, None, texts, labels, batch_size=2, seed=5)
                        for kind in (BucketedBatches, r_drop.TwiceEach)]
        assert len(plain) == len(twice) == 2
        for (inputs, classes), (doubled, doubled_classes) in zip([plain[0], plain[1]], [twice[0], twice[1]]):
            for one, other in zip(list(inputs) + [classes], list(doubled) + [doubled_classes]):
                assert np.array_equal(other[0::2], one) and np.array_equal(other[1::2], one)
            assert type(doubled) is type(inputs) and len(doubled) == 2

    def test_an_adversarial_step_is_that_of_both_gradients():
        """By NumPy: the gradient, that of a table moved along it, one update by their mean, the table moved back."""
        import adversarial
        ids = np.array([[4, 1, 1], [3, 4, 2], [1, 3, 3], [4, 4, 1]])
        labels = np.array([1, 0, 1, 1])
        inputs = keras.layers.Input(shape=(3,), dtype='int32')
        x, _ = BertTokenEmbedding(6, 5, initializer_range=0.5, name='Embedding-Token')(inputs)
        x = BertDense(2, initializer_range=0.5)(keras.layers.GlobalAveragePooling1D()(x))
        model = keras.models.Model(inputs, x)
        # without moments, and with so great an epsilon, it takes 0.3 g / (|g| + 0.25)
        model.compile(AdamW(0.3, weight_decay=0, beta_1=0, beta_2=0, epsilon=0.25, accumulate=2),
                      CrossEntropy(from_logits=True))
        expected = [weight.astype('float64') for weight in backend.get_values(model.weights)]
        for _ in range(3):
            gradients = gradients_by_hand(expected, ids, labels)
            move = 0.9 * gradients[0] / np.sqrt((gradients[0] ** 2).sum())
            moved = gradients_by_hand([expected[0] + move] + expected[1:], ids, labels)
            means = [(one + other) / 2 for one, other in zip(gradients, moved)]
            loss = -np.log(softmax(expected[0][ids].mean(axis=1).dot(expected[1]) + expected[2])[range(4), labels])
            assert abs(adversarial.step(model, ids.astype('int32'), labels, 0.9) - loss.mean()) < 1e-6
            expected = [weight - 0.3 * mean / (abs(mean) + 0.25) for weight, mean in zip(expected, means)]
            for weight, wanted in zip(backend.get_values(model.weights), expected):
                np.testing.assert_allclose(weight, wanted, atol=1e-6)
        for epsilon in ('-0.1', 'nan'):
            with pytest.raises(ValueError, match='epsilon must be'):
                adversarial.main(['--epsilon=' + epsilon])

    def test_a_model_that_comes_back_changed_is_an_error(release, monkeypatch):
        """What the loaded one returns is compared."""
        from common import check_reloading
        monkeypatch.setattr(keras.models, 'load_model', lambda path, compile: build_bert_model(release[1]))
        model = build_bert_model(release[0])
        with pytest.raises(ValueError, match='loaded from .* differs by'):
            check_reloading(model, BucketedBatches(model, None, [([7, 8], [0, 0])], [0.5]))
