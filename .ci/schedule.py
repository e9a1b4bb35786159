"""Runs the README's commands, and the rows of tox.ini as `python -m parity.rows --plan` has them, on two cores.

    python3 .ci/schedule.py TOX WORK WHEEL [ROW...]

TOX is the program, WORK a directory for environments and logs, WHEEL what the rows install. The README's commands
come first, as they use both cores, then the rows of two environments at a time. The environments are built one after
another meanwhile, with less priority, as that waits for the network and the disk. A line is printed as each row ends, and the log of what fails. BERT4KERAS_RESULTS says where the rows leave their
results; BERT4KERAS_OFFICIAL is passed on to the rows that the plan names, all others run as where it is not set. Exits
with 1 if anything failed.
"""
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 40 * 60  # seconds a row, with another beside it
printing = threading.Lock()


def read_plan(chosen):
    """[[row, row...]...] of `parity.rows --plan`: dicts, those of an environment together, the longest first."""
    plan = json.loads(subprocess.check_output([sys.executable, '-m', 'parity.rows', '--plan'], cwd=ROOT).decode())
    jobs = [[row for row in job if not chosen or row['row'] in chosen] for job in plan]
    return [job for job in jobs if job]


def run_for(seconds, command, environment, log):
    """Runs a command in a process group of its own, killed after some seconds: (exit code, wall and CPU seconds)."""
    started = time.time()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                               stderr=subprocess.STDOUT, start_new_session=True)
    timer = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    _, status, usage = os.wait4(process.pid, 0)  # what all its descendants used
    timer.cancel()
    process.returncode = status
    return status, time.time() - started, usage.ru_utime + usage.ru_stime


def counts(row):
    """How many tests of a row passed, were skipped and failed, from its results."""
    total = [0, 0, 0]
    for what in ('tests', 'parity'):
        path = os.path.join(os.environ['BERT4KERAS_RESULTS'], '%s.%s.json' % (row, what))
        if os.path.exists(path):
            with open(path) as stream:
                results = json.load(stream)
            for index, count in enumerate((results['passed'], len(results['skipped']), len(results['failed']))):
                total[index] += count
    return tuple(total)


def run_front_door(work):
    """Runs the README's commands as where nothing else is, and prints what they print; returns whether they passed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith('BERT4KERAS_')}
    path = os.path.join(work, 'front-door.log')
    with open(path, 'wb') as log:
        code, wall, cpu = run_for(LIMIT, [sys.executable, os.path.join('.ci', 'front_door.py')], environment, log)
    with printing:
        with open(path, encoding='utf-8', errors='replace') as log:
            print(log.read())
        print("the README's commands %s %6.0f s, CPU %5.0f s" % ('FAILED' if code else 'passed', wall, cpu))
        sys.stdout.flush()
    return not code


def run_row(tox, work, wheel, row):
    """Runs one row, prints its line and, if it failed, its log; returns whether it passed."""
    name = row['row']
    environment = dict(os.environ)
    if not row['official']:
        environment.pop('BERT4KERAS_OFFICIAL', None)
    command = [tox, 'run', '--workdir', work, '--installpkg', wheel, '--skip-missing-interpreters=false', '-e', name]
    path = os.path.join(work, name + '.log')
    with open(path, 'wb') as log:
        code, wall, cpu = run_for(LIMIT, command + ['--'] * bool(row['arguments']) + row['arguments'], environment, log)
    with printing:
        print('%-18s %5d passed %4d skipped %3d failed %6.0f s, CPU %5.0f s%s' % (
            (name,) + counts(name) + (wall, cpu, '   FAILED' if code else '')))
        if code:
            with open(path, encoding='utf-8', errors='replace') as log:
                print(log.read())
            print('^ the log of %s%s' % (name, ', which was killed after %d s' % LIMIT if wall >= LIMIT else ''))
        sys.stdout.flush()
    return not code


def install(tox, directory, wheel, rows):
    """Builds the environment of some rows; where that fails, the rows say why."""
    os.makedirs(directory)
    command = ['nice', tox, 'run', '--notest', '--workdir', directory, '--installpkg', wheel, '-e', rows[0]['row']]
    with open(os.path.join(directory, 'install.log'), 'wb') as log:
        run_for(LIMIT, command, dict(os.environ), log)


def run_job(tox, directory, wheel, rows, installed):
    """Runs the rows of one environment, one after another, when it is installed; returns whether all passed."""
    installed.result()
    return all([run_row(tox, directory, wheel, row) for row in rows])


def main(tox, work, wheel, *chosen):
    """Runs all jobs, or those of the rows chosen; returns the exit code."""
    jobs = [(tox, os.path.join(work, rows[0]['row']), wheel, rows) for rows in read_plan(chosen)]
    with concurrent.futures.ThreadPoolExecutor(1) as installer, concurrent.futures.ThreadPoolExecutor(2) as pool:
        installed = [installer.submit(install, *job) for job in jobs]
        passed = [run_front_door(work)] if not chosen else []
        running = [pool.submit(run_job, *(job + (wait,))) for job, wait in zip(jobs, installed)]
    return 0 if all(passed + [job.result() for job in running]) else 1


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
