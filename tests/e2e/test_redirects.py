"""Redirects: methods, limits, what goes along to another origin, and where they may not lead."""
import json

from world import World, origins, tap


class Redirects(World):
    settings = {'egress.deny': 'loopback, link-local, unspecified, multicast, reserved'}

    def follow(self, path, server='h2', **options):
        options.setdefault('follow', True)
        with self.fetchd.connect() as c:
            return c.get(self.url(path, server), **options)

    def landed(self, answer):
        return json.loads(self.good(answer).body)

    def test_each_kind_leads_to_the_content(self):
        for code in (301, 302, 303, 307, 308):
            with self.subTest(code=code):
                answer = self.good(self.follow('/r%d/1k' % code), sha256=self.nginx.hashes['1k'])
                self.assertEqual([hop['status'] for hop in answer.hops], [code])
                self.assertEqual(answer.hops[0]['url'], self.url('/1k'))
                self.assertEqual(answer.response['url'], self.url('/1k'))
                self.assertEqual(answer.done['redirects'], 1)
                self.assertEqual(answer.frames, ['HOP', 'RESPONSE', 'DATA', 'DONE'])

    def test_without_follow_the_redirect_is_the_answer(self):
        answer = self.good(self.follow('/r302/1k', follow=False), status=302)
        self.assertEqual((answer.hops, answer.header('location')), ([], '/1k'))

    def test_a_hop_brings_its_headers(self):
        answer = self.good(self.follow('/r302/1k'))
        names = [(n.decode() if isinstance(n, bytes) else n).lower() for n, _ in answer.hops[0]['headers']]
        self.assertIn('location', names)

    def test_a_chain_is_followed_to_its_end(self):
        answer = self.good(self.follow('/chain/20'))
        self.assertEqual((len(answer.hops), answer.body), (20, b'the end of the chain\n'))

    def test_the_limit_ends_it(self):
        answer = self.follow('/chain/5', max_redirects=4)
        self.bad(answer, 'redirect.limit')
        self.assertEqual(len(answer.hops), 4)
        self.good(self.follow('/chain/5', max_redirects=5))

    def test_a_loop_ends_at_the_default_limit(self):
        answer = self.follow('/loop')
        self.bad(answer, 'redirect.limit')
        self.assertEqual(len(answer.hops), 50)

    def test_methods_and_bodies_follow_the_rules(self):
        """RFC 9110 15.4: 301 and 302 make a GET of a POST, 303 of all but HEAD, 307 and 308 change nothing."""
        table = [(code, 'POST', 'GET' if code < 307 else 'POST') for code in (301, 302, 303, 307, 308)]
        table += [(code, 'PUT', 'GET' if code == 303 else 'PUT') for code in (301, 302, 303, 307, 308)]
        for code, method, then in table:
            with self.subTest(code=code, method=method):
                answer = self.landed(self.follow('/r%d/upload' % code, 'h1', method=method, body=b'payload',
                                                 headers=[['Content-Type', 'text/x-mine'], ['X-Kept', 'yes']]))
                headers = {n.lower(): v for n, v in answer['headers']}
                self.assertEqual(answer['method'], then)
                self.assertEqual(answer['bytes'], 7 if then == method else 0)
                self.assertEqual(headers.get('content-type'), 'text/x-mine' if then == method else None)
                self.assertEqual(headers['x-kept'], 'yes')

    SECRETS = [['Authorization', 'secret-1'], ['Cookie', 'secret-2'], ['X-Mine', 'kept'], ['Accept', 'a/b']]

    def seen_after(self, path, **options):
        answer = self.good(self.follow(path, headers=self.SECRETS, **options))
        return {n.lower(): v for n, v in json.loads(answer.body)['headers']}

    def test_on_the_same_origin_credentials_stay(self):
        seen = self.seen_after('/r302/headers')
        self.assertEqual((seen['authorization'], seen['cookie'], seen['x-mine']), ('secret-1', 'secret-2', 'kept'))

    def test_to_another_origin_no_credentials_go(self):
        for server in ('other', 'plain', 'h1'):
            for code in (301, 302, 303, 307, 308):
                with self.subTest(server=server, code=code):
                    seen = self.seen_after('/r%d?to=%s' % (code, self.url('/headers', server)))
                    self.assertNotIn('secret', str(seen))
                    self.assertEqual((seen['x-mine'], seen['accept']), ('kept', 'a/b'))

    def test_there_and_back_again_no_credentials_come_back(self):
        back = self.url('/r302?to=' + self.url('/headers'), 'other')
        seen = self.seen_after('/r302?to=' + back)
        self.assertNotIn('secret', str(seen))

    def test_credentials_of_the_request_are_for_its_origin_only(self):
        with self.fetchd.connect() as c:
            answer = c.get(self.url('/r302?to=' + self.url('/headers', 'other')), follow=True, credentials=b'user:secret')
            self.assertNotIn('authorization', {n.lower() for n, _ in self.landed(answer)['headers']})
            answer = c.get(self.url('/r302/headers'), follow=True, credentials=b'user:secret')
            self.assertIn('authorization', {n.lower() for n, _ in self.landed(answer)['headers']})

    def test_another_host_of_the_same_address_is_another_origin(self):
        seen = self.seen_after('/r302?to=' + self.url('/headers', host='127.0.0.1'))
        self.assertNotIn('secret', str(seen))

    def test_a_redirect_to_a_denied_address_ends_there(self):
        with origins.Origin(self.site.leaf) as canary:
            for target in (canary.url('/ok'), canary.url('/ok', '127.0.0.1'), 'http://169.254.169.254/latest/meta-data/'):
                with self.subTest(target=target):
                    error = self.bad(self.follow('/r302?to=' + target), 'policy.denied')
                    self.assertIn('[egress]', error['message'])
            self.assertEqual(canary.connections, 0)

    def test_other_schemes_are_not_followed(self):
        for target in ('file:///etc/passwd', 'ftp://localhost/', 'gopher://localhost/', 'ws://localhost/', 'javascript:x',
                       'dict://localhost:11211/stats', 'data:text/plain,x'):
            with self.subTest(target=target):
                answer = self.follow('/r302?to=' + target)
                self.bad(answer, 'redirect.invalid')
                self.assertEqual(answer.bytes, 0)

    def test_a_target_that_is_no_url(self):
        for target in ('https://', 'https://a%20b/', 'http://localhost:99999/'):
            with self.subTest(target=target):
                self.bad(self.follow('/r302?to=' + target), 'redirect.invalid', 'dns.failed')

    def test_a_target_that_is_too_long_ends_the_request_and_nothing_else(self):
        """The worker once said it to the daemon, which killed it for that."""
        with origins.Origin() as origin, self.make(allow=[origin.port], workers=1) as fetchd, fetchd.connect() as c:
            before = fetchd.workers()
            error = self.bad(c.get(origin.url('/long_location'), follow=True), 'redirect.invalid')
            self.assertIn('longer than', error['message'])
            self.assertEqual(c.get(origin.url('/long_location')).status, 302)
            self.assertEqual(fetchd.workers(), before)

    def test_fetchctl_follows_with_l_and_says_where_it_ended(self):
        out = self.ctl_good('get', '-s', '-L', '-o', '/dev/null', '-w', '%{http_code} %{num_redirects} %{url_effective}',
                            self.url('/chain/3'))
        self.assertEqual(out.decode(), '200 3 ' + self.url('/chain/0'))


if __name__ == '__main__':
    tap.main()
