# -*- coding: utf-8 -*-
"""From files of text to a corpus: a directory of shards of rows, made by several processes.

    corpus.json                 what is in it: CORPUS, written last; a directory without it is not finished
    corpus-00000.tfrecord       a tf.train.Example for each row, see below
    corpus-00000.index          where each of them begins, see `encode_index`
    vocab.txt or spiece.model   the vocabulary (with tokenizer.json and tokenizer_config.json, if a directory had them)
    google/                     what export.py makes of it, if asked for

The features of an Example, all without padding; masks are made when it is read:

    token_ids     bytes: uint16 [T], little-endian; uint32 for a vocabulary of more than 65,536 tokens
    word_starts   bytes: a bit for each token, whether a word begins there; from the highest bit of the first byte on
    boundary      int64: where segment B begins; modes bert and albert only
    label         int64: 1 where B is from another document (bert) or comes before A (albert), else 0

Each shard is made of one block of text, so its bytes depend on the text, the options and the seed, and not on who made
it. It is whole or absent, and its index says what it was made of: who starts again goes on where a killed run ended.
"""
from __future__ import absolute_import, division, print_function

import contextlib
import functools
import hashlib
import io
import json
import logging
import multiprocessing
import os
import re

import numpy as np

from bert4keras.compat import STRINGS, fspath
from bert4keras.errors import CorpusError, some
from bert4keras.files import copy_file, lock, move_files, synced, temporary_directory, whole_file
from bert4keras.parallel import WorkerError, parallel_apply_generator
from bert4keras.pretraining import beam
from bert4keras.pretraining.documents import BLOCK, Lines, read_blocks, read_documents
from bert4keras.pretraining.packing import MODES, NO_LABEL, Encoder, find_segmenter, pack
from bert4keras.pretraining.records import encode_example, encode_record
from bert4keras.text_files import find_inputs
from bert4keras.tokenizer import SpTokenizer, Tokenizer
from bert4keras.tokenizer_files import load_tokenizer

__all__ = ['CORPUS', 'EXPORT', 'INDEX', 'SHARD', 'VOCABULARIES', 'build_corpus', 'read_corpus_json', 'read_index']

CORPUS, SHARD, INDEX, EXPORT = 'corpus.json', 'corpus-%05d.tfrecord', 'corpus-%05d.index', 'google'
VOCABULARIES = ('vocab.txt', 'spiece.model', 'tokenizer.json', 'tokenizer_config.json')
LENGTHS = 8, 1 << 16
MAX_SEED = (1 << 32) - 1
_OURS = re.compile(r'corpus-(\d{5,})\.(tfrecord|index)\Z')
_LEFT = re.compile(r'\.corpus-\d{5,}\.index\.lock\Z')
_COUNTS = ('rows', 'tokens', 'text_tokens', 'documents', 'label_1')
logger = logging.getLogger(__name__)


def build_corpus(inputs, vocab, output, mode='roberta', length=512, workers=None, seed=0, segmenter=None, field='text',
                 short=0.1, google_pairs=False, progress=None, block_size=BLOCK, runner=None, runner_options=()):
    """Makes a corpus of files of text, or goes on where a killed run ended; see the module's docstring for its files.

    Args:
        inputs: list of paths, globs, or - for stdin: text with a sentence or paragraph a line and empty lines between
            documents, or .jsonl with a document a line; either may be .gz.
        vocab: path of a vocabulary (vocab.txt, or a .model of SentencePiece), or of a directory that has one.
        output: directory to make, or to go on with.
        mode: 'roberta', 'bert' or 'albert': see packing.py.
        length: int, the most tokens of a row, special ones included.
        workers: int, number of processes; None for one a core, 0 for none but this one.
        seed: int from 0 to 2 ** 32 - 1, of what chance decides in the modes bert and albert.
        segmenter: None, or 'jieba' for Chinese words.
        field: where the text is in a line of .jsonl.
        short: the share of rows of pairs that are made for a random length.
        google_pairs: whether pairs are made by Google's own rule, see packing.py.
        progress: None, or a function to call with the number of bytes of files that were done.
        block_size: int, bytes of text in a shard. The memory of each worker is some ten times that.
        runner: None, or the name of a runner of Apache Beam in place of workers, see beam.py.
        runner_options: list of str, Beam's options.

    Returns:
        dict, the content of corpus.json.

    Raises:
        CorpusError: no text, text that cannot be read (file and line), another corpus in `output`, a killed worker.
        VocabularyError: no vocabulary, or one without special tokens. EnvironmentError: a file cannot be read or
        written. ValueError: an argument out of range. ImportError: the segmenter, or Apache Beam, is not installed.
        Shards that were finished before stay, for the next run.
    """
    _check(mode, length, seed, short, workers, google_pairs)
    apply = beam.runner(runner, runner_options) if runner is not None else functools.partial(_apply, workers=workers)
    if segmenter is not None:
        find_segmenter(segmenter)
    if isinstance(inputs, (bytes,) + STRINGS):
        raise TypeError('inputs must be a list of paths, not one string')
    paths, output = find_inputs(inputs), os.path.abspath(fspath(output))
    tokenizer, files = open_vocabulary(fspath(vocab))
    options = {'format': 1, 'mode': mode, 'length': length, 'seed': seed, 'segmenter': segmenter, 'field': field,
               'short': short, 'google_pairs': google_pairs, 'block_size': block_size,
               'vocabulary_sha256': _digest(files), 'vocab_size': tokenizer.vocab_size}
    if not os.path.isdir(output):
        os.mkdir(output)
    with lock(output, warn=True):
        known = _look_at(output, options)
        _copy_vocabulary(files, output)
        lines = Lines()
        shards = _make_shards(read_blocks(paths, lines, block_size), _Shards(output, options, tokenizer), known,
                              apply, progress or (lambda size: None))
        if not shards:
            raise CorpusError('there is no text in %s' % some(paths))
        return _finish(output, options, shards, lines, tokenizer)


def _check(mode, length, seed, short, workers, google_pairs):
    """ValueError for an argument out of range."""
    if mode not in MODES:
        raise ValueError('mode is %r; there are %s' % (mode, ', '.join(MODES)))
    if google_pairs and mode == 'roberta':
        raise ValueError('mode roberta makes no pairs, so there are none by the rule of google_pairs: use mode bert')
    for name, value, least, most in (('length', length, LENGTHS[0], LENGTHS[1]), ('seed', seed, 0, MAX_SEED),
                                     ('short', short, 0, 1), ('workers', workers or 0, 0, 1 << 10)):
        if not least <= value <= most:
            raise ValueError('%s is %r; it must be from %d to %d' % (name, value, least, most))


def open_vocabulary(path):
    """(tokenizer, [(name in the corpus, path)] of its files) of a vocabulary or a directory that has one."""
    if os.path.isdir(path):
        tokenizer = load_tokenizer(path)
        files = [(name, os.path.join(path, name)) for name in VOCABULARIES if os.path.exists(os.path.join(path, name))]
        if not files:  # such as 30k-clean.model
            vocabulary = tokenizer._path
            files = [('spiece.model' if isinstance(tokenizer, SpTokenizer) else 'vocab.txt', vocabulary)]
    else:
        is_sentencepiece = path.endswith('.model')
        tokenizer = (SpTokenizer if is_sentencepiece else Tokenizer)(path)
        files = [('spiece.model' if is_sentencepiece else 'vocab.txt', path)]
    tokenizer.token_cls_id, tokenizer.token_sep_id, tokenizer.token_mask_id  # raises if one is missing
    return tokenizer, files


def _digest(files):
    """The SHA-256 of files that are small."""
    digest = hashlib.sha256()
    for name, path in files:
        with io.open(path, 'rb') as stream:
            digest.update(name.encode('ascii') + b'\n' + stream.read())
    return digest.hexdigest()


def _copy_vocabulary(files, output):
    """Copies the vocabulary's files; those of another one, left by a run that ended before its first shard, go."""
    for name in VOCABULARIES:
        path, copy = dict(files).get(name), os.path.join(output, name)
        if path is None and os.path.exists(copy):
            os.remove(copy)
        elif path is not None and not (os.path.exists(copy) and _digest([(name, copy)]) == _digest([(name, path)])):
            copy_file(path, copy)


def _look_at(output, options):
    """The content of corpus.json, or None; CorpusError if the directory has anything that is not of this corpus."""
    names = sorted(name for name in os.listdir(output) if not name.startswith('.'))
    others = [name for name in names if not _OURS.match(name) and name not in VOCABULARIES + (CORPUS, EXPORT)]
    if others:
        raise CorpusError('%s has other files than those of a corpus: %s; give a new directory'
                          % (output, some(others)))
    known = read_corpus_json(output) if CORPUS in names else None
    headers = (_header(os.path.join(output, name)) for name in names if name.endswith('.index') and not known)
    found = known or next((header['options'] for header in headers if header), options)
    for name in sorted(options):
        if found.get(name) != options[name]:
            raise CorpusError('%s has a corpus with %s %s, not %s; give another directory, or remove it'
                              % (output, name, found.get(name), options[name]))
    return known


# ------------------------------------------------------------------ shards

class _Shards(object):
    """Makes the shard of one block after the other, in whatever process."""

    def __init__(self, output, options, tokenizer):
        self.output, self.options, self.tokenizer, self.encoder = output, options, tokenizer, None

    def __getstate__(self):
        return dict(self.__dict__, encoder=None)  # segmenters may not be pickled

    def header(self, index):
        """What the index of a whole shard says; None where there is none."""
        return _header(os.path.join(self.output, INDEX % index))

    def __call__(self, task):
        """Makes a shard; returns what its index says."""
        block, text = task
        options, index = self.options, block.index
        self.encoder = self.encoder or Encoder(self.tokenizer, options['segmenter'])
        special = self.tokenizer.token_cls_id, self.tokenizer.token_sep_id
        documents = [self.encoder.encode(lines) for lines in read_documents(block, options['field'])]
        documents = [document for document in documents if document.ends]
        random = np.random.RandomState(np.array([options['seed'], index], 'uint32'))
        counts = dict.fromkeys(_COUNTS, 0)
        counts.update(documents=len(documents), text_tokens=sum(document.ends[-1] for document in documents))
        try:
            rows = pack(documents, options['mode'], options['length'], special, random, options['short'],
                        options['google_pairs']) if documents else ()
        except CorpusError as error:
            raise CorpusError('%r: %s' % (block, error))
        try:
            return self._write(index, rows, dict(counts, options=options, text=text))
        except EnvironmentError as problem:  # about a file that the user knows, and not a temporary one
            problem.filename = os.path.join(self.output, os.path.basename(problem.filename or SHARD % index))
            raise

    def _write(self, index, rows, header):
        """Writes a shard and its index; returns what that says, the header and its counts."""
        with temporary_directory(os.path.join(self.output, CORPUS)) as directory:  # whoever writes that one tidies up
            offsets = self._write_rows(os.path.join(directory, SHARD % index), rows, header)
            header['bytes'] = offsets[-1]
            with synced(os.path.join(directory, INDEX % index)) as stream:
                stream.write(encode_index(header, offsets))
            move_files(directory, self.output, INDEX % index)
        return header

    def _write_rows(self, path, rows, counts):
        """Writes records; returns where each begins, and the last ends; counts them."""
        dtype, offsets = id_type(self.options), [0]
        with synced(path) as stream:
            for row in rows:
                record = encode_record(encode_row(row, dtype))
                stream.write(record)
                offsets.append(offsets[-1] + len(record))
                counts['tokens'] += len(row.token_ids)
                counts['label_1'] += row.label == 1
        counts['rows'] = len(offsets) - 1
        return offsets


def id_type(options):
    """The type of ids in a file."""
    return '<u2' if options['vocab_size'] <= 1 << 16 else '<u4'


def encode_row(row, dtype):
    """A Row as the bytes of an Example."""
    features = [('token_ids', row.token_ids.astype(dtype).tobytes()),
                ('word_starts', np.packbits(row.word_starts).tobytes())]
    if row.label != NO_LABEL:
        features = [('boundary', [row.boundary]), ('label', [row.label])] + features
    return encode_example(features)


def encode_index(header, offsets):
    """An index: a line of JSON; then where each record begins and the last one ends, uint64 little-endian."""
    return json.dumps(header, sort_keys=True).encode('ascii') + b'\n' + np.array(offsets, '<u8').tobytes()


def read_index(path):
    """(what an index says, offsets uint64 [rows + 1]); CorpusError if it is damaged."""
    try:
        with io.open(path, 'rb') as stream:
            header, offsets = stream.readline(1 << 16), stream.read()
        header, offsets = json.loads(header.decode('ascii')), np.frombuffer(offsets, '<u8')
        if len(offsets) == header['rows'] + 1 and offsets[-1] == header['bytes']:
            if os.path.getsize(path[:-len('index')] + 'tfrecord') == header['bytes']:
                return header, offsets
            raise CorpusError('%s does not fit its shard; remove both, and build the corpus again' % path)
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, CorpusError):
            raise
    raise CorpusError('%s is damaged; remove it, and build the corpus again' % path)


def _header(path):
    """What the index of a whole shard says; None where there is none, or it is damaged: it can be made again."""
    try:
        return read_index(path)[0]
    except (CorpusError, EnvironmentError):
        return None


def read_corpus_json(directory):
    """The content of corpus.json; CorpusError if there is none, or it is not one."""
    path = os.path.join(directory, CORPUS)
    if not os.path.exists(path):
        raise CorpusError('%s has no %s: it is no corpus, or was not finished; build it with bert4keras corpus'
                          % (directory, CORPUS))
    try:
        with io.open(path, 'rb') as stream:
            content = json.loads(stream.read().decode('ascii'))
        if isinstance(content, dict) and isinstance(content['shards'], int):
            return content
    except (ValueError, KeyError):
        pass
    raise CorpusError('%s is damaged; remove it, and build the corpus again' % path)


def _make_shards(blocks, shards, known, apply, progress):
    """Makes what is not there yet; returns what the index of each shard says, in their order."""
    headers, begun = {}, []

    def tasks():
        for block in blocks:
            text, header = block.digest(), shards.header(block.index)
            if header and (header['text'], header['options']) == (text, shards.options):
                headers[block.index] = header
                progress(block.consumed)
            elif known and (header or block.index >= known['shards']):
                raise CorpusError('%s has a finished corpus of other text; give another directory, or remove it'
                                  % shards.output)
            else:
                begun.append((block.index, block.consumed))
                yield block, text

    with contextlib.closing(apply(shards, tasks())) as results:
        for number, header in results:
            index, consumed = begun[number]
            headers[index] = header
            progress(consumed)
    return [headers[index] for index in sorted(headers)]


def _apply(shards, tasks, workers):
    """Yields (number of the task, header), by processes or here."""
    if workers == 0:
        for number, task in enumerate(tasks):
            yield number, shards(task)
        return
    try:
        with contextlib.closing(parallel_apply_generator(shards, tasks, workers or cores(), 1,
                                                         random_seeds=False)) as results:
            for result in results:
                yield result
    except WorkerError as error:
        raise CorpusError('%s. The shards that are finished stay: run it again, maybe with fewer workers' % error)


def cores():
    """The number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else multiprocessing.cpu_count()


def _finish(output, options, headers, lines, tokenizer):
    """Writes corpus.json; removes shards of an earlier run on more text, and locks of killed workers."""
    for name in os.listdir(output):
        found = _OURS.match(name)
        if found and int(found.group(1)) >= len(headers) or _LEFT.match(name):
            os.remove(os.path.join(output, name))
    content = dict(options, shards=len(headers), shard_rows=[header['rows'] for header in headers], lines=lines.count,
                   repeated_lines_share=round(lines.repeated_share(), 4),
                   bytes_of_id=np.dtype(id_type(options)).itemsize)
    for name in _COUNTS:
        content[name] = sum(header[name] for header in headers)
    if not content['rows']:
        if options['mode'] == 'albert':
            raise CorpusError('no document has two tokens, of which mode albert makes a pair: use mode roberta')
        raise CorpusError('no text has a token')
    content['padding_share'] = round(1 - content['tokens'] / (content['rows'] * options['length']), 4)
    content['special_ids'] = {'pad': tokenizer.token_pad_id, 'cls': tokenizer.token_cls_id,
                              'sep': tokenizer.token_sep_id, 'mask': tokenizer.token_mask_id}
    with whole_file(os.path.join(output, CORPUS)) as stream:
        stream.write((json.dumps(content, indent=1, sort_keys=True, separators=(',', ': ')) + '\n').encode('ascii'))
    return content
