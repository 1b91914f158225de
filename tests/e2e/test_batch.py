"""1,000 URLs of mixed sizes from four clients at once."""
import collections
import hashlib
import json
import random

from world import MIB, World, paths, proc, tap

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

    def test_a_run_that_was_killed_goes_on_and_asks_nothing_twice(self):
        """Forty are answered, ten are held by the origin and half written by nobody when it is killed."""
        folder = paths.folder('b')
        quick = [self.url('/1k?resume%d' % i) for i in range(40)]
        held = [self.url('/hold/resume?%d' % i, 'h1') for i in range(10)]
        (folder / 'list').write_text('\n'.join(held + quick))
        words = ['batch', '-o', folder / 'out', '--output-dir', folder / 'd', '--concurrency', 20, folder / 'list']
        process = self.fetchd.start_fetchctl(*words)
        self.backend.until_waiting('resume', 10)
        proc.until(lambda: (folder / 'out').read_bytes().count(b'\n') == 40, what='the forty')
        process.kill()
        process.communicate()
        with open(folder / 'out', 'a') as out:
            out.write('{"url":"https://half a li')                   # as one killed while it wrote would leave it
        self.backend.until_ended('resume', 10)
        self.backend.release('resume')
        run = self.ctl(*words, '--resume')
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn(b'10 answered (10 2xx), 40 answered before', run.stderr)
        lines = [json.loads(line) for line in (folder / 'out').read_text().splitlines()]
        self.assertEqual(sorted(line['url'] for line in lines), sorted(held + quick))
        bodies = {line['url']: (folder / 'd' / line['file']).read_bytes() for line in lines}
        self.assertEqual({hashlib.sha256(bodies[url]).hexdigest() for url in quick}, {self.nginx.hashes['1k']})
        self.assertEqual({bodies[url] for url in held}, {b'released\n'})
        self.assertEqual(len(list((folder / 'd').iterdir())), 50)
        asked = collections.Counter(row['uri'] for row in self.nginx.access() if 'resume' in row['uri'] and '/1k' in row['uri'])
        self.assertEqual(sorted(asked.values()), [1] * 40)

    def test_json_requests_reach_the_origin_as_they_are_written(self):
        lines = [dict(url=self.url('/upload'), method='PUT', body='text', headers={'X-One': '1'}, id='a'),
                 dict(url=self.url('/upload'), body_base64='AP8=', id='b'),
                 dict(url=self.url('/chain/2'), follow=True, id='c'), dict(url=self.url('/chain/2'), id='d'),
                 dict(url=self.url('/hold/json'), total_timeout_ms=300, id='e')]
        run = self.ctl('batch', '--with-body', '-', input='\n'.join(map(json.dumps, lines)).encode())
        got = {line['id']: line for line in map(json.loads, run.stdout.splitlines())}
        a, b = json.loads(got['a']['body']), json.loads(got['b']['body'])
        self.assertEqual((a['method'], a['sha256']), ('PUT', hashlib.sha256(b'text').hexdigest()))
        self.assertIn('1', [value for name, value in a['headers'] if name.lower() == 'x-one'])
        self.assertEqual((b['method'], b['sha256']), ('POST', hashlib.sha256(b'\0\xff').hexdigest()))
        self.assertEqual((got['c']['status'], got['c']['url_effective']), (200, self.url('/chain/0')))
        self.assertEqual((got['d']['status'], got['e']['error']['name'], run.returncode), (302, 'timeout.total', 28))

    def test_no_more_at_once_to_an_origin_than_told(self):
        """Twelve to an origin that holds them, three at a time; the thirteenth, elsewhere, is not held up."""
        urls = [self.url('/hold/origin?%d' % i, 'h1') for i in range(12)] + [self.url('/1k?elsewhere')]
        process = self.fetchd.start_fetchctl('batch', '--per-origin', 3, '-', stdin=-1)
        process.stdin.write('\n'.join(urls).encode())
        process.stdin.close()
        self.assertEqual(json.loads(process.stdout.readline())['url'], urls[-1])
        self.backend.until_waiting('origin', 3)
        self.ctl_good('get', self.url('/1k', 'h1'))              # what was asked for before it has arrived as well
        self.assertEqual((self.backend.waiting['origin'], self.backend.seen['origin']), (3, 3))
        self.backend.release('origin')
        self.assertEqual(len(process.stdout.readlines()), 12)
        process.wait(60)
        self.assertEqual(process.returncode, 0)

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
