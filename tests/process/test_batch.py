"""fetchctl batch beside a daemon of Python: what a list's lines become, where answers and bodies go, and how a run goes on
that was interrupted."""
import base64
import fcntl
import hashlib
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from support import paths, proc, tap  # noqa: E402
from fake_daemon import FakeDaemon  # noqa: E402
from test_fetchctl import TestCase, answer, failing, serve_pings  # noqa: E402


def by_url(fetch):
    """Each URL is its own body."""
    return fetch['url'].encode()


class Batch(TestCase):
    def lines(self, run):
        return [json.loads(line) for line in run.stdout.splitlines()]

    def batch(self, serve, *arguments, urls=(), **more):
        """Runs with a list on stdin, with PINGs answered."""
        text = '\n'.join(url if isinstance(url, str) else json.dumps(url) for url in urls)
        return self.run_with(serve_pings(serve), 'batch', *arguments, '-', input=text.encode(), **more)

    def read(self, name='out'):
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


class Lines(Batch):
    def test_one_line_of_json_for_each_url(self):
        serve = answer(lambda fetch: fetch['url'].encode(), http_version='2')
        urls = ['https://o.test/%d' % n for n in range(300)]
        text = '# a list\n\n' + '\r\n'.join('  %s ' % u for u in urls)
        run = self.run_with(serve, 'batch', '-', '--concurrency', '7', '--hash', input=text.encode())
        lines = self.lines(run)
        self.assertEqual(sorted(line['url'] for line in lines), sorted(urls))
        for line in lines:
            self.assertEqual((line['status'], line['bytes'], line['http_version'], line['worker'], line['attempts']),
                             (200, len(line['url']), '2', 3, 1))
            self.assertEqual(line['sha256'], hashlib.sha256(line['url'].encode()).hexdigest())
            self.assertGreaterEqual(line['time_ms'], 0)
            self.assertNotIn('error', line)

    def test_no_more_at_once_than_asked_for_or_allowed(self):
        most = []
        def serve(peer, allowed):
            peer.welcome(streams=allowed)
            open_ids, left = [], 50
            while left:
                frame = peer.receive()
                if frame.type == 'PING':
                    peer.send('PONG', 0, frame.body)
                elif frame.type == 'FETCH':
                    open_ids.append(frame.id)
                    most.append(len(open_ids))
                    if len(open_ids) == min(5, allowed or 5) or left == len(open_ids):
                        for id in open_ids:
                            peer.respond(id, b'')
                        left -= len(open_ids)
                        open_ids.clear()
            peer.until_gone()
        for allowed, limit in ((0, 5), (3, 3)):
            with self.subTest(allowed=allowed):
                most.clear()
                run = self.run_with(lambda peer: serve(peer, allowed), 'batch', '-', '--concurrency', '5',
                                    input=b'https://o.test/\n' * 50)
                self.assertEqual((len(self.lines(run)), max(most)), (50, limit))

    def test_errors_stand_in_their_lines_and_the_exit_code(self):
        def serve(peer):
            peer.welcome()
            while True:
                frame = peer.receive()
                if frame.type == 'PING':
                    peer.send('PONG', 0, frame.body)
                elif frame.type == 'FETCH' and 'bad' in frame.body['url']:
                    peer.fail(frame.id, 'dns.failed', phase='dns', retryable=True)
                elif frame.type == 'FETCH':
                    peer.respond(frame.id, b'', status=404)
        urls = [b'https://bad.test/', b'https://o.test/', b'https://o.test/' + b'a' * 40000]
        run = self.run_with(serve, 'batch', '-', '--concurrency', '1', input=b'\n'.join(urls), code=3)
        lines = {line['url'][:17]: line for line in self.lines(run)}
        self.assertEqual(lines['https://bad.test/']['error'],
                         dict(name='dns.failed', message='it was dns.failed', phase='dns', retryable=True))
        self.assertEqual(lines['https://o.test/']['status'], 404)
        self.assertEqual(lines['https://o.test/aa']['error']['name'], 'request.invalid')
        self.run_with(serve, 'batch', '-', input=b'https://o.test/\n')
        self.run_with(serve, 'batch', '-', '--fail', input=b'https://o.test/\n', code=22)

    def test_each_url_has_its_line_even_when_the_daemon_dies(self):
        def serve(peer):
            if peer.number > 1:
                raise_gone(peer)
            peer.welcome()
            seen = 0
            while seen < 10:
                frame = peer.receive()
                if frame.type == 'PING':
                    peer.send('PONG', 0, frame.body)
                seen += frame.type == 'FETCH'
        def raise_gone(peer):
            peer.until_gone() if False else peer.socket.close()
        run = self.run_with(serve, 'batch', '-', '--concurrency', '10', input=b'https://o.test/\n' * 30, code=110)
        lines = self.lines(run)
        self.assertEqual([line['error']['name'] for line in lines], ['daemon.lost'] * 30)

    def test_lines_that_come_slowly_are_asked_as_they_come(self):
        """An answer is printed while the list is still open."""
        with FakeDaemon(answer(b'x')) as daemon:
            process = subprocess.Popen([str(paths.FETCHCTL), 'batch', '-'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, env=dict(os.environ, FETCHD_ADDRESS=daemon.address))
            for number in range(3):
                process.stdin.write(b'https://o.test/%d\n' % number)
                process.stdin.flush()
                self.assertEqual(json.loads(process.stdout.readline())['url'], 'https://o.test/%d' % number)
            process.stdin.close()
            self.assertEqual(process.wait(20), 0)
            process.stdout.close()

    def test_a_draining_daemon_is_left_for_the_next(self):
        def serve(peer):
            peer.welcome()
            ids = []
            while True:
                frame = peer.receive()
                if frame.type == 'PING':
                    peer.send('PONG', 0, frame.body)
                elif frame.type == 'FETCH' and peer.number == 1:
                    ids.append(frame.id)
                    if len(ids) == 4:
                        peer.send('GOAWAY', 0, dict(last_id=ids[-1]))
                        for id in ids:
                            peer.respond(id, b'old')
                elif frame.type == 'FETCH':
                    peer.respond(frame.id, b'fresh')
        run = self.run_with(serve, 'batch', '-', '--concurrency', '4', input=b'https://o.test/\n' * 20)
        self.assertEqual(sorted(line['bytes'] for line in self.lines(run)), [3] * 4 + [5] * 16)

    def test_foreign_text_is_valid_json(self):
        serve = failing('dns.failed', message='a "quote", a \x01 control, \u20ac')
        run = self.run_with(serve_pings(serve), 'batch', '-', input=b'https://o.test/"\\\n', code=6)
        line = self.lines(run)[0]
        self.assertEqual((line['url'], line['error']['message']), ('https://o.test/"\\', 'a "quote", a \x01 control, \u20ac'))


class Requests(Batch):
    def test_a_json_line_has_the_names_of_the_protocol(self):
        """Each becomes the field of its name; what a line does not say is as the command line has it."""
        fields = dict(method='PATCH', follow=False, max_redirects=7, compressed=False, fresh=True, http_version='1.1',
                      connect_timeout_ms=1, headers_timeout_ms=2, idle_timeout_ms=3, total_timeout_ms=4,
                      max_body_bytes=5, rate_bytes=6, credentials='u:p', proxy='http://p:1', resolve=['a:1:127.0.0.1'],
                      connect_to=['a:1:b:2', 'c:3:d:4'],
                      ca_pem='A', cert_pem='B', key_pem='C', insecure=True, attempts=9, retry_5xx=True)
        serve = answer()
        self.batch(serve, '-L', '-k', '--compressed', urls=[dict(fields, url='https://o.test/1'), 'https://o.test/2'])
        full, plain = sorted(serve.asked, key=lambda fetch: fetch['url'])
        for name, value in fields.items():
            got = full.get(name, False)
            self.assertEqual(got.decode() if isinstance(got, bytes) else got, value, name)
        self.assertEqual(plain, dict(url='https://o.test/2', method='GET', follow=True, insecure=True, compressed=True))

    def test_every_option_of_the_library_can_be_given_or_makes_no_sense_here(self):
        header = (paths.TOP / 'client/include/fetchd/client.h').read_text()
        struct = re.search(r'^struct fetchd_options \{(.*?)^\};', header, re.S | re.M).group(1)
        members = set(re.findall(r'(\w+);', re.sub(r'/\*.*?\*/', '', struct, flags=re.S)))
        self.assertIn('total_timeout_ms', members)
        counts = {name for name in members if re.search('_(count|size)$', name)} | {'size'}
        known = set(re.findall(r'^    \{ "(\w+)",', (paths.TOP / 'client/fetchctl/entry.c').read_text(), re.M))
        self.assertEqual(sorted(members - counts - known - self.SENSELESS), [])

    # Streams, WebSockets, windows, features and certificates have no place in a list.
    SENSELESS = {'body_streamed', 'body_length', 'hold_body', 'rewindable', 'window_bytes', 'require', 'want_certs',
                 'subprotocols', 'fragments', 'control_frames', 'max_message_bytes', 'ping_interval_ms', 'pong_timeout_ms', 'close_timeout_ms', 'reconnect'}

    def test_headers_are_pairs_or_an_object_and_replace_those_of_the_command_line(self):
        for headers in ([['A', '1'], ['x-b', '2'], ['A', '3']], {'A': '1', 'x-b': '2'}, {'X-B': None}):
            with self.subTest(headers=headers):
                serve = answer()
                self.batch(serve, '-H', 'X-B: old', '-H', 'X-C: kept', urls=[dict(url='https://o.test/', headers=headers)])
                got = [[bytes(n).decode(), v if v is None else bytes(v).decode()] for n, v in serve.asked[0]['headers']]
                own = headers if isinstance(headers, list) else [[n, v] for n, v in headers.items()]
                self.assertEqual(got, [['X-C', 'kept'], *own])

    def test_a_query_is_put_behind_the_url(self):
        serve = answer()
        for query in ([['a', 'b c'], ['d', None]], {'a': 'b c', 'd': None}):
            line, = self.lines(self.batch(serve, urls=[dict(url='https://o.test/?x=1', query=query)]))
            self.assertEqual((serve.asked.pop()['url'], line['url']), ('https://o.test/?x=1&a=b+c&d', 'https://o.test/?x=1'))

    def test_a_body_is_text_or_base64_and_makes_a_post(self):
        for line, body in ((dict(body='h\u00e9'), 'h\u00e9'.encode()), (dict(body_base64='AP8Q'), b'\x00\xff\x10'), (dict(body=''), b'')):
            with self.subTest(line=line):
                serve = answer()
                self.batch(serve, urls=[dict(line, url='https://o.test/')])
                self.assertEqual((serve.asked[0]['method'], serve.asked[0].get('body', b'')), ('POST', body))
        serve = answer()
        self.batch(serve, urls=[dict(url='https://o.test/', method='PUT', body='x')])
        self.assertEqual(serve.asked[0]['method'], 'PUT')

    def test_a_wrong_line_is_told_by_its_name_and_the_others_go_on(self):
        wrong = (('{"url": "https://o.test/", "follw": true}', '"follw" is no name'),
                 ('{"url": "https://o.test/", "follow": 1}', '"follow" must be true or false'),
                 ('{"url": "https://o.test/", "attempts": -1}', '"attempts" must be a number'),
                 ('{"url": "https://o.test/", "attempts": 4294967296}', '"attempts" must be a number'),
                 ('{"url": "https://o.test/", "max_redirects": 1001}', 'from 0 to 1000'),
                 ('{"url": "https://o.test/", "headers": [["a"]]}', '"headers" must be'),
                 ('{"url": "https://o.test/", "headers": {"a": 1}}', '"headers" must be'),
                 ('{"url": "https://o.test/", "headers": "a: b"}', '"headers" must be'),
                 ('{"url": "https://o.test/", "resolve": ["a", 1]}', '"resolve" must be'),
                 ('{"url": "https://o.test/", "body_base64": "A"}', 'must be Base64'),
                 ('{"url": "https://o.test/", "body_base64": "A==="}', 'must be Base64'),
                 ('{"url": "https://o.test/", "body": "%s"}' % ('x' * 786433), 'at most 786432 bytes'),
                 ('{"url": "https://o.test/", "url": "https://p.test/"}', 'not a JSON object'), ('{"url": 7}', '"url" must be a string'),
                 ('{}', 'no "url"'), ('{"url": "https://o.test/"', 'not a JSON object'), ('{"url": "a\\u0000b"}', 'not a JSON object'),
                 ('{"url": "https://o.test/", "output": "x"}', 'needs --output-dir'), ('WSS://o.test/', 'see fetchctl ws'))
        serve = answer()
        run = self.batch(serve, '--concurrency', '1', urls=[line for line, _ in wrong] + ['https://o.test/last'], code=3)
        lines = self.lines(run)
        self.assertEqual(len(lines), len(wrong) + 1)
        for (line, sentence), got in zip(wrong, lines):
            self.assertEqual(got['error']['name'], 'request.invalid')
            self.assertIn(sentence, got['error']['message'], line[:80])
        self.assertEqual([fetch['url'] for fetch in serve.asked], ['https://o.test/last'])

    def test_an_id_comes_back_and_a_request_without_one_has_a_digest(self):
        urls = [dict(url='https://o.test/', id=id) for id in (7, 'seven', [1, {'a': None}], True)] + [dict(url='https://o.test/')]
        lines = self.lines(self.batch(answer(), '--concurrency', '1', urls=urls))
        self.assertEqual([line.get('id') for line in lines], [7, 'seven', [1, {'a': None}], True, None])
        self.assertEqual(['request' in line for line in lines], [False] * 4 + [True])


class Bodies(Batch):
    def test_in_the_line_as_text_or_base64(self):
        for body in (b'', b'text \xe2\x82\xac "\\\n\0', bytes(range(256)), b'\xc3', b'ab', b'\xff', b'\xff\xfe', b'\xff\xfe\xfd'):
            with self.subTest(body=body):
                line, = self.lines(self.batch(answer(body), '--with-body', urls=['https://o.test/']))
                got = line['body'].encode() if 'body' in line else base64.b64decode(line['body_base64'], validate=True)
                self.assertEqual(got, body)
                self.assertEqual('body' in line, body in (b'', b'ab', b'text \xe2\x82\xac "\\\n\0'))

    def test_one_above_the_limit_is_an_error_without_a_body(self):
        serve = answer()
        self.batch(serve, '--with-body', urls=['https://o.test/'])
        self.assertEqual(serve.asked[0]['max_body_bytes'], 64 << 20)
        self.assertNotIn('max_body_bytes', self.ask_plain())

    def ask_plain(self):
        serve = answer()
        self.batch(serve, urls=['https://o.test/'])
        return serve.asked[0]

    def test_headers_with_i_and_the_url_after_redirects(self):
        serve = answer(b'', headers=[['A', '1'], ['a', '2']], url='https://p.test/')
        line, = self.lines(self.batch(serve, '-i', urls=['https://o.test/']))
        self.assertEqual((line['headers'], line['url'], line['url_effective']),
                         ([['A', '1'], ['a', '2']], 'https://o.test/', 'https://p.test/'))
        line, = self.lines(self.batch(answer(b'', url='https://o.test/'), urls=['https://o.test/']))
        self.assertEqual([name in line for name in ('headers', 'url_effective')], [False, False])

    def files(self):
        return {path.name: path.read_bytes().decode() for path in (self.folder / 'd').iterdir()}

    def test_each_in_a_file_of_its_own_named_after_its_url(self):
        urls = ['https://o.test/a/pic.tar.gz?x=1', 'https://o.test/b/pic.tar.gz', 'https://p.test/pic.tar.gz#y',
                'https://o.test/', 'https://o.test', 'https://o.test/x/' + 'l' * 300 + '.html']
        lines = self.lines(self.batch(answer(by_url), '--output-dir', 'd', '--concurrency', '1', urls=urls))
        self.assertEqual([line['file'] for line in lines],
                         ['pic.tar.gz', 'pic-2.tar.gz', 'pic-3.tar.gz', 'index', 'index-2', 'l' * 115 + '.html'])
        self.assertEqual(self.files(), {line['file']: line['url'] for line in lines})

    def test_no_name_leads_out_of_the_folder_or_hides(self):
        """A list comes from anywhere."""
        urls = ['https://o.test/..', 'https://o.test/%2e%2e%2fetc', 'https://o.test/.bashrc', 'https://o.test/-rf', 'https://o.test/a\\b',
                'https://o.test/a:b', 'https://o.test/../../x', 'https://o.test/~', 'https://o.test/a;b$(c)`d`', 'file:///etc/passwd', '../../up',
                'https://o.test/.x.part', 'https://o.test/h\u00e9', 'https://o.test/tab\ty']
        lines = self.lines(self.batch(answer(by_url), '--output-dir', 'd', urls=urls))
        names = [line['file'] for line in lines]
        self.assertEqual(len(names), len(urls))
        for name in names:
            self.assertRegex(name, r'^[A-Za-z0-9_%][A-Za-z0-9_.+=@,~%-]*$')
        self.assertEqual(sorted(self.files()), sorted(names))
        self.assertEqual([path.name for path in self.folder.iterdir()], ['d'])

    def test_output_names_a_file_in_the_folder_and_nowhere_else(self):
        wrong = ['../x', '/etc/x', 'a/b', '.hidden', '..', '', 'a\\b', 'a\x01', 'n' * 201]
        urls = [dict(url='https://o.test/', output=name) for name in ['mine', 'mine', *wrong]]
        lines = self.lines(self.batch(answer(b'new'), '--output-dir', 'd', urls=urls, code=3))
        self.assertEqual(self.files(), dict(mine='new'))
        good, taken, *others = sorted(lines, key=lambda line: ('error' in line, 'another' not in line.get('error', {}).get('message', '')))
        self.assertEqual(good['file'], 'mine')
        self.assertIn('another request has this', taken['error']['message'])
        self.assertEqual({line['error']['message'] for line in others if 'control' not in line['error']['message']},
                         {'"output" must be a file name without folders that does not begin with a dot'})

    def test_files_that_were_there_stay_unless_they_were_named(self):
        (self.folder / 'd').mkdir()
        (self.folder / 'd/a').write_text('old')
        (self.folder / 'd/b').write_text('old')
        (self.folder / 'victim').write_text('old')
        (self.folder / 'd/c').symlink_to('../victim')
        self.batch(answer(b'new'), '--output-dir', 'd', urls=['https://o.test/a', 'https://o.test/c', dict(url='https://o.test/', output='b')])
        self.assertEqual(self.files(), {'a': 'old', 'a-2': 'new', 'b': 'new', 'c': 'old', 'c-2': 'new'})
        self.assertEqual((self.folder / 'victim').read_text(), 'old')

    def test_a_body_that_is_cut_short_leaves_no_file(self):
        def serve(peer):
            peer.welcome()
            id = peer.expect('FETCH').id
            peer.send('RESPONSE', id, dict(status=200))
            peer.data(id, b'half')
            proc.until(lambda: list((self.folder / 'd').iterdir()), 20, 'the part')
            self.seen = [path.name for path in (self.folder / 'd').iterdir()]
            peer.fail(id, 'body.truncated')
            peer.until_gone()
        run = self.batch(serve, '--output-dir', 'd', urls=['https://o.test/x'], code=18)
        self.assertEqual((self.seen, self.files()), (['.x.part'], {}))
        self.assertNotIn('file', self.lines(run)[0])

    def test_with_fail_an_error_page_is_no_file(self):
        self.batch(answer(b'sorry', status=404), '--output-dir', 'd', '--fail', urls=['https://o.test/x'], code=22)
        self.assertEqual(self.files(), {})

    def test_a_full_disk_stops_the_run_and_is_said(self):
        run = self.batch(answer(b'x'), '-o', '/dev/full', urls=['https://o.test/x'], code=23)
        self.assertIn(b"can't write /dev/full: No space left", run.stderr)
        def small():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        run = self.batch(answer(b'x' * 5000), '--output-dir', 'd', urls=['https://o.test/x'], code=23, preexec_fn=small)
        self.assertIn(b"can't write d/x: File too large", run.stderr)
        self.assertEqual((self.files(), run.stdout), ({}, b''))


class Origins(Batch):
    def test_no_more_at_once_to_one_origin_while_others_go_on(self):
        """The slow origin's requests are held until all of the others have been answered."""
        slow, most, others = [], [], []
        def serve(peer):
            peer.welcome()
            while len(others) < 20:
                frame = peer.receive()
                if frame.type == 'PING':
                    peer.send('PONG', 0, frame.body)
                elif frame.type == 'FETCH' and 'slow' in frame.body['url'].lower():
                    slow.append(frame.id)
                    most.append(len(slow))
                elif frame.type == 'FETCH':
                    others.append(frame.body['url'])
                    peer.respond(frame.id, b'')
            left = 20 - len(slow)
            while slow:
                peer.respond(slow.pop(), b'')
                if left:
                    slow.append(peer.expect('FETCH').id)
                    most.append(len(slow))
                    left -= 1
            peer.until_gone()
        urls = ['https://slow.test/%d' % i for i in range(10)] + ['HTTPS://u:p@SLOW.test/%d' % i for i in range(10)]
        urls += ['https://o%d.test/%d' % (i % 3, i) for i in range(20)]
        run = self.run_with(serve, 'batch', '-', '--per-origin', '3', '--concurrency', '8', input='\n'.join(urls).encode())
        self.assertEqual(sorted(line['url'] for line in self.lines(run)), sorted(urls))
        self.assertEqual(max(most), 3)

    def test_a_port_or_a_scheme_makes_another_origin(self):
        asked = []
        def serve(peer):
            peer.welcome()
            while len(asked) < 3:
                frame = peer.receive()
                if frame.type == 'PING':
                    peer.send('PONG', 0, frame.body)
                elif frame.type == 'FETCH':
                    asked.append(frame.id)
            for id in asked:
                peer.respond(id, b'')
            peer.until_gone()
        self.run_with(serve, 'batch', '-', '--per-origin', '1', input=b'https://o.test/\nhttp://o.test/\nhttps://o.test:8443/\n')


class Resumed(Batch):
    URLS = ['https://o.test/%d' % i for i in range(6)]

    def test_what_is_answered_is_not_asked_again(self):
        serve = answer(by_url)
        self.batch(serve, '-o', 'out', urls=self.URLS[:4])
        serve = answer(by_url)
        run = self.batch(serve, '-o', 'out', '--resume', urls=self.URLS)
        self.assertEqual(sorted(fetch['url'] for fetch in serve.asked), self.URLS[4:])
        self.assertEqual(sorted(line['url'] for line in self.read()), self.URLS)
        self.assertIn(b'2 answered (2 2xx), 4 answered before', run.stderr)
        self.assertEqual(run.stdout, b'')

    def test_a_half_written_last_line_is_dropped(self):
        for cut in (1, 2, 30):
            with self.subTest(cut=cut):
                (self.folder / 'out').unlink(missing_ok=True)
                self.batch(answer(), '-o', 'out', '--concurrency', '1', urls=self.URLS[:3])
                whole = (self.folder / 'out').read_bytes()
                (self.folder / 'out').write_bytes(whole[:-cut])
                serve = answer()
                self.batch(serve, '-o', 'out', '--resume', urls=self.URLS[:3])
                self.assertEqual([fetch['url'] for fetch in serve.asked], [self.URLS[2]])
                self.assertEqual([line['url'] for line in self.read()], self.URLS[:3])

    def test_what_failed_for_a_passing_reason_is_asked_again_and_nothing_else(self):
        for name, code, again in (('dns.failed', 6, True), ('tls.certificate', 60, False)):
            with self.subTest(name=name):
                (self.folder / 'out').unlink(missing_ok=True)
                self.batch(failing(name, retryable=again), '-o', 'out', urls=self.URLS[:1], code=code)
                serve = answer()
                self.batch(serve, '-o', 'out', '--resume', urls=self.URLS[:1])
                self.assertEqual(len(serve.asked), again)

    def test_after_the_death_of_the_daemon_only_what_can_do_no_harm_is_asked_again(self):
        urls = [dict(url='https://o.test/', method=method) for method in ('GET', 'POST', 'PUT')]
        def dying(peer):
            peer.welcome()
            for _ in urls:
                peer.expect('FETCH')
        self.batch(dying, '-o', 'out', urls=urls, code=110)
        serve = answer()
        self.batch(serve, '-o', 'out', '--resume', urls=urls)
        self.assertEqual([fetch['method'] for fetch in serve.asked], ['GET', 'PUT'])

    def test_the_same_twice_is_answered_twice_and_requests_are_told_apart(self):
        urls = ['https://o.test/', 'https://o.test/', dict(url='https://o.test/', body='1'), dict(url='https://o.test/', body='2'),
                dict(url='https://o.test/', id=1), dict(url='https://o.test/', id=2), dict(url='https://o.test/', id=dict(b=1, a=2))]
        self.batch(answer(), '-o', 'out', '--concurrency', '1', urls=urls[1:3] + urls[5:])
        serve = answer()
        self.batch(serve, '-o', 'out', '--resume', urls=urls)
        self.assertEqual([fetch.get('body') for fetch in serve.asked], [None, b'2', None])
        self.assertEqual([line['id'] for line in self.read() if 'id' in line], [2, dict(b=1, a=2), 1])
        serve = answer()
        self.batch(serve, '-o', 'out', '--resume', urls=urls)
        self.assertEqual(serve.asked, [])

    def test_without_resume_what_is_there_is_left_alone(self):
        (self.folder / 'out').write_text('precious\n')
        for words, code, sentence in ((['-o', 'out'], 23, b'out is there already: --resume'),
                                      (['-o', 'out', '--resume'], 26, b'out:1 is no line that batch wrote')):
            run = self.batch(answer(), *words, urls=self.URLS, code=code)
            self.assertIn(sentence, run.stderr)
            self.assertEqual((self.folder / 'out').read_text(), 'precious\n')

    def test_files_go_on_without_taking_a_name_twice(self):
        arguments = ['-o', 'out', '--output-dir', 'd', '--concurrency', '1']
        self.batch(answer(by_url), *arguments, urls=['https://o.test/a', dict(url='https://o.test/', output='mine')])
        (self.folder / 'd/.a-2.part').write_text('half')
        (self.folder / 'd/a').rename(self.folder / 'moved')
        run = self.batch(answer(by_url), *arguments, '--resume', urls=['https://o.test/a', 'https://p.test/a', dict(url='https://p.test/', output='mine')],
                         code=3)
        self.assertEqual({path.name: path.read_text() for path in (self.folder / 'd').iterdir()},
                         {'a-2': 'https://p.test/a', 'mine': 'https://o.test/'})
        self.assertIn(b'1 request.invalid', run.stderr)


class Ends(Batch):
    def test_an_interrupt_ends_it_with_whole_lines_and_no_half_file(self):
        """Three of six are answered; two are in flight, one with half its body, when it comes."""
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number):
                for path in ('out', 'd/0', 'd/1', 'd/2'):
                    (self.folder / path).unlink(missing_ok=True)
                ids = []
                def serve(peer):
                    peer.welcome()
                    while len(ids) < 5:
                        frame = peer.receive()
                        if frame.type == 'FETCH':
                            ids.append(frame.id)
                            if len(ids) <= 3:
                                peer.respond(frame.id, b'x')
                    peer.send('RESPONSE', ids[3], dict(status=200))
                    peer.data(ids[3], b'half')
                    peer.until_gone()
                with FakeDaemon(serve_pings(serve)) as daemon:
                    process = subprocess.Popen([str(paths.FETCHCTL), 'batch', '-', '-o', 'out', '--output-dir', 'd', '--concurrency', '2'],
                                               stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder,
                                               env=dict(os.environ, FETCHD_ADDRESS=daemon.address))
                    process.stdin.write('\n'.join(Resumed.URLS).encode() + b'\n')
                    process.stdin.flush()
                    proc.until(lambda: (self.folder / 'd/.3.part').exists(), 20, 'half a body')
                    process.send_signal(number)
                    _, err = process.communicate(timeout=20)
                self.assertEqual(process.returncode, -number)
                self.assertIn(b'interrupted: 3 answered (3 2xx); ', err)
                self.assertEqual([line['url'] for line in self.read()], Resumed.URLS[:3])
                self.assertEqual(sorted(path.name for path in (self.folder / 'd').iterdir()), ['0', '1', '2'])

    def test_without_a_daemon_to_come_back_the_rest_is_not_asked(self):
        path = paths.folder('c') / 'fetchd.sock'

        def serve(peer):
            peer.welcome()
            peer.expect('FETCH')
            path.unlink()
        with FakeDaemon(serve_pings(serve), path) as daemon:
            run = subprocess.run([str(paths.FETCHCTL), 'batch', '-', '--concurrency', '1'], input='\n'.join(Resumed.URLS).encode(),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                                 env=dict(os.environ, FETCHD_ADDRESS=daemon.address))
        self.assertEqual(run.returncode, 110, run.stderr)
        self.assertEqual([line['error']['name'] for line in self.lines(run)], ['daemon.lost'])
        self.assertIn(b'stopped: 0 answered, 1 failed (1 daemon.lost)', run.stderr)

    def test_the_exit_code_is_that_of_the_last_failure_in_the_list(self):
        """Whichever of them ended last."""
        def serve(peer):
            peer.welcome()
            ids = {}
            while len(ids) < 3:
                frame = peer.receive()
                if frame.type == 'FETCH':
                    ids[frame.body['url'][-1]] = frame.id
            peer.fail(ids['2'], 'dns.failed')
            peer.respond(ids['3'])
            peer.fail(ids['1'], 'timeout.total')
            peer.until_gone()
        self.batch(serve, urls=['https://o.test/1', 'https://o.test/2', 'https://o.test/3'], code=6)

    def test_a_summary_unless_silent(self):
        def serve(peer):
            peer.welcome()
            while True:
                frame = peer.receive()
                if frame.type != 'FETCH':
                    continue
                kind = frame.body['url'][-1]
                if kind == 'd':
                    peer.fail(frame.id, 'dns.failed')
                else:
                    peer.respond(frame.id, b'x' * 1000, status=404 if kind == 'n' else 200)
        urls = ['https://o.test/' + kind for kind in 'aaandd']
        run = self.batch(serve, urls=urls, code=6)
        self.assertRegex(run.stderr.decode(), r'^fetchctl: 4 answered \(3 2xx, 1 4xx\), 2 failed \(2 dns\.failed\); 3\.9 KiB in \d+\.\d s\n$')
        self.assertEqual(self.batch(serve, '-s', urls=urls, code=6).stderr, b'')

    def test_progress_on_a_terminal_and_not_among_the_lines(self):
        (self.folder / 'list').write_text('# six\n' + '\n'.join(Resumed.URLS))
        for words, shown_at_all in ((['-o', 'out'], True), ([], False), (['-s', '-o', 'silent'], False)):
            with self.subTest(words=words):
                held = []
                def serve(peer):
                    peer.welcome()
                    while len(held) < 6:
                        frame = peer.receive()
                        held.extend([frame.id] if frame.type == 'FETCH' else [])
                    time.sleep(0.3 if shown_at_all else 0)      # three pictures' time
                    for id in held:
                        peer.respond(id, b'x')
                    peer.until_gone()
                master, slave = pty.openpty()
                fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('4H', 24, 40, 0, 0))
                with FakeDaemon(serve_pings(serve)) as daemon:
                    process = subprocess.Popen([str(paths.FETCHCTL), 'batch', *words, 'list'], stdin=slave, stdout=slave, stderr=slave,
                                               cwd=self.folder, env=dict(os.environ, FETCHD_ADDRESS=daemon.address))
                    os.close(slave)
                    shown = b''
                    try:
                        while piece := os.read(master, 65536):
                            shown += piece
                    except OSError:
                        pass
                    os.close(master)
                self.assertEqual(process.wait(20), 0)
                self.assertEqual(b'0/6 done, 0 failed, 6 in flight' in shown, shown_at_all, shown)
                if shown_at_all:
                    pictures = [line for line in re.split(r'[\r\n]', shown.decode().replace('\x1b[K', '')) if 'in flight' in line]
                    self.assertLess(max(map(len, pictures)), 40)


if __name__ == '__main__':
    tap.main()
