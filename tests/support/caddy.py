"""A real Caddy from the distribution, for HTTP/3: private folder, configuration and ports, on loopback.

    with Caddy(folder, root, {'main': Site(leaf)}, backend_port) as origin:
        origin.url('main', '/1k')

Each site has a port of its own, for TCP and UDP alike, and serves the files of `root`; the paths of
backend.py come from there. A site without HTTP/3 leaves its UDP port free: `udp(name)` takes it.
"""
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import nginx, tap

PROGRAM = shutil.which('caddy', path='/usr/bin:/usr/local/bin')

CONFIG = '''
{
    admin off
    auto_https disable_redirects
    storage file_system %(folder)s/data
    grace_period 1s
%(servers)s
}
%(sites)s
'''
SERVER = '''    servers 127.0.0.1:%(port)d {
        protocols %(protocols)s
    }
'''
SITE = '''
%(scheme)s://localhost:%(port)d, %(scheme)s://127.0.0.1:%(port)d {
    bind 127.0.0.1
    %(tls)s
%(headers)s
    %(more)s
    root * %(root)s
    @backend path /headers /echo /upload /early /status/* /chain/* /gate/* /hold/* /half/*
    handle @backend {
        reverse_proxy 127.0.0.1:%(backend)d {
            flush_interval -1
        }
    }
    handle /mirror {
        respond {http.request.body}
    }
    redir /r302 {query.to} 302
    handle {
        file_server
    }
}
'''


class Site:
    """Without a certificate over http:. `headers` are added, and a '-Name' takes one away; {main} and the
    like in them are ports. `more` is one directive more, as `handle` or before it."""

    def __init__(self, pair=None, protocols='h1 h2 h3', headers=(), more=''):
        self.pair, self.protocols, self.headers, self.more = pair, protocols, headers, more
        self.scheme = 'https' if pair else 'http'
        self.tls = 'tls %s %s' % (pair.cert_path, pair.key_path) if pair else ''


class Caddy:
    def __init__(self, folder, root, sites, backend_port=9):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.root, self.sites, self.backend_port = root, sites, backend_port
        self.ports = {}
        self.process = None

    def configure(self):
        headers = {name: '\n'.join('    header ' + line.format(**self.ports) for line in site.headers)
                   for name, site in self.sites.items()}
        (self.folder / 'Caddyfile').write_text(CONFIG % dict(
            folder=self.folder,
            servers=''.join(SERVER % dict(port=self.ports[n], protocols=s.protocols) for n, s in self.sites.items()),
            sites=''.join(SITE % dict(port=self.ports[n], scheme=s.scheme, tls=s.tls, root=self.root,
                                      headers=headers[n], more=s.more, backend=self.backend_port)
                          for n, s in self.sites.items())))

    def start(self, ports=None):
        """On new ports, or on those given, as after a crash."""
        if not PROGRAM:
            raise RuntimeError('caddy is not installed')
        for _ in range(5):
            self.ports = ports or dict(zip(self.sites, nginx.free_ports(len(self.sites))))
            self.configure()
            environment = dict(PATH=os.environ['PATH'], HOME=str(self.folder), XDG_DATA_HOME=str(self.folder),
                               XDG_CONFIG_HOME=str(self.folder))
            with open(self.folder / 'log', 'wb') as log:
                self.process = subprocess.Popen(
                    [PROGRAM, 'run', '--config', str(self.folder / 'Caddyfile'), '--adapter', 'caddyfile'],
                    env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            if self.wait_ready():
                tap.witness(self.evidence)
                return self
            self.stop()
            if b'address already in use' not in (self.folder / 'log').read_bytes():
                break
        raise RuntimeError('caddy did not start:\n' + '\n'.join(self.evidence()))

    def wait_ready(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                for port in self.ports.values():
                    socket.create_connection(('127.0.0.1', port), 1).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        tap.forget(self.evidence)
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def url(self, site, path, host='localhost'):
        return '%s://%s:%d%s' % (self.sites[site].scheme, host, self.ports[site], path)

    def udp(self, site):
        """Takes the site's UDP port: what is sent there is not answered, and can be counted."""
        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        taken.bind(('127.0.0.1', self.ports[site]))
        return taken

    def evidence(self):
        return ['caddy: ' + line for line in (self.folder / 'log').read_text(errors='replace').splitlines()[-10:]]
