# -*- coding: utf-8 -*-
"""The errors of this package: all are ValueErrors, and each says what is wrong, where, and what to do.

    Bert4KerasError
        ReleaseError        something is wrong with a file of a release
            ConfigError         with its config
            CheckpointError     with its weights
            VocabularyError     with its vocabulary
        TextError           a text that the model cannot take
        CorpusError         a text, or a file made of it, that pretraining cannot use

A message names the file first, then the variable and the byte if it is about one, and ends with the remedy.
"""
from __future__ import absolute_import, division, print_function

from bert4keras.compat import native

__all__ = ['Bert4KerasError', 'CheckpointError', 'ConfigError', 'CorpusError', 'ReleaseError', 'TextError',
           'VocabularyError', 'error', 'some']


class Bert4KerasError(ValueError):
    """The base of the errors that this package raises; its message is the `str` of this Python."""

    def __init__(self, *args):
        super(Bert4KerasError, self).__init__(*[native(part) for part in args])


class ReleaseError(Bert4KerasError):
    """Something is wrong with a file of a release."""


class ConfigError(ReleaseError):
    """A config that is missing, unreadable, incomplete or of a model that is not supported."""


class CheckpointError(ReleaseError):
    """A checkpoint that cannot be read or written; says which file, which variable, which byte, and why."""


class VocabularyError(ReleaseError):
    """A vocabulary that cannot be used; says which file and line, and what to do."""


class TextError(Bert4KerasError):
    """A text that the model cannot take.

    Attributes:
        index: its position among the texts, from 0.
        what: what is wrong with it and what to do, to follow the text's name in a message.
    """

    def __init__(self, index, what):
        super(TextError, self).__init__(index, what)
        self.index, self.what = index, what

    def __str__(self):
        return 'text %d (counted from 0) %s' % (self.index, self.what)


class CorpusError(Bert4KerasError):
    """A text, or a file made of it, that pretraining cannot use; says where in which, and what to do."""


def error(path, what, name=None, offset=None):
    """The CheckpointError about the file `path`, its variable `name` and its byte `offset`."""
    where = [path] + ([] if name is None else [u'variable %s' % name])
    where += [] if offset is None else ['byte %d' % offset]
    return CheckpointError(': '.join(native(part) for part in where + [what]))


def some(items, most=8):
    """The first few of a list, as text for a message, with the count of the rest."""
    items = [str(native(item)) for item in items]
    return ', '.join(items[:most]) + (', ... (%d in all)' % len(items) if len(items) > most else '')
