"""A Windows of Wine for one test file: a private prefix, the programs in it, its registry and its event log.

A prefix takes many seconds, so a file has one (`shared`), which ends with it, copied from one that a cache keeps
(`template`).
"""
import atexit
import functools
import hashlib
import os
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('FETCHD_BUILD') or TOP / 'build-windows').resolve()
FETCHD = BUILD / 'daemon' / 'fetchd.exe'
WORKER = BUILD / 'worker' / 'fetchd-worker.exe'
FETCHCTL = BUILD / 'client' / 'fetchctl.exe'
PRNG = BUILD / 'tests' / 'windows' / 'bcryptprimitives.dll'
CACHE = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'fetchd-deps'
START_S = 300
DESCRIPTORS = 20000


def environment(prefix, home):
    return {'PATH': os.environ['PATH'], 'HOME': str(home), 'LC_ALL': 'C.UTF-8', 'WINEPREFIX': str(prefix),
            'WINEDLLOVERRIDES': 'mscoree,mshtml=', 'WINEDEBUG': '-all'}


def raise_descriptors():
    """Wine has each socket twice: in its server and in the program."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, DESCRIPTORS)), hard))


def template():
    """A fresh Windows 10, made once for each version of Wine."""
    version = subprocess.run(['wine', '--version'], stdout=subprocess.PIPE, check=True).stdout
    kept = CACHE / ('wine-' + hashlib.sha256(version).hexdigest()[:16])
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix='wine-new-', dir=CACHE))
        for command in (['wine', 'wineboot', '-i'], ['wine', 'winecfg', '-v', 'win10'], ['wineserver', '-w']):
            subprocess.run(command, env=environment(folder, folder), check=True, timeout=START_S,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            folder.rename(kept)
        except OSError:                             # another was faster
            shutil.rmtree(folder)
    return kept


def copy_of_template(prefix):
    """With the library that Wine may lack."""
    subprocess.run(['cp', '-a', '--reflink=auto', str(template()), str(prefix)], check=True)
    library = prefix / 'drive_c/windows/system32' / PRNG.name
    if not library.exists():
        shutil.copy(PRNG, library)


class Ended:
    """A command that has ended."""

    def __init__(self, process):
        self.code = process.returncode
        self.out, self.err = (text.decode(errors='replace').replace('\r', '') for text in (process.stdout, process.stderr))


class Wine:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix='fetchd-wine-', dir='/tmp'))
        self.prefix = self.folder / 'prefix'
        self.drive = self.prefix / 'drive_c'
        self.environment = environment(self.prefix, self.folder)
        raise_descriptors()
        copy_of_template(self.prefix)
        self.event_file = self.folder / 'events'
        self.event_file.touch()
        self.holder = self.hold()

    def hold(self):
        """Starts the system and keeps it: it ends with its last program. The service manager and what it starts inherit
        this program's stderr, to which Wine writes the events that it does not keep."""
        with self.event_file.open('wb') as events:
            holder = subprocess.Popen(['wine', 'cmd', '/q', '/k', 'echo it is up'], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=events,
                                      env=dict(self.environment, WINEDEBUG='-all,+eventlog'))
        holder.stdout.readline()
        return holder

    def close(self):
        for stream in (self.holder.stdin, self.holder.stdout):
            stream.close()
        self.holder.wait(START_S)
        subprocess.run(['wineserver', '-k'], env=self.environment, timeout=START_S)
        self.wait_for_the_end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_for_the_end(self):
        subprocess.run(['wineserver', '-w'], env=self.environment, timeout=START_S)

    def start(self, *command, env=None, **streams):
        return subprocess.Popen(['wine', *map(str, command)], env=dict(self.environment, **(env or {})), **streams)

    def run(self, *command, env=None, timeout=60):
        return Ended(subprocess.run(['wine', *map(str, command)], env=dict(self.environment, **(env or {})),
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    timeout=timeout))

    def processes(self, program):
        """Linux' pids of the programs of this prefix whose names begin so."""
        found = []
        for folder in Path('/proc').glob('[0-9]*'):
            try:
                if (folder / 'comm').read_text().startswith(program[:15]):
                    if ('WINEPREFIX=%s' % self.prefix).encode() in (folder / 'environ').read_bytes().split(b'\0'):
                        found.append(int(folder.name))
            except OSError:
                pass                                           # it has just ended
        return found

    def registry(self, key):
        """{name: (type, text)} of a key, or None when there is none."""
        query = self.run('reg', 'query', key)
        if query.code:
            return None
        lines = [line.strip().split('    ', 2) for line in query.out.splitlines() if line.startswith('    ')]
        return {fields[0]: (fields[1], fields[2] if len(fields) > 2 else '') for fields in lines}

    def events(self):
        """What was reported to the event log so far: (kind, text as Wine writes it)."""
        lines = self.event_file.read_text(errors='replace').splitlines()
        found = [line.split(':', 4) for line in lines if ':eventlog:ReportEventW ' in line]
        return [(fields[1], fields[3].partition(' ')[2] + (':' + fields[4] if len(fields) > 4 else '')) for fields in found]

    def unix(self, path):
        """The file of a path on drive C: or Z:."""
        drive, _, rest = path.partition(':')
        return (self.drive if drive.upper() == 'C' else Path('/')) / rest.replace('\\', '/').lstrip('/')


@functools.cache
def shared():
    wine = Wine()
    atexit.register(wine.close)
    return wine


def until(check, timeout=30, pause=0.1):
    """What `check` returns as soon as it is true, else what it last was."""
    end = time.monotonic() + timeout
    while not (found := check()) and time.monotonic() < end:
        time.sleep(pause)
    return found
