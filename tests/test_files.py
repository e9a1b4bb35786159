# -*- coding: utf-8 -*-
"""Tests of bert4keras.files: a file or a directory is whole or absent, whoever else writes."""
from __future__ import absolute_import, division, print_function

import errno
import io
import os
import stat
import subprocess
import sys
import threading

import pytest

from bert4keras import files
from bert4keras.files import (contains, copy_file, identity, lock, move_files, read_regular_file, replace_directory,
                              temporary_directory, whole_file)

pytestmark = pytest.mark.engine_free
needs_locks = pytest.mark.skipif(files.fcntl is None, reason='this system has no locks of files')
needs_posix = pytest.mark.skipif(os.name == 'nt', reason='this system has no links and pipes like these')


def write(*path, **kwargs):
    """Writes a file of few bytes, its name by default; returns its path."""
    path = os.path.join(*map(str, path))
    with io.open(path, 'wb') as stream:
        stream.write(kwargs.get('data', os.path.basename(path).encode('ascii')))
    return path


def read(*path):
    """The bytes of a file."""
    with io.open(os.path.join(*map(str, path)), 'rb') as stream:
        return stream.read()


def tree(directory):
    """{relative path: bytes} of all files of a directory, hidden ones too; of an empty directory None."""
    found = {}
    for folder, folders, names in os.walk(str(directory)):
        relative = os.path.relpath(folder, str(directory))
        found.update({os.path.normpath(os.path.join(relative, name)): read(folder, name) for name in names})
        if not folders and not names and relative != '.':
            found[relative] = None
    return found


class Calls(object):
    """Records the calls of functions of `os`, and may fail or interrupt one of them.

    Args:
        fail_at: number of the call, from 0, that raises an `error` of this class, or None.
    """

    def __init__(self, monkeypatch, names, fail_at=None, error=None):
        self.made = []
        for name in names:
            if hasattr(os, name):
                monkeypatch.setattr(os, name, self.watch(name, getattr(os, name), fail_at, error))

    def watch(self, name, function, fail_at, error):
        def watched(*args):
            self.made.append((name,) + args)
            if len(self.made) - 1 == fail_at:
                raise error(errno.EIO, 'no')
            return function(*args)
        return watched


# ------------------------------------------------------------------ reading

def test_a_regular_file_is_read_to_its_limit(tmp_path):
    """A file of exactly so many bytes is read; one more is an error that names it; so is a huge sparse one."""
    path = write(tmp_path, 'twelve', data=b'0123456789ab')
    assert read_regular_file(path, 12) == b'0123456789ab'
    assert read_regular_file(write(tmp_path, 'empty', data=b''), 0) == b''
    with io.open(os.path.join(str(tmp_path), 'sparse'), 'wb') as stream:
        stream.truncate(1 << 33)
    for path, limit in ((path, 11), (stream.name, 1 << 20)):
        with pytest.raises(EnvironmentError) as caught:
            read_regular_file(path, limit)
        assert caught.value.filename == path and 'more than %d bytes' % limit in caught.value.strerror


@needs_posix
def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    """A named pipe that nobody writes to, an endless device, a directory, and nothing at all: errors at once."""
    pipe = os.path.join(str(tmp_path), 'pipe')
    os.mkfifo(pipe)
    for path, words in ((pipe, 'not a regular file'), ('/dev/zero', 'not a regular file'),
                        (str(tmp_path), 'directory'), (pipe + 'x', 'No such file')):
        for function in (lambda path: read_regular_file(path, 9), lambda path: copy_file(path, pipe + 'copy')):
            with pytest.raises(EnvironmentError) as caught:
                function(path)
            assert caught.value.filename == path and words in caught.value.strerror
    assert os.listdir(str(tmp_path)) == ['pipe']


# ------------------------------------------------------------------ files

def test_what_is_too_large_to_be_a_vocabulary_is_not_copied(tmp_path):
    """A sparse file takes no room, and its copy all that it says it has."""
    source, target = [os.path.join(str(tmp_path), name) for name in ('source', 'target')]
    with io.open(source, 'wb') as stream:
        stream.truncate(files.MAX_JSON + 1)
    with pytest.raises(EnvironmentError) as caught:
        copy_file(source, target)
    assert caught.value.filename == source and 'more than 67108864 bytes' in caught.value.strerror
    assert os.listdir(str(tmp_path)) == ['source']
    copy_file(write(tmp_path, 'small'), target)
    assert read(target) == b'small'


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """fsync of the whole content, then the rename: otherwise a power cut leaves an empty file of that name."""
    calls = Calls(monkeypatch, ['fsync', 'rename', 'replace'])
    path, sizes = os.path.join(str(tmp_path), 'file'), []
    fsync = os.fsync
    monkeypatch.setattr(os, 'fsync', lambda handle: sizes.append(os.fstat(handle).st_size) or fsync(handle))
    with whole_file(path) as stream:
        stream.write(b'12345')
        assert not os.path.lexists(path)
    assert [call[0] for call in calls.made][0] == 'fsync' and sizes == [5]
    assert len(calls.made) == 2 and calls.made[1][2] == path and read(path) == b'12345'


@pytest.mark.parametrize('error', [KeyboardInterrupt, SystemExit, ValueError])
def test_a_file_that_is_not_completed_stays_as_it_was(tmp_path, error):
    """Whatever ends the writing, the old file is there and nothing else."""
    path = write(tmp_path, 'file')
    with pytest.raises(error):
        with whole_file(path) as stream:
            stream.write(b'half')
            raise error('stop')
    assert tree(tmp_path) == {'file': b'file'}


@needs_posix
def test_names_are_not_guessed_and_links_not_followed(tmp_path):
    """No two writers share a name, and what somebody planted beside the destination is neither read nor written."""
    folder = os.path.join(str(tmp_path), 'folder')
    os.mkdir(folder)
    victim, path, names = write(tmp_path, 'victim'), os.path.join(folder, 'file'), set()
    os.symlink(victim, '%s.%d.tmp' % (path, os.getpid()))  # the name that earlier releases used
    os.symlink(victim, path)
    for _ in range(3):
        with temporary_directory(path) as directory:
            names.add(directory)
    with whole_file(path) as stream:
        stream.write(b'new')
    assert len(names) == 3 and read(victim) == b'victim' and read(path) == b'new'
    os.symlink(victim, os.path.join(folder, '.file.lock'))
    with pytest.raises(EnvironmentError) as caught:
        with whole_file(path):
            pass
    assert caught.value.filename == path and read(victim) == b'victim'


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    """"No space left on device" says of which file, not the one it has meanwhile."""
    path, io_open = os.path.join(str(tmp_path), 'file'), io.open
    monkeypatch.setattr(io, 'open', lambda name, mode: io_open('/dev/full' if mode == 'wb' else name, mode))
    with pytest.raises(EnvironmentError) as caught:
        with whole_file(path) as stream:
            stream.write(b'x')
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, path)


# ------------------------------------------------------------------ several files

def together(tmp_path):
    """(source, target): two directories with files that belong together, the old in the target."""
    source, target = [os.path.join(str(tmp_path), name) for name in ('source', 'target')]
    for path, content, names in ((source, b'new', 'acz'), (target, b'old', 'abz')):
        os.mkdir(path)
        for name in names:
            write(path, name, data=content)
    return source, target


OLD = {'a': b'old', 'b': b'old', 'z': b'old'}
NEW = {'a': b'new', 'b': b'old', 'c': b'new', 'z': b'new'}


def test_files_are_moved_together(tmp_path):
    """New ones and those of others are there afterwards, and nothing else."""
    source, target = together(tmp_path)
    move_files(source, target, last='z')
    assert tree(target) == NEW


def test_the_one_that_is_read_first_is_absent_while_others_change(tmp_path, monkeypatch):
    """Before and after every step: all old, all new, or without "z"; and the others are on the disk before "z"."""
    source, target = together(tmp_path)
    seen = []

    def looking(function):
        def looks(*args):
            seen.append(tree(target))
            function(*args)
            seen.append(tree(target))
        return looks

    for name in ('link', 'rename', 'replace', 'fsync'):
        if hasattr(os, name):
            monkeypatch.setattr(os, name, looking(getattr(os, name)))
    move_files(source, target, last='z')
    monkeypatch.undo()
    for found in seen:
        found.pop('.z.lock', None)
        assert 'z' not in found or found in (OLD, NEW)
        assert found['a'] in (b'old', b'new')  # a file that can keep its name until it is replaced, does
    assert seen[0] == OLD and seen[-1] == NEW
    without = dict(NEW)
    del without['z']
    assert seen.count(without) >= 3  # before and after the sync, before the last rename


@pytest.mark.parametrize('error', [OSError, KeyboardInterrupt])
@pytest.mark.parametrize('links', [True, False])
@pytest.mark.parametrize('step', range(6))
def test_files_that_cannot_be_moved_together_stay(tmp_path, monkeypatch, step, links, error):
    """Whichever step fails or is interrupted, with hard links or without: all files are as they were."""
    source, target = together(tmp_path)
    if not links:
        monkeypatch.delattr(os, 'link', raising=False)
    with temporary_directory(os.path.join(target, 'z')) as directory:
        for name in os.listdir(source):
            os.rename(os.path.join(source, name), os.path.join(directory, name))
        calls = Calls(monkeypatch, ['link', 'rename', 'replace'], step, error)
        if hasattr(os, 'link') and step == 1 and error is OSError or step == 5:
            move_files(directory, target, last='z')  # a file system without links; no such step
            expected = NEW
        else:
            with pytest.raises(error):
                move_files(directory, target, last='z')
            expected = OLD
    monkeypatch.undo()
    assert len(calls.made) > step or step == 5
    assert tree(target) == expected


def test_a_directory_in_the_place_of_a_file_is_kept(tmp_path):
    """The data cannot be replaced: the old index, and the directory, are where they were."""
    source, target = together(tmp_path)
    os.remove(os.path.join(target, 'a'))
    os.mkdir(os.path.join(target, 'a'))
    with pytest.raises(EnvironmentError) as caught:
        move_files(source, target, last='z')
    assert caught.value.filename == os.path.join(target, 'a') and 'directory' in caught.value.strerror
    assert tree(target) == {'a': None, 'b': b'old', 'z': b'old'}


def test_where_nothing_can_be_locked_a_mixture_is_found(tmp_path, monkeypatch):
    """Without locks, of two writers at the same time one is told, and no index stands beside another's data."""
    monkeypatch.setattr(files, 'fcntl', None)
    source, target = together(tmp_path)
    replace = files.replace

    def overtaken(old, new):
        replace(old, new)
        if os.path.basename(new) == 'c':
            write(tmp_path, 'theirs', data=b'theirs')
            replace(os.path.join(str(tmp_path), 'theirs'), new)

    monkeypatch.setattr(files, 'replace', overtaken)
    with pytest.raises(EnvironmentError) as caught:
        move_files(source, target, last='z')
    assert 'somebody else' in caught.value.strerror and caught.value.filename == os.path.join(target, 'z')
    assert tree(target) == {'a': b'new', 'b': b'old', 'c': b'theirs'}


@needs_locks
def test_who_waits_for_a_lock_says_so(tmp_path, caplog):
    """If asked to: what another has may take hours."""
    target, made = str(tmp_path / 'target'), []

    def wait():
        with lock(target, warn=True):
            made.append(1)
    with lock(target, warn=True):
        assert caplog.text == ''
        other = threading.Thread(target=wait)
        other.start()
        while 'another process has %s: this one waits' % target not in caplog.text:
            other.join(0.01)
            assert other.is_alive()
        assert not made
    other.join()
    assert made


@needs_locks
def test_a_directory_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    """It was said that there is none, as the lock beside it could not be made."""
    open_file = os.open

    def refused(path, flags, *mode):
        if flags & os.O_CREAT:
            raise OSError(errno.EACCES, 'Permission denied', path)
        return open_file(path, flags, *mode)
    monkeypatch.setattr(os, 'open', refused)
    with pytest.raises(EnvironmentError) as caught:
        with lock(str(tmp_path / 'target')):
            pass
    assert caught.value.errno == errno.EACCES and caught.value.filename == str(tmp_path / 'target')


# ------------------------------------------------------------------ directories

def directories(tmp_path, *names):
    """Paths of directories, each with a file that has its name."""
    paths = [os.path.join(str(tmp_path), name) for name in names]
    for path in paths:
        os.mkdir(path)
        write(path, os.path.basename(path))
    return paths


def test_a_directory_gets_its_name_and_the_usual_permissions(tmp_path):
    """What it replaces is gone, and others may look into it as into any directory that is made here."""
    target, = directories(tmp_path, 'target')
    for known in (identity(target), None):
        with temporary_directory(target) as partial:
            write(partial, 'new')
            replace_directory(partial, target, known)
        assert tree(tmp_path) == {'target/new': b'new'}
        assert stat.S_IMODE(os.stat(target).st_mode) == stat.S_IMODE(os.stat(directories(tmp_path, 'x')[0]).st_mode)
        for name in ('x', 'target'):
            files.shutil.rmtree(os.path.join(str(tmp_path), name))


@pytest.mark.parametrize('what', ['directory', 'empty directory', 'file', 'link', 'other directory', 'changed'])
def test_what_one_was_not_told_to_replace_stays(tmp_path, what):
    """Whatever has the name at the last moment, and was not there or not so at the first one, is left as it is."""
    new, target = directories(tmp_path, 'new', 'target')
    known = identity(target) if what in ('other directory', 'changed') else None
    if what == 'changed':
        os.utime(target, (1, 1))
    elif what != 'directory':
        os.rename(target, os.path.join(str(tmp_path), 'moved'))
        if what == 'file':
            write(tmp_path, 'target')
        elif what == 'link':
            os.symlink('moved', target)
        else:
            os.mkdir(target)
    if what == 'other directory':
        write(target, 'other')
    before = tree(tmp_path)
    with pytest.raises(EnvironmentError) as caught:
        replace_directory(new, target, known)
    assert caught.value.filename == target and 'left as it is' in caught.value.strerror
    assert tree(tmp_path) == before


def test_a_name_that_is_taken_between_looking_and_renaming_stays(tmp_path, monkeypatch):
    """The rename itself refuses: there is no moment in which one can be replaced unseen."""
    new, = directories(tmp_path, 'new')
    target, lexists = os.path.join(str(tmp_path), 'target'), os.path.lexists

    def taking(path):
        found = lexists(path)
        if path == target and not found:
            directories(tmp_path, 'target')
        return found

    monkeypatch.setattr(os.path, 'lexists', taking)
    with pytest.raises(EnvironmentError) as caught:
        replace_directory(new, target)
    monkeypatch.undo()
    assert 'left as it is' in caught.value.strerror
    assert tree(tmp_path) == {'new/new': b'new', 'target/target': b'target'}


@pytest.mark.parametrize('error', [OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize('step', [0, 1])
def test_a_directory_that_cannot_be_replaced_keeps_its_name(tmp_path, monkeypatch, step, error):
    """Failed or interrupted before the first or between the two renames: the old one is where it was."""
    new, old = directories(tmp_path, 'new', 'old')
    known = identity(old)
    Calls(monkeypatch, ['rename'], step, error)
    with pytest.raises(error):
        replace_directory(new, old, known)
    monkeypatch.undo()
    assert tree(tmp_path) == {'new/new': b'new', 'old/old': b'old'}


def test_an_old_directory_that_cannot_be_put_back_is_not_deleted(tmp_path, monkeypatch):
    """If its name cannot be given back, it stays beside it, and the next writer gives it back."""
    new, old = directories(tmp_path, 'new', 'old')
    rename, known = os.rename, identity(old)

    def once(source, target):
        if target == old:
            raise OSError(errno.EIO, 'no')
        rename(source, target)

    monkeypatch.setattr(os, 'rename', once)
    with pytest.raises(OSError):
        replace_directory(new, old, known)
    monkeypatch.undo()
    assert sorted(tree(tmp_path).values()) == [b'new', b'old'] and not os.path.exists(old)
    if files.fcntl is not None:
        with temporary_directory(old):
            assert tree(old) == {'old': b'old'}


def test_a_directory_contains_what_lies_in_it_by_any_name(tmp_path):
    """By its own name, relative, through links of either, and what is linked to from elsewhere."""
    outer, = directories(tmp_path, 'outer')
    inner = os.path.join(outer, 'inner')
    os.mkdir(inner)
    path = write(inner, 'file')
    assert contains(outer, path) and contains(inner, path) and contains(outer, inner) and contains(outer, outer)
    assert contains(outer, os.path.join(inner, 'not there'))
    assert not contains(inner, outer) and not contains(inner, os.path.join(outer, 'outer'))
    assert not contains(outer, outer + 'x') and not contains(outer + 'x', outer)
    assert contains(os.path.relpath(outer), path) and contains(outer, os.path.relpath(path))
    if hasattr(os, 'symlink'):
        links = [os.path.join(str(tmp_path), name) for name in ('to_outer', 'to_file')]
        for link, place in zip(links, (outer, path)):
            os.symlink(place, link)
        assert contains(links[0], path) and contains(outer, os.path.join(links[0], 'inner', 'file'))
        assert contains(outer, links[1]) and contains(str(tmp_path), links[1])


# ------------------------------------------------------------------ others at the same time

@needs_locks
def test_one_writer_at_a_time(tmp_path):
    """Threads that lock one name exclude each other; locks of two names do not; no lock is left behind."""
    path, inside, most = os.path.join(str(tmp_path), 'file'), [], []

    def work():
        for _ in range(20):
            with lock(path) as locked:
                inside.append(locked)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    with lock(path + '2'):
        for thread in threads:
            thread.join()
    assert most == [1] * 80 and os.listdir(str(tmp_path)) == []


KILLED = '''
import os, sys
from bert4keras import files
target, what = sys.argv[1:]
known = files.identity(target)
with files.temporary_directory(target) as partial:
    os.mkdir(os.path.join(partial, 'half'))
    if what == 'between':
        os.rename, rename = lambda old, new: os._exit(9) if new == target else rename(old, new), os.rename
        files.replace_directory(partial, target, known)
    os._exit(9)
'''


@needs_locks
@pytest.mark.parametrize('what', ['writing', 'between'])
def test_what_a_killed_writer_left_is_tidied_by_the_next(tmp_path, what):
    """Its directory is removed; what it was about to replace has its name again; what is at work is left alone."""
    target, = directories(tmp_path, 'target')
    with temporary_directory(target) as at_work:
        assert subprocess.call([sys.executable, '-c', KILLED, target, what]) == 9
        assert len(os.listdir(str(tmp_path))) > 2 and os.path.exists(target) == (what == 'writing')
        write(tmp_path, '.target.0123456789abcdef.tmpx')
        with temporary_directory(target):
            assert os.path.isdir(at_work)
    assert tree(tmp_path) == {'target/target': b'target', '.target.0123456789abcdef.tmpx':
                              b'.target.0123456789abcdef.tmpx'}
