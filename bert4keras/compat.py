# -*- coding: utf-8 -*-
"""What Python 2 and Python 3 have under different names; nothing about Keras."""
from __future__ import absolute_import, division, print_function

try:
    from collections.abc import Mapping
except ImportError:  # Python 2
    from collections import Mapping

try:
    import queue
except ImportError:  # Python 2
    import Queue as queue

__all__ = ['Mapping', 'STRINGS', 'TEXT', 'fspath', 'native', 'queue', 'unichr']

TEXT = type(u'')
unichr = chr if str is TEXT else unichr  # noqa: F821 (Python 2)
STRINGS = (str, TEXT)  # bytes only where they are Python's strings


def native(text):
    """`text` as the `str` of this Python: on 2.7 only then do messages survive names that are not ASCII."""
    return text.encode('utf-8') if str is bytes and isinstance(text, TEXT) else text


def fspath(path):
    """The string of an object that stands for a path, such as pathlib's; anything else as it is."""
    convert = getattr(type(path), '__fspath__', None)
    return path if convert is None else convert(path)
