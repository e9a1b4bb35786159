# -*- coding: utf-8 -*-
"""What every implementation is asked: a checkpoint, the ids to run it on, and whether to train it.

An answer is an OrderedDict from what it is to an array. Outputs go by our layers' names and hold the
unpadded positions of all batches, one after the other: [positions, D], or [rows, ...] for the pooler and
the NSP head. Trained models add "VARIABLE (gradient)", "VARIABLE (10 SGD steps)" and "VARIABLE (10 Adam
steps)", by Google's names of the variables.
"""
from __future__ import absolute_import, division, print_function

import collections
import hashlib
import json
import os

import numpy as np

from bert4keras.release.config import SIZES as FIELDS, longest_row, read_config
from bert4keras.release.directory import find_release
from bert4keras.release.variables import open_variables
from tests.helpers.releases import ALBERT_CONFIG, ALBERT_ZH_CONFIG, CONFIG, ROBERTA_CONFIG, make_release, random_ids

HEADS = collections.OrderedDict([  # layer -> the variable that a checkpoint needs for it
    ('Pooler-Dense', 'bert/pooler/dense/kernel'), ('NSP-Proba', 'cls/seq_relationship/output_weights'),
    ('MLM-Proba', 'cls/predictions/output_bias')])
MAPPING = 'bert/encoder/embedding_hidden_mapping_in/kernel'
STEPS = ('gradient', '10 SGD steps', '10 Adam steps')
# odd and mutually different; few positions, because JAX and TensorFlow compile again for each length
SIZES = {'num_hidden_layers': 2, 'max_position_embeddings': 7, 'hidden_dropout_prob': 0.0,
         'attention_probs_dropout_prob': 0.0}


class Question(object):
    """One checkpoint, one GELU, some batches of ids.

    Args:
        name: str, such as "odd sizes".
        directory: of a release of any family in any layout; see `find_release`.
        gelu: 'erf' or 'tanh', or None where the config's activation is another.
        batches: list of (token ids, segment ids), int arrays [B, T]; the config's pad_token_id is padding.
        trains: whether gradients and trained weights are asked for, on the last batch.
        real: whether the weights are a trained model's, whose hidden states may be off by 2e-5.
        strict: whether each of our layers is compared, not only what a peer has too, and each, heads included,
            within what rounding does to that layer alone.
    """

    def __init__(self, name, directory, gelu, batches, trains=False, real=False, strict=False):
        self.name, self.directory, self.gelu = name, str(directory), gelu
        self.batches = [tuple(np.asarray(ids, 'int32') for ids in batch) for batch in batches]
        self.trains, self.real, self.strict = trains, real, strict
        release = find_release(self.directory)
        self.config, self.checkpoint = read_config(release.config_path), release.checkpoint_path

    def variables(self):
        """Mapping {Google's name: array} of the checkpoint."""
        return open_variables(self.checkpoint, self.config)

    def layers(self):
        """The names of the layers that a whole model has an output of: embeddings, blocks and its heads."""
        variables = self.variables()
        return (['Embedding-Norm'] + ['Embedding-Mapping'] * (MAPPING in variables)
                + ['Encoder-%d-FeedForward-Norm' % (index + 1) for index in range(self.config['num_hidden_layers'])]
                + [name for name, variable in HEADS.items() if variable in variables])

    def padding(self, token_ids):
        """Where ids are padding, bool [B, T]."""
        return token_ids == self.config['pad_token_id']

    def labels(self):
        """What the MLM loss of the last batch is taken of, float [B, T, V], for `training.loss`.

        A third of the unpadded positions has a label: its one-hot row, times B * T over their number,
        which makes the mean over all positions that Keras takes the mean over the labels.
        """
        token_ids = self.batches[-1][0]
        random = np.random.RandomState(3)
        chosen = (random.uniform(size=token_ids.shape) < 0.34) & ~self.padding(token_ids)
        words = random.randint(0, self.config['vocab_size'], token_ids.shape)
        labels = np.zeros(token_ids.shape + (self.config['vocab_size'],), 'float32')
        labels[chosen, words[chosen]] = token_ids.size / float(chosen.sum())
        return labels

    def fingerprint(self):
        """SHA-256 of config, variables and ids: equal where two machines answer the same question."""
        fields = [(field, self.config[field]) for field in FIELDS + ('hidden_act', 'layer_norm_eps')]
        digest = hashlib.sha256(json.dumps(fields).encode('ascii'))
        variables = self.variables()
        for name in sorted(variables):
            digest.update(name.encode('utf-8') + np.ascontiguousarray(variables[name]).tobytes())
        for batch in self.batches:
            for ids in batch:
                digest.update(repr(ids.shape).encode('ascii') + ids.astype('<i4').tobytes())
        return digest.hexdigest()

    def to_json(self):
        """The question as a str, for another process; `from_json` is the way back."""
        return json.dumps({'name': self.name, 'directory': os.path.abspath(self.directory), 'gelu': self.gelu,
                           'batches': [[ids.tolist() for ids in batch] for batch in self.batches],
                           'trains': self.trains, 'real': self.real, 'strict': self.strict})


def from_json(text):
    """The Question that `to_json` wrote."""
    return Question(**json.loads(text))


def collect(names, question, run):
    """An answer's outputs: runs each batch of a question and joins the unpadded positions of all.

    Args:
        names: list of layers.
        run: function from (token ids, segment ids) to a list of arrays, one a name.
    """
    parts = collections.OrderedDict((name, []) for name in names)
    for batch in question.batches:
        for name, array in zip(names, run(batch)):
            parts[name].append(array[~question.padding(batch[0])] if np.ndim(array) == 3 else array)
    return collections.OrderedDict((name, np.concatenate(arrays)) for name, arrays in parts.items())


def every_length(config):
    """Batches of every length from 1 to the maximum: rows without padding and with, two segments."""
    return [random_ids(config, batch=13, length=length, seed=length)
            for length in range(1, config['max_position_embeddings'] + 1)]


def common_questions(directory):
    """The questions that every row is asked; `directory` is where their release is written."""
    config, _ = make_release(directory, **SIZES)
    batches = every_length(config)
    return [Question('odd sizes erf', directory, 'erf', batches, trains=True),
            Question('odd sizes tanh', directory, 'tanh', batches[-1:])]


def release_question(directory, gelu='erf'):
    """The question for a release that somebody has: mixed lengths, two segments."""
    directory = os.path.normpath(str(directory))
    config = read_config(find_release(directory).config_path)
    batch = random_ids(config, batch=5, length=min(longest_row(config), 43))
    return Question('%s %s' % (os.path.basename(directory), gelu), directory,
                    gelu if config['hidden_act'] == 'gelu' else None, [batch], real=True)


# ------------------------------------------------------------------ families

# A family, or what of one changes the numbers: a line of this table. `gelu` is that of Question; `saved`, whether the
# checkpoint is one that our model wrote. A block applied again and again can multiply rounding; these seeds keep 4
# times the floor near the tolerance's cap, so that the cap is no lottery.
Family = collections.namedtuple('Family', 'name config gelu seed layout saved')
SHORT_BERT = dict(CONFIG, num_hidden_layers=2)
FAMILIES = collections.OrderedDict((family.name, family) for family in [
    Family('BERT written here', dict(SHORT_BERT), 'tanh', 0, 'tensorflow', True),
    Family('BERT from Hugging Face', dict(SHORT_BERT, model_type='bert'), 'erf', 0, 'hugging-face', False),
    Family('ALBERT gelu', dict(ALBERT_CONFIG), 'erf', 18, 'tensorflow', False),
    Family('ALBERT gelu_new', dict(ALBERT_CONFIG, hidden_act='gelu_new', layer_norm_eps=0.01, pad_token_id=3), None, 18,
           'tensorflow', False),
    Family('ALBERT relu', dict(ALBERT_CONFIG, hidden_act='relu', type_vocab_size=5), None, 19, 'tensorflow', False),
    Family('ALBERT written here', dict(ALBERT_CONFIG), 'tanh', 0, 'tensorflow', True),
    Family('albert_zh original', dict(ALBERT_ZH_CONFIG), 'erf', 19, 'tensorflow', False),
    Family('RoBERTa', dict(ROBERTA_CONFIG, hidden_act='relu'), None, 0, 'tensorflow', False),
    Family('XLM-R from Hugging Face', dict(ROBERTA_CONFIG, model_type='xlm-roberta', pad_token_id=1), 'erf', 0,
           'hugging-face', False),
])


def family_question(family, directory):
    """The question for a Family; `directory` is where its release is written."""
    config, _ = make_release(directory, family.seed, config=family.config, layout=family.layout)
    if family.saved:
        from bert4keras.bert import build_bert_model
        bert = build_bert_model(str(directory), with_nsp=True, with_mlm=True, return_keras_model=False)
        directory = os.path.join(str(directory), 'saved')
        bert.save_release(directory)
    token_ids, segment_ids = random_ids(config)
    if config['type_vocab_size'] > 2:
        segment_ids = np.random.RandomState(5).randint(0, 5, token_ids.shape).astype('int32')
    return Question(family.name, directory, family.gelu, [(token_ids, segment_ids)], strict=True)
