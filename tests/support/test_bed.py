"""The bed itself, without fetchd: what the servers promise is seen with the distribution's curl, so
that a failure elsewhere is not theirs."""
import gzip
import hashlib
import json
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import bodies, certs, nginx, origins, paths, tap  # noqa: E402
from support.backend import Backend  # noqa: E402


class Bed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = paths.folder('b')
        cls.authority = certs.Authority(cls.folder)
        cls.backend = Backend(cls.folder / 'nginx/root').start()
        cls.nginx = nginx.Nginx(cls.folder, cls.authority, backend_port=cls.backend.port)
        cls.nginx.write_usual()
        cls.nginx.start()
        cls.leaf = cls.authority.leaf('raw')

    @classmethod
    def tearDownClass(cls):
        cls.nginx.stop()
        cls.backend.stop()

    def curl(self, url, *more):
        """(exit code, status, HTTP version, sha256 of the body)."""
        body = self.folder / 'body'
        body.write_bytes(b'')
        run = subprocess.run(['curl', '-sS', '--noproxy', '*', '--cacert', self.authority.cert_path, '--max-time', '5',
                              '-o', body, '-w', '%{http_code} %{http_version}', url, *more],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        status, version = run.stdout.split()
        return run.returncode, int(status), version, bodies.file_sha256(body)

    def test_nginx_serves_known_content_over_each_version(self):
        for server, version in (('h2', '2'), ('h1', '1.1'), ('tls12', '2'), ('tls13', '2'), ('plain', '1.1')):
            with self.subTest(server=server):
                self.assertEqual(self.curl(self.nginx.url(server, '/1m')), (0, 200, version, self.nginx.hashes['1m']))

    def test_nginx_speaks_only_the_tls_version_it_should(self):
        for server, other in (('tls12', '--tlsv1.3'), ('tls13', '--tls-max=1.2')):
            with self.subTest(server=server):
                self.assertEqual(self.curl(self.nginx.url(server, '/1k'), *other.split('='))[0], 35)

    def test_bad_certificates_are_bad(self):
        for server in ('expired', 'wrong_name', 'self_signed'):
            with self.subTest(server=server):
                self.assertEqual(self.curl(self.nginx.url(server, '/1k'))[0], 60)

    def test_codings_decode_to_the_same_content(self):
        for path in ('/gzip/1m', '/br/1m', '/zstd/1m', '/deflate/1m'):
            with self.subTest(path=path):
                code, status, _, digest = self.curl(self.nginx.url('h1', path), '--compressed')
                self.assertEqual((code, status, digest), (0, 200, self.nginx.hashes['1m']))

    def test_an_upload_is_hashed(self):
        for server in ('h1', 'h2'):
            with self.subTest(server=server):
                run = subprocess.run(['curl', '-sS', '--cacert', self.authority.cert_path, '-T', self.nginx.root / '100m',
                                      self.nginx.url(server, '/upload')], stdout=subprocess.PIPE, check=True)
                self.assertEqual(json.loads(run.stdout)['sha256'], self.nginx.hashes['100m'])

    def test_redirects_lead_where_they_say(self):
        for code in (301, 302, 303, 307, 308):
            with self.subTest(code=code):
                self.assertEqual(self.curl(self.nginx.url('h2', '/r%d/1k' % code), '-L')[1], 200)
        self.assertEqual(self.curl(self.nginx.url('h2', '/loop'), '-L', '--max-redirs', '5')[0], 47)
        self.assertEqual(self.curl(self.nginx.url('h2', '/chain/7'), '-L')[1], 200)

    def test_a_held_answer_comes_when_released(self):
        process = subprocess.Popen(['curl', '-sS', '--cacert', self.authority.cert_path,
                                    self.nginx.url('h1', '/hold/bed')], stdout=subprocess.PIPE)
        self.backend.until_waiting('bed')
        self.assertIsNone(process.poll())
        self.backend.release('bed')
        self.assertEqual(process.communicate(timeout=20)[0], b'released\n')

    def test_a_client_that_gives_up_is_seen(self):
        process = subprocess.Popen(['curl', '-sS', '--cacert', self.authority.cert_path,
                                    self.nginx.url('h1', '/hold/gone')], stdout=subprocess.PIPE)
        self.backend.until_waiting('gone')
        process.kill()
        process.communicate()
        self.backend.until_ended('gone')

    def test_misbehaviour_over_http1_is_what_it_says(self):
        expected = dict(ok=0, short=18, cut=18, delimited=0, chunked=0, chunked_short=18, chunk_garbage=56, garbage=1,
                        empty=52, header_bomb=56, endless_1xx=56, smuggle=0, gzip=0)
        with origins.Origin(self.leaf) as origin:
            for name, code in expected.items():
                with self.subTest(name=name):
                    self.assertEqual(self.curl(origin.url('/' + name.replace('_', '-')))[0], code)
            origin.until_closed()

    def test_misbehaviour_over_http2_is_what_it_says(self):
        expected = dict(ok=0, rst=92, rst_at_once=92, refused=0, short=92, cut=18)
        with origins.Origin(self.leaf, alpn=('h2',)) as origin:
            for name, code in expected.items():
                with self.subTest(name=name):
                    self.assertEqual(self.curl(origin.url('/' + name.replace('_', '-')))[0], code)

    def test_broken_handshakes_are_broken(self):
        for what in ('reset', 'close', 'garbage'):
            with self.subTest(what=what), origins.Handshake(what) as origin:
                self.assertEqual(self.curl(origin.url())[0], 35)

    def test_the_sparse_gigabyte_has_the_size_and_little_on_disk(self):
        path = self.folder / 'sparse'
        bodies.write_sparse(path)
        self.assertEqual(path.stat().st_size, bodies.GIB)
        self.assertLess(path.stat().st_blocks * 512, 64 * bodies.MIB)

    def test_the_gigabyte_in_gzip_is_the_same_gigabyte(self):
        plain, packed = self.folder / 'plain', self.folder / 'packed.gz'
        bodies.write_sparse(plain)
        bodies.write_sparse_gzip(packed)
        with gzip.open(packed) as unpacked:
            self.assertEqual(hashlib.file_digest(unpacked, 'sha256').hexdigest(), bodies.file_sha256(plain))
        self.assertLess(packed.stat().st_size, 16 * bodies.MIB)


if __name__ == '__main__':
    tap.main()
