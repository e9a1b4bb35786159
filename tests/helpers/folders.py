# -*- coding: utf-8 -*-
"""What is in a directory."""
from __future__ import absolute_import, division, print_function

import io
import os


def content(directory):
    """{name: bytes} of all files in a directory, hidden ones included."""
    found = {}
    for name in os.listdir(str(directory)):
        with io.open(os.path.join(str(directory), name), 'rb') as stream:
            found[name] = stream.read()
    return found
