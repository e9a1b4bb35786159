# -*- coding: utf-8 -*-
"""The fields of the JSON files in a directory of sentence-transformers, looked at before they are used.
"""
from __future__ import absolute_import, division, print_function

import json
import os

from bert4keras.errors import ConfigError
from bert4keras.release.config import read_fields

__all__ = ['expect', 'get', 'read_module']


def read_module(directory):
    """The fields of the config.json of a module that needs one."""
    path = os.path.join(directory, 'config.json')
    if not os.path.exists(path):
        raise ConfigError('%s is not there, although modules.json names the module: a part of the model is missing. '
                          'Download the directory again, with its folders' % path)
    return read_fields(path)


def get(fields, name, kind, where, *default):
    """A field of the type `kind`; the default where it is missing or null; ConfigError about the file `where`."""
    value = fields.get(name)
    if value is None and default:
        return default[0]
    if not isinstance(value, kind) or isinstance(value, bool) and kind is not bool:
        raise ConfigError('%s has %s = %s, of another kind than is written there; download it again'
                          % (where, name, json.dumps(value)))
    return value


def expect(fields, name, value, where):
    """ConfigError if a field has another value than the one that is built."""
    if fields.get(name) not in (None, value):
        raise ConfigError('%s has %s = %s, which is not built here; only %r is'
                          % (where, name, json.dumps(fields[name]), value))
