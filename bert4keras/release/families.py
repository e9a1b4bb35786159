# -*- coding: utf-8 -*-
"""The families of models, as data: which layer holds which variable, and what each layout calls it.

The rest of the package speaks one language for the variables of a family, that of its TensorFlow
release: its names, its shapes, its orientation. Hugging Face's layout is a table from those names to
its own. A name that ends in ".T" stands for that variable transposed.

Sources: google-research/bert and google-research/albert (modeling.py, run_pretraining.py);
brightmart/albert_zh (modeling.py, modeling_google.py); facebookresearch/fairseq (models/roberta); the state
dicts of the Hugging Face releases (config.json, model.safetensors); the tables of contents of the releases themselves.
"""
from __future__ import absolute_import, division, print_function

import collections
import re

from bert4keras.errors import CheckpointError

__all__ = ['BLOCK', 'FAMILIES', 'HEADS', 'HEAD_ARGUMENTS', 'IGNORABLE', 'UNSUPPORTED', 'Family', 'family_of',
           'hugging_face_names', 'is_transposed', 'layer_variables', 'number_of_blocks', 'strip_transposed']

# Google's name: Hugging Face's. "{}" is the name of the model, such as "bert.", which heads lack and
# without which some files are saved.
EMBEDDINGS = collections.OrderedDict([
    ('bert/embeddings/word_embeddings', '{}embeddings.word_embeddings.weight'),
    ('bert/embeddings/token_type_embeddings', '{}embeddings.token_type_embeddings.weight'),
    ('bert/embeddings/position_embeddings', '{}embeddings.position_embeddings.weight'),
    ('bert/embeddings/LayerNorm/gamma', '{}embeddings.LayerNorm.weight'),
    ('bert/embeddings/LayerNorm/beta', '{}embeddings.LayerNorm.bias'),
])
# The two of a block's tables are in the same order: attention, its norm, feed-forward, its norm.
BLOCK = collections.OrderedDict([
    ('attention/self/query/kernel', 'attention.self.query.weight.T'),
    ('attention/self/query/bias', 'attention.self.query.bias'),
    ('attention/self/key/kernel', 'attention.self.key.weight.T'),
    ('attention/self/key/bias', 'attention.self.key.bias'),
    ('attention/self/value/kernel', 'attention.self.value.weight.T'),
    ('attention/self/value/bias', 'attention.self.value.bias'),
    ('attention/output/dense/kernel', 'attention.output.dense.weight.T'),
    ('attention/output/dense/bias', 'attention.output.dense.bias'),
    ('attention/output/LayerNorm/gamma', 'attention.output.LayerNorm.weight'),
    ('attention/output/LayerNorm/beta', 'attention.output.LayerNorm.bias'),
    ('intermediate/dense/kernel', 'intermediate.dense.weight.T'),
    ('intermediate/dense/bias', 'intermediate.dense.bias'),
    ('output/dense/kernel', 'output.dense.weight.T'),
    ('output/dense/bias', 'output.dense.bias'),
    ('output/LayerNorm/gamma', 'output.LayerNorm.weight'),
    ('output/LayerNorm/beta', 'output.LayerNorm.bias'),
])
ALBERT_BLOCK = collections.OrderedDict([
    ('attention_1/self/query/kernel', 'attention.query.weight.T'),
    ('attention_1/self/query/bias', 'attention.query.bias'),
    ('attention_1/self/key/kernel', 'attention.key.weight.T'),
    ('attention_1/self/key/bias', 'attention.key.bias'),
    ('attention_1/self/value/kernel', 'attention.value.weight.T'),
    ('attention_1/self/value/bias', 'attention.value.bias'),
    ('attention_1/output/dense/kernel', 'attention.dense.weight.T'),
    ('attention_1/output/dense/bias', 'attention.dense.bias'),
    ('LayerNorm/gamma', 'attention.LayerNorm.weight'),
    ('LayerNorm/beta', 'attention.LayerNorm.bias'),
    ('ffn_1/intermediate/dense/kernel', 'ffn.weight.T'),
    ('ffn_1/intermediate/dense/bias', 'ffn.bias'),
    ('ffn_1/intermediate/output/dense/kernel', 'ffn_output.weight.T'),
    ('ffn_1/intermediate/output/dense/bias', 'ffn_output.bias'),
    ('LayerNorm_1/gamma', 'full_layer_layer_norm.weight'),
    ('LayerNorm_1/beta', 'full_layer_layer_norm.bias'),
])
HEADS = collections.OrderedDict([
    ('bert/pooler/dense/kernel', '{}pooler.dense.weight.T'),
    ('bert/pooler/dense/bias', '{}pooler.dense.bias'),
    ('cls/predictions/transform/dense/kernel', 'cls.predictions.transform.dense.weight.T'),
    ('cls/predictions/transform/dense/bias', 'cls.predictions.transform.dense.bias'),
    ('cls/predictions/transform/LayerNorm/gamma', 'cls.predictions.transform.LayerNorm.weight'),
    ('cls/predictions/transform/LayerNorm/beta', 'cls.predictions.transform.LayerNorm.bias'),
    ('cls/predictions/output_bias', 'cls.predictions.bias'),
    ('cls/seq_relationship/output_weights', 'cls.seq_relationship.weight'),
    ('cls/seq_relationship/output_bias', 'cls.seq_relationship.bias'),
])
ALBERT_HEADS = collections.OrderedDict([
    ('bert/pooler/dense/kernel', '{}pooler.weight.T'),
    ('bert/pooler/dense/bias', '{}pooler.bias'),
    ('cls/predictions/transform/dense/kernel', 'predictions.dense.weight.T'),
    ('cls/predictions/transform/dense/bias', 'predictions.dense.bias'),
    ('cls/predictions/transform/LayerNorm/gamma', 'predictions.LayerNorm.weight'),
    ('cls/predictions/transform/LayerNorm/beta', 'predictions.LayerNorm.bias'),
    ('cls/predictions/output_bias', 'predictions.bias'),
    ('cls/seq_relationship/output_weights', 'sop_classifier.classifier.weight'),
    ('cls/seq_relationship/output_bias', 'sop_classifier.classifier.bias'),
])
# Of RoBERTa and XLM-R: fairseq's words. Their classifier of texts is BERT's pooler and classifier by other names.
ROBERTA_HEADS = collections.OrderedDict([
    ('bert/pooler/dense/kernel', '{}pooler.dense.weight.T'),
    ('bert/pooler/dense/bias', '{}pooler.dense.bias'),
    ('cls/predictions/transform/dense/kernel', 'lm_head.dense.weight.T'),
    ('cls/predictions/transform/dense/bias', 'lm_head.dense.bias'),
    ('cls/predictions/transform/LayerNorm/gamma', 'lm_head.layer_norm.weight'),
    ('cls/predictions/transform/LayerNorm/beta', 'lm_head.layer_norm.bias'),
    ('cls/predictions/output_bias', 'lm_head.bias'),
])
ROBERTA_CLASSIFIER = collections.OrderedDict([
    ('bert/pooler/dense/kernel', 'classifier.dense.weight.T'), ('bert/pooler/dense/bias', 'classifier.dense.bias'),
    ('output_weights', 'classifier.out_proj.weight'), ('output_bias', 'classifier.out_proj.bias'),
])
ALBERT_MAPPING = collections.OrderedDict([
    ('bert/encoder/embedding_hidden_mapping_in/kernel', '{}encoder.embedding_hidden_mapping_in.weight.T'),
    ('bert/encoder/embedding_hidden_mapping_in/bias', '{}encoder.embedding_hidden_mapping_in.bias'),
])

# name: the config's model_type; title: for messages; architecture: how transformers' names of its classes begin.
# shares_blocks: whether all blocks are one; counts_tokens: whether positions are counted from the token ids, the first
# being one more than the id of padding.
# embedding: 'plain', as wide as the blocks; 'mapped' to their width after the norm; or 'projected' to it, each
# row of the table of word embeddings, before anything is added.
# google_block, block: what stands before, and the table of, a block's names.
# prefix, hugging_face_block, heads: Hugging Face's words for them; None where it has no such model.
# classifier: its words for a classifier of texts, where they are not those of `heads` and `heads.HEAD_VARIABLES`.
# mapping: {layer name: its table}, what the embeddings have beside those of BERT.
Family = collections.namedtuple('Family', 'name title architecture shares_blocks counts_tokens embedding google_block '
                                          'block prefix hugging_face_block heads classifier mapping')
BERT = Family('bert', 'a BERT', 'Bert', False, False, 'plain', 'bert/encoder/layer_{}/', BLOCK, 'bert.',
              '{}encoder.layer.{}.', HEADS, {}, {})
# no TensorFlow release has this one: Google's words, but for the blocks, so that nothing takes it for a BERT
ROBERTA = BERT._replace(name='roberta', title='a RoBERTa', architecture='Roberta', counts_tokens=True,
                        google_block='roberta/encoder/layer_{}/', prefix='roberta.', heads=ROBERTA_HEADS,
                        classifier=ROBERTA_CLASSIFIER)
FAMILIES = collections.OrderedDict((family.name, family) for family in [
    BERT,
    Family('albert', 'an ALBERT', 'Albert', True, False, 'mapped', 'bert/encoder/transformer/group_0/inner_group_0/',
           ALBERT_BLOCK, 'albert.', '{}encoder.albert_layer_groups.0.albert_layers.0.', ALBERT_HEADS, {},
           {'Embedding-Mapping': ALBERT_MAPPING}),
    # brightmart/albert_zh as it first was, before builds in the layout of Google's ALBERT: a BERT whose
    # blocks are one, and whose table of word embeddings is the product of two
    BERT._replace(name='albert_zh', title='an original albert_zh', architecture=None, shares_blocks=True,
                  embedding='projected', google_block='bert/encoder/layer_shared/', prefix=None,
                  hugging_face_block=None,
                  mapping={'Embedding-Projection': {'bert/embeddings/word_embeddings_2': None}}),
    ROBERTA,
    ROBERTA._replace(name='xlm-roberta', title='an XLM-R', architecture='XLMRoberta'),
])

# Training state, and what Hugging Face stores twice or can derive.
IGNORABLE = re.compile(r'/adam_[mv]$|/Adam(_1)?$|(^|/)(global_step|beta[12]_power|learning_rate)$'
                       r'|embeddings\.position_ids$|^((cls\.)?predictions|lm_head)\.decoder\.(weight|bias)$')
# What is not built here, and the variables that give it away.
UNSUPPORTED = (('several hidden or inner groups', r'/(inner_)?group_[1-9]|\.albert_layer(_group)?s\.[1-9]'),
               ('relative positions', r'\.distance_embedding\.'), ('cross-attention', r'\.crossattention\.'))
# Which argument of build_bert_model a missing variable of a head can do without.
HEAD_ARGUMENTS = (('bert/pooler/', 'with_pool'), ('cls/seq_relationship/', 'with_nsp'),
                  ('cls/predictions/', 'with_mlm'))


def family_of(config):
    """The Family of a config's model, one of FAMILIES."""
    name = config.get('model_type')
    if name is None and ('num_hidden_groups' in config or 'inner_group_num' in config):
        name = 'albert'
    elif name is None:
        factorised = config.get('embedding_size', config['hidden_size']) != config['hidden_size']
        name = 'albert_zh' if factorised else 'bert'
    return FAMILIES[name]


def hugging_face_names(config, prefix=None):
    """{Google's name: Hugging Face's name, ".T" where it is stored transposed} of a whole model.

    Args:
        config: dict, see `read_config`.
        prefix: what stands before the names of all but the heads; None for the family's own.

    Raises:
        CheckpointError: Hugging Face has no such model.
    """
    family = family_of(config)
    if family.prefix is None:
        raise CheckpointError('%s has no place in Hugging Face\'s layout: its token table is a product of two, '
                              'and transformers has no model that computes so. Use the layout tensorflow'
                              % family.title)
    prefix = family.prefix if prefix is None else prefix
    names = collections.OrderedDict(EMBEDDINGS)
    for table in family.mapping.values():
        names.update(table)
    for index in range(number_of_blocks(config)):
        for google, own in family.block.items():
            names[family.google_block.format(index) + google] = family.hugging_face_block.format('{}', index) + own
    names.update(family.heads)
    return collections.OrderedDict((google, own.format(prefix)) for google, own in names.items())


def number_of_blocks(config):
    """How many blocks have weights of their own: one, where all share it."""
    return 1 if family_of(config).shares_blocks else config['num_hidden_layers']


def layer_variables(config):
    """OrderedDict {layer name: Google's names of its weights, in order} of a model with all heads."""
    family = family_of(config)
    names = collections.OrderedDict([
        ('Embedding-Token', ['bert/embeddings/word_embeddings']),
        ('Embedding-Segment', ['bert/embeddings/token_type_embeddings']),
        ('Embedding-Position', ['bert/embeddings/position_embeddings']),
        ('Embedding-Norm', ['bert/embeddings/LayerNorm/gamma', 'bert/embeddings/LayerNorm/beta']),
    ])
    for layer, table in family.mapping.items():
        names[layer] = list(table)
    for index in range(number_of_blocks(config)):
        block = [family.google_block.format(index) + part for part in family.block]
        attention = 'Encoder-%d-MultiHeadSelfAttention' % (index + 1)
        feed_forward = 'Encoder-%d-FeedForward' % (index + 1)
        names[attention], names[attention + '-Norm'] = block[:8], block[8:10]
        names[feed_forward], names[feed_forward + '-Norm'] = block[10:14], block[14:]
    transform = 'cls/predictions/transform/'
    names['Pooler-Dense'] = ['bert/pooler/dense/kernel', 'bert/pooler/dense/bias']
    if 'cls/seq_relationship/output_bias' in family.heads:
        names['NSP-Proba'] = ['cls/seq_relationship/output_weights.T', 'cls/seq_relationship/output_bias']
    names['MLM-Dense'] = [transform + 'dense/kernel', transform + 'dense/bias']
    names['MLM-Norm'] = [transform + 'LayerNorm/gamma', transform + 'LayerNorm/beta']
    names['MLM-Proba'] = ['cls/predictions/output_bias']
    return names


def is_transposed(name):
    """Whether a name of the tables stands for a transposed variable."""
    return name.endswith('.T')


def strip_transposed(name):
    """A name of the tables without its ".T"."""
    return name[:-2] if is_transposed(name) else name
