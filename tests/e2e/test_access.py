"""Who may connect and what they may ask, for three uids besides root and the daemon's own."""
import os
import signal
import socket
import struct
import threading
import unittest

from world import World, paths, proc, tap

from support import users
from support.protocol import Closed, Connection

ALICE = users.User(4101)
BOB = users.User(4102, groups=[4200])
CAROL = users.User(4103, gid=4300)
NAMES = {'alice': ALICE, 'bob': BOB, 'carol': CAROL}

# What [access] says, and what becomes of each: denied, a user, or an admin.
MATRIX = (
    ({}, dict(alice='user', bob='user', carol='user')),
    ({'allow': ''}, dict(alice='denied', bob='denied', carol='denied')),
    ({'allow': '4101'}, dict(alice='user', bob='denied', carol='denied')),
    ({'allow': '@4200'}, dict(alice='denied', bob='user', carol='denied')),
    ({'allow': '@4300, 4101'}, dict(alice='user', bob='denied', carol='user')),
    ({'deny': '4101'}, dict(alice='denied', bob='user', carol='user')),
    ({'deny': '@4200 @4300'}, dict(alice='user', bob='denied', carol='denied')),
    ({'admin': '@4200'}, dict(alice='user', bob='admin', carol='user')),
    ({'allow': '', 'admin': '4103'}, dict(alice='denied', bob='denied', carol='admin')),
    ({'admin': '*', 'deny': '4102'}, dict(alice='admin', bob='denied', carol='admin')),
)


def ask(c, kind, reply):
    """A question of control. Its reply's body."""
    id, c.next_id = c.next_id, c.next_id + 1
    c.send(kind, id)
    found = []
    c.until(lambda: found or note(c, id, reply, found))
    return found[0]


def note(c, id, reply, found):
    frame = c.step()
    if frame.id == id and frame.type == reply:
        found.append(frame.body)
    return bool(found)


def role(path, url):
    """As what the daemon takes the user that this process is, by all that it may do."""
    try:
        c = Connection(path)
    except Closed as end:
        return 'denied' if end.error['name'] == 'access.denied' else end.error
    with c:
        answer = c.get(url)
        status = c.status()
        metrics = ask(c, 'METRICS', 'METRICS_REPLY')['text'].decode()
        reload = ask(c, 'RELOAD', 'CONTROL_REPLY').get('error', {}).get('name')
    all_of_it = ('workers' in status, 'users' in status, not status.get('own'), 'fetchd_worker_up' in metrics,
                 'fetchd_user_sessions' in metrics, reload is None)
    assert answer.status == 200, answer.done
    assert status.get('user', 0) == os.geteuid(), status
    if all(all_of_it):
        return 'admin'
    assert not any(all_of_it) and reload == 'access.denied', (all_of_it, reload)
    return 'user'


@unittest.skipUnless(users.CAN, users.WHY_NOT)
class Users(World):
    own_daemon = True

    def start(self, settings=None, own=None, **options):
        folder = paths.folder('a')
        folder.chmod(0o755)
        settings = {'daemon.mode': '0666', **(settings or {})}
        if own:
            os.chown(folder, own.uid, own.gid)
            self.site.folder.chmod(0o755)
            options['prefix'] = ['setpriv', '--reuid=%d' % own.uid, '--regid=%d' % own.gid, '--clear-groups']
        self.fetchd = self.make(folder=folder, settings=settings, **options).start()
        self.addCleanup(self.stop)
        return self.fetchd

    def stop(self):
        fetchd, self.fetchd = self.fetchd, None
        if fetchd:
            fetchd.stop()

    def role(self, user):
        path, url = self.fetchd.socket, self.url('/1k', 'plain')
        return user.does(lambda: role(path, url))

    def configure(self, lists):
        self.fetchd.settings = {k: v for k, v in self.fetchd.settings.items() if not k.startswith('access.')}
        self.fetchd.write_config(**{'access__' + key: value for key, value in lists.items()})
        with self.fetchd.connect() as c:
            self.assertNotIn('error', ask(c, 'RELOAD', 'CONTROL_REPLY'))

    def connections(self, mark, count):
        def rows():
            return {row['uri'][-1]: row['connection'] for row in self.nginx.access() if mark in row['uri']}
        return proc.until(lambda: len(rows()) == count and rows(), what='the lines in the log of nginx')


class Access(Users):
    def test_the_matrix_of_lists_and_users(self):
        self.start()
        for lists, roles in MATRIX:
            self.configure(lists)
            for name, wanted in roles.items():
                with self.subTest(lists=lists, user=name):
                    self.assertEqual(self.role(NAMES[name]), wanted)
            self.assertEqual(self.role(users.root()), 'admin')

    def test_the_daemon_s_own_user_is_its_admin_and_so_is_root(self):
        own = users.User(4104)
        self.start(own=own, settings={'access.allow': '', 'access.deny': '*'})
        self.assertEqual([self.role(user) for user in (own, users.root(), ALICE)], ['admin', 'admin', 'denied'])

    def test_only_an_admin_stops_it(self):
        self.start(settings={'access.admin': '4102'})
        path = self.fetchd.socket

        def drain():
            with Connection(path) as c:
                return ask(c, 'DRAIN', 'CONTROL_REPLY').get('error', {}).get('name')
        self.assertEqual(ALICE.does(drain), 'access.denied')
        self.assertEqual(self.role(ALICE), 'user')
        self.assertIsNone(BOB.does(drain))
        self.fetchd.finish()
        self.fetchd = None

    def test_a_reload_that_shuts_someone_out_ends_what_he_has(self):
        self.start()
        path, url = self.fetchd.socket, self.url('/hold/shut-out', 'plain')
        with self.fetchd.connect() as control:
            def watch():
                with Connection(path) as c:
                    c.fetch(url)
                    return c.closed()['name']
            ended = []
            thread = threading.Thread(target=lambda: ended.append(ALICE.does(watch)))
            thread.start()
            self.backend.until_waiting('shut-out')
            self.configure({'deny': '4101'})
            thread.join(60)
            self.assertEqual(ended, ['access.denied'])
            control.ping(1)
        self.backend.release('shut-out')

    def test_a_name_that_nobody_has_is_refused_with_its_line(self):
        self.start()
        self.fetchd.write_config(access__allow='no-such-user-here')
        with self.fetchd.connect() as c:
            error = ask(c, 'RELOAD', 'CONTROL_REPLY')['error']
        self.assertRegex(error['message'], r'fetchd\.ini:\d+: \[access\] allow = no-such-user-here: names a user')
        self.assertEqual(self.role(ALICE), 'user', 'a refused file changed something')


class Forged(Users):
    """What a client says about itself is not heard."""

    def test_claims_in_messages_change_nothing(self):
        self.start(workers=1)
        path, url = self.fetchd.socket, self.url('/1k?forged-', 'h1')

        def claims(mark, **claim):
            with Connection(path, **claim) as c:
                answer = c.get(url + mark, **claim)
                status = c.status()
                return answer.status, status.get('user', 0), status.get('own'), \
                    ask(c, 'RELOAD', 'CONTROL_REPLY').get('error', {}).get('name')
        liar = dict(uid=0, user=0, gid=0, groups=[0], principal=1, admin=True, own=False, peer={'user': 0})
        self.assertEqual(users.root().does(lambda: claims('a')), (200, 0, None, None))
        self.assertEqual(ALICE.does(lambda: claims('b')), (200, 4101, True, 'access.denied'))
        self.assertEqual(BOB.does(lambda: claims('c', **liar)), (200, 4102, True, 'access.denied'))
        seen = self.connections('?forged-', 3)
        self.assertEqual(len(set(seen.values())), 3, 'a claimed principal got another one\'s connection')

    def test_credentials_sent_along_change_nothing(self):
        self.start()
        path = self.fetchd.socket

        def send_along():
            s = socket.socket(socket.AF_UNIX)
            s.connect(str(path))
            mine = struct.pack('3i', os.getpid(), os.getuid(), os.getgid())
            s.sendmsg([b'\0'], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, mine)])
            try:
                forged = struct.pack('3i', os.getpid(), 0, 0)
                s.sendmsg([b'\0'], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, forged)])
                return 'sent'
            except PermissionError:
                return 'refused by the kernel'
        self.assertEqual(ALICE.does(send_along), 'refused by the kernel')
        self.assertEqual(self.role(ALICE), 'user')
        self.fetchd.until_log('uid 4101 ')


class Isolation(Users):
    def pools(self, pool, classes=''):
        """Which of four requests, alice's and bob's by turns, came on one connection."""
        self.start(workers=1, settings={'isolation.pool': pool})
        with open(self.fetchd.config, 'a') as config:
            config.write(classes)
        with self.fetchd.connect() as c:
            self.assertNotIn('error', ask(c, 'RELOAD', 'CONTROL_REPLY'))
        self.fetchd.until_log('pid [0-9]+ is gone')
        path, mark = self.fetchd.socket, '?pool-%s-' % (pool + str(len(classes)))
        for user, letter in ((ALICE, 'a'), (BOB, 'b'), (ALICE, 'c'), (CAROL, 'd')):
            url = self.url('/1k' + mark + letter, 'h1')
            self.assertEqual(user.does(lambda: Connection(path).get(url).status), 200)
        seen = self.connections(mark, 4)
        return [seen[letter] == seen['a'] for letter in 'abcd']

    def test_by_default_no_two_users_share_a_connection(self):
        self.assertEqual(self.pools('user'), [True, False, True, False])

    def test_shared_lets_all_share(self):
        self.assertEqual(self.pools('shared'), [True, True, True, True])

    def test_class_lets_members_of_one_class_share(self):
        self.assertEqual(self.pools('class', '[class "pair"]\nmembers = 4101, @4200\n'), [True, True, True, False])


class Quotas(Users):
    CLASSES = ('[class "small"]\nmembers = 4101\nrequests = 2\nsessions = 3\n'
               '[class "slow"]\nmembers = @4200\nrate = 1\nburst = 2\n')

    def start_with_classes(self):
        self.start()
        with open(self.fetchd.config, 'a') as config:
            config.write(self.CLASSES)
        with self.fetchd.connect() as c:
            self.assertNotIn('error', ask(c, 'RELOAD', 'CONTROL_REPLY'))
        return self.fetchd.socket

    def test_a_class_bounds_the_requests_and_connections_of_each_member(self):
        path, url, quick = self.start_with_classes(), self.url('/hold/quota', 'plain'), self.url('/1k', 'plain')

        def fill():
            cs = [Connection(path) for _ in range(3)]
            for c in cs[:2]:
                c.fetch(url)
                c.ping(1)                           # it has been read
            third = cs[2].get(quick).done['error']
            try:
                fourth = Connection(path)
            except Closed as end:
                fourth = end.error
            return third['name'], third['message'], third['retryable'], fourth['name'], fourth['message']
        third, why, again, fourth, too_many = ALICE.does(fill)
        self.assertEqual((third, again, fourth), ('quota.exceeded', True, 'quota.exceeded'))
        self.assertIn('[class "small"] requests', why)
        self.assertIn('[class "small"] sessions', too_many)
        self.assertEqual(self.role(CAROL), 'user', 'another class is held to it too')
        self.fetchd.until_idle()

    def test_a_class_bounds_how_often_its_members_ask(self):
        path, url = self.start_with_classes(), self.url('/1k', 'plain')

        def hurry():
            with Connection(path) as c:
                return [c.get(url).error for _ in range(6)]
        self.assertEqual(BOB.does(hurry)[:2], [None, None])
        self.assertIn('quota.exceeded', BOB.does(hurry))
        self.assertEqual(CAROL.does(hurry), [None] * 6)

    def test_one_user_can_t_take_all_connections(self):
        self.start(settings={'daemon.sessions': 32})
        path = self.fetchd.socket

        def flood():
            kept = []
            for _ in range(40):
                try:
                    kept.append(Connection(path))
                except Closed as end:
                    return len(kept), end.error['name']
            return len(kept), None
        self.assertEqual(ALICE.does(flood), (16, 'quota.exceeded'))
        self.assertEqual(self.role(BOB), 'user')


class Workers(Users):
    """A class with workers of its own: neither gets the other's, whatever the other does."""
    CLASSES = '[class "own"]\nmembers = 4101\nworkers = 2\n[class "same"]\nmembers = 4103\nrate = 0\n'

    def start_with_classes(self):
        folder = paths.folder('a')
        folder.chmod(0o755)
        self.fetchd = self.make(folder=folder, workers=1, settings={'daemon.mode': '0666', 'workers.hang_timeout': '5m'})
        plain = self.fetchd.write_config

        def write_config(**changes):
            plain(**changes)
            with open(self.fetchd.config, 'a') as config:
                config.write(self.CLASSES)
        self.fetchd.write_config = write_config
        self.fetchd.start()
        self.addCleanup(self.stop)
        self.fetchd.wait_ready(3)
        return self.fetchd.socket

    def workers_of(self, user, count=8):
        """The numbers of the workers that answered some origins' requests."""
        path, urls = self.fetchd.socket, [self.url('/1k', server) for server in ('plain', 'h1', 'h2', 'other')] * (count // 4)

        def ask_all():
            with Connection(path) as c:
                return sorted({c.get(url).done['worker'] for url in urls})
        return user.does(ask_all)

    def test_a_class_s_workers_serve_it_and_nobody_else(self):
        self.start_with_classes()
        status = self.fetchd.status()
        self.assertEqual([row.get('class') for row in status['workers']], [None, 'own', 'own'])
        self.assertEqual(self.workers_of(BOB), [1])
        self.assertEqual(self.workers_of(CAROL), [1])
        self.assertEqual(self.workers_of(users.root()), [1])
        self.assertLessEqual(set(self.workers_of(ALICE)), {2, 3})

    def test_a_class_is_served_while_the_others_wait_for_their_worker(self):
        path = self.start_with_classes()
        common = self.fetchd.workers()[1]
        os.kill(common, signal.SIGSTOP)
        try:
            url = self.url('/1k', 'plain')
            with self.fetchd.connect() as c:
                waiting = [c.fetch(url) for _ in range(200)]      # more than a stopped worker takes
                c.ping(1)
                self.assertGreater(self.fetchd.status().get('queued', 0), 0)
                self.assertEqual(ALICE.does(lambda: [Connection(path).get(url).status for _ in range(5)]), [200] * 5)
                self.assertIsNone(c.answer(waiting[0]).done)
                os.kill(common, signal.SIGCONT)
                for id in waiting:
                    self.good(c.finish(id))
        finally:
            os.kill(common, signal.SIGCONT)

    def test_a_reload_renews_them_and_says_what_wants_a_restart(self):
        self.start_with_classes()
        before = self.fetchd.workers()
        self.CLASSES = self.CLASSES.replace('workers = 2', 'workers = 1').replace('rate = 0', 'workers = 1')
        self.configure({})
        self.assertIn('[class] workers needs a restart', self.fetchd.log())
        proc.until(lambda: len(set(self.fetchd.workers().values()) - set(before.values())) == 3, what='the renewal')
        self.assertLessEqual(set(self.workers_of(ALICE)), {2, 3})
        self.assertEqual(self.workers_of(CAROL), [1])


class Egress(Users):
    """A class may have egress rules of its own, looser or stricter than all others'."""

    def start_with(self, classes, **settings):
        self.start(workers=1, settings=settings)
        with open(self.fetchd.config, 'a') as config:
            config.write(classes)
        with self.fetchd.connect() as c:
            self.assertNotIn('error', ask(c, 'RELOAD', 'CONTROL_REPLY'))
        self.fetchd.until_log('pid [0-9]+ is gone')

    def outcome(self, user, url=None, **options):
        path, url = self.fetchd.socket, url or self.url('/1k', 'h1')

        def get():
            with Connection(path) as c:
                answer = c.get(url, **options)
                return answer.error or answer.status, answer.done.get('error', {}).get('message', '')
        return user.does(get)

    def test_a_stricter_class_is_kept_from_what_others_reach_even_on_their_connections(self):
        self.start_with('[class "caged"]\nmembers = 4101\negress_deny = any\n', **{'isolation.pool': 'shared'})
        for _ in range(2):
            self.assertEqual(self.outcome(BOB)[0], 200)
            error, message = self.outcome(ALICE)
            self.assertEqual(error, 'policy.denied')
            self.assertIn('egress_deny', message)
        away = self.url('/r302?to=' + self.url('/1k', 'plain'), 'h1')
        self.assertEqual(self.outcome(ALICE, away, follow=True)[0], 'policy.denied')
        self.assertEqual(self.outcome(BOB, away, follow=True)[0], 200)

    def test_a_looser_class_reaches_what_others_do_not(self):
        port = self.nginx.ports['h1']
        self.start_with('[class "lab"]\nmembers = @4200\negress_allow = 127.0.0.1:%d, [::1]:%d\n' % (port, port),
                        **{'egress.allow': ''})
        self.assertEqual(self.outcome(BOB)[0], 200)
        self.assertEqual(self.outcome(BOB, self.url('/1k', 'plain'))[0], 'policy.denied')
        error, message = self.outcome(ALICE)
        self.assertEqual(error, 'policy.denied')
        self.assertIn('[egress] deny', message)

    def test_claimed_rules_change_nothing(self):
        self.start_with('[class "caged"]\nmembers = 4101\negress_deny = any\n')
        url = self.url('/1k', 'h1')
        claims = dict(egress_allow=['any'], egress_deny=[], from_public=False, proxy_exempt=True, principal=1)
        self.assertEqual(self.outcome(ALICE, url, **claims)[0], 'policy.denied')
        self.assertEqual(self.outcome(BOB, url, egress_deny=['any'])[0], 200)


class Status(Users):
    def test_a_user_sees_his_own_numbers_alone(self):
        self.start()
        path, url = self.fetchd.socket, self.url('/1k', 'plain')

        def fetch(times):
            with Connection(path) as c:
                for _ in range(times):
                    assert c.get(url).status == 200
                return c.status(), ask(c, 'METRICS', 'METRICS_REPLY')['text'].decode()
        BOB.does(lambda: fetch(7))
        status, metrics = ALICE.does(lambda: fetch(3))
        self.assertEqual((status['accepted'], status['succeeded'], status['sessions'], status['user']), (3, 3, 1, 4101))
        self.assertEqual(set(status) - {'server', 'instance', 'state', 'uptime_ms', 'class', 'own'},
                         {'accepted', 'succeeded', 'sessions', 'user'})
        self.assertIn('fetchd_requests_accepted_total 3\n', metrics)
        self.assertIn('fetchd_requests_total{result="ok"} 3\n', metrics)
        for word in ('worker', 'origin', 'uid=', '4102', 'localhost', 'resident'):
            self.assertNotIn(word, metrics)
        everything = self.fetchd.status()
        rows = {row['user']: row for row in everything['users']}
        self.assertEqual((rows[4101]['succeeded'], rows[4102]['succeeded']), (3, 7))
        self.assertEqual(everything['succeeded'], 10)


if __name__ == '__main__':
    tap.main()
