# -*- coding: utf-8 -*-
"""Where `open_checkpoint` and `save_checkpoint` are imported from; they live in release/checkpoint.py."""
from __future__ import absolute_import, division, print_function

from bert4keras.errors import CheckpointError
from bert4keras.release.checkpoint import Checkpoint, open_checkpoint, save_checkpoint

__all__ = ['Checkpoint', 'CheckpointError', 'open_checkpoint', 'save_checkpoint']
