"""An FTP server that misbehaves on order. It speaks well by default; `script` replaces the reply to a command
(or to 'CONNECT', the welcome, and 'END', the word after a transfer): a text, or a function of the session,
or None to say nothing.

    with Script(ports, PASV='227 Entering Passive Mode (127,0,0,2,4,1).', EPSV='500 no') as server:
        server.url('/file')
"""
import contextlib
import socket
import ssl
import threading

CONTENT = b'0123456789abcdef' * 4096


class Session:
    """One control connection, in a thread of its own."""

    def __init__(self, server, control):
        self.server, self.control, self.data, self.listener = server, control, None, None
        self.protected = False

    def say(self, text):
        self.control.sendall(text if isinstance(text, bytes) else text.encode() + b'\r\n')

    def listen(self):
        """One of the ports that the egress rules allow and nobody has."""
        for port in self.server.ports:
            if self.listener:
                break
            with contextlib.suppress(OSError):
                self.listener = self.server.listen(port)
        if not self.listener:
            raise OSError('all passive ports are taken')
        return self.listener.getsockname()[1]

    def open_data(self):
        if not self.listener:
            raise OSError('a transfer without a data connection')
        self.data, _ = self.listener.accept()
        self.listener.close()
        self.listener = None
        if self.protected:
            self.data = self.server.context.wrap_socket(self.data, server_side=True)
        return self.data

    def end_data(self):
        with contextlib.suppress(OSError, ValueError):
            if self.protected:
                self.data.unwrap()
        self.data.close()

    def run(self):
        if self.server.implicit:
            self.control = self.server.context.wrap_socket(self.control, server_side=True)
        self.answer('CONNECT')
        lines = b''
        while True:
            while b'\n' not in lines:
                piece = self.control.recv(4096)
                if not piece:
                    return
                lines += piece
            line, lines = lines.split(b'\n', 1)
            line = line.rstrip(b'\r').decode('latin-1')
            self.server.commands.append(line)
            command, _, argument = line.partition(' ')
            if self.answer(command.upper(), argument) == 'over':
                return

    def answer(self, command, argument=''):
        reply = self.server.script.get(command, getattr(self, 'do_' + command, '502 what?'))
        if callable(reply):
            wants = reply.__code__.co_argcount - hasattr(reply, '__self__')
            arguments = [self, argument] if not hasattr(reply, '__self__') else [argument]
            reply = reply(*arguments[:wants])
        if reply is not None and reply != 'over':
            self.say(reply)
        return reply

    # ---- what a good server says ----

    do_CONNECT = '220 ready'
    do_USER = '331 password?'
    do_PASS = '230 in'
    do_PWD = '257 "/"'
    do_CWD = '250 there'
    do_MKD = '257 made'
    do_TYPE = '200 fine'
    do_PBSZ = '200 fine'
    do_MDTM = '213 20240229123456'
    do_REST = '350 from there'
    do_ABOR = '226 aborted'
    do_OPTS = '200 fine'

    def do_AUTH(self):
        if not self.server.context:
            return '502 no TLS'
        self.say('234 go on')
        self.control = self.server.context.wrap_socket(self.control, server_side=True)

    def do_PROT(self, argument):
        self.protected = argument == 'P'
        return '200 fine'

    def do_QUIT(self):
        self.say('221 bye')
        return 'over'

    def do_SIZE(self):
        return '213 %d' % len(self.server.content)

    def do_EPSV(self):
        return '229 go to (|||%d|)' % self.listen()

    def do_PASV(self):
        port = self.listen()
        return '227 go to (127,0,0,1,%d,%d)' % (port >> 8, port & 255)

    def send(self, content):
        self.say('150 here it comes')
        self.open_data().sendall(content)
        self.end_data()
        self.answer('END')

    def do_RETR(self):
        self.send(self.server.content)

    def do_LIST(self):
        self.send(b'-rw-r--r-- 1 me me 5 Jan  1  2024 file\r\n')

    def do_NLST(self):
        self.send(b'file\r\n')

    def do_STOR(self):
        self.say('150 go on')
        data, content = self.open_data(), b''
        while True:
            piece = data.recv(65536)
            if not piece:
                break
            content += piece
        self.end_data()
        self.server.stored.append(content)
        self.answer('END')

    do_APPE = do_STOR
    do_END = '226 done'


class Script:
    def __init__(self, ports, pair=None, implicit=False, content=CONTENT, host='127.0.0.1', **script):
        self.host = host
        self.script, self.content, self.ports, self.implicit = script, content, list(ports), implicit
        self.commands, self.stored = [], []
        self.connections = 0
        self.sockets = []
        self.context = None
        if pair:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pair.cert_path, pair.key_path)

    def listen(self, port=0):
        family = socket.AF_INET6 if ':' in self.host else socket.AF_INET
        return socket.create_server((self.host, port), family=family, backlog=64)

    def url(self, path='/file', host=None, user=''):
        host = host or ('[%s]' % self.host if ':' in self.host else self.host)
        return '%s://%s%s:%d%s' % ('ftps' if self.implicit else 'ftp', user, host, self.port, path)

    def start(self):
        self.listener = self.listen()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for control in self.sockets:
            with contextlib.suppress(OSError):
                control.close()

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    def accept(self):
        while True:
            try:
                control, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.sockets.append(control)
            threading.Thread(target=self.session, args=(control,), daemon=True).start()

    def session(self, control):
        session = Session(self, control)
        with contextlib.suppress(OSError, ValueError):
            session.run()
        for held in (session.control, session.data, session.listener):
            if held:
                held.close()
