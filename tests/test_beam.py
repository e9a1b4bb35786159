# -*- coding: utf-8 -*-
"""Shards by an Apache Beam pipeline: the bytes of those without, and whatever fails is said."""
from __future__ import absolute_import, division, print_function

import gzip
import io
import os
import sys

import pytest

from bert4keras import cli
from bert4keras.errors import CorpusError
from bert4keras.pretraining import beam
from bert4keras.pretraining.documents import Lines, read_again, read_blocks
from tests.test_corpus import build, content, text_of, vocab, write  # noqa: F401 (vocab is a fixture)

pytestmark = pytest.mark.engine_free


@pytest.fixture
def texts(tmp_path):
    """The paths of a text, a compressed one, and a .jsonl."""
    with gzip.open(str(tmp_path / 't.gz'), 'wb') as stream:
        stream.write(text_of(40, seed=2).encode('ascii'))
    return [write(tmp_path / 't.txt', text_of(60)), str(tmp_path / 't.gz'),
            write(tmp_path / 't.jsonl', u'{"text": "a ab"}\n' * 30), str(tmp_path / 't.txt')]


def test_parts_are_read_again(texts):
    """By name, start and size, of every kind of file, the text is that of the block."""
    blocks = list(read_blocks(texts, Lines(), 300))
    assert len(blocks) > 8 and max(len(block.parts) for block in blocks) > 1
    for block in blocks:
        for part in block.parts:
            assert read_again(part._replace(data=b''), len(part.data)) == part


def test_without_beam_is_an_error_that_says_so(tmp_path, texts, vocab, monkeypatch):  # noqa: F811
    """Before anything is made."""
    monkeypatch.setitem(sys.modules, 'apache_beam', None)
    with pytest.raises(ImportError) as caught:
        build(texts, vocab, tmp_path / 'made', runner='direct')
    assert 'pip install "bert4keras[beam]"' in str(caught.value) and not os.path.exists(str(tmp_path / 'made'))


def test_options_of_the_runner_follow_two_dashes(monkeypatch, tmp_path):
    """Wherever the texts stand; without a runner what follows is a text, as ever."""
    found = []

    def build_corpus(*arguments, **options):
        found.append((arguments[0], options['runner'], options['runner_options']))
        raise CorpusError('enough')

    monkeypatch.setattr('bert4keras.pretraining.corpus.build_corpus', build_corpus)
    given = ['--vocab', 'v', '--output', 'o']
    for argv in (['a', 'b'] + given + ['--runner', 'flink', '--', '--x', 'y'],
                 given + ['--runner', 'flink', 'a', 'b', '--', '--x', 'y'], ['a'] + given + ['--', '-b']):
        assert cli.main(['corpus'] + argv) == 2
    assert found == [(['a', 'b'], 'flink', ['--x', 'y'])] * 2 + [(['a', '-b'], None, [])]


@pytest.fixture
def apache_beam():
    """Beam, where it is installed."""
    return pytest.importorskip('apache_beam', reason='apache-beam is not in this row')


@pytest.mark.parametrize('options', [[], ['--direct_num_workers=2', '--direct_running_mode=multi_processing']])
def test_the_bytes_are_those_without(tmp_path, texts, vocab, apache_beam, options):  # noqa: F811
    """In one process or in two, in a mode of chance; and what is there already is not made again."""
    made = build(texts, vocab, tmp_path / 'whole', mode='bert', seed=5)
    output = tmp_path / 'made'
    assert build(texts, vocab, output, mode='bert', seed=5, runner='direct', runner_options=options) == made
    assert content(output) == content(tmp_path / 'whole')
    os.remove(str(output / 'corpus.json'))
    os.remove(str(output / 'corpus-00003.index'))
    build(texts, vocab, output, mode='bert', seed=5, runner='direct', runner_options=options)
    assert content(output) == content(tmp_path / 'whole')


def test_what_fails_in_a_worker_is_said(tmp_path, texts, vocab, apache_beam, monkeypatch):  # noqa: F811
    """File and line; what is finished stays, and nothing is half written."""
    bad = write(tmp_path / 'bad.txt', text_of(20) + u'\n' + text_of(20, seed=4) + u'\n')
    with open(bad, 'ab') as stream:
        stream.write(b'a\xff\n')
    with pytest.raises(CorpusError) as caught:
        build(texts + [bad], vocab, tmp_path / 'made', runner='direct')
    assert 'the runner direct failed' in str(caught.value) and 'is not UTF-8' in str(caught.value)
    names = os.listdir(str(tmp_path / 'made'))
    assert 'corpus.json' not in names and not any(name.startswith('.') for name in names)
    assert {name[:-6] for name in names if name.endswith('.index')} == {
        name[:-9] for name in names if name.endswith('.tfrecord')}
    monkeypatch.setattr(beam._Worker, '__call__', lambda self, task: None)
    with pytest.raises(CorpusError) as caught:
        build(texts, vocab, tmp_path / 'other', runner='direct')
    assert 'is done, but shard 0 is not in' in str(caught.value)


def test_text_that_changes_meanwhile_is_an_error(tmp_path, texts, vocab, apache_beam, monkeypatch):  # noqa: F811
    """A shard is of the text that corpus.json counts."""
    real = beam._located

    def located(*task):
        write(texts[0], text_of(60, seed=9))
        return real(*task)

    monkeypatch.setattr(beam, '_located', located)
    with pytest.raises(CorpusError) as caught:
        build(texts[:1], vocab, tmp_path / 'made', runner='direct')
    assert 'is not what it was when the pipeline began' in str(caught.value)


def test_what_no_runner_can_do_is_an_error(tmp_path, texts, vocab, apache_beam, monkeypatch):  # noqa: F811
    """stdin, and a runner that nobody knows."""
    monkeypatch.setattr(sys, 'stdin', io.BytesIO(b'a'))
    with pytest.raises(CorpusError) as caught:
        build('-', vocab, tmp_path / 'made', runner='direct')
    assert 'stdin' in str(caught.value)
    with pytest.raises(ValueError) as caught:
        build(texts, vocab, tmp_path / 'made', runner='abacus')
    assert "runner is 'abacus'" in str(caught.value)
