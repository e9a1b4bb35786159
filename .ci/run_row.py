# -*- coding: utf-8 -*-
"""What a row of tox.ini runs: parity/ and tests/, in one process.

    python .ci/run_row.py                              both
    python .ci/run_row.py tests/test_bert.py -k mask   these arguments for pytest, once
"""
from __future__ import absolute_import, print_function

import io
import json
import os
import subprocess
import sys


def share_environment(path=os.path.join(sys.prefix, '.tox-info.json')):
    """Lets another row take this environment as it is: tox builds it again when it finds another row's name."""
    with io.open(path, encoding='utf-8') as stream:
        info = json.load(stream)
    info.pop('ToxEnv', None)
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(u'%s' % json.dumps(info))


def main(arguments):
    """Runs pytest; returns its exit code."""
    share_environment()
    arguments = arguments or ['parity', 'tests', '--durations', '10']
    return subprocess.call([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider'] + arguments)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
