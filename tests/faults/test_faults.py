"""Each allocation and each system call of the set-up, of one request and of the stop fails once: in the daemon,
in a worker, in a client. The daemon ends with a sentence or goes on; a request is answered once; what comes
after is as before; nothing is lost of memory and descriptors; fetchctl has the answer or says why not. hook.c is
what fails them.

Each of the daemon's; of a worker's, which are many, every so-many-th: FAULTS_EACH=1 (make faults) takes each.
"""
import collections
import os
import re
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import certs, origins, paths, proc, tap  # noqa: E402
from support.daemon import Daemon  # noqa: E402
from support.protocol import Closed  # noqa: E402

HOOK = paths.BUILD / 'tests' / 'faults' / 'libhook.so'
QUICK = {'workers.backoff_min': '1ms', 'workers.backoff_max': '10ms', 'workers.start_timeout': '3s',
         'retry.delay': '1ms', 'log.level': 'info', 'metrics.port': '0'}
RUNS = 25                   # of a worker, of each kind, when not each is taken
TRIES = 5
ENDS = (0, 27, 110, 112)     # it is answered; no memory; no daemon; not to be trusted


class FaultyDaemon(Daemon):
    """`fault` is "alloc:N" or "call:N", of the daemon or of its worker."""

    def __init__(self, fault, of, port, **more):
        folder = paths.folder('x')
        preload = 'LD_PRELOAD=%s FAULTS=%s' % (HOOK, fault)
        program, prefix = None, ()
        if of == 'worker':
            program = folder / 'fetchd-worker'
            # Once: whoever comes after it is sound.
            program.write_text('#!/bin/sh\nif mkdir %s/once 2>/dev/null; then exec env -i %s %s; fi\nexec %s\n'
                               % (folder, preload, paths.WORKER, paths.WORKER))
            program.chmod(0o755)
        else:
            prefix = ('env', *preload.split(' '))
        super().__init__(allow=[port], workers=1, folder=folder, program=program, prefix=prefix, settings=QUICK, **more)

    def counted(self):
        """What the hook said last; None when its process did not come to its end."""
        said = re.findall(r'faults: at the end (\d+) allocations, (\d+) calls, (-?\d+) live', self.log())
        return dict(zip(('alloc', 'call', 'live'), map(int, said[-1]))) if said else None


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        paths.need_programs()
        if paths.sanitized():
            raise unittest.SkipTest('the sanitizer has an allocator of its own')
        cls.authority = certs.Authority(paths.folder('c'))
        cls.plain, cls.secure = origins.Origin().start(), origins.Origin(cls.authority.leaf('site')).start()

    @classmethod
    def tearDownClass(cls):
        cls.plain.stop()
        cls.secure.stop()

    def setUp(self):
        self.origin = self.plain

    def each(self, kind, of):
        whole = self.run_with('%s:0' % kind, of)
        count = whole[kind]
        step = 1 if of == 'daemon' or os.environ.get('FAULTS_EACH') else max(1, count // RUNS)
        offset = (step + 1) // 2
        print('%d of %s in a %s, each %d. from %d on' % (count, kind, of, step, offset))
        reached = 0
        for number in range(offset, count + 1, step):
            fault = '%s:%d' % (kind, number)
            with self.subTest(of=of, fault=fault):
                reached += self.run_with(fault, of, whole) is not None
        self.assertGreater(reached, 0)

    def run_with(self, fault, of, whole=None):
        """One life of a daemon. Returns what was counted; None when the daemon did not start."""
        fetchd = FaultyDaemon(fault, of, self.origin.port, ca=self.authority.cert_path)
        fetchd.spawn()
        try:
            if not self.comes_up(fetchd):
                self.assert_clear_end(fetchd)
                return None
            first = self.ask(fetchd)
            if first is None and self.ends(fetchd):         # it listened, and could not go on
                self.assert_clear_end(fetchd)
                return None
            self.assertIsNotNone(first, 'no answer')
            again = self.ask(fetchd)
            if first.error is None and again.error is not None:         # it was this one's turn
                again = self.ask(fetchd)
            self.assertEqual((again.error, again.body), (None, b'ok\n'), again.done)
            self.settles(fetchd)
            descriptors = proc.fds(fetchd.pid)
            self.assertLess(descriptors, 30)
            fetchd.stop()
        except BaseException as problem:
            print('with %s of %s: %s\n%s' % (fault, of, problem, fetchd.log()[-3000:]))
            fetchd.kill()
            raise
        log = fetchd.log()
        if of == 'worker':                      # may die of it: BoringSSL's X509 reader does, and another takes over
            self.assertNotRegex(log, r'signal 31 ')
            return fetchd.counted() or whole
        counted = fetchd.counted()
        if whole:
            self.assertLessEqual(counted['live'], whole['live'] + 3, 'memory that nobody frees')
        return counted

    def ends(self, fetchd):
        try:
            return fetchd.process.wait(5) is not None
        except subprocess.TimeoutExpired:
            return False

    def settles(self, fetchd):
        for _ in range(TRIES):
            try:
                return fetchd.wait_ready()
            except (Closed, OSError):
                continue
        raise AssertionError('nobody can ask for its status')

    def comes_up(self, fetchd):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if fetchd.process.poll() is not None:
                return False
            if fetchd.answers_new():
                return True
            time.sleep(0.002)
        raise AssertionError('neither up nor ended')

    def assert_clear_end(self, fetchd):
        code = fetchd.process.wait()
        log = fetchd.log()
        self.assertIn(code, (1, 2), log)
        self.assertTrue(re.search(r'error|fetchd: ', re.sub(r'.*faults:.*\n', '', log)), 'no word of why:\n' + log)
        fetchd.process = None
        tap.forget(fetchd.evidence)

    def ask(self, fetchd):
        """One request; a connection that the fault ended is made anew. Exactly one DONE for each."""
        for _ in range(TRIES):
            try:
                with fetchd.connect(timeout=20) as c:
                    answer = c.get(self.origin.url('/ok', '127.0.0.1'), total_timeout_ms=10000)
                    self.assertEqual(answer.frames.count('DONE'), 1)
                    return answer
            except (Closed, OSError):
                continue
        return None

    def ctl(self, fetchd, fault, path='/ok'):
        """fetchctl: its exit code, what it printed, what it said, and what the hook counted."""
        run = subprocess.run([str(paths.FETCHCTL), 'get', self.origin.url(path, '127.0.0.1')], capture_output=True, timeout=60,
                             env=dict(os.environ, FETCHD_ADDRESS=fetchd.address, LD_PRELOAD=str(HOOK), FAULTS=fault))
        said = run.stderr.decode()
        counted = re.search(r'faults: at the end (\d+) allocations, (\d+) calls, (-?\d+) live', said)
        return (run.returncode, run.stdout, re.sub(r'.*faults:.*\n', '', said),
                dict(zip(('alloc', 'call', 'live'), map(int, counted.groups()))) if counted else None)

    def each_of_a_client(self, kind):
        """Without memory fetchctl ends at once, so what is left says something of those that go on only. How many calls
        there are depends on what comes together."""
        with Daemon(allow=[self.origin.port], workers=1, settings=QUICK) as fetchd:
            code, out, _, whole = self.ctl(fetchd, kind + ':0')
            self.assertEqual((code, out), (0, b'ok\n'))
            ends = collections.Counter()
            for number in range(1, whole[kind] + 4):
                with self.subTest(of='client', fault='%s:%d' % (kind, number)):
                    code, out, said, counted = self.ctl(fetchd, '%s:%d' % (kind, number))
                    ends[code] += 1
                    self.assertIn(code, ENDS, said)
                    if code == 0:
                        self.assertEqual((out, said), (b'ok\n', ''))
                        self.assertLessEqual(counted['live'], whole['live'])
                    else:
                        self.assertRegex(said, r'^fetchctl: \(%d\) [a-z_]+' % code)
            print('%d of %s in a client; it ended with %s' % (whole[kind], kind, dict(ends)))
            self.assertGreater(len(ends), 1)

    def test_allocations_of_a_client(self):
        self.each_of_a_client('alloc')

    def test_calls_of_a_client(self):
        self.each_of_a_client('call')

    def test_allocations_of_the_daemon(self):
        self.each('alloc', 'daemon')

    def test_calls_of_the_daemon(self):
        self.each('call', 'daemon')

    def test_allocations_of_a_worker(self):
        self.each('alloc', 'worker')

    def test_allocations_of_a_worker_over_tls(self):
        self.origin = self.secure
        self.each('alloc', 'worker')

    def test_calls_of_a_worker_over_tls(self):
        self.origin = self.secure
        self.each('call', 'worker')

    def test_calls_of_a_worker(self):
        self.each('call', 'worker')


if __name__ == '__main__':
    tap.main()
