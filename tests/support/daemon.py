"""A fetchd of our own from the build tree: private folder (0700), socket, configuration and log.

    with Daemon(allow=[nginx.ports['h2']], ca=authority.cert_path) as fetchd:
        fetchd.fetchctl('get', url)
        with fetchd.connect() as c: ...

Leaving the block sends SIGTERM, and asserts that it exits 0, leaves no process behind and that no
sanitizer had anything to say.
"""
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import paths, proc, tap

COMPLAINTS = re.compile(r'AddressSanitizer|ThreadSanitizer|LeakSanitizer|UndefinedBehavior|runtime error:|Assertion .* failed')


def rules(allow):
    """Exact loopback ports as egress rules, IPv4 and IPv6."""
    for port in allow:
        if isinstance(port, int):
            yield '127.0.0.1:%d' % port
            yield '[::1]:%d' % port
        else:
            yield str(port)


class Daemon:
    """`settings` has 'section.key' names; they come after, and override, those made here."""

    START_S = 30

    def __init__(self, allow=(), workers=2, ca=None, settings=None, program=None, args=(), env=None,
                 folder=None, prefix=()):
        paths.need_programs()
        self.folder = Path(folder) if folder else paths.folder('d')
        self.socket = self.folder / 'fetchd.sock'
        self.config = self.folder / 'fetchd.ini'
        self.log_path = self.folder / 'fetchd.log'
        self.settings = {'daemon.listen': 'unix:%s' % self.socket, 'workers.count': workers,
                         'egress.allow': ''.join('\n    ' + rule for rule in rules(allow)), 'log.level': 'debug'}
        if ca:
            self.settings['tls.ca_file'] = ca
        if program:
            self.settings['workers.program'] = program
        self.settings.update(settings or {})
        self.args, self.prefix = list(args), list(prefix)
        self.env = dict(os.environ if env is None else env)
        self.process = None
        self.known = set()                          # pids of workers ever seen

    @property
    def address(self):
        return 'unix:%s' % self.socket

    @property
    def pid(self):
        return self.process.pid

    # ---- life ----

    def write_config(self, **changes):
        self.settings.update({name.replace('__', '.'): value for name, value in changes.items()})
        sections = {}
        for name, value in self.settings.items():
            section, key = name.split('.')
            sections.setdefault(section, []).append('%s = %s' % (key, value))
        self.config.write_text('\n'.join('[%s]\n%s\n' % (s, '\n'.join(rows)) for s, rows in sections.items()))

    def spawn(self):
        """Starts it and does not wait."""
        self.write_config()
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                self.prefix + [str(self.program(paths.FETCHD, self.prefix)), '--config', str(self.config)] + self.args, env=self.env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        tap.witness(self.evidence)
        return self

    @staticmethod
    def program(path, prefix):
        """`prefix` may make it another user's."""
        return paths.for_other_users(path) if prefix else path

    def start(self, ready=True):
        self.spawn()
        try:
            proc.until(self.answers, self.START_S, 'the start of fetchd')
            if ready:
                self.wait_ready()
        except Exception as problem:
            evidence = self.evidence()
            self.kill()
            raise AssertionError('%s\n%s' % (problem, '\n'.join(evidence))) from None
        return self

    def answers(self):
        """True when somebody accepts on the socket."""
        if self.process.poll() is not None:
            raise RuntimeError('fetchd exited with %d' % self.process.returncode)
        return self.answers_new()

    def answers_new(self):
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(5)
                probe.connect(str(self.socket))
            return True
        except OSError:
            return False

    def wait_ready(self, count=None, seconds=30):
        """Waits until so many workers (all) are ready. Returns their status rows."""
        count = int(self.settings['workers.count']) if count is None else count
        with self.connect() as c:
            deadline = time.monotonic() + seconds
            while True:
                ready = [w for w in self.remember(c.status())['workers'] if w['state'] == 'ready']
                if len(ready) >= count:
                    return ready
                if time.monotonic() > deadline:
                    raise AssertionError('%d of %d workers ready after %g s' % (len(ready), count, seconds))
                time.sleep(0.01)

    def stop(self, expect=0, seconds=60):
        """SIGTERM; asserts how it ends and that nothing is left."""
        if not self.process:
            return
        self.known.update(proc.children(self.pid))
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.finish(expect, seconds)

    def finish(self, expect=0, seconds=60):
        """Waits for its end and asserts how it was."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            evidence = self.evidence()
            self.kill()
            raise AssertionError('fetchd did not stop in %g s:\n%s' % (seconds, '\n'.join(evidence))) from None
        self.process = None
        evidence = self.evidence()
        tap.forget(self.evidence)
        left = [pid for pid in self.known if proc.exists(pid) and 'fetchd-worker' in name_of(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert code == expect, 'fetchd exited with %d, not %d:\n%s' % (code, expect, '\n'.join(evidence))
        assert not left, 'workers %r outlived fetchd' % left
        complaints = [line for line in self.log().splitlines() if COMPLAINTS.search(line) and not proc.was_crash(line)]
        assert not complaints, 'a sanitizer or an assertion spoke:\n' + '\n'.join(complaints)

    def kill(self):
        """SIGKILL to it and its workers; asserts nothing."""
        if self.process:
            tap.forget(self.evidence)
            workers = self.known | set(proc.children(self.pid))
            self.process.kill()
            self.process.wait()
            self.process = None
            for pid in workers:
                if proc.exists(pid) and 'fetchd-worker' in name_of(pid):
                    os.kill(pid, signal.SIGKILL)

    def crash(self):
        """SIGKILL to the daemon alone, as the kernel would. Its workers are left to themselves."""
        self.known.update(proc.children(self.pid))
        tap.forget(self.evidence)
        self.process.kill()
        self.process.wait()
        self.process = None

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, kind, *_):
        if kind:
            tap.last_words(self.evidence)
            self.kill()                             # the test has failed already; no second reason
        else:
            self.stop()

    # ---- questions ----

    def connect(self, **options):
        from . import protocol          # wants msgpack, which a demo can do without
        return protocol.Connection(self.socket, **options)

    def remember(self, status):
        self.known.update(w['pid'] for w in status.get('workers', ()) if w.get('pid'))
        return status

    def status(self):
        with self.connect() as c:
            return self.remember(c.status())

    def workers(self):
        """pid of each ready worker, by its number."""
        return {w['worker']: w['pid'] for w in self.status()['workers'] if w['state'] == 'ready'}

    def memory(self):
        """RSS of the daemon and of each worker, by pid."""
        return {pid: proc.rss_bytes(pid) for pid in [self.pid, *self.workers().values()]}

    def settled_memory(self):
        """The same once it does not change any more; that of a sanitizer does with each beat."""
        last, same, enough = None, 0, 1 if paths.sanitized() else 30

        def steady():
            nonlocal last, same
            now = self.memory()
            same = same + 1 if now == last or paths.sanitized() else 0
            last = now
            return same >= enough
        proc.until(steady, 60, 'memory that stays the same')
        return last

    def cpu_ns(self):
        return sum(proc.cpu_ns(pid) for pid in [self.pid, *self.workers().values()])

    def until_idle(self, seconds=30):
        """Waits until no request is in flight, neither here nor in a worker."""
        def idle():
            status = self.status()
            return not status.get('in_flight') and not any(w.get('in_flight') for w in status['workers'])
        proc.until(idle, seconds, 'the end of all requests')

    def log(self):
        try:
            return self.log_path.read_text(errors='replace')
        except FileNotFoundError:
            return ''

    def until_log(self, pattern, seconds=30):
        return proc.until(lambda: re.search(pattern, self.log()), seconds, 'a log line like %r' % pattern)

    def evidence(self):
        lines = self.log().splitlines()[-25:]
        state = 'running' if self.process and self.process.poll() is None else 'not running'
        return ['fetchd is %s; the end of its log:' % state] + ['  ' + line for line in lines]

    # ---- fetchctl ----

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith('FETCHD_')}
        env.update(FETCHD_ADDRESS=self.address, **more)
        return env

    def fetchctl(self, *args, input=None, seconds=120, prefix=(), **more):
        """Runs fetchctl against this daemon. stdout and stderr are bytes."""
        return subprocess.run([*prefix, str(self.program(paths.FETCHCTL, prefix)), *map(str, args)], input=input, timeout=seconds,
                              stdin=subprocess.DEVNULL if input is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment(**more))

    def start_fetchctl(self, *args, **options):
        """The same without waiting. Returns the Popen."""
        options.setdefault('stdin', subprocess.DEVNULL)
        options.setdefault('stdout', subprocess.PIPE)
        options.setdefault('stderr', subprocess.PIPE)
        return subprocess.Popen([str(paths.FETCHCTL), *map(str, args)], env=self.environment(), **options)


def name_of(pid):
    """Its whole command line; empty for a zombie."""
    try:
        return Path('/proc/%d/cmdline' % pid).read_bytes().replace(b'\0', b' ').decode(errors='replace')
    except OSError:
        return ''
