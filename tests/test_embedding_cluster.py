# -*- coding: utf-8 -*-
"""Shards of vectors by the actors of Ray Data: the bytes are those of one process, whatever becomes of an actor."""
from __future__ import absolute_import, division, print_function

import gzip
import io
import json
import os
import signal
import sys

import pytest

from bert4keras import cli, text_files
from bert4keras.embedding import cluster, corpus
from bert4keras.embedding.texts import read_texts
from bert4keras.errors import CorpusError
from tests.helpers.folders import content
from tests.test_embedding_corpus import TEXTS, FakeEmbedder, records, write

pytestmark = pytest.mark.engine_free


def write_texts(folder):
    """Three files of other kinds, with empty lines among them; returns their paths."""
    return [write(folder / 'a.jsonl', [u''] + records(TEXTS[:3]) + [u'']),
            write(folder / 'b.jsonl.gz', records(TEXTS[3:], 103), gzip.open),
            write(folder / 'c.jsonl', records([u'\u4e2d', u'end'], 110))]


@pytest.mark.parametrize('rows', [1, 4, 5, 12])
def test_texts_are_found_again(tmp_path, rows):
    """Each shard's, over the ends of files, with their ids, lines and names."""
    paths = write_texts(tmp_path)
    for field, id_field in (('body', 'n'), ('body', None)):
        texts = list(read_texts(paths, field, id_field))
        assert [text.text for text in texts] == TEXTS + [u'\u4e2d', u'end']
        for start in range(0, 12, rows):
            expected = texts[start:start + rows]
            parts = json.loads(json.dumps(cluster.locate(expected)))
            found = cluster.read_located(parts, field, id_field)
            assert [text[:4] for text in found] == [text[:4] for text in expected]


def test_plain_lines_are_found_again(tmp_path):
    """Of .txt, whose names stay those that were given."""
    path = str(tmp_path / 'a.txt')
    with io.open(path, 'wb') as stream:
        stream.write(u'a\u2028b\r\n\nc\nd'.encode('utf-8'))
    texts = list(read_texts([path]))
    assert [text[:4] for text in cluster.read_located(cluster.locate(texts[2:]), 'text', None)] == [
        (path, 3, path + ':3', u'c'), (path, 4, path + ':4', u'd')]


def test_a_line_that_got_too_long_has_its_number_of_the_file(tmp_path, monkeypatch):
    """Not of the shard, whose first line is the third here."""
    path = str(tmp_path / 'a.txt')
    with io.open(path, 'wb') as stream:
        stream.write(b'a\nb\nc\nd and more\n')
    parts = cluster.locate(list(read_texts([path]))[2:])
    monkeypatch.setattr(text_files, 'MAX_LINE', 5)
    with pytest.raises(CorpusError, match='a.txt, line 4 has more than 5 bytes'):
        cluster.read_located(parts, 'text', None)


def test_without_ray_is_an_error_that_says_so(tmp_path, monkeypatch, capsys):
    """Before anything is loaded or made."""
    monkeypatch.setitem(sys.modules, 'ray', None)
    path = write(tmp_path / 'a.jsonl', records())
    with pytest.raises(ImportError, match='Python 3.10 or later: pip install "bert4keras.ray.'):
        corpus.embed_corpus(FakeEmbedder(), [path], str(tmp_path / 'v'), 'body', actors=2)
    assert cli.main(['embed', 'nowhere', '--input', path, '--output', str(tmp_path / 'v') + '/', '--ray']) == 2
    assert 'bert4keras[ray]' in capsys.readouterr().err and not os.path.exists(str(tmp_path / 'v'))
    assert cli.main(['embed', 'nowhere', 'a text', '--ray', '3']) == 2
    assert 'give --output DIR/' in capsys.readouterr().err


class OnRay(FakeEmbedder):
    """One that actors make again; the first of them that meets "kill" is gone, with what it was at."""

    def __init__(self, path, pooling='mean'):
        super(OnRay, self).__init__()
        self.path = path
        with io.open(os.path.join(path, 'made-%d' % os.getpid()), 'w'):
            pass

    def encode(self, texts, **options):
        flag = os.path.join(self.path, 'killed')
        if u'kill' in texts and not os.path.exists(flag):
            io.open(flag, 'w').close()
            os.kill(os.getpid(), signal.SIGKILL)
        return super(OnRay, self).encode(texts, **options)


@pytest.fixture(scope='module')
def ray():
    """Ray with two CPUs, stopped at the end."""
    ray = pytest.importorskip('ray', reason='ray is not in this row')
    os.environ['RAY_USAGE_STATS_ENABLED'] = '0'
    ray.init(num_cpus=2, include_dashboard=False, _node_ip_address='127.0.0.1', log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize('actors', [0, 2])
def test_the_bytes_are_those_of_one_process(tmp_path, ray, actors):
    """Also where an actor was killed; each loads the model once; what is there is not made again."""
    paths = write_texts(tmp_path) + [write(tmp_path / 'd.jsonl', records([u'kill', u'more'], 112))]
    corpus.embed_corpus(FakeEmbedder(), paths, str(tmp_path / 'one'), 'body', 'n', rows=2)
    (tmp_path / 'model').mkdir()
    done = []
    made = corpus.embed_corpus(OnRay(str(tmp_path / 'model')), paths, str(tmp_path / 'v'), 'body', 'n', rows=2,
                               actors=actors, progress=done.append)
    assert content(tmp_path / 'v') == content(tmp_path / 'one') and os.path.exists(str(tmp_path / 'model' / 'killed'))
    assert (made['rows'], made['shards'], len(done)) == (14, 7, 7) and made['tokens'] >= sum(map(len, TEXTS))
    assert 2 <= len(list((tmp_path / 'model').iterdir())) - 1 <= 4  # this process, two actors, and one again
    for name in ('vectors.json', 'vectors-00003.npy'):
        os.remove(str(tmp_path / 'v' / name))
    made = corpus.embed_corpus(OnRay(str(tmp_path / 'model')), paths, str(tmp_path / 'v'), 'body', 'n', rows=2,
                               actors=actors)
    assert content(tmp_path / 'v') == content(tmp_path / 'one')
    assert made['tokens'] == 4 + sum(len(text) for text in TEXTS[6:8])


@pytest.mark.slow
def test_what_cannot_be_embedded_is_named(tmp_path, ray):
    """File and line, from whichever actor; what was made stays."""
    (tmp_path / 'model').mkdir()
    path = write(tmp_path / 'a.jsonl', records([u'a', u'b', u'c', u'?']))
    with pytest.raises(CorpusError, match='a.jsonl, line 4: the text has 99 tokens'):
        corpus.embed_corpus(OnRay(str(tmp_path / 'model')), [path], str(tmp_path / 'v'), 'body', 'n', rows=2, actors=2)
