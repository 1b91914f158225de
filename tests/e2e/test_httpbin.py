"""A real httpbin: what it says of a request is what was asked for, what it answers is what comes."""
import base64
import hashlib
import json
import unittest

from world import MIB, World, bodies, paths, tap
from support import httpbin


class Httpbin(World):
    @classmethod
    def setUpClass(cls):
        if httpbin.missing():
            raise unittest.SkipTest(httpbin.missing())
        cls.httpbin = httpbin.Httpbin(paths.folder('httpbin')).start()
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.httpbin.stop()

    @classmethod
    def make(cls, allow=(), **options):
        return super().make(allow=[*allow, cls.httpbin.port], **options)

    def get(self, path, **options):
        with self.fetchd.connect() as c:
            return c.get(self.httpbin.url(path), **options)

    def told(self, path, status=200, **options):
        return json.loads(self.good(self.get(path, **options), status).body)

    def ctl_told(self, *args, **options):
        return json.loads(self.ctl_good(*args, **options))


class Requests(Httpbin):
    def test_every_method(self):
        for method in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'):
            with self.subTest(method=method):
                body = b'' if method in ('GET', 'TRACE') else b'plain'
                told = self.told('/anything', method=method, body=body)
                self.assertEqual((told['method'], told['data']), (method, body.decode()))

    def test_headers_and_queries(self):
        told = self.told('/anything?a=1&b=%20x', headers=[['X-One', '1'], ['User-Agent', None], ['X-Two', 'zwei']])
        self.assertEqual(told['args'], {'a': '1', 'b': ' x'})
        self.assertEqual((told['headers']['X-One'], told['headers']['X-Two']), ('1', 'zwei'))
        self.assertNotIn('User-Agent', told['headers'])
        told = self.ctl_told('get', '-G', '-d', 'q=1', '--url-query', 'w=a b', self.httpbin.url('/anything?z=0'))
        self.assertEqual((told['method'], told['args']), ('GET', {'q': '1', 'w': 'a b', 'z': '0'}))

    def test_forms(self):
        told = self.ctl_told('post', '-d', 'a=1', '--data-urlencode', 'b=2 & 3', self.httpbin.url('/post'))
        self.assertEqual(told['form'], {'a': '1', 'b': '2 & 3'})
        told = self.ctl_told('post', '--json', '{"a": [1]}', self.httpbin.url('/post'))
        self.assertEqual(told['json'], {'a': [1]})

    def test_multipart_forms_with_files_that_fetchctl_streams(self):
        small, large = self.fetchd.folder / 'small.txt', self.fetchd.folder / 'large.bin'
        small.write_text('small content')
        large.write_bytes(bodies.content(2 * MIB, 'large').replace(b'\0', b'x'))
        told = self.ctl_told('post', '-F', 'field=value', '-F', 'text=@%s' % small, '-F', 'data=@%s;type=x/y' % large,
                             '-F', 'inline=<%s' % small, self.httpbin.url('/post'))
        self.assertEqual(told['form'], {'field': 'value', 'inline': 'small content'})
        self.assertEqual(told['files']['text'], 'small content')
        prefix, _, coded = told['files']['data'].partition('base64,')
        self.assertTrue(prefix.startswith('data:'), prefix)
        self.assertEqual(base64.b64decode(coded), large.read_bytes())

    def test_uploads_with_and_without_length(self):
        body = b'0123456789abcdef' * 100000
        for options in (dict(body_length=len(body)), {}):
            with self.subTest(options=options), self.fetchd.connect() as c:
                id = c.fetch(self.httpbin.url('/put'), method='PUT', body_streamed=True, headers=[['Content-Type', 'x/y']],
                             **options)
                told = json.loads(self.good(c.upload(id, body)).body)
                self.assertEqual(hashlib.sha256(told['data'].encode()).digest(), hashlib.sha256(body).digest())


class Answers(Httpbin):
    def test_statuses_are_answers(self):
        for status in (200, 204, 304, 400, 404, 418, 500):
            self.good(self.get('/status/%d' % status, attempts=1), status)
        self.assertEqual(self.ctl('get', '-f', self.httpbin.url('/status/404')).returncode, 22)
        run = self.ctl('get', '--fail-with-body', self.httpbin.url('/status/418'))
        self.assertEqual(run.returncode, 22)
        self.assertIn(b'teapot', run.stdout)

    def test_redirects(self):
        for path, count in (('/redirect/3', 3), ('/absolute-redirect/2', 2), ('/relative-redirect/2', 2)):
            answer = self.good(self.get(path, follow=True))
            self.assertEqual((len(answer.hops), answer.done['redirects']), (count, count))
        for status, method in ((301, 'GET'), (302, 'GET'), (303, 'GET'), (307, 'POST'), (308, 'POST')):
            told = self.told('/redirect-to?url=/anything&status_code=%d' % status, method='POST', body=b'x', follow=True)
            self.assertEqual((told['method'], told['data']), (method, 'x' if method == 'POST' else ''))

    def test_a_session_carries_its_cookies(self):
        with self.fetchd.connect() as c:
            c.session('create', name='s')
            told = [json.loads(self.good(c.get(self.httpbin.url(path), session='s', follow=True)).body)['cookies']
                    for path in ('/cookies/set?one=1&two=2', '/cookies', '/cookies/delete?one=', '/cookies/set/three/3')]
        self.assertEqual(told, [dict(one='1', two='2'), dict(one='1', two='2'), dict(two='2'), dict(two='2', three='3')])

    def test_a_chain_that_sets_cookies_tells_them_hop_by_hop(self):
        answer = self.good(self.get('/cookies/set?one=1&two=2', follow=True))
        cookies = [bytes(v) for n, v in answer.hops[0]['headers'] if bytes(n).lower() == b'set-cookie']
        self.assertEqual(sorted(c.split(b';')[0] for c in cookies), [b'one=1', b'two=2'])

    def test_codings(self):
        for coding in ('gzip', 'deflate', 'brotli'):
            with self.subTest(coding=coding):
                answer = self.get('/' + coding, compressed=True)
                if coding == 'brotli' and answer.status == 500:
                    continue                        # httpbin itself lacks the module
                told = json.loads(self.good(answer).body)
                self.assertTrue(told.get(coding.replace('gzip', 'gzipped').replace('deflate', 'deflated'), told.get('brotli')))
                self.assertLess(answer.done['raw_body_bytes'], answer.done['body_bytes'])

    def test_streams_and_chunks(self):
        answer = self.good(self.get('/stream/20'))
        self.assertEqual([json.loads(line)['id'] for line in answer.body.splitlines()], list(range(20)))
        answer = self.good(self.get('/stream-bytes/100000?seed=1&chunk_size=777'))
        self.assertEqual((answer.bytes, answer.done['complete']), (100000, True))
        self.assertEqual(self.good(self.get('/drip?numbytes=5&duration=0.2&delay=0')).bytes, 5)

    def test_ranges(self):
        whole = self.good(self.get('/range/2000')).body
        answer = self.good(self.get('/range/2000', headers=[['Range', 'bytes=100-199']]), 206)
        self.assertEqual(answer.body, whole[100:200])
        out = self.fetchd.folder / 'range'
        out.write_bytes(whole[:700])
        self.ctl_good('get', '-C', '-', '-o', out, self.httpbin.url('/range/2000'))
        self.assertEqual(out.read_bytes(), whole)
        self.ctl_good('get', '-r', '1990-', '-o', out, self.httpbin.url('/range/2000'))
        self.assertEqual(out.read_bytes(), whole[1990:])

    def test_conditions(self):
        etag, out = self.fetchd.folder / 'etag', self.fetchd.folder / 'conditional'
        args = ['get', '--etag-save', etag, '--etag-compare', etag, '-o', out, '-w', '%{http_code}',
                self.httpbin.url('/etag/v1')]
        self.assertEqual(self.ctl_good(*args), b'200')
        kept = out.read_bytes()
        self.assertEqual((self.ctl_good(*args), out.read_bytes()), (b'304', kept))
        args = ['get', '-o', '/dev/null', '-w', '%{http_code}', self.httpbin.url('/cache')]
        self.assertEqual(self.ctl_good(*args), b'200')
        self.assertEqual(self.ctl_good(*args[:1], '-z', '2020-01-01', *args[1:]), b'304')

    def test_credentials(self):
        self.assertTrue(self.told('/basic-auth/me/secret', credentials=b'me:secret')['authenticated'])
        self.good(self.get('/basic-auth/me/secret', credentials=b'me:wrong'), 401)
        self.assertEqual(self.told('/bearer', headers=[['Authorization', 'Bearer t0ken']])['token'], 't0ken')

    def test_delays_and_deadlines(self):
        self.assertEqual(self.told('/delay/0.1')['args'], {})
        self.bad(self.get('/delay/5', headers_timeout_ms=200, attempts=1), 'timeout.headers')


if __name__ == '__main__':
    tap.main()
