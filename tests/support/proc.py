"""What /proc says of a process."""
import os
import re
import threading
import time
from pathlib import Path

TICK = os.sysconf('SC_CLK_TCK')


def field(pid, name):
    for line in Path('/proc/%d/status' % pid).read_text().splitlines():
        if line.startswith(name + ':'):
            return line.split(':', 1)[1].strip()
    raise KeyError(name)


def rss_bytes(pid):
    return int(field(pid, 'VmRSS').split()[0]) * 1024


class Peak:
    """The peak of a process's memory from now on: the kernel's where it can be reset, else by looking often."""

    def __init__(self, pid):
        self.pid, self.before, self.most, self.over = pid, rss_bytes(pid), 0, threading.Event()
        try:
            Path('/proc/%d/clear_refs' % pid).write_text('5')
            self.looking = not self.resets()
        except OSError:
            self.looking = True
        if self.looking:
            threading.Thread(target=self.look, daemon=True).start()

    def resets(self):
        return int(field(self.pid, 'VmHWM').split()[0]) * 1024 <= self.before + (1 << 20)

    def look(self):
        while not self.over.wait(0.003):
            try:
                self.most = max(self.most, rss_bytes(self.pid))
            except (OSError, KeyError):
                return

    def growth(self):
        """Bytes above what it was at the start; ends it."""
        self.over.set()
        if not self.looking:
            self.most = int(field(self.pid, 'VmHWM').split()[0]) * 1024
        return max(self.most, rss_bytes(self.pid)) - self.before


def fds(pid):
    return len(os.listdir('/proc/%d/fd' % pid))


def fd_targets(pid):
    """What its descriptors lead to, as /proc says it."""
    targets = []
    for name in os.listdir('/proc/%d/fd' % pid):
        try:
            targets.append(os.readlink('/proc/%d/fd/%s' % (pid, name)))
        except FileNotFoundError:
            pass        # closed meanwhile
    return targets


def threads(pid):
    return int(field(pid, 'Threads'))


def stat(pid):
    """The fields of /proc/PID/stat from the third (state) on; the name before may hold anything."""
    return Path('/proc/%d/stat' % pid).read_text().rpartition(')')[2].split()


def cpu_s(pid):
    """User and system time of all threads, in seconds."""
    fields = stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICK


def cpu_ns(pid):
    """The same, finer: what the scheduler counted for each thread."""
    total = 0
    for task in Path('/proc/%d/task' % pid).iterdir():
        try:
            total += int((task / 'schedstat').read_text().split()[0])
        except (OSError, IndexError):
            pass
    return total


def environment(pid):
    return [item for item in Path('/proc/%d/environ' % pid).read_bytes().split(b'\0') if item]


def children(pid):
    """Its children, zombies too."""
    found = []
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            try:
                if int(stat(int(entry))[1]) == pid:
                    found.append(int(entry))
            except (OSError, IndexError):
                pass
    return sorted(found)


def exists(pid):
    return os.path.exists('/proc/%d' % pid)


crashed = set()


def crash(pid, number):
    """As if it had done wrong itself: what a sanitizer then says of this process is nobody's fault."""
    crashed.add(pid)
    os.kill(pid, number)


def was_crash(line):
    """Whether a sanitizer speaks of a process that crash() sent a signal. Each of its reports names the process."""
    named = re.search(r'==(\d+)==ERROR: \w+Sanitizer: (SEGV|BUS|FPE|ILL|ABRT) on', line)
    if named:
        return int(named[1]) in crashed
    return bool(re.search(r'Sanitizer:DEADLYSIGNAL|Sanitizer can not provide|SUMMARY: \w+Sanitizer: (SEGV|BUS|FPE|ILL|ABRT) ', line))


def until(question, seconds=30, what='it'):
    """Waits until question() is true and returns what it gave. Raises if it never is."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError('%s did not happen in %g s' % (what, seconds))
        time.sleep(0.01)
