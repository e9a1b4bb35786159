# -*- coding: utf-8 -*-
"""The peer `transformers` on PyTorch (https://pypi.org/project/transformers/), given the same arrays."""
from __future__ import absolute_import, division, print_function

import collections
import operator

import numpy as np

from bert4keras.families import IGNORABLE, to_layout
from parity.questions import HEADS, collect
from parity.results import version

NAME = 'transformers'
GELUS = ('erf', 'tanh')
TRAINS = False


def missing():
    """Why the peer is not here, or None."""
    here = version('transformers') and version('torch')
    return None if here else 'transformers is not in this row, or has no PyTorch'


def heads(layers):
    """The heads it has of these: all."""
    return [name for name in HEADS if name in layers]


def answers(asked):
    """One answer for each question; see questions.py."""
    return [answer(question) for question in asked]


def answer(question):
    """One answer: a model of its own class, its state dict ours in Hugging Face's layout."""
    import torch
    import transformers

    config = dict(question.config, hidden_act={'erf': 'gelu', 'tanh': 'gelu_new'}[question.gelu])
    layers = question.layers()
    whole = set(HEADS) <= set(layers)
    model = (transformers.BertForPreTraining if whole else transformers.BertModel)(
        transformers.BertConfig(attn_implementation='eager', **config)).eval()
    load(torch, model, question, '' if whole else 'bert.')
    names = [name for name in layers if name not in HEADS] + heads(layers)
    return collect(names, question.batches, lambda batch: operator.itemgetter(*names)(outputs(model, *batch)))


def load(torch, model, question, prefix):
    """Fills the model, whose names lack a prefix of the release's; what is missing or left is an error."""
    state, variables = {}, question.variables()
    variables = {name: variables[name] for name in variables if not IGNORABLE.search(name)}
    for name, array in to_layout(variables, 'hugging-face', question.config):
        if name.startswith(prefix):
            state[name[len(prefix):]] = torch.tensor(np.array(array))
    if 'cls.predictions.bias' in state:  # what it derives
        state['cls.predictions.decoder.bias'] = state['cls.predictions.bias']
        state['cls.predictions.decoder.weight'] = state['bert.embeddings.word_embeddings.weight']
    expected = set(model.state_dict())
    buffers = {name for name in expected if name.endswith(('position_ids', 'token_type_ids'))}
    if set(state) != expected - buffers:
        raise AssertionError('transformers wants other variables: %s' % sorted(set(state) ^ (expected - buffers)))
    model.load_state_dict(state, strict=False)


def open_release(directory, architecture):
    """Opens a directory as a class of transformers; fails unless its keys are exactly the class's.

    Args:
        directory: of a release in Hugging Face's layout.
        architecture: the class's name, such as 'AlbertForPreTraining'.
    """
    import transformers
    model, info = getattr(transformers, architecture).from_pretrained(
        directory, output_loading_info=True, attn_implementation='eager')
    off = {what: sorted(keys) for what, keys in info.items() if keys}
    assert not off, '%s of %s: %s' % (architecture, directory, off)
    return model.eval()


def outputs(model, token_ids, segment_ids, pad_token_id=0):
    """Runs a Bert- or AlbertModel, or one ForPreTraining.

    Args:
        model: of any type of float.
        token_ids, segment_ids: int arrays [B, T].

    Returns:
        OrderedDict {layer name: array}: the input of the first block, every block, the pooler, then the heads
        that the model has.
    """
    import torch
    token_ids, segment_ids = [torch.tensor(ids, dtype=torch.long) for ids in (token_ids, segment_ids)]
    inputs = dict(input_ids=token_ids, token_type_ids=segment_ids, attention_mask=(token_ids != pad_token_id).long())
    with torch.no_grad():
        base = model.base_model(output_hidden_states=True, **inputs)
        heads = None if model is model.base_model else model(**inputs)
    is_albert = type(model).__name__.startswith('Albert')
    named = collections.OrderedDict()
    for index, hidden in enumerate(base.hidden_states):
        first = 'Embedding-Mapping' if is_albert else 'Embedding-Norm'
        named['Encoder-%d-FeedForward-Norm' % index if index else first] = hidden
    named['Pooler-Dense'] = base.pooler_output
    if heads is not None:
        named['NSP-Proba'] = (heads.sop_logits if is_albert else heads.seq_relationship_logits).softmax(-1)
        named['MLM-Proba'] = heads.prediction_logits.softmax(-1)
    return collections.OrderedDict((name, value.numpy()) for name, value in named.items())
