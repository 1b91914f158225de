"""What the supervisor promises when workers die, origins fail and clients ask too much: short and
deterministic; make chaos is the same at length and under load."""
import collections
import json
import os
import re
import signal
import threading
import time
import urllib.error
import urllib.request

from world import KIB, World, origins, paths, proc, tap

POISON = paths.BUILD / 'tests' / 'chaos' / 'fetchd-worker-poison'


class Scripted(origins.Origin):
    """Plain http; answers what the script says, one after the other, then 200."""

    def __init__(self):
        super().__init__()
        self.script = []                    # (status, header lines)
        self.gate = threading.Event()

    def respond(self, peer, status=200, lines=(), body=b'ok\n'):
        head = ['HTTP/1.1 %d X' % status, 'Content-Length: %d' % len(body), 'Connection: close', *lines]
        peer.sendall('\r\n'.join(head).encode() + b'\r\n\r\n' + body)
        return False

    def do_next(self, peer):
        return self.respond(peer, *(self.script.pop(0) if self.script else ()))

    def do_poison(self, peer):
        return self.respond(peer, 200, ['X-Poison: 1'])

    def do_wait(self, peer):
        self.gate.wait(60)
        return self.respond(peer)

    def do_long(self, peer):
        return self.respond(peer, body=bytes(100 * KIB))

    def count(self, path):
        return sum(path in asked for _, asked, _ in self.requests)


class Own(World):
    """Each test starts a daemon with the settings it is about."""
    own_daemon = True
    workers = 1

    def start(self, allow=(), **options):
        self.fetchd = self.make(allow, **options).start()
        self.addCleanup(self.end)
        return self.fetchd

    def end(self):
        if self._outcome.success:
            self.fetchd.stop()
        else:
            tap.last_words(self.fetchd.evidence)
            self.fetchd.kill()

    def scripted(self, *script):
        origin = Scripted().start()
        self.addCleanup(origin.stop)
        origin.script += script
        return origin

    def restarts(self, reason=None):
        """How often a worker took another's place, by the metrics."""
        samples = parse_metrics(self.ctl_good('metrics').decode()).samples
        return sum(value for (name, labels), value in samples.items() if name == 'fetchd_worker_restarts_total'
                   and reason in (None, dict(labels)['reason']))

    def until_restarts(self, reason, count=1):
        proc.until(lambda: self.restarts(reason) >= count, what='%d restarts: %s' % (count, reason))

    def holder(self):
        """pid of a worker that has a request."""
        return proc.until(lambda: next((w['pid'] for w in self.fetchd.status()['workers']
                                        if w.get('in_flight', 0) and w['state'] == 'ready'), None), what='a busy worker')


# ---- metrics: the text format of Prometheus, 0.0.4 ----

class Metrics:
    def __init__(self):
        self.types, self.helps, self.samples = {}, {}, {}

    def __getitem__(self, wanted):
        name, _, labels = wanted.partition('{')
        labels = tuple(re.findall(r'(\w+)="([^"]*)"', labels))
        return self.samples.get((name, labels), 0)


SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)')


def parse_metrics(text):
    """Holds every line to the format. Raises AssertionError."""
    found, family = Metrics(), None
    assert text.endswith('\n')
    for line in text[:-1].split('\n'):
        if line.startswith('# '):
            _, kind, name, rest = line.split(' ', 3)
            table = {'HELP': found.helps, 'TYPE': found.types}[kind]
            assert name not in table, 'twice: ' + line
            assert kind == 'HELP' or name in found.helps, line
            table[name], family = rest, name
            continue
        match = SAMPLE.match(line)
        assert match, 'not a sample: %r' % line
        name, labels, value = match.groups()
        assert name == family and name in found.types, 'a sample outside of its family: %r' % line
        pairs = tuple(LABEL.findall(labels or ''))
        assert LABEL.sub('', labels or '') == '', 'labels: %r' % line
        assert (name, pairs) not in found.samples, 'twice: %r' % line
        found.samples[name, pairs] = float(value)
        assert found.types[name] in ('counter', 'gauge'), line
        assert (found.types[name] == 'counter') == name.endswith('_total'), line
        assert found.types[name] != 'counter' or float(value) >= 0
    return found


# ---- deaths ----

class Deaths(Own):
    def test_a_poison_request_harms_only_itself(self):
        """Its neighbours are with it at two deaths, or more; each is answered, and it dies alone at last."""
        origin = self.scripted()
        with self.start([origin.port], program=POISON, workers=2).connect() as c:
            neighbours = [c.fetch(origin.url('/wait?%d' % i)) for i in range(12)]
            proc.until(lambda: origin.count('/wait') == 12, what='the neighbours')
            poison = c.fetch(origin.url('/poison'))
            self.until_restarts('crashed', 2)
            self.assertIsNone(c.answer(poison).done)
            origin.gate.set()
            error = self.bad(c.finish(poison), 'worker.lost')
            deaths = error['attempts']
            self.assertIn((deaths, error.get('retryable', False)), ((3, False), (4, False), (5, False)))
            attempts = [self.good(c.finish(id)).done['attempts'] for id in neighbours]
            self.assertGreater(max(attempts), 1, 'nobody was near it')
            self.assertEqual((self.restarts('crashed'), origin.count('/poison')), (deaths, deaths))
            self.fetchd.until_log('starts as a quarantine worker')
            self.good(c.get(origin.url('/next')))

    def test_a_poison_request_without_neighbours_has_three_attempts(self):
        origin = self.scripted()
        with self.start([origin.port], program=POISON).connect() as c:
            self.assertEqual(self.bad(c.get(origin.url('/poison')), 'worker.lost')['attempts'], 3)
            self.assertEqual(self.restarts('crashed'), 3)

    def test_what_was_there_at_two_crashes_goes_on_in_quarantine_and_is_answered(self):
        origin = self.scripted()
        with self.start([origin.port]).connect() as c:
            ids = [c.fetch(origin.url('/wait?%d' % i)) for i in range(4)]
            for death in range(2):
                proc.until(lambda: origin.count('/wait') == 4 * (death + 1), what='their attempt')
                proc.crash(self.fetchd.workers()[1], signal.SIGSEGV)
                self.until_restarts('crashed', death + 1)
            proc.until(lambda: origin.count('/wait') == 4 * 3, what='all in quarantine')
            rows = {w['worker']: w.get('in_flight', 0) for w in self.fetchd.status()['workers']}
            self.assertEqual((rows[1], sum(rows.values())), (0, 4))
            self.good(c.get(self.url('/1k')))                           # others are not held up
            origin.gate.set()
            self.assertEqual([self.good(c.finish(id)).done['attempts'] for id in ids], [3] * 4)

    def test_with_each_further_crash_it_is_with_fewer(self):
        """32 of two deaths share one quarantine worker; after a third, 8 share one; then each is alone."""
        origin = self.scripted()
        with self.start([origin.port]).connect() as c:
            ids = [c.fetch(origin.url('/wait?%d' % i)) for i in range(32)]
            for death in range(2):
                proc.until(lambda: origin.count('/wait') == 32 * (death + 1), what='their attempt')
                proc.crash(self.fetchd.workers()[1], signal.SIGSEGV)
                self.until_restarts('crashed', death + 1)
            for pid in self.until_quarantined([32]):
                proc.crash(pid, signal.SIGSEGV)
            for pid in self.until_quarantined([8, 8]):
                proc.crash(pid, signal.SIGSEGV)
            self.until_restarts('crashed', 5)
            self.until_quarantined([8, 8])                              # those behind them, at their third yet
            origin.gate.set()
            attempts = collections.Counter(self.good(c.finish(id)).done['attempts'] for id in ids)
            self.assertEqual(attempts, {4: 16, 5: 16})

    def until_quarantined(self, counts):
        """Waits until so many requests are in quarantine workers. Returns the pids of those."""
        def found():
            pool = int(self.fetchd.settings['workers.count'])
            held = {w['pid']: w['in_flight'] for w in self.fetchd.status()['workers']
                    if w['worker'] > pool and w.get('in_flight')}
            return sorted(held.values()) == counts and list(held)
        return proc.until(found, what='quarantine by %r' % counts)

    def test_slow_innocents_do_not_run_out_of_time_in_quarantine(self):
        """Those that wait for their turn there are not told that no worker could take them."""
        origin = self.scripted()
        with self.start([origin.port], settings={'limits.queue_timeout': '1s'}).connect() as c:
            ids = [c.fetch(origin.url('/wait?%d' % i)) for i in range(20)]
            for death in range(2):
                proc.until(lambda: origin.count('/wait') == 20 * (death + 1), what='their attempt')
                proc.crash(self.fetchd.workers()[1], signal.SIGSEGV)
                self.until_restarts('crashed', death + 1)
            for pid in self.until_quarantined([20]):
                proc.crash(pid, signal.SIGSEGV)
            self.until_quarantined([8, 8])
            time.sleep(2.5)                                             # four more wait longer than the queue's time
            origin.gate.set()
            for id in ids:
                self.good(c.finish(id))

    def test_kills_from_outside_are_nobodys_fault(self):
        """However often: it is placed again, and never into quarantine."""
        with self.start(workers=2).connect() as c:
            id = c.fetch(self.url('/hold/outside', 'h1'))
            for death in range(5):
                self.backend.until(lambda: self.backend.seen['outside'] == death + 1)
                os.kill(self.holder(), signal.SIGKILL)
                self.until_restarts('killed', death + 1)
            self.backend.until(lambda: self.backend.seen['outside'] == 6)
            self.backend.release('outside')
            self.assertEqual(self.good(c.finish(id)).done['attempts'], 6)
            self.assertNotIn('quarantine', self.fetchd.log())

    def test_a_post_that_has_not_left_is_placed_again(self):
        """Its worker dies in the TLS handshake: no SENDING was said, so the origin can't have it."""
        stall = origins.Handshake('stall').start()
        self.addCleanup(stall.stop)
        with self.start([stall.port], workers=1).connect() as c:
            id = c.fetch(stall.url('/'), method='POST', body=b'once', total_timeout_ms=60000)
            proc.until(lambda: stall.connections == 1, what='the first attempt')
            os.kill(self.holder(), signal.SIGKILL)
            proc.until(lambda: stall.connections == 2, what='the second attempt')
            c.send('CANCEL', id)
            self.assertEqual(self.bad(c.finish(id), 'cancelled')['attempts'], 2)

    def test_a_post_that_has_left_is_worker_lost_and_seen_once(self):
        with self.start(workers=2).connect() as c:
            id = c.fetch(self.url('/hold/left', 'h2'), method='POST', body=b'once')
            self.backend.until_waiting('left')
            os.kill(self.holder(), signal.SIGKILL)
            error = self.bad(c.finish(id), 'worker.lost')
            self.assertEqual((error['attempts'], error.get('retryable', False)), (1, False))
            self.fetchd.wait_ready()
            self.backend.until_ended('left')
            self.assertEqual(self.backend.seen['left'], 1)

    def test_retries_do_not_pay_for_deaths(self):
        """With a single attempt allowed, a death still is no failure of the request's."""
        with self.start(workers=2, settings={'retry.attempts': 1, 'retry.budget': 0}).connect() as c:
            id = c.fetch(self.url('/hold/pay', 'h1'))
            self.backend.until_waiting('pay')
            os.kill(self.holder(), signal.SIGKILL)
            self.backend.until(lambda: self.backend.seen['pay'] == 2)
            self.backend.release('pay')
            self.assertEqual(self.good(c.finish(id)).done['attempts'], 2)
            self.assertEqual(self.fetchd.status().get('retries', 0), 0)


# ---- retries ----

LATER = (503, ['Retry-After: 0'])


class Retries(Own):
    settings = {'retry.delay': '10ms'}

    def ask(self, *script, **options):
        self.origin_ = self.scripted(*script)
        with self.start([self.origin_.port]).connect() as c:
            return c.get(self.origin_.url('/next'), **options)

    def outcome(self, answer):
        """(status, attempts told, requests at the origin)"""
        self.good(answer, status=answer.status)
        return answer.status, answer.done['attempts'], len(self.origin_.requests)

    def test_503_with_retry_after_is_tried_again(self):
        self.assertEqual(self.outcome(self.ask(LATER, LATER)), (200, 3, 3))

    def test_429_waits_as_long_as_it_says(self):
        began = time.monotonic()
        self.assertEqual(self.outcome(self.ask((429, ['Retry-After: 1']))), (200, 2, 2))
        self.assertGreaterEqual(time.monotonic() - began, 1)

    def test_a_date_in_the_past_is_now(self):
        self.assertEqual(self.outcome(self.ask((503, ['Retry-After: Mon, 06 Nov 2023 08:49:37 GMT']))), (200, 2, 2))

    def test_the_last_answer_is_delivered_when_attempts_are_used_up(self):
        self.assertEqual(self.outcome(self.ask(LATER, LATER, LATER, LATER)), (503, 3, 3))

    def test_the_request_says_how_many_attempts(self):
        self.assertEqual(self.outcome(self.ask(LATER, LATER, LATER, LATER, attempts=5)), (200, 5, 5))

    def test_one_attempt_is_one(self):
        self.assertEqual(self.outcome(self.ask(LATER, attempts=1)), (503, 1, 1))

    def test_503_that_does_not_say_when_is_an_answer(self):
        self.assertEqual(self.outcome(self.ask((503, []))), (503, 1, 1))

    def test_5xx_when_asked_for(self):
        self.assertEqual(self.outcome(self.ask((500, []), (502, []), retry_5xx=True)), (200, 3, 3))

    def test_500_is_an_answer_unless_asked_for(self):
        self.assertEqual(self.outcome(self.ask((500, []))), (500, 1, 1))

    def test_501_will_not_be_better_the_next_time(self):
        self.assertEqual(self.outcome(self.ask((501, []), retry_5xx=True)), (501, 1, 1))

    def test_a_retry_after_beyond_the_longest_wait_is_not_waited_for(self):
        self.assertEqual(self.outcome(self.ask((503, ['Retry-After: 3600']))), (503, 1, 1))

    def test_a_retry_after_beyond_the_requests_own_time_is_not_waited_for(self):
        self.assertEqual(self.outcome(self.ask((503, ['Retry-After: 5']), total_timeout_ms=3000)), (503, 1, 1))

    def test_a_post_is_not_tried_again(self):
        self.assertEqual(self.outcome(self.ask(LATER, method='POST')), (503, 1, 1))

    def test_a_refused_connection_is_tried_again_and_told(self):
        port = origins.refused_port()
        with self.start([port]).connect() as c:
            for method in ('GET', 'POST'):                              # not a byte of either can have left
                error = self.bad(c.get('http://localhost:%d/' % port, method=method), 'connect.refused')
                self.assertEqual(error['attempts'], 3)
            self.assertEqual(self.fetchd.status()['retries'], 4)

    def test_a_reset_handshake_is_tried_again_on_a_fresh_connection(self):
        reset = origins.Handshake('reset').start()
        self.addCleanup(reset.stop)
        with self.start([reset.port]).connect() as c:
            self.assertEqual(self.bad(c.get(reset.url('/')), 'tls.peer_reset')['attempts'], 3)
            self.assertEqual(reset.connections, 3)

    def test_retries_stay_within_a_fifth_of_the_others(self):
        """100 at once, whose second attempt comes later than all have failed."""
        port = origins.refused_port()
        settings = {'retry.delay': '4s', 'retry.attempts': 2, 'origin "*".breaker_failures': 0}
        with self.start([port], settings=settings).connect() as c:
            ids = [c.fetch('http://localhost:%d/' % port) for _ in range(100)]
            attempts = collections.Counter(self.bad(c.finish(id), 'connect.refused')['attempts'] for id in ids)
        self.assertEqual(sum(attempts.values()), 100)
        self.assertGreaterEqual(attempts[2], 3)
        self.assertLessEqual(attempts[2], 17, attempts)


# ---- origins ----

class Origins(Own):
    def rules(self, **rules):
        return {'origin "*".' + key: value for key, value in rules.items()}

    def row(self, origin):
        return next((row for row in self.fetchd.status().get('origins', ())
                     if row['origin'] == origin.url('').rstrip('/')), {})

    def test_the_breaker_opens_lets_one_try_and_closes(self):
        origin = self.scripted((500, []), (500, []), (500, []))
        with self.start([origin.port], workers=2, settings=self.rules(breaker_failures=3, breaker_open='1s')
                        ).connect() as c:
            self.assertEqual([c.get(origin.url('/next')).status for _ in range(3)], [500] * 3)
            self.assertEqual(self.row(origin)['breaker'], 'open')
            self.assertEqual(parse_metrics(self.ctl_good('metrics').decode())[
                'fetchd_origin_breaker_open{origin="%s"}' % origin.url('')], 1)
            with self.fetchd.connect() as others:                       # it spares the origin from all apps
                error = self.bad(others.get(origin.url('/next')), 'origin.unavailable')
            self.assertEqual((error['attempts'] if 'attempts' in error else 0, len(origin.requests)), (0, 3))
            time.sleep(1.1)
            probe = c.fetch(origin.url('/wait'))
            proc.until(lambda: origin.count('/wait') == 1, what='the probe')
            self.assertEqual(self.row(origin)['breaker'], 'half-open')
            self.bad(c.get(origin.url('/next')), 'origin.unavailable')
            origin.gate.set()
            self.good(c.finish(probe))
            self.assertEqual(self.row(origin)['breaker'], 'closed')
            self.good(c.get(origin.url('/next')))
            self.assertEqual(len(origin.requests), 5)

    def test_a_probe_that_fails_opens_it_again(self):
        origin = self.scripted(*[(500, [])] * 4)
        with self.start([origin.port], settings=self.rules(breaker_failures=3, breaker_open='500ms')).connect() as c:
            for _ in range(3):
                c.get(origin.url('/next'))
            time.sleep(0.6)
            self.assertEqual(c.get(origin.url('/next')).status, 500)
            self.bad(c.get(origin.url('/next')), 'origin.unavailable')
            self.assertEqual(len(origin.requests), 4)

    def test_a_success_between_failures_starts_the_count_anew(self):
        origin = self.scripted((500, []), (500, []), (200, []), (500, []), (500, []))
        with self.start([origin.port], settings=self.rules(breaker_failures=3)).connect() as c:
            self.assertEqual([c.get(origin.url('/next')).status for _ in range(6)], [500, 500, 200, 500, 500, 200])

    def test_one_origins_breaker_is_not_anothers(self):
        port = origins.refused_port()
        with self.start([port], settings=dict(self.rules(breaker_failures=1), **{'retry.attempts': 1})).connect() as c:
            self.bad(c.get('http://localhost:%d/' % port), 'connect.refused')
            self.bad(c.get('http://localhost:%d/' % port), 'origin.unavailable')
            self.good(c.get(self.url('/1k')), sha256=self.nginx.hashes['1k'])

    def test_at_most_so_many_at_once_from_all_apps_together(self):
        origin = self.scripted()
        with self.start([origin.port], workers=2, settings=self.rules(connections=2)).connect() as c, \
                self.fetchd.connect() as others:
            mine = [c.fetch(origin.url('/wait?%d' % i)) for i in range(4)]
            theirs = [others.fetch(origin.url('/wait?%d' % i)) for i in range(4)]
            proc.until(lambda: self.row(origin).get('open') == 8 and origin.count('/wait') == 2, what='two at the origin')
            self.good(c.get(self.url('/1k')), sha256=self.nginx.hashes['1k'])   # elsewhere nobody waits
            self.assertEqual((origin.count('/wait'), self.row(origin)['active']), (2, 2))
            origin.gate.set()
            for id in mine:
                self.good(c.finish(id))
            for id in theirs:
                self.good(others.finish(id))

    def spaced(self, count, least_s, **rules):
        origin = self.scripted()
        with self.start([origin.port], workers=2, settings=self.rules(**rules)).connect() as c, \
                self.fetchd.connect() as others:
            began = time.monotonic()
            asked = [(client, client.fetch(origin.url('/next?%d' % i))) for i in range(count) for client in (c, others)]
            for client, id in asked:
                self.good(client.finish(id))
            self.assertGreaterEqual(time.monotonic() - began, least_s)
            self.assertEqual(len(origin.requests), 2 * count)

    def test_so_many_requests_a_second(self):
        self.spaced(3, 0.5, rate=10)

    def test_a_burst_first_then_so_many_a_second(self):
        self.spaced(4, 0.5, rate=10, burst=3)

    def test_the_crawl_delay_is_kept(self):
        self.spaced(2, 0.6, crawl_delay='200ms')

    def test_the_larger_of_rate_and_crawl_delay_holds(self):
        self.spaced(2, 0.6, rate=1000, crawl_delay='200ms')

    def test_the_first_pattern_that_matches_holds(self):
        one, two = self.scripted(), self.scripted()
        settings = {'origin "http://localhost:%d".connections' % one.port: 1, 'origin "localhost".connections': 3}
        with self.start([one.port, two.port], settings=settings).connect() as c:
            ids = [c.fetch(origin.url('/wait')) for origin in (one, two) for _ in range(4)]
            proc.until(lambda: (one.count('/wait'), two.count('/wait')) == (1, 3), what='one and three')
            self.assertEqual([self.row(origin)['active'] for origin in (one, two)], [1, 3])
            one.gate.set()
            two.gate.set()
            for id in ids:
                self.good(c.finish(id))


# ---- what a client may ask for ----

class Quotas(Own):
    def test_so_many_requests_of_one_user(self):
        with self.start(settings={'limits.principal_requests': 3}).connect() as c, self.fetchd.connect() as again:
            held = [c.fetch(self.url('/hold/quota')) for _ in range(3)]
            self.backend.until_waiting('quota', 3)
            error = self.bad(again.get(self.url('/1k')), 'quota.exceeded')     # a second connection helps nobody
            self.assertTrue(error['retryable'])
            self.assertIn('principal_requests', error['message'])
            self.backend.release('quota')
            for id in held:
                self.good(c.finish(id))
            self.good(again.get(self.url('/1k')), sha256=self.nginx.hashes['1k'])
            self.assertEqual(parse_metrics(self.ctl_good('metrics').decode())[
                'fetchd_errors_total{name="quota.exceeded"}'], 1)

    def test_so_many_bytes_of_one_user(self):
        with self.start(settings={'limits.principal_bytes': '1MiB'}).connect() as c:
            held = c.fetch(self.url('/hold/bytes'), method='POST', body=bytes(700 * KIB))
            self.backend.until_waiting('bytes')
            error = self.bad(c.get(self.url('/upload'), method='POST', body=bytes(700 * KIB)), 'quota.exceeded')
            self.assertIn('principal_bytes', error['message'])
            self.good(c.get(self.url('/1k')), sha256=self.nginx.hashes['1k'])
            self.backend.release('bytes')
            self.good(c.finish(held))
            self.good(c.get(self.url('/upload'), method='POST', body=bytes(700 * KIB)))

    def test_fetchctl_ends_with_111_over_quota(self):
        with self.start(settings={'limits.principal_requests': 1}).connect() as c:
            held = c.fetch(self.url('/hold/111'))
            self.backend.until_waiting('111')
            run = self.ctl('get', '-sS', self.url('/1k'))
            self.assertEqual(run.returncode, 111, run.stderr)
            self.assertIn(b'quota.exceeded', run.stderr)
            self.backend.release('111')
            self.good(c.finish(held))

    def test_so_many_open_in_all_and_on_one_connection(self):
        for setting, word in (('limits.requests', b'[limits] requests'), ('daemon.streams', b'[daemon] streams')):
            with self.subTest(setting=setting), self.make(settings={setting: 2}) as fetchd, fetchd.connect() as c:
                name = setting.replace('.', '-')
                held = [c.fetch(self.url('/hold/' + name)) for _ in range(2)]
                self.assertIn(word.decode(), self.bad(c.get(self.url('/1k')), 'overloaded')['message'])
                self.backend.until_waiting(name, 2)
                self.backend.release(name)
                for id in held:
                    self.good(c.finish(id))

    def stopped(self, **settings):
        """A daemon whose worker takes nothing. What it was given before waits there: 64, and the rest here."""
        self.start(settings=dict({'workers.hang_timeout': '10m'}, **settings))
        pid = self.fetchd.workers()[1]
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(lambda: proc.exists(pid) and os.kill(pid, signal.SIGCONT))
        return pid

    def test_a_full_queue_answers_overloaded_at_once(self):
        pid = self.stopped(**{'limits.queue': 5})
        with self.fetchd.connect() as c:
            ids = [c.fetch(self.url('/1k?%d' % i)) for i in range(64 + 5 + 3)]
            for id in ids[-3:]:
                self.assertIn('[limits] queue', self.bad(c.finish(id), 'overloaded')['message'])
            self.assertEqual(self.fetchd.status()['queued'], 5)
            os.kill(pid, signal.SIGCONT)
            for id in ids[:-3]:
                self.good(c.finish(id), sha256=self.nginx.hashes['1k'])

    def test_what_no_worker_takes_in_time_is_overloaded(self):
        pid = self.stopped(**{'limits.queue_timeout': '1s'})
        with self.fetchd.connect() as c:
            ids = [c.fetch(self.url('/1k?%d' % i)) for i in range(64 + 2)]
            for id in ids[-2:]:
                error = self.bad(c.finish(id), 'overloaded')
                self.assertEqual((error['phase'], error['retryable']), ('queue', True))
            os.kill(pid, signal.SIGCONT)
            for id in ids[:-2]:
                self.good(c.finish(id))

    def test_the_total_timeout_runs_while_it_waits(self):
        pid = self.stopped()
        with self.fetchd.connect() as c:
            ids = [c.fetch(self.url('/1k?%d' % i)) for i in range(64)]
            late = c.fetch(self.url('/1k'), total_timeout_ms=500)
            error = self.bad(c.finish(late), 'timeout.total')
            self.assertEqual(error['phase'], 'queue')
            os.kill(pid, signal.SIGCONT)
            for id in ids:
                self.good(c.finish(id))

    def test_a_request_that_waits_can_be_cancelled(self):
        pid = self.stopped()
        with self.fetchd.connect() as c:
            ids = [c.fetch(self.url('/1k?%d' % i)) for i in range(65)]
            c.send('CANCEL', ids[-1])
            self.bad(c.finish(ids[-1]), 'cancelled')
            self.assertEqual(self.fetchd.status().get('queued', 0), 0)
            os.kill(pid, signal.SIGCONT)
            for id in ids[:-1]:
                self.good(c.finish(id))


# ---- recycling ----

class Recycling(Own):
    def renewed(self, why, seconds=30, **settings):
        """With a request under way: the old worker ends it, and a new one takes what comes."""
        name = re.sub(r'\W', '', why)
        self.start(settings=settings)
        with self.fetchd.connect() as c:
            held = c.fetch(self.url('/hold/' + name))
            self.backend.until_waiting(name)
            old = self.fetchd.workers()[1]
            for _ in range(30):
                self.good(c.get(self.url('/1k')), sha256=self.nginx.hashes['1k'])
            self.fetchd.until_log(r'worker 1: pid %d is to be replaced: \d+ %s are above' % (old, why))
            proc.until(lambda: self.fetchd.workers().get(1) not in (None, old), seconds, 'a successor')
            self.assertTrue(proc.exists(old), 'it left a request behind')
            self.assertIn('draining', [w['state'] for w in self.fetchd.status()['workers'] if w['pid'] == old])
            self.good(c.get(self.url('/1k')), sha256=self.nginx.hashes['1k'])
            self.backend.release(name)
            self.assertEqual(self.good(c.finish(held)).done['attempts'], 1)
            proc.until(lambda: not proc.exists(old), what='its end')
            self.assertEqual(self.backend.seen[name], 1)
        self.assertGreaterEqual(self.restarts('recycled'), 1)
        self.assertEqual(self.restarts(), self.restarts('recycled'))

    def test_after_so_many_requests(self):
        self.renewed('requests', **{'workers.max_requests': 20})

    def test_after_so_long(self):
        self.renewed('ms of age', **{'workers.max_age': '2s'})

    def test_above_so_much_memory(self):
        self.renewed('resident bytes', **{'workers.max_rss': '4MiB'})

    def test_above_so_many_descriptors(self):
        self.renewed('descriptors', **{'workers.max_descriptors': 3})

    def test_recycling_under_load_loses_nothing(self):
        self.start(workers=2, settings={'workers.max_requests': 50})
        with self.fetchd.connect(keep=False) as c:
            for round in range(12):
                ids = [c.fetch(self.url('/1k?%d' % i, ('h1', 'h2')[i % 2])) for i in range(60)]
                for id in ids:
                    self.assertEqual(self.good(c.finish(id), sha256=self.nginx.hashes['1k']).done['attempts'], 1)
                time.sleep(0.3)
        self.assertGreaterEqual(self.restarts('recycled'), 2)
        self.fetchd.until_idle()

    def test_a_worker_that_does_not_end_what_it_has_is_killed_at_its_deadline(self):
        self.start(settings={'workers.max_requests': 5, 'workers.drain_timeout': '2s'})
        with self.fetchd.connect() as c:
            held = c.fetch(self.url('/half/deadline/1000000', 'h1'))
            c.until(lambda: c.answer(held).bytes > 0)
            for _ in range(10):
                self.good(c.get(self.url('/1k')))
            self.bad(c.finish(held), 'worker.lost')
            self.good(c.get(self.url('/1k')))


# ---- reload ----

class Reloading(Own):
    def test_limits_apply_at_once_and_workers_are_renewed(self):
        self.start(workers=2)
        before = self.fetchd.workers()
        with self.fetchd.connect() as c:
            self.good(c.get(self.url('/1m')), sha256=self.nginx.hashes['1m'])
            self.fetchd.write_config(limits__principal_requests=1, limits__body='10KiB')
            self.ctl_good('reload')
            held = c.fetch(self.url('/hold/reloaded'))
            self.bad(c.get(self.url('/1k')), 'quota.exceeded')              # LIVE
            self.backend.until_waiting('reloaded')
            self.backend.release('reloaded')
            self.good(c.finish(held))
            proc.until(lambda: not set(before.values()) & set(self.fetchd.workers().values()), what='new workers')
            self.bad(c.get(self.url('/1m')), 'body.too_large')              # ROLL
            self.assertEqual(self.restarts('reloaded'), 2)

    def test_rules_for_origins_apply_to_those_already_known(self):
        origin = self.scripted()
        with self.start([origin.port]).connect() as c:
            self.good(c.get(origin.url('/next')))
            self.fetchd.write_config(**{'origin "*".connections': 1})
            self.ctl_good('reload')
            ids = [c.fetch(origin.url('/wait')) for _ in range(3)]
            proc.until(lambda: origin.count('/wait') == 1, what='the first')
            self.assertEqual([row['active'] for row in self.fetchd.status()['origins']], [1])
            origin.gate.set()
            for id in ids:
                self.good(c.finish(id))

    def test_a_bad_file_changes_nothing_and_says_where(self):
        self.start(workers=2, settings={'limits.principal_requests': 50})
        before, whole = self.fetchd.workers(), self.fetchd.config.read_text()
        for line, words in (('[limits]\nnonsense = 1\n', ['nonsense']), ('[nonsense]\na = 1\n', ['nonsense']),
                            ('[limits]\nqueue = many\n', ['queue']),
                            ('[limits]\nrequests = 1\nqueue = 0\n', ['queue']),
                            ('[limits]\nrequests = 1\n[tls]\nca_file = /nonexistent.pem\n', ['/nonexistent.pem'])):
            with self.subTest(line=line):
                self.fetchd.config.write_text(whole + line)
                run = self.ctl('reload')
                self.assertEqual(run.returncode, 3, run.stderr)
                for word in words:
                    self.assertIn(word, run.stderr.decode())
                if 'ca_file' not in line:
                    self.assertRegex(run.stderr.decode(), r'fetchd\.ini:\d+')
        with self.fetchd.connect() as c:
            ids = [c.fetch(self.url('/1k')) for _ in range(20)]             # a limit of 1 would refuse them
            for id in ids:
                self.good(c.finish(id))
        self.assertEqual((self.fetchd.workers(), self.restarts()), (before, 0))

    def test_what_needs_a_restart_is_said(self):
        self.start(workers=1)
        self.fetchd.write_config(workers__count=3)
        self.ctl_good('reload')
        self.fetchd.until_log(r'\[workers\] count needs a restart')
        self.until_restarts('reloaded')
        self.assertEqual(len(self.fetchd.status()['workers']), 1)

    def test_metrics_keep_their_format_while_workers_are_renewed(self):
        """A worker and its successor have one number: no series may come twice."""
        self.start(workers=2)
        with self.fetchd.connect() as c:
            held = [c.fetch(self.url('/hold/renewed', server)) for server in ('h1', 'h2', 'other', 'tls12')]
            self.backend.until_waiting('renewed', 4)
            self.ctl_good('reload')
            self.until_restarts('reloaded', 2)                          # parses at each look
            self.assertGreater(len(self.fetchd.status()['workers']), 2)
            parse_metrics(self.ctl_good('metrics').decode())
            self.backend.release('renewed')
            for id in held:
                self.good(c.finish(id))

    def test_many_reloads_in_a_row_end_with_new_workers_and_no_other(self):
        self.start(workers=2)
        with self.fetchd.connect() as c:
            for _ in range(10):
                ids = [c.fetch(self.url('/1k?%d' % i)) for i in range(10)]
                self.ctl_good('reload')
                for id in ids:
                    self.assertEqual(self.good(c.finish(id)).done['attempts'], 1)
        proc.until(lambda: len(proc.children(self.fetchd.pid)) == 2, what='the end of the old workers')
        self.assertEqual(len(self.fetchd.wait_ready()), 2)

    def test_drain_ends_it_with_0(self):
        self.start(workers=2)
        with self.fetchd.connect() as c:
            held = c.fetch(self.url('/hold/drain'))
            self.backend.until_waiting('drain')
            self.ctl_good('drain')
            self.bad(c.get(self.url('/1k')), 'draining')
            self.backend.release('drain')
            self.good(c.finish(held))
            self.fetchd.finish(0)

    def test_another_user_may_neither_reload_nor_drain(self):
        if os.geteuid() != 0:
            self.skipTest('needs root, to become another user')
        self.start(settings={'daemon.mode': '0666'})
        self.fetchd.folder.chmod(0o755)
        other = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
        for command in ('reload', 'drain'):
            run = self.ctl(command, prefix=other)
            self.assertEqual(run.returncode, 112, run.stderr)
            self.assertIn(b'access.denied', run.stderr)
        self.assertEqual(self.ctl('status', prefix=other).returncode, 0)
        self.assertEqual((self.fetchd.status()['state'], self.restarts()), ('running', 0))


# ---- what it tells ----

class Telling(Own):
    def test_metrics_have_the_format_and_the_counts_match(self):
        origin, port = self.scripted(LATER), origins.refused_port()
        self.start([origin.port, port], workers=2, settings={'retry.delay': '10ms'})
        with self.fetchd.connect() as c:
            for i in range(20):
                self.good(c.get(self.url('/1k?%d' % i)))
            self.good(c.get(origin.url('/next')))                           # after a retry
            self.bad(c.get('http://localhost:%d/' % port), 'connect.refused')   # after two
            self.bad(c.get('nonsense'), 'request.invalid')
            held = c.fetch(self.url('/hold/metrics'))
            self.backend.until_waiting('metrics')
            found = parse_metrics(self.ctl_good('metrics').decode())
            status = self.fetchd.status()
            self.backend.release('metrics')
            self.good(c.finish(held))
        expected = {'fetchd_requests_accepted_total': 24, 'fetchd_requests_total{result="ok"}': 21,
                    'fetchd_requests_total{result="error"}': 2, 'fetchd_errors_total{name="connect.refused"}': 1,
                    'fetchd_errors_total{name="request.invalid"}': 1, 'fetchd_retries_total': 3,
                    'fetchd_requests_open': 1, 'fetchd_requests_queued': 0,
                    'fetchd_origin_attempts_total{origin="%s",result="ok"}' % self.url(''): 20,
                    'fetchd_origin_attempts_total{origin="%s",result="ok"}' % origin.url(''): 1,
                    'fetchd_origin_attempts_total{origin="%s",result="error"}' % origin.url(''): 1,
                    'fetchd_origin_attempts_total{origin="http://localhost:%d",result="error"}' % port: 3,
                    'fetchd_origin_requests{origin="%s"}' % self.url(''): 1}
        self.assertEqual({name: found[name] for name in expected}, expected)
        self.assertEqual((status['accepted'], status['succeeded'], status['failed'], status['retries']), (24, 21, 2, 3))
        for row in status['workers']:
            labels = '{worker="%d",pid="%d"}' % (row['worker'], row['pid'])
            self.assertEqual(found['fetchd_worker_up' + labels], 1)
            self.assertEqual(found['fetchd_worker_requests' + labels], row.get('in_flight', 0))
        shaken = sum(value for (name, labels), value in found.samples.items()
                     if name == 'fetchd_tls_handshakes_total' and ('result', 'ok') in labels)
        self.assertEqual(shaken, sum(w.get('tls_handshakes', 0) for w in status['workers']))
        self.assertGreater(shaken, 0)
        self.assertTrue(all(found.helps.values()))

    def test_failed_handshakes_are_counted_by_worker_origin_and_reason(self):
        reset = origins.Handshake('reset').start()
        self.addCleanup(reset.stop)
        self.start([reset.port], settings={'retry.attempts': 1})
        with self.fetchd.connect() as c:
            self.bad(c.get(reset.url('/')), 'tls.peer_reset')
            self.bad(c.get(self.url('/1k', 'self_signed')), 'tls.certificate')
        found = parse_metrics(self.ctl_good('metrics').decode())
        row = self.fetchd.status()['workers'][0]
        for reason in ('peer_reset', 'certificate'):
            self.assertEqual(found['fetchd_tls_handshakes_total{worker="1",pid="%d",result="%s"}' % (
                row['pid'], reason)], 1)
        self.assertEqual(found['fetchd_origin_tls_failures_total{origin="%s",reason="peer_reset"}' % reset.url('')], 1)
        self.assertEqual(row['tls_failures'], 2)

    def test_metrics_on_a_loopback_port(self):
        port = origins.refused_port()
        self.start(settings={'metrics.port': port})
        address = 'http://127.0.0.1:%d' % port
        with urllib.request.urlopen(address + '/metrics', timeout=10) as reply:
            self.assertIn('text/plain; version=0.0.4', reply.headers['Content-Type'])
            found = parse_metrics(reply.read().decode())
        self.assertEqual(set(found.types), set(parse_metrics(self.ctl_good('metrics').decode()).types))
        for method, path in (('GET', '/'), ('POST', '/metrics'), ('GET', '/metricsx')):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(address + path, method=method), timeout=10)
            self.assertEqual(refused.exception.code, 404)
        with open('/proc/net/tcp') as table:
            bound = [line.split()[1] for line in table if line.split()[1].endswith(':%04X' % port)
                     and line.split()[3] == '0A']
        self.assertEqual(bound, ['0100007F:%04X' % port])

    def test_a_metrics_port_in_use_is_said_at_the_start(self):
        taken = self.scripted()
        fetchd = self.make(settings={'metrics.port': taken.port}).spawn()
        fetchd.finish(expect=1)
        self.assertIn('[metrics] port = %d' % taken.port, fetchd.log())
        self.assertFalse(fetchd.socket.exists())

    def test_fetchctl_shows_workers_and_the_live_view(self):
        self.start(workers=2)
        with self.fetchd.connect() as c:
            for i in range(5):
                self.good(c.get(self.url('/1k?%d' % i)))
            held = c.fetch(self.url('/hold/top'))
            self.backend.until_waiting('top')
            rows = {w['worker']: w for w in self.fetchd.status()['workers']}
            shown = self.ctl_good('workers').decode()
            for row in rows.values():
                self.assertRegex(shown, r'(?m)^\s*%d\b.*\bready\b.*\b%d\b|\b%d\b.*\bready\b' % (
                    row['worker'], row['pid'], row['pid']))
            told = json.loads(self.ctl_good('workers', '--json'))
            self.assertEqual(sorted(w['pid'] for w in told), sorted(w['pid'] for w in rows.values()))
            picture = self.ctl_good('top', '--interval', '0.2').decode()
            self.assertIn('https://localhost:%d' % self.nginx.ports['h2'], picture)
            self.backend.release('top')
            self.good(c.finish(held))
        status = json.loads(self.ctl_good('status', '--json'))
        self.assertEqual(status['succeeded'], 6)
        self.assertIn('https://localhost:%d' % self.nginx.ports['h2'], [row['origin'] for row in status['origins']])


class Logs(Own):
    SECRETS = ['s3cret-' + word for word in ('user', 'password', 'header', 'cookie', 'query', 'body', 'proxy', 'hop',
                                             'fragment', 'answer')]

    def provoke(self, c, origin):
        """Everything that is logged, with a secret wherever one can be."""
        user, password, header, cookie, query, body, proxy, hop, fragment, answer = self.SECRETS
        refused = origins.refused_port()
        headers = [['Authorization', 'Bearer ' + header], ['Cookie', 'sid=' + cookie]]
        rich = '%s://%s:%s@localhost:%d/%s?key=%s#%s'

        def url(scheme, port, path):
            return rich % (scheme, user, password, port, path, query, fragment)
        c.get(url('http', origin.port, 'next'), headers=headers)
        c.get(url('http', refused, 'x'), headers=headers, method='POST', body=body.encode())
        c.get(url('https', self.nginx.ports['self_signed'], '1k'), headers=headers)
        c.get(url('http', 1, 'denied'), headers=headers)
        c.get(url('gopher', 1, 'scheme'), headers=headers)
        c.get(url('http', origin.port, 'next'), headers=[['X-Bad', header + '\r\nX: y']])
        c.get(url('http', origin.port, 'next'), proxy='http://u:%s@127.0.0.1:%d' % (proxy, refused))
        c.get('http://localhost:%d/next' % origin.port, credentials=('u:' + password).encode())
        origin.script.append((302, ['Location: http://x:%s@localhost:%d/next?t=%s' % (hop, refused, hop),
                                    'Set-Cookie: a=' + answer]))
        c.get(url('http', origin.port, 'next'), follow=True, headers=headers)
        id = c.fetch(url('http', origin.port, 'wait'), headers=headers, method='POST', body=body.encode())
        proc.until(lambda: origin.count('/wait') == 1, what='the request')
        proc.crash(self.holder(), signal.SIGSEGV)
        self.bad(c.finish(id), 'worker.lost')
        self.fetchd.wait_ready()

    def break_protocol(self):
        with self.fetchd.connect() as c:
            c.send('FETCH', 1, dict(url='http://u:%s@localhost/?k=%s' % (self.SECRETS[1], self.SECRETS[4]),
                                    headers=[['Authorization', self.SECRETS[2]], 7]))
            self.assertIsNotNone(c.closed())
        with self.fetchd.connect(hello=False) as c:
            c.send('HELLO', 0, dict(version_min=1, version_max=1, client='evil\n{"level":"x"}\x1b[2J\x9b\u2028'))
            c.receive()
            c.send('CREDIT', 99, dict(bytes=1))
            self.assertIsNotNone(c.closed())

    def parse(self, line):
        try:
            return json.loads(line)
        except ValueError as problem:
            self.fail('%s: %r' % (problem, line))

    def test_json_lines_parse_and_hold_no_secret(self):
        origin = self.scripted()
        self.start([origin.port], settings={'log.format': 'json', 'log.level': 'debug', 'retry.delay': '10ms'})
        with self.fetchd.connect() as c:
            self.provoke(c, origin)
        self.break_protocol()
        self.ctl_good('reload')
        self.fetchd.stop()
        lines = self.fetchd.log().split('\n')[:-1]     # not splitlines(): it knows more line ends
        records = [self.parse(line) for line in lines]
        self.assertEqual({tuple(record) for record in records}, {('time', 'level', 'message')})
        self.assertLessEqual({record['level'] for record in records}, {'error', 'warning', 'notice', 'info', 'debug'})
        for record in records:
            self.assertRegex(record['time'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')
            self.assertRegex(record['message'], r'^(daemon|worker \d+|session \d+|session \d+ request \d+|origin \S+): ')
        self.assertNotRegex(''.join(lines), '[\x00-\x1f\x7f-\x9f]')
        self.assertEqual([s for s in self.SECRETS if s in self.fetchd.log()], [])
        said = '\n'.join(record['message'] for record in records)
        end = 'crashed, status ' if paths.sanitized() else 'crashed, signal 11'      # a sanitizer reports, and exits
        for word in (end, 'reloaded', 'protocol.violation', 'draining'):
            self.assertIn(word, said)

    def test_text_lines_hold_no_secret_and_no_control_byte(self):
        origin = self.scripted()
        self.start([origin.port], settings={'log.level': 'debug', 'retry.delay': '10ms'})
        with self.fetchd.connect() as c:
            self.provoke(c, origin)
        self.break_protocol()
        self.fetchd.stop()
        for line in self.fetchd.log().split('\n')[:-1]:
            self.assertRegex(line, r'^\d{4}-\d\d-\d\dT\S+Z (error|warning|notice|info|debug) +\w')
            self.assertNotRegex(line, '[\x00-\x1f\x7f-\x9f]')
        self.assertEqual([s for s in self.SECRETS if s in self.fetchd.log()], [])

    def test_neither_status_nor_metrics_hold_a_secret(self):
        origin = self.scripted()
        self.start([origin.port], settings={'retry.delay': '10ms'})
        with self.fetchd.connect() as c:
            self.provoke(c, origin)
            told = self.ctl_good('metrics').decode() + self.ctl_good('status').decode() + repr(self.fetchd.status())
            parse_metrics(self.ctl_good('metrics').decode())
        self.assertEqual([s for s in self.SECRETS if s in told], [])


if __name__ == '__main__':
    tap.main()
