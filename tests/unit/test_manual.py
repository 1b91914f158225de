#!/usr/bin/python3
"""The manual pages and what they are about name the same things: each option, setting, function, message and error."""
import json
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import paths, tap  # noqa: E402

PAGES = {'fetchctl.1': 'man1', 'libfetchd.3': 'man3', 'fetchd.ini.5': 'man5', 'fetchd-protocol.7': 'man7', 'fetchd.8': 'man8'}
MAN = paths.BUILD / 'man'


def text(page):
    """A page without the marks of roff."""
    source = (MAN / page).read_text()
    source = re.sub(r'\\f[BRIP]', '', re.sub(r'^\.[A-Z]+ ?|^\.[a-z]+ .*', '', source, flags=re.M))
    return re.sub(r'\\(.)', r'\1', source.replace('\\&', '').replace('\\(aq', "'"))


def said(*command):
    return subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=True, text=True).stdout


@unittest.skipUnless(any((MAN / page).exists() for page in PAGES), 'built without manual pages: scdoc is not installed')
class Pages(unittest.TestCase):
    maxDiff = None

    def test_every_option_and_command_of_fetchctl_is_there_and_no_other(self):
        usage, page = said(paths.FETCHCTL, 'help'), text('fetchctl.1')
        options = set(re.findall(r'^  (?:-\w,|   ) --([\w.-]+)', usage, re.M))
        self.assertGreater(len(options), 50)
        self.assertEqual(set(re.findall(r'(?<![\w-])--([a-z][\w.-]*\w)', page)), options)
        letters = set(re.findall(r'^  -(\w), ', usage, re.M))
        self.assertEqual(letters - set(re.findall(r'(?<![\w-])-(\w)\b', page)), set())
        for command in re.findall(r'^  fetchctl (\w+)', usage, re.M):
            self.assertTrue('\nfetchctl %s' % command in page, command)

    def test_every_option_of_fetchd_is_there_and_no_other(self):
        usage, page = said(paths.FETCHD, '--help'), text('fetchd.8')
        synopsis = page[page.index('SYNOPSIS'):page.index('DESCRIPTION')]
        self.assertEqual(set(re.findall(r'--([\w-]+)', synopsis)), set(re.findall(r'--([\w-]+)', usage)))
        listed = page[page.index('OPTIONS'):page.index('SIGNALS')]
        self.assertEqual(set(re.findall(r'^--([\w-]+)', listed, re.M)), set(re.findall(r'--([\w-]+)', usage)))

    def test_every_setting_is_there_and_no_other(self):
        def settings(source):
            section, found = '', set()
            for line in source.splitlines():
                if match := re.match(r'"?\[([\w-]+)', line):
                    section = match.group(1)
                elif match := re.match(r'(\w+) = ', line):
                    found.add((section, match.group(1)))
            return found
        page = text('fetchd.ini.5')
        described = settings(page[page.index('[daemon]'):page.index('EXAMPLES')])
        printed = settings(said(paths.FETCHD, '--print-config'))
        self.assertGreater(len(printed), 50)
        self.assertEqual(printed - described, set())
        named = {'proxy_pool'}                               # sections that are printed only when the file has one
        self.assertEqual({row for row in described - printed if row[0] not in named}, set())

    def test_every_function_of_the_header_is_there(self):
        header = (paths.TOP / 'client/include/fetchd/client.h').read_text()
        functions = set(re.findall(r'^FETCHD_API [^;]*?(fetchd_\w+)\(', header, re.M))
        self.assertGreater(len(functions), 30)
        self.assertEqual(functions - set(re.findall(r'\b(fetchd_\w+)\(', text('libfetchd.3'))), set())

    def test_every_message_and_error_of_the_protocol_is_there(self):
        page = text('fetchd-protocol.7')
        messages = re.findall(r'^MESSAGE\((\w+), \w+, (\d+)', (paths.TOP / 'ipc/messages.def').read_text(), re.M)
        errors = re.findall(r'^ERROR_NAME\(\w+, "([^"]+)"', (paths.TOP / 'ipc/errors.def').read_text(), re.M)
        self.assertGreater(min(len(messages), len(errors)), 20)
        for name, number in messages:
            self.assertTrue('%s (%s)' % (name, number) in page, name)
        for name in errors:
            self.assertTrue('\n%s\n' % name in page, name)

    @unittest.skipUnless(shutil.which('groff'), 'groff is not installed')
    def test_they_are_set_without_a_warning(self):
        for page in PAGES:                                   # a long line of the protocol's may not break
            run = subprocess.run(['groff', '-t', '-man', '-Tutf8', '-z', '-ww', '-Wbreak', str(MAN / page)],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.assertEqual((run.returncode, run.stdout), (0, ''), page)

    def test_they_and_the_completions_are_installed(self):
        installed = json.loads((paths.BUILD / 'meson-info/intro-installed.json').read_text()).values()
        for page, folder in PAGES.items():
            self.assertEqual(sum(place.endswith('/man/%s/%s' % (folder, page)) for place in installed), 1, page)
        for place in ('/bash-completion/completions/fetchctl', '/zsh/site-functions/_fetchctl'):
            self.assertEqual(sum(one.endswith(place) for one in installed), 1, place)


if __name__ == '__main__':
    tap.main()
