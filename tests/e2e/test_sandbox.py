"""What confines a worker and the daemon, as the kernel has it, and that fetching goes on inside. Which
operations it forbids: tests/process/confined.c."""
import os
import pwd
import re
import signal
import subprocess
import unittest

from world import World, nginx, origins, paths, proc, tap

POISON = paths.BUILD / 'tests' / 'chaos' / 'fetchd-worker-poison'
FILTERED, NOT_FILTERED = '2', '0'


def kernel_says(pid, *names):
    """Lines of /proc/PID/status by name."""
    with open('/proc/%d/status' % pid) as file:
        lines = dict(line.rstrip('\n').split(':\t', 1) for line in file)
    return [lines[name].split('\t')[0].strip() for name in names]


def inet_sockets(pid):
    """Local addresses of its network sockets, as hexadecimal as the kernel has them."""
    inodes = set()
    for fd in os.listdir('/proc/%d/fd' % pid):
        match = re.match(r'socket:\[(\d+)\]', os.readlink('/proc/%d/fd/%s' % (pid, fd)))
        inodes.update(match.groups() if match else ())
    found = []
    for name in ('tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6', 'packet'):
        with open('/proc/%d/net/%s' % (pid, name)) as file:
            rows = [line.split() for line in file.readlines()[1:]]
        found += [row[1] for row in rows if row[8 if name == 'packet' else 9] in inodes]
    return found


def linux():
    return os.path.exists('/proc/self/status')


@unittest.skipUnless(linux(), 'not Linux')
class Confined(World):
    own_daemon = True

    def test_a_worker_has_a_filter_no_capabilities_and_no_new_privileges(self):
        with self.make() as fetchd, fetchd.connect() as c:
            self.good(c.get(self.url('/1k')))
            for pid in fetchd.workers().values():
                self.assertEqual(kernel_says(pid, 'Seccomp', 'NoNewPrivs'), [FILTERED, '1'])
                for name in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb'):
                    self.assertEqual(kernel_says(pid, name), ['0' * 16])
            self.assertRegex(fetchd.log(), r'worker 1: ready, pid \d+, sandbox: user \d+, .*seccomp')

    def test_the_daemon_has_a_filter_and_no_new_privileges(self):
        with self.make() as fetchd:
            self.assertEqual(kernel_says(fetchd.pid, 'Seccomp', 'NoNewPrivs'), [FILTERED, '1'])
            self.assertRegex(fetchd.log(), r'daemon: sandbox: no new privileges, seccomp')

    def test_without_a_sandbox_nothing_of_it_holds_and_it_is_said_loudly(self):
        with self.make(args=['--no-sandbox']) as fetchd, fetchd.connect() as c:
            self.good(c.get(self.url('/1k')))
            for pid in [fetchd.pid, *fetchd.workers().values()]:
                self.assertEqual(kernel_says(pid, 'Seccomp', 'NoNewPrivs'), [NOT_FILTERED, '0'])
            self.assertRegex(fetchd.log(), r'error +daemon: --no-sandbox: .*debugging only')
            self.assertRegex(fetchd.log(), r'worker 1: ready, .*sandbox: NONE')

    def test_after_work_the_daemon_has_no_network_socket(self):
        with self.make() as fetchd, fetchd.connect() as c:
            for _ in range(20):
                self.good(c.get(self.url('/1k')))
            self.assertEqual(inet_sockets(fetchd.pid), [])
            self.assertTrue(any(inet_sockets(pid) for pid in fetchd.workers().values()))     # the control

    def test_its_only_one_is_the_metrics_listener_on_this_host(self):
        port = nginx.free_ports(1)[0]
        with self.make(settings={'metrics.port': port}) as fetchd, fetchd.connect() as c:
            self.good(c.get(self.url('/1k')))
            self.assertEqual(inet_sockets(fetchd.pid), ['0100007F:%04X' % port])

    def test_a_forbidden_system_call_ends_the_worker_and_is_named(self):
        origin = Poisoned().start()
        self.addCleanup(origin.stop)
        with self.make([origin.port], program=POISON, workers=1) as fetchd, fetchd.connect() as c:
            answer = c.get(origin.url('/forbidden', '127.0.0.1'), attempts=1)
            self.assertEqual(answer.error, 'worker.lost', answer.done)
            fetchd.until_log(r'error +worker \d+: sandbox: system call \d+ is not allowed here')
            fetchd.until_log(r'crashed, signal %d ' % signal.SIGSYS)
            fetchd.wait_ready()
            self.good(c.get(origin.url('/ok', '127.0.0.1')))        # its successor works

    def test_without_the_filter_the_same_call_does_no_harm(self):
        origin = Poisoned().start()
        self.addCleanup(origin.stop)
        with self.make([origin.port], program=POISON, workers=1, args=['--no-sandbox']) as fetchd, fetchd.connect() as c:
            self.good(c.get(origin.url('/forbidden', '127.0.0.1')))

    def test_the_kernel_lets_nobody_look_into_either(self):
        """Not dumpable: what belongs to the process in /proc is root's."""
        with self.make() as fetchd:
            for pid in [fetchd.pid, *fetchd.workers().values()]:
                self.assertEqual(os.stat('/proc/%d/environ' % pid).st_uid, 0)
            run = self.as_nobody('cat', '/proc/%d/environ' % next(iter(fetchd.workers().values())))
            self.assertNotEqual(run.returncode, 0)

    def as_nobody(self, *command):
        if os.geteuid() != 0:
            self.skipTest('not root')
        return subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', *command],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Poisoned(origins.Origin):
    def do_forbidden(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nX-Poison: forbidden\r\nContent-Length: 3\r\n\r\nok\n')
        return True


@unittest.skipUnless(linux(), 'not Linux')
class Users(World):
    own_daemon = True

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest('not root')

    def uids(self, fetchd):
        return {kernel_says(pid, 'Uid')[0] for pid in fetchd.workers().values()}

    def test_workers_of_root_run_as_somebody_else(self):
        usual = next(name for name in ('fetchd', 'nobody') if self.exists(name))
        with self.make() as fetchd, fetchd.connect() as c:
            self.good(c.get(self.url('/1k')))
            self.assertEqual(self.uids(fetchd), {str(pwd.getpwnam(usual).pw_uid)})
            self.assertIn('workers run as user %s' % usual, fetchd.log())
            for pid in fetchd.workers().values():
                self.assertEqual(kernel_says(pid, 'Groups'), [''])

    def exists(self, name):
        try:
            return bool(pwd.getpwnam(name))
        except KeyError:
            return False

    def test_the_user_is_a_setting(self):
        with self.make(settings={'workers.user': 'games'}) as fetchd, fetchd.connect() as c:
            self.good(c.get(self.url('/1k')))
            self.assertEqual(self.uids(fetchd), {str(pwd.getpwnam('games').pw_uid)})

    def test_a_reload_changes_it(self):
        with self.make(settings={'workers.user': 'games'}) as fetchd:
            fetchd.write_config(workers__user='nobody')
            self.assertEqual(fetchd.fetchctl('reload').returncode, 0)
            proc.until(lambda: self.uids(fetchd) == {'65534'}, what='workers of the new user')

    def test_root_is_warned_of(self):
        with self.make(settings={'workers.user': 'root'}) as fetchd, fetchd.connect() as c:
            self.good(c.get(self.url('/1k')))
            self.assertEqual(self.uids(fetchd), {'0'})
            self.assertRegex(fetchd.log(), r'warning +daemon: workers run as root')
            for pid in fetchd.workers().values():
                self.assertEqual(kernel_says(pid, 'CapEff', 'Seccomp'), ['0' * 16, FILTERED])

    def test_a_user_who_is_none_is_an_error(self):
        fetchd = self.make(settings={'workers.user': 'no-such-user'})
        fetchd.spawn()
        try:
            fetchd.finish(expect=1)
        finally:
            fetchd.kill()
        self.assertIn('no such user', fetchd.log())


if __name__ == '__main__':
    tap.main()
