"""Workers that flood, and what a worker is told: its slice, and nothing of whoever asked."""
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from process.fake import BAD, GOOD, FakeDaemon  # noqa: E402
from support import certs, paths, proc, tap  # noqa: E402

MIB = 1 << 20


class Floods(unittest.TestCase):
    def flood(self, mode, growth_limit):
        with FakeDaemon(mode, workers=2, settings={'workers.hang_timeout': '10s'}) as fetchd, fetchd.connect() as c:
            self.assertIsNone(c.get(GOOD).error)
            before = proc.rss_bytes(fetchd.pid)
            flood = c.fetch(BAD)
            for i in range(100):                    # others go on meanwhile
                answer = c.get('https://origin%d.test/good' % i)
                self.assertIn(answer.error, (None, 'worker.lost'))
            answer = c.finish(flood, 120)
            self.assertIn(answer.error, (None, 'worker.lost'))
            if not paths.sanitized():
                self.assertLess(proc.rss_bytes(fetchd.pid) - before, growth_limit)
            self.assertIsNone(c.get(GOOD).error)
            return fetchd.log()

    def test_pings_without_end_do_no_harm(self):
        self.flood('floods-pings', 80 * MIB)

    def test_beats_without_end_do_no_harm(self):
        self.flood('floods-beats', 4 * MIB)

    def test_a_log_without_end_does_no_harm(self):
        self.flood('floods-log', 4 * MIB)

    def test_hops_without_end_stop_at_the_limit(self):
        with FakeDaemon('redirects-endlessly', workers=1) as fetchd, fetchd.connect() as c:
            id = c.fetch(BAD, follow=True, max_redirects=7)
            # The fake answers each GO at once with its body, so the limit is reached by a new fake
            # hop only when the worker is asked again: one GO, one answer.
            answer = c.finish(id)
            self.assertEqual(len(answer.hops), 1)
            self.assertIsNone(answer.error)

    def test_foreign_log_lines_are_escaped_and_bounded(self):
        with FakeDaemon('strange-log') as fetchd, fetchd.connect() as c:
            self.assertIsNone(c.get(BAD).error)
            fetchd.until_log('no level at all')
            proc.until(lambda: 'long long' in fetchd.log(), what='the long line')
            raw = fetchd.log_path.read_bytes()
        self.assertNotIn(b'\x1b', raw)
        self.assertNotIn(b'\0', raw)
        self.assertNotIn(b'\r', raw)
        raw.decode('utf-8')                         # and nothing that is not UTF-8
        for line in raw.splitlines():
            self.assertLess(len(line), 8192)
        strange = [line for line in raw.splitlines() if b'two' in line and b'worker 1' in line]
        self.assertEqual(len(strange), 1, 'one line of the worker is one line of the log')


class Knowledge(unittest.TestCase):
    """THREATS 26 and 29: an empty environment, no descriptor but its own, a slice of the settings."""

    @classmethod
    def setUpClass(cls):
        env = dict(os.environ, SSLKEYLOGFILE='/tmp/keys', HTTPS_PROXY='http://127.0.0.1:9', HOME='/root',
                   SECRET='canary')
        leak = os.open('/dev/null', os.O_RDONLY)    # inheritable, as a careless parent leaves it
        os.set_inheritable(leak, True)
        ca = certs.Authority(paths.folder('ca')).cert_path
        with FakeDaemon('good', env=env, ca=ca, allow=[4433]) as fetchd, fetchd.connect() as c:
            c.get(GOOD, method='POST', body=b'x', headers=[['Authorization', 'secret']], principal=999,
                  from_public=True)
            c.get(GOOD)
            cls.fetchd, cls.notes, cls.fetches = fetchd, fetchd.notes('settings')[0], fetchd.fetches('/good')
            cls.log = fetchd.log()
        os.close(leak)

    def test_the_environment_is_empty(self):
        self.assertEqual({k: v for k, v in self.notes['env'].items() if k != 'LC_CTYPE'}, {})

    def test_only_its_channel_and_its_log_are_open(self):
        fds = {int(fd): target for fd, target in self.notes['fds'].items()}
        self.assertTrue(fds[0].startswith('socket:'), fds)
        self.assertEqual(fds[1], '/dev/null')
        self.assertTrue(fds[2].startswith('pipe:'), fds)
        self.assertEqual({fd: t for fd, t in fds.items() if fd > 2}, {})

    def test_it_stands_in_no_folder_of_ours(self):
        self.assertEqual(self.notes['cwd'], '/')

    def test_settings_hold_values_and_no_path(self):
        settings = self.notes['settings']
        self.assertIn('BEGIN CERTIFICATE', settings['ca_pem'])
        self.assertIn('127.0.0.1:4433', settings['egress_allow'])
        self.assertEqual(settings['worker'], 1)
        text = str({k: v for k, v in settings.items() if k != 'ca_pem'})
        for secret in (str(self.fetchd.folder), str(self.fetchd.socket), 'fetchd.ini', '.pem', 'canary'):
            self.assertNotIn(secret, text)

    def test_a_request_carries_an_opaque_number_and_no_uid(self):
        post, get = self.fetches
        self.assertNotIn(post['principal'], (999, 0))
        self.assertEqual(post['principal'], get['principal'])
        self.assertFalse(post.get('from_public', False), 'a client said where it was redirected from')
        for name in ('uid', 'pid', 'session', 'client'):
            self.assertNotIn(name, post)

    def test_only_what_is_not_idempotent_is_announced(self):
        post, get = self.fetches
        self.assertTrue(post.get('announce'))
        self.assertFalse(get.get('announce', False))

    def test_credit_to_the_worker_never_exceeds_the_clients(self):
        self.assertLessEqual(self.fetches[0].get('window', 262144), 262144)

    def test_header_values_are_not_logged(self):
        self.assertNotIn('secret', self.log)


class Redirects(unittest.TestCase):
    """The supervisor's half of a redirect: placement, and what goes along."""

    def follow(self, target, **options):
        options.setdefault('follow', True)
        with FakeDaemon('redirects', workers=3) as fetchd, fetchd.connect() as c:
            answer = c.get(BAD + '?to=' + target, **options)
            if answer.error is None and answer.hops:        # the worker notes GO after the other has answered
                proc.until(lambda: fetchd.notes('GO'), what='the note of GO')
            return answer, fetchd.notes()

    def test_on_the_same_origin_the_worker_goes_on_itself(self):
        answer, notes = self.follow('https://origin.test/good')
        self.assertEqual((answer.error, answer.body), (None, b'went on\n'))
        self.assertEqual([n['body'].get('here') for n in notes if n['kind'] == 'GO'], [True])
        self.assertEqual(answer.done['redirects'], 1)
        self.assertEqual(answer.hops[0]['url'], 'https://origin.test/good')

    def elsewhere(self, **options):
        """A redirect that another worker takes, and the FETCH that one was given."""
        for i in range(30):
            answer, notes = self.follow('https://other%d.test/good' % i, **options)
            fetches = [n for n in notes if n['kind'] == 'FETCH']
            if len(fetches) == 2:
                return answer, fetches[1]['body'], notes
        self.fail('30 origins and all on one worker')

    def test_for_another_origin_another_worker_may_take_over(self):
        answer, fetch, notes = self.elsewhere()
        self.assertEqual((answer.error, answer.body), (None, b'good\n'))
        self.assertEqual([n['body'].get('here', False) for n in notes if n['kind'] == 'GO'], [False])
        self.assertEqual((answer.done['attempts'], answer.done['redirects']), (1, 1))

    def test_credentials_do_not_go_along(self):
        headers = [['Authorization', 'secret'], ['cookie', 'secret'], ['X-Mine', 'kept']]
        _, fetch, _ = self.elsewhere(headers=headers, credentials=b'user:secret')
        self.assertNotIn('secret', str(fetch))
        self.assertEqual(fetch['headers'], [['X-Mine', 'kept']])

    def test_a_post_becomes_a_get_without_its_body(self):
        headers = [['Content-Type', 'text/plain'], ['X-Mine', 'kept']]
        _, fetch, _ = self.elsewhere(method='POST', body=b'secret', headers=headers)
        self.assertEqual(fetch.get('method', 'GET'), 'GET')
        self.assertEqual((fetch.get('body'), fetch['headers']), (None, [['X-Mine', 'kept']]))
        self.assertFalse(fetch.get('announce', False))

    def test_a_scheme_that_is_not_http_ends_it(self):
        for target in ('file:///etc/passwd', 'gopher://a/', 'ftp://a/', 'ws://a/', 'javascript:1'):
            with self.subTest(target):
                answer, notes = self.follow(target)
                self.assertEqual(answer.error, 'redirect.invalid')
                self.assertEqual(sum(n['kind'] == 'FETCH' for n in notes), 1)

    def test_beyond_the_limit_it_ends(self):
        answer, notes = self.follow('https://origin.test/good', max_redirects=0)
        self.assertEqual(answer.error, 'redirect.limit')
        self.assertEqual(answer.hops, [])


if __name__ == '__main__':
    tap.main()
