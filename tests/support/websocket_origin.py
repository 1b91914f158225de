"""A WebSocket server by python3-websockets: behaviours by path, what happens as JSON lines on stdout. See
websocket_server.py. Arguments: certificate, key, seconds between its pings. It ends with its stdin."""
import asyncio
import http
import itertools
import json
import logging
import os
import random
import ssl
import sys
import urllib.parse

sys.path.pop(0)                     # this folder, whose names are not for it
import websockets  # noqa: E402


def say(*row):
    print(json.dumps(row), flush=True)


async def do_echo(ws, argument):
    async for message in ws:
        await ws.send(message)


def cut(chance, message):
    at = 0
    while at < len(message):
        size = chance.choice((1, 2, 125, 126, 127, 1000, 65535, 65536, 65537, len(message)))
        yield message[at:at + size]
        at += size


async def do_fragments(ws, argument):
    chance = random.Random(argument)
    numbers = (b'%08d' % n for n in itertools.count())

    async def pieces(message):
        """A few empty fragments among the others, and pings as they come."""
        some = list(cut(chance, message))
        if len(some) > 200:
            some = [message[i:i + len(message) // 100] for i in range(0, len(message), len(message) // 100)]
        for piece in some or [message]:
            if chance.random() < 0.3:
                yield message[:0]
            yield piece
            if chance.random() < 0.3:
                await ws.ping(next(numbers) + b'x' * chance.randrange(117))   # no two alike may be open
            if chance.random() < 0.1:
                await asyncio.sleep(0.001)
    async for message in ws:
        await ws.send(pieces(message))


async def do_flood(ws, argument):
    piece, left = bytes(65536), int(argument)
    while left > 0:
        await ws.send(piece)
        left -= len(piece)
    await ws.wait_closed()


async def do_count(ws, argument):
    size, count = 0, 0
    async for message in ws:
        if message == 'how much':
            await ws.send('%d in %d' % (size, count))
        else:
            size += len(message)
            count += 1


async def do_close(ws, argument):
    code, _, reason = argument.partition(',')
    await ws.send('now')
    await ws.close(int(code), reason)


async def do_deaf(ws, argument):
    await asyncio.sleep(3600)


async def do_headers(ws, argument):
    await ws.send(json.dumps(list(ws.request_headers.raw_items())))
    await ws.wait_closed()


async def serve_one(ws):
    path, _, argument = ws.path.partition('?')
    say('open', ws.path)
    try:
        await globals()['do_' + path.strip('/')](ws, argument)
    finally:
        await ws.wait_closed()
        say('closed', ws.path, ws.close_code, ws.close_reason)


async def refuse(path, headers):
    if 'do_' + path.partition('?')[0].strip('/') not in globals():
        return http.HTTPStatus.NOT_FOUND, [], b'no such place\n'


def set_cookies(path, headers):
    """/headers?c=SET_COOKIE&c=..."""
    query = urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query)
    return [('Set-Cookie', value) for name, value in query if name == 'c']


async def run(cert, key, pings):
    logging.getLogger('websockets').setLevel(logging.CRITICAL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    options = dict(max_size=None, max_queue=4, ping_interval=pings or None, ping_timeout=60, close_timeout=60,
                   process_request=refuse, extra_headers=set_cookies, subprotocols=['one', 'two'], backlog=4096)
    ports = []
    for tls in (context, None):
        server = await websockets.serve(serve_one, '127.0.0.1', 0, ssl=tls, **options)
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == '__main__':
    asyncio.new_event_loop().run_until_complete(run(sys.argv[1], sys.argv[2], float(sys.argv[3])))
    os._exit(0)
