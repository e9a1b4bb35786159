# -*- coding: utf-8 -*-
"""The peer `transformers` on PyTorch (https://pypi.org/project/transformers/), given the same arrays."""
from __future__ import absolute_import, division, print_function

import collections

import numpy as np

from bert4keras.families import IGNORABLE, to_layout
from questions import HEADS, collect
from results import version

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

    def run(batch):
        token_ids, segment_ids = [torch.tensor(ids, dtype=torch.long) for ids in batch]
        with torch.no_grad():
            return outputs(model, whole, input_ids=token_ids, token_type_ids=segment_ids,
                           attention_mask=(token_ids != 0).long(), output_hidden_states=True)
    return collect([name for name in layers if name not in HEADS] + heads(layers), question.batches, run)


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


def outputs(model, whole, **inputs):
    """The embeddings, every block and the heads, float32 arrays in the order of `Question.layers`."""
    result = model(**inputs)
    arrays = [hidden.numpy() for hidden in result.hidden_states]
    if not whole:
        return arrays + [result.pooler_output.numpy()]
    pooled = model.bert.pooler(result.hidden_states[-1])
    probabilities = [scores.softmax(dim=-1).numpy() for scores in (
        result.seq_relationship_logits, result.prediction_logits)]
    return arrays + [pooled.detach().numpy()] + probabilities


def release_outputs(directory, token_ids, segment_ids):
    """Runs transformers' BertModel in float32 on a release that it loads by itself.

    Args:
        directory: of a release in Hugging Face's layout.
        token_ids, segment_ids: int arrays [B, T]; id 0 is padding.

    Returns:
        OrderedDict {layer name: float32 array}: embeddings, every block, the pooler.
    """
    import torch
    import transformers

    model = transformers.BertModel.from_pretrained(directory, attn_implementation='eager').eval()
    token_ids, segment_ids = [torch.tensor(ids, dtype=torch.long) for ids in (token_ids, segment_ids)]
    with torch.no_grad():
        arrays = outputs(model, False, input_ids=token_ids, token_type_ids=segment_ids,
                         attention_mask=(token_ids != 0).long(), output_hidden_states=True)
    names = ['Encoder-%d-FeedForward-Norm' % index if index else 'Embedding-Norm' for index in range(len(arrays))]
    return collections.OrderedDict(zip(names[:-1] + ['Pooler-Dense'], arrays))
