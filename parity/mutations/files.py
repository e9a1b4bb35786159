# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in writing files that are whole or absent."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_files.py'

MUTATIONS = [
    ('a file not on the disk before its name', 'files.py', 'os.fsync(stream.fileno())', 'pass'),
    ('the index not behind its data on the disk', 'files.py',
     '_sync_directory(target)  # the others first, also if the power fails', 'pass'),
    ('the index first', 'files.py', '(name == last, name)', '(name != last, name)'),
    ('the old index stays while the data changes', 'files.py', '_set_aside(pairs[-1][1], kept[pairs[-1][0]])', 'pass'),
    ('a directory for nobody else', 'files.py', 'os.mkdir(path)', 'os.mkdir(path, 0o700)'),
    ('names that can be guessed', 'files.py', 'os.urandom(8)', "b'\\0' * 8"),
    ('a directory that was changed meanwhile is replaced', 'files.py', 'if identity(old) != known:', 'if False:'),
    ('what was about to be replaced is tidied away', 'files.py',
     "if name.endswith('.old') and not os.path.lexists(target):", 'if False:'),
    ('a pipe is taken for a file', 'files.py', "raise IOError(errno.EINVAL, 'is not a regular file', path)", 'pass'),
    ('a file may be larger than it may', 'files.py', 'if size > limit or len(data) > limit:', 'if False:'),
    ('a link is not looked through', 'files.py', '{os.path.abspath(path), os.path.realpath(path)}',
     '{os.path.abspath(path)}'),
    ('what fails stays moved', 'files.py', 'replace(kept[new], old)', 'pass'),
    ('a directory that fails has no name', 'files.py', 'os.rename(old, target)', 'pass'),
]
