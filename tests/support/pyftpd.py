"""pyftpdlib as a program, for ftp.py: one JSON argument with root, port, passive, kind, tls, pair, handler."""
import json
import logging
import sys
import warnings

warnings.simplefilter('ignore')
from pyftpdlib.authorizers import DummyAuthorizer  # noqa: E402
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler  # noqa: E402
from pyftpdlib.servers import FTPServer, MultiprocessFTPServer  # noqa: E402

ALL = 'elradfmwMT'


class Implicit(TLS_FTPHandler):
    """TLS from the first byte, which pyftpdlib has only as a recipe."""

    def handle(self):
        self.secure_connection(self.ssl_context)

    def handle_ssl_established(self):
        super().handle()

    def ftp_AUTH(self, arg):
        self.respond('550 TLS is there already.')


def main():
    settings = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.DEBUG)
    authorizer = DummyAuthorizer()
    authorizer.add_user('me', 'secret', settings['root'], perm=ALL)
    authorizer.add_anonymous(settings['root'], perm=ALL)
    base = {None: FTPHandler, 'explicit': TLS_FTPHandler, 'implicit': Implicit}[settings['tls']]
    handler = type('Handler', (base,), dict(
        authorizer=authorizer, passive_ports=settings['passive'], banner='ready', auth_failed_timeout=0,
        **settings['handler']))
    if settings['tls']:
        handler.certfile, handler.keyfile = settings['pair']
        handler.tls_control_required = handler.tls_data_required = True
    kinds = dict(single=FTPServer, multiprocess=MultiprocessFTPServer)
    kinds[settings['kind']](('127.0.0.1', settings['port']), handler).serve_forever()


if __name__ == '__main__':
    main()
