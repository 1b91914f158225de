"""A DNS server of our own on a loopback address, and a fetchd that asks it: UDP, A and AAAA, written from
RFC 1035. Wants root: port 53, and a mount namespace with a resolv.conf of its own.

    with NameServer({'*.test': '127.0.0.1'}, delay=0.1) as dns:
        Daemon(prefix=dns.prefix(folder))
        dns.asked                   # Counter of names
        dns.most                    # most names that waited for an answer at once
"""
import collections
import os
import random
import shutil
import socket
import struct
import subprocess
import threading
import time


def why_not():
    """The reason why no such server can be, or None."""
    if os.geteuid() != 0:
        return 'not root'
    if not shutil.which('unshare'):
        return 'no unshare'
    tried = subprocess.run(['unshare', '-m', 'mount', '--bind', '/dev/null', '/etc/resolv.conf'],
                           capture_output=True)
    return None if tried.returncode == 0 else 'no mount namespace: ' + tried.stderr.decode().strip()


class NameServer:
    """`zone`: name -> IPv4 address, '*.x' for all below x; what is not there does not exist."""

    def __init__(self, zone, delay=0):
        self.zone, self.delay = dict(zone), delay
        self.asked = collections.Counter()
        self.waiting, self.most = collections.Counter(), 0
        self.lock = threading.Lock()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        while True:
            self.address = '127.%d.%d.%d' % (random.randint(1, 254), random.randint(0, 254),
                                             random.randint(1, 254))
            try:
                self.socket.bind((self.address, 53))
                break
            except OSError as problem:
                if problem.errno != 98:     # EADDRINUSE
                    raise
        self.due = collections.deque()
        self.stopping = False
        for work in (self.receive, self.answer):
            threading.Thread(target=work, daemon=True).start()

    def conf(self):
        return 'nameserver %s\noptions timeout:30 attempts:1\n' % self.address

    def prefix(self, folder):
        """For Daemon: it sees `folder`/resolv.conf as the system's."""
        path = folder / 'resolv.conf'
        path.write_text(self.conf())
        path.chmod(0o644)
        return ['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(path)]

    def receive(self):
        while not self.stopping:
            try:
                data, peer = self.socket.recvfrom(1500)
            except OSError:
                return
            name, kind, end = self.question(data)
            with self.lock:
                self.asked[name] += kind == 1
                self.waiting[name] += 1
                self.most = max(self.most, len(self.waiting))
            self.due.append((time.monotonic() + self.delay, data, peer, name, kind, end))

    def answer(self):
        while not self.stopping:
            if not self.due or self.due[0][0] > time.monotonic():
                time.sleep(0.002)
                continue
            _, data, peer, name, kind, end = self.due.popleft()
            with self.lock:
                self.waiting[name] -= 1
                if not self.waiting[name]:
                    del self.waiting[name]
            try:
                self.socket.sendto(reply(data, end, self.find(name), kind), peer)
            except OSError:
                pass

    def find(self, name):
        return self.zone.get(name) or self.zone.get('*.' + name.partition('.')[2])

    @staticmethod
    def question(data):
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode().lower())
            at += 1 + data[at]
        return '.'.join(labels), struct.unpack_from('>H', data, at + 1)[0], at + 5

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.socket.close()


def reply(query, end, address, kind):
    """Of a query, whose question ends at `end`: the address, nothing of this kind, or no such name."""
    answers = [address] if address and kind == 1 else []
    head = query[:2] + struct.pack('>HHHHH', 0x8180 if address else 0x8183, 1, len(answers), 0, 0)
    body = b''.join(b'\xc0\x0c' + struct.pack('>HHIH', 1, 1, 1, 4) + socket.inet_aton(a) for a in answers)
    return head + query[12:end] + body
