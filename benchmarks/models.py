# -*- coding: utf-8 -*-
"""Models that are measured: ours on each engine, its peers, and the limit, which is the engine's product of matrices.

`prepare_...(job)` imports what it needs and returns a function that makes the model, which returns (a function that
does the work once and waits for it, a function that gives the hidden states, or None). See contenders.py for a `job`.
"""
from __future__ import absolute_import, division, print_function

import functools
import json
import os

import numpy as np

from benchmarks.work import batch, products

LEARNING_RATE = 1e-5


def inputs_of(job):
    """(token ids, segment ids, labels) of a job."""
    token_ids, segment_ids = batch(tuple(job['shape']), job['padded'])
    return token_ids, segment_ids, np.arange(len(token_ids), dtype='int32') % 2


def set_policy(keras, job):
    """Lets Keras compute in half precision; only to train are the weights float32 then, as in transformers."""
    keras.config.set_dtype_policy(job['dtype'] if job['task'] == 'forward' else 'mixed_' + job['dtype'])


def read_all(arrays):
    """Reads each of a model's weights once, as some libraries only map the file; returns their sum."""
    return sum(float(array.sum()) for array in arrays)


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
        set_policy(keras, job)
    directory = os.path.join(job['directory'], 'tensorflow')

    def make():
        if job['task'] == 'load':
            model = build_bert_model(directory, with_nsp=True, with_mlm=True)
            return read_all(map(np.asarray, model.weights)), None  # convert_to_numpy copies
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


def masked(job, everywhere=False):
    """(positions, the ids there), int32 [B, P], of the masked words of a job: 15% of the tokens, or all of them."""
    size, length = job['shape']
    count = length if everywhere else max(1, int(round(0.15 * length)))
    positions = np.tile(np.linspace(0, length - 1, count).astype('int32'), (size, 1))
    return positions, np.take_along_axis(inputs_of(job)[0], positions, axis=1)


def prepare_masked_words(job, everywhere=False):
    """The model of `bert4keras pretrain`, whose words are computed at masked positions, or at all, if so."""
    from bert4keras.backend import keras
    from bert4keras.pretraining.model import PretrainingBert
    from bert4keras.release.config import read_config
    if job['dtype'] != 'float32':
        set_policy(keras, job)
    directory = os.path.join(job['directory'], 'tensorflow')

    def make():
        bert = PretrainingBert(read_config(os.path.join(directory, 'bert_config.json')))
        model = bert.build()
        bert.start(0, os.path.join(directory, 'bert_model.ckpt'))
        model.compile(keras.optimizers.Adam(LEARNING_RATE), lambda _, output: keras.ops.mean(output[:, 1:, 0]))
        token_ids, segment_ids, labels = inputs_of(job)
        positions, words = masked(job, everywhere)
        targets = np.concatenate([labels[:, None], words], axis=1)
        inputs = [token_ids, segment_ids, positions, targets, np.zeros((len(labels), 3), 'int32')]
        return lambda: model.train_on_batch(inputs, labels), None
    return make


def prepare_all_words(job):
    """The same with the words of all positions, as where the masked ones are only weighed."""
    return prepare_masked_words(job, everywhere=True)


def keras_hub_words(keras, job, backbone, inputs):
    """A step of KerasHub's masked language model."""
    import keras_hub
    model = keras_hub.models.BertMaskedLM(backbone)
    positions, words = masked(job)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return lambda: model.train_on_batch(dict(inputs, mask_positions=positions), words)


def torch_step(job, model, inputs, compiled=False):
    """A function that takes a step of Adam, and waits for it, of a model of transformers, which has its own loss."""
    import torch
    device, wait = 'cuda' if job['device'] == 'gpu' else 'cpu', waiting(job, 'torch')
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=device == 'cuda')  # its fastest there
    inner = torch.compile(model) if compiled else model

    def step():
        with torch.autocast(device, torch.bfloat16, enabled=job['dtype'] == 'bfloat16'):
            loss = inner(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return wait(loss)
    return step


def prepare_transformers_words(job):
    """A step of transformers' masked language model, which computes the words of all positions."""
    import torch
    import transformers
    torch.set_float32_matmul_precision('medium')

    def make():
        device = 'cuda' if job['device'] == 'gpu' else 'cpu'
        model = transformers.BertForMaskedLM.from_pretrained(
            os.path.join(job['directory'], 'hugging-face'), attn_implementation='sdpa').to(device).train()
        token_ids, segment_ids, _ = inputs_of(job)
        positions, words = masked(job)
        labels = np.full(token_ids.shape, -100)
        np.put_along_axis(labels, positions, words, axis=1)
        inputs = {name: torch.tensor(array, dtype=torch.long, device=device) for name, array in (
            ('input_ids', token_ids), ('token_type_ids', segment_ids), ('attention_mask', token_ids != 0),
            ('labels', labels))}
        return torch_step(job, model, inputs), None
    return make


def prepare_keras_hub(job):
    """KerasHub, with the weights of the checkpoint."""
    import keras
    import keras_hub

    from bert4keras.release.config import read_config
    from bert4keras.release.variables import open_variables
    from parity.peers.keras_hub import load
    if job['dtype'] != 'float32':
        set_policy(keras, job)

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
        if job['task'] == 'pretrain':
            return keras_hub_words(keras, job, backbone, inputs), None
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
            return read_all(keras_bert.load_trained_model_from_checkpoint(*paths, training=True).get_weights()), None
        token_ids, segment_ids, labels = inputs_of(job)
        if job['task'] == 'train':
            whole = keras_bert.load_trained_model_from_checkpoint(*paths, training=True, trainable=True,
                                                                  seq_len=job['shape'][1])
            model = classifier(keras, whole.inputs[:2], whole.get_layer('NSP-Dense').output)
            return lambda: model.train_on_batch([token_ids, segment_ids], labels), None
        run = keras_bert.load_trained_model_from_checkpoint(*paths, seq_len=job['shape'][1]).predict_on_batch
        return lambda: run([token_ids, segment_ids]), lambda: float32(run([token_ids, segment_ids]))
    return make


def prepare_early(job):
    """bert4keras 0.11.5, on tf.keras; it is found by --path bert4keras-0.11.5=DIRECTORY."""
    from bert4keras import backend
    from bert4keras.models import build_transformer_model
    if hasattr(backend, 'IS_KERAS_3'):
        raise ImportError('this is not 0.11.5: name its folder by --path bert4keras-0.11.5=DIRECTORY')
    backend.set_gelu('tanh')
    config = os.path.join(job['directory'], 'early.json')
    with open(config, 'w') as stream:
        json.dump(dict(job['config'], hidden_act='gelu'), stream)

    def make():
        checkpoint = os.path.join(job['directory'], 'tensorflow', 'bert_model.ckpt')
        if job['task'] == 'load':
            model = build_transformer_model(config, checkpoint, with_nsp=True, with_mlm=True)
            return read_all(model.get_weights()), None
        token_ids, segment_ids, labels = inputs_of(job)
        model = build_transformer_model(config, checkpoint, with_pool=job['task'] == 'train')
        if job['task'] == 'train':
            model = classifier(backend.keras, model.inputs, model.output)
            return lambda: model.train_on_batch([token_ids, segment_ids], labels), None
        run = model.predict_on_batch
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
            model = transformers.BertForPreTraining.from_pretrained(directory)
            return read_all(weight.detach().numpy() for weight in model.parameters()), None
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
        model.train()
        return torch_step(job, model, dict(inputs, labels=labels), compiled), None
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


def prepare_onnx_runtime(job):
    """ONNX Runtime, on the file that ours on PyTorch exports."""
    import onnxruntime

    from bert4keras.bert import build_bert_model

    def make():
        path = os.path.join(job['directory'], 'model.onnx')
        token_ids, segment_ids, _ = inputs_of(job)
        model = build_bert_model(os.path.join(job['directory'], 'tensorflow'))
        model.predict_on_batch([token_ids[:1], segment_ids[:1]])
        model.export(path, format='onnx', verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
        inputs = {one.name: array for one, array in zip(session.get_inputs(), [token_ids, segment_ids])}

        def run():
            return session.run(None, inputs)[0]
        return run, lambda: float32(run())
    return make


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
