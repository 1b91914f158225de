"""What the shells make of fetchctl's completions: a real bash and a real zsh at a terminal, with a TAB typed into them."""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import paths, tap  # noqa: E402

COMPLETIONS = paths.BUILD / 'client' / 'completions'
SECONDS = 30


class Shell:
    """Types lines; `fetchctl` is a function that shows its words."""

    def __init__(self, command, folder, *first):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(TERM='dumb', HOME=str(folder), PS1='> ', HISTFILE='/dev/null')
            os.execvp(command[0], command)
        self.seen = ''
        for line in (*first, 'fetchctl() { printf "%s" "GO" "T"; printf "<%s>" "$@"; printf "%s\\n" "E" "ND"; }', 'echo rea""dy'):
            self.type(line + '\n')
        self.until('\nready')

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, what):
        while not re.search(what, self.seen.replace('\r', '')):
            if not select.select([self.fd], [], [], SECONDS)[0]:
                raise AssertionError('%r did not come: %r' % (what, self.seen))
            self.seen += os.read(self.fd, 65536).decode(errors='replace')

    def words(self, typed):
        """What fetchctl is given when this is typed, TABs and all."""
        self.seen = ''
        self.type(typed + '\n')
        self.until(r'GOT(<[^>]*>)*E\nND')
        return re.findall('<([^>]*)>', re.search(r'GOT((<[^>]*>)*)E\nND', self.seen.replace('\r', '')).group(1))

    def end(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


class Completion:
    """What both must do."""

    def setUp(self):
        self.folder = paths.folder('s')
        (self.folder / 'urls.txt').write_text('')
        (self.folder / 'pages').mkdir()
        (self.folder / 'body.json').write_text('')
        self.shell = self.start()
        self.addCleanup(self.shell.end)

    def test_commands(self):
        self.assertEqual(self.shell.words('fetchctl ba\t x'), ['batch', 'x'])
        self.assertEqual(self.shell.words('fetchctl comp\t z\t'), ['completion', 'zsh'])
        self.assertEqual(self.shell.words('fetchctl help reque\t'), ['help', 'request'])

    def test_options_are_those_of_the_command(self):
        self.assertEqual(self.shell.words('fetchctl batch --per-o\t 3'), ['batch', '--per-origin', '3'])
        self.assertEqual(self.shell.words('fetchctl get --per-o\t 3'), ['get', '--per-o', '3'])

    def test_files_and_folders_where_an_option_or_a_command_takes_one(self):
        self.assertEqual(self.shell.words('fetchctl get -o ur\t x'), ['get', '-o', 'urls.txt', 'x'])
        self.assertEqual(self.shell.words('fetchctl batch --output-dir pa\t')[2].rstrip('/'), 'pages')
        self.assertEqual(self.shell.words('fetchctl batch ur\t'), ['batch', 'urls.txt'])
        self.assertEqual(self.shell.words('fetchctl get -m bo\t'), ['get', '-m', 'bo'])
        self.assertEqual(self.shell.words('fetchctl get ur\t'), ['get', 'ur'])

    def test_files_behind_an_at(self):
        self.assertEqual([word.rstrip() for word in self.shell.words('fetchctl post -d @bo\t x')], ['post', '-d', '@body.json', 'x'])


@unittest.skipUnless(shutil.which('bash'), 'bash is not installed')
class Bash(Completion, unittest.TestCase):
    def start(self):
        return Shell(['bash', '--norc', '--noprofile', '-i'], self.folder, 'source %s' % (COMPLETIONS / 'fetchctl'))

    def test_a_value_behind_an_equals_sign(self):
        self.assertEqual(self.shell.words('fetchctl batch --output=ur\t x'), ['batch', '--output=urls.txt', 'x'])

    def test_every_option_of_every_command_is_offered_and_no_other(self):
        usage = subprocess.run([str(paths.FETCHCTL), 'help'], stdout=subprocess.PIPE, text=True).stdout
        commands = [name for name in re.findall(r'^  fetchctl (\w+)', usage, re.M) if name not in ('help', 'version')]
        self.assertGreater(len(commands), 10)
        for command in commands:
            help = subprocess.run([str(paths.FETCHCTL), 'help', command], stdout=subprocess.PIPE, text=True).stdout
            script = ('source %s; COMP_WORDS=(fetchctl %s -); COMP_CWORD=2; _fetchctl fetchctl - %s; printf "%%s\\n" "${COMPREPLY[@]}"'
                      % (COMPLETIONS / 'fetchctl', command, command))
            offered = subprocess.run(['bash', '--norc', '-c', script], stdout=subprocess.PIPE, text=True).stdout.split()
            options = re.findall(r'^  (-\w|  ), ?--|(--[\w.-]+)', help, re.M)
            options = set(re.findall(r'^  (?:-\w,|   ) (--[\w.-]+)', help, re.M)) | set(re.findall(r'^  (-\w), ', help, re.M))
            self.assertEqual(set(offered), options, command)


@unittest.skipUnless(shutil.which('zsh'), 'zsh is not installed')
class Zsh(Completion, unittest.TestCase):
    def start(self):
        return Shell(['zsh', '-f', '-i'], self.folder, 'unsetopt zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste',
                     'fpath=(%s $fpath)' % COMPLETIONS, 'autoload -Uz compinit && compinit -u -D', 'PROMPT="> "')


if __name__ == '__main__':
    tap.main()
