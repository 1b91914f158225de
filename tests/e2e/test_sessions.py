"""Sessions: cookies and HSTS that requests share under a name, whatever happens to workers and daemon."""
import json
import os
import signal

from world import World, tap
from support import cookie_origin

parse = cookie_origin.parse
FAR = 'Max-Age=3600'


class Base(World):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.origin = cookie_origin.CookieOrigin(cls.authority).__enter__()
        cls.addClassCleanup(cls.origin.__exit__)

    def allow(self):
        return list(self.origin.ports.values())

    def begin(self, **options):
        """A fetchd of the test's own, which may reach the origin."""
        fetchd = self.make(self.allow(), **options).start()
        self.addCleanup(lambda: fetchd.process and fetchd.stop())
        return fetchd

    def get(self, c, url, session='s', **options):
        options.setdefault('resolve', self.origin.resolve)
        return self.good(c.get(url, session=session, **options))

    def sent(self, c, url=None, session='s', **options):
        """The cookies that a request brings along."""
        answer = self.get(c, url or self.origin.url(), session, **options)
        return parse(json.loads(answer.body)['cookie'])

    def kept(self, c, session='s', **more):
        return {(cookie['name'].decode(), cookie['domain']): cookie['value'].decode()
                for cookie in c.cookies(session, **more)}


class Sessions(Base):
    own_daemon = True
    settings = {'tls.insecure': 'yes'}

    def setUp(self):
        self.fetchd = self.begin()
        self.c = self.fetchd.connect()
        self.addCleanup(self.c.close)
        self.assertEqual(self.c.session('create', name='s'), {'name': 's'})

    def test_what_an_answer_sets_the_next_request_sends(self):
        self.get(self.c, self.origin.set('a=1', 'b=2; Secure; HttpOnly', 'c=3; Domain=shop.test'))
        self.assertEqual(self.sent(self.c), dict(a='1', b='2', c='3'))
        self.assertEqual(self.sent(self.c, self.origin.url(host='shop.test')), dict(c='3'))
        self.assertEqual(self.sent(self.c, self.origin.url(secure=False)), dict(a='1', c='3'))
        self.assertEqual(self.sent(self.c, self.origin.url(host='www.other.test')), {})

    def test_without_a_session_nothing_is_kept_and_nothing_sent(self):
        self.get(self.c, self.origin.set('a=1'))
        answer = self.good(self.c.get(self.origin.set('x=1'), resolve=self.origin.resolve))
        self.assertEqual(json.loads(answer.body)['cookie'], '')
        self.assertEqual(self.kept(self.c), {('a', 'www.shop.test'): '1'})

    def test_the_answer_does_not_show_what_worker_and_daemon_say_about_cookies(self):
        answer = self.get(self.c, self.origin.set('a=1', to=self.origin.set('b=2')), follow=True)
        for message in (answer.response, *answer.hops):
            self.assertFalse({'set_cookies', 'hsts'} & set(message))
            self.assertIn('Set-Cookie', [n.decode() for n, _ in message['headers']])

    def test_redirects_set_and_send_at_each_hop(self):
        there = self.origin.set('there=2', host='www.other.test', to=self.origin.set('end=3'))
        answer = self.get(self.c, self.origin.set('here=1', to=there), follow=True)
        self.assertEqual(len(answer.hops), 2)
        self.assertEqual([parse(r['cookie']) for r in self.origin.requests[-3:]], [{}, {}, dict(here='1')])
        self.assertEqual(self.kept(self.c), {('here', 'www.shop.test'): '1', ('there', 'www.other.test'): '2',
                                             ('end', 'www.shop.test'): '3'})

    def test_an_origin_sets_no_cookie_for_another_nor_for_a_public_suffix(self):
        self.get(self.c, self.origin.set('a=1; Domain=other.test', 'b=1; Domain=test', 'c=1; Domain=co.uk'))
        self.get(self.c, self.origin.set('d=1; Domain=github.io', 'e=1; Domain=bob.github.io', host='alice.github.io'))
        self.get(self.c, self.origin.set('f=1; Domain=co.uk', 'g=1; Domain=shop.co.uk', host='shop.co.uk'))
        self.assertEqual(self.kept(self.c), {('g', 'shop.co.uk'): '1'})

    def test_the_clients_own_cookie_header_joins_and_wins(self):
        self.get(self.c, self.origin.set('a=1', 'b=2'))
        self.sent(self.c, headers=[['X-First', '1'], ['Cookie', 'b=mine; z=9'], ['X-Last', '2']])
        headers = self.origin.requests[-1]['headers']
        self.assertEqual([v for n, v in headers if n.lower() == 'cookie'], ['a=1; b=mine; z=9'])
        order = [n for n, _ in headers if n in ('X-First', 'Cookie', 'X-Last')]
        self.assertEqual(order, ['X-First', 'Cookie', 'X-Last'])

    def test_max_age_beats_expires_and_an_expired_cookie_goes(self):
        self.get(self.c, self.origin.set('a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; ' + FAR,
                                         'b=1; Max-Age=0; Expires=Fri, 31 Dec 2999 23:59:59 GMT', 'c=1'))
        self.assertEqual(self.sent(self.c), dict(a='1', c='1'))
        self.get(self.c, self.origin.set('a=1; Max-Age=-1', 'c=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT'))
        self.assertEqual(self.sent(self.c), {})

    def test_an_answer_that_is_an_error_sets_its_cookies_too(self):
        url = self.origin.set('a=1; Path=/', path='/status/404')
        self.assertEqual(self.c.get(url, session='s', resolve=self.origin.resolve).status, 404)
        self.assertEqual(self.sent(self.c), dict(a='1'))

    def test_hsts_makes_https_of_http_before_anything_is_sent(self):
        self.get(self.c, self.origin.url('/h?Strict-Transport-Security=max-age%3D100%3B+includeSubDomains', 'shop.test'))
        plain = [r for r in self.origin.requests if not r['secure']]
        # An explicit port stays (RFC 6797, 8.3), so that TLS goes to one that speaks none.
        deaf = self.nginx.ports['plain']
        answer = self.c.get('http://www.shop.test:%d/headers' % deaf, session='s', attempts=1,
                            resolve=['www.shop.test:%d:127.0.0.1' % deaf])
        self.bad(answer, 'tls.handshake', 'tls.peer_reset')
        over = self.origin.url(secure=True).replace('https:', 'http:')
        answer = self.get(self.c, over)
        self.assertEqual(answer.response['url'], self.origin.url())
        answer = self.get(self.c, self.origin.url('/go?to=' + over, 'www.other.test'), follow=True)
        self.assertEqual([hop['url'] for hop in answer.hops], [self.origin.url()])
        self.assertEqual(answer.response['url'], self.origin.url())
        self.assertEqual([r for r in self.origin.requests if not r['secure']], plain)
        self.assertEqual(self.c.session('read', name='s')['hsts'][0]['host'], 'shop.test')

    def test_hsts_counts_neither_without_tls_nor_for_an_address_nor_when_unverified(self):
        path = '/h?Strict-Transport-Security=max-age%3D100'
        self.get(self.c, self.origin.url(path, secure=False))
        self.get(self.c, self.origin.url(path, host='127.0.0.1'))
        self.get(self.c, self.origin.url(path), insecure=True)
        self.assertNotIn('hsts', self.c.session('read', name='s'))
        self.get(self.c, self.origin.url(path))
        self.get(self.c, self.origin.url('/h?Strict-Transport-Security=max-age%3D0'))
        self.assertNotIn('hsts', self.c.session('read', name='s'))

    def test_an_unknown_session_is_an_error_and_so_is_a_second_of_one_name(self):
        self.bad(self.c.get(self.origin.url(), session='nobody'), 'session.unknown')
        self.assertEqual(self.c.session('create', name='s')['error']['name'], 'session.exists')
        self.assertEqual(self.c.session('create', name='s', may_exist=True), {'name': 's'})
        for name in ('.hidden', 'a/b', 'a b', 'ä', 'x' * 64 + 'y'):
            if len(name) <= 64:
                self.assertEqual(self.c.session('create', name=name)['error']['name'], 'request.invalid')
        made = self.c.session('create')['name']
        self.assertEqual(sorted(s['name'] for s in self.c.session('list')['sessions']), sorted(['s', made]))
        self.c.session('destroy', name=made)
        self.assertEqual(self.c.session('destroy', name=made)['error']['name'], 'session.unknown')
        self.assertEqual([s['name'] for s in self.c.session('list')['sessions']], ['s'])

    def test_cookies_are_read_and_set_by_the_api(self):
        cookies = [dict(name=b'a', value=b'1', domain='shop.test', path=b'/'),
                   dict(name=b'b', value=b'2', domain='www.shop.test', host_only=True, secure=True),
                   dict(name=b'c', value=b'3', domain='test'), dict(name=b'__Host-d', value=b'4', domain='shop.test')]
        self.assertEqual(self.c.session('write', name='s', cookies=cookies), dict(name='s', taken=2, refused=2))
        self.assertEqual(self.sent(self.c), dict(a='1', b='2'))
        self.assertEqual(self.kept(self.c, url=self.origin.url(secure=False)), {('a', 'shop.test'): '1'})
        self.c.session('write', name='s', clear=True)
        self.assertEqual(self.sent(self.c), {})

    def test_more_cookies_than_fit_one_answer_are_read_page_by_page(self):
        for start in range(0, 1200, 400):
            self.c.session('write', name='s', cookies=[dict(name=b'n%d' % i, value=b'v', domain='h%d.test' % (i % 40))
                                                       for i in range(start, start + 400)])
        self.assertEqual(len(self.kept(self.c)), 1200)

    def test_cookies_survive_the_sigkill_of_every_worker(self):
        self.get(self.c, self.origin.set('a=1', 'b=2'))
        for pid in self.fetchd.workers().values():
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.sent(self.c), dict(a='1', b='2'))

    def test_cookies_of_a_request_survive_the_worker_that_made_it(self):
        """Set by a hop, then the worker dies under the rest of the request."""
        held = self.nginx.url('plain', '/hold/cookies')
        id = self.c.fetch(self.origin.set('a=1', to=held), session='s', follow=True, resolve=self.origin.resolve)
        self.backend.until_waiting('cookies')
        for pid in self.fetchd.workers().values():
            os.kill(pid, signal.SIGKILL)
        self.backend.until(lambda: self.backend.seen['cookies'] >= 2)
        self.backend.release('cookies')
        self.good(self.c.finish(id))
        self.assertEqual(self.sent(self.c), dict(a='1'))

    def test_concurrent_requests_each_add_their_cookie(self):
        ids = [self.c.fetch(self.origin.set('n%d=%d' % (i, i)), session='s', resolve=self.origin.resolve)
               for i in range(100)]
        for id in ids:
            self.good(self.c.finish(id))
        self.assertEqual(self.sent(self.c), {'n%d' % i: str(i) for i in range(100)})

    def test_a_destroyed_session_sends_nothing_any_more(self):
        self.get(self.c, self.origin.set('a=1'))
        held = self.nginx.url('plain', '/hold/gone')
        id = self.c.fetch(held, session='s')
        self.backend.until_waiting('gone')
        self.c.session('destroy', name='s')
        self.backend.release('gone')
        self.good(self.c.finish(id))
        self.c.session('create', name='s')
        self.assertEqual(self.sent(self.c), {})


if __name__ == '__main__':
    tap.main()
