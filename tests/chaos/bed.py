"""What the long runs stand on: an nginx with room for many connections and places that count what they
get, private daemons, and a scenario's way to print figures and claims."""
import atexit
import contextlib
import datetime
import os
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import bodies, certs, nginx, paths, proc, tap  # noqa: E402, F401
from support.backend import Backend  # noqa: E402
from support.daemon import Daemon  # noqa: E402

KIB, MIB = bodies.KIB, bodies.MIB
SIZES = [KIB << n for n in range(11)]               # 1 KiB to 1 MiB
ADDRESSES = ['127.0.0.%d' % n for n in range(1, 5)]

LOCATIONS = '''
location /sink { echo_read_request_body; echo_request_body; }
location /small { access_log off; return 200 "small\\n"; }
location /poison { add_header X-Poison 1; return 200 "poison\\n"; }
location /later { add_header Retry-After 0 always; return 503; }
location /later-slowly { add_header Retry-After 0 always; echo_status 503; echo_sleep 0.2; echo later; }
location /switch { if (-f %(root)s/down) { return 503; } return 200 "up\\n"; }
'''


class Origin(nginx.Nginx):
    """`room`: connections that each of its processes takes."""

    def __init__(self, folder, authority, addresses=ADDRESSES[:1], room=4096, processes=2, **options):
        super().__init__(folder, authority, servers=('h2', 'h1', 'plain'), processes=processes, **options)
        self.addresses, self.room = addresses, room
        self.leaf = authority.leaf('chaos', names=(*certs.LOCAL, *ADDRESSES))

    def server(self, name):
        text = super().server(name)
        listen = ' '.join('listen %s:%d%s reuseport backlog=8192;' % (
            address, self.ports[name], {'h2': ' ssl http2', 'h1': ' ssl', 'plain': ''}[name])
            for address in self.addresses)
        return re.sub(r'listen .*;', listen, text, count=1)

    def configure(self):
        super().configure()
        with open(self.folder / 'locations.conf', 'a') as locations:
            locations.write(LOCATIONS % dict(root=self.root))
        path = self.folder / 'nginx.conf'
        text = re.sub(r'worker_rlimit_nofile \d+', 'worker_rlimit_nofile %d' % (self.room + 500), path.read_text())
        text = re.sub(r'worker_connections \d+', 'worker_connections %d' % self.room, text)
        text = text.replace('keepalive_timeout 120s', 'keepalive_timeout 600s')
        path.write_text(text.replace('client_body_buffer_size 1m', 'client_body_buffer_size 2m'))

    def seen(self, path):
        """How many requests for it the access log holds."""
        return sum(line.split(' ')[6].startswith(path) for line in
                   (self.folder / 'access.log').read_text(errors='replace').splitlines())

    def forget(self):
        open(self.folder / 'access.log', 'w').close()


class Site:
    """One origin for all scenarios that do not need one of their own."""
    made = None

    def __init__(self):
        self.folder = paths.folder('chaos')
        self.authority = certs.Authority(self.folder)
        self.origin = Origin(self.folder, self.authority)
        for size in SIZES:
            self.origin.write('b%d' % size, size)
        self.origin.start()
        atexit.register(self.origin.stop)

    @classmethod
    def get(cls):
        cls.made = cls.made or cls()
        return cls.made

    def daemon(self, **options):
        return daemon(self.authority, [*self.origin.ports.values()], **options)


def daemon(authority, allow, **options):
    options['settings'] = dict({'log.level': 'info'}, **options.get('settings', {}))
    return Daemon(ca=authority.cert_path, allow=allow, **options)


# ---- what a run says ----

class Report:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def title(self, text):
        print('\n== %s' % text, flush=True)

    def figure(self, name, value):
        print('   %-52s %s' % (name, value), flush=True)

    def claim(self, text, holds, why=''):
        """One of the points that the run's end counts."""
        self.passed += bool(holds)
        self.failed += not holds
        print('%s %s%s' % ('ok    ' if holds else 'NOT OK', text, ' (%s)' % why if why and not holds else ''),
              flush=True)
        return holds

    def skip(self, text, why):
        self.skipped += 1
        print('skip   %s (%s)' % (text, why), flush=True)

    @contextlib.contextmanager
    def scenario(self, text):
        """What goes wrong in one scenario does not end the others."""
        self.title(text)
        began = time.monotonic()
        try:
            yield
        except Exception:
            traceback.print_exc()
            self.claim('%s: came to its end' % text, False)
        self.figure('time', '%.0f s' % (time.monotonic() - began))


class Silent(Report):
    """Of a scenario that another program runs for its figures."""
    def figure(self, name, value):
        pass


def spread(values, unit='ms', digits=0):
    """'50 values, half 12 ms, 99 % 30 ms, most 41 ms'."""
    if not values:
        return 'none'
    values = sorted(values)
    def at(part):
        return '%.*f %s' % (digits, values[min(len(values) - 1, int(part * len(values)))], unit)
    return '%d values: half %s, 90 %% %s, 99 %% %s, most %s' % (len(values), at(.5), at(.9), at(.99), at(1))


def mib(count):
    return '%.1f MiB' % (count / MIB)


# ---- what processes use ----

def usage(pid):
    return proc.rss_bytes(pid), proc.fds(pid)


def log_times(text, pattern):
    """(seconds since the epoch, match) of the log lines with `pattern` in them."""
    for line in text.splitlines():
        found = re.search(pattern, line)
        if found:
            when = datetime.datetime.fromisoformat(line.split(' ', 1)[0].replace('Z', '+00:00'))
            yield when.timestamp(), found


def bench(fetchd, *args, prefix=(), **options):
    """Starts fetchctl bench. Returns the Popen, whose output is JSON."""
    return subprocess.Popen([*prefix, str(fetchd.program(paths.FETCHCTL, prefix)), 'bench', '--json', *map(str, args)],
                            env=dict(os.environ, FETCHD_ADDRESS=fetchd.address), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
