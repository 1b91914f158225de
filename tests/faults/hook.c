/* Preloaded into a program: the N-th allocation, or the N-th system call that can fail, fails once; all
 * others work. How many there were, and what was left at the end, is said on stderr.
 *
 *   FAULTS=alloc:N or call:N (0: none)
 *
 * Left alone, because the libraries themselves end the process then: libuv's array of watchers, its epoll and its
 * wake-up pipe; libseccomp's memory (2.5.4 frees twice) and the C library's own (name services assert), but for
 * its copies of strings. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static long allocations, calls, live, wanted_allocation = -1, wanted_call = -1;
static bool counting;
static pid_t owner;

__attribute__((constructor)) static void begin(void)
{
    const char *faults = getenv("FAULTS");
    if (!faults)
        return;
    if (strncmp(faults, "alloc:", 6) == 0)
        wanted_allocation = atol(faults + 6);
    else
        wanted_call = atol(faults + 5);
    owner = getpid();
    allocations = calls = 0;
    counting = true;
}

__attribute__((destructor)) static void end(void)
{
    char text[128];
    if (!counting || getpid() != owner)
        return;
    counting = false;
    int length = snprintf(text, sizeof text, "<6>faults: at the end %ld allocations, %ld calls, %ld live\n", allocations,
                          calls, live);
    if (write(STDERR_FILENO, text, (size_t)length) < 0)
        errno = 0;
}

static bool is_from(const void *caller, const char *library)
{
    Dl_info info;
    return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, library);
}

static void say(const char *what, long number)
{
    char line[128];
    int length = snprintf(line, sizeof line, "<6>faults: %s %ld fails\n", what, number);
    counting = false;
    if (write(STDERR_FILENO, line, (size_t)length) < 0)
        errno = 0;
    counting = true;
}

/* ---- allocations ---- */

static bool fails(const char *what, const void *caller)
{
    if (!counting || is_from(caller, "libseccomp") || is_from(caller, "libc.so") || is_from(caller, "ld-linux")
        || is_from(caller, "libnss_") || ++allocations != wanted_allocation)
        return false;
    say(what, allocations);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    if (fails("malloc", __builtin_return_address(0)))
        return NULL;
    live++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (fails("calloc", __builtin_return_address(0)))
        return NULL;
    live++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    if (!is_from(__builtin_return_address(0), "libuv") && fails("realloc", __builtin_return_address(0)))
        return NULL;
    live += memory == NULL;
    return __libc_realloc(memory, size);
}

char *strndup(const char *text, size_t most)
{
    size_t length = strnlen(text, most);
    char *copy = fails("strndup", __builtin_return_address(0)) ? NULL : __libc_malloc(length + 1);
    if (!copy)
        return NULL;
    live++;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *strdup(const char *text)
{
    return strndup(text, strlen(text));
}

void free(void *memory)
{
    live -= memory != NULL;
    __libc_free(memory);
}

/* ---- calls ---- */

static bool call_fails(const char *what, int error)
{
    if (!counting || ++calls != wanted_call)
        return false;
    say(what, calls);
    errno = error;
    return true;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(name, error, value)                    \
    do {                                            \
        if (call_fails(#name, error))               \
            return value;                           \
    } while (0)
/* libuv's own would end the process. */
#define FAIL_UNLESS_LIBUV(name, error, value)                           \
    do {                                                                \
        if (!is_from(__builtin_return_address(0), "libuv") && call_fails(#name, error)) \
            return value;                                               \
    } while (0)

int socket(int family, int type, int protocol) { FAIL(socket, EMFILE, -1); return REAL(socket)(family, type, protocol); }
int bind(int fd, const struct sockaddr *name, socklen_t length) { FAIL(bind, EADDRINUSE, -1); return REAL(bind)(fd, name, length); }
int listen(int fd, int backlog) { FAIL(listen, EADDRINUSE, -1); return REAL(listen)(fd, backlog); }
int connect(int fd, const struct sockaddr *name, socklen_t length) { FAIL(connect, ENETUNREACH, -1); return REAL(connect)(fd, name, length); }
int epoll_create1(int flags) { FAIL(epoll_create1, EMFILE, -1); return REAL(epoll_create1)(flags); }
int epoll_ctl(int set, int operation, int fd, struct epoll_event *event) { FAIL_UNLESS_LIBUV(epoll_ctl, ENOSPC, -1); return REAL(epoll_ctl)(set, operation, fd, event); }
int eventfd(unsigned count, int flags) { FAIL_UNLESS_LIBUV(eventfd, EMFILE, -1); return REAL(eventfd)(count, flags); }
pid_t fork(void) { FAIL(fork, EAGAIN, -1); return REAL(fork)(); }
int dup2(int from, int to) { FAIL(dup2, EBADF, -1); return REAL(dup2)(from, to); }
int mkdir(const char *path, mode_t mode) { FAIL(mkdir, EACCES, -1); return REAL(mkdir)(path, mode); }
int lstat(const char *path, struct stat *status) { FAIL(lstat, EACCES, -1); return REAL(lstat)(path, status); }
int stat(const char *path, struct stat *status) { FAIL(stat, EACCES, -1); return REAL(stat)(path, status); }
int chmod(const char *path, mode_t mode) { FAIL(chmod, EPERM, -1); return REAL(chmod)(path, mode); }
int flock(int fd, int operation) { FAIL(flock, EWOULDBLOCK, -1); return REAL(flock)(fd, operation); }
int unlink(const char *path) { FAIL(unlink, EACCES, -1); return REAL(unlink)(path); }
FILE *fopen(const char *path, const char *mode) { FAIL(fopen, EMFILE, NULL); return REAL(fopen)(path, mode); }

/* The first one is libuv's own, without which it aborts. */
int pipe2(int fds[2], int flags)
{
    static bool later;
    bool spared = !later && is_from(__builtin_return_address(0), "libuv");
    later = true;
    if (!spared)
        FAIL(pipe2, EMFILE, -1);
    return REAL(pipe2)(fds, flags);
}

int socketpair(int family, int type, int protocol, int fds[2])
{
    FAIL(socketpair, EMFILE, -1);
    return REAL(socketpair)(family, type, protocol, fds);
}

int accept4(int fd, struct sockaddr *name, socklen_t *length, int flags)
{
    FAIL(accept4, EMFILE, -1);
    return REAL(accept4)(fd, name, length, flags);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
    FAIL(getsockopt, ENOBUFS, -1);
    return REAL(getsockopt)(fd, level, option, value, length);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    FAIL(setsockopt, ENOBUFS, -1);
    return REAL(setsockopt)(fd, level, option, value, length);
}

ssize_t read(int fd, void *buffer, size_t size) { FAIL_UNLESS_LIBUV(read, EIO, -1); return REAL(read)(fd, buffer, size); }
ssize_t write(int fd, const void *buffer, size_t size) { FAIL_UNLESS_LIBUV(write, EIO, -1); return REAL(write)(fd, buffer, size); }
ssize_t readv(int fd, const struct iovec *pieces, int count) { FAIL_UNLESS_LIBUV(readv, EIO, -1); return REAL(readv)(fd, pieces, count); }
ssize_t writev(int fd, const struct iovec *pieces, int count) { FAIL(writev, EPIPE, -1); return REAL(writev)(fd, pieces, count); }
ssize_t recvmsg(int fd, struct msghdr *message, int flags) { FAIL(recvmsg, ECONNRESET, -1); return REAL(recvmsg)(fd, message, flags); }
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { FAIL(sendmsg, EPIPE, -1); return REAL(sendmsg)(fd, message, flags); }
ssize_t recv(int fd, void *buffer, size_t size, int flags) { FAIL(recv, ECONNRESET, -1); return REAL(recv)(fd, buffer, size, flags); }
ssize_t send(int fd, const void *buffer, size_t size, int flags) { FAIL(send, EPIPE, -1); return REAL(send)(fd, buffer, size, flags); }

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    FAIL(open, EMFILE, -1);
    return REAL(open)(path, flags, mode);
}
