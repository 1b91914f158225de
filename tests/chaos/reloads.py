"""Reloads and an upgrade under load: no connection is refused, no answer is lost, cut or told twice."""
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import load
from bed import Daemon, Site, paths, proc, spread, tap

RELOADS = 100
EACH_S = 0.15


class Activated(Daemon):
    """Its socket is ours and outlives it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.socket))
        self.listener.listen(1024)

    def spawn(self):
        self.write_config()
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name('activate.py')), str(self.listener.fileno()),
                 str(paths.FETCHD), '--config', str(self.config)], pass_fds=[self.listener.fileno()],
                env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        tap.witness(self.evidence)
        return self


class Callers(threading.Thread):
    """Clients that come, ask for one thing and go, one after the other."""

    def __init__(self, fetchd, url, sha):
        super().__init__(daemon=True)
        self.fetchd, self.url, self.sha = fetchd, url, sha
        self.over = threading.Event()
        self.good = self.later = 0
        self.bad, self.waits_ms = [], []

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            try:
                with self.fetchd.connect() as c:
                    answer = c.get(self.url)
            except Exception as problem:
                # Closed while it drains, without a request taken: a new call finds the next daemon.
                self.bad.append(repr(problem))
                continue
            self.waits_ms.append((time.monotonic() - began) * 1000)
            if answer.error == 'draining':
                self.later += 1
            elif answer.error or answer.sha256 != self.sha:
                self.bad.append(repr(answer.done))
            else:
                self.good += 1
            time.sleep(0.005)

    def stop(self):
        self.over.set()
        self.join()


class Reloader(threading.Thread):
    """Every other one by a signal."""

    def __init__(self, fetchd, count):
        super().__init__(daemon=True)
        self.fetchd, self.count, self.done, self.problems = fetchd, count, 0, []

    def run(self):
        for i in range(self.count):
            if i % 2:
                self.fetchd.process.send_signal(signal.SIGHUP)
            else:
                run = self.fetchd.fetchctl('reload')
                if run.returncode:
                    self.problems.append(run.stderr)
            self.done += 1
            time.sleep(EACH_S)


def run(report):
    site = Site.get()
    chance = random.Random(13)
    make = load.mixed(lambda path: site.origin.url(chance.choice(('h1', 'h2')), path), site.origin.hashes)
    fetchd = Activated(workers=3, ca=site.authority.cert_path, allow=[*site.origin.ports.values()],
                       settings={'log.level': 'info'}).start()
    try:
        generator = load.Load(fetchd.socket, make, connections=8, streams=16)
        generator.reconnects = True
        callers = Callers(fetchd, site.origin.url('h2', '/b1024'), site.origin.hashes['b1024'])
        callers.start()
        generator.run(1)
        reloader = Reloader(fetchd, RELOADS)
        reloader.start()
        while reloader.is_alive():
            generator.turn()
        generator.run(1)
        roll = fetchd.wait_ready()
        children = len(proc.children(fetchd.pid))
        reloaded = fetchd.log().count('a reload brings new settings')
        codes = [upgrade(fetchd, generator)]
        generator.run(2)
        whole = generator.finish()
        callers.stop()
        generator.close()
        fetchd.until_idle()
    except BaseException:
        fetchd.kill()
        raise
    fetchd.stop()
    report.figure('reloads', '%d, workers renewed %d times, %d workers at the end' % (
        reloader.done, reloaded, children))
    report.figure('requests answered', '%d, %s' % (sum(generator.done.values()), spread(generator.times_ms)))
    report.figure('told to come again while it drained', generator.draining + callers.later)
    report.figure('connections made, and again after GOAWAY', '%d, %d' % (len(callers.waits_ms), generator.reconnected))
    report.figure('time of a call, from connect to DONE', spread(callers.waits_ms))
    report.claim('%d reloads are taken' % RELOADS, reloader.done == RELOADS and not reloader.problems,
                 str(reloader.problems[:3]))
    report.claim('they renew the workers and leave none behind', reloaded >= len(roll) and children <= 2 * len(roll),
                 '%d renewed, %d processes' % (reloaded, children))
    report.claim('SIGTERM ends it with 0 after a drain', codes == [0], str(codes))
    report.claim('no connection is refused or cut', not callers.bad, str(callers.bad[:3]))
    report.claim('no DONE is lost, none comes twice, no answer is cut', whole and not generator.complaints
                 and not generator.errors, '%r %r' % (dict(generator.complaints), dict(generator.errors)))
    report.claim('each request has its DONE', sum(generator.asked.values()) == sum(generator.done.values())
                 + generator.untaken, '%r %r' % (generator.asked, generator.done))


def upgrade(fetchd, generator):
    """SIGTERM, and the next one on the same socket as soon as it is gone. Returns the exit code."""
    old = fetchd.process
    old.send_signal(signal.SIGTERM)
    while old.poll() is None:
        generator.turn(0.005)
    tap.forget(fetchd.evidence)
    fetchd.spawn()
    return old.returncode


def reloaded(report, _):
    with report.scenario('%d reloads and a SIGTERM under load, by socket activation' % RELOADS):
        if b'sd_listen_fds' not in paths.FETCHD.read_bytes():
            report.skip('reloads under load', 'this fetchd was built without libsystemd')
            return
        run(report)
