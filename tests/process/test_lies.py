"""A worker that breaks the protocol is killed and replaced, and its request gets exactly one DONE."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from process.fake import BAD, GOOD, HELD, FakeDaemon  # noqa: E402
from support import proc, tap  # noqa: E402

# A mode -> what the request ends with; None: it is answered, for the lie came after its DONE.
LIES = {
    'unknown-id': 'worker.lost', 'unknown-id-done': 'worker.lost', 'unknown-id-credit': 'worker.lost',
    'data-before-response': 'worker.lost', 'done-without-response': 'worker.lost', 'two-responses': 'worker.lost',
    'two-dones': None, 'response-after-done': None, 'beyond-credit': 'worker.lost', 'sending-unasked': 'worker.lost',
    'hop-unasked': 'worker.lost', 'hop-after-response': 'worker.lost', 'upload-credit-unasked': 'worker.lost',
    'upload-credit-huge': 'worker.lost', 'connection-credit-huge': 'worker.lost', 'ready-twice': 'worker.lost',
    'speaks-as-daemon': 'worker.lost', 'speaks-as-client': 'worker.lost', 'unknown-message': 'worker.lost',
    'data-of-connection': 'worker.lost', 'not-msgpack': 'worker.lost', 'garbage': 'worker.lost',
    'oversized-frame': 'worker.lost', 'map-bomb': 'worker.lost', 'status-missing': 'worker.lost',
    'status-huge': 'worker.lost', 'url-not-utf8': 'worker.lost', 'data-too-large': 'worker.lost',
    'done-error-empty': 'worker.lost', 'done-error-unknown': 'worker.lost', 'half-frame': 'worker.lost',
}


class Lies(unittest.TestCase):
    def lie(self, mode, expected):
        with FakeDaemon(mode) as fetchd, fetchd.connect() as c:
            before = fetchd.workers()
            held = c.fetch(HELD)                    # a neighbour of the request that goes wrong
            answer = c.get(BAD)
            self.assertEqual(answer.error, expected, answer.done)
            if expected is None:
                self.assertEqual(answer.body, b'good\n')
            proc.until(lambda: fetchd.restarts() >= 1, what='the replacement of the worker')
            fetchd.wait_ready()
            self.assertFalse(set(before.values()) & set(fetchd.workers().values()), 'the liar still works')
            again = c.get(GOOD)                     # its successor is trusted anew
            self.assertEqual((again.error, again.body), (None, b'good\n'))
            c.send('CANCEL', held)
            self.assertIn(c.finish(held).error, ('cancelled', 'worker.lost'))
            c.ping(1)                               # and nothing more for either, see Connection.of_stream
            proc.until(lambda: not any(proc.exists(pid) for pid in before.values()), what='the end of the liar')
            fetchd.until_idle()


for mode in LIES:
    setattr(Lies, 'test_%s_is_caught' % mode.replace('-', '_'),
            lambda self, mode=mode: self.lie(mode, LIES[mode]))


class OnlyForSome(unittest.TestCase):
    def test_sending_twice_is_caught(self):
        with FakeDaemon('sending-twice') as fetchd, fetchd.connect() as c:
            answer = c.get(BAD, method='POST', body=b'x')
            self.assertEqual(answer.error, 'worker.lost')
            self.assertEqual(len(fetchd.fetches('/bad')), 1, 'a POST that may have been sent was sent again')
            proc.until(lambda: fetchd.restarts() >= 1)

    def test_a_hop_for_one_who_follows_none_is_caught(self):
        with FakeDaemon('redirects') as fetchd, fetchd.connect() as c:
            answer = c.get(BAD + '?to=https://origin.test/good', follow=False)
            self.assertEqual(answer.error, 'worker.lost')
            self.assertEqual(answer.hops, [])

    def test_an_error_of_the_worker_is_relayed_with_who_and_how_often(self):
        with FakeDaemon('says-body-too-large') as fetchd, fetchd.connect() as c:
            answer = c.get(BAD)
            self.assertEqual(answer.error, 'body.too_large')
            self.assertEqual(answer.done['error']['worker'], 1)
            self.assertEqual(answer.done['error']['attempts'], 1)
            self.assertEqual(fetchd.restarts(), 0)


if __name__ == '__main__':
    tap.main()
