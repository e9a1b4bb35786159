# -*- coding: utf-8 -*-
"""Where what is known about releases is imported from; it lives in release/."""
from __future__ import absolute_import, division, print_function

from bert4keras.errors import CheckpointError, ConfigError, ReleaseError, some
from bert4keras.release.checkpoint import open_checkpoint, save_checkpoint
from bert4keras.release.config import (
    DEFAULTS, HIDDEN_ACTS, REFUSED, SIZES, activation_name, check_config, check_together, hidden_act_of, read_config,
    refuse_unsupported, require_fields, write_config)
from bert4keras.release.directory import (
    CHECKPOINT_PATTERNS, CONFIG_PATTERNS, FILE_NAMES, VOCAB_PATTERNS, Release, find_release, release_among,
    write_release)
from bert4keras.release.families import (
    ALBERT_BLOCK, ALBERT_HEADS, ALBERT_MAPPING, BLOCK, EMBEDDINGS, FAMILIES, HEAD_ARGUMENTS, HEADS, IGNORABLE,
    UNSUPPORTED, Family, family_of, hugging_face_names, is_transposed, layer_variables, number_of_blocks,
    strip_transposed)
from bert4keras.release.variables import Variables, identify, open_variables, to_layout

ACTIVATION_NAMES = tuple(HIDDEN_ACTS)

__all__ = [
    'ACTIVATION_NAMES', 'ALBERT_BLOCK', 'ALBERT_HEADS', 'ALBERT_MAPPING', 'BLOCK', 'CHECKPOINT_PATTERNS',
    'CONFIG_PATTERNS', 'CheckpointError', 'ConfigError', 'DEFAULTS', 'EMBEDDINGS', 'FAMILIES', 'FILE_NAMES', 'Family',
    'HEADS', 'HEAD_ARGUMENTS', 'HIDDEN_ACTS', 'IGNORABLE', 'REFUSED', 'Release', 'ReleaseError', 'SIZES',
    'UNSUPPORTED', 'VOCAB_PATTERNS', 'Variables', 'activation_name', 'check_config', 'check_together', 'family_of',
    'find_release', 'hidden_act_of', 'hugging_face_names', 'identify', 'is_transposed', 'layer_variables',
    'number_of_blocks', 'open_checkpoint', 'open_variables', 'read_config', 'refuse_unsupported', 'release_among',
    'require_fields', 'save_checkpoint', 'some', 'strip_transposed', 'to_layout', 'write_config', 'write_release']
