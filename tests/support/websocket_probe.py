"""tests/process/websocket_probe.c, a program on libfetchd that is told what to do, line by line."""
import subprocess

from . import paths

PROBE = paths.BUILD / 'client' / 'websocket_probe'


def pattern(size, at=0):
    """What the probe sends."""
    alphabet = b'abcdefghijklmnopqrstuvwxyz'
    return (alphabet * (size // 26 + 2))[at % 26:at % 26 + size]


class Line:
    """One line of the probe: its words, and those with a = by name."""

    def __init__(self, text):
        self.words = text.rstrip('\n').split('\t')
        self.kind = self.words[0]
        self.fields = dict(word.split('=', 1) for word in self.words[1:] if '=' in word)

    def __getitem__(self, name):
        return self.fields.get(name)

    @property
    def result(self):
        return self.words[1]

    def __repr__(self):
        return ' '.join(self.words)


class Probe:
    def __init__(self, address, url=None):
        self.url = url
        self.process = subprocess.Popen([str(PROBE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, errors='surrogateescape')
        self.do('open', address=address)

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
        code = self.process.wait(20)
        self.process.stdout.close()
        assert code == 0, 'the probe exited with %d' % code

    def say(self, command, **values):
        self.process.stdin.write(' '.join([command] + ['%s=%s' % pair for pair in values.items()]) + '\n')
        self.process.stdin.flush()

    def hear(self, last):
        """Lines up to the one of that kind."""
        lines = []
        while not lines or lines[-1].kind != last:
            text = self.process.stdout.readline()
            assert text, 'the probe ended after %r' % lines
            lines.append(Line(text))
        return lines

    def do(self, command, **values):
        self.say(command, **values)
        return self.hear(command)[-1]

    def events(self, **values):
        """What came but for CONNECTED and LOST, which are the connection's."""
        self.say('events', **values)
        return [line for line in self.hear('events')[:-1] if line.words[1] not in ('CONNECTED', 'LOST')]

    def ws(self, **values):
        line = self.do('ws', **dict(dict(url=self.url) if self.url else {}, **values))
        assert line.result == 'open', line
        return line
