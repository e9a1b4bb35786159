# -*- coding: utf-8 -*-
"""What the examples share: arguments, where the model comes from, predictions in the order of the texts, reloading."""
from __future__ import absolute_import, division, print_function, unicode_literals

import argparse
import collections
import os
import re
import shutil
import tempfile

import numpy as np

from bert4keras.cli import find_demo_weights, say
from bert4keras.tokenizer import Tokenizer
from bert4keras.tokenizer_files import load_tokenizer

__all__ = ['Start', 'arguments', 'check_reloading', 'open_start', 'predict', 'say']

SMALL = {'hidden_size': 64, 'num_hidden_layers': 2, 'num_attention_heads': 4, 'intermediate_size': 128,
         'max_position_embeddings': 128, 'type_vocab_size': 2, 'hidden_act': 'gelu', 'hidden_dropout_prob': 0.1,
         'attention_probs_dropout_prob': 0.1, 'initializer_range': 0.1}
FROM_RANDOM = 5  # how many times as long a model trains that knows nothing yet
Start = collections.namedtuple('Start', 'model tokenizer rate epochs')


def arguments(description, epochs, examples, max_length=64):
    """The parser of an example: its docstring, and how long it trains by default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', metavar='DIR', help="a release; by default the demo's MiniLM where it is installed "
                        'and the texts are English, else a small model with random weights')
    parser.add_argument('--data', metavar='FILE', help='your texts and labels; see data.py for the format')
    parser.add_argument('--epochs', type=int, help='passes over the data (%d; from random weights %d)'
                        % (epochs, FROM_RANDOM * epochs))
    parser.add_argument('--examples', type=int, default=examples, help='at most so many to train on (%(default)s)')
    parser.add_argument('--batch-size', type=int, default=16, help='texts in a batch (%(default)s)')
    parser.add_argument('--max-length', type=int, default=max_length, help='tokens, longer texts are cut (%(default)s)')
    parser.add_argument('--rate', type=float, help='learning rate; by default one that suits the model')
    parser.add_argument('--seed', type=int, default=0, help='of what is drawn of the data, and its order (%(default)s)')
    parser.add_argument('--save', metavar='FILE', help='where to save the model; by default it is not kept')
    parser.set_defaults(usual_epochs=epochs)
    return parser


def open_start(args, texts, needs_words=False):
    """What to start from.

    Args:
        args: of `arguments`.
        texts: list of str, the texts to train on: those of a random model's vocabulary.
        needs_words: whether the model predicts words, for which the demo's weights have no head.

    Returns:
        Start: what `build_bert_model` takes, a directory or a config; the tokenizer; the learning rate and the number
        of epochs, those asked for or those that suit the model.
    """
    path = args.model or (_demo_weights() if _is_english(texts) and not needs_words else None)
    if path:
        say('Starting from %s' % path)
        return Start(path, load_tokenizer(path), args.rate or 1e-4, args.epochs or args.usual_epochs)
    vocab = small_vocabulary(texts)
    say('Starting from random weights, with a vocabulary of %d tokens' % len(vocab))
    return Start(dict(SMALL, vocab_size=len(vocab)), Tokenizer(vocab), args.rate or 1e-3,
                 args.epochs or FROM_RANDOM * args.usual_epochs)


def _demo_weights():
    """The directory of the demo's MiniLM, or None where it cannot be read."""
    try:
        import safetensors  # noqa: F401
        return find_demo_weights()
    except ImportError:
        return None


def _is_english(texts):
    """Whether nearly all characters are ASCII."""
    characters = ''.join(texts)
    return sum(ch < '\x80' for ch in characters) > 0.95 * len(characters)


def small_vocabulary(texts, most=5000):
    """{token: id} for a random model: special tokens, all characters, the most frequent words."""
    counts = collections.Counter(re.findall('[a-z]{2,}', ' '.join(texts).lower()))
    words = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    characters = sorted({ch for ch in ' '.join(texts).lower() if not ch.isspace()})
    tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + characters + ['##' + ch for ch in characters] + words
    return collections.OrderedDict((token, number) for number, token in enumerate(tokens))


def predict(model, batches):
    """What the model returns for each text of a BucketedBatches: list of N arrays, in the order of the texts."""
    outputs = []
    for index in range(len(batches)):
        outputs.extend(np.asarray(model.predict_on_batch(batches[index][0])))
    return [outputs[place] for place in np.argsort(batches.order)]


def check_reloading(model, batches, path=None):
    """Saves the model and loads it again.

    Args:
        model: a trained model of layers of bert4keras and Keras.
        batches: BucketedBatches of texts whose outputs are compared.
        path: where to save it; None for a temporary file.

    Raises:
        ValueError: the loaded one returns something else.
    """
    from bert4keras import layers  # noqa: F401 (all that load_model needs)
    from bert4keras.backend import MODEL_SUFFIX, keras
    directory = None if path else tempfile.mkdtemp()
    try:
        path = path or os.path.join(directory, 'model' + MODEL_SUFFIX)
        model.save(path)
        again = keras.models.load_model(path, compile=False)
        # the same program compiled twice may round differently
        pairs = zip(predict(model, batches), predict(again, batches))
        difference = max(np.abs(one - other).max() for one, other in pairs)
        if not difference < 1e-5:
            raise ValueError('the model loaded from %s differs by %.2g' % (path, difference))
        say('Saved %sand loaded again it gives the same answers' % ('' if directory else 'as %s ' % path))
    finally:
        if directory:
            shutil.rmtree(directory)
