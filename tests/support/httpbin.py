"""A real httpbin (Debian's python3-httpbin) under gunicorn, on a loopback port of its own.

    with Httpbin(folder) as httpbin:
        httpbin.url('/get')
"""
import importlib.util
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from . import tap
from .nginx import free_ports


def missing():
    """Why it can't be had, or None."""
    for module, package in (('httpbin', 'python3-httpbin'), ('gunicorn', 'python3-gunicorn')):
        if not importlib.util.find_spec(module):
            return '%s is not installed' % package
    return None


class Httpbin:
    def __init__(self, folder):
        self.log_path = Path(folder) / 'httpbin.log'
        self.process = None

    def start(self):
        for _ in range(5):
            self.port = free_ports(1)[0]
            with open(self.log_path, 'ab') as log:
                self.process = subprocess.Popen(
                    [sys.executable, '-W', 'ignore', '-m', 'gunicorn', '--bind', '127.0.0.1:%d' % self.port, '--workers', '1',
                     '--threads', '8', '--graceful-timeout', '1', 'httpbin:app'],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd='/')
            if self.wait_ready():
                tap.witness(self.evidence)
                return self
            self.stop()
        raise RuntimeError('httpbin did not start:\n' + self.log_path.read_text(errors='replace'))

    def wait_ready(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url('/status/200', '127.0.0.1'), timeout=5):
                    return True
            except OSError:
                time.sleep(0.05)
        return False

    def stop(self):
        tap.forget(self.evidence)
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def url(self, path, host='localhost'):
        return 'http://%s:%d%s' % (host, self.port, path)

    def evidence(self):
        return ['httpbin: ' + line for line in self.log_path.read_text(errors='replace').splitlines()[-10:]]
