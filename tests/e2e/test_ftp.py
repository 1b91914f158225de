"""FTP and FTPS: against pyftpdlib, in one process and in many, against vsftpd, and against servers that
misbehave. Each test of `Good` runs with every real server."""
import os
import signal
import ssl
import time

from world import KIB, MIB, World, bodies, origins, paths, proc, tap
from support import ftp
from support.nginx import has_ipv6
from support.ftp_script import CONTENT, Script
from support.tunnels import Tunnel


class Ftp(World):
    """A daemon that may reach the passive ports, and servers made for one test."""
    own_daemon = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ports = ftp.passive_ports()

    def serve(self, server):
        server.start()
        self.addCleanup(server.stop)
        return server

    def script(self, **script):
        return self.serve(Script(self.ports, **script))

    def daemon(self, *servers, allow=(), **options):
        fetchd = self.make(allow=[*self.ports, *(server.port for server in servers), *allow], **options)
        fetchd.start()
        self.addCleanup(fetchd.stop)
        return fetchd

    def fetch(self, url, server, **options):
        """One fetch, by a daemon of its own."""
        fetchd = self.daemon(server, workers=1)
        with fetchd.connect() as c:
            return c.get(url, **options)


class Good:
    """What each real server must do. `make_server` comes from the class beside it."""
    user = ''

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.make_server(paths.folder('f'))
        cls.server.start()
        cls.data = bodies.content(300 * KIB + 7, 'ftp')
        (cls.server.root / 'sub').mkdir()
        for name, data in (('file', cls.data), ('sub/small', b'0123456789'), ('empty', b''), ('a b#c%d', b'odd')):
            (cls.server.root / name).write_bytes(data)
        os.utime(cls.server.root / 'file', (1709210096, 1709210096))
        cls.fetchd = cls.make(allow=[*cls.ports, cls.server.port]).start()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.server.stop()

    options = {}

    def url(self, path='/file'):
        return self.server.url(path, user=self.user)

    def get(self, path, **options):
        with self.fetchd.connect() as c:
            return c.get(self.url(path), **self.options, **options)

    def there(self, name):
        return (self.server.root / name).read_bytes()

    def test_a_file_comes_whole_with_its_length_and_date(self):
        answer = self.get('/file')
        self.assertIsNone(answer.error, answer.done)
        self.assertEqual(answer.body, self.data)
        self.assertIn(answer.status, (125, 150))
        self.assertEqual(answer.done['status'], 226)
        self.assertEqual(answer.header('content-length'), str(len(self.data)))
        self.assertEqual(answer.header('last-modified'), 'Thu, 29 Feb 2024 12:34:56 GMT')

    def test_an_empty_file(self):
        answer = self.get('/empty')
        self.assertIsNone(answer.error, answer.done)
        self.assertEqual((answer.body, answer.done['status']), (b'', 226))

    def test_odd_names(self):
        self.assertEqual(self.get('/a%20b%23c%25d').body, b'odd')
        self.assertEqual(self.get('/sub/../sub/./small').body, b'0123456789')

    def test_a_folder_is_listed_with_all_or_with_names_only(self):
        answer = self.get('/sub/')
        self.assertIsNone(answer.error, answer.done)
        self.assertRegex(answer.body, rb'^-rw.* small\n$')
        answer = self.get('/sub/', list_names=True)
        self.assertIsNone(answer.error, answer.done)
        self.assertEqual(answer.body, b'small\n')

    def test_a_part(self):
        for range, part in (('100-', self.data[100:]), ('0-9', self.data[:10]), ('100-299', self.data[100:300]),
                            ('-77', self.data[-77:])):
            with self.subTest(range=range):
                answer = self.get('/file', headers=[['Range', 'bytes=' + range]])
                self.assertIsNone(answer.error, answer.done)
                self.assertEqual(answer.body, part)
                self.assertEqual(answer.header('content-length'), str(len(part)))
        self.bad(self.get('/empty', headers=[['Range', 'bytes=10-']]), 'ftp.resume')

    def test_head_tells_size_and_date_without_a_transfer(self):
        answer = self.get('/file', method='HEAD')
        self.assertIsNone(answer.error, answer.done)
        self.assertEqual(answer.body, b'')
        self.assertEqual(answer.header('content-length'), str(len(self.data)))
        self.assertEqual(answer.header('last-modified'), 'Thu, 29 Feb 2024 12:34:56 GMT')
        self.assertEqual(answer.header('accept-ranges'), 'bytes')

    def test_uploads_inline_and_streamed(self):
        with self.fetchd.connect() as c:
            answer = c.get(self.url('/inline'), method='PUT', body=b'hello', **self.options)
            self.assertIsNone(answer.error, answer.done)
            self.assertEqual((answer.status, self.there('inline')), (226, b'hello'))
            for name, more in (('known', dict(body_length=len(self.data))), ('unknown', {})):
                id = c.fetch(self.url('/' + name), method='PUT', body_streamed=True, **more, **self.options)
                answer = c.upload(id, self.data)
                self.assertIsNone(answer.error, answer.done)
                self.assertEqual(self.there(name), self.data)
            answer = c.get(self.url('/nothing'), method='PUT', body=b'', **self.options)
            self.assertIsNone(answer.error, answer.done)
            self.assertEqual(self.there('nothing'), b'')

    def test_appends(self):
        for piece in (b'one ', b'two'):
            answer = self.get('/appended', method='POST', body=piece)
            self.assertIsNone(answer.error, answer.done)
        self.assertEqual(self.there('appended'), b'one two')

    def test_folders_are_made_when_asked_for(self):
        self.bad(self.get('/new/deep/file', method='PUT', body=b'x'), 'ftp.failed')
        answer = self.get('/new/deep/file', method='PUT', body=b'x', ftp_create_dirs=True)
        self.assertIsNone(answer.error, answer.done)
        self.assertEqual(self.there('new/deep/file'), b'x')

    def test_what_is_not_there_is_named(self):
        error = self.bad(self.get('/nowhere'), 'ftp.not_found')
        self.assertEqual(error['curl_name'], 'CURLE_REMOTE_FILE_NOT_FOUND')
        self.assertRegex(error['message'], r'the server says: 550')
        self.bad(self.get('/nofolder/'), 'ftp.failed')

    def test_many_at_once(self):
        with self.fetchd.connect() as c:
            ids = [c.fetch(self.url('/sub/small'), **self.options) for _ in range(12)]
            for id in ids:
                self.assertEqual(c.finish(id).body, b'0123456789', c.answer(id).done)

    def test_fetchctl_gets_resumes_uploads_and_goes_on(self):
        folder = paths.folder('g')
        extra = ['--cacert', self.authority.cert_path]
        if self.options.get('ftp_tls') == 'require':
            extra.append('--ssl-reqd')
        half = folder / 'half'
        half.write_bytes(self.data[:1000])
        self.ctl_good('get', self.url('/file'), '-C', '-', '-o', half, *extra)
        self.assertEqual(half.read_bytes(), self.data)
        self.ctl_good('get', self.url('/file'), '-C', '-', '-o', half, *extra)
        self.assertEqual(half.read_bytes(), self.data)
        code = self.ctl_good('request', '-T', half, self.url('/up'), '-w', '%{http_code}', *extra)
        self.assertEqual((code, self.there('up')), (b'226', self.data))
        (self.server.root / 'partial').write_bytes(self.data[:12345])
        for _ in range(2):
            self.ctl_good('put', '-T', half, '-C', '-', self.url('/partial'), *extra)
            self.assertEqual(self.there('partial'), self.data)
        self.ctl_good('put', '-T', half, '-C', '-', self.url('/fresh'), *extra)
        self.assertEqual(self.there('fresh'), self.data)
        self.assertEqual(self.ctl_good('get', '-l', self.url('/sub/'), *extra), b'small\n')
        self.assertEqual(self.ctl('get', self.url('/nowhere'), *extra).returncode, 78)
        self.assertEqual(self.ctl('get', self.url('/nofolder/'), *extra).returncode, 9)


class Single(Good, Ftp):
    user = 'me:secret@'

    @classmethod
    def make_server(cls, folder):
        return ftp.Pyftpd(folder, cls.ports)

    def test_credentials(self):
        with self.fetchd.connect() as c:
            self.assertEqual(c.get(self.server.url('/sub/small'), credentials=b'me:secret').body, b'0123456789')
            self.assertEqual(c.get(self.server.url('/sub/small')).body, b'0123456789')      # anonymous
            error = self.bad(c.get(self.server.url('/file'), credentials=b'me:wrong'), 'ftp.login_denied')
            self.assertEqual(error['curl_name'], 'CURLE_LOGIN_DENIED')
        run = self.ctl('get', self.server.url('/file'), '-u', 'me:wrong')
        self.assertEqual(run.returncode, 67, run.stderr)
        self.assertNotIn('secret', self.fetchd.log())

    def test_a_server_without_tls_is_told_by_name(self):
        self.bad(self.get('/file', ftp_tls='require'), 'ftp.tls_refused')
        self.assertEqual(self.ctl('get', self.url('/file'), '--ssl-reqd').returncode, 64)
        self.assertEqual(self.get('/sub/small', ftp_tls='try').body, b'0123456789')


class Multiprocess(Good, Ftp):
    user = 'me:secret@'

    @classmethod
    def make_server(cls, folder):
        return ftp.Pyftpd(folder, cls.ports, kind='multiprocess')


class Explicit(Good, Ftp):
    """pyftpdlib that refuses whatever is in the clear, on both connections."""
    user = 'me:secret@'
    options = dict(ftp_tls='require')

    @classmethod
    def make_server(cls, folder):
        return ftp.Pyftpd(folder, cls.ports, tls='explicit', pair=cls.site.leaf)

    def test_in_the_clear_it_is_refused(self):
        with self.fetchd.connect() as c:
            self.bad(c.get(self.url('/file'), fresh=True), 'ftp.login_denied')   # a kept one has TLS


class Implicit(Good, Ftp):
    user = 'me:secret@'

    @classmethod
    def make_server(cls, folder):
        return ftp.Pyftpd(folder, cls.ports, tls='implicit', pair=cls.site.leaf)


class Vsftpd(Good, Ftp):
    @classmethod
    def make_server(cls, folder):
        return ftp.Vsftpd(folder, cls.ports)


class VsftpdTls(Good, Ftp):
    """It wants the data connection to resume the control connection's TLS session."""
    options = dict(ftp_tls='require')

    @classmethod
    def make_server(cls, folder):
        return ftp.Vsftpd(folder, cls.ports, pair=cls.site.leaf)


class Tls(Ftp):
    def test_a_certificate_of_nobody_is_refused_on_both_kinds(self):
        stranger = self.authority.leaf('stranger', self_signed=True)
        for tls in ('explicit', 'implicit'):
            with self.subTest(tls=tls):
                server = self.serve(ftp.Pyftpd(paths.folder('f'), self.ports, tls=tls, pair=stranger))
                answer = self.fetch(server.url('/file'), server, ftp_tls='require')
                self.bad(answer, 'tls.certificate')
                self.assertNotIn('USER', server.log())

    def test_the_data_connections_certificate_is_checked_too(self):
        stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = self.authority.leaf('stranger', self_signed=True)
        stranger.load_cert_chain(pair.cert_path, pair.key_path)
        def retr(session):
            session.server.context = stranger
            session.do_RETR()
        server = self.script(pair=self.site.leaf, RETR=retr)
        answer = self.fetch(server.url(), server, ftp_tls='require')
        self.bad(answer, 'tls.certificate')
        self.assertIn('RETR file', server.commands)

    def test_a_data_connection_in_the_clear_is_refused(self):
        for implicit in (False, True):
            with self.subTest(implicit=implicit):
                server = self.script(pair=self.site.leaf, implicit=implicit, PROT='534 no')
                self.bad(self.fetch(server.url(), server, **({} if implicit else dict(ftp_tls='require'))),
                         'ftp.tls_refused')
                self.assertIn('PROT P', server.commands)
                self.assertFalse([c for c in server.commands if c.startswith(('RETR', 'EPSV', 'PASV'))], server.commands)

    def test_the_time_for_tls_ends_with_the_handshake(self):
        server = self.script(pair=self.site.leaf, PASS=lambda session: time.sleep(2) or '230 in')
        answer = self.fetch(server.url(), server, ftp_tls='require', tls_timeout_ms=1500)
        self.assertEqual(answer.body, CONTENT, answer.done)

    def test_a_connection_with_clear_data_is_not_given_to_who_requires_tls(self):
        server = self.script(pair=self.site.leaf, PROT='534 no')
        fetchd = self.daemon(server, workers=1)
        with fetchd.connect() as c:
            self.assertEqual(c.get(server.url(), ftp_tls='try').body, CONTENT)
            self.bad(c.get(server.url(), ftp_tls='require'), 'ftp.tls_refused')

    def test_certificates_are_shown_when_asked_for(self):
        for implicit in (False, True):
            server = self.script(pair=self.site.leaf, implicit=implicit)
            answer = self.fetch(server.url(), server, ftp_tls='require', want_certs=True)
            self.assertIn('BEGIN CERTIFICATE', answer.response['certs'][0])
        server = self.script()
        self.assertFalse(self.fetch(server.url(), server, want_certs=True).response.get('certs'))

    def test_words_said_before_tls_are_not_taken_for_answers_after_it(self):
        server = self.script(pair=self.site.leaf, AUTH=lambda session: session.say(
            '234 go on\r\n331 password?\r\n230 in') or 'over')
        self.bad(self.fetch(server.url(), server, ftp_tls='require'), 'ftp.failed')
        self.assertFalse([c for c in server.commands if c.startswith(('USER', 'PASS'))], server.commands)


class Egress(Ftp):
    def test_a_pasv_reply_with_another_address_leads_nowhere_else(self):
        """The port is taken, the address never: a canary on 127.0.0.2 at that port sees nobody."""
        def pasv(session):
            port = session.listen()
            session.server.canary = origins.socket.create_server(('127.0.0.2', port))
            return '227 go to (127,0,0,2,%d,%d)' % (port >> 8, port & 255)
        server = self.script(EPSV='500 what?', PASV=pasv)
        answer = self.fetch(server.url(), server, )
        self.assertEqual(answer.body, CONTENT, answer.done)
        server.canary.setblocking(False)
        with server.canary:
            self.assertRaises(BlockingIOError, server.canary.accept)

    def test_another_port_is_asked_for_like_any_address(self):
        for command in ('EPSV', 'PASV'):
            with self.subTest(command=command), origins.Origin() as canary:
                port = canary.port
                replies = dict(EPSV='229 go to (|||%d|)' % port,
                               PASV='227 go to (127,0,0,1,%d,%d)' % (port >> 8, port & 255))
                if command == 'PASV':
                    replies['EPSV'] = '500 what?'
                server = self.script(**replies)
                error = self.bad(self.fetch(server.url(), server), 'policy.denied')
                self.assertIn(':%d' % port, error['message'])
                self.assertEqual(canary.connections, 0)
                # The control: the same port, allowed, is connected to.
                fetchd = self.daemon(server, allow=[port])
                with fetchd.connect() as c:
                    c.get(server.url(), total_timeout_ms=2000)
                proc.until(lambda: canary.connections, 10, 'the canary')

    def test_the_control_connection_needs_a_rule(self):
        server = self.script()
        fetchd = self.daemon()
        with fetchd.connect() as c:
            self.bad(c.get(server.url()), 'policy.denied')
        self.assertEqual(server.connections, 0)

    def test_nothing_listens(self):
        """Passive only: no server is ever told where to connect to."""
        server = self.script(EPSV='500 no', PASV='500 no')
        self.bad(self.fetch(server.url(), server), 'ftp.failed')
        self.assertFalse([c for c in server.commands if c.startswith(('PORT', 'EPRT'))], server.commands)


class Commands(Ftp):
    """Nothing that a request holds becomes a command of its own."""

    def test_no_line_end_reaches_the_control_connection(self):
        server = self.script()
        fetchd = self.daemon(server, workers=1)
        with fetchd.connect() as c:
            for path in ('/a%0d%0aDELE%20x', '/a%0aDELE%20x', '/%00', '/d%0d/', '/a%7f'):
                for method in ('GET', 'PUT'):
                    with self.subTest(path=path, method=method):
                        self.bad(c.get(server.url(path), method=method, body=b'x' if method == 'PUT' else b''),
                                 'request.invalid')
            self.bad(c.get(server.url(user='me%0d%0aDELE%20x:y@')), 'request.invalid')
            self.bad(c.get(server.url(), credentials=b'me\r\nDELE x:y'), 'request.invalid')
            self.bad(c.get(server.url(), credentials=b'me:y\nDELE x'), 'request.invalid')
            self.assertEqual(server.commands, [])
            self.assertEqual(c.get(server.url('/a%20b')).body, CONTENT)
        self.assertIn('RETR a b', server.commands)

    def test_what_ftp_can_not_do_is_said(self):
        server = self.script()
        fetchd = self.daemon(server, workers=1)
        with fetchd.connect() as c:
            self.bad(c.get(server.url(), method='DELETE'), 'request.unsupported')
            self.bad(c.get(server.url(), body=b'x'), 'request.invalid')
            self.bad(c.get(server.url('/folder/'), method='PUT', body=b'x'), 'request.invalid')
            self.bad(c.get(server.url(), ftp_tls='perhaps'), 'request.invalid')
            for range in ('bytes=1-2,5-6', 'bytes=-', 'bytes=a-', 'lines=1-', 'bytes=99999999999999999999-'):
                self.bad(c.get(server.url(), headers=[['Range', range]]), 'request.invalid')
        run = fetchd.fetchctl('get', '-P', '-', server.url())
        self.assertEqual(run.returncode, 4)
        self.assertEqual(server.commands, [])

    def test_a_control_connection_is_used_again_by_who_has_the_same_credentials(self):
        server = self.script()
        fetchd = self.daemon(server, workers=1)
        with fetchd.connect() as c:
            for _ in range(3):
                self.assertEqual(c.get(server.url(), credentials=b'one:1').body, CONTENT)
            self.assertEqual(server.connections, 1)
            self.assertEqual(c.get(server.url(), credentials=b'two:2').body, CONTENT)
            self.assertEqual(c.get(server.url()).body, CONTENT)
        self.assertEqual(server.connections, 3)
        self.assertEqual([c for c in server.commands if c.startswith('USER')], ['USER one', 'USER two', 'USER anonymous'])


class Flow(Ftp):
    def test_over_ipv6(self):
        if not has_ipv6():
            self.skipTest('no IPv6 on this machine')
        server = self.script(host='::1')
        self.assertEqual(self.fetch(server.url(), server).body, CONTENT)
        self.assertFalse([c for c in server.commands if c.startswith('PASV')])

    def test_a_reader_that_stops_stops_the_server(self):
        """What the sockets take on the way, and no more, comes of 64 MiB; then all of it."""
        sent = []
        def retr(session):
            session.say('150 here')
            session.open_data()
            for _ in range(1024):
                session.data.sendall(CONTENT)
                sent.append(len(CONTENT))
            session.end_data()
            session.answer('END')
        server = self.script(RETR=retr, SIZE='213 %d' % (1024 * len(CONTENT)))
        fetchd = self.daemon(server, workers=1)
        with fetchd.connect(auto_credit=False, keep=False) as c:
            id = c.fetch(server.url())
            c.until(lambda: c.answer(id).bytes > 200 * KIB)
            seen = -1
            while seen != len(sent):                # until it can send no more
                seen = len(sent)
                time.sleep(0.2)
            self.assertLess(sum(sent), 32 * MIB)
            c.auto_credit = True
            c.grant(id, 0)
            answer = c.finish(id)
        self.assertIsNone(answer.error, answer.done)
        self.assertEqual(answer.bytes, 1024 * len(CONTENT))

    def test_a_limit_of_the_body_holds(self):
        server = self.script()
        self.bad(self.fetch(server.url(), server, max_body_bytes=1000), 'body.too_large')
        self.assertEqual(self.fetch(server.url(), server, rate_bytes=200 * KIB).body, CONTENT)


class Hostile(Ftp):
    def test_replies_that_make_no_sense(self):
        for script, name in (
                (dict(CONNECT='nonsense\r\n220 really'), None),
                (dict(CONNECT='999 what'), 'ftp.failed'),
                (dict(CONNECT=b'220 \0\r\n'), 'ftp.failed'),
                (dict(EPSV='229 go to (|||99999|)', PASV='500 no'), 'ftp.failed'),
                (dict(EPSV='229 go to nowhere', PASV='500 no'), 'ftp.failed'),
                (dict(EPSV='500 no', PASV='227 go to (1,2,3)'), 'ftp.failed'),
                (dict(EPSV='500 no', PASV='227 go to (1,2,3,4,5)'), 'ftp.failed'),
                (dict(TYPE='500 no'), 'ftp.failed'),
                (dict(SIZE='213 99999999999999999999999'), None),
                (dict(SIZE='500 no', MDTM='213 20249999999999'), None),
                (dict(RETR='450 busy'), 'ftp.failed'),
                (dict(RETR='550 no'), 'ftp.not_found'),
                (dict(PWD='257 "/a\x01b"'), 'ftp.failed')):
            with self.subTest(script=script):
                server = self.script(**script)
                answer = self.fetch(server.url(), server)
                if name:
                    self.bad(answer, name)
                else:
                    self.assertEqual(answer.body, CONTENT, answer.done)

    def test_an_endless_reply_and_a_huge_line_end(self):
        def endless(session):
            with session.control.makefile('wb') as out:
                while True:
                    out.write(b'220-and so on\r\n' * 1000)
        for script in (dict(CONNECT=endless), dict(CONNECT=lambda session: session.say(b'2' * 10000000)),
                       dict(SIZE=endless)):
            server = self.script(**script)
            self.bad(self.fetch(server.url(), server), 'headers.too_large')

    def test_a_cut_file_is_never_a_success(self):
        def cut(session):
            session.say('150 here')
            session.open_data().sendall(CONTENT[:1000])
            session.end_data()
            session.answer('END')
        def reset(session):
            session.say('150 here')
            session.open_data().sendall(CONTENT[:1000])
            session.data.setsockopt(origins.socket.SOL_SOCKET, origins.socket.SO_LINGER,
                                    origins.struct.pack('ii', 1, 0))
            session.data.close()
            session.answer('END')
        for script in (dict(RETR=cut), dict(RETR=cut, SIZE='500 no', END='426 aborted'),
                       dict(RETR=cut, SIZE='500 no', END=lambda session: session.control.close()), dict(RETR=reset), dict(END='451 disk broken')):
            with self.subTest(script=script):
                server = self.script(**script)
                answer = self.fetch(server.url(), server)
                self.bad(answer, 'body.truncated')

    def test_an_upload_that_is_not_taken_fails(self):
        for script, name in ((dict(STOR='553 no'), 'ftp.upload_refused'), (dict(END='552 full'), 'ftp.disk_full'),
                             (dict(END='451 broken'), 'body.truncated')):
            with self.subTest(script=script):
                server = self.script(**script)
                self.bad(self.fetch(server.url(), server, method='PUT', body=b'x' * 1000), name)

    def silences(self):
        """Scripts of servers that stop in the middle, the options of a request to each, and what it ends with."""
        def until_gone(session):
            while session.control.recv(4096):
                pass
        def stall(session):
            session.say('150 here')
            session.open_data().sendall(CONTENT[:1000])
            until_gone(session)
        def mute(session):
            session.say('234 go on')
            until_gone(session)
        def mute_data(session):
            session.say('150 here')
            connection, _ = session.listener.accept()
            until_gone(session)
        tls, secure = dict(pair=self.site.leaf), dict(ftp_tls='require')
        return (
            (dict(CONNECT=None), {}, 'connect.timeout'),
            (dict(PASS=None), {}, 'connect.timeout'),
            (dict(AUTH=mute), secure, 'tls.timeout'),
            (dict(PASS=None, **tls), secure, 'connect.timeout'),
            (dict(SIZE=None), {}, 'timeout.headers'),
            (dict(RETR=None), {}, 'timeout.headers'),
            (dict(RETR=stall), {}, 'timeout.idle'),
            (dict(END=None), {}, 'timeout.idle'),
            (dict(RETR=mute_data, **tls), secure, 'timeout.idle'),
            (dict(END=None), dict(method='PUT', body=b'x'), 'timeout.headers'),
        )

    def ask_all(self, c, servers, timeout_ms):
        names = ('connect_timeout_ms', 'headers_timeout_ms', 'idle_timeout_ms')
        return [c.fetch(server.url(), attempts=1, **dict.fromkeys(names, timeout_ms), **options)
                for server, (_, options, _) in zip(servers, self.silences())]

    def test_a_silent_server_holds_up_nobody(self):
        """libcurl waits for some of these in a way that stops the process: each has one of its own."""
        good = self.script()
        servers = [self.script(**script) for script, _, _ in self.silences()]
        fetchd = self.daemon(good, *servers, workers=1, settings={'workers.ftp': len(servers) + 1})
        with fetchd.connect() as c:
            ids = self.ask_all(c, servers, 60000)
            for _ in range(20):
                self.assertEqual(c.get(good.url()).body, CONTENT)
            self.assertFalse([c.answer(id).done for id in ids if c.answer(id).done])
            for id in ids:
                c.send('CANCEL', id)
                self.bad(c.finish(id), 'cancelled')
        self.assertNotIn(' hung', fetchd.log())

    def test_when_all_its_workers_wait_only_ftp_waits(self):
        silent, good = self.script(RETR=None), self.script()
        fetchd = self.daemon(silent, good, workers=1, settings={'workers.ftp': 2})
        with fetchd.connect() as c:
            held = [c.fetch(silent.url()) for _ in range(3)]
            proc.until(lambda: len([line for line in silent.commands if line.startswith('RETR')]) == 2, what='two RETRs')
            waiting = c.fetch(good.url())
            self.good(c.get(self.site.nginx.url('h2', '/1k')))
            self.assertIsNone(c.answer(waiting).response)
            for id in held:
                c.send('CANCEL', id)
                self.bad(c.finish(id), 'cancelled')
            self.assertEqual(c.finish(waiting).body, CONTENT)

    def test_a_reload_gives_them_its_settings(self):
        server = self.script()
        fetchd = self.daemon(server, workers=1)
        with fetchd.connect() as c:
            answer = c.get(server.url())
            self.assertEqual(answer.body, CONTENT, answer.done)
            first = answer.done['worker']
            before = fetchd.workers()[first]
            fetchd.write_config(egress__allow='127.0.0.1:1')
            self.ctl_good('reload', fetchd=fetchd)
            self.bad(c.get(server.url()), 'policy.denied')
            self.assertNotEqual(fetchd.workers().get(first), before)

    def test_silence_ends_on_time_under_its_own_name(self):
        servers = [self.script(**script) for script, _, _ in self.silences()]
        fetchd = self.daemon(*servers, workers=1)
        with fetchd.connect() as c:
            ids = self.ask_all(c, servers, 1000)
            for id, (script, _, name) in zip(ids, self.silences()):
                with self.subTest(script=script):
                    self.bad(c.finish(id), name)

    def test_a_cancel_while_the_last_word_is_awaited(self):
        server = self.script(END=None)
        fetchd = self.daemon(server, workers=1)
        with fetchd.connect() as c:
            id = c.fetch(server.url())
            c.until(lambda: c.answer(id).bytes == len(CONTENT))
            c.send('CANCEL', id)
            self.bad(c.finish(id), 'cancelled')
        fetchd.until_idle()

    def test_a_server_out_of_step_is_asked_anew(self):
        """One reply too many, once, as from pyftpdlib under load: nobody else gets that connection."""
        once = []
        def type_(session):
            session.say('200 fine')
            if not once:
                once.append(session)
                session.say('226 done')
        server = self.script(TYPE=type_)
        fetchd = self.daemon(server, workers=1)
        with fetchd.connect() as c:
            answer = c.get(server.url('/folder/'))
            self.assertIsNone(answer.error, answer.done)
            self.assertEqual(answer.done['attempts'], 2)
            self.assertEqual(c.get(server.url()).body, CONTENT)
        self.assertEqual(server.connections, 2)

    def test_a_connection_with_a_failure_is_not_used_again(self):
        server = self.script(RETR='450 busy')
        fetchd = self.daemon(server, workers=1)
        with fetchd.connect() as c:
            for _ in range(2):
                self.bad(c.get(server.url()), 'ftp.failed')
        self.assertEqual(server.connections, 2)

    def test_a_busy_server_is_tried_again(self):
        replies = ['421 too many', '421 too many', '220 ready']
        server = self.script(CONNECT=lambda session: replies.pop(0))
        answer = self.fetch(server.url(), server)
        self.assertEqual(answer.body, CONTENT, answer.done)
        self.assertEqual(answer.done['attempts'], 3)
        server = self.script(CONNECT='421 too many')
        self.bad(self.fetch(server.url(), server, attempts=1), 'ftp.unavailable')


class Lost(Ftp):
    """A worker dies in the midst of it."""

    def kill_at(self, server, command, fetchd):
        proc.until(lambda: [c for c in server.commands if c.startswith(command)], 20, command)
        holder, = [worker['pid'] for worker in fetchd.status()['workers'] if worker.get('in_flight')]
        os.kill(holder, signal.SIGKILL)

    def test_a_download_is_asked_for_again(self):
        once = []
        def retr(session):
            if once:
                return session.do_RETR()
            once.append(1)
        server = self.script(RETR=retr)
        fetchd = self.daemon(server, workers=1)
        with fetchd.connect() as c:
            id = c.fetch(server.url())
            self.kill_at(server, 'RETR', fetchd)
            self.assertEqual(c.finish(id).body, CONTENT, c.answer(id).done)
            self.assertEqual(c.answer(id).done['attempts'], 2)

    def test_an_upload_is_sent_again_an_append_is_not(self):
        for method, command in (('PUT', 'STOR'), ('POST', 'APPE')):
            with self.subTest(method=method):
                once = []
                def store(session):
                    if once:
                        return session.do_STOR()
                    once.append(1)
                server = self.script(**{command: store})
                fetchd = self.daemon(server, workers=1)
                with fetchd.connect() as c:
                    id = c.fetch(server.url(), method=method, body=b'x' * 100)
                    self.kill_at(server, command, fetchd)
                    answer = c.finish(id)
                if method == 'PUT':
                    self.assertIsNone(answer.error, answer.done)
                    self.assertEqual(server.stored, [b'x' * 100])
                else:
                    self.bad(answer, 'worker.lost')
                    self.assertEqual(server.stored, [])


class Proxies(Ftp):
    def test_both_connections_go_through_the_proxy(self):
        for scheme in ('http', 'socks5'):
            with self.subTest(scheme=scheme):
                server = self.script()
                tunnel = Tunnel(scheme)
                fetchd = self.daemon(server, allow=[tunnel.port])
                with fetchd.connect() as c:
                    answer = c.get(server.url(), proxy=tunnel.url)
                self.assertEqual(answer.body, CONTENT, answer.done)
                self.assertEqual(tunnel.targets[0], '127.0.0.1:%d' % server.port)
                self.assertEqual(len(tunnel.targets), 2)
                self.assertIn(int(tunnel.targets[1].partition(':')[2]), self.ports)

    def test_a_port_that_is_denied_is_not_asked_of_the_proxy(self):
        for replies in (dict(EPSV='229 go to (|||25|)'), dict(EPSV='500 no', PASV='227 go to (127,0,0,1,0,25)')):
            with self.subTest(replies=replies):
                server = self.script(**replies)
                tunnel = Tunnel('socks5h')
                fetchd = self.daemon(server, allow=[tunnel.port], settings={'egress.deny': 'loopback, localhost:25'})
                with fetchd.connect() as c:
                    error = self.bad(c.get(server.url(host='localhost'), proxy=tunnel.url), 'policy.denied')
                self.assertIn(':25', error['message'])
                self.assertEqual(tunnel.targets, ['localhost:%d' % server.port])


if __name__ == '__main__':
    tap.main()
