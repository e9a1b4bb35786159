# -*- coding: utf-8 -*-
"""Texts to one vector each, by a model and a tokenizer, or as the directory of a model says.

Needs NumPy only, until an Embedder is made; a model that is handed in brings its engine.
Shapes: N texts, B batch, T tokens, D hidden.
"""
from __future__ import absolute_import, division, print_function

import logging
import os

import numpy as np

from bert4keras.batching import check_rows, compute_by_length, encode_texts, padded_length, positions_of
from bert4keras.compat import STRINGS, fspath
from bert4keras.embedding.directory import fingerprint, read_sentence_model, width_of
from bert4keras.embedding.pooling import SIMILARITIES, normalize, parse_pooling, pool
from bert4keras.errors import ConfigError, TextError
from bert4keras.release.config import read_config
from bert4keras.release.families import family_of

__all__ = ['POLICIES', 'Embedder', 'Forward', 'compute_texts', 'embed', 'length_limit', 'load_model']

# What products may be computed in, and the policies of Keras for that. The weights of products are bfloat16 then, too,
# as each batch would round them again; those of embeddings and norms are float32 in all of them.
POLICIES = {'float32': 'float32', 'bfloat16': 'bfloat16', 'float16': 'mixed_float16'}
logger = logging.getLogger(__name__)


def embed(model, tokenizer=None, texts=None, pooling=None, batch_size=32, max_length=None, progress=None):
    """Turns texts into one vector each.

    Texts of similar length are computed together, to keep padding small, and batches come in few
    shapes, because JAX compiles once for each shape.

    Args:
        model: the path of a model's directory, or an `Embedder`: `embed('my_model', texts)` gives the vectors that
            the directory says, see `Embedder`. Or the encoder that `build_bert_model` returns: [token ids, segment
            ids], int [B, T], to the last hidden states [B, T, D].
        tokenizer: with an encoder, a `Tokenizer` or `SpTokenizer` with the vocabulary of the model.
        texts: iterable of strings.
        pooling: over a text's tokens, [CLS] and [SEP] included and padding excluded: a name in `POOLINGS`, or several,
            see `parse_pooling`; None for what the directory says, and with an encoder for 'mean'.
        batch_size: int, B; with fewer texts than that, B is their number.
        max_length: None, or the number of tokens that longer texts are cut to, special ones included;
            how many were cut is logged as a warning.
        progress: None, or a function to call after each batch with the number of its texts, such as
            the `update` of a tqdm bar.

    Returns:
        float32 array [N, D], in the order of `texts`.

    Raises:
        TextError (a ValueError): a text is no string, is longer than the model's position table, or has token ids
            that the model's vocabulary lacks. Found before anything is computed.
        ValueError: an argument out of range, or a model that is no encoder. TypeError: no strings.
    """
    if isinstance(model, Embedder) or isinstance(fspath(model), (bytes,) + STRINGS):
        if texts is None:
            tokenizer, texts = None, tokenizer
        if tokenizer is not None or pooling is not None and isinstance(model, Embedder):
            raise ValueError('a directory brings its tokenizer, and an Embedder its pooling, too: leave them out')
        embedder = model if isinstance(model, Embedder) else Embedder(model, pooling)
        return embedder.encode(texts, batch_size=batch_size, max_length=max_length, progress=progress)
    if pooling is None:
        _warn_about_directory(tokenizer)
    poolings = parse_pooling(pooling or 'mean')
    return _pooled(model, tokenizer, texts, poolings, batch_size, max_length, progress)


class Embedder(object):
    """Texts to vectors, as the directory of a model says.

    Of a directory of sentence-transformers the vectors are that library's: what modules.json names is done (pooling,
    Dense, Normalize), texts are cut to the length that is said there, and prompts go before them. Of any other release
    they are means over the tokens.

    Args:
        path: of the directory; or a release, see `release.directory.find_release`.
        pooling: None for what the directory says, else see `parse_pooling`; another one than its own is logged.
        precision: 'float32'; or 'bfloat16' or 'float16', in which the large products are computed then, where this
            Keras can: cosines change by less than 0.005. In bfloat16 the weights of these products are kept rounded to
            it, too. None for what the policy of the process says.

    Attributes:
        model, tokenizer: the encoder, a Keras model, and its tokenizer.
        poolings: tuple of names in POOLINGS.
        prompts, default_prompt: {name: text}, and the name of the one that is used unasked, or None.
        max_length: int, the number of tokens that texts are cut to; None where a longer text is an error.
        positions: int, the most tokens that a text can have.
        dimensions: int, how many numbers a vector has unasked.
        similarity_name: 'cosine', 'dot', 'euclidean' or 'manhattan'.
        tokens: int, how many tokens it has computed, padding left out.
        release: `release.directory.Release`, its files.
        lowercase: whether texts are lower-cased, whatever the tokenizer's files say.
        precision: as given.

    Raises:
        ConfigError, CheckpointError, VocabularyError (ValueErrors): a file is missing or wrong, or asks for what is
            not built. ValueError: an unknown pooling or precision, or one that this Keras does not have.
    """

    def __init__(self, path, pooling=None, precision=None):
        if precision is not None and precision not in POLICIES:
            raise ValueError('precision must be one of %s, not %r' % (', '.join(sorted(POLICIES)), precision))
        says = read_sentence_model(path)
        self.poolings = says.poolings if pooling is None else parse_pooling(pooling)
        self._width = width_of(says, self.poolings)
        if says.says and self.poolings != says.poolings:
            logger.warning('%s: pooling by %s, as asked; the directory says %s', says.path, '+'.join(self.poolings),
                           '+'.join(says.poolings))
        self.path, self._says, self.release, self.lowercase = says.path, says, says.release, says.lowercase
        self.precision = precision
        self.prompts, self.default_prompt = dict(says.prompts), says.default_prompt
        self.similarity_name = says.similarity
        self.dimensions = min(says.dimensions or self._width, self._width)
        self.model, self.tokenizer = load_model(says.release, says.lowercase, precision)
        self.max_length = length_limit(says, self) if says.says else None
        self.positions = positions_of(_layers_of(self.model))
        self.tokens = 0
        self._forward = Forward()

    def encode(self, texts, prompt_name=None, prompt=None, dimensions=None, normalized=False, batch_size=32,
               max_length=None, progress=None, on_cut=None):
        """Turns texts into vectors.

        Args:
            texts: iterable of strings.
            prompt_name: the name of the prompt in `prompts` to put before each text; None for the default one.
            prompt: the prompt itself, instead of a name; '' for none.
            dimensions: int, the first so many numbers of each vector are kept, for models that are trained for that
                (Matryoshka); where the directory ends in a Normalize, their length is 1 again.
            normalized: whether vectors get length 1, whatever the directory says.
            batch_size, max_length, progress: see `embed`; max_length None is for `self.max_length`.
            on_cut: None, or a function to call with the number of texts that were cut, instead of a warning.

        Returns:
            float32 array [N, dimensions], in the order of `texts`.

        Raises:
            TextError (a ValueError): see `embed`. ValueError: an argument out of range, or an unknown prompt.
        """
        self.steps(normalized, dimensions)  # an error, before the work
        max_length = self.max_length if max_length is None else max_length
        prompt = self.find_prompt(prompt_name, prompt)
        vectors = _pooled(self.model, self.tokenizer, texts, self.poolings, batch_size, max_length, progress, prompt,
                          self.skipped(prompt, max_length), self._count, on_cut, self._forward.of(self.model))
        for step in self.steps(normalized, dimensions):
            vectors = vectors[:, :step] if isinstance(step, int) else step(vectors)
        return np.ascontiguousarray(vectors)

    def steps(self, normalized=False, dimensions=None):
        """What pooled vectors go through, a list: a `Dense`, `normalize`, or the int of how many numbers are kept.

        Args:
            normalized, dimensions: see `encode`, also for what is raised.
        """
        if dimensions is not None and not 1 <= dimensions <= self._width:
            raise ValueError('dimensions must be from 1 to %d, what %s has; not %r'
                             % (self._width, self.path, dimensions))
        modules = list(self._says.modules)
        kept = int(dimensions or self.dimensions)
        again = normalized or dimensions is not None and modules[-1:] == [normalize]
        return modules + [kept] * (kept < self._width) + [normalize] * bool(again)

    def skipped(self, prompt, max_length=None):
        """How many tokens of texts with this prompt are not pooled."""
        if not prompt or self._says.include_prompt:
            return 0
        return len(self.tokenizer.encode(prompt, max_length=max_length)[0]) - 1  # [SEP] is none of it

    def _count(self, lengths):
        self.tokens += sum(lengths)

    def fingerprint(self):
        """A SHA-256, in hexadecimal, of the directory: its small files, and both ends of its weights."""
        return fingerprint(self._says)

    def find_prompt(self, name=None, prompt=None):
        """The text to put before each text; see `encode`."""
        if prompt is not None:
            if name is not None:
                raise ValueError('give the prompt, or its name: one of the two')
            return prompt
        name = self.default_prompt if name is None else name
        if name is not None and name not in self.prompts:
            raise ValueError('%s has no prompt called %s; it has: %s'
                             % (self.path, name, ', '.join(sorted(self.prompts)) or 'none'))
        return '' if name is None else self.prompts[name]

    def similarity(self, first, second):
        """How similar vectors are, by the function that the directory names; larger is more similar.

        Args:
            first, second: float arrays [N, D] and [M, D], from `encode`.

        Returns:
            float array [N, M]: cosines; or dot products; or Euclidean or Manhattan distances, negative.
        """
        return SIMILARITIES[self.similarity_name](np.asarray(first), np.asarray(second))


class Forward(object):
    """The forward pass of a model, compiled once for all that is computed by it."""

    def __init__(self):
        self.model = self.run = None

    def of(self, model):
        """What `backend.compiled` makes of a model; of the one of the call before it is there already."""
        if model is not self.model:
            from bert4keras.backend import compiled
            self.model, self.run = model, compiled(model)
        return self.run


def load_model(release, lowercase=False, precision=None, **options):
    """Builds an encoder and its tokenizer; what can be wrong with the files is found before Keras starts.

    Args:
        release: a `release.directory.Release`.
        lowercase: see `load_tokenizer`. precision: see `Embedder`.
        **options: of `build_bert_model`.

    Returns:
        (Keras model, tokenizer).
    """
    from bert4keras.tokenizer_files import load_tokenizer
    tokenizer, config = load_tokenizer(release, lowercase), read_config(release.config_path)
    if family_of(config).counts_tokens and config['pad_token_id'] != tokenizer.token_pad_id:
        raise ConfigError('%s has pad_token_id = %d, and the tokenizer beside it pads with %d; the positions of %s are '
                          'counted from that: correct the config, or give the directory its own tokenizer'
                          % (release.config_path, config['pad_token_id'], tokenizer.token_pad_id,
                             family_of(config).title))
    from bert4keras.backend import dtype_policy
    from bert4keras.bert import build_bert_model
    # another one is that of XLM-R's tokenizer in BERT's layout: its 0 is <s>, whatever the config says
    config['pad_token_id'] = tokenizer.token_pad_id
    with dtype_policy(precision and POLICIES[precision]):
        return build_bert_model(config, release.checkpoint_path, **options), tokenizer


def _warn_about_directory(tokenizer):
    """Says so if the tokenizer is of a directory whose vectors are others than those of a mean over the tokens."""
    path = fspath(getattr(tokenizer, '_path', None))
    directory = os.path.dirname(path) if isinstance(path, (bytes,) + STRINGS) else None
    if directory is None or not os.path.exists(os.path.join(directory, 'modules.json')):
        return
    try:
        says = read_sentence_model(directory)
    except ValueError as error:
        return logger.warning('pooling by mean, whatever the directory says: %s', error)
    if says.poolings != ('mean',) or any(module is not normalize for module in says.modules):
        logger.warning('pooling by mean, but %s says otherwise (%s%s); embed(%r, texts) does what it says',
                       directory, '+'.join(says.poolings),
                       ''.join(', then %s' % (module.path if module is not normalize else 'length 1')
                               for module in says.modules), directory)


def _layers_of(model):
    return {layer.name: layer for layer in model.layers}


def length_limit(says, encoder):
    """The number of tokens that a directory cuts texts to; no more than the model has positions."""
    found = [says.max_length or encoder.tokenizer.model_max_length, positions_of(_layers_of(encoder.model))]
    return min(length for length in found if length is not None)


def _pooled(model, tokenizer, texts, poolings, batch_size, max_length, progress, prompt='', skipped=0,
            count=lambda lengths: None, on_cut=None, forward=None):
    """The pooled vectors of texts with a prompt, float32 [N, D * poolings]; see `embed` and `pool`."""
    def finish(hidden, lengths):
        count(lengths)
        return pool(hidden, lengths, poolings, skipped)

    if (not isinstance(model.output_shape, tuple) or len(model.output_shape) != 3
            or {'MLM-Proba', 'Classifier', 'Span'} & set(_layers_of(model))):
        raise ValueError('embed needs the last hidden states: build the model without with_pool, with_nsp, with_mlm '
                         'and head')
    return compute_texts(model, tokenizer, texts, len(poolings) * int(model.output_shape[-1]), batch_size, max_length,
                         progress, finish, prompt, skipped, on_cut, forward)


def compute_texts(model, tokenizer, texts, width, batch_size, max_length, progress, finish, prompt='', skipped=0,
                  on_cut=None, forward=None):
    """What a model computes of texts, in batches of similar length.

    Args:
        model: of [token ids, segment ids], int [B, T], to one output, [B, ...].
        texts: iterable of strings, or of pairs.
        width: int, how many numbers the result has for each.
        finish: function of the output, float32 [B, ...], and the numbers of tokens [B], to [B, width].
        tokenizer, batch_size, max_length, progress: see `embed`, also for what is raised.
        prompt, skipped: string to put before each text, of which so many tokens are not pooled.
        on_cut: see `check_rows`.
        forward: what `backend.compiled` made of the model, see `Forward`; None for Keras' own.

    Returns:
        float32 array [N, width].
    """
    if batch_size < 1:
        raise ValueError('batch_size must be at least 1, not %r' % (batch_size,))
    layers = _layers_of(model)
    positions = positions_of(layers)
    rows = check_rows(encode_texts(tokenizer, texts, max_length, prompt), max_length, positions,
                      layers['Embedding-Token'].vocab_size, on_cut)
    segments = getattr(layers.get('Embedding-Segment'), 'type_vocab_size', None)
    for index, (token_ids, segment_ids) in enumerate(rows):
        if segments == 1 and any(segment_ids):
            raise TextError(index, 'has a second segment, and the model has one only (type_vocab_size 1): its '
                            'tokenizer is of another model')
        if len(token_ids) <= skipped:
            raise TextError(index, 'has no token besides those of the prompt, which the model leaves out; let the '
                            'prompt end in a space')
    # a subclass may have a mask of its own; 0 is [PAD] in every official release
    pad_token_id = getattr(layers.get('Attention-Mask'), 'pad_token_id', 0)
    if getattr(tokenizer, 'token_pad_id', pad_token_id) != pad_token_id:
        raise ValueError('the model pads with id %d, and the tokenizer with %d: build the model with the config '
                         'dict(read_config(path), pad_token_id=%d)'
                         % (pad_token_id, tokenizer.token_pad_id, tokenizer.token_pad_id))
    batch_size = min(batch_size, len(rows))

    def compute(inputs, lengths):
        output = np.asarray((forward or model.predict_on_batch)(inputs))
        return finish(output[:len(lengths)].astype('float32'), lengths)

    vectors = compute_by_length(rows, compute, lambda width: batch_size,
                                lambda length: padded_length(length, positions), pad_token_id, progress)
    return np.array(vectors, dtype='float32').reshape(len(rows), width)
