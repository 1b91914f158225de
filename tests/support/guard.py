"""An origin that asks who comes, over HTTP/1.1 with or without TLS: Basic, Digest (RFC 7616, MD5 and
SHA-256) and Bearer, each written from its RFC; it keeps what it was shown.

    with Guard(pair, user='me', password='it') as guard:
        guard.url('/digest')             # also /basic /bearer /stale /endless /open /to?URL
        guard.seen                       # dicts: method, path, headers, body
"""
import base64
import hashlib
import http.server
import re
import secrets
import ssl
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.server.guard.connections += 1

    def answer(self, status, body=b'', **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def handle_request(self):
        guard = self.server.guard
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        guard.seen.append(dict(method=self.command, path=self.path, body=body,
                               headers={n.lower(): v for n, v in self.headers.items()}))
        path, _, query = self.path.partition('?')
        shown = self.headers.get('Authorization', '')
        if path == '/to':
            self.answer(307, Location=urllib.parse.unquote(query))
        elif path == '/open':
            self.answer(200, b'open\n')
        elif path == '/basic':
            good = 'Basic ' + base64.b64encode(('%s:%s' % (guard.user, guard.password)).encode()).decode()
            self.judge(shown == good, 'Basic realm="here"')
        elif path == '/bearer':
            self.judge(shown == 'Bearer ' + guard.token, 'Bearer')
        else:
            self.digest(path, shown, guard)

    def judge(self, good, challenge):
        if good:
            self.answer(200, b'welcome\n')
        else:
            self.answer(401, b'who are you?\n', WWW_Authenticate=challenge)

    def digest(self, path, shown, guard):
        algorithm = 'SHA-256' if 'sha' in self.path else 'MD5'
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', shown)) if shown.startswith('Digest ') else {}
        nonce = fields.get('nonce')
        good = nonce in guard.nonces and fields.get('response') == self.expected(fields, algorithm, guard)
        stale = path == '/endless' or (path == '/stale' and good and guard.nonces[nonce] == 0)
        if good and not stale:
            self.answer(200, b'welcome ' + str(len(guard.seen[-1]['body'])).encode() + b'\n')
            return
        fresh = secrets.token_hex(8)
        guard.nonces[fresh] = 1 if stale else 0
        self.answer(401, b'who are you?\n', WWW_Authenticate='Digest realm="here", qop="auth", algorithm=%s, nonce="%s"%s' % (
            algorithm, fresh, ', stale=true' if stale else ''))

    def expected(self, fields, algorithm, guard):
        def h(text):
            return hashlib.new('sha256' if algorithm == 'SHA-256' else 'md5', text.encode()).hexdigest()
        if fields.get('uri') != self.path:
            return None
        return h(':'.join((h('%s:here:%s' % (guard.user, guard.password)), fields['nonce'], fields.get('nc', ''),
                           fields.get('cnonce', ''), 'auth', h('%s:%s' % (self.command, self.path)))))

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_request


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass                    # the other side left, or did not trust us


class Guard:
    def __init__(self, pair=None, user='user', password='password', token='token'):
        self.user, self.password, self.token = user, password, token
        self.seen, self.nonces, self.connections = [], {}, 0
        self.server = Server(('127.0.0.1', 0), Handler)
        self.server.guard = self
        self.secure = bool(pair)
        self.port = self.server.server_port
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.cert_path, pair.key_path)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path, host='localhost'):
        return '%s://%s:%d%s' % ('https' if self.secure else 'http', host, self.port, path)

    def shown(self):
        """What stood in Authorization, in order; None where nothing did."""
        return [request['headers'].get('authorization') for request in self.seen]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
