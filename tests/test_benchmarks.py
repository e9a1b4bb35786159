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
        u'| A | 100 ± 10% | 200 ± 10% | 3.5 | 3.25 |', u'| B | 50.0 ± 10% |  | 3.5 | 3.25 |']
    assert 'another' in second and u'| B | 100 ± 10% |' in second


def test_results_and_readme_are_of_the_lines():
    """results.md has the tables of all lines beside it; those in the READMEs are of the machines named there."""
    directory = os.path.join(ROOT, 'benchmarks', 'results')
    lines = tables.read(directory)
    with io.open(os.path.join(directory, 'results.md'), encoding='utf-8') as stream:
        assert stream.read() == tables.markdown(lines) + u'\n'
    for name in ('README.md', 'README.zh-CN.md'):
        with io.open(os.path.join(ROOT, name), encoding='utf-8') as stream:
            text = stream.read()
        assert text == tables.in_readme(text, lines) and u'| tokenize, one core english, M tokens/s |' in text


def test_only_what_is_between_the_marks_is_changed():
    """By the lines of the machines that the marks name, and by the task, if they name one."""
    text = u'a\n<!-- benchmarks: load of X; Y -->\nold\n<!-- end of benchmarks -->\nb\n'
    lines = [line('a', '', 2.0, task='load', gflops=None, cpu_median=1.5, hardware=machine) for machine in 'YZ']
    text += u'<!-- benchmarks: load of Q -->\nolder\n<!-- end of benchmarks -->\n'
    made = tables.in_readme(text, lines + [line('a', '8x128', 2.0, hardware='X')])
    assert made == text.replace(u'old\n', tables.markdown(lines[:1])).replace(u'older\n', u'')
    assert u'| A | 2.00 ± 10% | 1.50 | 3.25 |' in made


def test_the_summary_compares_the_quickest():
    """Ours with the quickest peer that does the same; without peers, growth and worst cases."""
    lines = [line('ours-jax', '8x128', 1.0), line('ours-torch', '8x128', 0.5), line('a', '8x128', 0.8),
             line('b', '8x128', 0.4), line('limit-jax', '8x128', 0.25), line('ours-jax', '1x8', 1.0),
             line('ours-jax', '', 2.0, task='load', gflops=None), line('a', '', 3.0, task='load', gflops=None),
             line('ours', 'english', 0.5, task='tokenize', size='', gflops=None, amount=1e6),
             line('ours-sentencepiece', 'english', 0.1, task='tokenize', size='', gflops=None, amount=1e6),
             line('a', 'english', 0.8, task='tokenize', size='', gflops=None, amount=4e6, same=0.999),
             line('b', 'english', 0.8, task='tokenize', size='', gflops=None, amount=9e6, same=0.5),
             line('ours', 'emoji', 0.5, task='tokenize', size='', gflops=None, amount=1e6),
             line('a', 'emoji', 0.5, task='tokenize', size='', gflops=None, amount=1e6),
             line('ours-jax', '8x128', 1.0, task='memory'), line('a', '8x128', 1.0, task='memory')]
    assert tables.summary(lines).splitlines()[2:] == [
        '| forward, BERT-base, float32, one core 8x128, GFLOP/s | 200 | OURS-TORCH | 250 | B | **0.80** | 400 |',
        '| load, BERT-base, float32, one core, s | 2.00 | OURS-JAX | 3.00 | A | **1.50** |  |',
        '| tokenize, one core english, M tokens/s | 2.00 | OURS | 5.00 | A | **0.40** |  |']


def test_how_it_grows():
    """The power of texts at 128 tokens, and of tokens at as many texts as most lines have; a table of it."""
    grown = [line('a', '%dx%d' % shape, 1e-3 * shape[0] * shape[1] ** 1.5, task='memory',
                  work_peak=100.0 * shape[0] ** 2)
             for shape in [(8, 64), (8, 128), (8, 256), (1, 128), (2, 128)]]
    found = tables.exponents(grown)
    assert list(found) == [('time', 'texts'), ('time', 'tokens'), ('memory', 'texts'), ('memory', 'tokens')]
    np.testing.assert_allclose(list(found.values()), [1.0, 1.5, 2.0, 0.0], atol=1e-9)
    assert u'time tokens: 1.50, memory texts: 2.00' in tables.markdown(grown)


def test_texts():
    """Paragraphs are all different, and some long; more than there are is an error. Worst cases have a million."""
    from benchmarks.texts import WORST, paragraphs
    assert len(paragraphs(2200)) == 2200
    found = paragraphs(500)
    assert len(set(found)) == 500 and found == paragraphs(500) and found[0].startswith(u'In the beginning')
    assert max(map(len, found)) > 500 and min(map(len, found)) < 100
    with pytest.raises(ValueError, match='there are [0-9]+ paragraphs, not 9000'):
        paragraphs(9000)
    for make in WORST.values():
        assert 0.98 * 10 ** 6 < len(make(10 ** 6)) <= 10 ** 6


def test_the_table_of_a_gpu():
    """In TFLOP/s, with the share of what the GPU can do, and its memory, not that of the process."""
    found = tables.markdown([line('a', '4x16', 0.01, device='gpu', gflops=494700.0, mfu=0.5, device_peak=2e9)])
    assert u'| | 4x16 TFLOP/s (MFU) |' in found and u'| A | 495 ± 10% (50%) | 3.5 | 2.00 |' in found
    assert peak_of('NVIDIA H100 80GB HBM3') == peak_of('NVIDIA H200') == 989.4e12
    assert peak_of('NVIDIA H100 PCIe') == 756e12 and peak_of('AMD EPYC, 2 cores') is None


if sys.version_info >= (3, 9):
    from benchmarks import __main__ as command
    from benchmarks import measuring
    from benchmarks.contenders import CONTENDERS, missing
    from benchmarks.process import Failed, Process

    @pytest.mark.parametrize('words', ['forward --shapes 8', 'forward --cores 0', 'train --rounds 0',
                                       'forward --peers x', 'tokenize --shapes klingon', 'embed --texts 2201',
                                       'corpus --shapes 8x128'])
    def test_bad_arguments(words, capsys):
        """Exit code 2, before anything is made."""
        with pytest.raises(SystemExit) as error:
            command.parse(words.split())
        assert error.value.code == 2 and 'error' in capsys.readouterr().err

    def test_more_memory_than_there_is_is_refused(monkeypatch):
        """Training base takes six times its weights, and what an engine takes; it says how many there is room for."""
        monkeypatch.setattr(measuring, 'available_memory', lambda: 1e10)
        args, contenders = command.parse(['train']), list(CONTENDERS.values())
        measuring.check_memory(args, contenders[:2])
        with pytest.raises(SystemExit, match='3 contenders need about .* at most 2 with --peers'):
            measuring.check_memory(args, contenders[:3])
        measuring.check_memory(command.parse(['first-step']), contenders)  # one after another

    def test_who_is_not_installed_is_left_out_with_a_word(monkeypatch, capsys):
        """The package is named; and when nobody is left, that is an error."""
        gone = CONTENDERS['keras-bert']._replace(packages=('no_such_package',))
        monkeypatch.setitem(measuring.CONTENDERS, 'keras-bert', gone)
        assert missing(gone) == 'no_such_package'
        with pytest.raises(SystemExit, match='nobody is left'):
            measuring.chosen(command.parse(['forward', '--peers', 'keras-bert']))
        assert 'keras-bert is left out: no_such_package is not installed' in capsys.readouterr().out
        with pytest.raises(SystemExit, match='nobody is left'):
            measuring.chosen(command.parse(['forward', '--peers', 'bert4keras-0.11.5']))
        assert 'name its folder by --path bert4keras-0.11.5=DIRECTORY' in capsys.readouterr().out

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
        measuring.compare(args, [Fake('ours-jax', np.zeros((2, 8, 3), 'float32'), str(tmp_path)),
                               Fake('transformers', right, str(tmp_path))], (2, 8))
        wrong[1, 7] = 0.01
        with pytest.raises(SystemExit, match='transformers computes something else than ours-jax'):
            measuring.compare(args, [Fake('ours-jax', np.zeros((2, 8, 3), 'float32'), str(tmp_path)),
                                   Fake('transformers', wrong, str(tmp_path))], (2, 8))

    class Ending(object):
        """A process that ends when it has worked so many times."""

        def __init__(self, name, times):
            self.contender, self.times, self.rounds, self.ended = CONTENDERS[name], times, [], False

        def run(self, times):
            if not self.times:
                raise Failed('it ended')
            self.times -= 1
            self.rounds.append({'seconds': 0.5, 'cpu_seconds': 0.25})

        def end(self):
            self.ended = True

    def test_who_ends_meanwhile_is_left_out(capsys):
        """Out of memory, say; the others are measured nevertheless, without the first time, which is not counted."""
        running = [Ending('ours-jax', 9), Ending('transformers', 2)]
        lasting, ending = running
        measuring.measure(command.parse(['train', '--rounds', '3']), running)
        assert running == [lasting] and len(lasting.rounds) == 3 and ending.ended and not lasting.ended
        assert 'transformers is left out: it ended' in capsys.readouterr().out

    @pytest.mark.parametrize('device, expected', [('cpu', (8, 128)), ('gpu', (64, 128))])
    def test_a_gpu_is_given_more(device, expected):
        """Batches that fill it."""
        assert command.parse(['train', '--device', device]).shapes[0] == expected

    def test_for_a_tpu_the_step_is_compiled_alone(monkeypatch):
        """Another task, and a machine without the compiler, are errors that say what there is to do."""
        with pytest.raises(SystemExit, match='there is `train` alone'):
            command.main(['forward', '--device', 'tpu'])
        monkeypatch.setattr(command.importlib.util, 'find_spec', lambda name: None)
        with pytest.raises(SystemExit, match='libtpu, .* is not installed: pip install'):
            command.main(['train', '--device', 'tpu'])

    def test_new_processes_for_each_round(monkeypatch):
        """As many as rounds, after one that is not counted; who ends is left out and not started again."""
        started = []

        class Starting(Ending):
            def __init__(self, contender, *_):
                super(Starting, self).__init__(contender.name, 1)
                started.append(contender.name)

            def ready(self):
                if self.contender.name == 'transformers' and started.count('transformers') == 2:
                    raise Failed('it ended')
                self.first = {'seconds': float(len(started)), 'cpu_seconds': 0.0, 'amount': 8}

        monkeypatch.setattr(measuring, 'Process', Starting)
        args = command.parse(['embed', '--rounds', '3'])
        found, = measuring.start_again(args, [CONTENDERS['ours-jax'], CONTENDERS['transformers']], {})
        assert started == ['ours-jax', 'transformers'] * 2 + ['ours-jax'] * 2 and found.ended
        assert [one['seconds'] for one in found.rounds] == [3.0, 5.0, 6.0]
        assert {one['later_seconds'] for one in found.rounds} == {0.5}

    def test_memory_is_kept_where_that_is_asked_for(monkeypatch, tmp_path):
        """By settings in the environment of the contender's process, not of this one."""
        environments = []
        monkeypatch.delenv('MALLOC_ARENA_MAX', raising=False)
        monkeypatch.setattr('benchmarks.process.subprocess.Popen', lambda *_, **given: environments.append(given['env']))
        for keep in (False, True):
            Process(CONTENDERS['ours-jax'], {'directory': str(tmp_path), 'device': 'cpu', 'keep_memory': keep})
        assert [environment.get('MALLOC_ARENA_MAX') for environment in environments] == [None, '1']
        assert 'MALLOC_ARENA_MAX' not in os.environ

    def test_parts_of_different_length():
        """The rate of `tokenize` is the median of each part's; ids are compared with the first contender's."""
        processes = [Ending('ours', 0), Ending('rust', 0)]
        for process, last in zip(processes, (7, 8)):
            process.first = {'seconds': 9.0, 'cpu_seconds': 9.0}
            process.rounds = [{'seconds': seconds, 'cpu_seconds': seconds, 'amount': amount, 'sums': sums}
                              for seconds, amount, sums in ((1.0, 10, [1, 2]), (3.0, 60, [3, 4]), (2.0, 20, [5, last]))]
        args = command.parse(['tokenize', '--shapes', 'english'])
        lines = [measuring.result_of(args, process, None, 'english') for process in processes]
        assert lines[0]['amount'] / lines[0]['median'] == pytest.approx(10.0)
        measuring.add_same(processes, lines)
        assert [one['same'] for one in lines] == [1.0, pytest.approx(5 / 6)]

    @pytest.mark.slow
    @pytest.mark.parametrize('task, name', [
        ('forward', 'ours-'), ('load', 'ours-'), ('memory', 'ours-'), ('first-step', 'ours-'),
        pytest.param('tokenize', 'ours', marks=pytest.mark.engine_free),
        pytest.param('corpus', 'ours', marks=pytest.mark.engine_free)])
    def test_it_runs(task, name, tmp_path):
        """The smallest of each task: a line of results and its table."""
        name = name + ENGINE if name.endswith('-') else name
        if missing(CONTENDERS[name]):
            pytest.skip('%s is not in this row' % missing(CONTENDERS[name]))
        environment = {key: value for key, value in os.environ.items() if not key.startswith('TF_')}
        words = [task, '--quick', '--peers', name, '--output', str(tmp_path)] + ['--keep-memory'] * (task == 'forward')
        output = subprocess.check_output([sys.executable, '-m', 'benchmarks'] + words, cwd=ROOT, env=environment)
        assert b'| bert4keras' in output
        with io.open(str(tmp_path / (task + '.jsonl')), encoding='utf-8') as stream:
            found = json.loads(stream.read())
        assert found['contender'] == name and found['median'] > 0
        assert (found['gflops'] is not None) == (task in ('forward', 'memory')) and found['peak'] >= found['memory']
        if task == 'forward':
            assert found['difference'] == 0.0 and found['size'] == 'tiny'
        assert found['hardware'].endswith(', memory kept') == (task == 'forward')
        if task == 'tokenize':  # 20 paragraphs of prose; the padding of a batch is no token
            assert found['same'] == 1.0 and 20 * 8 < found['amount'] < 20 * 200
        if task == 'first-step':
            assert found['median'] > found['imported_cpu_seconds'] > 0 and found['cpu_seconds'] > 0

    @pytest.mark.slow
    def test_the_stream_runs():
        """Four parts of a few sentences, by both ways."""
        output = subprocess.check_output([sys.executable, '-m', 'benchmarks', 'stream', '--sentences', '60', '--parts',
                                          '4', '--layers', '1'], cwd=ROOT)
        rows = [row.split(b'|') for row in output.splitlines() if re.match(b'[|] [0-9]', row)]
        assert rows and all(float(cell) > 0 for row in rows for cell in row[1:-1])
