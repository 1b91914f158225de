"""The cases that a client must pass, and what its adapter prints. test_conformance.py says which clients there are."""
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'e2e'))
from world import KIB, MIB, World, bodies  # noqa: E402
from support.websocket_server import Server  # noqa: E402


class Answer:
    """What an adapter printed about one request."""

    def __init__(self):
        self.hops, self.headers, self.messages = [], [], []
        self.status = self.version = self.url = self.error = None

    def take(self, line):
        kind, _, rest = line.partition(' ')
        if kind == 'hop':
            self.hops.append((int(rest.split()[0]), rest.split()[2]))
        elif kind == 'response':
            self.status, self.version, self.url = int(rest.split()[0]), *rest.split()[1:]
            self.headers = []
        elif kind == 'header':
            self.headers.append(tuple(rest.split(': ', 1)) if ': ' in rest else (rest.rstrip(': '), ''))
        elif kind == 'message':
            self.messages.append(tuple(rest.split()))
        elif kind == 'done':
            name, *numbers = rest.split()
            self.error = None if name == 'ok' else name
            self.attempts, self.redirects, self.bytes, self.code = map(int, numbers)

    def values(self, name):
        return [value for n, value in self.headers if n.lower() == name]


class Script(World):
    """The cases. The classes below say what runs them."""
    adapter = None

    @classmethod
    def setUpClass(cls):
        if not cls.adapter:
            cls.prepare()
        site = cls.site_of()
        cls.sockets = Server(site.leaf).start()
        cls.addClassCleanup(cls.sockets.stop)
        super().setUpClass()

    @staticmethod
    def site_of():
        from world import Site
        return Site.get()

    @classmethod
    def prepare(cls):
        raise NotImplementedError

    @classmethod
    def make(cls, allow=(), **options):
        return super().make(allow=[cls.sockets.port, *allow], **options)

    def setUp(self):
        self.out = self.fetchd.folder / 'out'

    def run_adapter(self, url, *words, fetchd=None):
        """The answers, in the order of their ends, and the body of the first, if it is asked for with `out`."""
        words = [word if word != 'out' else 'out=%s' % self.out for word in words]
        env = dict(os.environ, FETCHD_ADDRESS=(fetchd or self.fetchd).address, PYTHONDONTWRITEBYTECODE='1', **self.environment)
        run = subprocess.run([*self.adapter, url, *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual((run.returncode, run.stderr.decode()), (0, ''), run.stdout.decode())
        answers = [Answer()]
        for line in run.stdout.decode('latin-1').splitlines():
            answers[-1].take(line)
            if line.startswith('done '):
                answers.append(Answer())
        return answers[:-1]

    def ask(self, url, *words, **more):
        answer, = self.run_adapter(url, *words, **more)
        return answer

    def file(self, size, name='file'):
        path = self.fetchd.folder / name
        path.write_bytes(bodies.content(size, name))
        return path

    # ---- requests and answers ----

    def test_get_brings_status_headers_and_body(self):
        answer = self.ask(self.url('/1m'), 'out')
        self.assertEqual((answer.error, answer.status, answer.version, answer.url), (None, 200, '2', self.url('/1m')))
        self.assertEqual((answer.attempts, answer.redirects, answer.bytes), (1, 0, MIB))
        self.assertEqual(hashlib.sha256(self.out.read_bytes()).hexdigest(), self.nginx.hashes['1m'])
        self.assertEqual(answer.values('content-length'), [str(MIB)])

    def test_headers_go_and_come_in_their_order_and_as_often(self):
        answer = self.ask(self.url('/headers'), 'header=X-B: 1', 'header=X-A: 2', 'header=X-B: 3', 'out')
        sent = [pair for pair in map(tuple, json.loads(self.out.read_text())['headers']) if pair[0].lower().startswith('x-') and
                pair[0].lower() in ('x-a', 'x-b')]
        self.assertEqual([(n.lower(), v) for n, v in sent], [('x-b', '1'), ('x-a', '2'), ('x-b', '3')])
        self.assertEqual(self.ask(self.url('/set-cookie')).values('set-cookie'), ['first=1; Path=/', 'second=2; HttpOnly'])

    def test_an_error_status_is_an_answer(self):
        answer = self.ask(self.url('/status/404'), 'out')
        self.assertEqual((answer.error, answer.status, self.out.read_bytes()), (None, 404, b'status 404\n'))

    def test_head_has_no_body(self):
        answer = self.ask(self.url('/1m'), 'method=HEAD', 'out')
        self.assertEqual((answer.error, answer.values('content-length'), self.out.read_bytes()), (None, [str(MIB)], b''))

    def test_a_version_can_be_asked_for(self):
        self.assertEqual(self.ask(self.url('/1k'), 'http_version=1.1').version, '1.1')

    def test_a_coding_is_taken_off(self):
        answer = self.ask(self.url('/gzip/1m'), 'compressed=yes', 'out')
        self.assertEqual((answer.error, hashlib.sha256(self.out.read_bytes()).hexdigest()), (None, self.nginx.hashes['1m']))

    def test_a_hundred_at_once_on_one_connection(self):
        answers = self.run_adapter(self.url('/1k?NUMBER'), 'count=100')
        self.assertEqual([(answer.error, answer.bytes) for answer in answers], [(None, KIB)] * 100)

    # ---- bodies that go up ----

    def uploaded(self, answer):
        self.assertEqual((answer.error, answer.status), (None, 200))
        return json.loads(self.out.read_text())

    def test_an_inline_body_arrives(self):
        got = self.uploaded(self.ask(self.url('/upload'), 'method=POST', 'body=hello', 'out'))
        self.assertEqual((got['method'], got['sha256']), ('POST', hashlib.sha256(b'hello').hexdigest()))

    def test_a_streamed_body_arrives_with_and_without_its_length(self):
        for size in (0, 1, 65536, 3 * MIB + 1):
            file = self.file(size)
            for words in (('body_length=%d' % size,) if size else (), ()):
                with self.subTest(size=size, words=words):
                    got = self.uploaded(self.ask(self.url('/upload', 'h1'), 'method=PUT', 'upload=%s' % file, 'out', *words))
                    self.assertEqual((got['bytes'], got['sha256']), (size, hashlib.sha256(file.read_bytes()).hexdigest()))

    def test_a_body_is_sent_again_when_a_redirect_wants_it(self):
        file = self.file(MIB)
        answer = self.ask(self.url('/r307/upload'), 'method=PUT', 'upload=%s' % file, 'rewindable=yes', 'follow=yes', 'out')
        self.assertEqual(self.uploaded(answer)['sha256'], hashlib.sha256(file.read_bytes()).hexdigest())
        self.assertEqual([status for status, _ in answer.hops], [307])

    def test_one_that_cannot_come_again_is_an_error(self):
        answer = self.ask(self.url('/r307/upload'), 'method=PUT', 'upload=%s' % self.file(MIB), 'follow=yes')
        self.assertEqual(answer.error, 'body.rewind')

    def test_an_answer_may_come_before_the_body_is_sent(self):
        answer = self.ask(self.url('/early'), 'method=PUT', 'upload=%s' % self.file(8 * MIB))
        self.assertEqual(answer.status, 413)

    # ---- redirects ----

    def test_each_hop_is_told(self):
        answer = self.ask(self.url('/chain/3'), 'follow=yes', 'out')
        self.assertEqual(answer.hops, [(302, self.url('/chain/%d' % n)) for n in (2, 1, 0)])
        self.assertEqual((answer.error, answer.status, answer.url, answer.redirects), (None, 200, self.url('/chain/0'), 3))
        self.assertEqual(self.out.read_bytes(), b'the end of the chain\n')

    def test_unfollowed_it_is_an_answer_and_too_many_are_an_error(self):
        self.assertEqual(self.ask(self.url('/chain/3')).status, 302)
        self.assertEqual(self.ask(self.url('/chain/3'), 'follow=yes', 'max_redirects=2').error, 'redirect.limit')

    # ---- credit ----

    def test_a_body_above_every_window_comes_whole(self):
        self.nginx.write('32m', 32 * MIB)
        for words in ((), ('window=4096',)):
            with self.subTest(words=words):
                answer = self.ask(self.url('/32m' if not words else '/1m'), 'out', *words)
                self.assertEqual(answer.error, None)
                self.assertEqual(hashlib.sha256(self.out.read_bytes()).hexdigest(), self.nginx.hashes['32m' if not words else '1m'])

    def test_one_that_is_not_read_stalls_no_other(self):
        other, first = self.run_adapter(self.url('/1m'), 'beside=%s' % self.url('/1m?beside'), 'out')
        self.assertEqual((other.error, other.bytes, first.error, first.bytes), (None, MIB, None, MIB))
        self.assertEqual(hashlib.sha256(self.out.read_bytes()).hexdigest(), self.nginx.hashes['1m'])

    # ---- cancel ----

    def test_cancel_ends_it_and_the_connection_goes_on(self):
        for url, words in ((self.url('/hold/conformance'), ['cancel=early']), (self.url('/100m'), ['cancel=response'])):
            with self.subTest(words=words):
                self.nginx.write('100m', 100 * MIB)
                first, after = self.run_adapter(url, *words, 'then=%s' % self.url('/1k'))
                self.assertEqual((first.error, after.error, after.bytes), ('cancelled', None, KIB))

    def test_what_is_cancelled_costs_the_connection_nothing(self):
        """All their windows together are more than the connection's."""
        self.nginx.write('1m', MIB)
        answers = self.run_adapter(self.url('/1m?NUMBER'), 'count=100', 'cancel=response', 'then=%s' % self.url('/1m'))
        self.assertEqual([answer.error for answer in answers], ['cancelled'] * 100 + [None])
        self.assertEqual(answers[-1].bytes, MIB)

    # ---- errors ----

    def test_errors_have_their_names(self):
        for url, words, name in (
                ('https://no-such-host.invalid/', (), 'dns.failed'),
                (self.url('/1k', 'expired'), (), 'tls.certificate'),
                ('http://169.254.169.254/latest/meta-data/', (), 'policy.denied'),
                (self.url('/hold/conformance'), ('total_timeout_ms=300',), 'timeout.total'),
                (self.url('/1m'), ('max_body_bytes=1000',), 'body.too_large'),
                (self.url('/close', 'plain'), ('attempts=1',), 'receive.empty'),
                ('gopher://localhost/', (), 'request.invalid'),
                (self.url('/1k'), ('method=G E T',), 'request.invalid'),
                (self.url('/1k'), ('header=X: a\rb',), 'request.invalid')):
            with self.subTest(name=name, url=url):
                self.assertEqual(self.ask(url, *words).error, name)

    # ---- WebSockets ----

    def test_messages_come_back_as_they_went(self):
        file = self.file(200 * KIB + 7)
        answer = self.ask(self.sockets.url('/echo'), 'say=hello', 'say=@%s' % file, 'say=h\u00e9')
        self.assertEqual((answer.status, answer.error, answer.code), (101, None, 1000))
        self.assertEqual(answer.messages, [('text', 'same'), ('binary', 'same'), ('text', 'same')])

    def test_what_is_no_websocket_is_refused_by_name(self):
        self.assertEqual(self.ask(self.url('/1k', 'h1').replace('https:', 'wss:'), 'say=x').error, 'websocket.refused')
