# -*- coding: utf-8 -*-
"""Exports an embedding model as ONNX or a TensorFlow SavedModel, to be served without bert4keras.

The graph takes padded token ids, int32 [B, T], of any batch size and length, and returns vectors, float32 [B, width].
It holds the encoder, the directory's pooling, Dense and Normalize, and the cut to the first dimensions. Turning text
into ids is left to the tokenizer, whose files are written alongside; export.json records what else a server must know.

Needs Keras 3. Shapes: B texts, T tokens, D hidden.
"""
from __future__ import absolute_import, division, print_function

import json
import os

import numpy as np

from bert4keras import backend
from bert4keras.backend import keras, kops
from bert4keras.convert import find_vocabulary
from bert4keras.embedding.dense import ACTIVATIONS, Dense
from bert4keras.embedding.encoder import Embedder
from bert4keras.embedding.pooling import normalize
from bert4keras.errors import ReleaseError
from bert4keras.files import temporary_directory, whole_file
from bert4keras.layers import BertLayer, affine, get_activation
from bert4keras.tokenizer_files import carry_tokenizer, save_tokenizer_files

__all__ = ['EXPORTED', 'KINDS', 'SentenceVectors', 'export', 'vector_model']

KINDS = ('onnx', 'saved-model')
EXPORTED = 'export.json'
# What a Dense of a directory calls an activation: ours, of the same formula.
NAMES = {'Identity': 'linear', 'Tanh': 'tanh', 'ReLU': 'relu', 'GELU': 'gelu_erf', 'SiLU': 'silu'}


def export(source, destination, kind, pooling=None, normalized=False, dimensions=None, prompt_name=None, prompt=None):
    """Writes the graph of a directory's vectors, its tokenizer, and export.json, which says what they are.

    Args:
        source: the directory of a model; see `Embedder`.
        destination: the directory to make, with model.onnx in it or a SavedModel. It gets its name when it is complete.
        kind: 'onnx' or 'saved-model'.
        pooling: see `Embedder`. normalized, dimensions: see `Embedder.encode`.
        prompt_name, prompt: of the texts that the graph will be given, see `Embedder.encode`; where the directory
            leaves the prompt out of the pooling, as many tokens are left out.

    Returns:
        dict, the content of export.json: kind, input, pad_token_id, max_length, prompt, pooling, normalized, width.

    Raises:
        ValueError: the destination exists, an argument is out of range, or this Keras and engine cannot write it; the
            message says which can. ImportError: a package that the engine needs is missing.
    """
    if kind not in KINDS:
        raise ValueError('kind must be one of %s, not %r' % (', '.join(KINDS), kind))
    backend.check_export(kind)
    destination = os.path.abspath(destination)
    if os.path.lexists(destination):
        raise ReleaseError('%s exists; give another destination, or remove it' % destination)
    embedder = Embedder(source, pooling)
    prompt = embedder.find_prompt(prompt_name, prompt)
    model = vector_model(embedder, normalized, dimensions, prompt)
    shape = 1, embedder.skipped(prompt) + 2
    model.predict_on_batch(np.full(shape, embedder.tokenizer.token_pad_id, 'int32'))  # Keras asks for it
    content = {'kind': kind, 'input': 'token_ids', 'pad_token_id': embedder.tokenizer.token_pad_id,
               'max_length': embedder.max_length or embedder.positions, 'prompt': prompt,
               'pooling': '+'.join(embedder.poolings),
               'normalized': embedder.steps(normalized, dimensions)[-1:] == [normalize],
               'width': int(model.output_shape[-1])}
    with temporary_directory(destination) as partial:
        path = os.path.join(partial, 'model.onnx') if kind == 'onnx' else partial
        backend.export(model, path, kind, embedder.positions)
        _write_tokenizer(embedder, partial)
        with whole_file(os.path.join(partial, EXPORTED)) as stream:
            stream.write((json.dumps(content, indent=1, sort_keys=True, separators=(',', ': ')) + '\n').encode('ascii'))
        os.rename(partial, destination)
    return content


def _write_tokenizer(embedder, directory):
    """Writes the tokenizer's files, lower-casing as the directory of the model says."""
    release = embedder.release
    if embedder.lowercase:
        save_tokenizer_files(directory, embedder.tokenizer)
    else:
        carry_tokenizer(release.vocab_path or find_vocabulary(release.config_path), directory, 'hugging-face')


def vector_model(embedder, normalized=False, dimensions=None, prompt=''):
    """The Keras model of token ids [B, T] to vectors [B, width]; see `export`."""
    token_ids = keras.layers.Input(shape=(None,), dtype='int32', name='token_ids')
    hidden = embedder.model([token_ids, FirstSegment(name='segment_ids')(token_ids)])
    vectors = SentenceVectors(embedder.poolings, embedder.steps(normalized, dimensions),
                              embedder.tokenizer.token_pad_id, embedder.skipped(prompt),
                              name='vectors')([hidden, token_ids])
    return keras.models.Model(token_ids, vectors)


class FirstSegment(BertLayer):
    """Token ids [B, T] -> segment ids 0."""

    def call(self, inputs):
        return kops.zeros_like(inputs)


class SentenceVectors(BertLayer):
    """What follows an encoder: its hidden states, pooled, through Dense, Normalize and a cut.

    It is there to be exported, and cannot be saved in a Keras model.

    Args:
        poolings: names in POOLINGS; see `pooling.pool`, whose formulas these are.
        steps: what follows; see `Embedder.steps`.
        pad_token_id: int.
        skipped: int, how many tokens at the start are not pooled.

    Call: [hidden states [B, T, D], token ids [B, T]] -> [B, width]; a row of padding alone gives numbers, too.
    """

    full_precision = True

    def __init__(self, poolings, steps, pad_token_id, skipped=0, **kwargs):
        super(SentenceVectors, self).__init__(**kwargs)
        self.poolings, self.pad_token_id, self.skipped = tuple(poolings), pad_token_id, skipped
        self.steps = [self._dense(step) if isinstance(step, Dense) else step for step in steps]

    def call(self, inputs):
        hidden, token_ids = inputs
        x = kops.concatenate([self.pool(hidden, token_ids, name) for name in self.poolings], axis=-1)
        for step in self.steps:
            x = unit_length(x) if step is normalize else x[:, :step] if isinstance(step, int) else step(x)
        return x

    def pool(self, hidden, token_ids, name):
        """One pooling: hidden [B, T, D], token_ids [B, T] -> [B, D]."""
        positions = kops.expand_dims(kops.arange(kops.shape(token_ids)[1]), 0)  # [1, T]
        is_token = kops.logical_and(kops.not_equal(token_ids, self.pad_token_id), positions >= self.skipped)
        if name == 'max':
            return kops.max(kops.where(kops.expand_dims(is_token, -1), hidden, float(np.finfo('float32').min)), axis=1)
        weights = kops.cast(is_token, 'float32')  # [B, T]
        places = kops.cast(positions + 1, 'float32') * weights
        if name == 'lasttoken':
            weights = kops.cast(kops.equal(places, kops.max(places, axis=1, keepdims=True)), 'float32') * weights
        elif name == 'cls':  # not by its index, as PyTorch traces with a text of one token
            weights = kops.cast(kops.equal(positions, self.skipped), 'float32')
        elif name == 'weightedmean':
            weights = places
        counts = kops.maximum(kops.sum(weights, axis=1, keepdims=True), 1.0)  # [B, 1]
        total = kops.sum(hidden * kops.expand_dims(weights, -1), axis=1)  # [B, D]
        return total / (kops.sqrt(counts) if name == 'mean_sqrt_len' else counts)

    def _dense(self, dense):
        """The function of [B, in] to [B, out] of a Dense, whose arrays become weights here."""
        kernel, bias, residual = [array if array is None else self._constant(array) for array in (
            dense.kernel, dense.bias if np.ndim(dense.bias) else None, dense.residual_kernel)]
        name = next(name for name, function in ACTIVATIONS.items() if function is dense.activation)
        activation = kops.sigmoid if name == 'Sigmoid' else get_activation(NAMES[name])

        def apply(x):
            y = activation(affine(x, kernel, bias))
            if dense.residual:
                y = y + (x if residual is None else affine(x, residual))
            return y
        return apply

    def _constant(self, array):
        return self.add_weight(name='dense_%d' % len(self.weights), shape=array.shape, trainable=False,
                               initializer=lambda shape, dtype=None: kops.convert_to_tensor(array, dtype))


def unit_length(x):
    """Scales each row of [N, D] to length 1; see `pooling.normalize`."""
    lengths = kops.sqrt(kops.sum(kops.square(x), axis=-1, keepdims=True))
    return x / kops.maximum(lengths, float(np.finfo('float32').tiny))
