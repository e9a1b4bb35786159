# -*- coding: utf-8 -*-
"""What is made of texts: vectors, token ids, and rows of a corpus; and the texts themselves.

`embed_...`, `tokenize_...` and `corpus_...` are like `prepare_...` of models.py, but doing the work once returns how
much was done: texts, or tokens (of worst cases characters). `make_data` writes what they work on, the `data` of a job,
a JSON file: model, vocab, parts (lists of lines, a part for each time that the work is done), amounts of each part.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import gzip
import io
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import zlib

import numpy as np

__all__ = ['SAFE', 'WORST', 'make_data', 'paragraphs']

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 64
# texts of a million characters that a tokenizer might be slow on: their names, and what makes them of a length
WORST = {'one word': lambda size: 'a' * size, 'combining marks': lambda size: '\u0301' * size,
         'punctuation': lambda size: '.' * size, 'Han': lambda size: '\u4e2d' * size,
         'U+0000': lambda size: '\0' * size, 'emoji': lambda size: '\U0001f600' * size,
         'words of 200': lambda size: ' '.join(random_word(200) for _ in range(size // 201))}
# the contenders that take not much longer for those than for others
SAFE = ('ours', 'ours-sentencepiece', 'rust', 'transformers')


# ------------------------------------------------------------------ texts

def random_word(length, draw=random.Random(5)):
    return ''.join(draw.choice('abcdefghijklmnopqrstuvwxyz') for _ in range(length))


def verses():
    """The lines of text/kings.txt.gz that are not empty."""
    with gzip.open(os.path.join(HERE, 'text', 'kings.txt.gz')) as stream:
        return [line for line in stream.read().decode('utf-8').splitlines() if line]


def paragraphs(count, seed=0):
    """So many paragraphs of one to six verses each, all of them different."""
    draw, lines, found = np.random.RandomState(seed), iter(verses()), []
    while len(found) < count:
        found.append(' '.join(itertools.islice(lines, int(draw.randint(1, 7)))))
        if not found[-1]:
            raise ValueError('there are %d paragraphs, not %d' % (len(found) - 1, count))
    return found


def make_data(args, shape, path):
    """Writes the texts of a task as JSON.

    Args:
        args: of the command: task, rounds, quick, texts, megabytes.
        shape: of 'embed' paragraphs or verses, which are a quarter as long; of 'tokenize' english, chinese or a name in
            WORST; of 'corpus' its mode.
        path: of the file; a corpus' text goes beside it.
    """
    from bert4keras.cli import find_demo_weights
    model = find_demo_weights()
    data = {'model': model, 'vocab': os.path.join(model, 'vocab.txt')}
    if args.task == 'embed':
        count = 8 if args.quick else args.texts
        parts = [paragraphs(count) if shape == 'paragraphs' else verses()[:count]] * 2
        data.update(parts=parts, amounts=[len(part) for part in parts])
    elif args.task == 'tokenize':
        data.update(lines_to_tokenize(shape, 2 + args.rounds, data['vocab'], args.quick))
    else:
        data.update(mode=shape, text=path + '.txt')
        size = 1 << 16 if args.quick else args.megabytes << 20
        with io.open(data['text'], 'w', encoding='utf-8') as stream:
            for line in itertools.cycle(with_documents()):
                stream.write(line + '\n')
                if stream.tell() > size:
                    break
    with io.open(path, 'w', encoding='ascii') as stream:
        stream.write('%s' % json.dumps(data))


def with_documents():
    """Verses, an empty line after every 20."""
    return [line for start, group in enumerate(verses()) for line in ([group] if start % 20 else ['', group])][1:]


def lines_to_tokenize(shape, count, vocab, quick):
    """{vocab, sentencepiece, parts, amounts}: lines that are not seen twice, or a worst case again and again."""
    from tests.helpers.official import find_official
    found = {'vocab': vocab}
    official = find_official()
    if official:
        found['sentencepiece'] = os.path.join(official, 'google_albert_en', '30k-clean.model')
    if shape in WORST:
        text = WORST[shape](1000 if quick else 10 ** 6)
        return dict(found, parts=[[text]] * count, amounts=[len(text)] * count)
    from tests.helpers.real_text import chinese_lines, english_lines
    if shape == 'chinese':
        if not official:
            raise SystemExit('Chinese texts and their vocabulary are in the official files, which BERT4KERAS_OFFICIAL '
                             'does not name: leave --shapes chinese out')
        found['vocab'] = os.path.join(official, 'google_bert_zh', 'vocab.txt')
    lines = chinese_lines() if shape == 'chinese' else english_lines()
    random.Random(7).shuffle(lines)
    lines = lines[:20 * count] if quick else lines
    parts = [lines[index::count] for index in range(count)]
    return dict(found, parts=parts, amounts=[count_tokens(found['vocab'], part) for part in parts])


def count_tokens(vocab, lines):
    """The tokens of lines, without special ones and padding."""
    return sum(len(row) - 2 for row in ours_one(vocab)(lines))


def read_data(job):
    """What `make_data` wrote."""
    with io.open(job['data'], encoding='ascii') as stream:
        return json.load(stream)


# ------------------------------------------------------------------ vectors

def embedding(job, encode):
    """(the work, the vectors) of a function from texts to vectors."""
    texts, made = read_data(job)['parts'][0], []

    def work():
        made[:] = [encode(texts)]
        return len(texts)
    return work, lambda: np.asarray(made[0], 'float32')


def embed_ours(job):
    """Embedder, on the engine that KERAS_BACKEND names."""
    from bert4keras.embedding import Embedder

    def make():
        return embedding(job, Embedder(read_data(job)['model'], precision=job['dtype']).encode)
    return make


def embed_ours_medium(job):
    """The same on PyTorch with products that the processor may take in bfloat16."""
    import torch
    torch.set_float32_matmul_precision('medium')
    return embed_ours(job)


def embed_sentence_transformers(job, precision='highest'):
    """sentence-transformers; bfloat16 is its weights' type."""
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_float32_matmul_precision(precision)

    def make():
        half = {'model_kwargs': {'dtype': torch.bfloat16}} if job['dtype'] == 'bfloat16' else {}
        model = SentenceTransformer(read_data(job)['model'], device='cuda' if job['device'] == 'gpu' else 'cpu', **half)

        def encode(texts):
            return model.encode(texts, convert_to_tensor=True).float().cpu().numpy()
        return embedding(job, encode)
    return make


def embed_sentence_transformers_medium(job):
    """The same with products that the processor may take in bfloat16."""
    return embed_sentence_transformers(job, 'medium')


# ------------------------------------------------------------------ token ids

def strip(row):
    """The ids without [CLS], [SEP] and padding, which not all add: the same ids in both vocabularies."""
    row = [int(number) for number in row if number]
    return row[1:-1] if row[:1] == [101] and row[-1:] == [102] else row


def each(encode):
    """From one text at a time."""
    return lambda lines: [encode(line) for line in lines]


def batches(encode):
    """From lists of 64 texts."""
    return lambda lines: [row for start in range(0, len(lines), BATCH) for row in encode(lines[start:start + BATCH])]


def load(vocab):
    """Token to id, in order; written here because 0.11.5 has this project's name."""
    with io.open(vocab, encoding='utf-8', newline='\n') as stream:
        return {line.rstrip('\r\n'): number for number, line in enumerate(stream)}


def tokenizing(make_encode, key='vocab'):
    """A `tokenize_...` of a function from the path of a vocabulary to one from lines to rows of ids."""
    def prepare(job):
        data = read_data(job)
        encode = make_encode(data[key])

        def make():
            turns, rows = iter(zip(data['parts'], data['amounts'])), []

            def work():
                lines, amount = next(turns)
                rows[:] = encode(lines)
                return amount
            return work, lambda: [zlib.crc32(json.dumps(strip(row)).encode('ascii')) for row in rows]
        return make
    return prepare


def ours(vocab):
    from bert4keras.tokenizer import Tokenizer
    tokenizer = Tokenizer(vocab, case_sensitive=False)
    return batches(lambda lines: tokenizer.encode_batch(lines)[0])


def ours_one(vocab):
    from bert4keras.tokenizer import Tokenizer
    tokenizer = Tokenizer(vocab, case_sensitive=False)
    return each(lambda line: tokenizer.encode(line)[0])


def ours_sentencepiece(model):
    from bert4keras.tokenizer import SpTokenizer
    tokenizer = SpTokenizer(model)
    return each(lambda line: tokenizer.encode(line)[0])


def rust(vocab):
    import tokenizers
    tokenizer = tokenizers.BertWordPieceTokenizer(vocab, lowercase=True)
    return batches(lambda lines: [row.ids for row in tokenizer._tokenizer.encode_batch_fast(lines)])


def rust_one(vocab):
    import tokenizers
    tokenizer = tokenizers.BertWordPieceTokenizer(vocab, lowercase=True)
    return each(lambda line: tokenizer.encode(line).ids)


def transformers(vocab):
    import transformers as library
    tokenizer = library.BertTokenizer(vocab=load(vocab), do_lower_case=True)
    return batches(lambda lines: tokenizer(lines)['input_ids'])


def tensorflow_text(vocab):
    import tensorflow as tf
    import tensorflow_text as library
    tokenizer = library.FastBertTokenizer(list(load(vocab)), token_out_type=tf.int32, lower_case_nfd_strip_accents=True)
    return batches(lambda lines: tokenizer.tokenize(lines).to_list())


def keras_bert(vocab):
    import keras_bert as library
    tokenizer = library.Tokenizer(load(vocab))
    return each(lambda line: tokenizer.encode(line)[0])


def early(vocab):
    from bert4keras.tokenizers import Tokenizer
    tokenizer = Tokenizer(vocab, do_lower_case=True)
    if hasattr(tokenizer, 'encode_batch'):
        raise ImportError('this is not 0.11.5: name its folder by --path bert4keras-0.11.5=DIRECTORY')
    return each(lambda line: tokenizer.encode(line)[0])


def google(vocab):
    import tensorflow
    sys.modules['tensorflow'] = tensorflow.compat.v1  # it was written for TensorFlow 1
    from bert.tokenization import FLAGS, FullTokenizer
    FLAGS(['benchmark'])
    tokenizer = FullTokenizer(vocab, do_lower_case=True)
    return each(lambda line: tokenizer.convert_tokens_to_ids(tokenizer.tokenize(line)))


tokenize_ours, tokenize_ours_one, tokenize_early = tokenizing(ours), tokenizing(ours_one), tokenizing(early)
tokenize_ours_sentencepiece = tokenizing(ours_sentencepiece, 'sentencepiece')
tokenize_rust, tokenize_rust_one = tokenizing(rust), tokenizing(rust_one)
tokenize_transformers = tokenizing(transformers)
tokenize_tensorflow_text, tokenize_keras_bert = tokenizing(tensorflow_text), tokenizing(keras_bert)
tokenize_google = tokenizing(google)


# ------------------------------------------------------------------ rows of a corpus

LENGTH, PREDICTIONS = 128, 20


def corpus_ours(job):
    """`bert4keras corpus`, with a process for each core."""
    from bert4keras.pretraining.corpus import build_corpus
    data = read_data(job)
    output, workers = os.path.join(job['directory'], 'corpus'), len(os.sched_getaffinity(0))

    def make():
        def work():
            shutil.rmtree(output, ignore_errors=True)
            return build_corpus([data['text']], data['vocab'], output, data['mode'], LENGTH, workers)['text_tokens']
        return work, None
    return make


def corpus_google(job):
    """create_pretraining_data.py, which masks each text once; its package names the folder. It does `bert` alone."""
    import bert
    data = read_data(job)
    if data['mode'] != 'bert':
        raise ValueError('create_pretraining_data.py makes rows of pairs only: --shapes bert')
    script = os.path.join(os.path.dirname(bert.__file__), 'create_pretraining_data.py')
    with io.open(data['text'], encoding='utf-8') as stream:
        tokens = count_tokens(data['vocab'], [line.strip() for line in stream if line.strip()])
    command = [sys.executable, script, '--input_file', data['text'], '--vocab_file', data['vocab'], '--output_file',
               os.path.join(job['directory'], 'google.tfrecord'), '--max_seq_length', str(LENGTH),
               '--max_predictions_per_seq', str(PREDICTIONS), '--dupe_factor', '1']

    def make():
        def work():
            subprocess.check_call(command, env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)))
            return tokens
        return work, None
    return make
