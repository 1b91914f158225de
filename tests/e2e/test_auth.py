"""Credentials: shown as the origin asks, never to another one, and nowhere to be found afterwards."""
import base64
import os
import re
import urllib.parse

from world import World, paths, tap
from support.guard import Guard
from support.tunnels import Tunnel

USER, PASSWORD, TOKEN = 'Zaphod', 'Pa55-w0rd-nobody-may-see', 'T0ken-nobody-may-see.eyJ9'
LOGIN = '%s:%s' % (USER, PASSWORD)


def basic(login):
    return 'Basic ' + base64.b64encode(login.encode()).decode()


class Auth(World):
    own_daemon = True

    def setUp(self):
        self.guard = self.enterContext(Guard(self.site.leaf, USER, PASSWORD, TOKEN))
        self.other = self.enterContext(Guard(self.site.leaf, USER, PASSWORD, TOKEN))
        self.clear = self.enterContext(Guard(None, USER, PASSWORD, TOKEN))
        self.fetchd = self.make(allow=[self.guard.port, self.other.port, self.clear.port]).start()
        self.addCleanup(self.fetchd.stop)

    def enterContext(self, context):
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def test_basic_is_shown_at_once(self):
        with self.fetchd.connect() as c:
            self.good(c.get(self.guard.url('/basic'), credentials=LOGIN.encode()))
            self.assertEqual(self.guard.shown(), [basic(LOGIN)])
            self.good(c.get(self.guard.url('/basic')), 401)
            self.assertIsNone(self.guard.shown()[-1])

    def test_digest_answers_the_challenge_and_shows_no_password(self):
        with self.fetchd.connect() as c:
            for path in ('/digest', '/digest?sha', '/stale'):
                with self.subTest(path=path):
                    self.guard.seen.clear()
                    answer = self.good(c.get(self.guard.url(path), credentials=LOGIN.encode(), auth='digest'))
                    self.assertEqual(answer.body, b'welcome 0\n')
                    self.assertEqual(answer.frames, ['RESPONSE', 'DATA', 'DONE'])
                    self.assertIsNone(self.guard.shown()[0])
                    self.assertTrue(all(shown.startswith('Digest ') for shown in self.guard.shown()[1:]))

    def test_any_takes_what_the_origin_offers(self):
        with self.fetchd.connect() as c:
            for path in ('/basic', '/digest'):
                self.good(c.get(self.guard.url(path), credentials=LOGIN.encode(), auth='any'))

    def test_digest_with_wrong_credentials_is_a_401_with_its_body(self):
        with self.fetchd.connect() as c:
            answer = self.good(c.get(self.guard.url('/digest'), credentials=b'Zaphod:wrong', auth='digest'), 401)
            self.assertEqual(answer.body, b'who are you?\n')
            self.assertEqual(answer.frames, ['RESPONSE', 'DATA', 'DONE'])
            answer = self.good(c.get(self.guard.url('/digest'), method='HEAD', credentials=b'Zaphod:wrong',
                                     auth='digest'), 401)
            self.assertEqual(answer.body, b'')

    def test_an_origin_that_asks_for_ever_is_given_up(self):
        with self.fetchd.connect() as c:
            answer = c.get(self.guard.url('/endless'), credentials=LOGIN.encode(), auth='digest')
            self.bad(answer, 'http.protocol')
            self.assertLess(len(self.guard.seen), 10)

    def test_digest_with_a_body_sends_it_whole_once_it_is_let_in(self):
        body = b'x' * 300000
        with self.fetchd.connect() as c:
            answer = c.get(self.guard.url('/digest'), method='POST', body=body, credentials=LOGIN.encode(), auth='digest')
            self.assertEqual(self.good(answer).body, b'welcome 300000\n')
            id = c.fetch(self.guard.url('/digest'), method='PUT', body_streamed=True, body_length=len(body),
                         credentials=LOGIN.encode(), auth='digest')
            self.assertEqual(self.good(c.upload(id, body)).body, b'welcome 300000\n')

    def test_bearer(self):
        with self.fetchd.connect() as c:
            self.good(c.get(self.guard.url('/bearer'), bearer=TOKEN.encode()))
            self.assertEqual(self.guard.shown(), ['Bearer ' + TOKEN])

    def test_no_credential_follows_a_redirect_to_another_origin(self):
        ways = [dict(credentials=LOGIN.encode()), dict(credentials=LOGIN.encode(), auth='digest'),
                dict(bearer=TOKEN.encode()), dict(headers=[['Authorization', basic(LOGIN)]])]
        with self.fetchd.connect() as c:
            for way in ways:
                for start, to in ((self.guard, self.other), (self.guard, self.clear), (self.clear, self.guard)):
                    with self.subTest(way=sorted(way), start=start.url(''), to=to.url('')):
                        for guard in (self.guard, self.other, self.clear):
                            guard.seen.clear()
                        target = urllib.parse.quote(to.url('/open'), safe='')
                        self.good(c.get(start.url('/to?' + target), follow=True, **way))
                        self.assertEqual(to.shown(), [None])

    def test_nor_comes_it_back_with_a_redirect_home(self):
        with self.fetchd.connect() as c:
            home = urllib.parse.quote(self.guard.url('/open'), safe='')
            away = urllib.parse.quote(self.other.url('/to?' + home), safe='')
            self.good(c.get(self.guard.url('/to?' + away), follow=True, credentials=LOGIN.encode()))
            self.assertEqual(self.guard.shown(), [basic(LOGIN), None])
            self.assertEqual(self.other.shown(), [None])

    def test_on_the_same_origin_they_stay(self):
        with self.fetchd.connect() as c:
            for way in (dict(credentials=LOGIN.encode()), dict(credentials=LOGIN.encode(), auth='digest')):
                path = '/basic' if 'auth' not in way else '/digest'
                target = urllib.parse.quote(self.guard.url(path), safe='')
                self.good(c.get(self.guard.url('/to?' + target), follow=True, **way))

    def test_the_next_request_on_the_same_connection_has_none_of_them(self):
        with self.fetchd.connect() as c:
            for way in (dict(credentials=LOGIN.encode()), dict(credentials=LOGIN.encode(), auth='digest'),
                        dict(bearer=TOKEN.encode())):
                c.get(self.guard.url('/open'), **way)
                self.guard.seen.clear()
                self.good(c.get(self.guard.url('/open')))
                self.assertEqual(self.guard.shown(), [None])

    def test_fetchctl_has_curls_options(self):
        for args, path in ((['-u', LOGIN], '/basic'), (['--digest', '-u', LOGIN], '/digest'),
                           (['--anyauth', '-u', LOGIN], '/digest'), (['--oauth2-bearer', TOKEN], '/bearer')):
            self.assertTrue(self.ctl_good('get', *args, self.guard.url(path)).startswith(b'welcome'))
        run = self.ctl('get', '-u', 'no-password', self.guard.url('/basic'))
        self.assertEqual(run.returncode, 2)


class Hidden(World):
    """After requests of every kind, failed ones too, the secrets are in no log, no status, no metric, and no
    more in the supervisor's memory."""
    own_daemon = True

    SECRETS = (PASSWORD, TOKEN, 'Pr0xy-nobody-may-see', 'P00l-nobody-may-see', 'Qu3ry-nobody-may-see')

    def run_them(self, fetchd, guard, tunnel, c):
        login = dict(credentials=LOGIN.encode())
        proxy = dict(proxy='http://127.0.0.1:%d' % tunnel.port, proxy_credentials=b'me:Pr0xy-nobody-may-see')
        self.good(c.get(guard.url('/basic?Qu3ry-nobody-may-see'), **login))
        self.good(c.get(guard.url('/digest'), auth='digest', **login))
        self.good(c.get(guard.url('/bearer'), bearer=TOKEN.encode()))
        self.good(c.get(guard.url('/basic'), **login, **proxy))
        self.good(c.get(guard.url('/basic'), **login, proxy='http://me:Pr0xy-nobody-may-see@127.0.0.1:%d' % tunnel.port))
        self.good(c.get(guard.url('/basic').replace('://', '://%s@' % LOGIN)))
        self.bad(c.get(guard.url('/basic'), proxy_credentials=b'you:Pr0xy-nobody-may-see', proxy=proxy['proxy']),
                 'proxy.auth')
        self.bad(c.get('https://localhost:1/', **login, **proxy), 'policy.denied')
        self.bad(c.get(guard.url('/basic'), proxy='http://me:Pr0xy-nobody-may-see@@', **login), 'request.invalid')
        self.bad(c.get(guard.url('/basic'), bearer=(TOKEN + '\r\n').encode()), 'request.invalid')
        self.bad(c.get('ftp://%s@localhost:1/' % LOGIN), 'policy.denied', 'connect.refused')
        fetchd.fetchctl('get', '-v', '-u', LOGIN, '-U', 'me:Pr0xy-nobody-may-see', '-x', proxy['proxy'],
                        guard.url('/basic'))

    def test_secrets_are_nowhere(self):
        with Guard(self.site.leaf, USER, PASSWORD, TOKEN) as guard, \
                Tunnel(user='me', password='Pr0xy-nobody-may-see') as tunnel, \
                self.make(allow=[guard.port, tunnel.port], settings={'log.level': 'debug'}) as fetchd:
            with fetchd.connect() as c:
                self.run_them(fetchd, guard, tunnel, c)
                status = repr(c.status())
            fetchd.until_idle()
            said = [fetchd.log(), status, fetchd.fetchctl('metrics').stdout.decode(),
                    fetchd.fetchctl('status').stdout.decode(), fetchd.fetchctl('top').stdout.decode(),
                    fetchd.fetchctl('get', '-v', '-u', LOGIN, guard.url('/digest')).stderr.decode()]
            for secret in self.SECRETS:
                for text in said:
                    self.assertNotIn(secret, text)
                    self.assertNotIn(base64.b64encode(secret.encode()).decode(), text)
            # whose memory is vast, and kept for its reports
            if os.geteuid() == 0 and not paths.sanitized():
                self.assertEqual(self.found(fetchd.pid), [])

    def found(self, pid):
        """Which of the secrets the process still has in its writable memory."""
        found = []
        with open('/proc/%d/maps' % pid) as maps, open('/proc/%d/mem' % pid, 'rb', 0) as memory:
            for line in maps:
                match = re.match(r'([0-9a-f]+)-([0-9a-f]+) rw', line)
                if not match:
                    continue
                start, end = (int(x, 16) for x in match.groups())
                try:
                    memory.seek(start)
                    data = memory.read(end - start)
                except (OSError, ValueError):
                    continue
                found += ['%s at %x (%s)' % (s, start + data.find(s.encode()), line.split()[-1])
                          for s in self.SECRETS if s.encode() in data]
        return found


if __name__ == '__main__':
    tap.main()
