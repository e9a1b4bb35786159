# -*- coding: utf-8 -*-
"""Does parity notice? Makes one mistake at a time in a copy of the package and runs the quick parity.

    python -m parity.mutate                 the mistakes of every parity/mutations_*.py
    python -m parity.mutate model           those of parity/mutations_model.py

Prints what caught each mistake, with the first tensor that differs. Exits with 1 if one survives, if the
text that a mutation replaces is not in its file exactly once, and if parity fails without any.
"""
from __future__ import absolute_import, division, print_function

import glob
import importlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile

from parity.copy_checkout import copy_checkout

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def mutate(package, name, filename, old, new):
    """Replaces a text that is in a file of the package exactly once; SystemExit if it is not."""
    path = os.path.join(package, filename)
    with io.open(path, encoding='utf-8') as stream:
        text = stream.read()
    if text.count(old) != 1:
        raise SystemExit('mutation "%s": its old text is in %s %d times, not once: %r'
                         % (name, filename, text.count(old), old))
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(text.replace(old, new))


def fresh_package(copy):
    """The directory of an unchanged copy of the package in the copied checkout."""
    package = os.path.join(copy, 'bert4keras')
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(os.path.join(ROOT, 'bert4keras'), package, ignore=shutil.ignore_patterns('__pycache__'))
    return package


def failure(copy, tests):
    """Runs pytest on the copy up to its first failure: None, or (test, what differs)."""
    environment = dict(os.environ, PYTHONPATH=copy, PYTHONDONTWRITEBYTECODE='1', TF_CPP_MIN_LOG_LEVEL='2',
                       JAX_DISABLE_MOST_OPTIMIZATIONS='1')
    environment.pop('BERT4KERAS_RESULTS', None)
    run = subprocess.Popen([sys.executable, '-m', 'pytest', '-x', '-q', '--tb=short', '-p', 'no:cacheprovider']
                           + tests, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = run.communicate()[0].decode('utf-8', 'replace')
    if run.returncode == 0:
        return None
    test = re.search(r'^(?:FAILED|ERROR) (\S+)', output, re.M)
    reason = re.search(r'^E +(.*)', output, re.M)
    return (test.group(1) if test else 'pytest itself', reason.group(1) if reason else output[-500:])


def main(names):
    """Runs the mutations of the named tables; returns the exit code."""
    paths = sorted(glob.glob(os.path.join(HERE, 'mutations_*.py')))
    names = names or [re.search(r'mutations_(\w+)\.py$', path).group(1) for path in paths]
    directory = tempfile.mkdtemp()
    survived = total = 0
    try:
        copy = os.path.join(directory, 'copy')
        copy_checkout(ROOT, copy)
        for name in names:
            table = importlib.import_module('parity.mutations_' + name)
            for mutation in table.MUTATIONS:  # before the first run of minutes
                mutate(fresh_package(copy), *mutation)
            fresh_package(copy)
            broken = failure(copy, table.TESTS)
            if broken:
                raise SystemExit('parity fails without any mutation: %s: %s' % broken)
            for mutation in table.MUTATIONS:
                mutate(fresh_package(copy), *mutation)
                caught = failure(copy, table.TESTS)
                total, survived = total + 1, survived + (caught is None)
                print('%-9s %s: %s' % ('caught' if caught else 'SURVIVED', mutation[0],
                                       '%s (%s)' % (caught[1], caught[0]) if caught else 'no test noticed'))
                sys.stdout.flush()
    finally:
        shutil.rmtree(directory)
    print('%d of %d mutations caught' % (total - survived, total))
    return 1 if survived else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
