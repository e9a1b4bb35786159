# -*- coding: utf-8 -*-
"""Copies what the tests read, without the package, so that they import the installed wheel."""
from __future__ import absolute_import, print_function

import os
import shutil
import sys


def copy_checkout(source, destination):
    """Copies tests/, parity/, examples/ and README.md of a checkout into a fresh directory."""
    shutil.rmtree(destination, ignore_errors=True)
    os.makedirs(destination)
    for name in ('tests', 'parity', 'examples'):
        shutil.copytree(os.path.join(source, name), os.path.join(destination, name),
                        ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
    for name in ('README.md', 'tox.ini'):
        shutil.copy(os.path.join(source, name), destination)


if __name__ == '__main__':
    copy_checkout(*sys.argv[1:3])
