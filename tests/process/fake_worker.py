#!/usr/bin/python3 -IB
"""A worker that misbehaves as its file name says: fetchd-worker.MODE is a link to this file, and
its folder takes notes (what it was told, how often it was started). It has no arguments and no
environment, as a real one. Most modes are well-behaved until a URL has /bad in it.
"""
import json
import os
import select
import signal
import socket
import sys
import time

HERE = os.path.dirname(os.path.realpath(sys.argv[0]))
sys.path.insert(0, os.path.dirname(HERE))
from support.protocol import NAMES, encode  # noqa: E402

import msgpack  # noqa: E402

FOLDER, MODE = os.path.split(os.path.abspath(sys.argv[0]))
MODE = MODE.partition('.')[2]


def note(kind, **what):
    """Appends a line to the notes. One write, so that two workers do not mix theirs."""
    line = json.dumps(dict(what, kind=kind, pid=os.getpid()), default=lambda b: b.decode('latin-1')) + '\n'
    with open(os.path.join(FOLDER, 'notes'), 'ab', buffering=0) as notes:
        notes.write(line.encode())


def first_time(name):
    """True once in the life of this folder."""
    try:
        os.close(os.open(os.path.join(FOLDER, 'once-' + name), os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


class Worker:
    def __init__(self):
        self.channel = socket.socket(fileno=0)
        self.buffer = bytearray()
        self.pending = {}                   # id -> FETCH, of those not answered yet
        self.leaving = False

    def say(self, kind, id=0, body=None):
        self.channel.sendall(encode(kind, id, {} if body is None else body))

    def answer(self, id, body=b'good\n'):
        self.say('RESPONSE', id, dict(status=200, http_version='1.1', headers=[[b'X-Fake', MODE.encode()]]))
        self.say('DATA', id, body)
        self.say('DONE', id, dict(status=200, body_bytes=len(body)))
        self.pending.pop(id, None)

    def frames(self):
        """Frames as they come, None each second and before each wait that found nothing."""
        while True:
            while len(self.buffer) >= 4:
                length = int.from_bytes(self.buffer[:4], 'big')
                if len(self.buffer) < 4 + length:
                    break
                kind, id, body = msgpack.unpackb(bytes(self.buffer[4:4 + length]), raw=False)
                del self.buffer[:4 + length]
                yield NAMES[kind], id, body
            if not select.select([self.channel], [], [], 0.5)[0]:
                yield None
                continue
            piece = self.channel.recv(1 << 20)
            if not piece:
                sys.exit(0)
            self.buffer += piece

    def run(self):
        frames = self.frames()
        settings = next(frame for frame in frames if frame)
        note('settings', settings=settings[2], env=dict(os.environ), cwd=os.getcwd(),
             fds={fd: os.readlink('/proc/self/fd/' + fd) for fd in os.listdir('/proc/self/fd')
                  if os.path.exists('/proc/self/fd/' + fd)})
        at_start.get(MODE, lambda worker: None)(self)
        self.say('READY', 0, dict(pid=os.getpid(), libraries='none'))
        for frame in frames:
            self.say('BEAT', 0, dict(rss_bytes=1 << 20, open_fds=4, connections=0))
            if frame:
                self.take(*frame)
            if self.leaving and not self.pending:
                sys.exit(0)

    def take(self, kind, id, body):
        note(kind, id=id, body=body)
        if kind == 'FETCH':
            self.pending[id] = body
            act = on_fetch.get(MODE)
            if act and '/bad' in body['url']:
                act(self, id, body)
            elif '/held' not in body['url'] and not body.get('body_streamed'):
                self.answer(id)
            elif body.get('body_streamed'):
                self.say('CREDIT', id, dict(bytes=65536))
        elif kind == 'CANCEL' and id in self.pending:
            del self.pending[id]
            self.say('DONE', id, dict(error=dict(name='cancelled')))
        elif kind == 'DATA' and id in self.pending:
            if body:
                self.say('CREDIT', id, dict(bytes=len(body) + 64))
            else:
                self.answer(id, b'uploaded\n')
        elif kind == 'GO':
            self.pending.pop(id) if not body.get('here') else self.answer(id, b'went on\n')
        elif kind == 'GOAWAY' and MODE != 'ignores-goaway':
            self.leaving = True
        elif kind == 'PING':
            self.say('PONG', 0, body)


# ---- at the start ----

def mute(worker):
    while True:
        time.sleep(60)


def cpu_hog(worker):
    while True:
        pass


def beat_only(worker):
    while first_time('ready'):
        while True:
            worker.say('BEAT', 0, dict(rss_bytes=1))
            time.sleep(0.1)


at_start = {
    'beats-and-is-never-ready': beat_only,
    'exits-at-start': lambda worker: sys.exit(1),
    'exits-at-first-start': lambda worker: sys.exit(1) if first_time('start') else None,
    'dies-at-start': lambda worker: os.kill(os.getpid(), signal.SIGSEGV),
    'mute': mute,
    'garbage-at-start': lambda worker: (worker.channel.sendall(b'\x00\x00\x00\x04what'), mute(worker)),
    'fetches-at-start': lambda worker: (worker.say('DONE', 1, {}), mute(worker)),
}


# ---- on a FETCH with /bad in its URL ----

def crash(worker, id=0, fetch=None, number=signal.SIGSEGV):
    os.kill(os.getpid(), number)
    time.sleep(60)


def once(act):
    """Misbehaves the first time only, and answers ever after."""
    return lambda worker, id, fetch: act(worker, id, fetch) if first_time('fetch') else worker.answer(id)


def after_response(act, data=b''):
    def both(worker, id, fetch):
        worker.say('RESPONSE', id, dict(status=200, headers=[]))
        if data:
            worker.say('DATA', id, data)
        act(worker, id, fetch)
    return both


def hang(worker, id, fetch):
    while True:
        time.sleep(60)


def stop_itself(worker, id, fetch):
    os.kill(os.getpid(), signal.SIGSTOP)


def says(*frames):
    """Sends (kind, id or None for the request's, body) and then behaves."""
    def act(worker, id, fetch):
        for kind, its_id, body in frames:
            worker.say(kind, id if its_id is None else its_id, body)
            if kind == 'DONE' and its_id is None:
                worker.pending.pop(id)
    return act


def sends(raw):
    return lambda worker, id, fetch: worker.channel.sendall(raw)


def two_dones(worker, id, fetch):
    worker.answer(id)
    worker.say('DONE', id, dict(status=200))


def response_after_done(worker, id, fetch):
    worker.answer(id)
    worker.say('RESPONSE', id, dict(status=200))


def beyond_credit(worker, id, fetch):
    """Far more than its window: what the client gives back meanwhile must not make it right."""
    worker.say('RESPONSE', id, dict(status=200))
    for _ in range(1000):
        worker.say('DATA', id, b'x' * 65536)


def sending_then(act):
    def both(worker, id, fetch):
        worker.say('SENDING', id)
        act(worker, id, fetch)
    return both


def flood(kind, body):
    def act(worker, id, fetch):
        frame = encode(kind, 0, body) * 1000
        for _ in range(200):
            worker.channel.sendall(frame)       # the daemon's answers are never read
        worker.answer(id)
    return act


def flood_log(worker, id, fetch):
    line = b'<4>' + b'noise ' * 200 + b'\n'
    for _ in range(2000):
        os.write(2, line)
    worker.answer(id)


def strange_log(worker, id, fetch):
    os.write(2, b'<3>one \x1b[31mred\x1b[0m \x00 \xff\xfe \r two\n' + b'no level at all\n' + b'long ' * 20000 + b'\n')
    worker.answer(id)


def redirect(worker, id, fetch):
    target = fetch['url'].partition('?to=')[2]
    worker.say('HOP', id, dict(status=302, url=target, headers=[[b'Location', target.encode()]]))


def endless_hops(worker, id, fetch):
    worker.say('HOP', id, dict(status=302, url=fetch['url'] + 'x'))


HEADERS_OK = dict(status=200, headers=[])
on_fetch = {
    'crashes': crash,
    'crashes-once': once(crash),
    'is-killed-once': once(lambda w, i, f: crash(w, number=signal.SIGKILL)),
    'crashes-after-response': after_response(crash),
    'crashes-in-body': after_response(crash, b'half of it'),
    'sends-then-crashes': sending_then(crash),
    'sends-then-crashes-once': sending_then(once(crash)),
    'exits': lambda w, i, f: sys.exit(0),
    'closes-channel': lambda w, i, f: (w.channel.shutdown(socket.SHUT_RDWR), time.sleep(60)),
    'hangs': hang,
    'hangs-once': once(hang),
    'stops-once': once(stop_itself),
    'hangs-in-body': after_response(hang, b'half of it'),
    'unknown-id': says(('RESPONSE', 4000000, HEADERS_OK)),
    'unknown-id-done': says(('DONE', 4000000, {})),
    'unknown-id-credit': says(('CREDIT', 4000000, dict(bytes=1))),
    'data-before-response': says(('DATA', None, b'early')),
    'done-without-response': says(('DONE', None, dict(status=200))),
    'two-responses': says(('RESPONSE', None, HEADERS_OK), ('RESPONSE', None, HEADERS_OK)),
    'two-dones': two_dones,
    'response-after-done': response_after_done,
    'beyond-credit': beyond_credit,
    'sending-unasked': says(('SENDING', None, {})),
    'sending-twice': says(('SENDING', None, {}), ('SENDING', None, {})),
    'hop-unasked': says(('HOP', None, dict(status=302, url='https://elsewhere.example/'))),
    'hop-after-response': after_response(says(('HOP', None, dict(status=302, url='https://elsewhere.example/')))),
    'upload-credit-unasked': says(('CREDIT', None, dict(bytes=1000))),
    'upload-credit-huge': says(*[('CREDIT', None, dict(bytes=1 << 30))] * 4),
    'connection-credit-huge': says(*[('CREDIT', 0, dict(bytes=1 << 30))] * 4),
    'ready-twice': says(('READY', 0, dict(pid=1))),
    'speaks-as-daemon': says(('WELCOME', 0, dict(version=1, version_min=1, version_max=1))),
    'speaks-as-client': says(('FETCH', 9, dict(url='https://a/'))),
    'unknown-message': says((99, 0, {})),
    'data-of-connection': says(('DATA', 0, b'x')),
    'not-msgpack': sends(b'\x00\x00\x00\x05\x93\x11\x01\xc1\xc1'),
    'garbage': sends(bytes(range(256)) * 400),
    'oversized-frame': sends(b'\x7f\xff\xff\xff' + b'x' * 100000),
    'map-bomb': sends(b'\x00\x00\x00\x08\x93\x11\x01\xdf\xff\xff\xff\xff'),
    'status-missing': says(('RESPONSE', None, dict(headers=[]))),
    'status-huge': says(('RESPONSE', None, dict(status=1 << 40))),
    'url-not-utf8': sends(b'\x00\x00\x00\x14\x93\x11\x01\x82\xa6status\xcc\xc8\xa3url\xa2\xff\xfe'),
    'data-too-large': after_response(says(('DATA', None, b'x' * 65537))),
    'done-error-empty': says(('DONE', None, dict(error={}))),
    'done-error-unknown': says(('DONE', None, dict(error=dict(name='made.up')))),
    'half-frame': lambda w, i, f: (w.channel.sendall(encode('RESPONSE', i, HEADERS_OK)[:-3]), crash(w)),
    'floods-pings': flood('PING', dict(token=7)),
    'floods-beats': flood('BEAT', dict(rss_bytes=1)),
    'floods-log': flood_log,
    'strange-log': strange_log,
    'redirects': redirect,
    'redirects-endlessly': endless_hops,
    'says-body-too-large': says(('DONE', None, dict(error=dict(name='body.too_large', message='m', phase='body')))),
    'retries-itself': says(('DONE', None, dict(error=dict(name='receive.failed', retryable=True)))),
}


if __name__ == '__main__':
    note('start', mode=MODE)
    if MODE == 'exits-before-settings':
        sys.exit(1)
    Worker().run()
