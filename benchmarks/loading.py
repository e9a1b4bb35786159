# -*- coding: utf-8 -*-
"""What it costs to get a BERT-base-sized checkpoint (440 MB) from disk into a model that is ready.

    python benchmarks/loading.py [--runs 3] [--layers 12]

Peers, each in processes of its own, in turn: ours into Keras on the engine that KERAS_BACKEND names, from
the TensorFlow checkpoint; keras-bert 0.89 from the same checkpoint (needs tensorflow and tf_keras);
transformers from the same weights in Hugging Face's layout (needs torch; it no longer reads TensorFlow's).
What is not installed is left out. Measured inside each process, from behind its imports to the model's
last weight: CPU seconds of all threads, wall seconds, growth of anonymous memory (RssAnon) at the end and
at its peak, as the kernel counts it. The table has medians, and the ratio to ours.
"""
from __future__ import absolute_import, division, print_function

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..'))


def anonymous_memory():
    """RssAnon of this process, in bytes."""
    with open('/proc/self/status') as stream:
        return next(int(line.split()[1]) * 1024 for line in stream if line.startswith('RssAnon'))


class Peak(threading.Thread):
    """Looks at the anonymous memory every 5 ms, until `stop` is called."""

    def __init__(self):
        super(Peak, self).__init__()
        self.daemon, self.running, self.most = True, True, 0

    def run(self):
        while self.running:
            self.most = max(self.most, anonymous_memory())
            time.sleep(0.005)

    def stop(self):
        """The most that was seen."""
        self.running = False
        self.join()
        return max(self.most, anonymous_memory())


def prepare_ours():
    from bert4keras.bert import build_bert_model
    return lambda directory: build_bert_model(os.path.join(directory, 'tensorflow'), with_nsp=True, with_mlm=True)


def prepare_keras_bert():
    os.environ.update(TF_KERAS='1', TF_USE_LEGACY_KERAS='1')
    import tensorflow  # noqa: F401
    import tf_keras  # noqa: F401
    from keras_bert import load_trained_model_from_checkpoint
    return lambda directory: load_trained_model_from_checkpoint(
        os.path.join(directory, 'tensorflow', 'bert_config.json'),
        os.path.join(directory, 'tensorflow', 'bert_model.ckpt'), training=True)


def prepare_transformers():
    import torch  # noqa: F401
    from transformers import BertForPreTraining
    return lambda directory: BertForPreTraining.from_pretrained(os.path.join(directory, 'hugging-face'))


PEERS = {'ours': prepare_ours, 'keras-bert': prepare_keras_bert, 'transformers': prepare_transformers}


def measure(peer, directory):
    """In a process of its own: loads once and prints the figures as JSON."""
    load = PEERS[peer]()
    before, peak = anonymous_memory(), Peak()
    peak.start()
    wall, cpu = time.time(), time.process_time()
    model = load(directory)
    figures = {'cpu': time.process_time() - cpu, 'wall': time.time() - wall,
               'peak': peak.stop() - before, 'memory': anonymous_memory() - before}
    del model
    print('\n' + json.dumps(figures))


def make_release(directory, layers):
    """A BERT of base width with random weights, in both layouts; returns the bytes of its tensors."""
    from bert4keras.commands import convert
    from tests.helpers.releases import make_release as make
    source = os.path.join(directory, 'tensorflow')
    os.mkdir(source)
    _, variables = make(source, vocab_size=30522, hidden_size=768, num_hidden_layers=layers, num_attention_heads=12,
                        intermediate_size=3072, max_position_embeddings=512)
    convert(source, os.path.join(directory, 'hugging-face'))
    return sum(value.nbytes for value in variables.values())


def main():
    """Runs every peer in turn and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--layers', type=int, default=12)
    args = parser.parse_args()
    directory, results = tempfile.mkdtemp(), {}
    try:
        size = make_release(directory, args.layers)
        for run in range(args.runs + 1):  # the first one warms the disk's cache
            for peer in PEERS:
                command = [sys.executable, os.path.abspath(__file__), '--measure', peer, directory]
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                output, errors = process.communicate()
                if process.returncode:
                    print('%s left out: %s' % (peer, errors.decode('utf-8').strip().splitlines()[-1]))
                elif run:
                    results.setdefault(peer, []).append(json.loads(output.decode('utf-8').splitlines()[-1]))
    finally:
        shutil.rmtree(directory)
    from bert4keras.backend import describe
    print('%d MB of tensors, medians of %d runs; ours: %s' % (size // 10 ** 6, args.runs, describe()))
    print('%-14s%12s%12s%12s%22s%22s' % ('', 'CPU s', 'of ours', 'wall s', 'memory / checkpoint', 'peak / checkpoint'))
    for peer, runs in results.items():
        median = {key: float(np.median([run[key] for run in runs])) for key in runs[0]}
        ours = float(np.median([run['cpu'] for run in results['ours']]))
        print('%-14s%12.2f%12.1f%12.2f%22.2f%22.2f' % (peer, median['cpu'], median['cpu'] / ours, median['wall'],
                                                     median['memory'] / size, median['peak'] / size))


if __name__ == '__main__':
    if sys.argv[1:2] == ['--measure']:
        measure(*sys.argv[2:])
    else:
        main()
