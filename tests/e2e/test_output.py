"""Bodies that a worker writes into the client's file: none of their bytes pass through the daemon."""
import contextlib
import hashlib
import os
import signal
import socket
import subprocess

from world import MIB, World, paths, proc, tap


class Output(World):
    def setUp(self):
        self.folder = paths.folder('o')
        self.path = self.folder / 'body'

    def sha256(self, path=None):
        return hashlib.sha256((path or self.path).read_bytes()).hexdigest()

    def passed_through(self):
        """Bytes that the daemon has read from its workers and clients so far."""
        with open('/proc/%d/io' % self.fetchd.pid) as file:
            return int(file.readline().split()[1])

    def ask(self, c, url, fd, **options):
        """Has the body written to `fd`. Returns the id."""
        id = c.fetch(url, window=0, **options)
        c.until(lambda: c.answer(id).response or c.answer(id).done)
        c.send_descriptor('OUTPUT', id, fd)
        return id


class Fetchctl(Output):
    def get(self, url, *args):
        return self.ctl('get', '-s', '-o', str(self.path), *args, url)

    def test_a_large_body_does_not_pass_through_the_daemon(self):
        for server in ('h1', 'h2'):
            with self.subTest(server=server):
                before = self.passed_through()
                run = self.get(self.url('/100m', server))
                self.assertEqual((run.returncode, self.sha256()), (0, self.nginx.hashes['100m']), run.stderr)
                self.assertLess(self.passed_through() - before, MIB)

    def test_what_is_decoded_is_what_is_written(self):
        run = self.get(self.url('/gzip/100m'), '--compressed')
        self.assertEqual((run.returncode, self.sha256()), (0, self.nginx.hashes['100m']), run.stderr)

    def test_a_resumed_file_goes_on_where_it_was(self):
        whole = (self.nginx.root / '100m').read_bytes()
        self.path.write_bytes(whole[:30 * MIB])
        run = self.get(self.url('/100m', 'h1'), '-C', '-')
        self.assertEqual((run.returncode, self.sha256()), (0, self.nginx.hashes['100m']), run.stderr)

    def test_an_answer_that_fails_leaves_no_file(self):
        run = self.get(self.url('/status/404?bytes=%d' % (2 * MIB)), '--fail')
        self.assertEqual((run.returncode, self.path.exists()), (22, False), run.stderr)

    def test_headers_in_front_and_a_pipe_have_their_body_from_fetchctl(self):
        run = self.get(self.url('/1m', 'h1'), '-i')
        head, _, body = self.path.read_bytes().partition(b'\r\n\r\n')
        self.assertEqual((run.returncode, hashlib.sha256(body).hexdigest()), (0, self.nginx.hashes['1m']))
        self.assertTrue(head.startswith(b'HTTP/1.1 200'))
        run = self.ctl('get', '-s', '-o', '/dev/stdout', self.url('/1m'))
        self.assertEqual(hashlib.sha256(run.stdout).hexdigest(), self.nginx.hashes['1m'])

    def test_two_files_at_once_keep_apart(self):
        words = []
        for i in range(6):
            words += ['-o', str(self.folder / str(i)), self.url('/1m?%d' % i if i % 2 else '/100m', 'h1')]
        run = self.ctl('get', '-s', *words)
        self.assertEqual(run.returncode, 0, run.stderr)
        for i in range(6):
            self.assertEqual(self.sha256(self.folder / str(i)), self.nginx.hashes['1m' if i % 2 else '100m'])

    def test_a_body_that_ends_too_early_is_told(self):
        origin = self.origin()
        with self.make([origin.port]) as fetchd:
            run = self.ctl('get', '-s', '-o', str(self.path), origin.url('/short'), fetchd=fetchd)
            self.assertEqual(run.returncode, 18, run.stderr)


class Protocol(Output):
    def test_a_memory_file_is_written_too(self):
        fd = os.memfd_create('body')
        self.addCleanup(os.close, fd)
        with self.fetchd.connect() as c:
            answer = c.finish(self.ask(c, self.url('/1m'), fd))
        self.assertIsNone(answer.error, answer.done)
        self.assertEqual((answer.bytes, answer.done['body_bytes']), (0, MIB))
        self.assertEqual(hashlib.sha256(os.pread(fd, 2 * MIB, 0)).hexdigest(), self.nginx.hashes['1m'])

    def test_it_begins_at_the_files_position(self):
        with open(self.path, 'wb') as file, self.fetchd.connect() as c:
            file.write(b'before')
            file.flush()
            self.assertIsNone(c.finish(self.ask(c, self.url('/1k'), file.fileno())).error)
        whole = self.path.read_bytes()
        self.assertEqual((whole[:6], hashlib.sha256(whole[6:]).hexdigest()), (b'before', self.nginx.hashes['1k']))

    def test_a_redirect_and_a_retry_leave_nothing_in_the_file(self):
        origin = self.origin()
        with open(self.path, 'wb') as file, self.fetchd.connect() as c:
            answer = c.finish(self.ask(c, self.url('/r302?to=/1k'), file.fileno(), follow=True))
        self.assertIsNone(answer.error, answer.done)
        self.assertEqual(self.sha256(), self.nginx.hashes['1k'])
        origin.stop()

    def test_a_client_that_hangs_up_ends_the_writing(self):
        with open(self.path, 'wb') as file:
            with self.fetchd.connect() as c:
                self.ask(c, self.url('/half/gone/2000000', 'h1'), file.fileno())
            self.fetchd.until_idle()

    def test_a_worker_that_dies_in_the_midst_is_told(self):
        with self.make(workers=1) as fetchd, open(self.path, 'wb') as file, fetchd.connect() as c:
            id = self.ask(c, self.url('/half/output/2000000', 'h1'), file.fileno())
            proc.until(lambda: os.path.getsize(self.path) > 0, what='the first half')
            os.kill(fetchd.workers()[1], signal.SIGKILL)
            answer = c.finish(id)
            self.assertEqual(answer.error, 'worker.lost')
            self.backend.release('output')

    def test_what_the_daemon_refuses_still_comes_as_data(self):
        with self.fetchd.connect() as c, open('/dev/null', 'wb') as null:
            id = c.fetch(self.url('/1m'), window=0)
            c.until(lambda: c.answer(id).response)
            c.send_descriptor('OUTPUT', id, null.fileno())
            c.until(lambda: 'OUTPUT_REFUSED' in c.answer(id).frames)
            c.streams[id][1] = 256 << 10
            c.send('CREDIT', id, dict(bytes=256 << 10))
            self.good(c.finish(id), sha256=self.nginx.hashes['1m'])

    def test_what_is_no_file_to_be_written_is_refused_with_its_reason(self):
        with contextlib.ExitStack() as opened, self.fetchd.connect() as c:
            def fd(path, flags):
                number = os.open(path, flags)
                opened.callback(os.close, number)
                return number
            os.mkfifo(self.path.with_name('fifo'))
            self.path.write_bytes(b'old')
            ends = os.pipe()
            for end in ends:
                opened.callback(os.close, end)
            pair = socket.socketpair()
            for end in pair:
                opened.callback(end.close)
            rows = (('a device', fd('/dev/null', os.O_WRONLY)), ('memory of a process', fd('/proc/self/mem', os.O_RDWR)),
                    ('a setting of a process', fd('/proc/self/oom_score_adj', os.O_WRONLY)),
                    ('a named pipe', fd(self.path.with_name('fifo'), os.O_RDWR)), ('a pipe', ends[1]),
                    ('a socket', pair[0].fileno()), ('a folder', fd(self.path.parent, os.O_RDONLY)),
                    ('open for reading', fd(self.path, os.O_RDONLY)), ('only named', fd(self.path, os.O_PATH)))
            for what, number in rows:
                with self.subTest(what=what):
                    id = self.ask(c, self.url('/1k'), number)
                    c.until(lambda: 'OUTPUT_REFUSED' in c.answer(id).frames)
                    c.send('CANCEL', id)
                    c.finish(id)
            self.assertEqual(self.path.read_bytes(), b'old')

    def test_descriptors_that_nobody_asked_for_stay_few(self):
        with self.fetchd.connect() as c, open(self.path, 'wb') as file:
            before = proc.fds(self.fetchd.pid)
            for _ in range(100):
                c.send_descriptor('PING', 0, file.fileno())
            self.good(c.get(self.url('/1k')))
            self.assertLess(proc.fds(self.fetchd.pid) - before, 10)
        proc.until(lambda: proc.fds(self.fetchd.pid) <= before, what='the descriptors to be closed')

    def test_no_descriptor_is_left_over(self):
        pids = [self.fetchd.pid, *self.fetchd.workers().values()]
        with self.fetchd.connect() as c, open(self.path, 'wb') as file:
            self.assertIsNone(c.finish(self.ask(c, self.url('/1k'), file.fileno())).error)
            before = sum(map(proc.fds, pids))
            for _ in range(50):
                self.assertIsNone(c.finish(self.ask(c, self.url('/1k'), file.fileno())).error)
            self.assertLessEqual(sum(map(proc.fds, pids)), before + 2)


class Full(Output):
    def test_a_full_disk_is_said(self):
        if os.geteuid() != 0:
            self.skipTest('needs root, to mount a small file system')
        mount = self.folder / 'small'
        mount.mkdir()
        if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'small', str(mount)],
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest('no file system can be mounted here')
        self.addCleanup(subprocess.run, ['umount', str(mount)])
        with self.make() as fetchd:                  # sees the mount, whatever the other one sees
            run = self.ctl('get', '-sS', '-o', str(mount / 'body'), self.url('/100m', 'h1'), fetchd=fetchd)
            self.assertEqual(run.returncode, 23, run.stderr)
            self.assertIn(b'No space left', run.stderr)
            self.assertIn(b'output.failed', run.stderr)


if __name__ == '__main__':
    tap.main()
