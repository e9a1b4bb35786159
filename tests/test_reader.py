# -*- coding: utf-8 -*-
"""A corpus read as batches: every row once in an epoch, the same batch whoever asks, and damage is an error."""
from __future__ import absolute_import, division, print_function

import io
import json
import os
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest

import bert4keras
from bert4keras.errors import CorpusError
from bert4keras.pretraining import reader
from bert4keras.pretraining.corpus import build_corpus
from bert4keras.pretraining.reader import Batches, Corpus
from bert4keras.pretraining.records import decode_example, read_records
from tests.helpers.pretraining import write_text

pytestmark = pytest.mark.engine_free
VOCAB = ['[UNK]', '[CLS]', '[SEP]', '[PAD]', '[MASK]'] + ['w%d' % number for number in range(60)] + ['##s', '##ed']
UNK, CLS, SEP, PAD, MASK = range(5)
LENGTH = 19


@pytest.fixture(scope='module')
def corpora(tmp_path_factory):
    """{mode: directory} of small corpora of several shards."""
    folder = tmp_path_factory.mktemp('corpora')
    write_text(folder, VOCAB, documents=50, lines=(1, 5))
    made = {}
    for mode in ('roberta', 'bert', 'albert'):
        made[mode] = str(folder / mode)
        build_corpus([str(folder / 'text.txt')], str(folder / 'vocab.txt'), made[mode], mode=mode, length=LENGTH,
                     workers=0, block_size=700)
    return made


@pytest.fixture(params=['roberta', 'bert', 'albert'])
def corpus(corpora, request):
    """A Corpus of each mode."""
    return Corpus(corpora[request.param])


def records_of(directory):
    """Every row of a corpus as the records have it."""
    return [decode_example(data) for name in sorted(os.listdir(directory)) if name.endswith('.tfrecord')
            for data in read_records(os.path.join(directory, name))]


def test_rows_by_number(corpus, monkeypatch):
    """All of them, in any order, are what the records have, padded; with one shard open, and after pickling."""
    monkeypatch.setattr(reader, 'MAX_OPEN', 1)
    records = records_of(corpus.directory)
    assert len(corpus) == len(records) == corpus.info['rows'] and corpus.info['shards'] > 3
    order = np.random.RandomState(0).permutation(len(records))
    for rows in (corpus.rows(order), pickle.loads(pickle.dumps(corpus)).rows(order)):
        assert rows.token_ids.shape == rows.word_starts.shape == (len(records), LENGTH)
        for place, index in enumerate(order.tolist()):
            ids = np.frombuffer(records[index]['token_ids'], '<u2').tolist()
            assert rows.lengths[place] == len(ids)
            assert rows.token_ids[place].tolist() == ids + [PAD] * (LENGTH - len(ids))
            starts = [VOCAB[token][:2] != '##' or last in (CLS, SEP) for last, token in zip([CLS] + ids, ids)]
            assert rows.word_starts[place].tolist() == starts + [False] * (LENGTH - len(ids))
            assert [rows.boundaries[place]] == records[index].get('boundary', [len(ids)])
            assert [rows.labels[place]] == records[index].get('label', [-1])
    assert len(corpus._shards) == 1 and corpus.vocabularies == [os.path.join(corpus.directory, 'vocab.txt')]


def test_every_row_comes_once_in_an_epoch(corpus):
    """Over batches that reach into the next epoch; in another order each time."""
    batches, count = Batches(corpus, 11, seed=3), len(corpus)
    assert count % 11
    pairs = [batches.indices(step) for step in range(3 * count // 11 + 1)]
    indices, epochs = [np.concatenate(parts)[:3 * count].reshape(3, count) for parts in zip(*pairs)]
    assert [sorted(row) for row in indices.tolist()] == [list(range(count))] * 3
    assert [set(row) for row in epochs.tolist()] == [{0}, {1}, {2}]
    assert len({tuple(row) for row in indices.tolist()} | {tuple(range(count))}) == 4
    assert [batches.epoch(step) for step in (0, count // 11, count // 11 + 1)] == [0, 0, 1]
    assert Batches(corpus, 11, seed=4).indices(0)[0].tolist() != pairs[0][0].tolist()


def test_a_batch_is_what_its_rows_say(corpus):
    """Token ids are the row's but for the masks; segments, masks and labels fit."""
    batches = Batches(corpus, 9, seed=1, rate=0.3)
    batch, rows = batches.batch(5), corpus.rows(batches.indices(5)[0])
    restored = batch['token_ids'].copy()
    for row in range(9):
        count = int(batch['masked_weights'][row].sum())
        positions = batch['masked_positions'][row, :count]
        restored[row, positions] = batch['masked_ids'][row, :count]
        assert count and not set(restored[row, positions].tolist()) & {CLS, SEP, PAD, MASK}
        length, boundary = rows.lengths[row], rows.boundaries[row]
        assert batch['segment_ids'][row].tolist() == (
            [0] * boundary + [1] * (length - boundary) + [0] * (LENGTH - length))
        if corpus.mode != 'roberta':
            assert restored[row, boundary - 1] == restored[row, length - 1] == SEP and 1 < boundary < length
    assert (batch['lengths'] == rows.lengths).all()
    assert (restored == rows.token_ids).all() and (batch['token_ids'] == MASK).any()
    assert batch['masked_ids'].shape == (9, 6) == (9, batches.predictions)
    assert [array.dtype.name for _, array in sorted(batch.items()) if array.dtype != np.float32] == ['int32'] * (
        len(batch) - 1)
    assert ('labels' in batch) == (corpus.mode != 'roberta')
    assert corpus.mode == 'roberta' or (batch['labels'] == rows.labels).all()


def same(left, right):
    """Whether two batches are equal."""
    return sorted(left) == sorted(right) and all((left[name] == right[name]).all() for name in left)


def test_a_batch_is_the_same_whoever_asks(corpora):
    """Asked for at once or in parts, by another object, before or after others; other epochs mask otherwise."""
    batches, again = Batches(corpora['albert'], 10, seed=2), Batches(Corpus(corpora['albert']), 10, seed=2)
    whole = batches.batch(4)
    again.batch(9)
    assert same(again.batch(4), whole)
    parts = [again.batch(4, *ends) for ends in ((0, 3), (3, 4), (4, None))]
    assert same({name: np.concatenate([part[name] for part in parts]) for name in whole}, whole)
    count = len(batches.corpus)
    single = Batches(batches.corpus, 1, seed=2)
    masks = {}
    for step in range(2 * count):
        index = int(single.indices(step)[0][0])
        masks.setdefault(index, []).append(single.batch(step)['token_ids'].tolist())
    assert sum(first != second for first, second in masks.values()) > 0.7 * count
    code = ('import sys; from bert4keras.pretraining.reader import Batches\n'
            'print(Batches(sys.argv[1], 10, seed=2).batch(4)["token_ids"].tolist())')
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(bert4keras.__file__)))
    out = subprocess.check_output([sys.executable, '-c', code, corpora['albert']], env=environment)
    assert json.loads(out.decode('ascii')) == whole['token_ids'].tolist()


def test_other_seeds_mask_otherwise(corpora):
    """The same rows."""
    first, second = [Batches(corpora['bert'], 1, seed=seed) for seed in (1, 2)]
    count = len(first.corpus)
    masked = [{int(batches.indices(step)[0][0]): batches.batch(step)['masked_positions'].tolist()
               for step in range(count)} for batches in (first, second)]
    assert sum(masked[0][index] != masked[1][index] for index in range(count)) > 0.7 * count


def test_rows_are_cut_elsewhere_in_each_epoch(corpora):
    """And not at their beginnings alone."""
    corpus = Corpus(corpora['roberta'])
    batches, cuts = Batches(corpus, len(corpus), seed=1, length=9), []
    whole = corpus.rows(range(len(corpus)))
    for epoch in range(2):
        indices, epochs = batches.indices(epoch)
        rows = batches._cut(corpus.rows(indices), epochs, indices)
        cuts.append(rows.token_ids[np.argsort(indices)])
    long_rows = whole.lengths > 14
    for left, right in (cuts, (cuts[0], whole.token_ids[:, :9])):
        assert (left[:, 1:8] != right[:, 1:8]).any(axis=1)[long_rows].mean() > 0.5 and long_rows.sum() > 20


def test_the_defaults_are_those_of_the_papers(corpora):
    """Single words but for ALBERT, whose runs have up to three; as many predictions as a full row needs."""
    made = {mode: Batches(directory, 4) for mode, directory in corpora.items()}
    assert {mode: batches._mask.ngrams for mode, batches in made.items()} == {'roberta': 1, 'bert': 1, 'albert': 3}
    assert {batches.predictions for batches in made.values()} == {3}
    pieces = Batches(corpora['roberta'], 200, whole_words=False).batch(0)
    words = Batches(corpora['roberta'], 200).batch(0)
    for batch, are_whole in ((pieces, False), (words, True)):
        cut = 0
        for row in range(200):
            positions = set(batch['masked_positions'][row, :int(batch['masked_weights'][row].sum())].tolist())
            original = batch['token_ids'][row].copy()
            for position, token in zip(batch['masked_positions'][row], batch['masked_ids'][row]):
                original[position] = token if position in positions else original[position]
            cut += any(VOCAB[original[place]][:2] == '##' and (place - 1 in positions) != (place in positions)
                       and original[place - 1] not in (CLS, SEP) for place in range(1, LENGTH))
        assert (cut == 0) == are_whole


# ------------------------------------------------------------------ what can go wrong

@pytest.mark.parametrize('options, part', [
    ({'batch_size': 0}, 'batch_size is 0'), ({'seed': -1}, 'seed is -1'), ({'rate': 1.}, 'rate is 1.0'),
    ({'ngrams': 0}, 'ngrams is 0'), ({'predictions': 20}, 'from 1 to the length of a row, 19')])
def test_arguments_out_of_range_are_errors(corpora, options, part):
    """They are named."""
    with pytest.raises(ValueError) as caught:
        Batches(corpora['bert'], **dict({'batch_size': 4}, **options))
    assert part in str(caught.value)


@pytest.mark.parametrize('arguments', [(-1,), (0, 4), (0, -1), (0, 2, 2), (0, 0, 5)])
def test_rows_that_a_batch_lacks_are_errors(corpora, arguments):
    """So are rows that the corpus lacks."""
    batches = Batches(corpora['bert'], 4)
    with pytest.raises(ValueError):
        batches.batch(*arguments)
    for index in (-1, len(batches.corpus)):
        with pytest.raises(IndexError):
            batches.corpus.rows([0, index])


def damage_json(directory, **fields):
    """Changes fields of corpus.json, or removes those that are None."""
    path = os.path.join(directory, 'corpus.json')
    with io.open(path, 'rb') as stream:
        content = dict(json.loads(stream.read().decode('ascii')), **fields)
    with io.open(path, 'wb') as stream:
        stream.write(json.dumps({name: value for name, value in content.items() if value is not None}).encode('ascii'))


def flip(directory, name, place):
    """Flips a bit of a file."""
    path = os.path.join(directory, name)
    with io.open(path, 'rb+') as stream:
        stream.seek(place)
        byte = bytearray(stream.read(1))[0]
        stream.seek(place)
        stream.write(bytes(bytearray([byte ^ 1])))


@pytest.mark.parametrize('damage, part', [
    (lambda directory: os.remove(os.path.join(directory, 'corpus.json')), 'has no corpus.json'),
    (lambda directory: damage_json(directory, shard_rows=None), 'corpus.json is damaged'),
    (lambda directory: damage_json(directory, shards='x'), 'corpus.json is damaged'),
    (lambda directory: damage_json(directory, length=8), 'corpus-0000'),
    (lambda directory: damage_json(directory, shard_rows=[len(records_of(directory)) - 8] + [2] * 4),
     'is of another corpus than corpus.json'),
    (lambda directory: damage_json(directory, seed=9), 'is of another corpus than corpus.json'),
    (lambda directory: flip(directory, 'corpus-00001.tfrecord', 60), 'corpus-00001.tfrecord: byte 0: '),
    (lambda directory: flip(directory, 'corpus-00001.index', 5), 'corpus-00001.index is damaged'),
    (lambda directory: shutil.copy(os.path.join(directory, 'corpus-00002.index'),
                                   os.path.join(directory, 'corpus-00001.index')), 'corpus-00001.index'),
    (lambda directory: os.remove(os.path.join(directory, 'corpus-00001.tfrecord')), 'corpus-00001.tfrecord'),
    (lambda directory: os.remove(os.path.join(directory, 'corpus-00001.index')), 'corpus-00001.index')])
def test_a_damaged_corpus_is_an_error(corpora, tmp_path, damage, part):
    """It names the file; nothing else comes out."""
    directory = str(tmp_path / 'copy')
    shutil.copytree(corpora['bert'], directory)
    damage(directory)
    with pytest.raises((CorpusError, EnvironmentError)) as caught:
        corpus = Corpus(directory)
        corpus.rows(range(len(corpus)))
    assert part in str(caught.value)
