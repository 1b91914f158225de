"""Troubles on the client's side of the daemon: a disk that is full, a connection that is closed by half."""
import contextlib
import socket
import subprocess
import threading

from world import KIB, World, paths, tap


class DiskFull(World):
    """fetchctl says so, exits 23 as curl does, and lets the daemon stop the rest."""

    def fails(self, *args, says, prefix=(), **options):
        run = self.ctl('get', *args, prefix=prefix, **options)
        self.assertEqual(run.returncode, 23, run.stderr)
        self.assertIn(says, run.stderr.decode())
        self.fetchd.until_idle()
        self.ctl_good('get', '-o', '/dev/null', self.url('/1k', 'h1'))
        return run

    def test_a_device_that_is_full(self):
        for path in ('/1k', '/100m'):
            self.fails('-o', '/dev/full', self.url(path, 'h1'), says='No space left on device')

    def test_stdout_that_is_full(self):
        with open('/dev/full', 'wb') as full:
            run = subprocess.run([str(paths.FETCHCTL), 'get', self.url('/1m', 'h1')], stdout=full, timeout=60,
                                 stderr=subprocess.PIPE, env=self.fetchd.environment())
        self.assertEqual(run.returncode, 23)
        self.assertIn('No space left', run.stderr.decode())

    def test_a_file_that_may_not_grow(self):
        """RLIMIT_FSIZE; its signal would kill a program that does not mind it."""
        out = self.fetchd.folder / 'limited'
        self.fails('-o', out, self.url('/1m', 'h2'), prefix=('prlimit', '--fsize=%d' % (100 * KIB)), says='File too large')
        self.assertLessEqual(out.stat().st_size, 100 * KIB)
        whole = (self.nginx.root / '1m').read_bytes()
        kept = out.read_bytes()
        self.assertEqual(kept, whole[:len(kept)], 'what came before is not what was sent')
        self.ctl_good('get', '-C', '-', '-o', out, self.url('/1m', 'h2'))
        self.assertEqual(out.read_bytes(), whole, 'it could not be gone on with')

    def test_a_file_system_that_is_full(self):
        folder = self.fetchd.folder / 'small'
        folder.mkdir()
        mount = ('unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o size=256k none %s || exit 99; exec "$@"' % folder, 'sh')
        if subprocess.run([*mount, 'true'], stderr=subprocess.DEVNULL).returncode:
            self.skipTest('no file system may be mounted here')
        self.fails('-o', folder / 'file', self.url('/1m', 'h1'), prefix=mount, says='No space left on device')

    def test_headers_and_etags_that_find_no_room(self):
        self.fails('-D', '/dev/full', '-o', '/dev/null', self.url('/1k', 'h1'), says='No space left on device')
        self.fails('--etag-save', '/dev/full', '-o', '/dev/null', self.url('/1k', 'h1'), says='No space left on device')

    def test_one_of_several_urls(self):
        out = self.fetchd.folder / 'second'
        run = self.ctl('get', '-o', '/dev/full', '-o', out, self.url('/1m', 'h1'), self.url('/1k', 'h1'))
        self.assertEqual((run.returncode, out.stat().st_size), (23, KIB))


class Relay:
    """Between a client and the daemon: closes the sending side towards the daemon when told."""

    def __init__(self, folder, target):
        self.path = folder / 'relay.sock'
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.target = target
        self.close_now = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        client, _ = self.listener.accept()
        daemon = socket.socket(socket.AF_UNIX)
        daemon.connect(str(self.target))
        threading.Thread(target=self.copy, args=(client, daemon), daemon=True).start()
        threading.Thread(target=self.half_close, args=(daemon,), daemon=True).start()
        self.copy(daemon, client)
        client.shutdown(socket.SHUT_RDWR)

    def half_close(self, daemon):
        self.close_now.wait(60)
        daemon.shutdown(socket.SHUT_WR)

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while True:
                piece = source.recv(65536)
                if not piece:
                    return
                target.sendall(piece)


class HalfClosed(World):
    """A client that can't say anything any more can't give credit: it is told, and what it had open ends."""

    def test_what_was_open_is_cancelled_and_it_is_told(self):
        for server in ('h1', 'h2'):
            with self.subTest(server=server), self.fetchd.connect() as c:
                name = 'half-' + server
                for _ in range(3):
                    c.fetch(self.url('/hold/' + name, server))
                upload = c.fetch(self.url('/hold/' + name, server), method='POST', body_streamed=True, expect_timeout_ms=0)
                self.backend.until_waiting(name, 3)
                c.socket.shutdown(socket.SHUT_WR)
                error = c.closed()
                self.assertEqual(error['name'], 'cancelled')
                self.assertIn('you closed your side', error['message'])
                self.assertIsNone(c.answer(upload).done)
                self.backend.until_ended(name, 3)
                self.fetchd.until_idle()

    def test_in_the_midst_of_a_body(self):
        with self.fetchd.connect(auto_credit=False) as c:
            id = c.fetch(self.url('/100m', 'h2'))
            c.until(lambda: c.answer(id).bytes > 100000)
            c.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(c.closed()['name'], 'cancelled')
        self.fetchd.until_idle()

    def test_without_anything_open_it_is_a_goodbye(self):
        with self.fetchd.connect() as c:
            self.good(c.get(self.url('/1k')))
            c.socket.shutdown(socket.SHUT_WR)
            self.assertIsNone(c.closed())

    def test_fetchctl_says_so_and_exits_42(self):
        relay = Relay(self.fetchd.folder, self.fetchd.socket)
        env = dict(self.fetchd.environment(), FETCHD_ADDRESS='unix:%s' % relay.path)
        process = subprocess.Popen([str(paths.FETCHCTL), 'get', self.url('/hold/ctl-half', 'h1')], env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.backend.until_waiting('ctl-half')
        relay.close_now.set()
        _, said = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 42, said)
        self.assertIn('cancelled', said.decode())
        self.backend.until_ended('ctl-half')

    def test_others_go_on(self):
        with self.fetchd.connect() as other, self.fetchd.connect() as c:
            id = other.fetch(self.url('/hold/others', 'h2'))
            c.fetch(self.url('/hold/others', 'h2'))
            self.backend.until_waiting('others', 2)
            c.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(c.closed()['name'], 'cancelled')
            self.backend.release('others')
            self.good(other.finish(id))


if __name__ == '__main__':
    tap.main()
