"""Server-side request forgery: every spelling of an address that is denied, by every route that leads to
a connection. Canaries listen at each of these addresses, in a network of this test's own. While the
policy denies they see no connection at all; with the policy opened they see one for each row: the
negative control, without which their silence would prove nothing."""
import contextlib
import socket
import threading

from world import World, tap
from support import namespace
from support.daemon import Daemon
from support.tunnels import Tunnel

PUBLIC = '11.22.33.44'          # of nobody here: the network is this process's own
LOCAL, METADATA = '127.0.0.1', '169.254.169.254'

# How it is written, and where it leads. None: nowhere, with either policy.
SPELLINGS = [
    # loopback
    ('127.0.0.1', LOCAL), ('127.0.1', LOCAL), ('127.1', LOCAL), ('2130706433', LOCAL), ('0x7f000001', LOCAL),
    ('0x7f.1', LOCAL), ('0x7f.0.1', LOCAL), ('0x7f.0x0.0x0.0x1', LOCAL), ('0X7F.0X0.0X0.0X1', LOCAL),
    ('0177.0.0.1', LOCAL), ('0177.1', LOCAL), ('017700000001', LOCAL), ('00000177.00.00.01', LOCAL),
    ('127.0x0.00.1', LOCAL), ('127.0.0.1.', LOCAL), ('127.8.8.8', '127.8.8.8'), ('127.255.255.254', '127.255.255.254'),
    ('localhost', LOCAL), ('LOCALHOST', LOCAL), ('localhost.', LOCAL), ('LocalHost', LOCAL),
    ('[::1]', '::1'), ('[0:0:0:0:0:0:0:1]', '::1'), ('[0000::0001]', '::1'), ('[::0.0.0.1]', '::1'),
    # this host
    ('0', LOCAL), ('00', LOCAL), ('0x0', LOCAL), ('0.0', LOCAL), ('0.0.0.0', LOCAL), ('[::]', '::1'),
    ('[0:0:0:0:0:0:0:0]', '::1'),
    # cloud metadata, link-local
    ('169.254.169.254', METADATA), ('2852039166', METADATA), ('0xa9fea9fe', METADATA), ('169.254.43518', METADATA),
    ('0251.0376.0251.0376', METADATA), ('169.16689662', METADATA),
    # IPv4 inside of IPv6: mapped, translated, compatible, NAT64, 6to4, Teredo, ISATAP
    ('[::ffff:127.0.0.1]', LOCAL), ('[::FFFF:7f00:1]', LOCAL), ('[0:0:0:0:0:ffff:127.0.0.1]', LOCAL),
    ('[::ffff:0.0.0.0]', LOCAL), ('[::ffff:169.254.169.254]', METADATA), ('[::ffff:a9fe:a9fe]', METADATA),
    ('[::ffff:0:127.0.0.1]', '::ffff:0:127.0.0.1'), ('[::127.0.0.1]', '::127.0.0.1'),
    ('[64:ff9b::127.0.0.1]', '64:ff9b::127.0.0.1'), ('[64:ff9b::a9fe:a9fe]', '64:ff9b::169.254.169.254'),
    ('[64:ff9b:1::7f00:1]', '64:ff9b:1::127.0.0.1'), ('[2002:7f00:1::]', '2002:7f00:1::'),
    ('[2002:7f00:1::1]', '2002:7f00:1::1'), ('[2002:a9fe:a9fe::1]', '2002:a9fe:a9fe::1'),
    ('[2001:0:7f00:1::]', '2001:0:7f00:1::'), ('[2001:0:b16:212c:0:0:80ff:fffe]', '2001:0:b16:212c:0:0:80ff:fffe'),
    ('[2600::5efe:7f00:1]', '2600::5efe:7f00:1'), ('[2600::200:5efe:7f00:1]', '2600::200:5efe:7f00:1'),
    # set aside for other things
    ('192.0.0.8', '192.0.0.8'), ('192.0.2.1', '192.0.2.1'), ('192.88.99.1', '192.88.99.1'),
    ('198.18.0.1', '198.18.0.1'), ('198.51.100.1', '198.51.100.1'), ('203.0.113.7', '203.0.113.7'),
    ('240.0.0.1', '240.0.0.1'), ('[100::1]', '100::1'), ('[2001:db8::1]', '2001:db8::1'), ('[3fff::1]', '3fff::1'),
    # nobody can listen there, or it is no address
    ('224.0.0.1', None), ('[ff02::1]', None), ('255.255.255.255', None), ('256.0.0.1', None), ('127.0.0.1.1', None),
    ('\uff11\uff12\uff17.\uff10.\uff10.\uff11', None), ('127\u30020\u30020\u30021', None), ('[::ffff:127.1]', None),
    ('[::1%25lo]', None), ('[fe80::1%25lo]', None), ('[fe80::1]', None), ('0x7g.1', None), ('127.0.0.1%00.example', None), ('127.0.0.1%20', None), ('127.0.0.1%2f.example', None),
]
# No host in a request; in a redirect, where libcurl puts it right, this one.
ESCAPED = [('%31%32%37.0.0.1', LOCAL), ('127.0.0.%31', LOCAL), ('%6c%6f%63alhost', LOCAL), ('2130706%3433', LOCAL)]
# What stands before or behind the host to hide it.
TRICKS = [
    'http://public.test@%s/', 'http://public.test:80@%s/', 'http://public.test%%40@%s/', 'http://%s/@public.test',
    'http://%s?@public.test/', 'http://%s#@public.test/', 'http:///%s/', 'http:/%s/', 'HTTP://%s/', 'http:%s/',
    'http://public.test\\@%s/', 'http://public.test;@%s/', 'http:\\\\%s\\', ' http://%s/', 'http://%s\t/',
]
PRIVATE = ['10.0.0.1', '172.16.0.1', '192.168.0.1', '100.64.0.1', 'fc00::1', 'fec0::1']
ADDRESSES = sorted({where for _, where in SPELLINGS if where and where not in (LOCAL, '::1')} | {PUBLIC, *PRIVATE})


class Canary:
    """Listens at every address there is, counts, and answers each speaker with a refusal of its kind."""

    def __init__(self, greeting=b''):
        self.socket = socket.socket(socket.AF_INET6)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.bind(('::', 0))
        self.socket.listen(256)
        self.port, self.count, self.greeting = self.socket.getsockname()[1], 0, greeting
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.socket.accept()
            self.count += 1
            self.last = peer.getsockname()[0]
            peer.settimeout(5)
            with contextlib.suppress(OSError):
                if self.greeting:
                    peer.sendall(self.greeting)
                else:
                    peer.recv(65536)
                    peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
            peer.close()


def serve(server):
    """A thread for each who comes."""
    while True:
        peer, _ = server.socket.accept()
        threading.Thread(target=server.answer, args=(peer,), daemon=True).start()


class Keeper:
    """At every address: answers any number of requests on a connection, and counts them."""

    def __init__(self):
        self.socket = socket.create_server(('', 0), backlog=64)
        self.port, self.count = self.socket.getsockname()[1], 0
        threading.Thread(target=serve, args=(self,), daemon=True).start()

    def answer(self, peer):
        with peer, contextlib.suppress(OSError):
            while peer.recv(65536):
                self.count += 1
                peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')


class Redirector:
    """At the public address: sends whoever comes to what stands behind the question mark."""

    def __init__(self):
        self.socket = socket.create_server((PUBLIC, 0), backlog=256)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=serve, args=(self,), daemon=True).start()

    def answer(self, peer):
        peer.settimeout(5)
        with peer, contextlib.suppress(OSError, IndexError):
            head = b''
            while b'\r\n\r\n' not in head:
                head += peer.recv(65536)
            target = bytes.fromhex(head.split(b' ')[1].split(b'?')[1].decode())
            peer.sendall(b'HTTP/1.1 302 Found\r\nLocation: ' + target + b'\r\nContent-Length: 0\r\n'
                         b'Connection: close\r\n\r\n')

    def url(self, target):
        return 'http://%s:%d/?%s' % (PUBLIC, self.port, target.encode().hex())


class PassiveFtp:
    """At the public address: an FTP server whose data port is said to be at the canary's."""

    def __init__(self, canary):
        self.canary, self.where, self.passive = canary, LOCAL, 0
        self.socket = socket.create_server((PUBLIC, 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.socket.accept()
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        peer.settimeout(5)
        with peer, contextlib.suppress(OSError), peer.makefile('rb') as lines:
            peer.sendall(b'220 ready\r\n')
            for line in lines:
                peer.sendall(self.reply(line.split()[0].upper()))

    def reply(self, command):
        if command == b'PASV':
            self.passive += 1
            high, low = divmod(self.canary.port, 256)
            return ('227 Entering Passive Mode (%s,%d,%d)\r\n' % (self.where.replace('.', ','), high, low)).encode()
        return {b'USER': b'331 password\r\n', b'PASS': b'230 in\r\n', b'PWD': b'257 "/"\r\n', b'EPSV': b'500 no\r\n',
                b'TYPE': b'200 ok\r\n', b'SIZE': b'213 5\r\n'}.get(command, b'500 no\r\n')


def names():
    """For each address an alias, as a name server of somebody's own would have it."""
    found = {'public.test': [('A', PUBLIC)]}
    for number, where in enumerate(sorted({where for _, where in SPELLINGS if where} | set(PRIVATE))):
        kind = 'AAAA' if ':' in where else 'A'
        found['target%d.test' % number] = [(kind, where)]
        found['alias%d.test' % number] = [('CNAME', 'target%d.test' % number)]
        found['alias-of-alias%d.test' % number] = [('CNAME', 'alias%d.test' % number)]
        if kind == 'A':
            found['mixed%d.test' % number] = [('A', PUBLIC), ('A', where), ('AAAA', '::ffff:' + where)]
    flips = iter(range(1 << 30))
    found['rebinding.test'] = lambda kind: [('A', PUBLIC if next(flips) % 2 else LOCAL)]
    return found


class Bed(World):
    own_daemon = True
    allow = ()
    opened = False

    @classmethod
    def setUpClass(cls):
        if namespace.why_not():
            cls.skipTest(cls, namespace.why_not())
        Bed.enter_once()
        cls.fetchd = Daemon(allow=cls.allow, workers=1, settings={'retry.attempts': '1', 'log.level': 'info'}).start()

    @classmethod
    def enter_once(cls):
        if hasattr(Bed, 'canary'):
            return
        Bed.taken = set(namespace.enter(ADDRESSES)) | {LOCAL, '::1'}
        Bed.names = names()
        namespace.use_names(Bed.names)
        Bed.canary, Bed.redirector = Canary(), Redirector()
        Bed.ftp_canary = Canary(b'421 no\r\n')
        Bed.ftp = PassiveFtp(Bed.canary)

    def reaches(self, where):
        """Whether the canary is to be seen there, with the policy of this class."""
        return self.opened and where in self.taken

    def row(self, c, canary, title, where, url, **options):
        """One request; the canary must have seen it, or not."""
        before = canary.count
        answer = c.get(url, total_timeout_ms=10000, attempts=1, **options)
        seen = canary.count - before
        with self.subTest(route=title, url=url):
            self.assertEqual(seen > 0, self.reaches(where), (seen, answer.done))
            if not self.opened:
                self.assertIsNotNone(answer.error)
            if answer.error == 'policy.denied':
                self.assertRegex(answer.done['error']['message'], r'\[egress\]')
        return answer

    def addresses(self):
        return sorted({where for _, where in SPELLINGS if where})


class Routes:
    """Each row by each route; run below with the policy closed, and open."""

    def test_directly(self):
        with self.fetchd.connect() as c:
            denied = [self.row(c, self.canary, 'direct', where, 'http://%s:%d/' % (host, self.canary.port)).error
                      for host, where in SPELLINGS if where]
            for host in [host for host, where in SPELLINGS if not where] + [host for host, _ in ESCAPED]:
                self.row(c, self.canary, 'direct', None, 'http://%s:%d/' % (host, self.canary.port))
        self.assertGreaterEqual(len(denied), 60)
        if not self.opened:
            self.assertEqual(set(denied), {'policy.denied'})

    def test_by_a_redirect(self):
        with self.fetchd.connect() as c:
            for host, where in SPELLINGS + ESCAPED:
                url = 'http://%s:%d/' % (host, self.canary.port)
                self.row(c, self.canary, 'redirect', where, self.redirector.url(url), follow=True)

    def test_by_two_redirects(self):
        with self.fetchd.connect() as c:
            for host, where in SPELLINGS[::4] + ESCAPED:
                url = self.redirector.url('http://%s:%d/' % (host, self.canary.port))
                self.row(c, self.canary, 'redirects', where, self.redirector.url(url), follow=True)

    def test_by_an_alias_of_the_name_server(self):
        with self.fetchd.connect() as c:
            for name, rows in self.names.items():
                if name.startswith('alias'):
                    where = self.names['target' + name.lstrip('alias-of').split('.')[0] + '.test'][0][1]
                    if where in PRIVATE:
                        continue
                    self.row(c, self.canary, 'CNAME', where, 'http://%s:%d/' % (name, self.canary.port))

    def test_as_a_websocket(self):
        with self.fetchd.connect() as c:
            for host, where in SPELLINGS:
                self.row(c, self.canary, 'ws', where, 'ws://%s:%d/' % (host, self.canary.port))

    def test_as_a_websocket_by_an_alias(self):
        with self.fetchd.connect() as c:
            for name in (name for name in self.names if name.startswith('alias-of')):
                where = self.names['target%s' % name[len('alias-of-alias'):]][0][1]
                if where not in PRIVATE:
                    self.row(c, self.canary, 'ws CNAME', where, 'ws://%s:%d/' % (name, self.canary.port))

    def test_as_ftp(self):
        with self.fetchd.connect() as c:
            for host, where in SPELLINGS:
                if where:
                    self.row(c, self.ftp_canary, 'ftp', where, 'ftp://%s:%d/x' % (host, self.ftp_canary.port))

    def test_by_resolve(self):
        with self.fetchd.connect() as c:
            for where in self.addresses():
                numbers = '[%s]' % where if ':' in where else where
                self.row(c, self.canary, 'resolve', where, 'http://named.test:%d/' % self.canary.port,
                         resolve=['named.test:%d:%s' % (self.canary.port, numbers)])

    def test_as_a_proxy_that_a_client_names(self):
        with self.fetchd.connect() as c:
            for scheme in ('http', 'socks4', 'socks5', 'socks5h'):
                for host, where in SPELLINGS[::3]:
                    if where and '%' not in host:
                        self.row(c, self.canary, 'proxy', where, 'http://public.test/',
                                 proxy='%s://%s:%d' % (scheme, host, self.canary.port))

    def test_by_a_name_of_which_a_socks_proxy_is_given_the_address(self):
        """The name is looked up on our side; the proxy is at a public address, and may be asked."""
        for scheme in ('socks4', 'socks5'):
            with Tunnel(scheme, host=PUBLIC) as tunnel, self.fetchd.connect() as c:
                for name in (name for name in self.names if name.startswith('alias')):
                    kind, where = self.names['target' + name.lstrip('alias-of').split('.')[0] + '.test'][0]
                    if where in PRIVATE or (kind, scheme) == ('AAAA', 'socks4'):
                        continue
                    del tunnel.targets[:]
                    self.row(c, self.canary, scheme, where, 'http://%s:%d/' % (name, self.canary.port), proxy=tunnel.url)
                    self.assertEqual(len(tunnel.targets), int(self.reaches(where)), name)

    def test_with_tricks_around_it(self):
        with self.fetchd.connect() as c:
            reached = 0
            for trick in TRICKS:
                for host in ('127.0.0.1:%d', '2130706433:%d', '[::1]:%d', '[::ffff:127.0.0.1]:%d'):
                    before = self.canary.count
                    answer = c.get(trick % (host % self.canary.port), total_timeout_ms=5000, attempts=1)
                    seen = self.canary.count - before
                    reached += seen > 0
                    with self.subTest(trick=trick, host=host):
                        self.assertTrue(self.opened or seen == 0, answer.done)
            self.assertEqual(reached > 20, self.opened, reached)


class Closed(Routes, Bed):
    def test_a_passive_data_connection(self):
        """The server's word for another host is not taken: libcurl goes back to the one it speaks with, and
        what is there was allowed. So this holds with any policy."""
        with self.fetchd.connect() as c:
            for where in ('127.0.0.1', '169.254.169.254', '192.0.2.1', '0.0.0.0', '10.0.0.1'):
                self.ftp.where, before = where, self.canary.count
                c.get('ftp://public.test:%d/x' % self.ftp.port, total_timeout_ms=5000, attempts=1)
                self.assertEqual((self.canary.count - before, self.canary.last), (1, '::ffff:' + PUBLIC), where)
        self.assertEqual(self.ftp.passive, 5)

    def test_a_name_that_changes_its_mind(self):
        """DNS rebinding: public for one question, this host for the next. What is connected to is checked."""
        allowed = denied = 0
        with self.fetchd.connect() as c:
            before = self.canary.count
            for _ in range(200):
                answer = c.get('http://rebinding.test:%d/' % self.canary.port, total_timeout_ms=5000, attempts=1, fresh=True)
                denied += answer.error == 'policy.denied'
                if answer.error is None:
                    allowed += 1
                    self.assertTrue(answer.done['remote'].startswith(PUBLIC), answer.done)
            self.assertEqual(self.canary.count - before, allowed)
        self.assertGreater(allowed + denied, 190)

    def test_a_name_of_both_kinds_reaches_only_the_public_one(self):
        with self.fetchd.connect() as c:
            for name in (name for name in self.names if name.startswith('mixed')):
                before = self.canary.count
                answer = c.get('http://%s:%d/' % (name, self.canary.port), total_timeout_ms=5000, attempts=1)
                if answer.error is None:
                    where = answer.done['remote'].rpartition(':')[0].strip('[]').replace('::ffff:', '')
                    self.assertIn(where, [PUBLIC, *PRIVATE], (name, answer.done))
                else:
                    self.assertEqual((answer.error, self.canary.count - before), ('policy.denied', 0), name)

    def test_a_private_network_by_a_redirect_from_a_public_address(self):
        with self.fetchd.connect() as c:
            for where in PRIVATE:
                host = '[%s]' % where if ':' in where else where
                url, before = 'http://%s:%d/' % (host, self.canary.port), self.canary.count
                answer = c.get(self.redirector.url(url), follow=True, total_timeout_ms=5000, attempts=1)
                self.assertEqual((answer.error, self.canary.count - before), ('policy.denied', 0), where)
                direct = c.get(url, total_timeout_ms=5000, attempts=1)        # the control
                self.assertEqual((direct.error, self.canary.count - before), (None, 1), where)

    def test_a_private_network_by_a_redirect_through_a_socks_proxy(self):
        """A kept way that a direct request opened is none for a redirect from a public address."""
        keeper, alias = Keeper(), next(name for name, rows in self.names.items() if rows == [('A', PRIVATE[0])])
        url = 'http://%s:%d/' % (alias, keeper.port)
        for scheme in ('socks4', 'socks5'):
            with Tunnel(scheme, host=PUBLIC) as tunnel, self.fetchd.connect() as c:
                before = keeper.count
                first, again = [c.get(url, proxy=tunnel.url) for _ in range(2)]
                self.assertEqual((first.error, again.error, again.done.get('reused')), (None, None, True), again.done)
                self.assertEqual((keeper.count - before, len(tunnel.targets)), (2, 1))
                answer = c.get(self.redirector.url(url), follow=True, proxy=tunnel.url, attempts=1)
                self.assertEqual((answer.error, keeper.count - before), ('policy.denied', 2), answer.done)

    def test_a_private_network_by_a_redirect_through_an_alias(self):
        with self.fetchd.connect() as c:
            for name in (name for name in self.names if name.startswith('alias')):
                where = self.names['target' + name.lstrip('alias-of').split('.')[0] + '.test'][0][1]
                if where not in PRIVATE:
                    continue
                before = self.canary.count
                answer = c.get(self.redirector.url('http://%s:%d/' % (name, self.canary.port)), follow=True,
                               total_timeout_ms=5000, attempts=1)
                self.assertEqual((answer.error, self.canary.count - before), ('policy.denied', 0), (name, where))


class Opened(Routes, Bed):
    """The negative control."""
    allow = ('any',)
    opened = True


if __name__ == '__main__':
    tap.main()
