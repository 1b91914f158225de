"""Two users with three sessions each ask one origin, mixed; what the origin saw tells whether they ever met.

    figures, problems = strangers.run(fetchd, origin, relay, count, seed)

Each request says in X-Tag whose it is; the origin, a real nginx, sets a cookie of that name and writes down the cookie,
the credentials and the connection that each request came with. A tenth of the requests goes by a relay and TLS 1.2, where
it can be read on the wire which session a connection wants to resume: it must have been the same user's. (TLS 1.3 hides
whose a ticket is: there the first connection of the second user must resume nothing, while the first user's do.)
"""
import asyncio
import base64
import collections
import os
import random
import struct
import threading

from . import nginx, proc
from .protocol import Connection

NOBODY = 65534
SESSIONS = ('one', 'two', 'three')
AT_ONCE = 40                        # of each user
HEAD_START = 60                     # requests of the first user
FIELDS = 'port connection peer tag cookie authorization reused'.split()

CONFIG = '''
daemon off;
%(user)s
worker_processes 1;
pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log warn;
events { worker_connections 4096; }
http {
    client_body_temp_path %(folder)s/t1; proxy_temp_path %(folder)s/t2; fastcgi_temp_path %(folder)s/t3;
    uwsgi_temp_path %(folder)s/t4; scgi_temp_path %(folder)s/t5;
    log_format who '$server_port|$connection|$remote_port|$http_x_tag|$http_cookie|$http_authorization|$ssl_session_reused';
    access_log %(folder)s/access.log who;
    keepalive_requests 100000;
    ssl_certificate %(cert)s; ssl_certificate_key %(key)s;
    ssl_session_cache shared:who:4m; ssl_session_tickets on;
    add_header Set-Cookie "tag=$http_x_tag; Path=/; Secure";
    server { listen 127.0.0.1:%(h2)d ssl http2; ssl_protocols TLSv1.3; location / { return 200 "ok\\n"; } }
    server { listen 127.0.0.1:%(tls12)d ssl; ssl_protocols TLSv1.2; location / { return 200 "ok\\n"; } }
}
'''


class Origin(nginx.Nginx):
    def __init__(self, folder, authority):
        super().__init__(folder, authority, servers=('h2', 'tls12'))

    def configure(self):
        self.ports = dict(zip(self.names, nginx.free_ports(len(self.names))))
        pair = self.certificate('h2')
        (self.folder / 'nginx.conf').write_text(CONFIG % dict(
            self.ports, user='user root;' if os.geteuid() == 0 else '', folder=self.folder, cert=pair.cert_path,
            key=pair.key_path))

    def rows(self):
        lines = (self.folder / 'access.log').read_text().splitlines()
        return [dict(zip(FIELDS, line.split('|'))) for line in lines if line.count('|') == len(FIELDS) - 1]


class Relay:
    """Passes bytes on, and keeps the first of both sides of each connection, by its own port towards the origin."""

    def __init__(self, port):
        self.target, self.heads = port, {}

    def __enter__(self):
        started = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve(started)), daemon=True)
        self.thread.start()
        started.wait(20)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(20)

    async def serve(self, started):
        self.loop, self.stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self.connection, '127.0.0.1', 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self.stopping.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def connection(self, reader, writer):
        there, back = await asyncio.open_connection('127.0.0.1', self.target)
        heads = self.heads[str(back.get_extra_info('sockname')[1])] = (bytearray(), bytearray())
        await asyncio.gather(self.copy(reader, back, heads[0]), self.copy(there, writer, heads[1]),
                             return_exceptions=True)

    async def copy(self, reader, writer, head):
        try:
            while data := await reader.read(65536):
                head += data[:max(0, 16384 - len(head))]
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


# ---- TLS sessions, by RFC 5246 ----

def session_id(head):
    """Of a ClientHello or ServerHello, which begin alike."""
    at = 5 + 4 + 2 + 32
    return bytes(head[at + 1:at + 1 + head[at]]) if len(head) > at else b''


def check_resumed(rows, heads, problems):
    """How many connections wanted to resume a session that somebody had."""
    users = {row['peer']: row['tag'][0] for row in rows if row['port'] == str(heads.target)}
    owners, offered = {}, 0
    for peer, (client, server) in heads.heads.items():     # in the order they came
        user, wanted, given = users.get(peer), session_id(client), session_id(server)
        if user and wanted in owners:
            offered += 1
            if owners[wanted] != user:
                problems.append('a connection of user %s offered a TLS session of user %s' % (user, owners[wanted]))
        elif user and given:
            owners[given] = user
    return offered


def check_first(rows, port, problems):
    """With TLS 1.3: the second user begins when the first has tickets."""
    first = next((row for row in rows if row['port'] == str(port) and row['tag'][0] == '1'), None)
    if first and first['reused'] == 'r':
        problems.append("the second user's first connection resumed a TLS session")


# ---- the run ----

def connect_as(user, path):
    """The kernel notes who connects, not who speaks later."""
    os.seteuid(user)
    try:
        return Connection(path, keep=False)
    finally:
        os.seteuid(0)


def drive(fetchd, origin, relay, count, seed):
    dice = random.Random(seed)
    users = [connect_as(0, fetchd.socket), connect_as(NOBODY, fetchd.socket)]
    for connection in users:
        for name in SESSIONS:
            assert connection.session('create', name=name) == dict(name=name)
    todo = [(user, session) for user in range(2) for session in SESSIONS] * (count // 6)
    dice.shuffle(todo)
    todo = [one for one in todo if one[0] == 0][:HEAD_START] + todo
    open_ids = collections.deque()
    for user, session in todo:
        tag = '%d-%s' % (user, session)
        slow = dice.random() < 0.1
        url = 'https://localhost:%d/' % (relay.port if slow else origin.ports['h2'])
        id = users[user].fetch(url, session=session, headers=[['X-Tag', tag]], credentials=('%s:%s' % (tag, tag)).encode(),
                               fresh=dice.random() < (0.5 if slow else 0.02), http_version='1.1' if slow else '2')
        open_ids.append((users[user], id))
        if len(open_ids) >= 2 * AT_ONCE:
            finish(*open_ids.popleft())
    for connection, id in open_ids:
        finish(connection, id)
    for connection in users:
        connection.close()
    return len(todo)


def finish(connection, id):
    answer = connection.finish(id)
    assert answer.status == 200, answer.done


def run(fetchd, origin, relay, count, seed):
    """(figures, problems)."""
    asked = drive(fetchd, origin, relay, count, seed)
    proc.until(lambda: len(origin.rows()) >= asked, 60, 'the whole access log')
    rows, problems = origin.rows(), []
    connections = collections.defaultdict(set)
    with_cookie = collections.Counter()
    for row in rows:
        tag = row['tag']
        cookies = [] if row['cookie'] == '-' else row['cookie'].split('; ')
        wanted = 'Basic ' + base64.b64encode(('%s:%s' % (tag, tag)).encode()).decode()
        if any(cookie != 'tag=' + tag for cookie in cookies):
            problems.append('%s came with %s' % (tag, row['cookie']))
        if row['authorization'] != wanted:
            problems.append('%s came with the credentials %s' % (tag, row['authorization']))
        connections[row['port'], row['connection']].add(tag[0])
        with_cookie[tag] += bool(cookies)
    problems += ['connection %s was used by users %s' % pair for pair in connections.items() if len(pair[1]) > 1]
    for tag in ('%d-%s' % (user, session) for user in range(2) for session in SESSIONS):
        if with_cookie[tag] < asked // 12:
            problems.append('%s brought its own cookie %d times only' % (tag, with_cookie[tag]))
    offered = check_resumed(rows, relay, problems)
    check_first(rows, origin.ports['h2'], problems)
    figures = dict(requests=len(rows), connections=len(connections), with_cookie=sum(with_cookie.values()),
                   resumed=sum(row['reused'] == 'r' for row in rows), sessions_offered=offered)
    return figures, problems
