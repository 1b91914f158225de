"""Names: looked up many at once by few threads, remembered for as long as the operator says, over IPv6 and
IPv4, by DNS over HTTPS if the operator wants it; and files of the system that change under a running daemon."""
import http.server
import json
import shutil
import socket
import ssl
import threading
import time

from world import World, certs, nginx, origins, paths, proc, tap
from support import nameserver
from support.guard import Guard


class Case(World):
    own_daemon = True

    def with_(self, context):
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def asking(self, dns, **options):
        """A fetchd that looks names up at `dns`."""
        self.folder = paths.folder('n')
        fetchd = self.make(prefix=dns.prefix(self.folder), **options).start()
        self.addCleanup(fetchd.stop)
        return fetchd

    def dns(self, zone, **options):
        reason = nameserver.why_not()
        if reason:
            self.skipTest(reason)
        return self.with_(nameserver.NameServer(zone, **options))


class Burst(Case):
    MANY, THREADS = 1000, 16

    def test_1000_new_names_at_once_neither_exhaust_threads_nor_stand_in_line(self):
        dns = self.dns({'*.test': '127.0.0.1'}, delay=0.1)
        fetchd = self.asking(dns, settings={'workers.resolver_threads': self.THREADS,
                                            'timeouts.connect': '2m',
                                            'log.level': 'info'})
        most, urls = {}, [self.url('/1k?%d' % i, 'plain', 'n%d.test' % i) for i in range(self.MANY)]
        process = fetchd.start_fetchctl('batch', '--concurrency', self.MANY, '-', stdin=-1)
        feeder = threading.Thread(target=lambda: (process.stdin.write('\n'.join(urls).encode()),
                                                  process.stdin.close()))
        feeder.start()
        out = []
        reader = threading.Thread(target=lambda: out.extend(process.stdout.read().splitlines()))
        reader.start()
        while process.poll() is None:
            for pid in fetchd.workers().values():
                most[pid] = max(most.get(pid, 0), proc.threads(pid))
            time.sleep(0.02)
        reader.join()
        feeder.join()
        process.stdin = None
        self.assertEqual(sum(json.loads(line).get('status') == 200 for line in out), self.MANY)
        self.assertEqual(len([n for n in dns.asked if n.startswith('n')]), self.MANY)
        print('at most %d names under way at once, threads %r' % (dns.most, most))
        self.assertGreater(dns.most, self.THREADS)              # two workers ask side by side ...
        # ... with a bounded number of threads: each further multi of eight takes less than the one before.
        for pid, threads in most.items():
            self.assertLess(threads, 3 * self.THREADS + 8)

    def test_a_name_that_hangs_holds_up_no_other(self):
        dns = self.dns({'*.test': '127.0.0.1'})
        fetchd = self.asking(dns, workers=1)
        dns.delay = 3600
        with fetchd.connect() as c:
            stuck = [c.fetch(self.url('/1k', 'plain', 'stuck%d.test' % i), connect_timeout_ms=60000)
                     for i in range(8)]
            proc.until(lambda: len(dns.waiting) >= 8, 30, 'eight look-ups')
            late, dns.due = dns.due, type(dns.due)()            # those are never answered
            dns.delay = 0
            self.good(c.get(self.url('/1k', 'plain', 'quick.test')))
            for id in stuck:
                c.send('CANCEL', id)
                self.bad(c.finish(id), 'cancelled')
            self.assertEqual(len({row[3] for row in late}), 8)

    def test_one_that_is_not_answered_is_a_dns_timeout(self):
        dns = self.dns({}, delay=3600)
        with self.asking(dns).connect() as c:
            error = self.bad(c.get('http://never.test/', connect_timeout_ms=300, attempts=1), 'dns.timeout')
            self.assertEqual(error['phase'], 'dns')


class Lifetime(Case):
    def count(self, settings, requests=4):
        dns = self.dns({'*.test': '127.0.0.1'})
        with self.asking(dns, workers=1, settings=settings).connect() as c:
            for _ in range(requests):
                self.good(c.get(self.url('/1k', 'plain', 'x.test'), fresh=True))
        return dns.asked['x.test']

    def test_an_answer_is_used_again(self):
        self.assertEqual(self.count({}), 1)

    def test_without_a_lifetime_each_connection_asks_anew(self):
        self.assertEqual(self.count({'dns.lifetime': '0s'}), 4)

    def test_it_ends(self):
        dns = self.dns({'*.test': '127.0.0.1'})
        with self.asking(dns, workers=1, settings={'dns.lifetime': '1s'}).connect() as c:
            def ask():
                self.good(c.get(self.url('/1k', 'plain', 'x.test'), fresh=True))
                return dns.asked['x.test'] > 1
            ask()
            self.assertEqual(dns.asked['x.test'], 1)
            proc.until(ask, 30, 'another look-up')

    def test_users_of_different_partitions_ask_each_for_themselves(self):
        dns = self.dns({'*.test': '127.0.0.1'})
        with self.asking(dns, workers=1).connect() as c:
            for way in (dict(), dict(tls_max='1.2'), dict(connect_to=['a:1:b:2'])):
                for _ in range(2):
                    self.good(c.get(self.url('/1k', 'plain', 'x.test'), fresh=True, **way))
        self.assertEqual(dns.asked['x.test'], 3)


class Changes(Case):
    def test_a_new_resolv_conf_is_used_by_what_is_looked_up_next(self):
        old, new = self.dns({'*.test': '127.0.0.1'}), self.dns({'*.test': '127.0.0.1'})
        with self.asking(old).connect() as c:
            self.good(c.get(self.url('/1k', 'plain', 'one.test')))
            self.assertEqual((old.asked['one.test'], new.asked['one.test']), (1, 0))
            (self.folder / 'resolv.conf').write_text(new.conf())
            self.good(c.get(self.url('/1k', 'plain', 'two.test')))
            self.assertEqual((old.asked['two.test'], new.asked['two.test']), (0, 1))

    def test_a_new_ca_file_holds_without_a_reload_and_a_broken_one_changes_nothing(self):
        other = certs.Authority(paths.folder('c'), 'another CA')
        path = paths.folder('c') / 'ca.pem'
        shutil.copy(self.authority.cert_path, path)
        with Guard(other.leaf('other')) as guard, self.make(allow=[guard.port], ca=path) as fetchd, \
                fetchd.connect() as c:
            before = set(fetchd.workers().values())
            held = c.fetch(self.url('/hold/ca'))
            self.backend.until_waiting('ca')
            self.bad(c.get(guard.url('/open')), 'tls.certificate')
            both = self.authority.cert_path.read_bytes() + other.cert_path.read_bytes()
            for broken in (b'', b'nonsense\n', both[:-60]):
                path.write_bytes(broken)
                fetchd.until_log('ca_file = .*(?:holds no certificate|cut off).*keeping')
                fetchd.log_path.write_text('')
                self.good(c.get(self.url('/1k'), fresh=True))
            self.assertEqual(set(fetchd.workers().values()), before)
            path.write_bytes(both)
            proc.until(lambda: c.get(guard.url('/open'), fresh=True).error is None, 60,
                       'trust in the new authority')
            self.good(c.get(self.url('/1k'), fresh=True))
            self.backend.release('ca')
            self.good(c.finish(held))                           # by a worker that was replaced meanwhile
            path.write_bytes(other.cert_path.read_bytes())      # and one that is gone is trusted no more
            proc.until(lambda: c.get(self.url('/1k'), fresh=True).error == 'tls.certificate', 60, 'distrust')

    def test_a_reload_refuses_a_ca_file_that_is_broken(self):
        path = paths.folder('c') / 'ca.pem'
        shutil.copy(self.authority.cert_path, path)
        with self.make(ca=path) as fetchd:
            path.write_bytes(self.authority.cert_path.read_bytes()[:-60])
            run = fetchd.fetchctl('reload')
            self.assertNotEqual(run.returncode, 0)
            self.assertIn('ca_file', run.stderr.decode())
            self.assertEqual(fetchd.fetchctl('get', self.url('/1k')).returncode, 0)


class Eyeballs(Case):
    """An IPv6 address that never answers, and an IPv4 one that does, or the other way round."""

    def test_the_family_that_answers_is_used(self):
        if not nginx.has_ipv6():
            self.skipTest('no IPv6 on this machine')
        for dead, live in (('::1', '127.0.0.1'), ('127.0.0.1', '::1')):
            with self.subTest(dead=dead), origins.Blackhole(dead) as hole:
                server = http.server.HTTPServer if live == '127.0.0.1' else Six
                with server((live, hole.port), Hello) as origin:
                    threading.Thread(target=origin.serve_forever, args=(0.05,), daemon=True).start()
                    with self.make(allow=[hole.port]) as fetchd, fetchd.connect() as c:
                        addresses = '[::1],127.0.0.1' if dead == '::1' else '127.0.0.1,[::1]'
                        began = time.monotonic()
                        answer = self.good(c.get('http://both.example:%d/' % hole.port,
                                                 connect_timeout_ms=20000,
                                                 resolve=['both.example:%d:%s' % (hole.port, addresses)]))
                        print('%s is dead: answered after %.2f s' % (dead, time.monotonic() - began))
                        self.assertIn(live, answer.done['remote'])
                    origin.shutdown()


class Six(http.server.HTTPServer):
    address_family = socket.AF_INET6


class Hello(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '3')
        self.end_headers()
        self.wfile.write(b'hi\n')


class DohServer(http.server.ThreadingHTTPServer):
    """DNS over HTTPS (RFC 8484), POST; knows what a NameServer would."""
    daemon_threads = True

    def __init__(self, pair, zone):
        super().__init__(('127.0.0.1', 0), DohHandler)
        self.zone, self.asked = zone, []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert_path, pair.key_path)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = 'https://localhost:%d/dns-query' % self.server_port
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        pass

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class DohHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def do_POST(self):
        query = self.rfile.read(int(self.headers['Content-Length']))
        name, kind, end = nameserver.NameServer.question(query)
        self.server.asked.append(name)
        body = nameserver.reply(query, end, self.server.zone.get(name), kind)
        self.send_response(200)
        self.send_header('Content-Type', 'application/dns-message')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Doh(Case):
    def test_the_operators_server_is_asked_and_the_rules_hold_for_what_it_answers(self):
        zone = {'x.example': '127.0.0.1', 'meta.example': '169.254.169.254'}
        with DohServer(self.site.leaf, zone) as doh:
            # No rule of [egress] allows the server itself.
            with self.make(settings={'dns.doh_url': doh.url}) as fetchd, fetchd.connect() as c:
                for turn in range(20):                          # its connections come and go beside ours
                    self.good(c.get(self.url('/1k', 'plain', 'x.example'), fresh=True,
                                    tls_max='1.%d' % (2 + turn % 2)))
                self.bad(c.get('http://meta.example/'), 'policy.denied')
                self.bad(c.get('http://nothing.example/', attempts=1), 'dns.failed')
                self.bad(c.get('https://localhost:%d/' % doh.server_port), 'policy.denied')
            self.assertEqual(set(doh.asked), {'x.example', 'meta.example', 'nothing.example'})

    def test_a_server_that_is_not_trusted_is_not_believed_whatever_the_request_trusts(self):
        other = certs.Authority(paths.folder('c'), 'another CA')
        with DohServer(other.leaf('doh'), {'x.example': '127.0.0.1'}) as doh:
            settings = {'dns.doh_url': doh.url, 'tls.insecure': 'yes'}
            with self.make(settings=settings) as fetchd, fetchd.connect() as c:
                for more in (dict(), dict(insecure=True), dict(ca_pem=other.cert_path.read_bytes())):
                    self.bad(c.get(self.url('/1k', 'plain', 'x.example'), attempts=1, **more), 'dns.failed')
            self.assertEqual(doh.asked, [])

    def test_a_client_can_not_name_one(self):
        run = self.ctl('get', '--doh-url', 'https://localhost/', self.url('/1k'),
                       fetchd=self.with_(self.make()))
        self.assertEqual(run.returncode, 4)


if __name__ == '__main__':
    tap.main()
