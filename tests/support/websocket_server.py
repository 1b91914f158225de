"""WebSocket servers of other people's making, each in a process of its own: python3-websockets with
behaviours by path (websocket_origin.py), nginx in front of it, and websocketd.

    with Server(authority.leaf('ws')) as server:
        server.url('/echo')

Paths: /echo; /fragments?SEED (an echo cut at random, pings between the pieces); /flood?BYTES (that much,
in messages of 64 KiB, without asking); /count (says how much came, when told `how much`);
/close?CODE,REASON; /deaf (reads nothing); /headers (the request's, as JSON). server.closed has
[path, code, reason] of those that ended, the path with what follows its question mark.
"""
import collections
import json
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

from . import nginx, paths, proc

WEBSOCKETD = shutil.which('websocketd')

LOCATION = '''
location /ws/ {
    proxy_pass http://127.0.0.1:%d/;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    proxy_read_timeout 600s;
}
'''


class Server:
    """`pings`: seconds between pings of its own, 0 for none."""

    def __init__(self, pair, pings=0):
        program = Path(__file__).with_name('websocket_origin.py')
        self.command = [sys.executable, str(program), str(pair.cert_path), str(pair.key_path), str(pings)]
        self.closed = []
        self.open = collections.Counter()

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.port, self.plain_port = json.loads(self.process.stdout.readline())
        threading.Thread(target=self.note, daemon=True).start()
        return self

    def note(self):
        for line in self.process.stdout:
            what, path, *rest = json.loads(line)
            self.open[path] += 1 if what == 'open' else -1
            if what == 'closed':
                self.closed.append([path, *rest])

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def url(self, path):
        return 'wss://localhost:%d%s' % (self.port, path)

    def until_closed(self, path):
        """The code and reason with which the next socket of that path ended."""
        proc.until(lambda: any(row[0] == path for row in self.closed), what='the end of ' + path)
        row = next(row for row in self.closed if row[0] == path)
        self.closed.remove(row)
        return tuple(row[1:])


class Proxy(nginx.Nginx):
    """nginx with TLS in front of a Server: wss there, plain behind."""

    def __init__(self, authority, server):
        super().__init__(paths.folder('n'), authority, servers=('h1', 'plain'))
        self.behind = server

    def configure(self):
        super().configure()
        with open(self.folder / 'locations.conf', 'a') as locations:
            locations.write(LOCATION % self.behind.plain_port)

    def ws_url(self, path):
        return 'wss://localhost:%d/ws%s' % (self.ports['h1'], path)


class Websocketd:
    """A line of text is a message, both ways; the program behind it is cat."""

    def __init__(self, pair):
        self.pair = pair

    def start(self):
        self.port = nginx.free_ports(1)[0]
        self.process = subprocess.Popen(
            [WEBSOCKETD, '--address=127.0.0.1', '--port=%d' % self.port, '--loglevel=fatal', '--ssl',
             '--sslcert', str(self.pair.cert_path), '--sslkey', str(self.pair.key_path), 'cat'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        proc.until(lambda: listens(self.port), what='websocketd')
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def url(self, path='/'):
        return 'wss://localhost:%d%s' % (self.port, path)


def listens(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False
