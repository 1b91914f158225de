"""Passes UDP on, until it is told to swallow what comes. As root it can also say, as a router may, that nobody is
there (ICMP, RFC 792): a connected UDP socket then fails with "connection refused".

    with Hole(port) as hole:
        hole.swallow(refuse_first=True)
        hole.new_senders()              # packets, from senders that came since
        hole.pass_on()
"""
import contextlib
import socket
import struct
import threading

HERE = '127.0.0.1'


def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


class Hole:
    def __init__(self, target):
        self.target = (HERE, target)
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind((HERE, 0))
        self.port = self.front.getsockname()[1]
        self.backs = {}                             # sender -> socket towards the target
        self.swallows, self.refuses, self.swallowed = False, False, []

    def __enter__(self):
        threading.Thread(target=self.there, daemon=True).start()
        return self

    def __exit__(self, *_):
        for sock in [self.front, *self.backs.values()]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def swallow(self, refuse_first=False):
        self.swallowed.clear()
        self.refuses, self.swallows = refuse_first, True

    def pass_on(self):
        self.swallows = False

    def new_senders(self):
        """How many packets were swallowed of senders that were unknown before."""
        return sum(peer not in self.backs for peer in list(self.swallowed))

    def there(self):
        with contextlib.suppress(OSError):
            while True:
                data, peer = self.front.recvfrom(65536)
                if not self.swallows:
                    self.back_of(peer).send(data)
                    continue
                self.swallowed.append(peer)
                if self.refuses:
                    self.refuses = False
                    self.refuse(peer)

    def back_of(self, peer):
        if peer not in self.backs:
            self.backs[peer] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.backs[peer].connect(self.target)
            threading.Thread(target=self.here, args=(peer,), daemon=True).start()
        return self.backs[peer]

    def here(self, peer):
        with contextlib.suppress(OSError):
            while True:
                self.front.sendto(self.backs[peer].recv(65536), peer)

    def refuse(self, peer):
        """Port unreachable, with the head of the packet that it is about."""
        address = socket.inet_aton(HERE)
        about = struct.pack('!BBHHHBBH', 0x45, 0, 28, 0, 0, 64, socket.IPPROTO_UDP, 0) + address + address
        about += struct.pack('!HHHH', peer[1], self.port, 8, 0)
        message = struct.pack('!BBHI', 3, 3, 0, 0) + about
        message = message[:2] + struct.pack('!H', checksum(message)) + message[4:]
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
            raw.sendto(message, (HERE, 0))
