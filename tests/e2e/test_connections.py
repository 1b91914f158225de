"""2,000 TLS connections at once."""
import json
import unittest

from world import World, proc, tap

MANY = 2000


def most_descriptors():
    import resource
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


class Many(World):
    settings = {'timeouts.connect': '2m', 'log.level': 'info'}

    @classmethod
    def setUpClass(cls):
        if most_descriptors() < 3 * MANY:
            raise unittest.SkipTest('only %d descriptors are allowed here' % most_descriptors())
        super().setUpClass()

    def bench(self, path, **more):
        process = self.fetchd.start_fetchctl('bench', '--requests', MANY, '--concurrency', MANY, '--http1.1', '--fresh',
                                             '--json', *more.pop('extra', ()), self.url(path, 'h1'))
        return process

    def result(self, process):
        out, err = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 0, (out, err))
        result = json.loads(out)
        self.assertEqual((result['ok'], result['errors'], result['error_kinds']), (MANY, 0, {}))
        return result

    def test_2000_at_once_wait_for_each_other_and_are_all_answered(self):
        """Each answer comes only when all 2,000 requests are at the origin together."""
        process = self.bench('/gate/many/%d' % MANY, extra=['--expect-bytes', len(b'through the gate\n')])
        self.backend.until(lambda: self.backend.seen['many'] >= MANY or process.poll() is not None, 200)
        self.result(process)
        self.assertEqual(self.backend.seen['many'], MANY)

    def test_2000_on_a_slow_endpoint_of_nginx_are_all_answered(self):
        most = [0]
        process = self.bench('/slow/8')
        while process.poll() is None:
            most[0] = max(most[0], self.nginx.open_connections())
            try:
                process.wait(0.2)
            except Exception:
                pass
        result = self.result(process)
        print('at most %d connections open at nginx; %s' % (most[0], result))
        self.assertGreater(most[0], MANY * 0.9, 'they were not simultaneous')

    def test_afterwards_nothing_is_left_open(self):
        self.fetchd.until_idle()
        for pid in self.fetchd.workers().values():
            proc.until(lambda: proc.fds(pid) < 200, 60, 'the close of the connections')


if __name__ == '__main__':
    tap.main()
