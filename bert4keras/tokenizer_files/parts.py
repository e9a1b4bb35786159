# -*- coding: utf-8 -*-
"""What reading and writing share of tokenizer.json and tokenizer_config.json."""
from __future__ import absolute_import, division, print_function, unicode_literals

__all__ = ['NAMES', 'TOKENIZER_CONFIG', 'TOKENIZER_JSON', 'template_parts', 'unigram_pre_tokenizer',
           'unigram_steps', 'xlm_parts']

NAMES = ('pad', 'unk', 'cls', 'sep', 'mask')
TOKENIZER_JSON, TOKENIZER_CONFIG = 'tokenizer.json', 'tokenizer_config.json'


def template_parts(cls, sep):
    """BERT's template for a pair; its first three parts are that for one text."""
    return [{'SpecialToken': {'id': cls, 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}},
            {'SpecialToken': {'id': sep, 'type_id': 0}}, {'Sequence': {'id': 'B', 'type_id': 1}},
            {'SpecialToken': {'id': sep, 'type_id': 1}}]


def xlm_parts(cls, sep):
    """XLM-R's template for a pair: two separators between the texts, and one segment."""
    return [{'SpecialToken': {'id': cls, 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}},
            {'SpecialToken': {'id': sep, 'type_id': 0}}, {'SpecialToken': {'id': sep, 'type_id': 0}},
            {'Sequence': {'id': 'B', 'type_id': 0}}, {'SpecialToken': {'id': sep, 'type_id': 0}}]


def unigram_steps(lowercase, keep_accents):
    """The normalizer of ALBERT, without the table of the model."""
    steps = [{'type': 'Replace', 'pattern': {'String': quotes}, 'content': '"'} for quotes in ('``', "''")]
    steps += [] if keep_accents else [{'type': 'NFKD'}, {'type': 'StripAccents'}]
    return steps + [{'type': 'Lowercase'}] * bool(lowercase)


def unigram_pre_tokenizer():
    """The pre-tokenizer of ALBERT: words at white space, each with a mark before it."""
    return {'type': 'Sequence', 'pretokenizers': [
        {'type': 'WhitespaceSplit'},
        {'type': 'Metaspace', 'replacement': '\u2581', 'prepend_scheme': 'always', 'split': True}]}
