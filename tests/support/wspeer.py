"""WebSocket origins for tests: a raw one that does what its handler says, frame by frame and byte by
byte, and an echo of other people's making (python3-websockets), in a process of its own.

    def handler(peer):
        peer.open(then=frame(TEXT, b'came with the 101'))
        peer.expect(CLOSE)

    with RawPeer(handler, authority.leaf('raw')) as origin:
        origin.url('/')
"""
import base64
import contextlib
import hashlib
import random
import socket
import ssl
import struct
import subprocess
import sys
import threading
import traceback

GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def accept_key(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def frame(opcode, payload=b'', fin=True, reserved=0, mask=None, length=None):
    """A server's frame. `length` lies about the payload's."""
    size = len(payload) if length is None else length
    head = bytes([fin << 7 | reserved << 4 | opcode])
    masked = 0x80 if mask else 0
    if size < 126:
        head += bytes([masked | size])
    elif size < 65536:
        head += struct.pack('>BH', masked | 126, size)
    else:
        head += struct.pack('>BQ', masked | 127, size)
    if mask:
        payload = mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
    return head + payload


def close(code=None, reason=b''):
    return frame(CLOSE, b'' if code is None else struct.pack('>H', code) + reason)


def unmask(payload, mask):
    if not payload:
        return payload
    whole = int.from_bytes(payload, 'big')
    key = int.from_bytes((mask * (len(payload) // 4 + 1))[:len(payload)], 'big')
    return (whole ^ key).to_bytes(len(payload), 'big')


class Gone(Exception):
    """The other side ended the connection."""


class Peer:
    """One connection, as a handler sees it."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b''
        self.masks = []

    def more(self):
        try:
            piece = self.sock.recv(1 << 18)
        except (ConnectionError, ssl.SSLError) as error:
            raise Gone(str(error)) from None
        if not piece:
            raise Gone('end')
        self.buffer += piece

    def take(self, size):
        while len(self.buffer) < size:
            self.more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone(str(error)) from None

    # ---- the handshake ----

    def request(self):
        while b'\r\n\r\n' not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        self.request_line = lines[0]
        self.header_lines = [tuple(part.strip() for part in line.split(':', 1)) for line in lines[1:]]
        self.headers = {name.lower(): value for name, value in self.header_lines}
        return self.headers

    def answer(self, status='101 Switching Protocols', headers=(), then=b'', **changed):
        """`changed` replaces a header of the right answer, or leaves it out: accept, upgrade, connection."""
        right = dict(upgrade='websocket', connection='Upgrade',
                     accept=accept_key(self.headers.get('sec-websocket-key', '')))
        right.update(changed)
        names = dict(upgrade='Upgrade', connection='Connection', accept='Sec-WebSocket-Accept')
        lines = ['HTTP/1.1 ' + status] + ['%s: %s' % (names[n], v) for n, v in right.items() if v is not None]
        lines += ['%s: %s' % pair for pair in headers]
        self.send('\r\n'.join(lines).encode() + b'\r\n\r\n' + then)

    def open(self, **answer):
        self.request()
        self.answer(**answer)
        return self

    # ---- frames ----

    def read(self):
        """The next frame of the client: (fin, opcode, payload). It must be masked, its length minimal."""
        first, second = self.take(2)
        assert not first & 0x70, 'reserved bits %02x' % first
        assert second & 0x80, 'a frame that is not masked'
        size = second & 0x7f
        if size == 126:
            size, = struct.unpack('>H', self.take(2))
            assert size > 125, 'the length is not minimal'
        elif size == 127:
            size, = struct.unpack('>Q', self.take(8))
            assert 65535 < size < 1 << 63, 'the length is not minimal'
        mask = self.take(4)
        self.masks.append(mask)
        return bool(first & 0x80), first & 15, unmask(self.take(size), mask)

    def expect(self, opcode, payload=None):
        """The next frame must be this, whole. Returns its payload."""
        fin, got, data = self.read()
        assert (fin, got) == (True, opcode), 'opcode %d instead of %d: %r' % (got, opcode, data[:80])
        assert payload is None or data == payload, '%r instead of %r' % (data[:80], payload)
        return data

    def expect_close(self, code=None):
        data = self.expect(CLOSE)
        got = struct.unpack('>H', data[:2])[0] if data else None
        assert code is None or got == code, 'close %r instead of %r: %r' % (got, code, data[2:])
        return got

    def expect_end(self):
        """Nothing may come but the end."""
        try:
            while True:
                assert not self.buffer, 'more came: %r' % self.buffer[:80]
                self.more()
        except Gone:
            pass

    def end(self):
        """Closes as a good server does, after the close frames."""
        with contextlib.suppress(OSError, ssl.SSLError):
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock = self.sock.unwrap()
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sock.close()


class RawPeer:
    """A listener whose connections each run `handler(peer)` in a thread. check() raises what one raised."""

    def __init__(self, handler, pair=None, receive_bytes=None):
        self.handler, self.context = handler, None
        if pair:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pair.cert_path, pair.key_path)
            self.context.sni_callback = self.note_name
        self.names, self.problems, self.connections, self.open = [], [], 0, 0
        self.lock = threading.Lock()
        self.idle = threading.Condition(self.lock)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_bytes:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.listener.bind(('127.0.0.1', 0))
        self.listener.listen(512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def note_name(self, _, name, __):
        self.names.append(name)

    def url(self, path='/', host='localhost'):
        return '%s://%s:%d%s' % ('wss' if self.context else 'ws', host, self.port, path)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open += 1
            threading.Thread(target=self.connection, args=(sock,), daemon=True).start()

    def connection(self, sock):
        sock.settimeout(60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
            self.handler(Peer(sock))
        except Gone as gone:
            self.problems.append('the client ended the connection: %s' % gone)
        except (OSError, ssl.SSLError) as error:
            self.problems.append(repr(error))
        except AssertionError:
            self.problems.append(traceback.format_exc())
        finally:
            with contextlib.suppress(OSError):
                sock.close()
            with self.idle:
                self.open -= 1
                self.idle.notify_all()

    def check(self, seconds=30):
        """Waits until all handlers have returned, and raises if one had a complaint."""
        with self.idle:
            assert self.idle.wait_for(lambda: self.open == 0, seconds), '%d handlers still run' % self.open
        assert not self.problems, '\n'.join(self.problems)

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


# ---- python3-websockets ----

class Echo:
    """python3-websockets over TLS, in a process of its own. Paths: /echo; /fragments sends what it gets
    back in random fragments with pings between them; /send?bytes=N one binary message; /close?code=N."""

    def __init__(self, pair=None):
        arguments = [str(pair.cert_path), str(pair.key_path)] if pair else []
        self.scheme = 'wss' if pair else 'ws'
        self.process = subprocess.Popen([sys.executable, __file__] + arguments, stdout=subprocess.PIPE,
                                        stdin=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def url(self, path='/echo', host='localhost'):
        return '%s://%s:%d%s' % (self.scheme, host, self.port, path)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def query(path, name, otherwise):
    for part in path.partition('?')[2].split('&'):
        key, _, value = part.partition('=')
        if key == name:
            return int(value)
    return otherwise


async def in_fragments(message):
    import asyncio
    at = 0
    while at < len(message):
        size = random.choice((1, 7, 125, 126, 1000, 65535, 65536, 100000))
        yield message[at:at + size]
        at += size
        await asyncio.sleep(0)


async def mixed(ws, message):
    """Sends in fragments; the library has no pings between them, so a task sends those."""
    import asyncio

    async def ping():
        while True:
            await ws.ping()
            await asyncio.sleep(0)
    task = asyncio.ensure_future(ping())
    try:
        await ws.send(in_fragments(message))
    finally:
        task.cancel()


async def serve_one(ws, path):
    if path.startswith('/send'):
        await ws.send(b'x' * query(path, 'bytes', 0))
    if path.startswith('/close'):
        await ws.close(query(path, 'code', 1000), 'as asked')
        return
    async for message in ws:
        if path.startswith('/fragments') and message:
            await mixed(ws, message)
        else:
            await ws.send(message)


def main():
    import asyncio
    import websockets
    context = None
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])

    async def run():
        server = await websockets.serve(serve_one, '127.0.0.1', 0, ssl=context, max_size=None, max_queue=None,
                                        compression=None, subprotocols=['second', 'first'], backlog=1024,
                                        ping_interval=None)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)   # until the test is gone
    asyncio.run(run())


if __name__ == '__main__':
    main()
