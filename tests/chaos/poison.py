"""A URL whose answer kills whichever worker reads it, among many good ones."""
import load
from bed import Site, bodies, paths, spread

GOOD = 500
WORKER = paths.BUILD / 'tests' / 'chaos' / 'fetchd-worker-poison'


def run(report, path, server, settings=None):
    """500 at once, whose answers come while the poison's kills: every one of them has neighbours."""
    site = Site.get()
    sha = bodies.sha256(b'slow\n')
    with site.daemon(workers=2, program=WORKER, settings=dict({
            'workers.backoff_min': '10ms', 'workers.backoff_max': '100ms'}, **(settings or {}))) as fetchd:
        def make(number):
            if number == GOOD // 2:
                return load.Request(number, 'POISON', site.origin.url(server, '/poison'), 0, '')
            return load.Request(number, 'GET', site.origin.url('h2', path), 5, sha)
        generator = load.Load(fetchd.socket, make, connections=3, streams=GOOD // 3 + 1)
        generator.run(0)
        while generator.number <= GOOD:
            generator.turn()
        whole = generator.finish()
        generator.close()
        deaths = fetchd.log().count('requests to place again or to fail')
    tell(report, generator, whole, deaths)


def tell(report, generator, whole, deaths):
    good = generator.done['GET'] - sum(n for (method, *_), n in generator.errors.items() if method == 'GET')
    report.figure('workers it killed', deaths)
    report.figure('attempts', dict(sorted(generator.attempts.items())))
    report.figure('time of a good answer', spread(generator.times_ms))
    report.claim('each request has exactly one DONE, each body its hash', whole and not generator.complaints,
                 str(dict(generator.complaints)))
    report.claim('%d good answers' % GOOD, good == generator.asked['GET'] == GOOD,
                 '%d; %s' % (good, dict(generator.errors)))
    report.claim('one worker.lost', generator.errors['POISON', 'worker.lost', False] == 1)
    report.claim('it killed at most five workers', 3 <= deaths <= 5, '%d' % deaths)


def poison(report, _):
    if not WORKER.exists():
        report.skip('a poison URL among %d good ones' % GOOD, '%s was not built' % WORKER)
        return
    for server, where in (('h2', 'at the same origin'), ('h1', 'at another origin')):
        with report.scenario('a poison URL among %d good ones %s' % (GOOD, where)):
            run(report, '/slow/0.1', server)
    with report.scenario('the same, answers that take a second'):
        run(report, '/slow/1', 'h2')
