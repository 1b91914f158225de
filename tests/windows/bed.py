"""fetchd.exe under Wine, beside the origins of tests/support, which are real and run outside of it: loopback is shared.

    with Daemon(allow=[nginx.ports['h2']], ca=authority.cert_path) as fetchd:
        fetchd.fetchctl('get', url)

Leaving the block has it drain by a Ctrl+C and asserts exit code 0 and that no worker is left.
"""
import itertools
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / 'e2e'),
                str(Path(__file__).resolve().parent)]
import wine  # noqa: E402
from support import daemon, paths, proc, tap  # noqa: E402

CROWD = wine.BUILD / 'tests/windows/crowd.exe'
ADAPTER = wine.BUILD / 'tests/windows/adapter.exe'
numbers = itertools.count(1)


def windows(path):
    """The name of a file of ours there."""
    return 'Z:' + str(path).replace('/', '\\')


class Daemon(daemon.Daemon):
    """The other one's settings, log and evidence; other processes and another way to speak to them."""

    START_S = 120

    def __init__(self, allow=(), workers=2, ca=None, settings=None, **more):
        self.wine = wine.shared()
        self.pipe = 'pipe:\\\\.\\pipe\\fetchd-test-%d' % next(numbers)
        super().__init__(allow=allow, workers=workers, ca=windows(ca) if ca else None,
                         settings=dict({'daemon.listen': self.pipe}, **(settings or {})), **more)

    @property
    def address(self):
        return self.pipe

    def spawn(self):
        self.write_config()
        with open(self.log_path, 'ab') as log:
            self.process = self.wine.start(wine.FETCHD, '--config', windows(self.config), *self.args,
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        tap.witness(self.evidence)
        return self

    def answers_new(self):
        return 'listens on' in self.log()

    def wait_ready(self, count=None, seconds=120):
        count = int(self.settings['workers.count']) if count is None else count
        proc.until(lambda: len(self.worker_pids()) >= count, seconds, '%d workers' % count)

    def worker_pids(self):
        """Unix' pids of its workers: all in its prefix."""
        return processes(wine.WORKER.name, self.wine.prefix)

    def supervisor_pids(self):
        return processes(wine.FETCHD.name, self.wine.prefix)

    def stop(self, expect=0, seconds=120):
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)        # Wine makes a Ctrl+C of it
        self.finish(expect, seconds)
        proc.until(lambda: not self.worker_pids(), 60, 'the end of its workers')

    def kill(self):
        if self.process:
            tap.forget(self.evidence)
            for pid in self.supervisor_pids() + self.worker_pids():
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def environment(self, **more):
        return {**self.wine.environment, 'FETCHD_ADDRESS': self.address, **more}

    def fetchctl(self, *args, input=None, seconds=120, **more):
        return subprocess.run(['wine', str(wine.FETCHCTL), *map(str, args)], input=input, timeout=seconds,
                              stdin=subprocess.DEVNULL if input is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment(**more))

    def crowd(self, clients, each, version, url):
        return Crowd(self, clients, each, version, url)


class Crowd:
    """crowd.exe, started. `connected` when all its requests are under way."""

    def __init__(self, fetchd, *words):
        self.process = subprocess.Popen(['wine', str(CROWD), fetchd.address, *map(str, words)], env=fetchd.environment(),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def until_connected(self):
        line = self.process.stdout.readline()
        assert line.split() == [b'connected'], (line, self.process.communicate())

    def end(self, seconds=300):
        """{'ok': n, 'errors': {name: n}, 'done': n, 'twice': n, 'bytes': (least, most)}"""
        out, err = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0, (self.process.returncode, out, err)
        found = {'errors': {}}
        for words in map(str.split, out.decode().splitlines()):
            if words[0] == 'error':
                found['errors'][words[1]] = int(words[2])
            elif words[0] == 'done':
                found.update(done=int(words[1]), twice=int(words[3]))
            elif words[0] == 'bytes':
                found['bytes'] = tuple(map(int, words[1:]))
            elif words[0] == 'ok':
                found['ok'] = int(words[1])
        return found


def processes(name, prefix):
    """Pids of those that run a program of that name in a prefix."""
    found = []
    for folder in Path('/proc').iterdir():
        try:
            if folder.name.isdigit() and runs(folder, name, prefix):
                found.append(int(folder.name))
        except OSError:
            pass                                           # it has ended meanwhile, or is another user's
    return found


def runs(folder, name, prefix):
    program = (folder / 'cmdline').read_bytes().split(b'\0')[0].decode(errors='replace')
    return re.split(r'[/\\]', program)[-1] == name and \
        b'WINEPREFIX=%s\0' % str(prefix).encode() in (folder / 'environ').read_bytes()
