"""TLS: whom a request trusts, who it is, which versions it speaks; sessions resumed, within a partition."""
import base64
import hashlib
import itertools
import urllib.parse

from world import World, certs, origins, paths, proc, tap
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from support.guard import Guard
from support.proxies import Shell


def pin_of(pair):
    key = pair.certificate.public_key().public_bytes(serialization.Encoding.DER,
                                                     serialization.PublicFormat.SubjectPublicKeyInfo)
    return 'sha256//' + base64.b64encode(hashlib.sha256(key).digest()).decode()


class Trust(World):
    def test_an_extra_authority_is_trusted_besides_and_another_instead(self):
        other = certs.Authority(paths.folder('c'), 'another CA')
        with Guard(other.leaf('other')) as guard, self.make(allow=[guard.port]) as fetchd, \
                fetchd.connect() as c:
            pem = other.cert_path.read_bytes()
            self.bad(c.get(guard.url('/open')), 'tls.certificate')
            for url in (guard.url('/open'), self.url('/1k')):
                self.good(c.get(url, ca_pem=pem, ca_extends=True))
            self.good(c.get(guard.url('/open'), ca_pem=pem))
            self.bad(c.get(self.url('/1k'), ca_pem=pem), 'tls.certificate')
            for option, code in (('--extra-cacert', 0), ('--cacert', 60)):
                self.assertEqual(fetchd.fetchctl('get', option, other.cert_path, self.url('/1k')).returncode,
                                 code)

    def test_without_the_operators_leave_certificates_are_checked(self):
        with self.fetchd.connect() as c:
            error = self.bad(c.get(self.url('/1k', 'self_signed'), insecure=True), 'access.denied')
            self.assertIn('[tls] insecure = yes', error['message'])
        run = self.ctl('get', '-k', self.url('/1k', 'self_signed'))
        self.assertEqual(run.returncode, 112)
        self.assertIn('[tls] insecure', run.stderr.decode())
        with self.make(settings={'tls.insecure': 'yes'}) as fetchd:
            self.assertEqual(fetchd.fetchctl('get', '-k', self.url('/1k', 'self_signed')).returncode, 0)

    def test_a_pinned_key_must_be_the_origins(self):
        right, wrong = pin_of(self.nginx.leaf), pin_of(self.authority)
        with self.fetchd.connect() as c:
            self.good(c.get(self.url('/1k'), pinned_key=right))
            self.good(c.get(self.url('/1k'), pinned_key=wrong + ';' + right))
            self.good(c.get(self.url('/1k'), pinned_key=right))         # on a connection that is there
            self.assertNotIn('retryable', self.bad(c.get(self.url('/1k'), pinned_key=wrong),
                                                   'tls.pinned_key'))
            self.bad(c.get(self.url('/1k', 'expired'), pinned_key=right), 'tls.certificate', 'tls.pinned_key')
            self.bad(c.get(self.url('/1k'), pinned_key='/etc/passwd'), 'request.invalid')
        run = self.ctl('get', '--pinnedpubkey', wrong, self.url('/1k'))
        self.assertEqual(run.returncode, 90)

    def test_the_chain_comes_on_demand_on_new_connections_and_kept_ones(self):
        with self.fetchd.connect() as c:
            for fresh in (True, False, False, True):
                answer = self.good(c.get(self.url('/1k', 'tls12'), want_certs=True, fresh=fresh))
                chain = [x509.load_pem_x509_certificate(pem.encode()) for pem in answer.response['certs']]
                self.assertEqual(chain, [self.nginx.leaf.certificate])
            self.assertNotIn('certs', self.good(c.get(self.url('/1k'))).response)
            self.assertNotIn('certs', self.good(c.get(self.url('/1k', 'plain'), want_certs=True)).response)
        out = self.ctl_good('get', '-o', '/dev/null', '-w', '%{num_certs}\n%{certs}',
                            self.url('/1k')).decode()
        self.assertEqual(out, '1\n' + self.nginx.leaf.cert_path.read_text())


class Identity(World):
    """A server that asks for a certificate, and says whose it saw."""
    own_daemon = True

    def setUp(self):
        self.me = self.authority.leaf('me', names=('me.example',))
        self.strict = Shell(self.site.leaf, self.nginx.ports['plain'], self.authority.cert_path)
        self.other = Shell(self.site.leaf, self.nginx.ports['plain'], self.authority.cert_path)
        self.fetchd = self.make(allow=[self.strict.port, self.other.port]).start()
        for one in (self.strict, self.other):
            self.addCleanup(one.__exit__)
        self.addCleanup(self.fetchd.stop)

    def mine(self, key=None):
        return dict(cert_pem=self.me.cert_path.read_bytes(), key_pem=key or self.me.key_path.read_bytes())

    def names(self, shell):
        return [dict(sum((list(part) for part in shown['subject']), []))['commonName'] if shown else None
                for shown in shell.shown]

    def test_a_certificate_and_its_key_come_as_bytes(self):
        with self.fetchd.connect() as c:
            url = 'https://localhost:%d/1k' % self.strict.port
            self.good(c.get(url, **self.mine()))
            self.good(c.get(url))
            both = self.me.cert_path.read_bytes() + self.me.key_path.read_bytes()
            self.good(c.get(url, cert_pem=both))
        self.assertEqual(self.names(self.strict), ['me', None, 'me'])
        self.ctl_good('get', '--fresh', '-E', self.me.cert_path, '--key', self.me.key_path, url,
                      fetchd=self.fetchd)
        self.assertEqual(self.names(self.strict)[3:], ['me'])

    def test_what_can_not_be_used_is_said_clearly(self):
        key = serialization.load_pem_private_key(self.me.key_path.read_bytes(), None)
        locked = [key.private_bytes(serialization.Encoding.PEM, form,
                                    serialization.BestAvailableEncryption(b'pw'))
                  for form in (serialization.PrivateFormat.PKCS8,
                               serialization.PrivateFormat.TraditionalOpenSSL)]
        url = 'https://localhost:%d/1k' % self.strict.port
        with self.fetchd.connect() as c:
            for pem in locked:
                error = self.bad(c.get(url, **self.mine(pem)), 'tls.client_certificate')
                self.assertIn('under a password', error['message'])
                self.assertIn('openssl pkey', error['message'])
            other = self.authority.leaf('you').key_path.read_bytes()
            self.assertIn('not the client certificate', self.bad(c.get(url, **self.mine(other)),
                                                                 'tls.client_certificate')['message'])
            self.bad(c.get(url, **self.mine(b'nonsense')), 'tls.client_certificate')
            self.bad(c.get(url, cert_pem=b'nonsense', key_pem=self.mine()['key_pem']),
                     'tls.client_certificate')
            self.bad(c.get(url, key_pem=self.mine()['key_pem']), 'request.invalid')
        self.assertEqual(self.names(self.strict), [])

    def test_it_does_not_follow_a_redirect_to_another_origin(self):
        with self.fetchd.connect() as c:
            home = 'https://localhost:%d' % self.strict.port
            for to, names in (('https://localhost:%d/1k' % self.other.port, [None]), (home + '/1k', [])):
                start = home + '/r307?to=' + to
                self.good(c.get(start, follow=True, **self.mine()))
                self.assertEqual(self.names(self.other), [None])
            self.assertEqual(set(self.names(self.strict)), {'me'})


class Versions(World):
    def test_each_side_of_the_range_holds(self):
        table = (('tls12', dict(tls_max='1.2'), None), ('tls12', dict(tls_min='1.3'), 'tls.handshake'),
                 ('tls13', dict(tls_min='1.3'), None), ('tls13', dict(tls_max='1.2'), 'tls.handshake'),
                 ('h2', dict(tls_max='1.2'), None), ('h2', dict(tls_min='1.3', tls_max='1.3'), None))
        with self.fetchd.connect() as c:
            for server, range_, error in table:
                with self.subTest(server=server, **range_):
                    mark = '/1k?' + urllib.parse.urlencode(range_)
                    answer = c.get(self.url(mark, server), attempts=1, **range_)
                    self.assertEqual(answer.error, error, answer.done)
                    if not error:
                        row = proc.until(lambda: [r for r in self.nginx.access() if r['uri'] == mark], 10)[0]
                        self.assertEqual(row['tls'], 'TLSv' + (range_.get('tls_max') or '1.3'))
            for bad in ('1.0', '1.1'):
                error = self.bad(c.get(self.url('/1k'), tls_min=bad), 'request.invalid')
                self.assertIn('[tls] min_version', error['message'])
            self.bad(c.get(self.url('/1k'), tls_min='1.3', tls_max='1.2'), 'request.invalid')
        self.assertEqual(self.ctl('get', '--tlsv1.3', self.url('/1k', 'tls12')).returncode, 35)
        self.assertEqual(self.ctl('get', '--tls-max', '1.2', self.url('/1k', 'tls13')).returncode, 35)

    def test_the_operator_sets_the_least(self):
        with self.make(settings={'tls.min_version': '1.3'}) as fetchd, fetchd.connect() as c:
            self.good(c.get(self.url('/1k', 'tls13')))
            self.bad(c.get(self.url('/1k', 'tls12'), attempts=1), 'tls.handshake')
            self.bad(c.get(self.url('/1k', 'tls12'), tls_min='1.2'), 'request.invalid')


class Resumption(World):
    workers = 1

    def resumed(self, server, **options):
        mark = '/1k?%s-%d' % (server, next(self.counter))
        with self.fetchd.connect() as c:
            self.good(c.get(self.url(mark, server), fresh=True, http_version='1.1', **options))
        return proc.until(lambda: [r for r in self.nginx.access() if r['uri'] == mark],
                          10)[0]['resumed'] == 'r'

    counter = itertools.count()

    def test_a_second_handshake_of_a_partition_is_short_and_of_another_is_not(self):
        ca = self.authority.cert_path.read_bytes()
        ways = [dict(), dict(ca_pem=ca), dict(ca_pem=ca, ca_extends=True),
                dict(resolve=['x.example:1:127.0.0.1']),
                dict(connect_to=['x.example:1:y.example:1']), dict(pinned_key=pin_of(self.nginx.leaf)),
                dict(cert_pem=self.site.leaf.cert_path.read_bytes(),
                     key_pem=self.site.leaf.key_path.read_bytes())]
        for server in ('tls12', 'tls13'):
            for way in ways:
                with self.subTest(server=server, way=sorted(way)):
                    self.assertEqual([self.resumed(server, **way) for _ in range(3)], [False, True, True])


class Overrides(World):
    def test_connect_to_leads_elsewhere_and_the_name_stays(self):
        port = self.nginx.ports['wrong_name']
        with self.fetchd.connect() as c:
            for entry in ('elsewhere.example:443:localhost:%d' % port, '::127.0.0.1:%d' % port,
                          'elsewhere.example::localhost:%d' % port):
                answer = self.good(c.get('https://elsewhere.example/headers', connect_to=[entry]))
                self.assertIn(b'elsewhere.example', answer.body)
            self.bad(c.get('https://elsewhere.example/', connect_to=['nonsense']), 'request.invalid')
        out = self.ctl_good('get', '--connect-to', 'elsewhere.example:443:localhost:%d' % port,
                            'https://elsewhere.example/1k')
        self.assertEqual(len(out), 1024)

    def test_the_egress_rules_hold_for_where_it_leads(self):
        with origins.Origin() as canary, self.fetchd.connect() as c:
            for more in (dict(connect_to=['::127.0.0.1:%d' % canary.port]),
                         dict(connect_to=['::localhost:%d' % canary.port]),
                         dict(resolve=['example.com:80:127.0.0.1'],
                              connect_to=['::example.com:%d' % canary.port])):
                self.bad(c.get('http://example.com/ok', **more), 'policy.denied', 'dns.failed')
            self.assertEqual(canary.connections, 0)


if __name__ == '__main__':
    tap.main()
