"""Proxies: real ones of each kind, with credentials; nothing is shared between them; what they do wrong is
named apart from what origins do; the egress rules hold for them and behind them."""
from world import World, origins, paths, proc, tap
from support.guard import Guard
from support.proxies import Dante, Microsocks, Shell, Tinyproxy
from support.tunnels import Tunnel


class Case(World):
    own_daemon = True

    def with_(self, context):
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def through(self, *proxies, **options):
        """A fetchd that may reach our origins and these proxies."""
        fetchd = self.make(allow=[p if isinstance(p, int) else p.port for p in proxies], **options).start()
        self.addCleanup(fetchd.stop)
        return fetchd


class Real(Case):
    def get_all(self, c, proxy, **more):
        for server in ('h2', 'h1', 'plain'):
            with self.subTest(server=server, proxy=proxy):
                host = '127.0.0.1' if server == 'plain' else 'localhost'        # it listens there alone
                answer = c.get(self.url('/1k', server, host), proxy=proxy, **more)
                self.good(answer, sha256=self.nginx.hashes['1k'])

    def test_tinyproxy(self):
        folder = paths.folder('p')
        with Tinyproxy(folder) as proxy, Tinyproxy(folder, 'me', 'it') as strict:
            with self.through(proxy, strict).connect() as c:
                self.get_all(c, proxy.url)
                self.get_all(c, strict.url)
                self.get_all(c, 'http://127.0.0.1:%d' % strict.port, proxy_credentials=b'me:it')
                for more in (dict(), dict(proxy_credentials=b'me:wrong')):
                    self.bad(c.get(self.url('/1k'), proxy='http://127.0.0.1:%d' % strict.port, **more),
                             'proxy.auth')
            self.assertIn('CONNECT localhost:%d' % self.nginx.ports['h2'], proxy.log())

    def test_microsocks(self):
        folder = paths.folder('p')
        with Microsocks(folder) as proxy, Microsocks(folder, 'me', 'it') as strict:
            with self.through(proxy, strict).connect() as c:
                for scheme in ('socks5', 'socks5h'):
                    self.get_all(c, '%s://127.0.0.1:%d' % (scheme, proxy.port))
                    self.get_all(c, '%s://me:it@127.0.0.1:%d' % (scheme, strict.port))
                    self.get_all(c, '%s://127.0.0.1:%d' % (scheme, strict.port), proxy_credentials=b'me:it')
                    for bad in ('me:wrong@', ''):
                        named = '%s://%s127.0.0.1:%d' % (scheme, bad, strict.port)
                        answer = c.get(self.url('/1k'), proxy=named)
                        self.bad(answer, 'proxy.auth')
                answer = c.get('http://localhost:%d/' % origins.refused_port(), proxy=proxy.url)
                self.bad(answer, 'policy.denied')       # our own loopback is not reached through it either

    def test_dante(self):
        with Dante(paths.folder('p')) as proxy, self.through(proxy).connect() as c:
            for scheme in ('socks4', 'socks5', 'socks5h'):       # it knows no 4a; tunnels.py does
                self.get_all(c, '%s://127.0.0.1:%d' % (scheme, proxy.port))

    def test_https_proxy_with_a_trust_of_its_own(self):
        inner = self.with_(Tinyproxy(paths.folder('p')))
        other = self.certs_authority()
        known = self.with_(Shell(self.site.leaf, inner.port))
        strange = self.with_(Shell(other.leaf('proxy'), inner.port))
        with self.through(known, strange, inner).connect() as c:
            self.get_all(c, known.url)
            self.bad(c.get(self.url('/1k'), proxy=strange.url), 'proxy.certificate')
            self.get_all(c, strange.url, proxy_ca_pem=other.cert_path.read_bytes())
            # ... which is no trust in an origin, nor does an origin's trust reach the proxy.
            self.bad(c.get(self.url('/1k', 'self_signed'), proxy=strange.url,
                           proxy_ca_pem=other.cert_path.read_bytes()), 'tls.certificate')
            self.bad(c.get(self.url('/1k'), proxy=strange.url, ca_pem=other.cert_path.read_bytes()),
                     'proxy.certificate')
            self.bad(c.get(self.url('/1k'), proxy=strange.url, proxy_insecure=True), 'access.denied')
        with self.through(known, strange, settings={'tls.insecure': 'yes'}).connect() as c:
            self.get_all(c, strange.url, proxy_insecure=True)
            self.bad(c.get(self.url('/1k'), proxy=strange.url, insecure=True), 'proxy.certificate')

    def certs_authority(self):
        from support import certs
        return certs.Authority(paths.folder('c'), 'another CA')

    def test_a_client_certificate_is_for_the_origin_and_never_for_the_proxy(self):
        me = self.authority.leaf('me', names=('me.example',))
        shell = self.with_(Shell(self.site.leaf, self.with_(Tinyproxy(paths.folder('p'))).port,
                                 self.authority.cert_path))
        origin = self.with_(Shell(self.site.leaf, self.nginx.ports['plain'], self.authority.cert_path))
        with self.through(shell, origin).connect() as c:
            answer = c.get('https://localhost:%d/1k' % origin.port, proxy=shell.url,
                           cert_pem=me.cert_path.read_bytes(),
                           key_pem=me.key_path.read_bytes(), http_version='1.1')
            self.good(answer, sha256=self.nginx.hashes['1k'])
        self.assertTrue(origin.shown[0])
        self.assertFalse(shell.shown[0])

    def test_fetchctl_has_curls_options(self):
        folder = paths.folder('p')
        http, socks = self.with_(Tinyproxy(folder, 'me', 'it')), self.with_(Microsocks(folder, 'me', 'it'))
        fetchd = self.through(http, socks)
        for args in (['-x', 'http://127.0.0.1:%d' % http.port, '--proxy-user', 'me:it'], ['-x', http.url],
                     ['--socks5', '127.0.0.1:%d' % socks.port, '-U', 'me:it'],
                     ['--socks5-hostname', 'me:it@127.0.0.1:%d' % socks.port]):
            with self.subTest(args=args):
                self.assertEqual(len(self.ctl_good('get', *args, self.url('/1k'), fetchd=fetchd)), 1024)
        run = self.ctl('get', '-x', 'http://127.0.0.1:%d' % http.port, self.url('/1k'), fetchd=fetchd)
        self.assertEqual(run.returncode, 56)
        self.assertIn('proxy.auth', run.stderr.decode())


class Digest(Case):
    def test_a_proxy_may_ask_for_digest(self):
        """The same Guard, as an HTTP proxy for http:// URLs: it sees absolute ones."""
        import http.server
        from support import guard as guards

        class Proxy(guards.Handler):
            def handle_request(self):
                self.headers.add_header('Authorization', self.headers.get('Proxy-Authorization', ''))
                self.server.guard.seen.append(dict(path=self.path, headers=dict(self.headers), body=b''))
                self.path = '/digest'           # libcurl's digest is of the path, here as elsewhere
                self.digest('/digest', self.headers.get('Proxy-Authorization', ''), self.server.guard)

            def answer(self, status, body=b'', **headers):
                if status == 401:
                    status, headers = 407, {'Proxy_Authenticate': headers['WWW_Authenticate']}
                super().answer(status, body, **headers)

            do_GET = handle_request

        self.assertTrue(http.server)
        with Guard(None, 'me', 'it') as guard:
            guard.server.RequestHandlerClass = Proxy
            with self.through(guard).connect() as c:
                named = dict(proxy='http://127.0.0.1:%d' % guard.port, proxy_auth='digest')
                url = 'http://example.com/digest'
                self.assertEqual(self.good(c.get(url, proxy_credentials=b'me:it', **named)).body,
                                 b'welcome 0\n')
                self.bad(c.get(url, proxy_credentials=b'me:wrong', **named), 'proxy.auth')
                self.bad(c.get(url, **named), 'proxy.auth')


class Faults(Case):
    """Each ends with a name of its own, and none with one that blames the origin."""

    def one(self, name, proxy, port, url=None, **more):
        more.setdefault('attempts', 1)
        with self.through(port).connect() as c:
            error = self.bad(c.get(url or self.url('/1k'), proxy=proxy, **more), name)
            return error

    def test_nobody_listens(self):
        port = origins.refused_port()
        for scheme in ('http', 'https', 'socks4', 'socks5h'):
            with self.subTest(scheme=scheme):
                error = self.one('proxy.refused', '%s://127.0.0.1:%d' % (scheme, port), port)
                self.assertEqual((error['phase'], error['retryable']), ('proxy', True))

    def test_nobody_answers(self):
        with origins.Blackhole() as hole:
            self.one('proxy.timeout', 'http://127.0.0.1:%d' % hole.port, hole.port, connect_timeout_ms=300)

    def test_a_name_that_is_none(self):
        self.one('proxy.dns', 'http://nowhere.invalid:3128', 1)

    def test_it_says_nothing_to_connect(self):
        with origins.Handshake('stall') as origin:
            for scheme in ('http', 'https', 'socks5h'):
                with self.subTest(scheme=scheme):
                    self.one('proxy.timeout', '%s://127.0.0.1:%d' % (scheme, origin.port), origin.port,
                             connect_timeout_ms=300)

    def test_it_hangs_up_or_babbles(self):
        for what in ('close', 'reset', 'garbage'):
            with origins.Handshake(what) as origin:
                self.one('proxy.tls', 'https://127.0.0.1:%d' % origin.port, origin.port)
                for scheme in ('http', 'socks5h'):
                    with self.subTest(scheme=scheme, what=what):
                        error = self.one('proxy.failed', '%s://127.0.0.1:%d' % (scheme, origin.port),
                                         origin.port)
                        self.assertEqual(error['phase'], 'proxy')

    def test_it_refuses_the_way_or_does_not_find_it(self):
        for status, name in ((403, 'proxy.failed'), (500, 'proxy.failed'), (503, 'proxy.failed'),
                             (502, 'proxy.target'),
                             (504, 'proxy.target'), (407, 'proxy.auth')):
            with self.subTest(status=status), Tunnel(refuse=status) as tunnel:
                self.one(name, tunnel.url, tunnel.port)
        for reply, name in ((1, 'proxy.failed'), (2, 'proxy.failed'), (3, 'proxy.target'),
                            (4, 'proxy.target'),
                            (5, 'proxy.target'), (6, 'proxy.target')):
            with self.subTest(reply=reply), Tunnel('socks5h', refuse=reply) as tunnel:
                self.one(name, tunnel.url, tunnel.port)

    def test_behind_it_the_origins_faults_keep_their_names(self):
        with Tunnel() as tunnel, origins.Handshake('reset') as reset, origins.Handshake('stall') as stall:
            with self.through(tunnel, reset, stall).connect() as c:
                self.bad(c.get(reset.url(), proxy=tunnel.url, attempts=1), 'tls.peer_reset')
                self.bad(c.get(stall.url(), proxy=tunnel.url, attempts=1, tls_timeout_ms=300), 'tls.timeout')
                self.bad(c.get(self.url('/1k', 'expired'), proxy=tunnel.url), 'tls.certificate')
                self.bad(c.get(self.url('/close', 'h1'), proxy=tunnel.url, attempts=1), 'receive.empty',
                         'receive.failed')


class Apart(Case):
    """Connections, TLS sessions and names: seen from the proxy's and from the origin's side."""

    def test_two_proxies_two_users_two_credentials_share_nothing(self):
        one, two = self.with_(Tunnel()), self.with_(Tunnel())
        ways = [dict(), dict(proxy=one.url), dict(proxy=two.url),
                dict(proxy=one.url, proxy_credentials=b'a:a'), dict(proxy=one.url, proxy_credentials=b'a:b'),
                dict(proxy='http://b:b@127.0.0.1:%d' % one.port)]
        with self.through(one, two, workers=1).connect() as c:
            for server in ('tls12', 'tls13'):
                for number, way in enumerate(ways):
                    with self.subTest(server=server, way=way):
                        marks = ['/1k?%s-%d-%d' % (server, number, turn) for turn in range(3)]
                        for turn, mark in enumerate(marks):
                            self.good(c.get(self.url(mark, server), http_version='1.1', fresh=turn == 1,
                                            **way))
                        rows = [self.row(mark) for mark in marks]
                        # A new connection and a new session for each way; then its own again.
                        self.assertEqual([row['resumed'] for row in rows][:2], ['.', 'r'], rows)
                        self.assertEqual(rows[2]['connection'], rows[0]['connection'])
                        self.assertEqual(rows[0]['number'], '1')
        self.assertGreaterEqual(len(one.targets), 2 * 4 * 2)

    def row(self, mark):
        def found():
            return [row for row in self.nginx.access() if row['uri'] == mark]
        proc.until(found, 10, 'a line of nginx about ' + mark)
        self.assertEqual(len(found()), 1)
        return found()[0]

    def test_a_proxy_that_looks_names_up_is_given_names_and_one_that_does_not_addresses(self):
        for scheme, named in (('socks4', False), ('socks4a', True), ('socks5', False), ('socks5h', True),
                              ('http', True)):
            with self.subTest(scheme=scheme), Tunnel(scheme) as tunnel:
                with self.through(tunnel).connect() as c:
                    self.good(c.get(self.url('/1k'), proxy=tunnel.url))
                self.assertEqual(tunnel.targets[0].startswith('localhost:'), named, tunnel.targets)


class Egress(Case):
    def test_a_proxy_at_a_denied_address_is_not_asked(self):
        with Tunnel() as tunnel:
            with self.through().connect() as c:
                for host in ('127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '0x7f.1'):
                    answer = c.get(self.url('/1k'), proxy='http://%s:%d' % (host, tunnel.port))
                    self.bad(answer, 'policy.denied', 'proxy.connect', 'request.invalid', 'proxy.dns')
            self.assertEqual(tunnel.targets, [])

    def test_an_origins_name_that_is_allowed_opens_no_proxy(self):
        with Tunnel() as tunnel:
            with self.through('example.com').connect() as c:
                self.bad(c.get('http://example.com/', proxy='http://127.0.0.1:%d' % tunnel.port),
                         'policy.denied')
            self.assertEqual(tunnel.targets, [])

    def through(self, *allow, **options):
        fetchd = self.make(allow=[getattr(a, 'port', a) for a in allow], **options).start()
        self.addCleanup(fetchd.stop)
        return fetchd

    def test_denied_targets_are_not_reached_through_a_proxy_either(self):
        with origins.Origin() as canary:
            for scheme in ('http', 'socks4a', 'socks5h', 'socks5'):
                with self.subTest(scheme=scheme), Tunnel(scheme) as tunnel:
                    deny = 'loopback, link-local, .denied.example'
                    with self.through(tunnel, settings={'egress.deny': deny}).connect() as c:
                        hosts = ('127.0.0.1', 'localhost', '127.1', '2130706433', '[::1]', 'a.localhost',
                                 '[::ffff:7f00:1]')
                        for url in (*(canary.url('/ok', host) for host in hosts), 'http://169.254.169.254/',
                                    'http://x.denied.example/', 'https://x.denied.example/'):
                            with self.subTest(url=url):
                                self.bad(c.get(url, proxy=tunnel.url, connect_timeout_ms=2000),
                                         'policy.denied')
                        answer = c.get(self.url('/r302?to=' + canary.url('/ok', '127.0.0.1')), follow=True,
                                       proxy=tunnel.url)
                        self.bad(answer, 'policy.denied')
                    self.assertFalse([t for t in tunnel.targets
                                      if not t.endswith(':%d' % self.nginx.ports['h2'])])
            self.assertEqual(canary.connections, 0)
            # the control
            with Tunnel('socks5h') as tunnel, self.through(tunnel, 'loopback').connect() as c:
                self.good(c.get(canary.url('/ok', '127.0.0.1'), proxy=tunnel.url))

    def test_overrides_lead_no_name_that_is_allowed_astray(self):
        with origins.Origin() as canary:
            with self.through('intranet.example',
                              settings={'egress.deny': 'loopback, .denied.example'}).connect() as c:
                url = 'http://intranet.example:%d/ok' % canary.port
                self.bad(c.get(url, resolve=['intranet.example:%d:127.0.0.1' % canary.port]), 'policy.denied')
                self.bad(c.get(url, connect_to=['::127.0.0.1:']), 'policy.denied')
                self.bad(c.get(url, connect_to=['::localhost:']), 'policy.denied')
                self.bad(c.get(url, connect_to=['::x.denied.example:'],
                               resolve=['x.denied.example:%d:192.0.2.1' % canary.port]),
                         'policy.denied')
                self.bad(c.get('http://x.denied.example/',
                               connect_to=['::localhost:%d' % self.nginx.ports['plain']]),
                         'policy.denied')
            self.assertEqual(canary.connections, 0)


if __name__ == '__main__':
    tap.main()
