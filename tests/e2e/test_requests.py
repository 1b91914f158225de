"""What a request can say and what its answer tells: header order and removal, Expect, trailers, interim
answers, hops, sizes, times and limits; over HTTP/1.1 and HTTP/2."""
import email.utils
import hashlib
import json

from world import MIB, World, bodies, origins
from support.reading import Reading


class Requests(World):
    settings = {'retry.attempts': 1}

    @classmethod
    def setUpClass(cls):
        cls.reading = Reading().start()
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.reading.stop()

    @classmethod
    def make(cls, allow=(), **options):
        return super().make(allow=[*allow, cls.reading.port], **options)

    def get(self, path, **options):
        with self.fetchd.connect() as c:
            return c.get(self.reading.url(path), **options)

    def head(self, **options):
        """The head of a request, as the origin saw it: its first line, and (name, value) pairs."""
        answer = self.good(self.get('/head', **options))
        lines = answer.body.decode('latin-1').split('\r\n')
        return lines[0], [tuple(line.split(':', 1)) for line in lines[1:]]

    def upload(self, path, body, length=True, **options):
        with self.fetchd.connect() as c:
            if length:
                options['body_length'] = len(body)
            id = c.fetch(self.reading.url(path), method='PUT', body_streamed=True, **options)
            return c.upload(id, body)

    def uploaded(self, answer, body):
        told = json.loads(self.good(answer).body)
        self.assertEqual(told, dict(bytes=len(body), sha256=hashlib.sha256(body).hexdigest()))


class Headers(Requests):
    def test_own_headers_keep_their_order_and_their_spelling(self):
        sent = [['X-Z', '1'], ['x-a', '2'], ['User-Agent', 'me'], ['COOKIE', 'a=b'], ['X-Z', '3'], ['accept', 'x/y'],
                ['Authorization', 'Bearer t'], ['Content-Type', 'text/plain'], ['Host', 'other.example'], ['X-Last', '4']]
        for method in ('GET', 'POST', 'QUERY'):
            with self.subTest(method=method):
                first, got = self.head(method=method, headers=sent, body=b'' if method == 'GET' else b'x')
                self.assertEqual(first, '%s /head HTTP/1.1' % method)
                names = [name for name, _ in sent]
                self.assertEqual([(n, v.strip()) for n, v in got if n in names], [tuple(pair) for pair in sent])
                self.assertEqual([n for n, _ in got if n.lower() == 'host'], ['Host'])

    def test_an_empty_value_is_sent(self):
        _, got = self.head(headers=[['X-Empty', ''], ['User-Agent', '']])
        self.assertIn(('X-Empty', ''), got)
        self.assertEqual([v for n, v in got if n == 'User-Agent'], [''])

    def test_null_leaves_out_what_fetchd_adds_itself(self):
        _, got = self.head(compressed=True)
        names = [n.lower() for n, _ in got]
        for name in ('user-agent', 'accept', 'accept-encoding'):
            self.assertIn(name, names)
        _, got = self.head(compressed=True, headers=[['user-agent', None], ['Accept', None], ['Accept-Encoding', None],
                                                     ['X-None', None]])
        self.assertEqual([n for n, _ in got], ['Host'])

    def test_null_works_over_http2_too(self):
        with self.fetchd.connect() as c:
            answer = c.get(self.url('/headers', 'h2'), headers=[['b', '1'], ['User-Agent', None], ['a', ''], ['b', '2']])
        got = [pair for pair in json.loads(self.good(answer).body)['headers']]
        self.assertEqual([pair for pair in got if pair[0] in 'ab'], [['b', '1'], ['a', ''], ['b', '2']])
        self.assertNotIn('user-agent', [name.lower() for name, _ in got])

    def test_a_request_without_host_is_for_http_1_0(self):
        self.bad(self.get('/head', headers=[['Host', None]]), 'request.invalid')
        first, got = self.head(headers=[['Host', None]], http_version='1.0')
        self.assertEqual(first, 'GET /head HTTP/1.0')
        self.assertNotIn('Host', [n for n, _ in got])

    def test_any_method(self):
        for method in ('PROPFIND', 'TRACE', 'OPTIONS', 'x-own', 'DELETE'):
            self.assertEqual(self.head(method=method)[0], method + ' /head HTTP/1.1')
        for method in ('CONNECT', 'TWO WORDS', 'A\nB'):
            self.bad(self.get('/head', method=method), 'request.invalid', 'request.unsupported')

    def test_fetchctl_removes_and_empties_headers_as_curl_does(self):
        head = self.ctl_good('get', '-H', 'User-Agent:', '-H', 'X-Empty;', '-H', 'Accept:', self.reading.url('/head'))
        lines = head.decode().split('\r\n')[1:]
        self.assertEqual(lines, ['Host: localhost:%d' % self.reading.port, 'X-Empty:'])

    def test_fetchctl_puts_data_and_queries_into_the_url(self):
        url = self.reading.url('/head?a=1#part')
        head = self.ctl_good('get', '-G', '-d', 'b=2', '--data-urlencode', 'c=x y/ä', '--url-query', 'd=&', '--url-query',
                             '+raw=%20', url)
        self.assertEqual(head.decode().split(' ')[:2], ['GET', '/head?a=1&b=2&c=x+y%2F%C3%A4&d=%26&raw=%20'])


class Expecting(Requests):
    BODY = bodies.content(2 * MIB, 'expect')

    def setUp(self):
        self.reading.exchanges.clear()

    def last(self, path):
        return [e for e in self.reading.exchanges if e.target == path]

    def test_after_a_417_others_are_asked_as_before(self):
        for path in ('/unexpected', '/continue'):
            self.uploaded(self.upload(path, self.BODY), self.BODY)
        self.assertEqual(self.last('/continue')[-1].header('expect'), '100-continue')

    def test_a_large_body_waits_for_100_continue(self):
        for length in (True, False):
            with self.subTest(length=length):
                self.uploaded(self.upload('/continue', self.BODY, length), self.BODY)
                self.assertEqual(self.last('/continue')[-1].header('expect'), '100-continue')

    def test_without_an_answer_it_leaves_after_the_timeout(self):
        self.uploaded(self.upload('/upload', self.BODY, expect_timeout_ms=50), self.BODY)

    def test_it_waits_as_long_as_it_is_told(self):
        with self.fetchd.connect() as c:
            id = c.fetch(self.reading.url('/late-continue'), method='PUT', body_streamed=True, body_length=len(self.BODY),
                         expect_timeout_ms=60000)
            self.reading.gate.clear()
            self.site.backend.until(lambda: self.last('/late-continue'))
            c.ping(1)
            self.assertEqual(c.streams[id][3], 0, 'credit before the origin said 100')
            self.reading.gate.set()
            self.uploaded(c.upload(id, self.BODY), self.BODY)

    def test_417_is_answered_by_asking_without(self):
        for path in ('/unexpected', '/unexpected-close'):
            with self.subTest(path=path):
                self.uploaded(self.upload(path, self.BODY), self.BODY)
                self.assertEqual([e.header('expect') for e in self.last(path)], ['100-continue', None])

    def test_417_for_an_inline_body_that_was_made_to_ask(self):
        answer = self.get('/unexpected', method='POST', body=b'small', headers=[['Expect', '100-continue']])
        self.uploaded(answer, b'small')
        self.assertEqual(answer.done['attempts'], 1)

    def test_a_small_body_asks_only_when_told(self):
        self.uploaded(self.get('/upload', method='POST', body=b'small'), b'small')
        self.assertIsNone(self.last('/upload')[-1].header('expect'))
        self.uploaded(self.get('/continue', method='POST', body=b'small', headers=[['Expect', '100-continue']]), b'small')

    def test_null_or_a_timeout_of_0_asks_for_nothing(self):
        for options in (dict(headers=[['Expect', None]]), dict(expect_timeout_ms=0)):
            self.uploaded(self.upload('/upload', self.BODY, **options), self.BODY)
            self.assertIsNone(self.last('/upload')[-1].header('expect'))

    def test_a_refusal_costs_no_byte_of_the_body(self):
        answer = self.good(self.upload('/unauthorized', self.BODY), 401)
        self.assertEqual(answer.body, b'who are you?\n')
        self.assertEqual(self.last('/unauthorized')[-1].rest, b'')

    def test_a_redirect_before_the_body_needs_no_rewind(self):
        answer = self.upload('/moved', self.BODY, follow=True)
        self.uploaded(answer, self.BODY)
        self.assertEqual((answer.rewinds, len(answer.hops)), (0, 1))

    def test_expect_can_be_nothing_else(self):
        self.bad(self.get('/head', method='POST', body=b'x', headers=[['Expect', 'miracles']]), 'request.invalid')
        self.bad(self.get('/head', headers=[['Expect', '100-continue']]), 'request.invalid')

    def test_fetchctl_asks_as_curl_does(self):
        path = self.fetchd.folder / 'up'
        path.write_bytes(self.BODY)
        out = self.ctl_good('put', '-T', path, self.reading.url('/continue'))
        self.assertEqual(json.loads(out)['bytes'], len(self.BODY))
        self.ctl_good('put', '-T', path, '--expect100-timeout', '0.05', self.reading.url('/upload'))
        self.assertEqual(self.last('/upload')[-1].header('expect'), '100-continue')
        self.ctl_good('put', '-T', path, '-H', 'Expect:', self.reading.url('/upload'))
        self.assertIsNone(self.last('/upload')[-1].header('expect'))


class Answers(Requests):
    def get_h2(self, path, **options):
        origin = self.origin(alpn=('h2',))
        with self.make(allow=[origin.port]) as fetchd, fetchd.connect() as c:
            return self.good(c.get(origin.url(path), **options))

    def test_early_hints_are_not_the_answer(self):
        answer = self.good(self.get('/hints'))
        self.assertEqual((answer.header('x-final'), answer.header('x-early')), ('1', None))
        self.assertEqual(answer.body, b'after the hints\n')
        answer = self.get_h2('/hints')
        self.assertEqual((answer.header('x-final'), answer.header('link')), ('1', None))
        self.assertEqual(answer.body, b'after the hints\n')

    def test_trailers_come_with_done(self):
        trailers = self.good(self.get('/trailers')).done['trailers']
        self.assertEqual(trailers, [[b'X-Sum', b'5d41402a'], [b'x-empty', b''], [b'X-Sum', b'again']])
        trailers = self.get_h2('/trailers').done['trailers']
        self.assertEqual(trailers, [[b'x-sum', b'5d41402a'], [b'x-empty', b'']])
        self.assertNotIn('trailers', self.good(self.get('/head')).done)

    def test_trailers_are_bounded_like_headers(self):
        self.bad(self.get('/trailer-bomb'), 'headers.too_large')

    def test_fetchctl_writes_trailers_behind_the_body(self):
        out = self.ctl_good('get', '-i', self.reading.url('/trailers'))
        self.assertTrue(out.endswith(b'\r\n\r\nhelloX-Sum: 5d41402a\r\nx-empty: \r\nX-Sum: again\r\n'), out)
        dump = self.fetchd.folder / 'dump'
        self.assertEqual(self.ctl_good('get', '-D', dump, self.reading.url('/trailers')), b'hello')
        self.assertIn(b'\r\n\r\nX-Sum: 5d41402a\r\n', dump.read_bytes())

    def test_complete_says_whether_the_end_was_told(self):
        self.assertTrue(self.good(self.get('/head')).done['complete'])
        self.assertTrue(self.good(self.get('/trailers')).done['complete'])
        answer = self.good(self.get('/delimited'))
        self.assertEqual((answer.body, answer.done.get('complete', False)), (b'until the end', False))
        with self.fetchd.connect() as c:
            self.assertTrue(self.good(c.get(self.url('/1k', 'h2'))).done['complete'])
        bad = self.origin()
        with self.make(allow=[bad.port]) as fetchd, fetchd.connect() as c:
            self.assertTrue(self.good(c.get(bad.url('/delimited'))).done['complete'], "TLS's goodbye counts")
            self.assertNotIn('complete', c.get(bad.url('/cut')).done)

    def test_raw_and_decoded_sizes(self):
        with self.fetchd.connect() as c:
            done = self.good(c.get(self.url('/gzip/1m', 'h2'), compressed=True)).done
            self.assertEqual(done['body_bytes'], MIB)
            self.assertNotEqual(done['raw_body_bytes'], MIB)
            self.assertLessEqual(done['raw_body_bytes'], done['bytes_received'])
            done = self.good(c.get(self.url('/1m', 'h1'))).done
            self.assertEqual((done['body_bytes'], done['raw_body_bytes']), (MIB, MIB))
        out = self.ctl_good('get', '--compressed', '-o', '/dev/null', '-w', '%{size_download} %{fetchd_body_bytes}',
                            self.url('/gzip/1m', 'h1'))
        raw, decoded = map(int, out.split())
        self.assertEqual(decoded, MIB)
        self.assertNotEqual(raw, MIB)

    def test_times_come_in_the_order_of_the_phases(self):
        with self.fetchd.connect() as c:
            done = self.good(c.get(self.url('/1m', 'h2'), fresh=True)).done
            times = [done.get(name + '_us', 0) for name in ('dns', 'connect', 'tls', 'sent', 'first_byte', 'total')]
            self.assertEqual(times, sorted(times))
            self.assertTrue(all(times), times)
            self.assertNotIn('redirect_us', done)
            done = self.good(c.get(self.url('/slow/0.3', 'h1'))).done
            self.assertGreaterEqual(done['first_byte_us'], 250000)
            done = self.good(c.get(self.url('/r302?to=/slow/0.3', 'h1'), follow=True)).done
            self.assertEqual(done['redirects'], 1)

    def test_headers_have_a_limit_of_the_requests_own(self):
        self.good(self.get('/headers/20000'))
        self.bad(self.get('/headers/20000', max_header_bytes=8192), 'headers.too_large')
        self.good(self.get('/headers/4000', max_header_bytes=8192))
        run = self.ctl('get', '--max-header-size', '8k', self.reading.url('/headers/20000'))
        self.assertEqual(run.returncode, 56)

    def test_fetchctl_limits_the_body_too(self):
        run = self.ctl('get', '--max-filesize', '1k', '-o', '/dev/null', self.url('/1m', 'h1'))
        self.assertEqual(run.returncode, 63)
        self.ctl_good('get', '--max-filesize', '1k', '-o', '/dev/null', self.url('/1k', 'h1'))


class Hops(Requests):
    def to(self, status, url, **options):
        return self.get('/redirect/%d?%s' % (status, url), follow=True, **options)

    def test_each_hop_tells_status_url_and_cookies(self):
        inner = self.reading.url('/redirect/307?/head')
        answer = self.good(self.to(302, inner))
        self.assertEqual([(hop['status'], hop['url']) for hop in answer.hops],
                         [(302, inner), (307, self.reading.url('/head'))])
        for hop in answer.hops:
            cookies = [value for name, value in hop['headers'] if name == b'Set-Cookie']
            self.assertEqual(cookies, [b'hop=1', b'other=2'])

    def test_methods_and_bodies_go_on_as_in_browsers(self):
        rows = {('POST', 301): 'GET', ('POST', 302): 'GET', ('POST', 303): 'GET', ('PUT', 303): 'GET', ('HEAD', 303): 'HEAD',
                ('PUT', 301): 'PUT', ('DELETE', 302): 'DELETE', ('POST', 307): 'POST', ('POST', 308): 'POST',
                ('PATCH', 308): 'PATCH', ('GET', 308): 'GET'}
        for (method, status), expected in rows.items():
            body = b'body' if method in ('POST', 'PUT', 'PATCH') else b''
            with self.subTest(method=method, status=status):
                self.good(self.to(status, '/head', method=method, body=body, headers=[['Content-Type', 'text/plain']]
                                  if body else []))
                last = self.reading.exchanges[-1]
                self.assertEqual(last.method, expected)
                kept = body if expected == method else b''
                self.assertEqual(last.body_bytes, len(kept))
                self.assertEqual('Content-Type' in last.names, bool(kept))

    def test_credentials_stay_with_their_origin_and_do_not_come_back(self):
        other = self.reading.url('/redirect/307?' + self.reading.url('/head'), host='127.0.0.1')
        secrets = [['Authorization', 'Bearer secret'], ['Cookie', 'secret=1'], ['X-Mine', 'kept']]
        for options in (dict(headers=secrets), dict(headers=[['X-Mine', 'kept']], credentials=b'user:secret')):
            answer = self.good(self.to(307, other, **options))
            self.assertEqual(len(answer.hops), 2)
            first, second, third = self.reading.exchanges[-3:]
            self.assertIsNotNone(first.header('authorization'))
            for exchange in (second, third):
                self.assertIsNone(exchange.header('authorization'))
                self.assertIsNone(exchange.header('cookie'))
                self.assertEqual(exchange.header('x-mine'), 'kept')

    def test_on_the_same_origin_credentials_go_along(self):
        self.good(self.to(307, '/head', headers=[['Authorization', 'Bearer secret']]))
        self.assertEqual(self.reading.exchanges[-1].header('authorization'), 'Bearer secret')

    def test_a_redirect_to_http_can_be_refused(self):
        plain = self.url('/1k', 'plain')
        with self.fetchd.connect() as c:
            start = self.url('/r302?to=' + plain, 'h1')
            self.good(c.get(start, follow=True))
            answer = c.get(start, follow=True, redirect_https_only=True)
            self.bad(answer, 'redirect.invalid')
            self.good(c.get(self.url('/r302?to=' + self.url('/1k', 'h2'), 'h1'), follow=True, redirect_https_only=True))
        self.assertEqual(self.ctl('get', '-L', '--proto-redir', '=https', start).returncode, 47)
        self.ctl_good('get', '-L', '--proto-redir', '=http,https', start)

    def test_max_and_policy_hold_at_each_hop(self):
        self.bad(self.to(302, '/redirect/302?/head', max_redirects=1), 'redirect.limit')
        self.good(self.to(302, '/redirect/302?/head', max_redirects=2))
        answer = self.to(302, 'http://127.0.0.1:%d/' % origins.refused_port())
        self.bad(answer, 'policy.denied')
        self.assertEqual(len(answer.hops), 1)


class Conditions(Requests):
    def test_an_etag_is_saved_and_compared(self):
        folder = self.fetchd.folder
        etag, out, url = folder / 'etag', folder / 'out', self.reading.url('/etag')
        self.ctl_good('get', '--etag-compare', etag, '--etag-save', etag, '-o', out, url)
        self.assertEqual((out.read_bytes(), etag.read_text()), (b'version 1\n', '"v1"\n'))
        self.assertEqual(self.reading.exchanges[-1].header('if-none-match'), '""')
        code = self.ctl_good('get', '--etag-compare', etag, '--etag-save', etag, '-o', out, '-w', '%{http_code}', url)
        self.assertEqual((code, out.read_bytes(), etag.read_text()), (b'304', b'version 1\n', '"v1"\n'))

    def test_a_time_is_a_date_or_a_files(self):
        name, out = '1k', self.fetchd.folder / 'conditional'
        url, source = self.url('/' + name, 'h1'), self.nginx.root / name
        date = email.utils.formatdate(source.stat().st_mtime, usegmt=True)
        for condition, code in (('1 Jan 2000', b'200'), (date, b'304'), (source, b'304'), ('-2000-01-01', b'412'),
                                ('-2100-01-01 10:00:00', b'200')):
            with self.subTest(condition=condition):
                self.assertEqual(self.ctl_good('get', '-z', condition, '-o', out, '-w', '%{http_code}', url), code)
        self.assertEqual(self.ctl('get', '-z', 'no such thing', url).returncode, 2)

    def test_what_did_not_change_leaves_the_file_alone(self):
        out = self.fetchd.folder / 'kept'
        out.write_bytes(b'as it was')
        self.ctl_good('get', '-z', self.nginx.root / '1k', '-o', out, self.url('/1k', 'h1'))
        self.assertEqual(out.read_bytes(), b'as it was')

    def test_ranges_and_resumption(self):
        whole, url = (self.nginx.root / '1k').read_bytes(), self.url('/1k', 'h2')
        self.assertEqual(self.ctl_good('get', '-r', '10-19', url), whole[10:20])
        self.assertEqual(self.ctl_good('get', '-r', '-5', url), whole[-5:])
        self.assertEqual(self.ctl_good('get', '-r', '5000-', '-o', '/dev/null', '-w', '%{http_code}', url), b'416')
        out = self.fetchd.folder / 'resumed'
        out.write_bytes(whole[:300])
        self.ctl_good('get', '-C', '-', '-o', out, url)
        self.assertEqual(out.read_bytes(), whole)
        self.ctl_good('get', '-C', '-', '-o', out, url)             # 416: there is no more
        self.assertEqual(out.read_bytes(), whole)
        out.write_bytes(b'12345')
        run = self.ctl('get', '-C', '-', '-o', out, self.reading.url('/head'))
        self.assertEqual((run.returncode, out.read_bytes()), (33, b'12345'))


if __name__ == '__main__':
    from support import tap
    tap.main()
