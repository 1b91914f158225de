"""An origin that fails every request: retries stay within their budget, and the breaker spares it."""
import time

import load
from bed import Site

LIMIT = 1.2
OFF = {'origin "*".breaker_failures': 0}


def sample(fetchd, name):
    """The sum of a family of the metrics."""
    text = fetchd.fetchctl('metrics').stdout.decode()
    return sum(float(line.rpartition(' ')[2]) for line in text.splitlines()
               if line.startswith(name + ' ') or line.startswith(name + '{'))


def storm(report, title, path, requests, settings):
    """Asks the failing origin so often, 256 at once, each with five attempts at most."""
    site = Site.get()
    site.origin.forget()
    url = site.origin.url('h2', path)
    with site.daemon(settings={'retry.attempts': 5, **settings}) as fetchd:
        generator = load.Load(fetchd.socket, lambda number: load.Request(number, 'GET', url, 0, ''))
        generator.judged = False
        generator.connect_all()
        while generator.number < requests:
            generator.turn()
        whole = generator.finish()
        generator.close()
        retries = sample(fetchd, 'fetchd_retries_total')
    asked, attempts = generator.asked['GET'], site.origin.seen(path)
    refused = generator.errors['GET', 'origin.unavailable', False]
    report.figure(title, '%d requests, %d seen by the origin, %d retries, %d refused at once' % (
        asked, attempts, retries, refused))
    report.figure('attempts a request', '%.3f; of each: %s' % (
        attempts / asked, dict(sorted(generator.attempts.items()))))
    report.claim('each has its DONE: %s' % title, whole)
    report.claim('at most %.1f attempts a request: %s' % (LIMIT, title), attempts <= LIMIT * asked,
                 '%.3f' % (attempts / asked))


def cycle(report):
    """The origin goes down and comes back, under a steady load: the breaker as STATUS and the metrics show it."""
    site = Site.get()
    down, key = site.origin.root / 'down', 'https://localhost:%d' % site.origin.ports['h2']
    url = site.origin.url('h2', '/switch')
    down.touch()
    with site.daemon(settings={'retry.attempts': 1, 'origin "*".breaker_failures': 20,
                               'origin "*".breaker_open': '2s'}) as fetchd:
        generator = load.Load(fetchd.socket, lambda number: load.Request(number, 'GET', url, 0, ''),
                              connections=1, streams=4)
        generator.judged = False
        seen, began = [], time.monotonic()
        with fetchd.connect() as c:
            def look():
                found = {row['origin']: row for row in c.status().get('origins', ())}.get(key, {})
                now = found.get('breaker')
                if not seen or seen[-1][1] != now:
                    seen.append((time.monotonic() - began, now, found.get('attempts', 0)))
            generator.tick = look
            generator.run(5)                        # down all the while: two openings at least
            site.origin.forget()
            opened = sample(fetchd, 'fetchd_origin_breaker_open')
            down.unlink()
            generator.run(4)
            generator.finish()
        still = sample(fetchd, 'fetchd_origin_breaker_open')
        generator.close()
    report.figure('breaker', ', '.join('%s at %.1f s (attempts %d)' % (name, when, n) for when, name, n in seen))
    names = [name for _, name, _ in seen]
    report.claim('it opens, lets one try, and closes when the origin is back',
                 'open' in names and names[-1] == 'closed', str(names))
    first = next((n for _, name, n in seen if name == 'open'), 0)
    report.claim('it opens at the 20th failure', 20 <= first <= 24, '%d' % first)
    again = [n for when, name, n in seen if name == 'open']
    report.claim('the metrics show it open, and closed again', opened == 1 and still == 0, '%d %d' % (opened, still))
    report.figure('attempts at each opening', again)
    report.figure('refused at once meanwhile', generator.errors['GET', 'origin.unavailable', False])


def failing(report, _):
    with report.scenario('an origin that fails every request'):
        storm(report, 'as it comes, with the breaker', '/later', 20000, {})
        storm(report, 'without the breaker', '/later', 20000, OFF)
        storm(report, 'without it, each failure takes 200 ms', '/later-slowly', 6000, OFF)
        storm(report, 'and is tried again at once', '/later-slowly', 6000, dict(OFF, **{'retry.delay': '1ms'}))
    with report.scenario('an origin that goes down and comes back'):
        cycle(report)
