"""A Debian in a container, with a real systemd as its first process.

    with Machine(packages) as machine:
        machine.run('systemctl', 'is-active', 'fetchd.socket')

Its root is made once by debootstrap, in a cache outside the tree, from the archive that this machine's apt
uses; each start works on a throw-away layer above it. It has a network of its own: loopback, and one
private address on it that is no loopback address.
"""
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from . import proc

ADDRESS = '10.77.0.1'
SUITE = 'bookworm'
INCLUDE = ['systemd', 'systemd-sysv', 'dbus', 'libpam-systemd', 'iproute2', 'nginx-light', 'ca-certificates', 'man-db']


class Unavailable(Exception):
    """Why no container can be started here."""


def need(condition, why):
    if not condition:
        raise Unavailable(why)


def archive():
    """Where this machine's apt takes Debian from."""
    run = subprocess.run(['apt-get', 'indextargets', '--format', '$(REPO_URI) $(RELEASE)', 'Created-By: Packages',
                          'Component: main', 'Origin: Debian'], stdout=subprocess.PIPE, text=True, check=True)
    for line in run.stdout.splitlines():
        address, release = line.split()
        if release == SUITE:
            return address
    raise Unavailable('apt has no Debian %s here' % SUITE)


def dependencies(package):
    """Names that a package depends on, the first of alternatives, without versions."""
    run = subprocess.run(['dpkg-deb', '-f', str(package), 'Depends'], stdout=subprocess.PIPE, text=True, check=True)
    names = [re.split(r'[ (|]', item.strip())[0] for item in run.stdout.split(',')]
    return sorted({name for name in names if name} - set(INCLUDE))


def make_root(packages):
    """The folder of a system that lacks only the packages themselves."""
    wanted = INCLUDE + sorted({name for package in packages for name in dependencies(package)}
                              - {package.name.split('_')[0] for package in packages})
    name = 'systemd-root-' + hashlib.sha256(' '.join([SUITE, *wanted]).encode()).hexdigest()[:12]
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'fetchd-deps'
    root = cache / name
    if root.exists():
        return root
    cache.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=name + '.', dir=cache))
    try:
        run = subprocess.run(['debootstrap', '--variant=minbase', '--include=' + ','.join(wanted), SUITE, str(new),
                              archive()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        need(run.returncode == 0, 'debootstrap: %s' % ' / '.join(run.stdout.splitlines()[-3:]))
        shutil.rmtree(new / 'var/cache/apt', ignore_errors=True)
        (new / 'etc/systemd/system/multi-user.target.wants/nginx.service').unlink(missing_ok=True)
        new.chmod(0o755)
        new.rename(root)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return root


class Machine:
    def __init__(self, packages):
        self.packages = [Path(package) for package in packages]
        self.folder = Path(tempfile.mkdtemp(prefix='fetchd-m-', dir='/tmp'))
        self.process = self.leader = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # ---- life ----

    def start(self):
        need(os.geteuid() == 0, 'a container wants root')
        for tool in ('systemd-nspawn', 'debootstrap', 'nsenter', 'dpkg-deb'):
            need(shutil.which(tool), '%s is not installed; setup.sh --packages systemd does' % tool)
        root = make_root(self.packages)
        shared = self.folder / 'shared'
        shared.mkdir()
        for package in self.packages:
            shutil.copy(package, shared)
        self.log = open(self.folder / 'console', 'wb')
        self.process = subprocess.Popen(
            ['systemd-nspawn', '--quiet', '--directory=%s' % root, '--volatile=overlay', '--register=no', '--keep-unit',
             '--private-network', '--hostname=fetchd-test', '--console=pipe', '--bind=%s:/shared' % shared, '--boot'],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        proc.until(self.find_leader, 30, 'the first process of the container')
        proc.until(self.is_up, 90, 'the start of its systemd')
        self.run('ip', 'address', 'add', ADDRESS + '/24', 'dev', 'lo')
        return self

    def find_leader(self):
        need(self.process.poll() is None, 'systemd-nspawn: %s' % self.console()[-300:])
        for pid in proc.children(self.process.pid):     # it has helpers that come and go
            try:
                if proc.field(pid, 'NSpid').split()[-1] == '1' and proc.field(pid, 'Name') == 'systemd':
                    self.leader = pid
            except (OSError, KeyError):
                pass
        return self.leader

    def is_up(self):
        need(self.process.poll() is None, 'systemd-nspawn: %s' % self.console()[-300:])
        state = self.try_run('systemctl', 'is-system-running').stdout.strip()
        return state in ('running', 'degraded')

    def console(self):
        return (self.folder / 'console').read_text(errors='replace').strip()

    def stop(self):
        if self.process:
            self.process.terminate()                # a container is switched off by it
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.log.close()
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- what happens inside ----

    def command(self, words, user=None, env=None):
        inside = ['nsenter', '--target=%d' % self.leader, '--all', 'env', '-i', '--chdir=/',
                  'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C.UTF-8', *['%s=%s' % item for item in (env or {}).items()]]
        if user:
            inside += ['setpriv', '--reuid=' + user, '--regid=' + user, '--init-groups']
        return inside + [str(word) for word in words]

    def try_run(self, *words, user=None, env=None, seconds=120, input=None):
        return subprocess.run(self.command(words, user, env), input=input, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=seconds, errors='replace',
                              **({} if input is not None else dict(stdin=subprocess.DEVNULL)))

    def run(self, *words, **options):
        """Its stdout; asserts success."""
        run = self.try_run(*words, **options)
        assert run.returncode == 0, '%s: %d\n%s%s' % (' '.join(map(str, words)), run.returncode, run.stdout, run.stderr)
        return run.stdout

    def start_run(self, *words, user=None, env=None):
        return subprocess.Popen(self.command(words, user, env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def write(self, path, text):
        self.run('sh', '-c', 'mkdir -p "$(dirname "$0")" && cat >"$0"', path, input=text)

    def show(self, unit, name):
        return self.run('systemctl', 'show', '--value', '-p', name, unit).strip()
