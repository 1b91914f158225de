"""A client for fetchd, written from ipc/README.md alone, with the standard library and msgpack:
answer, body = Client().fetch('https://example.com/', follow=True)
Options are the fields of FETCH; a `body` that is a file is streamed. Answers are the messages as they came. A client is for one
thread at a time; from asyncio, await asyncio.to_thread(function) with a Client of its own. For Windows: fetchd_pipe.py."""
import collections, msgpack, os, select, socket  # noqa: E401
HELLO, WELCOME, PING, PONG, GOAWAY, ERROR, CREDIT = range(1, 8)
FETCH, RESPONSE, DATA, DONE, CANCEL, HOP, REWIND, MESSAGE = 16, 17, 18, 19, 20, 21, 24, 25
TEXT, BINARY, CLOSE, WINDOW, CONNECTION_WINDOW, CHARGE, PIECE = 1, 2, 8, 1 << 18, 1 << 24, 64, 1 << 16


class FetchError(Exception):
    def __init__(self, error):              # the record: `name` is from the table of errors
        super().__init__('%s: %s' % (error['name'], error.get('message', '')))
        self.name, self.error = error['name'], error


class Stream:
    def __init__(self, client, id, window):
        self.client, self.id, self.window, self.came, self.hops = client, id, window, collections.deque(), []
        self.credit, self.owed, self.answer, self.done, self.rewound, self.forgotten = 0, 0, None, None, False, False

    def wait(self, question):               # False when the request ended before; FetchError if it failed
        self.client.until(lambda: question() or self.done is not None)
        if not question() and 'error' in self.done:
            raise FetchError(self.done['error'])
        return bool(question())

    def response(self):                     # RESPONSE; after it, `hops` has each HOP
        return self.wait(lambda: self.answer) and self.answer

    def take(self):                         # what came; now that it is taken, as much may come again
        came = self.came.popleft()
        for owner, id, window in (self, self.id, self.window), (self.client, 0, WINDOW):
            owner.owed += CHARGE + len(came.get('data', b'') if isinstance(came, dict) else came)
            if owner.owed >= window // 2:
                self.client.say(CREDIT, id, dict(bytes=owner.owed))
                owner.owed = 0
        return came

    def read(self):                         # the next bytes of the body, b'' at its end
        return self.take() if self.wait(lambda: self.came) else b''

    def send(self, kind, data, message=None):   # False when done, or when the body is wanted again, before all was sent
        at, more, client = 0, True, self.client
        while more:
            client.until(lambda: self.done or self.rewound or min(self.credit, client.credit) >= CHARGE + (at < len(data)))
            if self.done or self.rewound:
                return False
            size = min(len(data) - at, PIECE, self.credit - CHARGE, client.credit - CHARGE)
            piece, at, more = data[at:at + size], at + size, at + size < len(data)
            self.credit, client.credit = self.credit - CHARGE - size, client.credit - CHARGE - size
            client.say(kind, self.id, dict(message, data=piece, more=more) if message else piece)
        return True

    def upload(self, file):                 # returns when the answer is there
        while not (self.done or self.answer):
            while (data := file.read(PIECE)) and self.send(DATA, data):
                pass
            if not data:                    # the end costs nothing of the stream's credit
                self.client.credit -= CHARGE
                self.client.say(DATA, self.id, b'')
                self.client.until(lambda: self.done or self.rewound or self.answer)
            if self.rewound:
                self.rewound = False
                file.seek(0)
                self.client.say(REWIND, self.id, {})

    def send_message(self, data, kind=None, **more):   # of a WebSocket; to close it: a reason, CLOSE, code=1000
        kind, data = kind or (TEXT if isinstance(data, str) else BINARY), data.encode() if isinstance(data, str) else data
        return self.send(MESSAGE, data, dict(more, kind=kind))

    def receive_message(self):              # the next str or bytes; None when both have closed: `done` has close_code
        whole = b''
        while self.wait(lambda: self.came):
            message = self.take()
            if message['kind'] in (TEXT, BINARY):
                whole += message.get('data', b'')
                if not message.get('more'):
                    return whole.decode() if message['kind'] == TEXT else whole

    def cancel(self):                       # what still comes of it is forgotten
        self.client.say(CANCEL, self.id, {})
        self.forgotten = True
        while self.came:
            self.take()


class Client(socket.socket):                # closing it cancels what is open
    def __init__(self, address=None):
        self.streams, self.last_id, self.credit, self.owed, self.buffer = {}, 0, 0, 0, bytearray()
        self.dial(address or os.environ.get('FETCHD_ADDRESS'))
        self.say(HELLO, 0, dict(version_min=1, version_max=1, client='fetchd.py'))
        self.until(lambda: self.credit)

    def dial(self, address):
        super().__init__(socket.AF_UNIX)
        self.connect((address or os.environ['XDG_RUNTIME_DIR'] + '/fetchd/fetchd.sock').removeprefix('unix:'))

    def until(self, question):
        while not question():
            self.hear()

    def say(self, kind, id, body):          # and hears meanwhile: who does not read is not read from
        frame = msgpack.packb([kind, id, body])
        frame = len(frame).to_bytes(4, 'big') + frame
        while frame:
            readable, writable, _ = select.select([self], [self], [])
            frame = frame[self.send(frame, socket.MSG_DONTWAIT):] if writable else frame
            self.hear() if readable else None

    def hear(self):
        self.buffer += self.recv(PIECE) or self.dispatch(ERROR, 0, dict(name='daemon.lost'))
        while len(self.buffer) >= 4 and len(self.buffer) >= 4 + (length := int.from_bytes(self.buffer[:4], 'big')):
            frame = bytes(self.buffer[4:4 + length])
            del self.buffer[:4 + length]
            self.dispatch(*msgpack.unpackb(frame))

    def dispatch(self, kind, id, body):
        target = self if id == 0 else self.streams.get(id)
        if kind == ERROR:
            raise FetchError(body)
        if kind == PING:
            self.say(PONG, 0, body)
        elif kind in (WELCOME, CREDIT):
            target.credit += body['bytes'] if kind == CREDIT else body.get('window', CONNECTION_WINDOW)
        elif kind == REWIND:
            target.rewound, target.credit = True, 0
        elif kind in (HOP, DATA, MESSAGE):
            (target.hops if kind == HOP else target.came).append(body)
            target.take() if target.forgotten and kind != HOP else None
        elif kind == RESPONSE:
            target.answer = body
        elif kind != GOAWAY:                # DONE, or the one reply to STATUS and its like
            self.streams.pop(id).done = body

    def ask(self, kind, body):              # any message that opens an id
        self.last_id += 1
        stream = self.streams[self.last_id] = Stream(self, self.last_id, body.get('window', WINDOW))
        self.say(kind, stream.id, body)
        return stream

    def open(self, url, body=None, **options):   # then response(), and read() until b''
        more = dict(body=body or b'') if not hasattr(body, 'read') else dict(body_streamed=True, rewindable=body.seekable())
        stream = self.ask(FETCH, dict(more, url=url, **options))
        stream.upload(body) if 'body_streamed' in more else None
        return stream

    def fetch(self, url, body=None, **options):   # RESPONSE and the whole body
        stream = self.open(url, body, **options)
        return stream.response(), b''.join(iter(stream.read, b''))
