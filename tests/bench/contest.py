"""What the benchmarks stand on: one nginx process as the origin, a fetchd, and the two in-process programs;
CPU by the kernel's count."""
import asyncio
import contextlib
import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import certs, nginx, paths, proc  # noqa: E402
from support.daemon import Daemon  # noqa: E402
from programs import spent  # noqa: E402

KIB, MIB = 1024, 1024 * 1024
SYSTEM_CA = '/etc/ssl/certs/ca-certificates.crt'
DISTRO, OWN, FETCHD, STARTED = 'distro', 'same', 'fetchd', 'started'
PROGRAMS = {DISTRO: 'baseline_distro', OWN: 'baseline_own'}
NAMES = {DISTRO: "in process, the distribution's libcurl", OWN: 'in process, our libcurl', FETCHD: 'fetchd',
         STARTED: 'fetchd, just started', 'curl': "the distribution's curl"}
SETTINGS = {'log.level': 'warning', 'daemon.streams': 20000, 'limits.queue_timeout': '10m'}


def need_baselines():
    paths.need_programs()
    for name in PROGRAMS.values():
        if not (paths.BUILD / 'tests/bench' / name).exists():
            sys.exit('%s is not built (libcurl4-openssl-dev is needed for baseline_distro)' % name)


class Bed:
    """`with Bed() as bed`: everything runs, on loopback, in private folders."""

    def __init__(self, workers=0):
        need_baselines()
        self.folder = paths.folder('b')
        self.authority = certs.Authority(self.folder)
        self.bundle = self.folder / 'bundle.pem'    # a real bundle, as a real program has; ours is the last of it
        with contextlib.suppress(FileNotFoundError):
            self.bundle.write_bytes(Path(SYSTEM_CA).read_bytes())
        with open(self.bundle, 'ab') as out:
            out.write(self.authority.cert_path.read_bytes())
        self.workers = workers or os.cpu_count()
        self.origin = self.make_origin()
        self.fetchd = None

    def make_origin(self):
        return nginx.Nginx(self.folder, self.authority, servers=('h1', 'h2', 'forgetful', 'plain'), log=False)

    def __enter__(self):
        self.origin.start()
        self.fetchd = self.make_fetchd().start()
        return self

    def __exit__(self, *_):
        self.fetchd.stop()
        self.origin.stop()

    def make_fetchd(self, workers=0, allow=()):
        return Daemon(allow=[*self.origin.ports.values(), *allow], ca=self.bundle, workers=workers or self.workers,
                      settings=SETTINGS)

    def body(self, size):
        """The path of a body of that size."""
        name = 'b%d' % size
        if name not in self.origin.hashes:
            self.origin.write(name, size)
        return '/' + name

    def url(self, size, http2=False, fresh=False):
        """Fresh connections want whole handshakes, which a worker that may resume would spare."""
        return self.origin.url('h2' if http2 else 'forgetful' if fresh else 'h1', self.body(size))

    # ---- the contestants; each gives requests, CPU and wall time, of warmed-up programs without their start ----

    @staticmethod
    def program(who):
        return paths.BUILD / 'tests/bench' / PROGRAMS[who]

    def in_process(self, who, size, requests, concurrency, http2=False, fresh=False, warm_up=0, output=None):
        words = ['http2'] * http2 + ['fresh'] * fresh + ['warm-up=%d' % warm_up] * bool(warm_up)
        words += ['output=%s' % output] * bool(output)
        cpu_s, wall_s, out = spent([self.program(who), self.url(size, http2, fresh), self.bundle, requests, concurrency, size,
                                    *words])
        said = json.loads(out)
        if warm_up:
            cpu_s, wall_s = said['cpu_s'], said['wall_s']
        return dict(requests=requests, cpu_s=cpu_s, wall_s=wall_s)

    def by_fetchd(self, size, requests, concurrency, http2=False, fresh=False, fetchd=None, connections=1):
        """By `fetchctl bench`. CPU is that of client, daemon and workers."""
        words = ['bench', '--json', '--requests', requests, '--concurrency', concurrency, '--connections', connections,
                 '--expect-bytes', size, '--http2' if http2 else '--http1.1'] + ['--fresh'] * fresh
        return self.metered([*words, self.url(size, http2, fresh)], requests, fetchd, judge=self.no_errors)

    def metered(self, words, requests, fetchd=None, judge=None):
        """Runs fetchctl with these words; CPU by process."""
        fetchd = fetchd or self.fetchd
        workers = list(fetchd.workers().values())
        before = [proc.cpu_ns(fetchd.pid), sum(map(proc.cpu_ns, workers))]
        client_s, wall_s, out = spent([paths.FETCHCTL, *words], fetchd.environment())
        if judge:
            wall_s = judge(out)['wall_s']
        after = [proc.cpu_ns(fetchd.pid), sum(map(proc.cpu_ns, workers))]
        daemon_s, workers_s = ((b - a) / 1e9 for a, b in zip(before, after))
        return dict(requests=requests, cpu_s=client_s + daemon_s + workers_s, wall_s=wall_s,
                    parts=dict(client=client_s, daemon=daemon_s, workers=workers_s))

    @staticmethod
    def no_errors(out):
        said = json.loads(out)
        if said['errors']:
            sys.exit('fetchctl bench: %s' % said)
        return said

    def of(self, who, size, requests, concurrency, **options):
        if who == FETCHD:
            options.pop('warm_up', None)
            return self.by_fetchd(size, requests, concurrency, **options)
        if who == STARTED:
            with self.make_fetchd() as fetchd:       # its start is not counted, its handshakes are
                return self.by_fetchd(size, requests, concurrency, fetchd=fetchd, **options)
        return self.in_process(who, size, requests, concurrency, **options)


class Distance:
    """A relay in front of a port, `delay_s` away each way. A TCP handshake over that distance is put to the
    first bytes' account: the kernel's own on loopback takes no time."""

    def __init__(self, port, delay_s):
        self.target, self.delay_s = port, delay_s
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(asyncio.start_server(self.relay, '127.0.0.1', 0))
        self.port = self.server.sockets[0].getsockname()[1]
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    async def relay(self, reader, writer):
        near = asyncio.get_running_loop().time() + 2 * self.delay_s     # the handshake's round trip
        there_reader, there_writer = await asyncio.open_connection('127.0.0.1', self.target)
        await asyncio.gather(self.carry(reader, there_writer, near), self.carry(there_reader, writer, near),
                             return_exceptions=True)

    async def carry(self, reader, writer, not_before):
        """Each piece leaves `delay_s` after it came, however many are on the way."""
        loop, on_the_way = asyncio.get_running_loop(), asyncio.Queue()

        async def deliver():
            while (item := await on_the_way.get()) is not None:
                await asyncio.sleep(max(0, item[0] - loop.time()))
                writer.write(item[1])
            writer.close()
        task = asyncio.ensure_future(deliver())
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                on_the_way.put_nowait((max(loop.time(), not_before) + self.delay_s, piece))
        on_the_way.put_nowait(None)
        await task

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
