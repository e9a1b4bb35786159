# -*- coding: utf-8 -*-
"""What a run of pytest leaves behind: one JSON file with what passed, what was skipped and what was measured.

With the environment variable BERT4KERAS_RESULTS naming a directory, each run writes ROW.WHAT.json there;
the row is BERT4KERAS_ROW, or "local". `.ci/rows.py` makes a table of them, `parity/report.py` PARITY.md.
Both conftest files call `register`, and `record` is for what a test measured.
"""
from __future__ import absolute_import, division, print_function

import collections
import io
import json
import os
import platform
import sys
import time

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
    """The version of an installed package, or None."""
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


def versions():
    """{what: version} of this Python, the Keras in use and what the numbers may depend on."""
    backend = sys.modules.get('bert4keras.backend')
    found = collections.OrderedDict([('python', platform.python_version()),
                                     ('keras', backend.describe() if backend else None)])
    for package in ('numpy', 'keras-bert', 'bert-tensorflow', 'transformers', 'keras-hub', 'tf_keras'):
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
            del _measured[:]


class Results(object):
    """Collects the reports of a run, prints what was measured and writes the file."""

    def __init__(self, config):
        words = [os.path.basename(os.path.normpath(word.split('::')[0])) for word in config.args]
        self.what = '+'.join(words)
        self.started = time.time()
        self.passed, self.failed, self.skipped, self.comparisons = [], [], [], []

    def pytest_runtest_logreport(self, report):
        """Counts one phase of one test; what fails or is skipped may do so in its setup."""
        if report.failed:
            self.failed.append(report.nodeid)
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.skipped.append({'test': report.nodeid, 'reason': reason.replace('Skipped: ', '', 1)})
        elif report.when == 'call':
            self.passed.append(report.nodeid)
        if report.when == 'call':
            self.comparisons += [value for name, value in report.user_properties if name == 'measured']

    def pytest_collectreport(self, report):
        """A module that cannot be imported is a failure, one that is skipped is a skip."""
        if report.failed:
            self.failed.append(report.nodeid)
        elif report.skipped:
            self.skipped.append({'test': report.nodeid, 'reason': str(report.longrepr[2])})

    def pytest_terminal_summary(self, terminalreporter):
        """Prints the largest of each group of comparisons, such as all layers of one model."""
        groups = collections.OrderedDict()
        for comparison in self.comparisons:
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
        """Writes the file, when the run is over."""
        if directory() is None:
            return
        contents = collections.OrderedDict([
            ('row', row_name()), ('what', self.what), ('versions', versions()),
            ('seconds', round(time.time() - self.started, 1)), ('passed', len(self.passed)),
            ('failed', self.failed), ('skipped', self.skipped), ('comparisons', self.comparisons)])
        with io.open(os.path.join(directory(), '%s.%s.json' % (row_name(), self.what)), 'wb') as stream:
            stream.write(json.dumps(contents, indent=1).encode('ascii'))
