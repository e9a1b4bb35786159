# -*- coding: utf-8 -*-
"""An encoder and a decoder from one BERT (https://arxiv.org/abs/1907.12461), with cross-attention in each block."""
from bert4keras.bert import BertModel
from bert4keras.layers import BertSelfAttention


class CrossAttention(BertSelfAttention):
    def queries_keys_values(self, x, mask, memory):  # the mask is the memory's
        query = super(CrossAttention, self).queries_keys_values(x, mask)[0]
        return (query,) + super(CrossAttention, self).queries_keys_values(memory, mask)[1:]


class Decoder(BertModel):
    def half(self, x, name, index, function):
        if name.endswith('FeedForward'):
            cross = name.replace('FeedForward', 'CrossAttention')
            layer = self.layer(CrossAttention, cross, num_attention_heads=self.config['num_attention_heads'])
            x = self.add_and_norm(x, layer([x, self.memory_mask, self.memory]), cross)
        return super(Decoder, self).half(x, name, index, function)


def encoder_decoder(config):
    encoder, decoder = BertModel(config), Decoder(config, application='lm', prefix='Decoder-')
    source, target = encoder.inputs(), decoder.inputs()
    decoder.memory, decoder.memory_mask = encoder.run(*source), encoder.attention_mask(*source)
    return encoder, decoder, source + target, decoder.run(*target)
