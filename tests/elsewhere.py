#!/usr/bin/python3
"""Compiles the sources as on a system that is not Linux, as far as headers tell: only what POSIX and the BSDs have is
declared (tests/support/elsewhere.h), the halves of other systems are taken, and portable/ stands in for what some lack.
It links and runs nothing. What needs headers that only such a system has is in UNSEEN, and in CONTRIBUTING.md.
"""
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from support import paths, tap  # noqa: E402

FOLDERS = ('ipc', 'conf', 'daemon', 'worker', 'client')
OTHERS_HALVES = re.compile(r'_(linux|epoll|windows)\.c$')
UNSEEN = re.compile(r'_(kqueue|macos|freebsd|openbsd)\.c$')      # sys/event.h, sandbox.h, sys/capsicum.h, pledge
FLAGS = ['-fsyntax-only', '-fno-diagnostics-color', '-Werror=implicit-function-declaration',
         '-U__linux__', '-D_DEFAULT_SOURCE', '-D_XOPEN_SOURCE=700', '-isystem', str(paths.TOP / 'portable/unix/include'),
         '-include', str(paths.TOP / 'tests/support/elsewhere.h')]


def commands():
    """{source: compiler's command} of what this build compiled, without what tells it to write."""
    found = {}
    for entry in json.loads((paths.BUILD / 'compile_commands.json').read_text()):
        source = Path(os.path.normpath(Path(entry['directory']) / entry['file']))
        if source.is_relative_to(paths.TOP) and source.relative_to(paths.TOP).parts[0] in FOLDERS and source.suffix == '.c':
            words = shlex.split(entry['command'])
            for flag in ('-o', '-c', '-MQ', '-MF'):
                at = words.index(flag)
                del words[at:at + 2]
            found.setdefault(source, [word for word in words if word not in ('-D_GNU_SOURCE', '-MD', str(entry['file']))])
    return found


def jobs():
    """What another system would compile: (source, command), halves that are not built here with a neighbour's command."""
    built = commands()
    for folder in FOLDERS:
        for source in sorted((paths.TOP / folder).rglob('*.c')):
            neighbour = next((command for other, command in built.items() if other.parent == source.parent), None)
            command = built.get(source, neighbour)
            if command and not OTHERS_HALVES.search(source.name) and not UNSEEN.search(source.name):
                yield source, command


def compile_elsewhere(job, more=()):
    source, command = job
    run = subprocess.run(command + FLAGS + [*more, str(source)], cwd=paths.BUILD, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True)
    return [line for line in run.stderr.splitlines() if 'error:' in line]


class Elsewhere(unittest.TestCase):
    def test_every_file_compiles_with_what_posix_and_the_bsds_have(self):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            problems = [line for lines in pool.map(compile_elsewhere, jobs()) for line in lines]
        self.assertEqual(problems, [])

    def test_control_a_call_of_linux_alone_does_not(self):
        bad = paths.folder() / 'bad.c'
        bad.write_text('#include <sys/socket.h>\nint bad(int fd);\nint bad(int fd)\n{\n    return accept4(fd, 0, 0, 0);\n}\n')
        command = next(command for source, command in jobs() if source.parent.name == 'daemon')
        self.assertIn('accept4', '\n'.join(compile_elsewhere((bad, command))))


if __name__ == '__main__':
    tap.main()
