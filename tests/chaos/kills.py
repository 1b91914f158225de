"""Workers are killed and stopped under load: nothing accepted is lost, nothing is sent twice."""
import collections
import os
import random
import re
import signal
import threading
import time

import load
from bed import Site, log_times, mib, proc, spread, usage

EACH_S = 0.2
SERVERS = ('h1', 'h2')
WORKERS = 6
HANG_MS = 2000                                      # a beat comes each second
READY_MS = 500                                      # after the death or the detected hang
SETTINGS = {'workers.hang_timeout': '%dms' % HANG_MS, 'limits.queue_timeout': '120s', 'retry.attempts': 1}
CRASHES = {'workers.backoff_min': '10ms', 'workers.backoff_max': '100ms'}   # crashes are their own making


class Killer(threading.Thread):
    """Every 200 ms a signal to a ready worker that has a seat. The quarantine workers are spared: a third
    death there is the verdict that the request was the cause, and nobody could tell it from ours."""

    def __init__(self, fetchd, signals, seed=7):
        super().__init__(daemon=True)
        self.fetchd, self.signals, self.chance = fetchd, signals, random.Random(seed)
        self.hits = []                              # (epoch seconds, worker, pid, signal)
        self.over = threading.Event()
        self.missed = 0                             # no worker was ready then
        self.pids = set()

    def run(self):
        with self.fetchd.connect() as c:
            while not self.over.wait(EACH_S):
                self.hit(c.status()['workers'])

    def hit(self, rows):
        taken = {pid for _, _, pid, _ in self.hits}
        ready = [w for w in rows if w['state'] == 'ready' and w['worker'] <= WORKERS and w['pid'] not in taken]
        self.pids.update(w['pid'] for w in rows if w.get('pid'))
        if not ready:
            self.missed += 1
            return
        victim, number = self.chance.choice(ready), self.chance.choice(self.signals)
        try:
            os.kill(victim['pid'], number)
        except ProcessLookupError:
            return
        self.hits.append((time.time(), victim['worker'], victim['pid'], number))

    def stop(self):
        self.over.set()
        self.join()


class Watch:
    """RSS and descriptors of the supervisor, once a second, from within the load's loop."""

    def __init__(self, pid):
        self.pid, self.rows, self.next = pid, [], 0

    def __call__(self):
        now = time.monotonic()
        if now >= self.next:
            self.next = now + 1
            self.rows.append(usage(self.pid))


def recoveries(fetchd, hits):
    """ms from each deadly hit, and from each hang that was noticed, to READY in the same seat."""
    text = fetchd.log()
    ready = collections.defaultdict(list)
    for when, found in log_times(text, r'worker (\d+): ready, pid'):
        ready[int(found.group(1))].append(when)
    hangs = [(when, int(found.group(1))) for when, found in log_times(text, r'worker (\d+): pid \d+ said nothing')]

    def after(when, worker):
        later = [t for t in ready[worker] if t >= when - 0.001]
        return (min(later) - when) * 1000 if later else None
    deaths = [after(when, worker) for when, worker, _, number in hits if number != signal.SIGSTOP]
    noticed = [after(when, worker) for when, worker in hangs]
    return [t for t in deaths if t is not None], [t for t in noticed if t is not None]


def times_sent(origin):
    """How often the origin saw each POST's id, whole or not."""
    seen = collections.Counter()
    for line in (origin.folder / 'access.log').read_text(errors='replace').splitlines():
        found = re.search(r' POST /sink\?id=(\d+) ', line)
        if found:
            seen[int(found.group(1))] += 1
    return seen


def run(report, seconds, signals, lossless, settings):
    """`lossless`: no GET may fail before it had a response byte."""
    site = Site.get()
    site.origin.forget()
    chance = random.Random(11)
    make = load.mixed(lambda path: site.origin.url(chance.choice(SERVERS), path), site.origin.hashes)
    with site.daemon(workers=WORKERS, settings=dict(SETTINGS, **settings)) as fetchd:
        generator = load.Load(fetchd.socket, make)
        watch = Watch(fetchd.pid)
        generator.run(min(5, seconds))              # warm: buffers have their size
        generator.tick = watch
        killer = Killer(fetchd, signals)
        killer.start()
        generator.run(seconds)
        killer.stop()
        whole = generator.finish()
        generator.close()
        fetchd.until_idle()
        fetchd.wait_ready()
        time.sleep(1)
        last = usage(fetchd.pid)
        restarts = sum(w.get('restarts', 0) for w in fetchd.status()['workers'])
        left = [pid for pid in proc.children(fetchd.pid) if pid not in fetchd.workers().values()]
        deaths, hangs = recoveries(fetchd, killer.hits)
        fetchd.known.update(killer.pids)
    tell(report, generator, killer, watch, last, restarts, deaths, hangs)
    judge(report, generator, site.origin, whole, lossless)
    report.claim('no descriptor of the supervisor is left over', last[1] <= watch.rows[0][1], '%d' % last[1])
    report.claim('its memory does not grow', last[0] <= watch.rows[0][0] + (8 << 20), mib(last[0]))
    report.claim('no process is left over', not left or len(left) <= 2, str(left))
    if deaths or hangs:
        report.claim('a seat is ready again within %d ms' % READY_MS, max(deaths + hangs) <= READY_MS,
                     '%.0f ms' % max(deaths + hangs))


def tell(report, generator, killer, watch, last, restarts, deaths, hangs):
    report.figure('requests asked', dict(generator.asked))
    report.figure('answered', '%d, %s, %.0f MiB' % (sum(generator.done.values()), spread(generator.times_ms),
                                                    generator.bytes / (1 << 20)))
    report.figure('attempts', dict(sorted(generator.attempts.items())))
    for (method, name, answered), count in sorted(generator.errors.items()):
        report.figure('%s %s %s' % (method, name, 'in mid-body' if answered else 'before the answer'), count)
    hits = collections.Counter(signal.Signals(number).name for *_, number in killer.hits)
    report.figure('hits', '%s; %d times no worker was ready' % (dict(hits), killer.missed))
    report.figure('workers started anew', restarts)
    report.figure('death to ready', spread(deaths))
    report.figure('hang noticed to ready', spread(hangs))
    rss = [row[0] for row in watch.rows]
    report.figure('supervisor: resident first, most, last', ', '.join(map(mib, (rss[0], max(rss), last[0]))))
    report.figure('supervisor: descriptors first, most, last', '%d, %d, %d' % (
        watch.rows[0][1], max(row[1] for row in watch.rows), last[1]))


def judge(report, generator, origin, whole, lossless):
    asked, done = sum(generator.asked.values()), sum(generator.done.values())
    report.claim('each accepted request has exactly one DONE', whole and asked == done,
                 '%d asked, %d done' % (asked, done))
    report.claim('no frame came after a DONE, no body was wrong, no connection ended', not generator.complaints,
                 str(dict(generator.complaints)))
    strange = {key: count for key, count in generator.errors.items() if key[1] != 'worker.lost'}
    report.claim('the only error is worker.lost', not strange, str(strange))
    early = sum(count for (method, _, answered), count in generator.errors.items()
                if method == 'GET' and not answered)
    if lossless:
        report.claim('every GET that had no response byte succeeds', early == 0, '%d do not' % early)
    else:
        report.figure('GETs given up before an answer', early)
    seen = times_sent(origin)
    twice = [number for number, count in seen.items() if count > 1]
    report.claim('the origin sees no POST twice', not twice, str(twice[:10]))
    unseen = [number for number in generator.ok_posts if seen[number] != 1]
    report.claim('each POST that succeeded was seen once', not unseen, str(unseen[:10]))


def killed_and_stopped(report, seconds):
    with report.scenario('SIGKILL or SIGSTOP every %d ms for %d s' % (EACH_S * 1000, seconds)):
        run(report, seconds, [signal.SIGKILL, signal.SIGSTOP], lossless=True, settings={})


def crashed(report, seconds):
    with report.scenario('SIGSEGV, SIGABRT or SIGBUS every %d ms for %d s' % (EACH_S * 1000, seconds)):
        run(report, seconds, [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS], lossless=False, settings=CRASHES)
