# -*- coding: utf-8 -*-
"""The shards of a corpus, made by an Apache Beam pipeline: the same bytes, by as many machines as its runner has.

    bert4keras corpus books/*.txt --vocab vocab.txt --output /shared/corpus --runner flink -- --flink_master host:8081

The process that starts the pipeline reads the text once, to find where blocks begin. What goes through the pipeline
is where each block is, not its text; each worker reads that and writes the shard itself. So text and output are files
that all machines have under the same names. A runner may do a task again, or twice at the same time: a shard is whole
or absent, and its bytes do not depend on who made it. A .gz is decompressed from its beginning for each block.
Beam's direct runner with several processes says when one of them was killed, but then waits for ever: stop it, and
run the same command again.
"""
from __future__ import absolute_import, division, print_function

import collections
import os

from bert4keras.errors import CorpusError
from bert4keras.pretraining.documents import Block, read_again
from bert4keras.text_files import STDIN

__all__ = ['runner']

# a Block without its text: the Parts have no data, but its `sizes`; `digest` is that of the text
Task = collections.namedtuple('Task', 'index parts sizes documents digest')


def runner(name, options=()):
    """The function of (function of a (Block, digest), iterable of these) that applies the one to the others.

    It yields (position, what the function's method `header` says of the index of that block).

    Args:
        name: of a runner of Apache Beam, such as 'direct' or 'flink', or module.Class.
        options: list of str, of that runner's and Beam's options, such as '--direct_num_workers=2'.

    Raises:
        ImportError: Apache Beam is not installed. ValueError: no such runner.
    """
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
        from apache_beam.runners.runner import create_runner
    except ImportError as error:
        raise ImportError('the runner %s needs Apache Beam, which needs Python 3.10 or later: pip install '
                          '"bert4keras[beam]" (%s)' % (name, error))
    try:
        made = create_runner(name)
    except (ImportError, RuntimeError, ValueError) as error:
        raise ValueError('runner is %r: %s' % (name, error))

    def apply(shards, tasks):
        found = [_located(*task) for task in tasks]
        if found:
            try:
                with apache_beam.Pipeline(made, PipelineOptions(list(options))) as pipeline:
                    _ = (pipeline | apache_beam.Create(found) | apache_beam.Reshuffle()
                         | apache_beam.Map(_Worker(shards)))
            except Exception as error:  # whatever the runner makes of what a worker raised: a traceback, perhaps
                reason = (str(error).strip() or repr(error)).splitlines()[-1]
                raise CorpusError('the pipeline of the runner %s failed: %s. The shards that are finished stay: run it '
                                  'again' % (name, reason))
        for number, task in enumerate(found):
            header = shards.header(task.index)
            if header is None or (header['text'], header['options']) != (task.digest, shards.options):
                raise CorpusError('the runner %s is done, but shard %d is not in %s; do all its workers have that '
                                  'directory?' % (name, task.index, shards.output))
            yield number, header

    return apply


def _located(block, digest):
    """The Task of a Block."""
    if any(part.name == STDIN for part in block.parts):
        raise CorpusError('stdin cannot be read by several machines; give files to a runner')
    parts = [part._replace(name=os.path.abspath(part.name), data=b'') for part in block.parts]
    return Task(block.index, parts, [len(part.data) for part in block.parts], block.documents, digest)


class _Worker(object):
    """Makes the shard of a Task, on whatever machine."""

    def __init__(self, shards):
        self.shards = shards

    def __call__(self, task):
        parts = [read_again(part, size) for part, size in zip(task.parts, task.sizes)]
        block = Block(task.index, parts, task.documents, 0, False)
        if block.digest() != task.digest:
            raise CorpusError('%r is not what it was when the pipeline began; leave the text as it is' % block)
        self.shards((block, task.digest))
