# -*- coding: utf-8 -*-
"""How fast texts become ids, on one core: ours and the tokenizers that people use.

    python benchmarks/tokenizing.py [--rounds 5] [--peer-path keras-bert=DIR] [--peer-path bert4keras-0.11.5=DIR] ...

Writes benchmarks/tokenizing.md, the README's copy of it, and tokenizing.png. English and Chinese are real lines
(tests/helpers/real_text.py), each there once. Every peer runs in a process of its own, all on one core and in turn:
in each round each peer gets the same lines, which it has not seen before; before the first round it gets as
many to warm up. Measured is the processor time of the process; the table has the medians of the rounds, and
tokens of Google's ids. "Same ids" compares every line with ours. What cannot be imported is left out and
named; a peer that is not installed beside the others is found with --peer-path, such as a folder that
`pip install --no-deps --target DIR keras-bert==0.89.0` filled.
The worst cases are texts of one million characters; their time per character is divided by the same
tokenizer's on the English lines.
"""
from __future__ import absolute_import, division, print_function

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 64


def each(encode):
    """From one text at a time."""
    return lambda lines: [encode(line) for line in lines]


def batches(encode):
    """From lists of 64 texts."""
    return lambda lines: [row for start in range(0, len(lines), BATCH) for row in encode(lines[start:start + BATCH])]


def ours(vocab):
    from bert4keras.tokenizer import Tokenizer
    tokenizer = Tokenizer(vocab, case_sensitive=False)
    return each(lambda line: tokenizer.encode(line)[0])


def ours_batch(vocab):
    from bert4keras.tokenizer import Tokenizer
    tokenizer = Tokenizer(vocab, case_sensitive=False)
    return batches(lambda lines: tokenizer.encode_batch(lines)[0])


def rust(vocab):
    import tokenizers
    tokenizer = tokenizers.BertWordPieceTokenizer(vocab, lowercase=True)
    return each(lambda line: tokenizer.encode(line).ids)


def rust_batch(vocab):
    import tokenizers
    tokenizer = tokenizers.BertWordPieceTokenizer(vocab, lowercase=True)
    return batches(lambda lines: [row.ids for row in tokenizer._tokenizer.encode_batch_fast(lines)])


def transformers(vocab):
    import transformers as library
    tokenizer = library.BertTokenizer(vocab=load(vocab), do_lower_case=True)
    return batches(lambda lines: tokenizer(lines)['input_ids'])


def tensorflow_text(vocab):
    import tensorflow as tf
    import tensorflow_text as library
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tokenizer = library.FastBertTokenizer(list(load(vocab)), token_out_type=tf.int32, lower_case_nfd_strip_accents=True)
    return batches(lambda lines: tokenizer.tokenize(lines).to_list())


def keras_bert(vocab):
    import keras_bert as library
    tokenizer = library.Tokenizer(load(vocab))
    return each(lambda line: tokenizer.encode(line)[0])


def old_bert4keras(vocab):
    from bert4keras.tokenizers import Tokenizer
    tokenizer = Tokenizer(vocab, do_lower_case=True)
    return each(lambda line: tokenizer.encode(line)[0])


def google(vocab):
    import tensorflow
    sys.modules['tensorflow'] = tensorflow.compat.v1  # it was written for TensorFlow 1
    from bert.tokenization import FLAGS, FullTokenizer
    FLAGS(['benchmark'])
    tokenizer = FullTokenizer(vocab, do_lower_case=True)
    return each(lambda line: tokenizer.convert_tokens_to_ids(tokenizer.tokenize(line)))


def ours_sentencepiece(model):
    from bert4keras.tokenizer import SpTokenizer
    tokenizer = SpTokenizer(model)
    return each(lambda line: tokenizer.encode(line)[0])


PEERS = [('ours, encode_batch', ours_batch), ('ours, encode', ours), ('tensorflow_text', tensorflow_text),
         ('Rust tokenizers, encode_batch_fast', rust_batch), ('Rust tokenizers, encode', rust),
         ('transformers', transformers), ('keras-bert', keras_bert), ('bert4keras-0.11.5', old_bert4keras),
         ('google-research/bert', google)]
SAFE = {'ours': ours, 'ours, SentencePiece': ours_sentencepiece, 'Rust tokenizers': rust}


def load(vocab):
    """Token to id, in order; written here because 0.11.5 has this project's name."""
    with io.open(vocab, encoding='utf-8', newline='\n') as stream:
        return {line.rstrip('\r\n'): number for number, line in enumerate(stream)}


def worst_cases(size=10 ** 6):
    """Texts of a million characters that a tokenizer might be slow on."""
    random.seed(5)
    words = [''.join(random.choice('abcdefghijklmnopqrstuvwxyz') for _ in range(200)) for _ in range(size // 201)]
    return [('one word', u'a' * size), ('combining marks', u'\u0301' * size), ('punctuation', u'.' * size),
            ('Han', u'\u4e2d' * size), ('U+0000', u'\0' * size), ('emoji', u'\U0001f600' * size),
            ('distinct words of 200', u' '.join(words))]


def work(peer, vocab):
    """In a process of its own: answers each line of stdin, the path of a JSON list of lines, with its figures."""
    encode = dict(PEERS, **SAFE)[peer](vocab)
    answers = os.fdopen(os.dup(1), 'w')
    print('ready', file=answers, flush=True)
    while True:
        path = sys.stdin.readline().strip()
        if not path:
            return
        with io.open(path, encoding='utf-8') as stream:
            lines = json.load(stream)
        started = time.process_time()
        rows = encode(lines)
        seconds = time.process_time() - started
        sums = [zlib.crc32(json.dumps(strip([int(number) for number in row])).encode()) for row in rows]
        print(json.dumps({'seconds': seconds, 'sums': sums}), file=answers, flush=True)


def strip(row):
    """The ids without [CLS], [SEP] and padding, which not all peers add: the same ids in both vocabularies."""
    row = [number for number in row if number]
    return row[1:-1] if row[:1] == [101] and row[-1:] == [102] else row


class Worker(object):
    """A peer in its process."""

    def __init__(self, peer, vocab, folders):
        path = [folders[peer]] if peer in folders else []
        path += [] if peer == 'bert4keras-0.11.5' else [os.path.join(HERE, '..')]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path), TF_KERAS='1', TF_USE_LEGACY_KERAS='1',
                           RAYON_NUM_THREADS='1', TOKENIZERS_PARALLELISM='false', TF_CPP_MIN_LOG_LEVEL='3')
        self.peer, self.errors = peer, tempfile.TemporaryFile(mode='w+')
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), '--work', peer, vocab],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        universal_newlines=True, env=environment)
        self.listen()

    def listen(self):
        """The next line that is meant for us; ImportError with its last word if the process ended."""
        for line in self.process.stdout:
            if line.startswith(('ready', '{"seconds"')):
                return line
        self.process.wait()
        self.errors.seek(0)
        raise ImportError('%s left out: %s' % (self.peer, (self.errors.read().strip() or '?').splitlines()[-1]))

    def encode(self, path):
        """(seconds, checksum of each line's ids)."""
        self.process.stdin.write(path + '\n')
        self.process.stdin.flush()
        answer = json.loads(self.listen())
        return answer['seconds'], answer['sums']

    def stop(self):
        """Ends the process."""
        self.process.stdin.write('\n')
        self.process.communicate()


def median(numbers):
    return sorted(numbers)[len(numbers) // 2]


def save(folder, name, lines):
    path = os.path.join(folder, name + '.json')
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write(json.dumps(lines))
    return path


def compare(vocab, lines, rounds, folders, folder):
    """{peer: (M tokens/s, share of lines with our ids)} on these lines."""
    parts = [save(folder, 'part%d' % index, lines[index::rounds + 1]) for index in range(rounds + 1)]
    count = count_tokens(vocab, lines, rounds)
    workers, results = {}, {}
    for peer, _ in PEERS:
        try:
            workers[peer] = Worker(peer, vocab, folders)
        except ImportError as error:
            print(error)
    for index, part in enumerate(parts):
        answers = {}
        for peer, worker in list(workers.items()):
            try:
                answers[peer] = worker.encode(part)
            except ImportError as error:
                print(error)
                del workers[peer]
        for peer, (seconds, sums) in answers.items() if index else ():
            same = sum(left == right for left, right in zip(sums, answers['ours, encode'][1])) / len(sums)
            results.setdefault(peer, []).append((count[index] / seconds / 1e6, same))
    for worker in workers.values():
        worker.stop()
    return {peer: tuple(map(median, zip(*runs))) for peer, runs in results.items()}


def count_tokens(vocab, lines, rounds):
    """The tokens of each part, without special ones."""
    encode = ours(vocab)
    return [sum(len(row) - 2 for row in encode(lines[index::rounds + 1])) for index in range(rounds + 1)]


def compare_worst(vocab, model, lines, rounds, folder):
    """{tokenizer: {case: time per character, of that on the English lines}}, medians."""
    cases = [('ordinary', lines)] + [(name, [text]) for name, text in worst_cases()]
    paths = [(name, save(folder, name, texts), sum(map(len, texts))) for name, texts in cases]
    results = {}
    for peer in SAFE:
        if 'Sentence' in peer and not os.path.exists(model):
            continue
        worker, runs = Worker(peer, model if 'Sentence' in peer else vocab, {}), {}
        for _ in range(rounds + 1):
            for name, path, size in paths:
                runs.setdefault(name, []).append(worker.encode(path)[0] / size)
        worker.stop()
        results[peer] = {name: median(run[1:]) / median(runs['ordinary'][1:]) for name, run in runs.items()}
    return results


def write_table(english, chinese, worst):
    """The Markdown that the README shows."""
    titles = 'one core, ids out | English, M tokens/s | of Rust | same ids | Chinese, M tokens/s | of Rust | same ids'
    rows = ['| %s |' % titles,
            '|---|---|---|---|---|---|---|']
    for peer, _ in PEERS:
        cells = []
        for results in (english, chinese):
            speed, same = results.get(peer, (0, 0))
            times = speed / results['Rust tokenizers, encode'][0]
            cells += ['%.2f' % speed, '%.1f' % times, '%.4g%%' % (100 * same)] if speed else ['', '', '']
        if any(cells):
            rows.append('| %s | %s |' % (peer, ' | '.join(cells)))
    names = [name for name, _ in worst_cases()]
    rows += ['', '| a million characters of | ' + ' | '.join(names) + ' |', '|---' * (len(names) + 1) + '|']
    for peer, times in worst.items():
        rows.append('| %s | %s |' % (peer, ' | '.join('%.2f' % times[name] for name in names)))
    text = '\n'.join(rows) + '\n'
    with io.open(os.path.join(HERE, 'tokenizing.md'), 'w', encoding='utf-8') as stream:
        stream.write(text)
    path = os.path.join(HERE, '..', 'README.md')
    with io.open(path, encoding='utf-8') as stream:
        before, rest = stream.read().split('<!-- tokenizing.md -->\n')
    after = rest.split('<!-- end of tokenizing.md -->')[1]
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write('%s<!-- tokenizing.md -->\n%s<!-- end of tokenizing.md -->%s' % (before, text, after))
    print(text)


def draw(english, chinese):
    """The bars of both languages."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.6), sharey=True)
    for axis, name, results in zip(axes, ('English', 'Chinese'), (english, chinese)):
        peers = [peer for peer, _ in PEERS if peer in results][::-1]
        axis.barh(peers, [results[peer][0] for peer in peers],
                  color=['#d62728' if peer.startswith('ours') else '#7f7f7f' for peer in peers])
        axis.set_xlabel('%s: million tokens a second, one core' % name)
    figure.tight_layout()
    figure.savefig(os.path.join(HERE, 'tokenizing.png'), dpi=100)


def main():
    """Runs everything and writes table and plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--peer-path', action='append', default=[], help='PEER=DIR, as often as needed')
    args = parser.parse_args()
    sys.path.insert(0, os.path.join(HERE, '..'))
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # its children inherit it
    from bert4keras.cli import find_demo_weights
    from tests.helpers.official import find_official
    from tests.helpers.real_text import chinese_lines, english_lines
    official = find_official() or sys.exit('BERT4KERAS_OFFICIAL does not name the official files')
    folders = dict(option.split('=', 1) for option in args.peer_path)
    vocab = os.path.join(find_demo_weights(), 'vocab.txt')
    lines, folder = [english_lines(), chinese_lines()], tempfile.mkdtemp()
    for part in lines:
        random.Random(7).shuffle(part)
    english = compare(vocab, lines[0], args.rounds, folders, folder)
    chinese = compare(os.path.join(official, 'google_bert_zh', 'vocab.txt'), lines[1], args.rounds, folders, folder)
    worst = compare_worst(vocab, os.path.join(official, 'google_albert_en', '30k-clean.model'), lines[0], args.rounds,
                          folder)
    write_table(english, chinese, worst)
    draw(english, chinese)


if __name__ == '__main__':
    if sys.argv[1:2] == ['--work']:
        work(*sys.argv[2:])
    else:
        main()
