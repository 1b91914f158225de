"""A lone worker with WebSockets open, spoken to in MESSAGEs.

    with SocketWorker(ca_pem=..., egress_allow=...) as w:
        id = w.open('wss://localhost:8443/echo')
        w.say(id, 'text')
        w.hear(id)                      # ('text', 1)
        w.bye(id)                       # its DONE
"""
import collections
import time

from lone_worker import LoneWorker
from support.protocol import CHARGE, DATA_BYTES

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
Heard = collections.namedtuple('Heard', 'kind data more code')


class SocketWorker(LoneWorker):
    """`answer.heard` has every MESSAGE as it came, `answer.flushed` the tokens."""

    def of_stream(self, frame, answer, *rest):
        kind, id, body = frame
        if kind in ('MESSAGE', 'FLUSHED'):
            assert answer.response and answer.response['status'] == 101, '%s before RESPONSE 101' % kind
            assert answer.done is None, '%s after DONE' % kind
        if kind == 'MESSAGE':
            self.of_message(id, answer, body)
        elif kind == 'FLUSHED':
            self.of(answer).flushed.append(body.get('token', 0))
        else:
            super().of_stream(frame, answer, *rest)

    @staticmethod
    def of(answer):
        if not hasattr(answer, 'heard'):
            answer.heard, answer.flushed, answer.arrived = [], [], []
        return answer

    def of_message(self, id, answer, body):
        data = body.get('data', b'')
        assert len(data) <= DATA_BYTES, len(data)
        self.of(answer).heard.append(Heard(body['kind'], data, body.get('more', False), body.get('code', 0)))
        answer.arrived.append(time.monotonic())
        stream = self.streams[id]
        stream[2] += len(data) + CHARGE
        self.owed += len(data) + CHARGE
        if self.auto_credit:
            self.grant(id)

    # ---- talk ----

    def begin(self, url, **options):
        id = self.fetch(url, **options)
        self.of(self.answer(id))
        return id

    def open(self, url, **options):
        """Until the RESPONSE 101 and the first credit. Returns the id."""
        id = self.begin(url, **options)
        answer = self.answer(id)
        self.until(lambda: answer.done or self.streams[id][3] > 0)
        assert answer.done is None, answer.done
        assert answer.status == 101
        return id

    def message(self, id, kind, data=b'', **more):
        """One MESSAGE, once there is credit for it."""
        data = data.encode() if isinstance(data, str) else data
        stream = self.streams[id]
        cost = len(data) + CHARGE
        self.until(lambda: stream[0].done or (stream[3] >= cost and self.upload_credit >= cost))
        if stream[0].done:
            return False
        stream[3] -= cost
        self.upload_credit -= cost
        body = dict(kind=kind, **more)
        if data:
            body['data'] = data
        self.send('MESSAGE', id, body)
        return True

    def say(self, id, data, piece=DATA_BYTES):
        """A whole message: text for a str, binary for bytes."""
        kind = TEXT if isinstance(data, str) else BINARY
        data = data.encode() if isinstance(data, str) else data
        at = 0
        while True:
            more = at + piece < len(data)
            self.message(id, kind, data[at:at + piece], **(dict(more=True) if more else {}))
            at += piece
            if not more:
                return

    def messages(self, id):
        """The whole messages that came, put together: [(data, kind)]; control frames are whole ones."""
        whole, parts, kind = [], [], None
        for heard in self.of(self.answer(id)).heard:
            if heard.kind >= CLOSE:
                whole.append((heard.data, heard.kind))
                continue
            assert kind in (None, heard.kind), 'a piece of another kind'
            parts.append(heard.data)
            kind = heard.kind if heard.more else None
            if not heard.more:
                data = b''.join(parts)
                whole.append((data.decode() if heard.kind == TEXT else data, heard.kind))
                parts = []
        return whole

    def forget(self, id):
        """What came so far is not looked at again."""
        self.answer(id).heard.clear()

    def hear(self, id, count=1, seconds=60, control=False):
        """Waits for whole messages, and takes them. One: returns it; more: a list."""
        def found():
            return [m for m in self.messages(id) if control or m[1] < CLOSE]
        self.until(lambda: len(found()) >= count or self.answer(id).done, seconds)
        messages = found()
        assert len(messages) >= count, 'ended with %d messages: %r' % (len(messages), self.answer(id).done)
        self.forget(id)
        return messages[0] if count == 1 else messages

    def flush(self, id, token=1):
        self.send('FLUSH', id, dict(token=token))
        self.until(lambda: token in self.answer(id).flushed or self.answer(id).done)
        assert token in self.answer(id).flushed, self.answer(id).done

    def bye(self, id, code=1000, reason=''):
        """The close handshake. Returns DONE."""
        self.message(id, CLOSE, reason, **(dict(code=code) if code else {}))
        return self.finish(id).done

    def pass_time(self, seconds):
        """Takes what comes meanwhile."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return
            self.socket.settimeout(left)
            try:
                self.step()
            except TimeoutError:
                return
            finally:
                self.socket.settimeout(60)
