# -*- coding: utf-8 -*-
"""Rows to pretrain on, made by Google's script and by ours: time, memory, and whether they are alike.

    python benchmarks/google_corpus.py --vocab VOCAB --google DIR [--text FILE] [--megabytes 2]

DIR has bert-tensorflow 1.0.4 (`pip install --no-deps --target DIR bert-tensorflow==1.0.4`; it needs TensorFlow
1.15). Google's create_pretraining_data.py works on a part of the text, and so does ours with --google-pairs and
single tokens masked, both to Google's files, five times masked. Printed are processor and wall seconds and the
largest resident memory of one of the processes; then shares and lengths of both, and their difference in standard
errors. These come from twelve runs of ours with different seeds, as rows of one document are not independent:
Google's rule draws one length for all of them. The text is by default that of the docstrings of all that is
installed beside the running Python, each paragraph once and an empty line after every 20. How fast `bert4keras
corpus` is in each mode: python -m benchmarks corpus.
"""
from __future__ import absolute_import, division, print_function

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, '..')
sys.path.insert(0, ROOT)
LENGTH, PREDICTIONS, COPIES, SEEDS = 128, 20, 5, 12
OURS = '''
import sys
from bert4keras.pretraining.corpus import build_corpus
from bert4keras.pretraining.export import export_google
text, vocab, output, seed = sys.argv[1:]
build_corpus([text], vocab, output, mode='bert', length=%d, workers=0, google_pairs=True, seed=int(seed))
export_google(output, output + '-google', 0, int(seed), %d, predictions=%d, whole_words=False)
'''


def docstrings(path):
    """Writes the paragraphs of all docstrings that can be found, each once, 20 a document."""
    seen = set()
    folders = {os.path.dirname(os.__file__), os.path.dirname(os.path.dirname(np.__file__))}
    with io.open(path, 'w', encoding='utf-8') as stream:
        for folder, _, names in (place for top in sorted(folders) for place in sorted(os.walk(top))):
            for name in sorted(name for name in names if name.endswith('.py')):
                with io.open(os.path.join(folder, name), encoding='utf-8', errors='ignore') as source:
                    for docstring in re.findall('"""(.*?)"""', source.read(), re.DOTALL):
                        for part in re.split(r'\n\s*\n', docstring):
                            line = u' '.join(part.split())
                            if len(line) > 40 and line not in seen:
                                seen.add(line)
                                stream.write(line + (u'\n\n' if len(seen) % 20 == 0 else u'\n'))
    return path


def run(*command, **options):
    """(processor seconds, wall seconds, MB of the largest process) of a command."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([ROOT] + options.get('path', [])),
                       TF_CPP_MIN_LOG_LEVEL='3', CUDA_VISIBLE_DEVICES='')
    started = time.time()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([sys.executable] + list(command), env=environment, stdout=errors, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            errors.seek(0)
            sys.exit(errors.read().decode('utf-8', 'replace')[-3000:])
    return usage.ru_utime + usage.ru_stime, time.time() - started, usage.ru_maxrss / 1024.


def statistics(paths, vocab):
    """{what: its value for each row} of files of Google's."""
    from bert4keras.pretraining.records import decode_example, read_records
    from bert4keras.tokenizer import Tokenizer
    tokens = Tokenizer(vocab)._token_dict_inv
    found = {}

    def add(name, value):
        found.setdefault(name, []).append(value)

    for data in (data for path in paths for data in read_records(path)):
        row = decode_example(data)
        count, length = int(sum(row['masked_lm_weights'])), sum(row['input_mask'])
        positions, ids = row['masked_lm_positions'][:count], row['masked_lm_ids'][:count]
        new = [row['input_ids'][position] for position in positions]
        add('tokens of a row', length)
        add('tokens of A', length - sum(row['segment_ids']))
        add('full rows', length == LENGTH)
        add('label 1', row['next_sentence_labels'][0])
        add('masked of the tokens', count / length)
        add('of them [MASK]', sum(tokens[token] == '[MASK]' for token in new) / count)
        add('of them kept', sum(token == old for token, old in zip(new, ids)) / count)
        add('of them begin with ##', sum(tokens[token].startswith('##') for token in ids) / count)
        add('mean place of the masks', sum(positions) / count / length)
    return {name: np.array(values, float) for name, values in found.items()}


def beside_google(text, vocab, folder, google):
    """Prints time, memory and statistics of both."""
    script, theirs = os.path.join(google, 'bert', 'create_pretraining_data.py'), os.path.join(folder, 'google.tfrecord')
    figures = {'Google': run(script, '--input_file', text, '--output_file', theirs, '--vocab_file', vocab,
                             '--max_seq_length', str(LENGTH), '--max_predictions_per_seq', str(PREDICTIONS),
                             '--dupe_factor', str(COPIES), path=[google])}
    output = os.path.join(folder, 'ours')
    figures['ours'] = run('-c', OURS % (LENGTH, COPIES, PREDICTIONS), text, vocab, output, '0')
    print('\n| | CPU s | wall s | MB |\n|---|---|---|---|')
    for name in ('Google', 'ours'):
        print('| %s | %.1f | %.1f | %.0f |' % ((name,) + figures[name]))
    theirs, ours = statistics([theirs], vocab), []
    for seed in range(SEEDS):
        run('-c', OURS % (LENGTH, 1, PREDICTIONS), text, vocab, output + str(seed), str(seed))
        folder = output + str(seed) + '-google'
        ours.append(statistics([os.path.join(folder, name) for name in os.listdir(folder)], vocab))
    print('\n| | Google | ours | standard errors apart |\n|---|---|---|---|')
    for name in ('rows of a copy', 'tokens of a row', 'tokens of A', 'full rows', 'label 1', 'masked of the tokens',
                 'of them [MASK]', 'of them kept', 'of them begin with ##', 'mean place of the masks'):
        if name == 'rows of a copy':
            left, right = len(theirs['label 1']) / COPIES, np.array([len(found['label 1']) for found in ours])
        else:
            left, right = theirs[name].mean(), np.array([found[name].mean() for found in ours])
        error = right.std(ddof=1) * (1 / COPIES + 1 / SEEDS) ** 0.5
        print('| %s | %.4f | %.4f | %.1f |' % (name, left, right.mean(), abs(left - right.mean()) / error))


def main():
    """Runs everything and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--vocab', required=True)
    parser.add_argument('--google', required=True)
    parser.add_argument('--text')
    parser.add_argument('--megabytes', type=int, default=2)
    args = parser.parse_args()
    folder = tempfile.mkdtemp()
    try:
        text, part = args.text or docstrings(os.path.join(folder, 'text.txt')), os.path.join(folder, 'part.txt')
        with io.open(text, 'rb') as stream, io.open(part, 'wb') as writer:
            writer.write(stream.read(args.megabytes << 20).rsplit(b'\n', 1)[0] + b'\n')
        beside_google(part, args.vocab, folder, args.google)
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    main()
