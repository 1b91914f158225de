"""Request bodies: inline, streamed with and without a length, large, redirected, refused half-way."""
import json
import os
import signal

from world import KIB, MIB, World, bodies, proc, tap


class Uploads(World):
    def landed(self, answer, data):
        seen = json.loads(self.good(answer).body)
        self.assertEqual((seen['bytes'], seen['sha256']), (len(data), bodies.sha256(data)))
        return {n.lower(): v for n, v in seen['headers']}

    def stream(self, c, url, data, **options):
        id = c.fetch(url, body_streamed=True, **{'method': 'PUT', **options})
        return c.upload(id, data)

    def test_an_inline_body_arrives(self):
        with self.fetchd.connect() as c:
            for server in ('h1', 'h2'):
                for size in (1, 1000, 100000, 786432):
                    with self.subTest(server=server, size=size):
                        data = bodies.content(size, 'inline')
                        headers = self.landed(c.get(self.url('/upload', server), method='POST', body=data), data)
                        self.assertEqual(headers['content-length'], str(size))

    def test_an_empty_body_has_a_length_of_0(self):
        with self.fetchd.connect() as c:
            self.assertEqual(self.landed(c.get(self.url('/upload', 'h1'), method='POST', body=b''), b'').get(
                'content-length', '0'), '0')

    def test_a_streamed_body_with_a_length_arrives(self):
        data = bodies.content(3 * MIB + 17, 'stream')
        with self.fetchd.connect() as c:
            for server in ('h1', 'h2'):
                with self.subTest(server=server):
                    headers = self.landed(self.stream(c, self.url('/upload', server), data, body_length=len(data)), data)
                    self.assertEqual(headers['content-length'], str(len(data)))

    def test_a_streamed_body_without_a_length_is_chunked(self):
        data = bodies.content(3 * MIB + 17, 'chunked')
        with self.fetchd.connect() as c:
            headers = self.landed(self.stream(c, self.url('/upload', 'h1'), data), data)
            self.assertEqual(headers.get('transfer-encoding'), 'chunked')
            self.landed(self.stream(c, self.url('/upload', 'h2'), data), data)

    def test_small_pieces_arrive_in_order(self):
        data = bodies.content(20 * KIB, 'pieces')
        with self.fetchd.connect() as c:
            id = c.fetch(self.url('/upload'), method='PUT', body_streamed=True)
            self.landed(c.upload(id, data, piece_bytes=7), data)

    def test_an_empty_streamed_body(self):
        with self.fetchd.connect() as c:
            for server in ('h1', 'h2'):
                self.landed(self.stream(c, self.url('/upload', server), b''), b'')
                self.landed(self.stream(c, self.url('/upload', server), b'', body_length=0), b'')

    def test_100_mib_streamed(self):
        data = (self.nginx.root / '100m').read_bytes()
        with self.fetchd.connect() as c:
            for server in ('h1', 'h2'):
                with self.subTest(server=server):
                    self.landed(self.stream(c, self.url('/upload', server), data, body_length=len(data)), data)

    def test_several_uploads_at_once_on_one_connection(self):
        run = [self.fetchd.start_fetchctl('put', '-s', '-T', self.nginx.root / '1m', self.url('/upload?%d' % i, server))
               for i, server in enumerate(('h1', 'h2') * 5)]
        for process in run:
            out, err = process.communicate(timeout=60)
            self.assertEqual(json.loads(out)['sha256'], self.nginx.hashes['1m'], err)

    def test_a_body_longer_or_shorter_than_said_is_an_error(self):
        data = bodies.content(100000, 'length')
        with self.fetchd.connect() as c:
            for server in ('h1', 'h2'):
                with self.subTest(server=server):
                    answer = self.stream(c, self.url('/upload', server), data, body_length=len(data) + 1)
                    self.assertIsNotNone(answer.error, 'too short, and a success')
                    answer = self.stream(c, self.url('/upload', server), data, body_length=len(data) - 1)
                    self.assertIsNotNone(answer.error, 'too long, and a success')

    def test_a_307_has_the_body_sent_again(self):
        data = bodies.content(5 * MIB, 'again')
        with self.fetchd.connect() as c:
            for server in ('h1', 'h2'):
                for where in ('/r307/upload', '/r308?to=' + self.url('/upload', 'other')):
                    with self.subTest(server=server, where=where):
                        self.landed(self.stream(c, self.url(where, server), data, body_length=len(data), follow=True,
                                                rewindable=True), data)

    def test_a_307_with_an_inline_body_sends_it_again(self):
        data = bodies.content(300000, 'inline again')
        with self.fetchd.connect() as c:
            self.landed(c.get(self.url('/r307/upload'), method='POST', body=data, follow=True), data)

    def test_a_307_with_a_body_that_cannot_come_again_is_an_error(self):
        data = bodies.content(5 * MIB, 'once')
        with self.fetchd.connect() as c:
            answer = self.stream(c, self.url('/r307/upload', 'h1'), data, body_length=len(data), follow=True,
                                 expect_timeout_ms=0)       # else it waits for 100 and has not left yet
            self.bad(answer, 'body.rewind')

    def test_a_303_drops_the_body(self):
        data = bodies.content(100000, 'dropped')
        with self.fetchd.connect() as c:
            answer = self.stream(c, self.url('/r303/headers', 'h1'), data, body_length=len(data), follow=True,
                                 rewindable=True)
            self.assertEqual(json.loads(self.good(answer).body)['method'], 'GET')

    def test_an_answer_before_the_body_is_sent_is_the_answer(self):
        data = bodies.content(20 * MIB, 'early')
        with self.fetchd.connect() as c:
            for server in ('h1', 'h2'):
                with self.subTest(server=server):
                    answer = self.stream(c, self.url('/early', server), data, body_length=len(data))
                    if answer.error is None:
                        self.assertEqual(answer.status, 413)
                    else:
                        self.bad(answer, 'send.failed', 'receive.failed', 'http2.stream')
            self.good(c.get(self.url('/1k')))

    def test_an_upload_nobody_reads_is_held_back(self):
        """The origin accepts the headers and reads nothing: the credit ends, and nothing piles up."""
        with self.fetchd.connect() as c:
            before = proc.rss_bytes(self.fetchd.pid)
            id = c.fetch(self.url('/hold-upload/x', 'h1'), method='PUT', body_streamed=True)
            stream, sent = c.streams[id], 0
            c.until(lambda: stream[3] > 0 or stream[0].done)
            while stream[3] > 1000 and not stream[0].done and sent < 64 * MIB:
                c.send('DATA', id, b'x' * 936)
                stream[3] -= 1000
                sent += 936
                if stream[3] <= 1000:
                    try:
                        c.until(lambda: stream[3] > 1000 or stream[0].done, seconds=1)
                    except AssertionError:
                        break
            self.assertLess(proc.rss_bytes(self.fetchd.pid) - before, 8 * MIB)
            c.send('CANCEL', id)
            c.finish(id)

    def test_a_worker_lost_in_the_midst_has_the_body_sent_again(self):
        data = bodies.content(2 * MIB, 'lost')
        with self.fetchd.connect() as c:
            id = c.fetch(self.url('/hold/lost', 'h1'), method='PUT', body_streamed=True, body_length=len(data),
                         rewindable=True)
            stream = c.streams[id]
            c.until(lambda: stream[3] > 1000)
            c.send('DATA', id, data[:900])
            stream[3] -= 964
            busy = proc.until(lambda: [w for w in self.fetchd.status()['workers'] if w.get('in_flight')])
            os.kill(busy[0]['pid'], signal.SIGKILL)
            c.until(lambda: stream[0].rewinds == 1 or stream[0].done)
            self.assertEqual(stream[0].rewinds, 1, stream[0].done)
            self.backend.release('lost')
            answer = c.upload(id, data)
            self.assertEqual(self.good(answer).body, b'released\n')
            self.fetchd.wait_ready()


class Fetchctl(World):
    def test_post_d_sends_a_form(self):
        seen = json.loads(self.ctl_good('post', '-d', 'a=b', '-d', 'c=d', self.url('/upload')))
        self.assertEqual(seen['sha256'], bodies.sha256(b'a=b&c=d'))
        self.assertEqual({n.lower(): v for n, v in seen['headers']}['content-type'], 'application/x-www-form-urlencoded')

    def test_json_sends_json(self):
        seen = json.loads(self.ctl_good('post', '--json', '{"a":1}', self.url('/upload')))
        headers = {n.lower(): v for n, v in seen['headers']}
        self.assertEqual((headers['content-type'], seen['bytes']), ('application/json', 7))

    def test_put_t_streams_a_file(self):
        seen = json.loads(self.ctl_good('put', '-s', '-T', self.nginx.root / '100m', self.url('/upload')))
        self.assertEqual((seen['method'], seen['sha256']), ('PUT', self.nginx.hashes['100m']))

    def test_put_t_dash_streams_stdin_chunked(self):
        data = bodies.content(3 * MIB, 'stdin')
        seen = json.loads(self.ctl_good('put', '-s', '-T', '-', self.url('/upload', 'h1'), input=data))
        self.assertEqual(seen['sha256'], bodies.sha256(data))
        self.assertEqual({n.lower(): v for n, v in seen['headers']}.get('transfer-encoding'), 'chunked')

    def test_a_file_is_sent_again_after_a_307(self):
        seen = json.loads(self.ctl_good('put', '-s', '-L', '-T', self.nginx.root / '1m', self.url('/r307/upload')))
        self.assertEqual(seen['sha256'], self.nginx.hashes['1m'])


if __name__ == '__main__':
    tap.main()
