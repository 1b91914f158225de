"""One script, two clients that share no line of code: libfetchd as it is installed, seen by a C program that knows nothing of the
build tree, and client/python/fetchd.py, written from ipc/README.md alone. Each must do all of it.

A client is driven by an adapter: `adapter URL WORD=VALUE...`, with fields of FETCH as words and besides
    body=TEXT  upload=FILE (streamed)  out=FILE (the answer's body)  cancel=early|response  beside=URL (fetched while the first is
    not read)  say=TEXT|@FILE (to a WebSocket, each after the other's echo)  count=N (at once, NUMBER in the URL)  then=URL (after it)
It prints what came, a line each:
    hop|response STATUS VERSION URL    header NAME: VALUE    message text|binary same|other    done NAME ATTEMPTS REDIRECTS BYTES CODE
"""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import script  # noqa: E402
from world import paths, tap  # noqa: E402

HERE = Path(__file__).resolve().parent


class CClient(script.Script):
    """Installed into a folder of its own, found by pkg-config, compiled by cc: nothing of this tree but adapter.c."""

    @classmethod
    def prepare(cls):
        paths.need_programs()
        target, program = paths.folder('i'), paths.folder('a') / 'adapter'
        cls.run_quietly('meson', 'install', '-C', paths.BUILD, '--no-rebuild', '--quiet', '--tags', 'devel,runtime', '--destdir', target)
        packages = {path.parent for path in target.rglob('fetchd.pc')}
        libraries = {path.parent for path in target.rglob('libfetchd.so')}
        env = dict(os.environ, PKG_CONFIG_PATH=':'.join(map(str, packages)), PKG_CONFIG_SYSROOT_DIR=str(target))
        flags = cls.run_quietly('pkg-config', '--cflags', '--libs', 'fetchd', env=env).split()
        sources = paths.folder('a') / 'adapter.c'
        shutil.copy(HERE / 'adapter.c', sources)
        cls.run_quietly('cc', '-std=gnu11', '-Wall', '-Wextra', '-Werror', '-O1', '-o', program, sources, *flags, *cls.sanitizers())
        cls.adapter, cls.environment = [str(program)], dict(LD_LIBRARY_PATH=':'.join(map(str, libraries)))

    @staticmethod
    def run_quietly(*command, **more):
        run = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
        if run.returncode:
            raise AssertionError('%s\n%s' % (command, run.stdout))
        return run.stdout

    @staticmethod
    def sanitizers():
        options = json.loads((paths.BUILD / 'meson-info' / 'intro-buildoptions.json').read_text())
        value = next(option['value'] for option in options if option['name'] == 'b_sanitize')
        return [] if value == 'none' else ['-fsanitize=%s' % value]


class PythonClient(script.Script):
    @classmethod
    def prepare(cls):
        cls.adapter, cls.environment = ['/usr/bin/python3', str(HERE / 'adapter.py')], {}

    def test_it_is_short(self):
        source = (paths.TOP / 'client/python/fetchd.py').read_text()
        self.assertLessEqual(len(source.splitlines()), 150)


if __name__ == '__main__':
    tap.main()
