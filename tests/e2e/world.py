"""What an end-to-end test stands on: one CA, one nginx and one backend a test file, and a fetchd for
each class (or each test, for classes with `own_daemon`)."""
import atexit
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import bodies, certs, nginx, origins, paths, proc, tap  # noqa: E402, F401
from support.backend import Backend  # noqa: E402
from support.daemon import Daemon  # noqa: E402
from support.protocol import Closed, Connection  # noqa: E402, F401

KIB, MIB, GIB = bodies.KIB, bodies.MIB, bodies.GIB


class Site:
    """The origins, made once."""
    made = None

    def __init__(self):
        self.folder = paths.folder('w')
        self.authority = certs.Authority(self.folder)
        self.backend = Backend(self.folder / 'nginx/root').start()
        self.nginx = nginx.Nginx(self.folder, self.authority, backend_port=self.backend.port)
        self.nginx.write_usual()
        self.nginx.start()
        self.leaf = self.authority.leaf('raw')
        atexit.register(self.backend.stop)
        atexit.register(self.nginx.stop)

    @classmethod
    def get(cls):
        cls.made = cls.made or cls()
        return cls.made


class World(unittest.TestCase):
    maxDiff = 4000
    workers = 2
    settings = {}
    own_daemon = False          # each test starts its own, by self.start()

    @classmethod
    def setUpClass(cls):
        paths.need_programs()
        cls.site = Site.get()
        cls.nginx, cls.backend, cls.authority = cls.site.nginx, cls.site.backend, cls.site.authority
        cls.fetchd = None
        if not cls.own_daemon:
            cls.fetchd = cls.make().start()

    @classmethod
    def tearDownClass(cls):
        if cls.fetchd:
            cls.fetchd.stop()

    @classmethod
    def make(cls, allow=(), **options):
        """A fetchd that trusts our CA and may reach our nginx, and `allow` besides."""
        options.setdefault('workers', cls.workers)
        options.setdefault('ca', cls.site.authority.cert_path)
        options['settings'] = dict(cls.settings, **options.get('settings', {}))
        return Daemon(allow=[*cls.site.nginx.ports.values(), *allow], **options)

    def origin(self, **options):
        """A misbehaving origin for one test, and a fetchd that may reach it."""
        origin = origins.Origin(self.site.leaf, **options).start()
        self.addCleanup(origin.stop)
        return origin

    def url(self, path, server='h2', host='localhost'):
        return self.nginx.url(server, path, host)

    def good(self, answer, status=200, sha256=None):
        """Asserts a success, and the hash of its body."""
        self.assertIsNone(answer.error, answer.done)
        self.assertEqual(answer.status, status)
        if sha256:
            self.assertEqual(answer.sha256, sha256)
        self.assertEqual(answer.done.get('body_bytes', 0), answer.bytes)
        return answer

    def bad(self, answer, *names):
        """Asserts a failure of one of these names."""
        self.assertIn(answer.error, names, answer.done)
        self.assertEqual(answer.frames[-1], 'DONE')
        return answer.done['error']

    def ctl(self, *args, fetchd=None, **options):
        return (fetchd or self.fetchd).fetchctl(*args, **options)

    def ctl_good(self, *args, **options):
        run = self.ctl(*args, **options)
        self.assertEqual(run.returncode, 0, run.stderr.decode(errors='replace'))
        return run.stdout
