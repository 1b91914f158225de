"""Where things are: the source tree, the build tree and the programs in it."""
import atexit
import os
import shutil
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('FETCHD_BUILD') or TOP / 'build').resolve()

FETCHD = BUILD / 'daemon' / 'fetchd'
WORKER = BUILD / 'worker' / 'fetchd-worker'
FETCHCTL = BUILD / 'client' / 'fetchctl'


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


def sanitized():
    """True when the programs were built with AddressSanitizer, whose memory is not ours to judge."""
    try:
        return b'__asan_init' in FETCHD.read_bytes()
    except OSError:
        return False
