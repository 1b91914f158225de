"""Where requests may go: every spelling of a denied address is denied by its number, and a canary that
listens there sees nothing; the same spellings reach it when the setting allows them."""
import contextlib
import os
import re
import socket
import subprocess
import threading

from world import World, origins, paths, tap
from support.nginx import has_ipv6

SPELLINGS = (
    '127.0.0.1', 'localhost', 'LOCALHOST', 'localhost.', '127.1', '127.0.1', '2130706433', '0x7f000001', '0x7f.1',
    '0177.0.0.1', '0177.1', '017700000001', '127.0.0.1.', '0', '0.0.0.0', '[::1]', '[::ffff:127.0.0.1]',
    '[0:0:0:0:0:ffff:7f00:1]', '[::]', '[0000::1]', '127.8.8.8',
)
ELSEWHERE = (
    '169.254.169.254', '[fe80::1]', '224.0.0.1', '[ff02::1]', '255.255.255.255', '[64:ff9b::7f00:1]', '[2002:7f00:1::]',
    '[::ffff:169.254.169.254]',
)


class Denied(World):
    own_daemon = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.canary = origins.Origin().start()
        cls.fetchd = cls.make().start()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.canary.stop()

    def test_every_spelling_of_loopback_is_denied(self):
        with self.fetchd.connect() as c:
            for host in SPELLINGS:
                with self.subTest(host=host):
                    answer = c.get(self.canary.url('/ok', host))
                    error = self.bad(answer, 'policy.denied', 'request.invalid', 'dns.failed', 'connect.failed')
                    if error['name'] == 'policy.denied':
                        self.assertRegex(error['message'], r'\[egress\]')
                    self.assertFalse(error.get('retryable', False) and error['name'] == 'policy.denied')
        self.assertEqual(self.canary.connections, 0)

    def test_other_denied_networks(self):
        with self.fetchd.connect() as c:
            for host in ELSEWHERE:
                with self.subTest(host=host):
                    self.bad(c.get('http://%s/' % host, total_timeout_ms=5000), 'policy.denied')

    def test_a_redirect_leads_no_further(self):
        with self.fetchd.connect() as c:
            for host in SPELLINGS:
                with self.subTest(host=host):
                    answer = c.get(self.url('/r302?to=' + self.canary.url('/ok', host)), follow=True)
                    self.bad(answer, 'policy.denied', 'redirect.invalid', 'dns.failed', 'connect.failed')
        self.assertEqual(self.canary.connections, 0)

    def test_resolve_does_not_lead_around_it(self):
        with self.fetchd.connect() as c:
            answer = c.get('http://public.example:%d/ok' % self.canary.port,
                           resolve=['public.example:%d:127.0.0.1' % self.canary.port])
            self.bad(answer, 'policy.denied')
        self.assertEqual(self.canary.connections, 0)

    def test_a_proxy_named_by_a_client_is_checked_too(self):
        with self.fetchd.connect() as c:
            for scheme in ('http', 'socks5', 'socks5h'):
                with self.subTest(scheme=scheme):
                    answer = c.get('http://public.example/', proxy='%s://127.0.0.1:%d' % (scheme, self.canary.port))
                    self.bad(answer, 'policy.denied')
        self.assertEqual(self.canary.connections, 0)

    def test_only_the_port_that_is_allowed_is(self):
        with self.fetchd.connect() as c:
            self.good(c.get(self.url('/1k')))
            self.bad(c.get(self.canary.url('/ok')), 'policy.denied')

    def test_fetchctl_ends_with_112_and_names_rule_and_setting(self):
        run = self.fetchd.fetchctl('get', self.canary.url('/ok'))
        self.assertEqual(run.returncode, 112, run.stderr)
        self.assertRegex(run.stderr.decode(), r'policy\.denied.*\[egress\].*allow')
        self.assertTrue(re.search(r'loopback|127\.0\.0', run.stderr.decode()))


class Allowed(World):
    """The negative control: the same canary, the same spellings, and the rule the other way round."""
    own_daemon = True

    def test_the_same_spellings_reach_the_canary_when_allowed(self):
        reached = set()
        with origins.Origin() as canary, self.make(allow=['loopback', 'unspecified']) as fetchd, fetchd.connect() as c:
            for host in ('127.0.0.1', 'localhost', '127.1', '2130706433', '0x7f.1', '0177.0.0.1', '0.0.0.0'):
                answer = c.get(canary.url('/ok', host))
                if answer.error is None:
                    reached.add(host)
            self.assertGreaterEqual(canary.connections, 1)
        self.assertEqual(reached, {'127.0.0.1', 'localhost', '127.1', '2130706433', '0x7f.1', '0177.0.0.1', '0.0.0.0'})

    def test_options_of_curl_that_are_none_of_ours_do_nothing(self):
        """A key that the protocol does not know is passed over: none leads elsewhere, or to other trust."""
        path, seen = str(paths.folder('u') / 'canary'), []
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(16)
        self.addCleanup(listener.close)
        threading.Thread(target=self.count, args=(listener, seen), daemon=True).start()
        keys = dict.fromkeys(('unix_socket', 'unix_socket_path', 'abstract_unix_socket', 'cainfo', 'ca_file', 'capath',
                              'netrc_file', 'sslcert', 'cookiefile', 'altsvc_file'), path)
        keys.update(interface='lo', local_port=1, doh_url='http://127.0.0.1:1/', ssl_verifypeer=False, noproxy='*')
        with self.make() as fetchd, fetchd.connect() as c:
            self.good(c.get(self.url('/1k'), **keys), sha256=self.nginx.hashes['1k'])
            self.bad(c.get(self.url('/1k', 'self_signed'), **keys), 'tls.certificate')
        self.assertEqual(seen, [])
        subprocess.run(['curl', '-s', '--max-time', '10', '--unix-socket', path, 'http://localhost/'])      # the control
        self.assertEqual(len(seen), 1)

    @staticmethod
    def count(listener, seen):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                seen.append(peer)
                peer.close()

    def test_a_network_a_port_and_a_name_can_be_allowed(self):
        with origins.Origin() as canary:
            for rule in ('127.0.0.0/8', '127.0.0.1', '127.0.0.1:%d' % canary.port, 'loopback', 'localhost',
                         'localhost:%d' % canary.port):
                with self.subTest(rule=rule), self.make(allow=[rule]) as fetchd, fetchd.connect() as c:
                    self.good(c.get(canary.url('/ok')))
            for rule in ('127.0.0.1:%d' % (canary.port ^ 1), '127.0.0.2', 'elsewhere.example'):
                with self.subTest(rule=rule), self.make(allow=[rule]) as fetchd, fetchd.connect() as c:
                    self.bad(c.get(canary.url('/ok')), 'policy.denied')

    def test_ipv6(self):
        if not has_ipv6():
            self.skipTest('no IPv6 on this machine')
        with self.make(allow=['[::1]:%d' % self.nginx.ports['h2']]) as fetchd, fetchd.connect() as c:
            self.good(c.get(self.url('/1k', host='[::1]')))

    def test_a_denied_name(self):
        with self.make(settings={'egress.deny': 'loopback, .example'}) as fetchd, fetchd.connect() as c:
            port = self.nginx.ports['wrong_name']
            error = self.bad(c.get('https://elsewhere.example:%d/1k' % port,
                                   resolve=['elsewhere.example:%d:192.0.2.1' % port]), 'policy.denied')
            self.assertIn('.example', error['message'])

    def of_class(self, member, **rules):
        """Settings of a class in which we, root or not, are or are not."""
        settings = {'class "guests".members': member}
        settings.update({'class "guests".' + key: value for key, value in rules.items()})
        return settings

    def test_a_class_of_users_has_rules_of_its_own_that_are_asked_first(self):
        us, them = str(os.geteuid()), '4294967'
        with origins.Origin() as canary:
            for member, rules, allow, expected in (
                    (us, dict(egress_deny='any:%d' % canary.port), ['loopback'], 'policy.denied'),
                    (them, dict(egress_deny='any:%d' % canary.port), ['loopback'], None),
                    (us, dict(egress_allow='127.0.0.1:%d' % canary.port), [], None),
                    (them, dict(egress_allow='127.0.0.1:%d' % canary.port), [], 'policy.denied'),
                    (us, dict(egress_allow='127.0.0.1:1', egress_deny='10.0.0.0/8'), [], 'policy.denied')):
                with self.subTest(member=member, rules=rules), \
                        self.make(allow=allow, settings=self.of_class(member, **rules)) as fetchd, fetchd.connect() as c:
                    answer = c.get(canary.url('/ok'))
                    self.assertEqual(answer.error, expected, answer.done)
                    if member == us and 'egress_deny' in rules and allow:
                        self.assertIn('[class] egress_deny', answer.done['error']['message'])
                    self.good(c.get(self.url('/1k')))

    def test_a_class_that_may_go_nowhere_else_uses_no_kept_connection_either(self):
        """The rules of a user's class hold where others of a shared pool have a connection open already."""
        with origins.Origin() as canary:
            settings = dict(self.of_class(str(os.geteuid()), egress_deny=''), **{'isolation.pool': 'shared'})
            with self.make(allow=['loopback'], settings=settings, workers=1) as fetchd, fetchd.connect() as c:
                self.good(c.get(canary.url('/ok')))
                self.good(c.get(canary.url('/ok')))
                self.assertEqual(canary.connections, 1)
                fetchd.write_config(**{'class "guests".egress_deny': 'any:%d' % canary.port})
                self.assertEqual(fetchd.fetchctl('reload').returncode, 0)
                self.bad(c.get(canary.url('/ok')), 'policy.denied')
                self.assertEqual(canary.connections, 1)

    def test_schemes_that_are_not_listed_are_denied_redirects_too(self):
        with origins.Origin() as canary:
            for schemes, expected in (('https', 'policy.denied'), ('https, http', None), ('https, ftp', 'policy.denied')):
                with self.subTest(schemes=schemes), \
                        self.make(allow=['loopback'], settings={'egress.schemes': schemes}) as fetchd, fetchd.connect() as c:
                    answer = c.get(canary.url('/ok'))
                    self.assertEqual(answer.error, expected)
                    if expected:
                        self.assertIn('[egress] schemes', answer.done['error']['message'])
                    before = canary.connections
                    answer = c.get(self.url('/r302?to=' + canary.url('/ok')), follow=True)
                    self.assertEqual(answer.error, expected, answer.done)
                    if expected:
                        self.assertEqual(canary.connections, before)
                    self.good(c.get(self.url('/1k')))

    def test_a_rule_that_is_none_is_an_error_with_file_and_line(self):
        fetchd = self.make(allow=['999.999.0.0/99'])
        fetchd.spawn()
        try:
            fetchd.finish(expect=2)
        finally:
            fetchd.kill()
        self.assertIn('%s:' % fetchd.config, fetchd.log())


if __name__ == '__main__':
    tap.main()
