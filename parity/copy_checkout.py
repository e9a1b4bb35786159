# -*- coding: utf-8 -*-
"""Copies what the tests read, without the package, so that they import the installed wheel."""
from __future__ import absolute_import, print_function

import os
import shutil
import sys


def copy_checkout(source, destination):
    """Copies what tests read of a checkout into a fresh directory."""
    shutil.rmtree(destination, ignore_errors=True)
    os.makedirs(destination)
    for name in ('tests', 'parity', 'examples', 'benchmarks'):
        shutil.copytree(os.path.join(source, name), os.path.join(destination, name),
                        ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
    for name in ('conftest.py', 'README.md', 'README.zh-CN.md', 'tox.ini', 'PARITY.md', 'parity.png', '.ci'):
        path = os.path.join(source, name)
        if os.path.isdir(path):
            shutil.copytree(path, os.path.join(destination, name))
        elif os.path.exists(path):
            shutil.copy(path, destination)


if __name__ == '__main__':
    copy_checkout(*sys.argv[1:3])
