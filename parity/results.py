# -*- coding: utf-8 -*-
"""What a run of pytest leaves behind: one JSON file with what passed, what was skipped and what was measured.

With the environment variable BERT4KERAS_RESULTS naming a directory, each run writes ROW.tests.json and
ROW.parity.json there, or another name for a part of them; the row is BERT4KERAS_ROW, or "local".
`parity/rows.py` makes a table of them, `parity/report.py` PARITY.md.
Both conftest files call `register`, and `record` is for what a test measured.
"""
from __future__ import absolute_import, division, print_function

import collections
import glob
import io
import json
import os
import platform
import sys
import time

from parity.peers import PEERS

EARLY = os.path.join(sys.prefix, 'early')  # where a row has bert4keras 0.11.5, whose name is that of our package
_measured = []  # the comparisons of the test that runs now


def row_name():
    """The row of tox.ini that runs, or "local"."""
    return os.environ.get('BERT4KERAS_ROW', 'local')


def directory():
    """Where results go, made where it is missing, or None where nobody asked for them."""
    path = os.environ.get('BERT4KERAS_RESULTS') or None
    if path is not None and not os.path.isdir(path):
        os.makedirs(path)
    return path


def version(package):
    """The version of an installed package, or None; of bert4keras, of the one in `EARLY`."""
    if package == 'bert4keras':
        found = glob.glob(os.path.join(EARLY, 'bert4keras-*.dist-info'))
        return os.path.basename(found[0])[len('bert4keras-'):-len('.dist-info')] if found else None
    try:
        import importlib.metadata as metadata
        missing = metadata.PackageNotFoundError
    except ImportError:  # before Python 3.8
        import pkg_resources as metadata
        missing = metadata.DistributionNotFound
    try:
        return metadata.version(package) if hasattr(metadata, 'version') else (
            metadata.get_distribution(package).version)
    except missing:
        return None


def keras_in_use():
    """Which Keras and engine this process has imported, or None."""
    backend = sys.modules.get('bert4keras.backend')
    return backend.describe() if backend else None


def versions():
    """{what: version} of this Python and what the numbers may depend on."""
    found = collections.OrderedDict([('python', platform.python_version()), ('keras', keras_in_use())])
    for package in ('numpy', 'tf_keras') + sum((peer.packages for peer in PEERS.values()), ()):
        if version(package):
            found[package] = version(package)
    return found


def record(**comparison):
    """Keeps a comparison, such as what='...', measured=1e-7, allowed=1e-5, for the results of this run."""
    _measured.append(comparison)


def register(config):
    """Registers the plugins of this module with pytest, once, from pytest_configure of a conftest."""
    if not config.pluginmanager.hasplugin('bert4keras-recorder'):
        config.pluginmanager.register(Recorder(), 'bert4keras-recorder')
        if not hasattr(config, 'workerinput'):  # pytest-xdist: the workers send their reports to one process
            config.pluginmanager.register(Results(config), 'bert4keras-results')


class Recorder(object):
    """Puts what a test measured into its report, which pytest-xdist carries to the one that writes."""

    def pytest_runtest_makereport(self, item, call):
        """Called behind setup, call and teardown of each test."""
        if call.when == 'call':
            item.user_properties.extend(('measured', comparison) for comparison in _measured)
            item.user_properties.append(('keras', keras_in_use()))
            del _measured[:]


class Part(object):
    """What is known of the tests of one directory."""

    def __init__(self):
        self.passed, self.failed, self.skipped, self.comparisons, self.seconds = 0, [], [], [], 0.0


class Results(object):
    """Collects the reports of a run, prints what was measured and writes a file for each directory of tests."""

    def __init__(self, config):
        words = [os.path.basename(os.path.normpath(word.split('::')[0])) for word in config.args]
        # what is run in part must not pass for the whole
        self.what = None if set(words) <= {'tests', 'parity'} else '+'.join(words)
        self.started, self.keras, self.parts = time.time(), None, collections.OrderedDict()

    def part(self, report):
        """The Part that a report belongs to."""
        return self.parts.setdefault(self.what or report.nodeid.split('/')[0], Part())

    def pytest_runtest_logreport(self, report):
        """Counts one phase of one test; what fails or is skipped may do so in its setup."""
        part = self.part(report)
        part.seconds += report.duration
        if report.failed:
            part.failed.append(report.nodeid)
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            part.skipped.append({'test': report.nodeid, 'reason': reason.replace('Skipped: ', '', 1)})
        elif report.when == 'call':
            part.passed += 1
        if report.when == 'call':
            part.comparisons += [value for name, value in report.user_properties if name == 'measured']
            self.keras = dict(report.user_properties).get('keras') or self.keras

    def pytest_collectreport(self, report):
        """A module that cannot be imported is a failure, one that is skipped is a skip."""
        if report.failed:
            self.part(report).failed.append(report.nodeid)
        elif report.skipped:
            self.part(report).skipped.append({'test': report.nodeid, 'reason': str(report.longrepr[2])})

    def pytest_terminal_summary(self, terminalreporter):
        """Prints the largest of each group of comparisons, such as all layers of one model."""
        groups = collections.OrderedDict()
        for part in self.parts.values():
            for comparison in part.comparisons:
                groups.setdefault(comparison['what'].rsplit(' ', 1)[0], []).append(comparison)
        if groups:
            terminalreporter.section('largest of the measured differences')
        for group, members in groups.items():
            largest = max(members, key=lambda member: member['measured'])
            closest = max(member['measured'] / member['allowed'] for member in members)
            terminalreporter.write_line(
                '%-44s %3d compared, largest %.1e at %s; nearest to its tolerance: %.0f%%'
                % (group, len(members), largest['measured'], largest['what'].rsplit(' ', 1)[-1], 100 * closest))

    def pytest_unconfigure(self):
        """Writes the files, when the run is over; each directory has its share of the seconds."""
        if directory() is None:
            return
        elapsed, cpu = time.time() - self.started, sum(os.times()[:4])  # of this process and those that it started
        whole = sum(part.seconds for part in self.parts.values()) or 1.0
        for what, part in self.parts.items():
            contents = collections.OrderedDict([
                ('row', row_name()), ('what', what), ('versions', dict(versions(), keras=self.keras)),
                ('seconds', round(elapsed * part.seconds / whole, 1)),
                ('cpu', round(cpu * part.seconds / whole, 1)), ('passed', part.passed), ('failed', part.failed),
                ('skipped', part.skipped), ('comparisons', part.comparisons)])
            with io.open(os.path.join(directory(), '%s.%s.json' % (row_name(), what)), 'wb') as stream:
                stream.write(json.dumps(contents, indent=1).encode('ascii'))
