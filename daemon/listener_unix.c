/* A Unix socket: bound under a lock, in a folder that only we (or root) can write. */
#include "listener.h"

#include "ipc/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64
#define PAUSE_MS 100
#define BACKLOG 1024

static int fail(char ret_error[LISTENER_ERROR_BYTES], const char *path, const char *what)
{
    snprintf(ret_error, LISTENER_ERROR_BYTES, "%s: %s", path, what);
    return -1;
}

static int fail_errno(char ret_error[LISTENER_ERROR_BYTES], const char *path, const char *what)
{
    snprintf(ret_error, LISTENER_ERROR_BYTES, "%s: %s: %s", path, what, strerror(errno));
    return -1;
}

/* ---- the folder ---- */

static int check_folder(const char *path, char ret_error[LISTENER_ERROR_BYTES])
{
    char copy[sizeof(struct sockaddr_un)];
    struct stat status;
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return fail_errno(ret_error, folder, "can't make the socket's folder");
    if (lstat(folder, &status) < 0)
        return fail_errno(ret_error, folder, "can't read the socket's folder");
    if (!S_ISDIR(status.st_mode))
        return fail(ret_error, folder, "is not a folder (a link is not followed)");
    if (status.st_uid != geteuid() && status.st_uid != 0)
        return fail(ret_error, folder, "the socket's folder belongs to another user; use one of your own");
    if (status.st_mode & (S_IWGRP | S_IWOTH))
        return fail(ret_error, folder, "the socket's folder is writable by others; chmod 755 it, or use a private one");
    return 0;
}

/* ---- the lock, and a socket that was left behind ---- */

static int take_lock(struct listener *listener, const char *path, char ret_error[LISTENER_ERROR_BYTES])
{
    char lock[sizeof(struct sockaddr_un) + 8];
    snprintf(lock, sizeof lock, "%s.lock", path);
    listener->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (listener->lock_fd < 0)
        return fail_errno(ret_error, lock, "can't open the lock");
    if (flock(listener->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return fail(ret_error, path, "another fetchd is listening here");
    return 0;
}

/* Closed in a worker and never waited for. Two steps: accept4 and SOCK_CLOEXEC are not everywhere, and no other thread of
 * the daemon starts a process. */
static int tame(int fd)
{
    if (fd >= 0) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    return fd;
}

static int connect_probe(const struct sockaddr_un *name)
{
    int fd = tame(socket(AF_UNIX, SOCK_STREAM, 0));
    if (fd < 0)
        return -errno;
    int result = connect(fd, (const struct sockaddr *)name, sizeof *name) < 0 ? -errno : 0;
    close(fd);
    return result;
}

static int remove_stale(const struct sockaddr_un *name, char ret_error[LISTENER_ERROR_BYTES])
{
    struct stat status;
    if (lstat(name->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : fail_errno(ret_error, name->sun_path, "can't be read");
    if (!S_ISSOCK(status.st_mode))
        return fail(ret_error, name->sun_path, "is there and is not a socket; remove it or listen elsewhere");
    if (status.st_uid != geteuid() && geteuid() != 0)
        return fail(ret_error, name->sun_path, "is a socket of another user; listen elsewhere");
    if (connect_probe(name) != -ECONNREFUSED)
        return fail(ret_error, name->sun_path, "somebody is listening here already");
    if (unlink(name->sun_path) < 0)
        return fail_errno(ret_error, name->sun_path, "can't remove the stale socket");
    return 0;
}

/* ---- bind ---- */

static int set_owner(const char *path, const char *mode, const char *group, char ret_error[LISTENER_ERROR_BYTES])
{
    char *end;
    unsigned long bits = strtoul(mode, &end, 8);
    if (*end != '\0' || bits > 0777)
        return fail(ret_error, mode, "is not an octal mode, see [daemon] mode");
    if (*group) {
        const struct group *entry = getgrnam(group);
        if (!entry)
            return fail(ret_error, group, "there is no such group, see [daemon] group");
        if (chown(path, (uid_t)-1, entry->gr_gid) < 0)
            return fail_errno(ret_error, path, "can't be given to that group");
    }
    return chmod(path, (mode_t)bits) < 0 ? fail_errno(ret_error, path, "can't set its mode") : 0;
}

static int bind_socket(struct listener *listener, const struct sockaddr_un *name, char ret_error[LISTENER_ERROR_BYTES])
{
    listener->fd = tame(socket(AF_UNIX, SOCK_STREAM, 0));
    if (listener->fd < 0)
        return fail_errno(ret_error, name->sun_path, "no socket");
    mode_t mask = umask(0177);
    int result = bind(listener->fd, (const struct sockaddr *)name, sizeof *name);
    umask(mask);
    if (result < 0)
        return fail_errno(ret_error, name->sun_path, "can't bind");
    return 0;
}

/* ---- accept ---- */

static void on_uv_poll(uv_poll_t *poll, int status, int events);

static void on_uv_pause_over(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    if (listener->open)
        uv_poll_start(&listener->poll, UV_READABLE, on_uv_poll);
}

/* Without descriptors the pending connection stays, and so would the event: wait a little. */
static void pause_accepting(struct listener *listener)
{
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->pause, on_uv_pause_over, PAUSE_MS, 0);
}

static void on_uv_poll(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN && listener->open; i++) {
        int fd = tame(accept(listener->fd, NULL, NULL));
        if (fd >= 0) {
            listener->on_accept(listener->owner, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            pause_accepting(listener);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static int start(struct listener *listener, uv_loop_t *loop, char ret_error[LISTENER_ERROR_BYTES])
{
    if (listen(listener->fd, BACKLOG) < 0)
        return fail_errno(ret_error, listener->path ? listener->path : "the inherited socket", "can't listen");
    uv_timer_init(loop, &listener->pause);
    uv_poll_init(loop, &listener->poll, listener->fd);
    listener->pause.data = listener->poll.data = listener;
    listener->open = true;
    uv_poll_start(&listener->poll, UV_READABLE, on_uv_poll);
    return 0;
}

/* ---- life ---- */

int listener_open(struct listener *listener, uv_loop_t *loop, const char *address, const struct conf *conf,
                  void (*on_accept)(void *owner, int fd), void *owner, char ret_error[LISTENER_ERROR_BYTES])
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    const char *reason;
    *listener = (struct listener){ .fd = -1, .lock_fd = -1, .on_accept = on_accept, .owner = owner };
    const char *path = ipc_endpoint_path(address, &reason);
    if (!path)
        return fail(ret_error, address, reason);
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    if (check_folder(path, ret_error) < 0 || take_lock(listener, path, ret_error) < 0
        || remove_stale(&name, ret_error) < 0 || bind_socket(listener, &name, ret_error) < 0) {
        listener_finish(listener);
        return -1;
    }
    listener->path = strdup(path);
    if (set_owner(path, conf->socket_mode, conf->socket_group, ret_error) < 0 || start(listener, loop, ret_error) < 0) {
        unlink(path);
        listener_finish(listener);
        return -1;
    }
    return 0;
}

void listener_permit(struct listener *listener, const struct conf *conf)
{
    (void)listener;
    (void)conf;
}

int listener_adopt(struct listener *listener, uv_loop_t *loop, int fd, void (*on_accept)(void *owner, int fd),
                   void *owner, char ret_error[LISTENER_ERROR_BYTES])
{
    *listener = (struct listener){ .fd = fd, .lock_fd = -1, .inherited = true, .on_accept = on_accept,
                                   .owner = owner };
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return start(listener, loop, ret_error);
}

void listener_close(struct listener *listener)
{
    if (!listener->open)
        return;
    listener->open = false;
    uv_close((uv_handle_t *)&listener->pause, NULL);
    uv_close((uv_handle_t *)&listener->poll, NULL);
    if (listener->path)
        unlink(listener->path);
    /* Those who wait to be accepted are told at once, not when we exit. */
    if (!listener->inherited) {
        close(listener->fd);
        listener->fd = -1;
    }
}

void listener_finish(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->lock_fd >= 0)
        close(listener->lock_fd);
    free(listener->path);
    listener->fd = listener->lock_fd = -1;
    listener->path = NULL;
}
