# -*- coding: utf-8 -*-
"""Do the tests notice? Makes one mistake at a time in a copy of the package and runs the tests that are to catch it.

    python -m parity.mutate                           the mistakes of every table in parity/mutations/
    python -m parity.mutate --only model checkpoint   those of parity/mutations/model.py and checkpoint.py

Two run at a time. Prints what caught each mistake, with the first tensor that differs. Exits with 1 if one survives,
if the text that a mutation replaces is not in its file exactly once, and if a check fails without any.
"""
from __future__ import absolute_import, division, print_function

import argparse
import io
import multiprocessing.pool
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from parity.copy_checkout import copy_checkout
from parity.mutations import AREAS, read_table

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGE = os.path.join(ROOT, 'bert4keras')


def find(package, mutation):
    """The path of the file that a mutation is about; SystemExit if its old text is not there exactly once."""
    found = []
    for folder, _, names in os.walk(package):
        if mutation.filename in names:
            path = os.path.join(folder, mutation.filename)
            with io.open(path, encoding='utf-8') as stream:
                found += [path] * stream.read().count(mutation.old)
    if len(found) != 1:
        raise SystemExit('mutation "%s" of %s: its old text is in %s %d times, not once: %r'
                         % (mutation.name, mutation.area, mutation.filename, len(found), mutation.old))
    return found[0]


def mutate(package, mutation):
    """Makes the mistake in a copy of the package."""
    path = find(package, mutation)
    with io.open(path, encoding='utf-8') as stream:
        text = stream.read()
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(text.replace(mutation.old, mutation.new))


def failure(copy, check):
    """Runs pytest on a copy up to its first failure: None, or (test, what differs)."""
    environment = dict(os.environ, PYTHONPATH=copy, PYTHONDONTWRITEBYTECODE='1', TF_CPP_MIN_LOG_LEVEL='2',
                       JAX_DISABLE_MOST_OPTIMIZATIONS='1')
    environment.pop('BERT4KERAS_RESULTS', None)
    run = subprocess.Popen([sys.executable, '-m', 'pytest', '-x', '-q', '--slow', '--tb=short', '-p', 'no:cacheprovider']
                           + shlex.split(check), cwd=copy, env=environment, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
    output = run.communicate()[0].decode('utf-8', 'replace')
    if run.returncode == 0:
        return None
    if run.returncode == 5:
        raise SystemExit('no test is named by: %s' % check)
    test = re.search(r'^(?:FAILED|ERROR) (\S+)', output, re.M)
    reason = re.search(r'^E +(.*)', output, re.M)
    return (test.group(1) if test else 'pytest itself', reason.group(1) if reason else output[-500:])


def run_in_copy(mutation, check):
    """`failure` of a fresh copy of the checkout with a mistake, or with none."""
    directory = tempfile.mkdtemp()
    try:
        copy = os.path.join(directory, 'copy')
        copy_checkout(ROOT, copy)
        shutil.copytree(PACKAGE, os.path.join(copy, 'bert4keras'), ignore=shutil.ignore_patterns('__pycache__'))
        if mutation is not None:
            mutate(os.path.join(copy, 'bert4keras'), mutation)
        return failure(copy, check)
    finally:
        shutil.rmtree(directory)


def run_one(mutation):
    """Tries one mutation and prints its line; returns whether it was caught."""
    caught = run_in_copy(mutation, mutation.check)
    sys.stdout.write('%-9s %s: %s: %s\n' % ('caught' if caught else 'SURVIVED', mutation.area, mutation.name,
                                            '%s (%s)' % (caught[1], caught[0]) if caught else 'no test noticed'))
    sys.stdout.flush()
    return bool(caught)


def main(areas):
    """Runs the mutations of the areas; returns the exit code."""
    mutations = [mutation for area in areas for mutation in read_table(area)]
    for mutation in mutations:  # before the first run of minutes
        find(PACKAGE, mutation)
    pool = multiprocessing.pool.ThreadPool(2)
    checks = sorted({mutation.check for mutation in mutations})
    for check, broken in zip(checks, pool.map(lambda check: run_in_copy(None, check), checks, 1)):
        if broken:
            raise SystemExit('%s fails without any mutation: %s: %s' % ((check,) + broken))
    caught = sum(pool.map(run_one, mutations, 1))
    print('%d of %d mutations caught' % (caught, len(mutations)))
    return 0 if caught == len(mutations) else 1


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--only', nargs='+', default=AREAS, choices=AREAS, metavar='AREA', help=', '.join(AREAS))
    sys.exit(main(parser.parse_args().only))
