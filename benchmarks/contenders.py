# -*- coding: utf-8 -*-
"""Who is measured: ours on each engine, its peers, and the limit, which is the engine's own product of matrices.

Each runs in a process of its own. `prepare(job)` imports what it needs and returns a function that makes the model,
which returns (a function that does the work once and waits for it, a function that gives the hidden states or None).
A `job` is a dict: task, config, directory, shape, padded, dtype, device.
"""
from __future__ import absolute_import, division, print_function

import collections
import functools
import json
import os

import numpy as np

from benchmarks.work import batch, products

__all__ = ['CONTENDERS', 'Contender', 'missing']

LEARNING_RATE = 1e-5


class Contender(collections.namedtuple('Contender', 'name title tasks dtypes packages environment prepare')):
    """One that is measured.

    Args:
        name, title: for the command, for people.
        tasks, dtypes: tuples of what it does.
        packages: the modules that must be installed.
        environment: dict, what is set before its process starts.
        prepare: see above.
    """


def missing(contender):
    """The first module of a contender's that is not installed, or None."""
    import importlib.util
    for package in contender.packages:
        if importlib.util.find_spec(package) is None:
            return package
    return None


def inputs_of(job):
    """(token ids, segment ids, labels) of a job."""
    token_ids, segment_ids = batch(tuple(job['shape']), job['padded'])
    return token_ids, segment_ids, np.arange(len(token_ids), dtype='int32') % 2


def float32(array):
    """An array of any engine and of bfloat16 as NumPy's float32."""
    if hasattr(array, 'detach'):
        array = array.detach().float().cpu().numpy()
    return np.asarray(array, 'float32')


# ------------------------------------------------------------------ Keras

def classifier(keras, inputs, pooled, compiled=False):
    """A compiled model of two classes on a pooled vector; its probabilities are float32 whatever the policy."""
    output = keras.layers.Dense(2, activation='softmax', dtype='float32')(pooled)
    model = keras.models.Model(inputs, output)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), 'sparse_categorical_crossentropy',
                  **({'jit_compile': True} if compiled else {}))
    return model


def waiting(job, engine):
    """A function that returns what it is given when the device has computed it; of a CPU it is already there."""
    if job['device'] == 'cpu':
        return lambda result: result
    if engine == 'jax':
        import jax
        return jax.block_until_ready
    import torch

    def wait(result):
        torch.cuda.synchronize()
        return result
    return wait


def on_device(job, model, inputs):
    """A function that computes the output of a Keras model, which stays on the device.

    `predict_on_batch` would copy it from the GPU, in more time than a small model takes to compute it.
    """
    engine = os.environ['KERAS_BACKEND']
    wait = waiting(job, engine)
    if engine == 'jax':
        import jax

        from bert4keras.backend import compiled
        run, inputs = compiled(model), jax.device_put(inputs)
        return lambda: wait(run(inputs))
    import keras
    import torch
    device = 'cuda' if job['device'] == 'gpu' else 'cpu'
    inputs = keras.tree.map_structure(lambda array: torch.tensor(array, device=device), inputs)

    def compute():
        with torch.no_grad():
            return wait(model(inputs, training=False))
    return compute


def prepare_ours(job, compiled=False):
    """bert4keras; on PyTorch through torch.compile, if so."""
    from bert4keras.backend import keras
    from bert4keras.bert import build_bert_model
    if job['dtype'] != 'float32':
        keras.config.set_dtype_policy('mixed_' + job['dtype'])
    directory = os.path.join(job['directory'], 'tensorflow')

    def make():
        if job['task'] == 'load':
            return build_bert_model(directory, with_nsp=True, with_mlm=True), None
        token_ids, segment_ids, labels = inputs_of(job)
        model = build_bert_model(directory, with_pool=job['task'] == 'train')
        if job['task'] == 'train':
            model = classifier(keras, model.inputs, model.output, compiled)
            return lambda: model.train_on_batch([token_ids, segment_ids], labels), None
        if compiled:
            import torch
            run = on_device(job, torch.compile(model), [token_ids, segment_ids])
        elif job['device'] == 'gpu':
            run = on_device(job, model, [token_ids, segment_ids])
        else:
            run = functools.partial(model.predict_on_batch, [token_ids, segment_ids])
        return run, lambda: float32(run())
    return make


def prepare_ours_compiled(job):
    """bert4keras on PyTorch through torch.compile."""
    return prepare_ours(job, compiled=True)


def prepare_keras_hub(job):
    """KerasHub, with the weights of the checkpoint."""
    import keras
    import keras_hub

    from bert4keras.release.config import read_config
    from bert4keras.release.variables import open_variables
    from parity.peers.keras_hub import load
    if job['dtype'] != 'float32':
        keras.config.set_dtype_policy('mixed_' + job['dtype'])

    def make():
        directory = os.path.join(job['directory'], 'tensorflow')
        config = read_config(os.path.join(directory, 'bert_config.json'))
        backbone = keras_hub.models.BertBackbone(
            vocabulary_size=config['vocab_size'], num_layers=config['num_hidden_layers'],
            num_heads=config['num_attention_heads'], hidden_dim=config['hidden_size'],
            intermediate_dim=config['intermediate_size'], dropout=0.0,
            max_sequence_length=config['max_position_embeddings'], num_segments=config['type_vocab_size'])
        load(backbone, open_variables(os.path.join(directory, 'bert_model.ckpt'), config),
             config['num_hidden_layers'])
        token_ids, segment_ids, labels = inputs_of(job)
        inputs = {'token_ids': token_ids, 'segment_ids': segment_ids, 'padding_mask': (token_ids != 0).astype('int32')}
        if job['task'] == 'train':
            model = classifier(keras, backbone.input, backbone.output['pooled_output'])
            return lambda: model.train_on_batch(inputs, labels), None
        model = keras.Model(backbone.input, backbone.output['sequence_output'])
        run = functools.partial(model.predict_on_batch, inputs) if job['device'] == 'cpu' else on_device(
            job, model, inputs)
        return run, lambda: float32(run())
    return make


def prepare_keras_bert(job):
    """keras-bert 0.89, on tf.keras; what it calls gelu is GELU by tanh."""
    import keras_bert
    import tf_keras as keras
    paths = [os.path.join(job['directory'], 'keras_bert.json'),
             os.path.join(job['directory'], 'tensorflow', 'bert_model.ckpt')]
    with open(paths[0], 'w') as stream:
        json.dump(dict(job['config'], hidden_act='gelu'), stream)

    def make():
        if job['task'] == 'load':
            return keras_bert.load_trained_model_from_checkpoint(*paths, training=True), None
        token_ids, segment_ids, labels = inputs_of(job)
        if job['task'] == 'train':
            whole = keras_bert.load_trained_model_from_checkpoint(*paths, training=True, trainable=True,
                                                                  seq_len=job['shape'][1])
            model = classifier(keras, whole.inputs[:2], whole.get_layer('NSP-Dense').output)
            return lambda: model.train_on_batch([token_ids, segment_ids], labels), None
        run = keras_bert.load_trained_model_from_checkpoint(*paths).predict_on_batch
        return lambda: run([token_ids, segment_ids]), lambda: float32(run([token_ids, segment_ids]))
    return make


# ------------------------------------------------------------------ PyTorch and ONNX Runtime

def prepare_transformers(job, precision='highest', compiled=False):
    """transformers with scaled_dot_product_attention; bfloat16 is its weights' type, and in training autocast's."""
    import torch
    import transformers
    torch.set_float32_matmul_precision(precision)
    directory = os.path.join(job['directory'], 'hugging-face')
    device = 'cuda' if job['device'] == 'gpu' else 'cpu'

    def make():
        if job['task'] == 'load':
            return transformers.BertForPreTraining.from_pretrained(directory), None
        half = {'dtype': torch.bfloat16} if job['dtype'] == 'bfloat16' and job['task'] == 'forward' else {}
        kind = transformers.BertModel if job['task'] == 'forward' else transformers.BertForSequenceClassification
        model = kind.from_pretrained(directory, attn_implementation='sdpa', **half).to(device)
        token_ids, segment_ids, labels = [torch.tensor(array, dtype=torch.long, device=device)
                                          for array in inputs_of(job)]
        inputs = {'input_ids': token_ids, 'token_type_ids': segment_ids, 'attention_mask': (token_ids != 0).long()}

        wait = waiting(job, 'torch')
        if job['task'] == 'forward':
            model.eval()
            inner = torch.compile(model) if compiled else model

            def run():
                with torch.inference_mode():
                    return wait(inner(**inputs).last_hidden_state)
            return run, lambda: float32(run())
        optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=device == 'cuda')  # its fastest there
        model.train()
        inner = torch.compile(model) if compiled else model

        def step():
            with torch.autocast(device, torch.bfloat16, enabled=job['dtype'] == 'bfloat16'):
                loss = inner(labels=labels, **inputs).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return wait(loss)
        return step, None
    return make


def prepare_medium(job):
    """transformers with products of float32 that the processor may take in bfloat16."""
    return prepare_transformers(job, 'medium')


def prepare_compiled(job):
    """transformers through torch.compile, with `medium` products."""
    return prepare_transformers(job, 'medium', compiled=True)


def prepare_ours_medium(job):
    """bert4keras on PyTorch with `medium` products."""
    import torch
    torch.set_float32_matmul_precision('medium')
    return prepare_ours(job)


# ------------------------------------------------------------------ the limit

def prepare_limit(job):
    """The products of a forward pass with weights, and nothing else, by the engine that KERAS_BACKEND names."""
    engine = os.environ['KERAS_BACKEND']
    shapes = products(job['config'], tuple(job['shape']))
    random = np.random.RandomState(0)
    pairs = [(times * job['config']['num_hidden_layers'], random.normal(size=(rows, inner)).astype('float32'),
              random.normal(size=(inner, columns)).astype('float32')) for times, rows, inner, columns in shapes]

    def make():
        multiply = {'jax': jax_product, 'tensorflow': tensorflow_product, 'torch': torch_product}[engine](
            job, [(one, other) for _, one, other in pairs])

        def run():
            for index, (times, _, _) in enumerate(pairs):
                multiply(index, times)
        return run, None
    return make


def jax_product(job, pairs):
    import jax
    import jax.numpy as jnp
    arrays = [(jnp.asarray(one, job['dtype']), jnp.asarray(other, job['dtype'])) for one, other in pairs]
    product = jax.jit(jnp.matmul)

    def multiply(index, times):
        jax.block_until_ready([product(*arrays[index]) for _ in range(times)])
    return multiply


def tensorflow_product(job, pairs):
    import tensorflow as tf
    arrays = [(tf.cast(one, job['dtype']), tf.cast(other, job['dtype'])) for one, other in pairs]

    def multiply(index, times):
        for _ in range(times):
            result = tf.matmul(*arrays[index])
        result.numpy()
    return multiply


def torch_product(job, pairs):
    import torch
    device, dtype = 'cuda' if job['device'] == 'gpu' else 'cpu', getattr(torch, job['dtype'])
    torch.set_float32_matmul_precision('medium')
    wait = waiting(job, 'torch')
    arrays = [(torch.tensor(one, dtype=dtype, device=device), torch.tensor(other, dtype=dtype, device=device))
              for one, other in pairs]

    def multiply(index, times):
        with torch.inference_mode():
            for _ in range(times):
                torch.matmul(*arrays[index])
        wait(None)
    return multiply


BOTH, FLOAT32 = ('float32', 'bfloat16'), ('float32',)
MODELS, ALL = ('forward', 'train'), ('forward', 'train', 'load')
TF_KERAS = {'TF_KERAS': '1', 'TF_USE_LEGACY_KERAS': '1'}
ENGINES = (('jax', 'JAX', 'jax'), ('tensorflow', 'TF', 'tensorflow'), ('torch', 'PyTorch', 'torch'))
CONTENDERS = collections.OrderedDict((contender.name, contender) for contender in (
    [Contender('ours-' + engine, 'bert4keras, ' + title, ALL, BOTH, ('keras', package), {'KERAS_BACKEND': engine},
               prepare_ours) for engine, title, package in ENGINES]
    + [Contender('ours-torch-medium', 'bert4keras, PyTorch "medium"', MODELS, FLOAT32, ('keras', 'torch'),
                 {'KERAS_BACKEND': 'torch'}, prepare_ours_medium),
       Contender('ours-torch-compiled', 'bert4keras, PyTorch compiled', MODELS, BOTH, ('keras', 'torch'),
                 {'KERAS_BACKEND': 'torch'}, prepare_ours_compiled)]
    + [Contender('keras-hub-' + engine, 'KerasHub, ' + title, MODELS, BOTH, ('keras_hub', package),
                 {'KERAS_BACKEND': engine}, prepare_keras_hub) for engine, title, package in ENGINES]
    + [Contender('keras-bert', 'keras-bert, TF', ALL, FLOAT32, ('keras_bert', 'tf_keras'), TF_KERAS,
                 prepare_keras_bert),
       Contender('transformers', 'transformers', ALL, BOTH, ('transformers', 'torch'), {}, prepare_transformers),
       Contender('transformers-medium', 'transformers "medium"', MODELS, FLOAT32, ('transformers', 'torch'), {},
                 prepare_medium),
       Contender('transformers-compiled', 'transformers "medium", compiled', MODELS, BOTH, ('transformers', 'torch'),
                 {}, prepare_compiled)]
    + [Contender('limit-' + engine, 'products alone, ' + title, ('forward',), BOTH, (package,),
                 {'KERAS_BACKEND': engine}, prepare_limit) for engine, title, package in ENGINES]))


def describe(contender):
    """{package: version} of what a contender runs on."""
    from importlib import metadata
    versions = {}
    for package in contender.packages:
        for name in (package, package.replace('_', '-'), package + '-cpu'):
            try:
                versions[package] = metadata.version(name)
                break
            except metadata.PackageNotFoundError:
                continue
    return versions


def read_job(path):
    """A job that a process was given."""
    with open(path) as stream:
        return json.load(stream)
