# -*- coding: utf-8 -*-
"""What the commands share: the texts they are given, what they print and write, how far they are, and how they stop.

Imports nothing heavy. What a command prints is escaped, so that no name in a file acts on the terminal.
"""
from __future__ import absolute_import, division, print_function

import argparse
import contextlib
import errno
import io
import logging
import os
import re
import signal
import sys
import threading
import warnings

from bert4keras.files import whole_file

__all__ = ['Formatter', 'StopRequest', 'about_stdout', 'given_texts', 'open_output', 'plot_path', 'positive',
           'printable', 'progress_bar', 'quiet_engines', 'read_lines', 'require_stdout', 'say', 'stop_request',
           'to_text', 'write_array']

MAX_LINE = 1 << 28  # bytes, its end included: some 4,000 times the longest text that a model takes


def quiet_engines():
    """Keeps engines from chattering while they start, where the user asked for nothing else."""
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    logging.getLogger('tensorflow').setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.simplefilter('ignore')


def given_texts(args):
    """The texts of the command line or of its --input FILE."""
    if bool(args.texts) == (args.input is not None):
        raise ValueError('give the texts as arguments, or --input FILE: one of the two')
    return args.texts if args.input is None else read_lines(args.input)


def read_lines(path):
    """The lines of a UTF-8 file, or of stdin for "-"; they end at \\n or \\r\\n and nowhere else."""
    if path == '-':
        if sys.stdin is None:
            raise ValueError('stdin is closed, from which --input - reads')
        return list(_texts_of(getattr(sys.stdin, 'buffer', sys.stdin), 'stdin'))
    with io.open(path, 'rb') as stream:
        return list(_texts_of(stream, path))


def _texts_of(stream, name):
    """The lines of an open file as texts; ValueError for one that does not end, as of /dev/zero."""
    for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE + 1), b''), 1):
        if len(line) > MAX_LINE:
            raise ValueError('%s, line %d has more than %d bytes; give one text on each line'
                             % (name, number, MAX_LINE))
        line = line[:-1] if line.endswith(b'\n') else line
        yield to_text(line[:-1] if line.endswith(b'\r') else line, '%s, line %d' % (name, number))


def to_text(data, name):
    """Bytes, or an argument in a locale that could not decode it, as text: it is UTF-8."""
    try:
        data = data if isinstance(data, bytes) else data.encode('utf-8', 'surrogateescape')
        return data.decode('utf-8')
    except UnicodeDecodeError as error:
        raise ValueError('%s is not UTF-8 from its byte %d on; convert it to UTF-8' % (name, error.start))


@contextlib.contextmanager
def open_output(path):
    """A binary stream: stdout for None, else a file that gets its name only once it is complete."""
    if path is None:
        require_stdout()
        yield _Stdout()
    else:
        with whole_file(path) as stream:
            yield stream


@contextlib.contextmanager
def progress_bar(total, note=None, **options):
    """A function to report progress to, which draws after 2 s; None where nobody looks.

    Args:
        total: int, of what is reported; the time left is drawn, too.
        note: None, or a function that returns what is drawn at the end.
        **options: tqdm's.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm
    with tqdm(total=total, delay=2, leave=False, **dict({'unit': ' texts'}, **options)) as bar:
        def update(count):
            if note is not None:
                bar.set_postfix_str(note(), refresh=False)
            bar.update(count)
        yield update


def write_array(stream, array):
    """Writes an array as .npy to a binary stream."""
    import numpy as np
    np.lib.format.write_array(_Writer(stream), array)  # of a real file it would not say what went wrong


class _Writer(object):
    """A stream that can do nothing but write."""

    def __init__(self, stream):
        self.write = stream.write


class _Stdout(object):
    """stdout, for bytes."""

    def write(self, data):
        with about_stdout():
            getattr(sys.stdout, 'buffer', sys.stdout).write(data)


def require_stdout():
    """An error where stdout is closed: what is written would be lost without a word."""
    if sys.stdout is None:
        raise IOError(errno.EBADF, 'is closed', 'stdout')


@contextlib.contextmanager
def about_stdout():
    """Errors of the system say that it is stdout that cannot be written."""
    try:
        yield
    except EnvironmentError as problem:
        problem.filename = problem.filename or 'stdout'
        raise


# What a terminal acts on instead of showing it: controls but tab and line feed, and what turns the direction of text.
CONTROLS = re.compile(u'[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]')


def printable(text):
    """Text, with what a terminal would act on escaped; names in a file may hold anything."""
    text = text.decode('utf-8', 'replace') if isinstance(text, bytes) else text  # Python 2
    return CONTROLS.sub(lambda found: found.group().encode('unicode_escape').decode('ascii'), text)


class Formatter(logging.Formatter):
    """Warnings, as a terminal can show them."""

    def format(self, record):
        line = printable(super(Formatter, self).format(record))
        return line.encode('utf-8') if str is bytes else line


def say(text, stream=None):
    """Prints a line, at once; what the stream's encoding lacks, or a terminal would act on, is escaped."""
    if stream is None:
        require_stdout()
    stream, text = stream or sys.stdout, printable(text)
    encoding = getattr(stream, 'encoding', None) or 'utf-8'
    line = (text + '\n').encode(encoding, 'backslashreplace')
    with about_stdout():
        stream.write(line if str is bytes else line.decode(encoding))
        stream.flush()


def plot_path(text):
    """An argument that names a picture to write."""
    if not text.endswith('.png'):
        raise argparse.ArgumentTypeError('%s does not end in .png' % text)
    if not os.path.isdir(os.path.dirname(text) or '.'):
        raise argparse.ArgumentTypeError('%s is in a directory that does not exist' % text)
    return text


def positive(text):
    """An argument that is a whole number above 0."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


# ------------------------------------------------------------------ stopping in good order

class StopRequest(object):
    """Whether somebody asked the process to end: Ctrl-C, SIGTERM or SIGHUP. Call it to know.

    Attributes:
        number: int, the signal, or None.
    """

    number = None

    def __call__(self):
        return self.number is not None

    def obey(self):
        """Ends the process as the signal would have, if there was one."""
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is not None:
            raise SystemExit(128 + self.number)


@contextlib.contextmanager
def stop_request():
    """A context in which a StopRequest, which it gives, takes the first signal to end; the next one ends at once."""
    request, before = StopRequest(), {}

    def remember(number, frame):
        request.number = number
        restore()

    def restore():
        while before:
            signal.signal(*before.popitem())

    if threading.current_thread().name == 'MainThread':  # nobody else may ask for signals
        for name in ('SIGINT', 'SIGTERM', 'SIGHUP'):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (None, signal.SIG_IGN):
                before[number] = signal.signal(number, remember)
    try:
        yield request
    finally:
        restore()
