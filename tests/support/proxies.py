"""Real proxies from the distribution, each private: its own configuration, ports and log, on loopback.

    with Tinyproxy(folder) as proxy:                       # HTTP; user and password if given
        proxy.url, proxy.log()
    with Microsocks() as proxy: ...                        # SOCKS5
    with Dante(folder) as proxy: ...                       # SOCKS4 and SOCKS5, no 4a
    with Shell(authority.leaf('proxy'), inner.port) as proxy: ...   # TLS around another, so an HTTPS proxy
"""
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

from . import nginx

PATH = '/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin'


class Program:
    """`program` with its `scheme`; configure() returns the command line, for self.port."""
    program = scheme = None

    def __init__(self, folder, user=None, password=None):
        self.folder, self.user, self.password = Path(folder), user, password
        self.process = None
        self.log_path = self.folder / (self.program + '-%d.log' % id(self))

    @property
    def path(self):
        found = shutil.which(self.program, path=PATH)
        if not found:
            raise RuntimeError('%s is not installed' % self.program)
        return found

    @property
    def url(self):
        login = '%s:%s@' % (self.user, self.password) if self.user else ''
        return '%s://%s127.0.0.1:%d' % (self.scheme, login, self.port)

    def start(self):
        for _ in range(5):
            self.port, = nginx.free_ports(1)
            with open(self.log_path, 'ab') as log:
                self.process = subprocess.Popen(self.configure(), stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log)
            if self.wait_ready():
                return self
            self.stop()
        raise RuntimeError('%s did not start:\n%s' % (self.program, self.log()))

    def wait_ready(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return True
            time.sleep(0.02)
        return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def log(self):
        return self.log_path.read_text(errors='replace') if self.log_path.exists() else ''

    __enter__ = start

    def __exit__(self, *_):
        self.stop()


class Tinyproxy(Program):
    program, scheme = 'tinyproxy', 'http'

    def configure(self):
        lines = ['Port %d' % self.port, 'Listen 127.0.0.1', 'Allow 127.0.0.1', 'Timeout 60', 'MaxClients 100',
                 'LogLevel Info', 'DisableViaHeader Yes']
        if self.user:
            lines.append('BasicAuth %s %s' % (self.user, self.password))
        path = self.folder / ('tinyproxy-%d.conf' % self.port)
        path.write_text('\n'.join(lines) + '\n')
        return [self.path, '-d', '-c', str(path)]


class Microsocks(Program):
    program, scheme = 'microsocks', 'socks5h'

    def configure(self):
        login = ['-u', self.user, '-P', self.password] if self.user else []
        return [self.path, '-i', '127.0.0.1', '-p', str(self.port), *login]


class Dante(Program):
    program, scheme = 'danted', 'socks4'

    def configure(self):
        path = self.folder / ('danted-%d.conf' % self.port)
        path.write_text('\n'.join([
            'logoutput: stderr', 'internal: 127.0.0.1 port = %d' % self.port, 'external: lo',
            'clientmethod: none', 'socksmethod: none', 'user.unprivileged: nobody',
            'client pass { from: 127.0.0.0/8 to: 0/0 log: error }',
            'socks pass { from: 127.0.0.0/8 to: 0/0 log: connect }']) + '\n')
        return [self.path, '-f', str(path)]


class Shell:
    """TLS around a port on loopback. Counts the connections; keeps the client certificates it was shown."""

    def __init__(self, pair, inner_port, ask_ca=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair.cert_path, pair.key_path)
        if ask_ca:
            self.context.verify_mode = ssl.CERT_OPTIONAL
            self.context.load_verify_locations(ask_ca)
        self.inner_port, self.connections, self.shown = inner_port, 0, []
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return 'https://localhost:%d' % self.port

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connection, args=(sock,), daemon=True).start()

    def connection(self, sock):
        with contextlib.suppress(OSError):
            with self.context.wrap_socket(sock, server_side=True) as outer, \
                    socket.create_connection(('127.0.0.1', self.inner_port)) as inner:
                self.connections += 1
                self.shown.append(outer.getpeercert())
                back = threading.Thread(target=self.copy, args=(inner, outer), daemon=True)
                back.start()
                self.copy(outer, inner)
                back.join()

    @staticmethod
    def copy(source, sink):
        with contextlib.suppress(OSError, ValueError):
            while True:
                data = source.recv(1 << 16)
                if not data:
                    break
                sink.sendall(data)
        with contextlib.suppress(OSError, ValueError):
            (sink.unwrap() if isinstance(sink, ssl.SSLSocket) else sink).shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
