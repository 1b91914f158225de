"""What rows.json, curves.json and calls.json say, as tables for docs/performance.md."""
import statistics

EVERYONE = ('distro', 'same', 'fetchd')
REFERENCE = {'concurrency': 64, 'clients': 8, 'shares': 1, 'workers': 2}     # what the others are compared with
AGAINST = {'distro': ' of distro', 'same': ' of same', None: ''}


def number(value):
    """Three digits, or all before the point."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return '{:,.{}f}'.format(value, digits)


def table(head, rows):
    yield '| %s |' % ' | '.join(head)
    yield '|%s' % ('---|' * len(head))
    for row in rows:
        yield '| %s |' % ' | '.join(row)


def facts(result):
    return ('Measured on %(date)s at %(commit)s: %(processors)d processors (%(model)s), %(memory_gib)d GiB, Linux '
            '%(kernel)s, load %(load).1f before it began; ' % result['machine'] + '%d rounds.' % result['rounds'])


# ---- the rows ----

def spread(values, digits):
    """'52.1 (50.9–54.0)'."""
    if not values:
        return '–'
    text = '{:,.{}f}'.format(statistics.median(values), digits)
    if len(values) > 1:
        text += ' ({:,.{d}f}–{:,.{d}f})'.format(min(values), max(values), d=digits)
    return text


def goal_text(goal):
    sign = '≤' if goal['relation'] == 'at most' else '≥'
    text = '%s %s%s: %s' % (sign, '{:,g}'.format(goal['limit']), AGAINST[goal['against']], number(goal['value']))
    return '**%s, missed**' % text if goal['missed_by'] else text


def rows_of(row):
    title = row['title']
    for figure, (unit, digits) in row['figures'].items():
        found = row['found'][figure]
        goals = [goal_text(goal) for goal in row['goals'] if goal['figure'] == figure]
        others = ['%s %s' % (who, spread(values, digits)) for who, values in found.items()
                  if who not in EVERYONE and values]
        yield (title, figure + (', ' + unit if unit else ''),
               *(spread(found.get(who), digits) for who in EVERYONE), '; '.join(others), '; '.join(goals))
        title = ''


def rows(result):
    yield facts(result)
    yield ''
    head = ('row', 'figure', 'distro', 'same', 'fetchd', 'others', 'goals, and what was reached')
    yield from table(head, (row for _, one in sorted(result['rows'].items()) for row in rows_of(one)))


# ---- the curves ----

def middle(rounds, *path):
    def value(one):
        for name in path:
            one = one[name]
        return one
    return statistics.median(map(value, rounds))


def point_text(axis, point):
    if axis == 'bytes':
        return '%d MiB' % (point >> 20) if point >= 1 << 20 else '%d KiB' % (point >> 10)
    return '{:,}'.format(point)


def curve(name, one):
    """A row for each point; those of several contestants stand in EVERYONE's order."""
    found = {int(point): by for point, by in one['found'].items()}
    points = sorted(found)
    first = REFERENCE.get(name) if REFERENCE.get(name) in found else points[0]
    base = middle(found[first]['fetchd'], 'cpu_us')
    flow = ('MB a second', 'mb_per_s') if name == 'size' else ('requests a second', 'requests_per_s')
    who = [contestant for contestant in EVERYONE if contestant in found[first]]

    def each(point, figure):
        return ' / '.join(number(middle(found[point][contestant], figure)) for contestant in who)

    def grown(point):
        """Of bodies each byte costs, so that is what can be flat."""
        if name == 'size':
            return ' / '.join(number(1e3 * middle(found[point][one], 'cpu_us') / point) for one in who)
        return '%.2f' % (middle(found[point]['fetchd'], 'cpu_us') / base)

    def cells(point):
        fetchd = found[point]['fetchd']
        yield point_text(one['axis'], point)
        yield each(point, flow[1])
        yield each(point, 'cpu_us')
        yield ' + '.join(number(middle(fetchd, 'parts_us', part)) for part in ('client', 'daemon', 'workers'))
        yield grown(point)
        yield each(point, 'p50_ms')
        yield each(point, 'p99_ms')
    head = (one['axis'], flow[0], 'CPU a request, µs', "fetchd's: client + daemon + workers",
            'CPU a GB, s' if name == 'size' else 'of that at %s' % point_text(one['axis'], first), 'latency, half, ms', '99 %, ms')
    yield '%s, in each cell.' % ' / '.join(who) if len(who) > 1 else 'fetchd alone.'
    yield ''
    yield from table(head, (tuple(cells(point)) for point in points))


# ---- system calls ----

def calls(result):
    def cells(row):
        by = row['calls']
        yield from ('{:,}'.format(row[name]) for name in ('concurrency', 'clients', 'workers'))
        yield from (number(sum(by[process].values())) for process in ('daemon', 'workers'))
        most = sorted(by['workers'].items(), key=lambda one: -one[1])[:4]
        yield ', '.join('%s %s' % (name, number(count)) for name, count in most)
    head = ('requests at once', 'programs', 'workers', 'calls of the daemon', 'calls of the workers', 'mostly')
    yield from table(head, (tuple(cells(row)) for row in result['rows']))
