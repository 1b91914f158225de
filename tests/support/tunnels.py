"""Proxies that carry bytes: HTTP CONNECT, SOCKS4, 4a and 5, each with a user and password if asked for.

    with Tunnel('socks5h', user='me', password='it') as proxy:
        proxy.url                        # socks5h://me:it@127.0.0.1:...
"""
import base64
import contextlib
import socket
import struct
import threading


def take(sock, size):
    data = b''
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError('end')
        data += piece
    return data


class Tunnel:
    def __init__(self, scheme='http', user=None, password='', refuse=None, host='127.0.0.1'):
        self.scheme, self.user, self.password, self.host = scheme, user, password, host
        self.refuse = refuse            # status of the answer to CONNECT instead of 200; SOCKS5's reply
        self.targets = []               # host:port as they were asked for
        self.listener = socket.create_server((host, 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        login = '%s:%s@' % (self.user, self.password) if self.user else ''
        return '%s://%s%s:%d' % (self.scheme, login, self.host, self.port)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connection, args=(sock,), daemon=True).start()

    def connection(self, sock):
        with contextlib.suppress(OSError, ConnectionError), sock:
            open_way = self.connect
            if self.scheme.startswith('socks'):
                open_way = self.socks4 if self.scheme.startswith('socks4') else self.socks
            target = open_way(sock)
            if target:
                with target:
                    self.relay(sock, target)

    def reach(self, host, port):
        self.targets.append('%s:%d' % (host, port))
        return socket.create_connection(('127.0.0.1' if host in ('localhost', '::1') else host, port))

    def connect(self, sock):
        head = b''
        while b'\r\n\r\n' not in head:
            head += take(sock, 1)
        lines = head.decode('latin-1').split('\r\n')
        method, authority, _ = lines[0].split()
        login = 'Basic ' + base64.b64encode(('%s:%s' % (self.user, self.password)).encode()).decode()
        if method != 'CONNECT' or (self.user and 'Proxy-Authorization: ' + login not in lines):
            sock.sendall(b'HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm="x"\r\n'
                         b'Content-Length: 0\r\n\r\n')
            return None
        if self.refuse:
            sock.sendall(b'HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n' % self.refuse)
            return None
        host, _, port = authority.rpartition(':')
        target = self.reach(host, int(port))
        sock.sendall(b'HTTP/1.1 200 OK\r\n\r\n')
        return target

    def socks4(self, sock):
        _, _, port, address = struct.unpack('>BBH4s', take(sock, 8))
        self.text(sock)
        host = self.text(sock) if address[:3] == bytes(3) and address[3] else socket.inet_ntoa(address)
        target = self.reach(host, port)
        sock.sendall(b'\x00\x5a' + bytes(6))
        return target

    @staticmethod
    def text(sock):
        data = b''
        while not data.endswith(b'\0'):
            data += take(sock, 1)
        return data[:-1].decode()

    def socks(self, sock):
        _, count = take(sock, 2)
        take(sock, count)
        sock.sendall(b'\x05\x02' if self.user else b'\x05\x00')
        if self.user:
            user = take(sock, take(sock, 2)[1])
            password = take(sock, take(sock, 1)[0])
            good = (user.decode(), password.decode()) == (self.user, self.password)
            sock.sendall(b'\x01\x00' if good else b'\x01\x01')
            if not good:
                return None
        kind = take(sock, 4)[3]
        if kind == 3:
            host = take(sock, take(sock, 1)[0]).decode()
        else:
            host = socket.inet_ntop(*((socket.AF_INET, take(sock, 4)) if kind == 1
                                      else (socket.AF_INET6, take(sock, 16))))
        port, = struct.unpack('>H', take(sock, 2))
        if self.refuse:
            sock.sendall(bytes([5, self.refuse, 0, 1]) + bytes(6))
            return None
        target = self.reach(host, port)
        sock.sendall(b'\x05\x00\x00\x01' + bytes(6))
        return target

    def relay(self, one, other):
        def copy(source, sink):
            with contextlib.suppress(OSError):
                while True:
                    data = source.recv(1 << 16)
                    if not data:
                        break
                    sink.sendall(data)
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)
        back = threading.Thread(target=copy, args=(other, one), daemon=True)
        back.start()
        copy(one, other)
        back.join()

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
