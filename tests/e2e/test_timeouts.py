"""Deadlines: each ends on time, by its own name, in the phase where it ran out."""
import time

from world import World, origins, tap


class Timeouts(World):
    own_daemon = True

    def timed(self, url, name, ms, port, settings=None, **options):
        """Asserts the error's name, and that it did not come before its time nor never."""
        with self.make(allow=[port], settings=settings or {}) as fetchd, fetchd.connect() as c:
            began = time.monotonic()
            error = self.bad(c.get(url, **options), name)
            self.assertGreaterEqual((time.monotonic() - began) * 1000, ms - 50)
            return error

    def test_connect_to_where_nobody_answers(self):
        with origins.Blackhole() as hole:
            error = self.timed('https://localhost:%d/' % hole.port, 'connect.timeout', 400, hole.port,
                               connect_timeout_ms=400)
            self.assertEqual(error['phase'], 'connect')

    def test_a_handshake_that_never_ends(self):
        with origins.Handshake('stall') as origin:
            for limit in (dict(connect_timeout_ms=400), dict(tls_timeout_ms=400, connect_timeout_ms=600000),
                          dict(settings={'timeouts.tls': '400ms', 'timeouts.connect': '10m'}),
                          dict(connect_timeout_ms=400, tls_timeout_ms=60000)):
                with self.subTest(**limit):
                    error = self.timed(origin.url(), 'tls.timeout', 400, origin.port, attempts=1, **limit)
                    self.assertEqual(error['phase'], 'tls')

    def test_headers_that_never_come(self):
        for alpn in ('http/1.1', 'h2'):
            with self.subTest(alpn=alpn), origins.Origin(self.site.leaf, alpn=(alpn,)) as origin:
                error = self.timed(origin.url('/silent'), 'timeout.headers', 400, origin.port, headers_timeout_ms=400)
                self.assertEqual(error['phase'], 'wait')

    def test_headers_that_come_drop_by_drop(self):
        with origins.Origin(self.site.leaf) as origin:
            self.timed(origin.url('/slow-loris'), 'timeout.headers', 500, origin.port, headers_timeout_ms=500)

    def test_a_body_that_stops(self):
        for alpn in ('http/1.1', 'h2'):
            with self.subTest(alpn=alpn), origins.Origin(self.site.leaf, alpn=(alpn,)) as origin:
                error = self.timed(origin.url('/stall'), 'timeout.idle', 400, origin.port, idle_timeout_ms=400)
                self.assertEqual(error['phase'], 'body')

    def test_frames_without_payload_do_not_count_as_progress(self):
        with origins.Origin(self.site.leaf, alpn=('h2',)) as origin:
            self.timed(origin.url('/empty-data'), 'timeout.idle', 500, origin.port, idle_timeout_ms=500)

    def test_the_total_is_kept_in_every_phase(self):
        with origins.Origin(self.site.leaf) as origin:
            for path in ('/silent', '/stall', '/slow-loris'):
                with self.subTest(path=path):
                    self.timed(origin.url(path), 'timeout.total', 400, origin.port, total_timeout_ms=400)
        with origins.Handshake('stall') as origin:
            self.timed(origin.url(), 'timeout.total', 400, origin.port, total_timeout_ms=400)

    def test_settings_hold_for_requests_that_bring_none(self):
        with origins.Origin(self.site.leaf) as origin:
            table = (('/silent', 'timeouts.headers', 'timeout.headers'), ('/stall', 'timeouts.idle', 'timeout.idle'),
                     ('/silent', 'timeouts.total', 'timeout.total'))
            for path, setting, name in table:
                with self.subTest(setting=setting):
                    self.timed(origin.url(path), name, 400, origin.port, settings={setting: '400ms'})

    def test_a_stalled_client_is_not_the_origins_fault(self):
        with self.make(settings={'timeouts.idle': '500ms'}) as fetchd, fetchd.connect(auto_credit=False, keep=False) as c:
            id = c.fetch(self.url('/100m', 'h1'))
            c.until(lambda: c.answer(id).bytes >= 200000)
            time.sleep(1.5)
            c.ping(1)
            self.assertIsNone(c.answer(id).done, 'idle although the client is the one who waits')
            c.auto_credit = True
            c.grant(id, least=0)
            self.good(c.finish(id), sha256=self.nginx.hashes['100m'])

    def test_fetchctl_ends_with_28(self):
        with origins.Origin(self.site.leaf) as origin, self.make(allow=[origin.port]) as fetchd:
            for path in ('/silent', '/stall'):
                run = fetchd.fetchctl('get', '-s', '-S', '-m', '0.4', origin.url(path))
                self.assertEqual(run.returncode, 28, run.stderr)
                self.assertIn(b'timeout.total', run.stderr)


if __name__ == '__main__':
    tap.main()
