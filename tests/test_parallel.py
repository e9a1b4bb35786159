# -*- coding: utf-8 -*-
"""parallel_apply: every result, in order if asked; and whatever happens to a worker is an error here, never a hang."""
from __future__ import absolute_import, division, print_function

import gc
import logging
import os
import random
import signal
import threading
import time

import numpy as np
import pytest

from bert4keras.parallel import WorkerError, parallel_apply, parallel_apply_generator

pytestmark = pytest.mark.engine_free
KINDS = pytest.mark.parametrize('dummy', [False, True], ids=['processes', 'threads'])


class OddError(Exception):
    """One that cannot be pickled and made again: its constructor wants two arguments."""

    def __init__(self, first, second):
        super(OddError, self).__init__('%s and %s' % (first, second))


def square(number):
    """The first items take longest, so that results come out of order."""
    time.sleep(0.02 if number < 2 else 0)
    return number * number


@pytest.fixture(autouse=True)
def no_hang():
    """A test that hangs is ended by an alarm, as an error."""
    def stop(*_):
        raise RuntimeError('hangs')
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@KINDS
def test_every_item_has_its_result(dummy):
    """More items than fit into the queue; in their order, or as they come, or one by one to a callback."""
    squares, seen = [number * number for number in range(23)], []
    assert parallel_apply(square, iter(range(23)), 3, 2, dummy=dummy, unordered=False) == squares
    assert sorted(parallel_apply(square, range(23), 3, 2, dummy=dummy)) == squares
    assert parallel_apply(square, range(23), 2, 5, seen.append, dummy, unordered=False) is None
    assert seen == squares
    assert sorted(parallel_apply_generator(square, range(5), 2, 1, dummy)) == list(enumerate(squares[:5]))
    assert parallel_apply(square, [], 2, 1, dummy=dummy) == []


def test_a_slow_item_does_not_hold_up_the_others():
    """As they come: the results of quick items are there before that of the slow first one."""
    def slow_first(number):
        time.sleep(0.3 if number == 0 else 0)
        return number

    assert parallel_apply(slow_first, range(9), 2, 1, dummy=True)[-1] == 0
    assert parallel_apply(slow_first, range(9), 2, 1, dummy=False)[-1] == 0


@KINDS
def test_no_more_items_are_taken_than_asked_for(dummy):
    """Two in work and three in advance, whatever there is: a corpus need not fit into memory."""
    taken = []

    def items():
        for number in range(40):
            taken.append(number)
            yield number

    results = parallel_apply_generator(square, items(), 2, 3, dummy)
    next(results)
    assert len(taken) <= 2 + 3 + 1
    results.close()


@KINDS
def test_what_a_worker_raises_is_raised_with_its_traceback(dummy, caplog):
    """The same class and message, where in the worker, and which item; and it does not hang."""
    def fails(number):
        if number == 3:
            raise KeyError('no such word')
        return number

    with caplog.at_level(logging.ERROR), pytest.raises(KeyError) as caught:
        parallel_apply(fails, range(1000), 2, 4, dummy=dummy)
    assert caught.value.args == ('no such word',)
    for part in ('item 3', 'in fails', "raise KeyError('no such word')"):
        assert part in str(caught.value.__cause__)
    assert hasattr(caught.value, '__traceback__') or 'in fails' in caplog.text


def test_what_cannot_be_handed_over_is_an_error_all_the_same():
    """An exception that cannot be made again is named; a result that cannot be pickled is an error."""
    def fails(number):
        raise OddError('one', 'two')

    with pytest.raises(WorkerError) as caught:
        parallel_apply(fails, range(5), 2, 4)
    assert 'OddError: one and two' in str(caught.value) and 'in fails' in str(caught.value)
    with pytest.raises(Exception) as caught:
        parallel_apply(lambda number: threading.Lock(), range(5), 2, 4)
    assert 'lock' in str(caught.value).lower()
    with pytest.raises(Exception) as caught:
        parallel_apply(square, [threading.Lock()], 2, 4)
    assert 'lock' in str(caught.value).lower()


def test_a_killed_worker_is_an_error():
    """As the kernel kills where memory runs out; the other worker is stopped, though it would sleep."""
    def dies(number):
        if number == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 5:
            time.sleep(60)
        return number

    with pytest.raises(WorkerError) as caught:
        parallel_apply(dies, range(1000), 2, 4)
    assert 'exit code -9' in str(caught.value) and 'item 4' in str(caught.value)


def test_a_killed_worker_whose_own_child_lives_is_an_error():
    """The child holds the connection open: the end of the worker must be seen otherwise."""
    def dies(number):
        if os.fork() == 0:
            time.sleep(3)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(WorkerError):
        parallel_apply(dies, range(5), 1, 4)


class Left(object):
    """Garbage, of a cycle, that only the process that made it may collect: as a session of TensorFlow, see _work."""

    def __init__(self):
        self.itself, self.maker = self, os.getpid()

    def __del__(self):
        if os.getpid() != self.maker:
            os._exit(9)


def litter(number):
    """Makes so many lists that the garbage is collected, were it not for what parallel.py does."""
    return len([[index] for index in range(number)])


def test_a_worker_collects_no_garbage_of_others():
    """It could hang: a session of TensorFlow 1 waits for threads that a fork leaves behind."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        Left()
        assert parallel_apply(litter, [10 ** 5] * 3, 2, 2) == [10 ** 5] * 3
    finally:
        gc.collect()
        if was_enabled:
            gc.enable()


@KINDS
def test_an_error_of_the_iterable_or_the_callback_stops_everything(dummy):
    """It is raised as it is, and no worker is left behind."""
    def items():
        yield 1
        raise LookupError('no more')

    before = threading.active_count()
    with pytest.raises(LookupError):
        parallel_apply(square, items(), 2, 4, dummy=dummy)
    with pytest.raises(ZeroDivisionError):
        parallel_apply(square, range(9), 2, 4, lambda result: 1 // (result - 4), dummy)
    deadline = time.time() + 5
    while threading.active_count() > before and time.time() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_processes_draw_different_random_numbers_or_the_ones_asked_for():
    """Forked processes would all draw the same; a seed for each makes runs equal."""
    def draw(_):
        time.sleep(0.05)  # so that each worker gets one
        return np.random.randint(2 ** 30)

    assert len(set(parallel_apply(draw, range(3), 3, 3))) == 3
    wanted = {np.random.RandomState(seed).randint(2 ** 30) for seed in (7, 8)}
    assert set(parallel_apply(draw, range(2), 2, 2, random_seeds=[7, 8])) == wanted
    assert len(set(parallel_apply(draw, range(2), 2, 2, random_seeds=False))) == 1

    def draw_of_python(_):
        time.sleep(0.05)
        return random.random()

    wanted = {random.Random(seed).random() for seed in (7, 8)}
    assert set(parallel_apply(draw_of_python, range(2), 2, 2, random_seeds=[7, 8])) == wanted


@pytest.mark.parametrize('arguments, part', [
    ({'workers': 0}, 'workers must be at least 1, not 0'), ({'max_queue_size': 0}, 'max_queue_size'),
    ({'random_seeds': [1, 2, 3]}, '3 seeds for 2 workers')])
def test_arguments_out_of_range_are_errors(arguments, part):
    """Before a process starts."""
    with pytest.raises(ValueError) as caught:
        parallel_apply(square, [1], **dict({'workers': 2, 'max_queue_size': 1}, **arguments))
    assert part in str(caught.value)
