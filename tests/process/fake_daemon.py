"""A daemon of Python for testing clients: each connection is a generator-free script in a thread.

    with FakeDaemon(serve) as daemon:       # serve(peer) runs for each connection
        ...

serve(peer) gets a Peer; when it returns, the connection is closed. daemon.failure holds what a
script raised.
"""
import collections
import socket
import struct
import threading

import msgpack

from support import paths
from support.protocol import CHARGE, DATA_BYTES, NAMES, encode

Frame = collections.namedtuple('Frame', 'type id body')


class Gone(Exception):
    """The client closed the connection."""


class Peer:
    """One client, seen from the daemon."""

    def __init__(self, connection, number):
        self.socket, self.number = connection, number
        self.socket.settimeout(20)
        self.buffer = bytearray()
        self.credit = collections.defaultdict(lambda: 256 << 10)
        self.credit[0] = 16 << 20
        self.granted = collections.Counter()

    def send(self, kind, id=0, body=None):
        self.send_raw(encode(kind, id, {} if body is None else body))

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone(str(error)) from None

    def receive(self):
        while True:
            if len(self.buffer) >= 4:
                length = struct.unpack_from('>I', self.buffer)[0]
                if len(self.buffer) >= 4 + length:
                    kind, id, body = msgpack.unpackb(bytes(self.buffer[4:4 + length]), raw=False)
                    del self.buffer[:4 + length]
                    frame = Frame(NAMES.get(kind, kind), id, body)
                    self.note(frame)
                    return frame
            try:
                piece = self.socket.recv(1 << 20)
            except OSError as error:
                raise Gone(str(error)) from None
            if not piece:
                raise Gone('closed')
            self.buffer += piece

    def note(self, frame):
        if frame.type == 'CREDIT':
            self.credit[frame.id] += frame.body['bytes']
            self.granted[frame.id] += frame.body['bytes']
        elif frame.type == 'FETCH':
            self.credit[frame.id] = frame.body.get('window', 256 << 10)

    def expect(self, kind):
        """The next frame but CREDITs must be of that kind."""
        while True:
            frame = self.receive()
            if frame.type == kind:
                return frame
            assert frame.type == 'CREDIT', 'a %s came, not a %s' % (frame.type, kind)

    def welcome(self, **more):
        hello = self.expect('HELLO')
        self.send('WELCOME', 0, dict(dict(version=1, version_min=1, version_max=1, server='fake/1',
                                          instance='i%d' % self.number, streams=1000), **more))
        return hello

    def respond(self, id, body=b'', status=200, headers=(), done=None, **more):
        self.send('RESPONSE', id, dict(dict(status=status, http_version='1.1', headers=[list(h) for h in headers]), **more))
        self.data(id, body)
        self.done(id, body_bytes=len(body), **(done or {}))

    def data(self, id, body):
        """Sends a body under the client's credit."""
        at = 0
        while at < len(body):
            room = min(self.credit[id], self.credit[0]) - CHARGE
            if room <= 0:
                self.receive()
                continue
            piece = body[at:at + min(room, DATA_BYTES)]
            self.spend(id, len(piece))
            self.send('DATA', id, piece)
            at += len(piece)

    def spend(self, id, length):
        self.credit[id] -= length + CHARGE
        self.credit[0] -= length + CHARGE

    def done(self, id, **more):
        self.send('DONE', id, dict(dict(status=200, attempts=1, worker=3, remote='127.0.0.1:443'), **more))

    def fail(self, id, name, **more):
        self.send('DONE', id, dict(error=dict(dict(name=name, message='it was %s' % name), **more)))

    def body(self, id, window=1 << 20):
        """Takes a streamed body, giving credit as it comes."""
        self.send('CREDIT', id, dict(bytes=window))
        whole = bytearray()
        while True:
            frame = self.expect('DATA')
            assert frame.id == id
            if not frame.body:
                return bytes(whole)
            whole += frame.body
            self.send('CREDIT', id, dict(bytes=len(frame.body) + CHARGE))
            self.send('CREDIT', 0, dict(bytes=len(frame.body) + CHARGE))

    def until_gone(self):
        frames = []
        try:
            while True:
                frames.append(self.receive())
        except Gone:
            return frames


class FakeDaemon:
    def __init__(self, serve, path=None):
        self.serve = serve
        self.path = path or paths.folder('c') / 'fetchd.sock'
        self.failure = None
        self.connections = 0
        self.threads = []

    @property
    def address(self):
        return 'unix:%s' % self.path

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(64)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()
        return self

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self.run, args=(connection, self.connections), daemon=True)
            thread.start()
            self.threads.append(thread)

    def run(self, connection, number):
        try:
            self.serve(Peer(connection, number))
        except Gone:
            pass
        except BaseException as problem:
            self.failure = problem
        finally:
            connection.close()

    def __exit__(self, kind, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(20)
        if self.failure and kind is None:
            raise self.failure
