"""Millions of small requests with recycling on: memory and descriptors stay flat."""
import json
import threading
import time

from bed import MIB, Site, bench, mib, proc

MOST = 10000000
CHUNK = 50000
KINDS = [('rss', 'supervisor: resident', mib, 4 * MIB), ('fds', 'supervisor: descriptors', str, 4),
         ('worker_rss', 'largest worker: resident', mib, 8 * MIB),
         ('worker_fds', 'largest worker: descriptors', str, 16)]
SETTINGS = {'workers.max_requests': 200000, 'workers.max_age': '60s'}


class Watch(threading.Thread):
    """Every two seconds: RSS and descriptors of the supervisor, and of the workers, each with its age."""

    def __init__(self, fetchd):
        super().__init__(daemon=True)
        self.fetchd, self.over, self.rows = fetchd, threading.Event(), []
        self.pids = set()

    def run(self):
        with self.fetchd.connect() as c:
            while not self.over.wait(2):
                workers = [w for w in c.status()['workers'] if w['state'] == 'ready']
                self.pids.update(w['pid'] for w in workers)
                self.rows.append(dict(
                    rss=proc.rss_bytes(self.fetchd.pid), fds=proc.fds(self.fetchd.pid),
                    worker_rss=max((w.get('rss_bytes', 0) for w in workers), default=0),
                    worker_fds=max((w.get('open_fds', 0) for w in workers), default=0)))

    def stop(self):
        self.over.set()
        self.join()


def part(rows, name, first):
    """The largest value within the first, or the last, quarter of the run."""
    quarter = max(1, len(rows) // 4)
    return max(row[name] for row in (rows[:quarter] if first else rows[-quarter:]))


def run(report, seconds):
    site = Site.get()
    url = site.origin.url('h2', '/small')
    began, asked, errors = time.monotonic(), 0, {}
    with site.daemon(workers=2, settings=SETTINGS) as fetchd:
        bench(fetchd, '--requests', CHUNK, '--concurrency', 128, '--connections', 4, url).communicate()
        watch = Watch(fetchd)
        watch.start()
        while asked < MOST and time.monotonic() - began < seconds:
            out, err = bench(fetchd, '--requests', CHUNK, '--concurrency', 128, '--connections', 4,
                             '--expect-bytes', 6, url).communicate()
            result = json.loads(out)
            asked += CHUNK
            for name, count in result['error_kinds'].items():
                errors[name] = errors.get(name, 0) + count
        spent = time.monotonic() - began
        watch.stop()
        restarts = sum(w.get('restarts', 0) for w in fetchd.status()['workers'])
        left = len(proc.children(fetchd.pid))
    report.figure('requests', '%d in %.0f s, %.0f a second, errors %s' % (asked, spent, asked / spent, errors or 0))
    report.figure('workers recycled', '%d, processes at the end %d' % (restarts, left))
    rows = watch.rows
    for name, what, show, slack in KINDS:
        first, last = part(rows, name, True), part(rows, name, False)
        report.figure('%s, first and last' % what, '%s, %s (most in the first and the last quarter %s, %s)' % (
            show(rows[0][name]), show(rows[-1][name]), show(first), show(last)))
        report.claim('%s: flat' % what, last <= first + slack, '%s, %s' % (show(first), show(last)))
    report.claim('no request fails', not errors, str(errors))
    report.claim('workers are recycled, and none is left behind', restarts > 0 and left <= 4, '%d %d' % (restarts, left))


def soak(report, seconds):
    with report.scenario('soak: %d small requests, at most %d s' % (MOST, seconds)):
        run(report, seconds)
