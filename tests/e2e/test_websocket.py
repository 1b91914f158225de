"""WebSockets end to end: libfetchd and fetchctl through a real fetchd, to servers of other people's making
over TLS. FETCHD_WS_ROUNDS, FETCHD_WS_SOCKETS and FETCHD_WS_SECONDS make it longer."""
import json
import os
import random
import signal
import subprocess
import threading
import time
import unittest
import zlib

from world import MIB, World, paths, proc, tap
from support.websocket_probe import Probe, pattern
from support.websocket_server import WEBSOCKETD, Proxy, Server, Websocketd
from support.wspeer import RawPeer

TEXT, BINARY, PING = '1', '2', '9'
TIMED_OUT, REOPENED, CLOSED = '-2', '-4', '-5'
ROUNDS = int(os.environ.get('FETCHD_WS_ROUNDS', 100))
SOCKETS = int(os.environ.get('FETCHD_WS_SOCKETS', 300))
SECONDS = int(os.environ.get('FETCHD_WS_SECONDS', 6))        # of killing
SIZES = [0, 1, 125, 126, 127, 4096, 65535, 65536, 65537, 200000, MIB, 5 * MIB + 3]
LARGEST = 64 * MIB


class WebSockets(World):
    """A python3-websockets server, and nginx as its proxy."""
    pings = 0

    @classmethod
    def setUpClass(cls):
        paths.need_programs()
        cls.site = cls.get_site()
        cls.server = Server(cls.site.leaf, cls.pings).start()
        cls.proxy = Proxy(cls.site.authority, cls.server).start()
        super().setUpClass()

    @staticmethod
    def get_site():
        from world import Site
        return Site.get()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.proxy.stop()
        cls.server.stop()

    @classmethod
    def make(cls, allow=(), **options):
        ports = [cls.server.port, cls.proxy.ports['h1']]
        return super().make(allow=[*ports, *allow], **options)

    def setUp(self):
        self.name = '/echo?' + self.id().rsplit('.', 1)[-1]             # each finds its own sockets' ends

    def ways(self, path):
        return ('direct', self.server.url(path)), ('nginx', self.proxy.ws_url(path))

    def probe(self, fetchd=None):
        probe = Probe((fetchd or self.fetchd).address)
        self.addCleanup(probe.end)
        return probe

    def same(self, line, kind, data):
        """The message that came is that one."""
        self.assertEqual((line.result, line['kind'], line['size'], line['crc']),
                         ('0', kind, str(len(data)), str(zlib.crc32(data))), line)

    def finish(self, probe, tag=0, code='1000'):
        self.assertEqual(probe.do('close', tag=tag, code=1000).result, '0')
        line = probe.do('done', tag=tag)
        self.assertEqual((line['code'], line['error']), (code, None), line)
        probe.do('release', tag=tag)


class Messages(WebSockets):
    def echo(self, probe, size, kind, at=0):
        self.assertEqual(probe.do('send', size=size, kind=kind, ms=60000, **{'from': at}).result, str(size))
        self.same(probe.do('recv', ms=60000), kind, pattern(size, at))

    def test_come_back_as_they_went_at_any_size(self):
        for way, url in self.ways(self.name):
            for kind in (TEXT, BINARY):
                with self.subTest(way=way, kind=kind):
                    probe = self.probe()
                    probe.ws(url=url)
                    for at, size in enumerate([*SIZES, LARGEST, 0, 1]):
                        self.echo(probe, size, kind, at)
                    self.finish(probe)
                    self.assertEqual(self.server.until_closed(self.name), (1000, ''))

    def test_cut_at_random_with_pings_between_are_whole(self):
        chance = random.Random(7)
        for way, url in self.ways('/fragments?7'):
            for kind in (TEXT, BINARY):
                with self.subTest(way=way, kind=kind):
                    probe = self.probe()
                    probe.ws(url=url, control=1)
                    pings = 0
                    for at, size in enumerate(chance.sample(SIZES, len(SIZES)) * 2 + [20 * MIB]):
                        probe.do('send', size=size, kind=kind, ms=60000, **{'from': at})
                        line = probe.do('recv', ms=60000)
                        while line['kind'] == PING:
                            pings += 1
                            line = probe.do('recv', ms=60000)
                        self.same(line, kind, pattern(size, at))
                    self.assertGreater(pings, 20)
                    self.finish(probe)

    def test_in_pieces_as_asked_for_are_the_same_bytes(self):
        probe = self.probe()
        probe.ws(url=self.server.url('/fragments?3'), fragments=1)
        for size in (0, 300, 5000, 200000):
            probe.do('send', size=size)
            whole, pieces, more = 0, 0, '1'
            while more == '1':
                line = probe.do('recv')
                self.assertEqual((line.result, line['kind']), ('0', TEXT))
                whole, pieces, more = whole + int(line['size']), pieces + 1, line['more']
            self.assertEqual(whole, size)
        self.assertGreater(pieces, 3)
        self.finish(probe)

    def test_sent_in_pieces_arrive_as_one(self):
        probe = self.probe()
        probe.ws(url=self.server.url('/echo'))
        for i in range(50):
            probe.do('send', size=100, more=1, kind=BINARY, **{'from': i * 100})
        probe.do('send', size=0, more=0, kind=BINARY)
        self.same(probe.do('recv'), BINARY, pattern(5000))
        self.finish(probe)

    @unittest.skipUnless(WEBSOCKETD, 'websocketd is not installed')
    def test_come_back_from_websocketd(self):
        server = Websocketd(self.site.leaf).start()
        self.addCleanup(server.stop)
        with self.make(allow=[server.port]) as fetchd:
            probe = self.probe(fetchd)
            probe.ws(url=server.url())
            for at, size in enumerate([0, 1, 125, 126, 4096, 65535, 65536, 200000, MIB]):
                self.echo(probe, size, TEXT, at)
            for i in range(200):
                probe.do('send', text='line-%d' % i)
            self.assertEqual([probe.do('recv')['data'] for _ in range(200)],
                             ['line-%d' % i for i in range(200)])
            self.finish(probe, code='1000')

    def test_many_sockets_and_fetches_share_one_connection(self):
        probe = self.probe()
        for tag in range(30):
            probe.ws(tag=tag, url=(self.server.url if tag % 2 else self.proxy.ws_url)('/echo'))
        for round in range(20):
            for tag in range(30):
                probe.do('send', tag=tag, size=1000 * round, **{'from': tag})
            self.assertEqual(probe.do('fetch', url=self.url('/1m')).result, str(MIB))
            for tag in range(29, -1, -1):
                self.same(probe.do('recv', tag=tag), TEXT, pattern(1000 * round, tag))
        for tag in range(30):
            self.finish(probe, tag)


class Founding(WebSockets):
    """Send 20, then receive 20: what used to hang with the data in the TLS buffer."""

    def round(self, probe, sizes):
        for at, size in enumerate(sizes):
            self.assertEqual(probe.do('send', size=size, **{'from': at}).result, str(size))
        for at, size in enumerate(sizes):
            self.same(probe.do('recv'), TEXT, pattern(size, at))

    def test_20_sent_then_20_received_each_time_on_a_new_socket(self):
        chance = random.Random(20)
        for way, url in self.ways('/echo'):
            probe = self.probe()
            for _ in range(ROUNDS // 2):
                probe.ws(url=url)
                self.round(probe, [chance.choice((1, 10, 100, 1000, 5000)) for _ in range(20)])
                self.finish(probe)

    def test_20_sent_then_20_received_again_and_again(self):
        for way, url in self.ways('/echo'):
            probe = self.probe()
            probe.ws(url=url)
            for _ in range(ROUNDS // 2):
                self.round(probe, [16] * 20)
            self.finish(probe)

    def test_timeouts_in_between_lose_nothing(self):
        probe = self.probe()
        probe.ws(url=self.server.url('/fragments?1'))
        got = expired = 0
        for i in range(40):
            probe.do('send', size=3000, **{'from': i})
        while got < 40:
            line = probe.do('recv', ms=0 if got % 2 else 1)
            if line.result == TIMED_OUT:
                expired += 1
                continue
            self.same(line, TEXT, pattern(3000, got))
            got += 1
        print('%d timeouts between 40 messages' % expired)
        self.finish(probe)


class Ends(WebSockets):
    def test_our_close_reaches_the_server_with_its_reason(self):
        for way, url in self.ways(self.name):
            probe = self.probe()
            probe.ws(url=url)
            self.assertEqual(probe.do('close', code=3001, reason='enough').result, '0')
            self.assertEqual(self.server.until_closed(self.name), (3001, 'enough'))
            self.assertEqual(probe.do('done')['code'], '3001')

    def test_the_servers_close_comes_after_its_messages(self):
        for way, url in self.ways('/close?4001,that-was-it'):
            probe = self.probe()
            probe.ws(url=url)
            self.assertEqual(probe.do('recv')['data'], 'now')
            self.assertEqual(probe.do('recv').result, CLOSED)
            line = probe.do('done')
            self.assertEqual((line['code'], line['reason'], line['error']), ('4001', 'that-was-it', None))

    def test_what_is_no_websocket_is_refused_by_name(self):
        for url, name in ((self.server.url('/nowhere'), 'websocket.refused'),
                          (self.url('/1k', 'h1').replace('https', 'wss'), 'websocket.refused'),
                          (self.url('/1k', 'h1', 'localhost').replace('https', 'ws'), None),
                          ('wss://localhost:%d/' % self.nginx.ports['expired'], 'tls.certificate'),
                          ('wss://localhost:1/', 'policy.denied')):
            with self.subTest(url=url):
                line = self.probe().do('ws', url=url)
                self.assertEqual(line.result, 'failed')
                if name:
                    self.assertEqual(line['error'], name, line)

    def test_a_subprotocol_is_agreed_on(self):
        probe = self.probe()
        self.assertEqual(probe.ws(url=self.server.url('/echo'), protocol='two')['protocol'], 'two')
        self.finish(probe)

    def test_a_drain_is_told_with_1001_at_both_ends(self):
        fetchd = self.make(settings={'daemon.drain_timeout': '1s'}).start()
        try:
            probe = self.probe(fetchd)
            probe.ws(url=self.server.url(self.name))
            probe.do('send', text='x')
            probe.do('recv')
            fetchd.process.send_signal(signal.SIGTERM)
            line = probe.do('recv')
            self.assertIn(line.result, (CLOSED, '-1'), line)
            self.assertEqual(self.server.until_closed(self.name)[0], 1001)
        finally:
            fetchd.finish()

    def test_a_daemon_that_dies_ends_each_socket(self):
        fetchd = self.make().start()
        probe = self.probe(fetchd)
        for tag in range(5):
            probe.ws(tag=tag, url=self.server.url(self.name))
        fetchd.crash()
        for tag in range(5):
            self.assertEqual(probe.do('recv', tag=tag)['error'], 'daemon.lost')
        for _ in range(5):
            self.server.until_closed(self.name)


class Stalls(WebSockets):
    """Neither a client nor a server that does not read costs memory or stops others."""

    def settle(self):
        return self.fetchd.settled_memory()

    def warm_up(self, url):
        probe = self.probe()
        for tag in range(6):
            probe.ws(tag=tag, url=url)
        for tag in range(6):
            self.assertEqual(probe.do('recvs', tag=tag, count=64)['got'], '64')
            probe.do('release', tag=tag)
        self.fetchd.until_idle()

    def measure(self, before, what):
        after = self.settle()
        self.assertEqual(set(after), set(before), 'a worker was replaced')
        growth = sum(after.values()) - sum(before.values())
        print('%s: daemon and workers grew by %.2f MiB' % (what, growth / MIB))
        self.assertLess(growth, paths.bound(4 * MIB))

    def others_go_on(self):
        probe = self.probe()
        for way, url in self.ways('/echo'):
            probe.ws(url=url)
            for i in range(20):
                probe.do('send', size=50000)
                self.assertEqual(probe.do('recv')['size'], '50000')
            self.finish(probe)

    def test_a_client_that_stops_reading_1_gib(self):
        for way, url in self.ways('/flood?%d' % (1 << 30)):
            for reads in (False, True):
                with self.subTest(way=way, reads=reads):
                    self.warm_up(url.replace(str(1 << 30), str(4 * MIB)))
                    before = self.settle()
                    probe = self.probe()
                    if reads:                                           # its socket, but gives no credit back
                        probe.do('start', url=url)
                        probe.events(until='OPEN')
                        probe.do('pause', on=1)
                        probe.events(ms=500)
                    else:
                        probe.ws(url=url)
                        probe.do('recv')
                    self.measure(before, '%s, %s' % (way, 'no credit' if reads else 'not read'))
                    self.others_go_on()
                    probe.do('release')
                    self.fetchd.until_idle()

    def test_50_clients_that_stop_reading(self):
        url = self.server.url('/flood?%d' % (100 * MIB))
        self.warm_up(url.replace(str(100 * MIB), str(4 * MIB)))
        warm = self.probe()
        for tag in range(50):
            warm.ws(tag=tag, url=self.server.url('/flood?%d' % (5 * MIB)), window=65536)
        for tag in range(50):
            warm.do('recvs', tag=tag, count=80)
            warm.do('release', tag=tag)
        self.fetchd.until_idle()
        before = self.settle()
        probe = self.probe()
        for tag in range(50):
            probe.ws(tag=tag, url=url, window=65536)
        self.measure(before, '50 sockets with windows of 64 KiB')
        self.others_go_on()

    def test_a_server_that_stops_reading_stops_its_sender_alone(self):
        self.others_go_on()
        before = self.settle()
        probe = self.probe()
        probe.ws(tag=1, url=self.server.url('/deaf'))
        probe.ws(tag=2, url=self.server.url('/echo'))
        sent = 0
        while True:
            line = probe.do('send', tag=1, size=4000, kind=BINARY, ms=200)
            if line.result == TIMED_OUT and probe.do('flush', tag=1, ms=500).result == TIMED_OUT:
                break
            sent += max(0, int(line.result))
            self.assertLess(sent, 200 * MIB, 'nothing stops it')
        print('%.1f MiB were taken before it stopped' % (sent / MIB))
        self.measure(before, 'a deaf server')
        probe.do('send', tag=2, text='still-here')
        self.assertEqual(probe.do('recv', tag=2)['data'], 'still-here')


class Handshakes(World):
    """To an origin that keeps them waiting: RFC 6455, 4.1, wants one under way at a time."""
    own_daemon = True

    def setUp(self):
        self.may_open, self.lock, self.under_way, self.most = threading.Semaphore(0), threading.Lock(), 0, 0
        self.peer = RawPeer(self.shake)
        self.addCleanup(self.peer.stop)

    def shake(self, peer):
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        peer.request()
        self.may_open.acquire()
        with self.lock:
            self.under_way -= 1
        peer.answer()
        peer.expect_close()

    def ask(self, count, **settings):
        fetchd = self.make([self.peer.port], settings=settings).start()
        self.addCleanup(fetchd.stop)
        connection = fetchd.connect()
        self.addCleanup(connection.close)
        return connection, [connection.fetch(self.peer.url()) for _ in range(count)]

    def until_open(self, connection, ids):
        connection.until(lambda: all(connection.answer(id).status == 101 for id in ids))

    def test_one_is_under_way_at_a_time(self):
        connection, ids = self.ask(8)
        for i in range(8):
            proc.until(lambda: self.peer.connections == i + 1, what='the next handshake')
            self.may_open.release()
        self.until_open(connection, ids)
        self.assertEqual(self.most, 1)

    def test_one_that_is_given_up_lets_the_next_begin(self):
        connection, ids = self.ask(3)
        proc.until(lambda: self.peer.connections == 1, what='a handshake')
        connection.send('CANCEL', ids[1])                       # has not begun
        connection.send('CANCEL', ids[0])                       # is under way
        proc.until(lambda: self.peer.connections == 2, what='the next handshake')
        self.may_open.release(2)
        self.until_open(connection, ids[2:])
        self.assertEqual(connection.finish(ids[1]).error, 'cancelled')

    def test_one_that_waits_too_long_is_told_why(self):
        connection, ids = self.ask(2, **{'limits.queue_timeout': '1s'})
        failed = connection.finish(ids[1])
        self.assertEqual(failed.error, 'overloaded')
        self.assertIn('[origin] handshakes', failed.done['error']['message'])
        self.may_open.release()
        self.until_open(connection, ids[:1])

    def test_the_limit_can_be_lifted(self):
        connection, ids = self.ask(8, **{'origin "*".handshakes': '0'})
        proc.until(lambda: self.most == 8, what='all at once')
        self.may_open.release(8)
        self.until_open(connection, ids)


class Lost(WebSockets):
    workers = 3
    own_daemon = True
    settings = {'daemon.drain_timeout': '1s'}       # what is still open at a test's end
    pings = 1

    def test_only_the_sockets_of_a_killed_worker_are_told(self):
        with self.make() as fetchd:
            probe = self.probe(fetchd)
            for tag in range(SOCKETS):
                probe.say('start', tag=tag, url=self.server.url('/echo'), reconnect=tag % 2)
            for tag in range(SOCKETS):
                self.assertEqual(probe.hear('start')[-1].result, 'ok')
            began = time.monotonic()
            opened = probe.events(until='OPEN', count=SOCKETS, ms=60000)
            failed = [e for e in opened if e['error']]
            self.assertEqual(sum(e.words[1] == 'OPEN' for e in opened), SOCKETS, failed[:3])
            print('%d sockets open after %.1f s' % (SOCKETS, time.monotonic() - began))
            self.assertEqual([e for e in probe.events(ms=2500) if e.words[1] != 'WRITABLE'], [])
            rows = {w['worker']: w for w in fetchd.status()['workers']}
            self.assertEqual(sum(w['in_flight'] for w in rows.values()), SOCKETS)
            victim = max(rows.values(), key=lambda w: w['in_flight'])
            self.assertLess(victim['in_flight'], SOCKETS, 'all are with one worker')
            print('in flight: %s' % [w['in_flight'] for w in rows.values()])
            os.kill(victim['pid'], signal.SIGKILL)
            told = {}

            def note(events):
                for event in events:
                    if event.words[1] != 'WRITABLE':
                        told.setdefault(event.words[2], []).append(event)
                return len(told) == victim['in_flight'] and all(
                    rows[-1].words[1] in ('DONE', 'OPEN') for rows in told.values())
            proc.until(lambda: note(probe.events(ms=300)), 60, 'news for those who lost theirs')
            note(probe.events(ms=2500))
            self.assertEqual(len(told), victim['in_flight'])
            for tag, events in told.items():
                names = [e.words[1] for e in events]
                if int(tag) % 2:
                    self.assertEqual(names, ['REOPEN', 'OPEN'], events)
                else:
                    self.assertEqual(names, ['DONE'])
                    self.assertEqual((events[0]['error'], events[0]['worker']),
                                     ('worker.lost', str(victim['worker'])))
            alive = [tag for tag in range(SOCKETS) if tag % 2 or str(tag) not in told]
            for tag in alive:
                self.assertEqual(probe.do('send', tag=tag, text='alive', ms=0).result, '5', tag)
            events = [e for e in probe.events(until='MESSAGE', count=len(alive)) if e.words[1] != 'WRITABLE']
            self.assertEqual({e.words[2] for e in events}, {str(tag) for tag in alive})
            self.assertEqual({(e.words[1], e['data']) for e in events}, {('MESSAGE', 'alive')})

    def test_reconnect_goes_on_where_the_program_begins_again(self):
        with self.make() as fetchd:
            probe = self.probe(fetchd)
            probe.ws(url=self.proxy.ws_url('/echo'), reconnect=1)
            for round in range(3):
                probe.do('send', text='before')
                self.assertEqual(probe.do('recv')['data'], 'before')
                busy = next(w for w in fetchd.status()['workers'] if w.get('in_flight'))
                os.kill(busy['pid'], signal.SIGKILL)
                self.assertEqual(probe.do('recv').result, REOPENED)
                self.assertEqual(probe.do('send', text='after').result, '5')
                self.assertEqual(probe.do('recv')['data'], 'after')
                fetchd.wait_ready()
            self.finish(probe)

    def test_kills_while_messages_fly_break_no_message_and_no_connection(self):
        """Whatever is lost, what comes is whole, and the daemon never finds a frame out of place."""
        with self.make() as fetchd:
            probe = self.probe(fetchd)
            for tag in range(20):
                probe.ws(tag=tag, url=self.server.url('/echo'), reconnect=1)
            stop = threading.Event()

            def kill():
                while not stop.wait(0.25):
                    busy = [w['pid'] for w in fetchd.status()['workers'] if w.get('in_flight')]
                    if busy:
                        os.kill(random.choice(busy), signal.SIGKILL)
            killer = threading.Thread(target=kill)
            killer.start()
            try:
                reopened = 0
                deadline = time.monotonic() + SECONDS
                while time.monotonic() < deadline:
                    for tag in range(20):
                        size = random.choice((5, 3000, 100000, 400000))
                        sent = probe.do('send', tag=tag, size=size, ms=20000)
                        self.assertIn(sent.result, (str(size), REOPENED), sent)
                    for tag in range(20):
                        line = probe.do('recv', tag=tag, ms=50)
                        self.assertIn(line.result, ('0', TIMED_OUT, REOPENED), line)
                        reopened += line.result == REOPENED
                        if line.result == '0':
                            self.same(line, TEXT, pattern(int(line['size'])))
                            self.assertIn(int(line['size']), (5, 3000, 100000, 400000))
            finally:
                stop.set()
                killer.join()
            print('%d sockets were opened again' % reopened)
            self.assertGreater(reopened, 5)
            fetchd.wait_ready()


class Fetchctl(WebSockets):
    def environment(self):
        return dict(os.environ, FETCHD_ADDRESS=self.fetchd.address)

    def ws(self, *args, stdin=b''):
        return subprocess.run([str(paths.FETCHCTL), 'ws', *args], input=stdin, capture_output=True,
                              timeout=60, env=self.environment())

    def start_ws(self, *args):
        return subprocess.Popen([str(paths.FETCHCTL), 'ws', *args], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, env=self.environment())

    def test_lines_come_back(self):
        lines = b''.join(b'line %d\n' % i for i in range(5000))
        for way, url in self.ways(self.name):
            run = self.ws('--count', '5000', url, stdin=lines)
            self.assertEqual((run.returncode, run.stdout == lines, run.stderr), (0, True, b''))
            self.assertEqual(self.server.until_closed(self.name), (1000, ''))

    def test_without_a_count_all_is_sent_before_the_close(self):
        process = self.start_ws(self.server.url('/count'))
        process.stdin.write(b'x' * 3000000 + b'\n' + b'0123456789\n' * 1000 + b'how much\n')
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b'3010000 in 1001\n')
        process.stdin.close()
        self.assertEqual(process.wait(30), 0)
        process.stdout.close()
        self.assertEqual(self.server.until_closed('/count'), (1000, ''))

    def test_headers_and_credentials_reach_the_server(self):
        run = self.ws('--count', '1', '-H', 'X-One: 1', '-b', 'a=b', '-u', 'me:secret',
                      self.server.url('/headers'))
        self.assertEqual(run.returncode, 0, run.stderr)
        headers = {name.lower(): value for name, value in json.loads(run.stdout)}
        self.assertEqual((headers['x-one'], headers['cookie'], headers['authorization']),
                         ('1', 'a=b', 'Basic bWU6c2VjcmV0'))

    def test_ctrl_c_closes_with_1000(self):
        process = self.start_ws(self.server.url(self.name))
        process.stdin.write(b'hello\n')
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b'hello\n')
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 0)
        process.stdin.close()
        process.stdout.close()
        self.assertEqual(self.server.until_closed(self.name), (1000, ''))

    def test_workers_and_top_show_the_socket(self):
        probe = self.probe()
        probe.ws(url=self.server.url('/echo'))
        workers = json.loads(self.ctl_good('workers', '--json'))
        self.assertEqual(sum(w['in_flight'] for w in workers), 1)
        picture = self.ctl_good('top', '--interval', '0.2').decode()
        self.assertIn('in flight 1 ', picture)
        self.assertIn('localhost:%d' % self.server.port, picture)
        self.finish(probe)


if __name__ == '__main__':
    tap.main()
