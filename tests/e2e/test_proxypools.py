"""Pools of proxies: in turn, sticky by key, round those that fail; none of it shows a credential."""
import collections
import re

from world import World, origins, paths, proc, tap
from support.proxies import Microsocks, Tinyproxy
from support.tunnels import Tunnel


class Pools(World):
    own_daemon = True

    def with_(self, context):
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def pool(self, *urls, allow=(), **settings):
        """A fetchd with the pool 'p' of these, which no rule of [egress] allows."""
        rows = {'proxy_pool "p".urls': ''.join('\n    ' + url for url in urls)}
        rows.update({'proxy_pool "p".' + name: value for name, value in settings.items()})
        rows['retry.delay'] = '1ms'
        fetchd = self.make(allow=allow, settings=rows).start()
        self.addCleanup(fetchd.stop)
        return fetchd

    def test_requests_take_turns_through_proxies_that_no_rule_allows(self):
        tunnels = [self.with_(Tunnel('socks5h', 'me', 'P00l-nobody-may-see')) for _ in range(3)]
        with self.pool(*(t.url for t in tunnels)).connect() as c:
            for _ in range(6):
                self.good(c.get(self.url('/1k'), proxy_pool='p', fresh=True))
            self.assertEqual([len(t.targets) for t in tunnels], [2, 2, 2])
            # A client that names the same proxy is still asked whether it may.
            self.bad(c.get(self.url('/1k'), proxy=tunnels[0].url), 'policy.denied')
            self.bad(c.get('http://169.254.169.254/', proxy_pool='p'), 'policy.denied')

    def test_real_proxies(self):
        folder = paths.folder('p')
        one, two = self.with_(Tinyproxy(folder, 'me', 'it')), self.with_(Microsocks(folder, 'me', 'it'))
        fetchd = self.pool(one.url, two.url)
        for _ in range(4):
            self.assertEqual(len(self.ctl_good('get', '--proxy-pool', 'p', self.url('/1k'), fetchd=fetchd)),
                             1024)
        self.assertEqual([p['attempts'] for p in fetchd.status()['proxies']], [2, 2])

    def test_a_key_keeps_its_proxy_and_a_session_is_one(self):
        tunnels = [self.with_(Tunnel()) for _ in range(3)]
        fetchd = self.pool(*(t.url for t in tunnels))
        with fetchd.connect() as c:
            for key in range(12):
                for _ in range(3):
                    self.good(c.get(self.url('/1k'), proxy_pool='p', proxy_key='key %d' % key, fresh=True))
            seen = [len(t.targets) for t in tunnels]
            self.assertEqual(sum(seen), 36)
            self.assertTrue(all(n % 3 == 0 for n in seen), seen)
            self.assertGreater(len([n for n in seen if n]), 1, seen)
        for _ in range(3):
            self.ctl_good('get', '--proxy-pool', 'p', '--proxy-key', 'mine', '--fresh', self.url('/1k'),
                          fetchd=fetchd)
        self.assertEqual(sorted(len(t.targets) - n for t, n in zip(tunnels, seen)), [0, 0, 3])

    def test_one_that_fails_is_gone_round_rests_and_comes_back(self):
        good = self.with_(Tunnel())
        dead = origins.refused_port()
        fetchd = self.pool('http://127.0.0.1:%d' % dead, good.url, failures=2, cooldown='2s')
        with fetchd.connect() as c:
            answers = [self.good(c.get(self.url('/1k'), proxy_pool='p', fresh=True)) for _ in range(8)]
            self.assertEqual([a.done['attempts'] for a in answers].count(2), 2)     # as many as `failures`
            first, second = c.status()['proxies']
            self.assertEqual((first['proxy'], first['state'], first['failed'], first['ejections']),
                             ('127.0.0.1:%d' % dead, 'resting', 2, 1))
            self.assertGreater(first['rests_ms'], 0)
            self.assertEqual((second['state'], second['attempts'], second.get('failed', 0)), ('up', 8, 0))
            metrics = fetchd.fetchctl('metrics').stdout.decode()
            self.assertRegex(metrics,
                             r'fetchd_proxy_pool_up\{pool="p",place="1",proxy="127.0.0.1:%d"\} 0' % dead)
            self.assertRegex(metrics, r'fetchd_proxy_pool_ejections_total\{[^}]*:%d"\} 1' % dead)
            self.assertIn('127.0.0.1:%d' % dead, fetchd.fetchctl('status').stdout.decode())
            proc.until(lambda: c.status()['proxies'][0]['state'] == 'up', 30, 'the end of its rest')
            for _ in range(2):                                                     # and one failure is enough
                self.good(c.get(self.url('/1k'), proxy_pool='p', fresh=True))
            self.assertEqual(c.status()['proxies'][0]['ejections'], 2)
        self.assertRegex(fetchd.log(), r'proxy 127.0.0.1:%d: 2 failures in a row' % dead)

    def test_with_one_attempt_a_failure_is_told_and_when_all_rest_it_is_told_at_once(self):
        fetchd = self.pool('http://127.0.0.1:%d' % origins.refused_port(), failures=1, cooldown='1h')
        with fetchd.connect() as c:
            self.bad(c.get(self.url('/1k'), proxy_pool='p', attempts=1), 'proxy.refused')
            error = self.bad(c.get(self.url('/1k'), proxy_pool='p', attempts=1), 'proxy.unavailable')
            self.assertTrue(error['retryable'])
        self.assertEqual(self.ctl('get', '--proxy-pool', 'p', self.url('/1k'), fetchd=fetchd).returncode, 111)

    def test_a_bad_password_goes_round_too_and_an_origins_fault_blames_no_proxy(self):
        strict, good = self.with_(Tunnel('http', 'me', 'it')), self.with_(Tunnel())
        wrong = 'http://me:wrong@127.0.0.1:%d' % strict.port
        fetchd = self.pool(wrong, good.url, failures=3)
        with fetchd.connect() as c, origins.Handshake('reset') as reset:
            for _ in range(6):
                self.good(c.get(self.url('/1k'), proxy_pool='p', fresh=True))
            self.assertEqual(c.status()['proxies'][0]['failed'], 3)
            before = c.status()['proxies'][1]
            self.bad(c.get(self.url('/1k', 'expired'), proxy_pool='p'), 'tls.certificate')
            self.bad(c.get('https://localhost:%d/' % reset.port, proxy_pool='p'), 'policy.denied',
                     'tls.peer_reset')
            self.assertEqual(c.status()['proxies'][1].get('failed', 0), before.get('failed', 0))

    def test_a_request_stays_with_its_proxy_over_hops(self):
        """Over five origins, so that more than one worker has it."""
        tunnels = [self.with_(Tunnel()) for _ in range(3)]
        url = self.url('/1k', 'tls13')
        for server in ('h2', 'h1', 'other', 'tls12'):
            url = self.url('/r302?to=' + url, server)
        fetchd = self.pool(*(t.url for t in tunnels))
        with fetchd.connect() as c:
            for _ in range(3):
                before = [len(t.targets) for t in tunnels]
                answer = self.good(c.get(url, proxy_pool='p', follow=True, fresh=True))
                self.assertEqual(len(answer.hops), 4)
                self.assertEqual(sorted(len(t.targets) - n for t, n in zip(tunnels, before)), [0, 0, 5])
            placed = re.findall(r'placed on worker (\d)', fetchd.log())
            self.assertGreater(len(placed), 3, 'no hop crossed to another worker, so nothing was proved')

    def test_what_is_wrong_is_said(self):
        with self.pool('http://127.0.0.1:1').connect() as c:
            error = self.bad(c.get(self.url('/1k'), proxy_pool='q'), 'request.invalid')
            self.assertIn('[proxy_pool "q"]', error['message'])
            self.bad(c.get(self.url('/1k'), proxy_pool='p', proxy='http://127.0.0.1:1'), 'request.invalid')
        fetchd = self.make(settings={'proxy_pool "p".urls': 'ftp://me:P00l-nobody-may-see@host'})
        fetchd.spawn()
        try:
            fetchd.finish(expect=2)
        finally:
            fetchd.kill()
        self.assertRegex(fetchd.log(), r'fetchd\.ini:\d+: .*proxy_pool')
        self.assertNotIn('P00l', fetchd.log())

    def test_a_reload_changes_the_pool_and_loses_no_request(self):
        one, two = self.with_(Tunnel()), self.with_(Tunnel())
        fetchd = self.pool(one.url)
        with fetchd.connect() as c:
            held = c.fetch(self.url('/hold/pool'), proxy_pool='p')
            self.backend.until_waiting('pool')
            fetchd.settings['proxy_pool "p".urls'] = two.url
            fetchd.write_config()
            self.assertEqual(fetchd.fetchctl('reload').returncode, 0)
            self.good(c.get(self.url('/1k'), proxy_pool='p', fresh=True))
            self.assertEqual(len(two.targets), 1)
            self.backend.release('pool')
            self.good(c.finish(held))

    def test_no_password_of_a_pool_is_anywhere(self):
        tunnel = self.with_(Tunnel('socks5h', 'me', 'P00l-nobody-may-see'))
        fetchd = self.pool(tunnel.url, 'http://me:P00l-nobody-may-see@127.0.0.1:%d' % origins.refused_port(),
                           failures=1)
        with fetchd.connect() as c:
            for _ in range(3):
                self.good(c.get(self.url('/1k'), proxy_pool='p', fresh=True))
            said = [fetchd.log(), repr(c.status())]
        said += [fetchd.fetchctl(what).stdout.decode() for what in ('status', 'metrics', 'top')]
        for text in said:
            self.assertFalse(re.search('P00l|me:', text), text)
        self.assertEqual(collections.Counter('P00l' in text for text in said), {False: 5})


if __name__ == '__main__':
    tap.main()
