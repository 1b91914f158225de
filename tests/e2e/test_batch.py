"""1,000 URLs of mixed sizes from four clients at once."""
import collections
import json
import random

from world import MIB, World, tap

SIZES = [0, 1, 100, 1000, 1024, 4096, 16384, 65535, 65536, 65537, 100000, 262144, 300000, MIB, 3 * MIB]
EACH, CLIENTS = 250, 4


class Batch(World):
    workers = 4

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dice = random.Random(20261121)
        for number in range(100):
            size = cls.dice.choice(SIZES)
            cls.nginx.write('batch/%d' % number, size)

    def urls(self, client):
        """250 URLs, none like another, from all the good servers, as url -> its hash."""
        found = {}
        for i in range(EACH):
            name = 'batch/%d' % self.dice.randrange(100)
            server = self.dice.choice(('h1', 'h2', 'tls12', 'tls13', 'other', 'plain'))
            found[self.url('/%s?%d.%d' % (name, client, i), server)] = self.nginx.hashes[name]
        return found

    def test_every_hash_is_right_and_every_url_has_one_line(self):
        wanted = [self.urls(client) for client in range(CLIENTS)]
        lists = []
        for client, urls in enumerate(wanted):
            path = self.fetchd.folder / ('urls-%d' % client)
            path.write_text(''.join(url + '\n' for url in urls))
            lists.append(path)
        before = {w['worker']: w.get('served', 0) for w in self.fetchd.status()['workers']}
        running = [self.fetchd.start_fetchctl('batch', '--hash', '--concurrency', 32, path) for path in lists]
        workers = collections.Counter()
        for process, urls in zip(running, wanted):
            out, err = process.communicate(timeout=240)
            self.assertEqual(process.returncode, 0, err.decode())
            lines = [json.loads(line) for line in out.splitlines()]
            self.assertEqual(collections.Counter(line['url'] for line in lines), collections.Counter(list(urls)))
            for line in lines:
                self.assertNotIn('error', line)
                self.assertEqual((line['status'], line['sha256']), (200, urls[line['url']]), line)
                workers[line['worker']] += 1
        self.assertEqual(sum(workers.values()), EACH * CLIENTS)
        self.assertEqual(len(workers), self.workers, 'the work was not spread: %r' % workers)
        self.assertGreater(min(workers.values()), EACH * CLIENTS // self.workers // 10, workers)
        status = self.fetchd.status()
        served = {w['worker']: w.get('served', 0) - before[w['worker']] for w in status['workers']}
        self.assertEqual(served, dict(workers), 'status and the lines disagree')
        self.assertEqual(status.get('in_flight', 0), 0)

    def test_urls_may_come_from_stdin_and_bad_ones_have_their_line(self):
        urls = [self.url('/1k'), 'nonsense', self.url('/1k', 'expired'), 'https://no-such-host.invalid/', self.url('/1k?2')]
        run = self.ctl('batch', '--hash', '-', input='\n'.join(urls).encode())
        lines = {json.loads(line)['url']: json.loads(line) for line in run.stdout.splitlines()}
        self.assertEqual(set(lines), set(urls))
        self.assertNotEqual(run.returncode, 0)
        names = [lines[url].get('error', {}).get('name') for url in urls]
        self.assertEqual(names, [None, 'request.invalid', 'tls.certificate', 'dns.failed', None])

    def test_one_at_a_time_is_enough(self):
        urls = [self.url('/1k?%d' % i) for i in range(20)]
        out = self.ctl_good('batch', '--concurrency', 1, '-', input='\n'.join(urls).encode())
        self.assertEqual([json.loads(line)['url'] for line in out.splitlines()], urls)

    def test_a_daemon_that_dies_gives_every_url_its_line(self):
        fetchd = self.make().start()
        urls = [self.url('/hold/batch?%d' % i, 'h1') for i in range(20)]
        process = fetchd.start_fetchctl('batch', '--concurrency', 20, '-', stdin=-1)
        process.stdin.write('\n'.join(urls).encode())
        process.stdin.close()
        self.backend.until_waiting('batch', 20)
        fetchd.crash()
        out = process.stdout.read()
        process.wait(60)
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(sorted(line['url'] for line in lines), sorted(urls))
        self.assertEqual({line['error']['name'] for line in lines}, {'daemon.lost'})
        self.assertEqual(process.returncode, 110)


if __name__ == '__main__':
    tap.main()
