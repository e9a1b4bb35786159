# -*- coding: utf-8 -*-
"""A contender's process, from both sides.

    python -m benchmarks.process NAME JOB.json

It says on a pipe, in lines of JSON, what making the model and doing the work for the first time took; then, for each
line "N" that it reads, how long N more times took; it ends with its input.
"""
from __future__ import absolute_import, division, print_function

import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

from benchmarks.contenders import CONTENDERS, describe, read_job

__all__ = ['Failed', 'Process', 'memory']

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
THREADS = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS')


class Failed(Exception):
    """A contender that did not do its work: what it said last."""


def memory(pid='self'):
    """RssAnon of a process, in bytes: what it has for itself, files that are mapped not among it."""
    with open('/proc/%s/status' % pid) as stream:
        return next(int(line.split()[1]) * 1024 for line in stream if line.startswith('RssAnon'))


class Peak(threading.Thread):
    """Looks at the memory every 5 ms, until `stop` is called."""

    def __init__(self):
        super(Peak, self).__init__()
        self.daemon, self.running, self.most = True, True, 0

    def run(self):
        while self.running:
            self.most = max(self.most, memory())
            time.sleep(0.005)

    def stop(self):
        """The most that was seen."""
        self.running = False
        self.join()
        return max(self.most, memory())


class Process(object):
    """A contender at work.

    Args:
        contender: Contender.
        job: dict, see contenders.py.
        cores: a set of numbers of the cores that it may use, or None for all.
        python: path of the interpreter that it runs in.

    Attributes:
        first: dict: seconds, cpu_seconds, made_seconds, made_cpu_seconds, peak, memory, versions, difference.
        rounds: list of dicts: seconds and cpu_seconds of one time, means over a round.

    Raises:
        Failed: it ended.
    """

    def __init__(self, contender, job, cores=None, python=sys.executable):
        self.contender, self.job, self.rounds = contender, job, []
        self.log = tempfile.TemporaryFile()
        path = os.path.join(job['directory'], contender.name + '.json')
        with open(path, 'w') as stream:
            json.dump(job, stream)
        environment = dict(os.environ, PYTHONPATH=ROOT, **contender.environment)
        if job['device'] == 'cpu':  # where there is a GPU, JAX and PyTorch would take it unasked
            environment.update(CUDA_VISIBLE_DEVICES='', JAX_PLATFORMS='cpu')
        if cores is not None:
            environment.update((name, str(len(cores))) for name in THREADS)
        reading, writing = os.pipe()
        self.process = subprocess.Popen(
            [python, '-m', 'benchmarks.process', contender.name, path, str(writing)], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=self.log, stderr=subprocess.STDOUT, pass_fds=[writing],
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None)
        os.close(writing)
        self.answers = os.fdopen(reading)
        self.first = self._answer()

    def _answer(self):
        line = self.answers.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            said = self.log.read().decode('utf-8', 'replace').strip().splitlines() or ['nothing']
            raise Failed('%s ended with %d and said: %s' % (self.contender.name, self.process.returncode, said[-1]))
        return json.loads(line)

    def run(self, times):
        """Does the work so many times."""
        self.process.stdin.write(b'%d\n' % times)
        self.process.stdin.flush()
        self.rounds.append(self._answer())

    def output(self):
        """What it computed, float32 [B, T, D], or None."""
        path = os.path.join(self.job['directory'], self.contender.name + '.npy')
        return np.load(path) if os.path.exists(path) else None

    def end(self):
        """Has it end."""
        self.process.stdin.close()
        self.process.wait()
        self.answers.close()
        self.log.close()


class Timer(object):
    """Seconds, and processor seconds of all threads, since it was made."""

    def __init__(self):
        self.wall, self.cpu = time.time(), time.process_time()

    def read(self, times=1):
        """{'seconds', 'cpu_seconds'} of one of so many times."""
        return {'seconds': (time.time() - self.wall) / times, 'cpu_seconds': (time.process_time() - self.cpu) / times}


def main(name, path, pipe):
    """What the contender's process does."""
    contender, job = CONTENDERS[name], read_job(path)
    with os.fdopen(int(pipe), 'w') as answers:
        def say(answer):
            answers.write(json.dumps(answer) + '\n')
            answers.flush()
        make = contender.prepare(job)
        before, peak, making = memory(), Peak(), Timer()
        peak.start()
        work, output = make()
        made, doing = making.read(), Timer()
        if job['task'] == 'load':  # what was made is the work; it is not kept
            work = make
        else:
            work()
        first = doing.read()
        if output is not None:
            np.save(os.path.join(job['directory'], name + '.npy'), output())
        say(dict(first, made_seconds=made['seconds'], made_cpu_seconds=made['cpu_seconds'],
                 peak=peak.stop() - before, memory=memory() - before, versions=describe(contender)))
        for line in sys.stdin:
            timer = Timer()
            for _ in range(int(line)):
                work()
            say(timer.read(int(line)))


if __name__ == '__main__':
    main(*sys.argv[1:])
