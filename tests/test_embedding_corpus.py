# -*- coding: utf-8 -*-
"""The vectors of many texts in files: which bytes, with which ids, and what happens when a run ends in the middle."""
from __future__ import absolute_import, division, print_function

import gzip
import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from bert4keras.embedding import corpus
from bert4keras.errors import CorpusError, TextError
from tests.helpers.folders import content

pytestmark = pytest.mark.engine_free
TEXTS = [u'a', u'', u'bb ccc', u'\u4e2d\u6587', u'd' * 9, u'e', u'f\u2028g', u'h', u'i', u'jj']


class FakeEmbedder(object):
    """The vector of a text is its length and the codes of its ends; no engine."""

    poolings, max_length = ('mean',), 8

    def __init__(self, model='x', precision='float32'):
        self.model, self.tokens, self.calls, self.precision = model, 0, [], precision

    def fingerprint(self):
        """Stands for the files of the model."""
        return self.model

    def find_prompt(self, name=None, prompt=None):
        """As Embedder's."""
        return prompt or ''

    def encode(self, texts, progress=None, on_cut=None, **options):
        """As Embedder's; a text of 8 letters and more is cut, "?" is refused, "nan" is no number."""
        self.calls.append((len(texts), options))
        if u'?' in texts:
            raise TextError(texts.index(u'?'), 'has 99 tokens')
        on_cut(sum(len(text) > 8 for text in texts))
        for text in texts:
            self.tokens += len(text) + 2
            progress(1)
        return np.array([[len(text), ord(text[0]) if text else -1, np.nan if text == u'nan' else 0.5]
                         for text in texts], 'float32')


def write(path, lines, opened=io.open):
    """Writes lines of UTF-8; returns the path."""
    with opened(str(path), 'wb') as stream:
        stream.write(u''.join(line + u'\n' for line in lines).encode('utf-8'))
    return str(path)


def records(texts=TEXTS, start=100):
    """Lines of .jsonl, each with an id."""
    return [u'%s' % json.dumps({'n': start + index, 'body': text}) for index, text in enumerate(texts)]


def test_vectors_and_ids_in_shards(tmp_path):
    """Files in the order of their names; 4 rows a shard, over the ends of files; each id beside its vector."""
    write(tmp_path / 'a.jsonl', records(TEXTS[:3]) + [u''])
    write(tmp_path / 'b.jsonl.gz', records(TEXTS[3:], 103), gzip.open)
    done, embedder = [], FakeEmbedder()
    made = corpus.embed_corpus(embedder, [str(tmp_path / '*.jsonl*')], str(tmp_path / 'v'), 'body', 'n', rows=4,
                               progress=done.append, batch_size=3, dimensions=2)
    assert (made['rows'], made['shards'], made['width'], made['cut']) == (10, 3, 3, 1)
    assert made['tokens'] == sum(map(len, TEXTS)) + 20
    assert embedder.calls == [(size, {'batch_size': 3, 'dimensions': 2}) for size in (4, 4, 2)]
    assert sorted(os.listdir(str(tmp_path / 'v'))) == sorted(
        ['vectors.json'] + ['vectors-0000%d.%s' % (index, end) for index in range(3)
                            for end in ('npy', 'json', 'ids.jsonl')])
    found = list(corpus.read_vectors(str(tmp_path / 'v')))
    assert [ids for ids, _ in found] == [[100, 101, 102, 103], [104, 105, 106, 107], [108, 109]]
    vectors = np.concatenate([array for _, array in found])
    assert vectors.dtype == np.float32 and vectors[:, 0].tolist() == [len(text) for text in TEXTS]
    assert sum(done) == sum(os.path.getsize(str(tmp_path / name)) for name in ('a.jsonl', 'b.jsonl.gz')) - 1


def test_plain_text_has_file_and_line_for_an_id(tmp_path):
    """A text a line, an empty one too; lines end at line feeds, with or without a carriage return."""
    path = str(tmp_path / 'a.txt')
    with io.open(path, 'wb') as stream:
        stream.write(u'a\u2028b\r\n\nc'.encode('utf-8'))
    corpus.embed_corpus(FakeEmbedder(), [path], str(tmp_path / 'v'))
    (ids, vectors), = corpus.read_vectors(str(tmp_path / 'v'))
    assert ids == [path + ':1', path + ':2', path + ':3'] and vectors[:, 0].tolist() == [3, 0, 1]


KILLED = '''
import os, signal, sys
from bert4keras.embedding import corpus
from tests.test_embedding_corpus import FakeEmbedder
left = int(sys.argv[3])
moved = corpus.move_files
def encode(self, texts, **options):
    if len(self.calls) == left and sys.argv[4] == 'computing':
        os.kill(os.getpid(), signal.SIGKILL)
    return FakeEmbedder.encode(self, texts, **options)
def move(source, target, last):
    if corpus.DONE != last and int(last[8:13]) == left and sys.argv[4] == 'writing':
        os.rename(os.path.join(source, last.replace('.json', '.npy')), os.path.join(target, last[:13] + '.npy'))
        os.kill(os.getpid(), signal.SIGKILL)
    return moved(source, target, last)
corpus.move_files = move
embedder = type('Killed', (FakeEmbedder,), {'encode': encode})()
corpus.embed_corpus(embedder, [sys.argv[1]], sys.argv[2], 'body', 'n', rows=3)
'''


@pytest.mark.skipif(os.name == 'nt', reason='POSIX signals')
@pytest.mark.parametrize('where', ['computing', 'writing'])
def test_a_killed_run_goes_on_where_it_ended(tmp_path, where):
    """Killed in the second shard, while it is computed or half written: the same files, and the first is not redone."""
    source = write(tmp_path / 'a.jsonl', records())
    corpus.embed_corpus(FakeEmbedder(), [source], str(tmp_path / 'whole'), 'body', 'n', rows=3)
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(corpus.__file__))))
    path = os.pathsep.join([package, os.path.dirname(os.path.dirname(os.path.abspath(__file__)))])
    code = subprocess.call([sys.executable, '-c', KILLED, source, str(tmp_path / 'v'), '1', where],
                           env=dict(os.environ, PYTHONPATH=path))
    assert code == -signal.SIGKILL and not os.path.exists(str(tmp_path / 'v' / 'vectors.json'))
    with pytest.raises(CorpusError) as caught:
        next(corpus.read_vectors(str(tmp_path / 'v')))
    assert 'not finished' in str(caught.value)
    embedder = FakeEmbedder()
    corpus.embed_corpus(embedder, [source], str(tmp_path / 'v'), 'body', 'n', rows=3)
    assert [size for size, _ in embedder.calls] == [3, 3, 1]
    assert content(tmp_path / 'v') == content(tmp_path / 'whole')


def test_what_is_done_is_not_done_again_and_other_texts_are_an_error(tmp_path):
    """A finished directory is left as it is, whether the texts are the same or not."""
    source = write(tmp_path / 'a.jsonl', records())
    corpus.embed_corpus(FakeEmbedder(), [source], str(tmp_path / 'v'), 'body', 'n', rows=3)
    before, embedder, done = content(tmp_path / 'v'), FakeEmbedder(), []
    made = corpus.embed_corpus(embedder, [source], str(tmp_path / 'v'), 'body', 'n', rows=3, progress=done.append)
    assert not embedder.calls and made['tokens'] == 0 and sum(done) == os.path.getsize(source)
    for lines in (records(start=200), records()[:9], records()[:-1] + records([u'other'], 109),
                  records() + records([u'more'], 110), records() + records([u'more', u'x', u'y'], 110)):
        write(tmp_path / 'a.jsonl', lines)
        with pytest.raises(CorpusError) as caught:
            corpus.embed_corpus(embedder, [source], str(tmp_path / 'v'), 'body', 'n', rows=3)
        assert 'other texts' in str(caught.value)
    assert content(tmp_path / 'v') == before


def test_texts_that_changed_before_the_end_are_made_again(tmp_path):
    """A shard is known by its ids and texts; of a run on more text nothing is left over."""
    source = write(tmp_path / 'a.jsonl', records())
    corpus.embed_corpus(FakeEmbedder(), [source], str(tmp_path / 'v'), 'body', 'n', rows=3)
    os.remove(str(tmp_path / 'v' / 'vectors.json'))
    write(tmp_path / 'a.jsonl', records()[:3] + records([u'new'], 103))
    embedder = FakeEmbedder()
    corpus.embed_corpus(embedder, [source], str(tmp_path / 'v'), 'body', 'n', rows=3)
    assert [size for size, _ in embedder.calls] == [1]
    assert [ids for ids, _ in corpus.read_vectors(str(tmp_path / 'v'))] == [[100, 101, 102], [103]]
    assert len(os.listdir(str(tmp_path / 'v'))) == 7


def test_a_shard_whose_vectors_are_gone_is_made_again(tmp_path):
    """Its header alone is no shard."""
    source = write(tmp_path / 'a.jsonl', records())
    corpus.embed_corpus(FakeEmbedder(), [source], str(tmp_path / 'v'), 'body', 'n', rows=3)
    before = content(tmp_path / 'v')
    for name in ('vectors.json', 'vectors-00001.npy'):
        os.remove(str(tmp_path / 'v' / name))
    embedder = FakeEmbedder()
    corpus.embed_corpus(embedder, [source], str(tmp_path / 'v'), 'body', 'n', rows=3)
    assert [size for size, _ in embedder.calls] == [3] and content(tmp_path / 'v') == before


@pytest.mark.parametrize('changed, part', [
    ({'embedder': FakeEmbedder('y')}, 'another model'),
    ({'embedder': FakeEmbedder(precision='bfloat16')}, 'precision = null, not "bfloat16"'), ({'rows': 4}, 'rows_of_a_shard = 3, not 4'),
    ({'dimensions': 2}, 'dimensions = null, not 2'), ({'prompt': 'q: '}, 'prompt = "", not "q: "'),
    ({'normalized': True}, 'normalized = false, not true'), ({'id_field': None}, 'id_field = "n", not null')])
def test_other_options_are_an_error(tmp_path, changed, part):
    """Vectors that do not belong together never lie together; the directory stays as it is."""
    source = write(tmp_path / 'a.jsonl', records())
    arguments = dict(embedder=FakeEmbedder(), inputs=[source], output=str(tmp_path / 'v'), field='body', id_field='n',
                     rows=3)
    corpus.embed_corpus(**arguments)
    os.remove(str(tmp_path / 'v' / 'vectors.json'))
    before = content(tmp_path / 'v')
    with pytest.raises(CorpusError) as caught:
        corpus.embed_corpus(**dict(arguments, **changed))
    assert part in str(caught.value) and content(tmp_path / 'v') == before


def test_a_directory_with_other_files_is_left_alone(tmp_path):
    """It is somebody else's."""
    write(tmp_path / 'thesis.txt', [u'a'])
    with pytest.raises(CorpusError) as caught:
        corpus.embed_corpus(FakeEmbedder(), [str(tmp_path / 'thesis.txt')], str(tmp_path))
    assert 'thesis.txt' in str(caught.value) and os.listdir(str(tmp_path)) == ['thesis.txt']


@pytest.mark.parametrize('line, part', [
    (u'{"n": 1, "body": null}', '"body": null, and no text'), (u'{"n": 1}', 'no text called "body"'),
    (u'{"n": null, "body": "a"}', '"n": null, and no id'), (u'{"n": true, "body": "a"}', '"n": true'),
    (u'{"body": "a"}', '"n": null'), (u'{"n": 1, "body": ["a"]}', '"body": ["a"]'), (u'{', 'not JSON'),
    (u'{"n": 1, "body": "?"}', 'the text has 99 tokens'), (u'{"n": 1, "body": "nan"}', 'not finite')])
def test_a_line_that_cannot_be_embedded_is_named(tmp_path, line, part):
    """File and line, and what was finished before stays."""
    source = write(tmp_path / 'a.jsonl', records()[:4] + [line])
    with pytest.raises(CorpusError) as caught:
        corpus.embed_corpus(FakeEmbedder(), [source], str(tmp_path / 'v'), 'body', 'n', rows=3)
    assert source + ', line 5' in str(caught.value) and part in str(caught.value)
    assert 'vectors-00000.json' in os.listdir(str(tmp_path / 'v'))


@pytest.mark.parametrize('arguments, part', [
    ({'kind': 'csv'}, 'npy'), ({'rows': 0}, 'rows'), ({'inputs': ['no/such/*.jsonl']}, 'no/such'),
    ({'inputs': [os.devnull]}, 'null')])
def test_arguments_out_of_range(tmp_path, arguments, part):
    """Nothing is made."""
    source = write(tmp_path / 'a.jsonl', [])
    with pytest.raises((ValueError, EnvironmentError)) as caught:
        corpus.embed_corpus(**dict(dict(embedder=FakeEmbedder(), inputs=[source], output=str(tmp_path / 'v')),
                                   **arguments))
    assert part in str(caught.value)
    with pytest.raises(CorpusError) as caught:
        corpus.embed_corpus(FakeEmbedder(), [source], str(tmp_path / 'v'))
    assert 'no text' in str(caught.value)


@pytest.mark.parametrize('id_field', ['n', None])
def test_parquet(tmp_path, id_field):
    """Columns id, strings in all files, and vector, the same numbers."""
    parquet = pytest.importorskip('pyarrow.parquet', reason='pyarrow is not in this row')
    source = write(tmp_path / 'a.jsonl', records())
    for kind in ('npy', 'parquet'):
        corpus.embed_corpus(FakeEmbedder(), [source], str(tmp_path / kind), 'body', id_field, kind, 4)
    names = sorted(name for name in os.listdir(str(tmp_path / 'parquet')) if name.endswith('.parquet'))
    table = parquet.read_table([str(tmp_path / 'parquet' / name) for name in names])
    expected = list(corpus.read_vectors(str(tmp_path / 'npy')))
    assert len(names) == 3 and table.column('id').to_pylist() == [
        u'%s' % each for ids, _ in expected for each in ids]
    assert np.array_equal(np.array(table.column('vector').to_pylist(), 'float32'),
                          np.concatenate([array for _, array in expected]))
    with pytest.raises(CorpusError) as caught:
        next(corpus.read_vectors(str(tmp_path / 'parquet')))
    assert 'pyarrow' in str(caught.value)


def test_parquet_without_pyarrow_is_an_error_before_anything_is_made(tmp_path, monkeypatch):
    """It says what to install."""
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    source = write(tmp_path / 'a.jsonl', records())
    with pytest.raises(ImportError) as caught:
        corpus.embed_corpus(FakeEmbedder(), [source], str(tmp_path / 'v'), 'body', kind='parquet')
    assert 'pip install pyarrow' in str(caught.value) and not os.path.exists(str(tmp_path / 'v'))
