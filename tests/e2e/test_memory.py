"""Backpressure: a client that stops reading a 1 GiB body costs neither the daemon nor a worker memory,
and others go on; HTTP/1.1 and HTTP/2, identity and gzip, one stream and 50."""
from world import MIB, World, paths, tap

LIMIT = 4 * MIB


class Stalled(World):
    own_daemon = True       # a fresh one each time: memory once taken and kept would hide growth

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.nginx.write_huge()

    def warm_up(self, path, server, streams, compressed):
        """Does the same once with bodies that end, so that what is measured is the stall alone:
        connections, TLS and buffers are there already. Each worker gets its part."""
        with self.fetchd.connect(keep=False) as c:
            ids = [c.fetch(self.url('/1m' if not compressed else '/gzip/1m', server), compressed=compressed)
                   for _ in range(max(streams, 2) * 2)]
            for id in ids:
                self.good(c.finish(id, 120))

    def settle(self):
        return self.fetchd.settled_memory()

    def others_go_on(self):
        with self.fetchd.connect() as c:
            for server in ('h1', 'h2', 'other'):
                self.good(c.get(self.url('/1m', server)), sha256=self.nginx.hashes['1m'])

    def stall(self, server, compressed, streams, reads):
        """`reads`: the client reads its socket but gives no credit back; else it reads nothing."""
        path = '/gzip/1g' if compressed else '/1g'
        self.fetchd = self.make(settings={'log.level': 'info'}).start()
        self.addCleanup(self.fetchd.kill)
        cold = self.settle()
        self.warm_up(path, server, streams, compressed)
        before = self.settle()
        with self.fetchd.connect(auto_credit=False, keep=False) as c:
            ids = [c.fetch(self.url(path, server), compressed=compressed) for _ in range(streams)]
            if reads:
                c.until(lambda: all(c.answer(id).bytes >= 200000 for id in ids))
            after = self.settle()
            self.others_go_on()
            after = {pid: max(after[pid], size) for pid, size in self.settle().items()}
            self.assertEqual(set(after), set(before), 'a worker was replaced')
            names = {pid: 'worker %d' % number for number, pid in self.fetchd.workers().items()}
            names[self.fetchd.pid] = 'daemon'
            growth = {names[pid]: after[pid] - before[pid] for pid in before}
            said = ', '.join('%s %+.1f MiB' % (name, bytes / MIB) for name, bytes in sorted(growth.items()))
            print('%s %s, %d streams, %s: %s; since the cold start %+.1f MiB at most' % (
                server, 'gzip' if compressed else 'identity', streams, 'no credit' if reads else 'not read', said,
                max(after[pid] - cold[pid] for pid in cold) / MIB))
            self.assertLess(max(growth.values()), paths.bound(LIMIT), said)
            self.assertFalse(any(c.answer(id).done for id in ids), 'a stalled request ended')
        self.fetchd.until_idle()
        self.fetchd.stop()


for server in ('h1', 'h2'):
    for compressed in (False, True):
        for streams in (1, 50):
            for reads in (True, False):
                name = 'test_%s_%s_%s_%s' % (
                    {'h1': 'http1', 'h2': 'http2'}[server], 'gzip' if compressed else 'identity',
                    'one_stream' if streams == 1 else '50_streams', 'without_credit' if reads else 'not_read')
                setattr(Stalled, name, lambda self, a=(server, compressed, streams, reads): self.stall(*a))


class Resumed(World):
    def test_a_stream_that_stalled_goes_on_where_it_was(self):
        with self.fetchd.connect(auto_credit=False, keep=False) as c:
            for server in ('h1', 'h2'):
                for path in ('/100m', '/gzip/100m'):
                    with self.subTest(server=server, path=path):
                        c.auto_credit = False
                        id = c.fetch(self.url(path, server), compressed=True)
                        c.until(lambda: c.answer(id).bytes >= 200000)
                        c.ping(1)
                        c.auto_credit = True
                        c.grant(id, least=0)
                        self.good(c.finish(id, 120), sha256=self.nginx.hashes['100m'])

    def test_one_slow_stream_does_not_stall_another_of_its_connection(self):
        with self.fetchd.connect(auto_credit=False, keep=False) as c:
            slow = [c.fetch(self.url('/100m', server)) for server in ('h1', 'h2', 'h2')]
            c.until(lambda: all(c.answer(id).bytes >= 200000 for id in slow))
            c.auto_credit = True
            for server in ('h1', 'h2', 'other'):
                self.good(c.get(self.url('/1m', server)), sha256=self.nginx.hashes['1m'])
            self.assertFalse(any(c.answer(id).done for id in slow))


if __name__ == '__main__':
    tap.main()
