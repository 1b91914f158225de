#!/usr/bin/python3
"""The supervisor and its workers under Wine: what happens to requests when a worker ends or hangs, and what outlives the
daemon. Linux' tests/e2e/test_supervision.py says more of the same rules."""
import collections
import json
import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / 'e2e'), str(Path(__file__).resolve().parents[1]),
                str(Path(__file__).resolve().parent)]
from support import tap  # noqa: E402
from world import Site  # noqa: E402
import wine  # noqa: E402
from wine import FETCHCTL, FETCHD, until  # noqa: E402

SETTINGS = r'''
[daemon]
listen = pipe:\\.\pipe\%(pipe)s
state_dir = C:\%(pipe)s\state
[workers]
count = %(workers)d
hang_timeout = %(hang)s
[egress]
allow = loopback
[log]
level = debug
'''


class Supervision(unittest.TestCase):
    """Each test starts a daemon with a folder of its own."""
    count = 0

    @classmethod
    def setUpClass(cls):
        cls.wine = wine.shared()
        cls.site = Site.get()
        cls.backend = cls.site.backend

    def setUp(self):
        type(self).count += 1
        self.pipe = 'fetchd-süd-%d' % self.count             # UTF-8 all the way
        self.home = self.wine.drive / self.pipe
        self.home.mkdir()
        self.log = self.wine.folder / ('log-%d' % self.count)
        self.log.touch()
        tap.witness(self.log_lines)
        self.addCleanup(tap.forget, self.log_lines)

    def log_lines(self):
        return self.log.read_text(errors='replace').splitlines()

    def said(self, pattern):
        return re.findall(pattern, self.log.read_text(errors='replace'))

    def start(self, workers=2, hang='10s'):
        settings = self.home / 'fetchd.ini'
        settings.write_text(SETTINGS % {'pipe': self.pipe, 'workers': workers, 'hang': hang})
        before = len(self.said('ready, pid'))
        with self.log.open('ab') as log:
            self.process = self.wine.start(FETCHD, '--config', r'C:\%s\fetchd.ini' % self.pipe,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        self.addCleanup(self.end)
        self.assertTrue(until(lambda: len(self.said('ready, pid')) >= before + workers, 60), 'no workers came up')

    def end(self):
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGINT)         # Wine makes a Ctrl+C of it
            try:
                self.assertEqual(self.process.wait(60), 0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self.process.wait()

    def address(self):
        return {'FETCHD_ADDRESS': r'pipe:\\.\pipe\%s' % self.pipe}

    def ctl(self, *arguments):
        ended = self.wine.run(FETCHCTL, *arguments, env=self.address())
        self.assertEqual(ended.code, 0, ended.err)
        return ended.out

    def batch(self, urls, *options):
        """Starts to ask for them all at once."""
        listing = self.home / 'urls.txt'
        listing.write_text(''.join(url + '\n' for url in urls))
        return self.wine.start(FETCHCTL, 'batch', '--concurrency', len(urls), '--per-origin', len(urls), *options,
                               r'C:\%s\urls.txt' % self.pipe, env=self.address(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def answers(self, batch, timeout=120):
        out, errors = batch.communicate(timeout=timeout)
        self.assertTrue(out, errors.decode(errors='replace'))
        return [json.loads(line) for line in out.splitlines()]

    def url(self, path):
        return self.site.nginx.url('plain', path)

    def pids(self, program):
        """Linux' own of this prefix."""
        return self.wine.processes(program)

    def test_a_session_outlives_a_restart(self):
        self.start(workers=1)
        names = ('Work', 'work')                             # Windows' files would be one
        for name in names:
            self.ctl('session', 'create', '--persistent', name)
            self.ctl('get', '-o', 'NUL', '--session', name, self.url('/set-cookie'))
        self.end()
        self.start(workers=1)
        listed = json.loads(self.ctl('session', 'list', '--json'))
        self.assertEqual(sorted(one['name'] for one in listed), sorted(names))

    # ---- ends ----

    def holder(self):
        """Windows' pid of the worker that has requests."""
        def busy():
            workers = json.loads(self.ctl('status', '--json'))['workers']
            return next((one['pid'] for one in workers if one.get('in_flight')), None)
        return until(busy)

    def test_requests_of_a_worker_that_is_ended_from_outside_are_answered_once_each_by_another(self):
        self.start()
        batch = self.batch([self.url('/hold/ended?%d' % i) for i in range(20)])
        self.backend.until_waiting('ended', 20)
        pid = self.holder()
        self.assertEqual(self.wine.run('taskkill', '/f', '/pid', pid).code, 0)
        lost = int(until(lambda: self.said(r'pid %d .*, (\d+) requests to place' % pid))[0])
        self.assertGreater(lost, 0)
        self.backend.until(lambda: self.backend.seen['ended'] == 20 + lost)
        self.backend.release('ended')
        answers = self.answers(batch)
        self.assertEqual(collections.Counter((a['status'], a['attempts']) for a in answers),
                         collections.Counter({(200, 1): 20 - lost, (200, 2): lost}))
        self.assertEqual(len({a['url'] for a in answers}), 20)

    def test_a_hung_worker_is_ended_and_replaced(self):
        self.start(workers=1, hang='2s')
        worker, = self.pids('fetchd-worker')
        os.kill(worker, signal.SIGSTOP)
        self.assertTrue(until(lambda: len(self.said('ready, pid')) == 2), 'it was not replaced')
        self.assertTrue(self.said(r'hung, signal \d+ \(abort\)'))
        self.assertIn('200', self.ctl('get', '-o', 'NUL', '-w', '%{http_code}', self.url('/1k')))


if __name__ == '__main__':
    tap.main()
