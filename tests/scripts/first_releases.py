# -*- coding: utf-8 -*-
"""What scripts of 2019 did with bert4keras 0.1 and 0.2, on Keras 2.3: small, but line by line as they were written.

Each function is a script of its own: PATHS has config, checkpoint and vocabulary. test_scripts.py runs them, on Keras 3
after the replacements of replacements.py.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import json

import numpy as np

from bert4keras.backend import K, get_all_attributes, keras
locals().update(get_all_attributes(keras.layers))

from bert4keras.bert import build_bert_model, load_pretrained_model, set_gelu
from bert4keras.layers import LayerNormalization
from bert4keras.snippets import DataGenerator, sequence_padding
from bert4keras.train import GradientAccumulation, PiecewiseLinearLearningRate
from bert4keras.utils import SimpleTokenizer, Tokenizer, load_vocab, parallel_apply

PATHS = {}
TEXTS = ['word1 word2', 'word3', 'word4 word5 word6', 'word7']


def features():
    """The hidden states of a text."""
    set_gelu('tanh')
    token_dict = load_vocab(PATHS['vocab'])
    tokenizer = SimpleTokenizer(token_dict)
    model = load_pretrained_model(PATHS['config'], PATHS['checkpoint'])
    token_ids, segment_ids = tokenizer.encode('word1 word2')
    found = model.predict([np.array([token_ids]), np.array([segment_ids])])
    set_gelu('erf')
    return found


def masked_words():
    """The likeliest words in the place of two."""
    tokenizer = Tokenizer(PATHS['vocab'])
    model = build_bert_model(PATHS['config'], PATHS['checkpoint'], with_mlm=True)
    token_ids, segment_ids = tokenizer.encode('word1 word2 word3')
    token_ids[2] = token_ids[3] = tokenizer._token_dict['[MASK]']
    probas = model.predict([np.array([token_ids]), np.array([segment_ids])])[0]
    return tokenizer.decode(probas[2:4].argmax(axis=1))


class data_generator(object):
    """Batches of texts and labels, again and again."""

    def __init__(self, data, tokenizer, batch_size=2):
        self.data, self.tokenizer, self.batch_size = data, tokenizer, batch_size
        self.steps = len(self.data) // self.batch_size

    def __len__(self):
        return self.steps

    def __iter__(self):
        while True:
            X1, X2, Y = [], [], []
            for index in np.random.permutation(len(self.data)):
                text, label = self.data[index]
                x1, x2 = self.tokenizer.encode(text, max_length=8)
                X1.append(x1)
                X2.append(x2)
                Y.append([label])
                if len(X1) == self.batch_size:
                    X1, X2 = sequence_padding(X1, padding=0), sequence_padding(X2)
                    yield [X1, X2], np.array(Y)
                    X1, X2, Y = [], [], []


def sentiment():
    """A classifier on ALBERT, with both wrappers of an optimizer."""
    tokenizer = Tokenizer(PATHS['vocab'])
    bert = build_bert_model(PATHS['albert_config'], PATHS['albert_checkpoint'], with_pool=True, albert=True,
                            return_keras_model=False)
    output = Dropout(rate=0.1)(bert.model.output)  # noqa: F821
    output = Dense(units=2, activation='softmax', kernel_initializer=bert.initializer)(output)  # noqa: F821
    model = keras.models.Model(bert.model.input, output)
    model.summary(print_fn=lambda line: None)
    adam = keras.optimizers.Adam(lr=1e-3)
    model.compile(
        loss='sparse_categorical_crossentropy',
        optimizer=GradientAccumulation(PiecewiseLinearLearningRate(adam, {1000: 1, 2000: 0.1}), steps_per_update=2),
        metrics=['accuracy'])
    train_data = data_generator([(text, number % 2) for number, text in enumerate(TEXTS)], tokenizer)

    class Evaluate(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            model.save_weights(PATHS['folder'] + '/best_model.weights')

    model.fit_generator(train_data.__iter__(), steps_per_epoch=len(train_data), epochs=1, callbacks=[Evaluate()],
                        verbose=0)
    model.load_weights(PATHS['folder'] + '/best_model.weights')
    return model.predict([np.array([[2, 5, 3]]), np.array([[0, 0, 0]])])


def seq2seq():
    """A target for a source: UniLM, the loss as a tensor, a beam search by hand."""
    _token_dict = load_vocab(PATHS['vocab'])
    token_dict, keep_words = {}, []
    for token in ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'word1', 'word2', 'word3', 'word4']:
        token_dict[token] = len(token_dict)
        keep_words.append(_token_dict[token])
    token_dict, keep_words = json.loads(json.dumps([token_dict, keep_words]))
    tokenizer = Tokenizer(token_dict)
    model = load_pretrained_model(PATHS['config'], PATHS['checkpoint'], seq2seq=True, keep_words=keep_words)
    y_in = model.input[0][:, 1:]
    y_mask = model.input[1][:, 1:]
    y = model.output[:, :-1]
    cross_entropy = K.sparse_categorical_crossentropy(y_in, y)
    cross_entropy = K.sum(cross_entropy * y_mask) / K.sum(y_mask)
    model.add_loss(cross_entropy)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))

    def batches():
        while True:
            X, S = zip(*[tokenizer.encode(text, 'word1', max_length=8) for text in TEXTS])
            yield [sequence_padding(X), sequence_padding(S)], None

    class Evaluate(keras.callbacks.Callback):
        def on_batch_begin(self, batch, logs=None):
            K.set_value(self.model.optimizer.lr, 1e-3 * (batch + 1.) / self.params['steps'])

    model.fit_generator(batches(), steps_per_epoch=2, epochs=1, callbacks=[Evaluate()], verbose=0)
    assert abs(K.get_value(model.optimizer.lr) - 1e-3) < 1e-8
    token_ids, segment_ids = tokenizer.encode('word2 word3', max_length=6)
    target_ids, target_scores, topk = [[] for _ in range(2)], [0] * 2, 2
    for _ in range(3):
        _target_ids = [token_ids + t for t in target_ids]
        _segment_ids = [segment_ids + [1] * len(t) for t in target_ids]
        _probas = model.predict([_target_ids, _segment_ids])[:, -1, 3:]
        _log_probas = np.log(_probas + 1e-6)
        best = sorted([(target_scores[i] + _log_probas[i][k], target_ids[i] + [k + 3]) for i in range(topk)
                       for k in _log_probas[i].argsort()[-topk:]])[-topk:]
        target_scores, target_ids = [score for score, _ in best], [ids for _, ids in best]
    return tokenizer.decode(target_ids[-1])


def language_model():
    """A causal model, whose loss leaves padding out by the layer Sequence-Mask; a text drawn from it."""
    tokenizer = Tokenizer(PATHS['vocab'])
    model = build_bert_model(PATHS['config'], PATHS['checkpoint'], application='lm')
    y_in = model.input[0][:, 1:]
    y_mask = model.get_layer('Sequence-Mask').output[:, 1:]
    y = model.output[:, :-1]
    cross_entropy = K.sparse_categorical_crossentropy(y_in, y)
    cross_entropy = K.sum(cross_entropy * y_mask) / K.sum(y_mask)
    model.add_loss(cross_entropy)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    words = parallel_apply(func=tokenizer.tokenize, iterable=iter(TEXTS), workers=1, max_queue_size=10, dummy=True)
    X = sequence_padding(list(map(tokenizer.tokens_to_ids, words)))
    model.fit([X, np.zeros_like(X)], None, batch_size=2, epochs=1, verbose=0)
    token_ids, segment_ids = tokenizer.encode('word1')
    for _ in range(2):
        _probas = model.predict([[token_ids], [segment_ids]])[0, -1]
        token_ids.append(np.random.choice(len(_probas), p=_probas / _probas.sum()))
        segment_ids.append(0)
    return tokenizer.ids_to_tokens(token_ids)


def reading():
    """An answer in the place of masks, by the masked language model; a loss that is given both tensors."""
    tokenizer = Tokenizer(PATHS['vocab'])
    model = build_bert_model(PATHS['config'], PATHS['checkpoint'], with_mlm=True)
    output = keras.layers.Lambda(lambda x: x[:, 1:3])(model.output)
    model = keras.models.Model(model.input, output)

    def masked_cross_entropy(y_true, y_pred):
        y_true = K.reshape(y_true, [K.shape(y_true)[0], -1])
        y_mask = K.cast(K.not_equal(y_true, 0), K.floatx())
        cross_entropy = K.sparse_categorical_crossentropy(y_true, y_pred)
        return K.sum(cross_entropy * y_mask) / K.sum(y_mask)

    model.compile(loss=masked_cross_entropy, optimizer=keras.optimizers.Adam(1e-3))
    mask_id = tokenizer._token_mask_id
    rows = [tokenizer.encode(text, 'word9', max_length=10, first_length=5) for text in TEXTS]
    X = sequence_padding([[row[0], mask_id, mask_id] + row[1:] for row, _ in rows])
    S = sequence_padding([[0, 0] + segments for _, segments in rows])
    A = sequence_padding([tokenizer.tokens_to_ids(tokenizer.tokenize('word9', add_cls=False)) for _ in rows], 2)
    model.fit([X, S], A[:, :, None], batch_size=2, epochs=1, verbose=0)
    return model.predict([X, S]).argmax(axis=2)


def relations():
    """A norm conditioned on a subject, on what comes before the last norm."""
    bert = build_bert_model(config_path=PATHS['config'], checkpoint_path=PATHS['checkpoint'], return_keras_model=False)
    subject_labels = keras.layers.Input(shape=(None, 2))
    subject_ids = keras.layers.Input(shape=(2,))
    output = keras.layers.Dense(2, activation='sigmoid', kernel_initializer=bert.initializer)(bert.model.output)
    subject_preds = keras.layers.Lambda(lambda x: x**2)(output)

    def extrac_subject(inputs):
        output, subject_ids = inputs
        subject_ids = K.cast(subject_ids, 'int32')
        start = K.gather(output[0], subject_ids[:, 0])
        end = K.gather(output[0], subject_ids[:, 1])
        return K.concatenate([start, end], 1)

    output = bert.model.layers[-2].get_output_at(-1)
    subject = keras.layers.Lambda(extrac_subject, output_shape=(64,))([output, subject_ids])
    output = LayerNormalization(conditional=True)([output, subject])
    object_preds = keras.layers.Dense(3, activation='sigmoid')(output)
    subject_model = keras.models.Model(bert.model.inputs, subject_preds)
    model = keras.models.Model(bert.model.inputs + [subject_labels, subject_ids], [subject_preds, object_preds])
    mask = bert.model.get_layer('Sequence-Mask').output
    subject_loss = K.binary_crossentropy(subject_labels, subject_preds)
    subject_loss = K.mean(subject_loss, 2)
    subject_loss = K.sum(subject_loss * mask) / K.sum(mask)
    model.add_loss(subject_loss + K.mean(object_preds))
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    old_weights = K.batch_get_value(model.weights)
    ids = np.array([[2, 5, 6, 3], [2, 7, 3, 0]])
    model.fit([ids, 0 * ids, np.ones((2, 4, 2)), np.array([[0, 1], [1, 1]])], None, epochs=1, verbose=0)
    token_ids, segment_ids = [2, 5, 6, 3], [0] * 4
    before = subject_model.predict([[token_ids], [segment_ids]])
    K.batch_set_value(zip(model.weights, old_weights))
    assert np.abs(subject_model.predict([[token_ids], [segment_ids]]) - before).max() > 0
    return model.predict([ids, 0 * ids, np.ones((2, 4, 2)), np.array([[0, 1], [1, 1]])])[1]


def pairs():
    """Sentence pairs from a generator, a learning rate in straight lines."""
    class Pairs(DataGenerator):
        def __iter__(self, random=False):
            idxs = list(range(len(self.data)))
            if random:
                np.random.shuffle(idxs)
            batch_token_ids, batch_segment_ids, batch_labels = [], [], []
            for i in idxs:
                text1, text2, label = self.data[i]
                token_ids, segment_ids = tokenizer.encode(text1, text2, max_length=10)
                batch_token_ids.append(token_ids)
                batch_segment_ids.append(segment_ids)
                batch_labels.append([label])
                if len(batch_token_ids) == self.batch_size or i == idxs[-1]:
                    batch_token_ids = sequence_padding(batch_token_ids)
                    batch_segment_ids = sequence_padding(batch_segment_ids)
                    yield [batch_token_ids, batch_segment_ids], np.array(batch_labels)
                    batch_token_ids, batch_segment_ids, batch_labels = [], [], []

    tokenizer = Tokenizer(PATHS['vocab'])
    bert = build_bert_model(PATHS['config'], PATHS['checkpoint'], with_pool=True, return_keras_model=False)
    output = keras.layers.Dense(2, activation='softmax', kernel_initializer=bert.initializer)(bert.model.output)
    model = keras.models.Model(bert.model.input, output)
    model.compile(loss='sparse_categorical_crossentropy',
                  optimizer=PiecewiseLinearLearningRate(keras.optimizers.Adam(5e-5), {1000: 1, 2000: 0.1}),
                  metrics=['accuracy'])
    data = Pairs([(text, 'word9', number % 2) for number, text in enumerate(TEXTS)], batch_size=2)
    model.fit_generator(data.forfit(), steps_per_epoch=len(data), epochs=1, verbose=0)
    right = 0
    for x_true, y_true in data:
        right += (model.predict(x_true).argmax(axis=1) == y_true[:, 0]).sum()
    return right


SCRIPTS = [features, masked_words, sentiment, seq2seq, language_model, reading, relations, pairs]
