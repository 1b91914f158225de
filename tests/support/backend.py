"""The well-behaved origin behind nginx: echoes, hashes uploads, compresses, redirects, and holds
answers back until the test says so, which lets a test be sure instead of sleeping.

/headers            JSON {method, target, headers}
/echo               the body as it came
/upload             JSON {method, bytes, sha256, headers}, after the whole body
/early              answers 413 before it has read the body
/status/N           that status and a short text
/chain/N            302 to /chain/N-1, down to 200 at 0
/set-cookie         two Set-Cookie headers
/gate/NAME/COUNT    answers when COUNT requests wait there together
/drip/NAME/COUNT    the same, and then leave one by one, 70 a second
/hold/NAME          answers when release(NAME) is called
/half/NAME/BYTES    headers and half of the content, the rest after release(NAME)
/br/FILE /zstd/FILE /deflate/FILE    the static file in that coding
"""
import asyncio
import collections
import hashlib
import json
import threading
import time
import zlib
from pathlib import Path

from . import bodies


class Request:
    def __init__(self, method, target, headers, reader):
        self.method, self.target, self.headers, self.reader = method, target, headers, reader
        self.path = target.split('?')[0].strip('/').split('/')

    def header(self, name):
        return next((v for n, v in self.headers if n.lower() == name), None)

    async def pieces(self):
        """The body, as it comes."""
        if 'chunked' in (self.header('transfer-encoding') or ''):
            while True:
                size = int((await self.reader.readline()).split(b';')[0], 16)
                piece = await self.reader.readexactly(size)
                await self.reader.readline()
                if not size:
                    return
                yield piece
        left = int(self.header('content-length') or 0)
        while left:
            piece = await self.reader.read(min(left, 1 << 18))
            if not piece:
                raise asyncio.IncompleteReadError(b'', left)
            left -= len(piece)
            yield piece


class Backend:
    def __init__(self, root='/nonexistent'):
        self.root = Path(root)
        self.requests = []                          # dicts, in the order they came
        self.waiting = collections.Counter()        # NAME -> how many wait there now
        self.seen = collections.Counter()           # NAME -> how many ever came
        self.ended = collections.Counter()          # NAME -> how many were given up by the other side
        self.gates = {}
        self.drips = asyncio.Lock()
        self.coded = {}

    # ---- the test's side ----

    def start(self):
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,), daemon=True)
        self.thread.start()
        started.wait(20)
        return self

    def stop(self):
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(20)

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def release(self, name):
        self.loop.call_soon_threadsafe(lambda: self.gate(name).set())

    def until(self, question, seconds=60):
        """Waits until question() is true. Raises if it never is."""
        deadline = time.monotonic() + seconds
        while not question():
            if time.monotonic() > deadline:
                raise AssertionError('the origin waited in vain; waiting %r, seen %r, ended %r' % (
                    dict(self.waiting), dict(self.seen), dict(self.ended)))
            time.sleep(0.005)

    def until_waiting(self, name, count=1, seconds=60):
        self.until(lambda: self.waiting[name] >= count, seconds)

    def until_ended(self, name, count=1, seconds=60):
        self.until(lambda: self.ended[name] >= count, seconds)

    # ---- the server's side ----

    def run(self, started):
        asyncio.run(self.serve(started))

    async def serve(self, started):
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        server = await asyncio.start_server(self.connection, '127.0.0.1', 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self.stopping.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def gate(self, name):
        return self.gates.setdefault(name, asyncio.Event())

    async def connection(self, reader, writer):
        try:
            while await self.one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
            pass
        finally:
            writer.close()

    async def one(self, reader, writer):
        line = await reader.readline()
        if not line:
            return False
        method, target, _ = line.decode('latin-1').split(' ', 2)
        headers = []
        while True:
            line = (await reader.readline()).decode('latin-1').rstrip('\r\n')
            if not line:
                break
            name, _, value = line.partition(':')
            headers.append([name, value.strip()])
        request = Request(method, target, headers, reader)
        self.requests.append(dict(method=method, target=target, headers=headers))
        handler = getattr(self, 'do_' + request.path[0].replace('-', '_'), self.do_nothing)
        keep = await handler(request, writer)
        await writer.drain()
        return keep is not False

    def answer(self, request, writer, body=b'', status=200, headers=(), length=None):
        lines = ['HTTP/1.1 %d X' % status]
        lines += ['%s: %s' % pair for pair in headers]
        if status not in (204, 304):
            lines.append('Content-Length: %d' % (len(body) if length is None else length))
        writer.write(('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1'))
        if request.method != 'HEAD':
            writer.write(body)

    def answer_json(self, request, writer, value):
        self.answer(request, writer, json.dumps(value).encode(), headers=[('Content-Type', 'application/json')])

    async def swallow(self, request):
        async for _ in request.pieces():
            pass

    async def do_nothing(self, request, writer):
        self.answer(request, writer, b'no such path\n', 404)

    async def do_headers(self, request, writer):
        await self.swallow(request)
        self.answer_json(request, writer, dict(method=request.method, target=request.target,
                                               headers=request.headers))

    async def do_echo(self, request, writer):
        body = b''.join([piece async for piece in request.pieces()])
        self.answer(request, writer, body)

    async def do_upload(self, request, writer):
        digest, count = hashlib.sha256(), 0
        async for piece in request.pieces():
            digest.update(piece)
            count += len(piece)
        self.answer_json(request, writer, dict(method=request.method, bytes=count, sha256=digest.hexdigest(),
                                               headers=request.headers))

    async def do_early(self, request, writer):
        self.answer(request, writer, b'too much\n', 413, [('Connection', 'close')])
        return False

    async def do_status(self, request, writer):
        await self.swallow(request)
        status = int(request.path[1])
        self.answer(request, writer, b'' if status in (204, 304) else b'status %d\n' % status, status)

    async def do_chain(self, request, writer):
        left = int(request.path[1])
        if left:
            self.answer(request, writer, b'', 302, [('Location', '/chain/%d' % (left - 1))])
        else:
            self.answer(request, writer, b'the end of the chain\n')

    async def do_set_cookie(self, request, writer):
        self.answer(request, writer, b'cookies\n', 200,
                    [('Set-Cookie', 'first=1; Path=/'), ('Set-Cookie', 'second=2; HttpOnly')])

    async def stay(self, name, request, event):
        """Waits for `event`; False when the other side gave up first."""
        self.waiting[name] += 1
        self.seen[name] += 1
        gone = asyncio.ensure_future(request.reader.read(1))
        wanted = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait([gone, wanted], return_when=asyncio.FIRST_COMPLETED)
            if not wanted.done():
                self.ended[name] += 1
            return wanted.done()
        finally:
            self.waiting[name] -= 1
            for task in (gone, wanted):
                task.cancel()
            await asyncio.gather(gone, wanted, return_exceptions=True)

    async def do_gate(self, request, writer):
        name, count = request.path[1], int(request.path[2])
        if self.waiting[name] + 1 >= count:
            self.gate(name).set()
        if not await self.stay(name, request, self.gate(name)):
            return False
        self.answer(request, writer, b'through the gate\n')

    async def do_drip(self, request, writer):
        name, count = request.path[1], int(request.path[2])
        if self.waiting[name] + 1 >= count:
            self.gate(name).set()
        if not await self.stay(name, request, self.gate(name)):
            return False
        async with self.drips:
            await asyncio.sleep(1 / 70)
        self.answer(request, writer, b'a drop\n')

    async def do_hold(self, request, writer):
        await self.swallow(request)
        if not await self.stay(request.path[1], request, self.gate(request.path[1])):
            return False
        self.answer(request, writer, b'released\n')

    async def do_half(self, request, writer):
        name, size = request.path[1], int(request.path[2])
        body = bodies.content(size, name)
        self.answer(request, writer, body[:size // 2], length=size)
        await writer.drain()
        if not await self.stay(name, request, self.gate(name)):
            return False
        writer.write(body[size // 2:])

    async def coded_file(self, request, writer, coding, encode):
        name = '/'.join(request.path[1:])
        if (coding, name) not in self.coded:
            self.coded[coding, name] = encode((self.root / name).read_bytes())
        self.answer(request, writer, self.coded[coding, name], headers=[('Content-Encoding', coding)])

    async def do_br(self, request, writer):
        import brotli
        await self.coded_file(request, writer, 'br', lambda data: brotli.compress(data, quality=1))

    async def do_zstd(self, request, writer):
        import zstandard
        await self.coded_file(request, writer, 'zstd', zstandard.ZstdCompressor(level=1).compress)

    async def do_deflate(self, request, writer):
        await self.coded_file(request, writer, 'deflate', lambda data: zlib.compress(data, 1))
