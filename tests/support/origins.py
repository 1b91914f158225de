"""Origins that misbehave: raw HTTP/1.1 over TLS, HTTP/2 by the h2 library, and handshakes that
go wrong. A thread a connection, since few come and each does something a framework would not.

    with Origin(authority.leaf('bad')) as bad:
        bad.url('/short')

The first part of the path names the behaviour, a do_ method below (h2_ when HTTP/2 was agreed on).
"""
import contextlib
import gzip
import socket
import ssl
import struct
import threading
import time
import zlib

from . import bodies

HALF = bodies.content(500, 'half')


class Gone(Exception):
    """The other side is gone; the connection's thread may end."""


class Origin:
    def __init__(self, pair=None, alpn=('http/1.1',)):
        self.context = None
        if pair:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pair.cert_path, pair.key_path)
            self.context.set_alpn_protocols(list(alpn))
        self.requests = []              # (method, path, {name: value}) as they came
        self.connections = 0
        self.open = 0                   # connections not yet closed by the other side
        self.coded = None               # what /coded answers
        self.sent = {}                  # behaviour -> bytes of flood it got rid of
        self.stopping = False

    def start(self):
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def stop(self):
        self.stopping = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def url(self, path, host='localhost'):
        return '%s://%s:%d%s' % ('https' if self.context else 'http', host, self.port, path)

    def until_closed(self, seconds=30):
        """Waits until the other side has closed all its connections."""
        deadline = time.monotonic() + seconds
        while self.open:
            if time.monotonic() > deadline:
                raise AssertionError('%d connections still open at the origin' % self.open)
            time.sleep(0.005)

    def accept(self):
        while not self.stopping:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open += 1
            threading.Thread(target=self.connection, args=(peer,), daemon=True).start()

    def connection(self, peer):
        peer.settimeout(60)
        try:
            self.shake(peer)
        except (Gone, OSError, ssl.SSLError, ValueError):
            pass
        finally:
            self.open -= 1
            peer.close()

    def shake(self, peer):
        if not self.context:
            return self.serve(peer)
        with self.context.wrap_socket(peer, server_side=True, suppress_ragged_eofs=True) as secure:
            if secure.selected_alpn_protocol() == 'h2':
                Http2(self, secure).serve()
            else:
                self.serve(secure)

    # ---- HTTP/1.1 ----

    def serve(self, peer):
        buffered = b''
        while True:
            while b'\r\n\r\n' not in buffered:
                piece = peer.recv(65536)
                if not piece:
                    return
                buffered += piece
            head, _, buffered = buffered.partition(b'\r\n\r\n')
            lines = head.decode('latin-1').split('\r\n')
            method, path, _ = lines[0].split(' ', 2)
            headers = dict(line.split(': ', 1) for line in lines[1:] if ': ' in line)
            self.requests.append((method, path, headers))
            name = path.strip('/').split('?')[0].split('/')[0].replace('-', '_')
            if not getattr(self, 'do_' + name)(peer):
                return

    @staticmethod
    def wait_end(peer):
        """Reads on until the other side closes."""
        with contextlib.suppress(OSError, ValueError):
            while peer.recv(65536):
                pass

    @staticmethod
    def close_notify(peer):
        if isinstance(peer, ssl.SSLSocket):
            peer.settimeout(5)
            with contextlib.suppress(OSError, ValueError):
                peer.unwrap()
        with contextlib.suppress(OSError):
            peer.shutdown(socket.SHUT_WR)

    def cut(self, peer):
        """Closes TCP in order, without TLS's goodbye."""
        with contextlib.suppress(OSError):
            peer.shutdown(socket.SHUT_WR)
        self.wait_end(peer)

    @staticmethod
    def reset(peer):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        peer.close()

    def flood(self, name, peer, head, piece, most):
        """Sends `piece` again and again, until `most` bytes or the other side has enough."""
        peer.sendall(head)
        self.sent[name] = 0
        try:
            while self.sent[name] < most:
                peer.sendall(piece)
                self.sent[name] += len(piece)
        except OSError:
            raise Gone
        return False

    def do_ok(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n')
        return True

    def do_short(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n' + HALF)
        self.close_notify(peer)

    def do_cut(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n' + HALF)
        self.cut(peer)

    def do_reset(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n' + HALF)
        self.reset(peer)

    def do_delimited(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n' + HALF)
        self.close_notify(peer)

    def do_delimited_cut(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n' + HALF)
        self.cut(peer)

    def do_delimited_reset(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n' + HALF)
        self.reset(peer)

    def do_chunked(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n' + HALF + b'\r\n0\r\n\r\n')
        return True

    def do_chunked_short(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n' + HALF + b'\r\n')
        self.close_notify(peer)

    def do_chunk_garbage(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n' + HALF)
        self.wait_end(peer)

    def do_garbage(self, peer):
        peer.sendall(b'\x00\x01\x02 this is not HTTP at all\r\n\r\n' * 20)
        self.close_notify(peer)

    def do_two_lengths(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nhello')
        self.wait_end(peer)

    def do_empty(self, peer):
        self.close_notify(peer)

    def do_silent(self, peer):
        self.wait_end(peer)

    def do_stall(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n' + HALF)
        self.wait_end(peer)

    def do_surprise_101(self, peer):
        peer.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\nhello')
        self.wait_end(peer)

    def do_header_bomb(self, peer):
        return self.flood('header_bomb', peer, b'HTTP/1.1 200 OK\r\n', b'X-Bomb: ' + b'b' * 990 + b'\r\n', 64 << 20)

    def do_many_trailers(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n' + b't: x\r\n' * 6000 + b'\r\n')

    def do_long_trailer(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nt: ' + b'x' * 90000 + b'\r\n\r\n')

    def do_long_location(self, peer):
        peer.sendall(b'HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /' + b'a' * 60000 + b'\r\n\r\n')

    def do_long_line(self, peer):
        return self.flood('long_line', peer, b'HTTP/1.1 200 OK\r\nX-Long: ', b'l' * 65536, 64 << 20)

    def do_endless_1xx(self, peer):
        return self.flood('endless_1xx', peer, b'', b'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n', 64 << 20)

    def do_slow_loris(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nX-Slow: ')
        try:
            while not self.stopping:
                peer.sendall(b's')
                time.sleep(0.05)
        except OSError:
            raise Gone

    def drip(self, peer, head, piece):
        """One piece after the other, slowly and for ever."""
        peer.sendall(head)
        try:
            while not self.stopping:
                peer.sendall(piece)
                time.sleep(0.02)
        except OSError:
            raise Gone

    def do_slow_1xx(self, peer):
        self.drip(peer, b'', b'HTTP/1.1 103 Early Hints\r\n\r\n')

    def do_slow_chunk(self, peer):
        """A chunk whose extension never ends: bytes, yet none of the body."""
        self.drip(peer, b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5;', b'x')

    def do_slow_body(self, peer):
        self.drip(peer, b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n', b'b')

    def do_coded(self, peer):
        """What `coded` holds: (Content-Encoding, body)."""
        coding, body = self.coded
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n' % (
            coding.encode(), len(body)) + body)
        return True

    def gzip_answer(self, peer, body):
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
        return True

    def do_gzip(self, peer):
        return self.gzip_answer(peer, gzip.compress(HALF))

    def do_gzip_bomb(self, peer):
        """300 MB of zeros in 300 KB."""
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        pieces = [packer.compress(bytes(1 << 20)) for _ in range(300)] + [packer.flush()]
        return self.gzip_answer(peer, b''.join(pieces))

    def do_gzip_broken(self, peer):
        return self.gzip_answer(peer, gzip.compress(HALF)[:10] + b'\xff' * 300)     # no such kind of block

    def do_gzip_short(self, peer):
        """The whole Content-Length, yet a gzip stream that stops in the middle."""
        return self.gzip_answer(peer, gzip.compress(HALF)[:200])

    def do_unknown_coding(self, peer):
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Encoding: rot13\r\nContent-Length: 5\r\n\r\nuryyb')
        return True

    def do_once(self, peer):
        """Answers, then closes the kept connection without a word when it is used again."""
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n')
        peer.recv(65536)
        self.close_notify(peer)

    def do_smuggle(self, peer):
        """A second answer nobody asked for, right behind the first."""
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n'
                     b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil\n')
        return True


class Http2:
    """One HTTP/2 connection that breaks off as its path says."""

    def __init__(self, origin, peer):
        import h2.config
        import h2.connection
        self.origin, self.peer = origin, peer
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding='latin-1'))

    def serve(self):
        import h2.events
        self.h2.initiate_connection()
        self.flush()
        while True:
            piece = self.peer.recv(65536)
            if not piece:
                return
            for event in self.h2.receive_data(piece):
                if isinstance(event, h2.events.RequestReceived):
                    self.request(event.stream_id, dict(event.headers))
                if isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.flush()

    def flush(self):
        self.peer.sendall(self.h2.data_to_send())

    def request(self, stream, headers):
        path = headers[':path']
        self.origin.requests.append((headers[':method'], path, headers))
        name = path.strip('/').split('?')[0].split('/')[0].replace('-', '_')
        getattr(self, 'h2_' + name)(stream)

    def head(self, stream, *more, end=False):
        self.h2.send_headers(stream, [(':status', '200')] + list(more), end_stream=end)

    def raw_frame(self, kind, flags, stream, payload=b''):
        """A frame the library would not send, behind what it has sent."""
        self.flush()
        self.peer.sendall(struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', stream)
                          + payload)

    def h2_ok(self, stream):
        self.head(stream)
        self.h2.send_data(stream, b'ok\n', end_stream=True)

    def h2_trailers(self, stream):
        self.head(stream)
        self.h2.send_data(stream, b'hello')
        self.h2.send_headers(stream, [('x-sum', '5d41402a'), ('x-empty', '')], end_stream=True)

    def h2_hints(self, stream):
        for link in ('</a>', '</b>'):
            self.h2.send_headers(stream, [(':status', '103'), ('link', link)])
        self.head(stream, ('x-final', '1'))
        self.h2.send_data(stream, b'after the hints\n', end_stream=True)

    def h2_rst(self, stream):
        self.head(stream)
        self.h2.send_data(stream, HALF)
        self.h2.reset_stream(stream, 2)                     # INTERNAL_ERROR

    def h2_rst_at_once(self, stream):
        self.h2.reset_stream(stream, 2)

    def h2_refused(self, stream):
        """REFUSED_STREAM the first time: surely not processed, so safe to ask again."""
        if sum(path == '/refused' for _, path, _ in self.origin.requests) == 1:
            self.h2.reset_stream(stream, 7)
        else:
            self.h2_ok(stream)

    def h2_short(self, stream):
        self.head(stream, ('content-length', '1000'))
        self.raw_frame(0, 1, stream, HALF)                  # DATA, END_STREAM

    def h2_goaway(self, stream):
        self.head(stream)
        self.h2.send_data(stream, HALF)
        self.h2.close_connection(error_code=2, last_stream_id=stream)
        self.flush()
        Origin.close_notify(self.peer)
        raise Gone

    def h2_cut(self, stream):
        self.head(stream)
        self.h2.send_data(stream, HALF)
        self.flush()
        self.origin.cut(self.peer)
        raise Gone

    def h2_stall(self, stream):
        self.head(stream)
        self.h2.send_data(stream, HALF)

    def h2_silent(self, stream):
        pass

    def flood(self, name, stream, kind, flags, number, payload=b''):
        self.flush()
        frame = (struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', number) + payload)
        self.origin.sent[name] = 0
        try:
            while not self.origin.stopping:
                self.peer.sendall(frame * 100)
                self.origin.sent[name] += 100
                time.sleep(0.001)
        except OSError:
            raise Gone

    def h2_empty_data(self, stream):
        self.head(stream)
        self.flood('empty_data', stream, 0, 0, stream)

    def h2_ping_flood(self, stream):
        self.head(stream)
        self.flood('ping_flood', stream, 6, 0, 0, b'12345678')

    def h2_settings_flood(self, stream):
        self.head(stream)
        self.flood('settings_flood', stream, 4, 0, 0)

    def h2_rst_flood(self, stream):
        """For a stream that is long closed."""
        self.head(stream, end=True)
        self.flood('rst_flood', stream, 3, 0, stream, struct.pack('>I', 8))

    def h2_continuation_flood(self, stream):
        """RFC 9113, 10.5: a head that never ends."""
        self.raw_frame(1, 0, stream, b'\x88')               # HEADERS: :status 200, without END_HEADERS
        self.flood('continuation_flood', stream, 9, 0, stream, b'\x00\x01a\x20' + b'b' * 32)

    def h2_empty_continuation_flood(self, stream):
        self.raw_frame(1, 0, stream, b'\x88')
        self.flood('empty_continuation_flood', stream, 9, 0, stream)

    def h2_hpack_bomb(self, stream):
        """One long field into the table, then a byte for each copy of it: 39 MB in 16 KB."""
        field = b'\x40\x01x\x7f' + bytes([(3000 - 127) & 0x7f | 0x80, (3000 - 127) >> 7]) + b'b' * 3000
        self.raw_frame(1, 4, stream, b'\x88' + field + b'\xbe' * 13000)   # ... | END_HEADERS
        Origin.close_notify(self.peer)
        raise Gone

    def h2_garbage(self, stream):
        self.flush()
        self.peer.sendall(b'this is not HTTP/2, whatever was agreed on' * 100)
        Origin.close_notify(self.peer)
        raise Gone


class Handshake(Origin):
    """Listens where TLS is expected and does `what` with the ClientHello: reset, close, garbage,
    or stall (never a byte)."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def url(self, path='/', host='localhost'):
        return 'https://%s:%d%s' % (host, self.port, path)

    def shake(self, peer):
        peer.recv(65536)
        if self.what == 'reset':
            self.reset(peer)
        elif self.what == 'garbage':
            peer.sendall(b'HTTP/1.1 400 Bad Request\r\n\r\n')
            self.cut(peer)
        elif self.what == 'stall':
            self.wait_end(peer)


def refused_port():
    """A loopback port that nobody listens on."""
    with socket.create_server(('127.0.0.1', 0)) as probe:
        return probe.getsockname()[1]


class Blackhole:
    """A port whose connections never come about: a listener whose backlog is full."""

    def __init__(self, host='127.0.0.1'):
        self.host, self.family = host, socket.AF_INET6 if ':' in host else socket.AF_INET

    def __enter__(self):
        self.listener = socket.socket(self.family)
        if self.family == socket.AF_INET6:
            self.listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.listener.bind((self.host, 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            one = socket.socket(self.family)
            one.setblocking(False)
            one.connect_ex((self.host, self.port))
            self.fillers.append(one)
        time.sleep(0.1)
        return self

    def __exit__(self, *_):
        for one in self.fillers + [self.listener]:
            one.close()
