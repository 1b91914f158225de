#!/usr/bin/python3
"""fetchd.exe as a Windows service, under Wine: install, start, query, reload, stop, uninstall; what it leaves in the
registry, in %ProgramData% and in the event log; and as a console program Ctrl+C and Ctrl+Break.

Wine enforces no permissions, restarts no service and keeps no events: windows-service/README.md lists what that leaves
to a real Windows.
"""
import hashlib
import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]
import bed  # noqa: E402
from support import tap  # noqa: E402
from world import Site  # noqa: E402
import pe  # noqa: E402
import wine  # noqa: E402
from wine import BUILD, FETCHCTL, FETCHD, WORKER, until  # noqa: E402

SERVICE = r'HKLM\System\CurrentControlSet\Services\fetchd'
SOURCE = r'HKLM\System\CurrentControlSet\Services\EventLog\Application\fetchd'
FOLDER = r'C:\ProgramData\fetchd'
PRESS_BREAK = BUILD / 'tests' / 'windows' / 'press_break.exe'


def windows_path(path):
    return str(path).replace('/', '\\')


class Service(unittest.TestCase):
    """Each test begins with a service that is installed and stopped, with settings of its own."""

    @classmethod
    def setUpClass(cls):
        cls.wine = wine.shared()
        cls.folder = cls.wine.unix(FOLDER)
        cls.settings = cls.folder / 'fetchd.ini'
        cls.log = cls.folder / 'log' / 'fetchd.log'

    def service(self, *arguments, code=0):
        ended = self.wine.run(FETCHD, 'service', *arguments)
        self.assertEqual(ended.code, code, ended.out + ended.err)
        return ended

    def setUp(self):
        self.service('install')
        self.addCleanup(self.service, 'uninstall')
        self.settings.write_text('[workers]\ncount = 1\n')
        self.began = self.log.stat().st_size if self.log.exists() else 0
        tap.witness(self.log_lines)
        self.addCleanup(tap.forget, self.log_lines)

    def log_text(self):
        """Of this test."""
        return self.log.read_text()[self.began:] if self.log.exists() else ''

    def log_lines(self):
        return self.log_text().splitlines()

    def state(self):
        words = self.wine.run('sc', 'query', 'fetchd').out.split()
        return words[words.index('STATE') + 3] if 'STATE' in words else None

    # ---- install ----

    def test_it_starts_with_the_system_from_a_quoted_path_as_an_account_of_its_own(self):
        values = self.wine.registry(SERVICE)
        self.assertEqual(values['ImagePath'][1], r'"Z:%s" service run --config "%s\fetchd.ini"' % (
            windows_path(FETCHD), FOLDER))
        self.assertEqual(values['Start'][1], '0x2')
        self.assertEqual(values['Type'][1], '0x10')
        self.assertEqual(values['ObjectName'][1], r'NT SERVICE\fetchd')
        self.assertEqual(values['PreshutdownTimeout'][1], hex(45000))
        self.assertTrue(values['Description'][1])

    def test_another_account_without_a_password_can_be_chosen(self):
        said = self.service('install', '--account', 'LocalService').out
        self.assertIn(r'FETCHD_USER=NT AUTHORITY\LocalService', said)
        self.assertEqual(self.wine.registry(SERVICE)['ObjectName'][1], r'NT AUTHORITY\LocalService')

    def test_what_this_windows_does_not_know_is_named_and_does_not_stop_it(self):
        said = self.service('install').err
        for line in said.splitlines():
            self.assertRegex(line, r'^fetchd: [\w ]+: not set: [\w ]+ \(\d+\)$')

    def test_installed_again_it_is_renewed_and_the_settings_stay(self):
        self.assertIn('kept as it is', self.service('install').out)
        self.assertEqual(self.settings.read_text(), '[workers]\ncount = 1\n')

    def test_the_first_settings_are_written_and_right(self):
        self.settings.unlink()
        self.assertIn('written', self.service('install').out)
        checked = self.wine.run(FETCHD, '--check', '--config', FOLDER + r'\fetchd.ini')
        self.assertEqual((checked.code, checked.err), (0, ''))

    def test_the_event_source_names_a_program_that_carries_the_texts(self):
        values = self.wine.registry(SOURCE)
        self.assertEqual(values['EventMessageFile'], ('REG_EXPAND_SZ', 'Z:' + windows_path(FETCHD)))
        self.assertEqual(values['TypesSupported'][1], '0x7')
        messages, = pe.resources(FETCHD)[pe.MESSAGES]
        self.assertEqual(messages.count('%1'.encode('utf-16-le')), 3)

    # ---- start, query, reload, stop ----

    def test_it_starts_and_stops_when_it_has_drained(self):
        self.service('start')
        self.assertEqual(self.state(), 'RUNNING')
        self.assertIn('running, process ', self.service('status').out)
        self.assertIn(r'listens on pipe:\\.\pipe\fetchd' + '\n', self.log_text())
        asked = self.wine.run(FETCHCTL, 'status')
        self.assertEqual(asked.code, 0, asked.err)
        self.assertRegex(asked.out, r'state +running')
        self.service('start')                                  # runs already: that is what was wanted
        self.service('stop')
        self.assertEqual(self.state(), 'STOPPED')
        self.assertIn('draining', self.log_text())
        self.assertIn('daemon: stopped', self.log_text())
        self.service('stop')
        self.assertIn('stopped', self.service('status', code=3).out)

    def test_it_fetches_over_https_and_http_2_by_two_workers(self):
        site = Site.get()
        fetchd = bed.Daemon(allow=[site.nginx.ports['h2']], ca=site.authority.cert_path, workers=2)
        fetchd.write_config()
        self.settings.write_text(fetchd.config.read_text())
        self.service('start')
        fetchd.wait_ready()
        body = fetchd.fetchctl('get', site.nginx.url('h2', '/1m', 'localhost'))
        self.assertEqual((body.returncode, hashlib.sha256(body.stdout).hexdigest()), (0, site.nginx.hashes['1m']), body.stderr)
        head = fetchd.fetchctl('get', '-i', site.nginx.url('h2', '/1k', 'localhost'))
        self.assertEqual(head.stdout[:10], b'HTTP/2 200', head.stderr)

    def checkpoint(self):
        """How often the service has told the manager that it goes on stopping; 0 when it is not stopping."""
        words = self.wine.run('sc', 'query', 'fetchd').out.split()
        return int(words[words.index('CHECKPOINT') + 2], 16) if 'STOP_PENDING' in words else 0

    def test_while_it_drains_the_manager_hears_of_it_and_what_is_open_is_answered(self):
        self.settings.write_text('[workers]\ncount = 1\nprogram = Z:%s\n[limits]\nqueue_timeout = 8s\n' % windows_path(PRESS_BREAK))
        self.service('start')                                  # its worker ends at once, each time: a request has to wait
        client = self.wine.start(FETCHCTL, 'get', 'http://192.0.2.1/', stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(client.stderr.close)
        self.assertTrue(until(lambda: re.search(r'in flight +1', self.wine.run(FETCHCTL, 'status').out)))
        stop = self.wine.start(FETCHD, 'service', 'stop', stdout=subprocess.DEVNULL)
        first = until(self.checkpoint)
        self.assertTrue(until(lambda: self.checkpoint() > first), 'no sign of life after %r' % first)
        self.assertIsNone(client.poll())
        self.assertEqual((client.wait(60), stop.wait(60)), (111, 0))
        self.assertIn(b'overloaded', client.stderr.read())
        self.assertIn('draining, 1 requests open', self.log_text())

    def pipe_permissions(self, access):
        """The SDDL that the service gave its pipe, its own entry as OWN."""
        self.settings.write_text('[workers]\ncount = 1\n[access]\n' + access)
        self.service('start')
        self.service('stop')
        found = re.search(r"the pipe's permissions: (\S+)", self.log_text())
        self.assertTrue(found, self.log_text())
        return re.sub(r'O:S-[\d-]+', 'O:OWN', re.sub(r'\(A;;GA;;;S-[\d-]+\)', '(OWN)', found.group(1)))

    def test_the_pipe_lets_in_whom_access_names(self):
        self.assertEqual(self.pipe_permissions(''), 'O:OWND:P(A;;GA;;;SY)(A;;GA;;;BA)(OWN)(A;;0x12019b;;;IU)')

    def test_the_pipe_keeps_out_whom_access_denies_before_it_lets_others_in(self):
        access = 'allow = @S-1-5-32-545\ndeny = S-1-5-21-1-2-3-1001\nadmin = @S-1-5-32-580\n'
        self.assertEqual(self.pipe_permissions(access),
                         'O:OWND:P(A;;GA;;;SY)(A;;GA;;;BA)(OWN)(D;;GA;;;S-1-5-21-1-2-3-1001)'
                         '(A;;0x12019b;;;S-1-5-32-580)(A;;0x12019b;;;S-1-5-32-545)')

    def test_a_reload_takes_new_settings(self):
        self.service('start')
        self.settings.write_text('[workers]\ncount = 1\n[log]\nlevel = debug\n')
        self.service('reload')
        self.assertTrue(until(lambda: 'daemon: reloaded' in self.log_text()))
        self.service('stop')

    def test_a_reload_of_wrong_settings_is_refused_in_the_log_and_in_an_event(self):
        self.service('start')
        self.settings.write_text('[workers]\ncolour%1%%2 = blue\n')
        self.service('reload')
        self.assertTrue(until(lambda: 'reload refused' in self.log_text()))
        self.assertIn('colour%1%%2', self.log_text())
        # What the Event Viewer would replace is escaped. (Wine doubles the backslash.)
        self.assertTrue(until(lambda: any(kind == 'err' and r'colour\\x251\\x25\\x252' in text
                                          for kind, text in self.wine.events())), self.wine.events())
        self.assertEqual(self.state(), 'RUNNING')
        self.service('stop')

    def test_with_wrong_settings_it_does_not_start_and_says_where_to_look(self):
        self.settings.write_text('[workers]\ncount = many\n')
        said = self.service('start', code=1).out
        self.assertIn('exit code 2', said)
        self.assertIn(r'log\fetchd.log', said)
        self.assertIn('fetchd.ini:2', self.log_text())
        self.assertTrue(any('fetchd.ini:2' in text for kind, text in self.wine.events() if kind == 'err'))
        self.assertEqual(self.state(), 'STOPPED')

    def test_what_comes_with_a_start_is_not_taken_for_a_command_line(self):
        self.wine.run('sc', 'start', 'fetchd', '--no-sandbox')
        self.assertTrue(until(lambda: self.state() == 'RUNNING'), self.state())
        self.assertNotIn('--no-sandbox', self.log_text())
        self.service('stop')

    def test_settings_and_log_may_have_any_name(self):
        place = self.folder / 'Zoë 日本'
        place.mkdir(exist_ok=True)
        named = FOLDER + '\\Zoë 日本\\'
        (place / 'é.ini').write_text('[workers]\ncount = 1\n[log]\nfile = %süber.log\n' % named)
        self.service('install', '--config', named + 'é.ini')
        self.assertIn('é.ini', self.service('status', code=3).out)
        self.service('start')
        self.service('stop')
        self.assertIn('daemon: stopped', (place / 'über.log').read_text())

    def test_settings_that_are_not_there_are_not_installed(self):
        self.assertIn('nowhere.ini', self.service('install', '--config', r'C:\nowhere.ini', code=1).err)

    def test_a_log_above_its_size_is_kept_once_and_begun_anew(self):
        self.log.write_bytes(b'x' * 70000)
        self.settings.write_text('[workers]\ncount = 1\n[log]\nfile_bytes = 64KiB\n')
        self.service('start')
        self.assertTrue(until(lambda: self.log.with_name('fetchd.log.1').exists()))
        self.service('stop')
        self.assertTrue(self.log.with_name('fetchd.log.1').read_bytes().startswith(b'x' * 70000))
        self.assertLess(self.log.stat().st_size, 65536)
        self.began = 0
        self.assertIn('daemon: stopped', self.log_text())

    # ---- uninstall ----

    def test_uninstalled_only_the_settings_and_the_log_are_left(self):
        self.service('start')
        self.assertIn('stay in ' + FOLDER, self.service('uninstall').out)
        self.assertIsNone(self.wine.registry(SOURCE))
        self.assertTrue(self.settings.exists())
        self.assertIn('daemon: stopped', self.log_text())
        self.assertIn('not installed', self.service('status', code=4).out)
        self.assertIn('service install', self.service('start', code=1).err)
        self.service('uninstall')

    # ---- used wrongly ----

    def test_a_command_that_there_is_not_says_what_there_is(self):
        for arguments in ([], ['begin'], ['start', 'now'], ['stop', '--config', 'x'], ['--colour']):
            self.assertIn('usage: fetchd service', self.service(*arguments, code=2).err)

    def test_help_tells_of_it(self):
        self.assertIn('fetchd service --help', self.wine.run(FETCHD, '--help').out)
        self.assertIn('usage: fetchd service', self.service('--help').out)

    def test_run_is_for_the_service_manager(self):
        self.assertIn('only the service manager', self.service('run', code=1).err)


class Console(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.wine = wine.shared()

    def start(self, *command):
        self.settings = self.wine.drive / 'Zoë.ini'
        self.settings.write_text('[workers]\ncount = 1\n[daemon]\nlisten = pipe:\\\\.\\pipe\\fetchd-console\n')
        self.errors = (self.wine.folder / 'stderr').open('w+b')
        self.addCleanup(self.errors.close)
        process = self.wine.start(*command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self.errors)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertTrue(until(lambda: 'listens on' in self.said()), self.said())
        return process

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode()

    def test_ctrl_c_drains_and_ends_it_with_exit_code_0(self):
        process = self.start(FETCHD, '--config', r'C:\Zoë.ini')
        os.kill(process.pid, signal.SIGINT)                    # Wine makes a Ctrl+C of it
        self.assertEqual(process.wait(60), 0)
        self.assertIn('draining', self.said())
        self.assertIn('daemon: stopped', self.said())

    def test_ctrl_break_does_too(self):
        process = self.start(PRESS_BREAK, r'"Z:%s" --config C:\Zoë.ini' % windows_path(FETCHD))
        process.stdin.write(b'\n')
        process.stdin.flush()
        self.assertEqual(process.wait(60), 0)
        self.assertIn('daemon: stopped', self.said())


class Programs(unittest.TestCase):
    def test_each_wants_utf_8_long_paths_and_no_more_rights(self):
        for program in (FETCHD, WORKER, FETCHCTL):
            with self.subTest(program=program.name):
                manifest, = pe.resources(program)[pe.MANIFEST]
                self.assertIn(b'>UTF-8</activeCodePage>', manifest)
                self.assertIn(b'>true</longPathAware>', manifest)
                self.assertIn(b'level="asInvoker"', manifest)

    def test_each_says_what_it_is_and_its_version(self):
        for program in (FETCHD, WORKER, FETCHCTL):
            with self.subTest(program=program.name):
                version, = pe.resources(program)[pe.VERSION]
                self.assertIn(program.name.encode('utf-16-le'), version)


if __name__ == '__main__':
    tap.main()
