"""A client of the native protocol, written from ipc/README.md alone: it shares no code with
libfetchd, so that what both agree on is what the document says.

    with Connection(path) as c:
        answer = c.get('https://localhost/1k')
        answer.status, answer.body, answer.done
"""
import collections
import hashlib
import socket
import struct
import time

import msgpack

TYPES = dict(HELLO=1, WELCOME=2, PING=3, PONG=4, GOAWAY=5, ERROR=6, CREDIT=7,
             FETCH=16, RESPONSE=17, DATA=18, DONE=19, CANCEL=20, HOP=21, GO=22, SENDING=23, REWIND=24,
             MESSAGE=25, FLUSH=26, FLUSHED=27, REOPEN=28, OUTPUT=29, OUTPUT_REFUSED=30,
             STATUS=32, STATUS_REPLY=33, METRICS=34, METRICS_REPLY=35, RELOAD=36, DRAIN=37, CONTROL_REPLY=38,
             SESSION_CREATE=40, SESSION_REPLY=41, SESSION_LIST=42, SESSION_LIST_REPLY=43, SESSION_DESTROY=44,
             SESSION_READ=45, SESSION_STATE=46, SESSION_WRITE=47,
             SETTINGS=48, READY=49, BEAT=50, STARTED=51)
NAMES = {number: name for name, number in TYPES.items()}

FRAME_BYTES = 1 << 20
DATA_BYTES = 64 << 10
CHARGE = 64                         # credit a DATA costs besides its payload
STREAM_WINDOW = 256 << 10
WINDOW = 16 << 20

Frame = collections.namedtuple('Frame', 'type id body')


class Closed(Exception):
    """The daemon ended the connection; `error` is its last word, if it had one."""

    def __init__(self, error=None):
        super().__init__('closed: %r' % (error,))
        self.error = error


def encode(kind, id, body):
    packed = msgpack.packb([TYPES.get(kind, kind), id, body], use_bin_type=True)
    return struct.pack('>I', len(packed)) + packed


class Answer:
    """What came for one request."""

    def __init__(self):
        self.hops, self.response, self.done, self.rewinds = [], None, None, 0
        self.pieces, self.bytes, self.digest = [], 0, hashlib.sha256()
        self.frames = []                            # names, in order, DATA once

    @property
    def status(self):
        return self.response and self.response['status']

    @property
    def body(self):
        return b''.join(self.pieces)

    @property
    def sha256(self):
        return self.digest.hexdigest()

    @property
    def error(self):
        """The name of the error, None on success."""
        return (self.done or {}).get('error', {}).get('name')

    def header(self, name):
        return next((text(v) for n, v in self.response['headers'] if text(n).lower() == name.lower()), None)


def text(value):
    return value.decode('latin-1') if isinstance(value, bytes) else value


class Connection:
    """`hello=False` leaves the first word to the test. `auto_credit=False` gives nothing back, so
    that the daemon stalls; grant() then gives by hand. `keep=False` only hashes bodies."""

    def __init__(self, path, hello=True, window=WINDOW, auto_credit=True, keep=True, timeout=60, **more):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.buffer = bytearray()
        self.next_id = 1
        self.auto_credit, self.keep = auto_credit, keep
        self.window, self.owed = window, 0
        self.upload_credit = 0                      # of the connection; a stream has its own below
        self.streams = {}                           # id -> [Answer, window, owed, upload credit]
        self.error = None
        self.goaway = None
        if hello:
            try:
                self.send('HELLO', 0, dict(version_min=1, version_max=1, client='test', window=window, **more))
            except BrokenPipeError:
                pass                                # it may have closed already, with a word on why
            kind, _, self.welcome = self.receive()
            if kind == 'ERROR':
                raise Closed(self.welcome)
            assert kind == 'WELCOME', kind
            self.upload_credit = self.welcome.get('window', WINDOW)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # ---- frames ----

    def send(self, kind, id=0, body=None):
        self.send_raw(encode(kind, id, {} if body is None else body))

    def send_raw(self, data):
        self.socket.sendall(data)

    def send_descriptor(self, kind, id, fd):
        """A frame without fields, and a descriptor with it."""
        socket.send_fds(self.socket, [encode(kind, id, {})], [fd])

    def receive(self):
        """The next frame, as it is. Raises Closed at the end of the connection."""
        while True:
            if len(self.buffer) >= 4:
                length = struct.unpack_from('>I', self.buffer)[0]
                assert length <= FRAME_BYTES, 'the daemon sent a frame of %d bytes' % length
                if len(self.buffer) >= 4 + length:
                    kind, id, body = msgpack.unpackb(bytes(self.buffer[4:4 + length]), raw=False,
                                                     strict_map_key=True, unicode_errors='strict')
                    del self.buffer[:4 + length]
                    return Frame(NAMES.get(kind, kind), id, body)
            try:
                piece = self.socket.recv(1 << 20)
            except ConnectionResetError:
                piece = b''
            if not piece:
                raise Closed(self.error)
            self.buffer += piece

    def step(self):
        """Takes one frame and does what a client owes for it. Returns it."""
        frame = self.receive()
        kind, id, body = frame
        if id == 0:
            self.of_connection(kind, body)
        elif id in self.streams:
            self.of_stream(frame, *self.streams[id])
        return frame

    def of_connection(self, kind, body):
        if kind == 'PING':
            self.send('PONG', 0, body)
        elif kind == 'ERROR':
            self.error = body
        elif kind == 'GOAWAY':
            self.goaway = body
        elif kind == 'CREDIT':
            self.upload_credit += body['bytes']

    def of_stream(self, frame, answer, *_):
        kind, id, body = frame
        assert answer.done is None, '%s for %d after its DONE' % (kind, id)
        if not (answer.frames and answer.frames[-1] == kind == 'DATA'):
            answer.frames.append(kind)
        if kind == 'HOP':
            answer.hops.append(body)
        elif kind == 'RESPONSE':
            assert answer.response is None, 'two RESPONSEs for %d' % id
            answer.response = body
        elif kind == 'DATA':
            assert answer.response is not None, 'DATA before RESPONSE for %d' % id
            self.take(id, answer, body)
        elif kind == 'CREDIT':
            self.streams[id][3] += body['bytes']
        elif kind == 'REWIND':
            answer.rewinds += 1
            self.streams[id][3] = 0
            self.send('REWIND', id)
        elif kind == 'DONE':
            answer.done = body

    def take(self, id, answer, payload):
        assert isinstance(payload, bytes) and len(payload) <= DATA_BYTES
        answer.bytes += len(payload)
        answer.digest.update(payload)
        if self.keep:
            answer.pieces.append(payload)
        stream = self.streams[id]
        stream[2] += len(payload) + CHARGE
        self.owed += len(payload) + CHARGE
        if self.auto_credit:
            self.grant(id)

    def grant(self, id, least=0.5):
        """Gives back what was taken, once it is worth a frame. 0: whatever it is."""
        stream = self.streams[id]
        if stream[2] > least * stream[1]:
            self.send('CREDIT', id, dict(bytes=stream[2]))
            stream[2] = 0
        if self.owed > least * self.window:
            self.send('CREDIT', 0, dict(bytes=self.owed))
            self.owed = 0

    # ---- requests ----

    def fetch(self, url, **options):
        """Sends a FETCH. Returns its id."""
        id, self.next_id = self.next_id, self.next_id + 1
        self.streams[id] = [Answer(), options.get('window', STREAM_WINDOW), 0, 0]
        self.send('FETCH', id, dict(url=url, **options))
        return id

    def answer(self, id):
        return self.streams[id][0]

    def until(self, question, seconds=60):
        """Takes frames until question() is true."""
        deadline = time.monotonic() + seconds
        while not question():
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError('nothing more came in %g s' % seconds)
            self.socket.settimeout(left)
            try:
                self.step()
            except TimeoutError:
                raise AssertionError('nothing more came in %g s' % seconds) from None
            finally:
                self.socket.settimeout(60)

    def finish(self, id, seconds=60):
        """Takes frames until the DONE of `id`. Returns its Answer."""
        answer = self.answer(id)
        self.until(lambda: answer.done is not None, seconds)
        return answer

    def get(self, url, **options):
        return self.finish(self.fetch(url, **options))

    def upload(self, id, body, piece_bytes=DATA_BYTES):
        """Sends a streamed request body under credit, from its start again after a REWIND, until
        the answer is there. `body` is bytes."""
        stream, position, rewinds, ended = self.streams[id], 0, 0, False
        answer = stream[0]
        while answer.done is None:
            if answer.rewinds != rewinds:
                position, rewinds, ended = 0, answer.rewinds, False
            room = min(stream[3], self.upload_credit) - CHARGE
            if ended or room < min(1, len(body) - position):
                self.until(lambda: answer.done is not None or answer.rewinds != rewinds
                           or not ended and min(stream[3], self.upload_credit) - CHARGE > 0)
                continue
            piece = body[position:position + min(room, piece_bytes)]
            self.send('DATA', id, piece)
            stream[3] -= len(piece) + CHARGE
            self.upload_credit -= len(piece) + CHARGE
            position += len(piece)
            ended = not piece
        return answer

    def status(self):
        return self.ask('STATUS').body

    def ask(self, kind, **body):
        """One question under an id of its own. Returns its answer's frame."""
        id, self.next_id = self.next_id, self.next_id + 1
        self.send(kind, id, body)
        found = []
        self.until(lambda: found or self.collect(found, id))
        return found[0]

    def collect(self, found, id):
        frame = self.step()
        if frame.id == id:
            found.append(frame)
        return bool(found)

    # ---- sessions ----

    def session(self, verb, **body):
        """SESSION_CREATE, _LIST, _DESTROY, _READ or _WRITE. Returns what the answer holds."""
        return self.ask('SESSION_' + verb.upper(), **body).body

    def cookies(self, name, **more):
        """All cookies of a session, page by page."""
        page = self.session('read', name=name, **more)
        found = page.get('cookies', [])
        while page.get('next'):
            page = self.session('read', name=name, **dict(more, **{'from': page['next']}))
            found += page.get('cookies', [])
        return found

    def ping(self, token):
        self.send('PING', 0, dict(token=token))
        while True:
            frame = self.step()
            if frame.type == 'PONG' and frame.body.get('token') == token:
                return

    def closed(self):
        """Takes frames until the connection ends. Returns the ERROR it ended with, or None."""
        try:
            while True:
                self.step()
        except Closed as end:
            return end.error

    def peer_pid(self):
        credentials = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return struct.unpack('3i', credentials)[0]


