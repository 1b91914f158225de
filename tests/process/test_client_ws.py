"""libfetchd's WebSockets, by a probe that follows commands, beside a daemon that sends frames in parts,
gives little credit, loses workers, breaks the protocol and dies."""
import os
import queue
import re
import subprocess
import sys
import time
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from support import paths, tap  # noqa: E402
from support.protocol import CHARGE, DATA_BYTES, encode  # noqa: E402
from support.websocket_probe import PROBE, Probe, pattern  # noqa: E402
from fake_daemon import FakeDaemon  # noqa: E402

URL = 'wss://origin.test/x'
MIB = 1 << 20
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FAILED, TIMED_OUT, REOPENED, CLOSED = '-1', '-2', '-4', '-5'


def names(events):
    return [event.words[1] for event in events]


class Side:
    """The daemon's side of one WebSocket."""

    def __init__(self, peer, credit=0, fetch=None, protocol=None):
        self.peer, self.credit, self.heard = peer, 0, []
        self.fetch = fetch or peer.expect('FETCH')
        self.id = self.fetch.id
        self.open(protocol)
        if credit:
            self.give(credit)

    def open(self, protocol=None):
        headers = [['Upgrade', 'websocket']] + ([['Sec-WebSocket-Protocol', protocol]] if protocol else [])
        self.peer.send('RESPONSE', self.id, dict(status=101, http_version='1.1', headers=headers))

    def give(self, bytes):
        self.credit += bytes
        self.peer.send('CREDIT', self.id, dict(bytes=bytes))

    def encoded(self, kind, data=b'', more=False, code=0):
        body = dict(kind=kind)
        if data:
            body['data'] = data
        if more:
            body['more'] = True
        if code:
            body['code'] = code
        self.peer.spend(self.id, len(data))
        return encode('MESSAGE', self.id, body)

    def tell(self, *args, **more):
        self.peer.send_raw(self.encoded(*args, **more))

    def tell_large(self, kind, data):
        """In pieces, under the client's credit."""
        at = 0
        while True:
            room = min(self.peer.credit[self.id], self.peer.credit[0]) - CHARGE
            if room <= 0:
                self.take(self.peer.receive())
                continue
            piece = data[at:at + min(room, DATA_BYTES)]
            at += len(piece)
            self.tell(kind, piece, more=at < len(data))
            if at == len(data):
                return

    def take(self, frame):
        """Notes a MESSAGE and holds it to its credit."""
        if frame.type == 'MESSAGE':
            assert frame.id == self.id
            self.credit -= len(frame.body.get('data', b'')) + CHARGE
            assert self.credit >= 0, 'the client sent %d bytes beyond its credit' % -self.credit
            self.peer.send('CREDIT', 0, dict(bytes=len(frame.body.get('data', b'')) + CHARGE))
            self.heard.append(frame.body)
        else:
            assert frame.type == 'CREDIT', frame
        return frame

    def hear(self, again=0):
        """The next whole message but pings: (kind, data, how many pieces). Each piece earns `again`."""
        data, pieces, kind = bytearray(), 0, None
        while True:
            frame = self.take(self.peer.receive())
            if frame.type != 'MESSAGE':
                continue
            if again:
                self.give(again)
            if frame.body['kind'] == PING:
                continue
            assert kind in (None, frame.body['kind']), 'kinds are mixed'
            kind = frame.body['kind']
            data += frame.body.get('data', b'')
            pieces += 1
            if not frame.body.get('more'):
                return kind, bytes(data), pieces

    def done(self, code=1000, reason='', **more):
        self.peer.send('DONE', self.id, dict(status=101, close_code=code, close_reason=reason, worker=3,
                                             **more))

    def fail(self, name, code=1006):
        self.done(code, error=dict(name=name, message='it was %s' % name))


class TestCase(unittest.TestCase):
    """A test steps through its daemon's script: the script waits at self.at(), the test says self.go()."""

    def pair(self, serve):
        self.steps = queue.Queue()

        def script(peer):
            peer.welcome()
            serve(peer)
            peer.until_gone()
        self.daemon = FakeDaemon(script)
        self.daemon.__enter__()
        self.probe = Probe(self.daemon.address, URL)
        self.addCleanup(self.daemon.__exit__, None)
        self.addCleanup(self.probe.end)
        return self.probe

    def at(self):
        self.steps.get(timeout=20)

    def go(self):
        self.steps.put(None)

    def text(self, line, data, kind=TEXT):
        self.assertEqual((line.result, line['kind'], line['data']), ('0', str(kind), data), line)


class Opening(TestCase):
    def test_options_reach_the_daemon(self):
        def serve(peer):
            fetch = peer.expect('FETCH')
            assert fetch.body == dict(url=URL, subprotocols=['chat.2'], ping_interval_ms=30000,
                                      reconnect=True, fragments=True, max_message_bytes=1000,
                                      window=5000), fetch
            Side(peer, fetch=fetch, protocol='chat.2')
        line = self.pair(serve).ws(protocol='chat.2', interval=30000, reconnect=1, fragments=1, max=1000,
                                   window=5000)
        self.assertEqual((line['status'], line['protocol']), ('101', 'chat.2'))

    def test_a_refusal_is_its_error(self):
        def serve(peer):
            fetch = peer.expect('FETCH')
            peer.send('RESPONSE', fetch.id, dict(status=403))
            peer.fail(fetch.id, 'websocket.refused')
        line = self.pair(serve).do('ws', url=URL)
        self.assertEqual((line.result, line['error'], line['exit']), ('failed', 'websocket.refused', '22'))

    def test_a_refusal_as_events(self):
        def serve(peer):
            fetch = peer.expect('FETCH')
            peer.send('RESPONSE', fetch.id, dict(status=403))
            peer.fail(fetch.id, 'websocket.refused')
        probe = self.pair(serve)
        probe.do('start', url=URL)
        events = probe.events(dones=1)
        self.assertEqual(names(events), ['RESPONSE', 'DONE'])
        self.assertEqual(events[-1]['error'], 'websocket.refused')

    def test_one_that_never_opens_times_out_and_is_cancelled(self):
        cancelled = queue.Queue()

        def serve(peer):
            peer.expect('FETCH')
            cancelled.put(peer.expect('CANCEL').id)
        line = self.pair(serve).do('ws', url=URL, ms=50)
        self.assertEqual((line.result, line['error']), ('failed', 'timeout.total'))
        self.assertEqual(cancelled.get(timeout=20), 1)

    def test_another_url_is_no_websocket(self):
        line = self.pair(lambda peer: None).do('ws', url='https://origin.test/')
        self.assertEqual((line.result, line['error']), ('failed', 'request.invalid'))

    def test_a_scheme_may_be_in_capitals(self):
        def serve(peer):
            Side(peer)
        self.pair(serve).ws(url='WSS://origin.test/')


class Receiving(TestCase):
    def test_a_timeout_between_pieces_loses_none(self):
        def serve(peer):
            side = Side(peer)
            for piece in range(4):
                self.at()
                side.tell(TEXT, b'piece %d.' % piece, more=piece < 3)
        probe = self.pair(serve)
        probe.ws()
        for _ in range(4):
            self.assertEqual(probe.do('recv', ms=20).result, TIMED_OUT)
            self.assertEqual(probe.do('recv', ms=0).result, TIMED_OUT)
            self.go()
        self.text(probe.do('recv'), 'piece 0.piece 1.piece 2.piece 3.')

    def test_timeouts_at_every_byte_lose_none(self):
        def serve(peer):
            side = Side(peer)
            frames = (side.encoded(TEXT, b'one', more=True) + side.encoded(TEXT, b' two')
                      + side.encoded(BINARY, b'3'))
            for i in range(len(frames)):
                self.at()
                peer.send_raw(frames[i:i + 1])
        probe = self.pair(serve)
        probe.ws()
        got, expired = [], 0
        while len(got) < 2:
            line = probe.do('recv', ms=3)
            if line.result == TIMED_OUT:
                expired += 1
                self.go()
            else:
                got.append((line['kind'], line['data']))
        self.assertEqual(got, [('1', 'one two'), ('2', '3')])
        self.assertGreater(expired, 50)

    def test_many_messages_under_short_timeouts_come_all_and_in_order(self):
        count = 3000
        bodies = [b'message %d' % i * (1 + i % 7 * 100) for i in range(count)]

        def serve(peer):
            side = Side(peer)
            for i, body in enumerate(bodies):
                side.tell_large(BINARY, body)
                if i % 100 == 0:
                    time.sleep(0.003)
        probe = self.pair(serve)
        probe.ws(window=20000)
        line = probe.do('recvs', count=count, ms=1)
        wanted = 0
        for i, body in enumerate(bodies):
            wanted ^= zlib.crc32(body) + i + 1
        self.assertEqual((line.result, line['got'], line['bytes'], line['crc']),
                         ('0', str(count), str(sum(map(len, bodies))), str(wanted)))

    def test_64_mib_are_put_together_within_a_small_window(self):
        body = pattern(64 * MIB)

        def serve(peer):
            Side(peer).tell_large(BINARY, body)
        for mode in ('waited for', 'as an event'):
            with self.subTest(mode=mode):
                probe = self.pair(serve)
                if mode == 'waited for':
                    probe.ws()
                    line = probe.do('recv')
                else:
                    probe.do('start', url=URL)
                    line = probe.events(until='MESSAGE')[-1]
                self.assertEqual((line['size'], line['crc'], line['more']),
                                 (str(len(body)), str(zlib.crc32(body)), '0'))

    def test_an_empty_message_is_a_message(self):
        def serve(peer):
            side = Side(peer)
            side.tell(TEXT)
            side.tell(BINARY, b'', more=True)
            side.tell(BINARY)
        probe = self.pair(serve)
        probe.ws()
        self.text(probe.do('recv'), '')
        self.text(probe.do('recv'), '', BINARY)

    def test_fragments_come_as_they_are_when_asked_for(self):
        def serve(peer):
            side = Side(peer)
            for piece in (b'a', b'b', b''):
                side.tell(TEXT, piece, more=piece != b'')
        probe = self.pair(serve)
        probe.ws(fragments=1)
        self.assertEqual([(line['data'], line['more']) for line in (probe.do('recv') for _ in range(3))],
                         [('a', '1'), ('b', '1'), ('', '0')])
        probe = self.pair(serve)
        probe.do('start', url=URL, fragments=1)
        events = probe.events(until='MESSAGE', count=3)
        self.assertEqual([(e['data'], e['more']) for e in events[1:]], [('a', '1'), ('b', '1'), ('', '0')])

    def test_events_tell_whole_messages_and_nothing_of_their_pieces(self):
        def serve(peer):
            side = Side(peer)
            for _ in range(3):
                side.tell(TEXT, b'whole')
                side.tell(TEXT, b'in ', more=True)
                side.tell(TEXT, b'pie', more=True)
                side.tell(TEXT, b'ces')
            side.done()
        probe = self.pair(serve)
        probe.do('start', url=URL)
        events = probe.events(dones=1)
        self.assertEqual(names(events), ['OPEN'] + ['MESSAGE'] * 6 + ['DONE'])
        self.assertEqual([e['data'] for e in events[1:-1]], ['whole', 'in pieces'] * 3)

    def test_pings_between_pieces_disturb_nothing(self):
        def serve(peer):
            side = Side(peer)
            side.tell(PING, b'before')
            side.tell(TEXT, b'one ', more=True)
            side.tell(PING, b'between')
            side.tell(PONG)
            side.tell(TEXT, b'two')
            side.tell(CLOSE, b'bye', code=1001)
            side.done(1001, 'bye')
        for control in (0, 1):
            with self.subTest(control=control):
                probe = self.pair(serve)
                probe.ws(control=control)
                got = []
                while True:
                    line = probe.do('recv')
                    if line.result != '0':
                        break
                    got.append((int(line['kind']), line['data'], line['code']))
                self.assertEqual(line.result, CLOSED)
                data = [(TEXT, 'one two', None)]
                before = [(PING, 'before', None), (PING, 'between', None), (PONG, '', None)]
                self.assertEqual(got, before + data + [(CLOSE, 'bye', '1001')] if control else data)

    def test_too_large_a_message_ends_it(self):
        cancelled = []

        def serve(peer):
            side = Side(peer)
            side.tell(TEXT, b'x' * 600, more=True)
            side.tell(TEXT, b'x' * 401)
            cancelled.append(peer.expect('CANCEL'))
            peer.fail(side.id, 'cancelled')
        probe = self.pair(serve)
        probe.ws(max=1000)
        line = probe.do('recv')
        self.assertEqual((line.result, line['error'], line['exit']), (FAILED, 'message.too_large', '63'))
        self.assertEqual(probe.do('recv').result, FAILED)
        probe = self.pair(serve)
        probe.do('start', url=URL, max=1000)
        events = probe.events(dones=1)
        self.assertEqual((names(events), events[-1]['error']), (['OPEN', 'DONE'], 'message.too_large'))

    def test_a_message_stays_while_others_are_sent_under_little_credit(self):
        """The echo sends from the memory it received in, and waits for credit again and again."""
        bodies = [pattern(50000, i) for i in range(20)]
        heard = queue.Queue()

        def serve(peer):
            side = Side(peer, credit=5000)
            for body in bodies:
                side.tell_large(BINARY, body)
                heard.put(side.hear(again=4200)[1])
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('echo', count=20).words[1], '20')
        self.assertEqual([heard.get(timeout=20) for _ in bodies], bodies)


class Credit(TestCase):
    def test_is_given_back_when_messages_are_taken_and_not_before(self):
        granted = queue.Queue()

        def serve(peer):
            side = Side(peer)
            for _ in range(10):
                side.tell(TEXT, b'x' * 936)                             # a thousand each
            granted.put(peer.granted[side.id])
            while peer.granted[side.id] < 10000:
                side.take(peer.receive())
            granted.put(peer.granted[side.id])
        probe = self.pair(serve)
        probe.ws(window=10000)
        self.assertEqual(granted.get(timeout=20), 0)
        for _ in range(10):
            self.assertEqual(probe.do('recv')['size'], '936')
        self.assertEqual(probe.do('recv', ms=20).result, TIMED_OUT)
        self.assertEqual(granted.get(timeout=20), 10000)

    def test_empty_messages_and_hidden_pings_cost_and_are_given_back(self):
        def serve(peer):
            side = Side(peer)
            for i in range(2000):
                while peer.credit[side.id] < CHARGE:
                    side.take(peer.receive())
                side.tell(PING if i % 2 else TEXT)
            side.tell_large(TEXT, b'last')
        probe = self.pair(serve)
        probe.ws(window=6400)
        self.assertEqual(probe.do('recvs', count=1000)['got'], '1000')
        self.text(probe.do('recv'), 'last')

    def test_one_socket_that_is_not_read_stalls_alone(self):
        def serve(peer):
            stalled, other = Side(peer), Side(peer, credit=100000)
            while peer.credit[stalled.id] >= 1064:
                stalled.tell(TEXT, b's' * 1000)
            for i in range(300):
                other.tell_large(TEXT, b'o' * 1000)
                other.hear()
                other.give(1064)
            stalled.tell_large(TEXT, b'at last')
        probe = self.pair(serve)
        probe.ws(tag=1, window=20000)
        probe.ws(tag=2, window=20000)
        self.assertEqual(probe.do('echo', tag=2, count=300).words[1], '300')
        self.assertEqual(probe.do('recvs', tag=1, count=18)['bytes'], '18000')
        self.text(probe.do('recv', tag=1), 'at last')

    def test_a_paused_socket_gives_nothing_back(self):
        granted = queue.Queue()

        def serve(peer):
            side = Side(peer)
            self.at()
            for _ in range(9):
                side.tell(TEXT, b'x' * 936)
            self.at()
            granted.put(peer.granted[side.id])
            while not peer.granted[side.id]:
                side.take(peer.receive())
            granted.put(peer.granted[side.id])
        probe = self.pair(serve)
        probe.do('start', url=URL, window=10000)
        probe.events(until='OPEN')
        probe.do('pause', on=1)
        self.go()
        self.assertEqual(len(probe.events(until='MESSAGE', count=9)), 9)
        self.go()
        self.assertEqual(granted.get(timeout=20), 0)
        probe.do('pause', on=0)
        self.assertEqual(granted.get(timeout=20), 9000)

    def test_a_released_socket_gives_the_connection_its_credit_back(self):
        def serve(peer):
            first = Side(peer)
            for _ in range(3):
                first.tell(BINARY, b'x' * DATA_BYTES)
            self.at()
            peer.expect('CANCEL')
            side = Side(peer)
            side.tell_large(BINARY, bytes(20 * MIB))                    # more than the connection's window
        probe = self.pair(serve)
        probe.ws(tag=1)
        self.assertEqual(probe.do('recv', tag=1)['size'], str(DATA_BYTES))
        self.go()
        probe.do('release', tag=1)
        probe.ws(tag=2)
        self.assertEqual(probe.do('recv', tag=2)['size'], str(20 * MIB))


class Sending(TestCase):
    def test_waits_for_credit(self):
        heard = queue.Queue()

        def serve(peer):
            side = Side(peer)
            self.at()
            side.give(CHARGE + 5)
            heard.put(side.hear())
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('send', text='hello', ms=30).result, TIMED_OUT)
        self.assertEqual(probe.do('send', text='hello', ms=0).result, TIMED_OUT)
        self.go()
        self.assertEqual(probe.do('send', text='hello').result, '5')
        self.assertEqual(heard.get(timeout=20), (TEXT, b'hello', 1))
        self.assertEqual(probe.do('send', text='', ms=0).result, TIMED_OUT)

    def test_a_sent_message_leaves_without_another_call(self):
        heard = queue.Queue()

        def serve(peer):
            side = Side(peer, credit=1000)
            heard.put(side.hear())
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('recv', ms=30).result, TIMED_OUT)
        self.assertEqual(probe.do('send', text='hello').result, '5')
        self.assertEqual(heard.get(timeout=20), (TEXT, b'hello', 1))

    def test_a_large_message_goes_in_pieces_and_on_where_it_stopped(self):
        heard = queue.Queue()
        size = 300000

        def serve(peer):
            side = Side(peer, credit=100000)
            while side.credit >= 4096 + CHARGE:
                side.take(peer.receive())
            self.at()
            data = b''.join(body.get('data', b'') for body in side.heard)
            heard.put(len(data))
            side.give(100000)
            kind, rest, pieces = side.hear(again=50000)
            heard.put((kind, data + rest))
            assert all(body.get('more') for body in side.heard[:-1])
            assert max(len(body.get('data', b'')) for body in side.heard) <= DATA_BYTES
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('recv', ms=30).result, TIMED_OUT)
        taken = int(probe.do('send', size=size, kind=BINARY, ms=50).result)
        self.assertTrue(90000 < taken < 100000, taken)
        self.assertEqual(probe.do('send', text='x', kind=TEXT, ms=0)['error'], 'request.invalid')
        self.go()
        self.assertEqual(heard.get(timeout=20), taken)
        rest = probe.do('send', size=size - taken, kind=BINARY, **{'from': taken})
        self.assertEqual(rest.result, str(size - taken))
        self.assertEqual(heard.get(timeout=20), (BINARY, pattern(size)))

    def test_a_small_message_is_never_cut(self):
        heard = queue.Queue()

        def serve(peer):
            side = Side(peer, credit=4000)
            self.at()
            heard.put(len(side.heard))
            side.give(160)
            heard.put(side.hear())
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('recv', ms=30).result, TIMED_OUT)
        self.assertEqual(probe.do('send', size=4096, ms=30).result, TIMED_OUT)
        self.go()
        self.assertEqual(heard.get(timeout=20), 0)
        self.assertEqual(probe.do('send', size=4096).result, '4096')
        self.assertEqual(heard.get(timeout=20), (TEXT, pattern(4096), 1))

    def test_64_mib_go_up(self):
        heard = queue.Queue()

        def serve(peer):
            heard.put(Side(peer, credit=65536).hear(again=65600))
            self.at()
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('send', size=64 * MIB, kind=BINARY, ms=60000).result, str(64 * MIB))
        kind, data, pieces = heard.get(timeout=60)
        self.go()
        self.assertEqual((kind, data == pattern(64 * MIB)), (BINARY, True))

    def test_pieces_with_more_make_one_message_and_pings_pass_between(self):
        heard = queue.Queue()

        def serve(peer):
            side = Side(peer, credit=10000)
            heard.put(side.hear())
            heard.put([body['kind'] for body in side.heard])
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('send', text='one', more=1).result, '3')
        self.assertEqual(probe.do('ping', text='p').result, '0')
        self.assertEqual(probe.do('send', text='', more=1).result, '0')
        self.assertEqual(probe.do('send', text='two', more=0).result, '3')
        self.assertEqual(heard.get(timeout=20), (TEXT, b'onetwo', 2))
        self.assertEqual(heard.get(timeout=20), [TEXT, PING, TEXT])

    def test_writable_comes_with_the_first_credit_and_after_a_short_send(self):
        def serve(peer):
            side = Side(peer)
            self.at()
            side.give(CHARGE + 10)
            self.at()
            side.give(1000)                                             # nobody asked: no event
            side.tell(TEXT, b'news')
            self.at()
            side.give(1000)
            side.hear()
        probe = self.pair(serve)
        probe.do('start', url=URL)
        probe.events(until='OPEN')
        self.go()
        writable = probe.events(until='WRITABLE')[-1]
        self.assertEqual(writable['room'], '10')
        self.go()
        self.assertEqual(names(probe.events(until='MESSAGE')), ['MESSAGE'])
        self.assertEqual(probe.do('send', size=2000, ms=0).result, TIMED_OUT)
        self.go()
        self.assertEqual(probe.events(until='WRITABLE')[-1]['room'], str(2000 + 74 - CHARGE))
        self.assertEqual(probe.do('send', size=2000, ms=0).result, '2000')
        probe.events(ms=50)

    def test_what_can_not_be_sent_is_refused_and_the_socket_lives(self):
        heard = queue.Queue()

        def serve(peer):
            side = Side(peer, credit=10000)
            heard.put(side.hear())
        probe = self.pair(serve)
        probe.ws()
        for kind in (0, 3, 7, 8, 9, 10, 11):
            self.assertEqual(probe.do('send', text='x', kind=kind)['error'], 'request.invalid', kind)
        self.assertEqual(probe.do('send', text='\udce4\udcf6')['error'], 'request.invalid')
        self.assertEqual(probe.do('ping', text='p' * 126)['error'], 'request.invalid')
        self.assertEqual(probe.do('write')['error'], 'request.invalid')
        for code, reason in ((999, ''), (1004, ''), (1005, ''), (1006, ''), (1015, ''), (2999, ''),
                             (5000, ''), (0, 'why'), (1000, 'r' * 124), (1000, '\udce4')):
            line = probe.do('close', code=code, reason=reason)
            self.assertEqual(line['error'], 'request.invalid', (code, reason))
        self.assertEqual(probe.do('send', text='\udce4\udcf6', kind=BINARY).result, '2')
        self.assertEqual(heard.get(timeout=20), (BINARY, b'\xe4\xf6', 1))

    def test_a_request_that_is_no_websocket_sends_no_message(self):
        def serve(peer):
            peer.expect('FETCH')
        probe = self.pair(serve)
        probe.do('start', url='https://origin.test/')
        for command in ('send', 'ping', 'flush', 'close'):
            self.assertEqual(probe.do(command, text='x', code=1000)['error'], 'request.invalid')


class Flushing(TestCase):
    def test_waits_for_the_answer_and_keeps_what_comes_meanwhile(self):
        def serve(peer):
            side = Side(peer, credit=10000)
            assert side.hear() == (TEXT, b'hello', 1)
            flush = peer.expect('FLUSH')
            side.tell(TEXT, b'first')
            side.tell(TEXT, b'second')
            self.at()
            flush = peer.expect('FLUSH')
            peer.send('FLUSHED', side.id, dict(token=1))                # late, for the one given up
            peer.send('FLUSHED', side.id, dict(token=flush.body['token']))
        probe = self.pair(serve)
        probe.ws()
        probe.do('send', text='hello')
        self.assertEqual(probe.do('flush', ms=50).result, TIMED_OUT)
        self.go()
        self.assertEqual(probe.do('flush').result, '0')
        self.text(probe.do('recv'), 'first')
        self.text(probe.do('recv'), 'second')

    def test_as_an_event(self):
        def serve(peer):
            side = Side(peer, credit=10000)
            side.hear()
            for _ in range(2):
                flush = peer.expect('FLUSH')
                peer.send('FLUSHED', side.id, flush.body)
        probe = self.pair(serve)
        probe.do('start', url=URL)
        self.assertEqual(probe.do('flush', ms=0).result, TIMED_OUT)     # it is not open yet
        probe.events(until='WRITABLE')
        probe.do('send', text='hello', ms=0)
        self.assertEqual([probe.do('flush', ms=0).result for _ in range(2)], ['0', '0'])
        self.assertEqual(names(probe.events(until='FLUSHED', count=2)), ['FLUSHED'] * 2)

    def test_an_answer_without_a_question_is_a_violation(self):
        def serve(peer):
            peer.send('FLUSHED', Side(peer).id, dict(token=1))
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('recv')['error'], 'protocol.violation')


class Closing(TestCase):
    def test_is_a_handshake(self):
        heard = queue.Queue()

        def serve(peer):
            side = Side(peer, credit=1000)
            side.hear()
            heard.put(side.heard[-1])
            side.tell(TEXT, b'one more')
            self.at()
            side.done(1000, 'bye then')
        probe = self.pair(serve)
        probe.ws()
        probe.say('close', code=3001, reason='bye')
        self.assertEqual(heard.get(timeout=20), dict(kind=CLOSE, code=3001, data=b'bye'))
        self.go()
        self.assertEqual(probe.hear('close')[-1].result, '0')
        line = probe.do('done')
        self.assertEqual((line['code'], line['reason'], line['error']), ('1000', 'bye then', None))
        self.assertEqual(probe.do('recv').result, CLOSED)
        self.assertEqual(probe.do('send', text='x')['error'], 'send.failed')

    def test_messages_can_be_received_until_the_end(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            side.hear()
            for i in range(3):
                side.tell(TEXT, b'late %d' % i)
            side.done()
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('close', code=1000, ms=0).result, '0')
        self.assertEqual(probe.do('send', text='x')['error'], 'request.invalid')
        self.assertEqual([probe.do('recv')['data'] for _ in range(3)], ['late 0', 'late 1', 'late 2'])
        self.assertEqual(probe.do('recv').result, CLOSED)

    def test_drops_more_than_a_window_while_it_waits(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            side.hear()
            for _ in range(50):
                side.tell_large(BINARY, bytes(100000))
            side.done()
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('close', code=1000).result, '0')

    def test_waits_for_credit_and_for_its_time(self):
        heard = queue.Queue()

        def serve(peer):
            side = Side(peer, credit=CHARGE + 2)
            side.hear()
            self.at()
            side.give(CHARGE)
            side.give(3)
            heard.put(side.hear())
            self.at()
            side.done()
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('send', text='ab').result, '2')
        self.assertEqual(probe.do('close', code=1000, reason='bye', ms=50).result, TIMED_OUT)
        self.go()
        self.assertEqual(probe.do('close', code=1000, ms=50).result, TIMED_OUT)
        self.assertEqual(heard.get(timeout=20), (CLOSE, b'bye', 1))
        self.go()
        self.assertEqual(probe.do('close', code=1000).result, '0')

    def test_before_the_socket_is_open_is_said_when_it_is(self):
        heard = queue.Queue()

        def serve(peer):
            fetch = peer.expect('FETCH')
            self.at()
            side = Side(peer, credit=1000, fetch=fetch)
            heard.put(side.hear())
            side.done()
        probe = self.pair(serve)
        probe.do('start', url=URL)
        probe.do('close', code=1001, ms=0)
        probe.events(ms=20)
        self.go()
        self.assertEqual(names(probe.events(dones=1)), ['OPEN', 'DONE'])
        self.assertEqual(heard.get(timeout=20), (CLOSE, b'', 1))

    def test_by_the_peer_comes_after_its_messages(self):
        def serve(peer):
            side = Side(peer)
            side.tell(TEXT, b'last words')
            side.done(1001, 'going away')
        probe = self.pair(serve)
        probe.ws()
        self.text(probe.do('recv'), 'last words')
        self.assertEqual(probe.do('recv').result, CLOSED)
        line = probe.do('done', ms=0)
        self.assertEqual((line['code'], line['reason']), ('1001', 'going away'))
        self.assertEqual(probe.do('close', code=1000).result, '0')

    def test_without_a_close_frame_is_an_error(self):
        def serve(peer):
            side = Side(peer)
            side.tell(TEXT, b'half', more=True)
            side.fail('websocket.closed')
        probe = self.pair(serve)
        probe.ws()
        line = probe.do('recv')
        self.assertEqual((line.result, line['error'], line['exit']), (FAILED, 'websocket.closed', '56'))
        self.assertEqual(probe.do('done', ms=0)['code'], '1006')
        self.assertEqual(probe.do('close', code=1000).result, FAILED)

    def test_cancel_is_no_close(self):
        def serve(peer):
            side = Side(peer)
            peer.expect('CANCEL')
            side.fail('cancelled')
        probe = self.pair(serve)
        probe.ws()
        probe.do('cancel')
        self.assertEqual(probe.do('recv')['error'], 'cancelled')


class Losing(TestCase):
    def test_a_dead_daemon_ends_each_socket_once(self):
        def serve(peer):
            sides = [Side(peer, credit=1000) for _ in range(5)]
            for side in sides:
                side.tell(TEXT, b'whole')
                side.tell(TEXT, b'half', more=True)
            self.at()
            peer.socket.close()
        probe = self.pair(serve)
        for tag in range(5):
            probe.ws(tag=tag)
        self.go()
        for tag in range(5):
            self.text(probe.do('recv', tag=tag), 'whole')
            line = probe.do('recv', tag=tag)
            self.assertEqual((line.result, line['error'], line['exit']), (FAILED, 'daemon.lost', '110'))
        self.assertEqual(probe.do('send', text='x', tag=1)['error'], 'daemon.lost')
        self.assertEqual(probe.do('flush', tag=2)['error'], 'daemon.lost')

    def test_a_dead_daemon_as_events(self):
        def serve(peer):
            for side in [Side(peer) for _ in range(5)]:
                side.tell(TEXT, b'half', more=True)
            self.at()
            peer.socket.close()
        probe = self.pair(serve)
        for tag in range(5):
            probe.do('start', tag=tag, url=URL)
        probe.events(until='OPEN', count=5)
        self.go()
        events = probe.events(dones=5)
        self.assertEqual([e['error'] for e in events], ['daemon.lost'] * 5, events)
        self.assertEqual({e.words[2] for e in events}, set('01234'))

    def test_a_sender_that_never_receives_notices(self):
        gone = queue.Queue()

        def serve(peer):
            Side(peer, credit=1 << 20)
            self.at()
            peer.socket.close()
            gone.put(None)
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('send', text='x').result, '1')
        self.go()
        gone.get(timeout=20)
        results = [probe.do('send', text='x')['error'] for _ in range(3)]
        self.assertEqual(results[-1], 'daemon.lost')

    def test_a_lost_worker_is_its_error(self):
        def serve(peer):
            side = Side(peer)
            side.tell(TEXT, b'before')
            side.fail('worker.lost')
        probe = self.pair(serve)
        probe.ws()
        self.text(probe.do('recv'), 'before')
        line = probe.do('recv')
        self.assertEqual((line['error'], line['exit']), ('worker.lost', '113'))


class Reopening(TestCase):
    def reopen(self, side):
        """REOPEN, and what must come until the client has answered it."""
        side.peer.send('REOPEN', side.id, dict(attempt=1))
        while True:
            frame = side.peer.receive()                                 # what was on its way is ignored
            if frame.type == 'REWIND':
                assert frame.id == side.id
                break
            assert frame.type in ('CREDIT', 'MESSAGE', 'FLUSH'), frame
        side.credit = 0
        side.heard.clear()

    def test_is_told_once_after_what_came_before(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            side.tell(TEXT, b'before')
            side.tell(TEXT, b'half of a mess', more=True)
            self.reopen(side)
            side.open()
            side.give(1000)
            side.tell(TEXT, b'after')
            assert side.hear() == (TEXT, b'again', 1)
            side.tell(TEXT, b'the end')
        probe = self.pair(serve)
        probe.ws(reconnect=1)
        self.text(probe.do('recv'), 'before')
        self.assertEqual(probe.do('recv').result, REOPENED)
        self.text(probe.do('recv'), 'after')
        self.assertEqual(probe.do('send', text='again').result, '5')
        self.text(probe.do('recv'), 'the end')

    def test_as_events(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            side.tell(TEXT, b'before')
            side.tell(TEXT, b'half', more=True)
            self.reopen(side)
            side.open()
            side.tell(TEXT, b'after')
            side.give(1000)
            side.hear()
            side.done()
        probe = self.pair(serve)
        probe.do('start', url=URL, reconnect=1)
        events = probe.events(until='OPEN', count=2) + probe.events(until='WRITABLE')
        told = [name for name in names(events) if name != 'WRITABLE']
        self.assertEqual(told, ['OPEN', 'MESSAGE', 'REOPEN', 'OPEN', 'MESSAGE'])
        self.assertEqual([e['data'] for e in events if e['data'] is not None], ['before', 'after'])
        self.assertEqual(probe.do('send', text='x', ms=0).result, '1')
        self.assertEqual(names(probe.events(dones=1)), ['DONE'])

    def test_voids_the_message_that_is_half_sent(self):
        heard = queue.Queue()

        def serve(peer):
            side = Side(peer, credit=70000)
            while len(side.heard) < 2:
                side.take(peer.receive())
            self.reopen(side)
            side.open()
            side.give(1000000)
            heard.put(side.hear())
            heard.put(side.hear())
        probe = self.pair(serve)
        probe.ws(reconnect=1)
        self.assertEqual(probe.do('send', size=200000, kind=BINARY).result, REOPENED)
        self.assertEqual(probe.do('send', size=200000, kind=BINARY).result, '200000')
        self.assertEqual(probe.do('send', text='next').result, '4')
        kind, data, _ = heard.get(timeout=20)
        self.assertEqual((kind, data), (BINARY, pattern(200000)))
        self.assertEqual(heard.get(timeout=20), (TEXT, b'next', 1))
        self.assertEqual(probe.do('recv', ms=0).result, REOPENED)
        self.assertEqual(probe.do('recv', ms=20).result, TIMED_OUT)

    def test_lets_a_message_between_two_wait_for_the_new_socket(self):
        heard = queue.Queue()

        def serve(peer):
            side = Side(peer)
            self.reopen(side)
            self.at()
            side.open()
            side.give(1000)
            heard.put(side.hear())
        probe = self.pair(serve)
        probe.ws(reconnect=1)
        self.assertEqual(probe.do('send', text='hello', ms=50).result, TIMED_OUT)
        self.go()
        self.assertEqual(probe.do('send', text='hello').result, '5')
        self.assertEqual(heard.get(timeout=20), (TEXT, b'hello', 1))

    def test_leaves_a_flush_without_an_answer(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            side.hear()
            peer.expect('FLUSH')
            self.reopen(side)
            self.at()
            side.open()
            flush = peer.expect('FLUSH')
            peer.send('FLUSHED', side.id, flush.body)
        probe = self.pair(serve)
        probe.ws(reconnect=1)
        probe.do('send', text='x')
        self.assertEqual(probe.do('flush').result, REOPENED)
        self.assertEqual(probe.do('flush', ms=30).result, TIMED_OUT)    # not open yet: nothing is asked
        self.go()
        self.assertEqual(probe.do('flush').result, '0')

    def test_repeats_a_close_that_went_to_the_old_socket(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            assert side.hear() == (CLOSE, b'bye', 1)
            self.reopen(side)
            side.open()
            side.give(1000)
            assert side.hear() == (CLOSE, b'bye', 1)
            side.done()
        probe = self.pair(serve)
        probe.ws(reconnect=1)
        self.assertEqual(probe.do('close', code=1000, reason='bye').result, '0')

    def test_twice_is_told_twice(self):
        def serve(peer):
            side = Side(peer)
            for i in range(2):
                self.reopen(side)
                side.open()
                side.tell(TEXT, b'%d' % i)
        probe = self.pair(serve)
        probe.ws(reconnect=1)
        for i in range(2):
            self.assertEqual(probe.do('recv').result, REOPENED)
            self.text(probe.do('recv'), str(i))

    def test_that_fails_is_done(self):
        def serve(peer):
            side = Side(peer)
            self.reopen(side)
            side.fail('connect.refused')
        probe = self.pair(serve)
        probe.ws(reconnect=1)
        self.assertEqual(probe.do('recv').result, REOPENED)
        self.assertEqual(probe.do('recv')['error'], 'connect.refused')

    def test_nobody_asked_for_is_a_violation(self):
        def serve(peer):
            side = Side(peer)
            peer.send('REOPEN', side.id)
        probe = self.pair(serve)
        probe.ws()
        self.assertEqual(probe.do('recv')['error'], 'protocol.violation')


class Together(TestCase):
    def test_many_sockets_and_fetches_share_a_connection(self):
        def serve(peer):
            sides = {}
            for i in range(20):
                side = Side(peer, credit=100000)
                sides[side.id] = side
            for round in range(5):
                for side in sides.values():
                    side.tell(TEXT, b'%d of %d' % (round, side.id))
            fetch = peer.receive()
            while fetch.type != 'FETCH':
                fetch = peer.receive()
            peer.respond(fetch.id, b'z' * 1000)
            while sum(len(side.heard) for side in sides.values()) < 20:
                frame = peer.receive()
                if frame.id:
                    sides[frame.id].take(frame)
            for side in sides.values():
                assert side.heard == [dict(kind=TEXT, data=b'from-%d' % (side.id - 1))], side.heard
                side.done()
        probe = self.pair(serve)
        for tag in range(20):
            probe.ws(tag=tag)
        self.text(probe.do('recv', tag=7), '0 of 8')
        self.assertEqual(probe.do('fetch', url='https://origin.test/').words[1], '1000')
        for tag in range(19, -1, -1):
            probe.do('send', tag=tag, text='from-%d' % tag)
        for tag in range(20):
            start = 1 if tag == 7 else 0
            for round in range(start, 5):
                self.text(probe.do('recv', tag=tag), '%d of %d' % (round, tag + 1))
            self.assertEqual(probe.do('recv', tag=tag).result, CLOSED)

    def test_events_and_waiting_live_side_by_side(self):
        def serve(peer):
            events, waited = Side(peer), Side(peer)
            for i in range(10):
                events.tell(TEXT, b'e%d ' % i, more=True)
                events.tell(TEXT, b'end')
                waited.tell(TEXT, b'w%d ' % i, more=True)
                waited.tell(TEXT, b'end')
        probe = self.pair(serve)
        probe.do('start', tag=1, url=URL)
        probe.ws(tag=2)
        for i in range(5):
            self.text(probe.do('recv', tag=2), 'w%d end' % i)
        events = probe.events(until='MESSAGE', count=10)
        self.assertEqual([e['data'] for e in events[1:]], ['e%d end' % i for i in range(10)])
        for i in range(5, 10):
            self.text(probe.do('recv', tag=2), 'w%d end' % i)


class Violations(TestCase):
    def violation(self, serve, **options):
        probe = self.pair(serve)
        probe.do('start', url=URL, **options)
        events = probe.events(dones=1)
        self.assertEqual(events[-1]['error'], 'protocol.violation', events)

    def test_before_the_response(self):
        def serve(peer):
            peer.send('MESSAGE', peer.expect('FETCH').id, dict(kind=TEXT))
        self.violation(serve)

    def test_an_unknown_kind(self):
        for kind in (0, 3, 7, 11, 15):
            with self.subTest(kind=kind):
                self.violation(lambda peer: Side(peer).tell(kind))

    def test_a_ping_in_pieces_or_too_long(self):
        self.violation(lambda peer: Side(peer).tell(PING, more=True))
        self.violation(lambda peer: Side(peer).tell(PING, b'x' * 126))

    def test_a_message_that_changes_its_kind(self):
        def serve(peer):
            side = Side(peer)
            side.tell(TEXT, b'a', more=True)
            side.tell(BINARY, b'b')
        self.violation(serve)

    def test_beyond_the_credit(self):
        self.violation(lambda peer: Side(peer).tell(BINARY, b'x' * 937), window=1000)

    def test_for_a_plain_fetch(self):
        def serve(peer):
            fetch = peer.expect('FETCH')
            peer.send('RESPONSE', fetch.id, dict(status=200))
            peer.send('MESSAGE', fetch.id, dict(kind=TEXT))
        probe = self.pair(serve)
        probe.do('start', url='https://origin.test/')
        self.assertEqual(probe.events(dones=1)[-1]['error'], 'protocol.violation')

    def test_a_late_frame_of_a_closed_socket_is_ignored(self):
        def serve(peer):
            side = Side(peer)
            side.done()
            side.tell(TEXT, b'late')
            peer.send('FLUSHED', side.id, dict(token=1))
            peer.send('REOPEN', side.id)
            Side(peer).tell(TEXT, b'well')
        probe = self.pair(serve)
        probe.ws(tag=1)
        self.assertEqual(probe.do('recv', tag=1).result, CLOSED)
        probe.ws(tag=2)
        self.text(probe.do('recv', tag=2), 'well')


class ShortMemory(TestCase):
    """Whichever allocation fails, the library says so and never crashes or hangs."""

    def serve(self, peer):
        peer.welcome()
        side = Side(peer, credit=500000, protocol='x' * 2000)
        side.tell_large(BINARY, bytes(200000))
        while not side.heard or side.heard[-1]['kind'] != CLOSE:
            frame = peer.receive()
            if frame.type == 'CANCEL':
                side.fail('cancelled')
                break
            if frame.type == 'FLUSH':
                peer.send('FLUSHED', side.id, frame.body)
            else:
                side.take(frame)
        else:
            side.done(1000, 'bye')
        peer.until_gone()

    def fail_each(self, *commands):
        if paths.sanitized():
            self.skipTest('the sanitizer has its own allocator')
        ends = set()
        for number in range(1, 50):
            with FakeDaemon(self.serve) as daemon:
                text = '\n'.join(('open address=' + daemon.address, *commands, ''))
                env = dict(os.environ, SHORT_MEMORY_AT=str(number),
                           LD_PRELOAD=str(PROBE.parent / 'libshort_memory.so'))
                run = subprocess.run([str(PROBE)], input=text, stdout=subprocess.PIPE, env=env, text=True,
                                     timeout=18)                        # less than the probe waits for events
            self.assertIn(run.returncode, (0, 3), 'allocation %d' % number)
            ends.add('out_of_memory' in run.stdout)
        self.assertEqual(ends, {True, False}, 'none of the allocations, or all of them, failed')

    def test_waiting(self):
        self.fail_each('ws url=' + URL, 'recv', 'send size=200000 kind=2', 'flush ms=0', 'close code=1000',
                       'done')

    def test_events(self):
        self.fail_each('start url=' + URL, 'events until=MESSAGE', 'send size=2000 ms=0',
                       'close code=1000 ms=0', 'events dones=1')


class Documentation(TestCase):
    def test_the_example_in_the_header_compiles_and_runs(self):
        header = paths.TOP / 'client' / 'include' / 'fetchd' / 'client.h'
        text = header.read_text()
        example = re.search(r'(?m)^ \*     struct fetchd_options options = \{.*?wss:(?:.*\n)*?^ \*\n',
                            text).group(0)
        code = '\n'.join(line[3:] for line in example.splitlines()).replace('wss://example.com/feed', URL)
        folder = paths.folder('x')
        (folder / 'x.c').write_text('#include <fetchd/client.h>\n#include <stdio.h>\nint main(void)\n{\n'
                                    'struct fetchd_client *client = fetchd_open(NULL);\n' + code
                                    + '\nfetchd_close(client);\nreturn got == FETCHD_CLOSED ? 0 : 1;\n}\n')
        library = paths.BUILD / 'client'
        sanitize = ['-fsanitize=' + paths.sanitizer()] if paths.sanitized() else []
        subprocess.run(['cc', '-Wall', '-Wextra', '-Werror', *sanitize, '-I', str(header.parents[1]),
                        str(folder / 'x.c'), '-o', str(folder / 'x'), '-L', str(library), '-lfetchd',
                        '-Wl,-rpath,' + str(library)], check=True)

        def serve(peer):
            side = Side(peer, credit=1000)
            assert side.hear() == (TEXT, b'hello', 1)
            side.tell(TEXT, b'and good day')
            side.done()
        probe = self.pair(serve)
        run = subprocess.run([str(folder / 'x')], env={'FETCHD_ADDRESS': self.daemon.address},
                             capture_output=True, timeout=20)
        self.assertEqual((run.returncode, run.stdout), (0, b'and good day\n'), run.stderr)
        probe.do('release')


if __name__ == '__main__':
    tap.main()
