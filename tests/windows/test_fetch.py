#!/usr/bin/python3
"""fetchctl.exe through the pipe, the supervisor and two workers to a real nginx, all under Wine but nginx."""
import hashlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import bed  # noqa: E402
from world import MIB, World, tap  # noqa: E402
from support.websocket_server import Server  # noqa: E402


class Fetch(World):
    @classmethod
    def setUpClass(cls):
        from world import Site
        cls.sockets = Server(Site.get().leaf).start()
        cls.addClassCleanup(cls.sockets.stop)
        super().setUpClass()

    @classmethod
    def make(cls, allow=(), **options):
        return bed.Daemon(allow=[*cls.site.nginx.ports.values(), cls.sockets.port, *allow], ca=cls.site.authority.cert_path,
                          workers=2, **options)

    def run_ctl(self, *words, code=0, **more):
        run = self.fetchd.fetchctl(*words, **more)
        self.assertEqual(run.returncode, code, (run.stdout[-500:], run.stderr))
        return run

    def file(self, name):
        path = self.fetchd.folder / name
        return path, bed.windows(path)

    def test_a_body_over_https_and_http_2_is_whole(self):
        body = self.run_ctl('get', self.url('/1m')).stdout
        self.assertEqual(hashlib.sha256(body).hexdigest(), self.nginx.hashes['1m'])
        said = self.run_ctl('get', '-i', self.url('/1k')).stdout
        self.assertTrue(said.startswith(b'HTTP/2 200'), said[:100])

    def test_a_large_body_into_a_file_is_whole(self):
        path, name = self.file('Zoë 100m')
        self.run_ctl('get', '-o', name, self.url('/100m'))
        self.assertEqual(path.stat().st_size, 100 * MIB)
        with path.open('rb') as file:
            self.assertEqual(hashlib.file_digest(file, 'sha256').hexdigest() if hasattr(hashlib, 'file_digest')
                             else hashlib.sha256(file.read()).hexdigest(), self.nginx.hashes['100m'])

    def test_http_1_1_when_asked(self):
        self.assertTrue(self.run_ctl('get', '-i', '--http1.1', self.url('/1k')).stdout.startswith(b'HTTP/1.1 200'))

    def test_an_upload_arrives(self):
        path, name = self.file('upload')
        path.write_bytes(bytes(range(256)) * 8192)
        got = json.loads(self.run_ctl('put', '--upload-file', name, self.url('/upload')).stdout)
        self.assertEqual((got['method'], got['sha256']), ('PUT', hashlib.sha256(path.read_bytes()).hexdigest()))

    def test_a_websocket_echoes(self):
        # At the end of stdin it closes, and a server that sees the close in time answers nothing before it.
        run = self.run_ctl('ws', '--count', '1', self.sockets.url('/echo'), input='grüße\n'.encode())
        self.assertIn('grüße'.encode(), run.stdout)

    def test_a_certificate_of_nobody_is_refused(self):
        self.run_ctl('get', self.url('/1k', 'self_signed'), code=60)

    def test_both_workers_are_there_and_work(self):
        status = json.loads(self.run_ctl('status', '--json').stdout)
        self.assertEqual([worker['state'] for worker in status['workers']], ['ready', 'ready'])

    def test_where_nobody_listens_it_says_so(self):
        run = self.run_ctl('get', self.url('/1k'), code=110, FETCHD_ADDRESS=r'pipe:\\.\pipe\fetchd-nobody')
        self.assertIn(b'fetchd-nobody', run.stderr)


if __name__ == '__main__':
    tap.main()
