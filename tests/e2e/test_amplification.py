"""What a byte of somebody else's costs in memory: each kind of frame of a client, and streams of an origin, at
a size at which the cost of a connection no longer counts. No kind may cost more than a hundred times its
own size; the table is printed, the worst first."""
import brotli
import functools
import gzip
import os
import sys
import time
import unittest
from pathlib import Path

from world import KIB, MIB, World, origins, paths, proc, tap
from support.protocol import encode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from process.fake import HELD, FakeDaemon  # noqa: E402

MOST = 100
FRAMES = 400 if paths.sanitized() else 4000        # 4000 reloads would be minutes then
TABLE = []


# Each makes the body of the frame with that number; 0 bytes of answer are read.
CLIENT_FRAMES = {
    'FETCH, the smallest': ('FETCH', lambda n: dict(url='http://a/held')),
    'FETCH, each of another origin': ('FETCH', lambda n: dict(url='http://%d.a/held' % n)),
    'FETCH with 50 headers': ('FETCH', lambda n: dict(url='http://a/held', headers=[[b'a', b'']] * 50)),
    'FETCH with 64 addresses': ('FETCH', lambda n: dict(url='http://a/held', resolve=['a:1:1.1.1.1'] * 64)),
    'FETCH with unknown keys': ('FETCH', lambda n: dict(url='http://a/held', x=[[[]] * 20] * 20)),
    'FETCH of a WebSocket': ('FETCH', lambda n: dict(url='ws://a/held')),
    'FETCH that streams': ('FETCH', lambda n: dict(url='http://a/held', method='POST', body_streamed=True)),
    'FETCH of no URL': ('FETCH', lambda n: dict(url='')),
    'FETCH of an unknown session': ('FETCH', lambda n: dict(url='http://a/', session='x')),
    'CANCEL of nothing': ('CANCEL', lambda n: {}),
    'PING': ('PING', lambda n: {}),
    'STATUS': ('STATUS', lambda n: {}),
    'METRICS': ('METRICS', lambda n: {}),
    'RELOAD': ('RELOAD', lambda n: {}),
}


def row(title, sent, grown):
    ratio = max(grown, 0) / sent
    TABLE.append((ratio, title, sent, grown))
    return ratio


def settle(read, step=0.04, most=25):
    """The largest value until it no longer grows."""
    largest, same = read(), 0
    for _ in range(most):
        time.sleep(step)
        now = read()
        same = same + 1 if now <= largest else 0
        largest = max(largest, now)
        if same >= 4:
            break
    return largest


class OfAClient(unittest.TestCase):
    def cost(self, kind, make):
        with FakeDaemon('good', settings={'log.level': 'error', 'daemon.streams': 100000}) as fetchd:
            with fetchd.connect() as c:
                for _ in range(50):                         # so that what is made once is made
                    c.get('http://a/good')
            fetchd.until_idle()
            with fetchd.connect() as c:
                before = proc.rss_bytes(fetchd.pid)
                frames = b''.join(encode(kind, 0 if kind == 'PING' else n + 1, make(n)) for n in range(FRAMES))
                c.socket.settimeout(0.5)
                sent = 0
                try:
                    while sent < len(frames):
                        sent += c.socket.send(frames[sent:sent + 65536])
                except (TimeoutError, OSError):
                    pass                                    # it reads no more: bounded in its own way
                return sent, settle(lambda: proc.rss_bytes(fetchd.pid)) - before

    def test_each_frame(self):
        for title, (kind, make) in CLIENT_FRAMES.items():
            with self.subTest(title=title):
                try:
                    sent, grown = self.cost(kind, make)
                except TypeError as problem:
                    raise AssertionError('%s: %s' % (title, problem)) from None
                self.assertLess(row('client: ' + title, sent, grown), paths.bound(MOST))


@functools.lru_cache
def bomb(coding):
    """32 MiB of zeros behind 64 KiB that don't compress: what a decoder's window costs is paid for by then."""
    zeros = os.urandom(64 * KIB) + bytes(32 * MIB)
    return {'gzip': lambda: gzip.compress(zeros), 'br': lambda: brotli.compress(zeros, quality=3),
            'gzip, gzip': lambda: gzip.compress(gzip.compress(zeros))}[coding]()


class Streams(origins.Origin):
    """Answers of many bytes, or of few that become many."""
    HEAD = b'HTTP/1.1 200 OK\r\n'

    def send(self, peer, data):
        self.count = len(data)
        peer.sendall(data)
        self.wait_end(peer)

    def answer_coded(self, peer, coding):
        body = bomb(coding)
        self.send(peer, self.HEAD + b'Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n' % (coding.encode(), len(body)) + body)

    def do_plain(self, peer):
        self.send(peer, self.HEAD + b'Content-Length: %d\r\n\r\n' % MIB + bytes(MIB))

    def do_gzip(self, peer):
        self.answer_coded(peer, 'gzip')

    def do_br(self, peer):
        self.answer_coded(peer, 'br')

    def do_nested(self, peer):
        self.answer_coded(peer, 'gzip, gzip')

    def do_headers(self, peer):
        self.send(peer, self.HEAD + b'a:b\r\n' * 4900 + b'Content-Length: 0\r\n\r\n')

    def do_cookies(self, peer):
        self.send(peer, self.HEAD + b''.join(b'Set-Cookie: c%d=1\r\n' % n for n in range(1000)) + b'Content-Length: 0\r\n\r\n')

    def do_long_header(self, peer):
        self.send(peer, self.HEAD + b'X: ' + b'x' * 90000 + b'\r\nContent-Length: 0\r\n\r\n')

    def do_hints(self, peer):
        self.send(peer, b'HTTP/1.1 103 E\r\na:b\r\n\r\n' * 2000 + self.HEAD + b'Content-Length: 0\r\n\r\n')

    def do_chunks(self, peer):
        self.send(peer, self.HEAD + b'Transfer-Encoding: chunked\r\n\r\n' + b'1\r\nx\r\n' * 20000 + b'0\r\n\r\n')

    def do_extensions(self, peer):
        self.send(peer, self.HEAD + b'Transfer-Encoding: chunked\r\n\r\n' + b'1;a=b\r\nx\r\n' * 10000 + b'0\r\n\r\n')

    def do_trailers(self, peer):
        self.send(peer, self.HEAD + b'Transfer-Encoding: chunked\r\n\r\n0\r\n' + b'a:b\r\n' * 4000 + b'\r\n')


STREAMS = [name[3:] for name in vars(Streams) if name.startswith('do_')]


class OfAnOrigin(World):
    own_daemon = True
    TIMES = 8

    def cost(self, name):
        """By requests that are answered, and by as many whose client gives no credit."""
        with Streams() as origin, self.make([origin.port], workers=1, settings={'log.level': 'error'}) as fetchd:
            with fetchd.connect() as c:
                for id in [c.fetch(origin.url('/ok', '127.0.0.1')) for _ in range(2 * self.TIMES)]:
                    c.finish(id)
            worker = next(iter(fetchd.workers().values()))
            bomb('gzip'), bomb('br'), bomb('gzip, gzip')        # not while it is measured
            before = proc.rss_bytes(worker) + proc.rss_bytes(fetchd.pid)
            with fetchd.connect(auto_credit=False, window=64 * KIB, keep=False) as c:
                for _ in range(self.TIMES):
                    c.fetch(origin.url('/' + name, '127.0.0.1'), compressed=True)
                after = settle(lambda: proc.rss_bytes(worker) + proc.rss_bytes(fetchd.pid))
            return origin.count * self.TIMES, after - before

    def test_each_stream(self):
        for name in STREAMS:
            with self.subTest(name=name):
                self.assertLess(row('origin: ' + name, *self.cost(name)), paths.bound(MOST))

    def test_that_the_measure_sees_what_is_kept(self):
        """The control: a body that is let through piles up at a client that gives credit and does not read."""
        with Streams() as origin, self.make([origin.port], workers=1) as fetchd:
            before = proc.rss_bytes(fetchd.pid)
            with fetchd.connect(window=1 << 30) as c:
                for _ in range(4):
                    c.fetch(origin.url('/plain', '127.0.0.1'), window=1 << 30)
                grown = settle(lambda: proc.rss_bytes(fetchd.pid)) - before
        self.assertGreater(grown, 128 * KIB)


class Worst(unittest.TestCase):
    """Runs last, by its name."""

    def test_the_table(self):
        for ratio, title, sent, grown in sorted(TABLE, reverse=True):
            print('%6.1f times  %-40s %8d bytes cost %9d' % (ratio, title, sent, grown))


if __name__ == '__main__':
    tap.main()
