# -*- coding: utf-8 -*-
"""The harness of benchmarks/: what it counts, refuses and prints; and that it runs, once, with ours alone."""
from __future__ import absolute_import, division, print_function

import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import tables
from benchmarks.work import batch, config_of, forward_operations, operations, parse_shape, peak_of, weight_bytes

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENGINE = os.environ.get('KERAS_BACKEND', 'jax')


def test_the_operations_of_bert_base():
    """Twice the weights of the products for each token, and twice 2 T D for attention's scores and sums."""
    config = config_of('base')
    weights = 12 * 7077888  # the matrices of BERT-base's blocks
    assert forward_operations(config, (8, 128)) == 2 * 1024 * weights + 12 * 1024 * 4 * 128 * 768
    assert operations('train', config, (2, 8)) == 3 * operations('forward', config, (2, 8))
    assert operations('load', config, None) is None
    assert weight_bytes(config) == 4 * (weights + (30522 + 512) * 768)


@pytest.mark.parametrize('text', ['8', '8x', '0x16', '8x513', '8x128x2', 'ax16'])
def test_a_shape_that_is_none(text):
    """Says so, with what it was given."""
    with pytest.raises(ValueError, match=text):
        parse_shape(text)


def test_batches():
    """Padding is at the end of rows, whose lengths go from half to all; without, there is none."""
    assert (batch((4, 16))[0] != 0).all()
    token_ids, segment_ids = batch((4, 16), padded=True)
    assert (token_ids != 0).sum(axis=1).tolist() == [8, 10, 13, 16] and not segment_ids.any()
    assert (np.diff((token_ids != 0).astype(int), axis=1) <= 0).all()


def line(contender, shape, median, date='2020-01-02', **changes):
    """A line of results."""
    return dict({'task': 'forward', 'size': 'base', 'dtype': 'float32', 'device': 'cpu', 'cores': 1, 'padded': False,
                 'hardware': 'a machine', 'contender': contender, 'title': contender.upper(), 'shape': shape,
                 'median': median, 'quartiles': [median * 0.9, median * 1.1], 'gflops': 100 / median, 'date': date,
                 'made_cpu_seconds': 1.5, 'first_cpu_seconds': 2.0, 'peak': 3.25e9}, **changes)


def test_the_table_has_the_newest_of_what_is_comparable():
    """A row for each contender, a column for each shape, sorted; another machine is another table."""
    lines = [line('a', '8x128', 4.0), line('a', '8x128', 0.5), line('a', '4x16', 1.0), line('b', '4x16', 2.0),
             line('b', '4x16', 1.0, hardware='another')]
    first, second = tables.markdown(lines).split('\n\nforward')[0], tables.markdown(lines).rsplit('forward', 1)[1]
    assert first.splitlines()[2:] == [
        '| | 4x16 GFLOP/s | 8x128 GFLOP/s | first, CPU s | GB |', '|---|---|---|---|---|',
        u'| A | 100 ± 10% | 200 ± 10% | 3.5 | 3.25 |', u'| B | 50 ± 10% |  | 3.5 | 3.25 |']
    assert 'another' in second and u'| B | 100 ± 10% |' in second


def test_the_page_and_the_readme_say_what_was_measured_on_a_gpu():
    """results.md is the table of the lines beside it; the README's milliseconds are theirs."""
    directory = os.path.join(ROOT, 'benchmarks', 'gpu')
    lines = tables.read(directory)
    with io.open(os.path.join(directory, 'results.md'), encoding='utf-8') as stream:
        assert stream.read() == tables.markdown(lines) + u'\n'
    spent = {(line['task'], line['contender']): 1000 * line['median'] for line in lines if line['shape'] == '64x128'}
    forward = ['%.1f' % spent['forward', name] for name in (
        'ours-jax', 'transformers', 'transformers-compiled', 'keras-hub-jax')]
    training = ['%.0f' % spent['train', name] for name in ('ours-jax', 'transformers', 'transformers-compiled')]
    for name in ('README.md', 'README.zh-CN.md'):
        with io.open(os.path.join(ROOT, name), encoding='utf-8') as stream:
            text = stream.read()
        end = text.index(u'benchmarks/gpu/results.md')
        figures = re.findall(r'[0-9.]+', text[text.rindex(u'H200', 0, end) + 4:end])
        assert [figure for figure in figures if figure in forward + training] == forward + training


def test_the_table_of_a_gpu():
    """In TFLOP/s, with the share of what the GPU can do, and its memory, not that of the process."""
    found = tables.markdown([line('a', '4x16', 0.01, device='gpu', gflops=494700.0, mfu=0.5, device_peak=2e9)])
    assert u'| | 4x16 TFLOP/s (MFU) |' in found and u'| A | 495 ± 10% (50%) | 3.5 | 2.00 |' in found
    assert peak_of('NVIDIA H100 80GB HBM3') == peak_of('NVIDIA H200') == 989.4e12
    assert peak_of('NVIDIA H100 PCIe') == 756e12 and peak_of('AMD EPYC, 2 cores') is None


if sys.version_info >= (3, 9):
    from benchmarks import __main__ as command
    from benchmarks.contenders import CONTENDERS, missing
    from benchmarks.process import Failed

    @pytest.mark.parametrize('words', ['forward --shapes 8', 'forward --cores 0', 'train --rounds 0',
                                       'forward --peers x'])
    def test_bad_arguments(words, capsys):
        """Exit code 2, before anything is made."""
        with pytest.raises(SystemExit) as error:
            command.parse(words.split())
        assert error.value.code == 2 and 'error' in capsys.readouterr().err

    def test_more_memory_than_there_is_is_refused(monkeypatch):
        """Training base takes eight times its weights, and what an engine takes; it says how many there is room for."""
        monkeypatch.setattr(command, 'available_memory', lambda: 1e10)
        args, contenders = command.parse(['train']), list(CONTENDERS.values())
        command.check_memory(args, contenders[:2])
        with pytest.raises(SystemExit, match='3 contenders need about .* at most 2 with --peers'):
            command.check_memory(args, contenders[:3])

    def test_who_is_not_installed_is_left_out_with_a_word(monkeypatch, capsys):
        """The package is named; and when nobody is left, that is an error."""
        gone = CONTENDERS['keras-bert']._replace(packages=('no_such_package',))
        monkeypatch.setitem(command.CONTENDERS, 'keras-bert', gone)
        assert missing(gone) == 'no_such_package'
        with pytest.raises(SystemExit, match='nobody is left'):
            command.chosen(command.parse(['forward', '--peers', 'keras-bert']))
        assert 'keras-bert is left out: no_such_package is not installed' in capsys.readouterr().out

    class Fake(object):
        """A process whose output is there."""

        def __init__(self, name, output, directory):
            self.contender, self.first, self.job, self.array = CONTENDERS[name], {}, {'directory': directory}, output
            np.save(os.path.join(directory, name + '.npy'), output)

        def output(self):
            return self.array

    def test_who_computes_something_else_is_not_timed(tmp_path):
        """Beyond rounding at a token that is there; what stands at padding is nobody's business."""
        args = command.parse(['forward', '--padded', '--shapes', '2x8'])
        right, wrong = np.zeros((2, 8, 3), 'float32'), np.zeros((2, 8, 3), 'float32')
        right[0, 7] = 5  # padding
        command.compare(args, [Fake('ours-jax', np.zeros((2, 8, 3), 'float32'), str(tmp_path)),
                               Fake('transformers', right, str(tmp_path))], (2, 8))
        wrong[1, 7] = 0.01
        with pytest.raises(SystemExit, match='transformers computes something else than ours-jax'):
            command.compare(args, [Fake('ours-jax', np.zeros((2, 8, 3), 'float32'), str(tmp_path)),
                                   Fake('transformers', wrong, str(tmp_path))], (2, 8))

    class Ending(object):
        """A process that ends when it has worked so many times."""

        def __init__(self, name, times):
            self.contender, self.times, self.rounds, self.ended = CONTENDERS[name], times, [], False

        def run(self, times):
            if not self.times:
                raise Failed('it ended')
            self.times -= 1
            self.rounds.append({'seconds': 0.5})

        def end(self):
            self.ended = True

    def test_who_ends_meanwhile_is_left_out(capsys):
        """Out of memory, say; the others are measured nevertheless, without the first time, which is not counted."""
        running = [Ending('ours-jax', 9), Ending('transformers', 2)]
        lasting, ending = running
        command.measure(command.parse(['train', '--rounds', '3']), running)
        assert running == [lasting] and len(lasting.rounds) == 3 and ending.ended and not lasting.ended
        assert 'transformers is left out: it ended' in capsys.readouterr().out

    @pytest.mark.parametrize('device, expected', [('cpu', (8, 128)), ('gpu', (64, 128))])
    def test_a_gpu_is_given_more(device, expected):
        """Batches that fill it."""
        assert command.parse(['train', '--device', device]).shapes[0] == expected

    @pytest.mark.slow
    @pytest.mark.parametrize('task', ['forward', 'load'])
    def test_it_runs(task, tmp_path):
        """The smallest of each task: a line of results and its table; then the table again, and a plot."""
        name = 'ours-' + ENGINE
        if missing(CONTENDERS[name]):
            pytest.skip('%s is not in this row' % missing(CONTENDERS[name]))
        environment = {key: value for key, value in os.environ.items() if not key.startswith('TF_')}
        words = [task, '--quick', '--peers', name, '--output', str(tmp_path)]
        output = subprocess.check_output([sys.executable, '-m', 'benchmarks'] + words, cwd=ROOT, env=environment)
        assert b'| bert4keras, ' in output
        with io.open(str(tmp_path / (task + '.jsonl')), encoding='utf-8') as stream:
            found = json.loads(stream.read())
        assert found['contender'] == name and found['median'] > 0 and found['size'] == 'tiny'
        assert (found['gflops'] is None) == (task == 'load') and found['peak'] >= found['memory']
        if task == 'forward':
            assert found['difference'] == 0.0
