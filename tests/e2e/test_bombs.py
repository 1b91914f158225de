"""Bombs and floods (THREATS.md 12 to 15): each ends by its name, and the peak of memory meanwhile stays within
4 MiB, for a decoder with a window within 4 MiB more than that."""
import functools
import gzip
import time
import zlib

from world import MIB, World, paths, proc, tap
from support.reading import Reading

EXTRA = 4 * MIB
BROTLI_WINDOW, ZSTD_WINDOW = 16 * MIB, 8 * MIB      # the largest of RFC 7932; RFC 9659's
LIMIT = 10 * MIB                                    # of a body, below what each bomb holds
SIZE = 64 * MIB


def zeros_in_gzip(size=SIZE):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b''.join([packer.compress(bytes(MIB)) for _ in range(size // MIB)] + [packer.flush()])


def zeros_in_brotli(window_log):
    import brotli
    packer = brotli.Compressor(quality=5, lgwin=window_log)
    return b''.join([packer.process(bytes(MIB)) for _ in range(SIZE // MIB)] + [packer.finish()])


def zeros_in_zstd(window_log):
    import zstandard
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return b''.join([stream.compress(bytes(MIB)) for _ in range(SIZE // MIB)] + [stream.flush()])


@functools.lru_cache(maxsize=None)
def bomb(name):
    """Content-Encoding and 64 MiB of zeros in it."""
    if name == 'gzip':
        return 'gzip', zeros_in_gzip()
    if name == 'nested':
        return 'gzip, gzip', gzip.compress(zeros_in_gzip())
    if name == 'thrice':
        return 'gzip, gzip, gzip', gzip.compress(gzip.compress(zeros_in_gzip()))
    if name == 'br':
        return 'br', zeros_in_brotli(24)
    if name == 'br in gzip':
        return 'br, gzip', gzip.compress(zeros_in_brotli(24))
    return 'zstd', zeros_in_zstd(int(name.split()[1]))


class Measured(World):
    own_daemon = True
    alpn = ('http/1.1',)
    settings = {'retry.attempts': 1, 'log.level': 'info'}

    def setUp(self):
        self.origin1 = self.origin(alpn=self.alpn)
        self.fetchd = self.make(allow=[self.origin1.port], workers=1).start()
        self.addCleanup(self.fetchd.kill)
        for _ in range(3):                          # connections, TLS and buffers are there already
            with self.fetchd.connect(keep=False) as c:
                self.good(c.get(self.url('/1m', 'h2')))
                self.good(c.get(self.origin1.url('/ok')))

    def ends(self, path, *names, window=0, origin=None, **options):
        """Asks and measures the peak of the daemon and its worker from before; it fails by one of `names`, or
        succeeds when there are none. The worker is as well as before."""
        pids = list(self.fetchd.memory())
        measures = [proc.Peak(pid) for pid in pids]
        began = time.monotonic()
        with self.fetchd.connect(keep=False) as c:
            answer = c.get((origin or self.origin1).url(path), **options)
        took = time.monotonic() - began
        growth = [measure.growth() for measure in measures]
        (self.bad if names else self.good)(answer, *names)
        print('%s %s: %s in %.2f s, daemon %+.1f MiB, worker %+.1f MiB beyond a window of %d MiB' % (
            path, options.get('name', ''), answer.error, took, growth[0] / MIB, (growth[1] - window) / MIB, window / MIB))
        if not paths.sanitized():
            self.assertLess(growth[0], EXTRA)
            self.assertLess(growth[1], EXTRA + window)
        self.assertEqual(list(self.fetchd.memory()), pids, 'a worker was lost')
        with self.fetchd.connect() as c:
            self.good(c.get(self.url('/1k')))
        self.fetchd.until_idle()
        return answer


class Decoders(Measured):
    def explode(self, name, window=0):
        """It stops at the limit; without one it comes whole, under credit."""
        self.origin1.coded = bomb(name)
        answer = self.ends('/coded', 'body.too_large', window=window, compressed=True, max_body_bytes=LIMIT)
        self.assertLessEqual(answer.bytes, LIMIT)
        answer = self.ends('/coded', window=window, compressed=True)
        self.assertEqual(answer.bytes, SIZE)
        self.assertLess(answer.done['raw_body_bytes'], SIZE // 100)

    def test_gzip(self):
        self.explode('gzip')

    def test_gzip_in_gzip(self):
        self.explode('nested')

    def test_gzip_in_gzip_in_gzip(self):
        self.explode('thrice')

    def test_brotli(self):
        self.explode('br', BROTLI_WINDOW)

    def test_brotli_in_gzip(self):
        self.explode('br in gzip', BROTLI_WINDOW)

    def test_zstd(self):
        self.explode('zstd 23', ZSTD_WINDOW)

    def test_zstd_with_a_larger_window_is_refused(self):
        for log in (24, 27):
            self.origin1.coded = bomb('zstd %d' % log)
            self.ends('/coded', 'body.encoding', compressed=True)

    def test_more_codings_than_three_are_refused(self):
        coding, body = bomb('thrice')
        self.origin1.coded = (coding + ', gzip', gzip.compress(body))
        self.ends('/coded', 'body.encoding', compressed=True)


class Heads(Measured):
    def test_headers_without_end(self):
        self.ends('/header-bomb', 'headers.too_large')
        self.assertLess(self.origin1.sent['header_bomb'], 8 * MIB)

    def test_a_header_line_without_end(self):
        self.ends('/long-line', 'headers.too_large')

    def test_interim_answers_without_end(self):
        self.ends('/endless-1xx', 'headers.too_large')

    def test_trailers_without_end(self):
        reading = Reading().start()
        self.addCleanup(reading.stop)
        self.fetchd.write_config(egress__allow='127.0.0.1:%d, 127.0.0.1:%d, [::1]:%d, 127.0.0.1:%d, [::1]:%d' % (
            reading.port, self.nginx.ports['h2'], self.nginx.ports['h2'], self.origin1.port, self.origin1.port))
        self.fetchd.fetchctl('reload')
        self.fetchd.until_log('reloaded')
        self.fetchd.wait_ready()
        proc.until(lambda: len(self.fetchd.workers()) == 1, what='the new worker')
        with self.fetchd.connect() as c:
            proc.until(lambda: c.get(reading.url('/trailers')).error is None, what='the new rules')
        self.ends('/trailer-bomb', 'headers.too_large', origin=reading)


class Slow(Measured):
    """A deadline of each kind is kept whatever drips."""

    def test_a_header_byte_now_and_then(self):
        self.ends('/slow-loris', 'timeout.headers', headers_timeout_ms=400)

    def test_interim_answers_now_and_then(self):
        self.ends('/slow-1xx', 'timeout.headers', headers_timeout_ms=400)

    def test_bytes_that_are_none_of_the_body(self):
        self.ends('/slow-chunk', 'timeout.idle', idle_timeout_ms=400)

    def test_a_body_byte_now_and_then(self):
        self.ends('/slow-body', 'timeout.total', idle_timeout_ms=400, total_timeout_ms=1500)

    def test_nothing_at_all(self):
        self.ends('/silent', 'timeout.headers', headers_timeout_ms=400)
        self.ends('/stall', 'timeout.idle', idle_timeout_ms=400)


class Http2(Measured):
    alpn = ('h2',)
    PATIENCE = dict(headers_timeout_ms=3000, idle_timeout_ms=1000)

    def flooded(self, path, *names):
        self.ends(path, *names, **self.PATIENCE)
        with self.fetchd.connect() as c:            # not on the connection that was flooded
            self.good(c.get(self.origin1.url('/ok'), headers_timeout_ms=10000))
        self.assertGreaterEqual(self.origin1.connections, 2)

    def test_empty_data(self):
        self.flooded('/empty-data', 'timeout.idle')

    def test_pings(self):
        self.flooded('/ping-flood', 'timeout.idle', 'http2.protocol')

    def test_settings(self):
        self.flooded('/settings-flood', 'timeout.idle', 'http2.protocol', 'body.truncated')

    def test_continuation(self):
        self.flooded('/continuation-flood', 'http2.protocol', 'headers.too_large')

    def test_empty_continuation(self):
        self.flooded('/empty-continuation-flood', 'http2.protocol', 'headers.too_large', 'timeout.headers')

    def test_an_hpack_bomb(self):
        self.flooded('/hpack-bomb', 'http2.protocol', 'headers.too_large')


class Cut(Measured):
    """A body that is cut is never a success; over HTTP/2 in test_misbehaving.Http2."""

    def test_each_framing_and_each_end(self):
        for path, names in (('/short', ['body.truncated']), ('/cut', ['body.truncated']),
                            ('/reset', ['body.truncated', 'receive.failed']), ('/chunked-short', ['body.truncated']),
                            ('/delimited-cut', ['body.truncated', 'receive.failed']),
                            ('/delimited-reset', ['body.truncated', 'receive.failed'])):
            with self.subTest(path=path):
                answer = self.ends(path, *names)
                self.assertNotIn('complete', answer.done)


if __name__ == '__main__':
    tap.main()
