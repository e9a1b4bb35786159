# -*- coding: utf-8 -*-
"""The tokenizers keep their contract, with nothing but this project installed."""
from __future__ import absolute_import, division, print_function, unicode_literals

import copy
import io
import os
import pickle
import re
import sys
import threading
import unicodedata
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert4keras.tokenizer import SpTokenizer, Tokenizer, VocabularyError, load_vocab, save_vocab
from tests.helpers.linear import is_linear, least_seconds
from tests.helpers.strategies import SPECIAL_TOKENS, plain_texts, quick, texts, vocabularies
from tests.helpers.train_sentencepiece import train

pytestmark = pytest.mark.engine_free
WORDS = ('un ##aff ##able hello world angstrom . , ! ? ( ) - \' < ` \u4eca \u5929 \u6c14 \u4e2d '
         '\uff0c \u3002 \u0301 \u20ac ##\u20ac \u03c3 ##\u03c3 \u03c2 ##\u03c2 \u03b1 ##\u03b1 '
         '\U00020000 \U0001d16d ##\U0001d165 [unused1] <S> don t').split(' ')
LETTERS = [prefix + letter for letter in 'abcdehlor' for prefix in ('', '##')]
TOKENS = list(SPECIAL_TOKENS) + WORDS + LETTERS
VOCAB = OrderedDict((token, number) for number, token in enumerate(TOKENS))
UNCASED = Tokenizer(VOCAB)
CASED = Tokenizer(VOCAB, case_sensitive=True)


class Words(Tokenizer):
    """Words are not cut into pieces."""

    def _word_piece_tokenize(self, word):
        return [word]


TOKENIZERS = st.sampled_from([UNCASED, CASED])
LIMITS = st.one_of(st.none(), st.integers(3, 23))


def write(folder, data, name='vocab.txt'):
    """Writes bytes to a file of that folder and returns its path."""
    path = str(folder.join(name))
    with io.open(path, 'wb') as writer:
        writer.write(data)
    return path


def reference_tokens(tokenizer, text):
    """Google's algorithm, character by character, as slow and plain as it can be said."""
    cleaned = ''
    for ch in text:
        if tokenizer._is_space(ch):
            cleaned += ' '
        elif ch not in '\0\ufffd' and not tokenizer._is_control(ch):
            cleaned += ' ' + ch + ' ' if tokenizer._is_cjk_character(ch) else ch
    tokens = []
    for word in cleaned.split(' '):
        if not tokenizer._case_sensitive:
            word = unicodedata.normalize('NFD', word.lower())
            word = ''.join(ch for ch in word if unicodedata.category(ch) != 'Mn')
        spaced = ''.join(' ' + ch + ' ' if tokenizer._is_punctuation(ch) else ch for ch in word)
        for part in spaced.split(' '):
            tokens.extend(reference_pieces(part, tokenizer._token_dict))
    return tokens


def reference_pieces(word, vocab=VOCAB):
    """Greedy longest match first, over all prefixes of what is left."""
    pieces, rest = [], word
    while rest:
        prefix = '##' if pieces else ''
        match = [end for end in range(1, len(rest) + 1) if prefix + rest[:end] in vocab]
        if not match or len(word) > 200:
            return ['[UNK]']
        pieces.append(prefix + rest[:match[-1]])
        rest = rest[match[-1]:]
    return pieces


# ---- vocabularies ----------------------------------------------------------------------------


def test_a_vocabulary_is_split_at_line_feeds_only(tmpdir):
    """U+2028, U+0085, form feeds and spaces belong to tokens; one CR before the end does not."""
    tokens = ['[PAD]', 'a\u2028b', '\x85', '\x0c', '', ' x ', 'y\r', '\u4e2d']
    data = '\n'.join(tokens).replace('y\r', 'y\r\r').replace('b\n', 'b\r\n').encode('utf-8')
    for end in (b'', b'\n', b'\r\n'):
        vocab = load_vocab(write(tmpdir, data + end))
        assert list(vocab.items()) == [(token, i) for i, token in enumerate(tokens)]


@pytest.mark.parametrize('data, line, remedy', [
    (b'', 1, 'save it'), (b'\xef\xbb\xbf[PAD]\n', 1, 'save it'), (b'a\nb\n\xff\nc\n', 3, 'convert'),
    (b'a\nb\nc\nb\nd\n', 4, 'rename'), (b'a\n\nb\n\n', 4, 'rename'),
], ids=['empty', 'byte order mark', 'not UTF-8', 'duplicate', 'two empty lines'])
def test_a_broken_vocabulary_names_file_line_and_remedy(tmpdir, data, line, remedy):
    """Each way in which the content can be wrong says where it is and what to do."""
    path = write(tmpdir, data)
    with pytest.raises(VocabularyError) as caught:
        load_vocab(path)
    for part in ('vocab.txt', 'line %d' % line, remedy):
        assert part in str(caught.value)


def test_an_unreadable_vocabulary_is_a_vocabulary_error(tmpdir):
    """Missing files, directories, forbidden files and impossible names say the name."""
    forbidden = write(tmpdir, b'[PAD]\n', name='forbidden.txt')
    os.chmod(forbidden, 0)
    paths = [str(tmpdir.join('missing.txt')), str(tmpdir)]
    paths += [forbidden] if not os.access(forbidden, os.R_OK) else []
    for path in paths:
        with pytest.raises(VocabularyError) as caught:
            Tokenizer(path)
        assert os.path.basename(path) in str(caught.value) and 'give' in str(caught.value)


def test_keep_prunes_in_the_original_order(tmpdir):
    """The kept tokens are renumbered, specials included, and the original ids come along."""
    path = write(tmpdir, '\n'.join(['z', '[CLS]', 'b', '[UNK]', 'a', '[SEP]', 'c']).encode('utf-8'))
    for keep in (lambda token: token in 'ac', ['c', 'a', 'nowhere'], {'a', 'c'}):
        vocab, keep_words = load_vocab(path, keep=keep)
        assert list(vocab.items()) == [('[CLS]', 0), ('[UNK]', 1), ('a', 2), ('[SEP]', 3), ('c', 4)]
        assert keep_words == [1, 3, 4, 5, 6]
    with pytest.raises(TypeError):
        load_vocab(path, keep='ac')


@quick
@given(st.lists(st.text(max_size=5), min_size=1, max_size=9, unique=True))
def test_a_saved_vocabulary_reads_back(tokens):
    """Whatever `save_vocab` accepts, `load_vocab` reads back the same, in the same order."""
    import tempfile
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, 'vocab.txt')
    vocab = {token: number for number, token in enumerate(tokens)}
    try:
        save_vocab(path, vocab)
        assert list(load_vocab(path)) == tokens
        os.remove(path)
    except VocabularyError:
        assert tokens[0][:1] == '\ufeff' or any('\n' in t or t.endswith('\r') for t in tokens)
    os.rmdir(folder)  # fails when something is left behind


@pytest.mark.parametrize('vocab', [
    {}, {'a': 0, 'b': 2}, {'a': 1}, {'a': 0, 'b': 0}, {'a': 0, 'b\nc': 1}, {'a\r': 0},
    {'\ufeffa': 0}, pytest.param({'\ud800': 0}, marks=pytest.mark.skipif(
        str is bytes, reason='UTF-8 of Python 2 holds surrogates'))])
def test_a_vocabulary_that_cannot_be_saved_leaves_the_old_file(tmpdir, vocab):
    """Nothing is written, nothing is left over, and the error names the file."""
    path = write(tmpdir, b'old\n')
    with pytest.raises(VocabularyError) as caught:
        save_vocab(path, vocab)
    assert 'vocab.txt' in str(caught.value)
    assert os.listdir(str(tmpdir)) == ['vocab.txt'] and list(load_vocab(path)) == ['old']


@pytest.mark.parametrize('vocab, error', [
    ({'a': 0, 'b': 0}, VocabularyError), ({'a': -1}, VocabularyError), ({'a': 1.5}, TypeError),
    ({'a': 2 ** 31}, VocabularyError),
    ({3: 0}, TypeError), ({'a': None}, TypeError)])
def test_a_mapping_that_is_no_vocabulary_is_refused(vocab, error):
    """Tokens are strings, ids are different integers from 0."""
    with pytest.raises(error):
        Tokenizer(vocab)


@pytest.mark.parametrize('token, cased', [
    ('the', False), ('The', True), ('##ING', True), ('[Unused]', False), ('<S>', False), ('[A', True),
    ('A]', True), ('[A] ', True), ('\u0394', False), ('[\nA]', False)])
def test_case_is_told_from_the_vocabulary(token, cased):
    """A capital counts outside brackets only: Google's uncased Chinese vocabulary has <S>, <T>."""
    vocab = dict(VOCAB)
    vocab.setdefault(token, len(vocab))
    assert Tokenizer(vocab)._case_sensitive is cased
    assert Tokenizer(vocab, case_sensitive=not cased)._case_sensitive is not cased


# ---- tokens ----------------------------------------------------------------------------------


@quick
@given(TOKENIZERS, texts)
def test_tokens_are_those_of_the_plain_algorithm(tokenizer, text):
    """Chunks, tables and memories change nothing, the second time included."""
    expected = reference_tokens(tokenizer, text)
    assert tokenizer._tokenize(text) == tokenizer._tokenize(text) == expected
    assert tokenizer._tokenize_step_by_step(text) == expected


@quick
@given(vocabularies, texts, st.booleans())
def test_any_vocabulary(vocab, text, cased):
    """Ids are those of the plain algorithm's tokens; a special token that is missing is an error when needed."""
    tokenizer = Tokenizer(vocab, case_sensitive=cased)
    tokens = reference_tokens(tokenizer, text)
    assert tokenizer._tokenize(text) == tokens
    if set(tokens + ['[CLS]', '[SEP]']) <= set(vocab):
        expected = [vocab[token] for token in ['[CLS]'] + tokens + ['[SEP]']]
        assert tokenizer.encode(text)[0] == tokenizer.encode_batch([text])[0][0].tolist() == expected
    else:
        with pytest.raises(VocabularyError):
            tokenizer.encode(text)


@pytest.mark.parametrize('text, tokens', [
    ('Unaffable hello,WORLD!', 'un ##aff ##able hello , world !'),
    ('\xc5ngstr\xf6m A\u030angstro\u0308m', 'angstrom angstrom'),
    ('\u4eca\u5929hello\u6c14\uff0c', '\u4eca \u5929 hello \u6c14 \uff0c'),
    ('he\x00l\ufffdl\u200bo\xad wor\tld\x85', 'hello [UNK] l ##d'),
    ('hello\u2028world\xa0hello\u3000world', 'hello world hello world'),
    ('[MASK] hello', '[UNK] [UNK] [UNK] hello'),
    ('helloz', '[UNK]'),
    ('\u226e \u1fef', '< `'),
    ('\u03b1\u03a3 \u03a3\u03b1 \u03b1\u03a3.\u03b1',
     '\u03b1 ##%s \u03c3 ##\u03b1 \u03b1 ##\u03c3 . \u03b1' % '\u03b1\u03a3'.lower()[1]),
    ('a' * 200, 'a ' + '##a ' * 199), ('a' * 201, '[UNK]'), ('a\u0301' * 200, 'a ' + '##a ' * 199),
    ('a\u3007 \u3005b', '[UNK] [UNK]'), ('a\u3008b', 'a [UNK] b'),
    ('a\u20ac', 'a ##\u20ac'), ('', ''), (' \n ', ''), ('\u0301', ''),
])
def test_named_tokenizations(text, tokens):
    """Facts of Google's tokenizer, one a line."""
    assert UNCASED._tokenize(text) == tokens.split()


@pytest.mark.parametrize('hook, yes, no', [
    ('_is_space', ' \t\n\r\xa0\u3000\u2028\u2029', 'a\x0b\x85\u200b.'),
    ('_is_control', '\x00\x0b\x7f\x85\xad\u200d\u202e', 'a \t\n\r\ufffd\ue000\u0301'),
    ('_is_cjk_character', '\u3400\u4dbf\u4e00\u9fff\uf900\ufaff',
     'a\u33ff\u4dc0\u4dff\ua000\uf8ff\ufb00\u3042\uac00\uff0c'),
    ('_is_punctuation', '!/:@[`{~$+<=>^|\u2014\u203f(\u300c)\u300d\u201c\u201d\u3002',
     'az09AZ \x7f\u20ac\xd7\xb4\u2713\u4e2d')])
def test_questions_about_characters(hook, yes, no):
    """The default hooks answer as Google's four functions do."""
    ask = getattr(Tokenizer, hook)
    assert [ask(ch) for ch in yes + no] == [True] * len(yes) + [False] * len(no)


@pytest.mark.skipif(len('\U00020000') > 1, reason='a narrow build has no characters beyond U+FFFF')
def test_characters_beyond_the_basic_plane():
    """CJK extensions to their edges; marks that are no accents are sorted as NFD does."""
    edges = '\U00020000 \U0002a6df \U0002a700 \U0002b73f \U0002b740 \U0002ceaf \U0002f800'
    assert all(map(Tokenizer._is_cjk_character, edges.split()))
    outside = '\U0001ffff \U0002a6e0 \U0002a6ff \U0002ceb0 \U0002f7ff \U0002fa20 \U00030000'
    assert not any(map(Tokenizer._is_cjk_character, outside.split()))
    assert UNCASED._tokenize('\U0001d16d\U0001d165') == ['[UNK]']
    assert UNCASED._tokenize('\U0001d16d\u034f\U0001d165') == ['\U0001d16d', '##\U0001d165']
    assert CASED._tokenize('\U0001d16d\U0001d165') == ['\U0001d16d', '##\U0001d165']


def test_a_cased_tokenizer_keeps_capitals_and_accents():
    """Neither lower-casing nor accent stripping when case-sensitive."""
    assert CASED._tokenize('hello Hello he\u0301llo') == ['hello', '[UNK]', '[UNK]']
    assert CASED._tokenize('.\u0301') == ['.', '\u0301']


def test_special_tokens_are_kept_whole_when_asked():
    """Anywhere in a text, whatever the case of the rest; not when they are spelled otherwise."""
    tokenizer = Tokenizer(VOCAB, keep_special=True)
    text = '[MASK]hello[SEP], [mask] [MASK'
    tokens = ['[MASK]', 'hello', '[SEP]', ','] + tokenizer._tokenize('[mask] [MASK')
    assert '[MASK]' not in tokenizer._tokenize('[mask] [MASK')
    assert tokenizer._tokenize(text) == tokens and tokenizer._tokenize_step_by_step(text) == tokens
    assert tokenizer.ids_to_tokens(tokenizer.encode(text)[0][1:-1]) == tokens
    assert '[MASK]' not in UNCASED._tokenize(text)


@quick
@given(texts)
def test_between_special_tokens_nothing_changes(text):
    """What is not a special token has the tokens that it has alone."""
    kept = Tokenizer(VOCAB, keep_special=True)
    expected = []
    for part in re.split(r'(\[(?:PAD|UNK|CLS|SEP|MASK)\])', text):
        expected += [part] if part in SPECIAL_TOKENS else UNCASED._tokenize(part)
    assert kept._tokenize(text) == expected


def test_a_setting_changed_later_is_seen():
    """The word limit, the case and the special tokens are no part of what is remembered."""
    tokenizer = Tokenizer(VOCAB)
    assert tokenizer._tokenize('Hello abcd') == ['hello', 'a', '##b', '##c', '##d']
    tokenizer._max_word_length = 3
    assert tokenizer._tokenize('Hello abcd') == ['[UNK]', '[UNK]']
    assert tokenizer.encode('Hello')[0][1] == VOCAB['[UNK]']
    tokenizer.token_unk = '[unused1]'
    assert tokenizer.encode('Hello')[0][1] == VOCAB['[unused1]']
    tokenizer._max_word_length, tokenizer._case_sensitive = 9, True
    assert tokenizer._tokenize('hello Hello') == ['hello', '[unused1]']


# ---- offsets ---------------------------------------------------------------------------------


@pytest.mark.parametrize('text, parts', [
    ('Unaffable  hello,', ['Un', 'aff', 'able', 'hello', ',']),
    ('\xc5ngstr\xf6m z!', ['\xc5ngstr\xf6m', 'z', '!']),
    ('A\u030angstro\u0308m', ['A\u030angstro\u0308m']),
    ('\u4eca\u5929he\x00llo', ['\u4eca', '\u5929', 'he\x00llo']),
    ('\u03b1\u03a3', ['\u03b1', '\u03a3']), (' \u0301 \u226e', ['\u226e']), ('', []),
])
def test_offsets_name_the_text_of_each_token(text, parts):
    """Slices of the original text, accents and dropped characters inside them included."""
    _, _, offsets = UNCASED.encode(text, offsets=True)
    assert offsets[0] == offsets[-1] == (0, 0)
    assert [text[start:end] for start, end in offsets[1:-1]] == parts


@quick
@given(TOKENIZERS, texts, st.one_of(st.none(), texts), LIMITS, st.one_of(st.none(), st.integers(9, 12)))
def test_offsets_slice_back_to_the_token(tokenizer, first, second, max_length, first_length):
    """A slice, tokenized again, has the token's letters; offsets align with ids, in order, (0, 0) for specials."""
    first_length = first_length if max_length is None else None
    token_ids, _, offsets = tokenizer.encode(first, second, max_length, first_length, offsets=True)
    assert token_ids == tokenizer.encode(first, second, max_length, first_length)[0]
    assert len(offsets) == len(token_ids)
    words = Words(VOCAB, case_sensitive=tokenizer._case_sensitive)
    text, before = first, 0
    for token, (start, end) in zip(tokenizer.ids_to_tokens(token_ids), offsets):
        if token in ('[CLS]', '[SEP]', '[PAD]'):
            assert (start, end) == (0, 0)
            text, before = (second, 0) if token == '[SEP]' else (text, before)
            continue
        assert before <= start < end <= len(text)
        if token != '[UNK]':
            letters = ''.join(words._tokenize(text[start:end])).replace('\u03c2', '\u03c3')
            assert (token[2:] if token.startswith('##') else token).replace('\u03c2', '\u03c3') in letters
        before = start


def test_rematch_takes_the_tokens_of_tokenize():
    """Special tokens that are not in the text have an empty span; foreign tokens are refused by number."""
    text = 'hello [MASK] unaffable z'
    tokens = Tokenizer(VOCAB, keep_special=True).tokenize(text)
    spans = Tokenizer(VOCAB, keep_special=True).rematch(text, tokens)
    assert [text[start:end] for start, end in spans] == ['', 'hello', '[MASK]', 'un', 'aff', 'able', 'z', '']
    assert UNCASED.rematch(text, ['hello']) == [(0, 5)]
    assert UNCASED.rematch('', ['[CLS]', '[UNK]', '[SEP]']) == [(0, 0)] * 3
    with pytest.raises(ValueError) as caught:
        UNCASED.rematch(text, ['hello', 'world'])
    assert 'token 1' in str(caught.value) and 'world' in str(caught.value)


@pytest.mark.skipif(len('\U00020000') > 1, reason='a narrow build has no characters beyond U+FFFF')
def test_marks_that_change_places_have_the_span_of_both():
    """NFD sorts marks; a token's span runs from the first to the last of its characters."""
    text = 'a \U0001d16d\U0001d165 a'
    assert UNCASED._tokenize(text) == ['a', '[UNK]', 'a']
    assert UNCASED.rematch(text, ['a', '[UNK]', 'a']) == [(0, 1), (2, 4), (5, 6)]


def test_the_word_limit_is_an_argument():
    """A word of one character more than `max_word_length` is unknown."""
    tokenizer = Tokenizer(VOCAB, max_word_length=3)
    assert tokenizer._tokenize('abc abcd') == ['a', '##b', '##c', '[UNK]']


@quick
@given(TOKENIZERS, texts, texts)
def test_whitespace_separates(tokenizer, left, right):
    """The tokens of two texts with a space between are those of each."""
    both = tokenizer._tokenize(left + ' ' + right)
    assert both == tokenizer._tokenize(left) + tokenizer._tokenize(right)


@quick
@given(TOKENIZERS, texts, st.one_of(st.none(), texts), LIMITS)
def test_ids_are_in_range_and_segments_match(tokenizer, first, second, max_length):
    """Whatever the text, ids fit the model, segments align, `tokenize` names the ids."""
    token_ids, segment_ids = tokenizer.encode(first, second, max_length=max_length)
    assert all(type(i) is int and 0 <= i < len(VOCAB) for i in token_ids)
    tokens = tokenizer.tokenize(first, second, max_length=max_length)
    assert tokenizer.ids_to_tokens(token_ids) == tokens and len(tokens) == len(segment_ids)
    assert max_length is None or len(tokens) <= max_length
    first_size = tokens.index('[SEP]') + 1
    assert tokens[0] == '[CLS]' and tokens[-1] == '[SEP]'
    assert tokens.count('[SEP]') == (1 if second is None else 2)
    assert segment_ids == [0] * first_size + [1] * (len(tokens) - first_size)
    assert '[' not in tokenizer.decode(token_ids)


@quick
@given(plain_texts, plain_texts, st.integers(3, 60))
def test_truncation_drops_from_the_longer_text(first, second, max_length):
    """As Google does: pop from the longer one, from the second when equal, until it fits."""
    left, right = UNCASED._tokenize(first), UNCASED._tokenize(second)
    while len(left) + len(right) > max_length - 3:
        (left if len(left) > len(right) else right).pop()
    expected = ['[CLS]'] + left + ['[SEP]'] + right + ['[SEP]']
    assert UNCASED.tokenize(first, second, max_length=max_length) == expected


@quick
@given(plain_texts, plain_texts, st.one_of(st.none(), st.integers(2, 19)),
       st.one_of(st.none(), st.integers(1, 17)), LIMITS)
def test_parts_have_their_lengths(first, second, first_length, second_length, max_length):
    """Each part is cut or padded to its length after its [SEP]; the other gives way to a limit."""
    least = (first_length or 2) + (second_length or 1)
    arguments = dict(max_length=max_length, first_length=first_length, second_length=second_length)
    if max_length is not None and max_length < least:
        with pytest.raises(ValueError):
            UNCASED.encode(first, second, **arguments)
        return
    token_ids, segment_ids = UNCASED.encode(first, second, **arguments)
    size = segment_ids.count(0)
    parts = [(token_ids[1:size], UNCASED._tokenize(first), first_length, 1),
             (token_ids[size:], UNCASED._tokenize(second), second_length, 0)]
    assert token_ids[0] == VOCAB['[CLS]'] and segment_ids == [0] * size + [1] * len(parts[1][0])
    assert max_length is None or len(token_ids) <= max_length
    for ids, tokens, length, offset in parts:
        kept = ids[:ids.index(VOCAB['[SEP]'])]
        assert kept == UNCASED.tokens_to_ids(tokens)[:len(kept)]
        assert set(ids[len(kept) + 1:]) <= {VOCAB['[PAD]']}
        if length is None:
            assert len(ids) == len(kept) + 1
        else:
            assert len(ids) + offset == length
            assert len(kept) == min(len(tokens), length - 1 - offset)
        if max_length is None and length is None:
            assert len(kept) == len(tokens)
    if first_length and max_length and not second_length:
        assert len(parts[1][0]) == min(len(parts[1][1]) + 1, max_length - first_length)
    if second_length and max_length and not first_length:
        assert size == min(len(parts[0][1]) + 2, max_length - second_length)


@pytest.mark.parametrize('second, arguments', [
    (None, dict(max_length=1)), (None, dict(max_length=0)), (None, dict(max_length=-3)),
    ('b', dict(max_length=2)), (None, dict(first_length=1)), ('b', dict(second_length=0)),
    (None, dict(second_length=5)), (None, dict(max_length=5, first_length=7)),
    ('b', dict(max_length=11, first_length=7, second_length=5))])
def test_a_length_without_room_for_special_tokens_is_an_error(second, arguments):
    """Lengths that cannot be kept are refused and shown, whatever the text."""
    with pytest.raises(ValueError) as caught:
        UNCASED.encode('a', second, **arguments)
    for name, value in arguments.items():
        assert '%s=%d' % (name, value) in str(caught.value)


@quick
@given(st.lists(st.tuples(plain_texts, st.one_of(st.none(), plain_texts)), max_size=5), LIMITS,
       LIMITS)
def test_a_batch_is_its_rows_padded(pairs, max_length, length):
    """int32 arrays; each row is what `encode` gives under the tighter limit, then padding."""
    texts = [first for first, _ in pairs]
    limit = min([limit for limit in (max_length, length) if limit] or [None])
    rows = [UNCASED.encode(first, second, max_length=limit) for first, second in pairs]
    token_ids, segment_ids = UNCASED.encode_batch(texts, [second for _, second in pairs],
                                                  max_length=max_length, length=length)
    width = length or max([0] + [len(ids) for ids, _ in rows])
    assert token_ids.dtype == segment_ids.dtype == np.int32
    assert token_ids.shape == segment_ids.shape == (len(pairs), width)
    for i, (ids, segments) in enumerate(rows):
        assert token_ids[i].tolist() == ids + [VOCAB['[PAD]']] * (width - len(ids))
        assert segment_ids[i].tolist() == segments + [0] * (width - len(ids))


@quick
@given(st.lists(plain_texts, max_size=5), TOKENIZERS)
def test_texts_one_after_the_other_are_their_ids(texts, tokenizer):
    """What `encode` gives without the special tokens; an array of one's own."""
    token_ids, lengths = tokenizer.encode_ragged(texts)
    rows = [tokenizer.encode(text)[0][1:-1] for text in texts]
    assert token_ids.tolist() == [token_id for row in rows for token_id in row] and lengths == list(map(len, rows))
    assert token_ids.dtype == np.int32 and token_ids.shape == (sum(lengths),) and token_ids.flags.writeable
    for argument, error in (('ab', TypeError), ([b'\xff'], ValueError), (['a', None], TypeError)):
        with pytest.raises(error):
            tokenizer.encode_ragged(argument)


def test_a_batch_refuses_what_is_no_list_of_texts():
    """One string would be a batch of its characters; unequal lists would be cut."""
    for arguments in (('ab',), (b'ab',), (['a', 'b'], 'ab')):
        with pytest.raises(TypeError):
            UNCASED.encode_batch(*arguments)
    with pytest.raises(ValueError):
        UNCASED.encode_batch(['a', 'b'], ['c'])
    with pytest.raises(TypeError):
        UNCASED.encode_batch(['a', None])


def test_the_padding_id_is_the_vocabularys_or_zero():
    """[PAD] need not be 0, and need not exist."""
    vocab = {'[CLS]': 0, '[SEP]': 1, '[PAD]': 2, 'a': 3, '[UNK]': 4}
    assert Tokenizer(vocab).encode('a', first_length=5)[0] == [0, 3, 1, 2, 2]
    assert Tokenizer(vocab).encode_batch(['a', ''])[0].tolist() == [[0, 3, 1], [0, 1, 2]]
    del vocab['[PAD]']
    assert Tokenizer(vocab).encode('a', first_length=5)[0] == [0, 3, 1, 0, 0]


# ---- ids and back ----------------------------------------------------------------------------


def test_ids_and_tokens_convert_into_each_other():
    """Both ways for one and for many; unknown tokens get the id of [UNK]."""
    assert UNCASED.token_to_id('hello') == VOCAB['hello']
    assert UNCASED.tokens_to_ids(iter(['hello', 'nowhere', '##a'])) == [
        VOCAB['hello'], VOCAB['[UNK]'], VOCAB['##a']]
    assert UNCASED.id_to_token(VOCAB['hello']) == 'hello'
    assert UNCASED.ids_to_tokens(np.arange(3)) == ['[PAD]', '[UNK]', '[CLS]']


def test_a_special_token_that_a_file_lacks_is_an_error_with_its_path(tmpdir):
    """It is found when the first text is encoded, where nobody knows the file any more; so do copies."""
    path = str(tmpdir.join('words.txt'))
    tmpdir.join('words.txt').write('a\n[UNK]\n[SEP]\n')
    for tokenizer in (Tokenizer(path), pickle.loads(pickle.dumps(Tokenizer(path)))):
        with pytest.raises(VocabularyError) as caught:
            tokenizer.encode('a')
        assert 'words.txt' in str(caught.value) and '[CLS]' in str(caught.value)


@pytest.mark.parametrize('token_id', [-1, len(VOCAB), 10 ** 12])
def test_an_id_out_of_range_names_id_and_size(token_id):
    """`id_to_token` and `decode` say which id, and how many there are."""
    for convert in (UNCASED.id_to_token, lambda i: UNCASED.decode([1, i])):
        with pytest.raises(ValueError) as caught:
            convert(token_id)
        assert str(token_id) in str(caught.value) and str(len(VOCAB)) in str(caught.value)


@pytest.mark.parametrize('missing, use', [
    ('[UNK]', lambda tokenizer: tokenizer.encode('hello z')),
    ('[CLS]', lambda tokenizer: tokenizer.encode('hello')),
    ('[SEP]', lambda tokenizer: tokenizer.encode('hello')),
    ('[MASK]', lambda tokenizer: tokenizer.token_to_id('[MASK]'))])
def test_a_missing_special_token_is_an_error_when_needed(missing, use):
    """Not at construction, never a silent other id; a subclass may name another token."""
    vocab = {token: number for token, number in VOCAB.items() if token != missing}
    tokenizer = Tokenizer(vocab)
    assert tokenizer._tokenize('hello') == ['hello']
    with pytest.raises(VocabularyError) as caught:
        use(tokenizer)
    assert missing in str(caught.value) and str(len(vocab)) in str(caught.value)

    class Renamed(Tokenizer):
        token_unk = token_cls = token_sep = token_mask = '[unused1]'

    assert Renamed(vocab).encode('hello z')[0] == [VOCAB[token] for token in (
        '[unused1]', 'hello', '[unused1]', '[unused1]')]


@pytest.mark.parametrize('text, decoded', [
    ('Hello,  world!', 'hello, world!'), ("don't (hello) - a.b", "don't (hello)-a. b"),
    ('\u4eca\u5929 hello \u6c14\uff0cab', '\u4eca\u5929hello\u6c14\uff0cab'),
    ('unaffable z', 'unaffable'), ('', '')])
def test_decode_gives_readable_text(text, decoded):
    """Pieces joined, special tokens dropped, spaces where a reader wants them."""
    assert UNCASED.decode(UNCASED.encode(text, text)[0]) in (
        decoded + decoded, decoded + ' ' + decoded)


# ---- hooks -----------------------------------------------------------------------------------


class Shouting(Tokenizer):
    """Each hook overridden once, as a method or as a static method."""

    def _is_space(self, ch):
        return ch == 'b' or Tokenizer._is_space(ch)

    @staticmethod
    def _is_control(ch):
        return ch in '!\u4e2d\t' or Tokenizer._is_control(ch)

    @staticmethod
    def _is_cjk_character(ch):
        return ch == 'c'

    def _is_punctuation(self, ch):
        return ch in 'd\u4eca'


@quick
@given(st.sampled_from(['_is_space', '_is_control', '_is_cjk_character', '_is_punctuation']),
       TOKENIZERS, st.text('abcd \t\u4e2d\u4eca\u5929.!z\u0301', max_size=20))
def test_character_hooks_are_respected(name, tokenizer, text):
    """The tokens follow a hook that a subclass overrides."""
    subclass = type(str('One'), (Tokenizer,), {str(name): Shouting.__dict__[name]})
    overridden = subclass(VOCAB, case_sensitive=tokenizer._case_sensitive)
    assert overridden._tokenize(text) == overridden._tokenize(text) == reference_tokens(overridden, text)


@pytest.mark.parametrize('hook', ['_is_space', '_is_punctuation', '_is_cjk_character', '_is_control', '_tokenize',
                                  '_word_piece_tokenize', 'token_to_id', 'tokens_to_ids'])
def test_hooks_are_for_subclasses(hook):
    """A hook that is set on one object would be ignored: an error says where it belongs."""
    with pytest.raises(AttributeError) as caught:
        setattr(Tokenizer(VOCAB), hook, lambda *args: [])
    assert hook in str(caught.value) and 'subclass of Tokenizer' in str(caught.value)


def test_the_word_piece_hook_is_asked_every_time():
    """An overridden `_word_piece_tokenize` may give another answer each time (BPE dropout)."""
    class Counting(Tokenizer):
        seen = 0

        def _word_piece_tokenize(self, word):
            self.seen += 1
            return [word] * self.seen

    assert Counting(VOCAB)._tokenize('a b, a') == ['a'] + 2 * ['b'] + 3 * [','] + 4 * ['a']


def test_everything_goes_through_the_tokenize_hook():
    """`tokenize`, `encode` and `encode_batch` see an overridden `_tokenize`, even a generator."""
    class Spelling(Tokenizer):
        def _tokenize(self, text):
            return (ch for ch in text if not self._is_space(ch))

    tokenizer = Spelling(VOCAB)
    assert tokenizer.tokenize('he o') == ['[CLS]', 'h', 'e', 'o', '[SEP]']
    ids = [VOCAB[token] for token in ('[CLS]', 'h', 'e', 'o', '[SEP]')]
    assert tokenizer.encode('he o')[0] == ids
    assert tokenizer.encode_batch(['he o'])[0].tolist() == [ids]


def test_a_new_vocabulary_is_seen():
    """Assigning `_token_dict` replaces tokens, ids and what was remembered."""
    tokenizer = Tokenizer(VOCAB)
    assert tokenizer._tokenize('hello') == ['hello']
    tokenizer._token_dict = {'hell': 0, '##o': 1}
    assert tokenizer._tokenize('hello') == ['hell', '##o']
    assert tokenizer._token_dict_inv == {0: 'hell', 1: '##o'}


# ---- any input, any use ----------------------------------------------------------------------


def test_bytes_are_utf_8_and_others_are_type_errors():
    """The same rule on every Python; nothing is ignored or guessed."""
    assert UNCASED.encode('\u4eca\u5929'.encode('utf-8')) == UNCASED.encode('\u4eca\u5929')
    with pytest.raises(ValueError) as caught:
        UNCASED.encode(b'hello \xff')
    assert 'byte 6' in str(caught.value)
    for value in (None, 3, ['hello'], object()):
        with pytest.raises(TypeError) as caught:
            UNCASED.encode(value)
        assert type(value).__name__ in str(caught.value)


def test_every_setting_goes_along_with_a_copy():
    """None of them at its default: special tokens kept, capitals, the length of words, accents."""
    original = Tokenizer(VOCAB, case_sensitive=True, max_word_length=8, keep_special=True, strip_accents=True)
    for other in (copy.copy(original), copy.deepcopy(original), pickle.loads(pickle.dumps(original, 2))):
        for name in ('_keep_special', '_case_sensitive', '_max_word_length', '_strip_accents', 'token_mask'):
            assert getattr(other, name) == getattr(original, name), name
        assert '[MASK]' in other.tokenize('a [MASK]') and other.tokenize('a' * 9)[1:-1] == ['[UNK]']


@pytest.mark.parametrize('copied', [copy.copy, copy.deepcopy] + [
    lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))
    for protocol in range(3)])
def test_tokenizers_pickle_and_copy(copied):
    """A copy of a used tokenizer gives the same, and is a tokenizer of its own."""
    text = 'Hello \u4eca\u5929, unaffable!'
    original = Tokenizer(VOCAB, max_word_length=8)
    size = len(pickle.dumps(original, 2))
    expected = original.encode(text)
    assert len(pickle.dumps(original, 2)) == size
    other = copied(original)
    assert other.encode(text) == expected and other._tokenize('a' * 9) == ['[UNK]']
    other._token_dict = {'[CLS]': 0, '[SEP]': 1, '[UNK]': 2}
    assert original.encode(text) == expected and other.encode('a') == ([0, 2, 1], [0, 0, 0])


def test_every_argument_survives_a_copy():
    """Pickled and copied, of each argument a value that is not the default; names and lengths set later, too."""
    original = Tokenizer(VOCAB, True, 3, True, strip_accents=True)
    original.token_unk, original.model_max_length = '[unused1]', 77
    text = 'ab\u0301c abcd [MASK]H'
    assert original._tokenize(text) == ['a', '##b', '##c', '[unused1]', '[MASK]', '[unused1]']
    for other in [copy.copy(original), copy.deepcopy(original)] + [
            pickle.loads(pickle.dumps(original, protocol)) for protocol in range(3)]:
        assert other._tokenize(text) == original._tokenize(text) and other.encode(text) == original.encode(text)
        assert other.model_max_length == 77 and other._strip_accents is True


def test_accents_may_be_stripped_or_kept_whatever_the_case():
    """`strip_accents` is another question than `case_sensitive`; None is Google's answer."""
    vocab = {token: number for number, token in enumerate(['[UNK]', '\xe4', 'a', 'A', '\xc4'])}
    for cased, strip_accents, tokens in ((False, False, '\xe4 a'), (True, True, 'A a'), (False, True, 'a a'),
                                         (True, False, '\xc4 a'), (False, None, 'a a'), (True, None, '\xc4 a')):
        assert Tokenizer(vocab, cased, strip_accents=strip_accents)._tokenize('\xc4 a') == tokens.split(' ')


def test_special_ids_and_the_size_are_public():
    """Ids by name; the size is what a table of embeddings needs, gaps included."""
    vocab = {'[PAD]': 3, '[UNK]': 5, '[CLS]': 7, '[SEP]': 11, '[MASK]': 13, 'a': 17}
    tokenizer = Tokenizer(vocab)
    assert (tokenizer.token_pad_id, tokenizer.token_unk_id, tokenizer.token_cls_id, tokenizer.token_sep_id,
            tokenizer.token_mask_id, tokenizer.vocab_size) == (3, 5, 7, 11, 13, 18)
    assert Tokenizer({}).vocab_size == 0 == Tokenizer({}).token_pad_id
    with pytest.raises(VocabularyError) as caught:
        Tokenizer({'a': 0}).token_mask_id
    assert '[MASK]' in str(caught.value)


def test_offsets_tokenize_once():
    """Ids and spans come from the same tokens, though the hook may answer otherwise the next time."""
    class Counting(Tokenizer):
        calls = 0

        def _tokenize(self, text):
            self.calls += 1
            return super(Counting, self)._tokenize(text)

    tokenizer = Counting(VOCAB)
    tokenizer.encode('hello world', 'unaffable', offsets=True)
    assert tokenizer.calls == 2


LONG_TEXTS = ['\u4eca\u5929', 'hello ', 'a.', '\u4eca\u03a3', 'a[MASK]', '\n', 'a', '\U0001d16d\U0001d165 ']


@pytest.mark.parametrize('text', LONG_TEXTS)
@pytest.mark.parametrize('keep_special', [False, True])
def test_a_long_text_is_cut_into_blocks_that_change_nothing(monkeypatch, text, keep_special):
    """Tokens, ids and spans of a text of many blocks are those of the whole."""
    tokenizer = Tokenizer(VOCAB, keep_special=keep_special)
    text = (text * 40)[:60] + 'h\u4eca\u0301e \u03b1\u03a3.\u03b1[MASK]\u03a3' + text * 9
    whole = tokenizer._tokenize(text), tokenizer.encode(text, offsets=True)
    for size in (1, 7, 16):
        monkeypatch.setattr('bert4keras.tokenizer_parts.BLOCK_LENGTH', size)
        monkeypatch.setattr('bert4keras.tokenizer.BLOCK_LENGTH', size)
        assert tokenizer.tokenize(text)[1:-1] == whole[0]
        assert tokenizer.encode(text, offsets=True) == whole[1] and tokenizer.encode(text) == whole[1][:2]
        for limit in (3, 9, 40):
            expected = ['[CLS]'] + whole[0][:limit - 2] + ['[SEP]']
            assert tokenizer.tokenize(text, max_length=limit) == expected
            assert tokenizer.encode(text, max_length=limit)[0] == tokenizer.tokens_to_ids(expected)
            assert tokenizer.encode(text, text, max_length=limit, first_length=2 + limit // 9)[0] == (
                Whole(VOCAB, keep_special=keep_special).encode(text, text, limit, 2 + limit // 9)[0])


class Whole(Tokenizer):
    """A text is never cut into blocks where `_tokenize` is overridden."""

    def _tokenize(self, text):
        return self._tokenize_step_by_step(text)


@pytest.mark.parametrize('text', ['\u4eca\u5929', 'hello ', 'a.', '\u4eca\u03a3'])
def test_no_more_of_a_long_text_is_tokenized_than_is_kept(text):
    """With a limit a text of millions of characters takes as long as one of a block."""
    tokenizer = Tokenizer(VOCAB)
    seen = []

    def spy(block):
        seen.append(len(block))
        return Tokenizer._encode_block(tokenizer, block)

    tokenizer._encode_block = spy
    token_ids, _ = tokenizer.encode(text * 1000000, max_length=512)
    assert len(token_ids) == 512 and len(seen) == 1 and seen[0] <= 2 ** 16 + 6


def test_a_hook_sees_a_long_text_whole():
    """Only Google's own steps are known not to look beyond a block."""
    class Reversing(Tokenizer):
        def _tokenize(self, text):
            return super(Reversing, self)._tokenize(text)[::-1]

    text = 'hello ' * 20000 + 'world'
    assert Reversing(VOCAB).tokenize(text, max_length=4) == ['[CLS]', 'world', 'hello', '[SEP]']


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='a system without named pipes')
@pytest.mark.parametrize('what', ['device', 'pipe', 'large', 'lines'])
@pytest.mark.parametrize('make', [load_vocab, SpTokenizer])
def test_a_file_that_may_not_end_is_refused(tmpdir, monkeypatch, what, make):
    """A device, a pipe that nobody writes to, and a file of more bytes or lines than any vocabulary has."""
    path = '/dev/zero' if what == 'device' else str(tmpdir.join('vocab.txt'))
    if what == 'pipe':
        os.mkfifo(path)
    elif what != 'device':
        limit = 'MAX_BYTES' if what == 'large' else 'MAX_TOKENS'
        monkeypatch.setattr('bert4keras.tokenizer_parts.' + limit, 6)
        write(tmpdir, b'\na\nb\nc\nd\ne\nf\ng\nh')
        if make is SpTokenizer and what == 'lines':
            pytest.importorskip('sentencepiece')
    with pytest.raises(VocabularyError) as caught:
        make(path)
    assert os.path.basename(path) in str(caught.value) and 'give' in str(caught.value)


def test_control_characters_of_tokens_do_not_reach_the_terminal():
    """Errors show a token as Python would write it."""
    class Renamed(Tokenizer):
        token_cls = '\x1b[31mred'

    for make in (lambda: Renamed({'a': 0}).encode('a'), lambda: Tokenizer({'\x1b[31m': -1}),
                 lambda: UNCASED.rematch('a', ['\x1b[31m'])):
        with pytest.raises(ValueError) as caught:
            make()
        assert '\x1b' not in str(caught.value) and '31m' in str(caught.value)


def test_many_threads_get_the_right_tokens(monkeypatch):
    """Threads share the memories, which are full and start afresh all the time, without disturbing one another."""
    monkeypatch.setattr('bert4keras.tokenizer_parts.ENTRIES', 50)
    tokenizer, wrong = Tokenizer(VOCAB), []

    def work(seed):
        for i in range(2000):
            text = 'hello %d unaffable\u4eca%d' % (i * seed % 97, i)
            expected = reference_tokens(UNCASED, text)
            if (tokenizer._tokenize(text) != expected
                    or tokenizer.encode(text)[0][1:-1] != UNCASED.tokens_to_ids(expected)):
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 5)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not wrong


def test_memory_is_bounded(monkeypatch):
    """A full memory starts afresh; long chunks, and those of many parts, are not remembered."""
    monkeypatch.setattr('bert4keras.tokenizer_parts.ENTRIES', 7)
    tokenizer = Tokenizer(VOCAB)
    for i in range(50):
        text = 'hello a%d %s a.b.c %s' % (i, 'a' * 33, '\u03a3\u4e2d' + VOCAB_CHARACTERS[i])
        assert tokenizer._tokenize(text)[0] == 'hello' and tokenizer.encode(text)[0][1] == VOCAB['hello']
        for memory in (tokenizer._tokens_of, tokenizer._ids_of, tokenizer._cleaned, tokenizer._spelled):
            assert 0 < len(memory) <= 7
            assert 'a' * 33 not in memory and 'a.b.c' not in memory


VOCAB_CHARACTERS = [chr(code) if str is not bytes else unichr(code) for code in range(0x400, 0x500)]  # noqa: F821


def test_memory_has_the_size_that_is_said():
    """2 ** 16 of the most wasteful chunks, as wide and as many-tokened as any, take no more than 50 MB."""
    tokenizer = Tokenizer({'[CLS]': 0, '[SEP]': 1, '[UNK]': 2, '\u1100': 3, '##\u1161': 4, '##\u11a8': 5,
                           '##\u1100': 6, '##\U0001f600': 7})
    for size in range(1, 33):
        tokenizer.encode('\uac01' * (size - 1) + '\U0001f600')
    assert len(tokenizer._ids_of) == 32
    key, value = max(tokenizer._ids_of.items(), key=lambda item: len(item[1]))
    assert len(value) == 4 * (3 * 31 + 1)
    assert (sys.getsizeof(key) + sys.getsizeof(value) + 100) * 2 ** 16 < 50e6  # an entry of a dict: 100 bytes


WORST = ['a', '\u0301\u0316', '\U0001d16d\U0001d165', '.,', '\u4e2d', '\0', '\U0001f600\u200d', '\u03a3\u0391', ' ',
         'aB', '\ud800', '<\u0338', 'a\t', '[MASK]', 'abehlod' * 28 + ' ']


@pytest.mark.parametrize('text', WORST)
def test_no_text_takes_quadratic_time(text):
    """A long text of anything takes time in proportion; CPython's own NFD does not."""
    assert is_linear(UNCASED.encode, text, 20000)


@pytest.mark.parametrize('text', WORST)
@pytest.mark.slow
def test_offsets_take_linear_time(text):
    """The same of offsets."""
    assert is_linear(lambda text: UNCASED.encode(text, offsets=True), text, 10000)


# ---- SentencePiece ---------------------------------------------------------------------------


@pytest.fixture(scope='module')
def model_path(tmpdir_factory):
    """A small model of our own, trained on the spot."""
    pytest.importorskip('sentencepiece')
    folder = tmpdir_factory.mktemp('sentencepiece')
    lines = ['the cat sat on the mat', 'a dog in the house said "hello"', 'cats and dogs and houses',
             'in 20,000 and 10,000,000', '90, 80,30, 20,', 'mats and hats 70,', 'one word or more words']
    with io.open(str(folder.join('corpus.txt')), 'wb') as writer:
        writer.write('\n'.join(lines * 5).encode('utf-8'))
    train('--input=%s' % folder.join('corpus.txt'), '--model_prefix=%s' % folder.join('spiece'), '--model_type=bpe',
          '--vocab_size=70', '--pad_id=0', '--unk_id=1', '--bos_id=-1', '--eos_id=-1', '--hard_vocab_limit=false',
          '--control_symbols=[CLS],[SEP],[MASK]', '--split_by_number=false', '--split_by_unicode_script=false')
    return str(folder.join('spiece.model'))


def test_sentencepiece_has_the_same_methods(model_path):
    """Special tokens, pairs, lengths, batches, ids out of range and decoding are `Tokenizer`'s."""
    tokenizer = SpTokenizer(model_path)
    tokens = tokenizer.tokenize('The  CAT\nsat', 'a d\xf3g')
    assert (tokens[0], tokens[-1], tokens.count('[SEP]')) == ('[CLS]', '[SEP]', 2)
    token_ids, segment_ids = tokenizer.encode('The  CAT\nsat', 'a d\xf3g')
    assert tokenizer.ids_to_tokens(token_ids) == tokens and sorted(segment_ids) == segment_ids
    assert tokenizer.decode(token_ids) == 'the cat sat a dog'
    assert tokenizer.encode('the cat', first_length=9)[0][-1] == tokenizer.token_to_id('<pad>') == 0
    assert tokenizer.encode_batch(['the cat', 'a'], length=5)[0].shape == (2, 5)
    assert tokenizer.token_to_id('nowhere') == tokenizer.token_to_id('<unk>') == 1
    assert tokenizer.token_to_id('[MASK]') == 4
    with pytest.raises(ValueError):
        tokenizer.decode([len(tokenizer._token_dict)])


def test_sentencepiece_text_is_prepared_as_for_albert(model_path):
    """Spaces, quotes, compatibility forms, accents and case; the last two on request only."""
    tokenizer = SpTokenizer(model_path)
    assert tokenizer._tokenize(' the\u3000``\uff23\xc1T\'\'\t') == tokenizer._tokenize('the "cat"')
    assert tokenizer._tokenize('the\x1ccat') == tokenizer._tokenize('the cat')
    assert tokenizer._tokenize('\u01c6') == tokenizer._tokenize('dz')  # one character, with a caron
    kept = SpTokenizer(model_path, case_sensitive=True, keep_accents=True)
    assert kept.decode(kept.encode('the cat')[0]) == 'the cat'
    for text in ('cAt', 'c\xe1t'):
        assert kept.token_to_id('<unk>') in kept.encode(text)[0]
        assert tokenizer.encode(text) == tokenizer.encode('cat')


def test_sentencepiece_cuts_a_comma_off_a_digit(model_path):
    """A piece of a digit and a comma is cut again without it, as ALBERT does."""
    tokenizer = SpTokenizer(model_path)
    assert '0,' in tokenizer._token_dict
    tokens = tokenizer._tokenize('in 2,000, 10,')
    assert ''.join(tokens) == '\u2581in\u25812,000,\u258110,'
    assert not any(token[-1] == ',' and token[-2:-1].isdigit() for token in tokens)


@quick
@given(texts)
@pytest.mark.slow
def test_sentencepiece_takes_any_text(model_path, text):
    """No text raises, not even with lone surrogates; ids are in range."""
    tokenizer = LOADED[model_path] = LOADED.get(model_path) or SpTokenizer(model_path)
    assert all(0 <= i < len(tokenizer._token_dict) for i in tokenizer.encode(text)[0])


LOADED = {}


def test_sentencepiece_finds_its_pieces_in_the_text(model_path):
    """Offsets of pieces, of what NFKC and ALBERT's steps replaced too; a space alone is nowhere."""
    tokenizer = SpTokenizer(model_path, keep_special=True)
    text = 'the  c\xe1t\u2460 ``sat\'\' [MASK]\uff0c 10,'
    token_ids, _, offsets = tokenizer.encode(text, offsets=True)
    assert '[MASK]' in tokenizer.ids_to_tokens(token_ids)
    found = ''.join(text[start:end] for start, end in offsets)
    assert found == 'thec\xe1t\u2460`sat\'[MASK]\uff0c10,'


@quick
@given(texts, st.booleans())
@pytest.mark.slow
def test_sentencepiece_finds_pieces_in_any_text(model_path, text, keep):
    """Whatever the text, each piece has a span inside it, and they follow one another."""
    tokenizer = LOADED[keep] = LOADED.get(keep) or SpTokenizer(model_path, keep, keep, keep)
    spans = [span for span in tokenizer.rematch(text, list(tokenizer._tokenize(text))) if span != (0, 0)]
    assert all(0 <= start < end <= len(text) for start, end in spans) and spans == sorted(spans)


@pytest.mark.parametrize('text', ['a', '\u0301', '.,', '\u4e2d', '\U0001f600', '0,', '``', ' '])
def test_sentencepiece_takes_linear_time(model_path, text):
    """As of `Tokenizer`; or little more than SentencePiece itself, which up to 0.2.0 is quadratic here and there."""
    tokenizer = LOADED[model_path] = LOADED.get(model_path) or SpTokenizer(model_path)
    assert is_linear(tokenizer.encode, text, 5000) or (
        least_seconds(tokenizer.encode, text, 20000) < 3 * least_seconds(tokenizer._processor.EncodeAsIds, text, 20000))


def test_sentencepiece_reads_bytes_and_pickles(model_path):
    """A model is a path or its content, and travels with the tokenizer."""
    with io.open(model_path, 'rb') as reader:
        content = reader.read()
    expected = SpTokenizer(model_path).encode('the cat sat')
    tokenizer = SpTokenizer(content)
    os_independent = pickle.loads(pickle.dumps(tokenizer, 2))
    for other in (tokenizer, os_independent, copy.deepcopy(tokenizer)):
        assert other.encode('the cat sat') == expected


def test_a_broken_sentencepiece_model_is_a_vocabulary_error(model_path, tmpdir):
    """Missing, empty, cut or other files are named."""
    with io.open(model_path, 'rb') as reader:
        content = reader.read()
    paths = [write(tmpdir, b'', 'empty'), write(tmpdir, content[:501], 'cut'),
             write(tmpdir, b'[PAD]\n', 'text'), str(tmpdir.join('missing'))]
    for path in paths:
        with pytest.raises(VocabularyError) as caught:
            SpTokenizer(path)
        assert os.path.basename(path) in str(caught.value)
    with pytest.raises(VocabularyError):
        SpTokenizer(content[:501])


def test_without_sentencepiece_the_error_says_what_to_install(tmpdir, monkeypatch):
    """`Tokenizer` needs nothing; `SpTokenizer` names the command."""
    monkeypatch.setitem(__import__('sys').modules, 'sentencepiece', None)
    with pytest.raises(ImportError) as caught:
        SpTokenizer(write(tmpdir, b'\n', 'model'))
    assert 'pip install sentencepiece' in str(caught.value)


# ---- genuine vocabularies, where they are ----------------------------------------------------


@pytest.mark.parametrize('folder, size', [('google_bert_zh', 21128), ('keras_bert_toy', 15)])
def test_genuine_vocabularies_load(official, folder, size):
    """Google's Chinese vocabulary, which has U+2028 as a token, and keras-bert's toy."""
    tokenizer = Tokenizer(os.path.join(official, folder, 'vocab.txt'))
    assert len(tokenizer._token_dict) == size and not tokenizer._case_sensitive
