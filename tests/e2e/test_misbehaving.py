"""Origins that break off, lie, flood and bomb. A truncated body is never a success."""
from world import MIB, World, paths, proc, tap


class Http1(World):
    own_daemon = True
    alpn = ('http/1.1',)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from support import origins
        cls.origin1 = origins.Origin(cls.site.leaf, alpn=cls.alpn).start()
        cls.fetchd = cls.make(allow=[cls.origin1.port], settings={'retry.attempts': 1}).start()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.origin1.stop()

    def get(self, path, **options):
        with self.fetchd.connect() as c:
            return c.get(self.origin1.url(path), **options)

    def fails(self, path, *names, **options):
        answer = self.get(path, **options)
        error = self.bad(answer, *names)
        with self.fetchd.connect() as c:            # the worker is as well as before
            self.good(c.get(self.url('/1k')))
        return answer, error

    def test_the_origin_can_behave(self):
        self.assertEqual(self.good(self.get('/ok')).body, b'ok\n')
        if 'h2' not in self.alpn:
            for path in ('/chunked', '/delimited'):
                self.assertEqual(self.good(self.get(path)).bytes, 500)


class Cut(Http1):
    def test_a_length_that_is_not_reached(self):
        for path in ('/short', '/cut'):
            with self.subTest(path=path):
                answer, error = self.fails(path, 'body.truncated')
                self.assertEqual((answer.status, answer.bytes), (200, 500))
                self.assertEqual(error['phase'], 'body')

    def test_a_reset_in_the_body(self):
        self.fails('/reset', 'body.truncated', 'receive.failed')

    def test_chunks_without_an_end(self):
        self.fails('/chunked-short', 'body.truncated')

    def test_a_body_that_ends_with_the_connection_needs_tlss_goodbye(self):
        self.assertEqual(self.good(self.get('/delimited')).bytes, 500)
        self.fails('/delimited-cut', 'body.truncated', 'receive.failed')
        self.fails('/delimited-reset', 'body.truncated', 'receive.failed')

    def test_no_answer_at_all(self):
        self.fails('/empty', 'receive.empty', 'receive.failed')

    def test_a_kept_connection_that_died_is_not_the_requests_fault(self):
        self.good(self.get('/once'))
        self.good(self.get('/once'))
        self.good(self.get('/ok'))


class Garbage(Http1):
    def test_what_is_not_http(self):
        self.fails('/garbage', 'http.protocol')

    def test_two_lengths(self):
        answer = self.get('/two-lengths', total_timeout_ms=3000)
        self.assertIsNotNone(answer.error, 'an ambiguous answer was a success')

    def test_broken_chunks(self):
        self.fails('/chunk-garbage', 'http.protocol', 'body.truncated', 'receive.failed')

    def test_a_101_nobody_asked_for(self):
        self.fails('/surprise-101', 'http.protocol', total_timeout_ms=5000)

    def test_a_second_answer_is_nobodys(self):
        for _ in range(3):
            self.assertEqual(self.good(self.get('/smuggle')).body, b'ok\n')
            self.assertEqual(self.good(self.get('/ok')).body, b'ok\n')


class Bombs(Http1):
    def bounded(self, path, *names, **options):
        """Fails by name, and no process of ours grows meanwhile."""
        self.get('/ok')
        before = self.fetchd.memory()
        self.fails(path, *names, **options)
        if not paths.sanitized():
            for pid, rss in self.fetchd.memory().items():
                self.assertLess(rss - before[pid], 8 * MIB)

    def test_headers_without_end(self):
        self.bounded('/header-bomb', 'headers.too_large')
        self.assertLess(self.origin1.sent['header_bomb'], 8 * MIB)

    def test_a_header_line_without_end(self):
        self.bounded('/long-line', 'headers.too_large')

    def test_trailers_too_many_or_too_long(self):
        """Both are beyond what libcurl takes; neither is a fault of ours."""
        self.bounded('/many-trailers', 'headers.too_large')
        self.bounded('/long-trailer', 'headers.too_large')

    def test_interim_answers_without_end(self):
        self.bounded('/endless-1xx', 'headers.too_large')

    def test_a_gzip_bomb_stops_at_the_limit(self):
        answer, _ = self.fails('/gzip-bomb', 'body.too_large', compressed=True, max_body_bytes=10 * MIB)
        self.assertLessEqual(answer.bytes, 10 * MIB)

    def test_a_gzip_bomb_under_credit_costs_no_memory(self):
        self.get('/ok')
        before = self.fetchd.memory()
        with self.fetchd.connect(keep=False) as c:
            answer = self.good(c.get(self.origin1.url('/gzip-bomb'), compressed=True))
        self.assertEqual(answer.bytes, 300 * MIB)
        if not paths.sanitized():
            for pid, rss in self.fetchd.memory().items():
                self.assertLess(rss - before[pid], 8 * MIB)


class Codings(Http1):
    def test_a_coding_that_can_be_decoded(self):
        self.assertEqual(self.good(self.get('/gzip', compressed=True)).bytes, 500)

    def test_a_broken_coding(self):
        self.fails('/gzip-broken', 'body.encoding', compressed=True)

    def test_a_coding_cut_short_behind_a_right_length(self):
        self.fails('/gzip-short', 'body.truncated', 'body.encoding', compressed=True)

    def test_a_coding_nobody_offered(self):
        self.fails('/unknown-coding', 'body.encoding', compressed=True)
        self.assertEqual(self.good(self.get('/unknown-coding')).body, b'uryyb')


class Http2(Http1):
    alpn = ('h2',)

    def test_it_is_http2(self):
        self.assertEqual(self.good(self.get('/ok')).response['http_version'], '2')

    def test_a_stream_reset_in_its_body(self):
        answer, error = self.fails('/rst', 'http2.stream')
        self.assertEqual(error['phase'], 'body')

    def test_a_stream_reset_at_once(self):
        self.fails('/rst-at-once', 'http2.stream')

    def test_a_length_that_is_not_reached(self):
        self.fails('/short', 'body.truncated', 'http2.stream', 'http2.protocol')

    def test_goaway_in_the_midst(self):
        self.fails('/goaway', 'body.truncated', 'http2.stream', 'http2.protocol', 'receive.failed')

    def test_a_connection_cut_in_the_midst(self):
        self.fails('/cut', 'body.truncated', 'http2.stream', 'receive.failed')

    def test_what_is_not_http2(self):
        self.fails('/garbage', 'http2.protocol', 'receive.empty', 'receive.failed')

    def test_a_refused_stream_is_asked_for_again(self):
        with self.make(allow=[self.origin1.port]) as fetchd, fetchd.connect() as c:
            self.assertEqual(self.good(c.get(self.origin1.url('/refused'))).body, b'ok\n')
        self.assertEqual(sum(path == '/refused' for _, path, _ in self.origin1.requests), 2)

    def flooded(self, path, *names):
        """The flood costs no memory and ends, and its connection is not one for the next request."""
        origin = self.origin(alpn=('h2',))
        with self.make(allow=[origin.port], settings={'retry.attempts': 1}) as fetchd, fetchd.connect() as c:
            self.good(c.get(origin.url('/ok')))
            before = fetchd.memory()
            self.bad(c.get(origin.url(path), idle_timeout_ms=1000), *names)
            if not paths.sanitized():
                for pid, rss in fetchd.memory().items():
                    self.assertLess(rss - before[pid], 8 * MIB)
            self.good(c.get(origin.url('/ok'), headers_timeout_ms=5000))
            self.assertGreaterEqual(origin.connections, 2)

    def test_a_flood_of_empty_frames_costs_little_and_ends(self):
        self.flooded('/empty-data', 'timeout.idle')

    def test_a_flood_of_pings_costs_little_and_ends(self):
        self.flooded('/ping-flood', 'timeout.idle', 'http2.protocol')

    def test_a_connection_on_which_a_request_timed_out_is_not_used_again(self):
        origin = self.origin(alpn=('h2',))
        with self.make(allow=[origin.port]) as fetchd, fetchd.connect() as c:
            self.bad(c.get(origin.url('/silent'), headers_timeout_ms=500), 'timeout.headers')
            self.bad(c.get(origin.url('/stall'), idle_timeout_ms=500), 'timeout.idle')
            self.good(c.get(origin.url('/ok')))
            self.assertEqual(origin.connections, 3)


class Cancel(World):
    def test_a_client_that_leaves_cancels_what_it_had_open(self):
        for server in ('h1', 'h2'):
            name = 'leave-' + server
            with self.subTest(server=server):
                c = self.fetchd.connect()
                for _ in range(10):
                    c.fetch(self.url('/hold/' + name, server))
                self.backend.until_waiting(name, 10)
                c.close()
                self.fetchd.until_idle()
                self.backend.until_ended(name, 10)

    def test_a_client_that_is_killed_cancels_what_it_had_open(self):
        process = self.fetchd.start_fetchctl('get', '-s', '-o', '/dev/null', self.url('/hold/killed', 'h1'))
        self.backend.until_waiting('killed')
        process.kill()
        process.communicate()
        self.backend.until_ended('killed')
        self.fetchd.until_idle()

    def test_cancel_ends_one_and_leaves_the_others(self):
        with self.fetchd.connect() as c:
            ids = [c.fetch(self.url('/hold/one', 'h2')) for _ in range(5)]
            self.backend.until_waiting('one', 5)
            c.send('CANCEL', ids[2])
            self.bad(c.finish(ids[2]), 'cancelled')
            self.backend.until_ended('one', 1)
            self.backend.release('one')
            for id in ids[:2] + ids[3:]:
                self.good(c.finish(id))

    def test_cancel_in_the_midst_of_a_body_frees_the_connection(self):
        with self.fetchd.connect(auto_credit=False) as c:
            for server in ('h1', 'h2'):
                id = c.fetch(self.url('/100m', server))
                c.until(lambda: c.answer(id).bytes > 100000)
                c.send('CANCEL', id)
                self.bad(c.finish(id), 'cancelled')
            self.fetchd.until_idle()
            proc.until(lambda: self.nginx.open_connections() <= 3, what='the close of the connections at the origin')

    def test_cancel_twice_is_one_done(self):
        with self.fetchd.connect() as c:
            id = c.fetch(self.url('/hold/two', 'h1'))
            self.backend.until_waiting('two')
            c.send('CANCEL', id)
            c.send('CANCEL', id)
            self.bad(c.finish(id), 'cancelled')
            c.ping(1)


if __name__ == '__main__':
    tap.main()
