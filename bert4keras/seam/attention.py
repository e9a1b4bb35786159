# -*- coding: utf-8 -*-
"""Attention as quick as the engine can, which keeps no probabilities, with Keras 3 on JAX and PyTorch.

B batch, F queries, T keys, N heads, H head size.
"""
from __future__ import absolute_import, division, print_function

from bert4keras.seam.operations import ENGINE, keras, kops

__all__ = ['fused_attention', 'jax_attention', 'jax_has_kernel', 'torch_attention']


def fused_attention(query, key, value, mask, formula=None):
    """Attention that keeps no probabilities: by a kernel of the engine, or for one text of the batch after another.

    Args:
        query: float tensor [B, N, F, H], not scaled yet. key, value: float tensors [B, N, T, H].
        mask: boolean tensor [B, F or 1, T].
        formula: function of these four that returns what this does, for a forward pass; None in training, where doing
            one text after another does not pay.

    Returns:
        float tensor [B, F, N, H]; None where there is nothing quicker for these than the formula.
    """
    is_half = keras.backend.standardize_dtype(query.dtype) in ('float16', 'bfloat16')
    if ENGINE == 'torch':
        device = query.device.type
        # measured on a CPU: with 128 keys its kernel is slower than the formula, with 256 it is twice as fast
        if device == 'cuda' and is_half or device == 'cpu' and is_large(query, key) and key.shape[2] >= 256:
            return torch_attention(query, key, value, mask)
    elif ENGINE == 'jax':
        if is_half and jax_has_kernel(query, key):  # cuDNN's is for half precision alone
            return jax_attention(query, key, value, mask)
        if formula is not None and jax_is_on_cpu() and is_large(query, key):
            return jax_attention_by_texts(formula, query, key, value, mask)
    return None


def is_large(query, key):
    """Whether the scores [B, N, F, T] of all texts are more than the caches of a processor hold."""
    sizes = tuple(query.shape[:3]) + (key.shape[2],)
    # a size that an export leaves open is no int
    return all(isinstance(size, int) for size in sizes) and sizes[0] * sizes[1] * sizes[2] * sizes[3] > 2 ** 22


def torch_attention(query, key, value, mask):
    """PyTorch's, by the kernel that it thinks best; see `fused_attention`."""
    import torch
    # finite: of a row that sees nothing some kernels make NaN
    bias = torch.where(mask[:, None], 0.0, torch.finfo(query.dtype).min).to(query.dtype)
    shape = (query.shape[0], query.shape[1], query.shape[2], key.shape[2])
    context = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.expand(shape))
    return context.transpose(1, 2)


def jax_attention(query, key, value, mask, implementation='cudnn'):
    """JAX's, which wants heads after tokens; see `fused_attention`."""
    import jax
    query, key, value = [kops.transpose(x, (0, 2, 1, 3)) for x in (query, key, value)]
    # cuDNN's wants the mask of each query, though they are alike
    mask = kops.broadcast_to(mask[:, None], (mask.shape[0], 1, query.shape[1], key.shape[1]))
    return jax.nn.dot_product_attention(query, key, value, mask=mask, implementation=implementation)


def jax_attention_by_texts(formula, *tensors):
    """The formula for one text after another: XLA's CPU compiler would write all scores to new memory several times."""
    import jax
    return jax.lax.map(lambda text: formula(*[tensor[None] for tensor in text])[0], tensors)


def jax_is_on_cpu():
    """Whether JAX computes on the processor."""
    import jax
    return jax.default_backend() == 'cpu'


def jax_has_kernel(query, key):
    """Whether cuDNN takes these: heads of a multiple of 8, and with a mask, for the gradient, an even length."""
    import jax
    size, lengths = query.shape[3], (query.shape[2], key.shape[2])
    return jax.default_backend() == 'gpu' and size % 8 == 0 and size <= 128 and not any(n % 2 for n in lengths)
