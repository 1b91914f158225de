"""The worker's WebSockets: beside python3-websockets, and a raw peer that does what no server should.

RFC6455 at the end names, section by section, the test of each MUST that concerns a client.
"""
import base64
import os
import re
import socket
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]
from socket_worker import BINARY, CLOSE, PING, PONG, TEXT, SocketWorker  # noqa: E402
from support import certs, paths, proc, tap  # noqa: E402
from support.protocol import CHARGE, STREAM_WINDOW, text  # noqa: E402
from support.tunnels import Tunnel  # noqa: E402
from support.wspeer import CONT, Echo, Gone, RawPeer, close, frame  # noqa: E402

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
WINDOW = 256 * KIB                          # what a client may have on its way to the peer
SLOW = bool(os.environ.get('FETCHD_SLOW'))  # everything, as often and as long as it takes


class Site:
    made = None

    def __init__(self):
        self.folder = paths.folder('ws')
        self.authority = certs.Authority(self.folder)
        self.leaf = self.authority.leaf('peer')
        self.ca = self.authority.cert_path.read_bytes()
        self.echo = Echo(self.leaf)

    @classmethod
    def get(cls):
        cls.made = cls.made or cls()
        return cls.made


class Case(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        if not paths.WORKER.exists():
            raise RuntimeError('not built: %s' % paths.WORKER)
        cls.site = Site.get()
        cls.echo = cls.site.echo

    @classmethod
    def tearDownClass(cls):
        pass

    def worker(self, **more):
        settings = dict(ca_pem=self.site.ca, egress_allow=['127.0.0.1'])
        return SocketWorker(**{**settings, **more})

    def peer(self, handler, tls=True, **more):
        """A raw peer; check() is called at the end of the test."""
        raw = RawPeer(handler, self.site.leaf if tls else None, **more)
        self.addCleanup(raw.stop)
        return raw

    def failed(self, answer, *names):
        self.assertIn(answer.error, names, answer.done)
        return answer.done['error']

    def closed(self, done, code=1000, reason=None):
        self.assertNotIn('error', done)
        self.assertEqual(done.get('close_code'), code, done)
        if reason is not None:
            self.assertEqual(done.get('close_reason', ''), reason)
        return done

    def converse(self, handler, talk=None, open=True, tls=True, **options):
        """One WebSocket with a raw peer: `talk(worker, id)`, then its DONE. Returns the Answer."""
        raw = self.peer(handler, tls)
        with self.worker() as w:
            id = w.open(raw.url(), **options) if open else w.begin(raw.url(), **options)
            if talk:
                talk(w, id)
            answer = w.finish(id)
        raw.check()
        return answer


# ---- 4: the handshake ----

class Handshake(Case):
    def ask(self, **options):
        """The request that a peer sees."""
        seen = []

        def handler(peer):
            peer.open()
            seen.append(peer)
            peer.send(close(1000))
            peer.expect_close()
            peer.end()
        raw = self.peer(handler)
        with self.worker() as w:
            url = options.pop('url', raw.url('/path?query=1'))
            self.closed(w.finish(w.begin(url, **options)).done)
        raw.check()
        self.raw = raw
        return seen[0]

    def test_the_request_is_what_the_standard_wants(self):
        peer = self.ask()
        self.assertEqual(peer.request_line, 'GET /path?query=1 HTTP/1.1')
        self.assertEqual(peer.headers['host'], 'localhost:%d' % self.raw.port)
        self.assertEqual(peer.headers['upgrade'].lower(), 'websocket')
        self.assertIn('upgrade', [t.strip().lower() for t in peer.headers['connection'].split(',')])
        self.assertEqual(peer.headers['sec-websocket-version'], '13')
        self.assertEqual(len(base64.b64decode(peer.headers['sec-websocket-key'], validate=True)), 16)
        self.assertNotIn('sec-websocket-extensions', peer.headers)
        self.assertNotIn('sec-websocket-protocol', peer.headers)
        for name in ('upgrade', 'connection', 'host', 'sec-websocket-key', 'sec-websocket-version'):
            self.assertEqual(sum(n.lower() == name for n, _ in peer.header_lines), 1, name)

    def test_the_server_name_is_indicated(self):
        self.ask()
        self.assertEqual(self.raw.names, ['localhost'])

    def test_each_key_is_new(self):
        keys = []

        def handler(peer):
            keys.append(peer.request()['sec-websocket-key'])
            peer.answer('404 Not Found', headers=[('Content-Length', '0')])
        raw = self.peer(handler)
        with self.worker() as w:
            for _ in range(20):
                w.finish(w.begin(raw.url()))
        self.assertEqual(len(set(keys)), 20)

    def test_headers_cookies_and_credentials_are_sent(self):
        peer = self.ask(headers=[['Origin', 'https://app.example'], ['Cookie', 'a=b'], ['X-Mine', 'yes']],
                        credentials=b'user:pass')
        self.assertEqual(peer.headers['origin'], 'https://app.example')
        self.assertEqual(peer.headers['cookie'], 'a=b')
        self.assertEqual(peer.headers['x-mine'], 'yes')
        self.assertEqual(peer.headers['authorization'], 'Basic ' + base64.b64encode(b'user:pass').decode())

    def test_subprotocols_are_offered_in_order_and_the_choice_is_told(self):
        with self.worker() as w:
            id = w.open(self.echo.url(), subprotocols=['chat', 'first'])
            self.assertEqual(w.answer(id).header('Sec-WebSocket-Protocol'), 'first')
            self.closed(w.bye(id))
        peer = self.ask(subprotocols=['chat', 'v2.chat'])
        self.assertEqual(peer.headers['sec-websocket-protocol'], 'chat, v2.chat')

    def test_nothing_is_sent_before_the_answer(self):
        def handler(peer):
            peer.request()
            peer.sock.settimeout(0.3)
            with self.assertRaises(TimeoutError):
                peer.sock.recv(1)
            peer.sock.settimeout(60)
            peer.answer()
            peer.expect_close()
            peer.send(close(1000))
            peer.end()
        self.closed(self.converse(handler, lambda w, id: w.message(id, CLOSE, code=1000),
                                  ping_interval_ms=50).done)

    def test_the_answer_is_told_with_its_headers(self):
        def handler(peer):
            peer.open(headers=[('X-One', '1'), ('x-one', '2')], then=close(1000))
            peer.expect_close()
            peer.end()
        answer = self.converse(handler, open=False)
        self.assertEqual(answer.status, 101)
        self.assertEqual([text(v) for n, v in answer.response['headers'] if text(n).lower() == 'x-one'], ['1', '2'])
        self.assertEqual(answer.response['http_version'], '1.1')

    # ---- answers that are wrong ----

    def wrong(self, name='websocket.protocol', told_status=None, **answer):
        def handler(peer):
            peer.request()
            peer.answer(**answer)
            try:
                peer.expect_end()
            except AssertionError as error:
                raise AssertionError('the client goes on: %s' % error) from None
        told = self.converse(handler, open=False)
        error = self.failed(told, name)
        self.assertEqual(told.done.get('status'), told_status)
        return told, error

    def test_an_answer_without_upgrade_or_with_another_is_refused(self):
        for value in (None, '', 'h2c', 'websocket2'):
            with self.subTest(value=value):
                self.wrong(upgrade=value)

    def test_the_case_of_upgrade_and_connection_does_not_matter(self):
        def handler(peer):
            peer.open(upgrade='WebSocket', connection='keep-alive, UPGRADE', then=close(1000))
            peer.expect_close()
            peer.end()
        self.closed(self.converse(handler, open=False).done)

    def test_an_answer_without_connection_upgrade_is_refused(self):
        for value in (None, 'keep-alive', 'not-upgrade'):
            with self.subTest(value=value):
                self.wrong(connection=value)

    def test_a_wrong_accept_is_refused(self):
        for value in (None, '', 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='):
            with self.subTest(value=value):
                self.wrong(accept=value)

    def test_an_accept_that_stands_twice_is_refused(self):
        def handler(peer):
            peer.request()
            key = peer.headers['sec-websocket-key']
            from support.wspeer import accept_key
            peer.answer(headers=[('Sec-WebSocket-Accept', accept_key(key))])
            peer.expect_end()
        self.failed(self.converse(handler, open=False), 'websocket.protocol')

    def test_an_extension_that_was_not_offered_is_refused(self):
        self.wrong(headers=[('Sec-WebSocket-Extensions', 'permessage-deflate')])

    def test_a_subprotocol_that_was_not_offered_is_refused(self):
        self.wrong(headers=[('Sec-WebSocket-Protocol', 'chat')])

        def handler(peer):
            peer.open(headers=[('Sec-WebSocket-Protocol', 'chat, other')])
            peer.expect_end()
        self.failed(self.converse(handler, open=False, subprotocols=['chat', 'other']), 'websocket.protocol')

    def test_an_answer_that_is_not_101_is_told_and_refused(self):
        for status in ('200 OK', '400 Bad Request', '401 Unauthorized', '403 Forbidden', '404 Not Found',
                       '426 Upgrade Required', '500 Oops', '503 Busy', '302 Found'):
            with self.subTest(status=status):
                told, error = self.wrong('websocket.refused', int(status[:3]), status=status, upgrade=None,
                                         connection=None, accept=None,
                                         headers=[('X-Why', 'because'), ('Content-Length', '4'), ('Location', '/x')],
                                         then=b'body')
                self.assertEqual(told.status, int(status[:3]))
                self.assertEqual(told.header('X-Why'), 'because')
                self.assertIn(status[:3], error['message'])

    def test_interim_answers_are_passed_over(self):
        def handler(peer):
            peer.request()
            peer.send(b'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n')
            peer.answer(then=close(1000))
            peer.expect_close()
            peer.end()
        self.closed(self.converse(handler, open=False).done)

    def test_the_connection_ends_before_the_answer(self):
        answer = self.converse(lambda peer: peer.request() and peer.end(), open=False)
        self.failed(answer, 'receive.empty', 'receive.failed')

    # ---- what is not sent at all ----

    def test_requests_that_can_not_be_are_refused(self):
        with self.worker() as w:
            for options in (dict(method='POST'), dict(body=b'x'), dict(body_streamed=True),
                            dict(headers=[['Sec-WebSocket-Key', 'x']]),
                            dict(headers=[['sec-websocket-protocol', 'chat']]),
                            dict(headers=[['Sec-WebSocket-Extensions', 'x']]),
                            dict(headers=[['Upgrade', 'x']]), dict(headers=[['Connection', 'x']]),
                            dict(subprotocols=['a b']), dict(subprotocols=['']), dict(subprotocols=['a\r\nX: y']),
                            dict(subprotocols=['a', 'b', 'a']), dict(url=self.echo.url('/echo#fragment'))):
                with self.subTest(**options):
                    url = options.pop('url', self.echo.url())
                    self.failed(w.finish(w.begin(url, **options)), 'request.invalid')

    def test_redirects_are_followed_when_asked_and_the_scheme_becomes_ws(self):
        def handler(peer):
            peer.request()
            location = dict(p.split('=', 1) for p in peer.request_line.split()[1].partition('?')[2].split('&'))['to']
            peer.answer('302 Found', upgrade=None, connection=None, accept=None,
                        headers=[('Location', location), ('Content-Length', '0')])
        raw = self.peer(handler)
        with self.worker() as w:
            for to in (self.echo.url(), self.echo.url().replace('wss:', 'https:'), '/again?to=' + self.echo.url()):
                with self.subTest(to=to):
                    id = w.open(raw.url('/?to=' + to), follow=True)
                    answer = w.answer(id)
                    self.assertEqual(answer.response['url'], self.echo.url())
                    self.assertTrue(answer.hops[-1]['url'].startswith('wss:'))
                    w.say(id, 'there')
                    self.assertEqual(w.hear(id), ('there', TEXT))
                    self.closed(w.bye(id))
            for to in ('ftp://localhost/', 'javascript:alert(1)'):
                self.failed(w.finish(w.begin(raw.url('/?to=' + to), follow=True)), 'redirect.invalid')
            self.failed(w.finish(w.begin(raw.url('/?to=/x'))), 'websocket.refused')


class Way(Case):
    """How the connection is made."""

    def test_without_tls(self):
        echo = Echo()
        self.addCleanup(echo.stop)
        with self.worker() as w:
            id = w.open(echo.url())
            w.say(id, os.urandom(MIB))
            self.assertEqual(len(w.hear(id)[0]), MIB)
            self.closed(w.bye(id))

    def test_through_proxies(self):
        with self.worker() as w:
            for scheme in ('http', 'socks5', 'socks5h'):
                for login in ({}, dict(user='me', password='secret')):
                    with self.subTest(scheme=scheme, **login), Tunnel(scheme, **login) as proxy:
                        id = w.open(self.echo.url(), proxy=proxy.url)
                        w.say(id, 'through')
                        self.assertEqual(w.hear(id), ('through', TEXT))
                        self.closed(w.bye(id))
                        self.assertTrue(proxy.targets[0].endswith(':%d' % self.echo.port), proxy.targets)

    def test_proxies_that_refuse_have_names(self):
        with self.worker() as w, Tunnel(user='me', password='secret') as strict, Tunnel(refuse=502) as broken:
            self.failed(w.finish(w.begin(self.echo.url(), proxy='http://127.0.0.1:%d' % strict.port)), 'proxy.auth')
            self.failed(w.finish(w.begin(self.echo.url(), proxy=broken.url)), 'proxy.target')

    def test_a_certificate_that_is_not_trusted_is_refused(self):
        with self.worker(ca_pem=b'') as w:
            self.failed(w.finish(w.begin(self.echo.url())), 'tls.certificate')
            id = w.open(self.echo.url(), ca_pem=self.site.ca)
            self.closed(w.bye(id))
            id = w.open(self.echo.url(), insecure=True)
            self.closed(w.bye(id))
        with self.worker() as w:
            wrong = RawPeer(lambda peer: None, self.site.authority.wrong_name())
            self.addCleanup(wrong.stop)
            self.failed(w.finish(w.begin(wrong.url())), 'tls.certificate')

    def test_the_egress_rules_hold(self):
        with self.worker(egress_allow=[]) as w:
            error = self.failed(w.finish(w.begin(self.echo.url())), 'policy.denied')
            self.assertIn('egress', error['message'])

    def test_partitions_share_nothing(self):
        with self.worker() as w:
            ids = [w.open(self.echo.url(), principal=n) for n in (1, 2, 3)]
            self.assertEqual(w.next_beat()['partitions'], 3)
            self.assertEqual(w.next_beat().get('connections', 0), 3)
            for id in ids:
                self.closed(w.bye(id))

    def test_deadlines_hold_until_the_answer_and_the_total_until_the_end(self):
        def handler(peer):
            peer.request()
            peer.expect_end()
        raw = self.peer(handler)
        with self.worker() as w:
            answer = w.finish(w.begin(raw.url(), headers_timeout_ms=200))
            self.failed(answer, 'timeout.headers')
            id = w.open(self.echo.url(), headers_timeout_ms=200, idle_timeout_ms=100)
            w.pass_time(0.5)
            self.assertIsNone(w.answer(id).done)
            self.closed(w.bye(id))
            id = w.open(self.echo.url(), total_timeout_ms=300)
            self.failed(w.finish(id), 'timeout.total')
        raw.check()

    def test_the_connection_cap_counts_them(self):
        with self.worker(connections=5) as w:
            ids = [w.open(self.echo.url()) for _ in range(5)]
            error = self.failed(w.finish(w.begin(self.echo.url())), 'overloaded')
            self.assertTrue(error['retryable'])
            self.closed(w.bye(ids[0]))
            w.open(self.echo.url())

    def test_done_says_what_it_cost(self):
        with self.worker() as w:
            id = w.open(self.echo.url())
            w.say(id, bytes(100000))
            w.hear(id)
            w.pass_time(0.2)
            done = self.closed(w.bye(id))
        self.assertGreater(done['bytes_sent'], 100000)
        self.assertGreater(done['bytes_received'], 100000)
        self.assertEqual(done['body_bytes'], 100000)
        self.assertGreater(done['total_us'], 200000)
        self.assertGreater(done['tls_us'], 0)
        self.assertEqual(done['remote'], '127.0.0.1:%d' % self.echo.port)
        self.assertEqual(done['status'], 101)


# ---- 5: frames, from the peer ----

class Receiving(Case):
    def hear(self, *frames, **options):
        """What a client hears when a peer sends these and a close."""
        def handler(peer):
            peer.open()
            for one in frames:
                peer.send(one)
            peer.send(close(1000))
            while True:
                fin, opcode, _ = peer.read()
                if opcode == CLOSE:
                    break
            peer.end()
        raw = self.peer(handler)
        with self.worker() as w:
            id = w.begin(raw.url(), **options)
            answer = w.finish(id)
            raw.check()
            self.closed(answer.done)
            self.assertEqual(answer.heard[-1], (CLOSE, b'', False, 1000))
            self.heard = answer.heard[:-1]
            return w.messages(id)[:-1]

    def test_messages_of_every_length(self):
        sizes = (0, 1, 125, 126, 127, 65535, 65536, 65537, 200000)
        messages = self.hear(*[frame(BINARY, bytes([i]) * n) for i, n in enumerate(sizes)])
        self.assertEqual(messages, [(bytes([i]) * n, BINARY) for i, n in enumerate(sizes)])

    def test_a_message_up_to_a_frame_of_ours_is_whole_and_a_larger_one_in_pieces(self):
        self.hear(*[frame(BINARY if i else TEXT, b'x' * 1000, fin=i == 64) if i == 0 else
                    frame(CONT, b'x' * 1000, fin=i == 64) for i in range(65)])
        self.assertEqual([(len(h.data), h.more) for h in self.heard], [(65000, False)])
        self.hear(frame(TEXT, b'x' * 70000))
        self.assertGreater(len(self.heard), 1)
        self.assertEqual([h.more for h in self.heard], [True] * (len(self.heard) - 1) + [False])

    def test_fragments_come_as_they_are_when_asked_for(self):
        self.hear(frame(TEXT, b'one', fin=False), frame(CONT, b'two', fin=False), frame(CONT, b'three'),
                  frame(BINARY, b'four'), fragments=True)
        self.assertEqual(b''.join(h.data for h in self.heard), b'onetwothreefour')
        self.assertEqual([h.kind for h in self.heard][-1], BINARY)

        def handler(peer):
            peer.open()
            peer.send(frame(TEXT, b'first', fin=False))
            peer.expect(PING, b'go on')
            peer.send(frame(CONT, b'last'))
            peer.expect_close()
            peer.send(close(1000))
            peer.end()

        def talk(w, id):
            w.until(lambda: w.answer(id).heard)
            self.assertEqual(w.answer(id).heard[0], (TEXT, b'first', True, 0))
            w.message(id, PING, b'go on')
            self.assertEqual(w.hear(id), ('firstlast', TEXT))
            w.message(id, CLOSE, code=1000)
        self.closed(self.converse(handler, talk, fragments=True).done)

    def test_without_being_asked_no_fragment_comes_before_the_message_is_whole(self):
        def handler(peer):
            peer.open()
            peer.send(frame(TEXT, b'first', fin=False) + frame(PING, b'between'))
            peer.expect(PONG, b'between')
            peer.expect(PING, b'now')
            peer.send(frame(CONT, b'last'))
            peer.expect_close()
            peer.send(close(1000))
            peer.end()

        def talk(w, id):
            w.until(lambda: w.answer(id).heard)
            self.assertEqual(w.answer(id).heard, [(PING, b'between', False, 0)])
            w.message(id, PING, b'now')
            w.forget(id)
            w.until(lambda: w.answer(id).heard)
            self.assertEqual(w.answer(id).heard[0], (TEXT, b'firstlast', False, 0))
            w.message(id, CLOSE, code=1000)
        self.closed(self.converse(handler, talk).done)

    def test_control_frames_within_fragments_are_delivered_between(self):
        messages = self.hear(frame(TEXT, b'a', fin=False), frame(PING, b'p'), frame(CONT, b'b', fin=False),
                             frame(PONG, b'o'), frame(CONT, b'c'), fragments=True)
        self.assertEqual(messages, [(b'p', PING), (b'o', PONG), ('abc', TEXT)])
        self.assertEqual([h.kind for h in self.heard], [TEXT, PING, TEXT, PONG, TEXT])

    def test_frames_in_one_segment_with_the_answer(self):
        for count in (1, 3, 500):
            with self.subTest(count=count):
                def handler(peer):
                    peer.open(then=b''.join(frame(TEXT, b'early %d' % i) for i in range(count)) + close(1000))
                    peer.expect_close()
                    peer.end()
                raw = self.peer(handler)
                with self.worker() as w:
                    id = w.begin(raw.url())
                    w.finish(id)
                    self.assertEqual(w.messages(id)[:-1], [('early %d' % i, TEXT) for i in range(count)])
                raw.check()

    def test_a_frame_with_the_answer_comes_though_nothing_follows(self):
        """No poll sees it: it was read with the answer's head."""
        def handler(peer):
            peer.open(then=frame(TEXT, b'early'))
            peer.expect_close()
            peer.send(close(1000))
            peer.end()

        def talk(w, id):
            self.assertEqual(w.hear(id, seconds=5), ('early', TEXT))
            w.message(id, CLOSE, code=1000)
        for tls in (True, False):
            for _ in range(20):
                self.closed(self.converse(handler, talk, tls=tls).done)

    def test_a_large_burst_that_tls_decrypts_at_once_is_read_to_its_end(self):
        """Many small frames in one TLS record: the kernel has nothing more after the first read."""
        def handler(peer):
            peer.open()
            peer.expect(TEXT)
            peer.send(b''.join(frame(TEXT, b'%d' % i) for i in range(2000)))
            peer.expect_close()
            peer.send(close(1000))
            peer.end()

        def talk(w, id):
            w.say(id, 'go')
            self.assertEqual(w.hear(id, 2000, seconds=10), [('%d' % i, TEXT) for i in range(2000)])
            w.message(id, CLOSE, code=1000)
        self.closed(self.converse(handler, talk).done)

    def test_a_peer_that_sends_byte_by_byte(self):
        def handler(peer):
            peer.request()
            whole = (b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                     b'Sec-WebSocket-Accept: ' + accept(peer) + b'\r\n\r\n' + frame(TEXT, 'grün'.encode(), fin=False)
                     + frame(PING, b'pp') + frame(CONT, b'!' * 200) + close(1000, b'bye'))
            for byte in whole:
                peer.send(bytes([byte]))
            peer.expect(PONG, b'pp')
            peer.expect_close(1000)
            peer.end()
        raw = self.peer(handler)
        with self.worker() as w:
            id = w.begin(raw.url())
            self.closed(w.finish(id).done, 1000, 'bye')
            self.assertEqual(w.messages(id), [(b'pp', PING), ('grün' + '!' * 200, TEXT), (b'bye', CLOSE)])
        raw.check()

    def test_pings_are_answered_with_the_same_data(self):
        def handler(peer):
            peer.open()
            for data in (b'', b'x', os.urandom(125)):
                peer.send(frame(PING, data))
                peer.expect(PONG, data)
            peer.send(frame(TEXT, b'a', fin=False) + frame(PING, b'within') + frame(CONT, b'b'))
            peer.expect(PONG, b'within')
            peer.send(close(1000))
            peer.expect_close(1000)
            peer.end()
        raw = self.peer(handler)
        with self.worker() as w:
            id = w.begin(raw.url())
            self.closed(w.finish(id).done)
            self.assertEqual([m[1] for m in w.messages(id)], [PING] * 4 + [TEXT, CLOSE])
        raw.check()


def accept(peer):
    from support.wspeer import accept_key
    return accept_key(peer.headers['sec-websocket-key']).encode()


class Breaches(Case):
    """A peer that breaks the protocol gets a close with the code for it, and the client an error."""

    def breach(self, code, *frames, name=None, heard=None, tls=True, **options):
        def handler(peer):
            peer.open()
            try:
                for one in frames:
                    peer.send(one)
            except Gone:
                pass
            while True:
                fin, opcode, data = peer.read()
                if opcode == CLOSE:
                    break
            assert int.from_bytes(data[:2], 'big') == code, (data, code)
            peer.end()
            peer.expect_end()
        raw = self.peer(handler, tls)
        with self.worker() as w:
            id = w.begin(raw.url(), **options)
            answer = w.finish(id)
            raw.check()
            error = self.failed(answer, name or 'websocket.protocol')
            self.assertEqual(answer.done['close_code'], 1006)
            self.assertNotIn('retryable', error)
            if heard is not None:
                self.assertEqual(w.messages(id), heard)

    def test_reserved_bits(self):
        for bits in (1, 2, 4, 7):
            with self.subTest(bits=bits):
                self.breach(1002, frame(TEXT, b'before'), frame(TEXT, b'x', reserved=bits), frame(TEXT, b'after'),
                            heard=[('before', TEXT)])

    def test_reserved_opcodes(self):
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
            with self.subTest(opcode=opcode):
                self.breach(1002, frame(opcode, b'x'), heard=[])

    def test_masked_frames(self):
        self.breach(1002, frame(TEXT, b'x', mask=b'abcd'), heard=[])

    def test_control_frames_that_are_fragmented_or_too_long(self):
        for opcode in (CLOSE, PING, PONG):
            with self.subTest(opcode=opcode):
                self.breach(1002, frame(opcode, b'', fin=False), heard=[])
                self.breach(1002, frame(opcode, b'x' * 126), heard=[])

    def test_continuations_of_nothing_and_messages_within_messages(self):
        self.breach(1002, frame(CONT, b'x'), heard=[])
        self.breach(1002, frame(CONT, b'x', fin=False), heard=[])
        self.breach(1002, frame(TEXT, b'x', fin=False), frame(TEXT, b'y'), heard=[])
        self.breach(1002, frame(TEXT, b'x', fin=False), frame(BINARY, b'y'), heard=[])

    def test_a_length_with_its_highest_bit_set(self):
        self.breach(1002, b'\x82\x7f\x80' + bytes(7) + b'x', heard=[])

    def test_text_that_is_not_utf8(self):
        for bad in (b'\xff', b'\xc3\x28', b'\xed\xa0\x80', b'\xf4\x90\x80\x80', b'\xc0\xaf', b'gr\xfcn'):
            with self.subTest(bad=bad):
                self.breach(1007, frame(TEXT, bad), heard=[])

    def test_text_whose_bad_character_is_split_over_fragments(self):
        self.breach(1007, frame(TEXT, b'\xe2', fin=False), frame(CONT, b'\x82', fin=False), frame(CONT, b'x'), heard=[])
        self.breach(1007, frame(TEXT, b'\xf0\x9f', fin=False), frame(PING), frame(CONT, b'\x9f\xff'))

    def test_text_that_ends_within_a_character(self):
        self.breach(1007, frame(TEXT, b'\xe2\x82'), heard=[])
        self.breach(1007, frame(TEXT, b'ok', fin=False), frame(CONT, b'\xe2', fin=False), frame(CONT, b''), heard=[])

    def test_bad_text_is_found_before_its_message_ends(self):
        self.breach(1007, frame(TEXT, b'x' * 1000 + b'\xff', length=1 << 40), max_message_bytes=1 << 50, heard=[])

    def test_binary_may_be_anything(self):
        def handler(peer):
            peer.open(then=frame(BINARY, bytes(range(256))) + close(1000))
            peer.expect_close()
            peer.end()
        raw = self.peer(handler)
        with self.worker() as w:
            id = w.begin(raw.url())
            w.finish(id)
            self.assertEqual(w.messages(id)[0], (bytes(range(256)), BINARY))
        raw.check()

    def test_close_codes_that_may_not_be(self):
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
            with self.subTest(code=code):
                self.breach(1002, close(code), heard=[])

    def test_a_close_with_half_a_code(self):
        self.breach(1002, frame(CLOSE, b'\x03'), heard=[])

    def test_a_reason_that_is_not_utf8(self):
        self.breach(1007, close(1000, b'\xff'), heard=[])

    def test_a_message_above_the_limit(self):
        self.breach(1009, frame(BINARY, b'x' * 1000), frame(BINARY, b'y' * 1001), name='message.too_large',
                    max_message_bytes=1000, heard=[(b'x' * 1000, BINARY)])
        self.breach(1009, frame(TEXT, b'x' * 900, fin=False), frame(CONT, b'x' * 101), name='message.too_large',
                    max_message_bytes=1000, heard=[])
        self.breach(1009, frame(BINARY, b'x', length=1 << 62), name='message.too_large', heard=[])

    def test_nothing_is_heard_of_what_follows_a_breach(self):
        self.breach(1002, frame(CONT, b''), frame(TEXT, b'x'), close(1000), frame(PING, b'p'), heard=[])

    def test_a_peer_that_floods_after_its_breach(self):
        def handler(peer):
            peer.open()
            peer.send(frame(3))
            try:
                while True:
                    peer.send(bytes(1 << 16))
            except Gone:
                pass
        raw = self.peer(handler, tls=False)
        with self.worker() as w:
            self.failed(w.finish(w.begin(raw.url(), close_timeout_ms=300)), 'websocket.protocol')
        raw.check()

    def test_a_breach_without_tls_is_told_too(self):
        self.breach(1002, frame(3), heard=[], tls=False)


# ---- 5: frames, to the peer ----

class Sending(Case):
    def test_what_is_said_arrives_framed_and_masked(self):
        def handler(peer):
            peer.open()
            assert peer.read() == (True, TEXT, 'grün'.encode())
            assert peer.read() == (True, BINARY, b'')
            for size in (125, 126, 65535, 65536):
                assert peer.read() == (True, BINARY, bytes(size))
            assert peer.read() == (False, TEXT, b'one')
            assert peer.read() == (True, PING, b'ping')
            assert peer.read() == (False, CONT, b'')
            assert peer.read() == (True, CONT, b'two')
            assert peer.read() == (True, PONG, b'unasked')
            peer.expect_close(1000)
            assert len(set(peer.masks)) > len(peer.masks) - 2, 'masks repeat'
            peer.send(close(1000))
            peer.end()

        def talk(w, id):
            w.say(id, 'grün')
            for size in (0, 125, 126, 65535, 65536):
                w.say(id, bytes(size))
            w.message(id, TEXT, 'one', more=True)
            w.message(id, PING, 'ping')
            w.message(id, TEXT, '', more=True)
            w.message(id, TEXT, 'two')
            w.message(id, PONG, 'unasked')
            w.message(id, CLOSE, code=1000)
        self.closed(self.converse(handler, talk).done)

    def test_a_pong_of_ours_does_not_split_a_frame(self):
        """The peer pings while it reads our large messages slowly."""
        def handler(peer):
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            peer.open()
            data, pongs, opcode = b'', 0, None
            for i in range(50):
                peer.send(frame(PING, b'%d' % i))
            while opcode != CLOSE:
                fin, opcode, payload = peer.read()
                data += payload if opcode in (BINARY, CONT) else b''
                pongs += opcode == PONG
            assert data == bytes(MIB), len(data)
            assert 1 <= pongs <= 50, pongs
            peer.send(close(1000))
            peer.end()

        def talk(w, id):
            w.say(id, bytes(MIB))
            w.message(id, CLOSE, code=1000)
        self.closed(self.converse(handler, talk).done)

    def test_a_client_that_breaks_the_protocol_ends_its_own_socket(self):
        for message in (dict(kind=3), dict(kind=0, data=b'x'), dict(kind=TEXT, data=b'\xff'),
                        dict(kind=PING, data=b'x' * 126), dict(kind=PING, more=True),
                        dict(kind=CLOSE, code=1005), dict(kind=CLOSE, code=999), dict(kind=CLOSE, data=b'x'),
                        dict(kind=CLOSE, code=1000, data=b'x' * 124), dict(kind=TEXT, code=1000)):
            with self.subTest(**message):
                def handler(peer):
                    peer.open()
                    peer.expect_close(1001)
                    peer.end()
                self.failed(self.converse(handler, lambda w, id: w.message(id, **message)), 'request.invalid')

    def test_a_message_of_another_kind_within_one_in_pieces_is_refused(self):
        def handler(peer):
            peer.open()
            while peer.read()[1] != CLOSE:
                pass
            peer.end()

        def talk(w, id):
            w.message(id, TEXT, 'a', more=True)
            w.message(id, BINARY, b'b')
        self.failed(self.converse(handler, talk), 'request.invalid')

    def test_flushed_comes_when_all_before_is_with_the_kernel(self):
        got = threading.Semaphore(0)

        def handler(peer):
            peer.open()
            got.acquire()
            size = 0
            while True:
                fin, opcode, data = peer.read()
                if opcode == CLOSE:
                    break
                size += len(data)
            assert size == self.sent, (size, self.sent)
            peer.send(close(1000))
            peer.end()
        raw = self.peer(handler, receive_bytes=4096)
        with self.worker() as w:
            id = w.open(raw.url())
            w.flush(id, 1)                             # nothing to wait for
            self.sent = 0
            stream = w.streams[id]
            while stream[3] >= 60000 + CHARGE:         # until the kernel takes no more
                w.message(id, BINARY, bytes(60000))
                self.sent += 60000
                w.pass_time(0.02)
            w.send('FLUSH', id, dict(token=2))
            w.pass_time(0.3)
            self.assertEqual(w.answer(id).flushed, [1])
            got.release()
            w.until(lambda: 2 in w.answer(id).flushed)
            self.closed(w.bye(id))
        raw.check()

    def test_a_peer_that_does_not_read_costs_a_window_and_no_more(self):
        go = threading.Event()

        def handler(peer):
            peer.open()
            go.wait(60)
            while peer.read()[1] != CLOSE:
                pass
            peer.send(close(1000))
            peer.end()
        raw = self.peer(handler, receive_bytes=4096)
        with self.worker() as w:
            id = w.open(raw.url())
            self.assertEqual(w.streams[id][3], WINDOW)
            stream = w.streams[id]
            before = proc.rss_bytes(w.pid)
            while True:
                if stream[3] < 60000 + CHARGE:
                    w.pass_time(0.2)
                    if stream[3] < 60000 + CHARGE:
                        break
                w.message(id, BINARY, bytes(60000))
            other = w.open(self.echo.url())             # others go on
            w.say(other, 'hello')
            self.assertEqual(w.hear(other, seconds=5), ('hello', TEXT))
            grown = proc.rss_bytes(w.pid) - before
            print('# grown by %d KiB for a peer that does not read' % (grown // KIB), file=sys.stderr)
            if not paths.sanitized():
                self.assertLess(grown, 2 * MIB)
            go.set()
            self.closed(w.bye(id))
        raw.check()

    def test_more_than_was_granted_breaks_the_channel(self):
        hold = threading.Event()
        self.addCleanup(hold.set)
        raw = self.peer(lambda peer: peer.open() and hold.wait(60), receive_bytes=4096)
        w = self.worker()
        id = w.open(raw.url())
        with self.assertRaises(OSError):
            while True:
                w.send('MESSAGE', id, dict(kind=BINARY, data=bytes(65536)))
        w.closed()
        self.assertNotEqual(w.close(), 0)
        self.assertIn('beyond its credit', w.lines())

    def test_messages_for_what_is_no_open_socket(self):
        with self.worker() as w:
            w.send('MESSAGE', 77, dict(kind=TEXT, data=b'late'))
            w.send('FLUSH', 77, dict(token=1))
            id = w.open(self.echo.url())
            self.closed(w.bye(id))
            w.send('MESSAGE', id, dict(kind=TEXT, data=b'late'))
            w.ping(1)


# ---- 7: the end ----

class Closing(Case):
    def test_a_close_of_ours_is_answered_and_the_answer_told(self):
        for code, reason in ((1000, 'bye'), (3000, ''), (4999, 'ü' * 61), (1001, ''), (0, '')):
            with self.subTest(code=code):
                def handler(peer):
                    peer.open()
                    data = peer.expect(CLOSE, code.to_bytes(2, 'big') + reason.encode() if code else b'')
                    peer.send(frame(CLOSE, data))
                    peer.end()
                coded = dict(code=code) if code else {}
                answer = self.converse(handler, lambda w, id: w.message(id, CLOSE, reason, **coded))
                self.closed(answer.done, code or 1005, reason)
                self.assertEqual(answer.heard, [(CLOSE, reason.encode(), False, code)])

    def test_a_close_of_the_peer_is_told_echoed_and_the_end_awaited(self):
        for code, reason in ((1000, b'bye'), (1011, b''), (3000, 'ü'.encode()), (None, b'')):
            with self.subTest(code=code):
                def handler(peer):
                    peer.open()
                    peer.send(close(code, reason))
                    assert peer.expect(CLOSE) == (code.to_bytes(2, 'big') if code else b'')
                    peer.end()
                    peer.expect_end()
                answer = self.converse(handler, open=False)
                self.closed(answer.done, code or 1005, reason.decode())
                self.assertEqual(answer.heard, [(CLOSE, reason, False, code or 0)])

    def test_a_peer_that_ends_its_half_with_its_close_still_gets_ours(self):
        for then, code in ((close(3000), 3000), (frame(3), 1002)):
            with self.subTest(code=code):
                def handler(peer):
                    peer.open(then=then)
                    peer.sock.shutdown(socket.SHUT_WR)
                    peer.expect_close(code)
                    peer.expect_end()
                answer = self.converse(handler, open=False, tls=False)
                if code == 1002:
                    self.failed(answer, 'websocket.protocol')
                else:
                    self.closed(answer.done, code)

    def test_messages_before_the_peers_close_are_delivered(self):
        def handler(peer):
            peer.open(then=b''.join(frame(TEXT, b'%d' % i) for i in range(100)) + close(1000))
            peer.expect_close()
            peer.end()
        raw = self.peer(handler)
        with self.worker() as w:
            id = w.begin(raw.url())
            w.finish(id)
            self.assertEqual(len(w.messages(id)), 101)
        raw.check()

    def test_messages_after_our_close_are_still_delivered(self):
        def handler(peer):
            peer.open()
            peer.expect_close()
            peer.send(frame(TEXT, b'late') + frame(PING, b'p'))
            peer.expect(PONG, b'p')
            peer.send(close(1000))
            peer.end()
            peer.expect_end()
        answer = self.converse(handler, lambda w, id: w.message(id, CLOSE, code=1000))
        self.closed(answer.done)
        self.assertEqual([h.kind for h in answer.heard], [TEXT, PING, CLOSE])

    def test_nothing_is_sent_after_a_close(self):
        def handler(peer):
            peer.open()
            peer.expect_close(1000)
            peer.sock.settimeout(0.3)
            try:
                peer.expect_end()
                raise AssertionError('the client ended the connection first')
            except TimeoutError:
                pass
            peer.sock.settimeout(60)
            peer.send(close(1000))
            peer.end()

        def talk(w, id):
            w.message(id, CLOSE, code=1000)
            w.message(id, TEXT, 'late')
            w.message(id, CLOSE, code=1001)
        self.closed(self.converse(handler, talk, ping_interval_ms=50).done)

    def test_a_close_waits_for_messages_before_it(self):
        def handler(peer):
            peer.open()
            size = 0
            while True:
                fin, opcode, data = peer.read()
                if opcode == CLOSE:
                    break
                size += len(data)
            assert size == 3 * MIB, size
            peer.send(close(1000))
            peer.end()

        def talk(w, id):
            w.say(id, bytes(3 * MIB))
            w.message(id, CLOSE, code=1000)
        self.closed(self.converse(handler, talk).done)

    def test_both_sides_close_at_once(self):
        def handler(peer):
            peer.open()
            peer.expect(TEXT)
            peer.send(close(1000))
            peer.expect_close(None)     # ours, or the echo of its own when that came first
            peer.end()

        def talk(w, id):
            w.say(id, 'go')
            w.message(id, CLOSE, code=1001)
        self.closed(self.converse(handler, talk).done)

    def test_an_end_without_close_is_told(self):
        for tls in (True, False):
            for how in ('end', 'reset'):
                with self.subTest(tls=tls, how=how):
                    def handler(peer):
                        peer.open(then=frame(TEXT, b'one') + frame(TEXT, b'tw', fin=False))
                        peer.expect(PING)
                        getattr(peer, how)()
                    answer = self.converse(handler, lambda w, id: w.hear(id) and w.message(id, PING), tls=tls)
                    error = self.failed(answer, 'websocket.closed')
                    self.assertEqual(answer.done['close_code'], 1006)
                    self.assertEqual(error['phase'], 'body')

    def test_messages_before_an_end_without_close_are_delivered(self):
        def handler(peer):
            peer.open(then=frame(TEXT, b'last words'))
            peer.end()
        raw = self.peer(handler)
        with self.worker() as w:
            id = w.begin(raw.url())
            self.failed(w.finish(id), 'websocket.closed')
            self.assertEqual(w.messages(id), [('last words', TEXT)])

    def test_an_end_after_our_close_without_the_peers_is_told(self):
        def handler(peer):
            peer.open()
            peer.expect_close()
            peer.end()
        answer = self.converse(handler, lambda w, id: w.message(id, CLOSE, code=1000))
        self.failed(answer, 'websocket.closed')
        self.assertEqual(answer.done['close_code'], 1006)

    def test_a_peer_that_never_answers_a_close(self):
        def handler(peer):
            peer.open()
            peer.expect_close()
            try:
                while True:
                    peer.send(frame(TEXT, b'I go on'))
                    time.sleep(0.02)
            except Gone:
                pass
        answer = self.converse(handler, lambda w, id: w.message(id, CLOSE, code=1000), close_timeout_ms=300)
        error = self.failed(answer, 'websocket.closed')
        self.assertIn('close_timeout_ms', error['message'])
        self.assertEqual(error['phase'], 'close')
        self.assertEqual(answer.done['close_code'], 1006)

    def test_a_peer_that_never_ends_the_connection_after_both_closes(self):
        def handler(peer):
            peer.open(then=close(1000))
            peer.expect_close()
            peer.expect_end()
        self.closed(self.converse(handler, open=False, close_timeout_ms=300).done)

    def test_a_peer_that_reads_nothing_does_not_keep_a_close(self):
        release = threading.Event()

        def handler(peer):
            peer.open()
            release.wait(60)
        raw = self.peer(handler, receive_bytes=4096)
        with self.worker() as w:
            id = w.open(raw.url(), close_timeout_ms=300)
            stream = w.streams[id]
            while stream[3] >= 60000 + CHARGE:
                w.message(id, BINARY, bytes(60000))
                w.pass_time(0.05)
            w.message(id, CLOSE, code=1000)
            self.failed(w.finish(id), 'websocket.closed')
            release.set()

    def test_cancel_tells_the_peer_and_ends_at_once(self):
        def handler(peer):
            peer.open()
            peer.expect_close(1001)
            peer.expect_end()
        answer = self.converse(handler, lambda w, id: w.cancel(id))
        self.failed(answer, 'cancelled')

    def test_cancel_during_the_handshake(self):
        def handler(peer):
            peer.request()
            peer.expect_end()
        raw = self.peer(handler)
        with self.worker() as w:
            id = w.begin(raw.url())
            proc.until(lambda: raw.connections)
            w.pass_time(0.1)
            w.cancel(id)
            self.failed(w.finish(id), 'cancelled')
        raw.check()

    def test_the_worker_ends_with_its_channel(self):
        w = self.worker()
        for _ in range(20):
            w.open(self.echo.url(), ping_interval_ms=100)
        self.assertEqual(w.close(), 0)

    def test_no_descriptor_is_left(self):
        def evil(peer):
            peer.open(then=frame(3))
        raw = self.peer(evil)
        with self.worker() as w:
            self.closed(w.bye(w.open(self.echo.url())))
            before = proc.fds(w.pid)
            for round in range(10):
                ids = [w.open(self.echo.url()) for _ in range(10)]
                for id in ids[:5]:
                    self.closed(w.bye(id))
                for id in ids[5:]:
                    w.cancel(id)
                    w.finish(id)
                w.finish(w.begin(raw.url(), close_timeout_ms=200))
                w.finish(w.begin(self.echo.url('/close')))
            self.assertEqual(proc.fds(w.pid), before)
            beat = w.next_beat()
            self.assertEqual(beat.get('connections', 0), 0)
            self.assertEqual(beat.get('close_wait', 0), 0)


class Drain(Case):
    def test_open_sockets_are_closed_with_1001_at_the_deadline(self):
        def handler(peer):
            peer.open()
            data = peer.expect(CLOSE)
            assert data[:2] == b'\x03\xe9', data
            peer.send(frame(TEXT, b'in between') + frame(CLOSE, data))
            peer.end()
        raw = self.peer(handler)
        w = self.worker()
        ids = [w.open(raw.url()) for _ in range(5)]
        w.send('GOAWAY', 0, dict(drain_ms=600, reason='test'))
        w.pass_time(0.1)
        self.assertEqual([w.answer(id).done for id in ids], [None] * 5)
        for id in ids:
            answer = w.finish(id)
            self.closed(answer.done, 1001)
            self.assertEqual(answer.heard, [(TEXT, b'in between', False, 0), (CLOSE, b'', False, 1001)])
        self.assertEqual(w.exit_code(), 0)
        w.close()
        raw.check()

    def test_a_socket_that_opens_after_the_deadline_is_closed_too(self):
        go = threading.Event()

        def handler(peer):
            peer.request()
            go.wait(10)
            peer.answer()
            peer.expect_close(1001)
            peer.send(close(1001))
            peer.end()
        raw = self.peer(handler)
        w = self.worker()
        id = w.begin(raw.url())
        proc.until(lambda: raw.connections)
        w.send('GOAWAY', 0, dict(drain_ms=100))
        w.pass_time(0.3)
        go.set()
        self.closed(w.finish(id).done, 1001)
        self.assertEqual(w.exit_code(), 0)
        w.close()

    def test_a_peer_that_does_not_answer_does_not_keep_the_worker(self):
        def handler(peer):
            peer.open()
            peer.expect_close(1001)
            peer.expect_end()
        raw = self.peer(handler)
        w = self.worker()
        id = w.open(raw.url(), close_timeout_ms=200)
        w.send('GOAWAY', 0, dict(drain_ms=0))
        answer = w.finish(id)
        self.failed(answer, 'websocket.closed')
        self.assertEqual(answer.heard, [(CLOSE, b'', False, 1001)])
        self.assertEqual(w.exit_code(), 0)
        w.close()


# ---- credit ----

class Backpressure(Case):
    def test_a_client_without_credit_gets_nothing_but_pings_are_answered(self):
        def handler(peer):
            peer.open()
            peer.send(frame(TEXT, b'held'))
            for i in range(20):
                peer.send(frame(PING, b'%d' % i))
                peer.expect(PONG, b'%d' % i)
                peer.send(frame(BINARY, b'x' * 1000))
            peer.send(close(1000))
            peer.expect_close(1000)
            peer.end()
        raw = self.peer(handler)
        with self.worker() as w:
            id = w.open(raw.url(), window=0)
            raw.check()                              # the peer has had all its pongs, and the close
            w.pass_time(0.1)
            self.assertEqual(w.answer(id).heard, [])
            self.assertIsNone(w.answer(id).done)
            w.send('CREDIT', id, dict(bytes=WINDOW))
            self.closed(w.finish(id).done)
            self.assertEqual([m[1] for m in w.messages(id)], [TEXT] + [BINARY] * 20 + [CLOSE])

    def test_a_close_needs_no_credit(self):
        def handler(peer):
            peer.open()
            peer.expect_close(1000)
            peer.send(close(3000, b'bye'))
            peer.end()
        raw = self.peer(handler)
        with self.worker() as w:
            id = w.open(raw.url(), window=0)
            self.closed(w.bye(id), 3000, 'bye')
            self.assertEqual(w.answer(id).heard, [])
        raw.check()

    def test_a_tiny_window_is_enough(self):
        data = os.urandom(100000)

        def handler(peer):
            peer.open(then=frame(BINARY, data) + frame(TEXT, b'') + close(1000))
            peer.expect_close()
            peer.end()
        raw = self.peer(handler)
        with self.worker() as w:
            id = w.begin(raw.url(), window=1000)
            self.closed(w.finish(id).done)
            self.assertEqual(w.messages(id)[:2], [(data, BINARY), ('', TEXT)])
            self.assertLessEqual(max(len(h.data) for h in w.answer(id).heard), 1000 - CHARGE)

    def test_empty_messages_cost_credit(self):
        def handler(peer):
            peer.open(then=frame(TEXT) * 100)
            peer.expect_close()
            peer.send(close(1000))
            peer.end()
        raw = self.peer(handler)
        with self.worker(auto_credit=False) as w:
            id = w.open(raw.url(), window=10 * CHARGE)
            w.pass_time(0.2)
            self.assertEqual(len(w.answer(id).heard), 10)
            w.send('CREDIT', id, dict(bytes=90 * CHARGE))
            w.hear(id, 100)
            self.closed(w.bye(id))

    def test_a_small_message_is_not_split_for_want_of_credit(self):
        def handler(peer):
            peer.open(then=b''.join(frame(BINARY, bytes(3000)) for _ in range(200)) + close(1000))
            peer.expect_close()
            peer.end()
        raw = self.peer(handler)
        with self.worker() as w:
            id = w.begin(raw.url(), window=20000)
            self.closed(w.finish(id).done)
            self.assertEqual([len(h.data) for h in w.answer(id).heard], [3000] * 200 + [0])

    def flood(self, tls, bytes):
        """A peer sends; its client takes nothing. Returns how much the worker grew, and what it took."""
        sent = [0]
        stop = threading.Event()
        chunk = frame(BINARY, os.urandom(64 * KIB)) * 16

        def handler(peer):
            peer.open()
            peer.sock.settimeout(1)
            try:
                while sent[0] < bytes and not stop.is_set():
                    peer.sock.sendall(chunk)
                    sent[0] += len(chunk)
            except OSError:
                stop.wait(30)
        raw = self.peer(handler, tls)
        with self.worker(auto_credit=False) as w:
            id = w.open(self.echo.url())
            w.say(id, 'warm')
            w.hear(id)
            w.grant(id, 0)
            before = proc.rss_bytes(w.pid)
            flooded = w.open(raw.url())
            peak, heard = 0, 0
            end = time.monotonic() + 2.5
            while time.monotonic() < end:
                w.pass_time(0.1)
                peak = max(peak, proc.rss_bytes(w.pid) - before)
            heard = sum(len(h.data) + CHARGE for h in w.answer(flooded).heard)
            w.say(id, 'still here')                       # the other one goes on
            self.assertEqual(w.hear(id, seconds=5), ('still here', TEXT))
            w.cancel(flooded)
            w.finish(flooded)
            stop.set()
        return peak, heard

    def test_a_gib_for_a_client_that_does_not_read_costs_less_than_4_mib(self):
        for tls in (True, False):
            grown, heard = self.flood(tls, GIB)
            print('# %s: grown by %d KiB; the client had %d KiB' % ('wss' if tls else 'ws', grown // KIB, heard // KIB),
                  file=sys.stderr)
            self.assertLessEqual(heard, STREAM_WINDOW)
            if not paths.sanitized():
                self.assertLess(grown, 4 * MIB)

    def test_a_gib_arrives_whole_when_the_client_reads(self):
        total = (GIB if SLOW else 64 * MIB)
        with self.worker() as w:
            id = w.open(self.echo.url('/send?bytes=%d' % total), max_message_bytes=2 * GIB)
            answer, size, last = w.answer(id), 0, None

            def done():
                nonlocal size, last
                for heard in answer.heard:
                    size += len(heard.data)
                    last = heard
                answer.heard.clear()
                return last is not None and not last.more
            w.until(done, 120)
            self.assertEqual(size, total)
            self.closed(w.bye(id))

    def test_one_that_is_fast_does_not_starve_the_others(self):
        stop = threading.Event()
        chunk = frame(BINARY, bytes(64 * KIB)) * 16

        def handler(peer):
            peer.open()
            try:
                while not stop.is_set():
                    peer.send(chunk)
            except Gone:
                pass
        raw = self.peer(handler, tls=False)
        with self.worker(keep=False) as w:
            fast = w.open(raw.url(), max_message_bytes=0)
            id = w.open(self.echo.url())
            for i in range(50):
                w.say(id, 'hello')
                w.until(lambda: w.answer(id).heard, 20)
                w.forget(id)
                w.forget(fast)
            stop.set()
            w.cancel(fast)
            w.finish(fast)


class KeepAlive(Case):
    def test_pings_go_out_and_their_pongs_are_not_told(self):
        def handler(peer):
            peer.open()
            seen = set()
            for _ in range(5):
                data = peer.expect(PING)
                seen.add(data)
                peer.send(frame(PONG, data))
            assert len(seen) == 5, seen
            peer.send(close(1000))
            while peer.read()[1] != CLOSE:
                pass
            peer.end()
        answer = self.converse(handler, open=False, ping_interval_ms=50)
        self.closed(answer.done)
        self.assertEqual([h.kind for h in answer.heard], [CLOSE])

    def test_pongs_for_the_clients_pings_and_unasked_ones_are_told(self):
        def handler(peer):
            peer.open()
            peer.send(frame(PONG, b'unasked'))
            peer.expect(PING, b'mine')
            peer.send(frame(PONG, b'mine') + close(1000))
            peer.expect_close()
            peer.end()
        answer = self.converse(handler, lambda w, id: w.message(id, PING, 'mine'))
        self.assertEqual([(h.kind, h.data) for h in answer.heard], [(PONG, b'unasked'), (PONG, b'mine'), (CLOSE, b'')])

    def test_a_peer_that_is_silent_ends_with_timeout_pong(self):
        def handler(peer):
            peer.open()
            peer.expect(PING)
            peer.expect_close(1001)
            peer.expect_end()
        answer = self.converse(handler, open=False, ping_interval_ms=50, pong_timeout_ms=200)
        self.failed(answer, 'timeout.pong')
        self.assertEqual(answer.done['close_code'], 1006)

    def test_a_peer_that_is_gone_without_a_word_ends_with_timeout_pong(self):
        def handler(peer):
            peer.open()
            hold.wait(30)
        hold = threading.Event()
        raw = self.peer(handler, receive_bytes=4096)
        with self.worker() as w:
            id = w.open(raw.url(), ping_interval_ms=50, pong_timeout_ms=300)
            stream = w.streams[id]
            while stream[3] >= 60000 + CHARGE and not w.answer(id).done:   # so that the ping can't even leave
                w.message(id, BINARY, bytes(60000))
            self.failed(w.finish(id, 20), 'timeout.pong')
            hold.set()

    def test_any_byte_of_the_peers_is_a_sign_of_life(self):
        """A pong has to wait behind a large message: the peer can't split its frame."""
        def handler(peer):
            peer.open()
            peer.expect(PING)
            peer.send(frame(BINARY, b'', length=20))
            for _ in range(20):
                time.sleep(0.05)
                peer.send(b'x')
            peer.send(close(1000))
            while peer.read()[1] != CLOSE:
                pass
            peer.end()
        self.closed(self.converse(handler, open=False, ping_interval_ms=50, pong_timeout_ms=400).done)

    def test_a_client_that_does_not_read_is_not_blamed_on_the_peer(self):
        """The pong lies behind what our own client has not taken."""
        def handler(peer):
            peer.open()
            big = frame(BINARY, bytes(60000))

            def answer():
                try:
                    while True:
                        fin, opcode, data = peer.read()
                        if opcode == PING:
                            peer.sock.sendall(frame(PONG, data))
                        if opcode == CLOSE:
                            peer.sock.sendall(frame(CLOSE, data))
                            return peer.end()
                except (OSError, Gone):
                    pass
            for _ in range(20):
                peer.send(big)
            answer()
        raw = self.peer(handler, tls=False)
        with self.worker(auto_credit=False) as w:
            id = w.open(raw.url(), window=1000, ping_interval_ms=50, pong_timeout_ms=200)
            w.pass_time(1.2)
            self.assertIsNone(w.answer(id).done, 'the peer was given up')
            w.send('CREDIT', id, dict(bytes=8 * MIB))
            w.until(lambda: sum(len(h.data) for h in w.answer(id).heard) == 20 * 60000, 10)
            w.pass_time(0.5)
            self.closed(w.bye(id))

    def test_a_server_that_pings_keeps_an_idle_socket(self):
        seconds, interval = (3600, 20) if os.environ.get('FETCHD_HOUR') else (2, 0.1)

        def handler(peer):
            peer.open()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                peer.send(frame(PING, b'still there?'))
                peer.sock.settimeout(10)
                peer.expect(PONG, b'still there?')
                time.sleep(interval)
            peer.send(close(1000))
            peer.expect_close()
            peer.end()
        raw = self.peer(handler)
        with self.worker(auto_credit=False) as w:
            id = w.begin(raw.url(), window=1000)
            w.until(lambda: w.streams[id][3], 20)
            proc.until(lambda: raw.open == 0, seconds + 60)
            w.send('CREDIT', id, dict(bytes=MIB))
            self.closed(w.finish(id).done)
        raw.check()


# ---- other people's servers ----

class Others(Case):
    def test_a_thousand_times_twenty_messages_and_twenty_echoes(self):
        """The founding case: recv() that hangs with data in the TLS buffer."""
        with self.worker() as w:
            for round in range(1000):
                id = w.open(self.echo.url())
                said = ['message %d of %d' % (i, round) for i in range(20)]
                for one in said:
                    w.say(id, one)
                self.assertEqual(w.hear(id, 20, seconds=20), [(one, TEXT) for one in said])
                self.closed(w.bye(id))
            self.assertEqual(w.next_beat().get('connections', 0), 0)

    def test_text_and_binary_of_all_sizes(self):
        sizes = [0, 1, 125, 126, 65535, 65536, 65537, MIB, 16 * MIB] + ([64 * MIB] if SLOW else [])
        with self.worker() as w:
            id = w.open(self.echo.url())
            for size in sizes:
                data = os.urandom(size)
                w.say(id, data)
                self.assertEqual(w.hear(id), (data, BINARY))
                words = 'ä€🐕x' * (size // 10)
                w.say(id, words)
                self.assertEqual(w.hear(id), (words, TEXT))
            self.closed(w.bye(id))

    def test_64_mib_both_ways(self):
        data = os.urandom(MIB) * 64
        with self.worker() as w:
            id = w.open(self.echo.url())
            w.say(id, data)
            self.assertTrue(w.hear(id, seconds=120) == (data, BINARY))
            self.closed(w.bye(id))

    def test_random_fragments_with_pings_between(self):
        with self.worker() as w:
            for fragments in (False, True):
                id = w.open(self.echo.url('/fragments'), fragments=fragments)
                for size in (1, 10, 1000, 70000, MIB):
                    data = os.urandom(size)
                    w.say(id, data)
                    self.assertEqual(w.hear(id), (data, BINARY))
                self.closed(w.bye(id))

    def test_many_in_flight(self):
        with self.worker() as w:
            ids = [w.open(self.echo.url()) for _ in range(50)]
            for round in range(20):
                for id in ids:
                    w.say(id, '%d %d' % (id, round))
            for id in ids:
                self.assertEqual(w.hear(id, 20), [('%d %d' % (id, n), TEXT) for n in range(20)])
            for id in ids:
                w.message(id, CLOSE, code=1000)
            for id in ids:
                self.closed(w.finish(id).done)

    def test_close_codes_of_the_server(self):
        with self.worker() as w:
            for code in (1000, 1001, 1003, 1011, 3000, 4999):
                self.closed(w.finish(w.begin(self.echo.url('/close?code=%d' % code))).done, code, 'as asked')


# ---- the standard ----

RFC6455 = [
    ('3', 'MUST NOT use a fragment', 'Handshake.requests_that_can_not_be_are_refused'),
    ('4.1', 'proxy: connect through it', 'Way.through_proxies'),
    ('4.1', 'MUST NOT have two in state CONNECTING to an address',
     'e2e/test_websocket.py:test_one_is_under_way_at_a_time'),
    ('4.1', 'MUST fail when the connection fails', 'Way.proxies_that_refuse_have_names'),
    ('4.1', 'TLS handshake; MUST fail when it fails', 'Way.a_certificate_that_is_not_trusted_is_refused'),
    ('4.1', 'MUST use SNI', 'Handshake.the_server_name_is_indicated'),
    ('4.1', 'request 1-9: MUST be a GET with Host, Upgrade, Connection, Key, Version',
     'Handshake.the_request_is_what_the_standard_wants'),
    ('4.1', 'request 7: nonce MUST be random for each connection', 'Handshake.each_key_is_new'),
    ('4.1', 'request 10: subprotocols MUST be unique tokens', 'Handshake.requests_that_can_not_be_are_refused'),
    ('4.1', 'MUST wait for the answer before sending', 'Handshake.nothing_is_sent_before_the_answer'),
    ('4.1', 'answer 1: not 101', 'Handshake.an_answer_that_is_not_101_is_told_and_refused'),
    ('4.1', 'answer 1: redirects MAY be followed',
     'Handshake.redirects_are_followed_when_asked_and_the_scheme_becomes_ws'),
    ('4.1', 'answer 2: MUST fail without Upgrade: websocket',
     'Handshake.an_answer_without_upgrade_or_with_another_is_refused'),
    ('4.1', 'answer 2, 3: case does not matter', 'Handshake.the_case_of_upgrade_and_connection_does_not_matter'),
    ('4.1', 'answer 3: MUST fail without Connection: Upgrade',
     'Handshake.an_answer_without_connection_upgrade_is_refused'),
    ('4.1', 'answer 4: MUST fail with a wrong Accept', 'Handshake.a_wrong_accept_is_refused'),
    ('4.1', 'answer 5: MUST fail with an extension not asked for',
     'Handshake.an_extension_that_was_not_offered_is_refused'),
    ('4.1', 'answer 6: MUST fail with a subprotocol not asked for',
     'Handshake.a_subprotocol_that_was_not_offered_is_refused'),
    ('4.4', 'a version the server does not speak', 'Handshake.an_answer_that_is_not_101_is_told_and_refused'),
    ('5.1', 'client MUST mask', 'Sending.what_is_said_arrives_framed_and_masked'),
    ('5.1', 'MUST close on a masked frame', 'Breaches.masked_frames'),
    ('5.2', 'MUST fail on reserved bits', 'Breaches.reserved_bits'),
    ('5.2', 'MUST fail on unknown opcodes', 'Breaches.reserved_opcodes'),
    ('5.2', 'lengths MUST be minimal (sent)', 'Sending.what_is_said_arrives_framed_and_masked'),
    ('5.2', 'lengths of 7, 16, 64 bits', 'Receiving.messages_of_every_length'),
    ('5.2', 'highest bit of a length MUST be 0', 'Breaches.a_length_with_its_highest_bit_set'),
    ('5.3', 'a new mask for each frame', 'unit/test_wswriter.c:every_frame_has_a_mask_of_its_own'),
    ('5.4', 'MUST handle control frames within fragments',
     'Receiving.control_frames_within_fragments_are_delivered_between'),
    ('5.4', 'control frames MUST NOT be fragmented', 'Breaches.control_frames_that_are_fragmented_or_too_long'),
    ('5.4', 'fragments MUST be in order, none interleaved',
     'Breaches.continuations_of_nothing_and_messages_within_messages'),
    ('5.4', 'MUST support fragmented and unfragmented', 'Others.random_fragments_with_pings_between'),
    ('5.4', 'sent: fragments of one message, control between', 'Sending.what_is_said_arrives_framed_and_masked'),
    ('5.5', 'control frames MUST have at most 125 bytes', 'Breaches.control_frames_that_are_fragmented_or_too_long'),
    ('5.5', 'sent: at most 125 bytes, not fragmented', 'unit/test_wswriter.c:messages_that_can_not_be_sent_are_refused'),
    ('5.5.1', 'a body MUST begin with a code of two bytes', 'Breaches.a_close_with_half_a_code'),
    ('5.5.1', 'MUST NOT send data after a close', 'Closing.nothing_is_sent_after_a_close'),
    ('5.5.1', 'MUST answer a close', 'Closing.a_close_of_the_peer_is_told_echoed_and_the_end_awaited'),
    ('5.5.1', 'MUST close TCP after both', 'Closing.a_peer_that_never_ends_the_connection_after_both_closes'),
    ('5.5.2', 'MUST answer a ping', 'Receiving.pings_are_answered_with_the_same_data'),
    ('5.5.2', 'also after our close', 'Closing.messages_after_our_close_are_still_delivered'),
    ('5.5.2', 'also for a client that does not read',
     'Backpressure.a_client_without_credit_gets_nothing_but_pings_are_answered'),
    ('5.5.3', 'a pong MUST have the same data', 'Receiving.pings_are_answered_with_the_same_data'),
    ('5.5.3', 'only the newest ping need be answered', 'unit/test_wswriter.c:only_the_newest_pong_and_ping_are_sent'),
    ('5.5.3', 'an unsolicited pong is fine', 'KeepAlive.pongs_for_the_clients_pings_and_unasked_ones_are_told'),
    ('5.6', 'text is UTF-8 (sent)', 'Sending.a_client_that_breaks_the_protocol_ends_its_own_socket'),
    ('5.6', 'a fragment may end within a character',
     'unit/test_wsreader.c:a_character_may_be_split_over_fragments_and_frames_between'),
    ('5.6', 'binary is anything', 'Breaches.binary_may_be_anything'),
    ('5.8', 'frames of extensions not negotiated', 'Breaches.reserved_opcodes'),
    ('6.1', 'sent in frames, masked', 'Sending.what_is_said_arrives_framed_and_masked'),
    ('6.2', 'MUST remove fragmentation',
     'Receiving.a_message_up_to_a_frame_of_ours_is_whole_and_a_larger_one_in_pieces'),
    ('7.1.1', 'SHOULD wait for the server to close', 'Closing.nothing_is_sent_after_a_close'),
    ('7.1.2', 'starting the closing handshake', 'Closing.a_close_of_ours_is_answered_and_the_answer_told'),
    ('7.1.5', 'the code: 1005 without one', 'Closing.a_close_of_ours_is_answered_and_the_answer_told'),
    ('7.1.5', 'the code: 1006 without a close', 'Closing.an_end_without_close_is_told'),
    ('7.1.6', 'the reason', 'Closing.a_close_of_the_peer_is_told_echoed_and_the_end_awaited'),
    ('7.1.7', 'MUST NOT go on after failing', 'Breaches.nothing_is_heard_of_what_follows_a_breach'),
    ('7.2.1', 'MUST fail on a lost connection', 'Closing.an_end_without_close_is_told'),
    ('7.4.1', '1004, 1005, 1006, 1015 MUST NOT be in a frame', 'Breaches.close_codes_that_may_not_be'),
    ('7.4.1', '... nor be sent', 'unit/test_wswriter.c:messages_that_can_not_be_sent_are_refused'),
    ('7.4.1', '1007 for text that is not UTF-8', 'Breaches.text_that_is_not_utf8'),
    ('7.4.1', '1009 for what is too large', 'Breaches.a_message_above_the_limit'),
    ('7.4.2', '0-999 are not used',
     'unit/test_wsreader.c:every_close_code_is_accepted_or_refused_as_7_4_has_it'),
    ('8.1', 'MUST fail on text that is not UTF-8', 'Breaches.text_whose_bad_character_is_split_over_fragments'),
    ('8.1', '... also when it ends too early', 'Breaches.text_that_ends_within_a_character'),
    ('8.1', '... also in a reason', 'Breaches.a_reason_that_is_not_utf8'),
    ('9.1', 'MUST fail on an extension not asked for', 'Handshake.an_extension_that_was_not_offered_is_refused'),
    ('10.3', 'masks MUST NOT be guessed', 'unit/test_wswriter.c:every_frame_has_a_mask_of_its_own'),
    ('10.4', 'MUST protect itself against large messages', 'Breaches.a_message_above_the_limit'),
    ('10.7', 'MUST validate what comes', 'unit/test_wsreader.c:every_first_byte_that_is_not_allowed_fails_at_once'),
    ('11.3.1', 'Key MUST NOT stand twice', 'Handshake.the_request_is_what_the_standard_wants'),
    ('11.3.3', 'Accept MUST NOT stand twice', 'Handshake.an_accept_that_stands_twice_is_refused'),
]


class Standard(unittest.TestCase):
    def test_each_must_of_the_table_has_a_test(self):
        folder = Path(__file__).resolve().parents[1]
        for section, must, name in RFC6455:
            with self.subTest(section=section, must=must):
                if ':' in name:
                    path, claim = name.split(':')
                    self.assertRegex((folder / path).read_text(), r'(TEST\(|def )%s\b' % re.escape(claim))
                else:
                    holder, method = name.split('.')
                    self.assertTrue(hasattr(globals()[holder], 'test_' + method), name)


if __name__ == '__main__':
    tap.main()
