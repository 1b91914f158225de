/* Connecting over a Unix socket that nobody else put there. */
#include "transport.h"

#include "ipc/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int __attribute__((format(printf, 3, 4))) fail(struct transport_failure *failure,
                                                      enum ipc_error_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->reason, sizeof failure->reason, format, arguments);
    va_end(arguments);
    failure->code = code;
    failure->absent = false;
    return -1;
}

static int fail_errno(struct transport_failure *failure, int error)
{
    bool absent = error == ENOENT || error == ECONNREFUSED || error == ENOTDIR;
    enum ipc_error_code code = IPC_ERROR_DAEMON_LOST;
    if (error == EACCES || error == EPERM)
        code = IPC_ERROR_ACCESS_DENIED;
    else if (error == EAGAIN)
        code = IPC_ERROR_OVERLOADED;
    const char *reason = error == EAGAIN ? "its queue of new connections is full" : strerror(error);
    fail(failure, code, "%s", reason);
    failure->absent = absent;
    return -1;
}

static bool is_root_or_us(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

/* Root alone decides who gets a directory in /run; a service user that has one may listen in it. */
static bool is_given_by_root(const char *address)
{
    struct stat run;
    return ipc_endpoint_is_system(address) && stat("/run", &run) == 0 && run.st_uid == 0
        && (run.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int check_directory(const char *address, const char *path, uid_t *ret_trusted,
                           struct transport_failure *failure)
{
    char directory[sizeof(struct sockaddr_un)];
    struct stat status;
    const char *slash = strrchr(path, '/');
    int length = slash == path ? 1 : (int)(slash - path);
    snprintf(directory, sizeof directory, "%.*s", length, path);
    if (stat(directory, &status) < 0)
        return fail_errno(failure, errno);
    if (!is_root_or_us(status.st_uid) && !is_given_by_root(address))
        return fail(failure, IPC_ERROR_ACCESS_DENIED,
                    "its directory belongs to uid %ld, neither root nor you: not connecting",
                    (long)status.st_uid);
    *ret_trusted = status.st_uid;
    return 0;
}

static int check_socket(const char *path, uid_t trusted, uid_t *ret_owner, struct transport_failure *failure)
{
    struct stat status;
    if (lstat(path, &status) < 0)
        return fail_errno(failure, errno);
    if (!S_ISSOCK(status.st_mode))
        return fail(failure, IPC_ERROR_REQUEST_INVALID, "that is not a socket");
    if (!is_root_or_us(status.st_uid) && status.st_uid != trusted)
        return fail(failure, IPC_ERROR_ACCESS_DENIED,
                    "the socket belongs to uid %ld, neither root nor you: not connecting",
                    (long)status.st_uid);
    *ret_owner = status.st_uid;
    return 0;
}

static int peer_uid(int fd, uid_t *ret_uid)
{
#ifdef SO_PEERCRED
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        return -1;
    *ret_uid = credentials.uid;
    return 0;
#else
    gid_t group;
    return getpeereid(fd, ret_uid, &group);
#endif
}

static int check_peer(int fd, uid_t owner, struct transport_failure *failure)
{
    uid_t uid;
    if (peer_uid(fd, &uid) < 0)
        return fail_errno(failure, errno);
    if (!is_root_or_us(uid) && uid != owner)
        return fail(failure, IPC_ERROR_ACCESS_DENIED,
                    "the process that listens has uid %ld, neither root, you nor the socket's owner: "
                    "not talking to it", (long)uid);
    return 0;
}

static int open_socket(void)
{
#ifdef SOCK_CLOEXEC
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), on = 1;
    if (fd >= 0) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
    }
    return fd;
#endif
}

static int connect_socket(int fd, const char *path)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    memcpy(name.sun_path, path, strlen(path));   /* ipc_endpoint_path has checked the length */
    int result;
    do
        result = connect(fd, (const struct sockaddr *)&name, sizeof name);
    while (result < 0 && errno == EINTR);
    return result;
}

int transport_connect(const char *address, struct transport_failure *ret_failure)
{
    const char *reason;
    const char *path = ipc_endpoint_path(address, &reason);
    uid_t trusted = 0, owner = 0;
    if (!path)
        return fail(ret_failure, IPC_ERROR_REQUEST_INVALID, "%s", reason);
    if (check_directory(address, path, &trusted, ret_failure) < 0
        || check_socket(path, trusted, &owner, ret_failure) < 0)
        return -1;
    int fd = open_socket();
    if (fd < 0)
        return fail_errno(ret_failure, errno);
    if (connect_socket(fd, path) < 0) {
        fail_errno(ret_failure, errno);
        close(fd);
        return -1;
    }
    if (check_peer(fd, owner, ret_failure) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}
