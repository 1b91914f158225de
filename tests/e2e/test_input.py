"""Bad input gets a clear error and exit code."""
import os
import subprocess
import tempfile

from world import World, paths, tap


class Fetchctl(World):
    def fails(self, code, *needles, args, env=None, **options):
        if env is None:
            run = self.ctl(*args, **options)
        else:
            run = subprocess.run([str(paths.FETCHCTL), *args], env=env, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60)
        err = run.stderr.decode(errors='replace')
        self.assertEqual(run.returncode, code, (args, err))
        for needle in needles:
            self.assertIn(needle, err)
        self.assertEqual(len(err.strip().splitlines()), 1, 'not one clear line: %r' % err)
        self.assertEqual(run.stdout, b'')
        return err

    def test_an_unknown_scheme(self):
        for url in ('gopher://localhost/', 'file:///etc/passwd', 'dict://localhost:1/', 'javascript:alert(1)',
                    'ldap://localhost/', 'smb://localhost/', 'data:,x'):
            with self.subTest(url=url):
                self.fails(3, 'request.invalid', 'scheme', args=['get', url])

    def test_a_malformed_url(self):
        for url in ('https://', 'https:///path', 'https://a b/', 'https://localhost:99999/', 'https://localhost:0/',
                    'https://[::1/', 'https://user@host@localhost/', 'https://localhost\\@evil/', 'nonsense', '',
                    'https://loc\u00e4lhost/', 'https://localhost/\r\nX-Evil: 1', 'https://localhost:port/'):
            with self.subTest(url=url):
                self.fails(3, 'request.invalid', args=['get', url])

    def test_a_header_with_a_line_end(self):
        for line in ('X-A: b\r\nX-Evil: 1', 'X-A: b\nX-Evil: 1', 'X-A: b\rc', 'X A: b', 'X-\u00e4: b', ': b',
                     'X-A\r\n: b'):
            with self.subTest(line=line):
                self.fails(2 if line.startswith(':') else 3, args=['get', '-H', line, self.url('/headers')])

    def test_headers_that_frame_the_request(self):
        for line in ('Content-Length: 5', 'Transfer-Encoding: chunked', 'Connection: close', 'Host: other',
                     'Upgrade: h2c'):
            with self.subTest(line=line):
                run = self.ctl('get', '-s', '-S', '-H', line, self.url('/headers', 'h1'))
                if run.returncode == 0:             # taken, then by the origin as exactly one request
                    self.assertIn(b'"GET"', run.stdout)
                else:
                    self.assertEqual(run.returncode, 3, run.stderr)

    def test_a_method_that_is_none(self):
        for method in ('GE T', 'GET\r\nX: 1', 'G(T'):
            with self.subTest(method=method):
                run = self.ctl('request', '-X', method, self.url('/headers'))
                self.assertIn(run.returncode, (2, 3), run.stderr)
                self.assertNotIn(b'"method"', run.stdout)

    def test_a_denied_address_names_the_setting(self):
        for url in ('https://127.0.0.1:1/', 'https://localhost:1/', 'http://169.254.169.254/latest/', 'https://[::1]:1/',
                    'http://0.0.0.0:1/', 'http://2130706433:1/'):
            with self.subTest(url=url):
                self.fails(112, 'policy.denied', '[egress]', 'allow', args=['get', url])

    def test_an_unknown_option(self):
        self.fails(2, '--no-such-option', args=['get', '--no-such-option', self.url('/1k')])

    def test_an_option_of_curl_that_is_not_there(self):
        for option in (['--doh-url', 'https://localhost/'], ['-P', '-']):
            with self.subTest(option=option):
                run = self.ctl('get', *option, self.url('/1k'))
                self.assertNotEqual(run.returncode, 0)
                self.assertIn(b'not supported', run.stderr)
                self.assertEqual(run.stdout, b'')

    def test_no_url_and_no_command(self):
        self.assertEqual(self.ctl('get').returncode, 2)
        self.assertEqual(self.ctl().returncode, 2)
        self.fails(2, 'frobnicate', args=['frobnicate'])

    def test_numbers_that_are_none(self):
        for option, value in (('-m', 'soon'), ('--connect-timeout', '-1'), ('--limit-rate', '1x'), ('--max-redirs', 'x')):
            with self.subTest(option=option):
                self.assertEqual(self.ctl('get', option, value, self.url('/1k')).returncode, 2)

    def test_files_that_cannot_be_read_or_written(self):
        missing = '/nonexistent/file'
        self.fails(26, missing, args=['post', '-d', '@' + missing, self.url('/upload')])
        self.fails(26, missing, args=['put', '-T', missing, self.url('/upload')])
        self.assertEqual(self.ctl('get', '--cacert', missing, self.url('/1k')).returncode, 77)
        run = self.ctl('get', '-o', missing, self.url('/1k'))
        self.assertEqual(run.returncode, 23, run.stderr)

    def environment(self, address):
        env = {k: v for k, v in os.environ.items() if not k.startswith(('FETCHD', 'XDG'))}
        return dict(env, FETCHD_ADDRESS=address)

    def test_a_daemon_that_is_not_running_tells_how_to_start_it(self):
        with tempfile.TemporaryDirectory() as folder:
            err = self.fails(110, 'fetchd', args=['get', 'https://localhost/'],
                             env=self.environment('unix:%s/none.sock' % folder))
            self.assertRegex(err, r'start')
            self.assertIn(folder, err)

    def test_without_an_address_the_places_tried_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            env = self.environment('')
            del env['FETCHD_ADDRESS']
            err = self.fails(110, folder, args=['get', 'https://localhost/'], env=dict(env, XDG_RUNTIME_DIR=folder))
            self.assertRegex(err, 'start')

    def test_a_socket_path_that_is_too_long(self):
        self.fails(3, 'long', args=['get', 'https://localhost/'], env=self.environment('unix:/tmp/' + 'x' * 200))

    def test_an_address_of_another_kind(self):
        for address in ('tcp:localhost:80', 'http://localhost/', 'relative', 'unix:', 'unix:relative.sock'):
            with self.subTest(address=address):
                run = subprocess.run([str(paths.FETCHCTL), 'get', 'https://localhost/'], timeout=60,
                                     env=self.environment(address), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertEqual(run.returncode, 3, run.stderr)
                self.assertIn(b'unix:', run.stderr)

    def test_a_socket_that_is_no_socket(self):
        with tempfile.NamedTemporaryFile() as plain:
            self.fails(3, 'not a socket', args=['get', 'https://localhost/'], env=self.environment('unix:' + plain.name))

    def test_exit_codes_are_curls(self):
        table = ((6, 'dns.failed', 'https://no-such-host.invalid/'), (60, 'tls.certificate', self.url('/1k', 'expired')),
                 (60, 'tls.certificate', self.url('/1k', 'wrong_name')), (112, 'policy.denied', 'https://127.0.0.1:1/'))
        for code, name, url in table:
            with self.subTest(url=url):
                self.fails(code, name, args=['get', url])
        self.assertEqual(self.ctl('get', '-f', self.url('/status/404')).returncode, 22)
        self.assertEqual(self.ctl('get', self.url('/status/404')).returncode, 0)
        self.assertEqual(self.ctl('get', '-m', '0.3', self.url('/hold/exit')).returncode, 28)
        self.assertEqual(self.ctl('get', '-L', self.url('/loop')).returncode, 47)

    def test_secrets_stay_out_of_errors_and_logs(self):
        url = self.url('/headers?token=SECRET1').replace('https://', 'https://user:SECRET2@')
        self.ctl('get', '-v', '-H', 'Authorization: Bearer SECRET3', '-b', 'id=SECRET4', '-d', 'SECRET5', url)
        self.ctl('get', '-u', 'user:SECRET6', self.url('/status/500?SECRET7'))
        self.ctl('get', 'https://user:SECRET8@localhost:1/?SECRET9')
        for number in range(1, 10):
            self.assertNotIn('SECRET%d' % number, self.fetchd.log())


class Settings(World):
    own_daemon = True

    def run_fetchd(self, text, *args):
        config = paths.folder('c') / 'fetchd.ini'
        config.write_text(text)
        run = subprocess.run([str(paths.FETCHD), '--config', str(config), *args], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=30, text=True)
        return config, run

    def refused(self, text, line, *needles):
        config, run = self.run_fetchd(text, '--check')
        self.assertNotEqual(run.returncode, 0)
        self.assertIn('%s:%d:' % (config, line), run.stderr)
        for needle in needles:
            self.assertIn(needle, run.stderr)

    def test_an_unknown_key_names_file_and_line(self):
        self.refused('[daemon]\n; a comment\nmodde = 0600\n', 3, 'modde')

    def test_an_unknown_section_names_file_and_line(self):
        self.refused('[daemon]\nmode = 0600\n\n[demon]\nmode = 0600\n', 4, 'demon')

    def test_a_bad_value_names_file_line_and_key(self):
        for text in ('count = many', 'count = -1', 'count = 1000000', 'hang_timeout = 5 parsecs', 'hang_timeout = 10'):
            with self.subTest(text=text):
                self.refused('[workers]\n%s\n' % text, 2, text.split(' ')[0])

    def test_a_line_that_is_none(self):
        self.refused('[daemon]\nnot a setting\n', 2)

    def test_a_key_before_any_section(self):
        self.refused('mode = 0600\n', 1)

    def test_a_bad_configuration_keeps_the_daemon_from_starting(self):
        config, run = self.run_fetchd('[daemon]\nmodde = 1\n')
        self.assertNotEqual(run.returncode, 0)
        self.assertIn('%s:2:' % config, run.stderr)

    def test_a_good_one_passes(self):
        _, run = self.run_fetchd('[daemon]\nmode = 0600\n', '--check')
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_what_is_printed_can_be_read_back_and_is_the_same(self):
        _, first = self.run_fetchd('[workers]\ncount = 7\n[egress]\nallow = 10.0.0.0/8, .example.com:443\n',
                                   '--print-config')
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertIn('count = 7', first.stdout)
        _, second = self.run_fetchd(first.stdout, '--print-config')
        self.assertEqual((second.returncode, second.stdout), (0, first.stdout))

    def test_the_shipped_file_is_what_is_printed_by_default(self):
        _, run = self.run_fetchd('', '--print-config')
        self.assertEqual(run.stdout, (paths.TOP / 'conf/fetchd.ini').read_text())

    def test_a_file_that_is_not_there(self):
        run = subprocess.run([str(paths.FETCHD), '--config', '/nonexistent/fetchd.ini', '--check'],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn(b'/nonexistent/fetchd.ini', run.stderr)

    def test_unknown_arguments(self):
        for args in (['--frobnicate'], ['extra'], ['--workers', 'x'], ['--listen', '']):
            with self.subTest(args=args):
                run = subprocess.run([str(paths.FETCHD), *args, '--check'], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, timeout=30)
                self.assertEqual(run.returncode == 0, args == ['--listen', ''], run.stderr)

    def test_version_and_help(self):
        for args in (['--version'], ['--help']):
            run = subprocess.run([str(paths.FETCHD), *args], stdout=subprocess.PIPE, timeout=30)
            self.assertEqual(run.returncode, 0)
            self.assertIn(b'fetchd', run.stdout)


class Listening(World):
    own_daemon = True

    def refused(self, address, *needles):
        run = subprocess.run([str(paths.FETCHD), '--listen', address], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             stdin=subprocess.DEVNULL, timeout=30, text=True)
        self.assertEqual(run.returncode, 1, run.stderr)
        for needle in needles:
            self.assertIn(needle, run.stderr)

    def test_a_path_that_is_too_long(self):
        self.refused('unix:/tmp/' + 'x' * 200, 'long')

    def test_an_address_of_another_kind(self):
        for address in ('tcp:127.0.0.1:80', '127.0.0.1:80', 'unix:', 'unix:relative/path'):
            with self.subTest(address=address):
                self.refused(address, 'unix:')

    def test_a_folder_others_can_write(self):
        folder = paths.folder('l')
        folder.chmod(0o777)
        self.refused('unix:%s/s' % folder, str(folder), 'writable')

    def test_a_folder_that_is_a_link(self):
        folder = paths.folder('l')
        (folder / 'real').mkdir(mode=0o700)
        (folder / 'link').symlink_to(folder / 'real')
        self.refused('unix:%s/link/s' % folder, 'link')

    def test_a_path_that_is_no_socket(self):
        folder = paths.folder('l')
        plain = folder / 'file'
        plain.write_text('precious')
        self.refused('unix:%s' % plain, 'not a socket')
        self.assertEqual(plain.read_text(), 'precious')

    def test_a_folder_of_another_user(self):
        if os.geteuid() != 0:
            self.skipTest('needs root to give a folder away')
        folder = paths.folder('l')
        os.chown(folder, 65534, 65534)
        self.refused('unix:%s/s' % folder, 'another user')


if __name__ == '__main__':
    tap.main()
