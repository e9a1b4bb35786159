# -*- coding: utf-8 -*-
"""The parity harness: the same checkpoint through every Keras, and through the peers that people trust."""
