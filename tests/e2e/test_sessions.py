"""Sessions: cookies and HSTS that requests share under a name, whatever happens to workers and daemon."""
import json
import os
import re
import shutil
import signal
import subprocess
import unittest
import urllib.parse

from world import World, paths, proc, tap
from support import cookie_origin, strangers
from support.websocket_server import Server

parse = cookie_origin.parse
FAR = 'Max-Age=3600'
REQUESTS = 10000


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

    def test_metrics_count_sessions_and_their_bytes(self):
        def read():
            text = self.c.ask('METRICS').body['text'].decode()
            return [int(re.search(r'^%s (\d+)$' % name, text, re.M).group(1))
                    for name in ('fetchd_cookie_sessions', 'fetchd_cookie_session_bytes')]
        self.assertEqual(read(), [1, 0])
        self.get(self.c, self.origin.set('a=1'))
        self.assertGreater(read()[1], 0)
        self.c.session('destroy', name='s')
        self.assertEqual(read(), [0, 0])

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


class WebSockets(Base):
    """Handshakes with a python3-websockets server, which tells what it heard."""
    own_daemon = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.site.leaf).start()
        cls.addClassCleanup(cls.server.stop)

    def allow(self):
        return [*super().allow(), self.server.port]

    def setUp(self):
        self.fetchd = self.begin()
        self.c = self.fetchd.connect()
        self.addCleanup(self.c.close)
        self.c.session('create', name='s')

    def shake(self, *cookies):
        """The Cookie header that the server heard."""
        url = self.server.url('/headers?' + urllib.parse.urlencode([('c', cookie) for cookie in cookies]))
        id = self.c.fetch(url, session='s')
        frame = self.c.step()
        while frame.type != 'MESSAGE':
            frame = self.c.step()
        self.assertEqual(self.c.answer(id).response['status'], 101)
        self.assertNotIn('set_cookies', self.c.answer(id).response)
        self.c.send('CANCEL', id)
        self.c.finish(id)
        return next((v for n, v in json.loads(frame.body['data']) if n.lower() == 'cookie'), '')

    def test_a_handshake_sets_cookies_and_the_next_one_sends_them(self):
        self.assertEqual(self.shake('a=1; Secure', 'b=2; Path=/elsewhere'), '')
        self.assertEqual(self.shake(), 'a=1')

    def test_cookies_of_https_go_to_wss_and_back(self):
        host = self.server.url('/').split('/')[2].split(':')[0]
        self.get(self.c, self.origin.set('h=1; Path=/; Secure', host=host))
        self.assertEqual(self.shake('w=2; Path=/'), 'h=1')
        self.assertEqual(self.sent(self.c, self.origin.url(host=host)), dict(h='1', w='2'))


class Fetchctl(Base):
    """-b, -c, -j, --session, and the command `session`."""
    own_daemon = True

    def setUp(self):
        self.fetchd = self.begin()
        self.folder = self.fetchd.folder
        self.options = ['-s', *(word for name in self.origin.resolve for word in ('--resolve', name))]

    def run_get(self, *args, **options):
        return json.loads(self.ctl_good('get', *self.options, *args, **options))

    def path(self, name):
        return str(self.folder / name)

    def test_a_jar_carries_cookies_from_run_to_run(self):
        jar = ['-b', self.path('jar'), '-c', self.path('jar')]
        self.run_get(*jar, self.origin.set('a=1', 'b=2; ' + FAR + '; Domain=shop.test; Secure; HttpOnly; Path=/'))
        self.assertEqual(parse(self.run_get(*jar, self.origin.url())['cookie']), dict(a='1', b='2'))
        self.assertEqual(parse(self.run_get('-j', '-b', self.path('jar'), self.origin.url())['cookie']), dict(b='2'))
        lines = open(self.path('jar')).read().splitlines()
        self.assertEqual(lines[0], '# Netscape HTTP Cookie File')
        self.assertIn('www.shop.test\tFALSE\t/\tFALSE\t0\ta\t1', lines)
        self.assertTrue(any(l.startswith('#HttpOnly_.shop.test\tTRUE\t/\tTRUE\t') and l.endswith('\tb\t2') for l in lines))
        self.assertEqual(os.stat(self.path('jar')).st_mode & 0o777, 0o600)
        self.assertEqual([n for n in os.listdir(self.folder) if n.startswith('jar')], ['jar'])

    def test_the_session_of_a_run_ends_with_it(self):
        out = self.ctl_good('get', *self.options, '-o', '/dev/null', '-c', '-', self.origin.set('a=1')).decode()
        self.assertIn('\ta\t1\n', out)
        self.assertEqual(json.loads(self.ctl_good('session', 'list', '--json')), [])

    def test_the_urls_of_one_run_share_it_and_redirects_too(self):
        out = self.ctl_good('get', *self.options, '-L', '-b', '', '-o', '/dev/null', self.origin.set('a=1'),
                            self.origin.set('b=2', to=self.origin.url()))
        self.assertEqual(parse(json.loads(out)['cookie']), dict(a='1', b='2'))

    def test_cookies_of_the_command_line_join_those_of_the_file(self):
        open(self.path('jar'), 'w').write('www.shop.test\tFALSE\t/\tFALSE\t0\ta\tfile\n'
                                          'www.shop.test\tFALSE\t/\tFALSE\t0\tb\tfile\n')
        got = self.run_get('-b', 'b=line; c=line', '-b', self.path('jar'), '-b', 'd=more', self.origin.url())
        self.assertEqual(got['cookie'], 'a=file; b=line; c=line; d=more')

    def test_what_cant_be_read_or_written_is_said(self):
        run = self.ctl('get', *self.options, '-b', str(self.folder), self.origin.url())
        self.assertEqual(run.returncode, 26)
        run = self.ctl('get', *self.options, '-c', '/nonexistent/jar', self.origin.url())
        self.assertEqual(run.returncode, 23)
        self.assertIn(b"can't write /nonexistent/jar", run.stderr)
        run = self.ctl('get', *self.options, '--session', 'nobody', '-S', self.origin.url())
        self.assertEqual(run.returncode, 3)
        self.assertIn(b'session.unknown', run.stderr)

    def test_a_session_by_hand(self):
        self.assertEqual(self.ctl_good('session', 'create', 'work'), b'work\n')
        self.run_get('--session', 'work', self.origin.set('a=1', 'b=2; Secure'))
        self.assertEqual(parse(self.run_get('--session', 'work', self.origin.url())['cookie']), dict(a='1', b='2'))
        shown = json.loads(self.ctl_good('session', 'cookies', 'work', '--json'))
        self.assertEqual([(c['name'], c['value'], c['domain'], c['secure']) for c in shown],
                         [('a', '1', 'www.shop.test', False), ('b', '2', 'www.shop.test', True)])
        plain = self.origin.url(secure=False)
        self.assertEqual(len(json.loads(self.ctl_good('session', 'cookies', 'work', plain, '--json'))), 1)
        self.assertIn(b'Secure', self.ctl_good('session', 'cookies', 'work'))
        self.ctl_good('session', 'export', 'work', self.path('file'))
        self.assertEqual(self.ctl_good('session', 'create', 'other'), b'other\n')
        self.assertEqual(self.ctl_good('session', 'import', 'other', self.path('file')), b'2\n')
        self.assertEqual(self.ctl_good('session', 'import', 'other', input=b'junk\n\ttest\tTRUE\n'), b'0\n')
        self.assertEqual(self.ctl_good('session', 'export', 'other'), self.ctl_good('session', 'export', 'work'))
        listed = json.loads(self.ctl_good('session', 'list', '--json'))
        self.assertEqual({s['name']: s['cookies'] for s in listed}, dict(work=2, other=2))
        self.assertIn(b'memory', self.ctl_good('session', 'list'))
        self.ctl_good('session', 'destroy', 'work', 'other')
        self.assertEqual(self.ctl('session', 'destroy', 'work').returncode, 3)

    def test_three_thousand_cookies_go_in_and_out(self):
        lines = ['h%d.test\tFALSE\t/\tFALSE\t0\tn%d\t%s' % (i % 100, i, 'v' * (i % 1500)) for i in range(3000)]
        self.ctl_good('session', 'create', 'big')
        taken = self.ctl_good('session', 'import', 'big', input='\n'.join(lines).encode())
        self.assertEqual(taken, b'3000\n')
        self.assertEqual(self.ctl_good('session', 'export', 'big').decode().splitlines()[1:], lines)

    @unittest.skipUnless(shutil.which('curl'), 'the distribution has no curl here')
    def test_curl_reads_what_we_write_and_we_read_what_curl_writes(self):
        self.run_get('-c', self.path('ours'), self.origin.set('a=1', 'b=2; ' + FAR, 'c=3; Domain=shop.test'))
        curl = ['curl', '-s', '--noproxy', '*', '--cacert', str(self.authority.cert_path), *self.options[1:]]
        seen = json.loads(subprocess.run([*curl, '-b', self.path('ours'), self.origin.url()], check=True,
                                         stdout=subprocess.PIPE).stdout)
        self.assertEqual(parse(seen['cookie']), dict(a='1', b='2', c='3'))
        subprocess.run([*curl, '-b', self.path('ours'), '-c', self.path('theirs'), self.origin.set('d=4')], check=True,
                       stdout=subprocess.DEVNULL)
        self.assertEqual(parse(self.run_get('-b', self.path('theirs'), self.origin.url())['cookie']),
                         dict(a='1', b='2', c='3', d='4'))


class Library(Base):
    own_daemon = True

    def setUp(self):
        self.fetchd = self.begin()

    def test_libfetchd_does_all_of_it(self):
        """tests/process/session_probe.c says what it claims."""
        run = subprocess.run([str(paths.BUILD / 'client/session_probe'), self.origin.url(),
                              'www.shop.test:%d:127.0.0.1' % self.origin.ports['https'],
                              str(self.authority.cert_path)], env=self.fetchd.environment(), stdout=subprocess.PIPE)
        self.assertEqual(run.returncode, 0, run.stdout.decode())
        self.assertGreater(run.stdout.count(b'yes'), 15)


class Persistence(Base):
    own_daemon = True

    def start(self, **options):
        folder = options.pop('folder', None)
        return self.begin(folder=folder, settings={'daemon.state_dir': str(self.state), **options.pop('settings', {})},
                          **options)

    def setUp(self):
        self.state = paths.folder('s')

    def files(self):
        return sorted(os.listdir(self.state / 'sessions'))

    def file(self, name='s'):
        return self.state / 'sessions' / ('%d-%s.session' % (os.geteuid(), name))

    def fill(self, fetchd):
        with fetchd.connect() as c:
            c.session('create', name='s', persistent=True)
            c.session('create', name='passing')
            self.get(c, self.origin.set('a=1', 'b=2; ' + FAR))
            path = '/h?Strict-Transport-Security=max-age%3D100'
            self.get(c, self.origin.url(path, host='shop.test'))

    def check(self, fetchd):
        with fetchd.connect() as c:
            self.assertEqual([s['name'] for s in c.session('list')['sessions']], ['s'])
            self.assertEqual(self.sent(c), dict(a='1', b='2'))
            self.assertEqual(c.session('read', name='s')['hsts'][0]['host'], 'shop.test')

    def test_persistent_sessions_outlive_the_daemon(self):
        fetchd = self.start()
        self.fill(fetchd)
        fetchd.stop()
        self.assertEqual(self.files(), [self.file().name])
        self.assertEqual(os.stat(self.file()).st_mode & 0o777, 0o600)
        self.check(self.start())

    def test_and_the_daemons_sudden_death_once_they_are_written(self):
        fetchd = self.start()
        self.fill(fetchd)
        # The record of HSTS was the last to come.
        proc.until(lambda: self.file().exists() and b'\xa4hsts' in self.file().read_bytes(), 30, 'the file')
        fetchd.crash()
        self.check(self.start())

    def test_a_damaged_file_is_set_aside_and_said(self):
        fetchd = self.start()
        self.fill(fetchd)
        fetchd.stop()
        whole = self.file().read_bytes()
        self.file().write_bytes(whole[:len(whole) // 2])
        fetchd = self.start()
        fetchd.until_log(r'%s: it is cut short; it is now %s\.damaged' % (self.file().name, self.file().name))
        with fetchd.connect() as c:
            self.assertEqual(c.session('list'), {})
            self.assertEqual(c.session('create', name='s', persistent=True), dict(name='s'))
        fetchd.stop()
        self.assertEqual(self.files(), [self.file().name, self.file().name + '.damaged'])

    def test_a_destroyed_one_is_gone_from_the_disk(self):
        fetchd = self.start()
        self.fill(fetchd)
        with fetchd.connect() as c:
            c.session('destroy', name='s')
        fetchd.stop()
        self.assertEqual(self.files(), [])

    def test_systemds_folder_is_taken_when_none_is_set(self):
        fetchd = self.begin(env=dict(os.environ, STATE_DIRECTORY=str(self.state)))
        with fetchd.connect() as c:
            c.session('create', name='s', persistent=True)
        fetchd.stop()
        self.assertEqual(self.files(), [self.file().name])

    def test_a_folder_of_somebody_elses_ends_the_start(self):
        (self.state / 'sessions').mkdir(mode=0o777)
        os.chmod(self.state / 'sessions', 0o777)
        fetchd = self.make(settings={'daemon.state_dir': str(self.state)})
        fetchd.spawn()
        fetchd.finish(expect=1)
        self.assertIn('[daemon] state_dir', fetchd.log())

    def test_secrets_are_in_no_log(self):
        fetchd = self.start()
        with fetchd.connect() as c:
            c.session('create', name='s', persistent=True)
            self.get(c, self.origin.set('secretname=secretvalue; Path=/secretpath'))
            c.session('write', name='s', cookies=[dict(name=b'secretname', value=b'secretvalue', domain='test')])
        fetchd.stop()
        self.assertNotIn('secret', fetchd.log())


@unittest.skipUnless(os.geteuid() == 0, 'only root can be two users')
class Strangers(World):
    own_daemon = True

    def test_two_users_with_three_sessions_each_never_meet_in_10000_requests(self):
        seed = int.from_bytes(os.urandom(4), 'big')
        origin = strangers.Origin(paths.folder('st'), self.authority).start()
        self.addCleanup(origin.stop)
        with strangers.Relay(origin.ports['tls12']) as relay:
            fetchd = self.make([*origin.ports.values(), relay.port], settings={'daemon.mode': '0666'})
            with fetchd:
                fetchd.folder.chmod(0o755)
                figures, problems = strangers.run(fetchd, origin, relay, REQUESTS, seed)
        self.assertEqual(problems[:5], [], 'seed %d' % seed)
        self.assertGreaterEqual(figures['requests'], REQUESTS)
        self.assertGreater(figures['sessions_offered'], 0)
        self.assertGreater(figures['resumed'], 0)


if __name__ == '__main__':
    tap.main()
