"""The native protocol, used and misused by a client that shares no code with ours."""
import os
import re
import socket
import struct
import time

import msgpack

from world import MIB, Closed, World, paths, proc, tap

from support.protocol import NAMES, STREAM_WINDOW, TYPES, encode


class Manners(World):
    def test_welcome_says_version_limits_and_instance(self):
        with self.fetchd.connect() as c, self.fetchd.connect() as d:
            self.assertEqual(c.welcome['version'], 1)
            self.assertLessEqual(c.welcome['version_min'], 1)
            self.assertTrue(c.welcome['instance'])
            self.assertEqual(c.welcome['instance'], d.welcome['instance'])
            self.assertEqual(c.welcome.get('frame_bytes', 1 << 20), 1 << 20)

    def test_a_later_version_of_a_client_is_understood(self):
        with self.fetchd.connect(hello=False) as c:
            c.send('HELLO', 0, dict(version_min=1, version_max=9, new_key={'a': [1, 2, {'b': None}]}))
            self.assertEqual(c.receive().body['version'], 1)

    def test_an_unknown_key_is_ignored(self):
        with self.fetchd.connect() as c:
            self.good(c.get(self.url('/1k'), brand_new=[1, {'x': 'y'}]), sha256=self.nginx.hashes['1k'])

    def test_a_required_feature_that_is_missing_is_refused_by_name(self):
        with self.fetchd.connect() as c:
            error = self.bad(c.get(self.url('/1k'), require=['time-travel']), 'request.unsupported')
            self.assertIn('time-travel', error['message'])
            self.good(c.get(self.url('/1k')))

    def test_a_feature_the_connection_requires_is_refused_by_name(self):
        with self.fetchd.connect(hello=False) as c:
            c.send('HELLO', 0, dict(version_min=1, version_max=1, require=['time-travel']))
            self.assertIn('time-travel', c.closed()['message'])

    def test_a_feature_that_is_there_may_be_required(self):
        with self.fetchd.connect() as c:
            features = c.welcome['features']
        with self.fetchd.connect(require=features) as c:
            self.good(c.get(self.url('/1k'), require=features))
            error = self.bad(c.get(self.url('/1k'), require=[*features, 'time-travel']), 'request.unsupported')
            self.assertIn('time-travel', error['message'])

    def test_ping_is_answered_with_its_token(self):
        with self.fetchd.connect() as c:
            for token in (0, 1, 2 ** 32, 2 ** 64 - 1):
                c.send('PING', 0, dict(token=token))
                self.assertEqual(c.receive()[::2], ('PONG', dict(token=token) if token else {}))

    def test_frames_may_come_byte_by_byte(self):
        with self.fetchd.connect() as c:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            for byte in encode('PING', 0, dict(token=77)):
                c.send_raw(bytes([byte]))
            self.assertEqual(c.receive().body['token'], 77)

    def test_many_frames_may_come_at_once(self):
        with self.fetchd.connect() as c:
            c.send_raw(b''.join(encode('PING', 0, dict(token=i + 1)) for i in range(500)))
            self.assertEqual([c.receive().body['token'] for _ in range(500)], list(range(1, 501)))

    def test_ids_need_not_be_dense(self):
        with self.fetchd.connect() as c:
            for id in (5, 1000, 2 ** 31, 2 ** 32 - 1):
                c.next_id = id
                self.good(c.get(self.url('/1k')))

    def test_late_frames_for_a_closed_id_are_ignored(self):
        with self.fetchd.connect() as c:
            id = c.fetch(self.url('/1k'))
            self.good(c.finish(id))
            c.send('CANCEL', id)
            c.send('CREDIT', id, dict(bytes=100))
            c.ping(5)

    def test_status_says_who_works(self):
        with self.fetchd.connect() as c:
            status = c.status()
            self.assertEqual(status['pid'], self.fetchd.pid)
            self.assertEqual(status['state'], 'running')
            self.assertEqual(sorted(w['worker'] for w in status['workers']), [1, 2])
            self.assertEqual(sorted(w['pid'] for w in status['workers']), proc.children(self.fetchd.pid))

    def test_instance_changes_with_each_start(self):
        with self.make() as other, other.connect() as c, self.fetchd.connect() as d:
            self.assertNotEqual(c.welcome['instance'], d.welcome['instance'])

    def test_the_server_can_be_told_by_the_kernel(self):
        with self.fetchd.connect() as c:
            self.assertEqual(c.peer_pid(), self.fetchd.pid)


# What a client may not do -> a word of the ERROR it is sent.
HELLO = encode('HELLO', 0, dict(version_min=1, version_max=1))
URL = dict(url='https://localhost:1/')
BEFORE_HELLO = {
    'fetch_before_hello': encode('FETCH', 1, URL),
    'ping_before_hello': encode('PING', 0, {}),
    'garbage_before_hello': b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' + b'x' * (1 << 16),
    'oversized_hello': struct.pack('>I', (1 << 20) + 1),
    'largest_length': b'\xff\xff\xff\xff',
    'hello_without_version': encode('HELLO', 0, {}),
    'hello_with_an_id': encode('HELLO', 1, dict(version_min=1, version_max=1)),
    'versions_of_the_future': encode('HELLO', 0, dict(version_min=7, version_max=9)),
    'versions_the_wrong_way_round': encode('HELLO', 0, dict(version_min=9, version_max=7)),
}
AFTER_HELLO = {
    'hello_twice': HELLO,
    'id_used_twice': encode('STATUS', 5, {}) * 2,
    'ids_that_shrink': encode('STATUS', 5, {}) + encode('STATUS', 4, {}),
    'fetch_with_id_0': encode('FETCH', 0, URL),
    'ping_with_an_id': encode('PING', 1, {}),
    'oversized_frame': struct.pack('>I', (1 << 20) + 1) + b'x' * 100,
    'largest_length': b'\xff\xff\xff\xff',
    'an_empty_frame': struct.pack('>I', 0),
    'not_an_array': struct.pack('>I', 1) + b'\x80',
    'an_array_of_two': struct.pack('>I', 3) + b'\x92\x03\x00',
    'an_array_of_four': struct.pack('>I', 5) + b'\x94\x03\x00\x80\x80',
    'bytes_behind_the_body': struct.pack('>I', 5) + b'\x93\x03\x00\x80\x80',
    'no_msgpack': struct.pack('>I', 4) + b'\x93\x03\x00\xc1',
    'a_map_bomb': struct.pack('>I', 9) + b'\x93\x10\x01\xdf\xff\xff\xff\xff\x00',
    'an_array_bomb': struct.pack('>I', 9) + b'\x93\x10\x01\xdd\xff\xff\xff\xff\x00',
    'a_string_longer_than_the_frame': struct.pack('>I', 13) + b'\x93\x10\x01\x81\xa3url\xdb\x7f\xff\xff\xff',
    'too_deep': struct.pack('>I', 203) + b'\x93\x10\x01' + b'\x91' * 199 + b'\xc0',
    'ext': struct.pack('>I', 11) + b'\x93\x10\x01\x81\xa3url\xd4\x01x',
    'an_unknown_message': encode(77, 0, {}),
    'a_message_of_the_daemon': encode('WELCOME', 0, dict(version=1, version_min=1, version_max=1)),
    'a_message_of_a_worker': encode('BEAT', 0, {}),
    'a_message_to_a_worker': encode('GO', 1, {}),
    'settings': encode('SETTINGS', 0, dict(build='x', worker=1)),
    'a_fetch_without_url': encode('FETCH', 1, {}),
    'a_url_that_is_a_number': encode('FETCH', 1, dict(url=7)),
    'a_url_that_is_binary': encode('FETCH', 1, dict(url=b'https://localhost/')),
    'a_url_that_is_not_utf8': struct.pack('>I', 13) + b'\x93\x10\x01\x81\xa3url\xa4\xff\xfe\xfd\xfc',
    'a_url_above_its_limit': encode('FETCH', 1, dict(url='https://a/' + 'x' * 40000)),
    'too_many_headers': encode('FETCH', 1, dict(URL, headers=[['a', 'b']] * 257)),
    'a_header_of_three': encode('FETCH', 1, dict(URL, headers=[['a', 'b', 'c']])),
    'a_negative_number': encode('FETCH', 1, dict(URL, max_redirects=-1)),
    'a_number_above_its_limit': encode('FETCH', 1, dict(URL, window=1 << 40)),
    'a_float': encode('FETCH', 1, dict(URL, total_timeout_ms=1.5)),
    'a_key_twice': struct.pack('>I', 14) + b'\x93\x10\x01\x82\xa3url\xa1a\xa3url\xa1b',
    'credit_above_the_limit': encode('CREDIT', 0, dict(bytes=1 << 31)),
    'credit_that_overflows': encode('CREDIT', 0, dict(bytes=1 << 30)) * 4,
    'credit_for_a_request_never_opened': encode('CREDIT', 9, dict(bytes=1)),
    'data_for_a_request_never_opened': encode('DATA', 9, b'x'),
    'data_that_is_no_bin': encode('DATA', 9, {}),
    'cancel_of_a_request_never_opened': encode('CANCEL', 9, {}),
}


class Misuse(World):
    """The session ends with an ERROR that says why; the daemon and everybody else go on."""

    def misuse(self, raw, hello):
        with self.fetchd.connect() as neighbour:
            held = neighbour.fetch(self.url('/hold/misuse', 'h1'))
            with self.fetchd.connect(hello=hello) as c:
                try:
                    c.send_raw(raw)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                error = c.closed()
            self.assertIsNotNone(error, 'the connection ended without a word')
            self.assertIn(error['name'], ('protocol.violation', 'protocol.version'))
            self.assertTrue(error.get('message'), error)
            self.good(neighbour.get(self.url('/1k')))
            neighbour.send('CANCEL', held)
            self.bad(neighbour.finish(held), 'cancelled')

    def test_an_id_open_is_not_opened_again(self):
        with self.fetchd.connect() as c:
            id = c.fetch(self.url('/hold/twice', 'h1'))
            c.send('FETCH', id, URL)
            self.assertEqual(c.closed()['name'], 'protocol.violation')

    def test_data_without_body_streamed(self):
        with self.fetchd.connect() as c:
            id = c.fetch(self.url('/hold/body', 'h1'))
            c.send('DATA', id, b'x')
            self.assertEqual(c.closed()['name'], 'protocol.violation')

    def test_data_beyond_credit(self):
        with self.fetchd.connect() as c:
            id = c.fetch(self.url('/hold/beyond', 'h1'), method='PUT', body_streamed=True)
            for _ in range(40):
                try:
                    c.send('DATA', id, b'x' * 65536)
                except (BrokenPipeError, ConnectionResetError):
                    break
            self.assertEqual(c.closed()['name'], 'protocol.violation')

    def test_credit_that_overflows_a_stream(self):
        with self.fetchd.connect() as c:
            id = c.fetch(self.url('/hold/overflow', 'h1'))
            try:
                for _ in range(4):
                    c.send('CREDIT', id, dict(bytes=1 << 30))
            except (BrokenPipeError, ConnectionResetError):
                pass
            self.assertEqual(c.closed()['name'], 'protocol.violation')

    def test_rewind_nobody_asked_for(self):
        with self.fetchd.connect() as c:
            id = c.fetch(self.url('/hold/rewind', 'h1'), method='PUT', body_streamed=True)
            c.send('REWIND', id)
            self.assertEqual(c.closed()['name'], 'protocol.violation')

    def test_random_bytes_a_thousand_times(self):
        seed = struct.unpack('>I', os.urandom(4))[0]
        import random
        dice = random.Random(seed)
        pid = self.fetchd.pid
        for i in range(1000):
            raw = bytearray(HELLO + encode('FETCH', 1, dict(URL, headers=[['a', 'b']])) + encode('CREDIT', 1, dict(bytes=9)))
            for _ in range(dice.randrange(1, 8)):
                raw[dice.randrange(len(raw))] = dice.randrange(256)
            with self.fetchd.connect(hello=False) as c:
                try:
                    c.send_raw(bytes(raw))
                    c.socket.shutdown(socket.SHUT_WR)
                    while c.socket.recv(65536):
                        pass
                except (BrokenPipeError, ConnectionResetError):
                    pass
        self.assertEqual(self.fetchd.status()['pid'], pid, 'seed %d' % seed)
        with self.fetchd.connect() as c:
            self.good(c.get(self.url('/1k')))


for name, raw in BEFORE_HELLO.items():
    setattr(Misuse, 'test_%s_ends_the_session' % name, lambda self, raw=raw: self.misuse(raw, hello=False))
for name, raw in AFTER_HELLO.items():
    setattr(Misuse, 'test_%s_after_hello_ends_the_session' % name, lambda self, raw=raw: self.misuse(raw, hello=True))


class Patience(World):
    settings = {'daemon.handshake_timeout': '1s', 'limits.backlog': '64KiB'}

    def test_a_client_that_says_nothing_is_closed(self):
        with self.fetchd.connect(hello=False) as c:
            error = c.closed()
            self.assertIn('handshake_timeout', error['message'])

    def test_a_frame_that_stays_half_sent_is_closed(self):
        with self.fetchd.connect() as c:
            c.send_raw(encode('PING', 0, dict(token=1))[:-1])
            self.assertIn('handshake_timeout', c.closed()['message'])

    def test_a_frame_that_comes_drop_by_drop_is_closed(self):
        with self.fetchd.connect() as c:
            with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                c.send_raw(struct.pack('>I', 1 << 19))
                while True:
                    c.send_raw(b'\x00')
                    time.sleep(0.05)

    def test_an_idle_connection_is_left_in_peace(self):
        with self.fetchd.connect() as c:
            time.sleep(3)
            c.ping(1)

    def test_pings_without_reading_pile_up_nowhere(self):
        before = proc.rss_bytes(self.fetchd.pid)
        with self.fetchd.connect() as c:
            c.socket.settimeout(3)
            raw, sent = encode('PING', 0, dict(token=1)) * 1000, 0
            try:
                while sent < 256 * MIB:
                    sent += c.socket.send(raw)
            except (TimeoutError, BrokenPipeError, ConnectionResetError):
                pass
            self.assertLess(sent, 64 * MIB, 'the daemon read on although nobody takes its answers')
            with self.fetchd.connect() as other:
                self.good(other.get(self.url('/1k')))
            if not paths.sanitized():
                self.assertLess(proc.rss_bytes(self.fetchd.pid) - before, 8 * MIB)

    def test_status_without_reading_piles_up_nowhere(self):
        before = proc.rss_bytes(self.fetchd.pid)
        with self.fetchd.connect() as c:
            c.socket.settimeout(3)
            id = 0
            try:
                while id < 400000:
                    raw = b''.join(encode('STATUS', id + i + 1, {}) for i in range(1000))
                    c.socket.sendall(raw)
                    id += 1000
            except (TimeoutError, BrokenPipeError, ConnectionResetError):
                pass
            self.assertLess(id, 400000)
            with self.fetchd.connect() as other:
                self.good(other.get(self.url('/1k')))
            if not paths.sanitized():
                self.assertLess(proc.rss_bytes(self.fetchd.pid) - before, 16 * MIB)


class Limits(World):
    settings = {'daemon.sessions': '5', 'daemon.streams': '10', 'limits.requests': '15'}

    def test_too_many_connections_are_told_so(self):
        open_ones = [self.fetchd.connect() for _ in range(5)]
        with self.fetchd.connect(hello=False) as c:
            error = c.closed()
            self.assertEqual(error['name'], 'overloaded')
            self.assertIn('sessions', error['message'])
        for one in open_ones:
            one.ping(1)
            one.close()
        proc.until(lambda: self.takes_one(), what='room for a connection')

    def takes_one(self):
        try:
            with self.fetchd.connect():
                return True
        except Closed:
            return False

    def test_too_many_requests_on_a_connection_are_overloaded(self):
        with self.fetchd.connect() as c:
            self.assertEqual(c.welcome['streams'], 10)
            held = [c.fetch(self.url('/hold/streams', 'h1')) for _ in range(10)]
            self.backend.until_waiting('streams', 10)
            error = self.bad(c.get(self.url('/1k')), 'overloaded')
            self.assertTrue(error['retryable'])
            self.backend.release('streams')
            for id in held:
                self.good(c.finish(id))
            self.good(c.get(self.url('/1k')))

    def test_too_many_requests_in_all_are_overloaded(self):
        with self.fetchd.connect() as c, self.fetchd.connect() as d:
            held = [c.fetch(self.url('/hold/all', 'h1')) for _ in range(8)]
            more = [d.fetch(self.url('/hold/all', 'h1')) for _ in range(7)]
            self.backend.until_waiting('all', 15)
            self.bad(d.get(self.url('/1k')), 'overloaded')
            self.backend.release('all')
            for id in held:
                self.good(c.finish(id))
            for id in more:
                self.good(d.finish(id))

    def test_fetchctl_ends_with_111(self):
        with self.fetchd.connect() as c, self.fetchd.connect() as d:
            ids = [(s, s.fetch(self.url('/hold/ctl', 'h1'))) for s in (c, d) for _ in range(8)][:15]
            self.backend.until_waiting('ctl', 15)
            self.assertEqual(self.ctl('get', self.url('/1k')).returncode, 111)
            self.backend.release('ctl')
            for session, id in ids:
                self.good(session.finish(id))


class Document(World):
    """ipc/README.md is the protocol: what it shows must be what is spoken."""
    own_daemon = True

    @classmethod
    def setUpClass(cls):
        cls.fetchd = None
        cls.text = (paths.TOP / 'ipc/README.md').read_text()

    def dumps(self):
        """Bytes of each hexdump in a code block: groups of hex digits, with or without offset and text."""
        for block in re.findall(r'```[a-z]*\n(.*?)```', self.text, re.S):
            data = bytearray()
            for line in block.splitlines():
                line = re.sub(r'^\s*[0-9a-f]{4,8}[: ] ?(?=[0-9a-f]{2} )', '', line)
                match = re.match(r'\s*((?:[0-9a-f]{2}\s+)*[0-9a-f]{2})(?=\s{2,}|\s*$)', line)
                if match:
                    data += bytes.fromhex(match.group(1))
            if len(data) >= 8:
                yield bytes(data)

    def test_every_hexdump_is_whole_frames_of_known_messages(self):
        seen = []
        for data in self.dumps():
            while data:
                length = struct.unpack('>I', data[:4])[0]
                self.assertLessEqual(4 + length, len(data), 'a dump is cut short: %s' % data.hex())
                kind, id, body = msgpack.unpackb(data[4:4 + length], raw=False)
                self.assertIn(kind, NAMES)
                self.assertIsInstance(id, int)
                self.assertIsInstance(body, bytes if NAMES[kind] == 'DATA' else dict)
                seen.append(NAMES[kind])
                data = data[4 + length:]
        self.assertGreaterEqual(len(seen), 5, seen)
        self.assertIn('HELLO', seen)
        self.assertIn('FETCH', seen)

    def test_every_message_is_named_with_its_number(self):
        table = re.findall(r'^MESSAGE\((\w+), \w+, (\d+),', (paths.TOP / 'ipc/messages.def').read_text(), re.M)
        self.assertGreater(len(table), 20)
        for name, number in table:
            self.assertRegex(self.text, r'\b%s\b' % name)
        ours = {name: str(number) for name, number in TYPES.items()}
        self.assertEqual({n: ours.get(n) for n, _ in table if n in ours}, {n: v for n, v in table if n in ours})

    def test_the_windows_are_those_the_document_names(self):
        self.assertEqual(STREAM_WINDOW, 262144)
        self.assertRegex(self.text, r'256 KiB')
        self.assertRegex(self.text, r'16 MiB')


if __name__ == '__main__':
    tap.main()
