#!/usr/bin/python3
"""Many clients, many connections, killed workers and a killed supervisor: fetchd.exe under Wine, a real nginx beside
it. Requests meet at a gate that opens when all of them wait there, so that `at once` is no matter of time."""
import os
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bed import Daemon, processes, wine  # noqa: E402
from support import certs, nginx, paths, proc, tap  # noqa: E402
from support.backend import Backend  # noqa: E402

# As many connections as wanted, for as long as the last one takes.
PATIENT = {'timeouts.connect': '10m', 'timeouts.headers': '10m', 'limits.queue_timeout': '10m', 'daemon.streams': 10000,
           'workers.hang_timeout': '5m',   # Wine's server does the polling of all, one request after the other
           'log.level': 'info'}


class Crowd(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        folder = paths.folder('w')
        authority = certs.Authority(folder)
        cls.authority = authority
        cls.backend = Backend(folder / 'nginx/root').start()
        cls.addClassCleanup(cls.backend.stop)
        cls.nginx = nginx.Nginx(folder, authority, backend_port=cls.backend.port, servers=('h2', 'h1', 'plain'),
                                connections=9500, processes=2, log=False)
        cls.nginx.write('1k', 1024)
        cls.nginx.start()
        cls.addClassCleanup(cls.nginx.stop)

    def daemon(self, workers=2, **settings):
        return Daemon(allow=self.nginx.ports.values(), ca=self.authority.cert_path, workers=workers,
                      settings=dict(PATIENT, **settings))

    def url(self, path, server='h1'):
        return self.nginx.url(server, path)

    def whole(self, found, count):
        self.assertEqual((found['ok'], found['errors'], found['done'], found['twice']), (count, {}, count, 0))

    def test_200_clients_have_a_pipe_each_at_once(self):
        with self.daemon() as fetchd:
            self.whole(fetchd.crowd(200, 1, '1.1', self.url('/gate/clients/200')).end(), 200)

    # All are there at once, then the answers come one by one: Wine's server starves its programs when thousands of
    # polled sockets become readable together.
    def test_2000_https_connections_at_once_in_one_worker_without_an_error(self):
        with self.daemon(workers=1) as fetchd:
            self.whole(fetchd.crowd(4, 500, '1.1', self.url('/drip/one/2000')).end(), 2000)

    def test_5000_in_two_workers(self):
        with self.daemon() as fetchd:
            self.whole(fetchd.crowd(10, 500, '1.1', self.url('/drip/two/5000')).end(), 5000)

    def test_many_share_a_connection_over_http_2(self):
        with self.daemon() as fetchd:
            found = fetchd.crowd(8, 50, '-', self.url('/1k', 'h2')).end()
            self.whole(found, 400)
            self.assertEqual(found['bytes'], (1024, 1024))

    # What has begun to answer can't be placed again.
    def test_a_killed_worker_under_load_leaves_each_request_exactly_one_end(self):
        with self.daemon() as fetchd:
            crowd = fetchd.crowd(10, 20, '1.1', self.url('/half/killed/4000'))
            proc.until(lambda: self.backend.waiting['killed'] == 200, 120, 'all requests')
            victim, other = sorted(fetchd.worker_pids())
            os.kill(victim, signal.SIGKILL)
            proc.until(lambda: self.backend.waiting['killed'] < 200, 60, 'the end of its connections')
            proc.until(lambda: len(fetchd.worker_pids()) == 2, 120, 'a new worker')
            self.backend.release('killed')
            found = crowd.end()
            lost = found['errors'].get('worker.lost', 0)
            self.assertEqual((found['done'], found['twice'], found['ok'] + lost), (200, 0, 200))
            self.assertGreater(lost, 0)
            self.assertGreater(found['ok'], 0)
            self.assertIn(other, fetchd.worker_pids())
            self.whole(fetchd.crowd(2, 20, '1.1', self.url('/1k')).end(), 40)

    def test_a_killed_supervisor_leaves_no_worker_and_each_request_exactly_one_end(self):
        fetchd = self.daemon().start()
        self.addCleanup(fetchd.kill)
        crowd = fetchd.crowd(10, 20, '1.1', self.url('/hold/orphans'))
        proc.until(lambda: self.backend.waiting['orphans'] == 200, 120, 'all requests')
        workers = fetchd.worker_pids()
        self.assertEqual(len(workers), 2)
        for pid in fetchd.supervisor_pids():
            os.kill(pid, signal.SIGKILL)
        found = crowd.end()
        self.assertEqual((found['done'], found['twice'], found['errors']), (200, 0, {'daemon.lost': 200}))
        proc.until(lambda: not processes(wine.WORKER.name, fetchd.wine.prefix), 60, 'the end of the workers')


if __name__ == '__main__':
    tap.main()
