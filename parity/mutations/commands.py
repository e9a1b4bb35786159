# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in the commands: verify, convert, fill-mask, embed."""
from __future__ import absolute_import, division, print_function

VERIFY = 'tests/test_commands.py -k "does_nothing or in_figures or it_is_told"'
GELU = 'tests/test_cli.py -k gelu_asked'
FILES = 'tests/test_commands.py -k "model_file or wait_for"'
CONVERT = 'tests/test_commands.py -k "never_overwrites or never_replaced or takes_the_tokenizer or refused"'
FILL = 'tests/test_commands.py -k "fill_mask"'
CACHE = 'tests/test_compile_cache.py'
CHECK = VERIFY

MUTATIONS = [
    ('verify without segments', 'verify.py', "= min(1, config['type_vocab_size'] - 1)", '= 0'),
    ('verify without padding', 'verify.py', "token_ids[row, real:] = config['pad_token_id']", 'pass'),
    ('a floor 100 times as high', 'verify.py', 'max(4 * np.abs(rounded', 'max(400 * np.abs(rounded'),
    ('no limit to the floor', 'verify.py', 'float(min(floor, 2e-5 * largest))', 'float(floor)'),
    ('no floor', 'verify.py', "np.finfo('float32').eps)", '0.0)'),
    ('the limit is not of the largest', 'verify.py', 'largest = max(1.0, np.abs(exact).max())', 'largest = 1.0'),
    ('NaN is no difference', 'verify.py', 'else np.inf', 'else 0.0'),
    ('verify beyond the positions', 'verify.py', 'min(length, longest_row(config))', 'length'),
    ('verify ignores the GELU', 'verify.py', "if gelu is None and config['hidden_act'] == 'gelu':",
     "if config['hidden_act'] == 'gelu':"),
    ('verify takes a GELU for the model alone', 'verify.py', "gelu=gelu, dtype='float32')", "dtype='float32')"),
    ('--gelu ignored by verify', 'cli.py', 'verify.verify(args.model, gelu=args.gelu)', 'verify.verify(args.model)',
     GELU),
    ('--gelu ignored by fill-mask', 'cli.py', 'top=args.top, gelu=args.gelu)', 'top=args.top)', GELU),
    ('--top ignored by fill-mask', 'cli.py', 'top=args.top, gelu=args.gelu)', 'gelu=args.gelu)', GELU),
    ('verify is always content', 'cli.py', 'return 1 if off else 0', 'return 0', 'tests/test_cli.py -k right_or_wrong'),
    ('--pooling ignored by embed', 'embedding_commands.py', 
     'load_embedder(args.model, args.pooling, args.precision)\n    with about',
     'load_embedder(args.model, None, args.precision)\n    with about', 'tests/test_cli.py -k options_reach'),
    ('--precision ignored by embed', 'embedding_commands.py',
     'load_embedder(args.model, args.pooling, args.precision)\n    with about',
     'load_embedder(args.model, args.pooling)\n    with about', 'tests/test_cli.py -k options_reach'),
    ('a cache where others can write', 'which_keras.py', 'stat.S_IWGRP | stat.S_IWOTH', 'stat.S_IWOTH', CACHE),
    ("somebody else's cache", 'which_keras.py', 'found.st_uid != os.getuid() or', '', CACHE),
    ('fill_mask ignores the GELU', 'decoding.py', 'with_mlm=True, gelu=gelu)', 'with_mlm=True)', FILL),
    ('as many tokens as positions cannot be filled', 'decoding.py', "if len(tokens) > longest_row(config)",
     "if len(tokens) >= longest_row(config)", FILL),
    ('the unlikeliest first', 'decoding.py', 'row.argsort()[::-1][:top]', 'row.argsort()[:top]', FILL),
    ('NaN is a guess', 'decoding.py', 'if not np.isfinite(probabilities).all():', 'if False:', FILL),
    ('a destination is replaced unasked', 'convert.py', 'if not force:', 'if False:', CONVERT),
    ('the source is replaced', 'convert.py',
     'if any(contains(destination, path) for path in source_files(source)):', 'if False:', CONVERT),
    ('--force through a link', 'convert.py', 'if os.path.islink(destination) or not os.path.isdir(destination):',
     'if not os.path.isdir(destination):', CONVERT),
    ('anything is replaced by force', 'convert.py', 'if os.listdir(destination):', 'if False:', CONVERT),
    ('a Lambda is opened', 'model_file.py', 'if not harmless and not _is_registered', 'if False and not _is_registered',
     CONVERT),
    ("another module's class is taken for Keras'", 'model_file.py',
     "harmless = harmless and (module + '.').startswith(('keras.', 'builtins.'))", 'pass', CONVERT),
    ('weights that may be pickled are opened', 'model_file.py', 'if set(names) - MEMBERS or len(', 'if len(', FILES),
    ('a table larger than its file is read', 'hdf5.py', 'if count_bytes(file, path) > allowed_size(size):',
     'if count_bytes(file, path) < 0:', FILES),
    ('layers may wait for each other', 'model_file.py', 'sorted(call for call in waiting if waiting[call])',
     '()', FILES),
    ('the tokenizer stays behind', 'convert.py', 'carry_tokenizer(vocab_path, directory, layout)', 'pass', CONVERT),
]
