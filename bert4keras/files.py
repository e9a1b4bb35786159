# -*- coding: utf-8 -*-
"""Files and directories that get their names only when they are whole.

Whoever reads a name finds what was there before or what is there now, never a part of it, whenever the
writer is stopped.
"""
from __future__ import absolute_import, division, print_function

import contextlib
import io
import os
import shutil
import tempfile

__all__ = ['copy_file', 'move_files', 'replace', 'replace_directory', 'synced', 'temporaries', 'temporary_directory',
           'whole_file']


@contextlib.contextmanager
def temporaries(*targets):
    """Names to write to, beside `targets`; what is still there at the end is removed."""
    names = ['%s.%d.tmp' % (target, os.getpid()) for target in targets]
    try:
        yield names
    finally:
        for name in names:
            if os.path.exists(name):
                os.remove(name)


@contextlib.contextmanager
def synced(path, mode='wb'):
    """An open file that is on the disk when it is closed, so that no rename can overtake it."""
    with io.open(path, mode) as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def replace(source, target):
    """Renames over `target`; Python 2.7 on Windows cannot in one step, so there it is absent between."""
    if hasattr(os, 'replace'):
        return os.replace(source, target)
    if os.name == 'nt' and os.path.exists(target):
        os.remove(target)
    return os.rename(source, target)


@contextlib.contextmanager
def whole_file(path):
    """A binary stream to write; the file has its name once all is written, or is not there."""
    with temporaries(path) as (partial,):
        with synced(partial) as stream:
            yield stream
        replace(partial, path)


def copy_file(source, target):
    """Copies a file."""
    with io.open(source, 'rb') as reader, whole_file(target) as writer:
        shutil.copyfileobj(reader, writer)


def move_files(source, target, last):
    """Moves the files of one directory into another, which has the one named `last` only with all others."""
    if os.path.exists(os.path.join(target, last)):
        os.remove(os.path.join(target, last))
    for name in sorted(os.listdir(source), key=lambda name: name == last):
        replace(os.path.join(source, name), os.path.join(target, name))


@contextlib.contextmanager
def temporary_directory(target):
    """A directory beside `target` to write to; it is removed at the end if it is still there."""
    path = tempfile.mkdtemp(prefix='.%s.' % os.path.basename(target), dir=os.path.dirname(target))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def replace_directory(source, target):
    """Renames a complete directory; what had its new name before is deleted behind that."""
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(source, 0o777 & ~umask)  # mkdtemp makes it for the owner alone
    if not os.path.lexists(target):
        os.rename(source, target)
        return
    with temporary_directory(target) as directory:
        old = os.path.join(directory, 'replaced')
        os.rename(target, old)
        try:
            os.rename(source, target)
        except OSError:
            os.rename(old, target)
            raise
