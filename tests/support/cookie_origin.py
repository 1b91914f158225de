"""An origin of many names, over HTTP and HTTPS, that sets cookies and writes down who came with which.

    with CookieOrigin(authority) as origin:
        origin.url('/set?c=a%3D1', 'www.shop.test')

/set?c=SET_COOKIE&c=...      JSON {cookie, secure, host} of the request, and those Set-Cookie headers
/go?to=URL&c=...             302 to there, with those
/status/N?c=...              that status, with those
/h?NAME=VALUE                with that header

Names resolve by `resolve`: every one of them means 127.0.0.1.
"""
import asyncio
import json
import ssl
import threading
import urllib.parse

NAMES = ('shop.test', 'www.shop.test', 'deep.www.shop.test', 'other.test', 'www.other.test', 'shop.co.uk',
         'alice.github.io', 'bob.github.io')


class CookieOrigin:
    def __init__(self, authority, names=NAMES):
        self.names, self.requests, self.ports = names, [], {}
        self.leaf = authority.leaf('cookies', names=('localhost', '127.0.0.1', *names))

    # ---- the test's side ----

    def __enter__(self):
        started = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve(started)), daemon=True)
        self.thread.start()
        started.wait(20)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(20)

    @property
    def resolve(self):
        return ['%s:%d:127.0.0.1' % (name, port) for name in self.names for port in self.ports.values()]

    def url(self, path='/set', host='www.shop.test', secure=True, scheme=None):
        scheme = scheme or ('https' if secure else 'http')
        return '%s://%s:%d%s' % (scheme, host, self.ports['https' if secure else 'http'], path)

    def set(self, *cookies, path='/set', to=None, **more):
        """The URL that sets these cookies, and redirects when `to` is given."""
        query = [('c', cookie) for cookie in cookies] + ([('to', to)] if to else [])
        return self.url(('/go' if to else path) + '?' + urllib.parse.urlencode(query), **more)

    def seen(self):
        """{cookie name: value} of the newest request."""
        return parse(self.requests[-1]['cookie'])

    # ---- the server's side ----

    async def serve(self, started):
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.leaf.cert_path, self.leaf.key_path)
        servers = {}
        for name, tls in (('http', None), ('https', context)):
            servers[name] = await asyncio.start_server(self.connection, '127.0.0.1', 0, backlog=4096, ssl=tls)
            self.ports[name] = servers[name].sockets[0].getsockname()[1]
        started.set()
        await self.stopping.wait()
        for server in servers.values():
            server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def connection(self, reader, writer):
        tls = writer.get_extra_info('ssl_object')
        about = dict(peer=writer.get_extra_info('peername')[1], secure=tls is not None,
                     resumed=bool(tls and tls.session_reused))
        try:
            while await self.one(reader, writer, about):
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
            pass
        finally:
            writer.close()

    async def one(self, reader, writer, about):
        head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').split('\r\n')
        target = head[0].split(' ')[1]
        headers = [line.split(': ', 1) for line in head[1:] if ': ' in line]
        named = {name.lower(): value for name, value in headers}
        await reader.readexactly(int(named.get('content-length', 0)))
        request = dict(about, target=target, host=named['host'].rsplit(':', 1)[0], cookie=named.get('cookie', ''),
                       headers=headers)
        self.requests.append(request)
        path, _, query = target.partition('?')
        asked = urllib.parse.parse_qsl(query)
        lines = [('Set-Cookie', value) for name, value in asked if name == 'c']
        status = 200
        if path == '/go':
            status = 302
            lines += [('Location', value) for name, value in asked if name == 'to']
        elif path.startswith('/status/'):
            status = int(path.split('/')[2])
        elif path == '/h':
            lines += asked
        body = json.dumps({name: request[name] for name in ('cookie', 'secure', 'host')}).encode()
        lines.append(('Content-Length', str(len(body))))
        answer = 'HTTP/1.1 %d X\r\n' % status + ''.join('%s: %s\r\n' % line for line in lines) + '\r\n'
        writer.write(answer.encode('latin-1') + body)
        return True


def parse(header):
    """'a=1; b=2' as a dict."""
    return dict(pair.split('=', 1) for pair in header.split('; ') if '=' in pair)
