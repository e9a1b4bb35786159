# -*- coding: utf-8 -*-
"""Runs keras-bert 0.89's own tests against keras-bert and against the drop-in, in this environment.

    TF_KERAS=1 [TF_USE_LEGACY_KERAS=1] python -m parity.keras_bert_own_tests

The tests come out of keras-bert's source distribution, which pip fetches from PyPI now and which is
not kept; keras-bert itself and its companions must be installed. What the tests want and the
distribution lacks is made: `test_checkpoint`, by our writer, and the archive that they would download,
behind a file URL. The saved model `test_bert_fit.h5` is used where the official files are; without it
that test trains from scratch. Exit code 0 if the drop-in passes every test.
"""
from __future__ import absolute_import, division, print_function

import glob
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree
import zipfile

from bert4keras.checkpoint import save_checkpoint
from tests.helpers.official import find_official
from tests.helpers.releases import random_variables

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)

CONFIG = {'vocab_size': 15, 'hidden_size': 4, 'num_hidden_layers': 2, 'num_attention_heads': 4, 'intermediate_size': 16,
          'max_position_embeddings': 16, 'type_vocab_size': 2, 'hidden_act': 'gelu'}
VOCAB = '[PAD] [UNK] [CLS] [SEP] all work and no play makes jack a dull boy ~'.split()
DROP_IN = '''import sys
from bert4keras import keras_bert
for name in ('', '.layers', '.datasets', '.optimizers', '.loader', '.bert', '.util'):
    sys.modules['keras_bert' + name] = keras_bert
'''
CONFTEST = '''from keras_bert.datasets import PretrainedList
PretrainedList.__test__ = PretrainedList.__test__._replace(url=%r)
'''


def fetch(folder):
    """Gets the source distribution from PyPI and returns the folder of its tests."""
    subprocess.check_call([sys.executable, '-m', 'pip', 'download', '-q', 'keras-bert==0.89.0', '--no-deps',
                           '--no-binary', ':all:', '-d', folder])
    with tarfile.open(glob.glob(os.path.join(folder, '*.tar.gz'))[0]) as archive:
        for member in archive.getmembers():
            parts = member.name.split('/')
            if member.isfile() and parts[1] == 'tests' and '..' not in parts and not member.name.startswith('/'):
                archive.extract(member, folder)
    return glob.glob(os.path.join(folder, '*', 'tests'))[0]


def prepare(tests, folder):
    """Makes the files that the tests want."""
    checkpoint = os.path.join(tests, 'test_checkpoint')
    os.mkdir(checkpoint)
    save_checkpoint(os.path.join(checkpoint, 'bert_model.ckpt'), random_variables(CONFIG))
    for name, text in (('bert_config.json', json.dumps(CONFIG)), ('vocab.txt', '\n'.join(VOCAB))):
        with io.open(os.path.join(checkpoint, name), 'w', encoding='utf-8') as file:
            file.write(u'%s' % text)
    if find_official():
        shutil.copy(os.path.join(find_official(), 'keras_bert_toy', 'test_bert_fit.h5'), tests)
    archive = os.path.join(folder, 'master.zip')
    with zipfile.ZipFile(archive, 'w') as file:
        file.writestr('keras-bert-master/README.md', 'a file')
    with io.open(os.path.join(tests, 'conftest.py'), 'w', encoding='utf-8') as file:
        file.write(u'%s' % CONFTEST % ('file://' + archive))
    package = os.path.join(folder, 'drop-in', 'keras_bert')
    os.makedirs(package)
    with io.open(os.path.join(package, '__init__.py'), 'w', encoding='utf-8') as file:
        file.write(u'%s' % DROP_IN)


def run(tests, folder, name, first_on_path):
    """Runs the tests; returns {name of test: whether it passed}."""
    home = tempfile.mkdtemp(dir=folder)  # Keras unpacks what it downloads there
    report = os.path.join(home, 'report.xml')
    path = [first_on_path, ROOT] if first_on_path else []
    environment = dict(os.environ, HOME=home, PYTHONPATH=os.pathsep.join(
        path + [part for part in os.environ.get('PYTHONPATH', '').split(os.pathsep) if part]))
    with io.open(os.path.join(folder, name + '.log'), 'wb') as log:
        subprocess.call([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--tb=short',
                         '--junitxml', report, tests], env=environment, stdout=log, stderr=log,
                        cwd=os.path.dirname(tests))
    return {case.get('classname').split('.')[-1] + '.' + case.get('name'):
            not any(child.tag in ('failure', 'error') for child in case)
            for case in xml.etree.ElementTree.parse(report).iter('testcase')}


def main():
    """Prints a line a test, and what failed of the drop-in; returns the exit code."""
    folder = tempfile.mkdtemp(prefix='keras-bert-tests-')
    try:
        tests = fetch(folder)
        prepare(tests, folder)
        theirs = run(tests, folder, 'keras-bert', None)
        ours = run(tests, folder, 'drop-in', os.path.join(folder, 'drop-in'))
        for name in sorted(set(ours) | set(theirs)):
            print('%-60s keras-bert %-6s  drop-in %s' % ((name,) + tuple(
                {True: 'passed', False: 'FAILED', None: '-'}[results.get(name)] for results in (theirs, ours))))
        print('keras-bert passes %d of %d, the drop-in %d of %d' % (sum(theirs.values()), len(theirs),
                                                                   sum(ours.values()), len(ours)))
        bad = sorted(name for name in set(ours) | set(theirs) if not ours.get(name))
        if bad:
            with io.open(os.path.join(folder, 'drop-in.log'), encoding='utf-8') as log:
                print(log.read()[-6000:])
        return 1 if bad or not ours else 0
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    sys.exit(main())
