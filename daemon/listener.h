/* The local endpoint: binds it safely, accepts. Knows no message. On Unix a socket, on Windows a named pipe. */
#ifndef DAEMON_LISTENER_H
#define DAEMON_LISTENER_H

#include "conf/conf.h"

#include <stdbool.h>
#include <uv.h>

#define LISTENER_ERROR_BYTES 512

struct listener_pipes;

struct listener {
    struct listener_pipes *pipes;   /* Windows, where only `open` and the callback below mean something besides */
    uv_poll_t poll;
    uv_timer_t pause;    /* after running out of descriptors */
    int fd, lock_fd;
    bool open, inherited;
    char *path;          /* to unlink when we stop; NULL for an inherited socket */
    void (*on_accept)(void *owner, int fd);
    void *owner;
};

/* Binds `address` and listens. The socket's folder must belong to us or to root and be writable by
 * nobody else; a missing last folder is made with mode 0700. A stale socket is removed only under
 * the lock beside it and after nobody answered there. Who may connect: [daemon] mode and group.
 *
 * A pipe must be the first of its name, and is no other machine's. Who may connect: the system, administrators and
 * our own user; besides, those of [access] allow and admin, `*` being all who are logged on at this machine; but
 * for those of [access] deny.
 *
 * 0, or -1 with a sentence that says what to do. */
int listener_open(struct listener *listener, uv_loop_t *loop, const char *address, const struct conf *conf,
                  void (*on_accept)(void *owner, int fd), void *owner, char ret_error[LISTENER_ERROR_BYTES]);

/* [access] may have changed: a pipe's permissions are made of it. Nothing on Unix. */
void listener_permit(struct listener *listener, const struct conf *conf);

/* Listens on a socket that was bound by who started us (systemd). 0 or -1 as above. */
int listener_adopt(struct listener *listener, uv_loop_t *loop, int fd, void (*on_accept)(void *owner, int fd),
                   void *owner, char ret_error[LISTENER_ERROR_BYTES]);

/* Stops accepting, removes the socket. Its handles close in the loop. */
void listener_close(struct listener *listener);

/* After the loop ended. */
void listener_finish(struct listener *listener);

#endif
