#!/usr/bin/python3
"""tests/features.md: each row names its item, a test that exists, and what was broken to see that test fail."""
import re
import sys
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
from support import tap  # noqa: E402

HEADER = '| item | test | broken on purpose: what, and how the test failed |'


def rows(text):
    """The cells of each row of each table, with the heading above it."""
    section = ''
    for line in text.splitlines():
        if line.startswith('## '):
            section = line[3:]
        elif line.startswith('|') and line != HEADER and not re.fullmatch(r'[|\- ]+', line):
            yield section, [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]


def names(path):
    """The tests in a file: methods and their classes in Python, claims in C, any word elsewhere."""
    text = path.read_text()
    if path.suffix == '.py':
        found, inside = set(), ''
        for kind, name in re.findall(r'^(?: *)(class|def) (\w+)', text, re.M):
            inside = name if kind == 'class' else inside
            found |= {name, '%s.%s' % (inside, name)} if kind == 'def' else set()
        return found
    return set(re.findall(r'^static void (\w+)\(void \*\*', text, re.M)) or set(re.findall(r'\w+', text))


def complaint(cells, tests=TESTS):
    """What is wrong with a row, or None."""
    if len(cells) != 3 or not all(cells):
        return 'needs three cells: item, test, what was broken'
    named = re.findall(r'`([\w./-]+)::([\w.]+)`', cells[1])
    if not named:
        return 'names no test as `folder/file::test`'
    for file, test in named:
        if not (tests / file).is_file():
            return 'there is no file %s' % file
        if test not in names(tests / file):
            return 'there is no test %s in %s' % (test, file)
    return None


class Features(unittest.TestCase):
    def test_each_row_names_a_test_that_exists_and_what_was_broken(self):
        wrong = ['%s: %s: %s' % (section, cells[0], complaint(cells))
                 for section, cells in rows((TESTS / 'features.md').read_text()) if complaint(cells)]
        self.assertEqual(wrong, [])

    def test_no_section_is_without_a_row(self):
        text = (TESTS / 'features.md').read_text()
        self.assertEqual([title for title in re.findall('^## (.*)$', text, re.M) if title not in dict(rows(text))], [])

    def test_no_item_has_two_rows(self):
        items = [(section, cells[0]) for section, cells in rows((TESTS / 'features.md').read_text())]
        self.assertEqual(sorted(item for item in set(items) if items.count(item) > 1), [])

    def test_a_row_that_proves_nothing_is_found(self):
        here = '`unit/test_features.py::test_a_row_that_proves_nothing_is_found`'
        self.assertIsNone(complaint(['an item', here, 'its name']))
        self.assertIsNone(complaint(['an item', here.replace('::', '::Features.'), 'its name']))
        for cells in (['an item', here], ['an item', here, ''], ['an item', 'a test', 'x'],
                      ['an item', here.replace('found', 'lost'), 'x'], ['an item', here.replace('unit', 'no'), 'x']):
            self.assertIsNotNone(complaint(cells), cells)
        self.assertEqual(list(rows('## A\n\n%s\n|---|---|---|\n| b \\| c | d | e |\n' % HEADER)),
                         [('A', ['b \\| c', 'd', 'e'])])


if __name__ == '__main__':
    tap.main()
