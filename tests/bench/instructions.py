#!/usr/bin/python3
"""Instructions a request takes in each process, by callgrind: a figure that other load on the machine does not
change, so that a regression of some per cent shows. Requests go one after the other, and the origin waits
before it answers, so that every process has gone to rest before it is woken: then each request goes the same
way. The counts of a build by one compiler are kept in instructions.json, and a test fails above them.

usage: tests/bench/instructions.py [--write | --show] [--keep FOLDER]
  (nothing)      TAP: no process needs more than TOLERANCE above what is written down
  --show         a table, and nothing is judged
  --write        writes the figures down
  --keep FOLDER  keep callgrind's profiles there, for callgrind_annotate or kcachegrind
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from support import certs, nginx, paths  # noqa: E402
from support.daemon import Daemon  # noqa: E402

FIGURES = HERE / 'instructions.json'
TOLERANCE = 0.05
KIB, MIB = 1024, 1024 * 1024
DELAY_S = 0.01
WARM_UP = 16
PROCESSES = ('client', 'daemon', 'worker')
ROWS = (('1 KiB, HTTP 1.1', 'h1', KIB, 150), ('1 KiB, HTTP 2', 'h2', KIB, 150), ('1 MiB, HTTP 1.1', 'h1', MIB, 20))
SETTINGS = {'log.level': 'warning', 'workers.hang_timeout': '10m'}


def callgrind(out):
    return ['valgrind', '--tool=callgrind', '--log-file=/dev/null', '--callgrind-out-file=%s' % out]


def total(path):
    return int(re.search(r'^summary: (\d+)', path.read_text(), re.M).group(1))


class Counted(Daemon):
    """A fetchd with one worker, both under callgrind."""

    def __init__(self, folder, **options):
        super().__init__(workers=1, settings=SETTINGS, args=['--no-sandbox'],
                         prefix=callgrind('%s/%%p' % folder) + ['--trace-children=yes'], **options)
        self.profiles, self.dumps = folder, 0

    @staticmethod
    def program(path, prefix):
        return path

    def pids(self):
        return {'daemon': self.pid, 'worker': next(iter(self.workers().values()))}

    @staticmethod
    def control(flag, pids):
        subprocess.run(['callgrind_control', flag, *map(str, pids.values())], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True)

    def take(self, pids, name):
        """The counts by process since they were zeroed."""
        self.control('-d', pids)
        self.dumps += 1
        found = {}
        for who, pid in pids.items():
            path = self.profiles / ('%s %s' % (name, who))
            (self.profiles / ('%d.%d' % (pid, self.dumps))).rename(path)
            found[who] = total(path)
        return found


class Bed:
    def __init__(self, profiles):
        self.profiles = profiles
        folder = paths.folder('i')
        authority = certs.Authority(folder)
        self.origin = nginx.Nginx(folder, authority, servers=('h1', 'h2', 'plain'), log=False)
        self.origin.start()
        self.fetchd = Counted(profiles, allow=list(self.origin.ports.values()), ca=authority.cert_path)

    def __enter__(self):
        self.fetchd.start()
        return self

    def __exit__(self, *problem):
        self.fetchd.__exit__(*problem)
        self.origin.stop()

    def ask(self, url, size, version, requests, name):
        """The client's instructions for so many requests, its start and end among them."""
        path = self.profiles / ('%s client %d' % (name, requests))
        done = subprocess.run([*callgrind(path), str(paths.FETCHCTL), 'bench', '--json', '--requests', str(requests),
                               '--concurrency', '1', '--expect-bytes', str(size), version, url],
                              env=self.fetchd.environment(), stdout=subprocess.PIPE)
        if done.returncode:
            sys.exit('fetchctl bench: %s' % done.stdout.decode())
        return total(path)

    def measure(self, name, server, size, requests):
        """Instructions a request, by process."""
        self.origin.write('b%d' % size, size)
        url = self.origin.url(server, '/later/%g/b%d' % (DELAY_S, size))
        version = '--http2' if server == 'h2' else '--http1.1'
        start = self.ask(url, size, version, WARM_UP, name)
        pids = self.fetchd.pids()
        self.fetchd.control('-z', pids)
        whole = self.ask(url, size, version, WARM_UP + requests, name)
        counts = self.fetchd.take(pids, name)
        found = {who: round(count / (WARM_UP + requests)) for who, count in counts.items()}
        return dict(client=round((whole - start) / requests), **found)


def measure_all(profiles):
    os.environ.pop('MALLOC_PERTURB_', None)     # meson sets it, and filling memory takes instructions
    with Bed(profiles) as bed:
        return {row[0]: bed.measure(*row) for row in ROWS}


def compiler():
    """What built it, by the programs themselves; None when that can't be counted."""
    said = subprocess.run(['readelf', '-p', '.comment', str(paths.FETCHD)], stdout=subprocess.PIPE, check=True).stdout
    found = re.search(rb'\] +(\S.*)', said)
    return found.group(1).decode() if found else None


def build_options():
    options = json.loads((paths.BUILD / 'meson-info/intro-buildoptions.json').read_text())
    return {option['name']: option['value'] for option in options}


def why_not(figures):
    """Why these figures say nothing about this build, or None."""
    options = build_options()
    if options['b_sanitize'] != 'none':
        return 'a sanitized build'
    if not shutil.which('valgrind'):
        return 'valgrind is not installed'
    now = dict(compiler=compiler(), optimization=options['optimization'])
    if figures and now != figures['build']:
        return 'the figures are of %s -O%s, this is %s -O%s' % (
            figures['build']['compiler'], figures['build']['optimization'], now['compiler'], now['optimization'])
    return None


def show(found, figures):
    print('%-22s %9s %9s %9s %9s' % ('instructions a request', *PROCESSES, 'all'))
    for name, counts in found.items():
        print('%-22s %9d %9d %9d %9d' % (name, *(counts[who] for who in PROCESSES), sum(counts.values())))
        if figures:
            changes = [counts[who] / figures['requests'][name][who] - 1 for who in PROCESSES]
            print('%-22s %+8.1f%% %+8.1f%% %+8.1f%%' % ('', *(100 * change for change in changes)))


def judge(found, figures):
    """TAP. True when none is above."""
    points = [(name, who) for name in found for who in PROCESSES]
    print('1..%d' % len(points))
    good = True
    for number, (name, who) in enumerate(points, 1):
        count, known = found[name][who], figures['requests'][name][who]
        fine = count <= known * (1 + TOLERANCE)
        good = good and fine
        print('%sok %d - instructions: %s costs the %s no more than it did' % ('' if fine else 'not ', number, name, who))
        print('# %d instructions, %d in instructions.json (%+.1f %%)' % (count, known, 100 * (count / known - 1)))
    if not good:
        print('# if it has to be: make bench-instructions INSTRUCTIONS=--write, and say why in the commit')
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--write', action='store_true')
    parser.add_argument('--show', action='store_true')
    parser.add_argument('--keep', metavar='FOLDER')
    options = parser.parse_args()
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else None
    reason = why_not(None if options.write or options.show else figures)
    if reason:
        print('1..0 # SKIP %s' % reason)
        return 0
    profiles = Path(options.keep).resolve() if options.keep else paths.folder('g')
    profiles.mkdir(parents=True, exist_ok=True)
    found = measure_all(profiles)
    if options.write:
        build = dict(compiler=compiler(), optimization=build_options()['optimization'])
        FIGURES.write_text(json.dumps(dict(build=build, requests=found), indent=1) + '\n')
    if options.write or options.show:
        show(found, figures)
        return 0
    return 0 if judge(found, figures) else 1


if __name__ == '__main__':
    sys.exit(main())
