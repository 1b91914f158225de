"""A real nginx from the distribution, private: its own prefix, configuration, logs and ports, all
on loopback, with nothing of /etc/nginx. Needs no root.

    with Nginx(folder, authority) as origin:
        origin.url('h2', '/1k')

Servers: h2 (TLS 1.2 and 1.3; HTTP/2 and 1.1), h1 (HTTP/1.1 only), tls12 and tls13 (that version
only), other (a second origin, like h2), forgetful (like h1, resumes no TLS session), plain (http), expired, wrong_name, self_signed.

Paths: /1k /1m /100m /1g and what else write() made; /gzip/... the same, compressed on the way;
/slow/SECONDS; /later/SECONDS/PATH; /r301/PATH ... /r308/PATH (relative), /r302?to=URL (and so on) to any URL; /loop;
/close (no answer at all); /connections (how many are open now); and from the backend
/headers /echo /upload /status/N /early /chain/N /set-cookie
/gate/... /drip/... /hold/... /half/... /br/FILE /zstd/FILE /deflate/FILE
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from . import bodies, tap

PROGRAM = shutil.which('nginx', path='/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin')
ECHO_MODULE = next((path for path in ('/usr/lib/nginx/modules/ngx_http_echo_module.so',
                                      '/usr/share/nginx/modules/ngx_http_echo_module.so')
                    if os.path.exists(path)), None)
SERVERS = ('h2', 'h1', 'tls12', 'tls13', 'other', 'plain', 'expired', 'wrong_name', 'self_signed')

CONFIG = '''
load_module %(module)s;
daemon off;
%(user)s
worker_processes %(processes)d;
worker_rlimit_nofile %(files)d;
pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log warn;
events { worker_connections %(connections)d; }
http {
    client_body_temp_path %(folder)s/t1;
    proxy_temp_path %(folder)s/t2;
    fastcgi_temp_path %(folder)s/t3;
    uwsgi_temp_path %(folder)s/t4;
    scgi_temp_path %(folder)s/t5;
    log_format one '$connection $connection_requests $server_port $server_protocol $ssl_protocol '
                   '$request_method $request_uri $status $body_bytes_sent "$request_completion" '
                   '$ssl_session_reused';
    access_log %(access)s;
    root %(root)s;
    default_type application/octet-stream;
    sendfile on;
    tcp_nodelay on;
    absolute_redirect off;
    keepalive_timeout 120s;
    keepalive_requests 100000000;
    http2_max_concurrent_streams 256;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    large_client_header_buffers 8 64k;
    ssl_session_cache shared:tls:4m;
    ssl_ciphers HIGH:!aNULL;
    lingering_close on;
    %(servers)s
}
'''

SERVER = '''
    server {
        %(listen)s
        server_name localhost;
        %(tls)s
        include %(folder)s/locations.conf;
    }
'''

LOCATIONS = '''
location = /connections { stub_status; }
location = /close { return 444; }
location = /loop { return 302 /loop; }
location /gzip/ {
    alias %(root)s/;
    gzip_static on;
    gzip on; gzip_types *; gzip_min_length 0; gzip_comp_level 1; gzip_proxied any;
}
location ~ ^/slow/([0-9.]+)$ { echo_sleep $1; echo slow; }
location ~ ^/later/([0-9.]+)(/.*)$ { echo_sleep $1; echo_exec $2; }
%(redirects)s
%(backend)s
'''

REDIRECT = '''
location = /r%(code)d { if ($arg_to) { return %(code)d $arg_to; } return %(code)d /1k; }
location ~ ^/r%(code)d/(.*)$ { return %(code)d /$1$is_args$args; }
'''

BACKEND = '''
location ~ ^/(headers|echo|upload|status|gate|drip|chain|set-cookie|br|zstd|deflate|early|hold|half)(/|$) {
    proxy_pass http://127.0.0.1:%(port)d;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Connection "";
    proxy_request_buffering off;
    proxy_buffering off;
    proxy_read_timeout 600s;
    proxy_pass_request_headers on;
}
'''


def free_ports(count, host='127.0.0.1'):
    """Ports nobody listens on now. Another may take one before we do: start() tries again."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind((host, 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Nginx:
    def __init__(self, folder, authority, backend_port=None, servers=SERVERS, processes=1,
                 connections=8192, log=True):
        if not PROGRAM:
            raise RuntimeError('nginx is not installed')
        if not ECHO_MODULE:
            raise RuntimeError('the nginx module for echo_sleep (libnginx-mod-http-echo) is not installed')
        self.folder = Path(folder) / 'nginx'
        self.root = self.folder / 'root'
        self.root.mkdir(parents=True)
        self.folder.chmod(0o700)
        self.names = tuple(servers)
        self.backend_port = backend_port
        self.processes, self.connections, self.log = processes, connections, log
        self.authority = authority
        self.ports = {}
        self.process = None
        self.hashes = {}

    # ---- content ----

    def write(self, name, size, seed=None):
        """A file of known content at /name."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.hashes[name] = bodies.write(path, size, seed or name)
        return self.hashes[name]

    def write_usual(self, large=False):
        self.write('0', 0)
        self.write('1k', bodies.KIB)
        self.write('1m', bodies.MIB)
        self.write('100m', 100 * bodies.MIB)
        if large:
            self.write_huge()

    def write_huge(self):
        """1 GiB at /1g; at /gzip/1g too, compressed beforehand, for nginx would need minutes."""
        bodies.write_sparse(self.root / '1g')
        bodies.write_sparse_gzip(self.root / '1g.gz')

    # ---- configuration ----

    def certificate(self, name):
        make = {'expired': self.authority.expired, 'wrong_name': self.authority.wrong_name,
                'self_signed': self.authority.self_signed}.get(name)
        if make:
            return make()
        if not hasattr(self, 'leaf'):
            self.leaf = self.authority.leaf('origin')
        return self.leaf

    def server(self, name):
        port = self.ports[name]
        if name == 'plain':
            return SERVER % dict(listen='listen 127.0.0.1:%d;' % port, tls='', folder=self.folder)
        http2 = '' if name in ('h1', 'forgetful') else ' http2'
        listen = 'listen 127.0.0.1:%d ssl%s backlog=4096;' % (port, http2)
        if has_ipv6():
            listen += ' listen [::1]:%d ssl%s;' % (port, http2)
        pair = self.certificate(name)
        versions = {'tls12': 'TLSv1.2', 'tls13': 'TLSv1.3'}.get(name, 'TLSv1.2 TLSv1.3')
        tls = 'ssl_certificate %s; ssl_certificate_key %s; ssl_protocols %s;' % (
            pair.cert_path, pair.key_path, versions)
        if name == 'forgetful':
            tls += ' ssl_session_cache off; ssl_session_tickets off;'
        return SERVER % dict(listen=listen, tls=tls, folder=self.folder)

    def configure(self):
        self.ports = dict(zip(self.names, free_ports(len(self.names))))
        codes = (301, 302, 303, 307, 308)
        (self.folder / 'locations.conf').write_text(LOCATIONS % dict(
            root=self.root, redirects=''.join(REDIRECT % dict(code=c) for c in codes),
            backend=BACKEND % dict(port=self.backend_port) if self.backend_port else ''))
        user = 'user root;' if os.geteuid() == 0 else ''
        (self.folder / 'nginx.conf').write_text(CONFIG % dict(
            module=ECHO_MODULE, user=user, folder=self.folder, root=self.root,
            processes=self.processes, connections=self.connections, files=2 * self.connections + 512,
            access='%s/access.log one' % self.folder if self.log else 'off',
            servers=''.join(self.server(name) for name in self.names)))

    # ---- life ----

    def start(self):
        for _ in range(5):
            self.configure()
            self.process = subprocess.Popen(
                [PROGRAM, '-p', str(self.folder), '-c', str(self.folder / 'nginx.conf'),
                 '-e', str(self.folder / 'error.log')],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self.wait_ready():
                tap.witness(self.evidence)
                return self
            self.stop()
            if 'Address already in use' not in self.errors():
                break
        raise RuntimeError('nginx did not start:\n' + self.errors())

    def wait_ready(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(('127.0.0.1', self.ports[self.names[-1]]), 1).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def stop(self):
        tap.forget(self.evidence)
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    # ---- questions ----

    def url(self, server, path, host='localhost'):
        return '%s://%s:%d%s' % ('http' if server == 'plain' else 'https', host, self.ports[server], path)

    def open_connections(self):
        """Connections open on all its servers now, ours (1) left out."""
        with urllib.request.urlopen(self.url('plain', '/connections', '127.0.0.1'), timeout=10) as reply:
            return int(re.search(rb'Active connections: (\d+)', reply.read()).group(1)) - 1

    def errors(self):
        try:
            return (self.folder / 'error.log').read_text(errors='replace')
        except FileNotFoundError:
            return ''

    def access(self):
        """The requests that ended, oldest first, as dicts."""
        names = 'connection number port version tls method uri status bytes'.split()
        try:
            lines = (self.folder / 'access.log').read_text(errors='replace').splitlines()
        except FileNotFoundError:
            return []
        rows = []
        for line in lines:
            fields = line.split(' ')
            row = dict(zip(names, fields))
            row['whole'] = '"OK"' in fields
            row['resumed'] = fields[-1]             # r, or . for a full handshake
            rows.append(row)
        return rows

    def evidence(self):
        return ['nginx: ' + line for line in self.errors().splitlines()[-10:]]


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(('::1', 0))
        return True
    except OSError:
        return False
