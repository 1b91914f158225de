/* Connecting over a Unix socket that nobody else put there. */
#include "transport.h"

#include "peer.h"
#include "trust.h"

#include "ipc/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

const char transport_start_hint[] =
    "start one with `fetchd` for yourself, or `systemctl start fetchd` for the system";

static int fail_errno(struct transport_failure *failure, int error)
{
    bool absent = error == ENOENT || error == ECONNREFUSED || error == ENOTDIR;
    enum ipc_error_code code = IPC_ERROR_DAEMON_LOST;
    if (error == EACCES || error == EPERM)
        code = IPC_ERROR_ACCESS_DENIED;
    else if (error == EAGAIN)
        code = IPC_ERROR_OVERLOADED;
    const char *reason = error == EAGAIN ? "its queue of new connections is full" : strerror(error);
    transport_fail(failure, code, "%s", reason);
    failure->absent = absent;
    return -1;
}

#define ALLOWED "neither root, you nor $FETCHD_USER"

static int check_directory(const char *address, const char *path, struct transport_failure *failure)
{
    char directory[sizeof(struct sockaddr_un)];
    struct stat status;
    const char *slash = strrchr(path, '/');
    int length = slash == path ? 1 : (int)(slash - path);
    snprintf(directory, sizeof directory, "%.*s", length, path);
    if (stat(directory, &status) < 0)
        return fail_errno(failure, errno);
    if (!trust_user(&status.st_uid, address))
        return transport_fail(failure, IPC_ERROR_ACCESS_DENIED, "its directory belongs to uid %ld, " ALLOWED ": not connecting",
                    (long)status.st_uid);
    return 0;
}

static int check_socket(const char *address, const char *path, struct transport_failure *failure)
{
    struct stat status;
    if (lstat(path, &status) < 0)
        return fail_errno(failure, errno);
    if (!S_ISSOCK(status.st_mode))
        return transport_fail(failure, IPC_ERROR_REQUEST_INVALID, "that is not a socket");
    if (!trust_user(&status.st_uid, address))
        return transport_fail(failure, IPC_ERROR_ACCESS_DENIED, "the socket belongs to uid %ld, " ALLOWED ": not connecting",
                    (long)status.st_uid);
    return 0;
}

/* What the two above saw may be another's by now; who listens is the kernel's word. */
static int check_peer(int fd, const char *address, struct transport_failure *failure)
{
    uid_t uid;
    if (peer_user(fd, &uid) < 0)
        return fail_errno(failure, errno);
    if (!trust_user(&uid, address))
        return transport_fail(failure, IPC_ERROR_ACCESS_DENIED,
                    "the process that listens has uid %ld, " ALLOWED ": not talking to it", (long)uid);
    return 0;
}

/* The caller's program may fork in another thread: in one step where that can be. */
static int open_socket(void)
{
#if defined SOCK_CLOEXEC && defined SOCK_NONBLOCK
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
    if (!path)
        return transport_fail(ret_failure, IPC_ERROR_REQUEST_INVALID, "%s", reason);
    if (check_directory(address, path, ret_failure) < 0 || check_socket(address, path, ret_failure) < 0)
        return -1;
    int fd = open_socket();
    if (fd < 0)
        return fail_errno(ret_failure, errno);
    if (connect_socket(fd, path) < 0) {
        fail_errno(ret_failure, errno);
        close(fd);
        return -1;
    }
    if (check_peer(fd, address, ret_failure) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}
