# -*- coding: utf-8 -*-
"""A corpus as the files that Google's run_pretraining.py reads, masked when they are written.

The features of google-research/bert, create_pretraining_data.py, padded: input_ids, input_mask, segment_ids int64 [T],
masked_lm_positions, masked_lm_ids int64 [P], masked_lm_weights float32 [P], next_sentence_labels int64 [1].
"""
from __future__ import absolute_import, division, print_function

import contextlib
import os

import numpy as np

from bert4keras.files import identity, replace_directory, synced, temporary_directory
from bert4keras.parallel import parallel_apply_generator
from bert4keras.pretraining.reader import Batches
from bert4keras.pretraining.records import encode_example, encode_record, pack_numbers

__all__ = ['export_google']

EXPORTED = 'google-%05d.tfrecord'
ROWS_OF_FILE, ROWS_OF_BATCH = 1 << 14, 1 << 10


def export_google(corpus, output, workers=1, seed=0, copies=1, progress=None, **options):
    """Writes a corpus as Google's files, rows in random order.

    Args:
        corpus: path of a corpus.
        output: directory to make, or to replace with all that is in it.
        workers: int, number of processes; 0 for this one.
        seed: int, of order and masks.
        copies: int, how many times each row is written, with other masks each time; Google's dupe_factor.
        progress: None, or a function to call with the number of rows that were written.
        **options: of `Batches`: rate, predictions, ngrams, whole_words.

    Returns:
        int, the number of rows written. The label of a corpus without labels is 0.

    Raises:
        as `Batches`, and EnvironmentError: a file cannot be written; `output` is then as it was.
    """
    if copies < 1:
        raise ValueError('copies is %r; it must be at least 1' % (copies,))
    output, known = os.path.abspath(output), identity(output)
    batches = Batches(corpus, ROWS_OF_BATCH, seed, **options)
    count = len(batches.corpus) * copies
    starts = range(0, count, ROWS_OF_FILE)
    with temporary_directory(output) as directory, contextlib.closing(
            _results(_Writer(batches, directory, count), starts, workers)) as results:
        for rows in results:
            if progress is not None:
                progress(rows)
        replace_directory(directory, output, known)
    return count


def _results(write, starts, workers):
    """Yields what each file has, as it is done."""
    if workers == 0:
        for start in starts:
            yield write(start)
        return
    with contextlib.closing(parallel_apply_generator(write, starts, workers, 1, random_seeds=False)) as results:
        for _, rows in results:
            yield rows


class _Writer(object):
    """Writes one file after the other, in whatever process."""

    def __init__(self, batches, directory, count):
        self.batches, self.directory, self.count = batches, directory, count

    def __call__(self, start):
        """Writes the file whose first row is number `start`; returns how many it has."""
        end = min(start + ROWS_OF_FILE, self.count)
        with synced(os.path.join(self.directory, EXPORTED % (start // ROWS_OF_FILE))) as stream:
            for place in range(start, end, ROWS_OF_BATCH):
                batch = self.batches.batch(place // ROWS_OF_BATCH, 0, min(ROWS_OF_BATCH, end - place))
                for row in encode_google(batch):
                    stream.write(encode_record(row))
        return end - start


def encode_google(batch):
    """Yields the rows of a batch as the bytes of Examples."""
    count, width = batch['token_ids'].shape
    mask = np.arange(width) < batch['lengths'][:, None]
    labels = batch.get('labels', np.zeros(count, int))
    packed = [pack_numbers(values) for values in (batch['token_ids'], mask.astype(int), batch['masked_ids'],
                                                  batch['masked_positions'], labels[:, None], batch['segment_ids'])]
    for row in range(count):
        ids, is_token, masked_ids, positions, label, segments = [column[row] for column in packed]
        yield encode_example([
            ('input_ids', ids), ('input_mask', is_token), ('masked_lm_ids', masked_ids),
            ('masked_lm_positions', positions), ('masked_lm_weights', batch['masked_weights'][row]),
            ('next_sentence_labels', label), ('segment_ids', segments)])
