"""HTTP/3, from Debian's Caddy: bodies, uploads, many streams, what goes wrong on the way, Alt-Svc, and
a client that does not read. Skipped, with the reason, where fetchd was built without it."""
import atexit
import json
import os
import signal
import unittest

import world
from world import KIB, MIB, World, bodies, paths, proc, tap

from support.caddy import Caddy, Site
from support.hole import Hole

LIMIT = 4 * MIB


class Http3(World):
    """`origin` is one Caddy for all classes."""
    made, built = None, None
    settings = {'tls.insecure': 'yes'}

    @classmethod
    def setUpClass(cls):
        cls.site = world.Site.get()
        cls.nginx, cls.backend, cls.authority = cls.site.nginx, cls.site.backend, cls.site.authority
        if Http3.built is None:
            with cls.make(allow=[]) as fetchd, fetchd.connect() as c:
                answer = c.get('https://localhost:1/', http_version='3-only')
                Http3.built = 'built without' not in answer.done['error']['message']
        if not Http3.built:
            raise unittest.SkipTest('this fetchd was built without HTTP/3 (meson -Dhttp3)')
        Http3.made = Http3.made or cls.make_origin()
        cls.origin = Http3.made
        super().setUpClass()

    @classmethod
    def make(cls, allow=None, **options):
        return super().make(allow=cls.ports() if allow is None else allow, **options)

    @classmethod
    def make_origin(cls, name='caddy'):
        good, other = cls.site.leaf, cls.authority.wrong_name()
        sites = {
            'h3': Site(good),
            'tcp': Site(good, 'h1 h2'),
            'lone': Site(good, 'h3', ['-Alt-Svc']),
            'moved': Site(good, 'h1 h2', ['Alt-Svc `h3=":{lone}"; ma=600`']),
            'elsewhere': Site(good, 'h1 h2', ['Alt-Svc `h3="127.0.0.1:{lone}"`']),
            'wrong': Site(good, 'h1 h2', ['Alt-Svc `h3=":{other}"`']),
            'other': Site(other, 'h1 h2 h3', ['-Alt-Svc']),
            'dead': Site(good, 'h1 h2', ['Alt-Svc `h3=":{tcp}"`']),
            'cleared': Site(good, 'h1 h2 h3', ['Alt-Svc clear']),
            'clear': Site(None, 'h1 h2c'),
            'stranger': Site(good, 'h3', ['-Alt-Svc'], 'handle {\n respond 421\n }'),
            'led': Site(good, 'h1 h2', ['Alt-Svc `h3=":{stranger}"`']),
        }
        origin = Caddy(paths.folder(name[0]), cls.nginx.root, sites, cls.backend.port).start()
        atexit.register(origin.stop)
        return origin

    @classmethod
    def ports(cls):
        return list(cls.origin.ports.values())

    def at(self, path, site='h3', **more):
        return self.origin.url(site, path, **more)

    def three(self, answer, **more):
        """Asserts a success over HTTP/3."""
        self.good(answer, **more)
        self.assertEqual(answer.response['http_version'], '3', answer.done)
        self.assertEqual(answer.done['alpn'], 'h3')
        return answer


class Fetches(Http3):
    def fetch(self, path, version='3-only', **options):
        with self.fetchd.connect(keep=False) as c:
            return self.three(c.get(self.at(path), http_version=version, **options),
                              sha256=self.nginx.hashes.get(path[1:]))

    def test_a_small_body(self):
        answer = self.fetch('/1k')
        self.assertEqual(answer.bytes, KIB)
        self.assertEqual(answer.done['remote'], '127.0.0.1:%d' % self.origin.ports['h3'])

    def test_an_empty_body(self):
        self.fetch('/0')

    def test_1_mib(self):
        self.fetch('/1m')

    def test_100_mib(self):
        self.assertEqual(self.fetch('/100m').bytes, 100 * MIB)

    def test_head_has_no_body(self):
        with self.fetchd.connect() as c:
            answer = self.three(c.get(self.at('/1m'), http_version='3-only', method='HEAD'))
        self.assertEqual(answer.bytes, 0)

    def test_3_is_3_where_udp_gets_through(self):
        self.fetch('/1k', version='3')

    def test_headers_go_both_ways(self):
        headers = [['X-One', '1'], ['X-Two', 'two words'], ['Empty', '']]
        with self.fetchd.connect() as c:
            answer = self.three(c.get(self.at('/headers'), http_version='3-only', headers=headers))
        seen = {name.lower(): value for name, value in json.loads(answer.body)['headers']}
        self.assertEqual((seen['x-one'], seen['x-two'], seen['empty']), ('1', 'two words', ''))
        self.assertEqual(answer.header('content-type'), 'application/json')

    def test_a_status(self):
        with self.fetchd.connect() as c:
            self.three(c.get(self.at('/status/503'), http_version='3-only', attempts=1), status=503)

    def test_a_connection_is_used_again(self):
        with self.fetchd.connect() as c:
            self.three(c.get(self.at('/1k'), http_version='3-only'))
            again = [self.three(c.get(self.at('/1k'), http_version='3-only')) for _ in range(5)]
        self.assertTrue(all(answer.done.get('reused') for answer in again))

    def test_a_rate_on_a_kept_connection_is_no_stall(self):
        """The clock that watches for silence there is the one that lets a limited body go on."""
        with self.fetchd.connect(keep=False) as c:
            self.three(c.get(self.at('/1k'), http_version='3-only'))
            answer = self.three(c.get(self.at('/1m'), http_version='3-only', rate_bytes=2 * MIB, total_timeout_ms=20000))
        self.assertEqual((answer.bytes, answer.done['reused']), (MIB, True))

    def test_the_silence_of_a_connection_that_is_gone_is_not_listened_to(self):
        """libcurl asks again by itself when a kept connection dies; the new one has all its time."""
        if os.geteuid() != 0:
            self.skipTest('not root, so no ICMP')
        for _ in range(30):
            if self.asks_again():
                return
        self.fail('libcurl did not ask again')

    def asks_again(self):
        """False when the refusal met libcurl while it sent: then it gives up at once."""
        with Hole(self.origin.ports['lone']) as hole, self.make(allow=[hole.port], workers=1) as fetchd, \
                fetchd.connect() as c:
            url = 'https://localhost:%d/1k' % hole.port
            self.three(c.get(url, http_version='3-only'))
            hole.swallow(refuse_first=True)
            id = c.fetch(url, http_version='3-only', attempts=1, total_timeout_ms=30000)
            # A second packet of the new connection comes after a second.
            proc.until(lambda: c.ping(1) or c.answer(id).done or hole.new_senders() >= 2, 30, 'an end, or a new sender')
            if c.answer(id).done:
                self.bad(c.answer(id), 'receive.failed', 'send.failed')
                return False
            hole.pass_on()
            self.assertFalse(self.three(c.finish(id)).done.get('reused'))
            return True

    def test_many_streams_share_a_connection(self):
        with self.fetchd.connect() as c:
            ids = [c.fetch(self.at('/gate/h3/40'), http_version='3-only') for _ in range(40)]
            answers = [self.three(c.finish(id)) for id in ids]
        self.assertLessEqual(sum(not answer.done.get('reused') for answer in answers), 1)

    def test_500_requests_at_once(self):
        with self.fetchd.connect() as c:
            ids = [c.fetch(self.at('/1k'), http_version='3-only') for _ in range(500)]
            for id in ids:
                self.three(c.finish(id, 120), sha256=self.nginx.hashes['1k'])

    def test_a_redirect_is_followed(self):
        with self.fetchd.connect() as c:
            answer = self.three(c.get(self.at('/chain/3'), http_version='3-only', follow=True))
            self.assertEqual(answer.done['redirects'], 3)

    def test_fetchctl_asks_for_it(self):
        for option in ('--http3', '--http3-only'):
            out = self.ctl_good('get', option, '-s', '-o', '/dev/null', '-w', '%{http_version}', self.at('/1k'))
            self.assertEqual(out.decode().strip(), '3')
        trace = self.ctl('get', '--http3-only', '-v', '-o', '/dev/null', self.at('/1k')).stderr.decode()
        self.assertIn('< HTTP/3 200', trace)
        self.assertIn(', h3, ', trace)


class Uploads(Http3):
    def landed(self, answer, data):
        seen = json.loads(self.three(answer).body)
        self.assertEqual((seen['bytes'], seen['sha256']), (len(data), bodies.sha256(data)))

    def test_an_inline_body(self):
        with self.fetchd.connect() as c:
            for size in (1, 100000, 786432):
                data = bodies.content(size, 'inline')
                self.landed(c.get(self.at('/upload'), http_version='3-only', method='POST', body=data), data)

    def test_a_streamed_body_with_a_length(self):
        data = bodies.content(20 * MIB + 17, 'stream')
        with self.fetchd.connect() as c:
            id = c.fetch(self.at('/upload'), http_version='3-only', method='PUT', body_streamed=True,
                         body_length=len(data))
            self.landed(c.upload(id, data), data)

    def test_a_streamed_body_without_a_length(self):
        """To Caddy itself: its proxy takes a body without a length over HTTP/3 for none."""
        data = bodies.content(300000, 'no length').hex().encode()
        with self.fetchd.connect() as c:
            id = c.fetch(self.at('/mirror'), http_version='3-only', method='PUT', body_streamed=True)
            answer = self.three(c.upload(id, data), sha256=bodies.sha256(data))
            self.assertEqual(answer.bytes, len(data))

    def test_an_answer_before_the_end_of_the_body(self):
        with self.fetchd.connect() as c:
            id = c.fetch(self.at('/early'), http_version='3-only', method='PUT', body_streamed=True)
            answer = c.upload(id, bodies.content(2 * MIB, 'early'))
            self.assertIn(answer.error or answer.status, (413, 'send.failed', 'receive.failed', 'http3.stream'))


class OtherVersions(Http3):
    def test_a_request_that_does_not_say_is_http2(self):
        with self.fetchd.connect() as c:
            answer = self.good(c.get(self.at('/1k', 'tcp')))
        self.assertEqual((answer.response['http_version'], answer.done['alpn']), ('2', 'h2'))

    def test_2_only_over_tls(self):
        with self.fetchd.connect() as c:
            self.assertEqual(self.good(c.get(self.at('/1k'), http_version='2-only')).response['http_version'], '2')

    def test_2_by_prior_knowledge_in_clear(self):
        with self.fetchd.connect() as c:
            for version, spoken in ((None, '1.1'), ('1.1', '1.1'), ('2-only', '2'), ('2', '2')):
                options = dict(http_version=version) if version else {}
                answer = self.good(c.get(self.at('/1m', 'clear'), **options), sha256=self.nginx.hashes['1m'])
                self.assertEqual(answer.response['http_version'], spoken)
                self.assertNotIn('alpn', answer.done)
        out = self.ctl_good('get', '--http2-prior-knowledge', '-s', '-o', '/dev/null', '-w', '%{http_version}',
                            self.at('/1k', 'clear'))
        self.assertEqual(out.decode().strip(), '2')

    def test_2_only_does_not_settle_for_less(self):
        with self.fetchd.connect() as c:
            for url in (self.url('/1k', 'plain'), self.url('/1k', 'h1')):
                answer = c.get(url, http_version='2-only', attempts=1, headers_timeout_ms=5000)
                self.bad(answer, 'http2.protocol', 'receive.failed', 'receive.empty', 'tls.handshake')

    def test_3_only_is_refused_where_it_can_not_be(self):
        with self.fetchd.connect() as c:
            self.bad(c.get(self.url('/1k', 'plain'), http_version='3-only'), 'request.invalid')
            self.bad(c.get(self.at('/1k'), http_version='3-only', proxy='http://127.0.0.1:1'), 'request.invalid')

    def test_3_over_http_is_what_http_has(self):
        with self.fetchd.connect() as c:
            answer = self.good(c.get(self.url('/1k', 'plain'), http_version='3'))
            self.assertEqual((answer.response['http_version'], answer.done.get('alpn')), ('1.1', None))


class NoAnswer(Http3):
    """UDP that does not get through."""

    def test_3_only_ends_with_a_connect_timeout(self):
        with self.origin.udp('tcp') as hole, self.fetchd.connect() as c:
            hole.settimeout(20)
            error = self.bad(c.get(self.at('/1k', 'tcp'), http_version='3-only', connect_timeout_ms=700, attempts=1),
                             'connect.timeout')
            self.assertEqual(error['phase'], 'connect')
            self.assertGreater(len(hole.recv(2000)), 1000, 'a QUIC Initial')

    def test_3_falls_back_to_tcp(self):
        with self.origin.udp('tcp') as hole, self.fetchd.connect() as c:
            hole.settimeout(20)
            answer = self.good(c.get(self.at('/1k', 'tcp'), http_version='3'))
            self.assertEqual((answer.response['http_version'], answer.done['alpn']), ('2', 'h2'))
            self.assertGreater(len(hole.recv(2000)), 1000, 'a QUIC Initial')

    def test_nobody_listens(self):
        with self.fetchd.connect() as c:
            self.bad(c.get(self.at('/1k', 'tcp'), http_version='3-only', attempts=1), 'connect.failed',
                     'connect.refused')
            self.assertEqual(self.good(c.get(self.at('/1k', 'tcp'), http_version='3')).response['http_version'], '2')


class Denied(Http3):
    own_daemon = True

    def test_the_policy_holds_for_udp(self):
        with self.make(allow=[]) as fetchd, self.origin.udp('tcp') as watched, fetchd.connect() as c:
            watched.setblocking(False)
            for version in ('3-only', '3'):
                error = self.bad(c.get(self.at('/1k', 'tcp'), http_version=version), 'policy.denied')
                self.assertIn('[egress] allow', error['message'])
            with self.assertRaises(BlockingIOError):
                watched.recv(1)
        with self.make(allow=[self.origin.ports['h3']]) as fetchd, fetchd.connect() as c:
            self.three(c.get(self.at('/1k'), http_version='3-only'))

    def test_a_rule_by_name_holds_for_that_name_alone(self):
        """Not for another name of the same address and port."""
        rule = 'localhost:%d' % self.origin.ports['h3']
        with self.make(allow=[rule]) as fetchd, fetchd.connect() as c:
            self.three(c.get(self.at('/1k'), http_version='3-only'))
            self.bad(c.get(self.at('/1k', host='127.0.0.1'), http_version='3-only'), 'policy.denied')


class Vitals(Http3):
    own_daemon = True

    def connections(self, fetchd):
        return fetchd.status()['workers'][0].get('connections', 0)

    def test_idle_connections_are_counted_and_closed(self):
        with self.make(workers=1, settings={'workers.partition_idle': '1s'}) as fetchd, fetchd.connect() as c:
            self.three(c.get(self.at('/1k'), http_version='3-only'))
            pid = fetchd.workers()[1]
            self.assertGreater(self.udp_sockets(pid), 0)
            proc.until(lambda: fetchd.status()['workers'][0].get('tls_handshakes') == 1, 30, 'the count of handshakes')
            proc.until(lambda: self.connections(fetchd) == 0 and self.udp_sockets(pid) == 0, 30, 'the idle close')

    def udp_sockets(self, pid):
        with open('/proc/%d/net/udp' % pid) as table:
            mine = {line.split()[9] for line in table.readlines()[1:]}
        return sum(target[8:-1] in mine for target in proc.fd_targets(pid) if target.startswith('socket:['))

    def test_the_limit_of_connections_holds(self):
        with self.make(workers=1, settings={'workers.connections': 2}) as fetchd, fetchd.connect() as c:
            held = [c.fetch(self.at('/hold/limit', site), http_version='3-only') for site in ('h3', 'lone')]
            self.backend.until_waiting('limit', 2)
            self.bad(c.get(self.at('/1k', 'cleared'), http_version='3-only', attempts=1), 'overloaded')
            self.backend.release('limit')
            for id in held:
                self.three(c.finish(id))


class Trust(Http3):
    def test_a_certificate_of_another_name_is_refused(self):
        with self.fetchd.connect() as c:
            self.bad(c.get(self.at('/1k', 'other'), http_version='3-only'), 'tls.certificate')
            self.three(c.get(self.at('/1k', 'other'), http_version='3-only', insecure=True))

    def test_a_certificate_of_an_unknown_authority_is_refused(self):
        with self.make(ca='/etc/ssl/certs/ca-certificates.crt') as fetchd, fetchd.connect() as c:
            self.bad(c.get(self.at('/1k'), http_version='3-only'), 'tls.certificate')
            self.three(c.get(self.at('/1k'), http_version='3-only', ca_pem=self.authority.cert_path.read_bytes()))


class Harmed(Http3):
    """Each with a Caddy of its own, which does not survive."""
    own_daemon = True

    def setUp(self):
        self.origin = self.make_origin('harmed')
        self.addCleanup(self.origin.stop)
        self.fetchd = self.make(allow=self.origin.ports.values()).start()
        self.addCleanup(self.fetchd.kill)

    def half(self, c, **options):
        id = c.fetch(self.at('/100m'), http_version='3-only', **options)
        c.until(lambda: c.answer(id).bytes >= 150000)
        return id

    def go_on(self, c, id):
        c.auto_credit = True
        c.grant(id, least=0)
        return c.finish(id)

    def test_a_server_killed_in_mid_body_is_a_truncated_body(self):
        with self.fetchd.connect(auto_credit=False, keep=False) as c:
            id = self.half(c)
            self.origin.stop(signal.SIGKILL)
            self.bad(self.go_on(c, id), 'body.truncated')
        self.fetchd.stop()

    def test_a_server_that_stops_in_mid_body_is_an_idle_timeout(self):
        with self.fetchd.connect(auto_credit=False, keep=False) as c:
            id = self.half(c, idle_timeout_ms=700)
            self.origin.send(signal.SIGSTOP)
            self.bad(self.go_on(c, id), 'timeout.idle')
        self.fetchd.stop()

    def test_no_headers_in_time(self):
        with self.fetchd.connect() as c:
            self.bad(c.get(self.at('/hold/never'), http_version='3-only', headers_timeout_ms=500, attempts=1),
                     'timeout.headers')
            self.bad(c.get(self.at('/hold/never'), http_version='3-only', total_timeout_ms=500, attempts=1),
                     'timeout.total')
        self.fetchd.stop()

    def again(self, number):
        ports = self.origin.ports
        self.origin.stop(number)
        self.origin.start(ports)

    def test_a_kept_connection_whose_server_is_gone_without_a_word_is_given_up(self):
        """UDP has no reset; without a word of ours it would take until the headers' timeout."""
        with self.fetchd.connect() as c:
            self.three(c.get(self.at('/1k'), http_version='3-only'))
            self.again(signal.SIGKILL)
            answer = self.three(c.get(self.at('/1k'), http_version='3-only', headers_timeout_ms=20000))
            self.assertFalse(answer.done.get('reused'))
            self.assertEqual(answer.done['attempts'], 2)
            self.again(signal.SIGKILL)
            self.bad(c.get(self.at('/upload'), http_version='3-only', method='POST', body=b'x',
                           headers_timeout_ms=20000), 'receive.failed')
        self.fetchd.stop()

    def test_a_slow_answer_on_a_kept_connection_is_awaited(self):
        with self.fetchd.connect() as c:
            self.three(c.get(self.at('/1k'), http_version='3-only'))
            id = c.fetch(self.at('/hold/slow'), http_version='3-only')
            self.backend.until_waiting('slow')
            self.bad(c.get(self.at('/hold/other'), http_version='3-only', headers_timeout_ms=2500, attempts=1),
                     'timeout.headers')      # so long
            self.backend.release('slow')
            self.assertEqual(self.three(c.finish(id)).done['attempts'], 1)
        self.fetchd.stop()

    def test_a_cancel_ends_the_stream_alone(self):
        with self.fetchd.connect(auto_credit=False, keep=False) as c:
            id = self.half(c)
            c.send('CANCEL', id, {})
            self.bad(c.finish(id), 'cancelled')
            c.auto_credit = True
            answer = self.three(c.get(self.at('/1m'), http_version='3-only'), sha256=self.nginx.hashes['1m'])
            self.assertTrue(answer.done.get('reused'))
        self.fetchd.stop()


class AltSvc(Http3):
    """Each test in a daemon of its own, with one worker, which knows nothing yet."""
    own_daemon = True

    def setUp(self):
        self.fetchd = self.start()

    def start(self, ports=None):
        fetchd = self.make(allow=ports, workers=1).start()
        self.addCleanup(fetchd.kill)
        return fetchd

    def versions(self, site, count=2, fetchd=None, **options):
        """What one request after the other was answered with."""
        with (fetchd or self.fetchd).connect() as c:
            answers = [self.good(c.get(self.at('/1k', site), **options), sha256=self.nginx.hashes['1k'])
                       for _ in range(count)]
        self.remotes = [answer.done['remote'].rsplit(':', 1)[1] for answer in answers]
        return [answer.response['http_version'] for answer in answers]

    def test_an_origin_that_announces_itself_is_asked_over_http3(self):
        self.assertEqual(self.versions('h3', 3), ['2', '3', '3'])

    def test_another_port_of_its_host_is_asked(self):
        self.assertEqual(self.versions('moved'), ['2', '3'])
        self.assertEqual(self.remotes, [str(self.origin.ports[site]) for site in ('moved', 'lone')])

    def test_another_host_must_show_the_origins_certificate(self):
        self.assertEqual(self.versions('elsewhere'), ['2', '3'])
        self.assertEqual(self.versions('wrong', 3), ['2', '2', '2'])

    def test_a_place_that_can_not_be_reached_fails_no_request_and_is_left_alone(self):
        with self.origin.udp('tcp') as hole:
            self.assertEqual(self.versions('dead', 3), ['2', '2', '2'])
            sent = self.asked(hole)
            self.assertEqual(self.versions('dead', 3, fetchd=self.fetchd), ['2', '2', '2'])
            self.assertTrue(sent)
            self.assertEqual(self.asked(hole), [], 'it was asked again')

    def asked(self, hole):
        """From where datagrams have come since it was asked last."""
        hole.setblocking(False)
        senders = []
        while True:
            try:
                senders.append(hole.recvfrom(2000)[1])
            except BlockingIOError:
                return senders

    def test_many_at_once_wait_for_one_try(self):
        with self.origin.udp('tcp') as hole, self.fetchd.connect() as c:
            self.good(c.get(self.at('/1k', 'dead')))
            ids = [c.fetch(self.at('/1k', 'dead'), connect_timeout_ms=15000) for _ in range(50)]
            for id in ids:
                self.assertEqual(self.good(c.finish(id)).response['http_version'], '2')
            self.assertEqual(len(set(self.asked(hole))), 1, 'sockets that knocked')

    def test_the_policy_holds_for_the_place(self):
        ports = self.origin.ports
        closed = self.start([ports['moved']])
        self.assertEqual(self.versions('moved', 3, fetchd=closed), ['2', '2', '2'])
        by_name = self.start(['localhost:%d' % port for port in ports.values()])
        self.assertEqual(self.versions('elsewhere', 3, fetchd=by_name), ['2', '2', '2'])
        self.assertEqual(self.versions('moved', 2, fetchd=by_name), ['2', '3'])

    def test_a_place_that_knows_nothing_of_the_origin_is_none(self):
        self.assertEqual(self.versions('led', 3), ['2', '2', '2'])
        other = self.start()
        with other.connect() as c:
            self.good(c.get(self.at('/1k', 'led')))
            answer = c.get(self.at('/1k', 'led'), method='POST', body=b'x')
            self.assertEqual(answer.status, 421)    # not asked again: it may have been done

    def test_clear_is_the_end_of_it(self):
        self.assertEqual(self.versions('cleared', 3), ['2', '2', '2'])

    def test_what_an_insecure_request_heard_is_not_believed(self):
        self.assertEqual(self.versions('moved', 3, insecure=True), ['2', '2', '2'])

    def test_what_one_session_heard_others_are_not_told(self):
        for name in ('one', 'two'):
            with self.fetchd.connect() as c:
                c.session('create', name=name)
            self.assertEqual(self.versions('moved', session=name), ['2', '3'])
        self.assertEqual(self.versions('moved'), ['2', '3'])

    def test_a_version_asked_for_is_kept_to(self):
        self.assertEqual(self.versions('h3', 1), ['2'])
        self.assertEqual(self.versions('h3', 2, http_version='2'), ['2', '2'])
        self.assertEqual(self.versions('h3', 2, http_version='1.1'), ['1.1', '1.1'])
        self.assertEqual(self.versions('h3', 1), ['3'])


class Stalled(Http3):
    """A client that does not read an answer costs its window and no more."""
    own_daemon = True

    def settle(self):
        return self.fetchd.settled_memory()

    def stall(self, streams, reads):
        self.fetchd = self.make(workers=1, settings={'log.level': 'info'}).start()
        self.addCleanup(self.fetchd.kill)
        with self.fetchd.connect(keep=False) as c:
            for id in [c.fetch(self.at('/1m'), http_version='3-only') for _ in range(2 * max(streams, 2))]:
                self.three(c.finish(id, 120))
        before = self.settle()
        with self.fetchd.connect(auto_credit=False, keep=False) as c:
            ids = [c.fetch(self.at('/100m'), http_version='3-only') for _ in range(streams)]
            if reads:
                c.until(lambda: all(c.answer(id).bytes >= 200000 for id in ids))
            self.settle()
            with self.fetchd.connect(keep=False) as other:
                for _ in range(4):      # over the same connection: its packets are read, the stalled ones' too
                    answer = self.three(other.get(self.at('/1m'), http_version='3-only'),
                                        sha256=self.nginx.hashes['1m'])
                    self.assertTrue(answer.done.get('reused'))
            after = self.settle()
            growth = {pid: after[pid] - size for pid, size in before.items()}
            print('h3, %d streams, %s: %s' % (streams, 'no credit' if reads else 'not read', ', '.join(
                '%+.1f MiB' % (size / MIB) for size in growth.values())))
            self.assertLess(max(growth.values()), paths.bound(LIMIT), growth)
            self.assertFalse(any(c.answer(id).done for id in ids), 'a stalled request ended')
        self.fetchd.until_idle()
        self.fetchd.stop()

    def test_one_stream_not_read(self):
        self.stall(1, False)

    def test_50_streams_not_read(self):
        self.stall(50, False)

    def test_50_streams_without_credit(self):
        self.stall(50, True)

    def test_a_stream_that_stalled_goes_on_where_it_was(self):
        with self.make() as fetchd, fetchd.connect(auto_credit=False, keep=False) as c:
            ids = [c.fetch(self.at('/100m'), http_version='3-only') for _ in range(3)]
            c.until(lambda: all(c.answer(id).bytes >= 200000 for id in ids))
            c.auto_credit = True
            for id in ids:
                c.grant(id, least=0)
                self.three(c.finish(id, 120), sha256=self.nginx.hashes['100m'])

    def test_a_reader_in_small_steps_gets_it_all(self):
        with self.make() as fetchd, fetchd.connect(keep=False) as c:
            ids = [c.fetch(self.at('/1m'), http_version='3-only', window=8192) for _ in range(3)]
            for id in ids:
                self.three(c.finish(id), sha256=self.nginx.hashes['1m'])


if __name__ == '__main__':
    tap.main()
