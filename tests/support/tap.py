"""Runs the unittest classes of a file and prints TAP: one point a test, reasons for skips,
and for a failure its traceback and whatever the fixtures have to say.

    if __name__ == '__main__':
        tap.main()

Arguments choose tests: `Class`, `Class.test_name` or any part of that.
"""
import faulthandler
import re
import signal
import sys
import time
import traceback
import unittest

witnesses = []          # callables that return lines worth reading after a failure


def witness(call):
    """Asks `call` for lines when a test fails. Returns it, for forget()."""
    witnesses.append(call)
    return call


def forget(call):
    if call in witnesses:
        witnesses.remove(call)


said = []               # by fixtures that ended with the test that failed


def last_words(call):
    """Keeps what a witness has to say now, for the failure that is about to be reported."""
    said.extend(call())


def clean(text):
    """One line of TAP: no control bytes, no '#', which would begin a directive."""
    text = ''.join(c if c.isprintable() else '?' for c in str(text))
    return text.replace('#', '.').strip()


def claim(test):
    """The name of a test as a claim: its class and method, words apart."""
    names = test.id().split('.')[-2:]
    return clean('%s: %s' % (names[0], re.sub(r'^test_', '', names[1]).replace('_', ' ')))


class Result(unittest.TestResult):
    def __init__(self, out, tests):
        super().__init__()
        self.out = out
        self.number = 0
        self.bad = 0
        self.waiting = {test.id(): test for test in tests}
        self.whole_class = {}       # class -> (ok, directive, lines) from its setUpClass

    def say(self, line):
        print(line, file=self.out, flush=True)

    def point(self, test, ok, directive='', lines=()):
        if self.waiting.pop(test.id(), None) is None:
            return
        self.number += 1
        self.bad += not ok
        self.say('%sok %d - %s%s' % ('' if ok else 'not ', self.number, claim(test), directive))
        for line in lines:
            self.say('# ' + clean(line))

    def evidence(self, error):
        lines = ['%s:%d: %s' % (frame.filename, frame.lineno, frame.line) for frame in traceback.extract_tb(error[2])
                 if not frame.filename.startswith('/usr/lib/')]
        lines += ''.join(traceback.format_exception_only(*error[:2])).splitlines()
        lines += said
        for call in list(witnesses):
            try:
                lines += list(call())
            except Exception as problem:            # a witness never hides the failure itself
                lines.append('(no evidence from %r: %s)' % (call, problem))
        return lines

    def startTest(self, test):
        super().startTest(test)
        said.clear()
        self.began = time.monotonic()

    def addSuccess(self, test):
        self.point(test, True, lines=['%.1f s' % (time.monotonic() - self.began)])

    def addFailure(self, test, error):
        self.point(test, False, lines=self.evidence(error))

    def addError(self, test, error):
        if test.id() in self.waiting:
            self.point(test, False, lines=self.evidence(error))
        else:                                       # setUpClass or tearDownClass
            self.of_class(test, False, '', self.evidence(error))

    def addSkip(self, test, reason):
        directive = ' # SKIP ' + clean(reason)
        if test.id() in self.waiting:
            self.point(test, True, directive)
        else:
            self.of_class(test, True, directive, ())

    def addSubTest(self, test, subtest, error):
        if error:
            self.point(test, False, lines=['with ' + str(subtest)] + self.evidence(error))

    def of_class(self, holder, ok, directive, lines):
        """What befell setUpClass befalls each of its tests."""
        name = re.search(r'\((.*)\)', holder.id())
        mine = [t for t in self.waiting.values() if name and name.group(1).endswith(type(t).__qualname__)]
        for test in mine:
            self.point(test, ok, directive, lines)
            lines = ['as the one before']
        if not mine and not ok:
            self.number += 1
            self.bad += 1
            self.say('not ok %d - %s' % (self.number, clean(holder.id())))
            for line in lines:
                self.say('# ' + clean(line))


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def main():
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    wanted = sys.argv[1:]
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules['__main__'])
    tests = [t for t in flatten(suite)
             if not wanted or any(w in '.'.join(t.id().split('.')[-2:]) for w in wanted)]
    out, sys.stdout = sys.stdout, sys.stderr        # a stray print must not look like TAP
    print('1..%d' % len(tests), file=out, flush=True)
    result = Result(out, tests)
    unittest.TestSuite(tests).run(result)
    for test in list(result.waiting.values()):
        result.point(test, False, lines=['it never ran'])
    out.flush()
    sys.exit(1 if result.bad else 0)
