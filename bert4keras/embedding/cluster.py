# -*- coding: utf-8 -*-
"""The shards of vectors, made by the actors of Ray Data: the same files, by as many machines as the cluster has.

    bert4keras embed MODEL --input 'texts/*.jsonl' --output vectors/ --ray          on this machine
    RAY_ADDRESS=10.0.0.1:6379 bert4keras embed ... --ray 16                         16 actors of a cluster

The process that starts it reads the texts once, to find what belongs into each shard. What goes through Ray is where
that is, not the texts: an actor, which loads the model once, reads them again, computes one shard at a time, and writes
it itself. So model, texts and output are files that all machines have under the same names; a .gz is decompressed
from its beginning for each shard. An actor that is gone is started again, with the shard that it had: a shard is whole
or absent, and its bytes do not depend on who made it.
"""
from __future__ import absolute_import, division, print_function

import itertools
import json
import logging
import os

from bert4keras.embedding.texts import texts_from
from bert4keras.errors import CorpusError
from bert4keras.which_keras import ENVIRONMENT

__all__ = ['check_ray', 'locate', 'make_shards', 'read_located']


def check_ray():
    """Ray with Ray Data; an ImportError that says what to install, before any work."""
    try:
        import ray
        import ray.data
        return ray
    except ImportError as error:
        raise ImportError('--ray needs Ray Data, which needs Python 3.10 or later: pip install "bert4keras[ray]" (%s)'
                          % error)


def locate(records):
    """Where Texts are: [[path, byte of the first, its line, how many], ...], for `read_located`."""
    parts = []
    for path, group in itertools.groupby(records, key=lambda record: record.path):
        group = list(group)
        parts.append([os.path.abspath(path), group[0].start, group[0].line, len(group), path])
    return parts


def read_located(parts, field, id_field):
    """The list of Texts that `locate` told of."""
    records = []
    for path, start, line, count, name in parts:
        records += itertools.islice(texts_from(path, field, id_field, start, line, name), count)
    return records


def make_shards(writer, shards, done, actors=0):
    """Makes the shards that are not there.

    Args:
        writer: `corpus._Shards`.
        shards: iterable of (list of Texts, bytes of files that they took), see `corpus._cut`.
        done: whether the directory is finished, so that nothing may be made.
        actors: int, how many; 0 for one for each GPU that Ray has, or each CPU.

    Returns:
        list of the shards' headers. The tokens that were computed are added to the embedder's.

    Raises:
        CorpusError: a text that cannot be embedded, file and line.
    """
    ray, headers, tasks, sizes = check_ray(), [], [], {}
    for index, (records, size) in enumerate(shards):
        digest, header = writer.look(index, records, size, done)
        headers.append(header)
        if header is None:
            tasks.append({'index': index, 'digest': digest, 'parts': locate(records)})
            sizes[index] = size
    for found in _run(ray, writer, tasks, actors) if tasks else ():
        if 'error' in found:
            raise CorpusError(found['error'])
        headers[found['index']] = found['header']
        writer.embedder.tokens += found['tokens']
        writer.progress(sizes[found['index']])
    return headers


def _run(ray, writer, tasks, actors):
    """Yields what a `_Worker` returns of each task, in any order."""
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    is_ours = not ray.is_initialized()
    if is_ours:
        here = {} if os.environ.get('RAY_ADDRESS') else {'include_dashboard': False, '_node_ip_address': '127.0.0.1'}
        variables = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        ray.init(log_to_driver=False, logging_level='error', runtime_env={'env_vars': variables}, **here)
    try:
        logging.getLogger('ray').setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        resources = ray.cluster_resources()
        device = 'num_gpus' if resources.get('GPU') else 'num_cpus'
        actors = min(actors or int(resources.get('GPU') or resources.get('CPU') or 1), len(tasks))
        rows = ray.data.from_items([{'task': json.dumps(task)} for task in tasks], override_num_blocks=len(tasks))
        made = rows.map_batches(
            _Worker, batch_size=1, batch_format='numpy', compute=ray.data.ActorPoolStrategy(size=actors),
            fn_constructor_args=(type(writer), type(writer.embedder), os.path.abspath(writer.embedder.path),
                                 '+'.join(writer.embedder.poolings), writer.embedder.precision, writer.output,
                                 writer.settings, writer.options),
            **{device: 1})
        for row in made.iter_rows():
            yield json.loads(row['found'])
    finally:
        if is_ours:
            ray.shutdown()


class _Worker(object):
    """What an actor does, with a model of its own."""

    def __init__(self, writer, embedder, path, pooling, precision, output, settings, options):
        self.writer = writer(embedder(path, pooling, precision), output, settings, options, lambda size: None)

    def __call__(self, batch):
        return {'found': [json.dumps(self.make(json.loads(str(task)))) for task in batch['task']]}

    def make(self, task):
        """Makes a shard; {index, header, tokens}, or {error: message}."""
        settings, before = self.writer.settings, self.writer.embedder.tokens
        try:
            records = read_located(task['parts'], settings['field'], settings['id_field'])
            digest, header = self.writer.look(task['index'], records, 0, False)
            if digest != task['digest']:
                raise CorpusError('the texts of shard %d, from %s, line %d on, changed meanwhile; start again'
                                  % (task['index'], task['parts'][0][4], task['parts'][0][2]))
            header = header or self.writer.make(task['index'], records, 0, digest)
        except CorpusError as error:
            return {'error': '%s' % error}
        return {'index': task['index'], 'header': header, 'tokens': self.writer.embedder.tokens - before}
