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
from bert4keras.backend import keras
from bert4keras.bert import build_bert_model
from bert4keras.snippets import BucketedBatches

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'examples')
ROWS = ('keras231-tf113', 'keras3-torch')
# The name of the file, its smallest arguments, and whether it then does better than the baseline.
SMALLEST = [
    ('adapters', '--epochs 1 --examples 16', False),
]


@pytest.fixture(autouse=True)
def examples(monkeypatch):
    """The folder of the examples on the path, and none of the official texts."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.delenv('BERT4KERAS_OFFICIAL', raising=False)


if os.environ.get('BERT4KERAS_ROW', ROWS[-1]) in ROWS:
    @pytest.mark.parametrize('name, arguments, learns', SMALLEST, ids=[line[0] for line in SMALLEST])
    def test_it_runs(name, arguments, learns, tmp_path, capsys, monkeypatch):
        """From random weights; it prints its result and the baseline, and keeps the model where it was told to."""
        monkeypatch.setattr('common.find_demo_weights', lambda: None)
        path = os.path.join(str(tmp_path), 'model' + backend.MODEL_SUFFIX)
        result, baseline = importlib.import_module(name).main(arguments.split() + ['--save', path])
        printed = capsys.readouterr().out
        assert '%.3f' % result in printed and '%.3f' % baseline in printed
        assert 'loaded again it gives the same answers' in printed and os.path.exists(path)
        assert 0 <= baseline < result <= 1 if learns else 0 <= min(result, baseline) <= max(result, baseline) <= 1

    def test_adapters_train_and_the_official_weights_do_not(release):
        """All but adapters, norms and the new head stays as it was in the release."""
        import adapters
        model = adapters.build(release[0], 2)
        model.compile(keras.optimizers.SGD(0.1), 'mse')
        ids = [np.random.RandomState(3).randint(1, 99, (4, 7)).astype('int32'), np.zeros((4, 7), 'int32')]
        before = {layer.name: backend.get_values(layer.weights) for layer in model.layers}
        assert np.array_equal(before['Encoder-2-FeedForward'][0],
                              release[2]['bert/encoder/layer_1/intermediate/dense/kernel'])
        model.train_on_batch(ids, np.ones((4, 2), 'float32'))
        moved = {layer.name for layer in model.layers for one, other in zip(before[layer.name],
                                                                            backend.get_values(layer.weights))
                 if not np.array_equal(one, other)}
        bottlenecks = {name for name in before if 'Adapter' in name and before[name]}
        norms = {name for name in before if name.endswith('-Norm')}
        assert len(bottlenecks) == 8 and moved == bottlenecks | norms | {'Classifier'}

    def test_a_model_that_comes_back_changed_is_an_error(release, monkeypatch):
        """What the loaded one returns is compared."""
        from common import check_reloading
        monkeypatch.setattr(keras.models, 'load_model', lambda path, compile: build_bert_model(release[1]))
        model = build_bert_model(release[0])
        with pytest.raises(ValueError, match='loaded from .* differs by'):
            check_reloading(model, BucketedBatches(model, None, [([7, 8], [0, 0])], [0.5]))
