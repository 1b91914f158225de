"""Real FTP servers from the distribution, private: own folder, configuration, log and loopback ports.

    ports = passive_ports()
    with Pyftpd(folder, ports, kind='multiprocess') as server:     # pyftpdlib; tls='explicit', 'implicit'
        server.url('/file')
    with Vsftpd(folder, ports, pair=authority.leaf('ftp')) as server: ...

`root` is what they serve. Pyftpd knows me:secret, who may write, and anonymous, who may too; Vsftpd knows
anonymous only, as its local users want PAM.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from . import proc, tap

VSFTPD = shutil.which('vsftpd', path='/usr/sbin:/usr/bin')
PASSIVE_COUNT = 16


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
        return True


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as probe:
        return probe.getsockname()[1]


def passive_ports(count=PASSIVE_COUNT):
    """Ports in a row, below those that the kernel gives out, for data connections."""
    start = 20000 + os.getpid() % 500 * 20
    while not all(is_free(port) for port in range(start, start + count)):
        start += count
    return list(range(start, start + count))


class Server:
    scheme = 'ftp'

    def __init__(self, folder, ports):
        self.folder = Path(folder)
        self.root = self.folder / 'root'
        self.root.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self.ports, self.port = ports, free_port()
        self.log_path = self.folder / 'log'
        self.process = None

    def url(self, path='/', host='127.0.0.1', user=''):
        return '%s://%s%s:%d%s' % (self.scheme, user, host, self.port, path)

    def spawn(self, *command):
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder, start_new_session=True)
        tap.witness(self.evidence)
        proc.until(self.answers, 20, 'the start of %s' % type(self).__name__)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError('it ended: %s' % self.log()[-500:])
        try:
            socket.create_connection(('127.0.0.1', self.port), 5).close()
        except OSError:
            return False
        return True

    def stop(self):
        """With its children: it has a session, and so a process group, of its own."""
        if self.process:
            tap.forget(self.evidence)
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def log(self):
        return self.log_path.read_text(errors='replace') if self.log_path.exists() else ''

    def evidence(self):
        return ['the end of the log of %s:' % type(self).__name__] + self.log().splitlines()[-15:]


class Pyftpd(Server):
    """`kind` is 'single' (FTPServer) or 'multiprocess' (MultiprocessFTPServer)."""

    def __init__(self, folder, ports, kind='single', tls=None, pair=None, **handler):
        super().__init__(folder, ports)
        self.scheme = 'ftps' if tls == 'implicit' else 'ftp'
        self.settings = dict(root=str(self.root), port=self.port, passive=ports, kind=kind, tls=tls, handler=handler,
                             pair=pair and [str(pair.cert_path), str(pair.key_path)])

    def start(self):
        return self.spawn(sys.executable, str(Path(__file__).with_name('pyftpd.py')), json.dumps(self.settings))


class Vsftpd(Server):
    def __init__(self, folder, ports, pair=None, implicit=False, **settings):
        super().__init__(folder, ports)
        self.scheme = 'ftps' if implicit else 'ftp'
        self.settings = dict(
            listen='YES', listen_address='127.0.0.1', listen_port=self.port, background='NO',
            anonymous_enable='YES', local_enable='NO', no_anon_password='YES', anon_root=self.root,
            run_as_launching_user='YES', secure_chroot_dir=self.folder / 'empty', seccomp_sandbox='NO', isolate='NO',
            isolate_network='NO', write_enable='YES', anon_upload_enable='YES', anon_mkdir_write_enable='YES',
            anon_other_write_enable='YES', anon_umask='022', allow_writeable_chroot='YES', pasv_enable='YES',
            pasv_min_port=ports[0], pasv_max_port=ports[-1], port_enable='NO', xferlog_enable='YES',
            vsftpd_log_file=self.folder / 'vsftpd.log', dual_log_enable='YES', log_ftp_protocol='YES',
            xferlog_std_format='NO')
        if pair:
            self.settings.update(ssl_enable='YES', allow_anon_ssl='YES', force_anon_data_ssl='YES',
                                 force_anon_logins_ssl='YES', require_ssl_reuse='YES', ssl_ciphers='HIGH',
                                 rsa_cert_file=pair.cert_path, rsa_private_key_file=pair.key_path,
                                 implicit_ssl='YES' if implicit else 'NO')
        self.settings.update(settings)

    def start(self):
        (self.folder / 'empty').mkdir(exist_ok=True)
        path = self.folder / 'vsftpd.conf'
        path.write_text(''.join('%s=%s\n' % pair for pair in self.settings.items()))
        return self.spawn(VSFTPD, str(path))

    def log(self):
        path = self.folder / 'vsftpd.log'
        return super().log() + (path.read_text(errors='replace') if path.exists() else '')
