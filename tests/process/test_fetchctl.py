"""fetchctl beside a daemon of Python: what its options become, what it writes, how it ends."""
import fcntl
import hashlib
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from support import paths, tap  # noqa: E402
from support.protocol import encode  # noqa: E402
from fake_daemon import FakeDaemon  # noqa: E402

URL = 'https://origin.test/dir/file.bin'
FORM = 'application/x-www-form-urlencoded'


def answer(body=b'hello', **more):
    """A daemon that answers each FETCH so, and notes what was asked."""
    def serve(peer):
        peer.welcome()
        while True:
            frame = peer.receive()
            if frame.type == 'PING':
                peer.send('PONG', 0, frame.body)
            if frame.type != 'FETCH':
                continue
            serve.asked.append(frame.body)
            if frame.body.get('body_streamed'):
                serve.bodies.append(peer.body(frame.id))
            peer.respond(frame.id, body(frame.body) if callable(body) else body, **more)
    serve.asked, serve.bodies = [], []
    return serve


def failing(name, times=10 ** 6, **more):
    def serve(peer):
        peer.welcome()
        while True:
            frame = peer.receive()
            if frame.type == 'FETCH':
                serve.count += 1
                if serve.count <= times:
                    peer.fail(frame.id, name, **more)
                else:
                    peer.respond(frame.id, b'at last')
    serve.count = 0
    return serve


class TestCase(unittest.TestCase):
    def setUp(self):
        self.folder = paths.folder('x')

    def run_with(self, serve, *arguments, input=b'', code=0, env=None, **more):
        with FakeDaemon(serve) as daemon:
            run = subprocess.run([str(paths.FETCHCTL), *map(str, arguments)], input=input, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, timeout=60, cwd=self.folder,
                                 env=dict(os.environ, FETCHD_ADDRESS=daemon.address, **(env or {})), **more)
        self.assertEqual(run.returncode, code, run.stderr)
        return run

    def ask(self, *arguments, serve=None, **more):
        """What one FETCH was."""
        serve = serve or answer()
        self.run_with(serve, *arguments, **more)
        return serve.asked[0]

    def headers(self, *arguments, **more):
        return {bytes(n).decode(): bytes(v).decode() for n, v in self.ask(*arguments, **more)['headers']}


class Options(TestCase):
    """Each option of curl's becomes what the protocol has for it."""

    def test_commands_choose_the_method(self):
        for words, method in ((['get'], 'GET'), (['head'], 'HEAD'), (['post'], 'POST'), (['put'], 'PUT'),
                              (['delete'], 'DELETE'), (['request'], 'GET'), (['request', '-X', 'PURGE'], 'PURGE'),
                              (['request', '-d', 'x'], 'POST'), (['get', '-I'], 'HEAD'), (['get', '-X', 'TRACE'], 'TRACE')):
            with self.subTest(words=words):
                self.assertEqual(self.ask(*words, URL)['method'], method)

    def test_plain_ones(self):
        for words, expected in (
                (['-L'], dict(follow=True)), (['-L', '--max-redirs', '3'], dict(follow=True, max_redirects=3)),
                (['--max-redirs', '0'], dict(max_redirects=0)), (['--max-redirs', '-1'], dict(max_redirects=1000)),
                (['-k'], dict(insecure=True)), (['-x', 'http://u:p@proxy:3128'], dict(proxy='http://u:p@proxy:3128')),
                (['-u', 'user:pass'], dict(credentials=b'user:pass')), (['-m', '1.5'], dict(total_timeout_ms=1500)),
                (['--connect-timeout', '2'], dict(connect_timeout_ms=2000)),
                (['--limit-rate', '10k'], dict(rate_bytes=10240)), (['--limit-rate', '1M'], dict(rate_bytes=1 << 20)),
                (['--compressed'], dict(compressed=True)), (['--fresh'], dict(fresh=True)),
                (['--http1.0'], dict(http_version='1.0')), (['-0'], dict(http_version='1.0')),
                (['--http1.1'], dict(http_version='1.1')), (['--http2'], dict(http_version='2')),
                (['--http2-prior-knowledge'], dict(http_version='2-only')), (['--http3'], dict(http_version='3')),
                (['--http3-only'], dict(http_version='3-only')),
                (['--resolve', 'a:443:127.0.0.1', '--resolve=b:80:::1'], dict(resolve=['a:443:127.0.0.1', 'b:80:::1'])),
                (['--proto-redir', '=https'], dict(redirect_https_only=True)), (['--proto-redir', '-http'],
                                                                                 dict(redirect_https_only=True)),
                (['--max-filesize', '2k'], dict(max_body_bytes=2048)), (['--max-header-size', '1k'],
                                                                        dict(max_header_bytes=1024)),
                (['--expect100-timeout', '2.5'], dict(expect_timeout_ms=2500)),
                (['-kL', '--retry', '3'], dict(insecure=True, follow=True, attempts=4, retry_5xx=True))):
            with self.subTest(words=words):
                self.assertEqual(self.ask('get', *words, URL), dict(url=URL, method='GET', **expected))

    def test_ways_credentials_and_tls(self):
        pin = 'sha256//' + 'A' * 43 + '='
        for name, text in (('ca', b'ca'), ('pca', b'proxy ca')):
            (self.folder / name).write_bytes(text)
        for words, expected in (
                (['--digest', '-u', 'u:p'], dict(credentials=b'u:p', auth='digest')),
                (['--anyauth', '-u', 'u:p'], dict(credentials=b'u:p', auth='any')),
                (['--oauth2-bearer', 'token'], dict(bearer=b'token')),
                (['-x', 'p', '-U', 'u:p', '--proxy-digest'],
                 dict(proxy='p', proxy_credentials=b'u:p', proxy_auth='digest')),
                (['--socks4', 'h:1'], dict(proxy='socks4://h:1')),
                (['--socks4a', 'h:1'], dict(proxy='socks4a://h:1')),
                (['--socks5', 'h'], dict(proxy='socks5://h')),
                (['--socks5-hostname', 'h'], dict(proxy='socks5h://h')),
                (['-x', 'https://p', '--proxy-cacert', 'pca', '--proxy-insecure'],
                 dict(proxy='https://p', proxy_ca_pem=b'proxy ca', proxy_insecure=True)),
                (['--proxy-pool', 'p', '--proxy-key', 'k'], dict(proxy_pool='p', proxy_key='k')),
                (['--connect-to', 'a:1:b:2', '--connect-to', '::c:'], dict(connect_to=['a:1:b:2', '::c:'])),
                (['--extra-cacert', 'ca'], dict(ca_pem=b'ca', ca_extends=True)),
                (['--cacert', 'ca'], dict(ca_pem=b'ca')), (['--pinnedpubkey', pin], dict(pinned_key=pin)),
                (['--tlsv1.2', '--tls-max', '1.3'], dict(tls_min='1.2', tls_max='1.3')),
                (['--tls-timeout', '1.5'], dict(tls_timeout_ms=1500)),
                (['-w', '%{certs}'], dict(want_certs=True))):
            with self.subTest(words=words):
                self.assertEqual(self.ask('get', *words, URL), dict(url=URL, method='GET', **expected))

    def test_headers(self):
        (self.folder / 'h').write_text('X-A: 1\r\n\nX-B:2\n')
        for words, expected in ((['-H', 'A: b', '-HC:d', '-H', 'Empty;'], {'A': 'b', 'C': 'd', 'Empty': ''}),
                                (['-H', '@h'], {'X-A': '1', 'X-B': '2'}), (['-A', 'me/1'], {'User-Agent': 'me/1'}),
                                (['-e', 'https://from/'], {'Referer': 'https://from/'}),
                                (['-b', 'a=1; b=2'], {'Cookie': 'a=1; b=2'}), (['-r', '0-9'], {'Range': 'bytes=0-9'}),
                                (['-A', 'x', '-H', 'user-agent: mine'], {'user-agent': 'mine'})):
            with self.subTest(words=words):
                self.assertEqual(self.headers('get', *words, URL), expected)

    def test_a_header_left_out_is_null(self):
        self.assertEqual(self.ask('get', '-H', 'Accept:', '-H', 'User-Agent: ', '-H', 'X;', URL)['headers'],
                         [[b'Accept', None], [b'User-Agent', None], [b'X', b'']])

    def test_bodies(self):
        (self.folder / 'f').write_bytes(b'one\r\ntwo\n')
        for words, body, kind in ((['-d', 'a=1', '-d', 'b=2'], b'a=1&b=2', FORM), (['-d', '@f'], b'onetwo', FORM),
                                  (['--data-binary', '@f'], b'one\r\ntwo\n', FORM), (['--data-raw', '@f'], b'@f', FORM),
                                  (['--json', '{"a":', '--json', '1}'], b'{"a":1}', 'application/json'),
                                  (['-d', '@-'], b'stdin', FORM), (['-T', 'f'], b'one\r\ntwo\n', None),
                                  (['-d', 'x', '-H', 'content-type: text/x'], b'x', 'text/x')):
            with self.subTest(words=words):
                asked = self.ask('post', *words, URL, input=b'stdin')
                headers = {bytes(n).decode().lower(): bytes(v).decode() for n, v in asked.get('headers', [])}
                self.assertEqual((asked['body'], headers.get('content-type')), (body, kind))
                self.assertEqual(headers.get('accept'), 'application/json' if '--json' in words else None)

    def test_a_large_body_is_streamed_and_a_pipe_without_its_length(self):
        data = os.urandom(3 << 20)
        (self.folder / 'f').write_bytes(data)
        for words, length in ((['put', '-T', 'f'], len(data)), (['put', '-T', '-'], None),
                              (['post', '--data-binary', '@f'], len(data))):
            with self.subTest(words=words):
                serve = answer()
                self.run_with(serve, *words, URL, input=data)
                asked = serve.asked[0]
                self.assertEqual((asked['body_streamed'], asked.get('body_length')), (True, length))
                self.assertEqual(asked.get('rewindable', False), length is not None)
                self.assertTrue(serve.bodies[0] == data)

    def test_upload_to_a_folder_appends_the_name(self):
        (self.folder / 'f').write_text('x')
        self.assertEqual(self.ask('put', '-T', self.folder / 'f', 'https://o.test/d/')['url'], 'https://o.test/d/f')

    def test_a_form(self):
        (self.folder / 'pic.png').write_bytes(b'\x89PNG\r\n')
        (self.folder / 'text').write_text('from a file')
        asked = self.ask('post', '-F', 'name=a value', '-F', 'pic=@pic.png', '-F', 'note=<text',
                         '-F', 'other=@pic.png;type=x/y;filename="q\\"uo;te"', URL)
        kind = dict((bytes(n), bytes(v)) for n, v in asked['headers'])[b'Content-Type'].decode()
        boundary = re.fullmatch(r'multipart/form-data; boundary=(-{24}\w{22})', kind).group(1)
        parts = bytes(asked['body']).split(b'--' + boundary.encode())
        self.assertEqual([parts[0], parts[-1]], [b'', b'--\r\n'])
        self.assertEqual(parts[1:-1], [
            b'\r\nContent-Disposition: form-data; name="name"\r\n\r\na value\r\n',
            b'\r\nContent-Disposition: form-data; name="pic"; filename="pic.png"\r\nContent-Type: image/png\r\n\r\n'
            b'\x89PNG\r\n\r\n',
            b'\r\nContent-Disposition: form-data; name="note"\r\n\r\nfrom a file\r\n',
            b'\r\nContent-Disposition: form-data; name="other"; filename="q%22uo;te"\r\nContent-Type: x/y\r\n\r\n'
            b'\x89PNG\r\n\r\n'])

    def test_a_form_with_a_large_file_is_streamed_with_its_length(self):
        (self.folder / 'big').write_bytes(b'b' * 2000000)
        serve = answer()
        self.run_with(serve, 'post', '-F', 'f=@big', URL)
        self.assertEqual(serve.asked[0]['body_length'], len(serve.bodies[0]))
        self.assertEqual(serve.bodies[0].count(b'b' * 2000000), 1)

    def test_certificates_are_read(self):
        for name in ('ca', 'cert', 'key'):
            (self.folder / name).write_text('PEM ' + name)
        asked = self.ask('get', '--cacert', 'ca', '-E', 'cert', '--key', 'key', URL)
        self.assertEqual([bytes(asked[n]) for n in ('ca_pem', 'cert_pem', 'key_pem')], [b'PEM ca', b'PEM cert', b'PEM key'])
        self.assertEqual(bytes(self.ask('get', '--cert', 'cert', URL)['key_pem']), b'PEM cert')

    def test_what_is_wrong_is_said_and_nothing_is_asked(self):
        for words, code, sentence in (
                (['get', '--frob', URL], 2, 'option --frob is unknown'), (['get', '-Z', URL], 2, 'option -Z is unknown'),
                (['get', '-sZ', URL], 2, 'option -Z is unknown'), (['get', '-o'], 2, 'option -o needs FILE'),
                (['get', '--insecure=yes', URL], 2, 'option --insecure takes no value'),
                (['status', '-k'], 2, 'option -k is not one of this command'),
                (['get', '--hash', URL], 2, 'option --hash is not one of this command'),
                (['session'], 2, 'fetchctl session create'), (['session', 'cookies'], 2, 'session cookies NAME'),
                (['get', '-H', 'nonsense', URL], 2, "a header is written 'Name: value'"), (['get'], 2, 'no URL'),
                (['get', '-d', 'x', URL], 2, 'get sends no body'), (['post', '-d', 'x', '-F', 'a=b', URL], 2, 'exclude each other'),
                (['get', '-m', 'soon', URL], 2, "-m: 'soon' is not a number of seconds"),
                (['get', '--limit-rate', '5x', URL], 2, 'is not a number of bytes'), (['get', '-u', 'me', URL], 2, 'user:password'),
                (['get', '-w', '%{moon}', URL], 2, 'the variable %{moon} is unknown'),
                (['get', '-o', 'a', '-o', 'b', URL], 2, 'more -o and -O than URLs'),
                (['post', '-d', '@none', URL], 26, "can't read none"), (['put', '-T', 'none', URL], 26, "can't read none"),
                (['get', '--cacert', 'none', URL], 77, "can't read none"), (['get', '--cert', 'none', URL], 58, "can't read none"),
                (['frob'], 2, "'frob' is not a command"), (['batch', 'none'], 26, "can't read none"),
                (['batch', '--count', '3', '-'], 2, '--count is not one of this command'),
                (['batch', '--resume', '-'], 2, '--resume needs -o FILE'), (['batch', '-o', 'a', '-o', 'b', '-'], 2, 'given once'),
                (['batch', '--with-body', '--output-dir', 'd', '-'], 2, 'exclude each other'), (['batch'], 2, 'needs one FILE'),
                (['batch', '-o', 'no/such', '-'], 23, "can't write no/such"),
                (['batch', '--output-dir', 'no/such', '-'], 23, "can't write into no/such"),
                (['post', '-F', 'nothing', URL], 2, 'a part is written'), (['post', '-F', 'a=@b,c', URL], 2, 'several files')):
            with self.subTest(words=words):
                serve = answer()
                run = self.run_with(serve, *words, code=code)
                self.assertIn(sentence, run.stderr.decode())
                self.assertEqual(serve.asked, [])

    def test_secrets_are_not_left_in_the_command_line(self):
        seen = []
        def look(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            pid = struct.unpack('3i', peer.socket.getsockopt(1, 17, 12))[0]
            seen.append(Path('/proc/%d/cmdline' % pid).read_bytes())
            peer.respond(id)
            peer.until_gone()
        self.run_with(look, 'get', '-u', 'user:geheim', '-xhttp://u:versteckt@p', URL)
        self.assertNotIn(b'geheim', seen[0])
        self.assertNotIn(b'versteckt', seen[0])
        self.assertIn(b'origin.test', seen[0])


class Output(TestCase):
    def test_the_body_goes_to_stdout_and_nothing_else(self):
        run = self.run_with(answer(b'body\n'), 'get', URL)
        self.assertEqual((run.stdout, run.stderr), (b'body\n', b''))

    def test_files_in_the_order_of_the_urls_and_the_rest_to_stdout(self):
        serve = answer(lambda fetch: fetch['url'][-1].encode())
        run = self.run_with(serve, 'get', '-o', 'one', '-O', 'https://o.test/1', 'https://o.test/x/2?q=/3', 'https://o.test/4')
        self.assertEqual((self.folder / 'one').read_bytes(), b'1')
        self.assertEqual((self.folder / '2').read_bytes(), b'3')
        self.assertEqual(run.stdout, b'4')

    def test_an_empty_body_makes_an_empty_file(self):
        self.run_with(answer(b''), 'get', '-o', 'f', URL)
        self.assertEqual((self.folder / 'f').read_bytes(), b'')

    def test_a_url_without_a_name_has_no_file_name(self):
        run = self.run_with(answer(), 'get', '-O', 'https://origin.test/', code=23)
        self.assertIn(b'no file name', run.stderr)

    def test_folders_are_made_when_asked(self):
        run = self.run_with(answer(), 'get', '-o', 'a/b/c', URL, code=23)
        self.assertIn(b"can't write a/b/c", run.stderr)
        self.run_with(answer(), 'get', '--create-dirs', '-o', 'a/b/c', URL)
        self.assertEqual((self.folder / 'a/b/c').read_bytes(), b'hello')

    def test_a_full_disk_is_an_error(self):
        self.run_with(answer(b'x' * 100000), 'get', '-o', '/dev/full', URL, code=23)
        with open('/dev/full', 'wb') as full:
            with FakeDaemon(answer(b'x')) as daemon:
                run = subprocess.run([str(paths.FETCHCTL), 'get', URL], stdout=full,
                                     env=dict(os.environ, FETCHD_ADDRESS=daemon.address), stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, 23)

    def test_headers_with_i_and_of_every_hop(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.send('HOP', id, dict(status=301, http_version='1.1', url='https://b/', headers=[['Location', 'https://b/']]))
            peer.respond(id, b'body', http_version='2', headers=[['A', '1'], ['a', '2']])
            peer.until_gone()
        run = self.run_with(serve, 'get', '-iL', URL)
        self.assertEqual(run.stdout, b'HTTP/1.1 301\r\nLocation: https://b/\r\n\r\nHTTP/2 200\r\nA: 1\r\na: 2\r\n\r\nbody')

    def test_head_prints_headers(self):
        run = self.run_with(answer(b'', headers=[['A', '1']]), 'head', URL)
        self.assertEqual(run.stdout, b'HTTP/1.1 200\r\nA: 1\r\n\r\n')

    def test_fail_writes_no_body(self):
        run = self.run_with(answer(b'not here', status=404), 'get', '-f', '-o', 'f', URL, code=22)
        self.assertIn(b'(22) the URL answered 404', run.stderr)
        self.assertFalse((self.folder / 'f').exists())
        self.assertEqual(self.run_with(answer(b'not here', status=404), 'get', URL).stdout, b'not here')

    def test_a_partial_body_stays_and_the_exit_code_tells(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.send('RESPONSE', id, dict(status=200))
            peer.data(id, b'half')
            peer.fail(id, 'body.truncated')
            peer.until_gone()
        run = self.run_with(serve, 'get', '-o', 'f', URL, code=18)
        self.assertIn(b'(18) body.truncated: it was body.truncated', run.stderr)
        self.assertEqual((self.folder / 'f').read_bytes(), b'half')

    def test_silence(self):
        serve = failing('dns.failed')
        self.assertEqual(self.run_with(serve, 'get', '-s', URL, code=6).stderr, b'')
        self.assertIn(b'dns.failed', self.run_with(serve, 'get', '-sS', URL, code=6).stderr)

    def test_the_last_failure_of_several_is_the_exit_code(self):
        def serve(peer):
            peer.welcome()
            for name in ('dns.failed', None, 'connect.refused', None):
                id = peer.expect('FETCH').id
                peer.fail(id, name) if name else peer.respond(id, b'ok')
            peer.until_gone()
        self.assertEqual(self.run_with(serve, 'get', URL, URL, URL, URL, code=7).stdout, b'okok')

    def test_write_out(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.send('HOP', id, dict(status=302, url='https://b/'))
            peer.respond(id, b'12345', headers=[['Content-Type', 'text/x']], url='https://b/z', http_version='2',
                         done=dict(total_us=1500000, dns_us=250, remote='[::1]:8443', redirects=1))
            peer.until_gone()
        run = self.run_with(serve, 'get', '-o', 'f', '-w',
                            r'%{http_code} %{size_download} %{time_total} %{time_namelookup} %{content_type} %{url_effective} '
                            r'%{num_redirects} %{remote_ip} %{remote_port} %{http_version} %{filename_effective} %{exitcode} '
                            r'%{method} %{scheme} %{speed_download} %{fetchd_worker} 100%%\t%{stderr}E\n%{stdout}\n', URL)
        self.assertEqual(run.stdout, b'200 5 1.500000 0.000250 text/x https://b/z 1 ::1 8443 2 f 0 GET https 3 3 100%\t\n')
        self.assertEqual(run.stderr, b'E\n')

    def test_write_out_after_a_failure(self):
        run = self.run_with(failing('dns.failed'), 'get', '-s', '-w', '%{http_code} %{exitcode} %{errormsg}', URL, code=6)
        self.assertEqual(run.stdout, b'000 6 dns.failed: it was dns.failed')

    def test_verbose_shows_the_stages_and_no_credentials(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.send('HOP', id, dict(status=302, url='https://u:verborgen@b/', http_version='1.1'))
            peer.respond(id, b'x', headers=[['Set-Cookie', 'sid=verborgen'], ['Plain', 'seen\x1b[31m\u009b31m\u00e4']], http_version='2')
            peer.until_gone()
        run = self.run_with(serve, 'get', '-vL', '-u', 'me:verborgen', '-H', 'Authorization: Bearer verborgen', '-b', 'c=verborgen',
                            '-x', 'http://p:verborgen@proxy', '-H', 'X-Plain: here', 'https://me:verborgen@origin.test/a')
        text = run.stderr.decode()
        self.assertNotIn('verborgen', text)
        for line in ('> GET https://origin.test/a', '> X-Plain: here', '> Cookie: [not shown]', '< HTTP/1.1 302',
                     '* redirected to https://b/', '< HTTP/2 200', '< Set-Cookie: [not shown]', '< Plain: seen?[31m?31m\u00e4'):
            self.assertIn(line + '\n', text)
        self.assertRegex(text, r'\* fake/1 at unix:.*, protocol 1\n')
        self.assertRegex(text, r'\* done: 1 bytes.*, worker 3, attempt 1\n')

    def test_every_error_name_has_its_exit_code(self):
        for name, code in (('dns.failed', 6), ('connect.refused', 7), ('tls.certificate', 60), ('timeout.total', 28),
                           ('overloaded', 111), ('quota.exceeded', 111), ('policy.denied', 112), ('worker.lost', 113),
                           ('request.invalid', 3), ('body.too_large', 63)):
            with self.subTest(name=name):
                run = self.run_with(failing(name), 'get', URL, code=code)
                self.assertIn('(%d) %s: ' % (code, name), run.stderr.decode())

    def test_no_daemon_is_said_with_how_to_start_one(self):
        run = subprocess.run([str(paths.FETCHCTL), 'get', URL], stderr=subprocess.PIPE,
                             env=dict(os.environ, FETCHD_ADDRESS='unix:%s/none' % self.folder))
        self.assertEqual(run.returncode, 110)
        self.assertIn(b'systemctl start fetchd', run.stderr)


class Resume(TestCase):
    def resume(self, there, status, headers=(), body=b'', code=0, at='-'):
        if there is not None:
            (self.folder / 'f').write_bytes(there)
        serve = answer(body, status=status, headers=headers)
        self.run_with(serve, 'get', '-C', at, '-o', 'f', URL, code=code)
        asked = {bytes(n): bytes(v) for n, v in serve.asked[0].get('headers', [])}
        return asked.get(b'Range'), (self.folder / 'f').read_bytes()

    def test_goes_on_behind_what_is_there(self):
        self.assertEqual(self.resume(b'abc', 206, [['Content-Range', 'bytes 3-5/6']], b'def'), (b'bytes=3-', b'abcdef'))

    def test_nothing_there_is_a_plain_download(self):
        self.assertEqual(self.resume(None, 200, [], b'abc'), (None, b'abc'))

    def test_a_complete_file_stays_as_it_is(self):
        self.assertEqual(self.resume(b'abc', 416, [], b'sorry'), (b'bytes=3-', b'abc'))

    def test_a_server_that_begins_again_spoils_nothing(self):
        self.assertEqual(self.resume(b'abc', 200, [], b'abcdef', code=33), (b'bytes=3-', b'abc'))

    def test_a_server_with_another_range_spoils_nothing(self):
        self.assertEqual(self.resume(b'abc', 206, [['Content-Range', 'bytes 0-5/6']], b'abcdef', code=33),
                         (b'bytes=3-', b'abc'))

    def test_an_offset_of_one_s_own(self):
        self.assertEqual(self.resume(b'abc', 206, [['Content-Range', 'bytes 2-5/6']], b'X', at='2'), (b'bytes=2-', b'abcX'))


class Retry(TestCase):
    def test_what_never_reached_a_worker_is_asked_again(self):
        serve = failing('overloaded', 1, retryable=True)
        run = self.run_with(serve, 'get', '--retry', '2', URL)
        self.assertEqual((run.stdout, serve.count), (b'at last', 2))
        self.assertIn(b'asking again in 1 s', run.stderr)

    def test_nothing_else_is(self):
        for more in (dict(), dict(retryable=True, attempts=3)):
            with self.subTest(error=more):
                serve = failing('connect.refused', **more)
                self.run_with(serve, 'get', '--retry', '2', URL, code=7)
                self.assertEqual(serve.count, 1)

    def test_not_after_bytes_were_delivered(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.send('RESPONSE', id, dict(status=200))
            peer.data(id, b'half')
            peer.fail(id, 'worker.lost', retryable=True)
            assert peer.until_gone() == [] or True
        run = self.run_with(serve, 'get', '--retry', '5', URL, code=113)
        self.assertEqual(run.stdout, b'half')


class Terminal(TestCase):
    def on_terminal(self, serve, *arguments):
        """Runs with stdout and stderr on a terminal of 80 columns. (code, what it showed)"""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('4H', 24, 80, 0, 0))
        with FakeDaemon(serve) as daemon:
            process = subprocess.Popen([str(paths.FETCHCTL), *arguments], stdin=slave, stdout=slave, stderr=slave,
                                       cwd=self.folder, env=dict(os.environ, FETCHD_ADDRESS=daemon.address))
            os.close(slave)
            shown = b''
            try:
                while True:
                    piece = os.read(master, 65536)
                    if not piece:
                        break
                    shown += piece
            except OSError:
                pass
            os.close(master)
            return process.wait(20), shown.decode(errors='replace')

    def test_a_bar_for_a_body_that_goes_to_a_file(self):
        body = b'x' * 3000000
        code, shown = self.on_terminal(answer(body, headers=[['Content-Length', str(len(body))]]), 'get', '-o', 'f', URL)
        self.assertEqual(code, 0)
        self.assertIn('100% [', shown)
        self.assertIn('2.9 MiB', shown)
        self.assertLessEqual(max(len(line) for line in re.split(r'[\r\n]', shown.replace('\x1b[K', ''))), 80)

    def test_no_bar_when_silent_or_for_the_terminal_itself(self):
        for words in (['-s', '-o', 'f'], []):
            with self.subTest(words=words):
                code, shown = self.on_terminal(answer(b'text'), 'get', *words, URL)
                self.assertEqual((code, shown), (0, '' if words else 'text'))

    def test_binary_does_not_reach_a_terminal_unasked(self):
        code, shown = self.on_terminal(answer(b'a\0b'), 'get', URL)
        self.assertEqual(code, 23)
        self.assertIn('use -o FILE', shown)
        self.assertEqual(self.on_terminal(answer(b'a\0b'), 'get', '-o', '-', URL), (0, 'a\0b'))


def serve_pings(serve):
    """The same script, with PINGs answered before it."""
    def with_pings(peer):
        receive = peer.receive
        def answering():
            while True:
                frame = receive()
                if frame.type != 'PING':
                    return frame
                peer.send('PONG', 0, frame.body)
        peer.receive = answering
        serve(peer)
    return with_pings


class Bench(TestCase):
    KEYS = ['ok', 'errors', 'error_kinds', 'wall_s', 'req_per_s', 'p50_ms', 'p99_ms', 'bytes']

    def bench(self, serve, *arguments, code=0):
        run = self.run_with(serve_pings(serve), 'bench', URL, '--json', *arguments, code=code)
        self.assertEqual(run.stdout.count(b'\n'), 1)
        result = json.loads(run.stdout)
        self.assertEqual(list(result), self.KEYS)
        return result

    def test_counts_and_percentiles(self):
        serve = answer(b'x' * 1000)
        result = self.bench(serve, '--requests', '500', '--concurrency', '16', '--expect-bytes', '1000', '--http2', '--fresh')
        self.assertEqual((result['ok'], result['errors'], result['error_kinds'], result['bytes']), (500, 0, {}, 500000))
        self.assertEqual(len(serve.asked), 500)
        self.assertEqual(serve.asked[0], dict(url=URL, method='GET', http_version='2', fresh=True))
        self.assertGreater(result['req_per_s'], 0)
        self.assertLessEqual(result['p50_ms'], result['p99_ms'])

    def test_several_connections(self):
        connections = set()
        def serve(peer):
            connections.add(peer.number)
            answer(b'x')(peer)
        result = self.bench(serve, '--requests', '100', '--concurrency', '10', '--connections', '4')
        self.assertEqual((result['ok'], connections), (100, {1, 2, 3, 4}))

    def test_errors_by_kind(self):
        def serve(peer):
            peer.welcome()
            count = 0
            while True:
                frame = peer.receive()
                if frame.type != 'FETCH':
                    continue
                count += 1
                if count % 4 == 0:
                    peer.fail(frame.id, 'dns.failed')
                elif count % 4 == 1:
                    peer.respond(frame.id, b'123')
                elif count % 4 == 2:
                    peer.respond(frame.id, b'12', status=503)
                else:
                    peer.respond(frame.id, b'12')
        result = self.bench(serve, '--requests', '40', '--concurrency', '1', '--expect-bytes', '2', code=6)
        self.assertEqual((result['ok'], result['errors']), (10, 30))
        self.assertEqual(result['error_kinds'], {'bytes.unexpected': 10, 'status.503': 10, 'dns.failed': 10})

    def test_a_daemon_that_dies_ends_it(self):
        def serve(peer):
            if peer.number > 1:
                return
            peer.welcome()
            for _ in range(20):
                peer.respond(peer.expect('FETCH').id, b'')
        result = self.bench(serve, '--requests', '100', '--concurrency', '10', code=110)
        self.assertEqual((result['ok'], result['errors'], list(result['error_kinds'])), (20, 80, ['daemon.lost']))

    def test_limits(self):
        for words, sentence in ((['--requests', '0'], '--requests must be'), (['--concurrency', '0'], '--concurrency must be'),
                                (['--connections', '9', '--concurrency', '8'], '--connections must be')):
            with self.subTest(words=words):
                run = self.run_with(answer(), 'bench', URL, *words, code=2)
                self.assertIn(sentence, run.stderr.decode())


class Status(TestCase):
    def serve(self, peer):
        peer.welcome()
        id = peer.expect('STATUS').id
        peer.send('STATUS_REPLY', id, dict(server='fetchd/1', instance='a\x1b\u009bb', pid=7, uptime_ms=90000, rss_bytes=5 << 20, workers=[
            dict(worker=1, state='ready', pid=8, served=12), dict(worker=2, state='spawning')]))
        peer.until_gone()

    def test_for_people(self):
        text = self.run_with(self.serve, 'status').stdout.decode()
        for pattern in (r'^server +fetchd/1$', r'^instance +a\?\?b$', r'^uptime +1\.5 min$', r'^rss +5\.0 MiB$', r'^ *worker +state .*pid',
                        r'^ *1 +ready +8 ', r'^ *2 +spawning +0 '):
            self.assertRegex(text, re.compile(pattern, re.M))

    def test_for_programs(self):
        status = json.loads(self.run_with(self.serve, 'status', '--json').stdout)
        self.assertEqual((status['pid'], [w['state'] for w in status['workers']]), (7, ['ready', 'spawning']))

    def test_metrics_reload_and_drain(self):
        def serve(peer):
            peer.welcome()
            frame = peer.receive()
            if frame.type == 'METRICS':
                peer.send_raw(encode(35, frame.id, dict(text=b'fetchd_up 1\n')))
            else:
                peer.send_raw(encode(38, frame.id, {} if frame.type == 'RELOAD' else dict(error=dict(name='access.denied'))))
            peer.until_gone()
        self.assertEqual(self.run_with(serve, 'metrics').stdout, b'fetchd_up 1\n')
        self.run_with(serve, 'reload')
        self.run_with(serve, 'drain', code=112)


class Help(TestCase):
    def test_each_command_lists_its_options(self):
        run = subprocess.run([str(paths.FETCHCTL), 'help', 'batch'], stdout=subprocess.PIPE)
        self.assertEqual(run.returncode, 0)
        self.assertIn(b'--concurrency N', run.stdout)
        self.assertNotIn(b'--remote-name', run.stdout)

    def test_a_command_can_be_asked_for_its_help(self):
        for words in (['get', '--help'], ['get', '-h']):
            run = subprocess.run([str(paths.FETCHCTL), *words], stdout=subprocess.PIPE)
            self.assertEqual((run.returncode, run.stdout.startswith(b'fetchctl get URL...: fetch\n')), (0, True))

    def test_version(self):
        run = subprocess.run([str(paths.FETCHCTL), 'version'], stdout=subprocess.PIPE)
        self.assertRegex(run.stdout.decode(), r'^fetchctl [\d.]+, libfetchd [\d.]+\n$')


class Sessions(TestCase):
    """What a daemon answers about sessions, right and wrong."""

    COOKIE = dict(name=b'a', value=b'1', domain='shop.test', path=b'/')

    def replying(self, *replies):
        """Each SESSION_... is answered by the next (type, body)."""
        def serve(peer):
            peer.welcome()
            left = list(replies)
            while left:
                frame = peer.receive()
                if not str(frame.type).startswith('SESSION_'):
                    continue
                serve.asked.append((frame.type, frame.body))
                peer.send(left[0][0], frame.id, left.pop(0)[1])
            peer.receive()
        serve.asked = []
        return serve

    def test_what_a_verb_says(self):
        for words, kind, body in (
                (['create'], 'SESSION_CREATE', {}), (['create', 'n'], 'SESSION_CREATE', dict(name='n')),
                (['create', '--persistent', 'n'], 'SESSION_CREATE', dict(name='n', persistent=True)),
                (['destroy', 'n'], 'SESSION_DESTROY', dict(name='n')), (['import', 'n'], 'SESSION_WRITE', dict(name='n'))):
            serve = self.replying(('SESSION_REPLY', dict(name='n')))
            self.run_with(serve, 'session', *words)
            self.assertEqual(serve.asked, [(kind, body)])

    def test_pages_are_read_to_their_end_and_no_further(self):
        page = ('SESSION_STATE', dict(cookies=[self.COOKIE], next=7))
        serve = self.replying(page, ('SESSION_STATE', dict(cookies=[self.COOKIE])))
        out = self.run_with(serve, 'session', 'export', 'n').stdout
        self.assertEqual(out.count(b'\ta\t1\n'), 2)
        self.assertEqual([body.get('from') for _, body in serve.asked], [None, 7])
        self.assertIn(b'do not end', self.run_with(self.replying(page, page), 'session', 'export', 'n', code=2).stderr)

    def test_another_answer_is_no_answer(self):
        for words, reply in ((['list'], ('SESSION_STATE', {})), (['cookies', 'n'], ('SESSION_REPLY', {})),
                             (['create'], ('SESSION_LIST_REPLY', {}))):
            run = self.run_with(self.replying(reply), 'session', *words, code=2)
            self.assertIn(b'another answer was expected', run.stderr)

    def test_foreign_bytes_do_nothing_to_a_terminal(self):
        cookie = dict(self.COOKIE, value=b'\x1b[2J\xff')
        out = self.run_with(self.replying(('SESSION_STATE', dict(cookies=[cookie]))), 'session', 'cookies', 'n').stdout
        self.assertNotIn(b'\x1b', out)

    def test_the_session_of_b_and_c_is_bound_to_the_run(self):
        replies = (('SESSION_REPLY', dict(name='s-1')), ('SESSION_REPLY', dict(name='s-1', taken=1)))
        (self.folder / 'jar').write_bytes(b'shop.test\tFALSE\t/\tFALSE\t0\ta\t1\n')

        def serve(peer):
            peer.welcome()
            for kind, body in replies:
                frame = peer.receive()
                serve.asked.append(frame.body)
                peer.send(kind, frame.id, body)
            frame = peer.expect('FETCH')
            serve.asked.append(frame.body)
            peer.respond(frame.id, b'')
            frame = peer.expect('SESSION_READ')
            peer.send('SESSION_STATE', frame.id, dict(cookies=[self.COOKIE]))
        serve.asked = []
        self.run_with(serve, 'get', '-b', 'jar', '-c', 'new', URL)
        self.assertEqual(serve.asked[0], dict(bound=True))
        self.assertEqual(serve.asked[1]['cookies'][0]['domain'], 'shop.test')
        self.assertEqual(serve.asked[2]['session'], 's-1')
        self.assertEqual((self.folder / 'new').read_text().splitlines()[1:], ['.shop.test\tTRUE\t/\tFALSE\t0\ta\t1'])


if __name__ == '__main__':
    tap.main()
