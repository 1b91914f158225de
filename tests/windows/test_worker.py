#!/usr/bin/python3
"""What a worker owes to Windows' own: its store of certificates, Winsock's errors, its limits, the policies of a process.
Wine takes the policies and enforces none; what holds is told by the worker, from the answers of the system."""
import hashlib
import json
import socket
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import bed  # noqa: E402
from support import certs, ftp, nginx, paths, proc, tap  # noqa: E402

ADD_CERTIFICATE = bed.wine.BUILD / 'tests/windows/add_certificate.exe'
POLICIES = {'one process', 'heap checks', 'no new code', 'strict handles', 'no extension points', 'system libraries',
            'system fonts', 'no privileges', 'low integrity'}


class Worker(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.folder = paths.folder('w')
        cls.authority = certs.Authority(cls.folder)
        cls.nginx = nginx.Nginx(cls.folder, cls.authority)
        cls.nginx.write('1m', 1 << 20)
        cls.nginx.start()
        cls.addClassCleanup(cls.nginx.stop)

    def daemon(self, allow=(), ca=None, **settings):
        return bed.Daemon(allow=[*self.nginx.ports.values(), *allow], ca=ca or self.authority.cert_path, workers=1,
                          settings={name.replace('__', '.'): value for name, value in settings.items()})

    def error(self, fetchd, code, name, url):
        run = fetchd.fetchctl('get', url)
        self.assertEqual(run.returncode, code, run.stderr)
        self.assertIn(b') %s:' % name.encode(), run.stderr)

    def add(self, store, path):
        run = bed.wine.shared().run(ADD_CERTIFICATE, store, bed.windows(path))
        self.assertEqual(run.code, 0, run.err)

    def test_the_systems_store_is_trusted_and_what_it_disallows_is_not(self):
        url = self.nginx.url('h2', '/1m')
        with self.daemon(tls__ca_file='system') as fetchd:
            self.error(fetchd, 60, 'tls.certificate', url)
        self.add('ROOT', self.authority.cert_path)
        with self.daemon(tls__ca_file='system') as fetchd:
            run = fetchd.fetchctl('get', url)
            self.assertEqual(hashlib.sha256(run.stdout).hexdigest(), self.nginx.hashes['1m'], run.stderr)
        with self.daemon(tls__ca_file='') as fetchd:
            self.error(fetchd, 60, 'tls.certificate', url)
        self.add('Disallowed', self.authority.cert_path)
        with self.daemon(tls__ca_file='system') as fetchd:
            self.error(fetchd, 60, 'tls.certificate', url)

    def test_winsocks_errors_have_their_names(self):
        with socket.socket() as closed:
            closed.bind(('127.0.0.1', 0))
            port = closed.getsockname()[1]
            with self.daemon(allow=[port]) as fetchd:
                self.error(fetchd, 7, 'connect.refused', 'https://127.0.0.1:%d/' % port)
                self.error(fetchd, 6, 'dns.failed', 'https://nobody.invalid/')
                self.error(fetchd, 112, 'policy.denied', 'https://127.0.0.2/')

    def test_ftp_and_ftps_come_and_go(self):
        for tls in (None, 'explicit', 'implicit'):
            folder, ports = self.folder / ('ftp-%s' % tls), ftp.passive_ports()
            folder.mkdir()
            pair = self.authority.leaf('ftp-%s' % tls) if tls else None
            with ftp.Pyftpd(folder, ports, kind='multiprocess', tls=tls, pair=pair) as server, \
                    self.daemon(allow=['loopback']) as fetchd:
                (server.root / 'file').write_bytes(b'0123456789' * 1000)
                words = ['--ssl-reqd'] if tls == 'explicit' else []
                run = fetchd.fetchctl('get', *words, server.url('/file'))
                self.assertEqual(run.stdout, b'0123456789' * 1000, (tls, run.stderr))
                run = fetchd.fetchctl('put', '-T', bed.windows(server.root / 'file'), *words,
                                      server.url('/new').replace('://', '://me:secret@'))
                self.assertEqual((server.root / 'new').read_bytes(), b'0123456789' * 1000, (tls, run.stderr))

    def test_it_says_what_confines_it_and_how_it_is(self):
        with self.daemon() as fetchd:
            self.assertEqual(fetchd.fetchctl('get', self.nginx.url('h2', '/1m')).returncode, 0)
            line = next(line for line in fetchd.log().splitlines() if ', sandbox: ' in line and 'ready' in line)
            self.assertEqual(set(line.partition('sandbox: ')[2].split(', ')), POLICIES)
            self.assertIn('at most 16000 connections', fetchd.log())

            def worker():
                return json.loads(fetchd.fetchctl('status', '--json').stdout)['workers'][0]
            proc.until(lambda: worker().get('rss_bytes') and worker().get('connections') == 1, 30, 'a beat')
            self.assertLess(worker()['rss_bytes'], 1 << 30)


if __name__ == '__main__':
    tap.main()
