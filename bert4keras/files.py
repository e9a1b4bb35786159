# -*- coding: utf-8 -*-
"""Files and directories that are whole or absent, whoever else reads or writes them, whenever a writer is stopped.

What is written goes to a temporary directory beside its destination, under a name that nobody else has, and
is renamed when it is complete. Where several files belong together, the one that readers open first is
absent while the others change. Three kinds of names stand beside a destination NAME meanwhile:

    .NAME.lock       held while something is renamed to NAME; removed afterwards
    .NAME.*.tmp      what is being written; locked by its writer
    .NAME.*.old      what had the name NAME, until what replaces it has it

Locks end with their process, so what a killed writer left behind is known, and the next writer tidies it.
They are `flock`'s: they hold between threads, processes and containers of one machine, and over NFS. On a
system without them (Windows) two writers of one file can still disturb each other, and one of them is told.
"""
from __future__ import absolute_import, division, print_function

import binascii
import contextlib
import errno
import io
import logging
import os
import re
import shutil
import stat

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

from bert4keras.compat import native

__all__ = ['MAX_JSON', 'contains', 'copy_file', 'identity', 'is_at', 'lock', 'move_files', 'open_regular_file',
           'read_regular_file', 'replace', 'replace_directory', 'synced', 'temporary_directory', 'tidy', 'whole_file']

MAX_JSON = 1 << 26  # bytes of a file that is read as a whole, such as a config; the largest real ones have 2 MB
_DISK_IS_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, 'EDQUOT', errno.ENOSPC))
_NOFOLLOW = getattr(os, 'O_NOFOLLOW', 0)
_PATIENCE = 1000  # times to ask for a lock that others get first
logger = logging.getLogger(__name__)


# ------------------------------------------------------------------ reading

def open_regular_file(path):
    """Opens a file to read bytes from; an error for what could block or never end (a pipe, a device).

    Raises:
        EnvironmentError: it cannot be opened, or is no regular file; `filename` and `strerror` say so.
    """
    # without waiting for somebody to write into it, if it is a pipe
    flags = os.O_RDONLY | getattr(os, 'O_NONBLOCK', 0) | getattr(os, 'O_BINARY', 0)
    handle = os.open(path, flags)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IOError(errno.EISDIR, 'is a directory', path)
        if not stat.S_ISREG(mode):
            raise IOError(errno.EINVAL, 'is not a regular file', path)
        return io.open(handle, 'rb')
    except BaseException:
        os.close(handle)
        raise


def read_regular_file(path, limit):
    """The bytes of a file, which may be a regular one of at most `limit` bytes.

    Raises:
        EnvironmentError: it cannot be read, is no regular file, or is larger; `filename` and `strerror` say so.
    """
    with open_regular_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        data = stream.read(size + 1) if size <= limit else b''  # Python makes room for what is asked for, at once
    if size > limit or len(data) > limit:
        raise IOError(errno.EFBIG, 'has more than %d bytes, which no such file has' % limit, path)
    return data


# ------------------------------------------------------------------ who has a name

def identity(path):
    """What stays the same as long as `path` is the same, unchanged file or directory; None where nothing is."""
    try:
        status = os.lstat(path)
    except EnvironmentError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime


def is_at(handle, path):
    """Whether an open file, given its descriptor, still has the name `path`, or that of a link there."""
    try:
        known, found = os.fstat(handle), os.stat(path)
    except EnvironmentError:
        return False
    return (known.st_dev, known.st_ino) == (found.st_dev, found.st_ino)


def contains(directory, path):
    """Whether `path`, or what it is a link to, is `directory` or lies in it, by whatever names."""
    for place in {os.path.abspath(path), os.path.realpath(path)}:
        while True:
            if os.path.exists(place) and os.path.exists(directory) and os.path.samefile(place, directory):
                return True
            if os.path.dirname(place) == place:
                break
            place = os.path.dirname(place)
    return False


def _beside(target, kind):
    """The path of a hidden file beside `target`, of the kinds that the module's docstring lists."""
    directory, name = os.path.split(target)
    return os.path.join(directory, '.%s.%s' % (name, kind))


def _unused(target, kind):
    """A path beside `target` that nobody else has, and nobody can guess."""
    return _beside(target, '%s.%s' % (native(binascii.hexlify(os.urandom(8)).decode('ascii')), kind))


@contextlib.contextmanager
def lock(target, warn=False):
    """Keeps every other writer of `target` out of this context; gives whether the system can do that.

    Args:
        target: path.
        warn: whether to say so where another has it, who may take long, and this one waits.
    """
    if fcntl is None:
        yield False
        return
    path = _beside(target, 'lock')
    with _about(target):
        handle, locked = _open_lock(path, target if warn else None)
    try:
        yield locked
    finally:
        try:
            os.remove(path)
        except EnvironmentError:
            pass  # it is somebody else's, in a directory where each may remove only what is theirs
        _unlock(handle)


def _open_lock(path, known_as=None):
    """(handle, whether it is locked) of the lock file at `path`, which whoever had the lock removes."""
    for _ in range(_PATIENCE):
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | _NOFOLLOW, 0o666)
        except EnvironmentError as problem:
            if problem.errno != errno.EACCES or not os.path.lexists(path):
                raise
            handle = os.open(path, os.O_RDONLY | _NOFOLLOW)  # somebody else's, left behind
        if known_as is not None and _is_locked(handle):
            logger.warning('another process has %s: this one waits until it ends', known_as)
        locked = _try_lock(handle, fcntl.LOCK_EX)
        if not locked or is_at(handle, path):
            return handle, locked
        os.close(handle)
    raise IOError(errno.EBUSY, 'is written by too many others at the same time', path)


def _is_locked(handle):
    """Whether somebody else has locked an open file; if not, it is locked now, where that can be."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except EnvironmentError as problem:
        return problem.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES)
    return False


def _try_lock(handle, how):
    """Whether an open file or directory could be locked."""
    while True:
        try:
            fcntl.flock(handle, how)
            return True
        except EnvironmentError as problem:
            if problem.errno != errno.EINTR:
                return False


def _unlock(handle):
    """Closes what may be locked, and unlocks it also where a forked process has it open."""
    _try_lock(handle, fcntl.LOCK_UN)
    os.close(handle)


@contextlib.contextmanager
def _about(target):
    """Errors of the system are about `target`, which is what the user knows, and not some name beside it."""
    try:
        yield
    except EnvironmentError as problem:
        problem.filename = target
        raise


# ------------------------------------------------------------------ writing

@contextlib.contextmanager
def temporary_directory(target):
    """A directory beside `target` to write to, for nobody else; it is removed at the end if it is still there."""
    path, handle = _unused(target, 'tmp'), None
    with lock(target), _about(target):
        tidy(target)
        os.mkdir(path)
        if fcntl is not None:
            handle = os.open(path, os.O_RDONLY | _NOFOLLOW)
            _try_lock(handle, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if handle is not None:
            _unlock(handle)


def tidy(target):
    """Removes what killed writers of `target` left; the caller holds its lock.

    What was about to be replaced gets its name back, if nothing else has it.
    """
    pattern = re.compile(re.escape(_beside(os.path.basename(target), '')) + r'[0-9a-f]{16}\.(tmp|old)$')
    directory = os.path.dirname(target)
    try:
        names = [name for name in os.listdir(directory or '.') if pattern.match(name)]
    except EnvironmentError:  # one can write where one cannot list
        return
    for name in names if fcntl is not None else ():
        path = os.path.join(directory, name)
        try:
            handle = os.open(path, os.O_RDONLY | _NOFOLLOW)
        except EnvironmentError:  # it is gone, or a link, or somebody else's
            continue
        if _try_lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if name.endswith('.old') and not os.path.lexists(target):
                os.rename(path, target)
            else:
                shutil.rmtree(path, ignore_errors=True)
        _unlock(handle)


@contextlib.contextmanager
def synced(path, mode='wb'):
    """An open file that is on the disk when it is closed, so that no rename can overtake it."""
    try:
        with io.open(path, mode) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
    except EnvironmentError as problem:
        if problem.filename is None and problem.errno in _DISK_IS_FULL:  # the system names none
            problem.filename = path
        raise


def replace(source, target):
    """Renames over `target`; Python 2.7 on Windows cannot in one step, so there it is absent between."""
    if hasattr(os, 'replace'):
        return os.replace(source, target)
    if os.name == 'nt' and os.path.exists(target):
        os.remove(target)
    return os.rename(source, target)


@contextlib.contextmanager
def whole_file(path):
    """A binary stream to write; the file has its name once all is written, or is as it was."""
    with temporary_directory(path) as directory:
        partial = os.path.join(directory, os.path.basename(path))
        try:
            with synced(partial) as stream:
                yield stream
            replace(partial, path)
        except EnvironmentError as problem:
            if problem.filename == partial:
                problem.filename = path
            raise


def copy_file(source, target):
    """Copies a file that is read as a whole, such as a vocabulary; an EnvironmentError, see `read_regular_file`."""
    data = read_regular_file(source, MAX_JSON)
    with whole_file(target) as writer:
        writer.write(data)


def move_files(source, target, last):
    """Moves the files of one directory into another, as one step for whoever opens the one named `last` first.

    That one is absent while the others change. If one of them cannot be moved, all are as they were.

    Args:
        source: directory of files only, one that `temporary_directory` gave: what they replace is kept
            in it meanwhile.
        target: directory, on the same file system.
        last: name of one of the files, such as the index of a checkpoint.

    Raises:
        EnvironmentError: a file cannot be moved, or (where the system has no locks) somebody else wrote at
            the same time; then `last` is absent, or whole and theirs.
    """
    names = sorted(os.listdir(source), key=lambda name: (name == last, name))
    pairs = [(os.path.join(source, name), os.path.join(target, name)) for name in names]
    kept = {new: _unused(new, 'replaced') for new, _ in pairs}
    ours = [identity(new) for new, _ in pairs]
    with lock(pairs[-1][1]) as locked:
        try:
            _set_aside(pairs[-1][1], kept[pairs[-1][0]])
            for new, old in pairs[:-1]:
                _keep(old, kept[new])
                replace(new, old)
            _sync_directory(target)  # the others first, also if the power fails
            replace(*pairs[-1])
        except BaseException:
            for new, old in pairs:
                if os.path.lexists(kept[new]):
                    replace(kept[new], old)
                elif not os.path.lexists(new):
                    os.remove(old)
            raise
        _sync_directory(target)
        if not locked and [identity(old) for _, old in pairs] != ours:
            if identity(pairs[-1][1]) == ours[-1]:
                os.remove(pairs[-1][1])
            raise IOError(errno.EBUSY, 'was written by somebody else at the same time', pairs[-1][1])


def _set_aside(path, kept):
    """Renames a file, if it is there, to `kept`."""
    if os.path.isdir(path) and not os.path.islink(path):
        raise IOError(errno.EISDIR, 'is a directory, where a file is to be written', path)
    if os.path.lexists(path):
        os.rename(path, kept)


def _keep(path, kept):
    """Makes `kept` another name of a file, if it is there; or its name, where files have only one."""
    if hasattr(os, 'link') and os.path.isfile(path) and not os.path.islink(path):
        try:
            return os.link(path, kept)
        except EnvironmentError:
            pass
    _set_aside(path, kept)


def _sync_directory(path):
    """Has the names in a directory on the disk, where the system can do that."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except EnvironmentError:  # Windows cannot
        return
    try:
        os.fsync(handle)
    except EnvironmentError:
        pass  # nor can some file systems
    finally:
        os.close(handle)


def replace_directory(source, target, known=None):
    """Gives a complete directory its name, which must be free, or that of what is to be replaced.

    Args:
        source: directory, one that `temporary_directory(target)` gave.
        target: path.
        known: the `identity` of the directory to replace, or None to replace nothing.

    Raises:
        EnvironmentError: it cannot be renamed, or something else has the name by now, or what has it was
            changed. `target` is then as it was.
    """
    old = _unused(target, 'old')
    with lock(target):
        try:
            if known is not None and os.path.lexists(target):
                os.rename(target, old)
                if identity(old) != known:
                    raise _taken(target)
            if os.path.lexists(target):
                raise _taken(target)
            _rename_to_unused(source, target)
        except BaseException:
            if os.path.lexists(old) and not os.path.lexists(target):
                os.rename(old, target)
            raise
        _sync_directory(os.path.dirname(target) or '.')
    shutil.rmtree(old, ignore_errors=True)


def _rename_to_unused(source, target):
    """Renames a directory that is not empty; the system itself refuses to replace anything but an empty one."""
    try:
        os.rename(source, target)
    except EnvironmentError:
        if os.path.lexists(target):
            raise _taken(target)
        raise


def _taken(target):
    """The error about a name that somebody else took or changed."""
    return IOError(errno.EEXIST, 'was made or changed by somebody else in the meantime, and is left as it is; give '
                   'another destination, or do it again', target)
