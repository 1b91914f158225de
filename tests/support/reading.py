"""An origin over plain HTTP/1.1 that a test can look through: it keeps the head of each request byte by
byte, and reads bodies when its handler wants to, which a server that behaves would not leave to it.

    with Reading() as origin:
        origin.url('/continue'); origin.exchanges[-1].head
"""
import hashlib
import json
import threading

from .origins import Gone, Origin


class Exchange:
    def __init__(self, peer, head, rest):
        self.peer, self.head, self.rest = peer, head, rest
        lines = head.decode('latin-1').split('\r\n')
        self.method, self.target, _ = lines[0].split(' ', 2)
        self.headers = [line.split(':', 1) for line in lines[1:]]
        self.headers = [(name, value.strip()) for name, value in self.headers]
        self.body_bytes = 0

    def header(self, name):
        return next((v for n, v in self.headers if n.lower() == name), None)

    @property
    def names(self):
        return [name for name, _ in self.headers]

    def say(self, text):
        self.peer.sendall(text.replace('\n', '\r\n').encode('latin-1'))

    def take(self, size):
        while len(self.rest) < size:
            piece = self.peer.recv(65536)
            if not piece:
                raise Gone
            self.rest += piece
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def line(self):
        line = b''
        while not line.endswith(b'\r\n'):
            line += self.take(1)
        return line

    def read_body(self):
        body = b''
        if self.header('transfer-encoding') == 'chunked':
            while True:
                size = int(self.line(), 16)
                body += self.take(size)
                self.take(2)
                if not size:
                    break
        else:
            body = self.take(int(self.header('content-length') or 0))
        self.body_bytes = len(body)
        return body

    def answer(self, status, body=b'', *headers):
        head = 'HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n' % (
            status, ''.join('%s: %s\r\n' % pair for pair in headers), len(body))
        self.peer.sendall(head.encode('latin-1') + (b'' if self.method == 'HEAD' else body))


class Reading(Origin):
    def __init__(self):
        super().__init__()
        self.exchanges = []
        self.gate = threading.Event()

    def serve(self, peer):
        rest = b''
        while True:
            while b'\r\n\r\n' not in rest:
                piece = peer.recv(65536)
                if not piece:
                    return
                rest += piece
            head, _, rest = rest.partition(b'\r\n\r\n')
            exchange = Exchange(peer, head, rest)
            self.exchanges.append(exchange)
            name = exchange.target.split('?')[0].strip('/').split('/')[0].replace('-', '_')
            if getattr(self, 'on_' + name)(exchange) is False:
                return
            rest = exchange.rest

    def got(self, exchange, body):
        exchange.answer(200, json.dumps(dict(bytes=len(body), sha256=hashlib.sha256(body).hexdigest())).encode())

    def on_head(self, exchange):
        """The head, as it came."""
        exchange.read_body()
        exchange.answer(200, exchange.head)

    def on_continue(self, exchange):
        assert not exchange.rest, 'the body did not wait'
        exchange.say('HTTP/1.1 100 Continue\n\n')
        self.got(exchange, exchange.read_body())

    def on_upload(self, exchange):
        """Says no 100, whatever is expected."""
        self.got(exchange, exchange.read_body())

    def on_late_continue(self, exchange):
        self.gate.wait(30)
        self.on_continue(exchange)

    def on_unexpected(self, exchange):
        """RFC 9110, 15.5.18: wants no Expect."""
        if exchange.header('expect'):
            exchange.answer(417, b'no expectations\n')
        else:
            self.got(exchange, exchange.read_body())

    def on_unexpected_close(self, exchange):
        if exchange.header('expect'):
            exchange.answer(417, b'', ('Connection', 'close'))
            return False
        return self.got(exchange, exchange.read_body())

    def on_unauthorized(self, exchange):
        exchange.answer(401, b'who are you?\n', ('WWW-Authenticate', 'Basic realm="x"'))
        return False

    def on_moved(self, exchange):
        """Before the body was asked for."""
        exchange.answer(307, b'', ('Location', '/continue'))
        return False

    def on_redirect(self, exchange):
        """/redirect/STATUS?URL"""
        exchange.read_body()
        status, _, url = exchange.target[len('/redirect/'):].partition('?')
        exchange.answer(int(status), b'moved\n', ('Location', url), ('Set-Cookie', 'hop=1'),
                        ('Set-Cookie', 'other=2'))

    def on_hints(self, exchange):
        exchange.say('HTTP/1.1 103 Early Hints\nLink: </a>\nX-Early: 1\n\nHTTP/1.1 102 Processing\n\n'
                     'HTTP/1.1 103 Early Hints\nLink: </b>\n\n')
        exchange.answer(200, b'after the hints\n', ('X-Final', '1'))

    def on_trailers(self, exchange):
        exchange.say('HTTP/1.1 200 X\nTrailer: X-Sum\nTransfer-Encoding: chunked\n\n5\nhello\n0\n'
                     'X-Sum: 5d41402a\nx-empty:\nX-Sum: again\n\n')

    def on_trailer_bomb(self, exchange):
        exchange.say('HTTP/1.1 200 X\nTransfer-Encoding: chunked\n\n5\nhello\n0\n')
        return self.flood('trailer_bomb', exchange.peer, b'', b'X-Bomb: ' + b'b' * 990 + b'\r\n', 64 << 20)

    def on_delimited(self, exchange):
        exchange.say('HTTP/1.1 200 X\nConnection: close\n\nuntil the end')
        self.close_notify(exchange.peer)
        return False

    def on_headers(self, exchange):
        """/headers/BYTES: a header section of about that size."""
        size = int(exchange.target.split('/')[2])
        exchange.answer(200, b'ok\n', *[('X-%d' % i, 'x' * 990) for i in range(size // 1000)])

    def on_etag(self, exchange):
        if exchange.header('if-none-match') == '"v1"':
            exchange.say('HTTP/1.1 304 X\nETag: "v1"\n\n')
        else:
            exchange.answer(200, b'version 1\n', ('ETag', '"v1"'))
