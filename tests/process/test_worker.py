"""fetchd-worker by itself, its channel in our hands: what it says, in which order, and when it ends."""
import base64
import contextlib
import gzip
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import unittest
import zlib
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / 'e2e')]
from lone_worker import LoneWorker, ports  # noqa: E402
from support import bodies, origins, paths, proc, tap  # noqa: E402
from support.protocol import CHARGE, STREAM_WINDOW, encode, text  # noqa: E402
from world import Site  # noqa: E402

KIB, MIB = bodies.KIB, bodies.MIB


class Case(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        if not paths.WORKER.exists():
            raise RuntimeError('not built: %s' % paths.WORKER)
        cls.site = Site.get()
        cls.nginx, cls.backend = cls.site.nginx, cls.site.backend
        cls.ca = cls.site.authority.cert_path.read_bytes()

    def worker(self, *others, allow=(), **more):
        """One that trusts our CA and may reach our nginx and `others`."""
        settings = dict(ca_pem=self.ca, egress_allow=ports(self.site, *others) + list(allow))
        return LoneWorker(**{**settings, **more})

    def origin(self, alpn=('http/1.1',), tls=True):
        one = origins.Origin(self.site.leaf if tls else None, alpn=alpn).start()
        self.addCleanup(one.stop)
        return one

    def good(self, answer, status=200, sha256=None):
        self.assertIsNone(answer.error, answer.done)
        self.assertEqual(answer.status, status)
        if sha256:
            self.assertEqual(answer.sha256, sha256)
        return answer

    def failed(self, answer, *names):
        self.assertIn(answer.error, names, answer.done)
        return answer.done['error']


class Life(Case):
    def test_it_says_ready_with_its_pid_and_libraries(self):
        with self.worker() as w:
            self.assertEqual(w.ready['pid'], w.pid)
            self.assertIn('BoringSSL', w.ready['libraries'])

    def test_it_ends_when_its_channel_does(self):
        w = self.worker()
        for _ in range(20):
            w.fetch(self.nginx.url('h1', '/hold/never'))
        self.backend.until_waiting('never', 20)
        self.assertEqual(w.close(), 0)

    def test_it_beats_each_second(self):
        with self.worker() as w:
            self.good(w.get(self.nginx.url('h1', '/1k')))
            first, second = w.next_beat(), w.next_beat()
            self.assertGreater(first['rss_bytes'], MIB)
            self.assertEqual(second['connections'], 1)
            self.assertEqual(second['partitions'], 1)
            self.assertEqual(second['tls_handshakes'], 1)
            self.assertEqual(second['open_fds'], proc.fds(w.pid))

    def test_failed_handshakes_are_counted(self):
        with self.worker() as w:
            for kind in ('expired', 'wrong_name', 'self_signed'):
                self.failed(w.get(self.nginx.url(kind, '/1k')), 'tls.certificate')
            self.assertEqual(w.next_beat()['tls_failures'], 3)

    def test_it_answers_a_ping(self):
        with self.worker() as w:
            w.ping(77)

    def test_it_says_which_requests_it_has_started(self):
        with self.worker() as w:
            ids = [w.fetch(self.nginx.url('h1', '/1k')) for _ in range(5)]
            w.until(lambda: w.started == ids[-1])

    def test_goaway_lets_it_finish_and_end(self):
        w = self.worker()
        id = w.fetch(self.nginx.url('h1', '/hold/drain'))
        self.backend.until_waiting('drain')
        w.send('GOAWAY')
        w.ping(1)
        self.backend.release('drain')
        self.good(w.finish(id))
        self.assertEqual(w.exit_code(), 0)
        tap.forget(w.evidence)

    def test_goaway_at_rest_ends_it(self):
        w = self.worker()
        w.send('GOAWAY')
        self.assertEqual(w.exit_code(), 0)
        tap.forget(w.evidence)

    def breach(self, *frames, settings=True):
        w = self.worker(settings=settings)
        try:
            for frame in frames:
                w.send_raw(frame)
            self.assertEqual(w.exit_code(), 70, w.lines())
            self.assertIn('<3>', w.lines())
        finally:
            tap.forget(w.evidence)

    def test_a_daemon_that_breaks_the_protocol_ends_it(self):
        fetch = encode('FETCH', 5, dict(url=self.nginx.url('h1', '/hold/breach')))
        for frames in ([encode('HELLO', 0, dict(version_min=1, version_max=1))],
                       [encode('FETCH', 1, {})], [encode('FETCH', 0, dict(url='http://a/'))],
                       [b'\xff\xff\xff\xff'], [b'\0\0\0\x03abc'], [encode(200, 1, {})],
                       [encode('CREDIT', 0, dict(bytes=1 << 30)), encode('CREDIT', 0, dict(bytes=1 << 30))],
                       [fetch, fetch], [fetch, encode('GO', 5, dict(here=True))],
                       [fetch, encode('DATA', 5, b'x')],
                       [encode('SETTINGS', 0, dict(build='1', worker=1))]):
            with self.subTest(frames=frames):
                self.breach(*frames)

    def test_nothing_comes_before_settings(self):
        self.breach(encode('PING', 0, {}), settings=False)
        self.breach(encode('SETTINGS', 0, dict(build='another', worker=1)), settings=False)

    def test_broken_settings_end_it(self):
        from lone_worker import version
        for wrong in (dict(egress_allow=['10.0.0.0/99']), dict(ca_pem=b'no certificate'),
                      dict(user_agent='a\r\nb')):
            with self.subTest(wrong=wrong):
                self.breach(encode('SETTINGS', 0, dict(build=version(), worker=1, **wrong)), settings=False)

    def test_messages_for_ids_that_ended_are_ignored(self):
        with self.worker() as w:
            id = w.fetch(self.nginx.url('h1', '/1k'))
            self.good(w.finish(id))
            w.send('CREDIT', id, dict(bytes=1000))
            w.send('CANCEL', id)
            w.send('GO', id, dict(here=True))
            w.send('DATA', id, b'late')
            self.good(w.get(self.nginx.url('h1', '/1k')))

    def test_the_environment_means_nothing_to_it(self):
        home = paths.folder('k')
        keys, netrc = home / 'keys', home / '.netrc'
        netrc.write_text('default login me password of-the-file\n')
        netrc.chmod(0o600)
        environment = dict(http_proxy='http://127.0.0.1:1', https_proxy='http://127.0.0.1:1',
                           HTTPS_PROXY='http://127.0.0.1:1', ALL_PROXY='http://127.0.0.1:1', SSLKEYLOGFILE=str(keys),
                           SSL_CERT_FILE='/nonexistent', HOME=str(home), NETRC=str(netrc))
        url = self.nginx.url('plain', '/headers', '127.0.0.1')
        with self.worker(environment=environment) as w:
            self.good(w.get(self.nginx.url('h1', '/1k')))
            said = json.loads(self.good(w.get(url)).body)
            self.assertNotIn('authorization', [name.lower() for name, _ in said['headers']])
        self.assertFalse(keys.exists())
        control = subprocess.run(['curl', '-s', '--netrc', '--noproxy', '*', url], env=environment | dict(PATH=os.environ['PATH']),
                                 capture_output=True)
        self.assertIn('authorization', [name.lower() for name, _ in json.loads(control.stdout)['headers']])

    def test_its_log_holds_no_secret(self):
        with self.worker() as w:
            secret = 'sesame-4711'
            w.get(self.nginx.url('h1', '/1k?token=' + secret), headers=[['Authorization', secret], ['Cookie', secret]],
                  credentials=b'user:' + secret.encode())
            w.get('https://user:%s@localhost:1/' % secret)
            w.get(self.nginx.url('expired', '/' + '?' + secret))
            self.assertNotIn(secret, w.lines())


class Fetching(Case):
    def test_http_versions(self):
        with self.worker() as w:
            for server, version, wanted in (('h1', None, '1.1'), ('h2', None, '2'), ('h2', '1.1', '1.1'),
                                            ('h2', '2', '2'), ('h1', '1.0', '1.1'), ('plain', None, '1.1')):
                with self.subTest(server=server, version=version):
                    more = {'http_version': version} if version else {}
                    answer = self.good(w.get(self.nginx.url(server, '/1m'), **more), sha256=self.nginx.hashes['1m'])
                    self.assertEqual(answer.response['http_version'], wanted)

    def test_codings(self):
        with self.worker() as w:
            for path in ('/gzip/1m', '/br/1m', '/zstd/1m', '/deflate/1m'):
                for server in ('h1', 'h2'):
                    with self.subTest(path=path, server=server):
                        self.good(w.get(self.nginx.url(server, path), compressed=True),
                                  sha256=self.nginx.hashes['1m'])
            plain = self.good(w.get(self.nginx.url('h1', '/zstd/1m')))
            self.assertNotEqual(plain.sha256, self.nginx.hashes['1m'])
            self.assertEqual(plain.header('content-encoding'), 'zstd')

    def test_a_coding_is_offered_only_when_asked_for(self):
        with self.worker() as w:
            url = self.nginx.url('h1', '/headers')
            said = dict(json.loads(w.get(url, compressed=True).body)['headers'])
            self.assertEqual(said['Accept-Encoding'], 'gzip, br, zstd')
            self.assertNotIn('Accept-Encoding', dict(json.loads(w.get(url).body)['headers']))
            said = dict(json.loads(w.get(url, compressed=True, headers=[['accept-encoding', 'br']]).body)['headers'])
            self.assertEqual(said['accept-encoding'], 'br')

    def test_headers_go_out_as_given(self):
        with self.worker() as w:
            sent = [['X-One', 'a  b'], ['x-TWO', '\u00e4'.encode()], ['X-Empty', ''], ['X-One', 'again'],
                    ['X-Colon', 'a: b; c'], ['Cookie', 'a=b'], ['X-Trim', '  t  ']]
            for server in ('h1', 'h2'):
                seen = json.loads(w.get(self.nginx.url(server, '/headers'), headers=sent).body)['headers']
                seen = [[name.lower(), value] for name, value in seen]
                for name, value in sent:
                    value = text(value).strip()
                    self.assertIn([name.lower(), value], seen)
                self.assertIn(['user-agent', 'fetchd/0.1.0'], seen)
                self.assertNotIn('proxy-connection', dict(seen))

    def test_a_user_agent_of_the_clients_replaces_ours(self):
        with self.worker(user_agent='setting/1') as w:
            url = self.nginx.url('h1', '/headers')
            self.assertIn(['User-Agent', 'setting/1'], json.loads(w.get(url).body)['headers'])
            seen = json.loads(w.get(url, headers=[['User-Agent', 'mine']]).body)['headers']
            self.assertEqual([v for n, v in seen if n.lower() == 'user-agent'], ['mine'])

    def test_a_handle_used_again_brings_nothing_along(self):
        with self.worker() as w:
            url = self.nginx.url('h1', '/headers')
            w.get(url, method='PUT', body=b'body', headers=[['X-Secret', 's']], credentials=b'user:secret',
                  http_version='1.0', fresh=True, rate_bytes=1 << 20)
            said = json.loads(self.good(w.get(url)).body)
            self.assertEqual(said['method'], 'GET')
            self.assertEqual(sorted(n.lower() for n, _ in said['headers']), ['accept', 'host', 'user-agent'])

    def test_methods_and_inline_bodies(self):
        with self.worker() as w:
            for method, body in (('POST', b'x' * 70000), ('PUT', b'p'), ('PATCH', b'q'), ('DELETE', b''),
                                 ('POST', b''), ('GET', b'odd'), ('OPTIONS', b''), ('PROPFIND', b'<a/>')):
                for server in ('h1', 'h2'):
                    with self.subTest(method=method, server=server):
                        answer = self.good(w.get(self.nginx.url(server, '/upload'), method=method, body=body))
                        said = json.loads(answer.body)
                        names = {n.lower(): v for n, v in said['headers']}
                        self.assertEqual((said['method'], said['bytes']), (method, len(body)))
                        self.assertEqual(said['sha256'], bodies.sha256(body))
                        self.assertNotIn('content-type', names)
                        self.assertNotIn('expect', names)
            head = self.good(w.get(self.nginx.url('h1', '/1m'), method='HEAD'))
            self.assertEqual((head.bytes, head.header('content-length')), (0, str(MIB)))

    def test_credentials_are_basic(self):
        with self.worker() as w:
            said = json.loads(w.get(self.nginx.url('h1', '/headers'), credentials=b'me:p:w').body)
            self.assertIn(['Authorization', 'Basic bWU6cDp3'], said['headers'])

    def test_interim_answers_and_trailers_are_left_out(self):
        class Odd(origins.Origin):
            def do_interim(self, peer):
                peer.sendall(b'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n'
                             b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Mine: 1\r\nTrailer: X-After\r\n\r\n'
                             b'2\r\nok\r\n0\r\nX-After: 1\r\n\r\n')
                return True
        with Odd() as odd, self.worker(odd) as w:
            answer = self.good(w.get(odd.url('/interim')))
            self.assertEqual(answer.body, b'ok')
            self.assertEqual([text(n) for n, _ in answer.response['headers']],
                             ['Transfer-Encoding', 'X-Mine', 'Trailer'])
            self.assertEqual(answer.frames, ['RESPONSE', 'DATA', 'DONE'])

    def test_200_at_once(self):
        with self.worker() as w:
            for server in ('h1', 'h2', 'plain'):
                for answer in w.many(self.nginx.url(server, '/1k'), 200):
                    self.good(answer, sha256=self.nginx.hashes['1k'])

    def test_a_partition_is_as_many_multis_as_it_needs(self):
        with self.worker(connections_per_multi=8) as w:
            ids = [w.fetch(self.nginx.url('h1', '/gate/multis/50')) for _ in range(50)]
            for id in ids:
                self.good(w.finish(id))
            self.assertEqual(w.next_beat()['connections'], 50)

    def test_ftp_downloads(self):
        server = FtpServer(bodies.content(100000, 'ftp'))
        self.addCleanup(server.stop)
        allow = ['127.0.0.1:%d' % server.port, '127.0.0.1:%d' % server.data_port]
        with self.worker(allow=allow) as w:
            answer = self.good(w.get('ftp://127.0.0.1:%d/file' % server.port), 150)
            self.assertEqual(answer.sha256, bodies.sha256(server.content))
            self.failed(w.get('ftp://127.0.0.1:%d/missing' % server.port), 'ftp.not_found')
        with self.worker(allow=allow[:1]) as w:
            self.failed(w.get('ftp://127.0.0.1:%d/file' % server.port), 'policy.denied')


class FtpServer:
    """As much of an FTP server as curl's passive download asks for."""

    def __init__(self, content):
        self.content = content
        self.control = socket.create_server(('127.0.0.1', 0))
        self.data = socket.create_server(('127.0.0.1', 0))
        self.port, self.data_port = self.control.getsockname()[1], self.data.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        self.control.close()
        self.data.close()

    def accept(self):
        while True:
            try:
                peer, _ = self.control.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        peer.sendall(b'220 ready\r\n')
        for line in peer.makefile('rb'):
            word, _, rest = line.decode().strip().partition(' ')
            answers = dict(USER='331 password', PASS='230 in', PWD='257 "/"', EPSV='229 (|||%d|)' % self.data_port,
                           TYPE='200 ok', SIZE='213 %d' % len(self.content), CWD='250 ok', QUIT='221 bye')
            if word == 'RETR' and rest != 'file' or word == 'SIZE' and rest != 'file':
                peer.sendall(b'550 no such file\r\n')
            elif word == 'RETR':
                peer.sendall(b'150 here it comes\r\n')
                channel, _ = self.data.accept()
                channel.sendall(self.content)
                channel.close()
                peer.sendall(b'226 done\r\n')
            else:
                peer.sendall(answers.get(word, '500 what').encode() + b'\r\n')


class Redirects(Case):
    def test_a_hop_is_said_and_followed_here(self):
        with self.worker() as w:
            for server in ('h1', 'h2'):
                for code in (301, 302, 303, 307, 308):
                    with self.subTest(server=server, code=code):
                        answer = self.good(w.get(self.nginx.url(server, '/r%d/1k' % code), follow=True),
                                           sha256=self.nginx.hashes['1k'])
                        self.assertEqual(answer.frames, ['HOP', 'RESPONSE', 'DATA', 'DONE'])
                        hop = answer.hops[0]
                        self.assertEqual((hop['status'], hop['url']), (code, self.nginx.url(server, '/1k')))
                        self.assertEqual(answer.done['redirects'], 1)
                        self.assertEqual(answer.response['url'], self.nginx.url(server, '/1k'))

    def test_a_connection_is_kept_over_a_redirect(self):
        with self.worker() as w:
            answer = self.good(w.get(self.nginx.url('h1', '/r302/1k'), follow=True))
            self.assertTrue(answer.done['reused'])

    def test_go_elsewhere_forgets_the_request(self):
        with self.worker(go={}) as w:
            id = w.fetch(self.nginx.url('h1', '/r302/1k'), follow=True)
            w.until(lambda: id not in w.streams)
            self.good(w.get(self.nginx.url('h1', '/1k')))
            w.ping(1)

    def test_a_redirect_is_an_answer_unless_following_was_asked(self):
        with self.worker() as w:
            answer = self.good(w.get(self.nginx.url('h1', '/r302/1k')), status=302)
            self.assertEqual(answer.hops, [])
            answer = self.good(w.get(self.nginx.url('h1', '/status/300'), follow=True), status=300)

    def test_a_chain_goes_on_to_its_end(self):
        with self.worker() as w:
            answer = self.good(w.get(self.nginx.url('h1', '/chain/20'), follow=True))
            self.assertEqual((len(answer.hops), answer.done['redirects']), (20, 20))
            self.assertEqual(answer.body, b'the end of the chain\n')

    def test_a_post_becomes_a_get_as_it_should(self):
        with self.worker() as w:
            for code, method, wanted in ((301, 'POST', 'GET'), (302, 'POST', 'GET'), (303, 'PUT', 'GET'),
                                         (307, 'POST', 'POST'), (308, 'PUT', 'PUT'), (302, 'PUT', 'PUT')):
                with self.subTest(code=code, method=method):
                    answer = self.good(w.get(self.nginx.url('h1', '/r%d/upload' % code), method=method, body=b'12345',
                                             follow=True))
                    said = json.loads(answer.body)
                    self.assertEqual((said['method'], said['bytes']), (wanted, 5 if wanted != 'GET' else 0))

    def test_credentials_stay_at_their_origin(self):
        with self.worker() as w:
            url = self.nginx.url('h1', '/r307?to=' + self.nginx.url('other', '/headers'))
            answer = self.good(w.get(url, follow=True, credentials=b'a:b',
                                     headers=[['Cookie', 'c=d'], ['X-Stays', '1']]))
            names = [n.lower() for n, _ in json.loads(answer.body)['headers']]
            self.assertNotIn('authorization', names)
            self.assertNotIn('cookie', names)
            self.assertIn('x-stays', names)

    def test_a_streamed_body_is_sent_again_to_where_a_307_leads(self):
        body = bodies.content(200000, 'again')
        with self.worker(go=None) as w:
            id = w.fetch(self.nginx.url('h1', '/r307/upload'), method='POST', body_streamed=True,
                         body_length=len(body), follow=True)
            answer = w.answer(id)
            w.until(lambda: answer.hops or w.streams[id][3] > 0)
            while not answer.hops:
                self.send_some(w, id, body)
            w.streams[id][3] = 0
            w.send('GO', id, dict(here=True))
            w.upload(id, body)
            self.assertEqual(json.loads(self.good(answer).body)['sha256'], bodies.sha256(body))

    @staticmethod
    def send_some(w, id, body):
        sent = w.sent = getattr(w, 'sent', 0)
        room = min(w.streams[id][3] - CHARGE, len(body) - sent)
        if room > 0:
            w.send('DATA', id, body[sent:sent + room])
            w.streams[id][3] -= room + CHARGE
            w.sent += room
        w.step()

    def test_schemes_that_are_not_http_are_not_followed(self):
        with self.worker() as w:
            for target in ('ftp://localhost/', 'file:///etc/passwd', 'javascript:alert(1)', 'http://a%20b/',
                           'gopher://localhost/'):
                with self.subTest(target=target):
                    self.failed(w.get(self.nginx.url('h1', '/r302?to=' + target), follow=True), 'redirect.invalid')

    def test_a_long_body_of_a_redirect_is_cut_and_a_short_one_dropped(self):
        class Long(origins.Origin):
            def do_long(self, peer):
                peer.sendall(b'HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 100000000\r\n\r\n' + bytes(1 << 20))
                return True

            def do_brief(self, peer):
                peer.sendall(b'HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 1000\r\n\r\n' + bytes(1000))
                return True
        with Long(self.site.leaf) as long, self.worker(long) as w:
            self.good(w.get(long.url('/long'), follow=True))
            self.assertEqual(long.connections, 2)
            self.good(w.get(long.url('/brief'), follow=True))
            self.assertEqual(long.connections, 2)

    def test_the_worker_says_whether_a_public_address_sent_it(self):
        with self.worker(allow=['private']) as w:
            answer = self.good(w.get(self.nginx.url('h1', '/r302/1k'), follow=True))
            self.assertNotIn('from_public', answer.hops[0])
            answer = self.good(w.get(self.nginx.url('h1', '/r302/1k'), follow=True, from_public=True))
            self.assertTrue(answer.hops[0]['from_public'])


class Uploads(Case):
    def test_streamed_bodies_of_known_and_unknown_length(self):
        body = bodies.content(3 * MIB, 'upload')
        with self.worker() as w:
            for server in ('h1', 'h2', 'plain'):
                for length in (dict(body_length=len(body)), {}):
                    with self.subTest(server=server, length=length):
                        id = w.fetch(self.nginx.url(server, '/upload'), method='PUT', body_streamed=True, **length)
                        answer = self.good(w.upload(id, body))
                        said = json.loads(answer.body)
                        self.assertEqual((said['bytes'], said['sha256']), (len(body), bodies.sha256(body)))

    def test_an_empty_streamed_body(self):
        with self.worker() as w:
            for length in (dict(body_length=0), {}):
                id = w.fetch(self.nginx.url('h1', '/upload'), method='POST', body_streamed=True, **length)
                self.assertEqual(json.loads(self.good(w.upload(id, b'')).body)['bytes'], 0)

    def test_a_body_in_tiny_pieces(self):
        body = bodies.content(3000, 'tiny')
        with self.worker() as w:
            id = w.fetch(self.nginx.url('h1', '/upload'), method='PUT', body_streamed=True)
            self.assertEqual(json.loads(self.good(w.upload(id, body, piece_bytes=1)).body)['sha256'],
                             bodies.sha256(body))

    def test_credit_for_a_body_comes_with_its_connection(self):
        with origins.Blackhole() as hole, self.worker(hole) as w:
            id = w.fetch('http://127.0.0.1:%d/' % hole.port, method='PUT', body_streamed=True, connect_timeout_ms=300)
            self.failed(w.finish(id), 'connect.timeout')
            self.assertEqual(w.streams[id][3], 0)

    def test_a_body_that_is_not_as_long_as_promised(self):
        with self.worker() as w:
            for length in (5, 50):
                with self.subTest(length=length):
                    id = w.fetch(self.nginx.url('h1', '/upload'), method='PUT', body_streamed=True, body_length=length)
                    self.failed(w.upload(id, b'0123456789'), 'request.invalid')

    def test_more_data_than_credit_is_a_breach(self):
        w = self.worker()
        id = w.fetch(self.nginx.url('h1', '/hold/flood'), method='PUT', body_streamed=True)
        w.until(lambda: w.streams[id][3] > 0)
        w.send_raw(3 * encode('DATA', id, bytes(60000)))
        self.assertEqual(w.exit_code(), 70)
        tap.forget(w.evidence)

    def test_an_answer_before_the_end_of_the_body(self):
        with self.worker() as w:
            id = w.fetch(self.nginx.url('h1', '/early'), method='PUT', body_streamed=True)
            answer = w.answer(id)
            w.until(lambda: answer.done or w.streams[id][3] > 0)
            w.send('DATA', id, b'some')
            self.good(w.finish(id), status=413)

    def test_a_slow_upload_stalls_no_other(self):
        with self.worker() as w:
            slow = [w.fetch(self.nginx.url('h1', '/upload'), method='PUT', body_streamed=True) for _ in range(300)]
            w.until(lambda: all(w.streams[id][3] > 0 for id in slow))
            body = bodies.content(MIB, 'fast')
            id = w.fetch(self.nginx.url('h1', '/upload'), method='PUT', body_streamed=True)
            self.assertEqual(json.loads(self.good(w.upload(id, body)).body)['sha256'], bodies.sha256(body))
            for id in slow:
                w.cancel(id)
            for id in slow:
                self.failed(w.finish(id), 'cancelled')


class Announcing(Case):
    def test_sending_is_with_the_kernel_before_the_first_byte_leaves(self):
        """The origin, when it has the request, looks into our end of the channel."""
        seen = []

        class Watching(origins.Origin):
            def do_ok(inner, peer):
                seen.append(channel.recv(1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT))
                return super().do_ok(peer)

        with Watching(self.site.leaf) as watching, self.worker(watching) as w:
            channel = w.socket
            self.good(w.get(watching.url('/ok')))
            for _ in range(2):                          # a new connection, and a kept one
                w.ping(1)
                looks = len(seen)
                id = w.fetch(watching.url('/ok'), method='POST', body=b'x', announce=True)
                proc.until(lambda: len(seen) > looks)   # we read nothing before the origin has looked
                answer = self.good(w.finish(id))
                self.assertEqual(answer.frames, ['SENDING', 'RESPONSE', 'DATA', 'DONE'])
                self.assertIn(b'\x93\x17\xce\0\0\0' + bytes([id]), seen[-1])

    def test_what_never_got_a_connection_was_not_announced(self):
        with self.worker(allow=['127.0.0.1:%d' % (port := origins.refused_port())]) as w:
            answer = w.get('http://127.0.0.1:%d/' % port, method='POST', body=b'x', announce=True)
            self.assertTrue(self.failed(answer, 'connect.refused')['retryable'])
            self.assertEqual(answer.frames, ['DONE'])

    def test_a_post_is_not_repeated_when_a_kept_connection_closes(self):
        once = self.origin()
        with self.worker(once) as w:
            self.good(w.get(once.url('/once')))
            error = self.failed(w.get(once.url('/ok'), method='POST', body=b'x', announce=True),
                                'receive.empty', 'receive.failed', 'send.failed')
            self.assertFalse(error.get('retryable'))
            self.assertEqual([m for m, *_ in once.requests].count('POST'), 0)

    def test_a_get_on_a_kept_connection_that_closes_is_repeated(self):
        once = self.origin()
        with self.worker(once) as w:
            self.good(w.get(once.url('/once')))
            self.good(w.get(once.url('/ok')))


class Ends(Case):
    def test_cancel_is_answered_by_one_done(self):
        with self.worker() as w:
            for path in ('/hold/cancel', '/half/cancel2/100000'):
                for server in ('h1', 'h2'):
                    id = w.fetch(self.nginx.url(server, path))
                    if 'half' in path:
                        w.until(lambda: w.answer(id).bytes > 1000)
                    else:
                        self.backend.until_waiting('cancel')
                    w.cancel(id)
                    self.failed(w.finish(id), 'cancelled')
                    self.backend.until(lambda: not self.backend.waiting['cancel'])
            w.ping(1)

    def test_deadlines(self):
        raw, two = self.origin(), self.origin(alpn=('h2',))
        with origins.Blackhole() as hole, origins.Handshake('stall').start() as stall, \
                self.worker(raw, two, hole, stall) as w:
            for url, name, phase, more in (
                    ('http://127.0.0.1:%d/' % hole.port, 'connect.timeout', 'connect', dict(connect_timeout_ms=300)),
                    (stall.url(), 'tls.timeout', 'tls', dict(connect_timeout_ms=300)),
                    (stall.url(), 'tls.timeout', 'tls', dict(tls_timeout_ms=300)),
                    (raw.url('/silent'), 'timeout.headers', 'wait', dict(headers_timeout_ms=300)),
                    (two.url('/silent'), 'timeout.headers', 'wait', dict(headers_timeout_ms=300)),
                    (raw.url('/slow-loris'), 'timeout.headers', 'wait', dict(headers_timeout_ms=300)),
                    (raw.url('/stall'), 'timeout.idle', 'body', dict(idle_timeout_ms=300)),
                    (two.url('/stall'), 'timeout.idle', 'body', dict(idle_timeout_ms=300)),
                    (two.url('/empty-data'), 'timeout.idle', 'body', dict(idle_timeout_ms=300)),
                    (raw.url('/stall'), 'timeout.total', 'body', dict(total_timeout_ms=300)),
                    (raw.url('/silent'), 'timeout.total', 'wait', dict(total_timeout_ms=300))):
                with self.subTest(url=url, name=name):
                    error = self.failed(w.get(url, **more), name)
                    self.assertEqual(error['phase'], phase)

    def test_bytes_that_decode_to_nothing_are_silence(self):
        class Endless(origins.Origin):
            def do_trailing(self, peer):
                coded = gzip.compress(origins.HALF)
                head = b'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n' + coded
                return self.flood('trailing', peer, head, bytes(4096), 1 << 40)
        with Endless(self.site.leaf) as endless, self.worker(endless) as w:
            answer = w.get(endless.url('/trailing'), compressed=True, idle_timeout_ms=500)
            self.failed(answer, 'timeout.idle')
            self.assertEqual(answer.body, origins.HALF)

    def test_deadlines_of_the_settings_hold_unless_a_request_has_its_own(self):
        raw = self.origin()
        with self.worker(raw, headers_timeout_ms=200) as w:
            self.failed(w.get(raw.url('/silent')), 'timeout.headers')
            self.good(w.get(self.nginx.url('h1', '/slow/0.5'), headers_timeout_ms=20000))

    def test_time_without_credit_is_not_idle(self):
        with self.worker(auto_credit=False) as w:
            id = w.fetch(self.nginx.url('h1', '/1m'), idle_timeout_ms=200)
            w.until(lambda: w.answer(id).bytes > 200000)
            time.sleep(0.6)
            w.auto_credit = True
            w.grant(id, 0)
            self.good(w.finish(id), sha256=self.nginx.hashes['1m'])

    def test_truncated_bodies_are_no_success(self):
        raw, two = self.origin(), self.origin(alpn=('h2',))
        with self.worker(raw, two) as w:
            for origin, path in ((raw, '/short'), (raw, '/cut'), (raw, '/reset'), (raw, '/chunked-short'),
                                 (raw, '/delimited-cut'), (raw, '/delimited-reset'), (two, '/short'), (two, '/cut'),
                                 (two, '/goaway'), (two, '/rst'), (raw, '/gzip-short')):
                with self.subTest(path=path, h2=origin is two):
                    answer = w.get(origin.url(path), compressed='gzip' in path)
                    if answer.response:
                        self.failed(answer, 'body.truncated', 'http2.stream', 'http2.protocol')
                        self.assertNotIn('retryable', answer.done['error'])
                    else:                               # the reset overtook what was sent before
                        self.assertIn('reset', path)
                        self.failed(answer, 'receive.failed')
            self.assertEqual(self.good(w.get(raw.url('/delimited'))).body, origins.HALF)

    def test_close_delimited_without_tls_is_all_there_is_to_know(self):
        raw = self.origin(tls=False)
        with self.worker(raw) as w:
            self.good(w.get(raw.url('/delimited')))
            self.failed(w.get(raw.url('/short')), 'body.truncated')
            self.failed(w.get(raw.url('/delimited-reset')), 'body.truncated', 'receive.failed')

    def test_broken_answers_have_names(self):
        raw, two = self.origin(), self.origin(alpn=('h2',))
        with self.worker(raw, two) as w:
            for origin, path, names in (
                    (raw, '/garbage', ['http.protocol']), (raw, '/empty', ['receive.empty']),
                    (raw, '/chunk-garbage', ['http.protocol', 'body.truncated']),
                    (raw, '/two-lengths', ['http.protocol']), (raw, '/surprise-101', ['http.protocol']),
                    (raw, '/header-bomb', ['headers.too_large']), (raw, '/long-line', ['headers.too_large']),
                    (raw, '/endless-1xx', ['headers.too_large']), (raw, '/gzip-broken', ['body.encoding']),
                    (raw, '/unknown-coding', ['body.encoding']), (two, '/rst-at-once', ['http2.stream']),
                    (two, '/garbage', ['http2.protocol', 'receive.failed'])):
                with self.subTest(path=path):
                    self.failed(w.get(origin.url(path), compressed=True), *names)
            self.good(w.get(raw.url('/ok')))
            self.good(w.get(two.url('/refused')))

    def test_certificates(self):
        with self.worker() as w:
            for kind in ('expired', 'wrong_name', 'self_signed'):
                with self.subTest(kind=kind):
                    error = self.failed(w.get(self.nginx.url(kind, '/1k')), 'tls.certificate')
                    self.assertEqual((error['phase'], error['curl_name']), ('tls', 'CURLE_PEER_FAILED_VERIFICATION'))
                    self.good(w.get(self.nginx.url(kind, '/1k'), insecure=True))
                    self.failed(w.get(self.nginx.url(kind, '/1k')), 'tls.certificate')

    def test_without_a_ca_nobody_is_trusted_but_whom_the_request_names(self):
        with self.worker(ca_pem=b'') as w:
            self.failed(w.get(self.nginx.url('h1', '/1k')), 'tls.certificate')
            self.good(w.get(self.nginx.url('h1', '/1k'), ca_pem=self.ca))
            self.failed(w.get(self.nginx.url('h1', '/1k')), 'tls.certificate')
            self.failed(w.get(self.nginx.url('h1', '/1k'), ca_pem=b'nothing'), 'request.invalid')

    def test_client_certificates(self):
        leaf = self.site.leaf
        with self.worker() as w:
            certificate, key = leaf.cert_path.read_bytes(), leaf.key_path.read_bytes()
            self.good(w.get(self.nginx.url('h1', '/1k'), cert_pem=certificate, key_pem=key))
            other = self.site.authority.leaf('not-its-key').key_path.read_bytes()
            for cert, pem in ((certificate, other), (b'x', key), (certificate, b'x')):
                self.failed(w.get(self.nginx.url('h1', '/1k'), cert_pem=cert, key_pem=pem), 'tls.client_certificate')

    def test_handshakes_that_go_wrong(self):
        for what, name in (('reset', 'tls.peer_reset'), ('close', 'tls.peer_reset'), ('garbage', 'tls.handshake')):
            with self.subTest(what=what), origins.Handshake(what).start() as shaky, self.worker(shaky) as w:
                error = self.failed(w.get(shaky.url()), name)
                self.assertEqual((error['phase'], error.get('retryable', False)), ('tls', name == 'tls.peer_reset'))

    def test_names_and_ports_that_lead_nowhere(self):
        port = origins.refused_port()
        with self.worker(allow=['127.0.0.1:%d' % port]) as w:
            error = self.failed(w.get('http://127.0.0.1:%d/' % port), 'connect.refused')
            self.assertEqual((error['phase'], error['os_errno']), ('connect', 111))
            self.failed(w.get('http://nowhere.invalid/'), 'dns.failed')
            self.failed(w.get('http://example.com/', proxy='http://nowhere.invalid:80'), 'proxy.dns')

    def test_a_body_above_the_limit(self):
        raw = self.origin()
        with self.worker(raw, max_body_bytes=500000) as w:
            answer = w.get(self.nginx.url('h1', '/1m'))
            self.failed(answer, 'body.too_large')
            self.assertLessEqual(answer.bytes, 500000)
            self.failed(w.get(raw.url('/gzip-bomb'), compressed=True), 'body.too_large')
            self.failed(w.get(self.nginx.url('h1', '/1k'), max_body_bytes=1023), 'body.too_large')
            self.good(w.get(self.nginx.url('h1', '/1k'), max_body_bytes=1024))

    def test_a_rate_holds_a_body_back(self):
        with self.worker() as w:
            for server in ('h1', 'h2'):
                began = time.monotonic()
                self.good(w.get(self.nginx.url(server, '/1m'), rate_bytes=2 * MIB), sha256=self.nginx.hashes['1m'])
                self.assertGreater(time.monotonic() - began, 0.3)


class Proxy:
    """Forwards, opens tunnels (CONNECT) and speaks as much SOCKS5 as curl asks for. `credentials` are
    wanted if given; `refuse` is what CONNECT is answered with."""

    def __init__(self, credentials=None, refuse=None):
        self.wanted = credentials and b'Basic ' + base64.b64encode(credentials)
        self.refuse, self.heads = refuse, []

    def __enter__(self):
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        try:
            first = peer.recv(1, socket.MSG_PEEK)
            self.socks(peer) if first == b'\5' else self.http(peer)
        except OSError:
            pass
        finally:
            peer.close()

    def http(self, peer):
        head = b''
        while b'\r\n\r\n' not in head:
            piece = peer.recv(65536)
            if not piece:
                return
            head += piece
        self.heads.append(head)
        method, target = head.split(b' ')[:2]
        if self.wanted and self.wanted not in head:
            peer.sendall(b'HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n')
        elif method == b'CONNECT' and self.refuse:
            peer.sendall(b'HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n' % self.refuse)
        elif method == b'CONNECT':
            upstream = socket.create_connection(('127.0.0.1', int(target.rpartition(b':')[2])))
            peer.sendall(b'HTTP/1.1 200 Fine\r\n\r\n')
            self.relay(peer, upstream)
        else:
            port = int(target.split(b'/')[2].rpartition(b':')[2])
            upstream = socket.create_connection(('127.0.0.1', port))
            upstream.sendall(head)
            self.relay(peer, upstream)

    def socks(self, peer):
        _, count = peer.recv(2)
        peer.recv(count)
        peer.sendall(b'\5\0')
        _, _, _, kind = peer.recv(4)
        peer.recv(4) if kind == 1 else peer.recv(16) if kind == 4 else peer.recv(peer.recv(1)[0])
        port = int.from_bytes(peer.recv(2), 'big')
        upstream = socket.create_connection(('127.0.0.1', port))
        peer.sendall(b'\5\0\0\1\0\0\0\0\0\0')
        self.heads.append(b'socks')
        self.relay(peer, upstream)

    @staticmethod
    def relay(one, other):
        def pump(source, target):
            with contextlib.suppress(OSError):
                while piece := source.recv(65536):
                    target.sendall(piece)
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)
        back = threading.Thread(target=pump, args=(other, one), daemon=True)
        back.start()
        pump(one, other)
        back.join()
        other.close()


class Proxies(Case):
    def test_requests_go_through_the_proxy_they_name(self):
        with Proxy() as proxy, self.worker(proxy) as w:
            for scheme in ('http', 'socks5', 'socks5h'):
                for server, version in (('h1', '1.1'), ('h2', '2'), ('plain', '1.1')):
                    with self.subTest(scheme=scheme, server=server):
                        seen = len(proxy.heads)
                        answer = self.good(w.get(self.nginx.url(server, '/1m'),
                                                 proxy='%s://127.0.0.1:%d' % (scheme, proxy.port)),
                                           sha256=self.nginx.hashes['1m'])
                        self.assertEqual(answer.response['http_version'], version)
                        self.assertEqual(len(proxy.heads), seen + 1)

    def test_the_proxy_alone_gets_its_credentials(self):
        with Proxy(credentials=b'me:secret') as proxy, self.worker(proxy) as w:
            named = 'http://me:secret@127.0.0.1:%d' % proxy.port
            for server in ('h1', 'plain'):
                said = json.loads(self.good(w.get(self.nginx.url(server, '/headers'), proxy=named)).body)
                if server == 'h1':
                    self.assertNotIn('proxy-authorization', [n.lower() for n, _ in said['headers']])
            for bad in ('http://127.0.0.1:%d' % proxy.port, 'http://me:wrong@127.0.0.1:%d' % proxy.port):
                for server in ('h1', 'plain'):
                    self.failed(w.get(self.nginx.url(server, '/1k'), proxy=bad), 'proxy.auth')

    def test_a_proxy_that_opens_no_way(self):
        with Proxy(refuse=502) as proxy, self.worker(proxy) as w:
            self.failed(w.get(self.nginx.url('h1', '/1k'), proxy='http://127.0.0.1:%d' % proxy.port), 'proxy.target')
        with Proxy(refuse=403) as proxy, self.worker(proxy) as w:
            self.failed(w.get(self.nginx.url('h1', '/1k'), proxy='http://127.0.0.1:%d' % proxy.port), 'proxy.failed')

    def test_requests_with_different_proxy_credentials_share_no_connection(self):
        with Proxy() as proxy, self.worker(proxy) as w:
            for user in ('one', 'two'):
                named = 'http://%s:x@127.0.0.1:%d' % (user, proxy.port)
                self.assertFalse(self.good(w.get(self.nginx.url('h1', '/1k'), proxy=named)).done.get('reused', False))
                self.assertTrue(self.good(w.get(self.nginx.url('h1', '/1k'), proxy=named)).done['reused'])


class Refusals(Case):
    def refused(self, w, name, **request):
        answer = w.get(**dict(dict(url=self.nginx.url('h1', '/1k')), **request))
        error = self.failed(answer, name)
        self.assertEqual(answer.frames, ['DONE'])
        return error['message']

    def test_what_would_be_two_requests_never_leaves(self):
        raw = self.origin()
        with self.worker(raw) as w:
            for header in (['X', 'a\r\nY: b'], ['X', b'a\nb'], ['X', b'a\0b'], ['X\r\nY', 'b'], ['X Y', 'b'], ['', 'b'],
                           ['X:', 'b']):
                self.refused(w, 'request.invalid', url=raw.url('/ok'), headers=[header])
            for method in ('GET / HTTP/1.1\r\nX: y', 'G ET', 'GET\n'):
                self.refused(w, 'request.invalid', url=raw.url('/ok'), method=method)
            for url in (raw.url('/ok') + '\r\nX: y', raw.url('/a b'), 'http://'):
                self.refused(w, 'request.invalid', url=url)
            self.good(w.get(raw.url('/ok')))
            self.assertEqual(len(raw.requests), 1)

    def test_headers_of_the_connection_are_refused_by_name(self):
        with self.worker() as w:
            for name in ('Transfer-Encoding', 'content-length', 'Connection', 'Upgrade', 'TE', 'Trailer',
                         'Keep-Alive', 'Proxy-Authorization', 'Expect'):
                self.assertIn(name, self.refused(w, 'request.invalid', headers=[[name, 'x']]))

    def test_schemes(self):
        with self.worker() as w:
            for url in ('file:///etc/passwd', 'gopher://localhost/', 'dict://localhost/'):
                self.refused(w, 'request.invalid', url=url)

    def test_this_host_is_denied_and_the_denial_says_what_to_add(self):
        raw = self.origin()
        with self.worker() as w:
            for host in ('127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', '0177.0.0.1',
                         '127.1', '0', '[::]', '169.254.169.254', '[64:ff9b::7f00:1]', '[2002:7f00:1::]',
                         '[fe80::1]', '224.0.0.1'):
                with self.subTest(host=host):
                    message = self.refused(w, 'policy.denied', url='http://%s:%d/ok' % (host, raw.port))
                    self.assertIn('[egress] allow', message)
            self.assertIn('add 127.0.0.1:%d to' % raw.port,
                          self.refused(w, 'policy.denied', url='http://127.0.0.1:%d/' % raw.port))
        self.assertEqual(raw.connections, 0)
        with self.worker(allow=['127.0.0.1:%d' % raw.port]) as w:
            self.good(w.get(raw.url('/ok')))

    def test_a_redirect_leads_into_no_denied_place(self):
        raw = self.origin()
        with self.worker() as w:
            answer = w.get(self.nginx.url('h1', '/r302?to=' + raw.url('/ok')), follow=True)
            self.failed(answer, 'policy.denied')
        self.assertEqual(raw.connections, 0)

    def test_a_kept_connection_is_checked_again(self):
        """It was allowed by the name it was asked by; under another name, or none, it is not."""
        with self.worker(egress_allow=['localhost']) as w:
            self.good(w.get(self.nginx.url('plain', '/1k')))
            self.good(w.get(self.nginx.url('plain', '/1k')))
            self.refused(w, 'policy.denied', url=self.nginx.url('plain', '/1k', '127.0.0.1'))

    def test_a_name_that_resolves_to_this_host_is_denied(self):
        port = self.nginx.ports['plain']
        with self.worker(egress_allow=[]) as w:
            self.refused(w, 'policy.denied', url='http://rebind.example:%d/' % port,
                         resolve=['rebind.example:%d:127.0.0.1' % port])
        with self.worker() as w:
            self.good(w.get('http://rebind.example:%d/1k' % port, resolve=['rebind.example:%d:127.0.0.1' % port]))
            self.failed(w.get('http://rebind.example:%d/1k' % port), 'dns.failed')

    def test_a_proxy_on_this_host_is_denied_too(self):
        raw = self.origin(tls=False)
        with self.worker(egress_allow=[]) as w:
            self.refused(w, 'policy.denied', url='http://example.com/', proxy='http://127.0.0.1:%d' % raw.port)
        self.assertEqual(raw.connections, 0)

    def test_partitions_are_bounded(self):
        with self.worker(partitions=2) as w:
            held = [w.fetch(self.nginx.url('h1', '/hold/parts'), principal=n) for n in (1, 2)]
            self.backend.until_waiting('parts', 2)
            self.refused(w, 'overloaded', principal=3)
            self.backend.release('parts')
            for id in held:
                self.good(w.finish(id))
            for n in range(10):
                self.good(w.get(self.nginx.url('h1', '/1k'), principal=n))
            self.assertEqual(w.next_beat()['partitions'], 2)

    def test_connections_are_bounded(self):
        with self.worker(connections=5) as w:
            held = [w.fetch(self.nginx.url('h1', '/hold/conns')) for _ in range(5)]
            self.backend.until_waiting('conns', 5)
            self.refused(w, 'overloaded')
            self.backend.release('conns')
            for id in held:
                self.good(w.finish(id))
            self.good(w.get(self.nginx.url('h1', '/1k')))


class Partitions(Case):
    def connection(self, w, **more):
        said = self.good(w.get(self.nginx.url('h1', '/1k'), **more))
        return said.done.get('reused', False)

    def test_only_the_same_partition_shares_connections(self):
        leaf = self.site.leaf
        ways = [dict(), dict(principal=1), dict(principal=2), dict(insecure=True), dict(ca_pem=self.ca),
                dict(cert_pem=leaf.cert_path.read_bytes(), key_pem=leaf.key_path.read_bytes()),
                dict(resolve=['x:1:127.0.0.1']), dict(resolve=['x:2:127.0.0.1']),
                dict(connect_to=['x:1:y:2']), dict(connect_to=['x:1:y:3']), dict(ca_pem=self.ca, ca_extends=True),
                dict(tls_min='1.3'), dict(tls_max='1.2')]
        with self.worker() as w:
            for way in ways:
                self.assertFalse(self.connection(w, **way), way)
            for way in ways:
                self.assertTrue(self.connection(w, **way), way)
            self.assertEqual(w.next_beat()['partitions'], len(ways))

    def test_an_unused_partition_closes(self):
        with self.worker(partition_idle_ms=1000) as w:
            self.connection(w)
            w.until(lambda: w.beat and w.beat.get('partitions', 0) == 0 and w.beat.get('connections', 0) == 0, 20)

    def test_a_connection_that_the_origin_closed_does_not_stay(self):
        once = self.origin()
        with self.worker(once) as w:
            self.good(w.get(once.url('/ok')))
            once.stop()
            self.good(w.get(self.nginx.url('h1', '/1k')))

            class Closing(origins.Origin):
                def do_ok(self, peer):
                    super().do_ok(peer)
                    self.close_notify(peer)
            closing = Closing(self.site.leaf).start()
            self.addCleanup(closing.stop)
            other = self.worker(closing)
            with other as v:
                self.good(v.get(closing.url('/ok')))
                v.until(lambda: v.beat and v.beat.get('connections', 0) == 0 and v.beat.get('close_wait', 0) == 0, 20)

    def test_fresh_uses_a_connection_once(self):
        with self.worker() as w:
            self.assertFalse(self.connection(w))
            self.assertFalse(self.connection(w, fresh=True))
            self.assertFalse(self.connection(w, fresh=True))
            self.assertTrue(self.connection(w))


class Garbler(origins.Origin):
    """Answers with what was HTTP before it was cut, doubled, turned over and sprinkled with noise."""
    NOISE = (b'\r\n', b'\r\n\r\n', b'\0', b': ', b'9' * 30, b'HTTP/1.1 ', b'HTTP/2 ', b'Content-Length: 5\r\n')

    def __init__(self, seed):
        super().__init__()
        self.random = random.Random(seed)
        body = bodies.content(2000, seed) + bytes(2000)
        ok = b'HTTP/1.1 200 OK\r\n'
        coded = [(b'gzip', gzip.compress(body)), (b'deflate', zlib.compress(body)),
                 (b'gzip, gzip', gzip.compress(gzip.compress(body)))]
        self.answers = [ok + b'Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n' % (name, len(data)) + data
                        for name, data in coded]
        self.answers += [
            ok + b'Content-Length: 4000\r\n\r\n' + body,
            ok + b'Transfer-Encoding: chunked\r\n\r\nfa0;x=y\r\n' + body + b'\r\n0\r\nAfter: x\r\n\r\n',
            b'HTTP/1.1 302 F\r\nLocation: /on\r\nContent-Length: 3\r\n\r\nabc',
            b'HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 206 P\r\nConnection: close\r\n\r\n' + body]

    def garble(self):
        choose, data = self.random.randrange, bytearray(self.random.choice(self.answers))
        for _ in range(self.random.choice((0, 1, 1, 2, 4, 16))):
            at, how = choose(len(data) + 1), choose(5)
            if how == 0:
                data[at:at + 1] = bytes([choose(256)])
            elif how == 1:
                del data[at:at + choose(50)]
            elif how == 2:
                data[at:at] = data[at // 2:at // 2 + 200]
            elif how == 3:
                data[at:at] = self.random.choice(self.NOISE)
            elif choose(2):
                del data[at:]
        return bytes(data)

    def serve(self, peer):
        while peer.recv(65536):
            data = self.garble()
            half = self.random.randrange(len(data) + 1)
            peer.sendall(data[:half])
            peer.sendall(data[half:])
            if self.random.random() < 0.5:
                return


class Hostile(Case):
    def test_whatever_an_origin_sends_each_request_has_its_one_done(self):
        for seed in (1, 2, int(time.time())):
            with self.subTest(seed=seed), Garbler(seed) as garbler, \
                    self.worker(garbler, headers_timeout_ms=500, idle_timeout_ms=500, max_header_bytes=8000) as w:
                for _ in range(8):
                    ids = [w.fetch(garbler.url('/'), compressed=True, follow=garbler.random.random() < 0.3,
                                   total_timeout_ms=3000, window=garbler.random.choice((65, 300, 5000, 1 << 18)))
                           for _ in range(20)]
                    for id in ids:
                        w.finish(id)
                self.good(w.get(self.nginx.url('h1', '/1k')))
                w.ping(1)                               # nothing more came for any of them


class Backpressure(Case):
    LIMIT = 4 * MIB

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.nginx.write_huge()

    def settle(self, w):
        """Takes what comes until nothing has come for a while, and memory stays the same."""
        last, same = None, 0
        while same < 5:
            w.socket.settimeout(0.2)
            try:
                if w.step().id:                         # not a beat
                    same = 0
            except TimeoutError:
                now = proc.rss_bytes(w.pid)
                same = same + 1 if now == last or paths.sanitized() else 0
                last = now
            finally:
                w.socket.settimeout(60)
        return last

    def stall(self, server, compressed, streams, window=STREAM_WINDOW):
        with self.worker(auto_credit=True, keep=False) as w:
            warm = [w.fetch(self.nginx.url(server, '/gzip/1m' if compressed else '/1m'), compressed=compressed)
                    for _ in range(streams)]
            for id in warm:
                self.good(w.finish(id))
            before = self.settle(w)
            w.auto_credit = False
            ids = [w.fetch(self.nginx.url(server, '/gzip/1g' if compressed else '/1g'), compressed=compressed,
                           window=window) for _ in range(streams)]
            after = self.settle(w)
            growth = after - before
            print('%s %s, %d streams, window %d: %.1f MiB before, %+.2f MiB' % (
                server, 'gzip' if compressed else 'identity', streams, window, before / MIB, growth / MIB))
            self.assertLess(growth, paths.bound(self.LIMIT))
            for id in ids:
                self.assertIsNone(w.answer(id).done)
                self.assertLess(w.answer(id).bytes, window)
            for id in ids:
                w.cancel(id)
            for id in ids:
                self.failed(w.finish(id), 'cancelled')

    def test_a_stream_of_a_mebibyte_goes_on_after_it_stalled(self):
        with self.worker(auto_credit=False) as w:
            for server in ('h1', 'h2'):
                for path in ('/100m', '/gzip/100m'):
                    with self.subTest(server=server, path=path):
                        w.auto_credit, w.keep = False, False
                        id = w.fetch(self.nginx.url(server, path), compressed=True)
                        self.settle(w)
                        w.auto_credit = True
                        w.grant(id, 0)
                        self.good(w.finish(id), sha256=self.nginx.hashes['100m'])

    def test_tiny_windows_are_enough(self):
        with self.worker() as w:
            for server in ('h1', 'h2'):
                for window in (65, 100, 1000, 5000):
                    with self.subTest(server=server, window=window):
                        path = '/1k' if window < 1000 else '/1m'
                        self.good(w.get(self.nginx.url(server, path), window=window),
                                  sha256=self.nginx.hashes[path[1:]])

    def test_no_stream_gets_more_than_its_credit(self):
        with self.worker(auto_credit=False) as w:
            for window in (64, 65, 1000, 70000):
                id = w.fetch(self.nginx.url('h1', '/1m'), window=window)
                self.settle(w)
                self.assertLessEqual(w.answer(id).bytes + CHARGE, max(window, 64))
                w.cancel(id)
                w.finish(id)

    def test_a_daemon_that_does_not_read_costs_little(self):
        with self.worker(keep=False) as w:
            self.good(w.get(self.nginx.url('h1', '/1m')))
            before = self.settle(w)
            for _ in range(50):
                w.fetch(self.nginx.url('h1', '/1g'), window=1 << 24)
            time.sleep(1.5)
            growth = proc.rss_bytes(w.pid) - before
            print('50 streams into a channel nobody reads: %+.2f MiB' % (growth / MIB))
            self.assertLess(growth, paths.bound(8 * MIB))


for server in ('h1', 'h2'):
    for compressed in (False, True):
        for streams in (1, 50):
            name = 'test_%s_%s_%s_stalled' % ({'h1': 'http1', 'h2': 'http2'}[server],
                                              'gzip' if compressed else 'identity',
                                              'one_stream' if streams == 1 else '50_streams')
            setattr(Backpressure, name, lambda self, a=(server, compressed, streams): self.stall(*a))
setattr(Backpressure, 'test_http2_50_streams_without_any_credit', lambda self: self.stall('h2', False, 50, 64))


if __name__ == '__main__':
    tap.main()
