# -*- coding: utf-8 -*-
"""Training on a corpus, from scratch or from a checkpoint, which can be stopped at any time and goes on by itself.

`train` is the loop; `Training` is what it trains; `pretrain` is all of it. A step is an update. What happens in step s
is a function of the settings and s, so a training that was killed and started again gives the same weights as one that
was not.
Shapes: B rows of a batch, P masked positions.
"""
from __future__ import absolute_import, division, print_function

import collections
import logging
import os
import time

import numpy as np

from bert4keras import backend
from bert4keras.backend import keras
from bert4keras.convert import write_converted
from bert4keras.errors import CheckpointError, some
from bert4keras.files import (
    MAX_JSON, identity, lock, read_regular_file, replace_directory, temporary_directory)
from bert4keras.optimizers import AdamW, LAMB, PiecewiseLinear
from bert4keras.pretraining.checkpoints import (
    State, check_settings, checkpoints, load_state, remove_old, save_state)
from bert4keras.pretraining.devices import devices
from bert4keras.pretraining.feeding import Feed, check_evaluation, evaluation_batches, plan, prefetched
from bert4keras.pretraining.metrics import EVALUATION, TRAINING, Clock, Metrics, draw_curve
from bert4keras.pretraining.model import PretrainingBert, WeightedSum, pair_loss, word_accuracy
from bert4keras.pretraining.seam import optimizer_variables
from bert4keras.release.checkpoint import open_checkpoint
from bert4keras.release.config import hidden_act_of
from bert4keras.release.directory import Release, find_release, vocabulary_name
from bert4keras.release.variables import ArrayCheckpoint, Variables, expected_shapes, open_variables

__all__ = ['OPTIMIZERS', 'PRECISIONS', 'RELEASE', 'Settings', 'Training', 'dry_run', 'pretrain', 'schedule']

PRECISIONS = ('float32', 'mixed_bfloat16', 'mixed_float16')
OPTIMIZERS = collections.OrderedDict([('adamw', AdamW), ('lamb', LAMB)])
RELEASE = 'release'
logger = logging.getLogger(__name__)


class Settings(object):
    """What a training is: the arguments of `bert4keras pretrain`, checked.

    Args:
        config: path of a config, of a release's directory, or a mapping; see `BertModel`.
        corpora: list of directories that `bert4keras corpus` made, see `feeding.plan`.
        steps: int, the number of updates.
        batch_size: int, rows of an update.
        accumulate: int, into how many parts they are split, which the device takes one after the other.
        lengths: list of the numbers of tokens of the phases, or None for one phase for each corpus.
        learning_rate: float, the highest; None for 1e-4, and for lamb 2e-3.
        warmup: the number of steps until it is reached, or if below 1, their share; then it falls to 0.
        optimizer: 'adamw' or 'lamb'.
        start: path of a checkpoint to start from, or None for random weights.
        precision: one of PRECISIONS.
        seed: int from 0 on, of weights, order, masks and dropout.
        distribute: 'none', 'local' or 'machines', see `devices.devices`. Weights are the same on however many devices,
            but for dropout.
        mask_rate: float above 0 and below 1, the share of tokens that are masked.

    Raises:
        ValueError: an argument out of range. CorpusError: a corpus that is not there or does not fit the others.
    """

    def __init__(self, config, corpora, steps, batch_size=256, accumulate=1, lengths=None, learning_rate=None,
                 warmup=0.1, optimizer='adamw', start=None, precision='float32', seed=0, distribute='none',
                 mask_rate=0.15):
        if learning_rate is None:
            learning_rate = {'adamw': 1e-4, 'lamb': 2e-3}.get(optimizer)
        for name, value, is_right in (
                ('steps', steps, steps >= 1), ('batch_size', batch_size, batch_size >= 1),
                ('accumulate', accumulate, accumulate >= 1 and batch_size % accumulate == 0),
                ('learning_rate', learning_rate, learning_rate is None or 0 < learning_rate < float('inf')),
                ('warmup', warmup, 0 <= warmup < steps), ('seed', seed, 0 <= seed < 1 << 32),
                ('mask_rate', mask_rate, 0 < mask_rate < 1),
                ('optimizer', optimizer, optimizer in OPTIMIZERS), ('precision', precision, precision in PRECISIONS)):
            if not is_right:
                raise ValueError('%s is %r, which is out of range%s' % (
                    name, value, ': it must divide batch_size, %d' % batch_size if name == 'accumulate' else ''))
        self.config, self.steps, self.batch_size, self.accumulate = config, steps, batch_size, accumulate
        self.learning_rate, self.optimizer, self.seed = learning_rate, optimizer, seed
        self.warmup = int(warmup * steps) if warmup < 1 else int(warmup)
        self.precision, self.distribute, self.mask_rate = precision, distribute, mask_rate
        self.phases = plan(corpora, lengths, steps, batch_size, seed, mask_rate)
        self.start = None if start is None else checkpoint_of(start, self.phases[0].corpus)

    def described(self, config):
        """The settings as a dict that can be compared, given the config that was read."""
        return {'config': dict(config), 'phases': [phase.described() for phase in self.phases],
                'from a checkpoint': self.start is not None,
                'steps': self.steps, 'batch size': self.batch_size, 'accumulate': self.accumulate,
                'learning rate': self.learning_rate, 'warmup': self.warmup, 'optimizer': self.optimizer,
                'precision': self.precision, 'seed': self.seed, 'mask rate': self.mask_rate}


def checkpoint_of(path, corpus):
    """The path of the checkpoint that is meant; ValueError if beside it is another vocabulary than the corpus has."""
    release = find_release(path) if os.path.isdir(path) else Release(None, path, None)
    for own in corpus.vocabularies:
        if release.vocab_path and os.path.basename(own) == vocabulary_name(release.vocab_path, 'tensorflow') and (
                read_regular_file(own, MAX_JSON) != read_regular_file(release.vocab_path, MAX_JSON)):
            raise ValueError('%s was made with another vocabulary than %s: make it with --vocab %s'
                             % (corpus.directory, release.vocab_path, path))
    open_checkpoint(release.checkpoint_path)  # here, where nothing was built yet
    return release.checkpoint_path


def schedule(settings):
    """[[step, factor of the learning rate], ...]: up in a line, then down to 0, with no step at 0."""
    return [[0, 1.0 / (settings.warmup + 1)]] * bool(settings.warmup) + [[settings.warmup, 1.0], [settings.steps, 0.0]]


def rate_at(settings, step):
    """The learning rate of a step, from 0 on."""
    return settings.learning_rate * float(np.interp(step, *zip(*schedule(settings))))


class Training(object):
    """A model, compiled, at some step.

    Args:
        settings: Settings.

    Attributes:
        bert: PretrainingBert, built.

    Raises:
        ConfigError, CheckpointError: about the config and the checkpoint to start from. ValueError: the corpus does
            not fit the config.
    """

    def __init__(self, settings):
        self.settings, self.devices = settings, devices(settings.distribute)
        if (settings.batch_size // settings.accumulate) % self.devices.count():
            raise ValueError('%d rows cannot be split over %d devices: choose another --batch-size or --accumulate'
                             % (settings.batch_size // settings.accumulate, self.devices.count()))
        with self.devices.together(), backend.dtype_policy(settings.precision):
            with self.devices.scope():
                self._build()
            self._make_optimizer_variables()

    def _build(self):
        """Builds and compiles the model."""
        settings = self.settings
        self.bert = PretrainingBert(settings.config, with_pairs=settings.phases[0].has_pairs)
        for phase in settings.phases:
            phase.check_config(self.bert.config)
        self.model = self.bert.build()
        new = self.bert.start(settings.seed, settings.start)
        if new:
            logger.warning('%s has no %s: they start from random weights', settings.start, some(new))
        self.feed = Feed(settings.phases, settings.batch_size, settings.accumulate, settings.seed)
        rate = PiecewiseLinear(settings.learning_rate, schedule(settings))
        # epsilon, decay and norm as in google-research/bert; the bias is corrected
        optimizer = self.devices.optimizer(
            OPTIMIZERS[settings.optimizer], settings.precision == 'mixed_float16', rate, weight_decay=0.01,
            epsilon=1e-6, global_clipnorm=1.0, accumulate=settings.accumulate)
        self.model.compile(optimizer, loss=WeightedSum(), metrics=[word_accuracy, pair_loss])

    def _make_optimizer_variables(self):
        """Has the optimizer make its variables, which each Keras does in its first step, and undoes that step."""
        inputs, weights = self.feed(0).parts[0]
        before = self.bert.get_variables()
        self._train_on(inputs, np.zeros_like(weights))
        self.bert.set_variables(Variables(ArrayCheckpoint('new', before)))
        optimizer = getattr(self.model.optimizer, 'inner_optimizer', self.model.optimizer)
        own = optimizer_variables(optimizer)
        backend.set_values([(variable, np.zeros_like(value)) for variable, value in
                            zip(own, backend.get_values(own))])

    def step(self, fed):
        """Makes an update.

        Args:
            fed: what `feed(step)` returned.

        Returns:
            dict of floats: loss, pair_loss, word_accuracy, over the batch.
        """
        parts = [self._train_on(inputs, weights) for inputs, weights in fed.parts]
        if self.settings.precision == 'mixed_float16' and self.settings.accumulate > 1:  # a part may have been dropped
            self.model.optimizer.inner_optimizer.end_window()
        figures = self.devices.mean(np.mean(parts, axis=0))
        return dict(zip(('loss', 'word_accuracy', 'pair_loss'), figures.tolist()))

    def _train_on(self, inputs, weights):
        """Trains on this process' rows of a part of a batch; returns what Keras says of it."""
        rows = self.devices.part(len(weights))
        return self.devices.train_on_batch(self.model, [array[rows] for array in inputs], weights[rows, :, None])

    def state(self, step):
        """The State after so many steps."""
        return State(step, self.bert.get_variables(), backend.get_values(optimizer_variables(self.model.optimizer)))

    def set_state(self, state, path):
        """Goes on from a State, which came from `path`.

        Raises:
            CheckpointError: it is of another model or optimizer.
        """
        variables = optimizer_variables(self.model.optimizer)
        shapes = [tuple(value.shape) for value in backend.get_values(variables)]
        if shapes != [value.shape for value in state.optimizer]:
            raise CheckpointError('%s: the state of the optimizer is another than that of this Keras; go on with the '
                                  'Keras and the engine that it was made with' % path)
        self.bert.set_variables(Variables(ArrayCheckpoint(path, state.weights)))
        backend.set_values(list(zip(variables, state.optimizer)))

    def evaluate(self, batches):
        """Loss and accuracies on each row of a corpus once, masked always alike.

        Args:
            batches: what `feeding.evaluation_batches` gives.

        Returns:
            dict of floats: loss, pair_loss, word_accuracy, pair_accuracy; the last is NaN without pairs.
        """
        sums, counts = np.zeros((2, 2)), np.zeros(2)  # of pairs and words: loss and guessed
        for inputs, weights in batches:
            results = np.asarray(self.model.predict_on_batch(inputs), 'float64') * weights[:, :, None]  # [B, 1 + P, 2]
            sums += [results[:, 0].sum(axis=0), results[:, 1:].sum(axis=(0, 1))]
            counts += [weights[:, 0].sum(), weights[:, 1:].sum()]
        pairs, words = sums / np.maximum(counts, 1)[:, None]
        return {'loss': words[0] + pairs[0], 'pair_loss': pairs[0], 'word_accuracy': words[1],
                'pair_accuracy': pairs[1] if counts[0] else float('nan')}

    def write_release(self, directory):
        """Writes config, weights and vocabulary in the layout of an official release; replaces `directory`.

        Heads that the checkpoint had from the start, and that were not trained, stay as they were.
        """
        bert, variables = self.bert, self.bert.get_variables()
        if self.settings.start is not None:
            given = open_variables(self.settings.start, bert.config)
            names = [name.replace('.T', '') for _, name, _ in expected_shapes(bert.config)]
            variables.update((name, given[name]) for name in names if name not in variables and name in given)
        config = dict(bert.config, hidden_act=hidden_act_of(bert.activation, bert.config['hidden_act']))
        known = identity(directory)
        with temporary_directory(directory) as partial:
            write_converted(partial, 'tensorflow', config, variables, self.settings.phases[-1].corpus.vocabularies[0])
            replace_directory(partial, directory, known)


# ------------------------------------------------------------------ the loop

def pretrain(settings, output, save_every=1000, keep=3, log_every=10, evaluation=None, peak=None,
             report=logger.info, is_stopped=lambda: False):
    """Trains, from the newest checkpoint in `output` on if there is one, and writes a release at the end.

    Args:
        settings: Settings.
        output: directory to make, or to go on with.
        save_every, keep: ints, after how many steps there is a checkpoint, and how many of them stay.
        log_every: int, after how many steps their means are written and reported.
        evaluation: directory of a corpus that is not trained on, or None; it is looked at with each checkpoint.
        peak: float or None, the floating point operations a second of the device, which the share is reported of.
        report: function of a line for people.
        is_stopped: function that is asked after each step whether to save and return.

    Returns:
        int, the number of steps made so far, all of them unless it was stopped.

    Raises:
        ValueError: `output` has another training, or the loss is not finite. LostProcess: another process has ended.
        See `Training` for more.
    """
    if evaluation is not None and settings.distribute == 'machines':
        raise ValueError('--eval needs the whole model in one process, and --distribute machines has several: leave it '
                         'out')
    if peak is not None and not 0 < peak < float('inf'):
        raise ValueError('peak is %r; it must be above 0' % peak)
    training, output = Training(settings), os.path.abspath(output)
    if evaluation is not None:
        check_evaluation(evaluation, settings, training.bert.config)
    with training.devices.together():
        if training.devices.rank:
            step = train(training, check_start(training, resume(training, output, report)), Listener(), is_stopped)
        else:
            step = lead(training, output, save_every, keep, log_every, evaluation, peak, report, is_stopped)
        training.devices.of_all(step)  # the others wait until the first has saved
    return step


def lead(training, output, save_every, keep, log_every, evaluation, peak, report, is_stopped):
    """What the first process does, see `pretrain`: it trains, and does what there is to do once."""
    settings = training.settings
    if not os.path.isdir(output):
        os.makedirs(output)
    with lock(output, warn=True):
        check_settings(output, settings.described(training.bert.config), [RELEASE, TRAINING, EVALUATION])
        start = check_start(training, resume(training, output, report))
        writer = Writer(training, output, start, save_every, keep, log_every, evaluation, peak, report)
        step = train(training, start, writer, is_stopped)
        if step == settings.steps:
            training.write_release(os.path.join(output, RELEASE))
        draw_curve(output)
    return step


def train(training, start, listener, is_stopped):
    """The loop. Makes the steps from `start` on; returns how many there are then.

    Args:
        training: Training. start: int.
        listener: Listener, which is told of each step.
        is_stopped: function that is asked after each step whether to end; all processes do if it says so in one.
    """
    steps = training.settings.steps
    for step, fed in prefetched(training.feed, start, steps):
        figures = training.step(fed)
        is_last = any(training.devices.of_all(int(is_stopped()))) or step + 1 == steps
        listener.after(step + 1, figures, fed, is_last)
        if is_last:
            return step + 1
    return start  # it was done before


class Listener(object):
    """What is told of each step, and does nothing."""

    def after(self, step, figures, fed, is_last):
        """Called after a step.

        Args:
            step: int, how many there were so far.
            figures: dict, see `Training.step`.
            fed: Fed, what it was fed with.
            is_last: bool, whether none follows now.
        """


class Writer(Listener):
    """Saves, evaluates, and writes down how it goes.

    Args:
        training: Training.
        output: directory.
        start: int, how many steps there were before.
        save_every, keep, log_every, evaluation, peak, report: see `pretrain`.
    """

    def __init__(self, training, output, start, save_every, keep, log_every, evaluation, peak, report):
        self.training, self.output, self.report, self.evaluation = training, output, report, evaluation
        self.save_every, self.keep, self.log_every = save_every, keep, log_every
        self.metrics = Metrics(output, start)
        self.clock = Clock(training.settings.steps, training.bert.config,
                           lambda number: rate_at(training.settings, number), peak)

    def after(self, step, figures, fed, is_last):
        if not np.isfinite(figures['loss']) and self.training.settings.precision != 'mixed_float16':
            raise ValueError('the loss of step %d is %r; start again with a lower --learning-rate. %s keeps its '
                             'checkpoints' % (step, figures['loss'], self.output))
        self.clock.add(figures, fed)
        if step % self.log_every == 0 or is_last:
            line = self.clock.read(step)
            self.metrics.write(TRAINING, line)
            self.report(self.clock.described(line))
        if step % self.save_every == 0 or is_last:
            save_state(self.output, self.training.state(step))
            remove_old(self.output, self.keep)
            if self.evaluation is not None and (step == self.training.settings.steps or not is_last):
                self.evaluate(step)
            self.clock.restart()

    def evaluate(self, step):
        """Looks at the corpus that is not trained on."""
        settings = self.training.settings
        found = self.training.evaluate(evaluation_batches(self.evaluation, settings, step))
        self.metrics.write(EVALUATION, dict(found, step=step))
        pairs = ', %.2f%% of the pairs' % (100 * found['pair_accuracy']) if settings.phases[0].has_pairs else ''
        self.report('held-out text: loss %.4f, %.2f%% of the masked tokens guessed%s'
                    % (found['loss'], 100 * found['word_accuracy'], pairs))


def resume(training, output, report):
    """Sets a training to the newest checkpoint; returns its step, 0 if there is none."""
    steps = checkpoints(output) if os.path.isdir(output) else []
    if not steps:
        return 0
    training.set_state(load_state(output, steps[-1]), output)
    report('going on after step %d of %d' % (steps[-1], training.settings.steps))
    return steps[-1]


def check_start(training, start):
    """ValueError unless all processes begin after the same step; returns it."""
    found = training.devices.of_all(start)
    if len(set(found)) > 1:
        raise ValueError('the processes would go on after different steps, %s: --output must be one directory, which '
                         'all of them see' % ', '.join(map(str, found)))
    return start


# ------------------------------------------------------------------ trying it

def dry_run(settings, directory, report=logger.info, evaluation=None):
    """Makes two steps, saves, loads what was saved into a second model, and compares the step after that.

    Args:
        settings: Settings, of three steps at least.
        directory: an empty one.
        report: function of a line for people.
        evaluation: directory of a corpus, see `pretrain`, which is looked at only to see whether it fits.

    Raises:
        ValueError: the state that was loaded is not the one that was saved, or there are fewer steps.
    """
    if settings.steps < 3:
        raise ValueError('a dry run makes three steps; --steps is %d' % settings.steps)
    began = time.time()
    training = Training(settings)
    if evaluation is not None:
        check_evaluation(evaluation, settings, training.bert.config)
    training.step(training.feed(0))
    report('built and compiled, first step made in %.1f s' % (time.time() - began))
    fed, began = training.feed(1), time.time()
    figures = training.step(fed)
    report('a step takes %.3f s: %d tokens; loss %.4f' % (time.time() - began, fed.tokens, figures['loss']))
    path = save_state(directory, training.state(2))
    report('a checkpoint has %.1f MB' % (os.path.getsize(path) / 1e6))
    saved, fed = training.state(2), training.feed(2)
    training.step(fed)
    expected = training.bert.get_variables()
    del training
    keras.backend.clear_session()  # TensorFlow 1 slows down with a second model, and memory is that of one
    again = Training(settings)
    again.set_state(load_state(directory, 2), path)
    loaded = again.state(2)
    different = [name for name in saved.weights if not np.array_equal(saved.weights[name], loaded.weights[name])]
    different += ['the optimizer'] * (not all(map(np.array_equal, saved.optimizer, loaded.optimizer)))
    if different:
        raise ValueError('not the same after saving and loading: %s' % some(different))
    again.step(fed)
    found = again.bert.get_variables()
    difference = max(np.abs(found[name] - value).max() for name, value in expected.items())
    report('saved and loaded: the next step is the same%s' % (
        ', bit by bit' if not difference else ' to %.1e: this engine is not deterministic' % difference))
    memory = peak_memory()
    if memory:
        report('at most %.2f GB of memory; that of a GPU is not in it' % (memory / 1e9))


def peak_memory():
    """The most bytes that this process had; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if os.uname()[0] == 'Darwin' else 1024)
