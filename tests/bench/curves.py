"""What a request costs as one thing grows and all else stays: requests at once, the body, client programs,
workers. Each figure is taken on connections that are open already, by programs that have just been started for
it, on an origin address of their own, so that none finds the ports or the memory of another's 10,000."""
import dataclasses
import statistics
import sys
from pathlib import Path

from contest import DISTRO, FETCHD, KIB, MIB, OWN, SETTINGS, Bed, Daemon, paths, proc
from programs import HELD, together

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'chaos'))
import bed as chaos  # noqa: E402

EVERYONE = (DISTRO, OWN, FETCHD)
HOST = dict(zip(EVERYONE, chaos.ADDRESSES))
PATIENT = {'timeouts.connect': '10m', 'timeouts.headers': '10m'}
MOST_AT_ONCE = 10000


@dataclasses.dataclass(frozen=True)
class Load:
    """`requests` and `concurrency` are of all clients together."""
    requests: int
    concurrency: int = 64
    size: int = KIB
    clients: int = 1
    workers: int = 0


class CurveBed(Bed):
    def make_origin(self):
        return chaos.Origin(self.folder, self.authority, addresses=chaos.ADDRESSES, room=MOST_AT_ONCE * 3 // 2,
                            processes=1, log=False)

    def __enter__(self):
        self.origin.start()
        return self

    def __exit__(self, *_):
        self.origin.stop()

    def make_fetchd(self, workers=0, allow=()):
        allow = ['%s:%d' % (HOST[FETCHD], port) for port in self.origin.ports.values()]
        return Daemon(allow=allow, ca=self.bundle, workers=workers or self.workers, settings={**SETTINGS, **PATIENT})

    def measure(self, who, load):
        """Figures of one contestant under one load."""
        return self.by_daemon(load) if who == FETCHD else self.by_programs(who, load)

    def address(self, who, path):
        return self.origin.url('h1', path, HOST[who])

    def by_programs(self, who, load):
        share = load.concurrency // load.clients
        said = together([[self.program(who), self.address(who, self.body(load.size)),
                          self.bundle, load.requests // load.clients, share, load.size, 'wait',
                          'warm-up=%d' % (2 * share)]] * load.clients)
        return figures(load, said, {'client': sum(one['cpu_s'] for one in said)})

    def by_daemon(self, load):
        with self.make_fetchd(load.workers) as fetchd:
            self.open_all(fetchd, load.concurrency)
            workers = fetchd.workers().values()
            before = [proc.cpu_ns(fetchd.pid), sum(map(proc.cpu_ns, workers))]
            said = together([[*HELD, *self.client(load)]] * load.clients, fetchd.environment())
            after = [proc.cpu_ns(fetchd.pid), sum(map(proc.cpu_ns, workers))]
            daemon_s, workers_s = ((b - a) / 1e9 for a, b in zip(before, after))
            return figures(load, said, {'client': sum(one['cpu_s'] for one in said), 'daemon': daemon_s,
                                        'workers': workers_s})

    def client(self, load):
        return [paths.FETCHCTL, 'bench', '--json', '--http1.1', '--requests', load.requests // load.clients,
                '--concurrency', load.concurrency // load.clients, '--expect-bytes', load.size,
                self.address(FETCHD, self.body(load.size))]

    def open_all(self, fetchd, count):
        """So many connections: answers that take long make sure that none is used twice."""
        run = fetchd.fetchctl('bench', '--http1.1', '--requests', count, '--concurrency', count,
                              self.address(FETCHD, '/slow/%.1f' % (0.2 + count / 700)), seconds=300)
        if run.returncode:
            sys.exit('fetchctl bench: %s' % (run.stdout + run.stderr).decode())


def figures(load, said, cpu_s):
    """Latency of several clients: what half of them saw."""
    wall_s = max(one['wall_s'] for one in said)
    return {'requests_per_s': load.requests / wall_s, 'mb_per_s': load.requests * load.size / wall_s / 1e6,
            'cpu_us': 1e6 * sum(cpu_s.values()) / load.requests,
            'parts_us': {name: 1e6 * value / load.requests for name, value in cpu_s.items()},
            'p50_ms': statistics.median(one['p50_ms'] for one in said),
            'p99_ms': statistics.median(one['p99_ms'] for one in said)}


def of_concurrency(count):
    """About a second's work; the programs' loops get slow at thousands."""
    requests = {1: 6000, 4: 16000, 16: 16000}.get(count, 40000 if count < 3000 else 20000)
    return Load(requests=requests, concurrency=count)


def of_size(size):
    """About 800 MB, for small ones less."""
    return Load(requests=max(8, min(20000, 800 * MIB // size)), concurrency=8, size=size)


def of_clients(count):
    return Load(requests=12800 if count == 1 else 51200, concurrency=8 * count, clients=count)


def of_shares(count):
    return Load(requests=51200, clients=count)


def of_workers(count):
    return Load(requests=40000, concurrency=32 * count, workers=count)


@dataclasses.dataclass(frozen=True)
class Curve:
    title: str
    axis: str
    points: tuple
    few: tuple              # of them, where --full is not asked for
    load: object            # point -> Load
    contestants: tuple = EVERYONE

    def run(self, bed, points, rounds, say):
        """point -> contestant -> figures of each round, rounds interleaved."""
        found = {point: {who: [] for who in self.contestants} for point in points}
        for point in points:
            for _ in range(rounds):
                for who in self.contestants:
                    found[point][who].append(bed.measure(who, self.load(point)))
            say(point, found[point])
        return found


CURVES = {
    'concurrency': Curve('requests at once, each on its own connection; 1 KiB', 'requests at once',
                         (1, 4, 16, 64, 256, 1000, 3000, 10000), (1, 16, 256), of_concurrency),
    'size': Curve('size of the body; eight at once', 'bytes',
                  tuple(KIB << 2 * n for n in range(8)) + (100 * MIB,), (KIB, 64 * KIB, 4 * MIB), of_size),
    'clients': Curve('client programs; each has eight requests at once, 1 KiB', 'programs',
                     (1, 2, 4, 8, 16, 64), (1, 8), of_clients),
    'shares': Curve('client programs that share 64 requests at once, 1 KiB', 'programs',
                    (1, 8, 64), (1, 8), of_shares),
    'workers': Curve('workers; 32 requests at once for each, 1 KiB', 'workers', (1, 2, 4, 6, 8), (1, 4), of_workers,
                     (FETCHD,)),
}
