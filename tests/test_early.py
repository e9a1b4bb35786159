# -*- coding: utf-8 -*-
"""Names of bert4keras 0.1 to 0.11 that need no Keras: tokenizers, vocabularies, and what snippets had for texts.

The numbers are what bert4keras 0.11.5 (PyPI) gave for the same calls, unless a test says otherwise.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import io
import itertools

import numpy as np
import pytest

from bert4keras import snippets, tokenizer, tokenizers, utils
from bert4keras.early import text as early_text
from bert4keras.errors import VocabularyError

pytestmark = pytest.mark.engine_free

TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', '##b', 'c', '中', '中国', '##中', ',', '##,', '...', '国',
          'abc', '##1', '1', '12']
IDS = {token: number for number, token in enumerate(TOKENS)}


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    """A vocabulary file of TOKENS."""
    path = str(tmp_path_factory.mktemp('early') / 'vocab.txt')
    with io.open(path, 'w', encoding='utf-8') as stream:
        stream.write('\n'.join(TOKENS))
    return path


# ------------------------------------------------------------------ vocabularies

SIMPLIFIED = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'a', '##b', 'c', '中', ',', '国', 'abc', '##1', '1', '12']
START = ['[PAD]', '[UNK]', '[CLS]', '[SEP]']


@pytest.mark.parametrize('load, arguments', [
    (tokenizers.load_vocab, {'startswith': START}), (tokenizers.load_vocab, {'startwith': START, 'encoding': 'UTF-8'}),
    (tokenizer.load_vocab, {'startswith': START}), (utils.load_vocab, {'startwith': START})])
def test_simplified_vocabulary(path, load, arguments):
    """One character of Chinese or punctuation stays, what has more goes; what it is to start with comes first."""
    vocab, keep = load(dict_path=path, simplified=True, **arguments)
    assert list(vocab) == SIMPLIFIED and list(vocab.values()) == list(range(len(SIMPLIFIED)))
    assert keep == [TOKENS.index(token) for token in SIMPLIFIED]
    assert load(path) == IDS


def test_vocabulary_is_written_and_refused(path, tmp_path):
    """`save_vocab` is read back; another encoding, and a start that the file lacks, are errors that say so."""
    copy = str(tmp_path / 'copy.txt')
    tokenizers.save_vocab(copy, {'b': 1, '中': 0})
    assert list(tokenizers.load_vocab(copy)) == ['中', 'b']
    for call in (tokenizers.load_vocab, lambda path, encoding: tokenizers.save_vocab(path, {'a': 0}, encoding)):
        with pytest.raises(ValueError, match='gbk'):
            call(copy, encoding='gbk')
    with pytest.raises(VocabularyError, match='unused9'):
        tokenizers.load_vocab(path, simplified=True, startswith=['[PAD]', '[unused9]'])


# ------------------------------------------------------------------ tokenizers

def test_tokenizer_of_the_last_releases(path):
    """`tokenizers.Tokenizer` as of 0.11: arguments, lists of tokens, patterns, who loses a token, indices."""
    early = tokenizers.Tokenizer(path, do_lower_case=True)
    assert early.tokenize('AB 中国xq c') == ['[CLS]', 'a', '##b', '中', '国', '[UNK]', 'c', '[SEP]']
    assert early.tokenize('ab 中国xq c', maxlen=5) == ['[CLS]', 'a', '##b', '中', '[SEP]']
    assert early.encode('ab 中国xq c', 'c c', maxlen=8) == ([2, 5, 6, 8, 3, 7, 7, 3], [0] * 5 + [1] * 3)
    assert early.encode('a c c', 'a', maxlen=5, truncate_from='left') == ([2, 7, 3, 5, 3], [0, 0, 0, 1, 1])
    assert early.encode('ab 国', 'a c 1', maxlen=8, truncate_from='left')[0] == [2, 6, 14, 3, 5, 7, 17, 3]
    assert early.encode('ab 国', 'a c 1', maxlen=8, truncate_from=1)[0] == [2, 6, 14, 3, 5, 7, 17, 3]
    assert early.encode('ab 国', 'a c 1', maxlen=7)[0] == [2, 5, 6, 3, 5, 7, 3]
    assert early.encode(['[CLS]', 'a', '[SEP]'], ['c', '[SEP]']) == ([2, 5, 3, 7, 3], [0, 0, 0, 1, 1])
    assert early.encode('a', 'c', pattern='S*ES*E') == ([2, 5, 3, 2, 7, 3], [0, 0, 0, 1, 1, 1])
    text = 'ab 中国xq c'
    assert early.rematch(text, early.tokenize(text)) == [[], [0], [1], [3], [4], [5, 6], [8], []]
    assert early.decode([2, 5, 6, 3]) == early.decode([], tokens=['a', '##b']) == 'ab'
    assert tokenizers.Tokenizer(path).tokenize('A a') == ['[CLS]', '[UNK]', 'a', '[SEP]']
    assert tokenizers.Tokenizer(path, word_maxlen=2).tokenize('abc ab')[1:-1] == ['[UNK]', 'a', '##b']


def test_tokens_at_the_ends_words_and_translations(path):
    """token_start and token_end may be None or others; pre_tokenize cuts words; token_translate replaces tokens."""
    bare = tokenizers.Tokenizer(path, token_start=None, token_end=None)
    assert bare.encode('a c') == ([5, 7], [0, 0]) and bare.tokenize('a c') == ['a', 'c']
    assert bare.encode('a c', 'c', maxlen=2)[0] == [5, 7]
    other = tokenizers.Tokenizer(path, token_start='[MASK]', token_end='1')
    assert other.encode('a')[0] == [4, 5, 17] and other._token_start_id == 4 and other._token_end_id == 17
    words = tokenizers.Tokenizer(path, pre_tokenize=lambda text: text.split('|'))
    assert words.tokenize('中国|ab|国中')[1:-1] == ['中国', 'a', '##b', '国', '中']
    assert tokenizers.Tokenizer(path, token_translate={'a': 'c'}).encode('a 1')[0] == [2, 7, 17, 3]
    with pytest.raises(ValueError, match='S\\*E\\*E'):
        bare.encode('a', 'c', pattern='E*S')


def test_arguments_of_the_releases_between(path):
    """0.3 to 0.6: `do_lower_case` of `bert4keras.tokenizer`, max_length, first_length, add_cls, add_sep."""
    between = tokenizer.Tokenizer(path, do_lower_case=True)
    assert between.tokenize('A c', add_cls=False) == ['a', 'c', '[SEP]']
    assert between.tokenize('A', 'c', add_sep=False) == ['[CLS]', 'a', 'c']
    assert tokenizer.Tokenizer(path, do_lower_case=False).tokenize('A')[1] == '[UNK]'
    late = tokenizers.Tokenizer(path, do_lower_case=True)
    for one in (between, late, utils.Tokenizer(path), utils.SimpleTokenizer(dict(IDS))):
        assert one.encode('a c c', 'c c', max_length=6) == ([2, 5, 7, 3, 7, 3], [0] * 4 + [1] * 2)
        assert one.encode('a', 'c', first_length=4) == ([2, 5, 3, 0, 7, 3], [0] * 4 + [1] * 2)
        assert (one._token_pad_id, one._token_unk_id, one._token_cls_id, one._token_sep_id) == (0, 1, 2, 3)
        assert (one._token_start_id, one._token_end_id, one._token_mask_id, one._vocab_size) == (2, 3, 4, 19)
        assert one._token_dict['c'] == 7 and one._token_dict_inv[7] == 'c'
    with pytest.raises(ValueError, match='without maxlen'):
        late.encode('a', maxlen=5, first_length=4)


def test_tokenizer_of_the_first_releases(path):
    """0.1 and 0.2: `utils.Tokenizer`, whose methods take first= and second=."""
    first = utils.Tokenizer(utils.load_vocab(path))
    assert first.encode(first='A', second='c') == ([2, 5, 3, 7, 3], [0, 0, 0, 1, 1])
    assert first.encode('a c c', max_length=4)[0] == [2, 5, 7, 3]
    assert first.tokenize('a c', add_cls=False, add_sep=False) == ['a', 'c']
    assert first.decode(first.encode('a, c')[0]) == 'a, c'
    assert utils.Tokenizer(path, case_sensitive=True).tokenize('A')[1] == '[UNK]'
    assert utils.parallel_apply is snippets.parallel_apply and utils.is_string('a') and not utils.is_string(1)


# ------------------------------------------------------------------ texts

def test_text_segmentate():
    """The first separator is tried first, others where a part is still too long; what fits is joined again."""
    assert early_text.text_segmentate('一二三。四五六七，八九十。abc', 6, '\n。，', '。') == [
        '一二三', '四五六七，', '八九十', 'abc']
    assert early_text.text_segmentate('aaaa bbbb cccc', 5, ' ') == ['aaaa', 'bbbb', 'cccc']
    assert early_text.text_segmentate('  a, b, cccccc.d', 4, ',.') == ['a,', 'b,', 'cccccc.', 'd']
    assert early_text.text_segmentate('一。二。三。四四四', 4, '。', '。') == ['一。二', '三', '四四四']
    assert early_text.text_segmentate('abc\nde\nf', 100) == ['abc\nde\nf']
    assert early_text.text_segmentate('b \n， 。b。 ， b a ，， 。  b   ', 3, '\n。，') == [
        'b', '， 。', 'b。', '，', 'b a ，，', '。', 'b']


def test_common_parts_of_two_sequences():
    """Length and place of the longest common substring and subsequence."""
    assert early_text.longest_common_substring('abcdef', 'zcdexabcd') == (4, (0, 4, 5, 9))
    assert early_text.longest_common_subsequence('abcdef', 'zcdexabcd') == (4, [(0, 5), (1, 6), (2, 7), (3, 8)])
    assert early_text.longest_common_subsequence('cccbcac', 'baccabcc') == (5, [(0, 2), (1, 3), (3, 5), (4, 6), (6, 7)])
    assert early_text.longest_common_substring('abxcd', 'cdab') == (2, (0, 2, 2, 4))
    assert early_text.longest_common_substring('', 'a') == (0, (0, 0, 0, 0))


def test_truncate_sequences():
    """From the longest, the first of several, at the place given for each; the lists themselves change."""
    first, second = list('abcdef'), list('uvwxyz')
    assert early_text.truncate_sequences(8, -2, first, second) == [list('abcf'), list('uvwz')]
    assert first == list('abcf')
    assert early_text.truncate_sequences(7, [0, -1], list('abcdef'), [], list('uvw')) == [list('cdef'), list('uvw')]


def test_small_helpers(tmp_path):
    """One alone or several arrays; half width; lower case without accents; the rest by its name."""
    assert early_text.to_array([1, 2]).tolist() == [1, 2]
    assert [array.tolist() for array in early_text.to_array([1, 2], [3])] == [[1, 2], [3]]
    assert early_text.strQ2B('ＡＢ　１') == 'AB 1' and early_text.lowercase_and_normalize('ÉA') == 'ea'
    assert early_text.string_matching('Norm/x', ['Norm', 'bias']) and not early_text.string_matching('x', ['Norm'])
    assert early_text.is_one_of(IDS, [1, IDS]) and not early_text.is_one_of(dict(IDS), [IDS])
    assert early_text.convert_to_unicode('é'.encode('utf-8')) == 'é' and type(early_text.convert_to_str('a')) is str
    assert np.allclose(early_text.softmax(np.log([[1.0, 3.0]])), [[0.25, 0.75]])
    with snippets.open(str(tmp_path / 'text'), 'w', encoding='utf-8') as stream:
        stream.write('中\n')
    with snippets.open(str(tmp_path / 'text')) as stream:
        assert [line for line in stream] == ['中\n']
    with snippets.open(str(tmp_path / 'text'), 'rb') as stream:
        assert stream.read() == '中\n'.encode('utf-8')


def test_arguments_put_in_and_taken_out():
    """`insert_arguments` makes attributes of what a method does not take, `delete_arguments` refuses."""
    class Model(object):
        @snippets.insert_arguments(size=3)
        @snippets.delete_arguments('pool')
        def __init__(self, depth, **rest):
            self.depth, self.rest = depth, rest
    model = Model(2, size=5, width=7)
    assert (model.depth, model.size, model.rest) == (2, 5, {'width': 7}) and Model(1).size == 3
    with pytest.raises(TypeError, match='does not take pool'):
        Model(1, pool=True)


def test_viterbi_finds_the_best_of_all_sequences():
    """Against every sequence there is, with and without limits on the first and the last label."""
    draw = np.random.RandomState(3)
    for starts, ends in ((None, None), ([0, 2], [1]), ([1], None)):
        trans, nodes = draw.randn(3, 3), draw.randn(5, 3)
        allowed = [path for path in itertools.product(range(3), repeat=5)
                   if path[0] in (starts or range(3)) and path[-1] in (ends or range(3))]
        best = max(allowed, key=lambda path: sum(nodes[range(5), path]) + sum(trans[path[:-1], path[1:]]))
        decoder = snippets.ViterbiDecoder(np.zeros((3, 3)), starts, ends)
        decoder.trans = trans
        assert tuple(decoder.decode(nodes)) == best
    free, starts, ends = [snippets.ViterbiDecoder(np.zeros((3, 3)), *limits).decode([[3, 2, 1]] * 3).tolist()
                          for limits in ((None, None), ([1, 2], None), (None, [2]))]
    assert (free, starts, ends) == ([0, 0, 0], [1, 0, 0], [0, 0, 2])
    with pytest.raises(ValueError, match=r'\[tokens, 3\].*\[5, 2\]'):
        decoder.decode(nodes[:, :2])


@pytest.mark.parametrize('call, instead', [
    (lambda: snippets.WebServing(), 'Flask'), (lambda: snippets.orthogonally_resize(np.ones((2, 2)), (3, 3)), 'size'),
    (lambda: snippets.open('x', indexable=True), 'list'),
    (lambda: snippets.DataGenerator([1]).to_dataset([], []), 'from_generator')])
def test_what_is_refused_says_what_to_use(call, instead):
    """A name that is not here is an error that says what is."""
    with pytest.raises(ValueError, match=instead):
        call()
