# -*- coding: utf-8 -*-
"""A contender's process, from both sides.

It says on a pipe, in lines of JSON, what making the model and doing the work for the first time took; then, for each
line "N" that it reads, how long N more times took; it ends with its input.
"""
from __future__ import absolute_import, division, print_function

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

from benchmarks.contenders import CONTENDERS, describe, read_job

__all__ = ['Failed', 'Process', 'memory']

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
THREADS = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS', 'RAYON_NUM_THREADS')
# With these glibc keeps what is freed, in one arena, for what comes next. Otherwise large arrays, and those of threads
# above all, go back to the system, which clears each page when it gives it out again.
KEEP_MEMORY = {'MALLOC_ARENA_MAX': '1', 'MALLOC_MMAP_THRESHOLD_': '100000000000',
               'MALLOC_TRIM_THRESHOLD_': '100000000000'}
# of the path, first the folders of a peer, as 0.11.5 has this project's name
START = 'import sys; sys.path[:1] = sys.argv[4:]; from benchmarks.process import main; main(*sys.argv[1:4])'


class Failed(Exception):
    """A contender that did not do its work: what it said last."""


def memory(pid='self'):
    """RssAnon of a process, in bytes: what it has for itself, files that are mapped not among it."""
    with open('/proc/%s/status' % pid) as stream:
        return next(int(line.split()[1]) * 1024 for line in stream if line.startswith('RssAnon'))


def device_peak():
    """The most bytes of a GPU that the engine of this process had for arrays; None without one."""
    found = []
    if 'torch' in sys.modules and sys.modules['torch'].cuda.is_available():
        found.append(sys.modules['torch'].cuda.max_memory_allocated())
    if 'jax' in sys.modules:
        found.append((sys.modules['jax'].devices()[0].memory_stats() or {}).get('peak_bytes_in_use', 0))
    return max(found + [0]) or None


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
        folders: list of paths where it finds modules before it finds others.

    Attributes:
        first: dict, see `ready`: seconds, cpu_seconds, amount, imported_cpu_seconds, made_seconds, made_cpu_seconds,
            peak, memory, device_peak, versions; in bytes the most that it took until then, and what it took then.
        rounds: list of dicts: seconds and cpu_seconds of one time, means over a round; `amount`, what was done in one
            time, if the work says so; `peak`, the most bytes that it took meanwhile, more than with the model alone.
    """

    def __init__(self, contender, job, cores=None, python=sys.executable, folders=()):
        self.contender, self.job, self.first, self.rounds = contender, job, None, []
        self.log = tempfile.TemporaryFile()
        path = os.path.join(job['directory'], contender.name + '.json')
        with open(path, 'w') as stream:
            json.dump(job, stream)
        environment = dict(os.environ, JAX_TRACEBACK_FILTERING='off', TF_CPP_MIN_LOG_LEVEL='3')
        environment.update((key, value.format(directory=job['directory']))
                           for key, value in contender.environment.items())
        if job['device'] == 'cpu':  # where there is a GPU, JAX and PyTorch would take it unasked
            environment.update(CUDA_VISIBLE_DEVICES='', JAX_PLATFORMS='cpu')
        else:  # JAX would take three quarters of the memory, and round float32 to TF32, which PyTorch does not
            environment.update(XLA_PYTHON_CLIENT_PREALLOCATE='false', JAX_DEFAULT_MATMUL_PRECISION='highest')
        environment.update(KEEP_MEMORY if job.get('keep_memory') else {})
        if cores is not None:
            environment.update((name, str(len(cores))) for name in THREADS)
        reading, writing = os.pipe()
        self.process = subprocess.Popen(
            [python, '-c', START, contender.name, path, str(writing)] + list(folders) + [ROOT], cwd=ROOT,
            env=environment, stdin=subprocess.PIPE, stdout=self.log, stderr=subprocess.STDOUT, pass_fds=[writing],
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None)
        os.close(writing)
        self.answers = os.fdopen(reading)

    def ready(self):
        """Waits until the model is made and has done its work once; Failed if it ended."""
        self.first = self._answer()

    def _answer(self):
        line = self.answers.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            said = self.log.read().decode('utf-8', 'replace').strip().splitlines() or ['nothing']
            raise Failed('it ended with %d and said: %s' % (self.process.returncode, ' | '.join(said[-3:])))
        return json.loads(line)

    def run(self, times):
        """Does the work so many times; Failed if it ended."""
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            self.process.stdin.write(b'%d\n' % times)
            self.process.stdin.flush()
        self.rounds.append(self._answer())

    def output(self):
        """What it computed, float32 [B, T, D], or None."""
        path = os.path.join(self.job['directory'], self.contender.name + '.npy')
        return np.load(path) if os.path.exists(path) else None

    def end(self):
        """Has it end."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.answers.close()
        self.log.close()


class Timer(object):
    """Seconds, and processor seconds of all threads and of the processes that ended, since it was made."""

    def __init__(self):
        self.wall, self.cpu, self.amount = time.time(), cpu_seconds(), None

    def add(self, done):
        """Notes what the work returned: how much was done, if it is an int."""
        if isinstance(done, int):
            self.amount = done + (self.amount or 0)

    def read(self, times=1):
        """{'seconds', 'cpu_seconds', 'amount'} of one of so many times."""
        return {'seconds': (time.time() - self.wall) / times, 'cpu_seconds': (cpu_seconds() - self.cpu) / times,
                'amount': self.amount and self.amount / times}


def cpu_seconds():
    """The processor seconds of this process, and of those which it started and which ended."""
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + others.ru_utime + others.ru_stime


def main(name, path, pipe):
    """What the contender's process does."""
    contender, job = CONTENDERS[name], read_job(path)
    with os.fdopen(int(pipe), 'w') as answers:
        def say(answer):
            answers.write(json.dumps(answer) + '\n')
            answers.flush()
        make = contender.tasks[job['name']](job)
        before, peak, making = memory(), Peak(), Timer()
        peak.start()
        imported = making.cpu
        work, output = make()
        made, loaded, doing = making.read(), memory(), Timer()
        if job['task'] == 'load':  # what was made is the work; it is not kept
            work = make
        else:
            doing.add(work())
        first = dict(doing.read(), imported_cpu_seconds=imported)
        checked = job['task'] == 'tokenize'  # after each time, as each has other lines
        if output is not None and not checked:
            np.save(os.path.join(job['directory'], name + '.npy'), output())
        most = max(peak.stop() - before, of_children() if job['task'] == 'corpus' else 0)
        say(dict(first, made_seconds=made['seconds'], made_cpu_seconds=made['cpu_seconds'], peak=most,
                 memory=memory() - before, versions=describe(contender),
                 device_peak=device_peak() if job['device'] == 'gpu' else None))
        for line in sys.stdin:
            peak, timer = Peak(), Timer()
            if job['name'] == 'memory':
                peak.start()
            for _ in range(int(line)):
                timer.add(work())
            answer = timer.read(int(line))
            if job['name'] == 'memory':
                answer['peak'] = peak.stop() - loaded
            say(dict(answer, sums=output() if checked else None))


def of_children():
    """The most bytes of memory that a process which this one started, and which ended, took."""
    return 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
