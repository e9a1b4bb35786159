# -*- coding: utf-8 -*-
"""The peer `transformers` on PyTorch: load a directory, give outputs by our layers' names."""
from __future__ import absolute_import, division, print_function

import collections


def outputs(directory, token_ids, segment_ids):
    """Runs transformers' BertModel in float32.

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
        result = model(input_ids=token_ids, token_type_ids=segment_ids,
                       attention_mask=(token_ids != 0).long(), output_hidden_states=True)
    named = collections.OrderedDict()
    for index, hidden in enumerate(result.hidden_states):
        name = 'Encoder-%d-FeedForward-Norm' % index if index else 'Embedding-Norm'
        named[name] = hidden.numpy()
    named['Pooler-Dense'] = result.pooler_output.numpy()
    return named
