# -*- coding: utf-8 -*-
"""What language models make of texts: how they go on, and what stands in the place of [MASK].

Keras starts only where a model is built.
"""
from __future__ import absolute_import, division, print_function

import numpy as np

from bert4keras.batching import check_token_ids, encode_texts, pad_rows
from bert4keras.compat import STRINGS
from bert4keras.errors import CheckpointError, TextError, VocabularyError
from bert4keras.release.config import longest_row, read_config
from bert4keras.release.directory import find_release
from bert4keras.search import Found, Limits, beam_search, check_sampling, sample
from bert4keras.tokenizer_files import load_tokenizer

__all__ = ['Found', 'IdGenerator', 'TextGenerator', 'fill_mask']


class TextGenerator(object):
    """Writes texts with a language model: `TextGenerator(model, tokenizer).beam_search(['a text', 'another'])`.

    With application='lm' the model goes on with the text; with 'seq2seq' it writes the target of a source, whose
    beginning may be given: (source, beginning). A text ends with [SEP]. [PAD], [UNK], [CLS] and [MASK] are never
    written, nor what the tokenizer lacks.

    Args:
        model: what `build_bert_model(..., application='lm' or 'seq2seq')` returned, or a Keras model that was
            reloaded; whenever it is trained further, what is written is by its new weights.
        tokenizer: with the model's vocabulary.
        cache, batch_size: see `IdGenerator`.

    Attributes:
        ids: the IdGenerator.

    Every method takes a text, and returns one, or a list of texts, and returns a list; with `count`, a list for
    each text. It also takes max_length, min_length, no_repeat_ngram and forbidden, see `search.Limits`.
    """

    def __init__(self, model, tokenizer, cache=None, batch_size=16):
        self.ids, self.tokenizer = IdGenerator(model, cache, batch_size), tokenizer
        self.unwritten = set(range(tokenizer.vocab_size, self.ids.vocab_size))
        for token in (tokenizer.token_pad, tokenizer.token_unk, tokenizer.token_cls, tokenizer.token_mask):
            try:
                self.unwritten.add(tokenizer.token_to_id(token))
            except VocabularyError:
                pass  # it has no such token

    def greedy(self, texts, **limits):
        """The likeliest token, again and again."""
        return self.beam_search(texts, beams=1, **limits)

    def beam_search(self, texts, beams=4, length_penalty=1.0, count=None, **limits):
        """The best that beam search finds, or with `count` at most so many; see `search.beam_search`."""
        if not 1 <= (count or 1) <= beams:
            raise ValueError('count must be from 1 to beams %d, not %r' % (beams, count))
        return self._write(texts, count, lambda rows, limits: self.ids.beam_search(
            rows, beams, length_penalty, **limits), limits)

    def sample(self, texts, temperature=1.0, top_k=None, top_p=None, seed=None, count=None, **limits):
        """Draws a text, or with `count` so many; see `search.sample`."""
        samples = 1 if count is None else count
        return self._write(texts, count, lambda rows, limits: self.ids.sample(
            rows, samples, temperature, top_k, top_p, seed, **limits), limits)

    def _write(self, texts, count, generate, limits):
        """Texts to texts, by a function from rows and limits to lists of Found."""
        is_one = isinstance(texts, (tuple, bytes) + STRINGS)
        texts = [texts] if is_one else list(texts)
        limits = dict({'end_token_id': self.tokenizer.token_sep_id}, **limits)
        limits['forbidden'] = self.unwritten.union(limits.get('forbidden', ()))
        found = generate(self._rows(texts), limits)
        written = [[self.tokenizer.decode(one.token_ids) for one in ones] for ones in found]
        written = [ones[0] if count is None else ones[:count] for ones in written]
        return written[0] if is_one else written

    def _rows(self, texts):
        """(token ids, segment ids) of each text, up to where the model goes on."""
        is_source = self.ids.application == 'seq2seq'
        rows = []
        for index, (text, row) in enumerate(zip(texts, encode_texts(self.tokenizer, texts))):
            if is_source and row[0][1] == self.tokenizer.token_sep_id:
                raise TextError(index, 'is empty: there is no source to write the target of')
            end = None if is_source and not isinstance(text, (tuple, list)) else -1
            rows.append((row[0][:end], row[1][:end]))
        return rows


class IdGenerator(object):
    """Generates token ids with a language model.

    Args:
        model: see `TextGenerator`; or a BertModel.
        cache: whether the keys and values of earlier tokens are kept, so that each step computes one token only.
            None for where it is possible: a BERT or ALBERT whose graph was not changed; else whole texts are
            computed at each step.
        batch_size: int, how many texts are computed together. Texts are padded to few widths
            (`batching.padded_length` of the longest and max_length), and with more texts than batch_size the last
            batch is filled up: an engine that compiles does so once for each width and number of rows.

    Raises:
        ValueError: an encoder, a model that does not return words, or cache=True for a model that was changed.

    The methods take rows, (token ids, segment ids) of each text, to which the new tokens are added, in segment 1
    for 'seq2seq', else in the last token's, and what `search.Limits` takes. A text with more tokens than, with
    max_length, the model has positions is an error.
    """

    def __init__(self, model, cache=None, batch_size=16):
        from bert4keras.stepping import steps_of
        if batch_size < 1:
            raise ValueError('batch_size must be at least 1, not %r' % (batch_size,))
        self.steps, self.batch_size = steps_of(model, cache), batch_size
        self.application, self.vocab_size = self.steps.bert.application, self.steps.vocab_size

    def beam_search(self, rows, beams=4, length_penalty=1.0, **limits):
        """A list of at most `beams` `Found` for each row, the best first; see `search.beam_search`."""
        if beams < 1:
            raise ValueError('beams must be at least 1, not %r' % (beams,))
        limits = self._limits(limits)
        return self._generate(rows, beams, limits, lambda step, numbers: beam_search(
            step, len(numbers), limits, beams, length_penalty))

    def sample(self, rows, samples=1, temperature=1.0, top_k=None, top_p=None, seed=None, **limits):
        """A list of `samples` `Found` for each row; see `search.sample`. Other rows do not matter to one's draws."""
        check_sampling(samples, temperature, top_k, top_p)
        limits = self._limits(limits)
        seed = np.random.randint(2 ** 31 - 1) if seed is None else seed
        return self._generate(rows, samples, limits, lambda step, numbers: sample(
            step, numbers, limits, samples, temperature, top_k, top_p, seed))

    def _limits(self, limits):
        """Limits of a method's arguments, and no padding: the model would not see it."""
        return Limits(**dict(limits, forbidden={self.steps.pad_token_id}.union(limits.get('forbidden', ()))))

    def _generate(self, rows, copies, limits, search):
        """Batch by batch: `search` gets a `step` and the numbers of the batch's texts."""
        rows = list(rows)
        self._check(rows, limits)
        found, size = [None] * len(rows), min(self.batch_size, len(rows))
        order = sorted(range(len(rows)), key=lambda number: -len(rows[number][0]))
        for start in range(0, len(rows), max(size, 1)):
            numbers = order[start:start + size]
            numbers += numbers[-1:] * (size - len(numbers))
            lengths = [len(rows[number][0]) for number in numbers]
            inputs = pad_rows([rows[number] for number in numbers], size, max(lengths), self.steps.pad_token_id)
            step = self.steps.start(inputs[0], inputs[1], lengths, copies, limits.max_length)
            for number, one in zip(numbers, search(step, numbers)):
                found[number] = one
        return found

    def _check(self, rows, limits):
        """TextError or ValueError for what does not fit the model."""
        segments = self.steps.bert.config['type_vocab_size']
        if self.application == 'seq2seq' and segments < 2:
            raise ValueError("the model has one segment only (type_vocab_size), but 'seq2seq' needs two")
        wanted = sorted(set(limits.forbidden) | ({limits.end_token_id} - {None}))
        if wanted and not 0 <= wanted[0] <= wanted[-1] < self.vocab_size:
            raise ValueError('end_token_id and forbidden must be from 0 to %d, not %d and %d'
                             % (self.vocab_size - 1, wanted[0], wanted[-1]))
        for index, (token_ids, segment_ids) in enumerate(rows):
            check_token_ids(index, token_ids, None, self.vocab_size)
            if len(segment_ids) != len(token_ids) or min(segment_ids) < 0 or max(segment_ids) >= segments:
                raise TextError(index, 'needs a segment id, from 0 to %d, for each of its %d tokens'
                                % (segments - 1, len(token_ids)))
            if len(token_ids) + limits.max_length > self.steps.positions:
                raise TextError(index, 'has %d tokens, with max_length=%d new ones %d, but the model has %d positions; '
                                'shorten one of the two' % (len(token_ids), limits.max_length, len(token_ids)
                                                            + limits.max_length, self.steps.positions))


def fill_mask(path, text, top=5, gelu=None):
    """What the masked language model puts in the place of each [MASK].

    Args:
        path: a release that has the head, see `release.directory.find_release`.
        text: string with one [MASK] or more.
        top: int, how many tokens to give for each.
        gelu: 'erf', 'tanh' or None; see `BertModel`.

    Returns:
        list, one item for each [MASK] in order: a list of (token, probability), the likeliest first.

    Raises:
        ValueError: no [MASK] in the text, a text longer than the model's positions, or a checkpoint
            without the head.
    """
    release = find_release(path)
    config = read_config(release.config_path)
    tokenizer = load_tokenizer(release)
    parts = text.split(tokenizer.token_mask)
    if len(parts) == 1:
        raise ValueError('the text has no %s, the place to fill' % tokenizer.token_mask)
    tokens = [tokenizer.token_cls]
    for index, part in enumerate(parts):
        tokens += ([tokenizer.token_mask] if index else []) + tokenizer.tokenize(part)[1:-1]
    tokens.append(tokenizer.token_sep)
    if len(tokens) > longest_row(config):
        raise ValueError('the text has %d tokens, but the model has %d positions; shorten it'
                         % (len(tokens), longest_row(config)))
    from bert4keras.bert import build_bert_model
    model = build_bert_model(release.config_path, release.checkpoint_path, with_mlm=True, gelu=gelu)
    token_ids = np.array([tokenizer.tokens_to_ids(tokens)], 'int32')  # [1, T]
    probabilities = np.asarray(model.predict_on_batch([token_ids, np.zeros_like(token_ids)]))[0]  # [T, V]
    if not np.isfinite(probabilities).all():
        raise CheckpointError('the model of %s gives numbers that are not finite; check its weights' % path)
    filled = []
    for row in probabilities[token_ids[0] == tokenizer.token_to_id(tokenizer.token_mask)]:
        best = row.argsort()[::-1][:top]
        filled.append([(tokenizer.id_to_token(int(index)), float(row[index])) for index in best])
    return filled
