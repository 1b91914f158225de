"""fetchctl ws, workers and top beside a daemon of Python: what is sent, what is printed, how they end."""
import fcntl
import json
import os
import pty
import queue
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from support import paths, tap  # noqa: E402
from fake_daemon import FakeDaemon  # noqa: E402
from test_client_ws import BINARY, CLOSE, PING, TEXT, Side  # noqa: E402

URL = 'wss://origin.test/x'


class TestCase(unittest.TestCase):
    def setUp(self):
        self.heard = queue.Queue()

    def daemon(self, serve):
        def script(peer):
            peer.welcome()
            serve(peer)
            peer.until_gone()
        daemon = FakeDaemon(script)
        daemon.__enter__()
        self.addCleanup(daemon.__exit__, None)
        self.env = dict(os.environ, FETCHD_ADDRESS=daemon.address)
        return daemon

    def start(self, *args, **options):
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return subprocess.Popen([str(paths.FETCHCTL), *args], env=self.env, **dict(pipes, **options))

    def run_ctl(self, *args, stdin=b''):
        process = self.start(*args)
        out, err = process.communicate(stdin, timeout=30)
        return process.returncode, out, err.decode()

    def closing(self, peer, side, code=1000):
        """Hears messages up to the close, and answers it."""
        while True:
            message = side.hear(again=6000)
            self.heard.put(message[:2])
            if message[0] == CLOSE:
                side.done(code)
                return


class WebSocket(TestCase):
    def messages(self):
        return [self.heard.get(timeout=20) for _ in range(self.heard.qsize())]

    def test_each_line_is_a_message_and_the_end_a_close(self):
        self.daemon(lambda peer: self.closing(peer, Side(peer, credit=10000)))
        code, out, err = self.run_ctl('ws', URL, stdin=b'one\n\nthree\nlast')
        self.assertEqual((code, out, err), (0, b'', ''))
        self.assertEqual(self.messages(), [(TEXT, b'one'), (TEXT, b''), (TEXT, b'three'), (TEXT, b'last'),
                                           (CLOSE, b'')])

    def test_binary_lines(self):
        self.daemon(lambda peer: self.closing(peer, Side(peer, credit=10000)))
        self.assertEqual(self.run_ctl('ws', '--binary', URL, stdin=b'\xff\x00\n')[0], 0)
        self.assertEqual(self.messages(), [(BINARY, b'\xff\x00'), (CLOSE, b'')])

    def test_a_line_that_is_no_text_is_refused(self):
        self.daemon(lambda peer: self.closing(peer, Side(peer, credit=10000)))
        code, _, err = self.run_ctl('ws', URL, stdin=b'good\n\xff\n')
        self.assertEqual(code, 3)
        self.assertIn('UTF-8', err)
        self.assertEqual(self.messages(), [(TEXT, b'good'), (CLOSE, b'')])

    def test_a_large_line_under_little_credit_is_one_message(self):
        line = bytes(range(32, 127)) * 20000
        self.daemon(lambda peer: self.closing(peer, Side(peer, credit=6000)))
        self.assertEqual(self.run_ctl('ws', URL, stdin=line + b'\nnext\n')[0], 0)
        self.assertEqual(self.messages(), [(TEXT, line), (TEXT, b'next'), (CLOSE, b'')])

    def test_count_waits_for_as_many_and_prints_no_more(self):
        def serve(peer):
            side = Side(peer, credit=10000)
            self.heard.put(side.hear()[1])
            for i in range(5):
                side.tell(TEXT, b'answer %d' % i)
            self.closing(peer, side)
        self.daemon(serve)
        code, out, err = self.run_ctl('ws', '--count', '3', URL, stdin=b'question\n')
        self.assertEqual((code, out, err), (0, b'answer 0\nanswer 1\nanswer 2\n', ''))

    def test_too_few_is_18(self):
        def serve(peer):
            side = Side(peer)
            side.tell(TEXT, b'one')
            side.done(1000)
        self.daemon(serve)
        code, out, err = self.run_ctl('ws', '--count', '2', URL)
        self.assertEqual((code, out), (18, b'one\n'))
        self.assertIn('1 of 2', err)

    def test_binary_is_a_note_or_raw_with_o(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            side.tell(BINARY, b'\x00\xff\x01')
            side.tell(TEXT, b'text')
            self.closing(peer, side)
        self.daemon(serve)
        code, out, err = self.run_ctl('ws', '--count', '2', URL)
        self.assertEqual((code, out, err), (0, b'text\n', '[binary message, 3 bytes]\n'))
        code, out, err = self.run_ctl('ws', '--count', '2', '-o', '-', URL)
        self.assertEqual((code, out, err), (0, b'\x00\xff\x01text\n', ''))
        target = paths.folder('o') / 'new' / 'file'
        self.assertEqual(self.run_ctl('ws', '--count', '2', '-o', str(target), '--create-dirs', URL)[0], 0)
        self.assertEqual(target.read_bytes(), b'\x00\xff\x01text\n')

    def test_options_reach_the_daemon(self):
        def serve(peer):
            fetch = peer.expect('FETCH')
            self.heard.put(fetch.body)
            Side(peer, fetch=fetch).done()
        self.daemon(serve)
        ca = paths.folder('c') / 'ca.pem'
        ca.write_text('PEM')
        code, _, _ = self.run_ctl(
            'ws', '--subprotocol', 'a', '--subprotocol', 'b', '--ping', '2.5', '-H', 'X-One: 1', '-k',
            '--cacert', ca, '-x', 'http://proxy.test:1', '-u', 'me:secret', '-b', 'c=d', '-m', '60',
            '--connect-timeout', '3',
            '--reconnect', URL)
        self.assertEqual(code, 0)
        body = self.heard.get(timeout=20)
        headers = {bytes(n): bytes(v) for n, v in ((x if isinstance(x, bytes) else x.encode() for x in pair)
                                                   for pair in body['headers'])}
        self.assertEqual(headers, {b'X-One': b'1', b'Cookie': b'c=d'})
        self.assertEqual((body['subprotocols'], body['ping_interval_ms']), (['a', 'b'], 2500))
        self.assertEqual((body['insecure'], body['reconnect']), (True, True))
        self.assertEqual((body['total_timeout_ms'], body['connect_timeout_ms'], body['proxy']),
                         (60000, 3000, 'http://proxy.test:1'))
        self.assertEqual((bytes(body['ca_pem']), bytes(body['credentials'])), (b'PEM', b'me:secret'))

    def test_verbose_shows_control_frames_and_no_secret(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            side.tell(PING, b'are you\x1b there')
            side.tell(TEXT, b'hello')
            side.tell(CLOSE, b'enough', code=1001)
            side.done(1001, 'enough')
        self.daemon(serve)
        code, out, err = self.run_ctl('ws', '-v', '-u', 'me:secret', '--count', '1', URL)
        self.assertEqual((code, out), (0, b'hello\n'))
        for wanted in ('< HTTP/1.1 101', '< ping are you? there', '> close 1000', '< close 1001 enough'):
            self.assertIn(wanted, err)
        self.assertNotIn('secret', err)

    def test_errors_are_exit_codes(self):
        for name, wanted in (('websocket.refused', 22), ('websocket.closed', 56), ('timeout.pong', 28),
                             ('message.too_large', 63), ('websocket.protocol', 1), ('worker.lost', 113)):
            with self.subTest(name=name):
                self.daemon(lambda peer: Side(peer).fail(name))
                code, _, err = self.run_ctl('ws', '--count', '1', URL)
                self.assertEqual(code, wanted)
                self.assertIn(name, err)
                self.assertEqual(self.run_ctl('ws', '-s', '--count', '1', URL), (wanted, b'', ''))
        self.env['FETCHD_ADDRESS'] = 'unix:/nonexistent'
        self.assertEqual(self.run_ctl('ws', URL)[0], 110)
        self.assertEqual(self.run_ctl('ws', 'https://origin.test/')[0], 2)
        self.assertEqual(self.run_ctl('ws')[0], 2)

    def test_ctrl_c_closes(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            side.tell(TEXT, b'ready')
            self.closing(peer, side)
        self.daemon(serve)
        process = self.start('ws', URL)
        self.assertEqual(process.stdout.readline(), b'ready\n')
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, out, err), (0, b'', b''))
        self.assertEqual(self.messages(), [(CLOSE, b'')])

    def test_a_second_ctrl_c_waits_for_nobody(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            side.tell(TEXT, b'ready')
            side.hear()
            self.heard.put('closed')
        self.daemon(serve)
        process = self.start('ws', URL)
        self.assertEqual(process.stdout.readline(), b'ready\n')
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.heard.get(timeout=20), 'closed')
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, -signal.SIGINT)

    def test_ctrl_c_before_it_is_open_cancels(self):
        def serve(peer):
            fetch = peer.expect('FETCH')
            self.heard.put('asked')
            peer.expect('CANCEL')
            peer.fail(fetch.id, 'cancelled')
        self.daemon(serve)
        process = self.start('ws', URL)
        self.heard.get(timeout=20)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 42)

    def test_a_lost_worker_is_told_and_it_goes_on(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            side.hear()
            peer.send('REOPEN', side.id)
            peer.expect('REWIND')
            side.credit = 0
            side.open()
            side.give(1000)
            side.tell(TEXT, b'here again')
            self.closing(peer, side)
        self.daemon(serve)
        code, out, err = self.run_ctl('ws', '--reconnect', '--count', '1', URL, stdin=b'x\n')
        self.assertEqual((code, out), (0, b'here again\n'))
        self.assertIn('may be missing', err)

    def test_it_talks_as_lines_come(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            for _ in range(3):
                side.tell(TEXT, b'you said ' + side.hear(again=100)[1])
            self.closing(peer, side)
        self.daemon(serve)
        process = self.start('ws', URL)
        for line in (b'one\n', b'two\n', b'three\n'):
            process.stdin.write(line)
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), b'you said ' + line)
        out, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, out, err), (0, b'', b''))

    def test_a_terminal_gets_no_control_sequence(self):
        def serve(peer):
            side = Side(peer, credit=1000)
            side.tell(TEXT, 'red \x1b[31m bell \x07 c1 \x9b tab\tok ä'.encode())
            self.closing(peer, side)
        self.daemon(serve)
        screen = Screen(self, 'ws', '--count', '1', URL)
        out = screen.end()
        self.assertIn('red ?[31m bell ? c1 ? tab\tok ä'.encode(), out.replace(b' ' * 4, b'\t'))
        self.assertEqual(screen.process.returncode, 0)


class Screen:
    """A program on a terminal of its own."""

    def __init__(self, test, *args, rows=40, columns=150):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('4H', rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = test.start(*args, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        self.out = b''
        test.addCleanup(self.close)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.out += os.read(self.master, 65536)

    def until(self, wanted, count=1):
        deadline = time.monotonic() + 20
        while self.out.count(wanted) < count:
            assert time.monotonic() < deadline, self.out
            self.read(0.1)

    def key(self, keys):
        os.write(self.master, keys)

    def end(self):
        deadline = time.monotonic() + 20
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.out
            self.read(0.05)
        self.read(0)
        return self.out


def status(served=100, **more):
    worker = dict(worker=1, state='ready', pid=77, in_flight=3, served=served, failed=2, rss_bytes=5 << 20,
                  open_fds=40, connections=9, tls_handshakes=50, tls_failures=6, age_ms=90000, restarts=1,
                  close_wait=0)
    return dict(dict(server='fake/1', state='running', pid=1, accepted=served * 2, succeeded=served, failed=4,
                     in_flight=5, queued=6, workers=[worker, dict(worker=2, state='starting')],
                     origins=[dict(origin='https://a.test:443', open=2, active=1, attempts=served, failed=1,
                                   breaker='closed', tls_handshakes=3, tls_failures=2)]), **more)


class Looking(TestCase):
    def answering(self, peer):
        served = 0
        while True:
            frame = peer.receive()
            if frame.type == 'STATUS':
                served += 100
                peer.send('STATUS_REPLY', frame.id, status(served))

    def test_workers_are_a_table_alone(self):
        self.daemon(self.answering)
        code, out, err = self.run_ctl('workers')
        rows = [row.split() for row in out.decode().splitlines()]
        self.assertEqual((code, err, len(rows)), (0, '', 3))
        self.assertEqual(rows[1], '1 ready 77 1.5 min 3 100 2 1 5.0 MiB 40 9 50 6 0'.split())
        self.assertEqual(rows[2][:2], ['2', 'starting'])
        self.assertEqual(len({len(line) for line in out.decode().splitlines()}), 1, 'columns do not align')

    def test_workers_as_json(self):
        self.daemon(self.answering)
        code, out, _ = self.run_ctl('workers', '--json')
        workers = json.loads(out)
        self.assertEqual((code, [w['worker'] for w in workers], workers[0]['tls_failures']), (0, [1, 2], 6))

    def test_without_a_daemon_it_is_110(self):
        self.daemon(lambda peer: None)
        self.env['FETCHD_ADDRESS'] = 'unix:/nonexistent'
        for command in ('workers', 'top'):
            code, out, err = self.run_ctl(command)
            self.assertEqual((code, out), (110, b''))
            self.assertIn('no fetchd is running', err)

    def test_top_in_a_pipe_is_one_picture(self):
        self.daemon(self.answering)
        code, out, err = self.run_ctl('top', '--interval', '0.1')
        self.assertEqual((code, err), (0, ''))
        text = out.decode()
        self.assertNotIn('\033', text)
        rate = float(text.split('requests/s ')[1].split()[0])
        self.assertTrue(100 < rate <= 2000, rate)
        for wanted in ('in flight 5', 'queued 6', 'https://a.test:443', 'TLS failures', 'starting'):
            self.assertIn(wanted, text)

    def test_top_is_drawn_again_until_q_and_gives_the_terminal_back(self):
        self.daemon(self.answering)
        screen = Screen(self, 'top', '--interval', '0.1')
        screen.until(b'https://a.test:443', 3)
        screen.key(b'xq')
        out = screen.end()
        self.assertEqual(screen.process.returncode, 0)
        self.assertEqual(termios.tcgetattr(screen.slave), screen.before)
        self.assertTrue(out.startswith(b'\033[?1049h\033[?25l'), out)
        self.assertTrue(out.endswith(b'\033[?25h\033[?1049l'), out)

    def test_top_gives_the_terminal_back_when_it_is_interrupted(self):
        self.daemon(self.answering)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number=number):
                screen = Screen(self, 'top', '--interval', '0.1')
                screen.until(b'https://a.test:443')
                screen.process.send_signal(number)
                out = screen.end()
                self.assertEqual(screen.process.returncode, 0)
                self.assertEqual(termios.tcgetattr(screen.slave), screen.before)
                self.assertTrue(out.endswith(b'\033[?25h\033[?1049l'), out)

    def test_top_stays_within_a_small_window(self):
        self.daemon(self.answering)
        screen = Screen(self, 'top', '--interval', '0.1', rows=5, columns=20)
        screen.until(b'requests/s', 3)
        screen.key(b'q')
        out = screen.end()
        frames = out.split(b'\033[H')[2:]
        for frame in frames:
            lines = frame.split(b'\033[J')[0].split(b'\r\n')
            self.assertLessEqual(len(lines), 5)
            self.assertLessEqual(max(len(line.replace(b'\033[K', b'').rstrip()) for line in lines), 20)

    def test_top_outlives_the_daemon_and_finds_the_next(self):
        alive = []

        def serve(peer):
            alive.append(peer)
            if len(alive) == 1:
                for _ in range(2):
                    frame = peer.expect('STATUS')
                    peer.send('STATUS_REPLY', frame.id, status())
                peer.socket.close()
            else:
                self.answering(peer)
        self.daemon(serve)
        screen = Screen(self, 'top', '--interval', '0.1')
        screen.until(b'https://a.test:443', 3)
        screen.key(b'q')
        screen.end()
        self.assertEqual(screen.process.returncode, 0)
        self.assertGreater(len(alive), 1)


if __name__ == '__main__':
    tap.main()
