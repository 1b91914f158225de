"""Programs that are run for what they cost."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import proc  # noqa: E402

# Makes any program one that says `ready` and begins when its stdin ends.
HELD = ['/bin/sh', '-c', 'echo ready; read -r _; exec "$@"', 'sh']


def end_by_signal():
    """SIGTERM ends a benchmark as an error does: what it has started is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('ended by SIGTERM'))


def ended(process, out):
    """Its CPU time in seconds. A failure ends the benchmark: figures of what failed mean nothing."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        sys.exit('%s failed (%d): %s' % (' '.join(process.args), process.returncode, out.decode()))
    return usage.ru_utime + usage.ru_stime


def start(command, **options):
    return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, **options)


def spent(command, env=None):
    """Runs a command. Its CPU and wall time in seconds, and its output."""
    began = time.monotonic()
    process = start(command, env=env)
    out = process.stdout.read()
    cpu_s = ended(process, out)
    return cpu_s, time.monotonic() - began, out


def together(commands, env=None):
    """Runs programs that say `ready`, wait for the end of their stdin and print JSON, so that all begin at
    once. Gives what each said, with its CPU from then on where it did not say that itself."""
    held = [start(command, env=env, stdin=subprocess.PIPE) for command in commands]
    for process in held:
        process.stdout.readline()
    before = [proc.cpu_ns(process.pid) / 1e9 for process in held]
    for process in held:
        process.stdin.close()
    outs = [process.stdout.read() for process in held]
    return [{'cpu_s': ended(process, out) - before_s, **json.loads(out)}
            for process, out, before_s in zip(held, outs, before)]
