"""Workers that crash, hang, leave or are stopped: they are replaced, and every request ends with
exactly one DONE, done again elsewhere where that is safe."""
import os
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from process.fake import BAD, GOOD, HELD, FakeDaemon  # noqa: E402
from support import proc, tap  # noqa: E402


class AtStart(unittest.TestCase):
    def crash_loop(self, mode, **settings):
        """Runs a worker that never gets ready. Returns how often it was started in about 2 s."""
        quick = {'workers.backoff_min': '100ms', 'workers.backoff_max': '10s', 'limits.queue_timeout': '1s'}
        with FakeDaemon(mode, settings=dict(quick, **settings)).start(ready=False) as fetchd:
            with fetchd.connect() as c:
                answer = c.get(GOOD)                # the daemon itself is as lively as ever
                self.assertEqual(answer.error, 'overloaded', answer.done)
                self.assertIn('queue_timeout', answer.done['error']['message'])
                c.ping(3)
                self.assertNotEqual(c.status()['workers'][0]['state'], 'ready')
            fetchd.until_log('starting again in 400 ms')
            return len(fetchd.notes('start'))

    def test_a_crash_loop_waits_longer_each_time(self):
        with FakeDaemon('exits-at-start', settings={'workers.backoff_min': '50ms', 'workers.backoff_max': '400ms'}
                        ).start(ready=False) as fetchd:
            for wait in (50, 100, 200, 400, 400):
                fetchd.until_log('starting again in %d ms' % wait)
            self.assertNotIn('in 800 ms', fetchd.log())

    def test_one_that_exits_is_started_seldom(self):
        self.assertLess(self.crash_loop('exits-at-start'), 8)

    def test_one_that_exits_before_it_reads_is_started_seldom(self):
        self.assertLess(self.crash_loop('exits-before-settings'), 8)

    def test_one_that_dies_of_a_signal_is_started_seldom(self):
        self.assertLess(self.crash_loop('dies-at-start'), 8)

    def test_one_that_speaks_garbage_first_is_started_seldom(self):
        self.assertLess(self.crash_loop('garbage-at-start'), 8)

    def test_one_that_answers_before_it_is_asked_is_started_seldom(self):
        self.assertLess(self.crash_loop('fetches-at-start'), 8)

    def test_one_that_is_never_ready_is_killed_after_the_start_timeout(self):
        with FakeDaemon('mute', settings={'workers.start_timeout': '300ms'}).start(ready=False) as fetchd:
            fetchd.until_log('said nothing for')
            proc.until(lambda: len(fetchd.notes('settings')) >= 2, what='a second start')

    def test_one_that_beats_and_is_never_ready_is_replaced_all_the_same(self):
        with FakeDaemon('beats-and-is-never-ready', settings={'workers.start_timeout': '300ms'}).start(ready=False) as fetchd:
            fetchd.wait_ready()
            self.assertGreaterEqual(len(fetchd.notes('settings')), 2)

    def test_a_later_start_that_works_serves_what_waited(self):
        with FakeDaemon('exits-at-first-start').start(ready=False) as fetchd, fetchd.connect() as c:
            answer = c.get(GOOD)
            self.assertEqual((answer.error, answer.body, answer.done['attempts']), (None, b'good\n', 1))

    def test_a_program_that_is_not_there_is_said_at_once(self):
        fetchd = FakeDaemon('good', settings={'workers.program': '/nonexistent/fetchd-worker'}).spawn()
        fetchd.finish(expect=1)
        self.assertIn('/nonexistent/fetchd-worker', fetchd.log())
        self.assertIn('[workers] program', fetchd.log())


class WithARequest(unittest.TestCase):
    def tried_again(self, mode, workers=2, **options):
        with FakeDaemon(mode, workers=workers) as fetchd, fetchd.connect() as c:
            answer = c.get(BAD, **options)
            self.assertEqual((answer.error, answer.body), (None, b'good\n'), answer.done)
            self.assertEqual(answer.done['attempts'], 2)
            self.assertEqual(len(fetchd.fetches('/bad')), 2)
            proc.until(lambda: fetchd.restarts() == 1, what='the replacement')
            fetchd.wait_ready()
            fetchd.until_idle()

    def lost(self, mode, times, workers=2, response=False, **options):
        """`times`: how often it is tried; None: not without end."""
        with FakeDaemon(mode, workers=workers) as fetchd, fetchd.connect() as c:
            answer = c.get(BAD, **options)
            self.assertEqual(answer.error, 'worker.lost', answer.done)
            self.assertEqual(answer.response is not None, response)
            self.assertEqual(answer.frames.count('DONE'), 1)
            tried = len(fetchd.fetches('/bad'))
            self.assertLessEqual(tried, times or 10)
            self.assertEqual(tried, times or tried)
            self.assertEqual(answer.done['error']['attempts'], tried)
            c.ping(1)
            fetchd.wait_ready()
            self.assertEqual(c.get(GOOD).body, b'good\n')
            fetchd.until_idle()

    def test_a_crash_before_the_answer_is_tried_again_elsewhere(self):
        self.tried_again('crashes-once')

    def test_a_kill_before_the_answer_is_tried_again_elsewhere(self):
        self.tried_again('is-killed-once')

    def test_with_one_worker_it_waits_for_its_successor(self):
        self.tried_again('crashes-once', workers=1)

    def test_a_post_that_was_not_sent_is_tried_again(self):
        self.tried_again('crashes-once', method='POST', body=b'x')

    def test_a_post_that_may_have_been_sent_is_not_tried_again(self):
        self.lost('sends-then-crashes', 1, method='POST', body=b'x')

    def test_an_unknown_method_is_not_taken_for_a_harmless_one(self):
        self.lost('sends-then-crashes', 1, method='BREW', body=b'x')

    def test_a_put_is_announced_to_nobody_and_tried_again(self):
        with FakeDaemon('crashes-once') as fetchd, fetchd.connect() as c:
            self.assertEqual(c.get(BAD, method='PUT', body=b'x').error, None)
            self.assertFalse(any(fetch.get('announce') for fetch in fetchd.fetches('/bad')))

    def test_a_request_that_kills_each_worker_is_given_up(self):
        self.lost('crashes', None)

    def test_after_a_response_nothing_is_tried_again(self):
        self.lost('crashes-after-response', 1, response=True)

    def test_a_body_cut_by_a_crash_is_no_success(self):
        self.lost('crashes-in-body', 1, response=True)

    def test_an_exit_with_a_request_open_is_a_loss(self):
        self.lost('exits', None)

    def test_a_closed_channel_is_the_end_of_a_worker(self):
        self.lost('closes-channel', None)

    def test_a_hung_worker_is_aborted_and_its_request_done_elsewhere(self):
        self.tried_again('hangs-once')

    def test_a_stopped_worker_is_killed_and_its_request_done_elsewhere(self):
        self.tried_again('stops-once')

    def test_a_hang_in_the_body_ends_the_request(self):
        self.lost('hangs-in-body', 1, response=True)

    def test_all_requests_of_a_lost_worker_are_answered(self):
        with FakeDaemon('crashes-once', workers=2) as fetchd, fetchd.connect() as c:
            held = [c.fetch(HELD) for _ in range(50)]
            proc.until(lambda: len(fetchd.fetches('/held')) == 50, what='their placement')
            self.assertIsNone(c.get(BAD).error)
            for id in held:
                c.send('CANCEL', id)
            for id in held:
                self.assertEqual(c.finish(id).error, 'cancelled')
            fetchd.until_idle()

    def test_killing_all_workers_again_and_again_loses_no_request(self):
        with FakeDaemon('good', workers=3) as fetchd, fetchd.connect() as c:
            for _ in range(10):
                ids = [c.fetch(GOOD + '?%d' % i) for i in range(40)]
                for pid in fetchd.workers().values():
                    os.kill(pid, signal.SIGKILL)
                for id in ids:
                    answer = c.finish(id)
                    self.assertIn(answer.error, (None, 'worker.lost'))
                    if answer.error is None:
                        self.assertEqual(answer.body, b'good\n')
                fetchd.wait_ready()
            c.ping(9)
            self.assertGreaterEqual(fetchd.restarts(), 20)
            self.assertEqual(fetchd.status()['accepted'], 400)
            fetchd.until_idle()

    def test_restarts_leak_no_descriptors(self):
        with FakeDaemon('good', workers=1) as fetchd:
            counts = []
            for _ in range(12):
                before = fetchd.workers()
                os.kill(before[1], signal.SIGKILL)
                proc.until(lambda: fetchd.workers() not in ({}, before), what='a successor')
                counts.append(proc.fds(fetchd.pid))
            self.assertLessEqual(min(counts[-3:]), max(counts[:3]), counts)
            self.assertEqual(len(proc.children(fetchd.pid)), 1, 'a zombie is left')


class Uploads(unittest.TestCase):
    BODY = bytes(range(256)) * 400

    def upload(self, mode, **options):
        with FakeDaemon(mode) as fetchd, fetchd.connect() as c:
            id = c.fetch(BAD, method='PUT', body_streamed=True, body_length=len(self.BODY), **options)
            return c.upload(id, self.BODY), fetchd.notes('DATA')

    def test_a_streamed_body_reaches_the_worker_as_it_was(self):
        answer, data = self.upload('good')
        self.assertEqual((answer.error, answer.body), (None, b'uploaded\n'))
        self.assertEqual(''.join(note['body'] for note in data).encode('latin-1'), self.BODY)

    def test_a_crash_before_the_first_byte_needs_no_rewind(self):
        answer, _ = self.upload('crashes-once')
        self.assertEqual((answer.error, answer.rewinds), (None, 1 if answer.rewinds else 0))


class Hangs(unittest.TestCase):
    def test_beats_keep_an_idle_worker_alive(self):
        with FakeDaemon('good', settings={'workers.hang_timeout': '2s'}) as fetchd:
            before = fetchd.workers()
            with fetchd.connect() as c:
                held = c.fetch(HELD)
                with self.assertRaises(AssertionError):
                    c.until(lambda: False, seconds=5)
                self.assertIsNone(c.answer(held).done)
            self.assertEqual(fetchd.workers(), before)

    def test_others_do_not_notice_a_hung_worker(self):
        with FakeDaemon('hangs-once', workers=2) as fetchd, fetchd.connect() as c:
            hung = c.fetch(BAD)
            proc.until(lambda: fetchd.fetches('/bad'), what='the hang')
            for i in range(50):                     # other origins have the other worker; the rest waits
                other = c.fetch('https://origin%d.test/good' % i)
                self.assertIsNone(c.finish(other, 20).error)
            self.assertIsNone(c.finish(hung).error)


class Leaving(unittest.TestCase):
    def test_a_worker_is_asked_to_go_and_goes(self):
        with FakeDaemon('good') as fetchd:
            pid = fetchd.workers()[1]
        self.assertFalse(proc.exists(pid))

    def test_a_worker_that_ignores_goaway_does_not_keep_the_daemon(self):
        fetchd = FakeDaemon('ignores-goaway', settings={'daemon.drain_timeout': '1s'}).start()
        fetchd.stop(seconds=20)

    def test_a_stopped_worker_does_not_keep_the_daemon(self):
        fetchd = FakeDaemon('good', settings={'daemon.drain_timeout': '1s'}).start()
        os.kill(fetchd.workers()[1], signal.SIGSTOP)
        fetchd.stop(seconds=20)

    def test_a_worker_in_backoff_does_not_keep_the_daemon(self):
        fetchd = FakeDaemon('exits-at-start', settings={'workers.backoff_min': '10m', 'workers.backoff_max': '10m'})
        fetchd.start(ready=False)
        fetchd.until_log('starting again in')
        fetchd.stop(seconds=20)

    def test_a_worker_ends_when_the_daemon_is_killed(self):
        fetchd = FakeDaemon('good').start()
        pid = fetchd.workers()[1]
        fetchd.crash()
        proc.until(lambda: not proc.exists(pid) or proc.stat(pid)[0] == 'Z', what='the end of the orphan')


if __name__ == '__main__':
    tap.main()
