# -*- coding: utf-8 -*-
"""What is written down of a training: CSV, TensorBoard, a picture of the curve, and how fast it goes.

metrics.csv has a line for each step that is logged, evaluation.csv one for each evaluation. Who goes on from a
checkpoint drops the lines after it first, as they will come again. TensorBoard's and Matplotlib's own packages write
their files, where they are installed.
"""
from __future__ import absolute_import, division, print_function

import csv
import io
import logging
import os
import time

import numpy as np

from bert4keras.files import whole_file
from bert4keras.plots import check_packages, plot_curve

__all__ = ['Clock', 'Metrics', 'draw_curve', 'flops_per_token']

TRAINING, EVALUATION, CURVE, BOARD = 'metrics.csv', 'evaluation.csv', 'curve.png', 'tensorboard'
COLUMNS = {TRAINING: ('step', 'loss', 'pair_loss', 'word_accuracy', 'learning_rate', 'tokens_per_second',
                      'padding_share'),
           EVALUATION: ('step', 'loss', 'pair_loss', 'word_accuracy', 'pair_accuracy')}
logger = logging.getLogger(__name__)


class Metrics(object):
    """The figures of a training.

    Args:
        directory: to write to.
        step: int, that of the checkpoint that training goes on from; later lines are dropped.
    """

    def __init__(self, directory, step):
        self.directory = directory
        for name in (TRAINING, EVALUATION):
            _keep_until(os.path.join(directory, name), COLUMNS[name], step)
        self._board = _open_board(os.path.join(directory, BOARD))

    def write(self, name, figures):
        """Adds a line to TRAINING or EVALUATION: a dict of COLUMNS, of which some may be missing."""
        with io.open(os.path.join(self.directory, name), 'ab') as stream:
            stream.write(_line([_text(figures.get(column)) for column in COLUMNS[name]]))
        if self._board is not None:
            group = {TRAINING: 'train', EVALUATION: 'evaluation'}[name]
            for column in COLUMNS[name][1:]:
                if figures.get(column) is not None:
                    self._board('%s/%s' % (group, column), figures[column], figures['step'])


def _line(cells):
    return (','.join(cells) + '\n').encode('ascii')


def _text(value):
    return '' if value is None else '%d' % value if isinstance(value, int) else '%.6g' % value


def _keep_until(path, columns, step):
    """Makes a CSV file that has a header, and of what is there the lines up to a step."""
    kept = []
    if os.path.exists(path):
        with io.open(path, encoding='ascii', errors='replace') as stream:
            for line in list(stream)[1:]:
                cells = line.rstrip('\n').split(',')
                if line.endswith('\n') and len(cells) == len(columns) and cells[0].isdigit() and int(cells[0]) <= step:
                    kept.append(cells)
    with whole_file(path) as stream:
        for cells in [columns] + kept:
            stream.write(_line(cells))


def _open_board(directory):
    """A function (name, value, step) that writes for TensorBoard; None where its package is not installed."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        return None
    writer = EventFileWriter(directory)

    def write(name, value, step):
        summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
        writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
        writer.flush()
    return write


def draw_curve(directory):
    """Draws both files as curve.png; returns its path, or None without Matplotlib, which is logged."""
    try:
        check_packages('matplotlib')
    except ImportError as error:
        logger.warning('no picture of the curve: %s. The figures are in %s', error, os.path.join(directory, TRAINING))
        return None
    path = os.path.join(directory, CURVE)
    plot_curve(_losses(os.path.join(directory, TRAINING)), _losses(os.path.join(directory, EVALUATION)), path)
    return path


def _losses(path):
    """The (step, loss) of each line of a file."""
    with io.open(path, **({} if str is not bytes else {'mode': 'rb'})) as stream:
        return [(int(row['step']), float(row['loss'])) for row in csv.DictReader(stream)]


def flops_per_token(config, length, predictions):
    """The floating point operations of a training step, forward and backward, for each token of the batch.

    6 for each weight of a block's products, 12 for each of the products of attention (L blocks, D hidden, T tokens:
    12 L D T), and 6 for each weight of the masked language model at the share of positions that it is computed at
    (https://arxiv.org/abs/2001.08361, https://arxiv.org/abs/2204.02311).
    """
    hidden, blocks = config['hidden_size'], config['num_hidden_layers']
    width = config['embedding_size']
    inside = blocks * (4 * hidden * hidden + 2 * hidden * config['intermediate_size'])
    words = hidden * width + width * config['vocab_size']
    return 6 * inside + 12 * blocks * hidden * length + 6 * predictions / length * words


class Clock(object):
    """How a training goes since it was last asked. The first step, which compiles, is not timed.

    Args:
        steps: int, how many there will be.
        config: mapping, of the model.
        rate_at: function of the number of a step, from 0, to its learning rate.
        peak: float or None, the floating point operations a second of the device.
    """

    def __init__(self, steps, config, rate_at, peak):
        self.steps, self.config, self.rate_at, self.peak = steps, config, rate_at, peak
        self.began, self.is_first = time.time(), True
        self._count_afresh()

    def _count_afresh(self):
        self.figures, self.tokens, self.real = [], 0, 0
        self.seconds, self.timed_tokens, self.timed_operations = 0.0, 0, 0.0

    def restart(self):
        """What was done since the last step is no part of the next."""
        self.began = time.time()

    def add(self, figures, fed):
        """Adds a step: its figures, see `Training.step`, and the Fed that it was fed with."""
        now = time.time()
        operations = fed.tokens * flops_per_token(self.config, fed.length, fed.predictions)
        self.figures.append(figures)
        self.tokens, self.real = self.tokens + fed.tokens, self.real + fed.real
        if not self.is_first:
            self.seconds += now - self.began
            self.timed_tokens += fed.tokens
            self.timed_operations += operations
        self.is_first, self.began = False, now

    def read(self, step):
        """The figures of a line of metrics.csv, and the operations a second as `flops`; what follows counts afresh."""
        line = {name: float(np.mean([figures[name] for figures in self.figures])) for name in self.figures[0]}
        line.update(step=step, padding_share=1 - self.real / self.tokens, learning_rate=self.rate_at(step - 1))
        if self.seconds:
            line.update(tokens_per_second=self.timed_tokens / self.seconds,
                        flops=self.timed_operations / self.seconds)
        self._count_afresh()
        return line

    def described(self, line):
        """A line for people."""
        text = 'step %d of %d: loss %.4f, %.1f%% padding' % (
            line['step'], self.steps, line['loss'], 100 * line['padding_share'])
        if 'flops' in line:
            text += ', %d tokens/s, %.3g TFLOP/s' % (line['tokens_per_second'], line['flops'] / 1e12)
        if 'flops' in line and self.peak:
            text += ' (%.1f%% of the peak)' % (100 * line['flops'] / self.peak)
        return text
