# -*- coding: utf-8 -*-
"""The logits of the three heads for a task: against float64 on every row, and with transformers in both directions."""
from __future__ import absolute_import, division, print_function

import os

import numpy as np
import pytest

from bert4keras.bert import build_bert_model
from bert4keras.convert import convert
from bert4keras.reference import forward
from bert4keras.release.checkpoint import open_checkpoint
from parity.measure import check, difference, tolerance
from parity.peers import hugging_face, require
from tests.helpers.releases import ALBERT_CONFIG, CONFIG, ROBERTA_CONFIG, make_fine_tuned, random_ids

SMALL = dict(num_hidden_layers=2, hidden_size=12, num_attention_heads=3, intermediate_size=11)
CONFIGS = {'bert': dict(CONFIG, **SMALL), 'albert': dict(ALBERT_CONFIG, embedding_size=8, **SMALL),
           'xlm-roberta': dict(ROBERTA_CONFIG, model_type='xlm-roberta', **SMALL)}
NAMES = ['good', u'\u597d', 'bad']
CASES = [(family, head) for family in ('bert', 'albert') for head in ('classification', 'tokens', 'span')]
CASES.append(('xlm-roberta', 'classification'))
CASES += [pytest.param('xlm-roberta', head, marks=pytest.mark.slow) for head in ('tokens', 'span')]


def real(logits, token_ids, family):
    """Logits at positions that are no padding, [positions, N]; those of texts, [B, N], as they are."""
    logits = np.asarray(logits)
    if logits.shape[1:] == (2, token_ids.shape[1]):
        logits = logits.transpose(0, 2, 1)
    return logits[token_ids != CONFIGS[family].get('pad_token_id', 0)] if logits.ndim == 3 else logits


@pytest.mark.parametrize('family, head', CASES)
def test_logits_equal_the_reference(tmp_path, family, head):
    """Within what rounding does to the same formulas."""
    config, variables = make_fine_tuned(tmp_path, head, 2 if head == 'span' else 5, CONFIGS[family])
    ids, name = random_ids(config), 'Span' if head == 'span' else 'Classifier'
    exact, rounded = [real(forward(config, variables, *ids, dtype=dtype)[name], ids[0], family)
                      for dtype in ('float64', 'float32')]
    model = build_bert_model(str(tmp_path), head=head, num_labels=None if head == 'span' else 5)
    check('%s %s %s' % (family, head, name), real(model.predict(list(ids)), ids[0], family), exact,
          tolerance(difference(exact, rounded)), checkpoint='fine-tuned %s' % family.upper(), peer='float64', kind='heads')


@pytest.mark.parametrize('family, head', CASES)
def test_heads_go_to_transformers_and_back(tmp_path, family, head):
    """Their directory, loaded here, gives their logits; what we write of it has their keys, tensors and labels."""
    require('transformers', 'torch')
    theirs, ours, through = [os.path.join(str(tmp_path), name) for name in ('theirs', 'ours', 'tensorflow')]
    peer = transformers_model(family, head)
    peer.save_pretrained(theirs)
    bert = build_bert_model(theirs, head=head, return_keras_model=False)
    assert (bert.new_layers, bert.unread, bert.labels) == ([], [], None if head == 'span' else NAMES)
    ids = random_ids(CONFIGS[family])
    check('%s %s transformers %s' % (family, head, 'Span' if head == 'span' else 'Classifier'),
          real(bert.model.predict(list(ids)), ids[0], family),
          real(logits_of(peer.double(), head, *ids), ids[0], family), 1e-5,
          checkpoint='fine-tuned %s' % family.upper(), peer='transformers', kind='heads')
    bert.save_release(ours, layout='hugging-face')
    convert(theirs, through, layout='tensorflow')
    convert(through, os.path.join(through, 'back'), layout='hugging-face')
    tensors = open_checkpoint(os.path.join(theirs, 'model.safetensors'))
    for directory in (ours, os.path.join(through, 'back')):
        again = hugging_face.open_release(directory, type(peer).__name__)
        assert again.config.architectures == [type(peer).__name__]
        assert again.config.id2label == peer.config.id2label and again.config.label2id == peer.config.label2id
        assert again.config.problem_type == peer.config.problem_type
        written = open_checkpoint(os.path.join(directory, 'model.safetensors'))
        assert set(written) == set(tensors)
        for name in tensors:
            np.testing.assert_array_equal(written[name], tensors[name], err_msg=name)


def transformers_model(family, head):
    """A model of transformers with a head, of random weights large enough that its logits are of order 1."""
    import torch
    import transformers
    architecture = {'classification': 'ForSequenceClassification', 'tokens': 'ForTokenClassification',
                    'span': 'ForQuestionAnswering'}[head]
    fields = {'hidden_act', 'num_hidden_layers', 'hidden_size', 'num_attention_heads', 'intermediate_size', 'vocab_size',
              'embedding_size', 'max_position_embeddings', 'type_vocab_size', 'pad_token_id'}
    fields = {field: CONFIGS[family][field] for field in fields & set(CONFIGS[family])}
    if head != 'span':
        fields.update(id2label=dict(enumerate(NAMES)), label2id={name: index for index, name in enumerate(NAMES)})
    if head == 'classification':
        fields['problem_type'] = 'multi_label_classification'
    name = hugging_face.ARCHITECTURES[family]
    torch.manual_seed(3)
    config = getattr(transformers, name + 'Config')(initializer_range=0.4, attn_implementation='eager', **fields)
    model = getattr(transformers, name + architecture)(config).eval()
    for bias in (parameter for name, parameter in model.named_parameters() if name.endswith('bias')):
        torch.nn.init.normal_(bias, std=0.3)
    return model


def logits_of(model, head, token_ids, segment_ids):
    """Their logits, of a span as ours: [B, 2, T]."""
    import torch
    token_ids, segment_ids = [torch.tensor(ids, dtype=torch.long) for ids in (token_ids, segment_ids)]
    with torch.no_grad():
        output = model(input_ids=token_ids, token_type_ids=segment_ids,
                       attention_mask=(token_ids != model.config.pad_token_id).long())
    if head == 'span':
        return torch.stack([output.start_logits, output.end_logits], 1).numpy()
    return output.logits.numpy()
