# -*- coding: utf-8 -*-
"""Tests of what damaged releases become; damage.py runs as many cases as one likes."""
from __future__ import absolute_import, division, print_function

import subprocess
import sys

import pytest

from tests.helpers import damage, hostile

pytestmark = pytest.mark.engine_free


@pytest.mark.slow
def test_damage_is_an_error_of_ours_or_changes_nothing():
    """400 damaged releases: our errors with the file's name, or equality; nothing else."""
    counts, failures = damage.run(400, seed=1)
    assert not failures, failures[:5]
    assert sum(counts.values()) == 400
    assert sum(count for (_, outcome), count in counts.items() if outcome == 'error') > 200


@pytest.mark.slow
def test_the_script_sees_what_it_looks_for(monkeypatch):
    """With the checksums ignored, damage loads silently, and the script says so."""
    from bert4keras.release import checkpoint
    monkeypatch.setattr(checkpoint, 'masked_crc', lambda data: SameAsAnything())
    _, failures = damage.run(200, seed=2)
    assert any('loads, with other tensors' in failure for failure in failures)


class SameAsAnything(object):
    """Equal to every checksum."""

    def __ne__(self, other):
        return False


@pytest.mark.parametrize('name', ['type', 'twice', 'special', 'vocabulary', 'destination'])
def test_bad_input_never_escapes(name):
    """A share of each class: no other exception, nothing silently different, nothing lost; see hostile.py."""
    counts, failures = hostile.run(name, 15, seed=1)
    assert not failures, failures[:3]
    assert sum(counts.values()) == 15


def test_writers_and_readers_of_one_path():
    """Six rounds in a process of its own, as it forks: whoever writes or is killed, nothing is a mixture."""
    subprocess.check_call([sys.executable, '-m', 'tests.helpers.hostile', '--races', '6'])
