# -*- coding: utf-8 -*-
"""How official weights get into a BertModel and out of it: each by its full name, its shape checked first."""
from __future__ import absolute_import, division, print_function

import collections
import logging
import os

import numpy as np

from bert4keras import backend, graph
from bert4keras.compat import fspath
from bert4keras.errors import CheckpointError, ConfigError, ReleaseError, VocabularyError, some
from bert4keras.files import copy_file, move_files, temporary_directory
from bert4keras.release.checkpoint import save_checkpoint
from bert4keras.release.config import hidden_act_of
from bert4keras.release.directory import release_among, vocabulary_name, write_release
from bert4keras.release.families import HEAD_ARGUMENTS, family_of, is_transposed, strip_transposed
from bert4keras.release.heads import HEAD_VARIABLES, TASK_HEADS, layer_variables_with
from bert4keras.release.variables import Variables, expected_shapes, open_variables, to_layout
from bert4keras.tokenizer import load_vocab, save_vocab
from bert4keras.tokenizer_files import TOKENIZER_JSON, carry_tokenizer

__all__ = ['OfficialWeights', 'check_keep_words', 'warn_of_types']

logger = logging.getLogger('bert4keras.bert')  # of which this is a part

# The variables with one row a word, which keep_words selects from.
VOCABULARY_VARIABLES = ('bert/embeddings/word_embeddings', 'cls/predictions/output_bias')


class OfficialWeights(object):
    """The part of `BertModel` that loads and saves; it needs its attributes, and `plain_class`."""

    def variable_names(self):
        """OrderedDict: layer name -> Google's names of the variables that are its weights, in order.

        A name ends in ".T" where the layer holds the variable transposed.
        """
        names = layer_variables_with(self.config, self.head)
        for wanted, layers in ((self.needs_pooler(), ['Pooler-Dense']),
                               (self.with_nsp, ['NSP-Proba']),
                               (self.with_mlm, ['MLM-Dense', 'MLM-Norm', 'MLM-Proba'])):
            for layer in layers if not wanted else ():
                names.pop(layer, None)
        return collections.OrderedDict(
            (self.layers[name].name if name in self.layers else self.layer_name(name), variables)
            for name, variables in names.items())

    def pad_token_id(self):
        """The id of padding in this model's vocabulary."""
        pad = self.config['pad_token_id']
        return pad if self.keep_words is None else self.keep_words.tolist().index(pad)

    def plain_options(self):
        """The arguments that make the same model of `plain_class`, where nothing was changed."""
        return {name: getattr(self, name) for name in (
            'with_pool', 'with_nsp', 'with_mlm', 'keep_words', 'application', 'prefix', 'head')}

    def first_difference(self):
        """Where `self.model` differs from the plain BERT of its config, as words; None if nowhere."""
        plain = self.plain_class(self.config, **self.plain_options())
        plain.activation = self.activation
        return graph.first_difference(self.model, plain)

    def _weights(self):
        """Pairs (Keras variable, Google's name of it, ".T" for transposed) of the built model."""
        return [(weight, name) for _, weight, name in self._weights_by_layer()]

    def _weights_by_layer(self):
        """Triples (layer name, Keras variable, Google's name of it) of the built model."""
        if self.model is None and not self.layers:
            raise ValueError('the model is not built yet: call build() first')
        made = {layer.name: layer for layer in self.layers.values()}
        for layer_name, names in self.variable_names().items():
            layer = made.get(layer_name) or self.model.get_layer(layer_name)
            weights = getattr(layer, 'loaded_weights', layer.weights)
            if len(weights) != len(names):
                raise ValueError('layer %s has %d weights, variable_names() gives it %d names: %s. Weights that no '
                                 'checkpoint holds are made by add_parameter(..., own=True)'
                                 % (layer_name, len(weights), len(names), ', '.join(names)))
            for weight, name in zip(weights, names):
                yield layer_name, weight, name

    # -------------------------------------------------------------- in

    @classmethod
    def from_keras_model(cls, model, changed=False):
        """The BertModel around a Keras model that one built, such as a saved model that was loaded.

        Args:
            model: Keras model with the layers of `build`; others on top of them do not matter.
            changed: True for one that computes something else than BERT.

        Returns:
            BertModel with its config read off the layers, able to load and save checkpoints.

        Raises:
            ValueError: the model lacks a layer of a BERT; or it was changed, and the message names the first
                layer that differs.
        """
        config, arguments = graph.read_model(model)
        bert = cls(config, **arguments)
        bert.model = model
        difference = None if changed else bert.first_difference()
        if difference:
            raise ReleaseError('the model %s is not the BERT that its sizes are of: %s. changed=True (--changed) takes '
                               'it all the same' % (model.name, difference))
        return bert

    def begin_loading(self, check):
        """Opens the checkpoint that the model was given, before the work of building.

        Args:
            check: whether the model is plain, so that its config says what the checkpoint must hold.

        Returns:
            Variables, or None if there is no checkpoint. Nothing random is drawn for their layers from now on.
        """
        if self.checkpoint_path is None:
            return None
        variables = open_variables(self.checkpoint_path, self.config)
        if check:
            self.check_variables(variables)
        self.loading = frozenset(self.variable_names()) - self.missing_layers(variables)
        return variables

    def missing_layers(self, variables):
        """The layers of the task's head, with its pooler, of which a checkpoint has nothing: they stay as they are."""
        optional = set(TASK_HEADS[self.head].variables if self.head else ())
        if self.head == 'classification' and not (self.with_pool or self.with_nsp):
            optional.update(['bert/pooler/dense/kernel', 'bert/pooler/dense/bias'])
        return frozenset(layer for layer, names in self.variable_names().items()
                         if names and optional.issuperset(names) and not any(name in variables for name in names))

    def load_weights_from_checkpoint(self, checkpoint=None):
        """Loads every weight that `variable_names` lists, by its full name, its shape checked first.

        Args:
            checkpoint: path, see `release.checkpoint.open_checkpoint`, or what that or `open_variables`
                returns; None for the one in the directory that the model was made from.

        Returns:
            list of the checkpoint's variables that were not read, in its own names; it is kept as
            `self.unread`. It is logged; as a warning if there is more in it than heads that were not asked
            for and training state. Layers of the task's head that it lacks keep their weights, random in a new
            model: a warning names them, and `self.new_layers` lists them.

        Raises:
            CheckpointError: a variable is missing, has another shape or is damaged. What is missing or
                of another shape is found before the first weight is changed.
        """
        if checkpoint is None and self.checkpoint_path is None:
            raise ValueError('the model was made from a config, not from a directory: say which checkpoint to load')
        variables = self.checkpoint_path if checkpoint is None else checkpoint
        if not isinstance(variables, Variables):
            variables = open_variables(variables, self.config)
        names = self.set_variables(variables)
        warn_of_types(variables, names)
        expected, unexpected = variables.unread(names)
        logger.info('%s: %d variables read; left: %s', variables.path, len(names), some(expected) or 'none')
        if unexpected:
            logger.warning('%s has %d variables that this model has no place for: %s', variables.path,
                           len(unexpected), some(unexpected))
        if self.new_layers:
            logger.warning('%s has no weights for %s, of the head %r: they are to be trained', variables.path,
                           ' and '.join(self.new_layers), self.head)
        self.unread = expected + unexpected
        return self.unread

    def set_variables(self, variables):
        """Sets every weight that `variable_names` lists from `Variables`, but `missing_layers`; returns their names."""
        missing = self.missing_layers(variables)
        self.new_layers = [layer for layer in self.variable_names() if layer in missing]
        pairs = [(weight, name) for layer, weight, name in self._weights_by_layer() if layer not in missing]
        for weight, name in pairs:
            self._check_variable(variables, name, weight.shape)
        backend.set_values((weight, self._keep(variables[name], name)) for weight, name in pairs)
        return [name for _, name in pairs]

    def check_variables(self, variables):
        """CheckpointError unless a checkpoint has what the plain model needs, by its config: before it is built."""
        shapes = {name: shape for _, name, shape in expected_shapes(self.config, self.head, self.num_labels)}
        missing = self.missing_layers(variables)
        for layer, names in self.variable_names().items():
            for name in names if layer not in missing else ():
                self._check_variable(variables, name, shapes[name])

    def _check_variable(self, variables, name, shape):
        """CheckpointError unless the checkpoint has the variable in the shape of the weight."""
        if name not in variables:
            raise CheckpointError(self._missing_message(variables, name))
        if 'float' not in variables.dtype(name):
            raise CheckpointError('%s: %s is of type %s, but weights are floats. Convert a quantised checkpoint '
                                  'back first' % (variables.path, name, variables.dtype(name)))
        expected = tuple(int(size) for size in shape)
        if self.keep_words is not None and name in VOCABULARY_VARIABLES:
            expected = (self.config['vocab_size'],) + expected[1:]
        found = variables.shape(name)
        if strip_transposed(name) in HEAD_VARIABLES and found[:-1] == expected[:-1] and found != expected:
            raise CheckpointError(
                '%s has a head for %d labels, the model one for %d: give num_labels=%d. For a new head, build the '
                'model without one, save it with save_release and start from that'
                % (variables.path, found[-1], expected[-1], found[-1]))
        if found != expected:
            raise CheckpointError('%s: %s: checkpoint has %s, the layer expects %s. Use the config that '
                                  'belongs to this checkpoint'
                                  % (variables.path, name, found, expected))

    def _missing_message(self, variables, name):
        """What to tell somebody whose checkpoint lacks the variable `name`."""
        name = strip_transposed(name)
        parent = name
        similar = []
        while not similar and '/' in parent:
            parent = parent.rsplit('/', 1)[0]
            similar = [other for other in variables if other.startswith(parent + '/')]
        message = '%s has no variable %s; it has %s' % (variables.path, name,
                                                       some(similar or sorted(variables)) or 'none that is known')
        for prefix, argument in HEAD_ARGUMENTS:
            if name.startswith(prefix) and argument == 'with_mlm' and self.application != 'encoder':
                return '%s. application=%r needs it, the masked language model' % (message, self.application)
            if name.startswith(prefix):
                return '%s. Without %s=%r it is not needed' % (message, argument, getattr(self, argument) or True)
        return '%s. Use the config that belongs to this checkpoint' % message

    def _keep(self, array, name):
        """The rows of the words that are kept, of a variable with one row a word; others as they are."""
        return array[self.keep_words] if self.keep_words is not None and name in VOCABULARY_VARIABLES else array

    # -------------------------------------------------------------- out

    def get_variables(self):
        """OrderedDict {Google's name: array} of every weight that `variable_names` lists.

        Raises:
            ValueError: two layers have different values for one name.
        """
        triples = list(self._weights_by_layer())
        values = backend.get_values([weight for _, weight, _ in triples])
        variables, layers = collections.OrderedDict(), {}
        for (layer, _, name), value in zip(triples, values):
            value, name = value.T if is_transposed(name) else value, strip_transposed(name)
            if name in variables and not np.array_equal(variables[name], value):
                raise ValueError('layers %s and %s both hold %s, with different values: leave one of them out of '
                                 'variable_names()' % (layers[name], layer, name))
            variables[name], layers[name] = value, layer
        return variables

    def save_weights_as_checkpoint(self, path, changed=False):
        """Writes the weights that `variable_names` lists as a checkpoint.

        Args:
            path: prefix of a TensorFlow checkpoint, in Google's layout; or a path ending in
                ".safetensors", in Hugging Face's. See `release.checkpoint.save_checkpoint`.
            changed: True to write them even if the model computes something else than the official BERT
                that the checkpoint will be taken for.

        Raises:
            ValueError: the model was changed; the message names the first layer that differs.
        """
        self._check_before_saving(changed)
        path = fspath(path)
        layout = 'hugging-face' if path.endswith('.safetensors') else 'tensorflow'
        save_checkpoint(path, to_layout(self.get_variables(), layout, self.config))

    def save_release(self, directory, vocab_path=None, layout='tensorflow', changed=False):
        """Writes config, weights and vocabulary, so that `build_bert_model(directory)` loads this model.

        Args:
            directory: it is made where it is missing; it must hold no other release.
            vocab_path: of the vocabulary that the model was loaded with, or of its tokenizer.json; what keep_words
                left of it is written, with the tokenizer files beside it. None for no vocabulary.
            layout: 'tensorflow' (the family's own names) or 'hugging-face'.
            changed: see `save_weights_as_checkpoint`.

        Raises:
            CheckpointError, ConfigError, VocabularyError: the layout has no such model, the vocabulary is
                of another size or cannot be cut (SentencePiece), or the directory holds another release.
            ValueError: the model was changed.
                Nothing in the directory is changed then.
        """
        self._check_before_saving(changed)
        config = dict(self.config, hidden_act=hidden_act_of(self.activation, self.config['hidden_act']))
        if self.keep_words is not None:
            config.update(vocab_size=len(self.keep_words), pad_token_id=self.pad_token_id())
        directory, vocab_path = os.path.abspath(fspath(directory)), fspath(vocab_path)
        if not os.path.isdir(directory):
            os.makedirs(directory)
        with temporary_directory(os.path.join(directory, 'release')) as partial:
            if vocab_path is not None:
                if os.path.basename(vocab_path) != TOKENIZER_JSON:
                    self._write_vocab(vocab_path, os.path.join(partial, vocabulary_name(vocab_path, layout)))
                carry_tokenizer(vocab_path, partial, layout, self.keep_words)
            write_release(partial, layout, config, self.get_variables())
            release = release_among(set(os.listdir(partial) + os.listdir(directory)), directory)
            index = os.path.basename(release.checkpoint_path) + ('.index' if layout == 'tensorflow' else '')
            move_files(partial, directory, last=index)

    def _check_before_saving(self, changed):
        """ValueError for a changed model, unless `changed`; a warning for trained layers that are left out."""
        difference = None if changed or self.model is None else self.first_difference()
        if difference:
            raise ValueError('the model is no longer the BERT of its config: %s. Its weights would be taken for an '
                             'official BERT, which computes something else; changed=True writes them all the same, '
                             'model.save writes the whole model' % difference)
        saved = {id(weight) for weight, _ in self._weights()}
        layers = self.model.layers if self.model is not None else self.layers.values()
        left_out = [layer.name for layer in layers
                    if any(id(weight) not in saved for weight in layer.trainable_weights)]
        if left_out:
            logger.warning('a checkpoint has no place for the weights of %d layers that are trained here: %s. '
                           'model.save and model.save_weights keep them', len(left_out), some(left_out))

    def _write_vocab(self, source, destination):
        """Writes the vocabulary of this model, which is what keep_words left of `source`."""
        if self.keep_words is None:
            size = 0 if source.endswith('.model') else len(load_vocab(source))
            if size > self.config['vocab_size']:
                raise VocabularyError('%s has %d tokens, but the model has %d: they are of two different models'
                                      % (source, size, self.config['vocab_size']))
            copy_file(source, destination)
            return
        if source.endswith('.model'):
            raise VocabularyError('%s is a SentencePiece model, from which no tokens can be taken; save without '
                                  'vocab_path, and keep keep_words beside it' % source)
        tokens = list(load_vocab(source))
        if len(tokens) != self.config['vocab_size']:
            raise VocabularyError('%s has %d tokens, but the model was built from %d: they are of two different '
                                  'models' % (source, len(tokens), self.config['vocab_size']))
        save_vocab(destination, {tokens[old]: new for new, old in enumerate(self.keep_words)})


def warn_of_types(variables, names):
    """Says which of the variables that were loaded are stored in another type than float32."""
    for dtype in ('float16', 'bfloat16', 'float64'):
        found = [name for name in names if variables.dtype(name) == dtype]
        if found:
            logger.warning('%s holds %d variables in %s, which were loaded as the type of the layers: %s',
                           variables.path, len(found), dtype, some(found))


def check_keep_words(keep_words, config):
    """`keep_words` as an int array [V], or None; ValueError if it cannot be a vocabulary."""
    if keep_words is None:
        return None
    ids = np.asarray(keep_words)
    if ids.ndim != 1 or not ids.size or ids.dtype.kind not in 'iu':
        raise ValueError('keep_words must be a sequence of token ids, not %r' % (keep_words,))
    if ids.min() < 0 or ids.max() >= config['vocab_size']:
        raise ValueError('keep_words has ids from %d to %d; the vocabulary of the checkpoint has 0 to %d'
                         % (ids.min(), ids.max(), config['vocab_size'] - 1))
    values, counts = np.unique(ids, return_counts=True)
    if counts.max() > 1:
        raise ValueError('keep_words has %s more than once; keep each word once' % some(values[counts > 1].tolist()))
    if config['pad_token_id'] not in ids:
        raise ValueError('keep_words lacks %d, the id of padding (pad_token_id); add it'
                         % config['pad_token_id'])
    if family_of(config).counts_tokens and ids.tolist().index(config['pad_token_id']) != config['pad_token_id']:
        raise ValueError('keep_words has %d, the id of padding, in another place; %s counts its positions from there: '
                         'let keep_words begin with 0 to %d'
                         % (config['pad_token_id'], family_of(config).title, config['pad_token_id']))
    return ids
