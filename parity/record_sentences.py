# -*- coding: utf-8 -*-
"""Records directories that sentence-transformers saves, its vectors and scores: recorded/sentence-transformers.npz.

    python -m parity.record_sentences      where sentence-transformers is installed (6.2.0; no Keras is needed)

The file has, of each directory, its small files as they were written, and what `encode` gave. The weights are those of
one random BERT and one random XLM-R, so they are there once. Read on every row by tests/test_sentence_models.py, and by
tests/test_cross_encoder.py the cross-encoders.
"""
from __future__ import absolute_import, division, print_function

import importlib
import os
import shutil
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, 'recorded', 'sentence-transformers.npz')
WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ':', 'query', 'passage', 'wo', '##rd'] + \
    ['word%d' % i for i in range(89)]
# of a model of Unigram: the pieces of XLM-R's tokenizer, each with a score
PIECES = [(piece, 0.0) for piece in ('<s>', '<pad>', '</s>', '<unk>')]
PIECES += [(piece, -1.5) for piece in (u'\u2581', u'\u2581word', u'word', ':', 'W', 'or')]
PIECES += [('%d' % i, -2 - i / 7.) for i in range(10)] + [(u'\u2581word%d' % i, -3 - i / 11.) for i in range(78)]
PIECES += [('<mask>', 0.0)]
TEXTS = [u'word1', u'', u'Word5 WORD6 word7 unknown', u'word3 word9 ' * 7, u'word2 word4 word8 word16 word32',
         u'w\xf6rd11 word12 : [SEP] word13']
# cut to 21 tokens: both halves, of equal texts and of either longer one; one of the two; none
PAIRS = [tuple(u' '.join('word%d' % ((7 * place + start) % 89) for place in range(size)) for start, size in (
    (index, sizes[0]), (40 + 3 * index, sizes[1]))) for index, sizes in enumerate((
        (12, 12), (14, 12), (11, 12), (30, 4), (3, 40), (2, 1), (0, 3), (1, 0), (9, 10), (10, 9)))]
WEIGHTS = 'model.safetensors'


def cases(models):
    """{name: (modules after the Transformer, arguments of SentenceTransformer, [arguments of encode])}."""
    Pooling, Dense, Normalize = models.Pooling, models.Dense, models.Normalize
    nn = importlib.import_module('torch').nn
    plain = [{}]
    found = {name: ([Pooling(8, name)], {}, plain)
             for name in ('mean', 'cls', 'max', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken')}
    found['dense'] = ([Pooling(8, ('mean', 'cls', 'max')), Dense(24, 7), Normalize()],
                      {'similarity_fn_name': 'dot'},
                      plain + [{'truncate_dim': 3, 'normalize_embeddings': True}])
    found['residual'] = ([Pooling(8, 'cls'), Dense(8, 8, bias=False, activation_function=nn.GELU(), use_residual=True),
                          Dense(8, 5, activation_function=nn.Identity(), use_residual=True)],
                         {'similarity_fn_name': 'manhattan'}, plain + [{'normalize_embeddings': True}])
    prompts = {'prompts': {'query': 'query: ', 'passage': 'passage word2: '}, 'default_prompt_name': 'query'}
    asked = plain + [{'prompt_name': 'passage'}, {'prompt': 'word7 '}, {'prompt': ''}]
    found['prompts'] = ([Pooling(8, ('cls', 'max', 'mean', 'weightedmean'), include_prompt=False)],
                        dict(prompts, similarity_fn_name='euclidean'), asked)
    found['prompts-pooled'] = ([Pooling(8, 'mean'), Normalize()], prompts, asked[:2])
    found['truncated'] = ([Pooling(8, 'mean'), Normalize()], {'truncate_dim': 5}, plain)
    # XLM-R's tokenizer, whose <pad> is 1, on a config of BERT's, which says 0
    found['multilingual'] = ([Pooling(8, ('mean', 'cls')), Normalize()], {}, plain)
    found['xlm-roberta'] = ([Pooling(8, ('cls', 'mean')), Dense(16, 6), Normalize()], prompts, asked[:2])
    return found


def make_base(directory, transformers, torch, name='BertModel', pieces=None, **fields):
    """Writes a random BERT or XLM-R of odd sizes, whose vectors are of order 1, and its tokenizer."""
    torch.manual_seed(5)
    is_xlm = name.startswith('XLMRoberta')
    if is_xlm:  # with as many positions for tokens
        fields.update(type_vocab_size=1, pad_token_id=1)
    config = getattr(transformers, 'XLMRobertaConfig' if is_xlm else 'BertConfig')(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=13,
        max_position_embeddings=23 if is_xlm else 21, initializer_range=0.35, layer_norm_eps=1e-7, **fields)
    model = getattr(transformers, name)(config)
    if name.endswith('Classification'):
        getattr(model.classifier, 'out_proj', model.classifier).weight.data *= 2 if is_xlm else 4
    model.save_pretrained(directory)
    if pieces is None:
        tokenizer = transformers.BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)})
    else:
        tokenizer = transformers.XLMRobertaTokenizer(vocab=pieces, **({'model_max_length': 21} if is_xlm else {}))
    tokenizer.save_pretrained(directory)


def record(directory, sentence_transformers):
    """The arrays of all cases, whose directories are made in `directory`."""
    models = importlib.import_module('sentence_transformers.models')
    arrays = {'texts': np.array(TEXTS)}
    for name, (modules, arguments, asked) in sorted(cases(models).items()):
        base = 'base-' + name if name in ('multilingual', 'xlm-roberta') else 'base'
        transformer = models.Transformer(os.path.join(directory, base))
        if name == 'cls':
            transformer.max_seq_length = 9
        path = os.path.join(directory, name)
        sentence_transformers.SentenceTransformer(modules=[transformer] + modules, **arguments).save(path)
        model = sentence_transformers.SentenceTransformer(path)  # what is saved is what counts
        for number, each in enumerate(asked):
            arrays['%s/vectors/%d' % (name, number)] = model.encode(TEXTS, convert_to_numpy=True, **each)
            arrays['%s/asked/%d' % (name, number)] = np.array(repr(sorted(each.items())))
        vectors = arrays['%s/vectors/0' % name]
        arrays['%s/similarity' % name] = model.similarity(vectors[:2], vectors).numpy()
        arrays.update(read_files(path, name, name in ('mean', 'xlm-roberta')))
    return arrays


def read_files(path, name, weights):
    """{name: bytes} of the files in a directory, with or without the weights of the encoder."""
    arrays = {}
    for folder, _, files in os.walk(path):
        for file_name in files:
            place = os.path.relpath(os.path.join(folder, file_name), path)
            if file_name != 'README.md' and (weights or place != WEIGHTS):
                with open(os.path.join(folder, file_name), 'rb') as stream:
                    arrays['%s/files/%s' % (name, place)] = np.frombuffer(stream.read(), 'uint8')
    return arrays


def record_cross_encoders(directory, transformers, torch, sentence_transformers):
    """The arrays of four cross-encoders: saved with the sigmoid, and without; plain ones of 3 labels, and of XLM-R."""
    arrays = {'pairs': np.array(PAIRS)}
    for name, labels, activation in (('cross-one', 1, None), ('cross-identity', 1, torch.nn.Identity()),
                                     ('cross-three', 3, None), ('cross-xlm', 1, None)):
        path, is_xlm = os.path.join(directory, name), name == 'cross-xlm'
        make_base(path, transformers, torch, '%sForSequenceClassification' % ('XLMRoberta' if is_xlm else 'Bert'),
                  PIECES if is_xlm else None, num_labels=labels)
        model = sentence_transformers.CrossEncoder(path, activation_fn=activation)
        if labels == 1 and not is_xlm:  # as rerankers of BGE are handed out: what transformers saves
            model.save_pretrained(path)
        model = sentence_transformers.CrossEncoder(path)
        arrays[name + '/scores'] = model.predict(PAIRS)
        tokenizer = transformers.AutoTokenizer.from_pretrained(path)
        classifier = transformers.AutoModelForSequenceClassification.from_pretrained(path)
        batch = tokenizer(*map(list, zip(*PAIRS)), padding=True, truncation=True, max_length=21, return_tensors='pt')
        with torch.no_grad():
            arrays[name + '/logits'] = classifier(**batch).logits.numpy()
        arrays[name + '/ids'] = batch['input_ids'].numpy()
        if not is_xlm:
            arrays[name + '/segments'] = batch['token_type_ids'].numpy()
        arrays.update(read_files(path, name, name != 'cross-identity'))
    ranked = sentence_transformers.CrossEncoder(os.path.join(directory, 'cross-one')).rank(PAIRS[2][0], TEXTS)
    arrays['cross-one/ranked'] = np.array([each['corpus_id'] for each in ranked])
    return arrays


def main():
    """Makes the directories and writes the file."""
    transformers, torch, sentence_transformers = [
        importlib.import_module(name) for name in ('transformers', 'torch', 'sentence_transformers')]
    directory = tempfile.mkdtemp()
    try:
        make_base(os.path.join(directory, 'base'), transformers, torch)
        make_base(os.path.join(directory, 'base-multilingual'), transformers, torch, pieces=PIECES)
        make_base(os.path.join(directory, 'base-xlm-roberta'), transformers, torch, 'XLMRobertaModel', PIECES)
        arrays = record(directory, sentence_transformers)
        arrays.update(record_cross_encoders(directory, transformers, torch, sentence_transformers))
    finally:
        shutil.rmtree(directory)
    np.savez_compressed(PATH, versions=np.array('sentence-transformers %s, transformers %s, torch %s' % (
        sentence_transformers.__version__, transformers.__version__, torch.__version__)), **arrays)
    print('%s: %d arrays, %d bytes' % (PATH, len(arrays), os.path.getsize(PATH)))


if __name__ == '__main__':
    main()
