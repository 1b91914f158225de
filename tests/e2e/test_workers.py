"""Real workers that are killed while they fetch."""
import os
import signal
import time

from world import MIB, World, proc, tap


class Killed(World):
    workers = 3
    own_daemon = True

    def setUp(self):
        self.fetchd = self.make().start()
        self.addCleanup(self.end)

    def end(self):
        if self._outcome.success:
            self.fetchd.stop()
        else:
            tap.last_words(self.fetchd.evidence)
            self.fetchd.kill()

    def holder(self, count=1):
        """pid of the worker with that many requests in flight."""
        def found():
            busy = [w for w in self.fetchd.status()['workers'] if w.get('in_flight', 0) >= count]
            return busy and busy[0]['pid']
        return proc.until(found, what='a busy worker')

    def test_kill_in_the_midst_of_100_mib_is_worker_lost(self):
        for server in ('h1', 'h2'):
            with self.subTest(server=server), self.fetchd.connect(auto_credit=False, keep=False) as c:
                id = c.fetch(self.url('/100m', server))
                c.until(lambda: c.answer(id).bytes > 100000)            # no credit is given back: it stalls here
                os.kill(self.holder(), signal.SIGKILL)
                answer = c.finish(id)
                error = self.bad(answer, 'worker.lost')
                self.assertEqual(answer.status, 200)
                self.assertLess(answer.bytes, 100 * MIB)
                self.assertEqual(answer.frames.count('DONE'), 1)
                self.assertIn(error['worker'], (1, 2, 3))
                c.ping(1)
                self.fetchd.wait_ready()

    def test_fetchctl_says_so_with_113_and_no_success(self):
        target = self.fetchd.folder / 'half'
        process = self.fetchd.start_fetchctl('get', '-o', target, self.url('/half/ctl/2000000', 'h1'))
        self.backend.until_waiting('ctl')
        proc.until(lambda: target.exists() and target.stat().st_size >= 900000, what='half of the body')
        os.kill(self.holder(), signal.SIGKILL)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 113, err)
        self.assertIn(b'worker.lost', err)

    def test_kill_before_any_response_byte_is_answered_by_another(self):
        for server in ('h1', 'h2'):
            name = 'kill-' + server
            with self.subTest(server=server), self.fetchd.connect() as c:
                id = c.fetch(self.url('/hold/' + name, server))
                self.backend.until_waiting(name)
                victim = self.holder()
                os.kill(victim, signal.SIGKILL)
                self.backend.until_ended(name)                          # the origin lost the first
                self.backend.until_waiting(name)                        # and has a second one
                self.assertNotEqual(self.holder(), victim)
                self.backend.release(name)
                answer = self.good(c.finish(id))
                self.assertEqual((answer.body, answer.done['attempts']), (b'released\n', 2))
                self.assertEqual(self.backend.seen[name], 2)
                self.fetchd.wait_ready()

    def test_a_post_that_was_sent_is_not_sent_twice(self):
        with self.fetchd.connect() as c:
            id = c.fetch(self.url('/hold/post', 'h1'), method='POST', body=b'once')
            self.backend.until_waiting('post')
            os.kill(self.holder(), signal.SIGKILL)
            self.bad(c.finish(id), 'worker.lost')
            self.fetchd.wait_ready()
            c.ping(1)
            self.assertEqual(self.backend.seen['post'], 1)

    def test_a_new_worker_is_ready_soon_and_others_do_not_notice(self):
        with self.fetchd.connect() as c, self.fetchd.connect() as others:
            id = c.fetch(self.url('/hold/notice', 'h1'))
            self.backend.until_waiting('notice')
            victim = self.holder()
            steady = []                                                 # requests held by the other workers
            for i in range(40):
                steady.append(others.fetch('https://localhost:%d/hold/steady' % self.nginx.ports[
                    ('h2', 'h1', 'other', 'tls12', 'tls13')[i % 5]]))
            self.backend.until_waiting('steady', 40)
            before = {w['pid']: w.get('in_flight', 0) for w in self.fetchd.status()['workers']}
            began = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            proc.until(lambda: victim not in self.fetchd.workers().values(), what='the death')
            rows = self.fetchd.wait_ready()
            took = time.monotonic() - began
            print('a successor was ready after %.3f s' % took)
            self.assertNotIn(victim, [w['pid'] for w in rows])
            self.assertEqual(sum(w.get('restarts', 0) for w in rows), 1)
            self.assertGreater(len([pid for pid, n in before.items() if n]), 1, 'all requests were on one worker')
            self.backend.until_waiting('steady', 40)
            self.backend.release('steady')
            lost = [self.good(others.finish(id)).done['attempts'] for id in steady].count(2)
            self.assertEqual(lost, before[victim] - 1, 'requests of other workers were disturbed')
            self.backend.until_waiting('notice')
            self.backend.release('notice')
            self.good(c.finish(id))

    def test_every_signal_that_kills_is_survived(self):
        for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number=number), self.fetchd.connect() as c:
                name = 'signal-%d' % number
                id = c.fetch(self.url('/hold/' + name, 'h1'))
                self.backend.until_waiting(name)
                proc.crash(self.holder(), number)
                self.backend.until(lambda: self.backend.seen[name] >= 2)
                self.backend.release(name)
                self.assertEqual(self.good(c.finish(id)).done['attempts'], 2)
                self.fetchd.wait_ready()

    def test_a_stopped_worker_is_replaced_and_its_requests_answered(self):
        self.fetchd.stop()
        self.fetchd = self.make(settings={'workers.hang_timeout': '2s'}).start()
        with self.fetchd.connect() as c:
            id = c.fetch(self.url('/hold/stop', 'h1'))
            self.backend.until_waiting('stop')
            victim = self.holder()
            os.kill(victim, signal.SIGSTOP)
            proc.until(lambda: not proc.exists(victim), what='the end of the stopped worker')
            self.backend.until(lambda: self.backend.seen['stop'] >= 2)
            self.backend.release('stop')
            self.assertEqual(self.good(c.finish(id)).done['attempts'], 2)
            self.fetchd.wait_ready()

    def test_kills_under_load_lose_nothing(self):
        with self.fetchd.connect(keep=False) as c:
            done = 0
            for round in range(8):
                ids = [c.fetch(self.url('/1m?%d.%d' % (round, i), ('h1', 'h2', 'other')[i % 3])) for i in range(60)]
                c.until(lambda: sum(c.answer(i).done is not None for i in ids) >= 10)
                os.kill(next(iter(self.fetchd.workers().values())), signal.SIGKILL)
                for id in ids:
                    answer = c.finish(id)
                    if answer.error is None:
                        done += 1
                        self.assertEqual(answer.sha256, self.nginx.hashes['1m'])
                    else:
                        self.bad(answer, 'worker.lost')
                        self.assertIsNotNone(answer.response, 'it had no byte yet and was not tried again')
                self.fetchd.wait_ready()
            c.ping(1)
            self.assertGreater(done, 200)
            self.fetchd.until_idle()


class Environment(World):
    def test_workers_see_no_variable_and_no_proxy(self):
        with self.make(env=dict(os.environ, HTTPS_PROXY='http://127.0.0.1:1', ALL_PROXY='http://127.0.0.1:1',
                                SSLKEYLOGFILE=str(self.site.folder / 'keys'), CURL_CA_BUNDLE='/nonexistent',
                                HOME='/root')) as fetchd, fetchd.connect() as c:
            self.good(c.get(self.url('/1k')), sha256=self.nginx.hashes['1k'])
            for pid in fetchd.workers().values():
                self.assertEqual(proc.environment(pid), [])
            self.assertFalse((self.site.folder / 'keys').exists())

    def test_no_descriptor_of_the_daemon_reaches_a_worker(self):
        for pid in self.fetchd.workers().values():
            targets = {fd: os.readlink('/proc/%d/fd/%s' % (pid, fd)) for fd in os.listdir('/proc/%d/fd' % pid)}
            self.assertNotIn(str(self.fetchd.log_path), targets.values())
            self.assertTrue(targets['0'].startswith('socket:'), targets)
            self.assertEqual(targets['1'], '/dev/null')
            own = [t for fd, t in targets.items() if int(fd) > 2 and not t.startswith('anon_inode:')
                   and not t.startswith(('pipe:', 'socket:', '/proc/%d/' % pid))]      # its own vital signs
            self.assertEqual(own, [], 'a file is open in a worker')

    def test_idle_processes_sleep(self):
        self.fetchd.until_idle()
        before = self.fetchd.cpu_ns()
        time.sleep(5)
        used_ms = (self.fetchd.cpu_ns() - before) / 1e6
        print('idle for 5 s: %.1f ms of CPU' % used_ms)
        self.assertLess(used_ms, 500, 'something spins')


if __name__ == '__main__':
    tap.main()
