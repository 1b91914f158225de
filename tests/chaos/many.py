"""Very many TLS connections held at once by two workers."""
import json
import resource
import time

from bed import ADDRESSES, Origin, Site, bench, daemon, mib, paths, proc

MANY, FEW = 20000, 2000
LIMIT_KB, LIMIT_RATIO = 40, 1.3
SETTINGS = {'timeouts.connect': '10m', 'timeouts.headers': '10m', 'limits.queue_timeout': '10m',
            'daemon.streams': 10000}


def sums(fetchd):
    pids = fetchd.workers().values()
    return sum(map(proc.rss_bytes, pids)), sum(map(proc.cpu_ns, pids)) / 1e9, proc.cpu_ns(fetchd.pid) / 1e9


def hold(report, origin, authority, count, seconds):
    """Opens `count` connections whose answers take `seconds`. Returns what was measured."""
    allow = ['%s:%d' % (address, port) for address in ADDRESSES for port in origin.ports.values()]
    with daemon(authority, allow, workers=2, settings=SETTINGS) as fetchd:
        rss, cpu, cpu_daemon = sums(fetchd)
        rss_daemon = peak_daemon = proc.rss_bytes(fetchd.pid)
        began, opened_s, most, peak, fullest = time.monotonic(), None, 0, rss, []
        share = count // len(ADDRESSES)
        runs = [bench(fetchd, '--requests', share, '--concurrency', share, '--connections', 4, '--http1.1', '--fresh',
                      '--expect-bytes', 5, origin.url('h1', '/slow/%d' % seconds, address)) for address in ADDRESSES]
        while any(run.poll() is None for run in runs):
            open_now = origin.open_connections()
            if open_now >= most:
                most, peak = open_now, max(peak, sums(fetchd)[0])
                peak_daemon = max(peak_daemon, proc.rss_bytes(fetchd.pid))
                fullest = [w.get('connections', 0) for w in fetchd.status()['workers']]
            if most >= count * 0.999 and opened_s is None:
                opened_s = time.monotonic() - began
            time.sleep(0.5)
        results = [json.loads(run.communicate()[0]) for run in runs]
        _, cpu_after, daemon_after = sums(fetchd)
    errors = {}
    for result in results:
        for name, n in result['error_kinds'].items():
            errors[name] = errors.get(name, 0) + n
    found = dict(ok=sum(result['ok'] for result in results), errors=errors, most=most, opened_s=opened_s,
                 kb=(peak - rss) / 1024 / max(most, 1), daemon_kb=(peak_daemon - rss_daemon) / 1024 / max(most, 1),
                 cpu_ms=(cpu_after - cpu) * 1000 / count,
                 daemon_ms=(daemon_after - cpu_daemon) * 1000 / count)
    report.figure('%d asked: answered, errors' % count, '%d, %s' % (found['ok'], errors or 0))
    report.figure('most open at once at the origin', '%d after %s' % (most, 'some time' if opened_s is None
                                                                      else '%.0f s' % opened_s))
    report.figure('of each worker then, by its beat', fullest)
    report.figure('resident in the workers', '%s more, %.1f KB a connection' % (mib(peak - rss), found['kb']))
    report.figure('CPU a connection: workers, supervisor', '%.2f ms, %.2f ms' % (found['cpu_ms'], found['daemon_ms']))
    return found


def held(report, _):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    title = '%d TLS connections held by 2 workers' % MANY
    if files < MANY * 0.75:
        report.skip(title, 'only %d descriptors are allowed here' % files)
        return
    with report.scenario(title):
        authority = Site.get().authority
        room = min(files - 500, MANY)
        with Origin(paths.folder('m'), authority, addresses=ADDRESSES, room=room, log=False) as origin:
            few = hold(report, origin, authority, FEW, 10)
            rate = FEW / (few['opened_s'] or 10)
            many = hold(report, origin, authority, MANY, 15 + int(1.5 * MANY / rate))
        report.claim('no error', not many['errors'] and not few['errors'] and many['ok'] == MANY, str(many['errors']))
        report.claim('%d were open at once' % MANY, many['most'] >= MANY, '%d' % many['most'])
        report.claim('at most %d KB resident a connection' % LIMIT_KB, many['kb'] <= LIMIT_KB, '%.1f' % many['kb'])
        ratio = many['cpu_ms'] / few['cpu_ms']
        report.figure('CPU a connection at %d to that at %d' % (MANY, FEW), '%.2f' % ratio)
        report.claim('CPU a connection at most %.1f times that at %d' % (LIMIT_RATIO, FEW), ratio <= LIMIT_RATIO,
                     '%.2f' % ratio)
