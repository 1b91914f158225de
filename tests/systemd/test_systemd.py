"""The packages on a fresh Debian, under a real systemd in a container. `make test-systemd` builds the
packages, sees to the tools and runs this; as root. What a container can't enforce is skipped with the reason.
"""
import json
import os
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import machine, paths, proc, tap  # noqa: E402

PACKAGES = [path for path in sorted((paths.TOP / 'packages').glob('*.deb')) if 'dbgsym' not in path.name]
URL = 'http://%s:8081/' % machine.ADDRESS
CONFIG = '/etc/fetchd/fetchd.ini'
DROP_IN = '/run/systemd/system/fetchd.service.d/test.conf'
SOCKET = '/run/fetchd/fetchd.sock'
NGINX = '''
events {}
http {
    access_log off;
    server {
        listen 127.0.0.1:8081;
        listen 10.77.0.1:8081;
        root /srv/www;
        location /slow/ { alias /srv/www/; limit_rate 40k; }
    }
}
'''
SLOW_BYTES = 120000


class Installed(unittest.TestCase):
    """One machine for all tests of a class; each leaves it as it was."""
    made = None

    @classmethod
    def setUpClass(cls):
        if not PACKAGES:
            raise unittest.SkipTest('there are no packages; make test-systemd builds them')
        cls.machine = machine.Machine(PACKAGES)
        try:
            cls.machine.start()
        except machine.Unavailable as reason:
            cls.machine.stop()
            raise unittest.SkipTest('no container here: %s' % reason)
        except BaseException:
            cls.machine.stop()
            raise
        cls.addClassCleanup(cls.machine.stop)
        cls.run_in, cls.try_in = cls.machine.run, cls.machine.try_run
        cls.prepare()

    @classmethod
    def prepare(cls):
        cls.machine.write('/srv/www/1k', 'x' * 1024)
        cls.machine.write('/srv/www/large', 'y' * SLOW_BYTES)
        cls.machine.write('/etc/nginx/nginx.conf', NGINX)
        for user in ('alice', 'bob', 'carol'):
            cls.run_in('useradd', '--create-home', user)
        cls.run_in('systemctl', 'start', 'nginx')
        cls.installation = cls.install()
        cls.shipped = cls.run_in('cat', CONFIG)
        for user in ('alice', 'bob'):
            cls.run_in('usermod', '--append', '--groups', 'fetchd', user)

    @classmethod
    def install(cls):
        names = ['/shared/' + path.name for path in PACKAGES]
        return cls.run_in('dpkg', '--install', *names)

    def setUp(self):
        tap.witness(self.evidence)
        self.addCleanup(tap.forget, self.evidence)
        self.addCleanup(self.restore)

    def restore(self):
        self.run_in('rm', '-rf', '/run/systemd/system/fetchd.service.d')
        self.machine.write(CONFIG, self.shipped)
        self.run_in('systemctl', 'daemon-reload')
        self.run_in('systemctl', 'reset-failed')
        self.run_in('systemctl', 'restart', 'fetchd.socket')
        self.run_in('systemctl', 'stop', 'fetchd.service')

    def evidence(self):
        return self.try_in('journalctl', '--no-pager', '--lines=30', '--unit=fetchd*').stdout.splitlines()

    # ---- short words ----

    def get(self, url='1k', user=None, **options):
        return self.try_in('fetchctl', 'get', URL + url, user=user, **options)

    def good(self, run, length=1024):
        self.assertEqual((run.returncode, len(run.stdout)), (0, length), run.stderr)

    def pid(self):
        return int(self.machine.show('fetchd.service', 'MainPID'))

    def workers(self):
        status = json.loads(self.run_in('fetchctl', 'status', '--json'))
        return {row['worker']: row['pid'] for row in status['workers'] if row['state'] == 'ready'}

    def status_of(self, pid):
        return dict(line.split(':\t', 1) for line in self.run_in('cat', '/proc/%d/status' % pid).splitlines()
                    if ':\t' in line)

    def halt(self, pid):
        self.run_in('sh', '-c', 'kill -STOP %d' % pid)

    def configure(self, text, unit=''):
        """Before the daemon starts."""
        self.machine.write(CONFIG, text)
        if unit:
            self.machine.write(DROP_IN, '[Service]\n' + unit)
            self.run_in('systemctl', 'daemon-reload')


class Service(Installed):
    def test_a_fresh_system_waits_for_the_first_client_and_answers(self):
        self.assertEqual(self.machine.show('fetchd.socket', 'ActiveState'), 'active')
        self.assertEqual(self.machine.show('fetchd.socket', 'UnitFileState'), 'enabled')
        self.assertEqual(self.machine.show('fetchd.service', 'ActiveState'), 'inactive')
        self.assertEqual(self.run_in('stat', '--format=%U %G %a', '/run/fetchd', SOCKET).split('\n')[:2],
                         ['root root 755', 'root fetchd 660'])
        self.good(self.get())
        self.assertEqual(self.machine.show('fetchd.service', 'ActiveState'), 'active')
        uid = self.run_in('id', '--user', 'fetchd').strip()
        for pid in (self.pid(), *self.workers().values()):
            self.assertEqual(self.status_of(pid)['Uid'].split(), [uid] * 4)

    def test_systemd_analyze_finds_nothing_wrong_with_what_is_installed(self):
        units = [self.machine.show(name, 'FragmentPath') for name in ('fetchd.service', 'fetchd.socket')]
        run = self.try_in('systemd-analyze', 'verify', *units)
        self.assertEqual((run.returncode, run.stdout + run.stderr), (0, ''))
        run = self.try_in('systemd-analyze', 'security', '--threshold=12', 'fetchd.service')
        self.assertEqual(run.returncode, 0, run.stdout)

    def test_its_status_and_its_log_are_for_the_journal(self):
        self.good(self.get())
        self.assertRegex(self.machine.show('fetchd.service', 'StatusText'), r'^running, \d+ requests? open')
        self.configure('[nonsense]\n')
        self.assertNotEqual(self.try_in('systemctl', 'reload', 'fetchd').returncode, 0)
        rows = [json.loads(line) for line in self.run_in('journalctl', '--output=json', '--no-pager',
                                                          '_PID=%d' % self.pid()).splitlines()]
        rows = [row for row in rows if row.get('_COMM') == 'fetchd']
        found = {row['MESSAGE']: row['PRIORITY'] for row in rows}
        refused = [text for text in found if 'reload refused' in text]
        self.assertEqual([found[text] for text in refused], ['3'] * len(refused))
        self.assertTrue(refused)
        self.assertIn('6', found.values())
        self.assertFalse([text for text in found if text.startswith(('<', '20'))], 'a priority or a time in the text')

    def test_the_watchdog_restarts_a_hung_supervisor_and_leaves_hung_workers_to_it(self):
        self.configure('[workers]\nhang_timeout = 2s\n', 'WatchdogSec=4\nTimeoutAbortSec=1\n')
        self.good(self.get())
        pid, workers = self.pid(), self.workers()
        self.halt(workers[1])
        proc.until(lambda: self.workers().get(1) not in (None, workers[1]), 60, 'the replacement of the hung worker')
        time.sleep(5)                               # longer than the watchdog's patience
        self.assertEqual((self.pid(), self.machine.show('fetchd.service', 'NRestarts')), (pid, '0'))
        self.halt(pid)
        proc.until(lambda: self.machine.show('fetchd.service', 'NRestarts') == '1', 60, 'the restart')
        proc.until(lambda: self.machine.show('fetchd.service', 'ActiveState') == 'active', 60, 'its new start')
        self.assertNotEqual(self.pid(), pid)
        self.good(self.get())
        self.assertIn('watchdog', self.run_in('journalctl', '--no-pager', '--unit=fetchd.service').lower())

    def test_a_reload_applies_a_good_file_and_refuses_a_wrong_one(self):
        self.good(self.get())
        pid = self.pid()
        self.configure('[class "*"]\nmembers =\nrequests = 1\n[access]\ndeny = bob\n')
        self.run_in('systemctl', 'reload', 'fetchd')
        self.assertEqual(self.get(user='bob').returncode, 112)
        self.good(self.get(user='alice'))
        self.configure('[access]\ndeny = alice\n[nonsense]\n')
        self.assertNotEqual(self.try_in('systemctl', 'reload', 'fetchd').returncode, 0)
        self.good(self.get(user='alice'))
        self.assertIn('the last reload was refused: %s:3' % CONFIG, self.status_text())
        self.assertEqual(self.pid(), pid)

    def status_text(self):
        return proc.until(lambda: (lambda text: 'refused' in text and text)(self.machine.show('fetchd.service', 'StatusText')),
                          what='the status text')

    def test_a_stop_loses_nothing(self):
        """What is open is answered whole, and who comes meanwhile is served by the next one."""
        self.good(self.get())
        slow = self.machine.start_run('fetchctl', 'get', URL + 'slow/large')
        proc.until(lambda: json.loads(self.run_in('fetchctl', 'status', '--json'))['in_flight'] == 1, what='the request')
        old = self.pid()
        stop = self.machine.start_run('systemctl', 'stop', 'fetchd.service')
        proc.until(lambda: self.machine.show('fetchd.service', 'ActiveState') == 'deactivating', what='the stop')
        late = self.machine.start_run('fetchctl', 'get', URL + '1k')
        out, err = slow.communicate(timeout=60)
        self.assertEqual((slow.returncode, len(out)), (0, SLOW_BYTES), err)
        out, err = late.communicate(timeout=60)
        self.assertEqual((late.returncode, len(out)), (0, 1024), err)
        stop.communicate(timeout=60)
        self.assertNotEqual(self.pid(), old)

    def test_an_upgrade_refuses_nobody(self):
        self.good(self.get())
        old = self.pid()
        clients = self.machine.start_run('sh', '-c', 'n=0; until [ -e /tmp/enough ]; do fetchctl get -s %s >/tmp/got || exit $?;'
                                         ' [ $(stat --format=%%s /tmp/got) = 1024 ] || exit 99; n=$((n+1)); done; echo $n' % (URL + '1k'))
        slow = self.machine.start_run('fetchctl', 'get', URL + 'slow/large')
        self.install()
        proc.until(lambda: self.pid() not in (0, old), 60, 'the new daemon')
        self.good(self.get())
        self.run_in('touch', '/tmp/enough')
        out, err = clients.communicate(timeout=60)
        self.assertEqual(clients.returncode, 0, err)
        self.assertGreater(int(out), 3)
        out, err = slow.communicate(timeout=60)
        self.assertEqual((slow.returncode, len(out)), (0, SLOW_BYTES), err)
        self.run_in('rm', '/tmp/enough')

    def test_two_users_see_only_what_they_may(self):
        for user in ('alice', 'bob', 'bob'):
            self.good(self.get(user=user))
        self.assertEqual(self.get(user='carol').returncode, 112, 'not in the group')
        seen = {user: json.loads(self.run_in('fetchctl', 'status', '--json', user=user)) for user in ('alice', 'bob')}
        self.assertEqual([(status['own'], status['succeeded'], status['workers'], status['origins'], status['users'])
                          for status in seen.values()], [(True, 1, [], [], []), (True, 2, [], [], [])])
        metrics = self.run_in('fetchctl', 'metrics', user='alice')
        self.assertNotIn('worker', metrics)
        self.assertIn('fetchd_requests_accepted_total 1\n', metrics)
        for command in ('reload', 'drain', 'workers'):
            self.assertEqual(self.try_in('fetchctl', command, user='alice').returncode, 112)
        everything = json.loads(self.run_in('fetchctl', 'status', '--json'))
        self.assertEqual(sum(row['succeeded'] for row in everything['users']), 3)
        self.assertNotEqual(everything['workers'], [])

    def test_it_is_confined_as_its_unit_says(self):
        self.good(self.get())
        for pid in (self.pid(), *self.workers().values()):
            status = self.status_of(pid)
            self.assertEqual((status['NoNewPrivs'], status['Seccomp'], int(status['CapBnd'], 16), int(status['CapEff'], 16)),
                             ('1', '2', 0, 0))
        own, *workers = [int(self.status_of(pid)['Seccomp_filters']) for pid in (self.pid(), *self.workers().values())]
        self.assertTrue(all(count > own for count in workers), 'the unit keeps workers from confining themselves')
        inside = ('nsenter', '--target=%d' % self.pid(), '--mount')
        self.assertNotEqual(self.try_in(*inside, 'touch', '/usr/here').returncode, 0)
        self.assertEqual(self.run_in(*inside, 'ls', '/home').strip(), '')
        self.assertEqual(self.run_in('ls', '/home').split(), ['alice', 'bob', 'carol'])
        self.assertNotEqual(self.try_in(*inside, 'ls', '/proc/sys').returncode, 0)


class Directives(Installed):
    """The two whose enforcement is the host's to give."""

    def test_ip_address_deny_keeps_from_the_credentials_of_clouds(self):
        self.assertIn('100.100.100.200', self.machine.show('fetchd.service', 'IPAddressDeny'))
        self.run_in('ip', 'address', 'add', '100.100.100.200/32', 'dev', 'lo')
        self.machine.write('/etc/nginx/nginx.conf', NGINX.replace('root', 'listen 100.100.100.200:8081; root'))
        self.run_in('systemctl', 'restart', 'nginx')
        self.configure('[egress]\nallow = 100.100.100.200\n')
        control = self.try_in('systemd-run', '--wait', '--quiet', '--pipe', '-p', 'IPAddressDeny=100.100.100.200',
                              'bash', '-c', 'exec 3<>/dev/tcp/100.100.100.200/8081')
        if control.returncode == 0:
            self.skipTest('IPAddressDeny is not enforced in this container: no BPF firewall for its control groups')
        run = self.try_in('fetchctl', 'get', 'http://100.100.100.200:8081/1k')
        self.assertEqual(run.returncode, 7, run.stderr)
        self.good(self.get())

    def test_memory_max_bounds_it_all(self):
        self.assertNotIn(self.machine.show('fetchd.service', 'MemoryMax'), ('', 'infinity'))
        control = self.try_in('systemd-run', '--wait', '--quiet', '--pipe', '-p', 'MemoryMax=64M', '-p', 'MemorySwapMax=0',
                              'bash', '-c', 'x=$(head -c 200000000 /dev/zero | tr "\\0" y); echo ${#x}')
        if control.returncode == 0:
            self.skipTest('MemoryMax is not enforced in this container: its memory controller is not its own')
        self.configure('', 'MemoryMax=64M\nMemorySwapMax=0\n')
        self.good(self.get())


class Trust(Installed):
    """Whose daemon a client talks to at the system's address: root's, its own, the service user's."""

    def daemon_of(self, user):
        """One without systemd, in a folder that root gave to a user."""
        self.run_in('systemctl', 'stop', 'fetchd.socket', 'fetchd.service')
        self.run_in('rm', '-rf', '/run/fetchd')
        self.run_in('install', '--directory', '--mode=755', '--owner=' + user, '/run/fetchd')
        self.machine.write('/etc/fetchd/other.ini', '[daemon]\nlisten = unix:%s\nmode = 0666\n' % SOCKET)
        self.run_in('systemd-run', '--quiet', '--collect', '--unit=other', '--uid=' + user, 'fetchd', '--config',
                    '/etc/fetchd/other.ini')
        self.addCleanup(self.end)
        proc.until(lambda: self.try_in('test', '-S', SOCKET).returncode == 0, what='the socket')

    def end(self):
        self.run_in('systemctl', 'stop', 'other')
        self.run_in('rm', '-rf', '/run/fetchd')

    def codes(self, **env):
        return [self.get(user=user, env=env).returncode for user in (None, 'alice', 'bob')]

    def test_root_s_is_believed_by_all(self):
        self.daemon_of('root')
        self.assertEqual(self.codes(), [0, 0, 0])

    def test_the_service_user_s_is_believed_by_all(self):
        self.daemon_of('fetchd')
        self.assertEqual(self.codes(), [0, 0, 0])

    def test_one_s_own_is_believed_by_nobody_else(self):
        self.daemon_of('bob')
        self.assertEqual(self.codes(), [112, 112, 0])

    def test_the_configured_user_s_is_believed_by_who_configured_it(self):
        self.daemon_of('bob')
        self.assertEqual(self.codes(FETCHD_USER='bob'), [0, 0, 0])
        self.assertEqual(self.codes(FETCHD_USER='carol'), [112, 112, 0])

    def test_a_user_s_own_pair_of_units(self):
        uid = self.run_in('id', '--user', 'alice').strip()
        env = dict(XDG_RUNTIME_DIR='/run/user/' + uid, HOME='/home/alice')
        self.run_in('systemctl', 'start', 'user@%s.service' % uid)
        self.run_in('systemctl', '--user', 'start', 'fetchd.socket', user='alice', env=env)
        self.run_in('systemctl', 'stop', 'fetchd.socket', 'fetchd.service')
        self.good(self.get(user='alice', env=env))
        self.assertEqual(self.run_in('systemctl', '--user', 'is-active', 'fetchd.service', user='alice', env=env).strip(),
                         'active')
        self.run_in('systemctl', '--user', 'reload', 'fetchd.service', user='alice', env=env)
        mode = self.run_in('stat', '--format=%U %a', '/run/user/%s/fetchd/fetchd.sock' % uid).strip()
        self.assertEqual(mode, 'alice 600')
        self.run_in('systemctl', 'stop', 'user@%s.service' % uid)


class Removed(Installed):
    def restore(self):
        pass

    def test_a_removal_leaves_nothing_that_runs_or_listens(self):
        self.good(self.get())
        pids = [self.pid(), *self.workers().values()]
        self.run_in('dpkg', '--purge', *[path.name.split('_')[0] for path in reversed(PACKAGES)])
        for pid in pids:
            self.assertNotEqual(self.try_in('test', '-e', '/proc/%d' % pid).returncode, 0)
        self.assertNotEqual(self.try_in('test', '-e', SOCKET).returncode, 0, 'the socket is left')
        self.assertNotIn('fetchd', self.run_in('systemctl', 'list-units', '--all', '--no-legend', 'fetchd*'))
        self.assertNotEqual(self.try_in('test', '-e', '/etc/fetchd').returncode, 0)


if __name__ == '__main__':
    tap.main()
