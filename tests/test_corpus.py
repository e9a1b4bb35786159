# -*- coding: utf-8 -*-
"""From files of text to shards: all the text, the same bytes whoever makes them, whole or absent whatever happens."""
from __future__ import absolute_import, division, print_function

import errno
import gzip
import io
import json
import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert4keras import cli, files
from bert4keras.errors import CorpusError, VocabularyError
from bert4keras.pretraining import corpus as corpus_module
from bert4keras import text_files
from bert4keras.pretraining import documents as documents_module
from bert4keras.pretraining.corpus import build_corpus, read_index
from bert4keras.pretraining.documents import Lines, read_blocks, read_documents
from bert4keras.pretraining.records import decode_example, read_records
from bert4keras.tokenizer import Tokenizer
from tests.helpers.folders import content
from tests.helpers.strategies import few

pytestmark = pytest.mark.engine_free
VOCAB = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'b', '##b', '##a', 'c', '.']
PAD, UNK, CLS, SEP, MASK = range(5)


@pytest.fixture(autouse=True)
def no_hang():
    """A test that hangs is ended by an alarm, as an error."""
    def stop(*_):
        raise RuntimeError('hangs')
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def write(path, data):
    """Writes bytes, or text as UTF-8; returns the path."""
    with io.open(str(path), 'wb') as stream:
        stream.write(data if isinstance(data, bytes) else data.encode('utf-8'))
    return str(path)


@pytest.fixture
def vocab(tmp_path):
    """The path of a vocabulary."""
    return write(tmp_path / 'tiny.txt', '\n'.join(VOCAB) + '\n')


def text_of(count, seed=0):
    """So many documents, 1 to 5 lines each, of words of a and b."""
    random = np.random.RandomState(seed)
    return u'\n'.join(u''.join(u' '.join(random.choice(['a', 'ab', 'abab', 'c', '.'], random.randint(1, 9))) + u'\n'
                               for _ in range(random.randint(1, 6))) for _ in range(count))


@pytest.fixture
def text(tmp_path):
    """The path of a text of 60 documents."""
    return write(tmp_path / 'text.txt', text_of(60))


def rows_of(directory):
    """The token ids of every row."""
    shards = sorted(name for name in os.listdir(str(directory)) if name.endswith('.tfrecord'))
    return [np.frombuffer(decode_example(data)['token_ids'], '<u2').tolist() for name in shards
            for data in read_records(os.path.join(str(directory), name))]


def build(inputs, vocab, output, **options):
    """`build_corpus` in this process, with small shards."""
    options = dict({'workers': 0, 'length': 16, 'block_size': 300}, **options)
    return build_corpus(inputs if isinstance(inputs, list) else [inputs], vocab, str(output), **options)


# ------------------------------------------------------------------ what it makes

def test_the_corpus_has_the_text(tmp_path, text, vocab):
    """Every token in order, over several shards; corpus.json and the indices say what there is."""
    made = build(text, vocab, tmp_path / 'made')
    rows = rows_of(tmp_path / 'made')
    with io.open(text, encoding='utf-8') as stream:
        lines = stream.read().split('\n')
    tokenizer = Tokenizer(vocab)
    expected = [token for line in lines for token in tokenizer.encode(line)[0][1:-1]]
    assert [token for row in rows for token in row if token not in (CLS, SEP)] == expected
    assert made['shards'] > 5 and made == json.loads(content(tmp_path / 'made')['corpus.json'].decode('ascii'))
    assert (made['rows'], made['tokens'], made['text_tokens']) == (len(rows), sum(map(len, rows)), len(expected))
    assert made['documents'] == 60 and made['lines'] == sum(bool(line) for line in lines)
    assert made['padding_share'] == round(1 - sum(map(len, rows)) / 16. / len(rows), 4) > 0
    assert made['special_ids'] == {'pad': PAD, 'cls': CLS, 'sep': SEP, 'mask': MASK}
    assert content(tmp_path / 'made')['vocab.txt'] == '\n'.join(VOCAB).encode('ascii') + b'\n'
    for name in sorted(content(tmp_path / 'made')):
        if name.endswith('.index'):
            path = os.path.join(str(tmp_path / 'made'), name)
            header, offsets = read_index(path)
            sizes = [len(data) + 16 for data in read_records(path[:-5] + 'tfrecord')]
            assert offsets.tolist() == np.cumsum([0] + sizes).tolist() and header['rows'] == len(sizes)
            assert made['shard_rows'][int(name[7:12])] == len(sizes)
    assert len(set(made['shard_rows'])) > 1


@pytest.mark.parametrize('mode', ['roberta', 'bert'])
def test_the_bytes_do_not_depend_on_the_workers(tmp_path, text, vocab, mode):
    """None, one or three processes; another seed makes other pairs, and nothing else."""
    made = []
    for workers, seed in ((0, 5), (1, 5), (3, 5), (0, 6)):
        output = tmp_path / ('%d-%d' % (workers, seed))
        build(text, vocab, output, workers=workers, seed=seed, mode=mode)
        made.append({name: data for name, data in content(output).items() if 'tfrecord' in name or seed == 5})
    assert made[0] == made[1] == made[2]
    assert (made[3] == {name: data for name, data in made[0].items() if name in made[3]}) == (mode == 'roberta')


def test_each_shard_has_chances_of_its_own(tmp_path, vocab):
    """The same text in four shards is paired in four ways."""
    part = text_of(20, seed=1) + u'\n'
    made = build(write(tmp_path / 't', part * 4), vocab, tmp_path / 'made', mode='bert', block_size=len(part))
    shards = {name: data for name, data in content(tmp_path / 'made').items() if name.endswith('.tfrecord')}
    assert made['documents'] == 80 and len(shards) == len(set(shards.values())) == 4


def test_the_features_of_pairs(tmp_path, text, vocab):
    """Boundary and label are there, word starts are bits, and label_1 counts."""
    made = build(text, vocab, tmp_path / 'made', mode='albert', short=0.)
    labels = []
    for name in sorted(content(tmp_path / 'made')):
        for data in read_records(str(tmp_path / 'made' / name)) if name.endswith('tfrecord') else ():
            row = decode_example(data)
            tokens = np.frombuffer(row['token_ids'], '<u2')
            bits = np.unpackbits(np.frombuffer(row['word_starts'], 'uint8'))[:len(tokens)].astype(bool)
            boundary, = row['boundary']
            assert tokens[boundary - 1] == SEP and bits[boundary]
            free = (tokens > MASK) & ~bits
            assert set(tokens[free]) <= {7, 8} and bits[tokens <= MASK].all()
            labels += row['label']
    assert len(labels) == made['rows'] and sum(labels) == made['label_1'] and 0 < sum(labels) < len(labels)


def test_large_vocabularies_have_four_bytes_an_id(tmp_path):
    """More than 65,536 tokens."""
    vocab = write(tmp_path / 'v.txt', u'\n'.join(VOCAB[:5] + [u'w%d' % number for number in range(70000)]))
    build(write(tmp_path / 't.txt', u'w69999 w1'), vocab, tmp_path / 'made')
    data, = read_records(str(tmp_path / 'made' / 'corpus-00000.tfrecord'))
    assert np.frombuffer(decode_example(data)['token_ids'], '<u4').tolist() == [CLS, 70004, 6, SEP]


def test_inputs_of_every_kind_are_the_same_text(tmp_path, vocab, monkeypatch):
    """Plain, compressed, .jsonl by field, a glob, stdin, Windows' line ends."""
    text = u'a b\nc\n\nab .\n'
    data = u'\n'.join(json.dumps({'body': body}) for body in (u'a b\nc', u'ab .'))
    gz, jsonl = tmp_path / 't.txt.gz', tmp_path / 'x.jsonl.gz'
    for path, part in ((gz, text), (jsonl, data)):
        with gzip.open(str(path), 'wb') as stream:
            stream.write(part.encode('utf-8'))
    inputs = [write(tmp_path / 'plain', text), write(tmp_path / 'windows', text.replace('\n', '\r\n')), str(gz),
              str(jsonl), str(tmp_path / 'pl*n'), '-']
    made = []
    for number, path in enumerate(inputs):
        if path == '-':
            monkeypatch.setattr(sys, 'stdin', io.BytesIO(text.encode('utf-8')))
        build(path, vocab, tmp_path / str(number), field='body')
        made.append(rows_of(tmp_path / str(number)))
    assert made == [[[CLS, 5, 6, 9, SEP, 5, 7, 10, SEP]]] * len(inputs)


def test_a_document_without_a_token_is_none(tmp_path, vocab):
    """Nor has it a [SEP]."""
    made = build(write(tmp_path / 't', b'a\n\n\xc2\x81\n\nc\n'), vocab, tmp_path / 'made')
    assert made['documents'] == 2 and rows_of(tmp_path / 'made') == [[CLS, 5, SEP, 9, SEP]]


def test_two_files_are_two_documents(tmp_path, vocab):
    """A file's end ends a document, an empty file is warned of, and globs are sorted."""
    for name, part in (('1.txt', u'a'), ('2.txt', u'\n\n'), ('3.txt', u'c')):
        write(tmp_path / name, part)
    build(str(tmp_path / '?.txt'), vocab, tmp_path / 'made')
    assert rows_of(tmp_path / 'made') == [[CLS, 5, SEP, 9, SEP]]


def test_repeated_lines_are_counted(tmp_path, vocab, monkeypatch):
    """Exactly for few lines; within some percent in bounded memory for many, whichever line is the one repeated."""
    made = build(write(tmp_path / 't', u'a\nb\na\n\na\nc\n'), vocab, tmp_path / 'made')
    assert (made['lines'], made['repeated_lines_share']) == (5, 0.4)
    monkeypatch.setattr(Lines, 'CAPACITY', 1000)
    for repeated in (b'same', b'other', b'third'):
        lines = Lines()
        for number in range(20000):
            lines.add(repeated if number % 4 == 0 else b'line %d' % number if str is bytes else
                      ('line %d' % number).encode('ascii'))
        assert len(lines.seen) <= 1000 and abs(lines.repeated_share() - 0.25) < 0.1


# ------------------------------------------------------------------ blocks

@few
@given(st.lists(st.lists(st.text('ab c', min_size=1, max_size=12).filter(lambda line: line.strip()), min_size=1,
                         max_size=5), min_size=1, max_size=12), st.integers(10, 60))
def test_blocks_end_where_documents_do(made, size):
    """All documents are there, in order, and whole unless longer than two blocks; all blocks but the last are full."""
    text = '\n\n'.join('\n'.join(lines) for lines in made)
    with monkeypatched_input(text):
        blocks = list(read_blocks(['x'], Lines(), size))
    found = [[document for document in read_documents(block)] for block in blocks]
    flat = [line for documents in found for document in documents for line in document]
    assert flat == [line.strip() for lines in made for line in lines]
    assert [block.documents for block in blocks] == [len(documents) for documents in found]
    assert all(block.size() >= size for block in blocks[:-1])
    if all(len('\n'.join(lines)) < size for lines in made):
        assert [document for documents in found for document in documents] == [
            [line.strip() for line in lines] for lines in made]


def test_objects_of_jsonl_are_documents(tmp_path):
    """A block ends after whichever fills it."""
    path = write(tmp_path / 't.jsonl', u'{"text": "a"}\n' * 9)
    assert [(block.documents, block.size()) for block in read_blocks([path], Lines(), 40)] == [(3, 42)] * 3


def test_two_files_are_another_text_than_one(tmp_path, vocab):
    """Of the same bytes, as a document ends between them."""
    parts = [write(tmp_path / '1', u'a\n'), write(tmp_path / '2', u'c\n')]
    build(parts, vocab, tmp_path / 'made')
    with pytest.raises(CorpusError) as caught:
        build(write(tmp_path / 'both', u'a\nc\n'), vocab, tmp_path / 'made')
    assert 'a finished corpus of other text' in str(caught.value)


def test_progress_ends_with_the_size_of_the_files(tmp_path, text, vocab):
    """For each shard what it took of them; the same for shards that are there."""
    other, sizes = write(tmp_path / 'other', text_of(20, seed=8)), []
    for _ in range(2):
        build([text, other], vocab, tmp_path / 'made', progress=sizes.append)
    assert len(sizes) > 10 and sizes[:len(sizes) // 2] == sizes[len(sizes) // 2:]
    assert sum(sizes) == 2 * (os.path.getsize(text) + os.path.getsize(other))


class monkeypatched_input(object):
    """Lets documents.py read a text instead of files."""

    def __init__(self, text):
        self.stream = text_files.TextFile('-', None, io.BytesIO(text.encode('utf-8')))

    def __enter__(self):
        self.opened, documents_module.open_text_file = documents_module.open_text_file, lambda path: self.stream

    def __exit__(self, *_):
        documents_module.open_text_file = self.opened


def test_a_document_longer_than_everything_is_cut_and_said_so(tmp_path, vocab, caplog):
    """At a line's end; no token is lost."""
    with caplog.at_level(logging.WARNING):
        made = build(write(tmp_path / 't', u'ab c\n' * 600), vocab, tmp_path / 'made', block_size=400)
    assert 'line 160: a document longer than' in caplog.text and (made['shards'], made['documents']) == (3, 4)
    assert sum(row.count(9) for row in rows_of(tmp_path / 'made')) == 600


def test_the_last_block_is_not_a_lone_document(tmp_path, vocab):
    """bert needs two of them in each shard."""
    path = write(tmp_path / 't', (u'ab c\n' * 40 + u'\n') * 5)
    made = build(path, vocab, tmp_path / 'made', mode='bert', block_size=390)
    assert (made['shards'], made['documents']) == (2, 5)


# ------------------------------------------------------------------ what can go wrong

@pytest.mark.parametrize('name, data, part', [
    ('t.txt', b'a b\n\nc\xff\n', 't.txt, line 3 is not UTF-8 from its byte 1 on'),
    ('t.txt', bytes(bytearray(range(256))), 't.txt, line 2 is not UTF-8'),
    ('t.jsonl', b'{"text": "a"}\n\n{"text": \n', 't.jsonl, line 3 is not JSON'),
    ('t.jsonl', b'{"text": "a"}\n{"body": "a"}\n', 't.jsonl, line 2 has no text called "text"'),
    ('t.jsonl', b'["text"]\n', 't.jsonl, line 1 has no text called "text"'),
    ('t.jsonl', b'[' * 10 ** 5 + b'\n', 't.jsonl, line 1 is not JSON'),
    ('t.txt.gz', b'a b\n', 't.txt.gz'), ('t.txt', b'', 'there is no text in '),
    ('t.txt', b'\n \n', 'there is no text in '),
    ('t.txt', b'\xc2\x81\n', 'no text has a token')])
def test_what_is_no_text_is_an_error(tmp_path, vocab, name, data, part):
    """It names file and line, by a process as well; there is no corpus.json."""
    path = write(tmp_path / name, data)
    for workers in (0, 2):
        with pytest.raises((CorpusError, EnvironmentError)) as caught:
            build(path, vocab, tmp_path / 'made', workers=workers)
        assert part in str(caught.value)
        assert 'corpus.json' not in os.listdir(str(tmp_path / 'made'))


def test_a_line_of_a_later_block_has_its_number_of_the_file(tmp_path, vocab):
    """Blocks are cut every 300 bytes."""
    path = write(tmp_path / 't', u'ab abab c\n\n' * 100 + u'{}')
    with io.open(path, 'ab') as stream:
        stream.write(b'\xff\n')
    with pytest.raises(CorpusError) as caught:
        build(path, vocab, tmp_path / 'made')
    assert 't, line 201 is not UTF-8 from its byte 2 on' in str(caught.value)


def test_a_truncated_gz_is_an_error(tmp_path, vocab):
    """As after a download that broke off."""
    path = tmp_path / 't.gz'
    with gzip.open(str(path), 'wb') as stream:
        stream.write(os.urandom(3000))
    write(path, content(tmp_path)['t.gz'][:2000])
    with pytest.raises(CorpusError) as caught:
        build(str(path), vocab, tmp_path / 'made')
    assert 't.gz, line' in str(caught.value) and 'cannot be decompressed' in str(caught.value)


def test_a_line_without_an_end_is_an_error(tmp_path, vocab, monkeypatch):
    """Before it fills the memory."""
    monkeypatch.setattr(text_files, 'MAX_LINE', 100)
    build(write(tmp_path / 'fits', b'a' * 99 + b'\n'), vocab, tmp_path / 'made')
    with pytest.raises(CorpusError) as caught:
        build(write(tmp_path / 't', b'a\n' + b'a' * 101), vocab, tmp_path / 'other')
    assert 't, line 2 has more than 100 bytes' in str(caught.value)


@pytest.mark.parametrize('options, part', [
    ({'mode': 'gpt'}, "mode is 'gpt'; there are roberta, bert, albert"), ({'length': 7}, 'length is 7'),
    ({'length': 70000}, 'from 8 to 65536'), ({'seed': -1}, 'seed is -1'), ({'short': 1.5}, 'short is 1.5'),
    ({'workers': -2}, 'workers is -2'), ({'segmenter': 'x'}, 'segmenter'),
    ({'mode': 'roberta', 'google_pairs': True}, 'mode roberta makes no pairs')])
def test_arguments_out_of_range_are_errors(tmp_path, text, vocab, options, part):
    """Before anything is made."""
    with pytest.raises(ValueError) as caught:
        build(text, vocab, tmp_path / 'made', **options)
    assert part in str(caught.value) and not os.path.exists(str(tmp_path / 'made'))


def test_documents_of_one_token_make_no_pair(tmp_path, vocab):
    """Mode albert has nothing to make of them, and says what has."""
    path = write(tmp_path / 'text', b'a\n\nb\n')
    with pytest.raises(CorpusError, match='no document has two tokens.* roberta'):
        build(path, vocab, tmp_path / 'made', mode='albert')
    assert build(path, vocab, tmp_path / 'other', mode='roberta')['documents'] == 2


def test_what_is_missing_is_an_error(tmp_path, text, vocab):
    """A file, a vocabulary, or its special tokens; an input that is a directory or a string."""
    with pytest.raises(CorpusError):
        build(str(tmp_path / 'nothing*'), vocab, tmp_path / 'made')
    with pytest.raises(VocabularyError):
        build(text, str(tmp_path / 'nothing'), tmp_path / 'made')
    with pytest.raises(VocabularyError) as caught:
        build(text, write(tmp_path / 'v.txt', u'[UNK]\n[CLS]\n[SEP]\na\n'), tmp_path / 'made')
    assert '[MASK]' in str(caught.value)
    with pytest.raises(EnvironmentError):
        build(str(tmp_path), vocab, tmp_path / 'made')
    with pytest.raises(TypeError):
        build_corpus(text, vocab, str(tmp_path / 'made'))


def test_a_directory_of_something_else_is_left_alone(tmp_path, text, vocab):
    """Other files, a corpus with other options, a finished corpus of other text."""
    output = tmp_path / 'made'
    output.mkdir()
    write(output / 'thesis.doc', u'x')
    with pytest.raises(CorpusError) as caught:
        build(text, vocab, output)
    assert 'thesis.doc' in str(caught.value)
    os.remove(str(output / 'thesis.doc'))
    build(text, vocab, output)
    before = content(output)
    with pytest.raises(CorpusError) as caught:
        build(text, vocab, output, length=32)
    assert 'a corpus with length 16, not 32' in str(caught.value)
    with pytest.raises(CorpusError) as caught:
        build(write(tmp_path / 'other', text_of(60, seed=1)), vocab, output)
    assert 'a finished corpus of other text' in str(caught.value)
    build(text, vocab, output)
    assert content(output) == before


def test_a_run_that_made_no_shard_leaves_no_vocabulary(tmp_path, text, vocab):
    """The vocabulary beside the shards is the one that they were made with."""
    other = write(tmp_path / 'other.txt', u'\n'.join(VOCAB + ['d']))
    with pytest.raises(CorpusError):
        build(write(tmp_path / 'bad', b'\xff'), other, tmp_path / 'made')
    write(tmp_path / 'made' / 'spiece.model', b'')
    build(text, vocab, tmp_path / 'made')
    build(text, vocab, tmp_path / 'whole')
    assert content(tmp_path / 'made') == content(tmp_path / 'whole')


def test_a_run_goes_on_where_another_one_ended(tmp_path, text, vocab, monkeypatch):
    """What is there is not made again; what was left over of a longer text goes; the bytes are those of one run."""
    build(text, vocab, tmp_path / 'whole')
    longer = write(tmp_path / 'longer', text_of(60) + u'\n' + text_of(40, seed=3))
    output, made, whole = tmp_path / 'made', [], corpus_module._Shards.__call__
    build(longer, vocab, output)
    os.remove(str(output / 'corpus.json'))
    for name in ('corpus-00002.tfrecord', 'corpus-00002.index', 'corpus-00004.index'):
        os.remove(str(output / name))

    def call(self, task):
        made.append(task[0].index)
        return whole(self, task)

    monkeypatch.setattr(corpus_module._Shards, '__call__', call)
    build(text, vocab, output)
    assert made[:2] == [2, 4] and len(made) <= 3  # the last one ended elsewhere
    assert content(output) == content(tmp_path / 'whole')
    write(output / 'corpus-00001.index', b'damaged')
    os.remove(str(output / 'corpus-00003.tfrecord'))
    del made[:]
    build(text, vocab, output)
    assert made == [1, 3] and content(output) == content(tmp_path / 'whole')


def test_a_full_disk_leaves_nothing_half_written(tmp_path, text, vocab, monkeypatch):
    """The error names the disk's, shards before it stay, and it goes on from there."""
    output, real, writes = tmp_path / 'made', corpus_module.encode_record, []

    def full(data):
        writes.append(data)
        if len(writes) > 40:
            raise IOError(errno.ENOSPC, 'No space left on device')
        return real(data)

    monkeypatch.setattr(corpus_module, 'encode_record', full)
    with pytest.raises(EnvironmentError) as caught:
        build(text, vocab, output)
    assert caught.value.errno == errno.ENOSPC
    assert os.path.dirname(caught.value.filename) == str(output)
    assert os.path.basename(caught.value.filename).startswith('corpus-0')
    names = set(os.listdir(str(output)))
    assert 'corpus.json' not in names and not any(name.startswith('.') for name in names)
    assert {name[:-6] for name in names if name.endswith('.index')} == {
        name[:-9] for name in names if name.endswith('.tfrecord')} != set()
    monkeypatch.setattr(corpus_module, 'encode_record', real)
    build(text, vocab, output)
    build(text, vocab, tmp_path / 'whole')
    assert content(output) == content(tmp_path / 'whole')


def test_a_killed_worker_is_an_error_and_it_goes_on(tmp_path, text, vocab, monkeypatch):
    """As the kernel kills where memory runs out: no hang, and what is finished stays."""
    real = corpus_module.encode_record

    def dies(data):  # at its second shard, which one of two workers comes to
        if any(name.endswith('.index') for name in os.listdir(str(tmp_path / 'made'))):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(data)

    monkeypatch.setattr(corpus_module, 'encode_record', dies)
    with pytest.raises(CorpusError) as caught:
        build(text, vocab, tmp_path / 'made', workers=2)
    assert 'exit code -9' in str(caught.value) and 'block' in str(caught.value)
    assert 'fewer workers' in str(caught.value) and len(str(caught.value)) < 1000
    monkeypatch.setattr(corpus_module, 'encode_record', real)
    build(text, vocab, tmp_path / 'made', workers=2)
    build(text, vocab, tmp_path / 'whole')
    assert content(tmp_path / 'made') == content(tmp_path / 'whole')


RUN = '''
import sys
from bert4keras.pretraining.corpus import build_corpus
text, vocab, output = sys.argv[1:]
build_corpus([text], vocab, output, length=16, workers=2, block_size=300)
'''


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(tmp_path, vocab):
    """SIGKILL at whatever moment, workers included; at no time is anything there that is not whole."""
    text, output = write(tmp_path / 't', text_of(300)), str(tmp_path / 'made')
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(cli.__file__)))
    for kill in range(4):
        process = subprocess.Popen([sys.executable, '-c', RUN, text, vocab, output], env=environment,
                                   preexec_fn=os.setsid, stderr=subprocess.PIPE)
        deadline = time.time() + 20
        while time.time() < deadline and len(indices(output)) < 5 * (kill + 1) and process.poll() is None:
            time.sleep(0.001)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        for name in indices(output):
            path = os.path.join(output, name)
            assert read_index(path)[0]['rows'] == len(list(read_records(path[:-5] + 'tfrecord')))
    build(text, vocab, output)
    build(text, vocab, tmp_path / 'whole')
    assert content(output) == content(tmp_path / 'whole')


def indices(output):
    """The names of the indices in a directory, if it is there."""
    names = os.listdir(output) if os.path.isdir(output) else []
    return [name for name in names if name.startswith('corpus-') and name.endswith('.index')]


def test_a_damaged_index_is_an_error(tmp_path, text, vocab):
    """Cut, no JSON, or of another shard: it says what to do."""
    build(text, vocab, tmp_path / 'made')
    good = content(tmp_path / 'made')['corpus-00001.index']
    other = content(tmp_path / 'made')['corpus-00002.index']
    for data in (good[:-8], good[:-3], good[5:], b'', b'{}\n', b'[]\n' + good, other):
        path = write(tmp_path / 'made' / 'corpus-00001.index', data)
        with pytest.raises(CorpusError) as caught:
            read_index(path)
        assert 'corpus-00001.index' in str(caught.value) and 'build the corpus again' in str(caught.value)


# ------------------------------------------------------------------ the command

def test_the_command(tmp_path, text, vocab, capsys):
    """It makes what `build_corpus` makes and says how much; errors are a line and exit code 2."""
    output = str(tmp_path / 'made')
    argv = ['corpus', text, '--vocab', vocab, '--output', output, '--mode', 'bert', '--length', '19', '--workers', '1',
            '--seed', '3', '--short', '0.25', '--field', 'body', '--google-pairs']
    assert cli.main(argv) == 0
    made = build_corpus([text], vocab, str(tmp_path / 'other'), mode='bert', length=19, workers=0, seed=3, short=0.25,
                        field='body', google_pairs=True)
    assert content(output) == content(tmp_path / 'other')
    out = capsys.readouterr().out.split('\n')
    assert out[0] == '%s has %d rows in a shard: %d tokens of 60 documents' % (
        output, made['rows'], made['text_tokens'])
    assert cli.main(argv[:5] + [output + '-2', write(tmp_path / 'bad', b'\xff')]) == 2
    assert 'bad, line 1 is not UTF-8' in capsys.readouterr().err
    assert cli.main(['corpus', '--vocab', vocab, '--output', output]) == 2
    assert 'give the files of text' in capsys.readouterr().err


def test_no_writer_waits_for_itself(tmp_path, text, vocab):
    """The lock of the directory is free afterwards, and while it is taken nobody else builds."""
    build(text, vocab, tmp_path / 'made')
    with files.lock(str(tmp_path / 'made')):
        pass
