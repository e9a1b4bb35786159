# -*- coding: utf-8 -*-
"""Attention by a kernel of the engine, which keeps no probabilities: on GPUs, in half precision, with Keras 3.

B batch, F queries, T keys, N heads, H head size.
"""
from __future__ import absolute_import, division, print_function

from bert4keras.seam.operations import ENGINE, keras, kops

__all__ = ['fused_attention', 'jax_attention', 'jax_has_kernel', 'torch_attention']


def fused_attention(query, key, value, mask):
    """Attention by a kernel that keeps no probabilities, on GPUs and in half precision.

    Args:
        query: float tensor [B, N, F, H], not scaled yet. key, value: float tensors [B, N, T, H].
        mask: boolean tensor [B, F or 1, T].

    Returns:
        float tensor [B, F, N, H]; None where there is no such kernel, or it is not for these.
    """
    if keras.backend.standardize_dtype(query.dtype) not in ('float16', 'bfloat16'):  # cuDNN's is for these alone
        return None
    if ENGINE == 'torch' and query.device.type == 'cuda':
        return torch_attention(query, key, value, mask)
    if ENGINE == 'jax' and jax_has_kernel(query, key):
        return jax_attention(query, key, value, mask)
    return None


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


def jax_has_kernel(query, key):
    """Whether cuDNN takes these: heads of a multiple of 8, and with a mask, for the gradient, an even length."""
    import jax
    size, lengths = query.shape[3], (query.shape[2], key.shape[2])
    return jax.default_backend() == 'gpu' and size % 8 == 0 and size <= 128 and not any(n % 2 for n in lengths)
