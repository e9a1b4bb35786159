# -*- coding: utf-8 -*-
"""What scripts of 2020 to 2022 did with bert4keras 0.7 to 0.11: small, but line by line as they were written.

On Keras 3 they are the same but for what README.md lists: there `fit_generator` is `fit`, a batch is a tuple and
weights are saved in a file that ends in `.weights.h5`. PATHS is as in first_releases.py.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import numpy as np

from bert4keras.backend import IS_KERAS_3, K, batch_gather, keras
from bert4keras.layers import ConditionalRandomField, LayerNormalization, Loss
from bert4keras.models import Model, build_transformer_model
from bert4keras.optimizers import (
    Adam, extend_with_gradient_accumulation, extend_with_piecewise_linear_lr, extend_with_weight_decay)
from bert4keras.snippets import (
    AutoRegressiveDecoder, DataGenerator, ViterbiDecoder, open, sequence_padding, to_array)
from bert4keras.tokenizers import Tokenizer, load_vocab

PATHS = {}
Dense, Dropout, Lambda = keras.layers.Dense, keras.layers.Dropout, keras.layers.Lambda
TEXTS = ['word1 word2', 'word3', 'word4 word5 word6', 'word7']


def fit(model, generator, **options):
    """`model.fit(...)`, as scripts call it; a generator's lists are tuples on Keras 3."""
    def batches():
        for inputs, labels in generator.forfit():
            yield (tuple(inputs), labels) if IS_KERAS_3 else (inputs, labels)
    if IS_KERAS_3:
        return model.fit(batches(), steps_per_epoch=len(generator), verbose=0, **options)
    return model.fit_generator(batches(), steps_per_epoch=len(generator), verbose=0, **options)


def classification():
    """A classifier by weight decay, a schedule and accumulation."""
    tokenizer = Tokenizer(PATHS['vocab'], do_lower_case=True)
    with open(PATHS['data'], 'w', encoding='utf-8') as f:
        f.write('\n'.join('%s\t%d' % (text, number % 2) for number, text in enumerate(TEXTS)))
    D = []
    with open(PATHS['data'], encoding='utf-8') as f:
        for l in f:
            text, label = l.strip().split('\t')
            D.append((text, int(label)))

    class data_generator(DataGenerator):
        def __iter__(self, random=False):
            batch_token_ids, batch_segment_ids, batch_labels = [], [], []
            for is_end, (text, label) in self.sample(random):
                token_ids, segment_ids = tokenizer.encode(text, maxlen=8)
                batch_token_ids.append(token_ids)
                batch_segment_ids.append(segment_ids)
                batch_labels.append([label])
                if len(batch_token_ids) == self.batch_size or is_end:
                    batch_token_ids = sequence_padding(batch_token_ids)
                    batch_segment_ids = sequence_padding(batch_segment_ids)
                    batch_labels = sequence_padding(batch_labels)
                    yield [batch_token_ids, batch_segment_ids], batch_labels
                    batch_token_ids, batch_segment_ids, batch_labels = [], [], []

    bert = build_transformer_model(config_path=PATHS['albert_config'], checkpoint_path=PATHS['albert_checkpoint'],
                                   model='albert', with_pool=True, return_keras_model=False)
    output = Dropout(rate=0.1)(bert.model.output)
    output = Dense(units=2, activation='softmax', kernel_initializer=bert.initializer)(output)
    model = Model(bert.model.input, output)
    AdamW = extend_with_weight_decay(Adam, 'AdamW')
    AdamWLR = extend_with_piecewise_linear_lr(AdamW, name='AdamWLR')
    AdamWLRG = extend_with_gradient_accumulation(AdamWLR, name='AdamWLRG')
    model.compile(
        loss='sparse_categorical_crossentropy',
        optimizer=AdamWLRG(learning_rate=1e-4, weight_decay_rate=0.01, exclude_from_weight_decay=['Norm', 'bias'],
                           grad_accum_steps=2, lr_schedule={1000: 1, 2000: 0.1}),
        metrics=['accuracy'])
    fit(model, data_generator(D, 2), epochs=1)
    model.save_weights(PATHS['weights'])
    model.load_weights(PATHS['weights'])
    return [model.predict(x, verbose=0).argmax(axis=1)[0] for x, _ in data_generator(D, 3)]


class CrossEntropy(Loss):
    """Of what comes next, in the second segment."""

    def compute_loss(self, inputs, mask=None):
        y_true, y_mask, y_pred = inputs
        y_true = y_true[:, 1:]
        y_mask = K.cast(y_mask[:, 1:], K.floatx()) if IS_KERAS_3 else y_mask[:, 1:]
        y_pred = y_pred[:, :-1]
        loss = K.sparse_categorical_crossentropy(y_true, y_pred)
        loss = K.sum(loss * y_mask) / K.sum(y_mask)
        return loss


def titles():
    """A target for a source: UniLM, the loss as a layer, a decoder."""
    token_dict, keep_tokens = load_vocab(dict_path=PATHS['vocab'], simplified=True,
                                         startswith=['[PAD]', '[UNK]', '[CLS]', '[SEP]'])
    tokenizer = Tokenizer(token_dict, do_lower_case=True)

    class data_generator(DataGenerator):
        def __iter__(self, random=False):
            batch_token_ids, batch_segment_ids = [], []
            for is_end, text in self.sample(random):
                token_ids, segment_ids = tokenizer.encode(text, 'word1', maxlen=8)
                batch_token_ids.append(token_ids)
                batch_segment_ids.append(segment_ids)
                if len(batch_token_ids) == self.batch_size or is_end:
                    yield [sequence_padding(batch_token_ids), sequence_padding(batch_segment_ids)], None
                    batch_token_ids, batch_segment_ids = [], []

    model = build_transformer_model(PATHS['config'], PATHS['checkpoint'], application='unilm', keep_tokens=keep_tokens)
    output = CrossEntropy(2)(model.inputs + model.outputs)
    model = Model(model.inputs, output)
    model.compile(optimizer=Adam(1e-4))
    fit(model, data_generator(TEXTS, 2), epochs=1)

    class AutoTitle(AutoRegressiveDecoder):
        @AutoRegressiveDecoder.wraps(default_rtype='probas')
        def predict(self, inputs, output_ids, states):
            token_ids, segment_ids = inputs
            token_ids = np.concatenate([token_ids, output_ids], 1)
            segment_ids = np.concatenate([segment_ids, np.ones_like(output_ids)], 1)
            return self.last_token(model).predict([token_ids, segment_ids])

        def generate(self, text, topk=1):
            token_ids, segment_ids = tokenizer.encode(text, maxlen=6)
            output_ids = self.beam_search([token_ids, segment_ids], topk=topk)
            sampled = self.random_sample([token_ids, segment_ids], 2, topp=0.95)
            return tokenizer.decode(output_ids), len(sampled)

    autotitle = AutoTitle(start_id=None, end_id=tokenizer._token_end_id, maxlen=2)
    return list(autotitle.generate('word2 word3', topk=2))


def labelling():
    """Tags by a CRF on the last block, decoded by Viterbi."""
    tokenizer = Tokenizer(PATHS['vocab'], do_lower_case=True)

    class data_generator(DataGenerator):
        def __iter__(self, random=False):
            batch_token_ids, batch_segment_ids, batch_labels = [], [], []
            for is_end, text in self.sample(random):
                tokens = tokenizer.tokenize(text, maxlen=8)
                mapping = tokenizer.rematch(text, tokens)
                labels = np.zeros(len(tokens))
                labels[1] = 1 + (mapping[1][0] > 0)
                token_ids = tokenizer.tokens_to_ids(tokens)
                batch_token_ids.append(token_ids)
                batch_segment_ids.append([0] * len(token_ids))
                batch_labels.append(labels)
                if len(batch_token_ids) == self.batch_size or is_end:
                    batch_labels = sequence_padding(batch_labels)
                    yield [sequence_padding(batch_token_ids), sequence_padding(batch_segment_ids)], (
                        batch_labels[:, :, None])
                    batch_token_ids, batch_segment_ids, batch_labels = [], [], []

    model = build_transformer_model(PATHS['config'], PATHS['checkpoint'])
    output_layer = 'Transformer-%s-FeedForward-Norm' % 0
    output = model.get_layer(output_layer).output
    output = Dense(3)(output)
    CRF = ConditionalRandomField(lr_multiplier=100)
    output = CRF(output)
    model = Model(model.input, output)
    model.compile(loss=CRF.sparse_loss, optimizer=Adam(1e-4), metrics=[CRF.sparse_accuracy])
    fit(model, data_generator(TEXTS, 2), epochs=1)

    class NamedEntityRecognizer(ViterbiDecoder):
        def recognize(self, text):
            tokens = tokenizer.tokenize(text, maxlen=8)
            token_ids = tokenizer.tokens_to_ids(tokens)
            segment_ids = [0] * len(token_ids)
            token_ids, segment_ids = to_array([token_ids], [segment_ids])
            nodes = model.predict([token_ids, segment_ids], verbose=0)[0]
            return self.decode(nodes)

    NER = NamedEntityRecognizer(trans=K.eval(CRF.trans), starts=[0], ends=[0])
    return NER.recognize('word1 word2')


class TotalLoss(Loss):
    """Of subjects, where there is a token, and of objects."""

    def compute_loss(self, inputs, mask=None):
        subject_labels, subject_preds, object_preds = inputs
        subject_mask = K.cast(mask[1], K.floatx())
        subject_loss = K.binary_crossentropy(subject_labels, subject_preds)
        subject_loss = K.mean(subject_loss, 2)
        subject_loss = K.sum(subject_loss * subject_mask) / K.sum(subject_mask)
        return subject_loss + K.mean(object_preds)


class Subject(keras.layers.Layer):
    """The hidden states at two places, [B, 2 D]."""

    def call(self, inputs):
        output, subject_ids = inputs
        start = batch_gather(output, subject_ids[:, :1])
        end = batch_gather(output, subject_ids[:, 1:])
        return K.concatenate([start, end], 2)[:, 0]

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], 2 * input_shape[0][2])

    def compute_mask(self, inputs, mask=None):
        return None


def relations():
    """A norm conditioned on a subject; the loss as a layer, with the mask of the ids."""
    bert = build_transformer_model(config_path=PATHS['config'], checkpoint_path=PATHS['checkpoint'],
                                   return_keras_model=False)
    subject_labels = keras.layers.Input(shape=(None, 2), name='Subject-Labels')
    subject_ids = keras.layers.Input(shape=(2,), name='Subject-Ids')
    subject_preds = Dense(units=2, activation='sigmoid', kernel_initializer=bert.initializer)(bert.model.output)
    output = bert.model.get_layer('Transformer-0-FeedForward-Add').output
    subject = Subject()([output, subject_ids])
    output = LayerNormalization(conditional=True)([output, subject])
    object_preds = Dense(units=3, activation='sigmoid', kernel_initializer=bert.initializer)(output)
    subject_preds, object_preds = TotalLoss([1, 2])([subject_labels, subject_preds, object_preds])
    model = Model(bert.model.inputs + [subject_labels, subject_ids], [subject_preds, object_preds])
    model.compile(optimizer=Adam(1e-3))
    ids = np.array([[2, 5, 6, 3], [2, 7, 3, 0]])
    values = [ids, 0 * ids, np.ones((2, 4, 2), 'float32'), np.array([[0, 1], [1, 1]])]
    model.fit(values, None, epochs=1, verbose=0)
    return model.predict(values, verbose=0)[1]


SCRIPTS = [classification, titles, labelling, relations]
