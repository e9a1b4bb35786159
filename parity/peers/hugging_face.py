# -*- coding: utf-8 -*-
"""The peer `transformers` on PyTorch (https://pypi.org/project/transformers/), opening what we write, in float64."""
from __future__ import absolute_import, division, print_function

import collections
import io
import json
import operator
import os
import re
import shutil
import tempfile

from bert4keras.convert import convert
from bert4keras.release.families import IGNORABLE, family_of
from parity.questions import HEADS, collect

GELUS = ('erf', 'tanh', None)
FAMILIES = ('bert', 'albert', 'roberta', 'xlm-roberta')
ARCHITECTURES = {'bert': 'Bert', 'albert': 'Albert', 'roberta': 'Roberta', 'xlm-roberta': 'XLMRoberta'}
LAYOUTS = ('tensorflow', 'hugging-face')
TRAINS = False
EXACT = True  # it computes in float64
HEAD = re.compile(r'(cls|predictions|sop_classifier|lm_head)\.')
BESIDE_WORDS = re.compile(r'(\w+\.pooler|cls\.seq_relationship|sop_classifier)\.')


def layers(question):
    """What it has of a question's layers: of the embeddings, the last; a head for pairs beside the others only.

    RoBERTa's head for words always has the exact GELU there, so that of the other is not its.
    """
    names = question.layers()
    lacking = ['Embedding-Norm'] * ('Embedding-Mapping' in names) + ['NSP-Proba'] * (not set(HEADS) <= set(names))
    if question.gelu == 'tanh' and family_of(question.config).counts_tokens:
        lacking.append('MLM-Proba')
    return [name for name in names if name not in lacking]


def answers(asked):
    """One answer for each question; see questions.py."""
    return [answer(question) for question in asked]


def answer(question):
    """One answer: the release, written in Hugging Face's layout, opened by transformers."""
    names, directory = layers(question), tempfile.mkdtemp()
    family, words = ARCHITECTURES[question.config['model_type']], None
    whole = set(HEADS) <= set(names)
    try:
        there = os.path.join(directory, 'there')
        convert(question.directory, there, layout='hugging-face')
        if question.gelu:
            change_config(there, hidden_act={'erf': 'gelu', 'tanh': 'gelu_new'}[question.gelu])
        if whole:
            model = open_release(there, family + 'ForPreTraining').double()
        else:  # what was pretrained without pairs has no pooler
            model = open_release(there, family + 'Model', HEAD, add_pooling_layer='Pooler-Dense' in names).double()
        if not whole and 'MLM-Proba' in names:  # which no model there has beside the pooler alone
            words = open_release(there, family + 'ForMaskedLM', BESIDE_WORDS).double()
    finally:
        shutil.rmtree(directory)
    return collect(names, question, lambda batch: operator.itemgetter(*names)(
        outputs(model, *batch, pad_token_id=question.config['pad_token_id'], words=words)))


def change_config(directory, **fields):
    """Changes fields of a directory's config."""
    path = os.path.join(directory, 'config.json')
    with io.open(path, encoding='utf-8') as stream:
        config = dict(json.load(stream), **fields)
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps(config))


def open_release(directory, architecture, surplus=None, **options):
    """Opens a directory as a class of transformers; fails unless its keys are exactly the class's.

    Args:
        directory: of a release in Hugging Face's layout.
        architecture: the class's name, such as 'AlbertForPreTraining'.
        surplus: pattern of keys that may be there besides; what an optimizer left may always.
        **options: of the class's constructor.
    """
    import transformers
    model, info = getattr(transformers, architecture).from_pretrained(
        directory, output_loading_info=True, attn_implementation='eager', **options)
    info['unexpected_keys'] = [key for key in info['unexpected_keys'] if not IGNORABLE.search(key)
                               and not (surplus and surplus.match(key))]
    off = {what: sorted(keys) for what, keys in info.items() if keys}
    assert not off, '%s of %s: %s' % (architecture, directory, off)
    return model.eval()


def outputs(model, token_ids, segment_ids, pad_token_id=0, words=None):
    """Runs a Bert-, Albert-, Roberta- or XLMRobertaModel, or one ForPreTraining.

    Args:
        model: of any type of float.
        token_ids, segment_ids: int arrays [B, T].
        words: None, or another model, ForMaskedLM, for that head.

    Returns:
        OrderedDict {layer name: array}: the input of the first block, every block, then of the pooler and the heads
        those that the model has.
    """
    import torch
    token_ids, segment_ids = [torch.tensor(ids, dtype=torch.long) for ids in (token_ids, segment_ids)]
    inputs = dict(input_ids=token_ids, token_type_ids=segment_ids, attention_mask=(token_ids != pad_token_id).long())
    with torch.no_grad():
        base = model.base_model(output_hidden_states=True, **inputs)
        heads = None if model is model.base_model else model(**inputs)
        masked = None if words is None else words(**inputs)
    is_albert = type(model).__name__.startswith('Albert')
    named = collections.OrderedDict()
    for index, hidden in enumerate(base.hidden_states):
        first = 'Embedding-Mapping' if is_albert else 'Embedding-Norm'
        named['Encoder-%d-FeedForward-Norm' % index if index else first] = hidden
    if base.pooler_output is not None:
        named['Pooler-Dense'] = base.pooler_output
    if heads is not None:
        named['NSP-Proba'] = (heads.sop_logits if is_albert else heads.seq_relationship_logits).softmax(-1)
        named['MLM-Proba'] = heads.prediction_logits.softmax(-1)
    if masked is not None:
        named['MLM-Proba'] = masked.logits.softmax(-1)
    return collections.OrderedDict((name, value.numpy()) for name, value in named.items())
