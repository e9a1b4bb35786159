# -*- coding: utf-8 -*-
"""The implementations that ours is compared with: their registry. Each is one module here, with one interface.

    GELUS, FAMILIES, LAYOUTS    what it takes: the values of Question.gelu and model_type, how the files may look
    TRAINS                      whether it answers questions that train
    EXACT                       whether it computes in float64
    layers(question)            which of a question's layers it has
    answers(asked)              one answer for each of a list of questions; see questions.py

A new peer is a module, a line of PEERS, and a pin in tox.ini for each row that has it. A row that has no such pin may
do without the peer; see rows.py. `ours` and `reference` are not in PEERS: they are what is compared, and what breaks a
tie.
"""
from __future__ import absolute_import, division, print_function

import collections
import importlib


class Peer(collections.namedtuple('Peer', 'name title packages')):
    """A line of the registry.

    Args:
        name: of the module.
        title: what people call it.
        packages: tuple of what must be installed, as pip calls it; the version of the first is the peer's.
    """

    @property
    def module(self):
        """The module with the peer's interface."""
        return importlib.import_module('parity.peers.' + self.name)


PEERS = collections.OrderedDict((peer.name, peer) for peer in [
    Peer('keras_bert', 'keras-bert', ('keras-bert',)),
    Peer('early', 'bert4keras', ('bert4keras',)),
    Peer('google', "Google's BERT", ('bert-tensorflow', 'albert-tensorflow')),
    Peer('hugging_face', 'transformers', ('transformers', 'torch')),
    Peer('keras_hub', 'KerasHub', ('keras-hub',)),
    Peer('recorded', 'keras-bert, recorded', ()),
    Peer('unrolled', 'float64, tables multiplied', ()),
])


def missing(packages):
    """Why a test that needs these packages is skipped, in the words that rows.py looks for, or None."""
    from parity.results import version
    absent = [package for package in packages if not version(package)]
    return '%s is not in this row' % absent[0] if absent else None


def require(*packages):
    """Skips the test, or at import the module, where one of the packages is not in this row."""
    import pytest
    reason = missing(packages)
    if reason:
        pytest.skip(reason, allow_module_level=True)
