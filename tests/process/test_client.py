"""libfetchd, by a probe that follows commands, beside a daemon that lies, floods, truncates and dies."""
import os
import pwd
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from support import paths, tap  # noqa: E402
from support.protocol import CHARGE, encode  # noqa: E402
from fake_daemon import FakeDaemon, Gone  # noqa: E402

PROBE = paths.BUILD / 'client' / 'client_probe'
URL = 'https://origin.test/x'
MIB = 1 << 20


class Line:
    """One line of the probe: its first word, and what follows."""

    def __init__(self, text):
        self.text = text
        self.words = text.rstrip('\n').split('\t')
        self.kind = self.words[0]
        self.fields = dict(w.split('=', 1) for w in self.words[1:] if '=' in w)
        self.headers = [tuple(w.split(': ', 1)) for w in self.words[1:] if ': ' in w and '=' not in w.split(': ')[0]]

    def __getitem__(self, name):
        return self.fields.get(name)

    def __repr__(self):
        return self.text


class Probe:
    def __init__(self, address=None, env=None):
        self.process = subprocess.Popen([str(PROBE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, **(env or {})), errors='surrogateescape')
        self.do('open', **({'address': address} if address else {}))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        code = self.process.wait(20)
        if kind is None:
            assert code == 0, 'the probe exited with %d' % code

    def say(self, command, **values):
        line = ' '.join([command] + ['%s=%s' % pair for pair in values.items()])
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()

    def hear(self, last):
        """Lines up to the one of that kind."""
        lines = []
        while not lines or lines[-1].kind != last:
            text = self.process.stdout.readline()
            assert text, 'the probe ended after %r' % lines
            lines.append(Line(text))
        return lines

    def do(self, command, **values):
        """The line that answers the command."""
        self.say(command, **values)
        return self.hear(command)[-1]

    def events(self, command='events', **values):
        self.say(command, **values)
        return self.hear(command)[:-1]

    def start(self, *tags, **values):
        for tag in tags:
            line = self.do('start', tag=tag, **dict(dict(url=URL), **values))
            assert len(line.words) == 2, line


def names(events):
    return [event.words[1] for event in events if event.words[1] not in ('CONNECTED', 'DRAINING', 'LOST')]


def dones(events):
    return [event for event in events if event.words[1] == 'DONE']


class TestCase(unittest.TestCase):
    def pair(self, serve, **more):
        daemon = FakeDaemon(serve, **more)
        daemon.__enter__()
        probe = Probe(daemon.address)
        self.addCleanup(daemon.__exit__, None)
        self.addCleanup(probe.__exit__, None)
        return daemon, probe

    def lost(self, events, name, count):
        """Exactly one DONE for each, with that error."""
        found = dones(events)
        self.assertEqual([d['error'] for d in found], [name] * count, events)
        self.assertEqual(len({d.words[2] for d in found}), count, events)


class Requests(TestCase):
    def test_events_come_in_their_order(self):
        def serve(peer):
            hello = peer.welcome()
            assert hello.body['client'] == 'probe/1', hello
            fetch = peer.expect('FETCH')
            assert fetch.body == {'url': URL}, fetch
            peer.send('HOP', fetch.id, dict(status=302, url='https://b.test/', http_version='2', headers=[['A', 'b']]))
            peer.respond(fetch.id, b'x' * 1000, url='https://b.test/', headers=[['X-One', '1'], ['x-one', '2']])
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        events = probe.events(dones=1)
        self.assertEqual(names(events), ['HOP', 'RESPONSE', 'DONE'])
        hop, response, done = events[-3:]
        self.assertEqual((hop['status'], hop['url'], hop['version']), ('302', 'https://b.test/', '2'))
        self.assertEqual(response.headers, [('X-One', '1'), ('x-one', '2')])
        self.assertEqual((done['bytes'], done['worker'], done['attempts'], done['error']), ('1000', '3', '1', None))
        self.assertEqual(done['remote'], '127.0.0.1:443')

    def test_what_a_request_can_say(self):
        def serve(peer):
            peer.welcome()
            fetch = peer.expect('FETCH')
            assert fetch.body == dict(url=URL + '?x=1&a+b=c%26d&alone&%C3%A4=#end', max_header_bytes=4096,
                                      headers=[[b'X-One', b'1'], [b'Accept', None], [b'X-Empty', b'']],
                                      expect_timeout_ms=250, redirect_https_only=True), fetch
            peer.respond(fetch.id, b'ok')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, url=URL + '?x=1#end', decorated=1, expect=250, https_only=1, max_headers=4096)
        self.assertIsNone(probe.events(dones=1)[-1]['error'])

    def test_what_done_tells(self):
        def serve(peer):
            peer.welcome()
            more = dict(raw_body_bytes=7, complete=True, queue_us=5, redirect_us=6, sent_us=8,
                        trailers=[[b'X-Sum', b'1'], [b'x-empty', b'']])
            peer.respond(peer.expect('FETCH').id, b'decoded', done=more)
            peer.respond(peer.expect('FETCH').id, b'')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        done = probe.events(dones=1)[-1]
        self.assertEqual([done[name] for name in ('raw', 'complete', 'queue', 'redirect', 'sent')], ['7', '1', '5', '6', '8'])
        self.assertEqual(done.headers, [('X-Sum', '1'), ('x-empty', '')])
        probe.start(2)
        done = probe.events(dones=1)[-1]
        self.assertEqual((done['complete'], done.headers), ('0', []))

    def test_an_error_arrives_whole(self):
        def serve(peer):
            peer.welcome()
            peer.fail(peer.expect('FETCH').id, 'dns.failed', phase='dns', retryable=True, curl_code=6,
                      curl_name='CURLE_COULDNT_RESOLVE_HOST', worker=2)
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        done = dones(probe.events(dones=1))[0]
        self.assertEqual((done['error'], done['exit'], done['phase'], done['retryable'], done['curl'], done['message']),
                         ('dns.failed', '6', 'dns', '1', '6 CURLE_COULDNT_RESOLVE_HOST', 'it was dns.failed'))

    def test_a_name_that_this_version_lacks_is_passed_on(self):
        def serve(peer):
            peer.welcome()
            peer.fail(peer.expect('FETCH').id, 'moon.phase')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        done = dones(probe.events(dones=1))[0]
        self.assertEqual((done['error'], done['exit']), ('moon.phase', '2'))

    def test_five_hundred_at_once_over_one_descriptor(self):
        def serve(peer):
            peer.welcome()
            ids = [peer.expect('FETCH').id for _ in range(500)]
            for id in reversed(ids):
                peer.respond(id, b'y' * 100)
            peer.until_gone()
        _, probe = self.pair(serve)
        for tag in range(500):
            probe.say('start', tag=tag % 64, url=URL)
        for _ in range(500):
            probe.hear('start')
        found = dones(probe.events('poll', dones=500))
        self.assertEqual([d['error'] for d in found], [None] * 500)

    def test_a_cancelled_request_still_gets_its_done(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            assert peer.expect('CANCEL').id == id
            peer.fail(id, 'cancelled')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        probe.do('cancel', tag=1)
        self.lost(probe.events(dones=1), 'cancelled', 1)

    def test_a_released_request_is_cancelled_and_heard_no_more(self):
        def serve(peer):
            peer.welcome()
            first = peer.expect('FETCH').id
            second = peer.expect('FETCH').id
            assert peer.expect('CANCEL').id == first
            peer.respond(first, b'late')
            peer.respond(second, b'good')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, 2)
        probe.do('release', tag=1)
        events = probe.events(dones=1)
        self.assertEqual([(e.words[1], e.words[2]) for e in events if e.words[2] != '0'],
                         [('RESPONSE', '2'), ('DONE', '2')])

    def test_what_comes_late_costs_the_connection_nothing(self):
        """DATA for released requests, taken or kept or unread, gives its credit back."""
        def serve(peer):
            peer.welcome()
            for _ in range(120):                        # 120 x 256 KiB is almost twice the window
                id = peer.expect('FETCH').id
                peer.send('RESPONSE', id, dict(status=200))
                for _ in range(3):
                    peer.spend(id, 65536)
                    peer.send('DATA', id, b'z' * 65536)
                assert peer.expect('CANCEL').id == id
                while peer.credit[0] < 1 << 20:
                    peer.receive()
            peer.respond(peer.expect('FETCH').id, b'end')
            peer.until_gone()
        _, probe = self.pair(serve)
        for turn in range(120):
            probe.start(1)
            if turn % 3 == 0:
                probe.do('response', tag=1)
            elif turn % 3 == 1:
                probe.do('read', tag=1, size=10)
            probe.do('release', tag=1)
        line = probe.do('fetch', url=URL)
        self.assertEqual(line['body'], 'end')

    def test_options_out_of_range_are_refused_before_they_reach_the_daemon(self):
        daemon, probe = self.pair(lambda peer: (peer.welcome(), peer.until_gone()))
        long_url = 'https://origin.test/' + 'a' * 33000
        line = probe.do('start', tag=1, url=long_url)
        self.assertEqual((line.words[1], line['error'], line['exit']), ('failed', 'request.invalid', '3'))
        line = probe.do('start', tag=1, url='https://origin.test/\udcff')
        self.assertEqual((line.words[1], line['error']), ('failed', 'request.invalid'))
        line = probe.do('start', tag=1)
        self.assertEqual((line.words[1], line['message']), ('failed', 'options.url is not set'))
        self.assertEqual(daemon.connections, 0)


class Credit(TestCase):
    def test_a_long_body_flows_as_it_is_taken(self):
        body = bytes(range(256)) * (20 * MIB // 256)
        def serve(peer):
            peer.welcome()
            peer.respond(peer.expect('FETCH').id, body)
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        done = dones(probe.events(dones=1))[0]
        self.assertEqual((done['bytes'], done['error']), (str(len(body)), None))

    def test_a_paused_request_costs_its_window_and_others_go_on(self):
        sent = {}
        def serve(peer):
            peer.welcome()
            first = peer.expect('FETCH').id
            second = peer.expect('FETCH').id
            peer.send('RESPONSE', first, dict(status=200))
            sent['at'] = time.monotonic()
            total = 0
            while peer.credit[first] > CHARGE:
                size = min(peer.credit[first] - CHARGE, 65536)
                peer.spend(first, size)
                peer.send('DATA', first, b'p' * size)
                total += size
            peer.respond(second, b'q' * 600000)
            sent['paused'] = peer.granted[first]
            while peer.granted[first] == 0:
                peer.receive()
            peer.data(first, b'p' * 500000)
            peer.done(first, body_bytes=total + 500000)
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, 2)
        probe.do('pause', tag=1, on=1)
        events = probe.events(dones=1)
        self.assertEqual([d.words[2] for d in dones(events)], ['2'])
        self.assertEqual(sent['paused'], 0)
        probe.do('pause', tag=1, on=0)
        done = dones(probe.events(dones=1))[0]
        self.assertEqual((done.words[2], done['error']), ('1', None))

    def test_data_beyond_the_window_of_a_request_ends_the_connection(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.send('RESPONSE', id, dict(status=200))
            for _ in range(3):
                peer.send('DATA', id, b'o' * 65536)
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, window=100000)
        probe.do('pause', tag=1, on=1)
        self.lost(probe.events(dones=1), 'protocol.violation', 1)

    def test_a_small_window_lets_a_long_body_through(self):
        def serve(peer):
            peer.welcome()
            peer.respond(peer.expect('FETCH').id, b's' * 300000)
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, window=1000)
        self.assertEqual(dones(probe.events(dones=1))[0]['bytes'], '300000')


class Waiting(TestCase):
    """The calls that wait."""

    def serve_two(self, peer):
        peer.welcome()
        first, second = peer.expect('FETCH').id, peer.expect('FETCH').id
        for id in (first, second):
            peer.send('RESPONSE', id, dict(status=200 + id, headers=[['Id', str(id)]]))
        for piece in range(5):
            peer.data(second, b'2' * 30000)
            peer.data(first, b'1' * 20000)
        for id, size in ((second, 150000), (first, 100000)):
            peer.done(id, body_bytes=size)
        peer.until_gone()

    def test_two_streams_are_read_one_after_the_other_and_in_turns(self):
        _, probe = self.pair(self.serve_two)
        probe.start(1, 2)
        response = probe.do('response', tag=1)
        self.assertEqual((response['status'], response.headers), ('201', [('Id', '1')]))
        self.assertEqual(probe.do('read', tag=1, size=10).words[:3], ['read', '10', '1111111111'])
        self.assertEqual(probe.do('read', tag=2, size=7).words[:3], ['read', '7', '2222222'])
        first = probe.do('drain', tag=1, size=4096)
        self.assertEqual((first.words[1], first['bytes']), ('0', '99990'))
        second = probe.do('drain', tag=2, size=100000)
        self.assertEqual((second.words[1], second['bytes']), ('0', '149993'))
        self.assertEqual(probe.do('response', tag=2)['status'], '202')
        self.assertEqual(probe.do('done', tag=2)['total'], '150000')
        self.assertEqual(probe.do('read', tag=2, size=10).words[1], '0')

    def test_one_waits_while_the_other_has_events(self):
        _, probe = self.pair(self.serve_two)
        probe.start(1, 2)
        self.assertEqual(probe.do('drain', tag=2, size=65536)['bytes'], '150000')
        events = probe.events(dones=1)
        self.assertEqual([e.words[1:3] for e in events if e.words[2] != '0'], [['RESPONSE', '1'], ['DONE', '1']])
        self.assertEqual(dones(events)[0]['bytes'], '100000')

    def test_times_out_and_goes_on(self):
        go = threading.Event()
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            go.wait(20)
            peer.send('RESPONSE', id, dict(status=200))
            peer.data(id, b'abc')
            peer.expect('PING')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        self.assertEqual(probe.do('response', tag=1, ms=30).words[1], 'none')
        self.assertEqual(probe.do('read', tag=1, size=9, ms=30).words[1], '-2')
        self.assertEqual(probe.do('done', tag=1, ms=30).words[1], 'none')
        go.set()
        self.assertEqual(probe.do('read', tag=1, size=9).words[1:], ['3', 'abc'])
        self.assertEqual(probe.do('read', tag=1, size=9, ms=30).words[1], '-2')
        ping = probe.do('ping', ms=30)
        self.assertEqual((ping.words[1], ping['error']), ('failed', 'timeout.total'))

    def test_a_failure_is_not_the_end_of_a_body(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.send('RESPONSE', id, dict(status=200))
            peer.data(id, b'abc')
            peer.fail(id, 'body.truncated', phase='body')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        self.assertEqual(probe.do('read', tag=1, size=9).words[2], 'abc')
        line = probe.do('read', tag=1, size=9)
        self.assertEqual((line.words[1], line['error']), ('-1', 'body.truncated'))

    def test_a_whole_fetch(self):
        def serve(peer):
            peer.welcome()
            fetch = peer.expect('FETCH')
            assert fetch.body['max_body_bytes'] == 64 * MIB, fetch
            peer.respond(fetch.id, b'hello', headers=[['A', 'b']])
            peer.respond(peer.expect('FETCH').id, b'')
            peer.until_gone()
        _, probe = self.pair(serve)
        line = probe.do('fetch', url=URL)
        self.assertEqual((line.words[1], line['body'], line['status'], line['worker']), ('5', 'hello', '200', '3'))
        self.assertEqual(line.headers, [('A', 'b')])
        self.assertEqual(probe.do('fetch', url=URL).words[1], '0')

    def test_a_whole_fetch_keeps_to_its_limit_even_if_the_daemon_does_not(self):
        def serve(peer):
            peer.welcome()
            fetch = peer.expect('FETCH')
            assert fetch.body['max_body_bytes'] == 1000, fetch
            peer.send('RESPONSE', fetch.id, dict(status=200))
            peer.data(fetch.id, b'x' * 1001)
            assert peer.expect('CANCEL').id == fetch.id
            peer.until_gone()
        _, probe = self.pair(serve)
        line = probe.do('fetch', url=URL, max=1000)
        self.assertEqual((line.words[1], line['error']), ('failed', 'body.too_large'))

    def test_a_whole_fetch_that_takes_too_long_is_cancelled(self):
        cancelled = threading.Event()
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            assert peer.expect('CANCEL').id == id
            cancelled.set()
            peer.until_gone()
        _, probe = self.pair(serve)
        line = probe.do('fetch', url=URL, ms=50)
        self.assertEqual((line.words[1], line['error'], line['exit']), ('failed', 'timeout.total', '28'))
        self.assertTrue(cancelled.wait(20))

    def test_a_body_above_the_inline_limit_is_streamed_and_sent_again_on_demand(self):
        size, seen = 3 * MIB, []
        def serve(peer):
            peer.welcome()
            fetch = peer.expect('FETCH')
            assert fetch.body['body_streamed'] and fetch.body['rewindable'], fetch
            assert fetch.body['body_length'] == size and 'body' not in fetch.body
            seen.append(peer.body(fetch.id))
            peer.send('REWIND', fetch.id)
            assert peer.expect('REWIND').id == fetch.id
            seen.append(peer.body(fetch.id, 100000))
            peer.respond(fetch.id, b'thanks')
            peer.until_gone()
        _, probe = self.pair(serve)
        line = probe.do('fetch', url=URL, method='POST', size=size)
        self.assertEqual(line['body'], 'thanks')
        expected = (b'abcdefghijklmnopqrstuvwxyz' * (size // 26 + 1))[:size]
        self.assertEqual([s == expected for s in seen], [True, True])


class Uploads(TestCase):
    def test_nothing_is_written_without_credit(self):
        asked = threading.Event()
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            assert asked.wait(20)
            peer.send('CREDIT', id, dict(bytes=1000 + CHARGE))
            frame = peer.expect('DATA')
            assert len(frame.body) == 1000, len(frame.body)
            peer.send('CREDIT', id, dict(bytes=100000))
            rest = b''
            while len(rest) < 1000:
                rest += peer.expect('DATA').body
            assert peer.expect('DATA').body == b''
            peer.respond(id, b'')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, streamed=1, method='PUT')
        self.assertEqual(probe.do('write', tag=1, size=2000, ms=0).words[1], '0')
        self.assertEqual(probe.do('write', tag=1, size=2000, ms=40).words[1], '-2')
        asked.set()
        self.assertEqual(probe.do('write', tag=1, size=2000).words[1], '2000')
        self.assertEqual(probe.do('finish', tag=1).words[1], '0')
        self.assertEqual(probe.do('response', tag=1)['status'], '200')

    def test_writable_says_how_much_and_when(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.send('CREDIT', id, dict(bytes=500 + CHARGE))
            assert len(peer.expect('DATA').body) == 500
            peer.send('CREDIT', id, dict(bytes=200 + CHARGE))
            assert len(peer.expect('DATA').body) == 100
            assert peer.expect('DATA').body == b''
            peer.respond(id, b'')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, streamed=1)
        event = probe.events(until='WRITABLE')[-1]
        self.assertEqual(event['room'], '500')
        self.assertEqual(probe.do('write', tag=1, size=600, ms=0).words[1], '500')
        event = probe.events(until='WRITABLE')[-1]
        self.assertEqual(event['room'], '200')
        self.assertEqual(probe.do('write', tag=1, size=100, ms=0).words[1], '100')
        self.assertEqual(probe.do('finish', tag=1).words[1], '0')
        self.assertEqual(names(probe.events(dones=1))[-2:], ['RESPONSE', 'DONE'])

    def test_the_connection_s_credit_bounds_all_of_them_together(self):
        def serve(peer):
            peer.welcome(window=5000)
            first, second = peer.expect('FETCH').id, peer.expect('FETCH').id
            for id in (first, second):
                peer.send('CREDIT', id, dict(bytes=100000))
            total = 0
            while total < 5000 - 2 * CHARGE:
                frame = peer.expect('DATA')
                total += len(frame.body)
            assert total <= 5000, total
            peer.send('CREDIT', 0, dict(bytes=100000))
            while total < 8000:
                total += len(peer.expect('DATA').body)
            for id in (first, second):
                assert peer.expect('DATA').body == b''
            for id in (first, second):
                peer.respond(id, b'')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, 2, streamed=1)
        self.assertEqual(probe.do('write', tag=1, size=4000).words[1], '4000')
        self.assertEqual(probe.do('write', tag=2, size=4000).words[1], '4000')
        probe.do('finish', tag=1)
        probe.do('finish', tag=2)
        self.assertEqual(probe.do('done', tag=2).words[1], 'came')

    def test_an_empty_body_ends_before_any_credit(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            assert peer.expect('DATA').body == b''
            peer.respond(id, b'ok')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, streamed=1)
        self.assertEqual(probe.do('finish', tag=1).words[1], '0')
        self.assertEqual(probe.do('drain', tag=1, size=10)['bytes'], '2')

    def serve_rewind(self, peer):
        peer.welcome()
        id = peer.expect('FETCH').id
        peer.send('CREDIT', id, dict(bytes=10000))
        while len(peer.expect('DATA').body) > 0:
            pass
        peer.send('REWIND', id)
        while peer.receive().type != 'REWIND':      # DATA until then is of no use
            pass
        peer.send('CREDIT', id, dict(bytes=10000))
        body = b''
        while True:
            piece = peer.expect('DATA').body
            if not piece:
                break
            body += piece
        assert body == b'abcdefghij', body
        peer.respond(id, b'')
        peer.until_gone()

    def test_rewind_as_an_event(self):
        _, probe = self.pair(self.serve_rewind)
        probe.start(1, streamed=1, rewindable=1)
        probe.events(until='WRITABLE')
        probe.do('write', tag=1, size=10, ms=0)
        probe.do('finish', tag=1)
        self.assertEqual(names(probe.events(until='WRITABLE')), ['REWIND', 'WRITABLE'])
        probe.do('write', tag=1, size=10, ms=0)
        probe.do('finish', tag=1)
        self.assertEqual(dones(probe.events(dones=1))[0]['error'], None)

    def test_rewind_for_one_who_waits(self):
        _, probe = self.pair(self.serve_rewind)
        probe.start(1, streamed=1, rewindable=1)
        self.assertEqual(probe.do('write', tag=1, size=10).words[1], '10')
        self.assertEqual(probe.do('finish', tag=1).words[1], '0')
        self.assertEqual(probe.do('response', tag=1).words[1], 'none')
        self.assertEqual(probe.do('rewound', tag=1).words[1], '1')
        self.assertEqual(probe.do('rewound', tag=1).words[1], '0')
        self.assertEqual(probe.do('write', tag=1, size=10).words[1], '10')
        self.assertEqual(probe.do('finish', tag=1).words[1], '0')
        self.assertEqual(probe.do('response', tag=1).words[1], 'came')

    def test_rewind_in_the_middle_of_writing(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.send('CREDIT', id, dict(bytes=1000))
            peer.expect('DATA')
            peer.send('REWIND', id)
            while peer.receive().type != 'REWIND':
                pass
            body = peer.body(id)
            assert len(body) == 5000, len(body)
            peer.respond(id, b'')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, streamed=1, rewindable=1)
        self.assertEqual(probe.do('write', tag=1, size=5000).words[1], '-3')
        self.assertEqual(probe.do('write', tag=1, size=5000).words[1], '5000')
        probe.do('finish', tag=1)
        self.assertEqual(probe.do('done', tag=1)['error'], None)

    def test_a_rewind_that_can_t_be_is_a_violation(self):
        def serve(peer):
            peer.welcome()
            peer.send('REWIND', peer.expect('FETCH').id)
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, streamed=1)
        self.lost(probe.events(dones=1), 'protocol.violation', 1)

    def test_an_answer_before_the_end_of_the_body_ends_the_writing(self):
        def serve(peer):
            peer.welcome()
            peer.respond(peer.expect('FETCH').id, b'no', status=413)
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, streamed=1)
        self.assertEqual(probe.do('write', tag=1, size=5000).words[1], '-1')
        self.assertEqual(probe.do('response', tag=1)['status'], '413')
        self.assertEqual(probe.do('drain', tag=1, size=5).words[1], '0')


class Losses(TestCase):
    """Whatever the daemon does, each open request gets one DONE, and the next request connects."""

    def lose(self, break_it, name='daemon.lost', open_requests=5):
        def serve(peer):
            if peer.number > 1:
                peer.welcome()
                peer.respond(peer.expect('FETCH').id, b'again')
                peer.until_gone()
                return
            peer.welcome()
            ids = [peer.expect('FETCH').id for _ in range(open_requests)]
            break_it(peer, ids)
        daemon, probe = self.pair(serve)
        probe.start(*range(1, open_requests + 1))
        events = probe.events(dones=open_requests)
        self.lost(events, name, open_requests)
        self.assertEqual([e.words[1] for e in events].count('LOST'), 1)
        self.assertEqual(probe.do('fetch', url=URL)['body'], 'again')
        self.assertEqual(daemon.connections, 2)
        return events

    def test_it_closes(self):
        events = self.lose(lambda peer, ids: None)
        self.assertEqual({d['retryable'] for d in dones(events)}, {'1'})

    def test_it_dies_in_the_middle_of_an_answer(self):
        def break_it(peer, ids):
            for id in ids:
                peer.send('RESPONSE', id, dict(status=200))
                peer.data(id, b'half')
        events = self.lose(break_it)
        self.assertEqual({d['bytes'] for d in dones(events)}, {'4'})
        self.assertEqual({d['retryable'] for d in dones(events)}, {'0'})

    def test_it_dies_in_the_middle_of_a_frame(self):
        events = self.lose(lambda peer, ids: peer.send_raw(encode('RESPONSE', ids[0], dict(status=200))[:-1]))
        self.assertIn('in the middle of a message', dones(events)[0]['message'])

    def test_it_resets_with_frames_unread(self):
        def serve(peer):
            peer.welcome()
            peer.expect('FETCH')
        _, probe = self.pair(serve)
        probe.start(1, 2, 3, 4)
        self.lost(probe.events(dones=4), 'daemon.lost', 4)

    def test_it_says_why(self):
        def break_it(peer, ids):
            peer.send('ERROR', 0, dict(name='quota.exceeded', message='too much for today'))
        events = self.lose(break_it, 'quota.exceeded')
        self.assertIn('too much for today', dones(events)[0]['message'])

    def test_frames_that_must_not_be(self):
        """Each alone ends the connection, before anything of its size is allocated."""
        good = encode('RESPONSE', 1, dict(status=200))
        frames = {
            'longer than 1 MiB': struct.pack('>I', (1 << 20) + 1) + b'\x93',
            'as long as can be': struct.pack('>I', 0xffffffff),
            'empty': struct.pack('>I', 0),
            'no array': encode('RESPONSE', 1, {})[:4] + b'\x82' + encode('RESPONSE', 1, {})[5:],
            'not msgpack': struct.pack('>I', 4) + b'\x93\x11\x01\xc1',
            'an array of four billion': struct.pack('>I', 8) + b'\x93\x11\x01\xdd\xff\xff\xff\xff',
            'something behind': struct.pack('>I', len(good) - 3) + good[4:] + b'\x00',
            'an unknown message': encode(99, 1, {}),
            'a message of clients': encode('FETCH', 1, dict(url=URL)),
            'a message of workers': encode('SENDING', 1, {}),
            'without a required field': encode('RESPONSE', 1, {}),
            'a text for a number': encode('RESPONSE', 1, dict(status='200')),
            'a status of 1000': encode('RESPONSE', 1, dict(status=1000)),
            'a string that is not UTF-8': struct.pack('>I', 13) + b'\x93\x11\x01\x81\xa3url\xa4\xff\xff\xff\xff',
            'WELCOME twice': encode('WELCOME', 0, dict(version=1, version_min=1, version_max=1)),
            'for an id that nobody has': encode('RESPONSE', 77, dict(status=200)),
            'RESPONSE for the connection': encode('RESPONSE', 0, dict(status=200)),
            'GOAWAY for a request': encode('GOAWAY', 1, {}),
            'DATA before RESPONSE': encode('DATA', 1, b'x'),
            'DATA that is a map': good + encode('DATA', 1, {}),
            'DATA above 64 KiB': good + encode('DATA', 1, b'x' * 65537),
            'RESPONSE twice': good + good,
            'HOP after RESPONSE': good + encode('HOP', 1, dict(status=302, url='https://x/')),
            'too much credit': encode('CREDIT', 1, dict(bytes=1 << 30)) * 3,
            'too much credit of all': encode('CREDIT', 0, dict(bytes=1 << 30)) * 3,
        }
        for what, data in frames.items():
            with self.subTest(frame=what):
                self.lose(lambda peer, ids: (peer.send_raw(data), peer.until_gone()), 'protocol.violation')

    def test_something_before_welcome(self):
        def serve(peer):
            peer.expect('HELLO')
            peer.send('PING', 0, dict(token=1))
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        self.lost(probe.events(dones=1), 'protocol.violation', 1)

    def test_another_version(self):
        def refuse(peer):
            peer.expect('HELLO')
            peer.send('ERROR', 0, dict(name='protocol.version', message='this daemon speaks 7 to 9'))
        def choose(peer):
            peer.welcome(version=9)
            peer.until_gone()
        for serve, word in ((refuse, 'speaks 7 to 9'), (choose, 'protocol 9')):
            with self.subTest(serve=serve):
                _, probe = self.pair(serve)
                probe.start(1)
                done = dones(probe.events(dones=1))[0]
                self.assertEqual((done['error'], done['exit']), ('protocol.version', '2'))
                self.assertIn(word, done['message'])
                line = probe.do('fetch', url=URL)
                self.assertEqual((line.words[1], line['error']), ('failed', 'protocol.version'))

    def test_a_body_shorter_than_it_says_is_no_success(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.send('RESPONSE', id, dict(status=200))
            peer.data(id, b'1234')
            peer.done(id, body_bytes=5)
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        self.lost(probe.events(dones=1), 'body.truncated', 1)

    def test_what_follows_a_done_is_not_heard(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.respond(id, b'1')
            peer.respond(id, b'2')
            peer.send('HOP', id, dict(status=302, url='https://x/'))
            peer.respond(peer.expect('FETCH').id, b'good')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        self.assertEqual(names(probe.events(dones=1)), ['RESPONSE', 'DONE'])
        self.assertEqual(probe.do('fetch', url=URL)['body'], 'good')

    def test_unknown_keys_are_ignored(self):
        def serve(peer):
            peer.welcome(moon='full')
            peer.respond(peer.expect('FETCH').id, b'good', tide=[1, {'a': None}])
            peer.until_gone()
        _, probe = self.pair(serve)
        self.assertEqual(probe.do('fetch', url=URL)['body'], 'good')

    def test_it_dies_while_a_body_goes_up(self):
        def serve(peer):
            peer.welcome()
            peer.send('CREDIT', peer.expect('FETCH').id, dict(bytes=10 * MIB))
            for _ in range(3):
                peer.expect('DATA')
        _, probe = self.pair(serve)
        line = probe.do('fetch', url=URL, method='POST', size=8 * MIB)
        self.assertEqual((line.words[1], line['error'], line['retryable']), ('failed', 'daemon.lost', '0'))

    def test_it_dies_idle_and_the_next_request_does_not_notice(self):
        ended = threading.Event()
        def serve(peer):
            peer.welcome()
            peer.respond(peer.expect('FETCH').id, b'%d' % peer.number)
            if peer.number == 1:
                peer.socket.shutdown(socket.SHUT_RDWR)
                ended.set()
            else:
                peer.until_gone()
        _, probe = self.pair(serve)
        self.assertEqual(probe.do('fetch', url=URL)['body'], '1')
        self.assertTrue(ended.wait(20))
        self.assertEqual(probe.do('fetch', url=URL)['body'], '2')

    def test_the_descriptor_stays_the_same_over_a_loss(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            if peer.number > 1:
                peer.respond(id, b'')
                peer.until_gone()
        _, probe = self.pair(serve)
        before = probe.do('fd').words[1]
        probe.start(1)
        self.lost(probe.events('poll', dones=1), 'daemon.lost', 1)
        probe.start(2)
        self.assertEqual(dones(probe.events('poll', dones=1))[0]['error'], None)
        self.assertEqual(probe.do('fd').words[1], before)

    def test_the_child_of_a_fork_has_its_own_connection(self):
        go = threading.Event()
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            if peer.number == 1:
                assert go.wait(20)
                peer.respond(id, b'parent')
            else:
                peer.respond(id, b'child')
            peer.until_gone()
        daemon, probe = self.pair(serve)
        probe.start(1)
        self.assertEqual(probe.events(until='CONNECTED')[-1].words[1], 'CONNECTED')
        probe.say('fork', url=URL)
        lines = probe.hear('fork')
        self.assertEqual(lines[-1].words[1], '0')
        child = [line for line in lines if line.kind == 'event']
        self.assertEqual([e['error'] for e in child if e.words[1] == 'DONE'], ['daemon.lost'])
        self.assertEqual([line['body'] for line in lines if line.kind == 'fetch'], ['child'])
        go.set()
        done = dones(probe.events(dones=1))
        self.assertEqual([(d['error'], d['bytes']) for d in done], [(None, '6')])


class Floods(TestCase):
    def rss(self, probe):
        for line in Path('/proc/%d/status' % probe.process.pid).read_text().splitlines():
            if line.startswith('VmRSS'):
                return int(line.split()[1]) * 1024
        raise KeyError('VmRSS')

    def test_pings_are_answered_and_cost_no_memory(self):
        count = 100000
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            answered = threading.Thread(target=self.count_pongs, args=(peer, count), daemon=True)
            answered.start()
            for number in range(1, count + 1):
                peer.send('PING', 0, dict(token=number))
            answered.join(20)
            assert not answered.is_alive(), 'not every PING was answered'
            peer.respond(id, b'')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1)
        before = self.rss(probe)
        self.assertEqual(dones(probe.events(dones=1))[0]['error'], None)
        if not sanitized():
            self.assertLess(self.rss(probe) - before, 8 * MIB)

    def count_pongs(self, peer, count):
        for number in range(1, count + 1):
            assert peer.receive().body == dict(token=number)

    def test_a_daemon_that_reads_nothing_is_given_up(self):
        pings = b''.join(encode('PING', 0, dict(token=1 << 60)) for _ in range(10000))
        def serve(peer):
            peer.welcome()
            peer.expect('FETCH')
            while True:
                peer.send_raw(pings)
        _, probe = self.pair(serve)
        probe.start(1)
        before = self.rss(probe)
        done = dones(probe.events(dones=1))[0]
        self.assertEqual(done['error'], 'daemon.lost')
        self.assertIn('reads nothing', done['message'])
        if not sanitized():
            self.assertLess(self.rss(probe) - before, 80 * MIB)

    def test_hops_for_one_while_another_is_read_fail_only_that_one(self):
        headers = [['N%d' % n, 'v' * 4000] for n in range(100)]
        def serve(peer):
            peer.welcome()
            first, second = peer.expect('FETCH').id, peer.expect('FETCH').id
            for _ in range(60):
                peer.send('HOP', second, dict(status=302, url='https://x/', headers=headers))
            peer.respond(first, b'calm')
            peer.until_gone()
        _, probe = self.pair(serve)
        probe.start(1, 2)
        before = self.rss(probe)
        self.assertEqual(probe.do('drain', tag=1, size=100)['bytes'], '4')
        if not sanitized():
            self.assertLess(self.rss(probe) - before, 24 * MIB)
        self.lost(probe.events(dones=1), 'out_of_memory', 1)


class Draining(TestCase):
    def test_what_it_has_not_taken_can_be_asked_again_and_is(self):
        def serve(peer):
            peer.welcome()
            if peer.number > 1:
                peer.respond(peer.expect('FETCH').id, b'new')
                peer.until_gone()
                return
            first, second = peer.expect('FETCH').id, peer.expect('FETCH').id
            peer.send('GOAWAY', 0, dict(last_id=first, reason='upgrade'))
            assert second
            go.wait(20)
            peer.respond(first, b'old')
            peer.until_gone()
        go = threading.Event()
        daemon, probe = self.pair(serve)
        probe.start(1, 2)
        done = dones(probe.events(dones=1))[0]
        self.assertEqual((done.words[2], done['error'], done['retryable'], done['exit']), ('2', 'draining', '1', '111'))
        self.assertIn('upgrade', done['message'])
        line = probe.do('start', tag=3, url=URL)
        self.assertEqual((line.words[1], line['error'], line['retryable']), ('failed', 'draining', '1'))
        go.set()
        done = dones(probe.events(dones=1))[0]
        self.assertEqual((done.words[2], done['bytes'], done['error']), ('1', '3', None))
        self.assertEqual(probe.do('fetch', url=URL)['body'], 'new')
        self.assertEqual(daemon.connections, 2)


class Questions(TestCase):
    def test_ping_connect_and_who_it_is(self):
        def serve(peer):
            peer.welcome(features=['a', 'b'])
            while True:
                peer.send('PONG', 0, peer.expect('PING').body)
        daemon, probe = self.pair(serve)
        line = probe.do('connect')
        self.assertEqual(line.words[1:], [daemon.address, 'fake/1', 'i1', '1', '1000', 'features', 'a', 'b'])
        self.assertEqual(probe.do('ping').words[1], 'ok')

    def test_status_shows_every_field(self):
        import json
        def serve(peer):
            peer.welcome()
            id = peer.expect('STATUS').id
            peer.send('STATUS_REPLY', id, dict(server='f"\n', pid=7, workers=[dict(worker=1, state='ready', served=5)]))
            peer.until_gone()
        _, probe = self.pair(serve)
        status = json.loads(probe.do('status').words[1])
        self.assertEqual((status['server'], status['pid'], status['in_flight']), ('f"\n', 7, 0))
        self.assertEqual([(w['worker'], w['state'], w['served'], w['failed']) for w in status['workers']],
                         [(1, 'ready', 5, 0)])

    def test_a_refused_question_says_why(self):
        def serve(peer):
            peer.welcome()
            peer.send_raw(encode(38, peer.receive().id, dict(error=dict(name='access.denied', message='not you'))))
            peer.fail(peer.expect('STATUS').id, 'access.denied')
            peer.until_gone()
        _, probe = self.pair(serve)
        line = probe.do('reload')
        self.assertEqual((line.words[1], line['error'], line['message']), ('failed', 'access.denied', 'not you'))
        self.assertEqual(probe.do('status')['error'], 'access.denied')

    def test_a_question_to_a_daemon_that_dies_is_answered(self):
        _, probe = self.pair(lambda peer: (peer.welcome(), peer.receive()))
        self.assertEqual(probe.do('status')['error'], 'daemon.lost')


class Example(TestCase):
    """The program in the header's comment."""

    def run_with(self, address):
        return subprocess.run([str(PROBE.parent / 'client_example'), URL], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=dict(os.environ, FETCHD_ADDRESS=address))

    def test_prints_what_it_fetched(self):
        def serve(peer):
            peer.welcome()
            fetch = peer.expect('FETCH')
            assert fetch.body['follow'] and fetch.body['url'] == URL, fetch
            peer.respond(fetch.id, b'the body')
            peer.until_gone()
        with FakeDaemon(serve) as daemon:
            run = self.run_with(daemon.address)
        self.assertEqual((run.returncode, run.stdout), (0, b'200, 8 bytes\nthe body'))

    def test_says_why_it_failed(self):
        run = self.run_with('unix:%s/none' % paths.folder('n'))
        self.assertEqual((run.returncode, run.stdout), (110, b''))
        self.assertIn(b'no fetchd is running', run.stderr)


class ShortMemory(TestCase):
    """Whichever allocation fails, the library says so and never crashes or hangs."""

    def serve(self, peer):
        headers = [['a', 'b' * 500]] * 50
        peer.welcome(features=['x'])
        fetch = peer.expect('FETCH')
        if fetch.body.get('body_streamed'):
            peer.body(fetch.id)
        peer.send('HOP', fetch.id, dict(status=302, url='https://b/', headers=headers))
        peer.respond(fetch.id, b'x' * 300000, headers=headers)
        peer.until_gone()

    def serve_questions(self, peer):
        peer.welcome()
        while True:
            frame = peer.receive()
            if frame.type == 'PING':
                peer.send('PONG', 0, frame.body)
            elif frame.type == 'STATUS':
                peer.send('STATUS_REPLY', frame.id, dict(server='fake', workers=[dict(worker=1, state='ready')]))

    def fail_each(self, *commands, serve=None):
        if sanitized():
            self.skipTest('the sanitizer has its own allocator')
        text, ends = '\n'.join(('open', *commands, 'close')), set()
        for number in range(1, 60):
            with FakeDaemon(serve or self.serve) as daemon:
                env = dict(os.environ, FETCHD_ADDRESS=daemon.address, SHORT_MEMORY_AT=str(number),
                           LD_PRELOAD=str(PROBE.parent / 'libshort_memory.so'))
                run = subprocess.run([str(PROBE)], input=text, stdout=subprocess.PIPE, env=env, timeout=60, text=True)
            self.assertIn(run.returncode, (0, 3), 'allocation %d' % number)
            ends.add('out_of_memory' in run.stdout)
        self.assertEqual(ends, {True, False}, 'none of the allocations, or all of them, failed')

    def test_waiting(self):
        self.fail_each('start tag=1 url=' + URL, 'response tag=1', 'read tag=1 size=10', 'drain tag=1 size=100')

    def test_whole(self):
        self.fail_each('fetch url=%s size=2000000' % URL)

    def test_events(self):
        self.fail_each('fd', 'start tag=1 url=' + URL, 'poll dones=1')

    def test_questions(self):
        self.fail_each('connect', 'status', serve=self.serve_questions)


class Addresses(TestCase):
    def fail_to_start(self, address=None, env=None):
        with Probe(address, env) as probe:
            line = probe.do('start', tag=1, url=URL)
            self.assertEqual(line.words[1], 'failed', line)
            return line

    def test_when_none_runs_it_names_the_addresses_and_how_to_start_one(self):
        folder = paths.folder('n')
        line = self.fail_to_start(env=dict(XDG_RUNTIME_DIR=str(folder), FETCHD_ADDRESS=''))
        self.assertEqual((line['error'], line['exit']), ('daemon.lost', '110'))
        for word in ('unix:%s/fetchd/fetchd.sock' % folder, 'unix:/run/fetchd/fetchd.sock', '`fetchd`',
                     'systemctl start fetchd'):
            self.assertIn(word, line['message'])

    def test_fetchd_address_comes_first_and_alone(self):
        folder = paths.folder('n')
        line = self.fail_to_start(env=dict(FETCHD_ADDRESS='unix:%s/none' % folder, XDG_RUNTIME_DIR='/x'))
        self.assertIn('unix:%s/none (No such file or directory)' % folder, line['message'])
        self.assertNotIn('/run/fetchd', line['message'])

    def test_the_user_s_daemon_is_found(self):
        folder = paths.folder('u')
        (folder / 'fetchd').mkdir()
        def serve(peer):
            peer.welcome()
            peer.respond(peer.expect('FETCH').id, b'mine')
            peer.until_gone()
        with FakeDaemon(serve, folder / 'fetchd' / 'fetchd.sock'):
            with Probe(env=dict(XDG_RUNTIME_DIR=str(folder), FETCHD_ADDRESS='')) as probe:
                self.assertEqual(probe.do('fetch', url=URL)['body'], 'mine')

    def test_addresses_that_can_t_be(self):
        for address, word in (('tcp:127.0.0.1:1', 'begins with unix:'), ('unix:relative', 'must be absolute'),
                              ('unix:/' + 'a' * 107, 'too long'), ('unix:', 'must be absolute')):
            with self.subTest(address=address):
                line = self.fail_to_start(address)
                self.assertEqual((line['error'], line['exit']), ('request.invalid', '3'))
                self.assertIn(word, line['message'])

    def test_a_file_is_not_a_socket(self):
        path = paths.folder('n') / 'file'
        path.write_text('')
        self.assertIn('not a socket', self.fail_to_start('unix:%s' % path)['message'])

    def test_a_socket_nobody_listens_on(self):
        path = paths.folder('n') / 'dead'
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(str(path))
        line = self.fail_to_start('unix:%s' % path)
        self.assertEqual((line['error'], line['exit']), ('daemon.lost', '110'))
        self.assertIn('Connection refused', line['message'])

    def other_user(self):
        if os.geteuid() != 0:
            self.skipTest('needs root')
        return pwd.getpwnam('nobody').pw_uid

    def test_a_socket_of_somebody_else_is_not_trusted(self):
        nobody = self.other_user()
        with FakeDaemon(lambda peer: peer.until_gone()) as daemon:
            os.chown(daemon.path, nobody, -1)
            line = self.fail_to_start(daemon.address)
            self.assertEqual((line['error'], line['exit']), ('access.denied', '112'))
            self.assertIn('the socket belongs to uid %d' % nobody, line['message'])
            self.assertEqual(daemon.connections, 0)

    def test_a_folder_of_somebody_else_is_not_trusted(self):
        nobody = self.other_user()
        with FakeDaemon(lambda peer: peer.until_gone()) as daemon:
            os.chown(daemon.path.parent, nobody, -1)
            line = self.fail_to_start(daemon.address)
            os.chown(daemon.path.parent, 0, -1)
            self.assertIn('its directory belongs to uid %d' % nobody, line['message'])
            self.assertEqual(daemon.connections, 0)

    def test_a_listener_of_somebody_else_is_not_talked_to(self):
        """The socket file is root's, who listens is not."""
        nobody = self.other_user()
        folder = paths.folder('n')
        folder.chmod(0o777)
        code = ('import os, socket, sys; os.setuid(%d); s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); '
                's.listen(); print(1, flush=True); sys.stdin.read()' % nobody)
        path = str(folder / 's')
        with subprocess.Popen([sys.executable, '-c', code, path], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            os.chown(path, 0, -1)
            line = self.fail_to_start('unix:%s' % path)
            self.assertEqual(line['error'], 'access.denied')
            self.assertIn('the process that listens has uid %d' % nobody, line['message'])

    def test_the_configured_user_and_no_other_is_trusted_besides(self):
        """Folder, socket and listener are nobody's; whom the client trusts decides."""
        nobody = self.other_user()
        folder = paths.folder('n')
        os.chown(folder, nobody, -1)
        def serve(peer):
            peer.welcome()
            peer.respond(peer.expect('FETCH').id, b'trusted')
            peer.until_gone()
        def listening(name):
            os.seteuid(nobody)
            try:
                return FakeDaemon(serve, folder / name)
            finally:
                os.seteuid(0)
        for i, (user, trusted) in enumerate((('nobody', True), (str(nobody), True), ('daemon', False), ('1', False),
                                             ('no-such-user', False), ('', False))):
            with self.subTest(user=user), listening('s%d' % i) as daemon:
                with Probe(env=dict(FETCHD_ADDRESS=daemon.address, FETCHD_USER=user)) as probe:
                    line = probe.do('fetch', url=URL)
                    if trusted:
                        self.assertEqual(line['body'], 'trusted')
                    else:
                        self.assertIn('uid %d' % nobody, line['message'])
                        self.assertEqual((line['error'], daemon.connections), ('access.denied', 0))

    def test_a_socket_that_may_not_be_used_is_denied(self):
        nobody = self.other_user()
        with FakeDaemon(lambda peer: peer.until_gone()) as daemon:
            os.chmod(daemon.path.parent, 0o711)
            os.chmod(daemon.path, 0o600)
            run = subprocess.run([str(paths.for_other_users(PROBE))],
                                 input='open address=%s\nstart tag=1 url=%s\n' % (daemon.address, URL),
                                 stdout=subprocess.PIPE, text=True, user=nobody)
            line = Line(run.stdout.splitlines()[-1])
            self.assertEqual((line['error'], line['exit']), ('access.denied', '112'))
            self.assertIn('Permission denied', line['message'])

    def test_a_full_queue_is_said_at_once(self):
        path = paths.folder('n') / 's'
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(0)
        waiting = []
        for _ in range(8):
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            waiting.append(one)
            try:
                one.connect(str(path))
            except BlockingIOError:
                break
        line = self.fail_to_start('unix:%s' % path)
        self.assertEqual((line['error'], line['exit'], line['retryable']), ('overloaded', '111', '1'))


def sanitized():
    return any(name in PROBE.read_bytes() for name in (b'__asan_init', b'__tsan_init'))


if __name__ == '__main__':
    tap.main()
