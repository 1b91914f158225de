"""One client floods; what do the others notice? They and the flood keep a fixed number of requests open,
so where the machine is the limit, a fair half for another user doubles the others' times by itself."""
import json
import os
import shutil

from bed import Site, bench

OTHERS, STREAMS, FLOOD = 63, 32, 3200
LIMIT = 2.0


def run_others(fetchd, url, rounds):
    out, err = bench(fetchd, '--requests', OTHERS * STREAMS * rounds, '--concurrency', OTHERS * STREAMS,
                     '--connections', OTHERS, url).communicate()
    result = json.loads(out)
    if result['errors']:
        raise AssertionError('errors: %r' % result['error_kinds'])
    return result


def beside_flood(fetchd, url, rounds, prefix):
    """What the others see, and their part of all that was answered meanwhile."""
    flood = bench(fetchd, '--requests', 100000000, '--concurrency', FLOOD, '--connections', 1, url, prefix=prefix)
    try:
        run_others(fetchd, url, 2)                  # the flood is at its height, connections are open
        before = fetchd.status()['succeeded']
        result = run_others(fetchd, url, rounds)
        part = OTHERS * STREAMS * rounds / (fetchd.status()['succeeded'] - before)
    finally:
        alive = flood.poll() is None
        flood.kill()
        words = flood.communicate()
    if not alive:
        raise AssertionError('the flood ended early: %r' % (words,))
    return result, part


def strangers():
    """A prefix that makes a program another user's."""
    if os.geteuid() != 0 or not shutil.which('setpriv'):
        return None
    return ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']


def tell(report, name, result, more=''):
    report.figure(name, 'p99 %.0f ms, half %.0f ms, %.0f a second%s' % (
        result['p99_ms'], result['p50_ms'], result['req_per_s'], more))


def run(report, path, rounds, settings, full):
    """`full`: the machine is the limit, so that another user's part is what can be judged."""
    site = Site.get()
    url = site.origin.url('h2', path)
    with site.daemon(settings={'daemon.mode': '0666', 'limits.queue_timeout': '2m', **settings}) as fetchd:
        fetchd.folder.chmod(0o755)
        run_others(fetchd, url, 4)                  # warm: connections are open, names are known
        alone = run_others(fetchd, url, rounds)
        tell(report, 'alone', alone)
        for who, prefix, fair in (('the same user', [], 0.9), ('another user', strangers(), 0.45)):
            if prefix is None:
                report.skip('beside a flood of %s' % who, 'needs root and setpriv')
                continue
            result, part = beside_flood(fetchd, url, rounds, prefix)
            times = result['p99_ms'] / alone['p99_ms']
            tell(report, 'beside a flood of %s' % who, result, ', %.0f %% of all' % (100 * part))
            report.figure("the others' p99 to theirs alone", '%.2f' % times)
            if full:
                report.claim("beside a flood of %s the others get their part" % who, part >= fair, '%.2f' % part)
            if not full or prefix == []:
                report.claim("the others' p99 is at most %.0f times theirs alone, beside a flood of %s" % (LIMIT, who),
                             times <= LIMIT, '%.2f times' % times)
            fetchd.until_idle()


def shared(report, _):
    title = '%d connections x %d requests, one more floods with %d: ' % (OTHERS, STREAMS, FLOOD)
    with report.scenario(title + 'an origin that takes 200 ms'):
        run(report, '/slow/0.2', 20, {}, full=False)
    with report.scenario(title + 'the machine is the limit'):
        run(report, '/small', 40, {}, full=True)
    with report.scenario(title + 'the origin takes 64 at once'):
        run(report, '/slow/0.005', 20, {'origin "*".connections': 64}, full=True)
