#!/usr/bin/python3
"""Holds the sources to the table of who may include what, and the programs to what they may link.

Meson alone would not see a system header slip in. Every rule has a negative control: a made-up
file, or another program, that it must catch.
"""
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from support import paths, tap  # noqa: E402

LIBC = set('''assert ctype errno float inttypes iso646 limits locale math setjmp signal stdalign stdarg
    stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string time wchar
    dirent fcntl fnmatch getopt glob grp libgen malloc netdb poll pthread pwd regex sched semaphore
    spawn strings syslog termios unistd'''.split())
OS = re.compile(r'(sys|netinet|arpa|net|linux|asm)/[\w/]+\.h$')
WINDOWS = re.compile(r'(windows|direct|ntstatus|winsock2|ws2tcpip|aclapi|sddl|io|process|winsvc|namedpipeapi|evntprov|tlhelp32|psapi|'
                     r'userenv|shlobj|versionhelpers|conio|fcntl)\.h$', re.I)

# folder -> (folders it may include besides itself, what else it may include)
MAY = {
    'ipc': ((), r'msgpack(\.h|/)'),
    'ipc/channel': (('ipc',), r'uv\.h'),
    'conf': ((), r'ini\.h'),
    'daemon': (('ipc', 'conf'), r'uv\.h|uthash\.h|utlist\.h'),
    'daemon/suffix': ((), r'libpsl\.h'),
    'daemon/confine': ((), r'seccomp\.h'),
    'worker': (('ipc',), r'uv\.h|curl/|zlib\.h|brotli/|zstd(_errors)?\.h'),
    'worker/filter': ((), r'seccomp\.h'),
    'worker/lookups': ((), r'dlfcn\.h'),
    'worker/h2window': ((), r'nghttp2/'),
    'worker/h3window': (('ipc',), r'curl/|ngtcp2/'),
    'worker/systemroots': ((), r'wincrypt\.h'),
    'worker/tls': (('ipc',), r'uv\.h|curl/|openssl/'),
    'client': (('ipc', 'ipc/error', 'client/include'), r'fetchd/client\.h|sha2\.h|jansson\.h|uthash\.h'),
    'systemd': (('daemon',), r'systemd/'),
    'windows-service': (('daemon',), r'uv\.h|bcrypt\.h|messages\.h'),   # messages.h: made of messages.mc
    'portable': ((), r'bcrypt\.h'),
}
SOURCES = ('ipc', 'conf', 'daemon', 'worker', 'client', 'systemd', 'windows-service', 'portable')
BANNED = ('sprintf', 'vsprintf', 'strcpy', 'strcat', 'gets', 'strtok')


def bare(text):
    """The text without comments, its strings emptied."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def keep(match):
        found = match.group(0)
        return '""' if found[0] == '"' else "'x'" if found[0] == "'" else '\n' * found.count('\n')
    return re.sub(pattern, keep, text, flags=re.S)


def without_comments(text):
    return re.sub(r'("(?:\\.|[^"\\\n])*")|/\*.*?\*/', lambda match: match.group(1) or '\n' * match.group(0).count('\n'), text,
                  flags=re.S)


def line_of(text, offset):
    return text.count('\n', 0, offset) + 1


def part(path):
    """Which row of MAY a file stands in."""
    folder, stem = path.parts[0], path.name.split('.')[0].split('_')[0]
    return '%s/%s' % (folder, stem) if '%s/%s' % (folder, stem) in MAY else folder


def home(path, name, top):
    """The file of ours that `#include "name"` in `path` means, relative to the top, or None."""
    for base in (path.parent, Path('.'), *(Path(folder) for folder in SOURCES), Path('client/include')):
        if (top / base / name).exists():
            return Path(*(base / name).parts)
    return None


def check_includes(path, text, top):
    row = part(path)
    folders, outside = MAY[row]
    for number, line in enumerate(re.sub(r'/\*.*?\*/', '', text).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        quote, name = match.groups()
        where = '%s:%d: ' % (path, number)
        ours = home(path, name, top) if quote == '"' else None
        if quote == '"' and ours:
            target = part(ours)
            if ours.parts[0] != path.parts[0] and ours.parts[0] not in folders:
                yield where + '%s/ may not include %s' % (path.parts[0], ours)
            elif target == 'ipc/channel' and row in ('ipc', 'client'):
                yield where + '%s/ may not include %s' % (path.parts[0], ours)
            elif row.startswith('systemd') or row == 'windows-service':
                if ours.parts[0] == 'daemon' and ours.name not in ('service.h', 'daemon.h', 'main.h'):
                    yield where + '%s/ may include only the service and entry headers of daemon/, not %s' % (row, ours)
        elif outside and re.match(outside, name):
            continue
        elif name[:-2] in LIBC or OS.match(name):
            continue
        elif WINDOWS.match(name) and ('windows' in str(path) or '_WIN32' in text):
            continue
        elif quote == '"' and name in ('config.h', 'fetchd_config.h', 'build.h', 'version.h'):
            continue
        else:
            yield where + '%s/ may not include <%s>' % (row, name)


def check_banned(path, text, top):
    text = bare(text)
    for match in re.finditer(r'\b(%s)\s*\(' % '|'.join(BANNED), text):
        yield '%s:%d: %s is banned' % (path, line_of(text, match.start()), match.group(1))


# What not every system has -> the ends of the names of files that may use it. A name that a file asks for by #ifdef, it
# may use: there is another way for others. Strings count, for paths.
NATIVE = (
    (r'_linux|_epoll', r'epoll_\w+|EPOLL\w*|eventfd|EFD_\w+'),
    (r'_kqueue|_bsd|_macos|_freebsd|_openbsd', r'kqueue|kevent|EV_SET|getpeereid'),
    (r'_macos', r'sandbox_init\w*'),
    (r'_freebsd', r'cap_enter|cap_rights_\w+'),
    (r'_openbsd', r'pledge|unveil'),
    (r'_windows', r'HANDLE|DWORD|GetLastError|[A-Z][a-z]\w*W(?=\()|WSA\w+'),
    # Of Linux alone, or of it and some others.
    (r'_linux', r'accept4|pipe2|dup3|SOCK_CLOEXEC|SOCK_NONBLOCK|MSG_CMSG_CLOEXEC|MSG_NOSIGNAL|MSG_MORE|SO_PEER\w+|ucred|'
                r'SCM_CREDENTIALS|SO_DOMAIN|SO_PROTOCOL|TCP_INFO|TCP_USER_TIMEOUT|TCP_QUICKACK|TCP_KEEPIDLE|POLLRDHUP|ppoll|'
                r'signalfd|timerfd_\w+|inotify_\w+|fanotify_\w+|openat2|O_PATH|O_TMPFILE|AT_EMPTY_PATH|renameat2|RENAME_\w+|'
                r'copy_file_range|close_range|splice|vmsplice|memfd_create|fallocate|posix_fallocate|fdatasync|statx|syncfs|'
                r'prctl|PR_\w+|syscall|SYS_\w+|__NR_\w+|unshare|setns|CLONE_\w+|capset|pidfd_\w+|process_vm_\w+|gettid|'
                r'getauxval|setresuid|setresgid|getresuid|getresgid|sched_setaffinity|mremap|MAP_POPULATE|MADV_\w+|'
                r'clock_nanosleep|sem_timedwait|pthread_condattr_setclock|CLOCK_BOOTTIME|CLOCK_MONOTONIC_\w+|'
                r'strchrnul|mempcpy|rawmemchr|qsort_r|strverscmp|canonicalize_file_name|fopencookie|'
                r'program_invocation_\w+|s6_addr(?:16|32)|st_[amc]tim|/proc/[\w/]*|/sys/[\w/]+'),
)


def check_native(path, text, top):
    """A call that some systems lack stands in a file named for those that have it."""
    if path.parts[0] in ('systemd', 'windows-service', 'portable'):
        return
    text = without_comments(text)
    asked = set(re.findall(r'\w+', ' '.join(re.findall(r'^\s*#\s*(?:el)?if.*$', text, re.M))))
    for ends, names in NATIVE:
        if re.search(r'(?:%s)\.[ch]$' % ends, path.name):
            continue
        for match in re.finditer(r'(?<![\w>.-])(?:%s)(?!\w)' % names, text):
            if match.group(0) not in asked:
                yield '%s:%d: %s is not everywhere' % (path, line_of(text, match.start()), match.group(0))


def check_quiet(path, text, top):
    """ipc, conf and libfetchd return errors; they never log."""
    if path.parts[0] not in ('ipc', 'conf', 'client') or path.name.startswith(('fetchctl', 'progress')):
        return
    if path.parts[0] == 'client' and path.parts[1] != 'include' and not re.match(r'client|transport', path.name):
        return
    text = bare(text)
    for match in re.finditer(r'\bstderr\b|\bsyslog\s*\(|\bperror\s*\(', text):
        yield '%s:%d: %s/ never logs' % (path, line_of(text, match.start()), path.parts[0])


def check_exit(path, text, top):
    """main.c is the only caller of exit(); a library never ends its host."""
    if path.name == 'main.c' or path.name.startswith('fetchctl') or path.parts[0] in ('worker', 'systemd',
                                                                                      'windows-service'):
        return
    if path.parts[0] == 'client' and not re.match(r'client|transport', path.name):
        return
    text = bare(text)
    for match in re.finditer(r'(?<![\w>.])_?exit\s*\(', text):
        yield '%s:%d: exit() outside main.c' % (path, line_of(text, match.start()))


def message_names(top):
    return re.findall(r'^MESSAGE\((\w+),', (top / 'ipc/messages.def').read_text(), re.M)


def check_switches(path, text, top):
    """A switch over messages has no default, so that the compiler finds gaps."""
    text = bare(text)
    names = r'\bcase\s+IPC_(%s)\b' % '|'.join(message_names(top))
    for match in re.finditer(r'\bswitch\s*\(', text):
        body = block(text, match.start())
        if re.search(names, body) and re.search(r'\bdefault\s*:', body):
            yield '%s:%d: a switch over messages has a default' % (path, line_of(text, match.start()))


def block(text, start):
    """The braces that follow `start`, to their end."""
    opening = text.find('{', start)
    depth = 0
    for index in range(opening, len(text)) if opening >= 0 else ():
        depth += {'{': 1, '}': -1}.get(text[index], 0)
        if not depth:
            return text[opening:index + 1]
    return text[start:]


CHECKS = (check_includes, check_banned, check_native, check_quiet, check_exit, check_switches)


def check(path, text, top=paths.TOP):
    return [problem for one in CHECKS for problem in one(Path(path), text, top)]


def sources(folder):
    for pattern in ('**/*.c', '**/*.h', '**/*.def'):
        yield from sorted((paths.TOP / folder).glob(pattern))


class Sources(unittest.TestCase):
    def folder(self, name):
        if not (paths.TOP / name).is_dir():
            self.skipTest('there is no %s/ here' % name)
        found = list(sources(name))
        problems = [p for path in found for p in check(path.relative_to(paths.TOP), path.read_text())]
        self.assertFalse(problems, '\n' + '\n'.join(problems))


for name in SOURCES:
    setattr(Sources, 'test_%s_includes_only_what_it_may' % name.replace('-', '_'),
            lambda self, name=name: self.folder(name))


class Controls(unittest.TestCase):
    """What must be caught, and what must not."""

    CAUGHT = (
        ('daemon/bad.c', '#include <curl/curl.h>\n', 'may not include <curl/curl.h>'),
        ('daemon/bad.c', '#include <openssl/ssl.h>\n', 'may not include <openssl/ssl.h>'),
        ('daemon/bad.c', '  #  include "worker/transfer.h"\n', 'may not include'),
        ('daemon/bad.c', '#include <libpsl.h>\n', 'may not include <libpsl.h>'),
        ('daemon/bad.c', '#include <ini.h>\n', 'may not include <ini.h>'),
        ('client/bad.c', '#include <uv.h>\n', 'may not include <uv.h>'),
        ('client/bad.c', '#include "ipc/channel.h"\n', 'may not include ipc/channel.h'),
        ('client/bad.c', '#include "conf/conf.h"\n', 'may not include conf/conf.h'),
        ('client/bad.c', '#include <curl/curl.h>\n', 'may not include'),
        ('ipc/bad.c', '#include <uv.h>\n', 'may not include <uv.h>'),
        ('ipc/bad.c', '#include "channel.h"\n', 'may not include ipc/channel.h'),
        ('ipc/bad.c', '#include "conf/conf.h"\n', 'may not include conf/conf.h'),
        ('ipc/channel_unix.c', '#include <openssl/ssl.h>\n', 'may not include'),
        ('conf/bad.c', '#include <uv.h>\n', 'may not include <uv.h>'),
        ('conf/bad.c', '#include "ipc/frame.h"\n', 'may not include ipc/frame.h'),
        ('worker/bad.c', '#include "conf/conf.h"\n', 'may not include conf/conf.h'),
        ('worker/bad.c', '#include <openssl/ssl.h>\n', 'may not include <openssl/ssl.h>'),
        ('worker/bad.c', '#include "daemon/pool.h"\n', 'may not include daemon/pool.h'),
        ('systemd/bad.c', '#include "daemon/pool.h"\n', 'only the service and entry headers'),
        ('ipc/bad.c', 'void f(void)\n{\n    gets(0);\n}\n', 'ipc/bad.c:3: gets is banned'),
        ('daemon/bad.c', 'int x = sprintf (a, "b");', 'sprintf is banned'),
        ('daemon/bad.c', 'strcpy(a, b);', 'strcpy is banned'),
        ('daemon/bad.c', 'strcat(a, b);', 'strcat is banned'),
        ('worker/bad.c', 'strtok(a, b);', 'strtok is banned'),
        ('ipc/bad.c', 'fputs("x", stderr);', 'never logs'),
        ('client/client.c', 'perror("x");', 'never logs'),
        ('daemon/bad.c', 'exit(1);', 'exit() outside main.c'),
        ('client/client.c', '_exit(1);', 'exit() outside main.c'),
        ('daemon/bad_unix.c', 'int fd = accept4(a, NULL, NULL, 0);', 'accept4 is not everywhere'),
        ('daemon/bad_unix.c', 'socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);', 'SOCK_CLOEXEC is not everywhere'),
        ('worker/bad.c', 'fopen("/proc/self/statm", "r");', '/proc/self/statm is not everywhere'),
        ('client/poller_kqueue.c', 'eventfd(0, 0);', 'eventfd is not everywhere'),
        ('ipc/bad.c', 'struct ucred c;\ngetpeereid(fd, &u, &g);', 'ipc/bad.c:2: getpeereid is not everywhere'),
        ('conf/bad.c', 'GetFileAttributesW(path);', 'GetFileAttributesW is not everywhere'),
        ('daemon/bad.c', 'switch (n) { case IPC_FETCH: { a(); } break; default: b(); }', 'has a default'),
    )
    FINE = (
        ('daemon/good.c', '#include "ipc/channel.h"\n#include "conf/conf.h"\n#include <uv.h>\n#include <sys/stat.h>\n'),
        ('worker/good.c', '#include <curl/curl.h>\n#include <uv.h>\n#include <zlib.h>\n'),
        ('worker/tls.c', '#include <openssl/ssl.h>\n'),
        ('ipc/channel_unix.c', '#include <uv.h>\n#include "frame.h"\n'),
        ('client/good.c', '#include <fetchd/client.h>\n#include "ipc/frame.h"\n#include <poll.h>\n'),
        ('ipc/good.c', '/* sprintf( and strcpy( are banned */ int snprintf(char *); x = "gets(";'),
        ('daemon/good.c', 'switch (x) { default: y(); } /* case IPC_FETCH: */ uv_process_exit(1); p->exit(2);'),
        ('daemon/main.c', 'exit(1);'),
        ('daemon/good_linux.c', 'accept4(a, NULL, NULL, SOCK_CLOEXEC); /proc/self'),
        ('client/good_unix.c', '#ifdef SOCK_CLOEXEC\nsocket(1, SOCK_CLOEXEC, 0);\n#else\nsocket(1, 0, 0);\n#endif\n'),
        ('worker/good.c', '/* /proc/self/statm, accept4 */ p->splice(3); "a /* b"; tcp_info = 3; accept(1, 2, 3);'),
        ('daemon/good_windows.c', 'HANDLE pipe = CreateNamedPipeW(name);'),
    )

    def test_every_offence_is_caught(self):
        for path, text, expected in self.CAUGHT:
            with self.subTest(path=path, text=text):
                self.assertIn(expected, '\n'.join(check(path, text)))

    def test_nothing_else_is(self):
        for path, text in self.FINE:
            with self.subTest(path=path, text=text):
                self.assertEqual(check(path, text), [])


class Corpus(unittest.TestCase):
    def test_every_message_has_a_seed_for_the_fuzzers(self):
        seeds = {path.name.partition('-')[2].upper() for path in (paths.TOP / 'tests/fuzz/corpus/frames').iterdir()}
        self.assertEqual([name for name in message_names(paths.TOP) if name not in seeds], [])


# ---- programs ----

CURL_OR_TLS = re.compile(r'^(curl_\w+|Curl_\w+|SSL_\w+|TLS_\w*method|OPENSSL_\w+|BORINGSSL_\w+|X509_\w+|EVP_\w+)$')
UV = re.compile(r'^uv_\w+$')
LIBRARIES = re.compile(r'lib(curl|ssl|crypto|gnutls|nghttp2)[-.]')


def symbols(path):
    """Names in the symbol tables of a program or library, defined or wanted."""
    names = set()
    for more in ([], ['-D']):
        run = subprocess.run(['nm', *more, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        names.update(line.split()[-1].split('@')[0] for line in run.stdout.splitlines() if line.split())
    return names


def linked(path):
    return subprocess.run(['ldd', str(path)], stdout=subprocess.PIPE, check=True, text=True).stdout


def matching(path, pattern):
    return sorted(name for name in symbols(path) if pattern.match(name))


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        paths.need_programs()
        cls.shared = next(iter(sorted(paths.FETCHCTL.parent.glob('libfetchd.so'))), None)
        cls.static = paths.FETCHCTL.parent / 'libfetchd.a'

    def test_fetchd_links_neither_curl_nor_tls(self):
        self.assertNotRegex(linked(paths.FETCHD), LIBRARIES)
        self.assertEqual(matching(paths.FETCHD, CURL_OR_TLS), [])

    def test_control_the_worker_has_curl_and_tls(self):
        found = matching(paths.WORKER, CURL_OR_TLS)
        self.assertTrue(any(n.startswith('curl_') for n in found), 'no curl symbol seen in the worker')
        self.assertTrue(any(n.startswith('SSL_') for n in found), 'no TLS symbol seen in the worker')

    def test_control_fetchd_has_libuv(self):
        self.assertTrue(matching(paths.FETCHD, UV) or 'libuv' in linked(paths.FETCHD))

    def test_libfetchd_shared_links_neither_libuv_nor_curl_nor_tls(self):
        self.assertIsNotNone(self.shared, 'no libfetchd.so was built')
        self.assertNotRegex(linked(self.shared), LIBRARIES)
        self.assertNotIn('libuv', linked(self.shared))
        self.assertEqual(matching(self.shared, CURL_OR_TLS) + matching(self.shared, UV), [])

    def test_libfetchd_static_wants_neither_libuv_nor_curl_nor_tls(self):
        self.assertTrue(self.static.exists(), 'no libfetchd.a was built')
        self.assertIn('fetchd_open', symbols(self.static))
        self.assertEqual(matching(self.static, CURL_OR_TLS) + matching(self.static, UV), [])

    def test_libfetchd_shows_only_its_own_names(self):
        run = subprocess.run(['nm', '-D', '--defined-only', str(self.shared)], stdout=subprocess.PIPE, text=True)
        names = [line.split()[-1].split('@')[0] for line in run.stdout.splitlines()]
        self.assertIn('fetchd_open', names)
        foreign = [n for n in names if not n.startswith('fetchd_') and n not in ('_init', '_fini')]
        self.assertEqual(foreign, [])

    def test_fetchctl_links_neither_libuv_nor_curl_nor_tls(self):
        self.assertNotRegex(linked(paths.FETCHCTL), LIBRARIES)
        self.assertNotIn('libuv', linked(paths.FETCHCTL))
        self.assertEqual(matching(paths.FETCHCTL, CURL_OR_TLS) + matching(paths.FETCHCTL, UV), [])


if __name__ == '__main__':
    tap.main()
