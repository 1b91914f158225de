"""Start, reload, drain and stop; sockets left behind, other users, two daemons on one path."""
import os
import shutil
import signal
import socket
import stat
import subprocess
import unittest

from world import Closed, Daemon, World, paths, proc, tap

NOBODY = 65534


class Own(World):
    own_daemon = True

    def start(self, **options):
        fetchd = self.make(**options).start()
        self.addCleanup(fetchd.kill)
        return fetchd


class Drain(Own):
    def test_sigterm_answers_what_is_open_and_exits_0(self):
        fetchd = self.start()
        with fetchd.connect() as c:
            held = [c.fetch(self.url('/hold/term', server)) for server in ('h1', 'h2', 'other')]
            half = c.fetch(self.url('/half/term-half/200000', 'h1'))
            self.backend.until_waiting('term', 3)
            self.backend.until_waiting('term-half')
            fetchd.process.send_signal(signal.SIGTERM)
            c.until(lambda: c.goaway is not None)
            self.assertEqual(c.goaway['last_id'], half)
            refused = c.get(self.url('/1k'))
            error = self.bad(refused, 'draining')
            self.assertTrue(error['retryable'])
            proc.until(lambda: not fetchd.answers_new(), what='the end of the listening')
            self.assertIsNone(fetchd.process.poll())
            self.backend.release('term')
            self.backend.release('term-half')
            for id in held:
                self.assertEqual(self.good(c.finish(id)).body, b'released\n')
            self.assertEqual(self.good(c.finish(half)).bytes, 200000)
            self.assertIsNone(c.closed())
        fetchd.stop()
        self.assertFalse(fetchd.socket.exists(), 'the socket is left behind')

    def test_sigint_is_the_same(self):
        fetchd = self.start()
        with fetchd.connect() as c:
            id = c.fetch(self.url('/hold/int', 'h1'))
            self.backend.until_waiting('int')
            fetchd.process.send_signal(signal.SIGINT)
            c.until(lambda: c.goaway is not None)
            self.backend.release('int')
            self.good(c.finish(id))
        fetchd.finish()

    def test_an_idle_daemon_stops_at_once(self):
        fetchd = self.start()
        with fetchd.connect() as c:
            fetchd.process.send_signal(signal.SIGTERM)
            self.assertIsNone(c.closed())
        fetchd.finish()

    def test_at_the_deadline_what_is_open_gets_its_done(self):
        fetchd = self.start(settings={'daemon.drain_timeout': '1s'})
        with fetchd.connect() as c:
            ids = [c.fetch(self.url('/hold/deadline', server)) for server in ('h1', 'h2')]
            ids.append(c.fetch(self.url('/100m', 'h1')))
            c.auto_credit = False
            self.backend.until_waiting('deadline', 2)
            fetchd.process.send_signal(signal.SIGTERM)
            for id in ids:
                self.bad(c.finish(id), 'draining')
        fetchd.finish()

    def test_a_second_sigterm_insists(self):
        fetchd = self.start(settings={'daemon.drain_timeout': '1h'})
        with fetchd.connect() as c:
            id = c.fetch(self.url('/hold/insist', 'h1'))
            self.backend.until_waiting('insist')
            fetchd.process.send_signal(signal.SIGTERM)
            c.until(lambda: c.goaway is not None)
            fetchd.process.send_signal(signal.SIGTERM)
            self.bad(c.finish(id), 'draining')
        fetchd.finish()

    def test_a_client_that_reads_nothing_does_not_keep_it(self):
        fetchd = self.start(settings={'daemon.drain_timeout': '1s'})
        with fetchd.connect(auto_credit=False) as c:
            c.fetch(self.url('/100m', 'h1'))
            self.backend.until(lambda: fetchd.status().get('in_flight'))
            fetchd.process.send_signal(signal.SIGTERM)
            fetchd.finish(seconds=30)

    def test_fetchctl_is_told_that_it_drains(self):
        fetchd = self.start()
        process = fetchd.start_fetchctl('get', self.url('/hold/drain-ctl', 'h1'))
        self.backend.until_waiting('drain-ctl')
        fetchd.process.send_signal(signal.SIGTERM)
        proc.until(lambda: not fetchd.answers_new(), what='the end of the listening')
        self.assertEqual(fetchd.fetchctl('get', self.url('/1k')).returncode, 110)
        self.backend.release('drain-ctl')
        self.assertEqual(process.communicate(timeout=30)[0], b'released\n')
        self.assertEqual(process.returncode, 0)
        fetchd.finish()


class Death(Own):
    def test_workers_end_when_the_daemon_is_killed(self):
        fetchd = self.start()
        pids = list(fetchd.workers().values())
        with fetchd.connect() as c:
            c.fetch(self.url('/hold/orphan', 'h1'))
            self.backend.until_waiting('orphan')
            fetchd.crash()
            with self.assertRaises(Closed):
                while True:
                    c.step()
        proc.until(lambda: not any(proc.exists(p) and proc.stat(p)[0] != 'Z' for p in pids), what='the end of the workers')
        self.backend.until_ended('orphan')

    def test_fetchctl_says_110_when_the_daemon_dies(self):
        fetchd = self.start()
        process = fetchd.start_fetchctl('get', self.url('/hold/dead', 'h1'))
        self.backend.until_waiting('dead')
        fetchd.crash()
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 110, err)
        self.assertIn(b'daemon.lost', err)

    def test_a_stale_socket_is_removed(self):
        fetchd = self.start()
        fetchd.crash()
        self.assertTrue(fetchd.socket.exists())
        again = Daemon(folder=fetchd.folder, allow=self.nginx.ports.values(), ca=self.authority.cert_path).start()
        self.addCleanup(again.kill)
        with again.connect() as c:
            self.good(c.get(self.url('/1k')))
        again.stop()


class Paths(Own):
    def test_two_daemons_on_one_path_are_refused(self):
        fetchd = self.start()
        second = Daemon(folder=fetchd.folder)
        second.log_path = fetchd.folder / 'second.log'
        second.spawn()
        second.finish(expect=1)
        self.assertIn('another fetchd is listening here', second.log())
        with fetchd.connect() as c:                 # and the first did not notice
            self.good(c.get(self.url('/1k')))

    def test_a_socket_somebody_listens_on_is_left_alone(self):
        folder = paths.folder('p')
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(folder / 'fetchd.sock'))
            other.listen()
            second = Daemon(folder=folder).spawn()
            second.finish(expect=1)
            self.assertIn('listening', second.log())
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(folder / 'fetchd.sock'))

    def test_the_socket_is_private_unless_said_otherwise(self):
        for mode, bits in ((None, 0o600), ('0660', 0o660), ('0666', 0o666)):
            with self.subTest(mode=mode):
                fetchd = self.start(settings={'daemon.mode': mode} if mode else {})
                self.assertEqual(stat.S_IMODE(os.stat(fetchd.socket).st_mode), bits)
                fetchd.stop()

    def test_a_missing_folder_is_made_private(self):
        folder = paths.folder('p')
        fetchd = self.make(settings={'daemon.listen': 'unix:%s/new/s' % folder})
        fetchd.socket = folder / 'new/s'
        fetchd.start()
        self.addCleanup(fetchd.kill)
        self.assertEqual(stat.S_IMODE(os.stat(folder / 'new').st_mode), 0o700)
        fetchd.stop()

    def test_without_any_setting_the_users_own_place_is_taken(self):
        folder = paths.folder('p')
        env = {k: v for k, v in os.environ.items() if k != 'FETCHD_ADDRESS'}
        fetchd = self.make(env=dict(env, XDG_RUNTIME_DIR=str(folder)), settings={'daemon.listen': ''})
        fetchd.socket = folder / 'fetchd/fetchd.sock'
        fetchd.start()
        self.addCleanup(fetchd.kill)
        run = subprocess.run([str(paths.FETCHCTL), 'get', self.url('/1k')], env=dict(env, XDG_RUNTIME_DIR=str(folder)),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((run.returncode, len(run.stdout)), (0, 1024), run.stderr)
        fetchd.stop()

    def test_fetchd_address_is_where_it_listens(self):
        folder = paths.folder('p')
        fetchd = self.make(env=dict(os.environ, FETCHD_ADDRESS='unix:%s/a' % folder), settings={'daemon.listen': ''})
        fetchd.socket = folder / 'a'
        fetchd.start()
        self.addCleanup(fetchd.kill)
        fetchd.stop()

    def test_the_command_line_overrides_the_file(self):
        folder = paths.folder('p')
        fetchd = self.make(args=['--listen', 'unix:%s/b' % folder, '--workers', '3'])
        fetchd.socket = folder / 'b'
        fetchd.start(ready=False)
        self.addCleanup(fetchd.kill)
        self.assertEqual(len(fetchd.wait_ready(3)), 3)
        fetchd.stop()


class Reload(Own):
    def test_sighup_reloads_the_log_level(self):
        fetchd = self.start(settings={'log.level': 'info'})
        self.ping_pid(fetchd)
        self.assertNotIn(' debug ', fetchd.log())
        fetchd.write_config(log__level='debug')
        self.hangup(fetchd)
        with fetchd.connect() as c:
            self.good(c.get(self.url('/1k')))
        fetchd.until_log(' debug ')
        fetchd.write_config(log__level='error')
        fetchd.process.send_signal(signal.SIGHUP)
        proc.until(lambda: self.quiet(fetchd), what='silence in the log')
        fetchd.stop()

    def hangup(self, fetchd):
        before = fetchd.log().count('reloaded')
        fetchd.process.send_signal(signal.SIGHUP)
        proc.until(lambda: fetchd.log().count('reloaded') > before, what='the reload')

    def ping_pid(self, fetchd):
        with fetchd.connect() as c:
            c.ping(1)

    def quiet(self, fetchd):
        before = len(fetchd.log())
        self.ping_pid(fetchd)
        return len(fetchd.log()) == before

    def test_a_wrong_file_is_refused_whole(self):
        fetchd = self.start(settings={'log.level': 'info'})
        with fetchd.connect() as c:
            held = c.fetch(self.url('/hold/reload', 'h1'))
            self.backend.until_waiting('reload')
            fetchd.config.write_text(fetchd.config.read_text().replace('level = info', 'level = debug') + '\n[nonsense]\n')
            fetchd.process.send_signal(signal.SIGHUP)
            fetchd.until_log('refused')
            self.assertIn('%s:' % fetchd.config, fetchd.log())
            self.ping_pid(fetchd)
            self.assertNotIn(' debug ', fetchd.log(), 'half of a wrong file was taken')
            self.backend.release('reload')
            self.good(c.finish(held))
        fetchd.stop()

    def test_open_requests_do_not_notice(self):
        fetchd = self.start()
        with fetchd.connect() as c:
            held = [c.fetch(self.url('/hold/many-reloads', server)) for server in ('h1', 'h2')]
            self.backend.until_waiting('many-reloads', 2)
            for _ in range(5):
                self.hangup(fetchd)
            self.backend.release('many-reloads')
            for id in held:
                self.assertEqual(self.good(c.finish(id)).done['attempts'], 1)
        fetchd.stop()


@unittest.skipUnless(os.geteuid() == 0, 'only root can become somebody else')
class OtherUsers(Own):
    def setUp(self):
        self.setpriv = shutil.which('setpriv')
        if not self.setpriv:
            self.skipTest('setpriv is not installed')
        self.nobody = [self.setpriv, '--reuid=%d' % NOBODY, '--regid=%d' % NOBODY, '--clear-groups']

    def open_folder(self, fetchd):
        fetchd.folder.chmod(0o755)

    def test_another_user_is_kept_out_by_the_socket(self):
        fetchd = self.start()
        self.open_folder(fetchd)
        run = fetchd.fetchctl('get', self.url('/1k'), prefix=self.nobody)
        self.assertEqual(run.returncode, 112, run.stderr)
        self.assertIn(b'ermission', run.stderr)
        fetchd.stop()

    def test_another_user_is_let_in_when_the_mode_says_so(self):
        fetchd = self.start(settings={'daemon.mode': '0666'})
        self.open_folder(fetchd)
        run = fetchd.fetchctl('get', self.url('/1k'), prefix=self.nobody)
        self.assertEqual((run.returncode, len(run.stdout)), (0, 1024), run.stderr)
        fetchd.until_log('uid %d ' % NOBODY)
        fetchd.stop()

    def test_two_users_share_no_connection(self):
        fetchd = self.start(settings={'daemon.mode': '0666'}, workers=1)
        self.open_folder(fetchd)
        for prefix, mark in (((), 'a'), (self.nobody, 'b'), ((), 'c'), (self.nobody, 'd')):
            run = fetchd.fetchctl('get', self.url('/1k?user-' + mark, 'h1'), prefix=prefix)
            self.assertEqual(run.returncode, 0, run.stderr)
        def rows():
            return {row['uri'][-1]: row['connection'] for row in self.nginx.access() if '?user-' in row['uri']}
        seen = proc.until(lambda: len(rows()) == 4 and rows(), what='four lines in the log of nginx')
        self.assertEqual(seen['a'], seen['c'])
        self.assertEqual(seen['b'], seen['d'])
        self.assertNotEqual(seen['a'], seen['b'], 'two users on one connection')
        fetchd.stop()

    def test_a_daemon_of_another_user_is_not_believed(self):
        """Someone who got hold of the path poses as the daemon; the client sees whose process it is."""
        folder = paths.folder('u')
        folder.chmod(0o777)
        script = ('import socket,sys,time\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\n'
                  'import os\nos.chmod(sys.argv[1],0o666)\nprint("up",flush=True)\n'
                  'c,_=s.accept()\nprint(len(c.recv(65536)),flush=True)\n')
        with subprocess.Popen([*self.nobody, '/usr/bin/python3', '-c', script, str(folder / 's')],
                              stdout=subprocess.PIPE, text=True) as impostor:
            self.assertEqual(impostor.stdout.readline(), 'up\n')
            run = subprocess.run([str(paths.FETCHCTL), 'get', '-H', 'Cookie: secret', self.url('/1k')],
                                 env=dict(os.environ, FETCHD_ADDRESS='unix:%s/s' % folder), stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, timeout=60)
            impostor.kill()
            self.assertEqual(run.returncode, 112, run.stderr)
            self.assertIn(impostor.stdout.read().strip(), ('', '0'), 'something was told to an impostor')

    def test_it_runs_as_an_ordinary_user(self):
        folder = paths.folder('u')
        os.chown(folder, NOBODY, NOBODY)
        self.site.folder.chmod(0o755)
        fetchd = self.make(folder=folder, prefix=self.nobody)
        fetchd.start()
        self.addCleanup(fetchd.kill)
        for pid in [fetchd.pid, *fetchd.workers().values()]:
            self.assertEqual(proc.field(pid, 'Uid').split()[0], str(NOBODY))
        run = fetchd.fetchctl('get', self.url('/1k'), prefix=self.nobody)
        self.assertEqual((run.returncode, len(run.stdout)), (0, 1024), run.stderr)
        fetchd.stop()


class Hygiene(Own):
    def test_hundreds_of_clients_come_and_go_without_a_trace(self):
        fetchd = self.start()
        counts = []
        for _ in range(4):
            clients = [fetchd.connect() for _ in range(100)]
            for i, c in enumerate(clients):
                c.fetch(self.url('/1k'))
                if i % 3 == 0:
                    c.socket.shutdown(socket.SHUT_WR)
            for c in clients:
                c.close()
            fetchd.until_idle()
            proc.until(lambda: fetchd.status()['sessions'] <= 1, what='the end of the sessions')
            counts.append(proc.fds(fetchd.pid))
        self.assertLessEqual(counts[-1], counts[0] + 2, counts)
        fetchd.stop()

    def test_no_thread_and_no_child_but_its_workers(self):
        fetchd = self.start()
        self.assertEqual(sorted(fetchd.workers().values()), proc.children(fetchd.pid))
        fetchd.stop()


if __name__ == '__main__':
    tap.main()
