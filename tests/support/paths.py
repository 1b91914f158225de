"""Where things are: the source tree, the build tree and the programs in it."""
import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('FETCHD_BUILD') or TOP / 'build').resolve()

EXE = '.exe' if (BUILD / 'daemon' / 'fetchd.exe').exists() else ''      # a build for Windows
FETCHD = BUILD / 'daemon' / ('fetchd' + EXE)
WORKER = BUILD / 'worker' / ('fetchd-worker' + EXE)
FETCHCTL = BUILD / 'client' / ('fetchctl' + EXE)


def need_programs():
    """Fails with a sentence instead of a FileNotFoundError in the middle of a test."""
    missing = [str(path) for path in (FETCHD, WORKER, FETCHCTL) if not path.exists()]
    if missing:
        raise RuntimeError('not built: %s (FETCHD_BUILD names the build tree)' % ', '.join(missing))


def folder(name='t'):
    """A new private folder (mode 0700), gone when the process ends. Its path is short, because a
    socket's path has room for 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix='fetchd-%s-' % name, dir='/tmp'))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@functools.cache
def public_build():
    """The build tree if every user may enter it, else a folder with copies of its programs: root's home is
    closed to others."""
    if all(folder.stat().st_mode & 0o001 for folder in (BUILD / 'client', *(BUILD / 'client').parents)):
        return BUILD
    copy = folder('p')
    for program in ('daemon/fetchd', 'worker/fetchd-worker', 'client/fetchctl', 'client/client_probe',
                    'client/libfetchd.so.0'):
        (copy / program).parent.mkdir(exist_ok=True)
        shutil.copy(BUILD / program, copy / program)
    for path in (copy, *copy.iterdir()):
        path.chmod(0o755)
    return copy


def for_other_users(program):
    """The same program, where another user can run it."""
    return public_build() / Path(program).relative_to(BUILD)


@functools.cache
def sanitizer():
    """What the programs were built with besides: None, or as compilers call it; such a program's memory is not ours to judge."""
    program = FETCHD.read_bytes() if FETCHD.exists() else b''
    return 'address,undefined' if b'__asan_init' in program else 'thread' if b'__tsan_init' in program else None


def sanitized():
    return sanitizer() is not None


def bound(size):
    """What a program's memory may grow by; a sanitizer pads every block and keeps what was freed."""
    return float('inf') if sanitized() else size
