"""Load that checks each answer: many client connections in one loop, GETs whose body has a known hash and
POSTs whose body must come back as it was, each with an id of its own.

It speaks the native protocol by support/protocol.py's table and holds the promises: one DONE for each
request, nothing after it, no body without its hash.
"""
import collections
import random
import selectors
import socket
import struct
import time

import msgpack

from bed import SIZES, bodies
from support.protocol import CHARGE, DATA_BYTES, NAMES, STREAM_WINDOW, WINDOW, encode

INLINE = 256 << 10                      # larger bodies are streamed


class Request:
    __slots__ = ('number', 'method', 'url', 'size', 'sha', 'body', 'position', 'credit', 'ended', 'response',
                 'digest', 'bytes', 'taken', 'began', 'sent_rewinds', 'marks')

    def __init__(self, number, method, url, size, sha, body=None):
        self.number, self.method, self.url, self.size, self.sha, self.body = number, method, url, size, sha, body
        self.position = self.credit = self.bytes = self.taken = self.sent_rewinds = 0
        self.ended, self.response, self.digest, self.began = False, None, None, 0
        self.marks = {}

    def options(self):
        more = dict(headers=[['X-Id', str(self.number)]])
        if self.body is not None:
            more['method'] = self.method
            if self.streamed:
                more.update(body_streamed=True, body_length=self.size, rewindable=True)
            else:
                more['body'] = self.body
        return more

    @property
    def streamed(self):
        return self.body is not None and self.size > INLINE


class Link:
    """One client connection."""

    def __init__(self, load, path):
        self.load = load
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.setblocking(False)
        self.inbox, self.outbox = bytearray(), bytearray()
        self.next_id, self.open = 1, {}
        self.credit, self.owed = 0, 0
        self.greeted = self.leaving = False
        self.last_id = 1 << 32                          # the last that the daemon took
        self.senders = collections.OrderedDict()        # requests with body left to send
        self.say('HELLO', 0, dict(version_min=1, version_max=1, client='load'))

    def say(self, kind, id=0, body=None):
        self.outbox += encode(kind, id, {} if body is None else body)

    def ask(self, request):
        id, self.next_id = self.next_id, self.next_id + 1
        request.began = time.monotonic()
        self.open[id] = request
        self.say('FETCH', id, dict(url=request.url, **request.options()))

    # ---- bytes ----

    def flush(self):
        for id in list(self.senders):
            self.send_body(id, self.senders[id])
        while self.outbox:
            try:
                sent = self.socket.send(self.outbox[:1 << 18])
            except BlockingIOError:
                return
            del self.outbox[:sent]

    def send_body(self, id, request):
        """As much as credit allows, while the outbox is short."""
        while len(self.outbox) < 1 << 18:
            room = min(request.credit, self.credit) - CHARGE
            piece = request.body[request.position:request.position + min(room, DATA_BYTES)] if room > 0 else b''
            if not piece and request.position < request.size:
                break
            self.say('DATA', id, piece)
            if not piece:                                # the end costs nothing
                request.ended = True
                break
            request.credit -= len(piece) + CHARGE
            self.credit -= len(piece) + CHARGE
            request.position += len(piece)
        if request.ended or not (min(request.credit, self.credit) > CHARGE or request.position == request.size):
            self.senders.pop(id, None)

    def pump(self):
        """Takes what is there. False at the end of the connection."""
        try:
            piece = self.socket.recv(1 << 20)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            piece = b''
        if not piece:
            return False
        self.inbox += piece
        start, have = 0, len(self.inbox)
        while have - start >= 4:
            length = struct.unpack_from('>I', self.inbox, start)[0]
            if have - start < 4 + length:
                break
            kind, id, body = msgpack.unpackb(memoryview(self.inbox)[start + 4:start + 4 + length], raw=False)
            start += 4 + length
            self.take(NAMES[kind], id, body)
        del self.inbox[:start]
        return True

    # ---- frames ----

    def take(self, kind, id, body):
        if id == 0:
            self.of_connection(kind, body)
            return
        request = self.open.get(id)
        if request is None:
            self.load.wrong('%s for a request that has its DONE' % kind)
        elif kind == 'DATA':
            request.digest.update(body)
            request.bytes += len(body)
            self.give_back(id, request, len(body) + CHARGE)
        elif kind == 'RESPONSE':
            if request.response is not None:
                self.load.wrong('two RESPONSEs')
            request.response = body['status']
            request.digest = bodies.hashlib.sha256()
        elif kind == 'CREDIT':
            request.credit += body['bytes']
            self.senders[id] = request
        elif kind == 'REWIND':
            request.position = request.credit = 0
            request.ended = False
            request.sent_rewinds += 1
            self.say('REWIND', id)
        elif kind == 'DONE':
            del self.open[id]
            self.senders.pop(id, None)
            self.load.ended(self, request, body)

    def of_connection(self, kind, body):
        if kind == 'WELCOME':
            self.greeted = True
            self.credit += body.get('window', WINDOW)
        elif kind == 'CREDIT':
            self.credit += body['bytes']
            for id, request in self.open.items():
                if request.streamed and not request.ended and request.credit > CHARGE:
                    self.senders[id] = request
        elif kind == 'GOAWAY':
            self.leaving, self.last_id = True, body.get('last_id', 0)
        elif kind == 'ERROR':
            self.load.wrong('the daemon said ERROR %s: %s' % (body['name'], body.get('message')))

    def give_back(self, id, request, cost):
        request.taken += cost
        self.owed += cost
        if request.taken > STREAM_WINDOW // 2:
            self.say('CREDIT', id, dict(bytes=request.taken))
            request.taken = 0
        if self.owed > WINDOW // 2:
            self.say('CREDIT', 0, dict(bytes=self.owed))
            self.owed = 0


class Load:
    """`make(number)` gives the next Request. Figures and complaints gather in its fields."""

    def __init__(self, path, make, connections=8, streams=32):
        self.path, self.make, self.connections, self.streams = path, make, connections, streams
        self.selector = selectors.DefaultSelector()
        self.links = []
        self.number = 0
        self.asked, self.done = collections.Counter(), collections.Counter()
        self.errors = collections.Counter()             # (method, name, whether a RESPONSE came)
        self.complaints = collections.Counter()
        self.ok_posts, self.lost_posts = [], []
        self.times_ms, self.attempts = [], collections.Counter()
        self.asking = True
        self.bytes = 0
        self.tick = lambda: None                        # called every turn
        self.judged = True                              # every success must be what was expected
        self.reconnects = False                         # when the daemon says GOAWAY
        self.reconnected = self.draining = self.untaken = 0

    def wrong(self, text):
        self.complaints[text] += 1

    # ---- connections ----

    def connect(self):
        link = Link(self, self.path)
        self.links.append(link)
        self.selector.register(link.socket, selectors.EVENT_READ, link)
        return link

    def drop(self, link):
        self.selector.unregister(link.socket)
        link.socket.close()
        self.links.remove(link)
        taken = sum(id <= link.last_id for id in link.open)
        self.untaken += len(link.open) - taken
        if taken:
            self.complaints['connection lost with requests open'] += taken
        link.open.clear()
        if self.reconnects and self.asking:
            self.reconnected += 1
            self.connect()

    # ---- requests ----

    def fill(self, link):
        while self.asking and not link.leaving and len(link.open) < self.streams:
            request = self.make(self.number)
            self.number += 1
            self.asked[request.method] += 1
            link.ask(request)

    def ended(self, link, request, done):
        error = (done.get('error') or {}).get('name')
        self.done[request.method] += 1
        self.bytes += request.bytes
        self.attempts[done.get('attempts', 0)] += 1
        if error == 'draining' and link.leaving:
            self.draining += 1
        elif error:
            self.errors[request.method, error, request.response is not None] += 1
            if request.method == 'POST':
                self.lost_posts.append(request.number)
        else:
            self.succeeded(request)

    def succeeded(self, request):
        self.times_ms.append((time.monotonic() - request.began) * 1000)
        if request.method == 'POST':
            self.ok_posts.append(request.number)
        if not self.judged:
            return
        if request.response != 200:
            self.wrong('%s with status %s' % (request.method, request.response))
        elif (request.bytes, request.digest.hexdigest()) != (request.size, request.sha):
            self.wrong('%s of %d bytes answered with %d others' % (request.method, request.size, request.bytes))

    # ---- the loop ----

    def turn(self, wait_s=0.05):
        for link in self.links:
            if link.greeted:
                self.fill(link)
            link.flush()
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.outbox else 0)
            if self.selector.get_key(link.socket).events != wanted:
                self.selector.modify(link.socket, wanted, link)
        for key, events in self.selector.select(wait_s):
            if events & selectors.EVENT_READ and not key.data.pump():
                self.drop(key.data)
        self.tick()

    def connect_all(self):
        while len(self.links) < self.connections:
            self.connect()

    def run(self, seconds):
        self.connect_all()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.turn()

    def finish(self, seconds=120):
        """No new requests; True when all that were asked got their DONE in time."""
        self.asking = False
        deadline = time.monotonic() + seconds
        while any(link.open for link in self.links) and time.monotonic() < deadline:
            self.turn()
        return not any(link.open for link in self.links)

    def close(self):
        self.asking = False
        for link in list(self.links):
            self.drop(link)
        self.selector.close()


def mixed(url, hashes, seed=1, post_share=0.4):
    """Makes GETs and POSTs of 1 KiB to 1 MiB at random. `url(path)` chooses the server."""
    chance = random.Random(seed)
    content = {size: bodies.content(size, 'post %d' % size) for size in SIZES}
    shas = {size: bodies.sha256(content[size]) for size in SIZES}

    def make(number):
        size = chance.choice(SIZES)
        if chance.random() < post_share:
            return Request(number, 'POST', url('/sink?id=%d' % number), size, shas[size], content[size])
        return Request(number, 'GET', url('/b%d?id=%d' % (size, number)), size, hashes['b%d' % size])
    return make
