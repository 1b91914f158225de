"""The service manager's side: units that systemd finds nothing wrong with, and what fetchd tells it, by a
socket of ours in its place. tests/systemd/ has the same under a real one."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

from world import World, paths, proc, tap

ANALYZE = shutil.which('systemd-analyze')
EXPOSURE = 1.2
ACTIVATE = paths.TOP / 'tests/chaos/activate.py'


class Manager:
    """The other end of $NOTIFY_SOCKET."""

    def __init__(self, folder):
        self.path = str(folder / 'notify')
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.told = []

    def take(self, seconds=0.0):
        self.socket.settimeout(seconds or 0.001)
        try:
            self.told += self.socket.recv(65536).decode().splitlines()
            return True
        except (TimeoutError, BlockingIOError):
            return False

    def until(self, word, seconds=30):
        """Waits for a line that begins so, and forgets all up to it. Returns it."""
        deadline = time.monotonic() + seconds
        while True:
            for i, line in enumerate(self.told):
                if line.startswith(word):
                    del self.told[:i + 1]
                    return line
            if not self.take(1) and time.monotonic() > deadline:
                raise AssertionError('%s was not told in %g s, but %r' % (word, seconds, self.told))

    def silent(self, word, turns):
        """True when nothing that begins so comes while `turns()` goes on."""
        while self.take():
            pass
        self.told.clear()
        turns()
        while self.take():
            pass
        return not any(line.startswith(word) for line in self.told)


class Told(World):
    own_daemon = True

    def start(self, **options):
        folder = paths.folder('n')
        self.manager = Manager(folder)
        self.addCleanup(self.manager.socket.close)
        env = dict(os.environ, NOTIFY_SOCKET=self.manager.path)
        self.fetchd = self.make(folder=folder, env=env, **options).start()
        self.addCleanup(lambda: self.fetchd and self.fetchd.kill())
        return self.fetchd

    def test_it_says_when_it_is_ready_reloads_and_stops(self):
        fetchd = self.start()
        self.manager.until('READY=1')
        fetchd.process.send_signal(signal.SIGHUP)
        self.manager.until('RELOADING=1')
        began = self.manager.until('MONOTONIC_USEC=')
        self.assertAlmostEqual(int(began.split('=')[1]) / 1e6, time.monotonic(), delta=60)
        self.manager.until('READY=1')
        fetchd.process.send_signal(signal.SIGTERM)
        self.manager.until('STOPPING=1')
        self.manager.until('STATUS=draining')
        fetchd.finish()

    def test_a_refused_reload_is_in_its_status(self):
        fetchd = self.start()
        self.manager.until('READY=1')
        fetchd.config.write_text('[nonsense]\n')
        fetchd.process.send_signal(signal.SIGHUP)
        self.manager.until('RELOADING=1')
        self.assertIn('refused', self.manager.until('STATUS='))
        fetchd.stop()

    def test_its_status_counts_what_it_does(self):
        fetchd = self.start()
        with fetchd.connect() as c:
            held = c.fetch(self.url('/hold/status', 'plain'))
            self.backend.until_waiting('status')
            line = self.manager.until('STATUS=running, 1 request')
            self.assertRegex(line, r'running, 1 request open, \d+ connections?, 2 of 2 workers ready')
            self.backend.release('status')
            self.good(c.finish(held))
        fetchd.stop()

    def test_a_hung_worker_is_not_the_watchdog_s_business_and_a_hung_supervisor_is(self):
        fetchd = self.start(settings={'workers.hang_timeout': '2s'})
        self.manager.until('READY=1')
        worker = fetchd.workers()[1]
        os.kill(worker, signal.SIGSTOP)
        proc.until(lambda: not proc.exists(worker), 60, 'the replacement of the hung worker')
        self.manager.told.clear()
        for _ in range(3):
            self.manager.until('WATCHDOG=1')
        fetchd.process.send_signal(signal.SIGSTOP)
        proc.until(lambda: proc.stat(fetchd.pid)[0] == 'T', what='the stop')
        self.assertTrue(self.manager.silent('WATCHDOG=1', lambda: time.sleep(2.5)), 'fed while it hung')
        fetchd.process.send_signal(signal.SIGCONT)
        self.manager.until('WATCHDOG=1')
        fetchd.stop()

    def test_in_the_journal_each_line_has_its_priority_and_no_time_of_its_own(self):
        folder = paths.folder('j')
        log = folder / 'fetchd.log'
        log.touch()
        status = log.stat()
        fetchd = self.make(folder=folder, env=dict(os.environ, JOURNAL_STREAM='%d:%d' % (status.st_dev, status.st_ino)))
        with fetchd:
            fetchd.start_fetchctl('get', 'http://localhost:1/').wait()
        lines = fetchd.log().splitlines()
        self.assertFalse([line for line in lines if not re.match(r'<[3-7]>[a-z]', line)])
        self.assertIn('<6>daemon: stopped', lines)


class Activated(World):
    own_daemon = True

    def test_a_given_socket_is_used_and_left_where_it_is(self):
        """As systemd does: the first client starts it, and whoever comes after its end waits for the next."""
        folder = paths.folder('s')
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / 'fetchd.sock'))
        listener.listen()
        for _ in range(2):
            fetchd = self.make(folder=folder)
            fetchd.write_config()
            with socket.socket(socket.AF_UNIX) as early:
                early.connect(str(fetchd.socket))                    # nobody runs yet
                with open(fetchd.log_path, 'ab') as log:
                    fetchd.process = subprocess.Popen(
                        [sys.executable, str(ACTIVATE), str(listener.fileno()), str(paths.FETCHD), '--config',
                         str(fetchd.config)], pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL, stdout=log,
                        stderr=log)
                run = fetchd.fetchctl('get', self.url('/1k', 'plain'))
                self.assertEqual((run.returncode, len(run.stdout)), (0, 1024), run.stderr)
            fetchd.stop()
            self.assertTrue(fetchd.socket.exists(), 'it took the socket along')


@unittest.skipUnless(ANALYZE, 'systemd-analyze is not installed')
class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """The units as installed, with the programs of the build tree in the place of the installed ones."""
        cls.folder = paths.folder('i')
        run = subprocess.run(['meson', 'install', '-C', str(paths.BUILD), '--no-rebuild', '--destdir', str(cls.folder)],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode:
            raise AssertionError(run.stdout)
        cls.units = sorted(cls.folder.rglob('fetchd.s*'))
        if not any(unit.name == 'fetchd.service' for unit in cls.units):
            raise unittest.SkipTest('built without systemd')
        for unit in cls.units:
            text = unit.read_text()
            unit.write_text(re.sub(r'=(/\S+)(/bin/fetch)', lambda m: '=%s%s%s' % (cls.folder, m[1], m[2]), text))

    def unit(self, part):
        return next(unit for unit in self.units if part in str(unit))

    def analyze(self, *arguments, **env):
        return subprocess.run([ANALYZE, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=dict(os.environ, **env))

    def test_there_are_a_pair_for_the_system_and_one_for_each_user(self):
        self.assertEqual(sorted('/'.join(unit.parts[-2:]) for unit in self.units),
                         ['system/fetchd.service', 'system/fetchd.socket', 'user/fetchd.service', 'user/fetchd.socket'])
        for name in ('sysusers.d/fetchd.conf', 'tmpfiles.d/fetchd.conf'):
            self.assertEqual(len(list(self.folder.rglob(name))), 1, name)

    def test_systemd_analyze_verify_finds_nothing(self):
        run = self.analyze('verify', '--man=no', *(unit for unit in self.units if 'system/fetchd' in str(unit)))
        self.assertEqual((run.returncode, run.stdout), (0, ''))
        run = self.analyze('--user', 'verify', '--man=no', *(unit for unit in self.units if 'user/fetchd' in str(unit)),
                           XDG_RUNTIME_DIR=str(paths.folder('x')))
        self.assertEqual((run.returncode, run.stdout), (0, ''))

    def test_verify_would_find_a_wrong_key(self):
        wrong = paths.folder('w') / 'fetchd.service'
        wrong.write_text(self.unit('system/fetchd.service').read_text().replace('WatchdogSec=30', 'WatchdogSek=30'))
        self.assertIn('WatchdogSek', self.analyze('verify', '--man=no', wrong).stdout)

    def exposure(self, text):
        unit = paths.folder('x') / 'fetchd.service'
        unit.write_text(text)
        run = self.analyze('security', '--offline=true', '--no-pager', unit)
        return float(re.search(r'exposure level for \S+: ([0-9.]+)', run.stdout)[1])

    def test_its_exposure_is_at_most_1_2(self):
        text = self.unit('system/fetchd.service').read_text()
        self.assertLessEqual(self.exposure(text), EXPOSURE)
        self.assertGreater(self.exposure(text.replace('NoNewPrivileges=yes', '').replace('RestrictNamespaces=yes', '')),
                           EXPOSURE, 'the measure sees no difference')

    def test_nothing_hides_who_the_clients_are(self):
        for unit in self.units:
            self.assertNotRegex(unit.read_text(), r'(?m)^PrivateUsers')

    def test_sysusers_and_tmpfiles_make_the_user_and_the_folder(self):
        if os.geteuid() != 0 or not shutil.which('systemd-sysusers') or not shutil.which('systemd-tmpfiles'):
            self.skipTest('needs root, systemd-sysusers and systemd-tmpfiles')
        root = paths.folder('r')
        (root / 'etc').mkdir()
        for tool, part in (('systemd-sysusers', 'sysusers.d'), ('systemd-tmpfiles', 'tmpfiles.d')):
            conf = next(self.folder.rglob(part + '/fetchd.conf'))
            subprocess.run([tool, '--root=%s' % root, *(['--create'] if 'tmp' in tool else []), str(conf)], check=True)
        self.assertRegex((root / 'etc/passwd').read_text(), r'(?m)^fetchd:.*nologin$')
        self.assertRegex((root / 'etc/group').read_text(), r'(?m)^fetchd:')
        made = (root / 'run/fetchd').stat()
        self.assertEqual((made.st_uid, made.st_mode & 0o7777), (0, 0o755))


if __name__ == '__main__':
    tap.main()
