"""The rows of the table: what is measured, and what is wanted of it. Each runs in interleaved rounds and gives
for every round a dict of figures by contestant; a goal compares with another's figures, or with a number."""
import contextlib
import json
import resource
import shutil
import statistics
import sys
import time
from pathlib import Path

from contest import DISTRO, FETCHD, KIB, MIB, OWN, PROGRAMS, STARTED, Distance, paths, proc
from programs import spent, start

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'chaos'))
import bed as chaos  # noqa: E402
import many  # noqa: E402

EVERYONE = (DISTRO, OWN, FETCHD)


class Row:
    """`figures`: name -> (unit, digits). `goals`: (figure, contestant, 'at most'|'at least', number, against):
    the median of the rounds' ratios against another contestant, or the median itself when `against` is None.
    A contestant may leave figures out."""
    figures = {}
    goals = ()
    contestants = EVERYONE

    def __init__(self, bed, full):
        self.bed, self.full = bed, full

    def measure(self, who):
        raise NotImplementedError

    def run(self, rounds):
        """figure -> contestant -> values."""
        found = {figure: {who: [] for who in self.contestants} for figure in self.figures}
        for _ in range(rounds):
            for who in self.contestants:
                for figure, value in self.measure(who).items():
                    found[figure][who].append(value)
        return found

    @staticmethod
    def judge(goal, found):
        """What was reached, and by how much of the limit it is missed (0: not)."""
        figure, who, relation, limit, against = goal
        values = found[figure][who]
        if against:
            values = [a / b for a, b in zip(values, found[figure][against])]
        reached = statistics.median(values)
        if relation == 'at most':
            over = reached / limit if limit else 1 + reached
        else:
            over = limit / reached if reached else float('inf')
        return reached, max(0.0, over - 1)


class Small(Row):
    """A process of its own asks for 1 KiB 2,000 times, 64 at once: it starts, shakes hands, and ends. fetchd
    has run before, as it would have."""
    http2 = False
    contestants = (*EVERYONE, STARTED)
    figures = {'CPU a request': ('µs', 1), 'requests a second': ('', 0)}

    def measure(self, who):
        requests = 2000
        got = self.bed.of(who, KIB, requests, 64, http2=self.http2)
        return {'CPU a request': 1e6 * got['cpu_s'] / requests, 'requests a second': requests / got['wall_s']}


class W1(Small):
    title = 'W1   1 KiB, HTTP/1.1, keep-alive, 64 at once'
    goals = (('CPU a request', FETCHD, 'at most', 0.65, DISTRO), ('CPU a request', FETCHD, 'at most', 1.4, OWN))


class W1Http2(Small):
    title = 'W1   the same over HTTP/2'
    http2 = True
    goals = (('CPU a request', FETCHD, 'at most', 0.95, DISTRO), ('CPU a request', FETCHD, 'at most', 1.35, OWN))


class Steady(Row):
    """The same work on connections that have been open for a while, for all three."""
    title = 'W1s  1 KiB, HTTP/1.1, 64 at once, on connections that are open already'
    figures = {'CPU a request': ('µs', 1), 'requests a second': ('', 0)}

    def measure(self, who):
        requests = 20000
        got = self.bed.of(who, KIB, requests, 64, warm_up=256)
        return {'CPU a request': 1e6 * got['cpu_s'] / requests, 'requests a second': requests / got['wall_s']}


class Large(Row):
    figures = {'MB a second': ('', 0), 'CPU a GB': ('s', 2)}
    count = 10

    def size(self):
        return 100 * MIB if self.full else 20 * MIB

    def figures_of(self, got):
        gigabytes = self.count * self.size() / 1e9
        return {'MB a second': 1000 * gigabytes / got['wall_s'], 'CPU a GB': got['cpu_s'] / gigabytes}


class W2(Large):
    """Into files, as a download is. `fetchctl -o` hands the files' descriptors over."""
    title = 'W2   ten large bodies into files'
    goals = (('MB a second', FETCHD, 'at least', 0.95, OWN), ('CPU a GB', FETCHD, 'at most', 1.2, OWN))

    def measure(self, who):
        folder = paths.folder('w2')
        try:
            if who != FETCHD:
                return self.figures_of(self.bed.in_process(who, self.size(), self.count, self.count, output=folder))
            words = ['get', '-s', '--http1.1']
            for i in range(self.count):
                words += ['-o', folder / str(i), self.bed.url(self.size())]
            return self.figures_of(self.bed.metered(words, self.count))
        finally:
            shutil.rmtree(folder)


class W2Data(Large):
    """Through the socket to a client that counts and drops."""
    title = 'W2d  ten large bodies as DATA'
    goals = (('MB a second', FETCHD, 'at least', 0.7, OWN),)

    def measure(self, who):
        return self.figures_of(self.bed.of(who, self.size(), self.count, self.count))


class W3(Row):
    """Held on a slow endpoint of four addresses, for one address and port carries 28,000: by two workers, and by
    the programs as many as one process may have descriptors."""
    title = 'W3   simultaneous TLS connections'
    figures = {'open at once': ('', 0), 'errors': ('', 0), 'in the workers': ('KB each', 1), 'in all': ('KB each', 1)}

    def __init__(self, bed, full):
        super().__init__(bed, full)
        self.count = 30000 if full else 3000
        self.goals = (('open at once', FETCHD, 'at least', self.count, None), ('errors', FETCHD, 'at most', 0, None),
                      ('in the workers', FETCHD, 'at most', 40, None), ('in all', FETCHD, 'at most', 48, None))
        self.descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def run(self, rounds):
        return super().run(1)

    def measure(self, who):
        count = self.count if who == FETCHD else min(self.count, self.descriptors - 200)
        with chaos.Origin(paths.folder('m'), self.bed.authority, addresses=chaos.ADDRESSES, log=False,
                          room=min(self.descriptors - 500, count)) as origin:
            return self.by_workers(origin, count) if who == FETCHD else self.by_program(who, origin, count)

    @staticmethod
    def seconds(count):
        """How long each answer takes: until all are open, also on a slow machine."""
        return 10 + count // 500

    def by_workers(self, origin, count):
        found = many.hold(chaos.Silent(), origin, self.bed.authority, count, self.seconds(count))
        return {'open at once': found['most'], 'errors': sum(found['errors'].values()),
                'in the workers': found['kb'], 'in all': found['kb'] + found['daemon_kb']}

    def by_program(self, who, origin, count):
        """It has little else in its memory, so all of that counts."""
        url = origin.url('h1', '/slow/%d' % self.seconds(count), chaos.ADDRESSES[0])
        process = start([self.bed.program(who), url, self.bed.bundle, count, count, len('slow\n')])
        most = rss = 0
        while process.poll() is None:
            with contextlib.suppress(OSError, KeyError):
                most, rss = max(most, origin.open_connections()), max(rss, proc.rss_bytes(process.pid))
            time.sleep(0.5)
        with process.stdout as out:
            said = json.load(out)
        return {'open at once': most, 'errors': said['errors'], 'in all': rss / 1024 / max(most, 1)}


class W4(Row):
    """A program that is started for one request to an origin 20 ms away and ends."""
    title = 'W4   one-shot program, 20 ms round trip'
    contestants = ('curl', *EVERYONE)
    figures = {'median': ('ms', 1), 'CPU': ('ms', 2)}
    goals = (('median', FETCHD, 'at most', 25, None), ('CPU', FETCHD, 'at most', 5, None))

    def run(self, rounds):
        relay = Distance(self.bed.origin.ports['h2'], 0.010)
        self.url = 'https://localhost:%d%s' % (relay.port, self.bed.body(KIB))
        with self.bed.make_fetchd(allow=[relay.port]) as self.fetchd:
            found = super().run(rounds)
        relay.close()
        return found

    def command(self, who):
        if who in PROGRAMS:
            return [self.bed.program(who), self.url, self.bed.bundle, 1, 1, KIB]
        if who == 'curl':
            return ['/usr/bin/curl', '-s', '-o', '/dev/null', '--http1.1', '--cacert', self.bed.bundle, self.url]
        return [paths.FETCHCTL, 'get', '-s', '-o', '/dev/null', '--http1.1', self.url]

    def measure(self, who):
        pids = [self.fetchd.pid, *self.fetchd.workers().values()]
        before, walls, cpu = sum(map(proc.cpu_ns, pids)), [], 0
        for _ in range(21):
            cpu_s, wall_s, _ = spent(self.command(who), self.fetchd.environment())
            walls.append(wall_s)
            cpu += cpu_s
        if who == FETCHD:
            cpu += (sum(map(proc.cpu_ns, pids)) - before) / 1e9
        return {'median': 1000 * statistics.median(walls), 'CPU': 1000 * cpu / len(walls)}


class W5(Row):
    """A new connection and a full handshake each time, the certificate verified."""
    title = 'W5   fresh connection and full handshake, 64 at once'
    figures = {'handshakes a second': ('', 0), 'CPU each': ('ms', 2)}
    goals = (('handshakes a second', FETCHD, 'at least', 2.0, DISTRO),
             ('handshakes a second', FETCHD, 'at least', 0.9, OWN))

    def measure(self, who):
        requests = 2000 if self.full else 640
        got = self.bed.of(who, KIB, requests, 64, fresh=True)
        return {'handshakes a second': requests / got['wall_s'], 'CPU each': 1000 * got['cpu_s'] / requests}


ROWS = {'w1': W1, 'w1h2': W1Http2, 'w1s': Steady, 'w2': W2, 'w2d': W2Data, 'w3': W3, 'w4': W4, 'w5': W5}
