# -*- coding: utf-8 -*-
"""A corpus as Google's files: their features and shapes, the rows of the batches, and nothing replaced too early."""
from __future__ import absolute_import, division, print_function

import io
import os

import numpy as np
import pytest

from bert4keras import cli
from bert4keras.errors import CorpusError
from bert4keras.pretraining import export
from bert4keras.pretraining.corpus import build_corpus
from bert4keras.pretraining.export import export_google
from bert4keras.pretraining.reader import Batches
from bert4keras.pretraining.records import decode_example, read_records

pytestmark = pytest.mark.engine_free


@pytest.fixture(params=['roberta', 'bert'])
def corpus(request, tmp_path):
    """The directory of a corpus of 17 tokens a row."""
    with io.open(str(tmp_path / 'vocab.txt'), 'wb') as stream:
        stream.write(b'[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n')
    with io.open(str(tmp_path / 'text.txt'), 'wb') as stream:
        stream.write(b'a b c a b\nb b\n\nc a c b\nb\n\n' * 30)
    build_corpus([str(tmp_path / 'text.txt')], str(tmp_path / 'vocab.txt'), str(tmp_path / 'corpus'), length=17,
                 mode=request.param, workers=0)
    return str(tmp_path / 'corpus')


def files_of(directory):
    """{name: its Examples} of a directory."""
    return {name: [decode_example(data) for data in read_records(os.path.join(directory, name))]
            for name in sorted(os.listdir(directory))}


def test_files_have_the_rows_of_the_batches(corpus, tmp_path, monkeypatch):
    """Two copies, each row twice, masked otherwise; the same by processes; full files but for the last."""
    monkeypatch.setattr(export, 'ROWS_OF_FILE', 16)
    monkeypatch.setattr(export, 'ROWS_OF_BATCH', 8)
    batches, seen = Batches(corpus, 1, seed=6, rate=0.3, predictions=4), []
    output, count = str(tmp_path / 'out'), 2 * len(batches.corpus)
    assert export_google(corpus, output, 0, 6, 2, seen.append, rate=0.3, predictions=4) == count == sum(seen)
    found = files_of(output)
    assert sorted(found) == ['google-%05d.tfrecord' % number for number in range(-(-count // 16))]
    assert [len(rows) for _, rows in sorted(found.items())][:-1] == [16] * (len(found) - 1)
    rows = [row for _, part in sorted(found.items()) for row in part]
    for step, row in enumerate(rows):
        batch = {name: array[0] for name, array in batches.batch(step).items()}
        assert row['input_ids'] == batch['token_ids'].tolist()
        assert row['input_mask'] == [1] * batch['lengths'] + [0] * (17 - batch['lengths'])
        assert row['segment_ids'] == batch['segment_ids'].tolist()
        assert row['masked_lm_positions'] == batch['masked_positions'].tolist()
        assert row['masked_lm_ids'] == batch['masked_ids'].tolist()
        assert row['masked_lm_weights'].tolist() == batch['masked_weights'].tolist() and len(row['masked_lm_ids']) == 4
        assert row['next_sentence_labels'] == [batch.get('labels', 0)] and len(row) == 7
    assert len(rows) == count and len({tuple(row['input_ids']) for row in rows}) > count / 2
    assert export_google(corpus, output, 2, 6, 2, rate=0.3, predictions=4) == count
    again = files_of(output)
    assert sorted(again) == sorted(found) and all(
        [row['input_ids'] for row in again[name]] == [row['input_ids'] for row in found[name]] for name in found)


def test_an_error_leaves_what_was_there(corpus, tmp_path):
    """A damaged shard: the old export stays, and no other file."""
    output = str(tmp_path / 'out')
    export_google(corpus, output, 0)
    before = os.listdir(str(tmp_path)), files_of(output).keys()
    with io.open(os.path.join(corpus, 'corpus-00000.tfrecord'), 'rb+') as stream:
        stream.seek(50)
        stream.write(b'xxxx')
    for workers in (0, 1):
        with pytest.raises(CorpusError):
            export_google(corpus, output, workers)
    assert (os.listdir(str(tmp_path)), files_of(output).keys()) == before
    with pytest.raises(ValueError):
        export_google(corpus, output, copies=0)


def test_the_command_exports(corpus, tmp_path, capsys):
    """Into the corpus, again and again, and the corpus can still be gone on with."""
    argv = ['corpus', str(tmp_path / 'text.txt'), '--vocab', str(tmp_path / 'vocab.txt'), '--output', corpus,
            '--length', '17', '--mode', Batches(corpus, 1).corpus.mode, '--workers', '1', '--export', 'google', '--copies', '3']
    rows = 3 * len(Batches(corpus, 1).corpus)
    for _ in range(2):
        assert cli.main(argv) == 0
        assert 'google has %d rows' % rows in capsys.readouterr().out
    found = files_of(os.path.join(corpus, 'google'))
    assert [len(part) for part in found.values()] == [rows]
    assert np.mean([row['masked_lm_weights'].sum() for row in found['google-00000.tfrecord']]) > 0
