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
import json
import logging
import os
import signal
import sys
import threading

try:
    import faulthandler
except ImportError:  # Python 2.7
    faulthandler = None

from bert4keras import __version__, embedding_commands
from bert4keras.bus_error import on_bus_error
from bert4keras.compat import native
from bert4keras.embedding_commands import find_demo_weights  # noqa: F401 (parity/ asks for it here)
from bert4keras.pretraining import commands as pretraining
from bert4keras.terminal import (
    Formatter, about_stdout, given_texts, plot_path, positive, quiet_engines, say, to_text)

__all__ = ['build_parser', 'main', 'parse']

# What a user can cause. Anything else is a defect, and keeps its traceback.
EXIT_CODES = collections.OrderedDict([(KeyboardInterrupt, 130), (ValueError, 2), (ImportError, 2),
                                      (EnvironmentError, 2)])
CLOSED_PIPE = 141  # what a shell reports of a program that SIGPIPE ended


# ------------------------------------------------------------------ subcommands

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
    from bert4keras import backend, plots, verify
    if args.plot:
        plots.check_packages('matplotlib')
    rows = verify.verify(args.model, gelu=args.gelu)
    off = [row for row in rows if not row.difference <= row.tolerance]
    say('%s against the float64 reference\n' % backend.describe())
    say('%-42s %12s %12s' % ('layer', 'difference', 'tolerance'))
    for row in rows:
        say('%-42s %12.1e %12.1e  %s' % (row.name, row.difference, row.tolerance, 'OFF' if row in off else 'ok'))
    say('\n%s: %d of %d layers and heads are within their tolerance'
        % ('WRONG' if off else 'RIGHT', len(rows) - len(off), len(rows)))
    if args.plot:
        plots.plot_differences(rows, backend.describe(), args.plot)
        say('drawn in %s' % args.plot)
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


# ------------------------------------------------------------------ the command line

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

    embedding_commands.add_commands(add)

    model_help = 'directory or checkpoint prefix; see embed'
    gelu_help = "what the config's hidden_act \"gelu\" means (default: erf)"
    argument = add(verify, 'prove that a checkpoint computes right here, layer by layer',
                   'bert4keras verify chinese_L-12_H-768_A-12',
                   'bert4keras verify chinese_L-12_H-768_A-12 --plot layers.png')
    argument('model', metavar='MODEL', help=model_help)
    argument('--gelu', choices=['erf', 'tanh'], help=gelu_help)
    argument('--plot', metavar='FILE.png', type=plot_path, help='draw it, too; needs Matplotlib')

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

    pretraining.add_commands(add)
    return parser


def parse(argv):
    """The parsed command line; its `texts` may stand before, between and after options, `after` is what follows --."""
    parser = build_parser()
    args, rest = parser.parse_known_args(argv or ['--help'])  # argparse takes the first group only
    end = rest.index('--') if '--' in rest else len(rest)
    more = rest[:end] + rest[end + 1:]
    if more and not hasattr(args, 'texts') or any(part[0] == '-' for part in rest[:end] if part not in ('', '-')):
        parser.error('unrecognized arguments: ' + ' '.join(rest))
    args.texts = [to_text(text, 'the text %r' % text) for text in getattr(args, 'texts', []) + more]
    args.after = list(argv[list(argv).index('--') + 1:]) if '--' in argv else []
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
