# -*- coding: utf-8 -*-
"""Runs the README's two commands from a fresh clone; fails if either does, or installs torch or CUDA.

    python3 .ci/front_door.py            both commands
    python3 .ci/front_door.py tests      those with this word in them
"""
from __future__ import absolute_import, print_function

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNWANTED = re.compile(r'^(torch|nvidia|triton|sentence.transformers)', re.I | re.M)


def readme_commands():
    """The commands of the README's first two fenced blocks, one line each."""
    with open(os.path.join(ROOT, 'README.md'), 'rb') as stream:
        blocks = re.findall(r'^```sh\n(.*?)\n```$', stream.read().decode('utf-8'), re.S | re.M)
    assert all('\n' not in block for block in blocks[:2]), 'a command of the README is more than one line'
    return blocks[:2]


def run(command, clone):
    """Runs one command in the clone; SystemExit if it fails or installs what it must not."""
    print('$ ' + command)
    sys.stdout.flush()
    started = time.time()
    code = subprocess.call(['bash', '-c', command], cwd=clone)
    print('-- exit %d after %.0f s' % (code, time.time() - started))
    environment = re.search(r'-m venv (\S+)', command).group(1)
    listing = subprocess.check_output([os.path.join(clone, environment, 'bin', 'pip'), 'list'])
    unwanted = UNWANTED.findall(listing.decode('utf-8'))
    if code or unwanted:
        raise SystemExit('failed with %d; packages that must not be there: %s' % (code, unwanted or 'none'))


def main(words):
    """Clones the checkout's last commit and runs the README's commands there."""
    directory = tempfile.mkdtemp()
    try:
        clone = os.path.join(directory, 'bert4keras')
        subprocess.check_call(['git', 'clone', '-q', ROOT, clone])
        for command in readme_commands():
            if all(word in command for word in words):
                run(command, clone)
    finally:
        shutil.rmtree(directory)


if __name__ == '__main__':
    main(sys.argv[1:])
