# -*- coding: utf-8 -*-
"""A function applied to many items by processes or threads; what goes wrong in one of them is raised here.

Each worker has a thread of this process, which hands it one item at a time and waits for the answer. So
nothing is shared between workers that one of them could take to its grave, and a worker that is gone
is noticed by the thread that waits for it.
"""
from __future__ import absolute_import, division, print_function

import contextlib
import copy
import gc
import logging
import multiprocessing
import random
import signal
import threading
import traceback

import numpy as np

from bert4keras.compat import queue

__all__ = ['WorkerError', 'parallel_apply', 'parallel_apply_generator']

logger = logging.getLogger(__name__)


class WorkerError(RuntimeError):
    """A worker died, or what it raised cannot be handed over; also the cause of errors raised in a worker."""


def parallel_apply(func, iterable, workers, max_queue_size, callback=None, dummy=False, random_seeds=True,
                   unordered=True):
    """Applies a function to each item, several at a time.

    Args:
        func: function of one item. In processes it must not use the engine of a model, and where the
            platform starts them afresh (Windows, macOS, Python 3.14) it must be importable.
        iterable: the items, any number; taken as workers become free.
        workers: int, number of processes or threads.
        max_queue_size: int, how many items beyond those in work are taken from `iterable` in advance.
        callback: None, or a function that gets each result, here in this process; nothing is collected then.
        dummy: True for threads, which help where `func` waits; False for processes.
        random_seeds: for processes: True for seeds of their own from the operating system, a list of one
            int for each, or False for the state that they inherit. It seeds `numpy.random` and `random`.
        unordered: False for results in the order of the items, True as they come.

    Returns:
        list of results, or None with a callback.

    Raises:
        whatever `func`, `iterable` or the callback raises; what `func` raised says where in its cause (on
        Python 2, in the log). WorkerError: a worker was killed. The other workers are stopped.
        ValueError: an argument out of range.
    """
    pairs = parallel_apply_generator(func, iterable, workers, max_queue_size, dummy, random_seeds)
    results = []
    with contextlib.closing(pairs):
        for _, result in pairs if unordered else _in_order(pairs):
            (results.append if callback is None else callback)(result)
    return results if callback is None else None


def parallel_apply_generator(func, iterable, workers, max_queue_size, dummy=False, random_seeds=True):
    """As `parallel_apply`, but yields (position of the item, result) as results come."""
    for name, value in (('workers', workers), ('max_queue_size', max_queue_size)):
        if value < 1:
            raise ValueError('%s must be at least 1, not %r' % (name, value))
    if random_seeds is True:
        random_seeds = np.random.RandomState().randint(2 ** 31 - 1, size=workers).tolist()
    seeds = list(random_seeds or [None] * workers)
    if len(seeds) != workers:
        raise ValueError('random_seeds has %d seeds for %d workers' % (len(seeds), workers))
    return _apply(func, iterable, workers, max_queue_size, dummy, seeds)


def _apply(func, iterable, workers, max_queue_size, dummy, seeds):
    """The generator behind `parallel_apply_generator`."""
    processes, tasks, answers, waiting = [], queue.Queue(), queue.Queue(), 0
    if not dummy:
        for seed in seeds:  # all before the first thread: a process should not be forked beside one
            processes.append(_Process(func, seed, [process.connection for process in processes]))
    threads = [threading.Thread(target=_serve, args=(call, tasks, answers)) for call in processes or [func] * workers]
    for thread in threads:
        thread.daemon = True
        thread.start()
    try:
        for index, item in enumerate(iterable):
            while waiting and (waiting >= workers + max_queue_size or not answers.empty()):
                yield _result(answers.get())
                waiting -= 1
            tasks.put((index, item))
            waiting += 1
        while waiting:
            yield _result(answers.get())
            waiting -= 1
    finally:
        _stop(threads, processes, tasks, at_once=waiting > 0)


def _serve(call, tasks, answers):
    """What a thread does: (index, item) from the one queue, (index, result, error, traceback) into the other."""
    for index, item in iter(tasks.get, None):
        try:
            answers.put((index, call(item), None, None))
        except BaseException as error:
            answers.put((index, None, error, getattr(error, 'worker_traceback', None) or traceback.format_exc()))


def _result(answer):
    """The (index, result) of an answer; raises its error."""
    index, result, error, text = answer
    if error is None:
        return index, result
    if not isinstance(error, WorkerError):
        error.__cause__ = WorkerError('item %d (counted from 0), in a worker:\n%s' % (index, text))
        if not hasattr(error, '__traceback__'):  # Python 2 shows no causes
            logger.error('%s', error.__cause__)
    raise error


def _stop(threads, processes, tasks, at_once):
    """Ends the workers; at_once, whatever they are doing, except that a thread cannot be ended by force."""
    while True:
        try:
            tasks.get_nowait()  # a thread may take what `empty` has seen, and `get` would wait for ever
        except queue.Empty:
            break
    for process in processes if at_once else ():
        process.terminate()
    for _ in threads:
        tasks.put(None)
    for thread in threads if processes or not at_once else ():
        thread.join()
    for process in processes:
        process.close()


def _in_order(pairs):
    """(index, result) pairs in the order of their indices, each as soon as it can be."""
    early, wanted = {}, 0
    for index, result in pairs:
        early[index] = result
        while wanted in early:
            yield wanted, early.pop(wanted)
            wanted += 1


class _Process(object):
    """A process that applies a function to one item after the other; calling this does it to one.

    Args:
        func, seed: see `_work`.
        others: connections to earlier processes, which a forked one inherits and closes: they would
            not see this process end as long as somebody else holds them.
    """

    def __init__(self, func, seed, others):
        self.connection, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_work, args=(func, theirs, seed, others + [self.connection]))
        self.process.daemon = True
        with _no_collection():
            self.process.start()
        theirs.close()

    def __call__(self, item):
        try:
            self.connection.send(item)
            while not self.connection.poll(0.2):  # a child of the worker may hold its end open
                if not self.process.is_alive() and not self.connection.poll():
                    raise EOFError
            result, error, text = self.connection.recv()
        except (EOFError, IOError, OSError):
            self.process.join(5)
            raise WorkerError('a worker process died (exit code %s; -9 is that of one that was killed, maybe because '
                              'memory ran out) at the item %.80r' % (self.process.exitcode, item))
        if error is not None:
            error.worker_traceback = text
            raise error
        return result

    def terminate(self):
        self.process.terminate()

    def close(self):
        """Lets the process end, which waits for nothing but an item."""
        self.connection.close()
        self.process.join(5)


@contextlib.contextmanager
def _no_collection():
    """A context without garbage collection.

    A forked process inherits what nobody needs any more. To collect a session of TensorFlow there would be to wait for
    its threads, which a fork leaves behind: for ever.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _work(func, connection, seed, others):
    """What a process does, until the other end of its connection is closed."""
    if hasattr(gc, 'freeze'):  # without it, before Python 3.7, nothing is collected here, see `_no_collection`
        gc.freeze()
        gc.enable()
    for other in others:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    if seed is not None:
        np.random.seed(seed)
        random.seed(seed)
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            connection.send((func(item), None, None))
        except Exception as error:
            text = traceback.format_exc()
            try:
                connection.send((None, copy.copy(error), text))  # copying fails where unpickling would
            except Exception:
                connection.send((None, WorkerError('%s: %s\n%s' % (type(error).__name__, error, text)), text))
