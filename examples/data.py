# -*- coding: utf-8 -*-
"""The texts and labels of the examples.

Each function takes the path of a file of yours, or None. Without one the texts are real where the environment
variable BERT4KERAS_OFFICIAL names a directory that has them (text/sentiment.zip, text/lcqmc_dev_2000.txt); else they
are put together here from a few words, so that a label can be learned, but not from a single word.
Files are UTF-8, columns are separated by a tab.
"""
from __future__ import absolute_import, division, print_function, unicode_literals

import io
import itertools
import os
import zipfile

import numpy as np

__all__ = ['passages', 'read_tagged', 'read_table', 'rewritten', 'sentences', 'sentiment', 'similar_pairs', 'split',
           'tagged', 'questions']


def read_table(path, columns):
    """The lines of a file as tuples of strings; `columns` is a list of the columns' names."""
    with io.open(path, encoding='utf-8') as stream:
        return table(stream.read(), columns, path)


def table(text, columns, path):
    """As `read_table`, of the text of a file."""
    rows = []
    for number, line in enumerate(text.replace('\r\n', '\n').split('\n'), 1):
        row = tuple(line.split('\t'))
        if line and (len(row) != len(columns) or not all(row)):
            raise ValueError('%s, line %d is %r; it must be %s' % (path, number, line[:80], ' TAB '.join(columns)))
        rows += [row] if line else []
    if not rows:
        raise ValueError('%s has no line' % path)
    return rows


def official(name):
    """The path of a file in the directory text/ of BERT4KERAS_OFFICIAL, or None."""
    path = os.path.join(os.environ.get('BERT4KERAS_OFFICIAL', ''), 'text', name)
    return path if os.environ.get('BERT4KERAS_OFFICIAL') and os.path.exists(path) else None


def split(rows, examples, seed):
    """(rows to train on, rows to test on), drawn at random: a fifth of them, and at most `examples` to train on."""
    if examples < 1 or len(rows) < 5:
        raise ValueError('%d of %d rows cannot be split: there must be at least 5, and 1 to train on'
                         % (examples, len(rows)))
    rows = [rows[index] for index in np.random.RandomState(seed).permutation(len(rows))]
    held_out = max(1, min(len(rows) // 5, examples // 4))
    return rows[held_out:][:examples], rows[:held_out]


# ------------------------------------------------------------------ classes of texts

def sentiment(path=None):
    """[(text, class)]: reviews, '1' good and '0' bad. A line of the file: text TAB class."""
    if path:
        return read_table(path, ['text', 'class'])
    if official('sentiment.zip'):
        with zipfile.ZipFile(official('sentiment.zip')) as archive:
            name = 'sentiment/sentiment.train.data'
            return table(archive.read(name).decode('utf-8'), ['text', 'class'], name)
    things = ['soup', 'room', 'film', 'guide', 'battery', 'service', 'story', 'screen', 'music', 'staff', 'view',
              'bread']
    words = {'1': ['wonderful', 'excellent', 'lovely', 'superb', 'perfect', 'brilliant', 'charming', 'great'],
             '0': ['awful', 'terrible', 'poor', 'dreadful', 'useless', 'disappointing', 'horrible', 'bad']}
    plain = ['the {0} was {1}', 'i thought the {0} was really {1}', 'we all found the {0} {1}',
             'what a {1} {0} that was', 'the {0} was as {1} as everybody says']
    negated = ['the {0} was not {1}', 'i would not call the {0} {1}', 'nobody found the {0} {1}']
    rows = [(form.format(thing, word), label) for thing in things for label in '10' for word in words[label]
            for form in plain]
    return rows + [(form.format(thing, word), '1' if label == '0' else '0') for thing in things for label in '10'
                   for word in words[label] for form in negated]


def questions(path=None):
    """[(text, class)]: 'question' or 'statement', of the same words. A line of the file: text TAB class."""
    if path:
        return read_table(path, ['text', 'class'])
    people = ['she', 'he', 'the doctor', 'your brother', 'our neighbour', 'the teacher', 'anna', 'the driver']
    deeds = ['left the window open', 'bought a new car', 'missed the last train', 'found the keys', 'cooked the soup',
             'closed the shop', 'read the letter', 'painted the door']
    times = ['today', 'yesterday', 'last week', 'again', 'this morning']
    forms = [('is it true that {0} {1} {2}', 'question'), ('who says that {0} {1} {2}', 'question'),
             ('why was it that {0} {1} {2}', 'question'), ('it is true that {0} {1} {2}', 'statement'),
             ('he says that {0} {1} {2}', 'statement'), ('that was why {0} {1} {2}', 'statement')]
    return [(form.format(*words), label) for words in itertools.product(people, deeds, times) for form, label in forms]


# ------------------------------------------------------------------ pairs of texts

def similar_pairs(path=None):
    """[(text, text, class)]: '1' if they mean the same, else '0'. A line of the file: text TAB text TAB class."""
    path = path or official('lcqmc_dev_2000.txt')
    if path:
        return read_table(path, ['text', 'text', 'class'])
    intents = [['where can i buy {}', 'which shop sells {}', 'i am looking for a place that has {}',
                'who has {} for sale'],
               ['how much does {} cost', 'what is the price of {}', 'is {} expensive', 'what do people pay for {}'],
               ['who invented {}', 'which person came up with {}', 'whose idea was {}',
                'who made {} for the first time'],
               ['how do i clean {}', 'what is the best way to wash {}', 'tell me how {} is cleaned',
                'what gets the dirt off {}']]
    things = ['a bicycle', 'a winter coat', 'a piano', 'a telephone', 'a carpet', 'an umbrella', 'a chess board',
              'a zip', 'a frying pan', 'a typewriter', 'a microscope', 'a tent']
    same, different = [], []
    asked = [(intent, form, thing) for intent, forms in enumerate(intents) for form in forms for thing in things]
    for (intent, form, thing), (other_intent, other_form, other_thing) in itertools.permutations(asked, 2):
        is_same = (intent, thing) == (other_intent, other_thing)
        rows = same if is_same else different if intent == other_intent or thing == other_thing else []
        rows.append((form.format(thing), other_form.format(other_thing), '1' if is_same else '0'))
    kept = np.random.RandomState(0).permutation(len(different))[:len(same) * 5 // 4]
    return same + [different[index] for index in kept]


# ------------------------------------------------------------------ tags of words

def tagged(path=None):
    """[(words, tags)]: BIO tags of what people say about flights. The file: see `read_tagged`."""
    if path:
        return read_tagged(path)
    cities = ['boston', 'new york', 'oslo', 'rio de janeiro', 'san francisco', 'delhi', 'cape town', 'lima', 'paris']
    days = ['monday', 'next friday', 'the first of may', 'sunday', 'christmas eve']
    forms = ['i want to fly from {FROM} to {TO} on {DAY}', 'is there a flight to {TO} from {FROM}',
             'which planes leave {FROM} for {TO} on {DAY}', 'on {DAY} we must be in {TO}',
             'book two seats to {TO} please', 'is {FROM} where the flight of {DAY} starts',
             'how far is it to {TO} if i start in {FROM}']
    rows = []
    for form in forms:
        slots = [kind for kind in ('FROM', 'TO', 'DAY') if '{%s}' % kind in form]
        for chosen in itertools.product(*[days if kind == 'DAY' else cities for kind in slots]):
            values = dict(zip(slots, chosen))
            if values.get('FROM') != values.get('TO'):
                rows.append(_tag(form, values))
    return rows


def _tag(form, values):
    """(words, tags) of a form filled in with {type: words}."""
    words, tags = [], []
    for part in form.split():
        kind = part.strip('{}') if part.startswith('{') else None
        these = values[kind].split() if kind else [part]
        words += these
        tags += ['B-' + kind] + ['I-' + kind] * (len(these) - 1) if kind else ['O']
    return words, tags


def read_tagged(path):
    """[(words, tags)] of a file in CoNLL's manner: a line for each word, word TAB tag; an empty line ends a text."""
    with io.open(path, encoding='utf-8') as stream:
        texts = [text for text in stream.read().replace('\r\n', '\n').split('\n\n') if text.strip()]
    rows = [tuple(map(list, zip(*table(text, ['word', 'tag'], path)))) for text in texts]
    for number, (_, tags) in enumerate(rows, 1):
        strange = [tag for tag in tags if tag != 'O' and tag[:2] not in ('B-', 'I-')]
        if strange:
            raise ValueError('%s, text %d has the tag %r; tags are O, B-TYPE and I-TYPE' % (path, number, strange[0]))
    if not rows:
        raise ValueError('%s has no text' % path)
    return rows


# ------------------------------------------------------------------ questions about a passage

def passages(path=None):
    """[(question, passage, answer)]. A line of the file: question TAB passage TAB answer, which is in the passage."""
    if path:
        rows = read_table(path, ['question', 'passage', 'answer'])
        for number, (_, passage, answer) in enumerate(rows, 1):
            if answer not in passage:
                raise ValueError('%s, text %d: the answer %r is not in the passage; write it as it is there'
                                 % (path, number, answer))
        return rows
    names = ['Anna', 'Tom', 'Maria', 'Peter', 'Laura', 'David', 'Susan', 'Mark']
    cities = ['Oslo', 'New York', 'Lima', 'Cape Town', 'Paris', 'Delhi', 'Boston', 'San Francisco']
    jobs = ['a baker', 'a nurse', 'a taxi driver', 'a teacher', 'an actor', 'a fire fighter', 'a judge', 'a farmer']
    things = ['apples', 'old maps', 'jazz', 'long walks', 'chess', 'cold soup', 'horses', 'the sea']
    draw, rows = np.random.RandomState(0), []
    for _ in range(1000):
        (one, other), places, work, loves = [[values[index] for index in draw.permutation(len(values))[:2]]
                                             for values in (names, cities, jobs, things)]
        passage = ' '.join('%s is %s and lives in %s. What %s likes most is %s.' % (name, job, city, name, thing)
                           for name, job, city, thing in zip((one, other), work, places, loves))
        who = draw.randint(2)
        asked = [('Where does %s live?', places), ('What is the job of %s?', work), ('What does %s like?', loves)]
        question, answers = asked[draw.randint(len(asked))]
        rows.append((question % (one, other)[who], passage, answers[who]))
    return rows


# ------------------------------------------------------------------ texts to write

def rewritten(path=None):
    """[(source, target)]: dates in words and as numbers. A line of the file: source TAB target."""
    if path:
        return read_table(path, ['source', 'target'])
    months = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october',
              'november', 'december']
    ordinals = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth',
                'eleventh', 'twelfth', 'thirteenth', 'fourteenth', 'fifteenth']
    forms = ['the {day} of {month} {year}', '{month} the {day} in {year}', 'it was the {day} of {month} in {year}',
             'in {year} on the {day} of {month}']
    draw, rows = np.random.RandomState(0), []
    for number in draw.permutation(len(months) * len(ordinals) * 30)[:4000]:
        number, month = divmod(int(number), len(months))
        year, day = divmod(number, len(ordinals))
        source = forms[draw.randint(len(forms))].format(day=ordinals[day], month=months[month], year=1980 + year)
        rows.append((source, '%d-%02d-%02d' % (1980 + year, month + 1, day + 1)))
    return rows


def sentences(path=None):
    """[text]: a text on each line of the file; without one the beginnings of news, or what is put together here."""
    path, most = (path, None) if path else (official('news_zh_1.txt'), 40)
    if path:
        with io.open(path, encoding='utf-8') as stream:
            texts = [line.strip()[:most] for line in stream.read().split('\n') if line.strip()]
        if not texts:
            raise ValueError('%s has no line' % path)
        return texts
    who = ['the old man', 'my sister', 'a small dog', 'the captain', 'our teacher', 'the girl next door']
    deeds = {'walked': ['to the river', 'through the rain', 'home alone'],
             'found': ['a letter in the garden', 'the keys under a chair', 'nothing'],
             'waited': ['for the last train', 'at the door', 'until it was dark']}
    ends = ['', 'and sang', 'and said no word', 'because it was late', 'as on every day']
    return [' '.join([one, verb, where, end]).strip() for one in who for verb in sorted(deeds) for where in deeds[verb]
            for end in ends]
