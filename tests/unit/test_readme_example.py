#!/usr/bin/python3
"""The Python client in ipc/README.md runs as it stands there: here against a few lines of daemon, which
send it more than its windows and wait for the credit to come back."""
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import tap  # noqa: E402

import msgpack  # noqa: E402

README = Path(__file__).resolve().parents[2] / 'ipc' / 'README.md'
HELLO, WELCOME, CREDIT, FETCH, RESPONSE, DATA, DONE, HOP = 1, 2, 7, 16, 17, 18, 19, 21
STREAM_WINDOW, WINDOW, CHARGE = 262144, 16777216, 64


class Daemon(threading.Thread):
    """Serves one connection: says `body` in pieces, under credit, then `done`."""

    def __init__(self, body, done):
        super().__init__(daemon=True)
        self.folder = tempfile.TemporaryDirectory()
        self.path = self.folder.name + '/s'
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.body, self.done, self.heard, self.waited = body, done, [], 0

    def say(self, kind, id, body):
        frame = msgpack.packb([kind, id, body])
        self.peer.sendall(struct.pack('>I', len(frame)) + frame)

    def hear(self):
        message = msgpack.unpackb(self.file.read(struct.unpack('>I', self.file.read(4))[0]))
        self.heard.append(message)
        return message

    def run(self):
        self.peer, _ = self.listener.accept()
        self.file = self.peer.makefile('rb')
        credit = {0: WINDOW, 1: STREAM_WINDOW}
        assert self.hear()[0] == HELLO
        self.say(WELCOME, 0, dict(version=1, version_min=1, version_max=1))
        assert self.hear()[0] == FETCH
        self.say(HOP, 1, dict(status=301, url='https://b.example/'))
        self.say(RESPONSE, 1, dict(status=200, headers=[[b'x', b'y']]))
        for at in range(0, len(self.body), 65536):
            piece = self.body[at:at + 65536]
            while min(credit.values()) < len(piece) + CHARGE:
                self.waited += 1
                kind, id, body = self.hear()
                assert kind == CREDIT
                credit[id] += body['bytes']
            credit[0] -= len(piece) + CHARGE
            credit[1] -= len(piece) + CHARGE
            self.say(DATA, 1, piece)
        self.say(DONE, 1, self.done)
        self.peer.shutdown(socket.SHUT_WR)


class Example(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.source = re.search(r'```python\n(.*?)```', README.read_text(), re.S).group(1)

    def run_against(self, daemon):
        daemon.start()
        run = subprocess.run([sys.executable, '-c', self.source, daemon.path, 'https://a.example/'],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        daemon.join()
        return run

    def test_it_is_short(self):
        self.assertLessEqual(len(self.source.splitlines()), 12)

    def test_it_fetches_a_body_of_any_size(self):
        body = bytes(range(256)) * 4096 * 20             # 20 MiB, above both windows
        daemon = Daemon(body, dict(status=200))
        run = self.run_against(daemon)
        self.assertEqual((run.returncode, run.stderr), (0, b''))
        self.assertEqual(run.stdout, body)
        self.assertGreater(daemon.waited, 0)
        self.assertEqual(daemon.heard[1][2]['url'], 'https://a.example/')

    def test_it_tells_why_a_fetch_failed(self):
        run = self.run_against(Daemon(b'', dict(error=dict(name='dns.failed'))))
        self.assertEqual((run.returncode, run.stderr.strip()), (1, b'dns.failed'))


if __name__ == '__main__':
    tap.main()
