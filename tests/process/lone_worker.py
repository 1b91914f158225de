"""A fetchd-worker without a daemon: the test itself is at the other end of its channel.

    with LoneWorker(ca_pem=..., egress_allow=['127.0.0.1:8443']) as worker:
        answer = worker.get('https://localhost:8443/1k')

What the client of support.protocol does is done here too (credit, uploads, one DONE per id), and what
only a daemon says: SETTINGS, GO. `go` answers each HOP; None leaves that to the test.
"""
import signal
import socket
import subprocess
import tempfile

from support import paths, tap
from support.protocol import WINDOW, Closed, Connection

DENIED = ['loopback', 'link-local', 'unspecified', 'multicast', 'reserved']


def version():
    """What SETTINGS must name: the worker says it itself."""
    said = subprocess.run([str(paths.WORKER), '--version'], stdout=subprocess.PIPE, check=True)
    return said.stdout.decode().split()[1]


class LoneWorker(Connection):
    def __init__(self, settings=True, auto_credit=True, keep=True, go=dict(here=True), environment=None,
                 program=None, **more):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(60)
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(program or [str(paths.WORKER)], stdin=theirs, stdout=subprocess.DEVNULL,
                                        stderr=self.log, env=environment or {}, close_fds=True)
        theirs.close()
        self.buffer = bytearray()
        self.next_id = 1
        self.auto_credit, self.keep, self.go = auto_credit, keep, go
        self.window, self.owed = WINDOW, 0
        self.upload_credit = WINDOW
        self.streams = {}
        self.error = self.goaway = None
        self.beat, self.started = None, 0
        tap.witness(self.evidence)
        if settings:
            self.configure(**more)

    def configure(self, **more):
        self.send('SETTINGS', 0, dict(dict(build=version(), worker=1, log_level=7, egress_deny=DENIED), **more))
        kind, _, self.ready = self.receive()
        assert kind == 'READY', kind

    def close(self):
        """Ends the channel. Returns the exit code."""
        self.socket.close()
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise AssertionError('the worker did not end with its channel') from None
        tap.forget(self.evidence)
        return code

    def __exit__(self, kind, *_):
        code = self.close()
        assert kind or code == 0, 'the worker ended with %d\n%s' % (code, self.lines())

    def exit_code(self):
        """Of a worker that ends by itself."""
        try:
            self.until(lambda: False, 20)
        except Closed:
            pass
        return self.process.wait(20)

    def lines(self):
        self.log.seek(0)
        return self.log.read().decode(errors='replace')

    def evidence(self):
        return ['worker: ' + line for line in self.lines().splitlines()[-20:]]

    @property
    def pid(self):
        return self.process.pid

    # ---- what only a daemon hears ----

    def of_connection(self, kind, body):
        if kind == 'BEAT':
            self.beat = body
        elif kind in ('STARTED', 51):
            self.started = body['last_id']
        else:
            super().of_connection(kind, body)

    def of_stream(self, frame, answer, *rest):
        super().of_stream(frame, answer, *rest)
        if frame.type == 'HOP':
            assert answer.response is None, 'HOP after RESPONSE for %d' % frame.id
            if self.go is not None:
                self.send('GO', frame.id, self.go)
        if frame.type == 'HOP' and self.go == {}:
            del self.streams[frame.id]

    def next_beat(self):
        self.beat = None
        self.until(lambda: self.beat is not None, 10)
        return self.beat

    def cancel(self, id):
        self.send('CANCEL', id)

    def many(self, url, count, **options):
        """`count` requests at once. Returns their Answers."""
        ids = [self.fetch(url, **options) for _ in range(count)]
        return [self.finish(id) for id in ids]


def ports(site, *others):
    """Rules that open a site's nginx, and other origins, for a worker."""
    numbers = list(site.nginx.ports.values()) + [site.backend.port] + [other.port for other in others]
    return ['127.0.0.1:%d' % number for number in numbers]
