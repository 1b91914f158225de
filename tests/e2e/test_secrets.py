"""What is nobody's to read (credentials, cookies, header values, query strings, bodies) is in no log line, no
status, no metric, no argument and no environment, however the request ends; and once a request has ended,
the daemon's memory holds it no more."""
import os
import re
import signal
import unittest

from world import World, origins, proc, tap
from support.protocol import encode

MARK = 'xq7Secret'


def secret(name):
    """Told apart by name, and nowhere in this text as it is sent."""
    return MARK + name.title() + MARK[::-1]


def writable_memory(pid):
    """The bytes of every writable mapping."""
    with open('/proc/%d/maps' % pid) as maps, open('/proc/%d/mem' % pid, 'rb') as memory:
        for line in maps:
            match = re.match(r'([0-9a-f]+)-([0-9a-f]+) rw', line)
            if match and '[vvar' not in line:
                start, end = (int(part, 16) for part in match.groups())
                if end - start > 1 << 30:          # a sanitizer's
                    continue
                try:
                    memory.seek(start)
                    yield memory.read(end - start)
                except (OSError, ValueError, OverflowError):
                    continue


def secrets_in(pid):
    found = set()
    for piece in writable_memory(pid):
        found.update(match.decode() for match in re.findall(MARK.encode() + rb'[A-Za-z]{3,12}' + MARK[::-1].encode(), piece))
    return found


class Tells(origins.Origin):
    """An origin whose answers hold secrets of its own."""

    def do_tell(self, peer):
        peer.sendall(('HTTP/1.1 200 OK\r\nSet-Cookie: sid=%s\r\nX-Token: %s\r\nContent-Length: %d\r\n\r\n%s'
                      % (secret('setcookie'), secret('answer'), len(secret('body')), secret('body'))).encode())
        return True

    def do_away(self, peer):
        peer.sendall(('HTTP/1.1 302 Found\r\nLocation: /tell?%s\r\nContent-Length: 0\r\n\r\n' % secret('location')).encode())
        return True

    def do_hang(self, peer):
        self.wait_end(peer)

    def __getattr__(self, name):        # asked as a proxy, it has nothing to say
        if name.startswith('do_'):
            return self.close_notify
        raise AttributeError(name)


class Secrets(World):
    own_daemon = True

    def request(self, origin, path, **more):
        """All at once, in each place where a client can put one."""
        url = origin.url(path + '?' + secret('query'), '127.0.0.1')
        options = dict(credentials=('me:' + secret('password')).encode(), headers=[[b'X-Api-Key', secret('header').encode()],
                                                                                [b'Cookie', ('a=' + secret('cookie')).encode()]],
                       method='POST', body=secret('upload').encode())
        return url, dict(options, **more)

    def ways_to_end(self, origin, fetchd, c):
        url, options = self.request(origin, '/tell')
        self.assertIsNone(c.get(url, **options).error)
        url, options = self.request(origin, '/away', follow=True, method='GET')
        options.pop('body')
        self.assertIsNone(c.get(url, **options).error)
        url, options = self.request(origin, '/reset')
        c.get(url, **options)
        url, options = self.request(origin, '/garbage')
        c.get(url, **options)
        c.get('http://127.0.0.1:1/?' + secret('query'), credentials=b'x:' + secret('password').encode())     # denied
        c.get('http://no-such-name.invalid/?' + secret('query'))
        c.get('http://me:%s@127.0.0.1:%d/tell' % (secret('userinfo'), origin.port))
        c.get('http://me:%s@127.0.0.1:%d/\r\nX: y' % (secret('userinfo'), origin.port))                 # no URL
        c.get(origin.url('/tell', '127.0.0.1'), headers=[[b'X-\r\n', secret('header').encode()]])            # no header
        c.get(origin.url('/tell', '127.0.0.1'), proxy='http://me:%s@127.0.0.1:%d' % (secret('proxy'), origin.port))
        c.get(origin.url('/tell', '127.0.0.1'), cert_pem=secret('cert').encode(), key_pem=secret('key').encode())
        for kill in (signal.SIGSEGV, signal.SIGKILL):                                              # a worker lost
            url, options = self.request(origin, '/hang')
            before = len(origin.requests)
            id = c.fetch(url, **options)
            proc.until(lambda: len(origin.requests) > before, what='the request at the origin')
            for pid in fetchd.workers().values():
                proc.crash(pid, kill)
            c.finish(id)
            fetchd.wait_ready()
        url, options = self.request(origin, '/hang')
        c.get(url, total_timeout_ms=100, **options)

    def test_none_is_told_anywhere(self):
        for form in ('text', 'json'):
            with self.subTest(form=form), Tells() as origin, \
                    self.make([origin.port], settings={'log.level': 'debug', 'log.format': form,
                                                       'retry.attempts': '1'}) as fetchd:
                with fetchd.connect() as c:
                    self.ways_to_end(origin, fetchd, c)
                    c.send('STATUS', 900)
                    status = repr(c.receive())
                    metrics = self.ctl_good('metrics', fetchd=fetchd).decode()
                for pid in [fetchd.pid, *fetchd.workers().values()]:
                    with open('/proc/%d/cmdline' % pid) as arguments:
                        self.assertNotIn(MARK, arguments.read())
                    self.assertNotIn(MARK.encode(), b''.join(proc.environment(pid)))
                fetchd.stop()
                for title, text in (('log', fetchd.log()), ('status', status), ('metrics', metrics)):
                    self.assertGreater(len(text), 100, title)
                    self.assertNotIn(MARK, text, title)
                self.assertGreater(len(fetchd.log().splitlines()), 100)

    def test_a_frame_that_is_wrong_is_not_quoted(self):
        with self.make(settings={'log.level': 'debug'}) as fetchd:
            for body in (dict(url=secret('url') + '\x00', headers='x'), dict(url=5, credentials=secret('password')), secret('text'),
                         {secret('name'): 1, 'url': 'x' * 40000}, {secret('name'): 1}):
                with fetchd.connect() as c:
                    c.send_raw(encode('FETCH', 1, body))
                    c.closed()
            self.assertNotIn(MARK, fetchd.log())

    def test_the_daemon_forgets_them_with_the_request(self):
        if os.geteuid() != 0:
            self.skipTest('not root: another process\'s memory is not ours to read')
        with Tells() as origin, self.make([origin.port], workers=1, settings={'log.level': 'info'}) as fetchd:
            with fetchd.connect() as c:
                url, options = self.request(origin, '/hang')
                id = c.fetch(url, **options)
                proc.until(lambda: origin.open, what='the request at the origin')
                held = secrets_in(fetchd.pid)       # the control: while it is needed, it is there
                self.assertIn(secret('password'), held)
                c.send('CANCEL', id)
                c.finish(id)
                url, options = self.request(origin, '/tell')
                self.assertIsNone(c.get(url, **options).error)
            fetchd.until_idle()
            left = secrets_in(fetchd.pid)
            print('left in the daemon: %s; in the worker: %s'
                  % (sorted(left), sorted(secrets_in(next(iter(fetchd.workers().values()))))))
            self.assertEqual(left & {secret(name) for name in ('password', 'header', 'cookie')}, set())


    def test_a_worker_forgets_them_with_the_partition(self):
        """Kept handles and connections hold the last request's; once they are closed nothing does, whoever had it allocated."""
        if os.geteuid() != 0:
            self.skipTest('not root: another process\'s memory is not ours to read')
        with Tells() as origin, self.make([origin.port, self.nginx.ports['h2']], workers=1,
                                          settings={'workers.partition_idle': '3s'}) as fetchd, fetchd.connect() as c:
            worker = next(iter(fetchd.workers().values()))
            url, options = self.request(origin, '/tell')
            self.assertIsNone(c.get(url, **options).error)
            self.assertIsNone(c.get(self.url('/1k?' + secret('query'), 'h2'), **options).error)
            sent = {secret(name) for name in ('password', 'header', 'cookie', 'upload')}
            self.assertLessEqual(sent, secrets_in(worker))      # the control
            proc.until(lambda: not origin.open, 30, 'the end of the partition')
            proc.until(lambda: not sent & secrets_in(worker), 10, 'memory without %s' % (sent & secrets_in(worker)))
            print('left in the worker: %s' % sorted(secrets_in(worker)))


class Cores(World):
    own_daemon = True

    @unittest.skipUnless(os.path.exists('/proc/self/limits'), 'not Linux')
    def test_neither_process_leaves_a_core_file(self):
        """Not dumpable: /proc says so by its owner; and no soft limit of core files in a worker either."""
        with self.make() as fetchd:
            for pid in fetchd.workers().values():
                with open('/proc/%d/limits' % pid) as file:
                    row = next(line for line in file if line.startswith('Max core file size'))
                self.assertEqual(row.split()[4], '0')
        with self.make(settings={'workers.core': 'yes'}, workers=1) as fetchd:      # the control
            with open('/proc/%d/limits' % next(iter(fetchd.workers().values()))) as file:
                row = next(line for line in file if line.startswith('Max core file size'))
            self.assertEqual(row.split()[4], row.split()[5])


if __name__ == '__main__':
    tap.main()
