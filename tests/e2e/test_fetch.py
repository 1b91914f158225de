"""A fetch, end to end: versions, sizes, codings, statuses, and the errors an origin can give."""
import itertools
import json

from world import MIB, World, bodies, origins, proc, tap

from support.nginx import has_ipv6


class Versions(World):
    def fetch(self, server, path='/1m', **options):
        with self.fetchd.connect() as c:
            return self.good(c.get(self.url(path, server), **options), sha256=self.nginx.hashes[path[1:].partition('?')[0]])

    def last(self, path):
        """nginx writes its log after the answer."""
        return proc.until(lambda: [row for row in self.nginx.access() if row['uri'] == path],
                          what='nginx to log the request')[-1]

    def test_http2_is_spoken_where_tls_agrees_on_it(self):
        answer = self.fetch('h2')
        self.assertEqual(answer.response['http_version'], '2')
        self.assertEqual(self.last('/1m')['version'], 'HTTP/2.0')

    def test_http1_is_spoken_to_an_origin_without_http2(self):
        self.assertEqual(self.fetch('h1').response['http_version'], '1.1')

    def test_http1_can_be_asked_for(self):
        self.assertEqual(self.fetch('h2', http_version='1.1').response['http_version'], '1.1')

    def test_http1_0_can_be_asked_for(self):
        self.fetch('h1', path='/1k?old', http_version='1.0')
        self.assertEqual(self.last('/1k?old')['version'], 'HTTP/1.0')

    def test_http2_can_be_asked_for(self):
        self.assertEqual(self.fetch('h2', http_version='2').response['http_version'], '2')

    def test_an_unknown_version_is_refused(self):
        with self.fetchd.connect() as c:
            self.bad(c.get(self.url('/1k'), http_version='7'), 'request.invalid', 'request.unsupported')

    def test_tls13_only(self):
        self.fetch('tls13', path='/1k?tls13')
        self.assertEqual(self.last('/1k?tls13')['tls'], 'TLSv1.3')

    def test_tls12_only(self):
        self.fetch('tls12', path='/1k?tls12')
        self.assertEqual(self.last('/1k?tls12')['tls'], 'TLSv1.2')

    def test_plain_http(self):
        self.assertEqual(self.fetch('plain').response['http_version'], '1.1')

    def test_an_address_as_host(self):
        with self.fetchd.connect() as c:
            self.good(c.get(self.url('/1k', host='127.0.0.1')))
            if has_ipv6():
                answer = self.good(c.get(self.url('/1k', host='[::1]')))
                self.assertTrue(answer.done['remote'].startswith('[::1]:'), answer.done)


class Bodies(World):
    def check(self, path, server='h2', digest=None, **options):
        with self.fetchd.connect(keep=False) as c:
            return self.good(c.get(self.url(path, server), **options), sha256=digest or self.nginx.hashes[path[1:].partition('?')[0]])

    def test_an_empty_body(self):
        self.assertEqual(self.check('/0').bytes, 0)

    def test_1_kib(self):
        self.assertEqual(self.check('/1k').bytes, 1024)

    def test_1_mib(self):
        self.assertEqual(self.check('/1m').bytes, MIB)

    def test_100_mib_over_http2(self):
        self.assertEqual(self.check('/100m').bytes, 100 * MIB)

    def test_100_mib_over_http1(self):
        self.assertEqual(self.check('/100m', 'h1').bytes, 100 * MIB)

    def test_1_gib_through_fetchctl(self):
        self.nginx.write_huge()
        target = self.fetchd.folder / 'huge'
        self.ctl_good('get', '-s', '-o', target, self.url('/1g', 'h1'))
        self.assertEqual(bodies.file_sha256(target), bodies.file_sha256(self.nginx.root / '1g'))
        target.unlink()

    def test_codings_are_decoded_when_asked_for(self):
        for server in ('h1', 'h2'):
            for path in ('/gzip/100m', '/gzip/1k', '/br/1m', '/zstd/1m', '/deflate/1m'):
                with self.subTest(path=path, server=server):
                    self.check(path, server, self.nginx.hashes[path.split('/')[-1]], compressed=True)

    def test_codings_are_left_alone_when_not_asked_for(self):
        with self.fetchd.connect() as c:
            answer = self.good(c.get(self.url('/br/1m')))
            self.assertEqual(answer.header('content-encoding'), 'br')
            self.assertNotEqual(answer.sha256, self.nginx.hashes['1m'])

    def test_many_at_once_on_one_connection_keep_their_bodies_apart(self):
        with self.fetchd.connect() as c:
            ids = [(c.fetch(self.url('/' + name, server)), name) for server in ('h1', 'h2')
                   for name in ('1k', '1m', '0') * 20]
            for id, name in ids:
                self.good(c.finish(id), sha256=self.nginx.hashes[name])

    def test_a_window_of_one_frame_is_enough(self):
        with self.fetchd.connect() as c:
            self.good(c.get(self.url('/1m'), window=2048), sha256=self.nginx.hashes['1m'])

    def test_a_body_above_the_limit_asked_for_ends(self):
        with self.fetchd.connect() as c:
            for compressed, path in ((False, '/1m'), (True, '/gzip/1m')):
                answer = c.get(self.url(path), max_body_bytes=1000, compressed=compressed)
                self.bad(answer, 'body.too_large')
                self.assertLessEqual(answer.bytes, 1000)

    def test_a_body_of_exactly_the_limit_is_whole(self):
        with self.fetchd.connect() as c:
            self.good(c.get(self.url('/1m'), max_body_bytes=MIB), sha256=self.nginx.hashes['1m'])


class Messages(World):
    def echoed(self, **options):
        with self.fetchd.connect() as c:
            return json.loads(self.good(c.get(self.url('/headers'), **options)).body)

    def test_statuses_are_no_errors(self):
        with self.fetchd.connect() as c:
            for status in (204, 304, 404, 500, 503):
                with self.subTest(status=status):
                    self.good(c.get(self.url('/status/%d' % status)), status=status)

    def test_response_headers_come_in_order_and_as_often_as_sent(self):
        with self.fetchd.connect() as c:
            answer = self.good(c.get(self.url('/set-cookie', 'h1')))
            cookies = [v.decode() if isinstance(v, bytes) else v for n, v in answer.response['headers']
                       if (n.decode() if isinstance(n, bytes) else n).lower() == 'set-cookie']
            self.assertEqual(cookies, ['first=1; Path=/', 'second=2; HttpOnly'])

    def test_request_headers_arrive_as_given(self):
        headers = [['X-First', b'1'], ['x-second', 'two words'], [b'X-Empty', b''], ['X-First', 'again']]
        seen = [h for h in self.echoed(headers=headers)['headers'] if h[0].lower().startswith('x-')]
        self.assertEqual([[n.lower(), v] for n, v in seen],
                         [['x-first', '1'], ['x-second', 'two words'], ['x-empty', ''], ['x-first', 'again']])

    def test_a_user_agent_is_sent_unless_given(self):
        agents = [v for n, v in self.echoed()['headers'] if n.lower() == 'user-agent']
        self.assertEqual(len(agents), 1)
        self.assertIn('fetchd', agents[0])
        agents = [v for n, v in self.echoed(headers=[['User-Agent', 'mine']])['headers'] if n.lower() == 'user-agent']
        self.assertEqual(agents, ['mine'])

    def test_credentials_are_sent_as_basic(self):
        seen = dict(self.echoed(credentials=b'user:pass word')['headers'])
        self.assertEqual({k.lower(): v for k, v in seen.items()}['authorization'], 'Basic dXNlcjpwYXNzIHdvcmQ=')

    def test_the_method_is_the_one_asked_for(self):
        with self.fetchd.connect() as c:
            for method in ('GET', 'DELETE', 'OPTIONS', 'PROPFIND'):
                with self.subTest(method=method):
                    answer = self.good(c.get(self.url('/headers'), method=method))
                    self.assertEqual(json.loads(answer.body)['method'], method)

    def test_head_has_no_body(self):
        with self.fetchd.connect() as c:
            for server in ('h1', 'h2'):
                answer = self.good(c.get(self.url('/1m', server), method='HEAD'))
                self.assertEqual((answer.bytes, answer.header('content-length')), (0, str(MIB)))

    def test_a_query_reaches_the_origin_and_a_fragment_does_not(self):
        with self.fetchd.connect() as c:
            answer = self.good(c.get(self.url('/headers?a=b&c=%20#secret')))
            self.assertEqual(json.loads(answer.body)['target'], '/headers?a=b&c=%20')

    def test_done_says_what_it_took(self):
        with self.fetchd.connect() as c:
            done = self.good(c.get(self.url('/1m', 'h1'), fresh=True)).done
            self.assertEqual((done['attempts'], done['status']), (1, 200))
            self.assertIn(done['worker'], (1, 2))
            self.assertEqual(done['body_bytes'], MIB)
            self.assertGreater(done['bytes_received'], MIB)
            self.assertGreater(done['bytes_sent'], 20)
            self.assertLessEqual(done.get('connect_us', 0), done['tls_us'])
            self.assertLessEqual(done['tls_us'], done['first_byte_us'])
            self.assertLessEqual(done['first_byte_us'], done['total_us'])
            self.assertFalse(done.get('reused', False))
            self.assertIn(':%d' % self.nginx.ports['h1'], done['remote'])


class KeepAlive(World):
    settings = {'tls.insecure': 'yes'}

    counter = itertools.count()

    def connections(self, paths, **options):
        """nginx's connection numbers for these requests, one after the other."""
        marks = ['/%s?%d' % (path, next(self.counter)) for path in paths]
        with self.fetchd.connect() as c:
            answers = [self.good(c.get(self.url(mark, 'h1'), **options)) for mark in marks]
        def logged():               # nginx writes its log after the answer
            rows = {row['uri']: row['connection'] for row in self.nginx.access()}
            return rows if set(marks) <= set(rows) else None
        rows = proc.until(logged, what='nginx to log the requests')
        return [rows[mark] for mark in marks], answers

    def test_a_connection_is_kept_for_the_next_request(self):
        numbers, answers = self.connections(['1k'] * 5)
        self.assertEqual(len(set(numbers)), 1, numbers)
        self.assertTrue(all(a.done.get('reused') for a in answers[1:]))

    def test_fresh_has_a_connection_of_its_own(self):
        numbers, answers = self.connections(['1k'] * 3, fresh=True)
        self.assertEqual(len(set(numbers)), 3, numbers)

    def test_another_client_of_the_same_user_finds_the_connection_warm(self):
        first, _ = self.connections(['1k'])
        second, answers = self.connections(['1k'])
        self.assertEqual(first, second)
        self.assertTrue(answers[0].done.get('reused'))

    def test_insecure_and_trusting_requests_share_no_connection(self):
        first, _ = self.connections(['1k'])
        second, _ = self.connections(['1k'], insecure=True)
        third, _ = self.connections(['1k'], ca_pem=self.authority.cert_path.read_bytes())
        self.assertEqual(len({*first, *second, *third}), 3)

    def test_http2_streams_share_a_connection(self):
        with self.fetchd.connect() as c:
            self.good(c.get(self.url('/1k?first', 'tls13')))
            ids = [c.fetch(self.url('/1k?%d' % i, 'tls13')) for i in range(20)]
            for id in ids:
                self.good(c.finish(id))
        port = str(self.nginx.ports['tls13'])
        numbers = {row['connection'] for row in self.nginx.access() if row['port'] == port}
        self.assertLessEqual(len(numbers), 4, numbers)


class Unreachable(World):
    settings = {'tls.insecure': 'yes'}

    def error(self, url, *names, **options):
        with self.fetchd.connect() as c:
            return self.bad(c.get(url, **options), *names)

    def test_certificates(self):
        for server in ('expired', 'wrong_name', 'self_signed'):
            with self.subTest(server=server):
                error = self.error(self.url('/1k', server), 'tls.certificate')
                self.assertFalse(error.get('retryable', False))
                self.assertTrue(error.get('message'))

    def test_a_ca_nobody_trusts(self):
        error = self.error(self.url('/1k', host='localhost'), 'tls.certificate',
                           ca_pem=self.site.leaf.cert_path.read_bytes())
        self.assertIn('curl_name', error)

    def test_insecure_takes_any_certificate(self):
        with self.fetchd.connect() as c:
            for server in ('expired', 'wrong_name', 'self_signed'):
                with self.subTest(server=server):
                    self.good(c.get(self.url('/1k', server), insecure=True), sha256=self.nginx.hashes['1k'])
            for server in ('expired', 'wrong_name', 'self_signed'):      # and leaves nothing behind
                self.bad(c.get(self.url('/1k', server)), 'tls.certificate')

    def test_a_ca_that_comes_with_the_request_is_trusted(self):
        with self.fetchd.connect() as c:
            pem = (self.site.folder / 'self-signed.pem').read_bytes()
            self.good(c.get(self.url('/1k', 'self_signed'), ca_pem=pem))

    def test_a_host_that_does_not_exist(self):
        error = self.error('https://no-such-host.invalid/', 'dns.failed')
        self.assertIn('dns', error['phase'])

    def test_a_port_nobody_listens_on(self):
        port = origins.refused_port()
        with self.make(allow=[port]) as fetchd, fetchd.connect() as c:
            error = self.bad(c.get('https://localhost:%d/' % port), 'connect.refused')
            self.assertEqual(error['phase'], 'connect')

    def test_a_connection_closed_without_an_answer(self):
        self.error(self.url('/close', 'h1'), 'receive.empty', 'receive.failed')

    def test_a_handshake_that_goes_wrong(self):
        expected = {'reset': ('tls.peer_reset',), 'close': ('tls.peer_reset',),
                    'garbage': ('tls.handshake', 'tls.peer_reset')}
        for what, names in expected.items():
            with self.subTest(what=what), origins.Handshake(what) as origin, \
                    self.make(allow=[origin.port]) as fetchd, fetchd.connect() as c:
                error = self.bad(c.get(origin.url()), *names)
                self.assertEqual(error['phase'], 'tls')

    def test_resolve_gives_a_name_its_address(self):
        port = self.nginx.ports['wrong_name']
        with self.fetchd.connect() as c:
            answer = c.get('https://elsewhere.example:%d/1k' % port, resolve=['elsewhere.example:%d:127.0.0.1' % port])
            self.good(answer, sha256=self.nginx.hashes['1k'])


if __name__ == '__main__':
    tap.main()
