# -*- coding: utf-8 -*-
"""Tests of helpers/: where the official files are looked for."""
from __future__ import absolute_import, division, print_function

import os

import pytest

from tests.helpers.official import find_official


def test_the_official_files_are_where_the_variable_says_and_nowhere_else(monkeypatch, tmp_path):
    """BERT4KERAS_OFFICIAL gives the directory, without it there is none, and a wrong one is an error."""
    monkeypatch.setenv('BERT4KERAS_OFFICIAL', str(tmp_path))
    assert find_official() == str(tmp_path)
    for unset in (True, False):
        monkeypatch.delenv('BERT4KERAS_OFFICIAL') if unset else monkeypatch.setenv('BERT4KERAS_OFFICIAL', '')
        assert find_official() is None
    monkeypatch.setenv('BERT4KERAS_OFFICIAL', os.path.join(str(tmp_path), 'missing'))
    with pytest.raises(ValueError) as caught:
        find_official()
    assert os.path.join(str(tmp_path), 'missing') in str(caught.value)
