"""What /proc says of a process."""
import os
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


def fds(pid):
    return len(os.listdir('/proc/%d/fd' % pid))


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
