"""A worker that says one thing it may not, or not there, or not of that request: every message in every
state with every kind of id. The daemon kills it or goes on; no request is lost, none is answered twice,
and other requests are none the worse."""
import os
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from process.fake import QUICK  # noqa: E402
from support import paths, proc, tap  # noqa: E402
from support.daemon import Daemon  # noqa: E402

PROGRAM = paths.BUILD / 'tests' / 'process' / 'evil_worker'
MESSAGES = re.findall(r'^MESSAGE\((\w+),', (paths.TOP / 'ipc/messages.def').read_text(), re.M)
OF_WORKERS = set(re.findall(r'^MESSAGE\((\w+), \w+, \d+, [^)]*\bWORKER\b', (paths.TOP / 'ipc/messages.def').read_text(),
                            re.M))
IDS = ('zero', 'own', 'other', 'past', 'next', 'top')
STATES = ('placed', 'sending', 'answered', 'body', 'hop', 'socket', 'done')
# What a worker may say of the connection at any time.
OF_CONNECTION = {'BEAT', 'PING', 'PONG', 'ERROR', 'CREDIT', 'STARTED'}


class EvilDaemon(Daemon):
    def __init__(self, **more):
        folder = paths.folder('v')
        program = folder / 'fetchd-worker'
        os.symlink(PROGRAM, program)
        settings = dict(QUICK, **{'workers.backoff_min': '1ms', 'workers.backoff_max': '1ms', 'log.level': 'info'})
        super().__init__(workers=1, program=program, folder=folder, settings=settings, **more)

    def order(self, moment, text):
        (self.folder / ('evil-at-' + moment)).write_text(text)

    def carried_out(self, text):
        return (self.folder / ('did-' + text.replace('/', '-'))).exists()


class Evil(unittest.TestCase):
    def every_message(self, state):
        with EvilDaemon() as fetchd, fetchd.connect() as c:
            pid, descriptors = fetchd.pid, None
            for message in MESSAGES:
                for id in IDS:
                    with self.subTest(message=message, id=id):
                        self.one(fetchd, c, state, message, id)
                if descriptors is None:
                    descriptors = proc.fds(pid)
            self.assertEqual(fetchd.pid, pid)
            fetchd.until_idle()
            proc.until(lambda: proc.fds(pid) <= descriptors + 8, what='no descriptor lost')
            killed = fetchd.log().count('broke the protocol')
            self.assertGreater(killed, len(MESSAGES) * 3)

    def one(self, fetchd, c, state, message, id):
        order = '/'.join((state, message, id))
        c.get('https://evil.test/before')                       # so that there is a past id
        held = c.fetch('https://evil.test/held')                # a neighbour
        scheme = 'wss' if state == 'socket' else 'https'
        answer = c.get('%s://evil.test/%s' % (scheme, order), follow=True, method='POST' if state == 'sending' else 'GET')
        self.assertEqual(answer.frames.count('DONE'), 1)
        self.assertTrue(fetchd.carried_out(order))
        if answer.error is None:
            self.assertIn(answer.status, (200, 101))
        else:
            self.assertEqual(answer.error, 'worker.lost', answer.done)
        c.send('CANCEL', held)
        self.assertIn(c.finish(held).error, ('cancelled', None, 'worker.lost'))
        again = c.get('https://evil.test/after')                # and all goes on
        if id == 'next' and again.error == 'worker.lost':       # it was given the id it had spoken of
            again = c.get('https://evil.test/after')
        self.assertEqual((again.error, again.status), (None, 200))

    def test_of_the_connection_at_the_start(self):
        self.at_moment('start', lambda fetchd: [os.kill(p, 9) for p in fetchd.workers().values()])

    def test_while_draining(self):
        self.at_moment('goaway', lambda fetchd: self.assertEqual(fetchd.fetchctl('reload').returncode, 0))

    def at_moment(self, moment, provoke):
        with EvilDaemon() as fetchd:
            for message in MESSAGES:
                for id in ('zero', 'own', 'next', 'top'):
                    order = '/'.join((message, id))
                    with self.subTest(message=message, id=id):
                        fetchd.order(moment, order)
                        provoke(fetchd)
                        proc.until(lambda: fetchd.carried_out(order), what='the evil deed')
                        fetchd.wait_ready()
                        with fetchd.connect() as c:
                            self.assertIsNone(c.get('https://evil.test/after').error)

    def test_what_is_not_a_workers_always_ends_it(self):
        """The control: the others may be right where they come."""
        with EvilDaemon() as fetchd, fetchd.connect() as c:
            for message in MESSAGES:
                if message in OF_WORKERS:
                    continue
                before = sum(w.get('restarts', 0) for w in fetchd.status()['workers'])
                c.get('https://evil.test/placed/%s/own' % message)
                proc.until(lambda: sum(w.get('restarts', 0) for w in fetchd.status()['workers']) > before,
                           what='the end of a worker that said ' + message)
                fetchd.wait_ready()

    def test_what_it_may_say_of_the_connection_does_not(self):
        with EvilDaemon() as fetchd, fetchd.connect() as c:
            pids = fetchd.workers()
            for message in sorted(OF_CONNECTION - {'STARTED'}):
                self.assertIsNone(c.get('https://evil.test/placed/%s/zero' % message).error)
            self.assertEqual(fetchd.workers(), pids)


for state in STATES:
    setattr(Evil, 'test_every_message_when_a_request_is_%s' % state, lambda self, state=state: self.every_message(state))


if __name__ == '__main__':
    tap.main()
